//! Reading no more of a DICOM JSON object than is wanted: the rest is skipped, not built.

use std::borrow::Cow;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::{Map, Value};

use super::criteria::{Criteria, items};
use super::dictionary;

/// The attributes of an object whose tags are wanted.
pub(crate) fn read(document: &[u8], wanted: &dyn Fn(&str) -> bool) -> serde_json::Result<Map<String, Value>> {
    let mut reader = serde_json::Deserializer::from_slice(document);
    let object = Wanted(wanted).deserialize(&mut reader)?;
    reader.end()?;
    Ok(object)
}

struct Wanted<'a>(&'a dyn Fn(&str) -> bool);

impl<'de> DeserializeSeed<'de> for Wanted<'_> {
    type Value = Map<String, Value>;

    fn deserialize<D: Deserializer<'de>>(self, from: D) -> Result<Self::Value, D::Error> {
        from.deserialize_map(self)
    }
}

impl<'de> Visitor<'de> for Wanted<'_> {
    type Value = Map<String, Value>;

    fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("a DICOM JSON object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut from: A) -> Result<Self::Value, A::Error> {
        let mut out = Map::new();
        while let Some(tag) = from.next_key::<Cow<'de, str>>()? {
            if (self.0)(&tag) {
                out.insert(tag.into_owned(), from.next_value()?);
            } else {
                from.next_value::<IgnoredAny>()?;
            }
        }
        Ok(out)
    }
}

/// Copies what was asked for from a Data Set: the attribute of a path, and of the sequences on the way only those items
/// that match (PS3.4 C.2.2.2.6). What is not there is said to be empty, if it has a VR.
pub(crate) fn copy(from: &Map<String, Value>, path: &[u32], criteria: Option<&Criteria>, to: &mut Map<String, Value>) {
    let Some((tag, rest)) = path.split_first() else { return };
    let name = dictionary::hex(*tag);
    if rest.is_empty() {
        match from.get(&name) {
            Some(element) => drop(to.insert(name, element.clone())),
            None if to.contains_key(&name) => {}
            None => {
                drop(dictionary::vr_of(*tag).map(|vr| to.insert(name, serde_json::json!({ "vr": vr.to_string() }))))
            }
        }
        return;
    }
    let inner = criteria.and_then(|criteria| criteria.inside(*tag));
    let matching: Vec<&Map<String, Value>> =
        items(from, *tag).filter(|item| inner.is_none_or(|inner| inner.matches(item))).collect();
    let element = to.entry(name).or_insert_with(|| serde_json::json!({ "vr": "SQ" }));
    let Some(element) = element.as_object_mut().filter(|_| !matching.is_empty()) else { return };
    let out = element.entry("Value").or_insert_with(|| Value::Array(Vec::new()));
    let Some(out) = out.as_array_mut() else { return };
    out.resize_with(matching.len().max(out.len()), || Value::Object(Map::new()));
    for (item, out) in matching.into_iter().zip(out) {
        if let Some(out) = out.as_object_mut() {
            copy(item, rest, inner, out);
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Proves that only what is wanted is read, and that a document cut short is an error.
    #[test]
    fn only_what_is_wanted_is_read() {
        let document =
            br#"{"00080018":{"vr":"UI","Value":["1.2"]},"00400275":{"vr":"SQ","Value":[{"00400009":{"vr":"SH"}}]}}"#;
        let read = |wanted: &str| read(document, &|tag| tag == wanted).unwrap();
        assert_eq!(read("00080018")["00080018"]["Value"][0], "1.2");
        assert_eq!(read("00080018").len(), 1);
        assert!(read("7FE00010").is_empty());
        assert!(super::read(br#"{"00080018":{"vr""#, &|_| true).is_err());
    }

    /// Proves that a path through a sequence gives its items with that attribute only.
    #[test]
    fn a_path_gives_items_with_that_attribute_only() {
        let from = json!({ "00400275": { "vr": "SQ", "Value": [
            { "00400009": { "vr": "SH", "Value": ["A"] }, "00400007": { "vr": "LO", "Value": ["x"] } }
        ] } });
        let mut to = Map::new();
        copy(from.as_object().unwrap(), &[0x0040_0275, 0x0040_0009], None, &mut to);
        copy(from.as_object().unwrap(), &[0x0040_0275, 0x0040_1001], None, &mut to);
        copy(from.as_object().unwrap(), &[0x0008_0080], None, &mut to);
        let item = json!({ "00400009": { "vr": "SH", "Value": ["A"] }, "00401001": { "vr": "SH" } });
        assert_eq!(
            Value::Object(to),
            json!({ "00400275": { "vr": "SQ", "Value": [item] }, "00080080": { "vr": "LO" } })
        );
    }
}
