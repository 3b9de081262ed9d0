//! The main header that goes with a picture and the caller's parameters.

use super::steps::norm;
use crate::codestream::{Cap, Cod, Coding, Progression, Qcd, STYLE_HIGH_THROUGHPUT, Siz, Steps};
use crate::error::Result;
use crate::geometry::{Grid, Orientation};
use crate::image::Shape;
use crate::parameters::{EncodeParameters, Order};

/// Guard bits G (T.800 E-2). With 2 and exponents of R_I plus the nominal gain, no coefficient of the 5/3 can reach
/// 2^M_b: its largest gains are below 2.9 (LL), 4.8 (HL, LH) and 8 (HH) times half the range, after the colour
/// transform twice that in the exponent.
const GUARD_BITS: u8 = 2;

/// Marker segments of the main header.
pub(super) struct Headers {
    pub siz: Siz,
    pub cap: Cap,
    pub cod: Cod,
    pub qcd: Qcd,
}

impl Headers {
    /// `step` is the quantiser's at the picture; none for the reversible path.
    pub fn new(shape: &Shape, parameters: &EncodeParameters, step: Option<f32>) -> Result<Headers> {
        let Shape { width, height, components, bits, signed } = *shape;
        let mut siz = Siz::plain(width, height, components, bits, signed);
        siz.tile_size = parameters.tile.unwrap_or((width, height));
        let decompositions = parameters.decompositions(siz.tile_size.0.min(width), siz.tile_size.1.min(height));
        let colour = parameters.colour_transform && components >= 3;
        let grid = Grid {
            decompositions,
            block_width_log2: parameters.block_log2.0,
            block_height_log2: parameters.block_log2.1,
            precincts_log2: precincts(parameters, decompositions),
            splits: Vec::new(),
        };
        let steps = match step {
            None => reversible(decompositions, bits + u8::from(colour)),
            Some(step) => irreversible(decompositions, bits, step),
        };
        let qcd = Qcd { guard_bits: GUARD_BITS, steps };
        Ok(Headers {
            siz,
            cap: Cap::plain(step.is_some(), qcd.magnitude_bound(decompositions)?),
            cod: Cod {
                progression: match parameters.order {
                    Order::Lrcp => Progression::Lrcp,
                    Order::Rpcl => Progression::Rpcl,
                },
                layers: 1,
                colour_transform: colour,
                sop: false,
                eph: false,
                coding: Coding { grid, block_style: STYLE_HIGH_THROUGHPUT, reversible: step.is_none(), kernel: None },
            },
            qcd,
        })
    }
}

fn precincts(parameters: &EncodeParameters, decompositions: u8) -> Vec<(u8, u8)> {
    let given = &parameters.precincts_log2;
    let Some(&last) = given.last() else { return Vec::new() };
    (0..=usize::from(decompositions)).map(|level| given.get(level).copied().unwrap_or(last)).collect()
}

/// Subbands in the order of QCD: LL, then HL, LH, HH from the smallest up (T.800 Table A.27).
fn subbands(decompositions: u8) -> impl Iterator<Item = (Orientation, u8)> {
    let high = [Orientation::HL, Orientation::LH, Orientation::HH];
    let levels = (1..=decompositions).rev().flat_map(move |level| high.map(|orientation| (orientation, level)));
    std::iter::once((Orientation::LL, decompositions)).chain(levels)
}

/// Exponents are the nominal range of each subband (T.800 E-4), and what roundings add where samples have few bits: LL
/// grows by 2.91 at most, however deep, which the guard bits hold, and by up to six beside that, which they do not hold
/// below 4 bits.
fn reversible(decompositions: u8, bits: u8) -> Steps {
    let rounding = match bits {
        1 => 2,
        2 | 3 => 1,
        _ => 0,
    };
    Steps::Reversible(subbands(decompositions).map(|(band, _)| bits + rounding + band.gain_log2()).collect())
}

fn irreversible(decompositions: u8, bits: u8, step: f32) -> Steps {
    let of_band = |(orientation, level): (Orientation, u8)| {
        let range = i32::from(bits + orientation.gain_log2());
        exponent_and_mantissa(f64::from(step) / norm(orientation, level), range)
    };
    Steps::Expounded(subbands(decompositions).map(of_band).collect())
}

/// Exponents above this are not used, though a field of 5 bits has room for them: magnitudes of a subband have one bit
/// more at most ([`GUARD_BITS`], T.800 E-2), and 31 bits are what decoders hold. Coefficients have 24 bits.
const EXPONENT_MAX: u8 = 28;

/// The largest step `2^(range - exponent) * (1 + mantissa / 2^11)` not above `step` (T.800 E-3), or the nearest that
/// an exponent reaches.
fn exponent_and_mantissa(step: f64, range: i32) -> (u8, u16) {
    let floor = step.log2().floor();
    let exponent = f64::from(range) - floor;
    if exponent > f64::from(EXPONENT_MAX) {
        return (EXPONENT_MAX, 0);
    }
    if exponent < 0.0 {
        return (0, 2047);
    }
    let mantissa = ((step / floor.exp2() - 1.0) * 2048.0).floor().clamp(0.0, 2047.0);
    (exponent as u8, mantissa as u16)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_are_kept_to_eleven_bits() {
        for step in [1e-9, 0.01, 0.5, 1.0, 3.3, 1000.0] {
            let (exponent, mantissa) = exponent_and_mantissa(step, 12);
            let back = 2f64.powi(12 - i32::from(exponent)) * (1.0 + f64::from(mantissa) / 2048.0);
            assert!(exponent == EXPONENT_MAX || (back <= step && back > step * 0.999), "{step} {back}");
        }
        assert_eq!(exponent_and_mantissa(1e9, 12), (0, 2047));
    }

    #[test]
    fn the_last_precinct_holds_for_the_levels_above() {
        let parameters = EncodeParameters { precincts_log2: vec![(7, 7), (8, 8)], ..EncodeParameters::default() };
        assert_eq!(precincts(&parameters, 3), [(7, 7), (8, 8), (8, 8), (8, 8)]);
        assert_eq!(precincts(&EncodeParameters::default(), 3), []);
    }
}
