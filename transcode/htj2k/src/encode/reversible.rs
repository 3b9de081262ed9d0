//! The reversible path of one tile-component: 5/3 wavelet level by level, 16 bits wide as long as that is safe.

use std::sync::Mutex;

use super::bands::{BandScratch, Bands, Coded, Stage, locked};
use super::tasks::Tasks;
use crate::block::encode::BlockEncoder;
use crate::geometry::{Resolution, TileComponent};
use crate::pool::Pool;
use crate::simd::Level;
use crate::workers::Workers;

/// Magnitude within which samples (or low coefficients) must be for one more 5/3 level to fit 16 bits: the vertical
/// high-pass doubles it, the horizontal one doubles that, and a lifting step adds two of those.
const NARROW_PEAK_MAX: i32 = 4095;

/// The samples of a tile-component, in whichever width they are wanted.
pub(super) trait Feed: Sync {
    /// Largest magnitude that [`Feed::narrow`] gives.
    fn narrow_peak(&self) -> i32;
    /// Fills row `y`, less [`Feed::narrow_base`].
    fn narrow(&self, y: u32, row: &mut [i16]);
    /// What [`Feed::narrow`] leaves out: the 5/3 carries it to the lowest LL alone, unchanged.
    fn narrow_base(&self) -> i32;
    /// Fills row `y`.
    fn wide(&self, y: u32, row: &mut [i32]);
}

/// Planes and scratch of the reversible path, kept from picture to picture. Low coefficients go from one plane of a
/// pair to the other, level by level.
#[derive(Default)]
pub(super) struct Reversible {
    narrow: Pool<BandScratch<i16>>,
    wide: Pool<BandScratch<i32>>,
    coders: Pool<BlockEncoder>,
    low_narrow: [Vec<i16>; 2],
    low_wide: [Vec<i32>; 2],
    lowest: Vec<i32>,
}

/// Where the input of the next level is.
enum Input {
    Samples,
    Narrow,
    Wide,
}

impl Reversible {
    /// Codes one tile-component into `tasks`.
    pub fn code(
        &mut self,
        level: Level,
        component: &TileComponent,
        feed: &dyn Feed,
        tasks: &mut Tasks,
        workers: &dyn Workers,
    ) {
        let (mut input, mut peak) = (Input::Samples, feed.narrow_peak());
        for (below, resolution) in component.resolutions.windows(2).rev().map(|pair| (&pair[0], &pair[1])) {
            let count = Bands::new(resolution).count();
            let area = below.rect.width() as usize * below.rect.height() as usize;
            let claimed = tasks.claim(count);
            input = if peak <= NARROW_PEAK_MAX && !matches!(input, Input::Wide) {
                self.narrow_level(level, resolution, &input, feed, area, claimed, workers)
            } else {
                self.wide_level(level, resolution, &input, feed, area, claimed, workers)
            };
            peak = tasks.low_peak(count);
        }
        self.gather_lowest(&component.resolutions[0], &input, feed);
        self.code_lowest(level, &component.resolutions[0], tasks, workers);
    }

    #[allow(clippy::too_many_arguments, reason = "one call site, and each is another thing")]
    fn narrow_level(
        &mut self,
        level: Level,
        resolution: &Resolution,
        input: &Input,
        feed: &dyn Feed,
        area: usize,
        tasks: &[Mutex<Coded>],
        workers: &dyn Workers,
    ) -> Input {
        let [from, to] = &mut self.low_narrow;
        let stage = Stage { level, scratch: &self.narrow, workers };
        grow(to, area);
        match input {
            Input::Samples => stage.code(resolution, &|y, row| feed.narrow(y, row), &mut to[..area], tasks),
            _ => stage.code(resolution, &|y, row| copy_row(from, resolution, y, row), &mut to[..area], tasks),
        }
        self.low_narrow.swap(0, 1);
        Input::Narrow
    }

    #[allow(clippy::too_many_arguments, reason = "one call site, and each is another thing")]
    fn wide_level(
        &mut self,
        level: Level,
        resolution: &Resolution,
        input: &Input,
        feed: &dyn Feed,
        area: usize,
        tasks: &[Mutex<Coded>],
        workers: &dyn Workers,
    ) -> Input {
        let [from, to] = &mut self.low_wide;
        let (narrow, base) = (&self.low_narrow[0], feed.narrow_base());
        let stage = Stage { level, scratch: &self.wide, workers };
        grow(to, area);
        match input {
            Input::Samples => stage.code(resolution, &|y, row| feed.wide(y, row), &mut to[..area], tasks),
            Input::Narrow => {
                stage.code(resolution, &|y, row| widen_row(narrow, resolution, base, y, row), &mut to[..area], tasks);
            }
            Input::Wide => stage.code(resolution, &|y, row| copy_row(from, resolution, y, row), &mut to[..area], tasks),
        }
        self.low_wide.swap(0, 1);
        Input::Wide
    }

    /// Brings the lowest LL to `self.lowest`.
    fn gather_lowest(&mut self, lowest: &Resolution, input: &Input, feed: &dyn Feed) {
        let (width, height) = (lowest.rect.width() as usize, lowest.rect.height() as usize);
        grow(&mut self.lowest, width * height);
        if width == 0 {
            return;
        }
        for (y, row) in (lowest.rect.y0..).zip(self.lowest[..width * height].chunks_exact_mut(width)) {
            match input {
                Input::Samples => feed.wide(y, row),
                Input::Narrow => widen_row(&self.low_narrow[0], lowest, feed.narrow_base(), y, row),
                Input::Wide => copy_row(&self.low_wide[0], lowest, y, row),
            }
        }
    }

    /// Codes the lowest LL, one task a row of code-blocks.
    fn code_lowest(&self, level: Level, lowest: &Resolution, tasks: &mut Tasks, workers: &dyn Workers) {
        let band = &lowest.subbands[0];
        let stride = band.rect.width() as usize;
        let tasks = tasks.claim(band.rows as usize);
        workers.run(tasks.len(), &|task| {
            let mut coded = locked(&tasks[task]);
            coded.clear();
            let first = (band.block(0, task as u32).y0 - band.rect.y0) as usize * stride;
            let make = || BlockEncoder::new(level);
            self.coders.with(make, |coder| {
                coded.code_row(coder, band, task as u32, &self.lowest[first..], stride);
            });
        });
    }
}

fn grow<T: Copy + Default>(plane: &mut Vec<T>, area: usize) {
    if plane.len() < area {
        plane.resize(area, T::default());
    }
}

/// Row `y` of `resolution` out of a plane that holds the whole of it.
fn row_of<'a, T>(plane: &'a [T], resolution: &Resolution, y: u32, width: usize) -> &'a [T] {
    let start = (y - resolution.rect.y0) as usize * width;
    &plane[start..start + width]
}

fn copy_row<T: Copy>(plane: &[T], resolution: &Resolution, y: u32, row: &mut [T]) {
    row.copy_from_slice(row_of(plane, resolution, y, row.len()));
}

fn widen_row(plane: &[i16], resolution: &Resolution, base: i32, y: u32, row: &mut [i32]) {
    let from = row_of(plane, resolution, y, row.len());
    for (wide, narrow) in row.iter_mut().zip(from) {
        *wide = i32::from(*narrow) + base;
    }
}
