//! The recipe: how the received file is made again, byte for byte, from the `N.dcm` that is held.
//!
//! Numbers are little-endian; a *number* without a width is LEB128, 7 bits a byte, lowest first.
//!
//! ```text
//!  0        4        6      7      8      10       12      13         14      15      16       20       28       36
//! ┌────────┬────────┬──────┬──────┬──────┬────────┬───────┬──────────┬───────┬───────┬────────┬────────┬────────┬───────────────┬──────────┐
//! │ "TSRP" │version │order │ fill │ rows │columns │samples│   bits   │ bits  │ flags │ frames │ before │ after  │ F × gap,length│   zstd   │
//! │        │u16 = 1 │      │      │ u16  │  u16   │       │allocated │stored │       │ F, u32 │  u64   │  u64   │    numbers    │          │
//! └────────┴────────┴──────┴──────┴──────┴────────┴───────┴──────────┴───────┴───────┴────────┴────────┴────────┴───────────────┴──────────┘
//! order  0 little-endian words, or bytes · 1 big-endian words · 2 bytes swapped in big-endian words
//! fill   of the bits above High Bit: 0 zeros · 1 the sign · 2 what `above` says
//! flags  1 signed (Pixel Representation 1) · 2 planes (Planar Configuration 1)
//! bits allocated  16, 8 or 1: then eight samples a byte, the first lowest, no gap between frames (PS3.5 §8.1.1)
//! before, after   bytes of the received file before its first and behind its last frame, a pad byte among the latter;
//!                 with 1 bit allocated also the last byte (the last word of order 2) if the last frame does not fill it
//! gap, length     of each codestream in N.dcm: bytes between the end of the one before (0 at first) and it; its own
//! zstd            one frame with checksum of before ‖ above ‖ after; above, there with fill 2 only, is the bytes of all
//!                 frames with zeros for the bits that are stored; the prefix (ZSTD_CCtx_refPrefix, raw content) is all of
//!                 N.dcm before the first and behind the last codestream, so that what both files say costs next to nothing
//! ```
//!
//! To rebuild: before, then every codestream decoded and laid out as the header says (with fill 2, or-ed with its piece of
//! above), then after.

use std::io::{Read, Write};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::bits;
use crate::codec;
use crate::error::{Error, Result};
use crate::layout::{Fill, Layout, Order};
use crate::samples::{self, Samples};
use crate::source::Source;
pub use crate::source::WhyNot;

const MAGIC: &[u8; 4] = b"TSRP";
const VERSION: u16 = 1;
const HEADER_BYTES: usize = 36;
const SIGNED: u8 = 1;
const PLANES: u8 = 2;

/// zstd levels: these bytes are few and kept for thirty years, but a file of little else must not stall a night.
const LEVEL: i32 = 19;
const LEVEL_OF_MANY_BYTES: i32 = 9;
const MANY_BYTES: usize = 1 << 18;
/// The window reaches over prefix and contents, up to 32 MiB.
const WINDOW_LOG_MIN: u32 = 10;
const WINDOW_LOG_MAX: u32 = 25;

/// Samples decoded at once, where frames are so small that a frame for each thread is little work.
const SAMPLES_AT_ONCE: usize = 1 << 20;

/// A recipe, read.
struct Recipe<'a> {
    layout: Layout,
    before: u64,
    after: u64,
    /// Offset and length of each codestream in N.dcm.
    spans: Vec<(u64, u64)>,
    compressed: &'a [u8],
}

/// Makes the recipe of `source` on top of `dcm`, the whole `N.dcm`, whose codestreams lie at `frames` (offset, length),
/// in order.
///
/// # Errors
/// [`Error::Kept`] when the source is not [`packable`](crate::packable); [`Error::Damaged`] when `frames` are not its
/// frames. Whether the rebuilt file is the received one is for [`prove`] to say.
pub fn make(source: &Source, dcm: &[u8], frames: &[(u64, u64)]) -> Result<Vec<u8>> {
    let layout = source.layout()?;
    if frames.len() != source.description.number_of_frames as usize {
        return damaged(format!("{} codestreams for {} frames", frames.len(), source.description.number_of_frames));
    }
    let pixels = source.frames(&layout).ok_or(WhyNot::Truncated)?;
    let (before, rest) = source.received.split_at(source.pixel_offset as usize);
    let after = &rest[layout.filled_bytes(source.description.number_of_frames) as usize..];
    let above = if layout.fill == Fill::Beside { layout.above(pixels) } else { Vec::new() };
    let mut out = header(&layout, frames.len() as u32, before.len() as u64, after.len() as u64);
    let mut end = 0;
    for &(offset, length) in frames {
        let Some(gap) = offset.checked_sub(end) else {
            return damaged(format!("codestreams overlap at byte {offset}"));
        };
        number(&mut out, gap);
        number(&mut out, length);
        end = offset + length;
    }
    compress(out, &[before, &above, after], &outside(dcm, frames)?)
}

/// Makes the received file again.
///
/// # Errors
/// [`Error::Damaged`], [`Error::TooLarge`] or [`Error::Panicked`] when recipe or codestreams are damaged.
pub fn rebuild(dcm: &[u8], recipe: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    rebuild_to(dcm, recipe, &mut out)?;
    Ok(out)
}

/// Makes the received file again, in pieces: as many frames are in memory as rayon has threads, small ones up to 2^20
/// samples together. What was written before an error is worth nothing.
///
/// # Errors
/// Those of [`rebuild`], and [`Error::Io`] of `out`.
pub fn rebuild_to(dcm: &[u8], recipe: &[u8], out: &mut impl Write) -> Result<()> {
    let recipe = Recipe::read(recipe)?;
    let prefix = outside(dcm, &recipe.spans)?;
    let mut contents = zstd::stream::read::Decoder::with_ref_prefix(recipe.compressed, &prefix)?;
    contents.window_log_max(WINDOW_LOG_MAX)?;
    copy(&mut contents, recipe.before, out)?;
    let at_once = rayon::current_num_threads().max(SAMPLES_AT_ONCE / recipe.layout.frame_samples());
    let mut packer = bits::Packer::new(recipe.layout.order == Order::Swapped);
    for spans in recipe.spans.chunks(at_once.max(1)) {
        let frames: Result<Vec<Samples>> = spans.par_iter().map(|&span| recipe.frame(dcm, span)).collect();
        for frame in frames? {
            match (recipe.layout.single_bits, recipe.layout.fill) {
                (true, _) => out.write_all(&packer.push(&recipe.layout.bytes(&frame)?))?,
                (false, Fill::Beside) => {
                    let mut frame = recipe.layout.bytes(&frame)?;
                    add_above(&mut frame, &mut contents)?;
                    out.write_all(&frame)?;
                }
                (false, _) => recipe.layout.write(&frame, out)?,
            }
        }
    }
    copy(&mut contents, recipe.after, out)?;
    match contents.read(&mut [0]) {
        Ok(0) => Ok(()),
        Ok(_) => damaged("more bytes than its header says"),
        Err(error) => damaged(error.to_string()),
    }
}

/// Bytes of the file that a recipe rebuilds, known without rebuilding it.
///
/// # Errors
/// [`Error::Damaged`] or [`Error::TooLarge`] when the recipe is damaged.
pub fn received_length(recipe: &[u8]) -> Result<u64> {
    let recipe = Recipe::read(recipe)?;
    let pixels = recipe.layout.filled_bytes(recipe.spans.len() as u32);
    let length = pixels.checked_add(recipe.before).and_then(|length| length.checked_add(recipe.after));
    length.map_or_else(|| damaged("lengths beyond 64 bits"), Ok)
}

/// Rebuilds, and compares with what was received byte for byte and by its SHA-256. Nothing but this lets the received
/// bytes go.
///
/// # Errors
/// [`Error::Different`] with the first byte that is, or what stopped the rebuilding.
pub fn prove(source: &Source, dcm: &[u8], recipe: &[u8], expected_sha256: &[u8; 32]) -> Result<()> {
    let mut judge = Judge { received: source.received, at: 0, digest: Sha256::new(), different: None };
    rebuild_to(dcm, recipe, &mut judge)?;
    let different = |detail: String| Err(Error::Different { detail });
    if let Some(byte) = judge.different {
        return different(format!("byte {byte} differs"));
    }
    if judge.at != source.received.len() {
        return different(format!("{} bytes instead of {}", judge.at, source.received.len()));
    }
    if judge.digest.finalize().as_slice() != expected_sha256 {
        return different("its bytes are those given, but their SHA-256 is not the expected one".into());
    }
    Ok(())
}

/// Compares what is written to it.
struct Judge<'a> {
    received: &'a [u8],
    at: usize,
    digest: Sha256,
    different: Option<usize>,
}

impl Write for Judge<'_> {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        let expected = self.received.get(self.at..).unwrap_or_default();
        if self.different.is_none() && !expected.starts_with(bytes) {
            let same = expected.iter().zip(bytes).take_while(|(a, b)| a == b).count();
            self.different = Some(self.at + same);
        }
        self.digest.update(bytes);
        self.at += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl<'a> Recipe<'a> {
    fn read(bytes: &'a [u8]) -> Result<Recipe<'a>> {
        let Some((header, rest)) = bytes.split_first_chunk::<HEADER_BYTES>() else {
            return damaged(format!("{} bytes, its header alone has {HEADER_BYTES}", bytes.len()));
        };
        if !header.starts_with(MAGIC) || u16_at(header, 4) != VERSION {
            return damaged("unknown magic or version at byte 0");
        }
        let layout = layout(header)?;
        let mut rest = rest;
        let spans = spans(&mut rest, u32::from_le_bytes([header[16], header[17], header[18], header[19]]))?;
        Ok(Recipe { layout, before: u64_at(header, 20), after: u64_at(header, 28), spans, compressed: rest })
    }

    /// One frame.
    fn frame(&self, dcm: &[u8], (offset, length): (u64, u64)) -> Result<Samples> {
        let Some(codestream) = slice(dcm, offset, length) else {
            return damaged(format!("a codestream at byte {offset} reaches beyond N.dcm"));
        };
        let frame = codec::decode(codestream)?;
        // Here, not where it is written: many frames are kept until then, and none of them may be larger than it said.
        self.layout.check(&frame)?;
        Ok(frame)
    }
}

fn header(layout: &Layout, frames: u32, before: u64, after: u64) -> Vec<u8> {
    let mut out = Vec::with_capacity(HEADER_BYTES + 512);
    out.extend_from_slice(MAGIC);
    out.extend_from_slice(&VERSION.to_le_bytes());
    out.push(match layout.order {
        Order::Little => 0,
        Order::Big => 1,
        Order::Swapped => 2,
    });
    out.push(match layout.fill {
        Fill::Zero => 0,
        Fill::Sign => 1,
        Fill::Beside => 2,
    });
    out.extend_from_slice(&layout.rows.to_le_bytes());
    out.extend_from_slice(&layout.columns.to_le_bytes());
    let flags = if layout.signed { SIGNED } else { 0 } | if layout.planar { PLANES } else { 0 };
    let bits_allocated = if layout.single_bits { 1 } else { layout.bytes_a_sample * 8 };
    out.extend_from_slice(&[layout.components, bits_allocated, layout.bits_stored, flags]);
    out.extend_from_slice(&frames.to_le_bytes());
    out.extend_from_slice(&before.to_le_bytes());
    out.extend_from_slice(&after.to_le_bytes());
    out
}

fn layout(header: &[u8; HEADER_BYTES]) -> Result<Layout> {
    let order = match header[6] {
        0 => Order::Little,
        1 => Order::Big,
        2 => Order::Swapped,
        other => return damaged(format!("byte order {other} at byte 6")),
    };
    let [fill @ 0..=2, components @ (1 | 3), bits_allocated @ (1 | 8 | 16), bits_stored, flags @ 0..=3] =
        [header[7], header[12], header[13], header[14], header[15]]
    else {
        return damaged("a sample layout that no recipe has at byte 7");
    };
    let single_bits = bits_allocated == 1;
    if single_bits && (order == Order::Big || (fill, components, flags) != (0, 1, 0)) {
        return damaged("single bits that are no plain samples at byte 6");
    }
    if !(1..=bits_allocated).contains(&bits_stored) {
        return damaged(format!("{bits_stored} bits stored of {bits_allocated} at byte 14"));
    }
    let (rows, columns) = (u16_at(header, 8), u16_at(header, 10));
    samples::count(columns.into(), rows.into(), components)?;
    let fill = [Fill::Zero, Fill::Sign, Fill::Beside][usize::from(fill)];
    let (signed, planar) = (flags & SIGNED != 0, flags & PLANES != 0);
    let (bytes_a_sample, shift) = (bits_allocated.div_ceil(8), 0);
    Ok(Layout {
        rows,
        columns,
        components,
        bytes_a_sample,
        single_bits,
        bits_stored,
        shift,
        signed,
        planar,
        order,
        fill,
    })
}

/// Reads `count` spans off the head of `bytes`. Each takes two bytes or more, so a lying count runs out of bytes, not of memory.
fn spans(bytes: &mut &[u8], count: u32) -> Result<Vec<(u64, u64)>> {
    let mut spans = Vec::new();
    let mut end = 0u64;
    for _ in 0..count {
        let span = read_number(bytes).zip(read_number(bytes)).and_then(|(gap, length)| {
            let offset = end.checked_add(gap)?;
            end = offset.checked_add(length)?;
            Some((offset, length))
        });
        let Some(span) = span else { return damaged(format!("ends inside its {} frames", count)) };
        spans.push(span);
    }
    Ok(spans)
}

/// All of N.dcm before its first codestream and behind its last.
fn outside(dcm: &[u8], spans: &[(u64, u64)]) -> Result<Vec<u8>> {
    let first = spans.first().map_or(0, |&(offset, _)| offset);
    let end = spans.last().map_or(0, |&(offset, length)| offset.saturating_add(length));
    let head = slice(dcm, 0, first);
    let tail = usize::try_from(end).ok().and_then(|end| dcm.get(end..));
    match head.zip(tail) {
        Some((head, tail)) => Ok([head, tail].concat()),
        None => damaged(format!("its codestreams end at byte {end}, N.dcm at byte {}", dcm.len())),
    }
}

/// Adds what lay above High Bit in one frame. It is as long as the frame, which is there.
fn add_above(frame: &mut [u8], contents: &mut impl Read) -> Result<()> {
    let mut above = vec![0; frame.len()];
    contents.read_exact(&mut above).or_else(|error| damaged(error.to_string()))?;
    frame.iter_mut().zip(above).for_each(|(byte, above)| *byte |= above);
    Ok(())
}

fn compress(out: Vec<u8>, contents: &[&[u8]], prefix: &[u8]) -> Result<Vec<u8>> {
    let bytes: usize = contents.iter().map(|piece| piece.len()).sum();
    let level = if bytes + prefix.len() > MANY_BYTES { LEVEL_OF_MANY_BYTES } else { LEVEL };
    let mut zstd = zstd::stream::write::Encoder::with_ref_prefix(out, level, prefix)?;
    zstd.set_pledged_src_size(Some(bytes as u64))?;
    zstd.include_checksum(true)?;
    let window = (bytes + prefix.len()).max(1).next_power_of_two().ilog2();
    zstd.window_log(window.clamp(WINDOW_LOG_MIN, WINDOW_LOG_MAX))?;
    contents.iter().try_for_each(|piece| zstd.write_all(piece))?;
    Ok(zstd.finish()?)
}

/// Copies exactly `length` bytes. The length is a claim, so nothing is reserved for it.
fn copy(from: &mut impl Read, length: u64, out: &mut impl Write) -> Result<()> {
    let mut piece = vec![0; 1 << 16];
    let mut left = length;
    while left > 0 {
        let wanted = piece.len().min(usize::try_from(left).unwrap_or(usize::MAX));
        let count = match from.read(&mut piece[..wanted]) {
            Ok(0) => return damaged(format!("{left} bytes are missing at its end")),
            Ok(count) => count,
            Err(error) => return damaged(error.to_string()),
        };
        out.write_all(&piece[..count])?;
        left -= count as u64;
    }
    Ok(())
}

fn number(out: &mut Vec<u8>, mut number: u64) {
    while number >= 0x80 {
        out.push(number as u8 | 0x80);
        number >>= 7;
    }
    out.push(number as u8);
}

fn read_number(bytes: &mut &[u8]) -> Option<u64> {
    let mut number = 0u64;
    for shift in (0..64).step_by(7) {
        let (&byte, rest) = bytes.split_first()?;
        *bytes = rest;
        number |= u64::from(byte & 0x7F).checked_mul(1 << shift)?;
        if byte < 0x80 {
            return Some(number);
        }
    }
    None
}

fn slice(bytes: &[u8], offset: u64, length: u64) -> Option<&[u8]> {
    let start = usize::try_from(offset).ok()?;
    bytes.get(start..start.checked_add(usize::try_from(length).ok()?)?)
}

fn u16_at(header: &[u8; HEADER_BYTES], at: usize) -> u16 {
    u16::from_le_bytes([header[at], header[at + 1]])
}

fn u64_at(header: &[u8; HEADER_BYTES], at: usize) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|byte| header[at + byte]))
}

fn damaged<T>(detail: impl Into<String>) -> Result<T> {
    Err(Error::Damaged { coder: "recipe", detail: detail.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PixelDescription, encapsulate, encode_frames};
    use proptest::prelude::*;

    const BEFORE: &[u8] = b"preamble and a header that both files share, or nearly";
    const AFTER: &[u8] = b"\0data behind the pixels";

    /// (stored, components, planar, signed, big-endian words)
    type Kind = (u16, u16, bool, bool, bool);

    fn description(
        (stored, components, planar, signed, _): Kind,
        rows: u16,
        columns: u16,
        frames: u32,
    ) -> PixelDescription {
        PixelDescription {
            rows,
            columns,
            samples_per_pixel: components,
            bits_allocated: if stored > 8 { 16 } else { 8 },
            bits_stored: stored,
            high_bit: stored - 1,
            pixel_representation: signed.into(),
            planar_configuration: planar.into(),
            photometric_interpretation: if components == 3 { "RGB" } else { "MONOCHROME2" }.into(),
            number_of_frames: frames,
        }
    }

    /// A received file and its source's other parts; pixels are `seed` in every bit that is stored.
    fn received(description: &PixelDescription, big_endian: bool, seed: u64) -> (Vec<u8>, u64) {
        let samples = usize::from(description.rows)
            * usize::from(description.columns)
            * usize::from(description.samples_per_pixel);
        let mut state = seed | 1;
        let mut file = BEFORE.to_vec();
        for _ in 0..samples * description.number_of_frames as usize {
            state = state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            let word = (state >> 40) as u16 & ((1u32 << description.bits_stored) - 1) as u16;
            match (description.bits_allocated, big_endian) {
                (8, _) => file.push(word as u8),
                (_, true) => file.extend_from_slice(&word.to_be_bytes()),
                (_, false) => file.extend_from_slice(&word.to_le_bytes()),
            }
        }
        let length = (file.len() - BEFORE.len()) as u64;
        file.extend_from_slice(AFTER);
        (file, length)
    }

    /// Packs and rebuilds a file of these pixels; answers the length of N.dcm and of the recipe.
    fn check_pixels(description: PixelDescription, vr: &[u8; 2], big_endian: bool, pixels: &[u8]) -> (usize, usize) {
        let head = [BEFORE, vr, &[0; 6]].concat();
        let received = [&head, pixels, AFTER].concat();
        let (pixel_offset, pixel_length) = (head.len() as u64, pixels.len() as u64);
        let source = Source { received: &received, pixel_offset, pixel_length, big_endian, description };
        let (dcm, recipe) = pack(&source);
        prove(&source, &dcm, &recipe, &Sha256::digest(&received).into()).unwrap();
        assert_eq!(received_length(&recipe).unwrap(), received.len() as u64);
        (dcm.len(), recipe.len())
    }

    fn noise(bytes: usize, seed: u64) -> Vec<u8> {
        let next = |state: &u64| Some(state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407));
        std::iter::successors(Some(seed), next).skip(1).map(|state| (state >> 40) as u8).take(bytes).collect()
    }

    /// N.dcm and recipe of a received file.
    fn pack(source: &Source) -> (Vec<u8>, Vec<u8>) {
        let packed = encapsulate(codec::TRANSFER_SYNTAX_UID, &encode_frames(source).unwrap()).unwrap();
        let head = b"preamble and a header that both files share, with an Extended Offset Table";
        let spans: Vec<_> = packed.spans.iter().map(|&(offset, length)| (offset + head.len() as u64, length)).collect();
        let dcm = [&head[..], &packed.pixel_data].concat();
        let recipe = make(source, &dcm, &spans).unwrap();
        (dcm, recipe)
    }

    fn check(kind: Kind, rows: u16, columns: u16, frames: u32, seed: u64) -> usize {
        let description = description(kind, rows, columns, frames);
        let (received, pixel_length) = received(&description, kind.4, seed);
        let pixel_length = pixel_length + pixel_length % 2;
        let pixel_offset = BEFORE.len() as u64;
        let source = Source { received: &received, pixel_offset, pixel_length, big_endian: kind.4, description };
        let (dcm, recipe) = pack(&source);
        assert!(rebuild(&dcm, &recipe).unwrap() == received, "{:?}", source.description);
        assert_eq!(received_length(&recipe).unwrap(), received.len() as u64);
        prove(&source, &dcm, &recipe, &Sha256::digest(&received).into()).unwrap();
        recipe.len()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(48))]
        /// Every layout that is packable is rebuilt byte for byte, and its recipe is small.
        #[test]
        fn what_was_received_is_rebuilt(
            stored in 1u16..=16, colour: bool, planar: bool, signed: bool, big_endian: bool,
            rows in 1u16..40, columns in 1u16..40, frames in 1u32..5, seed: u64,
        ) {
            let stored = if colour { stored.max(4) } else { stored };
            let kind = (stored, if colour { 3 } else { 1 }, planar && colour, signed && !colour, big_endian);
            let bytes = check(kind, rows, columns, frames, seed);
            prop_assert!(bytes < 160, "a recipe of {bytes} bytes");
        }

        /// So are single bits, whether frames begin inside a byte or not, with what lies behind the last pixel: the
        /// rest of its byte or word, a pad byte.
        #[test]
        fn single_bits_are_rebuilt(
            rows in 1u16..40, columns in 1u16..40, frames in 1u32..20, words: bool, pad: bool, seed: u64,
        ) {
            let bits = usize::from(rows) * usize::from(columns) * frames as usize;
            let bytes = if words { 2 * bits.div_ceil(16) } else { bits.div_ceil(8) + usize::from(pad) };
            let description = PixelDescription { bits_allocated: 1, ..description((1, 1, false, false, false), rows, columns, frames) };
            check_pixels(description, if words { b"OW" } else { b"OB" }, words, &noise(bytes, seed));
        }

        /// And whatever lies above High Bit.
        #[test]
        fn data_above_high_bit_is_rebuilt(
            stored in 1u16..=16, colour: bool, planar: bool, signed: bool, big_endian: bool,
            rows in 1u16..20, columns in 1u16..20, frames in 1u32..4, seed: u64,
        ) {
            let stored = if colour { stored.max(4) } else { stored };
            let kind = (stored, if colour { 3 } else { 1 }, planar && colour, signed && !colour, big_endian);
            let description = description(kind, rows, columns, frames);
            let samples = usize::from(rows) * usize::from(columns) * usize::from(kind.1) * frames as usize;
            let pixels = noise(samples * usize::from(description.bits_allocated / 8), seed);
            check_pixels(description, b"OB", big_endian, &pixels);
        }

        /// Damage anywhere in a recipe is an error or other bytes, never a panic, and never more than memory allows.
        #[test]
        fn a_damaged_recipe_is_answered(at in 0usize..200, byte: u8, cut in 0usize..200) {
            let (dcm, recipe) = example();
            let mut damaged = recipe.clone();
            let last = damaged.len() - 1;
            damaged[at.min(last)] = byte;
            if damaged != recipe {
                let _ = rebuild_to(&dcm, &damaged, &mut std::io::sink());
            }
            prop_assert!(rebuild(&dcm, &recipe[..cut.min(last)]).is_err());
            let _ = rebuild(&dcm[..dcm.len().min(at * 3)], &recipe);
        }

        /// Nor do bytes that were never a recipe.
        #[test]
        fn any_bytes_are_answered(mut bytes in proptest::collection::vec(any::<u8>(), 0..120)) {
            bytes.splice(0..bytes.len().min(6), *b"TSRP\x01\x00");
            prop_assert!(rebuild(&[0; 400], &bytes).is_err());
            let _ = received_length(&bytes);
        }

        #[test]
        fn numbers_come_back(value: u64) {
            let mut bytes = Vec::new();
            number(&mut bytes, value);
            prop_assert_eq!(read_number(&mut bytes.as_slice()), Some(value));
        }
    }

    fn example() -> (Vec<u8>, Vec<u8>) {
        let description = description((12, 1, false, false, false), 9, 7, 2);
        let (received, pixel_length) = received(&description, false, 5);
        let pixel_offset = BEFORE.len() as u64;
        pack(&Source { received: &received, pixel_offset, pixel_length, big_endian: false, description })
    }

    #[test]
    fn a_file_that_is_not_the_received_one_is_found_out() {
        let description = description((12, 1, false, false, false), 9, 7, 2);
        let (received, pixel_length) = received(&description, false, 5);
        let pixel_offset = BEFORE.len() as u64;
        let source = Source { received: &received, pixel_offset, pixel_length, big_endian: false, description };
        let (dcm, recipe) = pack(&source);
        let check = |other: Vec<u8>, digest: [u8; 32], expected: &str| {
            let source = Source { received: &other, ..source.clone() };
            let error = prove(&source, &dcm, &recipe, &digest).unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        let digest = Sha256::digest(&received).into();
        let mut other = received.clone();
        other[70] ^= 1;
        check(other, digest, "byte 70 differs");
        check([&received[..], b"x"].concat(), digest, "bytes instead of");
        check(received[..received.len() - 1].to_vec(), digest, "differs");
        check(received.clone(), [0; 32], "SHA-256");
    }

    #[test]
    fn bytes_swapped_in_big_endian_words_are_put_right_in_the_codestream_and_swapped_back() {
        let head = b"\x7F\xE0\x00\x10OW\0\0\0\0\0\x04";
        let received = [&head[..], &[2, 1, 4, 3]].concat();
        let description = description((8, 1, false, false, false), 1, 4, 1);
        let source = Source { received: &received, pixel_offset: 12, pixel_length: 4, big_endian: true, description };
        let (dcm, recipe) = pack(&source);
        let frame = codec::decode(&encode_frames(&source).unwrap()[0]).unwrap();
        assert_eq!(frame.values(), &crate::Values::U8(vec![1, 2, 3, 4]));
        assert_eq!(rebuild(&dcm, &recipe).unwrap(), received);
    }
}
