//! Writing a codestream of one layer whose code-blocks have one HT cleanup pass each: headers, tile-parts, packets.

use std::ops::ControlFlow;

use super::bits::BitWriter;
use super::cap::Cap;
use super::cod::Cod;
use super::marker;
use super::progression::{Packets, Place};
use super::qcd::Qcd;
use super::siz::Siz;
use super::tag_tree::{Node, TreeShape};
use crate::error::{Error, Result};
use crate::geometry::{Subband, Tile};

/// Bytes that a cleanup segment can have (T.814 7.1.1: Lcup < 65535).
pub const CLEANUP_BYTES_MAX: usize = 65_534;
/// Bytes of one entry of TLM as written here: the tile in 2, the length in 4.
const TLM_ENTRY_BYTES: usize = 6;
/// Entries that one TLM marker segment holds.
const TLM_ENTRIES_MAX: usize = (65_535 - 4) / TLM_ENTRY_BYTES;

/// One code-block's bytes, as its encoder left them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct CodedBlock {
    /// Which arena they are in.
    pub arena: u32,
    /// Where they begin in it.
    pub start: usize,
    /// How many they are, 2 to [`CLEANUP_BYTES_MAX`].
    pub length: u32,
    /// Bit-planes of M_b that the cleanup pass does not code: M_b - 1 for a lossless one.
    pub zero_bit_planes: u8,
    /// 1, or 0 for a code-block whose coefficients are all zero.
    pub passes: u8,
}

/// What a codestream holds besides pictures.
#[derive(Clone, Copy, Debug, Default)]
pub struct WriterOptions<'a> {
    /// One tile-part a resolution level, so that a prefix is a smaller picture; else one a tile. Needs a progression
    /// that goes by resolution level.
    pub tile_parts_by_resolution: bool,
    /// A TLM marker segment, so that the main header says where tile-parts end.
    pub tlm: bool,
    /// A comment (COM) in Latin letters.
    pub comment: Option<&'a str>,
}

/// Writes codestreams, one after the other, reusing its storage: [`Writer::begin`], [`Writer::tile`] for each tile,
/// [`Writer::finish`].
#[derive(Debug, Default)]
pub struct Writer {
    /// Where SOC stands in the buffer.
    base: usize,
    sampling: Vec<(u8, u8)>,
    by_resolution: bool,
    /// Where the entries of TLM stand in the buffer, still to be filled.
    entries: Vec<usize>,
    entries_used: usize,
    tiles_left: u32,
    packets: Packets,
    nodes: Vec<Node>,
}

impl Writer {
    /// A writer with nothing in it.
    pub fn new() -> Writer {
        Writer::default()
    }

    /// Appends SOC and the main header to `out`.
    ///
    /// # Errors
    /// [`Error::BadParameters`] for what cannot be written: more than one layer, tile-parts by resolution level in a
    /// progression that mixes them, numbers outside their tables.
    pub fn begin(
        &mut self,
        out: &mut Vec<u8>,
        siz: &Siz,
        cod: &Cod,
        qcd: &Qcd,
        cap: &Cap,
        options: &WriterOptions,
    ) -> Result<()> {
        let wrong = |what: &str| Err(Error::BadParameters(what.into()));
        if cod.layers != 1 {
            return wrong("codestreams are written with one quality layer");
        }
        if options.tile_parts_by_resolution && !cod.progression.is_by_resolution() {
            return wrong("this progression order does not go by resolution level, and tile-parts should");
        }
        if !qcd.covers(cod.coding.grid.decompositions) {
            return wrong("a subband has no quantization step");
        }
        self.base = out.len();
        self.by_resolution = options.tile_parts_by_resolution;
        self.tiles_left = siz.tiles();
        self.sampling.clear();
        self.sampling.extend(siz.components.iter().map(|size| (size.dx, size.dy)));
        out.extend(marker::SOC.to_be_bytes());
        siz.write(out)?;
        cap.write(out)?;
        cod.write(out)?;
        qcd.write(out)?;
        self.reserve_tlm(out, siz.tiles(), cod, options.tlm)?;
        options.comment.map_or(Ok(()), |text| write_comment(out, text))
    }

    /// Appends the tile-parts of tile `index`; `coded` is its table of code-blocks, whose bytes are in `arenas`.
    ///
    /// # Errors
    /// [`Error::BadParameters`] if tables and arenas do not fit together, [`Error::TooLarge`] for a code-block or a
    /// tile-part whose length has no room in the codestream.
    pub fn tile<A: AsRef<[u8]>>(
        &mut self,
        out: &mut Vec<u8>,
        index: u32,
        tile: &Tile,
        cod: &Cod,
        coded: &[CodedBlock],
        arenas: &[A],
    ) -> Result<()> {
        if coded.len() != tile.blocks || tile.components.len() != self.sampling.len() || self.tiles_left == 0 {
            return Err(Error::BadParameters("a tile that does not belong to the main header, or its table".into()));
        }
        self.tiles_left -= 1;
        self.packets.list(tile, &self.sampling)?;
        let levels = if self.by_resolution { cod.coding.grid.decompositions + 1 } else { 1 };
        let mut parts = Parts { tile: index as u16, levels, open: 0, start: 0 };
        let mut packet = PacketWriter { tile, cod, coded, arenas, nodes: &mut self.nodes, number: 0 };
        let (entries, used, by_resolution) = (&self.entries, &mut self.entries_used, self.by_resolution);
        parts.open(out);
        self.packets.walk(&[], cod.progression, 1, &mut |place, _| {
            while by_resolution && parts.open <= place.resolution {
                parts.close(out, entries, used)?;
                parts.open(out);
            }
            packet.write(out, place)?;
            Ok(ControlFlow::Continue(()))
        })?;
        parts.close(out, entries, used)?;
        while parts.open < parts.levels {
            parts.open(out);
            parts.close(out, entries, used)?;
        }
        Ok(())
    }

    /// Appends EOC.
    ///
    /// # Errors
    /// [`Error::BadParameters`] if a tile is missing.
    pub fn finish(&mut self, out: &mut Vec<u8>) -> Result<()> {
        if self.tiles_left > 0 || self.entries_used < self.entries.len() {
            return Err(Error::BadParameters(format!("{} tiles were not written", self.tiles_left)));
        }
        out.extend(marker::EOC.to_be_bytes());
        Ok(())
    }

    /// TLM with room for every tile-part (T.800 A.7.1).
    fn reserve_tlm(&mut self, out: &mut Vec<u8>, tiles: u32, cod: &Cod, wanted: bool) -> Result<()> {
        self.entries.clear();
        self.entries_used = 0;
        let levels = if self.by_resolution { usize::from(cod.coding.grid.decompositions) + 1 } else { 1 };
        let mut left = if wanted { tiles as usize * levels } else { 0 };
        for number in 0.. {
            let entries = left.min(TLM_ENTRIES_MAX);
            if entries == 0 {
                return Ok(());
            }
            let number = u8::try_from(number).map_err(|_| Error::TooLarge {
                what: "tile-parts of TLM",
                claimed: left as u64,
                limit: 256 * TLM_ENTRIES_MAX as u64,
            })?;
            out.extend(marker::TLM.to_be_bytes());
            out.extend((4 + (entries * TLM_ENTRY_BYTES) as u16).to_be_bytes());
            out.extend([number, 0x60]);
            self.entries.extend((0..entries).map(|entry| out.len() + entry * TLM_ENTRY_BYTES));
            out.resize(out.len() + entries * TLM_ENTRY_BYTES, 0);
            left -= entries;
        }
        Ok(())
    }
}

/// COM with the registration value for Latin text (T.800 A.9.2).
fn write_comment(out: &mut Vec<u8>, text: &str) -> Result<()> {
    let length = u16::try_from(text.len() + 4).ok().filter(|_| text.is_ascii());
    let length = length.ok_or_else(|| Error::BadParameters("a comment is ASCII text below 65532 bytes".into()))?;
    out.extend(marker::COM.to_be_bytes());
    out.extend(length.to_be_bytes());
    out.extend(1u16.to_be_bytes());
    out.extend(text.as_bytes());
    Ok(())
}

/// The tile-parts of one tile.
struct Parts {
    tile: u16,
    /// How many there will be.
    levels: u8,
    /// How many were begun.
    open: u8,
    /// Where the last of them begins.
    start: usize,
}

impl Parts {
    /// SOT and SOD; Psot is filled when the tile-part is over (T.800 A.4.2).
    fn open(&mut self, out: &mut Vec<u8>) {
        self.start = out.len();
        out.extend(marker::SOT.to_be_bytes());
        out.extend(10u16.to_be_bytes());
        out.extend(self.tile.to_be_bytes());
        out.extend([0; 4]);
        out.extend([self.open, self.levels]);
        out.extend(marker::SOD.to_be_bytes());
        self.open += 1;
    }

    fn close(&mut self, out: &mut [u8], entries: &[usize], used: &mut usize) -> Result<()> {
        let claimed = (out.len() - self.start) as u64;
        let limit = u64::from(u32::MAX);
        let length = u32::try_from(claimed).map_err(|_| Error::TooLarge { what: "tile-part", claimed, limit })?;
        out[self.start + 6..self.start + 10].copy_from_slice(&length.to_be_bytes());
        if let Some(&entry) = entries.get(*used) {
            out[entry..entry + 2].copy_from_slice(&self.tile.to_be_bytes());
            out[entry + 2..entry + 6].copy_from_slice(&length.to_be_bytes());
            *used += 1;
        }
        Ok(())
    }
}

/// Writes the packets of one tile.
struct PacketWriter<'a, A> {
    tile: &'a Tile,
    cod: &'a Cod,
    coded: &'a [CodedBlock],
    arenas: &'a [A],
    nodes: &'a mut Vec<Node>,
    /// Nsop of the next packet.
    number: u16,
}

impl<A: AsRef<[u8]>> PacketWriter<'_, A> {
    /// The packet of one precinct: header, then the bytes of its code-blocks (T.800 B.9 and B.10).
    fn write(&mut self, out: &mut Vec<u8>, place: &Place) -> Result<()> {
        if self.cod.sop {
            out.extend(marker::SOP.to_be_bytes());
            out.extend(4u16.to_be_bytes());
            out.extend(self.number.to_be_bytes());
        }
        self.number = self.number.wrapping_add(1);
        let level = &self.tile.components[usize::from(place.component)].resolutions[usize::from(place.resolution)];
        let (column, row) = (place.within % level.precincts_wide, place.within / level.precincts_wide);
        let coded = self.coded;
        let bands = || {
            level.subbands.iter().filter_map(move |band| {
                let (columns, rows) = level.precinct_blocks(band, column, row);
                (!columns.is_empty()).then_some(Precinct { band, columns, rows })
            })
        };
        let is_empty = !bands().any(|precinct| precinct.blocks().any(|(_, index)| coded[index].passes > 0));
        let mut bits = BitWriter::new(out);
        bits.bit(!is_empty);
        if !is_empty {
            for precinct in bands() {
                self.header(&mut bits, &precinct)?;
            }
        }
        bits.finish();
        if self.cod.eph {
            out.extend(marker::EPH.to_be_bytes());
        }
        if !is_empty {
            bands().try_for_each(|precinct| self.body(out, &precinct))?;
        }
        Ok(())
    }

    /// Inclusion, zero bit-planes, passes and length of each code-block (T.800 B.10.3 to B.10.7).
    fn header(&mut self, bits: &mut BitWriter, precinct: &Precinct) -> Result<()> {
        let shape = TreeShape::new(precinct.columns.len() as u32, precinct.rows.len() as u32);
        self.nodes.clear();
        self.nodes.resize(2 * shape.nodes(), Node::default());
        let (inclusion, zero_bit_planes) = self.nodes.split_at_mut(shape.nodes());
        for (leaf, index) in precinct.blocks() {
            let block = &self.coded[index];
            let included = block.passes > 0;
            shape.set(inclusion, leaf, u16::from(!included));
            shape.set(zero_bit_planes, leaf, if included { u16::from(block.zero_bit_planes) } else { u16::MAX });
        }
        shape.fill(inclusion);
        shape.fill(zero_bit_planes);
        for (leaf, index) in precinct.blocks() {
            let block = &self.coded[index];
            shape.write(inclusion, leaf, 1, bits);
            if block.passes == 0 {
                continue;
            }
            check(block)?;
            shape.write(zero_bit_planes, leaf, u16::MAX, bits);
            // One pass is the codeword 0; Lblock grows from 3 to the bits of the length.
            bits.bit(false);
            let needed = (32 - block.length.leading_zeros()) as u8;
            let growth = needed.saturating_sub(3);
            (0..growth).for_each(|_| bits.bit(true));
            bits.bit(false);
            bits.bits(block.length, growth + 3);
        }
        Ok(())
    }

    fn body(&self, out: &mut Vec<u8>, precinct: &Precinct) -> Result<()> {
        for (_, index) in precinct.blocks() {
            let block = &self.coded[index];
            if block.passes == 0 {
                continue;
            }
            let bytes = self.arenas.get(block.arena as usize).and_then(|arena| {
                let end = block.start.checked_add(block.length as usize)?;
                arena.as_ref().get(block.start..end)
            });
            let outside = || Error::BadParameters(format!("code-block {index} lies outside its arena"));
            out.extend_from_slice(bytes.ok_or_else(outside)?);
        }
        Ok(())
    }
}

fn check(block: &CodedBlock) -> Result<()> {
    let length = block.length as usize;
    if length > CLEANUP_BYTES_MAX {
        let (claimed, limit) = (length as u64, CLEANUP_BYTES_MAX as u64);
        return Err(Error::TooLarge { what: "bytes of a cleanup segment", claimed, limit });
    }
    if length < 2 || block.passes > 1 {
        let passes = block.passes;
        return Err(Error::BadParameters(format!("a code-block of {length} bytes and {passes} passes")));
    }
    Ok(())
}

/// The code-blocks of one subband in one precinct; at least one.
struct Precinct<'a> {
    band: &'a Subband,
    columns: std::ops::Range<u32>,
    rows: std::ops::Range<u32>,
}

impl Precinct<'_> {
    /// Row by row: the place within the precinct and the number in the tile's table.
    fn blocks(&self) -> impl Iterator<Item = ((u32, u32), usize)> {
        self.rows.clone().zip(0..).flat_map(move |(row, y)| {
            self.columns.clone().zip(0..).map(move |(column, x)| ((x, y), self.band.block_index(column, row)))
        })
    }
}
