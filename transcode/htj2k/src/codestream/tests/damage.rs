//! Prefixes, flipped bits and hostile headers.

use proptest::prelude::*;

use super::super::*;
use super::random::{Numbers, Picture, picture};
use super::streams;
use crate::error::Error;

/// Reads everything; returns how many code-blocks have bytes.
fn read_all(bytes: &[u8], blocks: &mut TileBlocks) -> Result<usize, Error> {
    let stream = Codestream::parse(bytes)?;
    let mut filled = 0;
    for tile in 0..stream.siz().tiles().min(64) {
        stream.read_tile(tile, u8::MAX, blocks)?;
        for (index, block) in blocks.blocks.iter().enumerate().filter(|(_, block)| block.passes > 0) {
            assert!((1..=3).contains(&block.passes));
            assert!(blocks.cleanup(bytes, index).len() >= 2 && blocks.refinement(bytes, index).len() <= 2046);
            filled += 1;
        }
    }
    Ok(filled)
}

/// Every prefix behind the main header is legal, and more bytes never mean fewer code-blocks.
fn check_prefixes(bytes: &[u8], step: usize) {
    let header = Codestream::parse(bytes).unwrap().main_header_bytes() + 2;
    let (mut blocks, mut before) = (TileBlocks::new(), 0);
    for length in (0..=bytes.len()).step_by(step) {
        match read_all(&bytes[..length], &mut blocks) {
            Ok(filled) => {
                assert!(length >= header && filled >= before, "{filled} blocks at {length}, {before} before");
                before = filled;
            }
            Err(error) => assert!(length < header, "{length}: {error}"),
        }
    }
    assert!(read_all(bytes, &mut blocks).unwrap() >= before);
}

#[test]
fn every_prefix_of_real_streams_is_read() {
    for (name, file) in streams::all() {
        let bytes = contiguous(&file).unwrap();
        if name.starts_with("ds1_ht_0") || name.contains("yuv") || name.contains("narrow") || name == "byte.jph" {
            check_prefixes(bytes, (bytes.len() / 400).max(1));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn every_prefix_is_read(picture in picture()) {
        let bytes = picture.write();
        check_prefixes(&bytes, (bytes.len() / 300).max(1));
    }

    /// Flipped bits give a picture or an error.
    #[test]
    fn flipped_bits_do_not_panic(picture in picture(), seed in any::<u64>()) {
        flip(&picture.write(), seed, 40);
    }
}

/// Some bits of `bytes` are flipped, mostly in headers.
fn flip(bytes: &[u8], seed: u64, times: usize) {
    let (mut numbers, mut blocks) = (Numbers(seed), TileBlocks::new());
    for _ in 0..times {
        let mut bad = bytes.to_vec();
        for _ in 0..=numbers.next(3) {
            let within = if numbers.next(2) == 0 { bad.len().min(300) } else { bad.len() };
            bad[numbers.next(within as u64) as usize] ^= 1 << numbers.next(8);
        }
        let _ = read_all(&bad, &mut blocks);
    }
}

#[test]
fn flipped_bits_in_real_streams_do_not_panic() {
    for (name, file) in streams::all() {
        let bytes = contiguous(&file).unwrap();
        if name != streams::LOW_LATENCY && bytes.len() < 50_000 {
            flip(bytes, bytes.len() as u64, 60);
        }
    }
}

/// A small picture whose header is then changed.
fn small() -> Picture {
    let grid = crate::geometry::Grid {
        decompositions: 1,
        block_width_log2: 2,
        block_height_log2: 2,
        precincts_log2: vec![(1, 1), (1, 1)],
    };
    let coding = Coding { grid, block_style: STYLE_HIGH_THROUGHPUT, reversible: true };
    let cod =
        Cod { progression: Progression::Rpcl, layers: 1, colour_transform: false, sop: false, eph: false, coding };
    let siz = Siz::plain(16, 16, 1, 8, false);
    Picture { siz, cod, by_resolution: false, tlm: false, seed: 1, empty_eighths: 0 }
}

/// A header of a few bytes that claims a huge tile is refused before its tables are made.
#[test]
fn huge_claims_are_refused() {
    let check = |bytes: &[u8]| {
        let stream = Codestream::parse(bytes).unwrap();
        let refused = stream.read_tile(0, u8::MAX, &mut TileBlocks::new()).unwrap_err();
        assert!(matches!(refused, Error::TooLarge { .. }), "{refused}");
    };
    let mut bytes = small().write();
    for edge in [8, 12, 24, 28] {
        bytes[edge..edge + 4].copy_from_slice(&[0, 1, 0, 0]);
    }
    check(&bytes);
    let mut many = small();
    (many.siz, many.cod.coding.grid.precincts_log2) = (Siz::plain(16, 16, 1, 8, false), vec![]);
    let mut bytes = many.write();
    for edge in [8, 12, 24, 28] {
        bytes[edge..edge + 4].copy_from_slice(&[0, 0, 0x30, 0]);
    }
    check(&bytes);
}

/// A long list of changes of progression does not matter once all packets are there; one that never comes to a packet is
/// stopped.
#[test]
fn endless_changes_are_refused() {
    let mut picture = small();
    picture.siz = Siz::plain(1024, 1024, 1, 8, false);
    let bytes = picture.write();
    let read = |change: [u8; 7]| {
        let at = Codestream::parse(&bytes).unwrap().main_header_bytes();
        let poc = [&[0xFF, 0x5F, 0xFF, 0xF9][..], &change.repeat(9361)].concat();
        let changed = [&bytes[..at], &poc[..], &bytes[at..]].concat();
        Codestream::parse(&changed).unwrap().read_tile(0, u8::MAX, &mut TileBlocks::new())
    };
    // From level 0 to 33, then from level 1 to 1.
    assert_eq!(read([0, 0, 0, 1, 33, 1, 2]), Ok(()));
    assert!(matches!(read([1, 0, 0, 1, 1, 1, 2]), Err(Error::TooLarge { .. })));
}

/// A Part 1 codestream and a mixed one are named as such.
#[test]
fn what_is_not_high_throughput_is_named() {
    let good = small().write();
    let cap = good.windows(2).position(|pair| pair == marker::CAP.to_be_bytes()).unwrap();
    let without = [&good[..cap], &good[cap + 10..]].concat();
    let cod = good.windows(2).position(|pair| pair == marker::COD.to_be_bytes()).unwrap();
    let with = |at: usize, value: u8| {
        let mut bad = good.clone();
        bad[at] = value;
        bad
    };
    for bad in [without, with(cap + 8, 0xC0), with(cod + 12, 0), with(cod + 12, 0xC0)] {
        assert!(matches!(Codestream::parse(&bad), Err(Error::NotHighThroughput { .. })));
    }
}
