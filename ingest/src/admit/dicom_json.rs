//! One DICOM JSON object (PS3.18 Annex F) of a Data Set.
//!
//! Text is Unicode. Binary above 1 KiB is named, not carried: `BulkDataURI` is `bulkdata/` and the path of tags and
//! item numbers, which `transcode::data_set::DataSet::at_path` resolves; Pixel Data is `bulkdata/7FE00010`.

use std::io::Write;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use transcode::data_set::{DataSet, Element, Tag, VR, Value};

use super::{CharacterSet, TextKind, tags};

/// Bytes of a binary value that is carried in the object itself.
const INLINE_BYTES_MAX: usize = 1024;
/// Bytes of a text that is carried in the object itself.
const TEXT_BYTES_MAX: usize = 1 << 20;
/// Bytes of the object from which on only short values are still carried: control characters take six bytes each,
/// so that a header within its limit could become an object of 400 MB.
const OBJECT_BYTES_MAX: usize = 32 << 20;
/// Bytes of a value that is short.
const SHORT_BYTES_MAX: usize = 64;

/// Writes the object: all elements but group 0002 and lower and group lengths, sorted by tag. An element that the
/// file has twice is written once, as it comes first.
///
/// Numbers that JSON can hold are numbers; other text under DS, IS and numbers that are not finite stay strings
/// (PS3.18 Table F.2.3-1 allows both).
pub fn dicom_json(data_set: &DataSet, set: &CharacterSet) -> Vec<u8> {
    let mut writer = Writer { out: Vec::new() };
    writer.data_set(data_set, set, "bulkdata");
    writer.out
}

struct Writer {
    out: Vec<u8>,
}

impl Writer {
    /// Depth is bounded by the limit the scan had.
    fn data_set(&mut self, data_set: &DataSet, set: &CharacterSet, path: &str) {
        let shown = |element: &&Element| element.tag.0 > 0x0002 && element.tag.1 != 0;
        let mut elements: Vec<&Element> = data_set.elements.iter().filter(shown).collect();
        elements.sort_by_key(|element| element.tag);
        elements.dedup_by_key(|element| element.tag);
        self.raw("{");
        for (index, element) in elements.iter().enumerate() {
            let Tag(group, number) = element.tag;
            let vr = json_vr(element);
            let comma = if index == 0 { "" } else { "," };
            self.raw(&format!("{comma}\"{group:04X}{number:04X}\":{{\"vr\":\"{}\"", vr.to_string()));
            self.value(element, vr, set, &format!("{path}/{group:04X}{number:04X}"));
            self.raw("}");
        }
        self.raw("}");
    }

    fn value(&mut self, element: &Element, vr: VR, set: &CharacterSet, path: &str) {
        match &element.value {
            Value::Sequence(items) if items.is_empty() => {}
            Value::Sequence(items) => {
                self.raw(",\"Value\":[");
                for (index, item) in items.iter().enumerate() {
                    self.raw(if index == 0 { "" } else { "," });
                    let inner = CharacterSet::of(&item.data_set, Some(set));
                    self.data_set(&item.data_set, &inner, &format!("{path}/{index}"));
                }
                self.raw("]");
            }
            Value::Skipped | Value::Fragments(_) => self.bulk(path),
            Value::Bytes(bytes) if bytes.is_empty() => {}
            Value::Bytes(bytes) if bytes.len() > self.value_bytes_max() => self.bulk(path),
            Value::Bytes(bytes) => match vr {
                VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW | VR::UN => self.binary(element, path),
                VR::AT | VR::FD | VR::FL | VR::SL | VR::SS | VR::SV | VR::UL | VR::US | VR::UV => {
                    self.numbers(element, vr);
                }
                _ => self.text(element, vr, bytes, set),
            },
        }
    }

    /// Bytes of a value that may still be carried.
    fn value_bytes_max(&self) -> usize {
        if self.out.len() > OBJECT_BYTES_MAX { SHORT_BYTES_MAX } else { TEXT_BYTES_MAX }
    }

    fn binary(&mut self, element: &Element, path: &str) {
        match element.little_endian() {
            Some(bytes) if bytes.len() <= INLINE_BYTES_MAX => {
                let base64 = STANDARD.encode(bytes);
                self.raw(&format!(",\"InlineBinary\":\"{base64}\""));
            }
            _ => self.bulk(path),
        }
    }

    fn bulk(&mut self, path: &str) {
        self.raw(&format!(",\"BulkDataURI\":\"{path}\""));
    }

    fn numbers(&mut self, element: &Element, vr: VR) {
        let bytes = element.little_endian().unwrap_or_default();
        let width = match vr {
            VR::SS | VR::US => 2,
            VR::FD | VR::SV | VR::UV => 8,
            _ => 4,
        };
        let words = bytes.chunks_exact(width);
        if words.len() == 0 {
            return;
        }
        self.list(words, |out, word| match vr {
            VR::AT => {
                let word = u32::from_le_bytes(array(word));
                out.string(&format!("{:04X}{:04X}", word & 0xFFFF, word >> 16));
            }
            VR::FD => out.float(f64::from_le_bytes(array(word))),
            VR::FL => out.single(f32::from_le_bytes(array(word))),
            VR::SS => out.raw(&i16::from_le_bytes(array(word)).to_string()),
            VR::US => out.raw(&u16::from_le_bytes(array(word)).to_string()),
            VR::SL => out.raw(&i32::from_le_bytes(array(word)).to_string()),
            VR::UL => out.raw(&u32::from_le_bytes(array(word)).to_string()),
            VR::SV => out.raw(&i64::from_le_bytes(array(word)).to_string()),
            _ => out.raw(&u64::from_le_bytes(array(word)).to_string()),
        });
    }

    fn text(&mut self, element: &Element, vr: VR, bytes: &[u8], set: &CharacterSet) {
        let text = match (vr, element.tag) {
            // What we write is Unicode (PS3.18 §F.2.1.2 wants UTF-8 declared, if anything).
            (_, tags::SPECIFIC_CHARACTER_SET) => "ISO_IR 192".to_owned(),
            _ => set.decode(bytes, TextKind::of(vr).unwrap_or(TextKind::Values)),
        };
        // PS3.5 §6.2: leading spaces count in texts; NUL pads are seen everywhere.
        let single = matches!(vr, VR::LT | VR::ST | VR::UR | VR::UT);
        let text = text.trim_end_matches([' ', '\0']);
        if text.is_empty() {
            return;
        }
        if single {
            return self.list([text].into_iter(), |out, one| out.string(one));
        }
        self.list(text.split('\\'), |out, one| match (one.trim_matches([' ', '\0']), vr) {
            ("", _) => out.raw("null"),
            (one, VR::PN) => out.person_name(one),
            (one, VR::DS | VR::IS) => out.number_text(one, vr),
            (one, _) => out.string(one),
        });
    }

    /// The three component groups (PS3.18 §F.2.2).
    fn person_name(&mut self, name: &str) {
        let groups = ["Alphabetic", "Ideographic", "Phonetic"].iter().zip(name.splitn(3, '='));
        self.raw("{");
        let mut comma = "";
        for (keyword, group) in groups.filter(|(_, group)| !group.is_empty()) {
            self.raw(&format!("{comma}\"{keyword}\":"));
            self.string(group);
            comma = ",";
        }
        self.raw("}");
    }

    /// DS and IS: the digits as they are where JSON allows them, else the number they mean, else the text.
    fn number_text(&mut self, text: &str, vr: VR) {
        let integer = text.parse::<i64>().ok();
        let float = text.parse::<f64>().ok().filter(|value| value.is_finite());
        match (integer, float) {
            (Some(integer), _) => self.raw(&integer.to_string()),
            (None, Some(float)) if vr == VR::DS => match serde_json::from_str::<f64>(text) {
                Ok(_) => self.raw(text),
                Err(_) => self.float(float),
            },
            _ => self.string(text),
        }
    }

    fn list<T>(&mut self, values: impl Iterator<Item = T>, mut each: impl FnMut(&mut Writer, T)) {
        self.raw(",\"Value\":[");
        for (index, value) in values.enumerate() {
            self.raw(if index == 0 { "" } else { "," });
            each(self, value);
        }
        self.raw("]");
    }

    fn float(&mut self, value: f64) {
        match serde_json::Number::from_f64(value) {
            Some(number) => self.raw(&number.to_string()),
            None => self.string(not_finite(value)),
        }
    }

    /// The shortest digits that mean this single-precision number.
    fn single(&mut self, value: f32) {
        match value.is_finite() {
            true => self.raw(&serde_json::to_string(&value).unwrap_or_else(|_| "null".into())),
            false => self.string(not_finite(f64::from(value))),
        }
    }

    fn string(&mut self, text: &str) {
        let quoted = serde_json::to_string(text).unwrap_or_else(|_| "\"\"".into());
        self.raw(&quoted);
    }

    fn raw(&mut self, text: &str) {
        // Writing to a vector does not fail.
        let _ = self.out.write_all(text.as_bytes());
    }
}

/// UN with a VR in the dictionary is told with that (PS3.5 §6.2.2 Note); a sequence is one whatever it was called.
fn json_vr(element: &Element) -> VR {
    match (&element.value, element.known_vr()) {
        (Value::Sequence(_), _) => VR::SQ,
        (_, VR::SQ) => VR::UN,
        (_, vr) => vr,
    }
}

fn not_finite(value: f64) -> &'static str {
    match value {
        value if value.is_nan() => "NaN",
        value if value > 0.0 => "inf",
        _ => "-inf",
    }
}

/// A chunk of the length its caller chose.
fn array<const N: usize>(chunk: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
    out
}
