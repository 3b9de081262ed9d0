//! Storage Commitment Push Model (PS3.4 Annex J): a request is answered once it is durable; then every instance it names
//! is read again, rebuilt and hashed; then the outcome is reported, until the peer has taken it.
//!
//! The report goes out on the association of the request while that is open, else on one that this program opens to the
//! peer's address; a peer without an address is told when it associates again. Requests and reports are events of the
//! log `commitments`, so that what is owed at the end of the program is owed at its next start.

mod record;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use archive::{EventLog, Reader};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};

use super::DimseLimits;
use super::association::{Association, Request};
use super::command::N_EVENT_REPORT_RQ;
use super::identifier::Refused;
use super::negotiate::PLAIN;
use super::peers::{Peer, Peers};
use super::scu::{self, CommandSet, Proposal, Scu};
use super::service::{STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE};
use super::transport::Transport;
use crate::admit;
use crate::door::Now;
use crate::error::{
    CLASS_INSTANCE_CONFLICT, DUPLICATE_TRANSACTION_UID, NO_SUCH_OBJECT_INSTANCE, PROCESSING_FAILURE,
    RESOURCE_LIMITATION, Result,
};
use record::{Asked, Logged, Named, Outcome, asked, owed, refused};

/// Commitments that are owed at the same time at the most.
const OWED_MAX: usize = 10_000;
/// Commitments whose instances are read at the same time.
const CHECKED_AT_ONCE: usize = 2;
/// Reports that wait for one association at the most.
const REPORTS_MAX: usize = 16;
/// The first wait after a report that was not taken; each further one is twice as long.
const RETRY_S_MIN: u64 = 5;
/// The longest wait between two tries.
const RETRY_S_MAX: u64 = 3600;
/// Tries after which a report is given up: about four days.
const TRIES_MAX: u32 = 100;

/// A report on its way to an association.
pub struct Report {
    pub outcome: Arc<Outcome>,
    /// Told whether the peer took it; dropped where that is not known.
    pub taken: oneshot::Sender<bool>,
}

/// The reports for one association, while it lasts.
pub struct Reports {
    number: u64,
    queue: mpsc::Receiver<Report>,
    awaited: Arc<AtomicUsize>,
    shared: Arc<Shared>,
}

/// Storage commitment. Clones share what is owed.
#[derive(Clone)]
pub struct Commitments {
    shared: Arc<Shared>,
}

struct Shared {
    reader: Reader,
    log: Arc<EventLog>,
    now: Now,
    peers: Arc<Peers>,
    transport: Arc<dyn Transport>,
    ae_title: String,
    limits: DimseLimits,
    /// AE title and Transaction UID of what is owed.
    owed: Mutex<BTreeSet<Named>>,
    associations: Mutex<BTreeMap<u64, Associated>>,
    next_number: AtomicU64,
    opened: Notify,
    checking: Semaphore,
    retry_min: Duration,
}

/// An open association on which reports may be sent.
#[derive(Clone)]
struct Associated {
    ae_title: String,
    queue: mpsc::Sender<Report>,
}

impl Reports {
    /// The next one; `None` never, while the archive runs.
    pub async fn next(&mut self) -> Option<Report> {
        self.queue.recv().await
    }

    /// Whether a request of this association has not been reported yet.
    pub fn is_awaited(&self) -> bool {
        self.awaited.load(Ordering::Relaxed) > 0
    }
}

impl Drop for Reports {
    fn drop(&mut self) {
        lock(&self.shared.associations).remove(&self.number);
    }
}

impl Commitments {
    /// Storage commitment of the archive behind `reader`; what the log says is owed is taken up again. Needs a tokio
    /// runtime.
    ///
    /// # Errors
    /// When the log cannot be read.
    pub fn start(
        reader: Reader,
        log: Arc<EventLog>,
        now: Now,
        peers: Arc<Peers>,
        transport: Arc<dyn Transport>,
        ae_title: &str,
        limits: DimseLimits,
    ) -> archive::Result<Commitments> {
        Self::start_with(reader, log, now, peers, transport, ae_title, limits, Duration::from_secs(RETRY_S_MIN))
    }

    #[expect(clippy::too_many_arguments, reason = "everything it needs, once, at the start")]
    pub(super) fn start_with(
        reader: Reader,
        log: Arc<EventLog>,
        now: Now,
        peers: Arc<Peers>,
        transport: Arc<dyn Transport>,
        ae_title: &str,
        limits: DimseLimits,
        retry_min: Duration,
    ) -> archive::Result<Commitments> {
        let owed = owed(&log)?;
        let shared = Shared {
            reader,
            log,
            now,
            peers,
            transport,
            ae_title: ae_title.to_owned(),
            limits,
            owed: Mutex::new(owed.keys().cloned().collect()),
            associations: Mutex::default(),
            next_number: AtomicU64::new(0),
            opened: Notify::new(),
            checking: Semaphore::new(CHECKED_AT_ONCE),
            retry_min,
        };
        let commitments = Commitments { shared: Arc::new(shared) };
        for asked in owed.into_values() {
            tokio::spawn(Arc::clone(&commitments.shared).carry(asked, None));
        }
        Ok(commitments)
    }

    /// An association of this AE title was opened that takes reports.
    pub(super) fn associated(&self, ae_title: &str) -> Reports {
        let (sender, queue) = mpsc::channel(REPORTS_MAX);
        let number = self.shared.next_number.fetch_add(1, Ordering::Relaxed);
        let associated = Associated { ae_title: ae_title.to_owned(), queue: sender };
        lock(&self.shared.associations).insert(number, associated);
        self.shared.opened.notify_waiters();
        Reports { number, queue, awaited: Arc::default(), shared: Arc::clone(&self.shared) }
    }

    /// Takes a request over: durable on return.
    async fn request(&self, asked: Asked, by: &Reports) -> Result<(), Refused> {
        let key = (asked.ae_title.clone(), asked.transaction_uid.clone());
        let on = Some((by.number, Awaited::new(&by.awaited)));
        {
            let mut owed = lock(&self.shared.owed);
            if owed.len() >= OWED_MAX {
                return Err(refused(RESOURCE_LIMITATION, "too many commitments are owed; ask again later"));
            }
            if !owed.insert(key.clone()) {
                // PS3.3 C.14.1.1: the Transaction UID is in use; the first request stays as it is.
                let duplicate = |named: &Named| (named.clone(), DUPLICATE_TRANSACTION_UID);
                let failed = asked.instances.iter().map(duplicate).collect();
                let outcome = Outcome { transaction_uid: asked.transaction_uid, committed: Vec::new(), failed };
                tokio::spawn(Arc::clone(&self.shared).deliver(asked.ae_title, Arc::new(outcome), on));
                return Ok(());
            }
        }
        if let Err(error) = self.shared.write(Logged::Requested(asked.clone())).await {
            lock(&self.shared.owed).remove(&key);
            tracing::error!(%error, "the log of commitments cannot be written");
            return Err(refused(PROCESSING_FAILURE, "the request could not be recorded"));
        }
        tokio::spawn(Arc::clone(&self.shared).carry(asked, on));
        Ok(())
    }
}

/// Counts a request as awaited on its association until it has been tried there.
struct Awaited(Arc<AtomicUsize>);

impl Awaited {
    fn new(count: &Arc<AtomicUsize>) -> Awaited {
        count.fetch_add(1, Ordering::Relaxed);
        Awaited(Arc::clone(count))
    }
}

impl Drop for Awaited {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Shared {
    /// Carries a request to its end: checked, reported, logged.
    async fn carry(self: Arc<Self>, asked: Asked, on: Option<(u64, Awaited)>) {
        let outcome = Arc::new(self.check(&asked).await);
        let (committed, failed) = (outcome.committed.len(), outcome.failed.len());
        tracing::info!(committed, failed, "storage commitment of {} was checked", asked.ae_title);
        let taken = Arc::clone(&self).deliver(asked.ae_title.clone(), outcome, on).await;
        let (ae_title, transaction_uid) = (asked.ae_title, asked.transaction_uid);
        let key = (ae_title.clone(), transaction_uid.clone());
        let logged = match taken {
            true => Logged::Reported { ae_title, transaction_uid, committed, failed },
            false => Logged::Abandoned { ae_title, transaction_uid },
        };
        if let Err(error) = self.write(logged).await {
            tracing::error!(%error, "the log of commitments cannot be written; this report is made again at the next start");
        }
        lock(&self.owed).remove(&key);
    }

    /// Reports until it is taken, or given up: false.
    async fn deliver(self: Arc<Self>, ae_title: String, outcome: Arc<Outcome>, on: Option<(u64, Awaited)>) -> bool {
        if let Some((number, _awaited)) = &on {
            let asker = lock(&self.associations).get(number).cloned();
            if self.on_association(asker, &outcome).await {
                return true;
            }
        }
        drop(on);
        let mut wait = self.retry_min;
        for _ in 0..TRIES_MAX {
            let peer = self.peers.named(&ae_title).filter(|peer| peer.address.is_some());
            let has_address = peer.is_some();
            let taken = match peer {
                Some(peer) => self.on_its_own(&peer, &outcome).await,
                None => self.on_association(self.association_of(&ae_title), &outcome).await,
            };
            if taken {
                return true;
            }
            self.pause(&ae_title, has_address, wait).await;
            wait = (wait * 2).min(Duration::from_secs(RETRY_S_MAX));
        }
        tracing::error!("{ae_title} took no report of its storage commitment; it is given up");
        false
    }

    async fn on_association(&self, associated: Option<Associated>, outcome: &Arc<Outcome>) -> bool {
        let Some(associated) = associated else { return false };
        let (taken, answer) = oneshot::channel();
        let sent = associated.queue.send(Report { outcome: Arc::clone(outcome), taken }).await;
        sent.is_ok() && answer.await == Ok(true)
    }

    /// On an association that we open, as the SCP of it.
    async fn on_its_own(&self, peer: &Peer, outcome: &Outcome) -> bool {
        match self.report(peer, outcome).await {
            Ok(0) => true,
            Ok(status) => {
                tracing::warn!("{}: a report of storage commitment was answered {status:04X}", peer.ae_title);
                false
            }
            Err(error) => {
                tracing::warn!("a report of storage commitment was not taken: {error}");
                false
            }
        }
    }

    /// The status that the peer answers on an association of its own.
    async fn report(&self, peer: &Peer, outcome: &Outcome) -> scu::Result<u16> {
        let peer = scu::Peer::known(peer, &self.ae_title, self.transport.as_ref(), self.limits)?;
        let proposal = Proposal { as_scp: true, ..Proposal::new(STORAGE_COMMITMENT, PLAIN) };
        let mut scu = Scu::open(&peer, &[proposal]).await?;
        let context = scu.context_of(STORAGE_COMMITMENT)?;
        let (id, data_set) = (context.id, outcome.data_set(&context.transfer_syntax, &self.ae_title));
        let status = scu.ask(id, report_request(outcome.event_type()), Some(&data_set)).await?.status;
        // It has answered: nothing is lost where it does not take leave.
        let _ = scu.release().await;
        Ok(status)
    }

    fn association_of(&self, ae_title: &str) -> Option<Associated> {
        lock(&self.associations).values().rev().find(|associated| associated.ae_title == ae_title).cloned()
    }

    /// Waits; who has no address is served as soon as it associates.
    async fn pause(&self, ae_title: &str, has_address: bool, wait: Duration) {
        let until = tokio::time::sleep(wait);
        tokio::pin!(until);
        loop {
            tokio::select! {
                () = &mut until => return,
                () = self.opened.notified() => {
                    if !has_address && self.association_of(ae_title).is_some() {
                        return;
                    }
                }
            }
        }
    }

    /// Reads every instance again.
    async fn check(&self, asked: &Asked) -> Outcome {
        let _permit = self.checking.acquire().await;
        let mut outcome = Outcome { transaction_uid: asked.transaction_uid.clone(), ..Outcome::default() };
        for named in &asked.instances {
            match self.check_instance(named).await {
                Ok(()) => outcome.committed.push(named.clone()),
                Err(reason) => outcome.failed.push((named.clone(), reason)),
            }
        }
        outcome
    }

    /// The Failure Reason (PS3.3 C.14.1.1) of an instance that is not safe here.
    async fn check_instance(&self, (class, instance): &Named) -> Result<(), u16> {
        let failed = |detail: String| {
            tracing::error!("storage commitment: instance {instance}: {detail}; run `tsunagu verify`");
            PROCESSING_FAILURE
        };
        let held = self.reader.find(instance).await.map_err(|error| failed(error.to_string()))?;
        let held = held.ok_or(NO_SUCH_OBJECT_INSTANCE)?;
        if held.record.description.instance.sop_class_uid != *class {
            return Err(CLASS_INSTANCE_CONFLICT);
        }
        let body = crate::original::received_body(&self.reader, &held).await.map_err(|e| failed(e.to_string()))?;
        let hashed = tokio::task::spawn_blocking(move || admit::file_digest(&body));
        let digest = hashed.await.map_err(|e| failed(e.to_string()))?.map_err(failed)?;
        match digest == held.record.digests.file {
            true => Ok(()),
            false => Err(failed("what is held is not what was received".into())),
        }
    }

    async fn write(&self, event: Logged) -> std::result::Result<(), String> {
        let event = serde_json::to_value(event).map_err(|error| error.to_string())?;
        let (log, at) = (Arc::clone(&self.log), (self.now)());
        let append = move || log.append(&at, &[event]).map(drop).map_err(|error| error.to_string());
        tokio::task::spawn_blocking(append).await.unwrap_or_else(|error| Err(error.to_string()))
    }
}

impl Association<'_> {
    /// Answers an N-ACTION (PS3.4 §J.3.2).
    ///
    /// # Errors
    /// [`Error::Association`](crate::Error::Association) where it cannot be answered.
    pub(super) async fn commit(&mut self, request: &Request, bytes: &[u8]) -> Result<()> {
        let (Some(commitments), Some(reports)) = (&self.scp().commitments, &self.reports) else {
            return self.unsupported(request).await;
        };
        let taken = match asked(request, bytes, &self.peer().ae_title) {
            Ok(asked) => commitments.request(asked, reports).await,
            Err(refused) => Err(refused),
        };
        match taken {
            Ok(()) => {
                let response = request.command.response(0, "").number(0x1008, request.command.action_type);
                self.exchange.send(request.context_id, &response, None).await
            }
            Err(refused) => self.refuse(request, &refused).await,
        }
    }
}

/// N-EVENT-REPORT-RQ (PS3.7 Table 10.3-1), without its Message ID.
pub(super) fn report_request(event_type: u16) -> CommandSet {
    let command = CommandSet::new(N_EVENT_REPORT_RQ).with_data_set().number(0x1002, event_type);
    command.text(0x0002, STORAGE_COMMITMENT).text(0x1000, STORAGE_COMMITMENT_INSTANCE)
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
