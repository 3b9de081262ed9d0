//! One resolution level put together: rows of code-blocks decoded and synthesised while they are in the cache. The rows
//! of a level are cut into as many chunks as there are workers to take them; the seams between chunks come last.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::strips::{Coded, Decoded, Strip};
use super::target::Target;
use crate::block::decode::BlockDecoder;
use crate::encode::Bands;
use crate::error::{Error, Result};
use crate::geometry::{Rect, Resolution};
use crate::pool::Shares;
use crate::simd::Level;
use crate::wavelet::{Cut, Rows, Seam, Subbands, Synthesis};
use crate::workers::Workers;

/// Chunks a worker: more than one, so that a slow chunk does not leave the others waiting.
const CHUNKS_A_WORKER: usize = 3;
/// Rows that a chunk has at least.
const CHUNK_ROWS_MIN: usize = 64;

/// What one chunk needs, kept from picture to picture.
pub(super) struct Chunk<T> {
    synthesis: Synthesis<T>,
    high: [Strip<T>; 3],
    decoder: BlockDecoder,
    /// Smallest and largest number of the rows that were made.
    range: (i32, i32),
    failed: Option<Error>,
}

impl<T: Decoded> Chunk<T> {
    fn new(level: Level) -> Chunk<T> {
        Chunk {
            synthesis: Synthesis::new(),
            high: Default::default(),
            decoder: BlockDecoder::new(level),
            range: (0, 0),
            failed: None,
        }
    }
}

/// Chunks and seam of one kind of number.
pub(super) struct Chunks<T> {
    all: Vec<Mutex<Chunk<T>>>,
    seam: Seam<T>,
}

impl<T: Decoded + crate::wavelet::Transform> Default for Chunks<T> {
    fn default() -> Self {
        Chunks { all: Vec::new(), seam: Seam::new() }
    }
}

/// A level to make.
pub(super) struct LevelJob<'a, T> {
    pub coded: Coded<'a>,
    pub resolution: &'a Resolution,
    /// What to make of it.
    pub window: Rect,
    /// What of it is wanted: the rows and columns that the target has.
    pub wanted: Rect,
    /// The low coefficients, and the window of the level below that they fill.
    pub low: &'a [T],
    pub low_window: Rect,
    /// What `low` leaves out, added to what the target gets.
    pub base: i32,
    /// Largest magnitude in `low`.
    pub low_peak: i32,
    /// Whether the range of what is made is wanted.
    pub measured: bool,
}

/// Whether a level can be made in some type, given the largest magnitude of its low coefficients and of HL, LH and HH.
pub(super) type Fits = fn(i32, [i32; 3]) -> bool;

/// How a level came out.
pub(super) enum Made {
    /// Smallest and largest number of it, `base` left out.
    Whole((i32, i32)),
    /// The numbers may have overrun their type; nothing in the target counts.
    TooLarge,
}

impl<T: Decoded + crate::wavelet::Transform> Chunks<T> {
    /// Makes the level into `target`, as long as `fits` says that `T` holds every sum on the way.
    pub fn make(
        &mut self,
        job: &LevelJob<'_, T>,
        mut target: Target<'_>,
        fits: Fits,
        workers: &dyn Workers,
    ) -> Result<Made> {
        let bands = Bands::over(job.resolution, job.window.y0..job.window.y1);
        let cuts = cuts(bands.count(), job.window.height() as usize, workers.count());
        let count = cuts.len() - 1;
        while self.all.len() < count {
            self.all.push(Mutex::new(Chunk::new(job.coded.level)));
        }
        let rows_of = |chunk: usize| bands.rows(cuts[chunk]).start..bands.rows(cuts[chunk + 1] - 1).end;
        let too_large = AtomicBool::new(false);
        {
            let mut rest = Some(target.reborrow());
            let shares = Shares::new((0..count).map(|chunk| {
                let rows = clip(rows_of(chunk), &job.wanted);
                let (share, others) = rest.take()?.split(rows.len());
                rest = Some(others);
                Some((share, rows.start))
            }));
            workers.run(count, &|number| {
                let Some((share, first)) = shares.take(number).flatten() else { return };
                let mut chunk = locked(&self.all[number]);
                let rows = rows_of(number);
                let cut = Cut { above: number > 0, below: number + 1 < count };
                let window = Rect { y0: rows.start, y1: rows.end, ..job.window };
                chunk.synthesis.begin(job.coded.level, window, cut);
                let mut sink = Sink { job, target: share, first, range: (0, 0) };
                let made = chunk.run(job, &bands, cuts[number]..cuts[number + 1], &mut sink, fits, &too_large);
                (chunk.range, chunk.failed) = (sink.range, made.err());
            });
        }
        self.join(job, target, count, &too_large)
    }

    /// Closes the seams and gathers what the chunks say.
    fn join(
        &mut self,
        job: &LevelJob<'_, T>,
        mut target: Target<'_>,
        count: usize,
        too_large: &AtomicBool,
    ) -> Result<Made> {
        let mut range = (0, 0);
        for chunk in &mut self.all[..count] {
            let chunk = chunk.get_mut().unwrap_or_else(PoisonError::into_inner);
            if let Some(error) = chunk.failed.take() {
                return Err(error);
            }
            range = widened(range, chunk.range);
        }
        if too_large.load(Ordering::Relaxed) {
            return Ok(Made::TooLarge);
        }
        let mut sink = Sink { job, target: target.reborrow(), first: job.wanted.y0, range };
        for pair in self.all[..count].windows(2) {
            let (upper, lower) = (locked(&pair[0]), locked(&pair[1]));
            self.seam.close(&upper.synthesis, &lower.synthesis, &mut |y, row| sink.take(y, row));
        }
        Ok(Made::Whole(sink.range))
    }
}

impl<T: Decoded + crate::wavelet::Transform> Chunk<T> {
    fn run(
        &mut self,
        job: &LevelJob<'_, T>,
        bands: &Bands,
        numbers: std::ops::Range<usize>,
        sink: &mut Sink<'_, '_, T>,
        fits: Fits,
        too_large: &AtomicBool,
    ) -> Result<()> {
        let across = job.window.x0..job.window.x1;
        let (low, high) = (crate::wavelet::low(&across), crate::wavelet::high(&across));
        let skipped = (low.start - job.low_window.x0) as usize;
        let low_width = job.low_window.width() as usize;
        let ll = Rows { samples: job.low.get(skipped..).unwrap_or(&[]), stride: low_width, first: job.low_window.y0 };
        let columns = [high.clone(), low.clone(), high.clone()];
        // The band before reaches into the next: largest magnitudes of all bands so far.
        let mut before = [0; 3];
        for number in numbers {
            let mut peaks = [0; 3];
            for (part, band) in job.resolution.subbands.iter().enumerate() {
                let (strip, columns) = (&mut self.high[part], columns[part].clone());
                let first = band.rect.y0 >> band.block_height_log2;
                let Some(row) = bands.grid_row(number).checked_sub(first) else {
                    strip.skip();
                    continue;
                };
                let bits = strip.decode(&job.coded, band, row, columns, &mut self.decoder)?;
                peaks[part] = largest(bits);
            }
            // Where more bits than 16-bit numbers have were met, the numbers are cut off, and say nothing.
            let whole = peaks.iter().all(|&peak| peak <= i32::from(i16::MAX));
            if whole && !fits(job.low_peak, larger(before, peaks)) {
                for (peak, strip) in peaks.iter_mut().zip(&self.high) {
                    *peak = strip.peak(job.coded.level);
                }
            }
            before = larger(before, peaks);
            if !fits(job.low_peak, before) || too_large.load(Ordering::Relaxed) {
                too_large.store(true, Ordering::Relaxed);
                return Ok(());
            }
            let [hl, lh, hh] = &self.high;
            let subbands = Subbands { ll, hl: hl.rows(high.start), lh: lh.rows(low.start), hh: hh.rows(high.start) };
            self.synthesis.push(bands.rows(number), &subbands, &mut |y, row| sink.take(y, row));
        }
        Ok(())
    }
}

/// Takes the finished rows of a window and keeps what is wanted of them.
struct Sink<'a, 'b, T> {
    job: &'a LevelJob<'b, T>,
    target: Target<'a>,
    /// The row that the target begins with.
    first: u32,
    range: (i32, i32),
}

impl<T: Decoded> Sink<'_, '_, T> {
    fn take(&mut self, y: u32, row: &[T]) {
        let (wanted, window) = (&self.job.wanted, &self.job.window);
        if !(wanted.y0..wanted.y1).contains(&y) || wanted.width() == 0 {
            return;
        }
        let from = (wanted.x0 - window.x0) as usize;
        let row = &row[from..from + wanted.width() as usize];
        if self.job.measured {
            self.range = widened(self.range, T::extremes(self.job.coded.level, row));
        }
        self.target.store(self.job.coded.level, (y - self.first) as usize, row, self.job.base);
    }
}

fn widened(one: (i32, i32), other: (i32, i32)) -> (i32, i32) {
    (one.0.min(other.0), one.1.max(other.1))
}

/// The larger of each pair.
fn larger(one: [i32; 3], other: [i32; 3]) -> [i32; 3] {
    [0, 1, 2].map(|part| one[part].max(other[part]))
}

/// Largest number of so many bits.
fn largest(bits: u8) -> i32 {
    ((1u32 << bits.min(31)) - 1) as i32
}

fn clip(rows: std::ops::Range<u32>, wanted: &Rect) -> std::ops::Range<u32> {
    let start = rows.start.clamp(wanted.y0, wanted.y1);
    start..rows.end.clamp(start, wanted.y1.max(start))
}

/// Numbers of the bands at which chunks begin, and the end.
fn cuts(bands: usize, rows: usize, workers: usize) -> Vec<usize> {
    let wanted = if workers > 1 { workers * CHUNKS_A_WORKER } else { 1 };
    let chunks = wanted.min(bands).min(rows / CHUNK_ROWS_MIN).max(1);
    let mut cuts: Vec<usize> = (0..=chunks).map(|chunk| chunk * bands / chunks).collect();
    cuts.dedup();
    cuts
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_share_out_the_bands_and_none_is_too_thin() {
        assert_eq!(cuts(10, 640, 1), [0, 10]);
        assert_eq!(cuts(48, 6144, 2), [0, 8, 16, 24, 32, 40, 48]);
        assert_eq!(cuts(3, 100, 2), [0, 3]);
        assert_eq!(cuts(3, 140, 4), [0, 1, 3]);
    }
}
