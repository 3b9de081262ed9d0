//! Pictures as callers hold them: the components of a pixel beside each other, row by row.

use crate::error::{Error, Result};

/// What a picture is, apart from its numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Columns, at least 1.
    pub width: u32,
    /// Rows, at least 1.
    pub height: u32,
    /// Numbers a pixel, 1 to 4. Three and four begin with red, green and blue.
    pub components: u8,
    /// Significant bits of each number, 1 to 16.
    pub bits: u8,
    /// Whether numbers are two's complement.
    pub signed: bool,
}

impl Shape {
    /// `width * height * components`.
    pub fn samples(&self) -> u64 {
        u64::from(self.width) * u64::from(self.height) * u64::from(self.components)
    }

    /// Whether it is a picture at all.
    ///
    /// # Errors
    /// [`Error::BadParameters`] names the number that is out of range.
    pub fn check(&self) -> Result<()> {
        let wrong = |what: String| Err(Error::BadParameters(what));
        match *self {
            Shape { width: 0, .. } | Shape { height: 0, .. } => {
                wrong("a picture has at least one column and one row".into())
            }
            Shape { components, .. } if !(1..=4).contains(&components) => {
                wrong(format!("{components} components, and 1 to 4 can be coded"))
            }
            Shape { bits, .. } if !(1..=16).contains(&bits) => wrong(format!("{bits} bits, and 1 to 16 can be coded")),
            _ => Ok(()),
        }
    }
}

/// The numbers of a picture to encode, in the type that its owner has them in. Values beyond [`Shape::bits`] are refused.
#[derive(Clone, Copy, Debug)]
pub enum Samples<'a> {
    /// Unsigned, at most 8 bits.
    U8(&'a [u8]),
    /// Signed, at most 8 bits.
    I8(&'a [i8]),
    /// Unsigned, at most 16 bits.
    U16(&'a [u16]),
    /// Signed, at most 16 bits.
    I16(&'a [i16]),
}

/// Where the numbers of a decoded picture go; the type must hold the bits and the sign of the codestream.
#[derive(Debug)]
pub enum SamplesMut<'a> {
    /// Unsigned, at most 8 bits.
    U8(&'a mut [u8]),
    /// Signed, at most 8 bits.
    I8(&'a mut [i8]),
    /// Unsigned, at most 16 bits.
    U16(&'a mut [u16]),
    /// Signed, at most 16 bits.
    I16(&'a mut [i16]),
}
