//! Walking a whole log and naming the first line that is not as it was written.

use std::path::Path;
use std::sync::Arc;

use super::events::Lines;
use super::line::{Head, Line};
use crate::{Disk, Error, Result};

/// A log whose every line follows the one before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verified {
    /// Events in the log.
    pub events: u64,
    /// Hash of the last one; 32 zeros for an empty log.
    pub head_hash: [u8; 32],
    /// Bytes of the whole lines. What may follow is a line being written, or torn and never acknowledged.
    pub bytes: u64,
}

/// Reads every line of the log at `path`. A chain cannot tell that its own end was cut off: compare `events` and
/// `head_hash` with a snapshot, or with a hash kept elsewhere.
///
/// # Errors
/// [`Error::Damaged`] naming the first bad line: its number, its byte, and whether it was altered, removed, inserted or
/// reordered.
pub(super) fn verify(disk: Arc<dyn Disk>, path: &Path) -> Result<Verified> {
    let mut lines = Lines::new(disk, path, 0);
    let mut walk = Walk::default();
    while let Some((offset, bytes)) = lines.next()? {
        let line = Line::parse(bytes);
        match &line {
            Some(sound) if sound.follows(walk.head) => walk.step(offset, sound),
            _ => {
                let detail = walk.name_break(offset, line.as_ref(), &mut lines)?;
                return Err(Error::damaged(lines.name(), detail));
            }
        }
    }
    Ok(Verified { events: walk.head.seq, head_hash: walk.head.hash, bytes: lines.offset() })
}

/// Where the walk stands: the chain so far, and the last line and what was before it.
#[derive(Default)]
struct Walk {
    head: Head,
    before: Head,
    /// Offset of the last good line.
    offset: u64,
}

impl Walk {
    fn step(&mut self, offset: u64, line: &Line) {
        self.before = self.head;
        self.head = line.head();
        self.offset = offset;
    }

    /// What is wrong where `line` stands (`None`: it is not whole) and the chain wants the event after `self.head`.
    fn name_break(&self, offset: u64, line: Option<&Line>, rest: &mut Lines) -> Result<String> {
        let (good, wanted) = (self.head.seq, self.head.seq.saturating_add(1)); // line N holds event N so far
        let here = |what: String| Ok(format!("line {wanted} (byte {offset}): {what}"));
        let before = |what: &str| Ok(format!("line {good} (byte {}): {what}", self.offset));
        let Some(line) = line else {
            return match self.look_ahead(None, rest)?.wanted {
                true => here("inserted: without it the chain goes on".into()),
                false => here("altered: its hash is not of its bytes".into()),
            };
        };
        if line.hash == self.head.hash {
            return here(format!("inserted: it repeats event {good}"));
        }
        let ahead = self.look_ahead(Some(line), rest)?;
        match (ahead.wanted, ahead.owner) {
            (true, true) => {
                here(format!("reordered: event {} stands where {wanted} should, which comes later", line.seq))
            }
            (true, false) => here("inserted: without it the chain goes on".into()),
            _ if good > 0 && line.follows(self.before) => {
                before("inserted: the line after it follows the one before it")
            }
            _ if line.seq > wanted => here(format!("removed: events {wanted} to {} are not there", line.seq - 1)),
            _ if line.seq < wanted => here(format!("inserted: event {} was here already", line.seq)),
            _ if good > 0 => before("altered: the next line names another hash for it"),
            _ => here("altered: the first line must name 64 zeros as the hash before it".into()),
        }
    }

    /// Whether the event that should stand here comes later, and whether the line before `line` does.
    fn look_ahead(&self, line: Option<&Line>, rest: &mut Lines) -> Result<Ahead> {
        let mut ahead = Ahead::default();
        while let Some((_, bytes)) = rest.next()? {
            let Some(later) = Line::parse(bytes) else { continue };
            ahead.wanted |= later.follows(self.head);
            ahead.owner |= line.is_some_and(|line| line.prev == later.hash);
        }
        Ok(ahead)
    }
}

#[derive(Default)]
struct Ahead {
    wanted: bool,
    owner: bool,
}
