//! Codestreams of other encoders: the conformance streams of T.803 and those of OpenJPH, OpenJPEG and others.

use std::path::{Path, PathBuf};

use super::super::*;
use crate::error::Error;

/// All of `codestreams-htj2k`; nothing if the data sets are not here.
pub(super) fn all() -> Vec<(String, Vec<u8>)> {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/datasets/codestreams-htj2k"));
    if !root.is_dir() {
        println!("skipped: ../shared/datasets is not here");
    }
    let names = |folder: &str| -> Vec<PathBuf> {
        let entries = std::fs::read_dir(root.join(folder)).into_iter().flatten();
        entries.map(|entry| entry.unwrap().path()).collect()
    };
    let mut paths: Vec<PathBuf> =
        ["conformance", "medical", "openjph", "regression"].into_iter().flat_map(names).collect();
    paths.retain(|path| path.extension().is_some_and(|kind| kind.to_string_lossy().starts_with('j')));
    paths.sort();
    let name = |path: &PathBuf| path.file_name().unwrap().to_string_lossy().into_owned();
    paths.iter().map(|path| (name(path), std::fs::read(path).unwrap())).collect()
}

/// Uses a stream of T.801, which is not supported.
pub(super) const LOW_LATENCY: &str = "simple_dec_irv53_bhvhb_low_latency.jph";

/// The packets of every tile end with the last byte of its tile-parts, and every resolution level is there.
#[test]
fn packets_use_up_every_byte() {
    let mut blocks = TileBlocks::new();
    for (name, file) in all() {
        let bytes = contiguous(&file).unwrap();
        if name == LOW_LATENCY {
            let Err(Error::Unsupported { what, .. }) = Codestream::parse(bytes) else { panic!("{name}") };
            assert!(what.starts_with("ATK"), "{what}");
            continue;
        }
        let stream = Codestream::parse(bytes).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(!stream.is_truncated(), "{name}");
        let mut inside = 0;
        for tile in 0..stream.siz().tiles() {
            stream.read_tile(tile, u8::MAX, &mut blocks).unwrap_or_else(|error| panic!("{name}: {error}"));
            assert_eq!((blocks.is_truncated, blocks.unread_bytes), (false, 0), "{name} tile {tile}");
            inside +=
                blocks.blocks.iter().map(|block| block.cleanup.length() + block.refinement.length()).sum::<usize>();
        }
        let ends = stream.resolution_ends().unwrap();
        assert_eq!(*ends.last().unwrap(), bytes.len() - 2, "{name}");
        assert!(inside > 0 && inside < bytes.len(), "{name}");
    }
}
