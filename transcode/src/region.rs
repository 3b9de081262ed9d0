//! A part of a frame, where the codestream allows it at a lower resolution: only what is needed is decoded.

use htj2k::geometry::Rect;

use crate::codec;
use crate::description::PixelDescription;
use crate::error::{Error, Result};
use crate::frames::{Frame, after_jpeg_2000, decode_frame, fitting_sign};
use crate::jpeg;
use crate::samples::{Samples, Values};

/// A rectangle of a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Region {
    /// First column.
    pub x: u32,
    /// First row.
    pub y: u32,
    /// Columns, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
}

/// How often the edges of a frame can be halved by decoding less of it: the decompositions of an HTJ2K codestream, else 0.
/// The head of the codestream is enough.
pub fn reductions(transfer_syntax_uid: &str, head: &[u8]) -> u8 {
    if is_high_throughput(transfer_syntax_uid) { codec::reductions(head) } else { 0 }
}

/// Whether frames of this transfer syntax may be read in part and at lower resolutions.
pub fn is_high_throughput(transfer_syntax_uid: &str) -> bool {
    let short = transfer_syntax_uid.trim_end_matches(['\0', ' ']).strip_prefix("1.2.840.10008.1.2.4.");
    matches!(short, Some("201" | "202" | "203"))
}

/// Decodes a part of one frame, its edges halved `reduce` times (rounded up); `region` is in columns and rows of that
/// smaller picture. Of an HTJ2K frame `bytes` may end where its resolution level does, and only the code-blocks that
/// `region` needs are decoded; any other frame is decoded whole and cut.
///
/// # Errors
/// Those of [`decode_frame`]; [`Error::Damaged`] when the region is not inside the picture, when the bytes end before the
/// resolution level does, or when `reduce` is more than [`reductions`].
pub fn decode_region(
    transfer_syntax_uid: &str,
    description: &PixelDescription,
    bytes: &[u8],
    reduce: u8,
    region: Region,
) -> Result<Frame> {
    let edge = |edge: u16| u32::from(edge).div_ceil(1u32.checked_shl(reduce.into()).unwrap_or(u32::MAX));
    let whole = (edge(description.columns), edge(description.rows));
    if !is_inside(&region, whole) {
        return damaged(format!("{region:?} is not inside a picture of {whole:?} columns and rows"));
    }
    if is_high_throughput(transfer_syntax_uid) {
        let said = (description.columns.into(), description.rows.into(), description.samples_per_pixel);
        let part = Rect {
            x0: region.x,
            y0: region.y,
            x1: region.x.saturating_add(region.width),
            y1: region.y.saturating_add(region.height),
        };
        if let Some(samples) = codec::decode_region(bytes, said, reduce, part)? {
            return Ok(after_jpeg_2000(description, fitting_sign(description, samples)));
        }
    }
    if reduce > 0 {
        return damaged(format!("no resolution level of it has its edges halved {reduce} times"));
    }
    let frame = decode_frame(transfer_syntax_uid, description, bytes)?;
    Ok(Frame { samples: frame.samples.part(region)?, ..frame })
}

/// Whether every browser shows this frame, as it is, in the colours that [`decode_frame`] gives: baseline or progressive
/// JPEG of luminance and chrominance.
pub fn is_shown_by_browsers(transfer_syntax_uid: &str, description: &PixelDescription, bytes: &[u8]) -> bool {
    let uid = transfer_syntax_uid.trim_end_matches(['\0', ' ']);
    uid == "1.2.840.10008.1.2.4.50"
        && jpeg::Head::read(bytes).is_ok_and(|head| head.is_plain_colour(&description.photometric_interpretation))
}

impl Samples {
    /// A part of it.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the region is not inside.
    pub fn part(&self, region: Region) -> Result<Samples> {
        if !is_inside(&region, (self.width(), self.height())) {
            return damaged(format!("{region:?} is not inside {} columns and {} rows", self.width(), self.height()));
        }
        let values = match self.values() {
            Values::U8(values) => Values::U8(cut(values, self, region)),
            Values::U16(values) => Values::U16(cut(values, self, region)),
            Values::I16(values) => Values::I16(cut(values, self, region)),
        };
        Samples::new(region.width, region.height, self.components(), self.bits(), values)
    }

    /// Bytes that its numbers take up in memory.
    pub fn bytes(&self) -> usize {
        self.values().len() * if matches!(self.values(), Values::U8(_)) { 1 } else { 2 }
    }
}

fn is_inside(region: &Region, (width, height): (u32, u32)) -> bool {
    let inside = |at: u32, length: u32, edge: u32| length > 0 && at.checked_add(length).is_some_and(|end| end <= edge);
    inside(region.x, region.width, width) && inside(region.y, region.height, height)
}

fn cut<T: Copy>(values: &[T], whole: &Samples, region: Region) -> Vec<T> {
    let step = usize::from(whole.components());
    let (stride, row) = (whole.width() as usize * step, region.width as usize * step);
    let rows = values.chunks_exact(stride.max(1)).skip(region.y as usize).take(region.height as usize);
    let first = region.x as usize * step;
    rows.flat_map(|values| values.get(first..first + row).unwrap_or_default()).copied().collect()
}

fn damaged<T>(detail: String) -> Result<T> {
    Err(Error::Damaged { coder: "region", detail })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn description(columns: u16, rows: u16, samples_per_pixel: u16, bits: u16) -> PixelDescription {
        PixelDescription {
            rows,
            columns,
            samples_per_pixel,
            bits_allocated: if bits > 8 { 16 } else { 8 },
            bits_stored: bits,
            high_bit: bits - 1,
            pixel_representation: 0,
            planar_configuration: 0,
            photometric_interpretation: if samples_per_pixel == 3 { "RGB" } else { "MONOCHROME2" }.into(),
            number_of_frames: 1,
        }
    }

    fn picture(width: u32, height: u32, components: u8, bits: u8) -> Samples {
        let count = width * height * u32::from(components);
        let number = |at: u32| (at.wrapping_mul(2_654_435_761) >> 24) ^ (at / 7);
        let values = match bits {
            ..=8 => Values::U8((0..count).map(|at| number(at) as u8).collect()),
            _ => Values::U16((0..count).map(|at| (number(at) as u16) & ((1 << bits) - 1)).collect()),
        };
        Samples::new(width, height, components, bits, values).unwrap()
    }

    /// Proves that a region at any resolution is that part of the whole at this resolution, from the prefix alone.
    #[test]
    fn a_region_of_a_level_is_that_part_of_the_level() {
        for (components, bits) in [(1u8, 12u8), (3, 8)] {
            let whole = picture(517, 389, components, bits);
            let codestream = codec::encode(&whole).unwrap();
            let description = description(517, 389, components.into(), bits.into());
            let ends = codec::resolution_ends(&codestream);
            let most = reductions(codec::TRANSFER_SYNTAX_UID, &codestream);
            assert_eq!(usize::from(most) + 1, ends.len());
            for reduce in 0..=most {
                let prefix = &codestream[..ends[usize::from(most - reduce)] as usize];
                let (width, height) = (517u32.div_ceil(1 << reduce), 389u32.div_ceil(1 << reduce));
                let all = Region { x: 0, y: 0, width, height };
                let decode = |region| {
                    decode_region(codec::TRANSFER_SYNTAX_UID, &description, prefix, reduce, region).unwrap().samples
                };
                let level = decode(all);
                if reduce == 0 {
                    assert!(level == whole);
                }
                let part = Region { x: width / 3, y: height / 5, width: width / 2, height: height / 2 };
                assert!(decode(part) == level.part(part).unwrap(), "{components} {reduce}");
            }
        }
    }

    /// Proves that bytes which end before the level does are an error and not a picture of less.
    #[test]
    fn a_prefix_of_too_few_bytes_is_an_error() {
        let codestream = codec::encode(&picture(300, 200, 1, 12)).unwrap();
        let ends = codec::resolution_ends(&codestream);
        let description = description(300, 200, 1, 12);
        let short = &codestream[..ends[1] as usize - 1];
        let reduce = ends.len() as u8 - 2;
        let region = Region { x: 0, y: 0, width: 10, height: 10 };
        assert!(decode_region(codec::TRANSFER_SYNTAX_UID, &description, short, reduce, region).is_err());
        let enough = &codestream[..ends[1] as usize];
        assert!(decode_region(codec::TRANSFER_SYNTAX_UID, &description, enough, reduce, region).is_ok());
    }

    /// Proves that what has no levels is cut from the whole, and cannot be halved.
    #[test]
    fn other_frames_are_cut_from_the_whole() {
        let native = "1.2.840.10008.1.2.1";
        let bytes: Vec<u8> = (0..12).collect();
        let part = Region { x: 1, y: 1, width: 2, height: 2 };
        let frame = decode_region(native, &description(4, 3, 1, 8), &bytes, 0, part).unwrap();
        assert_eq!(frame.samples.values(), &Values::U8(vec![5, 6, 9, 10]));
        assert_eq!(reductions(native, &bytes), 0);
        assert!(decode_region(native, &description(4, 3, 1, 8), &bytes, 1, Region { width: 1, ..part }).is_err());
    }

    proptest! {
        /// No region and no bytes make it do anything but answer.
        #[test]
        fn any_region_is_answered(x: u32, y: u32, width: u32, height: u32, reduce: u8, cut in 0usize..4000) {
            let codestream = codec::encode(&picture(70, 50, 1, 8)).unwrap();
            let bytes = &codestream[..cut.min(codestream.len())];
            let region = Region { x, y, width, height };
            let _ = decode_region(codec::TRANSFER_SYNTAX_UID, &description(70, 50, 1, 8), bytes, reduce, region);
            let small = Region { x: x % 70, y: y % 50, width: width % 70, height: height % 50 };
            let _ = decode_region(codec::TRANSFER_SYNTAX_UID, &description(70, 50, 1, 8), bytes, reduce % 4, small);
        }
    }
}
