//! Elements: tag, length, value, one after another (ISO 22077-1; the tag byte is a BER identifier, the length BER too).

use super::tag;
use crate::waveform::Error;

/// One element, its value inside the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Element<'a> {
    pub tag: u8,
    /// Byte of its tag.
    pub offset: usize,
    /// Byte of its value.
    pub value_offset: usize,
    /// Of ATT: the channel.
    pub channel: u32,
    /// Its value; of an indefinite length, up to its end of contents.
    pub value: &'a [u8],
}

/// Walks through elements. An error ends the walk.
#[derive(Clone, Debug)]
pub(super) struct Elements<'a> {
    bytes: &'a [u8],
    /// Where `bytes` begin in the file.
    base: usize,
    at: usize,
}

impl<'a> Elements<'a> {
    pub fn new(bytes: &'a [u8], base: usize) -> Elements<'a> {
        Elements { bytes, base, at: 0 }
    }

    /// Byte of the file that comes next.
    pub fn offset(&self) -> usize {
        self.base + self.at
    }

    /// The next element; none at the end of the bytes or at END. Padding (ZRO) is passed over.
    pub fn next(&mut self) -> Result<Option<Element<'a>>, Error> {
        while self.bytes.get(self.at) == Some(&tag::ZRO) {
            self.at += 1;
        }
        let Some(&tag) = self.bytes.get(self.at).filter(|tag| **tag != tag::END) else { return Ok(None) };
        let start = self.at;
        let truncated = |needed| Error::Truncated { tag, offset: self.base + start, needed, available: 0 };
        let malformed = |what| Error::Malformed { tag, offset: self.base + start, what };
        let mut at = start + 1;
        let mut channel = 0u32;
        if tag == tag::ATT {
            // Base 128, bit 8: another byte follows.
            loop {
                let byte = *self.bytes.get(at).ok_or(truncated(1))?;
                at += 1;
                channel = channel.checked_mul(128).ok_or(malformed("has too large a channel number"))?;
                channel |= u32::from(byte & 0x7F);
                if byte & 0x80 == 0 {
                    break;
                }
            }
        }
        let first = *self.bytes.get(at).ok_or(truncated(1))?;
        at += 1;
        let length = match first {
            0x00..=0x7F => usize::from(first),
            0x80 if matches!(tag, tag::ATT | tag::SET) => self.indefinite(tag, start, at)?,
            0x80 => return Err(malformed("has an indefinite length, which only ATT and SET may have")),
            0x81..=0x84 => {
                let count = usize::from(first & 0x7F);
                let digits = self.bytes.get(at..at + count).ok_or(truncated(count))?;
                at += count;
                digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit))
            }
            _ => return Err(malformed("has a length of more than four bytes")),
        };
        let available = self.bytes.len() - at;
        let value = self.bytes.get(at..).and_then(|rest| rest.get(..length));
        let value = value.ok_or(Error::Truncated { tag, offset: self.base + start, needed: length, available })?;
        self.at = at + length + if first == 0x80 { 2 } else { 0 };
        Ok(Some(Element { tag, offset: self.base + start, value_offset: self.base + at, channel, value }))
    }

    /// Bytes up to the end of contents (`00 00`), walking over the elements inside. Bounded by the bytes there are: what is
    /// inside and indefinite too is walked over with a stack of its own, of no more than [`NESTING_MAX`] levels.
    fn indefinite(&self, tag: u8, start: usize, from: usize) -> Result<usize, Error> {
        let offset = self.base + start;
        let ended = Error::Malformed { tag, offset, what: "has an indefinite length and no end of contents" };
        let (mut at, mut open) = (from, 1u32);
        while open > 0 {
            let inner = *self.bytes.get(at).ok_or(ended.clone())?;
            if inner == tag::ZRO {
                let closes = self.bytes.get(at + 1) == Some(&tag::ZRO);
                at += 1 + usize::from(closes);
                open -= u32::from(closes);
                continue;
            }
            at += 1;
            if inner == tag::ATT {
                while *self.bytes.get(at).ok_or(ended.clone())? & 0x80 != 0 {
                    at += 1;
                }
                at += 1;
            }
            let first = *self.bytes.get(at).ok_or(ended.clone())?;
            at += 1;
            match first {
                0x00..=0x7F => at += usize::from(first),
                0x80 if open < NESTING_MAX => open += 1,
                0x81..=0x84 => {
                    let count = usize::from(first & 0x7F);
                    let digits = self.bytes.get(at..at + count).ok_or(ended.clone())?;
                    let length = digits.iter().fold(0, |length, digit| length << 8 | usize::from(*digit));
                    at = at.saturating_add(count).saturating_add(length);
                }
                _ => return Err(Error::Malformed { tag, offset, what: "holds a length that cannot be read" }),
            }
        }
        // Behind the two bytes that close it.
        Ok(at - from - 2)
    }
}

/// Sets inside sets.
pub(super) const NESTING_MAX: u32 = 8;
