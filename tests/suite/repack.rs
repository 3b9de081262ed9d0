//! Packs made anew: old ones are read beside new ones, a power cut or a kill at any moment loses nothing, and the index
//! made anew afterwards is the same.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use archive::catalogue::{Catalogue, Rows};
use archive::{Held, HeldForm, Objects, Origin, Reader, Repackable, Settings, Writer};
use datasets::Scale;
use ingest::{Gate, Intake, Packer, Received, Taken, packing, repack};
use object_store::memory::InMemory;
use object_store::{ObjectStore, ObjectStoreExt};
use transcode::codec::{Coders, HTJ2K_LOSSLESS_RPCL};
use transcode::data_set::{Limits, Tag};

use crate::program::{Random, program, run_clean, verify as verify_by_program};
use crate::recorder::{Crash, Log, Op, RecordingDisk, RecordingStore, wreck};
use crate::sqlite_vfs;

/// What packs are made of now.
const NEW: Coders = Coders::HTJ2K;
const RECEIVED: &str = "2020-01-01T00:00:00.000Z";
const REPACKED: &str = "2020-01-02T00:00:00.000Z";

struct House {
    writer: Writer,
    reader: Reader,
    intake: Intake,
}

async fn open(dir: &Path) -> House {
    let (writer, reader) = archive::open(dir, Settings::default()).await.unwrap();
    house(writer, reader)
}

async fn open_on(dir: &Path, disk: Arc<dyn archive::Disk>, store: Arc<dyn ObjectStore>) -> House {
    let (writer, reader) = archive::open_on(dir, Settings::default(), disk, Objects::over(store)).await.unwrap();
    house(writer, reader)
}

fn house(writer: Writer, reader: Reader) -> House {
    let intake = Intake::new(writer.clone(), reader.clone(), Limits::default());
    House { writer, reader, intake }
}

impl House {
    async fn take_in(&self, files: &[datasets::File]) {
        use sha2::Digest;
        for file in files {
            let origin = Origin {
                centre: "c".into(),
                file: file.path.clone(),
                received_at: RECEIVED.into(),
                ..Origin::default()
            };
            let file_digest = sha2::Sha256::digest(&file.bytes).into();
            let received = Received { body: file.bytes.clone().into(), file_digest, expected_study: None };
            assert!(matches!(self.intake.take_in(origin, received).await.unwrap(), Taken::Stored(_)), "{}", file.path);
        }
    }

    fn packer(&self, coders: Coders) -> Packer {
        let settings = packing::Settings { coders, ..packing::Settings::default() };
        Packer::new(self.writer.clone(), self.reader.clone(), Limits::default(), settings)
    }

    async fn pack(&self, coders: Coders) {
        let summary = self.packer(coders).pack_quiet(None, &|| RECEIVED.into(), &|_| {}).await.unwrap();
        assert_eq!((summary.failures, summary.stopped), (vec![], None));
    }

    async fn repack(&self) -> repack::Summary {
        let wanted = Repackable::NotOf(NEW.transfer_syntax_uid.into());
        let summary = self.packer(NEW).repack(&wanted, &|| REPACKED.into(), &|_| {}).await.unwrap();
        assert_eq!((&summary.failures, &summary.exceptions, &summary.stopped), (&vec![], &vec![], &None));
        summary
    }

    async fn held(&self) -> Vec<Held> {
        self.reader.walk(0, 1000).await.unwrap()
    }

    /// The received file of every instance is the one that was sent.
    async fn check(&self, files: &[datasets::File], at: &str) {
        let held = self.held().await;
        assert_eq!(held.len(), files.len(), "{at}: instances lost or doubled");
        let by_uid: BTreeMap<&str, &datasets::File> = files.iter().map(|f| (f.sop_instance_uid.as_str(), f)).collect();
        for held in &held {
            let received = ingest::received_bytes(&self.reader, held).await.unwrap();
            let uid = held.record.description.instance.sop_instance_uid.as_str();
            assert!(received == by_uid[uid].bytes, "{at}: {uid}");
        }
        let rebuild =
            |part10: &[u8], recipe: &[u8]| transcode::recipe::rebuild(part10, recipe).map_err(|e| e.to_string());
        let verified = archive::verify(&self.reader, &rebuild, &|_| {}).await.unwrap();
        assert_eq!(verified.findings, [], "{at}");
    }

    async fn packed_as(&self) -> Vec<String> {
        let packed = self.held().await.into_iter().filter(|held| held.form == HeldForm::Packed);
        let mut syntaxes: Vec<String> = packed.map(|held| held.transfer_syntax_uid).collect();
        syntaxes.sort();
        syntaxes.dedup();
        syntaxes
    }

    async fn catalogue(&self) -> Rows {
        let dir = self.reader.layout().objects();
        let catalogue = Arc::new(Catalogue::open(&dir).unwrap());
        self.reader.fill_catalogue(&catalogue).await.unwrap();
        catalogue.rows().unwrap()
    }
}

/// The files of a small night, two of each study: native, compressed, and without pixels.
fn files() -> Vec<datasets::File> {
    let studies = datasets::night(6, 11, Scale::Small);
    studies.flat_map(|study| study.files().take(2).collect::<Vec<_>>()).collect()
}

/// The first file of every study, and the second: so that each study comes in two packs.
fn halves(files: &[datasets::File]) -> [Vec<datasets::File>; 2] {
    let (mut halves, mut seen) = ([Vec::new(), Vec::new()], std::collections::BTreeSet::new());
    for file in files {
        let study = file.path.split('/').next().unwrap_or_default().to_owned();
        let late = usize::from(!seen.insert(study));
        halves[late].push(file.clone());
    }
    halves
}

/// Everything the index says, without the numbers it gives to its own rows.
fn index(dir: &Path) -> Vec<String> {
    let connection = rusqlite::Connection::open(dir.join("index.sqlite")).unwrap();
    let mut lines = Vec::new();
    for sql in [
        "SELECT 'instance', sequence, hex(sop), SeriesInstanceUID, StudyInstanceUID, hex(file), received_bytes, variant,
            container, position FROM instance JOIN series ON series.id = series JOIN study ON study.id = series.study
            ORDER BY sequence",
        "SELECT 'pack', number, StudyInstanceUID, bytes, key, created_at, coded, replaced_by, replaced_at, removed, ''
            FROM pack JOIN study ON study.id = study ORDER BY number",
        "SELECT 'study', StudyInstanceUID, PatientID, FirstSequence, ReceivedBytes, LastReceivedAt,
            NumberOfStudyRelatedInstances, '', '', '', '' FROM study ORDER BY 2",
    ] {
        let mut statement = connection.prepare(sql).unwrap();
        let columns = statement.column_count();
        let line = |row: &rusqlite::Row<'_>| {
            let cells = (0..columns).map(|at| format!("{:?}", row.get_ref(at).unwrap()));
            Ok(cells.collect::<Vec<_>>().join(" "))
        };
        lines.extend(statement.query_map([], line).unwrap().map(Result::unwrap));
    }
    lines
}

fn packs(dir: &Path) -> usize {
    let found = crate::program::files_below(&dir.join("objects/packs"));
    found.iter().filter(|path| path.extension().is_some_and(|extension| extension == "zip")).count()
}

/// Deletes the index and opens the archive: what is made anew must be what was there.
async fn rebuild(dir: &Path, house: House) -> House {
    drop(house);
    let before = index(dir);
    archive::delete_index(dir).unwrap();
    let house = open(dir).await;
    assert_eq!(index(dir), before, "the index made anew is another");
    house
}

/// Proves, on packs of JPEG 2000 Part 1 beside one of the present syntax, that both are read; that repacking leaves only
/// the present one, one pack a study; that it changes nothing the second time; and that index and catalogue made anew
/// are the same before and after the replaced packs are removed.
#[tokio::test(flavor = "multi_thread")]
async fn old_packs_are_read_beside_new_ones_and_become_one_new_pack_a_study() {
    let (dir, files) = (tempfile::tempdir().unwrap(), files());
    let dir = dir.path();
    let [first, second] = halves(&files);
    assert!(first.len() > 3 && second.len() > 3);
    let house = open(dir).await;
    house.take_in(&first).await;
    house.pack(Coders::PART_1).await;
    house.take_in(&second).await;
    house.pack(NEW).await;
    assert_eq!(house.packed_as().await, [HTJ2K_LOSSLESS_RPCL, Coders::PART_1.transfer_syntax_uid]);
    house.check(&files, "old beside new").await;
    let before = house.catalogue().await;
    let (packs_before, old) = (packs(dir), house.held().await);

    let done = house.repack().await;
    assert!(done.packs > 0 && done.replaced > done.packs && done.encoded > 0, "{done:?}");
    assert_eq!(house.packed_as().await, [HTJ2K_LOSSLESS_RPCL]);
    house.check(&files, "repacked").await;
    let part10 = house.reader.read(&old[0], None).await;
    assert!(part10.is_ok(), "who found an instance before may still read it: {part10:?}");
    assert_eq!(packs(dir), packs_before + done.packs as usize, "replaced packs are kept for a while");
    let after = house.catalogue().await;
    assert_eq!((after.instances.len(), after.studies.len()), (before.instances.len(), before.studies.len()));
    let again = house.repack().await;
    assert_eq!((again.packs, again.replaced, again.unchanged), (0, 0, 0), "nothing is left to do");

    let house = rebuild(dir, house).await;
    house.check(&files, "index made anew beside replaced packs").await;
    let early = house.writer.remove_replaced(&house.reader, RECEIVED).await.unwrap();
    assert_eq!(early, 0, "not before their time");
    let removed = house.writer.remove_replaced(&house.reader, REPACKED).await.unwrap();
    assert_eq!((removed, packs(dir)), (done.replaced, packs_before + done.packs as usize - done.replaced as usize));
    assert_eq!(house.writer.remove_replaced(&house.reader, REPACKED).await.unwrap(), 0);
    house.check(&files, "replaced packs removed").await;

    let house = rebuild(dir, house).await;
    house.check(&files, "index made anew without them").await;
    Catalogue::delete_all(&house.reader.layout().objects()).unwrap();
    assert_eq!(house.catalogue().await, after, "the catalogue made anew is another");
    let late = datasets::night(1, 99, Scale::Small).flat_map(|study| study.files().collect::<Vec<_>>());
    let late: Vec<datasets::File> = late.take(2).collect();
    house.take_in(&late).await;
    house.pack(NEW).await;
    house.check(&[files, late].concat(), "a pack after them gets a number of its own").await;
}

/// Proves that repacking twice in turn is accounted for through the middle one, also once its object is gone.
#[tokio::test(flavor = "multi_thread")]
async fn a_pack_that_replaced_others_can_be_replaced_itself() {
    let (dir, files) = (tempfile::tempdir().unwrap(), files());
    let dir = dir.path();
    let house = open(dir).await;
    house.take_in(&files).await;
    house.pack(Coders::PART_1).await;
    let first = house.repack().await;
    let all = Repackable::WrittenBefore("2020-01-03T00:00:00.000Z".into());
    let packer = house.packer(NEW);
    let second = packer.repack(&all, &|| "2020-01-04T00:00:00.000Z".into(), &|_| {}).await.unwrap();
    assert!(second.packs >= first.packs && first.packs > 0, "{first:?} {second:?}");
    let third = packer.repack(&all, &|| "2020-01-05T00:00:00.000Z".into(), &|_| {}).await.unwrap();
    assert_eq!(third.packs, 0, "written after the time given");
    drop(packer);
    let house = rebuild(dir, house).await;
    house.writer.remove_replaced(&house.reader, "2020-01-04T00:00:00.000Z").await.unwrap();
    let house = rebuild(dir, house).await;
    house.check(&files, "replaced twice").await;
}

/// Proves that a pack one of whose instances is damaged is not replaced: it stays, and is named.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_damaged_is_not_packed_anew() {
    let (dir, files) = (tempfile::tempdir().unwrap(), files());
    let dir = dir.path();
    let house = open(dir).await;
    house.take_in(&files).await;
    house.pack(Coders::PART_1).await;
    let damaged = house.held().await.into_iter().find(|held| held.form == HeldForm::Packed).unwrap();
    let number = damaged.pack().unwrap();
    let path = dir.join(format!("objects/packs/{:03}/pack-{number:012}.zip", number % 1000));
    let mut bytes = std::fs::read(&path).unwrap();
    let frame = house.reader.frames(&damaged).await.unwrap().frames[0].clone();
    let part10 = house.reader.read(&damaged, None).await.unwrap();
    let at = bytes.windows(part10.len()).position(|window| window == part10).unwrap();
    bytes[at + (frame.offset + frame.length / 2) as usize] ^= 0x55;
    std::fs::write(&path, bytes).unwrap();

    let wanted = Repackable::NotOf(NEW.transfer_syntax_uid.into());
    let summary = house.packer(NEW).repack(&wanted, &|| REPACKED.into(), &|_| {}).await.unwrap();
    assert_eq!(summary.failures.len(), 1, "{summary:?}");
    assert!(summary.packs > 0, "all others are");
    let study = &damaged.record.description.study.study_instance_uid;
    assert!(house.reader.packs_of(study).await.unwrap().iter().any(|pack| pack.number == number), "it is in use");
}

/// Proves that frames are found in a packed file by its own tables (PS3.5 Annex A.4, PS3.3 C.7.6.3.1.8): an empty Basic
/// Offset Table, one fragment a frame, and an Extended Offset Table that leads to where our frame table says they are.
#[tokio::test(flavor = "multi_thread")]
async fn a_packed_file_has_an_extended_offset_table() {
    let dir = tempfile::tempdir().unwrap();
    let house = open(dir.path()).await;
    house.take_in(&files()).await;
    house.pack(Coders::default()).await;
    let mut frames_seen = 0;
    for held in house.held().await.iter().filter(|held| held.form == HeldForm::Packed) {
        let bytes = house.reader.read(held, None).await.unwrap();
        let part10 = transcode::data_set::scan(&mut std::io::Cursor::new(&bytes), &Limits::default()).unwrap();
        assert_eq!(part10.transfer_syntax_uid, held.transfer_syntax_uid);
        let table = |element| {
            let value = part10.data_set.bytes(Tag(0x7FE0, element)).unwrap();
            value.as_chunks::<8>().0.iter().map(|&n| u64::from_le_bytes(n) as usize).collect::<Vec<_>>()
        };
        let (offsets, lengths) = (table(0x0001), table(0x0002));
        let basic = part10.data_set.get(Tag(0x7FE0, 0x0010)).unwrap().value_offset as usize;
        assert_eq!(bytes[basic..basic + 8], [0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0]);
        let frames = house.reader.frames(held).await.unwrap().frames;
        assert_eq!((offsets.len(), lengths.len()), (frames.len(), frames.len()));
        for ((offset, length), frame) in offsets.iter().zip(&lengths).zip(&frames) {
            let item = basic + 8 + offset;
            assert_eq!(bytes[item..item + 4], [0xFE, 0xFF, 0x00, 0xE0]);
            assert_eq!(bytes[item + 4..item + 8], (*length as u32).to_le_bytes());
            assert_eq!((frame.offset as usize, frame.fragments), (item + 8, 1));
            assert_eq!(frame.length.next_multiple_of(2) as usize, *length);
            let codestream = &bytes[item + 8..item + 8 + frame.length as usize];
            assert!(codestream.starts_with(&[0xFF, 0x4F]) && codestream.ends_with(&[0xFF, 0xD9]), "SOC to EOC");
            assert!(frame.resolution_ends.is_sorted() && !frame.resolution_ends.is_empty(), "where levels end");
            assert!(frame.resolution_ends.iter().all(|end| *end <= frame.length));
            frames_seen += 1;
        }
    }
    assert!(frames_seen > 5);
}

/// Records taking in, packing, repacking and removing.
async fn record(files: &[datasets::File]) -> (PathBuf, Vec<Op>, usize) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().to_owned();
    let log = Log::default();
    sqlite_vfs::record(&path, &log);
    let house = open_on(&path, Arc::new(RecordingDisk(log.clone())), Arc::new(RecordingStore::new(log.clone()))).await;
    for half in halves(files) {
        house.take_in(&half).await;
        house.pack(Coders::PART_1).await;
    }
    let before = log.ops().len();
    house.repack().await;
    house.writer.remove_replaced(&house.reader, REPACKED).await.unwrap();
    drop(house);
    (path, log.ops(), before)
}

/// Proves that a power cut before any write of a repack loses nothing, and that the next run ends where an undisturbed
/// one does.
#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_before_any_write_of_a_repack_loses_nothing() {
    let files: Vec<datasets::File> = files().into_iter().take(6).collect();
    let (recorded, ops, before) = record(&files).await;
    assert!(ops.len() > before + 10 && ops.iter().any(|op| matches!(op, Op::ObjectRemoved { .. })));
    for n in before..=ops.len() {
        for crash in [Crash::Forget, Crash::Scatter(n as u64 * 7919 + 1)] {
            check_crash(&recorded, &ops[..n], crash, &files).await;
        }
    }
}

async fn check_crash(recorded: &Path, ops: &[Op], crash: Crash, files: &[datasets::File]) {
    let left = wreck(ops, crash);
    let dir = tempfile::tempdir().unwrap();
    for (path, bytes) in &left.files {
        let path = dir.path().join(path.strip_prefix(recorded).unwrap());
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    let store = Arc::new(InMemory::new());
    for (key, bytes) in left.objects {
        store.put(&key.as_str().into(), bytes.into()).await.unwrap();
    }
    let at = format!("crash before operation {} ({crash:?})", ops.len());
    let objects = || -> Arc<dyn ObjectStore> { store.clone() };
    let house = open_on(dir.path(), Arc::new(archive::LocalDisk), objects()).await;
    house.check(files, &at).await;
    house.repack().await;
    house.writer.remove_replaced(&house.reader, REPACKED).await.unwrap();
    assert_eq!(house.packed_as().await, [HTJ2K_LOSSLESS_RPCL], "{at}");
    house.check(files, &at).await;
    drop(house);
    let before = index(dir.path());
    archive::delete_index(dir.path()).unwrap();
    let house = open_on(dir.path(), Arc::new(archive::LocalDisk), objects()).await;
    assert_eq!(index(dir.path()), before, "{at}: the index made anew is another");
    house.check(files, &at).await;
}

/// Proves, with the program itself, that kill -9 at random moments of `repack` loses nothing and that the last run ends it.
#[tokio::test(flavor = "multi_thread")]
async fn kills_during_a_repack_lose_nothing_and_the_next_run_goes_on() {
    const KILLS: usize = 12;
    let (dir, files) = (tempfile::tempdir().unwrap(), files());
    let dir = dir.path();
    let house = open(dir).await;
    for half in halves(&files) {
        house.take_in(&half).await;
        house.pack(Coders::PART_1).await;
    }
    drop(house);
    let arguments = ["repack", "--replaced-keep-s", "0"];
    let mut random = Random(7);
    for _ in 0..KILLS {
        let mut child = program(dir).args(arguments).stdout(std::process::Stdio::null()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(20 + random.below(250)));
        let _ = child.kill();
        child.wait().unwrap();
    }
    let done = run_clean(dir, &arguments);
    println!("the last run did: {}", done.json);
    let again = run_clean(dir, &arguments);
    assert_eq!([&again.json["packs"], &again.json["unchanged"]], [0, 0], "nothing is left to do");
    let all = ["repack", "--all", "--written-before", "2021-01-01T00:00:00Z", "--replaced-keep-s", "0"];
    let all = run_clean(dir, &all);
    assert_eq!(all.json["encoded"], 0, "what the program wrote was written after that: {}", all.json);
    assert_eq!(verify_by_program(dir)["instances"], files.len());
    assert_eq!(run_clean(dir, &["rebuild"]).json["instances"], files.len());
    let house = open(dir).await;
    house.check(&files, "after kills").await;
    let (held, mut by_study) = (house.held().await, BTreeMap::new());
    for held in &held {
        let study = held.record.description.study.study_instance_uid.clone();
        by_study.entry(study).or_insert_with(std::collections::BTreeSet::new).insert(held.pack());
    }
    let native = held.iter().filter(|held| held.form == HeldForm::Packed);
    for held in native {
        let packs = &by_study[&held.record.description.study.study_instance_uid];
        assert_eq!(packs.len(), 1, "the packs of a study that was encoded anew are one");
    }
}
