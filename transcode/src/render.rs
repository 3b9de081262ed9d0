//! Samples to a picture for people: modality rescale, window, inversion, palette, colour, size; then PNG or JPEG.
//! The order is that of PS3.4 Annex N.2 (grayscale transformations) and PS3.3 C.7.6.3.1.2.

use crate::error::{Error, Result};
use crate::gif;
use crate::samples::{Samples, Values};

/// VOI LUT Function (0028,1056).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum VoiLutFunction {
    /// LINEAR: what is meant where nothing is said (PS3.3 C.11.2.1.2.1).
    #[default]
    Linear,
    /// LINEAR_EXACT (PS3.3 C.11.2.1.3.2).
    LinearExact,
    /// SIGMOID (PS3.3 C.11.2.1.3.1).
    Sigmoid,
}

/// A window on rescaled values.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Window {
    /// Window Center (0028,1050).
    pub center: f64,
    /// Window Width (0028,1051).
    pub width: f64,
    /// VOI LUT Function (0028,1056).
    pub function: VoiLutFunction,
}

/// Red, Green and Blue Palette Color Lookup Table Data (0028,1201 to 1203), entries of one depth.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Palette {
    /// The stored value that the first entry is for (second value of the descriptor, PS3.3 C.7.6.3.1.5).
    pub first: i32,
    /// Bits of an entry, 8 or 16 (third value of the descriptor).
    pub bits: u8,
    /// Entries for red.
    pub red: Vec<u16>,
    /// Entries for green.
    pub green: Vec<u16>,
    /// Entries for blue.
    pub blue: Vec<u16>,
}

/// A part of a picture, in its pixels, and how it is turned (PS3.18 §8.3.5.1.3).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Crop {
    /// Its first column, from 0.
    pub left: u32,
    /// Its first row, from 0.
    pub top: u32,
    /// Its columns.
    pub width: u32,
    /// Its rows.
    pub height: u32,
    /// Left and right change places.
    pub flip_horizontally: bool,
    /// Top and bottom change places.
    pub flip_vertically: bool,
}

/// How samples are to be shown.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendering {
    /// Photometric Interpretation (0028,0004) of the samples, as [`Frame`](crate::Frame) says it.
    pub photometric_interpretation: String,
    /// Rescale Slope (0028,1053).
    pub rescale_slope: f64,
    /// Rescale Intercept (0028,1052).
    pub rescale_intercept: f64,
    /// The window; `None` finds one between the 0.5th and the 99.5th percentile of what is no padding.
    pub window: Option<Window>,
    /// Pixel Padding Value (0028,0120) and Pixel Padding Range Limit (0028,0121), as stored values, the lower first:
    /// not looked at when a window is found.
    pub padding: Option<(i32, i32)>,
    /// The palette of PALETTE COLOR.
    pub palette: Option<Palette>,
    /// The part that is shown; all of it if `None`.
    pub region: Option<Crop>,
    /// Columns the picture may have; 0 as many as it has.
    pub width_max: u32,
    /// Rows the picture may have; 0 as many as it has.
    pub height_max: u32,
    /// A smaller picture is enlarged until it has as many columns or rows as it may, within [`ENLARGED_PIXELS_MAX`].
    pub enlarged: bool,
}

/// Pixels that a picture is enlarged to at the most.
pub const ENLARGED_PIXELS_MAX: u32 = 1 << 26;

impl Default for Rendering {
    /// MONOCHROME2 as it is, its window found, in full size.
    fn default() -> Self {
        Rendering {
            photometric_interpretation: "MONOCHROME2".into(),
            rescale_slope: 1.0,
            rescale_intercept: 0.0,
            window: None,
            padding: None,
            palette: None,
            region: None,
            width_max: 0,
            height_max: 0,
            enlarged: false,
        }
    }
}

/// A picture of 8 bits a component, grey or red, green and blue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Picture {
    /// Columns.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// 1 or 3.
    pub components: u8,
    /// `width * height * components` bytes, row-major.
    pub bytes: Vec<u8>,
}

/// Renders one frame.
///
/// # Errors
/// [`Error::Damaged`] when the interpretation does not fit the number of components, or a palette is missing.
pub fn render(samples: &Samples, rendering: &Rendering) -> Result<Picture> {
    let bytes = match (rendering.photometric_interpretation.as_str(), samples.components()) {
        ("PALETTE COLOR", 1) => palette(samples, rendering.palette.as_ref())?,
        (_, 1) => grey(samples, rendering),
        (interpretation, 3) if interpretation.starts_with("YBR_FULL") => red_green_blue(eight_bits(samples)),
        (_, 3) => eight_bits(samples),
        (interpretation, components) => {
            let detail = format!("{components} components of {interpretation:?} make no picture");
            return Err(Error::Damaged { coder: "rendering", detail });
        }
    };
    let (width, height) = (samples.width(), samples.height());
    let components = (bytes.len() / (width as usize * height as usize)) as u8;
    let picture = Picture { width, height, components, bytes };
    let picture = match &rendering.region {
        Some(region) => cut(&picture, region)?,
        None => picture,
    };
    Ok(fit(picture, rendering))
}

/// The part of a picture that lies in the region.
fn cut(picture: &Picture, region: &Crop) -> Result<Picture> {
    let inside = |first: u32, length: u32, edge: u32| first.min(edge)..first.saturating_add(length).min(edge);
    let (columns, rows) =
        (inside(region.left, region.width, picture.width), inside(region.top, region.height, picture.height));
    if columns.is_empty() || rows.is_empty() {
        return Err(Error::Damaged { coder: "rendering", detail: "the region lies outside the picture".into() });
    }
    let components = usize::from(picture.components);
    let mut bytes = Vec::with_capacity(columns.len() * rows.len() * components);
    for at in 0..rows.len() {
        let row = if region.flip_vertically { rows.end as usize - 1 - at } else { rows.start as usize + at };
        let start = (row * picture.width as usize + columns.start as usize) * components;
        let pixels = picture.bytes.get(start..start + columns.len() * components).unwrap_or_default();
        match region.flip_horizontally {
            true => bytes.extend(pixels.chunks_exact(components).rev().flatten()),
            false => bytes.extend_from_slice(pixels),
        }
    }
    let (width, height) = (columns.end - columns.start, rows.end - rows.start);
    Ok(Picture { width, height, components: picture.components, bytes })
}

impl Picture {
    /// As PNG, fast rather than smallest: it is made on request.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the picture has other bytes than its size says.
    pub fn png(&self) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let mut encoder = png::Encoder::new(&mut out, self.width, self.height);
        encoder.set_color(if self.components == 3 { png::ColorType::Rgb } else { png::ColorType::Grayscale });
        encoder.set_depth(png::BitDepth::Eight);
        encoder.set_compression(png::Compression::Fast);
        let written = encoder.write_header().and_then(|mut writer| {
            writer.write_image_data(&self.bytes)?;
            writer.finish()
        });
        written.map_err(|error| Error::Damaged { coder: "PNG", detail: error.to_string() })?;
        Ok(out)
    }

    /// As GIF: grey as it is, colour by a table of 252.
    ///
    /// # Errors
    /// [`Error::Damaged`] when an edge is above 65,535, or the picture has other bytes than its size says.
    pub fn gif(&self) -> Result<Vec<u8>> {
        gif::encode(self.width, self.height, self.components, &self.bytes)
    }

    /// As JPEG baseline of `quality` 1 to 100.
    ///
    /// # Errors
    /// [`Error::Damaged`] when an edge is above 65,535, or the picture has other bytes than its size says.
    pub fn jpeg(&self, quality: u8) -> Result<Vec<u8>> {
        let mut out = Vec::new();
        let kind = if self.components == 3 { jpeg_encoder::ColorType::Rgb } else { jpeg_encoder::ColorType::Luma };
        let (Ok(width), Ok(height)) = (u16::try_from(self.width), u16::try_from(self.height)) else {
            return Err(Error::Damaged { coder: "JPEG", detail: "an edge is above 65,535".into() });
        };
        let encoder = jpeg_encoder::Encoder::new(&mut out, quality.clamp(1, 100));
        let written = encoder.encode(&self.bytes, width, height, kind);
        written.map_err(|error| Error::Damaged { coder: "JPEG", detail: error.to_string() })?;
        Ok(out)
    }
}

impl Window {
    /// Brightness, 0 to 255, of a rescaled value.
    fn brightness(&self, value: f64) -> f64 {
        let (center, width) = (self.center, self.width);
        let part = match self.function {
            // A width below 1 is not allowed (C.11.2.1.2.1); 1 is a threshold.
            VoiLutFunction::Linear if width <= 1.0 => f64::from(u8::from(value > center - 0.5)),
            VoiLutFunction::Linear => (value - (center - 0.5)) / (width - 1.0) + 0.5,
            VoiLutFunction::LinearExact if width <= 0.0 => f64::from(u8::from(value > center)),
            VoiLutFunction::LinearExact => (value - center) / width + 0.5,
            VoiLutFunction::Sigmoid => 1.0 / (1.0 + (-4.0 * (value - center) / width.max(f64::MIN_POSITIVE)).exp()),
        };
        part.clamp(0.0, 1.0) * 255.0
    }
}

/// Grey through one table over all values there can be: rescale, window, inversion once a value, not once a pixel.
fn grey(samples: &Samples, rendering: &Rendering) -> Vec<u8> {
    let window = rendering.window.unwrap_or_else(|| found_window(samples, rendering));
    // PS3.3 C.7.6.3.1.2: the lowest value of MONOCHROME1 is white.
    let inverted = rendering.photometric_interpretation == "MONOCHROME1";
    by_table(samples, |value| {
        let rescaled = f64::from(value) * rendering.rescale_slope + rendering.rescale_intercept;
        let brightness = window.brightness(rescaled).round() as u8;
        if inverted { 255 - brightness } else { brightness }
    })
}

/// The smallest value of these samples' kind, and how many values there can be.
fn domain(samples: &Samples) -> (i32, usize) {
    match samples.values() {
        Values::U8(_) => (0, 1 << 8),
        Values::U16(_) => (0, 1 << 16),
        Values::I16(_) => (i16::MIN.into(), 1 << 16),
    }
}

/// Every value's place in a table over [`domain`].
fn indices(samples: &Samples) -> Box<dyn Iterator<Item = usize> + '_> {
    match samples.values() {
        Values::U8(values) => Box::new(values.iter().map(|&value| usize::from(value))),
        Values::U16(values) => Box::new(values.iter().map(|&value| usize::from(value))),
        Values::I16(values) => Box::new(values.iter().map(|&value| usize::from(value as u16 ^ 0x8000))),
    }
}

fn by_table(samples: &Samples, byte: impl Fn(i32) -> u8) -> Vec<u8> {
    let (low, count) = domain(samples);
    let table: Vec<u8> = (0..count as i32).map(|index| byte(low + index)).collect();
    match samples.values() {
        Values::U8(values) => values.iter().map(|&value| table[usize::from(value)]).collect(),
        Values::U16(values) => values.iter().map(|&value| table[usize::from(value)]).collect(),
        Values::I16(values) => values.iter().map(|&value| table[usize::from(value as u16 ^ 0x8000)]).collect(),
    }
}

/// The window between the 0.5th and the 99.5th percentile of the rescaled values that are no padding: what [`render`]
/// takes where none is given. Single bits are black and white, however few are set.
pub fn found_window(samples: &Samples, rendering: &Rendering) -> Window {
    if samples.bits() == 1 && !samples.signed() {
        let (slope, intercept) = (rendering.rescale_slope, rendering.rescale_intercept);
        let (center, width) = (0.5 * slope + intercept, slope.abs());
        return Window { center, width, function: VoiLutFunction::LinearExact };
    }
    let (low, count) = domain(samples);
    let mut histogram = vec![0u64; count];
    indices(samples).for_each(|index| histogram[index] += 1);
    if let Some((first, last)) = rendering.padding {
        let padding =
            histogram.iter_mut().enumerate().filter(|(index, _)| (first..=last).contains(&(low + *index as i32)));
        padding.for_each(|(_, count)| *count = 0);
    }
    let total: u64 = histogram.iter().sum();
    let percentile = |wanted: u64| {
        let mut below = 0;
        let place = histogram.iter().position(|count| {
            below += count;
            below > wanted
        });
        let value = f64::from(low + place.unwrap_or(0) as i32);
        value * rendering.rescale_slope + rendering.rescale_intercept
    };
    let (dark, bright) =
        (percentile(total / 200), percentile((total - total.div_ceil(200)).min(total.saturating_sub(1))));
    let width = (bright - dark).abs().max(1.0);
    Window { center: (dark + bright) / 2.0, width, function: VoiLutFunction::LinearExact }
}

/// PS3.3 C.7.6.3.1.5: values below the first entry take the first, values beyond the last take the last.
fn palette(samples: &Samples, palette: Option<&Palette>) -> Result<Vec<u8>> {
    let tables = palette.map(|p| (p, [&p.red, &p.green, &p.blue]));
    let Some((palette, tables)) = tables.filter(|(_, tables)| tables.iter().all(|table| !table.is_empty())) else {
        return Err(Error::Damaged {
            coder: "rendering",
            detail: "PALETTE COLOR without its three lookup tables".into(),
        });
    };
    let shift = u32::from(palette.bits.clamp(8, 16)) - 8;
    let (low, _) = domain(samples);
    let colour = |index: usize| {
        let entry = usize::try_from(i64::from(low) + index as i64 - i64::from(palette.first)).unwrap_or(0);
        tables.map(|table| (table[entry.min(table.len() - 1)] >> shift).min(255) as u8)
    };
    Ok(indices(samples).flat_map(colour).collect())
}

/// The upper eight bits of every sample. No window is for colour (PS3.3 C.11.2.1.2).
fn eight_bits(samples: &Samples) -> Vec<u8> {
    let bits = u32::from(samples.bits());
    let byte = |value: i32| if bits > 8 { value >> (bits - 8) } else { value * 255 / ((1 << bits) - 1) };
    by_table(samples, |value| byte(value).clamp(0, 255) as u8)
}

/// PS3.3 C.7.6.3.1.2, YBR_FULL, inverted (ITU-R BT.601, full range).
fn red_green_blue(mut bytes: Vec<u8>) -> Vec<u8> {
    for pixel in bytes.as_chunks_mut::<3>().0 {
        let [y, cb, cr] = pixel.map(f32::from);
        let (cb, cr) = (cb - 128.0, cr - 128.0);
        *pixel = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb].map(|c| c.round() as u8);
    }
    bytes
}

/// Makes a picture smaller until it fits, keeping its shape; each new pixel is the mean of those it covers. Never larger.
fn fit(picture: Picture, rendering: &Rendering) -> Picture {
    let room = |max: u32, edge: u32| if max == 0 { f64::INFINITY } else { f64::from(max) / f64::from(edge) };
    let scale = room(rendering.width_max, picture.width).min(room(rendering.height_max, picture.height));
    let pixels = f64::from(picture.width) * f64::from(picture.height);
    let largest = if rendering.enlarged { (f64::from(ENLARGED_PIXELS_MAX) / pixels).sqrt().max(1.0) } else { 1.0 };
    let scale = if scale.is_finite() { scale.min(largest) } else { 1.0 };
    if scale == 1.0 {
        return picture;
    }
    let scaled = |edge: u32| ((f64::from(edge) * scale).round() as u32).max(1);
    let (width, height) = (scaled(picture.width), scaled(picture.height));
    let mut bytes = Vec::with_capacity(width as usize * height as usize * usize::from(picture.components));
    for row in 0..height {
        for column in 0..width {
            let rows = covered(row, height, picture.height);
            mean(&picture, rows, covered(column, width, picture.width), &mut bytes);
        }
    }
    Picture { width, height, bytes, ..picture }
}

/// The old places that new place `at` of `new` covers among `old`: at least one.
fn covered(at: u32, new: u32, old: u32) -> std::ops::Range<usize> {
    let edge = |at: u32| (u64::from(at) * u64::from(old) / u64::from(new)) as usize;
    edge(at)..edge(at + 1).max(edge(at) + 1)
}

fn mean(picture: &Picture, rows: std::ops::Range<usize>, columns: std::ops::Range<usize>, out: &mut Vec<u8>) {
    let components = usize::from(picture.components);
    let mut sums = [0usize; 3];
    for row in rows.clone() {
        let start = (row * picture.width as usize + columns.start) * components;
        let pixels = &picture.bytes[start..start + columns.len() * components];
        for pixel in pixels.chunks_exact(components) {
            sums.iter_mut().zip(pixel).for_each(|(sum, &byte)| *sum += usize::from(byte));
        }
    }
    let count = rows.len() * columns.len();
    out.extend(sums.iter().take(components).map(|sum| ((sum + count / 2) / count) as u8));
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn check(values: Values, bits: u8, components: u8, rendering: &Rendering, expected: &[u8]) {
        let width = values.len() as u32 / u32::from(components);
        let samples = Samples::new(width, 1, components, bits, values).unwrap();
        assert_eq!(render(&samples, rendering).unwrap().bytes, expected, "{rendering:?}");
    }

    fn window(center: f64, width: f64, function: VoiLutFunction) -> Rendering {
        Rendering { window: Some(Window { center, width, function }), ..Rendering::default() }
    }

    #[test]
    fn windows_follow_the_three_functions() {
        // PS3.3 C.11.2.1.2.1, notes: c = 2048, w = 4096 maps 0 to black and 4095 to white; c = 0, w = 1 is a threshold.
        let twelve = || Values::U16(vec![0, 2048, 4095]);
        check(twelve(), 12, 1, &window(2048.0, 4096.0, VoiLutFunction::Linear), &[0, 128, 255]);
        check(twelve(), 12, 1, &window(2048.0, 4096.0, VoiLutFunction::LinearExact), &[0, 128, 255]);
        check(twelve(), 12, 1, &window(2048.0, 100.0, VoiLutFunction::Sigmoid), &[0, 128, 255]);
        check(Values::I16(vec![-1, 0, 1]), 16, 1, &window(0.0, 1.0, VoiLutFunction::Linear), &[0, 255, 255]);
        let rescaled =
            Rendering { rescale_slope: 2.0, rescale_intercept: -1000.0, ..window(0.0, 201.0, VoiLutFunction::Linear) };
        check(Values::U16(vec![450, 500, 550]), 12, 1, &rescaled, &[1, 128, 255]);
    }

    #[test]
    fn single_bits_are_black_and_white_even_if_one_of_a_thousand_is_set() {
        let mut bits = vec![0; 1000];
        bits[7] = 1;
        let mut expected = bits.clone();
        expected[7] = 255;
        check(Values::U8(bits), 1, 1, &Rendering::default(), &expected);
        check(Values::U8(vec![0; 3]), 1, 1, &Rendering::default(), &[0; 3]);
        check(Values::U8(vec![1; 3]), 1, 1, &Rendering::default(), &[255; 3]);
    }

    #[test]
    fn monochrome1_is_white_where_it_is_low() {
        let rendering = Rendering {
            photometric_interpretation: "MONOCHROME1".into(),
            ..window(128.0, 256.0, VoiLutFunction::Linear)
        };
        check(Values::U8(vec![0, 255]), 8, 1, &rendering, &[255, 0]);
    }

    #[test]
    fn a_window_is_found_without_the_padding() {
        let values = [vec![-2000; 300], (0..100).collect(), vec![-2000; 300]].concat();
        let samples = Samples::new(700, 1, 1, 16, Values::I16(values)).unwrap();
        let plain = found_window(&samples, &Rendering::default());
        assert!(plain.center < -900.0, "{plain:?}");
        let padded = found_window(&samples, &Rendering { padding: Some((-2000, -2000)), ..Rendering::default() });
        assert_eq!((padded.center, padded.width), (49.5, 99.0));
        let all = found_window(&samples, &Rendering { padding: Some((-2000, 99)), ..Rendering::default() });
        assert!(all.width >= 1.0);
    }

    #[test]
    fn colours_come_from_palettes_and_from_luminance_and_chrominance() {
        let palette =
            Palette { first: 1, bits: 16, red: vec![0x100, 0xFF00], green: vec![0, 0x7FFF], blue: vec![0x200, 0x300] };
        let rendering = Rendering {
            photometric_interpretation: "PALETTE COLOR".into(),
            palette: Some(palette),
            ..Rendering::default()
        };
        check(Values::U8(vec![0, 1, 2, 9]), 8, 1, &rendering, &[1, 0, 2, 1, 0, 2, 255, 127, 3, 255, 127, 3]);
        let full = Rendering { photometric_interpretation: "YBR_FULL".into(), ..Rendering::default() };
        check(Values::U8(vec![76, 85, 255, 200, 128, 128]), 8, 3, &full, &[254, 0, 0, 200, 200, 200]);
        let rgb = Rendering { photometric_interpretation: "RGB".into(), ..Rendering::default() };
        check(Values::U16(vec![0xFFFF, 0x8000, 0]), 16, 3, &rgb, &[255, 128, 0]);
    }

    #[test]
    fn a_region_is_cut_out_and_turned() {
        let picture = Picture { width: 3, height: 2, components: 1, bytes: vec![1, 2, 3, 4, 5, 6] };
        let region = Crop { left: 1, top: 0, width: 2, height: 2, ..Crop::default() };
        let check = |region: &Crop, expected: &[u8]| assert_eq!(cut(&picture, region).unwrap().bytes, expected);
        check(&region, &[2, 3, 5, 6]);
        check(&Crop { flip_horizontally: true, ..region }, &[3, 2, 6, 5]);
        check(&Crop { flip_vertically: true, ..region }, &[5, 6, 2, 3]);
        check(&Crop { width: 99, height: 1, ..region }, &[2, 3]);
        assert!(cut(&picture, &Crop { left: 3, ..region }).is_err());
        let colour = Picture { width: 2, height: 1, components: 3, bytes: vec![1, 2, 3, 4, 5, 6] };
        let turned = Crop { width: 2, height: 1, flip_horizontally: true, ..Crop::default() };
        assert_eq!(cut(&colour, &turned).unwrap().bytes, [4, 5, 6, 1, 2, 3]);
    }

    #[test]
    fn a_smaller_picture_is_the_mean_of_what_it_covers() {
        let picture = Picture { width: 4, height: 2, components: 1, bytes: vec![0, 10, 20, 30, 0, 10, 20, 30] };
        let into = |width_max, height_max| Rendering { width_max, height_max, ..Rendering::default() };
        let small = fit(picture.clone(), &into(2, 0));
        assert_eq!((small.width, small.height, small.bytes), (2, 1, vec![5, 25]));
        assert_eq!(fit(picture.clone(), &into(9, 9)), picture);
    }

    proptest! {
        /// Whatever is asked for, a picture fits, has its bytes, and goes into both files.
        #[test]
        fn pictures_fit(width in 1u32..50, height in 1u32..50, width_max in 0u32..60, height_max in 0u32..60, slope: f64, center: f64, window: f64) {
            let values = (0..width * height).map(|n| (n * 37) as i16).collect();
            let samples = Samples::new(width, height, 1, 16, Values::I16(values)).unwrap();
            let window = Some(Window { center, width: window, function: VoiLutFunction::Sigmoid });
            let rendering = Rendering { rescale_slope: slope, window, width_max, height_max, ..Rendering::default() };
            let picture = render(&samples, &rendering).unwrap();
            let least = |edge: u32, max: u32| if max == 0 { edge } else { edge.min(max) };
            prop_assert!(picture.width <= least(width, width_max));
            prop_assert!(picture.height <= least(height, height_max));
            prop_assert!(picture.png().unwrap().starts_with(b"\x89PNG") && picture.jpeg(85).unwrap().starts_with(&[0xFF, 0xD8]));
        }
    }

    /// Proves that a picture is enlarged only where that is asked for, its aspect kept, and within bounds.
    #[test]
    fn a_small_picture_fills_its_viewport() {
        let samples = Samples::new(4, 2, 1, 8, Values::U8(vec![0, 255, 0, 255, 9, 9, 9, 9])).unwrap();
        let check = |width_max, height_max, enlarged, expected: (u32, u32)| {
            let rendering = Rendering { width_max, height_max, enlarged, ..Rendering::default() };
            let picture = render(&samples, &rendering).unwrap();
            assert_eq!((picture.width, picture.height), expected, "{width_max} x {height_max}");
            picture
        };
        check(40, 40, false, (4, 2));
        let large = check(40, 40, true, (40, 20));
        assert!(large.bytes[..10].iter().all(|&byte| byte == large.bytes[0]), "a sample becomes ten");
        check(0, 20, true, (40, 20));
        check(0, 0, true, (4, 2));
        check(2, 40, true, (2, 1));
        let pixels = check(65_535, 65_535, true, (11_585, 5_793));
        assert!(pixels.width * pixels.height <= ENLARGED_PIXELS_MAX + 65_536);
    }
}
