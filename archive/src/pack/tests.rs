//! Packs written, read back, cut, changed, and opened by others.

use std::io::Read;
use std::sync::Arc;

use bytes::Bytes;
use futures::FutureExt;
use object_store::ObjectStoreExt;
use object_store::memory::InMemory;
use sha2::{Digest, Sha256};

use super::*;
use crate::{Error, Fault, Faulty, FrameSpan, FrameTable, Objects, Result};

const STUDY: &str = "1.2.3";

fn memory() -> Objects {
    Objects::over(Arc::new(InMemory::new()))
}

fn noise(seed: u64, len: usize) -> Bytes {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let next = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..len).map(next).collect::<Vec<u8>>().into()
}

fn record(n: u32) -> InstanceRecord {
    let mut record = InstanceRecord { sequence: 100 + u64::from(n), received_bytes: 5000, ..Default::default() };
    let description = &mut record.description;
    description.study.study_instance_uid = STUDY.into();
    description.study.patient.patient_name = "Yamada^Tarou=山田^太郎".into();
    description.series.series_instance_uid = format!("1.2.3.{}", n % 2);
    description.series.series_description = format!("said by {}", n % 3); // contradicts itself within a series
    description.instance.sop_instance_uid = format!("1.2.3.4.{n}");
    record.origin.centre = "centre-a".into();
    record.digests.file[0] = n as u8;
    record.digests.data_set = Some([0; 32]);
    record.variant = n == 2;
    record
}

fn json(n: u32) -> Bytes {
    format!(r#"{{"00080018":{{"vr":"UI","Value":["1.2.3.4.{n}"]}}, "spaced" : [1,  2]}}"#).into()
}

fn table(count: u64) -> FrameTable {
    let frame = |n| FrameSpan { offset: n * 10, length: 10, fragments: 1, resolution_ends: vec![4, 10] };
    FrameTable { frames: (0..count).map(frame).collect() }
}

/// An instance of each form in turn: packed, received, received under zstd.
fn instance<'a>(n: u32) -> NewInstance<'a> {
    let file = noise(n.into(), 300 + n as usize);
    let part10_bytes = file.len() as u64;
    let (form, data) = match n % 3 {
        0 => (HeldForm::Packed, file),
        1 => (HeldForm::Received, file),
        _ => (HeldForm::ReceivedZstd, zstd::bulk::compress(&file, 3).unwrap().into()),
    };
    NewInstance {
        record: record(n),
        form,
        transfer_syntax_uid: "1.2.840.10008.1.2.1".into(),
        part10_bytes,
        data: PackData::Memory(data),
        recipe: (form == HeldForm::Packed).then(|| noise(n.into(), 50)),
        frames: table(u64::from(n % 4)),
        dicom_json: json(n),
    }
}

async fn write(objects: &Objects, number: u64, count: u32) -> Result<PackDirectory> {
    let mut writer = PackWriter::begin(objects, number, STUDY, "2026-01-02T03:04:05Z").await?;
    for n in 0..count {
        writer.add(instance(n)).await?;
    }
    writer.finish().await
}

#[tokio::test]
async fn everything_comes_back_as_it_went() {
    // Proves that the directory read is the one written, and each instance's file, ranges of it, recipe, frame table and
    // JSON are those given; with few instances (one range read) and many (the directory is longer than the tail).
    for count in [1, 7, 150] {
        let objects = memory();
        let written = write(&objects, 7, count).await.unwrap();
        let read = read_directory(&objects, &key(7)).await.unwrap();
        assert_eq!(read, written);
        read.verify(&objects).await.unwrap();
        assert_eq!(read.object_bytes, objects.len(&key(7)).await.unwrap());
        for (n, held) in (0..count).zip(&read.instances) {
            let entry = n + 1;
            assert_eq!((held.entry, &held.record), (entry, &record(n)));
            let file = noise(n.into(), 300 + n as usize);
            assert_eq!(read.read_part10(&objects, entry, 0..held.part10_bytes).await.unwrap(), file);
            assert_eq!(read.read_part10(&objects, entry, 250..1 << 40).await.unwrap(), file.slice(250..));
            assert_eq!(read.read_part10(&objects, entry, 1000..2000).await.unwrap(), "");
            let recipe = read.read_recipe(&objects, entry).await.unwrap();
            assert_eq!(recipe, (n % 3 == 0).then(|| noise(n.into(), 50)));
            assert_eq!(read.read_frames(&objects, entry).await.unwrap(), table(u64::from(n % 4)));
            let (document, place) = read.document_of(entry).unwrap();
            assert_eq!(read.document_series(document).unwrap(), format!("1.2.3.{}", n % 2));
            assert_eq!(read.read_documents(&objects, document).await.unwrap()[place], json(n));
            let entry_bytes = objects.get_range(&key(7), held.dcm.data()).await.unwrap();
            assert_eq!(held.held_sha256, <[u8; 32]>::from(Sha256::digest(&entry_bytes)));
        }
        assert!(matches!(read.instance(0), Err(Error::NotFound(_))));
        assert!(matches!(read.instance(count + 1), Err(Error::NotFound(_))));
    }
}

#[tokio::test]
async fn the_same_instances_give_the_same_bytes() {
    let (one, two) = (memory(), memory());
    write(&one, 3, 9).await.unwrap();
    write(&two, 3, 9).await.unwrap();
    assert_eq!(one.get(&key(3)).await.unwrap(), two.get(&key(3)).await.unwrap());
    assert_eq!(key(1_234_567), "packs/567/pack-000001234567.zip");
    assert!(matches!(write(&one, 3, 9).await, Err(Error::Refused(_))), "a pack is never overwritten");
}

#[tokio::test]
async fn other_readers_open_it() {
    // Proves against the zip crate: every entry has the name, the offset and the bytes we say; documents are arrays.
    let objects = memory();
    let directory = write(&objects, 1, 6).await.unwrap();
    let bytes = objects.get(&key(1)).await.unwrap();
    let mut zip = ::zip::ZipArchive::new(std::io::Cursor::new(bytes.clone())).unwrap();
    let mut names = Vec::new();
    for index in 0..zip.len() {
        let mut entry = zip.by_index(index).unwrap();
        let mut content = Vec::new();
        entry.read_to_end(&mut content).unwrap(); // checks the CRC-32
        let name = entry.name().unwrap().to_string();
        if name.starts_with("series-") {
            let array: serde_json::Value = serde_json::from_slice(&zstd::decode_all(&*content).unwrap()).unwrap();
            assert_eq!(array.as_array().unwrap().len(), 3);
        }
        if let Some(held) = directory.instances.iter().find(|held| held.dcm.name == name) {
            assert_eq!(entry.data_start(), Some(held.dcm.data().start));
            assert_eq!(content, bytes[held.dcm.data().start as usize..held.dcm.data().end as usize]);
        }
        names.push(name);
    }
    assert_eq!(names[..6], ["1.dcm", "1.recipe", "2.dcm", "2.frames", "3.dcm.zst", "3.frames"]);
    assert_eq!(names[names.len() - 3..], ["series-1.json.zst", "series-2.json.zst", "pack.json"]);
}

#[tokio::test]
async fn every_prefix_and_every_changed_byte_is_refused() {
    // Proves that a pack cut anywhere is refused, and that a byte changed anywhere is seen by opening or verifying it.
    let objects = memory();
    write(&objects, 5, 3).await.unwrap();
    let whole = objects.get(&key(5)).await.unwrap();
    let path = object_store::path::Path::from(key(5));
    for cut in 0..whole.len() {
        objects.store().put(&path, whole.slice(..cut).into()).await.unwrap();
        let refused = read_directory(&objects, &key(5)).await;
        assert!(matches!(refused, Err(Error::Damaged { .. })), "cut at {cut}: {refused:?}");
    }
    for at in 0..whole.len() {
        let mut changed = whole.to_vec();
        changed[at] ^= 1;
        objects.store().put(&path, changed.into()).await.unwrap();
        let refused = match read_directory(&objects, &key(5)).await {
            Ok(directory) => directory.verify(&objects).await,
            Err(error) => Err(error),
        };
        assert!(matches!(refused, Err(Error::Damaged { .. })), "changed at {at}: {refused:?}");
    }
    objects.store().put(&object_store::path::Path::from(key(6)), whole.into()).await.unwrap();
    let renamed = read_directory(&objects, &key(6)).await.unwrap_err().to_string();
    assert!(renamed.contains("it says that it is pack 5"), "{renamed}");
}

#[tokio::test]
async fn what_contradicts_itself_is_refused_and_the_pack_goes_on() {
    let objects = memory();
    let mut writer = PackWriter::begin(&objects, 1, STUDY, "").await.unwrap();
    let spoilt: [fn(&mut NewInstance<'_>); 7] = [
        |new| new.record.description.study.study_instance_uid = "1.2.9".into(),
        |new| new.form = HeldForm::Intake,
        |new| new.recipe = None,
        |new| new.form = HeldForm::Received,
        |new| new.part10_bytes += 1,
        |new| new.dicom_json = "[{}]".into(),
        |new| {
            new.frames.frames = vec![FrameSpan::default(), FrameSpan { resolution_ends: vec![1], ..Default::default() }]
        },
    ];
    for (n, spoil) in spoilt.into_iter().enumerate() {
        let mut new = instance(0);
        spoil(&mut new);
        assert!(matches!(writer.add(new).await, Err(Error::Refused(_))), "{n}");
    }
    writer.add(instance(0)).await.unwrap();
    assert_eq!(writer.finish().await.unwrap().instances.len(), 1);
    let empty = PackWriter::begin(&objects, 2, STUDY, "").await.unwrap();
    assert!(matches!(empty.finish().await, Err(Error::Refused(_))));
}

#[tokio::test]
async fn a_file_that_is_not_in_memory_streams_through() {
    // Proves a ranged source over several chunks and parts, and that one whose bytes change between the two readings, or
    // that ends early, spoils the pack instead of being written.
    let file = noise(1, 19 << 20);
    let reads = std::sync::atomic::AtomicUsize::new(0);
    for (spoilt_read, early) in [(usize::MAX, false), (7, false), (0, true)] {
        reads.store(0, std::sync::atomic::Ordering::SeqCst);
        let read = |range: std::ops::Range<u64>| {
            let mut bytes = file[range.start as usize..range.end as usize].to_vec();
            if reads.fetch_add(1, std::sync::atomic::Ordering::SeqCst) == spoilt_read {
                bytes[0] ^= 1;
                bytes.truncate(if early { 5 } else { usize::MAX });
            }
            async move { Ok(Bytes::from(bytes)) }.boxed()
        };
        let objects = memory();
        let mut writer = PackWriter::begin(&objects, 1, STUDY, "").await.unwrap();
        let mut new = instance(1);
        new.part10_bytes = file.len() as u64;
        new.data = PackData::Ranged { len: file.len() as u64, read: &read };
        let added = writer.add(new).await;
        if spoilt_read == usize::MAX {
            added.unwrap();
            let directory = writer.finish().await.unwrap();
            directory.verify(&objects).await.unwrap();
            assert!(directory.read_part10(&objects, 1, 0..1 << 40).await.unwrap() == file);
        } else {
            assert!(matches!(added, Err(Error::Damaged { .. })));
            assert!(writer.add(instance(0)).await.is_err() && writer.finish().await.is_err());
            assert!(!objects.exists(&key(1)).await.unwrap());
        }
    }
}

#[tokio::test]
async fn a_store_that_fails_at_any_write_leaves_no_half_pack() {
    // Proves for every write of a pack of several parts: the fault is answered, and what is under the name afterwards is
    // nothing, or (when only the reply was lost) a whole pack.
    let run = async |fault: Fault| {
        let faulty = Faulty::new(Arc::new(InMemory::new()), fault, 3);
        let objects = Objects::over(Arc::new(faulty.clone()));
        let mut written = Ok(());
        let mut writer = PackWriter::begin(&objects, 1, STUDY, "").await.unwrap();
        for n in 0..3 {
            let mut new = instance(1);
            new.record = record(n);
            new.data = PackData::Memory(noise(n.into(), 6 << 20));
            new.part10_bytes = 6 << 20;
            written = written.and(writer.add(new).await.map(|_| ()));
        }
        let written = written.and(writer.finish().await.map(|_| ()));
        match read_directory(&objects, &key(1)).await {
            Ok(directory) => directory.verify(&objects).await.unwrap(),
            Err(error) => assert!(written.is_err() && matches!(error, Error::NotFound(_)), "{fault:?}: {error}"),
        }
        (faulty.writes(), written.is_ok())
    };
    let (writes, whole) = run(Fault::Never).await;
    assert!(whole && writes >= 4, "{writes}");
    for n in 1..=writes {
        for fault in [Fault::Fail(n), Fault::Tear(n), Fault::LoseReply(n), Fault::DiskFull(n)] {
            assert!(!run(fault).await.1, "{fault:?}");
        }
    }
}

#[tokio::test]
async fn the_first_form_of_a_pack_is_read_for_ever() {
    // Proves that a pack written by the first program (the seven instances of this module) is read as it was meant. The
    // file stays as it is for ever; a new form gets a new file and leaves this test alone.
    let objects = memory();
    objects.put_new(&key(1), Bytes::from_static(include_bytes!("fixtures/pack-v1.zip"))).await.unwrap();
    let read = read_directory(&objects, &key(1)).await.unwrap();
    read.verify(&objects).await.unwrap();
    assert_eq!((read.study_instance_uid.as_str(), read.created_at.as_str()), (STUDY, "2026-01-02T03:04:05Z"));
    assert_eq!(read.instances.len(), 7);
    for (n, held) in (0..).zip(&read.instances) {
        assert_eq!(held.record, record(n));
        let file = read.read_part10(&objects, held.entry, 0..held.part10_bytes).await.unwrap();
        assert_eq!(file, noise(n.into(), 300 + n as usize));
        assert_eq!(read.read_frames(&objects, held.entry).await.unwrap(), table(u64::from(n % 4)));
        let (document, place) = read.document_of(held.entry).unwrap();
        assert_eq!(read.read_documents(&objects, document).await.unwrap()[place], json(n));
    }
}
