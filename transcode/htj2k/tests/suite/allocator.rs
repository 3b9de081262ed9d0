//! Counts the bytes that the calling thread holds, so that a test can say how many a decoder needs. Other tests run on
//! other threads and are not counted.

#![allow(unsafe_code, reason = "a global allocator is an unsafe trait; this one passes every call on to the system's")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

struct Counting;

#[global_allocator]
static ALLOCATOR: Counting = Counting;

thread_local! {
    // Constant and without a destructor, so that touching them allocates nothing.
    static HELD: Cell<i64> = const { Cell::new(0) };
    static PEAK: Cell<i64> = const { Cell::new(0) };
}

fn count(bytes: i64) {
    // A thread that ends may free after its variables are gone.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + bytes);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call goes to `System` with the arguments it came with; the counters do not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        // SAFETY: as the caller promises.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        // SAFETY: as the caller promises.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // While it moves, both are held.
        count(size as i64);
        count(-(layout.size() as i64));
        // SAFETY: as the caller promises.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `work` and answers the most bytes that this thread held at once beyond what it held before.
pub fn peak_bytes<R>(work: impl FnOnce() -> R) -> (R, u64) {
    let before = HELD.get();
    PEAK.set(before);
    let answer = work();
    (answer, (PEAK.get() - before).max(0) as u64)
}

#[test]
fn what_is_held_at_once_is_counted_and_what_is_freed_is_not() {
    let (_, peak) = peak_bytes(|| {
        drop(std::hint::black_box(vec![1u8; 1000]));
        drop(std::hint::black_box(vec![1u8; 3000]));
    });
    assert_eq!(peak, 3000);
}
