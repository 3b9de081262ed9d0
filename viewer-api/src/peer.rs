//! What a DICOM peer asks of the read side: searches, and instances in a transfer syntax it takes. The same access
//! decision and the same audit as on the web; the subject is the AE title.

mod data_set;
mod select;
mod spool;

use bytes::Bytes;
use futures::stream::BoxStream;

use crate::access::{Permission, Permissions, Principal};
use crate::error::{Error, Result};
use crate::find::{Found, Include, Key, Level, Matching, Search, level_of};
use crate::state::ViewerState;

/// Matches read at once.
const PAGE: u32 = 200;

/// An instance that a retrieval is about.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerInstance {
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

/// What a retrieval names; empty where it does not go so deep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PeerRequest {
    /// Patient ID.
    pub patient_id: String,
    /// Study Instance UIDs.
    pub studies: Vec<String>,
    /// Series Instance UIDs.
    pub series: Vec<String>,
    /// SOP Instance UIDs.
    pub instances: Vec<String>,
}

/// A Data Set without preamble and group 0002, piece by piece.
pub type DataSetStream = BoxStream<'static, Result<Bytes>>;

/// Who a peer is to the read side: one who queries may view, one who retrieves may download.
pub fn peer_principal(ae_title: &str, centre: &str, query: bool, retrieve: bool) -> Principal {
    let permissions = [(query, Permission::View), (retrieve, Permission::Download)];
    let permissions: Permissions = permissions.into_iter().filter(|(has, _)| *has).map(|(_, one)| one).collect();
    Principal { name: ae_title.to_owned(), centre: centre.to_owned(), permissions }
}

/// Whether a key is matched on at this level; one of a lower level is not (PS3.4 §C.2.2.1.3).
pub fn is_peer_key(level: Level, path: &[u32]) -> bool {
    path.first().is_some_and(|tag| level_of(*tag) <= level)
}

impl ViewerState {
    /// A page of matches for a peer, as [`ViewerState::find_by`].
    ///
    /// # Errors
    /// [`Error::Forbidden`], and those of [`ViewerState::find_by`].
    pub async fn find_for_peer(
        &self,
        principal: &Principal,
        level: Level,
        keys: Vec<Key>,
        matching: Matching,
        offset: u32,
    ) -> Result<Found> {
        permitted(principal, Permission::View)?;
        let include = Include { all: false, paths: keys.iter().map(|key| key.path.clone()).collect() };
        let search = Search { level, keys, include, matching, with_higher_levels: true, limit: PAGE, offset };
        let mut found = self.find_by(principal, &search).await?;
        for answer in &mut found.answers {
            // Everything held is on this machine's storage (PS3.3 C.4.23.1.1).
            answer.insert("00080056".into(), serde_json::json!({ "vr": "CS", "Value": ["ONLINE"] }));
        }
        Ok(found)
    }

    /// Records that a peer asked for what it may not.
    ///
    /// # Errors
    /// [`Error::Audit`] when that could not be recorded.
    pub async fn deny_peer(&self, principal: &Principal, act: &str) -> Result<()> {
        let needs = match act {
            "C-STORE" | "N-ACTION" => Permission::Upload,
            "C-FIND" => Permission::View,
            _ => Permission::Download,
        };
        self.audit().denied(Some(principal), act, None, Some(needs)).await
    }
}

fn permitted(principal: &Principal, needs: Permission) -> Result<()> {
    match principal.permissions.has(needs) {
        true => Ok(()),
        false => Err(Error::Forbidden { subject: principal.name.clone(), needs }),
    }
}

#[cfg(test)]
mod tests;
