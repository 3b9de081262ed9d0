//! RLE Lossless (PS3.5 Annex G).

use crate::description::PixelDescription;
use crate::error::{Error, Result};
use crate::layout::{Layout, Order};
use crate::samples::Samples;

/// Bytes of the RLE header: the number of segments and fifteen offsets (PS3.5 §G.5).
const HEADER_BYTES: usize = 64;

/// Decodes one frame.
///
/// # Errors
/// [`Error::Damaged`] when segments are missing or shorter than their plane.
pub(crate) fn decode(description: &PixelDescription, bytes: &[u8]) -> Result<Samples> {
    // §G.2: a segment is a plane of single bytes, the most significant first.
    let planes = PixelDescription { planar_configuration: 1, ..description.clone() };
    let layout = Layout::new(&planes, Order::Little)?;
    let segments = usize::from(layout.components) * usize::from(layout.bytes_a_sample);
    let found = u32_at(bytes, 0).unwrap_or(0);
    if bytes.len() < HEADER_BYTES || found as usize != segments || segments > 15 {
        return damaged(format!("{found} segments in its header, {segments} expected"));
    }
    let (plane, step) = (layout.frame_samples() / usize::from(layout.components), usize::from(layout.bytes_a_sample));
    let mut native = vec![0; layout.frame_bytes()];
    let mut one = Vec::new();
    for segment in 0..segments {
        unpack(slice(bytes, segment, segments).unwrap_or_default(), plane, &mut one)?;
        let first = segment / step * plane * step + (step - 1 - segment % step);
        native.iter_mut().skip(first).step_by(step).zip(&one).for_each(|(to, &from)| *to = from);
    }
    layout.samples(&native)
}

/// The bytes of one segment: up to where the next begins.
fn slice(bytes: &[u8], segment: usize, segments: usize) -> Option<&[u8]> {
    let start = u32_at(bytes, 4 + 4 * segment)? as usize;
    let next = if segment + 1 < segments { u32_at(bytes, 8 + 4 * segment)? as usize } else { bytes.len() };
    bytes.get(start..next.min(bytes.len()))
}

/// §G.3.2: PackBits. What follows the last byte of the plane is padding.
fn unpack(mut from: &[u8], length: usize, to: &mut Vec<u8>) -> Result<()> {
    to.clear();
    while to.len() < length {
        let Some((&control, rest)) = from.split_first() else {
            return damaged(format!("a segment ends after {} of {length} bytes", to.len()));
        };
        let literal = usize::from(control) + 1;
        from = match (control, rest.split_first()) {
            (0..=127, _) => {
                let (run, rest) = rest.split_at_checked(literal).unwrap_or((rest, &[]));
                to.extend_from_slice(run);
                rest
            }
            (129.., Some((&byte, rest))) => {
                to.resize(to.len() + 258 - literal, byte);
                rest
            }
            _ => rest,
        };
    }
    Ok(())
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_le_bytes(*four))
}

fn damaged<T>(detail: String) -> Result<T> {
    Err(Error::Damaged { coder: "RLE", detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_bits_are_literals_repeats_and_nothing() {
        let check = |packed: &[u8], length, expected: Option<&[u8]>| {
            let mut out = Vec::new();
            assert_eq!(unpack(packed, length, &mut out).ok().map(|()| out.as_slice()), expected, "{packed:?}");
        };
        check(&[2, 7, 8, 9], 3, Some(&[7, 8, 9]));
        check(&[254, 5, 128, 0, 6], 4, Some(&[5, 5, 5, 6]));
        check(&[255, 5, 0], 2, Some(&[5, 5]));
        check(&[2, 7, 8], 3, None);
        check(&[255], 2, None);
    }
}
