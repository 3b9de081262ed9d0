//! The pixel attributes of a Data Set (PS3.3 C.7.6.3).

use super::{DataSet, Tag, tags};
use crate::PixelDescription;

/// What the pixels are, from the header; `None` where Rows or Columns are missing, so that there are none.
///
/// What files leave out is taken as an image of one plane would have it: Samples per Pixel 1 (3 for a colour
/// Photometric Interpretation), Bits Stored = Bits Allocated, High Bit = Bits Stored - 1, one frame.
pub fn pixel_description(data_set: &DataSet) -> Option<PixelDescription> {
    let short = |tag: Tag| data_set.int(tag).and_then(|value| u16::try_from(value).ok());
    let photometric_interpretation = data_set.ascii(tags::PHOTOMETRIC_INTERPRETATION).unwrap_or_default().to_owned();
    let colour = ["RGB", "YBR"].iter().any(|colour| photometric_interpretation.starts_with(colour));
    let bits_allocated = short(tags::BITS_ALLOCATED).unwrap_or(if data_set.get(tags::FLOAT_PIXEL_DATA).is_some() {
        32
    } else if data_set.get(tags::DOUBLE_FLOAT_PIXEL_DATA).is_some() {
        64
    } else {
        8
    });
    let bits_stored = short(tags::BITS_STORED).unwrap_or(bits_allocated);
    Some(PixelDescription {
        rows: short(tags::ROWS)?,
        columns: short(tags::COLUMNS)?,
        samples_per_pixel: short(tags::SAMPLES_PER_PIXEL).unwrap_or(if colour { 3 } else { 1 }),
        bits_allocated,
        bits_stored,
        high_bit: short(tags::HIGH_BIT).unwrap_or(bits_stored.saturating_sub(1)),
        pixel_representation: short(tags::PIXEL_REPRESENTATION).unwrap_or(0),
        planar_configuration: short(tags::PLANAR_CONFIGURATION).unwrap_or(0),
        photometric_interpretation,
        number_of_frames: number_of_frames(data_set),
    })
}

/// Number of Frames (0028,0008); 1 where it is missing, empty or not positive.
fn number_of_frames(data_set: &DataSet) -> u32 {
    let frames = data_set.int(tags::NUMBER_OF_FRAMES).unwrap_or(1);
    if frames < 1 { 1 } else { u32::try_from(frames).unwrap_or(u32::MAX) }
}
