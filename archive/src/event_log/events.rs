//! Reading an event log from its file, here or in another process than the one that writes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::Value;

use super::line::{Head, LINE_BYTES_MAX, Line};
use crate::{Disk, Error, Result};

const BLOCK_BYTES: usize = 64 << 10;
/// Bytes looked at to find where a line begins: longer than most lines.
const PROBE_BYTES: usize = 4 << 10;
/// The number of an event stands in its first bytes.
const PROBE_HEAD_BYTES: usize = 64;

/// One event as it was logged.
#[derive(Clone, Debug, PartialEq)]
pub struct LoggedEvent {
    /// Its number; the first is 1.
    pub seq: u64,
    /// When it happened, RFC 3339 in UTC, as the caller said.
    pub at: String,
    /// What happened.
    pub event: Value,
    /// SHA-256 that the next line names: keep it elsewhere to prove later that nothing up to here has changed.
    pub hash: [u8; 32],
}

/// The events of a log from a number on, each checked against its own hash and the line before it.
///
/// After the last whole line it answers `None`, and goes on when asked again after the log has grown. After an error
/// it answers `None` for ever.
#[derive(Debug)]
pub struct Events {
    lines: Lines,
    from: u64,
    head: Option<Head>,
    /// The last line passed over.
    passed: Vec<u8>,
    stopped: bool,
}

impl Events {
    /// Reads the log at `path` from event `from` on; a log that is not there has no events yet.
    pub fn of(disk: Arc<dyn Disk>, path: &Path, from: u64) -> Events {
        // A file that cannot be looked into is read from its beginning, which says why.
        let start = start_before(disk.as_ref(), path, from.saturating_sub(1)).unwrap_or(0);
        Events { lines: Lines::new(disk, path, start), from, head: None, passed: Vec::new(), stopped: false }
    }

    fn advance(&mut self) -> Result<Option<LoggedEvent>> {
        while let Some((offset, bytes)) = self.lines.next()? {
            // Lines before the wanted one are passed over by their number alone; the last of them is what it follows.
            if self.head.is_none() && seq_of(bytes).is_some_and(|seq| seq < self.from) {
                bytes.clone_into(&mut self.passed);
                continue;
            }
            let head = match self.head {
                None if self.passed.is_empty() => Some(Head::default()),
                None => Line::parse(&self.passed).map(|line| line.head()),
                head => head,
            };
            let line = Line::parse(bytes).filter(|line| head.is_some_and(|head| line.follows(head)));
            let Some(line) = line else {
                let detail = format!("the line at byte {offset} is altered or does not follow the one before it");
                return Err(Error::damaged(self.lines.name(), detail));
            };
            self.head = Some(line.head());
            return Ok(Some(LoggedEvent { seq: line.seq, at: line.at, event: line.event, hash: line.hash }));
        }
        Ok(None)
    }
}

impl Iterator for Events {
    type Item = Result<LoggedEvent>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.stopped {
            return None;
        }
        let event = self.advance();
        self.stopped = event.is_err();
        event.transpose()
    }
}

/// The number in `{"seq":N,…`, without reading the rest.
fn seq_of(line: &[u8]) -> Option<u64> {
    let rest = line.strip_prefix(super::line::LINE_START)?;
    let digits = rest.iter().take(20).position(|byte| !byte.is_ascii_digit())?;
    std::str::from_utf8(&rest[..digits]).ok()?.parse().ok()
}

/// The whole lines of a file from an offset on, in memory a line at a time.
#[derive(Debug)]
pub(super) struct Lines {
    disk: Arc<dyn Disk>,
    path: PathBuf,
    /// Offset of `buffer[0]` in the file.
    base: u64,
    buffer: Vec<u8>,
    start: usize,
}

impl Lines {
    pub(super) fn new(disk: Arc<dyn Disk>, path: &Path, offset: u64) -> Lines {
        Lines { disk, path: path.into(), base: offset, buffer: Vec::new(), start: 0 }
    }

    /// The file, for messages.
    pub(super) fn name(&self) -> String {
        super::log_name(&self.path)
    }

    /// Where the next line begins, once the one before has been taken.
    pub(super) fn offset(&self) -> u64 {
        self.base + self.start as u64
    }

    /// The next whole line without its newline, and its offset; `None` at the end, or before a line without newline.
    pub(super) fn next(&mut self) -> Result<Option<(u64, &[u8])>> {
        let mut searched = self.start;
        loop {
            if let Some(found) = self.buffer[searched..].iter().position(|byte| *byte == b'\n') {
                let (start, end) = (self.start, searched + found);
                self.start = end + 1;
                return Ok(Some((self.base + start as u64, &self.buffer[start..end])));
            }
            self.buffer.drain(..self.start);
            self.base += self.start as u64;
            self.start = 0;
            searched = self.buffer.len();
            if searched > LINE_BYTES_MAX {
                let detail = format!("the line at byte {} is longer than 16 MiB", self.base);
                return Err(Error::damaged(self.name(), detail));
            }
            if self.fill()? == 0 {
                // A torn line may be cut off and written anew: it is read again from the file, not from here.
                self.buffer.clear();
                return Ok(None);
            }
        }
    }

    fn fill(&mut self) -> Result<usize> {
        let held = self.buffer.len();
        self.buffer.resize(held + BLOCK_BYTES, 0);
        let read = self.disk.read_at(&self.path, self.base + held as u64, &mut self.buffer[held..]);
        let count = match read {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(0),
            other => other.map_err(Error::io("reading the event log", &self.path)),
        };
        self.buffer.truncate(held + count.as_ref().map_or(0, |count| *count));
        count
    }
}

/// Where a line begins that is the one of event `seq`, or one shortly before it: found by halving, since numbers grow.
fn start_before(disk: &dyn Disk, path: &Path, seq: u64) -> std::io::Result<u64> {
    let (mut low, mut high) = (0, disk.len(path)?.unwrap_or(0));
    let mut block = vec![0; PROBE_BYTES];
    while high - low > BLOCK_BYTES as u64 {
        let middle = low + (high - low) / 2;
        let read = disk.read_at(path, middle, &mut block)?;
        let line = block[..read].iter().position(|byte| *byte == b'\n').map(|newline| newline + 1);
        match line.and_then(|at| Some((middle + at as u64, seq_of(block.get(at..read)?)?))) {
            Some((start, found)) if found <= seq && start < high => low = start,
            _ => high = middle,
        }
    }
    Ok(low)
}

/// The number of the last event of a log; 0 where there is none, or no log.
pub(super) fn end_of(disk: &dyn Disk, path: &Path) -> Result<u64> {
    let length = disk.len(path).map_err(Error::io("looking at the event log", path))?.unwrap_or(0);
    let Some(end) = last_newline(disk, path, length)? else { return Ok(0) };
    let start = last_newline(disk, path, end)?.map_or(0, |at| at + 1);
    let mut head = vec![0; PROBE_HEAD_BYTES.min((end - start) as usize)];
    let read = disk.read_at(path, start, &mut head).map_err(Error::io("reading the event log", path))?;
    let seq = head.get(..read).and_then(seq_of);
    seq.ok_or_else(|| Error::damaged(super::log_name(path), format!("its last line, at byte {start}, is altered")))
}

/// Offset of the last newline before `end`, read backwards a block at a time; `None` when there is none.
pub(super) fn last_newline(disk: &dyn Disk, path: &Path, end: u64) -> Result<Option<u64>> {
    let mut end = end;
    let mut block = vec![0; BLOCK_BYTES];
    while end > 0 {
        let start = end.saturating_sub(BLOCK_BYTES as u64);
        let wanted = (end - start) as usize;
        let read = disk.read_at(path, start, &mut block[..wanted]);
        let read = read.map_err(Error::io("reading the event log", path))?;
        if let Some(found) = block[..read].iter().rposition(|byte| *byte == b'\n') {
            return Ok(Some(start + found as u64));
        }
        end = start;
    }
    Ok(None)
}
