//! What is packed next is made while what was made is written: most studies are one picture, and one picture at a time
//! keeps one core.

use std::collections::VecDeque;
use std::sync::Arc;

use archive::Held;
use bytes::Bytes;
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;

use super::{One, Packer};

/// Received bytes of files that are made into forms at once (one file may be larger); each is in memory about three times.
const AT_ONCE_BYTES_MAX: u64 = 20 << 20;
/// Files for each core that are made into forms or wait to be written: one that takes long keeps no core idle.
const FILES_A_CORE: usize = 4;

/// An instance whose form is made.
pub(super) struct Ready {
    pub(super) held: Held,
    pub(super) json: Bytes,
    pub(super) one: One,
}

/// The instances of studies, in turn, each with its form.
pub(super) struct Ahead<'a> {
    packer: &'a Packer,
    studies: std::vec::IntoIter<String>,
    /// Of the study looked up last.
    waiting: VecDeque<(Held, Bytes)>,
    study: Arc<str>,
    under_way: VecDeque<Step>,
    cores: usize,
    /// Held while a form is made.
    core: Arc<Semaphore>,
}

struct Step {
    study: Arc<str>,
    bytes: u64,
    ready: JoinHandle<archive::Result<Ready>>,
}

impl<'a> Ahead<'a> {
    pub(super) fn new(packer: &'a Packer, studies: Vec<String>) -> Ahead<'a> {
        let cores = std::thread::available_parallelism().map_or(2, |cores| cores.get());
        let (studies, waiting, under_way) = (studies.into_iter(), VecDeque::new(), VecDeque::new());
        Ahead { packer, studies, waiting, study: "".into(), under_way, cores, core: Arc::new(Semaphore::new(cores)) }
    }

    /// The study that is next. What is left of the one before is given up.
    pub(super) async fn study(&mut self, before: Option<&Arc<str>>) -> Option<Arc<str>> {
        if before == Some(&self.study) {
            self.waiting.clear();
        }
        while let Some(step) = self.under_way.pop_front_if(|step| before == Some(&step.study)) {
            step.ready.abort();
        }
        self.fill().await;
        self.under_way.front().map(|step| Arc::clone(&step.study))
    }

    /// The next instance of this study. `None` when there is none left.
    pub(super) async fn instance(&mut self, study: &Arc<str>) -> Option<archive::Result<Ready>> {
        self.fill().await;
        let step = self.under_way.pop_front_if(|step| step.study == *study)?;
        let ready = step.ready.await;
        // Whoever asked writes it now: another takes its place meanwhile.
        self.fill().await;
        Some(ready.unwrap_or_else(|panic| Err(archive::Error::Refused(format!("packing ended early: {panic}")))))
    }

    async fn fill(&mut self) {
        loop {
            let bytes: u64 = self.under_way.iter().map(|step| step.bytes).sum();
            let is_free = |held: &Held| {
                self.under_way.is_empty()
                    || self.under_way.len() < self.cores * FILES_A_CORE
                        && bytes.saturating_add(held.part10_bytes) <= AT_ONCE_BYTES_MAX
            };
            match self.waiting.front() {
                Some((held, _)) if !is_free(held) => return,
                Some(_) => {}
                None => match self.studies.next() {
                    Some(study) => self.look_up(&study).await,
                    None => return,
                },
            }
            let Some((held, json)) = self.waiting.pop_front() else { continue };
            let (packer, core, bytes) = (self.packer.clone(), Arc::clone(&self.core), held.part10_bytes);
            let make = async move {
                let _core = core.acquire().await;
                packer.one(&held).await.map(|one| Ready { held, json, one })
            };
            self.begin(bytes, tokio::spawn(make));
        }
    }

    /// Its instances are what waits now; an error stands in for them.
    async fn look_up(&mut self, study: &str) {
        self.study = study.into();
        match self.packer.backlog_of(study).await {
            Ok(instances) => self.waiting = instances,
            Err(error) => self.begin(0, tokio::spawn(async { Err(error) })),
        }
    }

    fn begin(&mut self, bytes: u64, ready: JoinHandle<archive::Result<Ready>>) {
        self.under_way.push_back(Step { study: Arc::clone(&self.study), bytes, ready });
    }
}
