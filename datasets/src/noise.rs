//! Randomness: one seeded source, Gaussian samples from a table, and the grain of a sensor.
//!
//! Nothing here reads a clock or the environment, so a seed says everything.

use std::sync::OnceLock;

use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::{Rng, SeedableRng};

/// Entries of the Gaussian table: 12 bits, so that one 64-bit draw gives five samples and the table stays in L1.
const GAUSSIAN_ENTRIES: usize = 4096;

/// A seeded source of numbers.
#[derive(Clone)]
pub(crate) struct Random(Xoshiro256PlusPlus);

impl Random {
    /// The source that belongs to a seed.
    pub(crate) fn new(seed: u64) -> Random {
        Random(Xoshiro256PlusPlus::seed_from_u64(seed))
    }

    /// The next 64 bits.
    pub(crate) fn next(&mut self) -> u64 {
        self.0.next_u64()
    }

    /// A whole number in `0..end`; 0 when `end` is 0.
    pub(crate) fn below(&mut self, end: u32) -> u32 {
        (((self.next() >> 32) * u64::from(end)) >> 32) as u32
    }

    /// A whole number in `low..=high`.
    pub(crate) fn between(&mut self, low: u32, high: u32) -> u32 {
        low + self.below(high - low + 1)
    }

    /// A number in `0.0..1.0`.
    pub(crate) fn unit(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 24) as f32
    }

    /// A number in `low..high`.
    pub(crate) fn range(&mut self, low: f32, high: f32) -> f32 {
        low + (high - low) * self.unit()
    }

    /// True with the given probability.
    pub(crate) fn chance(&mut self, probability: f32) -> bool {
        self.unit() < probability
    }

    /// One of a few.
    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u32) as usize]
    }

    /// One of a few by weight.
    pub(crate) fn weighted<T: Copy>(&mut self, of: &[(T, f32)]) -> T {
        let mut left = self.unit() * of.iter().map(|(_, weight)| weight).sum::<f32>();
        for (value, weight) in of {
            left -= weight;
            if left < 0.0 {
                return *value;
            }
        }
        of[of.len() - 1].0
    }

    /// A sample of the normal distribution.
    pub(crate) fn gauss(&mut self) -> f32 {
        gaussian()[(self.next() >> 52) as usize]
    }
}

/// A seed made of a seed and a label (the finaliser of SplitMix64).
pub(crate) fn mix(seed: u64, label: u64) -> u64 {
    let mut z = seed ^ label.wrapping_mul(0x9E37_79B9_7F4A_7C15).wrapping_add(0x632B_E59B_D9B4_E019);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// Noise of a sensor, a row at a time: white samples, then a first-order blur along the row (charge spread,
/// reconstruction kernel) that keeps the standard deviation at 1.
pub(crate) struct Grain {
    random: Random,
    correlation: f32,
    above: Vec<f32>,
}

impl Grain {
    /// `correlation` between neighbours, 0 for white noise, below 1.
    pub(crate) fn new(seed: u64, correlation: f32) -> Grain {
        assert!((0.0..1.0).contains(&correlation), "a correlation is in 0..1");
        Grain { random: Random::new(seed), correlation, above: Vec::new() }
    }

    /// Fills the next row.
    pub(crate) fn fill(&mut self, row: &mut [f32]) {
        self.white(row);
        if self.correlation > 0.0 {
            self.blur(row);
        }
    }

    fn white(&mut self, row: &mut [f32]) {
        let table = gaussian();
        for five in row.chunks_mut(5) {
            let mut bits = self.random.next();
            for sample in five {
                *sample = table[(bits & (GAUSSIAN_ENTRIES as u64 - 1)) as usize];
                bits >>= 12;
            }
        }
    }

    /// A separable first-order recursive filter: along the row, then against the row above.
    fn blur(&mut self, row: &mut [f32]) {
        let (keep, new) = (self.correlation, (1.0 - self.correlation * self.correlation).sqrt());
        let mut last = row.first().copied().unwrap_or(0.0);
        for sample in row.iter_mut() {
            last = keep * last + new * *sample;
            *sample = last;
        }
        if self.above.len() == row.len() {
            for (sample, above) in row.iter_mut().zip(&self.above) {
                *sample = keep * above + new * *sample;
            }
        }
        self.above.clear();
        self.above.extend_from_slice(row);
    }
}

/// Quantiles of the normal distribution, drawn uniformly they are Gaussian samples.
fn gaussian() -> &'static [f32; GAUSSIAN_ENTRIES] {
    static TABLE: OnceLock<[f32; GAUSSIAN_ENTRIES]> = OnceLock::new();
    TABLE.get_or_init(|| std::array::from_fn(|i| quantile((i as f64 + 0.5) / GAUSSIAN_ENTRIES as f64) as f32))
}

/// The inverse of the normal distribution by bisection on its integral; only for the table.
fn quantile(probability: f64) -> f64 {
    let (mut low, mut high) = (-6.0f64, 6.0f64);
    for _ in 0..48 {
        let middle = (low + high) / 2.0;
        if cumulative(middle) < probability { low = middle } else { high = middle }
    }
    low
}

/// Φ(x) by its power series, which converges well in −6..6 (Abramowitz and Stegun 26.2.11).
fn cumulative(x: f64) -> f64 {
    let (mut term, mut sum, mut n) = (x, x, 1.0);
    while term.abs() > 1e-16 && n < 200.0 {
        n += 2.0;
        term *= x * x / n;
        sum += term;
    }
    0.5 + sum * (-x * x / 2.0).exp() / (2.0 * std::f64::consts::PI).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(row: &[f32]) -> (f32, f32) {
        let mean = row.iter().sum::<f32>() / row.len() as f32;
        let variance = row.iter().map(|x| (x - mean) * (x - mean)).sum::<f32>() / row.len() as f32;
        (mean, variance.sqrt())
    }

    #[test]
    fn grain_has_mean_0_and_deviation_1_white_or_correlated() {
        for correlation in [0.0, 0.4] {
            let mut grain = Grain::new(7, correlation);
            let mut all = Vec::new();
            let mut row = vec![0.0; 4000];
            for _ in 0..50 {
                grain.fill(&mut row);
                all.extend_from_slice(&row);
            }
            let (mean, deviation) = spread(&all);
            assert!(mean.abs() < 0.02 && (deviation - 1.0).abs() < 0.02, "{correlation}: {mean} {deviation}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_numbers_and_another_gives_others() {
        let draw = |seed| (0..8).map(|_| 0).scan(Random::new(seed), |r, _| Some(r.next())).collect::<Vec<_>>();
        assert_eq!(draw(1), draw(1));
        assert_ne!(draw(1), draw(2));
    }
}
