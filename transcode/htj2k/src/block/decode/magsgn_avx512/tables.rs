//! Permutations and small tables of the kernel, each one vector long.

/// Permutations and tables, by byte, word and double word; loaded once a code-block.
#[repr(C, align(64))]
pub(super) struct Tables {
    /// The low byte of the word of each of 16 quads to four bytes; for the upper 16, 32 more.
    pub(super) spread: [u8; 64],
    /// Of eight quads: to eight bytes of quad j the sums (top bytes) of those before; for the upper eight, 32 more.
    pub(super) before: [u8; 64],
    /// The same within groups of four quads.
    pub(super) before_four: [u8; 64],
    /// Sums of 16 quads, eight in a quad word.
    pub(super) sums: [u8; 64],
    /// Sums of 16 quads, four in a quad word.
    pub(super) sums_four: [u8; 64],
    /// The low word of a quad word to all four.
    pub(super) words: [u8; 64],
    /// The low bytes of the double words of two vectors.
    pub(super) low_bytes: [u8; 64],
    /// Upper samples of 32 columns from two vectors of 16.
    pub(super) upper: [u16; 32],
    /// Lower ones.
    pub(super) lower: [u16; 32],
    /// Upper samples of 16 columns from two vectors of 8.
    pub(super) upper_wide: [u32; 16],
    /// Lower ones.
    pub(super) lower_wide: [u32; 16],
    /// The low double word of each of the first four quad words to four double words.
    pub(super) four_times: [u32; 16],
    /// By three bits at the head, and eight more if u_off is set: lengths of prefix and suffix, mask of the suffix, value.
    pub(super) prefix: [u32; 16],
    pub(super) suffix: [u32; 16],
    pub(super) mask: [u32; 16],
    pub(super) value: [u32; 16],
}

/// Bytes of [`Tables::before`] and [`Tables::before_four`] that count: bytes below j of quad word j, and j modulo 4.
pub(super) const BEFORE: u64 = 0x7F3F_1F0F_0703_0100;
pub(super) const BEFORE_FOUR: u64 = 0x0703_0100_0703_0100;

pub(super) static TABLES: Tables = {
    let mut t = Tables {
        spread: [0; 64],
        before: [0; 64],
        before_four: [0; 64],
        sums: [0; 64],
        sums_four: [0; 64],
        words: [0; 64],
        low_bytes: [0; 64],
        upper: [0; 32],
        lower: [0; 32],
        upper_wide: [0; 16],
        lower_wide: [0; 16],
        four_times: [0; 16],
        prefix: [0; 16],
        suffix: [0; 16],
        mask: [0; 16],
        value: [0; 16],
    };
    let mut n = 0;
    while n < 64 {
        t.spread[n] = (n / 4 * 2) as u8;
        t.before[n] = (n % 8 * 4 + 3) as u8;
        t.before_four[n] = ((n / 32 * 4 + n % 8) * 4 + 3) as u8 & 63;
        t.sums[n] = (n % 16 * 4 + 3) as u8;
        t.sums_four[n] = ((n / 8 * 4 + n % 4) * 4 + 3) as u8 & 63;
        t.low_bytes[n] = (n % 32 * 4) as u8;
        t.words[n] = (n % 16 / 8 * 8 + n % 2) as u8;
        n += 1;
    }
    n = 0;
    while n < 32 {
        t.upper[n] = 2 * n as u16;
        t.lower[n] = 2 * n as u16 + 1;
        n += 1;
    }
    n = 0;
    while n < 16 {
        t.upper_wide[n] = 2 * n as u32;
        t.lower_wide[n] = 2 * n as u32 + 1;
        t.four_times[n] = n as u32 / 4 * 2;
        if n >= 8 {
            let (length, suffix, value) = crate::block::decode::tables::PREFIXES[n - 8];
            t.prefix[n] = length as u32;
            t.suffix[n] = suffix as u32;
            t.mask[n] = (1 << suffix) - 1;
            t.value[n] = value as u32;
        }
        n += 1;
    }
    t
};

/// The table of that name, as a vector.
macro_rules! table {
    ($name:ident) => {
        // SAFETY: each table is 64 bytes long.
        unsafe { _mm512_load_si512((&raw const crate::block::decode::magsgn_avx512::tables::TABLES.$name).cast()) }
    };
}
pub(super) use table;
