//! The reference: quad by quad, as T.814 7.3 says it, read backwards.

use super::segments::Segments;
use crate::Coefficient;
use crate::block::tables::{CXTVLC_FIRST, CXTVLC_OTHER, UVLC};

/// Quads of a row of 1024 columns, one more on either side.
const ROW_QUADS: usize = 512 + 2;

/// What the next quad row and the next quad want to know of the rows above: index 0 stands left of the block.
struct Neighbours {
    /// Significance of the quad row above.
    above: [u8; ROW_QUADS],
    /// Largest exponents of the lower samples above: the left (sample 1) and the right one (sample 3) of each quad.
    exponents: [[u32; 2]; ROW_QUADS],
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
    let mut neighbours = Neighbours { above: [0; ROW_QUADS], exponents: [[0; 2]; ROW_QUADS] };
    for top in (0..height).step_by(2) {
        let first_row = top == 0;
        let mut row = [0u8; ROW_QUADS];
        let mut lower = [[0u32; 2]; ROW_QUADS];
        for pair in (0..quads).step_by(2) {
            let mut two = [Quad::default(); 2];
            let present = (quads - pair).min(2);
            for (index, quad) in two.iter_mut().enumerate().take(present) {
                let q = pair + index;
                *quad = load(coefficients, stride, (width, height), (2 * q, top));
                describe(quad, q, row[q], &neighbours, first_row);
                row[q + 1] = quad.rho;
                lower[q + 1] = [exponent(quad.values[1]), exponent(quad.values[3])];
            }
            send(&two, present, first_row, segments);
        }
        neighbours = Neighbours { above: row, exponents: lower };
    }
}

/// E_n of a value (T.814 7.3.2), but 0 for some of magnitude 1: no rule tells an exponent of 1 from one of 0, since
/// U_q and kappa_q are never below 1.
fn exponent(value: u32) -> u32 {
    32 - value.leading_zeros()
}

fn load<T: Coefficient>(
    coefficients: &[T],
    stride: usize,
    (width, height): (usize, usize),
    (x, y): (usize, usize),
) -> Quad {
    let mut quad = Quad::default();
    // T.814 7.3.1: samples 0 and 1 are the left column, 2 and 3 the right one.
    for (n, (x, y)) in [(x, y), (x, y + 1), (x + 1, y), (x + 1, y + 1)].into_iter().enumerate() {
        if x < width && y < height {
            let coefficient = coefficients[y * stride + x].to_i32();
            if coefficient != 0 {
                quad.rho |= 1 << n;
                quad.values[n] = (coefficient.unsigned_abs() - 1) << 1 | u32::from(coefficient < 0);
            }
        }
    }
    quad
}

/// Finds context (T.814 7.3.5), kappa (7.3.7), U_q and the CxtVLC entry.
fn describe(quad: &mut Quad, q: usize, left: u8, neighbours: &Neighbours, first_row: bool) {
    let bit = |rho: u8, n: u8| rho >> n & 1;
    let [above_left, above, above_right] = [0, 1, 2].map(|i| neighbours.above[q + i]);
    quad.context = if first_row {
        left >> 1 | left & 1
    } else {
        (bit(above_left, 3) | bit(above, 1))
            | (bit(left, 2) | bit(left, 3)) << 1
            | (bit(above, 3) | bit(above_right, 1)) << 2
    };
    let [[_, north_west], [north, north_east], [north_far, _]] = [0, 1, 2].map(|i| neighbours.exponents[q + i]);
    let above = north_west.max(north).max(north_east).max(north_far);
    let kappa = if quad.rho.count_ones() > 1 { above.saturating_sub(1).max(1) } else { 1 };
    let largest = quad.values.map(exponent).into_iter().max().unwrap_or(0);
    quad.bits = largest.max(kappa);
    quad.excess = quad.bits - kappa;
    let mut epsilon = 0;
    if quad.excess > 0 {
        (0..4).for_each(|n| epsilon |= usize::from(exponent(quad.values[n]) == largest) << n);
    }
    let table = if first_row { &CXTVLC_FIRST } else { &CXTVLC_OTHER };
    quad.entry = table[usize::from(quad.context) << 8 | usize::from(quad.rho) << 4 | epsilon];
}

/// Sends a pair of quads, or the last one alone: `present` of them.
fn send(two: &[Quad; 2], present: usize, first_row: bool, segments: &mut Segments) {
    for quad in &two[..present] {
        if quad.context == 0 {
            segments.mel.events(u64::from(quad.rho != 0), 1);
        }
        segments.vlc.append(u64::from(quad.entry & 0xFF), u32::from(quad.entry >> 8 & 0xF));
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
    send_excess(
        UVLC[first as usize],
        if one_bit { (second as u16 - 1) | 1 << 3 } else { UVLC[second as usize] },
        segments,
    );
    for quad in &two[..present] {
        send_magnitudes(quad, segments);
    }
}

/// Both prefixes, then both suffixes (T.814 7.3.6).
fn send_excess(first: u16, second: u16, segments: &mut Segments) {
    for code in [first, second] {
        segments.vlc.append(u64::from(code & 7), u32::from(code >> 3 & 3));
    }
    for code in [first, second] {
        segments.vlc.append(u64::from(code >> 8 & 31), u32::from(code >> 13));
    }
}

/// The low m_n = U_q - k_n bits of each value (T.814 7.3.8).
fn send_magnitudes(quad: &Quad, segments: &mut Segments) {
    for n in 0..4 {
        if quad.rho >> n & 1 == 1 {
            let bits = quad.bits - u32::from(quad.entry >> (12 + n) & 1);
            segments.magsgn.append(u64::from(quad.values[n]) & ((1 << bits) - 1), bits);
        }
    }
}
