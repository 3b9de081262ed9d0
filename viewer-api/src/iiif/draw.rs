//! Cells to an answer: what the level lacks in the cache is read and decoded, drawn, put beside each other band by band and
//! scaled as it comes. On a blocking thread of the pool.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use transcode::{Frame, Region, Rendering, Samples, Values, Window};

use super::Desk;
use super::picture::{CELLS_MAX, Cell, Level, Matrix, Picture, SOURCE_AREA_MAX, View, area};
use super::request::{Format, Quality, Request, Resolved};
use super::scale::{Scaler, turned};
use crate::error::{Error, Result};

/// Bytes of a band at the most, unless a single row has more.
const BAND_BYTES_MAX: u64 = 32 << 20;
/// Columns times rows of the level that a window is looked for in, where there is a smaller one.
const WINDOW_AREA_MAX: u64 = 1 << 20;
/// Cells that a window is looked for in, spread over the level.
const WINDOW_CELLS_MAX: usize = 64;
/// JPEG quality.
const QUALITY: u8 = 90;
/// What of a slide was not scanned: the glass.
const GLASS: u8 = 0xFF;

/// Names a decoded cell: of what, how often halved, which.
pub(crate) type CellKey = (u128, u8, Cell);

/// What is drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Job {
    pub(crate) resolved: Resolved,
    pub(crate) view: View,
    /// The window that was asked for.
    pub(crate) window: Option<Window>,
}

/// Draws an answer and encodes it.
pub(crate) fn answer(desk: &Desk<'_>, picture: &Picture, request: &Request, job: &Job) -> Result<Bytes> {
    if let Some(bytes) = as_held(desk, picture, request, job)? {
        return Ok(bytes);
    }
    let (bytes, components) = draw(desk, picture, job)?;
    let (bytes, components) = of_quality(bytes, components, request.quality);
    let size = (job.resolved.width, job.resolved.height);
    let (bytes, (width, height)) =
        turned(bytes, size, components, request.rotation.mirrored, request.rotation.quarters);
    let drawn = transcode::Picture { width, height, components, bytes };
    let encoded = match request.format {
        Format::Jpg => drawn.jpeg(QUALITY),
        Format::Png => drawn.png(),
    };
    encoded.map(Bytes::from).map_err(|error| pixels("the answer".into(), &error))
}

/// The frame itself, where it is what is asked for and every browser shows it.
fn as_held(desk: &Desk<'_>, picture: &Picture, request: &Request, job: &Job) -> Result<Option<Bytes>> {
    let plain = matches!(request.quality, Quality::Default | Quality::Color)
        && request.format == Format::Jpg
        && request.rotation.quarters == 0
        && !request.rotation.mirrored;
    let Resolved { region, width, height } = job.resolved;
    let level = picture.level_for(region, width, height)?;
    let (matrix, part) = (picture.matrix(&level)?, level.part(region));
    let is_frame = (part.width, part.height) == matrix.frame_edges() && (width, height) == matrix.frame_edges();
    if !plain || !is_frame || level.reduce > 0 || matrix.components() != 3 || matrix.cells_at_most(&part, 0) > 1 {
        return Ok(None);
    }
    let [cell] = matrix.cells(&part, 0, job.view)[..] else { return Ok(None) };
    let Some((held, number)) = matrix.part_of(cell.frame).filter(|_| (cell.x, cell.y) == (part.x, part.y)) else {
        return Ok(None);
    };
    // Looked at before anything is read: whatever else is held is decoded.
    if held.transfer_syntax_uid() != JPEG_BASELINE {
        return Ok(None);
    }
    let bytes = held.frame(desk, number, 0)?;
    let shown = transcode::is_shown_by_browsers(held.transfer_syntax_uid(), &matrix.description, &bytes);
    Ok(shown.then_some(bytes))
}

/// JPEG Baseline (Process 1), PS3.5 Annex A.4.1.
const JPEG_BASELINE: &str = "1.2.840.10008.1.2.4.50";

/// The region in the size asked for, and its components.
fn draw(desk: &Desk<'_>, picture: &Picture, job: &Job) -> Result<(Vec<u8>, u8)> {
    let Resolved { region, width, height } = job.resolved;
    let level = picture.level_for(region, width, height)?;
    let (matrix, part) = (picture.matrix(&level)?, level.part(region));
    if area(&part) > SOURCE_AREA_MAX || matrix.cells_at_most(&part, level.reduce) > CELLS_MAX {
        let next_step = "ask for a smaller region, or for a size that info.json lists";
        return Err(Error::invalid("more of the picture would have to be read than is read for one answer", next_step));
    }
    let components = matrix.components();
    let rendering = rendering(desk, picture, matrix, job)?;
    let mut cells = Cells { desk, picture, matrix, level, bytes: None, last: None };
    let mut scaler = Scaler::new((part.width, part.height), (width, height), components);
    for band in bands(part, matrix.cell(level.reduce).1, components) {
        let background = if matrix.is_slide() && components == 3 { GLASS } else { 0 };
        let mut canvas = vec![background; area(&band) as usize * usize::from(components)];
        for (cell, frame) in cells.decoded(matrix.cells(&band, level.reduce, job.view))? {
            paste(&mut canvas, &band, &cell, &frame, &rendering, components)?;
        }
        scaler.rows(&canvas);
    }
    Ok((scaler.finish(), components))
}

/// Rows of cells, or as many rows of one as fit.
fn bands(part: Region, cell_height: u32, components: u8) -> impl Iterator<Item = Region> {
    let row_bytes = u64::from(part.width) * u64::from(components);
    let rows_max = (BAND_BYTES_MAX / row_bytes.max(1)).clamp(1, u32::MAX.into()) as u32;
    let end = part.y + part.height;
    let mut y = part.y;
    std::iter::from_fn(move || {
        let next = ((y / cell_height + 1) * cell_height).min(y.saturating_add(rows_max)).min(end);
        let band = Region { y, height: next - y, ..part };
        y = next;
        (band.height > 0).then_some(band)
    })
}

/// How to show it: the window of the request, else of the file, else one that is found.
fn rendering(desk: &Desk<'_>, picture: &Picture, matrix: &Matrix, job: &Job) -> Result<Rendering> {
    let mut rendering = matrix.rendering.clone();
    rendering.window = job.window.or(rendering.window);
    if matrix.components() == 1 && rendering.window.is_none() {
        rendering.window = found_window(desk, picture, job.view)?;
    }
    Ok(rendering)
}

/// The window of the whole picture, so that all its parts look alike: looked for in a small level of it, once.
fn found_window(desk: &Desk<'_>, picture: &Picture, view: View) -> Result<Option<Window>> {
    let mut found = picture.found.lock().unwrap_or_else(PoisonError::into_inner);
    if found.is_some() {
        return Ok(*found);
    }
    let small = picture.levels.iter().find(|level| u64::from(level.width) * u64::from(level.height) <= WINDOW_AREA_MAX);
    let Some(level) = small.or(picture.levels.last()).copied() else { return Ok(None) };
    let matrix = picture.matrix(&level)?;
    let all = Region { x: 0, y: 0, width: level.width, height: level.height };
    let wanted = matrix.cells(&all, level.reduce, view);
    let step = wanted.len().div_ceil(WINDOW_CELLS_MAX).max(1);
    let mut cells = Cells { desk, picture, matrix, level, bytes: None, last: None };
    let decoded = cells.decoded(wanted.into_iter().step_by(step).collect())?;
    let rendering = |frame: &Frame| Rendering {
        photometric_interpretation: frame.photometric_interpretation.clone(),
        ..matrix.rendering.clone()
    };
    *found = match decoded.as_slice() {
        [] => None,
        [(_, frame)] => Some(transcode::found_window(&frame.samples, &rendering(frame))),
        [(_, first), ..] => {
            let all: Vec<&Samples> = decoded.iter().map(|(_, frame)| &frame.samples).collect();
            joined(&all).map(|samples| transcode::found_window(&samples, &rendering(first)))
        }
    };
    Ok(*found)
}

/// The numbers of several pieces in one row.
fn joined(pieces: &[&Samples]) -> Option<Samples> {
    let first = pieces.first()?;
    let mut values = Values::clone(first.values());
    for piece in pieces.iter().skip(1) {
        match (&mut values, piece.values()) {
            (Values::U8(all), Values::U8(more)) => all.extend_from_slice(more),
            (Values::U16(all), Values::U16(more)) => all.extend_from_slice(more),
            (Values::I16(all), Values::I16(more)) => all.extend_from_slice(more),
            _ => {}
        }
    }
    let count = u32::try_from(values.len() / usize::from(first.components())).ok()?;
    Samples::new(count, 1, first.components(), first.bits(), values).ok()
}

/// Gets decoded cells of one level, from the cache or from the archive.
struct Cells<'a> {
    desk: &'a Desk<'a>,
    picture: &'a Picture,
    matrix: &'a Matrix,
    level: Level,
    /// The frame that was read last: cells of one frame are read together.
    bytes: Option<(u32, Bytes)>,
    /// The cell that was decoded last: it may be too large for the cache.
    last: Option<(Cell, Arc<Frame>)>,
}

impl Cells<'_> {
    fn key(&self, cell: Cell) -> CellKey {
        (self.matrix.key, self.level.reduce, cell)
    }

    fn known(&self, cell: Cell) -> Option<Arc<Frame>> {
        let last = self.last.as_ref().filter(|(of, _)| *of == cell).map(|(_, frame)| Arc::clone(frame));
        last.or_else(|| self.desk.state.iiif().cells.get(&self.key(cell)))
    }

    fn keep(&mut self, cell: Cell, frame: &Arc<Frame>) {
        self.desk.state.iiif().cells.insert(self.key(cell), Arc::clone(frame), frame.samples.bytes() + 256);
        self.last = Some((cell, Arc::clone(frame)));
    }

    /// All of these, decoded.
    fn decoded(&mut self, cells: Vec<Cell>) -> Result<Vec<(Cell, Arc<Frame>)>> {
        let missing: Vec<Cell> = cells.iter().copied().filter(|cell| self.known(*cell).is_none()).collect();
        let mut fresh = match missing.as_slice() {
            // Cells of one frame are decoded together: what is beside each other shares code-blocks.
            [first, _, ..] if missing.iter().all(|cell| cell.frame == first.frame) => self.together(&missing)?,
            _ => Vec::new(),
        };
        let mut out = Vec::with_capacity(cells.len());
        for cell in cells {
            let ready = fresh.iter().position(|(of, _)| *of == cell).map(|at| fresh.swap_remove(at).1);
            let frame = match ready.or_else(|| self.known(cell)) {
                Some(frame) => frame,
                None => self.alone(cell)?,
            };
            out.push((cell, frame));
        }
        Ok(out)
    }

    fn together(&mut self, cells: &[Cell]) -> Result<Vec<(Cell, Arc<Frame>)>> {
        let Some(whole) = cells.iter().map(|cell| cell.region).reduce(around) else { return Ok(Vec::new()) };
        let Some(frame) = cells.first().map(|cell| cell.frame) else { return Ok(Vec::new()) };
        let decoded = self.decode(frame, whole)?;
        let mut out = Vec::with_capacity(cells.len());
        for cell in cells {
            let place = Region { x: cell.region.x - whole.x, y: cell.region.y - whole.y, ..cell.region };
            let samples = decoded.samples.part(place).map_err(|error| pixels(self.sentence(frame), &error))?;
            let photometric_interpretation = decoded.photometric_interpretation.clone();
            let piece = Arc::new(Frame { samples, photometric_interpretation });
            self.keep(*cell, &piece);
            out.push((*cell, piece));
        }
        Ok(out)
    }

    fn alone(&mut self, cell: Cell) -> Result<Arc<Frame>> {
        // Several readers of one picture: the first decodes, the others find it done.
        let waited = self.matrix.is_one_piece();
        let picture = self.picture;
        let _decoding = waited.then(|| picture.decoding.lock().unwrap_or_else(PoisonError::into_inner));
        if let Some(frame) = self.known(cell).filter(|_| waited) {
            return Ok(frame);
        }
        let frame = Arc::new(self.decode(cell.frame, cell.region)?);
        self.keep(cell, &frame);
        Ok(frame)
    }

    fn decode(&mut self, frame: u32, region: Region) -> Result<Frame> {
        let missing = || Error::NotFound(format!("frame {frame} of this picture"));
        let (part, number) = self.matrix.part_of(frame).ok_or_else(missing)?;
        let bytes = match &self.bytes {
            Some((of, bytes)) if *of == frame => bytes.clone(),
            _ => part.frame(self.desk, number, self.level.reduce)?,
        };
        self.bytes = Some((frame, bytes.clone()));
        let (syntax, description) = (part.transfer_syntax_uid(), &self.matrix.description);
        let decoded = transcode::decode_region(syntax, description, &bytes, self.level.reduce, region);
        decoded.map_err(|error| pixels(part.sentence(number), &error))
    }

    fn sentence(&self, frame: u32) -> String {
        let part = self.matrix.part_of(frame);
        part.map_or_else(|| format!("frame {frame}"), |(part, number)| part.sentence(number))
    }
}

/// The smallest region that both are in.
fn around(one: Region, other: Region) -> Region {
    let (x, y) = (one.x.min(other.x), one.y.min(other.y));
    let right = (one.x + one.width).max(other.x + other.width);
    let bottom = (one.y + one.height).max(other.y + other.height);
    Region { x, y, width: right - x, height: bottom - y }
}

/// Draws what of a cell is in a band at its place there.
fn paste(
    canvas: &mut [u8],
    band: &Region,
    cell: &Cell,
    frame: &Frame,
    rendering: &Rendering,
    components: u8,
) -> Result<()> {
    let (x0, y0) = (cell.x.max(band.x), cell.y.max(band.y));
    let x1 = (cell.x + cell.region.width).min(band.x + band.width);
    let y1 = (cell.y + cell.region.height).min(band.y + band.height);
    if x0 >= x1 || y0 >= y1 {
        return Ok(());
    }
    let inside = Region { x: x0 - cell.x, y: y0 - cell.y, width: x1 - x0, height: y1 - y0 };
    let what = || format!("frame {}", cell.frame);
    let part = frame.samples.part(inside).map_err(|error| pixels(what(), &error))?;
    let interpretation = frame.photometric_interpretation.clone();
    let rendering = Rendering { photometric_interpretation: interpretation, ..rendering.clone() };
    let drawn = transcode::render(&part, &rendering).map_err(|error| pixels(what(), &error))?;
    if drawn.components != components {
        let detail = format!("{} components, but the picture has {components}", drawn.components);
        return Err(Error::Pixels { what: what(), detail });
    }
    let step = usize::from(components);
    let row_bytes = inside.width as usize * step;
    for (row, from) in drawn.bytes.chunks_exact(row_bytes).enumerate() {
        let at = ((y0 - band.y) as usize + row) * band.width as usize + (x0 - band.x) as usize;
        if let Some(to) = canvas.get_mut(at * step..at * step + row_bytes) {
            to.copy_from_slice(from);
        }
    }
    Ok(())
}

/// §4.4.
fn of_quality(bytes: Vec<u8>, components: u8, quality: Quality) -> (Vec<u8>, u8) {
    let grey = match (quality, components) {
        (Quality::Default | Quality::Color, _) => return (bytes, components),
        (_, 3) => bytes.as_chunks::<3>().0.iter().map(luminance).collect(),
        _ => bytes,
    };
    match quality {
        Quality::Bitonal => (grey.into_iter().map(|value| if value < 128 { 0 } else { 255 }).collect(), 1),
        _ => (grey, 1),
    }
}

/// ITU-R BT.601.
fn luminance(&[red, green, blue]: &[u8; 3]) -> u8 {
    ((u32::from(red) * 299 + u32::from(green) * 587 + u32::from(blue) * 114 + 500) / 1000) as u8
}

fn pixels(what: String, error: &transcode::Error) -> Error {
    Error::Pixels { what, detail: error.to_string() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_are_rows_of_cells_and_of_bounded_bytes() {
        let rows = |part: Region, height, components| -> Vec<(u32, u32)> {
            bands(part, height, components).map(|band| (band.y, band.height)).collect()
        };
        let part = Region { x: 3, y: 500, width: 100, height: 600 };
        assert_eq!(rows(part, 512, 1), [(500, 12), (512, 512), (1024, 76)]);
        let wide = Region { x: 0, y: 0, width: 1 << 23, height: 5 };
        assert_eq!(rows(wide, 512, 3), [(0, 1), (1, 1), (2, 1), (3, 1), (4, 1)]);
    }

    #[test]
    fn iiif_gray_and_bitonal_are_made_of_colour() {
        let red_and_white = vec![255, 0, 0, 255, 255, 255];
        assert_eq!(of_quality(red_and_white.clone(), 3, Quality::Gray), (vec![76, 255], 1));
        assert_eq!(of_quality(red_and_white.clone(), 3, Quality::Bitonal), (vec![0, 255], 1));
        assert_eq!(of_quality(red_and_white.clone(), 3, Quality::Color), (red_and_white, 3));
        assert_eq!(of_quality(vec![127, 128], 1, Quality::Bitonal), (vec![0, 255], 1));
        assert_eq!(of_quality(vec![127], 1, Quality::Gray), (vec![127], 1));
    }
}
