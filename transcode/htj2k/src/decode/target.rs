//! Where finished rows of a tile-component go.

use crate::convert::{self, Convert, Finish};
use crate::image::{Samples, SamplesMut};
use crate::simd::Level;

/// A number as the wavelet leaves it, in the two widths that planes have.
pub(super) trait Finished: Convert {
    /// Smallest and largest of a row that is not empty.
    fn extremes(level: Level, row: &[Self]) -> (i32, i32);
    fn to_narrow(self) -> i16;
    fn to_wide(self) -> i32;
    fn to_real(self) -> f32;
}

impl Finished for i16 {
    fn extremes(level: Level, row: &[i16]) -> (i32, i32) {
        convert::range(level, Samples::I16(row)).unwrap_or_default()
    }

    fn to_narrow(self) -> i16 {
        self
    }

    fn to_wide(self) -> i32 {
        self.into()
    }

    fn to_real(self) -> f32 {
        self.into()
    }
}

impl Finished for i32 {
    /// Nobody asks: 32 bits always hold them.
    fn extremes(_: Level, _: &[i32]) -> (i32, i32) {
        (0, 0)
    }

    fn to_narrow(self) -> i16 {
        self as i16
    }

    fn to_wide(self) -> i32 {
        self
    }

    fn to_real(self) -> f32 {
        self as f32
    }
}

impl Finished for f32 {
    /// Nobody asks: floats always hold them.
    fn extremes(_: Level, _: &[f32]) -> (i32, i32) {
        (0, 0)
    }

    fn to_narrow(self) -> i16 {
        self.round_ties_even() as i16
    }

    fn to_wide(self) -> i32 {
        self.round_ties_even() as i32
    }

    fn to_real(self) -> f32 {
        self
    }
}

/// Rows of one component, the first of them at the start of the slice.
pub(super) enum Target<'a> {
    /// The caller's picture: component `first` of `step`, whole rows of `stride` numbers from `first` on.
    Samples { out: SamplesMut<'a>, first: usize, step: usize, stride: usize, finish: Finish },
    /// Low coefficients of the next level, in 16 bits.
    Narrow { out: &'a mut [i16], first: usize, stride: usize },
    /// Low coefficients of the next level, or a plane to be finished later.
    Wide { out: &'a mut [i32], first: usize, stride: usize },
    /// A plane that the caller gets: offset and clamped.
    Plane { out: &'a mut [i32], first: usize, stride: usize, finish: Finish },
    /// A plane for the irreversible colour transform.
    Real { out: &'a mut [f32], first: usize, stride: usize },
}

impl<'a> Target<'a> {
    /// The first `rows` rows, and the others.
    pub fn split(self, rows: usize) -> (Target<'a>, Target<'a>) {
        match self {
            Target::Samples { out, first, step, stride, finish } => {
                let count = out.len();
                let (upper, lower) = out.split_at((rows * stride).min(count));
                let part = |out| Target::Samples { out, first, step, stride, finish };
                (part(upper), part(lower))
            }
            Target::Narrow { out, first, stride } => {
                let (upper, lower) = out.split_at_mut((rows * stride).min(out.len()));
                (Target::Narrow { out: upper, first, stride }, Target::Narrow { out: lower, first, stride })
            }
            Target::Wide { out, first, stride } => {
                let (upper, lower) = out.split_at_mut((rows * stride).min(out.len()));
                (Target::Wide { out: upper, first, stride }, Target::Wide { out: lower, first, stride })
            }
            Target::Plane { out, first, stride, finish } => {
                let (upper, lower) = out.split_at_mut((rows * stride).min(out.len()));
                let part = |out| Target::Plane { out, first, stride, finish };
                (part(upper), part(lower))
            }
            Target::Real { out, first, stride } => {
                let (upper, lower) = out.split_at_mut((rows * stride).min(out.len()));
                (Target::Real { out: upper, first, stride }, Target::Real { out: lower, first, stride })
            }
        }
    }

    /// The same rows, borrowed for a while.
    pub fn reborrow(&mut self) -> Target<'_> {
        match self {
            Target::Samples { out, first, step, stride, finish } => {
                Target::Samples { out: out.reborrow(), first: *first, step: *step, stride: *stride, finish: *finish }
            }
            Target::Narrow { out, first, stride } => Target::Narrow { out, first: *first, stride: *stride },
            Target::Wide { out, first, stride } => Target::Wide { out, first: *first, stride: *stride },
            Target::Plane { out, first, stride, finish } => {
                Target::Plane { out, first: *first, stride: *stride, finish: *finish }
            }
            Target::Real { out, first, stride } => Target::Real { out, first: *first, stride: *stride },
        }
    }

    /// Stores row number `y`; `base` is what the wavelet's numbers leave out.
    pub fn store<T: Finished>(&mut self, level: Level, y: usize, row: &[T], base: i32) {
        match self {
            Target::Samples { out, first, step, stride, finish } => {
                let finish = Finish { offset: finish.offset + base, ..*finish };
                convert::store(level, row, finish, out, y * *stride + *first, *step);
            }
            Target::Narrow { out, first, stride } => {
                let start = y * *stride + *first;
                let to = &mut out[start..start + row.len()];
                to.iter_mut().zip(row).for_each(|(to, from)| *to = from.to_narrow());
            }
            Target::Wide { out, first, stride } => {
                let start = y * *stride + *first;
                let to = &mut out[start..start + row.len()];
                to.iter_mut().zip(row).for_each(|(to, from)| *to = from.to_wide().wrapping_add(base));
            }
            Target::Plane { out, first, stride, finish } => {
                let start = y * *stride + *first;
                let to = &mut out[start..start + row.len()];
                let offset = finish.offset + base;
                let finished = |from: &T| from.to_wide().saturating_add(offset).clamp(finish.low, finish.high);
                to.iter_mut().zip(row).for_each(|(to, from)| *to = finished(from));
            }
            Target::Real { out, first, stride } => {
                let start = y * *stride + *first;
                let to = &mut out[start..start + row.len()];
                to.iter_mut().zip(row).for_each(|(to, from)| *to = from.to_real() + base as f32);
            }
        }
    }
}
