//! One instance as it is held: what is known of it, and where its bytes are.

use std::ops::Range;
use std::sync::Arc;

use crate::Embedded;
use crate::error::Result;
use crate::intake::SegmentReader;
use crate::pack::{HeldForm, InstanceRecord, PackDirectory};

/// One instance as it is held now, with what is needed to read it. Stays readable while it is held, even if the
/// instance moves to a pack meanwhile.
#[derive(Clone, Debug)]
pub struct Held {
    /// What it is, who sent it, its digests.
    pub record: InstanceRecord,
    /// In which form its bytes are held.
    pub form: HeldForm,
    /// Transfer Syntax UID of the Part 10 file as held.
    pub transfer_syntax_uid: String,
    /// Bytes of the Part 10 file as held ([`HeldForm::ReceivedZstd`]: before compression).
    pub part10_bytes: u64,
    /// Bytes it takes up: the file as held, its recipe and frame table.
    pub held_bytes: u64,
    pub(crate) source: Source,
}

impl Held {
    /// The received file inside of the Part 10 file that is held, if that was made of it.
    pub fn embedded(&self) -> Option<&Embedded> {
        self.record.description.instance.embedded.as_ref()
    }

    /// Which bytes of the Part 10 file as held are the received file; of what is held packed, which has a recipe, none are.
    pub fn received_range(&self) -> Range<u64> {
        self.embedded().map_or(0..self.part10_bytes, Embedded::range)
    }

    /// The number of the pack it is in; `None` while it is in intake.
    pub fn pack(&self) -> Option<u64> {
        match &self.source {
            Source::Segment { .. } => None,
            Source::Pack { directory, .. } => Some(directory.number),
        }
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Source {
    Segment { segment: Arc<SegmentReader>, offset: u64 },
    Pack { directory: Arc<PackDirectory>, entry: u32 },
}

/// The instance whose record begins at `offset` of a segment.
pub(super) fn held_in_segment(segment: Arc<SegmentReader>, offset: u64) -> Result<Held> {
    let front = segment.front(offset)?;
    let bytes = front.header.body_bytes;
    let received_bytes = front.meta.received_bytes(bytes);
    Ok(Held {
        form: HeldForm::Intake,
        transfer_syntax_uid: front.meta.description.instance.transfer_syntax_uid.clone(),
        part10_bytes: bytes,
        held_bytes: front.header.record_bytes().unwrap_or(bytes),
        record: InstanceRecord {
            sequence: front.header.sequence,
            description: front.meta.description,
            origin: front.meta.origin,
            digests: front.meta.digests,
            received_bytes,
            variant: front.meta.variant,
        },
        source: Source::Segment { segment, offset },
    })
}

/// The instance that is number `entry` of a pack.
pub(super) fn held_in_pack(directory: Arc<PackDirectory>, entry: u32) -> Result<Held> {
    let instance = directory.instance(entry)?;
    Ok(Held {
        record: instance.record.clone(),
        form: instance.form,
        transfer_syntax_uid: instance.transfer_syntax_uid.clone(),
        part10_bytes: instance.part10_bytes,
        held_bytes: instance.held_bytes,
        source: Source::Pack { directory, entry },
    })
}
