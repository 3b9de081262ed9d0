//! Progression orders (T.800 B.12) and their changes (A.6.6): in which order the packets of a tile stand.

use std::ops::ControlFlow;

use super::cursor::Cursor;
use super::sort::sort_by_key;
use crate::error::{Error, Result};
use crate::geometry::Tile;

/// Precincts that one tile may have: bounds what a header can make us allocate to 40 bytes times this.
pub const TILE_PRECINCTS_MAX: u64 = 1 << 20;
/// Places looked at without a packet being there, before a list of changes counts as an attack.
const IDLE_STEPS_MAX: u64 = 1 << 26;

/// The order of packets: Layer, Resolution level, Component, Position.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Progression {
    /// Layer, resolution level, component, position.
    Lrcp = 0,
    /// Resolution level, layer, component, position.
    Rlcp = 1,
    /// Resolution level, position, component, layer.
    Rpcl = 2,
    /// Position, component, resolution level, layer.
    Pcrl = 3,
    /// Component, position, resolution level, layer.
    Cprl = 4,
}

impl Progression {
    /// Whether a lower resolution level is over before a higher one begins, if there is one layer.
    pub fn is_by_resolution(self) -> bool {
        matches!(self, Progression::Lrcp | Progression::Rlcp | Progression::Rpcl)
    }

    pub(crate) fn read(segment: &mut Cursor) -> Result<Progression> {
        Ok(match segment.u8()? {
            0 => Progression::Lrcp,
            1 => Progression::Rlcp,
            2 => Progression::Rpcl,
            3 => Progression::Pcrl,
            4 => Progression::Cprl,
            other => return Err(segment.damaged(format!("progression order {other}, and 0 to 4 are possible"))),
        })
    }
}

/// One entry of a POC marker segment: packets within its bounds that have not come yet, in its order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    /// RSpoc: first resolution level.
    pub resolution_start: u8,
    /// REpoc: resolution level after the last.
    pub resolution_end: u8,
    /// CSpoc: first component.
    pub component_start: u16,
    /// CEpoc: component after the last.
    pub component_end: u16,
    /// LYEpoc: layer after the last.
    pub layer_end: u16,
    /// Their order.
    pub progression: Progression,
}

impl Change {
    /// Everything, in one order.
    pub(crate) fn all(progression: Progression) -> Change {
        Change {
            resolution_start: 0,
            resolution_end: u8::MAX,
            component_start: 0,
            component_end: u16::MAX,
            layer_end: u16::MAX,
            progression,
        }
    }

    /// All entries of a POC marker segment.
    pub(crate) fn read_all(segment: &mut Cursor, components: usize, changes: &mut Vec<Change>) -> Result<()> {
        while segment.remaining() > 0 {
            let (resolution_start, component_start) = (segment.u8()?, segment.component(components)?);
            let (layer_end, resolution_end) = (segment.u16()?, segment.u8()?);
            // T.800 Table A.32: 0 stands for 256, or for 16384.
            let component_end = match segment.component(components)? {
                0 => 16_384,
                end => end,
            };
            let progression = Progression::read(segment)?;
            changes.push(Change {
                resolution_start,
                resolution_end,
                component_start,
                component_end,
                layer_end,
                progression,
            });
        }
        Ok(())
    }

    fn holds(&self, place: &Place) -> bool {
        (self.resolution_start..self.resolution_end).contains(&place.resolution)
            && (self.component_start..self.component_end).contains(&u16::from(place.component))
    }
}

/// One precinct of a tile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Row of the reference grid at which the position-first orders come to it.
    y: u64,
    /// Column of it.
    x: u64,
    /// Number in the tile: by component, resolution level, row and column.
    pub(crate) precinct: u32,
    /// Number in its resolution level, row by row.
    pub(crate) within: u32,
    pub(crate) component: u8,
    pub(crate) resolution: u8,
}

/// The packets of one tile in their order; its storage is reused from tile to tile.
#[derive(Debug, Default)]
pub(crate) struct Packets {
    /// All precincts by number.
    pub(crate) places: Vec<Place>,
    /// Those of one change, sorted.
    order: Vec<Place>,
    /// The layer that comes next, of each precinct.
    next_layer: Vec<u16>,
    idle: u64,
}

impl Packets {
    /// Lists the precincts of `tile`, whose components are sub-sampled by `sampling`.
    ///
    /// # Errors
    /// [`Error::TooLarge`] above [`TILE_PRECINCTS_MAX`].
    pub(crate) fn list(&mut self, tile: &Tile, sampling: &[(u8, u8)]) -> Result<()> {
        let levels = || tile.components.iter().flat_map(|component| &component.resolutions);
        let claimed: u64 =
            levels().map(|level| u64::from(level.precincts_wide) * u64::from(level.precincts_high)).sum();
        if claimed > TILE_PRECINCTS_MAX {
            return Err(Error::TooLarge { what: "precincts of a tile", claimed, limit: TILE_PRECINCTS_MAX });
        }
        self.places.clear();
        for (component, &sampling) in (0..tile.components.len()).zip(sampling) {
            for resolution in 0..tile.components[component].resolutions.len() {
                self.list_level(tile, component, resolution, sampling);
            }
        }
        Ok(())
    }

    fn list_level(&mut self, tile: &Tile, component: usize, resolution: usize, (dx, dy): (u8, u8)) {
        let level = &tile.components[component].resolutions[resolution];
        // T.800 B.12.1.3: a precinct's turn is where it begins, or where the tile begins if it began before.
        let turn = |number: u32, low: u32, log2: u8, down: u8, sampling: u8, tile_edge: u32| {
            if number == 0 && low & ((1 << log2) - 1) != 0 {
                return u64::from(tile_edge);
            }
            ((u64::from(low >> log2) + u64::from(number)) << log2 << down).saturating_mul(u64::from(sampling))
        };
        for row in 0..level.precincts_high {
            let y = turn(row, level.rect.y0, level.precinct_height_log2, level.down.1, dy, tile.rect.y0);
            for column in 0..level.precincts_wide {
                let x = turn(column, level.rect.x0, level.precinct_width_log2, level.down.0, dx, tile.rect.x0);
                let (precinct, within) = (self.places.len() as u32, row * level.precincts_wide + column);
                let (component, resolution) = (component as u8, resolution as u8);
                self.places.push(Place { y, x, precinct, within, component, resolution });
            }
        }
    }

    /// Visits every packet, `(precinct, layer)`, until `visit` breaks: by `changes` first, what they leave in `order`.
    pub(crate) fn walk(
        &mut self,
        changes: &[Change],
        order: Progression,
        layers: u16,
        visit: &mut dyn FnMut(&Place, u16) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        self.next_layer.clear();
        self.next_layer.resize(self.places.len(), 0);
        self.idle = 0;
        for change in changes.iter().chain([&Change::all(order)]) {
            self.select(change)?;
            let layers = layers.min(change.layer_end);
            let flow = match change.progression {
                Progression::Lrcp => self.layer_by_layer(0..self.order.len(), layers, visit)?,
                Progression::Rlcp => self.level_by_level(layers, visit)?,
                _ => self.place_by_place(layers, visit)?,
            };
            if flow.is_break() {
                break;
            }
        }
        Ok(())
    }

    /// Sorts what belongs to `change`.
    fn select(&mut self, change: &Change) -> Result<()> {
        self.idle(self.places.len())?;
        self.order.clear();
        self.order.extend(self.places.iter().filter(|place| change.holds(place)));
        let key = |p: &Place| match change.progression {
            Progression::Lrcp | Progression::Rlcp => (p.resolution, 0, 0, p.precinct),
            Progression::Rpcl => (p.resolution, p.y, p.x, p.precinct),
            Progression::Pcrl => (0, p.y, p.x, p.precinct),
            Progression::Cprl => (p.component, p.y, p.x, p.precinct),
        };
        sort_by_key(&mut self.order, key);
        Ok(())
    }

    fn layer_by_layer(
        &mut self,
        range: std::ops::Range<usize>,
        layers: u16,
        visit: &mut dyn FnMut(&Place, u16) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        for layer in 0..layers {
            for index in range.clone() {
                let place = self.order[index];
                let next = &mut self.next_layer[place.precinct as usize];
                if *next != layer {
                    self.idle(1)?;
                    continue;
                }
                *next += 1;
                if visit(&place, layer)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn level_by_level(
        &mut self,
        layers: u16,
        visit: &mut dyn FnMut(&Place, u16) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        let mut start = 0;
        while let Some(first) = self.order.get(start) {
            let level = first.resolution;
            let end = start + self.order[start..].partition_point(|place| place.resolution == level);
            if self.layer_by_layer(start..end, layers, visit)?.is_break() {
                return Ok(ControlFlow::Break(()));
            }
            start = end;
        }
        Ok(ControlFlow::Continue(()))
    }

    fn place_by_place(
        &mut self,
        layers: u16,
        visit: &mut dyn FnMut(&Place, u16) -> Result<ControlFlow<()>>,
    ) -> Result<ControlFlow<()>> {
        for index in 0..self.order.len() {
            let place = self.order[index];
            for layer in self.next_layer[place.precinct as usize]..layers {
                self.next_layer[place.precinct as usize] += 1;
                if visit(&place, layer)?.is_break() {
                    return Ok(ControlFlow::Break(()));
                }
            }
        }
        Ok(ControlFlow::Continue(()))
    }

    fn idle(&mut self, steps: usize) -> Result<()> {
        self.idle += steps as u64;
        if self.idle <= IDLE_STEPS_MAX {
            return Ok(());
        }
        Err(Error::TooLarge { what: "steps through progression changes", claimed: self.idle, limit: IDLE_STEPS_MAX })
    }
}
