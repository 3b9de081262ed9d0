//! What an instance of a whole slide image says of itself, read without keeping what is not needed: one of 100,000 tiles
//! may have as many functional groups (PS3.3 A.32.8, C.8.12.4, C.7.6.17).

use std::collections::HashMap;

use archive::InstanceAttributes;
use serde::Deserialize;
use transcode::{PixelDescription, VoiLutFunction, Window};

/// VL Whole Slide Microscopy Image Storage.
pub(crate) const SLIDE_CLASS: &str = "1.2.840.10008.5.1.4.1.1.77.1.6";
/// Frames of an instance, and so tiles of a map, at the most.
const TILES_MAX: usize = 4 << 20;
/// Optical paths of an instance that are told apart.
const PATHS_MAX: usize = 256;

/// One instance of a slide.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Slide {
    /// Total Pixel Matrix Columns (0048,0006).
    pub(crate) width: u32,
    /// Total Pixel Matrix Rows (0048,0007).
    pub(crate) height: u32,
    /// Third value of Image Type (0008,0008): VOLUME, THUMBNAIL, LABEL, OVERVIEW.
    pub(crate) flavour: String,
    /// Concatenation UID (0020,9161), and Concatenation Frame Offset Number (0020,9228).
    pub(crate) concatenation: Option<(String, u32)>,
    /// Where its tiles lie.
    pub(crate) tiles: Tiles,
    /// How to read its pixels.
    pub(crate) pixels: PixelDescription,
    /// Rescale Slope and Rescale Intercept.
    pub(crate) rescale: (f64, f64),
    /// The window of all its frames, if they have one.
    pub(crate) window: Option<Window>,
}

/// Which frame is where.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Tiles {
    /// TILED_FULL: by counting (PS3.3 C.7.6.17.3).
    Full {
        /// Total Pixel Matrix Focal Planes (0048,0303).
        planes: u32,
    },
    /// TILED_SPARSE: as each frame says, in the order of the frames.
    Sparse(Vec<Tile>),
}

/// A tile of TILED_SPARSE.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Tile {
    /// First column in the total pixel matrix, from 0.
    pub(crate) x: u32,
    /// First row, from 0.
    pub(crate) y: u32,
    /// Frame of this instance, from 1.
    pub(crate) frame: u32,
    /// Optical path, from 1, by Optical Path Identifier as they first occur.
    pub(crate) path: u16,
    /// Focal plane, from 1: the frames of one optical path at one place, in their order.
    pub(crate) plane: u16,
}

impl Slide {
    /// Reads the DICOM JSON object of an instance; `None` for one that has no total pixel matrix in tiles.
    ///
    /// # Errors
    /// When it is no JSON of that kind.
    pub(crate) fn read(document: &[u8], record: &InstanceAttributes) -> serde_json::Result<Option<Slide>> {
        let said: Said = serde_json::from_slice(document)?;
        Ok(said.slide(record))
    }

    /// Whether it is a resolution of the slide, and neither its label nor its overview (PS3.3 C.8.12.4.1.1).
    pub(crate) fn is_level(&self) -> bool {
        matches!(self.flavour.as_str(), "VOLUME" | "THUMBNAIL" | "")
    }
}

impl Tiles {
    /// How often tile positions and edges can be halved.
    pub(crate) fn halvings(&self, tile_width: u32, tile_height: u32) -> u8 {
        let edges = tile_width | tile_height;
        let all = match self {
            Tiles::Full { .. } => edges,
            Tiles::Sparse(tiles) => tiles.iter().fold(edges, |all, tile| all | tile.x | tile.y),
        };
        all.trailing_zeros().min(32) as u8
    }

    /// Bytes it takes up in memory.
    pub(crate) fn bytes(&self) -> usize {
        match self {
            Tiles::Full { .. } => 0,
            Tiles::Sparse(tiles) => tiles.capacity() * size_of::<Tile>(),
        }
    }
}

/// A DICOM JSON object (PS3.18 Annex F), as far as it matters here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Said {
    #[serde(rename = "00080008")]
    image_type: Values<String>,
    #[serde(rename = "00209161")]
    concatenation: Values<String>,
    #[serde(rename = "00209228")]
    concatenation_offset: Values<Number>,
    #[serde(rename = "00209311")]
    organization: Values<String>,
    #[serde(rename = "00280006")]
    planar_configuration: Values<Number>,
    #[serde(rename = "00280102")]
    high_bit: Values<Number>,
    #[serde(rename = "00281050")]
    window_center: Values<Number>,
    #[serde(rename = "00281051")]
    window_width: Values<Number>,
    #[serde(rename = "00281052")]
    rescale_intercept: Values<Number>,
    #[serde(rename = "00281053")]
    rescale_slope: Values<Number>,
    #[serde(rename = "00480006")]
    columns: Values<Number>,
    #[serde(rename = "00480007")]
    rows: Values<Number>,
    #[serde(rename = "00480303")]
    planes: Values<Number>,
    #[serde(rename = "52009229")]
    shared: Values<Group>,
    #[serde(rename = "52009230")]
    frames: Values<Group>,
}

/// An attribute: its values, of which any may be empty.
#[derive(Deserialize)]
struct Values<T> {
    #[serde(rename = "Value", default = "Vec::new")]
    value: Vec<Option<T>>,
}

impl<T> Default for Values<T> {
    fn default() -> Self {
        Values { value: Vec::new() }
    }
}

impl<T> Values<T> {
    fn first(&self) -> Option<&T> {
        self.value.first()?.as_ref()
    }
}

/// A number, also where it is written as text (PS3.18 §F.2.3.1).
#[derive(Deserialize)]
#[serde(untagged)]
enum Number {
    Plain(f64),
    Text(String),
}

impl Number {
    fn get(&self) -> Option<f64> {
        match self {
            Number::Plain(number) => Some(*number),
            Number::Text(text) => text.trim().parse().ok(),
        }
        .filter(|number| number.is_finite())
    }
}

impl Values<Number> {
    fn decimal(&self) -> Option<f64> {
        self.first()?.get()
    }

    fn positive(&self) -> Option<u32> {
        let number = self.decimal().filter(|number| (1.0..=f64::from(u32::MAX)).contains(number))?;
        Some(number as u32)
    }
}

/// Functional groups of a frame, or of all.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Group {
    #[serde(rename = "0048021A")]
    position: Values<Position>,
    #[serde(rename = "00480207")]
    path: Values<Path>,
    #[serde(rename = "00289132")]
    voi: Values<Voi>,
    #[serde(rename = "00289145")]
    transformation: Values<Transformation>,
}

/// Plane Position (Slide) Sequence.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Position {
    #[serde(rename = "0048021E")]
    column: Values<Number>,
    #[serde(rename = "0048021F")]
    row: Values<Number>,
}

/// Optical Path Identification Sequence.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Path {
    #[serde(rename = "00480106")]
    identifier: Values<String>,
}

/// Frame VOI LUT Sequence.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Voi {
    #[serde(rename = "00281050")]
    center: Values<Number>,
    #[serde(rename = "00281051")]
    width: Values<Number>,
}

/// Pixel Value Transformation Sequence.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Transformation {
    #[serde(rename = "00281052")]
    intercept: Values<Number>,
    #[serde(rename = "00281053")]
    slope: Values<Number>,
}

impl Said {
    fn slide(self, record: &InstanceAttributes) -> Option<Slide> {
        let (width, height) = (self.columns.positive()?, self.rows.positive()?);
        if record.rows == 0 || record.columns == 0 {
            return None;
        }
        let tiles = match self.organization.first().map(String::as_str) {
            Some("TILED_FULL") => Tiles::Full { planes: self.planes.positive().unwrap_or(1) },
            _ => Tiles::Sparse(self.sparse().filter(|tiles| !tiles.is_empty())?),
        };
        let concatenation = self.concatenation.first().map(|uid| {
            let offset = self.concatenation_offset.decimal().unwrap_or(0.0).clamp(0.0, f64::from(u32::MAX));
            (uid.clone(), offset as u32)
        });
        Some(Slide {
            width,
            height,
            flavour: self.image_type.value.get(2).cloned().flatten().unwrap_or_default(),
            concatenation,
            tiles,
            pixels: self.pixels(record),
            rescale: self.rescale(),
            window: self.window(),
        })
    }

    /// Plane Position (Slide) of every frame; `None` where one has none or there are too many.
    fn sparse(&self) -> Option<Vec<Tile>> {
        // Not by Z Offset: that of a slide that is not flat differs from tile to tile.
        let mut paths: Vec<&str> = Vec::new();
        let mut planes: HashMap<(u32, u32, u16), u16> = HashMap::new();
        let frames = &self.frames.value;
        if frames.len() > TILES_MAX {
            return None;
        }
        let mut tiles = Vec::with_capacity(frames.len());
        for (index, group) in frames.iter().enumerate() {
            let group = group.as_ref()?;
            let position = group.position.first()?;
            let shared = || self.shared.first()?.path.first()?.identifier.first();
            let path = group.path.first().and_then(|path| path.identifier.first()).or_else(shared);
            let (x, y) = (position.column.positive()? - 1, position.row.positive()? - 1);
            let path = place_of(&mut paths, path.map_or("", String::as_str));
            let plane = planes.entry((x, y, path)).or_default();
            *plane = plane.saturating_add(1);
            tiles.push(Tile { x, y, frame: index as u32 + 1, path, plane: *plane });
        }
        Some(tiles)
    }

    fn pixels(&self, record: &InstanceAttributes) -> PixelDescription {
        let small =
            |values: &Values<Number>, otherwise: u16| values.decimal().map_or(otherwise, |number| number as u16);
        PixelDescription {
            rows: record.rows,
            columns: record.columns,
            samples_per_pixel: record.samples_per_pixel,
            bits_allocated: record.bits_allocated,
            bits_stored: record.bits_stored,
            high_bit: small(&self.high_bit, record.bits_stored.saturating_sub(1)),
            pixel_representation: record.pixel_representation,
            planar_configuration: small(&self.planar_configuration, 0),
            photometric_interpretation: record.photometric_interpretation.clone(),
            number_of_frames: record.number_of_frames,
        }
    }

    fn rescale(&self) -> (f64, f64) {
        let shared = self.shared.first().and_then(|group| group.transformation.first());
        let shared = shared.and_then(|said| Some((said.slope.decimal()?, said.intercept.decimal()?)));
        let plain = || Some((self.rescale_slope.decimal()?, self.rescale_intercept.decimal()?));
        shared.or_else(plain).filter(|(slope, _)| *slope != 0.0).unwrap_or((1.0, 0.0))
    }

    fn window(&self) -> Option<Window> {
        let shared = self.shared.first().and_then(|group| group.voi.first());
        let shared = shared.and_then(|voi| Some((voi.center.decimal()?, voi.width.decimal()?)));
        let plain = || Some((self.window_center.decimal()?, self.window_width.decimal()?));
        let (center, width) = shared.or_else(plain).filter(|(_, width)| *width > 0.0)?;
        Some(Window { center, width, function: VoiLutFunction::Linear })
    }
}

/// The place of an optical path among those met so far, from 1; beyond the first [`PATHS_MAX`] they are one.
fn place_of<'a>(met: &mut Vec<&'a str>, path: &'a str) -> u16 {
    let known = met.iter().position(|known| *known == path);
    let at = known.unwrap_or_else(|| {
        if met.len() < PATHS_MAX {
            met.push(path);
        }
        met.len() - 1
    });
    at as u16 + 1
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record() -> InstanceAttributes {
        InstanceAttributes { rows: 4, columns: 8, samples_per_pixel: 3, bits_stored: 8, ..Default::default() }
    }

    fn read(document: &Value) -> Option<Slide> {
        Slide::read(document.to_string().as_bytes(), &record()).unwrap()
    }

    fn position(column: u32, row: u32, path: &str) -> Value {
        json!({
            "0048021A": { "vr": "SQ", "Value": [{ "0048021E": { "vr": "SL", "Value": [column] },
                "0048021F": { "vr": "SL", "Value": [row.to_string()] } }] },
            "00480207": { "vr": "SQ", "Value": [{ "00480106": { "vr": "SH", "Value": [path] } }] }
        })
    }

    fn sparse(frames: &[Value]) -> Value {
        json!({
            "00080008": { "vr": "CS", "Value": ["ORIGINAL", "PRIMARY", "VOLUME", null] },
            "00209311": { "vr": "CS", "Value": ["TILED_SPARSE"] },
            "00480006": { "vr": "UL", "Value": [100] }, "00480007": { "vr": "UL", "Value": [50] },
            "52009229": { "vr": "SQ", "Value": [{}] },
            "52009230": { "vr": "SQ", "Value": frames }
        })
    }

    #[test]
    fn tiles_of_tiled_sparse_lie_where_their_frames_say() {
        let document = sparse(&[position(1, 1, "a"), position(9, 5, "a"), position(1, 1, "b"), position(9, 5, "a")]);
        let tile = |x, y, frame, path, plane| Tile { x, y, frame, path, plane };
        let slide = read(&document).unwrap();
        assert_eq!(
            slide.tiles,
            Tiles::Sparse(vec![tile(0, 0, 1, 1, 1), tile(8, 4, 2, 1, 1), tile(0, 0, 3, 2, 1), tile(8, 4, 4, 1, 2)])
        );
        assert_eq!((slide.width, slide.height, slide.is_level()), (100, 50, true));
        assert_eq!(slide.tiles.halvings(8, 4), 2);
        assert_eq!(read(&sparse(&[position(2, 1, "a")])).unwrap().tiles.halvings(8, 4), 0);
    }

    #[test]
    fn what_has_no_total_pixel_matrix_or_no_positions_is_no_slide() {
        assert_eq!(read(&json!({})), None);
        assert_eq!(read(&sparse(&[])), None);
        assert_eq!(read(&sparse(&[json!({})])), None);
        assert_eq!(read(&sparse(&[position(0, 1, "")])), None, "positions are from 1");
        assert!(Slide::read(b"{\"cut", &record()).is_err());
    }

    #[test]
    fn tiled_full_counts_and_labels_and_overviews_are_no_levels() {
        let said = |flavour: &str| {
            json!({
                "00080008": { "vr": "CS", "Value": ["ORIGINAL", "PRIMARY", flavour] },
                "00209311": { "vr": "CS", "Value": ["TILED_FULL"] },
                "00209161": { "vr": "UI", "Value": ["1.2.3"] }, "00209228": { "vr": "UL", "Value": [40] },
                "00480006": { "vr": "UL", "Value": [100] }, "00480007": { "vr": "UL", "Value": [50] },
                "00480303": { "vr": "UL", "Value": [3] },
                "00281050": { "vr": "DS", "Value": ["40"] }, "00281051": { "vr": "DS", "Value": ["80"] }
            })
        };
        let slide = read(&said("VOLUME")).unwrap();
        assert_eq!((slide.tiles, slide.concatenation), (Tiles::Full { planes: 3 }, Some(("1.2.3".into(), 40))));
        assert_eq!(slide.window.map(|window| (window.center, window.width)), Some((40.0, 80.0)));
        let is_level = |flavour| read(&said(flavour)).unwrap().is_level();
        let flavours = ["VOLUME", "THUMBNAIL", "LABEL", "OVERVIEW"];
        assert_eq!(flavours.map(is_level), [true, true, false, false]);
    }
}
