//! The samples of a tile, on their way to the wavelet.

use super::reversible::Feed;
use crate::convert::{self, Convert};
use crate::geometry::Rect;
use crate::image::{Samples, Shape};
use crate::pool::Shares;
use crate::simd::Level;
use crate::workers::Workers;

/// Bits up to which the reversible colour transform is made in 16 bits: it doubles the range of two components.
const NARROW_COLOUR_BITS_MAX: u8 = 12;
/// Rows of one task of a colour transform.
const TASK_ROWS: usize = 128;

/// What is needed to take rows of samples as they are.
#[derive(Clone, Copy)]
pub(super) struct Picture<'a> {
    pub level: Level,
    pub shape: Shape,
    pub samples: Samples<'a>,
    /// Smallest and largest number of all.
    pub range: (i32, i32),
}

impl Picture<'_> {
    /// The DC level shift (T.800 G.1.1).
    pub fn shift(&self) -> i32 {
        if self.shape.signed { 0 } else { -(1 << (self.shape.bits - 1)) }
    }

    /// Row `y` of one component from column `x0` on, plus `offset`.
    fn load<T: Convert>(&self, component: usize, x0: u32, y: u32, offset: i32, row: &mut [T]) {
        let step = usize::from(self.shape.components);
        let first = (y as usize * self.shape.width as usize + x0 as usize) * step + component;
        convert::load(self.level, self.samples, first, step, offset, row);
    }

    /// Rows of the irreversible path.
    pub fn load_real(&self, component: usize, x0: u32, y: u32, row: &mut [f32]) {
        self.load(component, x0, y, self.shift(), row);
    }
}

/// One component, straight from the picture.
pub(super) struct Plain<'a> {
    pub picture: Picture<'a>,
    pub component: usize,
    pub tile: Rect,
    base: i32,
}

impl<'a> Plain<'a> {
    pub fn new(picture: Picture<'a>, component: usize, tile: Rect) -> Plain<'a> {
        // Away from the origin, a level may have a single odd row or column, which the transform doubles, base and all.
        let centred = tile.x0 == 0 && tile.y0 == 0;
        let (low, high) = picture.range;
        let base = if centred { low + (high - low) / 2 + picture.shift() } else { 0 };
        Plain { picture, component, tile, base }
    }
}

impl Feed for Plain<'_> {
    fn narrow_peak(&self) -> i32 {
        let (low, high) = self.picture.range;
        let offset = self.picture.shift() - self.base;
        (high + offset).abs().max((low + offset).abs())
    }

    fn narrow(&self, y: u32, row: &mut [i16]) {
        self.picture.load(self.component, self.tile.x0, y, self.picture.shift() - self.base, row);
    }

    fn narrow_base(&self) -> i32 {
        self.base
    }

    fn wide(&self, y: u32, row: &mut [i32]) {
        self.picture.load(self.component, self.tile.x0, y, self.picture.shift(), row);
    }
}

/// The first three components of a tile after the reversible colour transform, in one of two widths.
#[derive(Default)]
pub(super) struct Colour {
    narrow: [Vec<i16>; 3],
    wide: [Vec<i32>; 3],
    is_narrow: bool,
    tile: Rect,
}

impl Colour {
    /// Transforms the tile (T.800 G.2).
    pub fn load(&mut self, picture: Picture<'_>, tile: Rect, workers: &dyn Workers) {
        (self.tile, self.is_narrow) = (tile, picture.shape.bits <= NARROW_COLOUR_BITS_MAX);
        if self.is_narrow {
            transform(&mut self.narrow, picture, tile, workers);
        } else {
            transform(&mut self.wide, picture, tile, workers);
        }
    }

    /// One of the three, as a feed.
    pub fn component(&self, number: usize, bits: u8) -> ColourFeed<'_> {
        ColourFeed { colour: self, number, peak: if self.is_narrow { (1 << bits) - 1 } else { i32::MAX } }
    }

    fn row<'a, T>(&self, plane: &'a [T], y: u32, width: usize) -> &'a [T] {
        let start = (y - self.tile.y0) as usize * width;
        &plane[start..start + width]
    }
}

/// One component of [`Colour`].
pub(super) struct ColourFeed<'a> {
    colour: &'a Colour,
    number: usize,
    peak: i32,
}

impl Feed for ColourFeed<'_> {
    fn narrow_peak(&self) -> i32 {
        self.peak
    }

    fn narrow(&self, y: u32, row: &mut [i16]) {
        row.copy_from_slice(self.colour.row(&self.colour.narrow[self.number], y, row.len()));
    }

    fn narrow_base(&self) -> i32 {
        0
    }

    fn wide(&self, y: u32, row: &mut [i32]) {
        if !self.colour.is_narrow {
            return row.copy_from_slice(self.colour.row(&self.colour.wide[self.number], y, row.len()));
        }
        let narrow = self.colour.row(&self.colour.narrow[self.number], y, row.len());
        row.iter_mut().zip(narrow).for_each(|(wide, &narrow)| *wide = i32::from(narrow));
    }
}

fn transform<T: Convert + crate::Coefficient>(
    planes: &mut [Vec<T>; 3],
    picture: Picture<'_>,
    tile: Rect,
    workers: &dyn Workers,
) {
    let (width, area) = (tile.width() as usize, tile.width() as usize * tile.height() as usize);
    planes.iter_mut().for_each(|plane| plane.resize(area.max(plane.len()), T::default()));
    let [red, green, blue] = planes;
    let chunk = width * TASK_ROWS;
    let parts = red[..area].chunks_mut(chunk).zip(green[..area].chunks_mut(chunk)).zip(blue[..area].chunks_mut(chunk));
    let shares = Shares::new(parts);
    workers.run(shares.len(), &|task| {
        let Some(((red, green), blue)) = shares.take(task) else { return };
        let rows = red.chunks_mut(width).zip(green.chunks_mut(width)).zip(blue.chunks_mut(width));
        for (y, ((red, green), blue)) in (tile.y0 + (task * TASK_ROWS) as u32..).zip(rows) {
            for (component, row) in [&mut *red, &mut *green, &mut *blue].into_iter().enumerate() {
                picture.load(component, tile.x0, y, picture.shift(), row);
            }
            convert::rct_forward(picture.level, red, green, blue);
        }
    });
}
