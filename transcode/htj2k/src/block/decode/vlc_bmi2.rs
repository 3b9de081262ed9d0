//! The first phase of a cleanup pass with the instructions of BMI2, which shift by any register and gather bits. Its scalar
//! twin is [`vlc::rows`] with [`vlc::Portable`].
#![allow(unsafe_code, reason = "the call into the features, loads that the caller has proven")]

use std::arch::x86_64::_pext_u64;

use super::vlc::{self, Machine, Quads};
use crate::simd::Level;

/// As [`vlc::rows`], on a machine with AVX2, which as [`Level`] means it has these instructions too.
pub(super) fn rows<const N: usize>(blocks: &mut [Quads; N], suffixes: [&[u8]; N], size: (usize, usize)) -> [bool; N] {
    #[target_feature(enable = "bmi1,bmi2,lzcnt,popcnt")]
    fn compiled<const N: usize>(blocks: &mut [Quads; N], suffixes: [&[u8]; N], size: (usize, usize)) -> [bool; N] {
        vlc::rows::<N, Bmi2>(blocks, suffixes, size)
    }
    assert!(Level::best() >= Level::Avx2, "the machine has BMI2");
    // SAFETY: the features are there.
    unsafe { compiled(blocks, suffixes, size) }
}

/// Not to be used but by [`rows`], which has looked whether the machine is one.
struct Bmi2;

impl Machine for Bmi2 {
    #[inline(always)]
    fn eight_bytes(stream: &[u8], at: usize) -> u64 {
        debug_assert!(at + 8 <= stream.len(), "VLC is padded");
        // SAFETY: `chunk_pairs`, which alone calls it, has asserted that all bytes of the chunk are there.
        u64::from_le_bytes(unsafe { stream.as_ptr().add(at).cast::<[u8; 8]>().read_unaligned() })
    }

    #[inline(always)]
    fn lower_samples(quads: u64) -> u64 {
        // SAFETY: only `rows` uses it, and the feature is there.
        unsafe { _pext_u64(quads, 0x000A_000A_000A_000A) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// Proves that the kernel's parts and their scalar twins agree; whole code-blocks: `decode::tests`.
        #[test]
        fn it_says_what_its_scalar_twin_says(quads: u64, stream in proptest::array::uniform32(0u8..), at in 0usize..=24) {
            if Level::best() >= Level::Avx2 {
                prop_assert_eq!(Bmi2::lower_samples(quads), vlc::Portable::lower_samples(quads));
                prop_assert_eq!(Bmi2::eight_bytes(&stream, at), vlc::Portable::eight_bytes(&stream, at));
            }
        }
    }
}
