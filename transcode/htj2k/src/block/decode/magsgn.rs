//! The second phase of a cleanup pass: exponent bounds and MagSgn, a quad row at a time (T.814 7.3.4 and 7.3.7). This is
//! the form for machines without wide vectors; the kernels beside it do the same.

use super::bits::Bits;
use super::output::{Area, Output};
use super::vlc::Quads;

/// Bytes of ones that must follow the data: 128 samples of 31 bits, and what a kernel loads beyond.
pub(super) const PADDING_BYTES: usize = 640;
/// Columns to the left of the first whose exponents are kept, and to the right of the last.
pub(super) const MARGIN: usize = 64;

/// What is kept between code-blocks.
#[derive(Debug)]
pub(super) struct Exponents {
    /// Of the lower samples of the quad row above, by column from [`MARGIN`]: bits of mu - 1, which is E - 1 where mu is
    /// above 1 and else 0. Bounds need no more, for kappa is at least 1.
    pub(super) above: [u8; super::BLOCK_EDGE_MAX + 2 * MARGIN],
    /// Those of the quad row that is being decoded.
    pub(super) current: [u8; super::BLOCK_EDGE_MAX + 2 * MARGIN],
}

impl Default for Exponents {
    fn default() -> Exponents {
        Exponents { above: [0; super::BLOCK_EDGE_MAX + 2 * MARGIN], current: [0; super::BLOCK_EDGE_MAX + 2 * MARGIN] }
    }
}

impl Exponents {
    pub(super) fn reset(&mut self) {
        self.above.fill(0);
        self.current.fill(0);
    }
}

/// The stream, with the padding that [`decode`] and its kernels need.
pub(super) fn unpack(bits: &mut Bits, stream: &[u8], width: usize, height: usize) {
    // Every sample of 31 bits, seven bits a byte: more is never read.
    let limit = width.next_multiple_of(4) * height.next_multiple_of(2) * 31 / 7 + 16;
    bits.forward(stream, limit, true, PADDING_BYTES);
}

/// Decodes MagSgn; the largest exponent bound of a quad that has samples.
pub(super) fn decode<O: Output>(
    quads: &Quads,
    bits: &Bits,
    exponents: &mut Exponents,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> Result<u8, &'static str> {
    exponents.reset();
    let mut stream = Stream { bytes: bits.bytes(), end: bits.end, place: 0 };
    let mut met = 0;
    for y in 0..area.height().div_ceil(2) {
        let said = &quads.said[y * quads.stride..][..quads.stride];
        let residuals = &quads.residuals[y * quads.stride / 2..][..quads.stride / 2];
        for pair in 0..area.width().div_ceil(4) {
            let both = [said[2 * pair], said[2 * pair + 1]];
            let u = if y == 0 {
                [residuals[pair] & 0xFFFF, residuals[pair] >> 16]
            } else {
                residual_pair(both.map(|said| said >> 12 & 1), residuals[pair])
            };
            for n in 0..2 {
                let q = 2 * pair + n;
                let bound = u[n] + kappa(both[n], exponents, q);
                if bound > O::exponent_bound_max(scale) {
                    return Err(super::TOO_LARGE);
                }
                if both[n] & 15 != 0 {
                    met = met.max(bound);
                }
                quad(&mut stream, both[n], bound, exponents, (q, y), area, scale);
            }
        }
        std::mem::swap(&mut exponents.above, &mut exponents.current);
    }
    Ok(met as u8)
}

/// Both u of a pair that is not in the first quad row, out of the bits that code them (T.814 7.3.6).
fn residual_pair(off: [u16; 2], bits: u32) -> [u32; 2] {
    let mut rest = bits;
    let prefixes = off.map(|off| {
        let (length, suffix, value) = if off == 1 { super::tables::PREFIXES[rest as usize & 7] } else { (0, 0, 0) };
        rest >>= length;
        (suffix, value)
    });
    prefixes.map(|(suffix, value)| {
        let said = rest & ((1 << suffix) - 1);
        rest >>= suffix;
        u32::from(value) + said
    })
}

/// T.814 7.3.7: what the exponents above predict, where more than one sample is significant.
fn kappa(said: u16, exponents: &Exponents, q: usize) -> u32 {
    let rho = said & 15;
    if rho & rho.wrapping_sub(1) == 0 {
        return 1;
    }
    let above = &exponents.above[MARGIN + 2 * q - 1..][..4];
    u32::from(above.iter().fold(1, |most, &exponent| most.max(exponent)))
}

/// A linear stream and a place in it.
struct Stream<'a> {
    bytes: &'a [u8],
    end: usize,
    place: usize,
}

impl Stream<'_> {
    /// `count` bits, at most 31.
    #[inline]
    fn take(&mut self, count: u32) -> u32 {
        let word = self.bytes[self.place / 8..].first_chunk().map_or(u64::MAX, |word| u64::from_le_bytes(*word));
        let bits = (word >> (self.place % 8)) as u32 & ((1 << count) - 1);
        self.place += count as usize;
        bits
    }
}

/// The samples of one quad; those outside the code-block, which only damaged streams have, are read and left.
#[inline]
fn quad<O: Output>(
    stream: &mut Stream<'_>,
    said: u16,
    bound: u32,
    exponents: &mut Exponents,
    (q, y): (usize, usize),
    area: &mut Area<'_, O>,
    scale: O::Scale,
) {
    // Beyond the end there are only ones.
    stream.place = stream.place.min(stream.end);
    for n in 0..4 {
        let (x, row) = (2 * q + n / 2, 2 * y + n % 2);
        let mut value = O::default();
        let mut exponent = 0;
        if said >> n & 1 == 1 {
            let bits = bound - u32::from(said >> (4 + n) & 1);
            let coded = stream.take(bits) | u32::from(said >> (8 + n) & 1) << bits;
            value = O::reconstruct((coded >> 1) + 1, coded & 1 == 1, scale);
            exponent = 32 - (coded >> 1).leading_zeros();
        }
        if n % 2 == 1 {
            exponents.current[MARGIN + x] = exponent as u8;
        }
        if x < area.width() && row < area.height() {
            *area.sample(x, row) = value;
        }
    }
}
