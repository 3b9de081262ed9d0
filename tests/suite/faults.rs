//! Writes that fail, one at a time and each in every way, under a small ingest with packing and quarantine.
//!
//! Proves: whatever was acknowledged is there and whole after a start without faults; nothing is there twice; `verify` is
//! clean, also over an index made anew; the batch sent again has the receipt of an undisturbed one; and a writer whose
//! sync failed refuses from then on, and says so.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use archive::{Batch, Disk, Error, Fault, Faulty, LocalDisk, Objects, Origin, Reader, Receipt, Settings, Writer};
use datasets::{File, Scale};
use ingest::{Gate, Intake, Packer, Received, Refusal, Taken, packing};
use object_store::ObjectStore;
use object_store::memory::InMemory;
use sha2::{Digest, Sha256};
use transcode::data_set::Limits;

use crate::faulty_disk::{Act, FaultyDisk};
use crate::program::sha256;

const CENTRE: &str = "fault-centre";
const BATCH: &str = "faults";

/// Native, compressed and waveform instances of a small night, two broken ones, and one that is no DICOM and so long
/// that it is written in parts.
fn files() -> Vec<File> {
    let studies = datasets::night(5, 11, Scale::Small);
    let mut files: Vec<File> = studies.flat_map(|study| study.files().take(2).collect::<Vec<_>>()).collect();
    files.extend(datasets::broken(3).into_iter().take(2));
    let junk = (0..9_000_000_u32).map(|n| (n.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
    files.push(File { path: "junk.bin".into(), sop_instance_uid: String::new(), bytes: junk, broken: Some("junk") });
    files
}

struct House {
    writer: Writer,
    reader: Reader,
    intake: Intake,
}

async fn open(dir: &Path, disk: Arc<dyn Disk>, store: Arc<dyn ObjectStore>) -> archive::Result<House> {
    // Small segments, so that closing and removing them takes part.
    let settings = Settings { segment_bytes_max: 60_000, ..Settings::default() };
    let (writer, reader) = archive::open_on(dir, settings, disk, Objects::over(store)).await?;
    let intake = Intake::new(writer.clone(), reader.clone(), Limits::default());
    Ok(House { writer, reader, intake })
}

/// What one ingest was told.
#[derive(Default)]
struct Told {
    /// Files acknowledged as held.
    held: Vec<usize>,
    /// Files acknowledged as set aside.
    set_aside: Vec<usize>,
    /// What was said of the others.
    refused: Vec<Refusal>,
}

impl House {
    /// Sends every file, packing half way and at the end. A file that was refused is sent once more.
    async fn ingest(&self, files: &[File]) -> Told {
        let mut told = Told::default();
        let batch = Batch { id: BATCH.into(), centre: CENTRE.into(), opened_at: now(), ..Batch::default() };
        let opened = self.writer.open_batch(batch.clone()).await;
        if opened.is_err() {
            let _ = self.writer.open_batch(batch).await;
        }
        for (at, file) in files.iter().enumerate() {
            let mut taken = self.send(file).await;
            if let Err(refusal) = taken {
                told.refused.push(refusal);
                taken = self.send(file).await;
            }
            match taken {
                Ok(Taken::Quarantined { .. }) => told.set_aside.push(at),
                Ok(_) => told.held.push(at),
                Err(refusal) => told.refused.push(refusal),
            }
            if at == files.len() / 2 || at + 1 == files.len() {
                let _ = self.pack().await;
                // Tried again, as the server does.
                let _ = self.pack().await;
            }
        }
        told
    }

    async fn send(&self, file: &File) -> Result<Taken, Refusal> {
        let origin =
            Origin { centre: CENTRE.into(), batch: Some(BATCH.into()), file: file.path.clone(), received_at: now() };
        let file_digest = Sha256::digest(&file.bytes).into();
        let received = Received { body: file.bytes.clone().into(), file_digest, expected_study: None };
        self.intake.take_in(origin, received).await
    }

    async fn pack(&self) -> archive::Result<packing::Summary> {
        let settings = packing::Settings::default();
        let packer = Packer::new(self.writer.clone(), self.reader.clone(), Limits::default(), settings);
        packer.pack_quiet(None, &now, &|_| {}).await
    }

    async fn receipt(&self) -> Receipt {
        self.reader.receipt(CENTRE, BATCH).await.unwrap().unwrap()
    }

    async fn backlog(&self) -> usize {
        self.reader.backlog(100).await.unwrap().len()
    }
}

fn now() -> String {
    "2026-11-23T00:00:00.000Z".into()
}

async fn verify(reader: &Reader, at: &str) {
    let rebuild = |part10: &[u8], recipe: &[u8]| transcode::recipe::rebuild(part10, recipe).map_err(|e| e.to_string());
    let verified = archive::verify(reader, &rebuild, &|_| {}).await.unwrap();
    assert_eq!(verified.findings, [], "{at}");
}

/// What was acknowledged is there, once and whole.
async fn check_kept(house: &House, files: &[File], told: &Told, at: &str) {
    for file in told.held.iter().map(|&index| &files[index]) {
        let held = house.reader.find_all(&file.sop_instance_uid).await.unwrap();
        assert_eq!(held.len(), 1, "{at}: {} was acknowledged and is held {} times", file.path, held.len());
        let bytes = ingest::received_bytes(&house.reader, &held[0]).await.unwrap();
        assert!(bytes == file.bytes, "{at}: {} is not what was acknowledged", file.path);
    }
    for file in told.set_aside.iter().map(|&index| &files[index]) {
        let bytes = house.reader.quarantined_body(&sha256(&file.bytes)).await;
        assert!(bytes.is_ok_and(|bytes| bytes == file.bytes), "{at}: {} was set aside and is not whole", file.path);
    }
}

/// Starts without faults and checks everything.
async fn check(dir: &Path, store: Arc<dyn ObjectStore>, files: &[File], told: &Told, expected: &Receipt, at: &str) {
    let house = open(dir, Arc::new(LocalDisk), Arc::clone(&store)).await.unwrap_or_else(|e| panic!("{at}: {e}"));
    check_kept(&house, files, told, at).await;
    verify(&house.reader, at).await;
    let again = house.ingest(files).await;
    assert_eq!(again.refused, [], "{at}: refused without a fault");
    assert_eq!(&house.receipt().await, expected, "{at}: another receipt");
    let walked = house.reader.walk(0, 1000).await.unwrap().len() as u64;
    assert_eq!((walked, house.backlog().await), (expected.stored, 0), "{at}: lost, doubled or not packed");
    verify(&house.reader, at).await;
    drop(house);

    archive::delete_index(dir).unwrap();
    let house = open(dir, Arc::new(LocalDisk), store).await.unwrap_or_else(|e| panic!("{at}, rebuilding: {e}"));
    assert_eq!(&house.receipt().await, expected, "{at}: another receipt once rebuilt");
    let walked = house.reader.walk(0, 1000).await.unwrap().len() as u64;
    assert_eq!(walked, expected.stored, "{at}: lost or doubled once rebuilt");
    verify(&house.reader, &format!("{at}, once rebuilt")).await;
}

/// An ingest in which nothing goes wrong: its receipt.
async fn undisturbed(disk: Arc<dyn Disk>, store: Arc<dyn ObjectStore>, files: &[File]) -> Receipt {
    let dir = tempfile::tempdir().unwrap();
    let house = open(dir.path(), disk, store).await.unwrap();
    let told = house.ingest(files).await;
    let receipt = house.receipt().await;
    assert_eq!((told.refused.len(), receipt.quarantined.len(), house.backlog().await), (0, 3, 0));
    assert!(receipt.stored >= 8, "{receipt:?}");
    receipt
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_to_the_object_store_that_fails_loses_what_was_acknowledged() {
    let files = files();
    let counting = Faulty::new(Arc::new(InMemory::new()), Fault::Never, 0);
    let expected = undisturbed(Arc::new(LocalDisk), Arc::new(counting.clone()), &files).await;
    let writes = counting.writes();
    println!("{} files, {writes} writes", files.len());
    assert!(writes > 10);
    for n in 1..=writes {
        for fault in [Fault::Fail(n), Fault::Tear(n), Fault::LoseReply(n), Fault::DiskFull(n)] {
            let (dir, inner) = (tempfile::tempdir().unwrap(), Arc::new(InMemory::new()));
            let faulty = Faulty::new(Arc::clone(&inner) as Arc<dyn ObjectStore>, fault, n);
            let house = open(dir.path(), Arc::new(LocalDisk), Arc::new(faulty.clone())).await.unwrap();
            let told = house.ingest(&files).await;
            assert!(faulty.writes() >= n, "{fault:?} did not happen");
            if !matches!(fault, Fault::DiskFull(_)) {
                // One fault costs one attempt: no restart is needed for the next.
                assert_eq!(house.receipt().await, expected, "{fault:?}: another receipt without a restart");
                assert_eq!(house.backlog().await, 0, "{fault:?}: packing did not get over it");
            }
            drop(house);
            check(dir.path(), inner, &files, &told, &expected, &format!("{fault:?}")).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_write_to_the_disk_that_fails_loses_what_was_acknowledged() {
    let files = files();
    let counting = FaultyDisk::new(Act::Never);
    let expected = undisturbed(Arc::new(counting.clone()), Arc::new(InMemory::new()), &files).await;
    let counted = |counter: &std::sync::atomic::AtomicU64| counter.load(Ordering::SeqCst);
    let [appends, syncs, sync_dirs] =
        [&counting.counted.appends, &counting.counted.syncs, &counting.counted.sync_dirs].map(counted);
    println!("{} files, {appends} appends, {syncs} syncs, {sync_dirs} syncs of directories", files.len());
    let appending = (1..=appends).flat_map(|n| [Act::Append(n), Act::AppendAndUndo(n), Act::Full(n)]);
    for act in appending.chain((1..=syncs).map(Act::Sync)).chain((1..=sync_dirs).map(Act::SyncDir)) {
        let (dir, store) = (tempfile::tempdir().unwrap(), Arc::new(InMemory::new()));
        let disk = Arc::new(FaultyDisk::new(act));
        let told = match open(dir.path(), disk, Arc::clone(&store) as Arc<dyn ObjectStore>).await {
            Ok(house) => house.ingest(&files).await,
            Err(error) => {
                assert!(matches!(error, Error::Io { .. }), "{act:?}: {error}");
                Told::default()
            }
        };
        check(dir.path(), store, &files, &told, &expected, &format!("{act:?}")).await;
    }
}

/// A failed sync leaves unknown what the disk holds (PostgreSQL's lesson of 2018): the one who asked is told so, and so
/// is everybody after.
#[tokio::test(flavor = "multi_thread")]
async fn after_a_failed_sync_nothing_more_is_written_and_everybody_is_told_why() {
    let files = files();
    let counting = FaultyDisk::new(Act::Never);
    let empty = tempfile::tempdir().unwrap();
    drop(open(empty.path(), Arc::new(counting.clone()), Arc::new(InMemory::new())).await.unwrap());
    let at_start = counting.counted.syncs.load(Ordering::SeqCst);

    // The segment's sync is the first after the start, the ledger's the second.
    for n in [at_start + 1, at_start + 2] {
        let dir = tempfile::tempdir().unwrap();
        let disk = Arc::new(FaultyDisk::new(Act::Sync(n)));
        let house = open(dir.path(), disk, Arc::new(InMemory::new())).await.unwrap();
        for file in &files[..2] {
            let Err(Refusal::Failed(why)) = house.send(file).await else { panic!("acknowledged after a failed sync") };
            assert!(why.contains("writing has stopped since a sync failed"), "{why}");
            assert!(why.contains("os error 5"), "it does not say what failed: {why}");
        }
        let refused = house.writer.open_batch(Batch { opened_at: now(), ..Batch::default() }).await;
        assert!(matches!(refused, Err(Error::Poisoned(_))), "{refused:?}");
        assert!(house.reader.find_all(&files[0].sop_instance_uid).await.unwrap().is_empty());
    }
}
