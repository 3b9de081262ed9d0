//! The hot index in SQLite: where everything is, and what people search by.
//!
//! It is written by one thread (the writer's) and read through connections of its own. It is not synced at every
//! commit: what it forgets in a power cut is replayed from the intake segments, the packs and the event logs, which are
//! (docs/decisions/0003-one-sync-a-group.md).

mod changes;
mod clause;
mod filling;
mod insert;
mod list;
mod packs;
mod places;
mod query;
mod rows;
mod search;

use std::path::Path;

use rusqlite::{Connection, OpenFlags, OptionalExtension, params};

pub(crate) use changes::{packed_since, received_since};
pub use filling::fill_index;
pub(crate) use insert::insert;
pub use list::{ListQuery, ListedStudy, SortBy, StudyList};
pub(crate) use list::{centres, list_studies};
pub use packs::{PackRow, Repackable};
pub(crate) use packs::{
    forget_object, in_use, in_use_of_study, insert_pack, insert_removed, instances_by_pack, mark_replaced, numbers,
    packs_of, removable, replaced_by, studies_to_repack, to_repack,
};
pub(crate) use places::{Which, backlog, by_sequence, first_of, instances_of, totals, walk};
pub use query::{Column, Match, Order, Query, Range, Test};
pub(crate) use rows::instance_from_row;
pub use rows::{PatientRow, SeriesRow, StudyRow};
pub(crate) use search::{count_patients, count_series, search_patients, search_series, search_studies, study_page};

use crate::error::Result;
use crate::{Digests, fold};

/// Version of the tables; another one found on disk is dropped and built anew.
pub(crate) const SCHEMA_VERSION: u32 = 5;

/// Where one instance is, as the index has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct InstanceRow {
    pub sequence: u64,
    pub place: Place,
    pub file: [u8; 16],
    /// `None` while nobody has asked for it.
    pub data_set: Option<[u8; 16]>,
    pub received_bytes: u64,
    pub variant: bool,
}

impl InstanceRow {
    /// Whether these are the digests of the same Data Set. The same file has the same Data Set; of another file that is
    /// known only where both digests of the Data Set are.
    pub fn is_same_data_set(&self, digests: &Digests) -> bool {
        self.file == short(&digests.file)
            || self.data_set.is_some() && self.data_set == digests.data_set.map(|d| short(&d))
    }
}

/// In a segment or in a pack.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Place {
    Segment { number: u64, offset: u64 },
    Pack { number: u64, entry: u32 },
}

impl Place {
    fn columns(self) -> (i64, i64) {
        match self {
            Place::Segment { number, offset } => (-(number as i64), offset as i64),
            Place::Pack { number, entry } => (number as i64, i64::from(entry)),
        }
    }

    pub fn from_columns(container: i64, position: i64) -> Place {
        if container < 0 {
            Place::Segment { number: container.unsigned_abs(), offset: position as u64 }
        } else {
            Place::Pack { number: container as u64, entry: position as u32 }
        }
    }
}

/// Opens the index for writing, with empty tables where there are none or those of another version.
pub(crate) fn open_for_writing(path: &Path) -> Result<Connection> {
    let mut connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    // No sync at a commit: see the module's doc. WAL in this mode never corrupts, it only forgets its newest commits.
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -32_000)?;
    let found: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found != version() {
        create_tables(&mut connection)?;
    }
    Ok(connection)
}

/// Opens the index for reading only.
pub(crate) fn open_for_reading(path: &Path) -> Result<Connection> {
    let connection =
        Connection::open_with_flags(path, OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
    connection.busy_timeout(std::time::Duration::from_secs(10))?;
    connection.pragma_update(None, "cache_size", -8_000)?;
    clause::add_functions(&connection)?;
    Ok(connection)
}

fn version() -> u32 {
    SCHEMA_VERSION * 1000 + fold::VERSION
}

/// Drops every table and makes them anew, empty.
pub(crate) fn create_tables(connection: &mut Connection) -> Result<()> {
    let transaction = connection.transaction()?;
    let tables: Vec<String> = transaction
        .prepare("SELECT name FROM sqlite_schema WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")?
        .query_map([], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    transaction.pragma_update(None, "defer_foreign_keys", true)?;
    for table in tables {
        transaction.execute_batch(&format!("DROP TABLE \"{table}\""))?;
    }
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction.pragma_update(None, "user_version", version())?;
    transaction.commit()?;
    Ok(())
}

/// The short form a UID or digest is indexed by: half of its SHA-256.
pub(crate) fn short(digest: &[u8; 32]) -> [u8; 16] {
    let mut out = [0; 16];
    out.copy_from_slice(&digest[..16]);
    out
}

/// The short form of a SOP Instance UID.
pub(crate) fn sop_key(sop_instance_uid: &str) -> [u8; 16] {
    use sha2::Digest;
    short(&sha2::Sha256::digest(sop_instance_uid.as_bytes()).into())
}

/// Every instance held under a SOP Instance UID: the listed one first, then its variants.
pub(crate) fn lookup(connection: &Connection, sop_instance_uid: &str) -> Result<Vec<InstanceRow>> {
    let mut statement = connection.prepare_cached(
        "SELECT sequence, container, position, file, data_set, received_bytes, variant
         FROM instance WHERE sop = ?1 ORDER BY variant, sequence",
    )?;
    let rows = statement.query_map([sop_key(sop_instance_uid)], instance_from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The person a study belongs to, if the study is known: (issuer, Patient ID).
pub(crate) fn person_of_study(connection: &Connection, study_instance_uid: &str) -> Result<Option<(String, String)>> {
    let mut statement =
        connection.prepare_cached("SELECT IssuerOfPatientID, PatientID FROM study WHERE StudyInstanceUID = ?1")?;
    Ok(statement.query_row([study_instance_uid], |row| Ok((row.get(0)?, row.get(1)?))).optional()?)
}

/// The column `data_set`.
fn data_set_column(data_set: &Option<[u8; 32]>) -> Vec<u8> {
    data_set.map(|digest| short(&digest).to_vec()).unwrap_or_default()
}

/// Moves one instance to the pack that holds it now, which may know its Data Set's digest. Answers whether its row was
/// there to be moved.
pub(crate) fn move_to(connection: &Connection, sequence: u64, digests: &Digests, place: Place) -> Result<bool> {
    let (container, position) = place.columns();
    let moved = connection
        .prepare_cached("UPDATE instance SET container = ?2, position = ?3, data_set = ?4 WHERE sequence = ?1")?
        .execute(params![sequence as i64, container, position, data_set_column(&digests.data_set)])?;
    Ok(moved == 1)
}

/// A counter or mark that the index keeps of itself.
pub(crate) fn mark(connection: &Connection, key: &str) -> Result<u64> {
    let mut statement = connection.prepare_cached("SELECT value FROM meta WHERE key = ?1")?;
    let value: Option<i64> = statement.query_row([key], |row| row.get(0)).optional()?;
    Ok(value.unwrap_or(0) as u64)
}

/// Sets a counter or mark.
pub(crate) fn set_mark(connection: &Connection, key: &str, value: u64) -> Result<()> {
    connection
        .prepare_cached("INSERT INTO meta (key, value) VALUES (?1, ?2) ON CONFLICT (key) DO UPDATE SET value = ?2")?
        .execute(params![key, value as i64])?;
    Ok(())
}

/// Says up to which byte the records of a segment are in the index.
pub(crate) fn set_replayed(connection: &Connection, segment: u64, bytes: u64) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO segment (number, replayed_bytes) VALUES (?1, ?2)
             ON CONFLICT (number) DO UPDATE SET replayed_bytes = ?2",
        )?
        .execute(params![segment as i64, bytes as i64])?;
    Ok(())
}

/// Says that a segment is damaged: it stays, whatever becomes of its instances.
pub(crate) fn set_damaged(connection: &Connection, segment: u64) -> Result<()> {
    connection.prepare_cached("UPDATE segment SET damaged = 1 WHERE number = ?1")?.execute([segment as i64])?;
    Ok(())
}

/// Up to which byte the records of a segment are in the index.
pub(crate) fn replayed(connection: &Connection, segment: u64) -> Result<u64> {
    let mut statement = connection.prepare_cached("SELECT replayed_bytes FROM segment WHERE number = ?1")?;
    let bytes: Option<i64> = statement.query_row([segment as i64], |row| row.get(0)).optional()?;
    Ok(bytes.unwrap_or(0) as u64)
}

/// Sound segments of which no instance is left to pack.
pub(crate) fn empty_segments(connection: &Connection) -> Result<Vec<u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT number FROM segment WHERE damaged = 0 AND NOT EXISTS
            (SELECT 1 FROM instance WHERE container < 0 AND container = -segment.number)",
    )?;
    let numbers = statement.query_map([], |row| Ok(row.get::<_, i64>(0)? as u64))?;
    Ok(numbers.collect::<rusqlite::Result<_>>()?)
}

/// Forgets a segment that was deleted.
pub(crate) fn forget_segment(connection: &Connection, segment: u64) -> Result<()> {
    connection.prepare_cached("DELETE FROM segment WHERE number = ?1")?.execute([segment as i64])?;
    Ok(())
}

/// The highest take-in number given so far.
pub(crate) fn last_sequence(connection: &Connection) -> Result<u64> {
    let last: Option<i64> = connection.query_row("SELECT max(sequence) FROM instance", [], |row| row.get(0))?;
    Ok(last.unwrap_or(0) as u64)
}

/// Whether an instance of that take-in number is known.
pub(crate) fn has_sequence(connection: &Connection, sequence: u64) -> Result<bool> {
    let mut statement = connection.prepare_cached("SELECT 1 FROM instance WHERE sequence = ?1")?;
    Ok(statement.exists([sequence as i64])?)
}

#[cfg(test)]
mod tests;
