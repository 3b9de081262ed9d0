//! The kept corpus of the fuzz targets, through what the targets do; no nightly compiler is needed.

#[path = "../../fuzz/src/lib.rs"]
#[allow(dead_code, reason = "the targets use all of it")]
mod harness;

use std::path::Path;

/// The corpus stays small: files and bytes of both targets together.
const FILES_MAX: usize = 200;
const BYTES_MAX: usize = 300_000;

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let all: Vec<Vec<u8>> =
        crate::datasets::files_below(&folder).iter().map(|path| std::fs::read(path).unwrap()).collect();
    assert!(!all.is_empty(), "{} is empty", folder.display());
    all
}

#[test]
fn the_corpus_is_clean_and_small() {
    if cfg!(miri) {
        return;
    }
    let (decode, round_trip) = (corpus("decode"), corpus("round_trip"));
    decode.iter().for_each(|data| harness::decode(data));
    round_trip.iter().for_each(|data| harness::round_trip(data));
    let all = || decode.iter().chain(&round_trip);
    let (files, bytes) = (all().count(), all().map(Vec::len).sum::<usize>());
    assert!(files <= FILES_MAX && bytes <= BYTES_MAX, "{files} files, {bytes} bytes");
}
