//! The change feed as it is read: pages of JSON, or server-sent events (WHATWG HTML §9.2) that go on as things happen.
//!
//! An event's sequence number is what a reader resumes by: `since=N` gives what came after event N. What is told is the
//! log `changes` as `ingest` writes it, without what that keeps for itself. It holds UIDs, counts, centres and times, so
//! it needs the permission to view: whoever may view may search for all of this, and is told more by it.

use std::sync::Arc;
use std::time::Duration;

use archive::{Events, LoggedEvent, Reader};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use bytes::Bytes;
use futures::stream;
use serde_json::{Value, json};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::time::Instant;

use crate::access::Principal;
use crate::error::{Error, Result};
use crate::state::ViewerState;

/// The log's name.
const LOG: &str = "changes";
/// Changes on a page: where nothing is said, and at the most.
const LIMIT: u64 = 100;
const LIMIT_MAX: u64 = 1_000;
/// Longest wait for a change before an empty page is answered, in seconds.
const WAIT_S_MAX: u64 = 60;
/// How often the log is looked at while somebody waits.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// A stream on which nothing happens says so, lest a proxy end it.
const HEARTBEAT_EVERY: Duration = Duration::from_secs(15);
/// A stream ends after this and is opened again by its reader, who has to show a good credential then.
const STREAM_S_MAX: u64 = 600;
/// Streams at once.
const STREAMS_MAX: usize = 64;
/// One audit record covers what a stream tells in this time.
const AUDIT_EVERY: Duration = Duration::from_secs(60);

/// The streams that are open.
pub(crate) struct Streams {
    slots: Arc<Semaphore>,
    stop: watch::Sender<bool>,
}

impl Default for Streams {
    fn default() -> Self {
        Streams { slots: Arc::new(Semaphore::new(STREAMS_MAX)), stop: watch::Sender::new(false) }
    }
}

impl Streams {
    /// Ends every stream, now and later.
    pub(crate) fn stop(&self) {
        self.stop.send_replace(true);
    }
}

/// `GET /changes?since=N&limit=L&wait=S`.
pub(crate) async fn changes(
    State(state): State<ViewerState>,
    Extension(principal): Extension<Principal>,
    uri: axum::http::Uri,
    headers: HeaderMap,
) -> Result<Response> {
    let asked = Asked::read(uri.query().unwrap_or(""), &headers)?;
    let end = end_of(state.reader()).await?;
    if asked.since > end {
        let what = format!("since={} is after the last change, which is {end}", asked.since);
        return Err(Error::invalid(
            what,
            "begin again with since=0; it may be another archive, or one that was restored",
        ));
    }
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or("");
    if accept.contains("text/event-stream") {
        return events(state, principal, asked.since).await;
    }
    page(&state, &principal, &asked).await
}

/// What a request says.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    since: u64,
    limit: u64,
    wait_s: u64,
}

impl Asked {
    fn read(query: &str, headers: &HeaderMap) -> Result<Asked> {
        let mut asked = Asked { since: 0, limit: LIMIT, wait_s: 0 };
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            let into = match name.as_ref() {
                "since" => &mut asked.since,
                "limit" => &mut asked.limit,
                "wait" => &mut asked.wait_s,
                // PS3.18 §8.3.1.1 for what is not supported: passed over.
                _ => continue,
            };
            *into = value.parse().map_err(|_| {
                Error::invalid(format!("{name} is no number"), "give since, limit and wait as whole numbers")
            })?;
        }
        // What a stream's reader got last, sent by browsers when they open it again (WHATWG HTML §9.2.4).
        let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|id| id.parse().ok());
        asked.since = last.unwrap_or(asked.since);
        asked.limit = asked.limit.clamp(1, LIMIT_MAX);
        asked.wait_s = asked.wait_s.min(WAIT_S_MAX);
        Ok(asked)
    }
}

async fn page(state: &ViewerState, principal: &Principal, asked: &Asked) -> Result<Response> {
    let mut tail = Tail::after(state.reader(), asked.since);
    let until = Instant::now() + Duration::from_secs(asked.wait_s);
    let mut stopped = state.streams().stop.subscribe();
    let mut told = tail.next(asked.limit).await?;
    while told.is_empty() && Instant::now() < until && !*stopped.borrow() {
        let _ = tokio::time::timeout(LOOK_EVERY, stopped.wait_for(|stop| *stop)).await;
        told = tail.next(asked.limit).await?;
    }
    state.audit().searched(principal, LOG, &["since"], told.len()).await?;
    let next = told.last().map_or(asked.since, |event| event.seq);
    let changes: Vec<Value> = told.into_iter().map(change).collect();
    let page = json!({ "changes": changes, "next": next, "end": end_of(state.reader()).await?.max(next) });
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(page)).into_response())
}

/// Opens a stream. Recorded before it is answered, and again for each minute in which it tells anything.
async fn events(state: ViewerState, principal: Principal, since: u64) -> Result<Response> {
    let slot = state.streams().slots.clone().try_acquire_owned();
    let slot = slot.map_err(|_| Error::TooManyStreams { limit: STREAMS_MAX })?;
    state.audit().searched(&principal, LOG, &["since"], 0).await?;
    let stream = Stream {
        tail: Tail::after(state.reader(), since),
        stopped: state.streams().stop.subscribe(),
        state,
        principal,
        ends: Instant::now() + Duration::from_secs(STREAM_S_MAX),
        audited: None,
        first: true,
        _slot: slot,
    };
    let body = Body::from_stream(stream::unfold(stream, Stream::step));
    let mut response = body.into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // nginx would keep events back to fill its buffer.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    Ok(response)
}

struct Stream {
    tail: Tail,
    state: ViewerState,
    principal: Principal,
    stopped: watch::Receiver<bool>,
    ends: Instant,
    /// When the last audit record was made.
    audited: Option<Instant>,
    first: bool,
    _slot: OwnedSemaphorePermit,
}

impl Stream {
    /// The next bytes: changes, or a sign of life.
    async fn step(mut self) -> Option<(Result<Bytes>, Stream)> {
        if std::mem::take(&mut self.first) {
            return Some((Ok(Bytes::from_static(b"retry: 3000\n\n")), self));
        }
        let silent_until = Instant::now() + HEARTBEAT_EVERY;
        loop {
            if Instant::now() >= self.ends || *self.stopped.borrow() {
                return None;
            }
            let told = match self.tail.next(LIMIT).await {
                Ok(told) => told,
                Err(error) => return Some((Err(error), self)),
            };
            if !told.is_empty() {
                let answer = self.tell(told).await;
                return Some((answer, self));
            }
            if Instant::now() >= silent_until {
                return Some((Ok(Bytes::from_static(b": nothing new\n\n")), self));
            }
            let _ = tokio::time::timeout(LOOK_EVERY, self.stopped.wait_for(|stop| *stop)).await;
        }
    }

    async fn tell(&mut self, told: Vec<LoggedEvent>) -> Result<Bytes> {
        if self.audited.is_none_or(|at| at.elapsed() >= AUDIT_EVERY) {
            self.state.audit().searched(&self.principal, LOG, &["since"], told.len()).await?;
            self.audited = Some(Instant::now());
        }
        let mut out = String::new();
        for event in told {
            let seq = event.seq;
            let change = change(event);
            let kind = change["change"].as_str().unwrap_or("change");
            out.push_str(&format!("id: {seq}\nevent: {kind}\ndata: {change}\n\n"));
        }
        Ok(out.into())
    }
}

/// An event as it is told: its number and time, and what it says but for the marks of the one that writes the feed.
fn change(event: LoggedEvent) -> Value {
    let mut change = event.event;
    if let Some(members) = change.as_object_mut() {
        members.remove("through");
        members.insert("sequence".into(), event.seq.into());
        members.insert("at".into(), event.at.into());
    }
    change
}

/// The end of the log, as far as it has been read.
struct Tail(Option<Events>);

impl Tail {
    fn after(reader: &Reader, since: u64) -> Tail {
        Tail(Some(reader.log_from(LOG, since.saturating_add(1))))
    }

    /// What came since, at the most so many.
    async fn next(&mut self, limit: u64) -> Result<Vec<LoggedEvent>> {
        let mut events = self.0.take().ok_or(Error::Stopping)?;
        let read = move || {
            let told: archive::Result<Vec<_>> = events.by_ref().take(limit as usize).collect();
            (told, events)
        };
        let (told, events) = tokio::task::spawn_blocking(read).await.map_err(|_| Error::Stopping)?;
        self.0 = Some(events);
        Ok(told?)
    }
}

async fn end_of(reader: &Reader) -> Result<u64> {
    let reader = reader.clone();
    let end = tokio::task::spawn_blocking(move || reader.log_end(LOG)).await;
    Ok(end.map_err(|_| Error::Stopping)??)
}
