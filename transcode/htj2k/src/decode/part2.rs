//! Tile-components with what T.801 adds: levels that split in one direction only (DFS) or another kernel (ATK). Plain
//! and simple: every level is made as one whole plane, by one thread; the standard's own levels never come here.

use super::component::Wanted;
use super::strips::{Decoded, Strip};
use super::target::Target;
use crate::block::decode::BlockDecoder;
use crate::error::{Error, Result};
use crate::geometry::{Orientation, Rect, Resolution, Subband};
use crate::wavelet::{Kernel, Lifted, synthesise_columns, synthesise_rows};

/// Planes of both kinds of number, kept from picture to picture.
#[derive(Default)]
pub(super) struct Part2 {
    wide: Planes<i32>,
    real: Planes<f32>,
}

/// The level that is there, and the one above it.
#[derive(Default)]
struct Planes<T> {
    low: Vec<T>,
    level: Vec<T>,
    strip: Strip<T>,
}

impl Part2 {
    /// Decodes into `target`, whose rows and columns are those of `wanted.rect`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] if the whole tile-component has more than `samples_max` samples, whatever is wanted of it.
    pub fn decode(
        &mut self,
        wanted: &Wanted<'_>,
        kernel: &Kernel,
        samples_max: u64,
        mut target: Target<'_>,
    ) -> Result<()> {
        let rect = wanted.component.resolutions[wanted.highest].rect;
        let claimed = u64::from(rect.width()) * u64::from(rect.height());
        if claimed > samples_max {
            return Err(Error::TooLarge { what: "samples of a tile-component", claimed, limit: samples_max });
        }
        match kernel {
            Kernel::Reversible(_) => self.wide.decode(wanted, kernel, &mut target),
            Kernel::Irreversible { .. } => self.real.decode(wanted, kernel, &mut target),
        }
    }
}

impl<T: Decoded + Lifted> Planes<T> {
    fn decode(&mut self, wanted: &Wanted<'_>, kernel: &Kernel, target: &mut Target<'_>) -> Result<()> {
        let mut decoder = BlockDecoder::new(wanted.coded.level);
        let levels = &wanted.component.resolutions[..=wanted.highest];
        for (r, level) in levels.iter().enumerate() {
            let (width, height) = (level.rect.width() as usize, level.rect.height() as usize);
            self.level.clear();
            self.level.resize(width * height, T::default());
            if let Some(below) = r.checked_sub(1) {
                self.place_low(level, &levels[below].rect);
            }
            for band in &level.subbands {
                self.place_band(wanted, level, band, &mut decoder)?;
            }
            // T.800 F.3.2: rows first.
            if level.halved.0 > 0 {
                synthesise_rows(kernel, &mut self.level, width, level.rect.x0);
            }
            if level.halved.1 > 0 {
                synthesise_columns(kernel, &mut self.level, width, level.rect.y0);
            }
            std::mem::swap(&mut self.low, &mut self.level);
        }
        self.store(wanted, levels[wanted.highest].rect, target);
        Ok(())
    }

    /// Interleaves the level below, which fills `rect`.
    fn place_low(&mut self, level: &Resolution, rect: &Rect) {
        let place = Interleaved::new(level, Orientation::LL);
        let width = rect.width() as usize;
        if width == 0 {
            return;
        }
        for (row, y) in self.low.chunks_exact(width).zip(rect.y0..rect.y1) {
            place.row(&mut self.level, rect.x0, y, row);
        }
    }

    /// Decodes a subband and interleaves it.
    fn place_band(
        &mut self,
        wanted: &Wanted<'_>,
        level: &Resolution,
        band: &Subband,
        decoder: &mut BlockDecoder,
    ) -> Result<()> {
        let place = Interleaved::new(level, band.orientation);
        let (rect, width) = (band.rect, band.rect.width() as usize);
        for number in 0..band.rows {
            self.strip.decode(&wanted.coded, band, number, rect.x0..rect.x1, decoder)?;
            let (rows, block) = (self.strip.rows(rect.x0), band.block(0, number));
            for y in block.y0..block.y1 {
                let from = (y - rows.first) as usize * rows.stride;
                place.row(&mut self.level, rect.x0, y, &rows.samples[from..from + width]);
            }
        }
        Ok(())
    }

    /// Hands out what is wanted of the plane `low`, which fills `whole`.
    fn store(&self, wanted: &Wanted<'_>, whole: Rect, target: &mut Target<'_>) {
        let (width, rect) = (whole.width() as usize, wanted.rect);
        for y in rect.y0..rect.y1 {
            let start = (y - whole.y0) as usize * width + (rect.x0 - whole.x0) as usize;
            let row = &self.low[start..start + rect.width() as usize];
            target.store(wanted.coded.level, (y - rect.y0) as usize, row, 0);
        }
    }
}

/// Where the coefficients of a subband, or of the level below, stand among those of a level (T.800 F.3.3).
struct Interleaved {
    rect: Rect,
    halved: (u8, u8),
    offset: (u32, u32),
}

impl Interleaved {
    fn new(level: &Resolution, orientation: Orientation) -> Interleaved {
        let high = |orientations: [Orientation; 2]| u32::from(orientations.contains(&orientation));
        let offset = (high([Orientation::HL, Orientation::HH]), high([Orientation::LH, Orientation::HH]));
        Interleaved { rect: level.rect, halved: level.halved, offset }
    }

    /// Puts a row whose first coefficient is at `x`, `y` of the subband to its place in `plane`.
    fn row<T: Copy>(&self, plane: &mut [T], x: u32, y: u32, row: &[T]) {
        let along = |at: u32, halved: u8, offset: u32, first: u32| ((at << halved) + offset - first) as usize;
        let to = along(y, self.halved.1, self.offset.1, self.rect.y0) * self.rect.width() as usize;
        let to = to + along(x, self.halved.0, self.offset.0, self.rect.x0);
        let places = plane[to..].iter_mut().step_by(1 << self.halved.0);
        places.zip(row).for_each(|(place, coefficient)| *place = *coefficient);
    }
}

#[cfg(test)]
mod tests {
    use crate::geometry::Rect;
    use crate::{
        Alone, DecodeOptions, Decoder, EncodeParameters, Encoder, Error, Info, Quality, Samples, SamplesMut, Shape,
    };

    /// Its levels split both ways, across, down, across and both ways; the kernel is an irreversible 5/3.
    const LOW_LATENCY: &str = "simple_dec_irv53_bhvhb_low_latency.jph";

    /// A stream of OpenJPH's tests; nothing if the data sets are not here.
    fn stream(name: &str) -> Option<Vec<u8>> {
        let root = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/datasets/codestreams-htj2k/openjph/");
        let read = std::fs::read(format!("{root}{name}")).ok();
        if read.is_none() {
            println!("skipped: ../shared/datasets is not here");
        }
        read
    }

    /// Columns, rows and interleaved samples.
    fn decoded(bytes: &[u8], options: &DecodeOptions) -> Result<(usize, usize, Vec<u8>), Error> {
        let info = Info::read(bytes)?;
        let shape = info.shape(options).ok_or(Error::BadParameters("planes".into()))?;
        let limit = options.samples_max;
        if shape.samples() > limit {
            return Err(Error::TooLarge { what: "samples", claimed: shape.samples(), limit });
        }
        let mut samples = vec![0; shape.samples() as usize];
        Decoder::new().decode(bytes, options, &Alone, SamplesMut::U8(&mut samples))?;
        Ok((shape.width as usize, shape.height as usize, samples))
    }

    /// The errors are those that OpenJPH's tests expect (its mse_pae.txt, and their tolerance), against the picture
    /// itself, which another of its streams holds without loss.
    #[test]
    fn levels_and_kernels_of_t801_decode_to_the_reference() {
        let (Some(bytes), Some(lossless)) = (stream(LOW_LATENCY), stream("simple_dec_rev53_64x64.jph")) else { return };
        let (width, height, found) = decoded(&bytes, &DecodeOptions::default()).unwrap();
        let (_, _, reference) = decoded(&lossless, &DecodeOptions::default()).unwrap();
        assert_eq!((width, height, found.len()), (1616, 1080, reference.len()));
        for (component, (mean_square, peak)) in [(5.523916, 16), (4.014045, 17), (6.816603, 23)].into_iter().enumerate()
        {
            let pairs = found.iter().zip(&reference).skip(component).step_by(3);
            let errors = || pairs.clone().map(|(one, other)| u64::from(one.abs_diff(*other)));
            let found = errors().map(|error| error * error).sum::<u64>() as f64 / (width * height) as f64;
            assert!((found - mean_square).abs() <= 0.01 * (found + 0.01), "component {component}: {found}");
            let found = errors().max().unwrap();
            assert!(found.abs_diff(peak) <= 1, "component {component}: {found}");
        }
        let text = Info::read(&bytes).unwrap().to_string();
        assert!(text.contains("5 decompositions by levels and kernels of T.801"), "{text}");
    }

    /// A region is cut from the whole, and each level that is left out halves what it splits.
    #[test]
    fn parts_and_reductions_fit_the_whole() {
        let Some(bytes) = stream(LOW_LATENCY) else { return };
        let (width, height, whole) = decoded(&bytes, &DecodeOptions::default()).unwrap();
        let region = Rect { x0: 301, y0: 77, x1: 901, y1: 500 };
        let options = DecodeOptions { region: Some(region), ..DecodeOptions::default() };
        let (columns, rows, part) = decoded(&bytes, &options).unwrap();
        assert_eq!((columns, rows), (600, 423));
        for (row, y) in part.chunks(3 * columns).zip(77..) {
            assert_eq!(row, &whole[3 * (y * width + 301)..][..3 * columns]);
        }
        for (reduce, (across, down)) in [(1, (2, 2)), (2, (4, 2)), (3, (4, 4)), (4, (8, 4)), (5, (16, 8))] {
            let options = DecodeOptions { reduce, ..DecodeOptions::default() };
            let (columns, rows, small) = decoded(&bytes, &options).unwrap();
            assert_eq!((columns, rows), (width.div_ceil(across), height.div_ceil(down)));
            let apart = |x: usize, y: usize| {
                let near = whole[3 * (y * down * width + x * across)];
                u64::from(small[3 * (y * columns + x)].abs_diff(near))
            };
            let sum: u64 = (0..rows).flat_map(|y| (0..columns).map(move |x| (x, y))).map(|(x, y)| apart(x, y)).sum();
            let mean = sum as f64 / (columns * rows) as f64;
            assert!(mean < 16.0, "{reduce} levels left out: {mean} apart");
        }
        let options = DecodeOptions { region: Some(region), samples_max: 800_000, ..DecodeOptions::default() };
        assert!(matches!(decoded(&bytes, &options), Err(Error::TooLarge { .. })));
    }

    /// A stream of this crate whose COD names an ATK with the steps of its own kernel.
    fn with_kernel(bytes: &[u8], kernel: &[u8]) -> Vec<u8> {
        let cod = bytes.windows(2).position(|pair| pair == [0xFF, 0x52]).unwrap();
        let mut named = bytes.to_vec();
        named[cod + 13] = 2;
        let length = (kernel.len() as u16 + 2).to_be_bytes();
        named.splice(cod..cod, [&[0xFF, 0x79], &length[..], kernel].concat());
        named
    }

    /// The reversible 5/3 by an ATK gives every sample back, the 9/7 by an ATK those of the 9/7 but for rounding.
    #[test]
    fn the_standard_kernels_by_atk_decode_alike() {
        let shape = Shape { width: 61, height: 47, components: 3, bits: 8, signed: false };
        let picture: Vec<u8> = (0..shape.samples() as u32).map(|n| (n.wrapping_mul(n ^ 0x5A5) >> 7) as u8).collect();
        let encoded = |quality: Quality| {
            let parameters =
                EncodeParameters { tile: Some((33, 29)), decompositions: Some(3), quality, ..Default::default() };
            let (mut encoder, mut bytes) = (Encoder::new(), Vec::new());
            encoder.encode(&shape, Samples::U8(&picture), &parameters, &Alone, &mut bytes).unwrap();
            bytes
        };
        let integers = [0x58, 2, 2, 2, 0, 2, 1, 1, 1, 0, 1, 1, 0xFF];
        let lossless = with_kernel(&encoded(Quality::Lossless), &integers);
        assert_eq!(decoded(&lossless, &DecodeOptions::default()).unwrap().2, picture);
        let mut floats = [&[0x4A, 2][..], &1.230_174_1f32.to_be_bytes(), &[4]].concat();
        for factor in [0.443_506_85f32, 0.882_911_1, -0.052_980_118, -1.586_134_3] {
            floats.extend([&[1], &factor.to_be_bytes()[..]].concat());
        }
        let lossy = encoded(Quality::Step(1.0 / 64.0));
        let [one, other] =
            [&lossy, &with_kernel(&lossy, &floats)].map(|bytes| decoded(bytes, &DecodeOptions::default()).unwrap().2);
        assert!(one.iter().zip(&other).all(|(one, other)| one.abs_diff(*other) <= 1));
        assert!(one != vec![0; one.len()]);
    }

    /// Flipped bits, mostly of the header, and missing ends give a picture or an error.
    #[test]
    fn damage_does_not_panic() {
        let Some(bytes) = stream(LOW_LATENCY) else { return };
        let mut seed = 1u64;
        let mut next = |below: usize| {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (seed >> 33) as usize % below
        };
        let try_all = |bytes: &[u8], reduce: u8| {
            let options = DecodeOptions { reduce, prefix: true, samples_max: 1 << 23, ..DecodeOptions::default() };
            let _ = decoded(bytes, &options);
        };
        for case in 0..200 {
            let mut bad = bytes.clone();
            for _ in 0..1 + next(3) {
                let within = if case % 4 == 0 { bad.len() } else { 0x190 };
                bad[next(within)] ^= 1 << next(8);
            }
            if case % 10 == 0 {
                bad.truncate(0x190 + next(bytes.len() - 0x190));
            }
            try_all(&bad, if case % 20 == 0 { 0 } else { 3 + case as u8 % 3 });
        }
    }
}
