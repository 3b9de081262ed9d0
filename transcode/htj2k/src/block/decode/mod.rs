//! HT block decoding: cleanup, significance propagation and magnitude refinement passes (T.814 7.3 to 7.5).
//!
//! A code-block is decoded in two phases. The first reads MEL and VLC and learns of every quad which samples are
//! significant and how many bits they have; the second reads MagSgn. Contexts of the first depend on significance only,
//! so that it never waits for the second: two or more code-blocks run through it side by side, while the second knows
//! where in the stream every sample of a quad row begins and takes them many at a time.

mod output;
mod refinement;
mod scalar;
mod tables;
#[cfg(test)]
mod tests;

use crate::Coefficient;
use crate::simd::Level;
use output::{Area, Output};

/// Samples that a code-block may have (T.800 B.7: log2 of width and height together at most 12).
pub const BLOCK_SAMPLES_MAX: usize = 4096;
/// Columns, and rows, that a code-block may have (T.800 Table A.18).
pub const BLOCK_EDGE_MAX: usize = 1024;
/// Bytes that MEL and VLC may have together: the field Scup has 12 bits and its top value is reserved (T.814 7.1.2).
const SUFFIX_BYTES_MAX: usize = 4079;

/// One code-block to decode: what the packets held and where its samples go.
#[derive(Clone, Copy, Debug)]
pub struct BlockJob<'a> {
    /// The HT cleanup segment, whole.
    pub cleanup: &'a [u8],
    /// The HT refinement segment: significance propagation forwards, magnitude refinement backwards. Where it is empty,
    /// nothing is refined.
    pub refinement: &'a [u8],
    /// HT passes: 0 (all samples are zero), 1 (cleanup), 2 (and significance propagation), 3 (and magnitude refinement).
    pub passes: u8,
    /// The bit-plane p of the cleanup pass: M_b - 1 - the zero bit-planes.
    pub bit_plane: u8,
    /// Whether contexts are vertically causal (code-block style bit 3).
    pub causal: bool,
    /// Columns, 1 to [`BLOCK_EDGE_MAX`].
    pub width: usize,
    /// Rows, 1 to [`BLOCK_EDGE_MAX`].
    pub height: usize,
    /// Where in the plane its first coefficient goes.
    pub offset: usize,
}

/// A code-block contradicted T.814; its area was zeroed, all others of the batch were decoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("code-block {block} of the batch: {detail}")]
pub struct DamagedBlock {
    /// Which job of the batch: the first that was damaged.
    pub block: usize,
    /// What was found.
    pub detail: &'static str,
    /// How many were damaged.
    pub damaged: usize,
    /// What [`BlockDecoder::decode`] would have returned of the rest.
    pub magnitude_bits: u8,
}

/// Decodes code-blocks. It keeps its buffers: nothing is allocated from the second batch on.
#[derive(Debug)]
pub struct BlockDecoder {
    level: Level,
    scratch: scalar::Scratch,
    significance: refinement::Significance,
}

impl BlockDecoder {
    /// A decoder that uses the instructions of `level`.
    pub fn new(level: Level) -> BlockDecoder {
        BlockDecoder { level, scratch: scalar::Scratch::default(), significance: refinement::Significance::default() }
    }

    /// The level of instructions that it uses.
    pub fn level(&self) -> Level {
        self.level
    }

    /// Decodes a batch into one plane of coefficients whose rows are `stride` apart; every area is written in full.
    ///
    /// Exact integers where the bit-plane is 0; where bit-planes are missing, the middle of what they could have said
    /// (T.800 E.1.1.2 with r = 1/2, rounded down). Returns the most bits that a magnitude of the batch may have: above
    /// 15 an `i16` plane has been overrun and must be decoded again as `i32`.
    ///
    /// # Errors
    /// [`DamagedBlock`] if a code-block cannot be; the rest is decoded nevertheless.
    ///
    /// # Panics
    /// If a job is larger than a code-block may be, or its area is not in `out`.
    pub fn decode<T: Coefficient>(
        &mut self,
        jobs: &[BlockJob<'_>],
        out: &mut [T],
        stride: usize,
    ) -> Result<u8, DamagedBlock> {
        match output::plane(out) {
            output::Plane::Narrow(out) => self.batch(jobs, out, stride, |job| output::Integer::new(job.bit_plane)),
            output::Plane::Wide(out) => self.batch(jobs, out, stride, |job| output::Integer::new(job.bit_plane)),
        }
    }

    /// The same for the irreversible path: every coefficient times `step`, with the reconstruction point in the middle
    /// of its interval (r = 1/2 of the last decoded bit-plane); zero stays zero.
    ///
    /// # Errors
    /// As [`BlockDecoder::decode`].
    ///
    /// # Panics
    /// As [`BlockDecoder::decode`].
    pub fn decode_f32(
        &mut self,
        jobs: &[BlockJob<'_>],
        step: f32,
        out: &mut [f32],
        stride: usize,
    ) -> Result<u8, DamagedBlock> {
        self.batch(jobs, out, stride, |job| output::Real::new(step, job.bit_plane))
    }

    fn batch<O: Output>(
        &mut self,
        jobs: &[BlockJob<'_>],
        out: &mut [O],
        stride: usize,
        scale: impl Fn(&BlockJob<'_>) -> O::Scale,
    ) -> Result<u8, DamagedBlock> {
        let mut met = 0;
        let mut first: Option<DamagedBlock> = None;
        for (number, job) in jobs.iter().enumerate() {
            let mut area = Area::new(out, job.offset, stride, job.width, job.height);
            match self.block(job, &mut area, scale(job)) {
                Ok(bits) => met = met.max(bits),
                Err(detail) => {
                    area.clear();
                    let damage = DamagedBlock { block: number, detail, damaged: 0, magnitude_bits: 0 };
                    first.get_or_insert(damage).damaged += 1;
                }
            }
        }
        first.map_or(Ok(met), |damage| Err(DamagedBlock { magnitude_bits: met, ..damage }))
    }

    fn block<O: Output>(
        &mut self,
        job: &BlockJob<'_>,
        area: &mut Area<'_, O>,
        scale: O::Scale,
    ) -> Result<u8, &'static str> {
        let Some(segment) = Cleanup::new(job)? else {
            area.clear();
            return Ok(0);
        };
        let bits = scalar::decode(&mut self.scratch, &segment, area, scale)?;
        if segment.refined {
            self.significance.gather(&self.scratch.rho, job.width, job.height);
            refinement::refine(&mut self.significance, job, area, scale);
        }
        Ok(if bits == 0 { 0 } else { bits + O::shift(scale) })
    }
}

/// A cleanup segment, divided (T.814 7.1.1, Figure 3): MagSgn first, MEL and VLC in one part that is read from both ends.
#[derive(Clone, Copy, Debug)]
struct Cleanup<'a> {
    magsgn: &'a [u8],
    /// MEL from its start; VLC from its end, which holds the 12 bits of its length.
    suffix: &'a [u8],
    /// Whether refinement passes follow.
    refined: bool,
}

impl<'a> Cleanup<'a> {
    /// `None` if there is nothing to decode.
    fn new(job: &BlockJob<'a>) -> Result<Option<Cleanup<'a>>, &'static str> {
        if job.passes == 0 {
            return Ok(None);
        }
        let &[.., low, high] = job.cleanup else {
            return Err("a cleanup segment of less than two bytes");
        };
        let suffix = usize::from(high) << 4 | usize::from(low & 15);
        if !(2..=SUFFIX_BYTES_MAX).contains(&suffix) || suffix > job.cleanup.len() {
            return Err("MEL and VLC are said to be longer than the cleanup segment, or shorter than two bytes");
        }
        let refined = job.passes > 1 && !job.refinement.is_empty();
        if refined && job.bit_plane == 0 {
            return Err("a refinement pass below bit-plane 0");
        }
        let (magsgn, suffix) = job.cleanup.split_at(job.cleanup.len() - suffix);
        Ok(Some(Cleanup { magsgn, suffix, refined }))
    }
}
