//! Our own codec behind the seam: HTJ2K with RPCL, lossless.

use std::sync::{Mutex, PoisonError};

use htj2k::geometry::Rect;
use htj2k::{Alone, DecodeOptions, Decoder, EncodeParameters, Encoder, Info, SamplesMut, Shape, Workers};
use rayon::prelude::*;

use super::Header;
use crate::error::{Error, Result};
use crate::samples::{self, SAMPLES_MAX, Samples, Values};

/// A frame of more is worth more than one thread. Samples; 256 x 256 grey.
const SHARED_SAMPLES_MIN: u64 = 1 << 16;

/// Coders keep memory in proportion to the largest frame they had; after one of more samples than this they are let go.
const KEPT_SAMPLES_MAX: u64 = 1 << 24;

/// Coders that nobody uses at the moment, as many as the pool has threads. Not one a thread: a thread that waits for its
/// tasks may be given another frame meanwhile.
struct Idle<T>(Mutex<Vec<T>>);

impl<T: Default> Idle<T> {
    fn with<R>(&self, samples: u64, work: impl FnOnce(&mut T) -> R) -> R {
        let kept = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut coder = kept().pop().unwrap_or_default();
        let answer = work(&mut coder);
        let mut kept = kept();
        if samples <= KEPT_SAMPLES_MAX && kept.len() < rayon::current_num_threads() {
            kept.push(coder);
        }
        answer
    }
}

static ENCODERS: Idle<Encoder> = Idle(Mutex::new(Vec::new()));
static DECODERS: Idle<Decoder> = Idle(Mutex::new(Vec::new()));

/// One tile, the 5/3 wavelet, a tile-part a resolution level (PS3.5 §10.18).
pub(super) fn encode(frame: &Samples) -> Result<Vec<u8>> {
    encode_as(frame, &EncodeParameters::default())
}

/// As the parameters say.
pub(super) fn encode_as(frame: &Samples, parameters: &EncodeParameters) -> Result<Vec<u8>> {
    let (width, height, components) = (frame.width(), frame.height(), frame.components());
    let shape = Shape { width, height, components, bits: frame.bits(), signed: frame.signed() };
    let samples = match frame.values() {
        Values::U8(values) => htj2k::Samples::U8(values),
        Values::U16(values) => htj2k::Samples::U16(values),
        Values::I16(values) => htj2k::Samples::I16(values),
    };
    let (mut out, count) = (Vec::new(), shape.samples());
    let encode = |encoder: &mut Encoder| encoder.encode(&shape, samples, parameters, workers(count), &mut out);
    ENCODERS.with(count, encode).map_err(error)?;
    out.shrink_to_fit();
    Ok(out)
}

/// Everything or nothing. `None` for what is not, or not only, HTJ2K.
pub(super) fn decode(codestream: &[u8], header: &Header) -> Result<Option<Samples>> {
    let options = DecodeOptions { samples_max: SAMPLES_MAX, ..DecodeOptions::default() };
    Ok(decode_as(codestream, header, (header.width, header.height), &options)?.map(|(samples, _)| samples))
}

/// A part of the picture with its edges halved `reduce` times, from a codestream that may end with that resolution level.
pub(super) fn decode_region(codestream: &[u8], header: &Header, reduce: u8, part: Rect) -> Result<Option<Samples>> {
    let decompositions = match Info::read(codestream) {
        Ok(info) => info.decompositions,
        Err(htj2k::Error::NotHighThroughput { .. }) => return Ok(None),
        Err(other) => return Err(error(other)),
    };
    let options = DecodeOptions { reduce, region: Some(part), prefix: true, samples_max: SAMPLES_MAX };
    let Some((samples, complete)) = decode_as(codestream, header, (part.width(), part.height()), &options)? else {
        return Ok(None);
    };
    if complete + reduce <= decompositions {
        let detail = format!("{complete} of {} resolution levels are there", decompositions + 1 - reduce);
        return Err(Error::Damaged { coder: "HTJ2K codestream", detail });
    }
    Ok(Some(samples))
}

/// Decompositions of every component; 0 for what is not HTJ2K.
pub(super) fn reductions(head: &[u8]) -> u8 {
    Info::read(head).map_or(0, |info| info.decompositions)
}

/// So many columns and rows, and how many resolution levels were whole.
fn decode_as(
    codestream: &[u8],
    header: &Header,
    (width, height): (u32, u32),
    options: &DecodeOptions,
) -> Result<Option<(Samples, u8)>> {
    let &Header { components, bits, signed, .. } = header;
    let count = samples::count(width, height, components)?;
    let mut values = match (signed, bits) {
        (true, _) => Values::I16(vec![0; count as usize]),
        (false, ..=8) => Values::U8(vec![0; count as usize]),
        (false, _) => Values::U16(vec![0; count as usize]),
    };
    let out = match &mut values {
        Values::U8(values) => SamplesMut::U8(values),
        Values::U16(values) => SamplesMut::U16(values),
        Values::I16(values) => SamplesMut::I16(values),
    };
    match DECODERS.with(count, |decoder: &mut Decoder| decoder.decode(codestream, options, workers(count), out)) {
        Ok(decoded) => {
            let samples = Samples::new(width, height, components, bits, values)?;
            Ok(Some((samples, decoded.complete_resolutions)))
        }
        Err(htj2k::Error::NotHighThroughput { .. }) => Ok(None),
        Err(other) => Err(error(other)),
    }
}

/// Byte ends of the resolution levels; none where the codestream is not HTJ2K in an order that has them.
pub(super) fn resolution_ends(codestream: &[u8]) -> Vec<u64> {
    let ends = Info::resolution_ends(codestream).unwrap_or_default();
    ends.into_iter().map(|end| end as u64).collect()
}

fn workers(samples: u64) -> &'static dyn Workers {
    if samples >= SHARED_SAMPLES_MIN { &Rayon } else { &Alone }
}

/// The pool that the calling thread belongs to.
struct Rayon;

impl Workers for Rayon {
    fn count(&self) -> usize {
        rayon::current_num_threads()
    }

    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        (0..tasks).into_par_iter().with_max_len(1).for_each(task);
    }
}

fn error(error: htj2k::Error) -> Error {
    match error {
        htj2k::Error::TooLarge { what, claimed, limit } => Error::TooLarge { what, claimed, limit },
        other => Error::Damaged { coder: "HTJ2K codestream", detail: other.to_string() },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codec::resolution_ends;

    /// The picture that some bytes hold, with so many of the highest levels left out.
    fn reduced(codestream: &[u8], reduce: u8, prefix: bool) -> Vec<u16> {
        let options = DecodeOptions { reduce, prefix, ..DecodeOptions::default() };
        let shape = Info::read(codestream).unwrap().shape(&options).unwrap();
        let mut values = vec![0; shape.samples() as usize];
        let decoded = Decoder::new().decode(codestream, &options, &Alone, SamplesMut::U16(&mut values)).unwrap();
        assert_eq!((decoded.width, decoded.height), (shape.width, shape.height));
        values
    }

    /// Proves that the bytes up to the end of a level are the picture at that level, of all levels.
    #[test]
    fn a_prefix_up_to_the_end_of_a_level_is_a_smaller_picture() {
        let values: Vec<u16> = (0..300u32 * 200).map(|n| ((n * n) >> 7) as u16 & 0xFFF).collect();
        let frame = Samples::new(300, 200, 1, 12, Values::U16(values.clone())).unwrap();
        let codestream = encode(&frame).unwrap();
        let ends = resolution_ends(&codestream);
        assert_eq!(ends.len(), 4, "300 by three halvings is below 64");
        for (&end, reduce) in ends.iter().zip((0..4).rev()) {
            let whole = reduced(&codestream, reduce, false);
            assert_eq!(reduced(&codestream[..end as usize], reduce, true), whole, "{reduce} levels left out");
        }
        assert_eq!(reduced(&codestream, 0, false), values);
    }

    /// Proves that frames at once, large ones among them, on a pool whose threads wait for each other's tasks, come back.
    #[test]
    fn large_frames_beside_small_ones_share_the_pool() {
        let frame = |n: u32| {
            let edge = if n.is_multiple_of(3) { 300 } else { 40 };
            let values = (0..edge * edge).map(|at| (at * (n + 3)) as u8).collect();
            Samples::new(edge, edge, 1, 8, Values::U8(values)).unwrap()
        };
        (0..64u32).into_par_iter().for_each(|n| {
            let frame = frame(n);
            let codestream = encode(&frame).unwrap();
            let header = Header::read(&codestream).unwrap();
            assert!(decode(&codestream, &header).unwrap().unwrap() == frame, "frame {n}");
        });
    }
}
