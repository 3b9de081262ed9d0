//! Packs: which are in use, and which another has replaced.

use std::collections::{BTreeMap, BTreeSet};

use rusqlite::{Connection, Row, params};

use crate::error::Result;
use crate::pack::{HeldForm, PackDirectory};

/// One pack that is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackRow {
    /// Its number.
    pub number: u64,
    /// Bytes of the whole pack.
    pub bytes: u64,
    /// When it was written, RFC 3339 in UTC.
    pub created_at: String,
    /// Transfer Syntax UIDs of what is held packed in it, sorted.
    pub coded: Vec<String>,
}

/// Which packs are to be made anew.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Repackable {
    /// Those that hold codestreams of another transfer syntax than this one.
    NotOf(String),
    /// All that were written before then, RFC 3339 in UTC.
    WrittenBefore(String),
}

impl Repackable {
    /// Whether a pack is among them.
    pub fn covers(&self, pack: &PackRow) -> bool {
        match self {
            Repackable::NotOf(uid) => pack.coded.iter().any(|coded| coded != uid),
            Repackable::WrittenBefore(at) => pack.created_at < *at,
        }
    }

    fn sql(&self) -> (&'static str, &str) {
        match self {
            Repackable::NotOf(uid) => ("pack.coded NOT IN ('', ?1)", uid),
            Repackable::WrittenBefore(at) => ("pack.created_at < ?1", at),
        }
    }
}

const COLUMNS: &str = "pack.number, pack.bytes, pack.created_at, pack.coded";

fn pack_row(row: &Row<'_>) -> rusqlite::Result<PackRow> {
    let coded: String = row.get(3)?;
    Ok(PackRow {
        number: row.get::<_, i64>(0)? as u64,
        bytes: row.get::<_, i64>(1)? as u64,
        created_at: row.get(2)?,
        coded: coded.split('\\').filter(|uid| !uid.is_empty()).map(str::to_owned).collect(),
    })
}

/// Records that a pack is in place.
pub(crate) fn insert_pack(connection: &Connection, directory: &PackDirectory) -> Result<()> {
    let packed = directory.instances.iter().filter(|instance| instance.form == HeldForm::Packed);
    let coded: BTreeSet<&str> = packed.map(|instance| instance.transfer_syntax_uid.as_str()).collect();
    let coded = coded.into_iter().collect::<Vec<_>>().join("\\");
    let PackDirectory { number, study_instance_uid, object_bytes, key, created_at, .. } = directory;
    connection
        .prepare_cached(
            "INSERT OR IGNORE INTO pack (number, study, bytes, key, created_at, coded)
             SELECT ?1, id, ?3, ?4, ?5, ?6 FROM study WHERE StudyInstanceUID = ?2",
        )?
        .execute(params![*number as i64, study_instance_uid, *object_bytes as i64, key, created_at, coded])?;
    Ok(())
}

/// Records that a pack which had its instances is replaced. Answers whether there was a row of it.
pub(crate) fn mark_replaced(connection: &Connection, number: u64, by: u64, at: &str) -> Result<bool> {
    let marked = connection
        .prepare_cached("UPDATE pack SET replaced_by = ?2, replaced_at = ?3 WHERE number = ?1")?
        .execute(params![number as i64, by as i64, at])?;
    Ok(marked == 1)
}

/// Records a pack that was replaced and removed before this index was made: its number is accounted for.
pub(crate) fn insert_removed(connection: &Connection, number: u64, by: &PackDirectory) -> Result<()> {
    connection
        .prepare_cached(
            "INSERT INTO pack (number, study, bytes, key, created_at, coded, replaced_by, replaced_at, removed)
             SELECT ?1, id, 0, ?3, '', '', ?4, ?5, 1 FROM study WHERE StudyInstanceUID = ?2",
        )?
        .execute(params![
            number as i64,
            by.study_instance_uid,
            crate::pack::key(number),
            by.number as i64,
            by.created_at
        ])?;
    Ok(())
}

/// Packs that were replaced at that time or before and are still there, ascending. One that an instance is said to be
/// in all the same stays.
pub(crate) fn removable(connection: &Connection, replaced_at_max: &str) -> Result<Vec<u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT number FROM pack WHERE replaced_by IS NOT NULL AND removed = 0 AND replaced_at <= ?1
            AND NOT EXISTS (SELECT 1 FROM series JOIN instance ON instance.series = series.id
                WHERE series.study = pack.study AND instance.container = pack.number)
         ORDER BY number",
    )?;
    let rows = statement.query_map([replaced_at_max], number)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Records that the objects of replaced packs are gone. What the row said of them goes too, so that it is the same
/// row that a new index gets.
pub(crate) fn forget_object(connection: &Connection, number: u64) -> Result<()> {
    connection
        .prepare_cached(
            "UPDATE pack SET removed = 1, bytes = 0, created_at = '', coded = ''
             WHERE number = ?1 AND replaced_by IS NOT NULL",
        )?
        .execute([number as i64])?;
    Ok(())
}

/// Every number that a pack has or had, and the pack that replaced it; whether the object is gone.
pub(crate) fn numbers(connection: &Connection) -> Result<BTreeMap<u64, (Option<u64>, bool)>> {
    let mut statement = connection.prepare_cached("SELECT number, replaced_by, removed FROM pack")?;
    let rows = statement.query_map([], |row| {
        let by: Option<i64> = row.get(1)?;
        Ok((number(row)?, (by.map(|by| by as u64), row.get(2)?)))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Packs in use after a number up to another, ascending.
pub(crate) fn in_use(connection: &Connection, after: u64, through: u64) -> Result<Vec<u64>> {
    let mut statement = connection.prepare_cached(
        "SELECT number FROM pack WHERE number > ?1 AND number <= ?2 AND replaced_by IS NULL ORDER BY number",
    )?;
    let rows = statement.query_map([after as i64, through as i64], number)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The packs that one pack has replaced, ascending.
pub(crate) fn replaced_by(connection: &Connection, by: u64) -> Result<Vec<u64>> {
    let mut statement = connection.prepare_cached("SELECT number FROM pack WHERE replaced_by = ?1 ORDER BY number")?;
    let rows = statement.query_map([by as i64], number)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The packs in use of a study, ascending.
pub(crate) fn in_use_of_study(connection: &Connection, study_uid: &str) -> Result<Vec<PackRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM pack JOIN study ON study.id = pack.study
         WHERE StudyInstanceUID = ?1 AND replaced_by IS NULL ORDER BY number"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map([study_uid], pack_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Numbers of the packs in use of a study up to one, ascending.
pub(crate) fn packs_of(connection: &Connection, study_uid: &str, through: u64) -> Result<Vec<u64>> {
    let packs = in_use_of_study(connection, study_uid)?;
    Ok(packs.into_iter().map(|pack| pack.number).filter(|number| *number <= through).collect())
}

/// Studies with a pack in use that is to be made anew, after a place in the walk: the next place and the UID.
pub(crate) fn studies_to_repack(
    connection: &Connection,
    wanted: &Repackable,
    after: u64,
    limit: u32,
) -> Result<Vec<(u64, String)>> {
    let (term, value) = wanted.sql();
    let sql = format!(
        "SELECT study.id, StudyInstanceUID FROM study WHERE study.id > ?2 AND EXISTS
            (SELECT 1 FROM pack WHERE pack.study = study.id AND pack.replaced_by IS NULL AND {term})
         ORDER BY study.id LIMIT ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![value, after as i64, limit], |row| Ok((number(row)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many instances those studies have, and their bytes as received.
pub(crate) fn to_repack(connection: &Connection, wanted: &Repackable) -> Result<[u64; 2]> {
    let (term, value) = wanted.sql();
    let sql = format!(
        "SELECT coalesce(sum(NumberOfStudyRelatedInstances), 0), coalesce(sum(ReceivedBytes), 0) FROM study WHERE EXISTS
            (SELECT 1 FROM pack WHERE pack.study = study.id AND pack.replaced_by IS NULL AND {term})"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([value], |row| Ok([row.get::<_, i64>(0)? as u64, row.get::<_, i64>(1)? as u64]))?)
}

/// How many instances the index has in each pack.
pub(crate) fn instances_by_pack(connection: &Connection) -> Result<BTreeMap<u64, u64>> {
    let mut statement =
        connection.prepare_cached("SELECT container, count(*) FROM instance WHERE container > 0 GROUP BY container")?;
    let rows = statement.query_map([], |row| Ok((number(row)?, row.get::<_, i64>(1)? as u64)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

fn number(row: &Row<'_>) -> rusqlite::Result<u64> {
    Ok(row.get::<_, i64>(0)? as u64)
}
