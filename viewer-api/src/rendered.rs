//! Pictures for people (PS3.18 §10.4.1.1.3, §8.3.5): a frame drawn as JPEG or PNG, and thumbnails.

use archive::Held;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use transcode::data_set::{DataSet, Limits, Tag, scan};
use transcode::{Palette, Rendering, VoiLutFunction, Window};

use crate::audit::{Counts, Rendition};
use crate::error::{Error, Result};
use crate::state::ViewerState;
use crate::wado::{
    Address, Caller, HeldFile, entity_tag, frame_list, instance_at, instances_at, not_modified, single, tagged,
};

/// Longer edge of a thumbnail, in pixels.
const THUMBNAIL_EDGE: u32 = 128;
/// `center,width` of the window that was found where neither the request nor the file says one: where a reader's own begins.
const FOUND_WINDOW: HeaderName = HeaderName::from_static("tsunagu-window");
/// JPEG quality where none is asked for.
const QUALITY_DEFAULT: u8 = 90;
/// Bytes of one table of a palette: 65,536 entries of 16 bits.
pub(crate) const PALETTE_BYTES_MAX: u64 = 1 << 17;

/// How a picture is asked for.
#[derive(Clone, Debug, PartialEq)]
struct Asked {
    window: Option<Window>,
    viewport: (u32, u32),
    quality: u8,
    kind: Kind,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Jpeg,
    Png,
}

impl Kind {
    fn media_type(self) -> &'static str {
        match self {
            Kind::Jpeg => "image/jpeg",
            Kind::Png => "image/png",
        }
    }
}

/// `GET …/instances/I/rendered`, `…/frames/N/rendered`.
pub(crate) async fn rendered(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let number = frame_number(&address)?.unwrap_or(1);
    let asked = asked(&caller, &address)?;
    let held = instance_at(&state, &address).await?;
    picture(&state, &caller, held, number, asked).await
}

/// `GET …/thumbnail` of a study, a series, an instance or a frame: its middle picture, small.
pub(crate) async fn thumbnail(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let kind = kind(&caller, &address)?;
    let found = instances_at(&state, &address).await?;
    let with_pixels: Vec<Held> =
        found.into_iter().filter(|held| held.record.description.instance.number_of_frames > 0).collect();
    let middle = with_pixels.get(with_pixels.len() / 2).cloned();
    let held = middle.ok_or_else(|| Error::NotFound(format!("a picture of {}", address.sentence())))?;
    let number = frame_number(&address)?.unwrap_or(held.record.description.instance.number_of_frames / 2 + 1);
    let viewport = (THUMBNAIL_EDGE, THUMBNAIL_EDGE);
    picture(&state, &caller, held, number, Asked { window: None, viewport, quality: 80, kind }).await
}

/// The one frame an address names, if it names any.
fn frame_number(address: &Address) -> Result<Option<u32>> {
    if address.frames.is_empty() {
        return Ok(None);
    }
    match frame_list(&address.frames)?.as_slice() {
        [number] => Ok(Some(*number)),
        _ => Err(Error::invalid("several frames do not fit into one picture", "ask for them one by one")),
    }
}

async fn picture(state: &ViewerState, caller: &Caller, held: Held, number: u32, asked: Asked) -> Result<Response> {
    let study = held.record.description.study.study_instance_uid.clone();
    let access = state.audit().access(&caller.principal, &study, Rendition::View, caller.purpose).await?;
    // The parameters as understood: the same picture has the same tag however it is asked for.
    let drawn = archive::hex(&Sha256::digest(format!("{number} {asked:?}").as_bytes()));
    let tag = entity_tag(&held, drawn.get(..16).unwrap_or(""));
    if caller.has(&tag) {
        access.serve(Counts { frames: 1, ..Counts::default() }).await?;
        return Ok(not_modified(&tag));
    }
    let media_type = asked.kind.media_type();
    let (bytes, found) = draw(state, held, number, asked).await?;
    let length = bytes.len() as u64;
    access.serve(Counts { instances: 0, frames: 1, bytes: length }).await?;
    let body = if caller.head { Body::empty() } else { Body::from(bytes) };
    let mut response = tagged(single(media_type, Some(length), body), &tag);
    if let Some(window) =
        found.and_then(|window| HeaderValue::try_from(format!("{},{}", window.center, window.width)).ok())
    {
        response.headers_mut().insert(FOUND_WINDOW, window);
    }
    Ok(response)
}

/// Decodes and draws one frame, on a thread of the pool; answers the window, too, where one had to be found.
async fn draw(state: &ViewerState, held: Held, number: u32, asked: Asked) -> Result<(Bytes, Option<Window>)> {
    let what = format!("frame {number} of instance {}", held.record.description.instance.sop_instance_uid);
    let shown = state.shown().get(state, held).await?;
    let (document, source) = (&shown.document, &shown.source);
    let description = document.pixel_description(&source.held);
    let (rescale_slope, rescale_intercept) = document.rescale(number);
    let mut rendering = Rendering {
        rescale_slope,
        rescale_intercept,
        window: asked.window.or_else(|| document.window(number)),
        padding: document.padding(),
        width_max: asked.viewport.0,
        height_max: asked.viewport.1,
        ..Rendering::default()
    };
    let place = state.pool().place().await?;
    let bytes = source.bytes(state, number).await?;
    let mut file = HeldFile::new(state.reader().clone(), source.held.clone(), Handle::current());
    let (syntax, name) = (source.held.transfer_syntax_uid.clone(), what.clone());
    let work = move || {
        let wrong = |error: transcode::Error| Error::Pixels { what: what.clone(), detail: error.to_string() };
        let frame = transcode::decode_frame(&syntax, &description, &bytes).map_err(wrong)?;
        drop(bytes);
        if frame.photometric_interpretation == "PALETTE COLOR" {
            let limits = Limits { value_bytes_max: PALETTE_BYTES_MAX, ..Limits::default() };
            let part10 = scan(&mut file, &limits)
                .map_err(|error| Error::Pixels { what: what.clone(), detail: error.to_string() })?;
            rendering.palette = palette(&part10.data_set, description.pixel_representation == 1);
        }
        rendering.photometric_interpretation = frame.photometric_interpretation;
        let is_grey = rendering.photometric_interpretation.starts_with("MONOCHROME");
        let found =
            (is_grey && rendering.window.is_none()).then(|| transcode::found_window(&frame.samples, &rendering));
        rendering.window = rendering.window.or(found);
        let picture = transcode::render(&frame.samples, &rendering).map_err(wrong)?;
        let encoded = match asked.kind {
            Kind::Jpeg => picture.jpeg(asked.quality),
            Kind::Png => picture.png(),
        };
        Ok((Bytes::from(encoded.map_err(wrong)?), found))
    };
    place.run(&name, work).await
}

/// Palette Color Lookup Tables of a Data Set (PS3.3 C.7.6.3.1.5, C.7.6.3.1.6).
pub(crate) fn palette(data_set: &DataSet, signed: bool) -> Option<Palette> {
    let descriptor = data_set.bytes(Tag(0x0028, 0x1101))?;
    let big_endian = data_set.get(Tag(0x0028, 0x1101))?.big_endian;
    let word = |at: usize| {
        let pair = [*descriptor.get(2 * at)?, *descriptor.get(2 * at + 1)?];
        Some(if big_endian { u16::from_be_bytes(pair) } else { u16::from_le_bytes(pair) })
    };
    let (count, first, bits) = (word(0)?, word(1)?, word(2)?);
    // A count of 0 means 65,536; the first value has the sign of the pixels.
    let count = if count == 0 { 1 << 16 } else { usize::from(count) };
    let first = if signed { i32::from(first as i16) } else { i32::from(first) };
    let table = |element| {
        let bytes = data_set.get(Tag(0x0028, element))?.little_endian()?;
        // Entries of 8 bits stand in bytes, or, as some write them, in words.
        let words = bytes.len() >= 2 * count;
        let entries: Vec<u16> = if words {
            bytes.as_chunks::<2>().0.iter().map(|pair| u16::from_le_bytes(*pair)).take(count).collect()
        } else {
            bytes.iter().map(|byte| u16::from(*byte)).take(count).collect()
        };
        Some(entries)
    };
    let (red, green, blue) = (table(0x1201)?, table(0x1202)?, table(0x1203)?);
    // Words that use their upper byte are 16 bits deep whatever the descriptor says.
    let deep = bits > 8 || [&red, &green, &blue].iter().any(|table| table.iter().any(|entry| *entry > 0xFF));
    Some(Palette { first, bits: if deep { 16 } else { 8 }, red, green, blue })
}

fn asked(caller: &Caller, address: &Address) -> Result<Asked> {
    let numbers = |text: &str| -> Option<Vec<f64>> {
        text.split(',').map(|n| n.trim().parse().ok().filter(|n: &f64| n.is_finite())).collect()
    };
    let window = match caller.parameter("window") {
        None => None,
        Some(text) => Some(window(&text).ok_or_else(|| {
            Error::invalid("the window cannot be read", "write window=CENTER,WIDTH or window=CENTER,WIDTH,linear")
        })?),
    };
    let viewport = match caller.parameter("viewport").map(|text| numbers(&text)) {
        None => (0, 0),
        Some(Some(edges)) if edges.len() == 2 && edges.iter().all(|edge| (1.0..=65_535.0).contains(edge)) => {
            (edges[0] as u32, edges[1] as u32)
        }
        Some(_) => {
            let next_step = "write viewport=WIDTH,HEIGHT; parts of a picture are not cut out here";
            return Err(Error::invalid("the viewport cannot be read", next_step));
        }
    };
    let quality = match caller.parameter("quality").map(|text| text.parse::<u8>()) {
        None => QUALITY_DEFAULT,
        Some(Ok(quality)) if (1..=100).contains(&quality) => quality,
        Some(_) => return Err(Error::invalid("the quality cannot be read", "write a number from 1 to 100")),
    };
    Ok(Asked { window, viewport, quality, kind: kind(caller, address)? })
}

/// `center,width[,function]` (PS3.18 §8.3.5.1.4), in units after rescale.
pub(crate) fn window(text: &str) -> Option<Window> {
    let mut parts = text.split(',').map(str::trim);
    let number = |part: Option<&str>| part?.parse::<f64>().ok().filter(|number| number.is_finite());
    let (center, width) = (number(parts.next())?, number(parts.next())?);
    let function = match parts.next().unwrap_or("linear").to_ascii_lowercase().as_str() {
        "linear" => VoiLutFunction::Linear,
        "linear-exact" => VoiLutFunction::LinearExact,
        "sigmoid" => VoiLutFunction::Sigmoid,
        _ => return None,
    };
    (width > 0.0 && parts.next().is_none()).then_some(Window { center, width, function })
}

fn kind(caller: &Caller, address: &Address) -> Result<Kind> {
    let kind = caller
        .accept
        .iter()
        .find_map(|range| [Kind::Jpeg, Kind::Png].into_iter().find(|kind| range.covers(kind.media_type())));
    kind.ok_or_else(|| Error::NotAcceptable {
        what: format!("a picture of {}", address.sentence()),
        offered: vec!["image/jpeg".into(), "image/png".into()],
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_are_read_or_refused() {
        let good = |text: &str| window(text).map(|window| (window.center, window.width, window.function));
        assert_eq!(good("40,400"), Some((40.0, 400.0, VoiLutFunction::Linear)));
        assert_eq!(good("-600.5, 1500,linear-exact"), Some((-600.5, 1500.0, VoiLutFunction::LinearExact)));
        assert_eq!(good("1,2,SIGMOID"), Some((1.0, 2.0, VoiLutFunction::Sigmoid)));
        for bad in ["", "40", "40,0", "40,-1", "NaN,1", "1,inf", "1,2,cubic", "1,2,linear,3"] {
            assert_eq!(good(bad), None, "{bad:?}");
        }
    }
}
