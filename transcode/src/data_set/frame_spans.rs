//! Where each frame lies (PS3.5 §8, §A.4; PS3.3 C.7.6.3.1.8 Extended Offset Table).

use std::io::{Read, Seek, SeekFrom};

use super::element::{Element, Fragment, Value};
use super::scanner::is_pixels;
use super::{Error, Part10, pixel_description, tags};
use crate::PixelDescription;

/// One frame in the file (in the inflated stream, if the Data Set is deflated).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FrameSpan {
    /// First byte of the frame. With one fragment, the first byte of its value; with more, of its first item tag.
    pub offset: u64,
    /// Bytes of the frame, without the pad byte; with several fragments, up to the end of the last one, item
    /// headers included. Native frames of one bit a pixel may begin inside a byte: the span covers the whole byte.
    pub length: u64,
    /// Fragments the frame is in; 0 for a frame of native (not encapsulated) Pixel Data.
    pub fragments: u32,
}

/// Bytes of the tag and length of an item.
const ITEM_HEADER_BYTES: u64 = 8;

/// Frames that are listed. Encapsulated ones are bounded by their fragments, native ones of a pixel or less are not.
const FRAMES_MAX: u32 = 1_000_000;

/// Every frame, in order; empty for what has no pixels.
///
/// Native frames follow from the description. Encapsulated ones: all fragments of a single frame; one fragment a
/// frame; the Extended or the Basic Offset Table, if its offsets are of items; else a frame begins where a fragment
/// begins with a JPEG SOI, a JPEG 2000 SOC or a JP2 signature. `source` is read only for a few bytes a frame.
///
/// # Errors
/// [`Error::PixelLength`] and [`Error::FragmentCount`] where Pixel Data holds less than its description says;
/// [`Error::FramesUnclear`] where nothing tells the frames apart; [`Error::ElementCount`] past 1,000,000 native frames.
pub fn frame_spans(part10: &Part10, source: &mut (impl Read + Seek)) -> Result<Vec<FrameSpan>, Error> {
    let data_set = &part10.data_set;
    let Some(pixels) = data_set.elements.iter().find(|element| is_pixels(element.tag)) else { return Ok(Vec::new()) };
    let Some(description) = pixel_description(data_set) else { return Ok(Vec::new()) };
    match &pixels.value {
        Value::Fragments(fragments) => {
            let (table, fragments) = fragments.split_first().unwrap_or((&Fragment { offset: 0, length: 0 }, &[]));
            let tables = Tables { basic: *table, extended: extended(part10) };
            encapsulated(&description, &tables, fragments, source)
        }
        _ => native(&description, pixels),
    }
}

/// Splits native Pixel Data by its description (PS3.5 §8.1.1); frames of one bit are packed without gaps.
fn native(description: &PixelDescription, pixels: &Element) -> Result<Vec<FrameSpan>, Error> {
    let frames = u64::from(description.number_of_frames);
    let bits = frame_bits(description);
    let expected = u64::try_from((u128::from(bits) * u128::from(frames)).div_ceil(8)).unwrap_or(u64::MAX);
    if expected > pixels.value_length {
        return Err(Error::PixelLength { expected, actual: pixels.value_length });
    }
    if bits == 0 {
        return Ok(Vec::new());
    }
    if description.number_of_frames > FRAMES_MAX {
        return Err(Error::ElementCount { offset: pixels.offset, elements_max: FRAMES_MAX as usize });
    }
    let span = |frame: u64| {
        let (first, end) = (frame * bits / 8, ((frame + 1) * bits).div_ceil(8));
        FrameSpan { offset: pixels.value_offset + first, length: end - first, fragments: 0 }
    };
    Ok((0..frames).map(span).collect())
}

/// Bits of a native frame. YBR_FULL_422 and its kin have two samples a pixel (PS3.3 C.7.6.3.1.2).
pub(crate) fn frame_bits(description: &PixelDescription) -> u64 {
    let halved = ["YBR_FULL_422", "YBR_PARTIAL_422"].contains(&description.photometric_interpretation.as_str());
    let samples = if halved { 2 } else { u64::from(description.samples_per_pixel) };
    let pixels = u64::from(description.rows) * u64::from(description.columns);
    pixels.saturating_mul(samples * u64::from(description.bits_allocated))
}

/// The two offset tables.
struct Tables {
    basic: Fragment,
    /// Offset and length of each frame.
    extended: Vec<(u64, u64)>,
}

/// Extended Offset Table (7FE0,0001) and Extended Offset Table Lengths (7FE0,0002), both OV.
fn extended(part10: &Part10) -> Vec<(u64, u64)> {
    let words = |tag| -> Vec<u64> {
        let bytes = part10.data_set.bytes(tag).unwrap_or_default();
        let word = |eight: &[u8]| eight.try_into().map(u64::from_le_bytes).unwrap_or(u64::MAX);
        bytes.chunks_exact(8).map(word).collect()
    };
    let (offsets, lengths) = (words(tags::EXTENDED_OFFSET_TABLE), words(tags::EXTENDED_OFFSET_TABLE_LENGTHS));
    let lengths = lengths.into_iter().chain(std::iter::repeat(u64::MAX));
    offsets.into_iter().zip(lengths).collect()
}

fn encapsulated(
    description: &PixelDescription,
    tables: &Tables,
    fragments: &[Fragment],
    source: &mut (impl Read + Seek),
) -> Result<Vec<FrameSpan>, Error> {
    let frames = description.number_of_frames;
    let count = usize::try_from(frames).unwrap_or(usize::MAX);
    if fragments.len() < count {
        return Err(Error::FragmentCount { frames, fragments: fragments.len() });
    }
    let starts: Vec<usize> = if count == 1 {
        vec![0]
    } else if fragments.len() == count {
        (0..count).collect()
    } else {
        let known = by_offsets(fragments, tables.extended.iter().map(|entry| entry.0), count);
        let known = match known {
            None => by_offsets(fragments, basic(&tables.basic, source)?.into_iter(), count),
            known => known,
        };
        match known {
            Some(starts) => starts,
            None => by_markers(fragments, source, count)?
                .ok_or(Error::FramesUnclear { frames, fragments: fragments.len() })?,
        }
    };
    let ends = starts.iter().skip(1).copied().chain([fragments.len()]);
    let mut spans = Vec::with_capacity(starts.len());
    for (index, (start, end)) in starts.iter().zip(ends).enumerate() {
        let told = tables.extended.get(index).map_or(u64::MAX, |entry| entry.1);
        spans.extend(fragments.get(*start..end).and_then(|group| span(group, told)));
    }
    spans.iter_mut().try_for_each(|span| trim(span, source))?;
    Ok(spans)
}

/// The span of one frame's fragments. `told` is its length by the Extended Offset Table.
fn span(fragments: &[Fragment], told: u64) -> Option<FrameSpan> {
    match fragments {
        [] => None,
        [one] => {
            let told = if told == one.length || told.checked_add(1) == Some(one.length) { told } else { one.length };
            Some(FrameSpan { offset: one.offset, length: told, fragments: 1 })
        }
        [first, .., last] => {
            let offset = first.offset.saturating_sub(ITEM_HEADER_BYTES);
            let length = last.offset.saturating_add(last.length).saturating_sub(offset);
            Some(FrameSpan { offset, length, fragments: u32::try_from(fragments.len()).ok()? })
        }
    }
}

/// Takes off the pad byte after EOI or EOC (both FF D9): a fragment has an even length, a codestream need not.
fn trim(span: &mut FrameSpan, source: &mut (impl Read + Seek)) -> Result<(), Error> {
    if span.fragments == 1 && span.length > 3 && peek::<3>(source, span.offset + span.length - 3)? == [0xFF, 0xD9, 0] {
        span.length -= 1;
    }
    Ok(())
}

/// Offsets of the Basic Offset Table: of item tags, from the first byte after the table (PS3.5 §A.4).
fn basic(table: &Fragment, source: &mut (impl Read + Seek)) -> Result<Vec<u64>, Error> {
    let mut bytes = Vec::new();
    source.seek(SeekFrom::Start(table.offset))?;
    source.take(table.length).read_to_end(&mut bytes)?;
    let word = |four: &[u8]| four.try_into().map_or(u64::MAX, |four| u64::from(u32::from_le_bytes(four)));
    Ok(bytes.chunks_exact(4).map(word).collect())
}

/// The fragment each frame begins with, if there are `count` rising offsets and each is of an item.
fn by_offsets(fragments: &[Fragment], offsets: impl Iterator<Item = u64>, count: usize) -> Option<Vec<usize>> {
    let base = fragments.first()?.offset;
    let at = |offset: u64| fragments.binary_search_by_key(&base.checked_add(offset)?, |one| one.offset).ok();
    let starts: Vec<usize> = offsets.map(at).collect::<Option<_>>()?;
    let rising = starts.is_sorted_by(|a, b| a < b) && starts.first() == Some(&0);
    (rising && starts.len() == count).then_some(starts)
}

/// The fragments that begin a codestream, if there are `count` of them.
fn by_markers(
    fragments: &[Fragment],
    source: &mut (impl Read + Seek),
    count: usize,
) -> Result<Option<Vec<usize>>, Error> {
    let mut starts = Vec::new();
    for (index, fragment) in fragments.iter().enumerate() {
        let first = if fragment.length < 4 { [0; 4] } else { peek::<4>(source, fragment.offset)? };
        if matches!(first, [0xFF, 0xD8, 0xFF, _] | [0xFF, 0x4F, 0xFF, 0x51] | [0, 0, 0, 0x0C]) {
            starts.push(index);
        }
    }
    Ok((starts.len() == count && starts.first() == Some(&0)).then_some(starts))
}

fn peek<const N: usize>(source: &mut (impl Read + Seek), offset: u64) -> Result<[u8; N], Error> {
    let mut bytes = [0; N];
    source.seek(SeekFrom::Start(offset))?;
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}
