//! The encoder for AVX2: 8 quads of a quad row at a time.
//!
//! There are no shifts of 16-bit lanes here and few lanes to waste, so two layouts take turns. In *column pairs*, a lane of
//! 32 bits holds the two samples that a quad has in one row, 16 bits each: samples 0 and 2 in the upper row's vector, 1 and
//! 3 in the lower row's. In *quads*, such a lane holds one number of the quad.
#![allow(unsafe_code, reason = "loads and stores of vectors, the call into the features")]

mod append;
mod codewords;
mod magnitudes;
pub(super) mod pending;
mod quads;
mod wide;

use std::arch::x86_64::{_pdep_u64, _pext_u64};

use super::mel::Mel;
use super::segments::Segments;
use crate::Coefficient;
use crate::simd::Level;
use pending::Pending;
use quads::{Above, Quads, Samples};
pub(super) use wide::rows as wide_rows;

/// Coefficients of a quad row that are loaded at once.
const COLUMNS: usize = 16;

/// As [`super::scalar::magnitudes`].
pub(super) fn magnitudes<T: Coefficient>(coefficients: &[T], stride: usize, width: usize, height: usize) -> u32 {
    #[target_feature(enable = "avx2")]
    fn compiled<T: Coefficient>(coefficients: &[T], stride: usize, width: usize, height: usize) -> u32 {
        super::scalar::magnitudes(coefficients, stride, width, height)
    }
    assert!(Level::best() >= Level::Avx2, "the machine has AVX2");
    // SAFETY: the features are there.
    unsafe { compiled(coefficients, stride, width, height) }
}

/// Codes all quad rows of a code-block into `segments`, which are clear. All fit i16.
pub(super) fn rows<T: Coefficient>(
    coefficients: &[T],
    stride: usize,
    width: usize,
    height: usize,
    segments: &mut Segments,
) {
    assert!(Level::best() >= Level::Avx2, "the machine has AVX2");
    assert!((height - 1) * stride + width <= coefficients.len() && width <= 1024 && width * height <= 4096);
    // SAFETY: the features are there; a block of that area fits the segments.
    unsafe { rows_unchecked(coefficients, stride, width, height, segments) }
}

/// # Safety
/// `segments` has room for `width * height` coefficients.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn rows_unchecked<T: Coefficient>(
    coefficients: &[T],
    stride: usize,
    width: usize,
    height: usize,
    segments: &mut Segments,
) {
    let mut above = Above::nothing(width);
    let mut pending = Pending::<2, 8>::of(segments);
    for top in (0..height).step_by(2) {
        above.begin_row();
        let row = |y: usize| if y < height { &coefficients[y * stride..][..width] } else { &[] };
        let (upper, lower) = (row(top), row(top + 1));
        for column in (0..width).step_by(COLUMNS) {
            let samples = Samples::load(upper, lower, column);
            let present = (width - column).div_ceil(2).min(COLUMNS / 2);
            let quads = if top == 0 {
                above.describe::<true, false>(&samples, column, present)
            } else {
                above.describe::<false, false>(&samples, column, present)
            };
            // SAFETY: the buffers have room for all bits of a block.
            unsafe { append_all(&mut pending) };
            send_events(&quads, top == 0, &mut segments.mel);
            codewords::prepare(&quads, top == 0, &mut pending.vlc);
            magnitudes::prepare(&samples, &quads, &mut pending.magsgn);
        }
    }
    // SAFETY: the buffers have room for all bits of a block.
    unsafe { append_all(&mut pending) };
    pending.put_back(segments);
}

/// Appends what the group before has made.
///
/// # Safety
/// The segments have room for it, and 8 bytes more.
#[inline(always)]
unsafe fn append_all(pending: &mut Pending<2, 8>) {
    // SAFETY: as the caller promises.
    unsafe {
        pending.append_vlc();
        (0..4).for_each(|quarter| pending.append_magsgn::<2>(quarter));
    }
}

/// MEL events: those of the quads of context 0, and in the first row, after each pair whose u_q are both above 0, whether
/// they are above 2 (T.814 7.3.4 and 7.3.6).
#[inline]
#[target_feature(enable = "bmi2,popcnt")]
fn send_events(quads: &Quads, first_row: bool, mel: &mut Mel) {
    let (mut asked, mut happened) = (u64::from(quads.context_zero), u64::from(quads.significant));
    if first_row {
        const QUADS: u64 = 0o3333;
        const PAIRS: u64 = 0o4444;
        const EVEN: u64 = 0x55;
        asked = _pdep_u64(asked, QUADS) | _pdep_u64(_pext_u64(u64::from(quads.both_excess), EVEN), PAIRS);
        happened = _pdep_u64(happened, QUADS) | _pdep_u64(_pext_u64(u64::from(quads.both_above_two), EVEN), PAIRS);
    }
    if asked != 0 {
        mel.events(_pext_u64(happened, asked), asked.count_ones());
    }
}
