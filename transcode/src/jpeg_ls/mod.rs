//! JPEG-LS (ITU-T T.87 | ISO/IEC 14495-1), decoding only: lossless and near-lossless, 2 to 16 bits, 1 to 4 components,
//! interleaved not, by line or by sample.
//!
//! Refused, each by name: mapping tables, sub-sampled components, restart intervals, point transforms, and the colour
//! transforms that one vendor added. No image of DICOM is known to have them.

mod bits;
mod parameters;
mod scan;

use self::parameters::{Parameters, Presets};
use self::scan::{Plane, Scan};
use crate::error::{Error, Result};
use crate::samples::{self, Samples, Values};

const SOI: u8 = 0xD8;
const EOI: u8 = 0xD9;
const SOS: u8 = 0xDA;
const DRI: u8 = 0xDD;
const APP8: u8 = 0xE8;
const SOF55: u8 = 0xF7;
const LSE: u8 = 0xF8;

/// The frame header (T.87 C.2.2), checked.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Head {
    precision: u8,
    width: u32,
    height: u32,
    /// Identifiers of the components.
    components: Vec<u8>,
}

/// A scan header (T.87 C.2.3), checked against the frame.
#[derive(Clone, Debug, PartialEq, Eq)]
struct ScanHead {
    /// Places of its components in the frame.
    components: Vec<usize>,
    near: u16,
    /// Components take turns by sample, not by line.
    by_sample: bool,
}

/// Decodes one picture; components come interleaved, whatever the order they were coded in.
///
/// # Errors
/// [`Error::Damaged`] when bytes are missing or are no picture, or of a kind that is refused; [`Error::TooLarge`] when
/// the header claims more than [`SAMPLES_MAX`](crate::SAMPLES_MAX) samples, before anything is allocated for them.
pub(crate) fn decode(bytes: &[u8]) -> Result<Samples> {
    let mut walk = Walk { bytes, at: 0 };
    if walk.marker()? != SOI {
        return damaged("no SOI marker at byte 0");
    }
    let (mut frame, mut presets) = (None, Presets::default());
    loop {
        match walk.marker()? {
            SOF55 if frame.is_none() => frame = Some(Frame::begin(head(walk.segment()?)?)?),
            LSE => presets = presets.read(walk.segment()?)?,
            SOS => {
                let Some(frame) = frame.as_mut() else { return damaged("a scan before the frame header") };
                let scan = frame.scan_head(walk.segment()?)?;
                frame.decode(&scan, &presets, walk.scan())?;
                if let Some(samples) = frame.take_if_complete() {
                    return samples;
                }
            }
            EOI => return damaged("ends before all components were coded"),
            DRI => no_restarts(walk.segment()?)?,
            APP8 => no_colour_transform(walk.segment()?)?,
            // Other application segments, comments.
            0xE0..=0xEF | 0xFE => drop(walk.segment()?),
            other => return damaged(format!("marker FF{other:02X} before byte {}, which is not JPEG-LS", walk.at)),
        }
    }
}

/// Marker segments, one after another.
struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Walk<'a> {
    /// The second byte of the next marker; it may be preceded by fill bytes (T.81 B.1.1.2).
    fn marker(&mut self) -> Result<u8> {
        let mut rest = self.bytes.get(self.at..).unwrap_or_default();
        while let [0xFF, 0xFF, ..] = rest {
            rest = &rest[1..];
        }
        let [0xFF, marker, after @ ..] = rest else {
            return damaged(format!("no marker at byte {}", self.bytes.len() - rest.len()));
        };
        self.at = self.bytes.len() - after.len();
        Ok(*marker)
    }

    /// The segment after a marker, without its length.
    fn segment(&mut self) -> Result<&'a [u8]> {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let segment = rest.split_first_chunk::<2>().and_then(|(length, body)| {
            let length = usize::from(u16::from_be_bytes(*length)).checked_sub(2)?;
            body.get(..length)
        });
        let Some(segment) = segment else { return damaged(format!("ends inside a segment at byte {}", self.at)) };
        self.at += 2 + segment.len();
        Ok(segment)
    }

    /// The coded bytes up to the next marker. T.87 §9.1: a set bit never follows a byte of ones in coded data.
    fn scan(&mut self) -> &'a [u8] {
        let rest = self.bytes.get(self.at..).unwrap_or_default();
        let length = rest.windows(2).position(|two| two[0] == 0xFF && two[1] & 0x80 != 0).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }
}

/// A frame being filled, scan by scan.
struct Frame {
    head: Head,
    /// All samples, interleaved.
    values: Vec<u16>,
    /// Which components are there.
    done: Vec<bool>,
}

impl Frame {
    fn begin(head: Head) -> Result<Frame> {
        let count = samples::count(head.width, head.height, head.components.len() as u8)?;
        Ok(Frame { values: vec![0; count as usize], done: vec![false; head.components.len()], head })
    }

    fn scan_head(&self, segment: &[u8]) -> Result<ScanHead> {
        let (Some((&count, rest)), known) = (segment.split_first(), self.head.components.len()) else {
            return damaged("a scan header without components");
        };
        let pairs = usize::from(count) * 2;
        let (Some(pairs), Some(&[near, interleave, transform])) = (rest.get(..pairs), rest.get(pairs..)) else {
            return damaged("a scan header of a wrong length");
        };
        if transform != 0 {
            return damaged("a point transform, which is not read");
        }
        let mut components = Vec::with_capacity(known);
        for pair in pairs.chunks_exact(2) {
            if pair[1] != 0 {
                return damaged("a mapping table (palette), which is not read");
            }
            let place = self.head.components.iter().position(|id| *id == pair[0]);
            match place.filter(|place| !self.done[*place] && !components.contains(place)) {
                Some(place) => components.push(place),
                None => return damaged(format!("a scan of component {}, which is unknown or there already", pair[0])),
            }
        }
        match (interleave, components.len()) {
            // One component is coded the same way whatever it is said to take turns with.
            (0, 1) | (1 | 2, 1..) => {}
            _ => return damaged(format!("interleave mode {interleave} with {count} components")),
        }
        Ok(ScanHead { by_sample: interleave == 2 && components.len() > 1, components, near: near.into() })
    }

    fn decode(&mut self, head: &ScanHead, presets: &Presets, coded: &[u8]) -> Result<()> {
        let parameters = Parameters::new(self.head.precision, head.near, presets)?;
        let (width, count) = (self.head.width as usize, self.head.components.len());
        let mut planes: Vec<Plane> = head.components.iter().map(|_| Plane::new(width)).collect();
        let mut scan = Scan::new(parameters, coded);
        for row in self.values.chunks_exact_mut(width * count) {
            if head.by_sample {
                scan.line(&mut planes)?;
            } else {
                planes.iter_mut().try_for_each(|plane| scan.line(std::slice::from_mut(plane)))?;
            }
            for (plane, &place) in planes.iter_mut().zip(&head.components) {
                let places = row.iter_mut().skip(place).step_by(count);
                places.zip(plane.finish_line()).for_each(|(to, &from)| *to = from as u16);
            }
        }
        head.components.iter().for_each(|&place| self.done[place] = true);
        Ok(())
    }

    fn take_if_complete(&mut self) -> Option<Result<Samples>> {
        if self.done.contains(&false) {
            return None;
        }
        let (values, Head { precision, width, height, components }) = (std::mem::take(&mut self.values), &self.head);
        let values = match precision {
            ..=8 => Values::U8(values.into_iter().map(|value| value as u8).collect()),
            _ => Values::U16(values),
        };
        Some(Samples::new(*width, *height, components.len() as u8, *precision, values))
    }
}

fn head(segment: &[u8]) -> Result<Head> {
    let [precision @ 2..=16, h1, h0, w1, w0, count @ 1..=4, components @ ..] = segment else {
        return damaged("a frame header without 2 to 16 bits and 1 to 4 components");
    };
    if components.len() != usize::from(*count) * 3 {
        return damaged("a frame header of a wrong length");
    }
    if components.chunks_exact(3).any(|component| component[1] != 0x11) {
        return damaged("sub-sampled components, which are not read");
    }
    let components: Vec<u8> = components.chunks_exact(3).map(|component| component[0]).collect();
    let (height, width) = (u16::from_be_bytes([*h1, *h0]), u16::from_be_bytes([*w1, *w0]));
    Ok(Head { precision: *precision, width: width.into(), height: height.into(), components })
}

fn no_restarts(segment: &[u8]) -> Result<()> {
    if segment.iter().all(|byte| *byte == 0) { Ok(()) } else { damaged("restart intervals, which are not read") }
}

/// HP's `mrfx` segment: differences of colours, from before the standard had a place for them.
fn no_colour_transform(segment: &[u8]) -> Result<()> {
    match segment {
        [b'm', b'r', b'f', b'x', 0, ..] => Ok(()),
        [b'm', b'r', b'f', b'x', ..] => damaged("a colour transform of its maker's own, which is not read"),
        _ => Ok(()),
    }
}

fn damaged<T>(detail: impl Into<String>) -> Result<T> {
    Err(Error::Damaged { coder: "JPEG-LS", detail: detail.into() })
}

#[cfg(test)]
mod tests;
