//! The received file, byte for byte, in whatever form it is held.

use archive::{Body, FrameTable, Held, Reader};
use bytes::Bytes;

/// The received file: as held, or rebuilt from pack and recipe. All of it in memory.
///
/// # Errors
/// When it cannot be read or rebuilt.
pub async fn received_bytes(reader: &Reader, held: &Held) -> archive::Result<Bytes> {
    let part10 = reader.read(held, None).await?;
    let Some(recipe) = reader.recipe(held).await? else { return Ok(part10) };
    let name = held.record.description.instance.sop_instance_uid.clone();
    let rebuild = move || transcode::recipe::rebuild(&part10, &recipe);
    let rebuilt = tokio::task::spawn_blocking(rebuild).await.map_err(|e| e.to_string());
    let rebuilt = rebuilt.and_then(|rebuilt| rebuilt.map_err(|e| e.to_string()));
    rebuilt.map(Bytes::from).map_err(|detail| archive::Error::Damaged { what: format!("instance {name}"), detail })
}

/// The bytes of one frame of a received file, item headers left out where it has several fragments.
pub(crate) fn frame_bytes(body: &Body, frames: &FrameTable, frame: usize) -> Result<Vec<u8>, String> {
    use std::io::{Read, Seek, SeekFrom};
    let span = frames.frames.get(frame).ok_or("there is no such frame")?;
    let mut reader = body.reader().map_err(|e| e.to_string())?;
    reader.seek(SeekFrom::Start(span.offset)).map_err(|e| e.to_string())?;
    let mut bytes = Vec::new();
    reader.take(span.length).read_to_end(&mut bytes).map_err(|e| e.to_string())?;
    Ok(if span.fragments > 1 { without_item_headers(&bytes) } else { bytes })
}

/// Joins fragments: each is an item tag, a length and its value (PS3.5 Annex A.4).
fn without_item_headers(mut items: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(items.len());
    while let Some((head, rest)) = items.split_at_checked(8) {
        let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
        let (value, next) = rest.split_at(length.min(rest.len()));
        out.extend_from_slice(value);
        items = next;
    }
    out
}
