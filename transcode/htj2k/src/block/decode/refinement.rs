//! Significance propagation and magnitude refinement (T.814 7.4 and 7.5), in stripes of four rows: sixteen samples,
//! column by column, are one word.

use super::bits::Bits;
use super::output::{Area, Output};
use super::{BLOCK_SAMPLES_MAX, BlockJob};
use crate::simd::Level;

/// Bytes that significance propagation can use: two bits a sample, seven of a byte.
const PROPAGATION_BYTES_MAX: usize = 2 * BLOCK_SAMPLES_MAX / 7 + 1;
/// Bytes that magnitude refinement can use: one bit a sample, seven of a byte.
const MAGNITUDES_BYTES_MAX: usize = BLOCK_SAMPLES_MAX / 7 + 1;
/// Bytes that are read beyond the end.
const PADDING_BYTES: usize = 16;

/// Significance of a code-block: bit `4 * (x % 4) + y % 4` of word `x / 4` of stripe `y / 4`.
#[derive(Debug, Default)]
pub(super) struct Significance {
    /// After the cleanup pass. A word of zeros follows every stripe and a stripe of zeros the last.
    cleanup: Vec<u16>,
    /// The stripe above, with what became significant since.
    above: Vec<u16>,
    words: usize,
}

impl Significance {
    /// Takes it from the quads, whose rho is in the low four bits of each; rows are `stride` apart.
    pub(super) fn gather(&mut self, quads: &[u16], stride: usize, width: usize, height: usize) {
        self.words = width.div_ceil(4) + 1;
        self.cleanup.clear();
        self.cleanup.resize(self.words * (height.div_ceil(4) + 1), 0);
        for (y, row) in quads.chunks_exact(stride).take(height.div_ceil(2)).enumerate() {
            let stripe = &mut self.cleanup[y / 2 * self.words..];
            for (word, pair) in stripe.iter_mut().take(width.div_ceil(4)).zip(row.chunks_exact(2)) {
                let (first, second) = (pair[0], pair[1]);
                let spread = |rho: u16| rho & 3 | (rho & 12) << 2;
                *word |= (spread(first) | spread(second) << 8) << (y % 2 * 2);
            }
        }
        for y in (0..height).step_by(4) {
            let stripe = &mut self.cleanup[y / 4 * self.words..][..self.words];
            for (n, word) in stripe.iter_mut().enumerate() {
                *word &= inside(width.saturating_sub(4 * n), height - y);
            }
        }
    }
}

/// The samples of a word that lie in the code-block, if `columns` and `rows` of it are left.
fn inside(columns: usize, rows: usize) -> u16 {
    let column = 15u16 >> (4 - rows.min(4));
    let all = column | column << 4 | column << 8 | column << 12;
    if columns >= 4 { all } else { all & ((1 << (4 * columns)) - 1) }
}

/// The linear streams of both passes.
#[derive(Debug, Default)]
pub(super) struct Refinement {
    propagation: Bits,
    magnitudes: Bits,
}

/// A linear stream and a place in it.
struct Stream<'a> {
    bits: &'a Bits,
    place: usize,
}

impl Stream<'_> {
    /// The next 57 bits or more; beyond the end there are only zeros.
    #[inline(always)]
    fn peek(&mut self) -> u64 {
        self.place = self.place.min(self.bits.end);
        let word = self.bits.bytes()[self.place / 8..].first_chunk().map_or(0, |word| u64::from_le_bytes(*word));
        word >> (self.place % 8)
    }
}

impl Refinement {
    /// Both passes, as far as the job has them. The area's samples are those of the cleanup pass already.
    pub(super) fn refine<O: Output>(
        &mut self,
        level: Level,
        significance: &mut Significance,
        job: &BlockJob<'_>,
        area: &mut Area<'_, O>,
        scale: O::Scale,
    ) {
        self.propagation.forward(level, job.refinement, PROPAGATION_BYTES_MAX, false, PADDING_BYTES);
        propagate(significance, &self.propagation, job.causal, area, scale);
        if job.passes > 2 {
            self.magnitudes.reverse(job.refinement, MAGNITUDES_BYTES_MAX, 0xFF, (0, 0), PADDING_BYTES);
            magnitudes(significance, &self.magnitudes, area, scale);
        }
    }
}

/// T.814 7.4.
fn propagate<O: Output>(
    significance: &mut Significance,
    bits: &Bits,
    causal: bool,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) {
    let words = significance.words;
    let mut stream = Stream { bits, place: 0 };
    significance.above.clear();
    significance.above.resize(words, 0);
    for y in (0..area.height()).step_by(4) {
        let (stripe, below) = significance.cleanup[y / 4 * words..].split_at(words);
        let mut left = 0;
        for n in 0..words - 1 {
            let pair = |row: &[u16]| u32::from(row[n]) | u32::from(row[n + 1]) << 16;
            let current = pair(stripe);
            let mut beside = (pair(&significance.above) & 0x8888_8888) >> 3;
            if !causal {
                beside |= (pair(below) & 0x1111_1111) << 3;
            }
            let column = current | (current & 0x7777_7777) << 1 | (current & 0xEEEE_EEEE) >> 1 | beside;
            let inside = u32::from(inside(area.width() - 4 * n, area.height() - y));
            let free = inside & !current;
            let members = (column | column << 4 | column >> 4 | left) & free;
            let mut new = 0;
            if members != 0 {
                // Sixteen members and as many signs at most.
                let coded = stream.peek();
                let taken;
                (new, taken) = members_decoded(coded, members, free);
                signs(coded >> taken, new, (4 * n, y), area, scale);
                stream.place += (taken + new.count_ones()) as usize;
            }
            let now = current & 0xFFFF | new;
            significance.above[n] = now as u16;
            left = ((now | (now & 0x7777) << 1 | (now & 0xEEEE) >> 1 | beside) & 0xF000) >> 12;
        }
    }
}

/// Which of sixteen samples become significant, and how many bits said so. One that does makes members of its neighbours
/// that come later. But for all of them
/// together, no branch depends on a bit: it would be foretold wrong too often.
#[inline(always)]
fn members_decoded(coded: u64, members: u32, free: u32) -> (u32, u32) {
    let count = members.count_ones();
    if coded & ((1 << count) - 1) == 0 {
        return (0, count);
    }
    let (mut left, mut new, mut rest, mut taken) = (members, 0, coded, 0);
    while left != 0 {
        let sample = left & left.wrapping_neg();
        let became = sample & (rest as u32 & 1).wrapping_neg();
        rest >>= 1;
        taken += 1;
        new |= became;
        // The columns before and after, the rows above and below within the word; only later samples are left.
        let rows = became | (became & 0x7777) << 1 | (became & 0xEEEE) >> 1;
        let later = !(sample | (sample - 1));
        left = (left | (rows | rows << 4) & free) & later;
    }
    (new, taken)
}

/// The signs of samples that have become significant (T.814 7.4, after every four columns of a stripe).
#[inline(always)]
fn signs<O: Output>(coded: u64, new: u32, (x, y): (usize, usize), area: &mut Area<'_, O>, scale: O::Scale) {
    let (mut left, mut rest) = (new, coded);
    while left != 0 {
        let place = left.trailing_zeros() as usize;
        left &= left - 1;
        *area.sample(x + place / 4, y + place % 4) = O::propagate(rest & 1 == 1, scale);
        rest >>= 1;
    }
}

/// T.814 7.5.
fn magnitudes<O: Output>(significance: &Significance, bits: &Bits, area: &mut Area<'_, O>, scale: O::Scale) {
    let mut stream = Stream { bits, place: 0 };
    for y in (0..area.height()).step_by(4) {
        let stripe = &significance.cleanup[y / 4 * significance.words..][..significance.words];
        for (n, &word) in stripe.iter().enumerate() {
            let (mut left, mut rest) = (word, stream.peek());
            stream.place += word.count_ones() as usize;
            while left != 0 {
                let place = left.trailing_zeros() as usize;
                left &= left - 1;
                let sample = area.sample(4 * n + place / 4, y + place % 4);
                *sample = sample.refine(rest & 1 == 1, scale);
                rest >>= 1;
            }
        }
    }
}
