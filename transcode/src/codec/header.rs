//! What a codestream says of itself before any of it is decoded: the SIZ marker segment (T.800 Annex A.5.1).

use super::damaged;
use crate::error::{Error, Result};
use crate::samples;

/// Tiles a codestream may have: each costs openjp2 some kilobytes before the first is read.
const TILES_MAX: u64 = 4096;

/// The SIZ marker segment, checked. Every component has one size, one depth and one sign: DICOM has no other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Header {
    /// Columns of the image area.
    pub width: u32,
    /// Rows of the image area.
    pub height: u32,
    /// Components, 1 to 4.
    pub components: u8,
    /// Bits of every component, 1 to 16.
    pub bits: u8,
    /// Whether the components are signed.
    pub signed: bool,
}

impl Header {
    /// Reads the head of a bare codestream.
    ///
    /// # Errors
    /// [`Error::Damaged`] when it is none or has components of different kinds, [`Error::TooLarge`] above a limit.
    pub fn read(codestream: &[u8]) -> Result<Header> {
        // SOC, SIZ; then Lsiz, Rsiz, Xsiz, Ysiz, XOsiz, YOsiz, XTsiz, YTsiz, XTOsiz, YTOsiz, Csiz.
        if !codestream.starts_with(&[0xFF, 0x4F, 0xFF, 0x51]) {
            return damaged("no SOC and SIZ markers at byte 0");
        }
        let word = |at: usize| u32_at(codestream, at);
        let (Some(x1), Some(y1), Some(x0), Some(y0)) = (word(8), word(12), word(16), word(20)) else {
            return damaged("ends inside its SIZ segment");
        };
        let (Some(tile_width), Some(tile_height)) = (word(24), word(28)) else {
            return damaged("ends inside its SIZ segment");
        };
        let components = match codestream.get(40..42) {
            Some(&[0, count @ 1..=4]) => count,
            other => return damaged(format!("1 to 4 components expected at byte 40, found {other:?}")),
        };
        let (Some(width), Some(height)) = (x1.checked_sub(x0), y1.checked_sub(y0)) else {
            return damaged("image offset beyond the image at byte 16");
        };
        samples::count(width, height, components)?;
        tiles(width, height, tile_width, tile_height)?;
        let (bits, signed) = kind(codestream.get(42..42 + 3 * usize::from(components)))?;
        Ok(Header { width, height, components, bits, signed })
    }
}

fn tiles(width: u32, height: u32, tile_width: u32, tile_height: u32) -> Result<()> {
    if tile_width == 0 || tile_height == 0 {
        return damaged("tiles of no size at byte 24");
    }
    let claimed = u64::from(width.div_ceil(tile_width) + 1) * u64::from(height.div_ceil(tile_height) + 1);
    if claimed > TILES_MAX {
        return Err(Error::TooLarge { what: "tiles of a codestream", claimed, limit: TILES_MAX });
    }
    Ok(())
}

/// Depth and sign, which all components share.
fn kind(components: Option<&[u8]>) -> Result<(u8, bool)> {
    let Some(components) = components else { return damaged("ends inside its SIZ segment") };
    let first = components.first().copied().unwrap_or_default();
    if components.chunks_exact(3).any(|component| component != [first, 1, 1]) {
        return damaged("components are sub-sampled or of different depths at byte 42");
    }
    match ((first & 0x7F) + 1, first & 0x80 != 0) {
        (bits @ 1..=16, signed) => Ok((bits, signed)),
        (bits, _) => damaged(format!("{bits} bits a sample at byte 42, at most 16 are read")),
    }
}

/// The bare codestream: what DICOM asks for (PS3.5 §8.2.4), or the contents of the first `jp2c` box where a sender
/// left the JP2 boxes on (T.800 Annex I.4), seen in the field.
pub(super) fn codestream(bytes: &[u8]) -> Result<&[u8]> {
    if bytes.get(4..8) != Some(b"jP  ") {
        return Ok(bytes);
    }
    let mut at = 0usize;
    while let Some(short) = u32_at(bytes, at) {
        let kind = bytes.get(at + 4..at + 8);
        let (head, length) = match short {
            0 => (8, bytes.len() - at),
            1 => (16, u64_at(bytes, at + 8).and_then(|long| usize::try_from(long).ok()).unwrap_or(0)),
            _ => (8, short as usize),
        };
        let end = at.checked_add(length).filter(|_| length >= head).unwrap_or(usize::MAX).min(bytes.len());
        if kind == Some(b"jp2c") {
            return Ok(bytes.get(at + head..end).unwrap_or_default());
        }
        if end <= at || end == bytes.len() {
            break;
        }
        at = end;
    }
    damaged("JP2 boxes without a codestream (jp2c) among them")
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|eight| u64::from_be_bytes(*eight))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn boxes_are_taken_off_and_bare_codestreams_left_alone() {
        let bare = [0xFF, 0x4F, 0xFF, 0x51, 1, 2];
        let signature = [0, 0, 0, 12, b'j', b'P', b' ', b' ', 13, 10, 0x87, 10];
        let check = |last: &[u8]| {
            let boxed = [&signature[..], last, &bare].concat();
            assert_eq!(codestream(&boxed).unwrap(), bare);
        };
        assert_eq!(codestream(&bare).unwrap(), bare);
        check(&[0, 0, 0, 14, b'j', b'p', b'2', b'c']);
        check(&[0, 0, 0, 0, b'j', b'p', b'2', b'c']);
        check(&[0, 0, 0, 1, b'j', b'p', b'2', b'c', 0, 0, 0, 0, 0, 0, 0, 22]);
        assert!(codestream(&signature).is_err());
    }

    proptest! {
        /// No bytes behind the magic make the reader panic or loop.
        #[test]
        fn any_bytes_are_answered(mut bytes in proptest::collection::vec(any::<u8>(), 0..80), boxed: bool) {
            let magic: &[u8] = if boxed { &[0, 0, 0, 12, b'j', b'P', b' ', b' '] } else { &[0xFF, 0x4F, 0xFF, 0x51] };
            bytes.splice(0..0, magic.iter().copied());
            let _ = codestream(&bytes).map(Header::read);
        }
    }
}
