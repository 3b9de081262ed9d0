//! A value that is not in the metadata (PS3.18 §10.4.1.1.5): a waveform, a document, a table.

use archive::Held;
use axum::body::Body;
use axum::extract::State;
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use tokio::runtime::Handle;
use transcode::data_set::{Limits, VR, Value, inflate, scan, swap};

use super::held_file::HeldFile;
use super::{Address, Caller, entity_tag, instance_at, not_modified, single, tagged};
use crate::audit::{Access, Counts, Rendition};
use crate::error::{Error, Result};
use crate::multipart::{self, ByteStream, Part};
use crate::state::ViewerState;

/// Media type of bulk data here.
const OCTETS: &str = "application/octet-stream";
/// Bytes read at once: whole numbers of every VR.
const RANGE_BYTES: u64 = 1 << 20;

/// Where a value is.
enum Found {
    /// Here.
    Bytes(Bytes),
    /// In the file as held; its numbers big-endian, of the VR named, or as they are to be sent.
    Range { offset: u64, length: u64, big_endian: Option<VR> },
}

/// `GET …/instances/I/bulkdata/{path}`.
pub(crate) async fn bulkdata(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let what = || format!("the value {} of {}", plain(&address.path), address.sentence());
    let Some(range) = caller.accept.iter().find(|range| range.covers(OCTETS)) else {
        return Err(Error::NotAcceptable { what: what(), offered: vec![OCTETS.into()] });
    };
    let held = instance_at(&state, &address).await?;
    let access = state.audit().access(&caller.principal, &address.study, Rendition::View, caller.purpose).await?;
    let tag = entity_tag(&held, &format!("{}-{}", held.part10_bytes, plain(&address.path).replace('/', "-")));
    if caller.has(&tag) {
        access.serve(Counts::default()).await?;
        return Ok(not_modified(&tag));
    }
    let (path, sentence) = (address.path.clone(), what());
    let found = locate(&state, &held, path, sentence).await?;
    let (length, body) = match found {
        Found::Bytes(bytes) => (bytes.len() as u64, counted(access, bytes)),
        Found::Range { offset, length, big_endian } => {
            (length, ranges(&state, held, access, offset, length, big_endian))
        }
    };
    if range.is_multipart() {
        let part = Part { content_type: OCTETS.into(), content_location: None, content_length: Some(length), body };
        return Ok(tagged(multipart::related(OCTETS, stream::iter([Ok(part)])), &tag));
    }
    let body = if caller.head { Body::empty() } else { Body::from_stream(multipart::log_failure(body)) };
    Ok(tagged(single(OCTETS, Some(length), body), &tag))
}

/// A path as it may stand in a sentence.
fn plain(path: &str) -> String {
    path.chars().filter(|c| c.is_ascii_alphanumeric() || *c == '/').take(200).collect()
}

/// Finds a value by scanning the file as held. Numbers are little-endian (PS3.18 §8.7.3.4.2).
async fn locate(state: &ViewerState, held: &Held, path: String, sentence: String) -> Result<Found> {
    let place = state.pool().place().await?;
    let mut file = HeldFile::new(state.reader().clone(), held.clone(), Handle::current());
    let name = sentence.clone();
    let work = move || {
        let limits = Limits::default();
        let wrong =
            |error: transcode::data_set::Error| Error::Pixels { what: sentence.clone(), detail: error.to_string() };
        let part10 = scan(&mut file, &limits).map_err(wrong)?;
        let element = part10.data_set.at_path(&path).ok_or_else(|| Error::NotFound(sentence.clone()))?;
        if let Some(bytes) = element.little_endian() {
            return Ok(Found::Bytes(Bytes::copy_from_slice(&bytes)));
        }
        match element.value {
            Value::Skipped if part10.deflated => {
                let inflated = Bytes::from(inflate(&part10, &mut file, &limits).map_err(wrong)?);
                let start = usize::try_from(element.value_offset).unwrap_or(usize::MAX);
                let end = start.saturating_add(usize::try_from(element.value_length).unwrap_or(usize::MAX));
                let value = (start <= end && end <= inflated.len()).then(|| inflated.slice(start..end));
                value.map(Found::Bytes).ok_or_else(|| Error::NotFound(sentence.clone()))
            }
            Value::Skipped => {
                let big_endian = element.big_endian.then_some(element.vr);
                Ok(Found::Range { offset: element.value_offset, length: element.value_length, big_endian })
            }
            Value::Fragments(_) => Err(Error::NotAcceptable {
                what: sentence.clone(),
                offered: vec!["its frames, at …/frames/1".into()],
            }),
            _ => Err(Error::NotFound(sentence.clone())),
        }
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
    length: u64,
    big_endian: Option<VR>,
) -> ByteStream {
    let reader = state.reader().clone();
    let end = offset.saturating_add(length);
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
