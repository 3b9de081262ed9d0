//! Leads, units and waveforms of MFER as DICOM codes them.

use crate::waveform::Channel;

/// Coding scheme of what only MFER codes (PS3.3 §8.2: private schemes begin with 99).
pub(super) const MFER: &str = "99MFER";

/// Leads whose MFER code n is `2:n` of MDC in CID 3001 (ISO/IEEE 11073-10101), with their names.
#[rustfmt::skip]
const LEADS: [(u16, &str); 29] = [
    (1, "I"), (2, "II"), (3, "V1"), (4, "V2"), (5, "V3"), (6, "V4"), (7, "V5"), (8, "V6"), (9, "V7"), (10, "V2R"),
    (11, "V3R"), (12, "V4R"), (13, "V5R"), (14, "V6R"), (15, "V7R"), (16, "X"), (17, "Y"), (18, "Z"), (19, "CC5"),
    (20, "CM5"), (61, "III"), (62, "aVR"), (63, "aVL"), (64, "aVF"), (65, "-aVR"), (66, "V8"), (67, "V9"), (68, "V8R"),
    (69, "V9R"),
];

/// Other codes that are public.
#[rustfmt::skip]
const OTHERS: [(u16, &str); 16] = [
    (0, "Unspecified lead"), (31, "NASA"), (32, "CB4"), (33, "CB5"), (34, "CB6"), (70, "D"), (71, "A"), (72, "J"),
    (143, "Blood pressure"), (160, "Impedance respiration"), (175, "SpO2"), (0x200, "Heart sound"),
    (0x201, "Heart sound low"), (0x202, "Heart sound mid"), (0x203, "Heart sound high"), (4163, "Respiration"),
];

/// Whether a channel's source is an ECG lead of CID 3001.
pub(super) fn is_ecg_lead(lead: u16) -> bool {
    LEADS.iter().any(|(code, _)| *code == lead)
}

/// Channel Source: value, scheme, meaning.
pub(super) fn source(channel: &Channel) -> (String, &'static str, String) {
    let lead = channel.lead;
    if let Some((_, name)) = LEADS.iter().find(|(code, _)| *code == lead) {
        return (format!("2:{lead}"), "MDC", format!("Lead {name}"));
    }
    let known = OTHERS.iter().find(|(code, _)| *code == lead).map(|(_, name)| (*name).to_owned());
    let meaning = known.unwrap_or_else(|| format!("MFER waveform {lead}"));
    (lead.to_string(), MFER, if channel.name.is_empty() { meaning } else { channel.name.clone() })
}

/// A unit of SEN: UCUM code, meaning, and the power of ten of the MFER unit in it (µV for V, as ECGs are written).
pub(super) fn unit(unit: u8) -> Option<(&'static str, &'static str, i32)> {
    Some(match unit {
        0 => ("uV", "microvolt", 6),
        1 => ("mm[Hg]", "mmHg", 0),
        2 => ("Pa", "pascal", 0),
        3 => ("cm[H2O]", "cmH2O", 0),
        4 => ("mm[Hg]/s", "mmHg/s", 0),
        5 => ("dyn", "dyne", 0),
        6 => ("N", "newton", 0),
        7 => ("%", "percent", 0),
        8 => ("Cel", "degree Celsius", 0),
        9 => ("/min", "per minute", 0),
        10 => ("/s", "per second", 0),
        11 => ("Ohm", "ohm", 0),
        12 => ("A", "ampere", 0),
        13 => ("/min", "revolutions per minute", 0),
        14 => ("W", "watt", 0),
        15 => ("dB", "decibel", 0),
        16 => ("kg", "kilogram", 0),
        17 => ("J", "joule", 0),
        18 => ("dyn.s/m2/cm5", "dyne second per square metre and cm5", 0),
        19 => ("L", "litre", 0),
        20 => ("L/s", "litre per second", 0),
        21 => ("L/min", "litre per minute", 0),
        22 => ("cd", "candela", 0),
        _ => return None,
    })
}

/// UCUM code of the unit of a measurement, as devices write it.
pub(super) fn written_unit(unit: &str) -> Option<&'static str> {
    Some(match unit {
        "ms" | "msec" => "ms",
        "s" | "sec" => "s",
        "mV" => "mV",
        "uV" | "µV" | "μV" => "uV",
        "bpm" | "/min" | "1/min" => "/min",
        "deg" | "°" | "degree" => "deg",
        "Hz" => "Hz",
        "%" => "%",
        "" => "1",
        _ => return None,
    })
}

/// What a waveform is (WFM): Multiplex Group Label, and whether it was derived from others.
pub(super) fn label(waveform: u16) -> (&'static str, bool) {
    match waveform {
        8 | 9 => ("MEDIAN BEAT", true),
        30 => ("PHONOCARDIOGRAM", false),
        31 => ("PULSE WAVE", false),
        0..=7 | 20 | 21 => ("RHYTHM", false),
        _ => ("WAVEFORM", false),
    }
}

/// Brain waves, magnetocardiograms and analyses of them: no ECG object may hold these (WFM).
pub(super) fn is_of_the_heart(waveform: u16) -> bool {
    !matches!(waveform, 25 | 26 | 40..=43 | 100)
}
