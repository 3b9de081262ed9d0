//! What is asked of the index: QIDO-RS and C-FIND (PS3.4 C.2.2.2) without their wire forms.

use crate::fold::Name;

/// How one text is matched (PS3.4 C.2.2.2.1 to C.2.2.2.4).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
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

/// A closed range of DA, TM or DT values; an open end is `None` (PS3.4 C.2.2.2.5).
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Range {
    /// First value that matches.
    pub from: Option<String>,
    /// Last value that matches.
    pub to: Option<String>,
}

/// What the index has a column for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Column {
    /// Study Instance UID (0020,000D).
    StudyInstanceUid,
    /// Patient ID (0010,0020).
    PatientId,
    /// Issuer of Patient ID (0010,0021).
    IssuerOfPatientId,
    /// Patient's Name (0010,0010).
    PatientName,
    /// Patient's Birth Date (0010,0030).
    PatientBirthDate,
    /// Patient's Sex (0010,0040).
    PatientSex,
    /// Study Date (0008,0020).
    StudyDate,
    /// Study Time (0008,0030).
    StudyTime,
    /// Study Date and Study Time as one value (PS3.4 C.2.2.2.5.4).
    StudyDateTime,
    /// Accession Number (0008,0050).
    AccessionNumber,
    /// Study ID (0020,0010).
    StudyId,
    /// Study Description (0008,1030).
    StudyDescription,
    /// Referring Physician's Name (0008,0090).
    ReferringPhysicianName,
    /// Modalities in Study (0008,0061): any of them.
    ModalitiesInStudy,
    /// The centre that sent it.
    Centre,
    /// Series Instance UID (0020,000E).
    SeriesInstanceUid,
    /// Modality (0008,0060).
    Modality,
    /// Series Number (0020,0011).
    SeriesNumber,
    /// Series Description (0008,103E).
    SeriesDescription,
    /// Body Part Examined (0018,0015).
    BodyPartExamined,
    /// Laterality (0020,0060).
    Laterality,
    /// Manufacturer (0008,0070).
    Manufacturer,
    /// Manufacturer's Model Name (0008,1090).
    ManufacturerModelName,
    /// Performed Procedure Step Start Date (0040,0244).
    PerformedProcedureStepStartDate,
    /// Performed Procedure Step Start Time (0040,0245).
    PerformedProcedureStepStartTime,
    /// These two as one value (PS3.4 C.2.2.2.5.4).
    PerformedProcedureStepStartDateTime,
}

impl Column {
    /// Whether it is said of a series.
    pub fn is_of_series(self) -> bool {
        self as u8 >= Column::SeriesInstanceUid as u8
    }

    pub(super) fn sql(self) -> &'static str {
        match self {
            Column::StudyInstanceUid => "study.StudyInstanceUID",
            Column::PatientId => "study.PatientID",
            Column::IssuerOfPatientId => "study.IssuerOfPatientID",
            Column::PatientName => "study.PatientName",
            Column::PatientBirthDate => "study.PatientBirthDate",
            Column::PatientSex => "study.PatientSex",
            Column::StudyDate => "study.StudyDate",
            Column::StudyTime => "study.StudyTime",
            Column::StudyDateTime => "(study.StudyDate || study.StudyTime)",
            Column::AccessionNumber => "study.AccessionNumber",
            Column::StudyId => "study.StudyID",
            Column::StudyDescription => "study.StudyDescription",
            Column::ReferringPhysicianName => "study.ReferringPhysicianName",
            Column::ModalitiesInStudy => "of.Modality",
            Column::Centre => "study.Centre",
            Column::SeriesInstanceUid => "series.SeriesInstanceUID",
            Column::Modality => "series.Modality",
            Column::SeriesNumber => "series.SeriesNumber",
            Column::SeriesDescription => "series.SeriesDescription",
            Column::BodyPartExamined => "series.BodyPartExamined",
            Column::Laterality => "series.Laterality",
            Column::Manufacturer => "series.Manufacturer",
            Column::ManufacturerModelName => "series.ManufacturerModelName",
            Column::PerformedProcedureStepStartDate => "series.PerformedProcedureStepStartDate",
            Column::PerformedProcedureStepStartTime => "series.PerformedProcedureStepStartTime",
            Column::PerformedProcedureStepStartDateTime => {
                "(series.PerformedProcedureStepStartDate || series.PerformedProcedureStepStartTime)"
            }
        }
    }
}

/// How a column is tested.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Test {
    /// As a text.
    Match(Match),
    /// As a date, a time, or both.
    Within(Range),
    /// As a person's name.
    Name(Name),
    /// As a number.
    Number(i64),
    /// It is empty (PS3.4 C.2.2.2.7).
    Empty,
}

/// In which order studies come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Order {
    /// Newest Study Date first, then newest taken in: what a person looks for.
    #[default]
    Newest,
    /// As taken in: stable while more come in, for walking through everything.
    TakenIn,
}

/// A search for patients, studies or series. Series come grouped by study; no terms match everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Query {
    /// All of these hold.
    pub terms: Vec<(Column, Test)>,
    /// Order of the answer.
    pub order: Order,
    /// At most this many; 0 for all.
    pub limit: u32,
    /// This many are skipped first.
    pub offset: u32,
}
