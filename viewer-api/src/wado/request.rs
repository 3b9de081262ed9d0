//! What every retrieval request is read into: the address, and who asks how.

use axum::RequestPartsExt;
use axum::extract::{FromRequestParts, Path};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use serde::Deserialize;

use super::accept::{self, MediaRange};
use crate::access::Principal;
use crate::audit::Purpose;
use crate::error::{Error, Result};
use crate::state::ViewerState;

/// Whether a text is a UID: 1 to 64 digits and dots (PS3.5 §9.1; leading zeros occur and are let pass).
pub(crate) fn is_uid(text: &str) -> bool {
    (1..=64).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.')
}

/// What a path names; empty where it does not go so deep.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Address {
    pub(crate) study: String,
    pub(crate) series: String,
    pub(crate) instance: String,
    /// A list of frame numbers.
    pub(crate) frames: String,
    /// Where a value hangs in the Data Set.
    pub(crate) path: String,
}

impl Address {
    /// The thing in words, for a sentence.
    pub(crate) fn sentence(&self) -> String {
        match (self.series.as_str(), self.instance.as_str()) {
            ("", _) => format!("study {}", self.study),
            (series, "") => format!("series {series} of study {}", self.study),
            (series, instance) => format!("instance {instance} of series {series} of study {}", self.study),
        }
    }
}

impl FromRequestParts<ViewerState> for Address {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, _: &ViewerState) -> Result<Address> {
        let next_step = "UIDs are 1 to 64 digits and dots";
        let wrong = |_| Error::invalid("the path cannot be read", next_step);
        let Path(address) = parts.extract::<Path<Address>>().await.map_err(wrong)?;
        let uids = [("Study", &address.study), ("Series", &address.series), ("SOP", &address.instance)];
        match uids.iter().find(|(_, uid)| !uid.is_empty() && !is_uid(uid)) {
            Some((which, _)) => {
                Err(Error::invalid(format!("the {which} Instance UID in the path is no UID"), next_step))
            }
            None => Ok(address),
        }
    }
}

/// Who asks, and how.
#[derive(Clone, Debug)]
pub(crate) struct Caller {
    pub(crate) principal: Principal,
    pub(crate) purpose: Purpose,
    /// What is accepted, best first.
    pub(crate) accept: Vec<MediaRange>,
    /// Base of absolute URLs.
    pub(crate) base: String,
    /// The query as it stands.
    pub(crate) query: String,
    /// Only the headers are wanted.
    pub(crate) head: bool,
    /// UTF-8 is a character set that is accepted, or none was named.
    takes_utf8: bool,
    if_none_match: Option<String>,
}

impl Caller {
    /// Refuses texts to a client that takes no UTF-8 (PS3.18 §8.8).
    pub(crate) fn text(&self, what: &str) -> Result<()> {
        if self.takes_utf8 {
            return Ok(());
        }
        Err(Error::NotAcceptable { what: what.to_owned(), offered: vec!["utf-8, in Accept-Charset".into()] })
    }

    /// Whether the client has this already; weak tags count (RFC 9110 §13.1.2).
    pub(crate) fn has(&self, tag: &str) -> bool {
        let held = self.if_none_match.as_deref().unwrap_or("");
        let opaque = |tag: &str| tag.trim().trim_start_matches("W/").to_owned();
        // `*` is any representation, and one there is.
        held.split(',').any(|one| one.trim() == "*" || opaque(one) == opaque(tag))
    }

    /// A parameter of the query.
    pub(crate) fn parameter(&self, name: &str) -> Option<String> {
        let mut pairs = url::form_urlencoded::parse(self.query.as_bytes());
        pairs.find(|(of, _)| of == name).map(|(_, value)| value.into_owned())
    }
}

impl FromRequestParts<ViewerState> for Caller {
    type Rejection = Error;

    async fn from_request_parts(parts: &mut Parts, state: &ViewerState) -> Result<Caller> {
        // Put there by the guard; without it nobody is let in.
        let principal = parts.extensions.get::<Principal>().cloned().ok_or(Error::Unauthenticated("sign in first"))?;
        let query = parts.uri.query().unwrap_or("").to_owned();
        let text = |headers: &HeaderMap, name| -> Option<String> {
            headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
        };
        let purpose = match text(&parts.headers, header::HeaderName::from_static("purpose-of-use")) {
            Some(word) => Purpose::parse(&word)?,
            None => Purpose::default(),
        };
        let head = parts.method == Method::HEAD;
        let accept = accepted(&parts.headers, &query, head || is_own_addition(parts.uri.path(), &query))?;
        let takes_utf8 = takes_utf8(&parts.headers, &query)?;
        Ok(Caller {
            principal,
            purpose,
            accept,
            base: state.base_url(&parts.headers),
            query,
            head,
            takes_utf8,
            if_none_match: text(&parts.headers, header::IF_NONE_MATCH),
        })
    }
}

/// Whether a request is for something that PS3.18 does not have: the manifest and its addresses, images of IIIF, changes.
fn is_own_addition(path: &str, query: &str) -> bool {
    let by_digest = || url::form_urlencoded::parse(query.as_bytes()).any(|(name, _)| name == "rep");
    let of_the_standard = path.starts_with("/dicom-web") || path.starts_with("/wado");
    !of_the_standard || path.ends_with("/manifest") || by_digest()
}

/// What is accepted, best first.
///
/// # Errors
/// PS3.18 §8.7.5: without an Accept header an answer with a payload is refused by 406, whatever a parameter says, unless
/// `lenient` or a browser follows a link; DICOM and rendered media types side by side by 400.
fn accepted(headers: &HeaderMap, query: &str, lenient: bool) -> Result<Vec<MediaRange>> {
    let header = accept::parse(headers.get_all(header::ACCEPT).iter().filter_map(|v| v.to_str().ok()));
    if !headers.contains_key(header::ACCEPT) {
        // A link of a page that saves a file is followed without an Accept header by browsers, which say what it is.
        if headers.get("sec-fetch-mode").is_some_and(|mode| mode == "navigate") {
            return Ok(accept::parse(["text/html, */*;q=0.8"]));
        }
        if lenient {
            return Ok(accept::parse(["*/*"]));
        }
        return Err(Error::NotAcceptable { what: "an answer".into(), offered: vec!["*/* in an Accept header".into()] });
    }
    // PS3.18 §8.3.3.1: the parameter says it for clients that cannot set the header.
    let asked = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "accept");
    let asked: Vec<String> = asked.map(|(_, value)| value.into_owned()).collect();
    let asked = accept::parse(asked.iter().map(String::as_str));
    if accept::is_mixed(&header) || accept::is_mixed(&asked) {
        let what = "DICOM and rendered media types are accepted side by side";
        return Err(Error::invalid(what, "accept one kind or the other"));
    }
    Ok(accept::merged(asked, header))
}

/// Whether texts may be UTF-8, which they all are (PS3.18 §8.8).
///
/// # Errors
/// PS3.18 §8.3.3.2: a character set in the query that is not supported is a bad request.
fn takes_utf8(headers: &HeaderMap, query: &str) -> Result<bool> {
    let is_utf8 = |name: &str| {
        let name = name.split(';').next().unwrap_or("").trim().trim_matches('"');
        ["utf-8", "utf8", "iso_ir 192"].iter().any(|known| name.eq_ignore_ascii_case(known))
    };
    let mut asked = url::form_urlencoded::parse(query.as_bytes()).filter(|(name, _)| name == "charset").peekable();
    if asked.peek().is_some() {
        return match asked.any(|(_, value)| value.split(',').any(is_utf8)) {
            true => Ok(true),
            false => Err(Error::invalid("the character set is not supported", "write charset=utf-8, or leave it out")),
        };
    }
    let mut sets = headers.get_all(header::ACCEPT_CHARSET).iter().filter_map(|value| value.to_str().ok()).peekable();
    Ok(sets.peek().is_none() || sets.any(|sets| sets.split(',').any(|one| is_utf8(one) || one.trim().starts_with('*'))))
}
