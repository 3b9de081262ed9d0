//! The component transforms of the first three components (T.800 Annex G), in place on three rows.

use crate::coefficient::Coefficient;
use crate::simd::Level;
use crate::wavelet::levels::at_every_level;

at_every_level! {
    /// The reversible transform (T.800 G.2.1): red, green, blue become Y, Cb, Cr. An `i16` holds what samples of up to 14
    /// bits become.
    pub fn rct_forward<T: Coefficient>(red: &mut [T], green: &mut [T], blue: &mut [T]) = plain_rct_forward
}
at_every_level! {
    /// The way back (T.800 G.2.2).
    pub fn rct_inverse<T: Coefficient>(y: &mut [T], cb: &mut [T], cr: &mut [T]) = plain_rct_inverse
}

/// The irreversible transform (T.800 G.3.1): red, green, blue become Y, Cb, Cr.
pub fn ict_forward(level: Level, red: &mut [f32], green: &mut [f32], blue: &mut [f32]) {
    forward(level, red, green, blue);
}

/// The way back (T.800 G.3.2).
pub fn ict_inverse(level: Level, y: &mut [f32], cb: &mut [f32], cr: &mut [f32]) {
    inverse(level, y, cb, cr);
}

at_every_level! {
    fn forward<F: Float>(red: &mut [F], green: &mut [F], blue: &mut [F]) = plain_ict_forward
}
at_every_level! {
    fn inverse<F: Float>(y: &mut [F], cb: &mut [F], cr: &mut [F]) = plain_ict_inverse
}

/// `f32` alone: the macro above is written for a type parameter.
trait Float: Copy + Into<f32> + From<f32> {}
impl Float for f32 {}

#[inline(always)]
fn plain_rct_forward<T: Coefficient>(red: &mut [T], green: &mut [T], blue: &mut [T]) {
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        let (r, g, b) = (red.to_i32(), green.to_i32(), blue.to_i32());
        let sum = r.wrapping_add(b).wrapping_add(g.wrapping_mul(2));
        (*red, *green, *blue) = (T::from_i32(sum >> 2), T::from_i32(b.wrapping_sub(g)), T::from_i32(r.wrapping_sub(g)));
    }
}

#[inline(always)]
fn plain_rct_inverse<T: Coefficient>(y: &mut [T], cb: &mut [T], cr: &mut [T]) {
    for ((y, cb), cr) in y.iter_mut().zip(cb).zip(cr) {
        let (luma, blue, red) = (y.to_i32(), cb.to_i32(), cr.to_i32());
        let green = luma.wrapping_sub(blue.wrapping_add(red) >> 2);
        (*y, *cb, *cr) =
            (T::from_i32(red.wrapping_add(green)), T::from_i32(green), T::from_i32(blue.wrapping_add(green)));
    }
}

// The weights of red and blue in Y (T.800 G-9); the other factors of Annex G follow from them, here unrounded.
const RED: f32 = 0.299;
const BLUE: f32 = 0.114;
const GREEN: f32 = 1.0 - RED - BLUE;
const TO_CB: f32 = 0.5 / (1.0 - BLUE);
const TO_CR: f32 = 0.5 / (1.0 - RED);
const CR_TO_RED: f32 = 2.0 * (1.0 - RED);
const CB_TO_BLUE: f32 = 2.0 * (1.0 - BLUE);
const CB_TO_GREEN: f32 = CB_TO_BLUE * BLUE / GREEN;
const CR_TO_GREEN: f32 = CR_TO_RED * RED / GREEN;

#[inline(always)]
fn plain_ict_forward<F: Float>(red: &mut [F], green: &mut [F], blue: &mut [F]) {
    for ((red, green), blue) in red.iter_mut().zip(green).zip(blue) {
        let (r, g, b): (f32, f32, f32) = ((*red).into(), (*green).into(), (*blue).into());
        let y = RED * r + GREEN * g + BLUE * b;
        (*red, *green, *blue) = (y.into(), (TO_CB * (b - y)).into(), (TO_CR * (r - y)).into());
    }
}

#[inline(always)]
fn plain_ict_inverse<F: Float>(y: &mut [F], cb: &mut [F], cr: &mut [F]) {
    for ((y, cb), cr) in y.iter_mut().zip(cb).zip(cr) {
        let (luma, blue, red): (f32, f32, f32) = ((*y).into(), (*cb).into(), (*cr).into());
        let green = luma - CB_TO_GREEN * blue - CR_TO_GREEN * red;
        (*y, *cb, *cr) = ((luma + CR_TO_RED * red).into(), green.into(), (luma + CB_TO_BLUE * blue).into());
    }
}
