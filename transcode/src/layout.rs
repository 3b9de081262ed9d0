//! How the samples of native Pixel Data lie in bytes (PS3.5 §8.1.1, Annex A; PS3.3 C.7.6.3.1.3).

use std::borrow::Cow;

use crate::bits;
use crate::description::PixelDescription;
use crate::error::{Error, Result};
use crate::samples::{self, Samples, Values};

/// The order of bytes in native Pixel Data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Order {
    /// Little-endian words, or single bytes.
    Little,
    /// Big-endian words.
    Big,
    /// Bytes in big-endian words: 1 or 8 bits allocated, Value Representation OW (PS3.5 Annex A.3, §8.1.1).
    Swapped,
}

/// What is in the bits above High Bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fill {
    /// Zeros.
    Zero,
    /// The sign, repeated.
    Sign,
    /// Something else: an overlay, a padding value out of range. It is kept beside the samples.
    Beside,
}

/// The place of every bit of one native frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Layout {
    pub rows: u16,
    pub columns: u16,
    pub components: u8,
    /// 1 or 2; 1 of single bits, once they are unpacked.
    pub bytes_a_sample: u8,
    /// Eight samples lie in a byte, and frames without gaps ([`bits`]); a frame given or answered here is unpacked.
    pub single_bits: bool,
    pub bits_stored: u8,
    /// Bits below the lowest stored one: High Bit + 1 - Bits Stored.
    pub shift: u8,
    pub signed: bool,
    pub planar: bool,
    pub order: Order,
    pub fill: Fill,
}

impl Layout {
    /// The layout that a description calls for; bits above High Bit are read as nothing and written as zeros.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the description contradicts itself or has not 1, 8 or 16 bits allocated.
    pub fn new(description: &PixelDescription, order: Order) -> Result<Layout> {
        let d = description;
        let shift = d.high_bit.checked_add(1).and_then(|bits| bits.checked_sub(d.bits_stored));
        let sound = matches!(d.bits_allocated, 1 | 8 | 16)
            && (1..=d.bits_allocated).contains(&d.bits_stored)
            && d.high_bit < d.bits_allocated
            && matches!(d.samples_per_pixel, 1..=4)
            && d.pixel_representation <= 1
            && (d.bits_allocated > 1 || (d.samples_per_pixel, d.pixel_representation) == (1, 0));
        let Some(shift) = shift.filter(|_| sound) else {
            let detail = format!(
                "Bits Allocated {}, Bits Stored {}, High Bit {}, Samples per Pixel {}, Pixel Representation {} do not fit together",
                d.bits_allocated, d.bits_stored, d.high_bit, d.samples_per_pixel, d.pixel_representation
            );
            return Err(Error::Damaged { coder: "native pixels", detail });
        };
        samples::count(d.columns.into(), d.rows.into(), d.samples_per_pixel as u8)?;
        Ok(Layout {
            rows: d.rows,
            columns: d.columns,
            components: d.samples_per_pixel as u8,
            bytes_a_sample: d.bits_allocated.div_ceil(8) as u8,
            single_bits: d.bits_allocated == 1,
            bits_stored: d.bits_stored as u8,
            shift: shift as u8,
            signed: d.pixel_representation == 1,
            planar: d.samples_per_pixel > 1 && d.planar_configuration == 1,
            order,
            fill: Fill::Zero,
        })
    }

    /// Samples of one frame.
    pub fn frame_samples(&self) -> usize {
        usize::from(self.rows) * usize::from(self.columns) * usize::from(self.components)
    }

    /// Bytes of one frame, unpacked.
    pub fn frame_bytes(&self) -> usize {
        self.frame_samples() * usize::from(self.bytes_a_sample)
    }

    /// Bytes of Pixel Data that `frames` frames are in, the last of single bits in part.
    pub fn pixel_bytes(&self, frames: u32) -> u64 {
        let bytes = self.frame_bytes() as u64 * u64::from(frames);
        if self.single_bits { bytes.div_ceil(8 * self.bytes_a_unit()) * self.bytes_a_unit() } else { bytes }
    }

    /// Bytes of Pixel Data that `frames` frames fill: without the last byte of single bits, the last word of swapped
    /// ones, if the last frame ends inside it.
    pub fn filled_bytes(&self, frames: u32) -> u64 {
        let bytes = self.frame_bytes() as u64 * u64::from(frames);
        if self.single_bits { bytes / (8 * self.bytes_a_unit()) * self.bytes_a_unit() } else { bytes }
    }

    /// Bytes that single bits are put in together.
    fn bytes_a_unit(&self) -> u64 {
        if self.order == Order::Swapped { 2 } else { 1 }
    }

    /// The bytes of frame `index` of Pixel Data, single bits unpacked.
    ///
    /// # Errors
    /// [`Error::Damaged`] when `pixels` end before it does.
    pub fn frame<'a>(&self, pixels: &'a [u8], index: u32) -> Result<Cow<'a, [u8]>> {
        let count = self.frame_bytes();
        let frame = if self.single_bits {
            let first = count as u64 * u64::from(index);
            bits::unpack(pixels, first, count, self.order == Order::Swapped).map(Cow::Owned)
        } else {
            let start = count.checked_mul(index as usize);
            start.and_then(|start| pixels.get(start..)?.get(..count)).map(Cow::Borrowed)
        };
        let detail = || format!("{} bytes end before frame {} does", pixels.len(), u64::from(index) + 1);
        frame.ok_or_else(|| Error::Damaged { coder: "native pixels", detail: detail() })
    }

    /// What lies above High Bit, zeros where the samples lie: as long as `frames`, which are of bytes that
    /// [`Layout::bytes`] answers.
    pub fn above(&self, frames: &[u8]) -> Vec<u8> {
        let mask = !(((1u32 << self.bits_stored) - 1) as u16);
        let mask = match (self.bytes_a_sample, self.order) {
            (1, _) => [mask as u8; 2],
            (_, Order::Big) => mask.to_be_bytes(),
            (_, _) => mask.to_le_bytes(),
        };
        frames.iter().zip(mask.iter().cycle()).map(|(byte, mask)| byte & mask).collect()
    }

    /// What fills the bits above High Bit in all of this frame.
    pub fn fill_of(&self, frame: &[u8]) -> Fill {
        let fills = |&fill: &Fill| Layout { fill, ..self.clone() }.is_filled(frame);
        [Fill::Zero, Fill::Sign].into_iter().find(fills).unwrap_or(Fill::Beside)
    }

    /// Whether nothing but `fill` lies above High Bit in all of this frame.
    pub fn is_filled(&self, frame: &[u8]) -> bool {
        if self.bits_stored == self.bytes_a_sample * 8 {
            return self.fill == Fill::Zero;
        }
        let mut filled = true;
        match self.fill {
            Fill::Zero => self.for_each(frame, |word| filled &= u32::from(word) >> self.bits_stored == 0),
            Fill::Sign => self.for_each(frame, |word| filled &= self.signed_word(self.extend(word)) == word),
            Fill::Beside => return true,
        }
        filled && (self.signed || self.fill == Fill::Zero)
    }

    /// The samples of one frame.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the frame has not [`Layout::frame_bytes`] bytes.
    pub fn samples(&self, frame: &[u8]) -> Result<Samples> {
        if frame.len() != self.frame_bytes() {
            let detail = format!("{} bytes, but a frame has {}", frame.len(), self.frame_bytes());
            return Err(Error::Damaged { coder: "native pixels", detail });
        }
        let mask = ((1u32 << self.bits_stored) - 1) as u16;
        let count = self.frame_samples();
        let values = match (self.signed, self.bits_stored) {
            (true, _) => Values::I16(self.gather(frame, count, |word| self.extend(word >> self.shift))),
            (false, ..=8) => Values::U8(self.gather(frame, count, |word| ((word >> self.shift) & mask) as u8)),
            (false, _) => Values::U16(self.gather(frame, count, |word| (word >> self.shift) & mask)),
        };
        Samples::new(self.columns.into(), self.rows.into(), self.components, self.bits_stored, values)
    }

    /// The bytes of one frame: what [`Layout::samples`] was given, where that held nothing but `fill` above High Bit;
    /// zeros are there if [`Layout::above`] is kept beside them.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the samples are not of this layout.
    pub fn bytes(&self, frame: &Samples) -> Result<Vec<u8>> {
        let like = frame.width() == u32::from(self.columns)
            && frame.height() == u32::from(self.rows)
            && frame.components() == self.components
            && frame.bits() == self.bits_stored
            && frame.signed() == self.signed;
        if !like {
            let detail = format!(
                "the codestream has {} x {} x {} samples of {} bits, the recipe {} x {} x {} of {}",
                frame.width(),
                frame.height(),
                frame.components(),
                frame.bits(),
                self.columns,
                self.rows,
                self.components,
                self.bits_stored
            );
            return Err(Error::Damaged { coder: "recipe", detail });
        }
        let mask = ((1u32 << self.bits_stored) - 1) as u16;
        Ok(match frame.values() {
            Values::U8(values) => self.scatter(values, u16::from),
            Values::U16(values) => self.scatter(values, |value| value),
            Values::I16(values) if self.fill == Fill::Sign => self.scatter(values, |value| self.signed_word(value)),
            Values::I16(values) => self.scatter(values, |value| value as u16 & mask),
        })
    }

    /// The sign of a stored value repeated to 16 bits.
    fn extend(&self, word: u16) -> i16 {
        let shift = 16 - u32::from(self.bits_stored);
        ((word << shift) as i16) >> shift
    }

    /// The word that a signed value is stored as, its sign repeated as far as the word reaches.
    fn signed_word(&self, value: i16) -> u16 {
        if self.bytes_a_sample == 1 { u16::from(value as u8) } else { value as u16 }
    }

    /// Whether samples stand swapped in a frame: single bits are put right where they are unpacked.
    fn swaps(&self) -> bool {
        self.order == Order::Swapped && !self.single_bits
    }

    fn for_each(&self, bytes: &[u8], mut each: impl FnMut(u16)) {
        match (self.bytes_a_sample, self.order) {
            (1, _) => bytes.iter().for_each(|&byte| each(byte.into())),
            (_, Order::Big) => bytes.as_chunks::<2>().0.iter().for_each(|&two| each(u16::from_be_bytes(two))),
            (_, _) => bytes.as_chunks::<2>().0.iter().for_each(|&two| each(u16::from_le_bytes(two))),
        }
    }

    /// All samples in interleaved order.
    fn gather<T: Copy + Default>(&self, bytes: &[u8], count: usize, value: impl Fn(u16) -> T) -> Vec<T> {
        let mut stored = Vec::with_capacity(count);
        self.for_each(bytes, |word| stored.push(value(word)));
        if self.swaps() {
            stored.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
        }
        if !self.planar {
            return stored;
        }
        let (components, plane) = (usize::from(self.components), count / usize::from(self.components));
        let mut interleaved = vec![T::default(); count];
        for (component, values) in stored.chunks_exact(plane).enumerate() {
            for (pixel, &value) in interleaved.chunks_exact_mut(components).zip(values) {
                pixel[component] = value;
            }
        }
        interleaved
    }

    /// All samples in stored order, as bytes.
    fn scatter<T: Copy>(&self, values: &[T], word: impl Fn(T) -> u16) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.frame_bytes());
        let mut put = |value: T| match (self.bytes_a_sample, self.order) {
            (1, _) => out.push(word(value) as u8),
            (_, Order::Big) => out.extend_from_slice(&word(value).to_be_bytes()),
            (_, _) => out.extend_from_slice(&word(value).to_le_bytes()),
        };
        if self.planar {
            let components = usize::from(self.components);
            for component in 0..components {
                values.iter().skip(component).step_by(components).for_each(|&value| put(value));
            }
        } else {
            values.iter().for_each(|&value| put(value));
        }
        if self.swaps() {
            out.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn layout(bits: (u8, u8), components: u8, signed: bool, order: Order) -> Layout {
        let (bytes_a_sample, bits_stored) = bits;
        let (planar, fill) = (components == 3, Fill::Zero);
        let (rows, columns, shift, single_bits) = (3, 2, 0, false);
        Layout {
            rows,
            columns,
            components,
            bytes_a_sample,
            single_bits,
            bits_stored,
            shift,
            signed,
            planar,
            order,
            fill,
        }
    }

    proptest! {
        /// What is read from bytes is written back as the same bytes, whatever the layout.
        #[test]
        fn bytes_to_samples_and_back(
            words in proptest::collection::vec(any::<u16>(), 18), wide: bool, stored in 1u8..=16, colour: bool,
            signed: bool, sign: bool, order in 0u8..3,
        ) {
            let bytes_a_sample = if wide { 2 } else { 1 };
            let order = match order { 0 => Order::Little, 1 => Order::Big, _ if wide => Order::Big, _ => Order::Swapped };
            let bits = (bytes_a_sample, stored.min(bytes_a_sample * 8));
            let mut layout = layout(bits, if colour { 3 } else { 1 }, signed, order);
            layout.fill = if signed && sign { Fill::Sign } else { Fill::Zero };
            let mask = ((1u32 << bits.1) - 1) as u16;
            let stored = words.iter().take(layout.frame_samples()).map(|word| match layout.fill {
                Fill::Sign => layout.signed_word(layout.extend(*word)),
                Fill::Zero | Fill::Beside => word & mask,
            });
            let frame: Vec<u8> = stored.flat_map(|word| match (wide, order) {
                (false, _) => vec![word as u8],
                (true, Order::Big) => word.to_be_bytes().to_vec(),
                (true, _) => word.to_le_bytes().to_vec(),
            }).collect();
            prop_assert!(layout.fill_of(&frame) != Fill::Beside);
            let samples = layout.samples(&frame).unwrap();
            prop_assert_eq!(layout.bytes(&samples).unwrap(), frame);
        }
    }

    #[test]
    fn what_lies_above_high_bit_is_zeros_the_sign_or_something_else() {
        let check = |signed, words: &[u16], fill| {
            let bytes: Vec<u8> = words.iter().flat_map(|word| word.to_le_bytes()).collect();
            assert_eq!(layout((2, 12), 1, signed, Order::Little).fill_of(&bytes), fill, "{words:x?}");
        };
        check(false, &[0x0FFF, 0x0000], Fill::Zero);
        check(true, &[0xF800, 0x07FF], Fill::Sign);
        check(true, &[0x0800, 0x07FF], Fill::Zero);
        check(true, &[0xF800, 0x0800], Fill::Beside);
        check(false, &[0xF800], Fill::Beside);
    }

    #[test]
    fn planes_are_interleaved_and_bytes_in_words_swapped() {
        let mut colour = layout((1, 8), 3, false, Order::Little);
        (colour.rows, colour.columns) = (1, 2);
        assert_eq!(colour.samples(&[1, 2, 3, 4, 5, 6]).unwrap().values(), &Values::U8(vec![1, 3, 5, 2, 4, 6]));
        let mut grey = layout((1, 8), 1, false, Order::Swapped);
        (grey.rows, grey.columns) = (1, 4);
        assert_eq!(grey.samples(&[2, 1, 4, 3]).unwrap().values(), &Values::U8(vec![1, 2, 3, 4]));
    }
}
