//! Scratch that tasks borrow and give back, so that steady state allocates nothing.

use std::sync::{Mutex, PoisonError};

/// Idle scratch of one kind; as many pieces come to be as tasks run at the same time.
#[derive(Debug)]
pub(crate) struct Pool<S>(Mutex<Vec<S>>);

impl<S> Default for Pool<S> {
    fn default() -> Self {
        Pool(Mutex::new(Vec::new()))
    }
}

impl<S> Pool<S> {
    /// Runs `work` with a piece of scratch that nobody else has.
    pub(crate) fn with<R>(&self, make: impl FnOnce() -> S, work: impl FnOnce(&mut S) -> R) -> R {
        let idle = self.0.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut scratch = idle.unwrap_or_else(make);
        let answer = work(&mut scratch);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(scratch);
        answer
    }
}

/// Values that tasks take by their number, each once: what lets a shared closure hand out disjoint `&mut` pieces.
pub(crate) struct Shares<T>(Vec<Mutex<Option<T>>>);

impl<T> Shares<T> {
    pub(crate) fn new(values: impl IntoIterator<Item = T>) -> Shares<T> {
        Shares(values.into_iter().map(|value| Mutex::new(Some(value))).collect())
    }

    /// How many there are.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// The share of task `number`; none if it was taken before.
    pub(crate) fn take(&self, number: usize) -> Option<T> {
        self.0.get(number)?.lock().unwrap_or_else(PoisonError::into_inner).take()
    }
}
