//! Frames that are made on request: decoded to native samples, or coded anew without loss.

use archive::Located;
use bytes::Bytes;
use transcode::codec::Coders;
use transcode::{PixelDescription, Samples, Values};

use super::choice::Form;
use crate::error::{Error, Result};
use crate::shown::Shown;
use crate::state::ViewerState;

/// Decodes one frame, on a thread of the pool, and codes it anew where that is the form.
pub(super) async fn made(state: &ViewerState, shown: &Shown, number: u32, form: Form) -> Result<Bytes> {
    let source = &shown.source;
    let description = shown.document.pixel_description(&source.held);
    let place = state.pool().place().await?;
    let bytes = source.bytes(state, number, 0).await?;
    let syntax = source.held.transfer_syntax_uid.clone();
    let what = format!("frame {number} of instance {}", source.held.record.description.instance.sop_instance_uid);
    let name = what.clone();
    let work = move || {
        let wrong = |error: transcode::Error| Error::Pixels { what: what.clone(), detail: error.to_string() };
        let frame = transcode::decode_frame(&syntax, &description, &bytes).map_err(wrong)?;
        match form {
            Form::JpegTwoThousand => (Coders::PART_1.encode)(&frame.samples).map(Bytes::from).map_err(wrong),
            Form::HighThroughput => (Coders::HTJ2K.encode)(&frame.samples).map(Bytes::from).map_err(wrong),
            Form::AsHeld | Form::Native => Ok(little_endian(&frame.samples, &description)),
        }
    };
    place.run(&name, work).await
}

/// Bytes of a frame of native samples, as the Data Set says.
pub(super) fn native_bytes(located: &Located) -> u64 {
    let said = &located.record.description.instance;
    let samples = u64::from(said.rows) * u64::from(said.columns) * u64::from(said.samples_per_pixel);
    samples.saturating_mul(said.bits_allocated.into()).div_ceil(8)
}

/// Samples as native Pixel Data has them (PS3.5 §8.1.1), as wide as Bits Allocated says.
fn little_endian(samples: &Samples, description: &PixelDescription) -> Bytes {
    let wide = description.bits_allocated > 8;
    let bytes: Vec<u8> = match samples.values() {
        Values::U8(values) if wide => values.iter().flat_map(|value| u16::from(*value).to_le_bytes()).collect(),
        Values::U8(values) if description.bits_allocated == 1 => values.chunks(8).map(bits).collect(),
        Values::U8(values) => values.clone(),
        Values::U16(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::I16(values) if wide => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::I16(values) => values.iter().map(|value| *value as u8).collect(),
    };
    Bytes::from(bytes)
}

/// PS3.5 §8.1.1: the first pixel is the least significant bit.
fn bits(pixels: &[u8]) -> u8 {
    pixels.iter().rev().fold(0, |byte, pixel| byte << 1 | pixel & 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_as_wide_as_bits_allocated() {
        let check = |values: Values, bits: u8, bits_allocated: u16, expected: &[u8]| {
            let columns = values.len() as u32;
            let samples = Samples::new(columns, 1, 1, bits, values).unwrap();
            let description = PixelDescription {
                rows: 1,
                columns: columns as u16,
                samples_per_pixel: 1,
                bits_allocated,
                bits_stored: bits.into(),
                high_bit: u16::from(bits) - 1,
                pixel_representation: 0,
                planar_configuration: 0,
                photometric_interpretation: "MONOCHROME2".into(),
                number_of_frames: 1,
            };
            assert_eq!(little_endian(&samples, &description), expected);
        };
        check(Values::U8(vec![1, 2]), 8, 8, &[1, 2]);
        check(Values::U8(vec![1, 2]), 8, 16, &[1, 0, 2, 0]);
        check(Values::U16(vec![0x102, 3]), 12, 16, &[2, 1, 3, 0]);
        check(Values::I16(vec![-1, 3]), 8, 8, &[0xFF, 3]);
        check(Values::U8(vec![1, 0, 0, 1, 0, 0, 0, 0, 1]), 1, 1, &[0b1001, 1]);
    }
}
