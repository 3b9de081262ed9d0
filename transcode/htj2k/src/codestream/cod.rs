//! Coding style (T.800 A.6.1 and A.6.2, T.814 A.4).

use super::cursor::Cursor;
use super::marker;
use super::progression::Progression;
use crate::error::{Error, Result};
use crate::geometry::Grid;

/// Code-block style: HT code-blocks (T.814 Table A.3); with bit 7 as well, HT and others side by side.
pub const STYLE_HIGH_THROUGHPUT: u8 = 1 << 6;
/// Code-block style: contexts do not look into the stripe below (T.800 Table A.19).
pub const STYLE_VERTICALLY_CAUSAL: u8 = 1 << 3;
const STYLE_MIXED: u8 = 1 << 7;

/// How one tile-component is coded: the SPcod or SPcoc parameters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Coding {
    /// Decompositions, code-blocks and precincts.
    pub grid: Grid,
    /// Code-block style: `STYLE_*` bits.
    pub block_style: u8,
    /// 5/3 if set, else 9/7 (T.800 Table A.20).
    pub reversible: bool,
}

impl Coding {
    /// Whether SigProp passes ignore the samples of the next stripe.
    pub fn is_vertically_causal(&self) -> bool {
        self.block_style & STYLE_VERTICALLY_CAUSAL != 0
    }

    /// Whether all its code-blocks are HT code-blocks.
    ///
    /// # Errors
    /// [`Error::NotHighThroughput`] if none is, or perhaps not each.
    pub(crate) fn check_high_throughput(&self) -> Result<()> {
        match self.block_style & (STYLE_HIGH_THROUGHPUT | STYLE_MIXED) {
            STYLE_HIGH_THROUGHPUT => Ok(()),
            style if style & STYLE_HIGH_THROUGHPUT != 0 => {
                Err(Error::NotHighThroughput { what: "code-blocks of a component are mixed" })
            }
            _ => Err(Error::NotHighThroughput { what: "code-blocks of a component are not HT" }),
        }
    }

    fn read(segment: &mut Cursor, precincts: bool) -> Result<Coding> {
        let at = segment.offset();
        let decompositions = segment.u8()?;
        let (width, height) = (segment.u8()?, segment.u8()?);
        let (block_style, transformation) = (segment.u8()?, segment.u8()?);
        if decompositions & 0x80 != 0 {
            return Err(Error::unsupported(at, "a decomposition by DFS (T.801 A.2.3)"));
        }
        if transformation > 1 {
            return Err(Error::unsupported(at + 4, "a wavelet kernel by ATK (T.801 A.2.3)"));
        }
        let levels = if precincts { usize::from(decompositions) + 1 } else { 0 };
        let mut precincts_log2 = Vec::with_capacity(levels.min(segment.remaining()));
        for _ in 0..levels {
            let both = segment.u8()?;
            precincts_log2.push((both & 15, both >> 4));
        }
        let [block_width_log2, block_height_log2] = [width, height].map(|log2| log2.saturating_add(2));
        let grid = Grid { decompositions, block_width_log2, block_height_log2, precincts_log2 };
        check(&grid).map_err(|what| Error::damaged(at, what))?;
        Ok(Coding { grid, block_style, reversible: transformation == 1 })
    }

    fn write(&self, out: &mut Vec<u8>) {
        let grid = &self.grid;
        out.extend([grid.decompositions, grid.block_width_log2 - 2, grid.block_height_log2 - 2]);
        out.extend([self.block_style, u8::from(self.reversible)]);
        out.extend(grid.precincts_log2.iter().map(|(width, height)| width | (height << 4)));
    }
}

/// The COD marker segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cod {
    /// The order of packets, unless POC says otherwise.
    pub progression: Progression,
    /// Quality layers, 1 to 65535.
    pub layers: u16,
    /// Whether the first three components went through RCT or ICT.
    pub colour_transform: bool,
    /// Whether SOP marker segments may stand before packets.
    pub sop: bool,
    /// Whether EPH markers follow packet headers.
    pub eph: bool,
    /// How components are coded that no COC speaks about.
    pub coding: Coding,
}

impl Cod {
    pub(crate) fn read(segment: &mut Cursor) -> Result<Cod> {
        let style = segment.u8()?;
        let progression = Progression::read(segment)?;
        let layers = segment.u16()?;
        if layers == 0 {
            return Err(segment.damaged("no quality layer"));
        }
        let colour_transform = match segment.u8()? {
            0 => false,
            1 => true,
            _ => return Err(Error::unsupported(segment.offset() - 1, "a component transformation of T.801")),
        };
        let coding = Coding::read(segment, style & 1 != 0)?;
        Ok(Cod { progression, layers, colour_transform, sop: style & 2 != 0, eph: style & 4 != 0, coding })
    }

    /// The component and coding of a COC marker segment.
    pub(crate) fn read_component(segment: &mut Cursor, components: usize) -> Result<(u16, Coding)> {
        let number = segment.component(components)?;
        let style = segment.u8()?;
        Ok((number, Coding::read(segment, style & 1 != 0)?))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let grid = &self.coding.grid;
        check(grid).map_err(|what| Error::BadParameters(what.into()))?;
        let precincts = grid.precincts_log2.len();
        if self.layers == 0 {
            return Err(Error::BadParameters("a codestream has at least one quality layer".into()));
        }
        out.extend(marker::COD.to_be_bytes());
        out.extend((12 + precincts as u16).to_be_bytes());
        out.push(u8::from(precincts > 0) | (u8::from(self.sop) << 1) | (u8::from(self.eph) << 2));
        out.push(self.progression as u8);
        out.extend(self.layers.to_be_bytes());
        out.push(u8::from(self.colour_transform));
        self.coding.write(out);
        Ok(())
    }
}

/// The ranges of T.800 Tables A.15, A.18 and A.21.
fn check(grid: &Grid) -> std::result::Result<(), &'static str> {
    let (width, height) = (grid.block_width_log2, grid.block_height_log2);
    let precincts = &grid.precincts_log2;
    if grid.decompositions > 32 {
        Err("more than 32 decompositions")
    } else if !(2..=10).contains(&width) || !(2..=10).contains(&height) || width + height > 12 {
        Err("code-blocks that are not 4 to 1024 samples wide and high, at most 4096 together")
    } else if !precincts.is_empty() && precincts.len() != usize::from(grid.decompositions) + 1 {
        Err("precinct sizes for another number of resolution levels")
    } else if precincts.iter().any(|&(width, height)| width > 15 || height > 15) {
        Err("a precinct above 32768 samples")
    } else if precincts.iter().skip(1).any(|&(width, height)| width == 0 || height == 0) {
        Err("a precinct of one sample above the lowest resolution level")
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Cod {
        let precincts_log2 = vec![(0, 3), (7, 1), (15, 8)];
        let grid = Grid { decompositions: 2, block_width_log2: 6, block_height_log2: 5, precincts_log2 };
        let coding = Coding { grid, block_style: STYLE_HIGH_THROUGHPUT, reversible: true };
        Cod { progression: Progression::Pcrl, layers: 3, colour_transform: true, sop: true, eph: false, coding }
    }

    fn written(cod: &Cod) -> Vec<u8> {
        let mut out = Vec::new();
        cod.write(&mut out).unwrap();
        out
    }

    #[test]
    fn what_is_written_is_read() {
        let bytes = written(&sample());
        assert_eq!(usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), bytes.len() - 2);
        assert_eq!(Cod::read(&mut Cursor::new(&bytes, 4, "COD")).unwrap(), sample());
    }

    /// Each parameter outside its table is refused, and what T.801 adds is named.
    #[test]
    fn impossible_parameters_are_refused() {
        let good = written(&sample());
        let refused = |at: usize, value: u8| {
            let mut bad = good.clone();
            bad[at] = value;
            Cod::read(&mut Cursor::new(&bad, 4, "COD")).unwrap_err()
        };
        for (at, value) in [(5, 5), (9, 33), (10, 9), (11, 7), (15, 0x00), (16, 0x0F)] {
            assert!(matches!(refused(at, value), Error::Damaged { .. }), "{at}");
        }
        for (at, value) in [(8, 2), (9, 0x81), (13, 2)] {
            assert!(matches!(refused(at, value), Error::Unsupported { .. }), "{at}");
        }
    }

    #[test]
    fn blocks_that_are_not_ht_are_refused() {
        for (style, good) in [(0x40, true), (0x48, true), (0, false), (0xC0, false), (0x80, false)] {
            let coding = Coding { block_style: style, ..sample().coding };
            assert_eq!(coding.check_high_throughput().is_ok(), good, "{style:02x}");
        }
    }
}
