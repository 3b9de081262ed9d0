//! Analysis of one decomposition level, a band at a time (T.800 F.4.2): vertical first, then horizontal.

use super::kernels::Direction;
use super::lifter::Lifter;
use super::{SubbandsMut, Transform, gains, high, low};
use crate::geometry::Rect;
use crate::simd::Level;
use std::ops::Range;

/// The buffers of an analysis, to be used again.
#[derive(Debug)]
pub struct Analysis<T> {
    lifter: Lifter<T>,
}

impl<T: Transform> Default for Analysis<T> {
    fn default() -> Self {
        Analysis::new()
    }
}

impl<T: Transform> Analysis<T> {
    /// No buffers yet.
    pub fn new() -> Analysis<T> {
        Analysis { lifter: Lifter::new() }
    }

    /// Analyses `rows` of the resolution level `rect` (in its own coordinates): even row `2n` becomes row `n` of LL and HL,
    /// odd row `2n + 1` becomes row `n` of LH and HH. Bands are independent of each other, in any order: the few rows
    /// around a band that its filters reach into are fetched again.
    ///
    /// `source(y, row)` fills row `y`, columns `rect.x0..rect.x1`; it is asked for each row at most once, in order.
    ///
    /// # Panics
    /// If `rows` leave `rect`, or `out` does not hold the subband rows that they become.
    pub fn band(
        &mut self,
        level: Level,
        rect: Rect,
        rows: Range<u32>,
        source: &mut impl FnMut(u32, &mut [T]),
        out: &mut SubbandsMut<'_, T>,
    ) {
        assert!(rows.start >= rect.y0 && rows.end <= rect.y1, "rows of a band lie in their resolution level");
        if rows.is_empty() || rect.width() == 0 {
            return;
        }
        let single = rect.height() == 1;
        let window = reach::<T>(&rows, &rect);
        self.lifter.begin(level, Direction::Analysis, window.clone(), rect.width() as usize);
        for y in window {
            source(y, self.lifter.slot(y));
            self.lifter.filled(y, &mut |y, row| {
                if rows.contains(&y) {
                    split(level, &rect, y, single, row, out);
                }
            });
        }
    }
}

/// The rows that the filters of `rows` reach: `STEPS` from an even row, one less from an odd one.
fn reach<T: Transform>(rows: &Range<u32>, rect: &Rect) -> Range<u32> {
    let steps = T::STEPS as u32;
    let (first, last) = (rows.start, rows.end - 1);
    let start = first.saturating_sub(steps - (first & 1)).max(rect.y0);
    let end = last.saturating_add(steps - (last & 1)).saturating_add(1).min(rect.y1);
    start..end
}

/// The horizontal analysis of finished row `y`.
fn split<T: Transform>(level: Level, rect: &Rect, y: u32, single: bool, row: &[T], out: &mut SubbandsMut<'_, T>) {
    let (wide_low, wide_high) = (low(&(rect.x0..rect.x1)).len(), high(&(rect.x0..rect.x1)).len());
    let odd = y & 1 == 1;
    let (left, right) = if odd { (&mut out.lh, &mut out.hh) } else { (&mut out.ll, &mut out.hl) };
    let (left, right) = (left.row_mut(y / 2, wide_low), right.row_mut(y / 2, wide_high));
    let gains = gains::<T>(odd, single).map(|gain| 1.0 / gain);
    match (row, rect.x0 & 1 == 1) {
        ([only], false) => left[0] = only.times(vertical_gain::<T>(odd, single)),
        ([only], true) => right[0] = only.doubled().times(vertical_gain::<T>(odd, single)),
        (_, odd) => T::split(level, odd, gains, row, left, right),
    }
}

fn vertical_gain<T: Transform>(odd: bool, single: bool) -> f32 {
    if single { 1.0 } else { 1.0 / T::GAINS[usize::from(odd)] }
}
