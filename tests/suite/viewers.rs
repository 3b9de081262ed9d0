//! Other people's viewers in a real browser, unchanged: OHIF as npm has it, and a page on Cornerstone3D in its progressive modes.
//!
//! Skipped where node, Chromium or the packages are not installed; `.ci/outside-tools` installs them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Mutex, PoisonError};

use datasets::{Kind, Profile, Scale, Study};
use serde_json::Value;

use crate::browser::{Server, chromium, has_node, import, playwright_dir, report, root, tsunagu};

/// OHIF's version, as the folder that `.ci/outside-tools` unpacks it to is named.
const OHIF: &str = "ohif-3.13.2/package/dist";

/// WebGL in software takes every core there is: one browser after the other.
static ONE_BROWSER: Mutex<()> = Mutex::new(());

/// The npm folder, if all of `packages` are in it and there is a browser.
fn packages(packages: &[&str]) -> Option<PathBuf> {
    let missing = |dir: &Path| packages.iter().find(|name| !dir.join(name).exists()).map(|name| (*name).to_owned());
    let found = playwright_dir().filter(|_| has_node() && chromium().is_some());
    let why = match &found {
        None => Some("node, chromium or playwright-core".to_owned()),
        Some(dir) => missing(dir),
    };
    if let Some(why) = why {
        println!("skipped: {why} is not installed");
        return None;
    }
    found
}

/// A demonstration, and beside it a CT and two mammograms of real size: small ones would be there at once.
fn archive(data: &Path, files: &Path) {
    for (kind, index, files_max) in [(Kind::ChestCt, 71, 24), (Kind::Mammography, 72, 2)] {
        let study = Study::new(kind, 900 + kind as u64, Scale::Full, index);
        for file in study.files().take(files_max) {
            let path = files.join("full").join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, &file.bytes).unwrap();
        }
    }
    tsunagu(data, &["import", files.join("full").to_str().unwrap()]);
    import(data, &files.join("small"), (Profile::DemoSmall, 0, 1), &[]);
}

/// Runs a script of tests/browser against such an archive; its screenshots stay in `TSUNAGU_SCREENSHOTS` if that is set.
fn run(script: &str, node: &Path, arguments: &[&Path]) -> Value {
    let _alone = ONE_BROWSER.lock().unwrap_or_else(PoisonError::into_inner);
    let temporary = tempfile::tempdir().unwrap();
    let data = temporary.path().join("archive");
    archive(&data, temporary.path());
    let issued = tsunagu(&data, &["token", "issue", "viewer test", "--role", "reader"]);
    let server = Server::start(&data);
    let shots = std::env::var_os("TSUNAGU_SCREENSHOTS").map_or_else(|| temporary.path().to_owned(), PathBuf::from);
    let mut command = Command::new("node");
    command.arg(root().join("tests/browser").join(script)).arg(&server.url).arg(issued.trim()).args(arguments);
    command.arg(shots.join(script)).env("PLAYWRIGHT_DIR", node).env("CHROMIUM", chromium().unwrap());
    let report = report(&mut command);
    println!("{script}: {} {}", report["milliseconds"], report["figures"]);
    report
}

#[test]
fn ohif_lists_searches_and_opens_studies_with_nothing_changed_but_its_configuration() {
    let Some(node) = packages(&[OHIF]) else { return };
    let report = run("ohif.mjs", &node, &[&node.join(OHIF)]);
    assert!(report["checks"].as_object().unwrap().len() > 8, "checks went missing: {report}");
}

#[test]
fn cornerstone3d_shows_frames_before_they_are_whole_in_both_progressive_modes() {
    let Some(node) = packages(&["node_modules/@cornerstonejs/core", "node_modules/esbuild"]) else { return };
    let report = run("cornerstone.mjs", &node, &[]);
    assert!(report["checks"].as_object().unwrap().len() > 7, "checks went missing: {report}");
}
