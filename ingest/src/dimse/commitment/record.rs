//! What is asked for, what became of it, and both as lines of the log.

use std::collections::BTreeMap;

use archive::EventLog;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use transcode::data_set::VR;

use super::super::association::Request;
use super::super::elements::Elements;
use super::super::identifier::{Identifier, Refused};
use super::super::service::STORAGE_COMMITMENT_INSTANCE;
use crate::admit::{is_key, tags};
use crate::error::{INVALID_ARGUMENT_VALUE, NO_SUCH_ACTION, NO_SUCH_OBJECT_INSTANCE};

/// The only Action Type ID (PS3.4 Table J.3.2-1).
const REQUEST_STORAGE_COMMITMENT: u16 = 1;
/// An instance as the peer names it: SOP Class UID and SOP Instance UID.
pub(super) type Named = (String, String);

/// What a peer asked to be committed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Asked {
    pub ae_title: String,
    pub transaction_uid: String,
    pub instances: Vec<Named>,
}

/// A line of the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
pub(super) enum Logged {
    /// Commitment was requested.
    Requested(Asked),
    /// Its outcome was taken by the peer.
    Reported { ae_title: String, transaction_uid: String, committed: usize, failed: usize },
    /// It was not, however often it was tried.
    Abandoned { ae_title: String, transaction_uid: String },
}

/// What became of a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outcome {
    pub(super) transaction_uid: String,
    pub(super) committed: Vec<Named>,
    /// With the Failure Reason (0008,1197) of each.
    pub(super) failed: Vec<(Named, u16)>,
}

impl Outcome {
    /// Event Type ID: 1 all committed, 2 failures exist (PS3.4 Table J.3.3-1).
    pub fn event_type(&self) -> u16 {
        if self.failed.is_empty() { 1 } else { 2 }
    }

    /// The event information (PS3.4 Table J.3.3-1).
    pub fn data_set(&self, transfer_syntax: &str, ae_title: &str) -> Vec<u8> {
        let mut elements = Elements::new(transfer_syntax);
        elements.text(tags::RETRIEVE_AE_TITLE, VR::AE, ae_title);
        elements.text(tags::TRANSACTION_UID, VR::UI, &self.transaction_uid);
        let empty = elements.item();
        let item = |(class, instance): &Named| {
            let mut item = empty.clone();
            item.text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, class);
            item.text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, instance);
            item
        };
        if !self.failed.is_empty() {
            let failed = self.failed.iter().map(|(named, reason)| {
                let mut item = item(named);
                item.number(tags::FAILURE_REASON, *reason);
                item
            });
            elements.sequence(tags::FAILED_SOP_SEQUENCE, failed);
        }
        if !self.committed.is_empty() {
            elements.sequence(tags::REFERENCED_SOP_SEQUENCE, self.committed.iter().map(item));
        }
        elements.into_bytes()
    }
}

/// What is to be committed (PS3.4 Table J.3.2-1).
pub(super) fn asked(request: &Request, bytes: &[u8], ae_title: &str) -> Result<Asked, Refused> {
    let command = &request.command;
    if command.action_type != REQUEST_STORAGE_COMMITMENT {
        return Err(refused(NO_SUCH_ACTION, "Action Type ID is not 1"));
    }
    if command.sop_instance_uid != STORAGE_COMMITMENT_INSTANCE {
        return Err(refused(NO_SUCH_OBJECT_INSTANCE, "not the well-known SOP Instance UID"));
    }
    let identifier = Identifier::read(bytes, &request.context.transfer_syntax)
        .map_err(|why| Refused { status: INVALID_ARGUMENT_VALUE, ..why })?;
    let transaction_uid = identifier.text(tags::TRANSACTION_UID).filter(|uid| is_key(uid));
    let transaction_uid = transaction_uid.ok_or_else(|| refused(INVALID_ARGUMENT_VALUE, "no Transaction UID"))?;
    let items = identifier.data_set.items(tags::REFERENCED_SOP_SEQUENCE);
    let instances: Option<Vec<Named>> = items
        .iter()
        .map(|item| {
            let uid = |tag| item.data_set.uid(tag).filter(|uid| is_key(uid)).map(str::to_owned);
            Some((uid(tags::REFERENCED_SOP_CLASS_UID)?, uid(tags::REFERENCED_SOP_INSTANCE_UID)?))
        })
        .collect();
    let instances = instances.filter(|instances| !instances.is_empty());
    let instances =
        instances.ok_or_else(|| refused(INVALID_ARGUMENT_VALUE, "Referenced SOP Sequence names no instances"))?;
    Ok(Asked { ae_title: ae_title.to_owned(), transaction_uid, instances })
}

pub(super) fn refused(status: u16, comment: &str) -> Refused {
    Refused { status, element: None, comment: comment.into() }
}

/// What was requested and neither reported nor given up.
pub(super) fn owed(log: &EventLog) -> archive::Result<BTreeMap<Named, Asked>> {
    let mut owed = BTreeMap::new();
    for logged in log.read_from(1) {
        match read(logged?.event) {
            Some(Logged::Requested(asked)) => {
                owed.insert((asked.ae_title.clone(), asked.transaction_uid.clone()), asked);
            }
            Some(
                Logged::Reported { ae_title, transaction_uid, .. } | Logged::Abandoned { ae_title, transaction_uid },
            ) => {
                owed.remove(&(ae_title, transaction_uid));
            }
            None => tracing::warn!("an event of the log of commitments was not understood"),
        }
    }
    Ok(owed)
}

fn read(event: Value) -> Option<Logged> {
    serde_json::from_value(event).ok()
}
