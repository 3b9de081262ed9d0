//! What is encoded comes back: any shape, any legal parameters, every level of instructions, any number of threads; and
//! with loss, within what was asked for.

use htj2k::simd::Level;
use htj2k::{Alone, DecodeOptions, Decoder, EncodeParameters, Encoder, Quality, Shape, Values, measure};
use proptest::prelude::*;

use crate::pictures::{
    Content, EDGE_MAX, Threads, any_content, any_parameters, any_shape, cases, decoded, encoded, picture,
};

fn lossy(shape: &Shape, values: &Values, quality: Quality) -> (usize, htj2k::Measured) {
    let codestream = encoded(shape, values, &EncodeParameters { quality, ..EncodeParameters::default() });
    let back = decoded(shape, &codestream);
    (codestream.len(), measure(shape, values.samples(), back.samples()))
}

/// Largest sum that one coefficient error of a step can make at the picture, over all subbands: the 9/7 synthesis adds a
/// few neighbours of every level, and the step is divided by each subband's norm. Measured, and with a margin.
const STEP_GAIN: f32 = 12.0;

proptest! {
    #![proptest_config(cases(120))]

    /// Every bit comes back, at every level of instructions, and every level writes the same bytes.
    #[test]
    fn a_picture_comes_back(
        shape in any_shape(), content in any_content(), parameters in any_parameters(), seed in any::<u32>(),
    ) {
        let values = picture(&shape, content, seed);
        let first = encoded(&shape, &values, &parameters);
        for level in Level::available() {
            let mut codestream = Vec::new();
            Encoder::with_level(level).encode(&shape, values.samples(), &parameters, &Alone, &mut codestream).unwrap();
            prop_assert!(codestream == first, "{:?} writes other bytes", level);
            let mut back = Values::zeros(&shape);
            let options = DecodeOptions::default();
            let decoded = Decoder::with_level(level).decode(&codestream, &options, &Alone, back.samples_mut()).unwrap();
            prop_assert_eq!((decoded.width, decoded.height), (shape.width, shape.height));
            prop_assert!(back == values, "{:?}", level);
        }
    }

    /// Threads change nothing, and neither does an encoder or decoder that did something else before.
    #[test]
    fn threads_and_use_before_change_nothing(
        shapes in [any_shape(), any_shape(), any_shape()], content in any_content(), parameters in any_parameters(),
        threads in 2..5usize, loses in any::<bool>(),
    ) {
        let quality = if loses { Quality::Step(0.7) } else { Quality::Lossless };
        let parameters = EncodeParameters { quality, ..parameters };
        let (mut encoder, mut decoder) = (Encoder::new(), Decoder::new());
        for shape in shapes {
            let values = picture(&shape, content, 7);
            let alone = encoded(&shape, &values, &parameters);
            let mut codestream = vec![1, 2, 3];
            encoder.encode(&shape, values.samples(), &parameters, &Threads(threads), &mut codestream).unwrap();
            prop_assert!(codestream[3..] == alone[..], "{} threads write other bytes", threads);
            let mut back = Values::zeros(&shape);
            let options = DecodeOptions::default();
            decoder.decode(&alone, &options, &Threads(threads), back.samples_mut()).unwrap();
            prop_assert!(back == decoded(&shape, &alone));
        }
    }
}

proptest! {
    #![proptest_config(cases(24))]

    /// A step brings back every sample within a few steps; the largest error is what was allowed; PSNR and ratio are
    /// reached, or it is said that they cannot be.
    #[test]
    fn loss_stays_within_what_was_asked_for(
        shape in any_shape().prop_filter("room to lose", |shape| shape.bits > 2 && shape.width.max(shape.height) > 4),
        content in any_content(), step in 0.05f32..6.0, error in 1..40u32, decibels in 20.0..70f64,
    ) {
        let values = picture(&shape, content, 11);
        let (_, measured) = lossy(&shape, &values, Quality::Step(step));
        prop_assert!((measured.largest_error as f32) <= 1.0 + step * STEP_GAIN, "{:?} by {}", measured, step);
        let (_, measured) = lossy(&shape, &values, Quality::LargestError(error));
        prop_assert!(measured.largest_error <= error, "{:?}, allowed {}", measured, error);
        let (_, measured) = lossy(&shape, &values, Quality::Psnr(decibels));
        prop_assert!(measured.psnr_db() >= decibels, "{:?} below {}", measured, decibels);
    }
}

#[test]
fn high_coefficients_of_more_than_sixteen_bits_come_back() {
    // Proves that a decoder which begins with 16-bit numbers, since the lowest level is a single one, sees where they end:
    // of a sawtooth as high as 16 bits go every level above has more. Found by fuzzing.
    let edge = |usual| if cfg!(miri) { 9 } else { usual };
    let shape = Shape { width: edge(67), height: edge(97), components: 2, bits: 16, signed: false };
    for (first, step) in [(0xCBCB, 2), (0, 0x7FFF), (0xFFFF, 0x8001)] {
        let number = |at: u64| (first + at * step) as u16;
        let values = Values::U16((0..shape.samples()).map(number).collect());
        for decompositions in 0..=9 {
            let parameters = EncodeParameters { decompositions: Some(decompositions), ..EncodeParameters::default() };
            let codestream = encoded(&shape, &values, &parameters);
            assert!(decoded(&shape, &codestream) == values, "{decompositions} decompositions, {first} and {step}");
        }
    }
}

#[test]
fn a_ratio_is_reached_and_nearly_used_up() {
    let shape = Shape { width: EDGE_MAX, height: EDGE_MAX, components: 1, bits: 12, signed: false };
    let values = picture(&shape, Content::Gradient, 5);
    for ratio in if cfg!(miri) { &[2.0][..] } else { &[4.0, 9.0, 25.0] } {
        let (bytes, _) = lossy(&shape, &values, Quality::Ratio(*ratio));
        let reached = shape.raw_bytes() as f64 / bytes as f64;
        assert!(reached >= *ratio, "{reached} below {ratio}");
    }
}

#[test]
fn what_cannot_be_reached_is_refused_and_nothing_is_appended() {
    let shape = Shape { width: 9, height: 9, components: 1, bits: 8, signed: false };
    let values = picture(&shape, Content::Noise, 1);
    let parameters = EncodeParameters { quality: Quality::Ratio(1e6), ..EncodeParameters::default() };
    let mut out = vec![9];
    let refused = Encoder::new().encode(&shape, values.samples(), &parameters, &Alone, &mut out);
    assert!(matches!(refused, Err(htj2k::Error::BadParameters(_))), "{refused:?}");
    assert_eq!(out, [9]);
}
