//! The words the archive is spoken to in: what an instance is, who sent it, what became of it.
//!
//! Names are PS3.6 keywords. Text is Unicode already (character sets are decoded at admission); dates and times
//! stay in the form of DA, TM (PS3.5 §6.2), empty where the file has none.

use bytes::Bytes;
use serde::{Deserialize, Serialize};

use crate::{Body, FrameTable};

/// A person as a sender names one: unique by (issuer, Patient ID), never by Patient ID alone.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct Patient {
    /// Patient ID (0010,0020), leading zeros kept.
    #[serde(rename = "PatientID")]
    pub patient_id: String,
    /// Issuer of Patient ID (0010,0021); the sending centre where the file names none.
    #[serde(rename = "IssuerOfPatientID")]
    pub issuer_of_patient_id: String,
    /// Patient's Name (0010,0010), up to three component groups separated by `=`.
    pub patient_name: String,
    /// Patient's Birth Date (0010,0030).
    pub patient_birth_date: String,
    /// Patient's Sex (0010,0040).
    pub patient_sex: String,
}

/// What is said once a study (PS3.3 C.7.2).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct StudyAttributes {
    #[serde(rename = "StudyInstanceUID")]
    /// Study Instance UID (0020,000D).
    pub study_instance_uid: String,
    /// The person.
    #[serde(flatten)]
    pub patient: Patient,
    /// Study Date (0008,0020).
    pub study_date: String,
    /// Study Time (0008,0030).
    pub study_time: String,
    /// Accession Number (0008,0050).
    pub accession_number: String,
    /// Study ID (0020,0010).
    #[serde(rename = "StudyID")]
    pub study_id: String,
    /// Study Description (0008,1030).
    pub study_description: String,
    /// Referring Physician's Name (0008,0090).
    pub referring_physician_name: String,
    /// Timezone Offset From UTC (0008,0201); not in records of the first versions.
    #[serde(rename = "TimezoneOffsetFromUTC", default, skip_serializing_if = "String::is_empty")]
    pub timezone_offset_from_utc: String,
}

/// What is said once a series (PS3.3 C.7.3).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct SeriesAttributes {
    /// Series Instance UID (0020,000E).
    #[serde(rename = "SeriesInstanceUID")]
    pub series_instance_uid: String,
    /// Modality (0008,0060).
    pub modality: String,
    /// Series Number (0020,0011).
    pub series_number: Option<i32>,
    /// Series Description (0008,103E).
    pub series_description: String,
    /// Body Part Examined (0018,0015).
    pub body_part_examined: String,
    /// Laterality (0020,0060), or Image Laterality (0020,0062) where only that is given.
    pub laterality: String,
    /// Performed Procedure Step Start Date (0040,0244).
    pub performed_procedure_step_start_date: String,
    /// Performed Procedure Step Start Time (0040,0245).
    pub performed_procedure_step_start_time: String,
    /// Manufacturer (0008,0070).
    pub manufacturer: String,
    /// Manufacturer's Model Name (0008,1090).
    pub manufacturer_model_name: String,
    /// Request Attributes Sequence (0040,0275); not in records of the first versions.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub request_attributes: Vec<RequestAttributes>,
}

/// One item of the Request Attributes Sequence (0040,0275).
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct RequestAttributes {
    /// Scheduled Procedure Step ID (0040,0009).
    #[serde(rename = "ScheduledProcedureStepID")]
    pub scheduled_procedure_step_id: String,
    /// Requested Procedure ID (0040,1001).
    #[serde(rename = "RequestedProcedureID")]
    pub requested_procedure_id: String,
}

/// What is said of each instance.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub struct InstanceAttributes {
    /// SOP Instance UID (0008,0018).
    #[serde(rename = "SOPInstanceUID")]
    pub sop_instance_uid: String,
    /// SOP Class UID (0008,0016).
    #[serde(rename = "SOPClassUID")]
    pub sop_class_uid: String,
    /// Transfer Syntax UID (0002,0010) as received.
    #[serde(rename = "TransferSyntaxUID")]
    pub transfer_syntax_uid: String,
    /// Instance Number (0020,0013).
    pub instance_number: Option<i32>,
    /// Number of Frames (0028,0008); 1 for an image that does not say, 0 for what has no pixels.
    pub number_of_frames: u32,
    /// Rows (0028,0010); 0 for what has no pixels, and so for the next five.
    pub rows: u16,
    /// Columns (0028,0011).
    pub columns: u16,
    /// Samples per Pixel (0028,0002).
    pub samples_per_pixel: u16,
    /// Bits Allocated (0028,0100).
    pub bits_allocated: u16,
    /// Bits Stored (0028,0101).
    pub bits_stored: u16,
    /// Pixel Representation (0028,0103): 0 unsigned, 1 signed.
    pub pixel_representation: u16,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: String,
    /// Lossy Image Compression (0028,2110) is `01`.
    pub lossy_image_compression: bool,
    /// Specific Character Set (0008,0005) as declared, values joined by `\`.
    pub specific_character_set: String,
    /// The declared set was absent or wrong and another was used, or none fitted.
    pub character_set_suspect: bool,
    /// Where the received file lies, if that was no DICOM: what is held is a Part 10 file that was made of it.
    #[serde(rename = "embedded", default, skip_serializing_if = "Option::is_none")]
    pub embedded: Option<Embedded>,
}

/// A received file inside of the Part 10 file that was made of it and is held.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Embedded {
    /// Its first byte in the Part 10 file.
    pub offset: u64,
    /// Its bytes.
    pub bytes: u64,
    /// What it is.
    pub media_type: String,
    /// How files of that kind are named: without a dot.
    pub extension: String,
}

impl Embedded {
    /// The bytes of the Part 10 file that are the received file.
    pub fn range(&self) -> std::ops::Range<u64> {
        self.offset..self.offset.saturating_add(self.bytes)
    }
}

/// What an instance is, as its sender says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Its study.
    pub study: StudyAttributes,
    /// Its series.
    pub series: SeriesAttributes,
    /// Itself.
    pub instance: InstanceAttributes,
}

/// Digests of a received file.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Digests {
    /// SHA-256 of the file as received (for C-STORE: of the file written at intake).
    #[serde(with = "hex")]
    pub file: [u8; 32],
    /// SHA-256 of the Data Set alone: without preamble and group 0002, as encoded. It decides where a SOP Instance UID
    /// comes again in another file, so it is made then, or when the instance is packed; `None` until then.
    #[serde(default, with = "hex_or_none", skip_serializing_if = "Option::is_none")]
    pub data_set: Option<[u8; 32]>,
}

/// Who sent a file, when, and as part of what. The centre comes from the credential, never from the file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Origin {
    /// The sending centre.
    pub centre: String,
    /// The batch it belongs to, if any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub batch: Option<String>,
    /// The file as its sender names it (a relative path; the SOP Instance UID for C-STORE).
    pub file: String,
    /// When it was received, RFC 3339 in UTC.
    pub received_at: String,
}

/// One instance on its way in: everything the archive keeps of it.
#[derive(Clone, Debug)]
pub struct TakeIn {
    /// Who sent it.
    pub origin: Origin,
    /// What it is.
    pub description: Description,
    /// Its metadata as one DICOM JSON object (PS3.18 Annex F), kept as given and handed out again.
    pub dicom_json: Bytes,
    /// Where its frames lie in the file as received.
    pub frames: FrameTable,
    /// Its digests.
    pub digests: Digests,
    /// Its bytes.
    pub body: Body,
}

/// Why something was quarantined, and what its sender can do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reason {
    /// A short fixed word for programs: `not-dicom`, `truncated`, `conflict`, `other-person`, …
    pub code: String,
    /// The sentence for people: what is wrong, and at which byte.
    pub text: String,
    /// The sentence that says what to do next.
    pub next_step: String,
}

/// A batch: what a centre sends in one night, and how many files it means to send.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    /// Chosen by the sender; sending again under the same id repeats nothing.
    pub id: String,
    /// The sending centre.
    pub centre: String,
    /// Programme code: `dock`, `occupational`, `school`, `cancer` or `specific`.
    pub programme: String,
    /// How many files the sender means to send, if it said.
    pub expected: Option<u64>,
    /// When it was opened, RFC 3339 in UTC.
    pub opened_at: String,
}

/// The receipt of a batch: `sent = stored + already_held + quarantined.len()`, said of durable bytes only.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The batch.
    pub batch: Batch,
    /// Files that arrived.
    pub sent: u64,
    /// Of these, newly kept; variants are among them.
    pub stored: u64,
    /// Of these, held already with the same Data Set.
    pub already_held: u64,
    /// Files kept beside a held instance of the same values in another transfer syntax.
    pub variants: Vec<String>,
    /// Files that were set aside, each with its reason.
    pub quarantined: Vec<ReceiptQuarantined>,
}

/// One quarantined file on a receipt.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReceiptQuarantined {
    /// The file as its sender names it.
    pub file: String,
    /// Why.
    pub reason: String,
    /// What to do.
    pub next_step: String,
}

/// SHA-256 digests as lower-case hex in JSON.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub fn serialize<S: Serializer>(digest: &[u8; 32], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&crate::hex(digest))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<[u8; 32], D::Error> {
        let text = String::deserialize(from)?;
        crate::unhex(&text).ok_or_else(|| serde::de::Error::custom("not 64 hexadecimal digits"))
    }
}

/// The same where there may be none: the key is left out then.
mod hex_or_none {
    use serde::{Deserializer, Serializer};

    pub fn serialize<S: Serializer>(digest: &Option<[u8; 32]>, to: S) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => super::hex::serialize(digest, to),
            None => to.serialize_none(),
        }
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<[u8; 32]>, D::Error> {
        super::hex::deserialize(from).map(Some)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A record says either digest or only that of the file, and is read back as it was written.
    #[test]
    fn a_digest_that_was_not_made_is_left_out() {
        let check = |digests: Digests, keys: usize| {
            let json = serde_json::to_value(digests).unwrap();
            assert_eq!(json.as_object().unwrap().len(), keys);
            assert_eq!(serde_json::from_value::<Digests>(json).unwrap(), digests);
        };
        check(Digests { file: [7; 32], data_set: Some([0; 32]) }, 2);
        check(Digests { file: [7; 32], data_set: None }, 1);
        let half = serde_json::json!({ "file": "00".repeat(32), "data_set": "00" });
        assert!(serde_json::from_value::<Digests>(half).is_err());
    }
}
