//! QIDO-RS: search for studies, series and instances (PS3.18 §10.6), a thin layer over [`find`](crate::find).

pub(crate) mod parameters;

use axum::extract::State;
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream;
use serde_json::{Map, Value, json};

use self::parameters::Request;
use transcode::data_set::{DICOM_XML, native_model};

use crate::error::{Error, Result};
use crate::find::{Found, Key, Level, REMAINING_MAX};
use crate::metadata::{self, DICOM_JSON};
use crate::multipart::{self, Part};
use crate::state::ViewerState;
use crate::wado::{Address, Caller};

const STUDY_INSTANCE_UID: u32 = 0x0020_000D;
const SERIES_INSTANCE_UID: u32 = 0x0020_000E;

/// `GET /studies`.
pub(crate) async fn studies(State(state): State<ViewerState>, caller: Caller) -> Result<Response> {
    search(&state, &caller, &Address::default(), Level::Study).await
}

/// `GET /series` and `GET /studies/S/series`.
pub(crate) async fn series(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    search(&state, &caller, &address, Level::Series).await
}

/// `GET /instances`, `GET /studies/S/instances` and `GET /studies/S/series/E/instances`.
pub(crate) async fn instances(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    search(&state, &caller, &address, Level::Instance).await
}

/// In which form answers go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    Json,
    Xml,
}

async fn search(state: &ViewerState, caller: &Caller, address: &Address, level: Level) -> Result<Response> {
    let form = form(caller)?;
    let mut request = parameters::parse(level, &caller.query)?;
    within(&mut request, address);
    // §10.6.3.3.2, §10.6.3.3.3: what is always said of studies (and series) where they are not in the address.
    request.search.with_higher_levels = match level {
        Level::Instance => address.series.is_empty(),
        _ => address.study.is_empty(),
    };
    let mut found = state.find_by(&caller.principal, &request.search).await?;
    for answer in &mut found.answers {
        complete(answer, level, &caller.base);
    }
    remaining(&mut request, &found);
    let mut response = match form {
        Form::Json => json(found),
        Form::Xml => xml(found),
    };
    add_headers(response.headers_mut(), caller, &request.warnings);
    Ok(response)
}

/// PS3.18 §8.7.4, Table 10.6.4-1: DICOM JSON where nothing else is preferred; XML is one part an answer.
fn form(caller: &Caller) -> Result<Form> {
    let chosen = caller.accept.iter().find_map(|range| {
        let is_json = !range.is_multipart() && (range.covers(DICOM_JSON) || range.covers("application/json"));
        let is_xml = range.covers(DICOM_XML);
        if is_json { Some(Form::Json) } else { is_xml.then_some(Form::Xml) }
    });
    chosen.ok_or_else(|| Error::NotAcceptable {
        what: "the answer of a search".into(),
        offered: vec![DICOM_JSON.into(), format!("multipart/related; type=\"{DICOM_XML}\"")],
    })
}

/// The address rules over the query.
fn within(request: &mut Request, address: &Address) {
    for (tag, uid) in [(STUDY_INSTANCE_UID, &address.study), (SERIES_INSTANCE_UID, &address.series)] {
        if !uid.is_empty() {
            request.search.keys.retain(|key| key.path != [tag]);
            request.search.keys.push(Key { path: vec![tag], value: uid.clone() });
        }
    }
}

/// Adds what depends on the server: Retrieve URL, and absolute places of bulk data (PS3.18 §F.2.7).
fn complete(answer: &mut Map<String, Value>, level: Level, base: &str) {
    let uid = |tag: &str| answer.get(tag).and_then(|element| element.get("Value")?.get(0)?.as_str()).unwrap_or("");
    let mut place = format!("{base}/dicom-web/studies/{}", uid("0020000D"));
    if level >= Level::Series {
        place.push_str(&format!("/series/{}", uid("0020000E")));
    }
    if level >= Level::Instance {
        place.push_str(&format!("/instances/{}", uid("00080018")));
        answer.values_mut().for_each(|element| metadata::absolute(element, &place));
    }
    answer.insert("00080005".into(), json!({ "vr": "CS", "Value": ["ISO_IR 192"] }));
    answer.insert("00081190".into(), json!({ "vr": "UR", "Value": [place] }));
}

/// PS3.18 §8.3.4.4.1: how many more there are.
fn remaining(request: &mut Request, found: &Found) {
    if found.more {
        let at_least = if found.remaining >= REMAINING_MAX { "at least " } else { "" };
        let text = format!("There are {at_least}{} additional results that can be requested", found.remaining);
        request.warnings.insert(0, text);
    }
}

/// Nothing found is 204 (PS3.18 §8.3.4.4.1); a body of no parts could not be written either (RFC 2046 §5.1.1).
fn json(found: Found) -> Response {
    if found.answers.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    // Into bytes at once: through `Display` each character would be asked about by the formatter.
    ([(header::CONTENT_TYPE, DICOM_JSON)], axum::Json(found.answers)).into_response()
}

/// Nothing found is 204 here too.
fn xml(found: Found) -> Response {
    if found.answers.is_empty() {
        return StatusCode::NO_CONTENT.into_response();
    }
    let parts = found.answers.into_iter().map(|answer| {
        let body = Bytes::from(native_model(&answer));
        let content_length = Some(body.len() as u64);
        Ok(Part {
            content_type: DICOM_XML.into(),
            content_location: None,
            content_length,
            body: multipart::whole(body),
        })
    });
    multipart::related(DICOM_XML, stream::iter(parts.collect::<Vec<_>>()))
}

fn add_headers(headers: &mut HeaderMap, caller: &Caller, warnings: &[String]) {
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::VARY, HeaderValue::from_static("Accept, Authorization, Cookie"));
    let service = if caller.base.is_empty() { "tsunagu".into() } else { format!("{}/dicom-web", caller.base) };
    for warning in warnings {
        // PS3.18 §8.3.4, RFC 7234 §5.5: code 299, the service, the text.
        if let Ok(value) = HeaderValue::from_str(&format!("299 {service} \"{warning}\"")) {
            headers.append(HeaderName::from_static("warning"), value);
        }
    }
}
