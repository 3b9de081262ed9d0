//! The ZIP of a pack: stored entries, one after another, then the central directory (PKWARE APPNOTE 6.3.10).
//!
//! CRC-32 and length of an entry are known before it is written, so there are no data descriptors; times are fixed, so
//! the same entries give the same bytes; ZIP64 fields (APPNOTE §4.5.3) are there only where a number does not fit. Because
//! nothing is left open, reading is the inverse of writing: what a directory says is laid out anew and must give the very
//! same bytes, and every offset follows from names and lengths.

use std::ops::Range;

use crate::{Error, Result};

const LOCAL_BYTES: u64 = 30;
const LOCAL_ZIP64_BYTES: u64 = 20;
const CENTRAL_BYTES: usize = 46;
const END_BYTES: usize = 22;
const END64_BYTES: usize = 56;
const LOCATOR_BYTES: usize = 20;
/// Bytes of the longest end of a ZIP without comment: what must be read to find the central directory.
pub(crate) const END_BYTES_MAX: usize = END64_BYTES + LOCATOR_BYTES + END_BYTES;
/// A number that does not fit, or is this one, is said in the ZIP64 field.
const SATURATED: u64 = 0xFFFF_FFFF;
const ENTRIES_SATURATED: u64 = 0xFFFF;
/// Made by version 4.5 on Unix (APPNOTE §4.4.2), so that unpacked files get their permissions.
const MADE_BY: u16 = 3 << 8 | 45;
const VERSION_STORED: u16 = 10;
const VERSION_ZIP64: u16 = 45;
/// APPNOTE §4.4.4 bit 11: the name is UTF-8.
const FLAG_UTF8: u16 = 1 << 11;
/// 1980-01-01, the first day a ZIP can say.
const DATE: u16 = 1 << 5 | 1;
/// A regular file, rw-r--r--.
const EXTERNAL_ATTRIBUTES: u32 = 0o100_644 << 16;

/// One stored entry and where it lies.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ZipEntry {
    /// Its name.
    pub name: String,
    /// CRC-32 of its bytes.
    pub crc32: u32,
    /// First byte of its local header in the file.
    pub offset: u64,
    /// Its bytes, without the header.
    pub len: u64,
}

impl ZipEntry {
    /// Where its bytes lie in the file.
    pub fn data(&self) -> Range<u64> {
        let start = self.offset + self.local_header_bytes();
        start..start + self.len
    }

    /// The local header that goes before its bytes.
    pub fn local_header(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.local_header_bytes() as usize);
        out.extend_from_slice(b"PK\x03\x04");
        self.push_common(&mut out, if self.is_large() { VERSION_ZIP64 } else { VERSION_STORED });
        push_u16(&mut out, if self.is_large() { LOCAL_ZIP64_BYTES as u16 } else { 0 });
        out.extend_from_slice(self.name.as_bytes());
        if self.is_large() {
            push_zip64(&mut out, &[self.len, self.len]);
        }
        out
    }

    fn central_header(&self, out: &mut Vec<u8>) {
        let mut large = Vec::new();
        if self.is_large() {
            large.extend([self.len, self.len]);
        }
        if self.offset >= SATURATED {
            large.push(self.offset);
        }
        out.extend_from_slice(b"PK\x01\x02");
        push_u16(out, MADE_BY);
        self.push_common(out, if large.is_empty() { VERSION_STORED } else { VERSION_ZIP64 });
        push_u16(out, if large.is_empty() { 0 } else { 4 + 8 * large.len() as u16 });
        out.extend_from_slice(&[0; 6]); // no comment, first disk, binary
        push_u32(out, EXTERNAL_ATTRIBUTES);
        push_u32(out, self.offset.min(SATURATED) as u32);
        out.extend_from_slice(self.name.as_bytes());
        if !large.is_empty() {
            push_zip64(out, &large);
        }
    }

    /// From the version needed to the length of the name: the same in both headers.
    fn push_common(&self, out: &mut Vec<u8>, version_needed: u16) {
        push_u16(out, version_needed);
        push_u16(out, if self.name.is_ascii() { 0 } else { FLAG_UTF8 });
        push_u16(out, 0); // stored
        push_u16(out, 0); // midnight
        push_u16(out, DATE);
        push_u32(out, self.crc32);
        push_u32(out, self.len.min(SATURATED) as u32);
        push_u32(out, self.len.min(SATURATED) as u32);
        push_u16(out, self.name.len() as u16);
    }

    fn is_large(&self) -> bool {
        self.len >= SATURATED
    }

    fn local_header_bytes(&self) -> u64 {
        LOCAL_BYTES + self.name.len() as u64 + if self.is_large() { LOCAL_ZIP64_BYTES } else { 0 }
    }
}

/// A ZIP of stored entries being laid out: which bytes go where, without the entries' own bytes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ZipLayout {
    entries: Vec<ZipEntry>,
    end: u64,
}

impl ZipLayout {
    /// Adds an entry of `len` bytes and answers it; its local header goes to the file next, and then its bytes.
    ///
    /// # Errors
    /// [`Error::Refused`] for a name that is empty or longer than 65,535 bytes, and when the file would be longer than a
    /// ZIP64 can say.
    pub fn add(&mut self, name: &str, crc32: u32, len: u64) -> Result<&ZipEntry> {
        let refused = |why: &str| Error::Refused(format!("ZIP entry {name:?} not written: {why}"));
        if name.is_empty() || u16::try_from(name.len()).is_err() {
            return Err(refused("its name must have 1 to 65,535 bytes"));
        }
        let entry = ZipEntry { name: name.to_owned(), crc32, offset: self.end, len };
        let end = self.end.checked_add(entry.local_header_bytes()).and_then(|end| end.checked_add(len));
        // Half the range, so that the directory after it fits too.
        self.end = end.filter(|end| *end < 1 << 63).ok_or_else(|| refused("the file would be too long"))?;
        self.entries.push(entry);
        Ok(&self.entries[self.entries.len() - 1])
    }

    /// The entries so far.
    pub fn entries(&self) -> &[ZipEntry] {
        &self.entries
    }

    /// Where the next entry, or the central directory, begins.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The central directory and all that goes after the last entry.
    pub fn directory(&self) -> Vec<u8> {
        let mut out = Vec::new();
        self.entries.iter().for_each(|entry| entry.central_header(&mut out));
        let (count, len, start) = (self.entries.len() as u64, out.len() as u64, self.end);
        if count >= ENTRIES_SATURATED || len >= SATURATED || start >= SATURATED {
            push_end64(&mut out, count, len, start);
        }
        out.extend_from_slice(b"PK\x05\x06\0\0\0\0");
        push_u16(&mut out, count.min(ENTRIES_SATURATED) as u16);
        push_u16(&mut out, count.min(ENTRIES_SATURATED) as u16);
        push_u32(&mut out, len.min(SATURATED) as u32);
        push_u32(&mut out, start.min(SATURATED) as u32);
        push_u16(&mut out, 0); // no comment
        out
    }

    /// Reads what [`ZipLayout::directory`] wrote; `bytes` begin where `end` says and go to the end of the file. `None` for
    /// anything else, also for a ZIP that others may find sound.
    pub(crate) fn read(bytes: &[u8], end: &End) -> Option<ZipLayout> {
        let mut layout = ZipLayout::default();
        let mut rest = Cursor(bytes);
        for _ in 0..end.entries {
            let (name, crc32, len) = rest.central_header()?;
            layout.add(name, crc32, len).ok()?;
        }
        // Everything else in the directory, offsets too, follows from these three.
        (layout.end == end.central_start && layout.directory() == bytes).then_some(layout)
    }
}

/// What the end of a ZIP says of its central directory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct End {
    pub central_start: u64,
    entries: u64,
}

impl End {
    /// Reads the last bytes of a file (at least [`END_BYTES_MAX`], or the whole file) of `file_bytes`.
    pub(crate) fn read(tail: &[u8], file_bytes: u64) -> Option<End> {
        let (before, end) = tail.split_at_checked(tail.len().checked_sub(END_BYTES)?)?;
        let mut end = Cursor(end.strip_prefix(b"PK\x05\x06\0\0\0\0")?);
        let (_, count, len, start) = (end.u16()?, end.u16()?, end.u32()?, end.u32()?);
        let (mut count, mut len, mut start) = (u64::from(count), u64::from(len), u64::from(start));
        let mut end_bytes = END_BYTES as u64;
        if count == ENTRIES_SATURATED || len == SATURATED || start == SATURATED {
            let end64 = before.get(before.len().checked_sub(END64_BYTES + LOCATOR_BYTES)?..)?;
            let mut end64 = Cursor(end64.strip_prefix(b"PK\x06\x06")?.get(28..)?);
            (count, len, start) = (end64.u64()?, end64.u64()?, end64.u64()?);
            end_bytes = END_BYTES_MAX as u64;
        }
        let fits = start.checked_add(len)?.checked_add(end_bytes)? == file_bytes;
        let room = count.checked_mul(CENTRAL_BYTES as u64)? <= len;
        (fits && room).then_some(End { central_start: start, entries: count })
    }
}

/// Takes little-endian numbers from the front of bytes.
struct Cursor<'a>(&'a [u8]);

impl<'a> Cursor<'a> {
    fn take(&mut self, count: usize) -> Option<&'a [u8]> {
        let (taken, rest) = self.0.split_at_checked(count)?;
        self.0 = rest;
        Some(taken)
    }

    fn u16(&mut self) -> Option<u16> {
        Some(u16::from_le_bytes(self.take(2)?.try_into().ok()?))
    }

    fn u32(&mut self) -> Option<u32> {
        Some(u32::from_le_bytes(self.take(4)?.try_into().ok()?))
    }

    fn u64(&mut self) -> Option<u64> {
        Some(u64::from_le_bytes(self.take(8)?.try_into().ok()?))
    }

    /// Name, CRC-32 and length of the next entry of the central directory.
    fn central_header(&mut self) -> Option<(&'a str, u32, u64)> {
        self.take(16)?;
        let (crc32, len, _) = (self.u32()?, u64::from(self.u32()?), self.u32()?);
        let (name_bytes, extra_bytes) = (self.u16()?, self.u16()?);
        self.take(14)?;
        let name = std::str::from_utf8(self.take(usize::from(name_bytes))?).ok()?;
        let mut extra = Cursor(self.take(usize::from(extra_bytes))?);
        if len < SATURATED {
            return Some((name, crc32, len));
        }
        extra.take(4)?;
        Some((name, crc32, extra.u64()?))
    }
}

fn push_u16(out: &mut Vec<u8>, number: u16) {
    out.extend_from_slice(&number.to_le_bytes());
}

fn push_u32(out: &mut Vec<u8>, number: u32) {
    out.extend_from_slice(&number.to_le_bytes());
}

/// APPNOTE §4.5.3: only the numbers that did not fit, in this order: length, stored length, offset.
fn push_zip64(out: &mut Vec<u8>, numbers: &[u64]) {
    push_u16(out, 1);
    push_u16(out, 8 * numbers.len() as u16);
    numbers.iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
}

/// APPNOTE §4.3.14 and §4.3.15: the ZIP64 end record and its locator.
fn push_end64(out: &mut Vec<u8>, count: u64, len: u64, start: u64) {
    out.extend_from_slice(b"PK\x06\x06");
    out.extend_from_slice(&(END64_BYTES as u64 - 12).to_le_bytes());
    push_u16(out, MADE_BY);
    push_u16(out, VERSION_ZIP64);
    out.extend_from_slice(&[0; 8]); // this disk, and the disk of the directory
    [count, count, len, start].iter().for_each(|number| out.extend_from_slice(&number.to_le_bytes()));
    out.extend_from_slice(b"PK\x06\x07\0\0\0\0");
    out.extend_from_slice(&(start + len).to_le_bytes());
    push_u32(out, 1);
}

#[cfg(test)]
mod tests {
    use std::io::{Seek, SeekFrom, Write};

    use proptest::prelude::*;

    use super::*;

    const GIB: u64 = 1 << 30;

    fn layout(entries: &[(String, u64)]) -> ZipLayout {
        let mut layout = ZipLayout::default();
        for (number, (name, len)) in entries.iter().enumerate() {
            layout.add(name, number as u32 * 77, *len).unwrap();
        }
        layout
    }

    fn read_back(layout: &ZipLayout) -> Option<ZipLayout> {
        let bytes = layout.directory();
        let end = End::read(&bytes, layout.end() + bytes.len() as u64)?;
        ZipLayout::read(&bytes, &end)
    }

    /// Reads the layout back, and has the zip crate and us agree on every entry of it, in a file with holes.
    fn check(entries: &[(String, u64)]) {
        let layout = layout(entries);
        assert_eq!(read_back(&layout).unwrap(), layout);
        let mut file = tempfile::tempfile().unwrap();
        for entry in layout.entries() {
            file.seek(SeekFrom::Start(entry.offset)).unwrap();
            file.write_all(&entry.local_header()).unwrap();
            assert_eq!(file.stream_position().unwrap(), entry.data().start);
        }
        file.seek(SeekFrom::Start(layout.end())).unwrap();
        file.write_all(&layout.directory()).unwrap();
        let mut zip = zip::ZipArchive::new(std::io::BufReader::new(file)).unwrap();
        assert_eq!(zip.len(), entries.len());
        for index in (0..zip.len()).step_by(zip.len() / 50 + 1) {
            let (theirs, ours) = (zip.by_index_raw(index).unwrap(), &layout.entries()[index]);
            assert_eq!(theirs.name().unwrap(), ours.name);
            assert_eq!((theirs.size(), theirs.compressed_size(), theirs.crc32()), (ours.len, ours.len, ours.crc32));
            assert_eq!(theirs.data_start(), Some(ours.data().start));
        }
    }

    fn named(lengths: &[u64]) -> Vec<(String, u64)> {
        lengths.iter().enumerate().map(|(number, len)| (format!("{number}.dcm"), *len)).collect()
    }

    #[test]
    fn every_threshold_of_zip64_is_crossed_soundly() {
        // Proves the ZIP64 fields at, below and above each limit, in files that are holes instead of gigabytes.
        check(&named(&[0, 5, 0]));
        for len in [SATURATED - 1, SATURATED, SATURATED + 1, 5 * GIB] {
            check(&named(&[len]));
            check(&named(&[7, len, 9]));
        }
        // An offset right at the limit: 30 bytes and the name `0.dcm` go before the data, as many after the next.
        for len in [SATURATED - 36, SATURATED - 35, SATURATED - 34] {
            check(&named(&[len, 1, 1]));
        }
        check(&named(&[2 * GIB, 2 * GIB, 2 * GIB]));
        check(&[("名前.dcm".to_owned(), 3)]);
        for count in [0xFFFE, 0xFFFF, 0x10000] {
            check(&named(&vec![1; count]));
        }
    }

    #[test]
    fn what_cannot_be_said_is_refused() {
        let mut layout = ZipLayout::default();
        layout.add("a", 0, u64::MAX / 4).unwrap();
        for (name, len) in [("", 0), (&*"n".repeat(65_536), 0), ("b", u64::MAX), ("c", u64::MAX / 2)] {
            assert!(layout.add(name, 0, len).is_err());
        }
        assert_eq!(layout.entries().len(), 1);
    }

    #[test]
    fn any_changed_byte_of_a_directory_but_of_a_name_or_crc_is_refused() {
        // Proves that nothing in a directory is passed over: what a changed byte leaves readable is another name or
        // CRC-32 only, which pack.json and the bytes themselves then contradict.
        for entries in [named(&[3, 4]), named(&[5 * GIB, 1])] {
            let layout = layout(&entries);
            let bytes = layout.directory();
            for at in 0..bytes.len() {
                let mut changed = bytes.clone();
                changed[at] ^= 4;
                let end = End::read(&changed, layout.end() + bytes.len() as u64);
                let Some(read) = end.and_then(|end| ZipLayout::read(&changed, &end)) else { continue };
                let spans = |layout: &ZipLayout| layout.entries.iter().map(ZipEntry::data).collect::<Vec<_>>();
                assert_eq!(spans(&read), spans(&layout), "byte {at}");
                assert_ne!(read, layout, "byte {at}");
            }
        }
    }

    proptest! {
        #[test]
        fn noise_is_refused_without_panic(
            noise in proptest::collection::vec(any::<u8>(), 0..200),
            file_bytes in any::<u64>(),
            count in any::<u16>(),
        ) {
            // The end record is made to look right, so that the noise before it is parsed.
            let mut bytes = noise.clone();
            bytes.extend_from_slice(b"PK\x05\x06\0\0\0\0");
            push_u16(&mut bytes, count % 5);
            push_u16(&mut bytes, count % 5);
            push_u32(&mut bytes, noise.len() as u32);
            push_u32(&mut bytes, 0);
            push_u16(&mut bytes, 0);
            End::read(&bytes, file_bytes);
            if let Some(end) = End::read(&bytes, bytes.len() as u64) {
                prop_assert!(end.entries == 0 || ZipLayout::read(&bytes, &end).is_none());
            }
        }
    }
}
