//! 64 samples: where each begins in the stream, and what it says.

use super::Stream;
use super::stores::{Store, To};
use super::tables::{BEFORE, BEFORE_FOUR, table};
use std::arch::x86_64::*;

/// What is known of 64 samples before their bits are read.
pub(super) struct Samples {
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
    pub(super) fn new(said: __m512i, bounds: __m512i, half: usize) -> Samples {
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
    pub(super) unsafe fn narrow<O: Store>(&self, stream: &mut Stream, exponents: *mut u8, to: &To<O>, scale: O::Scale) {
        let zero = _mm512_setzero_si512();
        let totals = _mm512_castsi512_si128(_mm512_sad_epu8(_mm512_permutexvar_epi8(table!(sums), self.sums), zero));
        let totals = [_mm_cvtsi128_si64(totals) as usize, _mm_extract_epi64::<1>(totals) as usize];
        let within = _mm512_slli_epi32::<8>(self.sums);
        let mut magnitudes = [zero; 2];
        let mut signs = [0; 2];
        let mut lengths_of_lower = [zero; 2];
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
            lengths_of_lower[eight] = _mm512_subs_epu16(_mm512_set1_epi16(16), _mm512_lzcnt_epi32(half));
        }
        let [left, right] = lengths_of_lower;
        let both = _mm512_castsi512_si256(_mm512_permutex2var_epi8(left, table!(low_bytes), right));
        // SAFETY: as the caller promises; 32 bytes.
        unsafe {
            _mm256_storeu_si256(exponents.cast(), both);
            O::narrow(to, magnitudes, signs, scale);
        }
    }

    /// All 64, whatever their bounds: 16 at a time.
    ///
    /// # Safety
    /// As [`Samples::narrow`].
    #[inline(never)]
    #[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2")]
    pub(super) unsafe fn wide<O: Store>(&self, stream: &mut Stream, exponents: *mut u8, to: &To<O>, scale: O::Scale) {
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
