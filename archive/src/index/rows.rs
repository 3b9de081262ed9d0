//! Rows of the index as callers see them.

use rusqlite::Row;

use super::{InstanceRow, Place};
use crate::{Patient, SeriesAttributes, StudyAttributes};

/// One study as the index has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StudyRow {
    /// Attributes of the instance that was taken in first.
    pub attributes: StudyAttributes,
    /// The centre that sent it.
    pub centre: String,
    /// Modalities in Study (0008,0061), sorted.
    pub modalities_in_study: Vec<String>,
    /// Number of Study Related Series (0020,1206).
    pub number_of_study_related_series: u32,
    /// Number of Study Related Instances (0020,1208).
    pub number_of_study_related_instances: u32,
    /// Bytes received for it, variants included.
    pub received_bytes: u64,
    /// When its newest instance came, RFC 3339 in UTC.
    pub last_received_at: String,
}

/// One series as the index has it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SeriesRow {
    /// The study it is of, as the instance that was taken in first has it.
    pub study: StudyAttributes,
    /// Attributes of the instance that was taken in first.
    pub attributes: SeriesAttributes,
    /// Number of Series Related Instances (0020,1209).
    pub number_of_series_related_instances: u32,
}

/// One patient as the index has it: of the studies that were looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatientRow {
    /// As the first of its studies has it.
    pub patient: Patient,
    /// One of its studies.
    pub study_instance_uid: String,
    /// Number of Patient Related Studies (0020,1200).
    pub number_of_patient_related_studies: u32,
    /// Number of Patient Related Series (0020,1202).
    pub number_of_patient_related_series: u32,
    /// Number of Patient Related Instances (0020,1204).
    pub number_of_patient_related_instances: u32,
}

/// Columns of a [`PatientRow`], for a SELECT over `study` in groups.
pub(super) const PATIENT_COLUMNS: &str =
    "study.PatientID, study.IssuerOfPatientID, study.PatientName, study.PatientBirthDate, study.PatientSex,
     study.StudyInstanceUID, count(*), sum(study.NumberOfStudyRelatedInstances),
     sum((SELECT count(*) FROM series WHERE series.study = study.id AND NumberOfSeriesRelatedInstances > 0))";

pub(super) fn patient_from_row(row: &Row<'_>) -> rusqlite::Result<PatientRow> {
    Ok(PatientRow {
        patient: Patient {
            patient_id: row.get(0)?,
            issuer_of_patient_id: row.get(1)?,
            patient_name: row.get(2)?,
            patient_birth_date: row.get(3)?,
            patient_sex: row.get(4)?,
        },
        study_instance_uid: row.get(5)?,
        number_of_patient_related_studies: row.get(6)?,
        number_of_patient_related_instances: row.get(7)?,
        number_of_patient_related_series: row.get(8)?,
    })
}

/// Columns of the attributes of a study.
macro_rules! study_columns {
    () => {
        "study.StudyInstanceUID, study.PatientID, study.IssuerOfPatientID, study.PatientName, study.PatientBirthDate,
         study.PatientSex, study.StudyDate, study.StudyTime, study.AccessionNumber, study.StudyID,
         study.StudyDescription, study.ReferringPhysicianName, study.TimezoneOffsetFromUTC"
    };
}

/// Columns of a [`StudyRow`], for a SELECT over `study`.
pub(super) const STUDY_COLUMNS: &str = concat!(
    study_columns!(),
    ", study.Centre, study.NumberOfStudyRelatedInstances, study.ReceivedBytes, study.LastReceivedAt,
     (SELECT count(*) FROM series WHERE series.study = study.id AND NumberOfSeriesRelatedInstances > 0),
     (SELECT group_concat(Modality, '\\') FROM
        (SELECT DISTINCT Modality FROM series WHERE series.study = study.id AND Modality <> '' ORDER BY Modality))"
);

pub(super) fn study_from_row(row: &Row<'_>) -> rusqlite::Result<StudyRow> {
    let modalities: Option<String> = row.get(18)?;
    Ok(StudyRow {
        attributes: attributes_of_study(row)?,
        centre: row.get(13)?,
        number_of_study_related_instances: row.get(14)?,
        received_bytes: row.get::<_, i64>(15)? as u64,
        last_received_at: row.get(16)?,
        number_of_study_related_series: row.get(17)?,
        modalities_in_study: modalities.map(|m| m.split('\\').map(str::to_owned).collect()).unwrap_or_default(),
    })
}

/// Columns of a [`SeriesRow`], for a SELECT over `series` joined with `study`.
pub(super) const SERIES_COLUMNS: &str = concat!(
    study_columns!(),
    ", series.SeriesInstanceUID, series.Modality, series.SeriesNumber, series.SeriesDescription,
     series.BodyPartExamined, series.Laterality, series.PerformedProcedureStepStartDate,
     series.PerformedProcedureStepStartTime, series.Manufacturer, series.ManufacturerModelName,
     series.RequestAttributes, series.NumberOfSeriesRelatedInstances"
);

fn attributes_of_study(row: &Row<'_>) -> rusqlite::Result<StudyAttributes> {
    Ok(StudyAttributes {
        study_instance_uid: row.get(0)?,
        patient: Patient {
            patient_id: row.get(1)?,
            issuer_of_patient_id: row.get(2)?,
            patient_name: row.get(3)?,
            patient_birth_date: row.get(4)?,
            patient_sex: row.get(5)?,
        },
        study_date: row.get(6)?,
        study_time: row.get(7)?,
        accession_number: row.get(8)?,
        study_id: row.get(9)?,
        study_description: row.get(10)?,
        referring_physician_name: row.get(11)?,
        timezone_offset_from_utc: row.get(12)?,
    })
}

pub(super) fn series_from_row(row: &Row<'_>) -> rusqlite::Result<SeriesRow> {
    let requests: String = row.get(23)?;
    Ok(SeriesRow {
        study: attributes_of_study(row)?,
        attributes: SeriesAttributes {
            series_instance_uid: row.get(13)?,
            modality: row.get(14)?,
            series_number: row.get(15)?,
            series_description: row.get(16)?,
            body_part_examined: row.get(17)?,
            laterality: row.get(18)?,
            performed_procedure_step_start_date: row.get(19)?,
            performed_procedure_step_start_time: row.get(20)?,
            manufacturer: row.get(21)?,
            manufacturer_model_name: row.get(22)?,
            request_attributes: serde_json::from_str(&requests).unwrap_or_default(),
        },
        number_of_series_related_instances: row.get(24)?,
    })
}

/// Reads `sequence, container, position, file, data_set, received_bytes, variant`.
pub(crate) fn instance_from_row(row: &Row<'_>) -> rusqlite::Result<InstanceRow> {
    Ok(InstanceRow {
        sequence: row.get::<_, i64>(0)? as u64,
        place: Place::from_columns(row.get(1)?, row.get(2)?),
        file: row.get(3)?,
        data_set: <[u8; 16]>::try_from(row.get_ref(4)?.as_blob()?).ok(),
        received_bytes: row.get::<_, i64>(5)? as u64,
        variant: row.get(6)?,
    })
}
