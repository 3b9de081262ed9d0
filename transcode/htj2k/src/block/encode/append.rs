//! Appending to a [`BitBuffer`] without a branch.
#![allow(unsafe_code, reason = "stores into room that the caller has proven")]

use super::bits::BitBuffer;

/// A [`BitBuffer`]'s end, held in registers.
pub(super) struct Appender {
    at: *mut u8,
    word: u64,
    used: u32,
}

impl Appender {
    pub(super) fn of(buffer: &mut BitBuffer) -> Appender {
        Appender { at: buffer.bytes[buffer.at..].as_mut_ptr(), word: buffer.word, used: buffer.used }
    }

    /// Appends the low `length` bits (at most 64) of `bits`, whose other bits are zero.
    ///
    /// # Safety
    /// The buffer has room for 8 more bytes.
    #[inline(always)]
    pub(super) unsafe fn append(&mut self, bits: u64, length: u32) {
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

    pub(super) fn put_back(self, buffer: &mut BitBuffer) {
        buffer.at = self.at as usize - buffer.bytes.as_ptr() as usize;
        (buffer.word, buffer.used) = (self.word, self.used);
    }
}
