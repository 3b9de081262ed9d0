//! What time it is: passed in, so that a test can say.

use jiff::Timestamp;

/// Says what time it is.
pub trait Clock: Send + Sync + 'static {
    /// The time now.
    fn now(&self) -> Timestamp;
}

/// The clock of the machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
}

/// Whole seconds from `earlier` to `later`; 0 where the clock went back.
pub(crate) fn seconds_between(earlier: Timestamp, later: Timestamp) -> u64 {
    u64::try_from(later.as_second().saturating_sub(earlier.as_second())).unwrap_or(0)
}

/// A clock that stands where a test puts it.
#[cfg(test)]
pub(crate) mod testing {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[derive(Clone, Debug)]
    pub(crate) struct SetClock(Arc<AtomicI64>);

    impl Default for SetClock {
        fn default() -> Self {
            SetClock(Arc::new(AtomicI64::new(1_800_000_000)))
        }
    }

    impl SetClock {
        pub(crate) fn forward(&self, seconds: i64) {
            self.0.fetch_add(seconds, Ordering::SeqCst);
        }
    }

    impl Clock for SetClock {
        fn now(&self) -> Timestamp {
            Timestamp::from_second(self.0.load(Ordering::SeqCst)).unwrap()
        }
    }
}
