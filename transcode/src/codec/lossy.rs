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

#[cfg(test)]
mod tests {
    use htj2k::simd::Level;
    use htj2k::{Alone, DecodeOptions, Decoder, Encoder, Samples as Numbers, SamplesMut, Shape};

    use super::*;

    #[test]
    fn every_machine_writes_the_same_bytes_and_reads_the_same_samples() {
        // Proves that a UID made of source, target and coder names one object only, whatever instructions a machine has.
        let numbers: Vec<u16> =
            (0..200u32 * 150).map(|n| (n * n / 77 % 613 + n % 200 * 11 + n / 200 * 5) as u16 & 0xFFF).collect();
        for components in [1, 3] {
            let shape = Shape { width: 200, height: 150 / u32::from(components), components, bits: 12, signed: false };
            let numbers = &numbers[..shape.samples() as usize];
            let quality = Quality::LargestError(8);
            let parameters = EncodeParameters { quality, ..EncodeParameters::default() };
            let made = Level::available().map(|level| {
                let (mut codestream, mut back) = (Vec::new(), vec![0u16; numbers.len()]);
                let mut encoder = Encoder::with_level(level);
                encoder.encode(&shape, Numbers::U16(numbers), &parameters, &Alone, &mut codestream).unwrap();
                let (options, out) = (DecodeOptions::default(), SamplesMut::U16(&mut back));
                Decoder::with_level(level).decode(&codestream, &options, &Alone, out).unwrap();
                (codestream, back)
            });
            let made: Vec<_> = made.collect();
            assert!(made.windows(2).all(|two| two[0] == two[1]), "{components} components");
        }
    }
}
