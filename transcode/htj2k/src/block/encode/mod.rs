//! HT block encoding: the cleanup pass at bit-plane 0 (T.814 7.3, read backwards).
//!
//! An encoder knows all coefficients at once, so nothing but the order of the bits is serial. A kernel turns a quad row
//! into codewords and their lengths; they are appended, unstuffed, to a buffer for MagSgn and one for VLC; stuffing and
//! joining come last.
//!
//! Kernels take coefficients that fit i16 in lanes of 16 bits. A block with a larger one, as the lowest subband of 16-bit
//! samples has them or edges as high as the range, goes to a kernel that can widen its lanes.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod bits;
mod mel;
mod scalar;
mod segments;
mod stuffing;
#[cfg(test)]
mod tests;

use crate::Coefficient;
use crate::simd::Level;
use segments::Segments;

/// The most coefficients that a code-block has (T.800 Table A.18).
const AREA_MAX: usize = 4096;
/// The longest edge of a code-block (T.800 Table A.18).
const EDGE_MAX: usize = 1024;

/// Encodes code-blocks, one after the other, in memory that it keeps.
pub struct BlockEncoder {
    level: Level,
    segments: Segments,
}

/// What was appended for a code-block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Encoded {
    /// Bytes of the cleanup pass.
    pub length: u32,
    /// Bits of the largest magnitude: each is below 2 to that power.
    pub magnitude_bits: u8,
}

impl BlockEncoder {
    /// An encoder that uses the kernels of `level` or, where the machine lacks it, of the best below.
    pub fn new(level: Level) -> BlockEncoder {
        BlockEncoder { level: level.runnable(), segments: Segments::new() }
    }

    /// Appends the cleanup pass of `width` x `height` two's complement coefficients, whose rows begin `stride` apart, to
    /// `out`; nothing if all are zero. Every [`Level`] gives the same bytes.
    ///
    /// # Panics
    /// If an edge is zero or above 1024, the area above 4096, or `coefficients` too short.
    ///
    /// Source: T.814 7.1 and 7.3; coefficients are those of bit-plane 0 (one HT set, cleanup pass only).
    pub fn encode<T: Coefficient>(
        &mut self,
        coefficients: &[T],
        stride: usize,
        width: usize,
        height: usize,
        out: &mut Vec<u8>,
    ) -> Option<Encoded> {
        assert!((1..=EDGE_MAX).contains(&width) && (1..=EDGE_MAX).contains(&height), "edges are legal");
        assert!(width * height <= AREA_MAX, "the area is legal");
        assert!(stride >= width && (height - 1) * stride + width <= coefficients.len(), "the slice covers the block");
        let magnitudes = match self.level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => avx512::magnitudes(coefficients, stride, width, height),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => avx2::magnitudes(coefficients, stride, width, height),
            _ => scalar::magnitudes(coefficients, stride, width, height),
        };
        if magnitudes == 0 {
            return None;
        }
        let start = out.len();
        self.segments.clear();
        let segments = &mut self.segments;
        #[cfg(target_arch = "x86_64")]
        let narrow = size_of::<T>() == 2 || magnitudes < 1 << 15;
        match self.level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 if narrow => avx512::rows(coefficients, stride, width, height, segments),
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => avx512::wide_rows(coefficients, stride, width, height, segments),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 if narrow => avx2::rows(coefficients, stride, width, height, segments),
            #[cfg(target_arch = "x86_64")]
            Level::Avx2 => avx2::wide_rows(coefficients, stride, width, height, segments),
            _ => scalar::rows(coefficients, stride, width, height, segments),
        }
        let stuffing = match self.level {
            #[cfg(target_arch = "x86_64")]
            Level::Avx512 => avx512::STUFFING,
            _ => stuffing::SCALAR,
        };
        segments.finish(&stuffing, out);
        Some(Encoded { length: (out.len() - start) as u32, magnitude_bits: (32 - magnitudes.leading_zeros()) as u8 })
    }
}
