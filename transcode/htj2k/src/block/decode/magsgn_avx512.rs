//! The second phase of a cleanup pass with 512-bit vectors: where every sample of a quad row begins in the stream follows
//! from sums of bit counts, so that 32 samples of 16 bits, or 16 of 32, are taken at once (T.814 7.3.4 and 7.3.7).
//!
//! A chunk is 32 quads, so 64 columns of two rows. Samples stand in the order of the stream, four a quad: upper and
//! lower one of the left column, then of the right. A 32-bit element of 16-bit samples is therefore one column.
#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::TOO_LARGE;
use super::bits::Bits;
use super::magsgn::{Exponents, MARGIN, PADDING_BYTES};
use super::output::{Area, Integer, Output, Real};
use super::vlc::{CHUNK_QUADS, Quads};
use std::arch::x86_64::*;

/// Columns of a chunk.
const COLUMNS: usize = 2 * CHUNK_QUADS;

/// Permutations and tables, by byte, word and double word; loaded once a code-block.
#[repr(C, align(64))]
struct Tables {
    /// The low byte of the word of each of 16 quads to four bytes; for the upper 16, 32 more.
    spread: [u8; 64],
    /// Of eight quads: to eight bytes of quad j the sums (top bytes) of those before; for the upper eight, 32 more.
    before: [u8; 64],
    /// The same within groups of four quads.
    before_four: [u8; 64],
    /// Sums of 16 quads, eight in a quad word.
    sums: [u8; 64],
    /// Sums of 16 quads, four in a quad word.
    sums_four: [u8; 64],
    /// The low word of a quad word to all four.
    words: [u8; 64],
    /// Upper samples of 32 columns from two vectors of 16.
    upper: [u16; 32],
    /// Lower ones.
    lower: [u16; 32],
    /// Upper samples of 16 columns from two vectors of 8.
    upper_wide: [u32; 16],
    /// Lower ones.
    lower_wide: [u32; 16],
    /// The low double word of each of the first four quad words to four double words.
    four_times: [u32; 16],
    /// By three bits at the head, and eight more if u_off is set: lengths of prefix and suffix, mask of the suffix, value.
    prefix: [u32; 16],
    suffix: [u32; 16],
    mask: [u32; 16],
    value: [u32; 16],
}

/// Bytes of [`Tables::before`] and [`Tables::before_four`] that count: bytes below j of quad word j, and j modulo 4.
const BEFORE: u64 = 0x7F3F_1F0F_0703_0100;
const BEFORE_FOUR: u64 = 0x0703_0100_0703_0100;

static TABLES: Tables = {
    let mut t = Tables {
        spread: [0; 64],
        before: [0; 64],
        before_four: [0; 64],
        sums: [0; 64],
        sums_four: [0; 64],
        words: [0; 64],
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
            let (length, suffix, value) = super::tables::PREFIXES[n - 8];
            t.prefix[n] = length as u32;
            t.suffix[n] = suffix as u32;
            t.mask[n] = (1 << suffix) - 1;
            t.value[n] = value as u32;
        }
        n += 1;
    }
    t
};

/// Stores what was decoded; all are called with AVX-512.
pub(super) trait Store: Output {
    /// Magnitudes of 32 columns in the order of the stream (`a` the left 16), zero where insignificant, signs in masks.
    unsafe fn narrow(to: &To<Self>, magnitudes: [__m512i; 2], signs: [u32; 2], scale: Self::Scale);
    /// Magnitudes of 16 columns in the order of the stream, 32 bits each.
    unsafe fn wide(to: &To<Self>, magnitudes: [__m512i; 2], signs: [u16; 2], scale: Self::Scale);
}

/// Two rows to store to, and how many columns.
pub(super) struct To<O> {
    upper: *mut O,
    /// Null where the code-block ends above.
    lower: *mut O,
    columns: usize,
}

/// See [`super::magsgn::decode`].
pub(super) fn decode<O: Store>(
    quads: &Quads,
    bits: &Bits,
    exponents: &mut Exponents,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> Result<u8, &'static str> {
    // SAFETY: called at Level::Avx512 only.
    unsafe { rows(quads, bits, exponents, area, scale) }
}

/// Where in MagSgn the next sample begins.
struct Stream {
    start: *const u8,
    end: usize,
    place: usize,
}

impl Stream {
    /// The byte of the next bit, after going over the bits before; beyond the end there are only ones.
    #[inline(always)]
    fn next(&self) -> (*const u8, i32) {
        // SAFETY: `place` is at most a chunk beyond `end`, and the padding is longer than that.
        (unsafe { self.start.add(self.place >> 3) }, (self.place & 7) as i32)
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt")]
fn rows<O: Store>(
    quads: &Quads,
    bits: &Bits,
    exponents: &mut Exponents,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> Result<u8, &'static str> {
    exponents.reset();
    let (width, height) = (area.width(), area.height());
    assert!(bits.bytes().len() >= bits.end / 8 + PADDING_BYTES, "MagSgn has its padding");
    let mut stream = Stream { start: bits.bytes().as_ptr(), end: bits.end, place: 0 };
    let bound_max = _mm512_set1_epi16(O::exponent_bound_max(scale) as i16);
    let mut met = _mm512_setzero_si512();
    for y in 0..height.div_ceil(2) {
        let upper = area.row_start(2 * y);
        let lower = if 2 * y + 1 < height { area.row_start(2 * y + 1) } else { std::ptr::null_mut() };
        for first in (0..width).step_by(COLUMNS) {
            let place = y * quads.stride + first / 2;
            let said = &quads.said[place..place + CHUNK_QUADS];
            let residuals = &quads.residuals[place / 2..place / 2 + CHUNK_QUADS / 2];
            // SAFETY: both slices are one vector long.
            let (said, residuals) =
                unsafe { (_mm512_loadu_si512(said.as_ptr().cast()), _mm512_loadu_si512(residuals.as_ptr().cast())) };
            let u = if y == 0 { residuals } else { residual_pairs(said, residuals) };
            let above = &exponents.above[MARGIN + first - 1..MARGIN + first + 1 + COLUMNS];
            // SAFETY: 66 bytes, two vectors that begin two bytes apart.
            let beside = unsafe {
                (_mm512_loadu_si512(above.as_ptr().cast()), _mm512_loadu_si512(above.as_ptr().add(2).cast()))
            };
            let bounds = _mm512_add_epi16(u, kappa(said, beside));
            if _mm512_cmpgt_epu16_mask(bounds, bound_max) != 0 {
                return Err(TOO_LARGE);
            }
            let some = _mm512_test_epi16_mask(said, _mm512_set1_epi16(15));
            met = _mm512_mask_max_epu16(met, some, met, bounds);
            let narrow = _mm512_cmpgt_epu16_mask(bounds, _mm512_set1_epi16(15)) == 0;
            stream.place = stream.place.min(stream.end);
            for half in 0..(width - first).min(COLUMNS).div_ceil(32) {
                let column = first + 32 * half;
                // SAFETY: `column` is in the row; `columns` of it are left.
                let to = unsafe {
                    let lower = if lower.is_null() { lower } else { lower.add(column) };
                    To { upper: upper.add(column), lower, columns: width - column }
                };
                let current = &mut exponents.current[MARGIN + column..][..32];
                let samples = Samples::new(said, bounds, half);
                // SAFETY: the stream has its padding, `to` is in the area and `current` 32 bytes long.
                unsafe {
                    if narrow {
                        samples.narrow(&mut stream, current.as_mut_ptr(), &to, scale);
                    } else {
                        samples.wide(&mut stream, current.as_mut_ptr(), &to, scale);
                    }
                }
            }
        }
        std::mem::swap(&mut exponents.above, &mut exponents.current);
    }
    Ok(_mm512_reduce_max_epu32(_mm512_max_epu16(
        _mm512_and_si512(met, _mm512_set1_epi32(0xFFFF)),
        _mm512_srli_epi32(met, 16),
    )) as u8)
}

macro_rules! table {
    ($name:ident) => {
        // SAFETY: each table is 64 bytes long.
        unsafe { _mm512_load_si512((&raw const TABLES.$name).cast()) }
    };
}

/// Both u of 16 pairs that are not in the first quad row, out of the bits that code them (T.814 7.3.6).
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn residual_pairs(said: __m512i, bits: __m512i) -> __m512i {
    let (seven, eight) = (_mm512_set1_epi32(7), _mm512_set1_epi32(8));
    // (bits & 7) | (said & 8), with u_off moved to bit 3.
    let index = |bits, off| _mm512_ternarylogic_epi32::<0xCA>(eight, off, _mm512_and_si512(bits, seven));
    let first = index(bits, _mm512_srli_epi32::<9>(said));
    let bits = _mm512_srlv_epi32(bits, _mm512_permutexvar_epi32(first, table!(prefix)));
    let second = index(bits, _mm512_srli_epi32::<25>(said));
    let bits = _mm512_srlv_epi32(bits, _mm512_permutexvar_epi32(second, table!(prefix)));
    let suffix = _mm512_and_si512(bits, _mm512_permutexvar_epi32(first, table!(mask)));
    let low = _mm512_add_epi32(suffix, _mm512_permutexvar_epi32(first, table!(value)));
    let bits = _mm512_srlv_epi32(bits, _mm512_permutexvar_epi32(first, table!(suffix)));
    let suffix = _mm512_and_si512(bits, _mm512_permutexvar_epi32(second, table!(mask)));
    let high = _mm512_add_epi32(suffix, _mm512_permutexvar_epi32(second, table!(value)));
    _mm512_or_si512(low, _mm512_slli_epi32::<16>(high))
}

/// T.814 7.3.7: the largest exponent of the columns 2q - 1, 2q (first vector), 2q + 1 and 2q + 2 (second), less one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn kappa(said: __m512i, (left, right): (__m512i, __m512i)) -> __m512i {
    let most = _mm512_max_epu8(left, right);
    let most = _mm512_max_epu8(most, _mm512_srli_epi16::<8>(most));
    let rho = _mm512_and_si512(said, _mm512_set1_epi16(15));
    let several = _mm512_test_epi16_mask(rho, _mm512_sub_epi16(rho, _mm512_set1_epi16(1)));
    let most = _mm512_maskz_and_epi16(several, most);
    _mm512_max_epu16(most, _mm512_set1_epi16(1))
}

/// `most` without the upper byte of every word, and zero where the mask is not set.
#[allow(non_snake_case)]
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn _mm512_maskz_and_epi16(mask: __mmask32, most: __m512i) -> __m512i {
    _mm512_and_si512(most, _mm512_maskz_set1_epi16(mask, 0xFF))
}

/// What is known of 64 samples before their bits are read.
struct Samples {
    significant: u64,
    /// Of which the top bit is known to be one.
    implied: u64,
    /// Bits of each sample, by byte.
    lengths: __m512i,
    /// Sums of them within the quad, up to and with each.
    sums: __m512i,
}

impl Samples {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vbmi")]
    fn new(said: __m512i, bounds: __m512i, half: usize) -> Samples {
        let spread = _mm512_add_epi8(table!(spread), _mm512_set1_epi8(32 * half as i8));
        let low = _mm512_permutexvar_epi8(spread, said);
        let high = _mm512_permutexvar_epi8(_mm512_add_epi8(spread, _mm512_set1_epi8(1)), said);
        let significant = _mm512_test_epi8_mask(low, _mm512_set1_epi32(0x0804_0201));
        let known = _mm512_test_epi8_mask(low, _mm512_set1_epi32(0x8040_2010u32 as i32));
        let implied = _mm512_test_epi8_mask(high, _mm512_set1_epi32(0x0804_0201));
        let lengths = _mm512_maskz_permutexvar_epi8(significant, spread, bounds);
        let lengths = _mm512_mask_sub_epi8(lengths, known, lengths, _mm512_set1_epi8(1));
        let sums = _mm512_add_epi8(lengths, _mm512_slli_epi32::<8>(lengths));
        let sums = _mm512_add_epi8(sums, _mm512_slli_epi32::<16>(sums));
        Samples { significant, implied, lengths, sums }
    }

    /// All 64, where no bound is above 15: 32 at a time.
    ///
    /// # Safety
    /// `exponents` has room for 32, and `to` is in an area.
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")]
    unsafe fn narrow<O: Store>(&self, stream: &mut Stream, exponents: *mut u8, to: &To<O>, scale: O::Scale) {
        let zero = _mm512_setzero_si512();
        let totals = _mm512_castsi512_si128(_mm512_sad_epu8(_mm512_permutexvar_epi8(table!(sums), self.sums), zero));
        let totals = [_mm_cvtsi128_si64(totals) as usize, _mm_extract_epi64::<1>(totals) as usize];
        let within = _mm512_slli_epi32::<8>(self.sums);
        let mut magnitudes = [zero; 2];
        let mut signs = [0; 2];
        for eight in 0..2 {
            let index = _mm512_add_epi8(table!(before), _mm512_set1_epi8(32 * eight as i8));
            let before = _mm512_sad_epu8(_mm512_maskz_permutexvar_epi8(BEFORE, index, self.sums), zero);
            let before = _mm512_shuffle_epi8(before, table!(words));
            let quarter = |of| if eight == 0 { _mm512_castsi512_si256(of) } else { _mm512_extracti64x4_epi64::<1>(of) };
            let lengths = _mm512_cvtepu8_epi16(quarter(self.lengths));
            let (from, phase) = stream.next();
            let within = _mm512_add_epi16(_mm512_cvtepu8_epi16(quarter(within)), _mm512_set1_epi16(phase as i16));
            let places = _mm512_add_epi16(before, within);
            // At most 7 + 32 * 15 bits: all of them in 64 bytes.
            // SAFETY: the stream has its padding.
            let (data, after) = unsafe { (_mm512_loadu_si512(from.cast()), _mm512_loadu_si512(from.add(2).cast())) };
            let index = _mm512_srli_epi16::<4>(places);
            let low = _mm512_permutexvar_epi16(index, data);
            let high = _mm512_permutexvar_epi16(index, after);
            let bits = _mm512_shrdv_epi16(low, high, places);
            stream.place += totals[eight];
            let significant = (self.significant >> (32 * eight)) as u32;
            let implied = (self.implied >> (32 * eight)) as u32;
            let above = _mm512_sllv_epi16(_mm512_set1_epi16(-1), lengths);
            let beyond = _mm512_mask_add_epi16(above, implied, above, above);
            // (bits | above) & !beyond: the bits read and, where it is known, a one on top.
            let coded = _mm512_ternarylogic_epi32::<0x54>(bits, above, beyond);
            let half = _mm512_srli_epi16::<1>(coded);
            magnitudes[eight] = _mm512_maskz_add_epi16(significant, half, _mm512_set1_epi16(1));
            signs[eight] = _mm512_test_epi16_mask(coded, _mm512_set1_epi16(1));
            // The lower sample is the upper half of its column's element.
            let exponent = _mm512_subs_epu16(_mm512_set1_epi16(16), _mm512_lzcnt_epi32(half));
            // SAFETY: 16 of 32 bytes.
            unsafe { _mm_storeu_si128(exponents.add(16 * eight).cast(), _mm512_cvtepi32_epi8(exponent)) };
        }
        // SAFETY: as the caller promises.
        unsafe { O::narrow(to, magnitudes, signs, scale) };
    }

    /// All 64, whatever their bounds: 16 at a time.
    ///
    /// # Safety
    /// As [`Samples::narrow`].
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")]
    unsafe fn wide<O: Store>(&self, stream: &mut Stream, exponents: *mut u8, to: &To<O>, scale: O::Scale) {
        let zero = _mm512_setzero_si512();
        let totals = _mm512_maskz_permutexvar_epi8(0x0F0F_0F0F, table!(sums_four), self.sums);
        let totals = _mm512_castsi512_si256(_mm512_sad_epu8(totals, zero));
        let (mut sums, mut lengths, mut within) = ([0u64; 4], [0u8; 64], [0u8; 64]);
        // SAFETY: the arrays are as long as the vectors.
        unsafe {
            _mm256_storeu_si256(sums.as_mut_ptr().cast(), totals);
            _mm512_storeu_si512(lengths.as_mut_ptr().cast(), self.lengths);
            _mm512_storeu_si512(within.as_mut_ptr().cast(), _mm512_slli_epi32::<8>(self.sums));
        }
        for eight in 0..2 {
            let index = _mm512_add_epi8(table!(before_four), _mm512_set1_epi8(32 * eight as i8));
            let before = _mm512_sad_epu8(_mm512_maskz_permutexvar_epi8(BEFORE_FOUR, index, self.sums), zero);
            let mut magnitudes = [zero; 2];
            let mut halves = [zero; 2];
            let mut signs = [0; 2];
            for four in 0..2 {
                let number = 2 * eight + four;
                let before = if four == 0 { before } else { _mm512_shuffle_i64x2::<0x0E>(before, before) };
                let before = _mm512_permutexvar_epi32(table!(four_times), before);
                // SAFETY: the stream has its padding; the arrays are four vectors of 16 bytes long.
                let (data, after, lengths, within, phase) = unsafe {
                    let (from, phase) = stream.next();
                    let lengths = _mm512_cvtepu8_epi32(_mm_loadu_si128(lengths.as_ptr().add(16 * number).cast()));
                    let within = _mm512_cvtepu8_epi32(_mm_loadu_si128(within.as_ptr().add(16 * number).cast()));
                    (_mm512_loadu_si512(from.cast()), _mm512_loadu_si512(from.add(4).cast()), lengths, within, phase)
                };
                // At most 7 + 16 * 31 bits: all of them in 64 bytes.
                let places = _mm512_add_epi32(_mm512_add_epi32(before, within), _mm512_set1_epi32(phase));
                let index = _mm512_srli_epi32::<5>(places);
                let low = _mm512_permutexvar_epi32(index, data);
                let high = _mm512_permutexvar_epi32(index, after);
                let bits = _mm512_shrdv_epi32(low, high, places);
                stream.place += sums[number] as usize;
                let significant = (self.significant >> (16 * number)) as u16;
                let implied = (self.implied >> (16 * number)) as u16;
                let above = _mm512_sllv_epi32(_mm512_set1_epi32(-1), lengths);
                let beyond = _mm512_mask_add_epi32(above, implied, above, above);
                let coded = _mm512_ternarylogic_epi32::<0x54>(bits, above, beyond);
                halves[four] = _mm512_srli_epi32::<1>(coded);
                magnitudes[four] = _mm512_maskz_add_epi32(significant, halves[four], _mm512_set1_epi32(1));
                signs[four] = _mm512_test_epi32_mask(coded, _mm512_set1_epi32(1));
            }
            let lower = _mm512_permutex2var_epi32(halves[0], table!(lower_wide), halves[1]);
            let exponent = _mm512_sub_epi32(_mm512_set1_epi32(32), _mm512_lzcnt_epi32(lower));
            // SAFETY: 16 of 32 bytes; columns beyond the area are not stored to.
            unsafe {
                _mm_storeu_si128(exponents.add(16 * eight).cast(), _mm512_cvtepi32_epi8(exponent));
                if to.columns > 16 * eight {
                    let lower = if to.lower.is_null() { to.lower } else { to.lower.add(16 * eight) };
                    let to = To { upper: to.upper.add(16 * eight), lower, columns: to.columns - 16 * eight };
                    O::wide(&to, magnitudes, signs, scale);
                }
            }
        }
    }
}

/// The lowest `count` bits, all from 16 on.
#[inline(always)]
fn columns16(count: usize) -> u16 {
    if count >= 16 { !0 } else { (1 << count) - 1 }
}

/// Stores 16 columns of 32 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store16<O>(to: *mut O, values: __m512i, columns: usize) {
    // SAFETY: the caller has `columns` there.
    unsafe {
        if columns >= 16 {
            _mm512_storeu_si512(to.cast(), values);
        } else {
            _mm512_mask_storeu_epi32(to.cast(), columns16(columns), values);
        }
    }
}

/// Magnitudes at their bit-plane, with sign.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn integers32(magnitudes: __m512i, signs: u16, scale: Integer) -> __m512i {
    let significant = _mm512_test_epi32_mask(magnitudes, magnitudes);
    let shifted = _mm512_sll_epi32(magnitudes, _mm_cvtsi32_si128(i32::from(scale.bit_plane)));
    let value = _mm512_mask_or_epi32(shifted, significant, shifted, _mm512_set1_epi32(scale.half));
    _mm512_mask_sub_epi32(value, signs, _mm512_setzero_si512(), value)
}

/// The same in 16 bits.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn integers16(magnitudes: __m512i, signs: u32, scale: Integer) -> __m512i {
    let mut value = magnitudes;
    if scale.bit_plane > 0 {
        let significant = _mm512_movm_epi16(_mm512_test_epi16_mask(magnitudes, magnitudes));
        let middle = _mm512_and_si512(significant, _mm512_set1_epi16(scale.half as i16));
        value = _mm512_or_si512(_mm512_sll_epi16(value, _mm_cvtsi32_si128(i32::from(scale.bit_plane))), middle);
    }
    _mm512_mask_sub_epi16(value, signs, _mm512_setzero_si512(), value)
}

impl Store for i16 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn narrow(to: &To<i16>, magnitudes: [__m512i; 2], signs: [u32; 2], scale: Integer) {
        let [a, b] = [0, 1].map(|n| integers16(magnitudes[n], signs[n], scale));
        let upper = _mm512_permutex2var_epi16(a, table!(upper), b);
        let lower = _mm512_permutex2var_epi16(a, table!(lower), b);
        let mask = if to.columns >= 32 { !0 } else { (1u32 << to.columns) - 1 };
        // SAFETY: `to` has as many columns.
        unsafe {
            _mm512_mask_storeu_epi16(to.upper, mask, upper);
            if !to.lower.is_null() {
                _mm512_mask_storeu_epi16(to.lower, mask, lower);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn wide(to: &To<i16>, magnitudes: [__m512i; 2], signs: [u16; 2], scale: Integer) {
        let [a, b] = [0, 1].map(|n| integers32(magnitudes[n], signs[n], scale));
        let upper = _mm512_cvtepi32_epi16(_mm512_permutex2var_epi32(a, table!(upper_wide), b));
        let lower = _mm512_cvtepi32_epi16(_mm512_permutex2var_epi32(a, table!(lower_wide), b));
        let mask = columns16(to.columns);
        // SAFETY: `to` has as many columns.
        unsafe {
            _mm256_mask_storeu_epi16(to.upper, mask, upper);
            if !to.lower.is_null() {
                _mm256_mask_storeu_epi16(to.lower, mask, lower);
            }
        }
    }
}

/// 32-bit values of two rows, by 16 columns, from elements that hold upper and lower sample of a column.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store_rows<O>(to: &To<O>, upper: [__m512i; 2], lower: [__m512i; 2]) {
    for n in 0..2 {
        if to.columns > 16 * n {
            // SAFETY: `to` has as many columns.
            unsafe {
                store16(to.upper.add(16 * n), upper[n], to.columns - 16 * n);
                if !to.lower.is_null() {
                    store16(to.lower.add(16 * n), lower[n], to.columns - 16 * n);
                }
            }
        }
    }
}

impl Store for i32 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    unsafe fn narrow(to: &To<i32>, magnitudes: [__m512i; 2], signs: [u32; 2], scale: Integer) {
        let exact = Integer { bit_plane: 0, half: 0 };
        let columns = [0, 1].map(|n| integers16(magnitudes[n], signs[n], exact));
        let mut upper = columns.map(|both| _mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(both)));
        let mut lower = columns.map(|both| _mm512_srai_epi32::<16>(both));
        if scale.bit_plane > 0 {
            let place = |value| {
                let negative = _mm512_movepi32_mask(value);
                integers32(_mm512_abs_epi32(value), negative, scale)
            };
            (upper, lower) = (upper.map(place), lower.map(place));
        }
        // SAFETY: as the caller promises.
        unsafe { store_rows(to, upper, lower) };
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn wide(to: &To<i32>, magnitudes: [__m512i; 2], signs: [u16; 2], scale: Integer) {
        let [a, b] = [0, 1].map(|n| integers32(magnitudes[n], signs[n], scale));
        let upper = _mm512_permutex2var_epi32(a, table!(upper_wide), b);
        let lower = _mm512_permutex2var_epi32(a, table!(lower_wide), b);
        // SAFETY: `to` has as many columns.
        unsafe {
            store16(to.upper, upper, to.columns);
            if !to.lower.is_null() {
                store16(to.lower, lower, to.columns);
            }
        }
    }
}

/// Signed magnitudes to the middle of their intervals, times the factor; the same roundings as [`Output::reconstruct`].
#[inline]
#[target_feature(enable = "avx512f,avx512bw,avx512dq")]
fn reals(values: __m512i, scale: Real) -> __m512i {
    let significant = _mm512_test_epi32_mask(values, values);
    let value = _mm512_cvtepi32_ps(values);
    // The sign of the value, and all else of one half.
    let half = _mm512_castps_si512(_mm512_set1_ps(0.5));
    let half = _mm512_ternarylogic_epi32::<0xF8>(half, _mm512_castps_si512(value), _mm512_set1_epi32(i32::MIN));
    let value = _mm512_mask_add_ps(value, significant, value, _mm512_castsi512_ps(half));
    _mm512_castps_si512(_mm512_mul_ps(value, _mm512_set1_ps(scale.factor)))
}

impl Store for f32 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    unsafe fn narrow(to: &To<f32>, magnitudes: [__m512i; 2], signs: [u32; 2], scale: Real) {
        let exact = Integer { bit_plane: 0, half: 0 };
        let columns = [0, 1].map(|n| integers16(magnitudes[n], signs[n], exact));
        let upper = columns.map(|both| reals(_mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(both)), scale));
        let lower = columns.map(|both| reals(_mm512_srai_epi32::<16>(both), scale));
        // SAFETY: as the caller promises.
        unsafe { store_rows(to, upper, lower) };
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    unsafe fn wide(to: &To<f32>, magnitudes: [__m512i; 2], signs: [u16; 2], scale: Real) {
        let exact = Integer { bit_plane: 0, half: 0 };
        let [a, b] = [0, 1].map(|n| reals(integers32(magnitudes[n], signs[n], exact), scale));
        let upper = _mm512_permutex2var_epi32(a, table!(upper_wide), b);
        let lower = _mm512_permutex2var_epi32(a, table!(lower_wide), b);
        // SAFETY: `to` has as many columns.
        unsafe {
            store16(to.upper, upper, to.columns);
            if !to.lower.is_null() {
                store16(to.lower, lower, to.columns);
            }
        }
    }
}
