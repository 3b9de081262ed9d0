//! The Native DICOM Model (PS3.19 §A.1): one document an instance. No entity is ever expanded but those of XML itself, and
//! a document type is refused.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use quick_xml::XmlVersion;
use quick_xml::events::{BytesStart, Event};
use quick_xml::reader::Reader;
use transcode::data_set::{Tag, VR};

use super::{Attribute, Attributes, Content, Fault, INSTANCE_BYTES_MAX, NESTING_MAX, value};

/// Elements open at once: each level of nesting is an attribute and an item.
const OPEN_MAX: usize = 2 * NESTING_MAX + 8;

/// Reads one document.
///
/// # Errors
/// With the byte where it is no XML of this kind.
pub fn read(bytes: &[u8]) -> Result<Result<Attributes, Fault>, String> {
    if bytes.len() > INSTANCE_BYTES_MAX {
        return Err(format!("a document has more than {INSTANCE_BYTES_MAX} bytes; send large values as bulk data"));
    }
    let text = std::str::from_utf8(bytes).map_err(|error| format!("the XML is not UTF-8: {error}"))?;
    let mut walk = Walk { reader: Reader::from_str(text), open: Vec::new(), root: None };
    walk.reader.config_mut().expand_empty_elements = true;
    while walk.step()? {}
    let Some(attributes) = walk.root else { return Err("the XML ends before NativeDicomModel does".into()) };
    Ok(attributes.map(|mut attributes| {
        super::declare_unicode(&mut attributes);
        attributes
    }))
}

struct Walk<'a> {
    reader: Reader<&'a [u8]>,
    open: Vec<Open>,
    root: Option<Result<Attributes, Fault>>,
}

/// An element whose end has not come yet.
enum Open {
    /// NativeDicomModel, Item.
    DataSet {
        attributes: Attributes,
        fault: Option<Fault>,
    },
    Attribute {
        tag: Tag,
        letters: String,
        creator: Option<String>,
        given: Given,
    },
    Value {
        number: usize,
        text: String,
    },
    InlineBinary {
        text: String,
    },
    PersonName {
        number: usize,
        groups: [String; 3],
    },
    /// Alphabetic, Ideographic, Phonetic.
    Group {
        index: usize,
        components: [String; 5],
    },
    /// FamilyName and its like.
    Component {
        index: usize,
        text: String,
    },
    /// BulkData, whose URI is an attribute of it; anything that the model does not know.
    Other,
}

/// What was found inside a DicomAttribute.
#[derive(Default)]
struct Given {
    values: Vec<(usize, String)>,
    items: Vec<Attributes>,
    fault: Option<Fault>,
    binary: Option<String>,
    uri: Option<String>,
}

impl Walk<'_> {
    fn fault(&self, detail: &str) -> String {
        format!("the metadata are not XML as PS3.19 §A.1 has it, at byte {}: {detail}", self.reader.buffer_position())
    }

    /// False at the end of the document.
    fn step(&mut self) -> Result<bool, String> {
        let event = self.reader.read_event().map_err(|error| self.fault(&error.to_string()))?;
        match event {
            Event::Start(start) => self.start(&start)?,
            Event::End(_) => self.end()?,
            Event::Text(text) => {
                let text = text.xml10_content().map_err(|error| self.fault(&error.to_string()))?;
                self.text(&text);
            }
            Event::CData(text) => {
                let text = text.xml10_content().map_err(|error| self.fault(&error.to_string()))?;
                self.text(&text);
            }
            Event::GeneralRef(reference) => {
                let known = match reference.resolve_char_ref() {
                    Ok(Some(character)) => character,
                    Ok(None) => match &*reference {
                        b"amp" => '&',
                        b"lt" => '<',
                        b"gt" => '>',
                        b"quot" => '"',
                        b"apos" => '\'',
                        _ => return Err(self.fault("an entity that XML itself does not have")),
                    },
                    Err(error) => return Err(self.fault(&error.to_string())),
                };
                self.text(known.encode_utf8(&mut [0; 4]));
            }
            Event::DocType(_) => return Err(self.fault("a document type is not accepted")),
            Event::Eof => return Ok(false),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) | Event::Empty(_) => {}
        }
        Ok(true)
    }

    fn start(&mut self, start: &BytesStart<'_>) -> Result<(), String> {
        if self.open.len() >= OPEN_MAX {
            return Err(self.fault(&format!("more than {NESTING_MAX} sequences inside each other")));
        }
        let name = start.local_name();
        let named = |name: &str| -> Result<Option<String>, String> {
            let found = start.try_get_attribute(name).map_err(|error| self.fault(&error.to_string()))?;
            let value = |found: quick_xml::events::attributes::Attribute<'_>| {
                found.normalized_value(XmlVersion::Explicit1_0).map(|value| value.into_owned())
            };
            found.map(value).transpose().map_err(|error| self.fault(&error.to_string()))
        };
        let number = named("number")?.and_then(|text| text.parse().ok()).unwrap_or(0);
        let opened = match (self.open.last(), name.as_ref()) {
            (None, b"NativeDicomModel") if self.root.is_none() => data_set(),
            (None, _) => return Err(self.fault("the root is not one NativeDicomModel")),
            (Some(Open::DataSet { .. }), b"DicomAttribute") => {
                let tag = named("tag")?.as_deref().and_then(super::tag_of_hex);
                let tag =
                    tag.ok_or_else(|| self.fault("a DicomAttribute without a tag of eight hexadecimal digits"))?;
                let (letters, creator) = (named("vr")?.unwrap_or_default(), named("privateCreator")?);
                Open::Attribute { tag, letters, creator, given: Given::default() }
            }
            (Some(Open::Attribute { .. }), b"Item") => data_set(),
            (Some(Open::Attribute { .. }), b"Value") => Open::Value { number, text: String::new() },
            (Some(Open::Attribute { .. }), b"InlineBinary") => Open::InlineBinary { text: String::new() },
            (Some(Open::Attribute { .. }), b"PersonName") => Open::PersonName { number, groups: Default::default() },
            (Some(Open::Attribute { .. }), b"BulkData") => {
                let uri = named("uri")?.or(named("uuid")?);
                if let Some(Open::Attribute { given, .. }) = self.open.last_mut() {
                    given.uri = uri.or(Some(String::new()));
                }
                Open::Other
            }
            (Some(Open::PersonName { .. }), group) => match place(&GROUPS, group) {
                Some(index) => Open::Group { index, components: Default::default() },
                None => Open::Other,
            },
            (Some(Open::Group { .. }), component) => match place(&COMPONENTS, component) {
                Some(index) => Open::Component { index, text: String::new() },
                None => Open::Other,
            },
            _ => Open::Other,
        };
        self.open.push(opened);
        Ok(())
    }

    fn text(&mut self, more: &str) {
        if let Some(Open::Value { text, .. } | Open::InlineBinary { text } | Open::Component { text, .. }) =
            self.open.last_mut()
        {
            text.push_str(more);
        }
    }

    fn end(&mut self) -> Result<(), String> {
        let closed = self.open.pop();
        match (closed, self.open.last_mut()) {
            (Some(Open::DataSet { attributes, fault }), None) => self.root = Some(fault.map_or(Ok(attributes), Err)),
            (Some(Open::DataSet { attributes, fault }), Some(Open::Attribute { tag, given, .. })) => {
                let fault = fault.map(|fault| fault.inside(*tag, given.items.len()));
                given.fault = given.fault.take().or(fault);
                given.items.push(attributes);
            }
            (Some(Open::Attribute { tag, letters, creator, given }), Some(Open::DataSet { attributes, fault })) => {
                let tag = creator.map_or(Some(tag), |creator| private(attributes, tag, &creator));
                match tag.ok_or_else(|| Fault::at("-", "no private block is free")).and_then(|tag| {
                    attribute(tag, &letters, given).map(|attribute| super::insert(attributes, tag, attribute))
                }) {
                    Ok(()) => {}
                    Err(found) => *fault = fault.take().or(Some(found)),
                }
            }
            (Some(Open::Value { number, text }), Some(Open::Attribute { given, .. })) => {
                given.values.push((number, text))
            }
            (Some(Open::InlineBinary { text }), Some(Open::Attribute { given, .. })) => given.binary = Some(text),
            (Some(Open::PersonName { number, groups }), Some(Open::Attribute { given, .. })) => {
                given.values.push((number, groups.join("=").trim_end_matches('=').to_owned()));
            }
            (Some(Open::Group { index, components }), Some(Open::PersonName { groups, .. })) => {
                if let Some(group) = groups.get_mut(index) {
                    *group = components.join("^").trim_end_matches('^').to_owned();
                }
            }
            (Some(Open::Component { index, text }), Some(Open::Group { components, .. })) => {
                if let Some(component) = components.get_mut(index) {
                    *component = text;
                }
            }
            _ => {}
        }
        Ok(())
    }
}

const GROUPS: [&[u8]; 3] = [b"Alphabetic", b"Ideographic", b"Phonetic"];
const COMPONENTS: [&[u8]; 5] = [b"FamilyName", b"GivenName", b"MiddleName", b"NamePrefix", b"NameSuffix"];

fn place(names: &[&[u8]], name: &[u8]) -> Option<usize> {
    names.iter().position(|one| *one == name)
}

fn data_set() -> Open {
    Open::DataSet { attributes: Attributes::new(), fault: None }
}

/// The tag of a private attribute: as it is where it names its block, else in the block of its creator, which is
/// reserved where there is none yet (PS3.5 §7.8.1).
fn private(attributes: &mut Attributes, tag: Tag, creator: &str) -> Option<Tag> {
    if tag.0.is_multiple_of(2) || tag.1 > 0x00FF {
        return Some(tag);
    }
    for block in 0x10..=0xFF_u16 {
        let reserved = Tag(tag.0, block);
        match attributes.get(&reserved) {
            Some(Attribute { content: Content::Bytes(bytes), .. }) if bytes == creator.as_bytes() => {}
            Some(_) => continue,
            None => {
                let content = Content::Bytes(creator.as_bytes().to_vec());
                attributes.insert(reserved, Attribute { vr: VR::LO, content });
            }
        }
        return Some(Tag(tag.0, block << 8 | tag.1));
    }
    None
}

fn attribute(tag: Tag, letters: &str, given: Given) -> Result<Attribute, Fault> {
    let wrong = |detail: String| Fault::at(super::hex_of(tag), detail);
    let vr = value::vr_of(tag, letters).map_err(wrong)?;
    if let Some(fault) = given.fault {
        return Err(fault);
    }
    let content = match (given.uri, given.binary) {
        (Some(uri), None) if !uri.is_empty() && vr != VR::SQ => Content::Bulk(uri),
        (Some(_), _) => return Err(wrong("its BulkData has no uri, or is not all it has".into())),
        (None, Some(base64)) if value::is_binary(vr) => {
            let compact: String = base64.split_ascii_whitespace().collect();
            let decoded = STANDARD.decode(compact);
            Content::Bytes(decoded.map_err(|error| wrong(format!("its InlineBinary is no base64: {error}")))?)
        }
        (None, Some(_)) => return Err(wrong(format!("InlineBinary is not for {vr}"))),
        (None, None) if vr == VR::SQ => Content::Items(given.items),
        (None, None) => {
            let values = in_order(given.values).map_err(wrong)?;
            Content::Bytes(value::encode(vr, &values).map_err(wrong)?)
        }
    };
    Ok(Attribute { vr, content })
}

/// Values by their number, from 1 on; one that is left out is empty.
fn in_order(values: Vec<(usize, String)>) -> Result<Vec<Option<String>>, String> {
    let count = values.iter().map(|(number, _)| *number).max().unwrap_or(0);
    if count > values.len().saturating_mul(2) + 64 || values.iter().any(|(number, _)| *number == 0) {
        return Err("its values are not numbered from 1".into());
    }
    let mut ordered = vec![None; count];
    for (number, text) in values {
        if let Some(place) = ordered.get_mut(number - 1) {
            *place = (!text.is_empty()).then_some(text);
        }
    }
    Ok(ordered)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Attributes of an answer with keyword and VR, items and values numbered, text escaped; it is read back as it was.
    #[test]
    fn an_answer_is_a_native_dicom_model() {
        let object = serde_json::json!({
            "00081190": { "vr": "UR", "Value": ["http://a/?b&c"] },
            "00081198": { "vr": "SQ", "Value": [{ "00081197": { "vr": "US", "Value": [272] } }] },
            "00081199": { "vr": "SQ" },
        });
        let xml = transcode::data_set::native_model(object.as_object().unwrap());
        assert!(xml.contains(r#"<DicomAttribute tag="00081190" vr="UR" keyword="RetrieveURL">"#), "{xml}");
        assert!(xml.contains("<Value number=\"1\">http://a/?b&amp;c</Value>"), "{xml}");
        assert!(xml.contains(r#"keyword="FailureReason"><Value number="1">272</Value>"#), "{xml}");
        let read = read(xml.as_bytes()).unwrap().unwrap();
        assert_eq!(super::super::text(&read, Tag(0x0008, 0x1190)), "http://a/?b&c");
    }
}
