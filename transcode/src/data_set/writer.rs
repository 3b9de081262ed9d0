//! Elements as bytes, in Explicit or Implicit VR Little Endian (PS3.5 §7.1, §A.1, §A.2).

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom, Write};

use super::element::{DataSet, Element, Item, Value, swap};
use super::encoding::{has_long_length, is_text};
use super::{Error, Part10, Tag, VR, tags};

/// An Item of undefined length, its end, and that of its sequence (PS3.5 §7.5).
pub(crate) const ITEM: [u8; 8] = [0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF];
pub(crate) const ITEM_DELIMITER: [u8; 8] = [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0];
pub(crate) const SEQUENCE_DELIMITER: [u8; 8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];

/// Bytes of a large value that are held while it is copied: whole numbers of every width.
const COPY_BYTES: usize = 1 << 16;

/// An element of a Data Set that is written anew.
pub(crate) enum Piece<'a> {
    /// One that is replaced or added, its value little-endian.
    Changed(Tag, VR, &'a [u8]),
    /// One that stays.
    Kept(&'a Element),
}

/// The elements in the order of their tags: those of the Data Set that are carried, with what is changed. Pixel Data and its
/// offset tables, group lengths and Data Set Trailing Padding are not carried.
pub(crate) fn pieces<'a>(part10: &'a Part10, changes: &'a BTreeMap<Tag, (VR, Vec<u8>)>) -> BTreeMap<Tag, Piece<'a>> {
    let mut pieces = BTreeMap::new();
    for element in part10.data_set.elements.iter().filter(|element| is_carried(element.tag)) {
        pieces.entry(element.tag).or_insert(Piece::Kept(element));
    }
    for (tag, (vr, value)) in changes {
        pieces.insert(*tag, Piece::Changed(*tag, *vr, value));
    }
    pieces
}

/// Whether an element of the outermost Data Set is written as it is.
fn is_carried(tag: Tag) -> bool {
    let dropped = [
        tags::PIXEL_DATA,
        tags::EXTENDED_OFFSET_TABLE,
        tags::EXTENDED_OFFSET_TABLE_LENGTHS,
        tags::DATA_SET_TRAILING_PADDING,
    ];
    tag.0 > 0x0002 && tag.1 != 0 && !dropped.contains(&tag)
}

/// Appends one element in Explicit VR, padded to an even length (PS3.5 §6.2).
pub(crate) fn put(out: &mut Vec<u8>, tag: Tag, vr: VR, value: &[u8]) {
    let (head, length) = head(tag, vr, even(value.len() as u64), false);
    out.extend_from_slice(head.get(..length).unwrap_or_default());
    out.extend_from_slice(value);
    out.extend_from_slice(if value.len() % 2 == 1 { pad(vr) } else { &[] });
}

/// Tag, VR and length of an element, and how many bytes they are. A length of `u32::MAX` is undefined. In Explicit VR a
/// value too long for a short VR becomes UN (PS3.5 §6.2.2).
pub(crate) fn head(tag: Tag, vr: VR, length: u32, implicit: bool) -> ([u8; 12], usize) {
    let mut out = [0; 12];
    let mut put = |at: usize, bytes: &[u8]| out.iter_mut().skip(at).zip(bytes).for_each(|(to, from)| *to = *from);
    put(0, &tag.0.to_le_bytes());
    put(2, &tag.1.to_le_bytes());
    if implicit {
        put(4, &length.to_le_bytes());
        return (out, 8);
    }
    let short = u16::try_from(length).ok().filter(|_| !has_long_length(vr));
    let vr = if short.is_none() && !has_long_length(vr) { VR::UN } else { vr };
    put(4, &vr.to_bytes());
    match short {
        Some(short) => {
            put(6, &short.to_le_bytes());
            (out, 8)
        }
        None => {
            put(8, &length.to_le_bytes());
            (out, 12)
        }
    }
}

fn even(length: u64) -> u32 {
    u32::try_from(length.next_multiple_of(2)).unwrap_or(u32::MAX - 1)
}

/// NUL for UIDs and binary, a space for other text (PS3.5 §6.2).
fn pad(vr: VR) -> &'static [u8] {
    if vr != VR::UI && is_text(vr) { b" " } else { &[0] }
}

/// Writes elements; `source` gives the values that the scan did not keep.
pub(crate) struct Writer<'a, R, W: ?Sized> {
    pub out: &'a mut W,
    pub source: &'a mut R,
    /// Implicit VR, else Explicit VR.
    pub implicit: bool,
    /// Whether an icon may keep encapsulated Pixel Data. Where not, the sequence around it goes.
    pub encapsulated_icons: bool,
    /// Bytes written.
    pub written: u64,
    /// Bytes that may be written.
    pub bytes_max: u64,
}

impl<R: Read + Seek, W: Write + ?Sized> Writer<'_, R, W> {
    /// Writes one element.
    ///
    /// # Errors
    /// [`Error::TooBig`] past `bytes_max`; [`Error::Truncated`] and [`Error::Io`] if it cannot be read or written.
    pub fn piece(&mut self, piece: &Piece) -> Result<(), Error> {
        match piece {
            Piece::Changed(tag, vr, value) => self.whole(*tag, *vr, value),
            Piece::Kept(element) => self.element(element),
        }
    }

    /// Depth is bounded by the limit the scan had.
    fn element(&mut self, element: &Element) -> Result<(), Error> {
        match &element.value {
            Value::Sequence(items) if !self.encapsulated_icons && items.iter().any(holds_fragments) => Ok(()),
            Value::Sequence(items) => {
                self.head(element.tag, VR::SQ, u32::MAX)?;
                for item in items {
                    self.bytes(&ITEM)?;
                    self.data_set(&item.data_set)?;
                    self.bytes(&ITEM_DELIMITER)?;
                }
                self.bytes(&SEQUENCE_DELIMITER)?;
                self.check(element, 0)
            }
            Value::Fragments(_) => {
                // The items of an icon's encapsulated Pixel Data are little-endian already, their delimiter included.
                self.check(element, element.value_length)?;
                self.head(element.tag, VR::OB, u32::MAX)?;
                self.copied(element)
            }
            Value::Bytes(bytes) => {
                self.check(element, bytes.len() as u64)?;
                let mut bytes = std::borrow::Cow::Borrowed(&bytes[..]);
                if element.big_endian {
                    swap(bytes.to_mut(), element.vr);
                }
                self.whole(element.tag, element.vr, &bytes)
            }
            Value::Skipped => {
                self.check(element, element.value_length)?;
                self.head(element.tag, element.vr, even(element.value_length))?;
                self.copied(element)?;
                self.bytes(if element.value_length % 2 == 1 { pad(element.vr) } else { &[] })
            }
        }
    }

    fn data_set(&mut self, data_set: &DataSet) -> Result<(), Error> {
        let mut elements: Vec<&Element> = data_set.elements.iter().filter(|element| element.tag.1 != 0).collect();
        elements.sort_by_key(|element| element.tag);
        elements.dedup_by_key(|element| element.tag);
        elements.into_iter().try_for_each(|element| self.element(element))
    }

    fn whole(&mut self, tag: Tag, vr: VR, value: &[u8]) -> Result<(), Error> {
        self.head(tag, vr, even(value.len() as u64))?;
        self.bytes(value)?;
        self.bytes(if value.len() % 2 == 1 { pad(vr) } else { &[] })
    }

    /// Tag, VR and length; what follows is for the caller to write.
    pub fn head(&mut self, tag: Tag, vr: VR, length: u32) -> Result<(), Error> {
        let (head, bytes) = head(tag, vr, length, self.implicit);
        self.bytes(head.get(..bytes).unwrap_or_default())
    }

    /// Bytes as they are.
    pub fn bytes(&mut self, bytes: &[u8]) -> Result<(), Error> {
        self.written = self.written.saturating_add(bytes.len() as u64);
        Ok(self.out.write_all(bytes)?)
    }

    /// The value of an element in pieces, its numbers little-endian; without a pad byte.
    pub fn copied(&mut self, element: &Element) -> Result<(), Error> {
        self.source.seek(SeekFrom::Start(element.value_offset))?;
        let mut left = element.value_length;
        let mut piece = Vec::new();
        while left > 0 {
            let wanted = left.min(COPY_BYTES as u64);
            piece.clear();
            (&mut *self.source).take(wanted).read_to_end(&mut piece)?;
            if (piece.len() as u64) < wanted {
                let (tag, offset, needed) = (element.tag, element.offset, element.value_length);
                return Err(Error::Truncated { tag, offset, needed, available: needed - left + piece.len() as u64 });
            }
            if element.big_endian {
                swap(&mut piece, element.vr);
            }
            self.bytes(&piece)?;
            left -= wanted;
        }
        Ok(())
    }

    fn check(&self, element: &Element, bytes: u64) -> Result<(), Error> {
        let header_bytes_max = self.bytes_max;
        match self.written.checked_add(bytes) {
            Some(all) if all <= header_bytes_max => Ok(()),
            _ => Err(Error::TooBig { tag: element.tag, offset: element.offset, bytes, header_bytes_max }),
        }
    }
}

fn holds_fragments(item: &Item) -> bool {
    item.data_set.elements.iter().any(|element| matches!(element.value, Value::Fragments(_)))
}
