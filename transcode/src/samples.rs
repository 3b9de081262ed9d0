//! One frame as numbers: interleaved, row-major, in the narrowest type that holds them.

use crate::error::{Error, Result};

/// Samples a frame may have: 2^26 is 8192 × 8192 grey, and 256 MiB while a coder holds them as 32-bit numbers.
pub const SAMPLES_MAX: u64 = 1 << 26;

/// The numbers of a frame. 16 bits stay 16 bits: a mammogram is not widened to be held.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Unsigned, at most 8 bits.
    U8(Vec<u8>),
    /// Unsigned, 9 to 16 bits.
    U16(Vec<u16>),
    /// Signed, at most 16 bits.
    I16(Vec<i16>),
}

impl Values {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Values::U8(values) => values.len(),
            Values::U16(values) => values.len(),
            Values::I16(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them, widened.
    ///
    /// # Panics
    /// When there is no such value.
    pub fn at(&self, index: usize) -> i32 {
        match self {
            Values::U8(values) => i32::from(values[index]),
            Values::U16(values) => i32::from(values[index]),
            Values::I16(values) => i32::from(values[index]),
        }
    }

    /// The type that holds `bits` bits, filled from wide numbers, each brought into range.
    pub(crate) fn collect(bits: u8, signed: bool, wide: impl Iterator<Item = i32>) -> Values {
        let (low, high) = range(bits, signed);
        let narrow = wide.map(|value| value.clamp(low, high));
        match (signed, bits) {
            (true, _) => Values::I16(narrow.map(|value| value as i16).collect()),
            (false, ..=8) => Values::U8(narrow.map(|value| value as u8).collect()),
            (false, _) => Values::U16(narrow.map(|value| value as u16).collect()),
        }
    }
}

/// Smallest and largest number of `bits` bits.
fn range(bits: u8, signed: bool) -> (i32, i32) {
    if signed { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

/// One frame: `width * height * components` numbers, the components of a pixel beside each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Samples {
    width: u32,
    height: u32,
    components: u8,
    bits: u8,
    values: Values,
}

impl Samples {
    /// Puts a frame together.
    ///
    /// # Errors
    /// [`Error::Damaged`] when there are not `width * height * components` values, when they are not of the type
    /// that `bits` (1 to 16) calls for, or when an edge is 0; [`Error::TooLarge`] above [`SAMPLES_MAX`].
    pub fn new(width: u32, height: u32, components: u8, bits: u8, values: Values) -> Result<Samples> {
        let count = count(width, height, components)?;
        let fits = match &values {
            Values::U8(_) => (1..=8).contains(&bits),
            Values::U16(_) => (9..=16).contains(&bits),
            Values::I16(_) => (1..=16).contains(&bits),
        };
        if !fits || values.len() as u64 != count {
            let detail = format!("{} values of {bits} bits for {width} x {height} x {components}", values.len());
            return Err(Error::Damaged { coder: "samples", detail });
        }
        Ok(Samples { width, height, components, bits, values })
    }

    /// Columns.
    pub fn width(&self) -> u32 {
        self.width
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.height
    }

    /// Numbers a pixel: 1, or 3 for colour.
    pub fn components(&self) -> u8 {
        self.components
    }

    /// Significant bits of each number, 1 to 16.
    pub fn bits(&self) -> u8 {
        self.bits
    }

    /// Whether numbers may be below zero.
    pub fn signed(&self) -> bool {
        matches!(self.values, Values::I16(_))
    }

    /// The numbers.
    pub fn values(&self) -> &Values {
        &self.values
    }

    /// The same numbers with `bits` bits, as many as Bits Stored says: a codestream must agree with it (PS3.5 §8.2.4), that of
    /// a source often has as many as are allocated. `None` where they do not fit.
    pub(crate) fn with_bits(&self, bits: u16) -> Option<Samples> {
        let bits = u8::try_from(bits).ok().filter(|bits| (1..=16).contains(bits))?;
        if bits == self.bits {
            return Some(self.clone());
        }
        let (low, high) = range(bits, self.signed());
        let wide = || (0..self.values.len()).map(|at| self.values.at(at));
        let fits = bits > self.bits || wide().all(|value| (low..=high).contains(&value));
        let values = || Values::collect(bits, self.signed(), wide());
        fits.then(|| Samples { bits, values: values(), ..*self })
    }

    /// Takes unsigned numbers for the two's complement they are, where a codestream forgot to say so
    /// (PS3.5 §8.2.4: Pixel Representation and the codestream must agree; they do not always).
    pub(crate) fn into_signed(self) -> Samples {
        let shift = 32 - u32::from(self.bits);
        let extend = |value: u32| ((value << shift) as i32 >> shift) as i16;
        let values = match self.values {
            Values::U8(values) => Values::I16(values.iter().map(|&value| extend(value.into())).collect()),
            Values::U16(values) => Values::I16(values.iter().map(|&value| extend(value.into())).collect()),
            signed => signed,
        };
        Samples { values, ..self }
    }
}

/// `width * height * components`, if that is more than nothing and at most [`SAMPLES_MAX`].
pub(crate) fn count(width: u32, height: u32, components: u8) -> Result<u64> {
    let pixels = u64::from(width) * u64::from(height);
    let claimed = pixels.saturating_mul(u64::from(components));
    if claimed == 0 {
        return Err(Error::Damaged {
            coder: "samples",
            detail: format!("{width} x {height} x {components} is no picture"),
        });
    }
    if claimed > SAMPLES_MAX {
        return Err(Error::TooLarge { what: "samples of a frame", claimed, limit: SAMPLES_MAX });
    }
    Ok(claimed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_has_as_many_values_as_it_says_and_of_the_type_its_bits_call_for() {
        let check = |width, bits, values: Values, good: bool| {
            assert_eq!(Samples::new(width, 2, 1, bits, values.clone()).is_ok(), good, "{width} {bits} {values:?}");
        };
        check(2, 8, Values::U8(vec![0; 4]), true);
        check(2, 12, Values::U16(vec![0; 4]), true);
        check(2, 3, Values::I16(vec![0; 4]), true);
        check(3, 8, Values::U8(vec![0; 4]), false);
        check(2, 9, Values::U8(vec![0; 4]), false);
        check(2, 17, Values::U16(vec![0; 4]), false);
        check(0, 8, Values::U8(vec![]), false);
    }

    #[test]
    fn a_claim_above_the_limit_is_refused_by_its_name() {
        assert!(matches!(count(65535, 65535, 3), Err(Error::TooLarge { limit: SAMPLES_MAX, .. })));
        assert_eq!(count(8192, 8192, 1).unwrap(), SAMPLES_MAX);
    }

    #[test]
    fn unsigned_twelve_bit_numbers_become_the_signed_ones_they_are() {
        let frame = Samples::new(2, 1, 1, 12, Values::U16(vec![0xFFF, 0x7FF])).unwrap();
        assert_eq!(frame.into_signed().values(), &Values::I16(vec![-1, 2047]));
    }
}
