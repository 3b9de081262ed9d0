//! Fundus photographs (OP): the disc, the macula, vessels that branch from the disc, a round field of view.

use std::sync::Arc;

use crate::field::{Ellipse, Field};
use crate::image::Colour;
use crate::noise::{Grain, Random, mix};
use crate::study::{Job, Series, Study};
use crate::tags;
use crate::writer::DataSet;

const OP_8_BIT_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.77.1.5.1";

/// One or two photographs of each eye.
pub(crate) fn jobs(study: &Study) -> Vec<Job> {
    let mut random = study.random(80);
    let (columns, rows) = *random.pick(&[(1536, 1536), (2048, 1536), (3000, 2200)]);
    let images = *random.pick(&[2, 4]);
    let how = if random.chance(0.15) { Colour::Rgb } else { Colour::Jpeg(95) };
    let series = Arc::new(Series {
        number: 1,
        modality: "OP",
        description: ("眼底カラー", "FUNDUS COLOUR"),
        body_part: "EYE",
        maker: ("Tanpopo Medical", "TM Retina 45"),
    });
    let job = |number: u32| {
        let make = move |study: &Study, set: &mut DataSet| {
            let size = (study.pixels(rows), study.pixels(columns));
            let right = number % 2 == 1;
            set.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY\\\\COLOR").text(tags::PATIENT_ORIENTATION, "");
            set.text(tags::IMAGE_LATERALITY, if right { "R" } else { "L" });
            set.text(tags::BURNED_IN_ANNOTATION, "NO").text(tags::LOSSY_IMAGE_COMPRESSION, "00");
            set.text(tags::ACQUISITION_DATE_TIME, format!("{}{}", study.study_date, study.study_time));
            set.text(tags::PRESENTATION_LUT_SHAPE, "IDENTITY");
            set.code(tags::ANATOMIC_REGION_SEQUENCE, "81745001", "SCT", "Eye");
            set.items(tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new());
            let picture = picture(mix(study.seed, 800 + u64::from(number)), size, right);
            how.put(study, set, size, vec![picture])
        };
        Job { series: series.clone(), sop_class: OP_8_BIT_IMAGE, number, make: Box::new(make) }
    };
    (1..=images).map(job).collect()
}

fn picture(seed: u64, (rows, columns): (usize, usize), right: bool) -> Vec<u8> {
    let field = retina(&mut Random::new(seed), columns / 3, rows / 3, right);
    let mut grain = Grain::new(seed, 0.5);
    let (mut row, mut noise) = (vec![0.0; columns], vec![0.0; columns]);
    let mut rgb = vec![0; rows * columns * 3];
    let radius = rows as f32 * 0.49;
    for (y, line) in rgb.chunks_exact_mut(columns * 3).enumerate() {
        field.enlarged_row(y, rows, &mut row);
        grain.fill(&mut noise);
        let dy = y as f32 - rows as f32 / 2.0;
        let half = (radius * radius - dy * dy).max(0.0).sqrt();
        let middle = columns as f32 / 2.0;
        for x in (middle - half).max(0.0) as usize..((middle + half) as usize).min(columns) {
            let (level, n) = (row[x], noise[x]);
            let pixel = [level * 1.25 + 30.0 + n * 0.4, level * 0.62 + n * 0.5, level * 0.3 + n * 0.45];
            line[3 * x..3 * x + 3].copy_from_slice(&pixel.map(|v| v.clamp(0.0, 255.0) as u8));
        }
    }
    rgb
}

fn retina(random: &mut Random, width: usize, height: usize, right: bool) -> Field {
    let mut field = Field::new(width, height, 105.0);
    let across = height as f32 / width as f32;
    let side = if right { 1.0 } else { -1.0 };
    field.add_dome(Ellipse::new(0.5, 0.5, 0.5 * across, 0.5), 35.0);
    field.clouds(random, 8.0, 4, 6.0);
    let disc = (0.5 + side * 0.2 * across, 0.5);
    field.add(Ellipse::new(0.5 - side * 0.1 * across, 0.52, 0.09 * across, 0.09).edge(0.9), -35.0);
    for quarter in [(0.9, 1.0), (0.6, 0.8), (2.2, 1.0), (2.6, 0.7)] {
        for up in [-1.0, 1.0] {
            let angle = if right { std::f32::consts::PI - up * quarter.0 } else { up * quarter.0 };
            field.branch(random, disc, angle, 0.24 * across, (0.014 * quarter.1 * across, -42.0));
        }
    }
    field.set(Ellipse::new(disc.0, disc.1, 0.065 * across, 0.075).edge(0.15), 190.0);
    field.add(Ellipse::new(disc.0, disc.1, 0.03 * across, 0.035).edge(0.5), 40.0);
    field
}
