//! Which part of every resolution level is needed for a part of the picture.

use crate::geometry::{Rect, Resolution, TileComponent};

/// Columns and rows made around what is wanted, in each level: the synthesis filters reach 2 (5/3) and 4 (9/7) samples,
/// and what symmetric extension at a window's edge makes wrong stays within them ([`crate::wavelet::Transform::MARGIN`]).
const fn margin(reversible: bool) -> u32 {
    if reversible { 2 } else { 4 }
}

/// For each resolution level up to `highest`, lowest first, the rectangle to make: around `wanted` in the coordinates
/// of level `highest`, and below it around what the level above is made from.
pub(super) fn windows(component: &TileComponent, highest: usize, wanted: Rect, reversible: bool) -> Vec<Rect> {
    let levels = &component.resolutions[..=highest];
    let mut windows = vec![Rect::default(); levels.len()];
    let mut needed = wanted.intersection(&levels[highest].rect);
    for (window, level) in windows.iter_mut().zip(levels).rev() {
        *window = widen(needed, level, margin(reversible));
        needed = window.map(|edge| edge.div_ceil(2));
    }
    windows
}

/// Edges inside a level are even, so that low and high coefficients begin together there.
fn widen(needed: Rect, level: &Resolution, margin: u32) -> Rect {
    if needed.is_empty() {
        return Rect { x1: needed.x0, y1: needed.y0, ..needed };
    }
    let before = |edge: u32| edge.saturating_sub(margin) & !1;
    let after = |edge: u32| edge.saturating_add(margin + 1) & !1;
    let wide = Rect { x0: before(needed.x0), y0: before(needed.y0), x1: after(needed.x1), y1: after(needed.y1) };
    let kept = wide.intersection(&level.rect);
    // `after` cannot pass the last coordinate.
    Rect { x1: kept.x1.max(needed.x1), y1: kept.y1.max(needed.y1), ..kept }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::geometry::{Grid, Tile};

    #[test]
    fn the_whole_needs_all_and_a_part_needs_a_little_around_it() {
        let grid = Grid { decompositions: 3, block_width_log2: 6, block_height_log2: 6, precincts_log2: vec![] };
        let whole = Rect { x0: 0, y0: 0, x1: 501, y1: 300 };
        let tile = Tile::new(whole, &[((1, 1), &grid)]).unwrap();
        let component = &tile.components[0];
        let all = windows(component, 3, whole, true);
        assert!(all.iter().zip(&component.resolutions).all(|(window, level)| *window == level.rect));
        let part = windows(component, 3, Rect { x0: 101, y0: 100, x1: 103, y1: 101 }, true);
        assert_eq!(part[3], Rect { x0: 98, y0: 98, x1: 106, y1: 104 });
        assert_eq!(part[2], Rect { x0: 46, y0: 46, x1: 56, y1: 54 });
    }
}
