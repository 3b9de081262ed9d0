//! DICOM JSON as the Native DICOM Model (PS3.19 §A.1): for the few attributes that answers of ours have.

use std::fmt::Write;

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;
use quick_xml::escape::escape;
use serde_json::{Map, Value};
use transcode::data_set::Tag;

const HEAD: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n\
                    <NativeDicomModel xmlns=\"http://dicom.nema.org/PS3.19/models/NativeDICOM\" xml:space=\"preserve\">";

/// Writes a document of one object.
pub fn native_dicom_model(object: &Map<String, Value>) -> String {
    let mut out = String::from(HEAD);
    data_set(&mut out, object);
    out.push_str("</NativeDicomModel>\n");
    out
}

/// Depth is that of our own answers.
fn data_set(out: &mut String, object: &Map<String, Value>) {
    for (tag, attribute) in object {
        let vr = attribute["vr"].as_str().unwrap_or("UN");
        let keyword = keyword(tag).map(|keyword| format!(" keyword=\"{keyword}\"")).unwrap_or_default();
        // Writing to a string does not fail.
        let _ = write!(out, "<DicomAttribute tag=\"{tag}\" vr=\"{vr}\"{keyword}>");
        for (index, value) in attribute["Value"].as_array().into_iter().flatten().enumerate() {
            let number = index + 1;
            match value {
                Value::Object(item) => {
                    let _ = write!(out, "<Item number=\"{number}\">");
                    data_set(out, item);
                    out.push_str("</Item>");
                }
                Value::String(text) => {
                    let shown: String = text.chars().filter(|c| !c.is_control()).collect();
                    let _ = write!(out, "<Value number=\"{number}\">{}</Value>", escape(shown.as_str()));
                }
                other => {
                    let _ = write!(out, "<Value number=\"{number}\">{other}</Value>");
                }
            }
        }
        out.push_str("</DicomAttribute>");
    }
}

fn keyword(tag: &str) -> Option<&'static str> {
    let number = u32::from_str_radix(tag, 16).ok()?;
    let tag = Tag((number >> 16) as u16, (number & 0xFFFF) as u16);
    StandardDataDictionary.by_tag(tag).map(|entry| entry.alias())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// Attributes with keyword and VR, items and values numbered, text escaped; it is read back as what it was.
    #[test]
    fn an_answer_is_a_native_dicom_model() {
        let object = json!({
            "00081190": { "vr": "UR", "Value": ["http://a/?b&c"] },
            "00081198": { "vr": "SQ", "Value": [{ "00081197": { "vr": "US", "Value": [272] } }] },
            "00081199": { "vr": "SQ" },
        });
        let xml = native_dicom_model(object.as_object().unwrap());
        assert!(xml.contains(r#"<DicomAttribute tag="00081190" vr="UR" keyword="RetrieveURL">"#), "{xml}");
        assert!(xml.contains("<Value number=\"1\">http://a/?b&amp;c</Value>"), "{xml}");
        assert!(xml.contains(r#"keyword="FailureReason"><Value number="1">272</Value>"#), "{xml}");
        let read = super::super::metadata::read_xml(xml.as_bytes()).unwrap().unwrap();
        assert_eq!(super::super::metadata::text(&read, Tag(0x0008, 0x1190)), "http://a/?b&c");
    }
}
