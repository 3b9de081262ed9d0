//! Whether two files under one SOP Instance UID say the same: same values, same pixels, whatever the encoding.

use std::collections::BTreeMap;
use std::io::{Read, Seek, SeekFrom};

use archive::Body;
use serde_json::Value;
use transcode::data_set::{self, Limits, Part10};
use transcode::decode_frame;

use crate::admit;

/// Attributes that only tell how pixels are encoded: they may differ between variants.
const ENCODING: &[&str] = &["7FE00010", "7FE00001", "7FE00002", "FFFCFFFC", "00280006"];

/// A value that is not kept by the scan is compared up to this length; a longer one counts as different.
const BULK_BYTES_MAX: u64 = 256 << 20;

/// What two files under one SOP Instance UID are to each other.
pub(crate) enum Likeness {
    /// One Data Set, byte for byte; preamble and meta group may differ.
    SameDataSet,
    /// Values and pixels are the same.
    SameValues,
    /// What differs first, in words.
    Differs(String),
}

/// Compares a held file with a new one, of which the Data Set's digest is known.
pub(crate) fn likeness(held: &Body, new: &Body, new_data_set: &[u8; 32], limits: &Limits) -> Likeness {
    if admit::data_set_digest(held, limits).is_ok_and(|held| held == *new_data_set) {
        return Likeness::SameDataSet;
    }
    difference(held, new, limits).map_or(Likeness::SameValues, Likeness::Differs)
}

/// What differs first, in words; `None` where both say the same.
fn difference(held: &Body, new: &Body, limits: &Limits) -> Option<String> {
    match (side(held, limits), side(new, limits)) {
        (Ok(held), Ok(new)) => values_differ(&held, &new).or_else(|| pixels_differ(&held, &new)),
        (Err(why), _) | (_, Err(why)) => Some(format!("they cannot be compared: {why}")),
    }
}

struct Side {
    part10: Part10,
    values: BTreeMap<String, Value>,
    frames: archive::FrameTable,
    body: Body,
}

fn side(body: &Body, limits: &Limits) -> Result<Side, String> {
    let examined = admit::examine_dicom(body, limits).map_err(|reason| reason.text)?;
    let mut values: BTreeMap<String, Value> =
        serde_json::from_slice(&examined.dicom_json).map_err(|e| e.to_string())?;
    values.retain(|tag, _| !ENCODING.contains(&tag.as_str()));
    Ok(Side { part10: examined.part10, values, frames: examined.frames, body: body.clone() })
}

fn values_differ(held: &Side, new: &Side) -> Option<String> {
    let tags = held.values.keys().chain(new.values.keys());
    tags.filter(|tag| held.values.get(*tag) != new.values.get(*tag))
        .min()
        .map(|tag| format!("attribute ({},{}) differs", &tag[..4.min(tag.len())], &tag[4.min(tag.len())..]))
        .or_else(|| bulk_differs(held, new))
}

/// Values too large for the metadata are named there, not said: they are compared as bytes.
fn bulk_differs(held: &Side, new: &Side) -> Option<String> {
    let mut paths = Vec::new();
    for (tag, attribute) in &held.values {
        bulk_paths(tag, attribute, &mut paths);
    }
    paths
        .into_iter()
        .find(|path| {
            let (a, b) = (bulk_value(held, path), bulk_value(new, path));
            a.is_none() || a != b
        })
        .map(|path| format!("the value at {path} differs"))
}

fn bulk_paths(tag: &str, attribute: &Value, paths: &mut Vec<String>) {
    if let Some(uri) = attribute.get("BulkDataURI").and_then(Value::as_str) {
        paths.extend(uri.strip_prefix("bulkdata/").map(str::to_owned));
    }
    let items = attribute.get("Value").and_then(Value::as_array).into_iter().flatten().enumerate();
    for (at, item) in items {
        for (inner, attribute) in item.as_object().into_iter().flatten() {
            bulk_paths(&format!("{tag}/{at}/{inner}"), attribute, paths);
        }
    }
}

fn bulk_value(side: &Side, path: &str) -> Option<Vec<u8>> {
    let element = side.part10.data_set.at_path(path)?;
    if let Some(bytes) = element.little_endian() {
        return Some(bytes.into_owned());
    }
    // Not kept by the scan: read where it lies. Words of another byte order are not told from other words then.
    if side.part10.deflated || element.value_length > BULK_BYTES_MAX {
        return None;
    }
    let mut reader = side.body.reader().ok()?;
    reader.seek(SeekFrom::Start(element.value_offset)).ok()?;
    let mut bytes = Vec::new();
    reader.take(element.value_length).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

fn pixels_differ(held: &Side, new: &Side) -> Option<String> {
    let description = |side: &Side| data_set::pixel_description(&side.part10.data_set);
    let (Some(ours), Some(theirs)) = (description(held), description(new)) else {
        return (held.frames != new.frames).then(|| "one has pixels and the other has none".to_owned());
    };
    if held.frames.frames.len() != new.frames.frames.len() {
        return Some("they have different numbers of frames".into());
    }
    for frame in 0..held.frames.frames.len() {
        let decoded = |side: &Side, description| -> Result<_, String> {
            let bytes = crate::original::frame_bytes(&side.body, &side.frames, frame)?;
            decode_frame(&side.part10.transfer_syntax_uid, description, &bytes).map_err(|e| e.to_string())
        };
        match (decoded(held, &ours), decoded(new, &theirs)) {
            (Ok(a), Ok(b)) if a == b => {}
            (Ok(_), Ok(_)) => return Some(format!("the pixels of frame {} differ", frame + 1)),
            (Err(why), _) | (_, Err(why)) => return Some(format!("frame {} cannot be compared: {why}", frame + 1)),
        }
    }
    None
}
