//! Metadata accompanied by bulk data (PS3.18 §10.5.1.4): Data Sets as DICOM JSON (Annex F) or XML (PS3.19 §A.1) in the
//! first parts of a request, their large values in the parts after; together they become Part 10 files.
//!
//! The same parts give the same file, byte for byte: what is built is what counts as received.

mod build;
mod bulk;
mod json;
mod value;
mod xml;

use std::collections::BTreeMap;
use std::fmt;

use transcode::data_set::dictionary::{hex_of, tag_of_hex};
use transcode::data_set::{Tag, VR};

pub use build::{Segment, part10};
pub use bulk::{Bulk, Location, PartKind, Pixels, parts_expected, pixels};
pub use json::read as read_json;
pub use xml::read as read_xml;

/// Bytes of one message part of metadata.
pub const METADATA_BYTES_MAX: u64 = 64 << 20;
/// Bytes of the metadata of one instance.
pub const INSTANCE_BYTES_MAX: usize = 8 << 20;
/// Sequences inside sequences.
pub const NESTING_MAX: usize = 32;

/// Pixel Data (7FE0,0010).
pub const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
pub(super) const SPECIFIC_CHARACTER_SET: Tag = Tag(0x0008, 0x0005);

/// The attributes of a Data Set or an item, in order of their tags.
pub type Attributes = BTreeMap<Tag, Attribute>;

/// One attribute.
#[derive(Clone, Debug, PartialEq)]
pub struct Attribute {
    /// Its VR.
    pub vr: VR,
    /// Its value.
    pub content: Content,
}

/// The value of an attribute.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    /// As it will be encoded, little-endian, not padded yet.
    Bytes(Vec<u8>),
    /// The items of a sequence.
    Items(Vec<Attributes>),
    /// Somewhere among the parts: its URI.
    Bulk(String),
}

/// What is wrong with the metadata of one instance. It never holds a value: there may be a name in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Where: a tag, with those of the sequences around it.
    pub place: String,
    /// What.
    pub detail: String,
}

impl Fault {
    pub(super) fn at(place: impl fmt::Display, detail: impl Into<String>) -> Fault {
        Fault { place: place.to_string(), detail: detail.into() }
    }

    /// The same inside a sequence.
    fn inside(self, sequence: Tag, item: usize) -> Fault {
        Fault { place: format!("{}[{item}].{}", hex_of(sequence), self.place), detail: self.detail }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "attribute {}: {}", self.place, self.detail)
    }
}

/// A text of the default repertoire, for looking at a value; empty where there is none.
pub fn text(attributes: &Attributes, tag: Tag) -> &str {
    let Some(Attribute { content: Content::Bytes(bytes), .. }) = attributes.get(&tag) else { return "" };
    std::str::from_utf8(bytes).unwrap_or_default().trim_matches([' ', '\0'])
}

/// The first of the numbers of an attribute: US, or IS as text.
pub fn number(attributes: &Attributes, tag: Tag) -> Option<u64> {
    match attributes.get(&tag)? {
        Attribute { vr: VR::US, content: Content::Bytes(bytes) } => {
            bytes.first_chunk().map(|two| u16::from_le_bytes(*two).into())
        }
        _ => text(attributes, tag).split('\\').next()?.trim().parse().ok(),
    }
}

/// URIs of all values that are elsewhere, those in sequences too.
pub fn uris(attributes: &Attributes) -> Vec<&str> {
    let (mut found, mut open) = (Vec::new(), vec![attributes]);
    while let Some(attributes) = open.pop() {
        for attribute in attributes.values() {
            match &attribute.content {
                Content::Bulk(uri) => found.push(uri.as_str()),
                Content::Items(items) => open.extend(items),
                Content::Bytes(_) => {}
            }
        }
    }
    found
}

/// Declares what is written: Unicode in UTF-8 where there is anything but ASCII (PS3.5 §6.1.2.3; PS3.18 §F.2.1.2 has no
/// other repertoire), whatever the metadata were copied from.
fn declare_unicode(attributes: &mut Attributes) {
    if !is_ascii(attributes) || attributes.contains_key(&SPECIFIC_CHARACTER_SET) {
        let content = Content::Bytes(b"ISO_IR 192".to_vec());
        attributes.insert(SPECIFIC_CHARACTER_SET, Attribute { vr: VR::CS, content });
    }
}

fn is_ascii(attributes: &Attributes) -> bool {
    attributes.values().all(|attribute| match &attribute.content {
        Content::Bytes(bytes) => !value::is_text(attribute.vr) || bytes.is_ascii(),
        Content::Items(items) => items.iter().all(is_ascii),
        Content::Bulk(_) => true,
    })
}

/// Puts an attribute in its place. Group lengths and groups that no Data Set has are left out (PS3.5 §7.2; PS3.19 §A.1);
/// of group 0002 the transfer syntax is kept for [`part10`] to look at.
fn insert(attributes: &mut Attributes, tag: Tag, attribute: Attribute) {
    let shown = tag.1 != 0 && (tag.0 >= 0x0008 || tag == build::TRANSFER_SYNTAX_UID);
    if shown && tag.0 != 0xFFFE && tag.0 != 0xFFFF {
        attributes.insert(tag, attribute);
    }
}

#[cfg(test)]
mod tests;
