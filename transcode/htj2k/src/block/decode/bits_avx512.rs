//! Takes the stuffing out of a stream that is read forwards, 63 bytes at a time.
#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

use std::arch::x86_64::*;

/// Appends the bits of `stream` to `out`, from its first on, as far as whole vectors go: bytes taken, bits appended, and
/// whether the last byte was 0xFF.
pub(super) fn forward(stream: &[u8], out: &mut [u8]) -> (usize, usize, bool) {
    assert!(out.len() >= stream.len() + 64, "a vector may be stored wherever a byte of the stream goes");
    // SAFETY: called at Level::Avx512 only.
    unsafe { vectors(stream, out) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512vbmi2,bmi1,bmi2")]
fn vectors(stream: &[u8], out: &mut [u8]) -> (usize, usize, bool) {
    let (mut taken, mut bits, mut stuffed) = (0, 0, false);
    let ones = _mm512_set1_epi8(-1);
    while taken + 64 <= stream.len() {
        // SAFETY: 64 bytes from `taken` on are in the stream.
        let mut bytes = unsafe { _mm512_loadu_si512(stream.as_ptr().add(taken).cast()) };
        if stuffed {
            // The bit on top is none. Moved up by one, the others leave room for the top bit of the 0xFF before, where
            // they begin; it is a one.
            let doubled = _mm512_or_si512(_mm512_add_epi8(bytes, bytes), _mm512_set1_epi8(1));
            bytes = _mm512_mask_mov_epi8(bytes, 1, doubled);
            bits -= 1;
        }
        // As the byte was, not as it is now.
        let full =
            _mm512_cmpeq_epi8_mask(bytes, ones) & !u64::from(stuffed) | u64::from(stuffed && stream[taken] == 0xFF);
        let count = if full << 1 == 0 { 63 } else { 63.min(full.trailing_zeros() as usize + 1) };
        let (place, phase) = (bits / 8, bits % 8);
        let held = out[place] & ((1u8 << phase) - 1);
        let before = _mm512_alignr_epi64::<7>(bytes, _mm512_setzero_si512());
        let shifted = _mm512_shldv_epi64(bytes, before, _mm512_set1_epi64(phase as i64));
        let first = _mm512_zextsi128_si512(_mm_cvtsi32_si128(i32::from(held)));
        let end = &mut out[place..place + 64];
        // SAFETY: 64 bytes.
        unsafe { _mm512_storeu_si512(end.as_mut_ptr().cast(), _mm512_or_si512(shifted, first)) };
        stuffed = full >> (count - 1) & 1 == 1;
        taken += count;
        bits += 8 * count;
    }
    (taken, bits, stuffed)
}
