//! GIF of one picture (GIF89a): grey as it is, colour by a table of 6 x 7 x 6 levels. LZW as its Appendix F has it.

use crate::error::{Error, Result};

const CLEAR: u16 = 256;
const END: u16 = 257;
const CODES_MAX: u16 = 4096;
/// Slots of the table of strings: four times as many as there can be.
const SLOTS: usize = 1 << 14;
const EMPTY: u32 = u32::MAX;
/// Levels of red, green and blue.
const LEVELS: [u32; 3] = [6, 7, 6];

/// Writes a picture of 8 bits a component, one or three of them.
///
/// # Errors
/// [`Error::Damaged`] when an edge is above 65,535, or there are other bytes than the size says.
pub(crate) fn encode(width: u32, height: u32, components: u8, bytes: &[u8]) -> Result<Vec<u8>> {
    let damaged = |detail: &str| Error::Damaged { coder: "GIF", detail: detail.into() };
    let (Ok(short_width), Ok(short_height)) = (u16::try_from(width), u16::try_from(height)) else {
        return Err(damaged("an edge is above 65,535"));
    };
    if bytes.len() as u64 != u64::from(width) * u64::from(height) * u64::from(components) {
        return Err(damaged("other bytes than its size says"));
    }
    let size = [short_width.to_le_bytes(), short_height.to_le_bytes()].concat();
    let mut out = b"GIF89a".to_vec();
    out.extend_from_slice(&size);
    // A global table of 256 colours of 8 bits.
    out.extend_from_slice(&[0xF7, 0, 0]);
    let colour = components == 3;
    out.extend((0..=255u8).flat_map(|index| if colour { entry(index) } else { [index; 3] }));
    out.extend_from_slice(&[0x2C, 0, 0, 0, 0]);
    out.extend_from_slice(&size);
    out.extend_from_slice(&[0, 8]);
    let codes = if colour {
        lzw(bytes.as_chunks::<3>().0.iter().map(|pixel| index(*pixel)))
    } else {
        lzw(bytes.iter().copied())
    };
    for block in codes.chunks(255) {
        out.push(block.len() as u8);
        out.extend_from_slice(block);
    }
    out.extend_from_slice(&[0, 0x3B]);
    Ok(out)
}

fn entry(index: u8) -> [u8; 3] {
    let index = u32::from(index);
    let places = [index / (LEVELS[1] * LEVELS[2]), index / LEVELS[2] % LEVELS[1], index % LEVELS[2]];
    std::array::from_fn(|n| (places[n].min(LEVELS[n] - 1) * 255 / (LEVELS[n] - 1)) as u8)
}

fn index(pixel: [u8; 3]) -> u8 {
    let level = |n: usize| (u32::from(pixel[n]) * (LEVELS[n] - 1) + 127) / 255;
    ((level(0) * LEVELS[1] + level(1)) * LEVELS[2] + level(2)) as u8
}

/// Strings known so far: prefix and byte in the upper 20 bits, code in the lower 12.
struct Strings {
    slots: Vec<u32>,
    next: u16,
}

impl Strings {
    fn clear(&mut self) {
        self.slots.fill(EMPTY);
        self.next = END + 1;
    }

    /// The code of a string, or the slot where it would stand.
    fn find(&self, key: u32) -> Result<u16, usize> {
        let mut slot = (key.wrapping_mul(0x9E37_79B1) >> 18) as usize % SLOTS;
        loop {
            match self.slots[slot] {
                EMPTY => return Err(slot),
                found if found >> 12 == key => return Ok((found & 0xFFF) as u16),
                _ => slot = (slot + 1) % SLOTS,
            }
        }
    }
}

fn lzw(mut pixels: impl Iterator<Item = u8>) -> Vec<u8> {
    let mut strings = Strings { slots: vec![EMPTY; SLOTS], next: END + 1 };
    let (mut out, mut word, mut filled) = (Vec::new(), 0u32, 0u32);
    let mut put = |code: u16, bits: u32| {
        word |= u32::from(code) << filled;
        filled += bits;
        while filled >= 8 {
            out.push(word as u8);
            word >>= 8;
            filled -= 8;
        }
    };
    let mut bits = 9;
    put(CLEAR, bits);
    if let Some(first) = pixels.next() {
        let mut prefix = u16::from(first);
        for pixel in pixels {
            let key = u32::from(prefix) << 8 | u32::from(pixel);
            match strings.find(key) {
                Ok(code) => prefix = code,
                Err(slot) => {
                    put(prefix, bits);
                    if strings.next == CODES_MAX {
                        put(CLEAR, bits);
                        strings.clear();
                        bits = 9;
                    } else {
                        strings.slots[slot] = key << 12 | u32::from(strings.next);
                        bits += u32::from(strings.next == 1 << bits);
                        strings.next += 1;
                    }
                    prefix = pixel.into();
                }
            }
        }
        put(prefix, bits);
        // The reader adds a string for the code before, too.
        bits += u32::from(strings.next < CODES_MAX && strings.next == 1 << bits);
    }
    put(END, bits);
    put(0, 7);
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// As a reader does it: Appendix F, the other way round.
    fn unpacked(codes: &[u8]) -> Vec<u8> {
        let (mut out, mut at, mut bits) = (Vec::new(), 0usize, 9usize);
        let mut strings: Vec<Vec<u8>> = Vec::new();
        let clear = |strings: &mut Vec<Vec<u8>>| *strings = (0..=257u16).map(|n| vec![n as u8]).collect();
        let mut before: Option<Vec<u8>> = None;
        loop {
            let code =
                (0..bits).fold(0usize, |code, n| code | usize::from(codes[(at + n) / 8] >> ((at + n) % 8) & 1) << n);
            at += bits;
            match code {
                256 => {
                    clear(&mut strings);
                    (bits, before) = (9, None);
                    continue;
                }
                257 => return out,
                _ => {}
            }
            let string = match (strings.get(code), &before) {
                (Some(known), _) => known.clone(),
                (None, Some(before)) => [&before[..], &before[..1]].concat(),
                _ => panic!("code {code} is not known"),
            };
            if let Some(before) = before
                && strings.len() < 4096
            {
                strings.push([&before[..], &string[..1]].concat());
            }
            if strings.len() == 1 << bits && bits < 12 {
                bits += 1;
            }
            out.extend_from_slice(&string);
            before = Some(string);
        }
    }

    proptest! {
        /// What is packed is unpacked again: runs, few colours, noise over several tables of strings.
        #[test]
        fn pixels_come_back(seed: u64, colours in 1u64..=256, length in 1usize..20_000) {
            let next = |state: &u64| Some(state.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407));
            let pixels: Vec<u8> = std::iter::successors(Some(seed), next).map(|s| ((s >> 33) % colours) as u8).take(length).collect();
            prop_assert_eq!(unpacked(&lzw(pixels.iter().copied())), pixels);
        }
    }

    #[test]
    fn a_picture_has_its_size_its_colours_and_its_end() {
        let grey = encode(3, 2, 1, &[0, 1, 2, 3, 4, 5]).unwrap();
        assert!(grey.starts_with(b"GIF89a\x03\0\x02\0") && grey.ends_with(&[0, 0x3B]));
        for pixel in [[0, 0, 0], [255, 255, 255], [255, 0, 0]] {
            assert_eq!(entry(index(pixel)), pixel, "corners of the cube are kept");
        }
        assert!(encode(1, 1, 3, &[1, 2]).is_err() && encode(70_000, 1, 1, &[0; 70_000]).is_err());
    }
}
