//! Known answers, real files beside their uncompressed twins, and hostile bytes.

use std::path::{Path, PathBuf};

use proptest::prelude::*;
use sha2::{Digest, Sha256};

use super::*;

/// T.87 Annex H.3: 4 by 4 samples, with every kind of code word.
const ANNEX_H: [u8; 52] = [
    0xFF, 0xD8, 0xFF, 0xF7, 0x00, 0x0B, 0x08, 0x00, 0x04, 0x00, 0x04, 0x01, 0x01, 0x11, 0x00, 0xFF, 0xDA, 0x00, 0x08,
    0x01, 0x01, 0x00, 0x00, 0x00, 0x00, 0xC0, 0x00, 0x00, 0x6C, 0x80, 0x20, 0x8E, 0x01, 0xC0, 0x00, 0x00, 0x57, 0x40,
    0x00, 0x00, 0x6E, 0xE6, 0x00, 0x00, 0x01, 0xBC, 0x18, 0x00, 0x00, 0x05, 0xD8, 0x00,
];

#[test]
fn the_example_of_the_standard_is_decoded_and_every_cut_of_it_is_an_error() {
    let bytes = [&ANNEX_H[..], &[0x00, 0x91, 0x60, 0xFF, 0xD9]].concat();
    let expected = vec![0, 0, 90, 74, 68, 50, 43, 205, 64, 145, 145, 145, 100, 145, 145, 145];
    assert_eq!(decode(&bytes).unwrap().values(), &Values::U8(expected));
    // The last byte of coded data may be cut: nothing but padding is in it.
    for cut in 0..bytes.len() - 4 {
        assert!(decode(&bytes[..cut]).is_err(), "cut at {cut}");
    }
}

#[test]
fn what_is_not_read_is_refused_by_name() {
    let check = |at: usize, byte: u8, expected: &str| {
        let mut bytes = ANNEX_H.to_vec();
        bytes[at] = byte;
        let error = decode(&bytes).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    check(13, 0x21, "sub-sampled");
    check(21, 1, "mapping table");
    check(24, 1, "point transform");
    check(23, 3, "interleave mode 3");
    check(20, 9, "component 9");
    check(6, 17, "2 to 16 bits");
    let mut bytes = ANNEX_H.to_vec();
    bytes.splice(2..2, [0xFF, 0xDD, 0, 4, 0, 1]);
    assert!(decode(&bytes).unwrap_err().to_string().contains("restart"));
}

#[test]
fn a_header_that_claims_the_moon_is_refused_before_anything_is_allocated() {
    let mut bytes = ANNEX_H.to_vec();
    bytes[7..11].fill(0xFF);
    assert!(matches!(decode(&bytes), Err(Error::TooLarge { .. })));
}

fn datasets() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/datasets");
    let found = path.join("MANIFEST.csv").exists().then_some(path);
    if found.is_none() {
        println!("skipped: ../shared/datasets is not here");
    }
    found
}

/// SHA-256 of the interleaved samples as two other decoders (CharLS and libjpeg) give them.
const CONFORMANCE: [(&str, &str); 8] = [
    ("t8c0e0.jls", "ed1fce22a62e4194dd75dd98e7c04aa6978a2858108714876a615c5d5d3c7dff"),
    ("t8c0e3.jls", "646fdbe8c1803837e525e3532235b754281a119da35c05cb592f49aca41e7a27"),
    ("t8c1e0.jls", "ed1fce22a62e4194dd75dd98e7c04aa6978a2858108714876a615c5d5d3c7dff"),
    ("t8c1e3.jls", "fbd5eaee7fec23b8c0032fc1452ddb01e01c7f25a208e49d6ceeaee6ade42084"),
    ("t8c2e0.jls", "ed1fce22a62e4194dd75dd98e7c04aa6978a2858108714876a615c5d5d3c7dff"),
    ("t8c2e3.jls", "0981274192e6ef2d83618232d48cf9f8f42d06e99b45374a7216665eed2e8348"),
    ("t8nde0.jls", "3412f83ce18bc5e2cb4964a58d27981b8cc3cfb56f4a15c908ab9b49ec47706d"),
    ("t8nde3.jls", "d49ce4a0281bb90abcbcb2154d37e42db6aa9fdbfb24e87df17bd77d4f61c394"),
];

#[test]
fn conformance_streams_decode_to_the_samples_of_two_other_decoders() {
    let Some(root) = datasets() else { return };
    for (name, expected) in CONFORMANCE {
        let bytes = std::fs::read(root.join("codestreams-jpegls").join(name)).unwrap();
        let samples = decode(&bytes).unwrap();
        let Values::U8(values) = samples.values() else { panic!("{name} has 8 bits") };
        let digest: String = Sha256::digest(values).iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, expected, "{name}");
    }
    let sub_sampled = std::fs::read(root.join("codestreams-jpegls/t8sse0.jls")).unwrap();
    assert!(decode(&sub_sampled).unwrap_err().to_string().contains("sub-sampled"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    /// No bytes make it do anything but answer: noise behind good headers of any depth, NEAR and interleaving.
    #[test]
    fn noise_is_answered(
        noise in proptest::collection::vec(any::<u8>(), 0..400), precision in 2u8..=16, near in 0u8..8, interleave in 0u8..3,
        width in 1u8..60, height in 1u8..40, colour: bool,
    ) {
        let count = if colour && interleave > 0 { 3 } else { 1 };
        let mut bytes = vec![0xFF, 0xD8, 0xFF, 0xF7, 0, 8 + 3 * count, precision, 0, height, 0, width, count];
        (1..=count).for_each(|id| bytes.extend([id, 0x11, 0]));
        bytes.extend([0xFF, 0xDA, 0, 6 + 2 * count, count]);
        (1..=count).for_each(|id| bytes.extend([id, 0]));
        bytes.extend([near, interleave, 0]);
        bytes.extend(noise);
        let _ = decode(&bytes);
    }

    /// One byte of a good stream changed.
    #[test]
    fn damage_is_answered(at in 0usize..52, byte: u8) {
        let mut bytes = [&ANNEX_H[..], &[0x00, 0x91, 0x60, 0xFF, 0xD9]].concat();
        bytes[at] = byte;
        let _ = decode(&bytes);
    }
}
