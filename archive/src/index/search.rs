//! Answering a [`Query`] out of the index.
//!
//! Studies come in one order, newest first, and are found in one of three ways: by an exact key; by what the name or the
//! Patient ID begins with, where few begin so; else by walking down the index of dates (or of a modality's dates) until
//! the page is full. Many matches make the walk short, few make the second way short. `offset` is not walked where
//! only dates are asked for: `study_rank` says how many studies there are a day.

use std::collections::HashSet;

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::clause::Clause;
use super::query::{Column, Match, Order, Query, Test};
use super::rows::{
    PATIENT_COLUMNS, PatientRow, SERIES_COLUMNS, STUDY_COLUMNS, SeriesRow, StudyRow, patient_from_row, series_from_row,
    study_from_row,
};
use crate::error::Result;

/// Studies that are gathered and sorted at the most; of more, a walk by date meets enough soon.
pub(super) const GATHERED_MAX: usize = 10_000;
/// Studies that one of several words of a name may leave.
pub(super) const WORD_MAX: usize = 60_000;
/// The same where each has to be read to know its date.
const READ_MAX: usize = 2_000;
/// Studies of these that are looked at together.
const FILTERED_STEP: usize = 512;

/// Studies that match, in the query's order.
pub(crate) fn search_studies(connection: &Connection, query: &Query) -> Result<Vec<StudyRow>> {
    Ok(study_page(connection, query, 0)?.0)
}

/// Studies that match, in the query's order, and how many more do after these, counted up to `count_max`.
pub(crate) fn study_page(connection: &Connection, query: &Query, count_max: u32) -> Result<(Vec<StudyRow>, u32)> {
    let page = if query.limit == 0 { usize::MAX } else { query.limit as usize };
    let limit = if query.limit == 0 { 0 } else { query.limit.saturating_add(count_max) };
    let ids = ids(connection, &Query { limit, ..query.clone() })?;
    // A study of variants only does not exist; a study is listed once it has an instance.
    let sql = format!("SELECT {STUDY_COLUMNS} FROM study WHERE id = ? AND NumberOfStudyRelatedInstances > 0");
    let mut statement = connection.prepare_cached(&sql)?;
    let mut out = Vec::with_capacity(ids.len().min(page));
    for id in ids.iter().take(page) {
        let mut rows = statement.query_map([id], study_from_row)?;
        out.extend(rows.next().transpose()?);
    }
    Ok((out, ids.len().saturating_sub(page) as u32))
}

/// The rows of the studies of a page, in order.
pub(super) fn ids(connection: &Connection, query: &Query) -> Result<Vec<i64>> {
    if query.order == Order::TakenIn {
        return walked(connection, query, "study", Clause::of(&query.terms), "study.FirstSequence");
    }
    if query.terms.iter().any(is_exact) {
        // The plus signs keep SQLite from walking by date for the sake of the order.
        let order = "+study.StudyDate DESC, +study.FirstSequence DESC";
        return walked(connection, query, "study", Clause::of(&query.terms), order);
    }
    let dates_only = query.terms.iter().all(|(column, test)| *column == Column::StudyDate && *test != Test::Empty);
    if dates_only {
        return ranked(connection, query);
    }
    if let Some(gathered) = gathered(connection, &query.terms)? {
        return filtered(connection, query, gathered);
    }
    match one_modality(&query.terms) {
        Some((modality, rest)) => by_modality(connection, query, modality, &rest),
        None => {
            let order = "study.StudyDate DESC, study.FirstSequence DESC";
            walked(connection, query, "study INDEXED BY study_date", Clause::of(&query.terms), order)
        }
    }
}

/// Whether a term leaves a handful of studies.
fn is_exact((column, test): &(Column, Test)) -> bool {
    let unique = [Column::StudyInstanceUid, Column::SeriesInstanceUid, Column::PatientId, Column::AccessionNumber];
    unique.contains(column) && matches!(test, Test::Match(Match::Single(_) | Match::List(_)))
}

fn walked(connection: &Connection, query: &Query, from: &str, clause: Clause, order: &str) -> Result<Vec<i64>> {
    let page = page(query.limit, query.offset);
    let sql = format!("SELECT study.id FROM {from}{} ORDER BY {order}{page}", clause.sql());
    let mut statement = connection.prepare_cached(&sql)?;
    let ids = statement.query_map(params_from_iter(clause.values), |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

/// By dates alone: days before the page are skipped by their counts.
fn ranked(connection: &Connection, query: &Query) -> Result<Vec<i64>> {
    let mut clause = Clause::of(&query.terms);
    let mut skip = i64::from(query.offset);
    if skip > 0 {
        let within = clause.sql().replace("study.StudyDate", "StudyDate");
        let sql = format!("SELECT StudyDate, Studies FROM study_rank{within} ORDER BY StudyDate DESC");
        let mut statement = connection.prepare_cached(&sql)?;
        let mut days = statement.query(params_from_iter(clause.values.clone()))?;
        let mut first: Option<String> = None;
        while let Some(day) = days.next()? {
            let studies: i64 = day.get(1)?;
            if skip < studies {
                first = Some(day.get(0)?);
                break;
            }
            skip -= studies;
        }
        let Some(day) = first else { return Ok(Vec::new()) };
        clause.term("study.StudyDate <= ?".into(), day);
    }
    let query = Query { limit: query.limit, offset: skip as u32, ..Query::default() };
    let order = "study.StudyDate DESC, study.FirstSequence DESC";
    walked(connection, &query, "study INDEXED BY study_date", clause, order)
}

/// A study that may match: what it is sorted by, and its row.
pub(super) type Gathered = (String, i64, i64);

/// Studies that a selective term leaves, newest first; `None` where there is no such term, or it leaves too many.
pub(super) fn gathered(connection: &Connection, terms: &[(Column, Test)]) -> Result<Option<Vec<Gathered>>> {
    for (column, test) in terms {
        let found = match (column, test) {
            (Column::PatientName, Test::Name(name)) => by_name(connection, &name.prefixes(), terms, GATHERED_MAX)?,
            (Column::PatientId | Column::AccessionNumber, Test::Match(Match::Wildcard(pattern))) => {
                beginning(connection, *column, pattern)?
            }
            _ => None,
        };
        if let Some(mut found) = found {
            found.sort_unstable_by(|a, b| (&b.0, b.1).cmp(&(&a.0, a.1)));
            found.dedup_by_key(|(_, _, id)| *id);
            return Ok(Some(found));
        }
    }
    Ok(None)
}

/// By what keys of the name begin with, all of it, unless it is more than `found_max`; dates are in that index too.
pub(super) fn by_name(
    connection: &Connection,
    prefixes: &[String],
    terms: &[(Column, Test)],
    found_max: usize,
) -> Result<Option<Vec<Gathered>>> {
    let mut all: Option<Vec<Gathered>> = None;
    // Each of several words may leave many studies, which together leave few.
    let most = if prefixes.len() > 1 { WORD_MAX } else { found_max };
    for prefix in prefixes {
        let mut clause = Clause::default();
        clause.term("Name >= ?".into(), prefix.clone());
        clause.term("Name < ?".into(), format!("{prefix}\u{10FFFF}"));
        for (column, test) in terms {
            if let (Column::StudyDate, Test::Within(range)) = (column, test) {
                clause.within("StudyDate", range);
            }
        }
        let found = gather(connection, "StudyDate, FirstSequence, study FROM name_key", clause, most)?;
        all = match (all, found) {
            (Some(mut all), Some(found)) => {
                let found: HashSet<i64> = found.into_iter().map(|(_, _, id)| id).collect();
                all.retain(|(_, _, id)| found.contains(id));
                Some(all)
            }
            (all, found) => all.or(found),
        };
    }
    Ok(all.filter(|found| found.len() <= found_max))
}

/// By what an identifier begins with.
fn beginning(connection: &Connection, column: Column, pattern: &str) -> Result<Option<Vec<Gathered>>> {
    let prefix = pattern.split(['*', '?']).next().unwrap_or("");
    if prefix.is_empty() {
        return Ok(None);
    }
    let mut clause = Clause::default();
    clause.term(format!("{} >= ?", column.sql()), prefix.to_owned());
    clause.term(format!("{} < ?", column.sql()), format!("{prefix}\u{10FFFF}"));
    gather(connection, "StudyDate, FirstSequence, id FROM study", clause, READ_MAX)
}

/// What is selected, unless it is too much; which is counted first, since counting builds nothing.
pub(super) fn gather(
    connection: &Connection,
    select: &str,
    clause: Clause,
    most: usize,
) -> Result<Option<Vec<Gathered>>> {
    let from = select.split_once(" FROM ").map_or("", |(_, from)| from);
    let count = format!("SELECT count(*) FROM (SELECT 1 FROM {from}{} LIMIT {})", clause.sql(), most + 1);
    let mut count = connection.prepare_cached(&count)?;
    let count: i64 = count.query_row(params_from_iter(clause.values.iter()), |row| row.get(0))?;
    if count > most as i64 {
        return Ok(None);
    }
    let mut statement = connection.prepare_cached(&format!("SELECT {select}{}", clause.sql()))?;
    let rows =
        statement.query_map(params_from_iter(clause.values), |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    Ok(Some(rows.collect::<rusqlite::Result<_>>()?))
}

/// Of what was gathered, the page of those that match all terms.
fn filtered(connection: &Connection, query: &Query, gathered: Vec<Gathered>) -> Result<Vec<i64>> {
    let mut clause = Clause::of(&query.terms);
    clause.terms.push("study.id IN (SELECT value FROM json_each(?))".into());
    let sql = format!("SELECT study.id FROM study{}", clause.sql());
    let mut statement = connection.prepare_cached(&sql)?;
    let (mut skip, mut out) = (query.offset as usize, Vec::new());
    for step in gathered.chunks(FILTERED_STEP) {
        let ids: Vec<i64> = step.iter().map(|(_, _, id)| *id).collect();
        let listed = serde_json::to_string(&ids).unwrap_or_default();
        let values = clause.values.iter().cloned().chain([Value::Text(listed)]);
        let found = statement.query_map(params_from_iter(values), |row| row.get(0))?;
        let found: HashSet<i64> = found.collect::<rusqlite::Result<_>>()?;
        let mut found_in_order = ids.into_iter().filter(|id| found.contains(id));
        let skipped = skip.min(found.len());
        skip -= skipped;
        let left = if query.limit == 0 { usize::MAX } else { query.limit as usize - out.len() };
        out.extend(found_in_order.by_ref().skip(skipped).take(left));
        if query.limit > 0 && out.len() == query.limit as usize {
            break;
        }
    }
    Ok(out)
}

/// The one modality asked for, and the other terms.
fn one_modality(terms: &[(Column, Test)]) -> Option<(&String, Vec<(Column, Test)>)> {
    let at = terms.iter().position(|(column, _)| *column == Column::ModalitiesInStudy)?;
    let (_, Test::Match(Match::Single(modality))) = terms.get(at)? else { return None };
    let rest = terms.iter().enumerate().filter(|(index, _)| *index != at).map(|(_, term)| term.clone());
    Some((modality, rest.collect()))
}

/// Down the dates of one modality.
fn by_modality(connection: &Connection, query: &Query, modality: &str, rest: &[(Column, Test)]) -> Result<Vec<i64>> {
    let mut clause = Clause::default();
    clause.term("study_modality.Modality = ?".into(), modality.to_owned());
    let mut others = Vec::new();
    for (column, test) in rest {
        match (column, test) {
            (Column::StudyDate, Test::Within(range)) => clause.within("study_modality.StudyDate", range),
            other => others.push((*other.0, other.1.clone())),
        }
    }
    let (select, from) = match others.is_empty() {
        true => ("study_modality.study", "study_modality"),
        false => ("study.id", "study_modality CROSS JOIN study ON study.id = study_modality.study"),
    };
    clause.all(&others);
    let sql = format!(
        "SELECT {select} FROM {from}{} ORDER BY study_modality.StudyDate DESC, study_modality.FirstSequence DESC{}",
        clause.sql(),
        page(query.limit, query.offset)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let ids = statement.query_map(params_from_iter(clause.values), |row| row.get(0))?;
    Ok(ids.collect::<rusqlite::Result<_>>()?)
}

fn page(limit: u32, offset: u32) -> String {
    let limit = if limit == 0 { -1 } else { i64::from(limit) };
    format!(" LIMIT {limit} OFFSET {offset}")
}

/// Series that match, grouped by study in the query's order, then by Series Number.
pub(crate) fn search_series(connection: &Connection, query: &Query) -> Result<Vec<SeriesRow>> {
    let (from, clause) = series_clause(connection, query)?;
    let order = match query.order {
        Order::TakenIn => "study.FirstSequence",
        Order::Newest => "study.StudyDate DESC, study.FirstSequence DESC",
    };
    let sql = format!(
        "SELECT {SERIES_COLUMNS} FROM {from}{} ORDER BY {order}, series.SeriesNumber, series.FirstSequence{}",
        clause.sql(),
        page(query.limit, query.offset)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(clause.values), series_from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many series match after the query's offset, counted up to its limit.
pub(crate) fn count_series(connection: &Connection, query: &Query) -> Result<u32> {
    let (from, clause) = series_clause(connection, query)?;
    count(connection, from, clause, "", query)
}

/// What series are selected from: by exact keys as SQLite finds best, else study by study.
fn series_clause(connection: &Connection, query: &Query) -> Result<(&'static str, Clause)> {
    let mut clause = Clause::default();
    clause.terms.push("series.NumberOfSeriesRelatedInstances > 0".into());
    clause.all(&query.terms);
    if query.terms.iter().any(is_exact) {
        return Ok(("series JOIN study ON study.id = series.study", clause));
    }
    if let Some(gathered) = gathered(connection, &query.terms)?.filter(|found| found.len() <= READ_MAX) {
        let ids: Vec<String> = gathered.iter().map(|(_, _, id)| id.to_string()).collect();
        clause.terms.push(format!("study.id IN ({})", ids.join(",")));
        return Ok(("study CROSS JOIN series ON series.study = study.id", clause));
    }
    match query.order {
        Order::TakenIn => Ok(("study INDEXED BY study_taken_in CROSS JOIN series ON series.study = study.id", clause)),
        Order::Newest => Ok(("study INDEXED BY study_date CROSS JOIN series ON series.study = study.id", clause)),
    }
}

/// Patients of the studies that match, by (issuer, Patient ID). What is said of each is what its first study says.
pub(crate) fn search_patients(connection: &Connection, query: &Query) -> Result<Vec<PatientRow>> {
    let clause = patient_clause(connection, query)?;
    // The bare columns are of the row that has the minimum: https://sqlite.org/lang_select.html#bareagg
    let sql = format!(
        "SELECT {PATIENT_COLUMNS}, min(study.FirstSequence) FROM study{}
         GROUP BY study.PatientID, study.IssuerOfPatientID ORDER BY study.PatientID, study.IssuerOfPatientID{}",
        clause.sql(),
        page(query.limit, query.offset)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(clause.values), patient_from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many patients have studies that match after the query's offset, counted up to its limit.
pub(crate) fn count_patients(connection: &Connection, query: &Query) -> Result<u32> {
    let clause = patient_clause(connection, query)?;
    count(connection, "study", clause, "GROUP BY study.PatientID, study.IssuerOfPatientID", query)
}

fn patient_clause(connection: &Connection, query: &Query) -> Result<Clause> {
    let mut clause = Clause::default();
    clause.terms.push("study.NumberOfStudyRelatedInstances > 0".into());
    clause.all(&query.terms);
    if !query.terms.iter().any(is_exact)
        && let Some(gathered) = gathered(connection, &query.terms)?
    {
        let ids: Vec<String> = gathered.iter().map(|(_, _, id)| id.to_string()).collect();
        clause.terms.push(format!("study.id IN ({})", ids.join(",")));
    }
    Ok(clause)
}

fn count(connection: &Connection, from: &str, clause: Clause, group: &str, query: &Query) -> Result<u32> {
    let (terms, page) = (clause.sql(), page(query.limit, query.offset));
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {from}{terms} {group}{page})");
    Ok(connection.prepare(&sql)?.query_row(params_from_iter(clause.values), |row| row.get(0))?)
}
