//! The second phase of a cleanup pass with WebAssembly's vectors: where every sample of a pair of quads begins in the stream
//! follows from sums of bit counts, so that eight samples are taken at once (T.814 7.3.4 and 7.3.7).
//!
//! A chunk is 8 quads, so 16 columns of two rows. Samples stand in the order of the stream, four a quad: upper and lower
//! one of the left column, then of the right. A 32-bit lane of 16-bit samples is therefore one column.
#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::bits::Bits;
use super::magsgn::{self, Exponents, MARGIN, PADDING_BYTES, Stream};
use super::output::{Area, Integer, Output, Real};
use super::tables::PREFIXES;
use super::vlc::Quads;
use super::{BLOCK_EDGE_MAX, TOO_LARGE};
use std::arch::wasm32::*;

/// Quads of a chunk.
const QUADS: usize = 8;
/// Columns of a chunk.
const COLUMNS: usize = 2 * QUADS;
/// Columns that are stored at a time.
const HALF: usize = COLUMNS / 2;
/// The largest exponent bound with which eight samples fit 16 bytes, at any bit of the first.
const NARROW_BOUND_MAX: u16 = 15;

/// A number that columns of a row are stored as.
pub(super) trait Store: Output {
    /// Writes eight columns of one row: twice the magnitude, which is 0 where insignificant, plus 1 where negative.
    ///
    /// # Safety
    /// There is room for [`HALF`] numbers.
    unsafe fn store(to: *mut Self, doubled: v128, scale: Self::Scale);
}

impl Store for i16 {
    #[inline(always)]
    unsafe fn store(to: *mut i16, doubled: v128, scale: Integer) {
        let magnitudes = u16x8_shr(doubled, 1);
        let negative = i16x8_neg(v128_and(doubled, u16x8_splat(1)));
        let numbers = if scale.bit_plane == 0 {
            magnitudes
        } else {
            let middle = v128_or(i16x8_shl(magnitudes, scale.bit_plane.into()), i16x8_splat(scale.half as i16));
            // A shift by 16 and more is one by less, but no number fits then.
            let middle = if scale.bit_plane < 16 { middle } else { u16x8_splat(0) };
            v128_and(middle, u16x8_ne(doubled, u16x8_splat(0)))
        };
        // SAFETY: as the caller promises.
        unsafe { v128_store(to.cast(), i16x8_sub(v128_xor(numbers, negative), negative)) };
    }
}

impl Store for i32 {
    #[inline(always)]
    unsafe fn store(to: *mut i32, doubled: v128, scale: Integer) {
        let store = |to: *mut i32, doubled: v128| {
            let magnitudes = u32x4_shr(doubled, 1);
            let negative = i32x4_neg(v128_and(doubled, u32x4_splat(1)));
            let middle = v128_or(i32x4_shl(magnitudes, scale.bit_plane.into()), i32x4_splat(scale.half));
            let numbers = v128_and(middle, u32x4_ne(doubled, u32x4_splat(0)));
            // SAFETY: as the caller promises.
            unsafe { v128_store(to.cast(), i32x4_sub(v128_xor(numbers, negative), negative)) };
        };
        store(to, u32x4_extend_low_u16x8(doubled));
        // SAFETY: as the caller promises.
        store(unsafe { to.add(4) }, u32x4_extend_high_u16x8(doubled));
    }
}

impl Store for f32 {
    #[inline(always)]
    unsafe fn store(to: *mut f32, doubled: v128, scale: Real) {
        let store = |to: *mut f32, doubled: v128| {
            let magnitudes = f32x4_convert_i32x4(u32x4_shr(doubled, 1));
            let numbers = f32x4_mul(f32x4_add(magnitudes, f32x4_splat(0.5)), f32x4_splat(scale.factor));
            let numbers = v128_xor(numbers, i32x4_shl(doubled, 31));
            let numbers = v128_and(numbers, u32x4_ne(doubled, u32x4_splat(0)));
            // SAFETY: as the caller promises.
            unsafe { v128_store(to.cast(), numbers) };
        };
        store(to, u32x4_extend_low_u16x8(doubled));
        // SAFETY: as the caller promises.
        store(unsafe { to.add(4) }, u32x4_extend_high_u16x8(doubled));
    }
}

/// See [`magsgn::decode`].
#[inline(never)]
pub(super) fn decode<O: Store>(
    quads: &Quads,
    bits: &Bits,
    exponents: &mut Exponents,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> Result<u8, &'static str> {
    let (width, height) = (area.width(), area.height());
    exponents.reset(width);
    assert!(bits.bytes().len() >= bits.end / 8 + PADDING_BYTES, "MagSgn has its padding");
    let mut stream = Stream { bytes: bits.bytes(), end: bits.end, place: 0 };
    let bound_max = u16x8_splat(O::exponent_bound_max(scale) as u16);
    let mut met = u16x8_splat(0);
    let mut row = [0; BLOCK_EDGE_MAX / 4];
    for y in 0..height.div_ceil(2) {
        let chunks = width.div_ceil(COLUMNS);
        let said = &quads.said[y * quads.stride..][..chunks * QUADS];
        let residuals = &quads.residuals[y * quads.stride / 2..][..chunks * QUADS / 2];
        let row = &mut row[..residuals.len()];
        if y == 0 {
            row.copy_from_slice(residuals);
        } else {
            residual_pairs(said, residuals, row);
        }
        let (above, current) = exponents.rows(y);
        for (chunk, (said, u)) in said.chunks_exact(QUADS).zip(row.chunks_exact(QUADS / 2)).enumerate() {
            let first = chunk * COLUMNS;
            // SAFETY: both are one vector long.
            let (words, u) = unsafe { (v128_load(said.as_ptr().cast()), v128_load(u.as_ptr().cast())) };
            let bounds = u16x8_add(u, kappa(words, &above[MARGIN + first - 1..][..COLUMNS + 2]));
            if v128_any_true(u16x8_gt(bounds, bound_max)) {
                return Err(TOO_LARGE);
            }
            let some = u16x8_ne(v128_and(words, u16x8_splat(15)), u16x8_splat(0));
            met = u16x8_max(met, v128_and(bounds, some));
            // Beyond the end there are only ones.
            stream.place = stream.place.min(stream.end);
            if v128_any_true(u16x8_gt(bounds, u16x8_splat(NARROW_BOUND_MAX))) {
                let mut each = [0u16; QUADS];
                // SAFETY: it is one vector long.
                unsafe { v128_store(each.as_mut_ptr().cast(), bounds) };
                for (n, (&said, bound)) in said.iter().zip(each).enumerate() {
                    let quad = (QUADS * chunk + n, y);
                    magsgn::quad(&mut stream, said, bound.into(), current, quad, area, scale);
                }
                continue;
            }
            for half in 0..(width - first).min(COLUMNS).div_ceil(HALF) {
                let four = if half == 0 { Four::left(words, bounds) } else { Four::right(words, bounds) };
                let column = first + half * HALF;
                let own = &mut current[MARGIN + column..][..HALF];
                let [upper, lower] = four.take(&mut stream, own);
                store(area.row(2 * y), column, upper, scale);
                if 2 * y + 1 < height {
                    store(area.row(2 * y + 1), column, lower, scale);
                }
            }
        }
    }
    let mut most = [0u16; 8];
    // SAFETY: it is one vector long.
    unsafe { v128_store(most.as_mut_ptr().cast(), met) };
    Ok(most.into_iter().fold(0, u16::max) as u8)
}

/// The columns of a row that there are, from `column` on.
#[inline(always)]
fn store<O: Store>(row: &mut [O], column: usize, doubled: v128, scale: O::Scale) {
    let to = &mut row[column..];
    if to.len() >= HALF {
        // SAFETY: there is room for eight.
        return unsafe { O::store(to.as_mut_ptr(), doubled, scale) };
    }
    let mut whole = [O::default(); HALF];
    // SAFETY: as above.
    unsafe { O::store(whole.as_mut_ptr(), doubled, scale) };
    to.copy_from_slice(&whole[..to.len()]);
}

/// By six bits at the head and u_off of both quads: length of both prefixes, then of each u the mask of its suffix, the
/// suffix's length and the prefix's value.
static PAIRS: [u32; 256] = {
    let mut table = [0; 256];
    let mut n = 0;
    while n < 256 {
        let first = if n & 64 != 0 { PREFIXES[n & 7] } else { (0, 0, 0) };
        let second = if n & 128 != 0 { PREFIXES[n >> first.0 & 7] } else { (0, 0, 0) };
        let masks = ((1u32 << first.1) - 1) << 8 | ((1u32 << second.1) - 1) << 19;
        let lengths = (first.0 + second.0) as u32 | (first.1 as u32) << 16;
        table[n] = masks | lengths | (first.2 as u32) << 13 | (second.2 as u32) << 24;
        n += 1;
    }
    table
};

/// Both u of the pairs of a quad row that is not the first, out of the bits that code them (T.814 7.3.6).
#[inline(always)]
fn residual_pairs(said: &[u16], residuals: &[u32], row: &mut [u32]) {
    let (said, _) = said.as_chunks::<2>();
    for ((u, &[one, other]), &bits) in row.iter_mut().zip(said).zip(residuals) {
        let index = bits & 0x3F | u32::from(one) >> 6 & 0x40 | u32::from(other) >> 5 & 0x80;
        let entry = PAIRS[index as usize];
        let suffixes = bits >> (entry & 7);
        let first = (suffixes & (entry >> 8 & 31)) + (entry >> 13 & 7);
        let second = (suffixes >> (entry >> 16 & 7) & (entry >> 19 & 31)) + (entry >> 24);
        *u = first | second << 16;
    }
}

/// T.814 7.3.7: the largest exponent of columns 2q - 1 to 2q + 2 above, less one, where more than one sample is significant.
#[inline(always)]
fn kappa(said: v128, above: &[u8]) -> v128 {
    debug_assert!(above.len() == COLUMNS + 2);
    let above = above.as_ptr();
    // SAFETY: 18 bytes, two vectors that begin two bytes apart.
    let (left, right) = unsafe { (v128_load(above.cast()), v128_load(above.add(2).cast())) };
    let most = u8x16_max(left, right);
    let most = u8x16_max(most, u16x8_shr(most, 8));
    let rho = v128_and(said, u16x8_splat(15));
    let several = u16x8_ne(v128_and(rho, u16x8_sub(rho, u16x8_splat(1))), u16x8_splat(0));
    u16x8_max(v128_and(v128_and(most, several), u16x8_splat(0xFF)), u16x8_splat(1))
}

/// What is known of four quads' 16 samples before their bits are read, by byte.
struct Four {
    /// All ones where significant.
    significant: v128,
    /// All ones where the top bit is known to be one.
    implied: v128,
    /// Bits of each sample.
    lengths: v128,
}

/// The n-th bit of four, over and over, from one of each byte.
const BITS: v128 = u32x4(0x0804_0201, 0x0804_0201, 0x0804_0201, 0x0804_0201);
/// The same in the upper half of a byte.
const UPPER_BITS: v128 = u32x4(0x8040_2010, 0x8040_2010, 0x8040_2010, 0x8040_2010);
/// By the places of a bit in its byte (plus 8 for the upper half): 2^(8 - place).
const SHIFTS: v128 = u8x16(0, 128, 64, 32, 16, 8, 4, 2, 1, 0, 0, 0, 0, 0, 0, 0);
/// By n (turned by 8 for the upper half): 2^n.
const POWERS: v128 = u8x16(1, 2, 4, 8, 16, 32, 64, 128, 0, 0, 0, 0, 0, 0, 0, 0);

impl Four {
    #[inline(always)]
    fn left(said: v128, bounds: v128) -> Four {
        Four::new(
            i8x16_shuffle::<0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6>(said, said),
            i8x16_shuffle::<1, 1, 1, 1, 3, 3, 3, 3, 5, 5, 5, 5, 7, 7, 7, 7>(said, said),
            i8x16_shuffle::<0, 0, 0, 0, 2, 2, 2, 2, 4, 4, 4, 4, 6, 6, 6, 6>(bounds, bounds),
        )
    }

    #[inline(always)]
    fn right(said: v128, bounds: v128) -> Four {
        Four::new(
            i8x16_shuffle::<8, 8, 8, 8, 10, 10, 10, 10, 12, 12, 12, 12, 14, 14, 14, 14>(said, said),
            i8x16_shuffle::<9, 9, 9, 9, 11, 11, 11, 11, 13, 13, 13, 13, 15, 15, 15, 15>(said, said),
            i8x16_shuffle::<8, 8, 8, 8, 10, 10, 10, 10, 12, 12, 12, 12, 14, 14, 14, 14>(bounds, bounds),
        )
    }

    /// Of bytes that stand four times each: rho and e_k, e_1, U.
    #[inline(always)]
    fn new(low: v128, high: v128, bounds: v128) -> Four {
        let significant = u8x16_eq(v128_and(low, BITS), BITS);
        let known = u8x16_eq(v128_and(low, UPPER_BITS), UPPER_BITS);
        let implied = u8x16_eq(v128_and(high, BITS), BITS);
        Four { significant, implied, lengths: u8x16_add(v128_and(bounds, significant), known) }
    }

    /// Reads them; both rows' eight columns as [`Store::store`] wants them.
    #[inline(always)]
    fn take(&self, stream: &mut Stream<'_>, exponents: &mut [u8]) -> [v128; 2] {
        let sums = u8x16_add(self.lengths, u64x2_shl(self.lengths, 8));
        let sums = u8x16_add(sums, u64x2_shl(sums, 16));
        let sums = u8x16_add(sums, u64x2_shl(sums, 32));
        let before = u64x2_shl(sums, 8);
        macro_rules! eight {
            ($total:literal, $($twice:literal),+) => {{
                let phase = u8x16_splat((stream.place & 7) as u8);
                let twice = |of: v128| i8x16_shuffle::<$($twice),+>(of, of);
                let places = u8x16_add(twice(before), phase);
                // SAFETY: a chunk ends 64 bytes after it began at the latest, and the padding is longer.
                let data = unsafe { v128_load(stream.bytes.as_ptr().add(stream.place >> 3).cast()) };
                stream.place += usize::from(u8x16_extract_lane::<$total>(sums));
                coded(data, places, twice(self.lengths), twice(self.implied))
            }};
        }
        let left = eight!(7, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7);
        let right = eight!(15, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13, 14, 14, 15, 15);
        put_exponents(left, right, exponents);
        let two = v128_and(self.significant, u8x16_splat(2));
        let left = u16x8_add(left, u16x8_extend_low_u8x16(two));
        let right = u16x8_add(right, u16x8_extend_high_u8x16(two));
        let upper = i16x8_shuffle::<0, 2, 4, 6, 8, 10, 12, 14>(left, right);
        let lower = i16x8_shuffle::<1, 3, 5, 7, 9, 11, 13, 15>(left, right);
        [upper, lower]
    }
}

/// What eight samples' bits and known top bits say: 2 (mu - 1) plus the sign. `places` (of the first bit in `data`),
/// `lengths` and `implied` have every byte twice.
#[inline(always)]
fn coded(data: v128, places: v128, lengths: v128, implied: v128) -> v128 {
    let index = v128_and(u16x8_shr(places, 3), u8x16_splat(0x1F));
    let first = i8x16_swizzle(data, u8x16_add(index, u16x8_splat(0x0100)));
    let second = i8x16_swizzle(data, u8x16_add(index, u16x8_splat(0x0201)));
    // No lane can be shifted by its own count, but times a power of two: the low byte of the result is that of `first`
    // after the shift, and the upper one that of `second`, both come out as upper bytes of the products.
    let shifts = i8x16_swizzle(SHIFTS, v128_or(v128_and(places, u8x16_splat(7)), u16x8_splat(0x0800)));
    let low = u16x8_shr(i16x8_mul(first, shifts), 8);
    let high = v128_and(i16x8_mul(second, shifts), u16x8_splat(0xFF00));
    let tops = i8x16_swizzle(POWERS, v128_xor(lengths, u16x8_splat(0x0800)));
    let read = v128_and(v128_or(low, high), u16x8_sub(tops, u16x8_splat(1)));
    v128_or(read, v128_and(tops, implied))
}

/// Bits of mu - 1 of the lower samples, the upper halves of 32-bit lanes: the exponents of the numbers as floats.
#[inline(always)]
fn put_exponents(left: v128, right: v128, exponents: &mut [u8]) {
    let biased = |coded| u32x4_shr(f32x4_convert_i32x4(u32x4_shr(coded, 17)), 23);
    let words = u16x8_narrow_i32x4(biased(left), biased(right));
    let bytes = u8x16_sub_sat(u8x16_narrow_i16x8(words, words), u8x16_splat(126));
    let eight = u64x2_extract_lane::<0>(bytes).to_le_bytes();
    exponents.copy_from_slice(&eight);
}
