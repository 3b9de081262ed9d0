//! Why an association that we asked for failed: told apart by what its caller does next.

use dicom_ul::pdu::{AssociationRJ, AssociationRJResult};

use crate::error::Error;

/// Why an association failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScuError {
    /// Nobody is there: try again later.
    #[error("{peer} cannot be reached: {detail}")]
    Unreachable {
        /// Whom we called.
        peer: String,
        /// What the network said.
        detail: String,
    },
    /// The peer does not want this association.
    #[error("{peer} rejected the association{}: {reason}", if *.permanent { "" } else { " for now" })]
    Rejected {
        /// Whom we called.
        peer: String,
        /// Calling again will not help (PS3.8 §9.3.4: rejected-permanent).
        permanent: bool,
        /// Why, as it said.
        reason: String,
    },
    /// The association ended before its time; what was outstanding has an unknown outcome.
    #[error("association with {peer}: {detail}")]
    Broken {
        /// Whom we called.
        peer: String,
        /// What happened.
        detail: String,
    },
    /// What was to be sent could not be read; the association is aborted, so that the peer takes no half for a whole.
    #[error("cannot send to {peer}: {detail}")]
    Source {
        /// Whom we called.
        peer: String,
        /// What could not be read.
        detail: String,
    },
}

/// The result of the asking side.
pub type Result<T> = std::result::Result<T, ScuError>;

impl ScuError {
    /// What an A-ASSOCIATE-RJ says (PS3.8 §9.3.4).
    pub(super) fn rejected(peer: impl ToString, rejected: &AssociationRJ) -> ScuError {
        let permanent = rejected.result == AssociationRJResult::Permanent;
        ScuError::Rejected { peer: peer.to_string(), permanent, reason: rejected.source.to_string() }
    }
}

impl From<Error> for ScuError {
    fn from(error: Error) -> ScuError {
        match error {
            Error::Source { peer, detail } => ScuError::Source { peer, detail },
            Error::Association { peer, detail } => ScuError::Broken { peer, detail },
            other => ScuError::Broken { peer: String::new(), detail: other.to_string() },
        }
    }
}
