//! Tools that know nothing of this program: unzip, pydicom, DCMTK, dicomweb-client, Schemathesis, Delta Lake readers, and a
//! judge of the DICOMweb services written from the text of PS3.18.
//!
//! Proves: a pack opens with them and its samples are those of the files sent; they store, search and fetch; what the services
//! answer is what the standard asks for; the catalogue has the rows it should have. What is not installed is named as skipped;
//! `.ci/run` installs all of it.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use datasets::{File, Kind, Profile, Scale, Study};
use transcode::data_set::{Tag, VR};
use transcode::text_report::{Code, Evidence, Report};

use crate::client::{Dicomweb, text};
use crate::program::{Server, files_below, free_port, run_clean, token, verify};

const CENTRE: &str = "outside-centre";

/// TSUNAGU_PYTHON, the virtual environment that `.ci/run` makes, or whatever python3 is.
pub fn python_path() -> OsString {
    let venv = Path::new(env!("CARGO_MANIFEST_DIR")).join(".venv/bin/python");
    let fallback = || if venv.exists() { venv.into_os_string() } else { "python3".into() };
    std::env::var_os("TSUNAGU_PYTHON").unwrap_or_else(fallback)
}

fn python() -> Command {
    let mut command = Command::new(python_path());
    // Nothing is to be left in the tree.
    command.env("PYTHONDONTWRITEBYTECODE", "1");
    command
}

/// Runs one of the scripts in tests/outside; `false` when what it needs is not installed.
pub fn script(name: &str, arguments: &[&str]) -> bool {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/outside").join(name);
    let Ok(output) = python().arg(path).args(arguments).stdin(Stdio::null()).output() else {
        println!("skipped: there is no Python to run {name}");
        return false;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("{name}: {}", said.trim());
    match output.status.code() {
        Some(0) => true,
        Some(3) => false,
        _ => panic!("{name}: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
}

/// Whether a tool is installed; says so where it is not.
pub fn installed(tool: &str) -> bool {
    let found = Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok();
    if !found {
        println!("skipped: {tool} is not installed");
    }
    found
}

/// Runs a tool that has to succeed.
pub fn tool(name: &str, arguments: &[&str]) {
    let output = Command::new(name).args(arguments).output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{name} {arguments:?} ended with {}:\n{said}", output.status);
}

/// The first files of one small study of each kind.
pub fn small_studies(kinds: &[Kind], files_max: usize) -> Vec<File> {
    let study = |(kind, index): (&Kind, usize)| Study::new(*kind, 40 + *kind as u64, Scale::Small, index);
    let studies = kinds.iter().zip(1..).map(study);
    studies.flat_map(|study| study.files().take(files_max).collect::<Vec<_>>()).collect()
}

pub fn write(dir: &Path, files: &[File]) {
    for file in files {
        let path = dir.join(&file.path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, &file.bytes).unwrap();
    }
}

pub fn path_str(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn unzip_and_pydicom_open_packs_and_delta_readers_the_catalogue() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let sent = work.path().join("sent");
    let files = small_studies(&Kind::ALL, 6);
    write(&sent, &files);
    let said = run_clean(dir.path(), &["import", "--centre", CENTRE, path_str(&sent)]);
    assert_eq!(said.json["stored"], files.len());

    let catalogue = dir.path().join("objects/catalogue");
    let (instances, studies) = (files.len().to_string(), Kind::ALL.len().to_string());
    script("catalogue.py", &[path_str(&catalogue), "--instances", &instances, "--studies", &studies]);

    if !installed("unzip") {
        return;
    }
    let (originals, unzipped) = (work.path().join("originals"), work.path().join("unzipped"));
    std::fs::create_dir(&originals).unwrap();
    std::fs::create_dir(&unzipped).unwrap();
    for file in &files {
        std::fs::write(originals.join(format!("{}.dcm", file.sop_instance_uid)), &file.bytes).unwrap();
    }
    let packs = files_below(&dir.path().join("objects/packs"));
    assert_eq!(packs.len(), Kind::ALL.len());
    for pack in &packs {
        tool("unzip", &["-q", "-t", path_str(pack)]);
        let into: PathBuf = unzipped.join(pack.file_stem().unwrap());
        tool("unzip", &["-q", "-d", path_str(&into), path_str(pack)]);
    }
    let entries = files_below(&unzipped).into_iter().filter(|path| path.extension().is_some_and(|e| e == "dcm"));
    assert!(entries.count() > files.len() / 2);
    script("packs.py", &[path_str(&unzipped), path_str(&originals)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn storescu_stores_what_is_found_afterwards() {
    if !installed("storescu") || !installed("echoscu") {
        return;
    }
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let admin = token(dir.path(), "admin", CENTRE);
    let files = small_studies(&Kind::ALL, 8);
    // storescu proposes one family of transfer syntaxes a run.
    let families = [("1.2.840.10008.1.2.4.50", "-xy"), ("1.2.840.10008.1.2.4.70", "-xs"), ("", "-x=")];
    let mut folders: BTreeMap<&str, Vec<File>> = BTreeMap::new();
    for file in &files {
        let meta = &file.bytes[..file.bytes.len().min(600)];
        let is = |uid: &str| uid.is_empty() || meta.windows(uid.len()).any(|bytes| bytes == uid.as_bytes());
        let (_, proposes) = families.iter().find(|(uid, _)| is(uid)).unwrap();
        folders.entry(proposes).or_default().push(file.clone());
    }
    assert_eq!(folders.len(), families.len());
    let port = free_port().to_string();
    let listen = format!("127.0.0.1:{port}");
    let server = Server::start(dir.path(), &["--dimse", &listen, "--any-peer", CENTRE, "--no-pack"]);

    tool("echoscu", &["-aec", "TSUNAGU", "127.0.0.1", &port]);
    let send = || {
        for (proposes, files) in &folders {
            let folder = work.path().join(proposes);
            write(&folder, files);
            tool("storescu", &["-aec", "TSUNAGU", "+sd", "+r", "-R", proposes, "127.0.0.1", &port, path_str(&folder)]);
        }
    };
    send();
    let client = Dicomweb::new(&server.url, &admin);
    let found: BTreeSet<String> = client.instances().await.iter().map(|path| last(path)).collect();
    let sent: BTreeSet<String> = files.iter().map(|file| file.sop_instance_uid.clone()).collect();
    assert_eq!(found, sent);
    for study in client.search("studies").await {
        assert!(!text(&study, "00100020").is_empty());
    }
    // Sent again, nothing is added.
    send();
    assert_eq!(client.instances().await.len(), files.len());
    server.kill();
    run_clean(dir.path(), &["pack"]);
    assert_eq!(verify(dir.path())["instances"], files.len());
    println!("storescu: {} instances stored and found", files.len());
}

fn last(path: &str) -> String {
    path.rsplit('/').next().unwrap_or_default().to_owned()
}

#[test]
fn dicomweb_client_stores_searches_and_fetches_before_and_after_packing() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let admin = token(dir.path(), "admin", CENTRE);
    let kinds = [
        Kind::Chest,
        Kind::Mammography,
        Kind::ChestCt,
        Kind::BrainMr,
        Kind::AbdominalUltrasound,
        Kind::Endoscopy,
        Kind::CineUltrasound,
        Kind::Tomosynthesis,
    ];
    let files = small_studies(&kinds, 4);
    write(work.path(), &files);
    let server = Server::start(dir.path(), &["--no-pack"]);
    if !script("dicomweb.py", &[&server.url, &admin, path_str(work.path())]) {
        return;
    }
    server.kill();
    run_clean(dir.path(), &["pack"]);
    let verified = verify(dir.path());
    assert_eq!(verified["instances"], files.len());
    assert!(verified["rebuilt"].as_u64().is_some_and(|rebuilt| rebuilt > 5), "{verified}");
    let server = Server::start(dir.path(), &["--no-pack"]);
    assert!(script("dicomweb.py", &[&server.url, &admin, path_str(work.path()), "--stored"]));
}

/// Proves that dicom3tools finds nothing against the IOD of a reader's report, and that DCMTK reads it as a document.
#[test]
fn a_report_of_a_reading_is_judged_by_those_who_read_reports() {
    // What a study does not say is there, and empty, as the page's server writes it.
    let mut study = vec![
        (Tag(0x0008, 0x0020), VR::DA, "20270401".to_owned()),
        (Tag(0x0010, 0x0010), VR::PN, "Yamada^Tarou=山田^太郎".to_owned()),
        (Tag(0x0010, 0x0020), VR::LO, "CHILD-1".to_owned()),
    ];
    let unsaid = [
        (0x0008, 0x0030, VR::TM),
        (0x0008, 0x0050, VR::SH),
        (0x0008, 0x0090, VR::PN),
        (0x0010, 0x0030, VR::DA),
        (0x0010, 0x0040, VR::CS),
        (0x0020, 0x0010, VR::SH),
    ];
    study.extend(unsaid.map(|(group, element, vr)| (Tag(group, element), vr, String::new())));
    let report = Report {
        key: "outside".into(),
        study,
        study_instance_uid: "2.25.1".into(),
        timezone: "+0900".into(),
        content: ("20270401".into(), "101112".into()),
        manufacturer: "Tsunagu".into(),
        is_ecg: true,
        observers: vec!["sato^hanako".into(), "suzuki^ichiro".into()],
        findings: vec![Code::local("T-NEG", "陰性T波")],
        conclusion: Code::local("refer", "要受診"),
        urgent: Some(Code::local("urgent", "緊急")),
        text: "V1–V3\nの陰性T波".into(),
        evidence: Evidence {
            series_instance_uid: "2.25.2".into(),
            sop_class_uid: "1.2.840.10008.5.1.4.1.1.9.1.1".into(),
            sop_instance_uid: "2.25.3".into(),
            is_image: false,
        },
    };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("report.dcm");
    std::fs::write(&file, report.part10()).unwrap();
    if installed("dciodvfy") {
        let said = Command::new("dciodvfy").arg(&file).output().unwrap().stderr;
        let said = String::from_utf8_lossy(&said);
        assert!(said.contains("BasicTextSR") && !said.contains("Error"), "{said}");
    }
    if installed("dsrdump") {
        let read = Command::new("dsrdump").arg("--print-all-codes").arg(&file).output().unwrap();
        let (read, said) = (String::from_utf8_lossy(&read.stdout), String::from_utf8_lossy(&read.stderr));
        assert!(read.contains("要受診") && read.contains("緊急") && !said.contains("E:"), "{read}{said}");
    }
}

/// A demonstration of generated files in a folder.
fn demonstration(dir: &Path, seed: u64) {
    datasets::write_night(dir, Profile::DemoSmall, 0, seed, &mut |_| {}).unwrap();
    std::fs::remove_file(dir.join("manifest.json")).unwrap();
}

/// The judge against a server that holds a demonstration, taken in with `more` arguments.
fn judged(more: &[&str]) {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = path_str(work.path());
    demonstration(work.path(), 1);
    if !script("ps318", &["enrich", files]) {
        return;
    }
    run_clean(dir.path(), &[&["import", "--centre", CENTRE], more, &[files]].concat());
    let admin = token(dir.path(), "admin", CENTRE);
    let server = Server::start(dir.path(), &["--no-pack"]);
    assert!(script("ps318", &[&server.url, &admin, files]));
    server.kill();
    verify(dir.path());
}

#[test]
fn the_dicomweb_services_are_judged_by_the_text_of_the_standard_with_files_as_received() {
    judged(&["--no-pack"]);
}

#[test]
fn the_dicomweb_services_are_judged_by_the_text_of_the_standard_with_files_packed() {
    judged(&[]);
}

#[test]
fn schemathesis_finds_nothing_wrong_with_the_openapi_description() {
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    demonstration(work.path(), 3);
    run_clean(dir.path(), &["import", "--centre", CENTRE, path_str(work.path())]);
    let admin = token(dir.path(), "admin", CENTRE);
    let server = Server::start(dir.path(), &["--no-pack"]);
    script("openapi.py", &[server.url.trim_end_matches("/dicom-web"), &admin]);
    server.kill();
    verify(dir.path());
}
