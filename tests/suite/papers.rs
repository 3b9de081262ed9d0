//! The papers are true to the program: the command reference is what the program prints, the commands a reader is told
//! to type exist, and no link or path leads nowhere.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

const REFERENCE: &str = "docs/commands.md";
/// What stands above it is written by hand, what stands below is printed.
const MARKER: &str = "<!-- below: printed by the program; UPDATE_DOCS=1 cargo test papers -->\n";
/// A word in backticks that begins so and ends in a file's ending is a path.
const PATHS_BEGIN: &[&str] =
    &["archive/", "datasets/", "docs/", "ingest/", "src/", "tests/", "transcode/", "viewer-api/"];
const PATHS_END: &[&str] = &[".md", ".mjs", ".py", ".rs", ".sql"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// What `tsunagu help WORDS…` prints, or `None` where there is no such sub-command.
fn help(words: &[&str]) -> Option<String> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagu"));
    // Values from the environment would be printed too.
    command.env_remove("TSUNAGU_DATA").env_remove("TSUNAGU_TOKEN").arg("help").args(words);
    let output = command.output().unwrap();
    let text = String::from_utf8(output.stdout).unwrap();
    output.status.success().then(|| text.lines().map(|line| format!("{}\n", line.trim_end())).collect())
}

/// The sub-commands that a help text lists, `help` itself left out.
fn sub_commands(help: &str) -> Vec<String> {
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1).take_while(|line| !line.is_empty());
    let names = listed.filter_map(|line| line.split_whitespace().next());
    names.filter(|name| *name != "help").map(str::to_owned).collect()
}

/// Every sub-command below `words`, each with its help.
fn reference(words: &[&str], out: &mut String) {
    let text = help(words).unwrap_or_else(|| panic!("tsunagu help {} fails", words.join(" ")));
    let title = [&["tsunagu"], words].concat().join(" ");
    out.push_str(&format!("\n{} {title}\n\n```text\n{}\n```\n", "#".repeat(words.len() + 2), text.trim_end()));
    for name in sub_commands(&text) {
        reference(&[words, &[name.as_str()]].concat(), out);
    }
}

#[test]
fn the_command_reference_is_what_the_program_prints() {
    // Proves that every sub-command is in docs/commands.md with the help it prints now.
    let path = root().join(REFERENCE);
    let page = fs::read_to_string(&path).unwrap();
    let (by_hand, printed) = page.split_once(MARKER).expect("docs/commands.md has its marker");
    let mut now = String::new();
    reference(&[], &mut now);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, format!("{by_hand}{MARKER}{now}")).unwrap();
    } else {
        assert!(printed == now, "{REFERENCE} is not what the program prints; run: UPDATE_DOCS=1 cargo test papers");
    }
}

/// README.md and every page below docs/.
fn papers() -> Vec<PathBuf> {
    let (mut found, mut folders) = (vec![root().join("README.md")], vec![root().join("docs")]);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "md") {
                found.push(path);
            }
        }
    }
    found
}

/// Targets of the links on a page, those to other hosts and within the page left out.
fn links(page: &str) -> Vec<&str> {
    let targets = page.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    targets
        .filter(|target| !target.contains("://") && !target.starts_with('#'))
        .map(|target| target.split('#').next().unwrap_or(target))
        .collect()
}

/// Words in backticks that are paths of this repository.
fn paths(page: &str) -> Vec<&str> {
    let words = page.lines().flat_map(|line| line.split('`').skip(1).step_by(2));
    let begins = |word: &&str| PATHS_BEGIN.iter().any(|begin| word.starts_with(begin));
    let ends = |word: &&str| PATHS_END.iter().any(|end| word.ends_with(end));
    words.filter(begins).filter(ends).filter(|word| !word.contains(' ')).collect()
}

#[test]
fn every_link_and_path_leads_somewhere() {
    // Proves that files which README.md and docs/ point to are there.
    let mut seen = 0;
    for paper in papers() {
        let page = fs::read_to_string(&paper).unwrap();
        let folder = paper.parent().unwrap();
        let targets = links(&page).into_iter().map(|link| folder.join(link));
        for target in targets.chain(paths(&page).into_iter().map(|path| root().join(path))) {
            assert!(target.exists(), "{} points to {}, which is not there", paper.display(), target.display());
            seen += 1;
        }
    }
    assert!(seen > 20, "only {seen} links were found: does the search still work?");
}

/// The `tsunagu …` commands in the shell blocks of a page, word by word.
fn typed(page: &str) -> Vec<Vec<&str>> {
    let blocks = page.split("```sh\n").skip(1).filter_map(|rest| rest.split("```").next());
    let commands = blocks.flat_map(str::lines).filter_map(|line| {
        let rest = line.split_once("cargo run --release -- ").or_else(|| line.split_once("tsunagu "))?.1;
        rest.split(['#', '|', ')', '&', '>']).next()
    });
    commands.map(|command| command.split_whitespace().collect()).collect()
}

#[test]
fn commands_to_be_typed_exist() {
    // Proves that each command in a shell block names a sub-command, and only options that its help knows.
    let mut seen = 0;
    for paper in papers() {
        for words in typed(&fs::read_to_string(&paper).unwrap()) {
            let plain: Vec<&str> = words.iter().copied().take_while(|word| !word.starts_with('-')).collect();
            let text = help(plain.get(..2).unwrap_or(&plain)).or_else(|| help(plain.get(..1)?));
            let text = text.unwrap_or_else(|| panic!("{}: tsunagu {words:?} is no command", paper.display()));
            for option in words.iter().filter(|word| word.starts_with("--")) {
                assert!(text.contains(option), "{}: tsunagu {words:?} has no {option}", paper.display());
            }
            seen += 1;
        }
    }
    assert!(seen > 8, "only {seen} commands were found: does the search still work?");
}

/// Every Rust source below the crates.
fn sources() -> String {
    let crates = ["archive", "benches", "datasets", "ingest", "src", "tests", "transcode", "viewer-api"];
    let mut folders: Vec<PathBuf> = crates.iter().map(|name| root().join(name)).collect();
    let mut text = String::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                text.push_str(&fs::read_to_string(&path).unwrap());
            }
        }
    }
    text
}

/// The cells of each row of those tables on a page whose last column is `test`.
fn requirements(page: &str) -> Vec<Vec<&str>> {
    let mut rows = Vec::new();
    let mut in_table = false;
    for line in page.lines() {
        let cells: Vec<&str> = line.trim().trim_matches('|').split('|').map(str::trim).collect();
        in_table = line.starts_with('|') && (in_table || cells.last() == Some(&"test"));
        if in_table && cells.last() != Some(&"test") && !cells[0].starts_with("--") {
            assert_eq!(cells.len(), 3, "a row has not three cells: {line}");
            rows.push(cells);
        }
    }
    rows
}

#[test]
fn each_requirement_of_the_conformance_statement_has_a_test_that_exists() {
    // Proves that every row of docs/conformance/ names tests, and that each is a function of the sources.
    let sources = sources();
    let mut seen = 0;
    for entry in fs::read_dir(root().join("docs/conformance")).unwrap() {
        let path = entry.unwrap().path();
        let page = fs::read_to_string(&path).unwrap();
        let rows = requirements(&page);
        assert!(!rows.is_empty(), "{} has no table of requirements", path.display());
        for row in rows {
            let words = row[2].split(|c: char| !(c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_' || c == ':'));
            let names: Vec<&str> = words.filter(|word| word.contains('_')).collect();
            assert!(!names.is_empty(), "{}: no test for {:?}", path.display(), row[0]);
            for name in names {
                let function = format!("fn {}(", name.rsplit("::").next().unwrap_or(name));
                assert!(sources.contains(&function), "{}: there is no test {name}", path.display());
                seen += 1;
            }
        }
    }
    assert!(seen > 5, "only {seen} tests are named: does the search still work?");
}

#[test]
fn the_conformance_statement_leads_to_each_of_its_pages() {
    // Proves that no page of docs/conformance/ is left out of docs/conformance.md.
    let statement = fs::read_to_string(root().join("docs/conformance.md")).unwrap();
    let linked = links(&statement);
    for entry in fs::read_dir(root().join("docs/conformance")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let link = format!("conformance/{name}");
        assert!(linked.contains(&link.as_str()), "docs/conformance.md has no link to {link}");
    }
}
