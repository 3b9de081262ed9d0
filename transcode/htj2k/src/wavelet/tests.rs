//! The wavelet against Annex F written down plainly on whole planes, in every cut, at every level of instructions.

#![allow(clippy::single_range_in_vec_init, reason = "a list of one band is meant")]

use super::*;
use crate::geometry::Rect;
use crate::simd::Level;
use proptest::prelude::*;
use textbook::Arithmetic;

mod textbook;

/// A plane in the coordinates of `rect`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Plane<T> {
    pub(super) rect: Rect,
    pub(super) samples: Vec<T>,
}

impl<T: Copy + Default> Plane<T> {
    fn new(rect: Rect) -> Plane<T> {
        Plane { rect, samples: vec![T::default(); (rect.width() * rect.height()) as usize] }
    }

    fn row(&self, y: u32) -> &[T] {
        let width = self.rect.width() as usize;
        &self.samples[(y - self.rect.y0) as usize * width..][..width]
    }

    fn row_mut(&mut self, y: u32) -> &mut [T] {
        let width = self.rect.width() as usize;
        &mut self.samples[(y - self.rect.y0) as usize * width..][..width]
    }

    fn rows(&self) -> Rows<'_, T> {
        Rows { samples: &self.samples, stride: self.rect.width() as usize, first: self.rect.y0 }
    }

    fn rows_mut(&mut self) -> RowsMut<'_, T> {
        RowsMut { stride: self.rect.width() as usize, first: self.rect.y0, samples: &mut self.samples }
    }

    fn window(&self, rect: Rect) -> Plane<T> {
        let mut samples = Vec::new();
        for y in rect.y0..rect.y1 {
            let start = (rect.x0 - self.rect.x0) as usize;
            samples.extend_from_slice(&self.row(y)[start..start + rect.width() as usize]);
        }
        Plane { rect, samples }
    }
}

/// LL, HL, LH and HH of a level.
#[derive(Clone, Debug, PartialEq)]
struct Planes<T>([Plane<T>; 4]);

impl<T: Copy + Default> Planes<T> {
    fn new(rect: Rect) -> Planes<T> {
        let (columns, rows) = (rect.x0..rect.x1, rect.y0..rect.y1);
        let of = |x: Range<u32>, y: Range<u32>| Plane::new(Rect { x0: x.start, y0: y.start, x1: x.end, y1: y.end });
        Planes([
            of(low(&columns), low(&rows)),
            of(high(&columns), low(&rows)),
            of(low(&columns), high(&rows)),
            of(high(&columns), high(&rows)),
        ])
    }

    fn views(&self) -> Subbands<'_, T> {
        let [ll, hl, lh, hh] = &self.0;
        Subbands { ll: ll.rows(), hl: hl.rows(), lh: lh.rows(), hh: hh.rows() }
    }

    fn views_mut(&mut self) -> SubbandsMut<'_, T> {
        let [ll, hl, lh, hh] = &mut self.0;
        SubbandsMut { ll: ll.rows_mut(), hl: hl.rows_mut(), lh: lh.rows_mut(), hh: hh.rows_mut() }
    }

    /// The part that the samples of `rect` have.
    fn window(&self, rect: Rect) -> Planes<T> {
        let wanted = Planes::<T>::new(rect);
        Planes(std::array::from_fn(|band| self.0[band].window(wanted.0[band].rect)))
    }
}

fn rect() -> impl Strategy<Value = Rect> {
    let edge = || prop_oneof![3 => 0u32..9, 1 => (u32::MAX - 200)..(u32::MAX - 190)];
    let length = || prop_oneof![3 => 1u32..20, 2 => 20u32..150];
    (edge(), edge(), length(), length()).prop_map(|(x0, y0, w, h)| Rect { x0, y0, x1: x0 + w, y1: y0 + h })
}

/// Noise of `bits` bits, the same for the same `seed`.
fn noise(rect: Rect, bits: u8, mut seed: u64) -> Plane<i32> {
    let mut plane = Plane::new(rect);
    for sample in &mut plane.samples {
        seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        *sample = ((seed >> 33) as i32 & ((1 << bits) - 1)) - (1 << (bits - 1));
    }
    plane
}

fn converted<T: Copy, U>(plane: &Plane<T>, convert: impl Fn(T) -> U) -> Plane<U> {
    Plane { rect: plane.rect, samples: plane.samples.iter().map(|&sample| convert(sample)).collect() }
}

/// The rows of `rect` cut into bands by repeated use of `cuts`.
fn bands(rect: Rect, cuts: &[u32]) -> Vec<Range<u32>> {
    let mut bands = Vec::new();
    let (mut start, mut lengths) = (rect.y0, cuts.iter().cycle());
    while start < rect.y1 {
        let end = start.saturating_add(*lengths.next().unwrap()).min(rect.y1);
        bands.push(start..end);
        start = end;
    }
    bands
}

fn analysed<T: Transform>(level: Level, image: &Plane<T>, bands: &[Range<u32>]) -> Planes<T> {
    let mut planes = Planes::new(image.rect);
    let mut analysis = Analysis::new();
    // From the last to the first: no band may lean on another.
    for rows in bands.iter().rev() {
        let mut last = None;
        let mut source = |y: u32, row: &mut [T]| {
            assert!(last.replace(y) < Some(y), "rows are fetched in order, once each");
            row.copy_from_slice(image.row(y));
        };
        analysis.band(level, image.rect, rows.clone(), &mut source, &mut planes.views_mut());
    }
    planes
}

/// Synthesis of `planes` over `rect` in `chunks`, each pushed in bands of `band` rows.
fn synthesised<T: Transform>(
    level: Level,
    planes: &Planes<T>,
    rect: Rect,
    chunks: &[Range<u32>],
    band: u32,
) -> Plane<T> {
    let mut image = Plane::new(rect);
    let mut given = vec![0; rect.height() as usize];
    let mut sink = |y: u32, row: &[T]| {
        given[(y - rect.y0) as usize] += 1;
        image.row_mut(y).copy_from_slice(row);
    };
    let mut parts: Vec<Synthesis<T>> = Vec::new();
    for chunk in chunks {
        let mut part = Synthesis::new();
        let cut = Cut { above: chunk.start > rect.y0, below: chunk.end < rect.y1 };
        let own = Rect { y0: chunk.start, y1: chunk.end, ..rect };
        part.begin(level, own, cut);
        for rows in bands(own, &[band]) {
            part.push(rows, &planes.views(), &mut sink);
        }
        parts.push(part);
    }
    let mut seam = Seam::new();
    for pair in parts.windows(2) {
        seam.close(&pair[0], &pair[1], &mut sink);
    }
    assert!(given.iter().all(|&times| times == 1), "each row is given once: {given:?}");
    image
}

fn check<T: Transform + Arithmetic>(image: &Plane<T>, cuts: &[u32], close: impl Fn(T, T) -> bool) {
    let rect = image.rect;
    let same = |a: &Plane<T>, b: &Plane<T>| a.samples.iter().zip(&b.samples).all(|(&a, &b)| close(a, b));
    let whole = analysed(Level::Scalar, image, &[rect.y0..rect.y1]);
    for (ours, theirs) in whole.0.iter().zip(textbook::analysed(image)) {
        assert!(same(ours, &theirs), "{rect:?}: {ours:?} is not {theirs:?}");
    }
    let back = synthesised(Level::Scalar, &whole, rect, &[rect.y0..rect.y1], 16);
    assert!(same(&back, image), "{rect:?}: {back:?} is not {image:?}");
    for level in Level::available() {
        assert_eq!(analysed(level, image, &bands(rect, cuts)), whole, "bands at {level:?}");
        let lengths: Vec<u32> = cuts.iter().map(|&cut| cut.max(2 * T::MARGIN)).collect();
        let mut chunks = bands(rect, &lengths);
        // The last may be short: only those between two others need a length.
        let parted = synthesised(level, &whole, rect, &chunks, cuts[0]);
        assert_eq!(parted, back, "chunks {chunks:?} at {level:?}");
        chunks = vec![rect.y0..rect.y0 + 1, rect.y0 + 1..rect.y1];
        if rect.height() > 1 {
            assert_eq!(synthesised(level, &whole, rect, &chunks, cuts[0]), back, "one row cut off at {level:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn reversible_follows_annex_f_and_comes_back_exactly(
        rect in rect(), seed: u64, cuts in proptest::collection::vec(1u32..40, 1..4),
    ) {
        check(&noise(rect, 17, seed), &cuts, |a, b| a == b);
        check(&converted(&noise(rect, 12, seed), |sample| sample as i16), &cuts, |a, b| a == b);
        // 16 bits of noise wrap in an i16 and must still come back; the textbook wraps with them. Only the doubled
        // signal of length 1 has no way back.
        let bits = if rect.width() == 1 || rect.height() == 1 { 12 } else { 16 };
        check(&converted(&noise(rect, bits, seed), |sample| sample as i16), &cuts, |a, b| a == b);
    }

    #[test]
    fn irreversible_follows_annex_f_and_comes_back_nearly(
        rect in rect(), seed: u64, cuts in proptest::collection::vec(1u32..40, 1..4),
    ) {
        check(&converted(&noise(rect, 16, seed), |sample| sample as f32), &cuts, |a, b| (a - b).abs() < 0.1);
    }

    #[test]
    fn a_window_with_its_margin_is_the_same_as_the_whole(
        rect in rect(), seed: u64, cut in (0u32..150, 0u32..150, 1u32..60, 1u32..60),
    ) {
        let image = noise(rect, 12, seed);
        let (x0, y0) = (rect.x0 + cut.0 % rect.width(), rect.y0 + cut.1 % rect.height());
        let wanted = Rect { x0, y0, x1: x0.saturating_add(cut.2).min(rect.x1), y1: y0.saturating_add(cut.3).min(rect.y1) };
        window(&image, wanted);
        window(&converted(&image, |sample| sample as i16), wanted);
        window(&converted(&image, |sample| sample as f32), wanted);
    }
}

fn window<T: Transform>(image: &Plane<T>, wanted: Rect) {
    let (rect, margin) = (image.rect, T::MARGIN);
    let around = Rect {
        x0: wanted.x0.saturating_sub(margin).max(rect.x0),
        y0: wanted.y0.saturating_sub(margin).max(rect.y0),
        x1: wanted.x1.saturating_add(margin).min(rect.x1),
        y1: wanted.y1.saturating_add(margin).min(rect.y1),
    };
    let level = Level::best();
    let planes = analysed(level, image, &[rect.y0..rect.y1]);
    let whole = synthesised(level, &planes, rect, &[rect.y0..rect.y1], 64);
    let part = synthesised(level, &planes.window(around), around, &[around.y0..around.y1], 64);
    assert_eq!(part.window(wanted), whole.window(wanted));
}

/// Whatever twelve bits hold, no sum inside a lifting step leaves 16 bits in two dimensions and up to seven levels, so
/// that the narrow path may be taken for them: the sum of the magnitudes of each filter bounds what it can answer.
#[test]
fn sums_of_the_narrow_path_stay_below_sixteen_samples() {
    let reach = |filter: &[f64]| filter.iter().map(|tap| tap.abs()).sum::<f64>();
    let with_neighbour = |filter: &[f64], distance: usize| {
        let mut sum = [filter, &vec![0.0; distance]].concat();
        sum.iter_mut().skip(distance).zip(filter).for_each(|(to, from)| *to += from);
        reach(&sum)
    };
    let after = |first: &[f64], taps: &[f64], distance: usize| {
        let mut both = vec![0.0; first.len() + (taps.len() - 1) * distance];
        for (place, tap) in taps.iter().enumerate() {
            both.iter_mut().skip(place * distance).zip(first).for_each(|(to, from)| *to += tap * from);
        }
        both
    };
    let mut narrowed = vec![1.0];
    for level in 0..7 {
        let low = after(&narrowed, &[-0.125, 0.25, 0.75, 0.25, -0.125], 1 << level);
        let high = after(&narrowed, &[-0.5, 1.0, -0.5], 1 << level);
        // What one step adds: two neighbours of a level's input, or two high coefficients.
        let inputs = with_neighbour(&narrowed, 2 << level);
        let highs = with_neighbour(&high, 2 << level);
        let largest = inputs.max(highs) * reach(&low).max(reach(&high));
        // Rounding moves what a level hands on by less than 2.5, and the rest of the way magnifies it as it does
        // samples.
        let rounding = 16.0 * 2.5 * f64::from(level + 1);
        assert!(largest * 2048.0 + rounding < 32768.0, "level {level}: {largest}");
        narrowed = low;
    }
}

/// Twelve bits, as wild as they come, are the same in 16 and in 32 bits.
#[test]
fn twelve_bits_fit_the_narrow_path() {
    let rect = Rect { x0: 0, y0: 0, x1: 192, y1: 192 };
    let patterns: [fn(u32, u32) -> bool; 5] = [
        |x, y| (x ^ y) & 1 == 1,
        |x, _| x & 1 == 1,
        |x, y| (x / 2 + y / 2) & 1 == 1,
        |x, y| (x * y / 3) & 1 == 1,
        |x, y| (x / 16 + y / 16) & 1 == 1,
    ];
    for pattern in patterns {
        let mut wide = noise(rect, 12, 1);
        for (index, sample) in wide.samples.iter_mut().enumerate() {
            *sample = if pattern(index as u32 % 192, index as u32 / 192) { 2047 } else { -2048 };
        }
        let mut narrow = converted(&wide, |sample| sample as i16);
        for _ in 0..5 {
            let bands = [0..wide.rect.y1];
            let (of_wide, of_narrow) =
                (analysed(Level::best(), &wide, &bands), analysed(Level::best(), &narrow, &bands));
            for (wide, narrow) in of_wide.0.iter().zip(&of_narrow.0) {
                assert_eq!(&converted(narrow, i32::from), wide);
            }
            [wide, _, _, _] = of_wide.0;
            [narrow, _, _, _] = of_narrow.0;
        }
    }
}

proptest! {
    #[test]
    fn row_kernels_agree_at_every_level(length in 0usize..300, shift in 0usize..40, odd: bool, seed: u64) {
        let wild = noise(Rect { x0: 0, y0: 0, x1: 6, y1: 400 }, 30, seed);
        kernels_agree::<i32>(&wild.samples, length, shift, odd);
        kernels_agree::<i16>(&converted(&wild, |sample| sample as i16).samples, length, shift, odd);
        kernels_agree::<f32>(&converted(&wild, |sample| sample as f32).samples, length, shift, odd);
    }
}

/// Ladder, split and join on rows of `length`, `shift` numbers off any alignment, against [`Level::Scalar`].
fn kernels_agree<T: Transform>(wild: &[T], length: usize, shift: usize, odd: bool) {
    let rows: Vec<&[T]> = wild.chunks(400).map(|row| &row[shift..shift + length]).collect();
    let ladder = |level, synthesis| {
        let mut rows: Vec<Vec<T>> = rows[..T::STEPS + 2].iter().map(|row| row.to_vec()).collect();
        T::ladder(level, synthesis, &mut rows.iter_mut().map(|row| &mut row[..]).collect::<Vec<_>>());
        rows
    };
    let split = |level| {
        let mut parted = vec![T::default(); length];
        let (low, high) = parted.split_at_mut((length + usize::from(!odd)) / 2);
        T::split(level, odd, [0.7, 1.3], rows[0], low, high);
        parted
    };
    let join = |level| {
        let (mut row, mut spare) = (vec![T::default(); length], vec![T::default(); length]);
        let (low, high) = rows[1].split_at((length + usize::from(!odd)) / 2);
        T::join(level, odd, [0.7, 1.3], low, high, &mut row, &mut spare);
        row
    };
    for level in Level::available() {
        for synthesis in [false, true] {
            assert_eq!(ladder(level, synthesis), ladder(Level::Scalar, synthesis), "ladder at {level:?}");
        }
        if length >= 2 {
            assert_eq!(split(level), split(Level::Scalar), "split at {level:?}");
            assert_eq!(join(level), join(Level::Scalar), "join at {level:?}");
        }
    }
}
