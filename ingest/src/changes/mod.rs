//! The change feed: what the archive did, in the order in which it was told, as the event log `changes`.
//!
//! Images do not tell in which order somebody was told of them, so the order is a log; the number of an event is what a
//! reader resumes by. Nothing in the path of an instance knows of it: one task asks the index, a few times a second at
//! the most, what was done since the marks that its last event holds, and writes that down with one sync. So what was
//! acknowledged and not yet told when the program died is told at the next start: at least once, never lost, never
//! renumbered.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use archive::{Act, ChangeMarks, ChangesSince, EventLog, LoggedEvent, Reader};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::sync::watch;

use crate::door::Now;

/// The log's name.
pub const LOG: &str = "changes";
/// How often the archive is asked what it did.
const ASK_EVERY: Duration = Duration::from_millis(500);
/// Instances and packs told of at once.
const ROWS_MAX: u32 = 5_000;

/// One thing that the archive did. No patient data: UIDs, counts, centres.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "change", rename_all = "kebab-case")]
pub enum Change {
    /// The first instances of a study were taken in.
    Received {
        /// Study Instance UID.
        study: String,
        /// The centre that sent it.
        centre: String,
        /// Instances taken in.
        instances: u64,
    },
    /// Later instances of a study were taken in.
    Changed {
        /// Study Instance UID.
        study: String,
        /// The centre that sent it.
        centre: String,
        /// Instances taken in.
        instances: u64,
    },
    /// Instances of a study are in a pack now: nothing came for it for a while.
    Packed {
        /// Study Instance UID.
        study: String,
        /// The centre that sent it.
        centre: String,
        /// Instances in the pack.
        instances: u64,
        /// The pack's number.
        pack: u64,
        /// It replaced older packs; nothing new came with it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        repacked: bool,
    },
    /// A file was set aside.
    Quarantined {
        /// SHA-256 of the file: its name in the quarantine.
        digest: String,
        /// The centre that sent it.
        centre: String,
        /// The short word of the reason.
        reason: String,
        /// SOP Instance UID, where it could be read.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        instance: Option<String>,
    },
    /// A file that was set aside was taken in after all.
    Released {
        /// SHA-256 of the file.
        digest: String,
    },
    /// A file that was set aside was let go.
    Discarded {
        /// SHA-256 of the file.
        digest: String,
    },
}

impl Change {
    /// The study it is about, if it is about one.
    pub fn study(&self) -> Option<&str> {
        match self {
            Change::Received { study, .. } | Change::Changed { study, .. } | Change::Packed { study, .. } => {
                Some(study)
            }
            _ => None,
        }
    }

    /// The centre it is of, if it says so.
    pub fn centre(&self) -> Option<&str> {
        match self {
            Change::Received { centre, .. }
            | Change::Changed { centre, .. }
            | Change::Packed { centre, .. }
            | Change::Quarantined { centre, .. } => Some(centre),
            Change::Released { .. } | Change::Discarded { .. } => None,
        }
    }
}

/// What each event says beside its change: from where to go on after a crash. Only the last of those written together
/// says the new marks, so that a beginning of them which a crash left says the old ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Through {
    #[serde(flatten)]
    marks: ChangeMarks,
    /// Number of the newest `quarantined` event up to this one, itself included; 0 for none. Each names the one before,
    /// so all of them are found without reading the whole log.
    quarantine_event: u64,
    /// Number of the `quarantined` event before this one, where this is one.
    #[serde(default)]
    quarantine_before: u64,
}

#[derive(Debug, Serialize, Deserialize)]
struct Line {
    #[serde(flatten)]
    change: Change,
    through: Through,
}

/// The change an event of the log is, if this version understands it.
pub fn change_of(event: &Value) -> Option<Change> {
    serde_json::from_value(event.clone()).ok()
}

/// The one that writes the feed. Held by the process that holds the archive's writer, so that there is one.
pub struct ChangeFeed {
    reader: Reader,
    log: Arc<EventLog>,
    now: Now,
    through: Through,
}

impl ChangeFeed {
    /// Opens the feed of the archive behind `reader`, where its last event left it.
    ///
    /// # Errors
    /// When the log cannot be opened, or its last event is not one of a change feed.
    pub fn open(reader: Reader, now: Now) -> archive::Result<ChangeFeed> {
        let log = Arc::new(EventLog::open(&reader.layout().event_log(LOG))?);
        let through = match log.last_seq() {
            0 => Through::default(),
            last => line_at(&reader, last)?.through,
        };
        Ok(ChangeFeed { reader, log, now, through })
    }

    /// Writes down everything done that is not in the feed yet. Durable on return; answers how many events it was.
    ///
    /// # Errors
    /// When the index cannot be read or the log not be written; nothing is lost by that.
    pub async fn catch_up(&mut self) -> archive::Result<u64> {
        let mut written = 0;
        loop {
            let since = self.reader.changes_since(self.through.marks, ROWS_MAX).await?;
            if since.marks == self.through.marks {
                return Ok(written);
            }
            let more = since.more;
            written += self.write(since).await?;
            if !more {
                return Ok(written);
            }
        }
    }

    /// Keeps the feed until `stop` becomes true, and once more then.
    pub async fn run(mut self, mut stop: watch::Receiver<bool>) {
        loop {
            if let Err(error) = self.catch_up().await {
                tracing::error!(%error, "the change feed could not be written; it is tried again");
            }
            if tokio::time::timeout(ASK_EVERY, stop.wait_for(|stop| *stop)).await.is_ok() {
                break;
            }
        }
        if let Err(error) = self.catch_up().await {
            tracing::error!(%error, "the change feed could not be written; the next start does it");
        }
    }

    async fn write(&mut self, since: ChangesSince) -> archive::Result<u64> {
        let marks = since.marks;
        let changes = self.changes(since).await?;
        let mut through = Through { marks: self.through.marks, ..self.through };
        let (mut values, last) = (Vec::with_capacity(changes.len()), changes.len());
        for (at, change) in changes.into_iter().enumerate() {
            through.quarantine_before = 0;
            if matches!(change, Change::Quarantined { .. }) {
                through.quarantine_before = through.quarantine_event;
                through.quarantine_event = self.log.last_seq() + 1 + at as u64;
            }
            if at + 1 == last {
                through.marks = marks;
            }
            let line = serde_json::to_value(Line { change, through });
            values.push(line.map_err(|error| archive::Error::Refused(format!("change not written: {error}")))?);
        }
        if values.is_empty() {
            // Nothing to tell of (a pack that is gone, an amendment that cannot be read): passed over in memory.
            self.through.marks = marks;
            return Ok(0);
        }
        let (log, at, count) = (Arc::clone(&self.log), (self.now)(), values.len() as u64);
        let append = move || log.append(&at, &values);
        let appended = tokio::task::spawn_blocking(append).await;
        appended.map_err(|error| archive::Error::Refused(format!("change not written: {error}")))??;
        self.through = through;
        Ok(count)
    }

    /// The events of what was done: taken in, packed, set aside, decided.
    async fn changes(&self, since: ChangesSince) -> archive::Result<Vec<Change>> {
        let mut changes = Vec::new();
        for received in since.received {
            let (study, centre, instances) = (received.study_instance_uid, received.centre, received.instances);
            changes.push(match received.is_new {
                true => Change::Received { study, centre, instances },
                false => Change::Changed { study, centre, instances },
            });
        }
        for packed in since.packed {
            changes.push(Change::Packed {
                study: packed.study_instance_uid,
                centre: packed.centre,
                instances: packed.instances,
                pack: packed.pack,
                repacked: packed.is_repacked,
            });
        }
        if since.marks.quarantined != self.through.marks.quarantined {
            changes.extend(self.set_aside().await?);
        }
        for amendment in since.amendments {
            changes.push(match amendment.act {
                Act::QuarantineReleased { digest } => Change::Released { digest },
                Act::QuarantineDiscarded { digest } => Change::Discarded { digest },
            });
        }
        Ok(changes)
    }

    /// Quarantined files that no event tells of, as they came.
    async fn set_aside(&self) -> archive::Result<Vec<Change>> {
        let told = self.told_of()?;
        let all = self.reader.quarantined(None).await?.into_iter().map(|(record, _)| record);
        let new = all.filter(|record| !told.contains(&record.digest));
        Ok(new
            .map(|record| Change::Quarantined {
                digest: record.digest,
                centre: record.origin.centre,
                reason: record.reason.code,
                instance: record.sop_instance_uid,
            })
            .collect())
    }

    /// Digests of the files that `quarantined` events tell of.
    fn told_of(&self) -> archive::Result<HashSet<String>> {
        let (mut told, mut at) = (HashSet::new(), self.through.quarantine_event);
        while at > 0 {
            let line = line_at(&self.reader, at)?;
            let Change::Quarantined { digest, .. } = line.change else {
                return Err(damaged(at, "is not of a quarantined file, and another event says so"));
            };
            told.insert(digest);
            at = line.through.quarantine_before;
        }
        Ok(told)
    }
}

fn line_at(reader: &Reader, seq: u64) -> archive::Result<Line> {
    let event = reader.log_from(LOG, seq).next().transpose()?;
    let line = event.and_then(|LoggedEvent { event, .. }| serde_json::from_value(event).ok());
    line.ok_or_else(|| damaged(seq, "is not one of a change feed"))
}

fn damaged(seq: u64, detail: &str) -> archive::Error {
    archive::Error::Damaged { what: format!("event {seq} of the log {LOG}"), detail: detail.to_owned() }
}

#[cfg(test)]
mod tests;
