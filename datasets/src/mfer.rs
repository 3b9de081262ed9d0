//! MFER files (ISO 22077-1) as electrocardiographs write them, by a writer of our own.
//!
//! Two kinds: twelve leads of which the eight recorded are in the file, with the average beat; and the reduced set of
//! schools, I, aVF, V1 and V6, with a phonocardiogram of two points.

use encoding_rs::{ISO_2022_JP, SHIFT_JIS};

use crate::heart::{Finding, Heart};
use crate::names::Person;
use crate::noise::Random;

/// The code of "no data" among 16-bit samples.
const NUL: u32 = 0x8000;

/// How a maker writes text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Text {
    /// UTF-8, and says so.
    Utf8,
    /// Shift_JIS, and does not say so.
    ShiftJis,
    /// ISO-2022-JP, said as `JIS X 0208`.
    Jis,
}

/// How a maker writes a file.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Habits {
    pub(crate) big_endian: bool,
    pub(crate) text: Text,
    /// The preamble (PRE) is optional.
    pub(crate) preamble: bool,
}

/// One recording of one person.
pub(crate) struct Recording<'a> {
    pub(crate) person: &'a Person,
    /// `YYYYMMDD` and `HHMMSS`.
    pub(crate) at: (&'a str, &'a str),
    pub(crate) heart: Heart,
    /// What the device says of it.
    pub(crate) said: Finding,
    /// Whether the heart murmurs, where it is listened to.
    pub(crate) murmur: bool,
    pub(crate) habits: Habits,
}

/// Tags (ISO 22077-1).
#[rustfmt::skip]
mod tag {
    pub const BLE: u8 = 0x01; pub const TXC: u8 = 0x03; pub const BLK: u8 = 0x04; pub const CHN: u8 = 0x05;
    pub const SEQ: u8 = 0x06; pub const PNT: u8 = 0x07; pub const WFM: u8 = 0x08; pub const LDN: u8 = 0x09;
    pub const DTP: u8 = 0x0A; pub const IVL: u8 = 0x0B; pub const SEN: u8 = 0x0C; pub const FLT: u8 = 0x11;
    pub const NUL: u8 = 0x12; pub const NTE: u8 = 0x16; pub const MAN: u8 = 0x17; pub const WAV: u8 = 0x1E;
    pub const ATT: u8 = 0x3F; pub const PRE: u8 = 0x40; pub const EVT: u8 = 0x41; pub const VAL: u8 = 0x42;
    pub const END: u8 = 0x80; pub const PNM: u8 = 0x81; pub const PID: u8 = 0x82; pub const AGE: u8 = 0x83;
    pub const SEX: u8 = 0x84; pub const TIM: u8 = 0x85;
}

impl Recording<'_> {
    /// Eight leads of ten seconds at 500 Hz, then the average beat.
    pub(crate) fn twelve_lead(&self) -> Vec<u8> {
        let (hertz, microvolts) = (500, 1.25);
        let mut file = self.head("TM Cardio 12");
        file.number(tag::WFM, 1, 1).interval(hertz).volts(-8, 125);
        file.number(tag::DTP, 0, 1).number(tag::NUL, NUL, 2);
        for filter in ["HPF=0.05", "LPF=150", "BEF=50^Hum filter"] {
            file.put(tag::FLT, filter.as_bytes());
        }
        file.frame(&[1, 2, 3, 4, 5, 6, 7, 8], &self.heart.leads(hertz, microvolts));
        file.number(tag::WFM, 9, 1);
        file.frame(&[1, 2, 3, 4, 5, 6, 7, 8], &self.heart.median(hertz, microvolts));
        self.tail(file)
    }

    /// I, aVF, V1 and V6 for ten seconds at 500 Hz, with a phonocardiogram at 2 kHz of the same ten seconds.
    pub(crate) fn school(&self) -> Vec<u8> {
        let [one, two, v1, _, _, _, _, v6] = self.heart.leads(500, 2.5);
        let avf = one.iter().zip(&two).map(|(one, two)| two - one / 2).collect();
        let mut file = self.head("TM School 4");
        file.number(tag::WFM, 1, 1).interval(500).volts(-7, 25);
        file.number(tag::DTP, 0, 1).number(tag::NUL, NUL, 2);
        file.frame(&[1, 64, 3, 8], &[one, avf, v1, v6]);
        // The sounds begin with the leads; they have no unit, so the sensitivity goes back to its default.
        file.number(tag::PNT, 0, 4).number(tag::WFM, 30, 1).interval(2000).put(tag::SEN, &[]);
        file.frame(&[0x201, 0x203], &self.heart.sounds(2000, self.murmur));
        self.tail(file)
    }

    /// Up to the first frame: who, when, with what.
    fn head(&self, model: &str) -> Mfer {
        let Habits { big_endian, text, preamble } = self.habits;
        let mut file = Mfer { bytes: Vec::new(), big_endian };
        if preamble {
            file.put(tag::PRE, b"MFR Resting ECG                 ");
        }
        file.put(tag::BLE, &[u8::from(!big_endian)]);
        file.put(tag::MAN, format!("Tanpopo Medical^{model}^1.4.2^TM{:05}", self.heart.seed % 100_000).as_bytes());
        match text {
            Text::Utf8 => drop(file.put(tag::TXC, b"UTF-8\0\0")),
            Text::Jis => drop(file.put(tag::TXC, b"JIS X 0208")),
            Text::ShiftJis => {}
        }
        let Person { patient_id, kanji, kana, birth_date, sex, .. } = self.person;
        file.put(tag::PNM, &text.encode(&format!("{}^{}^{}^{}", kanji.0, kana.0, kanji.1, kana.1)));
        file.put(tag::PID, patient_id.as_bytes());
        let born = [number(birth_date, 0..4), number(birth_date, 4..6), number(birth_date, 6..8)];
        let years = number(self.at.0, 0..4).saturating_sub(born[0]);
        let mut age = vec![years as u8];
        age.extend(file.int(0, 2));
        age.extend(file.int(born[0], 2));
        age.extend([born[1] as u8, born[2] as u8]);
        file.put(tag::AGE, &age).put(tag::SEX, &[if *sex == "M" { 1 } else { 2 }]);
        let mut time = file.int(number(self.at.0, 0..4), 2);
        time.extend([(self.at.0, 4..6), (self.at.0, 6..8)].map(|(text, part)| number(text, part) as u8));
        time.extend([0..2, 2..4, 4..6].map(|part| number(self.at.1, part) as u8));
        file.put(tag::TIM, &time);
        file
    }

    /// What the device measured and says, and the end.
    fn tail(&self, mut file: Mfer) -> Vec<u8> {
        let intervals = self.said.intervals(self.heart.rate);
        // Codes of the makers' own: none is public.
        let measures =
            [(0x8001, intervals.rr), (0x8002, intervals.pr), (0x8003, intervals.qrs), (0x8004, intervals.qt)];
        for (code, value) in measures {
            let mut bytes = [file.int(code, 2), file.int(0, 4)].concat();
            bytes.extend_from_slice(format!("{value:.0}^ms").as_bytes());
            file.put(tag::VAL, &bytes);
        }
        let mut event = [file.int(0x4001, 2), file.int(0, 4), file.int(0, 4)].concat();
        event.extend_from_slice(b"Recording begins");
        file.put(tag::EVT, &event);
        let (in_japanese, in_english) = self.said.statement();
        file.put(tag::NTE, &self.habits.text.encode(in_japanese)).put(tag::NTE, in_english.as_bytes());
        file.bytes.push(tag::END);
        file.bytes
    }
}

impl Text {
    fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Text::Utf8 => text.as_bytes().to_vec(),
            Text::ShiftJis => SHIFT_JIS.encode(text).0.into_owned(),
            Text::Jis => ISO_2022_JP.encode(text).0.into_owned(),
        }
    }
}

impl Habits {
    /// Those of some maker.
    pub(crate) fn some(random: &mut Random) -> Habits {
        Habits {
            big_endian: random.chance(0.4),
            text: *random.pick(&[Text::Utf8, Text::ShiftJis, Text::Jis]),
            preamble: random.chance(0.7),
        }
    }
}

/// A file as it is written: a run of tag, length, value.
struct Mfer {
    bytes: Vec<u8>,
    big_endian: bool,
}

impl Mfer {
    /// One element. The length is always big-endian, and as short as it can be.
    fn put(&mut self, tag: u8, value: &[u8]) -> &mut Mfer {
        self.bytes.push(tag);
        self.length(value.len());
        self.bytes.extend_from_slice(value);
        self
    }

    fn length(&mut self, length: usize) {
        let bytes = (length as u32).to_be_bytes();
        let short = bytes.iter().position(|byte| *byte != 0).unwrap_or(3);
        if length >= 0x80 {
            self.bytes.push(0x80 | (4 - short) as u8);
        }
        self.bytes.extend_from_slice(&bytes[short..]);
    }

    fn number(&mut self, tag: u8, value: u32, bytes: usize) -> &mut Mfer {
        let value = self.int(value, bytes);
        self.put(tag, &value)
    }

    /// Sampling interval: 1/hertz as a mantissa of microseconds.
    fn interval(&mut self, hertz: u32) -> &mut Mfer {
        let value = self.scale(1, -6, 1_000_000 / hertz);
        self.put(tag::IVL, &value)
    }

    /// Sensitivity: what one step is, in V.
    fn volts(&mut self, exponent: i8, mantissa: u32) -> &mut Mfer {
        let value = self.scale(0, exponent, mantissa);
        self.put(tag::SEN, &value)
    }

    /// Unit, exponent of ten, mantissa.
    fn scale(&self, unit: u8, exponent: i8, mantissa: u32) -> Vec<u8> {
        let mut bytes = vec![unit, exponent as u8];
        bytes.extend(self.int(mantissa, if mantissa > 0xFFFF { 4 } else { 2 }));
        bytes
    }

    /// The low bytes of a number in the order of this file.
    fn int(&self, value: u32, bytes: usize) -> Vec<u8> {
        if self.big_endian { value.to_be_bytes()[4 - bytes..].to_vec() } else { value.to_le_bytes()[..bytes].to_vec() }
    }

    /// A frame of one block a channel: its leads and its samples.
    fn frame(&mut self, leads: &[u32], channels: &[Vec<i32>]) -> &mut Mfer {
        let samples = channels.first().map_or(0, Vec::len);
        self.number(tag::BLK, samples as u32, 4).number(tag::CHN, leads.len() as u32, 1).number(tag::SEQ, 1, 2);
        for (channel, lead) in leads.iter().enumerate() {
            let code = self.int(*lead, if *lead > 0xFF { 2 } else { 1 });
            // The channel's number is seven bits a byte; none here has more.
            self.bytes.extend_from_slice(&[tag::ATT, channel as u8, 2 + code.len() as u8, tag::LDN, code.len() as u8]);
            self.bytes.extend_from_slice(&code);
        }
        let mut wave = Vec::with_capacity(samples * channels.len() * 2);
        for value in channels.iter().flatten() {
            let value = (*value).clamp(-32_767, 32_767) as i16;
            wave.extend(if self.big_endian { value.to_be_bytes() } else { value.to_le_bytes() });
        }
        self.bytes.extend_from_slice(&[tag::WAV, 0x84]);
        self.bytes.extend_from_slice(&(wave.len() as u32).to_be_bytes());
        self.bytes.extend_from_slice(&wave);
        self
    }
}

fn number(digits: &str, part: std::ops::Range<usize>) -> u32 {
    digits.get(part).and_then(|part| part.parse().ok()).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(bytes: &[u8]) -> Vec<(u8, usize)> {
        let (mut at, mut found) = (0, Vec::new());
        while at < bytes.len() {
            let tag = bytes[at];
            at += 1 + usize::from(tag == tag::ATT);
            if tag == tag::END {
                found.push((tag, 0));
                continue;
            }
            let (mut length, head) = (usize::from(bytes[at]), bytes[at]);
            at += 1;
            if head >= 0x80 {
                let more = usize::from(head & 0x7F);
                length = bytes[at..at + more].iter().fold(0, |sum, byte| sum << 8 | usize::from(*byte));
                at += more;
            }
            found.push((tag, length));
            at += length;
        }
        found
    }

    /// Both kinds are a chain of elements to the last byte, with the samples that were drawn.
    #[test]
    fn a_file_is_a_chain_to_its_end() {
        let mut random = Random::new(3);
        let person = Person::new(&mut random, None);
        for (big_endian, text) in [(true, Text::Jis), (false, Text::ShiftJis), (true, Text::Utf8)] {
            let recording = Recording {
                person: &person,
                at: ("20260512", "101500"),
                heart: Heart { rate: 80.0, finding: Finding::Normal, seed: 1 },
                said: Finding::Normal,
                murmur: false,
                habits: Habits { big_endian, text, preamble: big_endian },
            };
            let waves = |bytes: &[u8]| {
                let found = walk(bytes);
                assert_eq!(found.last(), Some(&(tag::END, 0)));
                found.into_iter().filter(|(tag, _)| *tag == tag::WAV).map(|(_, length)| length).collect::<Vec<_>>()
            };
            assert_eq!(waves(&recording.twelve_lead()), [8 * 5000 * 2, 8 * 600 * 2]);
            assert_eq!(waves(&recording.school()), [4 * 5000 * 2, 2 * 20_000 * 2]);
        }
    }
}
