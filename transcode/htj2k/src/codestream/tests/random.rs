//! Random pictures to write: geometry, coding style and code-blocks of random bytes.

use proptest::prelude::*;

use super::super::*;
use crate::geometry::{Grid, Rect, Tile};

/// What a codestream is written from.
#[derive(Clone, Debug)]
pub(super) struct Picture {
    pub(super) siz: Siz,
    pub(super) cod: Cod,
    pub(super) by_resolution: bool,
    pub(super) tlm: bool,
    /// Seed of the code-blocks.
    pub(super) seed: u64,
    /// Of 8 code-blocks, how many are empty.
    pub(super) empty_eighths: u64,
}

/// A small generator of numbers: SplitMix64.
pub(super) struct Numbers(pub(super) u64);

impl Numbers {
    pub(super) fn next(&mut self, below: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % below
    }
}

impl Picture {
    pub(super) fn qcd(&self) -> Qcd {
        let subbands = 3 * usize::from(self.cod.coding.grid.decompositions) + 1;
        Qcd { guard_bits: 1, steps: Steps::Reversible(vec![30; subbands]) }
    }

    pub(super) fn tile(&self, index: u32) -> Tile {
        self.siz.cut(index, &self.cod.coding.grid).unwrap()
    }

    /// The code-blocks of tile `index`, in one of three arenas each.
    pub(super) fn coded(&self, index: u32) -> (Vec<CodedBlock>, [Vec<u8>; 3]) {
        let mut numbers = Numbers(self.seed ^ u64::from(index));
        let mut arenas: [Vec<u8>; 3] = Default::default();
        let coded = (0..self.tile(index).blocks).map(|_| {
            if numbers.next(8) < self.empty_eighths {
                return CodedBlock::default();
            }
            let arena = numbers.next(3) as u32;
            let most = [8, 70, 700][numbers.next(3) as usize];
            let (length, zero_bit_planes) = (2 + numbers.next(most) as u32, numbers.next(30) as u8);
            let bytes = &mut arenas[arena as usize];
            let start = bytes.len();
            bytes.extend((0..length).map(|_| numbers.next(144) as u8));
            CodedBlock { arena, start, length, zero_bit_planes, passes: 1 }
        });
        (coded.collect(), arenas)
    }

    pub(super) fn write(&self) -> Vec<u8> {
        let options = WriterOptions {
            tile_parts_by_resolution: self.by_resolution,
            tlm: self.tlm,
            comment: Some("written to be read"),
        };
        let (mut writer, mut out) = (Writer::new(), Vec::new());
        let cap = Cap::plain(false, self.qcd().magnitude_bound(self.cod.coding.grid.decompositions).unwrap());
        writer.begin(&mut out, &self.siz, &self.cod, &self.qcd(), &cap, &options).unwrap();
        for index in 0..self.siz.tiles() {
            let (coded, arenas) = self.coded(index);
            writer.tile(&mut out, index, &self.tile(index), &self.cod, &coded, &arenas).unwrap();
        }
        writer.finish(&mut out).unwrap();
        out
    }
}

fn grid() -> impl Strategy<Value = Grid> {
    (0u8..6, 2u8..=6, 2u8..=6, any::<bool>(), prop::collection::vec((1u8..8, 1u8..8), 6)).prop_map(
        |(decompositions, block_width_log2, block_height_log2, precincts, sizes)| {
            let levels = if precincts { usize::from(decompositions) + 1 } else { 0 };
            let precincts_log2 = sizes[..levels].to_vec();
            Grid { decompositions, block_width_log2, block_height_log2, precincts_log2 }
        },
    )
}

fn siz() -> impl Strategy<Value = Siz> {
    let sizes = prop::collection::vec((1u8..=3, 1u8..=3), 1..=4);
    (1u32..300, 1u32..200, 0u32..40, 0u32..40, 1u32..4, 1u32..4, sizes).prop_map(
        |(width, height, x0, y0, wide, high, sampling)| {
            let mut siz = Siz::plain(1, 1, sampling.len() as u8, 12, true);
            siz.image = Rect { x0, y0, x1: x0 + width, y1: y0 + height };
            siz.tile_origin = (x0 / 2, y0 / 2);
            let size =
                |origin: u32, start: u32, end: u32, tiles: u32| (end - origin).div_ceil(tiles).max(start - origin + 1);
            siz.tile_size = (size(x0 / 2, x0, x0 + width, wide), size(y0 / 2, y0, y0 + height, high));
            siz.components.iter_mut().zip(sampling).for_each(|(size, (dx, dy))| (size.dx, size.dy) = (dx, dy));
            siz
        },
    )
}

/// Any picture that can be written.
pub(super) fn picture() -> impl Strategy<Value = Picture> {
    let order = prop::sample::select(vec![
        Progression::Lrcp,
        Progression::Rlcp,
        Progression::Rpcl,
        Progression::Pcrl,
        Progression::Cprl,
    ]);
    let flags = (any::<bool>(), any::<bool>(), any::<bool>(), any::<bool>());
    (siz(), grid(), order, flags, any::<u64>(), 0u64..=8).prop_map(|(siz, grid, progression, flags, seed, empty)| {
        let (sop, eph, by_resolution, tlm) = flags;
        let coding = Coding { grid, block_style: STYLE_HIGH_THROUGHPUT, reversible: true };
        let cod = Cod { progression, layers: 1, colour_transform: false, sop, eph, coding };
        let by_resolution = by_resolution && progression.is_by_resolution();
        Picture { siz, cod, by_resolution, tlm, seed, empty_eighths: empty }
    })
}
