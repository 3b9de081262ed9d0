//! A value that is not in the metadata (PS3.18 §10.4.1.1.5): a waveform, a document, a table.

use std::ops::Range;

use archive::Held;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use tokio::runtime::Handle;
use transcode::data_set::{Element, Limits, Tag, VR, Value, inflate, scan, swap};

use super::held_file::HeldFile;
use super::transcoded::{self, What};
use super::{Address, Caller, entity_tag, instance_at, instances_at, not_modified, single, tagged};
use crate::audit::{Access, Counts, Rendition};
use crate::error::{Error, Result};
use crate::metadata;
use crate::multipart::{self, ByteStream, Part};
use crate::state::ViewerState;

const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);
/// Media type of bulk data here.
pub(super) const OCTETS: &str = "application/octet-stream";
/// Bytes read at once: whole numbers of every VR.
const RANGE_BYTES: u64 = 1 << 20;
/// Instances whose metadata is read at once.
const CHUNK_OBJECTS: usize = 200;

/// Where a value is.
enum Found {
    /// Here.
    Bytes(Bytes),
    /// In the file as held; its numbers big-endian, of the VR named, or as they are to be sent.
    Range { offset: u64, length: u64, big_endian: Option<VR> },
    /// Pixel Data in fragments, which are decoded on the way out.
    Pixels,
}

/// `GET …/instances/I/bulkdata/{path}`.
pub(crate) async fn bulkdata(
    State(state): State<ViewerState>,
    address: Address,
    caller: Caller,
    headers: HeaderMap,
) -> Result<Response> {
    let what = || format!("the value {} of {}", plain(&address.path), address.sentence());
    let Some(range) = caller.accept.iter().find(|range| range.covers(OCTETS)) else {
        return Err(Error::NotAcceptable { what: what(), offered: offered() });
    };
    let held = instance_at(&state, &address).await?;
    let access = state.audit().access(&caller.principal, &address.study, Rendition::View, caller.purpose).await?;
    let tag = entity_tag(&held, &format!("{}-{}", held.part10_bytes, plain(&address.path).replace('/', "-")));
    if caller.has(&tag) {
        access.serve(Counts::default()).await?;
        return Ok(not_modified(&tag));
    }
    let place = format!("{}/bulkdata/{}", metadata::place(&caller.base, &held), plain(&address.path));
    let found = locate(&state, &held, vec![address.path.clone()]).await?.pop().flatten();
    let found = found.ok_or_else(|| Error::NotFound(what()))?;
    let in_parts = range.is_multipart();
    let asked = byte_range(&headers, &found, &tag).filter(|_| !in_parts).transpose()?;
    let (length, body) = sent(&state, held, found, access, asked.clone()).await?;
    if in_parts {
        let content_location = Some(place);
        let part = Part { content_type: OCTETS.into(), content_location, content_length: length, body };
        return Ok(tagged(multipart::related(OCTETS, stream::iter([Ok(part)])), &tag));
    }
    let body = if caller.head { Body::empty() } else { Body::from_stream(multipart::log_failure(body)) };
    let part_length = asked.as_ref().map(|part| part.end - part.start).or(length);
    let mut response = tagged(single(OCTETS, part_length, body), &tag);
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(&place).map(|place| (header::CONTENT_LOCATION, place)));
    if length.is_some() {
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    if let (Some(part), Some(length)) = (asked, length) {
        let range = format!("bytes {}-{}/{length}", part.start, part.end - 1);
        headers.extend(HeaderValue::from_str(&range).map(|range| (header::CONTENT_RANGE, range)));
        *response.status_mut() = StatusCode::PARTIAL_CONTENT;
    }
    Ok(response)
}

/// `GET /studies/S/bulkdata`, `…/series/E/bulkdata`, `…/instances/I/bulkdata` (PS3.18 §10.4.1.1.5): every value that the
/// metadata names by a URI, a part each.
pub(crate) async fn all_bulkdata(
    State(state): State<ViewerState>,
    address: Address,
    caller: Caller,
) -> Result<Response> {
    if !caller.accept.iter().any(|range| (range.is_multipart() || range.is_any()) && range.covers(OCTETS)) {
        return Err(Error::NotAcceptable { what: format!("bulk data of {}", address.sentence()), offered: offered() });
    }
    let found = instances_at(&state, &address).await?;
    all(&state, &address, &caller, found).await
}

/// The bulk data of these instances.
pub(super) async fn all(state: &ViewerState, address: &Address, caller: &Caller, found: Vec<Held>) -> Result<Response> {
    if !any_bulkdata(state, &found).await? {
        return Err(Error::NotFound(format!("bulk data of {}", address.sentence())));
    }
    let access = state.audit().access(&caller.principal, &address.study, Rendition::View, caller.purpose).await?;
    if caller.head {
        return Ok(no_store(multipart::related(OCTETS, stream::empty())));
    }
    let mut found = found.into_iter();
    // Of one instance without a value that can be given, that is the answer, and not an empty body.
    let first = match found.next() {
        Some(held) => parts_of(state, held, &access, &caller.base).await?,
        None => Vec::new(),
    };
    if first.is_empty() && found.len() == 0 {
        let offered = vec!["its frames, at …/frames/1".into(), "the instance, with transfer-syntax=*".into()];
        return Err(Error::NotAcceptable { what: format!("bulk data of {}", address.sentence()), offered });
    }
    let (state, base) = (state.clone(), caller.base.clone());
    let others = stream::iter(found).then(move |held| {
        let (state, access, base) = (state.clone(), access.clone(), base.clone());
        async move { parts_of(&state, held, &access, &base).await }
    });
    let parts = stream::once(async move { Ok(first) }).chain(others).flat_map(|parts| match parts {
        Ok(parts) => stream::iter(parts).map(Ok).boxed(),
        Err(error) => stream::once(async { Err(error) }).boxed(),
    });
    Ok(no_store(multipart::related(OCTETS, parts)))
}

/// One value of an instance: its length, if it is known, and its bytes.
pub(crate) async fn value(
    state: &ViewerState,
    held: &Held,
    path: &str,
    access: Access,
) -> Result<(Option<u64>, ByteStream)> {
    let found = locate(state, held, vec![path.to_owned()]).await?.pop().flatten();
    let what = || format!("the value {} of {}", plain(path), held.record.description.instance.sop_instance_uid);
    sent(state, held.clone(), found.ok_or_else(|| Error::NotFound(what()))?, access, None).await
}

fn no_store(mut response: Response) -> Response {
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

fn offered() -> Vec<String> {
    vec![OCTETS.into(), format!("multipart/related; type=\"{OCTETS}\"")]
}

async fn any_bulkdata(state: &ViewerState, found: &[Held]) -> Result<bool> {
    for chunk in found.chunks(CHUNK_OBJECTS) {
        let documents = state.reader().dicom_json(chunk).await?;
        if documents.iter().any(|document| !metadata::bulk_data_paths(document).is_empty()) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// The values of one instance, each a part at its place. There is one Pixel Data in it, whose writer waits for its turn.
async fn parts_of(state: &ViewerState, held: Held, access: &Access, base: &str) -> Result<Vec<Part>> {
    let document = state.reader().dicom_json(std::slice::from_ref(&held)).await?.pop().unwrap_or_default();
    let paths = metadata::bulk_data_paths(&document);
    let found = locate(state, &held, paths.clone()).await?;
    let mut parts = Vec::with_capacity(paths.len());
    for (path, found) in paths.into_iter().zip(found) {
        let Some(found) = found else { continue };
        let place = format!("{}/{path}", metadata::place(base, &held));
        let (content_length, body) = match sent(state, held.clone(), found, access.clone(), None).await {
            Ok(sent) => sent,
            // Pixels that cannot be decoded are left out; which values came is told by their places (PS3.18 §10.4.1.1.5).
            Err(Error::Pixels { what, detail }) => {
                tracing::warn!(%what, %detail, "a value was left out of bulk data");
                continue;
            }
            Err(other) => return Err(other),
        };
        parts.push(Part { content_type: OCTETS.into(), content_location: Some(place), content_length, body });
    }
    Ok(parts)
}

/// The length of the whole value, if it is known, and the bytes of it that are sent.
async fn sent(
    state: &ViewerState,
    held: Held,
    found: Found,
    access: Access,
    part: Option<Range<u64>>,
) -> Result<(Option<u64>, ByteStream)> {
    Ok(match found {
        Found::Bytes(bytes) => {
            let length = bytes.len() as u64;
            let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(bytes.len());
            let bytes = part.map_or(bytes.clone(), |part| bytes.slice(bound(part.start)..bound(part.end)));
            (Some(length), counted(access, bytes))
        }
        Found::Range { offset, length, big_endian } => {
            let part = part.unwrap_or(0..length);
            (Some(length), ranges(state, held, access, offset, part, big_endian))
        }
        Found::Pixels => (None, transcoded::begin(state, held, What::PixelData, access).await?.stream()),
    })
}

/// The one range of bytes that is asked for (RFC 9110 §14.2; PS3.18 §10.4.1.1.5 lets bulk data have ranges). Several, and what
/// cannot be read, are ignored; so is one of another representation (`If-Range`).
fn byte_range(headers: &HeaderMap, found: &Found, tag: &str) -> Option<Result<Range<u64>>> {
    let length = match found {
        Found::Bytes(bytes) => bytes.len() as u64,
        Found::Range { length, big_endian: None, .. } => *length,
        Found::Range { .. } | Found::Pixels => return None,
    };
    let text = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    if text(header::IF_RANGE).is_some_and(|of| of != tag) {
        return None;
    }
    let (first, last) = text(header::RANGE)?.strip_prefix("bytes=")?.split_once('-')?;
    let part = match (first.trim(), last.trim()) {
        ("", last) => length.saturating_sub(last.parse().ok()?)..length,
        (first, "") => first.parse().ok()?..length,
        (first, last) => first.parse().ok()?..last.parse::<u64>().ok()?.saturating_add(1).min(length),
    };
    Some(if part.start < part.end { Ok(part) } else { Err(Error::Range { length }) })
}

/// A path as it may stand in a sentence.
fn plain(path: &str) -> String {
    path.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '/').take(200).collect()
}

/// Finds values by scanning the file as held, once for all of them. Numbers are little-endian (PS3.18 §8.7.3.4.2).
async fn locate(state: &ViewerState, held: &Held, paths: Vec<String>) -> Result<Vec<Option<Found>>> {
    let name = format!("instance {}", held.record.description.instance.sop_instance_uid);
    let place = state.pool().place().await?;
    let mut file = HeldFile::new(state.reader().clone(), held.clone(), Handle::current());
    let sentence = name.clone();
    let work = move || {
        let limits = Limits::default();
        let wrong =
            |error: transcode::data_set::Error| Error::Pixels { what: sentence.clone(), detail: error.to_string() };
        let part10 = scan(&mut file, &limits).map_err(wrong)?;
        let elements: Vec<_> = paths.iter().map(|path| part10.data_set.at_path(path)).collect();
        let hidden = |element: &&Element| part10.deflated && matches!(element.value, Value::Skipped);
        let inflated = match elements.iter().flatten().any(hidden) {
            true => Bytes::from(inflate(&part10, &mut file, &limits).map_err(wrong)?),
            false => Bytes::new(),
        };
        let found = |element: &Element| match &element.value {
            Value::Bytes(_) => element.little_endian().map(|bytes| Found::Bytes(Bytes::copy_from_slice(&bytes))),
            Value::Skipped if part10.deflated => {
                let start = usize::try_from(element.value_offset).ok()?;
                let end = start.checked_add(usize::try_from(element.value_length).ok()?)?;
                (end <= inflated.len()).then(|| Found::Bytes(inflated.slice(start..end)))
            }
            Value::Skipped => {
                let big_endian = element.big_endian.then_some(element.vr);
                Some(Found::Range { offset: element.value_offset, length: element.value_length, big_endian })
            }
            Value::Fragments(_) if element.tag == PIXEL_DATA => Some(Found::Pixels),
            // Of an icon: its items as they are.
            Value::Fragments(_) => {
                Some(Found::Range { offset: element.value_offset, length: element.value_length, big_endian: None })
            }
            Value::Sequence(_) => None,
        };
        Ok(elements.into_iter().map(|element| element.and_then(found)).collect())
    };
    place.run(&name, work).await
}

fn counted(access: Access, bytes: Bytes) -> ByteStream {
    let serve = async move {
        access.serve(Counts { instances: 0, frames: 0, bytes: bytes.len() as u64 }).await?;
        Ok(bytes)
    };
    stream::once(serve).boxed()
}

fn ranges(
    state: &ViewerState,
    held: Held,
    access: Access,
    offset: u64,
    part: Range<u64>,
    big_endian: Option<VR>,
) -> ByteStream {
    let reader = state.reader().clone();
    let length = part.end.saturating_sub(part.start);
    let (offset, end) = (offset.saturating_add(part.start), offset.saturating_add(part.end));
    let next = move |at: u64| {
        let (reader, held, access) = (reader.clone(), held.clone(), access.clone());
        async move {
            if at == offset {
                access.serve(Counts { instances: 0, frames: 0, bytes: length }).await?;
            }
            if at >= end {
                return Ok(None);
            }
            let bytes = reader.read(&held, Some(at..at.saturating_add(RANGE_BYTES).min(end))).await?;
            if bytes.is_empty() {
                let what = format!("instance {}", held.record.description.instance.sop_instance_uid);
                return Err(archive::Error::Damaged { what, detail: format!("it ends at byte {at}") }.into());
            }
            let next = at + bytes.len() as u64;
            Ok(Some((turned(bytes, big_endian), next)))
        }
    };
    stream::try_unfold(offset, next).boxed()
}

fn turned(bytes: Bytes, big_endian: Option<VR>) -> Bytes {
    let Some(vr) = big_endian else { return bytes };
    let mut bytes = Vec::from(bytes);
    swap(&mut bytes, vr);
    bytes.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_is_read_and_others_are_ignored_or_refused() {
        let check = |range: &'static str, expected: Option<Option<Range<u64>>>| {
            let headers = HeaderMap::from_iter([(header::RANGE, HeaderValue::from_static(range))]);
            let found = byte_range(&headers, &Found::Bytes(Bytes::from_static(&[0; 10])), "t");
            assert_eq!(found.map(Result::ok), expected, "{range}");
        };
        check("bytes=0-3", Some(Some(0..4)));
        check("bytes=8-", Some(Some(8..10)));
        check("bytes=-3", Some(Some(7..10)));
        check("bytes=2-99", Some(Some(2..10)));
        check("bytes=10-", Some(None));
        check("bytes=3-2", Some(None));
        for ignored in ["bytes=0-1,3-4", "lines=0-1", "bytes=x-", "bytes="] {
            check(ignored, None);
        }
    }

    #[test]
    fn numbers_of_big_endian_files_are_turned_around_and_bytes_are_not() {
        let check = |vr, expected: &'static [u8]| {
            assert_eq!(turned(Bytes::from_static(&[1, 2, 3, 4]), vr), expected);
        };
        check(None, &[1, 2, 3, 4]);
        check(Some(VR::OB), &[1, 2, 3, 4]);
        check(Some(VR::OW), &[2, 1, 4, 3]);
        check(Some(VR::OF), &[4, 3, 2, 1]);
        assert_eq!(RANGE_BYTES % 8, 0, "no number is cut in two");
    }
}
