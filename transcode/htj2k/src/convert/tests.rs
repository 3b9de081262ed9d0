//! The loops against what they say, number by number, at every level of instructions.

use super::*;
use proptest::prelude::*;

/// Loads and stores all components of `samples`, which must come back.
fn check<T: Convert>(samples: &[i16], components: usize, offset: i32, close: impl Fn(T) -> i32) {
    let width = samples.len() / components;
    for level in Level::available() {
        let mut back = vec![0i16; samples.len()];
        for component in 0..components {
            let mut row = vec![T::from_wide(7); width];
            load(level, Samples::I16(samples), component, components, offset, &mut row);
            for (x, &value) in row.iter().enumerate() {
                assert_eq!(close(value), i32::from(samples[x * components + component]) + offset, "{level:?}");
            }
            let finish = Finish { offset: -offset, low: -4096, high: 4095 };
            store(level, &row, finish, &mut SamplesMut::I16(&mut back), component, components);
        }
        assert_eq!(back[..width * components], samples[..width * components], "{level:?}");
    }
}

proptest! {
    #[test]
    fn samples_become_rows_and_samples_again(
        samples in proptest::collection::vec(-4096i16..4096, 0..400), components in 1usize..7, offset in -4096i32..4096,
    ) {
        check::<i16>(&samples, components, offset, i32::from);
        check::<i32>(&samples, components, offset, |value| value);
        check::<f32>(&samples, components, offset, |value| value as i32);
    }

    #[test]
    fn the_range_is_that_of_all_numbers(samples in proptest::collection::vec(any::<u16>(), 0..300)) {
        let signed: Vec<i16> = samples.iter().map(|&sample| sample as i16).collect();
        let bytes: Vec<u8> = samples.iter().map(|&sample| sample as u8).collect();
        for level in Level::available() {
            let expected = samples.iter().min().zip(samples.iter().max()).map(|(a, b)| (i32::from(*a), i32::from(*b)));
            prop_assert_eq!(range(level, Samples::U16(&samples)), expected);
            let expected = signed.iter().min().zip(signed.iter().max()).map(|(a, b)| (i32::from(*a), i32::from(*b)));
            prop_assert_eq!(range(level, Samples::I16(&signed)), expected);
            let expected = bytes.iter().min().zip(bytes.iter().max()).map(|(a, b)| (i32::from(*a), i32::from(*b)));
            prop_assert_eq!(range(level, Samples::U8(&bytes)), expected);
        }
    }

    #[test]
    fn what_is_beyond_the_range_is_clamped(values in proptest::collection::vec(any::<i32>(), 0..200), bits in 1u8..17) {
        for signed in [false, true] {
            clamped(&values, Finish::new(bits, signed), |value| value);
            let narrow: Vec<i16> = values.iter().map(|&value| value as i16).collect();
            clamped(&narrow, Finish::new(bits, signed), i32::from);
            let floats: Vec<f32> = values.iter().map(|&value| value as f32 / 65536.0).collect();
            clamped(&floats, Finish::new(bits, signed), |value| value.round_ties_even() as i32);
        }
    }

    #[test]
    fn reversible_colours_come_back(pixels in proptest::collection::vec((-2048i16..2048, -2048i16..2048, -2048i16..2048), 0..200)) {
        let rows: [Vec<i16>; 3] = [0, 1, 2].map(|c| pixels.iter().map(|p| [p.0, p.1, p.2][c]).collect());
        for level in Level::available() {
            let [mut a, mut b, mut c] = rows.clone();
            rct_forward(level, &mut a, &mut b, &mut c);
            for (i, &(red, green, blue)) in pixels.iter().enumerate() {
                prop_assert_eq!(a[i], (red + 2 * green + blue).div_euclid(4));
                prop_assert_eq!((b[i], c[i]), (blue - green, red - green));
            }
            rct_inverse(level, &mut a, &mut b, &mut c);
            prop_assert_eq!([a, b, c], rows.clone());
            let [mut a, mut b, mut c] = rows.clone().map(|row| row.iter().map(|&value| f32::from(value)).collect::<Vec<_>>());
            ict_forward(level, &mut a, &mut b, &mut c);
            for (i, &(red, green, blue)) in pixels.iter().enumerate() {
                let [red, green, blue] = [red, green, blue].map(f32::from);
                // T.800 G-9 to G-11, as they are printed.
                prop_assert!((a[i] - (0.299 * red + 0.587 * green + 0.114 * blue)).abs() < 0.1);
                prop_assert!((b[i] - (-0.16875 * red - 0.33126 * green + 0.5 * blue)).abs() < 0.1);
                prop_assert!((c[i] - (0.5 * red - 0.41869 * green - 0.08131 * blue)).abs() < 0.1);
            }
            ict_inverse(level, &mut a, &mut b, &mut c);
            for (ours, row) in [a, b, c].iter().zip(&rows) {
                prop_assert!(ours.iter().zip(row).all(|(a, &b)| (a - f32::from(b)).abs() < 0.01));
            }
        }
    }
}

fn clamped<T: Convert>(values: &[T], finish: Finish, whole: impl Fn(T) -> i32) {
    let expected = |value: T| i64::from(whole(value)) + i64::from(finish.offset);
    let expected = |value: T| expected(value).clamp(i64::from(finish.low), i64::from(finish.high)) as i32;
    for level in Level::available() {
        if finish.low < 0 {
            let mut samples = vec![0i16; values.len()];
            store(level, values, finish, &mut SamplesMut::I16(&mut samples), 0, 1);
            assert!(samples.iter().zip(values).all(|(&sample, &value)| i32::from(sample) == expected(value)));
        } else {
            let mut samples = vec![0u16; values.len()];
            store(level, values, finish, &mut SamplesMut::U16(&mut samples), 0, 1);
            assert!(samples.iter().zip(values).all(|(&sample, &value)| i32::from(sample) == expected(value)));
        }
    }
}

/// A value that is no number becomes the smallest sample, at every level.
#[test]
fn not_a_number_is_the_smallest_sample() {
    for level in Level::available() {
        let mut samples = [9u8; 40];
        let row = [f32::NAN; 40];
        store(level, &row, Finish::new(8, false), &mut SamplesMut::U8(&mut samples), 0, 1);
        assert_eq!(samples, [0; 40]);
    }
}
