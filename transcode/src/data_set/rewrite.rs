//! A fresh Part 10 header in Explicit VR Little Endian, around Pixel Data that its caller writes.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use super::element::{DataSet, Element, Value, swap};
use super::encoding::has_long_length;
use super::{Error, Part10, Tag, VR, tags};

/// Implementation Class UID (0002,0012) of what this program writes.
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.329040058954171922487947423916499899657";
/// Implementation Version Name (0002,0013) of what this program writes.
pub const IMPLEMENTATION_VERSION_NAME: &str = "TSUNAGU_0_1";

const ITEM: [u8; 8] = [0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF];
const ITEM_DELIMITER: [u8; 8] = [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0];
const SEQUENCE_DELIMITER: [u8; 8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];

/// What a rewritten header says differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Its Transfer Syntax UID (0002,0010).
    pub transfer_syntax_uid: String,
    /// Elements of the outermost Data Set that are replaced or added, their values little-endian.
    pub elements: BTreeMap<Tag, (VR, Vec<u8>)>,
    /// Bytes the header may have.
    pub header_bytes_max: u64,
}

/// A rewritten file without its Pixel Data element, which goes between the two parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Preamble, `DICM`, File Meta Information and all elements before Pixel Data (7FE0,0010).
    pub before: Vec<u8>,
    /// All elements after it.
    pub after: Vec<u8>,
}

/// Writes the header anew: elements sorted, sequences of undefined length, values verbatim but for byte order and an
/// even length. Pixel Data and its offset tables, group lengths and Data Set Trailing Padding are left out; of the
/// meta group only the two SOP UIDs are taken over. `source` gives the values that the scan did not keep; for a
/// deflated file it is the inflated stream.
///
/// # Errors
/// [`Error::TooBig`] past `header_bytes_max`; [`Error::Io`] if a value cannot be read.
///
/// Source: PS3.10 §7.1, PS3.5 §7.1, §6.2.2 (values too long for a short VR become UN).
pub fn explicit_vr_le(part10: &Part10, source: &mut (impl Read + Seek), changes: &Changes) -> Result<Header, Error> {
    let mut before = Writer { out: meta(part10, changes), source, bytes_max: changes.header_bytes_max };
    let mut after_offset = None;
    let mut kept: BTreeMap<Tag, &Element> = BTreeMap::new();
    for element in part10.data_set.elements.iter().filter(|element| is_carried(element.tag)) {
        kept.entry(element.tag).or_insert(element);
    }
    let mut order: Vec<Tag> = kept.keys().chain(changes.elements.keys()).copied().collect();
    order.sort_unstable();
    order.dedup();
    for tag in order {
        if tag > tags::PIXEL_DATA && after_offset.is_none() {
            after_offset = Some(before.out.len());
        }
        match (changes.elements.get(&tag), kept.get(&tag)) {
            (Some((vr, value)), _) => before.value(tag, *vr, value.clone())?,
            (None, Some(element)) => before.element(element, 0)?,
            (None, None) => {}
        }
    }
    let mut out = before.out;
    let after = after_offset.map(|offset| out.split_off(offset)).unwrap_or_default();
    Ok(Header { before: out, after })
}

/// Whether an element of the outermost Data Set goes into a rewritten header as it is.
fn is_carried(tag: Tag) -> bool {
    let dropped = [
        tags::PIXEL_DATA,
        tags::EXTENDED_OFFSET_TABLE,
        tags::EXTENDED_OFFSET_TABLE_LENGTHS,
        tags::DATA_SET_TRAILING_PADDING,
    ];
    tag.0 > 0x0002 && tag.1 != 0 && !dropped.contains(&tag)
}

/// Preamble, magic and File Meta Information (PS3.10 Table 7.1-1).
fn meta(part10: &Part10, changes: &Changes) -> Vec<u8> {
    let uid = |meta: Tag, data_set: Tag| {
        let uid = part10.data_set.uid(data_set).or_else(|| part10.meta.uid(meta));
        uid.unwrap_or_default().as_bytes().to_vec()
    };
    let class = uid(tags::MEDIA_STORAGE_SOP_CLASS_UID, tags::SOP_CLASS_UID);
    let instance = uid(tags::MEDIA_STORAGE_SOP_INSTANCE_UID, tags::SOP_INSTANCE_UID);
    let mut group = Vec::new();
    put(&mut group, tags::FILE_META_INFORMATION_VERSION, VR::OB, vec![0, 1]);
    put(&mut group, tags::MEDIA_STORAGE_SOP_CLASS_UID, VR::UI, class);
    put(&mut group, tags::MEDIA_STORAGE_SOP_INSTANCE_UID, VR::UI, instance);
    put(&mut group, tags::TRANSFER_SYNTAX_UID, VR::UI, changes.transfer_syntax_uid.as_bytes().to_vec());
    put(&mut group, tags::IMPLEMENTATION_CLASS_UID, VR::UI, IMPLEMENTATION_CLASS_UID.into());
    put(&mut group, tags::IMPLEMENTATION_VERSION_NAME, VR::SH, IMPLEMENTATION_VERSION_NAME.into());
    let mut out = vec![0; 128];
    out.extend_from_slice(b"DICM");
    let length = u32::try_from(group.len()).unwrap_or(u32::MAX);
    put(&mut out, tags::FILE_META_INFORMATION_GROUP_LENGTH, VR::UL, length.to_le_bytes().to_vec());
    out.extend_from_slice(&group);
    out
}

/// Appends one element, padded to an even length (PS3.5 §6.2); too long for a short VR, it becomes UN (§6.2.2).
fn put(out: &mut Vec<u8>, tag: Tag, vr: VR, mut value: Vec<u8>) {
    if value.len() % 2 == 1 {
        value.push(pad(vr));
    }
    let (short, length) = (u16::try_from(value.len()), u32::try_from(value.len()).unwrap_or(u32::MAX - 1));
    let vr = if short.is_err() && !has_long_length(vr) { VR::UN } else { vr };
    out.extend_from_slice(&tag.0.to_le_bytes());
    out.extend_from_slice(&tag.1.to_le_bytes());
    out.extend_from_slice(&vr.to_bytes());
    match short {
        Ok(short) if !has_long_length(vr) => out.extend_from_slice(&short.to_le_bytes()),
        _ => {
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
    out.extend_from_slice(&value);
}

/// NUL for UIDs and binary, a space for other text (PS3.5 §6.2).
fn pad(vr: VR) -> u8 {
    match vr {
        VR::UI => 0,
        _ if super::encoding::is_text(vr) => b' ',
        _ => 0,
    }
}

struct Writer<'a, R> {
    out: Vec<u8>,
    source: &'a mut R,
    bytes_max: u64,
}

impl<R: Read + Seek> Writer<'_, R> {
    /// Depth is bounded by the limit the scan had.
    fn element(&mut self, element: &Element, depth: u32) -> Result<(), Error> {
        match &element.value {
            Value::Sequence(items) => {
                self.open(element, VR::SQ);
                for item in items {
                    self.out.extend_from_slice(&ITEM);
                    self.data_set(&item.data_set, depth + 1)?;
                    self.out.extend_from_slice(&ITEM_DELIMITER);
                }
                self.out.extend_from_slice(&SEQUENCE_DELIMITER);
                self.check(element, 0)
            }
            Value::Fragments(_) => {
                // The items of an icon's encapsulated Pixel Data are little-endian already, their delimiter included.
                let items = self.read(element)?;
                self.open(element, VR::OB);
                self.out.extend_from_slice(&items);
                Ok(())
            }
            Value::Bytes(bytes) => self.swapped(element, bytes.to_vec()),
            Value::Skipped => {
                let bytes = self.read(element)?;
                self.swapped(element, bytes)
            }
        }
    }

    fn data_set(&mut self, data_set: &DataSet, depth: u32) -> Result<(), Error> {
        let mut elements: Vec<&Element> = data_set.elements.iter().filter(|element| element.tag.1 != 0).collect();
        elements.sort_by_key(|element| element.tag);
        elements.dedup_by_key(|element| element.tag);
        elements.into_iter().try_for_each(|element| self.element(element, depth))
    }

    fn swapped(&mut self, element: &Element, mut bytes: Vec<u8>) -> Result<(), Error> {
        if element.big_endian {
            swap(&mut bytes, element.vr);
        }
        self.check(element, bytes.len() as u64)?;
        put(&mut self.out, element.tag, element.vr, bytes);
        Ok(())
    }

    fn value(&mut self, tag: Tag, vr: VR, value: Vec<u8>) -> Result<(), Error> {
        put(&mut self.out, tag, vr, value);
        Ok(())
    }

    /// The head of an element of undefined length.
    fn open(&mut self, element: &Element, vr: VR) {
        self.out.extend_from_slice(&element.tag.0.to_le_bytes());
        self.out.extend_from_slice(&element.tag.1.to_le_bytes());
        self.out.extend_from_slice(&vr.to_bytes());
        self.out.extend_from_slice(&[0, 0, 0xFF, 0xFF, 0xFF, 0xFF]);
    }

    fn read(&mut self, element: &Element) -> Result<Vec<u8>, Error> {
        self.check(element, element.value_length)?;
        let mut bytes = Vec::new();
        self.source.seek(SeekFrom::Start(element.value_offset))?;
        (&mut *self.source).take(element.value_length).read_to_end(&mut bytes)?;
        match bytes.len() as u64 {
            available if available < element.value_length => Err(Error::Truncated {
                tag: element.tag,
                offset: element.offset,
                needed: element.value_length,
                available,
            }),
            _ => Ok(bytes),
        }
    }

    fn check(&self, element: &Element, bytes: u64) -> Result<(), Error> {
        let header_bytes_max = self.bytes_max;
        match (self.out.len() as u64).checked_add(bytes) {
            Some(all) if all <= header_bytes_max => Ok(()),
            _ => Err(Error::TooBig { tag: element.tag, offset: element.offset, bytes, header_bytes_max }),
        }
    }
}
