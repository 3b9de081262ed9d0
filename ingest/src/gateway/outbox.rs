//! What was taken over from a modality and is not at the exchange yet: files in folders, a folder a batch.
//!
//! `outbox/open/` is filled; sealed, it gets the name of its batch, and nothing is added to it any more. A file is synced
//! and named before its sender is answered, so a kill at any moment loses nothing that was answered: what has no name of
//! its own yet is removed at the next start. The same file again has the same name.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use archive::{Body, Origin};
use async_trait::async_trait;
use serde::Serialize;

use crate::door::{Gate, InstanceUids, Received, Refusal, Taken};

const OPEN: &str = "open";
/// A file that is being written ends so.
const PART: &str = ".part";
/// Digits of the digest in a file's name.
const DIGEST_DIGITS: usize = 24;

/// The outbox of a gateway.
#[derive(Clone, Debug)]
pub struct Outbox {
    dir: Arc<PathBuf>,
    /// Held for reading while a file is written, for writing while the open folder is sealed.
    state: Arc<RwLock<()>>,
    seen: Arc<std::sync::Mutex<Seen>>,
}

/// What came since the open folder was begun.
#[derive(Clone, Copy, Debug, Default)]
struct Seen {
    files: u64,
    first: Option<Instant>,
    last: Option<Instant>,
}

/// A sealed batch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Batch {
    /// Its id: the name of its folder.
    pub id: String,
    /// Files in it.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// What is still to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Backlog {
    /// Files that are in no batch yet.
    pub open_files: u64,
    /// Their bytes.
    pub open_bytes: u64,
    /// Sealed batches, the oldest first.
    pub batches: Vec<Batch>,
}

impl Outbox {
    /// The outbox in the folder `dir`, which is made if there is none.
    ///
    /// # Errors
    /// When it cannot be made or read.
    pub fn open(dir: &Path) -> io::Result<Outbox> {
        let open = dir.join(OPEN);
        fs::create_dir_all(&open)?;
        sync_dir(dir)?;
        if let Some(parent) = dir.parent() {
            sync_dir(parent)?;
        }
        let mut files = 0;
        for entry in fs::read_dir(&open)? {
            let path = entry?.path();
            if path.to_string_lossy().ends_with(PART) {
                // Never answered.
                fs::remove_file(&path)?;
            } else {
                files += 1;
            }
        }
        let first = (files > 0).then(Instant::now);
        let seen = Seen { files, first, last: first };
        Ok(Outbox { dir: Arc::new(dir.to_owned()), state: Arc::default(), seen: Arc::new(seen.into()) })
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether the open folder is to be sealed: nothing came for so long, it is that old, or has that many files.
    pub fn is_due(&self, quiet: Duration, age_max: Duration, files_max: u64) -> bool {
        let seen = *self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let since = |at: Option<Instant>, limit: Duration| at.is_some_and(|at| at.elapsed() >= limit);
        seen.files > 0 && (since(seen.last, quiet) || since(seen.first, age_max) || seen.files >= files_max)
    }

    /// Makes the open folder the batch of that id. Durable on return; nothing happens where it is empty.
    ///
    /// # Errors
    /// When the folders cannot be renamed, made or synced.
    pub fn seal(&self, id: &str) -> io::Result<bool> {
        let _alone = self.state.write().unwrap_or_else(PoisonError::into_inner);
        let open = self.dir.join(OPEN);
        if fs::read_dir(&open)?.next().is_none() {
            return Ok(false);
        }
        fs::rename(&open, self.dir.join(id))?;
        fs::create_dir(&open)?;
        sync_dir(&self.dir)?;
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Seen::default();
        Ok(true)
    }

    /// The folder of a sealed batch.
    pub fn folder(&self, id: &str) -> PathBuf {
        self.dir.join(id)
    }

    /// Lets a batch go: its receipt is closed and kept.
    ///
    /// # Errors
    /// When the files cannot be removed; called again it goes on.
    pub fn remove(&self, id: &str) -> io::Result<()> {
        fs::remove_dir_all(self.folder(id))?;
        sync_dir(&self.dir)
    }

    /// What is still to be sent.
    ///
    /// # Errors
    /// When the folders cannot be read.
    pub fn backlog(&self) -> io::Result<Backlog> {
        Outbox::backlog_in(&self.dir)
    }

    /// As [`Outbox::backlog`], of a folder that another process may be filling.
    ///
    /// # Errors
    /// As [`Outbox::backlog`].
    pub fn backlog_in(dir: &Path) -> io::Result<Backlog> {
        let mut backlog = Backlog::default();
        let entries = match fs::read_dir(dir) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(backlog),
            entries => entries?,
        };
        for entry in entries {
            let entry = entry?;
            if !entry.file_type()?.is_dir() {
                continue;
            }
            let (files, bytes) = measure(&entry.path())?;
            let id = entry.file_name().to_string_lossy().into_owned();
            if id == OPEN {
                (backlog.open_files, backlog.open_bytes) = (files, bytes);
            } else {
                backlog.batches.push(Batch { id, files, bytes });
            }
        }
        backlog.batches.sort_by(|a, b| a.id.cmp(&b.id));
        Ok(backlog)
    }

    /// Writes a file durably under its name; blocking.
    fn keep(&self, name: &str, body: &Body) -> io::Result<()> {
        let _beside_others = self.state.read().unwrap_or_else(PoisonError::into_inner);
        let open = self.dir.join(OPEN);
        // Two senders of the same file at once have a part each.
        let part = open.join(format!(".{name}-{}{PART}", uuid::Uuid::new_v4().simple()));
        let written = write_synced(&part, body).and_then(|()| fs::rename(&part, open.join(name)));
        if let Err(error) = written {
            let _ = fs::remove_file(&part);
            return Err(error);
        }
        sync_dir(&open)?;
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        (seen.files, seen.first, seen.last) = (seen.files + 1, seen.first.or(Some(now)), Some(now));
        Ok(())
    }
}

#[async_trait]
impl Gate for Outbox {
    /// Takes a file over: it is examined at the exchange, whose receipt says what became of it.
    async fn take_in(&self, origin: Origin, received: Received) -> Result<Taken, Refusal> {
        let is_uid = !origin.file.is_empty() && origin.file.bytes().all(|b| b.is_ascii_digit() || b == b'.');
        let uid = if is_uid { origin.file.as_str() } else { "file" };
        let digest = archive::hex(&received.file_digest);
        let name = format!("{uid}-{}.dcm", digest.get(..DIGEST_DIGITS).unwrap_or(&digest));
        let (outbox, body) = (self.clone(), received.body);
        let kept = tokio::task::spawn_blocking(move || outbox.keep(&name, &body)).await;
        let uids = InstanceUids { sop_instance_uid: origin.file, ..InstanceUids::default() };
        match kept {
            Ok(Ok(())) => Ok(Taken::Stored(uids)),
            Ok(Err(error)) if error.kind() == io::ErrorKind::StorageFull => Err(Refusal::StorageFull),
            Ok(Err(error)) => Err(Refusal::Failed(error.to_string())),
            Err(error) => Err(Refusal::Failed(error.to_string())),
        }
    }
}

fn write_synced(path: &Path, body: &Body) -> io::Result<()> {
    let mut file = File::create_new(path)?;
    match body {
        Body::Memory(bytes) => file.write_all(bytes)?,
        Body::Spooled(..) => drop(io::copy(&mut body.reader()?, &mut file)?),
    }
    file.sync_all()
}

fn sync_dir(dir: &Path) -> io::Result<()> {
    let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
    File::open(dir)?.sync_all()
}

fn measure(folder: &Path) -> io::Result<(u64, u64)> {
    let (mut files, mut bytes) = (0, 0);
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_name().to_string_lossy().ends_with(PART) {
            continue;
        }
        // It may be let go meanwhile.
        bytes += entry.metadata().map_or(0, |about| about.len());
        files += 1;
    }
    Ok((files, bytes))
}
