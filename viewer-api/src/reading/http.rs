//! The Reading API over HTTP: JSON in and out, each act audited, nothing of a person in an address.

use axum::Extension;
use axum::extract::rejection::QueryRejection;
use axum::extract::{Path, Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::{Json, body};
use jiff::Timestamp;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::runtime::Handle;

use super::book::{Book, Item, Worklist};
use super::claims::{self, Chosen, HELD_MAX, Wanted};
use super::events::{Double, Filter, Person, Stage, Verdict};
use super::verdicts::Refused;
use super::{Results, no_worklist, priors, reports};
use crate::access::{Permission, Principal};
use crate::error::{Error, Result};
use crate::state::ViewerState;

/// Verdicts in one request.
const VERDICTS_MAX: usize = 200;

fn person(principal: &Principal) -> Person {
    Person { name: principal.name.clone(), centre: principal.centre.clone() }
}

/// An answer that nobody keeps.
fn fresh(status: StatusCode, body: Value) -> Response {
    (status, [(header::CACHE_CONTROL, "no-store")], Json(body)).into_response()
}

fn read_body<T: DeserializeOwned>(bytes: &[u8]) -> Result<T> {
    let said = |error: serde_json::Error| format!("the body is not what is expected here: {error}");
    serde_json::from_slice(bytes).map_err(|error| Error::invalid(said(error), "see /openapi.json for what to send"))
}

/// Runs what may wait for the disk where waiting harms nobody.
async fn blocking<T: Send + 'static>(act: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    tokio::task::spawn_blocking(act).await.map_err(|_| Error::Stopping)?
}

/// Brings the worklists up to what is held. It reads and syncs the log between asking the archive; one does it at a
/// time, so that it holds no more than one thread.
async fn join_new(state: &ViewerState, now: Timestamp) -> Result<()> {
    let (reading, state) = (state.reading()?, state.clone());
    blocking(move || Handle::current().block_on(reading.join_new(state.reader(), now))).await
}

/// `GET /reading/worklists`.
pub(crate) async fn worklists(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
) -> Result<Response> {
    let (reading, now, by) = (state.reading()?, state.now(), person(&principal));
    join_new(&state, now).await?;
    let worklists = blocking(move || {
        reading.look(|book| Ok(book.worklists.iter().map(|it| progress(book, it, &by, now)).collect::<Vec<_>>()))
    });
    let worklists = worklists.await?;
    state.audit().searched(&principal, "worklists", &[], worklists.len()).await?;
    Ok(fresh(StatusCode::OK, json!({ "worklists": worklists })))
}

/// A worklist and how far it is, for this person.
fn progress(book: &Book, worklist: &Worklist, by: &Person, now: Timestamp) -> Value {
    let waiting = |stage| worklist.waiting[stage as usize].len();
    let items = || worklist.items.iter().filter_map(|place| book.items.get(*place));
    let stages = [Stage::First, Stage::Second, Stage::Adjudication];
    let mine = |item: &&Item| stages.iter().any(|stage| book.reading(item, *stage).is_some_and(|it| it.by == *by));
    let held = |item: &&Item| item.claims.iter().any(|claim| claim.by == *by && book.is_held(claim, now));
    let filter = &worklist.filter;
    json!({
        "id": worklist.id, "name": worklist.name, "modality": filter.modality, "from": filter.from, "to": filter.to,
        "centre": filter.centre, "double": filter.double, "total": worklist.items.len(),
        "unread": waiting(Stage::First), "awaiting_second": waiting(Stage::Second),
        "awaiting_adjudication": waiting(Stage::Adjudication),
        "decided": worklist.items.len() - stages.into_iter().map(waiting).sum::<usize>(),
        "mine": items().filter(mine).count(), "held": items().filter(held).count(),
    })
}

/// Refuses, and records it, whoever is no administrator.
async fn needs_administer(state: &ViewerState, principal: &Principal, act: &str) -> Result<()> {
    let needs = Permission::Administer;
    if principal.permissions.has(needs) {
        return Ok(());
    }
    state.audit().denied(Some(principal), act, None, Some(needs)).await?;
    Err(Error::Forbidden { subject: principal.name.clone(), needs })
}

#[derive(Deserialize)]
struct NewWorklist {
    name: String,
    modality: String,
    #[serde(default)]
    from: Option<String>,
    #[serde(default)]
    to: Option<String>,
    #[serde(default)]
    centre: Option<String>,
    double: Double,
}

/// `POST /reading/worklists`: an administrator's.
pub(crate) async fn create_worklist(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    bytes: body::Bytes,
) -> Result<Response> {
    needs_administer(&state, &principal, "CreateWorklist").await?;
    let new: NewWorklist = read_body(&bytes)?;
    let given = |text: Option<String>| text.filter(|text| !text.is_empty());
    let filter = Filter {
        modality: new.modality,
        from: given(new.from),
        to: given(new.to),
        centre: given(new.centre),
        double: new.double,
    };
    let (reading, now, by) = (state.reading()?, state.now(), person(&principal));
    let (creating, maker) = (std::sync::Arc::clone(&reading), by.clone());
    let id = blocking(move || creating.create(&new.name, &filter, &maker, now)).await?;
    state.audit().read(&principal, "worklist-created", json!({ "worklist": id })).await?;
    join_new(&state, now).await?;
    let told = blocking(move || {
        reading.look(|book| {
            let worklist = book.worklist(&id).ok_or_else(no_worklist)?;
            Ok(progress(book, worklist, &by, now))
        })
    });
    Ok(fresh(StatusCode::CREATED, told.await?))
}

#[derive(Deserialize)]
struct Asked {
    count: usize,
    #[serde(default)]
    stage: Option<Stage>,
    /// Items that the page has: they are renewed and not answered again.
    #[serde(default)]
    held: Vec<String>,
    /// A group decides: its members may have been readers, so that one who sits in it cannot say so alone.
    #[serde(default)]
    group: bool,
}

/// `POST /reading/worklists/{worklist}/claim`.
pub(crate) async fn claim(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    Path(worklist): Path<String>,
    bytes: body::Bytes,
) -> Result<Response> {
    let asked: Asked = read_body(&bytes)?;
    if asked.count > HELD_MAX || asked.held.len() > HELD_MAX {
        let what = format!("more than {HELD_MAX} items are claimed");
        return Err(Error::invalid(what, "claim fewer: those that are read next are enough"));
    }
    if asked.group {
        needs_administer(&state, &principal, "ClaimAsGroup").await?;
    }
    let (reading, now, by) = (state.reading()?, state.now(), person(&principal));
    join_new(&state, now).await?;
    let of = worklist.clone();
    let (claimed, remaining) = blocking(move || {
        let wanted = Wanted { count: asked.count, stage: asked.stage, has: asked.held, group: asked.group };
        reading.claim(&of, &by, &wanted, now, |book, chosen| told(book, &of, &by, chosen, now))
    })
    .await?;
    let studies: Vec<&str> = claimed.iter().map(|item| item.study.as_str()).collect();
    state.audit().read(&principal, "claimed", json!({ "worklist": worklist, "studies": studies })).await?;
    let mut items = Vec::with_capacity(claimed.len());
    for item in claimed {
        items.push(item.json(&state).await?);
    }
    Ok(fresh(StatusCode::OK, json!({ "items": items, "remaining": remaining })))
}

/// What a claim answers, and how much more there is.
fn told(book: &Book, worklist: &str, by: &Person, chosen: &Chosen, now: Timestamp) -> Result<(Vec<Claimed>, usize)> {
    let worklist = book.worklist(worklist).ok_or_else(no_worklist)?;
    let stage = chosen.stage.unwrap_or(Stage::First);
    let items = chosen.items.iter().filter_map(|place| book.items.get(*place));
    let claimed = items.filter_map(|item| Claimed::of(book, item, by, stage)).collect();
    Ok((claimed, claims::remaining(book, worklist, by, stage, now)))
}

/// An item as its reader is told of it: of other verdicts nothing, but to who adjudicates.
pub(super) struct Claimed {
    item: String,
    stage: Stage,
    study: String,
    series: String,
    instance: String,
    until: Timestamp,
    modality: String,
    date: String,
    verdicts: Vec<Value>,
}

impl Claimed {
    pub(super) fn of(book: &Book, item: &Item, by: &Person, stage: Stage) -> Option<Claimed> {
        let claim = item.claims.iter().find(|claim| claim.by == *by && claim.stage == stage && claim.open)?;
        let read = [Stage::First, Stage::Second].into_iter().filter_map(|stage| book.reading(item, stage));
        let verdicts = read.filter(|_| stage == Stage::Adjudication).map(|saved| {
            let verdict = &saved.verdict;
            json!({
                "stage": saved.counted, "verdict": verdict.verdict, "urgent": verdict.urgent,
                "findings": verdict.findings, "text": verdict.text, "management": verdict.management,
                "edition": saved.edition,
            })
        });
        Some(Claimed {
            item: item.id.clone(),
            stage,
            study: item.study.clone(),
            series: item.series.clone(),
            instance: item.instance.clone(),
            until: book.held_until(claim),
            modality: book.worklists.get(item.worklist)?.filter.modality.clone(),
            date: item.date.clone(),
            verdicts: verdicts.collect(),
        })
    }

    /// Whether it says anything of what others found.
    #[cfg(test)]
    pub(super) fn tells_verdicts(&self) -> bool {
        !self.verdicts.is_empty()
    }

    pub(super) async fn json(self, state: &ViewerState) -> Result<Value> {
        let priors = priors::of(state.reader(), &self.study, &self.modality, &self.date).await;
        let blind = self.stage != Stage::Adjudication;
        let mut told = json!({
            "item": self.item, "stage": self.stage, "study": self.study, "series": self.series,
            "instance": self.instance, "claimed_until": self.until.to_string(), "priors": priors, "blind": blind,
        });
        if !blind {
            told["verdicts"] = self.verdicts.into();
        }
        Ok(told)
    }
}

/// `POST /reading/items/{item}/release`.
pub(crate) async fn release(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    Path(item): Path<String>,
) -> Result<Response> {
    let (reading, now, by) = (state.reading()?, state.now(), person(&principal));
    let of = item.clone();
    blocking(move || reading.release(&of, &by, now)).await?;
    state.audit().read(&principal, "released", json!({ "item": item })).await?;
    Ok(fresh(StatusCode::OK, json!({ "released": item })))
}

#[derive(Deserialize)]
struct Sent {
    verdicts: Vec<Value>,
}

/// `POST /reading/verdicts`: answered once those that are called saved are on the disk.
pub(crate) async fn save_verdicts(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    bytes: body::Bytes,
) -> Result<Response> {
    let sent: Sent = read_body(&bytes)?;
    if sent.verdicts.len() > VERDICTS_MAX {
        let what = format!("more than {VERDICTS_MAX} verdicts are sent at once");
        return Err(Error::invalid(what, "send them in several requests"));
    }
    // One that is no verdict does not keep the others of a queue from being saved.
    let (mut verdicts, mut refused) = (Vec::<Verdict>::new(), Vec::new());
    for one in sent.verdicts {
        let id = one["id"].clone();
        match serde_json::from_value(one) {
            Ok(verdict) => verdicts.push(verdict),
            Err(error) => {
                refused.push(json!({ "id": id, "reason": "not-a-verdict", "sentence": error.to_string() }));
            }
        }
    }
    let (reading, now, by) = (state.reading()?, state.now(), person(&principal));
    let (verdicts, answers) = blocking(move || {
        let answers = reading.save(&verdicts, &by, now)?;
        Ok((verdicts, answers))
    })
    .await?;
    let mut saved = Vec::new();
    for (verdict, answer) in verdicts.into_iter().zip(answers) {
        match answer {
            Ok(()) => saved.push(verdict.id),
            Err(why) => refused.push(refusal(verdict.id, why)),
        }
    }
    state.audit().read(&principal, "verdicts", json!({ "saved": saved, "refused": refused.len() })).await?;
    Ok(fresh(StatusCode::OK, json!({ "saved": saved, "refused": refused })))
}

fn refusal(id: String, why: Refused) -> Value {
    json!({ "id": id, "reason": why.word(), "sentence": why.sentence() })
}

/// `POST /reading/verdicts/{verdict}/undo`: the item is its reader's again.
pub(crate) async fn undo_verdict(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    Path(id): Path<String>,
) -> Result<Response> {
    let (reading, now, by) = (state.reading()?, state.now(), person(&principal));
    let of = id.clone();
    let undone = blocking(move || {
        let told = |book: &Book, item: &Item, stage| Ok(Claimed::of(book, item, &by, stage));
        reading.undo(&of, &by, now, told)
    })
    .await?;
    let next_step = "leave it; an administrator can look at who read what";
    let item = undone.map_err(|why| match why {
        Refused::NotYours => Error::NotFound("a verdict of yours of this id".into()),
        why => Error::Conflict { what: why.sentence(), next_step },
    })?;
    state.audit().read(&principal, "undone", json!({ "verdict": id })).await?;
    let item = match item {
        Some(item) => item.json(&state).await?,
        None => Value::Null,
    };
    Ok(fresh(StatusCode::OK, json!({ "undone": id, "item": item })))
}

/// `GET /reading/codes`.
pub(crate) async fn codes(State(state): State<ViewerState>) -> Result<Response> {
    let reading = state.reading()?;
    let codes = reading.codes();
    let told = codes
        .findings
        .iter()
        .map(|it| json!({ "code": it.code, "ja": it.ja, "en": it.en, "group": it.group, "urgent": it.urgent }));
    Ok(fresh(StatusCode::OK, json!({ "edition": codes.edition, "codes": told.collect::<Vec<_>>() })))
}

/// `GET /reading/worklists/{worklist}/exports`: what was sent so far.
pub(crate) async fn exports(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    Path(worklist): Path<String>,
) -> Result<Response> {
    let reading = state.reading()?;
    let of = worklist.clone();
    let exports = blocking(move || reading.exports(&of)).await?;
    state.audit().read(&principal, "exports", json!({ "worklist": worklist })).await?;
    let told = exports.iter().map(|(number, at, rows)| json!({ "number": number, "at": at.to_string(), "rows": rows }));
    Ok(fresh(StatusCode::OK, json!({ "exports": told.collect::<Vec<_>>() })))
}

/// `POST /reading/worklists/{worklist}/exports`: sends what is new or changed since.
pub(crate) async fn export(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    Path(worklist): Path<String>,
) -> Result<Response> {
    let (reading, now, by) = (state.reading()?, state.now(), person(&principal));
    // As `join_new`; exports are asked for one after the other.
    let (of, asked) = (worklist.clone(), state.clone());
    let sent = blocking(move || Handle::current().block_on(reading.export(asked.reader(), &of, &by, now))).await?;
    let about = json!({ "worklist": worklist, "number": sent.number, "rows": sent.rows.len() });
    state.audit().read(&principal, "exported", about).await?;
    let status = if sent.number.is_some() { StatusCode::CREATED } else { StatusCode::OK };
    Ok(fresh(status, json!({ "number": sent.number, "rows": sent.rows.len(), "more": sent.more })))
}

/// `?export=N`: an export as it was sent; without it everything that is settled, which sends nothing.
#[derive(Deserialize)]
pub(crate) struct Which {
    #[serde(default)]
    export: Option<u64>,
}

type WhichAsked = std::result::Result<Query<Which>, QueryRejection>;

/// The rows that are asked for, recorded before they are told.
async fn results(state: &ViewerState, principal: &Principal, worklist: &str, which: WhichAsked) -> Result<Results> {
    let Query(which) = which.map_err(|rejection| Error::Invalid {
        what: format!("the query: {}", rejection.body_text()),
        next_step: "give one number as export=N, or nothing",
    })?;
    let reading = state.reading()?;
    let results = match which.export {
        Some(number) => {
            let of = worklist.to_owned();
            blocking(move || reading.exported(&of, number)).await?
        }
        None => reading.settled(state.reader(), worklist, state.now()).await?,
    };
    let about = json!({ "worklist": worklist, "number": results.number, "rows": results.rows.len() });
    state.audit().read(principal, "results", about).await?;
    Ok(results)
}

/// `GET /reading/worklists/{worklist}/results.csv`.
pub(crate) async fn results_csv(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    Path(worklist): Path<String>,
    which: WhichAsked,
) -> Result<Response> {
    let results = results(&state, &principal, &worklist, which).await?;
    let name = results.number.map_or_else(|| "results.csv".into(), |number| format!("results-{number}.csv"));
    let headers = [
        (header::CONTENT_TYPE, "text/csv; charset=utf-8".to_owned()),
        (header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\"")),
        (header::CACHE_CONTROL, "no-store".to_owned()),
    ];
    Ok((headers, results.csv()).into_response())
}

/// `GET /reading/worklists/{worklist}/fhir`.
pub(crate) async fn results_fhir(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    Path(worklist): Path<String>,
    which: WhichAsked,
) -> Result<Response> {
    let results = results(&state, &principal, &worklist, which).await?;
    let headers = [(header::CONTENT_TYPE, "application/fhir+json"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, results.fhir(&worklist)).into_response())
}

/// `GET /reading/verdicts/{verdict}/sr`: the report of a settled item, by a verdict that counts for it.
pub(crate) async fn verdict_sr(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    Path(verdict): Path<String>,
) -> Result<Response> {
    let (reading, now, of) = (state.reading()?, state.now(), verdict.clone());
    let owed = blocking(move || reading.settled_by(&of, now)).await?;
    let report = reports::report(state.reader(), &owed).await?;
    let about = json!({ "verdict": verdict, "study": report.study_instance_uid });
    state.audit().read(&principal, "report", about).await?;
    let headers = [(header::CONTENT_TYPE, "application/dicom"), (header::CACHE_CONTROL, "no-store")];
    Ok((headers, report.part10()).into_response())
}
