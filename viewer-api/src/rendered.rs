//! Pictures for people (PS3.18 §10.4.1.1.3, §8.3.5): a frame drawn as JPEG or PNG, and thumbnails.

use archive::Held;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use transcode::data_set::{DataSet, Limits, Tag, scan};
use transcode::{Crop, Palette, PixelDescription, Region, Rendering, VoiLutFunction, Window};

use crate::audit::{Counts, Rendition};
use crate::error::{Error, Result};
use crate::multipart::{self, Part, log_failure};
use crate::shown::Shown;
use crate::state::ViewerState;
use crate::wado::{
    self, Address, Caller, HeldFile, entity_tag, frame_list, instance_at, instances_at, not_modified, single, tagged,
};
use crate::{metadata, report};

/// Longer edge of a thumbnail, in pixels.
const THUMBNAIL_EDGE: u32 = 128;
/// `center,width` of the window that was found where neither the request nor the file says one: where a reader's own begins.
const FOUND_WINDOW: HeaderName = HeaderName::from_static("tsunagu-window");
/// RFC 7234 §5.5; PS3.18 §8.3 has parameters that are not supported named in it.
const WARNING: HeaderName = HeaderName::from_static("warning");
/// JPEG quality where none is asked for.
pub(crate) const QUALITY_DEFAULT: u8 = 90;
/// Bytes of one table of a palette: 65,536 entries of 16 bits.
pub(crate) const PALETTE_BYTES_MAX: u64 = 1 << 17;
/// Pictures in one answer at the most.
const PICTURES_MAX: usize = 10_000;

/// How a picture is asked for.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Asked {
    pub(crate) window: Option<Window>,
    /// Columns and rows it may have; 0 as many as it has.
    pub(crate) viewport: (u32, u32),
    /// It is to fill the viewport (PS3.18 §8.3.5.1.3), also where it has fewer pixels.
    pub(crate) enlarged: bool,
    pub(crate) region: Option<Cut>,
    pub(crate) quality: u8,
    pub(crate) kind: Kind,
}

/// The part of the source that is shown.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Cut {
    /// Column, row, columns, rows, in pixels of the source. Columns or rows below 0 turn the picture round; what is left out
    /// is all there is (PS3.18 §8.3.5.1.3).
    Pixels([Option<f64>; 4]),
    /// Left, top, right, bottom, as parts of the edges, 0 to 1 (PS3.18 §9.5.1.2.5).
    Parts([f64; 4]),
}

impl Cut {
    /// In pixels of a picture of this size; `None` where it does not lie within it.
    fn of(self, columns: u32, rows: u32) -> Option<Crop> {
        let (width, height) = (f64::from(columns), f64::from(rows));
        let [x, y, w, h] = match self {
            Cut::Pixels([x, y, w, h]) => {
                let (x, y) = (x.unwrap_or(0.0), y.unwrap_or(0.0));
                [x, y, w.unwrap_or(width - x), h.unwrap_or(height - y)]
            }
            Cut::Parts([left, top, right, bottom]) => {
                [left * width, top * height, (right - left) * width, (bottom - top) * height]
            }
        };
        let inside =
            |at: f64, length: f64, edge: f64| at >= 0.0 && at + length.abs() <= edge + 0.5 && length.abs() >= 0.5;
        (inside(x, w, width) && inside(y, h, height)).then(|| Crop {
            left: x.round() as u32,
            top: y.round() as u32,
            width: (w.abs().round() as u32).max(1),
            height: (h.abs().round() as u32).max(1),
            flip_horizontally: w < 0.0,
            flip_vertically: h < 0.0,
        })
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Jpeg,
    Png,
    Gif,
}

impl Kind {
    /// Best first: JPEG is what PS3.18 Table 8.7.4-1 has for the default.
    pub(crate) const ALL: [Kind; 3] = [Kind::Jpeg, Kind::Png, Kind::Gif];

    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Kind::Jpeg => "image/jpeg",
            Kind::Png => "image/png",
            Kind::Gif => "image/gif",
        }
    }
}

/// `GET …/instances/I/rendered`, `…/frames/N/rendered`.
///
/// One picture is one part, several are a multipart (PS3.18 §10.4.4). An instance of several frames is the first of them where
/// one part is asked for, and all of them where a multipart is.
pub(crate) async fn rendered(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let numbers = if address.frames.is_empty() { Vec::new() } else { frame_list(&address.frames)? };
    let held = instance_at(&state, &address).await?;
    let frames = held.record.description.instance.number_of_frames;
    if frames == 0 {
        return document(&state, &caller, &address, &held).await;
    }
    let (kind, in_parts) = kind(&caller, &address, numbers.len() > 1)?;
    let asked = asked(&caller, kind)?;
    let numbers: Vec<u32> = match (numbers.is_empty(), in_parts) {
        (false, _) => numbers,
        (true, false) => vec![1],
        // One more than is given, so that too many are told.
        (true, true) => (1..=frames).take(PICTURES_MAX + 1).collect(),
    };
    let response = match (in_parts, numbers.as_slice()) {
        (false, [number]) => picture(&state, &caller, held, *number, asked).await?,
        _ => {
            let pictures = numbers.into_iter().map(|number| (held.clone(), number)).collect();
            pictures_of(&state, &caller, &address, pictures, asked).await?
        }
    };
    Ok(warned(response, &caller))
}

/// `GET /studies/S/rendered`, `…/series/E/rendered`: every frame of every image, in a multipart. A single part is not for them,
/// also where there is but one image (PS3.18 §10.4.4, note).
pub(crate) async fn rendered_all(
    State(state): State<ViewerState>,
    address: Address,
    caller: Caller,
) -> Result<Response> {
    let (kind, _) = kind(&caller, &address, true)?;
    let asked = asked(&caller, kind)?;
    let found = instances_at(&state, &address).await?;
    let frames = |held: Held| {
        let frames = held.record.description.instance.number_of_frames;
        (1..=frames).map(move |number| (held.clone(), number))
    };
    let pictures: Vec<(Held, u32)> = found.into_iter().flat_map(frames).take(PICTURES_MAX + 1).collect();
    if pictures.is_empty() {
        let offered = vec!["its instances, by …/rendered".into()];
        return Err(Error::NotAcceptable { what: format!("a picture of {}", address.sentence()), offered });
    }
    let response = pictures_of(&state, &caller, &address, pictures, asked).await?;
    Ok(warned(response, &caller))
}

/// `GET …/thumbnail` of a study, a series, an instance or a frame: its middle picture, small.
pub(crate) async fn thumbnail(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let (kind, _) = kind(&caller, &address, false)?;
    let asked = asked(&caller, kind)?;
    if asked.region.is_some() {
        // PS3.18 §8.3.5.2: the viewport of a thumbnail has no region.
        return Err(Error::invalid("a thumbnail shows all of a picture", "write viewport=WIDTH,HEIGHT"));
    }
    let found = instances_at(&state, &address).await?;
    let with_pixels: Vec<Held> =
        found.into_iter().filter(|held| held.record.description.instance.number_of_frames > 0).collect();
    let middle = with_pixels.get(with_pixels.len() / 2).cloned();
    let held = middle.ok_or_else(|| Error::NotFound(format!("a picture of {}", address.sentence())))?;
    let number = match frame_number(&address)? {
        Some(number) => number,
        None => held.record.description.instance.number_of_frames / 2 + 1,
    };
    let viewport = if asked.viewport == (0, 0) { (THUMBNAIL_EDGE, THUMBNAIL_EDGE) } else { asked.viewport };
    picture(&state, &caller, held, number, Asked { window: None, viewport, enlarged: false, quality: 80, ..asked })
        .await
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

/// An object of the Text category (PS3.18 §8.7.2): a report as a page or as text, a document as it lies in its object.
pub(crate) async fn document(state: &ViewerState, caller: &Caller, address: &Address, held: &Held) -> Result<Response> {
    let what = format!("a rendered form of {}", address.sentence());
    let document = state.reader().dicom_json(std::slice::from_ref(held)).await?.pop().unwrap_or_default();
    let object = metadata::with_absolute_uris(&document, &address.sentence())?;
    let wanted = |kind: &str| caller.accept.iter().any(|range| !range.is_multipart() && range.covers(kind));
    let refused = |offered: Vec<String>| Error::NotAcceptable { what: what.clone(), offered };
    let media_type = object.get("00420012").and_then(|of| of.get("Value")?.get(0)?.as_str()).map(str::to_owned);
    if let Some(media_type) = media_type.filter(|_| object.contains_key("00420011")) {
        let plain = media_type.trim().to_ascii_lowercase();
        let known = plain.split_once('/').is_some() && plain.bytes().all(|b| b.is_ascii_graphic());
        let media_type = if known { plain } else { "application/octet-stream".into() };
        if !wanted(&media_type) {
            return Err(refused(vec![media_type]));
        }
        let study = &held.record.description.study.study_instance_uid;
        let access = state.audit().access(&caller.principal, study, Rendition::View, caller.purpose).await?;
        let tag = entity_tag(held, "document");
        if caller.has(&tag) {
            access.serve(Counts::default()).await?;
            return Ok(not_modified(&tag));
        }
        let (length, bytes) = wado::value(state, held, "00420011", access).await?;
        let body = if caller.head { Body::empty() } else { Body::from_stream(log_failure(bytes)) };
        return Ok(tagged(single(&media_type, length, body), &tag));
    }
    if !report::is_report(&object) {
        return Err(refused(vec!["its metadata, at …/metadata".into()]));
    }
    caller.text(&what)?;
    let ranges = caller.accept.iter().filter(|range| !range.is_multipart());
    let kind =
        ranges.flat_map(|range| ["text/html", "text/plain"].into_iter().filter(|kind| range.covers(kind))).next();
    let kind = kind.ok_or_else(|| refused(vec!["text/html".into(), "text/plain".into()]))?;
    let text = if kind == "text/html" { report::html(&object) } else { report::plain(&object) };
    let study = &held.record.description.study.study_instance_uid;
    let access = state.audit().access(&caller.principal, study, Rendition::View, caller.purpose).await?;
    let tag = entity_tag(held, kind.trim_start_matches("text/"));
    let length = text.len() as u64;
    access.serve(Counts { instances: 0, frames: 0, bytes: length }).await?;
    if caller.has(&tag) {
        return Ok(not_modified(&tag));
    }
    let body = if caller.head { Body::empty() } else { Body::from(text) };
    Ok(tagged(single(&format!("{kind}; charset=utf-8"), Some(length), body), &tag))
}

/// Pictures in a multipart. The first one is drawn before the status is said.
async fn pictures_of(
    state: &ViewerState,
    caller: &Caller,
    address: &Address,
    pictures: Vec<(Held, u32)>,
    asked: Asked,
) -> Result<Response> {
    if pictures.len() > PICTURES_MAX {
        let (bytes, limit) = (pictures.len() as u64, PICTURES_MAX as u64);
        return Err(Error::TooLarge { what: format!("pictures of {}", address.sentence()), bytes, limit });
    }
    let access = state.audit().access(&caller.principal, &address.study, Rendition::View, caller.purpose).await?;
    let media_type = asked.kind.media_type();
    if caller.head {
        return Ok(no_store(multipart::related(media_type, stream::empty())));
    }
    let mut first = match pictures.first() {
        Some((held, number)) => Some(draw(state, held.clone(), *number, asked.clone()).await?),
        None => None,
    };
    let (state, base) = (state.clone(), caller.base.clone());
    let parts = stream::iter(pictures).then(move |(held, number)| {
        let (state, access, asked, ready) = (state.clone(), access.clone(), asked.clone(), first.take());
        let place = format!("{}/frames/{number}/rendered", metadata::place(&base, &held));
        async move {
            let (bytes, _) = match ready {
                Some(ready) => ready,
                None => draw(&state, held, number, asked).await?,
            };
            let length = bytes.len() as u64;
            access.serve(Counts { instances: 0, frames: 1, bytes: length }).await?;
            let (content_location, content_length) = (Some(place), Some(length));
            let body = stream::once(async move { Ok(bytes) }).boxed();
            Ok(Part { content_type: media_type.into(), content_location, content_length, body })
        }
    });
    Ok(no_store(multipart::related(media_type, parts)))
}

fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

/// Names what was asked for and not done.
fn warned(mut response: Response, caller: &Caller) -> Response {
    let profile = caller.parameter("iccprofile").is_some_and(|profile| !matches!(profile.as_str(), "no" | "srgb"));
    let ignored = [("annotation", caller.parameter("annotation").is_some()), ("iccprofile", profile)];
    let names: Vec<&str> = ignored.iter().filter(|(_, ignored)| *ignored).map(|(name, _)| *name).collect();
    if !names.is_empty()
        && let Ok(warning) = HeaderValue::from_str(&format!("299 tsunagu \"not supported: {}\"", names.join(", ")))
    {
        response.headers_mut().insert(WARNING, warning);
    }
    response
}

/// One picture. The same parameters give the same tag, however they are written.
pub(crate) async fn picture(
    state: &ViewerState,
    caller: &Caller,
    held: Held,
    number: u32,
    asked: Asked,
) -> Result<Response> {
    let study = held.record.description.study.study_instance_uid.clone();
    let access = state.audit().access(&caller.principal, &study, Rendition::View, caller.purpose).await?;
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
pub(crate) async fn draw(
    state: &ViewerState,
    held: Held,
    number: u32,
    asked: Asked,
) -> Result<(Bytes, Option<Window>)> {
    let what = format!("frame {number} of instance {}", held.record.description.instance.sop_instance_uid);
    let shown = state.shown().get(state, held).await?;
    let (document, source) = (&shown.document, &shown.source);
    let description = document.pixel_description(&source.held);
    let region = match asked.region {
        None => None,
        Some(cut) => Some(
            cut.of(description.columns.into(), description.rows.into())
                .ok_or_else(|| Error::invalid("the region does not lie within the picture", "ask for one that does"))?,
        ),
    };
    let (rescale_slope, rescale_intercept) = document.rescale(number);
    let mut rendering = Rendering {
        rescale_slope,
        rescale_intercept,
        window: asked.window.or_else(|| document.window(number)),
        padding: document.padding(),
        region,
        width_max: asked.viewport.0,
        height_max: asked.viewport.1,
        enlarged: asked.enlarged,
        ..Rendering::default()
    };
    let reduce = match rendering.region {
        None => reduction(&description, asked.viewport).min(source.reductions(number)),
        Some(_) => 0,
    };
    let place = state.pool().place().await?;
    let bytes = source.bytes(state, number, reduce).await?;
    let mut file = HeldFile::new(state.reader().clone(), source.held.clone(), Handle::current());
    let (syntax, name) = (source.held.transfer_syntax_uid.clone(), what.clone());
    let work = move || {
        let wrong = |error: transcode::Error| Error::Pixels { what: what.clone(), detail: error.to_string() };
        let frame = match reduce {
            0 => transcode::decode_frame(&syntax, &description, &bytes),
            _ => transcode::decode_region(&syntax, &description, &bytes, reduce, all(&description, reduce)),
        };
        let frame = frame.map_err(wrong)?;
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
            Kind::Gif => picture.gif(),
        };
        Ok((Bytes::from(encoded.map_err(wrong)?), found))
    };
    place.run(&name, work).await
}

/// How often the edges of a frame may be halved before it has fewer columns or rows than will be shown of it. Numbers that
/// are no measure (a palette's, a mask's) have no mean.
fn reduction(description: &PixelDescription, (width, height): (u32, u32)) -> u8 {
    if description.photometric_interpretation == "PALETTE COLOR" || description.bits_stored <= 1 {
        return 0;
    }
    let halvings = |edge: u16, shown: u32| u32::from(edge).checked_div(shown).map(|times| times.max(1).ilog2() as u8);
    halvings(description.columns, width).into_iter().chain(halvings(description.rows, height)).max().unwrap_or(0)
}

/// Columns times rows of what is decoded for a picture of a frame within a viewport.
pub(crate) fn decoded_area(shown: &Shown, number: u32, viewport: (u32, u32)) -> u64 {
    let description = shown.document.pixel_description(&shown.source.held);
    let Region { width, height, .. } =
        all(&description, reduction(&description, viewport).min(shown.source.reductions(number)));
    u64::from(width) * u64::from(height)
}

/// All of a frame whose edges are halved `reduce` times.
fn all(description: &PixelDescription, reduce: u8) -> Region {
    let edge = |edge: u16| u32::from(edge).div_ceil(1u32.checked_shl(reduce.into()).unwrap_or(u32::MAX));
    Region { x: 0, y: 0, width: edge(description.columns), height: edge(description.rows) }
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

/// The parameters of PS3.18 §8.3.5.
///
/// # Errors
/// 400 for a value that is none, by the name of the parameter.
fn asked(caller: &Caller, kind: Kind) -> Result<Asked> {
    let window = match caller.parameter("window") {
        None => None,
        Some(text) => Some(window(&text).ok_or_else(|| {
            Error::invalid("the window cannot be read", "write window=CENTER,WIDTH or window=CENTER,WIDTH,linear")
        })?),
    };
    let (viewport, region) = match caller.parameter("viewport") {
        None => ((0, 0), None),
        Some(text) => viewport(&text).ok_or_else(|| {
            let next_step = "write viewport=WIDTH,HEIGHT or viewport=WIDTH,HEIGHT,X,Y,COLUMNS,ROWS";
            Error::invalid("the viewport cannot be read", next_step)
        })?,
    };
    let quality = match caller.parameter("quality").map(|text| text.parse::<u8>()) {
        None => QUALITY_DEFAULT,
        Some(Ok(quality)) if (1..=100).contains(&quality) => quality,
        Some(_) => return Err(Error::invalid("the quality cannot be read", "write a number from 1 to 100")),
    };
    let annotations = caller.parameter("annotation").unwrap_or_default();
    if !annotations.is_empty() && !annotations.split(',').all(|word| matches!(word.trim(), "patient" | "technique")) {
        return Err(Error::invalid(
            "the annotation cannot be read",
            "write annotation=patient,technique, or leave it out",
        ));
    }
    let profile = caller.parameter("iccprofile").unwrap_or_else(|| "no".into());
    if !["no", "yes", "srgb", "adobergb", "rommrgb"].contains(&profile.as_str()) {
        return Err(Error::invalid("the ICC profile cannot be read", "write iccprofile=no or iccprofile=srgb"));
    }
    Ok(Asked { window, viewport, enlarged: true, region, quality, kind })
}

/// `vw,vh[,[sx],[sy],[sw],[sh]]` (PS3.18 §8.3.5.1.3).
pub(crate) fn viewport(text: &str) -> Option<((u32, u32), Option<Cut>)> {
    let parts: Vec<&str> = text.split(',').map(str::trim).collect();
    let edge = |text: &str| text.parse::<u32>().ok().filter(|edge| (1..=65_535).contains(edge));
    let number = |text: &str| match text {
        "" => Some(None),
        text => text.parse::<f64>().ok().filter(|number| number.is_finite()).map(Some),
    };
    match parts.as_slice() {
        [width, height] => Some(((edge(width)?, edge(height)?), None)),
        [width, height, x, y, w, h] => {
            let cut = [number(x)?, number(y)?, number(w)?, number(h)?];
            Some(((edge(width)?, edge(height)?), Some(Cut::Pixels(cut))))
        }
        _ => None,
    }
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

/// The media type asked for, and whether in parts. `several` pictures do not go into a single part, which is ignored then.
pub(crate) fn kind(caller: &Caller, address: &Address, several: bool) -> Result<(Kind, bool)> {
    let ranges = caller.accept.iter().filter(|range| range.is_multipart() || range.is_any() || !several);
    let chosen = ranges.flat_map(|range| {
        let kinds = Kind::ALL.into_iter().filter(|kind| range.covers(kind.media_type()));
        kinds.map(|kind| (kind, range.is_multipart() || several))
    });
    let offered = || {
        let named = |kind: Kind| match several {
            true => format!("multipart/related; type=\"{}\"", kind.media_type()),
            false => kind.media_type().into(),
        };
        Kind::ALL.into_iter().map(named).collect()
    };
    let what = || format!("a picture of {}", address.sentence());
    let mut chosen = chosen;
    chosen.next().ok_or_else(|| Error::NotAcceptable { what: what(), offered: offered() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn viewports_are_read_or_refused_and_their_regions_lie_within_the_picture() {
        assert_eq!(viewport("20, 10"), Some(((20, 10), None)));
        let region = |text: &str| viewport(text).and_then(|(_, cut)| cut?.of(100, 50));
        let whole = Crop { width: 100, height: 50, ..Crop::default() };
        assert_eq!(region("20,10,,,,"), Some(whole));
        assert_eq!(region("20,10,90,0,,"), Some(Crop { left: 90, width: 10, ..whole }));
        let turned = Crop { left: 10, top: 5, width: 30, height: 20, flip_horizontally: true, flip_vertically: true };
        assert_eq!(region("20,10,10,5,-30,-20"), Some(turned));
        for outside in ["9,9,90,0,20,5", "9,9,-1,0,20,5", "9,9,0,0,0,5", "9,9,0,0,5,51"] {
            assert_eq!(region(outside), None, "{outside}");
        }
        for bad in ["", "9", "0,9", "9,9,1", "9,9,1,1,1", "9,9,x,1,1,1", "9,9,NaN,1,1,1", "-9,9", "9.5,9", "70000,9"] {
            assert_eq!(viewport(bad), None, "{bad}");
        }
        assert_eq!(Cut::Parts([0.5, 0.0, 1.0, 1.0]).of(100, 50), Some(Crop { left: 50, width: 50, ..whole }));
    }

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
