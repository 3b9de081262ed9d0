//! The forwarder at work: one task follows the feed, one a destination sends.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use archive::Body;
use tokio::sync::watch;
use tokio::task::JoinSet;
use transcode::outgoing::can_become;

use super::World;
use super::book::{Act, Book, Due, Job, JobState, Refused};
use super::cstore::CStore;
use super::prepare::Prepared;
use super::reconcile::{LocalIds, Occasion, Reconciled, reconcile};
use super::rules::{Address, Begin, Destination, Rules, Unmatched, When};
use super::source::{Facts, Outgoing, Source, Unread};
use super::stow::Stow;
use super::verdict::{Trouble, Verdict};
use crate::changes::Change;

/// Instances that are settled, and written down, together.
const GROUP_MAX: usize = 16;
/// Their bytes, at the most; one may be larger.
const GROUP_BYTES_MAX: u64 = 32 << 20;
/// How long the feed is waited for at a time.
const FEED_WAIT: Duration = Duration::from_secs(20);
/// How often a destination looks for what is due.
const LOOK_EVERY: Duration = Duration::from_millis(300);
/// A study without a local patient ID is looked at again after this.
const HELD_MS: u64 = 60_000;
/// Changes that concern nobody are noted after so many.
const SEEN_EVERY: u64 = 1_000;
/// After the feed could not be read.
const FEED_RETRY_S_MAX: u64 = 60;

/// Follows a feed and sends what rules name.
#[derive(Clone)]
pub struct Forwarder {
    shared: Arc<Shared>,
}

struct Shared {
    source: Arc<dyn Source>,
    rules: Rules,
    book: Book,
    world: World,
    spool: PathBuf,
    system: String,
    ids: HashMap<String, Arc<LocalIds>>,
}

/// How things stand with every destination.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Summary {
    /// Studies settled, lately.
    pub done: u64,
    /// Studies to be sent.
    pub waiting: u64,
    /// Studies of which something was refused for good.
    pub refused: u64,
    /// Studies given up.
    pub gave_up: u64,
    /// Studies somebody cancelled, lately.
    pub cancelled: u64,
    /// Instances acknowledged, each once.
    pub instances: u64,
}

impl Summary {
    /// Of these jobs.
    pub fn of(jobs: &[Job]) -> Summary {
        let mut summary = Summary::default();
        for job in jobs {
            summary.instances += job.sent;
            *match job.state {
                JobState::Waiting => &mut summary.waiting,
                JobState::Done => &mut summary.done,
                JobState::Refused => &mut summary.refused,
                JobState::GaveUp => &mut summary.gave_up,
                JobState::Cancelled => &mut summary.cancelled,
            } += 1;
        }
        summary
    }
}

/// What one look for work came to.
enum Turn {
    /// Something was done; there may be more.
    Worked,
    /// Nothing is due.
    Idle,
    /// The destination is not there; not again before so many milliseconds.
    Down(u64),
}

impl Forwarder {
    /// A forwarder of `source` by `rules`, with its queue in `book`; `spool` is a folder for large files, `system` how
    /// this one is called in objects that it changes.
    pub fn new(
        source: Arc<dyn Source>,
        rules: Rules,
        book: Book,
        world: World,
        spool: PathBuf,
        system: String,
    ) -> Forwarder {
        let ids = rules.destinations.iter().filter_map(|to| {
            let path = to.local_ids.as_deref()?;
            Some((to.name.clone(), Arc::new(LocalIds::new(path))))
        });
        let ids = ids.collect();
        Forwarder { shared: Arc::new(Shared { source, rules, book, world, spool, system, ids }) }
    }

    /// The queue.
    pub fn book(&self) -> &Book {
        &self.shared.book
    }

    /// Follows and sends until `stop` becomes true. What is under way then is not waited for: it is sent again.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let mut tasks = JoinSet::new();
        let following = Arc::clone(&self.shared);
        tasks.spawn(async move { following.keep_following().await });
        for to in self.shared.rules.destinations.clone() {
            let sending = Arc::clone(&self.shared);
            tasks.spawn(async move { sending.keep_sending(&to).await });
        }
        let _ = stop.wait_for(|stop| *stop).await;
        tasks.shutdown().await;
    }

    /// Reads the feed to its end and sends what is due now, once.
    ///
    /// # Errors
    /// A sentence, where the feed or the queue cannot be read or written.
    pub async fn run_once(&self) -> Result<Summary, String> {
        while self.shared.follow(Duration::ZERO).await? > 0 {}
        for to in &self.shared.rules.destinations {
            while let Turn::Worked = self.shared.turn(to, 0).await {}
        }
        let jobs = self.shared.book.jobs().map_err(|error| error.to_string())?;
        Ok(Summary::of(&jobs))
    }
}

impl Shared {
    async fn keep_following(&self) {
        let mut failed = 0;
        loop {
            match self.follow(FEED_WAIT).await {
                Ok(_) => failed = 0,
                Err(why) => {
                    let wait_ms = self.world.back_off_ms(failed, FEED_RETRY_S_MAX);
                    tracing::warn!(why, wait_ms, "the change feed cannot be followed; it is tried again");
                    failed += 1;
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                }
            }
        }
    }

    async fn keep_sending(&self, to: &Arc<Destination>) {
        let mut down = 0;
        loop {
            match self.turn(to, down).await {
                Turn::Worked => down = 0,
                Turn::Idle => tokio::time::sleep(LOOK_EVERY).await,
                Turn::Down(ms) => {
                    down += 1;
                    tokio::time::sleep(Duration::from_millis(ms)).await;
                }
            }
        }
    }

    /// Queues what the next changes call for. Answers how many there were.
    async fn follow(&self, wait: Duration) -> Result<u64, String> {
        let since = self.begin().await?;
        if self.rules.destinations.is_empty() {
            tokio::time::sleep(wait).await;
            return Ok(0);
        }
        let changes = self.source.changes(since, wait).await?;
        let Some((last, _)) = changes.last() else { return Ok(0) };
        let (last, count) = (*last, changes.len() as u64);
        let (mut facts, mut acts) = (HashMap::new(), Vec::<Act>::new());
        for (seq, change) in changes {
            let Some(change) = change else { continue };
            for to in &self.rules.destinations {
                if self.book.position(&to.name).is_none_or(|position| position < seq)
                    && let Some(act) = self.queued(to, seq, &change, &mut facts).await?
                {
                    // One line a study: the later change stands for the earlier one too.
                    acts.retain(|earlier| !is_same_study(earlier, &act));
                    acts.push(act);
                }
            }
        }
        if acts.is_empty() && last / SEEN_EVERY != since / SEEN_EVERY {
            acts.push(Act::Seen {});
        }
        let write = !acts.is_empty();
        if write {
            self.write(acts).await?;
        }
        self.rules.destinations.iter().for_each(|to| self.book.seen(&to.name, last));
        Ok(count)
    }

    /// From where the feed is read: where the destination stands that has seen least. A new one begins as its rule says.
    async fn begin(&self) -> Result<u64, String> {
        let mut since = u64::MAX;
        for to in &self.rules.destinations {
            let position = match self.book.position(&to.name) {
                Some(position) => position,
                None => {
                    let feed = if to.begin == Begin::First { 0 } else { self.source.end().await? };
                    self.write(vec![Act::Began { to: to.name.clone(), feed }]).await?;
                    feed
                }
            };
            since = since.min(position);
        }
        Ok(since)
    }

    /// What a change means for a destination.
    async fn queued(
        &self,
        to: &Destination,
        seq: u64,
        change: &Change,
        facts: &mut HashMap<(String, bool), Option<Facts>>,
    ) -> Result<Option<Act>, String> {
        let (study, quiet_s) = match (to.when, change) {
            (When::Packed, Change::Packed { study, repacked: false, .. }) => (study, 0),
            (When::QuietS(s), Change::Received { study, .. } | Change::Changed { study, .. }) => (study, s),
            _ => return Ok(None),
        };
        let key = (study.clone(), to.asks_station());
        let known = match facts.get(&key) {
            Some(known) => known.clone(),
            None => facts.entry(key).or_insert(self.source.facts(study, to.asks_station()).await?).clone(),
        };
        let Some(mut known) = known else { return Ok(None) };
        known.centre = change.centre().unwrap_or(&known.centre).to_owned();
        if !to.takes(&known) {
            return Ok(None);
        }
        let job = self.book.job_of(&to.name, study);
        if job.as_ref().is_some_and(|job| job.feed >= seq) {
            return Ok(None);
        }
        Ok(Some(Act::Queued {
            job: job.map(|job| job.id),
            to: to.name.clone(),
            study: study.clone(),
            centre: known.centre,
            feed: seq,
            due: self.world.after_ms(quiet_s.saturating_mul(1000)),
        }))
    }

    async fn write(&self, acts: Vec<Act>) -> Result<(), String> {
        self.book.write(self.world.at(), acts).await.map_err(|error| error.to_string())
    }

    /// Sends the first study that is due. `down`: how often in a row the destination was not there.
    async fn turn(&self, to: &Arc<Destination>, down: u32) -> Turn {
        let due = match self.book.due(&to.name, &self.world.at()) {
            Ok(due) => due,
            Err(error) => {
                tracing::error!(to = to.name, %error, "the queue cannot be read");
                return Turn::Down(FEED_RETRY_S_MAX * 1000);
            }
        };
        let Due::Now(job) = due else { return Turn::Idle };
        let (id, study) = (job.id, job.study.clone());
        let Err(halted) = self.deliver(to, *job).await else { return Turn::Worked };
        let (acts, turn) = self.halted(to, id, halted, down);
        if let Some(Act::Failed { why, .. } | Act::GaveUp { why, .. }) = acts.first() {
            tracing::warn!(to = to.name, study, why, "a study was not sent whole");
        }
        match self.write(acts).await {
            Ok(()) => turn,
            Err(error) => {
                tracing::error!(to = to.name, error, "the queue cannot be written; nothing is sent until it can");
                Turn::Down(FEED_RETRY_S_MAX * 1000)
            }
        }
    }

    fn halted(&self, to: &Destination, job: u64, halted: Halted, down: u32) -> (Vec<Act>, Turn) {
        let attempts = self.book.job(job).map_or(0, |job| job.attempts) + 1;
        let (why, wait_ms, counted, patience) = match halted {
            Halted::Held(why) => (why, HELD_MS, false, None),
            Halted::Trouble(Trouble { why, of_study, patience, retry_after_s }) => {
                let wait_ms = self.world.back_off_ms(if of_study { attempts } else { down }, to.retry_s_max);
                let asked_ms = retry_after_s.unwrap_or(0).min(to.retry_s_max).saturating_mul(1000);
                if !of_study {
                    let due = self.world.after_ms(wait_ms.max(asked_ms));
                    return (vec![Act::Failed { job, why, due, counted: false }], Turn::Down(wait_ms.max(asked_ms)));
                }
                (why, wait_ms.max(asked_ms), true, patience)
            }
        };
        if patience.is_some_and(|times| attempts >= to.attempts_max.saturating_mul(times)) {
            return (vec![Act::GaveUp { job, why }], Turn::Worked);
        }
        let due = self.world.after_ms(wait_ms);
        (vec![Act::Failed { job, why, due, counted }], Turn::Worked)
    }

    /// Sends what is left of a study, and what comes for it meanwhile.
    async fn deliver(&self, to: &Arc<Destination>, job: Job) -> Result<(), Halted> {
        let mut sender = Sender::to(to, &self.spool)?;
        loop {
            let job = self.book.job(job.id).unwrap_or_else(|| job.clone());
            let listed = self.source.instances(&job.study).await.map_err(Trouble::source)?;
            let waiting: Vec<Outgoing> = listed.into_iter().filter(|one| !job.has_settled(one)).collect();
            if waiting.is_empty() {
                sender.close().await;
                self.write(vec![Act::Done { job: job.id, feed: job.feed }]).await.map_err(Trouble::down)?;
                tracing::info!(to = to.name, study = job.study, instances = job.sent, "a study was sent");
                return Ok(());
            }
            let sent = self.send(to, &job, &mut sender, waiting).await;
            if sent.is_err() {
                sender.close().await;
            }
            sent?;
        }
    }

    /// Sends instances in order, a group at a time, and writes down what became of each group.
    async fn send(
        &self,
        to: &Arc<Destination>,
        job: &Job,
        sender: &mut Sender,
        waiting: Vec<Outgoing>,
    ) -> Result<(), Halted> {
        let mut group = Group::default();
        for one in waiting {
            match self.prepare(to, job, one.clone()).await {
                Ok((prepared, coerced)) => group.add(prepared, coerced),
                Err(Unsent::Halted(halted)) => {
                    // Those before it go first: the order is kept.
                    self.settle(to, job, sender, std::mem::take(&mut group)).await?;
                    return Err(halted);
                }
                Err(Unsent::Never(reason)) => {
                    self.settle(to, job, sender, std::mem::take(&mut group)).await?;
                    let refused = vec![Refused { instance: one.sop_instance_uid.clone(), code: 0, reason }];
                    self.write(vec![self.sent(job, &[one], 0, refused, 0)]).await.map_err(Trouble::down)?;
                }
            }
            if group.is_full() {
                self.settle(to, job, sender, std::mem::take(&mut group)).await?;
            }
        }
        self.settle(to, job, sender, group).await
    }

    /// Sends a group and writes down what was acknowledged of it, whatever else happened.
    async fn settle(&self, to: &Destination, job: &Job, sender: &mut Sender, group: Group) -> Result<(), Halted> {
        if group.instances.is_empty() {
            return Ok(());
        }
        let (verdicts, trouble) = sender.send(to, &group.instances).await;
        let (mut settled, mut stored, mut coerced, mut refused, mut later) = (Vec::new(), 0, 0, Vec::new(), None);
        for ((one, verdict), was_coerced) in group.instances.into_iter().zip(verdicts).zip(group.coerced) {
            match verdict {
                // Ordered keys stand for all before them: behind one that was put off, nothing counts.
                Verdict::Stored | Verdict::Refused { .. } if later.is_some() && self.source.is_ordered() => continue,
                Verdict::Stored => {
                    stored += 1;
                    coerced += u64::from(was_coerced);
                }
                Verdict::Refused { code, reason } => {
                    refused.push(Refused { instance: one.instance.sop_instance_uid.clone(), code, reason });
                }
                Verdict::Later(why) => {
                    later = later.or(Some(why));
                    continue;
                }
            }
            settled.push(one.instance);
        }
        if !settled.is_empty() {
            let sent = self.sent(job, &settled, stored, refused, coerced);
            self.write(vec![sent]).await.map_err(Trouble::down)?;
        }
        match (trouble, later) {
            (Some(trouble), _) => Err(trouble.into()),
            (None, Some(why)) => Err(Trouble::put_off(why).into()),
            (None, None) => Ok(()),
        }
    }

    fn sent(&self, job: &Job, settled: &[Outgoing], stored: u64, refused: Vec<Refused>, coerced: u64) -> Act {
        let keys: Vec<u64> = settled.iter().map(|one| one.key).collect();
        let (through, keys) = match self.source.is_ordered() {
            true => (keys.iter().copied().max().unwrap_or(0), Vec::new()),
            false => (0, keys),
        };
        Act::Sent { job: job.id, through, keys, stored, refused, coerced }
    }

    /// The file of an instance as it is to be sent, and whether its patient's ID was changed.
    async fn prepare(&self, to: &Destination, job: &Job, one: Outgoing) -> Result<(Prepared, bool), Unsent> {
        let file = self.source.file(&one).await.map_err(|unread| match unread {
            Unread::Later(why) => Unsent::Halted(Trouble::source(why).into()),
            Unread::Never(why) => Unsent::Never(why),
        })?;
        let (file, coerced) = self.reconciled(to, job, file).await?;
        let prepared = Prepared::of(one, file).await.map_err(Unsent::Never)?;
        // A STOW-RS service is not asked what it takes: what is wanted is sent, where it can be.
        let own = prepared.transfer_syntax_uid.as_str();
        let wanted = to.transfer_syntaxes.iter().find(|wanted| can_become(own, wanted));
        match (&to.address, wanted) {
            (Address::Stow { .. }, Some(wanted)) if *wanted != own => {
                let converted = prepared.in_syntax(wanted, &self.spool).await.map_err(Unsent::Never)?;
                Ok((converted, coerced))
            }
            _ => Ok((prepared, coerced)),
        }
    }

    async fn reconciled(&self, to: &Destination, job: &Job, file: Body) -> Result<(Body, bool), Unsent> {
        let Some(ids) = self.ids.get(&to.name).cloned() else { return Ok((file, false)) };
        let occasion = Occasion { at: job.queued_at.clone(), system: self.system.clone(), centre: job.centre.clone() };
        let (given, spool) = (file.clone(), self.spool.clone());
        let change = move || reconcile(&given, &ids, &occasion, &spool);
        let changed = tokio::task::spawn_blocking(change).await.unwrap_or_else(|error| Err(error.to_string()));
        match changed {
            Ok(Reconciled::Changed(body)) => Ok((body, true)),
            Ok(Reconciled::Unmatched) if to.unmatched == Unmatched::Unchanged => Ok((file, false)),
            Ok(Reconciled::Unmatched) => {
                let why = "held back: its patient has no line in the file of local patient IDs";
                Err(Unsent::Halted(Halted::Held(why.into())))
            }
            Err(why) => Err(Unsent::Halted(Halted::Held(why))),
        }
    }
}

/// Instances that are sent together.
#[derive(Default)]
struct Group {
    instances: Vec<Prepared>,
    coerced: Vec<bool>,
    bytes: u64,
}

impl Group {
    fn add(&mut self, one: Prepared, coerced: bool) {
        self.bytes = self.bytes.saturating_add(one.file.len());
        self.instances.push(one);
        self.coerced.push(coerced);
    }

    fn is_full(&self) -> bool {
        self.instances.len() >= GROUP_MAX || self.bytes >= GROUP_BYTES_MAX
    }
}

/// Why a study stops half way.
enum Halted {
    Trouble(Trouble),
    /// It waits for a person.
    Held(String),
}

impl From<Trouble> for Halted {
    fn from(trouble: Trouble) -> Halted {
        Halted::Trouble(trouble)
    }
}

/// Why an instance is not sent.
enum Unsent {
    Halted(Halted),
    Never(String),
}

/// How a destination is spoken to.
enum Sender {
    CStore(Box<CStore>),
    Stow(Stow),
}

impl Sender {
    fn to(to: &Destination, spool: &Path) -> Result<Sender, Trouble> {
        match &to.address {
            Address::Stow { url, token_file } => Ok(Sender::Stow(Stow::new(url, token_file.as_deref())?)),
            Address::Dimse { .. } => {
                let peer = to.peer().map_err(Trouble::down)?;
                let peer = peer.ok_or_else(|| Trouble::down("it has no AE title"))?;
                Ok(Sender::CStore(Box::new(CStore::new(peer, spool.to_owned()))))
            }
        }
    }

    async fn send(&mut self, to: &Destination, instances: &[Prepared]) -> (Vec<Verdict>, Option<Trouble>) {
        match self {
            Sender::CStore(sender) => sender.send(to, instances).await,
            Sender::Stow(sender) => sender.send(instances).await,
        }
    }

    async fn close(&mut self) {
        if let Sender::CStore(sender) = self {
            sender.close().await;
        }
    }
}

fn is_same_study(earlier: &Act, later: &Act) -> bool {
    match (earlier, later) {
        (Act::Queued { to: a, study: b, .. }, Act::Queued { to: c, study: d, .. }) => (a, b) == (c, d),
        _ => false,
    }
}
