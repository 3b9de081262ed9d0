//! What cannot be rebuilt from images, as an append-only, hash-chained log of JSON lines.
//!
//! A line is, byte for byte and ending in one newline,
//! `{"seq":N,"at":"TIME","event":{…},"prev":"HEX","hash":"HEX"}`. `hash` is the SHA-256 of the line's bytes without
//! the last 75 (`,"hash":"`, 64 digits, `"}`) and newline; `prev` is the hash of the line before, 64 zeros in the first.
//! Nothing is re-serialised to check it. See docs/archive-format.md.

mod events;
mod line;
mod verify;

use std::fmt;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use serde_json::Value;

pub use self::events::{Events, LoggedEvent};
pub use self::verify::Verified;

use self::events::{Lines, last_newline};
use self::line::{Head, LINE_BYTES_MAX, LINE_START, Line};
use crate::{Disk, DiskFile, Error, LocalDisk, Objects, Result};

const COPY_BYTES: usize = 4 << 20;

/// An event log. Several handles, in several processes, may append to one file: each append holds its lock.
pub struct EventLog {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    state: Mutex<State>,
}

struct State {
    file: Box<dyn DiskFile>,
    /// Length of the file up to the line that `head` is of.
    length: u64,
    head: Head,
    /// Why nothing more is written.
    poisoned: Option<String>,
}

impl EventLog {
    /// Opens the log at `path` (`DIR/NAME.jsonl`), or makes it. A last line without newline was torn and never
    /// acknowledged: it is cut off. Earlier lines are not read; that is [`EventLog::verify`].
    ///
    /// # Errors
    /// [`Error::Damaged`] when the last whole line is not one of an event log; [`Error::Io`] from the disk.
    pub fn open(path: &Path) -> Result<EventLog> {
        EventLog::open_on(Arc::new(LocalDisk), path)
    }

    /// As [`EventLog::open`], on the disk given.
    ///
    /// # Errors
    /// As [`EventLog::open`].
    pub fn open_on(disk: Arc<dyn Disk>, path: &Path) -> Result<EventLog> {
        let dir = path.parent().unwrap_or(Path::new(""));
        disk.create_dir_all(dir).map_err(Error::io("creating the directory of the event log", path))?;
        let mut file = disk.open_append(path).map_err(Error::io("opening the event log", path))?;
        let (length, head) = locked(&mut file, path, |file| {
            // Always, not only for a new file: whoever made it may have stopped before these.
            file.sync_data().map_err(Error::io("sync of the event log", path))?;
            disk.sync_dir(dir).map_err(Error::io("sync of the directory of the event log", path))?;
            find_head(disk.as_ref(), path, file)
        })?;
        let state = Mutex::new(State { file, length, head, poisoned: None });
        Ok(EventLog { disk, path: path.into(), state })
    }

    /// Appends the events, in order, with one write and one sync; they are durable on return. `at` is when they
    /// happened, RFC 3339 in UTC. Answers the number of the last one (with no events: of the last in the log).
    ///
    /// # Errors
    /// [`Error::Refused`] for a time that is not in UTC and an event that is not a JSON object (or is longer than 16 MiB or
    /// deeper than 100 levels): then none of the group is logged. [`Error::Io`] when the write failed and was undone;
    /// after a failed sync, or an undo that failed, this and every later append answers [`Error::Poisoned`].
    pub fn append(&self, at: &str, events: &[Value]) -> Result<u64> {
        if !at.ends_with('Z') || at.parse::<jiff::Timestamp>().is_err() {
            return Err(Error::Refused(format!("event not logged: {at:?} is no RFC 3339 time in UTC")));
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(why) = &state.poisoned {
            return Err(Error::Poisoned(why.clone()));
        }
        let State { file, length, head, poisoned } = &mut *state;
        locked(file, &self.path, |file| {
            (*length, *head) = self.catch_up(file, *length, *head)?;
            let (mut bytes, mut next) = (Vec::new(), *head);
            for event in events {
                next = Line::encode(next, at, event, &mut bytes)?;
            }
            if bytes.is_empty() {
                return Ok(head.seq);
            }
            self.write(file, *length, &bytes, poisoned)?;
            *length += bytes.len() as u64;
            *head = next;
            Ok(next.seq)
        })
    }

    /// The events from number `seq` on (the first is 1), as they are in the file when asked for.
    pub fn read_from(&self, seq: u64) -> Events {
        Events::of(self.disk.clone(), &self.path, seq)
    }

    /// Number of the last event this handle knows of; 0 when there is none.
    pub fn last_seq(&self) -> u64 {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).head.seq
    }

    /// Reads and checks every line of the log at `path`. A chain cannot tell that its own end was cut off: compare the
    /// answer with a snapshot, or with a hash kept elsewhere.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming the first bad line: its number, its byte, and whether it was altered, removed, inserted
    /// or reordered.
    pub fn verify(path: &Path) -> Result<Verified> {
        EventLog::verify_on(Arc::new(LocalDisk), path)
    }

    /// As [`EventLog::verify`], on the disk given.
    ///
    /// # Errors
    /// As [`EventLog::verify`].
    pub fn verify_on(disk: Arc<dyn Disk>, path: &Path) -> Result<Verified> {
        verify::verify(disk, path)
    }

    /// Copies the log, once verified, to the object `key`, and then its head to `KEY.head.json`
    /// (`{"events":N,"head_hash":"HEX","bytes":N}`): a copy without a head was not finished.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the log is not as it was written, and then nothing is copied; or what the store answers,
    /// also when `key` is taken.
    pub async fn snapshot(&self, objects: &Objects, key: &str) -> Result<Verified> {
        let (disk, path) = (self.disk.clone(), self.path.clone());
        let verified = blocking(move || EventLog::verify_on(disk, &path)).await?;
        let mut writer = objects.writer(key).await?;
        let mut offset = 0;
        while offset < verified.bytes {
            let wanted = (verified.bytes - offset).min(COPY_BYTES as u64) as usize;
            let (disk, path) = (self.disk.clone(), self.path.clone());
            let block = blocking(move || read_block(disk.as_ref(), &path, offset, wanted)).await?;
            offset += wanted as u64;
            writer.write(block).await?;
        }
        writer.finish().await?;
        let head = serde_json::json!({
            "events": verified.events, "head_hash": crate::hex(&verified.head_hash), "bytes": verified.bytes,
        });
        objects.put_new(&format!("{key}.head.json"), head.to_string().into()).await?;
        Ok(verified)
    }

    /// Reads what others have appended since. The lock is held, so a line without newline has no living writer.
    fn catch_up(&self, file: &mut Box<dyn DiskFile>, length: u64, head: Head) -> Result<(u64, Head)> {
        let now = file.length().map_err(Error::io("looking at the event log", &self.path))?;
        if now == length {
            return Ok((length, head));
        }
        if now < length {
            let detail = format!("it was {length} bytes long and is now {now}: its end was cut off");
            return Err(Error::damaged(log_name(&self.path), detail));
        }
        let mut lines = Lines::new(self.disk.clone(), &self.path, length);
        let mut head = head;
        while let Some((offset, bytes)) = lines.next()? {
            let line = Line::parse(bytes).filter(|line| line.follows(head)).ok_or_else(|| {
                let detail = format!("the line at byte {offset} does not follow the one before it");
                Error::damaged(log_name(&self.path), detail)
            })?;
            head = line.head();
        }
        let length = lines.offset();
        if length < now {
            file.truncate(length).map_err(Error::io("cutting off a torn line", &self.path))?;
        }
        Ok((length, head))
    }

    fn write(
        &self,
        file: &mut Box<dyn DiskFile>,
        length: u64,
        bytes: &[u8],
        poisoned: &mut Option<String>,
    ) -> Result<()> {
        let poison = |poisoned: &mut Option<String>, what: &str, error: std::io::Error| {
            let why = format!("{what} on {}: {error}", self.path.display());
            *poisoned = Some(why.clone());
            Error::Poisoned(why)
        };
        if let Err(error) = file.append(&[IoSlice::new(bytes)]) {
            return match file.truncate(length) {
                Ok(()) => Err(Error::io("writing the event log", &self.path)(error)),
                Err(undo) => Err(poison(poisoned, "undoing a failed write", undo)),
            };
        }
        file.sync_data().map_err(|error| {
            // Never acknowledged, so it is taken out again if the disk allows; whether it was is unknown.
            let _ = file.truncate(length);
            poison(poisoned, "sync", error)
        })
    }
}

impl fmt::Debug for EventLog {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        to.debug_struct("EventLog").field("path", &self.path).finish_non_exhaustive()
    }
}

/// The number of the last event of the log at `path`, as it is in the file now; 0 where there is none.
pub(crate) fn end_of(disk: &dyn Disk, path: &Path) -> Result<u64> {
    events::end_of(disk, path)
}

/// How a log is called in messages.
fn log_name(path: &Path) -> String {
    format!("event log {}", path.display())
}

/// Runs `act` while the file's lock is held.
fn locked<T>(
    file: &mut Box<dyn DiskFile>,
    path: &Path,
    act: impl FnOnce(&mut Box<dyn DiskFile>) -> Result<T>,
) -> Result<T> {
    file.lock().map_err(Error::io("locking the event log", path))?;
    let result = act(file);
    // A lock that cannot be given back goes with the file; what was done under it stands.
    if let Err(error) = file.unlock() {
        tracing::warn!(path = %path.display(), %error, "the lock of the event log was not given back");
    }
    result
}

/// Length and head of the log as it is, after a torn last line has been cut off.
fn find_head(disk: &dyn Disk, path: &Path, file: &mut Box<dyn DiskFile>) -> Result<(u64, Head)> {
    let damaged = |detail: &str| Error::damaged(log_name(path), detail);
    let found = file.length().map_err(Error::io("looking at the event log", path))?;
    let length = last_newline(disk, path, found)?.map_or(0, |at| at + 1);
    if length < found {
        let torn = read_block(disk, path, length, (found - length).min(LINE_START.len() as u64) as usize)?;
        // Zeros: some file systems grow a file before the bytes are in it.
        if found - length > LINE_BYTES_MAX as u64 || !(LINE_START.starts_with(&torn) || torn.starts_with(b"\0")) {
            return Err(damaged("its end is not the beginning of a line; is this another file?"));
        }
        file.truncate(length).map_err(Error::io("cutting off a torn line", path))?;
        file.sync_data().map_err(Error::io("sync of the event log", path))?;
    }
    let Some(end) = length.checked_sub(1) else { return Ok((0, Head::default())) };
    let start = last_newline(disk, path, end)?.map_or(0, |at| at + 1);
    if length - start > LINE_BYTES_MAX as u64 {
        return Err(damaged("its last line is longer than 16 MiB"));
    }
    let line = Line::parse(&read_block(disk, path, start, (end - start) as usize)?);
    let line = line.ok_or_else(|| damaged(&format!("its last line, at byte {start}, is altered")))?;
    Ok((length, line.head()))
}

fn read_block(disk: &dyn Disk, path: &Path, offset: u64, length: usize) -> Result<Bytes> {
    let mut block = vec![0; length];
    let read = disk.read_at(path, offset, &mut block).map_err(Error::io("reading the event log", path))?;
    if read != length {
        return Err(Error::damaged(log_name(path), "it became shorter while it was read"));
    }
    Ok(block.into())
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(act).await;
    done.map_err(|error| Error::Refused(format!("reading the event log was stopped: {error}")))?
}

#[cfg(test)]
mod tests;
