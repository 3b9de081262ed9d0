//! Rayon behind the codec's [`Workers`].

use htj2k::Workers;

/// A pool of its own, or the calling thread alone.
pub struct Threads(Option<rayon::ThreadPool>);

impl Threads {
    pub fn new(count: usize) -> Threads {
        let pool = || rayon::ThreadPoolBuilder::new().num_threads(count).build().ok();
        Threads(if count > 1 { pool() } else { None })
    }
}

impl Workers for Threads {
    fn count(&self) -> usize {
        self.0.as_ref().map_or(1, rayon::ThreadPool::current_num_threads)
    }

    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        match &self.0 {
            Some(pool) if tasks > 1 => pool.scope(|scope| (0..tasks).for_each(|n| scope.spawn(move |_| task(n)))),
            _ => (0..tasks).for_each(task),
        }
    }
}
