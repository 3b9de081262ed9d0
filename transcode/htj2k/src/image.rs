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

    /// Bytes of the samples in memory: one each up to 8 bits, else two.
    pub fn raw_bytes(&self) -> u64 {
        self.samples() * if self.bits > 8 { 2 } else { 1 }
    }

    /// Smallest and largest number of these bits.
    pub fn range(&self) -> (i32, i32) {
        let half = 1 << (self.bits - 1);
        if self.signed { (-half, half - 1) } else { (0, 2 * half - 1) }
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

impl Samples<'_> {
    /// How many numbers.
    pub fn len(&self) -> usize {
        match self {
            Samples::U8(values) => values.len(),
            Samples::I8(values) => values.len(),
            Samples::U16(values) => values.len(),
            Samples::I16(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// One of them, widened.
    ///
    /// # Panics
    /// When there is no such number.
    pub fn at(&self, index: usize) -> i32 {
        match self {
            Samples::U8(values) => values[index].into(),
            Samples::I8(values) => values[index].into(),
            Samples::U16(values) => values[index].into(),
            Samples::I16(values) => values[index].into(),
        }
    }
}

impl SamplesMut<'_> {
    /// How many numbers.
    pub fn len(&self) -> usize {
        match self {
            SamplesMut::U8(values) => values.len(),
            SamplesMut::I8(values) => values.len(),
            SamplesMut::U16(values) => values.len(),
            SamplesMut::I16(values) => values.len(),
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The first `middle` numbers, and the others.
    ///
    /// # Panics
    /// When there are not so many.
    pub(crate) fn split_at(self, middle: usize) -> (Self, Self) {
        macro_rules! split {
            ($kind:ident, $values:expr) => {{
                let (first, others) = $values.split_at_mut(middle);
                (SamplesMut::$kind(first), SamplesMut::$kind(others))
            }};
        }
        match self {
            SamplesMut::U8(values) => split!(U8, values),
            SamplesMut::I8(values) => split!(I8, values),
            SamplesMut::U16(values) => split!(U16, values),
            SamplesMut::I16(values) => split!(I16, values),
        }
    }

    /// The same numbers, borrowed for a while.
    pub(crate) fn reborrow(&mut self) -> SamplesMut<'_> {
        match self {
            SamplesMut::U8(values) => SamplesMut::U8(values),
            SamplesMut::I8(values) => SamplesMut::I8(values),
            SamplesMut::U16(values) => SamplesMut::U16(values),
            SamplesMut::I16(values) => SamplesMut::I16(values),
        }
    }

    /// Smallest and largest number that the type holds.
    pub fn range(&self) -> (i32, i32) {
        match self {
            SamplesMut::U8(_) => (0, u8::MAX.into()),
            SamplesMut::I8(_) => (i8::MIN.into(), i8::MAX.into()),
            SamplesMut::U16(_) => (0, u16::MAX.into()),
            SamplesMut::I16(_) => (i16::MIN.into(), i16::MAX.into()),
        }
    }
}

/// The numbers of a picture, owned, in the narrowest type.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Values {
    /// Unsigned, at most 8 bits.
    U8(Vec<u8>),
    /// Signed, at most 8 bits.
    I8(Vec<i8>),
    /// Unsigned, 9 to 16 bits.
    U16(Vec<u16>),
    /// Signed, 9 to 16 bits.
    I16(Vec<i16>),
}

impl Values {
    /// As many zeros as a picture of `shape` has numbers.
    pub fn zeros(shape: &Shape) -> Values {
        let count = shape.samples() as usize;
        match (shape.signed, shape.bits) {
            (false, ..=8) => Values::U8(vec![0; count]),
            (true, ..=8) => Values::I8(vec![0; count]),
            (false, _) => Values::U16(vec![0; count]),
            (true, _) => Values::I16(vec![0; count]),
        }
    }

    /// To read.
    pub fn samples(&self) -> Samples<'_> {
        match self {
            Values::U8(values) => Samples::U8(values),
            Values::I8(values) => Samples::I8(values),
            Values::U16(values) => Samples::U16(values),
            Values::I16(values) => Samples::I16(values),
        }
    }

    /// To write.
    pub fn samples_mut(&mut self) -> SamplesMut<'_> {
        match self {
            Values::U8(values) => SamplesMut::U8(values),
            Values::I8(values) => SamplesMut::I8(values),
            Values::U16(values) => SamplesMut::U16(values),
            Values::I16(values) => SamplesMut::I16(values),
        }
    }
}
