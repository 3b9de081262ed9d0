//! A codestream's headers and the list of its tile-parts.

use std::collections::BTreeMap;
use std::ops::Range;

use super::cap::Cap;
use super::cod::{Cod, Coding};
use super::header::Header;
use super::part2::Extensions;
use super::progression::{Change, Progression};
use super::qcd::Qcd;
use super::siz::Siz;
use crate::error::{Error, Result};

/// One tile-part, as far as it is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TilePart {
    /// Isot: the tile.
    pub tile: u16,
    /// TPsot: which part of it.
    pub number: u8,
    /// Its bytes, from SOT on.
    pub bytes: Range<usize>,
    /// Those of its packets.
    pub data: Range<usize>,
    /// Whether bytes are missing at its end.
    pub is_cut: bool,
    /// Its packet headers among [`Codestream::packed`], if PPM holds them.
    pub(crate) packed: Option<Range<usize>>,
}

/// An entry of TLM: the tile, if it is said, and Ptlm, the bytes of the tile-part.
pub(super) type TileLength = (Option<u16>, u32);

/// A codestream whose headers are read; its packets are not.
#[derive(Clone, Debug)]
pub struct Codestream<'a> {
    pub(super) bytes: &'a [u8],
    pub(super) siz: Siz,
    pub(super) cap: Cap,
    /// That of the main header, which has to have one.
    pub(super) cod: Cod,
    pub(super) main: Header,
    pub(super) extensions: Extensions,
    pub(super) tile_headers: BTreeMap<u16, Header>,
    /// By tile and number.
    pub(super) parts: Vec<TilePart>,
    /// Tile, part and place of PPT, sorted.
    pub(super) ppts: Vec<(u16, u8, u8, Range<usize>)>,
    /// What PPM holds, without its own lengths.
    pub(super) packed: Vec<u8>,
    pub(super) tile_lengths: Vec<TileLength>,
    pub(super) comments: Vec<Range<usize>>,
    pub(super) main_header_bytes: usize,
    pub(super) is_truncated: bool,
}

impl<'a> Codestream<'a> {
    /// What was given to [`Codestream::parse`].
    pub fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// Picture, tiles and components.
    pub fn siz(&self) -> &Siz {
        &self.siz
    }

    /// What it uses of T.814.
    pub fn cap(&self) -> &Cap {
        &self.cap
    }

    /// The coding style of a tile, apart from what COC says about its components.
    pub fn cod(&self, tile: u32) -> &Cod {
        self.tile_header(tile).and_then(|header| header.cod.as_ref()).unwrap_or(&self.cod)
    }

    /// How one component of one tile is coded.
    pub fn coding(&self, tile: u32, component: u16) -> &Coding {
        Header::coding(&self.main, self.tile_header(tile), component).unwrap_or(&self.cod(tile).coding)
    }

    /// How one component of one tile is quantized.
    ///
    /// # Errors
    /// [`Error::Damaged`] if no header says it.
    pub fn qcd(&self, tile: u32, component: u16) -> Result<&Qcd> {
        let found = Header::qcd(&self.main, self.tile_header(tile), component);
        found.ok_or_else(|| Error::damaged(0, format!("nothing says how component {component} is quantized")))
    }

    /// Bit-planes by which a region of interest of that component is shifted up, 0 for none (T.800 Annex H).
    pub fn region_shift(&self, tile: u32, component: u16) -> u8 {
        Header::region_shift(&self.main, self.tile_header(tile), component)
    }

    /// The tile-parts that are there, by tile and number.
    pub fn tile_parts_found(&self) -> &[TilePart] {
        &self.parts
    }

    /// Bytes before the first SOT.
    pub fn main_header_bytes(&self) -> usize {
        self.main_header_bytes
    }

    /// Whether the bytes end before EOC.
    pub fn is_truncated(&self) -> bool {
        self.is_truncated
    }

    /// The contents of COM marker segments, each with its registration value in the first two bytes.
    pub fn comments(&self) -> impl Iterator<Item = &'a [u8]> {
        self.comments.iter().map(|range| &self.bytes[range.clone()])
    }

    /// The byte end of each resolution level, lowest first, from the main header's TLM alone: what a reader of a prefix
    /// can ask for next. Nothing if there is no TLM, or if tile-parts are not one a resolution level in a progression
    /// that goes by resolution level.
    pub fn announced_resolution_ends(&self) -> Option<Vec<usize>> {
        let cod = self.main.cod.as_ref()?;
        let levels = usize::from(cod.coding.grid.decompositions) + 1;
        let by_level = cod.progression.is_by_resolution() && (cod.layers == 1 || cod.progression != Progression::Lrcp);
        if !(by_level || levels == 1) || !self.main.is_uniform() {
            return None;
        }
        if self.tile_lengths.len() as u64 != levels as u64 * u64::from(self.siz.tiles()) {
            return None;
        }
        let mut seen = BTreeMap::new();
        let mut ends = vec![0; levels];
        let mut end = self.main_header_bytes as u64;
        for &(tile, bytes) in &self.tile_lengths {
            let level = seen.entry(tile?).or_insert(0);
            end += u64::from(bytes);
            *ends.get_mut(*level)? = usize::try_from(end).ok()?;
            *level += 1;
        }
        for level in 1..levels {
            ends[level] = ends[level].max(ends[level - 1]);
        }
        Some(ends)
    }

    pub(crate) fn tile_header(&self, tile: u32) -> Option<&Header> {
        self.tile_headers.get(&u16::try_from(tile).ok()?)
    }

    /// The tile-parts of one tile in their order.
    pub(crate) fn parts_of(&self, tile: u32) -> &[TilePart] {
        let start = self.parts.partition_point(|part| u32::from(part.tile) < tile);
        let length = self.parts[start..].partition_point(|part| u32::from(part.tile) == tile);
        &self.parts[start..start + length]
    }

    /// The changes of progression that hold for a tile: its own, or those of the main header (T.800 A.6.6).
    pub(crate) fn changes(&self, tile: u32) -> &[Change] {
        let own = self.tile_header(tile).map(|header| &header.changes[..]).unwrap_or(&[]);
        if own.is_empty() { &self.main.changes } else { own }
    }

    /// Appends the packet headers that stand outside the packets of a tile; false if they are where they belong.
    pub(crate) fn packed_headers(&self, tile: u32, into: &mut Vec<u8>) -> bool {
        let start = self.ppts.partition_point(|ppt| u32::from(ppt.0) < tile);
        let own = self.ppts[start..].iter().take_while(|ppt| u32::from(ppt.0) == tile);
        let mut any = false;
        for (_, _, _, range) in own {
            into.extend_from_slice(&self.bytes[range.clone()]);
            any = true;
        }
        if !any {
            for range in self.parts_of(tile).iter().filter_map(|part| part.packed.clone()) {
                into.extend_from_slice(&self.packed[range]);
                any = true;
            }
        }
        any
    }
}
