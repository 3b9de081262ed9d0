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
    let layout = planes(description)?;
    layout.samples(&unpacked(&layout, bytes)?)
}

/// The native bytes of one frame, a plane a sample (Planar Configuration 1), with all that lies beside Bits Stored.
///
/// # Errors
/// Those of [`decode`].
pub(crate) fn native(description: &PixelDescription, bytes: &[u8]) -> Result<Vec<u8>> {
    unpacked(&planes(description)?, bytes)
}

/// §G.2: a segment is a plane of single bytes, the most significant first.
fn planes(description: &PixelDescription) -> Result<Layout> {
    Layout::new(&PixelDescription { planar_configuration: 1, ..description.clone() }, Order::Little)
}

fn unpacked(layout: &Layout, bytes: &[u8]) -> Result<Vec<u8>> {
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
    Ok(native)
}

/// Encodes one frame of native bytes, little-endian, a plane a sample; `columns` because no run goes over the end of a row
/// (§G.3.1).
///
/// # Errors
/// [`Error::Damaged`] where the frame would need more than the fifteen segments of §G.5, or is of no whole rows.
pub(crate) fn encode(planes: &[u8], samples: usize, bytes_a_sample: usize, columns: usize) -> Result<Vec<u8>> {
    let segments = samples * bytes_a_sample;
    let plane = planes.len().checked_div(samples).unwrap_or(0);
    if !(1..=15).contains(&segments) || columns == 0 || plane == 0 || !plane.is_multiple_of(bytes_a_sample * columns) {
        return damaged(format!("{segments} segments of {plane} bytes in rows of {columns} cannot be written"));
    }
    let mut out = vec![0; HEADER_BYTES];
    let word = |out: &mut Vec<u8>, at: usize, number: u32| {
        out.iter_mut().skip(at).zip(number.to_le_bytes()).for_each(|(to, from)| *to = from);
    };
    word(&mut out, 0, segments as u32);
    for (index, plane) in planes.chunks_exact(plane).enumerate() {
        for byte in 0..bytes_a_sample {
            let at = u32::try_from(out.len()).or_else(|_| damaged("a frame of 4 GiB or more".into()))?;
            word(&mut out, 4 + 4 * (index * bytes_a_sample + byte), at);
            let segment: Vec<u8> =
                plane.iter().skip(bytes_a_sample - 1 - byte).step_by(bytes_a_sample).copied().collect();
            segment.chunks(columns).for_each(|row| pack(row, &mut out));
            if out.len() % 2 == 1 {
                out.push(0);
            }
        }
    }
    Ok(out)
}

/// §G.3.1: equal bytes as a run from three on, all others as they are, at most 128 at once.
fn pack(mut row: &[u8], out: &mut Vec<u8>) {
    let run = |from: &[u8]| from.iter().take(128).take_while(|byte| Some(*byte) == from.first()).count();
    while let Some(&first) = row.first() {
        let equal = run(row);
        if equal > 2 || equal == row.len() {
            out.extend([(257 - equal) as u8, first]);
            row = row.get(equal..).unwrap_or_default();
            continue;
        }
        let literal = (1..row.len().min(128)).find(|&at| run(row.get(at..).unwrap_or_default()) > 2);
        let (bytes, rest) = row.split_at(literal.unwrap_or(row.len().min(128)));
        out.push((bytes.len() - 1) as u8);
        out.extend_from_slice(bytes);
        row = rest;
    }
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
    use proptest::prelude::*;

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

    proptest! {
        /// What is packed is unpacked again, row by row, of any depth and number of samples.
        #[test]
        fn planes_come_back(
            seed in proptest::collection::vec(0u8..3, 1..300), rows in 1u16..9, columns in 1u16..300,
            colour: bool, words: bool,
        ) {
            let (samples, bits) = (if colour { 3u16 } else { 1 }, if words { 16 } else { 8 });
            let length = usize::from(rows) * usize::from(columns) * usize::from(samples * bits / 8);
            let planes: Vec<u8> = seed.iter().cycle().take(length).copied().collect();
            let d = PixelDescription {
                rows, columns, samples_per_pixel: samples, bits_allocated: bits, bits_stored: bits, high_bit: bits - 1,
                pixel_representation: 0, planar_configuration: 0, photometric_interpretation: "RGB".into(),
                number_of_frames: 1,
            };
            let packed = encode(&planes, usize::from(samples), usize::from(bits / 8), usize::from(columns)).unwrap();
            prop_assert_eq!(packed.len() % 2, 0);
            prop_assert_eq!(native(&d, &packed).unwrap(), planes);
        }
    }

    #[test]
    fn runs_are_packed_and_what_is_no_run_is_not() {
        let check = |row: &[u8], expected: &[u8]| {
            let mut out = Vec::new();
            pack(row, &mut out);
            assert_eq!(out, expected, "{row:?}");
        };
        check(&[7], &[0, 7]);
        check(&[5, 5, 5, 6], &[254, 5, 0, 6]);
        check(&[1, 2, 2, 3, 3, 3], &[2, 1, 2, 2, 254, 3]);
        check(&[9; 130], &[129, 9, 255, 9]);
        assert!(encode(&[0; 16], 4, 4, 1).is_err());
    }
}
