//! What the wavelet asks of a number type: its lifting steps, and the rows kernels made of them.

use super::levels::at_every_level;
use super::scalar;
use crate::simd::Level;

/// The two ways through the lifting steps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Direction {
    /// Samples to subbands: odd positions are lifted first.
    Analysis,
    /// Subbands to samples: even positions are lifted first.
    Synthesis,
}

/// The lifting steps of one number type. Steps `0..STEPS` are those of the analysis, `STEPS..2 * STEPS` of the synthesis,
/// each in the order in which they are done.
pub trait Lift: Copy + Default + Send + Sync + std::fmt::Debug + PartialEq + 'static {
    /// Lifting steps: 2 for the 5/3, 4 for the 9/7 filter.
    const STEPS: usize;
    /// What low and high coefficients are multiplied by in the synthesis; the analysis divides (T.800 F.3.8.2).
    const GAINS: [f32; 2];
    /// One lifting step.
    fn lift<const STEP: usize>(target: Self, before: Self, after: Self) -> Self;
    /// Times `gain`; integers stay.
    fn times(self, gain: f32) -> Self;
    /// Twice: the high coefficient of a signal of length 1 (T.800 F.4.6).
    fn doubled(self) -> Self;
    /// Half: the way back from [`Lift::doubled`].
    fn halved(self) -> Self;
    /// All steps of one direction down the columns of `rows`, `STEPS + 2` of them; the last is the newest.
    fn ladder(level: Level, synthesis: bool, rows: &mut [&mut [Self]]);
    /// One step, counted from 0 in either direction.
    fn step(level: Level, synthesis: bool, number: usize, target: &mut [Self], before: &[Self], after: &[Self]);
    /// The horizontal analysis of a row of at least two.
    fn split(level: Level, odd: bool, gains: [f32; 2], row: &[Self], low: &mut [Self], high: &mut [Self]);
    /// The horizontal synthesis of a row of at least two; `spare` is as long as the row.
    fn join(
        level: Level,
        odd: bool,
        gains: [f32; 2],
        low: &[Self],
        high: &[Self],
        row: &mut [Self],
        spare: &mut [Self],
    );
}

at_every_level! {
    /// [`scalar::step`].
    pub(super) fn step<T: Lift; const STEP: usize>(target: &mut [T], before: &[T], after: &[T]) = scalar::step
}
at_every_level! {
    /// [`scalar::part`].
    pub(super) fn part<T: Lift>(row: &[T], first: &mut [T], second: &mut [T]) = scalar::part
}
at_every_level! {
    /// [`scalar::interleave`].
    pub(super) fn interleave<T: Lift>(first: &[T], second: &[T], row: &mut [T]) = scalar::interleave
}
at_every_level! {
    /// [`scalar::scale`].
    pub(super) fn scale<T: Lift>(row: &mut [T], gain: f32) = scalar::scale
}

/// The rows in an array, for the kernels that take a fixed number of them.
pub(super) fn array<'a, T, const N: usize>(rows: &'a mut [&mut [T]]) -> [&'a mut [T]; N] {
    let mut rows = rows.iter_mut();
    std::array::from_fn(|_| rows.next().map_or(&mut [][..], |row| &mut row[..]))
}

/// [`Lift::split`] in one pass a step, for every type and level.
pub(super) fn split<T: Lift>(level: Level, odd: bool, gains: [f32; 2], row: &[T], low: &mut [T], high: &mut [T]) {
    if odd {
        part(level, row, high, low);
    } else {
        part(level, row, low, high);
    }
    along(level, false, odd, low, high);
    gain(level, low, gains[0]);
    gain(level, high, gains[1]);
}

/// [`Lift::join`] in one pass a step, for every type and level.
pub(super) fn join<T: Lift>(
    level: Level,
    odd: bool,
    gains: [f32; 2],
    low: &[T],
    high: &[T],
    row: &mut [T],
    spare: &mut [T],
) {
    let (own_low, own_high) = spare[..row.len()].split_at_mut(low.len());
    own_low.copy_from_slice(low);
    own_high.copy_from_slice(high);
    gain(level, own_low, gains[0]);
    gain(level, own_high, gains[1]);
    along(level, true, odd, own_low, own_high);
    if odd {
        interleave(level, own_high, own_low, row);
    } else {
        interleave(level, own_low, own_high, row);
    }
}

fn gain<T: Lift>(level: Level, row: &mut [T], gain: f32) {
    if gain != 1.0 {
        scale(level, row, gain);
    }
}

/// All steps of one direction along a row that is parted already.
fn along<T: Lift>(level: Level, synthesis: bool, odd: bool, low: &mut [T], high: &mut [T]) {
    for number in 0..T::STEPS {
        // The analysis begins with the high coefficients, the synthesis with the low ones.
        let lifts_high = (number % 2 == 0) != synthesis;
        let (target, other) = if lifts_high { (&mut *high, &*low) } else { (&mut *low, &*high) };
        // A high coefficient lies between low `n` and `n + 1` if the first position is even.
        let shifted = lifts_high == odd;
        beside(level, synthesis, number, shifted, target, other);
    }
}

/// One step along a row: the neighbours of `target[n]` are `other[n]` and `other[n + 1]`, or `other[n - 1]` and
/// `other[n]` if `shifted`; beyond the edge its mirror image (T.800 F.3.7).
fn beside<T: Lift>(level: Level, synthesis: bool, number: usize, shifted: bool, target: &mut [T], other: &[T]) {
    let first = usize::from(shifted);
    let inner = target.len().saturating_sub(first).min(other.len() - 1);
    T::step(level, synthesis, number, &mut target[first..first + inner], &other[..inner], &other[1..inner + 1]);
    if shifted {
        T::step(level, synthesis, number, &mut target[..1], &other[..1], &other[..1]);
    }
    if first + inner < target.len() {
        let last = &other[other.len() - 1..];
        T::step(level, synthesis, number, &mut target[first + inner..], last, last);
    }
}
