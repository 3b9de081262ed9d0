//! The MEL coder: adaptive run lengths of the quads that have neither a significant sample nor a significant neighbour
//! (T.814 7.3.3, read backwards).

/// The exponent of the run length that each state expects (T.814 Table 2).
const EXPONENTS: [u32; 13] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5];

/// The MEL segment of one code-block as it grows. Bits are put most significant first; a byte after 0xFF holds 7.
pub(super) struct Mel {
    pub(super) bytes: Vec<u8>,
    /// The byte in hand, right-justified.
    partial: u32,
    /// How many bits it still takes: 1 to 8.
    free: u32,
    state: usize,
    run: u32,
}

impl Mel {
    pub(super) fn new() -> Mel {
        Mel { bytes: Vec::with_capacity(2048), partial: 0, free: 8, state: 0, run: 0 }
    }

    pub(super) fn clear(&mut self) {
        self.bytes.clear();
        (self.partial, self.free, self.state, self.run) = (0, 8, 0, 0);
    }

    /// Codes `count` events, the first in the least significant bit.
    #[inline]
    pub(super) fn events(&mut self, mut events: u64, mut count: u32) {
        while count > 0 {
            let zeros = events.trailing_zeros().min(count);
            self.zeros(zeros);
            if zeros == count {
                return;
            }
            self.one();
            events = events >> zeros >> 1;
            count -= zeros + 1;
        }
    }

    /// Codes `count` events that did not happen.
    pub(super) fn zeros(&mut self, count: u32) {
        self.run += count;
        while self.run >= 1 << EXPONENTS[self.state] {
            self.run -= 1 << EXPONENTS[self.state];
            self.put(1, 1);
            self.state = (self.state + 1).min(12);
        }
    }

    fn one(&mut self) {
        self.put(self.run, 1 + EXPONENTS[self.state]);
        self.run = 0;
        self.state = self.state.saturating_sub(1);
    }

    fn put(&mut self, bits: u32, length: u32) {
        for i in (0..length).rev() {
            self.partial = self.partial << 1 | bits >> i & 1;
            self.free -= 1;
            if self.free == 0 {
                self.bytes.push(self.partial as u8);
                self.free = if self.partial == 0xFF { 7 } else { 8 };
                self.partial = 0;
            }
        }
    }

    /// Ends the run in hand; answers the unfinished byte, left-justified, and a mask of its bits that a reader needs. (The
    /// stuffed zero after a last byte of 0xFF is one.)
    pub(super) fn finish(&mut self) -> (u8, u8) {
        if self.run > 0 {
            self.put(1, 1);
        }
        ((self.partial << self.free) as u8, (0xFF << self.free) as u8)
    }
}
