//! Chest CT: a thorax in Hounsfield units that changes smoothly from slice to slice.

use std::sync::Arc;

use crate::field::{Ellipse, Field, Sensor};
use crate::image::Grey;
use crate::noise::{Random, mix};
use crate::study::{Job, Series, Study};
use crate::tags;
use crate::writer::{DataSet, TransferSyntax, Value};

pub(crate) const CT_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.2";

/// Of the CT that viewers are timed with.
const TIMED_SLICES: u32 = 300;

/// What a scanner does alike in all slices of a series.
#[derive(Clone, Copy)]
pub(crate) struct Protocol {
    pub(crate) slices: u32,
    pub(crate) thickness: f32,
    /// Noise in HU in soft tissue.
    pub(crate) noise: f32,
    pub(crate) correlation: f32,
    /// 16-bit two's complement with padding −2000 outside the field of view, or 12-bit unsigned.
    pub(crate) signed: bool,
    /// Head to thigh instead of the chest alone.
    pub(crate) whole_body: bool,
}

/// One series, thin or thick.
pub(crate) fn jobs(study: &Study) -> Vec<Job> {
    let mut random = study.random(30);
    let thin = random.chance(0.5) || study.is_timed;
    let slices = if thin { random.between(250, 350) } else { random.between(60, 70) };
    let slices = study.count(if study.is_timed { TIMED_SLICES } else { slices });
    let protocol = Protocol {
        slices,
        thickness: if thin { 1.0 } else { 5.0 },
        noise: if thin { random.range(9.0, 13.0) } else { random.range(6.0, 9.0) },
        correlation: random.range(0.35, 0.5),
        signed: random.chance(0.5),
        whole_body: false,
    };
    let series = Arc::new(Series {
        number: 2,
        modality: "CT",
        description: if thin {
            ("胸部　肺野条件　1mm", "CHEST LUNG 1.0")
        } else {
            ("胸部　5mm", "CHEST 5.0")
        },
        body_part: "CHEST",
        maker: ("Kasumi Imaging", "KX Spiral 64"),
    });
    let volume = Arc::new(Volume::new(study, protocol));
    let job = |number| {
        let volume = volume.clone();
        let make = move |study: &Study, set: &mut DataSet| volume.slice(study, set, number);
        Job { series: series.clone(), sop_class: CT_IMAGE, number, make: Box::new(make) }
    };
    (1..=slices).map(job).collect()
}

/// A body: what is random of it, drawn once a series.
pub(crate) struct Volume {
    protocol: Protocol,
    seed: u64,
    size: f32,
    heart: f32,
    /// Texture at a few levels, blended between.
    lattices: Vec<Field>,
    vessels: Vec<Vessel>,
}

/// A lung vessel: where it is at the hilum and how it moves along z.
struct Vessel {
    x: f32,
    y: f32,
    lean: (f32, f32),
    radius: f32,
    from: f32,
    to: f32,
}

/// Levels of texture along a body.
const LATTICES: usize = 12;
/// Air, lung, fat, soft tissue and bone in HU.
const AIR: f32 = -1000.0;

impl Volume {
    pub(crate) fn new(study: &Study, protocol: Protocol) -> Volume {
        let seed = mix(study.seed, 31 + u64::from(protocol.whole_body));
        let mut random = Random::new(seed);
        let mut lattice = |_| {
            let mut field = Field::new(96, 96, 0.0);
            field.clouds(&mut random, 10.0, 3, 8.0);
            field
        };
        let lattices = (0..LATTICES).map(&mut lattice).collect();
        let vessel = |_| {
            let side = if random.chance(0.5) { -1.0 } else { 1.0 };
            let from = random.unit();
            Vessel {
                x: 0.5 + side * random.range(0.09, 0.3),
                y: random.range(0.34, 0.66),
                lean: (side * random.range(-0.25, 0.3), random.range(-0.3, 0.3)),
                radius: random.range(0.002, 0.008),
                from: from - random.range(0.1, 0.3),
                to: from + random.range(0.1, 0.3),
            }
        };
        let vessels = (0..260).map(vessel).collect();
        Volume { protocol, seed, size: random.range(0.92, 1.05), heart: random.range(0.9, 1.1), lattices, vessels }
    }

    /// Slice `number` of 1..=slices.
    pub(crate) fn slice(&self, study: &Study, set: &mut DataSet, number: u32) -> TransferSyntax {
        let protocol = self.protocol;
        let matrix = study.pixels(512);
        self.describe(study, set, number, matrix);
        let z = (number - 1) as f32 / (protocol.slices.max(2) - 1) as f32;
        let mut field = self.hounsfield(z, (matrix / 2).max(64));
        let intercept = if protocol.signed { 0.0 } else { -1024.0 };
        field.map(|hu| hu - intercept);
        let sensor = Sensor {
            rows: matrix,
            columns: matrix,
            noise: protocol.noise,
            noise_slope: 0.0,
            correlation: protocol.correlation,
            least: if protocol.signed { -1024 } else { 0 },
            greatest: if protocol.signed { 3071 } else { 4095 },
        };
        let mut words = sensor.expose(&field, mix(self.seed, 1_000 + u64::from(number)));
        let outside: i16 = if protocol.signed { -2000 } else { 0 };
        outside_of_view(&mut words, matrix, outside);
        let stored = if protocol.signed { 16 } else { 12 };
        let grey = Grey { rows: matrix, columns: matrix, stored, signed: protocol.signed, photometric: "MONOCHROME2" };
        grey.put(study, set, words)
    }

    fn describe(&self, study: &Study, set: &mut DataSet, number: u32, matrix: usize) {
        let protocol = self.protocol;
        let spacing = 350.0 / matrix as f32;
        let z = -protocol.thickness * (number - 1) as f32;
        let corner = -175.0 + spacing / 2.0;
        set.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY\\AXIAL").text(tags::SCAN_OPTIONS, "HELICAL MODE");
        set.text(tags::KVP, "120").text(tags::CONVOLUTION_KERNEL, "FC52").text(tags::EXPOSURE, "12");
        set.text(tags::SLICE_THICKNESS, format!("{:.1}", protocol.thickness));
        set.text(tags::PATIENT_POSITION, "HFS").text(tags::PATIENT_ORIENTATION, "L\\P");
        set.text(tags::PIXEL_SPACING, format!("{spacing:.6}\\{spacing:.6}"));
        set.text(tags::IMAGE_POSITION_PATIENT, format!("{corner:.4}\\{corner:.4}\\{z:.2}"));
        set.text(tags::IMAGE_ORIENTATION_PATIENT, "1\\0\\0\\0\\1\\0").text(tags::SLICE_LOCATION, format!("{z:.2}"));
        set.text(tags::FRAME_OF_REFERENCE_UID, study.series_uid(900)).text(tags::POSITION_REFERENCE_INDICATOR, "");
        set.text(tags::ACQUISITION_DATE, &study.study_date).text(tags::ACQUISITION_TIME, &study.study_time);
        set.text(tags::RESCALE_INTERCEPT, if protocol.signed { "0" } else { "-1024" });
        set.text(tags::RESCALE_SLOPE, "1").text(tags::RESCALE_TYPE, "HU");
        set.text(tags::WINDOW_CENTER, "-600\\40").text(tags::WINDOW_WIDTH, "1500\\400");
        if protocol.signed {
            let padding = (-2000i16).to_le_bytes().to_vec();
            set.put(tags::PIXEL_PADDING_VALUE_SIGNED, Value::Plain(2, padding));
        }
    }

    /// The slice at `z` (0 head end, 1 foot end) in HU on a coarse grid.
    fn hounsfield(&self, z: f32, side: usize) -> Field {
        let mut field = Field::new(side, side, AIR);
        // Where in the thorax: 0 at the apex, 1 at the diaphragm; a whole body begins above and ends below.
        let level = if self.protocol.whole_body { z * 3.4 - 0.7 } else { z * 1.15 - 0.05 };
        let shoulder = 1.0 + 0.15 * (1.0 - level * 4.0).clamp(0.0, 1.0);
        let neck = if level < -0.15 { 0.42 + 0.3 * (level + 0.7).abs() } else { 1.0 };
        let (rx, ry) = (0.41 * self.size * shoulder * neck.min(1.0), 0.27 * self.size * neck.clamp(0.6, 1.0));
        field.set(Ellipse::new(0.5, 0.5, rx, ry).edge(0.02), -95.0);
        field.set(Ellipse::new(0.5, 0.5, rx * 0.92, ry * 0.9).edge(0.03), 45.0);
        self.texture(&mut field, z);
        self.lungs(&mut field, level);
        self.mediastinum(&mut field, level);
        self.bones(&mut field, level, rx, ry);
        field.set(Ellipse::new(0.5, 0.86, 0.34, 0.012).edge(0.3), -300.0);
        field
    }

    fn texture(&self, field: &mut Field, z: f32) {
        let at = z * (LATTICES - 1) as f32;
        let low = (at as usize).min(LATTICES - 2);
        let part = at - low as f32;
        let mut blend = self.lattices[low].clone();
        for (value, next) in blend.values.iter_mut().zip(&self.lattices[low + 1].values) {
            *value += (next - *value) * part;
        }
        let body: Vec<bool> = field.values.iter().map(|hu| *hu > -200.0).collect();
        let mut texture = Field::new(field.width, field.height, 0.0);
        texture.add_enlarged(&blend);
        for ((value, texture), _) in field.values.iter_mut().zip(&texture.values).zip(&body).filter(|(_, b)| **b) {
            *value += texture;
        }
    }

    fn lungs(&self, field: &mut Field, level: f32) {
        let open = (level * (1.25 - level) * 4.0).clamp(0.0, 1.0).sqrt();
        if open < 0.08 || level > 1.25 {
            return;
        }
        for (side, x) in [(-1.0, 0.32), (1.0, 0.68)] {
            let lung = Ellipse::new(x, 0.5, 0.125 * open, 0.2 * open).tilted(side * -0.15).edge(0.06);
            field.set(lung, -860.0 + 50.0 * level);
        }
        for vessel in self.vessels.iter().filter(|v| level > v.from && level < v.to) {
            let along = level - (vessel.from + vessel.to) / 2.0;
            let (x, y) = (vessel.x + vessel.lean.0 * along, vessel.y + vessel.lean.1 * along);
            let inside =
                ((x - if x < 0.5 { 0.32 } else { 0.68 }) / (0.11 * open)).powi(2) + ((y - 0.5) / (0.18 * open)).powi(2);
            if inside < 1.0 {
                field.set(Ellipse::new(x, y, vessel.radius, vessel.radius * 1.2).edge(0.8), -40.0);
            }
        }
    }

    fn mediastinum(&self, field: &mut Field, level: f32) {
        field.set(Ellipse::new(0.5, 0.46, 0.022, 0.02).edge(0.15), if level < 0.5 { -980.0 } else { 40.0 });
        field.set(Ellipse::new(0.53, 0.6, 0.03, 0.03).edge(0.1), 50.0);
        if level < 0.45 && level > 0.2 {
            field.set(Ellipse::new(0.53, 0.45, 0.06, 0.09).tilted(0.4).edge(0.1), 48.0);
        }
        let heart = (1.0 - ((level - 0.78) / 0.38).powi(2)).max(0.0).sqrt() * self.heart;
        if heart > 0.1 {
            field.set(Ellipse::new(0.55, 0.44, 0.13 * heart, 0.11 * heart).tilted(0.5).edge(0.05), 42.0);
            field.add(Ellipse::new(0.57, 0.45, 0.06 * heart, 0.05 * heart).tilted(0.5).edge(0.3), 8.0);
        }
        let dome = ((level - 0.82) / 0.3).clamp(0.0, 1.0).sqrt();
        if dome > 0.05 && level < 2.2 {
            field.set(Ellipse::new(0.34, 0.48, 0.16 * dome, 0.18 * dome).edge(0.05), 58.0);
            field.set(Ellipse::new(0.69, 0.55, 0.09 * dome, 0.1 * dome).edge(0.06), 52.0);
            field.set(Ellipse::new(0.66, 0.36, 0.06 * dome, 0.05 * dome).edge(0.06), -900.0);
        }
    }

    fn bones(&self, field: &mut Field, level: f32, rx: f32, ry: f32) {
        let wave = (level * 60.0).sin();
        field.set(Ellipse::new(0.5, 0.68, 0.045, 0.04 + 0.002 * wave).edge(0.1), 180.0 + 60.0 * wave);
        field.set(Ellipse::new(0.5, 0.725, 0.014, 0.013).edge(0.2), 10.0);
        field.set(Ellipse::new(0.5, 0.76, 0.012, 0.03).edge(0.2), 320.0);
        if (0.1..1.0).contains(&level) {
            field.set(Ellipse::new(0.5, 0.5 - ry * 0.86, 0.03, 0.012).edge(0.2), 200.0);
        }
        if !(0.0..1.4).contains(&level) {
            return;
        }
        for rib in 0..14 {
            let angle = rib as f32 * 0.449 + level * 9.0;
            let (sin, cos) = angle.sin_cos();
            let at = (0.5 + rx * 0.84 * cos, 0.5 + ry * 0.82 * sin);
            let turned = Ellipse::new(at.0, at.1, 0.028, 0.009).tilted((ry * cos).atan2(-rx * sin));
            field.set(turned.edge(0.25), 420.0);
        }
    }
}

/// Sets what lies outside the circular field of view to one value.
fn outside_of_view(words: &mut [u8], matrix: usize, value: i16) {
    let middle = (matrix as f32 - 1.0) / 2.0;
    let radius = matrix as f32 / 2.0;
    for (y, row) in words.chunks_exact_mut(2 * matrix).enumerate() {
        let dy = y as f32 - middle;
        let half = (radius * radius - dy * dy).max(0.0).sqrt();
        let (left, right) = ((middle - half).ceil().max(0.0) as usize, (middle + half) as usize + 1);
        for word in row[..2 * left.min(matrix)].chunks_exact_mut(2) {
            word.copy_from_slice(&value.to_le_bytes());
        }
        for word in row[2 * right.min(matrix)..].chunks_exact_mut(2) {
            word.copy_from_slice(&value.to_le_bytes());
        }
    }
}
