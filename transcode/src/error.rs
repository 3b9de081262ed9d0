//! What can go wrong with pixels, each with its place.

use crate::recipe::WhyNot;

/// The one error of this crate.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A coder panicked on these bytes; the panic was contained.
    #[error("{coder} panicked and was contained: {message}")]
    Panicked {
        /// Which coder.
        coder: &'static str,
        /// What it said.
        message: String,
    },
    /// A coder refused these bytes, or they are not what they claim to be.
    #[error("{coder}: {detail}")]
    Damaged {
        /// Which coder or form.
        coder: &'static str,
        /// What is wrong, and at which byte where that is known.
        detail: String,
    },
    /// Nothing is wrong with these bytes, but this program cannot read them.
    #[error("{what} of transfer syntax {transfer_syntax} cannot be shown; {next_step}")]
    Unsupported {
        /// Transfer Syntax UID (0002,0010).
        transfer_syntax: String,
        /// What of it.
        what: String,
        /// What to do instead.
        next_step: &'static str,
    },
    /// A header claims more than is allowed; nothing was allocated.
    #[error("{what}: {claimed} claimed, at most {limit} allowed")]
    TooLarge {
        /// What was claimed.
        what: &'static str,
        /// How many.
        claimed: u64,
        /// The limit.
        limit: u64,
    },
    /// A file without pixels.
    #[error("it has no pixels")]
    NoPixels,
    /// These pixels are kept as received.
    #[error("{0}")]
    Kept(#[from] WhyNot),
    /// What was rebuilt is not what was received.
    #[error("the rebuilt file is not the received one: {detail}")]
    Different {
        /// Where it first differs, or both digests.
        detail: String,
    },
    /// The rebuilt bytes could not be written, or memory for zstd not be had.
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

/// The one result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// Runs a coder that we did not write, and turns its panic into [`Error::Panicked`].
///
/// A panic leaves nothing behind: what the coder held was its own, and is dropped while unwinding.
pub(crate) fn contained<T>(coder: &'static str, run: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(run)).unwrap_or_else(|panic| {
        let said = panic.downcast_ref::<String>().cloned();
        let message = said.or_else(|| panic.downcast_ref::<&str>().map(|s| s.to_string()));
        Err(Error::Panicked { coder, message: message.unwrap_or_else(|| "no message".into()) })
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_inside_a_coder_is_an_error_outside() {
        let answer: Result<()> = contained("a coder", || panic!("index {} out of range", 7));
        assert_eq!(answer.unwrap_err().to_string(), "a coder panicked and was contained: index 7 out of range");
    }
}
