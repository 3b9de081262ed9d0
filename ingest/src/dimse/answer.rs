//! A match of a query as the Data Set of a response (PS3.4 §C.4.1.1.3.2): what was asked for, in a set the peer reads.

use std::collections::BTreeMap;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value};
use transcode::data_set::dictionary::{hex_of, tag_of_hex};
use transcode::data_set::{DataSet, Element, Tag, VR};

use super::elements::Elements;
use super::identifier::{Identifier, Level, steers};
use crate::admit::{CharacterSet, TextKind, tags};

/// What the attributes of any match are written by.
pub struct Answers<'a> {
    identifier: &'a Identifier,
    transfer_syntax: &'a str,
    level: Level,
    ae_title: &'a str,
    /// The set that was asked in, if its terms are known.
    asked_in: Option<CharacterSet>,
}

/// One match on its way into bytes in one set; `foreign` once a character is not of the default repertoire.
struct Writing<'a> {
    set: &'a CharacterSet,
    foreign: bool,
}

impl<'a> Answers<'a> {
    /// Answers to this request, from an archive of this AE title.
    pub fn new(identifier: &'a Identifier, transfer_syntax: &'a str, level: Level, ae_title: &'a str) -> Answers<'a> {
        let asked_in = CharacterSet::declared(&identifier.set.declared);
        Answers { identifier, transfer_syntax, level, ae_title, asked_in }
    }

    /// The Data Set of one match (a DICOM JSON object, PS3.18 Annex F): the attributes of the request and no others,
    /// empty where the match has none. In the set of the request where that has every character, else in UTF-8.
    pub fn data_set(&self, answer: &Map<String, Value>) -> Vec<u8> {
        let asked = self.asked_in.as_ref().and_then(|set| self.in_set(answer, set));
        let utf8 = || CharacterSet::declared("ISO_IR 192").and_then(|set| self.in_set(answer, &set));
        asked.or_else(utf8).unwrap_or_default()
    }

    /// `None` where a character is not in the set.
    fn in_set(&self, answer: &Map<String, Value>, set: &CharacterSet) -> Option<Vec<u8>> {
        let mut writing = Writing { set, foreign: false };
        let mut fields = Fields::new(self.transfer_syntax);
        for element in self.identifier.data_set.elements.iter().filter(|element| !steers(element.tag)) {
            writing.element(&mut fields, element, answer.get(&hex_of(element.tag)))?;
        }
        fields.text(tags::QUERY_RETRIEVE_LEVEL, VR::CS, self.level.word());
        fields.text(tags::RETRIEVE_AE_TITLE, VR::AE, self.ae_title);
        if writing.foreign {
            fields.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, &set.declared);
        }
        Some(fields.finish().into_bytes())
    }
}

/// Elements by tag: each is written by itself, so that they can come in any order.
struct Fields {
    empty: Elements,
    by_tag: BTreeMap<Tag, Field>,
}

enum Field {
    Value(VR, Vec<u8>),
    Items(Vec<Elements>),
}

impl Fields {
    fn new(transfer_syntax: &str) -> Fields {
        Fields { empty: Elements::new(transfer_syntax), by_tag: BTreeMap::new() }
    }

    fn item(&self) -> Fields {
        Fields { empty: self.empty.clone(), by_tag: BTreeMap::new() }
    }

    fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        self.by_tag.insert(tag, Field::Value(vr, value.as_bytes().to_vec()));
    }

    fn finish(self) -> Elements {
        let mut out = self.empty;
        for (tag, field) in self.by_tag {
            match field {
                Field::Value(vr, value) => out.value(tag, vr, &value),
                Field::Items(items) => out.sequence(tag, items),
            }
        }
        out
    }
}

impl Writing<'_> {
    /// An attribute that was asked for, with what the match says of it.
    fn element(&mut self, fields: &mut Fields, asked: &Element, found: Option<&Value>) -> Option<()> {
        let vr = found.and_then(vr_of).unwrap_or_else(|| asked.known_vr());
        let field = match vr {
            VR::SQ => Field::Items(self.items(fields, asked.items().first().map(|item| &item.data_set), found)?),
            vr => Field::Value(vr, found.map_or(Some(Vec::new()), |found| self.value(vr, found))?),
        };
        fields.by_tag.insert(asked.tag, field);
        Some(())
    }

    /// The items of a sequence: of each what was asked for; all where an empty sequence asked.
    fn items(&mut self, fields: &Fields, asked: Option<&DataSet>, found: Option<&Value>) -> Option<Vec<Elements>> {
        let items = found.and_then(|found| found.get("Value")).and_then(Value::as_array).into_iter().flatten();
        let mut out = Vec::new();
        for object in items.filter_map(Value::as_object) {
            let mut item = fields.item();
            match asked.filter(|asked| !asked.elements.is_empty()) {
                Some(asked) => {
                    for element in &asked.elements {
                        self.element(&mut item, element, object.get(&hex_of(element.tag)))?;
                    }
                }
                None => self.whole(&mut item, object)?,
            }
            out.push(item.finish());
        }
        Some(out)
    }

    /// All attributes of an item. Depth is bounded by what read the JSON.
    fn whole(&mut self, fields: &mut Fields, object: &Map<String, Value>) -> Option<()> {
        for (tag, found) in object.iter().filter_map(|(name, found)| Some((tag_of_hex(name)?, found))) {
            let field = match vr_of(found)? {
                VR::SQ => Field::Items(self.items(fields, None, Some(found))?),
                vr => Field::Value(vr, self.value(vr, found)?),
            };
            fields.by_tag.insert(tag, field);
        }
        Some(())
    }

    /// The bytes of a value that is no sequence. Bulk data is not carried: the value is empty then.
    fn value(&mut self, vr: VR, found: &Value) -> Option<Vec<u8>> {
        if let Some(base64) = found.get("InlineBinary").and_then(Value::as_str) {
            return Some(STANDARD.decode(base64).unwrap_or_default());
        }
        let values = found.get("Value").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
        if matches!(vr, VR::AT | VR::FD | VR::FL | VR::SL | VR::SS | VR::SV | VR::UL | VR::US | VR::UV) {
            return Some(values.iter().flat_map(|value| binary(vr, value)).collect());
        }
        let texts: Vec<String> = values.iter().map(|value| text(vr, value)).collect();
        let text = texts.join("\\");
        if text.is_ascii() {
            return Some(text.into_bytes());
        }
        self.foreign = true;
        // Text of other VRs has no set (PS3.5 §6.1.2.3): what is not ASCII there is damaged already.
        let kind = TextKind::of(vr);
        kind.map_or_else(
            || Some(text.replace(|c: char| !c.is_ascii(), "?").into_bytes()),
            |kind| self.set.encode(&text, kind),
        )
    }
}

fn vr_of(found: &Value) -> Option<VR> {
    found.get("vr").and_then(Value::as_str)?.parse().ok()
}

/// A value as text: a name by its groups, a number by its digits.
fn text(vr: VR, value: &Value) -> String {
    match (vr, value) {
        (VR::PN, Value::Object(groups)) => {
            let group = |keyword| groups.get(keyword).and_then(Value::as_str).unwrap_or_default();
            let name = [group("Alphabetic"), group("Ideographic"), group("Phonetic")].join("=");
            name.trim_end_matches('=').to_owned()
        }
        (_, Value::String(text)) => text.clone(),
        (_, Value::Number(number)) => number.to_string(),
        _ => String::new(),
    }
}

/// A binary number, or a tag in its hexadecimal digits (PS3.18 §F.2.3).
fn binary(vr: VR, value: &Value) -> Vec<u8> {
    let integer = value.as_i64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0);
    let float = value.as_f64().or_else(|| value.as_str()?.parse().ok()).unwrap_or(0.0);
    match vr {
        VR::AT => {
            let tag = value.as_str().and_then(tag_of_hex).unwrap_or(Tag(0, 0));
            [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat()
        }
        VR::FD => float.to_le_bytes().to_vec(),
        VR::FL => (float as f32).to_le_bytes().to_vec(),
        VR::SS | VR::US => (integer as u16).to_le_bytes().to_vec(),
        VR::SL | VR::UL => (integer as u32).to_le_bytes().to_vec(),
        VR::UV => value.as_u64().unwrap_or(integer as u64).to_le_bytes().to_vec(),
        _ => integer.to_le_bytes().to_vec(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::super::negotiate::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};
    use super::*;

    fn request(syntax: &str, set: &str) -> Identifier {
        let mut elements = Elements::new(syntax);
        if !set.is_empty() {
            elements.text(tags::SPECIFIC_CHARACTER_SET, VR::CS, set);
        }
        elements.text(tags::STUDY_DATE, VR::DA, "");
        elements.text(tags::QUERY_RETRIEVE_LEVEL, VR::CS, "STUDY");
        elements.text(tags::MODALITIES_IN_STUDY, VR::CS, "");
        elements.text(tags::PATIENT_NAME, VR::PN, "");
        elements.text(tags::NUMBER_OF_STUDY_RELATED_INSTANCES, VR::IS, "");
        let mut item = elements.item();
        item.text(tags::SCHEDULED_PROCEDURE_STEP_ID, VR::SH, "");
        elements.sequence(tags::REQUEST_ATTRIBUTES_SEQUENCE, [item]);
        Identifier::read(&elements.into_bytes(), syntax).unwrap()
    }

    fn answer(name: Value) -> Map<String, Value> {
        let object = json!({
            "00100010": { "vr": "PN", "Value": [name] },
            "00100020": { "vr": "LO", "Value": ["0001"] },
            "00080061": { "vr": "CS", "Value": ["CT", "SR"] },
            "00201208": { "vr": "IS", "Value": [300] },
            "00400275": { "vr": "SQ", "Value": [{
                "00400007": { "vr": "LO", "Value": ["胸部"] }, "00400009": { "vr": "SH", "Value": ["S1"] }
            }] },
        });
        object.as_object().unwrap().clone()
    }

    fn yamada() -> Value {
        json!({ "Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎", "Phonetic": "やまだ^たろう" })
    }

    fn answered(syntax: &str, set: &str, name: Value) -> Identifier {
        let identifier = request(syntax, set);
        let bytes = Answers::new(&identifier, syntax, Level::Study, "TSUNAGU").data_set(&answer(name));
        Identifier::read(&bytes, syntax).unwrap()
    }

    /// PS3.4 §C.4.1.1.3.2: the attributes of the request, the level and the Retrieve AE Title, and nothing else; what is
    /// not known is empty.
    #[test]
    fn only_what_was_asked_for_is_answered() {
        for syntax in [IMPLICIT_VR_LITTLE_ENDIAN, EXPLICIT_VR_LITTLE_ENDIAN] {
            let found = answered(syntax, "", json!({ "Alphabetic": "Yamada^Tarou" }));
            let all: Vec<String> = found.data_set.elements.iter().map(|element| hex_of(element.tag)).collect();
            let expected = ["00080020", "00080052", "00080054", "00080061", "00100010", "00201208", "00400275"];
            assert_eq!(all, expected);
            assert_eq!(found.text(tags::STUDY_DATE).as_deref(), Some(""));
            assert_eq!(found.text(tags::RETRIEVE_AE_TITLE).as_deref(), Some("TSUNAGU"));
            assert_eq!(found.text(tags::MODALITIES_IN_STUDY).as_deref(), Some("CT\\SR"));
            assert_eq!(found.text(tags::NUMBER_OF_STUDY_RELATED_INSTANCES).as_deref(), Some("300"));
            let items = found.data_set.items(tags::REQUEST_ATTRIBUTES_SEQUENCE);
            assert_eq!((items.len(), items[0].data_set.elements.len()), (1, 1));
        }
    }

    /// A Japanese name goes out in the set that was asked in where that has it, else in UTF-8, and comes back whole.
    #[test]
    fn japanese_names_go_out_in_the_set_of_the_request() {
        let check = |asked: &str, name: Value, set: Option<&str>, expected: &str| {
            let found = answered(IMPLICIT_VR_LITTLE_ENDIAN, asked, name);
            assert_eq!(found.text(tags::SPECIFIC_CHARACTER_SET).as_deref(), set, "{asked}");
            assert_eq!(found.text(tags::PATIENT_NAME).as_deref(), Some(expected), "{asked}");
            assert!(!found.set.suspect, "{asked}");
        };
        let name = "Yamada^Tarou=山田^太郎=やまだ^たろう";
        check("\\ISO 2022 IR 87", yamada(), Some("\\ISO 2022 IR 87"), name);
        check("ISO 2022 IR 13\\ISO 2022 IR 87", yamada(), Some("ISO 2022 IR 13\\ISO 2022 IR 87"), name);
        check("ISO_IR 192", yamada(), Some("ISO_IR 192"), name);
        check("", yamada(), Some("ISO_IR 192"), name);
        check("ISO_IR 100", yamada(), Some("ISO_IR 192"), name);
        check("ISO_IR 999", yamada(), Some("ISO_IR 192"), name);
        check("\\ISO 2022 IR 87", json!({ "Ideographic": "髙橋" }), Some("ISO_IR 192"), "=髙橋");
        check("\\ISO 2022 IR 87", json!({ "Alphabetic": "Yamada" }), None, "Yamada");
    }
}
