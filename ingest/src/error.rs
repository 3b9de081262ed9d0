//! What can go wrong at the doors, and (once, here) how it is said in each protocol.

use archive::Reason;

use crate::door::Refusal;

/// A failure at a door.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// A file is larger than this archive takes.
    #[error("the file is larger than the {bytes_max} bytes this archive takes; raise body_bytes_max or split it")]
    BodyTooLarge {
        /// The limit.
        bytes_max: u64,
    },
    /// Received bytes could not be written to the spool folder.
    #[error("cannot spool received bytes: {0}")]
    Spool(#[source] std::io::Error),
    /// A multipart body does not follow RFC 2046.
    #[error("malformed multipart body at byte {at}: {detail}")]
    Multipart {
        /// Bytes of the body before the fault.
        at: u64,
        /// What is wrong.
        detail: &'static str,
    },
    /// More parts than one request may have.
    #[error("more than {parts_max} parts in one request; send fewer at a time")]
    TooManyParts {
        /// The limit.
        parts_max: usize,
    },
    /// The body of a request ended before it was whole.
    #[error("the body was cut short: {detail}; send again")]
    Cut {
        /// What the connection said.
        detail: String,
    },
    /// A sender said nothing for too long.
    #[error("nothing came for {idle_s} s; send again")]
    Silent {
        /// How long it was waited for.
        idle_s: u64,
    },
    /// A file of the sender could not be read.
    #[error("cannot read {name}: {source}")]
    Read {
        /// The file, as named on receipts.
        name: String,
        /// Why.
        source: std::io::Error,
    },
    /// A ZIP member grows beyond what any image does.
    #[error("{name} grows more than {ratio_max} times when unpacked; unpack it yourself and send the files")]
    Expansion {
        /// The member, as named on receipts.
        name: String,
        /// The limit.
        ratio_max: u64,
    },
    /// A peer broke the DICOM upper layer protocol (PS3.8).
    #[error("association with {peer}: {detail}")]
    Association {
        /// The calling AE title, or the address before it is known.
        peer: String,
        /// What happened.
        detail: String,
    },
    /// A server we push to cannot be reached or does not answer as it should.
    #[error("{url}: {detail}")]
    Server {
        /// The address asked.
        url: String,
        /// What happened, and what to do.
        detail: String,
    },
    /// A file of rules cannot be read, or says what cannot be meant.
    #[error("{path}: {detail}")]
    Rules {
        /// The file.
        path: String,
        /// What is wrong.
        detail: String,
    },
    /// A blocking task was stopped because the program is ending.
    #[error("the program is shutting down")]
    Stopping,
}

/// The result of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// The file this is about, as named on receipts; empty if none.
    pub fn name(&self) -> &str {
        match self {
            Error::Read { name, .. } | Error::Expansion { name, .. } => name,
            _ => "",
        }
    }

    /// How a failure to gather the bytes of a file is answered: nothing was kept.
    pub fn refusal(&self) -> Refusal {
        match self {
            Error::Spool(source) if source.kind() == std::io::ErrorKind::StorageFull => Refusal::StorageFull,
            other => Refusal::Failed(other.to_string()),
        }
    }
}

/// Out of resources: the same code as a STOW Failure Reason (PS3.18 §10.5.3) and a C-STORE status (PS3.4 Annex B.2.3).
pub const OUT_OF_RESOURCES: u16 = 0xA700;
/// Data Set does not match SOP Class, or contradicts what is held.
pub const DATA_SET_DOES_NOT_MATCH: u16 = 0xA900;
/// Cannot understand.
pub const CANNOT_UNDERSTAND: u16 = 0xC000;
/// Processing failure (PS3.7 Annex C.5).
pub const PROCESSING_FAILURE: u16 = 0x0110;
/// Unrecognized operation (PS3.7 Annex C.5).
pub const UNRECOGNIZED_OPERATION: u16 = 0x0211;

/// The code for a quarantined file, in STOW and DIMSE alike: readable but contradicting, or not understood.
pub fn quarantine_code(reason: &Reason) -> u16 {
    match reason.code.as_str() {
        "conflict" | "other-person" | "other-study" => DATA_SET_DOES_NOT_MATCH,
        _ => CANNOT_UNDERSTAND,
    }
}

/// The code for a file of which nothing was kept.
pub fn refusal_code(refusal: &Refusal) -> u16 {
    match refusal {
        Refusal::Busy { .. } | Refusal::StorageFull => OUT_OF_RESOURCES,
        Refusal::Failed(_) => PROCESSING_FAILURE,
    }
}

/// One sentence for people about a quarantined file.
pub fn quarantine_comment(reason: &Reason) -> String {
    [reason.code.as_str(), ": ", reason.text.trim_end_matches('.'), ". ", &reason.next_step].concat()
}
