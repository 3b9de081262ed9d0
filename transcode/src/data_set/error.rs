//! What can be wrong with bytes that claim to be DICOM, and where.

use dicom_core::Tag;

/// Why a file could not be scanned, its frames not be found, or its header not be rewritten.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes do not begin as a DICOM file does.
    #[error("not a DICOM file: it looks like {looks_like}")]
    NotDicom {
        /// What the first bytes look like.
        looks_like: &'static str,
    },
    /// The bytes end before an element does.
    #[error("truncated: {tag} at byte {offset} needs {needed} bytes, {available} are left")]
    Truncated {
        /// The element.
        tag: Tag,
        /// Byte of its tag.
        offset: u64,
        /// Bytes it needs.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },
    /// Sequences lie deeper in each other than the limit.
    #[error("{tag} at byte {offset} is nested deeper than {nesting_max} sequences")]
    Nesting {
        /// The sequence that was one too many.
        tag: Tag,
        /// Byte of its tag.
        offset: u64,
        /// The limit.
        nesting_max: u16,
    },
    /// More elements, items, fragments or frames than the limit.
    #[error("more than {elements_max} elements, items, fragments or frames at byte {offset}")]
    ElementCount {
        /// Byte where the limit was met.
        offset: u64,
        /// The limit.
        elements_max: usize,
    },
    /// The values outside Pixel Data are larger than the limit.
    #[error("{tag} at byte {offset}: its {bytes} bytes exceed what a header may hold, {header_bytes_max} bytes in all")]
    TooBig {
        /// The element that was too much.
        tag: Tag,
        /// Byte of its tag.
        offset: u64,
        /// Its length.
        bytes: u64,
        /// The limit on all of them.
        header_bytes_max: u64,
    },
    /// A deflated Data Set becomes larger than the limit.
    #[error("the deflated data set inflates to more than {inflated_bytes_max} bytes")]
    InflatedTooBig {
        /// The limit.
        inflated_bytes_max: u64,
    },
    /// A VR that is none, where its length makes no sense either.
    #[error("{tag} at byte {offset}: {} is not a value representation", show(.vr))]
    BadVr {
        /// The element.
        tag: Tag,
        /// Byte of its tag.
        offset: u64,
        /// The two bytes where the VR should be.
        vr: [u8; 2],
    },
    /// An undefined length where only a defined one may be.
    #[error("{tag} at byte {offset} has an undefined length, which its value representation does not allow")]
    UndefinedLength {
        /// The element.
        tag: Tag,
        /// Byte of its tag.
        offset: u64,
    },
    /// Something other than an item inside a sequence or between fragments.
    #[error("{tag}: expected an item or the end of the sequence at byte {offset}, found {found}")]
    BadSequence {
        /// The sequence.
        tag: Tag,
        /// Byte where the item should be.
        offset: u64,
        /// The tag found there.
        found: Tag,
    },
    /// Pixel Data is shorter than Rows, Columns and so on say.
    #[error("pixel data holds {actual} bytes, its description needs {expected}")]
    PixelLength {
        /// Bytes by description.
        expected: u64,
        /// Bytes there are.
        actual: u64,
    },
    /// Fewer fragments than frames.
    #[error("pixel data holds {fragments} fragments for {frames} frames")]
    FragmentCount {
        /// Number of Frames.
        frames: u32,
        /// Fragments, without the Basic Offset Table.
        fragments: usize,
    },
    /// Several fragments a frame and nothing that says where a frame begins.
    #[error("cannot tell which of {fragments} fragments belong to which of {frames} frames")]
    FramesUnclear {
        /// Number of Frames.
        frames: u32,
        /// Fragments, without the Basic Offset Table.
        fragments: usize,
    },
    /// Reading failed.
    #[error("cannot read the file: {0}")]
    Io(#[from] std::io::Error),
}

/// Two bytes as a person would want to see them.
fn show(vr: &[u8; 2]) -> String {
    format!("\"{}\"", vr.escape_ascii())
}
