//! What an MFER file says, in the words of ISO 22077-1 and the numbers of the file.

use std::ops::Range;
use std::sync::Arc;

/// A whole file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Recording {
    /// The title of the preamble (PRE).
    pub title: String,
    /// What recorded it (MAN).
    pub maker: Maker,
    /// Whose it is.
    pub patient: Patient,
    /// When it begins (TIM).
    pub time: Option<Time>,
    /// The sampling interval that time points are counted in (IVL outside of any channel).
    pub root: Interval,
    /// The waveforms (WAV), in the order of the file.
    pub groups: Vec<Group>,
    /// Events (EVT).
    pub events: Vec<Event>,
    /// Measurements (VAL).
    pub values: Vec<Value>,
    /// Comments, messages and supplementary information (NTE, MSS, INF).
    pub notes: Vec<String>,
    /// What was odd and was passed over.
    pub warnings: Vec<Warning>,
}

/// Maker, model, version and serial number.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Maker {
    /// The maker.
    pub name: String,
    /// The model.
    pub model: String,
    /// Its version.
    pub version: String,
    /// Its serial number.
    pub serial: String,
}

/// Who was recorded.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Patient {
    /// The name (PNM).
    pub name: PersonName,
    /// The first ID that is not empty: confirmed, at the test, provisional (PID).
    pub id: String,
    /// Year, month and day of birth (AGE), where they are a date.
    pub birth: Option<(u16, u8, u8)>,
    /// Age in years (AGE), where it is known.
    pub years: Option<u8>,
    /// Sex (SEX).
    pub sex: Sex,
}

/// A name in parts; a part that is not given is empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PersonName {
    /// Family name, or the whole of it.
    pub family: String,
    /// Given name.
    pub given: String,
    /// Middle name.
    pub middle: String,
    /// Family name in kana, or the whole of it.
    pub family_kana: String,
    /// Given name in kana.
    pub given_kana: String,
    /// Middle name in kana.
    pub middle_kana: String,
}

/// Sex as MFER codes it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sex {
    /// 0, or anything else.
    #[default]
    Unknown,
    /// 1.
    Male,
    /// 2.
    Female,
    /// 3.
    Other,
}

/// A local time, as precise as it was written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Time {
    /// Year.
    pub year: u16,
    /// Month, from 1.
    pub month: u8,
    /// Day, from 1.
    pub day: u8,
    /// Hour, minute, second.
    pub clock: Option<(u8, u8, u8)>,
    /// Microseconds of the second.
    pub microsecond: Option<u32>,
}

/// A sampling interval or frequency: mantissa · 10^exponent of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Interval {
    /// 0 Hz, 1 s, 2 m.
    pub unit: u8,
    /// Power of ten.
    pub exponent: i8,
    /// What it is multiplied with.
    pub mantissa: u32,
}

impl Default for Interval {
    /// 1000 Hz: what holds where nothing is said.
    fn default() -> Interval {
        Interval { unit: 0, exponent: 3, mantissa: 1 }
    }
}

impl Interval {
    /// Samples a second, or a metre.
    pub fn rate(&self) -> f64 {
        let exponent = i32::from(self.exponent);
        let mantissa = f64::from(self.mantissa);
        // Powers of ten up to 10^22 are exact: dividing by one rounds once, multiplying with its inverse twice.
        let power = 10f64.powi(exponent.abs());
        match (self.unit, exponent < 0) {
            (0, false) => mantissa * power,
            (0, true) => mantissa / power,
            (_, false) => 1.0 / (mantissa * power),
            (_, true) => power / mantissa,
        }
    }
}

/// What one step of a sample is: mantissa · 10^exponent of a unit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sensitivity {
    /// 0 V, 1 mmHg, 2 Pa, … (SEN).
    pub unit: u8,
    /// Power of ten.
    pub exponent: i8,
    /// What it is multiplied with.
    pub mantissa: u32,
}

/// One waveform: channels that were recorded together.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// What it is of (WFM): 1 standard 12-lead ECG, 9 dominant beat, 30 heart sound, …
    pub waveform: u16,
    /// Where it begins, in root sampling intervals (PNT, or behind the one before).
    pub start: u64,
    /// Filters of all channels (FLT), as they are written.
    pub filters: Arc<[String]>,
    /// The channels.
    pub channels: Vec<Channel>,
    /// Byte of its element.
    pub offset: usize,
}

/// One channel.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Channel {
    /// Lead or waveform code (LDN).
    pub lead: u16,
    /// Its name, where the file gives one.
    pub name: String,
    /// Its sampling interval.
    pub interval: Interval,
    /// What one step is; none where the file does not say: uncalibrated.
    pub sensitivity: Option<Sensitivity>,
    /// Added to a sample before it is multiplied (OFF).
    pub baseline: f64,
    /// Nanoseconds it was sampled after the first (SKW).
    pub skew_ns: i64,
    /// Filters of this channel alone (FLT), beside those of all.
    pub filters: Arc<[String]>,
    /// The samples; what stands at a missing one means nothing.
    pub samples: Samples,
    /// Which samples are missing: NUL, or not there; in order, never empty, never touching.
    pub missing: Vec<Range<u32>>,
}

/// Samples as they were stored.
#[derive(Clone, Debug, PartialEq)]
pub enum Samples {
    /// Integers of 8 to 32 bits.
    Integers(Vec<i32>),
    /// Floating point, and integers beyond 32 bits signed.
    Reals(Vec<f64>),
}

impl Default for Samples {
    fn default() -> Samples {
        Samples::Integers(Vec::new())
    }
}

impl Samples {
    /// How many.
    pub fn len(&self) -> usize {
        match self {
            Samples::Integers(samples) => samples.len(),
            Samples::Reals(samples) => samples.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// An event, in root sampling intervals.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Event {
    /// Its code; the tables are not public.
    pub code: u16,
    /// When; none is the whole record.
    pub start: Option<u32>,
    /// How long.
    pub duration: Option<u32>,
    /// The channel it is said of, counted from 0; none is all of them.
    pub channel: Option<u32>,
    /// Its text.
    pub text: String,
}

/// A measurement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Value {
    /// Its code; the tables are not public.
    pub code: u16,
    /// When, in root sampling intervals; 0 for the whole record.
    pub at: u32,
    /// The channel it is said of, counted from 0; none is all of them.
    pub channel: Option<u32>,
    /// The value as written.
    pub value: String,
    /// Its unit as written.
    pub unit: String,
}

/// Something odd that was passed over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Warning {
    /// At which byte.
    pub offset: usize,
    /// What.
    pub what: &'static str,
}
