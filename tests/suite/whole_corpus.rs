//! All the real files, and a generated night, through the program: in, packed, out, and the archive made anew.
//!
//! Proves: every file is stored or quarantined with a reason and the receipt closes; memory stays bounded, the deflate
//! bomb, the nested sequences and the mutants included; every stored file comes out byte for byte; native pixels are
//! packed and rebuilt at the promised rate; and without index and catalogue, `rebuild` gives every search and every
//! catalogue row again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use archive::Reader;
use archive::catalogue::{Catalogue, Rows};
use serde_json::Value;

use crate::client::{Dicomweb, text};
use crate::program::{Said, Server, files_below, real_files, run, run_clean, sha256, token, verify};

const RSS_BYTES_MAX: u64 = 600_000_000;
const CENTRE: &str = "corpus-centre";

fn count(value: &Value, key: &str) -> u64 {
    value[key].as_u64().unwrap_or_else(|| panic!("{key} is missing in {value}"))
}

/// Imports, and checks that the receipt closes over every file that is there.
fn import(data: &Path, files: &Path) -> Said {
    let said = run_clean(data, &["import", "--centre", CENTRE, "--batch", "corpus", files.to_str().unwrap()]);
    let receipt = &said.json;
    let quarantined = receipt["quarantined"].as_array().unwrap();
    let [sent, stored, already_held] = ["sent", "stored", "already_held"].map(|key| count(receipt, key));
    println!(
        "sent {sent} = stored {stored} + already held {already_held} + quarantined {}, peak {} MB",
        quarantined.len(),
        said.rss_bytes_max / 1_000_000
    );
    assert_eq!(sent, stored + already_held + quarantined.len() as u64, "the receipt does not close");
    assert!(sent >= files_below(files).len() as u64, "files are missing on the receipt");
    assert_eq!(receipt["failed"], serde_json::json!([]));
    for one in quarantined {
        let said = |key: &str| one[key].as_str().is_some_and(|text| !text.is_empty());
        assert!(said("file") && said("reason") && said("next_step"), "{one}");
    }
    assert!(said.rss_bytes_max < RSS_BYTES_MAX, "the import held {} bytes at once", said.rss_bytes_max);
    said
}

/// Exports every received file and compares it with the one that was sent. Answers bytes received by modality beside
/// their bytes under zstd.
fn export_and_compare(data: &Path, sent: &Path, stored: u64) {
    let to = tempfile::tempdir().unwrap();
    let said = run_clean(data, &["export", "--original", to.path().to_str().unwrap()]);
    assert_eq!((count(&said.json, "files"), &said.json["different"]), (stored, &serde_json::json!([])));
    assert!(said.rss_bytes_max < RSS_BYTES_MAX, "the export held {} bytes at once", said.rss_bytes_max);
    let (root, mut compared) = (sent.parent().unwrap(), 0);
    for path in files_below(to.path()) {
        // NUMBER/CENTRE/NAME, and names begin with the folder sent.
        let name: PathBuf = path.strip_prefix(to.path()).unwrap().components().skip(2).collect();
        let exported = std::fs::read(&path).unwrap();
        match std::fs::read(root.join(&name)) {
            Ok(original) => {
                assert!(sha256(&original) == sha256(&exported), "{} came out changed", name.display());
                compared += 1;
            }
            Err(_) => assert!(name.to_string_lossy().contains(".zip/"), "{} was not sent", name.display()),
        }
    }
    println!("{compared} files came out byte for byte");
    assert!(compared * 10 >= stored * 9);
}

/// Prints what is held by modality beside zstd of the same files, and answers the per cent of native files rebuilt.
async fn print_table(data: &Path, packed: &Value) -> f64 {
    let mut zstd: BTreeMap<String, usize> = BTreeMap::new();
    let reader = Reader::open(data).unwrap();
    for held in reader.walk(0, 100_000).await.unwrap() {
        let modality = Some(&held.record.description.series.modality).filter(|modality| !modality.is_empty());
        let received = ingest::received_bytes(&reader, &held).await.unwrap();
        let bytes = archive::compress(&received).unwrap().len();
        *zstd.entry(modality.map_or("-", String::as_str).to_owned()).or_default() += bytes;
    }
    let (mut rebuilt, mut kept) = (0_u64, 0_u64);
    println!("modality  rebuilt  native kept  kept as sent  held/received  zstd/received");
    for (modality, counts) in packed["modalities"].as_object().unwrap() {
        let [native, exceptions, others] =
            ["rebuilt", "native_as_received", "as_received"].map(|key| count(counts, key));
        (rebuilt, kept) = (rebuilt + native, kept + exceptions);
        let received = count(counts, "received_bytes") as f64;
        let (held, zstd) = (count(counts, "held_bytes") as f64 / received, zstd[modality] as f64 / received);
        println!("{modality:8} {native:8} {exceptions:12} {others:13} {held:14.3} {zstd:14.3}");
    }
    for exception in packed["exceptions"].as_array().unwrap() {
        println!("kept as received: {} ({}): {}", exception["file"], exception["modality"], exception["reason"]);
        assert!(exception["reason"].as_str().is_some_and(|reason| !reason.is_empty()));
    }
    let share = rebuilt as f64 * 100.0 / (rebuilt + kept).max(1) as f64;
    println!("{rebuilt} of {} native files rebuilt: {share:.2} %", rebuilt + kept);
    share
}

/// Everything an archive answers that is derived: searches, records, catalogue rows.
struct Answers {
    studies: Vec<String>,
    series: Vec<String>,
    instances: Vec<String>,
    held: Vec<String>,
    rows: Rows,
}

impl Answers {
    async fn of(data: &Path, token: &str) -> Answers {
        let server = Server::start(data, &["--no-pack"]);
        let client = Dicomweb::new(&server.url, token);
        let studies = client.search("studies?includefield=all").await;
        let (mut series, mut instances) = (Vec::new(), Vec::new());
        for study in &studies {
            let study = text(study, "0020000D");
            series.extend(client.search(&format!("studies/{study}/series?includefield=all")).await);
            instances.extend(client.search(&format!("studies/{study}/instances?includefield=all")).await);
        }
        // URLs name the port, which is another at every start.
        let strip = |items: Vec<Value>| items.iter().map(|item| item.to_string().replace(&server.url, "")).collect();
        let (studies, series, instances) = (strip(studies), strip(series), strip(instances));
        server.kill();
        let reader = Reader::open(data).unwrap();
        let walked = reader.walk(0, 100_000).await.unwrap();
        let held = walked.iter().map(|held| format!("{:?} {:?} {}", held.record, held.form, held.held_bytes)).collect();
        let objects = reader.layout().objects();
        let rows = move || Catalogue::open(&objects).unwrap().rows().unwrap();
        let rows = tokio::task::spawn_blocking(rows).await.unwrap();
        Answers { studies, series, instances, held, rows }
    }
}

fn same<T: PartialEq + std::fmt::Display>(what: &str, before: &[T], after: &[T]) {
    for (before, after) in before.iter().zip(after) {
        assert!(before == after, "{what} differ once rebuilt:\n{before}\n{after}");
    }
    assert_eq!(before.len(), after.len(), "{what} are more or fewer once rebuilt");
}

/// Deletes index and catalogue, makes both anew, and compares every answer.
async fn rebuild_and_compare(data: &Path) {
    let admin = token(data, "admin", CENTRE);
    let before = Answers::of(data, &admin).await;
    let layout = archive::Layout::new(data).unwrap();
    for suffix in ["", "-wal", "-shm"] {
        let _ = std::fs::remove_file(format!("{}{suffix}", layout.index().display()));
    }
    assert!(!layout.index().exists());
    std::fs::remove_dir_all(layout.objects().join("catalogue")).unwrap();
    run_clean(data, &["rebuild"]);
    let after = Answers::of(data, &admin).await;
    println!(
        "rebuilt: {} studies, {} series, {} instances; {} and {} rows",
        after.studies.len(),
        after.series.len(),
        after.instances.len(),
        after.rows.instances.len(),
        after.rows.studies.len()
    );
    assert!(!after.studies.is_empty() && after.rows.studies.len() == after.studies.len());
    // Variants are held, and neither listed nor counted.
    assert_eq!(after.rows.instances.len(), after.instances.len());
    same("studies", &before.studies, &after.studies);
    same("series", &before.series, &after.series);
    same("instances", &before.instances, &after.instances);
    same("records", &before.held, &after.held);
    same("rows of instances", &before.rows.instances, &after.rows.instances);
    same("rows of studies", &before.rows.studies, &after.rows.studies);
    verify(data);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_real_file_is_kept_or_set_aside_and_comes_out_as_it_went_in() {
    let Some(files) = real_files() else { return };
    let dir = tempfile::tempdir().unwrap();
    let said = import(dir.path(), &files);
    let share = print_table(dir.path(), &said.json["packed"]).await;
    assert!(share >= 95.0, "only {share:.2} % of the native real files are rebuilt");
    export_and_compare(dir.path(), &files, count(&said.json, "stored"));
    let verified = verify(dir.path());
    assert_eq!(verified["instances"], said.json["stored"]);
    rebuild_and_compare(dir.path()).await;
    let again = run(dir.path(), &["import", "--centre", CENTRE, "--batch", "corpus", files.to_str().unwrap()]);
    for key in ["sent", "stored", "already_held", "variants", "quarantined"] {
        assert_eq!(again.json[key], said.json[key], "the same batch again has another receipt");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generated_night_is_packed_and_rebuilt() {
    let (dir, files) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let files = files.path().join("night");
    let arguments = ["generate", "--small", "--studies", "80", "--seed", "5", files.to_str().unwrap()];
    run_clean(dir.path(), &arguments);
    let said = import(dir.path(), &files);
    let share = print_table(dir.path(), &said.json["packed"]).await;
    assert!(share >= 99.9, "only {share:.2} % of the night is rebuilt");
    export_and_compare(dir.path(), &files, count(&said.json, "stored"));
    rebuild_and_compare(dir.path()).await;
}
