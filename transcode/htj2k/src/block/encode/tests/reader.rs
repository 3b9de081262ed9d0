//! A cleanup decoder that is nothing but T.814 7.1 and 7.3, bit by bit, to judge the encoder by. It shares no table and no
//! code with it but the rows of Annex C.

use crate::block::cxtvlc::{FIRST_ROW, OTHER_ROWS};

/// T.814 7.1.2: the MagSgn bits, forwards.
struct MagSgn<'a> {
    bytes: &'a [u8],
    at: usize,
    last: u8,
    byte: u8,
    bits: u32,
}

impl MagSgn<'_> {
    fn bit(&mut self) -> u32 {
        if self.bits == 0 {
            self.bits = if self.last == 0xFF { 7 } else { 8 };
            self.byte = self.bytes.get(self.at).copied().unwrap_or(0xFF);
            if self.at < self.bytes.len() {
                assert!(self.last != 0xFF || self.byte < 0x80, "MagSgn byte {} is stuffed", self.at);
            }
            self.at += 1;
            self.last = self.byte;
        }
        self.bits -= 1;
        let bit = self.byte & 1;
        self.byte >>= 1;
        u32::from(bit)
    }
}

/// T.814 7.1.3 and 7.3.3: the MEL symbols.
struct Mel<'a> {
    bytes: &'a [u8],
    at: usize,
    byte: u8,
    bits: u32,
    state: usize,
    run: u32,
    one: bool,
}

impl Mel<'_> {
    fn bit(&mut self) -> u32 {
        if self.bits == 0 {
            self.bits = if self.byte == 0xFF { 7 } else { 8 };
            self.byte = self.bytes.get(self.at).copied().unwrap_or(0xFF);
            self.at += 1;
        }
        self.bits -= 1;
        u32::from(self.byte >> self.bits & 1)
    }

    fn symbol(&mut self) -> bool {
        const EXPONENTS: [u32; 13] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5];
        if self.run == 0 && !self.one {
            let exponent = EXPONENTS[self.state];
            if self.bit() == 1 {
                self.run = 1 << exponent;
                self.state = (self.state + 1).min(12);
            } else {
                self.run = (0..exponent).fold(0, |run, _| run << 1 | self.bit());
                self.state = self.state.saturating_sub(1);
                self.one = true;
            }
        }
        if self.run > 0 {
            self.run -= 1;
            return false;
        }
        std::mem::take(&mut self.one)
    }
}

/// T.814 7.1.4: the VLC bits, backwards.
struct Vlc<'a> {
    bytes: &'a [u8],
    left: usize,
    last: u8,
    byte: u8,
    bits: u32,
}

impl Vlc<'_> {
    fn bit(&mut self) -> u32 {
        if self.bits == 0 {
            assert!(self.left > 0, "the VLC segment ends too soon");
            self.left -= 1;
            self.byte = self.bytes[self.left];
            self.bits = if self.last > 0x8F && self.byte & 0x7F == 0x7F { 7 } else { 8 };
            self.last = self.byte;
        }
        self.bits -= 1;
        let bit = self.byte & 1;
        self.byte >>= 1;
        u32::from(bit)
    }

    fn bits(&mut self, count: u32) -> u32 {
        (0..count).fold(0, |value, i| value | self.bit() << i)
    }

    /// u_off, e_k, e_1 and rho, the rows being searched as bits come in.
    fn quad(&mut self, first_row: bool, context: u8) -> (u8, u8, u8, u8) {
        let rows = if first_row { &FIRST_ROW[..] } else { &OTHER_ROWS[..] };
        let (mut codeword, mut length) = (0, 0);
        loop {
            codeword |= (self.bit() as u8) << length;
            length += 1;
            let found = rows.iter().find(|row| row.0 == context && row.5 == codeword && row.6 == length);
            if let Some(&(_, rho, u_off, e_k, e_1, _, _)) = found {
                return (rho, u_off, e_k, e_1);
            }
        }
    }

    /// T.814 7.3.6, decodeUPrefix.
    fn prefix(&mut self) -> u32 {
        if self.bit() == 1 {
            return 1;
        }
        if self.bit() == 1 {
            return 2;
        }
        if self.bit() == 1 { 3 } else { 5 }
    }

    fn suffix(&mut self, prefix: u32) -> u32 {
        match prefix {
            3 => self.bit(),
            5 => self.bits(5),
            _ => 0,
        }
    }

    fn extension(&mut self, suffix: u32) -> u32 {
        if suffix >= 28 { self.bits(4) } else { 0 }
    }

    /// The excess u of one or two quads whose u_off is one.
    fn excesses(&mut self, u_off: [bool; 2], both_above_two: bool, first_row: bool) -> [u32; 2] {
        let mut prefix = [0; 2];
        if u_off[0] {
            prefix[0] = self.prefix();
        }
        let short = first_row && u_off == [true, true] && !both_above_two && prefix[0] > 2;
        if short {
            prefix[1] = self.bit() + 1;
        } else if u_off[1] {
            prefix[1] = self.prefix();
        }
        let suffix = [self.suffix(prefix[0]), if short { 0 } else { self.suffix(prefix[1]) }];
        let extension = [self.extension(suffix[0]), self.extension(suffix[1])];
        [0, 1].map(|i| prefix[i] + suffix[i] + 4 * extension[i] + if both_above_two { 2 } else { 0 })
    }
}

/// Decodes one cleanup pass to `width * height` coefficients.
pub(super) fn decode(pass: &[u8], width: usize, height: usize) -> Vec<i64> {
    let total = pass.len();
    let suffix = usize::from(pass[total - 1]) << 4 | usize::from(pass[total - 2] & 0xF);
    assert!((2..=4079).contains(&suffix) && suffix <= total, "Scup {suffix} of {total}");
    assert!(!pass.windows(2).any(|two| two[0] == 0xFF && two[1] > 0x8F), "a marker stands in the segment");
    let prefix = total - suffix;
    assert_ne!(pass[..prefix].last(), Some(&0xFF), "the MagSgn segment ends with 0xFF");
    let mut bytes = pass[prefix..].to_vec();
    bytes[suffix - 1] = 0xFF;
    bytes[suffix - 2] |= 0xF;
    let last = bytes[suffix - 2];
    let mut magsgn = MagSgn { bytes: &pass[..prefix], at: 0, last: 0, byte: 0, bits: 0 };
    let mut mel = Mel { bytes: &bytes, at: 0, byte: 0, bits: 0, state: 0, run: 0, one: false };
    let bits = if last >> 4 & 7 == 7 { 3 } else { 4 };
    let mut vlc = Vlc { bytes: &bytes, left: suffix - 2, last, byte: last >> 4, bits };

    let quads = width.div_ceil(2);
    let mut values = vec![0i64; width * height];
    let mut rho = vec![vec![0u8; quads + 2]; height.div_ceil(2) + 1];
    let mut exponents = vec![vec![[0u32; 4]; quads + 2]; height.div_ceil(2) + 1];
    for y in 0..height.div_ceil(2) {
        for pair in (0..quads).step_by(2) {
            let present = (quads - pair).min(2);
            let mut described = [(0, 0, 0, 0); 2];
            for index in 0..present {
                let q = pair + index + 1;
                let sigma = |row: usize, q: usize, n: u8| rho[row][q] >> n & 1;
                let context = if y == 0 {
                    (sigma(1, q - 1, 0) | sigma(1, q - 1, 1)) | sigma(1, q - 1, 2) << 1 | sigma(1, q - 1, 3) << 2
                } else {
                    (sigma(y, q - 1, 3) | sigma(y, q, 1))
                        | (sigma(y + 1, q - 1, 2) | sigma(y + 1, q - 1, 3)) << 1
                        | (sigma(y, q, 3) | sigma(y, q + 1, 1)) << 2
                };
                if context != 0 || mel.symbol() {
                    described[index] = vlc.quad(y == 0, context);
                }
                rho[y + 1][q] = described[index].0;
            }
            let u_off = described.map(|quad| quad.1 == 1);
            let both_above_two = y == 0 && u_off == [true, true] && mel.symbol();
            let excesses = vlc.excesses(u_off, both_above_two, y == 0);
            for index in 0..present {
                let q = pair + index + 1;
                let (rho, _, e_k, e_1) = described[index];
                let above = &exponents[y];
                let above = above[q - 1][3].max(above[q][1]).max(above[q][3]).max(above[q + 1][1]);
                let kappa = if rho.count_ones() > 1 { above.saturating_sub(1).max(1) } else { 1 };
                let u = kappa + if u_off[index] { excesses[index] } else { 0 };
                for n in (0..4).filter(|n| rho >> n & 1 == 1) {
                    let bits = u - u32::from(e_k >> n & 1);
                    let low = (0..bits).fold(0u64, |value, i| value | u64::from(magsgn.bit()) << i);
                    let value = low | u64::from(e_1 >> n & 1) << bits;
                    let magnitude = (value >> 1) as i64 + 1;
                    let (x, y) = (2 * (q - 1) + n / 2, 2 * y + n % 2);
                    assert!(x < width && y < height, "a coefficient outside of the block");
                    values[y * width + x] = if value & 1 == 1 { -magnitude } else { magnitude };
                    // E_n is the least E with 2 mu - 1 <= 2^E - 1.
                    exponents[y / 2 + 1][q][n] = 64 - (2 * magnitude as u64 - 1).leading_zeros();
                }
            }
        }
    }
    values
}
