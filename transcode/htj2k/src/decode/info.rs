//! What the headers say, without decoding.

use std::fmt;

use crate::codestream::{Codestream, Progression, contiguous};
use crate::error::{Error, Result};
use crate::geometry::Rect;
use crate::image::Shape;
use crate::parameters::DecodeOptions;

/// Bits of a component that can be decoded: beyond them a coefficient may not fit 32 bits.
const BITS_MAX: u8 = 24;

/// One component as SIZ has it (T.800 A.5.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentInfo {
    /// Significant bits, 1 to 38.
    pub bits: u8,
    /// Whether numbers may be below zero.
    pub signed: bool,
    /// XRsiz: columns of the reference grid a sample.
    pub dx: u8,
    /// YRsiz: rows of the reference grid a sample.
    pub dy: u8,
}

/// The main header of an HTJ2K codestream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Info {
    /// The image area on the reference grid.
    pub image: Rect,
    /// Its components.
    pub components: Vec<ComponentInfo>,
    /// Decomposition levels: the fewest of all components and tiles.
    pub decompositions: u8,
    /// Whether every component of every tile has the 5/3 wavelet.
    pub reversible: bool,
    /// Whether the first tile has a colour transform.
    pub colour_transform: bool,
    /// Order of the packets.
    pub progression: Progression,
    /// Tiles.
    pub tiles: u32,
    /// Whether the bytes end before EOC.
    pub is_truncated: bool,
}

impl Info {
    /// Reads the headers of a bare codestream, or of one in JP2 or JPH boxes.
    ///
    /// # Errors
    /// As [`super::Decoder::decode`].
    pub fn read(codestream: &[u8]) -> Result<Info> {
        Ok(Info::of(&Codestream::parse(contiguous(codestream)?)?))
    }

    pub(super) fn of(stream: &Codestream<'_>) -> Info {
        let siz = stream.siz();
        let each =
            || (0..siz.tiles()).flat_map(|tile| (0..siz.components.len()).map(move |number| (tile, number as u16)));
        let codings = || each().map(|(tile, number)| stream.coding(tile, number));
        let components = siz.components.iter();
        Info {
            image: siz.image,
            components: components
                .map(|size| ComponentInfo { bits: size.bits, signed: size.signed, dx: size.dx, dy: size.dy })
                .collect(),
            decompositions: codings().map(|coding| coding.grid.decompositions).min().unwrap_or(0),
            reversible: codings().all(|coding| coding.reversible),
            colour_transform: stream.cod(0).colour_transform,
            progression: stream.cod(0).progression,
            tiles: siz.tiles(),
            is_truncated: stream.is_truncated(),
        }
    }

    /// What [`super::Decoder::decode`] gives under `options`, if its components are alike and have at most 16 bits.
    pub fn shape(&self, options: &DecodeOptions) -> Option<Shape> {
        let first = self.components.first()?;
        let alike = self.components.iter().all(|component| component == first);
        let components = u8::try_from(self.components.len()).ok()?;
        let rect = self.rects(options)[0];
        let (width, height) = (rect.width(), rect.height());
        let shape = Shape { width, height, components, bits: first.bits, signed: first.signed };
        (alike && shape.check().is_ok()).then_some(shape)
    }

    /// Byte after which each resolution level is complete, lowest first; only levels that are there. `codestream` is what
    /// these headers were read from.
    ///
    /// # Errors
    /// As [`super::Decoder::decode`].
    pub fn resolution_ends(codestream: &[u8]) -> Result<Vec<usize>> {
        let bare = contiguous(codestream)?;
        let before = bare.as_ptr() as usize - codestream.as_ptr() as usize;
        let ends = Codestream::parse(bare)?.resolution_ends()?;
        Ok(ends.into_iter().map(|end| end + before).collect())
    }

    /// The wanted rectangle of each component, in the coordinates of its reduced resolution level.
    pub(super) fn rects(&self, options: &DecodeOptions) -> Vec<Rect> {
        let scale = 1u64 << options.reduce.min(32);
        let of_component = |component: &ComponentInfo| {
            let edge = |edge: u32, sampling: u8| u64::from(edge.div_ceil(sampling.into())).div_ceil(scale) as u32;
            let whole = Rect {
                x0: edge(self.image.x0, component.dx),
                y0: edge(self.image.y0, component.dy),
                x1: edge(self.image.x1, component.dx),
                y1: edge(self.image.y1, component.dy),
            };
            // A region counts from the picture's corner, and in a sub-sampled component in its own samples.
            options.region.map_or(whole, |region| {
                let along = |from: u32, at: u32, sampling: u8| from.saturating_add(at / u32::from(sampling));
                let part = Rect {
                    x0: along(whole.x0, region.x0, component.dx),
                    y0: along(whole.y0, region.y0, component.dy),
                    x1: along(
                        whole.x0,
                        region.x1.div_ceil(component.dx.into()) * u32::from(component.dx),
                        component.dx,
                    ),
                    y1: along(
                        whole.y0,
                        region.y1.div_ceil(component.dy.into()) * u32::from(component.dy),
                        component.dy,
                    ),
                };
                whole.intersection(&part)
            })
        };
        self.components.iter().map(of_component).collect()
    }

    /// Whether the options ask for something that is there, and not for too much.
    pub(super) fn check(&self, options: &DecodeOptions) -> Result<()> {
        if options.reduce > self.decompositions {
            return Err(too_many(options.reduce, self.decompositions));
        }
        if let Some(component) = self.components.iter().find(|component| component.bits > BITS_MAX) {
            return Err(Error::unsupported(0, format!("a component of {} bits", component.bits)));
        }
        let area = |rect: &Rect| u64::from(rect.width()) * u64::from(rect.height());
        let claimed = self.rects(options).iter().map(area).sum();
        let limit = options.samples_max;
        if claimed > limit {
            return Err(Error::TooLarge { what: "samples of a picture", claimed, limit });
        }
        if self.rects(options).iter().any(Rect::is_empty) {
            return Err(Error::BadParameters("the region does not touch the picture".into()));
        }
        Ok(())
    }
}

pub(super) fn too_many(reduce: u8, decompositions: u8) -> Error {
    Error::BadParameters(format!(
        "{reduce} resolution levels to leave out, and there are {decompositions} above the lowest"
    ))
}

impl fmt::Display for Info {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Info { image, components, decompositions, reversible, colour_transform, progression, tiles, .. } = self;
        write!(f, "{} x {}, {} components", image.width(), image.height(), components.len())?;
        for component in components {
            let sign = if component.signed { "signed" } else { "unsigned" };
            write!(f, ", {} bits {sign}", component.bits)?;
            if (component.dx, component.dy) != (1, 1) {
                write!(f, " at {}:{}", component.dx, component.dy)?;
            }
        }
        let wavelet = if *reversible { "5/3" } else { "9/7" };
        write!(f, "; {decompositions} decompositions by {wavelet}, {progression:?}, {tiles} tiles")?;
        write!(f, "{}", if *colour_transform { ", colour transform" } else { "" })?;
        write!(f, "{}", if self.is_truncated { ", truncated" } else { "" })
    }
}
