//! Round trips through a bit-by-bit reader, and equality of all kernels.

mod reader;

use super::*;

/// A small generator: its numbers are the same on every machine.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ z >> 30).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ z >> 27).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ z >> 31
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.next() % limit
    }
}

/// One block of a kind: noise of so many bits, of which all but one in `rarity` are zero, in stripes or not.
fn block(numbers: &mut Numbers, area: usize, bits: u32, rarity: u64, stripes: bool) -> Vec<i32> {
    let mut amplitude = bits;
    (0..area)
        .map(|i| {
            if stripes && i % 97 == 0 {
                amplitude = numbers.below(u64::from(bits) + 1) as u32;
            }
            if numbers.below(rarity) != 0 {
                return 0;
            }
            let magnitude = numbers.below((1 << amplitude) + 1) as i32;
            if numbers.below(2) == 0 { magnitude } else { -magnitude }
        })
        .collect()
}

/// Encodes at every level: the bytes are equal, what is appended follows what was there, and a reader finds the
/// coefficients again.
fn check<T: Coefficient>(wide: &[i32], width: usize, height: usize, padding: usize) {
    let stride = width + padding;
    let mut coefficients = vec![T::from_i32(0x55); stride * height];
    for (row, from) in coefficients.chunks_mut(stride).zip(wide.chunks(width)) {
        row.iter_mut().zip(from).for_each(|(to, &from)| *to = T::from_i32(from));
    }
    let shape = format!("{width} x {height}, {} bytes a coefficient", size_of::<T>());
    let mut first: Option<Vec<u8>> = None;
    for level in Level::available() {
        let mut out = vec![0xAB; 3];
        let mut encoder = BlockEncoder::new(level);
        // What an earlier block leaves behind must not matter.
        encoder.encode(&[T::from_i32(-77); 64], 8, 8, 8, &mut Vec::new());
        let encoded = encoder.encode(&coefficients, stride, width, height, &mut out);
        let largest = wide.iter().map(|value| value.unsigned_abs()).max().unwrap_or(0);
        let expected = (largest > 0)
            .then(|| Encoded { length: out.len() as u32 - 3, magnitude_bits: (32 - largest.leading_zeros()) as u8 });
        assert_eq!(encoded, expected, "{level:?}, {shape}");
        assert_eq!(out[..3], [0xAB; 3]);
        let bytes = out.split_off(3);
        match &first {
            Some(first) => assert!(first == &bytes, "{level:?} differs from Scalar, {shape}"),
            None if largest > 0 => {
                let decoded = reader::decode(&bytes, width, height);
                assert!(
                    decoded.iter().eq(wide.iter().map(|&value| i64::from(value)).collect::<Vec<_>>().iter()),
                    "{shape}"
                );
            }
            None => assert!(bytes.is_empty()),
        }
        first = Some(bytes);
    }
}

fn check_both(wide: &[i32], width: usize, height: usize, padding: usize) {
    check::<i32>(wide, width, height, padding);
    if wide.iter().all(|&value| i16::try_from(value).is_ok()) {
        check::<i16>(wide, width, height, padding);
    }
}

/// Proves the round trip of noise of every magnitude that fits 32 bits, dense and sparse.
#[test]
fn noise_of_every_magnitude_returns() {
    let mut numbers = Numbers(1);
    for bits in 0..31 {
        for (rarity, stripes) in [(1, false), (1, true), (3, false), (40, true)] {
            check_both(&block(&mut numbers, 32 * 24, bits, rarity, stripes), 32, 24, 5);
        }
    }
}

/// Proves the round trip of blocks of few and of many coefficients that do not fit i16, alone, in rows, and beside small
/// ones, whose bounds they raise.
#[test]
fn small_and_large_magnitudes_return_together() {
    let mut numbers = Numbers(5);
    for bits in 14..31 {
        for (width, height) in [(64, 64), (130, 9), (33, 31)] {
            for rarity in [1, 2, 20, 300] {
                let mut wide = block(&mut numbers, width * height, 6, 1, false);
                let large = block(&mut numbers, width * height, bits, 1, true);
                for (small, large) in wide.iter_mut().zip(large) {
                    if numbers.below(rarity) == 0 {
                        *small = large;
                    }
                }
                let row = numbers.below(height as u64) as usize * width;
                wide[row..row + width].iter_mut().for_each(|value| *value = 1 << bits);
                check_both(&wide, width, height, 2);
            }
        }
    }
}

/// Proves the round trip at every width and many heights to 64, and the other way round, which meets every tail of a kernel.
#[test]
fn every_small_shape_returns() {
    let mut numbers = Numbers(2);
    for edge in 1..=64 {
        for other in [1, 2, 3, 4, 5, 17, 31, 32, 33, 62, 63, 64] {
            let bits = numbers.below(12) as u32;
            let rarity = 1 + numbers.below(3);
            check_both(&block(&mut numbers, edge * other, bits, rarity, true), edge, other, 3);
            check_both(&block(&mut numbers, edge * other, bits, rarity, true), other, edge, 0);
        }
    }
}

/// Proves the round trip of long and of full blocks.
#[test]
fn long_and_full_blocks_return() {
    let mut numbers = Numbers(3);
    let shapes =
        [(4, 1024), (1024, 4), (3, 1023), (1023, 3), (1024, 1), (1, 1024), (256, 16), (127, 32), (129, 31), (64, 64)];
    for (width, height) in shapes {
        for (bits, rarity) in [(1, 1), (3, 1), (5, 2), (8, 1), (11, 1), (15, 1), (16, 1), (30, 1), (7, 50), (2, 900)] {
            check_both(&block(&mut numbers, width * height, bits, rarity, bits == 8), width, height, 1);
        }
    }
}

/// Proves that a single coefficient returns from every place and with every power of two, its neighbours and both ends of
/// the numbers.
#[test]
fn a_single_coefficient_returns_from_anywhere() {
    for place in 0..7 * 5 {
        let mut wide = [0; 7 * 5];
        wide[place] = -3;
        check_both(&wide, 7, 5, 0);
    }
    for power in 0..31 {
        for value in [1 << power, -(1 << power), (1 << power) + 1, i32::MAX >> power, i32::MIN >> power] {
            check_both(&[value], 1, 1, 0);
            check_both(&[0, value, 1, -value.max(-i32::MAX), 0, value], 3, 2, 0);
        }
    }
}

/// Proves that bytes of ones, which need stuffing in every place, return: long runs of values whose bits are all ones.
#[test]
fn values_of_ones_return() {
    let mut numbers = Numbers(4);
    for bits in 1..16 {
        let wide: Vec<i32> = (0..64 * 64).map(|_| if numbers.below(60) == 0 { 1 } else { -(1 << bits) }).collect();
        check_both(&wide, 64, 64, 0);
        let constant = [-(1 << bits); 64 * 64];
        check_both(&constant, 64, 64, 0);
    }
}

/// Proves that a block of zeros appends nothing.
#[test]
fn zeros_append_nothing() {
    check_both(&[0; 64 * 64], 64, 64, 0);
    check_both(&[0], 1, 1, 0);
}
