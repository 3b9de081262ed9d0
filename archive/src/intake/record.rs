//! One framed record of an intake segment.
//!
//! ```text
//!  0  magic "TSGR"            u32
//!  4  version = 1             u16
//!  6  flags   = 0             u16
//!  8  sequence                u64   take-in order over the whole archive
//! 16  meta bytes              u32   JSON: description, origin, digests, variant
//! 20  DICOM JSON bytes        u32
//! 24  frame table bytes       u32
//! 28  checksum of the header  u32   CRC-32C of bytes 0..28 and 32..72
//! 32  body bytes              u64
//! 40  key slot                32 B  zero until records are sealed
//! 72  meta · DICOM JSON · frame table · body
//!  n  checksum                u32   CRC-32C of everything since byte 72
//! ```
//! All numbers are little-endian. A record whose checksum does not match was never acknowledged.

use serde::{Deserialize, Serialize};

use crate::{Description, Digests, Origin};

pub(crate) const HEADER_BYTES: usize = 72;
pub(crate) const TRAILER_BYTES: usize = 4;
pub(crate) const MAGIC: &[u8; 4] = b"TSGR";
const VERSION: u16 = 1;

/// What a record says of its body.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Meta {
    pub description: Description,
    pub origin: Origin,
    pub digests: Digests,
    /// Kept beside a held instance of the same SOP Instance UID and the same values.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub variant: bool,
}

impl Meta {
    /// Bytes of the file as received, of which the body has so many: it may hold more than that file.
    pub fn received_bytes(&self, body_bytes: u64) -> u64 {
        self.description.instance.embedded.as_ref().map_or(body_bytes, |embedded| embedded.bytes)
    }
}

/// The fixed part at the head of a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    pub sequence: u64,
    pub meta_bytes: u32,
    pub dicom_json_bytes: u32,
    pub frames_bytes: u32,
    pub body_bytes: u64,
}

impl Header {
    pub fn to_bytes(self) -> [u8; HEADER_BYTES] {
        let mut out = [0; HEADER_BYTES];
        out[..4].copy_from_slice(MAGIC);
        out[4..6].copy_from_slice(&VERSION.to_le_bytes());
        out[8..16].copy_from_slice(&self.sequence.to_le_bytes());
        out[16..20].copy_from_slice(&self.meta_bytes.to_le_bytes());
        out[20..24].copy_from_slice(&self.dicom_json_bytes.to_le_bytes());
        out[24..28].copy_from_slice(&self.frames_bytes.to_le_bytes());
        out[32..40].copy_from_slice(&self.body_bytes.to_le_bytes());
        let checksum = header_checksum(&out);
        out[28..32].copy_from_slice(&checksum.to_le_bytes());
        out
    }

    /// `None` where the bytes are no whole, undamaged header.
    pub fn from_bytes(bytes: &[u8; HEADER_BYTES]) -> Option<Header> {
        let known = &bytes[..4] == MAGIC && bytes[4..6] == VERSION.to_le_bytes();
        let whole = bytes[28..32] == header_checksum(bytes).to_le_bytes();
        (known && whole).then(|| Header {
            sequence: u64::from_le_bytes(eight(bytes, 8)),
            meta_bytes: u32::from_le_bytes(four(bytes, 16)),
            dicom_json_bytes: u32::from_le_bytes(four(bytes, 20)),
            frames_bytes: u32::from_le_bytes(four(bytes, 24)),
            body_bytes: u64::from_le_bytes(eight(bytes, 32)),
        })
    }

    /// Bytes from the record's first to its body's first.
    pub fn body_offset(&self) -> u64 {
        HEADER_BYTES as u64
            + u64::from(self.meta_bytes)
            + u64::from(self.dicom_json_bytes)
            + u64::from(self.frames_bytes)
    }

    /// Bytes of the whole record, if they can be counted.
    pub fn record_bytes(&self) -> Option<u64> {
        self.body_offset().checked_add(self.body_bytes)?.checked_add(TRAILER_BYTES as u64)
    }
}

fn header_checksum(bytes: &[u8; HEADER_BYTES]) -> u32 {
    crc32c::crc32c_append(crc32c::crc32c(&bytes[..28]), &bytes[32..])
}

fn four(bytes: &[u8], at: usize) -> [u8; 4] {
    [bytes[at], bytes[at + 1], bytes[at + 2], bytes[at + 3]]
}

fn eight(bytes: &[u8], at: usize) -> [u8; 8] {
    let mut out = [0; 8];
    out.copy_from_slice(&bytes[at..at + 8]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_comes_back_and_any_changed_bit_is_seen() {
        let header = Header { sequence: 7, meta_bytes: 1, dicom_json_bytes: 2, frames_bytes: 3, body_bytes: 1 << 33 };
        let bytes = header.to_bytes();
        assert_eq!(Header::from_bytes(&bytes), Some(header));
        for bit in 0..HEADER_BYTES * 8 {
            let mut changed = bytes;
            changed[bit / 8] ^= 1 << (bit % 8);
            let seen = Header::from_bytes(&changed);
            // The flags are inside the checksum too, so nothing may pass.
            assert_eq!(seen, None, "bit {bit}");
        }
    }
}
