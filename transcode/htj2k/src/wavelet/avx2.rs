//! The vectors of AVX2.

#![allow(unsafe_code, reason = "intrinsics need instructions that the callers have to vouch for")]
// SAFETY of the whole file: every method of `Vector` asks its caller for the instructions and for slices of a vector's
// length; loads and stores are unaligned ones of exactly that length.
#![allow(clippy::undocumented_unsafe_blocks, reason = "said once, above")]

use super::irreversible::FACTORS;
use super::vector::{Vector, kernels};
use std::arch::x86_64::*;

kernels! {
    "avx2,bmi1,bmi2,lzcnt,popcnt,fma",
    i16: Words, 16, ladder2 (4: 0, 1; 2, 3);
    i32: Longs, 8, ladder2 (4: 0, 1; 2, 3);
    f32: Floats, 8, ladder4 (6: 0, 1, 2, 3; 4, 5, 6, 7);
}

/// 16 numbers of 16 bits.
#[derive(Clone, Copy)]
pub(super) struct Words(__m256i);

/// 8 numbers of 32 bits.
#[derive(Clone, Copy)]
pub(super) struct Longs(__m256i);

/// 8 floats, held as what shuffles work on.
#[derive(Clone, Copy)]
pub(super) struct Floats(__m256i);

impl Vector for Words {
    type Number = i16;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: &[i16]) -> Self {
        debug_assert!(from.len() >= Self::LANES);
        unsafe { Self(_mm256_loadu_si256(from.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [i16]) {
        debug_assert!(to.len() >= Self::LANES);
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn lift<const STEP: usize>(self, before: Self, after: Self) -> Self {
        unsafe {
            let sum = _mm256_add_epi16(before.0, after.0);
            let rounded = _mm256_add_epi16(sum, _mm256_set1_epi16(2));
            Self(match STEP {
                0 => _mm256_sub_epi16(self.0, _mm256_srai_epi16::<1>(sum)),
                1 => _mm256_add_epi16(self.0, _mm256_srai_epi16::<2>(rounded)),
                2 => _mm256_sub_epi16(self.0, _mm256_srai_epi16::<2>(rounded)),
                _ => _mm256_add_epi16(self.0, _mm256_srai_epi16::<1>(sum)),
            })
        }
    }

    #[inline(always)]
    unsafe fn times(self, gain: f32) -> Self {
        let _ = gain;
        self
    }

    #[inline(always)]
    unsafe fn part(self, following: Self) -> (Self, Self) {
        unsafe {
            let apart = _mm256_setr_epi8(
                0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14, 15, 0, 1, 4, 5, 8, 9, 12, 13, 2, 3, 6, 7, 10, 11, 14,
                15,
            );
            let (a, b) = (_mm256_shuffle_epi8(self.0, apart), _mm256_shuffle_epi8(following.0, apart));
            let (even, odd) = (_mm256_unpacklo_epi64(a, b), _mm256_unpackhi_epi64(a, b));
            (Self(_mm256_permute4x64_epi64::<0xD8>(even)), Self(_mm256_permute4x64_epi64::<0xD8>(odd)))
        }
    }

    #[inline(always)]
    unsafe fn interleave(self, odd: Self) -> (Self, Self) {
        unsafe {
            let (a, b) = (_mm256_unpacklo_epi16(self.0, odd.0), _mm256_unpackhi_epi16(self.0, odd.0));
            (Self(_mm256_permute2x128_si256::<0x20>(a, b)), Self(_mm256_permute2x128_si256::<0x31>(a, b)))
        }
    }

    #[inline(always)]
    unsafe fn next(self, following: Self) -> Self {
        unsafe {
            let middle = _mm256_permute2x128_si256::<0x21>(self.0, following.0);
            Self(_mm256_alignr_epi8::<2>(middle, self.0))
        }
    }

    #[inline(always)]
    unsafe fn prev(self, preceding: Self) -> Self {
        unsafe {
            let middle = _mm256_permute2x128_si256::<0x21>(preceding.0, self.0);
            Self(_mm256_alignr_epi8::<14>(self.0, middle))
        }
    }

    #[inline(always)]
    unsafe fn first(self) -> Self {
        unsafe { Self(_mm256_broadcastw_epi16(_mm256_castsi256_si128(self.0))) }
    }
}

impl Vector for Longs {
    type Number = i32;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(from: &[i32]) -> Self {
        debug_assert!(from.len() >= Self::LANES);
        unsafe { Self(_mm256_loadu_si256(from.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [i32]) {
        debug_assert!(to.len() >= Self::LANES);
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn lift<const STEP: usize>(self, before: Self, after: Self) -> Self {
        unsafe {
            let sum = _mm256_add_epi32(before.0, after.0);
            let rounded = _mm256_add_epi32(sum, _mm256_set1_epi32(2));
            Self(match STEP {
                0 => _mm256_sub_epi32(self.0, _mm256_srai_epi32::<1>(sum)),
                1 => _mm256_add_epi32(self.0, _mm256_srai_epi32::<2>(rounded)),
                2 => _mm256_sub_epi32(self.0, _mm256_srai_epi32::<2>(rounded)),
                _ => _mm256_add_epi32(self.0, _mm256_srai_epi32::<1>(sum)),
            })
        }
    }

    #[inline(always)]
    unsafe fn times(self, gain: f32) -> Self {
        let _ = gain;
        self
    }

    #[inline(always)]
    unsafe fn part(self, following: Self) -> (Self, Self) {
        unsafe {
            let (a, b) = (_mm256_castsi256_ps(self.0), _mm256_castsi256_ps(following.0));
            let even = _mm256_castps_si256(_mm256_shuffle_ps::<0x88>(a, b));
            let odd = _mm256_castps_si256(_mm256_shuffle_ps::<0xDD>(a, b));
            (Self(_mm256_permute4x64_epi64::<0xD8>(even)), Self(_mm256_permute4x64_epi64::<0xD8>(odd)))
        }
    }

    #[inline(always)]
    unsafe fn interleave(self, odd: Self) -> (Self, Self) {
        unsafe {
            let (a, b) = (_mm256_unpacklo_epi32(self.0, odd.0), _mm256_unpackhi_epi32(self.0, odd.0));
            (Self(_mm256_permute2x128_si256::<0x20>(a, b)), Self(_mm256_permute2x128_si256::<0x31>(a, b)))
        }
    }

    #[inline(always)]
    unsafe fn next(self, following: Self) -> Self {
        unsafe {
            let middle = _mm256_permute2x128_si256::<0x21>(self.0, following.0);
            Self(_mm256_alignr_epi8::<4>(middle, self.0))
        }
    }

    #[inline(always)]
    unsafe fn prev(self, preceding: Self) -> Self {
        unsafe {
            let middle = _mm256_permute2x128_si256::<0x21>(preceding.0, self.0);
            Self(_mm256_alignr_epi8::<12>(self.0, middle))
        }
    }

    #[inline(always)]
    unsafe fn first(self) -> Self {
        unsafe { Self(_mm256_broadcastd_epi32(_mm256_castsi256_si128(self.0))) }
    }
}

impl Vector for Floats {
    type Number = f32;
    const LANES: usize = 8;

    #[inline(always)]
    unsafe fn load(from: &[f32]) -> Self {
        debug_assert!(from.len() >= Self::LANES);
        unsafe { Self(_mm256_loadu_si256(from.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f32]) {
        debug_assert!(to.len() >= Self::LANES);
        unsafe { _mm256_storeu_si256(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn lift<const STEP: usize>(self, before: Self, after: Self) -> Self {
        unsafe {
            let own = _mm256_castsi256_ps(self.0);
            let (before, after) = (_mm256_castsi256_ps(before.0), _mm256_castsi256_ps(after.0));
            let factor = _mm256_set1_ps(FACTORS[STEP]);
            let lifted = _mm256_add_ps(own, _mm256_mul_ps(factor, _mm256_add_ps(before, after)));
            Self(_mm256_castps_si256(lifted))
        }
    }

    #[inline(always)]
    unsafe fn times(self, gain: f32) -> Self {
        unsafe { Self(_mm256_castps_si256(_mm256_mul_ps(_mm256_castsi256_ps(self.0), _mm256_set1_ps(gain)))) }
    }

    #[inline(always)]
    unsafe fn part(self, following: Self) -> (Self, Self) {
        unsafe {
            let (a, b) = (_mm256_castsi256_ps(self.0), _mm256_castsi256_ps(following.0));
            let even = _mm256_castps_si256(_mm256_shuffle_ps::<0x88>(a, b));
            let odd = _mm256_castps_si256(_mm256_shuffle_ps::<0xDD>(a, b));
            (Self(_mm256_permute4x64_epi64::<0xD8>(even)), Self(_mm256_permute4x64_epi64::<0xD8>(odd)))
        }
    }

    #[inline(always)]
    unsafe fn interleave(self, odd: Self) -> (Self, Self) {
        unsafe {
            let (a, b) = (_mm256_unpacklo_epi32(self.0, odd.0), _mm256_unpackhi_epi32(self.0, odd.0));
            (Self(_mm256_permute2x128_si256::<0x20>(a, b)), Self(_mm256_permute2x128_si256::<0x31>(a, b)))
        }
    }

    #[inline(always)]
    unsafe fn next(self, following: Self) -> Self {
        unsafe {
            let middle = _mm256_permute2x128_si256::<0x21>(self.0, following.0);
            Self(_mm256_alignr_epi8::<4>(middle, self.0))
        }
    }

    #[inline(always)]
    unsafe fn prev(self, preceding: Self) -> Self {
        unsafe {
            let middle = _mm256_permute2x128_si256::<0x21>(preceding.0, self.0);
            Self(_mm256_alignr_epi8::<12>(self.0, middle))
        }
    }

    #[inline(always)]
    unsafe fn first(self) -> Self {
        unsafe { Self(_mm256_broadcastd_epi32(_mm256_castsi256_si128(self.0))) }
    }
}
