//! The second phase of a cleanup pass with 512-bit vectors: where every sample of a quad row begins in the stream follows
//! from sums of bit counts, so that 32 samples of 16 bits, or 16 of 32, are taken at once (T.814 7.3.4 and 7.3.7).
//!
//! A chunk is 32 quads, so 64 columns of two rows. Samples stand in the order of the stream, four a quad: upper and
//! lower one of the left column, then of the right. A 32-bit element of 16-bit samples is therefore one column.
#![allow(unsafe_code, reason = "vectors are loaded and stored through pointers")]

mod samples;
mod stores;
mod tables;

use super::TOO_LARGE;
use super::bits::Bits;
use super::magsgn::{Exponents, MARGIN, PADDING_BYTES};
use super::output::Area;
use super::vlc::{CHUNK_QUADS, Quads};
use samples::Samples;
use std::arch::x86_64::*;
use stores::{Store, To};
use tables::table;

/// Columns of a chunk.
const COLUMNS: usize = 2 * CHUNK_QUADS;

/// See [`super::magsgn::decode`].
pub(super) fn decode<O: Store>(
    quads: &Quads,
    bits: &Bits,
    exponents: &mut Exponents,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> Result<u8, &'static str> {
    // SAFETY: called at Level::Avx512 only.
    unsafe { rows(quads, bits, exponents, area, scale) }
}

/// Where in MagSgn the next sample begins.
struct Stream {
    start: *const u8,
    end: usize,
    place: usize,
}

impl Stream {
    /// The byte of the next bit, after going over the bits before; beyond the end there are only ones.
    #[inline(always)]
    fn next(&self) -> (*const u8, i32) {
        // SAFETY: `place` is at most a chunk beyond `end`, and the padding is longer than that.
        (unsafe { self.start.add(self.place >> 3) }, (self.place & 7) as i32)
    }
}

#[target_feature(enable = "avx512f,avx512bw,avx512cd,avx512dq,avx512vl,avx512vbmi,avx512vbmi2,bmi1,bmi2,lzcnt,popcnt")]
fn rows<O: Store>(
    quads: &Quads,
    bits: &Bits,
    exponents: &mut Exponents,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) -> Result<u8, &'static str> {
    let (width, height) = (area.width(), area.height());
    exponents.reset(width);
    assert!(bits.bytes().len() >= bits.end / 8 + PADDING_BYTES, "MagSgn has its padding");
    let mut stream = Stream { start: bits.bytes().as_ptr(), end: bits.end, place: 0 };
    let bound_max = _mm512_set1_epi16(O::exponent_bound_max(scale) as i16);
    let mut met = _mm512_setzero_si512();
    for y in 0..height.div_ceil(2) {
        let (above, current) = exponents.rows(y);
        let (upper, lower) = area.quad_row(y);
        for first in (0..width).step_by(COLUMNS) {
            let place = y * quads.stride + first / 2;
            let said = &quads.said[place..place + CHUNK_QUADS];
            let residuals = &quads.residuals[place / 2..place / 2 + CHUNK_QUADS / 2];
            // SAFETY: both slices are one vector long.
            let (said, residuals) =
                unsafe { (_mm512_loadu_si512(said.as_ptr().cast()), _mm512_loadu_si512(residuals.as_ptr().cast())) };
            let u = if y == 0 { residuals } else { residual_pairs(said, residuals) };
            let beside = &above[MARGIN + first - 1..MARGIN + first + 1 + COLUMNS];
            // SAFETY: 66 bytes, two vectors that begin two bytes apart.
            let beside = unsafe {
                (_mm512_loadu_si512(beside.as_ptr().cast()), _mm512_loadu_si512(beside.as_ptr().add(2).cast()))
            };
            let bounds = _mm512_add_epi16(u, kappa(said, beside));
            if _mm512_cmpgt_epu16_mask(bounds, bound_max) != 0 {
                return Err(TOO_LARGE);
            }
            let some = _mm512_test_epi16_mask(said, _mm512_set1_epi16(15));
            met = _mm512_mask_max_epu16(met, some, met, bounds);
            let narrow = _mm512_cmpgt_epu16_mask(bounds, _mm512_set1_epi16(15)) == 0;
            stream.place = stream.place.min(stream.end);
            for half in 0..(width - first).min(COLUMNS).div_ceil(32) {
                let column = first + 32 * half;
                // SAFETY: `column` is in the row; `columns` of it are left.
                let to = unsafe {
                    let lower = if lower.is_null() { lower } else { lower.add(column) };
                    To { upper: upper.add(column), lower, columns: width - column }
                };
                let current = &mut current[MARGIN + column..][..32];
                let samples = Samples::new(said, bounds, half);
                // SAFETY: the stream has its padding, `to` is in the area and `current` 32 bytes long.
                unsafe {
                    if narrow {
                        samples.narrow(&mut stream, current.as_mut_ptr(), &to, scale);
                    } else {
                        samples.wide(&mut stream, current.as_mut_ptr(), &to, scale);
                    }
                }
            }
        }
    }
    Ok(_mm512_reduce_max_epu32(_mm512_max_epu16(
        _mm512_and_si512(met, _mm512_set1_epi32(0xFFFF)),
        _mm512_srli_epi32(met, 16),
    )) as u8)
}

/// Both u of 16 pairs that are not in the first quad row, out of the bits that code them (T.814 7.3.6).
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn residual_pairs(said: __m512i, bits: __m512i) -> __m512i {
    let (seven, eight) = (_mm512_set1_epi32(7), _mm512_set1_epi32(8));
    // (bits & 7) | (said & 8), with u_off moved to bit 3.
    let index = |bits, off| _mm512_ternarylogic_epi32::<0xCA>(eight, off, _mm512_and_si512(bits, seven));
    let first = index(bits, _mm512_srli_epi32::<9>(said));
    let bits = _mm512_srlv_epi32(bits, _mm512_permutexvar_epi32(first, table!(prefix)));
    let second = index(bits, _mm512_srli_epi32::<25>(said));
    let bits = _mm512_srlv_epi32(bits, _mm512_permutexvar_epi32(second, table!(prefix)));
    let suffix = _mm512_and_si512(bits, _mm512_permutexvar_epi32(first, table!(mask)));
    let low = _mm512_add_epi32(suffix, _mm512_permutexvar_epi32(first, table!(value)));
    let bits = _mm512_srlv_epi32(bits, _mm512_permutexvar_epi32(first, table!(suffix)));
    let suffix = _mm512_and_si512(bits, _mm512_permutexvar_epi32(second, table!(mask)));
    let high = _mm512_add_epi32(suffix, _mm512_permutexvar_epi32(second, table!(value)));
    _mm512_or_si512(low, _mm512_slli_epi32::<16>(high))
}

/// T.814 7.3.7: the largest exponent of the columns 2q - 1, 2q (first vector), 2q + 1 and 2q + 2 (second), less one.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
fn kappa(said: __m512i, (left, right): (__m512i, __m512i)) -> __m512i {
    let most = _mm512_max_epu8(left, right);
    let most = _mm512_max_epu8(most, _mm512_srli_epi16::<8>(most));
    let rho = _mm512_and_si512(said, _mm512_set1_epi16(15));
    let several = _mm512_test_epi16_mask(rho, _mm512_sub_epi16(rho, _mm512_set1_epi16(1)));
    let most = _mm512_and_si512(most, _mm512_maskz_set1_epi16(several, 0xFF));
    _mm512_max_epu16(most, _mm512_set1_epi16(1))
}
