//! MFER through the whole program: taken in, packed, verified, rebuilt, given back byte for byte, and equal to what a reader
//! that is not ours makes of it.

use std::path::Path;

use crate::outside::{path_str, script};
use crate::program::{files_below, run_clean, verify};

const CENTRE: &str = "school-centre";

fn exported(data: &Path, to: &Path, arguments: &[&str]) -> Vec<(String, Vec<u8>)> {
    let mut all = vec!["export", path_str(to)];
    all.extend_from_slice(arguments);
    run_clean(data, &all);
    let mut found: Vec<_> = files_below(to)
        .into_iter()
        .filter(|path| {
            path.extension().is_some_and(|extension| extension == if arguments.is_empty() { "dcm" } else { "mwf" })
        })
        .map(|path| (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap()))
        .collect();
    found.sort();
    found
}

/// What is given back is what was sent, from intake, from packs, and with an index made anew; what is shown has the samples
/// that ecgdatakit reads.
#[test]
fn mfer_files_come_back_and_are_shown_as_waveforms() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sent = work.path().join("sent");
    std::fs::create_dir(&sent).unwrap();
    let mut files = Vec::new();
    for (index, child) in datasets::school(30, 3).enumerate() {
        for file in child.files.into_iter().filter(|file| file.path.ends_with(".mwf")) {
            let name = format!("{index:03}-{}", file.path.rsplit('/').next().unwrap());
            std::fs::write(sent.join(&name), &file.bytes).unwrap();
            files.push((name, file.bytes));
        }
    }
    let shared = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets/ecg-mfer");
    for path in if shared.is_dir() { files_below(&shared) } else { Vec::new() } {
        let (name, bytes) = (path.file_name().unwrap().to_string_lossy().into_owned(), std::fs::read(&path).unwrap());
        std::fs::write(sent.join(&name), &bytes).unwrap();
        files.push((name, bytes));
    }
    files.sort();
    assert!(files.len() > 8);

    let said = run_clean(dir.path(), &["import", "--centre", CENTRE, "--no-pack", path_str(&sent)]);
    assert_eq!(said.json["stored"], files.len());
    let again = run_clean(dir.path(), &["import", "--centre", CENTRE, "--no-pack", path_str(&sent)]);
    assert_eq!(again.json["already_held"], files.len());
    verify(dir.path());
    assert!(exported(dir.path(), &work.path().join("intake"), &["--original"]) == files);

    run_clean(dir.path(), &["pack"]);
    verify(dir.path());
    assert!(exported(dir.path(), &work.path().join("packed"), &["--original"]) == files);
    std::fs::remove_file(dir.path().join("index.sqlite")).unwrap();
    run_clean(dir.path(), &["rebuild"]);
    verify(dir.path());
    assert!(exported(dir.path(), &work.path().join("rebuilt"), &["--original"]) == files);

    let pairs = work.path().join("pairs");
    std::fs::create_dir(&pairs).unwrap();
    for (name, bytes) in exported(dir.path(), &work.path().join("held"), &[]) {
        assert_eq!(bytes.get(128..132), Some(&b"DICM"[..]), "{name} is held as DICOM");
        std::fs::write(pairs.join(name.replace(".mwf", "")), bytes).unwrap();
    }
    for (name, bytes) in &files {
        std::fs::write(pairs.join(name), bytes).unwrap();
    }
    script("mfer.py", &[path_str(&pairs)]);
}
