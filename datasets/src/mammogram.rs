//! Mammography: four views with a background near zero, and tomosynthesis as one multi-frame image a view.

use std::sync::Arc;

use crate::field::{Ellipse, Field, Sensor};
use crate::image::Grey;
use crate::noise::{Random, mix};
use crate::study::{Job, Scale, Series, Study};
use crate::tags;
use crate::writer::{DataSet, Value};

const MG_FOR_PRESENTATION: &str = "1.2.840.10008.5.1.4.1.1.1.2";
const BREAST_TOMOSYNTHESIS: &str = "1.2.840.10008.5.1.4.1.1.13.1.3";

/// Rows, columns, bits stored, spacing in mm, noise in grey levels.
const DETECTORS: [(usize, usize, u16, f32, f32); 3] =
    [(3328, 2560, 12, 0.07, 20.0), (4664, 3064, 12, 0.05, 22.0), (2850, 2394, 14, 0.085, 60.0)];

/// The largest panels there are: what viewers are timed with.
const LARGEST: (usize, usize, u16, f32, f32) = (6144, 4096, 12, 0.05, 22.0);

/// View, laterality, view code (CID 4014).
#[rustfmt::skip]
const VIEWS: [(&str, &str, &str, &str); 4] = [
    ("CC", "R", "399162004", "cranio-caudal"), ("CC", "L", "399162004", "cranio-caudal"),
    ("MLO", "R", "399368009", "medio-lateral oblique"), ("MLO", "L", "399368009", "medio-lateral oblique"),
];

/// Four views; two under a programme of MLO only.
pub(crate) fn jobs(study: &Study) -> Vec<Job> {
    let mut random = study.random(90);
    // A demonstration takes the smaller panel.
    let detector = if study.is_timed {
        LARGEST
    } else if study.slices_max < 1_000 {
        DETECTORS[0]
    } else {
        *random.pick(&DETECTORS)
    };
    let first = if random.chance(0.1) && study.slices_max > 1_000 { 3 } else { 1 };
    let dense = random.range(0.4, 1.2);
    let series = series(1, ("マンモグラフィ", "MAMMOGRAPHY"));
    let job = |number: u32| {
        let make = move |study: &Study, set: &mut DataSet| {
            let view = VIEWS[number as usize - 1];
            let (rows, columns, stored, spacing, noise) = detector;
            let (rows, columns) = (study.pixels(rows), study.pixels(columns));
            describe(set, view, spacing, stored);
            let seed = mix(study.seed, 900 + u64::from(number));
            let field = breast(&mut Random::new(seed), (columns / 4, rows / 4), view, dense, stored);
            let grey = Grey { rows, columns, stored, signed: false, photometric: "MONOCHROME2" };
            grey.put(study, set, sensor(rows, columns, stored, noise).expose(&field, seed))
        };
        Job { series: series.clone(), sop_class: MG_FOR_PRESENTATION, number, make: Box::new(make) }
    };
    let views = if study.is_timed { 1..=1 } else { first..=4 };
    views.map(job).collect()
}

/// Quantum noise grows with what the field shows; behind the air it is almost nothing.
fn sensor(rows: usize, columns: usize, stored: u16, noise: f32) -> Sensor {
    let greatest = (1i32 << stored) - 1;
    let noise_slope = noise / (0.5 * greatest as f32);
    Sensor { rows, columns, noise: 2.4, noise_slope, correlation: 0.25, least: 0, greatest }
}

fn series(number: u32, description: (&'static str, &'static str)) -> Arc<Series> {
    let maker = ("Kasumi Imaging", "KX Mammo 3");
    Arc::new(Series { number, modality: "MG", description, body_part: "BREAST", maker })
}

/// Mammography Series, Image and View modules (PS3.3 C.8.11.6, C.8.11.7).
fn describe(set: &mut DataSet, view: (&str, &str, &str, &str), spacing: f32, stored: u16) {
    let middle = 1u32 << (stored - 1);
    set.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY").text(tags::PRESENTATION_INTENT_TYPE, "FOR PRESENTATION");
    set.text(tags::VIEW_POSITION, view.0).text(tags::IMAGE_LATERALITY, view.1);
    set.code(tags::VIEW_CODE_SEQUENCE, view.2, "SCT", view.3);
    set.code(tags::ANATOMIC_REGION_SEQUENCE, "76752008", "SCT", "Breast");
    set.text(tags::PATIENT_ORIENTATION, if view.1 == "R" { "P\\L" } else { "A\\R" });
    set.text(tags::KVP, "28").text(tags::EXPOSURE, "60").text(tags::BODY_PART_THICKNESS, "48");
    set.text(tags::COMPRESSION_FORCE, "110").text(tags::POSITIONER_TYPE, "MAMMOGRAPHIC");
    set.text(tags::IMAGER_PIXEL_SPACING, format!("{spacing}\\{spacing}")).text(tags::DETECTOR_TYPE, "DIRECT");
    set.text(tags::BURNED_IN_ANNOTATION, "NO").text(tags::LOSSY_IMAGE_COMPRESSION, "00");
    set.text(tags::WINDOW_CENTER, middle.to_string()).text(tags::WINDOW_WIDTH, (middle * 3 / 2).to_string());
    set.text(tags::RESCALE_INTERCEPT, "0").text(tags::RESCALE_SLOPE, "1").text(tags::RESCALE_TYPE, "US");
    set.text(tags::PRESENTATION_LUT_SHAPE, "IDENTITY").text(tags::PIXEL_INTENSITY_RELATIONSHIP, "LOG");
    set.put(tags::PIXEL_INTENSITY_RELATIONSHIP_SIGN, Value::Plain(2, (-1i16).to_le_bytes().to_vec()));
    set.items(tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new());
}

/// A compressed breast against the edge of the detector, in grey levels.
fn breast(
    random: &mut Random,
    (width, height): (usize, usize),
    view: (&str, &str, &str, &str),
    dense: f32,
    stored: u16,
) -> Field {
    // The air beside the breast is near zero, not zero.
    let mut field = Field::new(width, height, 0.004);
    let (y, rx, ry) = (random.range(0.46, 0.54), random.range(0.66, 0.8), random.range(0.42, 0.48));
    let outline = Ellipse::new(0.0, y, rx, ry).edge(0.05);
    field.add(outline, 0.36);
    field.add_dome(outline, 0.1);
    let mut tissue = Field::new(width, height, 0.0);
    tissue.clouds(random, 7.0, 6, 0.055 * dense);
    for _ in 0..5 {
        let lobe = Ellipse::new(random.range(0.12, 0.5), y + random.range(-0.2, 0.2), 0.16, 0.12);
        tissue.add(lobe.tilted(random.range(-0.8, 0.8)).edge(0.7), 0.09 * dense);
    }
    let nipple = (rx * 0.95, y);
    for turn in 0..9 {
        let angle = std::f32::consts::PI + (turn as f32 - 4.0) * 0.16;
        tissue.branch(random, nipple, angle, 0.17, (0.006, 0.05));
    }
    for (value, tissue) in field.values.iter_mut().zip(&tissue.values) {
        *value += tissue * (*value * 3.0).min(1.0);
    }
    for _ in 0..random.below(6) {
        let spot = (random.range(0.1, 0.5), y + random.range(-0.25, 0.25));
        field.add(Ellipse::new(spot.0, spot.1, 0.002, 0.0016).edge(0.8), 0.25);
    }
    if view.0 == "MLO" {
        field.add(Ellipse::new(0.0, 0.02, 0.4, 0.42).tilted(-0.3).edge(0.1), 0.14);
    }
    let span = ((1i32 << stored) - 1) as f32;
    field.map(|value| (value.clamp(0.0, 0.98)) * span);
    if view.1 == "R" {
        field.values.chunks_exact_mut(width).for_each(<[f32]>::reverse);
    }
    field
}

/// Four views of 50 slices, a quarter of a gigabyte each: one instance that is larger than a receiver may like.
pub(crate) fn tomosynthesis(study: &Study) -> Vec<Job> {
    let series = series(2, ("トモシンセシス", "TOMOSYNTHESIS"));
    let views: u32 = if study.slices_max < 1_000 { 1 } else { 4 };
    let frames = if study.scale == Scale::Full { study.count(50).min(study.slices_max / 20) } else { 3 };
    let job = |number: u32| {
        let make = move |study: &Study, set: &mut DataSet| {
            let view = VIEWS[number as usize - 1];
            let (rows, columns) = (study.pixels(2457), study.pixels(1890));
            describe(set, view, 0.1, 10);
            set.text(tags::NUMBER_OF_FRAMES, frames.to_string()).text(tags::IMAGE_TYPE, "DERIVED\\PRIMARY");
            let seed = mix(study.seed, 950 + u64::from(number));
            let mut words = Vec::with_capacity(rows * columns * 2 * frames as usize);
            let sensor = Sensor { noise: 0.2, ..sensor(rows, columns, 10, 4.0) };
            let field = breast(&mut Random::new(seed), (columns / 4, rows / 4), view, 0.8, 10);
            let mut depth = Field::new(64, 64, 0.0);
            for frame in 0..frames {
                let seed = mix(seed, u64::from(frame));
                depth.map(|value| value * 0.8);
                depth.clouds(&mut Random::new(seed), 12.0, 2, 6.0);
                let mut slice = Field::new(field.width, field.height, 0.0);
                slice.add_enlarged(&depth);
                for (slice, thick) in slice.values.iter_mut().zip(&field.values) {
                    *slice = (*slice * (thick / 200.0).min(1.0) + thick).max(0.0);
                }
                sensor.expose_into(&slice, seed, &mut words);
            }
            let grey = Grey { rows, columns, stored: 10, signed: false, photometric: "MONOCHROME2" };
            grey.put(study, set, words)
        };
        Job { series: series.clone(), sop_class: BREAST_TOMOSYNTHESIS, number, make: Box::new(make) }
    };
    (1..=views).map(job).collect()
}
