//! Significance propagation and magnitude refinement (T.814 7.4 and 7.5), in stripes of four rows: sixteen samples,
//! column by column, are one word.

use super::BlockJob;
use super::output::{Area, Output};
use super::readers::{Forward, Reverse};

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

/// Both passes, as far as the job has them. The stream's samples are those of the cleanup pass already.
pub(super) fn refine<O: Output>(
    significance: &mut Significance,
    job: &BlockJob<'_>,
    area: &mut Area<'_, O>,
    scale: O::Scale,
) {
    propagate(significance, job, area, scale);
    if job.passes > 2 {
        magnitudes(significance, job.refinement, area, scale);
    }
}

/// T.814 7.4.
fn propagate<O: Output>(significance: &mut Significance, job: &BlockJob<'_>, area: &mut Area<'_, O>, scale: O::Scale) {
    let words = significance.words;
    let mut bits = Forward::new(job.refinement, 0);
    significance.above.clear();
    significance.above.resize(words, 0);
    for y in (0..area.height()).step_by(4) {
        let (stripe, below) = significance.cleanup[y / 4 * words..].split_at(words);
        let mut left = 0;
        for n in 0..words - 1 {
            let pair = |row: &[u16]| u32::from(row[n]) | u32::from(row[n + 1]) << 16;
            let current = pair(stripe);
            let mut beside = (pair(&significance.above) & 0x8888_8888) >> 3;
            if !job.causal {
                beside |= (pair(below) & 0x1111_1111) << 3;
            }
            let column = current | (current & 0x7777_7777) << 1 | (current & 0xEEEE_EEEE) >> 1 | beside;
            let inside = u32::from(inside(area.width() - 4 * n, area.height() - y));
            let free = inside & !current;
            let members = (column | column << 4 | column >> 4 | left) & free;
            let new = if members == 0 { 0 } else { members_decoded(&mut bits, members, free) };
            signs(&mut bits, new, (4 * n, y), area, scale);
            let now = current & 0xFFFF | new;
            significance.above[n] = now as u16;
            left = ((now | (now & 0x7777) << 1 | (now & 0xEEEE) >> 1 | beside) & 0xF000) >> 12;
        }
    }
}

/// Which of sixteen samples become significant. One that does makes members of its neighbours that come later.
fn members_decoded(bits: &mut Forward<'_>, members: u32, free: u32) -> u32 {
    let (mut left, mut new) = (members, 0);
    while left != 0 {
        let sample = left & left.wrapping_neg();
        left ^= sample;
        if bits.take(1) == 1 {
            new |= sample;
            // The columns before and after, the rows above and below within the word; only later samples are left.
            let rows = sample | (sample & 0x7777) << 1 | (sample & 0xEEEE) >> 1;
            let later = !(sample | (sample - 1));
            left |= (rows | rows << 4) & free & later;
        }
    }
    new
}

/// The signs of samples that have become significant (T.814 7.4, after every four columns of a stripe).
fn signs<O: Output>(bits: &mut Forward<'_>, new: u32, (x, y): (usize, usize), area: &mut Area<'_, O>, scale: O::Scale) {
    let mut left = new;
    while left != 0 {
        let place = left.trailing_zeros() as usize;
        left &= left - 1;
        *area.sample(x + place / 4, y + place % 4) = O::propagate(bits.take(1) == 1, scale);
    }
}

/// T.814 7.5.
fn magnitudes<O: Output>(significance: &Significance, segment: &[u8], area: &mut Area<'_, O>, scale: O::Scale) {
    let mut bits = Reverse::new(segment, 0xFF);
    for y in (0..area.height()).step_by(4) {
        let stripe = &significance.cleanup[y / 4 * significance.words..][..significance.words];
        for (n, &word) in stripe.iter().enumerate() {
            let mut left = word;
            while left != 0 {
                let place = left.trailing_zeros() as usize;
                left &= left - 1;
                let sample = area.sample(4 * n + place / 4, y + place % 4);
                *sample = sample.refine(bits.take(1) == 1, scale);
            }
        }
    }
}
