//! Projection radiographs: chest (DX, CR) and upper gastrointestinal barium studies (RF).
//!
//! A field holds what the rays crossed (0 air … 1 the thickest part), shown as presentation values.

use std::sync::Arc;

use crate::field::{Ellipse, Field, Sensor};
use crate::image::Grey;
use crate::noise::{Random, mix};
use crate::study::{Job, Series, Study};
use crate::tags;
use crate::writer::{DataSet, Value};

const DX_FOR_PRESENTATION: &str = "1.2.840.10008.5.1.4.1.1.1.1";
const CR_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.1";
const RF_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.12.2";

/// Detectors: rows, columns, bits stored, spacing in mm, noise in grey levels. Noise as measured on
/// real frames, see the crate's table of ratios.
const DETECTORS: [(usize, usize, u16, f32, f32); 5] = [
    (2140, 1760, 10, 0.2, 1.7),
    (2320, 2828, 12, 0.15, 3.0),
    (2832, 2832, 12, 0.15, 3.4),
    (2688, 2208, 14, 0.16, 7.0),
    (2430, 1994, 12, 0.175, 3.2),
];

/// One frontal image; every fifth study has a lateral one too.
pub(crate) fn chest(study: &Study) -> Vec<Job> {
    let mut random = study.random(10);
    let detector = *random.pick(&DETECTORS);
    let computed = detector.2 == 10;
    let inverted = random.chance(0.25);
    let as_jpeg = random.chance(0.35);
    let views: &[&'static str] = if random.chance(0.2) { &["PA", "LL"] } else { &["PA"] };
    let series = Arc::new(Series {
        number: 1,
        modality: if computed { "CR" } else { "DX" },
        description: ("胸部正面", "CHEST PA"),
        body_part: "CHEST",
        maker: ("Kasumi Imaging", if computed { "KX Plate 10" } else { "KX Panel 17" }),
    });
    let job = |(index, view): (usize, &&'static str)| {
        let (number, view) = (index as u32 + 1, *view);
        let make = move |study: &Study, set: &mut DataSet| {
            let seed = mix(study.seed, 20 + u64::from(number));
            let (rows, columns, stored, spacing, noise) = detector;
            let (rows, columns) = (study.pixels(rows), study.pixels(columns));
            describe_projection(set, view, spacing, stored);
            let greatest = (1i32 << stored) - 1;
            let mut field = chest_field(&mut Random::new(seed), columns / 4, rows / 4, view == "LL");
            if inverted {
                field.map(|value| 1.0 - value);
            }
            field.map(|value| value * greatest as f32);
            let slope = if inverted { -0.6 } else { 0.6 } * noise / greatest as f32;
            let noise = if inverted { 1.3 * noise } else { 0.7 * noise };
            let sensor = Sensor { rows, columns, noise, noise_slope: slope, correlation: 0.2, least: 0, greatest };
            let photometric = if inverted { "MONOCHROME1" } else { "MONOCHROME2" };
            let grey = Grey { rows, columns, stored, signed: false, photometric };
            let words = sensor.expose(&field, seed);
            if as_jpeg { grey.put_jpeg_lossless(set, &words) } else { grey.put(study, set, words) }
        };
        let sop_class = if computed { CR_IMAGE } else { DX_FOR_PRESENTATION };
        Job { series: series.clone(), sop_class, number, make: Box::new(make) }
    };
    views.iter().enumerate().map(job).collect()
}

fn describe_projection(set: &mut DataSet, view: &str, spacing: f32, stored: u16) {
    let middle = 1u32 << (stored - 1);
    set.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY").text(tags::PRESENTATION_INTENT_TYPE, "FOR PRESENTATION");
    set.text(tags::VIEW_POSITION, view).text(tags::KVP, "120").text(tags::EXPOSURE, "2");
    set.text(tags::IMAGER_PIXEL_SPACING, format!("{spacing}\\{spacing}"));
    set.text(tags::PIXEL_SPACING, format!("{spacing}\\{spacing}"));
    set.text(tags::PATIENT_ORIENTATION, if view == "LL" { "A\\F" } else { "L\\F" });
    set.text(tags::IMAGE_LATERALITY, "U").text(tags::BURNED_IN_ANNOTATION, "NO");
    set.text(tags::DETECTOR_TYPE, "SCINTILLATOR").text(tags::DISTANCE_SOURCE_TO_DETECTOR, "1800");
    set.text(tags::WINDOW_CENTER, middle.to_string()).text(tags::WINDOW_WIDTH, (middle * 3 / 2).to_string());
    set.text(tags::RESCALE_INTERCEPT, "0").text(tags::RESCALE_SLOPE, "1").text(tags::RESCALE_TYPE, "US");
    set.text(tags::PRESENTATION_LUT_SHAPE, "IDENTITY").text(tags::LOSSY_IMAGE_COMPRESSION, "00");
    set.text(tags::PIXEL_INTENSITY_RELATIONSHIP, "LOG");
    set.put(tags::PIXEL_INTENSITY_RELATIONSHIP_SIGN, Value::Plain(2, (-1i16).to_le_bytes().to_vec()));
    set.items(tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new());
}

/// A thorax in 0..1.
fn chest_field(random: &mut Random, width: usize, height: usize, lateral: bool) -> Field {
    let mut field = Field::new(width, height, 0.03);
    let tilt = random.range(-0.03, 0.03);
    field.add(Ellipse::new(0.5, 0.66, 0.47, 0.62).edge(0.05), 0.42);
    field.add_dome(Ellipse::new(0.5, 0.7, 0.46, 0.7), 0.2);
    field.add(Ellipse::new(0.5, 0.0, 0.13, 0.2).edge(0.2), 0.38);
    if lateral {
        lateral_organs(&mut field, random)
    } else {
        frontal_organs(&mut field, random, tilt)
    }
    field.clouds(random, 24.0, 4, 0.008);
    let exposed = 0.98;
    field.map(|value| value.clamp(0.0, exposed));
    // A lead letter at the edge.
    field.set(Ellipse::new(0.08, 0.06, 0.012, 0.02).edge(0.1), 1.0);
    field
}

fn frontal_organs(field: &mut Field, random: &mut Random, tilt: f32) {
    for (side, x) in [(-1.0, 0.29), (1.0, 0.71)] {
        field.add(Ellipse::new(x, 0.45, 0.155, 0.34).tilted(side * 0.1 + tilt).edge(0.22), -0.34);
    }
    field.add(Ellipse::new(0.5, 0.5, 0.045, 0.5).edge(0.3), 0.18);
    field.add_dome(Ellipse::new(0.55, 0.6, random.range(0.13, 0.17), 0.14).tilted(0.5), 0.26);
    field.add(Ellipse::new(0.57, 0.36, 0.035, 0.045).edge(0.4), 0.1);
    field.add(Ellipse::new(0.3, 0.9, 0.22, 0.16).edge(0.08), 0.16);
    field.add(Ellipse::new(0.72, 0.93, 0.2, 0.16).edge(0.08), 0.12);
    for (x, angle) in [(0.42, 2.9), (0.58, 0.24)] {
        for turn in [-0.9, -0.4, 0.0, 0.4, 0.9] {
            field.branch(random, (x, 0.47), angle + turn, 0.1, (0.012, 0.07));
        }
    }
    for rib in 0..9 {
        let y = 0.17 + 0.075 * rib as f32;
        for side in [-1.0f32, 1.0] {
            let at = |t: f32| (0.5 + side * (0.05 + 0.34 * t), y + 0.11 * t * t - 0.05 * (t * 3.1).sin());
            let path: Vec<_> = (0..=12).map(|i| at(i as f32 / 12.0)).collect();
            field.stroke(&path, 0.014, 0.8, 0.07);
        }
    }
    for side in [-1.0f32, 1.0] {
        let path: Vec<_> =
            (0..=8).map(|i| i as f32 / 8.0).map(|t| (0.5 + side * (0.04 + 0.3 * t), 0.16 - 0.06 * t)).collect();
        field.stroke(&path, 0.022, 1.1, 0.09);
    }
    for vertebra in 0..14 {
        let y = 0.05 + 0.068 * vertebra as f32;
        field.add(Ellipse::new(0.5, y, 0.035, 0.024).edge(0.25), 0.03);
    }
}

fn lateral_organs(field: &mut Field, random: &mut Random) {
    field.add(Ellipse::new(0.46, 0.45, 0.26, 0.34).edge(0.2), -0.36);
    field.add_dome(Ellipse::new(0.36, 0.62, 0.15, 0.14).tilted(0.4), 0.2);
    field.add(Ellipse::new(0.5, 0.92, 0.32, 0.16).edge(0.08), 0.18);
    for vertebra in 0..14 {
        let (x, y) = (0.76 - 0.03 * (vertebra as f32 * 0.4).sin(), 0.1 + 0.062 * vertebra as f32);
        field.add(Ellipse::new(x, y, 0.045, 0.026).edge(0.2), 0.12);
    }
    for turn in 0..8 {
        field.branch(random, (0.47, 0.42), turn as f32 * 0.8, 0.09, (0.012, 0.06));
    }
}

/// Eight to sixteen exposures of a stomach filled with barium and gas.
pub(crate) fn barium(study: &Study) -> Vec<Job> {
    let mut random = study.random(11);
    let (matrix, stored, noise) =
        *random.pick(&[(1024, 10, 2.2f32), (1024, 12, 3.2), (1536, 12, 3.2), (2048, 12, 3.0)]);
    let exposures = if study.slices_max < 100 { 8 } else { random.between(8, 16) };
    let series = Arc::new(Series {
        number: 1,
        modality: "RF",
        description: ("胃透視　撮影", "UPPER GI SPOT"),
        body_part: "STOMACH",
        maker: ("Kasumi Imaging", "KX Table 4"),
    });
    let job = |number| {
        let make = move |study: &Study, set: &mut DataSet| {
            let seed = mix(study.seed, 40 + u64::from(number));
            let side = study.pixels(matrix);
            describe_projection(set, if number % 2 == 0 { "AP" } else { "PA" }, 0.2, stored);
            let greatest = (1i32 << stored) - 1;
            let mut field = barium_field(&mut Random::new(seed), side / 4);
            field.map(|value| value * greatest as f32);
            let slope = 0.8 * noise / greatest as f32;
            let sensor = Sensor {
                rows: side,
                columns: side,
                noise: 0.6 * noise,
                noise_slope: slope,
                correlation: 0.3,
                least: 0,
                greatest,
            };
            let grey = Grey { rows: side, columns: side, stored, signed: false, photometric: "MONOCHROME2" };
            grey.put(study, set, sensor.expose(&field, seed))
        };
        Job { series: series.clone(), sop_class: RF_IMAGE, number, make: Box::new(make) }
    };
    (1..=exposures).map(job).collect()
}

fn barium_field(random: &mut Random, side: usize) -> Field {
    let mut field = Field::new(side, side, 0.3);
    field.clouds(random, 4.0, 3, 0.03);
    for vertebra in 0..7 {
        let y = 0.05 + 0.15 * vertebra as f32;
        field.add(Ellipse::new(0.56, y, 0.07, 0.055).edge(0.2), 0.12);
    }
    let (x, turn) = (random.range(0.36, 0.48), random.range(-0.5, 0.5));
    field.add_dome(Ellipse::new(x, 0.28, 0.17, 0.2).tilted(turn), -0.16);
    field.add_dome(Ellipse::new(x + 0.05, 0.55, 0.14, 0.26).tilted(0.35 + turn), 0.45);
    field.add_dome(Ellipse::new(x + 0.2, 0.76, 0.17, 0.08).tilted(-0.4), 0.4);
    field.add_dome(Ellipse::new(x + 0.36, 0.66, 0.06, 0.07), 0.3);
    for fold in 0..9 {
        let start = (x - 0.1 + 0.025 * fold as f32, 0.35 + random.range(-0.03, 0.03));
        let path: Vec<_> = (0..10)
            .map(|i| (start.0 + 0.008 * i as f32 + random.range(-0.004, 0.004), start.1 + 0.035 * i as f32))
            .collect();
        field.stroke(&path, 0.008, 0.8, -0.06);
    }
    // Drawn as if seen from behind so far: the fundus belongs to the patient's left, which is on the right of the image.
    field.values.chunks_mut(side).for_each(<[f32]>::reverse);
    // Small flecks of barium and areae gastricae.
    field.clouds(random, 60.0, 2, 0.008);
    // The round edge of the image intensifier, or the collimator.
    let collimated = random.chance(0.5);
    let open = if collimated { Ellipse::new(0.5, 0.5, 0.69, 0.69) } else { Ellipse::new(0.5, 0.5, 0.5, 0.5) };
    let mut mask = Field::new(side, side, 0.0);
    mask.set(open.edge(0.02), 1.0);
    field.values.iter_mut().zip(&mask.values).for_each(|(value, open)| *value = (*value * open).clamp(0.0, 0.97));
    field
}
