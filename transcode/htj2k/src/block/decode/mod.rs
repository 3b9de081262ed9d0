//! HT block decoding: cleanup, significance propagation and magnitude refinement passes (T.814 7.3 to 7.5).
//!
//! A code-block is decoded in two phases. The first reads MEL and VLC and learns of every quad which samples are
//! significant and how many bits they have; the second reads MagSgn. Contexts of the first depend on significance only,
//! so that it never waits for the second: two or more code-blocks run through it side by side, while the second knows
//! where in the stream every sample of a quad row begins and takes them many at a time.

mod bits;
#[cfg(target_arch = "x86_64")]
mod bits_avx512;
mod magsgn;
#[cfg(target_arch = "x86_64")]
mod magsgn_avx2;
#[cfg(target_arch = "x86_64")]
mod magsgn_avx512;
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
mod magsgn_simd128;
mod output;
#[cfg(test)]
mod reference;
mod refinement;
mod tables;
#[cfg(test)]
mod tests;
mod vlc;
#[cfg(target_arch = "x86_64")]
mod vlc_bmi2;

use crate::coefficient::{Coefficient, Plane};
use crate::simd::Level;
use bits::Bits;
use magsgn::Exponents;
use output::{Area, Kernels, Output};
use refinement::{Refinement, Significance};
use vlc::Quads;

/// Samples that a code-block may have (T.800 B.7: log2 of width and height together at most 12).
pub const BLOCK_SAMPLES_MAX: usize = 4096;
/// Columns, and rows, that a code-block may have (T.800 Table A.18).
pub const BLOCK_EDGE_MAX: usize = 1024;
/// Bytes that MEL and VLC may have together: the field Scup has 12 bits and its top value is reserved (T.814 7.1.2).
const SUFFIX_BYTES_MAX: usize = 4079;
/// Code-blocks whose first phases run side by side.
const LANES: usize = 4;

/// What is wrong with a code-block, found by every kernel alike.
const TOO_LARGE: &str = "a magnitude is larger than can be held";
const VLC_OVERRUN: &str = "VLC is longer than its part of the cleanup segment";

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

impl BlockJob<'_> {
    /// Whether refinement passes follow the cleanup pass.
    fn refined(&self) -> bool {
        self.passes > 1 && !self.refinement.is_empty()
    }
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
    lanes: Box<[Quads; LANES]>,
    bits: Bits,
    exponents: Box<Exponents>,
    significance: Significance,
    refinement: Refinement,
}

impl BlockDecoder {
    /// A decoder that uses the instructions of `level` or, where the machine lacks them, of the best level below.
    pub fn new(level: Level) -> BlockDecoder {
        BlockDecoder {
            level: level.runnable(),
            lanes: Box::default(),
            bits: Bits::default(),
            exponents: Box::default(),
            significance: Significance::default(),
            refinement: Refinement::default(),
        }
    }

    /// The level of instructions that it uses. A WebAssembly module has them fixed when it is compiled: the kernels of
    /// other levels are no part of it.
    pub fn level(&self) -> Level {
        if cfg!(all(target_arch = "wasm32", target_feature = "simd128")) { Level::Simd128 } else { self.level }
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
        match T::plane(out) {
            Plane::Narrow(out) => self.batch(jobs, out, stride, |job| output::Integer::new(job.bit_plane)),
            Plane::Wide(out) => self.batch(jobs, out, stride, |job| output::Integer::new(job.bit_plane)),
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

    fn batch<O: Kernels>(
        &mut self,
        jobs: &[BlockJob<'_>],
        out: &mut [O],
        stride: usize,
        scale: impl Fn(&BlockJob<'_>) -> O::Scale,
    ) -> Result<u8, DamagedBlock> {
        let mut met = Met::default();
        let mut start = 0;
        while start < jobs.len() {
            start += self.side_by_side(&jobs[start..], out, stride, &scale, &mut met);
        }
        met.result()
    }

    /// As many of the first jobs as have the same shape, [`LANES`] at most: MEL and VLC of all together, then one after
    /// the other MagSgn.
    fn side_by_side<O: Kernels>(
        &mut self,
        jobs: &[BlockJob<'_>],
        out: &mut [O],
        stride: usize,
        scale: impl Fn(&BlockJob<'_>) -> O::Scale,
        met: &mut Met,
    ) -> usize {
        let same = |job: &&BlockJob<'_>| (job.width, job.height) == (jobs[0].width, jobs[0].height);
        let jobs = &jobs[..jobs.iter().take(LANES).take_while(same).count()];
        let (width, height) = (jobs[0].width, jobs[0].height);
        let mut segments = [Ok(None); LANES];
        let mut suffixes: [&[u8]; LANES] = [&[]; LANES];
        let mut lanes = 0;
        for (segment, job) in segments.iter_mut().zip(jobs) {
            // Only what an area says is a code-block may go on.
            Area::new(out, job.offset, stride, width, height);
            *segment = Cleanup::new(job);
            if let Ok(Some(cleanup)) = segment {
                self.lanes[lanes].begin(cleanup, width, height);
                suffixes[lanes] = cleanup.suffix;
                lanes += 1;
            }
        }
        let level = self.level();
        let whole = vlc::decode(level, &mut self.lanes[..lanes], &suffixes[..lanes], width, height);
        let mut lane = 0;
        for (segment, job) in segments.iter().zip(jobs) {
            let mut area = Area::new(out, job.offset, stride, width, height);
            let bits = match segment {
                Ok(Some(cleanup)) => {
                    lane += 1;
                    let bits = self.magsgn(lane - 1, cleanup, job, &mut area, scale(job));
                    bits.and_then(|bits| if whole[lane - 1] { Ok(bits) } else { Err(VLC_OVERRUN) })
                }
                Ok(None) => Ok(0),
                Err(detail) => Err(*detail),
            };
            if bits == Ok(0) || bits.is_err() {
                area.clear();
            }
            met.add::<O>(bits, scale(job));
        }
        jobs.len()
    }

    fn magsgn<O: Kernels>(
        &mut self,
        lane: usize,
        cleanup: &Cleanup<'_>,
        job: &BlockJob<'_>,
        area: &mut Area<'_, O>,
        scale: O::Scale,
    ) -> Result<u8, &'static str> {
        let (level, quads) = (self.level(), &self.lanes[lane]);
        magsgn::unpack(level, &mut self.bits, cleanup.magsgn, job.width, job.height);
        let bits = O::magsgn(level, quads, &self.bits, &mut self.exponents, area, scale)?;
        if bits > 0 && job.refined() {
            self.significance.gather(&quads.said, quads.stride, job.width, job.height);
            self.refinement.refine(level, &mut self.significance, job, area, scale);
        }
        Ok(bits)
    }
}

/// What a batch has met so far.
#[derive(Default)]
struct Met {
    jobs: usize,
    magnitude_bits: u8,
    first: Option<DamagedBlock>,
}

impl Met {
    fn add<O: Output>(&mut self, bits: Result<u8, &'static str>, scale: O::Scale) {
        match bits {
            Ok(0) => {}
            Ok(bits) => self.magnitude_bits = self.magnitude_bits.max(bits + O::shift(scale)),
            Err(detail) => {
                let damage = DamagedBlock { block: self.jobs, detail, damaged: 0, magnitude_bits: 0 };
                self.first.get_or_insert(damage).damaged += 1;
            }
        }
        self.jobs += 1;
    }

    fn result(self) -> Result<u8, DamagedBlock> {
        let magnitude_bits = self.magnitude_bits;
        self.first.map_or(Ok(magnitude_bits), |damage| Err(DamagedBlock { magnitude_bits, ..damage }))
    }
}

/// A cleanup segment, divided (T.814 7.1.1, Figure 3): MagSgn first, MEL and VLC in one part that is read from both ends.
#[derive(Clone, Copy, Debug)]
struct Cleanup<'a> {
    magsgn: &'a [u8],
    /// MEL from its start; VLC from its end, which holds the 12 bits of its length.
    suffix: &'a [u8],
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
        if job.refined() && job.bit_plane == 0 {
            return Err("a refinement pass below bit-plane 0");
        }
        let (magsgn, suffix) = job.cleanup.split_at(job.cleanup.len() - suffix);
        Ok(Some(Cleanup { magsgn, suffix }))
    }
}
