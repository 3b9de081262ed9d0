//! Blocks with coefficients that do not fit i16: values in lanes of 32 bits, two vectors for each sample of 32 quads. What
//! is known of the quads, and their codewords, are those of the other blocks, in lanes of 16 bits.

use std::arch::x86_64::*;

use super::quads::{Above, EVENS, Quads, Samples, exponents, vector};
use super::{COLUMNS, codewords, magnitudes, send_events};
use crate::Coefficient;
use crate::block::encode::avx2::pending::{Pending, Words};
use crate::block::encode::segments::Segments;
use crate::simd::Level;

/// Words of MagSgn that 32 quads have at most: one a column.
const WORDS: usize = 64;

/// As [`super::rows`], of any coefficients.
pub(in crate::block::encode) fn rows<T: Coefficient>(
    coefficients: &[T],
    stride: usize,
    width: usize,
    height: usize,
    segments: &mut Segments,
) {
    assert!(Level::best() == Level::Avx512, "the machine has AVX-512");
    assert!((height - 1) * stride + width <= coefficients.len() && width <= 1024 && width * height <= 4096);
    assert!(size_of::<T>() == 4, "coefficients of 16 bits fit i16");
    // SAFETY: the features are there, and rows y < height of width coefficients at y * stride lie within the slice; they
    // are i32, as Coefficient is sealed.
    unsafe { rows_unchecked(coefficients.as_ptr().cast(), stride, width, height, segments) }
}

/// # Safety
/// `height` rows of `width` coefficients, `stride` apart, can be read; `segments` has room for 4096 coefficients.
#[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn rows_unchecked(first: *const i32, stride: usize, width: usize, height: usize, segments: &mut Segments) {
    let mut above = Above::nothing();
    let mut pending = Pending::<8, WORDS>::of(segments);
    for top in (0..height).step_by(2) {
        above.begin_row();
        for column in (0..width).step_by(COLUMNS) {
            // SAFETY: `top` is below `height`, and the row below it is only read where there is one.
            let columns = unsafe {
                let row = first.add(top * stride + column);
                load(row, (top + 1 < height).then(|| row.add(stride)), width - column)
            };
            let samples = Either::of(columns);
            let present = (width - column).div_ceil(2).min(COLUMNS / 2);
            let (exponents, significant) = samples.exponents();
            let quads = if top == 0 {
                above.describe::<true, true>(exponents, significant, column / COLUMNS, present)
            } else {
                above.describe::<false, true>(exponents, significant, column / COLUMNS, present)
            };
            send_events(&quads, top == 0, &mut segments.mel);
            // SAFETY: the buffers have room for all bits of a block.
            unsafe { append_all(&mut pending) };
            codewords::prepare(&quads, top == 0, present, &mut pending.vlc);
            // A quad row of larger coefficients above may ask for more bits than the values have.
            let sixteen_bits = _mm512_cmpgt_epu16_mask(quads.bits, _mm512_set1_epi16(16)) == 0;
            match &samples {
                Either::Narrow(samples) if sixteen_bits => {
                    magnitudes::prepare(samples, &quads, present, &mut pending.magsgn);
                }
                Either::Narrow(samples) => Wide::from(samples).prepare(&quads, present, &mut pending.magsgn),
                Either::Wide(samples) => samples.prepare(&quads, present, &mut pending.magsgn),
            }
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
unsafe fn append_all(pending: &mut Pending<8, WORDS>) {
    // SAFETY: as the caller promises.
    unsafe {
        pending.append_vlc();
        (0..4).for_each(|quarter| pending.append_magsgn::<16>(quarter));
    }
}

/// The coefficients of samples 0 to 3 of 32 quads, 16 and 16.
type Columns = [[__m512i; 2]; 4];

/// The first `columns` columns (64, if more) of two rows; a missing row is zero.
///
/// # Safety
/// `columns` coefficients can be read from each row.
#[inline]
#[target_feature(enable = "avx512f,avx512bw")]
unsafe fn load(upper: *const i32, lower: Option<*const i32>, columns: usize) -> Columns {
    let mask = if columns >= COLUMNS { !0u64 } else { (1 << columns) - 1 };
    let quarter = |row: *const i32, at: usize| {
        // SAFETY: the mask covers what can be read.
        unsafe { _mm512_maskz_loadu_epi32((mask >> at) as u16, row.wrapping_add(at)) }
    };
    let row = |row: Option<*const i32>| {
        row.map_or([_mm512_setzero_si512(); 4], |row| [0, 16, 32, 48].map(|at| quarter(row, at)))
    };
    let (upper, lower) = (row(Some(upper)), row(lower));
    let evens = _mm512_setr_epi32(0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
    let odds = _mm512_add_epi32(evens, _mm512_set1_epi32(1));
    let column = |row: [__m512i; 4], which| {
        let [a, b, c, d] = row;
        [_mm512_permutex2var_epi32(a, which, b), _mm512_permutex2var_epi32(c, which, d)]
    };
    [column(upper, evens), column(lower, evens), column(upper, odds), column(lower, odds)]
}

/// The low halves of all lanes.
#[inline]
#[target_feature(enable = "avx512bw")]
fn low_halves([a, b]: [__m512i; 2]) -> __m512i {
    _mm512_permutex2var_epi16(a, vector(&EVENS), b)
}

/// 32 quads. Few have a sample that does not fit i16 even in a block that has one.
#[allow(clippy::large_enum_variant, reason = "vectors that stay in registers or on the stack")]
enum Either {
    Narrow(Samples),
    Wide(Wide),
}

impl Either {
    #[inline]
    #[target_feature(enable = "avx512f,avx512bw")]
    fn of(columns: Columns) -> Either {
        let mut all = _mm512_setzero_si512();
        for x in columns.as_flattened() {
            // all | (x ^ sign)
            all = _mm512_ternarylogic_epi32::<0xF6>(all, *x, _mm512_srai_epi32::<31>(*x));
        }
        if _mm512_cmpgt_epi32_mask(all, _mm512_set1_epi32(0x7FFF)) == 0 {
            return Either::Narrow(Samples::of(columns.map(|halves| low_halves(halves))));
        }
        let significant = columns
            .map(|[a, b]| u32::from(_mm512_test_epi32_mask(a, a)) | u32::from(_mm512_test_epi32_mask(b, b)) << 16);
        let values = columns.map(|[a, b]| [magsgn_value(a), magsgn_value(b)]);
        Either::Wide(Wide { values, significant })
    }

    /// E_n of the samples in lanes of 16 bits, and which are significant.
    #[inline]
    #[target_feature(enable = "avx512bw,avx512cd")]
    fn exponents(&self) -> ([__m512i; 4], [u32; 4]) {
        match self {
            Either::Narrow(samples) => (samples.values.map(|value| exponents(value)), samples.significant),
            Either::Wide(samples) => {
                let zeros = samples.values.map(|[a, b]| low_halves([_mm512_lzcnt_epi32(a), _mm512_lzcnt_epi32(b)]));
                (zeros.map(|zeros| _mm512_sub_epi16(_mm512_set1_epi16(32), zeros)), samples.significant)
            }
        }
    }
}

/// 2x for a positive x, -2x - 1 for a negative one: two less for the positive is 2(mu - 1) + s.
#[inline]
#[target_feature(enable = "avx512f")]
fn magsgn_value(x: __m512i) -> __m512i {
    let folded = _mm512_xor_si512(_mm512_slli_epi32::<1>(x), _mm512_srai_epi32::<31>(x));
    let positive = _mm512_cmpgt_epi32_mask(x, _mm512_setzero_si512());
    _mm512_mask_sub_epi32(folded, positive, folded, _mm512_set1_epi32(2))
}

/// As [`Samples`], but 16 and 16 quads.
struct Wide {
    values: Columns,
    significant: [u32; 4],
}

/// The lower or the upper 16 of 32 lanes, as lanes of 32 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn sixteen(lanes: __m512i, half: usize) -> __m512i {
    _mm512_cvtepu16_epi32(half_of(lanes, half))
}

/// The lower or the upper 8 of 16 lanes, as lanes of 64 bits.
#[inline]
#[target_feature(enable = "avx512f")]
fn eight(lanes: __m512i, half: usize) -> __m512i {
    _mm512_cvtepu32_epi64(half_of(lanes, half))
}

#[inline]
#[target_feature(enable = "avx512f")]
fn half_of(lanes: __m512i, half: usize) -> __m256i {
    if half == 0 { _mm512_castsi512_si256(lanes) } else { _mm512_extracti64x4_epi64::<1>(lanes) }
}

impl Wide {
    #[inline]
    #[target_feature(enable = "avx512f")]
    fn from(samples: &Samples) -> Wide {
        let values = samples.values.map(|values| [sixteen(values, 0), sixteen(values, 1)]);
        Wide { values, significant: samples.significant }
    }

    /// Makes words of the low m_n = U_q - k_n bits of each significant value (T.814 7.3.8) of the first `present` quads: one
    /// a quad or, if some quad has more than 64 bits, one a column.
    #[inline]
    #[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    fn prepare(&self, quads: &Quads, present: usize, magsgn: &mut Words<WORDS>) {
        let lengths = magnitudes::lengths(self.significant, quads);
        let left = _mm512_add_epi16(lengths[0], lengths[1]);
        let right = _mm512_add_epi16(lengths[2], lengths[3]);
        let whole = _mm512_add_epi16(left, right);
        if _mm512_cmpgt_epu16_mask(whole, _mm512_set1_epi16(64)) == 0 {
            self.words::<true>(lengths, left, whole, magsgn);
            magsgn.count = present;
        } else {
            self.words::<false>(lengths, left, right, magsgn);
            magsgn.count = 2 * present;
        }
    }

    /// Stores the words, and their lengths: `left` those of left columns, `lengths` of whole quads or of right columns.
    #[inline]
    #[target_feature(enable = "avx512bw,avx512dq")]
    fn words<const QUADS: bool>(&self, each: [__m512i; 4], left: __m512i, other: __m512i, magsgn: &mut Words<WORDS>) {
        let (mut words, mut bits) =
            (magsgn.words.as_chunks_mut::<8>().0.iter_mut(), magsgn.bits.as_chunks_mut::<16>().0.iter_mut());
        let mut put_words = |lanes| {
            // SAFETY: eight words can be written.
            words.next().into_iter().for_each(|to| unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), lanes) });
        };
        let mut put_bits = |lanes| {
            // SAFETY: sixteen lengths can be written.
            bits.next().into_iter().for_each(|to| unsafe { _mm512_storeu_si512(to.as_mut_ptr().cast(), lanes) });
        };
        for half in 0..2 {
            let bits = each.map(|length| sixteen(length, half));
            let kept =
                |n: usize| _mm512_andnot_si512(_mm512_sllv_epi32(_mm512_set1_epi32(-1), bits[n]), self.values[n][half]);
            let values = [kept(0), kept(1), kept(2), kept(3)];
            let left_bits = sixteen(left, half);
            for part in 0..2 {
                let column = |n: usize| {
                    let lower = _mm512_sllv_epi64(eight(values[n + 1], part), eight(bits[n], part));
                    _mm512_or_si512(eight(values[n], part), lower)
                };
                let (left, right) = (column(0), column(2));
                if QUADS {
                    put_words(_mm512_or_si512(left, _mm512_sllv_epi64(right, eight(left_bits, part))));
                } else {
                    let turns = _mm512_setr_epi64(0, 8, 1, 9, 2, 10, 3, 11);
                    put_words(_mm512_permutex2var_epi64(left, turns, right));
                    let turns = _mm512_add_epi64(turns, _mm512_set1_epi64(4));
                    put_words(_mm512_permutex2var_epi64(left, turns, right));
                }
            }
            let other_bits = sixteen(other, half);
            if QUADS {
                put_bits(other_bits);
            } else {
                let turns = _mm512_setr_epi32(0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6, 22, 7, 23);
                put_bits(_mm512_permutex2var_epi32(left_bits, turns, other_bits));
                let turns = _mm512_add_epi32(turns, _mm512_set1_epi32(8));
                put_bits(_mm512_permutex2var_epi32(left_bits, turns, other_bits));
            }
        }
    }
}
