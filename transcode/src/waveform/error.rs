//! Why a waveform file cannot be read or made into DICOM: each names the byte.

/// What is wrong with an MFER file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It does not begin as one.
    #[error("byte 0 does not begin an MFER file")]
    NotMfer,
    /// It ends inside an element.
    #[error("the element {tag:#04x} at byte {offset} needs {needed} bytes, and {available} are left")]
    Truncated {
        /// Its tag.
        tag: u8,
        /// Where it begins.
        offset: usize,
        /// Bytes of its value.
        needed: usize,
        /// Bytes there are.
        available: usize,
    },
    /// A value that no reader can make sense of.
    #[error("the element {tag:#04x} at byte {offset} {what}")]
    Malformed {
        /// Its tag.
        tag: u8,
        /// Where it begins.
        offset: usize,
        /// What is wrong with it.
        what: &'static str,
    },
    /// What the format allows and this reader does not decode.
    #[error("the element {tag:#04x} at byte {offset} asks for {what}, which is not decoded here")]
    Unsupported {
        /// Its tag.
        tag: u8,
        /// Where it begins.
        offset: usize,
        /// What.
        what: &'static str,
    },
    /// More than this reader takes on.
    #[error("byte {offset}: {what}; at most {at_most} are read")]
    TooMany {
        /// Where.
        offset: usize,
        /// What there is too much of.
        what: &'static str,
        /// The limit.
        at_most: u64,
    },
    /// It ends without a waveform.
    #[error("byte {offset} ends the file, and no waveform (WAV) came before it")]
    NoWaveform {
        /// Its end.
        offset: usize,
    },
    /// Whole, but no DICOM waveform can hold it.
    #[error("the waveform at byte {offset} cannot be held as a DICOM waveform: {what}")]
    NotDicom {
        /// Where.
        offset: usize,
        /// Why.
        what: &'static str,
    },
}
