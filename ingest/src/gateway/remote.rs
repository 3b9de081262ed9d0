//! Studies of the exchange: its change feed as server-sent events, or in pages where these do not come through; search and
//! retrieval by DICOMweb.

use std::time::Duration;

use archive::Body;
use async_trait::async_trait;
use bytes::BytesMut;
use reqwest::{Response, StatusCode};
use serde::Deserialize;
use serde_json::Value;
use sha2::{Digest, Sha256};
use tokio::sync::Mutex;

use super::exchange::{Exchange, bounded, sentence};
use crate::changes::Change;
use crate::forward::{Facts, Outgoing, Source, Unread};
use crate::push::said;
use crate::receive::Receiver;

/// Events buffered of a stream, bytes.
const BUFFER_BYTES_MAX: usize = 1 << 20;
/// Changes on a page.
const PAGE: u64 = 500;
/// Instances on a page of a search.
const INSTANCES_PAGE: usize = 500;
/// Instances of one study.
const INSTANCES_MAX: usize = 200_000;
/// A stream on which not even a sign of life comes is dead: they come every 15 s.
const SILENT: Duration = Duration::from_secs(50);
/// The exchange sends something of an instance within this.
const CHUNK_WAIT: Duration = Duration::from_secs(60);
const JSON: &str = "application/json";
const DICOM_JSON: &str = "application/dicom+json";

/// The exchange, as a gateway follows it.
pub struct RemoteSource {
    exchange: Exchange,
    receiver: Receiver,
    stream: Mutex<Option<Stream>>,
}

/// An open stream of changes.
struct Stream {
    response: Response,
    buffer: BytesMut,
    /// The last change it gave, or was opened after.
    at: u64,
    heard: tokio::time::Instant,
}

#[derive(Deserialize)]
struct Page {
    changes: Vec<Told>,
    #[serde(default)]
    end: u64,
}

/// A change with its number.
#[derive(Deserialize)]
struct Told {
    sequence: u64,
    #[serde(flatten)]
    change: Value,
}

impl Told {
    fn read(self) -> (u64, Option<Change>) {
        (self.sequence, serde_json::from_value(self.change).ok())
    }
}

impl RemoteSource {
    /// The exchange at its address; files on their way are gathered by `receiver`.
    pub fn new(exchange: Exchange, receiver: Receiver) -> RemoteSource {
        RemoteSource { exchange, receiver, stream: Mutex::new(None) }
    }

    /// Opens a stream; `None` where the exchange gives none, so that pages are asked for.
    async fn open(&self, since: u64) -> Result<Option<Stream>, String> {
        let path = format!("/changes?since={since}");
        let request = self.exchange.get(&path, "text/event-stream").map_err(|error| error.to_string())?;
        let response = self.exchange.ask(request).await?;
        let kind = response.headers().get("content-type").and_then(|value| value.to_str().ok()).unwrap_or("");
        if response.status() == StatusCode::OK && kind.starts_with("text/event-stream") {
            let (buffer, heard) = (BytesMut::new(), tokio::time::Instant::now());
            return Ok(Some(Stream { response, buffer, at: since, heard }));
        }
        let status = response.status();
        if matches!(status.as_u16(), 400 | 401 | 403 | 404) {
            let body = bounded(response).await?;
            return Err(format!("the exchange answered {status}{}", sentence(&body)));
        }
        Ok(None)
    }

    async fn page(&self, since: u64, limit: u64, wait_s: u64) -> Result<Page, String> {
        let path = format!("/changes?since={since}&limit={limit}&wait={wait_s}");
        let page = self.exchange.json(&path, JSON, wait_s).await?;
        Ok(page.unwrap_or(Page { changes: Vec::new(), end: 0 }))
    }

    async fn search(&self, path: &str) -> Result<Vec<Value>, String> {
        Ok(self.exchange.json(&format!("/dicom-web{path}"), DICOM_JSON, 0).await?.unwrap_or_default())
    }

    async fn fetch(&self, path: &str, accept: &str) -> Result<Result<Body, StatusCode>, String> {
        let request = self.exchange.get(path, accept).map_err(|error| error.to_string())?;
        let response = self.exchange.ask(request.header("purpose-of-use", "treatment")).await?;
        let mut response = match response.status() {
            StatusCode::OK => response,
            status => return Ok(Err(status)),
        };
        let mut receiving = self.receiver.open(response.content_length());
        loop {
            let chunk = tokio::time::timeout(CHUNK_WAIT, response.chunk()).await;
            let chunk = chunk.map_err(|_| "the exchange stopped sending".to_owned())?;
            match chunk.map_err(|error| said(&error))? {
                Some(chunk) => receiving.write(chunk).await.map_err(|error| error.to_string())?,
                None => break,
            }
        }
        Ok(Ok(receiving.finish().await.map_err(|error| error.to_string())?.body))
    }
}

impl Stream {
    /// The changes that have come; waits a while for the first.
    async fn next(&mut self, wait: Duration) -> Result<Vec<(u64, Option<Change>)>, String> {
        let until = tokio::time::Instant::now() + wait;
        loop {
            let told = self.take()?;
            if !told.is_empty() {
                return Ok(told);
            }
            match tokio::time::timeout_at(until, self.response.chunk()).await {
                Err(_) if self.heard.elapsed() > SILENT => return Err("the stream of changes is silent".into()),
                Err(_) => return Ok(Vec::new()),
                Ok(Ok(Some(chunk))) => {
                    self.heard = tokio::time::Instant::now();
                    if self.buffer.len() + chunk.len() > BUFFER_BYTES_MAX {
                        return Err("an event of more than 1 MiB".into());
                    }
                    self.buffer.extend_from_slice(&chunk);
                }
                Ok(Ok(None)) => return Err(ENDED.into()),
                Ok(Err(error)) => return Err(said(&error)),
            }
        }
    }

    /// Whole events of the buffer: lines up to an empty one (WHATWG HTML §9.2.6), as our exchange writes them.
    fn take(&mut self) -> Result<Vec<(u64, Option<Change>)>, String> {
        let mut told = Vec::new();
        while let Some(end) = self.buffer.windows(2).position(|two| two == b"\n\n") {
            let event = self.buffer.split_to(end + 2);
            let text = String::from_utf8_lossy(&event);
            let Some(data) = text.lines().find_map(|line| line.strip_prefix("data: ")) else { continue };
            let event: Told = serde_json::from_str(data).map_err(|error| format!("an event is no change: {error}"))?;
            self.at = event.sequence;
            told.push(event.read());
        }
        Ok(told)
    }
}

/// A stream ends every ten minutes: that is no failure.
const ENDED: &str = "the stream of changes ended";

#[async_trait]
impl Source for RemoteSource {
    async fn changes(&self, since: u64, wait: Duration) -> Result<Vec<(u64, Option<Change>)>, String> {
        let mut held = self.stream.lock().await;
        // One that stands elsewhere was opened for a position that is no more.
        let open = held.take().filter(|stream| stream.at >= since && wait > Duration::ZERO);
        let stream = match open {
            Some(stream) => Some(stream),
            None if wait > Duration::ZERO => self.open(since).await?,
            None => None,
        };
        let Some(mut stream) = stream else {
            let page = self.page(since, PAGE, wait.as_secs()).await?;
            return Ok(page.changes.into_iter().map(Told::read).collect());
        };
        match stream.next(wait).await {
            Ok(told) => {
                *held = Some(stream);
                Ok(told)
            }
            Err(why) if why == ENDED => Ok(Vec::new()),
            Err(why) => Err(why),
        }
    }

    async fn end(&self) -> Result<u64, String> {
        Ok(self.page(0, 1, 0).await?.end)
    }

    async fn facts(&self, study_instance_uid: &str, stations: bool) -> Result<Option<Facts>, String> {
        let study =
            self.search(&format!("/studies?StudyInstanceUID={study_instance_uid}&includefield=00081030")).await?;
        let Some(study) = study.first() else { return Ok(None) };
        let stations = match stations {
            true => {
                let path = format!("/studies/{study_instance_uid}/series?includefield=00081010");
                let series = self.search(&path).await?;
                series.iter().flat_map(|series| values(series, "00081010")).collect()
            }
            false => Vec::new(),
        };
        Ok(Some(Facts {
            modalities: values(study, "00080061"),
            centre: String::new(),
            description: values(study, "00081030").into_iter().next().unwrap_or_default(),
            stations,
        }))
    }

    async fn instances(&self, study_instance_uid: &str) -> Result<Vec<Outgoing>, String> {
        let mut found = Vec::new();
        loop {
            let offset = found.len();
            let path = format!("/studies/{study_instance_uid}/instances?limit={INSTANCES_PAGE}&offset={offset}");
            let page = self.search(&path).await?;
            let last = page.is_empty();
            for item in &page {
                let one = |tag| values(item, tag).into_iter().next().unwrap_or_default();
                let (sop_instance_uid, series_instance_uid) = (one("00080018"), one("0020000E"));
                if sop_instance_uid.is_empty() || series_instance_uid.is_empty() {
                    return Err("the exchange lists an instance without its UIDs".into());
                }
                found.push(Outgoing {
                    key: key_of(&sop_instance_uid),
                    sop_class_uid: one("00080016"),
                    sop_instance_uid,
                    series_instance_uid,
                    study_instance_uid: study_instance_uid.to_owned(),
                    transfer_syntax_uid: String::new(),
                });
            }
            if last {
                return Ok(found);
            }
            if found.len() > INSTANCES_MAX {
                return Err(format!("the exchange lists more than {INSTANCES_MAX} instances of one study"));
            }
        }
    }

    async fn file(&self, instance: &Outgoing) -> Result<Body, Unread> {
        let Outgoing { study_instance_uid, series_instance_uid, sop_instance_uid, .. } = instance;
        let place = format!(
            "/dicom-web/studies/{study_instance_uid}/series/{series_instance_uid}/instances/{sop_instance_uid}"
        );
        // As it was received, where the token allows that; else as it is held.
        let original = self.fetch(&format!("{place}/original"), "application/dicom").await.map_err(Unread::Later)?;
        let answer = match original {
            Err(StatusCode::FORBIDDEN) => {
                let any = "application/dicom; transfer-syntax=*";
                self.fetch(&place, any).await.map_err(Unread::Later)?
            }
            answer => answer,
        };
        answer.map_err(|status| match status {
            StatusCode::NOT_FOUND | StatusCode::GONE => Unread::Never("the exchange does not hold it any more".into()),
            status => Unread::Later(format!("the exchange answered {status} for an instance")),
        })
    }

    /// A search gives instances by series and number: a later one may come between.
    fn is_ordered(&self) -> bool {
        false
    }
}

/// By what an instance is known to be settled: the beginning of a digest of its UID. Two of one study that have the same
/// are as good as impossible.
fn key_of(sop_instance_uid: &str) -> u64 {
    let digest = Sha256::digest(sop_instance_uid.as_bytes());
    digest.first_chunk::<8>().map_or(1, |first| u64::from_be_bytes(*first)).max(1)
}

/// The text values of an attribute.
fn values(item: &Value, tag: &str) -> Vec<String> {
    let values = item.get(tag).and_then(|attribute| attribute.get("Value")?.as_array());
    values.into_iter().flatten().filter_map(|value| value.as_str().map(str::to_owned)).collect()
}
