//! Any frame of any transfer syntax to samples, for viewing. PS3.5 Annex A names the forms, §8.2 what they hold.

use std::io::Read;

use flate2::read::DeflateDecoder;

use crate::description::PixelDescription;
use crate::error::{Error, Result};
use crate::layout::{Layout, Order};
use crate::samples::{self, SAMPLES_MAX, Samples, Values};
use crate::{bits, codec, jpeg, jpeg_ls, rle};

/// A frame as decoded, and what its numbers mean now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The numbers.
    pub samples: Samples,
    /// Photometric Interpretation (0028,0004) of the decoded state: `RGB` where the decoder undid a colour transform
    /// (JPEG of luminance and chrominance, YBR_RCT, YBR_ICT), else that of the Data Set (YBR_FULL stays YBR_FULL).
    pub photometric_interpretation: String,
}

/// Decodes one frame: `bytes` are its native bytes, or its fragments joined.
///
/// Native 8-bit frames of Explicit VR Big Endian are taken for OB; those of OW have swapped bytes (PS3.5 Annex A.3).
/// Native 1-bit frames must begin in bit 0 of their first byte (PS3.5 §8.1.1 lets later frames begin elsewhere).
///
/// # Errors
/// [`Error::Unsupported`] says what cannot be read and what to do; [`Error::Damaged`] and [`Error::Panicked`] which decoder
/// gave up; [`Error::TooLarge`] when a header claims more than [`SAMPLES_MAX`]. Nothing is answered in part.
pub fn decode_frame(transfer_syntax_uid: &str, description: &PixelDescription, bytes: &[u8]) -> Result<Frame> {
    let uid = transfer_syntax_uid.trim_end_matches(['\0', ' ']);
    let Some(short) = uid.strip_prefix("1.2.840.10008.1.2") else { return unsupported(uid, "pixels", OTHER) };
    match short {
        // A.1, A.2, A.5 (the caller has inflated the Data Set), A.4.11; A.3.
        "" | ".1" | ".1.99" | ".1.98" => native(uid, description, bytes, Order::Little),
        ".2" => native(uid, description, bytes, Order::Big),
        // Deflated Image Frame Compression, A.4.12.
        ".8.1" => native(uid, description, &inflate(description, bytes)?, Order::Little),
        // RLE Lossless, A.4.2.
        ".5" if !matches!(description.bits_allocated, 8 | 16) => depth(uid, description),
        ".5" => same(description, rle::decode(description, bytes)?),
        // JPEG baseline, extended, lossless, lossless first-order: A.4.1.
        ".4.50" | ".4.51" | ".4.57" | ".4.70" => jpeg(uid, description, bytes),
        // JPEG 2000, A.4.4; HTJ2K, A.4.9.
        ".4.90" | ".4.91" | ".4.201" | ".4.202" | ".4.203" => jpeg_2000(description, bytes),
        // JPEG-LS, lossless and near-lossless, A.4.3.
        ".4.80" | ".4.81" => same(description, fitting(description, jpeg_ls::decode(bytes)?)?),
        ".4.110" | ".4.111" | ".4.112" => unsupported(uid, "JPEG XL", OTHER),
        _ if short.starts_with(".4.10") => {
            unsupported(uid, "video", "download the file and play it with a DICOM viewer")
        }
        _ => unsupported(uid, "pixels", OTHER),
    }
}

const OTHER: &str = "download the file and open it with a DICOM viewer that reads it";

fn unsupported<T>(uid: &str, what: &str, next_step: &'static str) -> Result<T> {
    Err(Error::Unsupported { transfer_syntax: uid.into(), what: what.into(), next_step })
}

fn depth<T>(uid: &str, d: &PixelDescription) -> Result<T> {
    unsupported(uid, &format!("pixels of {} bits allocated", d.bits_allocated), OTHER)
}

fn damaged<T>(detail: String) -> Result<T> {
    Err(Error::Damaged { coder: "frame", detail })
}

fn same(description: &PixelDescription, samples: Samples) -> Result<Frame> {
    Ok(Frame { samples, photometric_interpretation: description.photometric_interpretation.clone() })
}

/// Bytes of one native frame (PS3.5 §8.1.1; YBR_FULL_422 has two chrominance samples for two pixels, PS3.3 C.7.6.3.1.2).
fn frame_bytes(d: &PixelDescription) -> Result<usize> {
    let samples = if half_chrominance(d) { 2 } else { d.samples_per_pixel.min(255) as u8 };
    let samples = samples::count(d.columns.into(), d.rows.into(), samples)?;
    Ok((samples * u64::from(d.bits_allocated)).div_ceil(8) as usize)
}

fn half_chrominance(d: &PixelDescription) -> bool {
    d.photometric_interpretation == "YBR_FULL_422" && d.samples_per_pixel == 3 && d.bits_allocated == 8
}

fn native(uid: &str, d: &PixelDescription, bytes: &[u8], order: Order) -> Result<Frame> {
    if !matches!(d.bits_allocated, 1 | 8 | 16) {
        return depth(uid, d);
    }
    let wanted = frame_bytes(d)?;
    let Some(bytes) = bytes.get(..wanted) else {
        return damaged(format!("{} bytes, but a frame has {wanted}", bytes.len()));
    };
    match d.bits_allocated {
        1 => same(d, single_bits(d, bytes)?),
        8 if half_chrominance(d) => full_chrominance(d, bytes),
        8 => same(d, Layout::new(d, Order::Little)?.samples(bytes)?),
        _ => same(d, Layout::new(d, order)?.samples(bytes)?),
    }
}

/// PS3.5 §8.1.1: the first pixel is the least significant bit.
fn single_bits(d: &PixelDescription, bytes: &[u8]) -> Result<Samples> {
    let count = usize::from(d.rows) * usize::from(d.columns);
    let bits = bits::unpack(bytes, 0, count, false).unwrap_or_default();
    Samples::new(d.columns.into(), d.rows.into(), 1, 1, Values::U8(bits))
}

/// PS3.3 C.7.6.3.1.2: Y0 Y1 Cb Cr for each two pixels of a row.
fn full_chrominance(d: &PixelDescription, bytes: &[u8]) -> Result<Frame> {
    if d.columns % 2 == 1 {
        return damaged(format!("{} columns cannot share chrominance by twos", d.columns));
    }
    samples::count(d.columns.into(), d.rows.into(), 3)?;
    let pairs = bytes.as_chunks::<4>().0.iter();
    let values = pairs.flat_map(|&[y0, y1, cb, cr]| [y0, cb, cr, y1, cb, cr]).collect();
    let samples = Samples::new(d.columns.into(), d.rows.into(), 3, 8, Values::U8(values))?;
    Ok(Frame { samples, photometric_interpretation: "YBR_FULL".into() })
}

/// One deflated frame; what it inflates to is known, so a bomb is cut off there.
pub(crate) fn inflate(d: &PixelDescription, bytes: &[u8]) -> Result<Vec<u8>> {
    let wanted = frame_bytes(d)?;
    if wanted as u64 > 2 * SAMPLES_MAX {
        return Err(Error::TooLarge { what: "bytes of a frame", claimed: wanted as u64, limit: 2 * SAMPLES_MAX });
    }
    let mut out = Vec::new();
    match DeflateDecoder::new(bytes).take(wanted as u64).read_to_end(&mut out) {
        Ok(_) => Ok(out),
        Err(error) => Err(Error::Damaged { coder: "deflate", detail: error.to_string() }),
    }
}

fn jpeg(uid: &str, d: &PixelDescription, bytes: &[u8]) -> Result<Frame> {
    let head = jpeg::Head::read(bytes)?;
    if !head.lossless() && head.precision != 8 {
        return unsupported(uid, &format!("lossy JPEG of {} bits", head.precision), OTHER);
    }
    let colour = head.colour(&d.photometric_interpretation);
    let samples = fitting(d, jpeg::decode(bytes, &head, colour)?)?;
    let interpretation = if colour == jpeg::Colour::Converted { "RGB" } else { after_jpeg(d, &head) };
    Ok(Frame { samples, photometric_interpretation: interpretation.into() })
}

/// What is in three components that nobody converted: those of lossy JPEG are red, green and blue then, whatever the
/// Data Set says; those of lossless JPEG are what the Data Set says.
fn after_jpeg<'a>(d: &'a PixelDescription, head: &jpeg::Head) -> &'a str {
    if head.components.len() == 3 && !head.lossless() { "RGB" } else { &d.photometric_interpretation }
}

fn jpeg_2000(d: &PixelDescription, bytes: &[u8]) -> Result<Frame> {
    Ok(after_jpeg_2000(d, fitting(d, codec::decode(bytes)?)?))
}

/// What the samples of a JPEG 2000 codestream are, once decoded.
pub(crate) fn after_jpeg_2000(d: &PixelDescription, samples: Samples) -> Frame {
    let interpretation = match d.photometric_interpretation.as_str() {
        // §8.2.4: the decoder undoes the transform, the Data Set goes on naming it.
        "YBR_RCT" | "YBR_ICT" => "RGB",
        // The components are not sub-sampled, or they would have been refused.
        "YBR_FULL_422" => "YBR_FULL",
        other => other,
    };
    Frame { samples, photometric_interpretation: interpretation.into() }
}

/// Checks a codestream against its Data Set, and gives it the sign that the Data Set says and JPEG cannot.
fn fitting(d: &PixelDescription, samples: Samples) -> Result<Samples> {
    let found = (samples.width(), samples.height(), u16::from(samples.components()));
    let said = (u32::from(d.columns), u32::from(d.rows), d.samples_per_pixel);
    if found != said {
        return damaged(format!(
            "the codestream is of {found:?} columns, rows and samples, the Data Set says {said:?}"
        ));
    }
    Ok(fitting_sign(d, samples))
}

/// Gives samples the sign that the Data Set says.
pub(crate) fn fitting_sign(d: &PixelDescription, samples: Samples) -> Samples {
    if d.pixel_representation == 1 { samples.into_signed() } else { samples }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const LITTLE: &str = "1.2.840.10008.1.2.1";

    fn description(rows: u16, columns: u16, samples: u16, allocated: u16, photometric: &str) -> PixelDescription {
        PixelDescription {
            rows,
            columns,
            samples_per_pixel: samples,
            bits_allocated: allocated,
            bits_stored: allocated,
            high_bit: allocated - 1,
            pixel_representation: 0,
            planar_configuration: 0,
            photometric_interpretation: photometric.into(),
            number_of_frames: 1,
        }
    }

    fn check(uid: &str, d: &PixelDescription, bytes: &[u8], values: Values, photometric: &str) {
        let frame = decode_frame(uid, d, bytes).unwrap();
        assert_eq!((frame.samples.values(), frame.photometric_interpretation.as_str()), (&values, photometric));
    }

    #[test]
    fn native_frames_are_read_in_their_byte_order_depth_and_sign() {
        let grey = |allocated| description(1, 2, 1, allocated, "MONOCHROME2");
        check(LITTLE, &grey(8), &[7, 9], Values::U8(vec![7, 9]), "MONOCHROME2");
        check(LITTLE, &grey(16), &[1, 2, 3, 4], Values::U16(vec![0x201, 0x403]), "MONOCHROME2");
        check("1.2.840.10008.1.2.2\0", &grey(16), &[1, 2, 3, 4], Values::U16(vec![0x102, 0x304]), "MONOCHROME2");
        let signed = PixelDescription { bits_stored: 12, high_bit: 11, pixel_representation: 1, ..grey(16) };
        check(LITTLE, &signed, &[0xFF, 0x4F, 1, 0], Values::I16(vec![-1, 1]), "MONOCHROME2");
        let high = PixelDescription { bits_stored: 12, high_bit: 15, ..grey(16) };
        check(LITTLE, &high, &[0xF0, 0xFF, 0x1F, 0], Values::U16(vec![0xFFF, 1]), "MONOCHROME2");
        check(
            LITTLE,
            &description(1, 9, 1, 1, "MONOCHROME2"),
            &[0b101, 1],
            Values::U8(vec![1, 0, 1, 0, 0, 0, 0, 0, 1]),
            "MONOCHROME2",
        );
        check(
            LITTLE,
            &description(1, 2, 3, 8, "YBR_FULL_422"),
            &[1, 2, 3, 4],
            Values::U8(vec![1, 3, 4, 2, 3, 4]),
            "YBR_FULL",
        );
    }

    #[test]
    fn run_lengths_are_unpacked_most_significant_byte_first() {
        let mut bytes = vec![2, 0, 0, 0, 64, 0, 0, 0, 66, 0, 0, 0];
        bytes.resize(64, 0);
        bytes.extend_from_slice(&[0xFF, 1, 1, 2, 3]);
        check(
            "1.2.840.10008.1.2.5",
            &description(1, 2, 1, 16, "MONOCHROME2"),
            &bytes,
            Values::U16(vec![0x102, 0x103]),
            "MONOCHROME2",
        );
    }

    #[test]
    fn what_cannot_be_shown_says_so_and_what_to_do() {
        let check = |uid: &str, allocated, expected: &str| {
            let error =
                decode_frame(uid, &description(1, 1, 1, allocated, "MONOCHROME2"), &[0; 8]).unwrap_err().to_string();
            assert!(error.contains(expected) && error.contains("download"), "{error}");
        };
        check("1.2.840.10008.1.2.4.110", 8, "JPEG XL");
        check("1.2.840.10008.1.2.4.102", 8, "video");
        check(LITTLE, 32, "32 bits");
        check("1.2.3", 8, "1.2.3");
    }

    proptest! {
        /// No bytes make any decoder do anything but answer.
        #[test]
        fn any_bytes_are_answered(
            bytes in proptest::collection::vec(any::<u8>(), 0..200), rows in 0u16..40, columns: u16, samples in 0u16..5,
            allocated in prop::sample::select(vec![1u16, 8, 16, 32]), stored: u16, high: u16,
            form in prop::sample::select(vec!["", ".2", ".5", ".8.1", ".4.50", ".4.70", ".4.80", ".4.90", ".4.201"]),
        ) {
            let (bits_stored, high_bit) = (stored, high);
            let d = PixelDescription { bits_stored, high_bit, ..description(rows, columns, samples, allocated, "YBR_FULL_422") };
            let magic: &[u8] = match form {
                ".4.50" => &[0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0],
                ".4.70" => &[0xFF, 0xD8, 0xFF, 0xC3, 0, 11, 12, 0, 8, 0, 8, 1, 1, 0x11, 0],
                ".4.80" => &[0xFF, 0xD8, 0xFF, 0xF7, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 0, 0],
                _ => &[],
            };
            let _ = decode_frame(&format!("1.2.840.10008.1.2{form}"), &d, &[magic, &bytes].concat());
        }
    }
}
