//! A file made for one peer, in memory while it is small, else in the spool folder until it has been sent.

use std::fs::File;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use tempfile::NamedTempFile;

/// Bytes kept in memory; every association may have as many.
const MEMORY_BYTES_MAX: usize = 4 << 20;

/// Takes bytes until they are read.
pub(super) struct Spool {
    dir: PathBuf,
    memory: Vec<u8>,
    file: Option<NamedTempFile>,
}

/// The bytes, to be read from anywhere.
pub(super) enum Spooled {
    Memory(Cursor<Vec<u8>>),
    /// The name is gone when this is.
    File(NamedTempFile),
}

impl Spool {
    /// Empty, with room in this folder.
    pub(super) fn new(dir: PathBuf) -> Spool {
        Spool { dir, memory: Vec::new(), file: None }
    }

    /// The folder.
    pub(super) fn dir(&self) -> &Path {
        &self.dir
    }

    /// All that was written.
    ///
    /// # Errors
    /// When the last bytes cannot be written.
    pub(super) fn finish(mut self) -> io::Result<Spooled> {
        match self.file.take() {
            None => Ok(Spooled::Memory(Cursor::new(std::mem::take(&mut self.memory)))),
            Some(mut file) => {
                file.write_all(&self.memory)?;
                file.seek(SeekFrom::Start(0))?;
                Ok(Spooled::File(file))
            }
        }
    }
}

impl Write for Spool {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.memory.len() + bytes.len() > MEMORY_BYTES_MAX {
            let file = match &mut self.file {
                Some(file) => file,
                none => none.insert(NamedTempFile::new_in(&self.dir)?),
            };
            file.write_all(&self.memory)?;
            self.memory.clear();
            file.write_all(bytes)?;
            return Ok(bytes.len());
        }
        self.memory.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Spooled {
    fn file(&mut self) -> Result<&mut File, &mut Cursor<Vec<u8>>> {
        match self {
            Spooled::Memory(cursor) => Err(cursor),
            Spooled::File(file) => Ok(file.as_file_mut()),
        }
    }
}

impl Read for Spooled {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        match self.file() {
            Ok(file) => file.read(out),
            Err(cursor) => cursor.read(out),
        }
    }
}

impl Seek for Spooled {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self.file() {
            Ok(file) => file.seek(to),
            Err(cursor) => cursor.seek(to),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back_from_memory_and_from_disk() {
        let dir = tempfile::tempdir().unwrap();
        for (pieces, on_disk) in [(3, false), (9, true)] {
            let mut spool = Spool::new(dir.path().to_owned());
            let piece: Vec<u8> = (0..1 << 20).map(|at| (at % 251) as u8).collect();
            (0..pieces).for_each(|_| spool.write_all(&piece).unwrap());
            let mut spooled = spool.finish().unwrap();
            assert_eq!(matches!(spooled, Spooled::File(_)), on_disk);
            let mut bytes = Vec::new();
            spooled.read_to_end(&mut bytes).unwrap();
            assert!(bytes == piece.repeat(pieces));
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0, "nothing is left behind");
    }
}
