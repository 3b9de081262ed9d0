//! Retrieve Capabilities (PS3.18 §8.9): what is served, as WADL (Annex H) or JSON, made of the table of routes.

use std::fmt::Write;

use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;
use transcode::data_set::markup_escaped;

use crate::access::{ROUTES, Service};
use crate::error::Error;
use crate::state::ViewerState;

/// Where DICOMweb lies.
const BASE: &str = "/dicom-web";
const WADL: &str = "application/vnd.sun.wadl+xml";

/// Methods of a path, for the Allow header (RFC 9110 §10.2.1). Storing is another crate's, at the same paths.
pub(crate) fn methods(path: &str) -> &'static str {
    match path {
        "/dicom-web/studies" | "/dicom-web/studies/{study}" => "GET, HEAD, OPTIONS, POST",
        "/search" => "OPTIONS, POST",
        "/session" => "DELETE, GET, HEAD, OPTIONS, POST",
        _ => "GET, HEAD, OPTIONS",
    }
}

/// `OPTIONS` of any path: what can be done there. No credential is asked for, nothing of a patient is in it.
pub(crate) async fn options(path: &'static str) -> Response {
    let mut response = StatusCode::NO_CONTENT.into_response();
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static(methods(path)));
    response
}

/// `OPTIONS` and `GET` of the base.
pub(crate) async fn capabilities(State(state): State<ViewerState>, headers: HeaderMap) -> Response {
    let base = format!("{}{BASE}", state.base_url(&headers));
    let accept = headers.get_all(header::ACCEPT).iter().filter_map(|value| value.to_str().ok());
    let ranges = crate::wado::parse_accept(accept);
    let kinds = [WADL, "application/xml", "text/xml", "application/json", "application/dicom+json"];
    let kind = ranges.iter().find_map(|range| kinds.into_iter().find(|kind| range.covers(kind)));
    let mut response = match kind {
        Some("application/json" | "application/dicom+json") => Json(described(&base)).into_response(),
        Some(kind) => ([(header::CONTENT_TYPE, kind)], wadl(&base)).into_response(),
        None if ranges.is_empty() => ([(header::CONTENT_TYPE, WADL)], wadl(&base)).into_response(),
        None => {
            let offered = kinds.iter().map(|kind| (*kind).to_owned()).collect();
            Error::NotAcceptable { what: "the capabilities".into(), offered }.into_response()
        }
    };
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD, OPTIONS"));
    response
}

/// Resources below the base: path, what it is, its media types.
fn resources() -> impl Iterator<Item = (&'static str, String, &'static [&'static str])> {
    let below = ROUTES.iter().filter_map(|(service, path, _)| Some((path.strip_prefix(BASE)?, *service)));
    below
        .filter(|(path, _)| !path.is_empty())
        .map(|(path, service)| (path, format!("{service:?}"), media_types(service)))
}

fn media_types(service: Service) -> &'static [&'static str] {
    use Service::*;
    const PICTURES: &[&str] = &["image/jpeg", "image/png", "image/gif"];
    match service {
        RetrieveStudy | RetrieveSeries => &["multipart/related; type=\"application/dicom\""],
        RetrieveInstance => &["multipart/related; type=\"application/dicom\"", "application/dicom"],
        RetrieveOriginal => &["application/dicom", "application/x-mfer"],
        RetrieveFrames => &["multipart/related; type=\"application/octet-stream\"", "application/octet-stream"],
        RetrieveBulkdata => &["application/octet-stream", "multipart/related; type=\"application/octet-stream\""],
        BulkdataOfStudy | BulkdataOfSeries | BulkdataOfInstance => {
            &["multipart/related; type=\"application/octet-stream\""]
        }
        RenderedStudy | RenderedSeries => &["multipart/related; type=\"image/jpeg\""],
        RenderedInstance => &["image/jpeg", "image/png", "image/gif", "text/html", "text/plain", "application/pdf"],
        RenderedFrame => PICTURES,
        ThumbnailOfStudy | ThumbnailOfSeries | ThumbnailOfInstance | ThumbnailOfFrame => PICTURES,
        _ => &["application/dicom+json"],
    }
}

fn described(base: &str) -> serde_json::Value {
    let resources: Vec<_> = resources()
        .map(|(path, name, types)| {
            json!({ "path": path, "name": name, "methods": methods(&format!("{BASE}{path}")), "media_types": types })
        })
        .collect();
    json!({ "base": base, "resources": resources, "transfer_syntaxes": transcode::outgoing::TARGETS })
}

fn wadl(base: &str) -> String {
    let mut out = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    out.push_str("<application xmlns=\"http://wadl.dev.java.net/2009/02\">\n");
    let _ = writeln!(out, "  <resources base=\"{}\">", markup_escaped(base));
    for (path, name, types) in resources() {
        let _ = writeln!(out, "    <resource path=\"{}\">", markup_escaped(path.trim_start_matches('/')));
        let _ = writeln!(out, "      <method name=\"GET\" id=\"{name}\">\n        <request>");
        let default = types.first().copied().unwrap_or("*/*");
        let _ =
            writeln!(out, "          <param name=\"Accept\" style=\"header\" default=\"{}\">", markup_escaped(default));
        for kind in types {
            let _ = writeln!(out, "            <option value=\"{}\"/>", markup_escaped(kind));
        }
        out.push_str("          </param>\n        </request>\n        <response status=\"200\">\n");
        for kind in types {
            let _ = writeln!(out, "          <representation mediaType=\"{}\"/>", markup_escaped(kind));
        }
        out.push_str("        </response>\n        <response status=\"400 401 403 404 406 503\"/>\n      </method>\n");
        if methods(&format!("{BASE}{path}")).contains("POST") {
            let _ = writeln!(
                out,
                "      <method name=\"POST\" id=\"Store{}\"/>",
                if path.contains('{') { "InStudy" } else { "" }
            );
        }
        out.push_str("    </resource>\n");
    }
    out.push_str("  </resources>\n</application>\n");
    out
}
