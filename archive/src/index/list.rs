//! Lists of studies as a person looks at them: alternatives of terms, sorted by any column, counted.
//!
//! What an answer costs does not grow with the archive: where no index leads to the matches, the newest
//! [`LOOKED_AT_MAX`] studies are looked at, and of all matches the newest [`LISTED_MAX`] are sorted and counted. An
//! answer that is not all there is says so.

use std::collections::HashSet;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::clause::Clause;
use super::query::{Column, Match, Query, Range, Test};
use super::rows::{STUDY_COLUMNS, StudyRow, study_from_row};
use super::search::{Gathered, WORD_MAX, by_name, gather, gathered, ids};
use crate::error::Result;

/// Studies that are listed, and so sorted, at the most: the newest of them.
pub(crate) const LISTED_MAX: usize = 10_000;
/// Studies that are looked at one by one for one answer, at the most: the newest.
const LOOKED_AT_MAX: u64 = 200_000;
/// Instances that are looked through for what is new, at the most.
const RECENT_INSTANCES_MAX: u64 = 200_000;
/// Studies whose terms are tested together.
const TESTED_STEP: usize = 512;
/// Priors of one study that are counted at the most.
const PRIORS_MAX: u32 = 99;
/// Centres that are told at the most.
const CENTRES_MAX: u32 = 1_000;

/// What a list is sorted by. Studies without a value come last, equal ones newest first.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum SortBy {
    /// Study Date and Time.
    #[default]
    StudyDate,
    /// Patient's Name, as it is folded.
    PatientName,
    /// Patient ID.
    PatientId,
    /// Patient's Birth Date.
    PatientBirthDate,
    /// Patient's Sex.
    PatientSex,
    /// Modalities in Study.
    Modalities,
    /// Study Description.
    StudyDescription,
    /// Accession Number.
    AccessionNumber,
    /// Number of Study Related Instances.
    Instances,
    /// The centre.
    Centre,
    /// When its newest instance came.
    Received,
}

impl SortBy {
    fn sql(self) -> &'static str {
        match self {
            SortBy::StudyDate => "iif(study.StudyDate = '', '', study.StudyDate || study.StudyTime)",
            SortBy::PatientName => "study.PatientNameKey",
            SortBy::PatientId => "study.PatientID",
            SortBy::PatientBirthDate => "study.PatientBirthDate",
            SortBy::PatientSex => "study.PatientSex",
            SortBy::Modalities => {
                "(SELECT ifnull(group_concat(Modality), '') FROM (SELECT DISTINCT Modality FROM series
                  WHERE series.study = study.id AND Modality <> '' ORDER BY Modality))"
            }
            SortBy::StudyDescription => "study.StudyDescription",
            SortBy::AccessionNumber => "study.AccessionNumber",
            SortBy::Instances => "study.NumberOfStudyRelatedInstances",
            SortBy::Centre => "study.Centre",
            SortBy::Received => "study.LastReceivedAt",
        }
    }
}

/// What is listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListQuery {
    /// Of each of these groups one alternative holds. A group without alternatives holds for no study.
    pub groups: Vec<Vec<(Column, Test)>>,
    /// Only studies of which an instance was taken in after this one.
    pub taken_in_after: Option<u64>,
    /// What comes first.
    pub sort: SortBy,
    /// The greatest first.
    pub descending: bool,
    /// At most this many.
    pub limit: u32,
    /// This many are skipped first.
    pub offset: u32,
}

/// A study in a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ListedStudy {
    /// What the index says of it.
    pub row: StudyRow,
    /// Take-in number of its first instance.
    pub first_sequence: u64,
    /// Take-in number of its newest instance.
    pub last_sequence: u64,
    /// Whether something of it waits to be packed.
    pub waits: bool,
    /// Earlier studies of the same person, counted up to 99. A person is (issuer, Patient ID); the centre stands in for
    /// an absent issuer.
    pub priors: u32,
}

/// A page of a list.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StudyList {
    /// The page.
    pub studies: Vec<ListedStudy>,
    /// Studies in the whole list.
    pub total: u64,
    /// Whether these are all that match; else they are the newest of them.
    pub complete: bool,
    /// Take-in number of the newest instance of the archive.
    pub last_sequence: u64,
}

/// The page of a list that is asked for.
pub(crate) fn list_studies(connection: &Connection, query: &ListQuery) -> Result<StudyList> {
    let unsorted = query.sort == SortBy::StudyDate && query.descending;
    let (page, total, complete) = if query.groups.is_empty() && query.taken_in_after.is_none() && unsorted {
        let page = Query { limit: query.limit, offset: query.offset, ..Query::default() };
        (ids(connection, &page)?, studies_within(connection, &[])?, true)
    } else {
        let (found, complete) = matches(connection, query)?;
        let total = found.len() as u64;
        (sorted(connection, query, found)?, total, complete)
    };
    let last_sequence = connection.query_row("SELECT ifnull(max(sequence), 0) FROM instance", [], |row| row.get(0));
    let last_sequence: i64 = last_sequence?;
    Ok(StudyList { studies: rows(connection, &page)?, total, complete, last_sequence: last_sequence as u64 })
}

/// The centres that studies came from, sorted.
pub(crate) fn centres(connection: &Connection) -> Result<Vec<String>> {
    // From one to the next in the index, so that studies are not counted through.
    let mut statement = connection.prepare_cached(
        "WITH RECURSIVE centre (name) AS (SELECT min(Centre) FROM study
           UNION ALL SELECT (SELECT min(Centre) FROM study WHERE Centre > name) FROM centre WHERE name IS NOT NULL)
         SELECT name FROM centre WHERE name IS NOT NULL LIMIT ?1",
    )?;
    let names = statement.query_map([CENTRES_MAX], |row| row.get(0))?;
    Ok(names.collect::<rusqlite::Result<_>>()?)
}

/// Rows of studies that match, newest first, and whether they are all.
fn matches(connection: &Connection, query: &ListQuery) -> Result<(Vec<i64>, bool)> {
    if query.groups.iter().any(Vec::is_empty) {
        return Ok((Vec::new(), true));
    }
    let mut complete = true;
    let mut leading: Option<Vec<Gathered>> = None;
    if let Some(after) = query.taken_in_after {
        let (fresh, all) = taken_in_after(connection, after)?;
        complete = all;
        leading = Some(fresh);
    }
    for group in &query.groups {
        if let Some(found) = gathered_by(connection, group, &query.groups)? {
            leading = Some(match leading {
                Some(before) => in_both(before, found),
                None => found,
            });
        }
    }
    let mut found = match leading {
        Some(leading) => tested(connection, query, leading)?,
        None => {
            let (mut found, all) = walked(connection, &query.groups)?;
            complete = all;
            if !all {
                found.extend(tested(connection, query, gathered_in_part(connection, query)?)?);
            }
            newest_first(&mut found);
            found
        }
    };
    complete &= found.len() <= LISTED_MAX;
    found.truncate(LISTED_MAX);
    Ok((found.into_iter().map(|(_, _, id)| id).collect(), complete))
}

/// What is in both, in the order of the first.
fn in_both(mut first: Vec<Gathered>, second: Vec<Gathered>) -> Vec<Gathered> {
    let second: HashSet<i64> = second.into_iter().map(|(_, _, id)| id).collect();
    first.retain(|(_, _, id)| second.contains(id));
    first
}

fn newest_first(found: &mut Vec<Gathered>) {
    found.sort_unstable_by(|a, b| (&b.0, b.1).cmp(&(&a.0, a.1)));
    found.dedup_by_key(|(_, _, id)| *id);
}

/// All studies that a group leaves, where indexes tell them and they are few.
fn gathered_by(
    connection: &Connection,
    group: &[(Column, Test)],
    groups: &[Vec<(Column, Test)>],
) -> Result<Option<Vec<Gathered>>> {
    let mut all = Vec::new();
    for alternative in group {
        match alternative_gathered(connection, alternative, groups)? {
            Some(found) => all.extend(found),
            None => return Ok(None),
        }
    }
    newest_first(&mut all);
    Ok(Some(all))
}

/// What indexes tell of groups that are not told by them alone: what lies further back than a walk looks.
fn gathered_in_part(connection: &Connection, query: &ListQuery) -> Result<Vec<Gathered>> {
    let mut all = Vec::new();
    for alternative in query.groups.iter().flatten() {
        all.extend(alternative_gathered(connection, alternative, &query.groups)?.unwrap_or_default());
    }
    newest_first(&mut all);
    Ok(all)
}

fn alternative_gathered(
    connection: &Connection,
    alternative: &(Column, Test),
    groups: &[Vec<(Column, Test)>],
) -> Result<Option<Vec<Gathered>>> {
    let mut clause = Clause::default();
    let select = match alternative {
        (Column::PatientBirthDate, Test::Within(range)) => {
            clause.within("PatientBirthDate", range);
            "StudyDate, FirstSequence, id FROM study INDEXED BY study_birth"
        }
        (Column::StudyDate, Test::Within(range)) => {
            clause.within("StudyDate", range);
            "StudyDate, FirstSequence, id FROM study INDEXED BY study_date"
        }
        (Column::Centre, Test::Match(Match::Single(centre))) => {
            clause.term("Centre = ?".into(), centre.clone());
            "StudyDate, FirstSequence, id FROM study INDEXED BY study_centre"
        }
        (Column::ModalitiesInStudy, Test::Match(Match::Single(modality))) => {
            clause.term("Modality = ?".into(), modality.clone());
            "StudyDate, FirstSequence, study FROM study_modality"
        }
        // A name's keys are kept by date: the dates that are asked for besides make them fewer.
        (Column::PatientName, Test::Name(name)) => {
            let found = by_name(connection, &name.prefixes(), &dates(groups).cloned().collect::<Vec<_>>(), WORD_MAX)?;
            return Ok(found.map(sorted_once));
        }
        other => return gathered(connection, std::slice::from_ref(other)),
    };
    gather(connection, select, clause, WORD_MAX)
}

fn sorted_once(mut found: Vec<Gathered>) -> Vec<Gathered> {
    newest_first(&mut found);
    found
}

/// Ranges of Study Date that all studies have to be in.
fn dates(groups: &[Vec<(Column, Test)>]) -> impl Iterator<Item = &(Column, Test)> {
    groups.iter().filter_map(|group| match group.as_slice() {
        [one @ (Column::StudyDate, Test::Within(_))] => Some(one),
        _ => None,
    })
}

/// Studies of which an instance was taken in after this one; whether these are all.
fn taken_in_after(connection: &Connection, after: u64) -> Result<(Vec<Gathered>, bool)> {
    let end: i64 = connection.query_row("SELECT ifnull(max(sequence), 0) FROM instance", [], |row| row.get(0))?;
    let first = after.max((end as u64).saturating_sub(RECENT_INSTANCES_MAX));
    let mut statement = connection.prepare_cached(
        "SELECT StudyDate, FirstSequence, id FROM study WHERE id IN
           (SELECT series.study FROM instance CROSS JOIN series ON series.id = instance.series
            WHERE instance.sequence > ?1 AND instance.variant = 0)
         ORDER BY StudyDate DESC, FirstSequence DESC",
    )?;
    let rows = statement.query_map([first as i64], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok((rows.collect::<rusqlite::Result<_>>()?, first == after))
}

/// The groups as a clause: alternatives joined by OR.
fn clause_of(groups: &[Vec<(Column, Test)>]) -> Clause {
    let mut clause = Clause::default();
    for group in groups {
        let mut either = Vec::with_capacity(group.len());
        for alternative in group {
            let mut one = Clause::of(std::slice::from_ref(alternative));
            either.push(if one.terms.is_empty() { "1".to_owned() } else { one.terms.join(" AND ") });
            clause.values.append(&mut one.values);
        }
        clause.terms.push(format!("({})", either.join(" OR ")));
    }
    clause
}

/// Of what was gathered, what is in all groups; one more than is listed, so that it shows where there are more.
fn tested(connection: &Connection, query: &ListQuery, gathered: Vec<Gathered>) -> Result<Vec<Gathered>> {
    let mut clause = clause_of(&query.groups);
    clause.terms.push("study.NumberOfStudyRelatedInstances > 0".into());
    clause.terms.push("study.id IN (SELECT value FROM json_each(?))".into());
    let mut statement = connection.prepare_cached(&format!("SELECT study.id FROM study{}", clause.sql()))?;
    let mut out = Vec::new();
    for step in gathered.chunks(TESTED_STEP) {
        let listed = Value::Text(json(step.iter().map(|(_, _, id)| *id)));
        let values = clause.values.iter().cloned().chain([listed]);
        let found = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        let found: HashSet<i64> = found.collect::<rusqlite::Result<_>>()?;
        out.extend(step.iter().filter(|(_, _, id)| found.contains(id)).cloned());
        if out.len() > LISTED_MAX {
            break;
        }
    }
    Ok(out)
}

fn json(ids: impl Iterator<Item = i64>) -> String {
    serde_json::to_string(&ids.collect::<Vec<_>>()).unwrap_or_default()
}

/// Down the index of dates, as far as a walk goes; whether it went through all.
fn walked(connection: &Connection, groups: &[Vec<(Column, Test)>]) -> Result<(Vec<Gathered>, bool)> {
    let (mut within, mut clause) = (Clause::default(), clause_of(groups));
    let dates: Vec<_> = dates(groups).cloned().collect();
    for (_, test) in &dates {
        if let Test::Within(range) = test {
            within.within("StudyDate", range);
        }
    }
    clause.terms.push("study.NumberOfStudyRelatedInstances > 0".into());
    // The inner limit counts studies that are looked at, the outer one those that match.
    let sql = format!(
        "SELECT StudyDate, FirstSequence, id FROM (SELECT * FROM study INDEXED BY study_date{}
           ORDER BY StudyDate DESC, FirstSequence DESC LIMIT {LOOKED_AT_MAX}) AS study{} LIMIT {}",
        within.sql(),
        clause.sql(),
        LISTED_MAX + 1
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let values = within.values.into_iter().chain(clause.values);
    let rows = statement.query_map(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let rows = rows.collect::<rusqlite::Result<_>>()?;
    let ranges: Vec<&Range> =
        dates.iter().filter_map(|(_, test)| if let Test::Within(range) = test { Some(range) } else { None }).collect();
    Ok((rows, studies_within(connection, &ranges)? <= LOOKED_AT_MAX))
}

/// How many studies there are within these ranges of dates.
fn studies_within(connection: &Connection, ranges: &[&Range]) -> Result<u64> {
    let mut clause = Clause::default();
    ranges.iter().for_each(|range| clause.within("StudyDate", range));
    let sql = format!("SELECT ifnull(sum(Studies), 0) FROM study_rank{}", clause.sql());
    let studies: i64 = connection.prepare_cached(&sql)?.query_row(params_from_iter(clause.values), |row| row.get(0))?;
    Ok(studies as u64)
}

/// The page of what was found, newest first as it comes, in the order that is asked for.
fn sorted(connection: &Connection, query: &ListQuery, found: Vec<i64>) -> Result<Vec<i64>> {
    let (limit, offset) = (query.limit as usize, query.offset as usize);
    if query.sort == SortBy::StudyDate && query.descending {
        return Ok(found.into_iter().skip(offset).take(limit).collect());
    }
    let (by, direction) = (query.sort.sql(), if query.descending { "DESC" } else { "ASC" });
    let sql = format!(
        "SELECT study.id FROM study WHERE study.id IN (SELECT value FROM json_each(?1))
         ORDER BY {by} = '', {by} {direction}, study.StudyDate DESC, study.FirstSequence DESC LIMIT ?2 OFFSET ?3"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let listed = json(found.into_iter());
    let ids = statement.query_map((listed, query.limit, query.offset), |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

/// Of series, the newest instances tell how far the study is taken in and packed: a study is packed when it is whole.
fn rows(connection: &Connection, ids: &[i64]) -> Result<Vec<ListedStudy>> {
    let sql = format!(
        "SELECT {STUDY_COLUMNS}, study.FirstSequence,
           (SELECT max((SELECT max(sequence) FROM instance WHERE instance.series = of.id))
              FROM series AS of WHERE of.study = study.id),
           EXISTS (SELECT 1 FROM series AS of WHERE of.study = study.id AND
             (SELECT container FROM instance WHERE instance.series = of.id ORDER BY sequence DESC LIMIT 1) < 0),
           (SELECT count(*) FROM (SELECT 1 FROM study AS of WHERE study.PatientID <> ''
              AND of.PatientID = study.PatientID AND of.IssuerOfPatientID = study.IssuerOfPatientID
              AND (of.IssuerOfPatientID <> '' OR of.Centre = study.Centre) AND of.NumberOfStudyRelatedInstances > 0
              AND (of.StudyDate, of.StudyTime, of.FirstSequence) < (study.StudyDate, study.StudyTime, study.FirstSequence)
              LIMIT {PRIORS_MAX}))
         FROM study WHERE id = ? AND NumberOfStudyRelatedInstances > 0"
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let mut out = Vec::with_capacity(ids.len());
    for id in ids {
        let mut rows = statement.query_map([id], |row| {
            Ok(ListedStudy {
                row: study_from_row(row)?,
                first_sequence: row.get::<_, i64>(19)? as u64,
                last_sequence: row.get::<_, Option<i64>>(20)?.unwrap_or(0) as u64,
                waits: row.get(21)?,
                priors: row.get(22)?,
            })
        })?;
        out.extend(rows.next().transpose()?);
    }
    Ok(out)
}
