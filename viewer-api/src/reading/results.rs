//! Results for the school hub: rows of settled items, sent once, and sent again only where they have changed.
//!
//! An export is an event with a number that holds its rows, so it can be fetched again the same for ever.

use std::collections::HashMap;

use archive::{Column, Match, Patient, Query, Reader, Test};
use jiff::Timestamp;
use serde_json::Value;

use super::book::{Book, Item, Worklist};
use super::decision::{self, Decision};
use super::events::{Event, Person, Row, Word};
use super::{Reading, fhir, no_worklist};
use crate::error::{Error, Result};

/// Studies looked up at once.
const STUDIES_AT_ONCE: usize = 200;
/// Bytes of the rows of one export, about: a line of the log may have 16 MiB.
const EXPORT_BYTES_MAX: usize = 8 << 20;
/// Patient's Institution Residence (0038,0400).
const RESIDENCE: &str = "00380400";
/// Excel takes a UTF-8 file for Shift_JIS unless it begins with this.
const BYTE_ORDER_MARK: &str = "\u{FEFF}";
const HEAD: [&str; 19] = [
    "学校",
    "学年",
    "組",
    "児童生徒ID",
    "ID発行者",
    "検査日",
    "判定",
    "判定コード",
    "緊急",
    "所見コード",
    "所見",
    "所見コード表",
    "記載",
    "管理区分",
    "判定日時",
    "新規変更",
    "送付元施設",
    "StudyInstanceUID",
    "判定ID",
];

/// Rows that were sent, or would be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Results {
    /// The number of the export; `None` where nothing was sent.
    pub number: Option<u64>,
    /// When; without a number, when the last of them was decided.
    pub at: Timestamp,
    /// The rows.
    pub rows: Vec<Row>,
    /// There is more to be sent with the next export.
    pub more: bool,
}

/// A worklist as a list on the command line shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Progress {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its modality.
    pub modality: String,
    /// Items: all, waiting for a first reading, a second one, an adjudication; decided; sent.
    pub counts: [usize; 6],
}

impl Reading {
    /// How far every worklist is.
    ///
    /// # Errors
    /// [`Error::Reading`] when the log cannot be read.
    pub fn progress(&self) -> Result<Vec<Progress>> {
        let of = |worklist: &Worklist| {
            let [first, second, adjudication] = [0, 1, 2].map(|stage: usize| worklist.waiting[stage].len());
            let total = worklist.items.len();
            let decided = total - first - second - adjudication;
            Progress {
                id: worklist.id.clone(),
                name: worklist.name.clone(),
                modality: worklist.filter.modality.clone(),
                counts: [total, first, second, adjudication, decided, worklist.sent.len()],
            }
        };
        self.look(|book| Ok(book.worklists.iter().map(of).collect()))
    }

    /// Sends what is new or changed: writes an export down, durably, and answers it. Without a number where there is
    /// nothing to send.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown worklist; [`Error::Conflict`] when somebody else sent at the same moment.
    pub async fn export(&self, reader: &Reader, worklist: &str, by: &Person, now: Timestamp) -> Result<Results> {
        let all = self.settled(reader, worklist, now).await?;
        self.act(
            |book| {
                let worklist = book.worklist(worklist).ok_or_else(no_worklist)?;
                let (mut rows, mut bytes) = (Vec::new(), 0);
                let mut more = false;
                for mut row in all.rows {
                    let sent = worklist.sent.get(&row.item);
                    if sent.is_some_and(|sent| row == Row { changed: false, ..sent.clone() }) {
                        continue;
                    }
                    row.changed = sent.is_some();
                    bytes += serde_json::to_string(&row).map_or(0, |text| text.len());
                    if bytes > EXPORT_BYTES_MAX && !rows.is_empty() {
                        more = true;
                        break;
                    }
                    rows.push(row);
                }
                if rows.is_empty() {
                    return Ok((Vec::new(), Results { number: None, at: now, rows, more }));
                }
                let number = worklist.exports.len() as u64 + 1;
                let worklist = worklist.id.clone();
                let event = Event::Exported { worklist, number, rows: rows.clone(), by: by.clone() };
                Ok((vec![event], Results { number: Some(number), at: now, rows, more }))
            },
            now,
        )
        .and_then(|results| match results.number {
            // Another process may have written its own first: then this one does not count.
            Some(number) => {
                let kept = self.exported(worklist, number)?;
                let next_step = "look at the list of exports";
                let conflict = Error::Conflict { what: "somebody else has just sent these results", next_step };
                if kept.rows == results.rows { Ok(Results { more: results.more, ..kept }) } else { Err(conflict) }
            }
            None => Ok(results),
        })
    }

    /// An export as it was sent.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown worklist or number.
    pub fn exported(&self, worklist: &str, number: u64) -> Result<Results> {
        self.look(|book| {
            let worklist = book.worklist(worklist).ok_or_else(no_worklist)?;
            let export = worklist.exports.iter().find(|export| export.number == number);
            let export = export.ok_or_else(|| Error::NotFound("an export of this number".into()))?;
            Ok(Results { number: Some(number), at: export.at, rows: export.rows.clone(), more: false })
        })
    }

    /// Number, time and rows of every export.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown worklist.
    pub fn exports(&self, worklist: &str) -> Result<Vec<(u64, Timestamp, usize)>> {
        self.look(|book| {
            let worklist = book.worklist(worklist).ok_or_else(no_worklist)?;
            Ok(worklist.exports.iter().map(|export| (export.number, export.at, export.rows.len())).collect())
        })
    }

    /// Everything that is settled, as it would be sent now; nothing is written down. What is not in the archive any
    /// more, or cannot be read, is left out: a row of nobody says nothing, and one that was sent stays as it was.
    ///
    /// # Errors
    /// [`Error::NotFound`] for an unknown worklist; or what the archive says.
    pub async fn settled(&self, reader: &Reader, worklist: &str, now: Timestamp) -> Result<Results> {
        let (decided, instances, sent) = self.look(|book| {
            let worklist = book.worklist(worklist).ok_or_else(no_worklist)?;
            let items = worklist.items.iter().filter_map(|place| book.items.get(*place));
            let settled = items.filter(|item| book.is_settled(item, now));
            let (mut rows, mut instances) = (Vec::new(), Vec::new());
            for item in settled {
                if let Some(decided) = decision::of(book, item) {
                    rows.push(row(book, item, decided));
                    instances.push((item.series.clone(), item.instance.clone()));
                }
            }
            Ok((rows, instances, worklist.sent.clone()))
        })?;
        let patients = patients(reader, &decided).await?;
        let mut rows = Vec::with_capacity(decided.len());
        for (mut row, (series, instance)) in decided.into_iter().zip(instances) {
            let Some(patient) = patients.get(&row.study) else {
                tracing::warn!(study = row.study, "a study is not in the index, so its result is not sent");
                continue;
            };
            row.child.clone_from(&patient.patient_id);
            row.issuer.clone_from(&patient.issuer_of_patient_id);
            row.school = match sent.get(&row.item) {
                // Of the instance as it was taken in: it does not change.
                Some(sent) => sent.school.clone(),
                None => match school(reader, &row.study, &series, &instance).await {
                    Ok(school) => school,
                    Err(error) => {
                        tracing::error!(%error, study = row.study, "a study cannot be read, so its result is not sent");
                        continue;
                    }
                },
            };
            rows.push(row);
        }
        let last = rows.iter().filter_map(|row| row.decided_at.parse::<Timestamp>().ok()).max();
        Ok(Results { number: None, at: last.unwrap_or(Timestamp::UNIX_EPOCH), rows, more: false })
    }
}

fn row(book: &Book, item: &Item, decided: Decision) -> Row {
    let worklist = book.worklists.get(item.worklist);
    Row {
        item: item.id.clone(),
        verdict_id: decided.verdict_id,
        study: item.study.clone(),
        modality: worklist.map(|worklist| worklist.filter.modality.clone()).unwrap_or_default(),
        date: item.date.clone(),
        centre: item.centre.clone(),
        verdict: decided.word.word().into(),
        urgent: decided.urgent,
        findings: decided.findings,
        edition: decided.edition,
        text: decided.text,
        management: decided.management,
        readers: decided.readers,
        decided_at: format!("{:.3}", decided.at),
        ..Row::default()
    }
}

/// Whose the studies are.
async fn patients(reader: &Reader, rows: &[Row]) -> Result<HashMap<String, Patient>> {
    let mut patients = HashMap::with_capacity(rows.len());
    for some in rows.chunks(STUDIES_AT_ONCE) {
        let studies = some.iter().map(|row| row.study.clone()).collect();
        let terms = vec![(Column::StudyInstanceUid, Test::Match(Match::List(studies)))];
        let found = reader.search_studies(Query { terms, ..Query::default() }).await?;
        let pairs = found.into_iter().map(|row| (row.attributes.study_instance_uid, row.attributes.patient));
        patients.extend(pairs);
    }
    Ok(patients)
}

/// The school, where the files name one; empty where they do not. DICOM has no place for grade and class.
async fn school(reader: &Reader, study: &str, series: &str, instance: &str) -> Result<String> {
    let Some(held) = reader.instance(study, series, instance).await? else { return Ok(String::new()) };
    let documents = reader.dicom_json(std::slice::from_ref(&held)).await?;
    let document: Value = documents.first().and_then(|one| serde_json::from_slice(one).ok()).unwrap_or_default();
    Ok(document[RESIDENCE]["Value"][0].as_str().unwrap_or_default().trim().to_owned())
}

impl Results {
    /// As CSV (RFC 4180): UTF-8 with a byte order mark, lines that end in CR LF.
    pub fn csv(&self) -> String {
        let mut out = BYTE_ORDER_MARK.to_owned();
        line(&mut out, HEAD.map(str::to_owned));
        for row in &self.rows {
            line(&mut out, self.cells(row));
        }
        out
    }

    /// As a FHIR R4 Bundle.
    pub fn fhir(&self, worklist: &str) -> String {
        fhir::bundle(self, worklist).to_string()
    }

    fn cells(&self, row: &Row) -> [String; 19] {
        let word = Word::of(&row.verdict).map_or("", Word::japanese);
        let words: Vec<String> =
            decision::in_words(&row.edition, &row.findings).into_iter().map(|(_, words)| words).collect();
        let change = match (self.number, row.changed) {
            (None, _) => "",
            (_, false) => "新規",
            (_, true) => "変更",
        };
        [
            row.school.clone(),
            row.grade.clone(),
            row.class.clone(),
            row.child.clone(),
            row.issuer.clone(),
            row.date.clone(),
            word.to_owned(),
            row.verdict.clone(),
            if row.urgent { "緊急".into() } else { String::new() },
            row.findings.join(" "),
            words.join("、"),
            row.edition.clone(),
            row.text.clone(),
            row.management.clone(),
            row.decided_at.clone(),
            change.to_owned(),
            row.centre.clone(),
            row.study.clone(),
            row.verdict_id.clone(),
        ]
    }
}

fn line(out: &mut String, cells: [String; 19]) {
    for (place, cell) in cells.iter().enumerate() {
        if place > 0 {
            out.push(',');
        }
        out.push_str(&quoted(cell));
    }
    out.push_str("\r\n");
}

/// A cell. What a spreadsheet would take for a formula gets an apostrophe before it: text of a reader, or an ID of a file,
/// is nothing to be run.
fn quoted(cell: &str) -> String {
    let begins = |c: char| matches!(c, '=' | '+' | '-' | '@' | '\t' | '\r');
    let cell = if cell.starts_with(begins) { format!("'{cell}") } else { cell.to_owned() };
    let needs = cell.contains(['"', ',', '\r', '\n']) || cell.starts_with([' ', '\'']);
    if needs { format!("\"{}\"", cell.replace('"', "\"\"")) } else { cell }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_no_formula_is_run() {
        let check = |cell: &str, expected: &str| assert_eq!(quoted(cell), expected);
        check("山田小学校", "山田小学校");
        check("a,b", "\"a,b\"");
        check("a \"b\"\r\nc", "\"a \"\"b\"\"\r\nc\"");
        check("=1+1", "\"'=1+1\"");
        check("@x", "\"'@x\"");
        check("", "");
    }
}
