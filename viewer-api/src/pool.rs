//! Where I/O meets pixels: decoding runs on blocking threads, as many at once as there are cores, panics contained.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use tokio::sync::Semaphore;

use crate::error::{Error, Result};

/// A bounded number of decoders.
#[derive(Clone, Debug)]
pub(crate) struct Pool {
    permits: Arc<Semaphore>,
}

impl Pool {
    /// A pool of this many at once.
    pub(crate) fn new(decoders_max: usize) -> Pool {
        Pool { permits: Arc::new(Semaphore::new(decoders_max.max(1))) }
    }

    /// Waits for a place. What needs much memory is read in after this, so that memory is bounded with the places.
    pub(crate) async fn place(&self) -> Result<Place> {
        let permit = Arc::clone(&self.permits).acquire_owned().await.map_err(|_| Error::Stopping)?;
        Ok(Place { _permit: permit })
    }
}

/// A place in the pool; given back when dropped.
#[derive(Debug)]
pub(crate) struct Place {
    _permit: tokio::sync::OwnedSemaphorePermit,
}

impl Place {
    /// Runs `work` on a blocking thread. `what` names the thing, for the sentence if `work` panics.
    pub(crate) async fn run<T: Send + 'static>(
        self,
        what: &str,
        work: impl FnOnce() -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let work = move || {
            let answer = catch_unwind(AssertUnwindSafe(work));
            drop(self);
            answer
        };
        match tokio::task::spawn_blocking(work).await {
            Ok(Ok(answer)) => answer,
            _ => Err(Error::Panicked(what.to_owned())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_panic_is_an_error_and_the_place_comes_back() {
        let pool = Pool::new(1);
        for _ in 0..3 {
            let place = pool.place().await.unwrap();
            let answer: Result<()> = place.run("frame 1", || panic!("on purpose")).await;
            assert_eq!(answer.unwrap_err().to_string(), "frame 1 made a decoder fail");
        }
        assert_eq!(pool.place().await.unwrap().run("frame 1", || Ok(7)).await.unwrap(), 7);
    }
}
