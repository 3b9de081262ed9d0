//! The 9/7 irreversible filter (T.800 F.3.8.2, F.4.8.2) on floats.

use super::kernels::{self, Lift, array};
use super::levels::vector_or;
use super::scalar;
use crate::simd::Level;

// T.800 Table F.4.
const ALPHA: f32 = -1.586_134_3;
const BETA: f32 = -0.052_980_118;
const GAMMA: f32 = 0.882_911_1;
const DELTA: f32 = 0.443_506_85;
const K: f32 = 1.230_174_1;

/// The factor of every step, as [`Lift::lift`] counts them.
pub(super) const FACTORS: [f32; 8] = [ALPHA, BETA, GAMMA, DELTA, -DELTA, -GAMMA, -BETA, -ALPHA];

impl Lift for f32 {
    const STEPS: usize = 4;
    const GAINS: [f32; 2] = [K, 1.0 / K];

    #[inline(always)]
    fn lift<const STEP: usize>(target: Self, before: Self, after: Self) -> Self {
        target + FACTORS[STEP] * (before + after)
    }

    #[inline(always)]
    fn times(self, gain: f32) -> Self {
        self * gain
    }

    fn doubled(self) -> Self {
        self * 2.0
    }

    fn halved(self) -> Self {
        self * 0.5
    }

    fn ladder(level: Level, synthesis: bool, rows: &mut [&mut [Self]]) {
        if synthesis {
            vector_or!(level, f32::synthesis(array(rows)), scalar::ladder4::<Self, 4, 5, 6, 7>(array(rows)));
        } else {
            vector_or!(level, f32::analysis(array(rows)), scalar::ladder4::<Self, 0, 1, 2, 3>(array(rows)));
        }
    }

    fn step(level: Level, synthesis: bool, number: usize, target: &mut [Self], before: &[Self], after: &[Self]) {
        match (synthesis, number) {
            (false, 0) => kernels::step::<Self, 0>(level, target, before, after),
            (false, 1) => kernels::step::<Self, 1>(level, target, before, after),
            (false, 2) => kernels::step::<Self, 2>(level, target, before, after),
            (false, _) => kernels::step::<Self, 3>(level, target, before, after),
            (true, 0) => kernels::step::<Self, 4>(level, target, before, after),
            (true, 1) => kernels::step::<Self, 5>(level, target, before, after),
            (true, 2) => kernels::step::<Self, 6>(level, target, before, after),
            (true, _) => kernels::step::<Self, 7>(level, target, before, after),
        }
    }

    fn split(level: Level, odd: bool, gains: [f32; 2], row: &[Self], low: &mut [Self], high: &mut [Self]) {
        if odd {
            return kernels::split(level, odd, gains, row, low, high);
        }
        vector_or!(level, f32::split(gains, row, low, high), kernels::split(level, odd, gains, row, low, high));
    }

    fn join(
        level: Level,
        odd: bool,
        gains: [f32; 2],
        low: &[Self],
        high: &[Self],
        row: &mut [Self],
        spare: &mut [Self],
    ) {
        if odd {
            return kernels::join(level, odd, gains, low, high, row, spare);
        }
        vector_or!(level, f32::join(gains, low, high, row), kernels::join(level, odd, gains, low, high, row, spare));
    }
}
