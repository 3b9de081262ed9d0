//! The order of packets against the loops of the standard.

use std::ops::ControlFlow;

use proptest::prelude::*;

use super::super::progression::{Change, Packets, Progression};
use crate::geometry::{Grid, Rect, Split, Tile};

/// Component, resolution level, precinct and layer.
type Packet = (usize, usize, u32, u16);

/// The loops of T.800 B.12.1 as they are printed, over every point of the reference grid.
struct Printed<'a> {
    tile: &'a Tile,
    sampling: &'a [(u8, u8)],
    found: Vec<Packet>,
}

impl Printed<'_> {
    fn push(&mut self, change: &Change, packet: Packet) {
        let (component, resolution, _, layer) = packet;
        let in_bounds = (change.component_start..change.component_end).contains(&(component as u16))
            && (change.resolution_start..change.resolution_end).contains(&(resolution as u8))
            && layer < change.layer_end;
        if in_bounds && !self.found.contains(&packet) {
            self.found.push(packet);
        }
    }

    /// The precinct whose turn it is at a point, by the conditions of B.12.1.3 and equation B-20.
    fn at(&self, component: usize, resolution: usize, x: u32, y: u32) -> Option<u32> {
        let level = self.tile.components[component].resolutions.get(resolution)?;
        if level.rect.is_empty() {
            return None;
        }
        let number = |at: u32, tile_edge: u32, low: u32, sampling: u8, log2: u8, down: u8| {
            let step = u32::from(sampling) << (log2 + down);
            let began_before = !(low << down).is_multiple_of(1 << (log2 + down));
            let turn = at.is_multiple_of(step) || (at == tile_edge && began_before);
            turn.then(|| (at.div_ceil(u32::from(sampling) << down) >> log2) - (low >> log2))
        };
        let (dx, dy) = self.sampling[component];
        let column = number(x, self.tile.rect.x0, level.rect.x0, dx, level.precinct_width_log2, level.down.0)?;
        let row = number(y, self.tile.rect.y0, level.rect.y0, dy, level.precinct_height_log2, level.down.1)?;
        Some(row * level.precincts_wide + column)
    }

    fn run(&mut self, change: &Change, layers: u16) {
        let (components, rect) = (self.tile.components.len(), self.tile.rect);
        let resolutions = self.tile.components.iter().map(|component| component.resolutions.len()).max().unwrap();
        let points: Vec<(u32, u32)> =
            (rect.y0..rect.y1).flat_map(|y| (rect.x0..rect.x1).map(move |x| (x, y))).collect();
        let all = |tile: &Tile, r: usize| -> Vec<(usize, u32)> {
            let levels = tile.components.iter().enumerate().filter_map(|(c, of)| Some((c, of.resolutions.get(r)?)));
            levels.flat_map(|(c, l)| (0..l.precincts_wide * l.precincts_high).map(move |k| (c, k))).collect()
        };
        let order: Vec<(usize, usize, u32, u32)> = match change.progression {
            Progression::Lrcp => {
                for (l, r) in (0..layers).flat_map(|l| (0..resolutions).map(move |r| (l, r))) {
                    all(self.tile, r).into_iter().for_each(|(c, k)| self.push(change, (c, r, k, l)));
                }
                return;
            }
            Progression::Rlcp => {
                for (r, l) in (0..resolutions).flat_map(|r| (0..layers).map(move |l| (r, l))) {
                    all(self.tile, r).into_iter().for_each(|(c, k)| self.push(change, (c, r, k, l)));
                }
                return;
            }
            Progression::Rpcl => (0..resolutions)
                .flat_map(|r| points.iter().flat_map(move |&(x, y)| (0..components).map(move |c| (c, r, x, y))))
                .collect(),
            Progression::Pcrl => points
                .iter()
                .flat_map(|&(x, y)| (0..components).flat_map(move |c| (0..resolutions).map(move |r| (c, r, x, y))))
                .collect(),
            Progression::Cprl => (0..components)
                .flat_map(|c| points.iter().flat_map(move |&(x, y)| (0..resolutions).map(move |r| (c, r, x, y))))
                .collect(),
        };
        for (c, r, x, y) in order {
            if let Some(k) = self.at(c, r, x, y) {
                (0..layers).for_each(|l| self.push(change, (c, r, k, l)));
            }
        }
    }
}

fn progression() -> impl Strategy<Value = Progression> {
    use Progression::{Cprl, Lrcp, Pcrl, Rlcp, Rpcl};
    prop::sample::select(vec![Lrcp, Rlcp, Rpcl, Pcrl, Cprl])
}

fn change() -> impl Strategy<Value = Change> {
    (0u8..3, 0u8..6, 0u16..2, 0u16..4, 0u16..4, progression()).prop_map(|(rs, re, cs, ce, layer_end, progression)| {
        Change {
            resolution_start: rs,
            resolution_end: re,
            component_start: cs,
            component_end: ce,
            layer_end,
            progression,
        }
    })
}

fn component() -> impl Strategy<Value = ((u8, u8), Grid)> {
    let sizes = prop::collection::vec((1u8..5, 1u8..5), 5);
    let split = prop::sample::select(vec![Split::Both, Split::Horizontal, Split::Vertical]);
    let splits = prop_oneof![Just(vec![]), prop::collection::vec(split, 4)];
    ((1u8..4, 1u8..4), 0u8..5, sizes, splits).prop_map(|(sampling, decompositions, sizes, splits)| {
        let precincts_log2 = sizes[..=usize::from(decompositions)].to_vec();
        (sampling, Grid { decompositions, block_width_log2: 2, block_height_log2: 3, precincts_log2, splits })
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    /// Sorted precincts are visited in the order of the printed loops, with sub-sampling, components of different
    /// depth, levels that split in one direction only, and changes of progression.
    #[test]
    fn packets_come_in_the_printed_order(
        (x0, y0, width, height) in (0u32..40, 0u32..40, 1u32..28, 1u32..28),
        components in prop::collection::vec(component(), 1..4),
        changes in prop::collection::vec(change(), 0..4),
        order in progression(),
        layers in 1u16..4,
    ) {
        let cut: Vec<_> = components.iter().map(|(sampling, grid)| (*sampling, grid)).collect();
        let sampling: Vec<_> = components.iter().map(|(sampling, _)| *sampling).collect();
        let tile = Tile::new(Rect { x0, y0, x1: x0 + width, y1: y0 + height }, &cut).unwrap();
        let mut printed = Printed { tile: &tile, sampling: &sampling, found: Vec::new() };
        changes.iter().chain([&Change::all(order)]).for_each(|change| printed.run(change, layers));
        let (mut packets, mut found) = (Packets::default(), Vec::new());
        packets.list(&tile, &sampling).unwrap();
        packets.walk(&changes, order, layers, &mut |place, layer| {
            found.push((usize::from(place.component), usize::from(place.resolution), place.within, layer));
            Ok(ControlFlow::Continue(()))
        }).unwrap();
        prop_assert_eq!(found, printed.found);
    }
}
