//! Forwarding: studies that rules name go to other archives, by C-STORE or STOW-RS, in order, for certain, and to the
//! effect of once.
//!
//! A [`Forwarder`] follows a change feed ([`Source`]: of this archive, or of one elsewhere) and writes what is to be sent
//! into its [`Book`], an event log. One worker a destination takes the studies in feed order. What was acknowledged is
//! written down after each group of instances; killed at any moment, the next start sends again at most that group,
//! which the peer answers as held already, since UIDs and bytes are the same. A study that fails waits by itself; a
//! destination that cannot be reached is waited for as a whole; what a peer refuses for good is kept with its reason.

mod book;
mod cstore;
mod prepare;
mod reconcile;
mod rules;
mod runner;
mod source;
mod stow;
mod verdict;

use std::sync::Arc;

pub use book::{Book, Job, JobState, Refused};
pub use reconcile::{LocalId, LocalIds};
pub use rules::{Address, Begin, Destination, Filter, Rules, Unmatched, When};
pub use runner::{Forwarder, Summary};
pub use source::{Facts, LocalSource, Outgoing, Source, Unread};

/// What is read of the world: passed in, so that a test can say.
#[derive(Clone)]
pub struct World {
    /// The time now.
    pub now: Arc<dyn Fn() -> jiff::Timestamp + Send + Sync>,
    /// A number from 0 to 1 that is another one each time, to spread attempts.
    pub jitter: Arc<dyn Fn() -> f64 + Send + Sync>,
}

impl World {
    /// The time now, RFC 3339 in UTC with milliseconds: of one length, so that they sort.
    pub(crate) fn at(&self) -> String {
        rfc3339((self.now)())
    }

    /// So many milliseconds from now.
    pub(crate) fn after_ms(&self, ms: u64) -> String {
        let span = jiff::SignedDuration::from_millis(i64::try_from(ms).unwrap_or(i64::MAX / 4));
        rfc3339((self.now)().checked_add(span).unwrap_or(jiff::Timestamp::MAX))
    }

    /// How long to wait before attempt `attempts + 1`: doubled each time, at most `max_s`, spread by half.
    pub(crate) fn back_off_ms(&self, attempts: u32, max_s: u64) -> u64 {
        let doubled = 1000u64.saturating_mul(1 << attempts.min(20)).min(max_s.saturating_mul(1000).max(1000));
        let spread = 0.75 + 0.5 * (self.jitter)().clamp(0.0, 1.0);
        (doubled as f64 * spread) as u64
    }
}

fn rfc3339(at: jiff::Timestamp) -> String {
    format!("{at:.3}")
}

#[cfg(test)]
mod tests;
