//! What every door hands inward, and what it is answered: the seam between the protocols and the intake.

use std::sync::Arc;

use archive::{Batch, Body, Origin, Reason, Receipt};
use async_trait::async_trait;
use serde::{Deserialize, Serialize};

use crate::receive::Receiver;

/// The intake as a door sees it: it admits a file or sets it aside, and answers once the bytes are durable.
#[async_trait]
pub trait Gate: Send + Sync {
    /// Takes one whole file in. Where `origin.file` is empty the sender named none, and the gate names the file by
    /// its SOP Instance UID (or by its digest, if it has none).
    ///
    /// # Errors
    /// A [`Refusal`] when nothing was kept: the sender has to send the file again.
    async fn take_in(&self, origin: Origin, received: Received) -> Result<Taken, Refusal>;
}

/// Batches and their receipts, as the doors see them. Ids are chosen by senders, so each is one centre's own.
#[async_trait]
pub trait Batches: Send + Sync {
    /// Opens a batch, durably; opening it again changes nothing.
    ///
    /// # Errors
    /// A [`Refusal`] when it could not be recorded.
    async fn open(&self, batch: Batch) -> Result<(), Refusal>;

    /// The receipt of a batch of this centre as it stands, or `None` where there is no such batch.
    ///
    /// # Errors
    /// A [`Refusal`] when it could not be read.
    async fn receipt(&self, centre: &str, id: &str) -> Result<Option<Receipt>, Refusal>;
}

/// One file, received whole.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its bytes; the memory they were granted is given back when the last clone goes.
    pub body: Body,
    /// SHA-256 of all of them.
    pub file_digest: [u8; 32],
    /// The study the sender addressed (`POST /studies/S`): an instance of another is set aside, not stored
    /// (PS3.18 §10.5.1).
    pub expected_study: Option<String>,
}

/// The UIDs of a file, as far as they are known; empty where they are not.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceUids {
    /// SOP Class UID (0008,0016).
    pub sop_class_uid: String,
    /// SOP Instance UID (0008,0018).
    pub sop_instance_uid: String,
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: String,
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: String,
}

/// What became of a file. Said only of bytes on durable storage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    /// Newly kept.
    Stored(InstanceUids),
    /// The same Data Set is held already; nothing was added.
    AlreadyHeld(InstanceUids),
    /// Kept beside a held instance with the same values in another transfer syntax.
    Variant(InstanceUids),
    /// Set aside with a reason.
    Quarantined {
        /// What could be read of its UIDs.
        uids: InstanceUids,
        /// Why, and what to do.
        reason: Reason,
    },
}

/// Why nothing was kept of a file.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The intake is full for now.
    #[error("the archive is busy, send again in {retry_after_s} s")]
    Busy {
        /// When to try again.
        retry_after_s: u64,
    },
    /// Its sender may not store this.
    #[error("not permitted, nothing was kept: {0}")]
    NotPermitted(String),
    /// The storage is full: an operator has to make room.
    #[error("the storage of the archive is full, nothing was kept; make room and send again")]
    StorageFull,
    /// Anything else.
    #[error("nothing was kept, send again: {0}")]
    Failed(String),
}

/// Reads the clock: RFC 3339 in UTC.
pub type Now = Arc<dyn Fn() -> String + Send + Sync>;

/// What a door needs to work: where files go, where their bytes wait, what time it is.
#[derive(Clone)]
pub struct Doorway {
    /// Where whole files go.
    pub gate: Arc<dyn Gate>,
    /// Where bytes are gathered.
    pub receiver: Receiver,
    /// The clock.
    pub now: Now,
}

/// Who is sending, as established by the credential. The outer authentication layer inserts it as an axum Extension.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// The sending centre.
    pub centre: String,
    /// The name of the credential, for logs and audit.
    pub name: String,
}

/// Who may store annotations of one study and nothing else: an axum Extension in place of a [`Principal`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Annotator(pub Principal);

/// Whether a batch id is one this archive accepts: 1 to 64 letters, digits, `.`, `_` or `-`, not beginning with `.`.
pub fn is_batch_id(id: &str) -> bool {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    (1..=64).contains(&id.len()) && !id.starts_with('.') && id.chars().all(allowed)
}
