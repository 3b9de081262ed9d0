//! Whatever the bytes: no panic, and no more memory than [`DecodeOptions::samples_max`] says.

use std::time::{Duration, Instant};

use htj2k::{Alone, DecodeOptions, Decoder, EncodeParameters, Info, Order, Quality, Shape, Values, decode_bytes_max};
use proptest::prelude::*;

use crate::allocator::peak_bytes;
use crate::datasets::{files_below, folder};
use crate::pictures::{Content, any_content, any_parameters, any_shape, cases, encoded, picture};

/// Samples that a hostile stream may claim here: small, so that the bound is tight.
const SAMPLES_MAX: u64 = 1 << 18;
/// A decoder that takes longer over one small stream has a loop that no byte pays for.
const DURATION_MAX: Duration = Duration::from_secs(if cfg!(miri) { 3600 } else { 60 });

/// Everything that a caller may do with bytes; answers how near the memory came to its bound.
fn provoke(bytes: &[u8]) -> f64 {
    let before = Instant::now();
    let ((), index) = peak_bytes(|| {
        let _ = Info::resolution_ends(bytes);
    });
    assert!(index <= decode_bytes_max(0, bytes.len()), "{index} bytes for the index of {}", bytes.len());
    let mut nearest: f64 = 0.0;
    let Ok(info) = Info::read(bytes) else { return nearest };
    let reductions = [0, 1, info.decompositions];
    for (reduce, prefix) in reductions.into_iter().flat_map(|reduce| [(reduce, false), (reduce, true)]) {
        let options = DecodeOptions { reduce, prefix, samples_max: SAMPLES_MAX, ..DecodeOptions::default() };
        let (_, peak) = peak_bytes(|| {
            let mut decoder = Decoder::new();
            let planes = decoder.decode_planes(bytes, &options, &Alone);
            if let Some(shape) = info.shape(&options).filter(|shape| shape.samples() <= SAMPLES_MAX) {
                let mut values = Values::zeros(&shape);
                let samples = decoder.decode(bytes, &options, &Alone, values.samples_mut());
                assert_eq!(samples.is_ok(), planes.is_ok(), "{samples:?}");
            }
        });
        let bound = decode_bytes_max(SAMPLES_MAX, bytes.len());
        assert!(peak <= bound, "{peak} bytes for {} bytes, and the bound is {bound}", bytes.len());
        nearest = nearest.max(peak as f64 / bound as f64);
    }
    assert!(before.elapsed() < DURATION_MAX, "{:?} for {} bytes", before.elapsed(), bytes.len());
    nearest
}

proptest! {
    #![proptest_config(cases(150))]

    /// Bytes of a sound stream changed, left out and doubled: no panic, whatever comes of it.
    #[test]
    fn a_damaged_stream_is_no_danger(
        shape in any_shape(), content in any_content(), parameters in any_parameters(), loses in any::<bool>(),
        changes in proptest::collection::vec((0.0..1.0f64, any::<u8>(), 0..4u8), 1..12), header in any::<bool>(),
    ) {
        let quality = if loses { Quality::Step(0.3) } else { Quality::Lossless };
        let mut bytes = encoded(&shape, &picture(&shape, content, 1), &EncodeParameters { quality, ..parameters });
        for (place, byte, kind) in changes {
            // Half of the time only the headers: most of what can go wrong is there.
            let reach = if header { bytes.len().min(120) } else { bytes.len() };
            let at = (reach as f64 * place) as usize;
            match kind {
                0 => bytes[at] = byte,
                1 => bytes[at] ^= 1 << (byte & 7),
                2 => drop(bytes.remove(at)),
                _ => bytes.insert(at, byte),
            }
        }
        provoke(&bytes);
    }

    /// Bytes that are no stream at all, but begin like one.
    #[test]
    fn noise_is_no_danger(noise in proptest::collection::vec(any::<u8>(), 0..400), keep in 0..60usize) {
        let shape = Shape { width: 9, height: 8, components: 1, bits: 8, signed: false };
        let sound = encoded(&shape, &picture(&shape, Content::Noise, 1), &EncodeParameters::default());
        let bytes: Vec<u8> = sound.iter().copied().take(keep).chain(noise).collect();
        provoke(&bytes);
    }
}

/// SIZ of a sound stream with other numbers: `(offset in the codestream, bytes)`.
fn patched(sound: &[u8], patches: &[(usize, &[u8])]) -> Vec<u8> {
    let mut bytes = sound.to_vec();
    for (at, patch) in patches {
        bytes[*at..at + patch.len()].copy_from_slice(patch);
    }
    bytes
}

/// Where in a codestream Xsiz, Ysiz, XTsiz and YTsiz stand (T.800 A.5.1).
const XSIZ: usize = 8;
const YSIZ: usize = 12;
const XTSIZ: usize = 24;
const YTSIZ: usize = 28;

#[test]
fn a_header_that_claims_much_is_refused_or_costs_little() {
    if cfg!(miri) {
        return;
    }
    let shape = Shape { width: 40, height: 30, components: 3, bits: 8, signed: false };
    let values = picture(&shape, Content::Noise, 1);
    for (block_log2, precincts_log2) in
        [((6, 6), vec![]), ((2, 2), vec![]), ((2, 10), vec![]), ((10, 2), vec![]), ((6, 6), vec![(1, 1), (1, 1)])]
    {
        for quality in [Quality::Lossless, Quality::Step(1.0)] {
            for order in [Order::Rpcl, Order::Lrcp] {
                let decompositions = Some(5);
                let precincts_log2 = precincts_log2.clone();
                let parameters = EncodeParameters {
                    decompositions,
                    block_log2,
                    quality,
                    precincts_log2,
                    order,
                    ..Default::default()
                };
                let sound = encoded(&shape, &values, &parameters);
                for edge in [40, 500, 4096, 9000, 65_535, u32::MAX] {
                    for tile in [1, 7, 300, 5000, u32::MAX] {
                        let (edge, tile) = (edge.to_be_bytes(), tile.to_be_bytes());
                        let both = [(XSIZ, &edge[..]), (YSIZ, &edge), (XTSIZ, &tile), (YTSIZ, &tile)];
                        provoke(&patched(&sound, &both));
                        // As wide as it can be, and low; and the other way round.
                        provoke(&patched(&sound, &[(XSIZ, &edge), (XTSIZ, &tile)]));
                        provoke(&patched(&sound, &[(YSIZ, &edge), (YTSIZ, &tile)]));
                    }
                }
            }
        }
    }
}

#[test]
fn sixteen_thousand_components_in_sixty_five_thousand_tiles_cost_no_time() {
    let shape = Shape { width: 40, height: 30, components: 1, bits: 8, signed: false };
    let sound = encoded(&shape, &picture(&shape, Content::Noise, 1), &EncodeParameters::default());
    let count = if cfg!(miri) { 100u16 } else { 16_384 };
    let length = (38 + 3 * count).to_be_bytes();
    let edge = 255u32.to_be_bytes();
    let one = 1u32.to_be_bytes();
    let numbers =
        [(4, &length[..]), (XSIZ, &edge), (YSIZ, &edge), (XTSIZ, &one), (YTSIZ, &one), (40, &count.to_be_bytes())];
    let mut bytes = patched(&sound, &numbers);
    bytes.splice(42..45, [7u8, 1, 1].repeat(usize::from(count)));
    provoke(&bytes);
}

#[test]
fn a_thin_region_of_a_wide_picture_is_refused() {
    if cfg!(miri) {
        return;
    }
    // One row of a picture is made from rows of whole code-blocks, here 64 times as much in each of three subbands.
    let shape = Shape { width: 40, height: 128, components: 1, bits: 8, signed: false };
    let sound = encoded(&shape, &picture(&shape, Content::Flat(128), 1), &EncodeParameters::default());
    let edge = (1u32 << 26).to_be_bytes();
    let bytes = patched(&sound, &[(XSIZ, &edge), (XTSIZ, &edge)]);
    let region = Some(htj2k::geometry::Rect { x0: 0, y0: 3, x1: 1 << 26, y1: 4 });
    let options = DecodeOptions { region, prefix: true, samples_max: 1 << 26, ..DecodeOptions::default() };
    let mut out = vec![0u8; 1 << 26];
    let mut decode = |options: &DecodeOptions, count: usize| {
        let out = htj2k::SamplesMut::U8(&mut out[..count]);
        peak_bytes(|| Decoder::new().decode(&bytes, options, &Alone, out))
    };
    let (answer, peak) = decode(&options, 1 << 26);
    assert!(matches!(answer, Err(htj2k::Error::TooLarge { .. })), "{answer:?}");
    assert!(peak < decode_bytes_max(0, bytes.len()), "{peak}");
    // A short piece of the row is no trouble.
    let region = Some(htj2k::geometry::Rect { x0: 100, y0: 3, x1: 1100, y1: 4 });
    let (answer, _) = decode(&DecodeOptions { region, ..options }, 1000);
    assert!(answer.is_ok(), "{answer:?}");
}

#[test]
fn a_sound_picture_stays_within_the_bytes_a_sample() {
    // Proves the share of the samples in the bound alone, without the tables that any header may claim, on what needs most:
    // colour, 16 bits that do not fit 16-bit numbers, and rows of code-blocks as high as the picture.
    if cfg!(miri) {
        return;
    }
    let bytes_a_sample = (decode_bytes_max(1 << 30, 0) - decode_bytes_max(1 << 29, 0)) >> 29;
    let shape = Shape { width: 1500, height: 1100, components: 3, bits: 16, signed: false };
    for block_log2 in [(6, 6), (2, 10), (10, 2)] {
        for (quality, content) in [
            (Quality::Lossless, Content::Noise),
            (Quality::Lossless, Content::Gradient),
            (Quality::Step(2.0), Content::Noise),
        ] {
            let parameters = EncodeParameters { block_log2, quality, ..EncodeParameters::default() };
            let codestream = encoded(&shape, &picture(&shape, content, 3), &parameters);
            let options = DecodeOptions::default();
            let (planes, peak) = peak_bytes(|| Decoder::new().decode_planes(&codestream, &options, &Alone));
            assert!(planes.is_ok());
            println!("{block_log2:?} {quality:?}: {:.1} bytes a sample", peak as f64 / shape.samples() as f64);
            assert!(peak <= bytes_a_sample * shape.samples(), "{peak} bytes for {} samples", shape.samples());
        }
    }
}

#[test]
fn the_bad_files_of_the_data_set_are_no_danger() {
    let mut nearest: f64 = 0.0;
    for name in ["codestreams-htj2k", "codestreams-j2k", "corrupt"] {
        let Some(folder) = folder(name) else { return };
        for path in files_below(&folder) {
            let bytes = std::fs::read(&path).unwrap();
            nearest = nearest.max(provoke(&bytes));
            // Codestreams inside something else, each cut where the file ends.
            for at in (1..bytes.len().saturating_sub(4)).filter(|&at| bytes[at..at + 4] == [0xFF, 0x4F, 0xFF, 0x51]) {
                nearest = nearest.max(provoke(&bytes[at..]));
            }
        }
    }
    println!("nearest to the bound: {:.1} %", nearest * 100.0);
}

#[test]
fn every_cut_and_every_changed_byte_of_a_header_is_no_danger() {
    let (width, height) = if cfg!(miri) { (5, 4) } else { (21, 18) };
    let shape = Shape { width, height, components: 3, bits: 8, signed: false };
    let precincts_log2 = vec![(3, 3), (4, 4)];
    let parameters = EncodeParameters { decompositions: Some(2), precincts_log2, ..EncodeParameters::default() };
    let sound = encoded(&shape, &picture(&shape, Content::Gradient, 1), &parameters);
    let first = sound.windows(2).position(|marker| marker == [0xFF, 0x90]).unwrap();
    let step = if cfg!(miri) { 61 } else { 1 };
    for at in (0..first + 14).step_by(step) {
        provoke(&sound[..at]);
        for byte in [0, 1, 0x7F, 0x80, 0xFE, 0xFF, sound[at].wrapping_add(1), sound[at].wrapping_sub(1)] {
            provoke(&patched(&sound, &[(at, &[byte])]));
        }
    }
}
