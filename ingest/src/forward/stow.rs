//! A destination that is reached by STOW-RS (PS3.18 §10.5): a few instances a request, streamed.

use std::collections::HashMap;
use std::path::Path;
use std::time::Duration;

use bytes::Bytes;
use futures::stream::{self, StreamExt};
use reqwest::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE, RETRY_AFTER};
use reqwest::{Client, Response, StatusCode};
use serde_json::Value;

use super::prepare::Prepared;
use super::verdict::{Trouble, Verdict, verdict};
use crate::push::{is_passing, said, stow_client};

/// A peer answers a whole request within this: a large one is to be made durable first.
const ANSWER_S_MAX: u64 = 600;
/// An answer of more is not read.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// One STOW service.
pub struct Stow {
    client: Client,
    url: String,
    token: Option<String>,
}

impl Stow {
    /// A sender to this service.
    pub fn new(url: &str, token_file: Option<&Path>) -> Result<Stow, Trouble> {
        let client = stow_client(url).map_err(Trouble::down)?;
        let token = token_file.map(std::fs::read_to_string).transpose();
        let token = token.map_err(|error| Trouble::down(format!("the token file cannot be read: {error}")))?;
        Ok(Stow { client, url: url.to_owned(), token: token.map(|token| token.trim().to_owned()) })
    }

    /// Sends instances in one request; one by one where the service takes them only so. Answers what became of each that
    /// was sent, and what stands in the way of the rest.
    pub async fn send(&self, instances: &[Prepared]) -> (Vec<Verdict>, Option<Trouble>) {
        match self.request(instances).await {
            Ok(verdicts) => (verdicts, None),
            Err(Failed::Trouble(trouble)) => (Vec::new(), Some(trouble)),
            Err(Failed::Body(why)) if instances.len() == 1 => (vec![Verdict::Refused { code: 0, reason: why }], None),
            Err(Failed::Body(_)) => self.send_singly(instances).await,
        }
    }

    async fn send_singly(&self, instances: &[Prepared]) -> (Vec<Verdict>, Option<Trouble>) {
        let mut verdicts = Vec::with_capacity(instances.len());
        for one in instances {
            match self.request(std::slice::from_ref(one)).await {
                Ok(of_one) => verdicts.extend(of_one),
                Err(Failed::Body(reason)) => verdicts.push(Verdict::Refused { code: 0, reason }),
                Err(Failed::Trouble(trouble)) => return (verdicts, Some(trouble)),
            }
        }
        (verdicts, None)
    }

    async fn request(&self, instances: &[Prepared]) -> Result<Vec<Verdict>, Failed> {
        let boundary = uuid::Uuid::new_v4().simple().to_string();
        let kind = format!("multipart/related; type=\"application/dicom\"; boundary={boundary}");
        let mut request = self.client.post(format!("{}/studies", self.url)).header(CONTENT_TYPE, kind);
        request = request.header(ACCEPT, "application/dicom+json").body(body(instances, &boundary));
        if let Some(token) = &self.token {
            request = request.header(AUTHORIZATION, format!("Bearer {token}"));
        }
        let sent = tokio::time::timeout(Duration::from_secs(ANSWER_S_MAX), request.send()).await;
        let response = match sent {
            Err(_) => return Err(Failed::Trouble(Trouble::broken(format!("no answer in {ANSWER_S_MAX} s")))),
            Ok(Err(error)) if error.is_connect() => return Err(Failed::Trouble(Trouble::down(said(&error)))),
            // The connection broke: whether they are stored is unknown, and sending them again is safe.
            Ok(Err(error)) => return Err(Failed::Trouble(Trouble::broken(said(&error)))),
            Ok(Ok(response)) => response,
        };
        self.read(response, instances).await
    }

    async fn read(&self, response: Response, instances: &[Prepared]) -> Result<Vec<Verdict>, Failed> {
        let (status, retry_after_s) = (response.status(), retry_after_s(&response));
        let answered = matches!(status, StatusCode::OK | StatusCode::ACCEPTED | StatusCode::CONFLICT);
        let body = read_bounded(response).await.map_err(|why| Failed::Trouble(Trouble::broken(why)))?;
        let answer = serde_json::from_slice::<Value>(&body).ok();
        if let Some(answer) = answer.filter(|answer| answered && is_store_response(answer)) {
            return Ok(verdicts(&answer, instances));
        }
        let why = format!("the service answered {status}");
        Err(match status.as_u16() {
            _ if is_passing(status) => Failed::Trouble(Trouble { retry_after_s, ..Trouble::down(why) }),
            401 | 403 | 404 | 405 => Failed::Trouble(Trouble::down(format!("{why}; are address and token right?"))),
            400 | 409 | 413 | 415 | 422 => Failed::Body(why),
            _ => Failed::Trouble(Trouble::broken(format!("{why}, which is no Store Instances response"))),
        })
    }
}

/// Why a request had no answer by instance.
enum Failed {
    /// Something with the service, or with the way there.
    Trouble(Trouble),
    /// Something with what was sent.
    Body(String),
}

fn retry_after_s(response: &Response) -> Option<u64> {
    response.headers().get(RETRY_AFTER)?.to_str().ok()?.parse().ok()
}

async fn read_bounded(mut response: Response) -> Result<Vec<u8>, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| said(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err("an answer of more than 16 MiB".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body)
}

fn body(instances: &[Prepared], boundary: &str) -> reqwest::Body {
    let end = Bytes::from(format!("--{boundary}--\r\n"));
    let (parts, boundary) = (instances.to_vec(), boundary.to_owned());
    let parts = stream::iter(parts).flat_map(move |one| {
        let head = format!(
            "--{boundary}\r\nContent-Type: application/dicom\r\nContent-Length: {}\r\nContent-Location: {}.dcm\r\n\r\n",
            one.part10_bytes(),
            one.instance.sop_instance_uid
        );
        let edge = |bytes: Bytes| stream::once(async move { Ok::<_, std::io::Error>(bytes) }).boxed();
        edge(head.into()).chain(one.part10()).chain(edge(Bytes::from_static(b"\r\n")))
    });
    reqwest::Body::wrap_stream(parts.chain(stream::once(async move { Ok(end) }).boxed()))
}

/// Referenced SOP Sequence, Failed SOP Sequence, Other Failures Sequence.
const SEQUENCES: [&str; 3] = ["00081199", "00081198", "0008119A"];

fn is_store_response(answer: &Value) -> bool {
    SEQUENCES.iter().any(|sequence| answer.get(sequence).is_some())
}

fn items<'a>(answer: &'a Value, sequence: &str) -> impl Iterator<Item = &'a Value> {
    answer.get(sequence).and_then(|sequence| sequence.get("Value")?.as_array()).into_iter().flatten()
}

fn first<'a>(item: &'a Value, tag: &str) -> Option<&'a Value> {
    item.get(tag)?.get("Value")?.get(0)
}

/// What the answer says of each instance (PS3.18 Table I.2.1-1). Of one that it does not name, nothing is known.
fn verdicts(answer: &Value, instances: &[Prepared]) -> Vec<Verdict> {
    let mut said = HashMap::new();
    for item in items(answer, "00081199") {
        if let Some(uid) = first(item, "00081155").and_then(Value::as_str) {
            said.insert(uid, Verdict::Stored);
        }
    }
    for item in items(answer, "00081198") {
        let code = first(item, "00081197").and_then(Value::as_u64).and_then(|code| u16::try_from(code).ok());
        if let Some(uid) = first(item, "00081155").and_then(Value::as_str) {
            said.insert(uid, verdict(code.unwrap_or(0x0110), ""));
        }
    }
    let unnamed = || Verdict::Later("the service did not say what became of it".into());
    instances
        .iter()
        .map(|one| said.get(one.instance.sop_instance_uid.as_str()).cloned().unwrap_or_else(unnamed))
        .collect()
}
