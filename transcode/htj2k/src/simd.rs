//! Which instructions the kernels may use. Chosen once at run time; every level gives the same bits.

use std::sync::OnceLock;

/// A set of instructions that kernels are written for. Later ones include earlier ones of the same machine.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Plain Rust: the reference of every kernel, on every machine.
    Scalar,
    /// 128 bits of WebAssembly (`simd128`), fixed when compiled.
    Simd128,
    /// x86-64 with AVX2, BMI1, BMI2, LZCNT, POPCNT, FMA (Haswell, Zen and later).
    Avx2,
    /// AVX-512 F, BW, CD, DQ, VL, VBMI, VBMI2 on top (Ice Lake, Zen 4 and later).
    Avx512,
}

impl Level {
    /// The best level of this machine.
    pub fn best() -> Level {
        static BEST: OnceLock<Level> = OnceLock::new();
        *BEST.get_or_init(detect)
    }

    /// Every level that this machine can run, [`Level::Scalar`] first: for tests and benchmarks.
    pub fn available() -> impl Iterator<Item = Level> {
        let best = Level::best();
        [Level::Scalar, Level::Simd128, Level::Avx2, Level::Avx512]
            .into_iter()
            .filter(move |&level| level.runs_under(best))
    }

    /// This level or, where the machine lacks it, the best below: what a kernel asks before it trusts the level that a
    /// caller has named.
    pub(crate) fn runnable(self) -> Level {
        self.min(Level::best())
    }

    fn runs_under(self, best: Level) -> bool {
        self == Level::Scalar || self == best || (self == Level::Avx2 && best == Level::Avx512)
    }
}

#[cfg(target_arch = "x86_64")]
fn detect() -> Level {
    macro_rules! all {
        ($($feature:tt),+) => { $(is_x86_feature_detected!($feature))&&+ };
    }
    if !all!("avx2", "bmi1", "bmi2", "lzcnt", "popcnt", "fma") {
        return Level::Scalar;
    }
    if all!("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl", "avx512vbmi", "avx512vbmi2") {
        return Level::Avx512;
    }
    Level::Avx2
}

#[cfg(all(target_arch = "wasm32", target_feature = "simd128"))]
fn detect() -> Level {
    Level::Simd128
}

#[cfg(not(any(target_arch = "x86_64", all(target_arch = "wasm32", target_feature = "simd128"))))]
fn detect() -> Level {
    Level::Scalar
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scalar_is_everywhere_and_the_best_is_among_the_available() {
        let levels: Vec<Level> = Level::available().collect();
        assert_eq!(levels[0], Level::Scalar);
        assert!(levels.contains(&Level::best()), "{levels:?}");
    }

    /// Proves that no level is called runnable whose instructions the machine lacks.
    #[test]
    fn a_level_that_is_not_there_is_lowered() {
        for level in [Level::Scalar, Level::Simd128, Level::Avx2, Level::Avx512] {
            assert!(level.runnable() <= Level::best() && level.runnable() <= level, "{level:?}");
        }
        assert!(Level::available().all(|level| level.runnable() == level));
    }
}
