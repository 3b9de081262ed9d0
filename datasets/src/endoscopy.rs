//! Upper gastrointestinal endoscopy: wet mucosa lit from the tip, folds into the dark, highlights, a masked frame.

use std::sync::Arc;

use crate::canvas::Canvas;
use crate::field::{Ellipse, Field};
use crate::image::Colour;
use crate::noise::{Grain, Random, mix};
use crate::study::{Job, Series, Study};
use crate::tags;
use crate::writer::DataSet;

const VL_ENDOSCOPIC_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.77.1.1";

/// About forty stills, JPEG Baseline as the processor writes them; a few processors send RGB.
pub(crate) fn jobs(study: &Study) -> Vec<Job> {
    let mut random = study.random(70);
    let stills = study.count(random.between(32, 46));
    let screen = *random.pick(&[(1280, 1024), (1280, 1024), (1920, 1080)]);
    let quality = random.between(84, 92) as u8;
    let how = if random.chance(0.08) { Colour::Rgb } else { Colour::Jpeg(quality) };
    let series = Arc::new(Series {
        number: 1,
        modality: "ES",
        description: ("上部消化管", "UPPER GI"),
        body_part: "STOMACH",
        maker: ("Tanpopo Medical", "TM Scope 290"),
    });
    let job = |number| {
        let make = move |study: &Study, set: &mut DataSet| {
            let size = (study.pixels(screen.1), study.pixels(screen.0));
            set.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY").text(tags::PATIENT_ORIENTATION, "");
            set.text(tags::BURNED_IN_ANNOTATION, "NO").text(tags::LOSSY_IMAGE_COMPRESSION, "00");
            set.items(tags::ACQUISITION_CONTEXT_SEQUENCE, Vec::new());
            let picture = picture(mix(study.seed, 700 + u64::from(number)), size);
            how.put(study, set, size, vec![picture])
        };
        Job { series: series.clone(), sop_class: VL_ENDOSCOPIC_IMAGE, number, make: Box::new(make) }
    };
    (1..=stills).map(job).collect()
}

/// One still, RGB.
fn picture(seed: u64, (rows, columns): (usize, usize)) -> Vec<u8> {
    let mut random = Random::new(seed);
    let (light, glare) = mucosa(&mut random, (columns / 3).max(32), (rows / 3).max(32));
    let hue = (random.range(0.5, 0.62), random.range(0.36, 0.46));
    let mut canvas = Canvas::new(columns, rows);
    let mut grain = Grain::new(seed, 0.45);
    let (mut lit, mut shine, mut noise) = (vec![0.0; columns], vec![0.0; columns], vec![0.0; columns]);
    let left = columns - (rows * 5 / 4).min(columns * 4 / 5);
    for y in 0..rows {
        light.enlarged_row(y, rows, &mut lit);
        glare.enlarged_row(y, rows, &mut shine);
        grain.fill(&mut noise);
        let open = window(y, rows, left, columns);
        let row = &mut canvas.rgb[y * columns * 3..(y + 1) * columns * 3];
        for x in open {
            let level = (lit[x] + noise[x] * 2.6).max(0.0);
            let white = shine[x].max(0.0) * 255.0;
            let pixel = [level + white, level * hue.0 + white, level * hue.1 + white + noise[x] * 1.4];
            row[3 * x..3 * x + 3].copy_from_slice(&pixel.map(|v| v.clamp(0.0, 255.0) as u8));
        }
    }
    let size = (columns / 480).max(1);
    canvas.write(size * 3, size * 6, size, [220, 220, 220], "TM SCOPE 290");
    canvas.write(size * 3, size * 16, size, [220, 220, 220], &format!("{:06}", seed % 1_000_000));
    canvas.rgb
}

/// Columns of row `y` inside the octagonal mask.
fn window(y: usize, rows: usize, left: usize, columns: usize) -> std::ops::Range<usize> {
    let cut = rows / 8;
    let inset = cut.saturating_sub(y).max((y + cut).saturating_sub(rows));
    (left + inset).min(columns)..columns.saturating_sub(inset)
}

/// Light that comes back (0..255) and what glares (0..1).
fn mucosa(random: &mut Random, width: usize, height: usize) -> (Field, Field) {
    let mut light = Field::new(width, height, 205.0);
    let lumen = (random.range(0.5, 0.75), random.range(0.35, 0.65));
    for ring in (1..7).rev() {
        let radius = 0.075 * ring as f32;
        let bend = Ellipse::new(lumen.0, lumen.1, radius, radius * 1.2).tilted(random.range(-0.5, 0.5)).edge(0.16);
        light.set(bend, 20.0 + 30.0 * ring as f32);
        light.add(Ellipse { rx: radius * 1.12, ry: radius * 1.3, edge: 0.5, ..bend }, 14.0);
    }
    light.set(Ellipse::new(lumen.0, lumen.1, 0.05, 0.07).edge(0.7), 12.0);
    light.clouds(random, 5.0, 6, 12.0);
    for _ in 0..14 {
        let from = (random.range(0.2, 1.0), random.unit());
        let angle = random.range(0.0, std::f32::consts::TAU);
        light.branch(random, from, angle, 0.16, (0.008, -24.0));
    }
    let mut glare = Field::new(width, height, 0.0);
    for _ in 0..random.between(20, 60) {
        let (x, y, r) = (random.range(0.2, 1.0), random.unit(), random.range(0.002, 0.012));
        glare.add(Ellipse::new(x, y, r, r * random.range(0.5, 1.6)).edge(0.7), random.range(0.5, 1.0));
    }
    (light, glare)
}
