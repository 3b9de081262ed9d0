//! The doors and the gate: receives files (STOW-RS, C-STORE, folders, ZIP, DICOMDIR), admits or quarantines each,
//! and packs what was taken in.
//!
//! A door gathers the bytes of one file ([`Receiver`]) and hands them to the [`Gate`], which answers once they are
//! durable; only then does the door answer its sender.

pub mod admit;
pub mod changes;
mod compare;
pub mod dimse;
mod door;
mod error;
pub mod files;
pub mod forward;
#[doc(hidden)]
pub mod fuzzing;
pub mod gateway;
pub mod import;
mod intake;
mod original;
pub mod packing;
mod progress;
mod push;
mod receipt_page;
mod receive;
pub mod renditions;
pub mod repack;
mod stow;

#[cfg(test)]
mod fake;

pub use changes::{Change, ChangeFeed};
pub use dimse::scu;
pub use door::{
    Annotator, Batches, Doorway, Gate, InstanceUids, Now, Principal, Received, Refusal, Taken, is_batch_id,
};
pub use error::{Error, Result};
pub use intake::Intake;
pub use original::received_bytes;
pub use packing::Packer;
pub use progress::{Progress, Silent};
pub use push::{PushOptions, PushResult, push};
pub use receipt_page::receipt_page;
pub use receive::{ReceiveLimits, Receiver, Receiving};
pub use renditions::Renderer;
pub use stow::{PARTS_MEDIA_TYPE, PartResponse, PartsResponse, ROUTES, Route, Stow, StowLimits, Uploads, router};
