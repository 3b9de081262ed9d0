//! What T.801 adds to coding styles: which way levels split (DFS, its A.3.3) and kernels of the wavelet (ATK, its
//! A.3.5). Both stand in the main header and are named by number in COD and COC.

use std::sync::Arc;

use super::cursor::Cursor;
use crate::error::{Error, Result};
use crate::geometry::Split;
use crate::wavelet::{IntegerStep, Kernel, LIFTING_STEPS_MAX};

/// Decomposition levels that a list of splits can speak about (T.800 Table A.15).
const DECOMPOSITIONS_MAX: usize = 32;

/// The DFS and ATK marker segments of a main header.
#[derive(Clone, Debug, Default)]
pub(crate) struct Extensions {
    /// Index and splits, the largest level first.
    splits: Vec<(u16, Vec<Split>)>,
    kernels: Vec<(u8, Arc<Kernel>)>,
    /// Decompositions of the main header's COD: those of a COC that names a DFS.
    pub(crate) decompositions: u8,
}

impl Extensions {
    /// Reads a DFS marker segment.
    pub(crate) fn take_splits(&mut self, segment: &mut Cursor) -> Result<()> {
        let (index, count) = (segment.u16()?, usize::from(segment.u8()?));
        if count == 0 || segment.remaining() != count.div_ceil(4) {
            return Err(segment.damaged(format!("{} bytes for {count} levels", segment.remaining())));
        }
        let (mut splits, mut four) = (Vec::new(), 0);
        for level in 0..count.min(DECOMPOSITIONS_MAX) {
            if level % 4 == 0 {
                four = segment.u8()?;
            }
            splits.push(match (four >> (6 - 2 * (level % 4))) & 3 {
                1 => Split::Both,
                2 => Split::Horizontal,
                3 => Split::Vertical,
                _ => return Err(unsupported(segment, "a decomposition level that splits nothing (T.801 A.3.3)")),
            });
        }
        self.splits.push((index, splits));
        Ok(())
    }

    /// Reads an ATK marker segment.
    pub(crate) fn take_kernel(&mut self, segment: &mut Cursor) -> Result<()> {
        let style = segment.u16()?;
        let [whole, reversible, odd_first, symmetric] = [11, 12, 13, 14].map(|bit| style & (1 << bit) != 0);
        if !whole {
            return Err(unsupported(segment, "an arbitrary filter of ATK (T.801 A.3.5)"));
        }
        if odd_first || !symmetric {
            return Err(unsupported(
                segment,
                "an ATK that begins with odd samples or extends by a constant (T.801 A.3.5)",
            ));
        }
        let size = ((style >> 8) & 7) as u8;
        let kernel = if reversible { integers(segment, size)? } else { floats(segment, size)? };
        if segment.remaining() > 0 {
            return Err(segment.damaged(format!("{} bytes behind the last lifting step", segment.remaining())));
        }
        self.kernels.push((style as u8, Arc::new(kernel)));
        Ok(())
    }

    /// The splits of `decompositions` levels by the DFS of number `index`: its last one goes on. Empty if all are both
    /// ways, which needs no DFS.
    pub(crate) fn splits(&self, index: u16, decompositions: u8) -> Option<Vec<Split>> {
        let (_, listed) = self.splits.iter().rev().find(|(number, _)| *number == index)?;
        let last = *listed.last()?;
        let mut splits = listed.clone();
        splits.resize(decompositions.into(), last);
        if splits.iter().all(|&split| split == Split::Both) {
            splits.clear();
        }
        Some(splits)
    }

    /// The kernel of number `index`.
    pub(crate) fn kernel(&self, index: u8) -> Option<Arc<Kernel>> {
        self.kernels.iter().rev().find(|(number, _)| *number == index).map(|(_, kernel)| Arc::clone(kernel))
    }
}

fn unsupported(segment: &Cursor, what: &str) -> Error {
    Error::unsupported(segment.offset(), what)
}

/// Natk.
fn count(segment: &mut Cursor) -> Result<usize> {
    let claimed = segment.u8()?;
    if usize::from(claimed) > LIFTING_STEPS_MAX {
        let (claimed, limit) = (claimed.into(), LIFTING_STEPS_MAX as u64);
        return Err(Error::TooLarge { what: "lifting steps of a wavelet kernel", claimed, limit });
    }
    Ok(claimed.into())
}

/// LCatk: a step of one coefficient reaches the two neighbours.
fn one_coefficient(segment: &mut Cursor) -> Result<()> {
    match segment.u8()? {
        1 => Ok(()),
        0 => Err(segment.damaged("a lifting step without a coefficient")),
        _ => Err(unsupported(segment, "a lifting step of more than two neighbours (T.801 A.3.5)")),
    }
}

/// Katk, Natk and the steps of an irreversible kernel.
fn floats(segment: &mut Cursor, size: u8) -> Result<Kernel> {
    let scale = float(segment, size)?;
    if scale <= 0.0 {
        // Not said which: the way from a float to its digits is 20 kB in the WebAssembly module.
        return Err(segment.damaged("the scaling factor K is not above 0"));
    }
    let count = count(segment)?;
    let step = |_| one_coefficient(segment).and_then(|()| float(segment, size));
    let factors = (0..count).map(step).collect::<Result<_>>()?;
    Ok(Kernel::Irreversible { scale, factors })
}

/// Natk and the steps of a reversible kernel.
fn integers(segment: &mut Cursor, size: u8) -> Result<Kernel> {
    let count = count(segment)?;
    let step = |_| {
        let (shift, residue) = (segment.u8()?, segment.u16()? as i16);
        if shift > 31 {
            return Err(segment.damaged(format!("a lifting step divided by 2^{shift}")));
        }
        one_coefficient(segment)?;
        let factor = integer(segment, size)?;
        Ok(IntegerStep { factor, residue, shift })
    };
    Ok(Kernel::Reversible((0..count).map(step).collect::<Result<_>>()?))
}

/// A coefficient of a reversible kernel.
fn integer(segment: &mut Cursor, size: u8) -> Result<i16> {
    match size {
        0 => Ok(i16::from(segment.u8()? as i8)),
        1 => Ok(segment.u16()? as i16),
        _ => Err(segment.damaged("a reversible kernel has whole coefficients")),
    }
}

/// A coefficient of an irreversible kernel, of any size but 128 bits.
fn float(segment: &mut Cursor, size: u8) -> Result<f32> {
    let found = match size {
        0 | 1 => f32::from(integer(segment, size)?),
        2 => f32::from_bits(segment.u32()?),
        3 => {
            let (high, low) = (segment.u32()?, segment.u32()?);
            f64::from_bits(u64::from(high) << 32 | u64::from(low)) as f32
        }
        4 => return Err(unsupported(segment, "lifting coefficients of 128 bits (T.801 A.3.5)")),
        other => return Err(segment.damaged(format!("coefficients of type {other}"))),
    };
    if found.is_finite() { Ok(found) } else { Err(segment.damaged("a coefficient that is no finite number")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn splits(bytes: &[u8]) -> Result<Extensions> {
        let mut extensions = Extensions::default();
        extensions.take_splits(&mut Cursor::new(bytes, 0, "DFS")).map(|()| extensions)
    }

    fn kernel(bytes: &[u8]) -> Result<Kernel> {
        let mut extensions = Extensions::default();
        extensions.take_kernel(&mut Cursor::new(bytes, 0, "ATK"))?;
        Ok(Kernel::clone(&extensions.kernel(bytes[1]).unwrap()))
    }

    /// Two bits a level, the first on top; the last goes on, and levels beyond what is asked for are left out.
    #[test]
    fn splits_are_listed_by_level() {
        use Split::{Both, Horizontal, Vertical};
        let read = splits(&[0, 1, 5, 0b0110_1110, 0b0100_0000]).unwrap();
        assert_eq!(read.splits(1, 5).unwrap(), [Both, Horizontal, Vertical, Horizontal, Both]);
        assert_eq!(read.splits(1, 7).unwrap()[4..], [Both; 3]);
        assert_eq!(read.splits(1, 2).unwrap(), [Both, Horizontal]);
        assert_eq!((read.splits(1, 1), read.splits(2, 5)), (Some(vec![]), None));
        let long = [&[0, 1, 255][..], &[0b1010_1010; 64]].concat();
        assert_eq!(splits(&long).unwrap().splits(1, 32).unwrap(), [Horizontal; 32]);
    }

    #[test]
    fn wrong_splits_are_refused() {
        for bytes in [&[0, 1][..], &[0, 1, 0], &[0, 1, 5, 0x55], &[0, 1, 4, 0x55, 0]] {
            assert!(matches!(splits(bytes), Err(Error::Damaged { .. })), "{bytes:?}");
        }
        assert!(matches!(splits(&[0, 1, 4, 0b0101_0001]), Err(Error::Unsupported { .. })));
    }

    /// The irreversible 5/3 in each size of coefficient that holds it, and the reversible one.
    #[test]
    fn kernels_are_read_in_every_size() {
        let irreversible = Kernel::Irreversible { scale: 1.0, factors: vec![0.25, -0.5] };
        let single = [0x4A, 2, 0x3F, 0x80, 0, 0, 2, 1, 0x3E, 0x80, 0, 0, 1, 0xBF, 0, 0, 0];
        assert_eq!(kernel(&single).unwrap(), irreversible);
        let of = |value: f64| value.to_be_bytes().to_vec();
        let double = [vec![0x4B, 2], of(1.0), vec![2, 1], of(0.25), vec![1], of(-0.5)].concat();
        assert_eq!(kernel(&double).unwrap(), irreversible);
        let whole = Kernel::Irreversible { scale: 1.0, factors: vec![-2.0] };
        assert_eq!(kernel(&[0x48, 2, 1, 1, 1, 0xFE]).unwrap(), whole);
        assert_eq!(kernel(&[0x49, 2, 0, 1, 1, 1, 0xFF, 0xFE]).unwrap(), whole);
        let narrow = [0x58, 2, 2, 2, 0, 2, 1, 1, 1, 0, 1, 1, 0xFF];
        assert_eq!(kernel(&narrow).unwrap(), Kernel::standard(true));
        let wide = [0x59, 2, 2, 2, 0, 2, 1, 0, 1, 1, 0, 1, 1, 0xFF, 0xFF];
        assert_eq!(kernel(&wide).unwrap(), Kernel::standard(true));
    }

    #[test]
    fn wrong_kernels_are_refused() {
        let infinite = [0x4A, 2, 0x7F, 0x80, 0, 0, 0];
        let negative = [0x48, 2, 0xFF, 0];
        let (none, divided) = ([0x48, 2, 1, 1, 0], [0x58, 2, 1, 32, 0, 1, 1, 1]);
        let (longer, float) = ([0x48, 2, 1, 0, 0], [0x5A, 2, 1, 1, 0, 1, 1, 0, 0, 0, 0]);
        for bytes in [&infinite[..], &negative, &none, &divided, &longer, &float, &[0x48, 2, 1, 1], &[0x4D, 2, 1, 0]] {
            assert!(matches!(kernel(bytes), Err(Error::Damaged { .. })), "{bytes:?}");
        }
        for bytes in
            [&[0x40, 2, 1, 0][..], &[0x68, 2, 1, 0], &[0x08, 2, 1, 0], &[0x48, 2, 1, 1, 2, 0, 0], &[0x4C, 2, 1]]
        {
            assert!(matches!(kernel(bytes), Err(Error::Unsupported { .. })), "{bytes:?}");
        }
        assert!(matches!(kernel(&[0x48, 2, 1, 33]), Err(Error::TooLarge { .. })));
    }
}
