//! What becomes of magnitudes and signs: numbers of each type, in two rows.

use super::tables::table;
use crate::block::decode::output::{Integer, Output, Real};
use std::arch::x86_64::*;

/// Stores what was decoded; all are called with AVX-512.
pub(in crate::block::decode) trait Store: Output {
    /// Magnitudes of 32 columns in the order of the stream (`a` the left 16), zero where insignificant, signs in masks.
    unsafe fn narrow(to: &To<Self>, magnitudes: [__m512i; 2], signs: [u32; 2], scale: Self::Scale);
    /// Magnitudes of 16 columns in the order of the stream, 32 bits each.
    unsafe fn wide(to: &To<Self>, magnitudes: [__m512i; 2], signs: [u16; 2], scale: Self::Scale);
}

/// Two rows to store to, and how many columns.
pub(in crate::block::decode) struct To<O> {
    pub(super) upper: *mut O,
    /// Null where the code-block ends above.
    pub(super) lower: *mut O,
    pub(super) columns: usize,
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
        let a = integers16(magnitudes[0], signs[0], scale);
        let b = integers16(magnitudes[1], signs[1], scale);
        let upper = _mm512_permutex2var_epi16(a, table!(upper), b);
        let lower = _mm512_permutex2var_epi16(a, table!(lower), b);
        // SAFETY: `to` has as many columns.
        unsafe {
            if to.columns >= 32 && !to.lower.is_null() {
                _mm512_storeu_si512(to.upper.cast(), upper);
                _mm512_storeu_si512(to.lower.cast(), lower);
                return;
            }
            let mask = if to.columns >= 32 { !0 } else { (1u32 << to.columns) - 1 };
            _mm512_mask_storeu_epi16(to.upper, mask, upper);
            if !to.lower.is_null() {
                _mm512_mask_storeu_epi16(to.lower, mask, lower);
            }
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn wide(to: &To<i16>, magnitudes: [__m512i; 2], signs: [u16; 2], scale: Integer) {
        let a = integers32(magnitudes[0], signs[0], scale);
        let b = integers32(magnitudes[1], signs[1], scale);
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

/// 16 columns of 32-bit values, from column `first` on.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn store_rows<O>(to: &To<O>, first: usize, upper: __m512i, lower: __m512i) {
    if to.columns > first {
        // SAFETY: `to` has as many columns.
        unsafe {
            store16(to.upper.add(first), upper, to.columns - first);
            if !to.lower.is_null() {
                store16(to.lower.add(first), lower, to.columns - first);
            }
        }
    }
}

impl Store for i32 {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    unsafe fn narrow(to: &To<i32>, magnitudes: [__m512i; 2], signs: [u32; 2], scale: Integer) {
        let exact = Integer { bit_plane: 0, half: 0 };
        for n in 0..2 {
            let both = integers16(magnitudes[n], signs[n], exact);
            let mut upper = _mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(both));
            let mut lower = _mm512_srai_epi32::<16>(both);
            if scale.bit_plane > 0 {
                upper = integers32(_mm512_abs_epi32(upper), _mm512_movepi32_mask(upper), scale);
                lower = integers32(_mm512_abs_epi32(lower), _mm512_movepi32_mask(lower), scale);
            }
            // SAFETY: as the caller promises.
            unsafe { store_rows(to, 16 * n, upper, lower) };
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl")]
    unsafe fn wide(to: &To<i32>, magnitudes: [__m512i; 2], signs: [u16; 2], scale: Integer) {
        let a = integers32(magnitudes[0], signs[0], scale);
        let b = integers32(magnitudes[1], signs[1], scale);
        let upper = _mm512_permutex2var_epi32(a, table!(upper_wide), b);
        let lower = _mm512_permutex2var_epi32(a, table!(lower_wide), b);
        // SAFETY: as the caller promises.
        unsafe { store_rows(to, 0, upper, lower) };
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
        for n in 0..2 {
            let both = integers16(magnitudes[n], signs[n], exact);
            let upper = reals(_mm512_srai_epi32::<16>(_mm512_slli_epi32::<16>(both)), scale);
            let lower = reals(_mm512_srai_epi32::<16>(both), scale);
            // SAFETY: as the caller promises.
            unsafe { store_rows(to, 16 * n, upper, lower) };
        }
    }

    #[inline]
    #[target_feature(enable = "avx512f,avx512bw,avx512vl,avx512dq")]
    unsafe fn wide(to: &To<f32>, magnitudes: [__m512i; 2], signs: [u16; 2], scale: Real) {
        let exact = Integer { bit_plane: 0, half: 0 };
        let a = reals(integers32(magnitudes[0], signs[0], exact), scale);
        let b = reals(integers32(magnitudes[1], signs[1], exact), scale);
        let upper = _mm512_permutex2var_epi32(a, table!(upper_wide), b);
        let lower = _mm512_permutex2var_epi32(a, table!(lower_wide), b);
        // SAFETY: as the caller promises.
        unsafe { store_rows(to, 0, upper, lower) };
    }
}
