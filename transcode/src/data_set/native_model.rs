//! The Native DICOM Model (PS3.19 Annex A.1): DICOM JSON objects as XML, for `application/dicom+xml`.

use std::fmt::Write;

use serde_json::{Map, Value};

use super::dictionary;

/// Media type of a Native DICOM Model document (PS3.18 §8.7.3.2).
pub const DICOM_XML: &str = "application/dicom+xml";
/// Elements of a name of a person's component group, in the order of PS3.5 §6.2.
const COMPONENTS: [&str; 5] = ["FamilyName", "GivenName", "MiddleName", "NamePrefix", "NameSuffix"];

/// The document of one Data Set, in UTF-8.
pub fn native_model(data_set: &Map<String, Value>) -> String {
    let mut out = String::from(concat!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n",
        "<NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">"
    ));
    attributes(&mut out, data_set);
    out.push_str("</NativeDicomModel>");
    out
}

/// Depth is bounded by that of the JSON, whose parser refuses more than 128 levels.
fn attributes(out: &mut String, data_set: &Map<String, Value>) {
    let mut sorted: Vec<_> = data_set.iter().collect();
    sorted.sort_by_key(|(tag, _)| tag.as_str());
    for (tag, element) in sorted {
        start(out, data_set, tag, element);
        let values = element.get("Value").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        for (value, number) in values.iter().zip(1..) {
            one_value(out, element, value, number);
        }
        if let Some(uri) = element.get("BulkDataURI").and_then(Value::as_str) {
            out.push_str("<BulkData uri=\"");
            escaped(out, uri);
            out.push_str("\"/>");
        }
        if let Some(base64) = element.get("InlineBinary").and_then(Value::as_str) {
            inside(out, "InlineBinary", base64);
        }
        out.push_str("</DicomAttribute>");
    }
}

/// The start tag. Private attributes are written as gggg00ee with their creator (PS3.19 Table A.1.5-2).
fn start(out: &mut String, data_set: &Map<String, Value>, tag: &str, element: &Value) {
    let number = u32::from_str_radix(tag, 16).unwrap_or(0);
    let creator = dictionary::private_creator_of(number)
        .and_then(|creator| data_set.get(&dictionary::hex(creator))?.get("Value")?.get(0)?.as_str());
    let written = if creator.is_some() { dictionary::hex(number & 0xFFFF_00FF) } else { tag.to_owned() };
    out.push_str("<DicomAttribute tag=\"");
    escaped(out, &written);
    out.push_str("\" vr=\"");
    escaped(out, element.get("vr").and_then(Value::as_str).unwrap_or("UN"));
    if let Some(keyword) = dictionary::keyword_of(number) {
        out.push_str("\" keyword=\"");
        escaped(out, keyword);
    }
    if let Some(creator) = creator {
        out.push_str("\" privateCreator=\"");
        escaped(out, creator);
    }
    out.push_str("\">");
}

fn one_value(out: &mut String, element: &Value, value: &Value, number: usize) {
    match value {
        Value::Null => {}
        Value::Object(name) if element.get("vr").and_then(Value::as_str) == Some("PN") => {
            let _ = write!(out, "<PersonName number=\"{number}\">");
            person_name(out, name);
            out.push_str("</PersonName>");
        }
        Value::Object(item) => {
            let _ = write!(out, "<Item number=\"{number}\">");
            attributes(out, item);
            out.push_str("</Item>");
        }
        value => {
            let _ = write!(out, "<Value number=\"{number}\">");
            match value {
                Value::String(text) => escaped(out, text),
                other => escaped(out, &other.to_string()),
            }
            out.push_str("</Value>");
        }
    }
}

fn person_name(out: &mut String, name: &Map<String, Value>) {
    for group in ["Alphabetic", "Ideographic", "Phonetic"] {
        let Some(text) = name.get(group).and_then(Value::as_str) else { continue };
        let _ = write!(out, "<{group}>");
        for (component, text) in COMPONENTS.iter().zip(text.splitn(5, '^')).filter(|(_, text)| !text.is_empty()) {
            inside(out, component, text);
        }
        let _ = write!(out, "</{group}>");
    }
}

fn inside(out: &mut String, name: &str, text: &str) {
    let _ = write!(out, "<{name}>");
    escaped(out, text);
    let _ = write!(out, "</{name}>");
}

/// Text for XML or HTML, between tags or in quotes: none of it is markup.
pub fn markup_escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    escaped(&mut out, text);
    out
}

/// Text in XML 1.0: markup escaped, and what no document may hold (§2.2 there) replaced.
fn escaped(out: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            // A parser makes line feeds of carriage returns that are not escaped.
            '\r' => out.push_str("&#13;"),
            '\t' | '\n' => out.push(c),
            '\0'..='\u{1F}' | '\u{FFFE}' | '\u{FFFF}' => out.push('\u{FFFD}'),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(data_set: Value, expected: &str) {
        let document = native_model(data_set.as_object().unwrap());
        let inside = document.split_once("xml:space=\"preserve\">").unwrap().1;
        assert_eq!(inside.strip_suffix("</NativeDicomModel>").unwrap(), expected);
    }

    /// Proves the forms of PS3.19 Table A.1.5-2: values, names, items, bulk data, private attributes, nothing.
    #[test]
    fn attributes_are_written_as_the_native_dicom_model() {
        check(
            json!({ "00080020": { "vr": "DA", "Value": ["20260131"] }, "00080050": { "vr": "SH" } }),
            "<DicomAttribute tag=\"00080020\" vr=\"DA\" keyword=\"StudyDate\"><Value number=\"1\">20260131</Value>\
             </DicomAttribute><DicomAttribute tag=\"00080050\" vr=\"SH\" keyword=\"AccessionNumber\"></DicomAttribute>",
        );
        check(
            json!({ "00100010": { "vr": "PN", "Value": [{ "Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎" }] } }),
            "<DicomAttribute tag=\"00100010\" vr=\"PN\" keyword=\"PatientName\"><PersonName number=\"1\"><Alphabetic>\
             <FamilyName>Yamada</FamilyName><GivenName>Tarou</GivenName></Alphabetic><Ideographic><FamilyName>山田\
             </FamilyName><GivenName>太郎</GivenName></Ideographic></PersonName></DicomAttribute>",
        );
        check(
            json!({ "00400275": { "vr": "SQ", "Value": [{ "00400009": { "vr": "SH", "Value": ["A<&\"\u{1}"] } }] } }),
            "<DicomAttribute tag=\"00400275\" vr=\"SQ\" keyword=\"RequestAttributesSequence\"><Item number=\"1\">\
             <DicomAttribute tag=\"00400009\" vr=\"SH\" keyword=\"ScheduledProcedureStepID\"><Value number=\"1\">\
             A&lt;&amp;&quot;\u{FFFD}</Value></DicomAttribute></Item></DicomAttribute>",
        );
        check(
            json!({ "7FE00010": { "vr": "OW", "BulkDataURI": "a?b&c" }, "00280010": { "vr": "US", "Value": [512, null, 3] } }),
            "<DicomAttribute tag=\"00280010\" vr=\"US\" keyword=\"Rows\"><Value number=\"1\">512</Value>\
             <Value number=\"3\">3</Value></DicomAttribute><DicomAttribute tag=\"7FE00010\" vr=\"OW\" \
             keyword=\"PixelData\"><BulkData uri=\"a?b&amp;c\"/></DicomAttribute>",
        );
        check(
            json!({ "00090010": { "vr": "LO", "Value": ["ACME"] }, "00091001": { "vr": "OB", "InlineBinary": "AAE=" } }),
            "<DicomAttribute tag=\"00090010\" vr=\"LO\"><Value number=\"1\">ACME</Value></DicomAttribute>\
             <DicomAttribute tag=\"00090001\" vr=\"OB\" privateCreator=\"ACME\"><InlineBinary>AAE=</InlineBinary>\
             </DicomAttribute>",
        );
    }
}
