//! The viewer in a real browser: a server child on a generated archive, half of it packed and half as received, driven by
//! tests/browser/smoke.mjs. Skipped where node, Chromium or playwright-core is not installed.

use std::env;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use datasets::Profile;
use serde_json::Value;

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

/// A demonstration of this seed, at small scale, taken in.
pub fn import(data: &Path, files: &Path, seed: u64, more: &[&str]) {
    datasets::write_night(files, Profile::DemoSmall, 0, seed, &mut |_| {}).unwrap();
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

#[test]
fn every_kind_of_study_is_shown_in_a_browser() {
    let (Some(playwright), Some(chromium), true) = (playwright_dir(), chromium(), has_node()) else {
        println!("skipped: node, chromium or playwright-core (PLAYWRIGHT_DIR, or .node/node_modules) is not here");
        return;
    };
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("archive");
    import(&data, &temporary.path().join("packed"), 1, &[]);
    import(&data, &temporary.path().join("as-received"), 2, &["--no-pack"]);
    let issued = tsunagu(&data, &["token", "issue", "browser test", "--role", "reader"]);
    let server = Server::start(&data);
    let mut smoke = Command::new("node");
    smoke.arg(root().join("tests/browser/smoke.mjs")).arg(&server.url).arg(issued.trim());
    smoke.arg(temporary.path().join("screenshots")).env("PLAYWRIGHT_DIR", playwright).env("CHROMIUM", chromium);
    let report = report(&mut smoke);
    assert!(report["checks"].as_object().unwrap().len() > 20, "checks went missing: {report}");
}
