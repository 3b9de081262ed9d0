//! The 5/3 reversible filter (T.800 F.3.8.1, F.4.8.1) on integers. Sums wrap: whatever they hold, the synthesis takes
//! away exactly what the analysis added.

use super::kernels::{self, Lift, array};
use super::levels::vector_or;
use super::scalar;
use crate::simd::Level;

macro_rules! reversible {
    ($T:ident) => {
        impl Lift for $T {
            const STEPS: usize = 2;
            const GAINS: [f32; 2] = [1.0, 1.0];

            #[inline(always)]
            fn lift<const STEP: usize>(target: Self, before: Self, after: Self) -> Self {
                let sum = before.wrapping_add(after);
                match STEP {
                    0 => target.wrapping_sub(sum >> 1),                 // F-9
                    1 => target.wrapping_add(sum.wrapping_add(2) >> 2), // F-10
                    2 => target.wrapping_sub(sum.wrapping_add(2) >> 2), // F-5
                    _ => target.wrapping_add(sum >> 1),                 // F-6
                }
            }

            #[inline(always)]
            fn times(self, _gain: f32) -> Self {
                self
            }

            fn doubled(self) -> Self {
                self.wrapping_mul(2)
            }

            fn halved(self) -> Self {
                self >> 1
            }

            fn ladder(level: Level, synthesis: bool, rows: &mut [&mut [Self]]) {
                if synthesis {
                    vector_or!(level, $T::synthesis(array(rows)), scalar::ladder2::<Self, 2, 3>(array(rows)));
                } else {
                    vector_or!(level, $T::analysis(array(rows)), scalar::ladder2::<Self, 0, 1>(array(rows)));
                }
            }

            fn step(
                level: Level,
                synthesis: bool,
                number: usize,
                target: &mut [Self],
                before: &[Self],
                after: &[Self],
            ) {
                match (synthesis, number) {
                    (false, 0) => kernels::step::<Self, 0>(level, target, before, after),
                    (false, _) => kernels::step::<Self, 1>(level, target, before, after),
                    (true, 0) => kernels::step::<Self, 2>(level, target, before, after),
                    (true, _) => kernels::step::<Self, 3>(level, target, before, after),
                }
            }

            fn split(level: Level, odd: bool, gains: [f32; 2], row: &[Self], low: &mut [Self], high: &mut [Self]) {
                if odd {
                    return kernels::split(level, odd, gains, row, low, high);
                }
                vector_or!(level, $T::split(gains, row, low, high), kernels::split(level, odd, gains, row, low, high));
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
                vector_or!(
                    level,
                    $T::join(gains, low, high, row),
                    kernels::join(level, odd, gains, low, high, row, spare)
                );
            }
        }
    };
}

reversible!(i16);
reversible!(i32);
