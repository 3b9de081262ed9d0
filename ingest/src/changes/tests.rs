//! The feed tells of everything that was done, in order, whatever is killed in between.

use std::path::Path;
use std::sync::Arc;

use archive::{Admission, Body, Description, Digests, Form, Origin, Quarantined, Reason, Settings, TakeIn, Writer};

use super::*;

const AT: &str = "2026-11-23T00:00:00Z";

fn now() -> Now {
    Arc::new(|| AT.into())
}

struct House {
    dir: tempfile::TempDir,
    writer: Option<Writer>,
    reader: Reader,
}

impl House {
    async fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let (writer, reader) = archive::open(dir.path(), Settings::default()).await.unwrap();
        House { dir, writer: Some(writer), reader }
    }

    fn writer(&self) -> &Writer {
        self.writer.as_ref().unwrap()
    }

    fn path(&self) -> &Path {
        self.dir.path()
    }

    /// Closes the archive and opens it again, its index made anew where asked.
    async fn reopen(&mut self, rebuilt: bool) {
        self.writer = None;
        if rebuilt {
            archive::delete_index(self.path()).unwrap();
        }
        let (writer, reader) = archive::open(self.path(), Settings::default()).await.unwrap();
        (self.writer, self.reader) = (Some(writer), reader);
    }

    fn feed(&self) -> ChangeFeed {
        ChangeFeed::open(self.reader.clone(), now()).unwrap()
    }

    async fn take_in(&self, study: u32, instance: u32) {
        let body = format!("instance {study}.{instance}").into_bytes();
        let mut description = Description::default();
        description.study.study_instance_uid = format!("1.2.{study}");
        description.series.series_instance_uid = format!("1.2.{study}.1");
        description.instance.sop_instance_uid = format!("1.2.{study}.1.{instance}");
        let mut digest = [0; 32];
        digest[..8].copy_from_slice(&(u64::from(study) << 32 | u64::from(instance)).to_le_bytes());
        let take_in = TakeIn {
            origin: Origin { centre: "north".into(), received_at: AT.into(), ..Origin::default() },
            description,
            dicom_json: "{}".into(),
            frames: Default::default(),
            digests: Digests { file: digest, data_set: Some(digest) },
            body: Body::Memory(body.into()),
        };
        self.writer().take_in(take_in, Admission::Ordinary).await.unwrap();
    }

    async fn pack(&self, study: u32) {
        let uid = format!("1.2.{study}");
        let mut pack = self.writer().begin_pack(&uid, AT).await.unwrap();
        for held in self.reader.backlog_of(&uid, u64::MAX).await.unwrap() {
            pack.add(&self.reader, &held, "{}".into(), Form::Received).await.unwrap();
        }
        pack.finish().await.unwrap();
    }

    async fn quarantine(&self, serial: u8) {
        let record = Quarantined {
            digest: archive::hex(&[serial; 32]),
            bytes: 1,
            origin: Origin { centre: "north".into(), received_at: AT.into(), ..Origin::default() },
            reason: Reason { code: "not-dicom".into(), ..Reason::default() },
            ..Quarantined::default()
        };
        self.writer().quarantine(record, &Body::Memory("x".into())).await.unwrap();
    }

    /// The feed as anybody reads it.
    fn told(&self) -> Vec<Change> {
        self.reader.log_from(LOG, 1).map(|event| change_of(&event.unwrap().event).unwrap()).collect()
    }
}

/// One word for each change, with what it is about.
fn words(changes: &[Change]) -> Vec<String> {
    let word = |change: &Change| match change {
        Change::Received { study, instances, .. } => format!("received {study} {instances}"),
        Change::Changed { study, instances, .. } => format!("changed {study} {instances}"),
        Change::Packed { study, instances, pack, .. } => format!("packed {study} {instances} {pack}"),
        Change::Quarantined { digest, reason, .. } => format!("quarantined {} {reason}", &digest[..2]),
        Change::Released { digest } => format!("released {}", &digest[..2]),
        Change::Discarded { digest } => format!("discarded {}", &digest[..2]),
    };
    changes.iter().map(word).collect()
}

/// Each kind of change is told once, in order, and a restart or a rebuilt index tells nothing again.
#[tokio::test]
async fn every_change_is_told_in_order_and_once() {
    let mut house = House::new().await;
    let mut feed = house.feed();
    for (study, instance) in [(1, 1), (2, 1), (1, 2)] {
        house.take_in(study, instance).await;
    }
    feed.catch_up().await.unwrap();
    house.take_in(2, 2).await;
    house.pack(1).await;
    house.quarantine(0xAB).await;
    feed.catch_up().await.unwrap();
    let digest = archive::hex(&[0xAB; 32]);
    house.writer().amend(AT, "who", "why", Act::QuarantineReleased { digest }).await.unwrap();
    feed.catch_up().await.unwrap();
    let expected = [
        "received 1.2.1 2",
        "received 1.2.2 1",
        "changed 1.2.2 1",
        "packed 1.2.1 2 1",
        "quarantined ab not-dicom",
        "released ab",
    ];
    assert_eq!(words(&house.told()), expected);
    for rebuilt in [false, true] {
        drop(feed);
        house.reopen(rebuilt).await;
        feed = house.feed();
        assert_eq!(feed.catch_up().await.unwrap(), 0, "rebuilt: {rebuilt}");
    }
    house.quarantine(0x01).await;
    house.quarantine(0xCD).await;
    feed.catch_up().await.unwrap();
    assert_eq!(words(&house.told())[6..], ["quarantined 01 not-dicom", "quarantined cd not-dicom"]);
    assert_eq!(house.reader.log_end(LOG).unwrap(), 8);
}

/// Wherever the log was cut off by a crash, what it lost is told again, and nothing else is: numbers go on from there.
#[tokio::test]
async fn whatever_a_crash_cut_off_is_told_again() {
    let mut house = House::new().await;
    let mut feed = house.feed();
    house.take_in(1, 1).await;
    feed.catch_up().await.unwrap();
    for study in 2..=4 {
        house.take_in(study, 1).await;
    }
    house.pack(2).await;
    house.quarantine(1).await;
    house.quarantine(2).await;
    feed.catch_up().await.unwrap();
    drop(feed);
    let path = house.reader.layout().event_log(LOG);
    let whole = std::fs::read(&path).unwrap();
    let all: std::collections::BTreeSet<String> = words(&house.told()).into_iter().collect();
    assert_eq!(all.len(), 7);
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    for end in ends.into_iter().chain([0, 10, whole.len() - 5]) {
        std::fs::write(&path, &whole[..end]).unwrap();
        house.reopen(false).await;
        house.feed().catch_up().await.unwrap();
        let told = words(&house.told());
        let found: std::collections::BTreeSet<String> = told.iter().cloned().collect();
        assert_eq!(found, all, "cut at {end}");
        let quarantined = told.iter().filter(|word| word.starts_with("quarantined")).count();
        assert_eq!(quarantined, 2, "cut at {end}: told again though it was there");
        let numbers: Vec<u64> = house.reader.log_from(LOG, 1).map(|event| event.unwrap().seq).collect();
        assert_eq!(numbers, (1..=told.len() as u64).collect::<Vec<_>>());
    }
}

/// The feed does not keep anybody from taking in: it asks, and is not asked. Printed: what a round costs.
#[tokio::test]
async fn a_round_of_the_feed_costs_little() {
    let house = House::new().await;
    let mut feed = house.feed();
    for instance in 0..400 {
        house.take_in(instance % 40, instance).await;
    }
    let started = std::time::Instant::now();
    assert_eq!(feed.catch_up().await.unwrap(), 40);
    let busy = started.elapsed();
    let started = std::time::Instant::now();
    for _ in 0..100 {
        assert_eq!(feed.catch_up().await.unwrap(), 0);
    }
    let idle = started.elapsed() / 100;
    println!("change feed: 400 instances of 40 studies told in {busy:?}; a round with nothing new: {idle:?}");
    assert!(idle < Duration::from_millis(20), "{idle:?}");
}
