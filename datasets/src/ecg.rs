//! The resting 12-lead ECG: ten seconds, PQRST a lead, breathing, mains and muscle.
//!
//! Source: PS3.3 §A.34.3 (12-lead ECG IOD), §C.10.9 (Waveform module), §C.10.10 (annotations); CID 3001 (leads).

use std::sync::Arc;

use crate::noise::{Random, mix};
use crate::study::{Job, Series, Study};
use crate::tags;
use crate::writer::{DataSet, Value};

const TWELVE_LEAD_ECG: &str = "1.2.840.10008.5.1.4.1.1.9.1.1";

/// Leads in their usual order: label, MDC code of CID 3001.
#[rustfmt::skip]
const LEADS: [(&str, &str); 12] = [
    ("I", "2:1"), ("II", "2:2"), ("III", "2:61"), ("aVR", "2:62"), ("aVL", "2:63"), ("aVF", "2:64"),
    ("V1", "2:3"), ("V2", "2:4"), ("V3", "2:5"), ("V4", "2:6"), ("V5", "2:7"), ("V6", "2:8"),
];

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

/// One recording: what was drawn of it.
struct Recording {
    hertz: u32,
    microvolts: f32,
    rate: f32,
    seed: u64,
}

/// One instance.
pub(crate) fn jobs(_study: &Study) -> Vec<Job> {
    let series = Arc::new(Series {
        number: 1,
        modality: "ECG",
        description: ("12誘導心電図", "12-LEAD ECG"),
        body_part: "",
        maker: ("Tanpopo Medical", "TM Cardio 12"),
    });
    let make = |study: &Study, set: &mut DataSet| {
        let mut random = study.random(50);
        let recording = Recording {
            hertz: *random.pick(&[500, 1000]),
            microvolts: *random.pick(&[1.25, 2.5, 5.0]),
            rate: random.range(52.0, 92.0),
            seed: mix(study.seed, 51),
        };
        recording.describe(study, set);
        study.habits().syntax
    };
    vec![Job { series, sop_class: TWELVE_LEAD_ECG, number: 1, make: Box::new(make) }]
}

impl Recording {
    fn describe(&self, study: &Study, set: &mut DataSet) {
        set.text(tags::ACQUISITION_DATE_TIME, format!("{}{}", study.study_date, study.study_time));
        set.text(tags::SYNCHRONIZATION_TRIGGER, "NO TRIGGER").text(tags::ACQUISITION_TIME_SYNCHRONIZED, "N");
        set.text(tags::SYNCHRONIZATION_FRAME_OF_REFERENCE_UID, study.series_uid(901));
        set.items(tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new());
        let annotations = self.annotations(set);
        set.items(tags::WAVEFORM_ANNOTATION_SEQUENCE, annotations);
        let group = self.multiplex_group(set);
        set.items(tags::WAVEFORM_SEQUENCE, vec![group]);
    }

    fn multiplex_group(&self, set: &DataSet) -> DataSet {
        let samples = 10 * self.hertz;
        let mut group = set.item();
        group.text(tags::MULTIPLEX_GROUP_TIME_OFFSET, "0").text(tags::WAVEFORM_ORIGINALITY, "ORIGINAL");
        group.short(tags::NUMBER_OF_WAVEFORM_CHANNELS, &[12]).long(tags::NUMBER_OF_WAVEFORM_SAMPLES, &[samples]);
        group.text(tags::SAMPLING_FREQUENCY, self.hertz.to_string()).text(tags::MULTIPLEX_GROUP_LABEL, "RHYTHM");
        let channels = LEADS.iter().enumerate().map(|(index, lead)| self.channel(set, index, *lead)).collect();
        group.items(tags::CHANNEL_DEFINITION_SEQUENCE, channels);
        group.short(tags::WAVEFORM_BITS_ALLOCATED, &[16]).text(tags::WAVEFORM_SAMPLE_INTERPRETATION, "SS");
        group.put(tags::WAVEFORM_DATA, Value::Plain(2, self.samples()));
        group
    }

    fn channel(&self, set: &DataSet, index: usize, (label, code): (&str, &str)) -> DataSet {
        let mut channel = set.item();
        channel.text(tags::WAVEFORM_CHANNEL_NUMBER, (index + 1).to_string());
        channel.text(tags::CHANNEL_LABEL, format!("Lead {label}")).text(tags::CHANNEL_STATUS, "OK");
        channel.code(tags::CHANNEL_SOURCE_SEQUENCE, code, "MDC", &format!("Lead {label}"));
        channel.text(tags::CHANNEL_SENSITIVITY, self.microvolts.to_string());
        channel.code(tags::CHANNEL_SENSITIVITY_UNITS_SEQUENCE, "uV", "UCUM", "microvolt");
        channel.text(tags::CHANNEL_SENSITIVITY_CORRECTION_FACTOR, "1").text(tags::CHANNEL_BASELINE, "0");
        channel.text(tags::CHANNEL_SAMPLE_SKEW, "0").short(tags::WAVEFORM_BITS_STORED, &[16]);
        channel.text(tags::FILTER_LOW_FREQUENCY, "0.05").text(tags::FILTER_HIGH_FREQUENCY, "150");
        channel.text(tags::NOTCH_FILTER_FREQUENCY, "50");
        channel
    }

    /// The device's own measurements and statement, of all channels (PS3.3 §C.10.10).
    fn annotations(&self, set: &DataSet) -> Vec<DataSet> {
        let rr = 60_000.0 / self.rate;
        let qt = 390.0 * (rr / 1000.0).sqrt();
        let measures = [
            ("5.10.2.1-3", "RR Interval", rr),
            ("5.13.5-7", "PR Interval", 156.0),
            ("5.13.5-9", "QRS Duration", 92.0),
            ("5.13.5-11", "QT Interval", qt),
            ("5.10.2.5-5", "QTc Interval", 390.0),
        ];
        let measured = |(code, meaning, value): (&str, &str, f32)| {
            let mut item = set.item();
            item.short(tags::REFERENCED_WAVEFORM_CHANNELS, &[1, 0]);
            item.code(tags::CONCEPT_NAME_CODE_SEQUENCE, code, "SCPECG", meaning);
            item.code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, "ms", "UCUM", "millisecond");
            item.text(tags::NUMERIC_VALUE, format!("{value:.0}"));
            item
        };
        let mut statement = set.item();
        statement.short(tags::REFERENCED_WAVEFORM_CHANNELS, &[1, 0]);
        statement.text(tags::UNFORMATTED_TEXT_VALUE, "Sinus rhythm. Normal ECG (automatic, unconfirmed)");
        measures.into_iter().map(measured).chain([statement]).collect()
    }

    /// Samples, interleaved by channel, 16-bit little-endian.
    fn samples(&self) -> Vec<u8> {
        let [one, two, chest @ ..] = self.recorded();
        let mut bytes = Vec::with_capacity(one.len() * 24);
        for (i, (one, two)) in one.into_iter().zip(two).enumerate() {
            // Einthoven and Goldberger: the other limb leads follow from I and II.
            let limbs = [one, two, two - one, -(one + two) / 2, one - two / 2, two - one / 2];
            for value in limbs.into_iter().chain(chest.iter().map(|lead| lead[i])) {
                bytes.extend_from_slice(&(value.clamp(-32_767, 32_767) as i16).to_le_bytes());
            }
        }
        bytes
    }

    /// The eight recorded leads in steps of the sensitivity.
    fn recorded(&self) -> [Vec<i32>; 8] {
        let mut random = Random::new(self.seed);
        let beats = self.beats(&mut random);
        let axis = random.range(0.8, 1.15);
        let phase = random.range(0.0, std::f32::consts::TAU);
        WAVES.map(|waves| {
            let gain = axis * random.range(0.85, 1.15);
            let wander = random.range(0.02, 0.06);
            let sample = |i: u32, grain: f32| {
                let t = i as f32 / self.hertz as f32;
                let heart: f32 = beats.iter().map(|(at, rr)| beat(&waves, t - at, *rr)).sum();
                let breath = wander * (std::f32::consts::TAU * 0.24 * t + phase).sin();
                let mains = 0.004 * (std::f32::consts::TAU * 50.0 * t).sin();
                ((gain * heart + breath + mains + 0.006 * grain) * 1000.0 / self.microvolts).round() as i32
            };
            (0..10 * self.hertz).map(|i| sample(i, random.gauss())).collect()
        })
    }

    /// Times of the R waves in s with their RR intervals, some before and after the ten seconds.
    fn beats(&self, random: &mut Random) -> Vec<(f32, f32)> {
        let mut at = -random.range(0.2, 0.9);
        let mut beats = Vec::new();
        while at < 11.0 {
            let breath = 1.0 + 0.04 * (std::f32::consts::TAU * 0.24 * at).sin();
            let rr = 60.0 / self.rate * breath * random.range(0.985, 1.015);
            beats.push((at, rr));
            at += rr;
        }
        beats
    }
}

/// P, Q, R, S, T as bells around their usual times; T follows the square root of RR.
fn beat(amplitudes: &[f32; 5], t: f32, rr: f32) -> f32 {
    if !(-0.4..0.7).contains(&t) {
        return 0.0;
    }
    let stretch = rr.sqrt();
    let places = [(-0.165, 0.022), (-0.03, 0.008), (0.0, 0.011), (0.032, 0.011), (0.27 * stretch, 0.05 * stretch)];
    places.iter().zip(amplitudes).map(|((at, width), amplitude)| amplitude * bell((t - at) / width)).sum()
}

fn bell(x: f32) -> f32 {
    if x.abs() > 5.0 { 0.0 } else { (-x * x / 2.0).exp() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_of_twelve_leads_obey_einthoven_and_have_an_r_wave_a_beat() {
        let recording = Recording { hertz: 500, microvolts: 2.5, rate: 60.0, seed: 3 };
        let bytes = recording.samples();
        assert_eq!(bytes.len(), 10 * 500 * 12 * 2);
        let at = |i: usize, lead: usize| {
            let place = (i * 12 + lead) * 2;
            i32::from(i16::from_le_bytes([bytes[place], bytes[place + 1]]))
        };
        let mut rises = 0;
        for i in 0..5000 {
            assert_eq!(at(i, 2), at(i, 1) - at(i, 0), "III = II - I at {i}");
            let millivolts = |i| at(i, 1) as f32 * 0.0025;
            rises += usize::from(i > 0 && millivolts(i - 1) < 0.6 && millivolts(i) >= 0.6);
        }
        assert!((9..=11).contains(&rises), "{rises} R waves in ten seconds at 60 a minute");
    }
}
