//! The form in which a file goes into a pack: codestreams and a recipe where its pixels are native and the proof holds,
//! else as received.

use std::collections::BTreeMap;

use archive::{Form, FrameSpan, FrameTable};
use bytes::Bytes;
use transcode::codec;
use transcode::data_set::rewrite::{self, Changes};
use transcode::data_set::{self, Tag, VR, Value};
use transcode::{Disagreement, Source, recipe};

use super::Bench;

/// How a file came to be held.
pub(crate) enum Kept {
    Rebuilt,
    /// Native pixels that could not be rebuilt.
    NotRebuilt(String),
    /// Already compressed, or no pixels.
    NotNative,
    TooLarge,
}

pub(crate) struct Made {
    pub(crate) form: Form,
    pub(crate) kept: Kept,
}

impl Made {
    pub(super) fn received(kept: Kept) -> Made {
        Made { form: Form::Received, kept }
    }
}

pub(super) fn make(received: &Bytes, digest: &[u8; 32], bench: &Bench) -> Result<Made, Disagreement> {
    let saves_percent_min = bench.saves_percent_min;
    let mut source = std::io::Cursor::new(received);
    let part10 = match data_set::scan(&mut source, &bench.limits) {
        Ok(part10) => part10,
        Err(error) => return Ok(Made::received(Kept::NotRebuilt(error.to_string()))),
    };
    Ok(match native_pixels(&part10, received) {
        Native::No { encapsulated: true } => Made::received(Kept::NotNative),
        Native::No { encapsulated: false } => compressed(received, saves_percent_min, Kept::NotNative),
        Native::Deflated => Made::received(Kept::NotRebuilt("its Data Set is deflated".into())),
        Native::Yes(pixels) => match pack_native(&part10, &pixels, digest, bench) {
            Ok(form) => Made { form, kept: Kept::Rebuilt },
            Err(Unpacked::Kept(why)) => compressed(received, saves_percent_min, Kept::NotRebuilt(why)),
            Err(Unpacked::Disagreement(disagreement)) => return Err(disagreement),
        },
    })
}

/// Why native pixels did not become codestreams.
enum Unpacked {
    /// The file is kept as received.
    Kept(String),
    /// Nothing is packed any more.
    Disagreement(Disagreement),
}

impl From<Disagreement> for Unpacked {
    fn from(disagreement: Disagreement) -> Unpacked {
        Unpacked::Disagreement(disagreement)
    }
}

/// Whatever else goes wrong.
fn kept(error: impl std::fmt::Display) -> Unpacked {
    Unpacked::Kept(error.to_string())
}

enum Native<'a> {
    Yes(Source<'a>),
    No { encapsulated: bool },
    Deflated,
}

fn native_pixels<'a>(part10: &data_set::Part10, received: &'a [u8]) -> Native<'a> {
    let float = [Tag(0x7FE0, 0x0008), Tag(0x7FE0, 0x0009)];
    let pixel_data = part10.data_set.get(Tag(0x7FE0, 0x0010));
    let Some(element) = pixel_data.or_else(|| float.iter().find_map(|tag| part10.data_set.get(*tag))) else {
        return Native::No { encapsulated: false };
    };
    if matches!(element.value, Value::Fragments(_)) {
        return Native::No { encapsulated: true };
    }
    if part10.deflated {
        return Native::Deflated;
    }
    let Some(description) = data_set::pixel_description(&part10.data_set) else {
        return Native::No { encapsulated: false };
    };
    Native::Yes(Source {
        received,
        pixel_offset: element.value_offset,
        pixel_length: element.value_length,
        big_endian: part10.transfer_syntax_uid == "1.2.840.10008.1.2.2",
        description,
    })
}

/// Codestreams, the Part 10 file around them, the recipe, the proof, and the second opinion.
fn pack_native(
    part10: &data_set::Part10,
    source: &Source<'_>,
    digest: &[u8; 32],
    bench: &Bench,
) -> Result<Form, Unpacked> {
    if overlay_in_pixels(&part10.data_set) {
        return Err(kept("an overlay lies in its pixels' bits above High Bit, where no codestream would show it"));
    }
    let frames = transcode::encode_frames_with(source, bench.coders.encode).map_err(kept)?;
    let encapsulated = transcode::encapsulate(bench.coders.transfer_syntax_uid, &frames).map_err(kept)?;
    let mut received = std::io::Cursor::new(source.received);
    let changes = changes(source, &encapsulated, bench);
    let header = rewrite::explicit_vr_le(part10, &mut received, &changes).map_err(kept)?;
    let start = header.before.len() as u64;
    let spans: Vec<(u64, u64)> = encapsulated.spans.iter().map(|(offset, length)| (start + offset, *length)).collect();
    let mut dcm = header.before;
    dcm.extend_from_slice(&encapsulated.pixel_data);
    drop(encapsulated);
    dcm.extend_from_slice(&header.after);
    let recipe = recipe::make(source, &dcm, &spans).map_err(kept)?;
    recipe::prove(source, &dcm, &recipe, digest).map_err(kept)?;
    bench.witness.check(source, &frames, digest)?;
    Ok(Form::Packed {
        part10: dcm.into(),
        recipe: recipe.into(),
        frames: frame_table(&spans, &frames),
        transfer_syntax_uid: bench.coders.transfer_syntax_uid.into(),
    })
}

/// Where the frames lie, and where their resolution levels end, if all have as many.
fn frame_table(spans: &[(u64, u64)], codestreams: &[Vec<u8>]) -> FrameTable {
    let mut ends: Vec<Vec<u64>> = codestreams.iter().map(|codestream| codec::resolution_ends(codestream)).collect();
    let levels = ends.first().map_or(0, Vec::len);
    if ends.iter().any(|of_one| of_one.len() != levels) {
        ends.iter_mut().for_each(Vec::clear);
    }
    let frames = spans.iter().zip(ends);
    let frame = |(&(offset, length), resolution_ends)| FrameSpan { offset, length, fragments: 1, resolution_ends };
    FrameTable { frames: frames.map(frame).collect() }
}

/// Overlay Bits Allocated (60xx,0100) other than 1 says that an overlay has no Overlay Data of its own (PS3.5 §8.1.2,
/// retired). The recipe could keep it, but what is held and shown would have lost it.
fn overlay_in_pixels(data_set: &data_set::DataSet) -> bool {
    let planes = (0x6000..=0x601E).step_by(2).map(|group| Tag(group, 0x0100));
    planes.filter_map(|tag| data_set.int(tag)).any(|bits| bits > 1)
}

fn changes(source: &Source<'_>, encapsulated: &transcode::Encapsulated, bench: &Bench) -> Changes {
    let photometric = codec::photometric_interpretation(&source.description.photometric_interpretation);
    let mut elements = BTreeMap::from([
        (Tag(0x0028, 0x0004), (VR::CS, padded(photometric))),
        (Tag(0x7FE0, 0x0001), (VR::OV, encapsulated.extended_offset_table.clone())),
        (Tag(0x7FE0, 0x0002), (VR::OV, encapsulated.extended_offset_table_lengths.clone())),
    ]);
    if source.description.samples_per_pixel > 1 {
        elements.insert(Tag(0x0028, 0x0006), (VR::US, vec![0, 0]));
    }
    Changes {
        transfer_syntax_uid: bench.coders.transfer_syntax_uid.into(),
        elements,
        header_bytes_max: bench.limits.header_bytes_max,
    }
}

/// A CS value of even length (PS3.5 §6.2: padded with a space).
fn padded(text: &str) -> Vec<u8> {
    let mut bytes = text.as_bytes().to_vec();
    if bytes.len() % 2 == 1 {
        bytes.push(b' ');
    }
    bytes
}

fn compressed(received: &Bytes, saves_percent_min: u64, kept: Kept) -> Made {
    let enough =
        |zstd: &Vec<u8>| (zstd.len() as u64) * 100 <= received.len() as u64 * (100 - saves_percent_min.min(100));
    match archive::compress(received).ok().filter(enough) {
        Some(zstd) => Made { form: Form::ReceivedZstd(zstd.into()), kept },
        None => Made::received(kept),
    }
}
