//! MagSgn bits of 8 quads: the values of a quad, or of two, become one word.

use std::arch::x86_64::*;

use super::quads::{Quads, Samples};
use crate::block::encode::append::Appender;

/// A vector's even lanes of 32 bits, then its odd ones, as lanes of 64 bits.
#[inline]
#[target_feature(enable = "avx2")]
fn halves(lanes: __m256i) -> [__m256i; 2] {
    [_mm256_and_si256(lanes, _mm256_set1_epi64x(0xFFFF_FFFF)), _mm256_srli_epi64::<32>(lanes)]
}

/// Sends the low m_n = U_q - k_n bits of each significant value (T.814 7.3.8) of the first `present` quads.
///
/// # Safety
/// The buffer has room for them, and 8 bytes more.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) unsafe fn send(samples: &Samples, quads: &Quads, present: usize, magsgn: &mut Appender) {
    let (upper, upper_bits) = row(samples.values[0], samples.insignificant[0], 0x4000_1000, quads);
    let (lower, lower_bits) = row(samples.values[1], samples.insignificant[1], 0x8000_2000, quads);
    let low = |pairs| _mm256_and_si256(pairs, _mm256_set1_epi32(0xFFFF));
    let high = |pairs| _mm256_srli_epi32::<16>(pairs);
    let left = _mm256_or_si256(low(upper), _mm256_sllv_epi32(low(lower), low(upper_bits)));
    let right = _mm256_or_si256(high(upper), _mm256_sllv_epi32(high(lower), high(upper_bits)));
    let column_bits = _mm256_add_epi16(upper_bits, lower_bits);

    let ([left_a, left_b], [right_a, right_b], [bits_a, bits_b]) =
        (halves(left), halves(right), halves(low(column_bits)));
    let evens = _mm256_or_si256(left_a, _mm256_sllv_epi64(right_a, bits_a));
    let odds = _mm256_or_si256(left_b, _mm256_sllv_epi64(right_b, bits_b));
    let [even_bits, odd_bits] = halves(_mm256_madd_epi16(column_bits, _mm256_set1_epi16(1)));
    let bits = _mm256_add_epi64(even_bits, odd_bits);
    let too_long = _mm256_cmpgt_epi64(bits, _mm256_set1_epi64x(64));
    // SAFETY: the caller has seen to the room.
    unsafe {
        if _mm256_testz_si256(too_long, too_long) == 1 {
            let pairs = _mm256_or_si256(evens, _mm256_sllv_epi64(odds, even_bits));
            let (words, lengths) = (stored(pairs), stored(bits));
            for i in 0..present.div_ceil(2) {
                magsgn.append(words[i], lengths[i] as u32);
            }
        } else {
            let (words, lengths) = ([stored(evens), stored(odds)], [stored(even_bits), stored(odd_bits)]);
            for i in 0..present.div_ceil(2) {
                magsgn.append(words[0][i], lengths[0][i] as u32);
                magsgn.append(words[1][i], lengths[1][i] as u32);
            }
        }
    }
}

/// The values of a row without the bit that e_k says is known, and how many bits of each are sent. `known` has the two bits
/// of the table's entry where e_k has the row's samples.
#[inline]
#[target_feature(enable = "avx2")]
fn row(values: __m256i, insignificant: __m256i, known: u32, quads: &Quads) -> (__m256i, __m256i) {
    let twice = |lanes| _mm256_or_si256(lanes, _mm256_slli_epi32::<16>(lanes));
    let known = _mm256_set1_epi32(known as i32);
    let known = _mm256_cmpeq_epi16(_mm256_and_si256(twice(quads.entry), known), known);
    let bits = _mm256_andnot_si256(insignificant, _mm256_add_epi16(twice(quads.bits), known));
    (_mm256_andnot_si256(_mm256_and_si256(known, quads.top), values), bits)
}

#[inline]
#[target_feature(enable = "avx2")]
fn stored(lanes: __m256i) -> [u64; 4] {
    let mut array = [0; 4];
    // SAFETY: 32 bytes can be written.
    unsafe { _mm256_storeu_si256(array.as_mut_ptr().cast(), lanes) };
    array
}
