//! The viewer page, out of the program itself: the page says by a hash which files are its own, and a browser keeps those.

mod bundle;
mod imports;
mod slim;
mod tree;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use axum::body::Body;
use axum::extract::{Path, Request};
use axum::http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Redirect, Response};
use bytes::Bytes;
use rust_embed::RustEmbed;

use crate::compressed::weight;
use crate::error::{Error, Result};
use crate::wado::is_uid;
use tree::{Coding, File, Tree};

/// What a page of ours may load and do: its own scripts, workers and styles, pictures it made itself, and nothing from
/// elsewhere. The one script that stands in the page is named by its hash, where `BOOT` is. `wasm-unsafe-eval` lets
/// WebAssembly be compiled (CSP Level 3 §6.1.1), and no text be run as a script.
const POLICY: &str = "default-src 'none'; script-src 'self' BOOT 'wasm-unsafe-eval'; worker-src 'self'; \
    style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; base-uri 'none'; form-action 'self'; \
    frame-ancestors 'none'";

/// A page is asked for anew each time; what it names by a hash never changes.
const ASK_AGAIN: &str = "no-cache";
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Of the picture that comes with the manifest; boot.js asks for the same.
const VIEWPORT: &str = "512,512";

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/web/viewer/"]
struct Files;

/// The page itself stands beside the folder: tests of the page do, too, and are not served.
const INDEX: &str = include_str!("../../web/index.html");

static TREE: RwLock<Option<Arc<Tree>>> = RwLock::new(None);

/// Compresses all files of the page, so that the first reader does not wait for it. Takes about a second.
pub fn prepare() {
    // What is read from the disk may change until it is asked for.
    if !cfg!(debug_assertions) {
        tree(false).compress();
    }
}

/// The files as they are. A debug build reads them from the disk, and looks again whenever the page is asked for.
fn tree(is_page: bool) -> Arc<Tree> {
    let had = TREE.read().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(had) = had.filter(|_| !(cfg!(debug_assertions) && is_page)) {
        return had;
    }
    let read = Arc::new(Tree::new(files(), INDEX));
    let mut kept = TREE.write().unwrap_or_else(PoisonError::into_inner);
    match &*kept {
        // What was compressed before is not compressed again.
        Some(kept) if kept.hash == read.hash => Arc::clone(kept),
        _ => Arc::clone(kept.insert(read)),
    }
}

/// The files by their paths, without what is written for their reader only.
fn files() -> BTreeMap<String, Bytes> {
    let files = Files::iter().filter_map(|path| {
        let data = Files::get(&path)?.data;
        let is_text = path.ends_with(".js") || path.ends_with(".css");
        let bytes = match std::str::from_utf8(&data) {
            Ok(text) if is_text => Bytes::from(slim::slim(text)),
            _ => Bytes::from(data.into_owned()),
        };
        Some((path.into_owned(), bytes))
    });
    files.collect()
}

/// `GET /`.
pub(crate) async fn page(headers: HeaderMap) -> Result<Response> {
    blocking(move || Ok(answer("index.html", &tree(true).page, ASK_AGAIN, &headers))).await
}

/// `GET /study/{study}`: the page, with word to the browser to ask for the manifest at once. In a browser that has just
/// been started no script runs for a quarter of a second, and this is read before.
pub(crate) async fn page_of_study(Path(study): Path<String>, headers: HeaderMap) -> Result<Response> {
    if !is_uid(&study) {
        return Err(Error::NotFound("a study of this UID".into()));
    }
    let mut response = page(headers).await?;
    let manifest = format!("/dicom-web/studies/{study}/manifest?viewport={VIEWPORT}");
    let link = format!("<{manifest}>; rel=preload; as=fetch; crossorigin");
    if let Ok(link) = HeaderValue::from_str(&link) {
        response.headers_mut().insert(header::LINK, link);
    }
    Ok(response)
}

/// `GET /viewer/@{hash}/{path}`. Of another hash there is nothing: parts of two versions do not go together, and the
/// page says that it has to be loaded again. A path without a hash is a link somebody kept: on to where the file is.
pub(crate) async fn asset(Path(path): Path<String>, headers: HeaderMap) -> Result<Response> {
    blocking(move || {
        let tree = tree(false);
        let none = || Error::NotFound("a file of this name in this version of the page".into());
        let Some((hash, file)) = path.strip_prefix('@').and_then(|path| path.split_once('/')) else {
            tree.get(&path).ok_or_else(none)?;
            let to = Redirect::temporary(&format!("/viewer/@{}/{path}", tree.hash));
            return Ok(([(header::CACHE_CONTROL, ASK_AGAIN)], to).into_response());
        };
        let found = tree.get(file).filter(|_| hash == tree.hash).ok_or_else(none)?;
        Ok(answer(file, found, FOR_EVER, &headers))
    })
    .await
}

/// Compressing, and reading from the disk, take longer than an async thread may be held.
async fn blocking(work: impl FnOnce() -> Result<Response> + Send + 'static) -> Result<Response> {
    tokio::task::spawn_blocking(work).await.map_err(|_| Error::Stopping)?
}

fn answer(path: &str, file: &File, cache: &'static str, headers: &HeaderMap) -> Response {
    let coding = coding(headers);
    // Each coding is a representation with a tag of its own (RFC 9110 §8.8.3.3).
    let tag = format!("\"{}-{}\"", file.digest, coding.name());
    let had = headers.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let mut response = if had.is_some_and(|had| had.contains(&tag)) {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        ([(header::CONTENT_TYPE, media_type(path))], Body::from(file.coded(coding))).into_response()
    };
    let is_coded = coding != Coding::Identity && response.status() == StatusCode::OK;
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static(cache));
    headers.insert(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    if is_coded {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    }
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        headers.insert(header::ETAG, tag);
    }
    response
}

/// Brotli where it is taken; browsers ask for it by https and of this machine only, hence gzip.
fn coding(headers: &HeaderMap) -> Coding {
    if weight(headers, &["br"]) > 0 {
        Coding::Brotli
    } else if weight(headers, &["gzip", "x-gzip"]) > 0 {
        Coding::Gzip
    } else {
        Coding::Identity
    }
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
    headers.insert(header::CONTENT_SECURITY_POLICY, tree(false).policy.clone());
    for (name, value) in [
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::REFERRER_POLICY, "no-referrer"),
        (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ] {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Bytes before the first pixel, and of the decoder among them.
    const CODE_BYTES_MAX: usize = 150_000;
    const DECODER_BYTES_MAX: usize = 80_000;

    #[test]
    fn what_is_loaded_before_the_first_pixel_is_small() {
        let tree = Tree::new(files(), INDEX);
        let decoder = "image/htj2k.wasm";
        let rest = ["main.js", "image/decode-worker.js", "style.css", "room/room.css", decoder];
        let size = |path: &str| tree.get(path).unwrap().smallest();
        let sizes: Vec<_> = rest.iter().map(|path| (size(path), path)).collect();
        let sum = tree.page.smallest() + sizes.iter().map(|(size, _)| size).sum::<usize>();
        println!("{sum} bytes: the page {}, {sizes:?}", tree.page.smallest());
        assert!(size(decoder) <= DECODER_BYTES_MAX && sum <= CODE_BYTES_MAX, "{sum} bytes: {sizes:?}");
        let shared = tree.get("i18n.js").unwrap().coded(Coding::Identity);
        assert!(shared.starts_with(b"import { $"), "the modules of the first picture are one");
    }

    #[tokio::test]
    async fn work_that_panics_is_no_file_that_is_not_there() {
        assert!(matches!(blocking(|| panic!("as it may")).await, Err(Error::Stopping)));
    }
}
