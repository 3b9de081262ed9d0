//! IIIF Image API 3.0, level 2, over every image: regions at any size, from as little of the file as holds them.
//!
//! `docs/iiif.md` says how clients use it. A picture is opened once and kept ([`picture`]); a request is read ([`request`]),
//! the level chosen, its cells decoded or found in the cache, drawn and scaled ([`draw`]).

mod draw;
mod identifier;
mod info;
mod kept;
mod picture;
mod request;
mod scale;
mod slide;
mod source;

use std::future::Future;
use std::sync::Arc;

use archive::{FrameTable, Held};
use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use serde::Deserialize;
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use transcode::data_set::{Limits, scan};
use transcode::{Frame, Palette};

use self::draw::{CellKey, Job};
use self::identifier::Identifier;
use self::kept::Kept;
use self::picture::{Picture, Subject, View, digest_of};
use self::request::Request;
use self::slide::SLIDE_CLASS;
use crate::audit::{Access, Counts, Rendition};
use crate::error::{Error, Result};
use crate::rendered;
use crate::state::ViewerState;
use crate::wado::{Caller, HeldFile, not_modified, single, tagged};

/// Bytes of opened pictures that are kept, at the most: 24 of each tile of a slide.
const PICTURES_BYTES_MAX: usize = 32 << 20;
/// JSON for Linking Data, of the context of info.json (§5).
const LINKED_DATA: &str = "application/ld+json;profile=\"http://iiif.io/api/image/3/context.json\"";

/// What is kept between requests. Nothing an access decision rests on.
pub(crate) struct Cache {
    /// Decoded cells.
    pub(crate) cells: Kept<CellKey, Arc<Frame>>,
    pictures: Kept<[u8; 32], Arc<Picture>>,
}

impl Cache {
    /// Decoded cells take up so many bytes at the most.
    pub(crate) fn new(cells_bytes_max: usize) -> Cache {
        Cache { cells: Kept::new(cells_bytes_max), pictures: Kept::new(PICTURES_BYTES_MAX) }
    }
}

/// The archive, as it is read on a blocking thread.
pub(crate) struct Desk<'a> {
    pub(crate) state: &'a ViewerState,
    runtime: Handle,
}

impl Desk<'_> {
    /// Waits for the archive. Not for the pool: who is at a desk has a place in it already.
    pub(crate) fn wait<T, E: Into<Error>>(&self, work: impl Future<Output = Result<T, E>>) -> Result<T> {
        self.runtime.block_on(work).map_err(Into::into)
    }

    fn dicom_json(&self, held: &Held) -> Result<Bytes> {
        let mut documents = self.wait(self.state.reader().dicom_json(std::slice::from_ref(held)))?;
        Ok(documents.pop().unwrap_or_default())
    }

    fn frames(&self, held: &Held) -> Result<FrameTable> {
        self.wait(self.state.reader().frames(held))
    }

    fn viewing_copy(&self, held: &Held) -> Result<Option<archive::Rendition>> {
        self.wait(self.state.reader().viewing_copy(held))
    }

    fn rendition_frames(&self, copy: &archive::Rendition) -> Result<FrameTable> {
        self.wait(self.state.reader().rendition_frames(copy))
    }

    /// How often the edges of all frames can be halved: known of what was packed here.
    fn reductions(&self, held: &Held, table: &FrameTable) -> Result<u8> {
        let levels = table.frames.first().map_or(0, |frame| frame.resolution_ends.len());
        let known = transcode::is_high_throughput(&held.transfer_syntax_uid);
        Ok(if known { levels.saturating_sub(1).min(32) as u8 } else { 0 })
    }

    /// The palette in a file.
    fn palette(&self, held: &Held, signed: bool) -> Result<Option<Palette>> {
        let mut file = HeldFile::new(self.state.reader().clone(), held.clone(), self.runtime.clone());
        let limits = Limits { value_bytes_max: rendered::PALETTE_BYTES_MAX, ..Limits::default() };
        let what = format!("instance {}", held.record.description.instance.sop_instance_uid);
        let part10 = scan(&mut file, &limits).map_err(|error| Error::Pixels { what, detail: error.to_string() })?;
        Ok(rendered::palette(&part10.data_set, signed))
    }

    /// What an identifier names, opened; kept for the next request.
    fn picture(&self, identifier: &Identifier, subject: &Subject) -> Result<Arc<Picture>> {
        if let Subject::Known(picture) = subject {
            return Ok(Arc::clone(picture));
        }
        let pictures = &self.state.iiif().pictures;
        let key = subject.digest();
        if let Some(picture) = pictures.get(&key) {
            return Ok(picture);
        }
        let picture = Arc::new(Picture::open(self, identifier, subject)?);
        pictures.insert(key, Arc::clone(&picture), picture.bytes());
        Ok(picture)
    }
}

/// The path of a base URI or of info.json.
#[derive(Deserialize)]
pub(crate) struct BasePath {
    id: String,
}

/// The path of an image.
#[derive(Deserialize)]
pub(crate) struct ImagePath {
    id: String,
    region: String,
    size: String,
    rotation: String,
    last: String,
}

/// `GET /iiif/{id}`: the way to info.json (§2).
pub(crate) async fn base(
    State(state): State<ViewerState>,
    path: Result<Path<BasePath>, PathRejected>,
    caller: Caller,
) -> Result<Response> {
    let Path(path) = path.map_err(unreadable)?;
    let identifier = identifier(&path.id)?;
    open(&state, &identifier, &caller, Rendition::Metadata).await?;
    let place = format!("{}/info.json", uri(&caller, &identifier));
    let place = HeaderValue::try_from(place).map_err(|_| Error::NotFound(identifier.sentence()))?;
    let mut response = (StatusCode::SEE_OTHER, [(header::LOCATION, place)]).into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}

type PathRejected = axum::extract::rejection::PathRejection;

fn unreadable(_: PathRejected) -> Error {
    Error::invalid("the path cannot be read", "escape what is not ASCII as UTF-8 in percent signs")
}

/// `GET /iiif/{id}/info.json` (§5).
pub(crate) async fn info(
    State(state): State<ViewerState>,
    path: Result<Path<BasePath>, PathRejected>,
    caller: Caller,
) -> Result<Response> {
    let Path(path) = path.map_err(unreadable)?;
    let identifier = identifier(&path.id)?;
    let media_type = info_media_type(&caller);
    let (subject, access) = open(&state, &identifier, &caller, Rendition::Metadata).await?;
    let uri = uri(&caller, &identifier);
    let work = move |desk: &Desk<'_>| {
        let picture = desk.picture(&identifier, &subject)?;
        Ok(info::document(&picture, &uri).to_string())
    };
    let body = at_desk(&state, work).await?;
    let tag = format!("\"{}\"", short_digest(&[body.as_bytes(), media_type.as_bytes()]));
    access.serve(Counts { bytes: body.len() as u64, ..Counts::default() }).await?;
    if caller.has(&tag) {
        return Ok(not_modified(&tag));
    }
    let length = body.len() as u64;
    let mut response = tagged(single(media_type, Some(length), content(&caller, body)), &tag);
    link(response.headers_mut(), &[&format!("<{}>;rel=\"profile\"", info::LEVEL)]);
    Ok(response)
}

/// JSON-LD, unless plain JSON is asked for by name and nothing better before it (§5).
fn info_media_type(caller: &Caller) -> &'static str {
    let named = |range: &crate::wado::MediaRange| {
        let linked = range.covers("application/ld+json");
        let plain = range.covers("application/json");
        (linked || plain).then_some(if linked { LINKED_DATA } else { "application/json" })
    };
    caller.accept.iter().find_map(named).unwrap_or(LINKED_DATA)
}

/// `GET /iiif/{id}/{region}/{size}/{rotation}/{quality}.{format}` (§4).
pub(crate) async fn image(
    State(state): State<ViewerState>,
    path: Result<Path<ImagePath>, PathRejected>,
    caller: Caller,
) -> Result<Response> {
    let Path(path) = path.map_err(unreadable)?;
    let identifier = identifier(&path.id)?;
    let request = Request::parse(&path.region, &path.size, &path.rotation, &path.last)?;
    let (view, window) = (view(&caller)?, window(&caller)?);
    let media_type = request.format.media_type();
    let (subject, access) = open(&state, &identifier, &caller, Rendition::View).await?;
    let asked = Asked { identifier, request, view, window };
    let key = subject.digest();
    let answer = match answered(&state, &asked, subject, &caller).await {
        Err(Error::Archive(archive::Error::NotFound(_))) => {
            // What it was read from was deleted meanwhile: a viewing copy. There is still what was received.
            state.iiif().pictures.remove(&key);
            let subject = find(&state, &asked.identifier).await?;
            answered(&state, &asked, subject, &caller).await?
        }
        other => other?,
    };
    let (tag, canonical, bytes) = answer;
    let length = bytes.as_ref().map_or(0, |bytes| bytes.len() as u64);
    access.serve(Counts { instances: 0, frames: 1, bytes: length }).await?;
    let mut response = match bytes {
        None => not_modified(&tag),
        Some(bytes) => tagged(single(media_type, Some(length), content(&caller, bytes)), &tag),
    };
    link(response.headers_mut(), &[&canonical, &format!("<{}>;rel=\"profile\"", info::LEVEL)]);
    Ok(response)
}

/// An image as it is asked for.
#[derive(Clone)]
struct Asked {
    identifier: Identifier,
    request: Request,
    view: View,
    window: Option<transcode::Window>,
}

/// The tag of an answer, its canonical link, and its bytes unless the client has them.
async fn answered(
    state: &ViewerState,
    asked: &Asked,
    subject: Subject,
    caller: &Caller,
) -> Result<(String, String, Option<Bytes>)> {
    let (asked, caller) = (asked.clone(), caller.clone());
    let work = move |desk: &Desk<'_>| {
        let Asked { identifier, request, view, window } = asked;
        let picture = desk.picture(&identifier, &subject)?;
        let resolved = request.resolve(picture.width, picture.height)?;
        let canonical = resolved.canonical(&request, (picture.width, picture.height), picture.is_grey());
        // The same answer has the same tag however it is asked for.
        let said = format!("{canonical} {view:?} {window:?}");
        let tag = format!("\"{}\"", short_digest(&[&picture.digest, said.as_bytes()]));
        let link = format!("<{}/{canonical}>;rel=\"canonical\"", uri(&caller, &identifier));
        let job = Job { resolved, view, window };
        let bytes = if caller.has(&tag) { None } else { Some(draw::answer(desk, &picture, &request, &job)?) };
        Ok((tag, link, bytes))
    };
    at_desk(state, work).await
}

fn identifier(text: &str) -> Result<Identifier> {
    Identifier::parse(text).ok_or_else(|| Error::NotFound("a picture of this identifier".into()))
}

/// The URI of a picture. An identifier of digits, dots and colons needs no escapes.
fn uri(caller: &Caller, identifier: &Identifier) -> String {
    format!("{}/iiif/{identifier}", caller.base)
}

/// Finds what an identifier names, and opens the act of looking at it.
async fn open(
    state: &ViewerState,
    identifier: &Identifier,
    caller: &Caller,
    rendition: Rendition,
) -> Result<(Subject, Access)> {
    let subject = find(state, identifier).await?;
    let access = state.audit().access(&caller.principal, &identifier.study, rendition, caller.purpose).await?;
    Ok((subject, access))
}

async fn find(state: &ViewerState, identifier: &Identifier) -> Result<Subject> {
    let missing = || Error::NotFound(identifier.sentence());
    let is_slide = |held: &Held| held.record.description.instance.sop_class_uid == SLIDE_CLASS;
    let Identifier { study, series, instance, frame } = identifier;
    let Some(instance) = instance else {
        let mut levels = state.reader().instances(study, Some(series)).await?;
        levels.retain(is_slide);
        return if levels.is_empty() { Err(missing()) } else { Ok(Subject::Slide(levels)) };
    };
    let held = state.reader().instance(study, series, instance).await?.ok_or_else(missing)?;
    if held.record.description.instance.number_of_frames == 0 {
        return Err(missing());
    }
    if is_slide(&held) && frame.is_none() {
        return Ok(Subject::Slide(vec![held]));
    }
    let frame = frame.unwrap_or(1);
    if let Some(picture) = state.iiif().pictures.get(&digest_of(std::slice::from_ref(&held), frame)) {
        return Ok(Subject::Known(picture));
    }
    Ok(Subject::Frame(state.shown().get(state, held).await?, frame))
}

/// Works on a blocking thread of the pool.
async fn at_desk<T: Send + 'static>(
    state: &ViewerState,
    work: impl FnOnce(&Desk<'_>) -> Result<T> + Send + 'static,
) -> Result<T> {
    let place = state.pool().place().await?;
    let (state, runtime) = (state.clone(), Handle::current());
    place.run("a picture", move || work(&Desk { state: &state, runtime })).await
}

/// Which optical path and focal plane of a slide: the first of each, unless the query says another.
fn view(caller: &Caller) -> Result<View> {
    let number = |name: &str| match caller.parameter(name).map(|text| text.parse::<u32>()) {
        None => Ok(1),
        Some(Ok(number)) if number > 0 => Ok(number),
        Some(_) => Err(Error::invalid(format!("{name} cannot be read"), "write a number from 1")),
    };
    Ok(View { path: number("opticalpath")?, plane: number("focalplane")? })
}

/// `?window=CENTER,WIDTH`, as the rendered resources have it: our own addition.
fn window(caller: &Caller) -> Result<Option<transcode::Window>> {
    let Some(text) = caller.parameter("window") else { return Ok(None) };
    let next_step = "write window=CENTER,WIDTH or window=CENTER,WIDTH,linear";
    rendered::window(&text).map(Some).ok_or_else(|| Error::invalid("the window cannot be read", next_step))
}

fn content(caller: &Caller, bytes: impl Into<Body>) -> Body {
    if caller.head { Body::empty() } else { bytes.into() }
}

fn short_digest(parts: &[&[u8]]) -> String {
    let mut digest = Sha256::new();
    parts.iter().for_each(|part| digest.update(part));
    let digest = archive::hex(&<[u8; 32]>::from(digest.finalize()));
    digest.get(..32).unwrap_or(&digest).to_owned()
}

/// One `Link` header (RFC 8288 §3) of all links: some clients read the first only.
fn link(headers: &mut HeaderMap, links: &[&str]) {
    if let Ok(value) = HeaderValue::from_str(&links.join(", ")) {
        headers.insert(header::LINK, value);
    }
}
