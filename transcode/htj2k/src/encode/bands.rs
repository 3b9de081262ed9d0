//! One resolution level, band by band: a band is one row of code-blocks of all its subbands. The wavelet makes the
//! coefficients of a band, the block coder eats them while they are in the second-level cache, and nothing of the
//! three high subbands is ever kept whole. Bands need nothing of each other (the few rows around a band that the
//! filters reach are transformed twice), so that they are the tasks of one picture.

use std::ops::Range;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::Coefficient;
use crate::block::encode::BlockEncoder;
use crate::geometry::{Resolution, Subband};
use crate::pool::{Pool, Shares};
use crate::simd::Level;
use crate::wavelet::{Analysis, RowsMut, SubbandsMut, Transform};
use crate::workers::Workers;

/// The bytes of one task's code-blocks, and where each lies in them.
#[derive(Debug, Default)]
pub(super) struct Coded {
    pub bytes: Vec<u8>,
    pub blocks: Vec<CodedSpan>,
    /// Largest magnitude of the low coefficients that the task made.
    pub low_peak: i32,
}

/// One code-block of [`Coded`].
#[derive(Clone, Copy, Debug)]
pub(super) struct CodedSpan {
    /// Its number in the tile's table.
    pub index: usize,
    pub start: usize,
    pub length: u32,
    pub magnitude_bits: u8,
}

impl Coded {
    pub fn clear(&mut self) {
        self.bytes.clear();
        self.blocks.clear();
        self.low_peak = 0;
    }

    /// Codes row `row` of `band`'s code-blocks, whose coefficients are `strip`, rows `stride` apart.
    pub fn code_row<T: Coefficient>(
        &mut self,
        coder: &mut BlockEncoder,
        band: &Subband,
        row: u32,
        strip: &[T],
        stride: usize,
    ) {
        for column in 0..band.columns {
            let block = band.block(column, row);
            let from = (block.x0 - band.rect.x0) as usize;
            let (start, size) = (self.bytes.len(), (block.width() as usize, block.height() as usize));
            if let Some(coded) = coder.encode(&strip[from..], stride, size.0, size.1, &mut self.bytes) {
                let index = band.block_index(column, row);
                self.blocks.push(CodedSpan {
                    index,
                    start,
                    length: coded.length,
                    magnitude_bits: coded.magnitude_bits,
                });
            }
        }
    }
}

/// What a task needs beside its input.
pub(super) struct BandScratch<T> {
    analysis: Analysis<T>,
    high: [Vec<T>; 3],
    coder: BlockEncoder,
}

impl<T: Transform> BandScratch<T> {
    fn new(level: Level) -> BandScratch<T> {
        BandScratch { analysis: Analysis::new(), high: Default::default(), coder: BlockEncoder::new(level) }
    }
}

/// Fills row `y` of what a level is made from, in the level's own coordinates.
pub(super) type Source<'a, T> = dyn Fn(u32, &mut [T]) + Sync + 'a;

/// Locks what a panicked task may have left: every task begins by clearing it.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How the rows of a level above the lowest are cut: one band is one row of the grid that HL, LH and HH share.
pub(crate) struct Bands {
    first: u32,
    log2: u8,
    rows: Range<u32>,
}

impl Bands {
    /// All bands of a level.
    pub fn new(resolution: &Resolution) -> Bands {
        Bands::over(resolution, resolution.rect.y0..resolution.rect.y1)
    }

    /// The bands that `rows` of a level touch, cut down to them.
    pub fn over(resolution: &Resolution, rows: Range<u32>) -> Bands {
        let log2 = resolution.subbands[0].block_height_log2 + 1;
        Bands { first: rows.start >> log2, log2, rows }
    }

    pub fn count(&self) -> usize {
        (u64::from(self.rows.end).div_ceil(1 << self.log2) as usize).saturating_sub(self.first as usize)
    }

    /// Row of the code-block grid (counted from row 0 of the subband) that band `number` is.
    pub fn grid_row(&self, number: usize) -> u32 {
        self.first + number as u32
    }

    /// Rows of the level that band `number` is made of.
    pub fn rows(&self, number: usize) -> Range<u32> {
        let edge = |row: u32| (u64::from(row) << self.log2).clamp(self.rows.start.into(), self.rows.end.into()) as u32;
        edge(self.grid_row(number))..edge(self.grid_row(number) + 1)
    }
}

/// Everything that stays the same for all bands of all levels of one picture.
pub(super) struct Stage<'a, T> {
    pub level: Level,
    pub scratch: &'a Pool<BandScratch<T>>,
    pub workers: &'a dyn Workers,
}

impl<T: Transform + Coefficient> Stage<'_, T> {
    /// Makes and codes one level: HL, LH and HH go to `tasks` (one a band), LL to `low`.
    pub fn code(&self, resolution: &Resolution, source: &Source<'_, T>, low: &mut [T], tasks: &[Mutex<Coded>]) {
        let bands = Bands::new(resolution);
        let stride = resolution.subbands[1].rect.width() as usize;
        let mut rest = low;
        let shares = Shares::new((0..bands.count()).map(|band| {
            let rows = crate::wavelet::low(&bands.rows(band)).len();
            let (share, others) = std::mem::take(&mut rest).split_at_mut(rows * stride);
            rest = others;
            share
        }));
        self.workers.run(shares.len(), &|task| {
            let (Some(share), mut coded) = (shares.take(task), locked(&tasks[task])) else { return };
            coded.clear();
            let make = || BandScratch::new(self.level);
            self.scratch
                .with(make, |scratch| self.band(resolution, (&bands, task), source, share, scratch, &mut coded));
        });
    }

    fn band(
        &self,
        resolution: &Resolution,
        (bands, number_of_band): (&Bands, usize),
        source: &Source<'_, T>,
        low: &mut [T],
        scratch: &mut BandScratch<T>,
        coded: &mut Coded,
    ) {
        let [hl, lh, hh] = &resolution.subbands[..] else { return };
        let rows = bands.rows(number_of_band);
        let (low_rows, high_rows) = (crate::wavelet::low(&rows), crate::wavelet::high(&rows));
        let strides = [hl, lh, hh].map(|subband| subband.rect.width() as usize);
        let counts = [low_rows.len(), high_rows.len(), high_rows.len()];
        for (number, strip) in scratch.high.iter_mut().enumerate() {
            let area = strides[number] * counts[number];
            if strip.len() < area {
                strip.resize(area, T::default());
            }
        }
        let [in_hl, in_lh, in_hh] = &mut scratch.high;
        let mut out = SubbandsMut {
            ll: RowsMut { samples: &mut *low, stride: strides[1], first: low_rows.start },
            hl: RowsMut { samples: in_hl, stride: strides[0], first: low_rows.start },
            lh: RowsMut { samples: in_lh, stride: strides[1], first: high_rows.start },
            hh: RowsMut { samples: in_hh, stride: strides[2], first: high_rows.start },
        };
        scratch.analysis.band(self.level, resolution.rect, rows, &mut |y, row| source(y, row), &mut out);
        coded.low_peak = peak(low);
        for (number, subband) in [hl, lh, hh].into_iter().enumerate() {
            // A subband's own grid may begin a row later than the level's.
            let first = subband.rect.y0 >> subband.block_height_log2;
            let row = bands.grid_row(number_of_band).checked_sub(first).filter(|&row| row < subband.rows);
            let Some(row) = row.filter(|_| counts[number] > 0) else { continue };
            coded.code_row(&mut scratch.coder, subband, row, &scratch.high[number], strides[number]);
        }
    }
}

/// Largest magnitude of `values`.
fn peak<T: Coefficient>(values: &[T]) -> i32 {
    let (low, high) = values.iter().fold((0, 0), |(low, high), value| {
        let wide = value.to_i32();
        (wide.min(low), wide.max(high))
    });
    high.max(low.saturating_neg())
}
