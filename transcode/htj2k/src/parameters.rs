//! What a caller may choose.

use crate::error::{Error, Result};
use crate::geometry::Rect;

/// Longer edge of the lowest resolution level when the caller names no number of decompositions: a thumbnail. Samples.
pub const BASE_EDGE_MAX: u32 = 64;

/// Samples that one decoded picture may have unless the caller says otherwise: 2^28 is 16384 x 16384 grey.
pub const SAMPLES_MAX: u64 = 1 << 28;

/// How much of the picture must come back.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Quality {
    /// Every bit: 5/3 wavelet and reversible colour transform.
    #[default]
    Lossless,
    /// 9/7 wavelet, quantised with this step, in units of one grey level at the picture.
    Step(f32),
    /// 9/7 wavelet; no sample comes back further off than this.
    LargestError(u32),
    /// 9/7 wavelet; at least this peak signal to noise ratio. dB.
    Psnr(f64),
    /// 9/7 wavelet; raw bytes (of 1 or 2 bytes a sample) are at least this many times the codestream.
    Ratio(f64),
}

/// In which order packets stand (T.800 B.12).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Order {
    /// Layer, resolution level, component, position.
    Lrcp,
    /// Resolution level, position, component, layer: a prefix is a smaller picture.
    #[default]
    Rpcl,
}

/// How to encode. The default is what DICOM calls HTJ2K with RPCL Options, lossless (PS3.5 §10.18).
#[derive(Clone, Debug, PartialEq)]
pub struct EncodeParameters {
    /// How much of the picture must come back.
    pub quality: Quality,
    /// Decomposition levels, 0 to 32. None: the least that bring the longer edge to [`BASE_EDGE_MAX`] or below.
    pub decompositions: Option<u8>,
    /// log2 of code-block width and height: each 2 to 10, together at most 12.
    pub block_log2: (u8, u8),
    /// log2 of precinct width and height by resolution level, lowest first; the last one holds for those above.
    /// Empty: one precinct a level (up to 2^15 x 2^15).
    pub precincts_log2: Vec<(u8, u8)>,
    /// Width and height of tiles. None: one tile.
    pub tile: Option<(u32, u32)>,
    /// Order of packets.
    pub order: Order,
    /// One tile-part a resolution level, so that TLM says where each ends; else one a tile.
    pub tile_part_by_resolution: bool,
    /// Whether three or four components go through the colour transform.
    pub colour_transform: bool,
}

impl Default for EncodeParameters {
    fn default() -> EncodeParameters {
        EncodeParameters {
            quality: Quality::Lossless,
            decompositions: None,
            block_log2: (6, 6),
            precincts_log2: Vec::new(),
            tile: None,
            order: Order::Rpcl,
            tile_part_by_resolution: true,
            colour_transform: true,
        }
    }
}

impl EncodeParameters {
    /// Whether every choice is legal.
    ///
    /// # Errors
    /// [`Error::BadParameters`] names the one that is not.
    pub fn check(&self) -> Result<()> {
        let (width, height) = self.block_log2;
        if !(2..=10).contains(&width) || !(2..=10).contains(&height) || width + height > 12 {
            return bad(format!(
                "code-blocks of 2^{width} x 2^{height}: each edge is 4 to 1024, and the area at most 4096"
            ));
        }
        if self.decompositions.is_some_and(|levels| levels > 32) {
            return bad("more than 32 decompositions".into());
        }
        if self.precincts_log2.iter().any(|&(width, height)| width > 15 || height > 15) {
            return bad("a precinct edge is at most 2^15".into());
        }
        if self.precincts_log2.iter().skip(1).any(|&(width, height)| width == 0 || height == 0) {
            return bad("a precinct edge of 1 is legal in the lowest resolution level only (T.800 Table A.21)".into());
        }
        if self.tile.is_some_and(|(width, height)| width == 0 || height == 0) {
            return bad("a tile has at least one column and one row".into());
        }
        self.quality.check()
    }

    /// Decompositions for a picture (or tile) of this size.
    pub fn decompositions(&self, width: u32, height: u32) -> u8 {
        let least = || (0..32u8).find(|&levels| width.max(height).div_ceil(1 << levels) <= BASE_EDGE_MAX).unwrap_or(32);
        self.decompositions.unwrap_or_else(least)
    }
}

impl Quality {
    fn check(&self) -> Result<()> {
        match *self {
            Quality::Step(step) if !(step.is_finite() && step > 0.0) => bad("a step is above 0".into()),
            Quality::Psnr(decibels) if !(decibels.is_finite() && decibels > 0.0) => bad("a PSNR is above 0 dB".into()),
            Quality::Ratio(ratio) if !(ratio.is_finite() && ratio >= 1.0) => bad("a ratio is 1 or above".into()),
            _ => Ok(()),
        }
    }
}

fn bad<T>(what: String) -> Result<T> {
    Err(Error::BadParameters(what))
}

/// What to decode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DecodeOptions {
    /// Highest resolution levels to leave out: each halves the edges. Above the number of decompositions it is refused.
    pub reduce: u8,
    /// The part of the picture that is wanted, in the columns and rows of the reduced picture. None: all.
    pub region: Option<Rect>,
    /// Whether a truncated codestream gives what it holds; else it is [`Error::Damaged`].
    pub prefix: bool,
    /// Samples the answer may have; above it nothing is allocated.
    pub samples_max: u64,
}

impl Default for DecodeOptions {
    fn default() -> DecodeOptions {
        DecodeOptions { reduce: 0, region: None, prefix: false, samples_max: SAMPLES_MAX }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decompositions_follow_the_longer_edge() {
        let check = |width, height, expected| {
            assert_eq!(EncodeParameters::default().decompositions(width, height), expected, "{width} x {height}");
        };
        check(1, 1, 0);
        check(64, 64, 0);
        check(65, 1, 1);
        check(512, 512, 3);
        check(4096, 6144, 7);
        check(u32::MAX, 1, 26);
    }

    #[test]
    fn illegal_choices_are_named() {
        let check =
            |parameters: EncodeParameters, legal: bool| assert_eq!(parameters.check().is_ok(), legal, "{parameters:?}");
        let default = EncodeParameters::default;
        check(default(), true);
        check(EncodeParameters { block_log2: (10, 2), ..default() }, true);
        check(EncodeParameters { block_log2: (7, 6), ..default() }, false);
        check(EncodeParameters { block_log2: (1, 6), ..default() }, false);
        check(EncodeParameters { decompositions: Some(33), ..default() }, false);
        check(EncodeParameters { tile: Some((0, 9)), ..default() }, false);
        check(EncodeParameters { quality: Quality::Ratio(0.5), ..default() }, false);
        check(EncodeParameters { quality: Quality::Step(f32::NAN), ..default() }, false);
    }
}
