//! The file byte for byte as it was received: a service of ours, `…/instances/I/original`, with a permission of its own.

use archive::{Held, HeldForm};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::Response;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use sha2::{Digest, Sha256};

use super::retrieve::as_held;
use super::{Address, Caller, instance_at, not_modified, single, tagged};
use crate::audit::{Access, Counts, Rendition};
use crate::error::{Error, Result};
use crate::multipart::{self, ByteStream};
use crate::state::ViewerState;

/// SHA-256 of the received file, in hexadecimal digits.
const SHA256: HeaderName = HeaderName::from_static("x-tsunagu-sha256");

/// `GET …/instances/I/original`.
pub(crate) async fn original(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let held = instance_at(&state, &address).await?;
    let access = state.audit().access(&caller.principal, &address.study, Rendition::Original, caller.purpose).await?;
    let digest = archive::hex(&held.record.digests.file);
    let tag = format!("\"{digest}\"");
    if caller.has(&tag) {
        access.serve(Counts { instances: 1, ..Counts::default() }).await?;
        return Ok(not_modified(&tag));
    }
    let (received_bytes, uid) = (held.record.received_bytes, held.record.description.instance.sop_instance_uid.clone());
    let held_as = held.embedded().cloned();
    let body = if caller.head {
        Body::empty()
    } else if held.form == HeldForm::Packed || held.embedded().is_some() {
        // Rebuilt before the answer begins: what cannot be rebuilt is a sentence, not a body that breaks off.
        let bytes = match held.embedded() {
            Some(_) => taken_out(&state, &held).await?,
            None => rebuilt(&state, &held).await?,
        };
        access.serve(Counts { instances: 1, frames: 0, bytes: bytes.len() as u64 }).await?;
        Body::from(bytes)
    } else {
        Body::from_stream(multipart::log_failure(as_held(&state, held, access)))
    };
    let (media_type, extension) = match held_as.as_ref() {
        Some(embedded) => (embedded.media_type.as_str(), embedded.extension.as_str()),
        None => ("application/dicom", "dcm"),
    };
    let mut response = tagged(single(media_type, Some(received_bytes), body), &tag);
    let headers = response.headers_mut();
    if let Ok(digest) = HeaderValue::from_str(&digest) {
        headers.insert(SHA256, digest);
    }
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{uid}.{extension}\"")) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The received file of a packed instance, rebuilt when its turn in a body comes.
pub(super) fn rebuilt_stream(state: &ViewerState, held: Held, access: Access) -> ByteStream {
    let state = state.clone();
    let rebuild = async move {
        let bytes = rebuilt(&state, &held).await?;
        access.serve(Counts { instances: 1, frames: 0, bytes: bytes.len() as u64 }).await?;
        Ok(bytes)
    };
    stream::once(rebuild).boxed()
}

/// The received file inside of the one that was made of it, if its digest is the one that was taken in. It is not long: what
/// is longer than the reader of its format takes on was never made into another.
async fn taken_out(state: &ViewerState, held: &Held) -> Result<Bytes> {
    let uid = &held.record.description.instance.sop_instance_uid;
    let place = state.pool().place().await?;
    let bytes = state.reader().read(held, Some(held.received_range())).await?;
    let hashed = bytes.clone();
    let digest = place.run(&format!("instance {uid}"), move || Ok(<[u8; 32]>::from(Sha256::digest(&hashed)))).await?;
    if digest != held.record.digests.file {
        let detail = "what is held is not what was received".into();
        return Err(Error::Archive(archive::Error::Damaged { what: format!("instance {uid}"), detail }));
    }
    Ok(bytes)
}

/// Rebuilds the received file, and gives it only if its digest is the one that was taken in.
async fn rebuilt(state: &ViewerState, held: &Held) -> Result<Bytes> {
    let uid = &held.record.description.instance.sop_instance_uid;
    let damaged = |detail: String| archive::Error::Damaged { what: format!("instance {uid}"), detail };
    let place = state.pool().place().await?;
    let recipe = state.reader().recipe(held).await?.ok_or_else(|| damaged("its recipe is missing".into()))?;
    let part10 = state.reader().read(held, None).await?;
    let work = move || {
        let rebuilt = transcode::recipe::rebuild(&part10, &recipe);
        Ok(rebuilt.map(|bytes| (<[u8; 32]>::from(Sha256::digest(&bytes)), Bytes::from(bytes))))
    };
    let (digest, bytes) =
        place.run(&format!("instance {uid}"), work).await?.map_err(|error| damaged(error.to_string()))?;
    if digest != held.record.digests.file {
        return Err(Error::Archive(damaged("what was rebuilt is not what was received".into())));
    }
    Ok(bytes)
}
