//! Reading a tile: where the bytes of each code-block are.

use std::ops::ControlFlow;

use super::bits::BitReader;
use super::marker;
use super::packet::{Headers, REFINEMENT_BYTES_MAX, Segment, Stop};
use super::progression::{Packets, Place};
use super::stream::{Codestream, TilePart};
use crate::error::{Error, Result};
use crate::geometry::{Grid, Rect, Resolution, Tile};

/// Components of a codestream whose tiles are read.
pub const COMPONENTS_READ_MAX: u16 = 4;
/// Code-blocks of a tile that is read: with [`super::TILE_PRECINCTS_MAX`] it bounds what a header can make
/// [`Codestream::read_tile`] allocate to 320 MB and a few times the codestream's bytes.
pub const TILE_BLOCKS_READ_MAX: u64 = 1 << 22;
/// Resolution levels of 32 decompositions.
const LEVELS_MAX: usize = 33;
/// Bytes of SOP with its parameters.
const SOP_BYTES: usize = 6;

/// Where some bytes are: in the codestream, or gathered from several packets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    start: usize,
    length: u32,
    is_gathered: bool,
}

impl Span {
    /// How many bytes.
    pub fn length(&self) -> usize {
        self.length as usize
    }
}

/// The one HT set of a code-block that is to be decoded: the last whose cleanup segment is whole.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BlockData {
    /// Bit-planes of M_b above those that the cleanup pass codes, so that its last one is
    /// p = M_b - 1 - `zero_bit_planes`. Counts the sets before this one.
    pub zero_bit_planes: u8,
    /// 0 if there is nothing, 1 for cleanup, 2 with SigProp, 3 with MagRef as well.
    pub passes: u8,
    /// The cleanup segment.
    pub cleanup: Span,
    /// The refinement segment; empty unless there are more passes than 1.
    pub refinement: Span,
}

/// A tile's geometry and its code-blocks' bytes; reused from tile to tile without allocating.
#[derive(Debug)]
pub struct TileBlocks {
    /// Where the tile's subbands and code-blocks lie.
    pub tile: Tile,
    /// One entry a code-block, by [`crate::geometry::Subband::block_index`].
    pub blocks: Vec<BlockData>,
    /// How many resolution levels, counted from the lowest, are wholly there in all components and layers.
    pub complete_resolutions: u8,
    /// After which byte of the codestream each complete resolution level is complete.
    pub resolution_ends: Vec<usize>,
    /// Whether packets that were wanted are not there.
    pub is_truncated: bool,
    /// Bytes of the tile's tile-parts behind its last packet, if all resolution levels were wanted: 0 in a sound stream.
    pub unread_bytes: usize,
    /// What `tile` was made from.
    grids: Vec<((u8, u8), Grid)>,
    gathered: Vec<u8>,
    packed: Vec<u8>,
    headers: Headers,
    packets: Packets,
    sampling: Vec<(u8, u8)>,
}

impl Default for TileBlocks {
    fn default() -> TileBlocks {
        TileBlocks {
            tile: Tile { rect: Rect::default(), components: Vec::new(), blocks: 0 },
            blocks: Vec::new(),
            complete_resolutions: 0,
            resolution_ends: Vec::new(),
            is_truncated: false,
            unread_bytes: 0,
            grids: Vec::new(),
            gathered: Vec::new(),
            packed: Vec::new(),
            headers: Headers::default(),
            packets: Packets::default(),
            sampling: Vec::new(),
        }
    }
}

impl TileBlocks {
    /// Nothing read yet.
    pub fn new() -> TileBlocks {
        TileBlocks::default()
    }

    /// The cleanup segment of code-block `index`; `bytes` are those of the codestream that was read.
    pub fn cleanup<'a>(&'a self, bytes: &'a [u8], index: usize) -> &'a [u8] {
        self.span(bytes, &self.blocks[index].cleanup)
    }

    /// The refinement segment of code-block `index`; `bytes` are those of the codestream that was read.
    pub fn refinement<'a>(&'a self, bytes: &'a [u8], index: usize) -> &'a [u8] {
        self.span(bytes, &self.blocks[index].refinement)
    }

    /// Where in the codestream code-block `index` begins: what an error about it names. 0 if it came in several parts.
    pub fn offset(&self, index: usize) -> usize {
        let span = &self.blocks[index].cleanup;
        if span.is_gathered { 0 } else { span.start }
    }

    fn span<'a>(&'a self, bytes: &'a [u8], span: &Span) -> &'a [u8] {
        let source = if span.is_gathered { &self.gathered } else { bytes };
        source.get(span.start..span.start + span.length()).unwrap_or(&[])
    }

    /// Cuts the tile, unless it is like the one before.
    fn cut(&mut self, stream: &Codestream, index: u32) -> Result<()> {
        let siz = stream.siz();
        let (number, rect) = (siz.components.len(), siz.tile(index));
        let grid = |component: usize| &stream.coding(index, component as u16).grid;
        let sizes = siz.components.iter().map(|size| (size.dx, size.dy));
        let same = self.grids.len() == number
            && self.tile.rect == rect
            && self
                .grids
                .iter()
                .zip(sizes.clone())
                .enumerate()
                .all(|(component, (known, sampling))| known.0 == sampling && known.1 == *grid(component));
        if !same {
            self.grids.clear();
            let list: Vec<_> = sizes.clone().enumerate().map(|(component, size)| (size, grid(component))).collect();
            self.tile = Tile::new(rect, &list)?;
            self.grids.extend(list.into_iter().map(|(size, grid)| (size, grid.clone())));
        }
        let (claimed, limit) = (self.tile.blocks as u64, TILE_BLOCKS_READ_MAX);
        if claimed > limit {
            return Err(Error::TooLarge { what: "code-blocks of a tile", claimed, limit });
        }
        self.sampling.clear();
        self.sampling.extend(sizes);
        self.packets.list(&self.tile, &self.sampling)
    }
}

impl Codestream<'_> {
    /// Walks the packets of tile `index` and notes where the bytes of its code-blocks are, of the `resolutions` lowest
    /// resolution levels; [`u8::MAX`] means all. If components differ in decompositions, levels are counted down from
    /// the highest, and the lowest one of each component belongs to the lowest of all.
    ///
    /// # Errors
    /// [`Error::Damaged`] if packets contradict the standards, [`Error::TooLarge`] above [`TILE_BLOCKS_READ_MAX`] or
    /// [`super::TILE_PRECINCTS_MAX`], [`Error::Unsupported`] above [`COMPONENTS_READ_MAX`] components. Bytes that are
    /// not there are no error.
    pub fn read_tile(&self, index: u32, resolutions: u8, into: &mut TileBlocks) -> Result<()> {
        let components = self.siz().components.len();
        if components > usize::from(COMPONENTS_READ_MAX) {
            return Err(Error::unsupported(0, format!("a picture of {components} components")));
        }
        if index >= self.siz().tiles() {
            return Err(Error::BadParameters(format!("there is no tile {index}")));
        }
        into.cut(self, index)?;
        let cod = self.cod(index);
        into.blocks.clear();
        into.blocks.resize(into.tile.blocks, BlockData::default());
        into.headers.reset(into.tile.blocks, into.packets.places.len(), cod.layers);
        into.gathered.clear();
        into.packed.clear();
        let has_packed = self.packed_headers(index, &mut into.packed);
        let mut levels = Levels::new(&into.tile, &into.packets.places, cod.layers, resolutions);
        let mut walk = Walk {
            stream: self,
            tile: index,
            source: Source { bytes: self.bytes(), parts: self.parts_of(index), at: 0 },
            packed: has_packed.then_some(&into.packed[..]),
            headers: &mut into.headers,
            blocks: &mut into.blocks,
            gathered: &mut into.gathered,
            levels: &mut levels,
            has_eph: cod.eph,
        };
        walk.source.settle();
        let tile = &into.tile;
        into.packets.walk(self.changes(index), cod.progression, cod.layers, &mut |place, layer| {
            walk.packet(tile, place, layer)
        })?;
        let unread = walk.source.remaining();
        into.unread_bytes = if levels.are_all() { unread } else { 0 };
        into.is_truncated = levels.left > 0;
        levels.report(into);
        drop_empty_refinements(&mut into.blocks);
        Ok(())
    }

    /// The byte end of each resolution level over all tiles, lowest first: a prefix of so many bytes holds it. Only
    /// levels that are complete are listed. Reads packet headers, and no code-block.
    ///
    /// # Errors
    /// As [`Codestream::read_tile`].
    pub fn resolution_ends(&self) -> Result<Vec<usize>> {
        let mut blocks = TileBlocks::new();
        let (mut ends, mut complete) = (Vec::<usize>::new(), usize::MAX);
        for index in 0..self.siz().tiles() {
            self.read_tile(index, u8::MAX, &mut blocks)?;
            let own = &blocks.resolution_ends;
            if blocks.is_truncated {
                complete = complete.min(own.len());
                if complete == 0 {
                    return Ok(Vec::new());
                }
            }
            let last = ends.last().copied().unwrap_or(0);
            ends.resize(ends.len().max(own.len()), last);
            for (level, end) in ends.iter_mut().enumerate() {
                *end = (*end).max(own.get(level).or(own.last()).copied().unwrap_or(0));
            }
        }
        ends.truncate(complete);
        Ok(ends)
    }
}

/// A MagRef or SigProp pass without a byte tells nothing: the code-block is as its cleanup pass left it.
fn drop_empty_refinements(blocks: &mut [BlockData]) {
    for block in blocks.iter_mut().filter(|block| block.refinement.length == 0) {
        block.passes = block.passes.min(1);
    }
}

/// What of each resolution level of the picture is there.
struct Levels {
    /// Decompositions of each component.
    decompositions: [u8; COMPONENTS_READ_MAX as usize],
    highest: u8,
    /// How many are wanted.
    wanted: u8,
    /// Packets of each level that are still to come.
    missing: [u64; LEVELS_MAX],
    ends: [usize; LEVELS_MAX],
    /// Wanted packets that are still to come.
    left: u64,
}

impl Levels {
    fn new(tile: &Tile, places: &[Place], layers: u16, resolutions: u8) -> Levels {
        let mut decompositions = [0; COMPONENTS_READ_MAX as usize];
        for (own, component) in decompositions.iter_mut().zip(&tile.components) {
            *own = component.resolutions.len() as u8 - 1;
        }
        let highest = decompositions[..tile.components.len()].iter().copied().max().unwrap_or(0);
        let wanted = resolutions.min(highest + 1);
        let (missing, ends) = ([0; LEVELS_MAX], [0; LEVELS_MAX]);
        let mut levels = Levels { decompositions, highest, wanted, missing, ends, left: 0 };
        for place in places {
            let level = levels.of(place);
            levels.missing[level] += u64::from(layers);
        }
        levels.left = levels.missing[..usize::from(wanted)].iter().sum();
        levels
    }

    /// The picture's resolution level to which a precinct belongs.
    fn of(&self, place: &Place) -> usize {
        if place.resolution == 0 {
            return 0;
        }
        usize::from(place.resolution + self.highest - self.decompositions[usize::from(place.component)])
    }

    fn wants(&self, place: &Place) -> bool {
        self.of(place) < usize::from(self.wanted)
    }

    fn are_all(&self) -> bool {
        self.wanted > self.highest
    }

    /// One packet is read, up to byte `end`.
    fn count(&mut self, place: &Place, end: usize) {
        let level = self.of(place);
        self.missing[level] -= 1;
        self.ends[level] = self.ends[level].max(end);
        self.left -= u64::from(self.wants(place));
    }

    fn report(&self, into: &mut TileBlocks) {
        let complete = self.missing[..usize::from(self.wanted)].iter().take_while(|&&missing| missing == 0).count();
        into.complete_resolutions = complete as u8;
        into.resolution_ends.clear();
        let mut end = 0;
        for &own in &self.ends[..complete] {
            end = own.max(end);
            into.resolution_ends.push(end);
        }
    }
}

/// The data of one tile's tile-parts, one after the other.
struct Source<'a> {
    bytes: &'a [u8],
    /// The current tile-part first.
    parts: &'a [TilePart],
    /// Next byte, once [`Source::settle`] was called.
    at: usize,
}

impl<'a> Source<'a> {
    /// Goes on to the next tile-part that has bytes left; false if there is none.
    fn settle(&mut self) -> bool {
        while let Some(part) = self.parts.first() {
            self.at = self.at.max(part.data.start);
            if self.at < part.data.end {
                return true;
            }
            self.parts = &self.parts[1..];
            self.at = 0;
        }
        false
    }

    /// What is left of the current tile-part.
    fn rest(&self) -> &'a [u8] {
        let end = self.parts.first().map_or(0, |part| part.data.end);
        self.bytes.get(self.at..end).unwrap_or(&[])
    }

    fn is_cut(&self) -> bool {
        self.parts.first().is_some_and(|part| part.is_cut)
    }

    fn remaining(&self) -> usize {
        let later = self.parts.iter().skip(1).map(|part| part.data.len());
        self.rest().len() + later.sum::<usize>()
    }
}

/// One walk through the packets of a tile.
struct Walk<'a, 'b> {
    stream: &'b Codestream<'a>,
    tile: u32,
    source: Source<'b>,
    /// What is left of headers outside the packets.
    packed: Option<&'b [u8]>,
    headers: &'b mut Headers,
    blocks: &'b mut [BlockData],
    gathered: &'b mut Vec<u8>,
    levels: &'b mut Levels,
    /// Whether EPH ends packet headers.
    has_eph: bool,
}

impl Walk<'_, '_> {
    /// Reads one packet; breaks where the bytes end, and when all that is wanted is there.
    fn packet(&mut self, tile: &Tile, place: &Place, layer: u16) -> Result<ControlFlow<()>> {
        if self.levels.left == 0 {
            return Ok(ControlFlow::Break(()));
        }
        let there = self.source.settle();
        if self.packed.map_or(!there, <[u8]>::is_empty) {
            return Ok(ControlFlow::Break(()));
        }
        if self.source.rest().starts_with(&marker::SOP.to_be_bytes()) {
            let found = self.source.rest().len().min(SOP_BYTES);
            self.source.at += found;
        }
        let level = &tile.components[usize::from(place.component)].resolutions[usize::from(place.resolution)];
        if self.header(level, place, layer)?.is_break() || self.body(self.levels.wants(place))?.is_break() {
            return Ok(ControlFlow::Break(()));
        }
        self.levels.count(place, self.source.at);
        Ok(if self.levels.left == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
    }

    fn header(&mut self, level: &Resolution, place: &Place, layer: u16) -> Result<ControlFlow<()>> {
        let planes = self.planes(level, place.component)?;
        let from = self.packed.unwrap_or(self.source.rest());
        let mut bits = BitReader::new(from);
        let read = self.headers.read(&mut bits, level, place, layer, planes);
        let used = match read.and_then(|()| Ok(bits.finish()?)) {
            Ok(used) => used,
            Err(Stop::Ended) => return self.ended("a packet header runs over the end of its bytes"),
            Err(Stop::Damaged(what)) => return Err(self.damaged(what)),
        };
        let eph = if from[used..].starts_with(&marker::EPH.to_be_bytes()) { 2 } else { 0 };
        if eph == 0 && self.has_eph && self.source.is_cut() && from.len() < used + 2 {
            return Ok(ControlFlow::Break(()));
        }
        match &mut self.packed {
            Some(packed) => *packed = &packed[used + eph..],
            None => self.source.at += used + eph,
        }
        Ok(ControlFlow::Continue(()))
    }

    /// Bit-planes of the level's subbands, with those that a region of interest adds (T.800 H-1).
    fn planes(&self, level: &Resolution, component: u8) -> Result<[u8; 3]> {
        let component = u16::from(component);
        let decompositions = self.levels.decompositions[usize::from(component)];
        let (qcd, shift) = (self.stream.qcd(self.tile, component)?, self.stream.region_shift(self.tile, component));
        let mut planes = [0; 3];
        for (planes, band) in planes.iter_mut().zip(&level.subbands) {
            *planes = qcd.magnitude_bits(decompositions, band.orientation, band.level)?.saturating_add(shift);
        }
        Ok(planes)
    }

    fn body(&mut self, is_wanted: bool) -> Result<ControlFlow<()>> {
        if self.packed.is_some() && !self.headers.segments.is_empty() {
            self.source.settle();
        }
        for number in 0..self.headers.segments.len() {
            let segment = self.headers.segments[number];
            if segment.length as usize > self.source.rest().len() {
                return self.ended("a code-block's bytes run over the end of the tile-part");
            }
            let span = Span { start: self.source.at, length: segment.length, is_gathered: false };
            self.source.at += span.length();
            if is_wanted {
                self.take(&segment, span)?;
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    /// A whole segment: a cleanup segment begins the set to decode, a refinement segment goes on with it.
    fn take(&mut self, segment: &Segment, span: Span) -> Result<()> {
        let block = &mut self.blocks[segment.block as usize];
        if segment.refinement_passes == 0 {
            let zero_bit_planes = segment.zero_bit_planes;
            *block = BlockData { zero_bit_planes, passes: 1, cleanup: span, refinement: Span::default() };
        } else {
            block.passes += segment.refinement_passes;
            block.refinement = append(block.refinement, span, self.source.bytes, self.gathered);
            if block.refinement.length > REFINEMENT_BYTES_MAX {
                return Err(self.damaged("an HT refinement segment above 2046 bytes in all"));
            }
        }
        Ok(())
    }

    /// Fine at the end of a prefix; else the bytes are wrong.
    fn ended(&self, what: &str) -> Result<ControlFlow<()>> {
        let may_end = self.source.is_cut() || (self.stream.is_truncated() && self.source.parts.is_empty());
        if may_end { Ok(ControlFlow::Break(())) } else { Err(self.damaged(what)) }
    }

    fn damaged(&self, what: &str) -> Error {
        Error::damaged(self.source.at, format!("tile {}: {what}", self.tile))
    }
}

/// Puts `next` behind `first`: one span if they are neighbours, else a copy of both.
fn append(first: Span, next: Span, bytes: &[u8], gathered: &mut Vec<u8>) -> Span {
    if first.length == 0 {
        return next;
    }
    if next.length == 0 {
        return first;
    }
    let length = first.length + next.length;
    if !first.is_gathered && first.start + first.length() == next.start {
        return Span { length, ..first };
    }
    // A refinement segment comes in two pieces at most, one a pass, so that `first` is never gathered itself.
    let start = gathered.len();
    for piece in [first, next] {
        gathered.extend_from_slice(&bytes[piece.start..piece.start + piece.length()]);
    }
    Span { start, length, is_gathered: true }
}
