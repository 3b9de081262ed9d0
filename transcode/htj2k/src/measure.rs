//! How far a decoded picture is from its original.

use crate::image::{Samples, Shape};

/// The difference of two pictures of one shape.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measured {
    /// Largest absolute difference of two samples.
    pub largest_error: u32,
    /// Mean of the squared differences.
    pub mean_squared_error: f64,
    /// The largest difference that samples of these bits can have: the peak of the PSNR.
    pub peak: u32,
}

impl Measured {
    /// Peak signal to noise ratio, the peak being the full range of the bits; infinite when nothing differs. dB.
    pub fn psnr_db(&self) -> f64 {
        if self.mean_squared_error == 0.0 {
            return f64::INFINITY;
        }
        10.0 * (f64::from(self.peak).powi(2) / self.mean_squared_error).log10()
    }
}

/// Compares two pictures of `shape`, sample by sample; what one has more than the other is not looked at.
pub fn measure(shape: &Shape, original: Samples<'_>, decoded: Samples<'_>) -> Measured {
    let count = original.len().min(decoded.len());
    let (mut largest_error, mut squares) = (0, 0u64);
    for index in 0..count {
        let difference = original.at(index).abs_diff(decoded.at(index));
        largest_error = largest_error.max(difference);
        // 2^32 differences of 16 bits fit.
        squares += u64::from(difference) * u64::from(difference);
    }
    let mean_squared_error = if count == 0 { 0.0 } else { squares as f64 / count as f64 };
    Measured { largest_error, mean_squared_error, peak: (1 << shape.bits) - 1 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn equal_pictures_differ_by_nothing_and_others_by_what_they_do() {
        let shape = Shape { width: 2, height: 1, components: 1, bits: 8, signed: false };
        let same = measure(&shape, Samples::U8(&[7, 9]), Samples::U8(&[7, 9]));
        assert_eq!((same.largest_error, same.psnr_db()), (0, f64::INFINITY));
        let other = measure(&shape, Samples::U8(&[7, 9]), Samples::U8(&[4, 9]));
        assert_eq!((other.largest_error, other.mean_squared_error), (3, 4.5));
        assert!((other.psnr_db() - 41.6).abs() < 0.01, "{}", other.psnr_db());
    }
}
