//! Earlier studies of the same person, to be looked at beside.

use archive::{Column, Match, Order, Query, Range, Reader, Test};
use serde_json::{Value, json};

use crate::error::Result;

/// Priors of one item, newest first.
const PRIORS_MAX: usize = 3;
/// Studies of a person that are looked at for them.
const STUDIES_MAX: u32 = 20;

/// What was made with the same modality of the same person, by (issuer, Patient ID), on that day or before. Nothing
/// where that cannot be read: the study itself is to be read all the same.
pub(super) async fn of(reader: &Reader, study: &str, modality: &str, date: &str) -> Vec<Value> {
    find(reader, study, modality, date).await.unwrap_or_else(|error| {
        tracing::error!(%error, study, "the priors of a study cannot be looked for");
        Vec::new()
    })
}

async fn find(reader: &Reader, study: &str, modality: &str, date: &str) -> Result<Vec<Value>> {
    let single = |text: &str| Test::Match(Match::Single(text.to_owned()));
    let terms = vec![(Column::StudyInstanceUid, single(study))];
    let found = reader.search_studies(Query { terms, limit: 1, ..Query::default() }).await?;
    let Some(patient) = found.into_iter().next().map(|row| row.attributes.patient) else { return Ok(Vec::new()) };
    if patient.patient_id.is_empty() || date.is_empty() {
        return Ok(Vec::new());
    }
    let until = Range { from: None, to: Some(date.to_owned()) };
    let terms = vec![
        (Column::PatientId, single(&patient.patient_id)),
        (Column::IssuerOfPatientId, single(&patient.issuer_of_patient_id)),
        (Column::Modality, single(modality)),
        (Column::StudyDate, Test::Within(until)),
    ];
    let rows = reader.search_series(Query { terms, order: Order::Newest, limit: STUDIES_MAX, offset: 0 }).await?;
    let (mut priors, mut seen): (Vec<Value>, Vec<String>) = (Vec::new(), vec![study.to_owned()]);
    for row in rows {
        let (uid, series) = (row.study.study_instance_uid, row.attributes.series_instance_uid);
        if priors.len() == PRIORS_MAX || seen.contains(&uid) {
            continue;
        }
        let held = match reader.first_instance(&uid, Some(&series)).await {
            Ok(Some(held)) => held,
            Ok(None) => continue,
            Err(error) => {
                tracing::error!(%error, study = uid, "a prior cannot be read");
                continue;
            }
        };
        let instance = held.record.description.instance.sop_instance_uid;
        priors.push(json!({ "study": uid, "series": series, "instance": instance, "date": row.study.study_date }));
        seen.push(uid);
    }
    Ok(priors)
}
