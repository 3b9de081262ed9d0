//! What can go wrong, and where.

/// Everything the coder refuses. Offsets count bytes from the start of the codestream (SOC is at 0).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The bytes contradict T.800 or T.814.
    #[error("byte {offset}: {detail}")]
    Damaged {
        /// Where it was noticed.
        offset: usize,
        /// What was found, and what should have stood there.
        detail: String,
    },
    /// The codestream is legal but uses a part of the standards that this coder does not have.
    #[error("byte {offset}: {what} is not supported")]
    Unsupported {
        /// Where it was noticed.
        offset: usize,
        /// The part of the standard, with its paragraph.
        what: String,
    },
    /// The codestream has no HT code-blocks, or not only: a Part 1 decoder reads it.
    #[error("not an HTJ2K codestream: {what}; a JPEG 2000 Part 1 decoder is needed")]
    NotHighThroughput {
        /// What said so.
        what: &'static str,
    },
    /// A claim of the header is above what the caller allows.
    #[error("{what}: {claimed}, and the limit is {limit}")]
    TooLarge {
        /// What was claimed.
        what: &'static str,
        /// How much.
        claimed: u64,
        /// What is allowed.
        limit: u64,
    },
    /// The caller asked for something that makes no picture.
    #[error("{0}")]
    BadParameters(String),
}

/// What this crate answers.
pub type Result<T> = std::result::Result<T, Error>;

impl Error {
    /// [`Error::Damaged`] at `offset`.
    #[cold]
    #[inline(never)]
    pub(crate) fn damaged(offset: usize, detail: impl Into<String>) -> Error {
        Error::Damaged { offset, detail: detail.into() }
    }

    /// [`Error::Unsupported`] at `offset`.
    #[cold]
    #[inline(never)]
    pub(crate) fn unsupported(offset: usize, what: impl Into<String>) -> Error {
        Error::Unsupported { offset, what: what.into() }
    }
}
