//! Pages of other origins (the Fetch standard's CORS protocol): refused unless an origin is named by whoever runs the server.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};

/// Headers that a page of another origin may read.
const EXPOSED: &str =
    "Accept-Ranges, Content-Length, Content-Location, Content-Range, ETag, Link, Retry-After, Tsunagu-Window, Warning";
/// How long a browser may remember the answer, seconds.
const REMEMBERED_S: &str = "600";

/// Lets pages of exactly these origins (`https://viewer.example`) call the routes, credentials and all. With none it changes
/// nothing.
pub fn cors(router: Router, origins: &[String]) -> Router {
    if origins.is_empty() {
        return router;
    }
    let origins: Arc<[String]> = origins.iter().map(|origin| origin.trim_end_matches('/').to_owned()).collect();
    router.layer(from_fn_with_state(origins, answered))
}

async fn answered(State(origins): State<Arc<[String]>>, request: Request, next: Next) -> Response {
    let Asked { origin, asks_first, wanted } = Asked::of(&origins, request.method(), request.headers());
    let mut response =
        if asks_first && origin.is_some() { StatusCode::NO_CONTENT.into_response() } else { next.run(request).await };
    let headers = response.headers_mut();
    headers.append(header::VARY, HeaderValue::from_static("Origin"));
    let Some(origin) = origin else { return response };
    headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    headers.insert(header::ACCESS_CONTROL_ALLOW_CREDENTIALS, HeaderValue::from_static("true"));
    headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, HeaderValue::from_static(EXPOSED));
    if asks_first {
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, HeaderValue::from_static("GET, HEAD, OPTIONS, POST"));
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, HeaderValue::from_static(REMEMBERED_S));
        headers.extend(wanted.map(|wanted| (header::ACCESS_CONTROL_ALLOW_HEADERS, wanted)));
    }
    response
}

/// What a request says of itself.
struct Asked {
    /// Its origin, if it is one of those that are allowed.
    origin: Option<HeaderValue>,
    /// A browser asks whether it may, before it does.
    asks_first: bool,
    /// Headers that it would send.
    wanted: Option<HeaderValue>,
}

impl Asked {
    fn of(origins: &[String], method: &Method, headers: &HeaderMap) -> Asked {
        let origin = headers
            .get(header::ORIGIN)
            .filter(|origin| origins.iter().any(|known| known.as_bytes() == origin.as_bytes()));
        let asks_first = *method == Method::OPTIONS && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        let wanted = headers.get(header::ACCESS_CONTROL_REQUEST_HEADERS).cloned();
        Asked { origin: origin.cloned(), asks_first, wanted }
    }
}
