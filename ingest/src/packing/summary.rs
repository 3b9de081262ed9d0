//! What packing did, as it is told.

use std::collections::{BTreeMap, BTreeSet};

use archive::Held;

use super::form::Kept;
use crate::renditions;

/// What packing did, by modality.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// Packs made.
    pub packs: u64,
    /// By modality (`-` where there is none).
    pub modalities: BTreeMap<String, Counts>,
    /// Native-pixel files that were kept as received, each with its reason.
    pub exceptions: Vec<Exception>,
    /// What could not be packed and stays in intake, each with its reason. It is tried again by the next run.
    pub failures: Vec<Failure>,
    /// Studies of which something was packed.
    pub studies: BTreeSet<String>,
    /// Renditions of what was packed.
    pub renditions: renditions::Made,
    /// Why packing has stopped until the program is started again: an independent decoder saw another picture.
    pub stopped: Option<String>,
}

/// Counts of one modality.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Rebuilt byte for byte from pack and recipe.
    pub rebuilt: u64,
    /// Native pixels, kept as received.
    pub native_as_received: u64,
    /// Already compressed, or without pixels: kept as received.
    pub as_received: u64,
    /// Bytes received.
    pub received_bytes: u64,
    /// Bytes held: files, recipes, frame tables.
    pub held_bytes: u64,
}

/// A native-pixel file that was kept as received.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exception {
    /// The file as its sender named it.
    pub file: String,
    /// Its modality.
    pub modality: String,
    /// Why.
    pub reason: String,
}

/// What could not be packed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Its study.
    pub study_instance_uid: String,
    /// Why.
    pub reason: String,
}

impl Summary {
    pub(super) fn count(&mut self, held: &Held, kept: Kept, held_bytes: u64) {
        let modality = &held.record.description.series.modality;
        let modality = if modality.is_empty() { "-" } else { modality };
        let counts = self.modalities.entry(modality.to_owned()).or_default();
        counts.received_bytes += held.record.received_bytes;
        counts.held_bytes += held_bytes;
        let reason = match kept {
            Kept::Rebuilt => {
                counts.rebuilt += 1;
                return;
            }
            Kept::NotNative => {
                counts.as_received += 1;
                return;
            }
            Kept::NotRebuilt(reason) => reason,
            Kept::TooLarge => "it is longer than packable_bytes_max".into(),
        };
        counts.native_as_received += 1;
        let file = held.record.origin.file.clone();
        self.exceptions.push(Exception { file, modality: modality.to_owned(), reason });
    }

    /// A study is looked at until nothing more of it can be packed: the same reason is named once.
    pub(super) fn fail(&mut self, study_instance_uid: &str, reason: String) {
        let failure = Failure { study_instance_uid: study_instance_uid.to_owned(), reason };
        if !self.failures.contains(&failure) {
            self.failures.push(failure);
        }
    }

    /// Adds what another run did.
    pub fn merge(&mut self, other: Summary) {
        self.packs += other.packs;
        self.studies.extend(other.studies);
        for (modality, counts) in other.modalities {
            let sum = self.modalities.entry(modality).or_default();
            sum.rebuilt += counts.rebuilt;
            sum.native_as_received += counts.native_as_received;
            sum.as_received += counts.as_received;
            sum.received_bytes += counts.received_bytes;
            sum.held_bytes += counts.held_bytes;
        }
        self.exceptions.extend(other.exceptions);
        self.failures.extend(other.failures);
        self.stopped = self.stopped.take().or(other.stopped);
    }
}
