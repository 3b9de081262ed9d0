//! What attributes are called (PS3.6 §6), and how DICOM JSON and XML write their tags.

use dicom_core::Tag;
use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
use dicom_dictionary_std::StandardDataDictionary;

/// The keyword of a tag; `None` for what the dictionary does not have.
pub fn keyword_of(tag: u32) -> Option<&'static str> {
    let number = Tag((tag >> 16) as u16, tag as u16);
    let entry = StandardDataDictionary.by_tag(number)?;
    // What stands for a whole range of tags (group lengths, private creators) names none.
    ((tag >> 16) & 1 == 0 && entry.tag() == number).then(|| entry.alias())
}

/// A tag as DICOM JSON writes it (PS3.18 §F.2.2).
pub fn hex(tag: u32) -> String {
    format!("{tag:08X}")
}

/// The same of a [`Tag`].
pub fn hex_of(tag: Tag) -> String {
    hex(u32::from(tag.0) << 16 | u32::from(tag.1))
}

/// Reads eight hexadecimal digits.
pub fn tag_of_hex(text: &str) -> Option<Tag> {
    let is_plain = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let number = u32::from_str_radix(text, 16).ok().filter(|_| is_plain)?;
    Some(Tag((number >> 16) as u16, number as u16))
}

/// The Private Creator that a private attribute is reserved by (PS3.5 §7.8.1).
pub fn private_creator_of(tag: u32) -> Option<u32> {
    let block = (tag >> 8) & 0xFF;
    ((tag >> 16) & 1 == 1 && block >= 0x10).then_some((tag & 0xFFFF_0000) | block)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A tag of eight hexadecimal digits is read as it is written, and nothing else is one; keywords are PS3.6's.
    #[test]
    fn tags_are_written_and_read_and_have_keywords() {
        assert_eq!((hex(0x0010_0020).as_str(), keyword_of(0x0010_0020)), ("00100020", Some("PatientID")));
        assert_eq!(hex_of(Tag(0x7FE0, 0x0010)), "7FE00010");
        assert_eq!(tag_of_hex("7fe00010"), Some(Tag(0x7FE0, 0x0010)));
        for wrong in ["", "+7fe0001", "7fe0001", "7fe000100", "PatientID", "００"] {
            assert_eq!(tag_of_hex(wrong), None, "{wrong}");
        }
        assert_eq!((keyword_of(0x0008_0000), keyword_of(0x0009_0010)), (None, None));
        assert_eq!(private_creator_of(0x0009_1001), Some(0x0009_0010));
        assert_eq!(private_creator_of(0x0009_0010), None);
    }
}
