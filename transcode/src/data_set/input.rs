//! Bytes that are read forward in small steps and skipped in large ones.

use std::io::{self, Read, Seek, SeekFrom};

use super::Error;

/// Read at once after a skip: a few element headers, not the pixels that follow.
const CHUNK_BYTES: usize = 8 << 10;

/// Skips bytes: by seeking where that is possible, by reading where it is not.
pub(super) trait Jump: Read {
    /// Goes `bytes` forward, or to the end of a stream; answers how far.
    fn jump(&mut self, bytes: u64) -> io::Result<u64>;
}

/// A file: skipping is seeking.
pub(super) struct Sought<'a, R>(pub &'a mut R);

impl<R: Read> Read for Sought<'_, R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl<R: Read + Seek> Jump for Sought<'_, R> {
    fn jump(&mut self, bytes: u64) -> io::Result<u64> {
        let by = i64::try_from(bytes).map_err(|_| io::ErrorKind::InvalidInput)?;
        self.0.seek(SeekFrom::Current(by)).map(|_| bytes)
    }
}

/// An inflating stream: skipping is reading.
pub(super) struct Streamed<R>(pub R);

impl<R: Read> Read for Streamed<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into)
    }
}

impl<R: Read> Jump for Streamed<R> {
    fn jump(&mut self, bytes: u64) -> io::Result<u64> {
        io::copy(&mut (&mut self.0).take(bytes), &mut io::sink())
    }
}

/// The bytes being scanned, with a small window on them.
pub(super) struct Input<J> {
    inner: J,
    window: Vec<u8>,
    start: usize,
    position: u64,
    length: Option<u64>,
    bytes_max: u64,
}

impl<J: Jump> Input<J> {
    /// Bytes of known length, `inner` standing at `position`.
    pub fn of_length(inner: J, position: u64, length: u64) -> Self {
        Input { inner, window: Vec::new(), start: 0, position, length: Some(length), bytes_max: u64::MAX }
    }

    /// Bytes of unknown length that may not exceed `bytes_max`.
    pub fn unbounded(inner: J, bytes_max: u64) -> Self {
        Input { inner, window: Vec::new(), start: 0, position: 0, length: None, bytes_max }
    }

    /// Byte the next read begins at.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Bytes in all, where known beforehand.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// The next `count` bytes without going past them; fewer only at the end.
    pub fn peek(&mut self, count: usize) -> Result<&[u8], Error> {
        self.fill(count)?;
        let ahead = self.window.get(self.start..).unwrap_or_default();
        Ok(ahead.get(..count).unwrap_or(ahead))
    }

    /// Goes `bytes` forward, or to the end of a stream; answers how far.
    pub fn skip(&mut self, bytes: u64) -> Result<u64, Error> {
        let buffered = (self.window.len() - self.start) as u64;
        let skipped = if bytes <= buffered {
            self.start += bytes as usize;
            bytes
        } else {
            self.check(bytes)?;
            self.window.clear();
            self.start = 0;
            buffered + self.inner.jump(bytes - buffered)?
        };
        self.position = self.position.saturating_add(skipped);
        Ok(skipped)
    }

    /// Reads `bytes` bytes, or what there is of them. The caller has bounded `bytes`.
    pub fn read(&mut self, bytes: u64) -> Result<Vec<u8>, Error> {
        self.check(bytes)?;
        let mut value = Vec::with_capacity(bytes.min(CHUNK_BYTES as u64) as usize);
        while (value.len() as u64) < bytes {
            let wanted = (bytes - value.len() as u64).min(CHUNK_BYTES as u64) as usize;
            let piece = self.peek(wanted)?;
            if piece.is_empty() {
                break;
            }
            let taken = piece.len();
            value.extend_from_slice(piece);
            self.skip(taken as u64)?;
        }
        Ok(value)
    }

    /// Whether all bytes from here on are zero. Consumes them.
    pub fn rest_is_zero(&mut self) -> Result<bool, Error> {
        loop {
            let piece = self.peek(CHUNK_BYTES)?;
            if piece.is_empty() {
                return Ok(true);
            }
            if piece.iter().any(|byte| *byte != 0) {
                return Ok(false);
            }
            let taken = piece.len() as u64;
            self.skip(taken)?;
        }
    }

    fn check(&self, bytes: u64) -> Result<(), Error> {
        match self.position.checked_add(bytes) {
            Some(end) if end <= self.bytes_max => Ok(()),
            _ => Err(Error::InflatedTooBig { inflated_bytes_max: self.bytes_max }),
        }
    }

    fn fill(&mut self, count: usize) -> Result<(), Error> {
        if self.window.len() - self.start >= count {
            return Ok(());
        }
        self.window.drain(..self.start);
        self.start = 0;
        while self.window.len() < count {
            let filled = self.window.len();
            self.window.resize(filled + CHUNK_BYTES.max(count - filled), 0);
            let read = match self.inner.read(self.window.get_mut(filled..).unwrap_or_default()) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {
                    self.window.truncate(filled);
                    continue;
                }
                other => other,
            };
            self.window.truncate(filled + read.as_ref().copied().unwrap_or(0).min(self.window.len() - filled));
            if read? == 0 {
                break;
            }
        }
        self.check(self.window.len() as u64)
    }
}
