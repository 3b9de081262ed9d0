//! Pictures to encode, legal parameters, and workers with threads.

use htj2k::{
    Alone, DecodeOptions, Decoder, EncodeParameters, Encoder, Order, Plane, Quality, SamplesMut, Shape, Values, Workers,
};
use proptest::prelude::*;

/// Longest edge of a picture. Samples.
pub const EDGE_MAX: u32 = if cfg!(miri) { 12 } else { 200 };

/// How many pictures a property looks at.
pub fn cases(usual: u32) -> ProptestConfig {
    let default = ProptestConfig::default();
    let cases = match std::env::var_os("PROPTEST_CASES") {
        Some(_) => default.cases,
        None if cfg!(miri) => 4,
        None => usual,
    };
    ProptestConfig { cases, failure_persistence: None, ..default }
}

/// Scoped threads, as many as it says.
pub struct Threads(pub usize);

impl Workers for Threads {
    fn count(&self) -> usize {
        self.0
    }

    fn run(&self, tasks: usize, task: &(dyn Fn(usize) + Sync)) {
        let next = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..self.0.min(tasks) {
                scope.spawn(|| {
                    loop {
                        let number = next.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
                        if number >= tasks {
                            return;
                        }
                        task(number);
                    }
                });
            }
        });
    }
}

/// What fills a picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Content {
    /// Every number equally often.
    Noise,
    /// One number.
    Flat(u16),
    /// Rising to the right and down, with a little noise.
    Gradient,
    /// The two extremes, at random.
    Extremes,
    /// Nothing but a few numbers.
    Sparse,
}

/// A picture of `shape`.
pub fn picture(shape: &Shape, content: Content, seed: u32) -> Values {
    let (low, high) = shape.range();
    let span = (high - low) as u32;
    let mut state = (u64::from(seed) << 1) | 1;
    let mut random = move || {
        state = state.wrapping_mul(0x5851_F42D_4C95_7F2D).wrapping_add(0x1405_7B7E_F767_814F);
        (state >> 33) as u32
    };
    let (step, width) = (usize::from(shape.components), shape.width as usize);
    let mut number = |index: usize| -> i32 {
        let (pixel, component) = (index / step, index % step);
        let (x, y) = (pixel % width, pixel / width);
        let above = match content {
            Content::Noise => random() & span,
            Content::Flat(value) => u32::from(value) & span,
            Content::Gradient => ((x * 5 + y * 3 + component * 40) as u32 / 2 % (span + 1)) ^ (random() & span.min(1)),
            Content::Extremes => (random() & 1) * span,
            Content::Sparse => u32::from(random() % 97 == 0) * (random() & span),
        };
        low + above as i32
    };
    let mut values = Values::zeros(shape);
    match &mut values {
        Values::U8(values) => values.iter_mut().enumerate().for_each(|(index, value)| *value = number(index) as u8),
        Values::I8(values) => values.iter_mut().enumerate().for_each(|(index, value)| *value = number(index) as i8),
        Values::U16(values) => values.iter_mut().enumerate().for_each(|(index, value)| *value = number(index) as u16),
        Values::I16(values) => values.iter_mut().enumerate().for_each(|(index, value)| *value = number(index) as i16),
    }
    values
}

pub fn any_content() -> impl Strategy<Value = Content> {
    prop_oneof![
        3 => Just(Content::Noise),
        1 => any::<u16>().prop_map(Content::Flat),
        3 => Just(Content::Gradient),
        1 => Just(Content::Extremes),
        1 => Just(Content::Sparse),
    ]
}

/// Single pixels, single rows and columns, and others.
pub fn any_shape() -> impl Strategy<Value = Shape> {
    let edge = || 1..=EDGE_MAX;
    let size = prop_oneof![
        1 => Just((1, 1)),
        1 => edge().prop_map(|width| (width, 1)),
        1 => edge().prop_map(|height| (1, height)),
        5 => (edge(), edge()),
    ];
    (size, 1..=4u8, 1..=16u8, any::<bool>()).prop_map(|((width, height), components, bits, signed)| Shape {
        width,
        height,
        components,
        bits,
        signed,
    })
}

/// Everything legal without loss; tiles and precincts that keep their number small.
pub fn any_parameters() -> impl Strategy<Value = EncodeParameters> {
    let block = (2..=10u8).prop_flat_map(|width| (Just(width), 2..=10u8.min(12 - width)));
    let precinct = || (1..=15u8, 1..=15u8);
    let precincts = prop_oneof![
        2 => Just(Vec::new()),
        1 => proptest::collection::vec(precinct(), 1..4),
        1 => ((0..=15u8, 0..=15u8), precinct()).prop_map(|(lowest, others)| vec![lowest, others]),
    ];
    let tile = proptest::option::weighted(0.3, (EDGE_MAX / 6..EDGE_MAX, EDGE_MAX / 6..EDGE_MAX));
    let decompositions = proptest::option::weighted(0.7, prop_oneof![4 => 0..=7u8, 1 => 8..=32u8]);
    (decompositions, block, precincts, tile, any::<[bool; 3]>()).prop_map(
        |(decompositions, block_log2, precincts_log2, tile, [rpcl, tile_part_by_resolution, colour_transform])| {
            EncodeParameters {
                quality: Quality::Lossless,
                decompositions,
                block_log2,
                precincts_log2,
                tile,
                order: if rpcl { Order::Rpcl } else { Order::Lrcp },
                tile_part_by_resolution,
                colour_transform,
            }
        },
    )
}

/// The codestream of a picture.
pub fn encoded(shape: &Shape, values: &Values, parameters: &EncodeParameters) -> Vec<u8> {
    let mut codestream = Vec::new();
    let done = Encoder::new().encode(shape, values.samples(), parameters, &Alone, &mut codestream);
    done.unwrap_or_else(|error| panic!("{error}: {shape:?} {parameters:?}"));
    codestream
}

/// The picture of a codestream.
pub fn decoded(shape: &Shape, codestream: &[u8]) -> Values {
    let mut values = Values::zeros(shape);
    into(codestream, &DecodeOptions::default(), values.samples_mut());
    values
}

fn into(codestream: &[u8], options: &DecodeOptions, out: SamplesMut<'_>) {
    Decoder::new().decode(codestream, options, &Alone, out).unwrap_or_else(|error| panic!("{error}"));
}

/// The planes of a codestream.
pub fn planes(codestream: &[u8], options: &DecodeOptions) -> Vec<Plane> {
    let decoded = Decoder::new().decode_planes(codestream, options, &Alone);
    decoded.unwrap_or_else(|error| panic!("{error}: {options:?}"))
}
