//! The irreversible path of one tile-component: 9/7 wavelet, quantiser, block coder.

use super::bands::locked;
use super::feeds::Picture;
use super::tasks::Tasks;
use crate::block::encode::BlockEncoder;
use crate::codestream::Qcd;
use crate::convert;
use crate::error::Result;
use crate::geometry::{Rect, Subband, Tile, TileComponent};
use crate::pool::Pool;
use crate::simd::Level;
use crate::wavelet::{Analysis, RowsMut, SubbandsMut};
use crate::workers::Workers;

/// Planes and scratch of the irreversible path.
#[derive(Default)]
pub(super) struct Irreversible {
    /// The samples of each component, then the low coefficients level by level.
    planes: Vec<Vec<f32>>,
    subbands: [Vec<f32>; 4],
    analysis: Analysis<f32>,
    coders: Pool<(BlockEncoder, Vec<i32>)>,
}

impl Irreversible {
    /// Codes a whole tile into `tasks`, quantised as `qcd` says.
    ///
    /// # Errors
    /// When `qcd` has no step for a subband.
    pub fn code(
        &mut self,
        picture: Picture<'_>,
        tile: &Tile,
        colour: bool,
        qcd: &Qcd,
        tasks: &mut Tasks,
        workers: &dyn Workers,
    ) -> Result<()> {
        self.load(picture, tile.rect, colour);
        for (number, component) in tile.components.iter().enumerate() {
            self.component(picture, number, component, qcd, tasks, workers)?;
        }
        Ok(())
    }

    fn load(&mut self, picture: Picture<'_>, tile: Rect, colour: bool) {
        let (width, area) = (tile.width() as usize, tile.width() as usize * tile.height() as usize);
        self.planes.resize_with(usize::from(picture.shape.components), Vec::new);
        for (component, plane) in self.planes.iter_mut().enumerate() {
            plane.resize(area, 0.0);
            for (y, row) in (tile.y0..).zip(plane.chunks_exact_mut(width)) {
                picture.load_real(component, tile.x0, y, row);
            }
        }
        if let (true, [red, green, blue, ..]) = (colour, &mut self.planes[..]) {
            convert::ict_forward(picture.level, red, green, blue);
        }
    }

    fn component(
        &mut self,
        picture: Picture<'_>,
        number: usize,
        component: &TileComponent,
        qcd: &Qcd,
        tasks: &mut Tasks,
        workers: &dyn Workers,
    ) -> Result<()> {
        let decompositions = (component.resolutions.len() - 1) as u8;
        let step = |band: &Subband| qcd.step_size(decompositions, band.orientation, band.level, picture.shape.bits);
        for (below, resolution) in component.resolutions.windows(2).rev().map(|pair| (&pair[0], &pair[1])) {
            self.analyse(picture.level, number, below.rect, resolution.rect, &resolution.subbands);
            for (band, plane) in resolution.subbands.iter().zip(&self.subbands[1..]) {
                code_subband(picture.level, band, plane, step(band)?, &self.coders, tasks, workers);
            }
            std::mem::swap(&mut self.planes[number], &mut self.subbands[0]);
        }
        let lowest = &component.resolutions[0].subbands[0];
        code_subband(picture.level, lowest, &self.planes[number], step(lowest)?, &self.coders, tasks, workers);
        Ok(())
    }

    /// One level: from `planes[number]` to `subbands`, LL first.
    fn analyse(&mut self, level: Level, number: usize, low: Rect, rect: Rect, high: &[Subband]) {
        let rects = [low, high[0].rect, high[1].rect, high[2].rect];
        for (plane, rect) in self.subbands.iter_mut().zip(&rects) {
            plane.resize(rect.width() as usize * rect.height() as usize, 0.0);
        }
        let [ll, hl, lh, hh] = &mut self.subbands;
        let rows = |samples, rect: &Rect| RowsMut { samples, stride: rect.width() as usize, first: rect.y0 };
        let mut out = SubbandsMut {
            ll: rows(ll, &rects[0]),
            hl: rows(hl, &rects[1]),
            lh: rows(lh, &rects[2]),
            hh: rows(hh, &rects[3]),
        };
        let plane = &self.planes[number];
        let mut source = |y: u32, row: &mut [f32]| {
            let start = (y - rect.y0) as usize * row.len();
            row.copy_from_slice(&plane[start..start + row.len()]);
        };
        self.analysis.band(level, rect, rect.y0..rect.y1, &mut source, &mut out);
    }
}

/// Quantises and codes one subband, one task a row of code-blocks.
fn code_subband(
    level: Level,
    band: &Subband,
    plane: &[f32],
    step: f32,
    coders: &Pool<(BlockEncoder, Vec<i32>)>,
    tasks: &mut Tasks,
    workers: &dyn Workers,
) {
    let width = band.rect.width() as usize;
    let tasks = tasks.claim(band.rows as usize);
    workers.run(tasks.len(), &|task| {
        let mut coded = locked(&tasks[task]);
        coded.clear();
        let block = band.block(0, task as u32);
        let first = (block.y0 - band.rect.y0) as usize * width;
        let strip = &plane[first..first + block.height() as usize * width];
        coders.with(
            || (BlockEncoder::new(level), Vec::new()),
            |(coder, indices)| {
                indices.clear();
                indices.extend(strip.iter().map(|&coefficient| quantise(coefficient, 1.0 / step)));
                coded.code_row(coder, band, task as u32, indices, width);
            },
        );
    });
}

/// The dead-zone quantiser (T.800 E-1): towards zero.
fn quantise(coefficient: f32, per_step: f32) -> i32 {
    (coefficient * per_step) as i32
}
