//! STOW-RS (PS3.18 §10.5): each part goes to the gate the moment it is whole, several at a time so that one fsync
//! serves them together; the answer is given when all are durable. A body cut short costs its last part only.

mod media;
mod multipart;
mod response;

use std::sync::Arc;
use std::time::Duration;

use archive::{Batch, Origin};
use axum::body::Body;
use axum::extract::{Path, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use bytes::Bytes;
use futures::StreamExt;
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use crate::door::{Batches, Doorway, Principal, Refusal, is_batch_id};
use crate::error::{Error, Result};
use crate::receipt_page::receipt_page;
use crate::receive::Receiving;

use media::Payload;
use multipart::{Event, Multipart};
use response::{Fate, Outcome};

pub use response::{PARTS_MEDIA_TYPE, PartResponse, PartsResponse};

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
}

impl Default for StowLimits {
    fn default() -> Self {
        StowLimits { parts_max: 100_000, parts_parallel_max: 32, idle_s_max: 60 }
    }
}

/// What the STOW door needs. The outer authentication layer inserts a [`Principal`] in the request's extensions;
/// without one every request is refused.
#[derive(Clone)]
pub struct Stow {
    /// The way in.
    pub door: Doorway,
    /// Batches and receipts.
    pub batches: Arc<dyn Batches>,
    /// Bounds.
    pub limits: StowLimits,
    /// The path the router is nested under, for retrieve URLs: `/dicom-web`.
    pub base: String,
    /// Scheme and host as senders see them (`https://archive.example.jp`); the Host header over http if `None`.
    pub public_url: Option<String>,
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
}

async fn store(stow: Arc<Stow>, study: Option<String>, request: Request) -> Response {
    let Some(principal) = request.extensions().get::<Principal>().cloned() else { return unauthorized() };
    let batch = match batch_of(&request) {
        Ok(batch) => batch,
        Err(refused) => return *refused,
    };
    let (head, body) = request.into_parts();
    let template = Origin { centre: principal.centre, batch, ..Origin::default() };
    let mut session = Session::new(&stow, template, study);
    let content_type = text(&head.headers, header::CONTENT_TYPE.as_str());
    let read = match media::payload(content_type) {
        Payload::Single => session.read_single(&head.headers, body).await,
        Payload::Multipart { boundary } => match Multipart::new(&boundary) {
            Some(parser) => session.read_parts(parser, body).await,
            None => return problem(StatusCode::BAD_REQUEST, "the boundary is not 1 to 70 characters"),
        },
        Payload::NoBoundary => return problem(StatusCode::BAD_REQUEST, "multipart/related without a boundary"),
        Payload::Unsupported => return unsupported(),
    };
    let outcomes = session.outcomes().await;
    match read {
        Ok(()) => answer(&stow, &head.headers, &outcomes),
        Err(error) => cut_short(&error, outcomes.len()),
    }
}

fn answer(stow: &Stow, headers: &HeaderMap, outcomes: &[Outcome]) -> Response {
    let status = response::status(outcomes);
    if outcomes.is_empty() {
        return problem(status, "the body has no part");
    }
    let (media_type, body) = if text(headers, header::ACCEPT.as_str()).contains(PARTS_MEDIA_TYPE) {
        (PARTS_MEDIA_TYPE, json!(response::parts(outcomes)))
    } else {
        ("application/dicom+json", response::dicom_json(outcomes, &retrieve_base(stow, headers)))
    };
    let mut answered = (status, [(header::CONTENT_TYPE, media_type)], body.to_string()).into_response();
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
        Error::Silent { .. } => StatusCode::REQUEST_TIMEOUT,
        Error::Multipart { .. } | Error::Cut { .. } => StatusCode::BAD_REQUEST,
        Error::TooManyParts { .. } => StatusCode::PAYLOAD_TOO_LARGE,
        _ => StatusCode::INTERNAL_SERVER_ERROR,
    };
    let error = format!("{error}; {whole} parts before that were handed in, sending them again repeats nothing");
    (status, Json(json!({ "error": error, "parts": whole }))).into_response()
}

/// One request on its way.
struct Session<'a> {
    stow: &'a Stow,
    template: Origin,
    study: Option<String>,
    slots: Arc<Semaphore>,
    /// Tasks of their own: a sender that goes away after a whole part does not undo it.
    handed: Vec<(String, JoinHandle<Fate>)>,
    open: Option<Part>,
}

/// The part being received; `Err` once it cannot be.
struct Part {
    file: String,
    receiving: Result<Receiving>,
}

impl<'a> Session<'a> {
    fn new(stow: &'a Stow, template: Origin, study: Option<String>) -> Self {
        let slots = Arc::new(Semaphore::new(stow.limits.parts_parallel_max.max(1)));
        Session { stow, template, study, slots, handed: Vec::new(), open: None }
    }

    async fn read_single(&mut self, headers: &HeaderMap, body: Body) -> Result<()> {
        let hint = text(headers, header::CONTENT_LENGTH.as_str()).parse().ok();
        self.begin(media::file_name(text(headers, header::CONTENT_LOCATION.as_str())), hint)?;
        let mut chunks = body.into_data_stream();
        while let Some(chunk) = self.next(&mut chunks).await? {
            self.data(chunk).await;
        }
        self.end().await;
        Ok(())
    }

    async fn read_parts(&mut self, mut parser: Multipart, body: Body) -> Result<()> {
        let (mut chunks, mut events) = (body.into_data_stream(), Vec::new());
        while let Some(chunk) = self.next(&mut chunks).await? {
            let fed = parser.feed(chunk, &mut events);
            for event in events.drain(..) {
                match event {
                    Event::Part(headers) => {
                        let field = |name| headers.iter().find(|(key, _)| key == name).map_or("", |(_, value)| value);
                        self.begin(media::file_name(field("content-location")), field("content-length").parse().ok())?;
                    }
                    Event::Data(data) => self.data(data).await,
                    Event::End => self.end().await,
                }
            }
            fed?;
        }
        parser.finish()
    }

    async fn next(&self, chunks: &mut axum::body::BodyDataStream) -> Result<Option<Bytes>> {
        let idle_s = self.stow.limits.idle_s_max;
        match tokio::time::timeout(Duration::from_secs(idle_s), chunks.next()).await {
            Err(_) => Err(Error::Silent { idle_s }),
            Ok(None) => Ok(None),
            Ok(Some(chunk)) => chunk.map(Some).map_err(|error| Error::Cut { detail: error.to_string() }),
        }
    }

    fn begin(&mut self, file: String, bytes_hint: Option<u64>) -> Result<()> {
        let parts_max = self.stow.limits.parts_max;
        if self.handed.len() >= parts_max {
            return Err(Error::TooManyParts { parts_max });
        }
        self.open = Some(Part { file, receiving: Ok(self.stow.door.receiver.open(bytes_hint)) });
        Ok(())
    }

    async fn data(&mut self, data: Bytes) {
        if let Some(Part { receiving, .. }) = &mut self.open
            && let Ok(open) = receiving
            && let Err(error) = open.write(data).await
        {
            *receiving = Err(error);
        }
    }

    async fn end(&mut self) {
        let Some(Part { file, receiving }) = self.open.take() else { return };
        let received = match receiving {
            Ok(receiving) => receiving.finish().await,
            Err(error) => Err(error),
        };
        let task = match received {
            Err(error @ Error::BodyTooLarge { .. }) => tokio::spawn(async move { Fate::TooLarge(error.to_string()) }),
            Err(error) => tokio::spawn(async move { Fate::Refused(error.refusal()) }),
            Ok(mut received) => {
                received.expected_study = self.study.clone();
                let origin =
                    Origin { file: file.clone(), received_at: (self.stow.door.now)(), ..self.template.clone() };
                // The semaphore is never closed; without a slot the part would only go in beside the others.
                let slot = self.slots.clone().acquire_owned().await;
                let gate = self.stow.door.gate.clone();
                tokio::spawn(async move {
                    let _slot = slot;
                    gate.take_in(origin, received).await.map_or_else(Fate::Refused, Fate::Taken)
                })
            }
        };
        self.handed.push((file, task));
    }

    async fn outcomes(self) -> Vec<Outcome> {
        let mut outcomes = Vec::with_capacity(self.handed.len());
        for (file, task) in self.handed {
            let failed = |_| Fate::Refused(Refusal::Failed("the intake failed on this file".into()));
            outcomes.push(Outcome { file, fate: task.await.unwrap_or_else(failed) });
        }
        outcomes
    }
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

/// The batch a store request belongs to: `?batch=ID` or the header `Tsunagu-Batch`.
fn batch_of(request: &Request) -> Result<Option<String>, Box<Response>> {
    let query = Query::<StoreQuery>::try_from_uri(request.uri());
    let query = query.map_err(|_| Box::new(problem(StatusCode::BAD_REQUEST, "the query cannot be read")))?;
    let named = request.headers().get("tsunagu-batch").map(|value| value.to_str().unwrap_or("?").to_owned());
    match query.0.batch.or(named) {
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
    let text = "send multipart/related; type=\"application/dicom\", or application/dicom";
    problem(StatusCode::UNSUPPORTED_MEDIA_TYPE, text)
}

fn bad_batch_id() -> Response {
    problem(StatusCode::BAD_REQUEST, "a batch id is 1 to 64 letters, digits, '.', '_' or '-'")
}

#[cfg(test)]
mod tests;
