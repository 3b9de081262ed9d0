//! The exchange as a gateway reaches it: an address, a token in a file, requests that end.

use std::path::PathBuf;
use std::time::Duration;

use bytes::Bytes;
use reqwest::header::{ACCEPT, AUTHORIZATION};
use reqwest::{Client, RequestBuilder, Response, StatusCode};
use url::Url;

use crate::error::{Error, Result};
use crate::push::{said, stow_client};

/// A small question is answered within this, seconds, beside what it asks to wait.
const ANSWER_S_MAX: u64 = 60;
/// An answer that is read whole may have this many bytes.
const ANSWER_BYTES_MAX: usize = 64 << 20;

/// Where the exchange is, and with which token it is spoken to.
#[derive(Clone, Debug)]
pub struct Exchange {
    url: String,
    token_file: PathBuf,
    client: Client,
}

impl Exchange {
    /// The exchange at `url` (`https://exchange.example`). The token is read from its file for each request, so that a new
    /// one counts at once.
    ///
    /// # Errors
    /// [`Error::Server`] for an address that is not https (http is let pass to this machine itself only).
    pub fn new(url: &str, token_file: PathBuf) -> Result<Exchange> {
        let url = url.trim_end_matches('/').to_owned();
        let wrong = |detail: &str| Error::Server { url: url.clone(), detail: detail.to_owned() };
        let parsed = Url::parse(&url).map_err(|_| wrong("no URL; write it as https://exchange.example"))?;
        let is_here = matches!(parsed.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
        match parsed.scheme() {
            "https" => {}
            "http" if is_here => {}
            _ => return Err(wrong("images go over https only; write it as https://exchange.example")),
        }
        let client = stow_client(&url)?;
        Ok(Exchange { url, token_file, client })
    }

    /// Where DICOMweb lies.
    pub fn dicom_web(&self) -> String {
        format!("{}/dicom-web", self.url)
    }

    /// The token as its file has it now.
    ///
    /// # Errors
    /// [`Error::Read`] where it cannot be read.
    pub fn token(&self) -> Result<String> {
        let token = std::fs::read_to_string(&self.token_file);
        let name = self.token_file.display().to_string();
        Ok(token.map_err(|source| Error::Read { name, source })?.trim().to_owned())
    }

    /// A request for a path below the exchange's address.
    pub(super) fn get(&self, path: &str, accept: &str) -> Result<RequestBuilder> {
        let request = self.client.get(format!("{}{path}", self.url)).header(ACCEPT, accept);
        Ok(request.header(AUTHORIZATION, format!("Bearer {}", self.token()?)))
    }

    /// Asks, and gives the answer of any status.
    pub(super) async fn ask(&self, request: RequestBuilder) -> std::result::Result<Response, String> {
        request.send().await.map_err(|error| said(&error))
    }

    /// Asks for JSON; `None` where there is nothing (204). Waits `wait_s` longer than for other answers.
    pub(super) async fn json<T: serde::de::DeserializeOwned>(
        &self,
        path: &str,
        accept: &str,
        wait_s: u64,
    ) -> std::result::Result<Option<T>, String> {
        let request = self.get(path, accept).map_err(|error| error.to_string())?;
        let request = request.timeout(Duration::from_secs(ANSWER_S_MAX + wait_s));
        let response = self.ask(request).await?;
        let status = response.status();
        if status == StatusCode::NO_CONTENT {
            return Ok(None);
        }
        let body = bounded(response).await?;
        if !status.is_success() {
            return Err(format!("the exchange answered {status}{}", sentence(&body)));
        }
        let answer = serde_json::from_slice(&body);
        answer.map(Some).map_err(|error| format!("the exchange answered what is not expected: {error}"))
    }
}

/// What our own services say with a refusal.
pub(super) fn sentence(body: &[u8]) -> String {
    let answer = serde_json::from_slice::<serde_json::Value>(body).ok();
    let error = answer.and_then(|answer| Some(answer.get("error")?.as_str()?.to_owned()));
    error.map_or_else(String::new, |error| format!(": {error}"))
}

/// The body of an answer, if it is of bounded length.
pub(super) async fn bounded(mut response: Response) -> std::result::Result<Bytes, String> {
    let mut body = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| said(&error))? {
        if body.len() + chunk.len() > ANSWER_BYTES_MAX {
            return Err("the exchange's answer is longer than 64 MiB".into());
        }
        body.extend_from_slice(&chunk);
    }
    Ok(body.into())
}
