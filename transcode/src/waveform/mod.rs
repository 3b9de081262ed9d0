//! Waveforms that are not DICOM: a reader of MFER (ISO 22077-1), and the DICOM waveform that is made of what it reads.
//!
//! [`looks_like_mfer`] tells such a file by its first bytes, [`read`] reads one into a [`Recording`], [`part10`] makes a
//! Part 10 file of it that holds the received bytes too. Samples are never resampled and never rounded.

mod dicom;
mod error;
mod mfer;
mod recording;

pub use dicom::{Embedded, Part10File, part10};
pub use error::Error;
pub use mfer::{FILE_BYTES_MAX, looks_like_mfer, read};
pub use recording::{
    Channel, Event, Group, Interval, Maker, Patient, PersonName, Recording, Samples, Sensitivity, Sex, Time, Value,
    Warning,
};

/// Bytes that tell what a file is, counted from its first.
pub const LOOK_BYTES: usize = 4096;

/// The media type of an MFER file here: none is registered.
pub const MFER_MEDIA_TYPE: &str = "application/x-mfer";
