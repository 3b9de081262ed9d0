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
}

impl Coefficient for i16 {
    fn from_i32(wide: i32) -> i16 {
        wide as i16
    }

    fn to_i32(self) -> i32 {
        i32::from(self)
    }
}

impl Coefficient for i32 {
    fn from_i32(wide: i32) -> i32 {
        wide
    }

    fn to_i32(self) -> i32 {
        self
    }
}
