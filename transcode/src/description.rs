//! What the pixels of an instance are, as its header says (PS3.3 C.7.6.3).

use serde::{Deserialize, Serialize};

/// The attributes that say how to read Pixel Data (PS3.3 C.7.6.3, C.7.6.6).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PixelDescription {
    /// Rows (0028,0010).
    pub rows: u16,
    /// Columns (0028,0011).
    pub columns: u16,
    /// Samples per Pixel (0028,0002).
    pub samples_per_pixel: u16,
    /// Bits Allocated (0028,0100).
    pub bits_allocated: u16,
    /// Bits Stored (0028,0101).
    pub bits_stored: u16,
    /// High Bit (0028,0102).
    pub high_bit: u16,
    /// Pixel Representation (0028,0103).
    pub pixel_representation: u16,
    /// Planar Configuration (0028,0006).
    pub planar_configuration: u16,
    /// Photometric Interpretation (0028,0004).
    pub photometric_interpretation: String,
    /// Number of Frames (0028,0008).
    pub number_of_frames: u32,
}
