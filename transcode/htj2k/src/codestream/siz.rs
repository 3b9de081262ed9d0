//! Image and tile size (T.800 A.5.1).

use super::cursor::Cursor;
use super::marker;
use crate::error::{Error, Result};
use crate::geometry::{Grid, Rect, Tile};

/// Tiles that a codestream can number: Isot has 16 bits and 65535 is reserved (T.800 A.4.2).
pub const TILES_MAX: u64 = 65_535;
/// Components that SIZ may list (T.800 Table A.9).
pub const COMPONENTS_PARSED_MAX: u16 = 16_384;
/// Rsiz of a codestream that uses T.814, and of Part 1 nothing that a profile restricts (T.814 A.2).
const RSIZ_HIGH_THROUGHPUT: u16 = 1 << 14;

/// One component's line of SIZ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ComponentSize {
    /// Significant bits of a sample, 1 to 38.
    pub bits: u8,
    /// Whether samples are two's complement.
    pub signed: bool,
    /// XRsiz: columns of the reference grid a sample stands for.
    pub dx: u8,
    /// YRsiz: rows of the reference grid a sample stands for.
    pub dy: u8,
}

/// The SIZ marker segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Siz {
    /// Capabilities that a decoder needs (T.800 Table A.10).
    pub rsiz: u16,
    /// The image area on the reference grid: XOsiz, YOsiz, Xsiz, Ysiz.
    pub image: Rect,
    /// XTOsiz and YTOsiz: where the first tile begins.
    pub tile_origin: (u32, u32),
    /// XTsiz and YTsiz: nominal width and height of a tile.
    pub tile_size: (u32, u32),
    /// The components in their order.
    pub components: Vec<ComponentSize>,
}

impl Siz {
    /// A picture at the origin, all components alike and not sub-sampled, in one tile.
    pub fn plain(width: u32, height: u32, components: u8, bits: u8, signed: bool) -> Siz {
        Siz {
            rsiz: RSIZ_HIGH_THROUGHPUT,
            image: Rect { x0: 0, y0: 0, x1: width, y1: height },
            tile_origin: (0, 0),
            tile_size: (width, height),
            components: vec![ComponentSize { bits, signed, dx: 1, dy: 1 }; usize::from(components)],
        }
    }

    /// Tiles across (T.800 B-5).
    pub fn tiles_wide(&self) -> u32 {
        (self.image.x1 - self.tile_origin.0).div_ceil(self.tile_size.0)
    }

    /// Tiles down (T.800 B-5).
    pub fn tiles_high(&self) -> u32 {
        (self.image.y1 - self.tile_origin.1).div_ceil(self.tile_size.1)
    }

    /// Tiles of the picture.
    pub fn tiles(&self) -> u32 {
        self.tiles_wide() * self.tiles_high()
    }

    /// The place of tile `index` on the reference grid (T.800 B-6 to B-10).
    pub fn tile(&self, index: u32) -> Rect {
        let span = |number: u32, origin: u32, size: u32, low: u32, high: u32| {
            let start = u64::from(origin) + u64::from(number) * u64::from(size);
            let end = start + u64::from(size);
            let clamp = |edge: u64| edge.clamp(u64::from(low), u64::from(high)) as u32;
            (clamp(start), clamp(end))
        };
        let (column, row) = (index % self.tiles_wide(), index / self.tiles_wide());
        let (x0, x1) = span(column, self.tile_origin.0, self.tile_size.0, self.image.x0, self.image.x1);
        let (y0, y1) = span(row, self.tile_origin.1, self.tile_size.1, self.image.y0, self.image.y1);
        Rect { x0, y0, x1, y1 }
    }

    /// The part of component `number` that the image area covers, in the component's own coordinates (T.800 B-1).
    pub fn component(&self, number: usize) -> Rect {
        let size = self.components[number];
        Rect {
            x0: self.image.x0.div_ceil(u32::from(size.dx)),
            y0: self.image.y0.div_ceil(u32::from(size.dy)),
            x1: self.image.x1.div_ceil(u32::from(size.dx)),
            y1: self.image.y1.div_ceil(u32::from(size.dy)),
        }
    }

    /// Tile `index` cut down to its code-blocks, all components on the same `grid`.
    ///
    /// # Errors
    /// As [`Tile::new`].
    pub fn cut(&self, index: u32, grid: &Grid) -> Result<Tile> {
        let components: Vec<_> = self.components.iter().map(|size| ((size.dx, size.dy), grid)).collect();
        Tile::new(self.tile(index), &components)
    }

    pub(crate) fn read(segment: &mut Cursor) -> Result<Siz> {
        let rsiz = segment.u16()?;
        let (x1, y1, x0, y0) = (segment.u32()?, segment.u32()?, segment.u32()?, segment.u32()?);
        let tile_size = (segment.u32()?, segment.u32()?);
        let tile_origin = (segment.u32()?, segment.u32()?);
        let number = segment.u16()?;
        if !(1..=COMPONENTS_PARSED_MAX).contains(&number) {
            return Err(segment.damaged(format!("{number} components, and 1 to {COMPONENTS_PARSED_MAX} are possible")));
        }
        if segment.remaining() != 3 * usize::from(number) {
            return Err(segment.damaged(format!("{} bytes for {number} components", segment.remaining())));
        }
        let components = (0..number).map(|_| component(segment)).collect::<Result<Vec<_>>>()?;
        let siz = Siz { rsiz, image: Rect { x0, y0, x1, y1 }, tile_origin, tile_size, components };
        siz.check().map_err(|what| segment.damaged(what))?;
        Ok(siz)
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        self.check().map_err(|what| Error::BadParameters(what.into()))?;
        let (image, number) = (&self.image, self.components.len() as u16);
        out.extend(marker::SIZ.to_be_bytes());
        out.extend((38 + 3 * number).to_be_bytes());
        out.extend(self.rsiz.to_be_bytes());
        for edge in [image.x1, image.y1, image.x0, image.y0] {
            out.extend(edge.to_be_bytes());
        }
        for edge in [self.tile_size.0, self.tile_size.1, self.tile_origin.0, self.tile_origin.1] {
            out.extend(edge.to_be_bytes());
        }
        out.extend(number.to_be_bytes());
        for size in &self.components {
            out.extend([(size.bits - 1) | (u8::from(size.signed) << 7), size.dx, size.dy]);
        }
        Ok(())
    }

    /// The inequalities of T.800 B.2 and B.3.
    fn check(&self) -> std::result::Result<(), &'static str> {
        let (image, origin, size) = (&self.image, self.tile_origin, self.tile_size);
        let holds =
            |start: u32, length: u32, low: u32| start <= low && u64::from(start) + u64::from(length) > u64::from(low);
        let bits = |component: &ComponentSize| (1..=38).contains(&component.bits);
        if image.is_empty() {
            Err("the image area is empty")
        } else if !holds(origin.0, size.0, image.x0) || !holds(origin.1, size.1, image.y0) {
            Err("the first tile does not hold the first sample")
        } else if u64::from(self.tiles_wide()) * u64::from(self.tiles_high()) > TILES_MAX {
            Err("more than 65535 tiles")
        } else if self.components.is_empty() || self.components.len() > usize::from(COMPONENTS_PARSED_MAX) {
            Err("the number of components is not in 1 to 16384")
        } else if !self.components.iter().all(|component| component.dx > 0 && component.dy > 0) {
            Err("a component is sub-sampled by 0")
        } else if !self.components.iter().all(bits) {
            Err("a component does not have 1 to 38 bits")
        } else {
            Ok(())
        }
    }
}

fn component(segment: &mut Cursor) -> Result<ComponentSize> {
    let (ssiz, dx, dy) = (segment.u8()?, segment.u8()?, segment.u8()?);
    Ok(ComponentSize { bits: (ssiz & 0x7F) + 1, signed: ssiz & 0x80 != 0, dx, dy })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(siz: &Siz) -> Vec<u8> {
        let mut out = Vec::new();
        siz.write(&mut out).unwrap();
        out
    }

    /// Tiles with an offset grid cover the image area once.
    #[test]
    fn tiles_cover_the_image() {
        let mut siz = Siz::plain(100, 90, 1, 8, false);
        (siz.image.x0, siz.image.y0, siz.tile_origin, siz.tile_size) = (7, 9, (3, 9), (11, 13));
        let area = |rect: Rect| u64::from(rect.width()) * u64::from(rect.height());
        assert_eq!((0..siz.tiles()).map(|index| area(siz.tile(index))).sum::<u64>(), area(siz.image));
        let bytes = written(&siz);
        assert_eq!(Siz::read(&mut Cursor::new(&bytes, 4, "SIZ")).unwrap(), siz);
    }

    /// What T.800 B.2 and B.3 forbid is refused with the place.
    #[test]
    fn impossible_sizes_are_refused() {
        let good = written(&Siz::plain(16, 16, 1, 8, false));
        for (at, value) in [(6, [0; 4]), (22, [0; 4]), (30, [0, 0, 0, 1]), (14, [0, 0, 0, 99])] {
            let mut bad = good.clone();
            bad[at..at + 4].copy_from_slice(&value);
            let refused = Siz::read(&mut Cursor::new(&bad, 4, "SIZ")).unwrap_err();
            assert!(matches!(refused, Error::Damaged { .. }), "{at}: {refused}");
        }
        let mut huge = Siz::plain(u32::MAX, u32::MAX, 1, 8, false);
        huge.tile_size = (1, 1);
        assert!(huge.write(&mut Vec::new()).is_err());
    }
}
