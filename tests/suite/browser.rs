//! The viewer in a real browser: a server child on a generated archive, driven by the scripts of tests/browser. Skipped where node,
//! Chromium or playwright-core is not installed.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::{Mutex, MutexGuard, PoisonError};

use datasets::Profile;
use serde_json::Value;

use crate::outside::installed;

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The folder npm put playwright-core under: `PLAYWRIGHT_DIR`, or `.node` here.
pub fn playwright_dir() -> Option<PathBuf> {
    let named = env::var_os("PLAYWRIGHT_DIR").map(PathBuf::from);
    let dir = named.unwrap_or_else(|| root().join(".node"));
    dir.join("node_modules/playwright-core/package.json").is_file().then_some(dir)
}

pub fn chromium() -> Option<PathBuf> {
    let path = env::var_os("CHROMIUM").map_or_else(|| PathBuf::from("/usr/bin/chromium"), PathBuf::from);
    path.is_file().then_some(path)
}

pub fn has_node() -> bool {
    Command::new("node").arg("--version").output().is_ok_and(|out| out.status.success())
}

/// Runs a sub-command to its end and answers what it printed.
pub fn tsunagu(data: &Path, args: &[&str]) -> String {
    let out = Command::new(env!("CARGO_BIN_EXE_tsunagu")).arg("--data").arg(data).args(args).output().unwrap();
    assert!(out.status.success(), "tsunagu {args:?}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8(out.stdout).unwrap()
}

/// Generated studies of this seed, taken in.
pub fn import(data: &Path, files: &Path, (profile, studies, seed): (Profile, usize, u64), more: &[&str]) {
    datasets::write_night(files, profile, studies, seed, &mut |_| {}).unwrap();
    std::fs::remove_file(files.join("manifest.json")).unwrap();
    tsunagu(data, &[&["import", files.to_str().unwrap()], more].concat());
}

/// A running server, which ends with this.
pub struct Server {
    child: Child,
    /// Where it is.
    pub url: String,
    /// Held open: the server says more than its first line.
    _stdout: BufReader<ChildStdout>,
}

impl Server {
    pub fn start(data: &Path) -> Server {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagu"));
        command.arg("--data").arg(data).args(["serve", "--no-pack", "--listen", "127.0.0.1:0"]);
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        let lines = stdout.by_ref().lines().map_while(Result::ok);
        let url = lines.filter_map(|line| Some(line.strip_prefix("Viewer")?.trim().to_owned())).next();
        let url = url.expect("the server says where the viewer is").trim_end_matches('/').to_owned();
        Server { child, url, _stdout: stdout }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a script whose last line is a report, and answers it: every check must have passed.
pub fn report(script: &mut Command) -> Value {
    let out = script.output().unwrap();
    let said = String::from_utf8_lossy(&out.stdout);
    let report: Value = serde_json::from_str(said.lines().last().unwrap_or_default())
        .unwrap_or_else(|e| panic!("{e}: {said}{}", String::from_utf8_lossy(&out.stderr)));
    let failed: Vec<_> = report["checks"].as_object().unwrap().iter().filter(|(_, result)| **result != true).collect();
    assert!(failed.is_empty() && out.status.success(), "{failed:#?}");
    report
}

/// What a run in a browser needs, one at a time: these tests watch clocks, and two browsers on two cores would each see the other.
struct Browser {
    playwright: PathBuf,
    chromium: PathBuf,
    temporary: tempfile::TempDir,
    _turn: MutexGuard<'static, ()>,
}

impl Browser {
    /// `None`, and a word about it, where something is not installed.
    fn here() -> Option<Browser> {
        static TURN: Mutex<()> = Mutex::new(());
        let (Some(playwright), Some(chromium), true) = (playwright_dir(), chromium(), has_node()) else {
            println!("skipped: node, chromium or playwright-core (PLAYWRIGHT_DIR, or .node/node_modules) is not here");
            return None;
        };
        let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        Some(Browser { playwright, chromium, temporary: tempfile::tempdir().unwrap(), _turn: turn })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.temporary.path().join(name)
    }

    /// The archive, with these generated studies taken in.
    fn archive(&self, profile: Profile, studies: usize, seed: u64, more: &[&str]) -> PathBuf {
        let (data, files) = (self.path("archive"), self.path("files"));
        import(&data, &files, (profile, studies, seed), more);
        std::fs::remove_dir_all(files).unwrap();
        data
    }

    /// Runs `tests/browser/SCRIPT.mjs SERVER TOKEN OUT MORE…`; every check of its report must have passed.
    fn run(&self, script: &str, server: &Server, token: &str, more: &[&str]) -> Value {
        let mut node = Command::new("node");
        node.arg(root().join(format!("tests/browser/{script}.mjs"))).arg(&server.url).arg(token);
        node.arg(self.path(&format!("seen-{script}"))).args(more);
        node.env("TSUNAGU_PYTHON", crate::outside::python_path());
        report(node.env("PLAYWRIGHT_DIR", &self.playwright).env("CHROMIUM", &self.chromium))
    }
}

fn token(data: &Path, more: &[&str]) -> String {
    tsunagu(data, &[&["token", "issue", "browser test"], more].concat()).trim().to_owned()
}

#[test]
fn every_kind_of_study_is_shown_in_a_browser() {
    let Some(browser) = Browser::here() else { return };
    let data = browser.archive(Profile::DemoSmall, 0, 1, &[]);
    browser.archive(Profile::DemoSmall, 0, 2, &["--no-pack"]);
    let reader = token(&data, &["--role", "reader"]);
    let server = Server::start(&data);
    let report = browser.run("smoke", &server, &reader, &[]);
    assert!(report["checks"].as_object().unwrap().len() > 20, "checks went missing: {report}");
    for script in ["pixels", "list", "everybody"] {
        browser.run(script, &server, &reader, &[]);
    }
}

#[test]
fn a_reader_hangs_measures_and_saves_in_a_browser() {
    let Some(browser) = Browser::here() else { return };
    let data = browser.archive(Profile::Demo, 0, 1, &[]);
    let reader = token(&data, &["--role", "reader"]);
    let server = Server::start(&data);
    for script in ["room", "tools"] {
        browser.run(script, &server, &reader, &[]);
    }
}

#[test]
fn ecgs_are_drawn_to_half_a_pixel_and_read_by_keyboard_without_losing_a_verdict() {
    let Some(browser) = Browser::here() else { return };
    let data = browser.archive(Profile::School, 40, 1, &[]);
    let admin = token(&data, &["--role", "admin"]);
    let server = Server::start(&data);
    browser.run("ecg", &server, &admin, &[]);
    // How fast is a matter of the machine's other work, and of a bench.
    browser.run("reading", &server, &admin, &["--real", "--count", "24", "--key-ms", "1000"]);
}

#[test]
fn folders_and_zips_are_sent_from_a_browser_and_the_receipt_is_the_command_lines() {
    let Some(browser) = Browser::here() else { return };
    if !installed("zip") {
        println!("skipped: zip is not here");
        return;
    }
    let (data, files) = (browser.archive(Profile::DemoSmall, 0, 1, &[]), browser.path("to-send"));
    datasets::write_night(&files, Profile::NightSmall, 3, 7, &mut |_| {}).unwrap();
    let uploader = token(&data, &["--role", "admin"]);
    let server = Server::start(&data);
    let more = [files.to_str().unwrap(), env!("CARGO_BIN_EXE_tsunagu"), data.to_str().unwrap()];
    browser.run("upload", &server, &uploader, &more);
}

/// The logic of the page, without a browser.
#[test]
fn the_logic_of_the_page_passes_its_own_tests() {
    if !has_node() {
        println!("skipped: node is not here");
        return;
    }
    let out = Command::new("node").arg("--test").arg(root().join("viewer-api/web/tests")).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stdout));
}
