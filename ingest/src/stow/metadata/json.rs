//! DICOM JSON Model Objects (PS3.18 Annex F), one at a time: what a whole array would take as a tree is never held.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde_json::value::RawValue;
use serde_json::{Map, Value};
use transcode::data_set::{Tag, VR};

use super::{Attribute, Attributes, Content, Fault, INSTANCE_BYTES_MAX, NESTING_MAX, value};

/// Reads an array of objects (§F.2.1), or a single one: some senders leave the array out.
///
/// # Errors
/// With line and column where the bytes are no JSON, or not an array of objects. What is wrong with one object only is its
/// own [`Fault`].
pub fn read(bytes: &[u8], instances_max: usize) -> Result<Vec<Result<Attributes, Fault>>, String> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let said = |error: serde_json::Error| format!("the metadata are not JSON as PS3.18 Annex F has it: {error}");
    let single = bytes.iter().find(|byte| !byte.is_ascii_whitespace()) == Some(&b'{');
    let read = if single {
        let one: &RawValue = serde::Deserialize::deserialize(&mut reader).map_err(said)?;
        vec![instance(one.get())]
    } else {
        reader.deserialize_seq(Instances { instances_max }).map_err(said)?
    };
    reader.end().map_err(said)?;
    Ok(read)
}

struct Instances {
    instances_max: usize,
}

impl<'de> Visitor<'de> for Instances {
    type Value = Vec<Result<Attributes, Fault>>;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("an array of DICOM JSON objects")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut array: A) -> Result<Self::Value, A::Error> {
        let mut instances = Vec::new();
        while let Some(one) = array.next_element::<&RawValue>()? {
            if !one.get().starts_with('{') {
                return Err(A::Error::custom(format!("element {} of the array is no object", instances.len())));
            }
            if instances.len() >= self.instances_max {
                return Err(A::Error::custom(format!("more than {} instances in one request", self.instances_max)));
            }
            instances.push(instance(one.get()));
        }
        Ok(instances)
    }
}

fn instance(text: &str) -> Result<Attributes, Fault> {
    if text.len() > INSTANCE_BYTES_MAX {
        let detail = format!("its metadata have more than {INSTANCE_BYTES_MAX} bytes; send large values as bulk data");
        return Err(Fault::at("-", detail));
    }
    match serde_json::from_str(text) {
        Ok(Value::Object(object)) => {
            let mut attributes = data_set(&object, 0)?;
            super::declare_unicode(&mut attributes);
            Ok(attributes)
        }
        Ok(_) => Err(Fault::at("-", "it is no JSON object")),
        Err(error) => Err(Fault::at("-", format!("its JSON cannot be read: {error}"))),
    }
}

fn data_set(object: &Map<String, Value>, depth: usize) -> Result<Attributes, Fault> {
    let mut attributes = Attributes::new();
    for (name, given) in object {
        let tag = super::tag_of_hex(name).ok_or_else(|| {
            let shown: String = name.chars().take(20).flat_map(char::escape_default).collect();
            Fault::at(shown, "its name is not eight hexadecimal digits")
        })?;
        super::insert(&mut attributes, tag, attribute(tag, given, depth)?);
    }
    Ok(attributes)
}

fn attribute(tag: Tag, given: &Value, depth: usize) -> Result<Attribute, Fault> {
    let wrong = |detail: String| Fault::at(super::hex_of(tag), detail);
    let object = given.as_object().ok_or_else(|| wrong("it is no JSON object".into()))?;
    let letters = object.get("vr").and_then(Value::as_str).ok_or_else(|| wrong("it has no \"vr\"".into()))?;
    let vr = value::vr_of(tag, letters).map_err(wrong)?;
    let forms = ["Value", "InlineBinary", "BulkDataURI"].map(|name| object.get(name));
    let content = match forms {
        // §F.2.5: an attribute without a value has none of the three.
        [None, None, None] if vr == VR::SQ => Content::Items(Vec::new()),
        [None, None, None] => Content::Bytes(Vec::new()),
        [Some(values), None, None] => self::values(tag, vr, values, depth)?,
        [None, Some(Value::String(base64)), None] => Content::Bytes(binary(vr, base64).map_err(wrong)?),
        [None, None, Some(Value::String(uri))] if vr != VR::SQ => Content::Bulk(uri.clone()),
        [None, Some(_), None] | [None, None, Some(_)] => {
            return Err(wrong("InlineBinary and BulkDataURI are strings, and no sequence has them".into()));
        }
        _ => return Err(wrong("it has more than one of Value, InlineBinary and BulkDataURI".into())),
    };
    Ok(Attribute { vr, content })
}

fn values(tag: Tag, vr: VR, values: &Value, depth: usize) -> Result<Content, Fault> {
    let wrong = |detail: String| Fault::at(super::hex_of(tag), detail);
    let values = values.as_array().ok_or_else(|| wrong("its Value is no array".into()))?;
    if vr == VR::SQ {
        return items(tag, values, depth).map(Content::Items);
    }
    let texts: Vec<Option<String>> = values.iter().map(|one| text(vr, one)).collect::<Result<_, _>>().map_err(wrong)?;
    value::encode(vr, &texts).map(Content::Bytes).map_err(wrong)
}

fn items(tag: Tag, values: &[Value], depth: usize) -> Result<Vec<Attributes>, Fault> {
    if depth >= NESTING_MAX {
        return Err(Fault::at(super::hex_of(tag), format!("more than {NESTING_MAX} sequences inside each other")));
    }
    let item = |(index, one): (usize, &Value)| match one {
        // §F.2.5: an item without attributes may be null.
        Value::Null => Ok(Attributes::new()),
        Value::Object(object) => data_set(object, depth + 1).map_err(|fault| fault.inside(tag, index)),
        _ => Err(Fault::at(super::hex_of(tag), "an item of it is no object")),
    };
    values.iter().enumerate().map(item).collect()
}

/// One value as text: numbers by their digits, names by their component groups.
fn text(vr: VR, one: &Value) -> Result<Option<String>, String> {
    match one {
        Value::Null => Ok(None),
        Value::String(text) if text.is_empty() => Ok(None),
        Value::String(text) => Ok(Some(text.clone())),
        Value::Number(number) if !value::is_text(vr) || matches!(vr, VR::DS | VR::IS) => Ok(Some(number.to_string())),
        Value::Object(groups) if vr == VR::PN => person_name(groups).map(Some),
        _ => Err(format!("a value is of no kind that {vr} has in JSON")),
    }
}

/// §F.2.2
fn person_name(groups: &Map<String, Value>) -> Result<String, String> {
    const GROUPS: [&str; 3] = ["Alphabetic", "Ideographic", "Phonetic"];
    if groups.keys().any(|name| !GROUPS.contains(&name.as_str())) {
        return Err("a person name has Alphabetic, Ideographic and Phonetic, nothing else".into());
    }
    let group = |name: &&str| match groups.get(*name) {
        None | Some(Value::Null) => Ok(""),
        Some(text) => text.as_str().ok_or_else(|| "a component group of a person name is no string".to_owned()),
    };
    let name = GROUPS.iter().map(group).collect::<Result<Vec<_>, _>>()?.join("=");
    Ok(name.trim_end_matches('=').to_owned())
}

fn binary(vr: VR, base64: &str) -> Result<Vec<u8>, String> {
    if !value::is_binary(vr) {
        return Err(format!("InlineBinary is not for {vr}"));
    }
    STANDARD.decode(base64.trim()).map_err(|error| format!("its InlineBinary is no base64: {error}"))
}
