//! The loops between samples and rows, plain for the vectoriser.

use crate::wavelet::levels::at_every_level;

/// A sample as pictures hold it.
pub trait Sample: Copy + Ord {
    /// As a wide number.
    fn wide(self) -> i32;
    /// The low bits; the caller has clamped.
    fn narrow(wide: i32) -> Self;
}

macro_rules! sample {
    ($($S:ty),+) => {
        $(impl Sample for $S {
            #[inline(always)]
            fn wide(self) -> i32 {
                i32::from(self)
            }

            #[inline(always)]
            fn narrow(wide: i32) -> Self {
                wide as $S
            }
        })+
    };
}

sample!(u8, i8, u16, i16);

/// A number of a row.
pub trait Number: Copy {
    /// From a sample with its offset.
    fn from_wide(wide: i32) -> Self;
    /// A bound for [`Number::bounded`].
    fn bound(wide: i32) -> Self;
    /// Rounded to a whole number that is inside of the bounds.
    fn bounded(self, bounds: (Self, Self)) -> i32;
}

impl Number for i16 {
    #[inline(always)]
    fn from_wide(wide: i32) -> i16 {
        wide as i16
    }

    fn bound(wide: i32) -> i16 {
        wide.clamp(i32::from(i16::MIN), i32::from(i16::MAX)) as i16
    }

    #[inline(always)]
    fn bounded(self, bounds: (i16, i16)) -> i32 {
        i32::from(self.max(bounds.0).min(bounds.1))
    }
}

impl Number for i32 {
    #[inline(always)]
    fn from_wide(wide: i32) -> i32 {
        wide
    }

    fn bound(wide: i32) -> i32 {
        wide
    }

    #[inline(always)]
    fn bounded(self, bounds: (i32, i32)) -> i32 {
        self.max(bounds.0).min(bounds.1)
    }
}

impl Number for f32 {
    #[inline(always)]
    fn from_wide(wide: i32) -> f32 {
        wide as f32
    }

    fn bound(wide: i32) -> f32 {
        wide as f32
    }

    #[inline(always)]
    fn bounded(self, bounds: (f32, f32)) -> i32 {
        // 1.5 * 2^23: the sum has no bits below the point, so that the addition itself rounds (ties to even), and its low
        // bits are the whole number. Written so that a NaN becomes the lower bound.
        const WHOLE: f32 = 12_582_912.0;
        let low = if self > bounds.0 { self } else { bounds.0 };
        let inside = if low < bounds.1 { low } else { bounds.1 };
        (inside + WHOLE).to_bits().wrapping_sub(WHOLE.to_bits()) as i32
    }
}

at_every_level! {
    /// The smallest and the largest, beginning with `first`.
    pub(super) fn extremes<S: Sample>(samples: &[S], first: S) -> (S, S) = plain_extremes
}
at_every_level! {
    /// Every `STEP`-th of `samples` plus `offset` to `row`.
    pub(super) fn load<S: Sample, T: Number; const STEP: usize>(samples: &[S], offset: i32, row: &mut [T]) = plain_load
}
at_every_level! {
    /// `row`, inside of `bounds` and with `offset`, to every `STEP`-th of `samples`.
    pub(super) fn store<S: Sample, T: Number; const STEP: usize>(
        row: &[T],
        bounds: (T, T),
        offset: i32,
        samples: &mut [S],
    ) = plain_store
}

#[inline(always)]
fn plain_extremes<S: Sample>(samples: &[S], first: S) -> (S, S) {
    samples.iter().fold((first, first), |(low, high), &sample| (low.min(sample), high.max(sample)))
}

#[inline(always)]
fn plain_load<S: Sample, T: Number, const STEP: usize>(samples: &[S], offset: i32, row: &mut [T]) {
    for (to, from) in row.iter_mut().zip(samples.chunks(STEP)) {
        *to = T::from_wide(from[0].wide() + offset);
    }
}

#[inline(always)]
fn plain_store<S: Sample, T: Number, const STEP: usize>(row: &[T], bounds: (T, T), offset: i32, samples: &mut [S]) {
    for (from, to) in row.iter().zip(samples.chunks_mut(STEP)) {
        to[0] = S::narrow(from.bounded(bounds).wrapping_add(offset));
    }
}
