//! The gate on a real archive: what comes again under a SOP Instance UID that is held.

use datasets::{Kind, Scale, Study};
use sha2::{Digest, Sha256};
use transcode::data_set::Limits;

use super::*;
use crate::packing::{self, Packer};

const NOW: &str = "2026-11-23T00:00:00Z";

struct House {
    writer: archive::Writer,
    reader: archive::Reader,
    gate: Intake,
}

impl House {
    async fn open(dir: &std::path::Path) -> House {
        let (writer, reader) = archive::open(dir, archive::Settings::default()).await.unwrap();
        let gate = Intake::new(writer.clone(), reader.clone(), Limits::default());
        House { writer, reader, gate }
    }

    async fn send(&self, file: &[u8]) -> Taken {
        let origin = Origin { centre: "north".into(), received_at: NOW.into(), ..Origin::default() };
        let received =
            Received { body: file.to_vec().into(), file_digest: Sha256::digest(file).into(), expected_study: None };
        self.gate.take_in(origin, received).await.unwrap()
    }

    async fn pack(&self) {
        let packer =
            Packer::new(self.writer.clone(), self.reader.clone(), Limits::default(), packing::Settings::default());
        let packed = packer.pack_quiet(None, &|| NOW.into(), &|_| {}).await.unwrap();
        assert_eq!((packed.packs, packed.failures), (1, vec![]));
    }

    async fn data_set(&self, uid: &str) -> Option<[u8; 32]> {
        self.reader.find(uid).await.unwrap().unwrap().record.digests.data_set
    }

    /// The same file, the same Data Set in other files, and another Data Set: what is said of each.
    async fn check_again(&self, file: &[u8], other_preamble: u8) {
        assert!(matches!(self.send(file).await, Taken::AlreadyHeld(_)));
        let mut other = file.to_vec();
        other[5] = other_preamble;
        assert!(matches!(self.send(&other).await, Taken::AlreadyHeld(_)), "another preamble");
        assert!(matches!(self.send(&other).await, Taken::AlreadyHeld(_)), "another preamble, once more");
        *other.last_mut().unwrap() ^= 1;
        let Taken::Quarantined { reason, .. } = self.send(&other).await else { panic!("another pixel was taken in") };
        assert_eq!(reason.code, "conflict");
        assert_eq!(self.reader.totals().await.unwrap()[2], 1);
    }
}

/// A Data Set is held once in whatever file it comes again: while nobody knows its digest, after packing has made it, and
/// with an index made anew. Another Data Set under its UID is a conflict.
#[tokio::test]
async fn the_same_data_set_in_another_file_is_already_held() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path()).await;
    let study = Study::new(Kind::ChestCt, 5, Scale::Small, 1);
    let file = study.files().next().unwrap();
    let (uid, bytes) = (&file.sop_instance_uid, &file.bytes);
    assert!(matches!(house.send(bytes).await, Taken::Stored(_)));
    assert_eq!(house.data_set(uid).await, None, "it was not asked for");
    house.check_again(bytes, 1).await;

    house.pack().await;
    let offset =
        transcode::data_set::scan(&mut std::io::Cursor::new(bytes), &Limits::default()).unwrap().data_set_offset;
    let expected: [u8; 32] = Sha256::digest(&bytes[offset as usize..]).into();
    assert_eq!(house.data_set(uid).await, Some(expected));
    house.check_again(bytes, 2).await;

    let index = house.reader.layout().index();
    drop(house);
    std::fs::remove_file(index).unwrap();
    let house = House::open(dir.path()).await;
    assert_eq!(house.data_set(uid).await, Some(expected));
    house.check_again(bytes, 3).await;
}

/// Of files with one Data Set that come at the same moment one is stored, and the others are held already.
#[tokio::test(flavor = "multi_thread")]
async fn one_data_set_in_many_files_at_once_is_stored_once() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path()).await;
    let study = Study::new(Kind::ChestCt, 6, Scale::Small, 1);
    let file = study.files().next().unwrap();
    let files = (0..8).map(|n| {
        let mut bytes = file.bytes.clone();
        bytes[5] = n;
        bytes
    });
    let files: Vec<Vec<u8>> = files.collect();
    let taken = futures::future::join_all(files.iter().map(|file| house.send(file))).await;
    let stored = taken.iter().filter(|taken| matches!(taken, Taken::Stored(_))).count();
    let held = taken.iter().filter(|taken| matches!(taken, Taken::AlreadyHeld(_))).count();
    assert_eq!((stored, held), (1, 7));
}

/// What is decided by a person, and what is too long for memory, brings its digest with it.
#[tokio::test]
async fn a_spooled_file_is_taken_in_with_its_digest() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path()).await;
    let study = Study::new(Kind::ChestCt, 7, Scale::Small, 1);
    let file = study.files().next().unwrap();
    let mut spooled = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut spooled, &file.bytes).unwrap();
    let origin = Origin { centre: "north".into(), received_at: NOW.into(), ..Origin::default() };
    let body = Body::spooled(spooled).unwrap();
    let received = Received { body, file_digest: Sha256::digest(&file.bytes).into(), expected_study: None };
    assert!(matches!(house.gate.take_in(origin, received).await.unwrap(), Taken::Stored(_)));
    assert!(house.data_set(&file.sop_instance_uid).await.is_some());
    house.check_again(&file.bytes, 1).await;
}

/// One MFER file of a school.
fn mfer(seed: u64) -> Vec<u8> {
    let files = datasets::school(40, seed).flat_map(|child| child.files);
    files.map(|file| (file.path, file.bytes)).find(|(path, _)| path.ends_with(".mwf")).unwrap().1
}

/// MFER is held as the DICOM waveform made of it and given back as received, from intake and from a pack; the same file, and
/// the waveform made of it, are held already; verified whole.
#[tokio::test]
async fn mfer_is_held_as_a_waveform_and_given_back_as_received() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path()).await;
    let file = mfer(3);
    let Taken::Stored(uids) = house.send(&file).await else { panic!("not stored") };
    let digest: [u8; 32] = Sha256::digest(&file).into();
    let mut dicom = None;
    for packed in [false, true] {
        if packed {
            house.pack().await;
        }
        let held = house.reader.find(&uids.sop_instance_uid).await.unwrap().unwrap();
        assert_eq!((held.record.digests.file, held.record.received_bytes), (digest, file.len() as u64));
        assert_eq!(crate::received_bytes(&house.reader, &held).await.unwrap(), file);
        let part10 = house.reader.read(&held, None).await.unwrap();
        assert_eq!(&part10[128..132], b"DICM");
        let dicom = dicom.get_or_insert_with(|| part10.clone());
        assert_eq!(*dicom, part10);
        assert!(matches!(house.send(&file).await, Taken::AlreadyHeld(_)));
        assert!(matches!(house.send(&part10).await, Taken::AlreadyHeld(_)), "the waveform made of it");
        let json = house.reader.dicom_json(&[held]).await.unwrap().remove(0);
        let json: serde_json::Value = serde_json::from_slice(&json).unwrap();
        assert!(json["54000100"]["Value"][0]["54001010"]["BulkDataURI"].is_string());
        assert!(
            json.as_object().unwrap().keys().all(|tag| !tag.starts_with("7FE1")),
            "what it was made of is not shown"
        );
        let rebuild = |_: &[u8], _: &[u8]| Err("nothing is to be rebuilt".into());
        let verified = archive::verify(&house.reader, &rebuild, &|_| {}).await.unwrap();
        assert_eq!((verified.instances, verified.received_bytes, verified.findings), (1, file.len() as u64, vec![]));
        assert_eq!(house.reader.totals().await.unwrap()[3], file.len() as u64);
    }
}

/// What is damaged, and what no ECG object may hold, is set aside as received, with the byte, and under a code of its own.
#[tokio::test]
async fn damaged_mfer_is_set_aside_as_received() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path()).await;
    let file = mfer(4);
    let check = async |bytes: Vec<u8>, code: &str, words: &str| {
        let Taken::Quarantined { reason, .. } = house.send(&bytes).await else { panic!("taken in") };
        assert_eq!(reason.code, code, "{}", reason.text);
        assert!(reason.text.starts_with("MFER file: ") && reason.text.contains(words), "{}", reason.text);
        let digest = archive::hex(&Sha256::digest(&bytes));
        assert_eq!(house.reader.quarantined_body(&digest).await.unwrap(), bytes);
    };
    check(file[..file.len() / 2].to_vec(), "truncated", "at byte").await;
    // The first channel of a waveform says that its samples are AHA differences.
    let mut differences = file.clone();
    let at = differences.windows(3).position(|bytes| bytes == [0x0A, 1, 0]).unwrap();
    differences[at + 2] = 9;
    check(differences, "unsupported", &format!("at byte {at}")).await;
    // One channel of one sample, WFM 40: a resting EEG.
    let brain = [&[1, 1, 1][..], &[4, 1, 1], &[5, 1, 1], &[8, 1, 40], &[9, 2, 0xF4, 1], &[0x1E, 2, 7, 0]].concat();
    check(brain, "unsupported", "no ECG").await;
}

/// A Part 10 file in Explicit VR Little Endian of these UI and LO elements, in order of their tags.
fn file_of(elements: &[((u16, u16), &str, &str)]) -> Vec<u8> {
    let element = |((group, number), vr, value): &((u16, u16), &str, &str)| {
        let mut value = value.as_bytes().to_vec();
        if value.len() % 2 == 1 {
            value.push(if *vr == "UI" { 0 } else { b' ' });
        }
        let length = u16::try_from(value.len()).unwrap().to_le_bytes();
        [&group.to_le_bytes(), &number.to_le_bytes(), vr.as_bytes(), &length, &value].concat()
    };
    let uid = |number| elements.iter().find(|(tag, ..)| *tag == (8, number)).unwrap().2;
    let meta: Vec<u8> = [
        ((2, 2), "UI", uid(0x16)),
        ((2, 3), "UI", uid(0x18)),
        ((2, 0x10), "UI", "1.2.840.10008.1.2.1"),
        ((2, 0x12), "UI", "1.2.3"),
    ]
    .iter()
    .flat_map(element)
    .collect();
    let mut file = vec![0; 128];
    file.extend_from_slice(b"DICM\x02\0\0\0UL\x04\0");
    file.extend_from_slice(&u32::try_from(meta.len()).unwrap().to_le_bytes());
    file.extend_from_slice(&meta);
    file.extend(elements.iter().flat_map(element));
    file
}

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const SR: &str = "1.2.840.10008.5.1.4.1.1.88.33";
const DOSE: &str = "1.2.840.10008.5.1.4.1.1.88.67";

fn file(class: &str, instance: &str, study: &str, patient: &str) -> Vec<u8> {
    let modality = if class == CT { "CT" } else { "SR" };
    file_of(&[
        ((8, 0x16), "UI", class),
        ((8, 0x18), "UI", instance),
        ((8, 0x60), "CS", modality),
        ((0x10, 0x20), "LO", patient),
        ((0x20, 0xD), "UI", study),
        ((0x20, 0xE), "UI", &format!("{study}.{modality}").replace("CT", "1").replace("SR", "2")),
    ])
}

/// A reader of another centre stores a report beside images, and nothing else: no image, no report of a study that is not
/// held or of another person, no second file under a UID. What is refused leaves nothing behind.
#[tokio::test]
async fn a_reader_stores_annotations_of_held_studies_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path()).await;
    assert!(matches!(house.send(&file(CT, "1.2.3.1.1", "1.2.3", "7")).await, Taken::Stored(_)));
    let gate = house.gate.of_annotations();
    let annotate = async |file: &[u8]| {
        let origin = Origin { centre: "south".into(), received_at: NOW.into(), ..Origin::default() };
        let file_digest = Sha256::digest(file).into();
        let received = Received { body: file.to_vec().into(), file_digest, expected_study: Some("1.2.3".into()) };
        gate.take_in(origin, received).await
    };
    let report = file(SR, "1.2.3.2.1", "1.2.3", "7");
    assert!(matches!(annotate(&report).await, Ok(Taken::Stored(_))));
    assert!(matches!(annotate(&report).await, Ok(Taken::AlreadyHeld(_))));
    let refused = [
        (file(CT, "1.2.3.1.2", "1.2.3", "7"), "an image"),
        (file(DOSE, "1.2.3.2.2", "1.2.3", "7"), "a report of a device"),
        (file(SR, "1.2.3.2.2", "1.2.4", "7"), "another study than it was sent to"),
        (file(SR, "1.2.3.2.2", "1.2.3", "8"), "another person"),
        (file(SR, "1.2.3.1.1", "1.2.3", "7"), "the UID of an image"),
        (b"no DICOM".to_vec(), "no DICOM file"),
    ];
    for (file, what) in refused {
        let answer = annotate(&file).await;
        assert!(matches!(answer, Err(Refusal::NotPermitted(_))), "{what}: {answer:?}");
    }
    assert!(house.reader.quarantined(None).await.unwrap().is_empty());
    assert_eq!(house.reader.instances("1.2.3", None).await.unwrap().len(), 2);
    assert!(house.reader.instances("1.2.4", None).await.unwrap().is_empty());
}

/// A study that is not held has no annotations.
#[tokio::test]
async fn an_annotation_of_a_study_that_is_not_held_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let house = House::open(dir.path()).await;
    let file = file(SR, "1.2.3.2.1", "1.2.3", "7");
    let received = Received { file_digest: Sha256::digest(&file).into(), body: file.into(), expected_study: None };
    let answer = house.gate.of_annotations().take_in(Origin::default(), received).await;
    assert!(matches!(answer, Err(Refusal::NotPermitted(_))), "{answer:?}");
}
