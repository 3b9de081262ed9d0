//! The second phase of a cleanup pass with 256-bit vectors: bounds of 16 quads at a time, then two quads, one in each half
//! (T.814 7.3.4 and 7.3.7).
#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use super::TOO_LARGE;
use super::bits::Bits;
use super::magsgn::{self, EXPONENTS, Exponents, MARGIN, PADDING_BYTES};
use super::output::{Area, Integer, Output, Real};
use super::vlc::{CHUNK_QUADS, Quads};
use std::arch::x86_64::*;

/// Bits of a sample at most that four bytes hold wherever they begin.
const BOUND_FAST_MAX: i16 = 25;

/// Stores what was decoded; all are called with AVX2.
pub(super) trait Store: Output {
    /// Values of two quads, in the order of the stream, out of magnitudes (zero where insignificant) and sign bits (all
    /// bits of a negative sample).
    unsafe fn values(magnitudes: __m256i, signs: __m256i, scale: Self::Scale) -> __m256i;
    /// Stores four columns of two rows; the lower may be null.
    unsafe fn store(values: __m256i, upper: *mut Self, lower: *mut Self);
}

/// What is known of a chunk of 32 quads before its samples are read.
#[repr(align(32))]
struct Chunk {
    bounds: [u16; CHUNK_QUADS],
    /// Bits of each quad.
    totals: [u16; CHUNK_QUADS],
}

/// See [`magsgn::decode`].
pub(super) fn decode<O: Store>(
    quads: &Quads,
    bits: &Bits,
    exponents: &mut Exponents,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> Result<u8, &'static str> {
    // SAFETY: called at Level::Avx2 or above only.
    unsafe { rows(quads, bits, exponents, area, scale) }
}

#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
fn rows<O: Store>(
    quads: &Quads,
    bits: &Bits,
    exponents: &mut Exponents,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> Result<u8, &'static str> {
    let (width, height) = (area.width(), area.height());
    exponents.reset(width);
    assert!(bits.bytes().len() >= bits.end / 8 + PADDING_BYTES, "MagSgn has its padding");
    let mut place = 0;
    let mut met = _mm256_setzero_si256();
    let mut chunk = Chunk { bounds: [0; CHUNK_QUADS], totals: [0; CHUNK_QUADS] };
    for y in 0..height.div_ceil(2) {
        let (above, current) = exponents.rows(y);
        for first in (0..width).step_by(2 * CHUNK_QUADS) {
            let start = y * quads.stride + first / 2;
            let said = quads.said[start..][..CHUNK_QUADS].as_chunks::<16>().0;
            let residuals = quads.residuals[start / 2..][..CHUNK_QUADS / 2].as_chunks::<8>().0;
            // Beyond the end there are only ones.
            place = place.min(bits.end);
            let mut largest = _mm256_setzero_si256();
            for half in 0..(width - first).div_ceil(CHUNK_QUADS).min(2) {
                // SAFETY: 16 words and 8 double words, one vector each.
                let (said, residuals) = unsafe {
                    let said = _mm256_loadu_si256(said[half].as_ptr().cast());
                    (said, _mm256_loadu_si256(residuals[half].as_ptr().cast()))
                };
                let u = if y == 0 { residuals } else { residual_pairs(said, residuals) };
                let bounds = _mm256_add_epi16(u, kappa(said, above, first + CHUNK_QUADS * half));
                let some = _mm256_cmpeq_epi16(_mm256_and_si256(said, _mm256_set1_epi16(15)), _mm256_setzero_si256());
                met = _mm256_max_epu16(met, _mm256_andnot_si256(some, bounds));
                largest = _mm256_max_epu16(largest, bounds);
                // SAFETY: 16 of 32 words.
                unsafe {
                    _mm256_storeu_si256(chunk.bounds.as_mut_ptr().add(16 * half).cast(), bounds);
                    _mm256_storeu_si256(chunk.totals.as_mut_ptr().add(16 * half).cast(), totals(said, bounds));
                }
            }
            let largest = word_max(largest);
            if u32::from(largest) > O::exponent_bound_max(scale) {
                return Err(TOO_LARGE);
            }
            let said = said.as_flattened();
            if largest > BOUND_FAST_MAX as u16 {
                let mut stream = magsgn::Stream { bytes: bits.bytes(), end: bits.end, place };
                let count = (width - first).min(2 * CHUNK_QUADS).div_ceil(4) * 2;
                for (q, &said) in said.iter().enumerate().take(count) {
                    let bound = u32::from(chunk.bounds[q]);
                    magsgn::quad(&mut stream, said, bound, current, (first / 2 + q, y), area, scale);
                }
                place = stream.place;
            } else {
                place = pairs(bits.bytes(), place, said, &chunk, current, (first, y), area, scale);
            }
        }
    }
    Ok(word_max(met) as u8)
}

/// The largest of 16 words.
#[inline]
#[target_feature(enable = "avx2")]
fn word_max(words: __m256i) -> u16 {
    let words = _mm_max_epu16(_mm256_castsi256_si128(words), _mm256_extracti128_si256::<1>(words));
    // The least of the complements, for only that has an instruction.
    !(_mm_cvtsi128_si32(_mm_minpos_epu16(_mm_xor_si128(words, _mm_set1_epi8(-1)))) as u16)
}

/// Both u of 8 pairs that are not in the first quad row, out of the bits that code them (T.814 7.3.6).
#[inline]
#[target_feature(enable = "avx2")]
fn residual_pairs(said: __m256i, bits: __m256i) -> __m256i {
    let prefixes = _mm256_setr_epi32(3, 1, 2, 1, 3, 1, 2, 1);
    let suffixes = _mm256_setr_epi32(5, 0, 0, 0, 1, 0, 0, 0);
    let masks = _mm256_setr_epi32(31, 0, 0, 0, 1, 0, 0, 0);
    let values = _mm256_setr_epi32(5, 1, 2, 1, 3, 1, 2, 1);
    // All ones where u_off is set.
    let first = _mm256_srai_epi32::<31>(_mm256_slli_epi32::<19>(said));
    let second = _mm256_srai_epi32::<31>(_mm256_slli_epi32::<3>(said));
    let entry = |table, bits, off| _mm256_and_si256(_mm256_permutevar8x32_epi32(table, bits), off);
    // The permutation looks at three bits only.
    let rest = _mm256_srlv_epi32(bits, entry(prefixes, bits, first));
    let last = _mm256_srlv_epi32(rest, entry(prefixes, rest, second));
    let suffix = _mm256_and_si256(last, entry(masks, bits, first));
    let low = _mm256_add_epi32(suffix, entry(values, bits, first));
    let last = _mm256_srlv_epi32(last, entry(suffixes, bits, first));
    let suffix = _mm256_and_si256(last, entry(masks, rest, second));
    let high = _mm256_add_epi32(suffix, entry(values, rest, second));
    _mm256_or_si256(low, _mm256_slli_epi32::<16>(high))
}

/// T.814 7.3.7 for 16 quads from column `first` on.
#[inline]
#[target_feature(enable = "avx2")]
fn kappa(said: __m256i, above: &[u8; EXPONENTS], first: usize) -> __m256i {
    let beside = &above[MARGIN + first - 1..][..34];
    // SAFETY: 34 bytes, two vectors that begin two bytes apart.
    let (left, right) =
        unsafe { (_mm256_loadu_si256(beside.as_ptr().cast()), _mm256_loadu_si256(beside.as_ptr().add(2).cast())) };
    let most = _mm256_max_epu8(left, right);
    let most = _mm256_max_epu8(most, _mm256_srli_epi16::<8>(most));
    let rho = _mm256_and_si256(said, _mm256_set1_epi16(15));
    let several = _mm256_and_si256(rho, _mm256_sub_epi16(rho, _mm256_set1_epi16(1)));
    let single = _mm256_cmpeq_epi16(several, _mm256_setzero_si256());
    let most = _mm256_andnot_si256(single, _mm256_and_si256(most, _mm256_set1_epi16(0xFF)));
    _mm256_max_epu16(most, _mm256_set1_epi16(1))
}

/// Bits of each of 16 quads: as many bounds as there are samples, less those whose top bit is known.
#[inline]
#[target_feature(enable = "avx2")]
fn totals(said: __m256i, bounds: __m256i) -> __m256i {
    let ones = _mm256_broadcastsi128_si256(_mm_setr_epi8(0, 1, 1, 2, 1, 2, 2, 3, 1, 2, 2, 3, 2, 3, 3, 4));
    let nibble = _mm256_set1_epi16(15);
    let samples = _mm256_shuffle_epi8(ones, _mm256_and_si256(said, nibble));
    let known = _mm256_shuffle_epi8(ones, _mm256_and_si256(_mm256_srli_epi16::<4>(said), nibble));
    _mm256_sub_epi16(_mm256_mullo_epi16(samples, bounds), known)
}

/// All pairs of a chunk in which no sample has more than [`BOUND_FAST_MAX`] bits; the place after them.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
#[allow(clippy::too_many_arguments, reason = "a part of `rows`")]
fn pairs<O: Store>(
    stream: &[u8],
    mut place: usize,
    said: &[u16],
    chunk: &Chunk,
    exponents: &mut [u8; EXPONENTS],
    (first, y): (usize, usize),
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> usize {
    let width = area.width();
    assert!(place / 8 + PADDING_BYTES <= stream.len() && said.len() == CHUNK_QUADS, "as `rows` has made them");
    let (upper, lower) = area.quad_row(y);
    for pair in 0..(width - first).min(2 * CHUNK_QUADS).div_ceil(4) {
        let column = first + 4 * pair;
        let next = place + usize::from(chunk.totals[2 * pair]);
        // SAFETY: a chunk has 128 samples of 25 bits at most, so 400 bytes, and the padding is longer.
        let data = unsafe {
            let left = _mm_loadu_si128(stream.as_ptr().add(place >> 3).cast());
            let right = _mm_loadu_si128(stream.as_ptr().add(next >> 3).cast());
            _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(left), right)
        };
        let both = |left: u16, right: u16| {
            let left = _mm_set1_epi32(i32::from(left));
            _mm256_inserti128_si256::<1>(_mm256_castsi128_si256(left), _mm_set1_epi32(i32::from(right)))
        };
        let said = both(said[2 * pair], said[2 * pair + 1]);
        let bounds = both(chunk.bounds[2 * pair], chunk.bounds[2 * pair + 1]);
        let phases = both(place as u16 & 7, next as u16 & 7);
        place = next + usize::from(chunk.totals[2 * pair + 1]);
        let coded = coded(data, said, bounds, phases);
        let half = _mm256_srli_epi32::<1>(coded.bits);
        let magnitudes = _mm256_sub_epi32(half, coded.significant);
        let signs = _mm256_srai_epi32::<31>(_mm256_slli_epi32::<31>(coded.bits));
        let lengths = lower_lengths(half);
        exponents[MARGIN + column..][..4].copy_from_slice(&lengths.to_le_bytes());
        // SAFETY: four columns are stored where there are four, and others by way of a buffer.
        unsafe {
            let values = O::values(magnitudes, signs, scale);
            if column + 4 <= width {
                O::store(values, upper.add(column), if lower.is_null() { lower } else { lower.add(column) });
            } else {
                let mut rows = [[O::default(); 4]; 2];
                let [a, b] = &mut rows;
                O::store(values, a.as_mut_ptr(), b.as_mut_ptr());
                a.as_ptr().copy_to_nonoverlapping(upper.add(column), width - column);
                if !lower.is_null() {
                    b.as_ptr().copy_to_nonoverlapping(lower.add(column), width - column);
                }
            }
        }
    }
    place
}

/// Samples as they are coded: magnitude less one, and the sign below it.
struct Coded {
    bits: __m256i,
    /// All ones where significant.
    significant: __m256i,
}

/// Reads the samples of two quads from 16 bytes each, of which the first `phases` bits are not theirs.
#[inline]
#[target_feature(enable = "avx2")]
fn coded(data: __m256i, said: __m256i, bounds: __m256i, phases: __m256i) -> Coded {
    let places = |n| _mm256_setr_epi32(n, n + 1, n + 2, n + 3, n, n + 1, n + 2, n + 3);
    let one = _mm256_set1_epi32(1);
    let bit = |n| _mm256_and_si256(_mm256_srlv_epi32(said, places(n)), one);
    let significant = _mm256_sub_epi32(_mm256_setzero_si256(), bit(0));
    let lengths = _mm256_and_si256(significant, _mm256_sub_epi32(bounds, bit(4)));
    let sums = _mm256_add_epi32(lengths, _mm256_bslli_epi128::<4>(lengths));
    let sums = _mm256_add_epi32(sums, _mm256_bslli_epi128::<8>(sums));
    let offsets = _mm256_add_epi32(_mm256_sub_epi32(sums, lengths), phases);
    // Each sample's first byte and the three after it.
    let spread = _mm_setr_epi8(0, 0, 0, 0, 4, 4, 4, 4, 8, 8, 8, 8, 12, 12, 12, 12);
    let bytes = _mm256_shuffle_epi8(_mm256_srli_epi32::<3>(offsets), _mm256_broadcastsi128_si256(spread));
    let bytes = _mm256_add_epi8(bytes, _mm256_set1_epi32(0x0302_0100));
    let read = _mm256_shuffle_epi8(data, bytes);
    let read = _mm256_srlv_epi32(read, _mm256_and_si256(offsets, _mm256_set1_epi32(7)));
    // The bits read and, where it is known, a one on top.
    let above = _mm256_sllv_epi32(_mm256_set1_epi32(-1), lengths);
    let beyond = _mm256_sllv_epi32(above, bit(8));
    Coded { bits: _mm256_andnot_si256(beyond, _mm256_or_si256(read, above)), significant }
}

/// Bits of the lower samples, one byte each in the order of their columns.
#[inline]
#[target_feature(enable = "avx2")]
fn lower_lengths(half: __m256i) -> u32 {
    // By the exponent of a float; bits that could round it up are taken away.
    let clean = _mm256_andnot_si256(_mm256_srli_epi32::<8>(half), half);
    let exponents = _mm256_srli_epi32::<23>(_mm256_castps_si256(_mm256_cvtepi32_ps(clean)));
    let lengths = _mm256_subs_epu16(exponents, _mm256_set1_epi16(126));
    let pick = _mm_setr_epi8(4, 12, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1, -1);
    let picked = _mm256_shuffle_epi8(lengths, _mm256_broadcastsi128_si256(pick));
    let low = _mm_cvtsi128_si32(_mm256_castsi256_si128(picked)) as u32;
    low | (_mm_cvtsi128_si32(_mm256_extracti128_si256::<1>(picked)) as u32) << 16
}

/// Magnitudes at their bit-plane, with sign.
#[inline]
#[target_feature(enable = "avx2")]
fn integers(magnitudes: __m256i, signs: __m256i, scale: Integer) -> __m256i {
    let none = _mm256_cmpeq_epi32(magnitudes, _mm256_setzero_si256());
    let shifted = _mm256_sll_epi32(magnitudes, _mm_cvtsi32_si128(i32::from(scale.bit_plane)));
    let value = _mm256_or_si256(shifted, _mm256_andnot_si256(none, _mm256_set1_epi32(scale.half)));
    _mm256_sub_epi32(_mm256_xor_si256(value, signs), signs)
}

/// Upper samples of two quads in the low half, lower ones in the high one.
#[inline]
#[target_feature(enable = "avx2")]
fn rows_apart(values: __m256i) -> __m256i {
    _mm256_permutevar8x32_epi32(values, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7))
}

impl Store for i16 {
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn values(magnitudes: __m256i, signs: __m256i, scale: Integer) -> __m256i {
        integers(magnitudes, signs, scale)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn store(values: __m256i, upper: *mut i16, lower: *mut i16) {
        let low = _mm_setr_epi8(0, 1, 8, 9, 4, 5, 12, 13, -1, -1, -1, -1, -1, -1, -1, -1);
        let words = _mm256_shuffle_epi8(values, _mm256_broadcastsi128_si256(low));
        let both = _mm256_permutevar8x32_epi32(words, _mm256_setr_epi32(0, 4, 1, 5, 0, 0, 0, 0));
        let both = _mm256_castsi256_si128(both);
        // SAFETY: the caller has four columns in each row.
        unsafe {
            upper.cast::<i64>().write_unaligned(_mm_cvtsi128_si64(both));
            if !lower.is_null() {
                lower.cast::<i64>().write_unaligned(_mm_extract_epi64::<1>(both));
            }
        }
    }
}

/// Stores four columns of 32-bit values.
#[inline]
#[target_feature(enable = "avx2")]
unsafe fn store32<O>(values: __m256i, upper: *mut O, lower: *mut O) {
    let both = rows_apart(values);
    // SAFETY: the caller has four columns in each row.
    unsafe {
        _mm_storeu_si128(upper.cast(), _mm256_castsi256_si128(both));
        if !lower.is_null() {
            _mm_storeu_si128(lower.cast(), _mm256_extracti128_si256::<1>(both));
        }
    }
}

impl Store for i32 {
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn values(magnitudes: __m256i, signs: __m256i, scale: Integer) -> __m256i {
        integers(magnitudes, signs, scale)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn store(values: __m256i, upper: *mut i32, lower: *mut i32) {
        // SAFETY: as the caller promises.
        unsafe { store32(values, upper, lower) };
    }
}

impl Store for f32 {
    /// The same roundings as [`Output::reconstruct`].
    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn values(magnitudes: __m256i, signs: __m256i, scale: Real) -> __m256i {
        let none = _mm256_cmpeq_epi32(magnitudes, _mm256_setzero_si256());
        let value = _mm256_add_ps(_mm256_cvtepi32_ps(magnitudes), _mm256_set1_ps(0.5));
        let value = _mm256_castps_si256(_mm256_mul_ps(value, _mm256_set1_ps(scale.factor)));
        let sign = _mm256_and_si256(signs, _mm256_set1_epi32(i32::MIN));
        _mm256_andnot_si256(none, _mm256_xor_si256(value, sign))
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    unsafe fn store(values: __m256i, upper: *mut f32, lower: *mut f32) {
        // SAFETY: as the caller promises.
        unsafe { store32(values, upper, lower) };
    }
}
