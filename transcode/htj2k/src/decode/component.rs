//! One tile-component, from the lowest resolution level up: 16 bits wide as long as every number is seen to fit.

use std::sync::Arc;

use super::chunks::{Chunks, Fits, LevelJob, Made};
use super::part2::Part2;
use super::strips::{Coded, Decoded, Strip, cells, strip_area};
use super::target::Target;
use super::window::windows;
use crate::block::decode::BlockDecoder;
use crate::error::{Error, Result};
use crate::geometry::{Rect, TileComponent};
use crate::wavelet::{Kernel, Transform};
use crate::workers::Workers;

/// Planes and scratch, kept from picture to picture. Low coefficients go from one plane of a pair to the other.
#[derive(Default)]
pub(super) struct Component {
    narrow: Kind<i16>,
    wide: Kind<i32>,
    real: Kind<f32>,
    part_2: Part2,
}

#[derive(Default)]
struct Kind<T: Decoded + Transform> {
    chunks: Chunks<T>,
    low: [Vec<T>; 2],
    strip: Strip<T>,
}

/// What to decode of a tile-component, and how.
pub(super) struct Wanted<'a> {
    pub coded: Coded<'a>,
    pub component: &'a TileComponent,
    /// Highest resolution level.
    pub highest: usize,
    /// Rectangle of it.
    pub rect: Rect,
    pub reversible: bool,
    /// Coefficients that one row of code-blocks may have.
    pub strip_samples_max: u64,
    /// The kernel, if something of T.801 is in use, and the samples that may then be made.
    pub part_2: Option<(Arc<Kernel>, u64)>,
}

/// The integer path between two levels.
struct State {
    narrow: bool,
    base: i32,
    peak: i32,
}

impl Component {
    /// Decodes into `target`, whose rows and columns are those of `wanted.rect`.
    pub fn decode(&mut self, wanted: &Wanted<'_>, target: Target<'_>, workers: &dyn Workers) -> Result<()> {
        if let Some((kernel, samples_max)) = &wanted.part_2 {
            if cfg!(target_arch = "wasm32") {
                // No browser was ever sent one, and every browser would load the code.
                return Err(Error::unsupported(0, "a wavelet of T.801 (in the WebAssembly module)"));
            }
            return self.part_2.decode(wanted, kernel, *samples_max, target);
        }
        let windows = windows(wanted.component, wanted.highest, wanted.rect, wanted.reversible);
        let strips = wanted.component.resolutions.iter().zip(&windows).map(|(level, window)| strip_area(level, window));
        let (claimed, limit) = (strips.max().unwrap_or(0), wanted.strip_samples_max);
        if claimed > limit {
            return Err(Error::TooLarge { what: "samples in the code-blocks that a region touches", claimed, limit });
        }
        if wanted.reversible {
            self.integers(wanted, &windows, target, workers)
        } else {
            self.reals(wanted, &windows, target, workers)
        }
    }

    fn reals(
        &mut self,
        wanted: &Wanted<'_>,
        windows: &[Rect],
        mut target: Target<'_>,
        workers: &dyn Workers,
    ) -> Result<()> {
        self.real.lowest(wanted, windows[0])?;
        if wanted.highest == 0 {
            store_plane(wanted, windows[0], &self.real.low[0], &mut target);
            return Ok(());
        }
        for r in 1..=wanted.highest {
            let top = (r == wanted.highest).then(|| target.reborrow());
            self.real.level(wanted, windows, r, top, (0, 0), |_, _| true, real_plane, workers)?;
        }
        Ok(())
    }

    fn integers(
        &mut self,
        wanted: &Wanted<'_>,
        windows: &[Rect],
        mut target: Target<'_>,
        workers: &dyn Workers,
    ) -> Result<()> {
        self.wide.lowest(wanted, windows[0])?;
        if wanted.highest == 0 {
            store_plane(wanted, windows[0], &self.wide.low[0], &mut target);
            return Ok(());
        }
        let mut state = self.begin(windows, wanted.coded.bits);
        for r in 1..=wanted.highest {
            if state.narrow {
                let top = (r == wanted.highest).then(|| target.reborrow());
                let low = (state.base, state.peak);
                match self.narrow.level(wanted, windows, r, top, low, fits_narrow, narrow_plane, workers)? {
                    Made::Whole(range) => {
                        state.peak = peak(range);
                        continue;
                    }
                    Made::TooLarge => self.widen(windows[r - 1], &mut state),
                }
            }
            let top = (r == wanted.highest).then(|| target.reborrow());
            self.wide.level(wanted, windows, r, top, (0, 0), |_, _| true, wide_plane, workers)?;
        }
        Ok(())
    }

    /// Looks at the lowest LL: if its range allows 16 bits for a start, it is moved there, its middle left out.
    fn begin(&mut self, windows: &[Rect], bits: u8) -> State {
        let area = area(windows[0]);
        let plane = &self.wide.low[0][..area];
        let (low, high) = plane.iter().fold((i32::MAX, i32::MIN), |(low, high), &n| (low.min(n), high.max(n)));
        // A single odd row or column is doubled by the analysis, and its middle with it.
        let single = |start: u32, end: u32| start & 1 == 1 && end - start == 1;
        let moves = !windows.iter().any(|window| single(window.x0, window.x1) || single(window.y0, window.y1));
        let base = if moves && area > 0 { middle(low, high, bits) } else { 0 };
        let peak = (i64::from(high) - i64::from(base)).abs().max((i64::from(low) - i64::from(base)).abs());
        let narrow = area > 0 && peak <= i64::from(NARROW_PEAK_MAX);
        if narrow {
            grow(&mut self.narrow.low[0], area);
            self.narrow.low[0].iter_mut().zip(plane).for_each(|(to, from)| *to = (from - base) as i16);
        }
        State { narrow, base, peak: peak.min(i64::from(i32::MAX)) as i32 }
    }

    /// Moves the low coefficients to 32 bits.
    fn widen(&mut self, window: Rect, state: &mut State) {
        let area = area(window);
        grow(&mut self.wide.low[0], area);
        let planes = self.wide.low[0].iter_mut().zip(&self.narrow.low[0][..area]);
        planes.for_each(|(to, from)| *to = i32::from(*from) + state.base);
        (state.narrow, state.base) = (false, 0);
    }
}

impl<T: Decoded + Transform> Kind<T> {
    /// Decodes the lowest LL to `low[0]`.
    fn lowest(&mut self, wanted: &Wanted<'_>, window: Rect) -> Result<()> {
        let (coded, band) = (&wanted.coded, &wanted.component.resolutions[0].subbands[0]);
        grow(&mut self.low[0], area(window));
        let width = window.width() as usize;
        if window.is_empty() || cells(band, &(window.x0..window.x1)).is_empty() {
            return Ok(());
        }
        let mut decoder = BlockDecoder::new(coded.level);
        for row in 0..band.rows {
            let block = band.block(0, row);
            let rows = block.y0.max(window.y0)..block.y1.min(window.y1);
            if rows.is_empty() {
                continue;
            }
            self.strip.decode(coded, band, row, window.x0..window.x1, &mut decoder)?;
            let strip = self.strip.rows(window.x0);
            for y in rows {
                let from = (y - strip.first) as usize * strip.stride;
                let to = (y - window.y0) as usize * width;
                self.low[0][to..to + width].copy_from_slice(&strip.samples[from..from + width]);
            }
        }
        Ok(())
    }

    /// Makes level `r` from `low[0]`: into `top`, or into `low[0]` again.
    #[allow(clippy::too_many_arguments, reason = "three call sites, and each is another thing")]
    fn level(
        &mut self,
        wanted: &Wanted<'_>,
        windows: &[Rect],
        r: usize,
        top: Option<Target<'_>>,
        (base, low_peak): (i32, i32),
        fits: Fits,
        plane: for<'a> fn(&'a mut [T], usize) -> Target<'a>,
        workers: &dyn Workers,
    ) -> Result<Made> {
        let is_top = top.is_some();
        let [from, to] = &mut self.low;
        if !is_top {
            grow(to, area(windows[r]));
        }
        let job = LevelJob {
            coded: wanted.coded,
            resolution: &wanted.component.resolutions[r],
            window: windows[r],
            wanted: if is_top { wanted.rect } else { windows[r] },
            low: from,
            low_window: windows[r - 1],
            base: if is_top { base } else { 0 },
            low_peak,
            measured: !is_top,
        };
        let stride = windows[r].width() as usize;
        let target = top.unwrap_or_else(|| plane(&mut to[..area(windows[r])], stride));
        let made = self.chunks.make(&job, target, fits, workers)?;
        if matches!(made, Made::Whole(_)) && !is_top {
            self.low.swap(0, 1);
        }
        Ok(made)
    }
}

/// The middle of `low` to `high` that 16 bits can leave out, as near as samples of `bits` bits have one: beyond, as only
/// damage has it, the limits of the samples less the middle would not be numbers of 16 bits, and clamping to them wrong.
/// One bit more, as Cb and Cr have it, leaves `-2^15` to `2^15 - 1` for the limits of samples of 16 bits.
fn middle(low: i32, high: i32, bits: u8) -> i32 {
    let limit = (1 << bits) - 1;
    low.midpoint(high).clamp(-limit, limit)
}

/// Largest magnitude of the low coefficients with which 16 bits are tried.
const NARROW_PEAK_MAX: i32 = 1 << 13;

/// Whether 16 bits hold every sum of the 5/3 synthesis (T.800 F.3.6): rows of LL and HL become numbers within
/// LL + 3/2 HL, those of LH and HH within LH + 3/2 HH, each but for rounding; then an even row adds half of the second
/// to the first, two even rows are added, and an odd row adds one of the second.
fn fits_narrow(low: i32, [hl, lh, hh]: [i32; 3]) -> bool {
    let [low, hl, lh, hh] = [low, hl, lh, hh].map(i64::from);
    let (first, second) = (low + hl * 3 / 2 + 2, lh + hh * 3 / 2 + 2);
    second < 1 << 14 && first + second / 2 + 2 < 1 << 14
}

fn narrow_plane(out: &mut [i16], stride: usize) -> Target<'_> {
    Target::Narrow { out, first: 0, stride }
}

fn wide_plane(out: &mut [i32], stride: usize) -> Target<'_> {
    Target::Wide { out, first: 0, stride }
}

fn real_plane(out: &mut [f32], stride: usize) -> Target<'_> {
    Target::Real { out, first: 0, stride }
}

/// Stores `wanted.rect` of a plane that fills `window`.
fn store_plane<T: Decoded>(wanted: &Wanted<'_>, window: Rect, plane: &[T], target: &mut Target<'_>) {
    let (width, rect) = (window.width() as usize, wanted.rect);
    for y in rect.y0..rect.y1 {
        let start = (y - window.y0) as usize * width + (rect.x0 - window.x0) as usize;
        target.store(wanted.coded.level, (y - rect.y0) as usize, &plane[start..start + rect.width() as usize], 0);
    }
}

fn peak((low, high): (i32, i32)) -> i32 {
    high.max(low.saturating_neg())
}

fn area(rect: Rect) -> usize {
    rect.width() as usize * rect.height() as usize
}

fn grow<T: Copy + Default>(plane: &mut Vec<T>, area: usize) {
    if plane.len() < area {
        plane.resize(area, T::default());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convert::Finish;
    use crate::image::SamplesMut;
    use crate::simd::Level;
    use proptest::prelude::*;

    #[test]
    fn sixteen_bits_are_trusted_only_where_the_sums_fit() {
        assert!(fits_narrow(2048, [4095; 3]));
        assert!(!fits_narrow(2048, [8191; 3]));
        assert!(fits_narrow(2048, [8191, 2000, 500]));
        assert!(!fits_narrow(1 << 14, [0; 3]));
        assert!(!fits_narrow(0, [i32::MAX; 3]));
    }

    proptest! {
        /// Wherever damage moves the lowest LL, samples are clamped as planes are, and as arithmetic says.
        #[test]
        fn what_is_left_out_is_clamped_as_well(
            low in any::<i32>(), near in any::<bool>(), span in 0..2 * NARROW_PEAK_MAX, bits in 1u8..17,
            signed in any::<bool>(), row in proptest::collection::vec(any::<i16>(), 1..40),
        ) {
            let low = if near { low >> (30 - bits) } else { low };
            let base = middle(low, low.saturating_add(span), bits);
            let (finish, width) = (Finish::new(bits, signed), row.len());
            let sum = |n: &i16| (i32::from(*n) + base + finish.offset).clamp(finish.low, finish.high);
            let expected: Vec<i32> = row.iter().map(sum).collect();
            for level in Level::available() {
                let mut samples = vec![0; width];
                // The same sixteen bits, whatever their sign.
                let out = SamplesMut::I16(&mut samples);
                Target::Samples { out, first: 0, step: 1, stride: width, finish }.store(level, 0, &row, base);
                prop_assert!(samples.iter().zip(&expected).all(|(sample, n)| *sample == *n as i16), "{level:?}, {base}");
                let mut plane = vec![0; width];
                Target::Plane { out: &mut plane, first: 0, stride: width, finish }.store(level, 0, &row, base);
                prop_assert_eq!(&plane, &expected);
            }
        }
    }

    /// A middle that a picture has is left out as it is.
    #[test]
    fn the_middle_of_a_picture_is_left_out() {
        assert_eq!([middle(-32768, -30000, 16), middle(200, 255, 8), middle(-255, -255, 8)], [-31384, 227, -255]);
        assert_eq!([middle(8_388_603, 8_388_603, 16), middle(i32::MIN, i32::MIN, 1)], [65_535, -1]);
    }

    /// The bound is one: numbers at its edge, with all kinds of signs, give the same in 16 and in 32 bits.
    #[test]
    fn numbers_at_the_edge_of_the_bound_come_out_alike() {
        use crate::wavelet::{Cut, Rows, Subbands, Synthesis};
        fn made<T: Transform>(planes: [Vec<T>; 4]) -> Vec<T> {
            let [ll, hl, lh, hh] = &planes;
            let rows = |samples| Rows { samples, stride: 8, first: 0 };
            let (mut synthesis, mut out) = (Synthesis::<T>::new(), Vec::new());
            synthesis.begin(Level::Scalar, Rect { x0: 0, y0: 0, x1: 16, y1: 16 }, Cut::default());
            let bands = Subbands { ll: rows(ll), hl: rows(hl), lh: rows(lh), hh: rows(hh) };
            synthesis.push(0..16, &bands, &mut |_, row| out.extend_from_slice(row));
            out
        }
        for seed in 0..200u32 {
            let limits = [4090, 4000, 4000, 4000];
            assert!(fits_narrow(limits[0], [limits[1], limits[2], limits[3]]));
            let sign = |n: u32| if (seed.wrapping_mul(2_654_435_761).rotate_left(n) ^ n) & 1 == 0 { 1 } else { -1 };
            let plane =
                |part: u32| (0..64u32).map(|n| sign(part * 64 + n) * limits[part as usize]).collect::<Vec<i32>>();
            let wide = [plane(0), plane(1), plane(2), plane(3)];
            let narrow = wide.clone().map(|plane| plane.into_iter().map(|n| n as i16).collect());
            assert_eq!(made::<i16>(narrow).into_iter().map(i32::from).collect::<Vec<_>>(), made(wide));
        }
    }
}
