//! The Image Pixel module (PS3.3 C.7.6.3): native words, JPEG Baseline as ultrasound and endoscopes send, RLE.

use jpeg_encoder::{ColorType, Encoder, SamplingFactor};

use crate::jpeg_lossless;
use crate::study::Study;
use crate::tags;
use crate::writer::{DataSet, TransferSyntax, Value};

/// The shape of greyscale samples.
#[derive(Clone, Copy)]
pub(crate) struct Grey {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) stored: u16,
    pub(crate) signed: bool,
    pub(crate) photometric: &'static str,
}

impl Grey {
    /// Puts native pixels (16-bit words, little-endian) and answers the study's transfer syntax.
    pub(crate) fn put(&self, study: &Study, set: &mut DataSet, words: Vec<u8>) -> TransferSyntax {
        self.describe(set);
        set.put(tags::PIXEL_DATA, Value::Plain(2, words));
        study.habits().syntax
    }

    /// Puts the pixels of one frame as JPEG Lossless, Selection Value 1.
    pub(crate) fn put_jpeg_lossless(&self, set: &mut DataSet, words: &[u8]) -> TransferSyntax {
        self.describe(set);
        let frame = jpeg_lossless::encode(words, self.columns, self.rows, self.stored as u8);
        set.put(tags::PIXEL_DATA_BYTES, Value::Fragments(vec![frame]));
        TransferSyntax::JpegLossless
    }

    fn describe(&self, set: &mut DataSet) {
        set.short(tags::SAMPLES_PER_PIXEL, &[1]).text(tags::PHOTOMETRIC_INTERPRETATION, self.photometric);
        set.short(tags::ROWS, &[self.rows as u16]).short(tags::COLUMNS, &[self.columns as u16]);
        set.short(tags::BITS_ALLOCATED, &[16]).short(tags::BITS_STORED, &[self.stored]);
        set.short(tags::HIGH_BIT, &[self.stored - 1]).short(tags::PIXEL_REPRESENTATION, &[u16::from(self.signed)]);
    }
}

/// How colour is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Colour {
    /// Native RGB, colour by pixel.
    Rgb,
    /// Native RGB, colour by plane.
    Planar,
    /// RLE Lossless of RGB.
    Rle,
    /// JPEG Baseline of this quality, YBR_FULL_422.
    Jpeg(u8),
}

impl Colour {
    /// Puts frames of RGB bytes, all `rows * columns * 3` long. Answers the transfer syntax they are in.
    pub(crate) fn put(
        self,
        study: &Study,
        set: &mut DataSet,
        size: (usize, usize),
        frames: Vec<Vec<u8>>,
    ) -> TransferSyntax {
        let (rows, columns) = size;
        let raw: usize = frames.iter().map(Vec::len).sum();
        set.short(tags::SAMPLES_PER_PIXEL, &[3]).short(tags::PLANAR_CONFIGURATION, &[0]);
        set.text(tags::PHOTOMETRIC_INTERPRETATION, "RGB");
        set.short(tags::ROWS, &[rows as u16]).short(tags::COLUMNS, &[columns as u16]);
        set.short(tags::BITS_ALLOCATED, &[8]).short(tags::BITS_STORED, &[8]);
        set.short(tags::HIGH_BIT, &[7]).short(tags::PIXEL_REPRESENTATION, &[0]);
        match self {
            Colour::Rgb => native(study, set, frames.concat()),
            Colour::Planar => {
                set.short(tags::PLANAR_CONFIGURATION, &[1]);
                native(study, set, frames.iter().flat_map(|frame| planes(frame).concat()).collect())
            }
            Colour::Rle => {
                let coded = frames.iter().map(|frame| rle(frame, columns)).collect();
                set.put(tags::PIXEL_DATA_BYTES, Value::Fragments(coded));
                TransferSyntax::Rle
            }
            Colour::Jpeg(quality) => {
                let coded: Vec<_> = frames.iter().map(|frame| jpeg(frame, size, quality)).collect();
                let ratio = raw as f64 / coded.iter().map(Vec::len).sum::<usize>().max(1) as f64;
                set.text(tags::PHOTOMETRIC_INTERPRETATION, "YBR_FULL_422");
                // PS3.3 C.7.6.1.1.5: lossy compression is said, with its ratio and method.
                set.text(tags::LOSSY_IMAGE_COMPRESSION, "01");
                set.text(tags::LOSSY_IMAGE_COMPRESSION_RATIO, format!("{ratio:.2}"));
                set.text(tags::LOSSY_IMAGE_COMPRESSION_METHOD, "ISO_10918_1");
                set.put(tags::PIXEL_DATA_BYTES, Value::Fragments(coded));
                TransferSyntax::JpegBaseline
            }
        }
    }
}

fn native(study: &Study, set: &mut DataSet, bytes: Vec<u8>) -> TransferSyntax {
    set.put(tags::PIXEL_DATA_BYTES, Value::Plain(1, bytes));
    match study.habits().syntax {
        // PS3.5 §A.3: Big Endian would swap OW words; few devices send colour so.
        TransferSyntax::ExplicitBig => TransferSyntax::ExplicitLittle,
        syntax => syntax,
    }
}

/// JPEG Baseline (process 1), 4:2:2.
fn jpeg(rgb: &[u8], (rows, columns): (usize, usize), quality: u8) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut encoder = Encoder::new(&mut bytes, quality);
    encoder.set_sampling_factor(SamplingFactor::F_2_1);
    let coded = encoder.encode(rgb, columns as u16, rows as u16, ColorType::Rgb);
    assert!(coded.is_ok(), "a frame of {columns}x{rows} RGB is encoded to memory");
    bytes
}

fn planes(rgb: &[u8]) -> [Vec<u8>; 3] {
    [0, 1, 2].map(|component| rgb.iter().skip(component).step_by(3).copied().collect())
}

/// RLE Lossless (PS3.5 Annex G): a header of 16 longs, then one segment a byte plane.
pub(crate) fn rle(rgb: &[u8], columns: usize) -> Vec<u8> {
    let segments = planes(rgb).map(|plane| pack_bits(&plane, columns));
    let mut header = [0u32; 16];
    header[0] = segments.len() as u32;
    let mut offset = 64;
    for (place, segment) in header[1..].iter_mut().zip(&segments) {
        *place = offset;
        offset += segment.len() as u32;
    }
    let mut bytes: Vec<u8> = header.iter().flat_map(|long| long.to_le_bytes()).collect();
    segments.iter().for_each(|segment| bytes.extend_from_slice(segment));
    bytes
}

/// PackBits, each row by itself (PS3.5 §G.3.1), padded to even length.
fn pack_bits(plane: &[u8], columns: usize) -> Vec<u8> {
    let mut out = Vec::with_capacity(plane.len() / 2);
    for mut row in plane.chunks(columns) {
        while !row.is_empty() {
            let run = row.iter().take(128).take_while(|byte| **byte == row[0]).count();
            let used = if run > 1 {
                out.extend_from_slice(&[(257 - run) as u8, row[0]]);
                run
            } else {
                let literal = literal_length(row);
                out.push((literal - 1) as u8);
                out.extend_from_slice(&row[..literal]);
                literal
            };
            row = &row[used..];
        }
    }
    out.resize(out.len().next_multiple_of(2), 0);
    out
}

/// Bytes until three alike begin, at most 128.
fn literal_length(row: &[u8]) -> usize {
    let until_run = row.windows(3).take(128).position(|w| w[0] == w[1] && w[1] == w[2]);
    until_run.unwrap_or(row.len()).clamp(1, 128)
}
