//! A buffer of bits, least significant first, not yet stuffed.

/// Bits in the order in which a reader takes them. Stuffing is a later pass ([`super::stuffing`]): appending stays free of
/// branches, and the pass copies many bytes at once.
pub(super) struct BitBuffer {
    pub(super) bytes: Box<[u8]>,
    /// Where the word in hand will be stored.
    pub(super) at: usize,
    /// The bits in hand, fewer than 64.
    pub(super) word: u64,
    pub(super) used: u32,
}

/// Bytes beyond the last bit that passes may read or write.
pub(super) const SLACK_BYTES: usize = 192;

impl BitBuffer {
    pub(super) fn with_room(bytes: usize) -> BitBuffer {
        BitBuffer { bytes: vec![0; bytes + SLACK_BYTES].into_boxed_slice(), at: 0, word: 0, used: 0 }
    }

    pub(super) fn clear(&mut self) {
        (self.at, self.word, self.used) = (0, 0, 0);
    }

    /// Appends the low `length` bits (at most 64) of `bits`, whose other bits are zero.
    #[inline(always)]
    pub(super) fn append(&mut self, bits: u64, length: u32) {
        debug_assert!(length == 64 || bits >> length == 0, "{bits:#x} has more than {length} bits");
        let filled = self.word | bits << self.used;
        let total = self.used + length;
        self.word = filled;
        if total >= 64 {
            self.bytes[self.at..self.at + 8].copy_from_slice(&filled.to_le_bytes());
            self.at += 8;
            self.word = bits >> 1 >> (63 - self.used);
        }
        self.used = total & 63;
    }

    /// Stores what is in hand and fills the slack after it with `fill` bits; answers how many bits there are.
    pub(super) fn finish(&mut self, fill: bool) -> usize {
        let ones = if fill { !0u64 } else { 0 };
        let word = self.word | ones << self.used;
        self.bytes[self.at..self.at + 8].copy_from_slice(&word.to_le_bytes());
        self.bytes[self.at + 8..self.at + SLACK_BYTES - 8].fill(ones as u8);
        self.at * 8 + self.used as usize
    }
}

/// Eight bytes of `bytes` from bit `position` on.
#[inline(always)]
pub(super) fn eight_bytes(bytes: &[u8], position: usize) -> u64 {
    let (at, shift) = (position / 8, position % 8);
    let low = u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap_or_default());
    low >> shift | u64::from(bytes[at + 8]) << 1 << (63 - shift)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that bits come back in the order and number in which they went in, words of 64 bits included.
    #[test]
    fn what_is_appended_can_be_read() {
        let pieces = [(1, 1), (0x2A, 7), (!0, 64), (0, 0), (0x1234_5678_9ABC, 48), (5, 3), (!0 >> 1, 63), (0, 64)];
        let mut buffer = BitBuffer::with_room(64);
        pieces.iter().for_each(|&(bits, length)| buffer.append(bits, length));
        let total = buffer.finish(true);
        let mut position = 0;
        for (bits, length) in pieces {
            let mask = if length == 64 { !0 } else { (1u64 << length) - 1 };
            assert_eq!(eight_bytes(&buffer.bytes, position) & mask, bits, "{length} bits at {position}");
            position += length as usize;
        }
        assert_eq!(position, total);
        assert_eq!(eight_bytes(&buffer.bytes, position), !0);
    }
}
