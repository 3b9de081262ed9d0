//! T.800 Annex F word by word: whole planes, extended signals, one equation a line. Slow, and meant to be read.

use super::{Plane, Planes};

/// The one-dimensional analysis of a number type.
pub(in crate::wavelet) trait Arithmetic: Copy + Default {
    /// 1D_FILTD of the signal that `at` extends to all positions (F.4.8), at even and odd position `n`.
    fn filtered(at: &dyn Fn(i64) -> Self, n: i64) -> Self;
    /// Twice.
    fn twice(self) -> Self;
}

macro_rules! reversible {
    ($T:ty) => {
        impl Arithmetic for $T {
            fn filtered(x: &dyn Fn(i64) -> Self, n: i64) -> Self {
                let sum = |a: Self, b: Self| a.wrapping_add(b);
                let high = |n: i64| x(n).wrapping_sub(sum(x(n - 1), x(n + 1)).div_euclid(2));
                match n.rem_euclid(2) {
                    1 => high(n),
                    _ => x(n).wrapping_add(sum(sum(high(n - 1), high(n + 1)), 2).div_euclid(4)),
                }
            }

            fn twice(self) -> Self {
                self.wrapping_mul(2)
            }
        }
    };
}

reversible!(i16);
reversible!(i32);

impl Arithmetic for f32 {
    fn filtered(x: &dyn Fn(i64) -> f32, n: i64) -> f32 {
        const ALPHA: f64 = -1.586_134_342_059_924;
        const BETA: f64 = -0.052_980_118_572_961;
        const GAMMA: f64 = 0.882_911_075_530_934;
        const DELTA: f64 = 0.443_506_852_043_971;
        const K: f64 = 1.230_174_104_914_001;
        let x = |n: i64| f64::from(x(n));
        let first = |n: i64| x(n) + ALPHA * (x(n - 1) + x(n + 1));
        let second = |n: i64| x(n) + BETA * (first(n - 1) + first(n + 1));
        let third = |n: i64| first(n) + GAMMA * (second(n - 1) + second(n + 1));
        let fourth = |n: i64| second(n) + DELTA * (third(n - 1) + third(n + 1));
        if n.rem_euclid(2) == 1 { (K * third(n)) as f32 } else { (fourth(n) / K) as f32 }
    }

    fn twice(self) -> f32 {
        2.0 * self
    }
}

/// 1D_SD (F.4.6): the signal at `start` and after.
fn one_dimension<T: Arithmetic>(start: u32, signal: &[T]) -> Vec<T> {
    let (first, end) = (i64::from(start), i64::from(start) + signal.len() as i64);
    if let [only] = signal {
        return vec![if start % 2 == 1 { only.twice() } else { *only }];
    }
    // PSEO, whole-sample symmetric (F.3.7).
    let at = |n: i64| {
        let period = 2 * (end - first - 1);
        let phase = (n - first).rem_euclid(period);
        signal[phase.min(period - phase) as usize]
    };
    (first..end).map(|n| T::filtered(&at, n)).collect()
}

/// 2D_SD (F.4.2): VER_SD, HOR_SD, 2D_DEINTERLEAVE.
pub(super) fn analysed<T: Arithmetic>(image: &Plane<T>) -> [Plane<T>; 4] {
    let (rect, width) = (image.rect, image.rect.width() as usize);
    let mut mixed = image.clone();
    for x in 0..width {
        let column: Vec<T> = image.samples.iter().skip(x).step_by(width).copied().collect();
        for (y, value) in one_dimension(rect.y0, &column).into_iter().enumerate() {
            mixed.samples[y * width + x] = value;
        }
    }
    for row in mixed.samples.chunks_mut(width) {
        row.copy_from_slice(&one_dimension(rect.x0, row));
    }
    let mut planes = Planes::new(rect).0.map(|plane| Plane { samples: Vec::new(), ..plane });
    for (index, &value) in mixed.samples.iter().enumerate() {
        let (x, y) = (rect.x0 as usize + index % width, rect.y0 as usize + index / width);
        planes[x % 2 + 2 * (y % 2)].samples.push(value);
    }
    planes
}
