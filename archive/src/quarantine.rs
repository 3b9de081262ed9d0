//! What was set aside: each file an object of its own with its record beside it, until somebody decides.
//!
//! `quarantine/AA/DIGEST` is the file as received, `quarantine/AA/DIGEST.json` its record; the record is written last,
//! so a record always has its file. Decisions are amendments ([`crate::amendment`]); the record is never edited.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};
use crate::{Origin, Reason, index};

/// A file that was set aside.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    /// SHA-256 of the file, hexadecimal: its name here.
    pub digest: String,
    /// Bytes of the file.
    pub bytes: u64,
    /// Who sent it first.
    pub origin: Origin,
    /// Why it was set aside.
    pub reason: Reason,
    /// SOP Class UID, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sop_class_uid: Option<String>,
    /// SOP Instance UID, where it could be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sop_instance_uid: Option<String>,
}

/// What was decided about a quarantined file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum QuarantineState {
    /// Nothing yet: the file is kept.
    Held,
    /// It was taken in after all.
    Released,
    /// It was let go; its record stays.
    Discarded,
}

impl QuarantineState {
    /// The word for it, as the index and `--json` have it.
    pub fn name(self) -> &'static str {
        match self {
            QuarantineState::Held => "held",
            QuarantineState::Released => "released",
            QuarantineState::Discarded => "discarded",
        }
    }

    fn of(name: &str) -> Option<QuarantineState> {
        [QuarantineState::Held, QuarantineState::Released, QuarantineState::Discarded]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// The prefix of all quarantine objects.
pub(crate) const PREFIX: &str = "quarantine";

/// The object that holds a quarantined file.
pub(crate) fn body_key(digest: &str) -> String {
    format!("{PREFIX}/{}/{digest}", digest.get(..2).unwrap_or("__"))
}

/// The object that holds its record.
pub(crate) fn record_key(digest: &str) -> String {
    format!("{}.json", body_key(digest))
}

/// Adds a record. One that is there already stays as it is.
pub(crate) fn insert(connection: &Connection, record: &Quarantined) -> Result<()> {
    let json = serde_json::to_string(record).map_err(|e| Error::damaged("quarantine record", e.to_string()))?;
    let added = connection
        .prepare_cached("INSERT OR IGNORE INTO quarantine (digest, state, record) VALUES (?1, 'held', ?2)")?
        .execute(params![record.digest, json])?;
    if added > 0 {
        // Counted as they come, so that nobody has to go through all of them to see that none is new.
        let before = index::mark(connection, COUNT)?;
        let count = if before == 0 { count_rows(connection)? } else { before + 1 };
        index::set_mark(connection, COUNT, count)?;
    }
    Ok(())
}

/// Name of the mark that says how many records there are.
const COUNT: &str = "quarantined";

/// How many records there are, decided about or not.
pub(crate) fn count(connection: &Connection) -> Result<u64> {
    match index::mark(connection, COUNT)? {
        0 => count_rows(connection),
        count => Ok(count),
    }
}

fn count_rows(connection: &Connection) -> Result<u64> {
    Ok(connection.query_row("SELECT count(*) FROM quarantine", [], |row| row.get::<_, i64>(0))? as u64)
}

/// Sets what was decided.
pub(crate) fn set_state(connection: &Connection, digest: &str, state: QuarantineState) -> Result<()> {
    connection
        .prepare_cached("UPDATE quarantine SET state = ?2 WHERE digest = ?1")?
        .execute(params![digest, state.name()])?;
    Ok(())
}

/// All of one state, or all; oldest first.
pub(crate) fn list(
    connection: &Connection,
    state: Option<QuarantineState>,
) -> Result<Vec<(Quarantined, QuarantineState)>> {
    let mut statement = connection.prepare_cached("SELECT record, state FROM quarantine ORDER BY digest")?;
    let mut rows = statement.query([])?;
    let mut out = Vec::new();
    while let Some(row) = rows.next()? {
        let found = parse(row.get(0)?, row.get(1)?)?;
        if state.is_none_or(|wanted| wanted == found.1) {
            out.push(found);
        }
    }
    out.sort_by(|(a, _), (b, _)| a.origin.received_at.cmp(&b.origin.received_at));
    Ok(out)
}

/// The one whose digest begins with `prefix`, if there is exactly one.
pub(crate) fn find(connection: &Connection, prefix: &str) -> Result<Option<(Quarantined, QuarantineState)>> {
    let mut statement =
        connection.prepare_cached("SELECT record, state FROM quarantine WHERE substr(digest, 1, ?2) = ?1 LIMIT 2")?;
    let mut rows = statement.query(params![prefix, prefix.len() as i64])?;
    let Some(row) = rows.next()? else { return Ok(None) };
    let found = parse(row.get(0)?, row.get(1)?)?;
    if rows.next()?.is_some() {
        return Err(Error::Refused(format!("several quarantined files begin with {prefix}; give more digits")));
    }
    Ok(Some(found))
}

/// The state of a file, if it was ever set aside.
pub(crate) fn state(connection: &Connection, digest: &str) -> Result<Option<QuarantineState>> {
    let mut statement = connection.prepare_cached("SELECT state FROM quarantine WHERE digest = ?1")?;
    let name: Option<String> = statement.query_row([digest], |row| row.get(0)).optional()?;
    Ok(name.as_deref().and_then(QuarantineState::of))
}

fn parse(record: String, state: String) -> Result<(Quarantined, QuarantineState)> {
    let record = serde_json::from_str(&record).map_err(|e| Error::damaged("quarantine record", e.to_string()))?;
    let state = QuarantineState::of(&state).ok_or_else(|| Error::damaged("quarantine state", state))?;
    Ok((record, state))
}
