//! Ultrasound: speckle in a sector, organs that return more or less of it, letters and scales beside it.

use std::sync::Arc;

use crate::canvas::Canvas;
use crate::field::{Ellipse, Field};
use crate::image::Colour;
use crate::noise::{Grain, Random, mix};
use crate::study::{Job, Series, Study};
use crate::tags;
use crate::writer::{DataSet, Value};

const US_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.6.1";
const US_MULTI_FRAME_IMAGE: &str = "1.2.840.10008.5.1.4.1.1.3.1";

/// Screens and how their stills are sent.
const SCREENS: [(usize, usize); 4] = [(800, 600), (1024, 768), (960, 720), (1280, 960)];
const STILLS: [(Colour, f32); 4] =
    [(Colour::Jpeg(90), 0.55), (Colour::Rgb, 0.25), (Colour::Rle, 0.12), (Colour::Planar, 0.08)];

/// Names of the standard sections that are written on the picture.
const SECTIONS: [&str; 8] = ["LIVER L", "LIVER R", "GB", "CBD", "PANCREAS", "KIDNEY R", "KIDNEY L", "SPLEEN"];

/// Twenty to thirty stills of the abdomen.
pub(crate) fn abdominal(study: &Study) -> Vec<Job> {
    let mut random = study.random(60);
    let stills = study.count(random.between(20, 30));
    let screen = *random.pick(&SCREENS);
    let how = random.weighted(&STILLS);
    let series = series("ABDOMEN", ("腹部", "ABDOMEN"));
    (1..=stills).map(|number| still(&series, number, screen, how, false)).collect()
}

/// Stills and cines of the heart or the carotid arteries.
pub(crate) fn cine(study: &Study) -> Vec<Job> {
    let mut random = study.random(61);
    let small_demo = study.slices_max < 1_000;
    let stills = study.count(if small_demo { 8 } else { random.between(20, 32) });
    let cines = if small_demo { 2 } else { study.count(random.between(1, 6)) };
    let frames = study.count(random.between(30, 90));
    let how = random.weighted(&STILLS);
    let series = series("HEART", ("心臓", "HEART"));
    let screen = SCREENS[0];
    let loops = (stills + 1..=stills + cines).map(|number| cine_loop(&series, number, screen, frames));
    (1..=stills).map(|number| still(&series, number, screen, how, number % 4 == 0)).chain(loops).collect()
}

fn series(body_part: &'static str, description: (&'static str, &'static str)) -> Arc<Series> {
    let maker = ("Tanpopo Medical", "TM Echo 7");
    Arc::new(Series { number: 1, modality: "US", description, body_part, maker })
}

fn still(series: &Arc<Series>, number: u32, screen: (usize, usize), how: Colour, doppler: bool) -> Job {
    let make = move |study: &Study, set: &mut DataSet| {
        let scene = Scene::new(study, number, screen, doppler);
        describe(set, &scene);
        how.put(study, set, (scene.height, scene.width), vec![scene.frame(0.0, number)])
    };
    Job { series: series.clone(), sop_class: US_IMAGE, number, make: Box::new(make) }
}

fn cine_loop(series: &Arc<Series>, number: u32, screen: (usize, usize), frames: u32) -> Job {
    let make = move |study: &Study, set: &mut DataSet| {
        let scene = Scene::new(study, number, screen, false);
        describe(set, &scene);
        set.text(tags::NUMBER_OF_FRAMES, frames.to_string()).text(tags::FRAME_TIME, "33.3");
        set.put(tags::FRAME_INCREMENT_POINTER, Value::Plain(2, vec![0x18, 0, 0x63, 0x10]));
        set.text(tags::CINE_RATE, "30");
        let pictures = (0..frames).map(|f| scene.frame(f as f32 / 25.0, f)).collect();
        Colour::Jpeg(80).put(study, set, (scene.height, scene.width), pictures)
    };
    Job { series: series.clone(), sop_class: US_MULTI_FRAME_IMAGE, number, make: Box::new(make) }
}

/// US Image and US Region Calibration modules (PS3.3 C.8.5.5, C.8.5.6).
fn describe(set: &mut DataSet, scene: &Scene) {
    set.text(tags::IMAGE_TYPE, "ORIGINAL\\PRIMARY\\ABDOMINAL\\0001").text(tags::LOSSY_IMAGE_COMPRESSION, "00");
    set.text(tags::BURNED_IN_ANNOTATION, "NO").text(tags::PATIENT_ORIENTATION, "");
    let mut region = set.item();
    region.short(tags::REGION_SPATIAL_FORMAT, &[1]).short(tags::REGION_DATA_TYPE, &[1]);
    region.long(tags::REGION_FLAGS, &[0]);
    region.long(tags::REGION_LOCATION_MIN_X0, &[0]).long(tags::REGION_LOCATION_MIN_Y0, &[scene.height as u32 / 16]);
    region.long(tags::REGION_LOCATION_MAX_X1, &[scene.width as u32 - 1]);
    region.long(tags::REGION_LOCATION_MAX_Y1, &[scene.height as u32 - 1]);
    region.short(tags::PHYSICAL_UNITS_X_DIRECTION, &[3]).short(tags::PHYSICAL_UNITS_Y_DIRECTION, &[3]);
    let centimetres = 16.0 / scene.height as f64;
    region.double(tags::PHYSICAL_DELTA_X, &[centimetres]).double(tags::PHYSICAL_DELTA_Y, &[centimetres]);
    set.items(tags::SEQUENCE_OF_ULTRASOUND_REGIONS, vec![region]);
}

/// A view through one window: what lies where, along beams (columns) and depth (rows).
struct Scene {
    width: usize,
    height: usize,
    seed: u64,
    echo: Field,
    label: &'static str,
    doppler: bool,
    /// For each pixel in the sector: its place in the picture, beam and depth in 0..1.
    sector: Vec<(u32, f32, f32)>,
}

/// Beams and samples along a beam.
const BEAMS: usize = 192;
const DEPTHS: usize = 420;

impl Scene {
    fn new(study: &Study, number: u32, screen: (usize, usize), doppler: bool) -> Scene {
        let (width, height) = (study.pixels(screen.0), study.pixels(screen.1));
        let seed = mix(study.seed, 600 + u64::from(number));
        let mut random = Random::new(seed);
        let mut echo = Field::new(BEAMS, DEPTHS, 0.36);
        echo.clouds(&mut random, 6.0, 3, 0.06);
        for layer in 0..4 {
            let depth = 0.02 + 0.025 * layer as f32;
            echo.add(Ellipse::new(0.5, depth, 0.9, 0.006).edge(0.9), 0.25);
        }
        for _ in 0..random.between(2, 5) {
            let at = (random.range(0.1, 0.9), random.range(0.25, 0.8));
            let organ = Ellipse::new(at.0, at.1, random.range(0.08, 0.28), random.range(0.05, 0.16));
            echo.set(organ.tilted(random.range(-0.6, 0.6)), random.range(0.1, 0.5));
        }
        let cyst = Ellipse::new(random.range(0.2, 0.8), random.range(0.3, 0.6), 0.1, 0.07).edge(0.05);
        echo.set(cyst, 0.02);
        echo.add(Ellipse { y: cyst.y + 0.2, ry: 0.16, edge: 0.5, ..cyst }, 0.12);
        for _ in 0..3 {
            let from = (random.unit(), random.range(0.2, 0.7));
            echo.branch(&mut random, from, 1.2, 0.2, (0.03, -0.18));
        }
        let bow = random.range(0.62, 0.95);
        let sector = sector(width, height, bow);
        let label = random.pick(&SECTIONS);
        Scene { width, height, seed, echo, label, doppler, sector }
    }

    /// The picture at a moment of the heart's cycle.
    fn frame(&self, moment: f32, number: u32) -> Vec<u8> {
        let mut echo = self.echo.clone();
        let beat = (moment * std::f32::consts::TAU).sin();
        echo.set(Ellipse::new(0.5, 0.5, 0.16 + 0.03 * beat, 0.12 + 0.025 * beat).edge(0.12), 0.05);
        self.speckle(&mut echo, number);
        let mut canvas = Canvas::new(self.width, self.height);
        for (place, beam, depth) in &self.sector {
            let grey = sample(&echo, *beam, *depth);
            let at = *place as usize * 3;
            canvas.rgb[at..at + 3].copy_from_slice(&self.colour(grey, *beam, *depth));
        }
        self.letters(&mut canvas, number);
        canvas.rgb
    }

    /// Fully developed speckle: the length of a complex Gaussian (Rayleigh), then log compression.
    fn speckle(&self, echo: &mut Field, number: u32) {
        let seed = mix(self.seed, 70_000 + u64::from(number));
        let (mut real, mut imaginary) = (Grain::new(seed, 0.5), Grain::new(!seed, 0.5));
        let (mut a, mut b) = (vec![0.0; BEAMS], vec![0.0; BEAMS]);
        for (line, row) in echo.values.chunks_exact_mut(BEAMS).enumerate() {
            real.fill(&mut a);
            imaginary.fill(&mut b);
            let gain = 1.0 - 0.45 * (line as f32 / DEPTHS as f32 - 0.3).max(0.0);
            for ((cell, a), b) in row.iter_mut().zip(&a).zip(&b) {
                let decibels = (a * a + b * b + 0.02).ln() * 0.055;
                *cell = ((*cell + decibels) * gain - 0.04).clamp(0.0, 1.0) * 255.0;
            }
        }
    }

    fn colour(&self, grey: f32, beam: f32, depth: f32) -> [u8; 3] {
        let level = grey as u8;
        let inside = (beam - 0.5).abs() < 0.2 && (depth - 0.5).abs() < 0.18;
        if !self.doppler || !inside || grey > 40.0 {
            return [level; 3];
        }
        // Flow towards the probe is red, away is blue.
        let flow = ((beam - 0.5) * 18.0).sin() * ((depth - 0.5) * 14.0).cos();
        let strength = (90.0 + 160.0 * flow.abs()) as u8 & 0xF8;
        if flow > 0.0 { [strength, strength / 4, 0] } else { [0, strength / 3, strength] }
    }

    fn letters(&self, canvas: &mut Canvas, number: u32) {
        let size = (self.width / 400).max(1);
        let white = [230, 230, 230];
        canvas.write(size * 4, size * 4, size, white, &format!("TM ECHO 7   {}   {number}", self.label));
        canvas.write(size * 4, self.height - size * 9, size, [240, 220, 60], "MI 1 2  TIS 0 4  FR 30  D 16 CM");
        let (x, top, tall) = (self.width - size * 10, self.height / 6, self.height / 3);
        for y in 0..tall {
            let level = 255 - (y * 255 / tall.max(1)) as u8;
            canvas.fill(x, top + y, size * 4, 1, [level; 3]);
        }
        for mark in 0..16 {
            canvas.fill(size * 2, self.height / 12 + mark * self.height / 18, size * 3, size, white);
        }
    }
}

/// The scan converter's table: which pixels lie in the sector, and on which beam and depth.
fn sector(width: usize, height: usize, half_angle: f32) -> Vec<(u32, f32, f32)> {
    let (apex_x, apex_y) = (width as f32 / 2.0, height as f32 * 0.02);
    let (inner, outer) = (height as f32 * 0.08, height as f32 * 0.95);
    let mut places = Vec::with_capacity(width * height / 2);
    for y in height / 16..height {
        for x in 0..width {
            let (dx, dy) = (x as f32 - apex_x, y as f32 - apex_y);
            let radius = (dx * dx + dy * dy).sqrt();
            let angle = dx.atan2(dy);
            if radius > inner && radius < outer && angle.abs() < half_angle {
                let place = (y * width + x) as u32;
                places.push((place, (angle / half_angle + 1.0) / 2.0, (radius - inner) / (outer - inner)));
            }
        }
    }
    places
}

fn sample(field: &Field, beam: f32, depth: f32) -> f32 {
    let (x, y) = (beam * (BEAMS - 1) as f32, depth * (DEPTHS - 1) as f32);
    let (left, top) = ((x as usize).min(BEAMS - 2), (y as usize).min(DEPTHS - 2));
    let (fx, fy) = (x - left as f32, y - top as f32);
    let at = top * BEAMS + left;
    let v = &field.values;
    let above = v[at] + (v[at + 1] - v[at]) * fx;
    let below = v[at + BEAMS] + (v[at + BEAMS + 1] - v[at + BEAMS]) * fx;
    above + (below - above) * fy
}
