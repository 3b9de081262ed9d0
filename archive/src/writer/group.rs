//! The writer's thread: carries out groups of commands, in the order that makes every answer true.

use std::sync::mpsc;

use rusqlite::Connection;

use super::{Admission, Command, Reply, TakenIn};
use crate::TakeIn;
use crate::amendment::{Act, Amendment};
use crate::batches::{self, Item, ItemOutcome, ReceiptEvent};
use crate::error::{Error, Result};
use crate::event_log::EventLog;
use crate::index::{self, Place};
use crate::intake::{Meta, Segments};
use crate::located::Commits;
use crate::pack::PackDirectory;
use crate::quarantine::{self, QuarantineState};

/// Commands carried out together at the most.
const GROUP_COMMANDS_MAX: usize = 1024;

/// Waits for a command and takes all that wait behind it. `None` when every handle is gone.
pub(super) fn next_group(inbox: &mpsc::Receiver<Command>, group_bytes_max: u64) -> Option<Vec<Command>> {
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

/// What the writer's thread owns.
pub(super) struct State {
    pub index: Connection,
    pub segments: Segments,
    pub receipts: EventLog,
    pub next_sequence: u64,
    /// Why nothing more is written.
    pub poisoned: Option<String>,
    /// How often the index was changed; counted before anybody is answered.
    pub commits: Commits,
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
    /// Carries commands out together and answers each.
    pub(super) fn carry_out(&mut self, group: Vec<Command>) {
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
        self.commits.count();
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
        self.commits.count();
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
        let record = &instance.record;
        if !index::move_to(&transaction, record.sequence, &record.digests, place)? {
            let meta = Meta {
                description: record.description.clone(),
                origin: record.origin.clone(),
                digests: record.digests,
                variant: record.variant,
            };
            index::insert(&transaction, record.sequence, &meta, record.received_bytes, place)?;
        }
    }
    index::insert_pack(&transaction, directory)?;
    for &replaced in &directory.replaces {
        // A pack that came before this one and has no row was removed before this index was made.
        if !index::mark_replaced(&transaction, replaced, directory.number, &directory.created_at)? {
            index::insert_removed(&transaction, replaced, directory)?;
        }
    }
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
            Command::Removed { number, reply } => {
                index::forget_object(self.index, number)?;
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
        let compared = admission == Admission::SameDataSet && !held.is_empty();
        if compared || held.iter().any(|row| row.is_same_data_set(&take_in.digests)) {
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
        let received_bytes = meta.received_bytes(take_in.body.len());
        index::insert(self.index, sequence, &meta, received_bytes, place).map_err(poisoned)?;
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
