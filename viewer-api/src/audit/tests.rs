//! Acts: what belongs to one, when it is closed, and what happens when the log fails.

use std::sync::atomic::Ordering;

use super::testing::MemoryLog;
use super::*;
use crate::access::Role;
use crate::clock::testing::SetClock;

fn reader(name: &str) -> Principal {
    Principal { name: name.into(), centre: "a".into(), permissions: Role::Reader.permissions() }
}

fn one(bytes: u64) -> Counts {
    Counts { instances: 1, frames: 0, bytes }
}

fn audit() -> (Arc<MemoryLog>, SetClock, Audit) {
    let (log, clock) = (Arc::new(MemoryLog::default()), SetClock::default());
    let audit = Audit::start(Arc::clone(&log) as Arc<dyn AuditLog>, Arc::new(clock.clone()));
    (log, clock, audit)
}

#[tokio::test]
async fn accesses_of_one_minute_are_one_act_and_every_object_is_counted_once() {
    let (log, clock, audit) = audit();
    let subject = reader("r");
    let mut total = 0;
    for minute in 0..3 {
        for _ in 0..5 {
            let access = audit.access(&subject, "1.2", Rendition::View, Purpose::Screening).await.unwrap();
            access.serve(one(10)).await.unwrap();
            total += 1;
            clock.forward(10);
        }
        clock.forward(10);
        audit.close_finished().await.unwrap();
        assert_eq!(log.of("accessed").len(), minute + 1);
    }
    audit.close().await.unwrap();
    let closed = log.of("closed");
    assert_eq!(closed.len(), 3);
    assert_eq!(closed.iter().filter_map(|event| event["instances"].as_u64()).sum::<u64>(), total);
    assert_eq!(closed.iter().filter_map(|event| event["bytes"].as_u64()).sum::<u64>(), total * 10);
}

#[tokio::test]
async fn another_subject_study_rendition_or_purpose_is_another_act() {
    let (log, _, audit) = audit();
    let open = async |subject: &str, study: &str, rendition, purpose| {
        audit.access(&reader(subject), study, rendition, purpose).await.unwrap();
    };
    open("r", "1.2", Rendition::View, Purpose::Screening).await;
    open("r", "1.2", Rendition::View, Purpose::Screening).await;
    open("s", "1.2", Rendition::View, Purpose::Screening).await;
    open("r", "1.3", Rendition::View, Purpose::Screening).await;
    open("r", "1.2", Rendition::Download, Purpose::Screening).await;
    open("r", "1.2", Rendition::View, Purpose::Research).await;
    assert_eq!(log.of("accessed").len(), 5);
}

#[tokio::test]
async fn a_long_serving_goes_on_in_a_second_act() {
    let (log, clock, audit) = audit();
    let access = audit.access(&reader("r"), "1.2", Rendition::Download, Purpose::Screening).await.unwrap();
    access.serve(one(1)).await.unwrap();
    clock.forward(61);
    access.serve(one(2)).await.unwrap();
    audit.close().await.unwrap();
    assert_eq!(log.of("accessed").len(), 2);
    assert_eq!(log.of("closed").iter().map(|e| e["bytes"].as_u64().unwrap()).collect::<Vec<_>>(), [1, 2]);
}

#[tokio::test]
async fn when_the_log_fails_nothing_may_be_served_and_it_recovers_with_the_log() {
    let (log, _, audit) = audit();
    log.broken.store(true, Ordering::SeqCst);
    let refused = audit.access(&reader("r"), "1.2", Rendition::View, Purpose::Screening).await;
    assert!(matches!(refused, Err(Error::Audit(_))), "{refused:?}");
    assert!(audit.searched(&reader("r"), "study", &["PatientName"], 0).await.is_err());
    log.broken.store(false, Ordering::SeqCst);
    audit.access(&reader("r"), "1.2", Rendition::View, Purpose::Screening).await.unwrap();
    assert_eq!(log.of("accessed").len(), 1, "the refused one left no act behind");
}

#[tokio::test]
async fn after_the_end_nothing_is_served() {
    let (_, _, audit) = audit();
    audit.close().await.unwrap();
    let refused = audit.access(&reader("r"), "1.2", Rendition::View, Purpose::Screening).await;
    assert!(matches!(refused, Err(Error::Stopping)));
}
