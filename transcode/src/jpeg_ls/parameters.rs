//! The coding parameters: from an LSE segment or the defaults (T.87 C.2.4.1.1), and what follows from them (A.2.1).

use super::damaged;
use crate::error::Result;

/// LSE segments of preset coding parameters; 0 asks for the default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Presets {
    maxval: u16,
    thresholds: [u16; 3],
    reset: u16,
}

impl Presets {
    /// Takes one LSE segment in. A mapping table is refused by the scan that uses one.
    pub fn read(self, segment: &[u8]) -> Result<Presets> {
        match segment {
            [1, values @ ..] if values.len() == 10 => {
                let at = |index: usize| u16::from_be_bytes([values[2 * index], values[2 * index + 1]]);
                Ok(Presets { maxval: at(0), thresholds: [at(1), at(2), at(3)], reset: at(4) })
            }
            [2 | 3, ..] => Ok(self),
            [4, ..] => damaged("a picture of more than 65,535 rows or columns, which is not read"),
            _ => damaged("an LSE segment that is none"),
        }
    }
}

/// What decoding goes by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Parameters {
    /// The largest sample.
    pub maxval: i32,
    /// The largest difference from what was there before coding; 0 is lossless.
    pub near: i32,
    /// T1, T2, T3.
    pub thresholds: [i32; 3],
    /// Occurrences of a context after which its sums are halved.
    pub reset: u32,
    /// RANGE: different prediction errors.
    pub range: i32,
    /// qbpp: bits of a prediction error.
    pub error_bits: u32,
    /// LIMIT: the longest code word, bits.
    pub limit: u32,
}

impl Parameters {
    /// # Errors
    /// When a preset contradicts the precision or another (T.87 Table C.1).
    pub fn new(precision: u8, near: u16, presets: &Presets) -> Result<Parameters> {
        let full = (1i32 << precision) - 1;
        let maxval = if presets.maxval == 0 { full } else { i32::from(presets.maxval) };
        let near = i32::from(near);
        if maxval > full || near > (maxval / 2).min(255) {
            return damaged(format!("MAXVAL {maxval} and NEAR {near} do not fit {precision} bits"));
        }
        let defaults = thresholds(maxval, near);
        let mut chosen = defaults;
        for (chosen, preset) in chosen.iter_mut().zip(presets.thresholds) {
            *chosen = if preset == 0 { *chosen } else { i32::from(preset) };
        }
        let [t1, t2, t3] = chosen;
        let reset = if presets.reset == 0 { 64 } else { i32::from(presets.reset) };
        let rising = near < t1 && t1 <= t2 && t2 <= t3 && t3 <= maxval;
        if !rising || !(3..=maxval.max(255)).contains(&reset) {
            return damaged(format!("thresholds {chosen:?} and RESET {reset} that no coder may use"));
        }
        let range = (maxval + 2 * near) / (2 * near + 1) + 1;
        let bits = |values: i32| (values - 1).max(1).ilog2() + 1;
        let sample_bits = bits(maxval + 1).max(2);
        let limit = 2 * (sample_bits + sample_bits.max(8));
        let error_bits = bits(range);
        Ok(Parameters { maxval, near, thresholds: chosen, reset: reset as u32, range, error_bits, limit })
    }
}

/// T.87 C.2.4.1.1.1: the defaults 3, 7 and 21 of 8 bits, stretched.
fn thresholds(maxval: i32, near: i32) -> [i32; 3] {
    let (low, wide) = (256 / (maxval + 1), (maxval.min(4095) + 128) / 256);
    let wanted = match maxval {
        128.. => [wide + 2 + 3 * near, wide * 4 + 3 + 5 * near, wide * 17 + 4 + 7 * near],
        _ => [(3 / low + 3 * near).max(2), (7 / low + 5 * near).max(3), (21 / low + 7 * near).max(4)],
    };
    let mut floor = near + 1;
    wanted.map(|wanted| {
        let chosen = if wanted > maxval || wanted < floor { floor } else { wanted };
        floor = chosen;
        chosen
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_those_of_the_standard() {
        // T.87 C.2.4.1.1.1 and Table C.3.
        let check = |precision, near, thresholds, limit, error_bits| {
            let found = Parameters::new(precision, near, &Presets::default()).unwrap();
            assert_eq!((found.thresholds, found.limit, found.error_bits), (thresholds, limit, error_bits));
        };
        check(8, 0, [3, 7, 21], 32, 8);
        check(12, 0, [18, 67, 276], 48, 12);
        check(16, 0, [18, 67, 276], 64, 16);
        check(8, 3, [12, 22, 42], 32, 6);
    }

    #[test]
    fn presets_that_contradict_are_refused() {
        let preset = |values: [u16; 5]| {
            let segment: Vec<u8> = std::iter::once(1).chain(values.iter().flat_map(|v| v.to_be_bytes())).collect();
            Presets::default().read(&segment).and_then(|presets| Parameters::new(8, 0, &presets))
        };
        assert!(preset([255, 9, 9, 9, 31]).is_ok());
        assert!(preset([256, 0, 0, 0, 0]).is_err());
        assert!(preset([0, 9, 8, 9, 0]).is_err());
        assert!(preset([0, 0, 0, 0, 2]).is_err());
        assert!(Parameters::new(8, 128, &Presets::default()).is_err());
    }
}
