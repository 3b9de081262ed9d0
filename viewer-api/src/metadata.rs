//! Metadata of a study, a series or an instance (PS3.18 §10.4.1.1.2): the DICOM JSON kept beside the bytes, streamed.

use archive::Held;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use serde_json::{Map, Value};
use sha2::{Digest, Sha256};

use transcode::data_set::{DICOM_XML, native_model};

use crate::audit::{Access, Counts, Rendition};
use crate::error::{Error, Result};
use crate::multipart::{self, Part, log_failure};
use crate::state::ViewerState;
use crate::wado::{Address, Caller, MediaRange, instances_at, not_modified, single, tagged};

/// DICOM JSON (PS3.18 Annex F).
pub(crate) const DICOM_JSON: &str = "application/dicom+json";
/// Objects sent at once.
const CHUNK_OBJECTS: usize = 500;
/// The key before a URI of bulk data. JSON of ours has no spaces, and no text can hold it: its quotes would be escaped.
const BULK_DATA_URI: &[u8] = b"\"BulkDataURI\":\"";

/// `GET /studies/S/metadata`, `…/series/E/metadata`, `…/instances/I/metadata`.
pub(crate) async fn metadata(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let what = format!("metadata of {}", address.sentence());
    let offered = || vec![DICOM_JSON.into(), format!("multipart/related; type=\"{DICOM_XML}\"")];
    let form = caller.accept.iter().find_map(|range| form(range, !address.instance.is_empty()));
    let form = form.ok_or_else(|| Error::NotAcceptable { what: what.clone(), offered: offered() })?;
    caller.text(&what)?;
    let found = instances_at(&state, &address).await?;
    let access = state.audit().access(&caller.principal, &address.study, Rendition::Metadata, caller.purpose).await?;
    let tag = tag(&found, &caller.base, form);
    if caller.has(&tag) {
        access.serve(Counts { instances: found.len() as u64, ..Counts::default() }).await?;
        return Ok(not_modified(&tag));
    }
    match form {
        Form::Json => json(&state, &caller, found, access, &tag).await,
        Form::Xml => Ok(xml(&state, &caller, found, access, &tag)),
        Form::XmlAlone => {
            let held = found.into_iter().next().ok_or_else(|| Error::NotFound(what))?;
            let document = xml_of(&state, &caller.base, &held, &access).await?;
            let length = Some(document.len() as u64);
            let body = if caller.head { Body::empty() } else { Body::from(document) };
            Ok(tagged(single(DICOM_XML, length, body), &tag))
        }
    }
}

/// In which form metadata goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// One array of objects (PS3.18 §F.2.1), the default.
    Json,
    /// A Native DICOM Model document a part (PS3.18 §8.7.3.2).
    Xml,
    /// One document, of one instance.
    XmlAlone,
}

/// What a range asks for, if it is to be had: JSON is never in parts, XML is, but for a single instance.
fn form(range: &MediaRange, one: bool) -> Option<Form> {
    if range.is_multipart() {
        // Seen in the field: multipart of JSON, which is answered as JSON.
        let json = range.is_exactly(DICOM_JSON);
        return if json { Some(Form::Json) } else { range.covers(DICOM_XML).then_some(Form::Xml) };
    }
    match range.covers(DICOM_JSON) || range.covers("application/json") {
        true => Some(Form::Json),
        false => (one && range.is_exactly(DICOM_XML)).then_some(Form::XmlAlone),
    }
}

/// A document a part.
fn xml(state: &ViewerState, caller: &Caller, found: Vec<Held>, access: Access, tag: &str) -> Response {
    let tag = format!("W/{tag}");
    if caller.head {
        return tagged(multipart::related(DICOM_XML, stream::empty()), &tag);
    }
    let (state, base) = (state.clone(), caller.base.clone());
    let parts = stream::iter(found).then(move |held| {
        let (state, access, base) = (state.clone(), access.clone(), base.clone());
        async move {
            let document = Bytes::from(xml_of(&state, &base, &held, &access).await?);
            let content_length = Some(document.len() as u64);
            let content_location = Some(format!("{}/metadata", place(&base, &held)));
            let body = stream::once(async move { Ok(document) }).boxed();
            Ok(Part { content_type: DICOM_XML.into(), content_location, content_length, body })
        }
    });
    tagged(multipart::related(DICOM_XML, parts), &tag)
}

async fn xml_of(state: &ViewerState, base: &str, held: &Held, access: &Access) -> Result<String> {
    let document = state.reader().dicom_json(std::slice::from_ref(held)).await?.pop().unwrap_or_default();
    let model = native_model(&with_absolute_uris(&document, &place(base, held))?);
    access.serve(Counts { instances: 1, frames: 0, bytes: model.len() as u64 }).await?;
    Ok(model)
}

/// One array of objects, streamed where it is long.
async fn json(state: &ViewerState, caller: &Caller, found: Vec<Held>, access: Access, tag: &str) -> Result<Response> {
    if caller.head {
        return Ok(tagged(single(DICOM_JSON, None, Body::empty()), tag));
    }
    let chunks = chunked(found);
    // Most answers are one piece, which has a length.
    if let [chunk] = chunks.as_slice() {
        let mut out = BytesMut::from(&b"["[..]);
        written(state, &access, &caller.base, chunk, &mut out).await?;
        out.extend_from_slice(b"]");
        let length = Some(out.len() as u64);
        return Ok(tagged(single(DICOM_JSON, length, Body::from(out.freeze())), tag));
    }
    let (state, base) = (state.clone(), caller.base.clone());
    let body = stream::iter(chunks.into_iter().enumerate()).then(move |(index, chunk)| {
        let (state, access, base) = (state.clone(), access.clone(), base.clone());
        async move {
            let mut out = BytesMut::from(if index == 0 { &b"["[..] } else { &b","[..] });
            written(&state, &access, &base, &chunk, &mut out).await.map(|()| out.freeze())
        }
    });
    let body = body.chain(stream::once(async { Ok(Bytes::from_static(b"]")) }));
    Ok(tagged(single(DICOM_JSON, None, Body::from_stream(log_failure(body))), tag))
}

/// What the metadata of these instances is made of: what was received, where it is held now, and how it is addressed.
fn tag(found: &[Held], base: &str, form: Form) -> String {
    let mut digest = Sha256::new();
    for held in found {
        digest.update(held.record.digests.file);
        digest.update(held.pack().unwrap_or_default().to_le_bytes());
    }
    digest.update(base);
    let digest = archive::hex(&digest.finalize());
    format!("\"{}-{form:?}\"", digest.get(..32).unwrap_or(&digest))
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
