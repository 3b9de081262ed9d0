//! Where studies come from: this archive, or one elsewhere whose feed is followed.

use std::time::Duration;

use archive::{Body, Column, Match, Query, Reader, Test};
use async_trait::async_trait;

use crate::changes::{self, Change};
use crate::original::dicom_body;

/// Changes read at once.
const CHANGES_MAX: usize = 500;
/// How often the feed is looked at while nothing happens.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What rules ask of a study.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Facts {
    /// Modalities in Study (0008,0061).
    pub modalities: Vec<String>,
    /// The centre it came from.
    pub centre: String,
    /// Study Description (0008,1030).
    pub description: String,
    /// Station Names (0008,1010), where they were asked for.
    pub stations: Vec<String>,
}

/// One instance to be sent.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Outgoing {
    /// By what it is known to be settled: its take-in number here, or a digest of its UID elsewhere.
    pub key: u64,
    /// SOP Class UID.
    pub sop_class_uid: String,
    /// SOP Instance UID.
    pub sop_instance_uid: String,
    /// Series Instance UID.
    pub series_instance_uid: String,
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// Transfer Syntax UID as it will come; empty where that is not known yet.
    pub transfer_syntax_uid: String,
}

/// Why a file cannot be had.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unread {
    /// Not now.
    Later(String),
    /// Again would not help.
    Never(String),
}

/// Where studies come from. Errors are sentences for logs and lists, without anything of the patient.
#[async_trait]
pub trait Source: Send + Sync {
    /// The next changes after a number; waits a while where there are none. `None`: what a later version says and this one
    /// does not know.
    async fn changes(&self, since: u64, wait: Duration) -> Result<Vec<(u64, Option<Change>)>, String>;

    /// The number of the last change.
    async fn end(&self) -> Result<u64, String>;

    /// What rules ask of a study; `None` where nothing of it is held any more.
    async fn facts(&self, study_instance_uid: &str, stations: bool) -> Result<Option<Facts>, String>;

    /// The instances of a study, in the order in which they are to be sent.
    async fn instances(&self, study_instance_uid: &str) -> Result<Vec<Outgoing>, String>;

    /// The whole Part 10 file of an instance: as it was received, or made of what was received and no DICOM.
    async fn file(&self, instance: &Outgoing) -> Result<Body, Unread>;

    /// Whether keys grow with the order of sending, so that one of them stands for all before it.
    fn is_ordered(&self) -> bool;
}

/// This archive.
#[derive(Clone)]
pub struct LocalSource {
    reader: Reader,
}

impl LocalSource {
    /// The archive behind `reader`.
    pub fn new(reader: Reader) -> LocalSource {
        LocalSource { reader }
    }

    /// Station Name is not in the index: of the first instance of each series.
    async fn stations(&self, study: &str) -> archive::Result<Vec<String>> {
        let mut firsts = self.reader.instances(study, None).await?;
        firsts.dedup_by(|a, b| {
            let uid = |held: &archive::Held| held.record.description.series.series_instance_uid.clone();
            uid(a) == uid(b)
        });
        let documents = self.reader.dicom_json(&firsts).await?;
        let station = |bytes: &bytes::Bytes| {
            let document: serde_json::Value = serde_json::from_slice(bytes).ok()?;
            Some(document.get("00081010")?.get("Value")?.get(0)?.as_str()?.to_owned())
        };
        Ok(documents.iter().filter_map(station).collect())
    }
}

fn said(error: archive::Error) -> String {
    error.to_string()
}

#[async_trait]
impl Source for LocalSource {
    async fn changes(&self, since: u64, wait: Duration) -> Result<Vec<(u64, Option<Change>)>, String> {
        let until = tokio::time::Instant::now() + wait;
        let mut tail = self.reader.log_from(changes::LOG, since.saturating_add(1));
        loop {
            let read = move || {
                let told: archive::Result<Vec<_>> = tail.by_ref().take(CHANGES_MAX).collect();
                (told, tail)
            };
            let (told, read_on) = tokio::task::spawn_blocking(read).await.map_err(|error| error.to_string())?;
            let told = told.map_err(said)?;
            if !told.is_empty() || tokio::time::Instant::now() >= until {
                return Ok(told.into_iter().map(|event| (event.seq, changes::change_of(&event.event))).collect());
            }
            tail = read_on;
            tokio::time::sleep(LOOK_EVERY.min(wait)).await;
        }
    }

    async fn end(&self) -> Result<u64, String> {
        let reader = self.reader.clone();
        let end = tokio::task::spawn_blocking(move || reader.log_end(changes::LOG)).await;
        end.map_err(|error| error.to_string())?.map_err(said)
    }

    async fn facts(&self, study_instance_uid: &str, stations: bool) -> Result<Option<Facts>, String> {
        let study = Test::Match(Match::Single(study_instance_uid.to_owned()));
        let query = Query { terms: vec![(Column::StudyInstanceUid, study)], limit: 1, ..Query::default() };
        let found = self.reader.search_studies(query).await.map_err(said)?;
        let Some(row) = found.into_iter().next() else { return Ok(None) };
        let study = &row.attributes.study_instance_uid;
        let stations = if stations { self.stations(study).await.map_err(said)? } else { Vec::new() };
        Ok(Some(Facts {
            modalities: row.modalities_in_study,
            centre: row.centre,
            description: row.attributes.study_description,
            stations,
        }))
    }

    async fn instances(&self, study_instance_uid: &str) -> Result<Vec<Outgoing>, String> {
        let mut held = self.reader.instances(study_instance_uid, None).await.map_err(said)?;
        held.sort_by_key(|held| held.record.sequence);
        let outgoing = held.into_iter().map(|held| {
            let description = held.record.description;
            Outgoing {
                key: held.record.sequence,
                sop_class_uid: description.instance.sop_class_uid,
                sop_instance_uid: description.instance.sop_instance_uid,
                series_instance_uid: description.series.series_instance_uid,
                study_instance_uid: description.study.study_instance_uid,
                transfer_syntax_uid: description.instance.transfer_syntax_uid,
            }
        });
        Ok(outgoing.collect())
    }

    async fn file(&self, instance: &Outgoing) -> Result<Body, Unread> {
        let found = self.reader.find_all(&instance.sop_instance_uid).await;
        let found = found.map_err(|error| Unread::Later(error.to_string()))?;
        let held = found.into_iter().find(|held| held.record.sequence == instance.key);
        let held = held.ok_or_else(|| Unread::Never("it is not held any more".into()))?;
        dicom_body(&self.reader, &held).await.map_err(|error| match error {
            // Of this instance alone: `tsunagu verify` says more.
            archive::Error::Damaged { .. } => Unread::Never(error.to_string()),
            error => Unread::Later(error.to_string()),
        })
    }

    fn is_ordered(&self) -> bool {
        true
    }
}
