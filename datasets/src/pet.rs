//! Whole-body PET/CT: a CT series of the whole body and PET slices of what took up the tracer.

use std::sync::Arc;

use crate::ct::{CT_IMAGE, Protocol, Volume};
use crate::field::{Ellipse, Field, Sensor};
use crate::image::Grey;
use crate::noise::{Random, mix};
use crate::study::{Job, Series, Study};
use crate::tags;
use crate::writer::{DataSet, TransferSyntax};

const PET_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.128";

/// A CT and a PET series over the same length.
pub(crate) fn jobs(study: &Study) -> Vec<Job> {
    let mut random = study.random(110);
    let slices = study.count(random.between(250, 350)).min(if study.slices_max < 1_000 { 48 } else { 350 });
    let matrix = *random.pick(&[144, 168, 200]);
    let protocol = Protocol { slices, thickness: 3.27, noise: 11.0, correlation: 0.45, signed: true, whole_body: true };
    let volume = Arc::new(Volume::new(study, protocol));
    let maker = ("Kasumi Imaging", "KX Positron 4D");
    let described = |number, modality, description| {
        Arc::new(Series { number, modality, description, body_part: "WHOLEBODY", maker })
    };
    let ct = described(2, "CT", ("全身　CT", "WB CT"));
    let pt = described(3, "PT", ("全身　PET", "WB PET AC"));
    let ct_job = |number| {
        let volume = volume.clone();
        let make = move |study: &Study, set: &mut DataSet| volume.slice(study, set, number);
        Job { series: ct.clone(), sop_class: CT_IMAGE, number, make: Box::new(make) }
    };
    let pt_job = |number| {
        let make = move |study: &Study, set: &mut DataSet| uptake_slice(study, set, number, slices, matrix);
        Job { series: pt.clone(), sop_class: PET_IMAGE, number, make: Box::new(make) }
    };
    (1..=slices).map(ct_job).chain((1..=slices).map(pt_job)).collect()
}

fn uptake_slice(study: &Study, set: &mut DataSet, number: u32, slices: u32, matrix: usize) -> TransferSyntax {
    let matrix = study.pixels(matrix);
    describe(study, set, number, slices, matrix);
    let z = (number - 1) as f32 / slices as f32;
    let mut field = uptake(z, matrix, &mut Random::new(mix(study.seed, 111)));
    let greatest = field.values.iter().copied().fold(1.0, f32::max);
    // Each slice has its own slope, so that its hottest voxel fills the range (PS3.3 C.8.9.4.1).
    let slope = greatest * 1.15 / 32_767.0;
    field.map(|value| value / slope);
    set.text(tags::RESCALE_SLOPE, format!("{slope:.6}")).text(tags::RESCALE_INTERCEPT, "0");
    let sensor = Sensor {
        rows: matrix,
        columns: matrix,
        noise: 0.0,
        noise_slope: 0.045,
        correlation: 0.55,
        least: 0,
        greatest: 32_767,
    };
    let grey = Grey { rows: matrix, columns: matrix, stored: 16, signed: true, photometric: "MONOCHROME2" };
    grey.put(study, set, sensor.expose(&field, mix(study.seed, 112_000 + u64::from(number))))
}

/// Tracer at `z`, head to thigh, in Bq/ml.
fn uptake(z: f32, side: usize, random: &mut Random) -> Field {
    let mut field = Field::new(side, side, 3.0);
    let level = z * 3.4 - 0.7;
    let neck = if level < -0.15 { 0.42 + 0.3 * (level + 0.7) } else { 1.0 };
    field.set(Ellipse::new(0.5, 0.5, 0.3 * neck, 0.2 * neck.max(0.6)).edge(0.15), 1_600.0);
    let near = |middle: f32, half: f32| (1.0 - ((level - middle) / half).powi(2)).max(0.0).sqrt();
    let organs = [
        (0.5, 0.47, 0.1, 0.12, 17_000.0, near(-0.62, 0.25)),
        (0.56, 0.45, 0.07, 0.06, 6_500.0, near(0.75, 0.3)),
        (0.39, 0.48, 0.12, 0.13, 4_200.0, near(1.2, 0.4)),
        (0.4, 0.6, 0.03, 0.04, 9_500.0, near(1.6, 0.25)),
        (0.6, 0.6, 0.03, 0.04, 9_500.0, near(1.6, 0.25)),
        (0.5, 0.46, 0.05, 0.045, 32_000.0, near(2.45, 0.2)),
    ];
    for (x, y, rx, ry, value, open) in organs.into_iter().filter(|organ| organ.5 > 0.1) {
        field.set(Ellipse::new(x, y, rx * open, ry * open).edge(0.35), value);
    }
    for (x, open) in [(0.37, near(0.4, 0.6)), (0.63, near(0.4, 0.6))] {
        field.add(Ellipse::new(x, 0.5, 0.09 * open + 0.01, 0.14 * open + 0.01).edge(0.3), -900.0 * open);
    }
    field.add(Ellipse::new(0.5, 0.66, 0.03, 0.03).edge(0.5), 800.0);
    field.clouds(random, 9.0, 2, 60.0);
    field.map(|value| value.max(0.0));
    field
}

fn describe(study: &Study, set: &mut DataSet, number: u32, slices: u32, matrix: usize) {
    let spacing = 600.0 / matrix as f32;
    let z = -3.27 * (number - 1) as f32;
    set.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY").text(tags::SERIES_TYPE, "WHOLE BODY\\IMAGE");
    set.text(tags::UNITS, "BQML").text(tags::COUNTS_SOURCE, "EMISSION").text(tags::DECAY_CORRECTION, "START");
    set.text(tags::CORRECTED_IMAGE, "NORM\\DTIM\\ATTN\\SCAT\\DECY\\RAN").text(tags::SLICE_THICKNESS, "3.27");
    set.short(tags::NUMBER_OF_SLICES, &[slices as u16]).short(tags::IMAGE_INDEX, &[number as u16]);
    set.text(tags::PATIENT_SIZE, "1.65").text(tags::PATIENT_WEIGHT, "61");
    set.text(tags::PIXEL_SPACING, format!("{spacing:.5}\\{spacing:.5}")).text(tags::PATIENT_POSITION, "HFS");
    set.text(tags::IMAGE_POSITION_PATIENT, format!("-300\\-300\\{z:.2}")).text(tags::PATIENT_ORIENTATION, "L\\P");
    set.text(tags::IMAGE_ORIENTATION_PATIENT, "1\\0\\0\\0\\1\\0").text(tags::SLICE_LOCATION, format!("{z:.2}"));
    set.text(tags::FRAME_OF_REFERENCE_UID, study.series_uid(900)).text(tags::POSITION_REFERENCE_INDICATOR, "");
    set.text(tags::ACQUISITION_DATE, &study.study_date).text(tags::ACQUISITION_TIME, &study.study_time);
    let mut tracer = set.item();
    tracer.text(tags::RADIOPHARMACEUTICAL, "FDG").text(tags::RADIONUCLIDE_TOTAL_DOSE, "210000000");
    tracer.text(tags::RADIONUCLIDE_HALF_LIFE, "6586.2");
    set.items(tags::RADIOPHARMACEUTICAL_INFORMATION_SEQUENCE, vec![tracer]);
}
