//! A fresh Part 10 header in Explicit VR Little Endian, around Pixel Data that its caller writes.

use std::collections::BTreeMap;
use std::io::{Read, Seek};

use super::writer::{Writer, pieces, put};
use super::{Error, Part10, Tag, VR, tags};

/// Implementation Class UID (0002,0012) of what this program writes.
pub const IMPLEMENTATION_CLASS_UID: &str = "2.25.329040058954171922487947423916499899657";
/// Implementation Version Name (0002,0013) of what this program writes.
pub const IMPLEMENTATION_VERSION_NAME: &str = "TSUNAGU_0_1";

/// What a rewritten header says differently.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Changes {
    /// Its Transfer Syntax UID (0002,0010).
    pub transfer_syntax_uid: String,
    /// Elements of the outermost Data Set that are replaced or added, their values little-endian.
    pub elements: BTreeMap<Tag, (VR, Vec<u8>)>,
    /// Bytes the header may have.
    pub header_bytes_max: u64,
}

/// A rewritten file without its Pixel Data element, which goes between the two parts.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Header {
    /// Preamble, `DICM`, File Meta Information and all elements before Pixel Data (7FE0,0010).
    pub before: Vec<u8>,
    /// All elements after it.
    pub after: Vec<u8>,
}

/// Writes the header anew: elements sorted, sequences of undefined length, values verbatim but for byte order and an
/// even length. Pixel Data and its offset tables, group lengths and Data Set Trailing Padding are left out; of the
/// meta group only the two SOP UIDs are taken over. `source` gives the values that the scan did not keep; for a
/// deflated file it is the inflated stream.
///
/// # Errors
/// [`Error::TooBig`] past `header_bytes_max`; [`Error::Io`] if a value cannot be read.
///
/// Source: PS3.10 §7.1, PS3.5 §7.1, §6.2.2 (values too long for a short VR become UN).
pub fn explicit_vr_le(part10: &Part10, source: &mut (impl Read + Seek), changes: &Changes) -> Result<Header, Error> {
    let mut out = meta(part10, &changes.transfer_syntax_uid);
    let written = out.len() as u64;
    let bytes_max = changes.header_bytes_max;
    let mut after_offset = None;
    let mut writer = Writer { out: &mut out, source, implicit: false, encapsulated_icons: true, written, bytes_max };
    for (tag, piece) in pieces(part10, &changes.elements) {
        if tag > tags::PIXEL_DATA && after_offset.is_none() {
            after_offset = usize::try_from(writer.written).ok();
        }
        writer.piece(&piece)?;
    }
    let after = after_offset.map(|offset| out.split_off(offset)).unwrap_or_default();
    Ok(Header { before: out, after })
}

/// Preamble, magic and File Meta Information (PS3.10 Table 7.1-1).
pub(crate) fn meta(part10: &Part10, transfer_syntax_uid: &str) -> Vec<u8> {
    let uid = |meta: Tag, data_set: Tag| {
        let uid = part10.data_set.uid(data_set).or_else(|| part10.meta.uid(meta));
        uid.unwrap_or_default().as_bytes()
    };
    let class = uid(tags::MEDIA_STORAGE_SOP_CLASS_UID, tags::SOP_CLASS_UID);
    let instance = uid(tags::MEDIA_STORAGE_SOP_INSTANCE_UID, tags::SOP_INSTANCE_UID);
    meta_of(class, instance, transfer_syntax_uid)
}

/// The same of an instance of that class and UID.
pub(crate) fn meta_of(class: &[u8], instance: &[u8], transfer_syntax_uid: &str) -> Vec<u8> {
    let mut group = Vec::new();
    put(&mut group, tags::FILE_META_INFORMATION_VERSION, VR::OB, &[0, 1]);
    put(&mut group, tags::MEDIA_STORAGE_SOP_CLASS_UID, VR::UI, class);
    put(&mut group, tags::MEDIA_STORAGE_SOP_INSTANCE_UID, VR::UI, instance);
    put(&mut group, tags::TRANSFER_SYNTAX_UID, VR::UI, transfer_syntax_uid.as_bytes());
    put(&mut group, tags::IMPLEMENTATION_CLASS_UID, VR::UI, IMPLEMENTATION_CLASS_UID.as_bytes());
    put(&mut group, tags::IMPLEMENTATION_VERSION_NAME, VR::SH, IMPLEMENTATION_VERSION_NAME.as_bytes());
    let mut out = vec![0; 128];
    out.extend_from_slice(b"DICM");
    let length = u32::try_from(group.len()).unwrap_or(u32::MAX);
    put(&mut out, tags::FILE_META_INFORMATION_GROUP_LENGTH, VR::UL, &length.to_le_bytes());
    out.extend_from_slice(&group);
    out
}
