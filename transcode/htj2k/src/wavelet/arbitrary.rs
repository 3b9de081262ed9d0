//! Synthesis by any kernel of lifting steps with two neighbours (T.801 Annex H): whole planes, plain loops, one
//! direction at a time. The standard's own two kernels have their fast ways elsewhere in this module; here they serve
//! codestreams whose levels do not split both ways.

/// Lifting steps that a kernel may have: bounds the work that a few bytes of ATK can ask for a sample.
pub const LIFTING_STEPS_MAX: usize = 32;

/// A wavelet kernel of whole-sample symmetric filters, as its synthesis: the first step changes even samples, the
/// second odd ones, and so on.
#[derive(Clone, Debug, PartialEq)]
pub enum Kernel {
    /// On floats: low coefficients come times K, high ones by K, then each step takes away a factor times the sum of
    /// the two neighbours.
    Irreversible {
        /// K, finite and above 0.
        scale: f32,
        /// α of each step, finite.
        factors: Vec<f32>,
    },
    /// On integers.
    Reversible(Vec<IntegerStep>),
}

/// No number of a kernel is a NaN.
impl Eq for Kernel {}

/// One step of a reversible kernel: takes away `(β + α * sum) / 2^ε`, rounded down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IntegerStep {
    /// α.
    pub factor: i16,
    /// β.
    pub residue: i16,
    /// ε, 0 to 31.
    pub shift: u8,
}

impl Kernel {
    /// The kernels of T.800: 5/3 (F.3.8.1) if reversible, else 9/7 (F.3.8.2).
    pub fn standard(reversible: bool) -> Kernel {
        let step = |factor, residue, shift| IntegerStep { factor, residue, shift };
        if reversible {
            return Kernel::Reversible(vec![step(1, 2, 2), step(-1, 1, 1)]);
        }
        // T.800 Table F.4, the last step of the analysis first.
        let factors = vec![0.443_506_85, 0.882_911_1, -0.052_980_118, -1.586_134_3];
        Kernel::Irreversible { scale: 1.230_174_1, factors }
    }

    /// Whether it works on integers.
    pub fn is_reversible(&self) -> bool {
        matches!(self, Kernel::Reversible(_))
    }
}

/// A number that kernels work on; a kernel of the other kind leaves it alone.
pub trait Lifted: Copy + Default {
    /// What a step has to know.
    type Step: Copy;
    /// The steps of a kernel.
    fn steps(kernel: &Kernel) -> &[Self::Step];
    /// What becomes of a number between its two neighbours.
    fn lifted(self, step: Self::Step, before: Self, after: Self) -> Self;
    /// A low (else high) coefficient as the first step wants it.
    fn scaled(self, kernel: &Kernel, low: bool) -> Self;
    /// Half of it, for a high coefficient that is alone (T.800 F.3.6).
    fn halved(self) -> Self;
}

impl Lifted for f32 {
    type Step = f32;

    fn steps(kernel: &Kernel) -> &[f32] {
        if let Kernel::Irreversible { factors, .. } = kernel { factors } else { &[] }
    }

    #[inline]
    fn lifted(self, factor: f32, before: f32, after: f32) -> f32 {
        self - factor * (before + after)
    }

    #[inline]
    fn scaled(self, kernel: &Kernel, low: bool) -> f32 {
        let Kernel::Irreversible { scale, .. } = kernel else { return self };
        if low { self * scale } else { self / scale }
    }

    #[inline]
    fn halved(self) -> f32 {
        self * 0.5
    }
}

impl Lifted for i32 {
    type Step = IntegerStep;

    fn steps(kernel: &Kernel) -> &[IntegerStep] {
        if let Kernel::Reversible(steps) = kernel { steps } else { &[] }
    }

    /// Wraps, as the fast 5/3 does: hostile coefficients give some number.
    #[inline]
    fn lifted(self, IntegerStep { factor, residue, shift }: IntegerStep, before: i32, after: i32) -> i32 {
        let sum = i64::from(before) + i64::from(after);
        self.wrapping_sub(((i64::from(residue) + i64::from(factor) * sum) >> shift.min(31)) as i32)
    }

    #[inline]
    fn scaled(self, _: &Kernel, _: bool) -> i32 {
        self
    }

    #[inline]
    fn halved(self) -> i32 {
        self >> 1
    }
}

/// Synthesises every row of a plane in place, low and high coefficients interleaved; `first` is the coordinate of the
/// first column.
pub fn synthesise_rows<T: Lifted>(kernel: &Kernel, plane: &mut [T], width: usize, first: u32) {
    if width == 0 {
        return;
    }
    for row in plane.chunks_exact_mut(width) {
        synthesise(kernel, row, 1, first);
    }
}

/// Synthesises every column of a plane in place, low and high coefficients interleaved; `first` is the coordinate of
/// the first row.
pub fn synthesise_columns<T: Lifted>(kernel: &Kernel, plane: &mut [T], width: usize, first: u32) {
    if width > 0 {
        synthesise(kernel, plane, width, first);
    }
}

/// T.800 F.3.6 on groups of `size` samples, side by side: group n has coordinate `first + n`. Beyond both ends samples
/// come back symmetrically, so that a step's one neighbour there is the other one.
fn synthesise<T: Lifted>(kernel: &Kernel, samples: &mut [T], size: usize, first: u32) {
    let (count, odd) = (samples.len() / size, first as usize & 1);
    if count == 1 {
        if odd == 1 {
            samples.iter_mut().for_each(|sample| *sample = sample.halved());
        }
        return;
    }
    for (group, samples) in samples.chunks_exact_mut(size).enumerate() {
        let low = (group + odd).is_multiple_of(2);
        samples.iter_mut().for_each(|sample| *sample = sample.scaled(kernel, low));
    }
    for (number, &step) in T::steps(kernel).iter().enumerate() {
        // Even coordinates first: group 0 has an odd one if `odd`.
        for group in ((number + odd) % 2..count).step_by(2) {
            let (upper, rest) = samples.split_at_mut(group * size);
            let (targets, lower) = rest.split_at_mut(size);
            let (before, after) = match (group.checked_sub(1), group + 1 < count) {
                (None, _) => (&lower[..size], &lower[..size]),
                (Some(last), false) => (&upper[last * size..], &upper[last * size..]),
                (Some(last), true) => (&upper[last * size..], &lower[..size]),
            };
            for ((target, before), after) in targets.iter_mut().zip(before).zip(after) {
                *target = target.lifted(step, *before, *after);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::Rect;
    use crate::simd::Level;
    use crate::wavelet::{Cut, Rows, Subbands, Synthesis, Transform, high, low};

    /// A number for every coefficient.
    fn number(seed: u32) -> i32 {
        (seed.wrapping_mul(2_654_435_761) >> 21) as i32 - 1024
    }

    /// The plane by the fast synthesis of this module, and by the kernel from the same coefficients.
    fn both<T: Transform + Lifted>(kernel: &Kernel, rect: Rect, from: impl Fn(i32) -> T) -> (Vec<T>, Vec<T>) {
        let (across, down) = (rect.x0..rect.x1, rect.y0..rect.y1);
        let width = rect.width() as usize;
        let mut interleaved = vec![T::default(); width * rect.height() as usize];
        let mut seed = 0;
        let mut band = |columns: std::ops::Range<u32>, rows: std::ops::Range<u32>, xo: u32, yo: u32| {
            let mut band = Vec::new();
            for (v, u) in rows.flat_map(|v| columns.clone().map(move |u| (v, u))) {
                seed += 1;
                let (x, y) = ((2 * u + xo - rect.x0) as usize, (2 * v + yo - rect.y0) as usize);
                band.push(from(number(seed)));
                interleaved[y * width + x] = from(number(seed));
            }
            band
        };
        let (lows, highs) = ((low(&across), low(&down)), (high(&across), high(&down)));
        let ll = band(lows.0.clone(), lows.1.clone(), 0, 0);
        let hl = band(highs.0.clone(), lows.1.clone(), 1, 0);
        let lh = band(lows.0.clone(), highs.1.clone(), 0, 1);
        let hh = band(highs.0.clone(), highs.1.clone(), 1, 1);
        fn rows<'a, T>(band: &'a [T], x: &std::ops::Range<u32>, y: &std::ops::Range<u32>) -> Rows<'a, T> {
            Rows { samples: band, stride: x.len(), first: y.start }
        }
        let subbands = Subbands {
            ll: rows(&ll, &lows.0, &lows.1),
            hl: rows(&hl, &highs.0, &lows.1),
            lh: rows(&lh, &lows.0, &highs.1),
            hh: rows(&hh, &highs.0, &highs.1),
        };
        let (mut synthesis, mut fast) = (Synthesis::<T>::new(), Vec::new());
        synthesis.begin(Level::Scalar, rect, Cut::default());
        synthesis.push(down, &subbands, &mut |_, row| fast.extend_from_slice(row));
        synthesise_rows(kernel, &mut interleaved, width, rect.x0);
        synthesise_columns(kernel, &mut interleaved, width, rect.y0);
        (fast, interleaved)
    }

    /// The kernels of T.800, written as lifting steps, give what their fast ways give, at every parity and size.
    #[test]
    fn the_standard_kernels_come_out_as_usual() {
        for (width, height) in [(1, 1), (1, 5), (2, 1), (2, 2), (3, 2), (9, 8), (8, 13)] {
            for (x0, y0) in [(0, 0), (1, 0), (0, 1), (3, 5)] {
                let rect = Rect { x0, y0, x1: x0 + width, y1: y0 + height };
                let (fast, plain) = both(&Kernel::standard(true), rect, |n| n);
                assert_eq!(fast, plain, "{rect:?}");
                let (fast, plain) = both(&Kernel::standard(false), rect, |n| n as f32);
                let close = fast.iter().zip(&plain).all(|(one, other)| (one - other).abs() < 0.02);
                assert!(close, "{rect:?}: {fast:?} {plain:?}");
            }
        }
    }

    /// The irreversible 5/3 of T.801: low coefficients alone make a ramp between them, high ones the error at odd places.
    #[test]
    fn steps_follow_their_factors() {
        let kernel = Kernel::Irreversible { scale: 1.0, factors: vec![0.25, -0.5] };
        let mut row = [8.0, 0.0, 16.0, 0.0];
        synthesise_rows(&kernel, &mut row, 4, 0);
        assert_eq!(row, [8.0, 12.0, 16.0, 16.0]);
        let mut row = [0.0, 4.0, 0.0];
        synthesise_rows(&kernel, &mut row, 3, 0);
        assert_eq!(row, [-2.0, 2.0, -2.0]);
    }

    /// Whatever the numbers are, nothing overflows.
    #[test]
    fn extreme_numbers_are_survived() {
        let step = IntegerStep { factor: i16::MIN, residue: i16::MIN, shift: 31 };
        let kernel =
            Kernel::Reversible(vec![step, IntegerStep { shift: 0, ..step }, IntegerStep { shift: 255, ..step }]);
        let mut row = [i32::MIN, i32::MAX, i32::MIN, i32::MIN, i32::MAX];
        synthesise_rows(&kernel, &mut row, 5, 1);
        let kernel = Kernel::Irreversible { scale: f32::MAX, factors: vec![f32::MAX; 4] };
        let mut row = [f32::MAX, f32::MIN, 1.0];
        synthesise_columns(&kernel, &mut row, 1, 0);
    }
}
