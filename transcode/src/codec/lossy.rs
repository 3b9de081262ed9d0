//! The seam to the lossy coder: a frame in, a codestream out whose loss keeps to a target.

use super::{levels, openjp2};
use crate::error::{Error, Result, contained};
use crate::samples::Samples;

/// Transfer Syntax UID (0002,0010) of what [`encode_lossy`] writes.
pub const TRANSFER_SYNTAX_UID: &str = "1.2.840.10008.1.2.4.91";
/// Lossy Image Compression Method (0028,2114) of what [`encode_lossy`] writes (PS3.3 C.7.6.1.1.5.1).
pub const METHOD: &str = "ISO_15444_1";
/// Which coder writes it and in which version: other bytes for the same frame and target mean another version here,
/// since identifiers are made of it.
pub const CODER: &str = "openjp2-0.6-1";
/// How people are told of it.
pub const DESCRIPTION: &str = "JPEG 2000 irreversible 9/7";

/// What the loss is to keep to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Target {
    /// No sample differs by more than this.
    LargestError(u32),
    /// Peak signal-to-noise ratio, dB, the peak being the largest number that the bits of a sample can say.
    Psnr(f64),
    /// Bits of the samples to bits of the codestream.
    Ratio(f64),
}

/// Times that a quality is tried for a largest error.
const TRIES_MAX: usize = 12;

/// Encodes one frame with loss; three components go through the irreversible colour transform (T.800 Annex G.3).
///
/// # Errors
/// [`Error::Panicked`] or [`Error::Damaged`] when the coder fails or the target cannot be kept.
pub fn encode_lossy(frame: &Samples, target: Target) -> Result<Vec<u8>> {
    let levels = levels(frame.width(), frame.height());
    let encode = |rate| contained("openjp2", || openjp2::encode_irreversible(frame, levels, rate));
    let largest = match target {
        Target::Psnr(decibels) => return encode(openjp2::Rate::Psnr(decibels)),
        Target::Ratio(ratio) => return encode(openjp2::Rate::Ratio(ratio)),
        Target::LargestError(largest) => largest,
    };
    let peak = f64::from((1u32 << frame.bits()) - 1);
    let mut decibels = 20.0 * (peak * 3.0 / f64::from(largest.max(1))).log10();
    for _ in 0..TRIES_MAX {
        let codestream = encode(openjp2::Rate::Psnr(decibels))?;
        let found = super::decode(&codestream)?;
        let errors = (0..frame.values().len()).map(|at| frame.values().at(at).abs_diff(found.values().at(at)));
        if errors.max().unwrap_or(0) <= largest {
            return Ok(codestream);
        }
        decibels += 2.0;
    }
    Err(Error::Damaged { coder: "openjp2", detail: format!("an error of at most {largest} could not be kept") })
}
