//! The viewer page, out of the program itself.

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use rust_embed::RustEmbed;
use sha2::{Digest, Sha256};

use crate::error::{Error, Result};

/// What a page of ours may load and do: its own scripts, workers and styles, pictures it made itself, and nothing from
/// elsewhere. `wasm-unsafe-eval` lets WebAssembly be compiled (CSP Level 3 §6.1.1), and no text be run as a script.
const POLICY: &str = "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; worker-src 'self'; \
    style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/web/viewer/"]
struct Files;

/// The page itself stands beside the folder: tests of the page do, too, and are not served.
const INDEX: &[u8] = include_bytes!("../web/index.html");

/// `GET /`.
pub(crate) async fn page(headers: HeaderMap) -> Response {
    answer("index.html", Sha256::digest(INDEX).into(), Body::from(INDEX), &headers)
}

/// `GET /viewer/{path}`.
pub(crate) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Result<Response> {
    let file = Files::get(&path).ok_or_else(|| Error::NotFound("a file of this name".into()))?;
    Ok(answer(&path, file.metadata.sha256_hash(), Body::from(file.data.into_owned()), &headers))
}

fn answer(path: &str, digest: [u8; 32], body: Body, headers: &HeaderMap) -> Response {
    let tag = format!("\"{}\"", archive::hex(&digest));
    let had = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if had.is_some_and(|had| had.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, media_type(path))], body).into_response()
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("json") => "application/json",
        Some("png") => "image/png",
        Some("wasm") => "application/wasm",
        Some("woff2") => "font/woff2",
        _ => "application/octet-stream",
    }
}

/// What every answer says to a browser, errors and DICOM too: guess no types, tell nobody where you came from, and
/// treat nothing of ours as a page that may do more than ours.
pub(crate) async fn guarded_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}
