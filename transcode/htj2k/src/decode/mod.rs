//! The decoder: codestream in, samples out.

mod chunks;
mod component;
mod info;
mod part2;
mod strips;
mod target;
mod window;

pub use info::{ComponentInfo, Info};

use crate::codestream::{Codestream, TileBlocks, contiguous};
use crate::convert::{self, Finish};
use crate::error::{Error, Result};
use crate::geometry::Rect;
use crate::image::SamplesMut;
use crate::parameters::{DecodeOptions, STRIP_SAMPLES_MAX};
use crate::simd::Level;
use crate::workers::Workers;
use component::{Component, Wanted};
use strips::Coded;
use target::Target;

/// One component of a decoded picture, at its own size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plane {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// Significant bits.
    pub bits: u8,
    /// Whether numbers may be below zero.
    pub signed: bool,
    /// The numbers, row by row.
    pub samples: Vec<i32>,
}

/// What a codestream, or a prefix of one, gave.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decoded {
    /// Columns of the answer.
    pub width: u32,
    /// Rows of the answer.
    pub height: u32,
    /// Resolution levels, lowest first, that were wholly there: fewer than were asked for only in a prefix.
    pub complete_resolutions: u8,
}

/// Decodes pictures, one after the other. It keeps its memory: one decoder a thread is the fast way to use it.
#[derive(Default)]
pub struct Decoder {
    level: Option<Level>,
    blocks: TileBlocks,
    component: Component,
    colour_wide: [Vec<i32>; 3],
    colour_real: [Vec<f32>; 3],
}

/// Where all components of a picture go.
enum Output<'a> {
    Interleaved(SamplesMut<'a>),
    Planes(&'a mut [Plane]),
}

/// What is the same for all tiles of a picture.
struct Job<'a> {
    stream: &'a Codestream<'a>,
    options: &'a DecodeOptions,
    /// The wanted rectangle of each component, in the coordinates of its reduced resolution.
    rects: Vec<Rect>,
    level: Level,
    workers: &'a dyn Workers,
}

impl Decoder {
    /// A decoder for this machine.
    pub fn new() -> Decoder {
        Decoder::default()
    }

    /// A decoder that uses the instructions of `level`, which the machine must have ([`Level::available`]). Every level
    /// gives the same samples on the reversible path.
    pub fn with_level(level: Level) -> Decoder {
        Decoder { level: Some(level), ..Decoder::default() }
    }

    /// Decodes to interleaved numbers, row by row: as many as [`Info::shape`] says for these options. Every component must
    /// have the same size, and the type of `out` must hold its bits and sign; else see [`Decoder::decode_planes`].
    ///
    /// # Errors
    /// [`Error::Damaged`] with the byte, also for a truncated codestream unless [`DecodeOptions::prefix`];
    /// [`Error::NotHighThroughput`] for what a Part 1 decoder reads; [`Error::TooLarge`] above
    /// [`DecodeOptions::samples_max`], before anything is allocated; [`Error::BadParameters`] when `out` does not fit.
    ///
    /// Source: T.814, T.800 Annexes A to G.
    pub fn decode(
        &mut self,
        codestream: &[u8],
        options: &DecodeOptions,
        workers: &dyn Workers,
        out: SamplesMut<'_>,
    ) -> Result<Decoded> {
        let stream = Codestream::parse(contiguous(codestream)?)?;
        let info = Info::of(&stream);
        let Some(shape) = info.shape(options) else {
            let detail = "the components differ in size or depth, or have more than 16 bits: decode them as planes";
            return Err(Error::BadParameters(detail.into()));
        };
        let (low, high) = shape.range();
        if out.len() as u64 != shape.samples() || low < out.range().0 || high > out.range().1 {
            let (numbers, bits) = (shape.samples(), shape.bits);
            let sign = if shape.signed { "signed" } else { "unsigned" };
            let detail =
                format!("room for {} numbers, and the picture has {numbers} of {bits} bits, {sign}", out.len());
            return Err(Error::BadParameters(detail));
        }
        self.run(&stream, &info, options, workers, Output::Interleaved(out))
    }

    /// Decodes every component to a plane of its own, whatever its size.
    ///
    /// # Errors
    /// As [`Decoder::decode`].
    pub fn decode_planes(
        &mut self,
        codestream: &[u8],
        options: &DecodeOptions,
        workers: &dyn Workers,
    ) -> Result<Vec<Plane>> {
        let stream = Codestream::parse(contiguous(codestream)?)?;
        let info = Info::of(&stream);
        info.check(options)?;
        let mut planes: Vec<Plane> = (info.components.iter().zip(info.rects(options)))
            .map(|(component, rect)| Plane {
                width: rect.width(),
                height: rect.height(),
                bits: component.bits,
                signed: component.signed,
                samples: vec![0; rect.width() as usize * rect.height() as usize],
            })
            .collect();
        self.run(&stream, &info, options, workers, Output::Planes(&mut planes))?;
        Ok(planes)
    }

    fn run(
        &mut self,
        stream: &Codestream<'_>,
        info: &Info,
        options: &DecodeOptions,
        workers: &dyn Workers,
        mut output: Output<'_>,
    ) -> Result<Decoded> {
        info.check(options)?;
        if stream.is_truncated() && !options.prefix {
            return Err(Error::damaged(stream.bytes().len(), "the codestream ends before its last tile-part does"));
        }
        let level = self.level.unwrap_or_else(Level::best);
        let job = Job { stream, options, rects: info.rects(options), level, workers };
        let mut complete = u8::MAX;
        for index in 0..stream.siz().tiles() {
            complete = complete.min(self.tile(&job, index, &mut output)?);
        }
        let rect = job.rects[0];
        Ok(Decoded { width: rect.width(), height: rect.height(), complete_resolutions: complete })
    }

    /// Decodes one tile; answers how many resolution levels of it were whole.
    fn tile(&mut self, job: &Job<'_>, index: u32, output: &mut Output<'_>) -> Result<u8> {
        let Job { stream, options, .. } = job;
        let components = stream.siz().components.len();
        let levels = (0..components).map(|component| stream.coding(index, component as u16).grid.decompositions);
        let wanted_levels = levels.max().unwrap_or(0).saturating_sub(options.reduce) + 1;
        stream.read_tile(index, wanted_levels, &mut self.blocks)?;
        if self.blocks.is_truncated && !options.prefix {
            return Err(Error::damaged(stream.bytes().len(), format!("tile {index} has fewer packets than it needs")));
        }
        let colour = stream.cod(index).colour_transform && components >= 3;
        if colour {
            self.colour(job, index, output)?;
        }
        for component in if colour { 3..components } else { 0..components } {
            let Some(part) = Part::new(job, &self.blocks, index, component)? else { continue };
            let wanted = part.wanted(job, &self.blocks)?;
            self.component.decode(&wanted, output.target(job, component, part.rect), job.workers)?;
        }
        Ok(self.blocks.complete_resolutions.min(wanted_levels))
    }

    /// The first three components, through planes and the inverse colour transform (T.800 Annex G).
    fn colour(&mut self, job: &Job<'_>, index: u32, output: &mut Output<'_>) -> Result<()> {
        let mut parts = [None, None, None];
        for (component, part) in parts.iter_mut().enumerate() {
            *part = Part::new(job, &self.blocks, index, component)?;
        }
        let [Some(first), Some(second), Some(third)] = parts else { return Ok(()) };
        if first.rect != second.rect || first.rect != third.rect || first.reversible != second.reversible {
            return Err(Error::damaged(0, "a colour transform over components of different sizes or wavelets"));
        }
        let (rect, reversible) = (first.rect, first.reversible);
        let (width, area) = (rect.width() as usize, rect.width() as usize * rect.height() as usize);
        for (component, part) in [first, second, third].into_iter().enumerate() {
            let wanted = part.wanted(job, &self.blocks)?;
            let target = if reversible {
                let out = &mut self.colour_wide[component];
                out.resize(area.max(out.len()), 0);
                Target::Wide { out: &mut out[..area], first: 0, stride: width }
            } else {
                let out = &mut self.colour_real[component];
                out.resize(area.max(out.len()), 0.0);
                Target::Real { out: &mut out[..area], first: 0, stride: width }
            };
            self.component.decode(&wanted, target, job.workers)?;
        }
        for row in 0..rect.height() as usize {
            let range = row * width..(row + 1) * width;
            if reversible {
                let [y, cb, cr] = &mut self.colour_wide;
                let rows = [&mut y[range.clone()], &mut cb[range.clone()], &mut cr[range]];
                let [y, cb, cr] = rows;
                convert::rct_inverse(job.level, y, cb, cr);
                for (component, finished) in [&*y, cb, cr].into_iter().enumerate() {
                    output.target(job, component, rect).store(job.level, row, finished, 0);
                }
            } else {
                let [y, cb, cr] = &mut self.colour_real;
                let rows = [&mut y[range.clone()], &mut cb[range.clone()], &mut cr[range]];
                let [y, cb, cr] = rows;
                convert::ict_inverse(job.level, y, cb, cr);
                for (component, finished) in [&*y, cb, cr].into_iter().enumerate() {
                    output.target(job, component, rect).store(job.level, row, finished, 0);
                }
            }
        }
        Ok(())
    }
}

/// One tile-component, as far as it is wanted.
struct Part {
    tile: u32,
    component: usize,
    highest: usize,
    rect: Rect,
    reversible: bool,
}

impl Part {
    /// None if nothing of it is wanted.
    fn new(job: &Job<'_>, blocks: &TileBlocks, tile: u32, component: usize) -> Result<Option<Part>> {
        let levels = &blocks.tile.components[component].resolutions;
        let highest = (levels.len() - 1).checked_sub(job.options.reduce.into());
        let highest = highest.ok_or_else(|| info::too_many(job.options.reduce, (levels.len() - 1) as u8))?;
        let rect = levels[highest].rect.intersection(&job.rects[component]);
        let reversible = job.stream.coding(tile, component as u16).reversible;
        Ok((!rect.is_empty()).then_some(Part { tile, component, highest, rect, reversible }))
    }

    fn wanted<'a>(&self, job: &Job<'a>, blocks: &'a TileBlocks) -> Result<Wanted<'a>> {
        let component = &blocks.tile.components[self.component];
        let number = self.component as u16;
        let kernel = job.stream.coding(self.tile, number).part_2_kernel();
        let coded = Coded {
            level: job.level,
            blocks,
            bytes: job.stream.bytes(),
            qcd: job.stream.qcd(self.tile, number)?,
            decompositions: (component.resolutions.len() - 1) as u8,
            bits: job.stream.siz().components[self.component].bits,
            causal: job.stream.coding(self.tile, number).is_vertically_causal(),
            region_shift: job.stream.region_shift(self.tile, number),
        };
        let strip_samples_max = job.options.samples_max.max(STRIP_SAMPLES_MAX);
        let part_2 = kernel.map(|kernel| (kernel, job.options.samples_max));
        let Part { highest, rect, reversible, .. } = *self;
        Ok(Wanted { coded, component, highest, rect, reversible, strip_samples_max, part_2 })
    }
}

impl Output<'_> {
    /// The part of one component that `rect` covers.
    fn target(&mut self, job: &Job<'_>, component: usize, rect: Rect) -> Target<'_> {
        let whole = job.rects[component];
        let (across, down) = ((rect.x0 - whole.x0) as usize, (rect.y0 - whole.y0) as usize);
        let size = job.stream.siz().components[component];
        let width = whole.width() as usize;
        match self {
            Output::Interleaved(out) => {
                let step = job.rects.len();
                let stride = width * step;
                let (_, out) = out.reborrow().split_at(down * stride);
                let finish = Finish::new(size.bits, size.signed);
                Target::Samples { out, first: across * step + component, step, stride, finish }
            }
            Output::Planes(planes) => {
                let out = &mut planes[component].samples[down * width..];
                Target::Plane { out, first: across, stride: width, finish: plane_finish(size.bits, size.signed) }
            }
        }
    }
}

/// [`Finish::new`] for planes of more than 16 bits as well.
fn plane_finish(bits: u8, signed: bool) -> Finish {
    let half = 1i32 << (bits - 1);
    if signed {
        Finish { offset: 0, low: -half, high: half - 1 }
    } else {
        Finish { offset: half, low: 0, high: 2 * half - 1 }
    }
}
