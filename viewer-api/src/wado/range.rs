//! Conditions and ranges of a request (RFC 9110 §13, §14): over the body as it would be sent in full, multipart framing
//! included.

use std::convert::Infallible;
use std::ops::Range;

use axum::extract::FromRequestParts;
use axum::http::header::{self, HeaderMap, HeaderName};
use axum::http::request::Parts;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};

/// What a request makes its answer depend on.
#[derive(Clone, Debug, Default)]
pub(crate) struct Conditions {
    if_none_match: Option<String>,
    if_range: Option<String>,
    range: Option<String>,
}

/// Which bytes of a body go out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// All of them.
    Whole,
    /// These.
    Part(Range<u64>),
    /// Some that there are not.
    Beyond,
}

impl<S: Sync> FromRequestParts<S> for Conditions {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Conditions, Infallible> {
        let text = |name: HeaderName| text(&parts.headers, name);
        // RFC 9110 §14.2: a range means something for GET only.
        let range = if parts.method == Method::GET { text(header::RANGE) } else { None };
        Ok(Conditions { if_none_match: text(header::IF_NONE_MATCH), if_range: text(header::IF_RANGE), range })
    }
}

fn text(headers: &HeaderMap, name: HeaderName) -> Option<String> {
    headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned)
}

impl Conditions {
    /// Whether the client has this already (RFC 9110 §13.1.2: compared weakly).
    pub(crate) fn has(&self, tag: &str) -> bool {
        let mut held = self.if_none_match.as_deref().unwrap_or("").split(',').map(str::trim);
        held.any(|one| one == "*" || one.trim_start_matches("W/") == tag)
    }

    /// Which bytes of a body of this tag and length are asked for. What is not understood, and several ranges at once,
    /// get all of it (RFC 9110 §14.2).
    pub(crate) fn wanted(&self, tag: &str, length: u64) -> Wanted {
        // RFC 9110 §13.1.5: compared strongly; a date is never that of what has no Last-Modified.
        let same = self.if_range.as_deref().is_none_or(|held| held.trim() == tag);
        match self.range.as_deref().filter(|_| same) {
            Some(range) => parse(range, length),
            None => Wanted::Whole,
        }
    }
}

/// RFC 9110 §14.1.2.
fn parse(range: &str, length: u64) -> Wanted {
    let Some((unit, set)) = range.split_once('=') else { return Wanted::Whole };
    let Some((first, last)) = set.trim().split_once('-') else { return Wanted::Whole };
    if !unit.trim().eq_ignore_ascii_case("bytes") || set.contains(',') {
        return Wanted::Whole;
    }
    match (number(first), number(last)) {
        (Some(first), None) if last.trim().is_empty() => part(first, length, length),
        (Some(first), Some(last)) if first <= last => part(first, last.saturating_add(1), length),
        (None, Some(count)) if first.trim().is_empty() => match count {
            0 => Wanted::Beyond,
            count => part(length.saturating_sub(count), length, length),
        },
        _ => Wanted::Whole,
    }
}

fn part(first: u64, end: u64, length: u64) -> Wanted {
    if first < length { Wanted::Part(first..end.min(length)) } else { Wanted::Beyond }
}

/// Digits and nothing else; more than fit are as many as there can be.
fn number(text: &str) -> Option<u64> {
    let text = text.trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    digits.then(|| text.parse().unwrap_or(u64::MAX))
}

/// 416 (RFC 9110 §15.5.17). Without a body: clients that read on from where they are (Cornerstone3D) append whatever
/// comes to the bytes they have.
pub(crate) fn beyond(length: u64) -> Response {
    let mut response = StatusCode::RANGE_NOT_SATISFIABLE.into_response();
    content_range(response.headers_mut(), &format!("bytes */{length}"));
    response
}

/// Makes an answer one of a part of a body.
pub(crate) fn partial(response: &mut Response, range: &Range<u64>, length: u64) {
    *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    let text = format!("bytes {}-{}/{length}", range.start, range.end.saturating_sub(1));
    content_range(response.headers_mut(), &text);
}

fn content_range(headers: &mut HeaderMap, text: &str) {
    if let Ok(value) = HeaderValue::from_str(text) {
        headers.insert(header::CONTENT_RANGE, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_read_as_rfc_9110_writes_them() {
        let check = |range: &str, expected| assert_eq!(parse(range, 100), expected, "{range}");
        check("bytes=0-9", Wanted::Part(0..10));
        check("bytes=90-", Wanted::Part(90..100));
        check("bytes=90-1000", Wanted::Part(90..100));
        check("bytes=0-99999999999999999999999", Wanted::Part(0..100));
        check("bytes=-10", Wanted::Part(90..100));
        check("bytes=-1000", Wanted::Part(0..100));
        check("Bytes = 1 - 2", Wanted::Part(1..3));
        check("bytes=100-", Wanted::Beyond);
        check("bytes=100-200", Wanted::Beyond);
        check("bytes=-0", Wanted::Beyond);
        for ignored in
            ["bytes=9-0", "bytes=a-b", "bytes=", "bytes=-", "items=0-1", "bytes=0-1,5-6", "0-1", "bytes=+1-2"]
        {
            check(ignored, Wanted::Whole);
        }
        assert_eq!(parse("bytes=0-", 0), Wanted::Beyond);
    }

    #[test]
    fn if_range_is_a_strong_comparison_and_if_none_match_a_weak_one() {
        let of = |if_range: Option<&str>, if_none_match: Option<&str>| Conditions {
            if_none_match: if_none_match.map(str::to_owned),
            if_range: if_range.map(str::to_owned),
            range: Some("bytes=0-0".into()),
        };
        let check = |held, expected| assert_eq!(of(Some(held), None).wanted("\"a\"", 9), expected, "{held}");
        check("\"a\"", Wanted::Part(0..1));
        check("\"b\"", Wanted::Whole);
        check("W/\"a\"", Wanted::Whole);
        check("Mon, 23 Nov 2026 00:00:00 GMT", Wanted::Whole);
        let check = |held, expected| assert_eq!(of(None, Some(held)).has("\"a\""), expected, "{held}");
        check("\"b\", W/\"a\"", true);
        check("*", true);
        check("\"b\"", false);
    }
}
