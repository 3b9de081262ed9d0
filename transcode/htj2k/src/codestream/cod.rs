//! Coding style (T.800 A.6.1 and A.6.2, T.814 A.4, T.801 A.2.3).

use std::sync::Arc;

use super::cursor::Cursor;
use super::marker;
use super::part2::Extensions;
use super::progression::Progression;
use crate::error::{Error, Result};
use crate::geometry::Grid;
use crate::wavelet::Kernel;

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
    /// 5/3 if set, else 9/7 (T.800 Table A.20); with a kernel of its own, whether that is reversible.
    pub reversible: bool,
    /// The kernel of an ATK that stands in place of these two (T.801 A.3.5).
    pub kernel: Option<Arc<Kernel>>,
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

    /// What T.801 alone can do; the fast way through the wavelet has no part in it.
    pub(crate) fn part_2_kernel(&self) -> Option<Arc<Kernel>> {
        let standard = || (!self.grid.splits.is_empty()).then(|| Arc::new(Kernel::standard(self.reversible)));
        self.kernel.clone().or_else(standard)
    }

    /// `default` is the number of decompositions where a DFS is named in its place.
    fn read(segment: &mut Cursor, precincts: bool, extensions: &Extensions, default: u8) -> Result<Coding> {
        let at = segment.offset();
        let (decompositions, splits) = match segment.u8()? {
            named if named & 0x80 != 0 => {
                let (index, absent) = (u16::from(named & 0x7F), format!("DFS {} is not there", named & 0x7F));
                let splits = extensions.splits(index, default).ok_or_else(|| Error::damaged(at, absent))?;
                (default, splits)
            }
            decompositions => (decompositions, Vec::new()),
        };
        let (width, height) = (segment.u8()?, segment.u8()?);
        let (block_style, transformation) = (segment.u8()?, segment.u8()?);
        let kernel = match transformation {
            0 | 1 => None,
            index => {
                let absent = || Error::damaged(at + 4, format!("ATK {index} is not there"));
                Some(extensions.kernel(index).ok_or_else(absent)?)
            }
        };
        let reversible = kernel.as_ref().map_or(transformation == 1, |kernel| kernel.is_reversible());
        let levels = if precincts { usize::from(decompositions) + 1 } else { 0 };
        let mut precincts_log2 = Vec::with_capacity(levels.min(segment.remaining()));
        for _ in 0..levels {
            let both = segment.u8()?;
            precincts_log2.push((both & 15, both >> 4));
        }
        let [block_width_log2, block_height_log2] = [width, height].map(|log2| log2.saturating_add(2));
        let grid = Grid { decompositions, block_width_log2, block_height_log2, precincts_log2, splits };
        check(&grid).map_err(|what| Error::damaged(at, what))?;
        Ok(Coding { grid, block_style, reversible, kernel })
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
    pub(crate) fn read(segment: &mut Cursor, extensions: &Extensions) -> Result<Cod> {
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
        if segment.clone().u8()? & 0x80 != 0 {
            // T.801 has it in COC alone: COD says how many levels a DFS speaks about.
            return Err(Error::unsupported(segment.offset(), "a DFS that COD names (T.801 A.2.3)"));
        }
        let coding = Coding::read(segment, style & 1 != 0, extensions, 0)?;
        Ok(Cod { progression, layers, colour_transform, sop: style & 2 != 0, eph: style & 4 != 0, coding })
    }

    /// The component and coding of a COC marker segment; `default` is how many decompositions COD has.
    pub(crate) fn read_component(
        segment: &mut Cursor,
        components: usize,
        extensions: &Extensions,
        default: u8,
    ) -> Result<(u16, Coding)> {
        let number = segment.component(components)?;
        let style = segment.u8()?;
        Ok((number, Coding::read(segment, style & 1 != 0, extensions, default)?))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let grid = &self.coding.grid;
        check(grid).map_err(|what| Error::BadParameters(what.into()))?;
        let precincts = grid.precincts_log2.len();
        if self.coding.part_2_kernel().is_some() {
            return Err(Error::BadParameters("levels or kernels of T.801 are only read".into()));
        }
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
    use crate::geometry::Split;

    fn sample() -> Cod {
        let precincts_log2 = vec![(0, 3), (7, 1), (15, 8)];
        let grid =
            Grid { decompositions: 2, block_width_log2: 6, block_height_log2: 5, precincts_log2, splits: vec![] };
        let coding = Coding { grid, block_style: STYLE_HIGH_THROUGHPUT, reversible: true, kernel: None };
        Cod { progression: Progression::Pcrl, layers: 3, colour_transform: true, sop: true, eph: false, coding }
    }

    fn read(bytes: &[u8], start: usize) -> Result<Cod> {
        Cod::read(&mut Cursor::new(bytes, start, "COD"), &Extensions::default())
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
        assert_eq!(read(&bytes, 4).unwrap(), sample());
    }

    /// Each parameter outside its table is refused, and what T.801 adds is named.
    #[test]
    fn impossible_parameters_are_refused() {
        let good = written(&sample());
        let refused = |at: usize, value: u8| {
            let mut bad = good.clone();
            bad[at] = value;
            read(&bad, 4).unwrap_err()
        };
        for (at, value) in [(5, 5), (9, 33), (10, 9), (11, 7), (13, 2), (15, 0x00), (16, 0x0F)] {
            assert!(matches!(refused(at, value), Error::Damaged { .. }), "{at}");
        }
        for (at, value) in [(8, 2), (9, 0x81)] {
            assert!(matches!(refused(at, value), Error::Unsupported { .. }), "{at}");
        }
    }

    /// COC names a DFS and an ATK, has as many levels as COD, and neither can be written.
    #[test]
    fn components_name_what_t801_adds() {
        let mut extensions = Extensions::default();
        extensions.take_splits(&mut Cursor::new(&[0, 1, 3, 0b0110_1100], 0, "DFS")).unwrap();
        extensions.take_kernel(&mut Cursor::new(&[0x48, 7, 1, 1, 1, 2], 0, "ATK")).unwrap();
        let component = |bytes: &[u8]| Cod::read_component(&mut Cursor::new(bytes, 0, "COC"), 3, &extensions, 3);
        let (number, coding) = component(&[2, 1, 0x81, 4, 4, 0x40, 7, 0x11, 0x22, 0x33, 0x44]).unwrap();
        assert_eq!((number, coding.grid.decompositions, coding.grid.precincts_log2.len()), (2, 3, 4));
        assert_eq!(coding.grid.splits, [Split::Both, Split::Horizontal, Split::Vertical]);
        assert_eq!((coding.reversible, coding.part_2_kernel()), (false, extensions.kernel(7)));
        let (_, plain) = component(&[2, 0, 0x81, 4, 4, 0x40, 1]).unwrap();
        assert_eq!(plain.part_2_kernel().as_deref(), Some(&Kernel::standard(true)));
        for coding in [coding, plain] {
            assert!(Cod { coding, ..sample() }.write(&mut Vec::new()).is_err());
        }
        let short: &[u8] = &[2, 1, 0x81, 4, 4, 0x40, 7, 0x11, 0x22, 0x33];
        for bad in [short, &[2, 0, 0x82, 4, 4, 0x40, 1], &[2, 0, 0x81, 4, 4, 0x40, 8]] {
            assert!(matches!(component(bad), Err(Error::Damaged { .. })), "{bad:?}");
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
