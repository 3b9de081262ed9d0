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
    /// The study it is of.
    pub study_instance_uid: String,
    /// Attributes of the instance that was taken in first.
    pub attributes: SeriesAttributes,
    /// Number of Series Related Instances (0020,1209).
    pub number_of_series_related_instances: u32,
}

/// Columns of a [`StudyRow`], for a SELECT over `study`.
pub(super) const STUDY_COLUMNS: &str =
    "study.StudyInstanceUID, study.PatientID, study.IssuerOfPatientID, study.PatientName, study.PatientBirthDate,
     study.PatientSex, study.StudyDate, study.StudyTime, study.AccessionNumber, study.StudyID, study.StudyDescription,
     study.ReferringPhysicianName, study.Centre, study.NumberOfStudyRelatedInstances, study.ReceivedBytes,
     study.LastReceivedAt,
     (SELECT count(*) FROM series WHERE series.study = study.id AND NumberOfSeriesRelatedInstances > 0),
     (SELECT group_concat(Modality, '\\') FROM
        (SELECT DISTINCT Modality FROM series WHERE series.study = study.id AND Modality <> '' ORDER BY Modality))";

pub(super) fn study_from_row(row: &Row<'_>) -> rusqlite::Result<StudyRow> {
    let modalities: Option<String> = row.get(17)?;
    Ok(StudyRow {
        attributes: StudyAttributes {
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
        },
        centre: row.get(12)?,
        number_of_study_related_instances: row.get(13)?,
        received_bytes: row.get::<_, i64>(14)? as u64,
        last_received_at: row.get(15)?,
        number_of_study_related_series: row.get(16)?,
        modalities_in_study: modalities.map(|m| m.split('\\').map(str::to_owned).collect()).unwrap_or_default(),
    })
}

/// Columns of a [`SeriesRow`], for a SELECT over `series` joined with `study`.
pub(super) const SERIES_COLUMNS: &str =
    "study.StudyInstanceUID, series.SeriesInstanceUID, series.Modality, series.SeriesNumber, series.SeriesDescription,
     series.BodyPartExamined, series.Laterality, series.PerformedProcedureStepStartDate,
     series.PerformedProcedureStepStartTime, series.Manufacturer, series.ManufacturerModelName,
     series.NumberOfSeriesRelatedInstances";

pub(super) fn series_from_row(row: &Row<'_>) -> rusqlite::Result<SeriesRow> {
    Ok(SeriesRow {
        study_instance_uid: row.get(0)?,
        attributes: SeriesAttributes {
            series_instance_uid: row.get(1)?,
            modality: row.get(2)?,
            series_number: row.get(3)?,
            series_description: row.get(4)?,
            body_part_examined: row.get(5)?,
            laterality: row.get(6)?,
            performed_procedure_step_start_date: row.get(7)?,
            performed_procedure_step_start_time: row.get(8)?,
            manufacturer: row.get(9)?,
            manufacturer_model_name: row.get(10)?,
        },
        number_of_series_related_instances: row.get(11)?,
    })
}

/// Reads `sequence, container, position, file, data_set, received_bytes, variant`.
pub(crate) fn instance_from_row(row: &Row<'_>) -> rusqlite::Result<InstanceRow> {
    Ok(InstanceRow {
        sequence: row.get::<_, i64>(0)? as u64,
        place: Place::from_columns(row.get(1)?, row.get(2)?),
        file: row.get(3)?,
        data_set: row.get(4)?,
        received_bytes: row.get::<_, i64>(5)? as u64,
        variant: row.get(6)?,
    })
}
