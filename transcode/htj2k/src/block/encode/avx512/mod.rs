//! The encoder for AVX-512: 32 quads of a quad row at a time, in lanes of 16 bits.
//!
//! The four samples of the quads are four vectors. All that a quad's codewords depend on is known when a row is loaded, so
//! a row has no serial part but the positions of its bits.
#![allow(unsafe_code, reason = "loads under a mask, stores of words whose room is proven, the call into the features")]

mod codewords;
mod magnitudes;
mod quads;
mod stuffing;
mod wide;

use super::avx2::pending::Pending;
use super::segments::Segments;
use crate::Coefficient;
use crate::simd::Level;
use quads::{Above, Quads, Samples};
pub(super) use stuffing::STUFFING;
pub(super) use wide::rows as wide_rows;

/// Coefficients of a quad row that are loaded at once.
const COLUMNS: usize = 64;

/// As [`super::scalar::magnitudes`].
pub(super) fn magnitudes<T: Coefficient>(coefficients: &[T], stride: usize, width: usize, height: usize) -> u32 {
    assert!(Level::best() == Level::Avx512, "the machine has AVX-512");
    assert!((height - 1) * stride + width <= coefficients.len());
    // SAFETY: the features are there, and rows y < height of width coefficients at y * stride lie within the slice.
    unsafe { quads::magnitudes(coefficients.as_ptr(), stride, width, height) }
}

/// Codes all quad rows of a code-block into `segments`, which are clear. All fit i16.
pub(super) fn rows<T: Coefficient>(
    coefficients: &[T],
    stride: usize,
    width: usize,
    height: usize,
    segments: &mut Segments,
) {
    assert!(Level::best() == Level::Avx512, "the machine has AVX-512");
    assert!((height - 1) * stride + width <= coefficients.len() && width <= 1024 && width * height <= 4096);
    // SAFETY: the features are there, and rows y < height of width coefficients at y * stride lie within the slice.
    unsafe { rows_unchecked(coefficients.as_ptr(), stride, width, height, segments) }
}

/// # Safety
/// `height` rows of `width` coefficients, `stride` apart, can be read; all fit i16; `segments` has room for
/// 4096 coefficients.
#[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn rows_unchecked<T: Coefficient>(
    first: *const T,
    stride: usize,
    width: usize,
    height: usize,
    segments: &mut Segments,
) {
    let mut above = Above::nothing();
    let mut pending = Pending::<8, 32>::of(segments);
    for top in (0..height).step_by(2) {
        above.begin_row();
        for column in (0..width).step_by(COLUMNS) {
            // SAFETY: `top` is below `height`, and the row below it is only read where there is one.
            let samples = unsafe {
                let row = first.add(top * stride + column);
                Samples::load(row, (top + 1 < height).then(|| row.add(stride)), width - column)
            };
            // SAFETY: the buffers have room for all bits of a block.
            unsafe { pending.append_magsgn::<8>(0) };
            let present = (width - column).div_ceil(2).min(COLUMNS / 2);
            let quads = if top == 0 {
                above.describe::<true, false>(samples.values, samples.significant, column / COLUMNS, present)
            } else {
                above.describe::<false, false>(samples.values, samples.significant, column / COLUMNS, present)
            };
            send_events(&quads, top == 0, &mut segments.mel);
            // SAFETY: the buffers have room for all bits of a block.
            unsafe {
                pending.append_vlc();
                pending.append_magsgn::<8>(1);
                codewords::prepare(&quads, top == 0, present, &mut pending.vlc);
                pending.append_magsgn::<8>(2);
                pending.append_magsgn::<8>(3);
            }
            magnitudes::prepare(&samples, &quads, present, &mut pending.magsgn);
        }
    }
    // SAFETY: the buffers have room for all bits of a block.
    unsafe {
        pending.append_vlc();
        (0..4).for_each(|group| pending.append_magsgn::<8>(group));
    }
    pending.put_back(segments);
}

/// MEL events: those of the quads of context 0, and in the first row, after each pair whose u_q are both above 0, whether
/// they are above 2 (T.814 7.3.4 and 7.3.6).
#[inline]
#[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
fn send_events(quads: &Quads, first_row: bool, mel: &mut super::mel::Mel) {
    use std::arch::x86_64::{_pdep_u64, _pext_u64};
    let (mut asked, mut happened) = (u64::from(quads.context_zero), u64::from(quads.significant));
    if first_row {
        const QUADS: u64 = 0o3333_3333_3333_3333;
        const PAIRS: u64 = 0o4444_4444_4444_4444;
        const EVEN: u64 = 0x5555_5555;
        asked = _pdep_u64(asked, QUADS) | _pdep_u64(_pext_u64(u64::from(quads.both_excess), EVEN), PAIRS);
        happened = _pdep_u64(happened, QUADS) | _pdep_u64(_pext_u64(u64::from(quads.both_above_two), EVEN), PAIRS);
    }
    if asked != 0 {
        mel.events(_pext_u64(happened, asked), asked.count_ones());
    }
}
