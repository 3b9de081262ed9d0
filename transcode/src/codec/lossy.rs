//! The seam to the lossy coder: a frame in, a codestream out whose loss keeps to a target.

use htj2k::{EncodeParameters, Quality};

use crate::error::{Result, contained};
use crate::samples::Samples;

/// Transfer Syntax UID (0002,0010) of what [`encode_lossy`] writes: High-Throughput JPEG 2000 Image Compression, PS3.5
/// Annex A.4.9. It is coded in RPCL with TLM just as what is lossless, but .202 is for lossless codestreams only (§10.18).
pub const TRANSFER_SYNTAX_UID: &str = "1.2.840.10008.1.2.4.203";
/// Lossy Image Compression Method (0028,2114) of what [`encode_lossy`] writes (PS3.3 C.7.6.1.1.5.1).
pub const METHOD: &str = "ISO_15444_15";
/// Which coder writes it and in which version: whoever changes the bytes that it gives for a frame and a target changes
/// this too, since UIDs are made of it.
pub const CODER: &str = "htj2k-1";
/// How people are told of it.
pub const DESCRIPTION: &str = "HTJ2K irreversible 9/7";

/// What the loss is to keep to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// No sample differs by more than this.
    LargestError(u32),
    /// Peak signal-to-noise ratio, dB, the peak being the largest number that the bits of a sample can say.
    Psnr(f64),
    /// Bytes of the samples, 1 or 2 each, to bytes of the codestream.
    Ratio(f64),
}

/// Encodes one frame with loss; three components go through the irreversible colour transform (T.800 Annex G.3).
///
/// # Errors
/// [`Error::Panicked`](crate::Error::Panicked) or [`Error::Damaged`](crate::Error::Damaged) when the coder fails or the
/// target cannot be kept.
pub fn encode_lossy(frame: &Samples, target: Target) -> Result<Vec<u8>> {
    let quality = match target {
        Target::LargestError(largest) => Quality::LargestError(largest),
        Target::Psnr(decibels) => Quality::Psnr(decibels),
        Target::Ratio(ratio) => Quality::Ratio(ratio),
    };
    let parameters = EncodeParameters { quality, ..EncodeParameters::default() };
    contained("htj2k", || super::htj2k::encode_as(frame, &parameters))
}
