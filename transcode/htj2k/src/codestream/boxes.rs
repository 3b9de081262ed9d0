//! The way through the boxes of a JP2 or JPH file to its codestream (T.800 Annex I).

use super::marker;
use crate::error::{Error, Result};

const SIGNATURE: [u8; 12] = *b"\0\0\0\x0CjP  \r\n\x87\n";

/// The codestream in `bytes`: they themselves if they begin with SOC, else the first contiguous codestream box (jp2c) of
/// a file of boxes, as far as it is there.
///
/// # Errors
/// [`Error::Damaged`] if it is neither, or if no such box is found.
pub fn contiguous(bytes: &[u8]) -> Result<&[u8]> {
    if bytes.starts_with(&marker::SOC.to_be_bytes()) {
        return Ok(bytes);
    }
    if !bytes.starts_with(&SIGNATURE) {
        return Err(Error::damaged(0, "neither SOC (FF4F) nor a JP2 signature box"));
    }
    let mut at = 0;
    while let Some((kind, start, end)) = next_box(bytes, at)? {
        if &kind == b"jp2c" {
            return Ok(&bytes[start..end]);
        }
        at = end;
    }
    Err(Error::damaged(at, "no contiguous codestream box (jp2c)"))
}

/// Kind, start and end of the contents of the box at `at`, cut at the end of the file; nothing if its head is not there.
fn next_box(bytes: &[u8], at: usize) -> Result<Option<([u8; 4], usize, usize)>> {
    let rest = &bytes[at..];
    let (Some(length), Some(kind)) = (rest.first_chunk::<4>(), rest.get(4..8).and_then(|kind| kind.first_chunk()))
    else {
        return Ok(None);
    };
    let (head, length) = match u32::from_be_bytes(*length) {
        0 => (8, rest.len() as u64),
        1 => match rest.get(8..16).and_then(|length| length.first_chunk::<8>()) {
            Some(length) => (16, u64::from_be_bytes(*length)),
            None => return Ok(None),
        },
        length => (8, u64::from(length)),
    };
    if length < head {
        return Err(Error::damaged(at, format!("a box of {length} bytes is shorter than its own head")));
    }
    let end = at + length.min(rest.len() as u64) as usize;
    Ok(Some((*kind, at + head as usize, end)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn boxed(length: &[u8], contents: &[u8]) -> Vec<u8> {
        let ftyp = b"\0\0\0\x0Cftypjph ";
        [&SIGNATURE[..], &ftyp[..], length, contents].concat()
    }

    /// Short, long and open lengths, and a box that is cut, all lead to the codestream.
    #[test]
    fn the_codestream_is_found() {
        let inside = b"\xFF\x4F\xFF\x51";
        assert_eq!(contiguous(inside), Ok(&inside[..]));
        for head in [&b"\0\0\0\x0Cjp2c"[..], b"\0\0\0\0jp2c", b"\0\0\0\x01jp2c\0\0\0\0\0\0\0\x14", b"\0\0\xFF\xFFjp2c"]
        {
            assert_eq!(contiguous(&boxed(head, inside)), Ok(&inside[..]));
        }
    }

    #[test]
    fn what_has_none_is_refused() {
        for bad in [&b""[..], b"\xFF\xD8\xFF", &SIGNATURE, &boxed(b"\0\0\0\x04jp2c", b"\xFF\x4F")] {
            assert!(matches!(contiguous(bad), Err(Error::Damaged { .. })), "{bad:?}");
        }
    }
}
