//! Between samples and the rows of the wavelet: level shift (T.800 G.1), component transforms (G.2, G.3), clamping.

mod colour;
mod kernels;

pub use colour::{ict_forward, ict_inverse, rct_forward, rct_inverse};

use crate::image::{Samples, SamplesMut};
use crate::simd::Level;
use crate::wavelet::Transform;
use kernels::{Number, Sample};

/// A number that samples become: `i16`, `i32` or `f32`.
pub trait Convert: Transform + Number {}

impl Convert for i16 {}
impl Convert for i32 {}
impl Convert for f32 {}

/// The smallest and the largest of all numbers, if there are any.
pub fn range(level: Level, samples: Samples<'_>) -> Option<(i32, i32)> {
    match samples {
        Samples::U8(samples) => extremes(level, samples),
        Samples::I8(samples) => extremes(level, samples),
        Samples::U16(samples) => extremes(level, samples),
        Samples::I16(samples) => extremes(level, samples),
    }
}

fn extremes<S: Sample>(level: Level, samples: &[S]) -> Option<(i32, i32)> {
    let first = *samples.first()?;
    let (low, high) = kernels::extremes(level, samples, first);
    Some((low.wide(), high.wide()))
}

/// Fills `row[i]` with number `first + i * step` of `samples`, plus `offset`: `step` is the number of components beside
/// each other, `first` the component of the first pixel; `offset` is the DC level shift `-2^(bits - 1)` of unsigned
/// numbers, 0 of signed ones, or whatever the caller chose. An `i16` keeps the low 16 bits of the sum.
///
/// # Panics
/// If `samples` end before the row does.
pub fn load<T: Convert>(level: Level, samples: Samples<'_>, first: usize, step: usize, offset: i32, row: &mut [T]) {
    match samples {
        Samples::U8(samples) => load_from(level, samples, first, step, offset, row),
        Samples::I8(samples) => load_from(level, samples, first, step, offset, row),
        Samples::U16(samples) => load_from(level, samples, first, step, offset, row),
        Samples::I16(samples) => load_from(level, samples, first, step, offset, row),
    }
}

fn load_from<S: Sample, T: Convert>(
    level: Level,
    samples: &[S],
    first: usize,
    step: usize,
    offset: i32,
    row: &mut [T],
) {
    let Some(last) = row.len().checked_sub(1) else { return };
    let samples = &samples[first..=first + last * step];
    match step {
        1 => kernels::load::<S, T, 1>(level, samples, offset, row),
        3 => kernels::load::<S, T, 3>(level, samples, offset, row),
        2 => kernels::load::<S, T, 2>(level, samples, offset, row),
        4 => kernels::load::<S, T, 4>(level, samples, offset, row),
        _ => row.iter_mut().enumerate().for_each(|(i, to)| *to = T::from_wide(samples[i * step].wide() + offset)),
    }
}

/// How finished numbers become samples.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Finish {
    /// Added: the DC level shift `2^(bits - 1)` of unsigned numbers, 0 of signed ones.
    pub offset: i32,
    /// The smallest sample.
    pub low: i32,
    /// The largest sample.
    pub high: i32,
}

impl Finish {
    /// That of samples of 1 to 16 `bits` after the inverse DC level shift (T.800 G.1.2).
    pub fn new(bits: u8, signed: bool) -> Finish {
        let half = 1i32 << (bits.clamp(1, 16) - 1);
        if signed {
            Finish { offset: 0, low: -half, high: half - 1 }
        } else {
            Finish { offset: half, low: 0, high: 2 * half - 1 }
        }
    }
}

/// Writes `row[i]`, rounded, plus the offset and clamped, to number `first + i * step` of `samples`. `low` to `high` less
/// the offset must have a number of 16 bits among them, or an `i16` is not clamped.
///
/// # Panics
/// If `samples` end before the row does.
pub fn store<T: Convert>(
    level: Level,
    row: &[T],
    finish: Finish,
    samples: &mut SamplesMut<'_>,
    first: usize,
    step: usize,
) {
    match samples {
        SamplesMut::U8(samples) => store_to(level, row, finish, samples, first, step),
        SamplesMut::I8(samples) => store_to(level, row, finish, samples, first, step),
        SamplesMut::U16(samples) => store_to(level, row, finish, samples, first, step),
        SamplesMut::I16(samples) => store_to(level, row, finish, samples, first, step),
    }
}

fn store_to<S: Sample, T: Convert>(
    level: Level,
    row: &[T],
    finish: Finish,
    samples: &mut [S],
    first: usize,
    step: usize,
) {
    let Some(last) = row.len().checked_sub(1) else { return };
    let samples = &mut samples[first..=first + last * step];
    debug_assert!(finish.low - finish.offset <= i16::MAX.into() && finish.high - finish.offset >= i16::MIN.into());
    let bounds = (T::bound(finish.low - finish.offset), T::bound(finish.high - finish.offset));
    match step {
        1 => kernels::store::<S, T, 1>(level, row, bounds, finish.offset, samples),
        // Loops of their own for rare steps are too much code for a WebAssembly module.
        3 if !cfg!(target_arch = "wasm32") => kernels::store::<S, T, 3>(level, row, bounds, finish.offset, samples),
        2 if !cfg!(target_arch = "wasm32") => kernels::store::<S, T, 2>(level, row, bounds, finish.offset, samples),
        4 if !cfg!(target_arch = "wasm32") => kernels::store::<S, T, 4>(level, row, bounds, finish.offset, samples),
        _ => row
            .iter()
            .enumerate()
            .for_each(|(i, from)| samples[i * step] = S::narrow(from.bounded(bounds).wrapping_add(finish.offset))),
    }
}

/// Writes three rows as the first three components of pixels: what three calls of [`store`] do, in one pass. `first` is
/// the number of the first pixel's first component, `components` 3 or 4.
///
/// # Panics
/// If `samples` end before the rows do, or there are less than three components.
pub fn store_three<T: Convert>(
    level: Level,
    rows: [&[T]; 3],
    finish: Finish,
    samples: &mut SamplesMut<'_>,
    first: usize,
    components: usize,
) {
    if components != 3 {
        for (component, row) in rows.into_iter().enumerate() {
            store(level, row, finish, samples, first + component, components);
        }
        return;
    }
    let bounds = (T::bound(finish.low - finish.offset), T::bound(finish.high - finish.offset));
    let span = first..first + 3 * rows[0].len();
    match samples {
        SamplesMut::U8(samples) => kernels::store_three(level, rows, bounds, finish.offset, &mut samples[span]),
        SamplesMut::I8(samples) => kernels::store_three(level, rows, bounds, finish.offset, &mut samples[span]),
        SamplesMut::U16(samples) => kernels::store_three(level, rows, bounds, finish.offset, &mut samples[span]),
        SamplesMut::I16(samples) => kernels::store_three(level, rows, bounds, finish.offset, &mut samples[span]),
    }
}

#[cfg(test)]
mod tests;
