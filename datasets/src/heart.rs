//! A heart as an ECG and a phonocardiogram record it: PQRST a lead, breathing, mains and muscle, and what may be wrong.

use crate::noise::{Random, mix};

/// Amplitudes in mV of P, Q, R, S, T for the eight leads that are recorded: I, II, V1…V6.
const WAVES: [[f32; 5]; 8] = [
    [0.08, -0.05, 0.75, -0.12, 0.22],
    [0.14, -0.07, 1.1, -0.16, 0.32],
    [0.06, 0.0, 0.22, -0.95, -0.06],
    [0.07, 0.0, 0.45, -1.4, 0.4],
    [0.07, 0.0, 0.8, -0.9, 0.48],
    [0.07, -0.04, 1.35, -0.5, 0.42],
    [0.07, -0.08, 1.25, -0.2, 0.34],
    [0.07, -0.08, 0.95, -0.06, 0.25],
];

/// Where the T wave begins to be counted from the R wave, in s at one beat a second.
const T_AFTER_R: f32 = 0.27;

/// What a heart shows.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Finding {
    #[default]
    Normal,
    /// Short PR, delta wave, wide QRS.
    Wpw,
    /// QTc of about 490 ms.
    LongQt,
    /// Complete right bundle branch block: R' in V1 and V2, a broad S in I and V6.
    RightBundleBranchBlock,
    /// A premature ventricular beat now and then.
    VentricularEctopy,
    /// PR of about 250 ms.
    FirstDegreeBlock,
    /// T inverted in II, V5 and V6.
    InvertedT,
}

/// Intervals of a heart in ms, as a device prints them.
pub(crate) struct Intervals {
    pub(crate) rr: f32,
    pub(crate) pr: f32,
    pub(crate) qrs: f32,
    pub(crate) qt: f32,
    /// By Bazett.
    pub(crate) qtc: f32,
}

impl Finding {
    /// Those that are not normal.
    pub(crate) const ABNORMAL: [Finding; 6] = [
        Finding::Wpw,
        Finding::LongQt,
        Finding::RightBundleBranchBlock,
        Finding::VentricularEctopy,
        Finding::FirstDegreeBlock,
        Finding::InvertedT,
    ];

    /// What a device that sees it prints, in Japanese and in English.
    pub(crate) fn statement(self) -> (&'static str, &'static str) {
        match self {
            Finding::Normal => ("正常範囲内", "Sinus rhythm. Normal ECG (automatic, unconfirmed)"),
            Finding::Wpw => ("WPW症候群の疑い", "Abnormal ECG: Wolff-Parkinson-White pattern (automatic, unconfirmed)"),
            Finding::LongQt => ("QT延長", "Abnormal ECG: prolonged QT interval (automatic, unconfirmed)"),
            Finding::RightBundleBranchBlock => {
                ("完全右脚ブロック", "Abnormal ECG: complete right bundle branch block (automatic, unconfirmed)")
            }
            Finding::VentricularEctopy => {
                ("心室性期外収縮", "Abnormal ECG: ventricular premature complexes (automatic, unconfirmed)")
            }
            Finding::FirstDegreeBlock => {
                ("第1度房室ブロック", "Abnormal ECG: first degree AV block (automatic, unconfirmed)")
            }
            Finding::InvertedT => ("T波異常", "Abnormal ECG: T wave abnormality (automatic, unconfirmed)"),
        }
    }

    /// Intervals at so many beats a minute.
    pub(crate) fn intervals(self, rate: f32) -> Intervals {
        let rr = 60_000.0 / rate;
        let qtc = if self == Finding::LongQt { 490.0 } else { 390.0 };
        let pr = match self {
            Finding::Wpw => 100.0,
            Finding::FirstDegreeBlock => 248.0,
            _ => 156.0,
        };
        let qrs = match self {
            Finding::Wpw | Finding::RightBundleBranchBlock => 130.0,
            _ => 92.0,
        };
        Intervals { rr, pr, qrs, qt: qtc * (rr / 1000.0).sqrt(), qtc }
    }
}

/// One recording of a heart.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Heart {
    /// Beats a minute.
    pub(crate) rate: f32,
    pub(crate) finding: Finding,
    pub(crate) seed: u64,
}

/// One beat: when its R wave is, in s, how long it lasts, and whether it is a premature ventricular one.
#[derive(Clone, Copy)]
struct Beat {
    at: f32,
    rr: f32,
    ectopic: bool,
}

impl Heart {
    /// The eight recorded leads (I, II, V1…V6) for ten seconds, in steps of a sensitivity in µV.
    pub(crate) fn leads(&self, hertz: u32, microvolts: f32) -> [Vec<i32>; 8] {
        let mut random = Random::new(self.seed);
        let beats = self.beats(&mut random);
        let axis = random.range(0.8, 1.15);
        let phase = random.range(0.0, std::f32::consts::TAU);
        let mut lead = 0;
        WAVES.map(|waves| {
            let gain = axis * random.range(0.85, 1.15);
            let wander = random.range(0.02, 0.06);
            let place = lead;
            lead += 1;
            let sample = |i: u32, grain: f32| {
                let t = i as f32 / hertz as f32;
                let heart: f32 = beats.iter().map(|beat| self.beat(place, &waves, t - beat.at, beat)).sum();
                let breath = wander * (std::f32::consts::TAU * 0.24 * t + phase).sin();
                let mains = 0.004 * (std::f32::consts::TAU * 50.0 * t).sin();
                ((gain * heart + breath + mains + 0.006 * grain) * 1000.0 / microvolts).round() as i32
            };
            (0..10 * hertz).map(|i| sample(i, random.gauss())).collect()
        })
    }

    /// The beat that a device averages of the eight leads: 1.2 s without noise, R at 0.4 s.
    pub(crate) fn median(&self, hertz: u32, microvolts: f32) -> [Vec<i32>; 8] {
        let beat = Beat { at: 0.4, rr: 60.0 / self.rate, ectopic: false };
        let mut lead = 0;
        WAVES.map(|waves| {
            let place = lead;
            lead += 1;
            let sample = |i: u32| {
                let value = self.beat(place, &waves, i as f32 / hertz as f32 - beat.at, &beat);
                (value * 1000.0 / microvolts).round() as i32
            };
            (0..12 * hertz / 10).map(sample).collect()
        })
    }

    /// A phonocardiogram of two points for ten seconds, in steps of no stated unit: first and second heart sound, and a
    /// murmur between them if there is one.
    pub(crate) fn sounds(&self, hertz: u32, murmur: bool) -> [Vec<i32>; 2] {
        // The beats are those of the leads: the same numbers are drawn first.
        let beats = self.beats(&mut Random::new(self.seed));
        [(1.0, 0.7), (0.6, 1.0)].map(|(first, second)| {
            let mut random = Random::new(mix(self.seed, if first > second { 7 } else { 8 }));
            let sample = |i: u32, grain: f32| {
                let t = i as f32 / hertz as f32;
                let sound = |beat: &Beat| {
                    let after = t - beat.at;
                    let end = 0.33 * beat.rr.sqrt();
                    let systole = if murmur && (0.1..end - 0.05).contains(&after) {
                        0.18 * (std::f32::consts::TAU * 130.0 * after).sin()
                    } else {
                        0.0
                    };
                    first * burst(after - 0.045, 55.0) + second * burst(after - end, 75.0) + systole
                };
                let heart: f32 = beats.iter().map(sound).sum();
                ((heart + 0.015 * grain) * 6000.0).round() as i32
            };
            (0..10 * hertz).map(|i| sample(i, random.gauss())).collect()
        })
    }

    /// The beats, some before and after the ten seconds.
    fn beats(&self, random: &mut Random) -> Vec<Beat> {
        let mut at = -random.range(0.2, 0.9);
        let mut beats = Vec::new();
        while at < 11.0 {
            let breath = 1.0 + 0.04 * (std::f32::consts::TAU * 0.24 * at).sin();
            let rr = 60.0 / self.rate * breath * random.range(0.985, 1.015);
            let ectopic = self.finding == Finding::VentricularEctopy && beats.len() % 5 == 3;
            // A premature beat comes early, and the pause after it makes up for that.
            let early = if ectopic { 0.35 * rr } else { 0.0 };
            beats.push(Beat { at: at - early, rr, ectopic });
            at += rr;
        }
        beats
    }

    /// P, Q, R, S, T as bells around their usual times, `t` after the R wave; T follows the square root of RR.
    fn beat(&self, lead: usize, amplitudes: &[f32; 5], t: f32, beat: &Beat) -> f32 {
        if !(-0.4..0.7).contains(&t) {
            return 0.0;
        }
        if beat.ectopic {
            let sign = if amplitudes[2] > amplitudes[3].abs() { 1.0 } else { -1.0 };
            return sign * (1.6 * bell((t - 0.02) / 0.038) - 0.6 * bell((t - 0.3) / 0.06));
        }
        let stretch = beat.rr.sqrt();
        let (mut waves, mut p, mut t_at) = (*amplitudes, -0.165, T_AFTER_R * stretch);
        let mut more = 0.0;
        match self.finding {
            Finding::Normal | Finding::VentricularEctopy => {}
            Finding::Wpw => {
                p = -0.125;
                more = 0.3 * waves[2] * bell((t + 0.038) / 0.016);
            }
            Finding::LongQt => t_at += 0.1 * stretch,
            Finding::RightBundleBranchBlock if matches!(lead, 2 | 3) => more = 0.9 * bell((t - 0.068) / 0.016),
            Finding::RightBundleBranchBlock => more = -0.22 * bell((t - 0.062) / 0.02),
            Finding::FirstDegreeBlock => p = -0.257,
            Finding::InvertedT if matches!(lead, 1 | 6 | 7) => waves[4] *= -0.7,
            Finding::InvertedT => waves[4] *= 0.4,
        }
        let places = [(p, 0.022), (-0.03, 0.008), (0.0, 0.011), (0.032, 0.011), (t_at, 0.05 * stretch)];
        let usual: f32 =
            places.iter().zip(&waves).map(|((at, width), amplitude)| amplitude * bell((t - at) / width)).sum();
        usual + more
    }
}

fn bell(x: f32) -> f32 {
    if x.abs() > 5.0 { 0.0 } else { (-x * x / 2.0).exp() }
}

/// A heart sound: some waves of a frequency that rise and die away.
fn burst(t: f32, hertz: f32) -> f32 {
    bell(t / 0.018) * (std::f32::consts::TAU * hertz * t).sin()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every finding changes the trace where it is said to, and a normal heart's traces are those of its seed.
    #[test]
    fn a_finding_is_seen_in_the_median_beat() {
        let median = |finding| Heart { rate: 60.0, finding, seed: 9 }.median(500, 5.0);
        let normal = median(Finding::Normal);
        let largest = |a: &[i32], b: &[i32]| a.iter().zip(b).map(|(a, b)| (a - b).abs()).max().unwrap_or(0);
        for finding in Finding::ABNORMAL {
            let found = median(finding);
            let differs = (0..8).any(|lead| largest(&normal[lead], &found[lead]) > 15);
            assert_eq!(differs, finding != Finding::VentricularEctopy, "{finding:?}");
        }
    }

    #[test]
    fn two_sounds_a_beat() {
        let heart = Heart { rate: 60.0, finding: Finding::Normal, seed: 4 };
        let [apex, _] = heart.sounds(1000, false);
        let loud: Vec<usize> = apex.iter().enumerate().filter(|(_, v)| v.abs() > 2200).map(|(i, _)| i).collect();
        let sounds = 1 + loud.windows(2).filter(|pair| pair[1] - pair[0] > 100).count();
        assert!((18..=22).contains(&sounds), "{sounds} sounds in ten seconds at 60 a minute");
    }
}
