//! What the archive did since a mark: the matter of the change feed. Whoever keeps the feed (`ingest`) asks here, and
//! writes down what it is told; nothing in the path of what comes in knows of it.

use serde::{Deserialize, Serialize};

use crate::amendment::{self, Amendment};
use crate::error::Result;
use crate::event_log::{self, Events};
use crate::reader::Reader;
use crate::unfinished::{self, Left};
use crate::{LocalDisk, index, quarantine};

/// Up to where somebody has been told what the archive did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChangeMarks {
    /// Take-in number of the last instance told of.
    pub instances: u64,
    /// Number of the last pack told of.
    pub packs: u64,
    /// Number of the last amendment told of.
    pub amendments: u64,
    /// How many quarantined files were told of, whatever was decided about them since.
    pub quarantined: u64,
}

/// A study of which instances were taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedStudy {
    /// Its Study Instance UID.
    pub study_instance_uid: String,
    /// The centre it is of.
    pub centre: String,
    /// How many came.
    pub instances: u64,
    /// Nothing of it was held before them.
    pub is_new: bool,
}

/// A study of which a pack was put in place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedStudy {
    /// Its Study Instance UID.
    pub study_instance_uid: String,
    /// The centre it is of.
    pub centre: String,
    /// Number of the pack.
    pub pack: u64,
    /// Instances in it.
    pub instances: u64,
    /// It replaced others: nothing new came with it.
    pub is_repacked: bool,
}

/// What was done since the marks, each kind in its own order; instances come before the packs they are in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ChangesSince {
    /// Taken in.
    pub received: Vec<ReceivedStudy>,
    /// Packed.
    pub packed: Vec<PackedStudy>,
    /// Decided.
    pub amendments: Vec<Amendment>,
    /// The marks after all of this. `quarantined` is how many files are (or were) set aside now: where it has grown, ask
    /// [`Reader::quarantined`] which.
    pub marks: ChangeMarks,
    /// There was more than was asked for: ask again with these marks.
    pub more: bool,
}

impl Reader {
    /// What was done after the marks, with at the most `limit` instances and packs. All of it is durable, and was said to
    /// its sender or may be.
    ///
    /// # Errors
    /// When the index or an amendment cannot be read.
    pub async fn changes_since(&self, marks: ChangeMarks, limit: u32) -> Result<ChangesSince> {
        let (mut changes, amendments_through) = self
            .with_index(move |index| {
                // One snapshot, so that no pack is seen whose instances are not.
                let snapshot = index.unchecked_transaction()?;
                let (received, instances, more) = index::received_since(&snapshot, marks, limit)?;
                // A pack may hold instances that did not fit: it waits for them.
                let packed = if more { Vec::new() } else { index::packed_since(&snapshot, marks, limit)? };
                let packs = packed.last().map_or(marks.packs, |last| last.pack);
                let quarantined = quarantine::count(&snapshot)?;
                let more = more || packed.len() as u64 >= u64::from(limit);
                let marks = ChangeMarks { instances, packs, amendments: marks.amendments, quarantined };
                let amended = index::mark(&snapshot, "amendments_through")?;
                Ok((ChangesSince { received, packed, amendments: Vec::new(), marks, more }, amended))
            })
            .await?;
        for number in marks.amendments + 1..=amendments_through {
            if let Left::Whole(amendment) = unfinished::json(self.objects(), &amendment::key(number)).await? {
                changes.amendments.push(amendment);
            }
            changes.marks.amendments = number;
        }
        Ok(changes)
    }

    /// The studies of which instances were taken in after a take-in number, from at the most `limit` instances, and the
    /// number up to which was looked.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn studies_received_after(&self, sequence: u64, limit: u32) -> Result<(Vec<String>, u64)> {
        let marks = ChangeMarks { instances: sequence, ..ChangeMarks::default() };
        let (studies, through, _) = self.with_index(move |index| index::received_since(index, marks, limit)).await?;
        Ok((studies.into_iter().map(|study| study.study_instance_uid).collect(), through))
    }

    /// The take-in number of the newest instance; 0 where none was taken in.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn last_sequence(&self) -> Result<u64> {
        self.with_index(index::last_sequence).await
    }

    /// The events of the log of that name from a number on (the first is 1), as [`EventLog::read_from`](crate::EventLog::read_from)
    /// gives them. Reading from the middle of a long log costs a few reads.
    pub fn log_from(&self, name: &str, seq: u64) -> Events {
        Events::of(std::sync::Arc::new(LocalDisk), &self.layout().event_log(name), seq)
    }

    /// The number of the last event of the log of that name; 0 where there is none.
    ///
    /// # Errors
    /// When the log is there and cannot be read, or its last line is none of an event log.
    pub fn log_end(&self, name: &str) -> Result<u64> {
        event_log::end_of(&LocalDisk, &self.layout().event_log(name))
    }
}
