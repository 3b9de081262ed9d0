//! MagSgn bits of 8 quads: the values of a quad, or of two, become one word.

use std::arch::x86_64::*;

use super::quads::{Quads, Samples};
use crate::block::encode::avx2::pending::Words;

/// A vector's even lanes of 32 bits, then its odd ones, as lanes of 64 bits.
#[inline]
#[target_feature(enable = "avx2")]
pub(super) fn halves(lanes: __m256i) -> [__m256i; 2] {
    [_mm256_and_si256(lanes, _mm256_set1_epi64x(0xFFFF_FFFF)), _mm256_srli_epi64::<32>(lanes)]
}

/// Makes words of the low m_n = U_q - k_n bits of each significant value (T.814 7.3.8).
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn prepare(samples: &Samples, quads: &Quads, magsgn: &mut Words<8>) {
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
    let column_bits = _mm256_madd_epi16(column_bits, _mm256_set1_epi16(1));
    let [even_bits, odd_bits] = halves(column_bits);
    let bits = _mm256_add_epi64(even_bits, odd_bits);
    let too_long = _mm256_cmpgt_epi64(bits, _mm256_set1_epi64x(64));
    if _mm256_testz_si256(too_long, too_long) == 1 {
        store(&mut magsgn.words[..4], _mm256_or_si256(evens, _mm256_sllv_epi64(odds, even_bits)));
        store(&mut magsgn.bits, _mm256_permutevar8x32_epi32(bits, _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7)));
        magsgn.count = 4;
    } else {
        let (low, high) = (_mm256_unpacklo_epi64(evens, odds), _mm256_unpackhi_epi64(evens, odds));
        store(&mut magsgn.words[..4], _mm256_permute2x128_si256::<0x20>(low, high));
        store(&mut magsgn.words[4..], _mm256_permute2x128_si256::<0x31>(low, high));
        store(&mut magsgn.bits, column_bits);
        magsgn.count = 8;
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
pub(super) fn store<T: Copy>(to: &mut [T], lanes: __m256i) {
    assert!(size_of_val(to) == 32);
    // SAFETY: 32 bytes can be written.
    unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), lanes) };
}
