//! The gate: one bounded look at a received file, and a verdict: admitted with all the archive needs, or a reason.
//!
//! As accepting as is safe: what can be keyed by its UIDs and handed out again is admitted, however odd. Refused is
//! what is not DICOM, what lacks a key, and what is known to have lost bytes.

mod character_set;
mod describe;
mod dicom_json;
mod mfer;
mod verdict;

use std::io::{Read, Seek, SeekFrom};

use archive::{Body, Description, FrameSpan, FrameTable, Reason};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use transcode::data_set::{self, Limits, Part10};

pub use character_set::{CharacterSet, TextKind};
pub use describe::{describe, is_key};
pub use dicom_json::dicom_json;
pub use verdict::Verdict;

/// Tags that are read here by name.
pub(crate) mod tags {
    pub(crate) use dicom_dictionary_std::tags::*;
}

/// Bytes read at once for the digest.
const DIGEST_CHUNK_BYTES: usize = 256 << 10;

/// All that admission finds out about a file.
#[derive(Clone, Debug)]
pub struct Examined {
    /// The file that is to be held where what was received is no DICOM: made of it, with the received bytes inside.
    pub converted: Option<Body>,
    /// Where its elements lie.
    pub part10: Part10,
    /// What it is; Issuer of Patient ID is empty where the file names none.
    pub description: Description,
    /// Its metadata (PS3.18 Annex F): one object, without group 0002, text in Unicode.
    pub dicom_json: Bytes,
    /// Where its frames lie. Empty for what has no pixels, for a deflated Data Set, whose frames lie in no range
    /// of the file, and where fragments cannot be told apart.
    pub frames: FrameTable,
}

/// Examines a received file, whose SHA-256 is known.
///
/// # Errors
/// The [`Reason`] for quarantine: what is wrong, at which byte, and what its sender can do.
pub fn examine(body: &Body, digest: &[u8; 32], limits: &Limits) -> Result<Examined, Reason> {
    admit(body, digest, limits).map_err(Reason::from)
}

/// Examines a DICOM file, and nothing else.
///
/// # Errors
/// As [`examine`].
pub fn examine_dicom(body: &Body, limits: &Limits) -> Result<Examined, Reason> {
    admit_dicom(body, limits).map_err(Reason::from)
}

fn admit(body: &Body, digest: &[u8; 32], limits: &Limits) -> Result<Examined, Verdict> {
    if mfer::is_mfer(body)? {
        return mfer::admit(body, digest, limits);
    }
    admit_dicom(body, limits)
}

fn admit_dicom(body: &Body, limits: &Limits) -> Result<Examined, Verdict> {
    match body {
        Body::Memory(bytes) => admit_from(std::io::Cursor::new(bytes), limits),
        // The scan seeks much and reads little: a large read-ahead would be thrown away at each seek.
        Body::Spooled(file, _) => admit_from(file.reopen().map_err(data_set::Error::from)?, limits),
    }
}

fn admit_from(mut source: impl Read + Seek, limits: &Limits) -> Result<Examined, Verdict> {
    let part10 = data_set::scan(&mut source, limits)?;
    let set = CharacterSet::of(&part10.data_set, None);
    let description = describe(&part10, &set)?;
    let frames = frame_table(&part10, &mut source)?;
    let dicom_json = dicom_json(&part10.data_set, &set).into();
    Ok(Examined { converted: None, part10, description, dicom_json, frames })
}

/// SHA-256 of the Data Set as encoded: from [`Part10::data_set_offset`] to the end of the file.
///
/// # Errors
/// A sentence, where it is no file that can be read.
pub fn data_set_digest(body: &Body, limits: &Limits) -> Result<[u8; 32], String> {
    let mut source = body.reader().map_err(|error| error.to_string())?;
    let offset = data_set::scan(&mut source, limits).map_err(|error| error.to_string())?.data_set_offset;
    if let Body::Memory(bytes) = body {
        let data_set = usize::try_from(offset).ok().and_then(|offset| bytes.get(offset..));
        return Ok(Sha256::digest(data_set.unwrap_or_default()).into());
    }
    digest_from(&mut source, offset).map_err(|error| error.to_string())
}

/// SHA-256 of a file, read again.
///
/// # Errors
/// A sentence, where it can no longer be read.
pub(crate) fn file_digest(body: &Body) -> Result<[u8; 32], String> {
    let digest = body.reader().and_then(|mut source| digest_from(&mut source, 0));
    digest.map_err(|error| error.to_string())
}

fn frame_table(part10: &Part10, source: &mut (impl Read + Seek)) -> Result<FrameTable, Verdict> {
    let encapsulated = part10.data_set.get(tags::PIXEL_DATA).is_some_and(|pixels| pixels.undefined_length);
    if part10.deflated && encapsulated {
        return Ok(FrameTable::default());
    }
    let spans = match data_set::frame_spans(part10, source) {
        // Nothing is lost, only unclear: the instance is retrieved as a whole.
        Err(data_set::Error::FramesUnclear { .. }) => Vec::new(),
        // Only whether there are enough bytes was asked.
        Ok(_) if part10.deflated => Vec::new(),
        other => other?,
    };
    let frame = |span: data_set::FrameSpan| {
        let data_set::FrameSpan { offset, length, fragments } = span;
        FrameSpan { offset, length, fragments, resolution_ends: Vec::new() }
    };
    Ok(FrameTable { frames: spans.into_iter().map(frame).collect() })
}

/// SHA-256 of all bytes from `offset` on.
fn digest_from(source: &mut (impl Read + Seek), offset: u64) -> std::io::Result<[u8; 32]> {
    source.seek(SeekFrom::Start(offset))?;
    let (mut digest, mut chunk) = (Sha256::new(), vec![0; DIGEST_CHUNK_BYTES]);
    loop {
        match source.read(&mut chunk) {
            Ok(0) => return Ok(digest.finalize().into()),
            Ok(read) => digest.update(chunk.get(..read).unwrap_or_default()),
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

#[cfg(test)]
mod tests;
