//! Reading local files by position, into buffers that are used again.
//!
//! What the page cache holds is read where the caller stands (`RWF_NOWAIT`): a thread would cost more than the copy. What
//! it does not hold is read on a blocking thread. The buffers stay warm: a frame passes through memory that the frame
//! before it has just left, with nothing to allocate, to clear or to fault in.

use std::fs::File;
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::error::{Error, Result};

/// Bytes of the two kinds of buffer.
const SMALL_BYTES: usize = 32 << 10;
const LARGE_BYTES: usize = 256 << 10;
/// Buffers of each kind that are kept when nobody uses them.
const IDLE_MAX: usize = 64;

/// The most that one positioned read should ask for: what a buffer holds.
pub const POSITIONED_BYTES_MAX: u64 = LARGE_BYTES as u64;

/// Buffers nobody uses at the moment.
#[derive(Clone, Debug, Default)]
struct Idle(Arc<Mutex<Vec<Vec<u8>>>>);

impl Idle {
    fn take(&self, bytes: usize) -> Buffer {
        let kept = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        Buffer { bytes: kept.unwrap_or_else(|| vec![0; bytes]), filled: 0, home: Some(self.clone()) }
    }
}

/// A buffer on its way: given back when the last slice of it is dropped.
struct Buffer {
    bytes: Vec<u8>,
    filled: usize,
    home: Option<Idle>,
}

impl AsRef<[u8]> for Buffer {
    fn as_ref(&self) -> &[u8] {
        self.bytes.get(..self.filled).unwrap_or_default()
    }
}

impl Drop for Buffer {
    fn drop(&mut self) {
        let Some(Idle(home)) = self.home.take() else { return };
        let mut idle = home.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < IDLE_MAX {
            idle.push(std::mem::take(&mut self.bytes));
        }
    }
}

/// Where read buffers come from. Clones share them.
#[derive(Clone, Debug, Default)]
pub(crate) struct Buffers {
    small: Idle,
    large: Idle,
}

impl Buffers {
    fn take(&self, bytes: usize) -> Buffer {
        if bytes <= SMALL_BYTES {
            self.small.take(SMALL_BYTES)
        } else if bytes <= LARGE_BYTES {
            self.large.take(LARGE_BYTES)
        } else {
            Buffer { bytes: vec![0; bytes], filled: 0, home: None }
        }
    }

    /// The bytes of a range of a file, all of them. `what` names the file in an error.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the file ends before the range does; [`Error::Io`].
    pub(crate) async fn read(&self, file: &Arc<File>, range: Range<u64>, what: &str) -> Result<Bytes> {
        let wanted = usize::try_from(range.end.saturating_sub(range.start)).unwrap_or(usize::MAX);
        if wanted == 0 {
            return Ok(Bytes::new());
        }
        let mut buffer = self.take(wanted);
        buffer.filled = fill_from_memory(file, &mut buffer.bytes[..wanted], range.start);
        if buffer.filled < wanted {
            let file = Arc::clone(file);
            let rest = move || {
                let from = range.start + buffer.filled as u64;
                let read = file.read_exact_at(&mut buffer.bytes[buffer.filled..wanted], from);
                buffer.filled = wanted;
                read.map(|()| buffer)
            };
            let read = tokio::task::spawn_blocking(rest).await.map_err(|e| Error::Poisoned(e.to_string()))?;
            buffer = read.map_err(|error| failed(error, what))?;
        }
        Ok(Bytes::from_owner(buffer))
    }
}

fn failed(error: io::Error, what: &str) -> Error {
    match error.kind() {
        io::ErrorKind::UnexpectedEof => Error::damaged(what, "it ends before the range asked for"),
        _ => Error::Io { what: "reading", path: what.to_owned(), source: error },
    }
}

/// Reads what can be read without waiting for a disk, and answers how much that was.
#[cfg(target_os = "linux")]
fn fill_from_memory(file: &File, into: &mut [u8], from: u64) -> usize {
    use rustix::io::{ReadWriteFlags, preadv2};
    let mut filled = 0;
    while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
        match preadv2(file, &mut [io::IoSliceMut::new(rest)], from + filled as u64, ReadWriteFlags::NOWAIT) {
            Ok(0) => break,
            Ok(count) => filled += count,
            Err(rustix::io::Errno::INTR) => {}
            // EAGAIN: not in memory; EOPNOTSUPP: this file system does not say. The end of the file, too, is for the
            // read that may wait.
            Err(_) => break,
        }
    }
    filled
}

#[cfg(not(target_os = "linux"))]
fn fill_from_memory(_: &File, _: &mut [u8], _: u64) -> usize {
    0
}

/// Whether an open file has lost its last name.
pub(crate) fn is_deleted(file: &File) -> bool {
    file.metadata().map_or(true, |found| found.nlink() == 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn ranges_are_what_the_file_has_and_buffers_come_back() {
        // Proves that every size of buffer is filled from the right place, and that a used buffer leaks nothing of what was
        // in it before.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("file");
        let bytes: Vec<u8> = (0..600_000u32).map(|n| (n * 7 % 251) as u8).collect();
        std::fs::write(&path, &bytes).unwrap();
        let (file, buffers) = (Arc::new(File::open(&path).unwrap()), Buffers::default());
        for (start, end) in [(0, 10), (5, 32_773), (100, 262_244), (0, 600_000), (599_999, 600_000), (7, 7), (3, 9)] {
            let read = buffers.read(&file, start..end, "a file").await.unwrap();
            assert!(read == bytes[start as usize..end as usize], "{start} to {end}");
        }
        assert!(buffers.small.0.lock().unwrap().len() == 1 && buffers.large.0.lock().unwrap().len() == 1);
        let beyond = buffers.read(&file, 599_990..600_001, "a file").await;
        assert!(matches!(beyond, Err(Error::Damaged { .. })), "{beyond:?}");
        assert!(!is_deleted(&file));
        std::fs::remove_file(&path).unwrap();
        assert!(is_deleted(&file));
        assert_eq!(buffers.read(&file, 1..4, "a file").await.unwrap(), bytes[1..4]);
    }
}
