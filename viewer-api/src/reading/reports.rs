//! Reports of settled items as DICOM: asked for one by one, and stored into the archive, each once.
//!
//! The log is the outbox: a settled item without a line that says its report is stored is owed one. A report has the same
//! bytes and UIDs whenever it is made, so one that was stored and not noted before a crash is *already held* the next time.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use archive::{Held, Reader};
use futures::future::BoxFuture;
use jiff::Timestamp;
use jiff::tz::{Offset, TimeZone};
use tokio::sync::watch;
use transcode::data_set::{Tag, VR};
use transcode::text_report::{Code, Evidence, Report};

use super::book::Item;
use super::decision::{self, Decision};
use super::events::Event;
use super::{Reading, book::Book};
use crate::clock::seconds_between;
use crate::error::{Error, Result};
use crate::state::ViewerState;

/// How often it is looked for what is owed.
const LOOK_EVERY: Duration = Duration::from_secs(5);
/// Reports made between two looks.
const AT_ONCE: usize = 100;
/// One that failed is tried again after so many seconds.
const AGAIN_S: u64 = 300;
/// Japan has one zone and no summer time; used where a study does not say its own.
const JAPAN: Offset = Offset::constant(9);

/// Where reports are stored: the intake of the archive, which this crate does not know.
pub trait ReportDoor: Send + Sync + 'static {
    /// Takes a Part 10 file in for that centre; answers once it is durably there, or was before.
    ///
    /// # Errors
    /// A sentence for the server's log; it is tried again.
    fn store(&self, centre: String, sop_instance_uid: String, part10: Vec<u8>) -> BoxFuture<'_, Result<(), String>>;
}

/// What a report is made of, as the tables have it.
pub(super) struct Owed {
    item: String,
    study: String,
    series: String,
    instance: String,
    centre: String,
    decided: Decision,
}

impl Owed {
    fn of(book: &Book, item: &Item) -> Option<Owed> {
        Some(Owed {
            item: item.id.clone(),
            study: item.study.clone(),
            series: item.series.clone(),
            instance: item.instance.clone(),
            centre: item.centre.clone(),
            decided: decision::of(book, item)?,
        })
    }
}

impl Reading {
    /// The report of a settled item, by any of the verdicts that count for it.
    pub(super) fn settled_by(&self, verdict: &str, now: Timestamp) -> Result<Owed> {
        self.look(|book| {
            let saved = book.verdict(verdict).filter(|saved| !saved.undone);
            let item = saved.and_then(|saved| book.item(&saved.verdict.item));
            let item = item.filter(|item| book.is_settled(item, now)).and_then(|item| Owed::of(book, item));
            item.ok_or_else(|| Error::NotFound("a settled verdict of this id".into()))
        })
    }

    /// Settled items whose reports are not in the archive, the first of them but for those that failed lately.
    fn owed(&self, now: Timestamp) -> Result<Vec<Owed>> {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
        let lately = |item: &Item| failed.get(&item.id).is_some_and(|at| seconds_between(*at, now) < AGAIN_S);
        self.look(|book| {
            let items = book.unreported.iter().filter_map(|place| book.items.get(*place));
            let settled = items.filter(|item| book.is_settled(item, now) && !lately(item));
            Ok(settled.filter_map(|item| Owed::of(book, item)).take(AT_ONCE).collect())
        })
    }

    /// Stores reports that are owed, a number of them. Answers how many. One that fails keeps no other back.
    ///
    /// # Errors
    /// When the log cannot be read or written.
    pub async fn store_reports(&self, reader: &Reader, door: &dyn ReportDoor, now: Timestamp) -> Result<usize> {
        let mut stored = 0;
        for owed in self.owed(now)? {
            match store(reader, door, &owed).await {
                Ok(()) => {
                    let event = Event::Reported { item: owed.item, verdict_id: owed.decided.verdict_id };
                    self.act(|_| Ok((vec![event], ())), now)?;
                    stored += 1;
                }
                Err(error) => {
                    tracing::error!(%error, item = owed.item, "a report could not be stored; it is tried again");
                    let mut failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner);
                    failed.retain(|_, at| seconds_between(*at, now) < AGAIN_S);
                    failed.insert(owed.item, now);
                }
            }
        }
        Ok(stored)
    }
}

async fn store(reader: &Reader, door: &dyn ReportDoor, owed: &Owed) -> Result<()> {
    let report = report(reader, owed).await?;
    let stored = door.store(owed.centre.clone(), report.sop_instance_uid(), report.part10()).await;
    stored.map_err(Error::Reading)
}

/// Stores reports as they are owed until it is told to stop.
pub async fn store_reports(state: ViewerState, door: Arc<dyn ReportDoor>, mut stopped: watch::Receiver<bool>) {
    while tokio::time::timeout(LOOK_EVERY, stopped.wait_for(|stop| *stop)).await.is_err() {
        let Ok(reading) = state.reading() else { return };
        match reading.store_reports(state.reader(), door.as_ref(), state.now()).await {
            Ok(0) => {}
            Ok(reports) => tracing::info!(reports, "reports of readings were stored"),
            Err(error) => tracing::error!(%error, "reports of readings could not be noted; it is tried again"),
        }
    }
}

/// The report of a settled item.
///
/// # Errors
/// [`Error::NotFound`] where what was read is not held any more.
pub(super) async fn report(reader: &Reader, owed: &Owed) -> Result<Report> {
    let held = reader.instance(&owed.study, &owed.series, &owed.instance).await?;
    let held = held.ok_or_else(|| Error::NotFound(format!("the instance {} that was read", owed.instance)))?;
    Ok(made(owed, &held))
}

fn made(owed: &Owed, held: &Held) -> Report {
    let (decided, description) = (&owed.decided, &held.record.description);
    let timezone = description.study.timezone_offset_from_utc.trim();
    let findings = decision::in_words(&decided.edition, &decided.findings);
    Report {
        key: decided.verdict_id.clone(),
        study: study(held),
        study_instance_uid: owed.study.clone(),
        timezone: timezone.to_owned(),
        content: content_time(decided.at, timezone),
        manufacturer: "Tsunagu".into(),
        is_ecg: description.series.modality == "ECG",
        observers: decided.readers.clone(),
        findings: findings.iter().map(|(code, words)| Code::local(code, words)).collect(),
        conclusion: Code::local(decided.word.word(), decided.word.japanese()),
        urgent: decided.urgent.then(|| Code::local("urgent", "緊急")),
        text: match decided.management.as_str() {
            "" => decided.text.clone(),
            management => format!("{}\n管理区分 {management}", decided.text).trim().to_owned(),
        },
        evidence: Evidence {
            series_instance_uid: owed.series.clone(),
            sop_class_uid: description.instance.sop_class_uid.clone(),
            sop_instance_uid: owed.instance.clone(),
            is_image: description.instance.rows > 0,
        },
    }
}

/// Patient and General Study (PS3.3 C.7.1.1, C.7.2.1), as the study has them.
fn study(held: &Held) -> Vec<(Tag, VR, String)> {
    let (study, patient) = (&held.record.description.study, &held.record.description.study.patient);
    let mut said = vec![
        (Tag(0x0008, 0x0020), VR::DA, study.study_date.clone()),
        (Tag(0x0008, 0x0030), VR::TM, study.study_time.clone()),
        (Tag(0x0008, 0x0050), VR::SH, study.accession_number.clone()),
        (Tag(0x0008, 0x0090), VR::PN, study.referring_physician_name.clone()),
        (Tag(0x0010, 0x0010), VR::PN, patient.patient_name.clone()),
        (Tag(0x0010, 0x0020), VR::LO, patient.patient_id.clone()),
        (Tag(0x0010, 0x0030), VR::DA, patient.patient_birth_date.clone()),
        (Tag(0x0010, 0x0040), VR::CS, patient.patient_sex.clone()),
        (Tag(0x0020, 0x0010), VR::SH, study.study_id.clone()),
    ];
    // The archive puts the sending centre where a file names no issuer.
    if patient.issuer_of_patient_id != held.record.origin.centre {
        said.push((Tag(0x0010, 0x0021), VR::LO, patient.issuer_of_patient_id.clone()));
    }
    said
}

/// DA and TM in the zone of the study.
fn content_time(at: Timestamp, timezone: &str) -> (String, String) {
    let zoned = at.to_zoned(TimeZone::fixed(offset(timezone).unwrap_or(JAPAN)));
    (zoned.strftime("%Y%m%d").to_string(), zoned.strftime("%H%M%S").to_string())
}

/// `&ZZXX` as an offset (PS3.3 C.12.1.1.8).
fn offset(timezone: &str) -> Option<Offset> {
    let (sign, digits) = match timezone.split_at_checked(1)? {
        ("+", digits) => (1, digits),
        ("-", digits) => (-1, digits),
        _ => return None,
    };
    let (hours, minutes) = (digits.get(..2)?.parse::<i32>().ok()?, digits.get(2..4)?.parse::<i32>().ok()?);
    Offset::from_seconds(sign * (hours * 3600 + minutes * 60)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_content_is_dated_in_the_zone_of_the_study() {
        let at: Timestamp = "2027-04-01T20:30:00Z".parse().unwrap();
        let check = |timezone: &str, date: &str, time: &str| {
            assert_eq!(content_time(at, timezone), (date.to_owned(), time.to_owned()), "{timezone}");
        };
        check("", "20270402", "053000");
        check("+0000", "20270401", "203000");
        check("-0330", "20270401", "170000");
        check("nonsense", "20270402", "053000");
    }
}
