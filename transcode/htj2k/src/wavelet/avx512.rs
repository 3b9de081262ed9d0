//! The vectors of AVX-512.

#![allow(unsafe_code, reason = "intrinsics need instructions that the callers have to vouch for")]
// SAFETY of the whole file: every method of `Vector` asks its caller for the instructions and for slices of a vector's
// length; loads and stores are unaligned ones of exactly that length.
#![allow(clippy::undocumented_unsafe_blocks, reason = "said once, above")]

use super::irreversible::FACTORS;
use super::vector::{Vector, kernels};
use std::arch::x86_64::*;

kernels! {
    "avx2,bmi1,bmi2,lzcnt,popcnt,fma,avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2",
    i16: Words, 32, ladder2 (4: 0, 1; 2, 3);
    i32: Longs, 16, ladder2 (4: 0, 1; 2, 3);
    f32: Floats, 16, ladder4 (6: 0, 1, 2, 3; 4, 5, 6, 7);
}

/// 32 numbers of 16 bits.
#[derive(Clone, Copy)]
pub(super) struct Words(__m512i);

/// 16 numbers of 32 bits.
#[derive(Clone, Copy)]
pub(super) struct Longs(__m512i);

/// 16 floats, held as what shuffles work on.
#[derive(Clone, Copy)]
pub(super) struct Floats(__m512i);

/// Lane numbers for a permutation of two vectors: lane `n` from `first + n * step`.
const fn every<const N: usize>(first: i32, step: i32) -> [i32; N] {
    let mut places = [0; N];
    let mut lane = 0;
    while lane < N {
        places[lane] = first + lane as i32 * step;
        lane += 1;
    }
    places
}

/// Lane numbers for a permutation of two vectors: from `first` on, one of each in turn.
const fn turns<const N: usize>(first: i32) -> [i32; N] {
    let mut places = [0; N];
    let mut lane = 0;
    while lane < N {
        places[lane] = first + lane as i32 / 2 + if lane % 2 == 1 { N as i32 } else { 0 };
        lane += 1;
    }
    places
}

const fn narrow(places: [i32; 32]) -> [i16; 32] {
    let mut words = [0; 32];
    let mut lane = 0;
    while lane < 32 {
        words[lane] = places[lane] as i16;
        lane += 1;
    }
    words
}

#[inline(always)]
unsafe fn permute_epi16(a: __m512i, places: [i16; 32], b: __m512i) -> __m512i {
    unsafe { _mm512_permutex2var_epi16(a, _mm512_loadu_si512(places.as_ptr().cast()), b) }
}

#[inline(always)]
unsafe fn permute_epi32(a: __m512i, places: [i32; 16], b: __m512i) -> __m512i {
    unsafe { _mm512_permutex2var_epi32(a, _mm512_loadu_si512(places.as_ptr().cast()), b) }
}

impl Vector for Words {
    type Number = i16;
    const LANES: usize = 32;

    #[inline(always)]
    unsafe fn load(from: &[i16]) -> Self {
        debug_assert!(from.len() >= Self::LANES);
        unsafe { Self(_mm512_loadu_si512(from.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [i16]) {
        debug_assert!(to.len() >= Self::LANES);
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn lift<const STEP: usize>(self, before: Self, after: Self) -> Self {
        unsafe {
            let sum = _mm512_add_epi16(before.0, after.0);
            let rounded = _mm512_add_epi16(sum, _mm512_set1_epi16(2));
            Self(match STEP {
                0 => _mm512_sub_epi16(self.0, _mm512_srai_epi16::<1>(sum)),
                1 => _mm512_add_epi16(self.0, _mm512_srai_epi16::<2>(rounded)),
                2 => _mm512_sub_epi16(self.0, _mm512_srai_epi16::<2>(rounded)),
                _ => _mm512_add_epi16(self.0, _mm512_srai_epi16::<1>(sum)),
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
            let even = permute_epi16(self.0, const { narrow(every(0, 2)) }, following.0);
            let odd = permute_epi16(self.0, const { narrow(every(1, 2)) }, following.0);
            (Self(even), Self(odd))
        }
    }

    #[inline(always)]
    unsafe fn interleave(self, odd: Self) -> (Self, Self) {
        unsafe {
            let first = permute_epi16(self.0, const { narrow(turns(0)) }, odd.0);
            let second = permute_epi16(self.0, const { narrow(turns(16)) }, odd.0);
            (Self(first), Self(second))
        }
    }

    #[inline(always)]
    unsafe fn next(self, following: Self) -> Self {
        unsafe { Self(permute_epi16(self.0, const { narrow(every(1, 1)) }, following.0)) }
    }

    #[inline(always)]
    unsafe fn prev(self, preceding: Self) -> Self {
        unsafe { Self(permute_epi16(preceding.0, const { narrow(every(31, 1)) }, self.0)) }
    }

    #[inline(always)]
    unsafe fn first(self) -> Self {
        unsafe { Self(_mm512_broadcastw_epi16(_mm512_castsi512_si128(self.0))) }
    }
}

impl Vector for Longs {
    type Number = i32;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: &[i32]) -> Self {
        debug_assert!(from.len() >= Self::LANES);
        unsafe { Self(_mm512_loadu_si512(from.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [i32]) {
        debug_assert!(to.len() >= Self::LANES);
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn lift<const STEP: usize>(self, before: Self, after: Self) -> Self {
        unsafe {
            let sum = _mm512_add_epi32(before.0, after.0);
            let rounded = _mm512_add_epi32(sum, _mm512_set1_epi32(2));
            Self(match STEP {
                0 => _mm512_sub_epi32(self.0, _mm512_srai_epi32::<1>(sum)),
                1 => _mm512_add_epi32(self.0, _mm512_srai_epi32::<2>(rounded)),
                2 => _mm512_sub_epi32(self.0, _mm512_srai_epi32::<2>(rounded)),
                _ => _mm512_add_epi32(self.0, _mm512_srai_epi32::<1>(sum)),
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
            let even = permute_epi32(self.0, const { every(0, 2) }, following.0);
            let odd = permute_epi32(self.0, const { every(1, 2) }, following.0);
            (Self(even), Self(odd))
        }
    }

    #[inline(always)]
    unsafe fn interleave(self, odd: Self) -> (Self, Self) {
        unsafe {
            let first = permute_epi32(self.0, const { turns(0) }, odd.0);
            let second = permute_epi32(self.0, const { turns(8) }, odd.0);
            (Self(first), Self(second))
        }
    }

    #[inline(always)]
    unsafe fn next(self, following: Self) -> Self {
        unsafe { Self(_mm512_alignr_epi32::<1>(following.0, self.0)) }
    }

    #[inline(always)]
    unsafe fn prev(self, preceding: Self) -> Self {
        unsafe { Self(_mm512_alignr_epi32::<15>(self.0, preceding.0)) }
    }

    #[inline(always)]
    unsafe fn first(self) -> Self {
        unsafe { Self(_mm512_broadcastd_epi32(_mm512_castsi512_si128(self.0))) }
    }
}

impl Vector for Floats {
    type Number = f32;
    const LANES: usize = 16;

    #[inline(always)]
    unsafe fn load(from: &[f32]) -> Self {
        debug_assert!(from.len() >= Self::LANES);
        unsafe { Self(_mm512_loadu_si512(from.as_ptr().cast())) }
    }

    #[inline(always)]
    unsafe fn store(self, to: &mut [f32]) {
        debug_assert!(to.len() >= Self::LANES);
        unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), self.0) }
    }

    #[inline(always)]
    unsafe fn lift<const STEP: usize>(self, before: Self, after: Self) -> Self {
        unsafe {
            let own = _mm512_castsi512_ps(self.0);
            let (before, after) = (_mm512_castsi512_ps(before.0), _mm512_castsi512_ps(after.0));
            let factor = _mm512_set1_ps(FACTORS[STEP]);
            let lifted = _mm512_add_ps(own, _mm512_mul_ps(factor, _mm512_add_ps(before, after)));
            Self(_mm512_castps_si512(lifted))
        }
    }

    #[inline(always)]
    unsafe fn times(self, gain: f32) -> Self {
        unsafe { Self(_mm512_castps_si512(_mm512_mul_ps(_mm512_castsi512_ps(self.0), _mm512_set1_ps(gain)))) }
    }

    #[inline(always)]
    unsafe fn part(self, following: Self) -> (Self, Self) {
        unsafe {
            let even = permute_epi32(self.0, const { every(0, 2) }, following.0);
            let odd = permute_epi32(self.0, const { every(1, 2) }, following.0);
            (Self(even), Self(odd))
        }
    }

    #[inline(always)]
    unsafe fn interleave(self, odd: Self) -> (Self, Self) {
        unsafe {
            let first = permute_epi32(self.0, const { turns(0) }, odd.0);
            let second = permute_epi32(self.0, const { turns(8) }, odd.0);
            (Self(first), Self(second))
        }
    }

    #[inline(always)]
    unsafe fn next(self, following: Self) -> Self {
        unsafe { Self(_mm512_alignr_epi32::<1>(following.0, self.0)) }
    }

    #[inline(always)]
    unsafe fn prev(self, preceding: Self) -> Self {
        unsafe { Self(_mm512_alignr_epi32::<15>(self.0, preceding.0)) }
    }

    #[inline(always)]
    unsafe fn first(self) -> Self {
        unsafe { Self(_mm512_broadcastd_epi32(_mm512_castsi512_si128(self.0))) }
    }
}
