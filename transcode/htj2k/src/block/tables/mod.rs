//! Tables of the block encoder, built at compile time from the standard's rows (T.814 Annex C and Table 3).

use super::cxtvlc::{FIRST_ROW, OTHER_ROWS, Row};

/// What the encoder sends for a quad: bits 0–7 the codeword, bits 8–11 its length, bits 12–15 the EMB pattern `e_k`.
/// The index is `context << 8 | rho << 4 | epsilon`; epsilon (the samples whose exponent is the quad's largest) is zero
/// where `u_off` is. One more entry than indexes, so that a kernel may read 32 bits at the last one.
pub(super) type CxtVlc = [u16; 2049];

/// CxtVLC of the first quad row.
pub(super) static CXTVLC_FIRST: CxtVlc = cxtvlc(&FIRST_ROW);
/// CxtVLC of all other quad rows.
pub(super) static CXTVLC_OTHER: CxtVlc = cxtvlc(&OTHER_ROWS);

/// The same entries, as close together as they can be: epsilon lies within rho, so that a sample has three states: not
/// significant, significant, in epsilon (0 to 2). The index is `context * 81`, plus 3^n times the state of sample n.
pub(super) type DenseCxtVlc = [u16; DENSE_ENTRIES];

/// 8 * 81, and what fills the last group of 64.
pub(super) const DENSE_ENTRIES: usize = 704;

/// [`CXTVLC_FIRST`], dense.
pub(super) static DENSE_FIRST: DenseCxtVlc = dense(&CXTVLC_FIRST);
/// [`CXTVLC_OTHER`], dense.
pub(super) static DENSE_OTHER: DenseCxtVlc = dense(&CXTVLC_OTHER);

/// U-VLC of `u_q` 0 to 31 (T.814 Table 3): bits 0–2 the prefix, 3–4 its length, 8–12 the suffix, 13–15 its length. No
/// coefficient of 32 bits needs the extension: that begins at 33.
pub(super) static UVLC: [u16; 32] = uvlc();

/// Several rows may describe one quad. Each sample of `e_k` saves a MagSgn bit, so the best row has the least length less
/// the samples of `e_k`; of equals the shortest codeword. Zero for what cannot be: epsilon outside of rho.
const fn cxtvlc(rows: &[Row]) -> CxtVlc {
    let mut table = [0; 2049];
    let mut costs = [u32::MAX; 2048];
    let mut i = 0;
    while i < rows.len() {
        let (context, rho, u_off, e_k, e_1, codeword, length) = rows[i];
        let cost = (4 + length as u32 - e_k.count_ones()) * 8 + length as u32;
        let mut epsilon = 0;
        while epsilon < 16 {
            let index = (context as usize) << 8 | (rho as usize) << 4 | epsilon as usize;
            let describes = (u_off == 1) == (epsilon != 0) && epsilon & e_k == e_1 && epsilon & !rho == 0;
            if describes && cost < costs[index] {
                costs[index] = cost;
                table[index] = codeword as u16 | (length as u16) << 8 | (e_k as u16) << 12;
            }
            epsilon += 1;
        }
        i += 1;
    }
    table
}

const fn dense(table: &CxtVlc) -> DenseCxtVlc {
    let mut dense = [0; DENSE_ENTRIES];
    let mut index = 0;
    while index < 8 * 81 {
        let (mut rho, mut epsilon, mut states, mut n) = (0, 0, index % 81, 0);
        while n < 4 {
            rho |= ((states % 3 > 0) as usize) << n;
            epsilon |= ((states % 3 > 1) as usize) << n;
            states /= 3;
            n += 1;
        }
        dense[index] = table[index / 81 << 8 | rho << 4 | epsilon];
        index += 1;
    }
    dense
}

const fn uvlc() -> [u16; 32] {
    let mut table = [0; 32];
    let mut u = 1;
    while u < 32 {
        let (prefix, prefix_length, suffix, suffix_length) = match u {
            1 => (1, 1, 0, 0),
            2 => (2, 2, 0, 0),
            3 | 4 => (4, 3, u - 3, 1),
            _ => (0, 3, u - 5, 5),
        };
        table[u] = (prefix | prefix_length << 3 | suffix << 8 | suffix_length << 13) as u16;
        u += 1;
    }
    table
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that every quad that can be met has a codeword, and that `e_k` asks only for significant samples.
    #[test]
    fn every_quad_has_a_codeword() {
        for table in [&CXTVLC_FIRST, &CXTVLC_OTHER] {
            for index in 0..2048usize {
                let (context, rho, epsilon) = (index >> 8, index >> 4 & 15, index & 15);
                let (length, e_k) = (table[index] >> 8 & 15, usize::from(table[index] >> 12));
                let possible = epsilon & !rho == 0 && (context | rho) != 0;
                assert_eq!(length != 0, possible, "index {index:#05x}");
                assert_eq!(e_k & !rho, 0, "index {index:#05x}");
            }
        }
    }
}
