//! The acts that are open: whoever serves adds to them directly.
//!
//! An act is put here only when its `accessed` record is durable. To close it, the audit's task seals it first: nothing
//! can be added from then on, so that the counts it records are all there ever were.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};

use jiff::Timestamp;

use super::{ACT_SECONDS_MAX, Counts, Key};
use crate::clock::seconds_between;

/// One act under way.
#[derive(Debug)]
pub(super) struct Act {
    id: String,
    since: Timestamp,
    /// `None` once it is sealed.
    counts: Mutex<Option<Counts>>,
}

impl Act {
    pub(super) fn new(id: String, since: Timestamp) -> Act {
        Act { id, since, counts: Mutex::new(Some(Counts::default())) }
    }

    pub(super) fn id(&self) -> &str {
        &self.id
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        seconds_between(self.since, now) >= ACT_SECONDS_MAX
    }

    /// Adds what is about to be served. Answers whether it counts: not when the act is over, or sealed.
    pub(super) fn add(&self, more: Counts, now: Timestamp) -> bool {
        !self.is_over(now) && self.add_owed(more)
    }

    /// Adds what was promised while the act was not over.
    pub(super) fn add_owed(&self, more: Counts) -> bool {
        let mut counts = self.counts();
        counts.as_mut().map(|counts| counts.add(more)).is_some()
    }

    fn seal(&self) -> Counts {
        self.counts().take().unwrap_or_default()
    }

    /// Opens it again with the counts it was sealed with: they could not be recorded.
    pub(super) fn unseal(&self, counts: Counts) {
        *self.counts() = Some(counts);
    }

    fn counts(&self) -> MutexGuard<'_, Option<Counts>> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All open acts. The audit's task alone puts them in and takes them out.
#[derive(Debug, Default)]
pub(super) struct OpenActs(RwLock<HashMap<Key, Arc<Act>>>);

impl OpenActs {
    pub(super) fn get(&self, key: &Key) -> Option<Arc<Act>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    pub(super) fn insert(&self, acts: HashMap<Key, Act>) {
        if !acts.is_empty() {
            let acts = acts.into_iter().map(|(key, act)| (key, Arc::new(act)));
            self.0.write().unwrap_or_else(PoisonError::into_inner).extend(acts);
        }
    }

    /// Takes an act out, unless another one stands under its key by now.
    pub(super) fn remove(&self, key: &Key, act: &Arc<Act>) {
        let mut open = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if open.get(key).is_some_and(|kept| Arc::ptr_eq(kept, act)) {
            open.remove(key);
        }
    }

    /// Seals those that end, and answers their counts.
    pub(super) fn seal(&self, ends: impl Fn(&Act) -> bool) -> Vec<(Key, Arc<Act>, Counts)> {
        let open = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let ending = open.iter().filter(|(_, act)| ends(act));
        ending.map(|(key, act)| (key.clone(), Arc::clone(act), act.seal())).collect()
    }
}
