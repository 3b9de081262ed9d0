//! Blocks with coefficients that do not fit i16: a vector for each sample of 8 quads. What is known of the quads, and their
//! codewords, are those of the other blocks.

use std::arch::x86_64::*;

use super::magnitudes::{halves, store};
use super::quads::{Above, Quads, Samples};
use super::{COLUMNS, codewords, send_events};
use crate::Coefficient;
use crate::block::encode::avx2::pending::{Pending, Words};
use crate::block::encode::segments::Segments;
use crate::simd::Level;

/// Words of MagSgn that 8 quads have at most: one a column.
const WORDS: usize = 16;

/// As [`super::rows`], of any coefficients.
pub(in crate::block::encode) fn rows<T: Coefficient>(
    coefficients: &[T],
    stride: usize,
    width: usize,
    height: usize,
    segments: &mut Segments,
) {
    assert!(Level::best() >= Level::Avx2, "the machine has AVX2");
    assert!((height - 1) * stride + width <= coefficients.len() && width <= 1024 && width * height <= 4096);
    assert!(size_of::<T>() == 4, "coefficients of 16 bits fit i16");
    // SAFETY: the features are there; a block of that area fits the segments.
    unsafe { rows_unchecked(coefficients, stride, width, height, segments) }
}

/// # Safety
/// `segments` has room for `width * height` coefficients, which are i32.
#[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn rows_unchecked<T: Coefficient>(
    coefficients: &[T],
    stride: usize,
    width: usize,
    height: usize,
    segments: &mut Segments,
) {
    let mut above = Above::nothing(width);
    let mut pending = Pending::<2, WORDS>::of(segments);
    for top in (0..height).step_by(2) {
        above.begin_row();
        let row = |y: usize| if y < height { &coefficients[y * stride..][..width] } else { &[] };
        let (upper, lower) = (row(top), row(top + 1));
        for column in (0..width).step_by(COLUMNS) {
            let samples = Wide::of([load_row(upper, column), load_row(lower, column)]);
            let present = (width - column).div_ceil(2).min(COLUMNS / 2);
            let quads = if top == 0 {
                above.describe::<true, true>(&samples.exponents(), column, present)
            } else {
                above.describe::<false, true>(&samples.exponents(), column, present)
            };
            // SAFETY: the buffers have room for all bits of a block.
            unsafe { append_all(&mut pending) };
            send_events(&quads, top == 0, &mut segments.mel);
            codewords::prepare(&quads, top == 0, &mut pending.vlc);
            samples.prepare(&quads, &mut pending.magsgn);
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
unsafe fn append_all(pending: &mut Pending<2, WORDS>) {
    // SAFETY: as the caller promises.
    unsafe {
        pending.append_vlc();
        (0..4).for_each(|quarter| pending.append_magsgn::<4>(quarter));
    }
}

/// The even and the odd ones of sixteen coefficients from column `column` on, those beyond the row zero.
#[inline]
#[target_feature(enable = "avx2")]
fn load_row<T: Coefficient>(row: &[T], column: usize) -> [__m256i; 2] {
    let mut padded = [0i32; COLUMNS];
    let rest = row.get(column..).unwrap_or_default();
    let at = if rest.len() >= COLUMNS {
        rest.as_ptr().cast::<__m256i>()
    } else {
        padded.iter_mut().zip(rest).for_each(|(to, from)| *to = from.to_i32());
        padded.as_ptr().cast()
    };
    // SAFETY: 16 coefficients of 32 bits can be read.
    let (a, b) = unsafe { (_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1))) };
    let (a, b) = (_mm256_castsi256_ps(a), _mm256_castsi256_ps(b));
    let in_order = |lanes| _mm256_permute4x64_epi64::<0b11_01_10_00>(_mm256_castps_si256(lanes));
    [in_order(_mm256_shuffle_ps::<0b10_00_10_00>(a, b)), in_order(_mm256_shuffle_ps::<0b11_01_11_01>(a, b))]
}

/// 2x for a positive x, -2x - 1 for a negative one: two less for the positive is 2(mu - 1) + s.
#[inline]
#[target_feature(enable = "avx2")]
fn magsgn_value(x: __m256i) -> __m256i {
    let folded = _mm256_xor_si256(_mm256_slli_epi32::<1>(x), _mm256_srai_epi32::<31>(x));
    let positive = _mm256_cmpgt_epi32(x, _mm256_setzero_si256());
    _mm256_add_epi32(folded, _mm256_slli_epi32::<1>(positive))
}

/// The exponent E_n of each value, but 1 for 0: no rule tells them apart, since U_q and kappa_q are never below 1.
#[inline]
#[target_feature(enable = "avx2")]
fn exponents(values: __m256i) -> __m256i {
    let half = _mm256_srli_epi32::<1>(values);
    // A float's exponent counts the bits; without the second one, none is rounded up to a power of two.
    let half = _mm256_andnot_si256(_mm256_srli_epi32::<1>(half), half);
    let exponent = _mm256_srli_epi32::<23>(_mm256_castps_si256(_mm256_cvtepi32_ps(half)));
    _mm256_max_epi32(_mm256_sub_epi32(exponent, _mm256_set1_epi32(125)), _mm256_set1_epi32(1))
}

/// Two vectors of 16-bit numbers as column pairs.
#[inline]
#[target_feature(enable = "avx2")]
fn column_pairs(left: __m256i, right: __m256i) -> __m256i {
    _mm256_blend_epi16::<0b1010_1010>(left, _mm256_slli_epi32::<16>(right))
}

/// 8 quads.
struct Wide {
    /// v_n = 2(mu - 1) + s of samples 0 to 3; zero for an insignificant one.
    values: [__m256i; 4],
    /// All ones where a sample is insignificant.
    insignificant: [__m256i; 4],
}

impl Wide {
    #[inline]
    #[target_feature(enable = "avx2")]
    fn of([[a, c], [b, d]]: [[__m256i; 2]; 2]) -> Wide {
        let zero = _mm256_setzero_si256();
        let coefficients = [a, b, c, d];
        Wide {
            values: coefficients.map(|x| magsgn_value(x)),
            insignificant: coefficients.map(|x| _mm256_cmpeq_epi32(x, zero)),
        }
    }

    /// What there is to describe: exponents in place of values.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn exponents(&self) -> Samples {
        let [a, b, c, d] = self.values.map(|values| exponents(values));
        let [e, f, g, h] = self.insignificant;
        Samples {
            values: [column_pairs(a, c), column_pairs(b, d)],
            insignificant: [column_pairs(e, g), column_pairs(f, h)],
        }
    }

    /// Makes words of the low m_n = U_q - k_n bits of each significant value (T.814 7.3.8): one a quad or, if some quad has
    /// more than 64 bits, one a column.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    fn prepare(&self, quads: &Quads, magsgn: &mut Words<WORDS>) {
        let bits =
            [self.lengths::<0>(quads), self.lengths::<1>(quads), self.lengths::<2>(quads), self.lengths::<3>(quads)];
        let left = self.columns(0, bits);
        let right = self.columns(2, bits);
        let left_bits = _mm256_add_epi32(bits[0], bits[1]);
        let right_bits = _mm256_add_epi32(bits[2], bits[3]);
        let whole = _mm256_add_epi32(left_bits, right_bits);
        let too_long = _mm256_cmpgt_epi32(whole, _mm256_set1_epi32(64));
        let [words, more_words] = magsgn.words.as_chunks_mut::<8>().0 else { return };
        if _mm256_testz_si256(too_long, too_long) == 1 {
            let [even_bits, odd_bits] = halves(left_bits);
            let evens = _mm256_or_si256(left[0], _mm256_sllv_epi64(right[0], even_bits));
            let odds = _mm256_or_si256(left[1], _mm256_sllv_epi64(right[1], odd_bits));
            store_in_turn(words, [evens, odds]);
            store(&mut magsgn.bits[..8], whole);
            magsgn.count = 8;
            return;
        }
        // Quads 0, 2, 4, 6 and 1, 3, 5, 7: the left and the right column of the first and the second of each two.
        let low = [_mm256_unpacklo_epi64(left[0], right[0]), _mm256_unpackhi_epi64(left[0], right[0])];
        let high = [_mm256_unpacklo_epi64(left[1], right[1]), _mm256_unpackhi_epi64(left[1], right[1])];
        for (at, part) in [(0, low[0]), (2, high[0]), (4, low[1]), (6, high[1])] {
            store128(&mut words[at..], _mm256_castsi256_si128(part));
            store128(&mut more_words[at..], _mm256_extracti128_si256::<1>(part));
        }
        let first = _mm256_unpacklo_epi32(left_bits, right_bits);
        let second = _mm256_unpackhi_epi32(left_bits, right_bits);
        store(&mut magsgn.bits[..8], _mm256_permute2x128_si256::<0x20>(first, second));
        store(&mut magsgn.bits[8..], _mm256_permute2x128_si256::<0x31>(first, second));
        magsgn.count = 16;
    }

    /// m_n of sample `N`.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn lengths<const N: usize>(&self, quads: &Quads) -> __m256i {
        let known = _mm256_set1_epi32(0x1000 << N);
        let known = _mm256_cmpeq_epi32(_mm256_and_si256(quads.entry, known), known);
        _mm256_andnot_si256(self.insignificant[N], _mm256_add_epi32(quads.bits, known))
    }

    /// The columns of samples `n` and `n` + 1: those of even quads, then of odd ones.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn columns(&self, n: usize, bits: [__m256i; 4]) -> [__m256i; 2] {
        let kept = |n: usize| _mm256_andnot_si256(_mm256_sllv_epi32(_mm256_set1_epi32(-1), bits[n]), self.values[n]);
        let (upper, lower, upper_bits) = (halves(kept(n)), halves(kept(n + 1)), halves(bits[n]));
        [0, 1].map(|odd| _mm256_or_si256(upper[odd], _mm256_sllv_epi64(lower[odd], upper_bits[odd])))
    }
}

/// Stores lanes of two vectors in turn.
#[inline]
#[target_feature(enable = "avx2")]
fn store_in_turn(to: &mut [u64; 8], [evens, odds]: [__m256i; 2]) {
    let (low, high) = (_mm256_unpacklo_epi64(evens, odds), _mm256_unpackhi_epi64(evens, odds));
    store(&mut to[..4], _mm256_permute2x128_si256::<0x20>(low, high));
    store(&mut to[4..], _mm256_permute2x128_si256::<0x31>(low, high));
}

#[inline]
#[target_feature(enable = "avx2")]
fn store128(to: &mut [u64], lanes: __m128i) {
    let two = &mut to[..2];
    // SAFETY: 16 bytes can be written.
    unsafe { _mm_storeu_si128(two.as_mut_ptr().cast(), lanes) };
}
