//! parse(write(x)) = x.

use proptest::prelude::*;

use super::super::*;
use super::random::{Picture, picture};

/// Tile `index` of `bytes` has the code-blocks that were written, in the `resolutions` lowest levels.
fn check_tile(picture: &Picture, bytes: &[u8], index: u32, resolutions: u8, blocks: &mut TileBlocks) {
    let stream = Codestream::parse(bytes).unwrap();
    stream.read_tile(index, resolutions, blocks).unwrap();
    let (coded, arenas) = picture.coded(index);
    assert_eq!(blocks.tile, picture.tile(index));
    assert!(!blocks.is_truncated && blocks.unread_bytes == 0);
    let levels = picture.cod.coding.grid.decompositions + 1;
    assert_eq!(blocks.complete_resolutions, resolutions.min(levels));
    let bands = blocks.tile.components.iter().flat_map(|component| component.resolutions.iter().zip(0..));
    for (band, level) in bands.flat_map(|(resolution, level)| resolution.subbands.iter().map(move |band| (band, level)))
    {
        let (first, number) = (band.first_block, (band.columns * band.rows) as usize);
        for (index, &written) in coded.iter().enumerate().skip(first).take(number) {
            let written = if level < resolutions { written } else { CodedBlock::default() };
            let end = written.start + written.length as usize;
            let expected = &arenas[written.arena as usize][written.start..end];
            let read = blocks.blocks[index];
            assert_eq!((read.passes, read.zero_bit_planes), (written.passes, written.zero_bit_planes));
            assert_eq!((blocks.cleanup(bytes, index), blocks.refinement(bytes, index)), (expected, &[][..]));
        }
    }
}

/// Ends of resolution levels are where a prefix is complete, and one byte less is not; TLM alone says no less.
fn check_ends(picture: &Picture, bytes: &[u8]) {
    let stream = Codestream::parse(bytes).unwrap();
    let ends = stream.resolution_ends().unwrap();
    let complete = |length: usize| Codestream::parse(&bytes[..length]).unwrap().resolution_ends().unwrap().len();
    assert_eq!(ends.len(), usize::from(picture.cod.coding.grid.decompositions) + 1);
    for (level, &end) in ends.iter().enumerate() {
        // Levels without a precinct end where the one below them does, or nowhere.
        if end > ends[..level].last().copied().unwrap_or(0) {
            assert!(complete(end) > level && complete(end - 1) <= level, "{level}: {ends:?}");
        }
    }
    let announced = stream.announced_resolution_ends();
    assert_eq!(announced.is_some(), picture.tlm && (picture.by_resolution || ends.len() == 1));
    for (announced, exact) in announced.iter().flatten().zip(&ends) {
        assert!(announced >= exact);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(192))]

    #[test]
    fn what_is_written_is_read(picture in picture(), resolutions in 1u8..8) {
        let bytes = picture.write();
        let stream = Codestream::parse(&bytes).unwrap();
        prop_assert_eq!(stream.siz(), &picture.siz);
        prop_assert_eq!(stream.cod(0), &picture.cod);
        prop_assert_eq!(stream.qcd(0, 0).unwrap(), &picture.qcd());
        prop_assert_eq!(stream.cap().magnitude_bound, 31);
        prop_assert!(!stream.is_truncated());
        prop_assert_eq!(stream.comments().map(|text| text[2..].to_vec()).collect::<Vec<_>>(), [b"written to be read"]);
        let mut blocks = TileBlocks::new();
        for index in 0..picture.siz.tiles() {
            check_tile(&picture, &bytes, index, u8::MAX, &mut blocks);
            check_tile(&picture, &bytes, index, resolutions, &mut blocks);
        }
        check_ends(&picture, &bytes);
    }
}

/// A mammogram's own numbers: one tile, RPCL, a tile-part a resolution level; TLM says where each ends.
#[test]
fn tile_parts_end_where_tlm_says() {
    let grid =
        crate::geometry::Grid { decompositions: 6, block_width_log2: 6, block_height_log2: 6, precincts_log2: vec![] };
    let coding = Coding { grid, block_style: STYLE_HIGH_THROUGHPUT, reversible: true };
    let cod =
        Cod { progression: Progression::Rpcl, layers: 1, colour_transform: false, sop: false, eph: false, coding };
    let siz = Siz::plain(3328, 4096, 1, 12, false);
    let picture = Picture { siz, cod, by_resolution: true, tlm: true, seed: 7, empty_eighths: 1 };
    let bytes = picture.write();
    let stream = Codestream::parse(&bytes).unwrap();
    let ends = stream.resolution_ends().unwrap();
    assert_eq!(stream.announced_resolution_ends().unwrap(), ends);
    let head = Codestream::parse(&bytes[..stream.main_header_bytes() + 2]).unwrap();
    assert_eq!(head.announced_resolution_ends().unwrap(), ends);
    assert_eq!(*ends.last().unwrap(), bytes.len() - 2);
}

/// What the writer cannot say is refused before a byte of it is used.
#[test]
fn impossible_pictures_are_not_written() {
    let siz = Siz::plain(64, 64, 1, 8, false);
    let grid =
        crate::geometry::Grid { decompositions: 1, block_width_log2: 6, block_height_log2: 6, precincts_log2: vec![] };
    let coding = Coding { grid, block_style: STYLE_HIGH_THROUGHPUT, reversible: true };
    let good =
        Cod { progression: Progression::Cprl, layers: 1, colour_transform: false, sop: false, eph: false, coding };
    let qcd = Qcd { guard_bits: 1, steps: Steps::Reversible(vec![8, 9, 9, 10]) };
    let by_resolution = WriterOptions { tile_parts_by_resolution: true, ..WriterOptions::default() };
    let (mut writer, mut out) = (Writer::new(), Vec::new());
    let mut begin = |cod: &Cod, options: &WriterOptions| {
        writer.begin(&mut out, &siz, cod, &qcd, &Cap::plain(false, 10), options).is_ok()
    };
    assert!(begin(&good, &WriterOptions::default()));
    assert!(!begin(&good, &by_resolution));
    assert!(!begin(&Cod { layers: 2, ..good.clone() }, &WriterOptions::default()));
    let tile = siz.cut(0, &good.coding.grid).unwrap();
    let block = CodedBlock { arena: 0, start: 0, length: 3, zero_bit_planes: 1, passes: 1 };
    for bad in
        [CodedBlock { length: 1, ..block }, CodedBlock { length: 65_535, ..block }, CodedBlock { start: 9, ..block }]
    {
        let (mut writer, mut out) = (Writer::new(), Vec::new());
        writer.begin(&mut out, &siz, &good, &qcd, &Cap::plain(false, 10), &WriterOptions::default()).unwrap();
        let coded = [bad, block, block, block];
        assert!(writer.tile(&mut out, 0, &tile, &good, &coded, &[[0; 8]]).is_err(), "{bad:?}");
    }
}
