//! What holds for the next waveform: definitions outside of any channel, and of single channels over these.

use std::sync::Arc;

use super::Cursor;
use super::{tag, warn};
use crate::waveform::{Error, Interval, Sensitivity, Warning};

/// Channels of one waveform.
pub(super) const CHANNELS_MAX: u32 = 256;
/// Characters of a channel's name and of a filter: each is kept once for every waveform, and DICOM takes no more.
const SHORT_CHARS_MAX: usize = 64;
/// Filters of a waveform, and of a channel.
const FILTERS_MAX: usize = 32;

/// A number of so many bytes, in the order of the file, not read yet: how depends on the sample type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Raw {
    /// Little-endian.
    bytes: [u8; 8],
    pub length: usize,
}

impl Raw {
    fn of(value: &[u8], big_endian: bool) -> Option<Raw> {
        let mut bytes = [0; 8];
        if value.len() > bytes.len() {
            return None;
        }
        bytes.iter_mut().zip(value).for_each(|(to, from)| *to = *from);
        if big_endian {
            bytes.get_mut(..value.len())?.reverse();
        }
        Some(Raw { bytes, length: value.len() })
    }

    /// As a sample of this type.
    pub fn value(&self, data_type: DataType) -> f64 {
        match data_type {
            DataType::Float32 if self.length == 4 => {
                let [a, b, c, d, ..] = self.bytes;
                f64::from(f32::from_le_bytes([a, b, c, d]))
            }
            DataType::Float64 if self.length == 8 => f64::from_le_bytes(self.bytes),
            _ => {
                let unsigned = u64::from_le_bytes(self.bytes);
                let shift = 64 - 8 * self.length.min(8) as u32;
                let signed = data_type.is_signed() && shift < 64;
                if signed { ((unsigned << shift) as i64 >> shift) as f64 } else { unsigned as f64 }
            }
        }
    }
}

/// Type of a sample (DTP).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum DataType {
    #[default]
    Int16,
    Uint16,
    Int32,
    Uint8,
    Status16,
    Int8,
    Uint32,
    Float32,
    Float64,
}

impl DataType {
    fn of(code: u8) -> Option<DataType> {
        use DataType::*;
        [Int16, Uint16, Int32, Uint8, Status16, Int8, Uint32, Float32, Float64].get(usize::from(code)).copied()
    }

    /// Bytes of a sample.
    pub fn bytes(self) -> usize {
        match self {
            DataType::Uint8 | DataType::Int8 => 1,
            DataType::Int16 | DataType::Uint16 | DataType::Status16 => 2,
            DataType::Int32 | DataType::Uint32 | DataType::Float32 => 4,
            DataType::Float64 => 8,
        }
    }

    fn is_signed(self) -> bool {
        matches!(self, DataType::Int8 | DataType::Int16 | DataType::Int32)
    }
}

/// Definitions of one channel, or of all: none where nothing was said.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Definition {
    pub block: Option<u32>,
    pub sequences: Option<u32>,
    pub lead: Option<u16>,
    pub name: String,
    pub data_type: Option<DataType>,
    pub interval: Option<Interval>,
    pub sensitivity: Option<Sensitivity>,
    pub offset: Option<Raw>,
    pub null: Option<Raw>,
    pub skew_ns: Option<i64>,
    /// Of this channel alone; those of the whole waveform are none of its definitions.
    pub filters: Arc<[String]>,
}

impl Definition {
    /// This one, and where it says nothing the other.
    pub fn over(&self, root: &Definition) -> Definition {
        Definition {
            block: self.block.or(root.block),
            sequences: self.sequences.or(root.sequences),
            lead: self.lead.or(root.lead),
            name: if self.name.is_empty() { root.name.clone() } else { self.name.clone() },
            data_type: self.data_type.or(root.data_type),
            interval: self.interval.or(root.interval),
            sensitivity: self.sensitivity.or(root.sensitivity),
            offset: self.offset.or(root.offset),
            null: self.null.or(root.null),
            skew_ns: self.skew_ns.or(root.skew_ns),
            filters: Arc::clone(&self.filters),
        }
    }

    /// Takes over what an element says, if it is one that channels have too. A length of 0 goes back to the default.
    pub fn take(&mut self, element: &Cursor<'_>, warnings: &mut Vec<Warning>) -> Result<bool, Error> {
        let value = element.value;
        let said = !value.is_empty();
        match element.tag {
            tag::BLK => self.block = said.then(|| element.unsigned()).transpose()?,
            tag::SEQ => self.sequences = said.then(|| element.unsigned()).transpose()?,
            tag::LDN => self.lead(element, warnings),
            tag::DTP => self.data_type = data_type(element)?,
            tag::IVL => {
                let scale = said.then(|| element.scale()).transpose()?;
                self.interval = scale.map(|(unit, exponent, mantissa)| Interval { unit, exponent, mantissa });
                if self.interval.is_some_and(|interval| interval.mantissa == 0 || interval.unit > 2) {
                    return Err(element.malformed("is no sampling interval"));
                }
            }
            tag::SEN => {
                let scale = said.then(|| element.scale()).transpose()?;
                let scale = scale.filter(|(_, _, mantissa)| *mantissa > 0);
                self.sensitivity = scale.map(|(unit, exponent, mantissa)| Sensitivity { unit, exponent, mantissa });
            }
            tag::OFF => self.offset = self.raw(element)?,
            tag::NUL => self.null = self.raw(element)?,
            tag::SKW => self.skew_ns = said.then(|| element.signed()).transpose()?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn raw(&self, element: &Cursor<'_>) -> Result<Option<Raw>, Error> {
        if element.value.is_empty() {
            return Ok(None);
        }
        let raw = Raw::of(element.value, element.big_endian).ok_or(element.malformed("is longer than any sample"))?;
        Ok(Some(raw))
    }

    /// A code of one or two bytes, then a name over that of the code.
    fn lead(&mut self, element: &Cursor<'_>, warnings: &mut Vec<Warning>) {
        let (code, name) = match element.value {
            [] => (None, &[][..]),
            [code] => (Some(u16::from(*code)), &[][..]),
            [a, b, name @ ..] => (Some(element.word([*a, *b])), name),
        };
        self.lead = code;
        self.name = shortened(element.text(name), element.offset, warnings);
    }
}

/// Filters with what one more element says: another, or none at all where it is empty.
pub(super) fn filters(had: &[String], element: &Cursor<'_>, warnings: &mut Vec<Warning>) -> Arc<[String]> {
    if element.value.is_empty() {
        return Arc::default();
    }
    let said = element.said(warnings);
    if had.len() >= FILTERS_MAX {
        warn(warnings, element.offset, "more than 32 filters: the rest was left out");
        return had.into();
    }
    had.iter().cloned().chain([shortened(said, element.offset, warnings)]).collect()
}

fn shortened(text: String, offset: usize, warnings: &mut Vec<Warning>) -> String {
    match text.char_indices().nth(SHORT_CHARS_MAX) {
        None => text,
        Some((end, _)) => {
            warn(warnings, offset, "a name or a filter was cut after 64 characters");
            text.get(..end).unwrap_or_default().to_owned()
        }
    }
}

fn data_type(element: &Cursor<'_>) -> Result<Option<DataType>, Error> {
    match element.value {
        [] => Ok(None),
        [9] => {
            let (tag, offset) = (element.tag, element.offset);
            Err(Error::Unsupported { tag, offset, what: "AHA 8-bit differential samples" })
        }
        [code] => DataType::of(*code).map(Some).ok_or(element.malformed("is no sample type")),
        _ => Err(element.malformed("is no sample type")),
    }
}
