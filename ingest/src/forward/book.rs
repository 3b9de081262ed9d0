//! The durable queue: what is to be sent where, what was, and what a peer refused, as the event log `forward`.
//!
//! The log is what counts; what is held in memory is read from it, also lines that the command line appends while a
//! forwarder runs. Each line says from which line on a later start has to read, so that what was settled long ago costs
//! nothing.

use std::collections::{BTreeMap, HashMap, HashSet, VecDeque};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use archive::{EventLog, Events};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{World, source::Outgoing};

/// Settled studies that are remembered, so that later instances of theirs go alone.
const SETTLED_MAX: usize = 20_000;
/// Lines that are read again at a start at least, for them.
const LINES_AGAIN: u64 = 50_000;
/// Refused instances of a study that are kept by name.
const REFUSED_MAX: usize = 100;

/// How a study stands with one destination.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum JobState {
    /// It is to be sent.
    #[default]
    Waiting,
    /// All of it is acknowledged.
    Done,
    /// All of it is acknowledged or refused for good.
    Refused,
    /// It was tried too often.
    GaveUp,
    /// Somebody decided that it is not to be sent.
    Cancelled,
}

/// An instance that a peer does not take.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// SOP Instance UID.
    pub instance: String,
    /// The peer's status; 0 where it did not get as far.
    pub code: u16,
    /// Why.
    pub reason: String,
}

/// One study on its way to one destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Job {
    /// By what it is retried and cancelled.
    pub id: u64,
    /// The destination.
    pub to: String,
    /// Study Instance UID.
    pub study: String,
    /// The centre it came from.
    pub centre: String,
    /// The last change of it that was seen.
    pub feed: u64,
    /// How it stands.
    pub state: JobState,
    /// Not before then, RFC 3339 in UTC.
    pub due: String,
    /// When it was first queued.
    pub queued_at: String,
    /// Failed attempts in a row.
    pub attempts: u32,
    /// Instances acknowledged, each once.
    pub sent: u64,
    /// Of these, sent with their patient's local ID.
    pub coerced: u64,
    /// Instances refused for good: the first of them by name.
    pub refused: Vec<Refused>,
    /// How many those are.
    pub refused_instances: u64,
    /// Why it failed last.
    pub why: String,
    /// All instances up to this key are settled.
    #[serde(skip)]
    through: u64,
    /// These are, where keys have no order.
    #[serde(skip)]
    keys: HashSet<u64>,
}

impl Job {
    /// Whether an instance was acknowledged or refused.
    pub fn has_settled(&self, instance: &Outgoing) -> bool {
        instance.key <= self.through || self.keys.contains(&instance.key)
    }

    fn is_open(&self) -> bool {
        !matches!(self.state, JobState::Done | JobState::Cancelled)
    }
}

/// What is written. Nothing of the patient: UIDs, names of destinations, statuses.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub(super) enum Act {
    /// A destination is new.
    Began { to: String, feed: u64 },
    /// Changes were seen that concern nobody.
    Seen {},
    /// A study is to be sent; with the number of its job, where it has one.
    Queued {
        #[serde(default, skip_serializing_if = "Option::is_none")]
        job: Option<u64>,
        to: String,
        study: String,
        centre: String,
        feed: u64,
        due: String,
    },
    /// Instances are settled.
    Sent {
        job: u64,
        #[serde(default)]
        through: u64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        keys: Vec<u64>,
        stored: u64,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        refused: Vec<Refused>,
        /// Of the stored, with their patient's local ID.
        #[serde(default)]
        coerced: u64,
    },
    /// An attempt failed; not before `due` again. One that is not counted is no step to giving up.
    Failed { job: u64, why: String, due: String, counted: bool },
    /// Everything is settled, as of that change.
    Done { job: u64, feed: u64 },
    /// It was tried too often.
    GaveUp { job: u64, why: String },
    /// Somebody wants it tried anew, from its first instance.
    Retried { job: u64, due: String },
    /// Somebody wants it not sent.
    Cancelled { job: u64 },
}

/// What each line says beside its act.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Marks {
    /// A start reads from this line on.
    replay: u64,
    /// Up to which change each destination has seen the feed.
    feed: BTreeMap<String, u64>,
}

#[derive(Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    act: Act,
    marks: Marks,
}

/// The durable queue of one forwarder.
#[derive(Clone)]
pub struct Book {
    inner: Arc<Mutex<Inner>>,
}

struct Inner {
    log: EventLog,
    tail: Events,
    jobs: BTreeMap<u64, Job>,
    by_study: HashMap<(String, String), u64>,
    settled: VecDeque<u64>,
    feed: BTreeMap<String, u64>,
    last: u64,
}

impl Book {
    /// Opens the book at `path`, or makes it.
    ///
    /// # Errors
    /// When the log cannot be opened or read.
    pub fn open(path: &Path) -> archive::Result<Book> {
        let log = EventLog::open(path)?;
        let last = log.last_seq();
        let replay = match last {
            0 => 1,
            last => match log.read_from(last).next().transpose()? {
                Some(event) => marks_of(&event.event).replay.min(last.saturating_sub(LINES_AGAIN)).max(1),
                None => 1,
            },
        };
        let tail = log.read_from(replay);
        let (jobs, by_study, settled) = (BTreeMap::new(), HashMap::new(), VecDeque::new());
        let mut inner = Inner { log, tail, jobs, by_study, settled, feed: BTreeMap::new(), last: 0 };
        inner.read_on()?;
        Ok(Book { inner: Arc::new(Mutex::new(inner)) })
    }

    /// Every job in memory, by number: all that are open, and those settled lately.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn jobs(&self) -> archive::Result<Vec<Job>> {
        self.with(|inner| {
            inner.read_on()?;
            Ok(inner.jobs.values().cloned().collect())
        })
    }

    /// Has a job tried anew, from its first instance: whatever the peer has already, it answers as held.
    ///
    /// # Errors
    /// [`archive::Error::Refused`] where there is no such job; when the log cannot be written.
    pub fn retry(&self, id: u64, world: &World) -> archive::Result<Job> {
        self.decide(id, world, Act::Retried { job: id, due: world.at() })
    }

    /// Has a job not sent.
    ///
    /// # Errors
    /// As [`Book::retry`].
    pub fn cancel(&self, id: u64, world: &World) -> archive::Result<Job> {
        self.decide(id, world, Act::Cancelled { job: id })
    }

    fn decide(&self, id: u64, world: &World, act: Act) -> archive::Result<Job> {
        self.with(|inner| {
            inner.read_on()?;
            let missing = || archive::Error::Refused(format!("there is no job {id}; see the list"));
            inner.jobs.get(&id).ok_or_else(missing)?;
            inner.write(&world.at(), &[act])?;
            inner.jobs.get(&id).cloned().ok_or_else(missing)
        })
    }

    /// Up to which change a destination has seen the feed; `None` for one that is new.
    pub(super) fn position(&self, to: &str) -> Option<u64> {
        self.with(|inner| inner.feed.get(to).copied())
    }

    /// Notes that a destination has seen the feed up to there, in memory; the next line says so.
    pub(super) fn seen(&self, to: &str, feed: u64) {
        self.with(|inner| {
            let at = inner.feed.entry(to.to_owned()).or_default();
            *at = (*at).max(feed);
        });
    }

    /// The job of a study, if it is known.
    pub(super) fn job_of(&self, to: &str, study: &str) -> Option<Job> {
        self.with(|inner| {
            let id = inner.by_study.get(&(to.to_owned(), study.to_owned()))?;
            inner.jobs.get(id).cloned()
        })
    }

    /// A job as it stands.
    pub(super) fn job(&self, id: u64) -> Option<Job> {
        self.with(|inner| inner.jobs.get(&id).cloned())
    }

    /// The first job of a destination, in feed order, that is due.
    pub(super) fn due(&self, to: &str, now: &str) -> archive::Result<Due> {
        self.with(|inner| {
            inner.read_on()?;
            let waiting = inner.jobs.values().filter(|job| job.state == JobState::Waiting && job.to == to);
            let due = waiting.filter(|job| job.due.as_str() <= now);
            let first = due.min_by_key(|job| (job.feed, job.id));
            Ok(first.map_or(Due::Later, |job| Due::Now(Box::new(job.clone()))))
        })
    }

    /// Writes acts down. Durable on return.
    pub(super) async fn write(&self, at: String, acts: Vec<Act>) -> archive::Result<()> {
        let book = self.clone();
        let write = move || book.with(|inner| inner.write(&at, &acts));
        let written = tokio::task::spawn_blocking(write).await;
        written.map_err(|error| archive::Error::Refused(format!("the book was not written: {error}")))?
    }

    fn with<T>(&self, act: impl FnOnce(&mut Inner) -> T) -> T {
        act(&mut self.inner.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// When a destination has something to do.
pub(super) enum Due {
    /// Now.
    Now(Box<Job>),
    /// Later, or not at all.
    Later,
}

fn marks_of(event: &Value) -> Marks {
    event.get("marks").and_then(|marks| serde_json::from_value(marks.clone()).ok()).unwrap_or_default()
}

impl Inner {
    fn write(&mut self, at: &str, acts: &[Act]) -> archive::Result<()> {
        let open = self.jobs.values().filter(|job| job.is_open()).map(|job| job.id).min();
        let marks = Marks { replay: open.unwrap_or(self.last + 1), feed: self.feed.clone() };
        let line = |act: &Act| {
            let line = serde_json::to_value(Line { act: act.clone(), marks: marks.clone() });
            line.map_err(|error| archive::Error::Refused(format!("the book was not written: {error}")))
        };
        let values: Vec<Value> = acts.iter().map(line).collect::<archive::Result<_>>()?;
        self.log.append(at, &values)?;
        self.read_on()
    }

    /// Applies every line that was written since, by whomever.
    fn read_on(&mut self) -> archive::Result<()> {
        while let Some(event) = self.tail.next().transpose()? {
            self.last = event.seq;
            for (to, feed) in marks_of(&event.event).feed {
                let at = self.feed.entry(to).or_default();
                *at = (*at).max(feed);
            }
            match serde_json::from_value::<Line>(event.event) {
                Ok(line) => self.apply(event.seq, event.at, line.act),
                // Written by a later version.
                Err(error) => tracing::warn!(seq = event.seq, %error, "a line of the log forward was not understood"),
            }
        }
        Ok(())
    }

    fn apply(&mut self, seq: u64, at: String, act: Act) {
        match act {
            Act::Began { to, feed } => drop(self.feed.insert(to, feed)),
            Act::Seen {} => {}
            Act::Queued { job, to, study, centre, feed, due } => {
                let id = job.unwrap_or(seq);
                let queued = self.feed.entry(to.clone()).or_default();
                *queued = (*queued).max(feed);
                self.by_study.insert((to.clone(), study.clone()), id);
                let new = || Job { id, to, study, centre, queued_at: at, ..Job::default() };
                let job = self.jobs.entry(id).or_insert_with(new);
                (job.feed, job.due, job.state, job.attempts) = (feed, due, JobState::Waiting, 0);
            }
            Act::Sent { job, through, keys, stored, refused, coerced } => {
                let Some(job) = self.jobs.get_mut(&job) else { return };
                job.through = job.through.max(through);
                job.keys.extend(keys);
                job.sent += stored;
                job.coerced += coerced;
                job.refused_instances += refused.len() as u64;
                let room = REFUSED_MAX.saturating_sub(job.refused.len());
                job.refused.extend(refused.into_iter().take(room));
                (job.attempts, job.why) = (0, String::new());
            }
            Act::Failed { job, why, due, counted } => {
                let Some(job) = self.jobs.get_mut(&job) else { return };
                (job.why, job.due) = (why, due);
                job.attempts += u32::from(counted);
            }
            Act::Done { job, feed } => self.settle(job, feed),
            Act::GaveUp { job, why } => {
                let Some(job) = self.jobs.get_mut(&job) else { return };
                (job.why, job.state) = (why, JobState::GaveUp);
            }
            Act::Retried { job, due } => {
                let Some(job) = self.jobs.get_mut(&job) else { return };
                let Job { id, to, study, centre, feed, queued_at, .. } = std::mem::take(job);
                *job = Job { id, to, study, centre, feed, queued_at, due, ..Job::default() };
            }
            Act::Cancelled { job } => {
                if let Some(found) = self.jobs.get_mut(&job) {
                    found.state = JobState::Cancelled;
                    self.remember(job);
                }
            }
        }
    }

    /// Unless more has come for it meanwhile.
    fn settle(&mut self, id: u64, feed: u64) {
        let Some(job) = self.jobs.get_mut(&id).filter(|job| job.feed <= feed) else { return };
        job.why.clear();
        job.state = if job.refused_instances == 0 { JobState::Done } else { JobState::Refused };
        if job.state == JobState::Done {
            self.remember(id);
        }
    }

    /// The job is settled: it is forgotten once so many others have been since.
    fn remember(&mut self, id: u64) {
        self.settled.push_back(id);
        while self.settled.len() > SETTLED_MAX {
            let Some(oldest) = self.settled.pop_front() else { return };
            let forgotten = self.jobs.get(&oldest).is_some_and(|job| !job.is_open()) && !self.settled.contains(&oldest);
            if forgotten && let Some(job) = self.jobs.remove(&oldest) {
                self.by_study.remove(&(job.to, job.study));
            }
        }
    }
}
