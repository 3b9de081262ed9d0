//! WADO-RS: retrieve what is held (PS3.18 §10.4).

mod accept;
mod bulkdata;
mod frames;
mod held_file;
mod original;
mod range;
mod request;
mod retrieve;
mod transcoded;
mod uri;

pub(crate) use accept::{MediaRange, parse as parse_accept};
pub(crate) use bulkdata::{all_bulkdata, bulkdata, value};
pub(crate) use frames::{FrameSource, REPRESENTATION_DIGITS, frame_list, frames};
pub(crate) use held_file::HeldFile;
pub(crate) use original::original;
pub(crate) use request::{Address, Caller, is_uid};
pub(crate) use retrieve::retrieve;
pub(crate) use uri::wado_uri;

use archive::Held;
use axum::body::Body;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::error::{Error, Result};
use crate::state::ViewerState;

/// The ranges of one Accept header, best first.
pub(crate) fn accept_of(header: &str) -> Vec<MediaRange> {
    accept::parse([header])
}

/// The instance at an address.
pub(crate) async fn instance_at(state: &ViewerState, address: &Address) -> Result<Held> {
    let found = state.reader().instance(&address.study, &address.series, &address.instance).await?;
    found.ok_or_else(|| Error::NotFound(address.sentence()))
}

/// The instances of the study, of the series or at the address.
pub(crate) async fn instances_at(state: &ViewerState, address: &Address) -> Result<Vec<Held>> {
    if !address.instance.is_empty() {
        return Ok(vec![instance_at(state, address).await?]);
    }
    let series = (!address.series.is_empty()).then_some(address.series.as_str());
    let found = state.reader().instances(&address.study, series).await?;
    if found.is_empty() { Err(Error::NotFound(address.sentence())) } else { Ok(found) }
}

/// The tag of what never changes: of the file it was received as, in the form it is given in.
pub(crate) fn entity_tag(held: &Held, form: &str) -> String {
    let digest = archive::hex(&held.record.digests.file);
    format!("\"{}-{form}\"", digest.get(..32).unwrap_or(&digest))
}

/// Headers of something that never changes, but is asked for each time: so that who lost the right to see it does not,
/// and every look at it is recorded.
pub(crate) fn tagged(mut response: Response, tag: &str) -> Response {
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(tag) {
        headers.insert(header::ETAG, tag);
    }
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization, Cookie"));
    response
}

/// 304: what the client has is what would be sent.
pub(crate) fn not_modified(tag: &str) -> Response {
    tagged(StatusCode::NOT_MODIFIED.into_response(), tag)
}

/// A body of one media type, its length if that is known.
pub(crate) fn single(content_type: &str, length: Option<u64>, body: Body) -> Response {
    // An empty body, the answer to HEAD, would be given a length of 0; rather none (RFC 9110 §8.6).
    let body = if length.is_none() { Body::from_stream(body.into_data_stream()) } else { body };
    let mut response = body.into_response();
    let kind = HeaderValue::from_str(content_type);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, kind.unwrap_or(HeaderValue::from_static("application/octet-stream")));
    if let Some(length) = length {
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    response
}
