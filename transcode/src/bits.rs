//! Single bits: eight pixels a byte, the first in the least significant bit, nothing between frames, so that a frame may
//! begin inside a byte (PS3.5 §8.1.1, Annex D). In big-endian words the two bytes of each sixteen pixels stand swapped
//! (Annex A.3).

/// The `count` bits from bit `first` on, a byte each; `None` where `bytes` end before them.
pub(crate) fn unpack(bytes: &[u8], first: u64, count: usize, swapped: bool) -> Option<Vec<u8>> {
    let end = first.checked_add(count as u64)?.div_ceil(8);
    let end = usize::try_from(if swapped { end.next_multiple_of(2) } else { end }).ok()?;
    let (start, skipped) = (usize::try_from(first / 8).ok()?, (first % 8) as usize);
    let needed = bytes.get(..end)?;
    let byte = |at: usize| if swapped { needed[at ^ 1] } else { needed[at] };
    let bits = (start..(first + count as u64).div_ceil(8) as usize).flat_map(|at| {
        let byte = byte(at);
        (0..8).map(move |bit| byte >> bit & 1)
    });
    let mut out = Vec::with_capacity(count);
    out.extend(bits.skip(skipped).take(count));
    Some(out)
}

/// Puts bits back into bytes, over the ends of frames.
#[derive(Debug)]
pub(crate) struct Packer {
    swapped: bool,
    word: u16,
    /// Bits in `word`: fewer than 8, or than 16 of swapped ones.
    filled: u32,
}

impl Packer {
    pub fn new(swapped: bool) -> Packer {
        Packer { swapped, word: 0, filled: 0 }
    }

    /// Answers the bytes (words, if swapped) that `bits`, a byte each, have filled. The rest waits for the next frame.
    pub fn push(&mut self, bits: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(bits.len() / 8 + 2);
        let full = if self.swapped { 16 } else { 8 };
        for &bit in bits {
            self.word |= u16::from(bit & 1) << self.filled;
            self.filled += 1;
            if self.filled == full {
                if self.swapped {
                    out.extend(self.word.to_be_bytes())
                } else {
                    out.push(self.word as u8)
                }
                (self.word, self.filled) = (0, 0);
            }
        }
        out
    }

    /// The byte that is filled in part, the rest of it zeros. For words that are not swapped.
    pub fn rest(&self) -> Option<u8> {
        (self.filled > 0).then_some(self.word as u8)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_first_pixel_is_the_least_significant_bit_also_of_swapped_words() {
        assert_eq!(unpack(&[0b101, 1], 0, 9, false).unwrap(), [1, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(unpack(&[1, 0b101], 0, 9, true).unwrap(), [1, 0, 1, 0, 0, 0, 0, 0, 1]);
        assert_eq!(unpack(&[0b1000_0000, 0b11], 7, 3, false).unwrap(), [1, 1, 1]);
        assert_eq!(unpack(&[0xFF; 2], 9, 8, false), None);
        assert_eq!(unpack(&[0xFF; 3], 16, 1, true), None);
        assert_eq!(unpack(&[0xFF; 2], u64::MAX, 8, false), None);
    }

    proptest! {
        /// Frames of any number of bits are packed again to the bytes they were unpacked from, but for the unfilled end.
        #[test]
        fn frames_that_begin_inside_a_byte_come_back(bytes in proptest::collection::vec(any::<u8>(), 2..80), count in 1usize..60, swapped: bool) {
            let bytes = &bytes[..bytes.len() / 2 * 2];
            let frames = bytes.len() * 8 / count;
            let mut packer = Packer::new(swapped);
            let mut packed = Vec::new();
            for frame in 0..frames {
                packed.extend(packer.push(&unpack(bytes, (frame * count) as u64, count, swapped).unwrap()));
            }
            let unit = if swapped { 2 } else { 1 };
            prop_assert_eq!(&packed[..], &bytes[..frames * count / (8 * unit) * unit]);
        }
    }
}
