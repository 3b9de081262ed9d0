//! CxtVLC and U-VLC of 32 quads: the codewords of two pairs become one word.

use std::arch::x86_64::*;

use super::quads::Quads;
use crate::block::encode::avx2::pending::Words;
use crate::block::tables::UVLC;

/// Two codewords a 32-bit lane, that of the first quad in the low half, become one; answers their joint length, too.
#[inline]
#[target_feature(enable = "avx512bw")]
fn join(codewords: __m512i, lengths: __m512i) -> (__m512i, __m512i) {
    let low = _mm512_set1_epi32(0xFFFF);
    let second = _mm512_sllv_epi32(_mm512_srli_epi32::<16>(codewords), _mm512_and_si512(lengths, low));
    // second | (codewords & low)
    let joined = _mm512_ternarylogic_epi32::<0xF8>(second, codewords, low);
    (joined, _mm512_madd_epi16(lengths, _mm512_set1_epi16(1)))
}

/// Makes the words of the first `present` quads.
#[inline]
#[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
pub(super) fn prepare(quads: &Quads, first_row: bool, present: usize, vlc: &mut Words<8>) {
    let byte = |value: __m512i, mask: i16| _mm512_and_si512(value, _mm512_set1_epi16(mask));
    let entry = quads.entry;
    let (context, context_length) = join(byte(entry, 0xFF), byte(_mm512_srli_epi16::<8>(entry), 0xF));
    let excess = if first_row { first_row_codes(quads) } else { codes(quads.excess) };
    let (prefix, prefix_length) = join(byte(excess, 7), byte(_mm512_srli_epi16::<3>(excess), 3));
    let (suffix, suffix_length) = join(byte(_mm512_srli_epi16::<8>(excess), 31), _mm512_srli_epi16::<13>(excess));
    // A pair has at most 14 + 6 + 10 bits.
    let length = _mm512_add_epi32(context_length, prefix_length);
    let prefix = _mm512_sllv_epi32(prefix, context_length);
    let suffix = _mm512_sllv_epi32(suffix, length);
    let pair = _mm512_ternarylogic_epi32::<0xFE>(context, prefix, suffix);
    let length = _mm512_add_epi32(length, suffix_length);

    let low = _mm512_set1_epi64(0xFFFF_FFFF);
    let first_length = _mm512_and_si512(length, low);
    let second = _mm512_sllv_epi64(_mm512_srli_epi64::<32>(pair), first_length);
    let words = _mm512_ternarylogic_epi64::<0xF8>(second, pair, low);
    let lengths = _mm512_add_epi64(first_length, _mm512_srli_epi64::<32>(length));
    // SAFETY: the arrays hold 64 and 32 bytes.
    unsafe {
        _mm512_storeu_si512(vlc.words.as_mut_ptr().cast(), words);
        _mm256_storeu_si256(vlc.bits.as_mut_ptr().cast(), _mm512_cvtepi64_epi32(lengths));
    }
    vlc.count = present.div_ceil(4);
}

/// U-VLC of u_q, as [`UVLC`] has it.
#[inline]
#[target_feature(enable = "avx512bw")]
fn codes(excess: __m512i) -> __m512i {
    // SAFETY: the table has 64 bytes.
    let table = unsafe { _mm512_loadu_si512(UVLC.as_ptr().cast()) };
    _mm512_permutexvar_epi16(excess, table)
}

/// T.814 7.3.6: two u_q above 2 are sent less 2; if only the first is, a second above 0 is one bit.
#[inline]
#[target_feature(enable = "avx512bw")]
fn first_row_codes(quads: &Quads) -> __m512i {
    let both = quads.both_above_two | quads.both_above_two << 1;
    let less = _mm512_mask_sub_epi16(quads.excess, both, quads.excess, _mm512_set1_epi16(2));
    let first_above_two = _mm512_cmpgt_epu16_mask(quads.excess, _mm512_set1_epi16(2));
    let short = (quads.both_excess & !quads.both_above_two & first_above_two) << 1;
    // Prefix u - 1 of length 1.
    let one_bit = _mm512_add_epi16(quads.excess, _mm512_set1_epi16((1 << 3) - 1));
    _mm512_mask_mov_epi16(codes(less), short, one_bit)
}
