//! Where the frames of an instance lie: the fixed-width table kept beside it (`N.frames` in a pack).
//!
//! Little-endian. Header, 16 bytes: `"TSFT"`, version u16 = 1, resolutions u16 (R), frames u32, reserved u32.
//! Then one entry a frame of `24 + 8 R` bytes: offset u64, length u64, fragments u32, reserved u32, and R times the
//! end of a resolution level's tile-part in bytes from the frame's first byte. Offsets are of the Part 10 file as held.

use crate::error::{Error, Result};

const MAGIC: &[u8; 4] = b"TSFT";
const HEADER_BYTES: usize = 16;
const VERSION: u16 = 1;

/// One frame in the Part 10 file as held.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameSpan {
    /// First byte of the frame. With one fragment, the first byte of its value; with more, of its first item tag.
    pub offset: u64,
    /// Bytes of the frame, without the pad byte; with several fragments, up to the end of the last one, item headers included.
    pub length: u64,
    /// Fragments the frame is in; 0 for a frame of native (not encapsulated) Pixel Data.
    pub fragments: u32,
    /// Byte ends of the resolution levels, lowest first, where the codestream has one tile-part each; else empty.
    pub resolution_ends: Vec<u64>,
}

/// Every frame of an instance, in order. Empty for what has no pixels.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FrameTable {
    /// The frames, first first. All have the same number of `resolution_ends`.
    pub frames: Vec<FrameSpan>,
}

impl FrameTable {
    /// The table as it is kept.
    pub fn to_bytes(&self) -> Vec<u8> {
        let resolutions = self.frames.first().map_or(0, |f| f.resolution_ends.len());
        let mut out = Vec::with_capacity(HEADER_BYTES + self.frames.len() * (24 + 8 * resolutions));
        out.extend_from_slice(MAGIC);
        out.extend_from_slice(&VERSION.to_le_bytes());
        out.extend_from_slice(&(resolutions as u16).to_le_bytes());
        out.extend_from_slice(&(self.frames.len() as u32).to_le_bytes());
        out.extend_from_slice(&[0; 4]);
        for frame in &self.frames {
            assert!(frame.resolution_ends.len() == resolutions, "one number of resolutions a table");
            out.extend_from_slice(&frame.offset.to_le_bytes());
            out.extend_from_slice(&frame.length.to_le_bytes());
            out.extend_from_slice(&frame.fragments.to_le_bytes());
            out.extend_from_slice(&[0; 4]);
            for end in &frame.resolution_ends {
                out.extend_from_slice(&end.to_le_bytes());
            }
        }
        out
    }

    /// Reads a table back.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the bytes are not a whole table of a version this program knows.
    pub fn from_bytes(bytes: &[u8]) -> Result<FrameTable> {
        let damaged = |what: &str| Error::Damaged { what: "frame table".into(), detail: what.into() };
        let header = bytes.get(..HEADER_BYTES).ok_or_else(|| damaged("shorter than its header"))?;
        if &header[..4] != MAGIC || u16_at(header, 4) != VERSION {
            return Err(damaged("unknown magic or version"));
        }
        let resolutions = usize::from(u16_at(header, 6));
        let count = u32::from_le_bytes([header[8], header[9], header[10], header[11]]) as usize;
        let width = 24 + 8 * resolutions;
        let body = &bytes[HEADER_BYTES..];
        if count.checked_mul(width) != Some(body.len()) {
            return Err(damaged("length does not match its frame count"));
        }
        let frames = body.chunks_exact(width).map(|entry| FrameSpan {
            offset: u64_at(entry, 0),
            length: u64_at(entry, 8),
            fragments: u32::from_le_bytes([entry[16], entry[17], entry[18], entry[19]]),
            resolution_ends: (0..resolutions).map(|r| u64_at(entry, 24 + 8 * r)).collect(),
        });
        Ok(FrameTable { frames: frames.collect() })
    }
}

fn u16_at(bytes: &[u8], at: usize) -> u16 {
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

fn u64_at(bytes: &[u8], at: usize) -> u64 {
    let mut eight = [0; 8];
    eight.copy_from_slice(&bytes[at..at + 8]);
    u64::from_le_bytes(eight)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_comes_back_as_it_went_and_a_cut_one_is_refused() {
        let frame = |offset| FrameSpan { offset, length: 9, fragments: 1, resolution_ends: vec![3, 9] };
        let table = FrameTable { frames: vec![frame(400), frame(500)] };
        let bytes = table.to_bytes();
        assert_eq!(FrameTable::from_bytes(&bytes).unwrap(), table);
        for cut in 0..bytes.len() {
            assert!(FrameTable::from_bytes(&bytes[..cut]).is_err(), "cut at {cut}");
        }
    }
}
