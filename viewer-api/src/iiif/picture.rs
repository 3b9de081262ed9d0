//! A picture as it is served: its resolutions, finest first, and for each which parts of which frames it is made of.

use std::sync::{Arc, Mutex};

use archive::{FrameTable, Held};
use sha2::{Digest, Sha256};
use transcode::{PixelDescription, Region, Rendering, Window};

use super::Desk;
use super::identifier::Identifier;
use super::request::AREA_MAX;
use super::slide::{Slide, Tiles};
use super::source::Part;
use crate::error::{Error, Result};
use crate::shown::Shown;

/// Edge of the cells that a single large frame is decoded and kept in.
const CELL_EDGE: u32 = 512;
/// Samples of a resolution that an answer is made from, at the most: 8,192 by 8,192.
pub(crate) const SOURCE_AREA_MAX: u64 = 1 << 26;
/// Cells that an answer is made from, at the most.
pub(crate) const CELLS_MAX: u64 = 4096;
/// How far the shapes of two levels of a slide may differ.
const SHAPE_TOLERANCE: f64 = 0.05;

/// A picture, opened.
pub(crate) struct Picture {
    /// Columns.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// Its resolutions, finest first.
    pub(crate) levels: Vec<Level>,
    /// Resolutions as they are held; the first is of the picture's size.
    pub(crate) matrices: Vec<Matrix>,
    /// Digest of what it is made of.
    pub(crate) digest: [u8; 32],
    /// The window that was found, once somebody needed it.
    pub(crate) found: Mutex<Option<Window>>,
    /// Held while a frame is decoded that can be decoded as a whole only: who waits finds it in the cache.
    pub(crate) decoding: Mutex<()>,
}

/// A resolution.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Level {
    /// Columns.
    pub(crate) width: u32,
    /// Rows.
    pub(crate) height: u32,
    /// Columns of the picture for one of the level.
    factor: (f64, f64),
    /// Index of what it is decoded from.
    pub(crate) matrix: usize,
    /// How often its edges are halved in decoding.
    pub(crate) reduce: u8,
}

/// One instance, or the instances of a concatenation: frames that make up a picture.
pub(crate) struct Matrix {
    /// Names it in the cache.
    pub(crate) key: u128,
    width: u32,
    height: u32,
    kind: Kind,
    /// The instances its frames are in, in order.
    pub(crate) parts: Vec<Part>,
    /// How to read its pixels.
    pub(crate) description: PixelDescription,
    /// How to show them, the window apart.
    pub(crate) rendering: Rendering,
    /// How often a frame's edges can be halved in decoding.
    reductions: u8,
}

enum Kind {
    /// This one frame, which can be decoded in parts or not.
    Frame { number: u32, in_parts: bool },
    /// Tiles.
    Slide(Tiles),
}

/// Something that is decoded and kept by itself: a part of a level.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Cell {
    /// First column in the level.
    pub(crate) x: u32,
    /// First row in the level.
    pub(crate) y: u32,
    /// The frame it is of, from 1, counted through all parts.
    pub(crate) frame: u32,
    /// Where it is in the frame, its edges halved.
    pub(crate) region: Region,
}

/// Which frames of a slide are looked at, each from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct View {
    /// Optical path.
    pub(crate) path: u32,
    /// Focal plane.
    pub(crate) plane: u32,
}

/// What an identifier was found to be.
pub(crate) enum Subject {
    /// A picture that is open already.
    Known(Arc<Picture>),
    /// A frame of an instance.
    Frame(Arc<Shown>, u32),
    /// Instances that may be levels of a slide.
    Slide(Vec<Held>),
}

impl Subject {
    /// Digest of what a picture of it is made of: another form, pack or instance is another picture.
    pub(crate) fn digest(&self) -> [u8; 32] {
        match self {
            Subject::Known(picture) => picture.digest,
            Subject::Frame(shown, number) => digest_of(std::slice::from_ref(&shown.source.held), *number),
            Subject::Slide(levels) => digest_of(levels, 0),
        }
    }
}

/// Digest of instances as they are held, and of which frame is meant.
pub(crate) fn digest_of(instances: &[Held], frame: u32) -> [u8; 32] {
    let mut digest = Sha256::new();
    for held in instances {
        digest.update(held.record.digests.file);
        digest.update(held.pack().unwrap_or_default().to_le_bytes());
        digest.update(held.transfer_syntax_uid.as_bytes());
    }
    digest.update(frame.to_le_bytes());
    digest.finalize().into()
}

impl Picture {
    /// Opens what an identifier names. On a blocking thread.
    pub(crate) fn open(desk: &Desk<'_>, identifier: &Identifier, subject: &Subject) -> Result<Picture> {
        let digest = subject.digest();
        let matrices = match subject {
            Subject::Known(_) => Vec::new(),
            Subject::Frame(shown, number) => vec![frame_matrix(desk, identifier, shown, *number, &digest)?],
            Subject::Slide(levels) => slide_matrices(desk, identifier, levels)?,
        };
        let first = matrices.first().ok_or_else(|| Error::NotFound(identifier.sentence()))?;
        let (width, height) = (first.width, first.height);
        Ok(Picture {
            width,
            height,
            levels: levels(&matrices),
            matrices,
            digest,
            found: Mutex::default(),
            decoding: Mutex::default(),
        })
    }

    /// Whether it has one component.
    pub(crate) fn is_grey(&self) -> bool {
        self.matrices.first().is_some_and(|matrix| matrix.components() == 1)
    }

    /// What a level is decoded from.
    pub(crate) fn matrix(&self, level: &Level) -> Result<&Matrix> {
        self.matrices.get(level.matrix).ok_or_else(|| Error::NotFound("a level of this picture".into()))
    }

    /// The coarsest level that still has at least as many columns and rows of the region as are asked for.
    pub(crate) fn level_for(&self, region: Region, width: u32, height: u32) -> Result<Level> {
        let enough = |level: &&Level| {
            let part = level.part(region);
            enough(part.width, width, region.width, level.factor.0)
                && enough(part.height, height, region.height, level.factor.1)
        };
        let level = self.levels.iter().rev().find(enough).or(self.levels.first());
        level.copied().ok_or_else(|| Error::NotFound("a level of this picture".into()))
    }

    /// Columns and rows of the tiles that are read with the least work.
    pub(crate) fn tile(&self) -> (u32, u32) {
        match self.matrices.first() {
            Some(matrix) if matrix.is_slide() => matrix.frame_edges(),
            _ => (CELL_EDGE, CELL_EDGE),
        }
    }

    /// Powers of two by which the picture is served smaller, as long as all of a tile can be read at once.
    pub(crate) fn scale_factors(&self) -> Vec<u32> {
        let (across, down) = self.tile();
        let mut factors = vec![1];
        for factor in (1..31).map(|power| 1u32 << power) {
            let region = Region {
                x: 0,
                y: 0,
                width: across.saturating_mul(factor).min(self.width),
                height: down.saturating_mul(factor).min(self.height),
            };
            let (width, height) = (region.width.div_ceil(factor), region.height.div_ceil(factor));
            if !self.can_read(region, width, height) {
                break;
            }
            factors.push(factor);
            if across.saturating_mul(factor) >= self.width && down.saturating_mul(factor) >= self.height {
                break;
            }
        }
        factors
    }

    /// Sizes in which all of it is served, smallest first.
    pub(crate) fn sizes(&self) -> Vec<(u32, u32)> {
        let all = Region { x: 0, y: 0, width: self.width, height: self.height };
        let sizes = self.scale_factors().into_iter().rev();
        let sizes = sizes.map(|factor| (self.width.div_ceil(factor), self.height.div_ceil(factor)));
        sizes.filter(|(width, height)| fits(*width, *height) && self.can_read(all, *width, *height)).collect()
    }

    fn can_read(&self, region: Region, width: u32, height: u32) -> bool {
        let Ok(level) = self.level_for(region, width, height) else { return false };
        let Ok(matrix) = self.matrix(&level) else { return false };
        let part = level.part(region);
        area(&part) <= SOURCE_AREA_MAX && matrix.cells_at_most(&part, level.reduce) <= CELLS_MAX
    }
}

/// Whether an edge of the level is at least as long as the answer's, and no coarser: at the end of a picture an answer is
/// rounded up, and of an edge of one pixel every level has one.
fn enough(own: u32, wanted: u32, region: u32, factor: f64) -> bool {
    let (shown, region) = (f64::from(wanted.min(region)), f64::from(region));
    let no_coarser = if shown < 2.0 { factor <= region } else { (shown - 1.0) * factor < region };
    own >= wanted.min(region as u32) && no_coarser
}

fn fits(width: u32, height: u32) -> bool {
    let edge = super::request::EDGE_MAX;
    width <= edge && height <= edge && u64::from(width) * u64::from(height) <= AREA_MAX
}

/// Columns times rows.
pub(crate) fn area(region: &Region) -> u64 {
    u64::from(region.width) * u64::from(region.height)
}

impl Level {
    /// The part of the level that shows this part of the picture.
    pub(crate) fn part(&self, region: Region) -> Region {
        let along = |at: u32, length: u32, factor: f64, edge: u32| {
            let start = ((f64::from(at) / factor + 1e-6).floor() as u32).min(edge - 1);
            let end = (f64::from(at.saturating_add(length)) / factor - 1e-6).ceil() as u32;
            (start, end.clamp(start + 1, edge.max(start + 1)))
        };
        let (x0, x1) = along(region.x, region.width, self.factor.0, self.width);
        let (y0, y1) = along(region.y, region.height, self.factor.1, self.height);
        Region { x: x0, y: y0, width: x1 - x0, height: y1 - y0 }
    }
}

/// Every resolution of every matrix, finest first.
fn levels(matrices: &[Matrix]) -> Vec<Level> {
    let Some(first) = matrices.first() else { return Vec::new() };
    let mut levels: Vec<Level> = Vec::new();
    for (index, matrix) in matrices.iter().enumerate() {
        for reduce in 0..=matrix.reductions {
            let halved = |edge: u32| u64::from(edge).div_ceil(1 << reduce) as u32;
            let (width, height) = (halved(matrix.width), halved(matrix.height));
            let factor = |whole: u32, own: u32| snapped(f64::from(whole) / f64::from(own)) * f64::from(1u32 << reduce);
            let factor = (factor(first.width, matrix.width), factor(first.height, matrix.height));
            levels.push(Level { width, height, factor, matrix: index, reduce });
        }
    }
    // What is held small costs less than what is decoded small.
    levels.sort_by_key(|level| (std::cmp::Reverse(level.width), level.reduce));
    levels.dedup_by(|later, earlier| later.width == earlier.width && later.height == earlier.height);
    levels
}

/// A whole number that is meant: edges of levels are rounded.
fn snapped(factor: f64) -> f64 {
    let whole = factor.round();
    if (factor - whole).abs() / whole.max(1.0) < 0.01 { whole } else { factor }
}

impl Matrix {
    /// Whether its frames are tiles.
    pub(crate) fn is_slide(&self) -> bool {
        matches!(self.kind, Kind::Slide(_))
    }

    /// Whether a frame can only be decoded as a whole, and is worth waiting for.
    pub(crate) fn is_one_piece(&self) -> bool {
        matches!(self.kind, Kind::Frame { in_parts: false, .. })
    }

    /// Components of the pictures it gives: 1, or 3 for colour.
    pub(crate) fn components(&self) -> u8 {
        let coloured =
            self.description.samples_per_pixel >= 3 || self.description.photometric_interpretation == "PALETTE COLOR";
        if coloured { 3 } else { 1 }
    }

    /// Columns and rows of a frame.
    pub(crate) fn frame_edges(&self) -> (u32, u32) {
        (self.description.columns.into(), self.description.rows.into())
    }

    /// Columns and rows of a cell.
    pub(crate) fn cell(&self, reduce: u8) -> (u32, u32) {
        if matches!(self.kind, Kind::Frame { in_parts: true, .. }) {
            return (CELL_EDGE, CELL_EDGE);
        }
        let (across, down) = self.frame_edges();
        (across.div_ceil(1 << reduce), down.div_ceil(1 << reduce))
    }

    /// The instance that a frame is in, and its number there.
    pub(crate) fn part_of(&self, frame: u32) -> Option<(&Part, u32)> {
        let part = self.parts.iter().rev().find(|part| part.frames_before < frame)?;
        Some((part, frame - part.frames_before))
    }

    /// Bytes it takes up in memory.
    fn bytes(&self) -> usize {
        let tiles = match &self.kind {
            Kind::Frame { .. } => 0,
            Kind::Slide(tiles) => tiles.bytes(),
        };
        tiles + self.parts.iter().map(Part::bytes).sum::<usize>()
    }

    /// How many cells touch a part of a level, at the most.
    pub(crate) fn cells_at_most(&self, part: &Region, reduce: u8) -> u64 {
        let (across, down) = self.cell(reduce);
        let along = |at: u32, length: u32, edge: u32| u64::from((at + length - 1) / edge - at / edge + 1);
        along(part.x, part.width, across) * along(part.y, part.height, down)
    }

    /// The cells that touch a part of a level, row by row; what lies between them is not there.
    pub(crate) fn cells(&self, part: &Region, reduce: u8, view: View) -> Vec<Cell> {
        let (across, down) = self.cell(reduce);
        match &self.kind {
            Kind::Frame { number, .. } => {
                let (width, height) = (self.width.div_ceil(1 << reduce), self.height.div_ceil(1 << reduce));
                let cell = |column: u32, row: u32| {
                    let (x, y) = (column * across, row * down);
                    let region = Region { x, y, width: across.min(width - x), height: down.min(height - y) };
                    Some(Cell { x, y, frame: *number, region })
                };
                grid(part, (across, down), cell)
            }
            Kind::Slide(Tiles::Full { planes }) => {
                let (columns, rows) =
                    (self.width.div_ceil(self.frame_edges().0), self.height.div_ceil(self.frame_edges().1));
                let cell = |column: u32, row: u32| {
                    let frame = full_frame((columns, rows, *planes), (column, row), view)?;
                    let region = Region { x: 0, y: 0, width: across, height: down };
                    Some(Cell { x: column * across, y: row * down, frame, region })
                };
                let cells = grid(part, (across, down), cell);
                cells.into_iter().filter(|cell| self.has_frame(cell.frame)).collect()
            }
            Kind::Slide(Tiles::Sparse(tiles)) => {
                let touches = |at: u32, edge: u32, from: u32, length: u32| at < from + length && at + edge > from;
                let seen = tiles
                    .iter()
                    .filter(|tile| view.path == u32::from(tile.path) && view.plane == u32::from(tile.plane));
                let cells = seen.map(|tile| Cell {
                    x: tile.x >> reduce,
                    y: tile.y >> reduce,
                    frame: tile.frame,
                    region: Region { x: 0, y: 0, width: across, height: down },
                });
                let inside = |cell: &Cell| {
                    touches(cell.x, across, part.x, part.width) && touches(cell.y, down, part.y, part.height)
                };
                cells.filter(inside).filter(|cell| self.has_frame(cell.frame)).collect()
            }
        }
    }

    fn has_frame(&self, frame: u32) -> bool {
        self.part_of(frame).is_some_and(|(part, number)| part.has(number))
    }
}

/// The cells of a grid that a part touches, row by row.
fn grid(part: &Region, (across, down): (u32, u32), cell: impl Fn(u32, u32) -> Option<Cell>) -> Vec<Cell> {
    let columns = part.x / across..=(part.x + part.width - 1) / across;
    let rows = part.y / down..=(part.y + part.height - 1) / down;
    rows.flat_map(|row| columns.clone().map(move |column| (column, row)))
        .filter_map(|(column, row)| cell(column, row))
        .collect()
}

/// PS3.3 C.7.6.17.3: tiles of TILED_FULL follow each other along the row, row after row, then by focal plane, then by
/// optical path.
fn full_frame((columns, rows, planes): (u32, u32, u32), (column, row): (u32, u32), view: View) -> Option<u32> {
    if view.plane > planes || view.plane == 0 || view.path == 0 {
        return None;
    }
    let sheet = u64::from(view.path - 1) * u64::from(planes) + u64::from(view.plane - 1);
    let before = sheet * u64::from(columns) * u64::from(rows) + u64::from(row) * u64::from(columns) + u64::from(column);
    u32::try_from(before + 1).ok()
}

/// Names what frames are of in the cache.
fn key(digest: &[u8; 32]) -> u128 {
    digest.first_chunk::<16>().map_or(0, |first| u128::from_le_bytes(*first))
}

fn frame_matrix(
    desk: &Desk<'_>,
    identifier: &Identifier,
    shown: &Arc<Shown>,
    number: u32,
    digest: &[u8; 32],
) -> Result<Matrix> {
    let held = &shown.source.held;
    let description = shown.document.pixel_description(held);
    if number as usize > shown.source.count() || description.rows == 0 || description.columns == 0 {
        return Err(Error::NotFound(identifier.sentence()));
    }
    let (part, reductions) = Part::of_frame(desk, shown, number)?;
    // Numbers that are no measure (a palette's, a mask's) have no mean.
    let is_measure = description.photometric_interpretation != "PALETTE COLOR" && description.bits_stored > 1;
    let (rescale_slope, rescale_intercept) = shown.document.rescale(number);
    let in_parts = part.is_high_throughput();
    let mut rendering = Rendering {
        rescale_slope,
        rescale_intercept,
        window: shown.document.window(number),
        padding: shown.document.padding(),
        ..Rendering::default()
    };
    if description.photometric_interpretation == "PALETTE COLOR" {
        rendering.palette = desk.palette(held, description.pixel_representation == 1)?;
    }
    Ok(Matrix {
        key: key(digest),
        width: description.columns.into(),
        height: description.rows.into(),
        kind: Kind::Frame { number, in_parts },
        parts: vec![part],
        description,
        rendering,
        reductions: if is_measure { reductions } else { 0 },
    })
}

/// The levels of a slide, the largest first: those of the shape and the kind of the largest.
fn slide_matrices(desk: &Desk<'_>, identifier: &Identifier, levels: &[Held]) -> Result<Vec<Matrix>> {
    let mut read = Vec::new();
    for held in levels {
        let document = desk.dicom_json(held)?;
        let name = &held.record.description.instance.sop_instance_uid;
        let slide = Slide::read(&document, &held.record.description.instance).map_err(|error| {
            archive::Error::Damaged { what: format!("the metadata of instance {name}"), detail: error.to_string() }
        })?;
        // One instance asked for by name is shown whatever it is: a label too.
        if let Some(slide) = slide.filter(|slide| slide.is_level() || identifier.instance.is_some()) {
            read.push((held, slide));
        }
    }
    read.sort_by_key(|(_, slide)| {
        let offset = slide.concatenation.as_ref().map_or(0, |(_, offset)| *offset);
        (std::cmp::Reverse((slide.width, slide.height)), slide.concatenation.clone().map(|(uid, _)| uid), offset)
    });
    let mut matrices: Vec<Matrix> = Vec::new();
    let mut concatenation = None;
    for (held, slide) in read {
        let uid = slide.concatenation.as_ref().map(|(uid, _)| uid.clone());
        match matrices.last_mut() {
            Some(matrix) if uid.is_some() && uid == concatenation => matrix.append(desk, held, slide)?,
            Some(matrix) if (matrix.width, matrix.height) == (slide.width, slide.height) => continue,
            _ => matrices.push(slide_matrix(desk, held, slide)?),
        }
        concatenation = uid;
    }
    Ok(of_one_shape(matrices))
}

/// Those that show what the first shows, only smaller.
fn of_one_shape(mut matrices: Vec<Matrix>) -> Vec<Matrix> {
    let shape = |matrix: &Matrix| f64::from(matrix.width) / f64::from(matrix.height);
    let Some(first) = matrices.first().map(|first| (shape(first), first.components())) else { return matrices };
    matrices.retain(|matrix| (shape(matrix) / first.0 - 1.0).abs() < SHAPE_TOLERANCE && matrix.components() == first.1);
    matrices
}

fn slide_matrix(desk: &Desk<'_>, held: &Held, slide: Slide) -> Result<Matrix> {
    let before = slide.concatenation.as_ref().map_or(0, |(_, offset)| *offset);
    let table = desk.frames(held)?;
    let reductions = desk.reductions(held, &table)?;
    let part = Part::of_instance(held, &table, before)?;
    let edges = (slide.pixels.columns.into(), slide.pixels.rows.into());
    let halvings = slide.tiles.halvings(edges.0, edges.1);
    let (rescale_slope, rescale_intercept) = slide.rescale;
    let mut rendering = Rendering { rescale_slope, rescale_intercept, window: slide.window, ..Rendering::default() };
    let is_palette = slide.pixels.photometric_interpretation == "PALETTE COLOR";
    if is_palette {
        rendering.palette = desk.palette(held, slide.pixels.pixel_representation == 1)?;
    }
    Ok(Matrix {
        key: key(&digest_of(std::slice::from_ref(held), 0)),
        width: slide.width,
        height: slide.height,
        kind: Kind::Slide(shifted(slide.tiles, before)),
        parts: vec![part],
        description: slide.pixels,
        rendering,
        reductions: if is_palette { 0 } else { reductions.min(halvings) },
    })
}

/// Frames counted through all instances of a concatenation.
fn shifted(tiles: Tiles, before: u32) -> Tiles {
    match tiles {
        Tiles::Sparse(mut tiles) => {
            tiles.iter_mut().for_each(|tile| tile.frame = tile.frame.saturating_add(before));
            Tiles::Sparse(tiles)
        }
        full => full,
    }
}

impl Matrix {
    /// The next instance of a concatenation (PS3.3 C.7.6.16.1.1).
    fn append(&mut self, desk: &Desk<'_>, held: &Held, slide: Slide) -> Result<()> {
        let before = slide.concatenation.as_ref().map_or(0, |(_, offset)| *offset);
        let table: FrameTable = desk.frames(held)?;
        self.reductions = self.reductions.min(desk.reductions(held, &table)?);
        self.parts.push(Part::of_instance(held, &table, before)?);
        if let (Kind::Slide(Tiles::Sparse(own)), Tiles::Sparse(more)) = (&mut self.kind, shifted(slide.tiles, before)) {
            own.extend(more);
            let (across, down) = (self.description.columns.into(), self.description.rows.into());
            let halvings = match &self.kind {
                Kind::Slide(tiles) => tiles.halvings(across, down),
                Kind::Frame { .. } => 0,
            };
            self.reductions = self.reductions.min(halvings);
        }
        Ok(())
    }
}

impl Picture {
    /// Bytes it takes up in memory, about.
    pub(crate) fn bytes(&self) -> usize {
        4096 + self.matrices.iter().map(Matrix::bytes).sum::<usize>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: View = View { path: 1, plane: 1 };

    #[test]
    fn tiles_of_tiled_full_are_counted_by_row_plane_and_path() {
        let check = |place, path, plane, expected| {
            assert_eq!(full_frame((4, 3, 2), place, View { path, plane }), expected);
        };
        check((0, 0), 1, 1, Some(1));
        check((3, 0), 1, 1, Some(4));
        check((0, 1), 1, 1, Some(5));
        check((0, 0), 1, 2, Some(13));
        check((3, 2), 2, 1, Some(36));
        check((0, 0), 1, 3, None);
    }

    fn level(width: u32, height: u32, factor: f64) -> Level {
        Level { width, height, factor: (factor, factor), matrix: 0, reduce: 0 }
    }

    #[test]
    fn a_part_of_a_level_covers_the_part_of_the_picture() {
        let check = |level: Level, region: [u32; 4], expected: [u32; 4]| {
            let [x, y, width, height] = region;
            let part = level.part(Region { x, y, width, height });
            assert_eq!([part.x, part.y, part.width, part.height], expected);
        };
        check(level(957, 715, 1.0), [256, 256, 256, 256], [256, 256, 256, 256]);
        check(level(479, 358, 2.0), [512, 512, 445, 203], [256, 256, 223, 102]);
        check(level(478, 357, 2.0), [512, 512, 445, 203], [256, 256, 222, 101]);
        check(level(3, 3, 4.0), [9, 9, 1, 1], [2, 2, 1, 1]);
        check(level(2, 2, 4.0), [9, 9, 1, 1], [1, 1, 1, 1]);
        assert_eq!((snapped(2.002), snapped(2.4), snapped(15.9)), (2.0, 2.4, 16.0));
    }

    #[test]
    fn a_level_is_enough_when_it_is_no_coarser_than_the_answer() {
        assert!(enough(283, 283, 565, 2.0) && enough(223, 223, 445, 2.0));
        assert!(!enough(1, 1, 1, 2.0) && enough(1, 1, 4, 4.0) && enough(2, 2, 3, 2.0) && !enough(2, 2, 2, 2.0));
        assert!(!enough(75, 100, 150, 2.0) && enough(150, 100, 150, 1.0) && enough(10, 50, 10, 1.0));
    }

    #[test]
    fn the_cells_of_a_grid_are_those_it_touches() {
        let cell = |column, row| {
            let region = Region { x: 0, y: 0, width: 10, height: 10 };
            Some(Cell { x: column * 10, y: row * 10, frame: full_frame((5, 5, 1), (column, row), FIRST)?, region })
        };
        let frames = |x, y, width, height| -> Vec<u32> {
            grid(&Region { x, y, width, height }, (10, 10), cell).iter().map(|cell| cell.frame).collect()
        };
        assert_eq!(frames(0, 0, 10, 10), [1]);
        assert_eq!(frames(9, 9, 2, 2), [1, 2, 6, 7]);
        assert_eq!(frames(40, 20, 10, 1), [15]);
    }
}
