//! What can go wrong while files are written.

use std::path::PathBuf;

/// Why a night could not be written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file or folder could not be written.
    #[error("cannot write {}: {source}; check that the disk has room and the folder may be written to", path.display())]
    Write {
        /// Where.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}
