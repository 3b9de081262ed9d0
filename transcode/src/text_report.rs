//! What a reader found, as a DICOM report: Basic Text SR, a Part 10 file in Explicit VR Little Endian.
//!
//! The same reading gives the same bytes and UIDs on any machine and in any year, so that a report stored twice is one.
//!
//! Source: PS3.3 §A.35.1 (the IOD and its value types), C.17 (SR modules), C.18 (value types); PS3.16 TID 1001, 1002, 1204
//! (observers, language); PS3.5 §7.5 (sequences).

use crate::data_set::rewrite::meta_of;
use crate::data_set::writer::put;
use crate::data_set::{EXPLICIT_VR_LITTLE_ENDIAN, Tag, VR, tags};
use crate::uid;

/// Basic Text SR Storage.
pub const BASIC_TEXT_SR: &str = "1.2.840.10008.5.1.4.1.1.88.11";
/// Coding scheme of what has no code of a standard (PS3.16 §8.2: local ones begin with 99).
pub const LOCAL_SCHEME: &str = "99TSUNAGU";
/// Told apart from every other use of the same hash.
const NAMESPACE: &str = "tsunagu reading 1";
/// Longest values (PS3.5 Table 6.2-1), in characters.
const SHORT_STRING_MAX: usize = 16;
const LONG_STRING_MAX: usize = 64;

/// A code: value, scheme, meaning (PS3.3 §8).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Code {
    /// Code Value.
    pub value: String,
    /// Coding Scheme Designator.
    pub scheme: String,
    /// Code Meaning.
    pub meaning: String,
}

impl Code {
    fn new(value: &str, scheme: &str, meaning: &str) -> Code {
        Code { value: value.into(), scheme: scheme.into(), meaning: meaning.into() }
    }

    /// One of our own.
    pub fn local(value: &str, meaning: &str) -> Code {
        Code::new(value, LOCAL_SCHEME, meaning)
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Evidence {
    /// Its series.
    pub series_instance_uid: String,
    /// Its class.
    pub sop_class_uid: String,
    /// Itself.
    pub sop_instance_uid: String,
    /// It has pixels.
    pub is_image: bool,
}

/// A reading. Texts are Unicode; dates and times as DA and TM.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What the UIDs follow from: unique to the reading.
    pub key: String,
    /// Elements of the outermost Data Set that say whose study it is, as the study has them: text values by tag.
    pub study: Vec<(Tag, VR, String)>,
    /// Study Instance UID.
    pub study_instance_uid: String,
    /// Timezone Offset From UTC, where the study says one.
    pub timezone: String,
    /// Content Date and Time.
    pub content: (String, String),
    /// The device that recorded it is not meant: who makes the report.
    pub manufacturer: String,
    /// An ECG; else another modality.
    pub is_ecg: bool,
    /// Who read.
    pub observers: Vec<String>,
    /// What was found.
    pub findings: Vec<Code>,
    /// What is to be done.
    pub conclusion: Code,
    /// It is to be done at once.
    pub urgent: Option<Code>,
    /// In the readers' words.
    pub text: String,
    /// What was read.
    pub evidence: Evidence,
}

impl Report {
    /// The SOP Instance UID it gets.
    pub fn sop_instance_uid(&self) -> String {
        uid::of(NAMESPACE, &["instance", &self.study_instance_uid, &self.key])
    }

    /// The Part 10 file.
    pub fn part10(&self) -> Vec<u8> {
        let instance = self.sop_instance_uid();
        let mut out = meta_of(BASIC_TEXT_SR.as_bytes(), instance.as_bytes(), EXPLICIT_VR_LITTLE_ENDIAN);
        let mut elements = self.elements(&instance);
        elements.sort_by_key(|(tag, ..)| *tag);
        elements.iter().for_each(|(tag, vr, value)| put(&mut out, *tag, *vr, value));
        out
    }

    /// All modules of the IOD (PS3.3 Table A.35.1-1).
    fn elements(&self, instance: &str) -> Vec<(Tag, VR, Vec<u8>)> {
        let series = uid::of(NAMESPACE, &["series", &self.study_instance_uid]);
        let mut all: Vec<(Tag, VR, Vec<u8>)> =
            self.study.iter().map(|(tag, vr, text)| (*tag, *vr, text.as_bytes().to_vec())).collect();
        let mut say = |tag: Tag, vr: VR, text: &str| all.push((tag, vr, text.as_bytes().to_vec()));
        say(tags::SPECIFIC_CHARACTER_SET, VR::CS, "ISO_IR 192");
        say(tags::SOP_CLASS_UID, VR::UI, BASIC_TEXT_SR);
        say(tags::SOP_INSTANCE_UID, VR::UI, instance);
        say(tags::CONTENT_DATE, VR::DA, &self.content.0);
        say(tags::CONTENT_TIME, VR::TM, &self.content.1);
        say(tags::MODALITY, VR::CS, "SR");
        say(tags::MANUFACTURER, VR::LO, &self.manufacturer);
        if !self.timezone.is_empty() {
            say(tags::TIMEZONE_OFFSET_FROM_UTC, VR::SH, &self.timezone);
        }
        say(tags::STUDY_INSTANCE_UID, VR::UI, &self.study_instance_uid);
        say(tags::SERIES_INSTANCE_UID, VR::UI, &series);
        // Far from the numbers that devices give.
        say(tags::SERIES_NUMBER, VR::IS, "9901");
        say(tags::INSTANCE_NUMBER, VR::IS, "1");
        say(tags::VALUE_TYPE, VR::CS, "CONTAINER");
        say(tags::CONTINUITY_OF_CONTENT, VR::CS, "SEPARATE");
        // PS3.3 C.17.2: whole, and signed by nobody in DICOM's sense; who read is in the content.
        say(tags::COMPLETION_FLAG, VR::CS, "COMPLETE");
        say(tags::VERIFICATION_FLAG, VR::CS, "UNVERIFIED");
        let mut sequence = |tag: Tag, items: &[Vec<u8>]| all.push((tag, VR::SQ, sequence_value(items)));
        let title = match self.is_ecg {
            true => Code::new("28010-7", "LN", "ECG Report"),
            false => Code::new("18748-4", "LN", "Diagnostic Imaging Report"),
        };
        sequence(tags::CODING_SCHEME_IDENTIFICATION_SEQUENCE, &[scheme()]);
        sequence(tags::CONCEPT_NAME_CODE_SEQUENCE, &[code_item(&title)]);
        sequence(tags::REFERENCED_PERFORMED_PROCEDURE_STEP_SEQUENCE, &[]);
        sequence(tags::PERFORMED_PROCEDURE_CODE_SEQUENCE, &[]);
        sequence(tags::CURRENT_REQUESTED_PROCEDURE_EVIDENCE_SEQUENCE, &[self.evidence_item()]);
        sequence(tags::CONTENT_SEQUENCE, &self.content_items());
        all
    }

    /// Study, series, instance (PS3.3 Table C.17-3).
    fn evidence_item(&self) -> Vec<u8> {
        let evidence = &self.evidence;
        let series = item(&[
            (tags::REFERENCED_SOP_SEQUENCE, VR::SQ, sequence_value(&[self.reference()])),
            (tags::SERIES_INSTANCE_UID, VR::UI, evidence.series_instance_uid.clone().into_bytes()),
        ]);
        item(&[
            (tags::REFERENCED_SERIES_SEQUENCE, VR::SQ, sequence_value(&[series])),
            (tags::STUDY_INSTANCE_UID, VR::UI, self.study_instance_uid.clone().into_bytes()),
        ])
    }

    fn reference(&self) -> Vec<u8> {
        item(&[
            (tags::REFERENCED_SOP_CLASS_UID, VR::UI, self.evidence.sop_class_uid.clone().into_bytes()),
            (tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, self.evidence.sop_instance_uid.clone().into_bytes()),
        ])
    }

    fn content_items(&self) -> Vec<Vec<u8>> {
        let dcm = |value, meaning| Code::new(value, "DCM", meaning);
        let language = Code::new("ja", "RFC5646", "Japanese");
        let mut items =
            vec![coded("HAS CONCEPT MOD", &dcm("121049", "Language of Content Item and Descendants"), &language)];
        for observer in &self.observers {
            items.push(coded("HAS OBS CONTEXT", &dcm("121005", "Observer Type"), &dcm("121006", "Person")));
            items.push(named("HAS OBS CONTEXT", &dcm("121008", "Person Observer Name"), observer));
        }
        items.push(self.evidence_content());
        let findings: Vec<Vec<u8>> =
            self.findings.iter().map(|finding| coded("CONTAINS", &dcm("121071", "Finding"), finding)).collect();
        if !findings.is_empty() {
            items.push(container(&dcm("121070", "Findings"), &findings));
        }
        let mut conclusions = vec![coded("CONTAINS", &dcm("121077", "Conclusion"), &self.conclusion)];
        conclusions.extend(self.urgent.iter().map(|urgent| coded("CONTAINS", &dcm("121077", "Conclusion"), urgent)));
        if !self.text.is_empty() {
            conclusions.push(written("CONTAINS", &dcm("121077", "Conclusion"), &self.text));
        }
        items.push(container(&dcm("121076", "Conclusions"), &conclusions));
        items
    }

    /// What was read, by reference: a waveform, an image, or another object (PS3.3 C.18.3 to C.18.5).
    fn evidence_content(&self) -> Vec<u8> {
        let is_waveform = self.evidence.sop_class_uid.starts_with("1.2.840.10008.5.1.4.1.1.9.");
        let value_type = match (is_waveform, self.evidence.is_image) {
            (true, _) => "WAVEFORM",
            (_, true) => "IMAGE",
            _ => "COMPOSITE",
        };
        let name = Code::new("121180", "DCM", "Key Images");
        let mut elements = content_head("CONTAINS", value_type);
        elements.push((tags::REFERENCED_SOP_SEQUENCE, VR::SQ, sequence_value(&[self.reference()])));
        if value_type == "COMPOSITE" {
            let source = Code::new("121112", "DCM", "Source of Measurement");
            elements.push((tags::CONCEPT_NAME_CODE_SEQUENCE, VR::SQ, sequence_value(&[code_item(&source)])));
        } else if value_type == "IMAGE" {
            elements.push((tags::CONCEPT_NAME_CODE_SEQUENCE, VR::SQ, sequence_value(&[code_item(&name)])));
        }
        item(&elements)
    }
}

type Elements = Vec<(Tag, VR, Vec<u8>)>;

fn content_head(relationship: &str, value_type: &str) -> Elements {
    vec![
        (tags::RELATIONSHIP_TYPE, VR::CS, relationship.as_bytes().to_vec()),
        (tags::VALUE_TYPE, VR::CS, value_type.as_bytes().to_vec()),
    ]
}

fn content(relationship: &str, value_type: &str, name: &Code, value: (Tag, VR, Vec<u8>)) -> Vec<u8> {
    let mut elements = content_head(relationship, value_type);
    elements.push((tags::CONCEPT_NAME_CODE_SEQUENCE, VR::SQ, sequence_value(&[code_item(name)])));
    elements.push(value);
    item(&elements)
}

fn coded(relationship: &str, name: &Code, value: &Code) -> Vec<u8> {
    let value = (tags::CONCEPT_CODE_SEQUENCE, VR::SQ, sequence_value(&[code_item(value)]));
    content(relationship, "CODE", name, value)
}

fn named(relationship: &str, name: &Code, person: &str) -> Vec<u8> {
    // Delimiters of components, groups and values (PS3.5 §6.2.1.1) are none of a name.
    let person = person.replace(['\\', '^', '='], " ");
    content(relationship, "PNAME", name, (tags::PERSON_NAME, VR::PN, cut(&person, LONG_STRING_MAX).into_bytes()))
}

fn written(relationship: &str, name: &Code, text: &str) -> Vec<u8> {
    content(relationship, "TEXT", name, (tags::TEXT_VALUE, VR::UT, text.as_bytes().to_vec()))
}

fn container(name: &Code, items: &[Vec<u8>]) -> Vec<u8> {
    let mut elements = content_head("CONTAINS", "CONTAINER");
    elements.push((tags::CONCEPT_NAME_CODE_SEQUENCE, VR::SQ, sequence_value(&[code_item(name)])));
    elements.push((tags::CONTINUITY_OF_CONTENT, VR::CS, b"SEPARATE".to_vec()));
    elements.push((tags::CONTENT_SEQUENCE, VR::SQ, sequence_value(items)));
    item(&elements)
}

/// Code Value, scheme and meaning (PS3.3 Table 8.8-1).
fn code_item(code: &Code) -> Vec<u8> {
    item(&[
        (tags::CODE_VALUE, VR::SH, cut(&code.value, SHORT_STRING_MAX).into_bytes()),
        (tags::CODING_SCHEME_DESIGNATOR, VR::SH, cut(&code.scheme, SHORT_STRING_MAX).into_bytes()),
        (tags::CODE_MEANING, VR::LO, cut(&code.meaning, LONG_STRING_MAX).into_bytes()),
    ])
}

/// What our own scheme is (PS3.3 C.12.1.1.2).
fn scheme() -> Vec<u8> {
    item(&[
        (tags::CODING_SCHEME_DESIGNATOR, VR::SH, LOCAL_SCHEME.into()),
        (tags::CODING_SCHEME_NAME, VR::ST, b"Tsunagu verdicts and findings, provisional".to_vec()),
    ])
}

/// The elements of an item, in the order of their tags.
fn item(elements: &[(Tag, VR, Vec<u8>)]) -> Vec<u8> {
    let mut sorted: Vec<&(Tag, VR, Vec<u8>)> = elements.iter().collect();
    sorted.sort_by_key(|(tag, ..)| *tag);
    let mut out = Vec::new();
    sorted.into_iter().for_each(|(tag, vr, value)| put(&mut out, *tag, *vr, value));
    out
}

/// Items of explicit length (PS3.5 Table 7.5-1).
fn sequence_value(items: &[Vec<u8>]) -> Vec<u8> {
    let mut out = Vec::new();
    for item in items {
        out.extend_from_slice(&[0xFE, 0xFF, 0x00, 0xE0]);
        out.extend_from_slice(&u32::try_from(item.len()).unwrap_or(u32::MAX - 1).to_le_bytes());
        out.extend_from_slice(item);
    }
    out
}

/// The first characters; without what parts values.
fn cut(text: &str, characters_max: usize) -> String {
    text.chars().map(|c| if c == '\\' || c.is_control() { ' ' } else { c }).take(characters_max).collect()
}

#[cfg(test)]
mod tests {
    use std::io::Cursor;

    use super::*;
    use crate::data_set::{Limits, scan};

    fn report() -> Report {
        Report {
            key: "verdict 1".into(),
            study: vec![
                (tags::PATIENT_NAME, VR::PN, "Yamada^Tarou=山田^太郎".into()),
                (tags::PATIENT_ID, VR::LO, "CHILD-1".into()),
            ],
            study_instance_uid: "1.2.3".into(),
            content: ("20270401".into(), "101112".into()),
            manufacturer: "Tsunagu".into(),
            is_ecg: true,
            observers: vec!["sato".into(), "山田^=\\x".into()],
            findings: vec![Code::local("T-NEG", "陰性T波")],
            conclusion: Code::local("refer", "要受診"),
            text: "V1–V3\nの陰性T波".into(),
            evidence: Evidence {
                series_instance_uid: "1.2.3.4".into(),
                sop_class_uid: "1.2.840.10008.5.1.4.1.1.9.1.1".into(),
                sop_instance_uid: "1.2.3.4.5".into(),
                is_image: false,
            },
            ..Report::default()
        }
    }

    /// Proves that our own scanner finds every module and the content tree in it, in the order of tags.
    #[test]
    fn it_is_a_data_set_with_the_content_it_was_given() {
        let bytes = report().part10();
        let part10 = scan(&mut Cursor::new(&bytes), &Limits::default()).unwrap();
        assert_eq!(part10.data_set.uid(tags::SOP_CLASS_UID), Some(BASIC_TEXT_SR));
        assert_eq!(part10.data_set.uid(tags::SOP_INSTANCE_UID), Some(report().sop_instance_uid().as_str()));
        let order: Vec<Tag> = part10.data_set.elements.iter().map(|element| element.tag).collect();
        assert!(order.is_sorted() && order.windows(2).all(|pair| pair[0] != pair[1]), "{order:?}");
        let content = part10.data_set.items(tags::CONTENT_SEQUENCE);
        let types: Vec<&str> =
            content.iter().map(|item| item.data_set.ascii(tags::VALUE_TYPE).unwrap().trim()).collect();
        let observers = ["CODE", "PNAME", "CODE", "PNAME"];
        assert_eq!(types, [&["CODE"][..], &observers, &["WAVEFORM", "CONTAINER", "CONTAINER"]].concat());
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(text.contains("陰性T波") && text.contains("V1–V3\nの陰性T波") && text.contains("山田   x"), "{text}");
    }

    #[test]
    fn the_same_reading_is_the_same_file_and_another_is_another_instance_of_the_same_series() {
        let (one, mut two) = (report(), report());
        assert_eq!(one.part10(), report().part10());
        two.key = "verdict 2".into();
        assert_ne!(one.sop_instance_uid(), two.sop_instance_uid());
        let series = |report: &Report| {
            let bytes = report.part10();
            let part10 = scan(&mut Cursor::new(&bytes), &Limits::default()).unwrap();
            part10.data_set.uid(tags::SERIES_INSTANCE_UID).unwrap().to_owned()
        };
        assert_eq!(series(&one), series(&two));
    }
}
