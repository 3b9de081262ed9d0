//! The wavelet (T.800 Annex F): 5/3 reversible on integers, 9/7 irreversible on floats, one decomposition level at a time.
//!
//! Everything is named by the rows of the resolution level that is parted or put together, in its own coordinates (T.800
//! B-14): even row `2n` belongs to row `n` of LL and HL, odd row `2n + 1` to row `n` of LH and HH, and columns likewise.
//! So one range of rows says which rows of all four subbands a band has, whatever the parity of its origin. Rows go
//! through in bands whose subband rows stay in the cache for the block coder: [`Analysis::band`] is independent of
//! other bands; [`Synthesis`] takes band after band, and several of them take a chunk of rows each, joined by [`Seam`].

mod analysis;
#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod irreversible;
mod kernels;
pub(crate) mod levels;
mod lifter;
mod reversible;
mod scalar;
mod synthesis;
#[cfg(test)]
mod tests;
#[cfg(target_arch = "x86_64")]
mod vector;

pub use analysis::Analysis;
pub use synthesis::{Cut, Seam, Synthesis};

use std::ops::Range;

/// A number that the wavelet works on: `i16` and `i32` by the 5/3 reversible filter, `f32` by the 9/7 irreversible one.
pub trait Transform: kernels::Lift {
    /// How far the synthesis of a row or column reaches into its neighbours, in rows or columns of the resolution level.
    const MARGIN: u32;
}

impl Transform for i16 {
    const MARGIN: u32 = 2;
}

impl Transform for i32 {
    const MARGIN: u32 = 2;
}

impl Transform for f32 {
    const MARGIN: u32 = 4;
}

/// Rows of a subband, to read.
#[derive(Clone, Copy, Debug)]
pub struct Rows<'a, T> {
    /// Row after row, each `stride` after the one before.
    pub samples: &'a [T],
    /// From one row to the next, in samples.
    pub stride: usize,
    /// Number of the first row, in subband coordinates.
    pub first: u32,
}

impl<'a, T> Rows<'a, T> {
    /// None at all: for a subband without rows or columns.
    pub fn empty() -> Rows<'a, T> {
        Rows { samples: &[], stride: 0, first: 0 }
    }

    /// The first `width` samples of row `y`.
    fn row(&self, y: u32, width: usize) -> &'a [T] {
        if width == 0 {
            return &[];
        }
        let start = (y - self.first) as usize * self.stride;
        &self.samples[start..start + width]
    }
}

/// Rows of a subband, to write.
#[derive(Debug)]
pub struct RowsMut<'a, T> {
    /// Row after row, each `stride` after the one before.
    pub samples: &'a mut [T],
    /// From one row to the next, in samples.
    pub stride: usize,
    /// Number of the first row, in subband coordinates.
    pub first: u32,
}

impl<T> RowsMut<'_, T> {
    /// None at all: for a subband without rows or columns.
    pub fn empty() -> Self {
        RowsMut { samples: &mut [], stride: 0, first: 0 }
    }

    /// The first `width` samples of row `y`.
    fn row_mut(&mut self, y: u32, width: usize) -> &mut [T] {
        if width == 0 {
            return &mut [];
        }
        let start = (y - self.first) as usize * self.stride;
        &mut self.samples[start..start + width]
    }
}

/// The four subbands of a level, to read; the first column of each is its first in the window that is synthesised.
#[derive(Clone, Copy, Debug)]
pub struct Subbands<'a, T> {
    /// Low across and down.
    pub ll: Rows<'a, T>,
    /// High across, low down.
    pub hl: Rows<'a, T>,
    /// Low across, high down.
    pub lh: Rows<'a, T>,
    /// High across and down.
    pub hh: Rows<'a, T>,
}

/// The four subbands of a level, to write.
#[derive(Debug)]
pub struct SubbandsMut<'a, T> {
    /// Low across and down.
    pub ll: RowsMut<'a, T>,
    /// High across, low down.
    pub hl: RowsMut<'a, T>,
    /// Low across, high down.
    pub lh: RowsMut<'a, T>,
    /// High across and down.
    pub hh: RowsMut<'a, T>,
}

/// The low coefficients (rows of LL and HL, columns of LL and LH) that `range` of the resolution level has.
pub fn low(range: &Range<u32>) -> Range<u32> {
    range.start.div_ceil(2)..range.end.div_ceil(2)
}

/// The high coefficients (rows of LH and HH, columns of HL and HH) that `range` of the resolution level has.
pub fn high(range: &Range<u32>) -> Range<u32> {
    range.start / 2..range.end / 2
}

/// What the low and the high half of a row are multiplied by in the synthesis, the vertical gain of the row included.
/// The gains of the two directions cancel exactly where one is low and the other high.
fn gains<T: kernels::Lift>(odd: bool, single: bool) -> [f32; 2] {
    let [low, high] = T::GAINS;
    match (single, odd) {
        (true, _) => [low, high],
        (false, false) => [low * low, 1.0],
        (false, true) => [1.0, high * high],
    }
}
