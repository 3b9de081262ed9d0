//! The portable kernel: quad by quad, as T.814 7.3 says it, read backwards.

use super::segments::Segments;
use crate::Coefficient;
use crate::block::tables::{CXTVLC_FIRST, CXTVLC_OTHER, UVLC};

/// Quads of a row of 1024 columns, one more on either side.
const ROW_QUADS: usize = 512 + 2;

/// What the next quad row and the next quad want to know of a quad row: index 0 stands left of the block.
struct QuadRow {
    significance: [u8; ROW_QUADS],
    /// Values of the lower samples: the left (sample 1) and the right one (sample 3) of each quad.
    lower: [[u32; 2]; ROW_QUADS],
}

impl QuadRow {
    fn nothing() -> QuadRow {
        QuadRow { significance: [0; ROW_QUADS], lower: [[0; 2]; ROW_QUADS] }
    }
}

/// One quad, ready to be sent.
#[derive(Clone, Copy, Default)]
struct Quad {
    /// v_n = 2(mu - 1) + s of each sample (T.814 7.3.8); zero for an insignificant one.
    values: [u32; 4],
    rho: u8,
    context: u8,
    /// U_q, the bits of a value.
    bits: u32,
    /// u_q = U_q - kappa_q.
    excess: u32,
    /// The entry of the CxtVLC table.
    entry: u16,
}

/// All magnitudes or-ed.
#[inline(always)]
pub(super) fn magnitudes<T: Coefficient>(coefficients: &[T], stride: usize, width: usize, height: usize) -> u32 {
    let mut all = 0;
    for row in coefficients.chunks(stride).take(height) {
        for coefficient in &row[..width] {
            all |= coefficient.to_i32().unsigned_abs();
        }
    }
    all
}

/// Codes all quad rows of a code-block into `segments`.
pub(super) fn rows<T: Coefficient>(
    coefficients: &[T],
    stride: usize,
    width: usize,
    height: usize,
    segments: &mut Segments,
) {
    let quads = width.div_ceil(2);
    let (mut above, mut this) = (&mut QuadRow::nothing(), &mut QuadRow::nothing());
    let row = |y: usize| if y < height { &coefficients[y * stride..][..width] } else { &[] };
    for top in (0..height).step_by(2) {
        let (upper, lower) = (row(top), row(top + 1));
        for pair in (0..quads).step_by(2) {
            let mut two = [Quad::default(); 2];
            let present = (quads - pair).min(2);
            for (index, quad) in two.iter_mut().enumerate().take(present) {
                let q = pair + index;
                *quad = load(upper, lower, 2 * q);
                describe(quad, q, this.significance[q], above, top == 0);
                this.significance[q + 1] = quad.rho;
                this.lower[q + 1] = [quad.values[1], quad.values[3]];
            }
            send(&two, present, top == 0, segments);
        }
        std::mem::swap(&mut above, &mut this);
    }
}

/// The largest exponent E_n of values or-ed (T.814 7.3.2), but 0 for some of magnitude 1: no rule tells an exponent of 1
/// from one of 0, since U_q and kappa_q are never below 1.
#[inline(always)]
fn exponent(values: u32) -> u32 {
    32 - values.leading_zeros()
}

#[inline(always)]
fn load<T: Coefficient>(upper: &[T], lower: &[T], x: usize) -> Quad {
    let at = |row: &[T], x: usize| row.get(x).map_or(0, |coefficient| coefficient.to_i32());
    // T.814 7.3.1: samples 0 and 1 are the left column, 2 and 3 the right one.
    let samples = [at(upper, x), at(lower, x), at(upper, x + 1), at(lower, x + 1)];
    let mut quad = Quad::default();
    for (n, sample) in samples.into_iter().enumerate() {
        quad.rho |= u8::from(sample != 0) << n;
        // 2x for a positive x, -2x - 1 for a negative one: two less for the positive is 2(mu - 1) + s.
        let folded = (sample << 1 ^ sample >> 31) as u32;
        quad.values[n] = folded - (u32::from(sample > 0) << 1);
    }
    quad
}

/// Finds context (T.814 7.3.5), kappa (7.3.7), U_q and the CxtVLC entry.
#[inline(always)]
fn describe(quad: &mut Quad, q: usize, left: u8, above: &QuadRow, first_row: bool) {
    let bit = |rho: u8, n: u8| rho >> n & 1;
    let [north_west, north, north_east] = [0, 1, 2].map(|i| above.significance[q + i]);
    quad.context = if first_row {
        left >> 1 | left & 1
    } else {
        (bit(north_west, 3) | bit(north, 1))
            | (bit(left, 2) | bit(left, 3)) << 1
            | (bit(north, 3) | bit(north_east, 1)) << 2
    };
    let [[_, a], [b, c], [d, _]] = [0, 1, 2].map(|i| above.lower[q + i]);
    let several = quad.rho & quad.rho.wrapping_sub(1) != 0;
    let kappa = if several { exponent(a | b | c | d).saturating_sub(1).max(1) } else { 1 };
    let [a, b, c, d] = quad.values;
    quad.bits = exponent(a | b | c | d).max(kappa);
    quad.excess = quad.bits - kappa;
    // The samples whose exponent is U_q, where u_q is not zero: their top bit is that of the largest.
    let top = u32::from(quad.excess > 0) << (quad.bits - 1);
    let epsilon = (0..4).fold(0, |epsilon, n| epsilon | usize::from(quad.values[n] & top != 0) << n);
    let table = if first_row { &CXTVLC_FIRST } else { &CXTVLC_OTHER };
    quad.entry = table[usize::from(quad.context) << 8 | usize::from(quad.rho) << 4 | epsilon];
}

/// A word that codewords are put in, each after those before.
#[derive(Default)]
struct Word {
    bits: u64,
    length: u32,
}

impl Word {
    /// Fewer than 64 bits come together.
    #[inline(always)]
    fn put(&mut self, bits: impl Into<u64>, length: impl Into<u32>) {
        self.bits |= bits.into() << self.length;
        self.length += length.into();
    }
}

/// Sends a pair of quads, or the last one alone: `present` of them.
#[inline(always)]
fn send(two: &[Quad; 2], present: usize, first_row: bool, segments: &mut Segments) {
    let mut word = Word::default();
    for quad in &two[..present] {
        if quad.context == 0 {
            segments.mel.events(u64::from(quad.rho != 0), 1);
        }
        word.put(quad.entry & 0xFF, quad.entry >> 8 & 0xF);
    }
    let [mut first, mut second] = two.map(|quad| quad.excess);
    let mut one_bit = false;
    if first_row && first > 0 && second > 0 {
        // T.814 7.3.6: one event says whether both are above 2, which then go without saying.
        let both = first > 2 && second > 2;
        segments.mel.events(u64::from(both), 1);
        if both {
            (first, second) = (first - 2, second - 2);
        } else {
            one_bit = first > 2;
        }
    }
    // Both prefixes, then both suffixes: at most 14 + 6 + 10 bits with the codewords.
    let codes = [UVLC[first as usize], if one_bit { (second as u16 - 1) | 1 << 3 } else { UVLC[second as usize] }];
    codes.iter().for_each(|code| word.put(code & 7, code >> 3 & 3));
    codes.iter().for_each(|code| word.put(code >> 8 & 31, code >> 13));
    segments.vlc.append(word.bits, word.length);
    two[..present].iter().for_each(|quad| send_magnitudes(quad, segments));
}

/// The low m_n = U_q - k_n bits of each significant value (T.814 7.3.8).
#[inline(always)]
fn send_magnitudes(quad: &Quad, segments: &mut Segments) {
    let significant = |n: usize| u32::from(quad.rho) >> n & 1;
    let lengths = [0, 1, 2, 3].map(|n| significant(n) * (quad.bits - u32::from(quad.entry >> (12 + n) & 1)));
    let value = |n: usize| u64::from(quad.values[n]) & ((1 << lengths[n]) - 1);
    let (left, right) = (value(0) | value(1) << lengths[0], value(2) | value(3) << lengths[2]);
    let (left_length, right_length) = (lengths[0] + lengths[1], lengths[2] + lengths[3]);
    if left_length + right_length < 64 {
        segments.magsgn.append(left | right << left_length, left_length + right_length);
    } else {
        segments.magsgn.append(left, left_length);
        segments.magsgn.append(right, right_length);
    }
}
