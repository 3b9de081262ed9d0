//! The MEL coder: adaptive run lengths of the quads that have neither a significant sample nor a significant neighbour
//! (T.814 7.3.3, read backwards).

/// The exponent of the run length that each state expects (T.814 Table 2).
const EXPONENTS: [u32; 13] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5];

/// The MEL segment of one code-block as it grows.
pub(super) struct Mel {
    /// Bits, most significant first, not yet stuffed: whole words, then the low `used` bits (fewer than 32) of `word`.
    words: Vec<u32>,
    word: u64,
    used: u32,
    state: usize,
    run: u32,
}

impl Mel {
    pub(super) fn new() -> Mel {
        Mel { words: Vec::with_capacity(512), word: 0, used: 0, state: 0, run: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.words.clear();
        (self.word, self.used, self.state, self.run) = (0, 0, 0, 0);
    }

    /// Codes `count` events, the first in the least significant bit.
    #[inline]
    pub(super) fn events(&mut self, mut events: u64, mut count: u32) {
        while events != 0 {
            let zeros = events.trailing_zeros();
            self.zeros(zeros);
            self.one();
            events = events >> zeros >> 1;
            count -= zeros + 1;
        }
        self.zeros(count);
    }

    /// Codes `count` events that did not happen.
    #[inline]
    fn zeros(&mut self, count: u32) {
        self.run += count;
        while self.run >= 1 << EXPONENTS[self.state] {
            self.run -= 1 << EXPONENTS[self.state];
            self.put(1, 1);
            self.state = (self.state + 1).min(12);
        }
    }

    #[inline]
    fn one(&mut self) {
        self.put(self.run, 1 + EXPONENTS[self.state]);
        self.run = 0;
        self.state = self.state.saturating_sub(1);
    }

    #[inline]
    fn put(&mut self, bits: u32, length: u32) {
        self.word = self.word << length | u64::from(bits);
        self.used += length;
        if self.used >= 32 {
            self.used -= 32;
            self.words.push((self.word >> self.used) as u32);
        }
    }

    /// Ends the run in hand and appends the bytes that are full to `out`: one after 0xFF holds 7 bits. Answers the byte that
    /// is not, left-justified, and a mask of its bits that a reader needs. (The stuffed zero after 0xFF is one.)
    pub(super) fn finish(&mut self, out: &mut Vec<u8>) -> (u8, u8) {
        if self.run > 0 {
            self.put(1, 1);
        }
        let length = self.words.len() * 32 + self.used as usize;
        self.words.extend([((self.word << 32) >> self.used) as u32, 0]);
        let byte = |position: usize| {
            let [high, low] = [0, 1].map(|next| u64::from(self.words[position / 32 + next]));
            ((high << 32 | low) << (position % 32) >> 56) as u8
        };
        let (mut position, mut room) = (0, 8);
        while length - position >= room {
            let full = byte(position) >> (8 - room);
            out.push(full);
            position += room;
            room = if full == 0xFF { 7 } else { 8 };
        }
        let rest = length - position;
        (byte(position) >> (8 - room) & (0xFF << (room - rest)) as u8, (0xFF << (room - rest)) as u8)
    }
}
