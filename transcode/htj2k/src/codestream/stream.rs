//! A codestream's headers and the list of its tile-parts.

use std::collections::BTreeMap;
use std::ops::Range;

use super::cap::{Cap, CodeBlocks};
use super::cod::{Cod, Coding};
use super::cursor::Cursor;
use super::header::{self, Header};
use super::marker;
use super::progression::{Change, Progression};
use super::qcd::Qcd;
use super::siz::Siz;
use super::tile::COMPONENTS_READ_MAX;
use crate::error::{Error, Result};

/// Bytes of SOT with its parameters.
const SOT_BYTES: usize = 12;

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
type TileLength = (Option<u16>, u32);

/// A codestream whose headers are read; its packets are not.
#[derive(Clone, Debug)]
pub struct Codestream<'a> {
    bytes: &'a [u8],
    siz: Siz,
    cap: Cap,
    main: Header,
    tile_headers: BTreeMap<u16, Header>,
    /// By tile and number.
    parts: Vec<TilePart>,
    /// Tile, part and place of PPT, sorted.
    ppts: Vec<(u16, u8, u8, Range<usize>)>,
    /// What PPM holds, without its own lengths.
    packed: Vec<u8>,
    tile_lengths: Vec<TileLength>,
    comments: Vec<Range<usize>>,
    main_header_bytes: usize,
    is_truncated: bool,
}

/// Marker segments of the main header whose order is by number, not by place.
#[derive(Default)]
struct Numbered {
    ppm: Vec<(u8, Range<usize>)>,
    tlm: Vec<(u8, Range<usize>)>,
}

impl<'a> Codestream<'a> {
    /// Reads the main header and all tile-part headers. The bytes may end anywhere behind the main header: what is
    /// whole is kept. Takes memory in proportion to `bytes`, whatever the header claims.
    ///
    /// # Errors
    /// [`Error::NotHighThroughput`] for what a Part 1 decoder reads, [`Error::Unsupported`] for parts of T.801,
    /// [`Error::Damaged`] for the rest.
    pub fn parse(bytes: &'a [u8]) -> Result<Codestream<'a>> {
        let mut numbered = Numbered::default();
        let mut stream = Codestream::main_header(bytes, &mut numbered)?;
        stream.tile_lengths = tile_lengths(bytes, &mut numbered.tlm)?;
        let packed_parts = stream.unpack(&mut numbered.ppm)?;
        stream.tile_parts(packed_parts)?;
        Ok(stream)
    }

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
        let own = self.tile_header(tile).and_then(|header| header.cod.as_ref());
        own.or(self.main.cod.as_ref()).expect("parse() refuses a main header without COD")
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

    fn main_header(bytes: &'a [u8], numbered: &mut Numbered) -> Result<Codestream<'a>> {
        let found = |at: usize| bytes.get(at..at + 2).map(|code| u16::from_be_bytes([code[0], code[1]]));
        if found(0) != Some(marker::SOC) {
            return Err(Error::damaged(0, "a codestream begins with SOC (FF4F)"));
        }
        if found(2) != Some(marker::SIZ) {
            return Err(Error::damaged(2, "SIZ (FF51) comes first in a main header"));
        }
        let (mut at, segment) = segment(bytes, 2).ok_or_else(|| cut(bytes))??;
        let siz = Siz::read(&mut Cursor::new(segment.0, segment.1, "SIZ"))?;
        let (mut header, mut cap, mut comments) = (Header::default(), None, Vec::new());
        loop {
            let code = found(at).ok_or_else(|| cut(bytes))?;
            if code == marker::SOT {
                break;
            }
            if marker::is_alone(code) && !(0xFF30..=0xFF3F).contains(&code) {
                return Err(Error::damaged(at, format!("marker {code:04X} cannot stand in a main header")));
            }
            if let Some(name) = marker::part_2_name(code) {
                return Err(Error::unsupported(at, name));
            }
            let (next, (whole, start)) = self::segment(bytes, at).ok_or_else(|| cut(bytes))??;
            match code {
                marker::CAP => cap = Some(Cap::read(&mut Cursor::new(whole, start, "CAP"))?),
                marker::TLM | marker::PPM => {
                    let number = Cursor::new(whole, start, "TLM or PPM").u8()?;
                    let list = if code == marker::TLM { &mut numbered.tlm } else { &mut numbered.ppm };
                    list.push((number, start + 1..next));
                }
                marker::COM => comments.push(start..next),
                _ => {
                    if let Some(name) = header::name(code) {
                        header.take(code, &mut Cursor::new(whole, start, name), siz.components.len())?;
                    }
                }
            }
            at = next;
        }
        let cap: Cap = cap.ok_or(Error::NotHighThroughput { what: "it has no CAP marker segment" })?;
        if cap.code_blocks == CodeBlocks::Mixed {
            return Err(Error::NotHighThroughput { what: "CAP says that code-blocks are mixed" });
        }
        if header.cod.is_none() {
            return Err(Error::damaged(at, "the main header has no COD"));
        }
        Header::check(&header, None, (siz.components.len() as u16).min(COMPONENTS_READ_MAX), at)?;
        Ok(Codestream {
            bytes,
            siz,
            cap,
            main: header,
            tile_headers: BTreeMap::new(),
            parts: Vec::new(),
            ppts: Vec::new(),
            packed: Vec::new(),
            tile_lengths: Vec::new(),
            comments,
            main_header_bytes: at,
            is_truncated: true,
        })
    }

    /// Puts together what PPM marker segments hold and cuts it by tile-parts, in their order (T.800 A.7.4).
    fn unpack(&mut self, ppm: &mut [(u8, Range<usize>)]) -> Result<Vec<Range<usize>>> {
        ppm.sort_by_key(|(number, _)| *number);
        let bytes = self.bytes;
        self.packed = ppm.iter().flat_map(|(_, range)| &bytes[range.clone()]).copied().collect();
        let offset = ppm.first().map_or(0, |(_, range)| range.start);
        let (mut parts, mut at) = (Vec::new(), 0);
        while let Some(length) = self.packed.get(at..).and_then(|rest| rest.first_chunk::<4>()) {
            let start = at + 4;
            let end = start.checked_add(u32::from_be_bytes(*length) as usize);
            at = end.filter(|&end| end <= self.packed.len()).ok_or_else(|| {
                Error::damaged(offset, format!("PPM: Nppm {} is beyond the end of its bytes", parts.len()))
            })?;
            parts.push(start..at);
        }
        Ok(parts)
    }

    fn tile_parts(&mut self, packed: Vec<Range<usize>>) -> Result<()> {
        let has_packed = !packed.is_empty();
        let mut packed = packed.into_iter();
        let mut at = self.main_header_bytes;
        loop {
            match self.bytes.get(at..at + 2).map(|code| u16::from_be_bytes([code[0], code[1]])) {
                None => break,
                Some(marker::EOC) => {
                    self.is_truncated = false;
                    break;
                }
                Some(marker::SOT) => {}
                Some(code) => return Err(Error::damaged(at, format!("SOT or EOC should stand here, not {code:04X}"))),
            }
            let Some(mut part) = self.tile_part(at)? else { break };
            at = part.bytes.end;
            if has_packed {
                part.packed = Some(packed.next().unwrap_or(0..0));
            }
            let is_cut = part.is_cut;
            self.parts.push(part);
            if is_cut {
                break;
            }
        }
        self.parts.sort_by_key(|part| (part.tile, part.number));
        self.ppts.sort_by_key(|(tile, part, number, _)| (*tile, *part, *number));
        let components = (self.siz.components.len() as u16).min(COMPONENTS_READ_MAX);
        for (tile, header) in &self.tile_headers {
            Header::check(&self.main, Some(header), components, self.part_offset(*tile))?;
        }
        Ok(())
    }

    fn part_offset(&self, tile: u16) -> usize {
        self.parts_of(u32::from(tile)).first().map_or(0, |part| part.bytes.start)
    }

    /// The tile-part whose SOT is at `start`; nothing if the bytes end within its header.
    fn tile_part(&mut self, start: usize) -> Result<Option<TilePart>> {
        let bytes = self.bytes;
        if bytes.len() - start < SOT_BYTES {
            return Ok(None);
        }
        let mut sot = Cursor::new(bytes, start + 2, "SOT");
        let (length, tile, psot, number) = (sot.u16()?, sot.u16()?, sot.u32()?, sot.u8()?);
        if length != 10 || u32::from(tile) >= self.siz.tiles() {
            let tiles = self.siz.tiles();
            return Err(Error::damaged(start, format!("SOT: {length} bytes for tile {tile} of {tiles}")));
        }
        let (end, is_cut) = match psot as usize {
            0 => last_end(bytes, start),
            length if length < SOT_BYTES + 2 => {
                return Err(Error::damaged(start + 6, format!("SOT: a tile-part of {length} bytes")));
            }
            length => {
                let end = start.saturating_add(length);
                (end.min(bytes.len()), end > bytes.len())
            }
        };
        let mut at = start + SOT_BYTES;
        loop {
            let Some(code) = bytes[..end].get(at..at + 2) else { return part_header_ends(start, is_cut) };
            let code = u16::from_be_bytes([code[0], code[1]]);
            if code == marker::SOD {
                break;
            }
            let Some(found) = segment(&bytes[..end], at) else { return part_header_ends(start, is_cut) };
            let (next, (whole, start)) = found?;
            self.part_segment(code, (tile, number), at, whole, start)?;
            at = next;
        }
        let data = at + 2..end;
        Ok(Some(TilePart { tile, number, bytes: start..end, data, is_cut, packed: None }))
    }

    fn part_segment(&mut self, code: u16, part: (u16, u8), at: usize, whole: &'a [u8], start: usize) -> Result<()> {
        if let Some(name) = marker::part_2_name(code) {
            return Err(Error::unsupported(at, name));
        }
        if marker::is_alone(code) && !(0xFF30..=0xFF3F).contains(&code) {
            return Err(Error::damaged(at, format!("marker {code:04X} cannot stand in a tile-part header")));
        }
        if code == marker::PPT {
            let number = Cursor::new(whole, start, "PPT").u8()?;
            self.ppts.push((part.0, part.1, number, start + 1..whole.len()));
        } else if let Some(name) = header::name(code) {
            let header = self.tile_headers.entry(part.0).or_default();
            header.take(code, &mut Cursor::new(whole, start, name), self.siz.components.len())?;
        }
        Ok(())
    }
}

/// The end of the marker segment at `at`, the bytes up to it, and where its parameters begin; nothing if `bytes` end first.
type Segment<'a> = (usize, (&'a [u8], usize));

fn segment(bytes: &[u8], at: usize) -> Option<Result<Segment<'_>>> {
    let code = u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]);
    if code < 0xFF00 {
        return Some(Err(Error::damaged(at, format!("a marker should stand here, not {code:04X}"))));
    }
    if marker::is_alone(code) {
        return Some(Ok((at + 2, (&bytes[..at + 2], at + 2))));
    }
    let length = usize::from(u16::from_be_bytes([*bytes.get(at + 2)?, *bytes.get(at + 3)?]));
    if length < 2 {
        return Some(Err(Error::damaged(at + 2, format!("marker segment {code:04X} of {length} bytes"))));
    }
    let end = at + 2 + length;
    bytes.get(..end).map(|whole| Ok((end, (whole, at + 4))))
}

fn cut(bytes: &[u8]) -> Error {
    Error::damaged(bytes.len(), "the bytes end within the main header")
}

/// A tile-part header that has no SOD within its tile-part: fine for the last bytes of a prefix.
fn part_header_ends(start: usize, is_cut: bool) -> Result<Option<TilePart>> {
    if is_cut {
        return Ok(None);
    }
    Err(Error::damaged(start, "this tile-part has no SOD"))
}

/// Where the last tile-part ends whose Psot is 0: at the last EOC (T.800 A.4.2), else it is cut.
fn last_end(bytes: &[u8], start: usize) -> (usize, bool) {
    let rest = &bytes[start..];
    let eoc = rest.windows(2).rposition(|pair| pair == marker::EOC.to_be_bytes());
    eoc.map_or((bytes.len(), true), |at| (start + at, false))
}

/// The entries of all TLM marker segments (T.800 A.7.1).
fn tile_lengths(bytes: &[u8], tlm: &mut [(u8, Range<usize>)]) -> Result<Vec<TileLength>> {
    tlm.sort_by_key(|(number, _)| *number);
    let mut lengths = Vec::new();
    for (_, range) in tlm.iter() {
        let mut segment = Cursor::new(&bytes[..range.end], range.start, "TLM");
        let style = segment.u8()?;
        while segment.remaining() > 0 {
            let tile = match (style >> 4) & 3 {
                // One tile-part a tile, in the order of the tiles.
                0 => u16::try_from(lengths.len()).ok(),
                1 => Some(u16::from(segment.u8()?)),
                2 => Some(segment.u16()?),
                _ => return Err(segment.damaged("ST is 3")),
            };
            let length = if style & 0x40 == 0 { u32::from(segment.u16()?) } else { segment.u32()? };
            lengths.push((tile, length));
        }
    }
    Ok(lengths)
}
