//! A disk that fails on purpose under intake segments and event logs, as real ones do: an append stops half way, a
//! failed sync loses what it should have made durable, the undo fails too.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use archive::{Disk, DiskFile, LocalDisk};

/// EIO of POSIX systems.
const INPUT_OUTPUT_ERROR: i32 = 5;

/// What goes wrong at the n-th act of its kind; the first is 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Act {
    /// Nothing: acts are only counted.
    Never,
    /// An append writes half and fails; the undo works.
    Append(u64),
    /// An append writes half and fails, and so does the undo.
    AppendAndUndo(u64),
    /// From this append on there is no room.
    Full(u64),
    /// A sync fails, and what it was for is gone.
    Sync(u64),
    /// The sync of a directory fails.
    SyncDir(u64),
}

/// How many acts of each kind there were.
#[derive(Debug, Default)]
pub struct Counted {
    pub appends: AtomicU64,
    pub syncs: AtomicU64,
    pub sync_dirs: AtomicU64,
}

/// The disk of this machine, but for one [`Act`].
#[derive(Clone, Debug)]
pub struct FaultyDisk {
    act: Act,
    pub counted: Arc<Counted>,
}

impl FaultyDisk {
    pub fn new(act: Act) -> FaultyDisk {
        FaultyDisk { act, counted: Arc::default() }
    }

    fn file(&self, path: &Path, file: Box<dyn DiskFile>) -> Result<Box<dyn DiskFile>> {
        let synced = file.length()?;
        Ok(Box::new(FaultyFile { file, disk: self.clone(), synced, undo_fails: false, path: path.to_owned() }))
    }
}

fn next(counter: &AtomicU64) -> u64 {
    counter.fetch_add(1, Ordering::SeqCst) + 1
}

fn input_output_error() -> Error {
    Error::from_raw_os_error(INPUT_OUTPUT_ERROR)
}

impl Disk for FaultyDisk {
    fn open_append(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.file(path, LocalDisk.open_append(path)?)
    }

    fn create_new(&self, path: &Path) -> Result<Box<dyn DiskFile>> {
        self.file(path, LocalDisk.create_new(path)?)
    }

    fn create_dir_all(&self, dir: &Path) -> Result<()> {
        LocalDisk.create_dir_all(dir)
    }

    fn remove(&self, path: &Path) -> Result<()> {
        LocalDisk.remove(path)
    }

    fn sync_dir(&self, dir: &Path) -> Result<()> {
        if self.act == Act::SyncDir(next(&self.counted.sync_dirs)) {
            return Err(input_output_error());
        }
        LocalDisk.sync_dir(dir)
    }

    fn read_at(&self, path: &Path, offset: u64, into: &mut [u8]) -> Result<usize> {
        LocalDisk.read_at(path, offset, into)
    }

    fn len(&self, path: &Path) -> Result<Option<u64>> {
        LocalDisk.len(path)
    }

    fn list(&self, dir: &Path) -> Result<Vec<String>> {
        LocalDisk.list(dir)
    }
}

#[derive(Debug)]
struct FaultyFile {
    file: Box<dyn DiskFile>,
    disk: FaultyDisk,
    /// What the last sync that succeeded made durable.
    synced: u64,
    undo_fails: bool,
    path: PathBuf,
}

impl DiskFile for FaultyFile {
    fn append(&mut self, parts: &[IoSlice<'_>]) -> Result<()> {
        let number = next(&self.disk.counted.appends);
        let error = match self.disk.act {
            Act::Append(n) if n == number => input_output_error(),
            Act::AppendAndUndo(n) if n == number => {
                self.undo_fails = true;
                input_output_error()
            }
            Act::Full(n) if number >= n => ErrorKind::StorageFull.into(),
            _ => return self.file.append(parts),
        };
        let all: Vec<u8> = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.file.append(&[IoSlice::new(&all[..all.len() / 2])])?;
        Err(error)
    }

    fn sync_data(&mut self) -> Result<()> {
        if self.disk.act == Act::Sync(next(&self.disk.counted.syncs)) {
            // The kernel may drop dirty pages it could not write: nothing of them is on the disk afterwards.
            std::fs::OpenOptions::new().write(true).open(&self.path)?.set_len(self.synced)?;
            return Err(input_output_error());
        }
        self.file.sync_data()?;
        self.synced = self.file.length()?;
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> Result<()> {
        if self.undo_fails { Err(input_output_error()) } else { self.file.truncate(length) }
    }

    fn length(&self) -> Result<u64> {
        self.file.length()
    }

    fn lock(&self) -> Result<()> {
        self.file.lock()
    }

    fn try_lock(&self) -> Result<bool> {
        self.file.try_lock()
    }

    fn unlock(&self) -> Result<()> {
        self.file.unlock()
    }
}
