//! JPEG (ISO/IEC 10918-1), lossy and lossless: what a picture says of itself, and its decoding by jpeg-decoder.

use jpeg_decoder::{ColorTransform, Decoder};

use crate::error::{Error, Result, contained};
use crate::samples::{self, SAMPLES_MAX, Samples, Values};

/// The frame header (B.2.2), and the application segments that say what three components are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Head {
    /// n of SOFn.
    process: u8,
    pub precision: u8,
    width: u16,
    height: u16,
    /// Identifiers of the components.
    pub components: Vec<u8>,
    jfif: bool,
    /// The transform flag of an Adobe APP14 segment.
    adobe: Option<u8>,
}

/// What the decoder does to components.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Nothing.
    Kept,
    /// Luminance and chrominance become red, green and blue.
    Converted,
}

impl Head {
    /// Reads marker segments up to the frame header.
    ///
    /// # Errors
    /// [`Error::Damaged`] when there is none, [`Error::TooLarge`] when it claims too much.
    pub fn read(bytes: &[u8]) -> Result<Head> {
        let Some(mut rest) = bytes.strip_prefix(&[0xFF, 0xD8]) else { return damaged("no SOI marker at byte 0") };
        let (mut jfif, mut adobe) = (false, None);
        loop {
            let (marker, segment, next) = match *rest {
                // B.1.1.2: a marker may be preceded by fill bytes.
                [0xFF, 0xFF, ..] => {
                    rest = &rest[1..];
                    continue;
                }
                [0xFF, marker, high, low, ref body @ ..] => {
                    let length = usize::from(u16::from_be_bytes([high, low]));
                    match length.checked_sub(2).and_then(|length| body.split_at_checked(length)) {
                        Some((segment, next)) => (marker, segment, next),
                        None => return damaged("ends before its frame header"),
                    }
                }
                _ => return damaged("no marker where one should be, before the frame header"),
            };
            match marker {
                0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF => {
                    return Head::frame(marker - 0xC0, segment, jfif, adobe);
                }
                0xE0 => jfif |= segment.starts_with(b"JFIF\0"),
                0xEE if segment.starts_with(b"Adobe") => adobe = segment.get(11).copied(),
                _ => {}
            }
            rest = next;
        }
    }

    fn frame(process: u8, segment: &[u8], jfif: bool, adobe: Option<u8>) -> Result<Head> {
        let [precision, h1, h0, w1, w0, count @ (1 | 3), components @ ..] = segment else {
            return damaged("a frame header without one or three components");
        };
        let components: Vec<u8> = components.chunks_exact(3).map(|component| component[0]).collect();
        if components.len() != usize::from(*count) || !(2..=16).contains(precision) {
            return damaged(format!("a frame header of {} components and {precision} bits", components.len()));
        }
        let (height, width) = (u16::from_be_bytes([*h1, *h0]), u16::from_be_bytes([*w1, *w0]));
        samples::count(width.into(), height.into(), *count)?;
        Ok(Head { process, precision: *precision, width, height, components, jfif, adobe })
    }

    /// Process 14 and its like (Annex H): numbers come back as they went.
    pub fn lossless(&self) -> bool {
        matches!(self.process, 3 | 7 | 11 | 15)
    }

    /// Whether it is JPEG of 8 bits in three components that a browser takes for luminance and chrominance, and so do we.
    /// Without JFIF or Adobe segment a browser looks at the identifiers, and never at the Data Set.
    pub fn is_plain_colour(&self, photometric_interpretation: &str) -> bool {
        let by_browser = match (self.adobe, self.jfif) {
            (Some(transform), _) => transform != 0,
            (None, true) => true,
            (None, false) => self.components != b"RGB",
        };
        matches!(self.process, 0..=2)
            && self.precision == 8
            && self.components.len() == 3
            && by_browser
            && self.colour(photometric_interpretation) == Colour::Converted
    }

    /// What three components are. The codestream is asked first, since it was there when they were made: many files
    /// are labelled RGB and hold luminance and chrominance with a JFIF or Adobe segment (PS3.5 §8.2.1). Only where it is
    /// silent does the Data Set say.
    pub fn colour(&self, photometric_interpretation: &str) -> Colour {
        let converted = match (self.adobe, self.components.as_slice()) {
            _ if self.components.len() != 3 || self.lossless() => false,
            (Some(transform), _) => transform != 0,
            _ if self.jfif => true,
            (None, b"RGB") => false,
            _ => photometric_interpretation != "RGB",
        };
        if converted { Colour::Converted } else { Colour::Kept }
    }
}

/// Decodes one picture.
///
/// # Errors
/// [`Error::Damaged`] or [`Error::Panicked`] from the decoder.
pub(crate) fn decode(bytes: &[u8], head: &Head, colour: Colour) -> Result<Samples> {
    let decoded = contained("jpeg-decoder", || {
        let mut decoder = Decoder::new(bytes);
        decoder.set_max_decoding_buffer_size(2 * SAMPLES_MAX as usize);
        if head.components.len() == 3 {
            let transform = if colour == Colour::Converted { ColorTransform::YCbCr } else { ColorTransform::RGB };
            decoder.set_color_transform(transform);
        }
        decoder.decode().or_else(|error| damaged(error.to_string()))
    })?;
    let components = head.components.len() as u8;
    let count = usize::from(head.width) * usize::from(head.height) * usize::from(components);
    let values = if decoded.len() == count {
        Values::collect(head.precision.min(8), false, decoded.into_iter().map(i32::from))
    } else {
        let words = decoded.as_chunks::<2>().0.iter().map(|&word| i32::from(u16::from_ne_bytes(word)));
        Values::collect(head.precision, false, words)
    };
    Samples::new(head.width.into(), head.height.into(), components, head.precision, values)
}

fn damaged<T>(detail: impl Into<String>) -> Result<T> {
    Err(Error::Damaged { coder: "JPEG", detail: detail.into() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn three_components_are_what_the_codestream_says_and_else_what_the_data_set_says() {
        let head = |adobe, jfif, components: &[u8], process| {
            let components = components.to_vec();
            Head { process, precision: 8, width: 1, height: 1, components, jfif, adobe }
        };
        let check = |head: Head, photometric, expected| assert_eq!(head.colour(photometric), expected, "{head:?}");
        check(head(None, true, &[1, 2, 3], 0), "RGB", Colour::Converted);
        check(head(Some(0), true, &[1, 2, 3], 0), "YBR_FULL_422", Colour::Kept);
        check(head(Some(1), false, b"RGB", 0), "RGB", Colour::Converted);
        check(head(None, false, &[1, 2, 3], 0), "RGB", Colour::Kept);
        check(head(None, false, &[0, 1, 2], 0), "YBR_FULL_422", Colour::Converted);
        check(head(None, false, b"RGB", 0), "YBR_FULL", Colour::Kept);
        check(head(None, true, &[1, 2, 3], 3), "YBR_FULL", Colour::Kept);
        check(head(None, true, &[1], 0), "MONOCHROME2", Colour::Kept);
    }
}
