//! Quantization (T.800 A.6.4, A.6.5 and Annex E).

use super::cursor::Cursor;
use super::marker;
use crate::error::{Error, Result};
use crate::geometry::Orientation;

/// Subbands of 32 decompositions.
const SUBBANDS_MAX: usize = 97;

/// Exponents and mantissas of the subbands: LL, then HL, LH, HH from the lowest resolution level up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Steps {
    /// No quantization: an exponent for each subband (T.800 Table A.29).
    Reversible(Vec<u8>),
    /// The exponent and mantissa of LL, from which all others follow (T.800 E-5).
    Derived(u8, u16),
    /// Exponent and mantissa of each subband (T.800 Table A.30).
    Expounded(Vec<(u8, u16)>),
}

/// The QCD or QCC marker segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Qcd {
    /// G: guard bits, 0 to 7.
    pub guard_bits: u8,
    /// The subbands' steps.
    pub steps: Steps,
}

impl Qcd {
    /// Exponent ε_b and mantissa μ_b of a subband; the mantissa of reversible ones is 0.
    ///
    /// # Errors
    /// [`Error::BadParameters`] if nothing is said about the subband.
    pub fn step(&self, decompositions: u8, orientation: Orientation, level: u8) -> Result<(u8, u16)> {
        let missing = || Error::BadParameters(format!("no quantization for {orientation:?} of level {level}"));
        let index = subband(decompositions, orientation, level).ok_or_else(missing)?;
        match &self.steps {
            Steps::Reversible(exponents) => exponents.get(index).map(|&exponent| (exponent, 0)),
            Steps::Expounded(both) => both.get(index).copied(),
            // T.800 E-5.
            Steps::Derived(exponent, mantissa) => {
                exponent.checked_sub(decompositions - level).map(|exponent| (exponent, *mantissa))
            }
        }
        .ok_or_else(missing)
    }

    /// M_b: magnitude bit-planes of a subband (T.800 E-2), without a region's shift.
    ///
    /// # Errors
    /// As [`Qcd::step`].
    pub fn magnitude_bits(&self, decompositions: u8, orientation: Orientation, level: u8) -> Result<u8> {
        let (exponent, _) = self.step(decompositions, orientation, level)?;
        Ok((self.guard_bits + exponent).saturating_sub(1))
    }

    /// Δ_b: the step size of a subband of samples with `bits` bits (T.800 E-3), 1 if reversible.
    ///
    /// # Errors
    /// As [`Qcd::step`].
    pub fn step_size(&self, decompositions: u8, orientation: Orientation, level: u8, bits: u8) -> Result<f32> {
        let (exponent, mantissa) = self.step(decompositions, orientation, level)?;
        if let Steps::Reversible(_) = self.steps {
            return Ok(1.0);
        }
        let range = i32::from(bits) + i32::from(orientation.gain_log2());
        Ok(2f32.powi(range - i32::from(exponent)) * (1.0 + f32::from(mantissa) / 2048.0))
    }

    /// A bound B for [`super::Cap`] that holds for whatever the code-blocks of `decompositions` contain: encoders that
    /// know the largest magnitude can give less.
    ///
    /// # Errors
    /// As [`Qcd::step`].
    pub fn magnitude_bound(&self, decompositions: u8) -> Result<u8> {
        let mut bound = self.one_bound(decompositions, Orientation::LL, decompositions)?;
        for level in 1..=decompositions {
            for orientation in [Orientation::HL, Orientation::LH, Orientation::HH] {
                bound = bound.max(self.one_bound(decompositions, orientation, level)?);
            }
        }
        Ok(bound)
    }

    /// Reversible: M_b. Irreversible: the nominal range grows with the level, so that M_b + 1 - n_b is what counts.
    fn one_bound(&self, decompositions: u8, orientation: Orientation, level: u8) -> Result<u8> {
        let bits = self.magnitude_bits(decompositions, orientation, level)?;
        let reversible = matches!(self.steps, Steps::Reversible(_));
        Ok(if reversible { bits } else { (bits + 1).saturating_sub(level) })
    }

    /// Whether every subband of `decompositions` has its step.
    pub(crate) fn covers(&self, decompositions: u8) -> bool {
        self.magnitude_bound(decompositions).is_ok()
    }

    pub(crate) fn read(segment: &mut Cursor) -> Result<Qcd> {
        let style = segment.u8()?;
        let (guard_bits, left) = (style >> 5, segment.remaining());
        let size = if style & 31 == 0 { 1 } else { 2 };
        if left / size > SUBBANDS_MAX {
            return Err(segment.damaged(format!("{} subbands, and {SUBBANDS_MAX} are possible", left / size)));
        }
        let mut both = || segment.u16().map(|word| ((word >> 11) as u8, word & 0x7FF));
        let steps = match style & 31 {
            0 => Steps::Reversible((0..left).map(|_| Ok(segment.u8()? >> 3)).collect::<Result<_>>()?),
            1 => both().map(|(exponent, mantissa)| Steps::Derived(exponent, mantissa))?,
            2 => Steps::Expounded((0..left / 2).map(|_| both()).collect::<Result<_>>()?),
            other => return Err(segment.damaged(format!("quantization style {other}"))),
        };
        Ok(Qcd { guard_bits, steps })
    }

    /// The component and quantization of a QCC marker segment.
    pub(crate) fn read_component(segment: &mut Cursor, components: usize) -> Result<(u16, Qcd)> {
        Ok((segment.component(components)?, Qcd::read(segment)?))
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let wide = |out: &mut Vec<u8>, exponent: u8, mantissa: u16| {
            out.extend(((u16::from(exponent) << 11) | mantissa).to_be_bytes());
        };
        self.check()?;
        let (style, length) = match &self.steps {
            Steps::Reversible(exponents) => (0, exponents.len()),
            Steps::Derived(..) => (1, 2),
            Steps::Expounded(both) => (2, 2 * both.len()),
        };
        out.extend(marker::QCD.to_be_bytes());
        out.extend((3 + length as u16).to_be_bytes());
        out.push((self.guard_bits << 5) | style);
        match &self.steps {
            Steps::Reversible(exponents) => out.extend(exponents.iter().map(|exponent| exponent << 3)),
            Steps::Derived(exponent, mantissa) => wide(out, *exponent, *mantissa),
            Steps::Expounded(both) => both.iter().for_each(|&(exponent, mantissa)| wide(out, exponent, mantissa)),
        }
        Ok(())
    }

    fn check(&self) -> Result<()> {
        let fits = |exponent: u8, mantissa: u16| exponent < 32 && mantissa < 2048;
        let good = match &self.steps {
            Steps::Reversible(exponents) => {
                exponents.len() <= SUBBANDS_MAX && exponents.iter().all(|&exponent| fits(exponent, 0))
            }
            Steps::Derived(exponent, mantissa) => fits(*exponent, *mantissa),
            Steps::Expounded(both) => both.len() <= SUBBANDS_MAX && both.iter().all(|&(e, m)| fits(e, m)),
        };
        if good && self.guard_bits < 8 {
            return Ok(());
        }
        Err(Error::BadParameters("guard bits, exponents or mantissas that QCD cannot hold".into()))
    }
}

/// Where a subband stands in the list of QCD (T.800 Table A.28 and the order of F.3.1).
fn subband(decompositions: u8, orientation: Orientation, level: u8) -> Option<usize> {
    let within = match orientation {
        Orientation::LL => return (level == decompositions).then_some(0),
        Orientation::HL => 1,
        Orientation::LH => 2,
        Orientation::HH => 3,
    };
    let below = decompositions.checked_sub(level).filter(|_| level > 0)?;
    Some(3 * usize::from(below) + within)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check_round_trip(qcd: &Qcd) {
        let mut bytes = Vec::new();
        qcd.write(&mut bytes).unwrap();
        assert_eq!(usize::from(u16::from_be_bytes([bytes[2], bytes[3]])), bytes.len() - 2);
        assert_eq!(&Qcd::read(&mut Cursor::new(&bytes, 4, "QCD")).unwrap(), qcd);
    }

    #[test]
    fn what_is_written_is_read() {
        check_round_trip(&Qcd { guard_bits: 1, steps: Steps::Reversible(vec![19, 20, 20, 21]) });
        check_round_trip(&Qcd { guard_bits: 7, steps: Steps::Derived(31, 2047) });
        check_round_trip(&Qcd { guard_bits: 2, steps: Steps::Expounded(vec![(12, 0), (13, 5), (13, 5), (14, 9)]) });
    }

    /// M_b and the order of subbands, against a stream of another encoder (16 bits signed, 5 decompositions, B = 20).
    #[test]
    fn magnitude_bits_follow_the_subband() {
        let exponents = [0x90, 0x98, 0x98, 0xA0, 0x98, 0x98, 0xA0].map(|byte: u8| byte >> 3).to_vec();
        let qcd = Qcd { guard_bits: 1, steps: Steps::Reversible(exponents) };
        assert_eq!(qcd.magnitude_bits(2, Orientation::LL, 2).unwrap(), 18);
        assert_eq!(qcd.magnitude_bits(2, Orientation::HL, 2).unwrap(), 19);
        assert_eq!(qcd.magnitude_bits(2, Orientation::HH, 1).unwrap(), 20);
        assert_eq!(qcd.magnitude_bound(2).unwrap(), 20);
        assert!(qcd.covers(2) && !qcd.covers(3));
        assert!(qcd.step(2, Orientation::LL, 1).is_err() && qcd.step(2, Orientation::HH, 0).is_err());
    }

    /// T.800 E-3 and E-5: a derived step halves with every level.
    #[test]
    fn step_sizes_follow_the_equations() {
        let qcd = Qcd { guard_bits: 2, steps: Steps::Derived(10, 1024) };
        assert_eq!(qcd.step_size(2, Orientation::LL, 2, 8).unwrap(), 0.25 * 1.5);
        assert_eq!(qcd.step_size(2, Orientation::HH, 1, 8).unwrap(), 2.0 * 1.5);
        let plain = Qcd { guard_bits: 2, steps: Steps::Reversible(vec![9]) };
        assert_eq!(plain.step_size(0, Orientation::LL, 0, 8).unwrap(), 1.0);
    }
}
