//! Who carries the tasks of one picture: the caller chooses, so that this crate needs no thread pool.

/// Runs independent tasks. Rayon's pool is ten lines away: see `examples/htj2k`.
pub trait Workers: Sync {
    /// How many tasks may run at the same time, at least 1: work is cut for this many.
    fn count(&self) -> usize;

    /// Calls `task` once for every number below `tasks`, in any order and on any thread, and returns when all are done.
    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync));
}

/// The calling thread alone: the right choice when frames are spread over threads already.
#[derive(Clone, Copy, Debug, Default)]
pub struct Alone;

impl Workers for Alone {
    fn count(&self) -> usize {
        1
    }

    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..tasks).for_each(task);
    }
}
