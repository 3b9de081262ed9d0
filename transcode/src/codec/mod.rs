//! The seam: a frame in, a lossless codestream out, and back. What writes it is a [`Coders`], which says of itself what
//! it writes; whatever wrote it, [`decode`] reads it.

mod header;
mod htj2k;
pub(crate) mod label;
pub mod lossy;
mod openjp2;

pub use header::Header;

use crate::error::{Error, Result, contained};
use crate::samples::Samples;

/// JPEG 2000 Image Compression (Lossless Only), PS3.5 Annex A.4.4: what packs were made of before there was HTJ2K.
pub const JPEG_2000_LOSSLESS: &str = "1.2.840.10008.1.2.4.90";
/// High-Throughput JPEG 2000 with RPCL Options Image Compression (Lossless Only), PS3.5 Annex A.4.9.
pub const HTJ2K_LOSSLESS_RPCL: &str = "1.2.840.10008.1.2.4.202";
/// Transfer Syntax UID (0002,0010) of what [`encode`] writes: that of [`Coders::default`].
pub const TRANSFER_SYNTAX_UID: &str = Coders::HTJ2K.transfer_syntax_uid;

/// Who writes codestreams, and who looks at them a second time. Packing is given one, so that a test can give it liars,
/// and so that packs of another transfer syntax can be made and met.
#[derive(Clone, Copy, Debug)]
pub struct Coders {
    /// Transfer Syntax UID (0002,0010) of what `encode` writes.
    pub transfer_syntax_uid: &'static str,
    /// Encodes one frame without loss.
    pub encode: fn(&Samples) -> Result<Vec<u8>>,
    /// Decodes what `encode` wrote, by code that shares nothing with what proves it.
    pub second_opinion: fn(&[u8]) -> Result<Samples>,
}

impl Coders {
    /// HTJ2K by our own coder, and openjp2 to look again.
    pub const HTJ2K: Coders =
        Coders { transfer_syntax_uid: HTJ2K_LOSSLESS_RPCL, encode: encode_htj2k, second_opinion: decode_by_openjp2 };
    /// JPEG 2000 Part 1 by openjp2, as packs had it before there was HTJ2K.
    pub const PART_1: Coders =
        Coders { transfer_syntax_uid: JPEG_2000_LOSSLESS, encode: encode_part_1, second_opinion: decode_by_openjp2 };
}

impl Default for Coders {
    fn default() -> Coders {
        Coders::HTJ2K
    }
}

/// In Part 1, the longer edge of the lowest resolution is at most this where the shorter edge allows it: a thumbnail can be
/// read from the head of the codestream.
const BASE_EDGE_MAX: u32 = 64;

/// Encodes one frame without loss. Three components are taken for red, green and blue and go through the
/// reversible colour transform (T.800 Annex G.2); see [`photometric_interpretation`].
///
/// # Errors
/// [`Error::Panicked`] or [`Error::Damaged`] when the coder fails; it never answers part of a codestream.
pub fn encode(frame: &Samples) -> Result<Vec<u8>> {
    (Coders::default().encode)(frame)
}

/// As [`encode`], for any transfer syntax of lossless codestreams: JPEG 2000 Part 1 under .90 and .91, else HTJ2K, which keeps
/// the rules of .202 also under .201 and .203.
///
/// # Errors
/// Those of [`encode`].
pub(crate) fn encode_for(transfer_syntax_uid: &str, frame: &Samples, colour_transform: bool) -> Result<Vec<u8>> {
    match transfer_syntax_uid {
        JPEG_2000_LOSSLESS | "1.2.840.10008.1.2.4.91" => encode_part_1_as(frame, colour_transform),
        _ if colour_transform => encode_htj2k(frame),
        _ => encode_components(frame),
    }
}

/// As [`encode`], but components are coded as they are: what they are is for the Data Set to say (YBR_FULL).
///
/// # Errors
/// Those of [`encode`].
pub(crate) fn encode_components(frame: &Samples) -> Result<Vec<u8>> {
    let parameters = ::htj2k::EncodeParameters { colour_transform: false, ..Default::default() };
    contained("htj2k", || htj2k::encode_as(frame, &parameters))
}

fn encode_htj2k(frame: &Samples) -> Result<Vec<u8>> {
    contained("htj2k", || htj2k::encode(frame))
}

/// openjp2 refuses a codestream that outgrows the buffer it guesses (1.4 times the samples): noise of few bits, which the
/// wavelet makes longer. Without decompositions it fits, but for colour noise of one or two bits.
fn encode_part_1(frame: &Samples) -> Result<Vec<u8>> {
    encode_part_1_as(frame, true)
}

fn encode_part_1_as(frame: &Samples, colour_transform: bool) -> Result<Vec<u8>> {
    let levels = levels(frame.width(), frame.height());
    let encode = |levels| openjp2::encode(frame, levels, colour_transform);
    contained("openjp2", || encode(levels).or_else(|_| encode(0)))
}

/// Decodes one codestream, JPEG 2000 Part 1 or HTJ2K, bare or in JP2 boxes, to samples with the colour transform undone.
///
/// # Errors
/// [`Error::TooLarge`] when the header claims more than [`SAMPLES_MAX`](crate::SAMPLES_MAX) samples, before anything is
/// allocated for them; [`Error::Damaged`] or [`Error::Panicked`] when it cannot be decoded to the end.
pub fn decode(codestream: &[u8]) -> Result<Samples> {
    let bare = header::codestream(codestream)?;
    let header = Header::read(bare)?;
    match contained("htj2k", || htj2k::decode(bare, &header))? {
        Some(samples) => Ok(samples),
        None => contained("openjp2", || openjp2::decode(bare, &header)),
    }
}

fn decode_by_openjp2(codestream: &[u8]) -> Result<Samples> {
    let codestream = header::codestream(codestream)?;
    let header = Header::read(codestream)?;
    contained("openjp2", || openjp2::decode(codestream, &header))
}

/// The codestream without JP2 boxes, if any were left on; `None` where there are boxes and no codestream.
pub(crate) fn bare(bytes: &[u8]) -> Option<&[u8]> {
    header::codestream(bytes).ok()
}

/// Where each resolution level ends, lowest first, in bytes from the first of the codestream: that many are the picture
/// at that level. Empty where levels do not follow one another, as in the LRCP of old packs.
pub fn resolution_ends(codestream: &[u8]) -> Vec<u64> {
    contained("htj2k", || Ok(htj2k::resolution_ends(codestream))).unwrap_or_default()
}

/// Decompositions of an HTJ2K codestream; 0 for anything else.
pub(crate) fn reductions(head: &[u8]) -> u8 {
    contained("htj2k", || Ok(htj2k::reductions(head))).unwrap_or_default()
}

/// A part of a codestream that [`Header`] says is of `said` columns, rows and components, at a lower resolution; `None` for
/// what is not HTJ2K.
pub(crate) fn decode_region(
    codestream: &[u8],
    said: (u32, u32, u16),
    reduce: u8,
    part: ::htj2k::geometry::Rect,
) -> Result<Option<Samples>> {
    let bare = header::codestream(codestream)?;
    let header = Header::read(bare)?;
    let found = (header.width, header.height, u16::from(header.components));
    if found != said {
        return damaged(format!(
            "the codestream is of {found:?} columns, rows and samples, the Data Set says {said:?}"
        ));
    }
    contained("htj2k", || htj2k::decode_region(bare, &header, reduce, part))
}

/// Photometric Interpretation (0028,0004) of a Data Set whose frames [`encode`] has written (PS3.5 §8.2.4).
pub fn photometric_interpretation(received: &str) -> &str {
    if received == "RGB" { "YBR_RCT" } else { received }
}

/// Decomposition levels of Part 1: the least that bring the longer edge to [`BASE_EDGE_MAX`], but no more than halve the
/// shorter edge down to 1 (openjp2 refuses more).
fn levels(width: u32, height: u32) -> u32 {
    let wanted = (0..32).find(|&levels| width.max(height).div_ceil(1 << levels) <= BASE_EDGE_MAX).unwrap_or(31);
    wanted.min(width.min(height).max(1).ilog2())
}

fn damaged<T>(detail: impl Into<String>) -> Result<T> {
    Err(Error::Damaged { coder: "JPEG 2000 codestream", detail: detail.into() })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::samples::Values;
    use proptest::prelude::*;

    /// Encoded by either coder, decoded by us and by openjp2, it comes back, and its levels end where they do.
    fn check(width: u32, height: u32, components: u8, bits: u8, signed: bool, numbers: impl Iterator<Item = i32>) {
        let (low, span) = if signed { (-(1i32 << (bits - 1)), 1 << bits) } else { (0, 1 << bits) };
        let wide = numbers.take((width * height * u32::from(components)) as usize).map(|n| low + n.rem_euclid(span));
        let frame = Samples::new(width, height, components, bits, Values::collect(bits, signed, wide)).unwrap();
        for coders in [Coders::HTJ2K, Coders::PART_1] {
            if bits < 4 && components > 1 && coders.transfer_syntax_uid == JPEG_2000_LOSSLESS {
                continue;
            }
            let codestream = (coders.encode)(&frame).unwrap();
            for decode in [decode, coders.second_opinion] {
                let uid = coders.transfer_syntax_uid;
                let case = format!("{uid}: {width} x {height} x {components}, {bits} bits, signed {signed}");
                assert!(decode(&codestream).unwrap() == frame, "{case}");
            }
            let ends = resolution_ends(&codestream);
            if coders.transfer_syntax_uid == HTJ2K_LOSSLESS_RPCL {
                assert!(ends.is_sorted() && !ends.is_empty(), "{ends:?}");
                assert!(ends.iter().all(|end| *end <= codestream.len() as u64), "{ends:?}");
            } else {
                assert!(ends.is_empty());
            }
        }
    }

    fn noise(seed: u64) -> impl Iterator<Item = i32> {
        std::iter::successors(Some(seed | 1), |s| {
            Some(s.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407))
        })
        .map(|s| (s >> 33) as i32)
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Full-range noise of any size, depth and sign comes back bit for bit (Part 1 has colour from 4 bits only).
        #[test]
        fn noise_comes_back(width in 1u32..140, height in 1u32..140, colour: bool, bits in 1u8..=16, signed: bool, seed: u64) {
            check(width, height, if colour { 3 } else { 1 }, bits, signed && !colour, noise(seed));
        }

        /// No bytes make the decoder do anything but answer: good heads with damage behind them.
        #[test]
        fn damage_is_an_error_or_another_picture(at in 0usize..600, byte: u8, cut in 0usize..600) {
            let values = Values::U8(noise(7).take(400).map(|n| n as u8).collect());
            let mut codestream = encode(&Samples::new(20, 20, 1, 8, values).unwrap()).unwrap();
            let last = codestream.len() - 1;
            codestream[at.min(last)] = byte;
            let _ = decode(&codestream);
            let _ = decode(&codestream[..cut.min(last)]);
        }
    }

    #[test]
    fn the_smallest_and_the_thinnest_frames_come_back() {
        for (width, height) in [(1, 1), (1, 2), (2, 512), (513, 1), (3, 3), (64, 65), (257, 131)] {
            check(width, height, 1, 12, false, noise(3));
            check(width, height, 1, 16, true, noise(4));
            check(width, height, 3, 8, false, noise(5));
        }
    }

    /// Whose codestream outgrows the buffer that openjp2 guesses, once transformed.
    #[test]
    fn noise_of_one_bit_comes_back() {
        check(130, 115, 1, 1, false, noise(223_896_076_244_659_682));
    }

    #[test]
    fn levels_follow_the_longer_edge_and_spare_the_shorter() {
        let check = |width, height, expected| assert_eq!(levels(width, height), expected, "{width} x {height}");
        check(1, 1, 0);
        check(64, 64, 0);
        check(65, 64, 1);
        check(512, 512, 3);
        check(3064, 4664, 7);
        check(512, 2, 1);
        check(65535, 1, 0);
    }

    #[test]
    fn a_header_that_claims_the_moon_is_refused_before_anything_is_allocated() {
        let mut codestream = encode(&Samples::new(8, 8, 1, 8, Values::U8(vec![9; 64])).unwrap()).unwrap();
        codestream[8..16].copy_from_slice(&[0, 0, 0xFF, 0xFF, 0, 0, 0xFF, 0xFF]);
        assert!(matches!(decode(&codestream), Err(Error::TooLarge { .. })));
    }

    #[test]
    fn every_cut_of_a_codestream_is_an_error() {
        let values = Values::U16(noise(11).take(33 * 9).map(|n| n as u16 & 0xFFF).collect());
        let codestream = encode(&Samples::new(33, 9, 1, 12, values).unwrap()).unwrap();
        for cut in 0..codestream.len() - 2 {
            assert!(decode(&codestream[..cut]).is_err(), "cut at {cut} of {}", codestream.len());
        }
    }
}
