//! Streams without their stuffing, in linear buffers with padding: any bit of them is one unaligned load away.

use super::tables::MEL_EXPONENTS;
use crate::simd::Level;

/// A bit string, first bit in the least significant place of the first byte, and bytes after it that may be read.
#[derive(Debug, Default)]
pub(super) struct Bits {
    bytes: Vec<u8>,
    /// Bits that came from the stream.
    pub(super) end: usize,
}

/// Appends to a bit string by whole words.
struct Appender<'a> {
    bytes: &'a mut [u8],
    place: usize,
    held: u64,
    count: u32,
}

impl Appender<'_> {
    /// At least one bit and at most 64, with zeros above them.
    #[inline(always)]
    fn put(&mut self, bits: u64, count: u32) {
        self.held |= bits << self.count;
        let total = self.count + count;
        self.bytes[self.place..][..8].copy_from_slice(&self.held.to_le_bytes());
        if total >= 64 {
            self.place += 8;
            // Shifted in two steps, for the count may be 0 and a shift by 64 is none.
            self.held = bits >> 1 >> (63 - self.count);
        }
        self.count = total & 63;
    }

    /// Writes what is left; the bits that there are.
    fn finish(self) -> usize {
        self.bytes[self.place..][..8].copy_from_slice(&self.held.to_le_bytes());
        8 * self.place + self.count as usize
    }
}

impl Bits {
    /// Takes a stream that is read forwards, without the bit after each 0xFF (T.814 7.1.3). At most `limit` bytes of it
    /// are wanted. It is followed by `padding` bytes of ones, or of zeros.
    pub(super) fn forward(&mut self, level: Level, stream: &[u8], limit: usize, ones: bool, padding: usize) {
        let stream = &stream[..stream.len().min(limit)];
        let mut appender = self.appender(stream.len() + padding.max(64));
        let mut stuffed = false;
        #[cfg(target_arch = "x86_64")]
        let stream = if level == Level::Avx512 {
            let (taken, bits, last) = super::bits_avx512::forward(stream, appender.bytes);
            (appender.place, appender.count, stuffed) = (bits / 64 * 8, bits as u32 % 64, last);
            let word = appender.bytes[appender.place..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
            appender.held = word & ((1 << appender.count) - 1);
            &stream[taken..]
        } else {
            stream
        };
        let _ = level;
        let (words, rest) = stream.as_chunks::<8>();
        for word in words {
            let bits = u64::from_le_bytes(*word);
            if !stuffed && !any_zero_byte(!bits) {
                appender.put(bits, 64);
            } else {
                word.iter().for_each(|&byte| forward_byte(&mut appender, byte, &mut stuffed));
            }
        }
        rest.iter().for_each(|&byte| forward_byte(&mut appender, byte, &mut stuffed));
        self.end = appender.finish();
        self.pad(ones, padding);
    }

    /// Takes a stream that is read from its end (T.814 7.1.4), as if `last` had been the byte before and after the
    /// `count` bits of `head`; it is followed by `padding` bytes of zeros.
    pub(super) fn reverse(&mut self, stream: &[u8], limit: usize, last: u8, head: (u64, u32), padding: usize) {
        let stream = &stream[stream.len() - stream.len().min(limit)..];
        let mut appender = self.appender(stream.len() + 8 + padding);
        (appender.held, appender.count) = head;
        let mut last = last;
        let (rest, words) = stream.as_rchunks::<8>();
        for word in words.iter().rev() {
            let bits = u64::from_be_bytes(*word);
            if !any_zero_byte(!bits & 0x7F7F_7F7F_7F7F_7F7F) {
                appender.put(bits, 64);
                last = word[0];
            } else {
                word.iter().rev().for_each(|&byte| reverse_byte(&mut appender, byte, &mut last));
            }
        }
        rest.iter().rev().for_each(|&byte| reverse_byte(&mut appender, byte, &mut last));
        self.end = appender.finish();
        self.pad(false, padding);
    }

    /// The bytes, padding and all.
    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    fn appender(&mut self, bytes: usize) -> Appender<'_> {
        // Eight more, since words are written whole.
        let needed = bytes + 16;
        if self.bytes.len() < needed {
            self.bytes.resize(needed, 0);
        }
        Appender { bytes: &mut self.bytes, place: 0, held: 0, count: 0 }
    }

    fn pad(&mut self, ones: bool, padding: usize) {
        let fill = if ones { 0xFF } else { 0 };
        let (whole, part) = (self.end / 8, self.end % 8);
        let kept = (1u8 << part) - 1;
        self.bytes[whole] = self.bytes[whole] & kept | fill & !kept;
        self.bytes[whole + 1..][..padding].fill(fill);
    }
}

#[inline(always)]
fn forward_byte(appender: &mut Appender<'_>, byte: u8, stuffed: &mut bool) {
    let count = if *stuffed { 7 } else { 8 };
    appender.put(u64::from(byte & (0xFF >> (8 - count))), count);
    *stuffed = byte == 0xFF;
}

#[inline(always)]
fn reverse_byte(appender: &mut Appender<'_>, byte: u8, last: &mut u8) {
    let stuffed = *last > 0x8F && byte & 0x7F == 0x7F;
    if stuffed {
        appender.put(u64::from(byte & 0x7F), 7);
    } else {
        appender.put(u64::from(byte), 8);
    }
    *last = byte;
}

#[inline(always)]
fn any_zero_byte(word: u64) -> bool {
    word.wrapping_sub(0x0101_0101_0101_0101) & !word & 0x8080_8080_8080_8080 != 0
}

/// MEL events that one code-block can use: one a quad, and one a pair of the first quad row.
const EVENTS_MAX: usize = 2048 + 256;

/// The MEL decoder, ahead of those who use its events: they are bits of a string (T.814 7.3.3).
#[derive(Debug)]
pub(super) struct Events {
    /// One bit an event, of which `length` are valid and the rest zeros.
    words: [u64; EVENTS_MAX / 64 + 4],
    length: usize,
    /// Where the first event is that has not been used.
    used: usize,
    bytes: usize,
    stuffed: bool,
    held: u64,
    count: u32,
    state: usize,
}

impl Default for Events {
    fn default() -> Events {
        let words = [0; EVENTS_MAX / 64 + 4];
        Events { words, length: 0, used: 0, bytes: 0, stuffed: false, held: 0, count: 0, state: 0 }
    }
}

impl Events {
    /// Begins a code-block.
    pub(super) fn reset(&mut self) {
        self.words[..self.length / 64 + 1].fill(0);
        (self.length, self.used, self.bytes, self.stuffed) = (0, 0, 0, false);
        (self.held, self.count, self.state) = (0, 0, 0);
    }

    /// The next 57 events or more, of which `count` at most will be used; MEL stands at the start of `stream`, whose
    /// last byte but one counts with ones in its lower half and whose last as 0xFF.
    #[inline]
    pub(super) fn peek(&mut self, stream: &[u8], count: usize) -> u64 {
        if self.length < self.used + count {
            self.decode(stream, self.used + count);
        }
        let (word, bit) = (self.used / 64, self.used % 64);
        self.words[word] >> bit | self.words[word + 1] << 1 << (63 - bit)
    }

    /// Goes over events that were used.
    #[inline]
    pub(super) fn skip(&mut self, count: usize) {
        self.used += count;
    }

    fn decode(&mut self, stream: &[u8], wanted: usize) {
        while self.length < wanted {
            self.refill(stream);
            let (mut held, mut count, mut state, mut length) = (self.held, self.count, self.state, self.length);
            // Six bits are the longest codeword.
            while count >= 6 && length < wanted {
                let step = MEL_STEPS[state * 64 + (held >> 58) as usize];
                held <<= step & 7;
                count -= step & 7;
                length += (step >> 8 & 63) as usize;
                self.words[length / 64] |= u64::from(step >> 16 & 1) << (length % 64);
                length += (step >> 16 & 1) as usize;
                state = (step >> 24) as usize;
            }
            (self.held, self.count, self.state, self.length) = (held, count, state, length);
        }
    }

    fn refill(&mut self, stream: &[u8]) {
        let inner = stream.len() - 2;
        while self.count <= 56 {
            let byte = match self.bytes {
                place if place < inner => stream[place],
                place if place == inner => stream[place] | 15,
                _ => 0xFF,
            };
            let length = if self.stuffed { 7 } else { 8 };
            self.held |= u64::from(byte) << (64 - length) >> self.count;
            self.count += length;
            self.stuffed = byte == 0xFF;
            self.bytes += 1;
        }
    }
}

/// What one codeword of MEL does, by state and the next six bits: its length in the lowest byte, then events 0, then
/// whether a 1 follows, then the next state.
static MEL_STEPS: [u32; 13 * 64] = {
    let mut table = [0; 13 * 64];
    let mut n = 0;
    while n < table.len() {
        let (state, bits) = (n as u32 / 64, n as u32 % 64);
        let exponent = MEL_EXPONENTS[state as usize] as u32;
        table[n] = if bits & 32 != 0 {
            1 | 1 << exponent << 8 | (if state < 12 { state + 1 } else { 12 }) << 24
        } else {
            (exponent + 1) | bits >> (5 - exponent) << 8 | 1 << 16 | state.saturating_sub(1) << 24
        };
        n += 1;
    }
    table
};

#[cfg(test)]
mod tests {
    use super::super::reference::Mel;
    use super::super::reference::readers::{Forward, Reverse};
    use super::*;
    use proptest::prelude::*;

    fn bit(bits: &Bits, n: usize) -> u64 {
        u64::from(bits.bytes()[n / 8] >> (n % 8) & 1)
    }

    /// Bytes among which those of the stuffing rules are frequent.
    fn stream() -> impl Strategy<Value = Vec<u8>> {
        proptest::collection::vec(prop_oneof![any::<u8>(), Just(0xFF), Just(0x7F), Just(0x90)], 0..300)
    }

    proptest! {
        /// Proves that a linear buffer holds the bits that a reader finds one by one, and the filling after them.
        #[test]
        fn linear_buffers_hold_what_readers_find(stream in stream(), last in any::<u8>(), dirt in any::<u8>()) {
            let mut bits = Bits { bytes: vec![dirt; 600], end: 0 };
            for (level, ones) in Level::available().flat_map(|level| [(level, true), (level, false)]) {
                let fill = if ones { 0xFF } else { 0 };
                bits.forward(level, &stream, usize::MAX, ones, 40);
                let mut reader = Forward::new(&stream, fill);
                for n in 0..bits.end + 320 {
                    prop_assert_eq!(bit(&bits, n), if n < bits.end { reader.take(1) } else { u64::from(ones) }, "bit {}", n);
                }
            }
            bits.reverse(&stream, usize::MAX, last, (5, 3), 40);
            let mut reader = Reverse::new(&stream, last);
            prop_assert_eq!([bit(&bits, 0), bit(&bits, 1), bit(&bits, 2)], [1, 0, 1]);
            for n in 3..bits.end + 320 {
                prop_assert_eq!(bit(&bits, n), reader.take(1), "bit {}", n);
            }
        }

        /// Proves that events decoded ahead are those of the plain decoder, block after block.
        #[test]
        fn events_ahead_are_the_events(streams in proptest::collection::vec(stream(), 1..4)) {
            let mut events = Events::default();
            for mut stream in streams {
                stream.extend([0x5A, 0x33]);
                events.reset();
                let mut mel = Mel::new(&stream[..stream.len() - 2], 0x5F);
                for _ in 0..40 {
                    let ahead = events.peek(&stream, 48);
                    for n in 0..48 {
                        prop_assert_eq!(ahead >> n & 1, u64::from(mel.event()));
                    }
                    events.skip(48);
                }
            }
        }
    }
}
