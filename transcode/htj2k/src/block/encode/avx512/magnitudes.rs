//! MagSgn bits of 32 quads: the values of a quad, or of two, become one word.

use std::arch::x86_64::*;

use super::quads::{Quads, Samples};
use crate::block::encode::avx2::pending::Words;

/// Makes words of the low m_n = U_q - k_n bits of each significant value (T.814 7.3.8) of the first `present` quads.
#[inline]
#[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn prepare<const N: usize>(samples: &Samples, quads: &Quads, present: usize, magsgn: &mut Words<N>) {
    const { assert!(N >= 32) };
    let [m0, m1, m2, m3] = lengths(samples.significant, quads);
    let [v0, v1, v2, v3] = samples.values;
    let (m01, m23) = (_mm512_add_epi16(m0, m1), _mm512_add_epi16(m2, m3));
    let length = _mm512_add_epi16(m01, m23);
    let [left, right] = [column(v0, v1, m0, m1), column(v2, v3, m2, m3)];
    let words = quad_words(left, right, m01);

    let pair_lengths = _mm512_madd_epi16(length, _mm512_set1_epi16(1));
    let too_long = _mm512_cmpgt_epi32_mask(pair_lengths, _mm512_set1_epi32(64));
    if too_long == 0 {
        prepare_pairs(words, length, pair_lengths, magsgn);
        magsgn.count = present.div_ceil(2);
    } else {
        prepare_quads(words, length, magsgn);
        magsgn.count = present;
    }
}

/// m_n of the four samples.
#[inline]
#[target_feature(enable = "avx512bw")]
pub(super) fn lengths(significant: [u32; 4], quads: &Quads) -> [__m512i; 4] {
    [
        length::<0x1000>(significant[0], quads),
        length::<0x2000>(significant[1], quads),
        length::<0x4000>(significant[2], quads),
        length::<-0x8000>(significant[3], quads),
    ]
}

/// m_n of the sample whose bit of e_k is `BIT` of the entry.
#[inline]
#[target_feature(enable = "avx512bw")]
fn length<const BIT: i16>(significant: u32, quads: &Quads) -> __m512i {
    let known = _mm512_test_epi16_mask(quads.entry, _mm512_set1_epi16(BIT));
    let bits = _mm512_maskz_mov_epi16(significant, quads.bits);
    _mm512_mask_sub_epi16(bits, known, bits, _mm512_set1_epi16(1))
}

/// Two values a quad become one of up to 32 bits, right-justified: quads 0–3 of each 128 bits, then 4–7.
#[inline]
#[target_feature(enable = "avx512bw")]
fn column(upper: __m512i, lower: __m512i, upper_bits: __m512i, lower_bits: __m512i) -> [__m512i; 2] {
    let sixteen = _mm512_set1_epi16(16);
    let gap = _mm512_sub_epi16(sixteen, upper_bits);
    // The upper value against the top of its 16 bits, which drops what is not sent, the lower one right above it.
    let upper = _mm512_sllv_epi16(upper, gap);
    let lower = _mm512_andnot_si512(_mm512_sllv_epi16(_mm512_set1_epi16(-1), lower_bits), lower);
    let zero = _mm512_setzero_si512();
    [
        _mm512_srlv_epi32(_mm512_unpacklo_epi16(upper, lower), _mm512_unpacklo_epi16(gap, zero)),
        _mm512_srlv_epi32(_mm512_unpackhi_epi16(upper, lower), _mm512_unpackhi_epi16(gap, zero)),
    ]
}

/// Takes two words of each 128 bits, from word `first` on, to 64-bit lanes.
#[inline]
#[target_feature(enable = "avx512bw")]
fn spread<const FIRST: i8, const SECOND: i8>(words: __m512i) -> __m512i {
    let z = -1;
    let [a, b, c, d] = [FIRST * 2, FIRST * 2 + 1, SECOND * 2, SECOND * 2 + 1];
    let lane = _mm_setr_epi8(a, b, z, z, z, z, z, z, c, d, z, z, z, z, z, z);
    _mm512_shuffle_epi8(words, _mm512_broadcast_i32x4(lane))
}

/// Both columns of a quad become one word of up to 64 bits: quads 0–1 of each 128 bits of lanes, 2–3, 4–5, 6–7.
#[inline]
#[target_feature(enable = "avx512bw,avx512dq")]
fn quad_words(left: [__m512i; 2], right: [__m512i; 2], left_bits: __m512i) -> [__m512i; 4] {
    let low = |columns: [__m512i; 2], half: usize| {
        let zero = _mm512_setzero_si512();
        [_mm512_unpacklo_epi32(columns[half], zero), _mm512_unpackhi_epi32(columns[half], zero)]
    };
    let (l, r) = ([low(left, 0), low(left, 1)], [low(right, 0), low(right, 1)]);
    [
        _mm512_or_si512(l[0][0], _mm512_sllv_epi64(r[0][0], spread::<0, 1>(left_bits))),
        _mm512_or_si512(l[0][1], _mm512_sllv_epi64(r[0][1], spread::<2, 3>(left_bits))),
        _mm512_or_si512(l[1][0], _mm512_sllv_epi64(r[1][0], spread::<4, 5>(left_bits))),
        _mm512_or_si512(l[1][1], _mm512_sllv_epi64(r[1][1], spread::<6, 7>(left_bits))),
    ]
}

/// Stores one word a quad.
#[inline]
#[target_feature(enable = "avx512bw,avx512dq")]
fn prepare_quads<const N: usize>(words: [__m512i; 4], length: __m512i, magsgn: &mut Words<N>) {
    // Lanes of 128 bits: a row of one vector becomes a column of all.
    let [a, b, c, d] = words;
    let low = [_mm512_shuffle_i64x2::<0x44>(a, b), _mm512_shuffle_i64x2::<0x44>(c, d)];
    let high = [_mm512_shuffle_i64x2::<0xEE>(a, b), _mm512_shuffle_i64x2::<0xEE>(c, d)];
    let ordered = [
        _mm512_shuffle_i64x2::<0x88>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0xDD>(low[0], low[1]),
        _mm512_shuffle_i64x2::<0x88>(high[0], high[1]),
        _mm512_shuffle_i64x2::<0xDD>(high[0], high[1]),
    ];
    // SAFETY: the arrays hold what is stored.
    unsafe {
        for (i, words) in ordered.into_iter().enumerate() {
            _mm512_storeu_si512(magsgn.words.as_mut_ptr().add(8 * i).cast(), words);
        }
        let [low, high] = [_mm512_castsi512_si256(length), _mm512_extracti64x4_epi64::<1>(length)];
        _mm512_storeu_si512(magsgn.bits.as_mut_ptr().cast(), _mm512_cvtepu16_epi32(low));
        _mm512_storeu_si512(magsgn.bits.as_mut_ptr().add(16).cast(), _mm512_cvtepu16_epi32(high));
    }
}

/// Stores one word a pair of quads; none is longer than 64 bits.
#[inline]
#[target_feature(enable = "avx512bw,avx512dq")]
fn prepare_pairs<const N: usize>(words: [__m512i; 4], length: __m512i, pair_lengths: __m512i, magsgn: &mut Words<N>) {
    let [a, b, c, d] = words;
    let pairs = |evens, odds, lengths| _mm512_or_si512(evens, _mm512_sllv_epi64(odds, lengths));
    let low = pairs(_mm512_unpacklo_epi64(a, b), _mm512_unpackhi_epi64(a, b), spread::<0, 2>(length));
    let high = pairs(_mm512_unpacklo_epi64(c, d), _mm512_unpackhi_epi64(c, d), spread::<4, 6>(length));
    let first = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(0, 1, 8, 9, 2, 3, 10, 11), high);
    let second = _mm512_permutex2var_epi64(low, _mm512_setr_epi64(4, 5, 12, 13, 6, 7, 14, 15), high);
    // SAFETY: the arrays hold what is stored.
    unsafe {
        _mm512_storeu_si512(magsgn.words.as_mut_ptr().cast(), first);
        _mm512_storeu_si512(magsgn.words.as_mut_ptr().add(8).cast(), second);
        _mm512_storeu_si512(magsgn.bits.as_mut_ptr().cast(), pair_lengths);
    }
}
