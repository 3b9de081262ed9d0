//! Quantisation steps of the irreversible path: each subband's step is the wanted step at the picture divided by the
//! subband's L2 norm, so that an error of one step weighs the same wherever it is made (T.800 Annex E, J.14.4).

use crate::geometry::Orientation;

/// The 9/7 synthesis filters, low then high, with the gains of T.800 Annex F (low-pass 1 at DC, high-pass 2
/// at Nyquist).
const SYNTHESIS_LOW: [f64; 7] = [
    -0.091_271_763_114_249_48,
    -0.057_543_526_228_499_57,
    0.591_271_763_114_247,
    1.115_087_052_456_994,
    0.591_271_763_114_247,
    -0.057_543_526_228_499_57,
    -0.091_271_763_114_249_48,
];
const SYNTHESIS_HIGH: [f64; 9] = [
    0.026_748_757_410_809_76,
    0.016_864_118_442_874_95,
    -0.078_223_266_528_987_85,
    -0.266_864_118_442_872_3,
    0.602_949_018_236_357_9,
    -0.266_864_118_442_872_3,
    -0.078_223_266_528_987_85,
    0.016_864_118_442_874_95,
    0.026_748_757_410_809_76,
];

/// Levels for which the cascade is computed; beyond them each level multiplies a norm by the square root of 2.
const LEVELS_COMPUTED: u8 = 8;

/// L2 norm of the picture that one unit coefficient of a subband makes.
pub(super) fn norm(orientation: Orientation, level: u8) -> f64 {
    let (low, high) = (norm_1d(&SYNTHESIS_LOW, level), norm_1d(&SYNTHESIS_HIGH, level));
    match orientation {
        _ if level == 0 => 1.0,
        Orientation::LL => low * low,
        Orientation::HL | Orientation::LH => low * high,
        Orientation::HH => high * high,
    }
}

/// Norm of `first` put through `level - 1` more low-pass syntheses.
fn norm_1d(first: &[f64], level: u8) -> f64 {
    let mut function = first.to_vec();
    for _ in 1..level.min(LEVELS_COMPUTED) {
        let mut next = vec![0.0; function.len() * 2 + SYNTHESIS_LOW.len()];
        for (at, value) in function.iter().enumerate() {
            for (tap, weight) in SYNTHESIS_LOW.iter().enumerate() {
                next[2 * at + tap] += value * weight;
            }
        }
        function = next;
    }
    let energy: f64 = function.iter().map(|value| value * value).sum();
    energy.sqrt() * 2f64.sqrt().powi(i32::from(level.saturating_sub(LEVELS_COMPUTED)))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The norms that the literature gives for the 9/7 in these gains (LL 1.965, 4.177, 8.403; the high ones halved
    /// against tables that count the high-pass with gain 1).
    #[test]
    fn norms_are_those_of_the_filters() {
        let check = |orientation, level, expected: f64| {
            let actual = norm(orientation, level);
            assert!((actual - expected).abs() < 0.01 * expected, "{orientation:?} {level}: {actual}");
        };
        check(Orientation::LL, 0, 1.0);
        check(Orientation::LL, 1, 1.965);
        check(Orientation::LL, 2, 4.177);
        check(Orientation::LL, 3, 8.403);
        check(Orientation::HL, 1, 2.022 / 2.0);
        check(Orientation::LH, 2, 3.989 / 2.0);
        check(Orientation::HH, 1, 2.080 / 4.0);
        check(Orientation::HH, 2, 3.865 / 4.0);
        assert!((norm(Orientation::LL, 20) / norm(Orientation::LL, 19) - 2.0).abs() < 1e-9);
    }
}
