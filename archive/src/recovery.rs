//! Opening an archive: whatever the index has forgotten, or all of it, is read again from what is durable.
//!
//! One way for a start, a crash and `tsunagu rebuild`: each source (packs, segments, quarantine, amendments, receipts)
//! is applied from the mark up to which the index has it; a new index has every mark at zero.

use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use futures::StreamExt;
use rusqlite::Connection;

use crate::amendment::{self, Amendment};
use crate::batches::{self, Item, ItemOutcome, ReceiptEvent};
use crate::disk::{Disk, LocalDisk};
use crate::error::{Error, Result};
use crate::event_log::EventLog;
use crate::index::{self, Place};
use crate::intake::{self, Found, Front, SegmentReader, Segments};
use crate::layout::Layout;
use crate::located::Commits;
use crate::objects::{Listed, Objects};
use crate::pack;
use crate::quarantine::{self, Quarantined};
use crate::reader::Reader;
use crate::unfinished::{self, Left};
use crate::writer::{self, Settings, Start, Writer};

/// Opens the archive in `dir` for writing, making an empty one where there is none, and brings its index up to date.
///
/// # Errors
/// [`Error::Locked`] when another process writes it; otherwise what could not be read or made.
pub async fn open(dir: &Path, settings: Settings) -> Result<(Writer, Reader)> {
    let layout = Layout::new(dir).map_err(Error::io("finding the archive", dir))?;
    let objects = Objects::local(&layout.objects())?;
    open_on(dir, settings, Arc::new(LocalDisk), objects).await
}

/// As [`open`], on a disk and objects of the caller's: for tests that record, forget or fail.
///
/// # Errors
/// As [`open`].
pub async fn open_on(
    dir: &Path,
    settings: Settings,
    disk: Arc<dyn Disk>,
    objects: Objects,
) -> Result<(Writer, Reader)> {
    let layout = Layout::new(dir).map_err(Error::io("finding the archive", dir))?;
    for made in [layout.dir().to_owned(), layout.intake(), layout.events(), layout.spool()] {
        disk.create_dir_all(&made).map_err(Error::io("creation of a directory", &made))?;
    }
    let lock = lock(&layout)?;
    empty_spool(&layout);
    let mut connection = index::open_for_writing(&layout.index())?;
    let receipts = EventLog::open_on(Arc::clone(&disk), &layout.event_log("receipts"))?;
    let caught_up = catch_up(&mut connection, &layout, disk.as_ref(), &objects, &receipts).await?;
    remove_staged(&layout, &pack::key(caught_up.next_pack));
    let segments = Segments::new(disk, layout.intake(), settings.segment_bytes_max, caught_up.next_segment);
    let commits = Commits::default();
    let start = Start {
        next_sequence: index::last_sequence(&connection)? + 1,
        index: connection,
        segments,
        receipts,
        next_pack: caught_up.next_pack,
        next_amendment: caught_up.next_amendment,
        settings,
        lock,
        commits: commits.clone(),
    };
    let writer = Writer::start(start, objects.clone())?;
    Ok((writer, Reader::new(layout, objects, Some(commits))))
}

/// Deletes the index of an archive, so that the next [`open`] makes it anew from the objects alone.
///
/// # Errors
/// [`Error::Locked`] while another process writes the archive.
pub fn delete_index(dir: &Path) -> Result<()> {
    let layout = Layout::new(dir).map_err(Error::io("finding the archive", dir))?;
    let _lock = lock(&layout)?;
    for suffix in ["", "-wal", "-shm"] {
        let mut path = layout.index().into_os_string();
        path.push(suffix);
        let path = std::path::PathBuf::from(path);
        match std::fs::remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(Error::io("removal of the index", &path)(error));
            }
            _ => {}
        }
    }
    Ok(())
}

fn lock(layout: &Layout) -> Result<File> {
    let path = layout.lock();
    let file = File::create(&path).map_err(Error::io("creation of the lock", &path))?;
    let mut attempts = 0;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            // A process that is just being started from this one still has its open files, and their locks, for a moment.
            Err(std::fs::TryLockError::WouldBlock) if attempts < LOCK_ATTEMPTS_MAX => attempts += 1,
            Err(std::fs::TryLockError::WouldBlock) => {
                return Err(Error::Locked { path: layout.dir().display().to_string() });
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(Error::io("locking", &path)(error)),
        }
        std::thread::sleep(LOCK_ATTEMPT_EVERY);
    }
}

/// How often a lock that somebody holds is tried again, and how soon.
const LOCK_ATTEMPTS_MAX: u32 = 20;
const LOCK_ATTEMPT_EVERY: std::time::Duration = std::time::Duration::from_millis(10);

/// What was spooled and not taken in was never acknowledged.
fn empty_spool(layout: &Layout) {
    let Ok(entries) = std::fs::read_dir(layout.spool()) else { return };
    for entry in entries.flatten() {
        let _ = std::fs::remove_file(entry.path());
    }
}

/// A pack that was being written when the process died left its bytes under a name of the store's own (`NAME#1`).
fn remove_staged(layout: &Layout, next_key: &str) {
    let path = layout.objects().join(next_key);
    let Some((dir, name)) = path.parent().zip(path.file_name().and_then(|name| name.to_str())) else { return };
    let Ok(entries) = std::fs::read_dir(dir) else { return };
    for entry in entries.flatten() {
        if entry.file_name().to_str().and_then(|found| found.strip_prefix(name)).is_some_and(|end| end.starts_with('#'))
        {
            let _ = std::fs::remove_file(entry.path());
        }
    }
}

struct CaughtUp {
    next_segment: u64,
    next_pack: u64,
    next_amendment: u64,
}

async fn catch_up(
    connection: &mut Connection,
    layout: &Layout,
    disk: &dyn Disk,
    objects: &Objects,
    receipts: &EventLog,
) -> Result<CaughtUp> {
    let next_pack = apply_packs(connection, objects).await?;
    // Receipts before segments: an outcome that the ledger has already is not written again.
    apply_receipts(connection, receipts)?;
    let next_segment = replay_segments(connection, layout, disk, receipts)?;
    apply_quarantine(connection, objects).await?;
    let next_amendment = apply_amendments(connection, objects).await?;
    index::set_mark(connection, COMPLETE, 1)?;
    Ok(CaughtUp { next_segment, next_pack, next_amendment })
}

/// Set once an index has been brought up to date from end to end. Without it, the index is being made anew.
const COMPLETE: &str = "complete";

/// Packs are numbered without gaps, and only those that an index knows as replaced are removed: behind its mark, the
/// first number that is not there ends them. An index that is made anew has no mark and takes what there is.
async fn apply_packs(connection: &mut Connection, objects: &Objects) -> Result<u64> {
    let last = if index::mark(connection, COMPLETE)? == 0 { last_pack(objects).await? } else { 0 };
    let mut number = index::mark(connection, "packs_through")? + 1;
    loop {
        match unfinished::pack(objects, number).await? {
            Left::Nothing if number < last => {}
            Left::Nothing => return Ok(number),
            Left::Whole(directory) => writer::apply_pack(connection, &directory)?,
            Left::Torn => {
                settle_torn(connection, objects, &pack::key(number)).await?;
                if index::mark(connection, COMPLETE)? != 0 {
                    return Ok(number);
                }
                index::set_mark(connection, "packs_through", number)?;
            }
        }
        number += 1;
    }
}

/// The highest number among the packs that are there.
async fn last_pack(objects: &Objects) -> Result<u64> {
    let mut last = 0;
    let mut listed = objects.list_stream(pack::PREFIX);
    while let Some(listed) = listed.next().await {
        last = last.max(pack::number(&listed?.key).unwrap_or(0));
    }
    Ok(last)
}

/// An object that ends too soon and that a complete index does not know was never acknowledged: it goes. While the index
/// is made anew nobody can tell, so it stays, and `verify` names it.
async fn settle_torn(connection: &Connection, objects: &Objects, key: &str) -> Result<()> {
    if index::mark(connection, COMPLETE)? == 0 {
        tracing::warn!(key, "this object ends too soon and is left out; tsunagu verify names it");
        return Ok(());
    }
    tracing::warn!(key, "this object was not finished and is removed");
    objects.delete(key).await
}

fn apply_receipts(connection: &mut Connection, receipts: &EventLog) -> Result<()> {
    let through = index::mark(connection, "receipts_through")?;
    let transaction = connection.transaction()?;
    let mut last = through;
    for line in receipts.read_from(through + 1) {
        let line = line?;
        let event: ReceiptEvent =
            serde_json::from_value(line.event).map_err(|e| Error::damaged("receipts log", e.to_string()))?;
        batches::apply(&transaction, &event)?;
        last = line.seq;
    }
    index::set_mark(&transaction, "receipts_through", last)?;
    transaction.commit()?;
    Ok(())
}

/// Reads every record that the index does not have. What a crash cut off at a segment's end was never acknowledged and
/// goes; what is damaged in any other way stays where it is, is passed over, and keeps its segment from being removed.
fn replay_segments(connection: &mut Connection, layout: &Layout, disk: &dyn Disk, receipts: &EventLog) -> Result<u64> {
    let dir = layout.intake();
    let mut last = index::mark(connection, "segments_through")?;
    for number in intake::list(disk, &dir)? {
        if let Some(segment) = SegmentReader::open(&dir, number)? {
            let end = replay_segment(connection, &segment, number, receipts)?;
            if end < segment.length() {
                cut_segment(disk, &dir, number, end)?;
            }
        }
        last = last.max(number);
    }
    index::set_mark(connection, "segments_through", last)?;
    Ok(last + 1)
}

/// Answers where what was written ends.
fn replay_segment(
    connection: &mut Connection,
    segment: &SegmentReader,
    number: u64,
    receipts: &EventLog,
) -> Result<u64> {
    let mut offset = index::replayed(connection, number)?;
    let transaction = connection.transaction()?;
    let (mut events, mut damaged) = (Vec::new(), false);
    while offset < segment.length() {
        match segment.at(offset)? {
            Found::Record(front, end) => {
                events.extend(replay_record(&transaction, &front, Place::Segment { number, offset })?);
                offset = end;
            }
            Found::Unfinished(next) if next == segment.length() => break,
            Found::Unfinished(next) => offset = next,
            Found::Damaged(next, detail) => {
                tracing::error!(segment = number, offset, detail, "intake is damaged; tsunagu verify names it");
                (damaged, offset) = (true, next);
            }
        }
    }
    index::set_replayed(&transaction, number, offset)?;
    if damaged {
        index::set_damaged(&transaction, number)?;
    }
    if let Some(at) = events.iter().map(ReceiptEvent::at).max() {
        let values = events.iter().map(batches::to_value).collect::<Result<Vec<_>>>()?;
        let through = receipts.append(at, &values)?;
        index::set_mark(&transaction, "receipts_through", through)?;
    }
    transaction.commit()?;
    Ok(offset)
}

/// Brings one record into the index, and into its batch's receipt where that lacks it.
fn replay_record(index: &Connection, front: &Front, place: Place) -> Result<Option<ReceiptEvent>> {
    let (sequence, meta) = (front.header.sequence, &front.meta);
    let held = index::lookup(index, &meta.description.instance.sop_instance_uid)?;
    if !index::has_sequence(index, sequence)? && !held.iter().any(|row| row.is_same_data_set(&meta.digests)) {
        index::insert(index, sequence, meta, meta.received_bytes(front.header.body_bytes), place)?;
    }
    let outcome = if meta.variant { ItemOutcome::Variant } else { ItemOutcome::Stored };
    let Some(item) = Item::of(&meta.origin, &meta.digests.file, outcome, None) else { return Ok(None) };
    if batches::outcome(index, &meta.origin, &meta.digests.file)?.is_some() {
        return Ok(None);
    }
    let event = ReceiptEvent::Item(item);
    batches::apply(index, &event)?;
    Ok(Some(event))
}

fn cut_segment(disk: &dyn Disk, dir: &Path, number: u64, length: u64) -> Result<()> {
    let path = intake::segment_path(dir, number);
    let mut file = disk.open_append(&path).map_err(Error::io("opening an intake segment", &path))?;
    file.truncate(length).map_err(Error::io("cutting an intake segment", &path))?;
    file.sync_data().map_err(Error::io("sync of an intake segment", &path))
}

async fn apply_quarantine(connection: &mut Connection, objects: &Objects) -> Result<()> {
    for Listed { key, .. } in objects.list(quarantine::PREFIX).await? {
        let Some(digest) = key.strip_suffix(".json").and_then(|key| key.rsplit('/').next()) else { continue };
        if quarantine::state(connection, digest)?.is_none() {
            match unfinished::json::<Quarantined>(objects, &key).await? {
                Left::Whole(record) => quarantine::insert(connection, &record)?,
                Left::Torn => settle_torn(connection, objects, &key).await?,
                Left::Nothing => {}
            }
        }
    }
    Ok(())
}

async fn apply_amendments(connection: &mut Connection, objects: &Objects) -> Result<u64> {
    let mut number = index::mark(connection, "amendments_through")? + 1;
    loop {
        let key = amendment::key(number);
        match unfinished::json::<Amendment>(objects, &key).await? {
            Left::Nothing => return Ok(number),
            Left::Whole(amendment) => writer::apply_amendment(connection, &amendment)?,
            Left::Torn => {
                settle_torn(connection, objects, &key).await?;
                if index::mark(connection, COMPLETE)? != 0 {
                    return Ok(number);
                }
                index::set_mark(connection, "amendments_through", number)?;
            }
        }
        number += 1;
    }
}
