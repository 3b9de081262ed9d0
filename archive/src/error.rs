//! What can go wrong in the archive, each with the place where it did.

/// What can go wrong in the archive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A local file could not be read or written.
    #[error("{what} failed on {path}: {source}")]
    Io {
        /// The act, for example "sync of the intake segment".
        what: &'static str,
        /// The file.
        path: String,
        /// The cause.
        source: std::io::Error,
    },
    /// The object store refused or failed.
    #[error("object {key}: {source}")]
    Object {
        /// The object's name.
        key: String,
        /// The cause.
        source: object_store::Error,
    },
    /// The index failed.
    #[error("index: {0}")]
    Index(#[from] rusqlite::Error),
    /// Bytes that were kept are not what they should be.
    #[error("{what} is damaged: {detail}")]
    Damaged {
        /// Which thing.
        what: String,
        /// What is wrong with it.
        detail: String,
    },
    /// Nothing of that name is held.
    #[error("{0} is not held here")]
    NotFound(String),
    /// Another process holds the archive for writing.
    #[error("{path} is being written by another process; stop it, or send to it with `tsunagu push --to URL`")]
    Locked {
        /// The lock file.
        path: String,
    },
    /// A sync failed earlier: what the disk holds is unknown, so nothing more is written until a restart.
    #[error("writing has stopped since a sync failed: {0}; check the disk, then start again")]
    Poisoned(String),
    /// The request cannot be carried out as asked.
    #[error("{0}")]
    Refused(String),
}

/// The archive's result.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// Wraps an I/O error with what was tried and where.
    pub(crate) fn io(what: &'static str, path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Error {
        let path = path.display().to_string();
        move |source| Error::Io { what, path, source }
    }

    /// Wraps an object store error with the object's name.
    pub(crate) fn object(key: impl std::fmt::Display) -> impl FnOnce(object_store::Error) -> Error {
        let key = key.to_string();
        move |source| Error::Object { key, source }
    }

    /// Kept bytes that are not what they should be.
    pub(crate) fn damaged(what: impl Into<String>, detail: impl Into<String>) -> Error {
        Error::Damaged { what: what.into(), detail: detail.into() }
    }
}
