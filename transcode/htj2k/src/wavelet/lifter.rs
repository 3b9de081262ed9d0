//! The vertical lifting: rows come in order, go through all steps in place in a ring of a few rows, and leave in order.

use super::kernels::{Direction, Lift};
use crate::simd::Level;
use std::ops::Range;

/// Bytes that a row of the ring is aligned to: a cache line and the widest vector.
const ALIGNMENT: usize = 64;

/// A row whose first number is aligned, grown when asked and never shrunk.
#[derive(Clone, Debug, Default)]
pub(super) struct Row<T> {
    buffer: Vec<T>,
    start: usize,
}

impl<T: Copy + Default> Row<T> {
    /// Makes room for `width` numbers of any value, and for padding to whole cache lines.
    pub(super) fn resize(&mut self, width: usize) {
        let spare = ALIGNMENT / size_of::<T>();
        let width = width.next_multiple_of(spare);
        if self.buffer.len() < width + spare {
            self.buffer.clear();
            self.buffer.resize(width + spare, T::default());
        }
        self.start = self.buffer.as_ptr().align_offset(ALIGNMENT).min(spare);
    }

    /// The first `width` numbers.
    pub(super) fn get(&self, width: usize) -> &[T] {
        &self.buffer[self.start..self.start + width]
    }

    /// The first `width` numbers, to write.
    pub(super) fn get_mut(&mut self, width: usize) -> &mut [T] {
        &mut self.buffer[self.start..self.start + width]
    }
}

/// Rows on their way through the lifting steps.
///
/// Both directions have the same shape: when a row of the leading parity arrives (even in the analysis, odd in the
/// synthesis), the row before it has both neighbours and takes the first step, the row before that the second, and so
/// on; then two more rows are done. Beyond the first and the last row stands their mirror image (T.800 F.3.7), which
/// for a step means that the one neighbour there is takes the place of the other.
#[derive(Debug)]
pub(super) struct Lifter<T> {
    level: Level,
    direction: Direction,
    rows: Range<i64>,
    width: usize,
    /// Number of the row in `ring[0]`.
    base: i64,
    ring: Vec<Row<T>>,
}

impl<T: Lift> Lifter<T> {
    /// Nothing under way.
    pub(super) fn new() -> Lifter<T> {
        Lifter {
            level: Level::Scalar,
            direction: Direction::Analysis,
            rows: 0..0,
            width: 0,
            base: 0,
            ring: vec![Row::default(); T::STEPS + 2],
        }
    }

    /// Starts anew, with the first of `rows` to come.
    pub(super) fn begin(&mut self, level: Level, direction: Direction, rows: Range<u32>, width: usize) {
        let rows = i64::from(rows.start)..i64::from(rows.end);
        let lead = rows.start + i64::from((rows.start & 1) != leading_parity(direction));
        *self = Lifter {
            level,
            direction,
            base: lead - T::STEPS as i64 - 1,
            rows,
            width,
            ring: std::mem::take(&mut self.ring),
        };
        self.ring.iter_mut().for_each(|row| row.resize(width));
    }

    /// Where row `y`, the next one, is to be written before [`Lifter::filled`].
    pub(super) fn slot(&mut self, y: u32) -> &mut [T] {
        let index = (i64::from(y) - self.base) as usize;
        self.ring[index].get_mut(self.width)
    }

    /// Row `y` is written: lifts what can be lifted and hands on what is done. With the last row all others leave too.
    pub(super) fn filled(&mut self, y: u32, emit: &mut impl FnMut(u32, &[T])) {
        let y = i64::from(y);
        if self.rows.end - self.rows.start == 1 {
            self.single(y);
            return emit(y as u32, self.ring[(y - self.base) as usize].get(self.width));
        }
        if y & 1 == leading_parity(self.direction) {
            self.advance(emit);
        }
        if y + 1 == self.rows.end {
            while self.base + 1 < self.rows.end {
                self.advance(emit);
            }
        }
    }

    /// A signal of length 1 (T.800 F.3.6, F.4.6).
    fn single(&mut self, y: i64) {
        if y & 1 == 0 {
            return;
        }
        for value in self.ring[(y - self.base) as usize].get_mut(self.width) {
            *value = match self.direction {
                Direction::Analysis => value.doubled(),
                Direction::Synthesis => value.halved(),
            };
        }
    }

    /// All steps that the newest row of the ring makes possible; it may lie beyond the last row.
    fn advance(&mut self, emit: &mut impl FnMut(u32, &[T])) {
        let lead = self.base + T::STEPS as i64 + 1;
        if self.base >= self.rows.start && lead < self.rows.end {
            // Whole vectors: what stands in the padding is lifted with the rest and never read.
            let padded = self.width.next_multiple_of(ALIGNMENT / size_of::<T>());
            let mut rows = self.ring.iter_mut().map(|row| row.get_mut(padded));
            let mut ladder: [&mut [T]; 6] = std::array::from_fn(|_| rows.next().unwrap_or_default());
            T::ladder(self.level, self.direction == Direction::Synthesis, &mut ladder[..T::STEPS + 2]);
        } else {
            for number in 0..T::STEPS {
                self.edge(T::STEPS - number, number);
            }
        }
        for index in 1..3 {
            let y = self.base + index as i64;
            if self.rows.contains(&y) {
                emit(y as u32, self.ring[index].get(self.width));
            }
        }
        self.ring.rotate_left(2);
        self.base += 2;
    }

    /// One step on `ring[index]` where a neighbour may be missing.
    fn edge(&mut self, index: usize, number: usize) {
        let y = self.base + index as i64;
        if !self.rows.contains(&y) {
            return;
        }
        let (before, after) = (y > self.rows.start, y + 1 < self.rows.end);
        let (head, tail) = self.ring.split_at_mut(index);
        let [target, tail @ ..] = tail else { return };
        let (above, below) = (head[index - 1].get(self.width), tail[0].get(self.width));
        let (above, below) = if before { (above, if after { below } else { above }) } else { (below, below) };
        let synthesis = self.direction == Direction::Synthesis;
        T::step(self.level, synthesis, number, target.get_mut(self.width), above, below);
    }
}

/// The parity of the rows that make the others before them ready.
fn leading_parity(direction: Direction) -> i64 {
    i64::from(direction == Direction::Synthesis)
}
