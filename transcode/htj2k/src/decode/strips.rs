//! Rows of code-blocks, decoded side by side.

use crate::block::decode::{BlockDecoder, BlockJob};
use crate::codestream::{Qcd, TileBlocks};
use crate::error::{Error, Result};
use crate::geometry::{Rect, Subband};
use crate::simd::Level;

/// What the block decoder has to know of a component.
#[derive(Clone, Copy)]
pub(super) struct Coded<'a> {
    pub level: Level,
    pub blocks: &'a TileBlocks,
    /// What [`TileBlocks`] was read from.
    pub bytes: &'a [u8],
    pub qcd: &'a Qcd,
    pub decompositions: u8,
    pub bits: u8,
    pub causal: bool,
}

/// A number that code-blocks are decoded to.
pub(super) trait Decoded: super::target::Finished + Default + Send + Sync {
    /// Decodes jobs of one subband; answers the most magnitude bits met.
    fn decode(
        decoder: &mut BlockDecoder,
        jobs: &[BlockJob<'_>],
        step: f32,
        out: &mut [Self],
        stride: usize,
    ) -> std::result::Result<u8, crate::block::decode::DamagedBlock>;
}

macro_rules! integer {
    ($integer:ty) => {
        impl Decoded for $integer {
            fn decode(
                decoder: &mut BlockDecoder,
                jobs: &[BlockJob<'_>],
                _: f32,
                out: &mut [$integer],
                stride: usize,
            ) -> std::result::Result<u8, crate::block::decode::DamagedBlock> {
                decoder.decode(jobs, out, stride)
            }
        }
    };
}
integer!(i16);
integer!(i32);

impl Decoded for f32 {
    fn decode(
        decoder: &mut BlockDecoder,
        jobs: &[BlockJob<'_>],
        step: f32,
        out: &mut [f32],
        stride: usize,
    ) -> std::result::Result<u8, crate::block::decode::DamagedBlock> {
        decoder.decode_f32(jobs, step, out, stride)
    }
}

/// Coefficients of some code-blocks of one grid row of a subband.
#[derive(Debug, Default)]
pub(super) struct Strip<T> {
    samples: Vec<T>,
    stride: usize,
    /// Subband coordinates of its first coefficient.
    x0: u32,
    y0: u32,
}

impl<T: Decoded> Strip<T> {
    /// Decodes the code-blocks of grid row `row` (counted from the subband's first) that touch columns `x0..x1`.
    pub fn decode(
        &mut self,
        coded: &Coded<'_>,
        band: &Subband,
        row: u32,
        columns: std::ops::Range<u32>,
        decoder: &mut BlockDecoder,
    ) -> Result<u8> {
        let cells = cells(band, &columns);
        if cells.is_empty() || row >= band.rows {
            (self.stride, self.x0) = (0, columns.start);
            return Ok(0);
        }
        let (first, last) = (band.block(cells.start, row), band.block(cells.end - 1, row));
        (self.x0, self.y0, self.stride) = (first.x0, first.y0, (last.x1 - first.x0) as usize);
        let area = self.stride * first.height() as usize;
        if self.samples.len() < area {
            self.samples.resize(area, T::default());
        }
        self.jobs(coded, band, row, cells, decoder)
    }

    fn jobs(
        &mut self,
        coded: &Coded<'_>,
        band: &Subband,
        row: u32,
        cells: std::ops::Range<u32>,
        decoder: &mut BlockDecoder,
    ) -> Result<u8> {
        let planes = coded.qcd.magnitude_bits(coded.decompositions, band.orientation, band.level)?;
        let step = coded.qcd.step_size(coded.decompositions, band.orientation, band.level, coded.bits)?;
        let mut jobs = [NO_JOB; JOBS_MAX];
        let mut most = 0;
        for from in cells.clone().step_by(JOBS_MAX) {
            let to = cells.end.min(from + JOBS_MAX as u32);
            for (job, column) in jobs.iter_mut().zip(from..to) {
                *job = self.job(coded, band.block(column, row), band.block_index(column, row), planes)?;
            }
            let jobs = &jobs[..(to - from) as usize];
            let met = T::decode(decoder, jobs, step, &mut self.samples, self.stride);
            most = most.max(met.map_err(|damage| {
                let index = band.block_index(from + damage.block as u32, row);
                Error::damaged(coded.blocks.offset(index), format!("code-block {index}: {}", damage.detail))
            })?);
        }
        Ok(most)
    }

    fn job<'a>(&self, coded: &Coded<'a>, rect: Rect, index: usize, planes: u8) -> Result<BlockJob<'a>> {
        let block = coded.blocks.blocks[index];
        let bit_plane = planes.checked_sub(block.zero_bit_planes + 1).or((block.passes == 0).then_some(0));
        let too_many = || {
            let zero = block.zero_bit_planes;
            Error::damaged(
                coded.blocks.offset(index),
                format!("{zero} of {planes} bit-planes are zero, and one is coded"),
            )
        };
        Ok(BlockJob {
            cleanup: coded.blocks.cleanup(coded.bytes, index),
            refinement: coded.blocks.refinement(coded.bytes, index),
            passes: block.passes,
            bit_plane: bit_plane.ok_or_else(too_many)?,
            causal: coded.causal,
            width: rect.width() as usize,
            height: rect.height() as usize,
            offset: (rect.x0 - self.x0) as usize,
        })
    }

    /// Its rows, from column `x0` of the subband on.
    pub fn rows(&self, x0: u32) -> crate::wavelet::Rows<'_, T> {
        let skipped = (x0 - self.x0) as usize;
        let samples = if self.stride == 0 { &[] } else { &self.samples[skipped..] };
        crate::wavelet::Rows { samples, stride: self.stride, first: self.y0 }
    }
}

/// Code-blocks that go to the decoder at a time; it decodes several of them side by side.
const JOBS_MAX: usize = 16;

/// Fills the list of jobs.
const NO_JOB: BlockJob<'static> =
    BlockJob { cleanup: &[], refinement: &[], passes: 0, bit_plane: 0, causal: false, width: 1, height: 1, offset: 0 };

/// Columns of `band`'s grid whose code-blocks touch subband columns `x`.
pub(super) fn cells(band: &Subband, x: &std::ops::Range<u32>) -> std::ops::Range<u32> {
    if x.is_empty() || band.columns == 0 {
        return 0..0;
    }
    let (log2, first) = (band.block_width_log2, band.rect.x0 >> band.block_width_log2);
    ((x.start >> log2) - first)..((x.end - 1) >> log2) + 1 - first
}
