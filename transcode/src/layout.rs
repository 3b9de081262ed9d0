//! How the samples of native Pixel Data lie in bytes (PS3.5 §8.1.1, Annex A; PS3.3 C.7.6.3.1.3).

use std::borrow::Cow;
use std::io::Write;

use crate::bits;
use crate::description::PixelDescription;
use crate::error::{Error, Result};
use crate::samples::{self, Samples, Values};

/// Samples that are written at once: their bytes are read again by whoever takes them, and lie in a core's cache then.
const PIECE_SAMPLES: usize = 1 << 15;

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
        // All words are looked at, none by itself: gathered by OR, they pass as fast as memory does.
        let stray = match self.fill {
            Fill::Zero => self.fold(frame, |word| word) >> self.bits_stored,
            Fill::Sign => {
                let layout = self.clone();
                self.fold(frame, move |word| layout.signed_word(layout.extend(word)) ^ word)
            }
            Fill::Beside => return true,
        };
        stray == 0 && (self.signed || self.fill == Fill::Zero)
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
        let (mask, shift) = (((1u32 << self.bits_stored) - 1) as u16, self.shift);
        let unused = 16 - u32::from(self.bits_stored);
        let values = match (self.signed, self.bits_stored) {
            (true, _) => Values::I16(self.gather(frame, move |word| (((word >> shift) << unused) as i16) >> unused)),
            (false, ..=8) => Values::U8(self.gather(frame, move |word| ((word >> shift) & mask) as u8)),
            (false, _) => Values::U16(self.gather(frame, move |word| (word >> shift) & mask)),
        };
        Samples::new(self.columns.into(), self.rows.into(), self.components, self.bits_stored, values)
    }

    /// The bytes of one frame: what [`Layout::samples`] was given, where that held nothing but `fill` above High Bit;
    /// zeros are there if [`Layout::above`] is kept beside them.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the samples are not of this layout.
    pub fn bytes(&self, frame: &Samples) -> Result<Vec<u8>> {
        self.check(frame)?;
        let mask = self.mask();
        let mut out = match frame.values() {
            Values::U8(values) => self.scatter(values, u16::from),
            Values::U16(values) => self.scatter(values, |value| value),
            Values::I16(values) => self.scatter(values, move |value| value as u16 & mask),
        };
        if self.swaps() {
            out.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
        }
        Ok(out)
    }

    /// As [`Layout::bytes`], in pieces that stay in a core's cache until whoever takes them has read them.
    ///
    /// # Errors
    /// As [`Layout::bytes`], and what `out` says.
    pub fn write(&self, frame: &Samples, out: &mut impl Write) -> Result<()> {
        if self.planar || self.swaps() {
            return Ok(out.write_all(&self.bytes(frame)?)?);
        }
        self.check(frame)?;
        let (mask, mut piece) = (self.mask(), Vec::new());
        match frame.values() {
            Values::U8(values) => self.pieces(values, u16::from, out, &mut piece),
            Values::U16(values) => self.pieces(values, |value| value, out, &mut piece),
            Values::I16(values) => self.pieces(values, move |value| value as u16 & mask, out, &mut piece),
        }
    }

    /// Whether these are samples of one frame.
    ///
    /// # Errors
    /// [`Error::Damaged`] when they are not.
    pub fn check(&self, frame: &Samples) -> Result<()> {
        let like = frame.width() == u32::from(self.columns)
            && frame.height() == u32::from(self.rows)
            && frame.components() == self.components
            && frame.bits() == self.bits_stored
            && frame.signed() == self.signed;
        if like {
            return Ok(());
        }
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
        Err(Error::Damaged { coder: "recipe", detail })
    }

    /// What of a signed value is written: its sign as far as the word reaches, or the stored bits alone.
    fn mask(&self) -> u16 {
        let bits = if self.fill == Fill::Sign { self.bytes_a_sample * 8 } else { self.bits_stored };
        ((1u32 << bits) - 1) as u16
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

    /// All words of `bytes`, made into something and gathered by OR.
    fn fold(&self, bytes: &[u8], make: impl Fn(u16) -> u16) -> u16 {
        let words = bytes.as_chunks::<2>().0.iter();
        match (self.bytes_a_sample, self.order) {
            (1, _) => bytes.iter().fold(0, |all, &byte| all | make(byte.into())),
            (_, Order::Big) => words.fold(0, |all, &two| all | make(u16::from_be_bytes(two))),
            (_, _) => words.fold(0, |all, &two| all | make(u16::from_le_bytes(two))),
        }
    }

    /// All samples in interleaved order.
    fn gather<T: Copy + Default>(&self, bytes: &[u8], value: impl Fn(u16) -> T) -> Vec<T> {
        let words = bytes.as_chunks::<2>().0.iter();
        // Iterators of known length into a Vec: a loop that the compiler makes of whole registers.
        let mut stored: Vec<T> = match (self.bytes_a_sample, self.order) {
            (1, _) => bytes.iter().map(|&byte| value(byte.into())).collect(),
            (_, Order::Big) => words.map(|&two| value(u16::from_be_bytes(two))).collect(),
            (_, _) => words.map(|&two| value(u16::from_le_bytes(two))).collect(),
        };
        if self.swaps() {
            stored.as_chunks_mut::<2>().0.iter_mut().for_each(|pair| pair.swap(0, 1));
        }
        if !self.planar {
            return stored;
        }
        let (components, plane) = (usize::from(self.components), stored.len() / usize::from(self.components));
        let mut interleaved = vec![T::default(); stored.len()];
        for (component, values) in stored.chunks_exact(plane).enumerate() {
            for (pixel, &value) in interleaved.chunks_exact_mut(components).zip(values) {
                pixel[component] = value;
            }
        }
        interleaved
    }

    /// All samples in stored order, as bytes.
    fn scatter<T: Copy>(&self, values: &[T], word: impl Fn(T) -> u16 + Copy) -> Vec<u8> {
        let mut out = vec![0; self.frame_bytes()];
        if !self.planar {
            self.put(values.iter(), word, &mut out);
            return out;
        }
        let components = usize::from(self.components);
        for (component, plane) in out.chunks_exact_mut(self.frame_bytes() / components).enumerate() {
            self.put(values.iter().skip(component).step_by(components), word, plane);
        }
        out
    }

    /// Samples as they are written, one after the other.
    fn put<'a, T: Copy + 'a>(&self, values: impl Iterator<Item = &'a T>, word: impl Fn(T) -> u16, out: &mut [u8]) {
        let big = self.order == Order::Big;
        match (self.bytes_a_sample, big) {
            (1, _) => out.iter_mut().zip(values).for_each(|(byte, &value)| *byte = word(value) as u8),
            (_, true) => words(out).zip(values).for_each(|(two, &value)| *two = word(value).to_be_bytes()),
            (_, false) => words(out).zip(values).for_each(|(two, &value)| *two = word(value).to_le_bytes()),
        }
    }

    /// Samples in interleaved order, piece by piece.
    fn pieces<T: Copy>(
        &self,
        values: &[T],
        word: impl Fn(T) -> u16 + Copy,
        out: &mut impl Write,
        piece: &mut Vec<u8>,
    ) -> Result<()> {
        for values in values.chunks(PIECE_SAMPLES) {
            piece.resize(values.len() * usize::from(self.bytes_a_sample), 0);
            self.put(values.iter(), word, piece);
            out.write_all(piece)?;
        }
        Ok(())
    }
}

fn words(bytes: &mut [u8]) -> impl Iterator<Item = &mut [u8; 2]> {
    bytes.as_chunks_mut::<2>().0.iter_mut()
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
            prop_assert_eq!(&layout.bytes(&samples).unwrap(), &frame);
            let mut written = Vec::new();
            layout.write(&samples, &mut written).unwrap();
            prop_assert_eq!(written, frame);
        }
    }

    /// Proves that a frame of several pieces, the last of them a part, is written as it is in one; and no other frame.
    #[test]
    fn a_frame_in_pieces_is_the_frame() {
        for (bytes_a_sample, bits, signed) in [(1, 8, false), (2, 12, false), (2, 16, false), (2, 12, true)] {
            for (order, fill) in [(Order::Little, Fill::Zero), (Order::Big, Fill::Zero), (Order::Little, Fill::Sign)] {
                let mut layout = layout((bytes_a_sample, bits), 1, signed, order);
                (layout.rows, layout.columns, layout.fill) = (300, 301, fill);
                let bytes: Vec<u8> =
                    (0..layout.frame_bytes() as u32).map(|at| (at.wrapping_mul(at) >> 5) as u8).collect();
                let samples = layout.samples(&bytes).unwrap();
                let (mut written, expected) = (Vec::new(), layout.bytes(&samples).unwrap());
                layout.write(&samples, &mut written).unwrap();
                assert!(written == expected && samples == layout.samples(&written).unwrap(), "{layout:?}");
                layout.rows += 1;
                assert!(matches!(layout.write(&samples, &mut written), Err(Error::Damaged { .. })));
            }
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
