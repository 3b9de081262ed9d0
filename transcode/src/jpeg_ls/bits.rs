//! Bits of coded data: after a byte of ones the next byte has seven, a zero being stuffed before them (T.87 §9.1).

use super::damaged;
use crate::error::Result;

/// Reads bits, the highest of a byte first.
pub(super) struct Bits<'a> {
    rest: &'a [u8],
    /// The next bits, from the highest bit on; zeros behind them.
    held: u64,
    count: u32,
    after_ones: bool,
}

impl<'a> Bits<'a> {
    pub fn new(coded: &'a [u8]) -> Bits<'a> {
        Bits { rest: coded, held: 0, count: 0, after_ones: false }
    }

    /// Holds at least 56 bits, if that many are left.
    fn fill(&mut self) {
        while self.count <= 56 {
            let Some((&byte, rest)) = self.rest.split_first() else { return };
            self.rest = rest;
            let width = if self.after_ones { 7 } else { 8 };
            // The stuffed bit is a zero, or this would be a marker and no coded data.
            self.held |= u64::from(byte) << (64 - self.count - width);
            self.count += width;
            self.after_ones = byte == 0xFF;
        }
    }

    /// The next `width` bits, at most 32.
    pub fn take(&mut self, width: u32) -> Result<u32> {
        if width == 0 {
            return Ok(0);
        }
        if self.count < width {
            self.fill();
            if self.count < width {
                return damaged("its coded data ends too soon");
            }
        }
        let value = (self.held >> (64 - width)) as u32;
        self.held <<= width;
        self.count -= width;
        Ok(value)
    }

    /// How many zeros there are before the next one, which is taken too; an error above `most`.
    pub fn zeros(&mut self, most: u32) -> Result<u32> {
        let mut zeros = 0;
        loop {
            let found = self.held.leading_zeros().min(self.count);
            zeros += found;
            if zeros > most {
                return damaged("a code word longer than any may be");
            }
            if found < self.count {
                self.held = self.held << found << 1;
                self.count -= found + 1;
                return Ok(zeros);
            }
            (self.held, self.count) = (0, 0);
            self.fill();
            if self.count == 0 {
                return damaged("its coded data ends too soon");
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuffed_bit_is_passed_over_and_the_end_is_an_error() {
        let mut bits = Bits::new(&[0xFF, 0x7F, 0x80, 0x01]);
        assert_eq!(bits.take(15).unwrap(), 0x7FFF);
        assert_eq!(bits.zeros(5).unwrap(), 0);
        assert_eq!(bits.zeros(14).unwrap(), 14);
        assert!(bits.take(1).is_err() && bits.zeros(9).is_err());
        assert!(Bits::new(&[0, 0, 1]).zeros(22).is_err());
        assert_eq!(Bits::new(&[0, 0, 1]).zeros(23).unwrap(), 23);
    }
}
