//! The guard before every route: who is it, may they, and if not, write it down.

use std::sync::Arc;

use axum::Router;
use axum::extract::{OriginalUri, Request, State};
use axum::http::{Extensions, HeaderMap, Method, Uri, header};
use axum::middleware::{Next, from_fn, from_fn_with_state};
use axum::response::{IntoResponse, Response};

use super::{Needs, Permission, Principal};
use crate::error::{Error, Result};
use crate::state::ViewerState;

/// What one route's guard knows.
#[derive(Clone)]
pub(crate) struct Gate {
    pub(crate) state: ViewerState,
    pub(crate) act: Arc<str>,
    pub(crate) needs: Needs,
}

/// Lets a request through with its [`Principal`] as an extension, or answers 401 or 403 and records the attempt.
pub(crate) async fn guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let Needs::Permission(needs) = gate.needs else { return next.run(request).await };
    let principal = match authenticate(&gate.state, request.method(), request.headers()).await {
        Ok(principal) => principal,
        Err(error) => return refuse(&gate, None, &asked_uri(&request), error).await,
    };
    if !principal.permissions.has(needs) {
        let error = Error::Forbidden { subject: principal.name.clone(), needs };
        return refuse(&gate, Some(&principal), &asked_uri(&request), error).await;
    }
    request.extensions_mut().insert(principal);
    next.run(request).await
}

/// Nested under a prefix, the request's own URI has lost it.
fn asked_uri(request: &Request) -> Uri {
    request.extensions().get::<OriginalUri>().map_or_else(|| request.uri().clone(), |uri| uri.0.clone())
}

async fn refuse(gate: &Gate, principal: Option<&Principal>, uri: &Uri, error: Error) -> Response {
    let needs = match gate.needs {
        Needs::Permission(permission) => Some(permission),
        Needs::Nothing => None,
    };
    // If even this cannot be recorded, the attempt is refused all the same; the audit has told the server's log.
    let _ = gate.state.audit().denied(principal, &gate.act, study_in(uri.path()), needs).await;
    error.into_response()
}

/// The Study Instance UID in a path of ours, if there is a well-formed one.
pub(crate) fn study_in(path: &str) -> Option<&str> {
    let rest = path.strip_prefix("/dicom-web/studies/").or_else(|| path.strip_prefix("/iiif/"))?;
    rest.split(['/', ':', '%']).next().filter(|uid| crate::wado::is_uid(uid))
}

/// Who a request is from: a bearer token (RFC 6750 §2.1), else a session cookie.
///
/// # Errors
/// [`Error::Unauthenticated`] where there is no good credential; [`Error::CrossSite`] where a state-changing request
/// came with a cookie, but not from our own page.
pub(crate) async fn authenticate(state: &ViewerState, method: &Method, headers: &HeaderMap) -> Result<Principal> {
    if let Some(authorization) = headers.get(header::AUTHORIZATION) {
        let token = authorization.to_str().ok().and_then(bearer);
        let token = token.ok_or(Error::Unauthenticated("the Authorization header holds no bearer token"))?;
        let found = state.tokens().find(token, state.now()).await?;
        return found.ok_or(Error::Unauthenticated("this token is not known, has expired or was revoked"));
    }
    let id = state.sessions().cookie(headers).ok_or(Error::Unauthenticated("sign in first"))?;
    if !method.is_safe() && !same_origin(headers) {
        return Err(Error::CrossSite);
    }
    state.sessions().find(id, state.tokens(), state.now()).await
}

fn bearer(value: &str) -> Option<&str> {
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// Whether a browser says that our own page made this request: `Sec-Fetch-Site`, else `Origin` of this `Host`.
pub(crate) fn same_origin(headers: &HeaderMap) -> bool {
    let text = |name| headers.get(name).and_then(|value: &axum::http::HeaderValue| value.to_str().ok());
    if let Some(site) = text("sec-fetch-site") {
        return site == "same-origin" || site == "none";
    }
    let origin_host = text("origin").and_then(|origin| origin.split_once("://")).map(|(_, host)| host);
    origin_host.is_some() && origin_host == text("host")
}

/// Puts the routes of another crate (the STOW door, the batches) behind a guard of the same kind: upload is needed, or, to
/// store to one study (`POST /dicom-web/studies/S`), annotate. `admitted` sees who it is and puts what that crate knows a
/// sender by into the request's extensions; what an annotator's request may bring is that crate's to check.
pub fn require_store(
    router: Router,
    state: &ViewerState,
    admitted: impl Fn(&Principal, &mut Extensions) + Clone + Send + Sync + 'static,
) -> Router {
    let gate = Gate { state: state.clone(), act: "Store".into(), needs: Needs::Permission(Permission::Upload) };
    let translate = move |mut request: Request, next: Next| {
        if let Some(principal) = request.extensions().get::<Principal>().cloned() {
            admitted(&principal, request.extensions_mut());
        }
        async move { next.run(request).await }
    };
    let guarded = router.layer(from_fn(translate)).layer(from_fn_with_state(gate, store_guard));
    guarded.layer(from_fn(crate::assets::guarded_headers))
}

/// Lets in who may upload; who may annotate only with a study in the path, and writes that down first.
async fn store_guard(State(gate): State<Gate>, mut request: Request, next: Next) -> Response {
    let uri = asked_uri(&request);
    let principal = match authenticate(&gate.state, request.method(), request.headers()).await {
        Ok(principal) => principal,
        Err(error) => return refuse(&gate, None, &uri, error).await,
    };
    if !principal.permissions.has(Permission::Upload) {
        let study = annotated_study(request.method(), uri.path());
        let Some(study) = study.filter(|_| principal.permissions.has(Permission::Annotate)) else {
            let error = Error::Forbidden { subject: principal.name.clone(), needs: Permission::Upload };
            return refuse(&gate, Some(&principal), &uri, error).await;
        };
        if let Err(error) = gate.state.audit().annotates(&principal, study).await {
            return error.into_response();
        }
    }
    request.extensions_mut().insert(principal);
    next.run(request).await
}

/// The study that a request stores to, if it names one and does nothing else.
fn annotated_study<'a>(method: &Method, path: &'a str) -> Option<&'a str> {
    let study = path.strip_prefix("/dicom-web/studies/")?;
    (method == Method::POST && crate::wado::is_uid(study)).then_some(study)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_own_page_may_act_by_cookie() {
        let check = |pairs: &[(&'static str, &'static str)], expected| {
            let headers = pairs.iter().map(|(n, v)| (n.parse().unwrap(), v.parse().unwrap())).collect::<HeaderMap>();
            assert_eq!(same_origin(&headers), expected, "{pairs:?}");
        };
        check(&[("sec-fetch-site", "same-origin")], true);
        check(&[("sec-fetch-site", "cross-site"), ("origin", "http://a"), ("host", "a")], false);
        check(&[("origin", "http://a:8080"), ("host", "a:8080")], true);
        check(&[("origin", "http://b"), ("host", "a")], false);
        check(&[("host", "a")], false);
    }

    #[test]
    fn annotations_go_to_one_study() {
        let check = |method, path, expected| assert_eq!(annotated_study(&method, path), expected, "{method} {path}");
        check(Method::POST, "/dicom-web/studies/1.2.3", Some("1.2.3"));
        check(Method::POST, "/dicom-web/studies", None);
        check(Method::POST, "/dicom-web/studies/1.2.3/series", None);
        check(Method::POST, "/dicom-web/batches", None);
        check(Method::GET, "/dicom-web/studies/1.2.3", None);
    }

    #[test]
    fn the_study_of_a_path_is_a_uid_or_nothing() {
        assert_eq!(study_in("/dicom-web/studies/1.2.3/series"), Some("1.2.3"));
        assert_eq!(study_in("/iiif/1.2.3:4.5/info.json"), Some("1.2.3"));
        assert_eq!(study_in("/dicom-web/studies/Yamada"), None);
        assert_eq!(study_in("/batches/1.2.3"), None);
    }
}
