//! A cache that is bounded in bytes: what was used longest ago goes first.

use std::collections::{BTreeMap, HashMap};
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

/// Values by key, together at most so many bytes.
pub(crate) struct Kept<K, V> {
    bytes_max: usize,
    inner: Mutex<Inner<K, V>>,
}

struct Inner<K, V> {
    by_key: HashMap<K, Entry<V>>,
    /// Keys by the time of their last use.
    by_use: BTreeMap<u64, K>,
    bytes: usize,
    uses: u64,
}

struct Entry<V> {
    value: V,
    bytes: usize,
    used: u64,
}

impl<K: Clone + Eq + Hash, V: Clone> Kept<K, V> {
    /// Empty. With 0 bytes it stays so.
    pub(crate) fn new(bytes_max: usize) -> Kept<K, V> {
        let inner = Inner { by_key: HashMap::new(), by_use: BTreeMap::new(), bytes: 0, uses: 0 };
        Kept { bytes_max, inner: Mutex::new(inner) }
    }

    /// The value of a key, if it is still there.
    pub(crate) fn get(&self, key: &K) -> Option<V> {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        let entry = inner.by_key.get_mut(key)?;
        inner.uses += 1;
        inner.by_use.remove(&entry.used);
        inner.by_use.insert(inner.uses, key.clone());
        entry.used = inner.uses;
        Some(entry.value.clone())
    }

    /// Keeps a value of so many bytes; one of more than all may have is not kept.
    pub(crate) fn insert(&self, key: K, value: V, bytes: usize) {
        if bytes > self.bytes_max {
            return;
        }
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        let inner = &mut *inner;
        inner.uses += 1;
        let used = inner.uses;
        if let Some(old) = inner.by_key.insert(key.clone(), Entry { value, bytes, used }) {
            inner.by_use.remove(&old.used);
            inner.bytes -= old.bytes;
        }
        inner.by_use.insert(used, key);
        inner.bytes += bytes;
        while inner.bytes > self.bytes_max {
            let Some((_, oldest)) = inner.by_use.pop_first() else { break };
            inner.bytes -= inner.by_key.remove(&oldest).map_or(0, |entry| entry.bytes);
        }
    }

    /// Lets go of a value.
    pub(crate) fn remove(&self, key: &K) {
        let mut inner = self.inner.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(entry) = inner.by_key.remove(key) {
            inner.by_use.remove(&entry.used);
            inner.bytes -= entry.bytes;
        }
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner).bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_decode_cache_is_bounded_in_bytes_and_lets_go_of_what_was_not_used() {
        let kept: Kept<u32, &str> = Kept::new(100);
        kept.insert(1, "one", 40);
        kept.insert(2, "two", 40);
        assert_eq!(kept.get(&1), Some("one"));
        kept.insert(3, "three", 40);
        assert_eq!((kept.get(&1), kept.get(&2), kept.get(&3)), (Some("one"), None, Some("three")));
        kept.insert(3, "again", 60);
        assert_eq!((kept.get(&1), kept.get(&3), kept.bytes()), (Some("one"), Some("again"), 100));
        kept.insert(4, "too large", 101);
        assert_eq!((kept.get(&4), kept.bytes()), (None, 100));
        kept.remove(&1);
        assert_eq!((kept.get(&1), kept.bytes()), (None, 60));
        let none: Kept<u32, &str> = Kept::new(0);
        none.insert(1, "one", 1);
        assert_eq!(none.get(&1), None);
    }
}
