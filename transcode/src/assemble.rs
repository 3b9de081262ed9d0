//! A Part 10 file of codestreams: an edited header, encapsulated Pixel Data, the tables that find the frames.

use std::collections::BTreeMap;
use std::io::Cursor;

use crate::data_set::rewrite::{self, Changes};
use crate::data_set::{Limits, Part10, Tag, VR};
use crate::encapsulate::encapsulate;
use crate::error::{Error, Result};

/// A file put together, and where each codestream lies in it (offset, length).
pub(crate) type Assembled = (Vec<u8>, Vec<(u64, u64)>);

/// Writes the file. `bytes` are what the offsets of `part10` are of.
///
/// # Errors
/// [`Error::Damaged`] when a codestream does not keep what the transfer syntax promises, or the header cannot be written.
pub(crate) fn assemble(
    part10: &Part10,
    bytes: &[u8],
    transfer_syntax_uid: &str,
    frames: &[Vec<u8>],
    limits: &Limits,
) -> Result<Assembled> {
    let encapsulated = encapsulate(transfer_syntax_uid, frames)?;
    let changes = Changes {
        transfer_syntax_uid: transfer_syntax_uid.into(),
        elements: BTreeMap::from([
            (Tag(0x7FE0, 0x0001), (VR::OV, encapsulated.extended_offset_table)),
            (Tag(0x7FE0, 0x0002), (VR::OV, encapsulated.extended_offset_table_lengths)),
        ]),
        header_bytes_max: limits.header_bytes_max,
    };
    let header = rewrite::explicit_vr_le(part10, &mut Cursor::new(bytes), &changes);
    let header = header.map_err(|error| Error::Damaged { coder: "DICOM file", detail: error.to_string() })?;
    let start = header.before.len() as u64;
    let spans = encapsulated.spans.iter().map(|(offset, length)| (start + offset, *length)).collect();
    Ok(([header.before, encapsulated.pixel_data, header.after].concat(), spans))
}
