//! Patience with one direction of a connection: waiting costs it, bytes win it back.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::time::{Instant, Sleep};

use super::HttpLimits;

/// A peer that moves `bytes_s_min` or more is waited for as long as it takes; a slower one until its patience is out.
#[derive(Debug)]
pub struct Pace {
    left: Duration,
    most: Duration,
    bytes_s_min: u64,
    waiting_since: Option<Instant>,
    out: Option<Pin<Box<Sleep>>>,
}

impl Pace {
    /// Full patience.
    pub fn new(limits: &HttpLimits) -> Pace {
        let most = limits.patience_max;
        Pace { left: most, most, bytes_s_min: limits.bytes_s_min.max(1), waiting_since: None, out: None }
    }

    /// Bytes moved: what was waited is paid, and these bytes are counted in its favour.
    pub fn moved(&mut self, bytes: usize) {
        if let Some(since) = self.waiting_since.take() {
            self.left = self.left.saturating_sub(since.elapsed());
        }
        let won = Duration::from_secs_f64(bytes as f64 / self.bytes_s_min as f64);
        self.left = self.left.saturating_add(won).min(self.most);
    }

    /// Nothing can move now; ready once the patience is out.
    pub fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Error> {
        let (now, left) = (Instant::now(), self.left);
        let begins = self.waiting_since.is_none();
        let since = *self.waiting_since.get_or_insert(now);
        let out = self.out.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(now + left)));
        if begins {
            out.as_mut().reset(now + left);
        }
        out.as_mut().poll(context).map(|()| {
            let (waited_s, least) = (since.elapsed().as_secs(), self.bytes_s_min);
            let text = format!("slower than {least} bytes a second, and nothing at all for the last {waited_s} s");
            io::Error::new(io::ErrorKind::TimedOut, text)
        })
    }
}
