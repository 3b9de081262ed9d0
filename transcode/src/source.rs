//! A received file with native Pixel Data, and whether its pixels may become codestreams.

use rayon::prelude::*;

use crate::codec;
use crate::description::PixelDescription;
use crate::error::Result;
use crate::layout::{Fill, Layout, Order};
use crate::samples::{SAMPLES_MAX, Samples};

/// A received file and where its native Pixel Data lies.
#[derive(Clone, Debug)]
pub struct Source<'a> {
    /// The whole file as received.
    pub received: &'a [u8],
    /// First byte of the value of Pixel Data (7FE0,0010) in it.
    pub pixel_offset: u64,
    /// Bytes of that value.
    pub pixel_length: u64,
    /// The Transfer Syntax is Explicit VR Big Endian (1.2.840.10008.1.2.2).
    pub big_endian: bool,
    /// What the Data Set says of its pixels.
    pub description: PixelDescription,
}

/// Why a file is kept as received.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum WhyNot {
    /// Neither 1 nor 8 nor 16 bits allocated: 32-bit, floating point.
    #[error("{0} bits are allocated, only 1, 8 and 16 are packed")]
    BitsAllocated(u16),
    /// Bits Stored, High Bit or Pixel Representation are not what the codestream could say again.
    #[error("Bits Stored {stored} and High Bit {high} do not fit Bits Allocated {allocated}")]
    Bits {
        /// Bits Allocated (0028,0100).
        allocated: u16,
        /// Bits Stored (0028,0101).
        stored: u16,
        /// High Bit (0028,0102).
        high: u16,
    },
    /// A Photometric Interpretation that has no lossless codestream of its own, or with a number of samples or a sign
    /// that does not belong to it.
    #[error(
        "{samples} samples a pixel, Pixel Representation {representation}, of Photometric Interpretation {photometric:?} are not packed"
    )]
    Photometric {
        /// Photometric Interpretation (0028,0004).
        photometric: String,
        /// Samples per Pixel (0028,0002).
        samples: u16,
        /// Pixel Representation (0028,0103).
        representation: u16,
    },
    /// Pixel Data is shorter than its frames, or longer by a frame or more.
    #[error("Pixel Data has {found} bytes, its frames call for {expected}")]
    Length {
        /// Bytes there are.
        found: u64,
        /// Bytes there should be, a pad byte not counted.
        expected: u64,
    },
    /// Pixel Data reaches beyond the end of the file.
    #[error("Pixel Data reaches beyond the end of the file")]
    Truncated,
    /// A frame is larger than a coder is given.
    #[error("a frame has no samples, or more than {SAMPLES_MAX}")]
    Frame,
    /// More frames than are packed: the heads of that many codestreams would outgrow frames so small.
    #[error("{0} frames, at most {FRAMES_MAX} are packed")]
    Frames(u32),
    /// Bytes in big-endian words, and frames of an odd number of them.
    #[error("frames of an odd number of bytes lie in big-endian words")]
    OddWords,
}

/// Frames of one file: 1024 codestreams of a pixel each weigh about 150 KB, so that many 20 MB, whatever was received.
pub(crate) const FRAMES_MAX: u32 = 1 << 17;

impl Source<'_> {
    /// The value of Pixel Data without what follows the last frame; of single bits, the byte it ends in included.
    pub(crate) fn frames(&self, layout: &Layout) -> Option<&[u8]> {
        let at = usize::try_from(self.pixel_offset).ok()?;
        let length = usize::try_from(layout.pixel_bytes(self.description.number_of_frames)).ok()?;
        self.received.get(at..at.checked_add(length)?)
    }

    /// PS3.5 Annex A.3: with 1 or 8 bits allocated, bytes are swapped in big-endian words if the VR is OW, and not
    /// if it is OB. The VR stands 8 bytes before the value (PS3.5 §7.1.2).
    fn order(&self) -> Order {
        let vr = self.pixel_offset.checked_sub(8).and_then(|at| self.received.get(at as usize..)?.get(..2));
        match (self.big_endian, self.description.bits_allocated, vr) {
            (true, 16, _) => Order::Big,
            (true, _, Some(b"OW")) => Order::Swapped,
            _ => Order::Little,
        }
    }

    /// The layout of its frames, or why there is none that a codestream can stand for.
    pub(crate) fn layout(&self) -> Result<Layout, WhyNot> {
        let d = &self.description;
        bits(d)?;
        photometric(d)?;
        let mut layout = Layout::new(d, self.order()).map_err(|_| WhyNot::Frame)?;
        self.length(&layout)?;
        if d.number_of_frames > FRAMES_MAX {
            return Err(WhyNot::Frames(d.number_of_frames));
        }
        if layout.order == Order::Swapped && !layout.single_bits && layout.frame_bytes() % 2 == 1 {
            return Err(WhyNot::OddWords);
        }
        let frames = self.frames(&layout).ok_or(WhyNot::Truncated)?;
        layout.fill = if layout.single_bits { Fill::Zero } else { fill(&layout, frames) };
        Ok(layout)
    }

    fn length(&self, layout: &Layout) -> Result<(), WhyNot> {
        let expected = layout.pixel_bytes(self.description.number_of_frames);
        let found = self.pixel_length;
        // One byte more pads an odd length (PS3.5 §8.1.1), some senders add more; it is kept in the recipe. A whole frame
        // more is another picture, and Number of Frames is wrong.
        if expected == 0 || found < expected || found - expected >= layout.pixel_bytes(1).max(2) {
            return Err(WhyNot::Length { found, expected });
        }
        let end = self.pixel_offset.checked_add(found);
        end.filter(|&end| end <= self.received.len() as u64).map(|_| ()).ok_or(WhyNot::Truncated)
    }
}

/// Says whether the pixels of this file may become codestreams. Reads every sample where bits lie above High Bit.
///
/// # Errors
/// Why not, in a sentence; the file is then kept as received.
pub fn packable(source: &Source) -> Result<(), WhyNot> {
    source.layout().map(|_| ())
}

/// Encodes every frame without loss, a rayon job a frame; answers them in order.
///
/// # Errors
/// [`Error::Kept`](crate::Error::Kept) when [`packable`] says no, and whatever [`codec::encode`] says.
pub fn encode_frames(source: &Source) -> Result<Vec<Vec<u8>>> {
    encode_frames_with(source, codec::encode)
}

/// As [`encode_frames`], by a coder of the caller's choice.
///
/// # Errors
/// As [`encode_frames`].
pub fn encode_frames_with(source: &Source, encode: fn(&Samples) -> Result<Vec<u8>>) -> Result<Vec<Vec<u8>>> {
    let layout = source.layout()?;
    let frames = source.frames(&layout).ok_or(WhyNot::Truncated)?;
    let encode = |index| encode(&layout.samples(&layout.frame(frames, index)?)?);
    (0..source.description.number_of_frames).into_par_iter().map(encode).collect()
}

fn bits(d: &PixelDescription) -> Result<(), WhyNot> {
    let (allocated, stored, high) = (d.bits_allocated, d.bits_stored, d.high_bit);
    if !matches!(allocated, 1 | 8 | 16) {
        return Err(WhyNot::BitsAllocated(allocated));
    }
    if !(1..=allocated).contains(&stored) || high != stored - 1 {
        return Err(WhyNot::Bits { allocated, stored, high });
    }
    Ok(())
}

/// PS3.3 C.7.6.3.1.2: which interpretations have one sample, which three, and which may be signed. Single bits are one
/// unsigned sample.
fn photometric(d: &PixelDescription) -> Result<(), WhyNot> {
    let single = d.bits_allocated == 1 && (d.samples_per_pixel, d.pixel_representation) != (1, 0);
    let known = match d.photometric_interpretation.as_str() {
        "MONOCHROME1" | "MONOCHROME2" => d.samples_per_pixel == 1 && d.pixel_representation <= 1,
        "PALETTE COLOR" => d.samples_per_pixel == 1 && d.pixel_representation == 0,
        "RGB" => d.samples_per_pixel == 3 && d.pixel_representation == 0 && d.planar_configuration <= 1,
        _ => false,
    };
    let photometric = || d.photometric_interpretation.clone();
    let (samples, representation) = (d.samples_per_pixel, d.pixel_representation);
    if known && !single {
        Ok(())
    } else {
        Err(WhyNot::Photometric { photometric: photometric(), samples, representation })
    }
}

/// What fills the bits above High Bit in all frames together.
fn fill(layout: &Layout, frames: &[u8]) -> Fill {
    let fills: Vec<Fill> = frames.par_chunks_exact(layout.frame_bytes()).map(|frame| layout.fill_of(frame)).collect();
    if fills.contains(&Fill::Beside) {
        return Fill::Beside;
    }
    if !fills.contains(&Fill::Sign) {
        return Fill::Zero;
    }
    // A frame without negative values has zeros there either way; but zeros above a negative value are no sign.
    let sign = Layout { fill: Fill::Sign, ..layout.clone() };
    let all = frames.par_chunks_exact(layout.frame_bytes()).all(|frame| sign.is_filled(frame));
    if all { Fill::Sign } else { Fill::Beside }
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(crate) fn grey(rows: u16, columns: u16, stored: u16) -> PixelDescription {
        PixelDescription {
            rows,
            columns,
            samples_per_pixel: 1,
            bits_allocated: if stored > 8 { 16 } else { 8 },
            bits_stored: stored,
            high_bit: stored - 1,
            pixel_representation: 0,
            planar_configuration: 0,
            photometric_interpretation: "MONOCHROME2".into(),
            number_of_frames: 1,
        }
    }

    fn single(rows: u16, columns: u16, frames: u32) -> PixelDescription {
        PixelDescription { bits_allocated: 1, number_of_frames: frames, ..grey(rows, columns, 1) }
    }

    fn check(description: PixelDescription, pixels: &[u8], expected: Result<(), WhyNot>) {
        let pixel_length = pixels.len() as u64;
        let source = Source { received: pixels, pixel_offset: 0, pixel_length, big_endian: false, description };
        assert_eq!(packable(&source), expected);
    }

    #[test]
    fn plain_grey_is_packed_also_with_its_pad_byte() {
        check(grey(1, 3, 8), &[1, 2, 3], Ok(()));
        check(grey(1, 3, 8), &[1, 2, 3, 0], Ok(()));
        check(grey(1, 2, 12), &[1, 2, 3, 4], Ok(()));
    }

    #[test]
    fn everything_else_says_why_not() {
        check(grey(1, 3, 8), &[1, 2], Err(WhyNot::Length { found: 2, expected: 3 }));
        check(grey(1, 2, 8), &[1, 2, 3, 4], Err(WhyNot::Length { found: 4, expected: 2 }));
        check(grey(0, 2, 8), &[], Err(WhyNot::Frame));
        check(single(1, 9, 2), &[1; 2], Err(WhyNot::Length { found: 2, expected: 3 }));
        let why = WhyNot::Photometric { photometric: "MONOCHROME2".into(), samples: 1, representation: 1 };
        check(PixelDescription { pixel_representation: 1, ..single(1, 8, 1) }, &[1], Err(why));
        check(single(1, 1, FRAMES_MAX + 1), &vec![0; 16385], Err(WhyNot::Frames(FRAMES_MAX + 1)));
        check(PixelDescription { bits_allocated: 32, ..grey(1, 1, 12) }, &[1; 4], Err(WhyNot::BitsAllocated(32)));
        let shifted = PixelDescription { high_bit: 15, ..grey(1, 1, 12) };
        check(shifted, &[1; 2], Err(WhyNot::Bits { allocated: 16, stored: 12, high: 15 }));
        let ybr =
            PixelDescription { photometric_interpretation: "YBR_FULL".into(), samples_per_pixel: 3, ..grey(1, 1, 8) };
        let why = WhyNot::Photometric { photometric: "YBR_FULL".into(), samples: 3, representation: 0 };
        check(ybr, &[1; 3], Err(why));
    }

    #[test]
    fn single_bits_are_packed_also_where_frames_begin_inside_a_byte() {
        check(single(1, 8, 1), &[1], Ok(()));
        check(single(1, 8, 1), &[1, 0], Ok(()));
        check(single(3, 3, 5), &[1; 6], Ok(()));
        check(single(1, 1, FRAMES_MAX), &[0; 16384], Ok(()));
    }

    #[test]
    fn what_lies_above_high_bit_is_told_for_all_frames_together() {
        let check = |description: PixelDescription, pixels: &[u8], expected| {
            let pixel_length = pixels.len() as u64;
            let source = Source { received: pixels, pixel_offset: 0, pixel_length, big_endian: false, description };
            assert_eq!(source.layout().unwrap().fill, expected, "{pixels:x?}");
        };
        let signed = |frames| PixelDescription { pixel_representation: 1, number_of_frames: frames, ..grey(1, 1, 12) };
        check(signed(2), &[0xFF, 0xFF, 0xFF, 0x07], Fill::Sign);
        check(signed(2), &[0xFF, 0x0F, 0xFF, 0x07], Fill::Zero);
        check(signed(2), &[0xFF, 0xFF, 0xFF, 0x0F], Fill::Beside);
        check(grey(1, 1, 12), &[0, 0x10], Fill::Beside);
    }
}
