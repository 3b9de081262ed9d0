//! What a compressed frame says of itself: size, depth, kind of compression. Nothing of it is decoded, but a PNG, which
//! has no transfer syntax of its own.

use crate::codec;
use crate::error::{Error, Result};
use crate::samples::SAMPLES_MAX;

/// The Image Pixel Description Macro (PS3.3 Table C.7-11c) as the frame itself has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Described {
    /// The transfer syntax it may stand under.
    pub transfer_syntax_uid: &'static str,
    /// Rows (0028,0010).
    pub rows: u16,
    /// Columns (0028,0011).
    pub columns: u16,
    /// Samples per Pixel (0028,0002).
    pub samples_per_pixel: u16,
    /// Bits Stored (0028,0101).
    pub bits: u16,
    /// Pixel Representation (0028,0103) is 1.
    pub signed: bool,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: &'static str,
    /// Whether it was compressed with loss, so far as its headers tell.
    pub lossy: bool,
}

/// Describes JPEG, JPEG-LS, JPEG 2000 and HTJ2K, with or without JP2 boxes, by their first bytes; `None` where they are
/// nothing of these, or their headers are not whole.
pub fn describe(bytes: &[u8]) -> Option<Described> {
    match bytes {
        [0xFF, 0xD8, 0xFF, ..] => jpeg(bytes),
        _ => jpeg_2000(bytes),
    }
}

/// Marker segments of ISO/IEC 10918-1 and of ITU-T T.87, up to the first scan header.
fn jpeg(bytes: &[u8]) -> Option<Described> {
    let (mut rest, mut frame, mut is_ycc) = (bytes.get(2..)?, None, None);
    loop {
        while let [0xFF, 0xFF, ..] = rest {
            rest = rest.get(1..)?;
        }
        let [0xFF, marker, high, low, body @ ..] = rest else { return None };
        let length = usize::from(u16::from_be_bytes([*high, *low])).checked_sub(2)?;
        let (segment, next) = body.split_at_checked(length)?;
        match *marker {
            0xC0..=0xC3 | 0xC5..=0xC7 | 0xC9..=0xCB | 0xCD..=0xCF | 0xF7 => frame = Some((*marker, segment)),
            0xE0 if segment.starts_with(b"JFIF\0") => is_ycc = is_ycc.or(Some(true)),
            0xEE if segment.starts_with(b"Adobe") => is_ycc = segment.get(11).map(|transform| *transform != 0),
            0xDA => return frame.and_then(|(marker, frame)| jpeg_frame(marker, frame, segment, is_ycc)),
            _ => {}
        }
        rest = next;
    }
}

fn jpeg_frame(marker: u8, frame: &[u8], scan: &[u8], is_ycc: Option<bool>) -> Option<Described> {
    let [precision, h1, h0, w1, w0, count, components @ ..] = frame else { return None };
    // After the components of a scan: Ss, or in T.87 NEAR.
    let first = *scan.get(1 + 2 * usize::from(*scan.first()?))?;
    let (short, lossy) = match (marker, first) {
        (0xC0, _) => ("1.2.840.10008.1.2.4.50", true),
        (0xC1, _) => ("1.2.840.10008.1.2.4.51", true),
        (0xC3, 1) => ("1.2.840.10008.1.2.4.70", false),
        (0xC3, _) => ("1.2.840.10008.1.2.4.57", false),
        (0xF7, 0) => ("1.2.840.10008.1.2.4.80", false),
        (0xF7, _) => ("1.2.840.10008.1.2.4.81", true),
        _ => return None,
    };
    let subsampled = components.chunks_exact(3).any(|component| component.get(1) != Some(&0x11));
    let photometric_interpretation = match (*count, lossy && marker != 0xF7, is_ycc) {
        (1, ..) => "MONOCHROME2",
        (_, true, Some(true) | None) if subsampled => "YBR_FULL_422",
        (_, true, Some(true) | None) => "YBR_FULL",
        _ => "RGB",
    };
    Some(Described {
        transfer_syntax_uid: short,
        rows: u16::from_be_bytes([*h1, *h0]),
        columns: u16::from_be_bytes([*w1, *w0]),
        samples_per_pixel: (*count).into(),
        bits: (*precision).into(),
        signed: false,
        photometric_interpretation,
        lossy,
    })
}

/// The main header of a codestream (T.800 Annex A): SIZ, CAP, COD.
fn jpeg_2000(bytes: &[u8]) -> Option<Described> {
    let bytes = codec::bare(bytes)?;
    let header = codec::Header::read(bytes).ok()?;
    let (mut at, mut high_throughput, mut coding) = (2_usize, false, None);
    while coding.is_none() {
        let [0xFF, marker, high, low] = *bytes.get(at..)?.first_chunk::<4>()? else { return None };
        let length = usize::from(u16::from_be_bytes([high, low]));
        match marker {
            0x50 => high_throughput = true,
            // Scod, order, layers (2), multiple component transform, levels, block (2), style, wavelet.
            0x52 => coding = bytes.get(at + 8).zip(bytes.get(at + 13)).map(|(mct, wavelet)| (*mct != 0, *wavelet)),
            0x90 => return None,
            _ => {}
        }
        at = at.checked_add(2)?.checked_add(length.max(2))?;
    }
    let (transformed, wavelet) = coding?;
    let lossy = wavelet == 0;
    let photometric_interpretation = match (header.components, transformed, lossy) {
        (1, ..) => "MONOCHROME2",
        (_, true, false) => "YBR_RCT",
        (_, true, true) => "YBR_ICT",
        _ => "RGB",
    };
    let transfer_syntax_uid = match (high_throughput, lossy) {
        (false, false) => "1.2.840.10008.1.2.4.90",
        (false, true) => "1.2.840.10008.1.2.4.91",
        (true, false) => "1.2.840.10008.1.2.4.201",
        (true, true) => "1.2.840.10008.1.2.4.203",
    };
    Some(Described {
        transfer_syntax_uid,
        rows: u16::try_from(header.height).ok()?,
        columns: u16::try_from(header.width).ok()?,
        samples_per_pixel: header.components.into(),
        bits: header.bits.into(),
        signed: header.signed,
        photometric_interpretation,
        lossy,
    })
}

/// Decodes a PNG to native pixels, little-endian: indexed colours become RGB, transparency is dropped (PS3.18 §10.5.2,
/// Notes 1, 4, 5).
///
/// # Errors
/// [`Error::Damaged`] where it is no PNG; [`Error::TooLarge`] above the bound of a frame.
pub fn png(bytes: &[u8]) -> Result<(Described, Vec<u8>)> {
    let broken = |error: png::DecodingError| damaged(format!("no PNG that can be read: {error}"));
    let mut decoder = png::Decoder::new(std::io::Cursor::new(bytes));
    decoder.set_transformations(png::Transformations::EXPAND);
    let mut reader = decoder.read_info().map_err(broken)?;
    let (width, height) = reader.info().size();
    let claimed = u64::from(width) * u64::from(height) * 4;
    if claimed > SAMPLES_MAX {
        return Err(Error::TooLarge { what: "samples of a PNG", claimed, limit: SAMPLES_MAX });
    }
    let mut pixels = vec![0; reader.output_buffer_size().unwrap_or_default()];
    let info = reader.next_frame(&mut pixels).map_err(broken)?;
    pixels.truncate(info.buffer_size());
    let (samples, kept) = match info.color_type {
        png::ColorType::Grayscale => (1, 1),
        png::ColorType::GrayscaleAlpha => (2, 1),
        png::ColorType::Rgb => (3, 3),
        _ => (4, 3),
    };
    let wide = info.bit_depth == png::BitDepth::Sixteen;
    let bytes_a_sample = if wide { 2 } else { 1 };
    let mut native = Vec::with_capacity(pixels.len() / samples * kept);
    for pixel in pixels.chunks_exact(samples * bytes_a_sample) {
        for sample in pixel.chunks_exact(bytes_a_sample).take(kept) {
            native.extend(sample.iter().rev());
        }
    }
    let edge = |edge: u32| u16::try_from(edge).map_err(|_| damaged("more than 65,535 pixels along an edge".into()));
    let described = Described {
        transfer_syntax_uid: "1.2.840.10008.1.2.1",
        rows: edge(height)?,
        columns: edge(width)?,
        samples_per_pixel: kept as u16,
        bits: if wide { 16 } else { 8 },
        signed: false,
        photometric_interpretation: if kept == 1 { "MONOCHROME2" } else { "RGB" },
        lossy: false,
    };
    Ok((described, native))
}

/// The codestream that DICOM asks for (PS3.5 §8.2.4), where JP2 boxes are around it; anything else as it is.
pub fn without_boxes(bytes: &[u8]) -> &[u8] {
    codec::bare(bytes).unwrap_or(bytes)
}

fn damaged(detail: String) -> Error {
    Error::Damaged { coder: "png", detail }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::{Samples, Values};

    fn samples(components: u8, bits: u8) -> Samples {
        let values: Vec<u16> = (0..32 * 24 * u32::from(components)).map(|i| (i * 7 % 251) as u16).collect();
        let values =
            if bits > 8 { Values::U16(values) } else { Values::U8(values.iter().map(|value| *value as u8).collect()) };
        Samples::new(32, 24, components, bits, values).unwrap()
    }

    fn check(bytes: &[u8], uid: &str, size: (u16, u16, u16, u16), photometric: &str, lossy: bool) {
        let found = describe(bytes).unwrap_or_else(|| panic!("{uid} was not seen"));
        assert_eq!(found.transfer_syntax_uid, uid);
        assert_eq!((found.rows, found.columns, found.samples_per_pixel, found.bits), size, "{uid}");
        assert_eq!((found.photometric_interpretation, found.lossy), (photometric, lossy), "{uid}");
        for cut in 0..bytes.len().min(300) {
            let _ = describe(&bytes[..cut]);
        }
    }

    /// Frames of our own encoders are described as what they are; any prefix of them is survived.
    #[test]
    fn frames_say_what_they_are() {
        let grey = codec::encode(&samples(1, 12)).unwrap();
        check(&grey, "1.2.840.10008.1.2.4.201", (24, 32, 1, 12), "MONOCHROME2", false);
        let colour = codec::encode(&samples(3, 8)).unwrap();
        check(&colour, "1.2.840.10008.1.2.4.201", (24, 32, 3, 8), "YBR_RCT", false);
        let mut jpeg = Vec::new();
        let encoder = jpeg_encoder::Encoder::new(&mut jpeg, 90);
        encoder.encode(&[7; 32 * 24 * 3], 32, 24, jpeg_encoder::ColorType::Rgb).unwrap();
        check(&jpeg, "1.2.840.10008.1.2.4.50", (24, 32, 3, 8), "YBR_FULL", true);
        assert_eq!(describe(b"no picture"), None);
    }

    /// A PNG of 16 bits with transparency becomes little-endian pixels without it.
    #[test]
    fn a_png_becomes_native_pixels() {
        let mut bytes = Vec::new();
        let mut encoder = png::Encoder::new(&mut bytes, 2, 1);
        encoder.set_color(png::ColorType::GrayscaleAlpha);
        encoder.set_depth(png::BitDepth::Sixteen);
        encoder.write_header().unwrap().write_image_data(&[1, 2, 255, 255, 3, 4, 0, 0]).unwrap();
        let (described, native) = png(&bytes).unwrap();
        assert_eq!(native, [2, 1, 4, 3]);
        assert_eq!((described.rows, described.columns, described.bits, described.samples_per_pixel), (1, 2, 16, 1));
        assert!(png(&bytes[..20]).is_err());
    }
}
