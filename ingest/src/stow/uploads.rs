//! How many store requests each centre has under way, so that none takes every place.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Requests under way, by centre. Clones share the count.
#[derive(Clone, Debug, Default)]
pub struct Uploads(Arc<Mutex<BTreeMap<String, Weak<Semaphore>>>>);

impl Uploads {
    /// A place for one more request of this centre; `None` where it has `requests_max` already.
    pub fn enter(&self, centre: &str, requests_max: usize) -> Option<OwnedSemaphorePermit> {
        let mut centres = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let places = centres.get(centre).and_then(Weak::upgrade).unwrap_or_else(|| {
            centres.retain(|_, places| places.strong_count() > 0);
            let places = Arc::new(Semaphore::new(requests_max.max(1)));
            centres.insert(centre.to_owned(), Arc::downgrade(&places));
            places
        });
        drop(centres);
        places.try_acquire_owned().ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A centre with every place taken is refused, another is not; a place comes back.
    #[test]
    fn one_centre_does_not_take_the_places_of_another() {
        let uploads = Uploads::default();
        let held = [uploads.enter("north", 2), uploads.enter("north", 2)];
        assert!(held.iter().all(Option::is_some));
        assert!(uploads.enter("north", 2).is_none());
        assert!(uploads.clone().enter("south", 2).is_some());
        drop(held);
        assert!(uploads.enter("north", 2).is_some());
    }
}
