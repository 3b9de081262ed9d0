//! Where everything lies: tiles, tile-components, resolution levels, subbands, precincts and code-blocks (T.800 Annex B).
//! Only arithmetic on rectangles; both the encoder and the decoder walk what is built here.

use crate::error::{Error, Result};

/// Code-blocks that one tile may have: what a header can make us allocate for is bounded by it.
pub const TILE_BLOCKS_MAX: u64 = 1 << 24;

/// A half-open rectangle: columns `x0..x1`, rows `y0..y1`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rect {
    /// First column.
    pub x0: u32,
    /// First row.
    pub y0: u32,
    /// Column after the last.
    pub x1: u32,
    /// Row after the last.
    pub y1: u32,
}

impl Rect {
    /// Columns.
    pub fn width(&self) -> u32 {
        self.x1.saturating_sub(self.x0)
    }

    /// Rows.
    pub fn height(&self) -> u32 {
        self.y1.saturating_sub(self.y0)
    }

    /// Whether nothing is inside.
    pub fn is_empty(&self) -> bool {
        self.width() == 0 || self.height() == 0
    }

    /// What both cover.
    pub fn intersection(&self, other: &Rect) -> Rect {
        let (x0, y0) = (self.x0.max(other.x0), self.y0.max(other.y0));
        Rect { x0, y0, x1: self.x1.min(other.x1).max(x0), y1: self.y1.min(other.y1).max(y0) }
    }

    /// All four edges through `edge`: the coordinate maps of T.800 Annex B are of this kind.
    pub fn map(&self, edge: impl Fn(u32) -> u32) -> Rect {
        Rect { x0: edge(self.x0), y0: edge(self.y0), x1: edge(self.x1), y1: edge(self.y1) }
    }
}

/// Which filters made a subband: horizontal first, L low, H high (T.800 Figure B.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Orientation {
    /// Low in both directions.
    LL,
    /// High across, low down.
    HL,
    /// Low across, high down.
    LH,
    /// High in both directions.
    HH,
}

impl Orientation {
    /// log2 of the subband's nominal gain (T.800 Table E.1).
    pub fn gain_log2(self) -> u8 {
        match self {
            Orientation::LL => 0,
            Orientation::HL | Orientation::LH => 1,
            Orientation::HH => 2,
        }
    }

    /// `(xob, yob)` of T.800 Table B.1.
    fn offsets(self) -> (u64, u64) {
        match self {
            Orientation::LL => (0, 0),
            Orientation::HL => (1, 0),
            Orientation::LH => (0, 1),
            Orientation::HH => (1, 1),
        }
    }
}

/// In which directions a decomposition level splits: both in T.800; T.801 has levels that leave one out (its A.3.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Split {
    /// Across and down: HL, LH and HH above the low coefficients.
    Both,
    /// Across only: one subband above them, which is called HL here.
    Horizontal,
    /// Down only: one subband above them, which is called LH here.
    Vertical,
}

impl Split {
    /// 1 for each direction that is halved: across, down.
    pub fn halvings(self) -> (u8, u8) {
        match self {
            Split::Both => (1, 1),
            Split::Horizontal => (1, 0),
            Split::Vertical => (0, 1),
        }
    }

    /// What a list says about decomposition level `level`, which counts from 1.
    fn of(splits: &[Split], level: u8) -> Split {
        usize::from(level).checked_sub(1).and_then(|index| splits.get(index)).copied().unwrap_or(Split::Both)
    }

    /// How often the `levels` largest levels of a list halve what they split: across, down.
    pub(crate) fn sum(splits: &[Split], levels: u8) -> (u8, u8) {
        let each = (1..=levels).map(|level| Split::of(splits, level).halvings());
        each.fold((0, 0), |(across, down), (x, y)| (across + x, down + y))
    }

    /// The subbands above the low coefficients, in their order in packets and in QCD.
    pub fn orientations(self) -> &'static [Orientation] {
        match self {
            Split::Both => &[Orientation::HL, Orientation::LH, Orientation::HH],
            Split::Horizontal => &[Orientation::HL],
            Split::Vertical => &[Orientation::LH],
        }
    }
}

/// How the wavelet and the grids of one tile-component are laid (the parts of COD and COC that geometry needs).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grid {
    /// Decomposition levels N_L, 0 to 32.
    pub decompositions: u8,
    /// log2 of the nominal code-block width, 2 to 10.
    pub block_width_log2: u8,
    /// log2 of the nominal code-block height, 2 to 10; both together at most 12.
    pub block_height_log2: u8,
    /// log2 of precinct width and height for each resolution level, lowest first; empty for 2^15 everywhere.
    pub precincts_log2: Vec<(u8, u8)>,
    /// How each decomposition level splits, level 1 (the largest) first; empty for both ways everywhere.
    pub splits: Vec<Split>,
}

impl Grid {
    /// How decomposition level `level` splits, which counts from 1.
    pub fn split(&self, level: u8) -> Split {
        Split::of(&self.splits, level)
    }

    /// How often `levels` decomposition levels halve the tile-component: across, down.
    pub fn halvings(&self, levels: u8) -> (u8, u8) {
        Split::sum(&self.splits, levels)
    }

    /// Subbands of all resolution levels.
    pub fn subbands(&self) -> usize {
        1 + (1..=self.decompositions).map(|level| self.split(level).orientations().len()).sum::<usize>()
    }
}

/// One subband of one resolution level, cut into code-blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subband {
    /// Which of the four it is.
    pub orientation: Orientation,
    /// Decomposition level n_b: 1 for the largest subbands, N_L for the smallest.
    pub level: u8,
    /// Its number in the tile-component, the lowest resolution level first: where QCD speaks about it.
    pub number: u8,
    /// Its place in subband coordinates (T.800 B-15).
    pub rect: Rect,
    /// log2 of the code-block width after the precinct has had its say (T.800 B-17).
    pub block_width_log2: u8,
    /// log2 of the code-block height after the precinct has had its say (T.800 B-18).
    pub block_height_log2: u8,
    /// Code-blocks across; 0 if the subband is empty.
    pub columns: u32,
    /// Code-blocks down; 0 if the subband is empty.
    pub rows: u32,
    /// Number of its first code-block in the tile's table, in which its code-blocks stand row by row.
    pub first_block: usize,
}

impl Subband {
    /// The code-block in `column` and `row` of the subband's grid, in subband coordinates.
    pub fn block(&self, column: u32, row: u32) -> Rect {
        let (x, y) = ((self.rect.x0 >> self.block_width_log2) + column, (self.rect.y0 >> self.block_height_log2) + row);
        let edge = |n: u32, log2: u8| (u64::from(n) << log2).min(u64::from(u32::MAX)) as u32;
        let nominal = Rect {
            x0: edge(x, self.block_width_log2),
            y0: edge(y, self.block_height_log2),
            x1: edge(x + 1, self.block_width_log2),
            y1: edge(y + 1, self.block_height_log2),
        };
        nominal.intersection(&self.rect)
    }

    /// The number of that code-block in the tile's table.
    pub fn block_index(&self, column: u32, row: u32) -> usize {
        self.first_block + row as usize * self.columns as usize + column as usize
    }
}

/// One resolution level of a tile-component.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Resolution {
    /// Its place in the coordinates of this resolution level (T.800 B-14).
    pub rect: Rect,
    /// log2 of the precinct width PPx.
    pub precinct_width_log2: u8,
    /// log2 of the precinct height PPy.
    pub precinct_height_log2: u8,
    /// Precincts across (T.800 B-16); 0 if the level is empty.
    pub precincts_wide: u32,
    /// Precincts down (T.800 B-16); 0 if the level is empty.
    pub precincts_high: u32,
    /// How often the tile-component is halved to come here: across, down.
    pub down: (u8, u8),
    /// Of these two, by how much this level's own subbands are smaller than it: 0 for the lowest, else 1 or, where a
    /// direction is not split, 0.
    pub halved: (u8, u8),
    /// LL for the lowest level, else HL, LH and HH in this order, or the one of them that its [`Split`] makes.
    pub subbands: Vec<Subband>,
}

impl Resolution {
    /// The columns and rows of `subband`'s code-block grid that belong to the precinct in `column` and `row`; possibly none.
    pub fn precinct_blocks(
        &self,
        subband: &Subband,
        column: u32,
        row: u32,
    ) -> (std::ops::Range<u32>, std::ops::Range<u32>) {
        let along =
            |first: u32, log2: u8, halved: u8, number: u32, low: u32, high: u32, block_log2: u8, blocks: u32| {
                let edge = |n: u64| (n << log2 >> halved).clamp(u64::from(low), u64::from(high)) as u32;
                let start = edge(u64::from(first >> log2) + u64::from(number));
                let end = edge(u64::from(first >> log2) + u64::from(number) + 1);
                if start >= end || blocks == 0 {
                    return 0..0;
                }
                let origin = low >> block_log2;
                ((start >> block_log2) - origin)..(((end - 1) >> block_log2) + 1 - origin)
            };
        let (band, own) = (&subband.rect, &self.rect);
        let ((wide, high), (across, down)) = ((self.precinct_width_log2, self.precinct_height_log2), self.halved);
        let columns = along(own.x0, wide, across, column, band.x0, band.x1, subband.block_width_log2, subband.columns);
        let rows = along(own.y0, high, down, row, band.y0, band.y1, subband.block_height_log2, subband.rows);
        if columns.is_empty() || rows.is_empty() { (0..0, 0..0) } else { (columns, rows) }
    }
}

/// One component of one tile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TileComponent {
    /// Its place in the component's own coordinates (T.800 B-12).
    pub rect: Rect,
    /// Resolution levels, lowest first: N_L + 1 of them.
    pub resolutions: Vec<Resolution>,
}

/// One tile, cut down to its code-blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Tile {
    /// Its place on the reference grid (T.800 B-7 to B-10).
    pub rect: Rect,
    /// Its components.
    pub components: Vec<TileComponent>,
    /// Code-blocks of all components together: the length of the tile's table.
    pub blocks: usize,
}

impl Tile {
    /// Cuts `rect` of the reference grid; one `(XRsiz, YRsiz)` and one [`Grid`] a component.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above [`TILE_BLOCKS_MAX`] code-blocks, before they are listed anywhere.
    pub fn new(rect: Rect, components: &[((u8, u8), &Grid)]) -> Result<Tile> {
        let mut blocks = 0u64;
        let mut cut = Vec::with_capacity(components.len());
        for ((dx, dy), grid) in components {
            let own = Rect {
                x0: rect.x0.div_ceil(u32::from(*dx)),
                y0: rect.y0.div_ceil(u32::from(*dy)),
                x1: rect.x1.div_ceil(u32::from(*dx)),
                y1: rect.y1.div_ceil(u32::from(*dy)),
            };
            let levels = 0..=grid.decompositions;
            let mut resolutions = Vec::with_capacity(levels.len());
            let mut bands = 0;
            for level in levels {
                resolutions.push(resolution(own, grid, level, &mut bands, &mut blocks)?);
            }
            cut.push(TileComponent { rect: own, resolutions });
        }
        Ok(Tile { rect, components: cut, blocks: blocks as usize })
    }
}

fn resolution(tile_component: Rect, grid: &Grid, r: u8, bands: &mut u8, blocks: &mut u64) -> Result<Resolution> {
    let below = grid.decompositions - r;
    let down = grid.halvings(below);
    let rect = reduced(tile_component, down);
    let (wide, high) = grid.precincts_log2.get(usize::from(r)).copied().unwrap_or((15, 15));
    // The decomposition level that this one is put together from, and the one that its subbands belong to.
    let split = grid.split(below + 1);
    let (level, halved, orientations): (u8, (u8, u8), &[Orientation]) =
        if r == 0 { (below, (0, 0), &[Orientation::LL]) } else { (below + 1, split.halvings(), split.orientations()) };
    let mut subbands = Vec::with_capacity(orientations.len());
    for &orientation in orientations {
        let mut band = Subband {
            orientation,
            level,
            number: *bands,
            rect: subband_rect(tile_component, orientation, (down.0 + halved.0, down.1 + halved.1)),
            block_width_log2: grid.block_width_log2.min(wide.saturating_sub(halved.0)),
            block_height_log2: grid.block_height_log2.min(high.saturating_sub(halved.1)),
            columns: 0,
            rows: 0,
            first_block: *blocks as usize,
        };
        if !band.rect.is_empty() {
            band.columns = cells(band.rect.x0, band.rect.x1, band.block_width_log2);
            band.rows = cells(band.rect.y0, band.rect.y1, band.block_height_log2);
        }
        *blocks += u64::from(band.columns) * u64::from(band.rows);
        if *blocks > TILE_BLOCKS_MAX {
            return Err(Error::TooLarge { what: "code-blocks of a tile", claimed: *blocks, limit: TILE_BLOCKS_MAX });
        }
        *bands += 1;
        subbands.push(band);
    }
    let counted = !rect.is_empty();
    Ok(Resolution {
        rect,
        precinct_width_log2: wide,
        precinct_height_log2: high,
        precincts_wide: if counted { cells(rect.x0, rect.x1, wide) } else { 0 },
        precincts_high: if counted { cells(rect.y0, rect.y1, high) } else { 0 },
        down,
        halved,
        subbands,
    })
}

/// T.800 B-14, with a power of two for each direction.
fn reduced(tile_component: Rect, (across, down): (u8, u8)) -> Rect {
    Rect {
        x0: ceil_shift(u64::from(tile_component.x0), across),
        y0: ceil_shift(u64::from(tile_component.y0), down),
        x1: ceil_shift(u64::from(tile_component.x1), across),
        y1: ceil_shift(u64::from(tile_component.y1), down),
    }
}

/// T.800 B-15: `ceil((edge - 2^(n_b - 1) * offset) / 2^n_b)`, with an n_b for each direction.
fn subband_rect(tile_component: Rect, orientation: Orientation, (across, down): (u8, u8)) -> Rect {
    let (xo, yo) = orientation.offsets();
    let edge = |edge: u32, offset: u64, halvings: u8| {
        let shift = if halvings == 0 { 0 } else { offset << (halvings - 1) };
        ceil_shift(u64::from(edge).saturating_sub(shift), halvings)
    };
    Rect {
        x0: edge(tile_component.x0, xo, across),
        y0: edge(tile_component.y0, yo, down),
        x1: edge(tile_component.x1, xo, across),
        y1: edge(tile_component.y1, yo, down),
    }
}

/// `ceil(value / 2^shift)`.
fn ceil_shift(value: u64, shift: u8) -> u32 {
    value.div_ceil(1u64 << shift) as u32
}

/// How many cells of `2^log2` the range touches.
fn cells(start: u32, end: u32, log2: u8) -> u32 {
    (u64::from(end).div_ceil(1 << log2) - u64::from(start >> log2)) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    fn grid(decompositions: u8, precincts_log2: Vec<(u8, u8)>) -> Grid {
        Grid { decompositions, block_width_log2: 6, block_height_log2: 6, precincts_log2, splits: vec![] }
    }

    /// Three levels, the largest split both ways, then across, then down.
    fn mixed(precincts_log2: Vec<(u8, u8)>) -> Grid {
        Grid { splits: vec![Split::Both, Split::Horizontal, Split::Vertical], ..grid(3, precincts_log2) }
    }

    fn tile(x0: u32, y0: u32, x1: u32, y1: u32, grid: &Grid) -> Tile {
        Tile::new(Rect { x0, y0, x1, y1 }, &[((1, 1), grid)]).unwrap()
    }

    /// Subbands of a level together have as many coefficients as the level, whatever the origin.
    #[test]
    fn subbands_of_a_level_add_up_to_it() {
        for (x0, y0, x1, y1) in [(0, 0, 1, 1), (0, 0, 513, 200), (3, 5, 130, 77), (7, 0, 8, 9), (1, 1, 2, 2)] {
            for grid in [grid(5, vec![]), mixed(vec![])] {
                let cut = tile(x0, y0, x1, y1, &grid);
                let levels = &cut.components[0].resolutions;
                for pair in levels.windows(2) {
                    let area = |rect: &Rect| u64::from(rect.width()) * u64::from(rect.height());
                    let of_bands: u64 = pair[1].subbands.iter().map(|band| area(&band.rect)).sum();
                    assert_eq!(area(&pair[1].rect), area(&pair[0].rect) + of_bands, "{x0} {y0} {x1} {y1}");
                }
            }
        }
    }

    /// Every code-block belongs to exactly one precinct, with and without small precincts.
    #[test]
    fn precincts_share_out_the_code_blocks() {
        let precincts = vec![(4, 5), (5, 5), (6, 4), (7, 7)];
        let grids = [grid(3, vec![]), grid(3, precincts.clone()), mixed(vec![]), mixed(precincts)];
        for cut in grids.map(|grid| tile(5, 3, 301, 222, &grid)) {
            let mut seen = vec![0; cut.blocks];
            for level in &cut.components[0].resolutions {
                for (row, column) in
                    (0..level.precincts_high).flat_map(|r| (0..level.precincts_wide).map(move |c| (r, c)))
                {
                    for band in &level.subbands {
                        let (columns, rows) = level.precinct_blocks(band, column, row);
                        for (y, x) in rows.flat_map(|y| columns.clone().map(move |x| (y, x))) {
                            seen[band.block_index(x, y)] += 1;
                            assert!(!band.block(x, y).is_empty());
                        }
                    }
                }
            }
            assert!(seen.iter().all(|&times| times == 1), "{seen:?}");
        }
    }

    #[test]
    fn a_tile_of_too_many_code_blocks_is_refused() {
        let tiny = Grid { block_width_log2: 2, block_height_log2: 2, ..grid(0, vec![]) };
        let whole = Rect { x0: 0, y0: 0, x1: u32::MAX, y1: u32::MAX };
        assert!(matches!(Tile::new(whole, &[((1, 1), &tiny)]), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn thirty_two_decompositions_do_not_overflow() {
        let cut = tile(0, 0, 4096, 6144, &grid(32, vec![]));
        assert_eq!(cut.components[0].resolutions.len(), 33);
        assert_eq!(cut.components[0].resolutions[0].rect, Rect { x0: 0, y0: 0, x1: 1, y1: 1 });
    }

    /// A direction that a level does not split keeps its size, and subbands are numbered in the order of QCD.
    #[test]
    fn levels_may_leave_out_a_direction() {
        let grid = mixed(vec![]);
        let cut = tile(0, 0, 100, 60, &grid);
        let levels = &cut.components[0].resolutions;
        let sizes: Vec<_> = levels.iter().map(|level| (level.rect.width(), level.rect.height(), level.down)).collect();
        assert_eq!(sizes, [(25, 15, (2, 2)), (25, 30, (2, 1)), (50, 30, (1, 1)), (100, 60, (0, 0))]);
        let bands: Vec<_> =
            levels.iter().flat_map(|level| &level.subbands).map(|b| (b.number, b.orientation)).collect();
        let [ll, hl, lh, hh] = [Orientation::LL, Orientation::HL, Orientation::LH, Orientation::HH];
        assert_eq!(bands, [(0, ll), (1, lh), (2, hl), (3, hl), (4, lh), (5, hh)]);
        assert_eq!((grid.subbands(), levels[2].subbands[0].rect.width()), (6, 25));
    }
}
