//! A held file as `Read` and `Seek`, for the scanner, on a blocking thread.

use std::io::{self, Read, Seek, SeekFrom};

use archive::{Held, HeldForm, Reader};
use bytes::Bytes;
use tokio::runtime::Handle;

/// Bytes read ahead.
const BLOCK_BYTES: u64 = 256 << 10;

/// Reads a held file block by block. Only on a blocking thread: it waits for the archive.
pub(crate) struct HeldFile {
    reader: Reader,
    held: Held,
    runtime: Handle,
    at: u64,
    block: Bytes,
    block_at: u64,
}

impl HeldFile {
    /// The file of this instance, from its first byte.
    pub(crate) fn new(reader: Reader, held: Held, runtime: Handle) -> HeldFile {
        HeldFile { reader, held, runtime, at: 0, block: Bytes::new(), block_at: 0 }
    }

    fn within(&self) -> Option<&[u8]> {
        let skipped = usize::try_from(self.at.checked_sub(self.block_at)?).ok()?;
        self.block.get(skipped..).filter(|rest| !rest.is_empty())
    }
}

impl Read for HeldFile {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        if self.within().is_none() && self.at < self.held.part10_bytes {
            // A compressed file cannot be read from the middle: keep all of it.
            let whole = self.held.form == HeldForm::ReceivedZstd;
            let range = if whole { 0..u64::MAX } else { self.at..self.at.saturating_add(BLOCK_BYTES) };
            self.block_at = range.start;
            self.block = self.runtime.block_on(self.reader.read(&self.held, Some(range))).map_err(io::Error::other)?;
        }
        let Some(rest) = self.within() else { return Ok(0) };
        let count = rest.len().min(out.len());
        out[..count].copy_from_slice(&rest[..count]);
        self.at += count as u64;
        Ok(count)
    }
}

impl Seek for HeldFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let place = match to {
            SeekFrom::Start(place) => Some(place),
            SeekFrom::Current(by) => self.at.checked_add_signed(by),
            SeekFrom::End(by) => self.held.part10_bytes.checked_add_signed(by),
        };
        self.at = place.ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "a place before the file"))?;
        Ok(self.at)
    }
}
