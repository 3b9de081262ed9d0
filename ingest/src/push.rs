//! The sending side: folders, files and ZIPs to a STOW server, several requests at a time, under one batch id.
//!
//! Sending again is harmless, so a break costs time only; a journal of what was acknowledged saves that too. The end
//! is the server's receipt.

mod journal;
mod request;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Duration;

use archive::{Receipt, ReceiptQuarantined};
use futures::StreamExt;
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_stream::wrappers::ReceiverStream;

use crate::door::is_batch_id;
use crate::error::{Error, Result};
use crate::files::{Found, count, walk};
use crate::import::Failed;
use crate::progress::Progress;
use crate::stow::{PARTS_MEDIA_TYPE, PartsResponse};
use journal::Journal;
use request::Parts;

/// Longest wait between two attempts.
const BACK_OFF_S_MAX: u64 = 30;
/// Groups ready to be sent.
const GROUPS_AHEAD_MAX: usize = 4;
/// An answer to a whole body takes at most this long: its files are synced by then.
const ANSWER_S_MAX: u64 = 300;
/// A server that cannot be reached, or whose machine is gone, is given up after this.
const CONNECT_S_MAX: u64 = 15;

/// What is sent where, and how.
#[derive(Clone, Debug)]
pub struct PushOptions {
    /// Where the STOW service lies: `https://archive.example.jp/dicom-web`.
    pub url: String,
    /// Bearer token of an uploader.
    pub token: Option<String>,
    /// The batch; the same id again repeats nothing.
    pub batch: String,
    /// Programme code: `dock`, `occupational`, `school`, `cancer`, `specific`.
    pub programme: String,
    /// Files the batch is meant to have; as many as are found if `None`.
    pub expected: Option<u64>,
    /// Requests at once. Default: 4.
    pub parallel: usize,
    /// Files in one request. Default: 32.
    pub request_files_max: usize,
    /// Bytes in one request; a larger file goes alone. Default: 64 MB.
    pub request_bytes_max: u64,
    /// Attempts at one request before its files are given up. Default: 8, about two minutes.
    pub attempts_max: u32,
    /// Where acknowledged files are noted, so that they are not read again after a break.
    pub resume: Option<PathBuf>,
}

impl PushOptions {
    /// The defaults, for a batch of a programme to a server.
    pub fn new(url: impl Into<String>, batch: impl Into<String>, programme: impl Into<String>) -> Self {
        PushOptions {
            url: url.into().trim_end_matches('/').to_owned(),
            token: None,
            batch: batch.into(),
            programme: programme.into(),
            expected: None,
            parallel: 4,
            request_files_max: 32,
            request_bytes_max: 64_000_000,
            attempts_max: 8,
            resume: None,
        }
    }
}

/// How a push ended: the receipt of the server for the whole batch, and what never got there.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PushResult {
    /// Files the server counts in the batch: `stored + already_held + quarantined.len()`.
    pub sent: u64,
    /// Of these, newly kept.
    pub stored: u64,
    /// Of these, held already.
    pub already_held: u64,
    /// Files kept beside a held instance of the same values in another transfer syntax.
    pub variants: Vec<String>,
    /// Files set aside, each with its reason and what to do.
    pub quarantined: Vec<ReceiptQuarantined>,
    /// Files that could not be read or sent; not among `sent`.
    pub failed: Vec<Failed>,
    /// Files of this run that an earlier one had sent already, by the journal.
    pub skipped: u64,
}

/// Sends everything under `paths` and answers the receipt.
///
/// # Errors
/// [`Error::Server`] when the batch cannot be opened or its receipt not be fetched: nothing is known then, and the
/// same command again goes on where this one ended. Single files that fail are in [`PushResult::failed`].
pub async fn push(paths: Vec<PathBuf>, options: &PushOptions, progress: &dyn Progress) -> Result<PushResult> {
    let server = Server { client: stow_client(&options.url)?, options, progress };
    if !is_batch_id(&options.batch) {
        return Err(server.error("a batch id is 1 to 64 letters, digits, '.', '_' or '-'"));
    }
    let counted = paths.clone();
    let (files, bytes) = tokio::task::spawn_blocking(move || count(&counted)).await.map_err(|_| Error::Stopping)?;
    progress.total(files, bytes);
    server.open_batch(options.expected.unwrap_or(files)).await?;
    let mut journal = Journal::open(options)?;
    let mut result = PushResult::default();

    let (sender, groups) = tokio::sync::mpsc::channel(GROUPS_AHEAD_MAX);
    let (sent_before, limits) = (journal.entries(), (options.request_files_max, options.request_bytes_max));
    let grouping = tokio::task::spawn_blocking(move || group(paths, &sent_before, limits, &sender));
    let mut answers =
        ReceiverStream::new(groups).map(|group| server.deliver(group)).buffer_unordered(options.parallel.max(1));
    while let Some(Delivered { acknowledged, failed }) = answers.next().await {
        journal.note(&acknowledged)?;
        result.failed.extend(failed);
    }
    drop(answers);
    let (skipped, unread) = grouping.await.map_err(|_| Error::Stopping)?;
    for Failed { file, why } in &unread {
        progress.note(why);
        progress.done(file);
    }
    result.failed.extend(unread);
    result.failed.sort_by(|a, b| a.file.cmp(&b.file));
    result.skipped = skipped;
    result.close(server.receipt().await?);
    Ok(result)
}

/// No limit on a whole request, which may carry a file of any size: lost connections are found by the kernel.
pub(crate) fn stow_client(url: &str) -> Result<Client> {
    let limit = Duration::from_secs(CONNECT_S_MAX);
    let builder = Client::builder().connect_timeout(limit).tcp_keepalive(limit);
    #[cfg(target_os = "linux")]
    let builder = builder.tcp_user_timeout(limit * 4);
    builder.build().map_err(|error| Error::Server { url: url.to_owned(), detail: said(&error) })
}

impl PushResult {
    fn close(&mut self, receipt: Receipt) {
        self.sent = receipt.sent;
        self.stored = receipt.stored;
        self.already_held = receipt.already_held;
        self.variants = receipt.variants;
        self.quarantined = receipt.quarantined;
    }
}

/// Walks, leaves out what was acknowledged before, and bundles the rest; blocking. Answers how many were left out and
/// what cannot be read.
fn group(
    paths: Vec<PathBuf>,
    sent_before: &std::collections::HashSet<journal::Entry>,
    (files_max, bytes_max): (usize, u64),
    sender: &tokio::sync::mpsc::Sender<Vec<Found>>,
) -> (u64, Vec<Failed>) {
    let (mut skipped, mut unread, mut open, mut open_bytes) = (0, Vec::new(), Vec::new(), 0u64);
    for found in walk(paths) {
        match found {
            Err(error) => unread.push(Failed { file: error.name().to_owned(), why: error.to_string() }),
            Ok(found) if sent_before.contains(&journal::Entry::of(&found)) => skipped += 1,
            Ok(found) => {
                let full = open.len() >= files_max || open_bytes.saturating_add(found.bytes) > bytes_max;
                if full && !open.is_empty() {
                    open_bytes = 0;
                    if sender.blocking_send(std::mem::take(&mut open)).is_err() {
                        return (skipped, unread);
                    }
                }
                open_bytes = open_bytes.saturating_add(found.bytes);
                open.push(found);
            }
        }
    }
    if !open.is_empty() {
        let _ = sender.blocking_send(open);
    }
    (skipped, unread)
}

/// What became of a group: every file is in one of the two.
#[derive(Default)]
struct Delivered {
    acknowledged: Vec<Found>,
    failed: Vec<Failed>,
}

/// Why one attempt failed.
enum Attempt {
    /// Again may help; not before so many seconds, if the server said.
    Again(String, Option<u64>),
    /// Again will not help.
    Never(String),
    /// This file of the group could not be read.
    Unread(Failed),
}

struct Server<'a> {
    client: Client,
    options: &'a PushOptions,
    progress: &'a dyn Progress,
}

impl Server<'_> {
    fn error(&self, detail: impl ToString) -> Error {
        Error::Server { url: self.options.url.clone(), detail: detail.to_string() }
    }

    fn authorised(&self, request: RequestBuilder) -> RequestBuilder {
        match &self.options.token {
            Some(token) => request.header(AUTHORIZATION, format!("Bearer {token}")),
            None => request,
        }
    }

    async fn open_batch(&self, expected: u64) -> Result<()> {
        let PushOptions { url, batch, programme, .. } = self.options;
        let body = json!({ "id": batch, "programme": programme, "expected": expected }).to_string();
        let request = || {
            let request = self.client.post(format!("{url}/batches")).header(CONTENT_TYPE, "application/json");
            self.authorised(request).body(body.clone())
        };
        self.ask(request).await.map(|_| ())
    }

    async fn receipt(&self) -> Result<Receipt> {
        let PushOptions { url, batch, .. } = self.options;
        let address = format!("{url}/batches/{batch}/receipt");
        let request = || self.authorised(self.client.get(&address).header(ACCEPT, "application/json"));
        let body = self.ask(request).await?;
        serde_json::from_slice(&body).map_err(|error| self.error(format_args!("not a receipt: {error}")))
    }

    /// A small question, asked until it is answered.
    async fn ask(&self, request: impl Fn() -> RequestBuilder) -> Result<bytes::Bytes> {
        let mut attempt = 1;
        loop {
            let why = match request().timeout(Duration::from_secs(ANSWER_S_MAX)).send().await {
                Ok(response) if response.status().is_success() => match response.bytes().await {
                    Ok(body) => return Ok(body),
                    Err(error) => said(&error),
                },
                Ok(response) if !is_passing(response.status()) => {
                    return Err(self.error(refused(response).await));
                }
                Ok(response) => refused(response).await,
                Err(error) => said(&error),
            };
            if attempt >= self.options.attempts_max {
                return Err(
                    self.error(format_args!("{why}; gave up after {attempt} attempts, run the same command again"))
                );
            }
            self.wait(attempt, None, &why).await;
            attempt += 1;
        }
    }

    async fn wait(&self, attempt: u32, retry_after_s: Option<u64>, why: &str) {
        let back_off_ms = 500u64.saturating_mul(1 << attempt.min(16)).min(BACK_OFF_S_MAX * 1000);
        let wait_ms = retry_after_s.map_or(back_off_ms, |s| s.saturating_mul(1000).clamp(500, BACK_OFF_S_MAX * 2000));
        self.progress.note(&format!("{why}; trying again in {} s", wait_ms.div_ceil(1000)));
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
    }

    /// Sends a group until each of its files is acknowledged, cannot be read, or is given up.
    async fn deliver(&self, group: Vec<Found>) -> Delivered {
        let (mut delivered, mut attempt) = (Delivered::default(), 0);
        let mut waiting: VecDeque<Found> = group.into();
        while !waiting.is_empty() {
            attempt += 1;
            let (why, retry_after_s) = match self.send(waiting.make_contiguous()).await {
                Ok((answer, retry_after_s)) => {
                    self.settle(&mut waiting, &answer, &mut delivered);
                    ("the server asked to send some files again".to_owned(), retry_after_s)
                }
                Err(Attempt::Unread(failed)) => {
                    waiting.retain(|found| found.name != failed.file);
                    self.progress.note(&failed.why);
                    self.progress.done(&failed.file);
                    delivered.failed.push(failed);
                    attempt -= 1;
                    continue;
                }
                Err(Attempt::Again(why, retry_after_s)) => (why, retry_after_s),
                Err(Attempt::Never(why)) => {
                    attempt = self.options.attempts_max;
                    (why, None)
                }
            };
            if waiting.is_empty() {
                break;
            }
            if attempt >= self.options.attempts_max {
                let failed = waiting.drain(..).map(|found| Failed { file: found.name, why: why.clone() });
                delivered.failed.extend(failed);
                break;
            }
            self.wait(attempt, retry_after_s, &why).await;
        }
        delivered
    }

    /// Takes out of `waiting` what the server answered for: in the order sent, so names need not be unique.
    fn settle(&self, waiting: &mut VecDeque<Found>, answer: &PartsResponse, delivered: &mut Delivered) {
        let sent = std::mem::take(waiting);
        for (found, part) in sent.into_iter().zip(&answer.parts) {
            match part.outcome.as_str() {
                "refused" => {
                    waiting.push_back(found);
                    continue;
                }
                "too-large" => {
                    let why = format!("{}; {}", part.reason, part.next_step);
                    delivered.failed.push(Failed { file: found.name.clone(), why });
                }
                _ => delivered.acknowledged.push(found.clone()),
            }
            self.progress.done(&found.name);
        }
    }

    /// One request with all of `files`.
    async fn send(&self, files: &[Found]) -> Result<(PartsResponse, Option<u64>), Attempt> {
        let PushOptions { url, batch, .. } = self.options;
        let parts = Parts::new(files.to_vec());
        let request = self.client.post(format!("{url}/studies")).header(CONTENT_TYPE, parts.content_type());
        let request = self.authorised(request).header(ACCEPT, PARTS_MEDIA_TYPE).header("tsunagu-batch", batch);
        let (body, reading) = parts.body();
        let response = self.answer(request.body(body), reading).await?;
        let retry_after = response.headers().get("retry-after").and_then(|value| value.to_str().ok());
        let retry_after_s = retry_after.and_then(|value| value.parse().ok());
        let by_part = response.headers().get(CONTENT_TYPE).is_some_and(|value| value == PARTS_MEDIA_TYPE);
        if !by_part {
            let again = is_passing(response.status());
            let why = refused(response).await;
            return Err(if again { Attempt::Again(why, retry_after_s) } else { Attempt::Never(why) });
        }
        let body = response.bytes().await.map_err(|error| Attempt::Again(said(&error), None))?;
        let answer: PartsResponse =
            serde_json::from_slice(&body).map_err(|error| Attempt::Never(format!("not an answer by part: {error}")))?;
        if answer.parts.len() != files.len() {
            return Err(Attempt::Never(format!("{} files sent, {} answered", files.len(), answer.parts.len())));
        }
        for found in files {
            self.progress.bytes(found.bytes);
        }
        Ok((answer, retry_after_s))
    }

    /// Waits for the answer; once the body has gone, not for ever. A file that could not be read is why a request broke.
    async fn answer(&self, request: RequestBuilder, mut reading: request::Reading) -> Result<Response, Attempt> {
        let (mut sending, mut read) = (std::pin::pin!(request.send()), None);
        let response = loop {
            tokio::select! {
                response = &mut sending => break response,
                done = &mut reading, if read.is_none() => read = Some(done),
                () = tokio::time::sleep(Duration::from_secs(ANSWER_S_MAX)), if read.is_some() => {
                    return Err(Attempt::Again(format!("no answer in {ANSWER_S_MAX} s"), None));
                }
            }
        };
        if read.is_none() {
            // The answer came first: the rest of the body is dropped, which ends the reader in a moment.
            read = tokio::time::timeout(Duration::from_secs(1), reading).await.ok();
        }
        match (read, response) {
            (Some(Ok(Err((file, why)))), _) => Err(Attempt::Unread(Failed { file, why })),
            (_, response) => response.map_err(|error| Attempt::Again(said(&error), None)),
        }
    }
}

/// Whether the same request may fare better later. A storage that is full may be given room.
pub(crate) fn is_passing(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 500 | 502 | 503 | 504 | 507)
}

async fn refused(response: Response) -> String {
    let status = response.status();
    let body = response.bytes().await.unwrap_or_default();
    let sentence = serde_json::from_slice::<serde_json::Value>(&body).ok();
    let sentence = sentence.and_then(|body| Some(body.get("error")?.as_str()?.to_owned()));
    match (status, sentence) {
        (_, Some(sentence)) => format!("answered {status}: {sentence}"),
        (StatusCode::OK | StatusCode::ACCEPTED, None) => {
            "does not answer by part; is it Tsunagu's STOW service?".into()
        }
        (_, None) => format!("answered {status}; are the address and the token right?"),
    }
}

/// What reqwest says with its causes: the outermost alone is rarely enough to act on.
pub(crate) fn said(error: &dyn std::error::Error) -> String {
    let (mut text, mut cause) = (error.to_string(), error.source());
    while let Some(source) = cause {
        text = format!("{text}: {source}");
        cause = source.source();
    }
    text
}

#[cfg(test)]
mod tests;
