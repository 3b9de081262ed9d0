//! CxtVLC and U-VLC of 8 quads: the codewords of two pairs become one word.

use std::arch::x86_64::*;

use super::quads::Quads;
use crate::block::encode::avx2::pending::Words;

/// Two codewords a 64-bit lane, that of the first quad in the low half, become one; answers their joint length, too.
#[inline]
#[target_feature(enable = "avx2")]
fn join(codewords: __m256i, lengths: __m256i) -> (__m256i, __m256i) {
    let low = _mm256_set1_epi64x(0xFFFF_FFFF);
    let first_length = _mm256_and_si256(lengths, low);
    let second = _mm256_sllv_epi64(_mm256_srli_epi64::<32>(codewords), first_length);
    let length = _mm256_add_epi64(first_length, _mm256_srli_epi64::<32>(lengths));
    (_mm256_or_si256(_mm256_and_si256(codewords, low), second), length)
}

/// Sixteen bytes to choose from by the low byte of each lane; the first of them is zero.
#[inline]
#[target_feature(enable = "avx2")]
fn choose(table: [i8; 6], index: __m256i) -> __m256i {
    let [a, b, c, d, e, f] = table;
    let table = _mm_setr_epi8(a, b, c, d, e, f, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    _mm256_shuffle_epi8(_mm256_broadcastsi128_si256(table), index)
}

/// Makes the words of the quads, two pairs each.
#[inline]
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn prepare(quads: &Quads, first_row: bool, vlc: &mut Words<2>) {
    let entry = quads.entry;
    let context = _mm256_and_si256(entry, _mm256_set1_epi32(0xFF));
    let length = _mm256_and_si256(_mm256_srli_epi32::<8>(entry), _mm256_set1_epi32(0xF));
    let (context, context_length) = join(context, length);
    let (prefixes, suffixes) = if first_row { first_row_codes(quads) } else { codes(quads.excess) };
    let (prefix, prefix_length) = join(prefixes.0, prefixes.1);
    let (suffix, suffix_length) = join(suffixes.0, suffixes.1);
    // A pair has at most 14 + 6 + 10 bits.
    let length = _mm256_add_epi64(context_length, prefix_length);
    let prefix = _mm256_sllv_epi64(prefix, context_length);
    let suffix = _mm256_sllv_epi64(suffix, length);
    let pair = _mm256_or_si256(_mm256_or_si256(context, prefix), suffix);
    let length = _mm256_add_epi64(length, suffix_length);
    // The second pair of each 128 bits follows the first.
    let both = _mm256_sllv_epi64(pair, _mm256_bslli_epi128::<8>(length));
    let words = _mm256_or_si256(both, _mm256_bsrli_epi128::<8>(both));
    let lengths = _mm256_add_epi64(length, _mm256_bsrli_epi128::<8>(length));
    vlc.words = [_mm256_extract_epi64::<0>(words) as u64, _mm256_extract_epi64::<2>(words) as u64];
    vlc.bits = [_mm256_extract_epi32::<0>(lengths) as u32, _mm256_extract_epi32::<4>(lengths) as u32];
    vlc.count = 2;
}

type Codes = (__m256i, __m256i);

/// Prefixes and suffixes of U-VLC with their lengths (T.814 Table 3).
#[inline]
#[target_feature(enable = "avx2")]
fn codes(excess: __m256i) -> (Codes, Codes) {
    let kind = _mm256_min_epi32(excess, _mm256_set1_epi32(5));
    let prefixes = (choose([0, 1, 2, 4, 4, 0], kind), choose([0, 1, 2, 3, 3, 3], kind));
    let suffix = _mm256_sub_epi32(excess, choose([0, 1, 2, 3, 3, 5], kind));
    (prefixes, (suffix, choose([0, 0, 0, 1, 1, 5], kind)))
}

/// T.814 7.3.6: two u_q above 2 are sent less 2; if only the first is, a second above 0 is one bit.
#[inline]
#[target_feature(enable = "avx2")]
fn first_row_codes(quads: &Quads) -> (Codes, Codes) {
    let swapped = |mask| _mm256_shuffle_epi32::<0b10_11_00_01>(mask);
    let (one, two) = (_mm256_set1_epi32(1), _mm256_set1_epi32(2));
    let excess = quads.excess;
    let some = _mm256_cmpgt_epi32(excess, _mm256_setzero_si256());
    let above_two = _mm256_cmpgt_epi32(excess, two);
    let both = _mm256_and_si256(above_two, swapped(above_two));
    let (mut prefixes, suffixes) = codes(_mm256_sub_epi32(excess, _mm256_and_si256(both, two)));
    // Second quads of a pair of which only the first is above 2: prefix u - 1 of length 1.
    let short = _mm256_andnot_si256(both, _mm256_and_si256(some, swapped(above_two)));
    let short = _mm256_and_si256(short, _mm256_set1_epi64x(!0xFFFF_FFFF));
    prefixes.0 = _mm256_blendv_epi8(prefixes.0, _mm256_sub_epi32(excess, one), short);
    prefixes.1 = _mm256_blendv_epi8(prefixes.1, one, short);
    (prefixes, suffixes)
}
