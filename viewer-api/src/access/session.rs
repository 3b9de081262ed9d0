//! Sessions of the viewer page: a token, or the code of a one-time link, becomes a cookie.
//!
//! In memory only: a restart signs everybody out. Only SHA-256 of a cookie or code is kept.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use axum::Json;
use axum::extract::{Query, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};
use jiff::Timestamp;
use serde::Deserialize;
use serde_json::json;

use super::Principal;
use super::guard::{authenticate, same_origin};
use super::tokens::{Tokens, digest, random_secret};
use crate::clock::seconds_between;
use crate::error::{Error, Result};
use crate::state::ViewerState;
use crate::wado::is_uid;

/// A session ends after this long, in seconds.
const SESSION_SECONDS_MAX: u64 = 12 * 3600;
/// A session that is not used ends after this long, in seconds.
const IDLE_SECONDS_MAX: u64 = 30 * 60;
/// Where the page says that a link is good no more.
const LINK_OVER: &str = "/#/link-over";
/// Sessions, and codes, kept at the most; the one unused longest goes first.
const KEPT_MAX: usize = 10_000;

/// Everybody who is signed in.
#[derive(Debug)]
pub struct Sessions {
    secure: bool,
    kept: Mutex<Kept>,
}

#[derive(Debug, Default)]
struct Kept {
    sessions: HashMap<[u8; 32], Session>,
    codes: HashMap<[u8; 32], Code>,
}

#[derive(Clone, Debug)]
struct Session {
    principal: Principal,
    /// Digest of the token it was made of: revoking that ends the session.
    token: Option<[u8; 32]>,
    since: Timestamp,
    used: Timestamp,
}

impl Session {
    fn new(principal: Principal, token: Option<[u8; 32]>, now: Timestamp) -> Session {
        Session { principal, token, since: now, used: now }
    }
}

/// What a one-time link stands for.
#[derive(Clone, Debug)]
struct Code {
    principal: Principal,
    since: Timestamp,
    /// How long it is good.
    seconds: u64,
}

impl Sessions {
    /// No sessions yet. `secure`: the server is reached by https, so cookies carry `Secure` and the `__Host-` prefix
    /// (RFC 6265bis §4.1.3.2).
    pub fn new(secure: bool) -> Sessions {
        Sessions { secure, kept: Mutex::default() }
    }

    /// The code of a link `/sign-in?code=…` that signs this person in, once, within so many seconds.
    pub fn one_time_code(&self, principal: Principal, now: Timestamp, seconds: u64) -> String {
        let code = random_secret();
        let mut kept = self.kept();
        make_room(&mut kept.codes, |code| code.since);
        kept.codes.insert(digest(&code), Code { principal, since: now, seconds });
        code
    }

    /// The session's secret in a request's cookies.
    pub(crate) fn cookie<'a>(&self, headers: &'a HeaderMap) -> Option<&'a str> {
        let pairs = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let mut pairs = pairs.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
        pairs.find(|(name, _)| *name == self.name()).map(|(_, value)| value)
    }

    /// Who a session belongs to, if it is still good; it counts as used.
    pub(crate) async fn find(&self, secret: &str, tokens: &Tokens, now: Timestamp) -> Result<Principal> {
        const OVER: Error = Error::Unauthenticated("the session is over; sign in again");
        let key = digest(secret);
        let session = self.touch(&key, now).ok_or(OVER)?;
        match session.token {
            None => Ok(session.principal),
            // The token decides anew: it may have been revoked, or have expired.
            Some(token) => match tokens.find_digest(&token, now).await? {
                Some(principal) => Ok(principal),
                None => {
                    self.kept().sessions.remove(&key);
                    Err(OVER)
                }
            },
        }
    }

    fn touch(&self, key: &[u8; 32], now: Timestamp) -> Option<Session> {
        let mut kept = self.kept();
        let session = kept.sessions.get_mut(key)?;
        let over = seconds_between(session.since, now) >= SESSION_SECONDS_MAX
            || seconds_between(session.used, now) >= IDLE_SECONDS_MAX;
        if over {
            kept.sessions.remove(key);
            return None;
        }
        session.used = now;
        Some(session.clone())
    }

    /// Takes a code: it is good once.
    fn redeem(&self, code: &str, now: Timestamp) -> Option<Principal> {
        let found = self.kept().codes.remove(&digest(code))?;
        (seconds_between(found.since, now) < found.seconds).then_some(found.principal)
    }

    /// Starts a session and says the cookie for it.
    fn start(&self, session: Session) -> HeaderValue {
        let secret = random_secret();
        let mut kept = self.kept();
        make_room(&mut kept.sessions, |session| session.used);
        kept.sessions.insert(digest(&secret), session);
        self.set_cookie(&secret, SESSION_SECONDS_MAX)
    }

    fn stop(&self, secret: &str) {
        self.kept().sessions.remove(&digest(secret));
    }

    fn name(&self) -> &'static str {
        if self.secure { "__Host-tsunagu" } else { "tsunagu" }
    }

    fn set_cookie(&self, secret: &str, seconds: u64) -> HeaderValue {
        let secure = if self.secure { "; Secure" } else { "" };
        let name = self.name();
        let cookie = format!("{name}={secret}; Path=/; HttpOnly; SameSite=Strict; Max-Age={seconds}{secure}");
        // Hexadecimal digits and our own words: always a good header value.
        HeaderValue::from_str(&cookie).unwrap_or(HeaderValue::from_static(""))
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room<T>(kept: &mut HashMap<[u8; 32], T>, used: impl Fn(&T) -> Timestamp) {
    if kept.len() >= KEPT_MAX
        && let Some(oldest) = kept.iter().min_by_key(|(_, one)| used(one)).map(|(key, _)| *key)
    {
        kept.remove(&oldest);
    }
}

#[derive(Deserialize)]
pub(crate) struct SignInToken {
    token: String,
}

/// `POST /session {"token": "…"}`: a cookie for a token.
pub(crate) async fn start_session(
    State(state): State<ViewerState>,
    headers: HeaderMap,
    body: Result<Json<SignInToken>, axum::extract::rejection::JsonRejection>,
) -> Result<Response> {
    // A browser says where a request comes from: nobody is to be signed in by another site.
    if (headers.contains_key("sec-fetch-site") || headers.contains_key(header::ORIGIN)) && !same_origin(&headers) {
        return Err(Error::CrossSite);
    }
    let next_step = "send {\"token\": \"tsu_…\"} as application/json";
    let Json(body) = body.map_err(|_| Error::invalid("the body of the request holds no token", next_step))?;
    let token = body.token.trim();
    let Some(principal) = state.tokens().find(token, state.now()).await? else {
        let _ = state.audit().denied(None, "Session", None, None).await;
        return Err(Error::Unauthenticated("this token is not known, has expired or was revoked"));
    };
    state.audit().session(&principal, "signed-in").await?;
    let cookie = state.sessions().start(Session::new(principal, Some(digest(token)), state.now()));
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

/// `DELETE /session`: signs out. `GET /session`: who is signed in.
pub(crate) async fn session_of(
    State(state): State<ViewerState>,
    method: Method,
    headers: HeaderMap,
) -> Result<Response> {
    let principal = authenticate(&state, &method, &headers).await?;
    if method.is_safe() {
        let permissions: Vec<_> = principal.permissions.iter().collect();
        let body = json!({ "name": principal.name, "centre": principal.centre, "permissions": permissions });
        return Ok(([(header::CACHE_CONTROL, "no-store")], Json(body)).into_response());
    }
    if let Some(secret) = state.sessions().cookie(&headers) {
        state.sessions().stop(secret);
    }
    state.audit().session(&principal, "signed-out").await?;
    let cookie = state.sessions().set_cookie("", 0);
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

#[derive(Deserialize)]
pub(crate) struct SignInCode {
    #[serde(default)]
    code: String,
    #[serde(default)]
    study: String,
}

impl SignInCode {
    fn page(&self) -> String {
        if is_uid(&self.study) { format!("/study/{}", self.study) } else { "/".into() }
    }
}

/// `GET /sign-in?code=…&study=…`: a cookie for the code of a one-time link, and on to the page, where a study is named to that
/// study.
pub(crate) async fn sign_in(
    State(state): State<ViewerState>,
    headers: HeaderMap,
    Query(query): Query<SignInCode>,
) -> Result<Response> {
    let Some(principal) = state.sessions().redeem(&query.code, state.now()) else {
        // Loaded again where it signed somebody in already, the link is no more than an address.
        let cookie = state.sessions().cookie(&headers);
        if let Some(secret) = cookie
            && state.sessions().find(secret, state.tokens(), state.now()).await.is_ok()
        {
            return Ok(Redirect::to(&query.page()).into_response());
        }
        let _ = state.audit().denied(None, "SignIn", None, None).await;
        // A person is shown the page, which says so in their language.
        let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
        if accept.is_some_and(|accept| accept.contains("text/html")) {
            return Ok(Redirect::to(LINK_OVER).into_response());
        }
        return Err(Error::Unauthenticated("this link has been used already, or is too old"));
    };
    state.audit().session(&principal, "signed-in").await?;
    let cookie = state.sessions().start(Session::new(principal, None, state.now()));
    Ok(([(header::SET_COOKIE, cookie)], Redirect::to(&query.page())).into_response())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::Role;

    fn person() -> Principal {
        Principal { name: "r".into(), centre: "a".into(), permissions: Role::Reader.permissions() }
    }

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    #[test]
    fn a_code_is_good_once_and_not_for_long() {
        let sessions = Sessions::new(false);
        let code = sessions.one_time_code(person(), at(0), 15 * 60);
        assert_eq!(sessions.redeem(&code, at(10)), Some(person()));
        assert_eq!(sessions.redeem(&code, at(11)), None);
        let late = sessions.one_time_code(person(), at(0), 15 * 60);
        assert_eq!(sessions.redeem(&late, at(15 * 60)), None);
    }

    #[tokio::test]
    async fn a_link_loaded_again_by_whom_it_signed_in_leads_on_and_signs_nobody_else_in() {
        let house = crate::tests::fixture::House::empty().await;
        let code = house.state.sessions().one_time_code(person(), house.state.now(), 60);
        let ask = async |headers: HeaderMap| {
            sign_in(State(house.state.clone()), headers, Query(SignInCode { code: code.clone(), study: String::new() }))
                .await
        };
        let first = ask(HeaderMap::new()).await.unwrap();
        assert_eq!(first.headers()[header::LOCATION], "/");
        let cookie = first.headers()[header::SET_COOKIE].to_str().unwrap().split(';').next().unwrap().to_owned();
        assert!(ask(HeaderMap::new()).await.is_err(), "a code is good once");
        let again = ask(HeaderMap::from_iter([(header::COOKIE, cookie.parse().unwrap())])).await.unwrap();
        assert_eq!(again.headers()[header::LOCATION], "/");
        assert!(!again.headers().contains_key(header::SET_COOKIE), "no second session");
    }

    #[test]
    fn a_session_ends_when_idle_and_after_a_shift() {
        let sessions = Sessions::new(true);
        let cookie = sessions.start(Session::new(person(), None, at(0)));
        let text = cookie.to_str().unwrap();
        assert!(text.starts_with("__Host-tsunagu=") && text.contains("HttpOnly; SameSite=Strict"), "{text}");
        assert!(text.ends_with("; Secure"), "{text}");
        let mut headers = HeaderMap::new();
        headers.insert(header::COOKIE, format!("other=1; {}", text.split(';').next().unwrap()).parse().unwrap());
        let key = digest(sessions.cookie(&headers).unwrap());
        for used in (0..12 * 60).step_by(29) {
            assert!(sessions.touch(&key, at(used * 60)).is_some(), "minute {used}");
        }
        assert!(sessions.touch(&key, at(12 * 3600)).is_none(), "after twelve hours");
        sessions.start(Session::new(person(), None, at(0)));
        let idle = *sessions.kept().sessions.keys().next().unwrap();
        assert!(sessions.touch(&idle, at(30 * 60)).is_none(), "after half an hour unused");
    }
}
