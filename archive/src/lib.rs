//! Keeps what was taken in.
//!
//! Absent on purpose: HTTP, and any parsing of DICOM. Callers say what an instance is
//! ([`Description`]) and hand over its metadata as DICOM JSON; the archive keeps both beside the bytes.
//!
//! Three types share the work and are never confused: [`Writer`] takes in and packs, [`Reader`] finds and
//! reads, [`EventLog`] remembers what cannot be rebuilt from images. Viewers hold a `Reader` only.

mod amendment;
mod batches;
mod body;
pub mod catalogue;
mod changes;
mod disk;
mod error;
mod event_log;
pub mod fold;
mod frames;
mod index;
mod intake;
mod layout;
mod objects;
pub mod pack;
mod pack_builder;
mod quarantine;
mod reader;
mod record;
mod recovery;
mod rendition;
mod unfinished;
mod verify;
mod writer;

pub use amendment::{Act, Amendment};
pub use body::{Body, ReadSeek};
pub use changes::{ChangeMarks, ChangesSince, PackedStudy, ReceivedStudy};
pub use disk::{Disk, DiskFile, LocalDisk};
pub use error::{Error, Result};
pub use event_log::{EventLog, Events, LoggedEvent, Verified as VerifiedLog};
pub use frames::{FrameSpan, FrameTable};
pub use index::{Match, Order, PackRow, Range, Repackable, SeriesQuery, SeriesRow, StudyQuery, StudyRow};
pub use layout::Layout;
pub use objects::{Fault, Faulty, Listed, ObjectWriter, Objects};
pub use pack::{HeldForm, InstanceRecord, PackDirectory};
pub use pack_builder::{Form, PackBuilder, compress};
pub use quarantine::{QuarantineState, Quarantined};
pub use reader::{BacklogStudy, Held, Reader};
pub use record::{
    Batch, Description, Digests, InstanceAttributes, Origin, Patient, Reason, Receipt, ReceiptQuarantined,
    SeriesAttributes, StudyAttributes, TakeIn,
};
pub use recovery::{delete_index, open, open_on};
pub use rendition::{Loss, NewRendition, Rendition, RenditionBuilder, RenditionKind, RenditionRecord, RenditionSet};
pub use verify::{Finding, Rebuild, Verified, verify};
pub use writer::{Admission, Settings, TakenIn, Writer};

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut out, byte| {
        let _ = write!(out, "{byte:02x}");
        out
    })
}

/// A SHA-256 digest from its 64 hexadecimal digits.
pub fn unhex(text: &str) -> Option<[u8; 32]> {
    let mut digest = [0; 32];
    if text.len() != 64 || !text.is_ascii() {
        return None;
    }
    for (byte, pair) in digest.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(digest)
}
