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
mod located;
mod objects;
pub mod pack;
mod pack_builder;
mod positioned;
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
#[doc(hidden)]
pub use index::fill_index;
pub use index::{
    Column, ListQuery, ListedStudy, Match, Order, PackRow, PatientRow, Query, Range, Repackable, SeriesRow, SortBy,
    StudyList, StudyRow, Test,
};
pub use layout::Layout;
pub use located::{HeldBytes, Located};
pub use objects::{Fault, Faulty, Listed, ObjectWriter, Objects};
pub use pack::{HeldForm, InstanceRecord, PackDirectory};
pub use pack_builder::{Form, PackBuilder, compress};
pub use positioned::POSITIONED_BYTES_MAX;
pub use quarantine::{QuarantineState, Quarantined};
pub use reader::{BacklogStudy, Held, Reader};
pub use record::{
    Batch, Description, Digests, Embedded, InstanceAttributes, Origin, Patient, Reason, Receipt, ReceiptQuarantined,
    RequestAttributes, SeriesAttributes, StudyAttributes, TakeIn,
};
pub use recovery::{delete_index, open, open_on};
pub use rendition::{Loss, NewRendition, Rendition, RenditionBuilder, RenditionKind, RenditionRecord, RenditionSet};
pub use verify::{Finding, Rebuild, Verified, verify};
pub use writer::{Admission, Settings, TakenIn, Writer};

/// Lower-case hexadecimal.
pub fn hex(bytes: &[u8]) -> String {
    const DIGITS: [char; 16] = ['0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'];
    let mut out = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        out.push(DIGITS[usize::from(byte >> 4)]);
        out.push(DIGITS[usize::from(byte & 15)]);
    }
    out
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
