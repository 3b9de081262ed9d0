//! A prefix is a smaller picture: cut where a resolution level ends it decodes to what the whole decodes to without the
//! levels above; cut anywhere, it gives a picture when a prefix is allowed, an error when not, and never a panic.

use htj2k::{Alone, DecodeOptions, Decoder, EncodeParameters, Info, Order, Quality};
use proptest::prelude::*;

use crate::pictures::{any_content, any_parameters, any_shape, cases, encoded, picture, planes};

fn options(reduce: u8, prefix: bool) -> DecodeOptions {
    DecodeOptions { reduce, prefix, ..DecodeOptions::default() }
}

proptest! {
    #![proptest_config(cases(60))]

    /// Each level of a stream in order of resolution stands alone.
    #[test]
    fn a_prefix_to_the_end_of_a_level_is_that_level(
        shape in any_shape(), content in any_content(), parameters in any_parameters(), loses in any::<bool>(),
    ) {
        let quality = if loses { Quality::Step(0.4) } else { Quality::Lossless };
        let parameters = EncodeParameters { order: Order::Rpcl, tile: None, quality, ..parameters };
        let codestream = encoded(&shape, &picture(&shape, content, 3), &parameters);
        let ends = Info::resolution_ends(&codestream).unwrap();
        let info = Info::read(&codestream).unwrap();
        prop_assert_eq!(ends.len(), usize::from(info.decompositions) + 1);
        prop_assert!(ends.is_sorted() && *ends.last().unwrap() <= codestream.len());
        for (level, &end) in ends.iter().enumerate() {
            let reduce = info.decompositions - level as u8;
            let whole = planes(&codestream, &options(reduce, false));
            let prefix = planes(&codestream[..end], &options(reduce, true));
            prop_assert!(whole == prefix, "level {} of {}", level, ends.len());
            // The index of a prefix ends where the prefix does.
            prop_assert_eq!(&Info::resolution_ends(&codestream[..end]).unwrap()[..], &ends[..=level]);
        }
    }

    /// A cut anywhere.
    #[test]
    fn a_cut_gives_a_picture_or_an_error_as_was_asked(
        shape in any_shape(), content in any_content(), parameters in any_parameters(), place in 0.0..1.0f64,
    ) {
        let codestream = encoded(&shape, &picture(&shape, content, 3), &parameters);
        let end = (codestream.len() as f64 * place) as usize;
        let cut = &codestream[..end];
        let strict = Decoder::new().decode_planes(cut, &options(0, false), &Alone);
        prop_assert!(strict.is_err(), "{} of {} bytes are taken for the whole", end, codestream.len());
        let _ = Info::resolution_ends(cut);
        let lenient = Decoder::new().decode_planes(cut, &options(0, true), &Alone);
        // Before the first tile-part there is nothing to show.
        let first = codestream.windows(2).position(|marker| marker == [0xFF, 0x90]).unwrap();
        if end > first + 14 {
            let planes = lenient.unwrap();
            prop_assert_eq!((planes[0].width, planes[0].height), (shape.width, shape.height));
        }
    }
}

#[test]
fn what_is_complete_is_counted() {
    // Proves that a prefix says how many resolution levels it has, on the very byte.
    let shape = htj2k::Shape { width: 100, height: 70, components: 1, bits: 12, signed: false };
    let parameters = EncodeParameters { decompositions: Some(3), ..EncodeParameters::default() };
    let codestream = encoded(&shape, &picture(&shape, crate::pictures::Content::Noise, 2), &parameters);
    let ends = Info::resolution_ends(&codestream).unwrap();
    let complete = |end: usize| {
        let mut values = htj2k::Values::zeros(&shape);
        let decoded = Decoder::new().decode(&codestream[..end], &options(0, true), &Alone, values.samples_mut());
        usize::from(decoded.unwrap().complete_resolutions)
    };
    for (level, &end) in ends.iter().enumerate() {
        assert_eq!((complete(end - 1), complete(end)), (level, level + 1), "{end} of {ends:?}");
    }
}

#[test]
fn a_step_finer_than_magnitudes_can_tell_is_not_taken() {
    // Proves that what is encoded can be decoded, however deep the decomposition and fine the step: found by the property above.
    let shape = htj2k::Shape { width: 2, height: 2, components: 1, bits: 1, signed: false };
    let flat = picture(&shape, crate::pictures::Content::Flat(0), 3);
    for (decompositions, step) in [(20, 1e-6), (24, 0.01), (29, 0.4), (32, 1.0), (32, 1e-6)] {
        let parameters = EncodeParameters {
            decompositions: Some(decompositions),
            quality: Quality::Step(step),
            ..EncodeParameters::default()
        };
        let codestream = encoded(&shape, &flat, &parameters);
        let plane = &planes(&codestream, &options(0, false))[0];
        assert!(
            plane.samples.iter().all(|&value| value == 0),
            "{decompositions} decompositions, step {step}: {plane:?}"
        );
    }
}
