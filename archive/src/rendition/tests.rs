//! Renditions beside a held instance: put, listed, read, made again, damaged, deleted, and never in anybody's way.

use std::path::Path;

use bytes::Bytes;

use super::*;
use crate::{
    Admission, Body, Description, Digests, FrameSpan, FrameTable, Origin, Query, Reader, Settings, TakeIn, Verified,
    Writer,
};

const STUDY: &str = "1.2.3";
const AT: &str = "2026-01-02T03:04:05Z";

async fn archive(dir: &Path) -> (Writer, Reader, [u8; 32]) {
    let (writer, reader) = crate::open(dir, Settings::default()).await.unwrap();
    let body = Bytes::from_static(b"as received");
    let file: [u8; 32] = Sha256::digest(&body).into();
    let mut description = Description::default();
    description.study.study_instance_uid = STUDY.into();
    description.series.series_instance_uid = "1.2.3.4".into();
    description.instance.sop_instance_uid = "1.2.3.4.5".into();
    let take_in = TakeIn {
        origin: Origin { centre: "c".into(), file: "f".into(), received_at: AT.into(), ..Origin::default() },
        description,
        dicom_json: Bytes::from_static(b"{}"),
        frames: FrameTable::default(),
        digests: Digests { file, data_set: Some(file) },
        body: Body::Memory(body),
    };
    writer.take_in(take_in, Admission::Ordinary).await.unwrap();
    (writer, reader, file)
}

fn set(policy: &str) -> RenditionSet {
    let (study_instance_uid, coder) = (STUDY.into(), "coder-1".into());
    RenditionSet { study_instance_uid, policy: policy.into(), coder, created_at: AT.into() }
}

fn rendition(file: &[u8; 32], kind: RenditionKind, profile: &str, part10: &'static [u8]) -> NewRendition {
    let loss =
        (kind == RenditionKind::Derivative).then_some(Loss { largest_error: 7, psnr_db: Some(51.5), ratio: 9.0 });
    let record = RenditionRecord {
        source_sop_instance_uid: "1.2.3.4.5".into(),
        source_file: crate::hex(file),
        kind,
        profile: profile.into(),
        sop_instance_uid: "2.25.1".into(),
        series_instance_uid: "2.25.2".into(),
        transfer_syntax_uid: "1.2.840.10008.1.2.4.203".into(),
        loss,
    };
    let frames = vec![FrameSpan { offset: 1, length: 2, fragments: 1, resolution_ends: vec![1, 2] }];
    NewRendition { record, part10: Bytes::from_static(part10), frames: FrameTable { frames } }
}

async fn put(writer: &Writer, file: &[u8; 32], policy: &str, at: &str) -> bool {
    let set = RenditionSet { created_at: at.into(), ..set(policy) };
    let Some(mut builder) = writer.begin_renditions(set, &[*file]).await.unwrap() else { return false };
    let light = rendition(file, RenditionKind::Derivative, "ct-1", b"light");
    assert!(builder.add(light).await.unwrap() > 5);
    builder.add(rendition(file, RenditionKind::ViewingCopy, "view", b"the copy")).await.unwrap();
    builder.finish().await.unwrap();
    true
}

async fn verified(reader: &Reader) -> Verified {
    crate::verify(reader, &|_, _| Err("nothing is packed".into()), &|_| {}).await.unwrap()
}

#[tokio::test]
async fn what_is_put_is_listed_and_read_and_nobody_else_sees_it() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, reader, file) = archive(dir.path()).await;
    let totals = reader.totals().await.unwrap();
    assert!(put(&writer, &file, "p-1", AT).await);
    assert!(!put(&writer, &file, "p-1", AT).await, "the same again is there already");
    let held = reader.find("1.2.3.4.5").await.unwrap().unwrap();
    let found = reader.renditions(&held).await.unwrap();
    let [light, copy] = found.as_slice() else { panic!("{found:?}") };
    assert_eq!((light.record.kind, light.record.loss.unwrap().largest_error), (RenditionKind::Derivative, 7));
    assert_eq!(reader.read_rendition(light, None).await.unwrap(), "light");
    assert_eq!(reader.read_rendition(copy, Some(4..100)).await.unwrap(), "copy");
    assert_eq!(reader.rendition_frames(copy).await.unwrap().frames[0].resolution_ends, [1, 2]);
    assert_eq!(reader.viewing_copy(&held).await.unwrap().as_ref(), Some(copy));
    // Nothing that counts or searches knows them.
    assert_eq!(reader.totals().await.unwrap(), totals);
    assert!(reader.find("2.25.1").await.unwrap().is_none());
    assert_eq!(reader.search_studies(Query::default()).await.unwrap()[0].number_of_study_related_instances, 1);
    let verified = verified(&reader).await;
    assert_eq!((verified.renditions, verified.findings), (2, Vec::new()));
}

#[tokio::test]
async fn made_anew_by_another_policy_the_newest_counts_until_the_old_ones_go() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, reader, file) = archive(dir.path()).await;
    put(&writer, &file, "p-1", AT).await;
    put(&writer, &file, "p-2", "2027-01-02T03:04:05Z").await;
    let policies = async || {
        let found = reader.renditions_of_study(STUDY).await.unwrap();
        found.into_iter().map(|rendition| rendition.set.policy).collect::<Vec<_>>()
    };
    assert_eq!(policies().await, ["p-2", "p-2"]);
    assert_eq!(writer.delete_renditions(STUDY, &[set("p-2").key(&[file])]).await.unwrap(), 1);
    assert_eq!(policies().await, ["p-2", "p-2"]);
    // The index is made anew without them, and they are found all the same.
    drop(writer);
    drop(reader);
    crate::delete_index(dir.path()).unwrap();
    let (writer, reader) = crate::open(dir.path(), Settings::default()).await.unwrap();
    assert_eq!(reader.renditions_of_study(STUDY).await.unwrap().len(), 2);
    assert_eq!(writer.delete_renditions(STUDY, &[]).await.unwrap(), 1);
    assert!(reader.renditions_of_study(STUDY).await.unwrap().is_empty());
    assert_eq!(verified(&reader).await.findings, Vec::new(), "deleting them loses nothing");
}

#[tokio::test]
async fn damage_is_named_by_verify_and_passed_over_by_readers_and_mended_by_making_them_again() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, reader, file) = archive(dir.path()).await;
    put(&writer, &file, "p-1", AT).await;
    let path = reader.layout().objects().join(set("p-1").key(&[file]));
    let whole = std::fs::read(&path).unwrap();
    let check = async |bytes: &[u8], listed: usize| {
        std::fs::write(&path, bytes).unwrap();
        assert_eq!(reader.renditions_of_study(STUDY).await.unwrap().len(), listed);
        let found = verified(&reader).await.findings;
        assert!(found.iter().all(|finding| finding.detail.contains("renditions make --remake")) && !found.is_empty());
    };
    let at = whole.windows(5).position(|five| five == b"light").unwrap();
    let mut flipped = whole.clone();
    flipped[at] ^= 1;
    check(&flipped, 2).await;
    check(&whole[..whole.len() - 1], 0).await;
    check(&[], 0).await;
    assert!(put(&writer, &file, "p-1", AT).await, "what is damaged is made again");
    assert_eq!(std::fs::read(&path).unwrap(), whole);
    assert_eq!(verified(&reader).await.findings, Vec::new());
}

#[tokio::test]
async fn a_rendition_of_what_is_not_held_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let (writer, reader, _) = archive(dir.path()).await;
    put(&writer, &[9; 32], "p-1", AT).await;
    let found = verified(&reader).await.findings;
    assert!(found.iter().all(|finding| finding.detail.contains("not held")) && found.len() == 2, "{found:?}");
    let bad = rendition(&[9; 32], RenditionKind::Derivative, "../x", b"light");
    let mut builder = writer.begin_renditions(set("p-9"), &[]).await.unwrap().unwrap();
    assert!(builder.add(bad).await.is_err());
    builder.finish().await.unwrap();
    assert!(!writer.objects().exists(&set("p-9").key(&[])).await.unwrap(), "nothing made, no object");
}
