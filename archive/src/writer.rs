//! The one writer: takes in, quarantines, moves to packs. One thread owns the open segment and the index.
//!
//! Commands that wait together are carried out together: their records are appended, **one sync** makes them durable,
//! the receipts ledger and the index follow, and only then is anybody answered.

use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use crate::amendment::{self, Act, Amendment};
use crate::batches::{self, Item, ItemOutcome, ReceiptEvent};
use crate::error::{Error, Result};
use crate::event_log::EventLog;
use crate::index::{self, Place};
use crate::intake::{Meta, Segments};
use crate::objects::Objects;
use crate::pack::{self, PackDirectory};
use crate::quarantine::{self, QuarantineState, Quarantined};
use crate::unfinished::{self, Left};
use crate::{Batch, Body, TakeIn};

/// Commands carried out together at the most.
const GROUP_COMMANDS_MAX: usize = 1024;

/// Bounds of the writer; each is documented with its default.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// A segment that has grown this long is closed and another begun. Bytes; default 256 MiB.
    pub segment_bytes_max: u64,
    /// Bodies that are written before the group is synced, at the most (one body may be larger). Bytes; default 64 MiB.
    pub group_bytes_max: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { segment_bytes_max: 256 << 20, group_bytes_max: 64 << 20 }
    }
}

/// How an instance comes in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// As it was sent.
    Ordinary,
    /// Compared with what is held under its SOP Instance UID: the same values in another transfer syntax.
    Variant,
    /// Somebody decided that it is to be kept, whatever is held.
    Released,
}

/// What became of an instance. All but [`TakenIn::Collision`] and [`TakenIn::OtherPerson`] are said of durable bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TakenIn {
    /// Newly kept.
    Stored,
    /// Newly kept beside another of its SOP Instance UID.
    Variant,
    /// Held already with the same Data Set.
    AlreadyHeld,
    /// Nothing was kept: another Data Set is held under its SOP Instance UID. Compare, then send again as a variant, or
    /// quarantine it.
    Collision,
    /// Nothing was kept: its study is held as another person's.
    OtherPerson {
        /// Issuer and Patient ID of the held study.
        held: (String, String),
    },
}

type Reply<T> = oneshot::Sender<Result<T>>;

enum Command {
    TakeIn { take_in: Box<TakeIn>, admission: Admission, reply: Reply<TakenIn> },
    Quarantine { record: Box<Quarantined>, reply: Reply<()> },
    OpenBatch { batch: Batch, reply: Reply<()> },
    PutPack { directory: Arc<PackDirectory>, reply: Reply<()> },
    Amend { amendment: Amendment, reply: Reply<()> },
}

impl Command {
    fn body_bytes(&self) -> u64 {
        match self {
            Command::TakeIn { take_in, .. } => take_in.body.len(),
            _ => 0,
        }
    }

    /// Answers a command that was not carried out.
    fn refuse(self, error: &str) {
        let error = || Error::Poisoned(error.to_owned());
        match self {
            Command::TakeIn { reply, .. } => drop(reply.send(Err(error()))),
            Command::Quarantine { reply, .. }
            | Command::OpenBatch { reply, .. }
            | Command::PutPack { reply, .. }
            | Command::Amend { reply, .. } => drop(reply.send(Err(error()))),
        }
    }
}

/// The handle to the one writer of an archive. Clones share it; the archive is closed when the last one goes.
#[derive(Clone, Debug)]
pub struct Writer {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    commands: Option<mpsc::Sender<Command>>,
    thread: Option<JoinHandle<()>>,
    objects: Objects,
    next: Mutex<Next>,
    packing: tokio::sync::Mutex<()>,
    deciding: tokio::sync::Mutex<()>,
}

#[derive(Clone, Copy, Debug)]
struct Next {
    pack: u64,
    amendment: u64,
}

impl Drop for Shared {
    fn drop(&mut self) {
        self.commands = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What the writer's thread is given to begin with.
pub(crate) struct Start {
    pub index: Connection,
    pub segments: Segments,
    pub receipts: EventLog,
    pub next_sequence: u64,
    pub next_pack: u64,
    pub next_amendment: u64,
    pub settings: Settings,
    /// Held for as long as the thread lives.
    pub lock: std::fs::File,
}

impl Writer {
    /// Starts the thread.
    ///
    /// # Errors
    /// When the system has no thread to give.
    pub(crate) fn start(start: Start, objects: Objects) -> Result<Writer> {
        let (commands, inbox) = mpsc::channel();
        let next = Next { pack: start.next_pack, amendment: start.next_amendment };
        let mut state = State {
            index: start.index,
            segments: start.segments,
            receipts: start.receipts,
            next_sequence: start.next_sequence,
            poisoned: None,
        };
        let (group_bytes_max, lock) = (start.settings.group_bytes_max, start.lock);
        let run = move || {
            let _held_while_writing = lock;
            while let Some(group) = next_group(&inbox, group_bytes_max) {
                state.carry_out(group);
            }
        };
        let thread = std::thread::Builder::new().name("archive-writer".into()).spawn(run);
        let thread = thread.map_err(|e| Error::Poisoned(format!("the writer cannot start: {e}")))?;
        Ok(Writer {
            shared: Arc::new(Shared {
                commands: Some(commands),
                thread: Some(thread),
                objects,
                next: Mutex::new(next),
                packing: tokio::sync::Mutex::new(()),
                deciding: tokio::sync::Mutex::new(()),
            }),
        })
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let gone = || Error::Poisoned("the writer has ended".into());
        self.shared.commands.as_ref().ok_or_else(gone)?.send(command(reply)).map_err(|_| gone())?;
        answer.await.map_err(|_| gone())?
    }

    /// Takes in one instance. The answer is said after its bytes are durable and it can be found.
    ///
    /// # Errors
    /// When it could not be made durable; nothing is acknowledged then, and sending it again is safe.
    pub async fn take_in(&self, take_in: TakeIn, admission: Admission) -> Result<TakenIn> {
        self.ask(|reply| Command::TakeIn { take_in: Box::new(take_in), admission, reply }).await
    }

    /// Sets a file aside with its reason. The same file again adds nothing. Durable on return.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub async fn quarantine(&self, record: Quarantined, body: &Body) -> Result<()> {
        let key = quarantine::record_key(&record.digest);
        let left: Left<Quarantined> = unfinished::json(&self.shared.objects, &key).await?;
        if matches!(left, Left::Torn) {
            self.shared.objects.delete(&key).await?;
        }
        if !matches!(left, Left::Whole(_)) {
            put_body(&self.shared.objects, &quarantine::body_key(&record.digest), body).await?;
            let json = serde_json::to_vec_pretty(&record).map_err(|e| Error::damaged(&key, e.to_string()))?;
            match self.shared.objects.put_new(&key, json.into()).await {
                // Set aside at the same moment by somebody else: the first record stands.
                Err(Error::Refused(_)) | Ok(()) => {}
                Err(error) => return Err(error),
            }
        }
        self.ask(|reply| Command::Quarantine { record: Box::new(record), reply }).await
    }

    /// Opens a batch, or says again what it is. Durable on return.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub async fn open_batch(&self, batch: Batch) -> Result<()> {
        self.ask(|reply| Command::OpenBatch { batch, reply }).await
    }

    /// Writes a decision about a quarantined file down and applies it. Durable on return.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub async fn amend(&self, at: &str, who: &str, why: &str, act: Act) -> Result<()> {
        let _one_at_a_time = self.shared.deciding.lock().await;
        self.settle_amendment().await?;
        let number = self.next().amendment;
        let amendment = Amendment { number, at: at.into(), who: who.into(), why: why.into(), act };
        let json = serde_json::to_vec_pretty(&amendment).map_err(|e| Error::damaged("amendment", e.to_string()))?;
        self.shared.objects.put_new(&amendment::key(number), json.into()).await?;
        self.apply_decision(amendment).await
    }

    /// Applies an amendment that is in place.
    async fn apply_decision(&self, amendment: Amendment) -> Result<()> {
        let discarded = match &amendment.act {
            Act::QuarantineDiscarded { digest } => Some(quarantine::body_key(digest)),
            Act::QuarantineReleased { .. } => None,
        };
        self.ask(|reply| Command::Amend { amendment, reply }).await?;
        self.next_mut(|next| next.amendment += 1);
        match discarded {
            Some(key) => self.shared.objects.delete(&key).await,
            None => Ok(()),
        }
    }

    /// An amendment whose writer was told that it failed may be there all the same: it holds then.
    async fn settle_amendment(&self) -> Result<()> {
        let key = amendment::key(self.next().amendment);
        match unfinished::json::<Amendment>(&self.shared.objects, &key).await? {
            Left::Nothing => Ok(()),
            Left::Torn => self.shared.objects.delete(&key).await,
            Left::Whole(amendment) => self.apply_decision(amendment).await,
        }
    }

    /// Begins a pack of one study. One is made at a time; the next call waits for it. Read the backlog after this: an
    /// earlier pack may only now be found to be in place, and has its instances then.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn begin_pack(&self, study_instance_uid: &str, created_at: &str) -> Result<crate::PackBuilder<'_>> {
        let turn = self.shared.packing.lock().await;
        self.settle_pack().await?;
        crate::PackBuilder::begin(self, turn, self.next().pack, study_instance_uid, created_at).await
    }

    /// As [`Writer::settle_amendment`], for the pack of the next number.
    async fn settle_pack(&self) -> Result<()> {
        let number = self.next().pack;
        match unfinished::pack(&self.shared.objects, number).await? {
            Left::Nothing => Ok(()),
            Left::Torn => self.shared.objects.delete(&pack::key(number)).await,
            Left::Whole(directory) => self.put_pack(Arc::new(directory)).await,
        }
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.shared.objects
    }

    /// Moves the instances of a finished pack from intake to it.
    pub(crate) async fn put_pack(&self, directory: Arc<PackDirectory>) -> Result<()> {
        self.ask(|reply| Command::PutPack { directory, reply }).await?;
        // Not before: a pack that the index would not take is found by the next call, not made again beside it.
        self.next_mut(|next| next.pack += 1);
        Ok(())
    }

    fn next(&self) -> Next {
        *self.shared.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn next_mut(&self, change: impl FnOnce(&mut Next)) {
        change(&mut self.shared.next.lock().unwrap_or_else(std::sync::PoisonError::into_inner));
    }
}

async fn put_body(objects: &Objects, key: &str, body: &Body) -> Result<()> {
    match objects.len(key).await {
        // Its name is its digest: what is there already is the same, if it is all there.
        Ok(bytes) if bytes == body.len() => return Ok(()),
        Ok(_) => objects.delete(key).await?,
        Err(Error::NotFound(_)) => {}
        Err(error) => return Err(error),
    }
    let mut writer = objects.writer(key).await?;
    match body {
        Body::Memory(bytes) => writer.write(bytes.clone()).await?,
        Body::Spooled(..) => {
            let mut reader = body.reader().map_err(|e| Error::damaged("spooled body", e.to_string()))?;
            loop {
                let mut chunk = Vec::new();
                std::io::Read::read_to_end(&mut std::io::Read::take(&mut reader, 4 << 20), &mut chunk)
                    .map_err(|e| Error::damaged("spooled body", e.to_string()))?;
                if chunk.is_empty() {
                    break;
                }
                writer.write(chunk.into()).await?;
            }
        }
    }
    writer.finish().await?;
    Ok(())
}

/// Waits for a command and takes all that wait behind it. `None` when every handle is gone.
fn next_group(inbox: &mpsc::Receiver<Command>, group_bytes_max: u64) -> Option<Vec<Command>> {
    let first = inbox.recv().ok()?;
    let mut bytes = first.body_bytes();
    let mut group = vec![first];
    while bytes < group_bytes_max && group.len() < GROUP_COMMANDS_MAX {
        let Ok(command) = inbox.try_recv() else { break };
        bytes += command.body_bytes();
        group.push(command);
    }
    Some(group)
}

struct State {
    index: Connection,
    segments: Segments,
    receipts: EventLog,
    next_sequence: u64,
    poisoned: Option<String>,
}

/// Answers to give once the group is durable.
type Answers = Vec<Answer>;
/// One of them; it is told why, if the group failed.
type Answer = Box<dyn FnOnce(Option<&str>)>;

fn later<T: 'static>(reply: Reply<T>, outcome: T) -> Answer {
    Box::new(move |failed| {
        let answer = match failed {
            None => Ok(outcome),
            Some(why) => Err(Error::Poisoned(why.to_owned())),
        };
        // Nobody may be waiting any more: a client that hung up.
        drop(reply.send(answer));
    })
}

impl State {
    fn carry_out(&mut self, group: Vec<Command>) {
        if let Some(why) = &self.poisoned {
            group.into_iter().for_each(|command| command.refuse(why));
            return;
        }
        let (packs, others): (Vec<_>, Vec<_>) =
            group.into_iter().partition(|command| matches!(command, Command::PutPack { .. }));
        if !others.is_empty() {
            self.carry_out_group(others);
        }
        for command in packs {
            if let Command::PutPack { directory, reply } = command {
                let moved = match &self.poisoned {
                    Some(why) => Err(Error::Poisoned(why.clone())),
                    None => self.move_to_pack(&directory),
                };
                drop(reply.send(moved));
            }
        }
    }

    fn carry_out_group(&mut self, group: Vec<Command>) {
        let mut answers = Answers::new();
        let result = self.write_group(group, &mut answers);
        let failed = result.err().map(|error| error.to_string());
        for answer in answers {
            answer(failed.as_deref());
        }
        self.poisoned = self.poisoned.take().or(failed);
    }

    /// Appends, syncs, ledgers, commits. An error here means that what is on disk is unknown: the caller stops writing.
    fn write_group(&mut self, group: Vec<Command>, answers: &mut Answers) -> Result<()> {
        self.segments.close_if_full();
        let mut events = Vec::new();
        let transaction = self.index.unchecked_transaction()?;
        for command in group {
            let mut step = Step {
                index: &transaction,
                segments: &mut self.segments,
                next_sequence: &mut self.next_sequence,
                events: &mut events,
            };
            step.carry_out(command, answers)?;
        }
        self.segments.sync()?;
        if let Some((number, length)) = self.segments.open_length() {
            index::set_replayed(&transaction, number, length)?;
            // A number is never given twice, even if the index forgets that the segment was removed.
            index::set_mark(&transaction, "segments_through", number)?;
        }
        if !events.is_empty() {
            let values = events.iter().map(batches::to_value).collect::<Result<Vec<_>>>()?;
            let through = self.receipts.append(&last_received(&events), &values)?;
            index::set_mark(&transaction, "receipts_through", through)?;
        }
        transaction.commit()?;
        Ok(())
    }

    fn move_to_pack(&mut self, directory: &PackDirectory) -> Result<()> {
        // Synced: a segment may be deleted after this, and the index must not forget where its instances went.
        self.index.pragma_update(None, "synchronous", "FULL")?;
        let moved = apply_pack(&self.index, directory);
        let _ = self.index.pragma_update(None, "synchronous", "NORMAL"); // FULL is safe too
        if let Err(error) = moved {
            // The pack is in place and the index does not say so: only a start brings them together again.
            self.poisoned = Some(error.to_string());
            return Err(error);
        }
        if let Err(error) = self.remove_empty_segments() {
            // The pack holds; the segments only take up room, and the next pack tries again.
            tracing::warn!(%error, "an intake segment could not be removed");
        }
        Ok(())
    }

    fn remove_empty_segments(&mut self) -> Result<()> {
        for number in index::empty_segments(&self.index)? {
            if self.segments.open_length().is_some_and(|(open, _)| open == number) {
                self.segments.close();
            }
            self.segments.remove(number)?;
            index::forget_segment(&self.index, number)?;
        }
        Ok(())
    }
}

/// Applies a finished pack to the index in one transaction: also how a pack is met again at start or in a rebuild.
pub(crate) fn apply_pack(connection: &Connection, directory: &PackDirectory) -> Result<()> {
    let transaction = connection.unchecked_transaction()?;
    for instance in &directory.instances {
        let place = Place::Pack { number: directory.number, entry: instance.entry };
        if !index::move_to(&transaction, instance.record.sequence, place)? {
            let record = &instance.record;
            let meta = Meta {
                description: record.description.clone(),
                origin: record.origin.clone(),
                digests: record.digests,
                variant: record.variant,
            };
            index::insert(&transaction, record.sequence, &meta, record.received_bytes, place)?;
        }
    }
    let PackDirectory { number, study_instance_uid, object_bytes, key, .. } = directory;
    index::insert_pack(&transaction, *number, study_instance_uid, *object_bytes, key)?;
    index::set_mark(&transaction, "packs_through", directory.number)?;
    transaction.commit()?;
    Ok(())
}

/// The log's time is that of the newest thing it tells of: the writer reads no clock.
fn last_received(events: &[ReceiptEvent]) -> String {
    events.iter().map(ReceiptEvent::at).max().unwrap_or_default().to_owned()
}

/// One command's work within a group.
struct Step<'a> {
    index: &'a Connection,
    segments: &'a mut Segments,
    next_sequence: &'a mut u64,
    events: &'a mut Vec<ReceiptEvent>,
}

impl Step<'_> {
    /// An error stops the writer; an error of this one command only is its answer.
    fn carry_out(&mut self, command: Command, answers: &mut Answers) -> Result<()> {
        match command {
            Command::TakeIn { take_in, admission, reply } => match self.take_in(&take_in, admission) {
                Ok(outcome) => answers.push(later(reply, outcome)),
                Err(error @ Error::Io { .. }) => drop(reply.send(Err(error))),
                Err(error) => {
                    let why = error.to_string();
                    drop(reply.send(Err(error)));
                    return Err(Error::Poisoned(why));
                }
            },
            Command::Quarantine { record, reply } => {
                quarantine::insert(self.index, &record)?;
                if let Some(digest) = crate::unhex(&record.digest) {
                    let reason = Some(record.reason.clone());
                    self.ledger(Item::of(&record.origin, &digest, ItemOutcome::Quarantined, reason), &record.origin)?;
                }
                answers.push(later(reply, ()));
            }
            Command::OpenBatch { batch, reply } => {
                let event = ReceiptEvent::Batch(batch);
                batches::apply(self.index, &event)?;
                self.events.push(event);
                answers.push(later(reply, ()));
            }
            Command::Amend { amendment, reply } => {
                apply_amendment(self.index, &amendment)?;
                answers.push(later(reply, ()));
            }
            Command::PutPack { reply, .. } => drop(reply.send(Err(Error::Refused("packs are put one by one".into())))),
        }
        Ok(())
    }

    fn take_in(&mut self, take_in: &TakeIn, admission: Admission) -> Result<TakenIn> {
        let description = &take_in.description;
        let digest = &take_in.digests.file;
        let held = index::lookup(self.index, &description.instance.sop_instance_uid)?;
        let data_set = index::short(&take_in.digests.data_set);
        if held.iter().any(|row| row.data_set == data_set) {
            let recorded = batches::outcome(self.index, &take_in.origin, digest)?;
            self.ledger(Item::of(&take_in.origin, digest, ItemOutcome::AlreadyHeld, None), &take_in.origin)?;
            return Ok(match recorded {
                Some(ItemOutcome::Stored) => TakenIn::Stored,
                Some(ItemOutcome::Variant) => TakenIn::Variant,
                _ => TakenIn::AlreadyHeld,
            });
        }
        if !held.is_empty() && admission == Admission::Ordinary {
            return Ok(TakenIn::Collision);
        }
        if admission != Admission::Released
            && let Some(held) = index::person_of_study(self.index, &description.study.study_instance_uid)?
            && held != person(take_in)
        {
            return Ok(TakenIn::OtherPerson { held });
        }
        self.store(take_in, !held.is_empty())
    }

    fn store(&mut self, take_in: &TakeIn, variant: bool) -> Result<TakenIn> {
        let meta = Meta {
            description: take_in.description.clone(),
            origin: take_in.origin.clone(),
            digests: take_in.digests,
            variant,
        };
        let sequence = *self.next_sequence;
        let at = self.segments.append(sequence, &meta, take_in)?;
        *self.next_sequence += 1;
        let place = Place::Segment { number: at.segment, offset: at.offset };
        index::insert(self.index, sequence, &meta, take_in.body.len(), place).map_err(poisoned)?;
        let outcome = if variant { ItemOutcome::Variant } else { ItemOutcome::Stored };
        self.ledger(Item::of(&take_in.origin, &take_in.digests.file, outcome, None), &take_in.origin)?;
        Ok(if variant { TakenIn::Variant } else { TakenIn::Stored })
    }

    /// Writes a file's outcome into its batch's receipt, unless the receipt has one.
    fn ledger(&mut self, item: Option<Item>, origin: &crate::Origin) -> Result<()> {
        let Some(item) = item else { return Ok(()) };
        let digest = crate::unhex(&item.digest).unwrap_or_default();
        if batches::outcome(self.index, origin, &digest)?.is_none() {
            let event = ReceiptEvent::Item(item);
            batches::apply(self.index, &event)?;
            self.events.push(event);
        }
        Ok(())
    }
}

fn poisoned(error: Error) -> Error {
    Error::Poisoned(error.to_string())
}

fn person(take_in: &TakeIn) -> (String, String) {
    let patient = &take_in.description.study.patient;
    (patient.issuer_of_patient_id.clone(), patient.patient_id.clone())
}

/// Applies one amendment to the index.
pub(crate) fn apply_amendment(connection: &Connection, amendment: &Amendment) -> Result<()> {
    let (digest, state) = match &amendment.act {
        Act::QuarantineReleased { digest } => (digest, QuarantineState::Released),
        Act::QuarantineDiscarded { digest } => (digest, QuarantineState::Discarded),
    };
    quarantine::set_state(connection, digest, state)?;
    index::set_mark(connection, "amendments_through", amendment.number)
}
