//! Searching the index: what QIDO-RS and C-FIND ask (PS3.4 C.2.2.2), without their wire forms.

use rusqlite::types::Value;
use rusqlite::{Connection, params_from_iter};

use super::rows::{SERIES_COLUMNS, STUDY_COLUMNS, SeriesRow, StudyRow, series_from_row, study_from_row};
use crate::error::Result;
use crate::fold;

/// How one text is matched (PS3.4 C.2.2.2.1 to C.2.2.2.4).
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Match {
    /// Equal, case included.
    Single(String),
    /// With `*` for any run of characters and `?` for any one.
    Wildcard(String),
    /// Equal to one of these.
    List(Vec<String>),
}

impl Match {
    /// Single value or wildcard, as the text has `*` or `?` in it.
    pub fn of(text: &str) -> Match {
        if text.contains(['*', '?']) { Match::Wildcard(text.into()) } else { Match::Single(text.into()) }
    }
}

/// A closed range of DA or TM values; an open end is `None` (PS3.4 C.2.2.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Range {
    /// First value that matches.
    pub from: Option<String>,
    /// Last value that matches.
    pub to: Option<String>,
}

/// In which order studies come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Newest Study Date first, then newest taken in: what a person looks for.
    #[default]
    Newest,
    /// As taken in: stable while more come in, for walking through everything.
    TakenIn,
}

/// A search for studies. Empty fields match everything.
#[derive(Clone, Debug, Default)]
pub struct StudyQuery {
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: Option<Match>,
    /// Patient ID (0010,0020).
    pub patient_id: Option<Match>,
    /// Issuer of Patient ID (0010,0021).
    pub issuer_of_patient_id: Option<Match>,
    /// Patient's Name (0010,0010), matched folded ([`fold::key`]) against each component group.
    pub patient_name: Option<String>,
    /// Patient's Birth Date (0010,0030).
    pub patient_birth_date: Option<Range>,
    /// Patient's Sex (0010,0040).
    pub patient_sex: Option<Match>,
    /// Study Date (0008,0020).
    pub study_date: Option<Range>,
    /// Study Time (0008,0030).
    pub study_time: Option<Range>,
    /// Accession Number (0008,0050).
    pub accession_number: Option<Match>,
    /// Study ID (0020,0010).
    pub study_id: Option<Match>,
    /// Study Description (0008,1030).
    pub study_description: Option<Match>,
    /// Referring Physician's Name (0008,0090).
    pub referring_physician_name: Option<Match>,
    /// Modalities in Study (0008,0061): any of them.
    pub modalities_in_study: Option<Match>,
    /// The centre that sent it.
    pub centre: Option<Match>,
    /// Order of the answer.
    pub order: Order,
    /// At most this many; 0 for all.
    pub limit: u32,
    /// This many are skipped first.
    pub offset: u32,
}

/// A search for series, within the studies that match.
#[derive(Clone, Debug, Default)]
pub struct SeriesQuery {
    /// Of which studies; its `order` rules, its `limit` and `offset` are not used.
    pub study: StudyQuery,
    /// Series Instance UID (0020,000E).
    pub series_instance_uid: Option<Match>,
    /// Modality (0008,0060).
    pub modality: Option<Match>,
    /// Series Number (0020,0011).
    pub series_number: Option<i32>,
    /// Series Description (0008,103E).
    pub series_description: Option<Match>,
    /// Body Part Examined (0018,0015).
    pub body_part_examined: Option<Match>,
    /// Performed Procedure Step Start Date (0040,0244).
    pub performed_procedure_step_start_date: Option<Range>,
    /// Performed Procedure Step Start Time (0040,0245).
    pub performed_procedure_step_start_time: Option<Range>,
    /// At most this many; 0 for all.
    pub limit: u32,
    /// This many are skipped first.
    pub offset: u32,
}

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

    fn matching(&mut self, column: &str, wanted: &Option<Match>) {
        match wanted {
            None => {}
            Some(Match::Single(text)) => self.term(format!("{column} = ?"), text.clone()),
            Some(Match::Wildcard(text)) if text.chars().all(|c| c == '*') => {}
            Some(Match::Wildcard(text)) => self.term(format!("{column} GLOB ?"), glob(text)),
            Some(Match::List(texts)) => {
                self.terms.push(format!("{column} IN ({})", vec!["?"; texts.len()].join(", ")));
                self.values.extend(texts.iter().cloned().map(Value::from));
            }
        }
    }

    fn within(&mut self, column: &str, range: &Option<Range>) {
        let Some(range) = range else { return };
        if let Some(from) = &range.from {
            self.term(format!("{column} >= ?"), from.clone());
        }
        if let Some(to) = &range.to {
            // Values may be written longer than the bound (TM 0930 and 093000.5): all that begin with it are within.
            self.term(format!("{column} <= ?"), format!("{to}\u{10FFFF}"));
        }
        self.terms.push(format!("{column} <> ''"));
    }

    fn name(&mut self, wanted: &Option<String>) {
        let Some(text) = wanted else { return };
        let key = fold::key(text.trim_end_matches('='));
        if key.chars().all(|c| c == '*') {
            return;
        }
        self.term("study.PatientNameKey GLOB ?".into(), format!("*={}=*", glob(&key)));
    }

    fn study(&mut self, query: &StudyQuery) {
        self.matching("study.StudyInstanceUID", &query.study_instance_uid);
        self.matching("study.PatientID", &query.patient_id);
        self.matching("study.IssuerOfPatientID", &query.issuer_of_patient_id);
        self.name(&query.patient_name);
        self.within("study.PatientBirthDate", &query.patient_birth_date);
        self.matching("study.PatientSex", &query.patient_sex);
        self.within("study.StudyDate", &query.study_date);
        self.within("study.StudyTime", &query.study_time);
        self.matching("study.AccessionNumber", &query.accession_number);
        self.matching("study.StudyID", &query.study_id);
        self.matching("study.StudyDescription", &query.study_description);
        self.matching("study.ReferringPhysicianName", &query.referring_physician_name);
        self.matching("study.Centre", &query.centre);
        if query.modalities_in_study.is_some() {
            let mut inner = Clause::default();
            inner.matching("of.Modality", &query.modalities_in_study);
            if let Some(term) = inner.terms.pop() {
                self.terms.push(format!("EXISTS (SELECT 1 FROM series AS of WHERE of.study = study.id AND {term})"));
                self.values.append(&mut inner.values);
            }
        }
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

/// Studies that match, in the query's order.
pub(crate) fn search_studies(connection: &Connection, query: &StudyQuery) -> Result<Vec<StudyRow>> {
    let mut clause = Clause::default();
    // A study of variants only does not exist; a study is listed once it has an instance.
    clause.terms.push("study.NumberOfStudyRelatedInstances > 0".into());
    clause.study(query);
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
pub(crate) fn search_series(connection: &Connection, query: &SeriesQuery) -> Result<Vec<SeriesRow>> {
    let mut clause = Clause::default();
    clause.terms.push("series.NumberOfSeriesRelatedInstances > 0".into());
    clause.study(&query.study);
    clause.matching("series.SeriesInstanceUID", &query.series_instance_uid);
    clause.matching("series.Modality", &query.modality);
    if let Some(number) = query.series_number {
        clause.term("series.SeriesNumber = ?".into(), i64::from(number));
    }
    clause.matching("series.SeriesDescription", &query.series_description);
    clause.matching("series.BodyPartExamined", &query.body_part_examined);
    clause.within("series.PerformedProcedureStepStartDate", &query.performed_procedure_step_start_date);
    clause.within("series.PerformedProcedureStepStartTime", &query.performed_procedure_step_start_time);
    let sql = format!(
        "SELECT {SERIES_COLUMNS} FROM series JOIN study ON study.id = series.study{}
         ORDER BY {}, series.SeriesNumber, series.FirstSequence{}",
        clause.sql(),
        order(query.study.order),
        page(query.limit, query.offset)
    );
    let mut statement = connection.prepare_cached(&sql)?;
    let rows = statement.query_map(params_from_iter(clause.values), series_from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
