//! Readers of stuffed bit strings, a byte at a time.

/// A bit string that is read forwards, first bit in the least significant place; after 0xFF a byte has 7 bits (T.814 7.1.3).
#[derive(Debug)]
pub(in crate::block::decode) struct Forward<'a> {
    bytes: &'a [u8],
    fill: u8,
    held: u64,
    count: u32,
    last: u8,
}

impl<'a> Forward<'a> {
    /// Beyond the end every byte is `fill`.
    pub(in crate::block::decode) fn new(bytes: &'a [u8], fill: u8) -> Forward<'a> {
        Forward { bytes, fill, held: 0, count: 0, last: 0 }
    }

    /// The next `count` bits, at most 31.
    pub(in crate::block::decode) fn take(&mut self, count: u32) -> u64 {
        while self.count < count {
            let byte = self.bytes.split_off_first().copied().unwrap_or(self.fill);
            let length = if self.last == 0xFF { 7 } else { 8 };
            self.held |= u64::from(byte & (0xFF >> (8 - length))) << self.count;
            self.count += length;
            self.last = byte;
        }
        let bits = self.held & ((1 << count) - 1);
        self.held >>= count;
        self.count -= count;
        bits
    }
}

/// A bit string that is read from the end of its bytes, first bit in the least significant place; after a byte above
/// 0x8F one of 0x7F in its low bits has 7 of them (T.814 7.1.4).
#[derive(Debug)]
pub(in crate::block::decode) struct Reverse<'a> {
    bytes: &'a [u8],
    held: u64,
    count: u32,
    last: u8,
    /// Bits that were made up beyond the end.
    beyond: u32,
}

impl<'a> Reverse<'a> {
    /// As if `last` had been read before.
    pub(in crate::block::decode) fn new(bytes: &'a [u8], last: u8) -> Reverse<'a> {
        Reverse { bytes, held: 0, count: 0, last, beyond: 0 }
    }

    pub(in crate::block::decode) fn put(&mut self, bits: u64, count: u32) {
        self.held |= (bits & ((1 << count) - 1)) << self.count;
        self.count += count;
    }

    /// At least 32 bits.
    pub(in crate::block::decode) fn peek(&mut self) -> u64 {
        while self.count < 32 {
            let byte = self.bytes.split_off_last().copied();
            self.beyond += if byte.is_none() { 8 } else { 0 };
            let byte = byte.unwrap_or(0);
            self.put(u64::from(byte), if self.last > 0x8F && byte & 0x7F == 0x7F { 7 } else { 8 });
            self.last = byte;
        }
        self.held
    }

    /// Goes over `count` bits that [`Reverse::peek`] has shown.
    pub(in crate::block::decode) fn skip(&mut self, count: u32) {
        self.held >>= count;
        self.count -= count;
    }

    pub(in crate::block::decode) fn take(&mut self, count: u32) -> u64 {
        let bits = self.peek() & ((1 << count) - 1);
        self.skip(count);
        bits
    }

    /// Whether bits were taken that are not there.
    pub(in crate::block::decode) fn overrun(&self) -> bool {
        self.beyond > self.count
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// After 0xFF the top bit of a byte is no data, and beyond the end there is only the filling.
    #[test]
    fn forward_bits_leave_out_what_was_stuffed() {
        let mut bits = Forward::new(&[0xFF, 0x85, 0x01], 0xFF);
        assert_eq!([bits.take(8), bits.take(7), bits.take(8), bits.take(9)], [0xFF, 5, 1, 0x1FF]);
    }

    /// A byte of 0x7F after one above 0x8F has seven bits, whatever its top bit; after a smaller one eight.
    #[test]
    fn reverse_bits_leave_out_what_was_stuffed() {
        let mut bits = Reverse::new(&[0x12, 0x7F, 0x90, 0x7F, 0x8F], 0);
        assert_eq!([bits.take(8), bits.take(8), bits.take(8), bits.take(7)], [0x8F, 0x7F, 0x90, 0x7F]);
        assert_eq!(bits.take(8), 0x12);
        assert!(!bits.overrun());
        bits.take(1);
        assert!(bits.overrun());
    }
}
