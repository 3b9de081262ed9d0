//! What every handler shares.

use std::sync::Arc;

use archive::Reader;
use jiff::Timestamp;

use crate::access::{Principal, Sessions, Tokens};
use crate::audit::{Audit, AuditLog};
use crate::changes::Streams;
use crate::clock::Clock;
use crate::error::{Error, Result};
use crate::iiif;
use crate::manifest::ManifestsLast;
use crate::pool::Pool;
use crate::reading::Reading;
use crate::shown::ShownLast;

/// The read side of one archive: what it reads, whom it lets in, where it writes that down.
#[derive(Clone)]
pub struct ViewerState {
    shared: Arc<Shared>,
}

struct Shared {
    reader: Reader,
    audit: Audit,
    tokens: Tokens,
    sessions: Sessions,
    clock: Arc<dyn Clock>,
    pool: Pool,
    shown: ShownLast,
    iiif: iiif::Cache,
    streams: Streams,
    manifests: ManifestsLast,
    reading: Option<Arc<Reading>>,
    public_url: Option<String>,
}

/// Bytes of decoded parts of pictures that are kept, unless said otherwise.
const CACHE_BYTES_DEFAULT: usize = 64 << 20;

/// What can be chosen.
#[derive(Clone, Debug)]
pub struct Options {
    /// Under which URL clients reach the server, without a slash at the end, where a proxy stands before it; else what
    /// each request says in `Host`. With `https:` cookies are `Secure`.
    pub public_url: Option<String>,
    /// Frames decoded, and files rebuilt, at the same time at the most.
    pub decoders_max: usize,
    /// Bytes that decoded parts of pictures may take up, for the tiles that are asked for next.
    pub cache_bytes: usize,
}

impl Default for Options {
    fn default() -> Self {
        let decoders_max = std::thread::available_parallelism().map_or(1, usize::from);
        Options { public_url: None, decoders_max, cache_bytes: CACHE_BYTES_DEFAULT }
    }
}

impl ViewerState {
    /// Puts the read side together. Starts the task that writes the audit, so it needs a tokio runtime.
    pub fn new(
        reader: Reader,
        audit: Arc<dyn AuditLog>,
        tokens: Tokens,
        clock: Arc<dyn Clock>,
        options: Options,
    ) -> ViewerState {
        let secure = options.public_url.as_deref().is_some_and(|url| url.starts_with("https:"));
        let shared = Shared {
            reading: open_reading(&reader),
            reader,
            audit: Audit::start(audit, Arc::clone(&clock)),
            tokens,
            sessions: Sessions::new(secure),
            clock,
            pool: Pool::new(options.decoders_max),
            shown: ShownLast::default(),
            iiif: iiif::Cache::new(options.cache_bytes),
            streams: Streams::default(),
            manifests: ManifestsLast::default(),
            public_url: options.public_url,
        };
        ViewerState { shared: Arc::new(shared) }
    }

    /// The path and query of a link that signs this person in, once, within so many seconds.
    pub fn sign_in_path(&self, principal: Principal, seconds: u64) -> String {
        format!("/sign-in?code={}", self.shared.sessions.one_time_code(principal, self.now(), seconds))
    }

    /// The last thing before the program ends: writes the counts that are owed. Nothing is served after it.
    ///
    /// # Errors
    /// When they could not be written.
    pub async fn close(&self) -> Result<()> {
        self.shared.audit.close().await
    }

    /// The reading worklists.
    ///
    /// # Errors
    /// [`Error::Reading`] where their log could not be opened.
    pub fn reading(&self) -> Result<Arc<Reading>> {
        self.shared.reading.clone().ok_or_else(|| Error::Reading("it could not be opened".into()))
    }

    /// Ends the streams of changes that are open, so that the listener can stop; their readers open them again elsewhere.
    pub fn stop_streams(&self) {
        self.shared.streams.stop();
    }

    /// Where accesses are recorded.
    pub fn audit(&self) -> &Audit {
        &self.shared.audit
    }

    pub(crate) fn reader(&self) -> &Reader {
        &self.shared.reader
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.shared.tokens
    }

    pub(crate) fn sessions(&self) -> &Sessions {
        &self.shared.sessions
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.shared.streams
    }

    pub(crate) fn shown(&self) -> &ShownLast {
        &self.shared.shown
    }

    pub(crate) fn iiif(&self) -> &iiif::Cache {
        &self.shared.iiif
    }

    pub(crate) fn manifests(&self) -> &ManifestsLast {
        &self.shared.manifests
    }

    pub(crate) fn pool(&self) -> &Pool {
        &self.shared.pool
    }

    pub(crate) fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    /// The base of absolute URLs in answers: of the option, else of the request's `Host`, else nothing (relative).
    pub(crate) fn base_url(&self, headers: &axum::http::HeaderMap) -> String {
        if let Some(url) = &self.shared.public_url {
            return url.trim_end_matches('/').to_owned();
        }
        let host = headers.get(axum::http::header::HOST).and_then(|value| value.to_str().ok());
        let plain = |host: &&str| host.bytes().all(|b| b.is_ascii_alphanumeric() || b".:-_[]".contains(&b));
        host.filter(plain).map_or_else(String::new, |host| format!("http://{host}"))
    }
}

/// Looking at studies does not depend on it; who reads has to be told.
fn open_reading(reader: &Reader) -> Option<Arc<Reading>> {
    match Reading::open(&reader.layout().event_log("reading")) {
        Ok(reading) => Some(Arc::new(reading)),
        Err(error) => {
            tracing::error!(%error, "READING WORKLISTS ARE NOT TO BE HAD; tsunagu audit verify says more");
            None
        }
    }
}
