//! Power cuts, played: an ingest is recorded write by write (intake, ledger, index, objects), then the machine is
//! stopped before every single one of them, forgetting what was not synced, and the archive is opened again.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use archive::{Batch, Objects, Origin, Reader, Receipt, Settings, Writer};
use datasets::Scale;
use ingest::{Gate, Intake, Packer, Received, Taken, packing};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use transcode::data_set::Limits;

use crate::recorder::{Crash, Log, Op, RecordingDisk, RecordingStore, wreck};
use crate::sqlite_vfs;

const CENTRE: &str = "crash-centre";
const BATCH: &str = "crash";

/// The files of a small night: two instances that are native, compressed and waveform, and one that is broken.
fn files() -> Vec<datasets::File> {
    let studies = datasets::night(6, 11, Scale::Small);
    let mut files: Vec<datasets::File> = studies.flat_map(|study| study.files().take(2).collect::<Vec<_>>()).collect();
    files.extend(datasets::broken(3).into_iter().take(2));
    files
}

struct House {
    writer: Writer,
    reader: Reader,
    intake: Intake,
}

async fn open(dir: &Path, disk: Arc<dyn archive::Disk>, store: Arc<dyn ObjectStore>) -> House {
    // Small segments, so that closing and removing them takes part.
    let settings = Settings { segment_bytes_max: 60_000, ..Settings::default() };
    let (writer, reader) = archive::open_on(dir, settings, disk, Objects::over(store)).await.unwrap();
    let intake = Intake::new(writer.clone(), reader.clone(), Limits::default());
    House { writer, reader, intake }
}

impl House {
    /// Sends every file; `replied` hears of each that was acknowledged as kept.
    async fn ingest(&self, files: &[datasets::File], replied: &dyn Fn(&str)) -> Receipt {
        let batch = Batch { id: BATCH.into(), centre: CENTRE.into(), opened_at: now(), ..Batch::default() };
        self.writer.open_batch(batch).await.unwrap();
        for file in files {
            if let Taken::Stored(uids) | Taken::Variant(uids) = self.send(file).await {
                replied(&uids.sop_instance_uid);
            }
        }
        self.reader.receipt(CENTRE, BATCH).await.unwrap().unwrap()
    }

    async fn send(&self, file: &datasets::File) -> Taken {
        use sha2::Digest;
        let origin =
            Origin { centre: CENTRE.into(), batch: Some(BATCH.into()), file: file.path.clone(), received_at: now() };
        let file_digest = sha2::Sha256::digest(&file.bytes).into();
        let received = Received { body: file.bytes.clone().into(), file_digest, expected_study: None };
        self.intake.take_in(origin, received).await.unwrap()
    }

    async fn pack(&self) {
        let settings = packing::Settings::default();
        let packer = Packer::new(self.writer.clone(), self.reader.clone(), Limits::default(), settings);
        packer.pack_quiet(None, &now, &|_| {}).await.unwrap();
    }
}

fn now() -> String {
    "2026-11-23T00:00:00.000Z".into()
}

/// Records one ingest with packing in between, every acknowledgement among the writes.
async fn record(files: &[datasets::File]) -> (PathBuf, Vec<Op>, Receipt) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let log = Log::default();
    sqlite_vfs::record(&path, &log);
    let store = Arc::new(RecordingStore::new(log.clone()));
    let house = open(&path, Arc::new(RecordingDisk(log.clone())), store).await;
    let (first, second) = files.split_at(files.len() / 2);
    let replied = |sop: &str| log.push(Op::Reply { sop_instance_uid: sop.into() });
    house.ingest(first, &replied).await;
    house.pack().await;
    let receipt = house.ingest(second, &replied).await;
    house.pack().await;
    drop(house);
    (path, log.ops(), receipt)
}

/// Lays out what a crash left, in a directory of its own.
fn lay_out(files: &BTreeMap<PathBuf, Vec<u8>>, recorded: &Path, into: &Path) {
    for (path, bytes) in files {
        let path = into.join(path.strip_prefix(recorded).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
}

/// Opens what a crash left and checks it: acknowledged instances are there and whole, none is there twice, and sending
/// everything again gives the receipt that an undisturbed ingest gives.
async fn check(recorded: &Path, ops: &[Op], crash: Crash, files: &[datasets::File], expected: &Receipt) {
    let left = wreck(ops, crash);
    let dir = tempfile::tempdir().unwrap();
    lay_out(&left.files, recorded, dir.path());
    let store = InMemory::new();
    for (key, bytes) in left.objects {
        store.put(&key.as_str().into(), bytes.into()).await.unwrap();
    }
    let at = format!("crash before operation {} ({crash:?})", ops.len());
    let house = open(dir.path(), Arc::new(archive::LocalDisk), Arc::new(store)).await;
    for sop in &left.replied {
        let held = house.reader.find_all(sop).await.unwrap();
        assert_eq!(held.len(), 1, "{at}: {sop} was acknowledged and is held {} times", held.len());
    }
    verify(&house.reader, &at).await;
    let receipt = house.ingest(files, &|_| {}).await;
    assert_eq!(without_time(receipt), without_time(expected.clone()), "{at}: another receipt");
    let walked = house.reader.walk(0, 1000).await.unwrap();
    assert_eq!(walked.len() as u64, expected.stored, "{at}: instances lost or doubled");
}

async fn verify(reader: &Reader, at: &str) {
    let rebuild = |part10: &[u8], recipe: &[u8]| transcode::recipe::rebuild(part10, recipe).map_err(|e| e.to_string());
    let verified = archive::verify(reader, &rebuild, &|_| {}).await.unwrap();
    assert_eq!(verified.findings, [], "{at}");
}

fn without_time(mut receipt: Receipt) -> Receipt {
    receipt.batch.opened_at.clear();
    receipt
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_before_any_write_loses_nothing_that_was_acknowledged() {
    let files = files();
    let (recorded, ops, receipt) = record(&files).await;
    let (writes, syncs) = ops.iter().fold((0, 0), |(writes, syncs), op| match op {
        Op::Write { .. } => (writes + 1, syncs),
        Op::Sync { .. } => (writes, syncs + 1),
        _ => (writes, syncs),
    });
    println!("{} files, {} operations: {writes} writes, {syncs} syncs", files.len(), ops.len());
    assert!(ops.len() > 100 && receipt.stored > 8 && receipt.quarantined.len() == 2, "the recording is too small");
    for n in 0..=ops.len() {
        check(&recorded, &ops[..n], Crash::Forget, &files, &receipt).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_that_keeps_some_unsynced_writes_and_tears_others_loses_nothing_either() {
    let files = files();
    let (recorded, ops, receipt) = record(&files).await;
    for n in (0..=ops.len()).step_by(3) {
        check(&recorded, &ops[..n], Crash::Scatter(n as u64 * 7919 + 1), &files, &receipt).await;
    }
}

/// What step 3 and 4 of the path of a byte promise: the bytes are synced, then the index commits, then the reply.
#[tokio::test(flavor = "multi_thread")]
async fn the_reply_follows_the_index_commit_which_follows_the_sync() {
    let files = files();
    let (_, ops, _) = record(&files).await;
    let is = |op: &Op, name: &str| match op {
        Op::Write { path, .. } | Op::Sync { path } => path.to_string_lossy().contains(name),
        _ => false,
    };
    let mut replies = 0;
    for (at, op) in ops.iter().enumerate() {
        if !matches!(op, Op::Reply { .. }) {
            continue;
        }
        replies += 1;
        let before = &ops[..at];
        let record = before.iter().rposition(|op| matches!(op, Op::Write { .. }) && is(op, "segment-")).unwrap();
        let sync = before.iter().rposition(|op| matches!(op, Op::Sync { .. }) && is(op, "segment-")).unwrap();
        let commit =
            before.iter().rposition(|op| matches!(op, Op::Write { .. }) && is(op, "index.sqlite-wal")).unwrap();
        assert!(record < sync, "operation {at}: the record was written after the last sync");
        assert!(sync < commit, "operation {at}: the index committed before the sync");
    }
    assert!(replies > 8);
}
