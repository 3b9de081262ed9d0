//! What query and retrieve are handed to: whatever finds and reads. The program wires the read side behind it.

use async_trait::async_trait;
use serde_json::{Map, Value};

use super::Extended;
use super::exchange::Outflow;
use super::identifier::{Key, Level, Wanted};
use super::peers::Peer;

/// One page of matches.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// DICOM JSON objects (PS3.18 Annex F).
    pub answers: Vec<Map<String, Value>>,
    /// There are more behind them.
    pub more: bool,
}

/// An instance that a retrieval is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Instance {
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// Series Instance UID.
    pub series_instance_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// Transfer syntaxes it may be had in, the best first: as held, as received, then what it can be made into.
    pub transfer_syntaxes: Vec<String>,
}

/// An instance about to be sent.
pub struct Outgoing {
    /// The transfer syntax of its Data Set.
    pub transfer_syntax: String,
    /// Its Data Set, without preamble and group 0002.
    pub data_set: Outflow,
}

/// Why a query or a retrieval cannot be answered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unanswered {
    /// A key has a value it cannot have. The sentence does not repeat it.
    #[error("{0}")]
    Invalid(String),
    /// It would take too much.
    #[error("{0}")]
    TooMuch(String),
    /// Anything else.
    #[error("{0}")]
    Failed(String),
}

/// Finds and reads for a peer, audited as it does.
#[async_trait]
pub trait ReadSide: Send + Sync {
    /// Whether matching on this key is supported at this level (PS3.4 §C.2.2.1.3).
    fn supports(&self, level: Level, key: &Key) -> bool;

    /// The matches from number `offset` on (PS3.4 §C.2.2.2), matched as was agreed on. The search is audited.
    ///
    /// # Errors
    /// [`Unanswered`].
    async fn find(
        &self,
        peer: &Peer,
        level: Level,
        keys: &[Key],
        matching: Extended,
        offset: u32,
    ) -> Result<Found, Unanswered>;

    /// The instances a retrieval names, at most `limit` and one.
    ///
    /// # Errors
    /// [`Unanswered`].
    async fn select(&self, peer: &Peer, wanted: &Wanted, limit: usize) -> Result<Vec<Instance>, Unanswered>;

    /// Opens an instance in this transfer syntax, which is one of its own. The access is durable before a byte of it
    /// leaves.
    ///
    /// # Errors
    /// [`Unanswered`]; the instance is not sent then.
    async fn open(&self, peer: &Peer, instance: &Instance, transfer_syntax: &str) -> Result<Outgoing, Unanswered>;

    /// Records that a peer asked for what it may not: `act` is `C-FIND`, say.
    async fn denied(&self, peer: &Peer, act: &'static str);
}
