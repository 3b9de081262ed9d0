//! The first phase of a cleanup pass, for several code-blocks side by side: MEL and VLC, without a branch that depends
//! on them (T.814 7.3.3 to 7.3.6).
//!
//! The way from one codeword to the next is a chain: look up, shift by the length found, look up again. One code-block
//! leaves the machine idle most of the time, so that others are decoded in the gaps.

use super::bits::{Bits, Events};
use super::tables::{
    ABOVE, CONTEXT, EVENT, FIRST_QUADS, FIRST_RESIDUALS, OTHER_QUADS, QuadTable, RESIDUAL_LENGTHS, WEST,
};
use super::{Cleanup, LANES};
use crate::simd::Level;

/// Quads that are taken at a time: the columns of one word of significance.
pub(super) const CHUNK_QUADS: usize = 32;
/// Bits that one pair of quads takes at most: two codewords of 7, two prefixes of 3, two suffixes of 5.
const PAIR_BITS_MAX: usize = 30;
/// Chunks in a quad row at most, and one on both sides.
const CHUNKS_MAX: usize = super::BLOCK_EDGE_MAX / 2 / CHUNK_QUADS + 2;

/// What the first phase tells the second.
#[derive(Debug, Default)]
pub(super) struct Quads {
    /// rho, e_k, e_1 and u_off of every quad, four bits each from the least; rows are `stride` long and end in zeros.
    pub(super) said: Vec<u16>,
    /// Of every pair: in the first quad row both u (16 bits each), in others the bits that code them.
    pub(super) residuals: Vec<u32>,
    /// Quads from one row to the next, a multiple of [`CHUNK_QUADS`].
    pub(super) stride: usize,
    /// Columns of the code-block.
    width: usize,
    vlc: Bits,
    mel: Events,
}

impl Quads {
    /// Makes room for a code-block and unpacks its VLC.
    pub(super) fn begin(&mut self, segment: &Cleanup<'_>, width: usize, height: usize) {
        let rows = height.div_ceil(2);
        let stride = width.div_ceil(2).next_multiple_of(CHUNK_QUADS);
        if self.width != width {
            // What lies beyond a row's quads stays zero as long as rows are as long.
            self.said.fill(0);
            self.residuals.fill(0);
        }
        (self.stride, self.width) = (stride, width);
        if self.said.len() < rows * stride {
            self.said.resize(rows * stride, 0);
            self.residuals.resize(rows * stride / 2, 0);
        }
        let needed = rows * width.div_ceil(4) * PAIR_BITS_MAX / 8 + 96;
        let (bytes, last) = segment.suffix.split_at(segment.suffix.len() - 2);
        let upper = u64::from(last[0] >> 4);
        // The byte before reads with ones in its lower half; its upper half begins VLC.
        let head = if upper & 7 == 7 { (7, 3) } else { (upper, 4) };
        self.vlc.reverse(bytes, needed, last[0] | 15, head, needed);
        self.mel.reset();
    }
}

/// Where one code-block is.
#[derive(Clone, Copy, Default)]
struct Cursor {
    /// The next bit of VLC.
    place: usize,
    /// The last quad's entry, of which the next takes its west neighbour.
    west: u32,
    /// The next MEL events from [`EVENT`] on; a one in the top place goes down with them and so counts those used.
    events: u64,
    /// Index bits that the row above gives to the next quads, two each, turned to where the index has them.
    above: u64,
    /// Significance of the lower samples, a bit a column.
    lower: u64,
    /// Whether the row above alone makes all contexts of the chunk other than 0.
    no_events: bool,
}

/// Decodes MEL and VLC of one to four code-blocks of the same shape; for each, whether its VLC was long enough.
pub(super) fn decode(
    level: Level,
    blocks: &mut [Quads],
    suffixes: &[&[u8]],
    width: usize,
    height: usize,
) -> [bool; LANES] {
    let mut whole = [true; LANES];
    macro_rules! lanes {
        ($($n:literal),+) => {
            match blocks.len() {
                $($n => {
                    if let (Some(blocks), Some(suffixes)) = (blocks.as_mut_array::<$n>(), suffixes.as_array::<$n>()) {
                        whole[..$n].copy_from_slice(&decode_lanes(level, blocks, *suffixes, (width, height)));
                    }
                })+
                _ => {}
            }
        };
    }
    // A WebAssembly module is loaded before anything is seen: three at a time, which are rare, are not worth their code.
    #[cfg(target_arch = "wasm32")]
    if let (3, [one, others @ ..]) = (blocks.len(), &mut *blocks) {
        let first = decode(level, std::slice::from_mut(one), &suffixes[..1], width, height);
        let others = decode(level, others, &suffixes[1..], width, height);
        return [first[0], others[0], others[1], true];
    }
    #[cfg(target_arch = "wasm32")]
    lanes!(1, 2, 4);
    #[cfg(not(target_arch = "wasm32"))]
    lanes!(1, 2, 3, 4);
    whole
}

fn decode_lanes<const N: usize>(
    level: Level,
    blocks: &mut [Quads; N],
    suffixes: [&[u8]; N],
    size: (usize, usize),
) -> [bool; N] {
    #[cfg(target_arch = "x86_64")]
    if level >= Level::Avx2 {
        return super::vlc_bmi2::rows(blocks, suffixes, size);
    }
    let _ = level;
    rows::<N, Portable>(blocks, suffixes, size)
}

/// What a machine may have better ways to do.
pub(super) trait Machine {
    /// The lower samples of four quads, out of what is said of them: bits 1 and 3 of each 16, side by side.
    fn lower_samples(quads: u64) -> u64;
    /// Eight bytes from `at` on, which the caller has proven to be there.
    fn eight_bytes(stream: &[u8], at: usize) -> u64;
}

/// Any machine.
pub(super) struct Portable;

impl Machine for Portable {
    #[inline(always)]
    fn eight_bytes(stream: &[u8], at: usize) -> u64 {
        let bytes = stream.get(at..).and_then(<[u8]>::first_chunk);
        bytes.map_or(0, |bytes| u64::from_le_bytes(*bytes))
    }

    #[inline(always)]
    fn lower_samples(quads: u64) -> u64 {
        let columns = quads >> 1 & 0x0001_0001_0001_0001 | quads >> 2 & 0x0002_0002_0002_0002;
        // Four times two bits, each 14 places above where it goes.
        let columns = columns | columns >> 14;
        (columns | columns >> 28) & 0xFF
    }
}

#[inline(always)]
pub(super) fn rows<const N: usize, M: Machine>(
    blocks: &mut [Quads; N],
    suffixes: [&[u8]; N],
    (width, height): (usize, usize),
) -> [bool; N] {
    let (quads, stride) = (width.div_ceil(2), blocks[0].stride);
    let mut cursors = [Cursor::default(); N];
    // Significance of the lower samples of the quad row above: 64 columns a word, from the second word.
    let mut lower = [[0u64; CHUNKS_MAX]; N];
    for y in 0..height.div_ceil(2) {
        let mut before = [0; N];
        cursors.iter_mut().for_each(|cursor| cursor.west = 0);
        for (chunk, first) in (0..quads).step_by(CHUNK_QUADS).enumerate() {
            let count = (quads - first).min(CHUNK_QUADS);
            for k in 0..N {
                let row = &lower[k];
                let events = blocks[k].mel.peek(suffixes[k], if y == 0 { count + count.div_ceil(2) } else { count });
                let above = north(before[k], row[chunk + 1], row[chunk + 2]);
                cursors[k].no_events = (above | above >> 1 | !0 << 1 << (2 * count - 1)) & EVEN == EVEN;
                cursors[k].above = above.rotate_left(ABOVE.trailing_zeros());
                cursors[k].events = (events & ((1 << 48) - 1)) << EVENT.trailing_zeros() | 1 << 63;
                cursors[k].lower = 0;
            }
            let place = y * stride + first;
            if y == 0 {
                chunk_pairs::<N, M, FIRST_ROW>(blocks, &mut cursors, place, count);
            } else if cursors.iter().all(|cursor| cursor.no_events) {
                chunk_pairs::<N, M, NO_EVENTS>(blocks, &mut cursors, place, count);
            } else {
                chunk_pairs::<N, M, OTHER_ROW>(blocks, &mut cursors, place, count);
            }
            for k in 0..N {
                before[k] = std::mem::replace(&mut lower[k][chunk + 1], cursors[k].lower);
                blocks[k].mel.skip(cursors[k].events.leading_zeros() as usize);
            }
        }
    }
    std::array::from_fn(|k| cursors[k].place <= blocks[k].vlc.end)
}

/// How a chunk is decoded: in the first quad row; in others; in others where no context is 0, so that MEL is not needed.
const FIRST_ROW: u8 = 0;
const OTHER_ROW: u8 = 1;
const NO_EVENTS: u8 = 2;

/// Bits of even numbers.
const EVEN: u64 = 0x5555_5555_5555_5555;

/// Two bits a quad: whether its context's bits 0 and 2 are set by the lower samples of the row above, of which `row` has
/// a bit a column and the others are the words beside it (T.814 equation 2).
#[inline(always)]
fn north(before: u64, row: u64, after: u64) -> u64 {
    let left = row | row << 1 | before >> 63;
    let right = row | row >> 1 | after << 63;
    left & EVEN | right & !EVEN
}

/// Pairs of a chunk.
const CHUNK_PAIRS: usize = CHUNK_QUADS / 2;

/// What a chunk of one code-block decodes to. It stands on the stack, where no pointer must be held to reach it.
#[derive(Clone, Copy)]
#[repr(align(64))]
struct Chunk {
    said: [u32; CHUNK_PAIRS],
    residuals: [u32; CHUNK_PAIRS],
}

/// `count` quads from place `first` on.
#[inline(always)]
fn chunk_pairs<const N: usize, M: Machine, const KIND: u8>(
    blocks: &mut [Quads; N],
    cursors: &mut [Cursor; N],
    first: usize,
    count: usize,
) {
    assert!(count <= CHUNK_QUADS, "a chunk has 32 quads");
    let streams: [&[u8]; N] = std::array::from_fn(|k| {
        // A pair takes at most `PAIR_BITS_MAX` bits, so that all of the chunk are in the stream.
        let needed = cursors[k].place / 8 + CHUNK_PAIRS * PAIR_BITS_MAX.div_ceil(8) + 8;
        assert!(needed <= blocks[k].vlc.bytes().len(), "VLC is padded");
        blocks[k].vlc.bytes()
    });
    let mut chunks = [Chunk { said: [0; CHUNK_PAIRS], residuals: [0; CHUNK_PAIRS] }; N];
    let mut cursor = *cursors;
    for pair in 0..count / 2 {
        // Written out, for only then are the cursors in registers.
        macro_rules! lane {
            ($($k:literal),+) => {$(
                if $k < N {
                    let (said, residuals) = one_pair::<M, KIND, true>(&mut cursor[$k], streams[$k]);
                    (chunks[$k].said[pair], chunks[$k].residuals[pair]) = (said, residuals);
                }
            )+};
        }
        lane!(0, 1, 2, 3);
    }
    if count % 2 == 1 {
        for k in 0..N {
            let (said, residuals) = one_pair::<M, KIND, false>(&mut cursor[k], streams[k]);
            (chunks[k].said[count / 2], chunks[k].residuals[count / 2]) = (said, residuals);
        }
    }
    for k in 0..N {
        cursor[k].lower = lower_samples::<M>(&chunks[k].said);
        let said = blocks[k].said[first..][..CHUNK_QUADS].as_chunks_mut::<2>().0;
        for (to, pair) in said.iter_mut().zip(chunks[k].said) {
            *to = [pair as u16, (pair >> 16) as u16];
        }
        blocks[k].residuals[first / 2..][..CHUNK_PAIRS].copy_from_slice(&chunks[k].residuals);
    }
    *cursors = cursor;
}

/// One pair of quads, or the last quad of a row alone: what is said of both, and u as [`Quads::residuals`] has it.
#[inline(always)]
fn one_pair<M: Machine, const KIND: u8, const BOTH: bool>(cursor: &mut Cursor, stream: &[u8]) -> (u32, u32) {
    let table = if KIND == FIRST_ROW { &FIRST_QUADS } else { &OTHER_QUADS };
    // 57 bits at least, of which a pair takes 30 at most.
    let bits = M::eight_bytes(stream, cursor.place >> 3) >> (cursor.place & 7);
    let first = quad::<KIND>(cursor, table, bits, cursor.above);
    let bits = bits >> (first & 63);
    let second = if BOTH { quad::<KIND>(cursor, table, bits, cursor.above >> 2) } else { 0 };
    let bits = bits >> (second & 63);
    cursor.above = cursor.above.rotate_right(4);
    let quads = first >> 16 | second & 0xFFFF_0000;
    let (length, residuals) = if KIND == FIRST_ROW {
        first_residuals(cursor, quads, bits as u32)
    } else {
        // Lengths do not reach bit 6: there is u_off of the first, and that of the second beside it.
        let index = bits as u32 & 0x3F | first.wrapping_add(second << 1) & 0xC0;
        (u32::from(RESIDUAL_LENGTHS[index as usize]), bits as u32)
    };
    cursor.place += (first.wrapping_add(second).wrapping_add(length) & 63) as usize;
    (quads, residuals)
}

/// One quad's entry; its index bits from the row above are those of `above`.
#[inline(always)]
fn quad<const KIND: u8>(cursor: &mut Cursor, table: &QuadTable, bits: u64, above: u64) -> u32 {
    let context = if KIND == FIRST_ROW { cursor.west & CONTEXT } else { above as u32 & ABOVE | cursor.west & WEST };
    let event = if KIND == NO_EVENTS { 0 } else { cursor.events as u32 & EVENT };
    let index = bits as u32 & 0x7F | context | event;
    let entry = table[index as usize];
    if KIND != NO_EVENTS {
        cursor.events >>= u32::from(context == 0);
    }
    cursor.west = entry;
    entry
}

/// Samples 1 and 3 of all quads of a chunk: a bit a column.
#[inline(always)]
fn lower_samples<M: Machine>(said: &[u32; CHUNK_PAIRS]) -> u64 {
    let two_pairs = |pairs: &[u32; 2]| M::lower_samples(u64::from(pairs[0]) | u64::from(pairs[1]) << 32);
    let (fours, _) = said.as_chunks::<2>();
    fours.iter().enumerate().fold(0, |lower, (n, pairs)| lower | two_pairs(pairs) << (8 * n))
}

/// Both u of a pair of the first quad row, and the length of their code (T.814 7.3.6).
#[inline(always)]
fn first_residuals(cursor: &mut Cursor, quads: u32, bits: u32) -> (u32, u32) {
    let off = (quads >> 12 & 1) + (quads >> 27 & 2);
    let both = u32::from(off == 3);
    let event = (cursor.events as u32 / EVENT) & both;
    cursor.events >>= both;
    let entry = FIRST_RESIDUALS[((off + event) << 6 | bits & 0x3F) as usize];
    let suffixes = bits >> entry.prefixes;
    let first = u32::from(entry.values[0]) + (suffixes & ((1 << entry.suffixes[0]) - 1));
    let second = u32::from(entry.values[1]) + (suffixes >> entry.suffixes[0] & ((1 << entry.suffixes[1]) - 1));
    (u32::from(entry.prefixes + entry.suffixes[0] + entry.suffixes[1]), first | second << 16)
}
