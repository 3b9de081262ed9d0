//! The second opinion: a decoder that is not ours looks at codestreams we have written, before they are believed.
//!
//! Our own decoder proves every frame, but an encoder and a decoder that share a mistake agree with each other. So the
//! first frame of every kind that a running program meets is decoded by [`Coders::second_opinion`], and one in a hundred
//! of all others, chosen by the digest of the file, so that another run looks at the same.

use std::collections::HashSet;
use std::sync::{Mutex, PoisonError};

use rayon::prelude::*;
use sha2::{Digest, Sha256};

use crate::codec::{Coders, Header};
use crate::layout::Layout;
use crate::samples::{self, Samples};
use crate::source::{Source, WhyNot};
use crate::{Error, Result};

/// Of this many frames of a known kind, one is looked at.
const ONE_IN: u64 = 100;

/// An independent decoder did not see the samples that were encoded. Until somebody has looked, nothing that this
/// encoder writes is to be believed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("frame {frame} ({kind}) was written by us, and {detail}")]
pub struct Disagreement {
    /// Which frame, from 1.
    pub frame: u32,
    /// What kind of frame it is.
    pub kind: String,
    /// What the other decoder saw.
    pub detail: String,
}

/// Remembers which kinds of frame it has seen. One lives as long as the program.
#[derive(Debug)]
pub struct Witness {
    decode: fn(&[u8]) -> Result<Samples>,
    seen: Mutex<HashSet<Kind>>,
}

/// What encoders treat differently.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Kind {
    bits: u8,
    signed: bool,
    components: u8,
    levels: u8,
    /// Edges by powers of two.
    size: (u32, u32),
}

impl std::fmt::Display for Kind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Kind { bits, signed, components, levels, size: (width, height) } = self;
        let sign = if *signed { "signed" } else { "unsigned" };
        write!(f, "{bits} bits, {sign}, {components} components, {levels} levels, at least ")?;
        write!(f, "{} x {}", 1u64 << width, 1u64 << height)
    }
}

impl Witness {
    /// A witness that has seen nothing yet.
    pub fn new(coders: &Coders) -> Witness {
        Witness { decode: coders.second_opinion, seen: Mutex::default() }
    }

    /// Looks at the frames of a file that are to be looked at, and answers how many. A decoder that refuses a frame
    /// disagrees too, and kinds that it was asked about count as never seen then.
    ///
    /// # Errors
    /// [`Disagreement`] of the first frame that is not what was encoded.
    pub fn check(&self, source: &Source, codestreams: &[Vec<u8>], file: &[u8; 32]) -> Result<u32, Disagreement> {
        let chosen: Vec<(usize, Kind)> = self.chosen(codestreams, file)?;
        if chosen.is_empty() {
            return Ok(0);
        }
        let layout = source.layout().map_err(Error::from);
        let looked = chosen.par_iter().try_for_each(|&(index, kind)| {
            let same = layout.as_ref().map_err(|e| e.to_string()).and_then(|layout| {
                let encoded = samples_of(source, layout, index as u32).map_err(|e| e.to_string())?;
                self.agrees(&encoded, &codestreams[index])
            });
            same.map_err(|detail| Disagreement { frame: index as u32 + 1, kind: kind.to_string(), detail })
        });
        if looked.is_err() {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            seen.retain(|kind| !chosen.iter().any(|(_, doubted)| doubted == kind));
        }
        looked.map(|()| chosen.len() as u32)
    }

    /// The frames to look at: the first of each kind not seen, and one in a hundred. Whoever is told to look at a kind first
    /// is the only one: files are made into forms beside each other.
    fn chosen(&self, codestreams: &[Vec<u8>], file: &[u8; 32]) -> Result<Vec<(usize, Kind)>, Disagreement> {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let mut chosen = Vec::new();
        for (index, codestream) in codestreams.iter().enumerate() {
            let kind = kind(codestream).map_err(|error| Disagreement {
                frame: index as u32 + 1,
                kind: "unknown".into(),
                detail: error.to_string(),
            })?;
            if seen.insert(kind) || by_lot(file, index as u32) {
                chosen.push((index, kind));
            }
        }
        Ok(chosen)
    }

    fn agrees(&self, encoded: &Samples, codestream: &[u8]) -> Result<(), String> {
        let seen = (self.decode)(codestream).map_err(|e| format!("an independent decoder refuses it: {e}"))?;
        if &seen == encoded {
            return Ok(());
        }
        let values = encoded.values().len().min(seen.values().len());
        let first = (0..values).find(|&at| encoded.values().at(at) != seen.values().at(at));
        Err(match first {
            Some(at) => format!("an independent decoder sees another picture, first at sample {at}"),
            None => "an independent decoder sees a picture of another shape".into(),
        })
    }
}

fn samples_of(source: &Source, layout: &Layout, index: u32) -> Result<Samples> {
    let frames = source.frames(layout).ok_or(WhyNot::Truncated)?;
    layout.samples(&layout.frame(frames, index)?)
}

fn kind(codestream: &[u8]) -> Result<Kind> {
    let Header { width, height, components, bits, signed } = Header::read(codestream)?;
    samples::count(width, height, components)?;
    Ok(Kind { bits, signed, components, levels: levels(codestream), size: (width.ilog2(), height.ilog2()) })
}

/// Decomposition levels as the COD marker segment of the main header says (T.800 Annex A.6.1); 255 where there is none.
fn levels(codestream: &[u8]) -> u8 {
    let mut at = 2;
    while let Some(&[0xFF, marker, high, low]) = codestream.get(at..at + 4) {
        match marker {
            0x52 => return codestream.get(at + 9).copied().unwrap_or(u8::MAX),
            0x90 | 0x93 => break,
            _ => at += 2 + usize::from(u16::from_be_bytes([high, low])),
        }
    }
    u8::MAX
}

/// The same file and frame give the same answer in every run.
fn by_lot(file: &[u8; 32], index: u32) -> bool {
    let digest = Sha256::new().chain_update(file).chain_update(index.to_le_bytes()).finalize();
    digest.first_chunk().is_some_and(|eight| u64::from_le_bytes(*eight).is_multiple_of(ONE_IN))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{PixelDescription, Values, codec, encode_frames};
    use std::sync::atomic::{AtomicU32, Ordering};

    fn description(rows: u16, bits_stored: u16, number_of_frames: u32) -> PixelDescription {
        PixelDescription {
            rows,
            columns: 20,
            samples_per_pixel: 1,
            bits_allocated: 16,
            bits_stored,
            high_bit: bits_stored - 1,
            pixel_representation: 0,
            planar_configuration: 0,
            photometric_interpretation: "MONOCHROME2".into(),
            number_of_frames,
        }
    }

    fn source(description: PixelDescription, pixels: &[u8]) -> Source<'_> {
        let pixel_length = pixels.len() as u64;
        Source { received: pixels, pixel_offset: 0, pixel_length, big_endian: false, description }
    }

    fn pixels(description: &PixelDescription) -> Vec<u8> {
        let count = u32::from(description.rows) * u32::from(description.columns) * description.number_of_frames;
        (0..count).flat_map(|n| (((n * 37) as u16) & ((1 << description.bits_stored) - 1)).to_le_bytes()).collect()
    }

    /// Proves, by a decoder that counts, that the first of each kind is looked at and about a hundredth of the rest, the
    /// same ones again for a witness that begins anew.
    #[test]
    fn the_first_of_each_kind_is_looked_at_and_one_in_a_hundred() {
        static LOOKED: AtomicU32 = AtomicU32::new(0);
        fn counting(codestream: &[u8]) -> Result<Samples> {
            LOOKED.fetch_add(1, Ordering::Relaxed);
            codec::decode(codestream)
        }
        let coders = Coders { second_opinion: counting, ..Coders::default() };
        let looked = |witness: &Witness, rows, bits, frames, file: u8| {
            let description = description(rows, bits, frames);
            let pixels = pixels(&description);
            let source = source(description, &pixels);
            let before = LOOKED.load(Ordering::Relaxed);
            let said = witness.check(&source, &encode_frames(&source).unwrap(), &[file; 32]).unwrap();
            assert_eq!(LOOKED.load(Ordering::Relaxed) - before, said);
            said
        };
        let witness = Witness::new(&coders);
        assert!(looked(&witness, 20, 12, 1, 1) == 1 && looked(&witness, 20, 10, 1, 1) == 1, "new kinds");
        assert!(looked(&witness, 70, 12, 1, 1) == 1, "a new size");
        let by_lot: Vec<u32> = (0..8).map(|file| looked(&witness, 20, 12, 100, file)).collect();
        assert!((1..30).contains(&by_lot.iter().sum::<u32>()), "{by_lot:?}");
        assert_eq!((0..8).map(|file| looked(&witness, 20, 12, 100, file)).collect::<Vec<_>>(), by_lot);
    }

    /// Proves that another picture, a refusal and another shape are each a disagreement, and that the kind stays unseen.
    #[test]
    fn what_the_other_decoder_does_not_see_is_a_disagreement() {
        fn another(codestream: &[u8]) -> Result<Samples> {
            let seen = codec::decode(codestream)?;
            let mut values: Vec<u16> = (0..seen.values().len()).map(|at| seen.values().at(at) as u16).collect();
            values[7] ^= 1;
            Samples::new(seen.width(), seen.height(), 1, seen.bits(), Values::U16(values))
        }
        fn refuses(_: &[u8]) -> Result<Samples> {
            Err(Error::Damaged { coder: "another decoder", detail: "no".into() })
        }
        fn wider(codestream: &[u8]) -> Result<Samples> {
            let seen = codec::decode(codestream)?;
            let values: Vec<u16> = (0..seen.values().len()).map(|at| seen.values().at(at) as u16).collect();
            Samples::new(seen.width(), seen.height(), 1, 16, Values::U16(values))
        }
        let description = description(20, 12, 1);
        let pixels = pixels(&description);
        let source = source(description, &pixels);
        let frames = encode_frames(&source).unwrap();
        let check = |second_opinion, expected: &str| {
            let witness = Witness::new(&Coders { second_opinion, ..Coders::default() });
            for _ in 0..2 {
                let said = witness.check(&source, &frames, &[0; 32]).unwrap_err();
                assert!(said.frame == 1 && said.to_string().contains(expected), "{said}");
            }
        };
        check(another, "first at sample 7");
        check(refuses, "refuses it: another decoder: no");
        check(wider, "another shape");
    }

    /// Proves that levels are read where COD does not follow SIZ at once.
    #[test]
    fn levels_are_those_of_the_main_header() {
        let siz = [0xFF, 0x51, 0, 4, 1, 2];
        let cod = [0xFF, 0x52, 0, 12, 0, 2, 0, 1, 0, 5, 4, 4, 0, 1];
        let check = |parts: &[&[u8]], expected| assert_eq!(levels(&parts.concat()), expected);
        check(&[&[0xFF, 0x4F], &siz, &cod], 5);
        check(&[&[0xFF, 0x4F], &siz, &siz, &cod], 5);
        check(&[&[0xFF, 0x4F], &siz, &[0xFF, 0x90, 0, 10], &cod], u8::MAX);
        check(&[&[0xFF, 0x4F], &siz, &cod[..7]], u8::MAX);
        check(&[], u8::MAX);
    }
}
