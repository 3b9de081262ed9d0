//! The clock, read here and nowhere below.

use std::sync::Arc;

/// Now, RFC 3339 in UTC with milliseconds.
pub fn now() -> String {
    rfc3339(jiff::Timestamp::now())
}

/// So many seconds ago, RFC 3339 in UTC.
pub fn seconds_ago(seconds: u64) -> String {
    let span = jiff::SignedDuration::from_secs(i64::try_from(seconds).unwrap_or(i64::MAX / 2));
    rfc3339(jiff::Timestamp::now().checked_sub(span).unwrap_or(jiff::Timestamp::UNIX_EPOCH))
}

/// A time somebody wrote, as [`now`] writes it.
pub fn parse(text: &str) -> Option<String> {
    text.parse().ok().map(rfc3339)
}

/// The clock as a function that can be handed on.
pub fn shared() -> Arc<dyn Fn() -> String + Send + Sync> {
    Arc::new(now)
}

fn rfc3339(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}
