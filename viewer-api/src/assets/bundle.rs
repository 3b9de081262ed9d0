//! Several modules as one: what the first picture needs is fifty modules, and a browser that asks for them one by one over
//! six connections spends ten round trips on it (docs/decisions/0012-modules-in-one.md). The files stay as they are written;
//! only what is sent is put together.
//!
//! Each module becomes a function that is called once and answers its exports, in the order in which a browser would have
//! run them. Whoever loads one of them later gets a module that passes those same exports on, so that none runs twice.

use std::collections::BTreeMap;
use std::fmt::Write;

use super::imports::{Import, exports, imports, joined};

/// Modules put together.
#[derive(Debug)]
pub(super) struct Bundle {
    /// What stands at the entry's path.
    pub(super) text: String,
    /// What stands at the paths of all others.
    pub(super) others: BTreeMap<String, String>,
}

/// `entry`, what is in `first`, and all that they import, as one module at the path of `entry`. `None` where a module is
/// written in a form that is not known, imports itself by a detour, or is not there.
pub(super) fn bundle<'a>(entry: &'a str, first: &[&'a str], read: impl Fn(&str) -> Option<&'a str>) -> Option<Bundle> {
    let mut order = Vec::new();
    for path in first.iter().chain([&entry]) {
        visit(path, &read, &mut order, &mut Vec::new())?;
    }
    let number = |path: &str| order.iter().position(|one| one == path);
    let root = "../".repeat(entry.matches('/').count());
    let root = if root.is_empty() { "./" } else { &root };
    let (mut text, mut others) = (String::new(), BTreeMap::new());
    for (at, path) in order.iter().enumerate() {
        let module = Module { path, text: read(path)?, root };
        let exported = exports(module.text)?;
        let names: Vec<&str> = exported.iter().map(|(_, name)| *name).collect();
        let names = names.join(", ");
        writeln!(text, "const ${at} = (() => {{\n{}\nreturn {{ {names} }};\n}})();", module.body(&number)?).ok()?;
        if path != entry {
            let up = "../".repeat(path.matches('/').count());
            let to = if up.is_empty() { "./" } else { &up };
            let passed_on = format!("import {{ ${at} }} from \"{to}{entry}\";\nexport const {{ {names} }} = ${at};\n");
            others.insert(path.clone(), passed_on);
        }
    }
    let all: Vec<_> = (0..order.len()).map(|at| format!("${at}")).collect();
    writeln!(text, "export {{ {} }};", all.join(", ")).ok()?;
    Some(Bundle { text, others })
}

// What a module imports runs before it.
fn visit<'a>(
    path: &str,
    read: &impl Fn(&str) -> Option<&'a str>,
    order: &mut Vec<String>,
    above: &mut Vec<String>,
) -> Option<()> {
    if order.iter().any(|one| one == path) {
        return Some(());
    }
    if above.iter().any(|one| one == path) {
        return None;
    }
    above.push(path.to_owned());
    for import in imports(read(path)?)? {
        visit(&joined(path, import.path)?, read, order, above)?;
    }
    above.pop();
    order.push(path.to_owned());
    Some(())
}

struct Module<'a> {
    path: &'a str,
    text: &'a str,
    /// From the entry's folder to that of all files.
    root: &'a str,
}

impl Module<'_> {
    // Its text as the body of a function.
    fn body(&self, number: &impl Fn(&str) -> Option<usize>) -> Option<String> {
        let mut body = String::with_capacity(self.text.len());
        let mut done = 0;
        let mut cuts: Vec<_> = exports(self.text)?.into_iter().map(|(at, _)| (at, String::new())).collect();
        for import in imports(self.text)? {
            let from = number(&joined(self.path, import.path)?)?;
            cuts.push((import.at.clone(), taken(&import, from)));
        }
        cuts.sort_by_key(|(at, _)| at.start);
        for (at, instead) in cuts {
            body.push_str(&self.text[done..at.start]);
            body.push_str(&instead);
            done = at.end;
        }
        body.push_str(&self.text[done..]);
        let own = format!("new URL(\"{}{}\", import.meta.url)", self.root, self.path);
        self.later(&body.replace("import.meta.url", &own), number)
    }

    // `import()`: of what is here already, and of what is elsewhere.
    fn later(&self, body: &str, number: &impl Fn(&str) -> Option<usize>) -> Option<String> {
        let mut parts = body.split("import(\"");
        let mut out = parts.next()?.to_owned();
        for part in parts {
            let (path, rest) = part.split_once("\")")?;
            let path = joined(self.path, path)?;
            match number(&path) {
                Some(at) => write!(out, "Promise.resolve(${at}){rest}").ok()?,
                None => write!(out, "import(\"{}{path}\"){rest}", self.root).ok()?,
            }
        }
        Some(out)
    }
}

// `{ a, b as c }` is `const { a, b: c }`.
fn taken(import: &Import<'_>, from: usize) -> String {
    match import.what.strip_prefix("* as ") {
        Some(name) => format!("const {name} = ${from};"),
        None if import.what.is_empty() => String::new(),
        None => format!("const {} = ${from};", import.what.replace(" as ", ": ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str) -> Option<&'static str> {
        match path {
            "main.js" => Some(
                "import { one as two } from \"./in/a.js\";\nexport const three = import(\"./in/b.js\");\nimport(\"./late.js\");\n",
            ),
            "in/a.js" => Some("import * as b from \"./b.js\";\nexport function one() { return b; }\n"),
            "in/b.js" => Some("export const url = new URL(\"./b.css\", import.meta.url);\nimport(\"../late.js\");\n"),
            "round.js" => Some("import \"./about.js\";\n"),
            "about.js" => Some("import \"./round.js\";\n"),
            _ => None,
        }
    }

    #[test]
    fn each_module_runs_once_after_what_it_imports_and_passes_on_what_it_exports() {
        let bundle = bundle("main.js", &[], read).unwrap();
        let expected = "const $0 = (() => {\nconst url = new URL(\"./b.css\", new URL(\"./in/b.js\", import.meta.url));\nimport(\"./late.js\");\n\nreturn { url };\n})();\n\
            const $1 = (() => {\nconst b = $0;\nfunction one() { return b; }\n\nreturn { one };\n})();\n\
            const $2 = (() => {\nconst { one: two } = $1;\nconst three = Promise.resolve($0);\nimport(\"./late.js\");\n\nreturn { three };\n})();\n\
            export { $0, $1, $2 };\n";
        assert_eq!(bundle.text, expected);
        let passed_on = "import { $1 } from \"../main.js\";\nexport const { one } = $1;\n";
        assert_eq!(bundle.others["in/a.js"], passed_on);
        assert_eq!(bundle.others.len(), 2);
    }

    #[test]
    fn what_is_below_the_root_finds_its_way_up() {
        let bundle = bundle("in/a.js", &[], read).unwrap();
        assert!(bundle.text.contains("new URL(\"../in/b.js\", import.meta.url)"), "{}", bundle.text);
        assert!(bundle.text.contains("import(\"../late.js\")"), "{}", bundle.text);
    }

    #[test]
    fn circles_and_what_is_not_there_are_not_put_together() {
        assert!(bundle("round.js", &[], read).is_none());
        assert!(bundle("none.js", &[], read).is_none());
    }
}
