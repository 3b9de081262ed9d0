//! The encoder: samples in, codestream out.

mod bands;
mod feeds;
mod headers;
mod irreversible;
mod reversible;
mod search;
mod steps;
mod tasks;

pub(crate) use bands::Bands;

use crate::codestream::{Writer, WriterOptions};
use crate::convert;
use crate::error::{Error, Result};
use crate::geometry::Tile;
use crate::image::{Samples, Shape};
use crate::parameters::{EncodeParameters, Order, Quality};
use crate::simd::Level;
use crate::workers::Workers;
use feeds::{Colour, Picture, Plain};
use headers::Headers;
use irreversible::Irreversible;
use reversible::Reversible;
use tasks::Tasks;

/// Encodes pictures, one after the other. It keeps its memory: one encoder a thread is the fast way to use it.
#[derive(Default)]
pub struct Encoder {
    level: Option<Level>,
    reversible: Reversible,
    irreversible: Irreversible,
    colour: Colour,
    tasks: Tasks,
    writer: Writer,
}

impl Encoder {
    /// An encoder for this machine.
    pub fn new() -> Encoder {
        Encoder::default()
    }

    /// An encoder that uses the instructions of `level`, which the machine must have ([`Level::available`]). Every level
    /// gives the same bytes on the reversible path.
    pub fn with_level(level: Level) -> Encoder {
        Encoder { level: Some(level), ..Encoder::default() }
    }

    /// Appends the codestream of a picture to `out`; `samples` are interleaved, row by row.
    ///
    /// # Errors
    /// [`Error::BadParameters`] when shape, samples and parameters do not fit each other, when a sample needs more than
    /// [`Shape::bits`], or when no step of the quantiser reaches the quality that was asked for; nothing is appended then.
    ///
    /// Source: T.814 and T.800; the default parameters are those of PS3.5 §10.18.
    pub fn encode(
        &mut self,
        shape: &Shape,
        samples: Samples<'_>,
        parameters: &EncodeParameters,
        workers: &dyn Workers,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let picture = self.picture(shape, samples)?;
        parameters.check()?;
        let start = out.len();
        let written = match parameters.quality {
            Quality::Lossless => self.write(picture, parameters, None, workers, out),
            Quality::Step(step) => self.write(picture, parameters, Some(step), workers, out),
            wanted => search::search(self, picture, parameters, wanted, workers, out),
        };
        if written.is_err() {
            out.truncate(start);
        }
        written
    }

    fn picture<'a>(&self, shape: &Shape, samples: Samples<'a>) -> Result<Picture<'a>> {
        shape.check()?;
        if samples.len() as u64 != shape.samples() {
            let Shape { width, height, components, .. } = shape;
            let detail = format!("{} numbers, and {width} x {height} x {components} has another count", samples.len());
            return Err(Error::BadParameters(detail));
        }
        let level = self.level.unwrap_or_else(Level::best);
        let range = convert::range(level, samples).unwrap_or_default();
        let allowed = shape.range();
        if range.0 < allowed.0 || range.1 > allowed.1 {
            let (low, high) = range;
            let sign = if shape.signed { "signed" } else { "unsigned" };
            return Err(Error::BadParameters(format!(
                "samples from {low} to {high} are not {sign} {} bits",
                shape.bits
            )));
        }
        Ok(Picture { level, shape: *shape, samples, range })
    }

    /// Writes the whole codestream: reversible without a `step`, else quantised by it.
    fn write(
        &mut self,
        picture: Picture<'_>,
        parameters: &EncodeParameters,
        step: Option<f32>,
        workers: &dyn Workers,
        out: &mut Vec<u8>,
    ) -> Result<()> {
        let headers = Headers::new(&picture.shape, parameters, step)?;
        let Headers { siz, cap, cod, qcd } = &headers;
        let tile_parts_by_resolution = parameters.tile_part_by_resolution && parameters.order == Order::Rpcl;
        let options = WriterOptions { tile_parts_by_resolution, tlm: true, comment: None };
        self.writer.begin(out, siz, cod, qcd, cap, &options)?;
        for index in 0..siz.tiles() {
            let tile = Tile::new(siz.tile(index), &vec![((1, 1), &cod.coding.grid); siz.components.len()])?;
            self.tasks.clear();
            match step {
                None => self.code_reversible(picture, &tile, cod.colour_transform, workers),
                Some(_) => {
                    let (colour, tasks) = (cod.colour_transform, &mut self.tasks);
                    self.irreversible.code(picture, &tile, colour, qcd, tasks, workers)?;
                }
            }
            let (coded, arenas) = self.tasks.table(&tile, qcd)?;
            self.writer.tile(out, index, &tile, cod, coded, arenas)?;
        }
        self.writer.finish(out)
    }

    fn code_reversible(&mut self, picture: Picture<'_>, tile: &Tile, colour: bool, workers: &dyn Workers) {
        if colour {
            self.colour.load(picture, tile.rect, workers);
        }
        for (number, component) in tile.components.iter().enumerate() {
            let (reversible, tasks) = (&mut self.reversible, &mut self.tasks);
            if colour && number < 3 {
                let feed = self.colour.component(number, picture.shape.bits);
                reversible.code(picture.level, component, &feed, tasks, workers);
            } else {
                let feed = Plain::new(picture, number, tile.rect);
                reversible.code(picture.level, component, &feed, tasks, workers);
            }
        }
    }
}
