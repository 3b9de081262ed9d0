//! The parameters of an image request (IIIF Image API 3.0 §4), read strictly, and what they come to for one picture.

use transcode::Region;

use crate::error::{Error, Result};

/// Columns, and rows, of an answer at the most.
pub(crate) const EDGE_MAX: u32 = 16_384;
/// Columns times rows of an answer at the most: 4,096 by 4,096.
pub(crate) const AREA_MAX: u64 = 1 << 24;

/// What is asked for, before it is known of what size the picture is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Request {
    pub(crate) region: Wanted,
    pub(crate) size: Size,
    pub(crate) rotation: Rotation,
    pub(crate) quality: Quality,
    pub(crate) format: Format,
}

/// §4.1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Wanted {
    Full,
    Square,
    Pixels([u32; 4]),
    Percent([f64; 4]),
}

/// §4.2.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Size {
    /// `^`: it may be larger than the region.
    pub(crate) upscaled: bool,
    pub(crate) form: SizeForm,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum SizeForm {
    Max,
    Width(u32),
    Height(u32),
    Percent(f64),
    Exact(u32, u32),
    Confined(u32, u32),
}

/// §4.3: mirrored first, then turned clockwise by quarters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rotation {
    pub(crate) mirrored: bool,
    /// Quarters of a turn, 0 to 3.
    pub(crate) quarters: u8,
}

/// §4.4.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Quality {
    Default,
    Color,
    Gray,
    Bitonal,
}

/// §4.5, those that are made here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    Jpg,
    Png,
}

impl Format {
    pub(crate) fn media_type(self) -> &'static str {
        match self {
            Format::Jpg => "image/jpeg",
            Format::Png => "image/png",
        }
    }
}

/// What a request comes to for one picture.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Resolved {
    pub(crate) region: Region,
    /// Columns of the answer before it is turned.
    pub(crate) width: u32,
    /// Rows of the answer before it is turned.
    pub(crate) height: u32,
}

impl Request {
    /// Reads the four last segments of a path, percent-decoded.
    ///
    /// # Errors
    /// [`Error::Invalid`] names the parameter that cannot be read; [`Error::NotImplemented`] what the API has and this
    /// server has not.
    pub(crate) fn parse(region: &str, size: &str, rotation: &str, last: &str) -> Result<Request> {
        let (quality, format) = last.rsplit_once('.').ok_or_else(|| invalid("quality and format", LAST))?;
        Ok(Request {
            region: wanted(region)?,
            size: size_of(size)?,
            rotation: rotation_of(rotation)?,
            quality: quality_of(quality)?,
            format: format_of(format)?,
        })
    }

    /// What it is for a picture of this size.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a region outside, a size of nothing, one above the limits, and one above the region without `^`.
    pub(crate) fn resolve(&self, width: u32, height: u32) -> Result<Resolved> {
        let region = self.region.within(width, height)?;
        let (width, height) = self.size.of(region.width, region.height)?;
        Ok(Resolved { region, width, height })
    }
}

impl Resolved {
    /// The canonical form of the request (§4.7), from the region on.
    pub(crate) fn canonical(&self, request: &Request, (width, height): (u32, u32), grey: bool) -> String {
        let Region { x, y, width: across, height: down } = self.region;
        let region = match (across, down) == (width, height) {
            true => "full".to_owned(),
            false => format!("{x},{y},{across},{down}"),
        };
        let upscaled = self.width > across || self.height > down;
        let size = match (self.width, self.height) == largest(across, down, false) && !upscaled {
            true => "max".to_owned(),
            false => format!("{}{},{}", if upscaled { "^" } else { "" }, self.width, self.height),
        };
        let mirrored = if request.rotation.mirrored { "!" } else { "" };
        let quality = match request.quality {
            Quality::Bitonal => "bitonal",
            Quality::Gray if !grey => "gray",
            _ => "default",
        };
        let format = if request.format == Format::Jpg { "jpg" } else { "png" };
        format!("{region}/{size}/{mirrored}{}/{quality}.{format}", u32::from(request.rotation.quarters) * 90)
    }
}

const REGION: &str = "write full, square, x,y,w,h in pixels or pct:x,y,w,h, inside the picture";
const SIZE: &str =
    "write max, w, or ,h or w,h or !w,h in pixels, or pct:n; with ^ before it for more than the region has";
const ROTATION: &str = "write 0, 90, 180 or 270, with ! before it to mirror";
const LAST: &str = "write default, color, gray or bitonal, then .jpg or .png";
const LIMITS: &str = "info.json says maxWidth, maxHeight and maxArea";

fn invalid(what: &str, next_step: &'static str) -> Error {
    Error::invalid(format!("the {what} of the image request cannot be read"), next_step)
}

/// A number as §4 writes it: digits, perhaps a point and digits.
fn decimal(text: &str) -> Option<f64> {
    let plain = !text.is_empty() && text.len() <= 20 && text.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    plain.then(|| text.parse().ok().filter(|number: &f64| number.is_finite()))?
}

fn integer(text: &str) -> Option<u32> {
    let plain = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    plain.then(|| text.parse().ok())?
}

fn four<T>(text: &str, number: impl Fn(&str) -> Option<T>) -> Option<[T; 4]> {
    let numbers: Option<Vec<T>> = text.split(',').take(5).map(number).collect();
    numbers?.try_into().ok()
}

fn wanted(text: &str) -> Result<Wanted> {
    let read = match text {
        "full" => Some(Wanted::Full),
        "square" => Some(Wanted::Square),
        _ => match text.strip_prefix("pct:") {
            Some(percent) => four(percent, decimal).map(Wanted::Percent),
            None => four(text, integer).map(Wanted::Pixels),
        },
    };
    read.ok_or_else(|| invalid("region", REGION))
}

impl Wanted {
    fn within(self, width: u32, height: u32) -> Result<Region> {
        let [x, y, across, down] = match self {
            Wanted::Full => [0, 0, width, height],
            Wanted::Square => {
                let edge = width.min(height);
                [(width - edge) / 2, (height - edge) / 2, edge, edge]
            }
            Wanted::Pixels(numbers) => numbers,
            Wanted::Percent([x, y, across, down]) => {
                let of = |percent: f64, edge: u32| (percent / 100.0 * f64::from(edge)).round() as u32;
                // A share above nothing is at least a pixel.
                let some = |percent: f64, edge: u32| of(percent, edge).max(u32::from(percent > 0.0));
                [of(x, width), of(y, height), some(across, width), some(down, height)]
            }
        };
        let (end_x, end_y) = (x.saturating_add(across).min(width), y.saturating_add(down).min(height));
        if x >= end_x || y >= end_y {
            return Err(Error::invalid("the region is empty or outside the picture", REGION));
        }
        Ok(Region { x, y, width: end_x - x, height: end_y - y })
    }
}

fn size_of(text: &str) -> Result<Size> {
    let (upscaled, rest) = text.strip_prefix('^').map_or((false, text), |rest| (true, rest));
    let pair = |text: &str| {
        let (width, height) = text.split_once(',')?;
        Some((integer(width)?, integer(height)?))
    };
    let form = if rest == "max" {
        Some(SizeForm::Max)
    } else if let Some(percent) = rest.strip_prefix("pct:") {
        decimal(percent).map(SizeForm::Percent)
    } else if let Some(confined) = rest.strip_prefix('!') {
        pair(confined).map(|(width, height)| SizeForm::Confined(width, height))
    } else if let Some(height) = rest.strip_prefix(',') {
        integer(height).map(SizeForm::Height)
    } else if let Some(width) = rest.strip_suffix(',') {
        integer(width).map(SizeForm::Width)
    } else {
        pair(rest).map(|(width, height)| SizeForm::Exact(width, height))
    };
    form.map(|form| Size { upscaled, form }).ok_or_else(|| invalid("size", SIZE))
}

/// The largest size of this shape within the limits; not larger than it is, unless `upscaled`.
pub(crate) fn largest(width: u32, height: u32, upscaled: bool) -> (u32, u32) {
    confined(width, height, (EDGE_MAX, EDGE_MAX), upscaled)
}

/// The largest size of this shape within a frame and the limits.
fn confined(width: u32, height: u32, (width_max, height_max): (u32, u32), upscaled: bool) -> (u32, u32) {
    let (across, down) = (f64::from(width), f64::from(height));
    let fit = (f64::from(width_max.min(EDGE_MAX)) / across).min(f64::from(height_max.min(EDGE_MAX)) / down);
    let fit = fit.min((AREA_MAX as f64 / (across * down)).sqrt());
    let scale = if upscaled { fit } else { fit.min(1.0) };
    // Rounded, but never beyond a limit.
    let edge = |edge: f64, max: u32| ((edge * scale).round() as u32).clamp(1, max.clamp(1, EDGE_MAX));
    let (new_width, mut new_height) = (edge(across, width_max), edge(down, height_max));
    while u64::from(new_width) * u64::from(new_height) > AREA_MAX {
        new_height -= 1;
    }
    (new_width, new_height)
}

impl Size {
    fn of(self, width: u32, height: u32) -> Result<(u32, u32)> {
        let (across, down) = (f64::from(width), f64::from(height));
        let rounded = |edge: f64| edge.round().clamp(0.0, f64::from(u32::MAX)) as u32;
        // The edge that was not named keeps the shape, and does not vanish.
        let kept = |edge: f64| rounded(edge).max(1);
        let (new_width, new_height) = match self.form {
            SizeForm::Max => return Ok(largest(width, height, self.upscaled)),
            SizeForm::Confined(0, _) | SizeForm::Confined(_, 0) => (0, 0),
            SizeForm::Confined(w, h) => return Ok(confined(width, height, (w, h), self.upscaled)),
            SizeForm::Width(w) => (w, kept(down * f64::from(w) / across)),
            SizeForm::Height(h) => (kept(across * f64::from(h) / down), h),
            SizeForm::Percent(percent) => (rounded(across * percent / 100.0), rounded(down * percent / 100.0)),
            SizeForm::Exact(w, h) => (w, h),
        };
        if new_width == 0 || new_height == 0 {
            return Err(Error::invalid("the size comes to nothing", SIZE));
        }
        if !self.upscaled && (new_width > width || new_height > height) {
            return Err(Error::invalid("the size is more than the region has", SIZE));
        }
        let area = u64::from(new_width) * u64::from(new_height);
        if new_width > EDGE_MAX || new_height > EDGE_MAX || area > AREA_MAX {
            return Err(Error::invalid("the size is above what is answered", LIMITS));
        }
        Ok((new_width, new_height))
    }
}

fn rotation_of(text: &str) -> Result<Rotation> {
    let (mirrored, degrees) = text.strip_prefix('!').map_or((false, text), |rest| (true, rest));
    let degrees = decimal(degrees).filter(|degrees| *degrees <= 360.0).ok_or_else(|| invalid("rotation", ROTATION))?;
    let quarters = [0.0, 90.0, 180.0, 270.0].iter().position(|right| *right == degrees % 360.0);
    match quarters {
        Some(quarters) => Ok(Rotation { mirrored, quarters: quarters as u8 }),
        None => Err(Error::NotImplemented { what: "a rotation that is no quarter of a turn", next_step: ROTATION }),
    }
}

fn quality_of(text: &str) -> Result<Quality> {
    match text {
        "default" => Ok(Quality::Default),
        "color" => Ok(Quality::Color),
        "gray" => Ok(Quality::Gray),
        "bitonal" => Ok(Quality::Bitonal),
        _ => Err(invalid("quality", LAST)),
    }
}

fn format_of(text: &str) -> Result<Format> {
    match text {
        "jpg" => Ok(Format::Jpg),
        "png" => Ok(Format::Png),
        "tif" | "gif" | "jp2" | "pdf" | "webp" => Err(Error::NotImplemented { what: "this format", next_step: LAST }),
        _ => Err(invalid("format", LAST)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn request(path: &str) -> Result<Request> {
        let parts: Vec<&str> = path.split('/').collect();
        Request::parse(parts[0], parts[1], parts[2], parts[3])
    }

    /// What a path comes to for a picture of 300 columns and 200 rows: region and size.
    fn check(path: &str, region: [u32; 4], size: (u32, u32)) {
        let resolved = request(&format!("{path}/0/default.jpg")).unwrap().resolve(300, 200).unwrap();
        let Region { x, y, width, height } = resolved.region;
        assert_eq!(([x, y, width, height], (resolved.width, resolved.height)), (region, size), "{path}");
    }

    fn refused(path: &str, status: u16) {
        let answer = request(path).and_then(|request| request.resolve(300, 200));
        assert_eq!(answer.map_err(|error| error.status().as_u16()), Err(status), "{path}");
    }

    const FULL: [u32; 4] = [0, 0, 300, 200];

    #[test]
    fn iiif_regions_are_full_square_pixels_and_percent() {
        check("full/max", FULL, (300, 200));
        check("square/max", [50, 0, 200, 200], (200, 200));
        check("10,20,30,40/max", [10, 20, 30, 40], (30, 40));
        check("290,190,100,100/max", [290, 190, 10, 10], (10, 10));
        check("pct:50,50,25,25.5/max", [150, 100, 75, 51], (75, 51));
        check("pct:0,0,0.1,0.1/max", [0, 0, 1, 1], (1, 1));
    }

    #[test]
    fn iiif_regions_of_nothing_and_outside_are_refused() {
        for bad in
            ["300,0,1,1", "0,200,1,1", "0,0,0,5", "pct:100,0,5,5", "pct:0,0,0,5", "-1,0,5,5", "1,2,3", "1,2,3,4,5"]
        {
            refused(&format!("{bad}/max/0/default.jpg"), 400);
        }
        for bad in ["", "Full", "1.5,0,5,5", "pct:1e1,0,5,5", "pct:NaN,0,5,5", "99999999999,0,1,1", "square,1"] {
            refused(&format!("{bad}/max/0/default.jpg"), 400);
        }
    }

    #[test]
    fn iiif_sizes_keep_or_change_the_shape_as_their_form_says() {
        check("full/150,", FULL, (150, 100));
        check("full/,50", FULL, (75, 50));
        check("full/pct:10", FULL, (30, 20));
        check("full/30,100", FULL, (30, 100));
        check("full/!100,100", FULL, (100, 67));
        check("full/!1000,50", FULL, (75, 50));
        check("0,0,10,1/1,", [0, 0, 10, 1], (1, 1));
    }

    #[test]
    fn iiif_sizes_above_the_region_need_the_caret() {
        for bad in ["301,", ",201", "pct:101", "301,10", "10,201"] {
            refused(&format!("full/{bad}/0/default.jpg"), 400);
        }
        check("full/!900,900", FULL, (300, 200));
        check("full/^600,", FULL, (600, 400));
        check("full/^,400", FULL, (600, 400));
        check("full/^pct:150", FULL, (450, 300));
        check("full/^600,10", FULL, (600, 10));
        check("full/^!900,900", FULL, (900, 600));
        check("full/^150,", FULL, (150, 100));
    }

    #[test]
    fn iiif_max_is_within_the_limits() {
        check("full/^max", FULL, (5017, 3344));
        let (width, height) = largest(50_000, 40_000, false);
        assert!(u64::from(width) * u64::from(height) <= AREA_MAX && width > 4500, "{width} {height}");
        assert_eq!(largest(100_000, 10, false), (16_384, 2));
        refused("full/^5017,3345/0/default.jpg", 400);
        refused("full/^16385,1/0/default.jpg", 400);
    }

    #[test]
    fn iiif_sizes_that_cannot_be_read_or_come_to_nothing_are_refused() {
        for bad in ["", "full", "0,", ",0", "0,0", "!0,5", "pct:0", "pct:-1", ",", "1,2,3", "a,b", "^", "1.5,", "max^"]
        {
            refused(&format!("full/{bad}/0/default.jpg"), 400);
        }
    }

    #[test]
    fn iiif_rotations_are_quarters_and_mirrored_first() {
        let read = |text: &str| rotation_of(text).map(|read| (read.mirrored, read.quarters)).ok();
        assert_eq!(read("0"), Some((false, 0)));
        assert_eq!(read("90"), Some((false, 1)));
        assert_eq!(read("!180.0"), Some((true, 2)));
        assert_eq!(read("270"), Some((false, 3)));
        assert_eq!(read("360"), Some((false, 0)));
        for (path, status) in
            [("22.5", 501), ("!1", 501), ("361", 400), ("-90", 400), ("", 400), ("!", 400), ("1e2", 400)]
        {
            refused(&format!("full/max/{path}/default.jpg"), status);
        }
    }

    #[test]
    fn iiif_qualities_and_formats_are_those_of_the_api() {
        for good in ["default.jpg", "color.png", "gray.jpg", "bitonal.png"] {
            assert!(request(&format!("full/max/0/{good}")).is_ok(), "{good}");
        }
        for (bad, status) in [
            ("default.webp", 501),
            ("default.tif", 501),
            ("default.gif", 501),
            ("default.jp2", 501),
            ("default.pdf", 501),
            ("default.bmp", 400),
            ("native.jpg", 400),
            ("default", 400),
            ("", 400),
            (".jpg", 400),
        ] {
            refused(&format!("full/max/0/{bad}"), status);
        }
    }

    #[test]
    fn iiif_canonical_requests_are_the_shortest_way_to_say_it() {
        let check = |path: &str, grey: bool, expected: &str| {
            let request = request(path).unwrap();
            let resolved = request.resolve(300, 200).unwrap();
            assert_eq!(resolved.canonical(&request, (300, 200), grey), expected, "{path}");
        };
        check("0,0,300,200/300,200/0.0/color.jpg", false, "full/max/0/default.jpg");
        check("pct:0,0,50,50/pct:50/!90/gray.png", false, "0,0,150,100/75,50/!90/gray.png");
        check("square/^400,/360/gray.jpg", true, "50,0,200,200/^400,400/0/default.jpg");
        check("full/!100,100/0/bitonal.jpg", true, "full/100,67/0/bitonal.jpg");
    }
}
