//! Appending to a [`BitBuffer`] without a branch. The scalar twin is [`BitBuffer::append`].
#![allow(unsafe_code, reason = "stores into room that the caller has proven")]

use crate::block::encode::bits::BitBuffer;

/// A [`BitBuffer`]'s end, held in registers.
pub(in crate::block::encode) struct Appender {
    at: *mut u8,
    word: u64,
    used: u32,
}

impl Appender {
    pub(in crate::block::encode) fn of(buffer: &mut BitBuffer) -> Appender {
        Appender { at: buffer.bytes[buffer.at..].as_mut_ptr(), word: buffer.word, used: buffer.used }
    }

    /// Appends the low `length` bits (at most 64) of `bits`, whose other bits are zero.
    ///
    /// # Safety
    /// The buffer has room for 8 more bytes.
    #[inline(always)]
    pub(in crate::block::encode) unsafe fn append(&mut self, bits: u64, length: u32) {
        let filled = self.word | bits << self.used;
        // SAFETY: there is room.
        unsafe { self.at.cast::<u64>().write_unaligned(filled.to_le()) };
        let total = self.used + length;
        let rest = bits >> 1 >> (!self.used & 63);
        self.word = std::hint::select_unpredictable(total >= 64, rest, filled);
        // SAFETY: what was written is within the buffer, so is its end.
        self.at = unsafe { self.at.add((total as usize >> 6) * 8) };
        self.used = total & 63;
    }

    pub(in crate::block::encode) fn put_back(self, buffer: &mut BitBuffer) {
        buffer.at = self.at as usize - buffer.bytes.as_ptr() as usize;
        (buffer.word, buffer.used) = (self.word, self.used);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    proptest! {
        /// Proves that what is appended here is what the scalar twin appends, words of no and of 64 bits included.
        #[test]
        fn it_appends_what_its_scalar_twin_does(pieces in vec((any::<u64>(), 0u32..=64), 0..100)) {
            let (mut one, mut other) = (BitBuffer::with_room(1024), BitBuffer::with_room(1024));
            let mut appender = Appender::of(&mut one);
            for (bits, length) in pieces {
                let bits = bits.checked_shr(64 - length).unwrap_or(0);
                // SAFETY: 100 pieces of at most 64 bits have room.
                unsafe { appender.append(bits, length) };
                other.append(bits, length);
            }
            appender.put_back(&mut one);
            prop_assert_eq!(one.finish(true), other.finish(true));
            prop_assert_eq!(one.bytes, other.bytes);
        }
    }
}
