//! What was lost, measured by decoding; and the padding of a picture, which is no part of it.

use crate::data_set::Tag;
use crate::error::Result;
use crate::instance::Instance;
use crate::samples::{Samples, Values};

/// What a derivative lost, padding left out.
#[derive(Clone, Debug, PartialEq)]
pub struct Measured {
    /// The largest difference of any sample.
    pub largest_error: u32,
    /// Peak signal-to-noise ratio, dB; the peak is the span from the smallest to the largest value there is. `None` when
    /// nothing differs.
    pub psnr_db: Option<f64>,
    /// Bytes of the decoded pixels to bytes of the codestreams.
    pub ratio: f64,
}

/// Differences of one frame, added up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sums {
    pub largest: u32,
    squares: u128,
    count: u64,
    range: Option<(i32, i32)>,
    /// Samples of padding.
    pub masked: u64,
}

impl Measured {
    /// Of frames together.
    pub(super) fn of(frames: &[Sums], pixel_bytes: u64, coded_bytes: u64) -> Measured {
        let (squares, count) = frames.iter().fold((0u128, 0u64), |(s, c), sums| (s + sums.squares, c + sums.count));
        let ranges = || frames.iter().filter_map(|sums| sums.range);
        let low = ranges().map(|range| range.0).min().unwrap_or(0);
        let high = ranges().map(|range| range.1).max().unwrap_or(0);
        let span = f64::from(high - low).max(1.0);
        let psnr_db = (squares > 0).then(|| 10.0 * (span * span * count as f64 / squares as f64).log10());
        let largest_error = frames.iter().map(|sums| sums.largest).max().unwrap_or(0);
        Measured { largest_error, psnr_db, ratio: pixel_bytes as f64 / coded_bytes.max(1) as f64 }
    }
}

/// Pixel Padding Value (0028,0120) and Pixel Padding Range Limit (0028,0121): PS3.3 C.7.5.1.1.2.
///
/// An irreversible transform smears the edge between padding and picture into both. So padding is replaced before coding by
/// the picture's own value that is nearest to it, and the derivative has no padding any more: no number in it means
/// "nothing here", also not one that happens to become equal to what meant it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Padding {
    range: Option<(i32, i32)>,
}

impl Padding {
    /// The padding of an instance, in numbers as its samples have them.
    pub fn of(instance: &Instance) -> Padding {
        let (data_set, d) = (&instance.part10.data_set, &instance.description);
        let shift = 32u32.saturating_sub(d.bits_stored.into()).min(31);
        let value = |tag: Tag| {
            let element = data_set.get(tag)?;
            let value = element.integers().next()? as i32;
            let (low_bits, signed) = ((value as u32) << shift, d.pixel_representation == 1);
            Some(if signed { low_bits as i32 >> shift } else { (low_bits >> shift) as i32 })
        };
        let range = value(Tag(0x0028, 0x0120)).filter(|_| d.samples_per_pixel == 1).map(|first| {
            let last = value(Tag(0x0028, 0x0121)).unwrap_or(first);
            (first.min(last), first.max(last))
        });
        Padding { range }
    }

    fn is(&self, value: i32) -> bool {
        self.range.is_some_and(|(low, high)| (low..=high).contains(&value))
    }

    /// Smallest and largest value of the picture; `None` if all is padding.
    fn picture(&self, samples: &Samples) -> Option<(i32, i32)> {
        let values = (0..samples.values().len()).map(|at| samples.values().at(at)).filter(|value| !self.is(*value));
        values.fold(None, |range, value| match range {
            None => Some((value, value)),
            Some((low, high)) => Some((value.min(low), value.max(high))),
        })
    }

    /// The frame to code: padding is no longer an edge in it.
    pub fn masked(&self, samples: &Samples) -> Result<Samples> {
        let (Some((low, high)), Some(picture)) = (self.range, self.picture(samples)) else {
            return Ok(samples.clone());
        };
        let nearest = if high < picture.0 { picture.0 } else { low.clamp(picture.0, picture.1) };
        let wide = (0..samples.values().len()).map(|at| samples.values().at(at));
        let wide = wide.map(|value| if self.is(value) { nearest } else { value });
        let values = Values::collect(samples.bits(), samples.signed(), wide);
        Samples::new(samples.width(), samples.height(), samples.components(), samples.bits(), values)
    }

    /// Decibels between the largest number that the bits could say and the span that the picture has.
    pub fn headroom_db(&self, samples: &Samples) -> f64 {
        let full = f64::from((1u32 << samples.bits()) - 1);
        let span = self.picture(samples).map_or(1.0, |(low, high)| f64::from(high - low).max(1.0));
        20.0 * (full / span).log10()
    }

    /// Differences of the picture; those of padding do not count.
    pub fn compare(&self, source: &Samples, decoded: &Samples) -> Sums {
        let mut sums = Sums { range: self.picture(source), ..Sums::default() };
        for at in 0..source.values().len().min(decoded.values().len()) {
            let value = source.values().at(at);
            if self.is(value) {
                sums.masked += 1;
                continue;
            }
            let error = value.abs_diff(decoded.values().at(at));
            sums.largest = sums.largest.max(error);
            sums.squares += u128::from(u64::from(error) * u64::from(error));
            sums.count += 1;
        }
        sums
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grey(values: Vec<i16>) -> Samples {
        Samples::new(values.len() as u32, 1, 1, 12, Values::I16(values)).unwrap()
    }

    #[test]
    fn padding_becomes_the_nearest_value_of_the_picture_and_does_not_count() {
        let check = |range, values: Vec<i16>, expected: Vec<i16>| {
            let padding = Padding { range: Some(range) };
            assert_eq!(padding.masked(&grey(values)).unwrap().values(), &Values::I16(expected));
        };
        check((-2000, -2000), vec![-2000, -5, 7], vec![-5, -5, 7]);
        check((2000, 2047), vec![2047, -5, 2001, 7], vec![7, -5, 7, 7]);
        check((3, 3), vec![3, -5, 7], vec![3, -5, 7]);
        check((9, 9), vec![9, 9], vec![9, 9]);
        let sums = Padding { range: Some((-2000, -2000)) }.compare(&grey(vec![-2000, 0, 100]), &grey(vec![0, 3, 96]));
        assert_eq!((sums.largest, sums.squares, sums.count, sums.masked), (4, 25, 2, 1));
    }

    #[test]
    fn figures_are_those_of_their_definitions() {
        let none = Padding { range: None };
        let (a, b) = (grey(vec![0, 100, 50, 50]), grey(vec![1, 99, 51, 49]));
        let measured = Measured::of(&[none.compare(&a, &b)], 800, 100);
        // Every error is 1, so the mean of the squares is 1: 20 log10(100 / 1).
        assert_eq!((measured.largest_error, measured.ratio), (1, 8.0));
        assert!((measured.psnr_db.unwrap() - 40.0).abs() < 1e-9);
        assert_eq!(Measured::of(&[none.compare(&a, &a)], 800, 100).psnr_db, None);
        assert!((none.headroom_db(&a) - 20.0 * (4095.0f64 / 100.0).log10()).abs() < 1e-9);
    }
}
