//! A whole Part 10 file with pixels, opened to be decoded frame by frame.

use std::borrow::Cow;
use std::io::Cursor;

use crate::data_set::{self, Encoding, FrameSpan, Limits, Part10, Tag};
use crate::description::PixelDescription;
use crate::error::{Error, Result};
use crate::frames::{Frame, decode_frame};

/// Tag of an item as it is encoded (PS3.5 §7.5).
const ITEM_TAG: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];

/// A file, where its frames are, and what they are.
pub(crate) struct Instance<'a> {
    /// The bytes that offsets are of: the file, or what its Data Set inflates to.
    pub bytes: Cow<'a, [u8]>,
    pub part10: Part10,
    pub description: PixelDescription,
    spans: Vec<FrameSpan>,
}

impl<'a> Instance<'a> {
    /// # Errors
    /// [`Error::NoPixels`]; [`Error::Damaged`] in a sentence when it is no DICOM or its frames cannot be told apart.
    pub fn open(file: &'a [u8], limits: &Limits) -> Result<Instance<'a>> {
        let wrong = |error: data_set::Error| Error::Damaged { coder: "DICOM file", detail: error.to_string() };
        let mut source = Cursor::new(file);
        let part10 = data_set::scan(&mut source, limits).map_err(wrong)?;
        let bytes = match part10.deflated {
            true => Cow::Owned(data_set::inflate(&part10, &mut source, limits).map_err(wrong)?),
            false => Cow::Borrowed(file),
        };
        let description = data_set::pixel_description(&part10.data_set).ok_or(Error::NoPixels)?;
        let spans = data_set::frame_spans(&part10, &mut Cursor::new(&*bytes)).map_err(wrong)?;
        if spans.is_empty() {
            return Err(Error::NoPixels);
        }
        // In OW words of big-endian files bytes stand swapped, and single bits begin inside bytes: see decode_frame.
        let swapped = part10.encoding == Encoding::ExplicitBig && description.bits_allocated == 8;
        if swapped || description.bits_allocated == 1 {
            let detail = "its frames are of single bits, or of bytes in big-endian words".into();
            return Err(Error::Damaged { coder: "DICOM file", detail });
        }
        Ok(Instance { bytes, part10, description, spans })
    }

    /// How many frames there are.
    pub fn frames(&self) -> usize {
        self.spans.len()
    }

    /// Decodes frame `index`, from 0.
    ///
    /// # Errors
    /// Those of [`decode_frame`].
    pub fn frame(&self, index: usize) -> Result<Frame> {
        let bytes = self.frame_bytes(index).ok_or_else(|| Error::Damaged {
            coder: "DICOM file",
            detail: format!("frame {} reaches beyond its end", index + 1),
        })?;
        decode_frame(&self.part10.transfer_syntax_uid, &self.description, &bytes)
    }

    /// The bytes of a frame, its fragments joined.
    fn frame_bytes(&self, index: usize) -> Option<Cow<'_, [u8]>> {
        let span = self.spans.get(index)?;
        let start = usize::try_from(span.offset).ok()?;
        let bytes = self.bytes.get(start..start.checked_add(usize::try_from(span.length).ok()?)?)?;
        if span.fragments < 2 {
            return Some(Cow::Borrowed(bytes));
        }
        joined(bytes).map(Cow::Owned)
    }

    /// The text of a value of the default repertoire; empty where there is none.
    pub fn text(&self, tag: Tag) -> &str {
        self.part10.data_set.ascii(tag).unwrap_or_default()
    }
}

/// The values of fragments, of which `items` are the items one behind the other; `None` where they are none.
pub(crate) fn joined(items: &[u8]) -> Option<Vec<u8>> {
    let (mut joined, mut rest) = (Vec::with_capacity(items.len()), items);
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if header[..4] != ITEM_TAG {
            return None;
        }
        let (value, next) = after.split_at_checked(length)?;
        joined.extend_from_slice(value);
        rest = next;
    }
    Some(joined)
}
