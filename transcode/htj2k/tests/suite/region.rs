//! A region is a crop of the whole, at every reduction and every offset.

use htj2k::geometry::Rect;
use htj2k::{DecodeOptions, EncodeParameters, Plane, Quality};
use proptest::prelude::*;

use crate::pictures::{any_content, any_parameters, any_shape, cases, encoded, picture, planes};

fn crop(plane: &Plane, region: Rect) -> Plane {
    let own = Rect { x0: 0, y0: 0, x1: plane.width, y1: plane.height };
    let part = own.intersection(&region);
    let rows = (part.y0..part.y1).flat_map(|y| {
        let start = (y * plane.width + part.x0) as usize;
        plane.samples[start..start + part.width() as usize].iter().copied()
    });
    Plane { width: part.width(), height: part.height(), samples: rows.collect(), ..*plane }
}

proptest! {
    #![proptest_config(cases(80))]

    /// Without loss the region is the crop, sample by sample; with loss within the rounding of a different cut.
    #[test]
    fn a_region_is_a_crop_of_the_whole(
        shape in any_shape(), content in any_content(), parameters in any_parameters(), loses in any::<bool>(),
        place in (0.0..1.0f64, 0.0..1.0f64), size in (1..60u32, 1..60u32), seed in any::<u32>(),
    ) {
        let quality = if loses { Quality::Step(0.6) } else { Quality::Lossless };
        let parameters = EncodeParameters { quality, ..parameters };
        let codestream = encoded(&shape, &picture(&shape, content, seed), &parameters);
        let decompositions = htj2k::Info::read(&codestream).unwrap().decompositions;
        for reduce in 0..=decompositions.min(6) {
            let whole = planes(&codestream, &DecodeOptions { reduce, ..DecodeOptions::default() });
            let at = |edge: u32, place: f64| (f64::from(edge) * place) as u32;
            let (x0, y0) = (at(whole[0].width, place.0), at(whole[0].height, place.1));
            let region = Rect { x0, y0, x1: x0 + size.0, y1: y0 + size.1 };
            let options = DecodeOptions { reduce, region: Some(region), ..DecodeOptions::default() };
            let part = planes(&codestream, &options);
            for (part, whole) in part.iter().zip(&whole) {
                let expected = crop(whole, region);
                prop_assert_eq!((part.width, part.height), (expected.width, expected.height));
                let off = part.samples.iter().zip(&expected.samples).map(|(a, b)| a.abs_diff(*b)).max();
                prop_assert!(off <= Some(u32::from(loses)), "{:?} off at reduction {} of {:?}", off, reduce, region);
            }
        }
    }
}
