//! A reader of MFER (ISO 22077-1): one pass over the bytes, no recursion but into sets, everything counted before it is kept.
//!
//! Lenient where files of the field are odd but clear (unknown tags, a short waveform, trailing bytes), strict where a
//! sample could be read as another than was recorded: then the error names the byte.

mod cursor;
mod definition;
mod element;
mod identity;
mod look;
mod tag;
mod text;
mod wave;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use cursor::Cursor;
use definition::{CHANNELS_MAX, Definition, filters};
use element::{Elements, NESTING_MAX};
use text::CharacterSet;
use wave::Absent;

use super::recording::{Event, Recording, Value, Warning};
use super::{Error, Group};

pub use look::looks_like_mfer;

/// Bytes of a file that is read: a resting ECG has 0.1 to 0.5 MB, an hour of a monitor's six channels 10. Reading takes up to
/// about ten times as many in memory; what is kept for each waveform and channel beside their samples is bounded in
/// number and in length.
pub const FILE_BYTES_MAX: usize = 32 << 20;
/// Waveforms in one file.
const GROUPS_MAX: usize = 4096;
/// Channels of all waveforms of one file.
const CHANNELS_IN_ALL_MAX: usize = 65_536;
/// Events, measurements, comments and filters in one file.
const TEXTS_MAX: usize = 65_536;
/// Warnings that are kept.
const WARNINGS_MAX: usize = 64;

/// Reads a file.
///
/// # Errors
/// What is wrong, and at which byte. Nothing is returned in part.
pub fn read(bytes: &[u8]) -> Result<Recording, Error> {
    if bytes.len() > FILE_BYTES_MAX {
        let (what, at_most) = ("the file is longer", FILE_BYTES_MAX as u64);
        return Err(Error::TooMany { offset: FILE_BYTES_MAX, what, at_most });
    }
    if !looks_like_mfer(bytes) {
        return Err(Error::NotMfer);
    }
    let mut reader = Reader::of(bytes.len());
    let end = reader.elements(Elements::new(bytes, 0), 0)?;
    if reader.recording.groups.is_empty() {
        return Err(Error::NoWaveform { offset: end });
    }
    reader.recording.root = reader.root.interval.unwrap_or_default();
    Ok(reader.recording)
}

/// What is known so far.
struct Reader {
    recording: Recording,
    /// The byte order of values.
    big_endian: bool,
    text: CharacterSet,
    /// What holds for channels that say nothing themselves.
    root: Definition,
    channels: u32,
    of_channel: Vec<Definition>,
    waveform: u16,
    filters: Arc<[String]>,
    /// Where the next waveform begins, in root intervals: said by PNT, else behind the one before.
    pointer: Option<u64>,
    end: u64,
    texts: usize,
    /// Channels of all waveforms so far.
    channels_seen: usize,
    absent: Absent,
}

impl Reader {
    /// Before the first element of a file of so many bytes.
    fn of(file_bytes: usize) -> Reader {
        Reader {
            recording: Recording::default(),
            // Until the file says otherwise.
            big_endian: true,
            text: CharacterSet::default(),
            root: Definition::default(),
            channels: 0,
            of_channel: Vec::new(),
            waveform: 0,
            filters: Arc::default(),
            pointer: None,
            end: 0,
            texts: 0,
            channels_seen: 0,
            absent: Absent::of(file_bytes),
        }
    }

    /// Takes one after another; answers the byte behind the last.
    fn elements(&mut self, mut elements: Elements<'_>, depth: u32) -> Result<usize, Error> {
        while let Some(element) = elements.next()? {
            let cursor = Cursor { element, big_endian: self.big_endian, set: self.text };
            if element.tag == tag::SET {
                if depth >= NESTING_MAX {
                    let (offset, at_most) = (element.offset, u64::from(NESTING_MAX));
                    return Err(Error::TooMany { offset, what: "a set lies too deep in others", at_most });
                }
                self.elements(Elements::new(element.value, element.value_offset), depth + 1)?;
            } else {
                self.take(&cursor)?;
            }
        }
        Ok(elements.offset())
    }

    fn take(&mut self, element: &Cursor<'_>) -> Result<(), Error> {
        match element.tag {
            tag::BLE => self.big_endian = element.value != [1],
            tag::TXC => self.text = CharacterSet::named(element.value),
            tag::CHN => self.channel_count(element)?,
            tag::PNT => {
                self.pointer = if element.value.is_empty() { None } else { Some(u64::from(element.unsigned()?)) };
            }
            tag::WFM => self.waveform = element.code(),
            tag::FLT => {
                self.count_text(element)?;
                self.filters = filters(&self.filters, element, &mut self.recording.warnings);
            }
            tag::ATT => self.channel(element)?,
            tag::CMP => element.refuse_compression()?,
            tag::WAV => self.wave(element)?,
            tag::EVT => self.event(element, None)?,
            tag::VAL => self.value(element, None)?,
            tag::NTE | tag::MSS => {
                self.count_text(element)?;
                let note = element.said(&mut self.recording.warnings);
                self.recording.notes.extend(Some(note).filter(|note| !note.is_empty()));
            }
            tag::INF => {
                self.count_text(element)?;
                let text = element.text(element.value.get(10..).unwrap_or_default());
                self.recording.notes.extend(Some(text).filter(|text| !text.is_empty()));
            }
            _ if self.root.take(element, &mut self.recording.warnings)? => {}
            _ => self.identity_or_unknown(element),
        }
        Ok(())
    }

    fn identity_or_unknown(&mut self, element: &Cursor<'_>) {
        if !identity::take(&mut self.recording, element) && !tag::is_known(element.tag) {
            warn(&mut self.recording.warnings, element.offset, "an element of an unknown tag was passed over");
        }
    }

    /// Writing the number of channels forgets what was said of each.
    fn channel_count(&mut self, element: &Cursor<'_>) -> Result<(), Error> {
        let count = if element.value.is_empty() { 1 } else { element.unsigned()? };
        if count > CHANNELS_MAX {
            let (offset, at_most) = (element.offset, u64::from(CHANNELS_MAX));
            return Err(Error::TooMany { offset, what: "too many channels", at_most });
        }
        self.channels = count;
        self.of_channel.clear();
        Ok(())
    }

    /// Definitions of one channel.
    fn channel(&mut self, element: &Cursor<'_>) -> Result<(), Error> {
        let index = element.channel as usize;
        if index >= CHANNELS_MAX as usize {
            let (offset, at_most) = (element.offset, u64::from(CHANNELS_MAX));
            return Err(Error::TooMany { offset, what: "too large a channel number", at_most });
        }
        if self.of_channel.len() <= index {
            self.of_channel.resize(index + 1, Definition::default());
        }
        let mut inside = Elements::new(element.value, element.value_offset);
        while let Some(inner) = inside.next()? {
            let inner = Cursor { element: inner, ..*element };
            match inner.tag {
                tag::ATT => return Err(inner.malformed("defines a channel inside of a channel")),
                tag::WAV => return Err(inner.malformed("is a waveform inside of a channel")),
                tag::CMP => inner.refuse_compression()?,
                tag::BLE => return Err(inner.malformed("changes the byte order inside of a channel")),
                tag::TXC => return Err(inner.malformed("changes the character set inside of a channel")),
                tag::EVT => self.event(&inner, Some(element.channel))?,
                tag::VAL => self.value(&inner, Some(element.channel))?,
                // Of the whole group wherever it stands.
                tag::WFM => self.take(&inner)?,
                tag::FLT => {
                    self.count_text(&inner)?;
                    if let Some(definition) = self.of_channel.get_mut(index) {
                        definition.filters = filters(&definition.filters, &inner, &mut self.recording.warnings);
                    }
                }
                _ => {
                    let warnings = &mut self.recording.warnings;
                    let known = match self.of_channel.get_mut(index) {
                        Some(definition) => definition.take(&inner, warnings)?,
                        None => false,
                    };
                    if !known {
                        warn(warnings, inner.offset, "no definition of a channel; passed over");
                    }
                }
            }
        }
        Ok(())
    }

    /// Code, start, duration, text: each may be left out with all behind it.
    fn event(&mut self, element: &Cursor<'_>, channel: Option<u32>) -> Result<(), Error> {
        self.count_text(element)?;
        let value = element.value;
        let text = element.text(value.get(10..).unwrap_or_default());
        let (start, duration) = (element.long_at(2), element.long_at(6));
        // Start 0 with duration 0 is the whole record, as no start is.
        let whole = start.unwrap_or(0) == 0 && duration == Some(0);
        let (start, duration) = if whole { (None, None) } else { (start, duration) };
        self.recording.events.push(Event { code: element.code(), start, duration, channel, text });
        Ok(())
    }

    /// Code, time point, `value^unit`.
    fn value(&mut self, element: &Cursor<'_>, channel: Option<u32>) -> Result<(), Error> {
        self.count_text(element)?;
        let text = element.text(element.value.get(6..).unwrap_or_default());
        let (value, unit) = text.split_once('^').unwrap_or((&text, ""));
        let (value, unit) = (value.trim().to_owned(), unit.trim().to_owned());
        let at = element.long_at(2).unwrap_or(0);
        self.recording.values.push(Value { code: element.code(), at, channel, value, unit });
        Ok(())
    }

    fn count_text(&mut self, element: &Cursor<'_>) -> Result<(), Error> {
        self.texts += 1;
        let (offset, at_most) = (element.offset, TEXTS_MAX as u64);
        if self.texts > TEXTS_MAX {
            return Err(Error::TooMany { offset, what: "too many events, measurements and comments", at_most });
        }
        Ok(())
    }

    /// A waveform closes a group; what was defined holds on.
    fn wave(&mut self, element: &Cursor<'_>) -> Result<(), Error> {
        let start = self.pointer.take().unwrap_or(self.end);
        if element.value.is_empty() {
            warn(&mut self.recording.warnings, element.offset, "a waveform without samples was passed over");
            return Ok(());
        }
        let count = self.channels.max(1) as usize;
        self.channels_seen += count;
        if self.recording.groups.len() >= GROUPS_MAX || self.channels_seen > CHANNELS_IN_ALL_MAX {
            let (offset, at_most) = (element.offset, GROUPS_MAX as u64);
            return Err(Error::TooMany { offset, what: "too many waveforms, or channels in all of them", at_most });
        }
        let definitions = (0..count).map(|index| {
            self.of_channel.get(index).map_or_else(|| self.root.clone(), |channel| channel.over(&self.root))
        });
        let warnings = &mut self.recording.warnings;
        let channels = wave::channels(element, definitions.collect(), &mut self.absent, warnings)?;
        let root = self.root.interval.unwrap_or_default();
        self.end = start.saturating_add(wave::root_intervals(&channels, root));
        let (waveform, filters, offset) = (self.waveform, Arc::clone(&self.filters), element.offset);
        self.recording.groups.push(Group { waveform, start, filters, channels, offset });
        Ok(())
    }
}

fn warn(warnings: &mut Vec<Warning>, offset: usize, what: &'static str) {
    if warnings.len() < WARNINGS_MAX {
        warnings.push(Warning { offset, what });
    }
}
