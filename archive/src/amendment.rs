//! Amendments: what was decided later about what is kept. Objects, numbered, never edited; applied in order by whoever
//! rebuilds the index.

use serde::{Deserialize, Serialize};

/// One decision: who, when, why, and what changed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Amendment {
    /// Its place in the order, from 1.
    pub number: u64,
    /// When, RFC 3339 in UTC.
    pub at: String,
    /// Who decided.
    pub who: String,
    /// Why.
    pub why: String,
    /// What was decided.
    #[serde(flatten)]
    pub act: Act,
}

/// What an amendment does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "act", rename_all = "kebab-case")]
pub enum Act {
    /// A quarantined file was taken in after all.
    QuarantineReleased {
        /// SHA-256 of the file, hexadecimal.
        digest: String,
    },
    /// A quarantined file was let go.
    QuarantineDiscarded {
        /// SHA-256 of the file, hexadecimal.
        digest: String,
    },
}

/// The prefix of all amendments.
pub(crate) const PREFIX: &str = "amendments";

/// The object that holds an amendment.
pub(crate) fn key(number: u64) -> String {
    format!("{PREFIX}/amendment-{number:012}.json")
}
