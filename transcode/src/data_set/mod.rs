//! Where everything lies in a DICOM Part 10 file: one bounded pass that keeps the small values and skips the large.
//!
//! [`scan`] walks the elements without recursion and never reads Pixel Data; [`frame_spans`] says where each frame
//! lies; [`rewrite`] makes a fresh Explicit VR Little Endian header. Offsets are bytes of the file, except in a
//! deflated Data Set, where they are bytes of the inflated stream ([`Part10::deflated`], [`inflate`]).
//!
//! Lenient where files of the field are wrong but clear (a missing preamble or meta group, a transfer syntax that is
//! not the one used, unknown VRs, bytes after the Data Set), strict where bytes are missing.
//!
//! Source: PS3.5 §7 (data elements), Annex A (transfer syntaxes); PS3.10 §7 (the file).

pub mod dictionary;
mod edit;
mod element;
mod encoding;
mod error;
mod frame_spans;
mod input;
mod looks;
mod native_model;
mod part10;
mod pixel_description;
pub mod rewrite;
mod scanner;
pub(crate) mod writer;

pub use dicom_core::{Tag, VR};
pub use element::{DataSet, Element, Fragment, Item, Value, swap};
pub use encoding::{
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN, Encoding, IMPLICIT_VR_LITTLE_ENDIAN, is_text,
};
pub use error::Error;
pub(crate) use frame_spans::frame_bits;
pub use frame_spans::{FrameSpan, frame_spans};
pub use native_model::{DICOM_XML, markup_escaped, native_model};
pub use part10::{Part10, Preamble, inflate, scan};
pub use pixel_description::pixel_description;

/// What one file may cost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes of all values that are kept in memory, and of a rewritten header. Default 64 MiB.
    pub header_bytes_max: u64,
    /// Bytes of one binary value that is kept; a larger one is only located. Default 64 KiB.
    pub value_bytes_max: u64,
    /// Sequences inside sequences. Default 64.
    pub nesting_max: u16,
    /// Elements, items and fragments in all. Default 1,000,000.
    pub elements_max: usize,
    /// Bytes a deflated Data Set may inflate to. Default 256 MiB.
    pub inflated_bytes_max: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            header_bytes_max: 64 << 20,
            value_bytes_max: 64 << 10,
            nesting_max: 64,
            elements_max: 1_000_000,
            inflated_bytes_max: 256 << 20,
        }
    }
}

/// Tags that are read here by name.
pub(crate) mod tags {
    pub(crate) use dicom_dictionary_std::tags::*;
}

#[cfg(test)]
mod tests;
