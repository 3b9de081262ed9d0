//! A Part 10 file of metadata and bulk data: Explicit VR Little Endian, sequences of undefined length, so that nothing has
//! to be counted before it is written, and what is large stays where it is until it is copied.

use archive::Body;
use bytes::Bytes;
use transcode::data_set::{Tag, VR};

use super::{Attribute, Attributes, Content, Fault, PIXEL_DATA, Pixels, text};

/// Transfer Syntax UID (0002,0010).
pub const TRANSFER_SYNTAX_UID: Tag = Tag(0x0002, 0x0010);
/// Implementation Class UID (0002,0012) of this program, a UUID under 2.25 (PS3.5 Annex B.2).
const IMPLEMENTATION_CLASS_UID: &[u8] = b"2.25.147690566403151300588110216293652751095";
const IMPLEMENTATION_VERSION_NAME: &[u8] = b"TSUNAGU_0";

const ITEM: [u8; 8] = [0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF];
const ITEM_TAG: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
const ITEM_DELIMITER: [u8; 8] = [0xFE, 0xFF, 0x0D, 0xE0, 0, 0, 0, 0];
const SEQUENCE_DELIMITER: [u8; 8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];

/// A stretch of the file.
#[derive(Clone, Debug)]
pub enum Segment {
    /// Written here.
    Bytes(Bytes),
    /// As it came.
    Body(Body),
}

/// The file, in order. `find` answers the bytes of a URI.
///
/// # Errors
/// The attribute whose bulk data did not come, or that no element can hold.
pub fn part10(
    attributes: &Attributes,
    pixels: Option<&Pixels>,
    find: &dyn Fn(&str) -> Option<Body>,
) -> Result<Vec<Segment>, Fault> {
    let transfer_syntax = pixels.map_or("1.2.840.10008.1.2.1", |pixels| pixels.transfer_syntax_uid.as_str());
    let mut writer = Writer { segments: Vec::new(), tail: meta(attributes, transfer_syntax), find, pixels };
    writer.data_set(attributes, true)?;
    writer.flush();
    Ok(writer.segments)
}

/// Preamble, prefix and File Meta Information (PS3.10 §7.1).
fn meta(attributes: &Attributes, transfer_syntax_uid: &str) -> Vec<u8> {
    let uid = |tag| text(attributes, tag).as_bytes();
    let mut group = Vec::with_capacity(256);
    for (number, vr, value) in [
        (0x01, VR::OB, &[0, 1][..]),
        (0x02, VR::UI, uid(Tag(0x0008, 0x0016))),
        (0x03, VR::UI, uid(Tag(0x0008, 0x0018))),
        (0x10, VR::UI, transfer_syntax_uid.as_bytes()),
        (0x12, VR::UI, IMPLEMENTATION_CLASS_UID),
        (0x13, VR::SH, IMPLEMENTATION_VERSION_NAME),
    ] {
        put(&mut group, Tag(0x0002, number), vr, value);
    }
    let mut out = vec![0; 128];
    out.extend_from_slice(b"DICM");
    put(&mut out, Tag(0x0002, 0x0000), VR::UL, &u32::try_from(group.len()).unwrap_or(u32::MAX).to_le_bytes());
    out.extend_from_slice(&group);
    out
}

/// Whether the length of this VR takes four bytes, after two reserved ones (PS3.5 Table 7.1-1).
fn is_long(vr: VR) -> bool {
    use VR::*;
    matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
}

fn head(out: &mut Vec<u8>, tag: Tag, vr: VR, length: u32) {
    // PS3.5 §6.2.2 Note: a value too long for a short VR is UN.
    let short = u16::try_from(length);
    let vr = if short.is_err() && !is_long(vr) { VR::UN } else { vr };
    out.extend_from_slice(&tag.0.to_le_bytes());
    out.extend_from_slice(&tag.1.to_le_bytes());
    out.extend_from_slice(&vr.to_bytes());
    match short {
        Ok(short) if !is_long(vr) => out.extend_from_slice(&short.to_le_bytes()),
        _ => {
            out.extend_from_slice(&[0, 0]);
            out.extend_from_slice(&length.to_le_bytes());
        }
    }
}

/// An element with its value, padded to an even length: NUL for UIDs and binary, a space for other text (PS3.5 §6.2).
fn put(out: &mut Vec<u8>, tag: Tag, vr: VR, value: &[u8]) {
    let even = value.len().next_multiple_of(2);
    head(out, tag, vr, u32::try_from(even).unwrap_or(u32::MAX - 1));
    out.extend_from_slice(value);
    if even > value.len() {
        out.push(if vr != VR::UI && super::value::is_text(vr) { b' ' } else { 0 });
    }
}

struct Writer<'a> {
    segments: Vec<Segment>,
    tail: Vec<u8>,
    find: &'a dyn Fn(&str) -> Option<Body>,
    pixels: Option<&'a Pixels>,
}

impl Writer<'_> {
    /// Depth is bounded by what the readers allow.
    fn data_set(&mut self, attributes: &Attributes, outermost: bool) -> Result<(), Fault> {
        for (tag, attribute) in attributes.iter().filter(|(tag, _)| tag.0 > 0x0002) {
            match self.pixels {
                Some(pixels) if outermost && *tag == PIXEL_DATA => self.pixel_data(pixels)?,
                _ => self.element(*tag, attribute)?,
            }
        }
        Ok(())
    }

    fn element(&mut self, tag: Tag, attribute: &Attribute) -> Result<(), Fault> {
        match &attribute.content {
            Content::Bytes(bytes) => put(&mut self.tail, tag, attribute.vr, bytes),
            Content::Bulk(uri) => {
                let body = (self.find)(uri).ok_or_else(|| {
                    Fault::at(super::hex_of(tag), "no part has the Content-Location of its BulkDataURI; send it too")
                })?;
                let length = length_of(tag, body.len())?;
                head(&mut self.tail, tag, attribute.vr, length);
                self.body(body);
            }
            Content::Items(items) => {
                head(&mut self.tail, tag, VR::SQ, u32::MAX);
                for (index, item) in items.iter().enumerate() {
                    self.tail.extend_from_slice(&ITEM);
                    self.data_set(item, false).map_err(|fault| fault.inside(tag, index))?;
                    self.tail.extend_from_slice(&ITEM_DELIMITER);
                }
                self.tail.extend_from_slice(&SEQUENCE_DELIMITER);
            }
        }
        Ok(())
    }

    fn pixel_data(&mut self, pixels: &Pixels) -> Result<(), Fault> {
        if !pixels.encapsulated {
            let bytes = pixels.frames.iter().map(Body::len).fold(0, u64::saturating_add);
            head(&mut self.tail, PIXEL_DATA, pixels.vr, length_of(PIXEL_DATA, bytes)?);
            pixels.frames.iter().for_each(|frame| self.push(frame.clone()));
            self.tail.extend_from_slice(if bytes % 2 == 1 { &[0] } else { &[] });
            return Ok(());
        }
        // PS3.5 §A.4: OB of undefined length, a Basic Offset Table, a fragment a frame.
        head(&mut self.tail, PIXEL_DATA, VR::OB, u32::MAX);
        let table = offsets(&pixels.frames);
        self.tail.extend_from_slice(&ITEM_TAG);
        self.tail.extend_from_slice(&(4 * table.len() as u32).to_le_bytes());
        table.iter().for_each(|offset| self.tail.extend_from_slice(&offset.to_le_bytes()));
        for frame in &pixels.frames {
            self.tail.extend_from_slice(&ITEM_TAG);
            self.tail.extend_from_slice(&length_of(PIXEL_DATA, frame.len())?.to_le_bytes());
            self.body(frame.clone());
        }
        self.tail.extend_from_slice(&SEQUENCE_DELIMITER);
        Ok(())
    }

    /// A value and its pad byte.
    fn body(&mut self, body: Body) {
        let odd = !body.len().is_multiple_of(2);
        self.push(body);
        self.tail.extend_from_slice(if odd { &[0] } else { &[] });
    }

    fn push(&mut self, body: Body) {
        self.flush();
        self.segments.push(Segment::Body(body));
    }

    fn flush(&mut self) {
        if !self.tail.is_empty() {
            self.segments.push(Segment::Bytes(std::mem::take(&mut self.tail).into()));
        }
    }
}

fn length_of(tag: Tag, bytes: u64) -> Result<u32, Fault> {
    let even = bytes.checked_next_multiple_of(2).and_then(|even| u32::try_from(even).ok());
    let too_long = || Fault::at(super::hex_of(tag), format!("{bytes} bytes; an element has at most 4 GiB less two"));
    even.filter(|even| *even < u32::MAX).ok_or_else(too_long)
}

/// Where the item of each frame begins, counted from the first; empty for a single frame, or beyond 4 GiB.
fn offsets(frames: &[Body]) -> Vec<u32> {
    let mut at = 0_u64;
    let begin = |frame: &Body| {
        let here = u32::try_from(at).ok();
        at = at.saturating_add(8).saturating_add(frame.len().next_multiple_of(2));
        here
    };
    let table: Option<Vec<u32>> = frames.iter().map(begin).collect();
    table.filter(|table| table.len() > 1).unwrap_or_default()
}
