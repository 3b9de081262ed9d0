//! The outputs of all tasks of a tile, kept from tile to tile and from picture to picture.

use std::sync::{Mutex, PoisonError};

use super::bands::{Coded, CodedSpan, locked};
use crate::codestream::{CodedBlock, Qcd};
use crate::error::{Error, Result};
use crate::geometry::Tile;

/// One [`Coded`] a task; a tile-component's levels claim theirs one after the other.
#[derive(Default)]
pub(super) struct Tasks {
    all: Vec<Mutex<Coded>>,
    used: usize,
    arenas: Vec<Vec<u8>>,
    blocks: Vec<CodedBlock>,
    planes: Vec<u8>,
}

impl Tasks {
    /// Begins a tile.
    pub fn clear(&mut self) {
        self.used = 0;
    }

    /// The next `count` outputs.
    pub fn claim(&mut self, count: usize) -> &[Mutex<Coded>] {
        let from = self.used;
        self.used += count;
        if self.all.len() < self.used {
            self.all.resize_with(self.used, Default::default);
        }
        &self.all[from..self.used]
    }

    /// Everything claimed, as the packets want it: the table of a tile's code-blocks, and the arenas they lie in.
    ///
    /// # Errors
    /// [`Error::BadParameters`] when a coefficient has more bits than `qcd` gives its subband: our own mistake.
    pub fn table(&mut self, tile: &Tile, qcd: &Qcd) -> Result<(&[CodedBlock], &[Vec<u8>])> {
        self.planes(tile, qcd)?;
        self.blocks.clear();
        self.blocks.resize(tile.blocks, CodedBlock::default());
        self.arenas.resize_with(self.used.max(self.arenas.len()), Vec::new);
        for (arena, task) in self.all[..self.used].iter_mut().enumerate() {
            let task = task.get_mut().unwrap_or_else(PoisonError::into_inner);
            for &CodedSpan { index, start, length, magnitude_bits } in &task.blocks {
                let planes = self.planes[index];
                if magnitude_bits > planes {
                    let detail =
                        format!("code-block {index} has {magnitude_bits} magnitude bits, and QCD says {planes}");
                    return Err(Error::BadParameters(detail));
                }
                let zero_bit_planes = planes - 1;
                self.blocks[index] = CodedBlock { arena: arena as u32, start, length, zero_bit_planes, passes: 1 };
            }
            // The arena of the tile before goes to the task, so that both keep their memory.
            std::mem::swap(&mut self.arenas[arena], &mut task.bytes);
        }
        Ok((&self.blocks, &self.arenas))
    }

    /// The magnitude bits M_b of each code-block's subband.
    fn planes(&mut self, tile: &Tile, qcd: &Qcd) -> Result<()> {
        self.planes.clear();
        self.planes.resize(tile.blocks, 0);
        for component in &tile.components {
            let decompositions = (component.resolutions.len() - 1) as u8;
            for band in component.resolutions.iter().flat_map(|level| &level.subbands) {
                let planes = qcd.magnitude_bits(decompositions, band.orientation, band.level)?;
                let count = band.columns as usize * band.rows as usize;
                self.planes[band.first_block..band.first_block + count].fill(planes);
            }
        }
        Ok(())
    }

    /// Largest low coefficient that the last `count` tasks made.
    pub fn low_peak(&self, count: usize) -> i32 {
        self.all[self.used - count..self.used].iter().map(|task| locked(task).low_peak).max().unwrap_or(0)
    }
}
