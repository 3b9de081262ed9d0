//! Bit rot in intake: what is damaged is named and kept, everything else goes on, and nothing acknowledged is lost to
//! a rebuild.

use std::path::{Path, PathBuf};

use archive::{Origin, Reader, Settings, Writer};
use datasets::Scale;
use ingest::{Gate, Intake, Packer, Received, Taken, packing};
use transcode::data_set::Limits;

async fn open(dir: &Path) -> (Writer, Reader, Intake) {
    let (writer, reader) = archive::open(dir, Settings::default()).await.unwrap();
    let intake = Intake::new(writer.clone(), reader.clone(), Limits::default());
    (writer, reader, intake)
}

fn now() -> String {
    "2026-11-23T00:00:00.000Z".into()
}

/// Takes in a few instances of several studies and answers how many are held.
async fn take_in(intake: &Intake) -> usize {
    use sha2::Digest;
    let mut held = 0;
    for study in datasets::night(4, 5, Scale::Small) {
        for file in study.files().take(3) {
            let origin =
                Origin { centre: "c".into(), file: file.path.clone(), received_at: now(), ..Origin::default() };
            let file_digest = sha2::Sha256::digest(&file.bytes).into();
            let received = Received { body: file.bytes.into(), file_digest, expected_study: None };
            held += usize::from(matches!(intake.take_in(origin, received).await.unwrap(), Taken::Stored(_)));
        }
    }
    held
}

fn segment(dir: &Path) -> PathBuf {
    let mut segments = std::fs::read_dir(dir.join("intake")).unwrap();
    segments.next().unwrap().unwrap().path()
}

/// Flips one bit of the only segment.
fn flip(dir: &Path, at: u64) {
    let path = segment(dir);
    let mut bytes = std::fs::read(&path).unwrap();
    bytes[at as usize] ^= 1;
    std::fs::write(&path, bytes).unwrap();
}

async fn findings(reader: &Reader) -> Vec<String> {
    let rebuild = |part10: &[u8], recipe: &[u8]| transcode::recipe::rebuild(part10, recipe).map_err(|e| e.to_string());
    let verified = archive::verify(reader, &rebuild, &|_| {}).await.unwrap();
    verified.findings.into_iter().map(|finding| format!("{}: {}", finding.what, finding.detail)).collect()
}

/// Damages the first record at `at`, then opens, packs and rebuilds; all others must come through.
async fn check(at: u64) {
    let dir = tempfile::tempdir().unwrap();
    let (writer, reader, intake) = open(dir.path()).await;
    let held = take_in(&intake).await;
    assert!(held > 6);
    drop((writer, reader, intake));
    let length = std::fs::metadata(segment(dir.path())).unwrap().len();
    flip(dir.path(), at);

    archive::delete_index(dir.path()).unwrap();
    let (writer, reader, _) = open(dir.path()).await;
    assert_eq!(reader.totals().await.unwrap()[2] as usize, held - 1, "damage at {at}: the others are found");
    let settings = packing::Settings::default();
    let packer = Packer::new(writer.clone(), reader.clone(), Limits::default(), settings);
    packer.pack_quiet(None, &now, &|_| {}).await.unwrap();
    assert_eq!(reader.backlog(10).await.unwrap(), [], "damage at {at}: the others are packed");
    assert_eq!(std::fs::metadata(segment(dir.path())).unwrap().len(), length, "damage at {at}: its bytes are kept");
    let found = findings(&reader).await;
    assert!(found.iter().any(|finding| finding.starts_with("intake segment 1 at byte 0")), "{at}: {found:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_bit_costs_one_record_whatever_it_hits() {
    // The header's checksum, the metadata, the body.
    for at in [30, 100, 20_000] {
        check(at).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rots_after_it_was_indexed_is_not_packed_and_stays_named() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, reader, intake) = open(dir.path()).await;
    let held = take_in(&intake).await;
    // Past the metadata of the first record: in its body.
    flip(dir.path(), 20_000);
    let settings = packing::Settings::default();
    let packer = Packer::new(writer.clone(), reader.clone(), Limits::default(), settings);
    let summary = packer.pack_quiet(None, &now, &|_| {}).await.unwrap();
    assert_eq!(summary.failures.len(), 1, "{:?}", summary.failures);
    let packed: u64 = summary.modalities.values().map(|c| c.rebuilt + c.native_as_received + c.as_received).sum();
    assert_eq!(packed as usize, held - 1);
    let found = findings(&reader).await;
    assert!(found.iter().any(|finding| finding.contains("another SHA-256")), "{found:?}");
}
