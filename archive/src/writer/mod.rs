//! The one writer: takes in, quarantines, moves to packs. One thread owns the open segment and the index.
//!
//! Commands that wait together are carried out together: their records are appended, **one sync** makes them durable,
//! the receipts ledger and the index follow, and only then is anybody answered.

mod group;

use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;

use rusqlite::Connection;
use tokio::sync::oneshot;

use self::group::{State, next_group};
pub(crate) use self::group::{apply_amendment, apply_pack};
use crate::amendment::{self, Act, Amendment};
use crate::error::{Error, Result};
use crate::event_log::EventLog;
use crate::index;
use crate::intake::Segments;
use crate::located::Commits;
use crate::objects::Objects;
use crate::pack::{self, PackDirectory};
use crate::quarantine::{self, Quarantined};
use crate::unfinished::{self, Left};
use crate::{Batch, Body, TakeIn};

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
    /// Compared with what is held under its SOP Instance UID: the same Data Set, byte for byte, in another file.
    SameDataSet,
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
    /// Nothing was kept: another Data Set is held under its SOP Instance UID, or one whose digest is not known. Compare,
    /// then send again as what it is found to be, or quarantine it.
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
    Removed { number: u64, reply: Reply<()> },
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
            | Command::Removed { reply, .. }
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
    /// Tells readers of this process that the index has changed.
    pub commits: Commits,
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
            commits: start.commits,
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
        check_instant(&take_in.origin.received_at)?;
        self.ask(|reply| Command::TakeIn { take_in: Box::new(take_in), admission, reply }).await
    }

    /// Sets a file aside with its reason. The same file again adds nothing. Durable on return.
    ///
    /// # Errors
    /// When it could not be made durable.
    pub async fn quarantine(&self, record: Quarantined, body: &Body) -> Result<()> {
        check_instant(&record.origin.received_at)?;
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
        check_instant(&batch.opened_at)?;
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

    /// Takes a pack in whose writer was told that it failed and that is in place all the same. Read the backlog after
    /// this: the instances of such a pack are not in intake any more.
    ///
    /// # Errors
    /// When the store cannot be read or the index not be written.
    pub async fn settle_packs(&self) -> Result<()> {
        let _turn = self.shared.packing.lock().await;
        self.settle_pack().await
    }

    /// Begins a pack of one study, after [`Writer::settle_packs`]. One is made at a time; the next call waits for it.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn begin_pack(&self, study_instance_uid: &str, created_at: &str) -> Result<crate::PackBuilder<'_>> {
        let turn = self.shared.packing.lock().await;
        self.settle_pack().await?;
        crate::PackBuilder::begin(self, turn, self.next().pack, study_instance_uid, created_at).await
    }

    /// Removes packs that others replaced at that time (RFC 3339 in UTC) or before; until then readers that found an
    /// instance there may still be reading. Answers how many went. Called again it goes on where it was stopped.
    ///
    /// # Errors
    /// When the index cannot be read or written, or an object not be deleted.
    pub async fn remove_replaced(&self, reader: &crate::Reader, replaced_at_max: &str) -> Result<u64> {
        let until = replaced_at_max.to_owned();
        let numbers = reader.with_index(move |index| index::removable(index, &until)).await?;
        for &number in &numbers {
            // First the object: a row that says more than there is would leave it there for ever.
            self.shared.objects.delete(&pack::key(number)).await?;
            self.ask(|reply| Command::Removed { number, reply }).await?;
        }
        Ok(numbers.len() as u64)
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

/// The ledger takes instants in UTC only; one that is not is the caller's mistake and stops nobody else.
fn check_instant(at: &str) -> Result<()> {
    match at.parse::<jiff::Timestamp>() {
        Ok(_) if at.ends_with('Z') => Ok(()),
        _ => Err(Error::Refused(format!("{at:?} is no time in RFC 3339 and UTC"))),
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
