//! Tile-components with what T.801 adds: levels that split in one direction only (DFS) or another kernel (ATK). Plain
//! and simple: every level is made as one whole plane, by one thread; the standard's own levels never come here.

use super::component::Wanted;
use super::strips::{Decoded, Strip};
use super::target::Target;
use crate::block::decode::BlockDecoder;
use crate::error::{Error, Result};
use crate::geometry::{Orientation, Rect, Resolution, Subband};
use crate::wavelet::{Kernel, Lifted, synthesise_columns, synthesise_rows};

/// Planes of both kinds of number, kept from picture to picture.
#[derive(Default)]
pub(super) struct Part2 {
    wide: Planes<i32>,
    real: Planes<f32>,
}

/// The level that is there, and the one above it.
#[derive(Default)]
struct Planes<T> {
    low: Vec<T>,
    level: Vec<T>,
    strip: Strip<T>,
}

impl Part2 {
    /// Decodes into `target`, whose rows and columns are those of `wanted.rect`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if the whole tile-component has more than `samples_max` samples, whatever is wanted of it.
    pub fn decode(
        &mut self,
        wanted: &Wanted<'_>,
        kernel: &Kernel,
        samples_max: u64,
        mut target: Target<'_>,
    ) -> Result<()> {
        let rect = wanted.component.resolutions[wanted.highest].rect;
        let claimed = u64::from(rect.width()) * u64::from(rect.height());
        if claimed > samples_max {
            return Err(Error::TooLarge { what: "samples of a tile-component", claimed, limit: samples_max });
        }
        match kernel {
            Kernel::Reversible(_) => self.wide.decode(wanted, kernel, &mut target),
            Kernel::Irreversible { .. } => self.real.decode(wanted, kernel, &mut target),
        }
    }
}

impl<T: Decoded + Lifted> Planes<T> {
    fn decode(&mut self, wanted: &Wanted<'_>, kernel: &Kernel, target: &mut Target<'_>) -> Result<()> {
        let mut decoder = BlockDecoder::new(wanted.coded.level);
        let levels = &wanted.component.resolutions[..=wanted.highest];
        for (r, level) in levels.iter().enumerate() {
            let (width, height) = (level.rect.width() as usize, level.rect.height() as usize);
            self.level.clear();
            self.level.resize(width * height, T::default());
            if let Some(below) = r.checked_sub(1) {
                self.place_low(level, &levels[below].rect);
            }
            for band in &level.subbands {
                self.place_band(wanted, level, band, &mut decoder)?;
            }
            // T.800 F.3.2: rows first.
            if level.halved.0 > 0 {
                synthesise_rows(kernel, &mut self.level, width, level.rect.x0);
            }
            if level.halved.1 > 0 {
                synthesise_columns(kernel, &mut self.level, width, level.rect.y0);
            }
            std::mem::swap(&mut self.low, &mut self.level);
        }
        self.store(wanted, levels[wanted.highest].rect, target);
        Ok(())
    }

    /// Interleaves the level below, which fills `rect`.
    fn place_low(&mut self, level: &Resolution, rect: &Rect) {
        let place = Interleaved::new(level, Orientation::LL);
        let width = rect.width() as usize;
        if width == 0 {
            return;
        }
        for (row, y) in self.low.chunks_exact(width).zip(rect.y0..rect.y1) {
            place.row(&mut self.level, rect.x0, y, row);
        }
    }

    /// Decodes a subband and interleaves it.
    fn place_band(
        &mut self,
        wanted: &Wanted<'_>,
        level: &Resolution,
        band: &Subband,
        decoder: &mut BlockDecoder,
    ) -> Result<()> {
        let place = Interleaved::new(level, band.orientation);
        let (rect, width) = (band.rect, band.rect.width() as usize);
        for number in 0..band.rows {
            self.strip.decode(&wanted.coded, band, number, rect.x0..rect.x1, decoder)?;
            let (rows, block) = (self.strip.rows(rect.x0), band.block(0, number));
            for y in block.y0..block.y1 {
                let from = (y - rows.first) as usize * rows.stride;
                place.row(&mut self.level, rect.x0, y, &rows.samples[from..from + width]);
            }
        }
        Ok(())
    }

    /// Hands out what is wanted of the plane `low`, which fills `whole`.
    fn store(&self, wanted: &Wanted<'_>, whole: Rect, target: &mut Target<'_>) {
        let (width, rect) = (whole.width() as usize, wanted.rect);
        for y in rect.y0..rect.y1 {
            let start = (y - whole.y0) as usize * width + (rect.x0 - whole.x0) as usize;
            let row = &self.low[start..start + rect.width() as usize];
            target.store(wanted.coded.level, (y - rect.y0) as usize, row, 0);
        }
    }
}

/// Where the coefficients of a subband, or of the level below, stand among those of a level (T.800 F.3.3).
struct Interleaved {
    rect: Rect,
    halved: (u8, u8),
    offset: (u32, u32),
}

impl Interleaved {
    fn new(level: &Resolution, orientation: Orientation) -> Interleaved {
        let high = |orientations: [Orientation; 2]| u32::from(orientations.contains(&orientation));
        let offset = (high([Orientation::HL, Orientation::HH]), high([Orientation::LH, Orientation::HH]));
        Interleaved { rect: level.rect, halved: level.halved, offset }
    }

    /// Puts a row whose first coefficient is at `x`, `y` of the subband to its place in `plane`.
    fn row<T: Copy>(&self, plane: &mut [T], x: u32, y: u32, row: &[T]) {
        let along = |at: u32, halved: u8, offset: u32, first: u32| ((at << halved) + offset - first) as usize;
        let to = along(y, self.halved.1, self.offset.1, self.rect.y0) * self.rect.width() as usize;
        let to = to + along(x, self.halved.0, self.offset.0, self.rect.x0);
        let places = plane[to..].iter_mut().step_by(1 << self.halved.0);
        places.zip(row).for_each(|(place, coefficient)| *place = *coefficient);
    }
}
