//! Intake: the journal that instances are appended to, and made durable in, before anybody is told they are stored.
//!
//! A **segment** is a file of framed records ([`record`]). One is open at a time; a new one is begun at every start and
//! when the open one is full. A segment is deleted whole when no instance is in it any more.

mod record;

use std::fs::File;
use std::io::{self, IoSlice};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;

use crate::disk::{Disk, DiskFile};
use crate::error::{Error, Result};
use crate::{Body, FrameTable, TakeIn};
pub(crate) use record::{HEADER_BYTES, Header, MAGIC, Meta, TRAILER_BYTES};

/// Bytes read and written at a time when a body is not in memory.
const CHUNK_BYTES: usize = 1 << 20;

/// Where segments are, and what is appended to the open one.
pub(crate) struct Segments {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
    segment_bytes_max: u64,
    open: Option<Open>,
    next_number: u64,
}

struct Open {
    number: u64,
    file: Box<dyn DiskFile>,
    length: u64,
    unsynced: bool,
}

/// Where a record came to lie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct At {
    pub segment: u64,
    pub offset: u64,
}

pub(crate) fn segment_path(dir: &Path, number: u64) -> PathBuf {
    dir.join(format!("segment-{number:012}.tsgr"))
}

fn segment_number(name: &str) -> Option<u64> {
    name.strip_prefix("segment-")?.strip_suffix(".tsgr")?.parse().ok()
}

/// Numbers of the segments on disk, ascending.
pub(crate) fn list(disk: &dyn Disk, dir: &Path) -> Result<Vec<u64>> {
    let names = disk.list(dir).map_err(Error::io("listing the intake segments", dir))?;
    Ok(names.iter().filter_map(|name| segment_number(name)).collect())
}

impl Segments {
    pub fn new(disk: Arc<dyn Disk>, dir: PathBuf, segment_bytes_max: u64, next_number: u64) -> Segments {
        Segments { disk, dir, segment_bytes_max, open: None, next_number }
    }

    /// Appends a record to the open segment, beginning one if needed. Not durable before [`Segments::sync`].
    /// On an error the segment is as it was.
    pub fn append(&mut self, sequence: u64, meta: &Meta, take_in: &TakeIn) -> Result<At> {
        if self.open.is_none() {
            self.open = Some(self.begin()?);
        }
        let path = self.open_path();
        let Some(open) = &mut self.open else { return Err(Error::Poisoned("no segment is open".into())) };
        let at = At { segment: open.number, offset: open.length };
        open.unsynced = true;
        match append_record(open.file.as_mut(), sequence, meta, take_in) {
            Ok(bytes) => {
                open.length += bytes;
                Ok(at)
            }
            Err(cause) => {
                // Nothing of a half-written record may stay in front of the next one.
                open.file.truncate(open.length).map_err(|e| Error::Poisoned(format!("{cause}; then {e}")))?;
                Err(Error::io("append to the intake segment", &path)(cause))
            }
        }
    }

    fn begin(&mut self) -> Result<Open> {
        let path = segment_path(&self.dir, self.next_number);
        let file = self.disk.create_new(&path).map_err(Error::io("creation of an intake segment", &path))?;
        let number = self.next_number;
        self.next_number += 1;
        // Whether its name is durable is unknown after this failed: no later sync can prove that it is.
        let unknown = |cause| Error::Poisoned(format!("sync of the intake directory {}: {cause}", self.dir.display()));
        self.disk.sync_dir(&self.dir).map_err(unknown)?;
        Ok(Open { number, file, length: 0, unsynced: false })
    }

    /// Makes everything appended durable.
    pub fn sync(&mut self) -> Result<()> {
        let path = self.open_path();
        match &mut self.open {
            Some(open) if open.unsynced => {
                open.file.sync_data().map_err(Error::io("sync of the intake segment", &path))?;
                open.unsynced = false;
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Number and length of the open segment.
    pub fn open_length(&self) -> Option<(u64, u64)> {
        self.open.as_ref().map(|open| (open.number, open.length))
    }

    /// Closes the open segment when it has grown long enough. Call it between groups, when all is synced.
    pub fn close_if_full(&mut self) {
        if self.open.as_ref().is_some_and(|open| open.length >= self.segment_bytes_max) {
            self.close();
        }
    }

    /// Closes the open segment, so that it can be deleted once it is empty of instances.
    pub fn close(&mut self) {
        self.open = None;
    }

    /// Removes a closed segment. Repeatable after a crash.
    pub fn remove(&self, number: u64) -> Result<()> {
        let path = segment_path(&self.dir, number);
        self.disk.remove(&path).map_err(Error::io("removal of an intake segment", &path))?;
        self.disk.sync_dir(&self.dir).map_err(Error::io("sync of the intake directory", &self.dir))
    }

    fn open_path(&self) -> PathBuf {
        segment_path(&self.dir, self.open.as_ref().map_or(self.next_number, |open| open.number))
    }
}

fn append_record(file: &mut dyn DiskFile, sequence: u64, meta: &Meta, take_in: &TakeIn) -> io::Result<u64> {
    let meta = serde_json::to_vec(meta)?;
    let frames = take_in.frames.to_bytes();
    let too_long = |_| io::Error::other("metadata of 4 GiB or more");
    let header = Header {
        sequence,
        meta_bytes: u32::try_from(meta.len()).map_err(too_long)?,
        dicom_json_bytes: u32::try_from(take_in.dicom_json.len()).map_err(too_long)?,
        frames_bytes: u32::try_from(frames.len()).map_err(too_long)?,
        body_bytes: take_in.body.len(),
    };
    let front = [&meta[..], &take_in.dicom_json, &frames];
    let mut checksum = front.iter().fold(0, |crc, part| crc32c::crc32c_append(crc, part));
    let head = header.to_bytes();
    let parts = [IoSlice::new(&head), IoSlice::new(front[0]), IoSlice::new(front[1]), IoSlice::new(front[2])];
    match &take_in.body {
        Body::Memory(body) => {
            let trailer = crc32c::crc32c_append(checksum, body).to_le_bytes();
            let [a, b, c, d] = parts;
            file.append(&[a, b, c, d, IoSlice::new(body), IoSlice::new(&trailer)])?;
        }
        Body::Spooled(..) => {
            file.append(&parts)?;
            checksum = append_spooled(file, &take_in.body, checksum)?;
            file.append(&[IoSlice::new(&checksum.to_le_bytes())])?;
        }
    }
    header.record_bytes().ok_or_else(|| io::Error::other("record too long to count"))
}

fn append_spooled(file: &mut dyn DiskFile, body: &Body, mut checksum: u32) -> io::Result<u32> {
    let mut reader = body.reader()?;
    let mut chunk = vec![0; CHUNK_BYTES];
    let mut left = body.len();
    while left > 0 {
        let want = CHUNK_BYTES.min(usize::try_from(left).unwrap_or(CHUNK_BYTES));
        reader.read_exact(&mut chunk[..want])?;
        checksum = crc32c::crc32c_append(checksum, &chunk[..want]);
        file.append(&[IoSlice::new(&chunk[..want])])?;
        left -= want as u64;
    }
    Ok(checksum)
}

/// A segment open for reading.
#[derive(Debug)]
pub(crate) struct SegmentReader {
    file: Arc<File>,
    number: u64,
    length: u64,
}

/// What lies at a place in a segment.
#[derive(Debug)]
pub(crate) enum Found {
    /// A whole record, its checksum proven, and where it ends.
    Record(Box<Front>, u64),
    /// Bytes that were never written, or the beginning of a record that was cut off: never acknowledged. The next
    /// record, if there is one, begins at this offset.
    Unfinished(u64),
    /// Bytes that are not as they were written; the next record, if there is one, begins at this offset.
    Damaged(u64, String),
}

/// The front of a record: all but its body.
#[derive(Clone, Debug)]
pub(crate) struct Front {
    pub header: Header,
    pub meta: Meta,
    pub dicom_json: Bytes,
    pub frames: FrameTable,
}

impl SegmentReader {
    /// `None` when there is no such segment (any more).
    pub fn open(dir: &Path, number: u64) -> Result<Option<SegmentReader>> {
        let path = segment_path(dir, number);
        let file = match File::open(&path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("opening an intake segment", &path)(error)),
        };
        let length = file.metadata().map_err(Error::io("reading an intake segment", &path))?.len();
        Ok(Some(SegmentReader { file: Arc::new(file), number, length }))
    }

    pub fn length(&self) -> u64 {
        self.length
    }

    fn damaged(&self, offset: u64, detail: &str) -> Error {
        Error::damaged(format!("intake segment {} at byte {offset}", self.number), detail)
    }

    fn read(&self, offset: u64, bytes: u64) -> Result<Vec<u8>> {
        if offset.checked_add(bytes).is_none_or(|end| end > self.length) {
            return Err(self.damaged(offset, "ends before the record does"));
        }
        let mut out = vec![0; bytes as usize];
        let read = self.file.read_exact_at(&mut out, offset);
        read.map_err(|source| Error::Io {
            what: "reading an intake segment",
            path: format!("segment {} at byte {offset}", self.number),
            source,
        })?;
        Ok(out)
    }

    fn header(&self, offset: u64) -> Result<Header> {
        let mut bytes = [0; HEADER_BYTES];
        bytes.copy_from_slice(&self.read(offset, HEADER_BYTES as u64)?);
        Header::from_bytes(&bytes).ok_or_else(|| self.damaged(offset, "no record begins here"))
    }

    /// Everything of a record but its body. Its checksum is not looked at.
    pub fn front(&self, offset: u64) -> Result<Front> {
        let header = self.header(offset)?;
        let start = offset + HEADER_BYTES as u64;
        let bytes = Bytes::from(self.read(start, header.body_offset() - HEADER_BYTES as u64)?);
        let (meta_end, json_end) =
            (header.meta_bytes as usize, header.meta_bytes as usize + header.dicom_json_bytes as usize);
        let meta = serde_json::from_slice(&bytes[..meta_end]).map_err(|e| self.damaged(start, &e.to_string()))?;
        let frames = FrameTable::from_bytes(&bytes[json_end..])?;
        Ok(Front { header, meta, dicom_json: bytes.slice(meta_end..json_end), frames })
    }

    /// The file and the byte at which the body of a record begins.
    pub fn body_file(&self, offset: u64) -> Result<(Arc<File>, u64)> {
        let header = self.header(offset)?;
        Ok((Arc::clone(&self.file), offset + header.body_offset()))
    }

    /// A range of a record's body.
    pub fn body(&self, offset: u64, range: std::ops::Range<u64>) -> Result<Bytes> {
        let header = self.header(offset)?;
        if range.start > range.end || range.end > header.body_bytes {
            return Err(self.damaged(offset, "a range past the end of the body was asked for"));
        }
        Ok(self.read(offset + header.body_offset() + range.start, range.end - range.start)?.into())
    }

    /// What lies at `offset`: a record, the end of what was written, or damage.
    ///
    /// # Errors
    /// [`Error::Io`] when the disk cannot be read: nothing is known of the bytes then.
    pub fn at(&self, offset: u64) -> Result<Found> {
        let detail = match self.proven(offset) {
            Ok((front, end)) => return Ok(Found::Record(Box::new(front), end)),
            Err(Error::Damaged { detail, .. }) => detail,
            Err(error) => return Err(error),
        };
        let head = self.read(offset, (self.length - offset).min(HEADER_BYTES as u64))?;
        let header = <&[u8; HEADER_BYTES]>::try_from(&head[..]).ok().and_then(Header::from_bytes);
        match header.and_then(|header| offset.checked_add(header.record_bytes()?)) {
            Some(end) if end <= self.length => Ok(Found::Damaged(end, detail)),
            Some(_) => Ok(Found::Unfinished(self.length)),
            None if head.len() < HEADER_BYTES => Ok(Found::Unfinished(self.length)),
            None if head.iter().all(|byte| *byte == 0) => Ok(Found::Unfinished(self.next_record(offset)?)),
            None => Ok(Found::Damaged(self.next_record(offset)?, detail)),
        }
    }

    /// Where the next whole record after `offset` begins; the segment's end if there is none.
    fn next_record(&self, offset: u64) -> Result<u64> {
        let mut at = offset + 1;
        while at < self.length {
            // Overlapping by three, so that a mark across two chunks is seen.
            let chunk = self.read(at, (self.length - at).min(CHUNK_BYTES as u64 + 3))?;
            for found in chunk.windows(MAGIC.len()).enumerate().filter(|(_, window)| window == MAGIC).map(|(i, _)| i) {
                match self.proven(at + found as u64) {
                    Ok(_) => return Ok(at + found as u64),
                    Err(Error::Damaged { .. }) => {}
                    Err(error) => return Err(error),
                }
            }
            at += CHUNK_BYTES as u64;
        }
        Ok(self.length)
    }

    /// The front of the record at `offset` and the offset of the next one, its checksum proven.
    pub fn proven(&self, offset: u64) -> Result<(Front, u64)> {
        let front = self.front(offset)?;
        let record = front.header.record_bytes().ok_or_else(|| self.damaged(offset, "record too long to count"))?;
        let end = offset.checked_add(record).filter(|end| *end <= self.length);
        let end = end.ok_or_else(|| self.damaged(offset, "ends before the record does"))?;
        let mut checksum = 0;
        let mut at = offset + HEADER_BYTES as u64;
        let trailer = end - TRAILER_BYTES as u64;
        while at < trailer {
            let step = (trailer - at).min(CHUNK_BYTES as u64);
            checksum = crc32c::crc32c_append(checksum, &self.read(at, step)?);
            at += step;
        }
        if self.read(trailer, TRAILER_BYTES as u64)? != checksum.to_le_bytes() {
            return Err(self.damaged(offset, "its checksum does not match"));
        }
        Ok((front, end))
    }
}
