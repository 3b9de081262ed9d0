//! What becomes of a decoded magnitude: an integer of 16 or 32 bits, or a real number times the step size.

use super::bits::Bits;
use super::magsgn::{self, Exponents};
#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
use super::magsgn_simd128;
use super::vlc::Quads;
use super::{BLOCK_EDGE_MAX, BLOCK_SAMPLES_MAX};
#[cfg(target_arch = "x86_64")]
use super::{magsgn_avx2, magsgn_avx512};
use crate::simd::Level;

/// A number that code-blocks decode to.
pub(super) trait Output: Copy + Default + PartialEq + std::fmt::Debug + 'static {
    /// What it is scaled by.
    type Scale: Copy;

    /// The number of magnitude `magnitude`, counted in units of the cleanup pass's bit-plane, which is not zero.
    fn reconstruct(magnitude: u32, negative: bool, scale: Self::Scale) -> Self;
    /// What a sample becomes whose magnitude is 1 in the bit-plane below.
    fn propagate(negative: bool, scale: Self::Scale) -> Self;
    /// This number when the bit of the bit-plane below is known (T.814 7.5).
    fn refine(self, bit: bool, scale: Self::Scale) -> Self;
    /// Bit-planes that a magnitude is shifted up.
    fn shift(scale: Self::Scale) -> u8;
    /// The largest U_q that can be represented.
    fn exponent_bound_max(scale: Self::Scale) -> u32;
}

/// Magnitudes shifted up by the bit-plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Integer {
    /// The bit-plane of the cleanup pass.
    pub(super) bit_plane: u8,
    /// Half of its step, rounded down: the middle of what it leaves open.
    pub(super) half: i32,
}

impl Integer {
    pub(super) fn new(bit_plane: u8) -> Integer {
        // Above 31 no magnitude fits, which `exponent_bound_max` says.
        let bit_plane = bit_plane.min(31);
        Integer { bit_plane, half: ((1u32 << bit_plane) >> 1) as i32 }
    }

    fn reconstruct(self, magnitude: u32, negative: bool) -> i32 {
        let magnitude = (magnitude << self.bit_plane) as i32 | self.half;
        if negative { magnitude.wrapping_neg() } else { magnitude }
    }

    fn refine(self, value: i32, bit: bool) -> i32 {
        let change = (self.half >> 1) - if bit { 0 } else { self.half };
        if value < 0 { value.wrapping_sub(change) } else { value.wrapping_add(change) }
    }
}

/// What has kernels of its own for MagSgn.
pub(super) trait Kernels: Output {
    /// The best of `level`; see [`magsgn::decode`].
    fn magsgn(
        level: Level,
        quads: &Quads,
        bits: &Bits,
        exponents: &mut Exponents,
        area: &mut Area<'_, Self>,
        scale: Self::Scale,
    ) -> Result<u8, &'static str>;
}

macro_rules! kernels {
    ($($type:ty),+) => {$(
        impl Kernels for $type {
            fn magsgn(
                level: Level,
                quads: &Quads,
                bits: &Bits,
                exponents: &mut Exponents,
                area: &mut Area<'_, Self>,
                scale: Self::Scale,
            ) -> Result<u8, &'static str> {
                #[cfg(target_arch = "x86_64")]
                match level {
                    Level::Avx512 => return magsgn_avx512::decode(quads, bits, exponents, area, scale),
                    Level::Avx2 => return magsgn_avx2::decode(quads, bits, exponents, area, scale),
                    Level::Scalar | Level::Simd128 => {}
                }
                #[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
                if level == Level::Simd128 {
                    return magsgn_simd128::decode(quads, bits, exponents, area, scale);
                }
                let _ = level;
                magsgn::decode(quads, bits, exponents, area, scale)
            }
        }
    )+};
}
kernels!(i16, i32, f32);

macro_rules! integer {
    ($type:ty) => {
        impl Output for $type {
            type Scale = Integer;

            fn reconstruct(magnitude: u32, negative: bool, scale: Integer) -> $type {
                scale.reconstruct(magnitude, negative) as $type
            }

            fn propagate(negative: bool, scale: Integer) -> $type {
                Integer::new(scale.bit_plane - 1).reconstruct(1, negative) as $type
            }

            fn refine(self, bit: bool, scale: Integer) -> $type {
                scale.refine(i32::from(self), bit) as $type
            }

            fn shift(scale: Integer) -> u8 {
                scale.bit_plane
            }

            fn exponent_bound_max(scale: Integer) -> u32 {
                31 - u32::from(scale.bit_plane)
            }
        }
    };
}
integer!(i16);
integer!(i32);

/// Magnitudes times the quantizer's step and the weight of the bit-plane.
#[derive(Clone, Copy, Debug)]
pub(super) struct Real {
    /// Step size times 2^p.
    pub(super) factor: f32,
}

impl Real {
    pub(super) fn new(step: f32, bit_plane: u8) -> Real {
        Real { factor: step * f32::from_bits((127 + u32::from(bit_plane.min(127))) << 23) }
    }
}

impl Output for f32 {
    type Scale = Real;

    fn reconstruct(magnitude: u32, negative: bool, scale: Real) -> f32 {
        let value = (magnitude as i32 as f32 + 0.5) * scale.factor;
        if negative { -value } else { value }
    }

    fn propagate(negative: bool, scale: Real) -> f32 {
        let value = 0.75 * scale.factor;
        if negative { -value } else { value }
    }

    fn refine(self, bit: bool, scale: Real) -> f32 {
        let change = if bit { 0.25 } else { -0.25 } * scale.factor;
        if self.is_sign_negative() { self - change } else { self + change }
    }

    fn shift(_: Real) -> u8 {
        0
    }

    fn exponent_bound_max(_: Real) -> u32 {
        31
    }
}

/// Where one code-block's samples go: `height` rows of `width`, `stride` apart, all of them inside `samples`.
pub(super) struct Area<'a, O> {
    samples: &'a mut [O],
    stride: usize,
    width: usize,
    height: usize,
}

impl<'a, O: Output> Area<'a, O> {
    /// The area that begins at `offset` of a plane. Panics if it is not in the plane or no code-block.
    pub(super) fn new(plane: &'a mut [O], offset: usize, stride: usize, width: usize, height: usize) -> Area<'a, O> {
        let edges = 1..=BLOCK_EDGE_MAX;
        assert!(edges.contains(&width) && edges.contains(&height), "a code-block has 1 to 1024 columns and rows");
        assert!(width * height <= BLOCK_SAMPLES_MAX, "a code-block has at most 4096 samples");
        assert!(height == 1 || stride >= width, "rows of a code-block do not overlap");
        let length = (height - 1) * stride + width;
        Area { samples: &mut plane[offset..][..length], stride, width, height }
    }

    pub(super) fn width(&self) -> usize {
        self.width
    }

    pub(super) fn height(&self) -> usize {
        self.height
    }

    #[inline(always)]
    pub(super) fn row(&mut self, y: usize) -> &mut [O] {
        &mut self.samples[y * self.stride..][..self.width]
    }

    pub(super) fn sample(&mut self, x: usize, y: usize) -> &mut O {
        &mut self.samples[y * self.stride + x]
    }

    #[cfg(target_arch = "x86_64")]
    /// Where the two rows of quad row `y` begin, for kernels; null for a lower one that is not there.
    pub(super) fn quad_row(&mut self, y: usize) -> (*mut O, *mut O) {
        let samples = &mut self.samples[2 * y * self.stride..];
        let upper = samples.as_mut_ptr();
        let below = self.stride.min(samples.len());
        (upper, if 2 * y + 1 < self.height { upper.wrapping_add(below) } else { std::ptr::null_mut() })
    }

    pub(super) fn clear(&mut self) {
        for y in 0..self.height {
            self.row(y).fill(O::default());
        }
    }
}
