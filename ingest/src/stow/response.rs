//! What a store request is answered: the Store Instances Response of PS3.18 §10.5.3 in DICOM JSON, or, for senders
//! that ask for it, one line a part by the names they gave.

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::door::{InstanceUids, Refusal, Taken};
use crate::error::{CANNOT_UNDERSTAND, OUT_OF_RESOURCES, quarantine_code, quarantine_comment, refusal_code};

use super::assembly::NotBuilt;

/// The media type of [`PartsResponse`]; a sender names it in Accept.
pub const PARTS_MEDIA_TYPE: &str = "application/vnd.tsunagu.parts+json";

/// What became of one part.
#[derive(Clone, Debug)]
pub enum Fate {
    /// The gate answered.
    Taken(Taken),
    /// Nothing was kept.
    Refused(Refusal),
    /// More bytes than this archive takes; nothing was kept.
    TooLarge(String),
    /// Its bytes are no metadata at all; nothing was kept.
    Unreadable(String),
    /// Its metadata and bulk data do not make an instance; nothing was kept.
    NotBuilt(Box<NotBuilt>),
}

/// One part of a request and what became of it.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// The name its sender gave it; empty if none.
    pub file: String,
    /// Its fate.
    pub fate: Fate,
}

/// The answer by part, in the order they were sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartsResponse {
    /// The parts.
    pub parts: Vec<PartResponse>,
}

/// What became of one part, by the name its sender gave it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PartResponse {
    /// The name its sender gave it; empty if none.
    pub file: String,
    /// `stored`, `already-held`, `variant`, `quarantined`; or `refused`, `too-large`: nothing was kept.
    pub outcome: String,
    /// SOP Instance UID, where known.
    pub sop_instance_uid: String,
    /// Why, if it was not stored.
    pub reason: String,
    /// What to do, if it was not stored.
    pub next_step: String,
}

impl Outcome {
    fn uids(&self) -> Option<&InstanceUids> {
        match &self.fate {
            Fate::Taken(Taken::Stored(uids) | Taken::AlreadyHeld(uids) | Taken::Variant(uids)) => Some(uids),
            _ => None,
        }
    }

    /// The failed part as an item: code and sentence. UIDs only where they are known.
    fn failure(&self) -> Option<(u16, String, InstanceUids)> {
        Some(match &self.fate {
            Fate::Taken(Taken::Quarantined { uids, reason }) => {
                (quarantine_code(reason), quarantine_comment(reason), uids.clone())
            }
            Fate::Taken(_) => return None,
            Fate::Refused(refusal) => (refusal_code(refusal), refusal.to_string(), InstanceUids::default()),
            Fate::TooLarge(text) => (OUT_OF_RESOURCES, text.clone(), InstanceUids::default()),
            Fate::Unreadable(text) => (CANNOT_UNDERSTAND, text.clone(), InstanceUids::default()),
            Fate::NotBuilt(not_built) => {
                let NotBuilt { code, fault, uids } = &**not_built;
                (*code, fault.to_string(), uids.clone())
            }
        })
    }

    fn part(&self) -> PartResponse {
        let part = |outcome: &str, uid: &str, reason: &str, next_step: &str| PartResponse {
            file: self.file.clone(),
            outcome: outcome.into(),
            sop_instance_uid: uid.into(),
            reason: reason.into(),
            next_step: next_step.into(),
        };
        match &self.fate {
            Fate::Taken(Taken::Stored(uids)) => part("stored", &uids.sop_instance_uid, "", ""),
            Fate::Taken(Taken::AlreadyHeld(uids)) => part("already-held", &uids.sop_instance_uid, "", ""),
            Fate::Taken(Taken::Variant(uids)) => part("variant", &uids.sop_instance_uid, "", ""),
            Fate::Taken(Taken::Quarantined { uids, reason }) => {
                let text = format!("{}: {}", reason.code, reason.text);
                part("quarantined", &uids.sop_instance_uid, &text, &reason.next_step)
            }
            Fate::Refused(refusal @ Refusal::NotPermitted(_)) => {
                part("refused", "", &refusal.to_string(), "ask for a token that may upload")
            }
            Fate::Refused(refusal) => part("refused", "", &refusal.to_string(), "send it again"),
            Fate::TooLarge(text) => part("too-large", "", text, "send it another way, or ask the operator"),
            Fate::Unreadable(text) => part("refused", "", text, "correct it and send it again"),
            Fate::NotBuilt(not_built) => {
                let NotBuilt { fault, uids, .. } = &**not_built;
                part("refused", &uids.sop_instance_uid, &fault.to_string(), "correct it and send it again")
            }
        }
    }
}

/// The answer by part.
pub fn parts(outcomes: &[Outcome]) -> PartsResponse {
    PartsResponse { parts: outcomes.iter().map(Outcome::part).collect() }
}

/// The status of the whole (PS3.18 Table 10.5.3-1): 200 all stored, 202 some failed, 409 all failed; and where
/// nothing at all was kept, the reason: 403, 413, 503, 507, 500.
pub fn status(outcomes: &[Outcome]) -> StatusCode {
    let failed = outcomes.iter().filter(|outcome| outcome.uids().is_none()).count();
    match failed {
        _ if outcomes.is_empty() => StatusCode::BAD_REQUEST,
        0 => StatusCode::OK,
        some if some < outcomes.len() => StatusCode::ACCEPTED,
        _ => status_of_failures(outcomes),
    }
}

fn status_of_failures(outcomes: &[Outcome]) -> StatusCode {
    let any = |found: fn(&Fate) -> bool| outcomes.iter().any(|outcome| found(&outcome.fate));
    if outcomes.iter().all(|outcome| matches!(outcome.fate, Fate::Unreadable(_))) {
        StatusCode::BAD_REQUEST
    } else if outcomes.iter().all(|outcome| matches!(outcome.fate, Fate::Refused(Refusal::NotPermitted(_)))) {
        StatusCode::FORBIDDEN
    } else if any(|fate| matches!(fate, Fate::Taken(_) | Fate::NotBuilt(_) | Fate::Refused(Refusal::NotPermitted(_)))) {
        StatusCode::CONFLICT
    } else if any(|fate| matches!(fate, Fate::Refused(Refusal::Busy { .. }))) {
        StatusCode::SERVICE_UNAVAILABLE
    } else if any(|fate| matches!(fate, Fate::Refused(Refusal::StorageFull))) {
        StatusCode::INSUFFICIENT_STORAGE
    } else if any(|fate| matches!(fate, Fate::TooLarge(_))) {
        StatusCode::PAYLOAD_TOO_LARGE
    } else {
        StatusCode::INTERNAL_SERVER_ERROR
    }
}

/// The longest wait any part was asked for.
pub fn retry_after_s(outcomes: &[Outcome]) -> Option<u64> {
    let waits = outcomes.iter().filter_map(|outcome| match outcome.fate {
        Fate::Refused(Refusal::Busy { retry_after_s }) => Some(retry_after_s),
        _ => None,
    });
    waits.max()
}

/// The Store Instances Response Module (PS3.18 §10.5.3, Annex I) as DICOM JSON. `base` is the
/// address the retrieve URLs begin with. Failures without UIDs go to the Other Failures Sequence (0008,119A).
pub fn store_instances_response(outcomes: &[Outcome], base: &str) -> Map<String, Value> {
    let (mut referenced, mut failed, mut other) = (Vec::new(), Vec::new(), Vec::new());
    for outcome in outcomes {
        if let Some(uids) = outcome.uids() {
            referenced.push(stored_item(uids, base));
        } else if let Some((code, comment, uids)) = outcome.failure() {
            let known = !uids.sop_instance_uid.is_empty() && !uids.sop_class_uid.is_empty();
            let item = failed_item(code, &comment, &uids);
            if known { failed.push(item) } else { other.push(item) }
        }
    }
    let mut response = Map::new();
    // Type 2: there, and empty where there is no one study.
    let study = one_study(outcomes).map(|study| url(&format!("{base}/studies/{study}")));
    response.insert("00081190".into(), study.unwrap_or_else(|| json!({ "vr": "UR" })));
    for (tag, items) in [("00081198", failed), ("00081199", referenced), ("0008119A", other)] {
        if !items.is_empty() {
            response.insert(tag.into(), json!({ "vr": "SQ", "Value": items }));
        }
    }
    response
}

/// The study, if all that was stored is of one.
fn one_study(outcomes: &[Outcome]) -> Option<&str> {
    let mut studies = outcomes.iter().filter_map(Outcome::uids).map(|uids| uids.study_instance_uid.as_str());
    let first = studies.next().filter(|study| !study.is_empty())?;
    studies.all(|study| study == first).then_some(first)
}

fn stored_item(uids: &InstanceUids, base: &str) -> Value {
    let InstanceUids { sop_class_uid, sop_instance_uid, study_instance_uid, series_instance_uid } = uids;
    let path = format!("studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}");
    json!({
        "00081150": ui(sop_class_uid),
        "00081155": ui(sop_instance_uid),
        "00081190": url(&format!("{base}/{path}")),
    })
}

fn failed_item(code: u16, comment: &str, uids: &InstanceUids) -> Value {
    let mut item = json!({
        "00000902": { "vr": "LO", "Value": [comment] },
        "00081197": { "vr": "US", "Value": [code] },
    });
    if !uids.sop_class_uid.is_empty() {
        item["00081150"] = ui(&uids.sop_class_uid);
    }
    if !uids.sop_instance_uid.is_empty() {
        item["00081155"] = ui(&uids.sop_instance_uid);
    }
    item
}

fn ui(uid: &str) -> Value {
    json!({ "vr": "UI", "Value": [uid] })
}

fn url(url: &str) -> Value {
    json!({ "vr": "UR", "Value": [url] })
}
