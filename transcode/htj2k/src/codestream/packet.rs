//! Packet headers (T.800 B.10, with the segments of HT code-blocks of T.814 B.3): which code-blocks a packet brings
//! bytes of, and how many.

use super::bits::{BitReader, Ended};
use super::progression::Place;
use super::tag_tree::{Node, TreeShape};
use super::write::CLEANUP_BYTES_MAX;
use crate::geometry::Resolution;

/// Bytes that a refinement segment can have (T.814 7.1.1: Lref < 2047).
pub(crate) const REFINEMENT_BYTES_MAX: u32 = 2046;
/// Marks a precinct whose tag trees are not there yet.
const NO_TREES: u32 = u32::MAX;

/// Why a header could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// Its bytes are used up.
    Ended,
    /// It says what cannot be.
    Damaged(&'static str),
}

impl From<Ended> for Stop {
    fn from(_: Ended) -> Stop {
        Stop::Ended
    }
}

/// A run of bytes that a packet's body holds for one code-block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// The code-block's number in the tile's table.
    pub(crate) block: u32,
    /// Zero bit-planes, with those that HT sets before this one would have coded.
    pub(crate) zero_bit_planes: u8,
    /// 0 for a cleanup segment; else the SigProp and MagRef passes that it adds.
    pub(crate) refinement_passes: u8,
    pub(crate) length: u32,
}

/// How far a code-block has come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Phase {
    /// In no packet yet.
    #[default]
    Absent,
    /// Only passes without bytes, in front of the first HT set.
    Placeholders,
    /// In an HT set.
    Coded,
    /// In an HT set whose cleanup segment is empty.
    EmptySet,
}

/// What packet headers have said about one code-block.
#[derive(Clone, Copy, Debug, Default)]
struct BlockState {
    phase: Phase,
    zero_bit_planes: u8,
    /// Lblock.
    length_bits: u8,
    /// Passes so far, placeholders included.
    passes: u8,
}

/// The state that packet headers of one tile share.
#[derive(Debug, Default)]
pub(crate) struct Headers {
    blocks: Vec<BlockState>,
    /// Where the tag trees of each precinct begin.
    trees: Vec<u32>,
    nodes: Vec<Node>,
    /// Whether no precinct comes back.
    one_layer: bool,
    /// What the last header announced, in the order of the body.
    pub(crate) segments: Vec<Segment>,
}

impl Headers {
    /// Forgets everything; `blocks` and `precincts` of a tile follow.
    pub(crate) fn reset(&mut self, blocks: usize, precincts: usize, layers: u16) {
        self.blocks.clear();
        self.blocks.resize(blocks, BlockState::default());
        self.trees.clear();
        self.trees.resize(precincts, NO_TREES);
        self.nodes.clear();
        self.one_layer = layers == 1;
    }

    /// Reads one packet header into [`Headers::segments`]; `planes` are the bit-planes of the level's subbands.
    pub(crate) fn read(
        &mut self,
        bits: &mut BitReader,
        level: &Resolution,
        place: &Place,
        layer: u16,
        planes: [u8; 3],
    ) -> Result<(), Stop> {
        self.segments.clear();
        if bits.bit()? == 0 {
            return Ok(());
        }
        let (column, row) = (place.within % level.precincts_wide, place.within / level.precincts_wide);
        let mut at = self.trees_of(level, place, column, row);
        for (band, planes) in level.subbands.iter().zip(planes) {
            let (columns, rows) = level.precinct_blocks(band, column, row);
            if columns.is_empty() {
                continue;
            }
            let shape = TreeShape::new(columns.len() as u32, rows.len() as u32);
            for (row, y) in rows.zip(0..) {
                for (column, x) in columns.clone().zip(0..) {
                    let leaf = Leaf { shape: &shape, at, x, y, layer, planes };
                    self.block(bits, band.block_index(column, row), &leaf)?;
                }
            }
            at += 2 * shape.nodes();
        }
        Ok(())
    }

    /// Where the precinct's tag trees begin, after making them if they are not there.
    fn trees_of(&mut self, level: &Resolution, place: &Place, column: u32, row: u32) -> usize {
        if self.one_layer {
            self.nodes.clear();
        }
        let known = self.trees[place.precinct as usize];
        if known != NO_TREES {
            return known as usize;
        }
        let start = self.nodes.len();
        for band in &level.subbands {
            let (columns, rows) = level.precinct_blocks(band, column, row);
            if !columns.is_empty() {
                let shape = TreeShape::new(columns.len() as u32, rows.len() as u32);
                self.nodes.resize(self.nodes.len() + 2 * shape.nodes(), Node::default());
            }
        }
        self.trees[place.precinct as usize] = start as u32;
        start
    }

    /// One code-block (T.800 B.10.3 to B.10.7).
    fn block(&mut self, bits: &mut BitReader, index: usize, leaf: &Leaf) -> Result<(), Stop> {
        let mut state = self.blocks[index];
        if state.phase == Phase::Absent {
            let nodes = &mut self.nodes[leaf.at..];
            let (inclusion, zero_bit_planes) = nodes.split_at_mut(leaf.shape.nodes());
            if leaf.shape.read(inclusion, (leaf.x, leaf.y), leaf.layer + 1, bits)?.is_none() {
                return Ok(());
            }
            let threshold = u16::from(leaf.planes) + 1;
            let told = leaf.shape.read(zero_bit_planes, (leaf.x, leaf.y), threshold, bits)?;
            let told = told.ok_or(Stop::Damaged("more zero bit-planes than the subband has bit-planes"))?;
            let zero_bit_planes = told as u8;
            state = BlockState { phase: Phase::Placeholders, zero_bit_planes, length_bits: 3, passes: 0 };
        } else if bits.bit()? == 0 {
            return Ok(());
        }
        let passes = passes(bits)?;
        if u16::from(state.passes) + u16::from(passes) > 255 {
            return Err(Stop::Damaged("more than 255 passes of a code-block"));
        }
        while bits.bit()? == 1 {
            state.length_bits += 1;
            if state.length_bits > 24 {
                return Err(Stop::Damaged("Lblock above 24 bits"));
            }
        }
        let mut left = passes;
        if state.phase == Phase::Placeholders {
            left = self.first_set(bits, index, &mut state, leaf.planes, passes)?;
        }
        self.further_segments(bits, index, &mut state, leaf.planes, left)?;
        self.blocks[index] = state;
        Ok(())
    }

    /// The segment up to the first cleanup pass, if there is one: before it, lengths are told as if for one codeword
    /// segment of Part 1, and are 0. Returns the passes that follow it.
    fn first_set(
        &mut self,
        bits: &mut BitReader,
        index: usize,
        state: &mut BlockState,
        planes: u8,
        passes: u8,
    ) -> Result<u8, Stop> {
        let not_empty = Stop::Damaged("a segment before the first HT cleanup pass is not empty");
        let after = ((u16::from(state.passes) + u16::from(passes) - 1) % 3) as u8;
        let with_cleanup = passes.saturating_sub(after);
        if with_cleanup == 0 {
            state.passes += passes;
            let length = bits.bits(state.length_bits + passes.ilog2() as u8)?;
            return if length == 0 { Ok(0) } else { Err(not_empty) };
        }
        let length = bits.bits(state.length_bits + with_cleanup.ilog2() as u8)?;
        if length > 0 {
            state.passes += with_cleanup;
            self.cleanup(index, state, planes, length)?;
            return Ok(after);
        }
        state.passes += passes;
        match bits.bits((passes.ilog2() - with_cleanup.ilog2()) as u8)? {
            0 => Ok(0),
            _ => Err(not_empty),
        }
    }

    /// Segments behind the first cleanup pass: one pass of cleanup, then one or two of refinement, and so on.
    fn further_segments(
        &mut self,
        bits: &mut BitReader,
        index: usize,
        state: &mut BlockState,
        planes: u8,
        mut left: u8,
    ) -> Result<(), Stop> {
        while left > 0 {
            let within = state.passes % 3;
            let passes = if within == 0 { 1 } else { left.min(3 - within) };
            let length = bits.bits(state.length_bits + passes - 1)?;
            state.passes += passes;
            left -= passes;
            match (within, length) {
                (0, 0) => state.phase = Phase::EmptySet,
                (0, length) => self.cleanup(index, state, planes, length)?,
                (_, length) => self.refinement(index, state, passes, length)?,
            }
        }
        Ok(())
    }

    /// The cleanup pass that `state.passes` counts last has `length` bytes.
    fn cleanup(&mut self, index: usize, state: &mut BlockState, planes: u8, length: u32) -> Result<(), Stop> {
        if length < 2 || length as usize > CLEANUP_BYTES_MAX {
            return Err(Stop::Damaged("an HT cleanup segment has 2 to 65534 bytes"));
        }
        let sets_before = (state.passes - 1) / 3;
        let zero_bit_planes = state.zero_bit_planes.saturating_add(sets_before);
        if zero_bit_planes >= planes {
            return Err(Stop::Damaged("an HT cleanup pass below the last bit-plane"));
        }
        state.phase = Phase::Coded;
        self.segments.push(Segment { block: index as u32, zero_bit_planes, refinement_passes: 0, length });
        Ok(())
    }

    fn refinement(&mut self, index: usize, state: &BlockState, passes: u8, length: u32) -> Result<(), Stop> {
        if state.phase == Phase::EmptySet {
            return if length == 0 { Ok(()) } else { Err(Stop::Damaged("refinement of an empty HT set")) };
        }
        if length > REFINEMENT_BYTES_MAX {
            return Err(Stop::Damaged("an HT refinement segment above 2046 bytes"));
        }
        let block = index as u32;
        self.segments.push(Segment { block, zero_bit_planes: 0, refinement_passes: passes, length });
        Ok(())
    }
}

/// A code-block's place in the tag trees of its precinct.
struct Leaf<'a> {
    shape: &'a TreeShape,
    /// Where the inclusion tree begins; the tree of zero bit-planes follows it.
    at: usize,
    x: u32,
    y: u32,
    layer: u16,
    planes: u8,
}

/// The number of passes, 1 to 164 (T.800 Table B.4).
fn passes(bits: &mut BitReader) -> Result<u8, Ended> {
    let mut passes = 1;
    for (count, full) in [(1, 1), (1, 1), (2, 3), (5, 31), (7, 128)] {
        let more = bits.bits(count)?;
        passes += more as u8;
        if more < full {
            break;
        }
    }
    Ok(passes)
}

#[cfg(test)]
mod tests {
    use super::super::bits::BitWriter;
    use super::super::progression::Packets;
    use super::*;
    use crate::geometry::{Grid, Rect, Tile};

    /// One code-block of one precinct, whose packets are written bit by bit: `(value, bits)`.
    fn check(packets: &[&[(u32, u8)]], expected: Result<&[(u8, u8, u32)], Stop>) {
        let grid = Grid { decompositions: 0, block_width_log2: 4, block_height_log2: 4, precincts_log2: vec![] };
        let tile = Tile::new(Rect { x0: 0, y0: 0, x1: 9, y1: 9 }, &[((1, 1), &grid)]).unwrap();
        let mut order = Packets::default();
        order.list(&tile, &[(1, 1)]).unwrap();
        let mut headers = Headers::default();
        headers.reset(tile.blocks, order.places.len(), packets.len() as u16);
        let mut found = Ok(Vec::new());
        for (layer, fields) in packets.iter().enumerate() {
            let mut bytes = Vec::new();
            let mut bits = BitWriter::new(&mut bytes);
            fields.iter().for_each(|&(value, count)| bits.bits(value, count));
            bits.finish();
            let mut bits = BitReader::new(&bytes);
            let level = &tile.components[0].resolutions[0];
            let read = headers.read(&mut bits, level, &order.places[0], layer as u16, [8; 3]);
            let Err(stop) = read else {
                let list = headers.segments.iter();
                let triples = list.map(|segment| (segment.zero_bit_planes, segment.refinement_passes, segment.length));
                found.as_mut().unwrap().extend(triples);
                continue;
            };
            found = Err(stop);
            break;
        }
        assert_eq!(found, expected.map(<[_]>::to_vec));
    }

    /// Not empty, included, `zero_bit_planes` 2.
    const FIRST: [(u32, u8); 3] = [(1, 1), (1, 1), (0b001, 3)];

    #[test]
    fn one_set_has_a_cleanup_and_a_refinement_segment() {
        let one = [&FIRST[..], &[(0, 1), (0, 1), (5, 3)]].concat();
        check(&[&one], Ok(&[(2, 0, 5)]));
        let two = [&FIRST[..], &[(0b10, 2), (0, 1), (5, 3), (6, 3)]].concat();
        check(&[&two], Ok(&[(2, 0, 5), (0, 1, 6)]));
        let three = [&FIRST[..], &[(0b1100, 4), (0b10, 2), (13, 4), (17, 5)]].concat();
        check(&[&three], Ok(&[(2, 0, 13), (0, 2, 17)]));
    }

    /// Passes before the first set cost length bits like one codeword segment, and a bit-plane each three.
    #[test]
    fn placeholders_move_the_set_down() {
        let four = [&FIRST[..], &[(0b1101, 4), (0, 1), (9, 5)]].concat();
        check(&[&four], Ok(&[(3, 0, 9)]));
        let alone = [&FIRST[..], &[(0b1100, 4), (0, 1), (0, 3), (0, 1)]].concat();
        check(&[&alone, &[(1, 1), (1, 1), (0, 1), (0, 1), (4, 3)]], Ok(&[(3, 0, 4)]));
        let wrong = [&FIRST[..], &[(0b1100, 4), (0, 1), (0, 3), (1, 1)]].concat();
        check(&[&wrong], Err(Stop::Damaged("a segment before the first HT cleanup pass is not empty")));
    }

    /// A further layer brings the rest of a set, or the next one, or an empty one.
    #[test]
    fn sets_go_on_through_layers() {
        let first = [&FIRST[..], &[(0b10, 2), (0, 1), (5, 3), (6, 3)]].concat();
        let magref: &[(u32, u8)] = &[(1, 1), (1, 1), (0, 1), (0, 1), (7, 3)];
        check(&[&first, magref], Ok(&[(2, 0, 5), (0, 1, 6), (0, 1, 7)]));
        let next: &[(u32, u8)] = &[(1, 1), (1, 1), (0b1101, 4), (0, 1), (7, 3), (4, 3), (3, 4)];
        check(&[&first, next], Ok(&[(2, 0, 5), (0, 1, 6), (0, 1, 7), (3, 0, 4), (0, 2, 3)]));
        let empty: &[(u32, u8)] = &[(1, 1), (1, 1), (0b1101, 4), (0, 1), (7, 3), (0, 3), (0, 4)];
        check(&[&first, empty], Ok(&[(2, 0, 5), (0, 1, 6), (0, 1, 7)]));
        check(&[&first, &[(0, 1)], &[(1, 1), (0, 1)]], Ok(&[(2, 0, 5), (0, 1, 6)]));
    }

    #[test]
    fn impossible_headers_are_refused() {
        let short = [&FIRST[..], &[(0, 1), (0, 1), (1, 3)]].concat();
        check(&[&short], Err(Stop::Damaged("an HT cleanup segment has 2 to 65534 bytes")));
        check(&[&[(3, 2), (0, 9)]], Err(Stop::Damaged("more zero bit-planes than the subband has bit-planes")));
        let last = [(3, 2), (1, 9), (0, 1), (0, 1), (5, 3)];
        check(&[&last], Err(Stop::Damaged("an HT cleanup pass below the last bit-plane")));
        let long = [&FIRST[..], &[(0, 1), (u32::MAX, 22)]].concat();
        check(&[&long], Err(Stop::Damaged("Lblock above 24 bits")));
        check(&[&FIRST[..]], Err(Stop::Ended));
    }
}
