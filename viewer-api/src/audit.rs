//! Who saw what: every served object belongs to exactly one event, durable before its first byte leaves.
//!
//! An event is one *act*: one subject sees one study in one rendition for one purpose, during at most
//! [`ACT_SECONDS_MAX`]. Its `accessed` record is on the disk before anything is served; its counts follow in a `closed`
//! record of the same act. Refused attempts and searches are recorded one by one. When a record cannot be made
//! durable, nothing is served. No record holds a name, a Patient ID, a birth date or a search text.
//!
//! One task opens and closes acts and writes for everybody who waits: many records, one sync. Counts are added to an open
//! act where the serving is done, without asking the task (`acts.rs`).

mod acts;

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot};

use self::acts::{Act, OpenActs};
use crate::access::{Permission, Principal};
use crate::clock::Clock;
use crate::error::{Error, Result};

/// Longest time from the first to the last access of one act, in seconds.
pub const ACT_SECONDS_MAX: u64 = 60;
/// Requests that wait for the log at the most; further ones wait outside.
const QUEUE_MAX: usize = 1024;
/// How often acts are looked through for those that are over.
const TICK: Duration = Duration::from_secs(1);

/// Where records are made durable: `archive::EventLog`, or what a test puts in its place.
pub trait AuditLog: Send + Sync + 'static {
    /// Appends records, all or none, and returns when they are on durable storage.
    ///
    /// # Errors
    /// A sentence for the server's log.
    fn append(&self, at: &str, events: &[Value]) -> Result<(), String>;
}

impl AuditLog for archive::EventLog {
    fn append(&self, at: &str, events: &[Value]) -> Result<(), String> {
        archive::EventLog::append(self, at, events).map(|_| ()).map_err(|error| error.to_string())
    }
}

/// In which form something of a study is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Rendition {
    /// Metadata only.
    Metadata,
    /// Pixels, curves or documents, to be looked at.
    View,
    /// Part 10 files as held.
    Download,
    /// Files byte for byte as received.
    Original,
}

impl Rendition {
    /// The word in the record.
    pub fn word(self) -> &'static str {
        match self {
            Rendition::Metadata => "metadata",
            Rendition::View => "view",
            Rendition::Download => "download",
            Rendition::Original => "original",
        }
    }
}

/// What for: the `Purpose-Of-Use` header of a request.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Reading what a screening centre sent; meant where nothing is said.
    #[default]
    Screening,
    /// Treating the person.
    Treatment,
    /// Research that was approved.
    Research,
    /// Running the archive.
    Operations,
}

impl Purpose {
    /// The word in the header and in the record.
    pub fn word(self) -> &'static str {
        match self {
            Purpose::Screening => "screening",
            Purpose::Treatment => "treatment",
            Purpose::Research => "research",
            Purpose::Operations => "operations",
        }
    }

    /// The purpose of that word.
    ///
    /// # Errors
    /// [`Error::Invalid`] for any other word.
    pub fn parse(word: &str) -> Result<Purpose> {
        [Purpose::Screening, Purpose::Treatment, Purpose::Research, Purpose::Operations]
            .into_iter()
            .find(|purpose| purpose.word() == word)
            .ok_or_else(|| {
                let next_step = "use screening, treatment, research or operations, or leave the header out";
                Error::invalid("the Purpose-Of-Use header is not one of the purposes known here", next_step)
            })
    }
}

/// What one serving adds to its act.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Instances begun.
    pub instances: u64,
    /// Frames begun.
    pub frames: u64,
    /// Their bytes.
    pub bytes: u64,
}

impl Counts {
    fn add(&mut self, more: Counts) {
        self.instances += more.instances;
        self.frames += more.frames;
        self.bytes += more.bytes;
    }
}

/// What makes accesses one act.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Key {
    subject: String,
    centre: String,
    study: String,
    rendition: Rendition,
    purpose: Purpose,
}

enum Message {
    Serve { key: Key, counts: Counts, reply: Reply },
    Record { event: Value, reply: Reply },
    Tick { reply: Reply },
    Close { reply: Reply },
}

type Reply = oneshot::Sender<Result<(), String>>;

/// The audit of the read side. Clones write to the same log.
#[derive(Clone)]
pub struct Audit {
    queue: mpsc::Sender<Message>,
    open: Arc<OpenActs>,
    clock: Arc<dyn Clock>,
}

/// The right to serve of one study in one rendition. Held by whatever produces the body.
#[derive(Clone, Debug)]
pub struct Access {
    audit: Audit,
    key: Key,
    act: Option<Arc<Act>>,
}

impl fmt::Debug for Audit {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_struct("Audit").field("open", &self.open).finish_non_exhaustive()
    }
}

impl Audit {
    /// Starts the task that writes, on the current tokio runtime.
    pub fn start(log: Arc<dyn AuditLog>, clock: Arc<dyn Clock>) -> Audit {
        let (queue, messages) = mpsc::channel(QUEUE_MAX);
        let open = Arc::new(OpenActs::default());
        tokio::spawn(run(messages, Ledger { log, clock: Arc::clone(&clock), open: Arc::clone(&open) }));
        Audit { queue, open, clock }
    }

    /// Opens (or joins) the act of this subject, study, rendition and purpose. Durable on return.
    ///
    /// # Errors
    /// [`Error::Audit`] when it could not be recorded: serve nothing.
    pub async fn access(
        &self,
        principal: &Principal,
        study_instance_uid: &str,
        rendition: Rendition,
        purpose: Purpose,
    ) -> Result<Access> {
        let key = Key {
            subject: principal.name.clone(),
            centre: principal.centre.clone(),
            study: study_instance_uid.to_owned(),
            rendition,
            purpose,
        };
        let mut access = Access { audit: self.clone(), act: self.open.get(&key), key };
        access.serve(Counts::default()).await?;
        if access.act.is_none() {
            access.act = self.open.get(&access.key);
        }
        Ok(access)
    }

    /// Records a search: the level, the keys it used (not what it looked for), how many answers it had.
    ///
    /// # Errors
    /// [`Error::Audit`] when it could not be recorded: answer nothing.
    pub async fn searched(&self, principal: &Principal, level: &str, keys: &[&str], answers: usize) -> Result<()> {
        let event = json!({
            "event": "searched", "subject": principal.name, "centre": principal.centre,
            "level": level, "keys": keys, "answers": answers,
        });
        self.ask(|reply| Message::Record { event, reply }).await
    }

    /// Records a refused attempt: of whom (if a credential was good), at what, and which permission was missing.
    ///
    /// # Errors
    /// [`Error::Audit`] when it could not be recorded; the attempt stays refused.
    pub async fn denied(
        &self,
        principal: Option<&Principal>,
        act: &str,
        study_instance_uid: Option<&str>,
        needs: Option<Permission>,
    ) -> Result<()> {
        let event = json!({
            "event": "denied", "subject": principal.map(|p| &p.name), "centre": principal.map(|p| &p.centre),
            "act": act, "study": study_instance_uid, "needs": needs.map(Permission::word),
        });
        self.ask(|reply| Message::Record { event, reply }).await
    }

    /// Records that somebody is about to store annotations of a study. Durable on return.
    ///
    /// # Errors
    /// [`Error::Audit`] when it could not be recorded: store nothing.
    pub async fn annotates(&self, principal: &Principal, study_instance_uid: &str) -> Result<()> {
        let event = json!({
            "event": "annotates", "subject": principal.name, "centre": principal.centre, "study": study_instance_uid,
        });
        self.ask(|reply| Message::Record { event, reply }).await
    }

    /// Records an act of reading, with what it was about: ids and UIDs, no verdict and nothing of a person.
    ///
    /// # Errors
    /// [`Error::Audit`] when it could not be recorded: answer nothing.
    pub async fn read(&self, principal: &Principal, act: &'static str, about: Value) -> Result<()> {
        let event = json!({
            "event": "read", "act": act, "subject": principal.name, "centre": principal.centre, "about": about,
        });
        self.ask(|reply| Message::Record { event, reply }).await
    }

    /// Records that somebody signed in or out.
    ///
    /// # Errors
    /// [`Error::Audit`] when it could not be recorded.
    pub async fn session(&self, principal: &Principal, event: &'static str) -> Result<()> {
        let event = json!({ "event": event, "subject": principal.name, "centre": principal.centre });
        self.ask(|reply| Message::Record { event, reply }).await
    }

    /// Closes the acts that are over. Happens by itself every second; a test with a clock of its own calls it.
    ///
    /// # Errors
    /// [`Error::Audit`] when their counts could not be recorded; it is tried again.
    pub async fn close_finished(&self) -> Result<()> {
        self.ask(|reply| Message::Tick { reply }).await
    }

    /// Closes every act and stops: the last thing before the program ends. Nothing is served after it.
    ///
    /// # Errors
    /// [`Error::Audit`] when the counts could not be recorded.
    pub async fn close(&self) -> Result<()> {
        self.ask(|reply| Message::Close { reply }).await
    }

    async fn ask(&self, message: impl FnOnce(Reply) -> Message) -> Result<()> {
        let (reply, answer) = oneshot::channel();
        self.queue.send(message(reply)).await.map_err(|_| Error::Stopping)?;
        answer.await.map_err(|_| Error::Stopping)?.map_err(Error::Audit)
    }
}

impl Access {
    /// Adds what is about to be served to the act; if that act is over, opens the next one first. Call it before the
    /// first byte of each object.
    ///
    /// # Errors
    /// [`Error::Audit`] when it could not be recorded: serve nothing more.
    pub async fn serve(&self, counts: Counts) -> Result<()> {
        let now = self.audit.clock.now();
        if self.act.as_ref().is_some_and(|act| act.add(counts, now)) {
            return Ok(());
        }
        // That act is over or was closed; another request may have opened the next one.
        if self.audit.open.get(&self.key).is_some_and(|act| act.add(counts, now)) {
            return Ok(());
        }
        self.audit.ask(|reply| Message::Serve { key: self.key.clone(), counts, reply }).await
    }
}

/// The one that opens and closes acts.
struct Ledger {
    log: Arc<dyn AuditLog>,
    clock: Arc<dyn Clock>,
    open: Arc<OpenActs>,
}

async fn run(mut messages: mpsc::Receiver<Message>, mut ledger: Ledger) {
    let mut tick = tokio::time::interval(TICK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            received = messages.recv_many(&mut batch, QUEUE_MAX) => if received == 0 { break },
            _ = tick.tick() => {}
        }
        let last = batch.iter().any(|message| matches!(message, Message::Close { .. }));
        ledger.settle(batch, last).await;
        if last {
            return;
        }
    }
    // Every handle is gone: the counts are still owed.
    ledger.settle(Vec::new(), true).await;
}

/// What a batch of messages calls for.
#[derive(Default)]
struct Turn {
    /// Records to be appended.
    events: Vec<Value>,
    /// Acts that begin with this batch.
    opened: HashMap<Key, Act>,
    /// What is served under which act.
    served: Vec<(Key, Counts)>,
    /// Who waits.
    replies: Vec<Reply>,
}

impl Turn {
    /// What this batch serves under an act.
    fn counts_of(&self, key: &Key) -> Counts {
        let mut counts = Counts::default();
        self.served.iter().filter(|(of, _)| of == key).for_each(|(_, more)| counts.add(*more));
        counts
    }
}

impl Ledger {
    /// Writes what a batch of messages calls for in one append, then answers them. Nothing of it counts if that fails.
    async fn settle(&mut self, batch: Vec<Message>, close_all: bool) {
        let now = self.clock.now();
        let mut turn = Turn::default();
        for message in batch {
            self.take(message, now, &mut turn);
        }
        // An act that is over ends before its successor begins, and what is served now is the successor's. From here on
        // nobody adds to it: its counts are final.
        let closing: Vec<(Key, Arc<Act>, Counts)> = self.open.seal(|act| close_all || act.is_over(now));
        let mut records: Vec<Value> = Vec::with_capacity(closing.len() + turn.events.len());
        for (key, act, counts) in &closing {
            let mut counts = *counts;
            if !turn.opened.contains_key(key) {
                counts.add(turn.counts_of(key));
            }
            records.push(closed(key, act, counts));
        }
        records.append(&mut turn.events);
        if close_all {
            records.extend(turn.opened.iter().map(|(key, act)| closed(key, act, turn.counts_of(key))));
        }
        let answer = self.append(now, records).await;
        if answer.is_ok() {
            closing.iter().for_each(|(key, act, _)| self.open.remove(key, act));
            if !close_all {
                self.begin(turn.opened, turn.served);
            }
        } else if !close_all {
            // Tried again with the next batch; until then nobody serves under them.
            closing.into_iter().for_each(|(_, act, counts)| act.unseal(counts));
        }
        for reply in turn.replies {
            // Who asked may have gone away meanwhile.
            let _ = reply.send(answer.clone());
        }
    }

    /// Their records are durable: from here on anybody may add to them.
    fn begin(&self, opened: HashMap<Key, Act>, served: Vec<(Key, Counts)>) {
        self.open.insert(opened);
        for (key, counts) in served {
            if let Some(act) = self.open.get(&key) {
                act.add_owed(counts);
            }
        }
    }

    fn take(&self, message: Message, now: Timestamp, turn: &mut Turn) {
        match message {
            Message::Serve { key, counts, reply } => {
                let lives = self.open.get(&key).is_some_and(|act| !act.is_over(now));
                if !lives && !turn.opened.contains_key(&key) {
                    let act = Act::new(uuid::Uuid::new_v4().to_string(), now);
                    turn.events.push(accessed(&key, &act));
                    turn.opened.insert(key.clone(), act);
                }
                turn.served.push((key, counts));
                turn.replies.push(reply);
            }
            Message::Record { event, reply } => {
                turn.events.push(event);
                turn.replies.push(reply);
            }
            Message::Tick { reply } | Message::Close { reply } => turn.replies.push(reply),
        }
    }

    async fn append(&self, now: Timestamp, events: Vec<Value>) -> Result<(), String> {
        if events.is_empty() {
            return Ok(());
        }
        let log = Arc::clone(&self.log);
        let append = move || log.append(&now.to_string(), &events);
        let answer = tokio::task::spawn_blocking(append).await.map_err(|e| e.to_string()).and_then(|answer| answer);
        if let Err(error) = &answer {
            tracing::error!(%error, "the audit log cannot be written; nothing is served until it can");
        }
        answer
    }
}

fn accessed(key: &Key, act: &Act) -> Value {
    json!({
        "event": "accessed", "act": act.id(), "subject": key.subject, "centre": key.centre, "study": key.study,
        "rendition": key.rendition.word(), "purpose": key.purpose.word(),
    })
}

fn closed(key: &Key, act: &Act, counts: Counts) -> Value {
    json!({
        "event": "closed", "act": act.id(), "study": key.study, "instances": counts.instances, "frames": counts.frames,
        "bytes": counts.bytes,
    })
}

/// Logs in memory, for tests.
#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    /// Remembers what was appended; refuses everything once told so.
    #[derive(Debug, Default)]
    pub(crate) struct MemoryLog {
        pub(crate) events: Mutex<Vec<Value>>,
        pub(crate) broken: AtomicBool,
    }

    impl MemoryLog {
        pub(crate) fn of(&self, kind: &str) -> Vec<Value> {
            self.events.lock().unwrap().iter().filter(|event| event["event"] == kind).cloned().collect()
        }
    }

    impl AuditLog for MemoryLog {
        fn append(&self, _at: &str, events: &[Value]) -> Result<(), String> {
            if self.broken.load(Ordering::SeqCst) {
                return Err("the disk is full".into());
            }
            self.events.lock().unwrap().extend_from_slice(events);
            Ok(())
        }
    }
}

#[cfg(test)]
mod tests;
