//! `POST /search`: the list of studies the page shows. What is searched for is in the body, so that no name, ID or birth
//! date gets into an address, and with it into a history or a log; the audit records which attributes were searched by.
//!
//! Terms are told as the page understood them: groups that all hold, each of alternatives of which one does
//! (`1975-03-02` may be a birth date or the date of a study).

use std::collections::BTreeSet;

use archive::fold::{self, Name};
use archive::{Column, ListQuery, ListedStudy, Match, Range, SortBy, Test};
use axum::Extension;
use axum::Json;
use axum::body::Body;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::access::Principal;
use crate::error::{Error, Result};
use crate::find::is_date;
use crate::state::ViewerState;

/// Bytes of a request at the most.
const BODY_BYTES_MAX: usize = 32 << 10;
/// Groups of a request, and alternatives of a group, at the most.
const GROUPS_MAX: usize = 16;
const ALTERNATIVES_MAX: usize = 8;
/// Characters of a text at the most (PS3.5 §6.2: LO has 64; a name's component group has as many).
const TEXT_CHARS_MAX: usize = 64;
/// Studies of a page: where nothing is said, and at the most.
const LIMIT: u32 = 100;
const LIMIT_MAX: u32 = 500;

/// What a list can be sorted by, as a request says it.
pub(crate) const SORTS: &[&str] = &[
    "study_date",
    "patient_name",
    "patient_id",
    "birth_date",
    "sex",
    "modalities",
    "description",
    "accession_number",
    "instances",
    "centre",
    "received",
];

/// A request.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Asked {
    terms: Vec<Vec<Alternative>>,
    taken_in_after: Option<u64>,
    sort: Option<String>,
    descending: Option<bool>,
    limit: Option<u32>,
    offset: u32,
}

/// One way in which a group can hold.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Alternative {
    /// Beginnings of the words of a name, in any script and order.
    Name(String),
    /// A part of Patient ID.
    PatientId(String),
    /// A part of Accession Number.
    AccessionNumber(String),
    /// A part of the centre's name.
    Centre(String),
    /// One of Modalities in Study.
    Modality(String),
    /// Days of birth.
    BirthDate(Days),
    /// Days of the study.
    StudyDate(Days),
}

/// From one day to another, both within; as DA (PS3.5 §6.2).
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Days {
    from: Option<String>,
    to: Option<String>,
}

/// `POST /search`.
pub(crate) async fn studies(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    body: Body,
) -> Result<Response> {
    let asked = read(body).await?;
    let keys: BTreeSet<&str> = asked.terms.iter().flatten().map(Alternative::key).collect();
    let keys: Vec<&str> = keys.into_iter().chain(asked.taken_in_after.map(|_| "taken_in_after")).collect();
    let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
    let query = query(&state, asked).await?;
    let found = state.reader().list_studies(query).await?;
    let names: Vec<&str> = keys.iter().map(String::as_str).collect();
    state.audit().searched(&principal, "study", &names, found.studies.len()).await?;
    let studies: Vec<Value> = found.studies.iter().map(study).collect();
    let page = json!({
        "studies": studies, "total": found.total, "complete": found.complete, "last_sequence": found.last_sequence,
    });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(page)).into_response())
}

async fn read(body: Body) -> Result<Asked> {
    let next_step = "send {\"terms\": [[{\"name\": \"…\"}]], \"limit\": 100} as application/json";
    let bytes = axum::body::to_bytes(body, BODY_BYTES_MAX).await;
    let bytes = bytes.map_err(|_| Error::invalid("the search is longer than 32 KiB, or broke off", next_step))?;
    // What serde says of a bad body may repeat it; it is not told.
    serde_json::from_slice(&bytes).map_err(|_| Error::invalid("the body is no search", next_step))
}

impl Alternative {
    /// The attribute, for the audit.
    fn key(&self) -> &'static str {
        match self {
            Alternative::Name(_) => "PatientName",
            Alternative::PatientId(_) => "PatientID",
            Alternative::AccessionNumber(_) => "AccessionNumber",
            Alternative::Centre(_) => "Centre",
            Alternative::Modality(_) => "ModalitiesInStudy",
            Alternative::BirthDate(_) => "PatientBirthDate",
            Alternative::StudyDate(_) => "StudyDate",
        }
    }
}

async fn query(state: &ViewerState, asked: Asked) -> Result<ListQuery> {
    if asked.terms.len() > GROUPS_MAX || asked.terms.iter().any(|group| group.len() > ALTERNATIVES_MAX) {
        return Err(refused("terms", "are more than 16, or have more than 8 alternatives"));
    }
    let names_a_centre = asked.terms.iter().flatten().any(|one| matches!(one, Alternative::Centre(_)));
    let centres = if names_a_centre { state.reader().centres().await? } else { Vec::new() };
    let mut groups = Vec::with_capacity(asked.terms.len());
    for group in &asked.terms {
        let mut alternatives = Vec::new();
        for alternative in group {
            alternatives.extend(tests(alternative, &centres)?);
        }
        groups.push(alternatives);
    }
    Ok(ListQuery {
        groups,
        taken_in_after: asked.taken_in_after,
        sort: sort(asked.sort.as_deref())?,
        descending: asked.descending.unwrap_or(asked.sort.is_none()),
        limit: asked.limit.unwrap_or(LIMIT).min(LIMIT_MAX),
        offset: asked.offset,
    })
}

fn sort(word: Option<&str>) -> Result<SortBy> {
    Ok(match word.unwrap_or("study_date") {
        "study_date" => SortBy::StudyDate,
        "patient_name" => SortBy::PatientName,
        "patient_id" => SortBy::PatientId,
        "birth_date" => SortBy::PatientBirthDate,
        "sex" => SortBy::PatientSex,
        "modalities" => SortBy::Modalities,
        "description" => SortBy::StudyDescription,
        "accession_number" => SortBy::AccessionNumber,
        "instances" => SortBy::Instances,
        "centre" => SortBy::Centre,
        "received" => SortBy::Received,
        _ => return Err(refused("sort", "is none that there is")),
    })
}

/// What an alternative asks of the index: one of these.
fn tests(alternative: &Alternative, centres: &[String]) -> Result<Vec<(Column, Test)>> {
    let is = |column, text: &str| (column, Test::Match(Match::Single(text.to_owned())));
    Ok(match alternative {
        Alternative::Name(name) => {
            vec![(Column::PatientName, Test::Name(Name { text: text("name", name)?, fuzzy: true }))]
        }
        Alternative::PatientId(id) => parts(Column::PatientId, &text("patient_id", id)?),
        Alternative::AccessionNumber(number) => parts(Column::AccessionNumber, &text("accession_number", number)?),
        Alternative::Modality(code) => {
            vec![is(Column::ModalitiesInStudy, &text("modality", code)?.to_ascii_uppercase())]
        }
        Alternative::Centre(centre) => {
            let wanted = fold::key(&text("centre", centre)?);
            let known = centres.iter().filter(|centre| fold::key(centre).contains(&wanted));
            known.map(|centre| is(Column::Centre, centre)).collect()
        }
        Alternative::BirthDate(days) => vec![(Column::PatientBirthDate, range("birth_date", days)?)],
        Alternative::StudyDate(days) => vec![(Column::StudyDate, range("study_date", days)?)],
    })
}

/// What identifiers begin with, which an index knows, and a part of them, in the case typed and in capitals.
fn parts(column: Column, text: &str) -> Vec<(Column, Test)> {
    let capitals = text.to_uppercase();
    let mut texts = vec![text];
    if capitals != text {
        texts.push(&capitals);
    }
    let patterns: Vec<String> = match text.contains(['*', '?']) {
        true => texts.into_iter().map(str::to_owned).collect(),
        false => texts.into_iter().flat_map(|text| [format!("{text}*"), format!("*{text}*")]).collect(),
    };
    patterns.into_iter().map(|pattern| (column, Test::Match(Match::Wildcard(pattern)))).collect()
}

fn text(name: &'static str, value: &str) -> Result<String> {
    let value = value.trim();
    if value.is_empty() || value.chars().count() > TEXT_CHARS_MAX {
        return Err(refused(name, "is empty, or longer than 64 characters"));
    }
    Ok(value.to_owned())
}

fn range(name: &'static str, days: &Days) -> Result<Test> {
    let good = [&days.from, &days.to].into_iter().flatten().all(|day| is_date(day));
    let backwards = days.from.as_ref().zip(days.to.as_ref()).is_some_and(|(from, to)| from > to);
    if !good || backwards || (days.from.is_none() && days.to.is_none()) {
        return Err(refused(name, "has no days, or they are no dates, or it ends before it begins"));
    }
    Ok(Test::Within(Range { from: days.from.clone(), to: days.to.clone() }))
}

/// A refusal. The value itself is not repeated: it may be a name or a birth date, and answers end up in logs.
fn refused(name: &'static str, why: &'static str) -> Error {
    Error::invalid(
        format!("{name} of the search {why}"),
        "dates are YYYYMMDD; POST /search is described in /openapi.json",
    )
}

/// A study in the answer, by PS3.6 keywords; what is ours is in lower case. A name is as it was received (PS3.5 §6.2 PN).
fn study(listed: &ListedStudy) -> Value {
    let (row, said) = (&listed.row, &listed.row.attributes);
    json!({
        "StudyInstanceUID": said.study_instance_uid,
        "PatientName": said.patient.patient_name,
        "PatientID": said.patient.patient_id,
        "PatientBirthDate": said.patient.patient_birth_date,
        "PatientSex": said.patient.patient_sex,
        "StudyDate": said.study_date,
        "StudyTime": said.study_time,
        "AccessionNumber": said.accession_number,
        "StudyDescription": said.study_description,
        "ModalitiesInStudy": row.modalities_in_study,
        "NumberOfStudyRelatedSeries": row.number_of_study_related_series,
        "NumberOfStudyRelatedInstances": row.number_of_study_related_instances,
        "centre": row.centre,
        "received_at": row.last_received_at,
        "first_sequence": listed.first_sequence,
        "last_sequence": listed.last_sequence,
        "waits": listed.waits,
        "priors": listed.priors,
    })
}
