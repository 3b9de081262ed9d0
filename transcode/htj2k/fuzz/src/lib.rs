//! What the two fuzz targets do with bytes. The crate's tests replay the kept corpus through the same functions, so
//! that what fuzzing once found stays found without a nightly compiler.

use htj2k::geometry::Rect;
use htj2k::simd::Level;
use htj2k::{
    Alone, DecodeOptions, Decoder, EncodeParameters, Encoder, Info, Order, Plane, Quality, Result, Shape, Values,
    measure,
};

/// Samples of one decoded picture: small, so that executions are many.
const SAMPLES_MAX: u64 = 1 << 18;
/// Bytes before the codestream that choose how to decode it.
const CHOICES: usize = 4;
/// Bytes before the samples that choose the picture and how to encode it.
const PICTURE_CHOICES: usize = 12;
/// Longest edge of a picture that goes there and back. Samples.
const EDGE_MAX: u32 = 160;

/// Four bytes of choices, then a codestream: headers, index and picture; no panic, and every level of instructions
/// gives the same.
pub fn decode(data: &[u8]) {
    let Some((choices, codestream)) = data.split_first_chunk::<CHOICES>() else { return };
    let _ = Info::resolution_ends(codestream);
    let Ok(info) = Info::read(codestream) else { return };
    let [reduce, flags, x, y] = *choices;
    let has = |bit: u8| (flags >> bit) & 1 == 1;
    let (x, y) = (u32::from(x), u32::from(y));
    let options = DecodeOptions {
        reduce: reduce & 7,
        region: has(0).then_some(Rect { x0: x, y0: y, x1: x + 1 + y % 40, y1: y + 1 + x % 40 }),
        prefix: has(1),
        samples_max: SAMPLES_MAX,
    };
    let answer =
        |level: Level| -> Result<Vec<Plane>> { Decoder::with_level(level).decode_planes(codestream, &options, &Alone) };
    let scalar = answer(Level::Scalar);
    if has(2) {
        interleaved(codestream, &info, &options, scalar.as_ref().ok());
    }
    for level in Level::available().skip(1) {
        let other = answer(level);
        match (&scalar, &other) {
            (Ok(scalar), Ok(other)) if info.reversible => assert!(scalar == other, "{level:?} gives another picture"),
            _ => assert_eq!(scalar.is_ok(), other.is_ok(), "{level:?}: {:?} {:?}", scalar.err(), other.err()),
        }
    }
}

/// Interleaved samples are those of the planes.
fn interleaved(codestream: &[u8], info: &Info, options: &DecodeOptions, planes: Option<&Vec<Plane>>) {
    let Some(shape) = info.shape(options).filter(|shape| shape.samples() <= SAMPLES_MAX) else { return };
    let mut values = Values::zeros(&shape);
    let decoded = Decoder::new().decode(codestream, options, &Alone, values.samples_mut());
    let Some(planes) = planes.filter(|_| info.reversible) else { return };
    assert!(decoded.is_ok(), "planes decode and samples do not: {decoded:?}");
    let step = usize::from(shape.components);
    for (component, plane) in planes.iter().enumerate() {
        for (index, &sample) in plane.samples.iter().enumerate() {
            assert_eq!(values.samples().at(index * step + component), sample, "component {component}, sample {index}");
        }
    }
}

/// Twelve bytes of choices, then samples: what is encoded without loss comes back, at every level of instructions, and
/// what is encoded with loss stays near.
pub fn round_trip(data: &[u8]) {
    let Some((choices, bytes)) = data.split_first_chunk::<PICTURE_CHOICES>() else { return };
    let shape = shape(choices);
    let parameters = parameters(choices);
    let mut values = Values::zeros(&shape);
    fill(&shape, bytes, &mut values);
    let mut before: Option<Vec<u8>> = None;
    for level in Level::available() {
        let mut codestream = Vec::new();
        let encoded = Encoder::with_level(level).encode(&shape, values.samples(), &parameters, &Alone, &mut codestream);
        if let Err(error) = encoded {
            // A precinct of one sample has no half in the levels above; an unreachable quality is refused.
            assert!(matches!(error, htj2k::Error::BadParameters(_)), "{error}: {shape:?} {parameters:?}");
            return;
        }
        let mut back = Values::zeros(&shape);
        let decoded =
            Decoder::with_level(level).decode(&codestream, &DecodeOptions::default(), &Alone, back.samples_mut());
        assert!(decoded.is_ok(), "{decoded:?}: {shape:?} {parameters:?}");
        check(&shape, &parameters, &values, &back);
        if parameters.quality == Quality::Lossless {
            let before = before.get_or_insert_with(|| codestream.clone());
            assert!(*before == codestream, "{level:?} writes other bytes: {shape:?} {parameters:?}");
        }
    }
}

fn check(shape: &Shape, parameters: &EncodeParameters, values: &Values, back: &Values) {
    if parameters.quality == Quality::Lossless {
        assert!(values == back, "the picture changed: {shape:?} {parameters:?}");
        return;
    }
    let measured = measure(shape, values.samples(), back.samples());
    if let Quality::LargestError(allowed) = parameters.quality {
        assert!(measured.largest_error <= allowed, "{measured:?}: {shape:?} {parameters:?}");
    }
}

fn shape(choices: &[u8; PICTURE_CHOICES]) -> Shape {
    Shape {
        width: 1 + u32::from(choices[0]) % EDGE_MAX,
        height: 1 + u32::from(choices[1]) % EDGE_MAX,
        components: 1 + (choices[2] & 3),
        bits: 1 + ((choices[2] >> 2) & 15),
        signed: (choices[2] >> 6) & 1 == 1,
    }
}

fn parameters(choices: &[u8; PICTURE_CHOICES]) -> EncodeParameters {
    let has = |bit: u8| (choices[3] >> bit) & 1 == 1;
    let block_width = 2 + choices[4] % 9;
    let precinct = |byte: u8| (byte & 15, byte >> 4);
    EncodeParameters {
        quality: match choices[11] {
            byte @ 0..16 => Quality::Step(f32::from(byte + 1) / 4.0),
            byte @ 16..20 => Quality::LargestError(1 + u32::from(byte)),
            _ => Quality::Lossless,
        },
        decompositions: has(0).then_some(choices[5] % 33),
        block_log2: (block_width, (2 + (choices[4] >> 4) % 9).min(12 - block_width)),
        precincts_log2: if has(1) { choices[6..9].iter().map(|&byte| precinct(byte)).collect() } else { Vec::new() },
        // Tiles are not much smaller than the picture, so that they stay few.
        tile: has(2).then_some((16 + u32::from(choices[9]), 16 + u32::from(choices[10]))),
        order: if has(3) { Order::Lrcp } else { Order::Rpcl },
        tile_part_by_resolution: has(4),
        colour_transform: has(5),
    }
}

/// Samples from bytes, repeated with a slow drift where there are too few.
fn fill(shape: &Shape, bytes: &[u8], values: &mut Values) {
    let (low, high) = shape.range();
    let mask = (high - low) as u32;
    let sample = |index: usize| -> i32 {
        let at = |index: usize| bytes.get(index % bytes.len().max(1)).copied().unwrap_or(0);
        let turn = (2 * index / bytes.len().max(1)) as u32;
        let number = u32::from(at(2 * index)) | (u32::from(at(2 * index + 1)) << 8);
        (number.wrapping_add(turn) & mask) as i32 + low
    };
    match values {
        Values::U8(values) => values.iter_mut().enumerate().for_each(|(index, value)| *value = sample(index) as u8),
        Values::I8(values) => values.iter_mut().enumerate().for_each(|(index, value)| *value = sample(index) as i8),
        Values::U16(values) => values.iter_mut().enumerate().for_each(|(index, value)| *value = sample(index) as u16),
        Values::I16(values) => values.iter_mut().enumerate().for_each(|(index, value)| *value = sample(index) as i16),
    }
}
