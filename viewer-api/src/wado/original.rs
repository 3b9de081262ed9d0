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
    let body = if caller.head {
        Body::empty()
    } else if held.form == HeldForm::Packed {
        // Rebuilt before the answer begins: what cannot be rebuilt is a sentence, not a body that breaks off.
        let bytes = rebuilt(&state, &held).await?;
        access.serve(Counts { instances: 1, frames: 0, bytes: bytes.len() as u64 }).await?;
        Body::from(bytes)
    } else {
        Body::from_stream(multipart::log_failure(as_held(&state, held, access)))
    };
    let mut response = tagged(single("application/dicom", Some(received_bytes), body), &tag);
    let headers = response.headers_mut();
    if let Ok(digest) = HeaderValue::from_str(&digest) {
        headers.insert(SHA256, digest);
    }
    if let Ok(name) = HeaderValue::from_str(&format!("attachment; filename=\"{uid}.dcm\"")) {
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
