//! What is known of 8 quads: samples, exponents, contexts, the CxtVLC entry.

use std::arch::x86_64::*;

use super::COLUMNS;
use crate::Coefficient;
use crate::block::tables::{CXTVLC_FIRST, CXTVLC_OTHER};

/// Two rows of 16 samples, in column pairs.
pub(super) struct Samples {
    /// v_n = 2(mu - 1) + s of the upper and the lower row; zero for an insignificant one.
    pub(super) values: [__m256i; 2],
    /// All ones where a sample is insignificant.
    pub(super) insignificant: [__m256i; 2],
}

/// 8 quads, ready to be sent.
pub(super) struct Quads {
    /// U_q.
    pub(super) bits: __m256i,
    /// u_q = U_q - kappa_q.
    pub(super) excess: __m256i,
    /// Bit U_q - 1 where u_q is above 0, both in the low and the high half; nothing where exponents were described.
    pub(super) top: __m256i,
    /// The entry of the CxtVLC table; zero beyond the block.
    pub(super) entry: __m256i,
    /// Which have context 0, and lie in the block.
    pub(super) context_zero: u32,
    /// Which have a significant sample.
    pub(super) significant: u32,
    /// First quads of pairs whose u_q are both above 0, and above 2.
    pub(super) both_excess: u32,
    pub(super) both_above_two: u32,
}

/// The lower samples of a row: 1024 columns, and 16 more on either side.
type Line = [u16; 1024 + 2 * COLUMNS];

/// What a row asks of the one above and what it leaves to the next. Column 0 is at index [`COLUMNS`].
pub(super) struct Above {
    /// Values, or exponents, of the lower row, and ones for its insignificant samples, of the row above and of this one.
    values: [Line; 2],
    significant: [Line; 2],
    /// Which of the two is this row's.
    this: usize,
    /// rho of the 8 quads to the left in this row.
    west: __m256i,
}

/// Sixteen coefficients from column `column` on, those beyond the row zero.
#[inline]
#[target_feature(enable = "avx2")]
fn load_row<T: Coefficient>(row: &[T], column: usize) -> __m256i {
    let Some(rest) = row.get(column..) else {
        return _mm256_setzero_si256();
    };
    let mut padded = [T::default(); COLUMNS];
    let source = if rest.len() >= COLUMNS {
        rest
    } else {
        padded[..rest.len()].copy_from_slice(rest);
        &padded
    };
    // SAFETY: 16 coefficients can be read; T is i16 or i32, as Coefficient is sealed.
    unsafe {
        let at = source.as_ptr().cast::<__m256i>();
        if size_of::<T>() == 2 {
            return _mm256_loadu_si256(at);
        }
        let packed = _mm256_packs_epi32(_mm256_loadu_si256(at), _mm256_loadu_si256(at.add(1)));
        _mm256_permute4x64_epi64::<0b11_01_10_00>(packed)
    }
}

/// 2x for a positive x, -2x - 1 for a negative one: two less for the positive is 2(mu - 1) + s.
#[inline]
#[target_feature(enable = "avx2")]
fn magsgn_value(x: __m256i) -> __m256i {
    let folded = _mm256_xor_si256(_mm256_slli_epi16::<1>(x), _mm256_srai_epi16::<15>(x));
    let positive = _mm256_cmpgt_epi16(x, _mm256_setzero_si256());
    _mm256_add_epi16(folded, _mm256_slli_epi16::<1>(positive))
}

/// How many bits the two halves of each lane, or-ed, have: the largest exponent E_n of a column pair.
#[inline]
#[target_feature(enable = "avx2")]
fn exponents(pairs: __m256i) -> __m256i {
    let both = _mm256_or_si256(pairs, _mm256_srli_epi32::<16>(pairs));
    let low = _mm256_and_si256(both, _mm256_set1_epi32(0xFFFF));
    // Sixteen bits are exact in a float, whose exponent counts them; that of zero is taken for -127.
    let exponent = _mm256_srli_epi32::<23>(_mm256_castps_si256(_mm256_cvtepi32_ps(low)));
    _mm256_max_epi32(_mm256_sub_epi32(exponent, _mm256_set1_epi32(126)), _mm256_setzero_si256())
}

/// The largest exponent of four samples, two column pairs, whose values or else exponents are given.
#[inline]
#[target_feature(enable = "avx2")]
fn largest<const EXPONENTS: bool>(a: __m256i, b: __m256i) -> __m256i {
    if EXPONENTS {
        let both = _mm256_max_epu16(a, b);
        let low = _mm256_and_si256(both, _mm256_set1_epi32(0xFFFF));
        return _mm256_max_epi32(low, _mm256_srli_epi32::<16>(both));
    }
    exponents(_mm256_or_si256(a, b))
}

/// The samples whose exponent is below `bits`, which is U_q, or whose u_q is zero; and [`Quads::top`].
#[inline]
#[target_feature(enable = "avx2")]
fn below<const EXPONENTS: bool>(values: [__m256i; 2], bits: __m256i, some_excess: __m256i) -> ([__m256i; 2], __m256i) {
    let twice = |lanes| _mm256_or_si256(lanes, _mm256_slli_epi32::<16>(lanes));
    let (zero, ones) = (_mm256_setzero_si256(), _mm256_set1_epi32(-1));
    if EXPONENTS {
        // No exponent is as large as 0xFFFF.
        let asked = twice(_mm256_or_si256(bits, _mm256_andnot_si256(some_excess, _mm256_set1_epi32(0xFFFF))));
        return (values.map(|values| _mm256_xor_si256(_mm256_cmpeq_epi16(values, asked), ones)), zero);
    }
    // Their top bit is that of the largest.
    let one = _mm256_set1_epi32(1);
    let top = _mm256_and_si256(_mm256_sllv_epi32(one, _mm256_sub_epi32(bits, one)), some_excess);
    let top = twice(top);
    (values.map(|values| _mm256_cmpeq_epi16(_mm256_and_si256(values, top), zero)), top)
}

/// One bit a sample: n of sample n, where neither mask has ones.
#[inline]
#[target_feature(enable = "avx2")]
fn pattern(not_upper: __m256i, not_lower: __m256i) -> __m256i {
    let upper = _mm256_andnot_si256(not_upper, _mm256_set1_epi32(0x0004_0001));
    let lower = _mm256_andnot_si256(not_lower, _mm256_set1_epi32(0x0008_0002));
    _mm256_madd_epi16(_mm256_or_si256(upper, lower), _mm256_set1_epi16(1))
}

/// The sign bits of 8 lanes.
#[inline]
#[target_feature(enable = "avx2")]
fn lanes(mask: __m256i) -> u32 {
    _mm256_movemask_ps(_mm256_castsi256_ps(mask)) as u32
}

impl Samples {
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn load<T: Coefficient>(upper: &[T], lower: &[T], column: usize) -> Samples {
        let (upper, lower) = (load_row(upper, column), load_row(lower, column));
        let zero = _mm256_setzero_si256();
        Samples {
            values: [magsgn_value(upper), magsgn_value(lower)],
            insignificant: [_mm256_cmpeq_epi16(upper, zero), _mm256_cmpeq_epi16(lower, zero)],
        }
    }
}

impl Above {
    /// Nothing above a block that is `width` columns wide.
    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn nothing(width: usize) -> Above {
        debug_assert!(width <= 1024);
        let line = [0; 1024 + 2 * COLUMNS];
        Above { values: [line; 2], significant: [line; 2], this: 0, west: _mm256_setzero_si256() }
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    pub(super) fn begin_row(&mut self) {
        self.this ^= 1;
        self.west = _mm256_setzero_si256();
    }

    /// Describes the 8 quads from `column` on, of which `present` lie in the block, and remembers them for the next row.
    /// The values are v_n or, if `EXPONENTS`, E_n: always the same of one block.
    #[inline]
    #[target_feature(enable = "avx2,bmi1,bmi2,lzcnt,popcnt")]
    pub(super) fn describe<const FIRST_ROW: bool, const EXPONENTS: bool>(
        &mut self,
        samples: &Samples,
        column: usize,
        present: usize,
    ) -> Quads {
        let zero = _mm256_setzero_si256();
        let [upper, lower] = samples.values;
        let rho = pattern(samples.insignificant[0], samples.insignificant[1]);
        let context = self.context::<FIRST_ROW>(rho, column);
        let kappa = self.kappa::<EXPONENTS>(rho, column);
        self.remember(samples, rho, column);
        let significant = !lanes(_mm256_cmpeq_epi32(rho, zero)) & 0xFF;
        let context_zero = lanes(_mm256_cmpeq_epi32(context, zero));
        let bits = _mm256_max_epi32(largest::<EXPONENTS>(upper, lower), kappa);
        let excess = _mm256_sub_epi32(bits, kappa);
        let some_excess = _mm256_cmpgt_epi32(excess, zero);
        let (below, top) = below::<EXPONENTS>(samples.values, bits, some_excess);
        let epsilon = pattern(below[0], below[1]);
        let index = _mm256_or_si256(_mm256_slli_epi32::<8>(context), _mm256_slli_epi32::<4>(rho));
        let valid = _mm256_cmpgt_epi32(_mm256_set1_epi32(present as i32), _mm256_setr_epi32(0, 1, 2, 3, 4, 5, 6, 7));
        let table = if FIRST_ROW { &CXTVLC_FIRST } else { &CXTVLC_OTHER };
        let entry = look_up(table, _mm256_or_si256(index, epsilon));
        let pairs = |mask: u32| mask & mask >> 1 & 0x55;
        Quads {
            bits,
            excess,
            top,
            entry: _mm256_and_si256(valid, entry),
            context_zero: context_zero & lanes(valid),
            significant,
            both_excess: pairs(lanes(some_excess)),
            both_above_two: pairs(lanes(_mm256_cmpgt_epi32(excess, _mm256_set1_epi32(2)))),
        }
    }

    /// Column pairs of a line, begun one column earlier (the last of the quad to the left with the first of the quad), or
    /// one later.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn shifted(line: &Line, column: usize) -> [__m256i; 2] {
        let (left, right) = (&line[column + COLUMNS - 1..][..COLUMNS], &line[column + COLUMNS + 1..][..COLUMNS]);
        // SAFETY: 16 columns can be read.
        unsafe { [_mm256_loadu_si256(left.as_ptr().cast()), _mm256_loadu_si256(right.as_ptr().cast())] }
    }

    /// T.814 7.3.5.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn context<const FIRST_ROW: bool>(&self, rho: __m256i, column: usize) -> __m256i {
        let joined = _mm256_permute2x128_si256::<0x21>(self.west, rho);
        let west = _mm256_alignr_epi8::<12>(rho, joined);
        if FIRST_ROW {
            let low = _mm256_and_si256(west, _mm256_set1_epi32(1));
            return _mm256_or_si256(_mm256_srli_epi32::<1>(west), low);
        }
        let zero = _mm256_setzero_si256();
        let [left, right] = Above::shifted(&self.significant[self.this ^ 1], column);
        let bit0 = _mm256_andnot_si256(_mm256_cmpeq_epi32(left, zero), _mm256_set1_epi32(1));
        let bit2 = _mm256_andnot_si256(_mm256_cmpeq_epi32(right, zero), _mm256_set1_epi32(4));
        let bit1 = _mm256_or_si256(_mm256_srli_epi32::<1>(west), _mm256_srli_epi32::<2>(west));
        let bit1 = _mm256_and_si256(bit1, _mm256_set1_epi32(2));
        _mm256_or_si256(_mm256_or_si256(bit0, bit2), bit1)
    }

    /// T.814 7.3.7.
    #[inline]
    #[target_feature(enable = "avx2")]
    fn kappa<const EXPONENTS: bool>(&self, rho: __m256i, column: usize) -> __m256i {
        let [left, right] = Above::shifted(&self.values[self.this ^ 1], column);
        let above = largest::<EXPONENTS>(left, right);
        let one = _mm256_set1_epi32(1);
        let single = _mm256_and_si256(rho, _mm256_sub_epi32(rho, one));
        let single = _mm256_cmpeq_epi32(single, _mm256_setzero_si256());
        _mm256_max_epi32(_mm256_andnot_si256(single, _mm256_sub_epi32(above, one)), one)
    }

    #[inline]
    #[target_feature(enable = "avx2")]
    fn remember(&mut self, samples: &Samples, rho: __m256i, column: usize) {
        self.west = rho;
        let significant = _mm256_xor_si256(samples.insignificant[1], _mm256_set1_epi32(-1));
        let to = |line: &mut Line, what: __m256i| {
            let place = &mut line[column + COLUMNS..][..COLUMNS];
            // SAFETY: 16 columns can be written.
            unsafe { _mm256_storeu_si256(place.as_mut_ptr().cast(), what) };
        };
        to(&mut self.values[self.this], samples.values[1]);
        to(&mut self.significant[self.this], significant);
    }
}

/// The 16-bit entries at 8 indexes below 2048. Eight loads put together were slower (4.2 for 3.6 cycles a sample).
#[inline]
#[target_feature(enable = "avx2")]
fn look_up(table: &[u16; 2049], index: __m256i) -> __m256i {
    // SAFETY: 4 bytes at index 2047 lie within the table, and no index is above.
    let entries = unsafe { _mm256_i32gather_epi32::<2>(table.as_ptr().cast(), index) };
    _mm256_and_si256(entries, _mm256_set1_epi32(0xFFFF))
}
