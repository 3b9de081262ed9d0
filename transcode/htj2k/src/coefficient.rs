//! The numbers that travel between samples, wavelet and code-blocks.

mod sealed {
    pub trait Sealed {}
    impl Sealed for i16 {}
    impl Sealed for i32 {}
}

/// A sample or subband coefficient of the reversible path: `i16` where every value that the transform can meet is
/// known to fit (samples of 12 significant bits and less: the largest gain of the 5/3 analysis is below 8 a
/// coefficient, T.800 Annex F, and a lifting step adds two of them), `i32` elsewhere.
pub trait Coefficient: sealed::Sealed + Copy + Default + Send + Sync + std::fmt::Debug + PartialEq + 'static {
    /// Narrows; the caller knows that it fits.
    fn from_i32(wide: i32) -> Self;
    /// Widens.
    fn to_i32(self) -> i32;
    /// A plane of this type for what it is.
    fn plane(plane: &mut [Self]) -> Plane<'_>;
}

/// A plane of coefficients of known width.
#[derive(Debug)]
pub enum Plane<'a> {
    /// Of 16 bits.
    Narrow(&'a mut [i16]),
    /// Of 32 bits.
    Wide(&'a mut [i32]),
}

impl Coefficient for i16 {
    fn from_i32(wide: i32) -> i16 {
        wide as i16
    }

    fn to_i32(self) -> i32 {
        i32::from(self)
    }

    fn plane(plane: &mut [i16]) -> Plane<'_> {
        Plane::Narrow(plane)
    }
}

impl Coefficient for i32 {
    fn from_i32(wide: i32) -> i32 {
        wide
    }

    fn to_i32(self) -> i32 {
        self
    }

    fn plane(plane: &mut [i32]) -> Plane<'_> {
        Plane::Wide(plane)
    }
}
