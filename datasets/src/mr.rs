//! Brain MR and MR angiography: one head seen by five to seven sequences.

use std::sync::Arc;

use crate::field::{Ellipse, Field, Sensor};
use crate::image::Grey;
use crate::noise::{Random, mix};
use crate::study::{Job, Series, Study};
use crate::tags;
use crate::writer::{DataSet, TransferSyntax};

const MR_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.4";

/// A sequence: description, slices, matrix, thickness, TR, TE, brightness of scalp fat, white matter, grey matter,
/// fluid and vessels.
#[derive(Clone, Copy)]
struct Sequence {
    description: (&'static str, &'static str),
    slices: u32,
    matrix: usize,
    thickness: f32,
    times: (f32, f32),
    levels: [f32; 5],
}

#[rustfmt::skip]
const SEQUENCES: [Sequence; 6] = [
    Sequence { description: ("Ｔ１強調　横断", "T1W AX"), slices: 24, matrix: 512, thickness: 5.0, times: (500.0, 12.0), levels: [900.0, 520.0, 400.0, 130.0, 200.0] },
    Sequence { description: ("Ｔ２強調　横断", "T2W AX"), slices: 24, matrix: 512, thickness: 5.0, times: (4000.0, 96.0), levels: [620.0, 300.0, 430.0, 1100.0, 60.0] },
    Sequence { description: ("FLAIR　横断", "FLAIR AX"), slices: 24, matrix: 320, thickness: 5.0, times: (9000.0, 120.0), levels: [560.0, 380.0, 500.0, 90.0, 60.0] },
    Sequence { description: ("拡散強調", "DWI AX"), slices: 48, matrix: 256, thickness: 5.0, times: (5200.0, 80.0), levels: [60.0, 330.0, 420.0, 50.0, 30.0] },
    Sequence { description: ("MRA TOF", "MRA TOF 3D"), slices: 140, matrix: 512, thickness: 0.6, times: (22.0, 3.4), levels: [310.0, 180.0, 170.0, 90.0, 760.0] },
    Sequence { description: ("Ｔ２＊", "T2STAR AX"), slices: 24, matrix: 320, thickness: 5.0, times: (600.0, 20.0), levels: [420.0, 360.0, 420.0, 640.0, 90.0] },
];

/// Five or six series.
pub(crate) fn jobs(study: &Study) -> Vec<Job> {
    let mut random = study.random(100);
    let head = Arc::new(Head::new(mix(study.seed, 101)));
    let sequences = random.between(5, SEQUENCES.len() as u32);
    (0..sequences).flat_map(|index| one_series(study, &head, index)).collect()
}

fn one_series(study: &Study, head: &Arc<Head>, index: u32) -> Vec<Job> {
    let sequence = SEQUENCES[index as usize];
    let slices = study.count(sequence.slices);
    let series = Arc::new(Series {
        number: index + 2,
        modality: "MR",
        description: sequence.description,
        body_part: "HEAD",
        maker: ("Kasumi Imaging", "KX Tesla 15"),
    });
    let job = |number: u32| {
        let head = head.clone();
        let make = move |study: &Study, set: &mut DataSet| {
            let z = (number as f32 - 0.5) / slices as f32;
            head.slice(study, set, sequence, (index, number), z)
        };
        Job { series: series.clone(), sop_class: MR_IMAGE, number, make: Box::new(make) }
    };
    (1..=slices).map(job).collect()
}

/// A head: what is random of it.
struct Head {
    seed: u64,
    size: f32,
    folds: Vec<(f32, f32, f32)>,
    vessels: Vec<(f32, f32, f32, f32)>,
}

impl Head {
    fn new(seed: u64) -> Head {
        let mut random = Random::new(seed);
        let fold = |_| (random.range(0.0, std::f32::consts::TAU), random.range(0.72, 0.98), random.range(-0.8, 0.8));
        let folds = (0..70).map(fold).collect();
        let vessel =
            |_| (random.range(0.3, 0.7), random.range(0.3, 0.7), random.range(-0.3, 0.3), random.range(0.003, 0.009));
        let vessels = (0..26).map(vessel).collect();
        Head { seed, size: random.range(0.94, 1.04), folds, vessels }
    }

    fn slice(
        &self,
        study: &Study,
        set: &mut DataSet,
        sequence: Sequence,
        (index, number): (u32, u32),
        z: f32,
    ) -> TransferSyntax {
        let matrix = study.pixels(sequence.matrix);
        describe(study, set, sequence, number, matrix);
        let seed = mix(self.seed, u64::from(index) * 1_000 + u64::from(number));
        let field = self.paint(&sequence.levels, z, (matrix / 2).max(48), seed);
        let sensor = Sensor {
            rows: matrix,
            columns: matrix,
            noise: 5.0,
            noise_slope: 0.011,
            correlation: 0.45,
            least: 0,
            greatest: 4095,
        };
        let grey = Grey { rows: matrix, columns: matrix, stored: 12, signed: false, photometric: "MONOCHROME2" };
        let mut words = sensor.expose(&field, seed);
        rectify(&mut words, &field, matrix, seed);
        grey.put(study, set, words)
    }

    /// One slice, `z` from the base (0) to the vertex (1), in grey levels.
    fn paint(&self, levels: &[f32; 5], z: f32, side: usize, seed: u64) -> Field {
        let [fat, white, grey, fluid, blood] = *levels;
        let mut field = Field::new(side, side, 0.0);
        let round = (1.0 - (z * 1.5 - 0.55).powi(2)).max(0.1).sqrt() * self.size;
        let (rx, ry) = (0.36 * round, 0.43 * round);
        let at = |scale: f32| Ellipse::new(0.5, 0.5, rx * scale, ry * scale).edge(0.04);
        field.set(at(1.0), fat);
        field.set(at(0.95), fat * 0.08);
        field.set(at(0.9), fluid * 0.9);
        field.set(at(0.87), grey);
        field.set(at(0.76).edge(0.1), white);
        for (angle, radius, turn) in &self.folds {
            let (sin, cos) = (angle + z * 0.9).sin_cos();
            let (x, y) = (0.5 + rx * 0.86 * radius * cos, 0.5 + ry * 0.86 * radius * sin);
            let along = (ry * sin).atan2(rx * cos) + turn;
            field.set(Ellipse::new(x, y, 0.055 * round, 0.013).tilted(along).edge(0.5), grey);
            field.set(Ellipse::new(x, y, 0.045 * round, 0.004).tilted(along).edge(0.8), fluid);
        }
        let open = (1.0 - ((z - 0.55) / 0.22).powi(2)).max(0.0).sqrt();
        for side in [-1.0, 1.0] {
            let horn = Ellipse::new(0.5 + side * 0.04, 0.47, 0.025 * open + 1e-3, 0.11 * open + 1e-3);
            field.set(horn.tilted(side * 0.22).edge(0.2), if open > 0.1 { fluid } else { white });
            field.set(Ellipse::new(0.5 + side * 0.09, 0.52, 0.035, 0.05).edge(0.3), grey);
        }
        field.set(Ellipse::new(0.5, 0.5, 0.004, ry * 0.84).edge(0.8), fluid);
        for (x, y, lean, radius) in &self.vessels {
            let vessel = Ellipse::new(x + lean * (z - 0.4), y - lean * (z - 0.4) * 0.7, *radius, *radius);
            field.set(vessel.edge(0.7), blood);
        }
        let mut shading = Field::new(side, side, 1.0);
        shading.clouds(&mut Random::new(mix(seed, 3)), 3.0, 2, 0.03);
        field.values.iter_mut().zip(&shading.values).for_each(|(value, shade)| *value *= shade);
        field
    }
}

/// A magnitude image has no negative noise: where there is no signal, the clipped half is folded up (Rice).
fn rectify(words: &mut [u8], field: &Field, matrix: usize, seed: u64) {
    let mut random = Random::new(mix(seed, 4));
    let mut row = vec![0.0; matrix];
    for (y, line) in words.chunks_exact_mut(2 * matrix).enumerate() {
        field.enlarged_row(y, matrix, &mut row);
        for (word, _) in line.chunks_exact_mut(2).zip(&row).filter(|(word, signal)| **signal < 8.0 && word == &[0, 0]) {
            word.copy_from_slice(&((random.gauss() * 4.0).abs() as u16).to_le_bytes());
        }
    }
}

fn describe(study: &Study, set: &mut DataSet, sequence: Sequence, number: u32, matrix: usize) {
    let spacing = 230.0 / matrix as f32;
    let z = -60.0 + sequence.thickness * 1.2 * number as f32;
    set.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY\\M\\ND").text(tags::SCANNING_SEQUENCE, "SE");
    set.text(tags::SEQUENCE_VARIANT, "SK").text(tags::SCAN_OPTIONS, "").text(tags::MR_ACQUISITION_TYPE, "2D");
    set.text(tags::REPETITION_TIME, sequence.times.0.to_string()).text(tags::ECHO_TIME, sequence.times.1.to_string());
    set.text(tags::ECHO_TRAIN_LENGTH, "1").text(tags::MAGNETIC_FIELD_STRENGTH, "1.5");
    set.text(tags::SLICE_THICKNESS, sequence.thickness.to_string());
    set.text(tags::SPACING_BETWEEN_SLICES, format!("{:.2}", sequence.thickness * 1.2));
    set.text(tags::PATIENT_POSITION, "HFS").text(tags::PATIENT_ORIENTATION, "L\\P");
    set.text(tags::PIXEL_SPACING, format!("{spacing:.5}\\{spacing:.5}"));
    set.text(tags::IMAGE_POSITION_PATIENT, format!("-115\\-115\\{z:.2}"));
    set.text(tags::IMAGE_ORIENTATION_PATIENT, "1\\0\\0\\0\\1\\0").text(tags::SLICE_LOCATION, format!("{z:.2}"));
    set.text(tags::FRAME_OF_REFERENCE_UID, study.series_uid(900)).text(tags::POSITION_REFERENCE_INDICATOR, "");
    set.text(tags::WINDOW_CENTER, "450").text(tags::WINDOW_WIDTH, "900");
}
