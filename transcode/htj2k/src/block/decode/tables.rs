//! Tables of the VLC decoder, built from the codewords when the crate is compiled (T.814 Annex C, 7.3.6).

use crate::block::cxtvlc::{FIRST_ROW, OTHER_ROWS, Row};

/// Exponents of the MEL coder's states (T.814 Table 2).
pub(super) const MEL_EXPONENTS: [u8; 13] = [0, 0, 0, 1, 1, 1, 2, 2, 2, 3, 3, 4, 5];

/// Bits of a CxtVLC codeword at most.
const CODEWORD_BITS_MAX: u32 = 7;

/// Of one quad, what its CxtVLC codeword says.
///
/// ```text
/// bit  0-5  length of the codeword                     bit 16-19  rho
/// bit  6    u_off                                      bit 20-23  e_k
/// bit  9    W: sample 2 or 3 is significant            bit 24-27  e_1
/// bit  7-9  in the first quad row: the next context    bit 28     u_off
/// ```
/// Indexed by the head of the stream in bits 0 to 6 and the context above it: bit 7 the context's bit 0 (what is
/// north-west and north), bit 8 its bit 2 (north-east), bit 9 its bit 1 (west), so that W of one quad falls into place
/// for the next. Bit 10 is the next MEL event: where the context is 0 and the event too, the quad is empty.
/// For the first quad row bits 7 to 9 are the context as it is.
pub(super) type QuadTable = [u32; 2048];

/// Index bits that hold the context.
pub(super) const CONTEXT: u32 = 0x380;
/// Index bits that come from the row above.
pub(super) const ABOVE: u32 = 0x180;
/// Index bit of the west neighbour, and the entry's bit for the next quad.
pub(super) const WEST: u32 = 0x200;
/// Index bit of the MEL event.
pub(super) const EVENT: u32 = 0x400;

/// [`QuadTable`] of the first quad row.
pub(super) static FIRST_QUADS: QuadTable = quad_table(&FIRST_ROW, true);
/// [`QuadTable`] of all other quad rows.
pub(super) static OTHER_QUADS: QuadTable = quad_table(&OTHER_ROWS, false);

const fn quad_table(rows: &[Row], first: bool) -> QuadTable {
    let mut table = [0; 2048];
    let mut n = 0;
    while n < rows.len() {
        let (context, rho, u_off, e_k, e_1, codeword, length) = rows[n];
        let context = context as u32;
        let place = if first { context } else { context & 1 | (context >> 2 & 1) << 1 | (context >> 1 & 1) << 2 };
        let said = rho as u32 | (e_k as u32) << 4 | (e_1 as u32) << 8 | (u_off as u32) << 12;
        let rho = rho as u32;
        let next = if first { (rho | rho >> 1) & 1 | rho >> 1 & 6 } else { (rho >> 2 | rho >> 3) << 2 & 4 };
        let entry = length as u32 | (u_off as u32) << 6 | next << 7 | said << 16;
        let mut rest = 0;
        while rest < 1 << (CODEWORD_BITS_MAX - length as u32) {
            let index = (codeword as u32 | rest << length | place << 7) as usize;
            table[index | EVENT as usize] = entry;
            if context != 0 {
                table[index] = entry;
            }
            rest += 1;
        }
        n += 1;
    }
    table
}

/// How the three bits at the head begin a u: length of the prefix, length of the suffix, what the prefix says (T.814 Table 3).
pub(super) const PREFIXES: [(u8, u8, u8); 8] =
    [(3, 5, 5), (1, 0, 1), (2, 0, 2), (1, 0, 1), (3, 1, 3), (1, 0, 1), (2, 0, 2), (1, 0, 1)];

/// Of the u of one pair of quads: lengths and what the prefixes say.
#[derive(Clone, Copy)]
pub(super) struct Residuals {
    /// Bits of both prefixes together.
    pub(super) prefixes: u8,
    /// Bits of each suffix.
    pub(super) suffixes: [u8; 2],
    /// What each prefix says; 2 more where MEL has said that both are above 2.
    pub(super) values: [u8; 2],
}

/// [`Residuals`] in the first quad row, by six bits at the head and above them: u_off of the first quad plus twice that of
/// the second, plus 1 if both are set and the MEL event is 1 (T.814 7.3.6).
pub(super) static FIRST_RESIDUALS: [Residuals; 5 * 64] = {
    let mut table = [Residuals { prefixes: 0, suffixes: [0; 2], values: [0; 2] }; 5 * 64];
    let mut n = 0;
    while n < table.len() {
        table[n] = match n >> 6 {
            4 => {
                let mut both = residuals(3, n as u8 & 63);
                both.values = [both.values[0] + 2, both.values[1] + 2];
                both
            }
            3 if n & 3 == 0 => {
                // The first is above 2, so that the second is 1 or 2 and one bit says which.
                let (length, suffix, value) = PREFIXES[n & 7];
                let second = 1 + (n as u8 >> length & 1);
                Residuals { prefixes: length + 1, suffixes: [suffix, 0], values: [value, second] }
            }
            off => residuals(off as u8, n as u8 & 63),
        };
        n += 1;
    }
    table
};

/// Bits of both prefixes and suffixes in the other quad rows, by six bits at the head, u_off of the first quad in bit 6
/// and that of the second in bit 7.
pub(super) static RESIDUAL_LENGTHS: [u8; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < table.len() {
        let both = residuals((n >> 6) as u8, n as u8 & 63);
        table[n] = both.prefixes + both.suffixes[0] + both.suffixes[1];
        n += 1;
    }
    table
};

const fn residuals(off: u8, bits: u8) -> Residuals {
    let none = (0, 0, 0);
    let first = if off & 1 == 1 { PREFIXES[bits as usize & 7] } else { none };
    let second = if off & 2 == 2 { PREFIXES[(bits >> first.0) as usize & 7] } else { none };
    Residuals { prefixes: first.0 + second.0, suffixes: [first.1, second.1], values: [first.2, second.2] }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every index of a row that can occur has an entry with a length, or is the empty quad of a MEL event 0.
    #[test]
    fn tables_have_no_holes() {
        for table in [&FIRST_QUADS, &OTHER_QUADS] {
            for (index, entry) in table.iter().enumerate() {
                let empty = index as u32 & (CONTEXT | EVENT) == 0;
                assert_eq!(entry & 63 == 0, empty, "{index:#x}");
                let (rho, e_k, e_1) = (entry >> 16 & 15, entry >> 20 & 15, entry >> 24 & 15);
                assert!(e_k & !rho == 0 && e_1 & !e_k == 0, "{index:#x}");
                assert!(entry >> 28 & 1 == 1 || e_k == 0, "{index:#x}");
                assert!(rho != 0 || entry >> 28 == 0, "{index:#x}");
            }
        }
    }
}
