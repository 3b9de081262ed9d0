//! A Part 10 file as it is held, in the transfer syntax that someone asks for.
//!
//! As little is done as will do: the file as it is; or another name over the same frames (a codestream of .202 is one of .201);
//! or another Value Representation; and only then frames that are decoded and coded again, one at a time, so that memory does
//! not grow with the file. It is no derivation (PS3.3 C.7.6.1.1.5): the UID stays, pixels come out with the numbers that went
//! in. What was once compressed with loss goes on saying so, also where its source forgot to.
//!
//! What comes out: of lossy JPEG of luminance and chrominance RGB; of YBR_RCT and YBR_ICT natively RGB; of YBR_FULL_422 as
//! codestreams or run lengths YBR_FULL; of RGB as codestreams YBR_RCT. Colour by pixel then (Planar Configuration 0), but for
//! run lengths. Codestreams are written without offset tables, since their lengths are not known when the header goes out;
//! each frame is one fragment (PS3.5 §A.4).
//!
//! Source: PS3.5 §8.2, §10, Annex A, Annex G.

mod changes;
mod pixels;
#[cfg(test)]
mod tests;

use std::fmt;
use std::io::{self, Cursor, Read, Seek, SeekFrom, Write};

use flate2::Compression;
use flate2::write::DeflateEncoder;

use self::changes::Elements;
use self::pixels::Pixels;
use crate::data_set::writer::{Writer, pieces};
use crate::data_set::{self, Element, Encoding, Limits, Part10, Preamble, Tag, VR, Value, rewrite};
use crate::data_set::{
    DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN as DEFLATED, EXPLICIT_VR_LITTLE_ENDIAN as EXPLICIT,
    IMPLICIT_VR_LITTLE_ENDIAN as IMPLICIT,
};
use crate::error::{Error, Result};

const RLE: &str = "1.2.840.10008.1.2.5";
const PIXEL_DATA: Tag = Tag(0x7FE0, 0x0010);

/// Every transfer syntax that is written: native ones, then run lengths and codestreams, all of them without loss.
pub const TARGETS: [&str; 9] = [
    EXPLICIT,
    IMPLICIT,
    DEFLATED,
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    RLE,
];

/// Frames of one transfer syntax that are as they stand frames of another: each promises less than the one before it.
const SAME_FRAMES: [(&str, &str); 5] = [
    ("1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.201"),
    ("1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"),
    ("1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.203"),
    ("1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"),
    ("1.2.840.10008.1.2.4.70", "1.2.840.10008.1.2.4.57"),
];

/// Whether files of the transfer syntax `held` can be written in `target`, as far as the two names tell. What can still
/// stand against it is the file: float pixels have no codestream, twelve-bit lossy JPEG is not decoded. [`Outgoing::open`]
/// says so before anything is written.
pub fn can_become(held: &str, target: &str) -> bool {
    let (held, target) = (trimmed(held), trimmed(target));
    held == target || SAME_FRAMES.contains(&(held, target)) || (is_read(held) && TARGETS.contains(&target))
}

/// Writes a Part 10 file in another transfer syntax, or, if it has that already, as it is.
///
/// # Errors
/// Those of [`Outgoing::open`], before anything is written; a later frame that cannot be decoded, and [`Error::Io`].
pub fn write_as(input: &mut (impl Read + Seek), target: &str, limits: &Limits, out: &mut impl Write) -> Result<()> {
    Outgoing::open(input, target, limits)?.write(out)
}

/// Transfer syntaxes whose frames [`decode_frame`](crate::decode_frame) reads.
fn is_read(uid: &str) -> bool {
    let Some(short) = uid.strip_prefix(IMPLICIT) else { return false };
    let native = matches!(short, "" | ".1" | ".1.98" | ".1.99" | ".2" | ".5" | ".8.1");
    let jpeg = matches!(short, ".4.50" | ".4.51" | ".4.57" | ".4.70" | ".4.80" | ".4.81");
    native || jpeg || matches!(short, ".4.90" | ".4.91" | ".4.201" | ".4.202" | ".4.203")
}

fn is_native(uid: &str) -> bool {
    [IMPLICIT, EXPLICIT, DEFLATED].contains(&uid)
}

fn trimmed(uid: &str) -> &str {
    uid.trim_end_matches(['\0', ' '])
}

/// A file that has been looked at, and how it will be written.
pub struct Outgoing<R> {
    input: Bytes<R>,
    part10: Part10,
    target: &'static str,
    plan: Plan,
}

/// How the Data Set comes to be in the transfer syntax.
enum Plan {
    /// Byte for byte.
    AsHeld,
    /// A new File Meta Information, and all else byte for byte.
    Renamed,
    /// Elements written anew, native pixels or none among them.
    Rewritten,
    /// Elements written anew, and every frame.
    Frames(Box<Pixels>, Elements),
}

impl<R> fmt::Debug for Outgoing<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Outgoing").field("target", &self.target).finish_non_exhaustive()
    }
}

impl<R: Read + Seek> Outgoing<R> {
    /// Looks at a file, and at its first frame where frames are to be decoded.
    ///
    /// # Errors
    /// [`Error::Unsupported`] for what cannot be written in that transfer syntax; [`Error::NoPixels`] for a file without
    /// pixels of which codestreams are wanted; [`Error::Damaged`] for what is no DICOM or cannot be decoded;
    /// [`Error::TooLarge`] where native pixels would take 4 GiB.
    pub fn open(mut input: R, target: &str, limits: &Limits) -> Result<Outgoing<R>> {
        let part10 = data_set::scan(&mut input, limits).map_err(unreadable)?;
        let held = trimmed(&part10.transfer_syntax_uid).to_owned();
        let target = trimmed(target);
        if held == target && is_whole(&part10) {
            return Ok(Outgoing { input: Bytes::File(input), part10, target: "", plan: Plan::AsHeld });
        }
        let Some(target) = named(&held, target) else {
            return refused(&held, format!("a file to be written as {target}"));
        };
        if (held == target || SAME_FRAMES.contains(&(&held, target))) && is_explicit_and_whole(&part10) {
            return Ok(Outgoing { input: Bytes::File(input), part10, target, plan: Plan::Renamed });
        }
        let mut input = Bytes::of(input, &part10, limits)?;
        let plan = plan(&part10, &mut input, &held, target)?;
        Ok(Outgoing { input, part10, target, plan })
    }

    /// Transfer Syntax UID of what [`Outgoing::write`] writes.
    pub fn transfer_syntax_uid(&self) -> &str {
        if self.target.is_empty() { trimmed(&self.part10.transfer_syntax_uid) } else { self.target }
    }

    /// Writes the file.
    ///
    /// # Errors
    /// [`Error::Damaged`] and the like when a frame after the first cannot be decoded; [`Error::Io`]. What was written
    /// until then is no whole file.
    pub fn write(mut self, out: &mut impl Write) -> Result<()> {
        match &self.plan {
            Plan::AsHeld => copied(&mut self.input, 0, out),
            Plan::Renamed => {
                out.write_all(&rewrite::meta(&self.part10, self.target))?;
                copied(&mut self.input, self.part10.data_set_offset, out)
            }
            _ => {
                out.write_all(&rewrite::meta(&self.part10, self.target))?;
                self.data_set(out)
            }
        }
    }

    /// Writes the value of Pixel Data alone, as native Pixel Data has it; nothing where there is none. For what was opened for
    /// a native transfer syntax.
    ///
    /// # Errors
    /// Those of [`Outgoing::write`]; [`Error::Unsupported`] for what was opened for codestreams.
    pub fn write_pixel_data(mut self, out: &mut impl Write) -> Result<()> {
        if !self.target.is_empty() && !is_native(self.target) {
            return refused(self.target, "Pixel Data alone".into());
        }
        let mut writer = Writer {
            out: out as &mut dyn Write,
            source: &mut self.input,
            implicit: false,
            encapsulated_icons: false,
            written: 0,
            bytes_max: u64::MAX,
        };
        match (&self.plan, self.part10.data_set.get(PIXEL_DATA)) {
            (Plan::Frames(frames, _), _) => frames.write_native_value(&mut writer),
            (_, Some(pixels)) => native_value(&mut writer, pixels),
            _ => Ok(()),
        }
    }

    fn data_set(self, out: &mut dyn Write) -> Result<()> {
        if self.target != DEFLATED {
            return self.elements(out);
        }
        let mut deflating = DeflateEncoder::new(Counted { out, bytes: 0 }, Compression::default());
        self.elements(&mut deflating)?;
        let mut counted = deflating.finish()?;
        // PS3.5 §A.5: an odd stream gets a NUL.
        let odd = counted.bytes % 2 == 1;
        Ok(counted.write_all(if odd { &[0] } else { &[] })?)
    }

    fn elements(mut self, out: &mut dyn Write) -> Result<()> {
        let native = is_native(self.target);
        let none = Elements::new();
        let changes = if let Plan::Frames(_, changes) = &self.plan { changes } else { &none };
        let pixels = self.part10.data_set.get(PIXEL_DATA);
        let mut writer = Writer {
            out,
            source: &mut self.input,
            implicit: self.target == IMPLICIT,
            encapsulated_icons: !native && self.target == trimmed(&self.part10.transfer_syntax_uid),
            written: 0,
            bytes_max: u64::MAX,
        };
        let pieces = pieces(&self.part10, changes);
        for (_, piece) in pieces.range(..PIXEL_DATA) {
            writer.piece(piece).map_err(unwritten)?;
        }
        match (&self.plan, pixels) {
            (Plan::Frames(frames, _), _) => frames.write(&mut writer)?,
            (_, Some(pixels)) => native_pixels(&mut writer, &self.part10, pixels)?,
            _ => {}
        }
        for (_, piece) in pieces.range(PIXEL_DATA..) {
            writer.piece(piece).map_err(unwritten)?;
        }
        Ok(())
    }
}

/// Native Pixel Data as it is, but for the order of bytes in its words.
fn native_pixels<R: Read + Seek>(
    writer: &mut Writer<R, dyn Write + '_>,
    part10: &Part10,
    pixels: &Element,
) -> Result<()> {
    let allocated = data_set::pixel_description(&part10.data_set).map_or(16, |d| d.bits_allocated);
    let length = u32::try_from(pixels.value_length.next_multiple_of(2)).unwrap_or(u32::MAX - 1);
    writer.head(PIXEL_DATA, native_vr(allocated), length).map_err(unwritten)?;
    native_value(writer, pixels)
}

fn native_value<R: Read + Seek>(writer: &mut Writer<R, dyn Write + '_>, pixels: &Element) -> Result<()> {
    writer.copied(pixels).map_err(unwritten)?;
    writer.bytes(if pixels.value_length % 2 == 1 { &[0] } else { &[] }).map_err(unwritten)
}

/// PS3.5 §A.2: more than 8 bits allocated are OW; of others, both VRs are good.
fn native_vr(bits_allocated: u16) -> VR {
    if bits_allocated > 8 { VR::OW } else { VR::OB }
}

fn plan(part10: &Part10, input: &mut (impl Read + Seek), held: &str, target: &'static str) -> Result<Plan> {
    let pixels = part10.data_set.get(PIXEL_DATA);
    let encapsulated = pixels.is_some_and(|pixels| matches!(pixels.value, Value::Fragments(_)));
    let float = [Tag(0x7FE0, 0x0008), Tag(0x7FE0, 0x0009)].iter().any(|tag| part10.data_set.get(*tag).is_some());
    match (is_native(target), pixels) {
        (true, _) if !encapsulated => Ok(Plan::Rewritten),
        // PS3.3 C.7.6.24, C.7.6.25.
        (false, _) if float => refused(held, "float pixels".into()),
        (false, None) => Err(Error::NoPixels),
        _ => {
            let pixels = Pixels::open(part10, input, held, target)?;
            let changes = changes::elements(part10, &pixels);
            Ok(Plan::Frames(Box::new(pixels), changes))
        }
    }
}

/// Whether the file can go out as it is: it has everything that PS3.10 §7.1 wants and is what it says.
fn is_whole(part10: &Part10) -> bool {
    part10.preamble != Preamble::Absent
        && part10.transfer_syntax_given
        && (part10.deflated || part10.encoding == Encoding::of(trimmed(&part10.transfer_syntax_uid)))
}

/// Whether all but the File Meta Information can stay: elements are as an encapsulated transfer syntax has them.
fn is_explicit_and_whole(part10: &Part10) -> bool {
    let pixels = part10.data_set.get(PIXEL_DATA);
    let encapsulated = pixels.is_some_and(|pixels| matches!(pixels.value, Value::Fragments(_)));
    encapsulated && !part10.deflated && part10.encoding == Encoding::ExplicitLittle
}

/// The target by its own name, where it is one.
fn named(held: &str, target: &str) -> Option<&'static str> {
    let again = SAME_FRAMES.into_iter().find(|pair| *pair == (held, target)).map(|(_, target)| target);
    let known = TARGETS.into_iter().find(|known| *known == target);
    again.or(known.filter(|_| is_read(held)))
}

fn refused<T>(held: &str, what: String) -> Result<T> {
    let next_step = "ask for the transfer syntax in which it is held";
    Err(Error::Unsupported { transfer_syntax: held.into(), what, next_step })
}

fn unreadable(error: data_set::Error) -> Error {
    Error::Damaged { coder: "DICOM file", detail: error.to_string() }
}

/// While writing, an input or output error is most often one of the output.
fn unwritten(error: data_set::Error) -> Error {
    match error {
        data_set::Error::Io(error) => Error::Io(error),
        other => unreadable(other),
    }
}

fn copied(input: &mut (impl Read + Seek), from: u64, out: &mut impl Write) -> Result<()> {
    input.seek(SeekFrom::Start(from))?;
    io::copy(input, out)?;
    Ok(())
}

/// The bytes that the offsets of a scan are of.
enum Bytes<R> {
    File(R),
    Inflated(Cursor<Vec<u8>>),
}

impl<R: Read + Seek> Bytes<R> {
    fn of(mut input: R, part10: &Part10, limits: &Limits) -> Result<Bytes<R>> {
        match part10.deflated {
            true => data_set::inflate(part10, &mut input, limits)
                .map_err(unreadable)
                .map(|it| Bytes::Inflated(Cursor::new(it))),
            false => Ok(Bytes::File(input)),
        }
    }
}

impl<R: Read> Read for Bytes<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self {
            Bytes::File(file) => file.read(into),
            Bytes::Inflated(bytes) => bytes.read(into),
        }
    }
}

impl<R: Seek> Seek for Bytes<R> {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        match self {
            Bytes::File(file) => file.seek(to),
            Bytes::Inflated(bytes) => bytes.seek(to),
        }
    }
}

struct Counted<'a> {
    out: &'a mut dyn Write,
    bytes: u64,
}

impl Write for Counted<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let written = self.out.write(bytes)?;
        self.bytes += written as u64;
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.out.flush()
    }
}
