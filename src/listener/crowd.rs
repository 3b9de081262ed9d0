//! Who is connected, and who gives up a place when there is none left.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};

use tokio::sync::Notify;
use tokio::time::Instant;

/// All connections of a listener.
#[derive(Debug)]
pub struct Crowd {
    connections_max: usize,
    began: Instant,
    members: Mutex<Members>,
}

#[derive(Debug, Default)]
struct Members {
    next: u64,
    here: BTreeMap<u64, Weak<Member>>,
}

/// One connection's place; given back when the last clone goes.
#[derive(Debug)]
pub struct Member {
    number: u64,
    crowd: Arc<Crowd>,
    /// Requests under way: begun, and their answers not sent to the end.
    requests: AtomicUsize,
    /// Milliseconds from `began` to when the last of them ended.
    idle_since_ms: AtomicU64,
    leave: Notify,
}

impl Crowd {
    /// One of at most so many.
    pub fn new(connections_max: usize) -> Crowd {
        Crowd { connections_max, began: Instant::now(), members: Mutex::default() }
    }

    /// A place, for which the connection that has been idle longest may have to leave; `None` when all are at work.
    pub fn enter(self: &Arc<Crowd>) -> Option<Arc<Member>> {
        let mut members = self.members();
        if members.here.len() >= self.connections_max {
            let idle = members.here.iter().filter_map(|(number, member)| Some((*number, member.upgrade()?)));
            let idle = idle.filter(|(_, member)| member.requests.load(Ordering::SeqCst) == 0);
            let (number, longest) = idle.min_by_key(|(_, member)| member.idle_since_ms.load(Ordering::Relaxed))?;
            members.here.remove(&number);
            longest.leave.notify_one();
            // Its last clone may be this one, and to give the place back it takes the lock that is held here.
            drop(members);
            drop(longest);
            members = self.members();
        }
        let number = members.next;
        members.next += 1;
        let member = Arc::new(Member {
            number,
            crowd: Arc::clone(self),
            requests: AtomicUsize::new(0),
            idle_since_ms: AtomicU64::new(self.now_ms()),
            leave: Notify::new(),
        });
        members.here.insert(number, Arc::downgrade(&member));
        Some(member)
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

impl Member {
    /// A request begins; it ends when what is answered here is dropped.
    pub fn begin(self: Arc<Member>) -> Work {
        self.requests.fetch_add(1, Ordering::SeqCst);
        Work(self)
    }

    /// Waits until this place is wanted by somebody else.
    pub async fn asked_to_leave(&self) {
        self.leave.notified().await;
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.crowd.members().here.remove(&self.number);
    }
}

/// A request under way.
#[derive(Debug)]
pub struct Work(Arc<Member>);

impl Drop for Work {
    fn drop(&mut self) {
        self.0.idle_since_ms.store(self.0.crowd.now_ms(), Ordering::Relaxed);
        self.0.requests.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// The one idle longest leaves, never one at work; with all at work there is no place; a place comes back.
    #[tokio::test]
    async fn the_longest_idle_leaves_and_nobody_at_work() {
        let crowd = Arc::new(Crowd::new(2));
        let first = crowd.enter().unwrap();
        tokio::time::sleep(Duration::from_millis(5)).await;
        let second = crowd.enter().unwrap();
        let work = Arc::clone(&first).begin();
        let third = crowd.enter().unwrap();
        second.asked_to_leave().await;
        let more = Arc::clone(&third).begin();
        assert!(crowd.enter().is_none());
        drop(work);
        assert!(crowd.enter().is_some());
        first.asked_to_leave().await;
        drop((more, second, third, first));
        assert_eq!(crowd.members().here.len(), 0);
    }
}
