//! The received file, byte for byte, in whatever form it is held.

use std::io::Write;

use archive::{Body, FrameTable, Held, HeldForm, Reader};
use bytes::Bytes;
use tempfile::NamedTempFile;

/// A received file of more is spooled where it need not be rebuilt.
const MEMORY_BYTES_MAX: u64 = 32 << 20;
/// Bytes copied at a time.
const CHUNK_BYTES: u64 = 4 << 20;

/// The received file: as held, rebuilt from pack and recipe, or taken out of the Part 10 file that was made of it. All of it
/// in memory.
///
/// # Errors
/// When it cannot be read or rebuilt.
pub async fn received_bytes(reader: &Reader, held: &Held) -> archive::Result<Bytes> {
    if let Some(embedded) = held.embedded() {
        return reader.read(held, Some(embedded.range())).await;
    }
    let part10 = reader.read(held, None).await?;
    let Some(recipe) = reader.recipe(held).await? else { return Ok(part10) };
    let name = held.record.description.instance.sop_instance_uid.clone();
    let rebuild = move || transcode::recipe::rebuild(&part10, &recipe);
    let rebuilt = tokio::task::spawn_blocking(rebuild).await.map_err(|e| e.to_string());
    let rebuilt = rebuilt.and_then(|rebuilt| rebuilt.map_err(|e| e.to_string()));
    rebuilt.map(Bytes::from).map_err(|detail| archive::Error::Damaged { what: format!("instance {name}"), detail })
}

/// As [`received_bytes`], in a file of its own where it is long and can be copied as it is held.
pub(crate) async fn received_body(reader: &Reader, held: &Held) -> archive::Result<Body> {
    match held.embedded() {
        Some(_) => received_bytes(reader, held).await.map(Body::Memory),
        None => dicom_body(reader, held).await,
    }
}

/// The DICOM file of an instance: the received one, or the one that was made of it where that was none.
pub(crate) async fn dicom_body(reader: &Reader, held: &Held) -> archive::Result<Body> {
    if held.embedded().is_some() {
        return reader.read(held, None).await.map(Body::Memory);
    }
    let as_received = matches!(held.form, HeldForm::Intake | HeldForm::Received);
    if !as_received || held.part10_bytes <= MEMORY_BYTES_MAX {
        return received_bytes(reader, held).await.map(Body::Memory);
    }
    let dir = reader.layout().spool();
    let failed = |source| archive::Error::Io { what: "copying a held file", path: dir.display().to_string(), source };
    let mut file = NamedTempFile::new_in(&dir).map_err(failed)?;
    let mut at = 0;
    while at < held.part10_bytes {
        let chunk = reader.read(held, Some(at..at + CHUNK_BYTES)).await?;
        at += chunk.len() as u64;
        let write = move || file.write_all(&chunk).map(|()| file);
        file = tokio::task::spawn_blocking(write).await.unwrap_or_else(|e| Err(e.into())).map_err(failed)?;
    }
    Body::spooled(file).map_err(failed)
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
