//! The step that reaches a wanted quality: found by encoding, decoding and measuring, never by a model.

use super::Encoder;
use super::feeds::Picture;
use crate::decode::Decoder;
use crate::error::{Error, Result};
use crate::image::Values;
use crate::measure::{Measured, measure};
use crate::parameters::{DecodeOptions, EncodeParameters, Quality};
use crate::workers::Workers;

/// Steps tried: between them the interval of the logarithm is halved.
const TRIALS: u32 = 12;
/// The finest step, relative to one grey level. It brings back every 16-bit sample but for rounding.
const STEP_MIN: f32 = 1.0 / 64.0;

/// Appends the codestream of the coarsest step found that reaches `wanted` (for a ratio: of the finest).
pub(super) fn search(
    encoder: &mut Encoder,
    picture: Picture<'_>,
    parameters: &EncodeParameters,
    wanted: Quality,
    workers: &dyn Workers,
    out: &mut Vec<u8>,
) -> Result<()> {
    let mut trial = Trial {
        encoder,
        picture,
        parameters,
        wanted,
        workers,
        decoder: Decoder::new(),
        back: Values::zeros(&picture.shape),
    };
    let (mut fine, mut coarse) = (STEP_MIN.log2(), f32::from(picture.shape.bits));
    let seeks_fine = matches!(wanted, Quality::Ratio(_));
    let mut best: Option<Vec<u8>> = None;
    for number in 0..TRIALS {
        // The two ends first: what even they do not reach is not reached.
        let exponent = match number {
            0 if seeks_fine => coarse,
            0 => fine,
            _ => (fine + coarse) / 2.0,
        };
        let (codestream, reached) = trial.run(exponent.exp2())?;
        if !reached && number == 0 {
            return Err(Error::BadParameters(format!("no step of the quantiser reaches {wanted:?}")));
        }
        if number > 0 {
            *(if reached == seeks_fine { &mut coarse } else { &mut fine }) = exponent;
        }
        if reached {
            best = Some(codestream);
        }
    }
    out.extend_from_slice(&best.unwrap_or_default());
    Ok(())
}

struct Trial<'a, 'b> {
    encoder: &'a mut Encoder,
    picture: Picture<'b>,
    parameters: &'a EncodeParameters,
    wanted: Quality,
    workers: &'a dyn Workers,
    decoder: Decoder,
    back: Values,
}

impl Trial<'_, '_> {
    /// The codestream of one step, and whether it is what was wanted.
    fn run(&mut self, step: f32) -> Result<(Vec<u8>, bool)> {
        let mut codestream = Vec::new();
        self.encoder.write(self.picture, self.parameters, Some(step), self.workers, &mut codestream)?;
        let reached = match self.wanted {
            Quality::Ratio(ratio) => self.picture.shape.raw_bytes() as f64 / codestream.len() as f64 >= ratio,
            Quality::LargestError(error) => self.measure(&codestream)?.largest_error <= error,
            Quality::Psnr(decibels) => self.measure(&codestream)?.psnr_db() >= decibels,
            Quality::Lossless | Quality::Step(_) => true,
        };
        Ok((codestream, reached))
    }

    fn measure(&mut self, codestream: &[u8]) -> Result<Measured> {
        self.decoder.decode(codestream, &DecodeOptions::default(), self.workers, self.back.samples_mut())?;
        Ok(measure(&self.picture.shape, self.picture.samples, self.back.samples()))
    }
}
