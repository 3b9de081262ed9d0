//! The two kinds of row, and their columns in order.

use super::columns::Get::{Date, Digest, Flag, Instant, Integer, Long, NameGroup, Text, Texts, Unique};
use super::columns::{Column, Get, days};
use crate::{Description, Digests, Origin, StudyAttributes};

/// One instance as the catalogue lists it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct InstanceRow {
    /// What it is.
    pub description: Description,
    /// Who sent it, and when.
    pub origin: Origin,
    /// Its digests.
    pub digests: Digests,
    /// Bytes of the file as received.
    pub received_bytes: u64,
    /// Bytes it takes in its pack: what is held of it, its recipe included.
    pub held_bytes: u64,
    /// How it is held: `packed`, `received` or `received-zstd`.
    pub held_form: String,
    /// The pack it is in.
    pub pack: u64,
}

/// One study as the catalogue lists it: everything held of it, not only what the newest pack brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct StudyRow {
    /// What is said once a study, the person included.
    pub study: StudyAttributes,
    /// Modalities in Study (0008,0061), in a fixed order, so that a rebuilt row is the same.
    pub modalities_in_study: Vec<String>,
    /// Number of Study Related Series (0020,1206).
    pub number_of_study_related_series: u32,
    /// Number of Study Related Instances (0020,1208).
    pub number_of_study_related_instances: u32,
    /// Bytes of its files as received.
    pub received_bytes: u64,
    /// Bytes held of it.
    pub held_bytes: u64,
    /// The centre that sent it first.
    pub centre: String,
    /// When its first instance was received, RFC 3339 in UTC.
    pub first_received_at: String,
    /// When its newest instance was received, RFC 3339 in UTC.
    pub last_received_at: String,
}

fn column<R>(name: &'static str, get: Get<R>) -> Column<R> {
    Column { name, get }
}

/// Columns whose smallest and largest value each commit names, so that readers skip files: what people select by, and
/// nothing of a person, since the log outlives rows that are removed.
pub(super) const INSTANCE_STATISTICS: &str =
    "StudyInstanceUID,SeriesInstanceUID,SOPClassUID,Modality,StudyDate,Centre,Batch,ReceivedAt,Pack,HeldForm";
/// The same for `catalogue/studies`.
pub(super) const STUDY_STATISTICS: &str = "StudyInstanceUID,StudyDate,Centre,FirstReceivedAt,LastReceivedAt";

/// The columns of `catalogue/instances`.
pub(super) fn instance_columns() -> Vec<Column<InstanceRow>> {
    vec![
        column("StudyInstanceUID", Text(|r| &r.description.study.study_instance_uid)),
        column("SeriesInstanceUID", Text(|r| &r.description.series.series_instance_uid)),
        column("SOPInstanceUID", Unique(|r| &r.description.instance.sop_instance_uid)),
        column("SOPClassUID", Text(|r| &r.description.instance.sop_class_uid)),
        column("Modality", Text(|r| &r.description.series.modality)),
        column("PatientID", Text(|r| &r.description.study.patient.patient_id)),
        column("IssuerOfPatientID", Text(|r| &r.description.study.patient.issuer_of_patient_id)),
        column("PatientBirthDate", Date(|r| &r.description.study.patient.patient_birth_date)),
        column("PatientSex", Text(|r| &r.description.study.patient.patient_sex)),
        column("StudyDate", Date(|r| &r.description.study.study_date)),
        column("StudyTime", Text(|r| &r.description.study.study_time)),
        column("AccessionNumber", Text(|r| &r.description.study.accession_number)),
        column("Centre", Text(|r| &r.origin.centre)),
        column("Batch", Text(|r| r.origin.batch.as_deref().unwrap_or_default())),
        column("ReceivedAt", Instant(|r| &r.origin.received_at)),
        column("Pack", Long(|r| r.pack)),
        column("HeldForm", Text(|r| &r.held_form)),
        column("ReceivedBytes", Long(|r| r.received_bytes)),
        column("HeldBytes", Long(|r| r.held_bytes)),
        column("TransferSyntaxUID", Text(|r| &r.description.instance.transfer_syntax_uid)),
        column("InstanceNumber", Integer(|r| r.description.instance.instance_number)),
        column("NumberOfFrames", Integer(|r| i32::try_from(r.description.instance.number_of_frames).ok())),
        column("Rows", Integer(|r| Some(r.description.instance.rows.into()))),
        column("Columns", Integer(|r| Some(r.description.instance.columns.into()))),
        column("SamplesPerPixel", Integer(|r| Some(r.description.instance.samples_per_pixel.into()))),
        column("BitsAllocated", Integer(|r| Some(r.description.instance.bits_allocated.into()))),
        column("BitsStored", Integer(|r| Some(r.description.instance.bits_stored.into()))),
        column("PixelRepresentation", Integer(|r| Some(r.description.instance.pixel_representation.into()))),
        column("PhotometricInterpretation", Text(|r| &r.description.instance.photometric_interpretation)),
        column("LossyImageCompression", Flag(|r| r.description.instance.lossy_image_compression)),
        column("BodyPartExamined", Text(|r| &r.description.series.body_part_examined)),
        column("Laterality", Text(|r| &r.description.series.laterality)),
        column("PatientName", Text(|r| &r.description.study.patient.patient_name)),
        column("PatientNameAlphabetic", NameGroup(|r| &r.description.study.patient.patient_name, 0)),
        column("PatientNameIdeographic", NameGroup(|r| &r.description.study.patient.patient_name, 1)),
        column("PatientNamePhonetic", NameGroup(|r| &r.description.study.patient.patient_name, 2)),
        column("StudyID", Text(|r| &r.description.study.study_id)),
        column("StudyDescription", Text(|r| &r.description.study.study_description)),
        column("ReferringPhysicianName", Text(|r| &r.description.study.referring_physician_name)),
        column("SeriesNumber", Integer(|r| r.description.series.series_number)),
        column("SeriesDescription", Text(|r| &r.description.series.series_description)),
        column("PerformedProcedureStepStartDate", Date(|r| &r.description.series.performed_procedure_step_start_date)),
        column("PerformedProcedureStepStartTime", Text(|r| &r.description.series.performed_procedure_step_start_time)),
        column("Manufacturer", Text(|r| &r.description.series.manufacturer)),
        column("ManufacturerModelName", Text(|r| &r.description.series.manufacturer_model_name)),
        column("SpecificCharacterSet", Text(|r| &r.description.instance.specific_character_set)),
        column("CharacterSetSuspect", Flag(|r| r.description.instance.character_set_suspect)),
        column("DatesNotValid", Texts(|r| instance_dates_not_valid(&r.description))),
        column("ReceivedFile", Text(|r| &r.origin.file)),
        column("FileSHA256", Digest(|r| Some(&r.digests.file))),
        column("DataSetSHA256", Digest(|r| r.digests.data_set.as_ref())),
    ]
}

/// The columns of `catalogue/studies`.
pub(super) fn study_columns() -> Vec<Column<StudyRow>> {
    vec![
        column("StudyInstanceUID", Unique(|r| &r.study.study_instance_uid)),
        column("PatientID", Text(|r| &r.study.patient.patient_id)),
        column("IssuerOfPatientID", Text(|r| &r.study.patient.issuer_of_patient_id)),
        column("PatientBirthDate", Date(|r| &r.study.patient.patient_birth_date)),
        column("PatientSex", Text(|r| &r.study.patient.patient_sex)),
        column("StudyDate", Date(|r| &r.study.study_date)),
        column("StudyTime", Text(|r| &r.study.study_time)),
        column("AccessionNumber", Text(|r| &r.study.accession_number)),
        column("ModalitiesInStudy", Texts(|r| r.modalities_in_study.clone())),
        column("NumberOfStudyRelatedSeries", Integer(|r| i32::try_from(r.number_of_study_related_series).ok())),
        column("NumberOfStudyRelatedInstances", Integer(|r| i32::try_from(r.number_of_study_related_instances).ok())),
        column("ReceivedBytes", Long(|r| r.received_bytes)),
        column("HeldBytes", Long(|r| r.held_bytes)),
        column("Centre", Text(|r| &r.centre)),
        column("FirstReceivedAt", Instant(|r| &r.first_received_at)),
        column("LastReceivedAt", Instant(|r| &r.last_received_at)),
        column("PatientName", Text(|r| &r.study.patient.patient_name)),
        column("PatientNameAlphabetic", NameGroup(|r| &r.study.patient.patient_name, 0)),
        column("PatientNameIdeographic", NameGroup(|r| &r.study.patient.patient_name, 1)),
        column("PatientNamePhonetic", NameGroup(|r| &r.study.patient.patient_name, 2)),
        column("StudyID", Text(|r| &r.study.study_id)),
        column("StudyDescription", Text(|r| &r.study.study_description)),
        column("ReferringPhysicianName", Text(|r| &r.study.referring_physician_name)),
        column("DatesNotValid", Texts(|r| dates_not_valid(&study_dates(&r.study)))),
    ]
}

fn study_dates(study: &StudyAttributes) -> [(&'static str, &str); 2] {
    [("StudyDate", &study.study_date), ("PatientBirthDate", &study.patient.patient_birth_date)]
}

fn instance_dates_not_valid(description: &Description) -> Vec<String> {
    let [study, birth] = study_dates(&description.study);
    let step = ("PerformedProcedureStepStartDate", &*description.series.performed_procedure_step_start_date);
    dates_not_valid(&[study, birth, step])
}

/// `keyword=text` of every date that is there and is none, so that a null date hides nothing.
fn dates_not_valid(dates: &[(&str, &str)]) -> Vec<String> {
    let wrong = dates.iter().filter(|(_, text)| !text.is_empty() && days(text).is_none());
    wrong.map(|(keyword, text)| format!("{keyword}={text}")).collect()
}
