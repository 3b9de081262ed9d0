//! Reading main and tile-part headers into a [`Codestream`].

use std::collections::BTreeMap;
use std::ops::Range;

use super::cap::{Cap, CodeBlocks};
use super::cursor::Cursor;
use super::header::{self, Header};
use super::marker;
use super::part2::Extensions;
use super::siz::Siz;
use super::sort::sort_by_key;
use super::stream::{Codestream, TileLength, TilePart};
use super::tile::COMPONENTS_READ_MAX;
use crate::error::{Error, Result};

/// Bytes of SOT with its parameters.
const SOT_BYTES: usize = 12;

/// Marker segments of the main header whose order is by number, not by place.
#[derive(Default)]
struct Numbered {
    ppm: Vec<(u8, Range<usize>)>,
    tlm: Vec<(u8, Range<usize>)>,
}

/// What a main header has said behind SIZ.
#[derive(Default)]
struct Main {
    components: usize,
    cap: Option<Cap>,
    header: Header,
    extensions: Extensions,
    /// COD and COC: they name what DFS and ATK say, wherever these stand.
    styles: Vec<(u16, Range<usize>)>,
    comments: Vec<Range<usize>>,
    numbered: Numbered,
}

impl Main {
    /// The marker segment `code`, whose parameters begin at `start` of `whole`; PLM, CRG, PRF, CPF and what is unknown
    /// do not change what is decoded.
    fn take(&mut self, code: u16, whole: &[u8], start: usize) -> Result<()> {
        match code {
            marker::CAP => self.cap = Some(Cap::read(&mut Cursor::new(whole, start, "CAP"))?),
            marker::TLM | marker::PPM => {
                let number = Cursor::new(whole, start, "TLM or PPM").u8()?;
                let list = if code == marker::TLM { &mut self.numbered.tlm } else { &mut self.numbered.ppm };
                list.push((number, start + 1..whole.len()));
            }
            marker::COM => self.comments.push(start..whole.len()),
            marker::DFS => self.extensions.take_splits(&mut Cursor::new(whole, start, "DFS"))?,
            marker::ATK => self.extensions.take_kernel(&mut Cursor::new(whole, start, "ATK"))?,
            marker::COD | marker::COC => self.styles.push((code, start..whole.len())),
            _ => self.take_header(code, whole, start)?,
        }
        Ok(())
    }

    fn take_header(&mut self, code: u16, whole: &[u8], start: usize) -> Result<()> {
        if let Some(name) = header::name(code) {
            self.header.take(code, &mut Cursor::new(whole, start, name), self.components, &self.extensions)?;
        }
        Ok(())
    }

    /// Once everything else is read: COD, then COC.
    fn take_styles(&mut self, bytes: &[u8]) -> Result<()> {
        let styles = std::mem::take(&mut self.styles);
        for kind in [marker::COD, marker::COC] {
            for (code, range) in styles.iter().filter(|(code, _)| *code == kind) {
                self.take_header(*code, &bytes[..range.end], range.start)?;
            }
            let cod = self.header.cod.as_ref();
            self.extensions.decompositions = cod.map_or(0, |cod| cod.coding.grid.decompositions);
        }
        Ok(())
    }
}

impl<'a> Codestream<'a> {
    /// Reads the main header and all tile-part headers. The bytes may end anywhere behind the main header: what is
    /// whole is kept. Takes memory in proportion to `bytes`, whatever the header claims.
    ///
    /// # Errors
    /// [`Error::NotHighThroughput`] for what a Part 1 decoder reads, [`Error::Unsupported`] for parts of T.801,
    /// [`Error::Damaged`] for the rest.
    pub fn parse(bytes: &'a [u8]) -> Result<Codestream<'a>> {
        let (mut stream, mut numbered) = Codestream::main_header(bytes)?;
        stream.tile_lengths = tile_lengths(bytes, &mut numbered.tlm)?;
        let packed_parts = stream.unpack(&mut numbered.ppm)?;
        stream.tile_parts(packed_parts)?;
        Ok(stream)
    }

    fn main_header(bytes: &'a [u8]) -> Result<(Codestream<'a>, Numbered)> {
        if code_at(bytes, 0) != Some(marker::SOC) {
            return Err(Error::damaged(0, "a codestream begins with SOC (FF4F)"));
        }
        if code_at(bytes, 2) != Some(marker::SIZ) {
            return Err(Error::damaged(2, "SIZ (FF51) comes first in a main header"));
        }
        let (mut at, (whole, start)) = segment(bytes, 2).ok_or_else(|| cut(bytes))??;
        let siz = Siz::read(&mut Cursor::new(whole, start, "SIZ"))?;
        let mut main = Main { components: siz.components.len(), ..Main::default() };
        loop {
            let code = code_at(bytes, at).ok_or_else(|| cut(bytes))?;
            if code == marker::SOT {
                break;
            }
            if !matches!(code, marker::DFS | marker::ATK) {
                check_allowed(code, at)?;
            }
            let (next, (whole, start)) = segment(bytes, at).ok_or_else(|| cut(bytes))??;
            main.take(code, whole, start)?;
            at = next;
        }
        let cap: Cap = main.cap.ok_or(Error::NotHighThroughput { what: "it has no CAP marker segment" })?;
        if cap.code_blocks == CodeBlocks::Mixed {
            return Err(Error::NotHighThroughput { what: "CAP says that code-blocks are mixed" });
        }
        main.take_styles(bytes)?;
        let cod = main.header.cod.clone().ok_or_else(|| Error::damaged(at, "the main header has no COD"))?;
        Header::check(&main.header, None, (siz.components.len() as u16).min(COMPONENTS_READ_MAX), at)?;
        let stream = Codestream {
            bytes,
            siz,
            cap,
            cod,
            main: main.header,
            extensions: main.extensions,
            tile_headers: BTreeMap::new(),
            parts: Vec::new(),
            ppts: Vec::new(),
            packed: Vec::new(),
            tile_lengths: Vec::new(),
            comments: main.comments,
            main_header_bytes: at,
            is_truncated: true,
        };
        Ok((stream, main.numbered))
    }

    /// Puts together what PPM marker segments hold and cuts it by tile-parts, in their order (T.800 A.7.4).
    fn unpack(&mut self, ppm: &mut [(u8, Range<usize>)]) -> Result<Vec<Range<usize>>> {
        sort_by_key(ppm, |(number, range)| (*number, range.start));
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
            match code_at(self.bytes, at) {
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
        // By place where numbers are repeated.
        sort_by_key(&mut self.parts, |part| (part.tile, part.number, part.bytes.start));
        sort_by_key(&mut self.ppts, |(tile, part, number, range)| (*tile, *part, *number, range.start));
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
            let Some(code) = code_at(&bytes[..end], at) else { return part_header_ends(start, is_cut) };
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
        check_allowed(code, at)?;
        if code == marker::PPT {
            let number = Cursor::new(whole, start, "PPT").u8()?;
            self.ppts.push((part.0, part.1, number, start + 1..whole.len()));
        } else if let Some(name) = header::name(code) {
            let header = self.tile_headers.entry(part.0).or_default();
            let components = self.siz.components.len();
            header.take(code, &mut Cursor::new(whole, start, name), components, &self.extensions)?;
        }
        Ok(())
    }
}

/// The end of the marker segment at `at`, the bytes up to it, and where its parameters begin; nothing if `bytes` end first.
type Segment<'a> = (usize, (&'a [u8], usize));

fn segment(bytes: &[u8], at: usize) -> Option<Result<Segment<'_>>> {
    let code = code_at(bytes, at)?;
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

/// The marker at `at`, if its two bytes are there.
fn code_at(bytes: &[u8], at: usize) -> Option<u16> {
    Some(u16::from_be_bytes([*bytes.get(at)?, *bytes.get(at + 1)?]))
}

/// Markers that may stand where marker segments of a header do; what T.801 adds would change the picture.
fn check_allowed(code: u16, at: usize) -> Result<()> {
    if let Some(name) = marker::part_2_name(code) {
        return Err(Error::unsupported(at, name));
    }
    if marker::is_alone(code) && !(0xFF30..=0xFF3F).contains(&code) {
        return Err(Error::damaged(at, format!("marker {code:04X} cannot stand in a header")));
    }
    Ok(())
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
    sort_by_key(tlm, |(number, range)| (*number, range.start));
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
