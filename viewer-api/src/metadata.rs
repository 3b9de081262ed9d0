//! Metadata of a study, a series or an instance (PS3.18 §10.4.1.1.2): the DICOM JSON kept beside the bytes, streamed.

use archive::Held;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use crate::audit::{Access, Counts, Rendition};
use crate::error::{Error, Result};
use crate::multipart::log_failure;
use crate::state::ViewerState;
use crate::wado::{Address, Caller, instances_at, not_modified, single, tagged};

/// DICOM JSON (PS3.18 Annex F).
pub(crate) const DICOM_JSON: &str = "application/dicom+json";
/// Objects sent at once.
const CHUNK_OBJECTS: usize = 500;
/// The key before a URI of bulk data. JSON of ours has no spaces, and no text can hold it: its quotes would be escaped.
const BULK_DATA_URI: &[u8] = b"\"BulkDataURI\":\"";

/// `GET /studies/S/metadata`, `…/series/E/metadata`, `…/instances/I/metadata`.
pub(crate) async fn metadata(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let what = format!("metadata of {}", address.sentence());
    let wanted = |range: &&crate::wado::MediaRange| range.covers(DICOM_JSON) || range.covers("application/json");
    if !caller.accept.iter().any(|range| wanted(&range)) {
        return Err(Error::NotAcceptable { what, offered: vec![DICOM_JSON.into()] });
    }
    caller.text(&what)?;
    let found = instances_at(&state, &address).await?;
    let access = state.audit().access(&caller.principal, &address.study, Rendition::Metadata, caller.purpose).await?;
    let tag = tag(&found, &caller.base, "json");
    if caller.has(&tag) {
        access.serve(Counts { instances: found.len() as u64, ..Counts::default() }).await?;
        return Ok(not_modified(&tag));
    }
    if caller.head {
        return Ok(tagged(single(DICOM_JSON, None, Body::empty()), &tag));
    }
    let chunks = chunked(found);
    // Most answers are one piece, which has a length.
    if let [chunk] = chunks.as_slice() {
        let mut out = BytesMut::from(&b"["[..]);
        written(&state, &access, &caller.base, chunk, &mut out).await?;
        out.extend_from_slice(b"]");
        let length = Some(out.len() as u64);
        return Ok(tagged(single(DICOM_JSON, length, Body::from(out.freeze())), &tag));
    }
    let base = caller.base.clone();
    let body = stream::iter(chunks.into_iter().enumerate()).then(move |(index, chunk)| {
        let (state, access, base) = (state.clone(), access.clone(), base.clone());
        async move {
            let mut out = BytesMut::from(if index == 0 { &b"["[..] } else { &b","[..] });
            written(&state, &access, &base, &chunk, &mut out).await.map(|()| out.freeze())
        }
    });
    let body = body.chain(stream::once(async { Ok(Bytes::from_static(b"]")) }));
    Ok(tagged(single(DICOM_JSON, None, Body::from_stream(log_failure(body))), &tag))
}

/// What the metadata of these instances is made of: what was received, where it is held now, and how it is addressed.
fn tag(found: &[Held], base: &str, form: &str) -> String {
    let mut digest = Sha256::new();
    for held in found {
        digest.update(held.record.digests.file);
        digest.update(held.pack().unwrap_or_default().to_le_bytes());
    }
    digest.update(base);
    let digest = archive::hex(&digest.finalize());
    format!("\"{}-{form}\"", digest.get(..32).unwrap_or(&digest))
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

/// Appends the objects of these instances, commas between them.
async fn written(state: &ViewerState, access: &Access, base: &str, chunk: &[Held], out: &mut BytesMut) -> Result<()> {
    let documents = state.reader().dicom_json(chunk).await?;
    let before = out.len();
    out.reserve(documents.iter().map(|document| document.len() + 256).sum());
    for (index, (held, document)) in chunk.iter().zip(&documents).enumerate() {
        out.extend_from_slice(if index == 0 { b"" } else { b"," });
        write_absolute(document, &place(base, held), out);
    }
    let bytes = (out.len() - before) as u64;
    access.serve(Counts { instances: chunk.len() as u64, frames: 0, bytes }).await
}

/// The object as it is kept, its relative `BulkDataURI`s made absolute (PS3.18 §F.2.7).
fn write_absolute(document: &[u8], place: &str, out: &mut BytesMut) {
    let mut rest = document;
    while let Some(at) = memchr::memmem::find(rest, BULK_DATA_URI) {
        let (before, uri) = rest.split_at(at + BULK_DATA_URI.len());
        out.extend_from_slice(before);
        if !is_absolute(uri) {
            out.extend_from_slice(place.as_bytes());
            out.extend_from_slice(b"/");
        }
        rest = uri;
    }
    out.extend_from_slice(rest);
}

fn is_absolute(uri: &[u8]) -> bool {
    let end = uri.iter().position(|byte| *byte == b'"').unwrap_or(uri.len());
    memchr::memmem::find(uri.get(..end).unwrap_or_default(), b"://").is_some()
}

/// Every relative `BulkDataURI` of a kept object, as it stands there.
pub(crate) fn bulk_data_paths(document: &[u8]) -> Vec<String> {
    let starts = memchr::memmem::find_iter(document, BULK_DATA_URI).map(|at| at + BULK_DATA_URI.len());
    let uris = starts.filter_map(|start| document.get(start..)).filter(|uri| !is_absolute(uri));
    let text = |uri: &[u8]| {
        let end = uri.iter().position(|byte| *byte == b'"')?;
        uri.get(..end).and_then(|uri| std::str::from_utf8(uri).ok()).map(str::to_owned)
    };
    uris.filter_map(text).collect()
}

/// The URL of an instance.
pub(crate) fn place(base: &str, held: &Held) -> String {
    let description = &held.record.description;
    let (study, series) = (&description.study.study_instance_uid, &description.series.series_instance_uid);
    format!("{base}/dicom-web/studies/{study}/series/{series}/instances/{}", description.instance.sop_instance_uid)
}

/// The DICOM JSON object of an instance, read; its relative `BulkDataURI`s made absolute (PS3.18 §F.2.7).
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

    #[test]
    fn kept_objects_are_sent_as_they_are_but_for_the_places_of_their_bulk_data() {
        // Proves that writing without parsing gives what parsing gives, also where a text looks like a key.
        let document = r#"{"54000100":{"vr":"SQ","Value":[{"54001010":{"vr":"OW","BulkDataURI":"bulkdata/54000100/0/54001010"}}]},"00420011":{"vr":"OB","BulkDataURI":"http://a/b"},"00104000":{"vr":"LT","Value":["\"BulkDataURI\":\"bulkdata/x"]}}"#;
        let mut out = BytesMut::new();
        write_absolute(document.as_bytes(), "http://h/i", &mut out);
        let expected = with_absolute_uris(document.as_bytes(), "http://h/i").unwrap();
        let written: Map<String, Value> = serde_json::from_slice(&out).unwrap();
        assert_eq!(written, expected);
        assert_eq!(bulk_data_paths(document.as_bytes()), ["bulkdata/54000100/0/54001010"]);
    }
}
