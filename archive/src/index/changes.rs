//! What was done since a mark, for whoever tells others of it: read from the rows that say it anyway.

use rusqlite::{Connection, params};

use crate::changes::{ChangeMarks, PackedStudy, ReceivedStudy};
use crate::error::Result;

/// Instances taken in after the mark, at the most so many, grouped by study as they came; the take-in number of the last
/// one looked at; whether there may be more.
pub(crate) fn received_since(
    connection: &Connection,
    marks: ChangeMarks,
    limit: u32,
) -> Result<(Vec<ReceivedStudy>, u64, bool)> {
    let mut statement = connection.prepare_cached(
        "SELECT instance.sequence, study.StudyInstanceUID, study.Centre, study.FirstSequence
         FROM instance JOIN series ON series.id = instance.series JOIN study ON study.id = series.study
         WHERE instance.sequence > ?1 ORDER BY instance.sequence LIMIT ?2",
    )?;
    let mut rows = statement.query(params![marks.instances as i64, limit])?;
    let (mut studies, mut last, mut seen) = (Vec::<ReceivedStudy>::new(), marks.instances, 0u32);
    let mut places = std::collections::HashMap::<String, usize>::new();
    while let Some(row) = rows.next()? {
        let (sequence, uid): (i64, String) = (row.get(0)?, row.get(1)?);
        (last, seen) = (sequence as u64, seen + 1);
        if let Some(study) = places.get(&uid).and_then(|place| studies.get_mut(*place)) {
            study.instances += 1;
            continue;
        }
        places.insert(uid.clone(), studies.len());
        let is_new = row.get::<_, i64>(3)? >= sequence;
        studies.push(ReceivedStudy { study_instance_uid: uid, centre: row.get(2)?, instances: 1, is_new });
    }
    Ok((studies, last, seen >= limit))
}

/// Packs put in place after the mark, ascending.
pub(crate) fn packed_since(connection: &Connection, marks: ChangeMarks, limit: u32) -> Result<Vec<PackedStudy>> {
    let mut statement = connection.prepare_cached(
        "SELECT pack.number, StudyInstanceUID, Centre,
            (SELECT count(*) FROM series JOIN instance ON instance.series = series.id
             WHERE series.study = pack.study AND instance.container = pack.number),
            EXISTS (SELECT 1 FROM pack AS older WHERE older.replaced_by = pack.number)
         FROM pack JOIN study ON study.id = pack.study
         WHERE pack.number > ?1 AND removed = 0 ORDER BY pack.number LIMIT ?2",
    )?;
    let rows = statement.query_map(params![marks.packs as i64, limit], |row| {
        Ok(PackedStudy {
            pack: row.get::<_, i64>(0)? as u64,
            study_instance_uid: row.get(1)?,
            centre: row.get(2)?,
            instances: row.get::<_, i64>(3)? as u64,
            is_repacked: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
