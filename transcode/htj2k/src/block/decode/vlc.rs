//! The first phase of a cleanup pass, for several code-blocks side by side: MEL and VLC, without a branch that depends
//! on them (T.814 7.3.3 to 7.3.6).
//!
//! The way from one codeword to the next is a chain: look up, shift by the length found, look up again. One code-block
//! leaves the machine idle most of the time, so that others are decoded in the gaps.
#![allow(unsafe_code, reason = "the instructions that shift by any register are chosen at run time")]

use super::bits::{Bits, Events};
use super::tables::{
    ABOVE, CONTEXT, EVENT, FIRST_QUADS, FIRST_RESIDUALS, OTHER_QUADS, QuadTable, RESIDUAL_LENGTHS, WEST,
};
use super::{Cleanup, LANES};
use crate::simd::Level;
use std::mem::MaybeUninit;

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
        #[target_feature(enable = "bmi1,bmi2,lzcnt,popcnt")]
        fn bmi2<const N: usize>(blocks: &mut [Quads; N], suffixes: [&[u8]; N], size: (usize, usize)) -> [bool; N] {
            rows::<N, true>(blocks, suffixes, size)
        }
        // SAFETY: a machine with AVX2 as `Level` means it has these too.
        return unsafe { bmi2(blocks, suffixes, size) };
    }
    let _ = level;
    rows::<N, false>(blocks, suffixes, size)
}

#[inline(always)]
fn rows<const N: usize, const BMI2: bool>(
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
                cursors[k].above = north(before[k], row[chunk + 1], row[chunk + 2]).rotate_left(ABOVE.trailing_zeros());
                cursors[k].events = (events & ((1 << 48) - 1)) << EVENT.trailing_zeros() | 1 << 63;
                cursors[k].lower = 0;
            }
            if y == 0 {
                chunk_pairs::<N, BMI2, true>(blocks, &mut cursors, first, count);
            } else {
                chunk_pairs::<N, BMI2, false>(blocks, &mut cursors, y * stride + first, count);
            }
            for k in 0..N {
                before[k] = std::mem::replace(&mut lower[k][chunk + 1], cursors[k].lower);
                blocks[k].mel.skip(cursors[k].events.leading_zeros() as usize);
            }
        }
    }
    std::array::from_fn(|k| cursors[k].place <= blocks[k].vlc.end)
}

/// Two bits a quad: whether its context's bits 0 and 2 are set by the lower samples of the row above, of which `row` has
/// a bit a column and the others are the words beside it (T.814 equation 2).
#[inline(always)]
fn north(before: u64, row: u64, after: u64) -> u64 {
    const EVEN: u64 = 0x5555_5555_5555_5555;
    let left = row | row << 1 | before >> 63;
    let right = row | row >> 1 | after << 63;
    left & EVEN | right & !EVEN
}

/// Where one code-block's bits come from and its quads go.
#[derive(Clone, Copy)]
struct Lane {
    stream: *const u8,
    said: *mut [u16; 2],
    residuals: *mut u32,
}

/// `count` quads from place `first` on.
#[inline(always)]
fn chunk_pairs<const N: usize, const BMI2: bool, const FIRST: bool>(
    blocks: &mut [Quads; N],
    cursors: &mut [Cursor; N],
    first: usize,
    count: usize,
) {
    // What the pointers below are good for.
    let pairs = count.div_ceil(2);
    assert!(count <= CHUNK_QUADS, "a chunk has 32 quads");
    let mut lanes = [const { MaybeUninit::uninit() }; N];
    for k in 0..N {
        let block = &mut blocks[k];
        assert!(
            cursors[k].place / 8 + pairs * PAIR_BITS_MAX.div_ceil(8) + 8 <= block.vlc.bytes().len(),
            "VLC is padded"
        );
        let said = block.said[first..][..2 * pairs].as_mut_ptr().cast();
        let residuals = block.residuals[first / 2..][..pairs].as_mut_ptr();
        lanes[k].write(Lane { stream: block.vlc.bytes().as_ptr(), said, residuals });
    }
    // SAFETY: all were written just now.
    let lanes = lanes.map(|lane| unsafe { lane.assume_init() });
    let mut cursor = *cursors;
    for pair in 0..count / 2 {
        // Written out, for only then are the cursors in registers.
        macro_rules! lane {
            ($($k:literal),+) => {$(
                if $k < N {
                    // SAFETY: `pair` is below `pairs`, for which there is room.
                    unsafe { one_pair::<BMI2, FIRST, true>(&mut cursor[$k], lanes[$k], pair) };
                }
            )+};
        }
        lane!(0, 1, 2, 3);
    }
    if count % 2 == 1 {
        for k in 0..N {
            // SAFETY: as above.
            unsafe { one_pair::<BMI2, FIRST, false>(&mut cursor[k], lanes[k], pairs - 1) };
        }
    }
    *cursors = cursor;
}

/// One pair of quads, or the last quad of a row alone.
///
/// # Safety
/// Eight bytes can be read at the cursor's place, and place `pair` of the lane written.
#[inline(always)]
unsafe fn one_pair<const BMI2: bool, const FIRST: bool, const BOTH: bool>(
    cursor: &mut Cursor,
    lane: Lane,
    pair: usize,
) {
    let table = if FIRST { &FIRST_QUADS } else { &OTHER_QUADS };
    // SAFETY: as the caller promises.
    let bytes = unsafe { lane.stream.add(cursor.place >> 3).cast::<[u8; 8]>().read_unaligned() };
    // 57 bits at least, of which a pair takes 30 at most.
    let bits = u64::from_le_bytes(bytes) >> (cursor.place & 7);
    let first = quad::<FIRST>(cursor, table, bits, cursor.above);
    let bits = bits >> (first & 63);
    let second = if BOTH { quad::<FIRST>(cursor, table, bits, cursor.above >> 2) } else { 0 };
    let bits = bits >> (second & 63);
    cursor.above = cursor.above.rotate_right(4);
    let quads = first >> 16 | second & 0xFFFF_0000;
    cursor.lower |= u64::from(lower_samples::<BMI2>(quads)) << (4 * pair);
    let (length, residuals) = if FIRST {
        first_residuals(cursor, quads, bits as u32)
    } else {
        let index = bits as u32 & 0x3F | first & 0x40 | second & 0x80;
        (u32::from(RESIDUAL_LENGTHS[index as usize]), bits as u32)
    };
    cursor.place += (first.wrapping_add(second).wrapping_add(length) & 63) as usize;
    // SAFETY: as the caller promises.
    unsafe {
        lane.said.add(pair).write([quads as u16, (quads >> 16) as u16]);
        lane.residuals.add(pair).write(residuals);
    }
}

/// One quad's entry; its index bits from the row above are those of `above`.
#[inline(always)]
fn quad<const FIRST: bool>(cursor: &mut Cursor, table: &QuadTable, bits: u64, above: u64) -> u32 {
    let context = if FIRST { cursor.west & CONTEXT } else { above as u32 & ABOVE | cursor.west & WEST };
    let index = bits as u32 & 0x7F | context | cursor.events as u32 & EVENT;
    let entry = table[index as usize];
    cursor.events >>= u32::from(context == 0);
    cursor.west = entry;
    entry
}

/// Samples 1 and 3 of both quads: a bit a column.
#[inline(always)]
fn lower_samples<const BMI2: bool>(quads: u32) -> u32 {
    #[cfg(target_arch = "x86_64")]
    if BMI2 {
        // SAFETY: only `decode_lanes` sets BMI2, where the machine has it.
        return unsafe { std::arch::x86_64::_pext_u32(quads, 0x000A_000A) };
    }
    quads >> 1 & 1 | quads >> 2 & 2 | quads >> 15 & 4 | quads >> 16 & 8
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
