//! The resting 12-lead ECG: ten seconds as DICOM.
//!
//! Source: PS3.3 §A.34.3 (12-lead ECG IOD), §C.10.9 (Waveform module), §C.10.10 (annotations); CID 3001 (leads).

use std::sync::Arc;

use crate::heart::{Finding, Heart};
use crate::noise::mix;
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

/// One recording: what was drawn of it.
pub(crate) struct Recording {
    pub(crate) hertz: u32,
    pub(crate) microvolts: f32,
    pub(crate) heart: Heart,
    /// What the device says of it, and measures: it may be wrong.
    pub(crate) said: Finding,
}

/// One instance.
pub(crate) fn jobs(_study: &Study) -> Vec<Job> {
    let make = |study: &Study, set: &mut DataSet| {
        let mut random = study.random(50);
        let recording = Recording {
            hertz: *random.pick(&[500, 1000]),
            microvolts: *random.pick(&[1.25, 2.5, 5.0]),
            heart: Heart { rate: random.range(52.0, 92.0), finding: Finding::Normal, seed: mix(study.seed, 51) },
            said: Finding::Normal,
        };
        recording.describe(study, set, false);
        study.habits().syntax
    };
    vec![Job { series: series(), sop_class: TWELVE_LEAD_ECG, number: 1, make: Box::new(make) }]
}

/// One instance of a school: of this recording, of a programme and an institution of its own.
pub(crate) fn school_job(recording: Recording, programme: String, school: &'static str) -> Job {
    let make = move |study: &Study, set: &mut DataSet| {
        set.text(tags::STUDY_DESCRIPTION, &programme).text(tags::INSTITUTION_NAME, school);
        // Its MFER files name no issuer: a child's recordings are one person's.
        set.remove(tags::ISSUER_OF_PATIENT_ID);
        recording.describe(study, set, true);
        study.habits().syntax
    };
    Job { series: series(), sop_class: TWELVE_LEAD_ECG, number: 1, make: Box::new(make) }
}

fn series() -> Arc<Series> {
    Arc::new(Series {
        number: 1,
        modality: "ECG",
        description: ("12誘導心電図", "12-LEAD ECG"),
        body_part: "",
        maker: ("Tanpopo Medical", "TM Cardio 12"),
    })
}

impl Recording {
    fn describe(&self, study: &Study, set: &mut DataSet, japanese: bool) {
        set.text(tags::ACQUISITION_DATE_TIME, format!("{}{}", study.study_date, study.study_time));
        set.text(tags::SYNCHRONIZATION_TRIGGER, "NO TRIGGER").text(tags::ACQUISITION_TIME_SYNCHRONIZED, "N");
        set.text(tags::SYNCHRONIZATION_FRAME_OF_REFERENCE_UID, study.series_uid(901));
        set.items(tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new());
        let annotations = self.annotations(set, japanese);
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
    fn annotations(&self, set: &DataSet, japanese: bool) -> Vec<DataSet> {
        let intervals = self.said.intervals(self.heart.rate);
        let measures = [
            ("5.10.2.1-3", "RR Interval", intervals.rr),
            ("5.13.5-7", "PR Interval", intervals.pr),
            ("5.13.5-9", "QRS Duration", intervals.qrs),
            ("5.13.5-11", "QT Interval", intervals.qt),
            ("5.10.2.5-5", "QTc Interval", intervals.qtc),
        ];
        let measured = |(code, meaning, value): (&str, &str, f32)| {
            let mut item = set.item();
            item.short(tags::REFERENCED_WAVEFORM_CHANNELS, &[1, 0]);
            item.code(tags::CONCEPT_NAME_CODE_SEQUENCE, code, "SCPECG", meaning);
            item.code(tags::MEASUREMENT_UNITS_CODE_SEQUENCE, "ms", "UCUM", "millisecond");
            item.text(tags::NUMERIC_VALUE, format!("{value:.0}"));
            item
        };
        let said = |text: &str| {
            let mut statement = set.item();
            statement.short(tags::REFERENCED_WAVEFORM_CHANNELS, &[1, 0]);
            statement.text(tags::UNFORMATTED_TEXT_VALUE, text);
            statement
        };
        let (in_japanese, in_english) = self.said.statement();
        let japanese = (japanese && set.is_japanese()).then(|| said(in_japanese));
        measures.into_iter().map(measured).chain(japanese).chain([said(in_english)]).collect()
    }

    /// Samples, interleaved by channel, 16-bit little-endian.
    fn samples(&self) -> Vec<u8> {
        let [one, two, chest @ ..] = self.heart.leads(self.hertz, self.microvolts);
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
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_seconds_of_twelve_leads_obey_einthoven_and_have_an_r_wave_a_beat() {
        let recording = Recording {
            hertz: 500,
            microvolts: 2.5,
            heart: Heart { rate: 60.0, finding: Finding::Normal, seed: 3 },
            said: Finding::Normal,
        };
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
