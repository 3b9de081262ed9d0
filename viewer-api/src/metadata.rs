//! Metadata of a study, a series or an instance (PS3.18 §10.4.1.1.2): the DICOM JSON kept beside the bytes, streamed.

use archive::Held;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value};

use crate::audit::{Access, Counts, Rendition};
use crate::error::{Error, Result};
use crate::multipart::log_failure;
use crate::state::ViewerState;
use crate::wado::{Address, Caller, instances_at, single};

/// DICOM JSON (PS3.18 Annex F).
pub(crate) const DICOM_JSON: &str = "application/dicom+json";
/// Objects sent at once.
const CHUNK_OBJECTS: usize = 500;

/// `GET /studies/S/metadata`, `…/series/E/metadata`, `…/instances/I/metadata`.
pub(crate) async fn metadata(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let wanted = |range: &&crate::wado::MediaRange| range.covers(DICOM_JSON) || range.covers("application/json");
    if !caller.accept.iter().any(|range| wanted(&range)) {
        let what = format!("metadata of {}", address.sentence());
        return Err(Error::NotAcceptable { what, offered: vec![DICOM_JSON.into()] });
    }
    let found = instances_at(&state, &address).await?;
    let access = state.audit().access(&caller.principal, &address.study, Rendition::Metadata, caller.purpose).await?;
    let base = caller.base.clone();
    let chunks = chunked(found).into_iter().enumerate();
    let body = stream::iter(chunks).then(move |(index, chunk)| {
        let (state, access, base) = (state.clone(), access.clone(), base.clone());
        async move { written(&state, &access, &base, index == 0, chunk).await }
    });
    let body = body.chain(stream::once(async { Ok(Bytes::from_static(b"]")) }));
    let body = if caller.head { Body::empty() } else { Body::from_stream(log_failure(body)) };
    let mut response = single(DICOM_JSON, None, body);
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// Instances in pieces that stay within a series: the archive reads its objects a series at a time.
fn chunked(found: Vec<Held>) -> Vec<Vec<Held>> {
    let mut chunks: Vec<Vec<Held>> = Vec::new();
    for held in found {
        let series = |held: &Held| held.record.description.series.series_instance_uid.clone();
        match chunks.last_mut() {
            Some(chunk) if chunk.len() < CHUNK_OBJECTS && chunk.first().map(series) == Some(series(&held)) => {
                chunk.push(held);
            }
            _ => chunks.push(vec![held]),
        }
    }
    chunks
}

async fn written(state: &ViewerState, access: &Access, base: &str, first: bool, chunk: Vec<Held>) -> Result<Bytes> {
    let documents = state.reader().dicom_json(&chunk).await?;
    let mut out = BytesMut::new();
    for (index, (held, document)) in chunk.iter().zip(&documents).enumerate() {
        out.extend_from_slice(if first && index == 0 { b"[" } else { b"," });
        if mentions_bulk_data(document) {
            let absolute = with_absolute_uris(document, &place(base, held))?;
            out.extend_from_slice(Value::Object(absolute).to_string().as_bytes());
        } else {
            out.extend_from_slice(document);
        }
    }
    let bytes = out.len() as u64;
    access.serve(Counts { instances: chunk.len() as u64, frames: 0, bytes }).await?;
    Ok(out.freeze())
}

fn mentions_bulk_data(document: &[u8]) -> bool {
    const NAME: &[u8] = b"\"BulkDataURI\"";
    document.windows(NAME.len()).any(|window| window == NAME)
}

/// The URL of an instance.
pub(crate) fn place(base: &str, held: &Held) -> String {
    let description = &held.record.description;
    let (study, series) = (&description.study.study_instance_uid, &description.series.series_instance_uid);
    format!("{base}/dicom-web/studies/{study}/series/{series}/instances/{}", description.instance.sop_instance_uid)
}

/// The DICOM JSON object of an instance, its relative `BulkDataURI`s made absolute (PS3.18 §F.2.7).
pub(crate) fn with_absolute_uris(document: &[u8], place: &str) -> Result<Map<String, Value>> {
    let damaged = |error: serde_json::Error| archive::Error::Damaged {
        what: format!("the metadata of {place}"),
        detail: error.to_string(),
    };
    let mut object: Map<String, Value> = serde_json::from_slice(document).map_err(damaged)?;
    object.values_mut().for_each(|element| absolute(element, place));
    Ok(object)
}

/// Makes the `BulkDataURI`s of one attribute absolute. Depth is bounded: the parser refuses more than 128 levels.
pub(crate) fn absolute(element: &mut Value, place: &str) {
    let Some(element) = element.as_object_mut() else { return };
    if let Some(Value::String(uri)) = element.get_mut("BulkDataURI")
        && !uri.contains("://")
    {
        *uri = format!("{place}/{}", uri.trim_start_matches('/'));
    }
    if let Some(Value::Array(values)) = element.get_mut("Value") {
        for item in values.iter_mut().filter_map(Value::as_object_mut) {
            item.values_mut().for_each(|element| absolute(element, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bulk_data_is_found_at_any_depth_and_named_absolutely() {
        let document = r#"{"54000100":{"vr":"SQ","Value":[{"54001010":{"vr":"OW","BulkDataURI":"bulkdata/54000100/0/54001010"}}]},
            "00420011":{"vr":"OB","BulkDataURI":"bulkdata/00420011"},"00100010":{"vr":"PN","Value":[{"Alphabetic":"A^B"}]}}"#;
        let out = with_absolute_uris(document.as_bytes(), "http://h/i").unwrap();
        assert_eq!(out["54000100"]["Value"][0]["54001010"]["BulkDataURI"], "http://h/i/bulkdata/54000100/0/54001010");
        assert_eq!(out["00420011"]["BulkDataURI"], "http://h/i/bulkdata/00420011");
        assert_eq!(out["00100010"]["Value"][0]["Alphabetic"], "A^B");
        assert!(with_absolute_uris(b"{\"cut", "http://h/i").is_err());
    }
}
