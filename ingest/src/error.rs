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
    /// A sender sends, but too slowly to be waited for.
    #[error("the body came {detail}; send again over a faster line, or fewer files at a time")]
    Slow {
        /// How slowly.
        detail: String,
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
    /// What was to be sent to a peer could not be read to its end.
    #[error("cannot send to {peer}: {detail}")]
    Source {
        /// Whom it was for.
        peer: String,
        /// What could not be read.
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
/// Referenced Transfer Syntax not supported (PS3.18 Table I.2-2).
pub const TRANSFER_SYNTAX_NOT_SUPPORTED: u16 = 0xC122;
/// Processing failure (PS3.7 Annex C.5).
pub const PROCESSING_FAILURE: u16 = 0x0110;
/// Unrecognized operation (PS3.7 Annex C.5).
pub const UNRECOGNIZED_OPERATION: u16 = 0x0211;

/// Identifier does not match SOP Class (PS3.4 Tables C.4-1 to C.4-3): the number of [`DATA_SET_DOES_NOT_MATCH`].
pub const IDENTIFIER_DOES_NOT_MATCH: u16 = DATA_SET_DOES_NOT_MATCH;
/// Out of resources: unable to calculate number of matches (PS3.4 Tables C.4-2, C.4-3).
pub const TOO_MANY_MATCHES: u16 = 0xA701;
/// Out of resources: unable to perform sub-operations.
pub const SUB_OPERATIONS_FAILED: u16 = 0xA702;
/// Move Destination unknown (PS3.4 Table C.4-2).
pub const MOVE_DESTINATION_UNKNOWN: u16 = 0xA801;
/// Sub-operations complete, one or more failures.
pub const SOME_SUB_OPERATIONS_FAILED: u16 = 0xB000;
/// Matching or sub-operations ended by C-CANCEL.
pub const CANCELLED: u16 = 0xFE00;
/// There is more to come.
pub const PENDING: u16 = 0xFF00;
/// There is more to come, and some keys were not matched on (PS3.4 Table C.4-1).
pub const PENDING_KEYS_UNSUPPORTED: u16 = 0xFF01;
/// No such object instance (PS3.7 Annex C.5.11).
pub const NO_SUCH_OBJECT_INSTANCE: u16 = 0x0112;
/// Invalid argument value (PS3.7 Annex C.5.3).
pub const INVALID_ARGUMENT_VALUE: u16 = 0x0115;
/// Class-instance conflict (PS3.7 Annex C.5.1).
pub const CLASS_INSTANCE_CONFLICT: u16 = 0x0119;
/// SOP class not supported (PS3.7 Annex C.5.6).
pub const SOP_CLASS_NOT_SUPPORTED: u16 = 0x0122;
/// No such action type (PS3.7 Annex C.5.9).
pub const NO_SUCH_ACTION: u16 = 0x0123;
/// Not authorized (PS3.7 Annex C.5.7).
pub const NOT_AUTHORIZED: u16 = 0x0124;
/// Duplicate transaction UID, a Failure Reason of storage commitment (PS3.3 C.14.1.1).
pub const DUPLICATE_TRANSACTION_UID: u16 = 0x0131;
/// Resource limitation (PS3.7 Annex C.5.20).
pub const RESOURCE_LIMITATION: u16 = 0x0213;

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
        Refusal::NotPermitted(_) => NOT_AUTHORIZED,
        Refusal::Failed(_) => PROCESSING_FAILURE,
    }
}

/// One sentence for people about a quarantined file.
pub fn quarantine_comment(reason: &Reason) -> String {
    [reason.code.as_str(), ": ", reason.text.trim_end_matches('.'), ". ", &reason.next_step].concat()
}
