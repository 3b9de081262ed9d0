//! Answering a [`Query`] out of the index.

use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::query::{Column, Match, Order, Query, Range, Test};
use super::rows::{
    PATIENT_COLUMNS, PatientRow, SERIES_COLUMNS, STUDY_COLUMNS, SeriesRow, StudyRow, patient_from_row, series_from_row,
    study_from_row,
};
use crate::error::Result;
use crate::fold::{self, Name};

/// A WHERE clause in the making, with its parameters.
#[derive(Default)]
struct Clause {
    terms: Vec<String>,
    values: Vec<Value>,
}

impl Clause {
    fn term(&mut self, sql: String, value: impl Into<Value>) {
        self.terms.push(sql);
        self.values.push(value.into());
    }

    fn all(&mut self, terms: &[(Column, Test)]) {
        for (column, test) in terms {
            match column {
                Column::ModalitiesInStudy => self.modalities(test),
                _ => self.test(column.sql(), test),
            }
        }
    }

    fn test(&mut self, column: &str, test: &Test) {
        match test {
            Test::Match(wanted) => self.matching(column, wanted),
            Test::Within(range) => self.within(column, range),
            Test::Name(name) => self.name(column, name),
            Test::Number(number) => self.term(format!("{column} = ?"), *number),
            Test::Empty => self.terms.push(format!("ifnull({column}, '') = ''")),
        }
    }

    fn matching(&mut self, column: &str, wanted: &Match) {
        match wanted {
            Match::Single(text) => self.term(format!("{column} = ?"), text.clone()),
            Match::Wildcard(text) if text.chars().all(|c| c == '*') => {}
            Match::Wildcard(text) => self.term(format!("{column} GLOB ?"), glob(text)),
            Match::List(texts) => {
                self.terms.push(format!("{column} IN ({})", vec!["?"; texts.len()].join(", ")));
                self.values.extend(texts.iter().cloned().map(Value::from));
            }
        }
    }

    fn within(&mut self, column: &str, range: &Range) {
        if let Some(from) = &range.from {
            self.term(format!("{column} >= ?"), from.clone());
        }
        if let Some(to) = &range.to {
            // Values may be written longer than the bound (TM 0930 and 093000.5): all that begin with it are within.
            self.term(format!("{column} <= ?"), format!("{to}\u{10FFFF}"));
        }
        self.terms.push(format!("{column} <> ''"));
    }

    fn name(&mut self, column: &str, name: &Name) {
        if !name.is_universal() {
            let function = if name.fuzzy { "name_resembles" } else { "name_matches" };
            self.term(format!("{function}({column}, ?)"), name.text.clone());
        }
    }

    fn modalities(&mut self, test: &Test) {
        let mut inner = Clause::default();
        inner.test(Column::ModalitiesInStudy.sql(), test);
        for term in inner.terms {
            self.terms.push(format!("EXISTS (SELECT 1 FROM series AS of WHERE of.study = study.id AND {term})"));
        }
        self.values.append(&mut inner.values);
    }

    fn sql(&self) -> String {
        if self.terms.is_empty() { String::new() } else { format!(" WHERE {}", self.terms.join(" AND ")) }
    }
}

/// DICOM wildcards as SQLite's GLOB has them; `[` is no wildcard in DICOM.
fn glob(pattern: &str) -> String {
    pattern.replace('[', "[[]")
}

fn page(limit: u32, offset: u32) -> String {
    let limit = if limit == 0 { -1 } else { i64::from(limit) };
    format!(" LIMIT {limit} OFFSET {offset}")
}

fn order(order: Order) -> &'static str {
    match order {
        Order::Newest => "study.StudyDate DESC, study.FirstSequence DESC",
        Order::TakenIn => "study.FirstSequence",
    }
}

/// The functions that statements of this file call.
pub(super) fn add_functions(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("name_matches", 2, flags, |context| named(context, false))?;
    connection.create_scalar_function("name_resembles", 2, flags, |context| named(context, true))?;
    Ok(())
}

fn named(context: &Context<'_>, fuzzy: bool) -> rusqlite::Result<bool> {
    let pattern = context.get_or_create_aux(1, |text| {
        text.as_str().map(|text| fold::NamePattern::new(&Name { text: text.to_owned(), fuzzy }))
    })?;
    Ok(pattern.matches(context.get_raw(0).as_str().unwrap_or("")))
}

/// Studies that match, in the query's order.
pub(crate) fn search_studies(connection: &Connection, query: &Query) -> Result<Vec<StudyRow>> {
    let mut clause = Clause::default();
    // A study of variants only does not exist; a study is listed once it has an instance.
    clause.terms.push("study.NumberOfStudyRelatedInstances > 0".into());
    clause.all(&query.terms);
    let sql = format!(
        "SELECT {STUDY_COLUMNS} FROM study{} ORDER BY {}{}",
        clause.sql(),
        order(query.order),
        page(query.limit, query.offset)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(clause.values), study_from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Series that match, grouped by study in the query's order, then by Series Number.
pub(crate) fn search_series(connection: &Connection, query: &Query) -> Result<Vec<SeriesRow>> {
    let mut clause = Clause::default();
    clause.terms.push("series.NumberOfSeriesRelatedInstances > 0".into());
    clause.all(&query.terms);
    let sql = format!(
        "SELECT {SERIES_COLUMNS} FROM series JOIN study ON study.id = series.study{}
         ORDER BY {}, series.SeriesNumber, series.FirstSequence{}",
        clause.sql(),
        order(query.order),
        page(query.limit, query.offset)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(clause.values), series_from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Patients of the studies that match, by (issuer, Patient ID). What is said of each is what its first study says.
pub(crate) fn search_patients(connection: &Connection, query: &Query) -> Result<Vec<PatientRow>> {
    let mut clause = Clause::default();
    clause.terms.push("study.NumberOfStudyRelatedInstances > 0".into());
    clause.all(&query.terms);
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

/// How many studies match after the query's offset, counted up to its limit.
pub(crate) fn count_studies(connection: &Connection, query: &Query) -> Result<u32> {
    let mut clause = Clause::default();
    clause.terms.push("study.NumberOfStudyRelatedInstances > 0".into());
    clause.all(&query.terms);
    count(connection, "study", clause, "", query)
}

/// How many series match after the query's offset, counted up to its limit.
pub(crate) fn count_series(connection: &Connection, query: &Query) -> Result<u32> {
    let mut clause = Clause::default();
    clause.terms.push("series.NumberOfSeriesRelatedInstances > 0".into());
    clause.all(&query.terms);
    count(connection, "series JOIN study ON study.id = series.study", clause, "", query)
}

/// How many patients have studies that match after the query's offset, counted up to its limit.
pub(crate) fn count_patients(connection: &Connection, query: &Query) -> Result<u32> {
    let mut clause = Clause::default();
    clause.terms.push("study.NumberOfStudyRelatedInstances > 0".into());
    clause.all(&query.terms);
    count(connection, "study", clause, "GROUP BY study.PatientID, study.IssuerOfPatientID", query)
}

fn count(connection: &Connection, from: &str, clause: Clause, group: &str, query: &Query) -> Result<u32> {
    let (terms, page) = (clause.sql(), page(query.limit, query.offset));
    let sql = format!("SELECT count(*) FROM (SELECT 1 FROM {from}{terms} {group}{page})");
    Ok(connection.prepare_cached(&sql)?.query_row(params_from_iter(clause.values), |row| row.get(0))?)
}
