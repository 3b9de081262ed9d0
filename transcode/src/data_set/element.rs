//! What a scan finds: elements with their place in the file and their value, if it is small.

use std::borrow::Cow;

use dicom_core::{Tag, VR};

use super::dictionary::tag_of_hex;
use super::encoding::{dictionary_vr, word_bytes};

/// The elements of a Data Set or of an item, in the order of the file.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct DataSet {
    /// The elements.
    pub elements: Vec<Element>,
}

/// One element.
#[derive(Clone, Debug, PartialEq)]
pub struct Element {
    /// Its tag.
    pub tag: Tag,
    /// Its VR: as encoded, or of the dictionary where the encoding is implicit. Unknown ones are UN.
    pub vr: VR,
    /// Whether the Data Set encodes numbers big-endian.
    pub big_endian: bool,
    /// Whether its length was undefined.
    pub undefined_length: bool,
    /// Byte of its tag.
    pub offset: u64,
    /// First byte of its value.
    pub value_offset: u64,
    /// Bytes of its value; of an undefined length, up to and with its Sequence Delimitation Item.
    pub value_length: u64,
    /// Its value.
    pub value: Value,
}

/// The value of an element.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// The bytes as they are in the file.
    Bytes(Box<[u8]>),
    /// Too large to keep: Pixel Data, or binary above [`Limits::value_bytes_max`](super::Limits::value_bytes_max).
    Skipped,
    /// The items of a sequence.
    Sequence(Vec<Item>),
    /// The fragments of encapsulated Pixel Data; the first is the Basic Offset Table (PS3.5 §A.4).
    Fragments(Vec<Fragment>),
}

/// One item of a sequence.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Item {
    /// Byte of its Item tag.
    pub offset: u64,
    /// Its elements.
    pub data_set: DataSet,
}

/// One fragment of encapsulated Pixel Data.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Fragment {
    /// First byte of its value; its Item tag is eight bytes before.
    pub offset: u64,
    /// Bytes of its value, a pad byte included.
    pub length: u64,
}

impl DataSet {
    /// The first element of this tag.
    pub fn get(&self, tag: Tag) -> Option<&Element> {
        self.elements.iter().find(|element| element.tag == tag)
    }

    /// The element at a path of tags and item numbers from 0, as in a `BulkDataURI` of ours:
    /// `54000100/0/54001010`, with or without `bulkdata/` before it.
    pub fn at_path(&self, path: &str) -> Option<&Element> {
        let mut steps = path.strip_prefix("bulkdata/").unwrap_or(path).split('/');
        let mut element = self.get(tag_of_hex(steps.next()?)?)?;
        while let Some(item) = steps.next() {
            let inside = element.items().get(item.parse::<usize>().ok()?)?;
            element = inside.data_set.get(tag_of_hex(steps.next()?)?)?;
        }
        Some(element)
    }

    /// The items of a sequence; none where there is no such sequence.
    pub fn items(&self, tag: Tag) -> &[Item] {
        self.get(tag).map_or(&[], Element::items)
    }

    /// The kept bytes of a value.
    pub fn bytes(&self, tag: Tag) -> Option<&[u8]> {
        self.get(tag)?.bytes()
    }

    /// A value of the default repertoire, without padding; `None` if absent, empty or not ASCII.
    pub fn ascii(&self, tag: Tag) -> Option<&str> {
        self.get(tag)?.ascii()
    }

    /// The first UID of a value, without padding; `None` if absent, empty or not ASCII.
    pub fn uid(&self, tag: Tag) -> Option<&str> {
        self.ascii(tag)?.split('\\').next().map(str::trim).filter(|uid| !uid.is_empty())
    }

    /// The first integer of a value: IS as text, or a binary integer.
    pub fn int(&self, tag: Tag) -> Option<i64> {
        self.get(tag)?.integers().next()
    }

    /// The first number of a value: DS or IS as text, or binary.
    pub fn decimal(&self, tag: Tag) -> Option<f64> {
        self.get(tag)?.decimals().next()
    }
}

impl Element {
    /// The items of a sequence; none of anything else.
    pub fn items(&self) -> &[Item] {
        match &self.value {
            Value::Sequence(items) => items,
            _ => &[],
        }
    }

    /// The kept bytes of the value.
    pub fn bytes(&self) -> Option<&[u8]> {
        match &self.value {
            Value::Bytes(bytes) => Some(bytes),
            _ => None,
        }
    }

    /// The value with numbers little-endian, where it was kept.
    pub fn little_endian(&self) -> Option<Cow<'_, [u8]>> {
        let bytes = self.bytes()?;
        if !self.big_endian || word_bytes(self.vr) == 1 {
            return Some(Cow::Borrowed(bytes));
        }
        let mut swapped = bytes.to_vec();
        swap(&mut swapped, self.vr);
        Some(Cow::Owned(swapped))
    }

    /// The VR by the dictionary where the element says UN (PS3.5 §6.2.2 Note); else its own.
    pub fn known_vr(&self) -> VR {
        match self.vr {
            VR::UN => dictionary_vr(self.tag, false),
            vr => vr,
        }
    }

    /// The text of the default repertoire, without padding; `None` if empty or not ASCII.
    pub fn ascii(&self) -> Option<&str> {
        let text = std::str::from_utf8(self.bytes()?).ok().filter(|text| text.is_ascii())?;
        Some(text.trim_matches([' ', '\0'])).filter(|text| !text.is_empty())
    }

    /// The integers of the value, as far as they parse.
    pub fn integers(&self) -> impl Iterator<Item = i64> {
        let vr = self.known_vr();
        let text = self.ascii().filter(|_| matches!(vr, VR::IS | VR::DS));
        let words = self.little_endian().filter(|_| text.is_none()).unwrap_or_default();
        let binary: Vec<i64> = match vr {
            VR::US => words.chunks_exact(2).map(|w| i64::from(u16::from_le_bytes(array(w)))).collect(),
            VR::SS => words.chunks_exact(2).map(|w| i64::from(i16::from_le_bytes(array(w)))).collect(),
            VR::UL => words.chunks_exact(4).map(|w| i64::from(u32::from_le_bytes(array(w)))).collect(),
            VR::SL => words.chunks_exact(4).map(|w| i64::from(i32::from_le_bytes(array(w)))).collect(),
            VR::SV => words.chunks_exact(8).map(|w| i64::from_le_bytes(array(w))).collect(),
            VR::UV => words.chunks_exact(8).map_while(|w| u64::from_le_bytes(array(w)).try_into().ok()).collect(),
            _ => Vec::new(),
        };
        let parsed = text.into_iter().flat_map(|text| text.split('\\')).map_while(|one| whole(one.trim()));
        parsed.chain(binary)
    }

    /// The numbers of the value, as far as they parse.
    pub fn decimals(&self) -> impl Iterator<Item = f64> {
        let vr = self.known_vr();
        let text = self.ascii().filter(|_| matches!(vr, VR::IS | VR::DS));
        let words = self.little_endian().filter(|_| text.is_none()).unwrap_or_default();
        let binary: Vec<f64> = match vr {
            VR::FL => words.chunks_exact(4).map(|w| f64::from(f32::from_le_bytes(array(w)))).collect(),
            VR::FD => words.chunks_exact(8).map(|w| f64::from_le_bytes(array(w))).collect(),
            _ if text.is_none() => self.integers().map(|integer| integer as f64).collect(),
            _ => Vec::new(),
        };
        let parsed = text.into_iter().flat_map(|text| text.split('\\')).map_while(|one| one.trim().parse().ok());
        parsed.chain(binary)
    }
}

/// Swaps the bytes of each number of this VR. An odd rest is left as it is.
pub fn swap(value: &mut [u8], vr: VR) {
    let width = word_bytes(vr);
    if width > 1 {
        value.chunks_exact_mut(width).for_each(<[u8]>::reverse);
    }
}

/// An integer as IS writes it; files of the field also write `1.000000` there.
fn whole(text: &str) -> Option<i64> {
    let decimal = || text.parse::<f64>().ok().filter(|v| v.fract() == 0.0 && v.abs() < 9e15).map(|v| v as i64);
    text.parse().ok().or_else(decimal)
}

/// A chunk of the length its caller chose.
fn array<const N: usize>(chunk: &[u8]) -> [u8; N] {
    let mut out = [0; N];
    out.iter_mut().zip(chunk).for_each(|(to, from)| *to = *from);
    out
}
