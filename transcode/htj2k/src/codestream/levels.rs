//! Which resolution levels of a tile are complete, and where.

use super::progression::Place;
use super::tile::{COMPONENTS_READ_MAX, TileBlocks};
use crate::geometry::Tile;

/// Resolution levels of 32 decompositions.
const LEVELS_MAX: usize = 33;

/// What of each resolution level of the picture is there.
pub(super) struct Levels {
    /// Decompositions of each component.
    pub(super) decompositions: [u8; COMPONENTS_READ_MAX as usize],
    highest: u8,
    /// How many are wanted.
    wanted: u8,
    /// Packets of each level that are still to come.
    missing: [u64; LEVELS_MAX],
    ends: [usize; LEVELS_MAX],
    /// Wanted packets that are still to come.
    pub(super) left: u64,
}

impl Levels {
    pub(super) fn new(tile: &Tile, places: &[Place], layers: u16, resolutions: u8) -> Levels {
        let mut decompositions = [0; COMPONENTS_READ_MAX as usize];
        for (own, component) in decompositions.iter_mut().zip(&tile.components) {
            *own = component.resolutions.len() as u8 - 1;
        }
        let highest = decompositions[..tile.components.len()].iter().copied().max().unwrap_or(0);
        let wanted = resolutions.min(highest + 1);
        let (missing, ends) = ([0; LEVELS_MAX], [0; LEVELS_MAX]);
        let mut levels = Levels { decompositions, highest, wanted, missing, ends, left: 0 };
        for place in places {
            let level = levels.of(place);
            levels.missing[level] += u64::from(layers);
        }
        levels.left = levels.missing[..usize::from(wanted)].iter().sum();
        levels
    }

    /// The picture's resolution level to which a precinct belongs.
    fn of(&self, place: &Place) -> usize {
        if place.resolution == 0 {
            return 0;
        }
        usize::from(place.resolution + self.highest - self.decompositions[usize::from(place.component)])
    }

    pub(super) fn wants(&self, place: &Place) -> bool {
        self.of(place) < usize::from(self.wanted)
    }

    pub(super) fn are_all(&self) -> bool {
        self.wanted > self.highest
    }

    /// One packet is read, up to byte `end`.
    pub(super) fn count(&mut self, place: &Place, end: usize) {
        let level = self.of(place);
        self.missing[level] -= 1;
        self.ends[level] = self.ends[level].max(end);
        self.left -= u64::from(self.wants(place));
    }

    pub(super) fn report(&self, into: &mut TileBlocks) {
        let complete = self.missing[..usize::from(self.wanted)].iter().take_while(|&&missing| missing == 0).count();
        into.complete_resolutions = complete as u8;
        into.resolution_ends.clear();
        let mut end = 0;
        for &own in &self.ends[..complete] {
            end = own.max(end);
            into.resolution_ends.push(end);
        }
    }
}
