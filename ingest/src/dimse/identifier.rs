//! The Data Set of a request: an Identifier (PS3.4 §C.4.1.1.3, §C.4.2.1.4) or the information of an action.

use std::io::Cursor;

use transcode::data_set::{self, DataSet, Element, Limits, Tag, VR, Value};

use super::meta::Meta;
use super::service::Root;
use crate::admit::{CharacterSet, TextKind, tags};
use crate::error::{CANNOT_UNDERSTAND, IDENTIFIER_DOES_NOT_MATCH};

/// Bytes of an Identifier at the most: 10,000 UIDs take less.
pub const IDENTIFIER_BYTES_MAX: usize = 1 << 20;
/// Bytes of the information of an action at the most: a commitment of 30,000 instances takes about this.
pub const BYTES_MAX: usize = 4 << 20;
/// Its elements, items included, at the most.
const ELEMENTS_MAX: usize = 200_000;
/// Sequences inside sequences at the most.
const NESTING_MAX: u16 = 8;
/// Values in one list of UIDs at the most.
const LIST_MAX: usize = 10_000;

/// How deep a query or a retrieval goes (PS3.4 §C.6): the values of Query/Retrieve Level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// PATIENT.
    Patient,
    /// STUDY.
    Study,
    /// SERIES.
    Series,
    /// IMAGE.
    Image,
}

impl Level {
    const ALL: [Level; 4] = [Level::Patient, Level::Study, Level::Series, Level::Image];

    /// The value of Query/Retrieve Level (0008,0052).
    pub fn word(self) -> &'static str {
        match self {
            Level::Patient => "PATIENT",
            Level::Study => "STUDY",
            Level::Series => "SERIES",
            Level::Image => "IMAGE",
        }
    }

    /// The attribute that tells entities of this level apart.
    pub fn unique_key(self) -> Tag {
        match self {
            Level::Patient => tags::PATIENT_ID,
            Level::Study => tags::STUDY_INSTANCE_UID,
            Level::Series => tags::SERIES_INSTANCE_UID,
            Level::Image => tags::SOP_INSTANCE_UID,
        }
    }
}

/// A key of a query: where its attribute is, and what it is to match; empty for anything.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    /// Tags as `0xGGGGEEEE`: sequences it lies in, then the attribute.
    pub path: Vec<u32>,
    /// The value, in Unicode.
    pub value: String,
}

/// What a retrieval names; empty where it does not go so deep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Wanted {
    /// Patient ID, in the Patient Root.
    pub patient_id: String,
    /// Study Instance UIDs.
    pub studies: Vec<String>,
    /// Series Instance UIDs.
    pub series: Vec<String>,
    /// SOP Instance UIDs.
    pub instances: Vec<String>,
}

/// Why a request is answered with a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused {
    /// Status.
    pub status: u16,
    /// Offending Element, if one is.
    pub element: Option<Tag>,
    /// For people.
    pub comment: String,
}

/// The Data Set of a request, read.
#[derive(Clone, Debug)]
pub struct Identifier {
    /// Its elements.
    pub data_set: DataSet,
    /// How its text is decoded.
    pub set: CharacterSet,
}

impl Identifier {
    /// Reads it. Nothing is believed of its lengths.
    ///
    /// # Errors
    /// [`Refused`] with the sentence of the scanner.
    pub fn read(bytes: &[u8], transfer_syntax_uid: &str) -> Result<Identifier, Refused> {
        let meta = Meta { sop_class_uid: "", sop_instance_uid: "", transfer_syntax_uid, calling_ae_title: "" };
        let mut file = meta.to_bytes();
        file.extend_from_slice(bytes);
        let limits = Limits {
            header_bytes_max: BYTES_MAX as u64,
            value_bytes_max: BYTES_MAX as u64,
            nesting_max: NESTING_MAX,
            elements_max: ELEMENTS_MAX,
            inflated_bytes_max: 0,
        };
        let unreadable = |error: data_set::Error| Refused {
            status: CANNOT_UNDERSTAND,
            element: None,
            comment: format!("the Identifier cannot be read: {error}"),
        };
        let data_set = data_set::scan(&mut Cursor::new(file), &limits).map_err(unreadable)?.data_set;
        let set = CharacterSet::of(&data_set, None);
        Ok(Identifier { data_set, set })
    }

    /// The text of a value in Unicode, without padding.
    pub fn text(&self, tag: Tag) -> Option<String> {
        self.data_set.get(tag).map(|element| value_text(element, &self.set))
    }

    /// The level, checked against the root (PS3.4 §C.6.1.1, §C.6.2.1).
    ///
    /// # Errors
    /// [`Refused`] with A900 where it is absent or not of this information model.
    pub fn level(&self, root: Root) -> Result<Level, Refused> {
        let word = self.text(tags::QUERY_RETRIEVE_LEVEL).unwrap_or_default();
        let found = Level::ALL.into_iter().find(|level| level.word() == word);
        found.filter(|level| root == Root::Patient || *level != Level::Patient).ok_or_else(|| Refused {
            status: IDENTIFIER_DOES_NOT_MATCH,
            element: Some(tags::QUERY_RETRIEVE_LEVEL),
            comment: "Query/Retrieve Level is absent or not of this model".into(),
        })
    }

    /// Checks that the unique keys of the levels above have one value each (PS3.4 §C.4.1.2.1, §C.4.2.2.1).
    ///
    /// # Errors
    /// [`Refused`] with A900, naming the key.
    pub fn check_above(&self, root: Root, level: Level) -> Result<(), Refused> {
        let top = if root == Root::Patient { Level::Patient } else { Level::Study };
        for above in Level::ALL.into_iter().filter(|above| (top..level).contains(above)) {
            let value = self.text(above.unique_key()).unwrap_or_default();
            if value.is_empty() || value.contains(['\\', '*', '?']) {
                let comment = format!("the unique key of level {} needs one value", above.word());
                return Err(Refused::key(above.unique_key(), comment));
            }
        }
        Ok(())
    }

    /// The keys of a query: every attribute but those that steer it.
    pub fn keys(&self) -> Vec<Key> {
        let mut keys = Vec::new();
        add_keys(&self.data_set, &self.set, &[], &mut keys);
        keys
    }

    /// What a retrieval names, by the unique keys down to its level (PS3.4 §C.4.2.2.1).
    ///
    /// # Errors
    /// [`Refused`] with A900 where that of its own level is absent, or is no UID.
    pub fn wanted(&self, root: Root, level: Level) -> Result<Wanted, Refused> {
        let list = |at: Level| -> Result<Vec<String>, Refused> {
            let text = if at > level { String::new() } else { self.text(at.unique_key()).unwrap_or_default() };
            let uids: Vec<String> =
                text.split('\\').map(|uid| uid.trim().to_owned()).filter(|uid| !uid.is_empty()).collect();
            let well_formed = uids.iter().all(|uid| crate::admit::is_key(uid)) && uids.len() <= LIST_MAX;
            if !well_formed || (at == level && uids.is_empty()) {
                return Err(Refused::key(at.unique_key(), format!("no UIDs at level {}", at.word())));
            }
            Ok(uids)
        };
        let patient_id =
            if root == Root::Patient { self.text(tags::PATIENT_ID).unwrap_or_default() } else { "".into() };
        if level == Level::Patient && (patient_id.is_empty() || patient_id.contains(['\\', '*', '?'])) {
            return Err(Refused::key(tags::PATIENT_ID, "Patient ID needs one value".into()));
        }
        Ok(Wanted {
            patient_id,
            studies: list(Level::Study)?,
            series: list(Level::Series)?,
            instances: list(Level::Image)?,
        })
    }
}

impl Refused {
    fn key(tag: Tag, comment: String) -> Refused {
        Refused { status: IDENTIFIER_DOES_NOT_MATCH, element: Some(tag), comment }
    }
}

/// Attributes that say how to query, not what for.
pub fn steers(tag: Tag) -> bool {
    let steering = [
        tags::SPECIFIC_CHARACTER_SET,
        tags::QUERY_RETRIEVE_LEVEL,
        tags::QUERY_RETRIEVE_VIEW,
        tags::RETRIEVE_AE_TITLE,
        tags::TIMEZONE_OFFSET_FROM_UTC,
    ];
    tag.0 <= 0x0002 || tag.1 == 0 || steering.contains(&tag)
}

/// Depth is bounded by the limit of the scan.
fn add_keys(data_set: &DataSet, set: &CharacterSet, above: &[u32], keys: &mut Vec<Key>) {
    for element in data_set.elements.iter().filter(|element| !steers(element.tag)) {
        let mut path = above.to_vec();
        path.push(u32::from(element.tag.0) << 16 | u32::from(element.tag.1));
        let first = element.items().first().filter(|item| !item.data_set.elements.is_empty());
        match first {
            // PS3.4 §C.2.2.2.6: a sequence has one item, whose attributes are the keys.
            Some(item) => add_keys(&item.data_set, &CharacterSet::of(&item.data_set, Some(set)), &path, keys),
            None => keys.push(Key { path, value: value_text(element, set) }),
        }
    }
}

/// A value as text; binary numbers in digits, anything else of no text empty.
fn value_text(element: &Element, set: &CharacterSet) -> String {
    let Value::Bytes(bytes) = &element.value else { return String::new() };
    match element.known_vr() {
        VR::US | VR::SS | VR::UL | VR::SL | VR::SV | VR::UV => {
            element.integers().map(|number| number.to_string()).collect::<Vec<_>>().join("\\")
        }
        VR::AT | VR::FD | VR::FL | VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN => String::new(),
        vr => {
            let text = set.decode(bytes, TextKind::of(vr).unwrap_or(TextKind::Values));
            text.trim_matches([' ', '\0']).to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::elements::Elements;
    use super::super::negotiate::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};
    use super::*;

    fn identifier(transfer_syntax: &str, values: &[(Tag, VR, &[u8])]) -> Identifier {
        let mut elements = Elements::new(transfer_syntax);
        values.iter().for_each(|(tag, vr, value)| elements.value(*tag, *vr, value));
        Identifier::read(&elements.into_bytes(), transfer_syntax).unwrap()
    }

    /// Keys come out in Unicode in either encoding, in the sets Japanese senders use: escape sequences, half-width kana,
    /// UTF-8, and Windows-31J that is not declared.
    #[test]
    fn keys_are_read_in_the_set_of_the_request() {
        let check = |set: &str, name: &[u8], expected: &str| {
            for syntax in [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN] {
                let values: &[(Tag, VR, &[u8])] = &[
                    (tags::SPECIFIC_CHARACTER_SET, VR::CS, set.as_bytes()),
                    (tags::QUERY_RETRIEVE_LEVEL, VR::CS, b"STUDY"),
                    (tags::PATIENT_NAME, VR::PN, name),
                ];
                let keys = identifier(syntax, values).keys();
                assert_eq!(keys, [Key { path: vec![0x0010_0010], value: expected.into() }], "{set}");
            }
        };
        check("\\ISO 2022 IR 87", b"*=\x1b$B;3ED\x1b(B^*", "*=山田^*");
        check("ISO 2022 IR 13\\ISO 2022 IR 87", b"\xd4\xcf\xc0\xde^*", "ﾔﾏﾀﾞ^*");
        check("ISO_IR 13", b"\xd4\xcf\xc0\xde*", "ﾔﾏﾀﾞ*");
        check("ISO_IR 192", "山田*".as_bytes(), "山田*");
        check("", b"\x8eR\x93c*", "山田*");
        check("ISO_IR 6", b"Yamada*", "Yamada*");
    }

    /// Sequence keys have a path, numbers are digits, what is empty matches anything.
    #[test]
    fn keys_in_sequences_have_a_path() {
        let mut elements = Elements::new(EXPLICIT_VR_LITTLE_ENDIAN);
        elements.text(tags::STUDY_DATE, VR::DA, "20260101-20260131");
        elements.number(tags::ROWS, 512);
        let mut item = elements.item();
        item.text(tags::SCHEDULED_PROCEDURE_STEP_ID, VR::SH, "S1");
        elements.sequence(tags::REQUEST_ATTRIBUTES_SEQUENCE, [item]);
        elements.sequence(tags::PROCEDURE_CODE_SEQUENCE, []);
        let keys = Identifier::read(&elements.into_bytes(), EXPLICIT_VR_LITTLE_ENDIAN).unwrap().keys();
        let found: Vec<_> = keys.iter().map(|key| (key.path.as_slice(), key.value.as_str())).collect();
        let expected: [(&[u32], &str); 4] = [
            (&[0x0008_0020], "20260101-20260131"),
            (&[0x0028_0010], "512"),
            (&[0x0040_0275, 0x0040_0009], "S1"),
            (&[0x0008_1032], ""),
        ];
        assert_eq!(found, expected);
    }

    /// PS3.4 §C.4.1.2.1: a level of another model and a missing key of a higher level are A900, and name the attribute.
    #[test]
    fn the_hierarchy_is_checked() {
        let check = |root, values: &[(Tag, VR, &[u8])], expected: Result<Level, Tag>| {
            let identifier = identifier(IMPLICIT_VR_LITTLE_ENDIAN, values);
            let found = identifier
                .level(root)
                .and_then(|level| identifier.check_above(root, level).map(|()| level))
                .map_err(|refused| {
                    assert_eq!(refused.status, 0xA900);
                    refused.element.unwrap()
                });
            assert_eq!(found, expected);
        };
        let level = |word: &'static [u8]| (tags::QUERY_RETRIEVE_LEVEL, VR::CS, word);
        let study = |uid: &'static [u8]| (tags::STUDY_INSTANCE_UID, VR::UI, uid);
        check(Root::Study, &[level(b"STUDY ")], Ok(Level::Study));
        check(Root::Study, &[level(b"PATIENT")], Err(tags::QUERY_RETRIEVE_LEVEL));
        check(Root::Study, &[level(b"study")], Err(tags::QUERY_RETRIEVE_LEVEL));
        check(Root::Study, &[], Err(tags::QUERY_RETRIEVE_LEVEL));
        check(Root::Study, &[level(b"SERIES")], Err(tags::STUDY_INSTANCE_UID));
        check(Root::Study, &[level(b"SERIES"), study(b"1.2\\1.3")], Err(tags::STUDY_INSTANCE_UID));
        check(Root::Study, &[level(b"SERIES"), study(b"1.2\0")], Ok(Level::Series));
        check(Root::Study, &[level(b"IMAGE"), study(b"1.2")], Err(tags::SERIES_INSTANCE_UID));
        check(Root::Patient, &[level(b"STUDY")], Err(tags::PATIENT_ID));
        check(Root::Patient, &[level(b"PATIENT")], Ok(Level::Patient));
    }

    /// PS3.4 §C.4.2.2.1: a retrieval names what it wants by UIDs, several at its own level.
    #[test]
    fn a_retrieval_names_what_it_wants() {
        let wanted = |level: Level, values: &[(Tag, VR, &[u8])]| {
            identifier(IMPLICIT_VR_LITTLE_ENDIAN, values).wanted(Root::Study, level)
        };
        let study: (Tag, VR, &[u8]) = (tags::STUDY_INSTANCE_UID, VR::UI, b"1.2");
        let found = wanted(Level::Series, &[study, (tags::SERIES_INSTANCE_UID, VR::UI, b"1.2.3\\1.2.4")]).unwrap();
        assert_eq!((found.studies.len(), found.series.len(), found.instances.len()), (1, 2, 0));
        for bad in [&b"1.2.*"[..], b"", b"Yamada"] {
            let refused = wanted(Level::Series, &[study, (tags::SERIES_INSTANCE_UID, VR::UI, bad)]).unwrap_err();
            assert_eq!((refused.status, refused.element), (0xA900, Some(tags::SERIES_INSTANCE_UID)));
        }
    }

    /// No bytes of an Identifier make a panic: cut, damaged, or nested without end.
    #[test]
    fn damaged_identifiers_are_survived() {
        let mut elements = Elements::new(EXPLICIT_VR_LITTLE_ENDIAN);
        elements.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, "\\ISO 2022 IR 87");
        elements.text(tags::QUERY_RETRIEVE_LEVEL, VR::CS, "STUDY");
        elements.value(tags::PATIENT_NAME, VR::PN, b"\x1b$B;3ED\x1b(B");
        let mut item = elements.item();
        item.text(tags::SCHEDULED_PROCEDURE_STEP_ID, VR::SH, "S1");
        elements.sequence(tags::REQUEST_ATTRIBUTES_SEQUENCE, [item]);
        let bytes = elements.into_bytes();
        let survive = |bytes: &[u8]| {
            for syntax in [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN] {
                if let Ok(identifier) = Identifier::read(bytes, syntax) {
                    let _ = (identifier.keys(), identifier.level(Root::Patient));
                    let _ = identifier.wanted(Root::Patient, Level::Image);
                }
            }
        };
        for at in 0..bytes.len() {
            survive(&bytes[..at]);
            for flip in [0x01, 0x80, 0xFF] {
                let mut damaged = bytes.clone();
                damaged[at] ^= flip;
                survive(&damaged);
            }
        }
        survive(&[0x40, 0, 0x75, 2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFE, 0xFF, 0, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF].repeat(50));
    }
}
