//! From elements to the archive's words for a study, a series and an instance.

use archive::{Description, InstanceAttributes, Patient, RequestAttributes, SeriesAttributes, StudyAttributes};
use transcode::data_set::{DataSet, Part10, Tag, Value, pixel_description};

use super::{CharacterSet, TextKind, Verdict, tags};

/// PS3.5 §9.1.
const UID_BYTES_MAX: usize = 64;
/// Items of one Request Attributes Sequence that are kept for searching.
const REQUESTS_MAX: usize = 16;
/// Media Storage Directory Storage (PS3.4 §I).
const MEDIA_STORAGE_DIRECTORY: &str = "1.2.840.10008.1.3.10";

/// What the file is, as its sender says. Issuer of Patient ID stays empty where the file has none.
///
/// # Errors
/// [`Verdict::Dicomdir`], or a UID that is missing or cannot be a key.
pub fn describe(part10: &Part10, set: &CharacterSet) -> Result<Description, Verdict> {
    let data_set = &part10.data_set;
    // The Data Set's own UIDs, not the meta group's: its metadata and every copy of it are found by them.
    let class = data_set.uid(tags::SOP_CLASS_UID);
    if class == Some(MEDIA_STORAGE_DIRECTORY) || data_set.get(tags::DIRECTORY_RECORD_SEQUENCE).is_some() {
        return Err(Verdict::Dicomdir);
    }
    let texts = Texts { data_set, set };
    let sop_instance_uid = key("SOPInstanceUID", data_set.uid(tags::SOP_INSTANCE_UID))?;
    let sop_class_uid = key("SOPClassUID", class)?;
    Ok(Description {
        study: study(&texts)?,
        series: series(&texts)?,
        instance: InstanceAttributes { sop_instance_uid, sop_class_uid, ..instance(part10, &texts) },
    })
}

/// Whether a text can key an object: 1 to 64 digits and dots. PS3.5 §9.1 also forbids leading zeros and empty
/// components, but files of the field have them, and they can be found by them.
pub fn is_key(uid: &str) -> bool {
    let digit = |byte: u8| byte.is_ascii_digit();
    (1..=UID_BYTES_MAX).contains(&uid.len()) && uid.bytes().all(|b| digit(b) || b == b'.') && uid.bytes().any(digit)
}

fn key(keyword: &'static str, uid: Option<&str>) -> Result<String, Verdict> {
    match uid {
        None => Err(Verdict::MissingUid { keyword }),
        Some(uid) if is_key(uid) => Ok(uid.to_owned()),
        Some(uid) => Err(Verdict::InvalidUid { keyword, value: uid.chars().take(80).collect() }),
    }
}

fn study(texts: &Texts) -> Result<StudyAttributes, Verdict> {
    Ok(StudyAttributes {
        study_instance_uid: key("StudyInstanceUID", texts.uid(tags::STUDY_INSTANCE_UID))?,
        patient: Patient {
            patient_id: texts.text(tags::PATIENT_ID),
            issuer_of_patient_id: texts.text(tags::ISSUER_OF_PATIENT_ID),
            patient_name: texts.text(tags::PATIENT_NAME),
            patient_birth_date: texts.text(tags::PATIENT_BIRTH_DATE),
            patient_sex: texts.text(tags::PATIENT_SEX),
        },
        study_date: texts.text(tags::STUDY_DATE),
        study_time: texts.text(tags::STUDY_TIME),
        accession_number: texts.text(tags::ACCESSION_NUMBER),
        study_id: texts.text(tags::STUDY_ID),
        study_description: texts.text(tags::STUDY_DESCRIPTION),
        referring_physician_name: texts.text(tags::REFERRING_PHYSICIAN_NAME),
        timezone_offset_from_utc: texts.text(tags::TIMEZONE_OFFSET_FROM_UTC),
    })
}

fn series(texts: &Texts) -> Result<SeriesAttributes, Verdict> {
    let laterality = texts.text(tags::LATERALITY);
    Ok(SeriesAttributes {
        series_instance_uid: key("SeriesInstanceUID", texts.uid(tags::SERIES_INSTANCE_UID))?,
        modality: texts.text(tags::MODALITY),
        series_number: texts.int(tags::SERIES_NUMBER),
        series_description: texts.text(tags::SERIES_DESCRIPTION),
        body_part_examined: texts.text(tags::BODY_PART_EXAMINED),
        laterality: if laterality.is_empty() { texts.text(tags::IMAGE_LATERALITY) } else { laterality },
        performed_procedure_step_start_date: texts.text(tags::PERFORMED_PROCEDURE_STEP_START_DATE),
        performed_procedure_step_start_time: texts.text(tags::PERFORMED_PROCEDURE_STEP_START_TIME),
        manufacturer: texts.text(tags::MANUFACTURER),
        manufacturer_model_name: texts.text(tags::MANUFACTURER_MODEL_NAME),
        request_attributes: request_attributes(texts),
    })
}

/// The items of the Request Attributes Sequence that say something.
fn request_attributes(texts: &Texts) -> Vec<RequestAttributes> {
    let Some(Value::Sequence(items)) = texts.data_set.get(tags::REQUEST_ATTRIBUTES_SEQUENCE).map(|one| &one.value)
    else {
        return Vec::new();
    };
    let said = items.iter().take(REQUESTS_MAX).map(|item| {
        let set = CharacterSet::of(&item.data_set, Some(texts.set));
        let texts = Texts { data_set: &item.data_set, set: &set };
        RequestAttributes {
            scheduled_procedure_step_id: texts.text(tags::SCHEDULED_PROCEDURE_STEP_ID),
            requested_procedure_id: texts.text(tags::REQUESTED_PROCEDURE_ID),
        }
    });
    said.filter(|one| *one != RequestAttributes::default()).collect()
}

/// All but the UIDs that key it.
fn instance(part10: &Part10, texts: &Texts) -> InstanceAttributes {
    let said = InstanceAttributes {
        transfer_syntax_uid: part10.transfer_syntax_uid.clone(),
        instance_number: texts.int(tags::INSTANCE_NUMBER),
        lossy_image_compression: texts.data_set.ascii(tags::LOSSY_IMAGE_COMPRESSION) == Some("01"),
        specific_character_set: texts.set.declared.clone(),
        character_set_suspect: texts.set.suspect,
        ..InstanceAttributes::default()
    };
    let has_pixels = [tags::PIXEL_DATA, tags::FLOAT_PIXEL_DATA, tags::DOUBLE_FLOAT_PIXEL_DATA]
        .iter()
        .any(|tag| texts.data_set.get(*tag).is_some());
    match pixel_description(texts.data_set).filter(|_| has_pixels) {
        None => said,
        Some(pixels) => InstanceAttributes {
            number_of_frames: pixels.number_of_frames,
            rows: pixels.rows,
            columns: pixels.columns,
            samples_per_pixel: pixels.samples_per_pixel,
            bits_allocated: pixels.bits_allocated,
            bits_stored: pixels.bits_stored,
            pixel_representation: pixels.pixel_representation,
            photometric_interpretation: pixels.photometric_interpretation,
            ..said
        },
    }
}

/// The values of a Data Set as text.
struct Texts<'a> {
    data_set: &'a DataSet,
    set: &'a CharacterSet,
}

impl Texts<'_> {
    /// The value in Unicode without padding; empty where there is none.
    fn text(&self, tag: Tag) -> String {
        let Some(element) = self.data_set.get(tag) else { return String::new() };
        let Value::Bytes(bytes) = &element.value else { return String::new() };
        let kind = TextKind::of(element.known_vr()).unwrap_or(TextKind::Values);
        self.set.decode(bytes, kind).trim_matches([' ', '\0']).to_owned()
    }

    fn uid(&self, tag: Tag) -> Option<&str> {
        // A UID that is no ASCII is none; it is named as it looks by `key` only if it can be shown.
        self.data_set.uid(tag)
    }

    fn int(&self, tag: Tag) -> Option<i32> {
        self.data_set.int(tag).and_then(|value| value.try_into().ok())
    }
}
