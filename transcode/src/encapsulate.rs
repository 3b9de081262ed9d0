//! Frames as encapsulated Pixel Data (PS3.5 Annex A.4, PS3.3 C.7.6.3.1.8: Extended Offset Table).

use crate::codec::label;
use crate::error::Result;

/// Encapsulated Pixel Data, with the tables that find its frames.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Encapsulated {
    /// Value of Extended Offset Table (7FE0,0001), OV: where the item tag of each frame stands, counted from the
    /// first byte behind the (empty) Basic Offset Table.
    pub extended_offset_table: Vec<u8>,
    /// Value of Extended Offset Table Lengths (7FE0,0002), OV: bytes of each fragment, its pad byte counted.
    pub extended_offset_table_lengths: Vec<u8>,
    /// The whole element Pixel Data (7FE0,0010), Explicit VR Little Endian: tag, VR, undefined length, empty Basic
    /// Offset Table, one fragment a frame, sequence delimiter.
    pub pixel_data: Vec<u8>,
    /// Offset in `pixel_data` and length of each codestream, its pad byte not counted.
    pub spans: Vec<(u64, u64)>,
}

/// (7FE0,0010) OB of undefined length, then the empty Basic Offset Table item.
const HEAD: [u8; 20] = [
    0xE0, 0x7F, 0x10, 0x00, b'O', b'B', 0, 0, 0xFF, 0xFF, 0xFF, 0xFF, //
    0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0,
];
const ITEM: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
const SEQUENCE_DELIMITER: [u8; 8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];

/// Puts frames into Pixel Data, one fragment a frame. Nothing goes under a transfer syntax that promises more than the
/// frames keep: a lossy codestream under a lossless name is refused here.
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged) when a frame is no codestream of that transfer syntax.
///
/// # Panics
/// When a frame has 4 GiB or more, which no frame of at most [`SAMPLES_MAX`](crate::SAMPLES_MAX) samples has.
pub fn encapsulate(transfer_syntax_uid: &str, frames: &[Vec<u8>]) -> Result<Encapsulated> {
    frames.iter().try_for_each(|frame| label::check(transfer_syntax_uid, frame))?;
    Ok(wrap(frames))
}

fn wrap(frames: &[Vec<u8>]) -> Encapsulated {
    let total: usize = frames.iter().map(|frame| frame.len() + 9).sum();
    let mut out = Encapsulated {
        extended_offset_table: Vec::with_capacity(8 * frames.len()),
        extended_offset_table_lengths: Vec::with_capacity(8 * frames.len()),
        pixel_data: Vec::with_capacity(HEAD.len() + total + SEQUENCE_DELIMITER.len()),
        spans: Vec::with_capacity(frames.len()),
    };
    out.pixel_data.extend_from_slice(&HEAD);
    for frame in frames {
        out.push(frame);
    }
    out.pixel_data.extend_from_slice(&SEQUENCE_DELIMITER);
    out
}

impl Encapsulated {
    fn push(&mut self, frame: &[u8]) {
        let offset = (self.pixel_data.len() - HEAD.len()) as u64;
        let even = frame.len().next_multiple_of(2);
        assert!(even < u32::MAX as usize, "a fragment has less than 4 GiB");
        self.extended_offset_table.extend_from_slice(&offset.to_le_bytes());
        self.extended_offset_table_lengths.extend_from_slice(&(even as u64).to_le_bytes());
        self.pixel_data.extend_from_slice(&ITEM);
        self.pixel_data.extend_from_slice(&(even as u32).to_le_bytes());
        self.spans.push((self.pixel_data.len() as u64, frame.len() as u64));
        self.pixel_data.extend_from_slice(frame);
        self.pixel_data.extend_from_slice(&[0][..even - frame.len()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_and_tables_point_at_the_frames() {
        let frames = [vec![1, 2, 3], vec![4, 5], vec![6]];
        let out = wrap(&frames);
        for (frame, &(offset, length)) in frames.iter().zip(&out.spans) {
            assert_eq!(&out.pixel_data[offset as usize..][..length as usize], frame);
        }
        let numbers =
            |bytes: &[u8]| bytes.as_chunks::<8>().0.iter().map(|&n| u64::from_le_bytes(n)).collect::<Vec<_>>();
        assert_eq!(numbers(&out.extended_offset_table), [0, 12, 22]);
        assert_eq!(numbers(&out.extended_offset_table_lengths), [4, 2, 2]);
        assert_eq!(out.pixel_data.len() % 2, 0);
        assert!(out.pixel_data.ends_with(&SEQUENCE_DELIMITER));
    }
}
