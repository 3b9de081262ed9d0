//! The bytes of one received file, in memory or spooled to disk when they are many.

use std::fs::File;
use std::io::{Cursor, Read, Seek, SeekFrom};
use std::sync::Arc;

use bytes::Bytes;
use tempfile::NamedTempFile;

/// The bytes of one received file. Cloning is cheap; a spooled file is removed when the last clone goes.
#[derive(Clone, Debug)]
pub enum Body {
    /// Small enough to be held in memory.
    Memory(Bytes),
    /// Spooled to a temporary file: an instance larger than memory allows.
    Spooled(Arc<NamedTempFile>, u64),
}

/// What [`Body::reader`] answers: bytes that can be sought in.
pub trait ReadSeek: Read + Seek + Send {}
impl<T: Read + Seek + Send> ReadSeek for T {}

impl Body {
    /// Takes over a spooled file, wherever its cursor stands.
    ///
    /// # Errors
    /// When the length of the file cannot be read.
    pub fn spooled(file: NamedTempFile) -> std::io::Result<Body> {
        let len = file.as_file().metadata()?.len();
        Ok(Body::Spooled(Arc::new(file), len))
    }

    /// Bytes in all.
    pub fn len(&self) -> u64 {
        match self {
            Body::Memory(bytes) => bytes.len() as u64,
            Body::Spooled(_, len) => *len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// A reader of its own, at the first byte.
    ///
    /// # Errors
    /// When the spooled file cannot be opened again.
    pub fn reader(&self) -> std::io::Result<Box<dyn ReadSeek>> {
        Ok(match self {
            Body::Memory(bytes) => Box::new(Cursor::new(bytes.clone())),
            Body::Spooled(file, _) => {
                let mut file: File = file.reopen()?;
                file.seek(SeekFrom::Start(0))?;
                Box::new(std::io::BufReader::with_capacity(1 << 20, file))
            }
        })
    }

    /// All bytes in memory, if they are at most `bytes_max`; otherwise `None`.
    ///
    /// # Errors
    /// When the spooled file cannot be read.
    pub fn bytes(&self, bytes_max: u64) -> std::io::Result<Option<Bytes>> {
        match self {
            Body::Memory(bytes) => Ok((bytes.len() as u64 <= bytes_max).then(|| bytes.clone())),
            Body::Spooled(_, len) if *len > bytes_max => Ok(None),
            Body::Spooled(..) => {
                let mut bytes = Vec::new();
                self.reader()?.read_to_end(&mut bytes)?;
                Ok(Some(bytes.into()))
            }
        }
    }
}

impl From<Vec<u8>> for Body {
    fn from(bytes: Vec<u8>) -> Self {
        Body::Memory(bytes.into())
    }
}
