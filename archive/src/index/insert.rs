//! Adding an instance with its series and study.

use rusqlite::types::Value;
use rusqlite::{Connection, params, params_from_iter};

use super::{Place, data_set_column, short, sop_key};
use crate::error::Result;
use crate::intake::Meta;
use crate::{Digests, fold};

/// Adds one instance with its series and study. The order of calls does not matter: a study's and a series' attributes
/// are always those of the instance taken in first.
pub(crate) fn insert(connection: &Connection, sequence: u64, meta: &Meta, bytes: u64, place: Place) -> Result<()> {
    let study = upsert_study(connection, sequence, meta, bytes)?;
    let series = upsert_series(connection, sequence, meta, study)?;
    let Digests { file, data_set } = &meta.digests;
    let (container, position) = place.columns();
    connection
        .prepare_cached(
            "INSERT INTO instance (sequence, sop, series, file, data_set, received_bytes, variant, container, position)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9)",
        )?
        .execute(params![
            sequence as i64,
            sop_key(&meta.description.instance.sop_instance_uid),
            series,
            short(file),
            data_set_column(data_set),
            bytes as i64,
            meta.variant,
            container,
            position,
        ])?;
    Ok(())
}

/// The attributes of a study, as ?1 to ?15 of the statements below.
fn study_values(sequence: u64, meta: &Meta) -> Vec<Value> {
    let study = &meta.description.study;
    let patient = &study.patient;
    let key = format!("={}=", fold::key(&patient.patient_name));
    let texts = [
        &patient.patient_id,
        &patient.issuer_of_patient_id,
        &patient.patient_name,
        &key,
        &patient.patient_birth_date,
        &patient.patient_sex,
        &study.study_date,
        &study.study_time,
        &study.accession_number,
        &study.study_id,
        &study.study_description,
        &study.referring_physician_name,
        &meta.origin.centre,
        &study.timezone_offset_from_utc,
    ];
    texts.into_iter().map(|text| Value::Text(text.clone())).chain([Value::Integer(sequence as i64)]).collect()
}

fn upsert_study(connection: &Connection, sequence: u64, meta: &Meta, bytes: u64) -> Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO study (PatientID, IssuerOfPatientID, PatientName, PatientNameKey, PatientBirthDate, PatientSex,
            StudyDate, StudyTime, AccessionNumber, StudyID, StudyDescription, ReferringPhysicianName, Centre,
            TimezoneOffsetFromUTC, FirstSequence, StudyInstanceUID, LastReceivedAt, ReceivedBytes,
            NumberOfStudyRelatedInstances)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19)
         ON CONFLICT (StudyInstanceUID) DO UPDATE SET
            LastReceivedAt = max(LastReceivedAt, excluded.LastReceivedAt),
            ReceivedBytes = ReceivedBytes + excluded.ReceivedBytes,
            NumberOfStudyRelatedInstances = NumberOfStudyRelatedInstances + excluded.NumberOfStudyRelatedInstances
         RETURNING id, FirstSequence",
    )?;
    let mut values = study_values(sequence, meta);
    values.push(Value::Text(meta.description.study.study_instance_uid.clone()));
    values.push(Value::Text(meta.origin.received_at.clone()));
    values.extend([Value::Integer(bytes as i64), Value::Integer(i64::from(!meta.variant))]);
    let (id, first): (i64, i64) =
        statement.query_row(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?;
    let name = &meta.description.study.patient.patient_name;
    let date = &meta.description.study.study_date;
    // Take-in numbers are unique: this one is the study's only where its row is new.
    if sequence as i64 == first {
        insert_names(connection, name, date, sequence as i64, id)?;
    } else if (sequence as i64) < first {
        delete_names(connection, id)?;
        set_study_attributes(connection, id, study_values(sequence, meta))?;
        insert_names(connection, name, date, sequence as i64, id)?;
    }
    Ok(id)
}

/// What people may type of a name.
fn insert_names(connection: &Connection, name: &str, study_date: &str, first: i64, study: i64) -> Result<()> {
    let mut statement = connection.prepare_cached("INSERT OR IGNORE INTO name_key VALUES (?1, ?2, ?3, ?4)")?;
    for row in fold::rows(name) {
        statement.execute(params![row, study_date, first, study])?;
    }
    Ok(())
}

fn delete_names(connection: &Connection, study: i64) -> Result<()> {
    let mut statement =
        connection.prepare_cached("SELECT PatientName, StudyDate, FirstSequence FROM study WHERE id = ?1")?;
    let (name, date, first): (String, String, i64) =
        statement.query_row([study], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?)))?;
    let mut delete =
        connection.prepare_cached("DELETE FROM name_key WHERE Name = ?1 AND StudyDate = ?2 AND FirstSequence = ?3")?;
    for row in fold::rows(&name) {
        delete.execute(params![row, date, first])?;
    }
    Ok(())
}

/// A rebuild may meet a study's first instance late: its attributes win then.
fn set_study_attributes(connection: &Connection, id: i64, mut values: Vec<Value>) -> Result<()> {
    values.push(Value::Integer(id));
    connection
        .prepare_cached(
            "UPDATE study SET PatientID = ?1, IssuerOfPatientID = ?2, PatientName = ?3, PatientNameKey = ?4,
                PatientBirthDate = ?5, PatientSex = ?6, StudyDate = ?7, StudyTime = ?8, AccessionNumber = ?9,
                StudyID = ?10, StudyDescription = ?11, ReferringPhysicianName = ?12, Centre = ?13,
                TimezoneOffsetFromUTC = ?14, FirstSequence = ?15
             WHERE id = ?16",
        )?
        .execute(params_from_iter(values))?;
    Ok(())
}

/// The attributes of a series, as ?1 to ?11 of the statements below.
fn series_values(sequence: u64, meta: &Meta) -> Vec<Value> {
    let series = &meta.description.series;
    let requests = match series.request_attributes.as_slice() {
        [] => String::new(),
        items => serde_json::to_string(items).unwrap_or_default(),
    };
    let texts = [
        &series.modality,
        &series.series_description,
        &series.body_part_examined,
        &series.laterality,
        &series.performed_procedure_step_start_date,
        &series.performed_procedure_step_start_time,
        &series.manufacturer,
        &series.manufacturer_model_name,
        &requests,
    ];
    let number = series.series_number.map_or(Value::Null, |number| Value::Integer(number.into()));
    let texts = texts.into_iter().map(|text| Value::Text(text.clone()));
    texts.chain([number, Value::Integer(sequence as i64)]).collect()
}

fn upsert_series(connection: &Connection, sequence: u64, meta: &Meta, study: i64) -> Result<i64> {
    let mut statement = connection.prepare_cached(
        "INSERT INTO series (Modality, SeriesDescription, BodyPartExamined, Laterality, PerformedProcedureStepStartDate,
            PerformedProcedureStepStartTime, Manufacturer, ManufacturerModelName, RequestAttributes,
            SeriesNumber, FirstSequence, study, SeriesInstanceUID, NumberOfSeriesRelatedInstances)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
         ON CONFLICT (study, SeriesInstanceUID) DO UPDATE SET
            NumberOfSeriesRelatedInstances = NumberOfSeriesRelatedInstances + excluded.NumberOfSeriesRelatedInstances
         RETURNING id, FirstSequence",
    )?;
    let mut values = series_values(sequence, meta);
    values.push(Value::Integer(study));
    values.push(Value::Text(meta.description.series.series_instance_uid.clone()));
    values.push(Value::Integer(i64::from(!meta.variant)));
    let (id, first): (i64, i64) =
        statement.query_row(params_from_iter(values), |row| Ok((row.get(0)?, row.get(1)?)))?;
    if (sequence as i64) < first {
        set_series_attributes(connection, id, series_values(sequence, meta))?;
    }
    Ok(id)
}

fn set_series_attributes(connection: &Connection, id: i64, mut values: Vec<Value>) -> Result<()> {
    values.push(Value::Integer(id));
    connection
        .prepare_cached(
            "UPDATE series SET Modality = ?1, SeriesDescription = ?2, BodyPartExamined = ?3, Laterality = ?4,
                PerformedProcedureStepStartDate = ?5, PerformedProcedureStepStartTime = ?6, Manufacturer = ?7,
                ManufacturerModelName = ?8, RequestAttributes = ?9, SeriesNumber = ?10,
                FirstSequence = ?11
             WHERE id = ?12",
        )?
        .execute(params_from_iter(values))?;
    Ok(())
}
