//! Synthesis of one decomposition level, a band after the other (T.800 F.3.2): horizontal first, then vertical.

use super::kernels::Direction;
use super::lifter::{Lifter, Row};
use super::{Subbands, Transform, gains, high, low};
use crate::geometry::Rect;
use crate::simd::Level;
use std::ops::Range;

/// Where a chunk of rows was cut off from its neighbours: what lies there comes from [`Seam::close`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cut {
    /// Another chunk ends where this one begins.
    pub above: bool,
    /// Another chunk begins where this one ends.
    pub below: bool,
}

/// Synthesis of one window of a resolution level. The rows of its subbands come in order and its own rows leave in order.
#[derive(Debug)]
pub struct Synthesis<T> {
    level: Level,
    rect: Rect,
    cut: Cut,
    next: u32,
    lifter: Lifter<T>,
    spare: Row<T>,
    /// The first rows as the horizontal synthesis made them, if cut above, and the last, if cut below.
    head: Kept<T>,
    tail: Kept<T>,
}

/// Copies of rows before their vertical synthesis.
#[derive(Debug, Default)]
struct Kept<T> {
    rows: Range<u32>,
    samples: Vec<T>,
}

impl<T: Transform> Kept<T> {
    fn begin(&mut self, rows: Range<u32>, width: usize) {
        self.samples.resize(rows.len() * width, T::default());
        self.rows = rows;
    }

    fn keep(&mut self, y: u32, row: &[T]) {
        if self.rows.contains(&y) {
            let start = (y - self.rows.start) as usize * row.len();
            self.samples[start..start + row.len()].copy_from_slice(row);
        }
    }

    fn get(&self, y: u32, width: usize) -> Option<&[T]> {
        let start = (y.checked_sub(self.rows.start)?) as usize * width;
        self.samples.get(start..start + width)
    }
}

impl<T: Transform> Default for Synthesis<T> {
    fn default() -> Self {
        Synthesis::new()
    }
}

impl<T: Transform> Synthesis<T> {
    /// No buffers yet.
    pub fn new() -> Synthesis<T> {
        Synthesis {
            level: Level::Scalar,
            rect: Rect::default(),
            cut: Cut::default(),
            next: 0,
            lifter: Lifter::new(),
            spare: Row::default(),
            head: Kept { rows: 0..0, samples: Vec::new() },
            tail: Kept { rows: 0..0, samples: Vec::new() },
        }
    }

    /// Starts the rows and columns `rect` of a resolution level, in the coordinates of the level. `rect` may be the whole
    /// level, a window with [`Transform::MARGIN`] around what is wanted (clipped to the level: rows and columns of the
    /// margin come out wrong where they are not at the level's own edge), or a chunk of rows with `cut`.
    ///
    /// # Panics
    /// If a chunk is cut on both sides and has fewer than `2 * MARGIN` rows.
    pub fn begin(&mut self, level: Level, rect: Rect, cut: Cut) {
        let kept = 2 * T::MARGIN;
        assert!(
            !(cut.above && cut.below) || rect.height() >= kept,
            "a chunk between two others has {kept} rows or more"
        );
        let width = rect.width() as usize;
        let reach = kept.min(rect.height());
        (self.level, self.rect, self.cut, self.next) = (level, rect, cut, rect.y0);
        self.lifter.begin(level, Direction::Synthesis, rect.y0..rect.y1, width);
        self.spare.resize(width);
        self.head.begin(rect.y0..rect.y0 + if cut.above { reach } else { 0 }, width);
        self.tail.begin(rect.y1 - if cut.below { reach } else { 0 }..rect.y1, width);
    }

    /// The row that the next [`Synthesis::push`] has to begin with.
    pub fn next_row(&self) -> u32 {
        self.next
    }

    /// Takes the next `rows` of the level, from their subbands: even row `2n` from row `n` of LL and HL, odd row `2n + 1`
    /// from row `n` of LH and HH. The first column of each view is the first that the subband has in `rect`.
    /// `sink(y, row)` is given each finished row, columns `rect.x0..rect.x1`, in order; all that can be finished are, with
    /// the push of the last row. [`Transform::MARGIN`] rows on each side of a cut are left to [`Seam::close`].
    ///
    /// # Panics
    /// If `rows` do not follow those before, leave `rect`, or are not in `bands`.
    pub fn push(&mut self, rows: Range<u32>, bands: &Subbands<'_, T>, sink: &mut impl FnMut(u32, &[T])) {
        assert!(rows.start == self.next && rows.end <= self.rect.y1, "rows come in order and stay in their window");
        let finished = self.finished();
        self.next = rows.end.max(self.next);
        if self.rect.width() == 0 {
            return;
        }
        for y in rows {
            let row = self.lifter.slot(y);
            let single = self.rect.height() == 1 && self.cut == Cut::default();
            join(self.level, &self.rect, y, single, bands, row, self.spare.get_mut(row.len()));
            self.head.keep(y, row);
            self.tail.keep(y, row);
            self.lifter.filled(y, &mut |y, row| {
                if finished.contains(&y) {
                    sink(y, row);
                }
            });
        }
    }

    /// The rows that this chunk can finish without its neighbours.
    pub fn finished(&self) -> Range<u32> {
        let margin = |cut: bool| if cut { T::MARGIN.min(self.rect.height()) } else { 0 };
        let start = self.rect.y0 + margin(self.cut.above);
        start..(self.rect.y1 - margin(self.cut.below)).max(start)
    }
}

/// The horizontal synthesis of row `y`.
fn join<T: Transform>(
    level: Level,
    rect: &Rect,
    y: u32,
    single: bool,
    bands: &Subbands<'_, T>,
    row: &mut [T],
    spare: &mut [T],
) {
    let (wide_low, wide_high) = (low(&(rect.x0..rect.x1)).len(), high(&(rect.x0..rect.x1)).len());
    let odd = y & 1 == 1;
    let (left, right) = if odd { (&bands.lh, &bands.hh) } else { (&bands.ll, &bands.hl) };
    let (left, right) = (left.row(y / 2, wide_low), right.row(y / 2, wide_high));
    let vertical = if single { 1.0 } else { T::GAINS[usize::from(odd)] };
    match (row, rect.x0 & 1 == 1) {
        ([only], false) => *only = left[0].times(vertical),
        ([only], true) => *only = right[0].halved().times(vertical),
        (row, start_odd) => T::join(level, start_odd, gains::<T>(odd, single), left, right, row, spare),
    }
}

/// Makes the rows on both sides of a cut, once both chunks have been pushed whole. One can be used again and again.
#[derive(Debug)]
pub struct Seam<T> {
    lifter: Lifter<T>,
}

impl<T: Transform> Default for Seam<T> {
    fn default() -> Self {
        Seam::new()
    }
}

impl<T: Transform> Seam<T> {
    /// No buffers yet.
    pub fn new() -> Seam<T> {
        Seam { lifter: Lifter::new() }
    }

    /// Gives `sink` the rows that neither `upper` nor `lower` could finish, in order.
    ///
    /// # Panics
    /// If the two do not meet in a cut, or have not been pushed whole.
    pub fn close(&mut self, upper: &Synthesis<T>, lower: &Synthesis<T>, sink: &mut impl FnMut(u32, &[T])) {
        assert!(upper.next == upper.rect.y1 && lower.next == lower.rect.y1, "both chunks are whole");
        assert!(upper.rect.y1 == lower.rect.y0 && upper.cut.below && lower.cut.above, "the chunks meet in a cut");
        let wanted = upper.finished().end..lower.finished().start;
        let width = upper.rect.width() as usize;
        let window = upper.tail.rows.start..lower.head.rows.end;
        if width == 0 || window.is_empty() {
            return;
        }
        self.lifter.begin(upper.level, Direction::Synthesis, window.clone(), width);
        for y in window {
            let row = upper.tail.get(y, width).filter(|_| y < upper.rect.y1).or_else(|| lower.head.get(y, width));
            self.lifter.slot(y).copy_from_slice(row.unwrap_or_default());
            self.lifter.filled(y, &mut |y, row| {
                if wanted.contains(&y) {
                    sink(y, row);
                }
            });
        }
    }
}
