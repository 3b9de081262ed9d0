//! STOW-RS (PS3.18 §10.5): each part goes to the gate the moment it is whole, several at a time so that one fsync
//! serves them together; the answer is given when all are durable. A body cut short costs its last part only.

mod accept;
mod assembly;
#[doc(hidden)]
pub(crate) mod fuzzing;
mod media;
mod metadata;
mod multipart;
mod response;
mod session;
mod uploads;

use std::sync::Arc;

use archive::{Batch, Origin};
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::OwnedSemaphorePermit;
use transcode::data_set::native_model;

use crate::door::{Annotator, Batches, Doorway, Gate, Principal, Refusal, is_batch_id};
use crate::error::Error;
use crate::receipt_page::receipt_page;

use accept::Form;
use media::Payload;
use multipart::Multipart;
use response::Outcome;
use session::{PartHead, Session};

pub use response::{PARTS_MEDIA_TYPE, PartResponse, PartsResponse};
pub use uploads::Uploads;

/// When a centre that has too many requests under way is to come again.
const BUSY_S: u64 = 5;
const NOT_ACCEPTABLE: &str = "the answer to a store request is application/dicom+json or application/dicom+xml";

/// The codes of the screening programmes a batch may belong to.
const PROGRAMMES: [&str; 5] = ["dock", "occupational", "school", "cancer", "specific"];

/// Bounds of one request.
#[derive(Clone, Copy, Debug)]
pub struct StowLimits {
    /// Parts in one request. Default: 100,000.
    pub parts_max: usize,
    /// Parts of one request that are at the gate at once. Default: 32.
    pub parts_parallel_max: usize,
    /// A sender silent for longer is let go. Default: 60 s.
    pub idle_s_max: u64,
    /// Requests of one centre at once; more are answered 503 and Retry-After. Default: 64.
    pub centre_uploads_max: usize,
}

impl Default for StowLimits {
    fn default() -> Self {
        StowLimits { parts_max: 100_000, parts_parallel_max: 32, idle_s_max: 60, centre_uploads_max: 64 }
    }
}

/// What the STOW door needs. The outer authentication layer inserts a [`Principal`], or an [`Annotator`], in the request's
/// extensions; without one every request is refused.
#[derive(Clone)]
pub struct Stow {
    /// The way in.
    pub door: Doorway,
    /// The gate of who may store annotations and nothing else.
    pub annotations: Arc<dyn Gate>,
    /// Batches and receipts.
    pub batches: Arc<dyn Batches>,
    /// Bounds.
    pub limits: StowLimits,
    /// The path the router is nested under, for retrieve URLs: `/dicom-web`.
    pub base: String,
    /// Scheme and host as senders see them (`https://archive.example.jp`); the Host header over http if `None`.
    pub public_url: Option<String>,
    /// Requests under way, by centre.
    pub uploads: Uploads,
}

/// A route of [`router`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route {
    /// Store instances of any study.
    Store,
    /// Store instances of one study.
    StoreInStudy,
    /// Open a batch.
    OpenBatch,
    /// The receipt of a batch.
    Receipt,
}

impl Route {
    /// The verb it is asked with, lower case.
    pub fn verb(self) -> &'static str {
        match self {
            Route::Store | Route::StoreInStudy | Route::OpenBatch => "post",
            Route::Receipt => "get",
        }
    }
}

/// Every route of [`router`] with its path, below the one it is nested under.
pub const ROUTES: &[(Route, &str)] = &[
    (Route::Store, "/studies"),
    (Route::StoreInStudy, "/studies/{study}"),
    (Route::OpenBatch, "/batches"),
    (Route::Receipt, "/batches/{id}/receipt"),
];

/// Serves [`ROUTES`].
pub fn router(stow: Stow) -> Router {
    let routes = ROUTES.iter().fold(Router::new(), |router, (route, path)| {
        let handler = match route {
            Route::Store => post(store_any),
            Route::StoreInStudy => post(store_study),
            Route::OpenBatch => post(open_batch),
            Route::Receipt => get(receipt),
        };
        router.route(path, handler)
    });
    routes.with_state(Arc::new(stow))
}

async fn store_any(State(stow): State<Arc<Stow>>, request: Request) -> Response {
    store(stow, None, request).await
}

async fn store_study(State(stow): State<Arc<Stow>>, Path(study): Path<String>, request: Request) -> Response {
    store(stow, Some(study), request).await
}

#[derive(Deserialize)]
struct StoreQuery {
    batch: Option<String>,
    /// Content negotiation by query parameter (PS3.18 §8.3.3.1).
    accept: Option<String>,
}

async fn store(stow: Arc<Stow>, study: Option<String>, request: Request) -> Response {
    match admit(&stow, study.is_some(), &request) {
        Ok(admitted) => receive(&stow, admitted, study, request).await,
        // The body is not read: its sender is told to close, or would send all of it into the next request.
        Err(mut refused) => {
            refused.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
            *refused
        }
    }
}

/// What the headers of a store request say, once they are found in order.
struct Admitted {
    template: Origin,
    gate: Arc<dyn Gate>,
    payload: Payload,
    parser: Option<Multipart>,
    form: Form,
    /// Held until all of the request is done with.
    _upload: OwnedSemaphorePermit,
}

/// Looks at everything there is to look at before the body is asked for (`Expect: 100-continue`, RFC 9110 §10.1.1).
fn admit(stow: &Stow, to_study: bool, request: &Request) -> Result<Admitted, Box<Response>> {
    let (principal, gate) = sender(stow, to_study, request)?;
    let query = query_of(request)?;
    let (headers, batch) = (request.headers(), batch_of(&query, request)?);
    let refuse = |status, sentence: &str| Err(Box::new(problem(status, sentence)));
    if !matches!(text(headers, header::CONTENT_ENCODING.as_str()), "" | "identity") {
        let sentence = "a body with a Content-Encoding is not taken; send it as it is";
        let mut refused = problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence);
        refused.headers_mut().insert(header::ACCEPT_ENCODING, HeaderValue::from_static("identity"));
        return Err(Box::new(refused));
    }
    let payload = media::payload(text(headers, header::CONTENT_TYPE.as_str()));
    let parser = match &payload {
        Payload::Unsupported => return Err(Box::new(unsupported())),
        Payload::NoBoundary => return refuse(StatusCode::BAD_REQUEST, "multipart/related without a boundary"),
        Payload::Single(_) => None,
        Payload::Multipart { boundary, .. } => match Multipart::new(boundary) {
            None => return refuse(StatusCode::BAD_REQUEST, "the boundary is not 1 to 70 characters"),
            parser => parser,
        },
    };
    let accepted = query.accept.as_deref().unwrap_or_else(|| text(headers, header::ACCEPT.as_str()));
    let Some(form) = accept::form(accepted) else { return refuse(StatusCode::NOT_ACCEPTABLE, NOT_ACCEPTABLE) };
    let length = text(headers, header::CONTENT_LENGTH.as_str()).parse::<u64>().ok();
    if matches!(payload, Payload::Single(_)) && length.is_some_and(|length| length > stow.door.receiver.bytes_max()) {
        let error = Error::BodyTooLarge { bytes_max: stow.door.receiver.bytes_max() };
        return refuse(StatusCode::PAYLOAD_TOO_LARGE, &error.to_string());
    }
    let upload = stow.uploads.enter(&principal.centre, stow.limits.centre_uploads_max);
    let Some(_upload) = upload else { return Err(Box::new(refused(&Refusal::Busy { retry_after_s: BUSY_S }))) };
    let template = Origin { centre: principal.centre, batch, ..Origin::default() };
    Ok(Admitted { template, gate, payload, parser, form, _upload })
}

/// Who sends, and through which gate.
fn sender(stow: &Stow, to_study: bool, request: &Request) -> Result<(Principal, Arc<dyn Gate>), Box<Response>> {
    match (request.extensions().get::<Principal>(), request.extensions().get::<Annotator>()) {
        (Some(principal), _) => Ok((principal.clone(), Arc::clone(&stow.door.gate))),
        (None, Some(Annotator(principal))) if to_study => Ok((principal.clone(), Arc::clone(&stow.annotations))),
        (None, Some(_)) => Err(Box::new(problem(StatusCode::FORBIDDEN, "annotations are sent to /studies/{study}"))),
        (None, None) => Err(Box::new(unauthorized())),
    }
}

async fn receive(stow: &Stow, admitted: Admitted, study: Option<String>, request: Request) -> Response {
    let (head, body) = request.into_parts();
    let mut session = Session::new(stow, admitted.gate, admitted.template, study);
    let read = match (admitted.payload, admitted.parser) {
        (Payload::Multipart { kind, .. }, Some(parser)) => session.read_parts(parser, kind, body).await,
        (Payload::Single(kind), _) => {
            let field = |name: header::HeaderName| text(&head.headers, name.as_str());
            let part = PartHead {
                content_type: field(header::CONTENT_TYPE),
                location: field(header::CONTENT_LOCATION),
                length: field(header::CONTENT_LENGTH).parse().ok(),
                ..PartHead::default()
            };
            session.read_single(part, kind, body).await
        }
        _ => return unsupported(),
    };
    let outcomes = session.outcomes(read.is_ok()).await;
    match read {
        Ok(()) => answer(stow, &head.headers, admitted.form, &outcomes),
        Err(error) => cut_short(&error, outcomes.len()),
    }
}

fn answer(stow: &Stow, headers: &HeaderMap, form: Form, outcomes: &[Outcome]) -> Response {
    let status = response::status(outcomes);
    if outcomes.is_empty() {
        return problem(status, "the body has no instance");
    }
    let module = || response::store_instances_response(outcomes, &retrieve_base(stow, headers));
    let body = match form {
        Form::Json => Value::Object(module()).to_string(),
        Form::Xml => native_model(&module()),
        Form::Parts => json!(response::parts(outcomes)).to_string(),
    };
    let mut answered = (status, [(header::CONTENT_TYPE, form.media_type())], body).into_response();
    if let Some(retry_after_s) = response::retry_after_s(outcomes) {
        answered.headers_mut().insert(header::RETRY_AFTER, retry_after_s.into());
    }
    answered
}

fn retrieve_base(stow: &Stow, headers: &HeaderMap) -> String {
    let host = || format!("http://{}", text(headers, header::HOST.as_str()));
    stow.public_url.clone().unwrap_or_else(host) + &stow.base
}

/// Parts that were whole are in; saying how many spares the sender a guess. Sending all of them again is harmless.
fn cut_short(error: &Error, whole: usize) -> Response {
    let status = match error {
        Error::Silent { .. } | Error::Slow { .. } => StatusCode::REQUEST_TIMEOUT,
        Error::Multipart { .. } | Error::Cut { .. } => StatusCode::BAD_REQUEST,
        Error::TooManyParts { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let error = format!("{error}; {whole} parts before that were handed in, sending them again repeats nothing");
    let closed = [(header::CONNECTION, HeaderValue::from_static("close"))];
    (status, closed, Json(json!({ "error": error, "parts": whole }))).into_response()
}

#[derive(Deserialize)]
struct NewBatch {
    id: String,
    programme: String,
    #[serde(default)]
    expected: Option<u64>,
}

async fn open_batch(State(stow): State<Arc<Stow>>, request: Request) -> Response {
    let Some(Principal { centre, .. }) = request.extensions().get::<Principal>().cloned() else {
        return unauthorized();
    };
    let Ok(body) = axum::body::to_bytes(request.into_body(), 64 << 10).await else {
        return problem(StatusCode::PAYLOAD_TOO_LARGE, "a batch is described in at most 64 KiB");
    };
    let NewBatch { id, programme, expected } = match serde_json::from_slice(&body) {
        Ok(batch) => batch,
        Err(error) => return problem(StatusCode::BAD_REQUEST, &format!("not a batch: {error}")),
    };
    if !is_batch_id(&id) {
        return bad_batch_id();
    }
    if !PROGRAMMES.contains(&programme.as_str()) {
        return problem(StatusCode::BAD_REQUEST, &format!("programme is one of {}", PROGRAMMES.join(", ")));
    }
    let batch = Batch { id, centre, programme, expected, opened_at: (stow.door.now)() };
    match stow.batches.open(batch.clone()).await {
        Ok(()) => (StatusCode::CREATED, Json(batch)).into_response(),
        Err(refusal) => refused(&refusal),
    }
}

async fn receipt(State(stow): State<Arc<Stow>>, Path(id): Path<String>, request: Request) -> Response {
    let Some(principal) = request.extensions().get::<Principal>() else { return unauthorized() };
    match stow.batches.receipt(&principal.centre, &id).await {
        Ok(Some(receipt)) if text(request.headers(), header::ACCEPT.as_str()).contains("text/html") => {
            Html(receipt_page(&receipt)).into_response()
        }
        Ok(Some(receipt)) => Json(receipt).into_response(),
        Ok(None) => problem(StatusCode::NOT_FOUND, "this centre has no such batch"),
        Err(refusal) => refused(&refusal),
    }
}

fn query_of(request: &Request) -> Result<StoreQuery, Box<Response>> {
    let query = Query::<StoreQuery>::try_from_uri(request.uri());
    let query = query.map_err(|_| Box::new(problem(StatusCode::BAD_REQUEST, "the query cannot be read")))?;
    Ok(query.0)
}

/// The batch a store request belongs to: `?batch=ID` or the header `Tsunagu-Batch`.
fn batch_of(query: &StoreQuery, request: &Request) -> Result<Option<String>, Box<Response>> {
    let named = request.headers().get("tsunagu-batch").map(|value| value.to_str().unwrap_or("?").to_owned());
    match query.batch.clone().or(named) {
        Some(id) if !is_batch_id(&id) => Err(Box::new(bad_batch_id())),
        batch => Ok(batch),
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> &'a str {
    headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

fn problem(status: StatusCode, error: &str) -> Response {
    (status, Json(json!({ "error": error }))).into_response()
}

fn refused(refusal: &Refusal) -> Response {
    let status = match refusal {
        Refusal::Busy { .. } => StatusCode::SERVICE_UNAVAILABLE,
        Refusal::StorageFull => StatusCode::INSUFFICIENT_STORAGE,
        Refusal::NotPermitted(_) => StatusCode::FORBIDDEN,
        Refusal::Failed(_) => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let mut response = problem(status, &refusal.to_string());
    if let Refusal::Busy { retry_after_s } = refusal {
        response.headers_mut().insert(header::RETRY_AFTER, (*retry_after_s).into());
    }
    response
}

fn unauthorized() -> Response {
    problem(StatusCode::UNAUTHORIZED, "no credential: send a bearer token of an uploader")
}

fn unsupported() -> Response {
    let sentence = "send multipart/related with type=\"application/dicom\", or application/dicom+json or application/dicom+xml \
                    with bulk data; or application/dicom";
    problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, sentence)
}

fn bad_batch_id() -> Response {
    problem(StatusCode::BAD_REQUEST, "a batch id is 1 to 64 letters, digits, '.', '_' or '-'")
}

#[cfg(test)]
mod tests;
