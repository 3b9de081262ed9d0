//! Round trips through an encoder written for these tests only, and bytes that no encoder wrote: at every level, and by the
//! reference.

mod coder;

use super::*;
use coder::{Block, Coded, encode};
use proptest::prelude::*;

/// A small generator of numbers, so that a test's blocks are the same everywhere.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0.wrapping_mul(0x2545_F491_4F6C_DD1D) >> 11
    }
}

/// Samples of up to `bits` bits; of `sparsity` in 256 nothing is left; `grain` coefficients beside each other are of one size.
fn noise(width: usize, height: usize, bits: u32, sparsity: u64, seed: u64) -> Block {
    let mut numbers = Numbers(seed << 1 | 1);
    let samples = (0..width * height).map(|_| {
        let bits = if numbers.next() & 3 == 0 { numbers.next() as u32 % (bits + 1) } else { bits };
        let magnitude = (numbers.next() & ((1 << bits) - 1)) as i32;
        if numbers.next() & 255 < sparsity {
            0
        } else if numbers.next() & 1 == 0 {
            magnitude
        } else {
            -magnitude
        }
    });
    Block { width, height, samples: samples.collect() }
}

/// A decoder of some level, or the reference.
struct Decoder(Option<BlockDecoder>);

impl Decoder {
    /// The reference, then every level.
    fn all() -> impl Iterator<Item = Decoder> {
        let levels = Level::available().map(|level| Decoder(Some(BlockDecoder::new(level))));
        std::iter::once(Decoder(None)).chain(levels)
    }

    fn name(&self) -> String {
        self.0.as_ref().map_or("reference".into(), |decoder| format!("{:?}", decoder.level()))
    }

    fn decode<T: Coefficient>(
        &mut self,
        jobs: &[BlockJob<'_>],
        out: &mut [T],
        stride: usize,
    ) -> Result<u8, DamagedBlock> {
        let scale = |job: &BlockJob<'_>| output::Integer::new(job.bit_plane);
        match (&mut self.0, T::plane(out)) {
            (None, Plane::Narrow(out)) => reference::batch(jobs, out, stride, scale),
            (None, Plane::Wide(out)) => reference::batch(jobs, out, stride, scale),
            (Some(decoder), Plane::Narrow(out)) => decoder.decode(jobs, out, stride),
            (Some(decoder), Plane::Wide(out)) => decoder.decode(jobs, out, stride),
        }
    }

    fn decode_f32(
        &mut self,
        jobs: &[BlockJob<'_>],
        step: f32,
        out: &mut [f32],
        stride: usize,
    ) -> Result<u8, DamagedBlock> {
        match &mut self.0 {
            Some(decoder) => decoder.decode_f32(jobs, step, out, stride),
            None => reference::batch(jobs, out, stride, |job| output::Real::new(step, job.bit_plane)),
        }
    }
}

/// Decodes at every level, into planes with sentinels around the block.
fn check(block: &Block, bit_plane: u8, passes: u8, causal: bool) {
    let (coded, expected) = encode(block, bit_plane, passes, causal);
    let what = format!("{}x{} p {bit_plane} passes {passes} causal {causal}", block.width, block.height);
    for mut decoder in Decoder::all() {
        let level = decoder.name();
        let stride = block.width + 3;
        let mut plane = vec![77i32; 2 + stride * block.height];
        // Four blocks that a kernel may take together, and one that is left over.
        let jobs = [coded.job(2); 5];
        let bits = decoder.decode(&jobs, &mut plane, stride).unwrap_or_else(|error| panic!("{what} {level}: {error}"));
        let largest = expected.iter().map(|value| value.unsigned_abs()).max().unwrap();
        assert!(largest >> u32::from(bits).min(31) == 0 || largest == 1 << (bits - 1), "{what}: {bits} bits");
        for (y, row) in expected.chunks(block.width).enumerate() {
            let line = &plane[2 + y * stride..][..block.width];
            let differs = line.iter().zip(row).position(|(got, wanted)| got != wanted);
            assert!(differs.is_none(), "{what} {level} row {y}, x {differs:?}:\n{line:?}\n{row:?}");
        }
        assert!(plane.iter().enumerate().all(|(n, &value)| n >= 2 && (n - 2) % stride < block.width || value == 77));
        check_other_types(&mut decoder, &coded, &expected, bits);
    }
}

/// The narrow plane where it can hold them, and the reals, which are in the middle of the same intervals.
fn check_other_types(decoder: &mut Decoder, coded: &Coded, expected: &[i32], bits: u8) {
    if bits <= 15 {
        let mut plane = vec![77i16; expected.len()];
        assert_eq!(decoder.decode(&[coded.job(0); 2], &mut plane, coded.width), Ok(bits));
        assert!(plane.iter().zip(expected).all(|(&got, &wanted)| i32::from(got) == wanted), "{}", decoder.name());
    }
    let mut plane = vec![7.7f32; expected.len()];
    decoder.decode_f32(&[coded.job(0); 2], 0.25, &mut plane, coded.width).unwrap();
    for (&got, &wanted) in plane.iter().zip(expected) {
        // Where the interval has no middle among the integers, they lie half a step below.
        let error = got.abs() * 4.0 - wanted.abs() as f32;
        assert!((wanted == 0) == (got == 0.0) && (wanted < 0) == (got < 0.0), "{got} {wanted}");
        assert!((0.0..=0.5).contains(&error) || error.abs() <= wanted.abs() as f32 / 4e6, "{got} {wanted}");
    }
}

/// Proves that a level that the machine lacks is no danger to name.
#[test]
fn levels_that_are_not_there_are_lowered() {
    for level in [Level::Simd128, Level::Avx2, Level::Avx512] {
        assert!(BlockDecoder::new(level).level() <= Level::best());
    }
}

/// Proves the round trip at every shape that has edges of its own.
#[test]
fn blocks_of_all_shapes_come_back() {
    let shapes = [(1, 1), (2, 1), (1, 2), (3, 3), (4, 4), (5, 7), (1, 1024), (4, 1024), (1024, 4), (1021, 3), (64, 64)];
    for (n, (width, height)) in shapes.into_iter().chain([(63, 61), (32, 32), (66, 17), (130, 31), (33, 9)]).enumerate()
    {
        for (bits, sparsity) in [(1, 0), (3, 128), (9, 20), (13, 0), (14, 250), (20, 60)] {
            check(&noise(width, height, bits, sparsity, 1000 + n as u64), 0, 1, false);
        }
    }
}

/// Proves it for every number of bits, dense and sparse; and for blocks with nothing or little in them.
#[test]
fn blocks_of_all_depths_come_back() {
    for bits in 0..=30 {
        for sparsity in [0, 100, 240, 255] {
            check(&noise(64, 64, bits, sparsity, 7 + u64::from(bits)), 0, 1, false);
            check(&noise(37, 21, bits, sparsity, 9 + u64::from(bits)), 0, 1, false);
        }
    }
    for place in [0, 63, 64, 127, 4095] {
        let mut lonely = noise(64, 64, 0, 0, 1);
        lonely.samples[place] = -5;
        check(&lonely, 0, 1, false);
    }
}

/// Proves the refinement passes against a sample-by-sample encoder, with and without causal contexts.
#[test]
fn refinement_passes_come_back() {
    for (n, (width, height)) in
        [(64, 64), (1, 1), (5, 6), (13, 50), (4, 1024), (1024, 4), (63, 63)].into_iter().enumerate()
    {
        for (bits, plane) in [(4, 1), (7, 3), (12, 2), (26, 20)] {
            for (passes, causal) in [(1, false), (2, false), (2, true), (3, false), (3, true)] {
                check(&noise(width, height, bits, 60 * n as u64 % 256, 31 + n as u64), plane, passes, causal);
            }
        }
    }
}

/// Decodes bytes at every level, from slices that end where their allocation does; all levels must say the same.
fn check_bytes(cleanup: &[u8], refinement: &[u8], (width, height): (usize, usize), bit_plane: u8) {
    let job = BlockJob { cleanup, refinement, passes: 3, bit_plane, causal: false, width, height, offset: 0 };
    let single = BlockJob { passes: 1, ..job };
    let mut wanted = None;
    for mut decoder in Decoder::all() {
        let mut wide = vec![0i32; width * height];
        let mut narrow = vec![0i16; width * height];
        let mut real = vec![0f32; width * height];
        let mut cleaned = vec![0i32; width * height];
        let results = [
            decoder.decode(&[job; 3], &mut wide, width),
            decoder.decode(&[job], &mut narrow, width),
            decoder.decode_f32(&[job, single], 0.5, &mut real, width),
            decoder.decode(&[single; 2], &mut cleaned, width),
        ];
        let real: Vec<u32> = real.into_iter().map(f32::to_bits).collect();
        let got = (results, wide, narrow, real, cleaned);
        let wanted = wanted.get_or_insert_with(|| got.clone());
        assert!(
            *wanted == got,
            "{} differs from the reference, {width}x{height} p {bit_plane}: {:?} {:?}",
            decoder.name(),
            wanted.0,
            got.0
        );
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// Proves that noise of bytes is decoded or refused alike at every level, without reading beyond them.
    #[test]
    fn random_bytes_do_the_same_at_every_level(
        bytes in proptest::collection::vec(any::<u8>(), 0..600),
        refinement in proptest::collection::vec(any::<u8>(), 0..60),
        suffix in 0..200usize,
        shape in proptest::sample::select(vec![(64, 64), (1, 1), (17, 9), (1024, 4), (4, 1024), (63, 2), (130, 7)]),
        plane in 0..32u8,
    ) {
        let mut cleanup = bytes;
        if let [.., low, high] = cleanup.as_mut_slice() {
            (*low, *high) = (*low & 0xF0 | suffix as u8 & 15, (suffix >> 4) as u8);
        }
        check_bytes(&cleanup.into_boxed_slice(), &refinement.into_boxed_slice(), shape, plane);
    }

    /// Proves the same of a real segment with a few bytes changed, or cut.
    #[test]
    fn mutated_segments_do_the_same_at_every_level(
        seed in any::<u64>(),
        bits in 1..20u32,
        sparsity in 0..256u64,
        changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..4),
        shape in proptest::sample::select(vec![(64, 64), (33, 31), (128, 32)]),
    ) {
        let (mut coded, _) = encode(&noise(shape.0, shape.1, bits, sparsity, seed), 1, 3, false);
        for (place, value) in changes {
            *place.get_mut(&mut coded.cleanup) = value;
        }
        check_bytes(&coded.cleanup.into_boxed_slice(), &coded.refinement.into_boxed_slice(), shape, 1);
    }
}
