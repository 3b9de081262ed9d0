//! The manifest of a study: everything a viewer needs to open it, in one request (docs/manifest.md). Our own addition to
//! PS3.18; what it says can be had by QIDO-RS and WADO-RS too, in 3 + n requests.

mod attributes;
mod columns;
mod first;
mod study;

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, Mutex, PoisonError};

use archive::{Column, Held, Match, Patient, Query, StudyAttributes, StudyRow, Test};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

use self::study::Made;
use crate::access::{Permission, Principal};
use crate::audit::{ACT_SECONDS_MAX, Counts, Rendition};
use crate::clock::seconds_between;
use crate::error::{Error, Result};
use crate::rendered;
use crate::state::ViewerState;
use crate::wado::{Address, Caller, not_modified, single, tagged};

/// Version of the form; a program that reads manifests refuses one it does not know.
const VERSION: u32 = 1;
/// Other studies of the person that are named at the most, newest first.
const PRIORS_MAX: u32 = 200;
/// Recorded searches that are remembered before those over a minute old are forgotten.
const SEARCHES_MAX: usize = 1024;
/// Bytes of series arrays that are kept.
const KEPT_BYTES_MAX: usize = 8 << 20;

/// The series arrays written last, by study: with what they were written of.
#[derive(Default)]
pub(crate) struct ManifestsLast {
    kept: Mutex<HashMap<String, Written>>,
    /// When a subject of a centre was last recorded as looking for the priors of a study.
    searched: Mutex<HashMap<(String, String, String), Timestamp>>,
}

/// A series array.
struct Written {
    of: [u8; 32],
    text: Arc<str>,
}

impl ManifestsLast {
    fn find(&self, study: &str, of: &[u8; 32]) -> Option<Arc<str>> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.get(study).filter(|written| written.of == *of).map(|written| Arc::clone(&written.text))
    }

    /// Whether no search of this subject for the priors of this study was recorded in the last minute: as with acts, one
    /// record stands for a minute.
    fn is_to_be_recorded(&self, principal: &Principal, study: &str, now: Timestamp) -> bool {
        let searched = self.searched.lock().unwrap_or_else(PoisonError::into_inner);
        let last = searched.get(&(principal.name.clone(), principal.centre.clone(), study.to_owned()));
        last.is_none_or(|last| seconds_between(*last, now) >= ACT_SECONDS_MAX)
    }

    fn was_recorded(&self, principal: &Principal, study: &str, now: Timestamp) {
        let mut searched = self.searched.lock().unwrap_or_else(PoisonError::into_inner);
        if searched.len() >= SEARCHES_MAX {
            searched.retain(|_, last| seconds_between(*last, now) < ACT_SECONDS_MAX);
        }
        searched.insert((principal.name.clone(), principal.centre.clone(), study.to_owned()), now);
    }

    fn keep(&self, study: &str, of: [u8; 32], text: &Arc<str>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let bytes: usize = kept.values().map(|written| written.text.len()).sum();
        if bytes + text.len() > KEPT_BYTES_MAX {
            kept.clear();
        }
        if text.len() <= KEPT_BYTES_MAX {
            kept.insert(study.to_owned(), Written { of, text: Arc::clone(text) });
        }
    }
}

/// `GET /studies/S/manifest`.
pub(crate) async fn manifest(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    if !caller.accept.iter().any(|range| range.covers("application/json")) {
        let what = format!("the manifest of {}", address.sentence());
        return Err(Error::NotAcceptable { what, offered: vec!["application/json".into()] });
    }
    let study = address.study.as_str();
    let held = state.reader().instances(study, None).await?;
    let none = || Error::NotFound(address.sentence());
    let first = held.first().ok_or_else(none)?;
    let access = state.audit().access(&caller.principal, study, Rendition::Metadata, caller.purpose).await?;
    let patient = &first.record.description.study.patient;
    let (row, priors) = person(&state, &caller.principal, study, patient).await?;
    let renditions = state.reader().renditions_of_study(study).await?;
    let of = identity(&state, &held, &renditions)?;
    let head = head(&caller.principal, row.as_ref().map_or(&first.record.description.study, |row| &row.attributes));
    let priors = Value::Array(priors.iter().map(prior).collect()).to_string();
    let viewport = viewport(&caller)?;
    let size = viewport.map_or(String::new(), |(width, height)| format!("{width},{height}"));
    let tag = format!("\"{}\"", digits(&[&of, head.as_bytes(), priors.as_bytes(), size.as_bytes()]));
    if caller.has(&tag) {
        access.serve(Counts { instances: held.len() as u64, ..Counts::default() }).await?;
        return Ok(not_modified(&tag));
    }
    let series = match state.manifests().find(study, &of) {
        Some(series) => series,
        None => {
            let made = made(&state, renditions).await;
            let series: Arc<str> = study::series(&state, study, &held, &made).await?.into();
            state.manifests().keep(study, of, &series);
            series
        }
    };
    let first = match viewport {
        Some(viewport) => first::first(&state, &caller, &held, viewport).await?,
        None => None,
    };
    let first = first.map_or(String::new(), |first| format!(",\"first\":{first}"));
    let body = Bytes::from(format!("{{{head}{first},\"series\":{series},\"priors\":{priors}}}"));
    let counts = Counts { instances: held.len() as u64, frames: 0, bytes: body.len() as u64 };
    access.serve(counts).await?;
    let length = Some(body.len() as u64);
    let body = if caller.head { Body::empty() } else { Body::from(body) };
    let mut response = tagged(single("application/json", length, body), &tag);
    response.headers_mut().insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    Ok(response)
}

/// The size of the picture that is asked for with the manifest, if one is.
fn viewport(caller: &Caller) -> Result<Option<(u32, u32)>> {
    let Some(text) = caller.parameter("viewport") else { return Ok(None) };
    match rendered::viewport(&text) {
        Some((viewport, None)) => Ok(Some(viewport)),
        _ => Err(Error::invalid("the viewport cannot be read", "write viewport=WIDTH,HEIGHT")),
    }
}

/// The row of this study, and those of the person's others, newest first. A person is (issuer, Patient ID). It is recorded
/// as the search it is, once a minute.
async fn person(
    state: &ViewerState,
    principal: &Principal,
    study: &str,
    patient: &Patient,
) -> Result<(Option<StudyRow>, Vec<StudyRow>)> {
    let is = |column, text: &str| (column, Test::Match(Match::Single(text.to_owned())));
    let terms = if patient.patient_id.is_empty() {
        // Nobody is known by no ID.
        vec![is(Column::StudyInstanceUid, study)]
    } else {
        vec![is(Column::PatientId, &patient.patient_id), is(Column::IssuerOfPatientId, &patient.issuer_of_patient_id)]
    };
    let query = Query { terms, limit: PRIORS_MAX, ..Query::default() };
    let found = state.reader().search_studies(query).await?;
    let (own, mut others): (Vec<_>, Vec<_>) =
        found.into_iter().partition(|row| row.attributes.study_instance_uid == study);
    others.retain(|row| {
        row.number_of_study_related_instances > 0 && row.attributes.patient.patient_id == patient.patient_id
    });
    let now = state.now();
    if state.manifests().is_to_be_recorded(principal, study, now) {
        state.audit().searched(principal, "study", &["PatientID", "IssuerOfPatientID"], others.len()).await?;
        state.manifests().was_recorded(principal, study, now);
    }
    Ok((own.into_iter().next(), others))
}

async fn made(state: &ViewerState, renditions: Vec<archive::Rendition>) -> Vec<Made> {
    let mut made = Vec::new();
    for rendition in renditions {
        // One that was deleted meanwhile, or is damaged, is not offered: it is never needed.
        if let Ok(frames) = state.reader().rendition_frames(&rendition).await {
            made.push(Made { rendition, frames });
        }
    }
    made
}

/// What the series array is written of: the same digest, the same array.
fn identity(state: &ViewerState, held: &[Held], renditions: &[archive::Rendition]) -> Result<[u8; 32]> {
    let mut digest = Sha256::new();
    digest.update(VERSION.to_le_bytes());
    for one in held {
        digest.update(one.record.digests.file);
        digest.update(state.reader().representation(one)?);
        digest.update(one.part10_bytes.to_le_bytes());
    }
    renditions.iter().for_each(|one| digest.update(&one.sha256));
    Ok(digest.finalize().into())
}

fn digits(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    for part in parts {
        digest.update((part.len() as u64).to_le_bytes());
        digest.update(part);
    }
    archive::hex(&digest.finalize().as_slice()[..16])
}

/// Version, person, study, and what the caller may do.
fn head(principal: &Principal, said: &StudyAttributes) -> String {
    let Patient { patient_id, issuer_of_patient_id, patient_name, patient_birth_date, patient_sex } = &said.patient;
    let patient = texts([
        ("PatientID", patient_id),
        ("IssuerOfPatientID", issuer_of_patient_id),
        ("PatientBirthDate", patient_birth_date),
        ("PatientSex", patient_sex),
    ]);
    let mut patient = Value::Object(patient);
    patient["PatientName"] = person_name(patient_name);
    let mut study = Value::Object(texts([
        ("StudyInstanceUID", &said.study_instance_uid),
        ("StudyDate", &said.study_date),
        ("StudyTime", &said.study_time),
        ("StudyDescription", &said.study_description),
        ("AccessionNumber", &said.accession_number),
        ("StudyID", &said.study_id),
    ]));
    if !said.referring_physician_name.is_empty() {
        study["ReferringPhysicianName"] = person_name(&said.referring_physician_name);
    }
    let may = |permission| principal.permissions.has(permission);
    let offers = json!({
        "download": may(Permission::Download),
        "original": may(Permission::Original),
        "annotate": may(Permission::Annotate) || may(Permission::Upload),
    });
    format!("\"version\":{VERSION},\"patient\":{patient},\"study\":{study},\"offers\":{offers}")
}

/// A name in up to three scripts (PS3.5 §6.2.1.1).
fn person_name(name: &str) -> Value {
    let groups = ["Alphabetic", "Ideographic", "Phonetic"].into_iter().zip(name.split('='));
    Value::Object(
        groups.filter(|(_, text)| !text.is_empty()).map(|(group, text)| (group.into(), text.into())).collect(),
    )
}

fn texts<const N: usize>(pairs: [(&str, &String); N]) -> Map<String, Value> {
    let there = pairs.into_iter().filter(|(_, text)| !text.is_empty());
    there.map(|(keyword, text)| (keyword.to_owned(), Value::from(text.as_str()))).collect()
}

fn prior(row: &StudyRow) -> Value {
    let said = &row.attributes;
    let mut out = texts([
        ("StudyInstanceUID", &said.study_instance_uid),
        ("StudyDate", &said.study_date),
        ("StudyTime", &said.study_time),
        ("StudyDescription", &said.study_description),
    ]);
    let modalities: BTreeSet<&str> = row.modalities_in_study.iter().map(String::as_str).collect();
    out.insert("ModalitiesInStudy".into(), json!(modalities));
    out.insert("NumberOfStudyRelatedInstances".into(), row.number_of_study_related_instances.into());
    Value::Object(out)
}
