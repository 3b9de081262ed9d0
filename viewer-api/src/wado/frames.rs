//! Retrieve frames (PS3.18 §10.4.1.1.6): as they are held, or decoded to native little-endian samples.

use std::sync::Arc;

use archive::{FrameSpan, Held};
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::{Bytes, BytesMut};
use futures::stream::{self, StreamExt};
use tokio::runtime::Handle;
use transcode::data_set::{Limits, inflate, scan};
use transcode::{PixelDescription, Samples, Values};

use super::accept::MediaRange;
use super::held_file::HeldFile;
use super::{Address, Caller, entity_tag, instance_at, not_modified, single, tagged};
use crate::audit::{Access, Counts, Rendition};
use crate::document::Document;
use crate::error::{Error, Result};
use crate::metadata;
use crate::multipart::{self, Part, whole};
use crate::shown::Shown;
use crate::state::ViewerState;

/// Frames in one request at the most.
const FRAMES_MAX: usize = 10_000;
/// Bytes of one frame that are read into memory at the most.
const FRAME_BYTES_MAX: u64 = 512 << 20;
/// Native samples, or anything.
const OCTETS: &str = "application/octet-stream";
/// Explicit VR Little Endian.
const EXPLICIT_LITTLE: &str = "1.2.840.10008.1.2.1";
/// Deflated Explicit VR Little Endian.
const DEFLATED: &str = "1.2.840.10008.1.2.1.99";
/// Tag of an item as it is encoded (PS3.5 §7.5): FFFE,E000.
const ITEM_TAG: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];

/// The frames of an instance, to be read one by one.
pub(crate) struct FrameSource {
    /// The instance.
    pub(crate) held: Held,
    spans: Vec<FrameSpan>,
    inflated: Option<Bytes>,
    /// The viewing copy that frames are read from, instead of the file as held.
    copy: Option<archive::Rendition>,
}

impl FrameSource {
    /// Finds out where the frames of an instance lie.
    pub(crate) async fn open(state: &ViewerState, held: Held) -> Result<FrameSource> {
        let spans = state.reader().frames(&held).await?.frames;
        let inflated = if held.transfer_syntax_uid == DEFLATED { Some(inflated(state, &held).await?) } else { None };
        Ok(FrameSource { held, spans, inflated, copy: None })
    }

    /// The frames of a viewing copy; `held` says of itself what the copy is.
    async fn of_copy(state: &ViewerState, held: Held, copy: archive::Rendition) -> Result<FrameSource> {
        let spans = state.reader().rendition_frames(&copy).await?.frames;
        Ok(FrameSource { held, spans, inflated: None, copy: Some(copy) })
    }

    /// Whether it holds an inflated Data Set in memory.
    pub(crate) fn is_inflated(&self) -> bool {
        self.inflated.is_some()
    }

    /// How many frames there are.
    pub(crate) fn count(&self) -> usize {
        self.spans.len()
    }

    /// The bytes of frame `number` (from 1), its fragments joined.
    pub(crate) async fn bytes(&self, state: &ViewerState, number: u32) -> Result<Bytes> {
        let uid = &self.held.record.description.instance.sop_instance_uid;
        let index = (number as usize).checked_sub(1);
        let what = || format!("frame {number} of instance {uid}");
        let span = index.and_then(|index| self.spans.get(index)).ok_or_else(|| Error::NotFound(what()))?;
        if span.length > FRAME_BYTES_MAX {
            return Err(Error::TooLarge { what: what(), bytes: span.length, limit: FRAME_BYTES_MAX });
        }
        let end = span.offset.saturating_add(span.length);
        let bytes = match (&self.inflated, &self.copy) {
            (_, Some(copy)) => state.reader().read_rendition(copy, Some(span.offset..end)).await?,
            (None, None) => state.reader().read(&self.held, Some(span.offset..end)).await?,
            (Some(inflated), None) => {
                let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(inflated.len());
                inflated.slice(bound(span.offset)..bound(end))
            }
        };
        if bytes.len() as u64 != span.length {
            let detail = format!("{} bytes of {} are there", bytes.len(), span.length);
            return Err(archive::Error::Damaged { what: what(), detail }.into());
        }
        if span.fragments > 1 { Ok(joined(&bytes)) } else { Ok(bytes) }
    }
}

/// The values of the fragments that a span of several covers, item headers taken out (PS3.5 §A.4).
fn joined(items: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(items.len());
    let mut rest = items;
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if header[..4] != ITEM_TAG {
            break;
        }
        let value = after.get(..length).unwrap_or(after);
        out.extend_from_slice(value);
        rest = after.get(length..).unwrap_or(&[]);
    }
    out.freeze()
}

/// A deflated Data Set has no frames in the file: they are in what it inflates to (PS3.5 Annex A.5).
async fn inflated(state: &ViewerState, held: &Held) -> Result<Bytes> {
    let what = format!("instance {}", held.record.description.instance.sop_instance_uid);
    let place = state.pool().place().await?;
    let mut file = HeldFile::new(state.reader().clone(), held.clone(), Handle::current());
    let name = what.clone();
    let work = move || {
        let limits = Limits::default();
        let part10 = scan(&mut file, &limits).and_then(|part10| inflate(&part10, &mut file, &limits));
        part10.map(Bytes::from).map_err(|error| Error::Pixels { what, detail: error.to_string() })
    };
    place.run(&name, work).await
}

/// Frame numbers from 1, separated by commas.
///
/// # Errors
/// [`Error::Invalid`] for anything else, and for more than 10,000.
pub(crate) fn frame_list(text: &str) -> Result<Vec<u32>> {
    let numbers: Option<Vec<u32>> =
        text.split(',').take(FRAMES_MAX + 1).map(|n| n.trim().parse().ok().filter(|n| *n > 0)).collect();
    let next_step = "name frames as 1,2,3; the first is 1, at most 10,000 a request";
    numbers
        .filter(|numbers| numbers.len() <= FRAMES_MAX)
        .ok_or_else(|| Error::invalid("the list of frames cannot be read", next_step))
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    AsHeld,
    Native,
}

/// `GET …/instances/I/frames/{list}`.
pub(crate) async fn frames(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let numbers = frame_list(&address.frames)?;
    let held = instance_at(&state, &address).await?;
    let (held, copy) = asked_copy(&state, &caller.accept, held).await?;
    let (form, in_parts) = choose(&caller.accept, &held, numbers.len(), &address)?;
    let access = state.audit().access(&caller.principal, &address.study, Rendition::View, caller.purpose).await?;
    let pack = held.pack().unwrap_or_default();
    let tag = entity_tag(&held, &format!("{form:?}-{pack}-{}-{in_parts}", address.frames));
    if caller.has(&tag) {
        access.serve(Counts { frames: numbers.len() as u64, ..Counts::default() }).await?;
        return Ok(not_modified(&tag));
    }
    let shown = match copy {
        None => state.shown().get(&state, held).await?,
        Some(copy) => {
            let (document, _) = Document::of(&state, &held).await?;
            Arc::new(Shown { document, source: FrameSource::of_copy(&state, held, copy).await? })
        }
    };
    let source = &shown.source;
    if let Some(beyond) = numbers.iter().find(|number| **number as usize > source.count()) {
        return Err(Error::NotFound(format!("frame {beyond} of {}, which has {}", address.sentence(), source.count())));
    }
    let content_type = content_type(&source.held.transfer_syntax_uid, form);
    if let ([number], false) = (numbers.as_slice(), in_parts) {
        let bytes = frame(&state, &shown, *number, form, &access).await?;
        let length = bytes.len() as u64;
        let body = if caller.head { Body::empty() } else { Body::from(bytes) };
        return Ok(tagged(single(&content_type, Some(length), body), &tag));
    }
    let place = metadata::place(&caller.base, &source.held);
    let root = content_type.split(';').next().unwrap_or(OCTETS).to_owned();
    // The first frame is read before the status is said: what cannot be decoded is an answer, not a broken body.
    let mut first = match numbers.first() {
        Some(number) => Some(frame(&state, &shown, *number, form, &access).await?),
        None => None,
    };
    let parts = stream::iter(numbers).then(move |number| {
        let (state, shown, access, ready) = (state.clone(), Arc::clone(&shown), access.clone(), first.take());
        let (content_type, location) = (content_type.clone(), format!("{place}/frames/{number}"));
        async move {
            let bytes = match ready {
                Some(bytes) => bytes,
                None => frame(&state, &shown, number, form, &access).await?,
            };
            let content_length = Some(bytes.len() as u64);
            Ok(Part { content_type, content_location: Some(location), content_length, body: whole(bytes) })
        }
    });
    Ok(tagged(multipart::related(&root, parts), &tag))
}

/// Where frames are asked for in the transfer syntax of viewing copies, which the file as held does not have, and there is
/// such a copy: the instance as the copy has it.
async fn asked_copy(
    state: &ViewerState,
    accept: &[MediaRange],
    held: Held,
) -> Result<(Held, Option<archive::Rendition>)> {
    let wanted = transcode::codec::TRANSFER_SYNTAX_UID;
    let first = accept.iter().find(|range| {
        let uid = range.transfer_syntax();
        uid == Some(wanted) || uid == Some(&held.transfer_syntax_uid) || range.takes_any_transfer_syntax()
    });
    let asked = first.is_some_and(|range| range.transfer_syntax() == Some(wanted));
    if !asked || held.transfer_syntax_uid == wanted || !transcode::viewing_copy::is_wanted(&held.transfer_syntax_uid) {
        return Ok((held, None));
    }
    let Some(copy) = state.reader().viewing_copy(&held).await? else { return Ok((held, None)) };
    let mut as_copied = held;
    as_copied.transfer_syntax_uid.clone_from(&copy.record.transfer_syntax_uid);
    as_copied.part10_bytes = copy.part10_bytes;
    Ok((as_copied, Some(copy)))
}

async fn frame(state: &ViewerState, shown: &Shown, number: u32, form: Form, access: &Access) -> Result<Bytes> {
    let bytes = match form {
        Form::AsHeld => shown.source.bytes(state, number).await?,
        Form::Native => decoded(state, shown, number).await?,
    };
    access.serve(Counts { instances: 0, frames: 1, bytes: bytes.len() as u64 }).await?;
    Ok(bytes)
}

async fn decoded(state: &ViewerState, shown: &Shown, number: u32) -> Result<Bytes> {
    let source = &shown.source;
    let description = shown.document.pixel_description(&source.held);
    let place = state.pool().place().await?;
    let bytes = source.bytes(state, number).await?;
    let syntax = source.held.transfer_syntax_uid.clone();
    let what = format!("frame {number} of instance {}", source.held.record.description.instance.sop_instance_uid);
    let name = what.clone();
    let work = move || {
        let frame = transcode::decode_frame(&syntax, &description, &bytes);
        let frame = frame.map_err(|error| Error::Pixels { what, detail: error.to_string() })?;
        Ok(little_endian(&frame.samples, &description))
    };
    place.run(&name, work).await
}

/// Samples as native Pixel Data has them (PS3.5 §8.1.1), as wide as Bits Allocated says.
fn little_endian(samples: &Samples, description: &PixelDescription) -> Bytes {
    let wide = description.bits_allocated > 8;
    let bytes: Vec<u8> = match samples.values() {
        Values::U8(values) if wide => values.iter().flat_map(|value| u16::from(*value).to_le_bytes()).collect(),
        Values::U8(values) => values.clone(),
        Values::U16(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::I16(values) if wide => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::I16(values) => values.iter().map(|value| *value as u8).collect(),
    };
    Bytes::from(bytes)
}

/// Whether frames of this transfer syntax are held as native little-endian samples.
fn is_native_little(transfer_syntax_uid: &str) -> bool {
    matches!(transfer_syntax_uid, "1.2.840.10008.1.2" | EXPLICIT_LITTLE | DEFLATED | "1.2.840.10008.1.2.1.98")
}

/// Media type of a frame as held (PS3.18 Table 8.7.3-2).
fn media_type(transfer_syntax_uid: &str) -> &'static str {
    match transfer_syntax_uid.strip_prefix("1.2.840.10008.1.2.").unwrap_or("") {
        "4.50" | "4.51" | "4.57" | "4.70" => "image/jpeg",
        "4.80" | "4.81" => "image/jls",
        "4.90" | "4.91" => "image/jp2",
        "4.92" | "4.93" => "image/jpx",
        "4.201" | "4.202" | "4.203" => "image/jphc",
        "4.110" | "4.111" | "4.112" => "image/jxl",
        "5" => "image/dicom-rle",
        video if video.starts_with("4.100") || video.starts_with("4.101") => "video/mpeg2",
        video if video.starts_with("4.10") => "video/mp4",
        _ => OCTETS,
    }
}

fn content_type(transfer_syntax_uid: &str, form: Form) -> String {
    match form {
        Form::AsHeld if !is_native_little(transfer_syntax_uid) => {
            format!("{}; transfer-syntax={transfer_syntax_uid}", media_type(transfer_syntax_uid))
        }
        _ => format!("{OCTETS}; transfer-syntax={EXPLICIT_LITTLE}"),
    }
}

/// The form that is asked for, and whether in parts. As held is preferred: nothing is lost, nothing is decoded.
fn choose(accept: &[MediaRange], held: &Held, count: usize, address: &Address) -> Result<(Form, bool)> {
    let syntax = held.transfer_syntax_uid.as_str();
    let native = is_native_little(syntax);
    for range in accept {
        let in_parts = range.is_multipart() || range.is_any();
        if !in_parts && count > 1 {
            continue;
        }
        let asked = range.transfer_syntax();
        if range.takes_any_transfer_syntax() && range.covers(OCTETS) {
            return Ok((Form::AsHeld, in_parts));
        }
        let is_held = asked.is_none_or(|uid| uid == syntax || (native && uid == EXPLICIT_LITTLE));
        let big_endian = syntax == "1.2.840.10008.1.2.2";
        if range.covers(media_type(syntax)) && is_held && !big_endian {
            return Ok((Form::AsHeld, in_parts));
        }
        if range.covers(OCTETS) && asked.is_none_or(|uid| uid == EXPLICIT_LITTLE) {
            return Ok((Form::Native, in_parts));
        }
    }
    let typed = |kind: &str, uid: &str| format!("multipart/related; type=\"{kind}\"; transfer-syntax={uid}");
    let mut offered = vec![typed(OCTETS, EXPLICIT_LITTLE)];
    if !native {
        offered.insert(0, typed(media_type(syntax), syntax));
    }
    Err(Error::NotAcceptable { what: format!("frames of {}", address.sentence()), offered })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_lists_are_numbers_from_one() {
        assert_eq!(frame_list("1,3, 2").unwrap(), [1, 3, 2]);
        for bad in ["", "0", "1,,2", "-1", "x", "4294967296"] {
            assert!(frame_list(bad).is_err(), "{bad:?}");
        }
        assert!(frame_list(&vec!["1"; FRAMES_MAX + 1].join(",")).is_err());
    }

    #[test]
    fn fragments_are_joined_and_cut_ones_do_not_panic() {
        let item = |value: &[u8]| [&ITEM_TAG[..], &(value.len() as u32).to_le_bytes(), value].concat();
        let items = [item(b"abcd"), item(b"ef")].concat();
        assert_eq!(joined(&items), "abcdef");
        for cut in 0..items.len() {
            assert!(b"abcdef".starts_with(&joined(&items[..cut])), "cut at {cut}");
        }
    }

    #[test]
    fn samples_are_as_wide_as_bits_allocated() {
        let check = |values: Values, bits: u8, bits_allocated: u16, expected: &[u8]| {
            let samples = Samples::new(2, 1, 1, bits, values).unwrap();
            let description = PixelDescription {
                rows: 1,
                columns: 2,
                samples_per_pixel: 1,
                bits_allocated,
                bits_stored: bits.into(),
                high_bit: u16::from(bits) - 1,
                pixel_representation: 0,
                planar_configuration: 0,
                photometric_interpretation: "MONOCHROME2".into(),
                number_of_frames: 1,
            };
            assert_eq!(little_endian(&samples, &description), expected);
        };
        check(Values::U8(vec![1, 2]), 8, 8, &[1, 2]);
        check(Values::U8(vec![1, 2]), 8, 16, &[1, 0, 2, 0]);
        check(Values::U16(vec![0x102, 3]), 12, 16, &[2, 1, 3, 0]);
        check(Values::I16(vec![-1, 3]), 8, 8, &[0xFF, 3]);
    }
}
