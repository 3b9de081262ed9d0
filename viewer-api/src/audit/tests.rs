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

/// Many tasks serve while the clock runs and the log fails now and then. Proves at each moment that what was served is
/// covered by a durable `accessed` record, and in the end that every serving is counted once, in one act.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn counts_are_right_under_concurrency_whatever_the_log_does() {
    let (log, clock, audit) = audit();
    let served = Arc::new(std::sync::atomic::AtomicU64::new(0));
    let tasks = (0..16_u64).map(|task| {
        let (log, audit, served, clock) = (Arc::clone(&log), audit.clone(), Arc::clone(&served), clock.clone());
        tokio::spawn(async move {
            for round in 0..200 {
                let study = format!("1.{}", (task + round) % 3);
                let access = audit.access(&reader("r"), &study, Rendition::View, Purpose::Screening).await;
                if let Ok(access) = access
                    && access.serve(one(7)).await.is_ok()
                {
                    served.fetch_add(1, Ordering::SeqCst);
                    let opened = log.of("accessed").iter().any(|event| event["study"] == study.as_str());
                    assert!(opened, "served before it was recorded");
                }
                if task == 0 {
                    clock.forward(3);
                    log.broken.store(round % 10 == 9, Ordering::SeqCst);
                }
                tokio::task::yield_now().await;
            }
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await.unwrap();
    }
    log.broken.store(false, Ordering::SeqCst);
    audit.close().await.unwrap();
    let (opened, closed) = (log.of("accessed"), log.of("closed"));
    let sum = |name: &str| closed.iter().filter_map(|event| event[name].as_u64()).sum::<u64>();
    let served = served.load(Ordering::SeqCst);
    assert!(served > 0 && opened.len() > 3, "{served} served in {} acts", opened.len());
    assert_eq!((sum("instances"), sum("bytes")), (served, served * 7));
    let mut acts: Vec<&str> = closed.iter().filter_map(|event| event["act"].as_str()).collect();
    let began: std::collections::HashSet<_> = opened.iter().filter_map(|event| event["act"].as_str()).collect();
    acts.sort_unstable();
    acts.dedup();
    assert_eq!((acts.len(), closed.len()), (opened.len(), opened.len()), "each act is closed once");
    assert!(acts.iter().all(|act| began.contains(act)));
}

/// The program may end at any append. Proves that whatever was served up to then had its record in what was appended.
#[tokio::test]
async fn what_was_served_before_a_crash_has_its_record() {
    for appends in 0..6 {
        let log = Arc::new(Dying { left: appends.into(), ..Dying::default() });
        let clock = SetClock::default();
        let audit = Audit::start(Arc::clone(&log) as Arc<dyn AuditLog>, Arc::new(clock.clone()));
        let mut served = Vec::new();
        for step in 0..12 {
            let study = format!("1.{}", step % 2);
            let access = audit.access(&reader("r"), &study, Rendition::View, Purpose::Screening).await;
            if let Ok(access) = access
                && access.serve(one(1)).await.is_ok()
            {
                served.push((clock.now(), study));
            }
            clock.forward(17);
        }
        let kept = log.events.lock().unwrap();
        for (at, study) in served {
            // Its act began at the most a minute before.
            let covers = |(began, event): &(String, Value)| {
                let began: Timestamp = began.parse().unwrap();
                event["event"] == "accessed"
                    && event["study"] == study.as_str()
                    && (0..60).contains(&(at.as_second() - began.as_second()))
            };
            assert!(kept.iter().any(covers), "{study} at {at} after {appends} appends: {kept:?}");
        }
    }
}

/// Takes so many appends and then none: the disk of a program that has ended.
#[derive(Default)]
struct Dying {
    left: std::sync::atomic::AtomicU32,
    events: std::sync::Mutex<Vec<(String, Value)>>,
}

impl AuditLog for Dying {
    fn append(&self, at: &str, events: &[Value]) -> Result<(), String> {
        if self.left.load(Ordering::SeqCst) == 0 {
            return Err("the program has ended".into());
        }
        self.left.fetch_sub(1, Ordering::SeqCst);
        self.events.lock().unwrap().extend(events.iter().map(|event| (at.to_owned(), event.clone())));
        Ok(())
    }
}
