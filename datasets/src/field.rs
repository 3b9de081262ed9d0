//! Anatomy as a smooth field: shapes are painted on a coarse grid and enlarged to the matrix, which is what an
//! imaging chain of limited resolution does too, and what makes a 12-megapixel mammogram quick.
//!
//! Positions are in units of the field: x in 0..1 of its width, y in 0..1 of its height.

use crate::noise::{Grain, Random};

/// A grid of values.
#[derive(Clone)]
pub(crate) struct Field {
    pub(crate) width: usize,
    pub(crate) height: usize,
    pub(crate) values: Vec<f32>,
}

/// An ellipse; `tilt` in radians, `edge` the width of its rim as a part of its radius.
#[derive(Clone, Copy)]
pub(crate) struct Ellipse {
    pub(crate) x: f32,
    pub(crate) y: f32,
    pub(crate) rx: f32,
    pub(crate) ry: f32,
    pub(crate) tilt: f32,
    pub(crate) edge: f32,
}

impl Ellipse {
    /// An upright ellipse with a rim of an eighth.
    pub(crate) fn new(x: f32, y: f32, rx: f32, ry: f32) -> Ellipse {
        Ellipse { x, y, rx, ry, tilt: 0.0, edge: 0.12 }
    }

    /// The same, turned.
    pub(crate) fn tilted(self, tilt: f32) -> Ellipse {
        Ellipse { tilt, ..self }
    }

    /// The same with another rim.
    pub(crate) fn edge(self, edge: f32) -> Ellipse {
        Ellipse { edge, ..self }
    }
}

impl Field {
    /// A grid of one value.
    pub(crate) fn new(width: usize, height: usize, value: f32) -> Field {
        let (width, height) = (width.max(2), height.max(2));
        Field { width, height, values: vec![value; width * height] }
    }

    /// Calls `paint(cell, mask)` for every cell of the ellipse; the mask is 0..1 across the rim.
    fn each(&mut self, e: Ellipse, mut paint: impl FnMut(&mut f32, f32, f32)) {
        let (w, h) = (self.width as f32, self.height as f32);
        let (sin, cos) = e.tilt.sin_cos();
        let (rx, ry) = (e.rx * w, e.ry * h);
        let reach = 1.0 + e.edge;
        let half_x = ((rx * cos).powi(2) + (ry * sin).powi(2)).sqrt() * reach;
        let half_y = ((rx * sin).powi(2) + (ry * cos).powi(2)).sqrt() * reach;
        let (cx, cy) = (e.x * w, e.y * h);
        let clamp = |v: f32, end: usize| (v.max(0.0) as usize).min(end);
        let (x0, x1) = (clamp(cx - half_x, self.width), clamp(cx + half_x + 1.0, self.width));
        let (y0, y1) = (clamp(cy - half_y, self.height), clamp(cy + half_y + 1.0, self.height));
        for y in y0..y1 {
            let dy = y as f32 + 0.5 - cy;
            for (x, cell) in (x0..x1).zip(&mut self.values[y * self.width + x0..y * self.width + x1]) {
                let dx = x as f32 + 0.5 - cx;
                let (u, v) = ((dx * cos + dy * sin) / rx, (dy * cos - dx * sin) / ry);
                let radius = (u * u + v * v).sqrt();
                let mask = ((1.0 - radius) / e.edge + 0.5).clamp(0.0, 1.0);
                if mask > 0.0 {
                    paint(cell, mask, radius);
                }
            }
        }
    }

    /// Adds a flat ellipse.
    pub(crate) fn add(&mut self, ellipse: Ellipse, amount: f32) {
        self.each(ellipse, |cell, mask, _| *cell += amount * mask);
    }

    /// Adds the projection of an ellipsoid: thick in the middle, thin at the rim.
    pub(crate) fn add_dome(&mut self, ellipse: Ellipse, amount: f32) {
        self.each(ellipse, |cell, _, radius| *cell += amount * (1.0 - radius * radius).max(0.0).sqrt());
    }

    /// Draws the values inside an ellipse to one value.
    pub(crate) fn set(&mut self, ellipse: Ellipse, value: f32) {
        self.each(ellipse, |cell, mask, _| *cell += (value - *cell) * mask);
    }

    /// Adds a path of round strokes, its width and amount tapering to `end` of themselves.
    pub(crate) fn stroke(&mut self, path: &[(f32, f32)], width: f32, end: f32, amount: f32) {
        let aspect = self.width as f32 / self.height as f32;
        let steps = path.len().saturating_sub(1).max(1) as f32;
        for (i, pair) in path.windows(2).enumerate() {
            let ((ax, ay), (bx, by)) = (pair[0], pair[1]);
            let taper = 1.0 + (end - 1.0) * i as f32 / steps;
            let (dx, dy) = ((bx - ax) * self.width as f32, (by - ay) * self.height as f32);
            let length = (dx * dx + dy * dy).sqrt() / self.width as f32;
            let middle = Ellipse {
                x: (ax + bx) / 2.0,
                y: (ay + by) / 2.0,
                rx: length / 2.0 + width * taper * 0.5,
                ry: width * taper * aspect,
                tilt: dy.atan2(dx),
                edge: 0.6,
            };
            self.add(middle, amount * (0.4 + 0.6 * taper));
        }
    }

    /// A tree of branching strokes from a point: vessels, bronchi, ducts.
    pub(crate) fn branch(&mut self, random: &mut Random, from: (f32, f32), angle: f32, reach: f32, style: (f32, f32)) {
        let (width, amount) = style;
        if reach < 0.03 || width * (self.width as f32) < 0.4 {
            return;
        }
        let mut path = vec![from];
        let (mut x, mut y, mut turn) = (from.0, from.1, angle);
        for _ in 0..4 {
            turn += random.range(-0.25, 0.25);
            x += turn.cos() * reach / 4.0;
            y += turn.sin() * reach / 4.0;
            path.push((x, y));
        }
        self.stroke(&path, width, 0.7, amount);
        for side in [-1.0, 1.0] {
            let next = turn + side * random.range(0.25, 0.7);
            let further = reach * random.range(0.6, 0.8);
            self.branch(random, (x, y), next, further, (width * 0.68, amount * 0.85));
        }
    }

    /// Adds clouds: value noise of `octaves`, the largest with `cells` cells across, of standard size `amount`.
    pub(crate) fn clouds(&mut self, random: &mut Random, cells: f32, octaves: u32, amount: f32) {
        let (mut cells, mut amount) = (cells, amount);
        for _ in 0..octaves {
            let across = (cells as usize).clamp(2, self.width);
            let down = ((cells * self.height as f32 / self.width as f32) as usize).clamp(2, self.height);
            let mut lattice = Field::new(across, down, 0.0);
            lattice.values.iter_mut().for_each(|v| *v = random.gauss() * amount);
            self.add_enlarged(&lattice);
            cells *= 2.0;
            amount *= 0.55;
        }
    }

    /// Adds another field, enlarged to this one's grid.
    pub(crate) fn add_enlarged(&mut self, other: &Field) {
        let mut row = vec![0.0; self.width];
        for y in 0..self.height {
            other.enlarged_row(y, self.height, &mut row);
            for (cell, value) in self.values[y * self.width..].iter_mut().zip(&row) {
                *cell += value;
            }
        }
    }

    /// Row `y` of this field enlarged to `height` rows of `row.len()` columns (bilinear).
    pub(crate) fn enlarged_row(&self, y: usize, height: usize, row: &mut [f32]) {
        let (top, fy) = place(y, height, self.height);
        let above = &self.values[top * self.width..(top + 1) * self.width];
        let below = &self.values[(top + 1) * self.width..(top + 2) * self.width];
        let mixed: Vec<f32> = above.iter().zip(below).map(|(a, b)| a + (b - a) * fy).collect();
        let step = (self.width - 1) as f32 / (row.len().max(2) - 1) as f32;
        let last = self.width - 2;
        for (x, out) in row.iter_mut().enumerate() {
            let at = x as f32 * step;
            let left = (at as usize).min(last);
            let (a, b) = (mixed[left], mixed[left + 1]);
            *out = a + (b - a) * (at - left as f32);
        }
    }

    /// Changes every value.
    pub(crate) fn map(&mut self, change: impl Fn(f32) -> f32) {
        self.values.iter_mut().for_each(|v| *v = change(*v));
    }
}

/// Where line `y` of `height` lies between two of `lines`: the upper one, and how far below it.
fn place(y: usize, height: usize, lines: usize) -> (usize, f32) {
    let at = y as f32 * (lines - 1) as f32 / (height.max(2) - 1) as f32;
    let top = (at as usize).min(lines - 2);
    (top, at - top as f32)
}

/// What a sensor makes of a field: matrix, noise and number range.
#[derive(Clone, Copy)]
pub(crate) struct Sensor {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    /// Standard deviation of the noise where the field is 0 …
    pub(crate) noise: f32,
    /// … and how much it grows with each unit of the field (quantum noise).
    pub(crate) noise_slope: f32,
    /// Correlation of the noise between neighbours.
    pub(crate) correlation: f32,
    /// Least sample value.
    pub(crate) least: i32,
    /// Greatest sample value.
    pub(crate) greatest: i32,
}

impl Sensor {
    /// The samples of a field as 16-bit little-endian words, row by row.
    pub(crate) fn expose(&self, field: &Field, seed: u64) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(self.rows * self.columns * 2);
        self.expose_into(field, seed, &mut bytes);
        bytes
    }

    /// The same, appended: frame after frame.
    pub(crate) fn expose_into(&self, field: &Field, seed: u64, bytes: &mut Vec<u8>) {
        let mut grain = Grain::new(seed, self.correlation);
        let (mut row, mut noise) = (vec![0.0; self.columns], vec![0.0; self.columns]);
        let (least, greatest) = (self.least as f32, self.greatest as f32);
        for y in 0..self.rows {
            field.enlarged_row(y, self.rows, &mut row);
            grain.fill(&mut noise);
            let start = bytes.len();
            bytes.resize(start + 2 * self.columns, 0);
            for ((word, value), grain) in bytes[start..].chunks_exact_mut(2).zip(&row).zip(&noise) {
                let deviation = (self.noise + self.noise_slope * value).max(0.0);
                let sample = (value + grain * deviation).clamp(least, greatest);
                word.copy_from_slice(&(sample.round_ties_even() as i32 as u16).to_le_bytes());
            }
        }
    }
}
