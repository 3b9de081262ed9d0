//! What can go wrong on the read side, and the one place where it becomes an HTTP status.
//!
//! Every refusal is a JSON object of two sentences: `error` says what is wrong, `next_step` what to do.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde_json::json;

use crate::access::Permission;

/// What can go wrong on the read side.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The request says something that cannot be understood.
    #[error("{what}")]
    Invalid {
        /// What is wrong with which part of it.
        what: String,
        /// What to send instead.
        next_step: &'static str,
    },
    /// No credential, or one that is not (or no longer) known.
    #[error("{0}")]
    Unauthenticated(&'static str),
    /// The credential is good, but not for this.
    #[error("this needs the permission {needs}, which {subject} does not have")]
    Forbidden {
        /// Who asked.
        subject: String,
        /// What is missing.
        needs: Permission,
    },
    /// A page of another origin tried to act with the cookie of this one.
    #[error("a request by session cookie came from another site")]
    CrossSite,
    /// Nothing of that name is held.
    #[error("{0} is not held here")]
    NotFound(String),
    /// The representation that an address names is held no more: it was made anew.
    #[error("the representation of {0} that this address names is not held any more")]
    Gone(String),
    /// A request that its standard has and this server has not.
    #[error("{what} is not made here")]
    NotImplemented {
        /// What of it.
        what: &'static str,
        /// What to ask for instead.
        next_step: &'static str,
    },
    /// The path has no such method.
    #[error("this path has no such method; the Allow header names those it has")]
    Method,
    /// None of the forms asked for is to be had.
    #[error("{what} cannot be given as asked; to be had: {}", offered.join(", "))]
    NotAcceptable {
        /// Which thing.
        what: String,
        /// Media types that would be given.
        offered: Vec<String>,
    },
    /// A range of bytes that lies beyond the end.
    #[error("the range lies beyond the {length} bytes that there are")]
    Range {
        /// Bytes there are.
        length: u64,
    },
    /// The search would have to read too much.
    #[error("the search reads more than {limit} instances")]
    TooBroad {
        /// The limit.
        limit: u64,
    },
    /// What is asked for is larger than the server takes into memory at once.
    #[error("{what} has {bytes} bytes, more than the {limit} that are decoded at once")]
    TooLarge {
        /// Which thing.
        what: String,
        /// Its size.
        bytes: u64,
        /// The limit.
        limit: u64,
    },
    /// As many streams are open as there may be.
    #[error("{limit} streams of changes are open, which is as many as there may be")]
    TooManyStreams {
        /// The limit.
        limit: usize,
    },
    /// The audit record could not be made durable, so nothing is served.
    #[error("the access could not be recorded, so nothing was served: {0}")]
    Audit(String),
    /// The log of tokens cannot be read, so nobody is let in.
    #[error("the log of tokens cannot be read: {0}")]
    Tokens(String),
    /// The log of readings cannot be read or written, so nobody reads.
    #[error("the log of readings cannot be read or written: {0}")]
    Reading(String),
    /// What is asked does not go with what has become of the thing meanwhile.
    #[error("{what}")]
    Conflict {
        /// What has become of it.
        what: &'static str,
        /// What to do.
        next_step: &'static str,
    },
    /// The server is stopping.
    #[error("the server is stopping")]
    Stopping,
    /// The archive failed.
    #[error(transparent)]
    Archive(#[from] archive::Error),
    /// The pixels cannot be decoded or drawn.
    #[error("{what}: {detail}")]
    Pixels {
        /// Which instance or frame.
        what: String,
        /// What the decoder says.
        detail: String,
    },
    /// A decoder panicked; the request is lost, the server goes on.
    #[error("{0} made a decoder fail")]
    Panicked(String),
}

/// The read side's result.
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// A request that cannot be understood.
    pub(crate) fn invalid(what: impl Into<String>, next_step: &'static str) -> Error {
        Error::Invalid { what: what.into(), next_step }
    }

    /// The HTTP status of this error.
    pub fn status(&self) -> StatusCode {
        match self {
            Error::Invalid { .. } | Error::TooBroad { .. } => StatusCode::BAD_REQUEST,
            Error::Unauthenticated(_) => StatusCode::UNAUTHORIZED,
            Error::Forbidden { .. } | Error::CrossSite => StatusCode::FORBIDDEN,
            Error::NotFound(_) | Error::Archive(archive::Error::NotFound(_)) => StatusCode::NOT_FOUND,
            Error::Gone(_) => StatusCode::GONE,
            Error::NotImplemented { .. } => StatusCode::NOT_IMPLEMENTED,
            Error::NotAcceptable { .. } | Error::TooLarge { .. } | Error::Pixels { .. } => StatusCode::NOT_ACCEPTABLE,
            Error::Method => StatusCode::METHOD_NOT_ALLOWED,
            Error::Range { .. } => StatusCode::RANGE_NOT_SATISFIABLE,
            Error::TooManyStreams { .. } | Error::Audit(_) | Error::Tokens(_) | Error::Reading(_) | Error::Stopping => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Error::Conflict { .. } => StatusCode::CONFLICT,
            Error::Archive(_) | Error::Panicked(_) => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    fn next_step(&self) -> &str {
        match self {
            Error::Invalid { next_step, .. }
            | Error::NotImplemented { next_step, .. }
            | Error::Conflict { next_step, .. } => next_step,
            Error::Unauthenticated(_) => {
                "send a token as `Authorization: Bearer …`, or sign in again; `tsunagu token issue` makes one"
            }
            Error::Forbidden { .. } => "ask an administrator for a token that has it",
            Error::CrossSite => "open the viewer itself and try again there",
            Error::NotFound(_) | Error::Archive(archive::Error::NotFound(_)) => {
                "check the UIDs, or search for the study; it may have been sent to another archive"
            }
            Error::Gone(_) => "fetch the manifest of the study again: it names what is held now",
            Error::NotAcceptable { .. } => "ask for one of these in the Accept header",
            Error::Method => "use one of the methods of the Allow header",
            Error::Range { .. } => "ask for bytes that are there",
            Error::TooBroad { .. } => "name the study, or search by SOPInstanceUID",
            Error::TooLarge { .. } => "retrieve the instance and decode it there",
            Error::Audit(_) | Error::Tokens(_) | Error::Reading(_) => {
                "tell the administrator to look at the disk and at the server's log"
            }
            Error::TooManyStreams { .. } => "ask for pages of JSON instead, with wait=60",
            Error::Stopping => "try again in a moment",
            Error::Archive(_) => "run `tsunagu verify` to see what is damaged",
            Error::Pixels { .. } => "retrieve the instance as it is held; it is kept unchanged",
            Error::Panicked(_) => "retrieve the instance as it is held, and report it with its UID",
        }
    }

    /// The sentence for the person who asks. What went wrong inside (paths, keys) is for the server's log only.
    fn sentence(&self) -> String {
        match self {
            Error::Archive(archive::Error::NotFound(what)) => format!("{what} is not held here"),
            Error::Archive(_) => "the archive could not read what it holds".into(),
            Error::Audit(_) => "the access could not be recorded, so nothing was served".into(),
            Error::Tokens(_) => "the log of tokens cannot be read, so nobody is let in".into(),
            Error::Reading(_) => "the log of readings cannot be read or written, so nothing was saved".into(),
            other => other.to_string(),
        }
    }
}

impl IntoResponse for Error {
    fn into_response(self) -> Response {
        let status = self.status();
        if status.is_server_error() && status != StatusCode::NOT_IMPLEMENTED {
            tracing::error!(error = %self, "a request failed");
        }
        let mut body = json!({ "error": self.sentence(), "next_step": self.next_step() });
        if let Error::NotAcceptable { offered, .. } = &self {
            // PS3.18 §8.5: 406 lists what could be had.
            body["media_types"] = json!(offered);
        }
        let mut response = (status, Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::UNAUTHORIZED {
            // RFC 6750 §3.
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer realm=\"tsunagu\""));
        }
        if let Error::Range { length } = &self
            && let Ok(range) = HeaderValue::from_str(&format!("bytes */{length}"))
        {
            headers.insert(header::CONTENT_RANGE, range);
        }
        if status == StatusCode::SERVICE_UNAVAILABLE {
            headers.insert(header::RETRY_AFTER, HeaderValue::from_static("5"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_inside_stays_inside() {
        // An administrator's sentence (with a path) must not reach the one who asked.
        let error = Error::Audit("sync failed on somewhere/audit.jsonl".into());
        assert!(!error.sentence().contains("audit.jsonl"));
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
    }
}
