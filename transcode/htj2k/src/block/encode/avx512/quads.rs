//! What is known of 32 quads: samples, exponents, contexts, the CxtVLC entry.

use std::arch::x86_64::*;

use crate::Coefficient;
use crate::block::tables::{DENSE_FIRST, DENSE_OTHER, DenseCxtVlc};

/// The samples 0 to 3 of 32 quads (T.814 7.3.1).
pub(super) struct Samples {
    /// v_n = 2(mu - 1) + s; zero for an insignificant one.
    pub(super) values: [__m512i; 4],
    /// Where sample n is significant.
    pub(super) significant: [u32; 4],
}

/// 32 quads, ready to be sent.
pub(super) struct Quads {
    /// U_q.
    pub(super) bits: __m512i,
    /// u_q = U_q - kappa_q.
    pub(super) excess: __m512i,
    /// The entry of the CxtVLC table; zero beyond the block.
    pub(super) entry: __m512i,
    /// Which have context 0, and lie in the block.
    pub(super) context_zero: u32,
    /// Which have a significant sample.
    pub(super) significant: u32,
    /// First quads of pairs whose u_q are both above 0, and above 2.
    pub(super) both_excess: u32,
    pub(super) both_above_two: u32,
}

/// The most groups of 32 quads in a row.
const GROUPS: usize = 16;

/// What a row asks of the one above, group by group; index 0 stands left of the block.
pub(super) struct Above {
    rho: [__m512i; GROUPS + 2],
    /// Values, or exponents, of the lower samples: the left (sample 1) and the right one (sample 3) of each quad.
    left: [__m512i; GROUPS + 2],
    right: [__m512i; GROUPS + 2],
    /// The group to the left in the row above, which this row has overwritten by now: rho and right.
    passed: [__m512i; 2],
    /// rho of the group to the left in this row.
    west: __m512i,
}

/// Lane i takes lane 2i (or 2i + 1) of two vectors in a row.
pub(super) const EVENS: [u16; 32] = lanes(2, 0);
const ODDS: [u16; 32] = lanes(2, 1);
/// Lane i takes lane i - 1 of the second vector; lane 0 the last of the first.
const FROM_LEFT: [u16; 32] = lanes(1, 31);
/// Lane i takes lane i + 1 of the first vector; the last one lane 0 of the second.
const FROM_RIGHT: [u16; 32] = lanes(1, 1);

const fn lanes(step: u16, start: u16) -> [u16; 32] {
    let mut indexes = [0; 32];
    let mut i = 0;
    while i < 32 {
        indexes[i] = i as u16 * step + start;
        i += 1;
    }
    indexes
}

#[inline]
#[target_feature(enable = "avx512bw")]
pub(super) fn vector(lanes: &[u16; 32]) -> __m512i {
    // SAFETY: 64 bytes can be read.
    unsafe { _mm512_loadu_si512(lanes.as_ptr().cast()) }
}

impl Samples {
    /// The first `columns` columns (64, if more) of two rows; a missing row is zero.
    ///
    /// # Safety
    /// `columns` coefficients can be read from each row.
    #[inline]
    #[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) unsafe fn load<T: Coefficient>(upper: *const T, lower: Option<*const T>, columns: usize) -> Samples {
        let mask = if columns >= 64 { !0 } else { (1 << columns) - 1 };
        // SAFETY: the mask covers what can be read.
        let (upper, lower) = unsafe {
            let zero = [_mm512_setzero_si512(); 2];
            (load_row(upper, mask), lower.map_or(zero, |lower| load_row(lower, mask)))
        };
        let (evens, odds) = (vector(&EVENS), vector(&ODDS));
        Samples::of([
            _mm512_permutex2var_epi16(upper[0], evens, upper[1]),
            _mm512_permutex2var_epi16(lower[0], evens, lower[1]),
            _mm512_permutex2var_epi16(upper[0], odds, upper[1]),
            _mm512_permutex2var_epi16(lower[0], odds, lower[1]),
        ])
    }

    /// Those whose coefficients are given, a vector a sample.
    #[inline]
    #[target_feature(enable = "avx512bw")]
    pub(super) fn of([a, b, c, d]: [__m512i; 4]) -> Samples {
        Samples {
            values: [magsgn_value(a), magsgn_value(b), magsgn_value(c), magsgn_value(d)],
            significant: [
                _mm512_test_epi16_mask(a, a),
                _mm512_test_epi16_mask(b, b),
                _mm512_test_epi16_mask(c, c),
                _mm512_test_epi16_mask(d, d),
            ],
        }
    }
}

/// All magnitudes or-ed.
///
/// # Safety
/// `height` rows of `width` coefficients, `stride` apart, can be read.
#[target_feature(enable = "avx512bw")]
pub(super) unsafe fn magnitudes<T: Coefficient>(first: *const T, stride: usize, width: usize, height: usize) -> u32 {
    let mut all = _mm512_setzero_si512();
    let lanes = 64 / size_of::<T>();
    for y in 0..height {
        for column in (0..width).step_by(lanes) {
            let mask = if width - column >= lanes { !0 } else { (1u32 << (width - column)) - 1 };
            // SAFETY: the mask covers what can be read.
            let magnitudes = unsafe {
                let at = first.add(y * stride + column);
                if size_of::<T>() == 2 {
                    _mm512_abs_epi16(_mm512_maskz_loadu_epi16(mask, at.cast()))
                } else {
                    _mm512_abs_epi32(_mm512_maskz_loadu_epi32(mask as u16, at.cast()))
                }
            };
            all = _mm512_or_si512(all, magnitudes);
        }
    }
    let all = _mm512_reduce_or_epi32(all) as u32;
    if size_of::<T>() == 2 { (all | all >> 16) & 0xFFFF } else { all }
}

/// # Safety
/// Coefficients can be read where the mask has a bit.
#[inline]
#[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
unsafe fn load_row<T: Coefficient>(row: *const T, mask: u64) -> [__m512i; 2] {
    // SAFETY: only what the mask covers is read; T is i16 or i32, as Coefficient is sealed.
    unsafe {
        if size_of::<T>() == 2 {
            let half = |at: usize| _mm512_maskz_loadu_epi16((mask >> at) as u32, row.wrapping_add(at).cast());
            return [half(0), half(32)];
        }
        let quarter = |at: usize| {
            _mm512_cvtepi32_epi16(_mm512_maskz_loadu_epi32((mask >> at) as u16, row.wrapping_add(at).cast()))
        };
        let half = |at| _mm512_inserti64x4::<1>(_mm512_castsi256_si512(quarter(at)), quarter(at + 16));
        [half(0), half(32)]
    }
}

/// 2x for a positive x, -2x - 1 for a negative one: two less for the positive is 2(mu - 1) + s.
#[inline]
#[target_feature(enable = "avx512bw")]
fn magsgn_value(x: __m512i) -> __m512i {
    let folded = _mm512_xor_si512(_mm512_slli_epi16::<1>(x), _mm512_srai_epi16::<15>(x));
    let positive = _mm512_cmpgt_epi16_mask(x, _mm512_setzero_si512());
    _mm512_mask_sub_epi16(folded, positive, folded, _mm512_set1_epi16(2))
}

/// How many bits each lane has: the exponent E_n of a value, or the largest of several values or-ed.
#[inline]
#[target_feature(enable = "avx512bw,avx512cd")]
pub(super) fn exponents(values: __m512i) -> __m512i {
    let low = _mm512_lzcnt_epi32(_mm512_and_si512(values, _mm512_set1_epi32(0xFFFF)));
    let high = _mm512_slli_epi32::<16>(_mm512_lzcnt_epi32(_mm512_srli_epi32::<16>(values)));
    _mm512_sub_epi16(_mm512_set1_epi16(32), _mm512_or_si512(low, high))
}

/// The largest exponent of four samples whose values, or else exponents, are given.
#[inline]
#[target_feature(enable = "avx512bw,avx512cd")]
fn largest<const EXPONENTS: bool>([a, b, c, d]: [__m512i; 4]) -> __m512i {
    if EXPONENTS {
        return _mm512_max_epu16(_mm512_max_epu16(a, b), _mm512_max_epu16(c, d));
    }
    exponents(_mm512_or_si512(or3(a, b, c), d))
}

/// The samples whose exponent is `bits`, which is U_q, where u_q is not zero.
#[inline]
#[target_feature(enable = "avx512bw")]
fn epsilon<const EXPONENTS: bool>(values: [__m512i; 4], bits: __m512i, some_excess: u32) -> [u32; 4] {
    if EXPONENTS {
        return values.map(|exponent| _mm512_mask_cmpeq_epu16_mask(some_excess, exponent, bits));
    }
    // Their top bit is that of the largest.
    let one = _mm512_set1_epi16(1);
    let top = _mm512_maskz_sllv_epi16(some_excess, one, _mm512_sub_epi16(bits, one));
    values.map(|value| _mm512_test_epi16_mask(value, top))
}

/// (a | b) & mask.
#[inline]
#[target_feature(enable = "avx512bw")]
fn either(a: __m512i, b: __m512i, mask: i16) -> __m512i {
    _mm512_ternarylogic_epi32::<0xA8>(a, b, _mm512_set1_epi16(mask))
}

#[inline]
#[target_feature(enable = "avx512bw")]
fn or3(a: __m512i, b: __m512i, c: __m512i) -> __m512i {
    _mm512_ternarylogic_epi32::<0xFE>(a, b, c)
}

/// Adds `weights[n]` to the lanes of `masks[n]`.
#[inline]
#[target_feature(enable = "avx512bw")]
fn pattern(base: __m512i, masks: [u32; 4], weights: [i16; 4]) -> __m512i {
    let sum = _mm512_mask_add_epi16(base, masks[0], base, _mm512_set1_epi16(weights[0]));
    let sum = _mm512_mask_add_epi16(sum, masks[1], sum, _mm512_set1_epi16(weights[1]));
    let sum = _mm512_mask_add_epi16(sum, masks[2], sum, _mm512_set1_epi16(weights[2]));
    _mm512_mask_add_epi16(sum, masks[3], sum, _mm512_set1_epi16(weights[3]))
}

impl Above {
    #[inline]
    #[target_feature(enable = "avx512bw")]
    pub(super) fn nothing() -> Above {
        let zero = _mm512_setzero_si512();
        let zeros = [zero; GROUPS + 2];
        Above { rho: zeros, left: zeros, right: zeros, passed: [zero; 2], west: zero }
    }

    #[inline]
    #[target_feature(enable = "avx512bw")]
    pub(super) fn begin_row(&mut self) {
        self.passed = [_mm512_setzero_si512(); 2];
        self.west = _mm512_setzero_si512();
    }

    /// Describes group `group` of the row, of which `present` quads lie in the block, and remembers it for the next row.
    /// `values` are v_n or, if `EXPONENTS`, E_n: always the same of one block.
    #[inline]
    #[target_feature(enable = "avx512vbmi2,avx512vbmi,avx512cd,avx512dq,avx512vl,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn describe<const FIRST_ROW: bool, const EXPONENTS: bool>(
        &mut self,
        values: [__m512i; 4],
        significant: [u32; 4],
        group: usize,
        present: usize,
    ) -> Quads {
        let rho = pattern(_mm512_setzero_si512(), significant, [1, 2, 4, 8]);
        let context = self.context::<FIRST_ROW>(rho, group);
        let some_significant = _mm512_test_epi16_mask(rho, rho);
        let kappa = self.kappa::<EXPONENTS>(rho, group);
        self.remember(rho, values[1], values[3], group);
        let context_some = _mm512_test_epi16_mask(context, context);
        let bits = _mm512_max_epu16(largest::<EXPONENTS>(values), kappa);
        let excess = _mm512_sub_epi16(bits, kappa);
        let some_excess = _mm512_test_epi16_mask(excess, excess);
        let epsilon = epsilon::<EXPONENTS>(values, bits, some_excess);
        let index = _mm512_mullo_epi16(context, _mm512_set1_epi16(81));
        let index = pattern(pattern(index, significant, [1, 3, 9, 27]), epsilon, [1, 3, 9, 27]);
        let valid = (!0u64 >> (64 - present)) as u32;
        let table = if FIRST_ROW { &DENSE_FIRST } else { &DENSE_OTHER };
        let above_two = _mm512_cmpgt_epu16_mask(excess, _mm512_set1_epi16(2));
        Quads {
            bits,
            excess,
            entry: _mm512_maskz_mov_epi16(valid, look_up(table, index)),
            context_zero: !context_some & valid,
            significant: some_significant,
            both_excess: some_excess & some_excess >> 1 & 0x5555_5555,
            both_above_two: above_two & above_two >> 1 & 0x5555_5555,
        }
    }

    /// T.814 7.3.5.
    #[inline]
    #[target_feature(enable = "avx512bw")]
    fn context<const FIRST_ROW: bool>(&self, rho: __m512i, group: usize) -> __m512i {
        let west = _mm512_permutex2var_epi16(self.west, vector(&FROM_LEFT), rho);
        if FIRST_ROW {
            let low = _mm512_and_si512(west, _mm512_set1_epi16(1));
            return _mm512_or_si512(_mm512_srli_epi16::<1>(west), low);
        }
        let north = self.rho[group + 1];
        let north_west = _mm512_permutex2var_epi16(self.passed[0], vector(&FROM_LEFT), north);
        let north_east = _mm512_permutex2var_epi16(north, vector(&FROM_RIGHT), self.rho[group + 2]);
        let north = _mm512_srli_epi16::<1>(north);
        let bit0 = either(_mm512_srli_epi16::<3>(north_west), north, 1);
        let bit1 = either(_mm512_srli_epi16::<1>(west), _mm512_srli_epi16::<2>(west), 2);
        let bit2 = either(north, _mm512_slli_epi16::<1>(north_east), 4);
        or3(bit0, bit1, bit2)
    }

    /// T.814 7.3.7.
    #[inline]
    #[target_feature(enable = "avx512bw,avx512cd")]
    fn kappa<const EXPONENTS: bool>(&self, rho: __m512i, group: usize) -> __m512i {
        let (left, right) = (self.left[group + 1], self.right[group + 1]);
        let north_west = _mm512_permutex2var_epi16(self.passed[1], vector(&FROM_LEFT), right);
        let north_far = _mm512_permutex2var_epi16(left, vector(&FROM_RIGHT), self.left[group + 2]);
        let above = largest::<EXPONENTS>([left, right, north_west, north_far]);
        let one = _mm512_set1_epi16(1);
        let several = _mm512_test_epi16_mask(rho, _mm512_sub_epi16(rho, one));
        _mm512_mask_max_epu16(one, several, _mm512_subs_epu16(above, one), one)
    }

    #[inline]
    #[target_feature(enable = "avx512bw")]
    fn remember(&mut self, rho: __m512i, left: __m512i, right: __m512i, group: usize) {
        self.passed = [self.rho[group + 1], self.right[group + 1]];
        self.west = rho;
        (self.rho[group + 1], self.left[group + 1], self.right[group + 1]) = (rho, left, right);
    }
}

/// The entries at 32 indexes. Eleven look-ups of 64 entries each are quicker than two gathers.
#[inline]
#[target_feature(enable = "avx512bw")]
fn look_up(table: &DenseCxtVlc, index: __m512i) -> __m512i {
    let group = _mm512_srli_epi16::<6>(index);
    let mut found = index;
    for (number, entries) in table.as_chunks::<64>().0.iter().enumerate() {
        let here = _mm512_cmpeq_epi16_mask(group, _mm512_set1_epi16(number as i16));
        // SAFETY: 64 entries of 16 bits can be read.
        let [low, high] = unsafe {
            let at = entries.as_ptr();
            [_mm512_loadu_si512(at.cast()), _mm512_loadu_si512(at.add(32).cast())]
        };
        found = _mm512_mask2_permutex2var_epi16(low, found, here, high);
    }
    found
}
