//! The bits of packet headers: most significant first, and after a byte FF one bit 0 (T.800 B.10.1).

/// The header's bytes are used up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ended;

/// Reads a packet header.
pub(crate) struct BitReader<'a> {
    bytes: &'a [u8],
    /// Next byte to load.
    at: usize,
    /// The byte being read.
    byte: u8,
    /// Bits of it that are not read yet.
    left: u8,
}

impl<'a> BitReader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> BitReader<'a> {
        BitReader { bytes, at: 0, byte: 0, left: 0 }
    }

    #[inline]
    pub(crate) fn bit(&mut self) -> Result<u32, Ended> {
        if self.left == 0 {
            let stuffed = self.byte == 0xFF;
            self.byte = *self.bytes.get(self.at).ok_or(Ended)?;
            self.at += 1;
            self.left = 8 - u8::from(stuffed);
        }
        self.left -= 1;
        Ok(u32::from(self.byte >> self.left) & 1)
    }

    /// `count` bits, at most 32.
    pub(crate) fn bits(&mut self, count: u8) -> Result<u32, Ended> {
        (0..count).try_fold(0, |value, _| Ok((value << 1) | self.bit()?))
    }

    /// Bytes used, once the header is over: its last byte is not FF, so that a stuffed bit may need one more.
    pub(crate) fn finish(self) -> Result<usize, Ended> {
        if self.byte != 0xFF {
            return Ok(self.at);
        }
        if self.at < self.bytes.len() { Ok(self.at + 1) } else { Err(Ended) }
    }
}

/// Writes a packet header behind what `out` has.
pub(crate) struct BitWriter<'a> {
    out: &'a mut Vec<u8>,
    /// Bits of the byte being written.
    byte: u8,
    /// Bits of it that are free.
    free: u8,
}

impl<'a> BitWriter<'a> {
    pub(crate) fn new(out: &'a mut Vec<u8>) -> BitWriter<'a> {
        BitWriter { out, byte: 0, free: 8 }
    }

    #[inline]
    pub(crate) fn bit(&mut self, bit: bool) {
        self.free -= 1;
        self.byte |= u8::from(bit) << self.free;
        if self.free == 0 {
            self.flush();
        }
    }

    /// The lowest `count` bits of `value`.
    pub(crate) fn bits(&mut self, value: u32, count: u8) {
        (0..count).rev().for_each(|place| self.bit((value >> place) & 1 != 0));
    }

    /// Fills the last byte with zeros. After a byte FF one bit is taken already, so that a byte follows in any case.
    pub(crate) fn finish(mut self) {
        if self.free < 8 {
            self.flush();
        }
    }

    fn flush(&mut self) {
        self.out.push(self.byte);
        self.free = if self.byte == 0xFF { 7 } else { 8 };
        self.byte = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn written(fields: &[(u32, u8)]) -> Vec<u8> {
        let mut out = Vec::new();
        let mut writer = BitWriter::new(&mut out);
        fields.iter().for_each(|&(value, count)| writer.bits(value, count));
        writer.finish();
        out
    }

    #[test]
    fn a_bit_is_stuffed_after_ff() {
        assert_eq!(written(&[(0xFF, 8)]), [0xFF, 0x00]);
        assert_eq!(written(&[(0x1FF, 9)]), [0xFF, 0x40]);
        assert_eq!(written(&[(0x7FFF, 15)]), [0xFF, 0x7F]);
        assert_eq!(written(&[(1, 1)]), [0x80]);
        assert_eq!(written(&[]), []);
    }

    #[test]
    fn a_header_that_ends_early_is_noticed() {
        let mut reader = BitReader::new(&[0xFF]);
        assert_eq!(reader.bits(8), Ok(0xFF));
        assert_eq!(reader.bit(), Err(Ended));
        assert_eq!(reader.finish(), Err(Ended));
    }

    proptest! {
        /// What is written comes back, every byte after FF has its top bit clear, and the length is known.
        #[test]
        fn what_is_written_is_read(fields in prop::collection::vec((any::<u32>(), 0u8..=32, any::<bool>()), 1..60)) {
            let fields: Vec<(u32, u8)> = fields.iter().map(|&(value, count, ones)| {
                let mask = ((1u64 << count) - 1) as u32;
                (if ones { mask } else { value & mask }, count)
            }).collect();
            let bytes = written(&fields);
            prop_assert!(bytes.windows(2).all(|pair| pair[0] != 0xFF || pair[1] < 0x80));
            prop_assert!(bytes.last() != Some(&0xFF));
            let mut reader = BitReader::new(&bytes);
            for (value, count) in fields {
                prop_assert_eq!(reader.bits(count), Ok(value));
            }
            prop_assert_eq!(reader.finish(), Ok(bytes.len()));
        }
    }
}
