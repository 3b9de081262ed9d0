//! Where instances are: walks over the rows of `instance`.

use rusqlite::{Connection, OptionalExtension, params};

use super::{InstanceRow, instance_from_row};
use crate::error::Result;
use crate::reader::BacklogStudy;

const COLUMNS: &str = "instance.sequence, instance.container, instance.position, instance.file, instance.data_set,
    instance.received_bytes, instance.variant";

/// Which instances of a study are asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Which {
    /// All that are listed: no variants.
    Listed,
    /// All that are in intake, variants included.
    InIntake,
    /// All that are in packs, variants included.
    InPacks,
}

/// Instances of a study or of one of its series, as taken in.
pub(crate) fn instances_of(
    connection: &Connection,
    study_uid: &str,
    series_uid: Option<&str>,
    which: Which,
) -> Result<Vec<InstanceRow>> {
    let filter = match which {
        Which::Listed => "instance.variant = 0",
        Which::InIntake => "instance.container < 0",
        Which::InPacks => "instance.container > 0",
    };
    let sql = format!(
        "SELECT {COLUMNS} FROM study JOIN series ON series.study = study.id JOIN instance ON instance.series = series.id
         WHERE StudyInstanceUID = ?1 AND (?2 IS NULL OR SeriesInstanceUID = ?2) AND {filter} ORDER BY instance.sequence"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![study_uid, series_uid], instance_from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The listed instance of a study, or of one of its series, that was taken in first.
pub(crate) fn first_of(
    connection: &Connection,
    study_uid: &str,
    series_uid: Option<&str>,
) -> Result<Option<InstanceRow>> {
    let sql = format!(
        "SELECT {COLUMNS} FROM instance WHERE sequence =
            (SELECT min((SELECT min(sequence) FROM instance WHERE instance.series = series.id AND variant = 0))
             FROM study JOIN series ON series.study = study.id
             WHERE StudyInstanceUID = ?1 AND (?2 IS NULL OR SeriesInstanceUID = ?2))"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row(params![study_uid, series_uid], instance_from_row).optional()?)
}

/// Everything after a take-in number, in that order.
pub(crate) fn walk(connection: &Connection, after_sequence: u64, limit: u32) -> Result<Vec<InstanceRow>> {
    let sql = format!("SELECT {COLUMNS} FROM instance WHERE sequence > ?1 ORDER BY sequence LIMIT ?2");
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params![after_sequence as i64, limit], instance_from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The instance of a take-in number.
pub(crate) fn by_sequence(connection: &Connection, sequence: u64) -> Result<Option<InstanceRow>> {
    let sql = format!("SELECT {COLUMNS} FROM instance WHERE sequence = ?1");
    let mut statement = connection.prepare_cached(&sql)?;
    Ok(statement.query_row([sequence as i64], instance_from_row).optional()?)
}

/// Studies with instances in intake, the longest quiet first.
pub(crate) fn backlog(connection: &Connection, limit: u32) -> Result<Vec<BacklogStudy>> {
    let mut statement = connection.prepare_cached(
        "SELECT StudyInstanceUID, count(*), sum(instance.received_bytes), LastReceivedAt
         FROM instance JOIN series ON series.id = instance.series JOIN study ON study.id = series.study
         WHERE instance.container < 0 GROUP BY study.id ORDER BY LastReceivedAt, study.FirstSequence LIMIT ?1",
    )?;
    let rows = statement.query_map([limit], |row| {
        Ok(BacklogStudy {
            study_instance_uid: row.get(0)?,
            instances: row.get::<_, i64>(1)? as u64,
            received_bytes: row.get::<_, i64>(2)? as u64,
            last_received_at: row.get(3)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Totals over everything held: studies, series, instances (variants included), received bytes.
pub(crate) fn totals(connection: &Connection) -> Result<[u64; 4]> {
    let mut statement = connection.prepare_cached(
        "SELECT (SELECT count(*) FROM study WHERE NumberOfStudyRelatedInstances > 0), (SELECT count(*) FROM series),
            count(*), coalesce(sum(received_bytes), 0) FROM instance",
    )?;
    let read = |row: &rusqlite::Row<'_>, at| Ok::<_, rusqlite::Error>(row.get::<_, i64>(at)? as u64);
    Ok(statement.query_row([], |row| Ok([read(row, 0)?, read(row, 1)?, read(row, 2)?, read(row, 3)?]))?)
}
