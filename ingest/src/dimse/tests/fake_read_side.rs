//! A read side for tests: what it is given, it finds, selects and opens; what it is asked, it remembers.

use std::sync::Mutex;

use async_trait::async_trait;
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value};

use super::*;

#[derive(Default)]
pub struct FakeReadSide {
    pub answers: Mutex<Vec<Map<String, Value>>>,
    pub instances: Mutex<Vec<Instance>>,
    /// Every query: level, keys, offset.
    pub asked: Mutex<Vec<(Level, Vec<Key>, u32)>>,
    pub wanted: Mutex<Vec<Wanted>>,
    pub opened: Mutex<Vec<(String, String)>>,
    pub denied: Mutex<Vec<(String, &'static str)>>,
    /// Before each instance is opened.
    pub delay: Mutex<Duration>,
}

/// Matches on one page.
pub const PAGE: usize = 10;

/// What an instance is sent as: its UID, over and over, in an element that any Data Set may have.
pub fn data_set(sop_instance_uid: &str) -> Vec<u8> {
    let value = sop_instance_uid.repeat(5_000);
    let mut out = b"\x08\x00\x18\x00UI".to_vec();
    out.extend_from_slice(&((value.len() & 0xFFFE) as u16).to_le_bytes());
    out.extend_from_slice(value.as_bytes());
    out
}

#[async_trait]
impl ReadSide for FakeReadSide {
    fn supports(&self, _: Level, key: &Key) -> bool {
        key.path != [0x0008_0090]
    }

    async fn find(&self, _: &Peer, level: Level, keys: &[Key], _: Extended, offset: u32) -> Result<Found, Unanswered> {
        self.asked.lock().unwrap().push((level, keys.to_vec(), offset));
        if keys.iter().any(|key| key.value == "bad") {
            return Err(Unanswered::Invalid("the value of StudyDate is not a date".into()));
        }
        let answers = self.answers.lock().unwrap();
        let page: Vec<_> = answers.iter().skip(offset as usize).take(PAGE).cloned().collect();
        Ok(Found { more: offset as usize + page.len() < answers.len(), answers: page })
    }

    async fn select(&self, _: &Peer, wanted: &Wanted, limit: usize) -> Result<Vec<Instance>, Unanswered> {
        self.wanted.lock().unwrap().push(wanted.clone());
        Ok(self.instances.lock().unwrap().iter().take(limit + 1).cloned().collect())
    }

    async fn open(&self, _: &Peer, instance: &Instance, transfer_syntax: &str) -> Result<Outgoing, Unanswered> {
        let (uid, delay) = (instance.sop_instance_uid.clone(), *self.delay.lock().unwrap());
        tokio::time::sleep(delay).await;
        if uid.starts_with("6.6") {
            return Err(Unanswered::Failed("it is damaged".into()));
        }
        self.opened.lock().unwrap().push((uid.clone(), transfer_syntax.to_owned()));
        let bytes = bytes::Bytes::from(data_set(&uid));
        let pieces: Vec<_> =
            (0..bytes.len()).step_by(30_001).map(|at| bytes.slice(at..bytes.len().min(at + 30_001))).collect();
        Ok(Outgoing { transfer_syntax: transfer_syntax.into(), data_set: stream::iter(pieces).map(Ok).boxed() })
    }

    async fn denied(&self, peer: &Peer, act: &'static str) {
        self.denied.lock().unwrap().push((peer.ae_title.clone(), act));
    }
}
