//! The value of an element, read in the byte order and the character set in force where it stands.

use std::ops::Deref;

use super::element::Element;
use super::text::CharacterSet;
use super::{tag, warn};
use crate::waveform::{Error, Warning};

/// An element where it stands.
#[derive(Clone, Copy, Debug)]
pub(super) struct Cursor<'a> {
    pub element: Element<'a>,
    pub big_endian: bool,
    pub set: CharacterSet,
}

impl<'a> Deref for Cursor<'a> {
    type Target = Element<'a>;

    fn deref(&self) -> &Element<'a> {
        &self.element
    }
}

impl Cursor<'_> {
    pub fn malformed(&self, what: &'static str) -> Error {
        Error::Malformed { tag: self.tag, offset: self.offset, what }
    }

    /// An integer of one to four bytes, whatever its tag.
    pub fn unsigned(&self) -> Result<u32, Error> {
        match self.value.len() {
            1..=4 => Ok(self.number(self.value)),
            _ => Err(self.malformed("is no integer of one to four bytes")),
        }
    }

    /// The same with a sign.
    pub fn signed(&self) -> Result<i64, Error> {
        let shift = 32 - 8 * self.value.len().min(4) as u32;
        Ok(i64::from((self.unsigned()? << shift) as i32 >> shift))
    }

    /// Unit, exponent of ten with its sign, mantissa of one to four bytes.
    pub fn scale(&self) -> Result<(u8, i8, u32), Error> {
        match self.value {
            [unit, exponent, mantissa @ ..] if (1..=4).contains(&mantissa.len()) => {
                Ok((*unit, i8::from_le_bytes([*exponent]), self.number(mantissa)))
            }
            _ => Err(self.malformed("is no unit, exponent and mantissa")),
        }
    }

    /// A code of one byte, or of two with whatever follows; 0 where there is none.
    pub fn code(&self) -> u16 {
        match self.value {
            [] => 0,
            [code] => u16::from(*code),
            [a, b, ..] => self.word([*a, *b]),
        }
    }

    pub fn word(&self, bytes: [u8; 2]) -> u16 {
        if self.big_endian { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) }
    }

    /// The four-byte integer at a byte of the value, if it is there.
    pub fn long_at(&self, at: usize) -> Option<u32> {
        Some(self.number(self.value.get(at..)?.get(..4)?))
    }

    fn number(&self, bytes: &[u8]) -> u32 {
        let add = |sum: u32, byte: &u8| sum << 8 | u32::from(*byte);
        if self.big_endian { bytes.iter().fold(0, add) } else { bytes.iter().rev().fold(0, add) }
    }

    /// Part of the value as text.
    pub fn text(&self, part: &[u8]) -> String {
        self.set.decode(part).0
    }

    /// The value as text; one that does not fit its character set is told.
    pub fn said(&self, warnings: &mut Vec<Warning>) -> String {
        let (text, fits) = self.set.decode(self.value);
        if !fits {
            warn(warnings, self.offset, "text does not fit its character set");
        }
        text
    }

    /// Code 0 of CMP is none; what else there is would be read as samples that it is not.
    pub fn refuse_compression(&self) -> Result<(), Error> {
        match self.code() {
            0 => Ok(()),
            _ => Err(Error::Unsupported { tag: tag::CMP, offset: self.offset, what: "compressed samples" }),
        }
    }
}
