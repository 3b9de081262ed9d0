//! Frames of one file, read and written one at a time.

use std::io::{Read, Seek, SeekFrom, Write};

use super::{IMPLICIT, PIXEL_DATA, RLE, is_native, native_vr, refused, unreadable, unwritten};
use crate::bits::{self, Packer};
use crate::codec::{self, label};
use crate::data_set::writer::Writer;
use crate::data_set::{self, FrameSpan, Part10, VR, Value};
use crate::description::PixelDescription;
use crate::error::{Error, Result};
use crate::frames::{self, Frame, decode_frame};
use crate::instance::joined;
use crate::rle;
use crate::samples::{SAMPLES_MAX, Samples, Values};

/// Bytes of one frame as it is held: twice what its samples can have.
const FRAME_BYTES_MAX: u64 = 4 * SAMPLES_MAX;

/// (FFFE,E000) of no length: the Basic Offset Table, which may be empty (PS3.5 §A.4).
const EMPTY_ITEM: [u8; 8] = [0xFE, 0xFF, 0x00, 0xE0, 0, 0, 0, 0];
const ITEM: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
const SEQUENCE_DELIMITER: [u8; 8] = [0xFE, 0xFF, 0xDD, 0xE0, 0, 0, 0, 0];

/// How frames are held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Held {
    /// Native Pixel Data.
    Native,
    /// Native frames as fragments (Encapsulated Uncompressed, PS3.5 §A.4.11), or each of them deflated (§A.4.12).
    Fragments,
    /// Run lengths.
    Rle,
    /// JPEG and all that came after it.
    Coded,
}

/// How frames are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wanted {
    Native,
    Rle,
    Codestream,
}

/// Frames, and what they become.
pub(super) struct Pixels {
    spans: Vec<FrameSpan>,
    uid: String,
    held: Held,
    wanted: Wanted,
    target: &'static str,
    /// What the Data Set says.
    pub source: PixelDescription,
    /// What it will say.
    pub becomes: PixelDescription,
    /// Photometric Interpretation, components and sign of decoded frames.
    decoded: Option<(String, u8, bool)>,
    /// The first frame as written, where it had to be decoded.
    first: Option<Vec<u8>>,
    /// Where native Pixel Data begins, how long it is, and how wide its swapped words are.
    value: (u64, u64),
    word: u64,
    /// The first frame as held says that something was lost in its making.
    pub lossy: bool,
}

impl Pixels {
    /// Finds the frames and looks at the first one.
    ///
    /// # Errors
    /// Those of [`Outgoing::open`](super::Outgoing::open).
    pub fn open(part10: &Part10, input: &mut (impl Read + Seek), uid: &str, target: &'static str) -> Result<Pixels> {
        let source = data_set::pixel_description(&part10.data_set).ok_or(Error::NoPixels)?;
        let spans = data_set::frame_spans(part10, input).map_err(unreadable)?;
        let element = part10.data_set.get(PIXEL_DATA).ok_or(Error::NoPixels)?;
        let encapsulated = matches!(element.value, Value::Fragments(_));
        let held = match (encapsulated, uid.strip_prefix(IMPLICIT)) {
            (false, _) => Held::Native,
            (true, Some(".1.98" | ".8.1")) => Held::Fragments,
            (true, Some(".5")) => Held::Rle,
            (true, Some("" | ".1" | ".1.99" | ".2")) => {
                return damaged(format!("fragments under {uid}, which has none"));
            }
            (true, _) => Held::Coded,
        };
        let wanted = match target {
            RLE => Wanted::Rle,
            _ if is_native(target) => Wanted::Native,
            _ => Wanted::Codestream,
        };
        let swapped = element.big_endian && element.vr == VR::OW;
        let becomes = source.clone();
        let value = (element.value_offset, element.value_length);
        let (uid, word) = (uid.to_owned(), if swapped { 2 } else { 1 });
        let (decoded, first, lossy) = (None, None, false);
        let mut pixels =
            Pixels { spans, uid, held, wanted, target, source, becomes, decoded, first, value, word, lossy };
        pixels.look(input)?;
        Ok(pixels)
    }

    /// Decodes the first frame, from which follows what the Data Set will say.
    fn look(&mut self, input: &mut (impl Read + Seek)) -> Result<()> {
        if self.spans.is_empty() {
            return Err(Error::NoPixels);
        }
        let allocated = self.source.bits_allocated;
        if self.wanted == Wanted::Rle && !matches!(allocated, 8 | 16) {
            return refused(&self.uid, format!("pixels of {allocated} bits allocated to be written as run lengths"));
        }
        if self.is_raw() {
            self.cells(input, 0)?;
        } else {
            self.lossy = self.was_lossy(&self.stored(input, 0)?);
            let frame = self.frame(input, 0)?;
            let kind = (frame.photometric_interpretation.clone(), frame.samples.components(), frame.samples.signed());
            self.becomes = self.described(&frame);
            self.decoded = Some(kind);
            let first = self.written(input, 0, &mut Packer::new(false))?;
            // Of single bits, the packer has a part.
            self.first = Some(first).filter(|_| self.becomes.bits_allocated > 1 || self.wanted != Wanted::Native);
        }
        self.native_length().map(drop)
    }

    /// Whether bytes of samples go from one native form to another, with all that lies beside Bits Stored.
    fn is_raw(&self) -> bool {
        let halved = self.source.photometric_interpretation.ends_with("_422");
        let native = self.held != Held::Coded && self.wanted != Wanted::Codestream;
        native && self.source.bits_allocated > 1 && !(self.wanted == Wanted::Rle && halved)
    }

    /// JPEG processes that lose, and codestreams whose headers say that they did.
    fn was_lossy(&self, stored: &[u8]) -> bool {
        match self.uid.strip_prefix("1.2.840.10008.1.2.4.") {
            Some("50" | "51" | "81") => true,
            Some("91" | "203") => label::is_irreversible(stored),
            _ => false,
        }
    }

    /// What the Data Set says of frames like this one, once written.
    fn described(&self, frame: &Frame) -> PixelDescription {
        let (samples, source) = (&frame.samples, &self.source);
        let bits = u16::from(samples.bits());
        let stored = if samples.with_bits(source.bits_stored).is_some() { source.bits_stored } else { bits };
        let allocated = match source.bits_allocated {
            1 if stored == 1 => 1,
            8 if stored <= 8 => 8,
            _ => 16,
        };
        let colour = frame.photometric_interpretation.as_str();
        let transformed = self.wanted == Wanted::Codestream && (colour, samples.components()) == ("RGB", 3);
        PixelDescription {
            samples_per_pixel: samples.components().into(),
            bits_allocated: allocated,
            bits_stored: stored,
            high_bit: stored.saturating_sub(1),
            pixel_representation: samples.signed().into(),
            planar_configuration: 0,
            photometric_interpretation: if transformed { "YBR_RCT".into() } else { colour.into() },
            ..source.clone()
        }
    }

    /// Bytes of native Pixel Data as written, its pad byte not counted; 0 where fragments are written.
    fn native_length(&self) -> Result<u64> {
        if self.wanted != Wanted::Native {
            return Ok(0);
        }
        let bits = data_set::frame_bits(&self.becomes).saturating_mul(self.spans.len() as u64);
        let (claimed, limit) = (bits.div_ceil(8), u64::from(u32::MAX - 1));
        if claimed > limit {
            return Err(Error::TooLarge { what: "bytes of native Pixel Data", claimed, limit });
        }
        Ok(claimed)
    }

    /// Writes the element Pixel Data.
    ///
    /// # Errors
    /// Those of the decoders; [`Error::Io`].
    pub fn write<R: Read + Seek>(&self, writer: &mut Writer<R, dyn Write + '_>) -> Result<()> {
        match self.wanted {
            Wanted::Native => self.write_native(writer),
            _ => self.write_fragments(writer),
        }
    }

    fn write_native<R: Read + Seek>(&self, writer: &mut Writer<R, dyn Write + '_>) -> Result<()> {
        let length = u32::try_from(self.native_length()?.next_multiple_of(2)).unwrap_or(u32::MAX - 1);
        writer.head(PIXEL_DATA, native_vr(self.becomes.bits_allocated), length).map_err(unwritten)?;
        self.write_native_value(writer)
    }

    /// The value of native Pixel Data, of an even length.
    ///
    /// # Errors
    /// Those of [`Pixels::write`].
    pub fn write_native_value<R: Read + Seek>(&self, writer: &mut Writer<R, dyn Write + '_>) -> Result<()> {
        let (mut packer, mut left) = (Packer::new(false), self.native_length()?.next_multiple_of(2));
        for index in 0..self.spans.len() {
            let bytes = self.written(writer.source, index, &mut packer)?;
            left =
                left.checked_sub(bytes.len() as u64).map_or_else(|| damaged("frames of several sizes".into()), Ok)?;
            writer.bytes(&bytes).map_err(unwritten)?;
        }
        // The last bits of single-bit frames, and the pad byte.
        let rest: Vec<u8> = packer.rest().into_iter().chain([0]).take(left.min(2) as usize).collect();
        if rest.len() as u64 != left {
            return damaged(format!("{left} bytes are missing behind its last frame"));
        }
        writer.bytes(&rest).map_err(unwritten)
    }

    fn write_fragments<R: Read + Seek>(&self, writer: &mut Writer<R, dyn Write + '_>) -> Result<()> {
        writer.head(PIXEL_DATA, VR::OB, u32::MAX).map_err(unwritten)?;
        writer.bytes(&EMPTY_ITEM).map_err(unwritten)?;
        for index in 0..self.spans.len() {
            let frame = self.written(writer.source, index, &mut Packer::new(false))?;
            let even = u32::try_from(frame.len().next_multiple_of(2)).unwrap_or(u32::MAX - 1);
            writer.bytes(&ITEM).map_err(unwritten)?;
            writer.bytes(&even.to_le_bytes()).map_err(unwritten)?;
            writer.bytes(&frame).map_err(unwritten)?;
            writer.bytes(if frame.len() % 2 == 1 { &[0] } else { &[] }).map_err(unwritten)?;
        }
        writer.bytes(&SEQUENCE_DELIMITER).map_err(unwritten)
    }

    /// One frame as it is written; of single bits, those that fill bytes.
    fn written(&self, input: &mut (impl Read + Seek), index: usize, packer: &mut Packer) -> Result<Vec<u8>> {
        if let (0, Some(first)) = (index, &self.first) {
            return Ok(first.clone());
        }
        if self.is_raw() {
            let cells = self.cells(input, index)?;
            let by_plane = self.held == Held::Rle || self.source.planar_configuration == 1;
            return if self.wanted == Wanted::Rle { run_lengths(&cells, by_plane, &self.source) } else { Ok(cells) };
        }
        let frame = self.frame(input, index)?;
        let kind = (frame.photometric_interpretation, frame.samples.components(), frame.samples.signed());
        if self.decoded.as_ref().is_some_and(|decoded| *decoded != kind) {
            return damaged(format!("frame {} is of another kind than the first", index + 1));
        }
        let samples = frame.samples;
        match self.wanted {
            Wanted::Codestream => self.codestream(&samples, index),
            Wanted::Rle => run_lengths(&native(&samples, self.becomes.bits_allocated, packer), false, &self.becomes),
            Wanted::Native => Ok(native(&samples, self.becomes.bits_allocated, packer)),
        }
    }

    fn codestream(&self, samples: &Samples, index: usize) -> Result<Vec<u8>> {
        let Some(samples) = samples.with_bits(self.becomes.bits_stored) else {
            return damaged(format!(
                "numbers of frame {} do not fit Bits Stored {}",
                index + 1,
                self.becomes.bits_stored
            ));
        };
        let transformed = self.becomes.photometric_interpretation == "YBR_RCT";
        let codestream = codec::encode_for(self.target, &samples, transformed)?;
        label::check(self.target, &codestream)?;
        Ok(codestream)
    }

    /// The samples of a frame.
    fn frame(&self, input: &mut (impl Read + Seek), index: usize) -> Result<Frame> {
        let d = &self.source;
        if self.held == Held::Native && d.bits_allocated == 1 {
            let samples =
                single_bits(d, &self.stored(input, index)?, (data_set::frame_bits(d) * index as u64 % 8) as usize)?;
            return Ok(Frame { samples, photometric_interpretation: d.photometric_interpretation.clone() });
        }
        // Read into little-endian order already.
        let uid = if self.held == Held::Native { super::EXPLICIT } else { &self.uid };
        decode_frame(uid, d, &self.stored(input, index)?)
    }

    /// The native bytes of a frame, little-endian, colour as Planar Configuration says, but by plane for run lengths out
    /// of run lengths.
    fn cells(&self, input: &mut (impl Read + Seek), index: usize) -> Result<Vec<u8>> {
        let (d, stored) = (&self.source, self.stored(input, index)?);
        let cells = match (self.held, self.uid.ends_with(".8.1")) {
            (Held::Rle, _) => {
                let by_plane = rle::native(d, &stored)?;
                let mixed = self.wanted == Wanted::Native && d.planar_configuration == 0 && d.samples_per_pixel > 1;
                return Ok(match mixed {
                    true => interleaved(&by_plane, d.samples_per_pixel.into(), usize::from(d.bits_allocated / 8)),
                    false => by_plane,
                });
            }
            (Held::Fragments, true) => frames::inflate(d, &stored)?,
            _ => stored,
        };
        let wanted = usize::try_from(data_set::frame_bits(d).div_ceil(8)).unwrap_or(usize::MAX);
        match cells.get(..wanted) {
            Some(cells) => Ok(cells.to_vec()),
            None => damaged(format!("frame {} has {} bytes instead of {wanted}", index + 1, cells.len())),
        }
    }

    /// A frame as it is held, its fragments joined; native words in little-endian order.
    fn stored(&self, input: &mut (impl Read + Seek), index: usize) -> Result<Vec<u8>> {
        let Some(span) = self.spans.get(index) else { return damaged(format!("there is no frame {}", index + 1)) };
        if self.held != Held::Native {
            let bytes = read(input, span.offset, span.length)?;
            return match span.fragments {
                0 | 1 => Ok(bytes),
                _ => joined(&bytes).map_or_else(|| damaged(format!("frame {} is no run of items", index + 1)), Ok),
            };
        }
        let (start, length) = self.value;
        let first = span.offset.saturating_sub(start);
        let from = first / self.word * self.word;
        let end = first.saturating_add(span.length).next_multiple_of(self.word).min(length);
        let mut bytes = read(input, start.saturating_add(from), end.saturating_sub(from))?;
        if self.word == 2 {
            bytes.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
        }
        bytes.drain(..(first - from) as usize);
        bytes.truncate(usize::try_from(span.length).unwrap_or(usize::MAX));
        Ok(bytes)
    }
}

fn run_lengths(cells: &[u8], by_plane: bool, d: &PixelDescription) -> Result<Vec<u8>> {
    let (samples, bytes) = (usize::from(d.samples_per_pixel), usize::from(d.bits_allocated / 8));
    let columns = d.columns.into();
    match by_plane || samples == 1 {
        true => rle::encode(cells, samples, bytes, columns),
        false => rle::encode(&planes(cells, samples, bytes), samples, bytes, columns),
    }
}

/// Numbers as native bytes: the sign goes on above High Bit; single bits are those that the packer lets go.
fn native(samples: &Samples, bits_allocated: u16, packer: &mut Packer) -> Vec<u8> {
    match (samples.values(), bits_allocated) {
        (Values::U8(values), 1) => packer.push(values),
        (Values::U8(values), 8) => values.clone(),
        (Values::U8(values), _) => values.iter().flat_map(|&value| u16::from(value).to_le_bytes()).collect(),
        (Values::U16(values), ..=8) => values.iter().map(|&value| value as u8).collect(),
        (Values::U16(values), _) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        (Values::I16(values), ..=8) => values.iter().map(|&value| value as u8).collect(),
        (Values::I16(values), _) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

fn single_bits(d: &PixelDescription, bytes: &[u8], first: usize) -> Result<Samples> {
    let count = usize::from(d.rows) * usize::from(d.columns);
    let bits = bits::unpack(bytes, first as u64, count, false).unwrap_or_default();
    Samples::new(d.columns.into(), d.rows.into(), 1, 1, Values::U8(bits))
}

/// Colour by pixel to colour by plane.
fn planes(cells: &[u8], samples: usize, bytes: usize) -> Vec<u8> {
    let pixels = |sample: usize| {
        cells.chunks_exact(samples * bytes).flat_map(move |pixel| pixel.iter().skip(sample * bytes).take(bytes))
    };
    (0..samples).flat_map(pixels).copied().collect()
}

/// Colour by plane to colour by pixel.
fn interleaved(planes: &[u8], samples: usize, bytes: usize) -> Vec<u8> {
    let plane = planes.len() / samples.max(1);
    let mut out = vec![0; planes.len()];
    for (sample, plane) in planes.chunks_exact(plane.max(1)).enumerate() {
        for (pixel, cell) in out.chunks_exact_mut(samples * bytes).zip(plane.chunks_exact(bytes)) {
            pixel.iter_mut().skip(sample * bytes).zip(cell).for_each(|(to, from)| *to = *from);
        }
    }
    out
}

/// Bytes of the file. Their number is a claim, so nothing is reserved for them.
fn read(input: &mut (impl Read + Seek), offset: u64, length: u64) -> Result<Vec<u8>> {
    if length > FRAME_BYTES_MAX {
        return Err(Error::TooLarge { what: "bytes of a frame", claimed: length, limit: FRAME_BYTES_MAX });
    }
    let mut bytes = Vec::new();
    input.seek(SeekFrom::Start(offset))?;
    input.take(length).read_to_end(&mut bytes)?;
    match bytes.len() as u64 {
        found if found < length => damaged(format!("{found} of {length} bytes are at byte {offset}")),
        _ => Ok(bytes),
    }
}

fn damaged<T>(detail: String) -> Result<T> {
    Err(Error::Damaged { coder: "DICOM file", detail })
}
