//! Whether a codestream may stand under a Transfer Syntax UID. Every frame that is written passes here, so that no lossy
//! byte ever goes out under a lossless name.
//!
//! The headers are judged: the transform, the quantisation, the block coder, the order. That a reversible codestream holds
//! all of its passes is for the proof by decoding to say.

use super::damaged;
use super::header::codestream as codestream_of;
use crate::error::Result;

const CAP: u8 = 0x50;
const SIZ: u8 = 0x51;
const COD: u8 = 0x52;
const COC: u8 = 0x53;
const TLM: u8 = 0x55;
const QCD: u8 = 0x5C;
const QCC: u8 = 0x5D;
const SOT: u8 = 0x90;
const SOD: u8 = 0x93;
const EOC: u8 = 0xD9;

/// RPCL in a COD marker segment (T.800 Table A.16).
const RPCL: u8 = 2;
/// Pcap of a codestream with HT code-blocks: Part 15 (T.814 Annex A.3.4).
const PART_15: u32 = 1 << 17;
/// PS3.5 §10.18: the base resolution has an edge of at most so many.
const BASE_EDGE_MAX: u32 = 64;

/// What the headers of a codestream say.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Facts {
    width: u32,
    height: u32,
    high_throughput: bool,
    /// Some component has the irreversible transform or a quantisation.
    irreversible: bool,
    rpcl: bool,
    tile_part_lengths: bool,
    levels: u8,
    coded: bool,
    quantised: bool,
}

/// Refuses a codestream that is not what the transfer syntax promises (PS3.5 §8.2.4, §8.2.14, §10.18).
///
/// # Errors
/// [`Error::Damaged`](crate::Error::Damaged) with the promise that is broken, or where the headers end.
pub(crate) fn check(transfer_syntax_uid: &str, codestream: &[u8]) -> Result<()> {
    let facts = Facts::read(codestream)?;
    let short = transfer_syntax_uid.strip_prefix("1.2.840.10008.1.2.4.").unwrap_or_default();
    let (high_throughput, lossless) = match short {
        "90" => (false, true),
        "91" => (false, false),
        "201" | "202" => (true, true),
        "203" => (true, false),
        _ => return damaged(format!("{transfer_syntax_uid} is no transfer syntax that codestreams are written under")),
    };
    let refused = |why: &str| damaged(format!("not written under {transfer_syntax_uid}: {why}"));
    if facts.high_throughput != high_throughput {
        return refused(if high_throughput { "it has no HT code-blocks" } else { "it has HT code-blocks" });
    }
    if lossless && facts.irreversible {
        return refused("its transform or quantisation is irreversible, and the transfer syntax is lossless only");
    }
    if short == "202" {
        let edge = facts.width.min(facts.height).div_ceil(1u32.checked_shl(facts.levels.into()).unwrap_or(u32::MAX));
        if !facts.rpcl {
            return refused("its progression order is not RPCL");
        }
        if !facts.tile_part_lengths {
            return refused("it has no TLM marker segment");
        }
        if edge > BASE_EDGE_MAX {
            return refused("its lowest resolution is larger than 64 both ways");
        }
    }
    Ok(())
}

/// Whether the headers of a codestream, bare or in JP2 boxes, say that something was lost in its making.
pub(crate) fn is_irreversible(codestream: &[u8]) -> bool {
    let facts = codestream_of(codestream).and_then(Facts::read);
    facts.is_ok_and(|facts| facts.irreversible)
}

impl Facts {
    /// Walks the main header and the header of every tile-part.
    fn read(codestream: &[u8]) -> Result<Facts> {
        let mut facts = Facts::default();
        if !codestream.starts_with(&[0xFF, 0x4F]) {
            return damaged("no SOC marker at byte 0");
        }
        let (mut at, mut tile_part_end) = (2usize, None);
        loop {
            let marker = match codestream.get(at..at.saturating_add(2)) {
                Some([0xFF, marker]) => *marker,
                // Some writers leave EOC out, or pad behind the last tile-part.
                None if tile_part_end.is_some() => break,
                _ => return damaged(format!("no marker at byte {at}")),
            };
            if marker == EOC {
                break;
            }
            if marker == SOD {
                let Some(end) = tile_part_end.filter(|end| *end > at) else {
                    return damaged(format!("a tile-part that is none at byte {at}"));
                };
                at = end;
                continue;
            }
            let length = codestream.get(at + 2..).and_then(<[u8]>::first_chunk).map(|two| u16::from_be_bytes(*two));
            let segment = length.and_then(|length| codestream.get(at + 4..at + 2 + usize::from(length)));
            let Some(segment) = segment else { return damaged(format!("ends inside a header at byte {at}")) };
            if marker == SOT {
                let length = u32_at(segment, 2).map(|length| length as usize);
                let end = match length {
                    Some(0) => codestream.len(),
                    Some(length) => at.saturating_add(length).min(codestream.len()),
                    None => return damaged(format!("a tile-part that is none at byte {at}")),
                };
                tile_part_end = Some(end);
            } else if facts.take(marker, segment).is_none() {
                return damaged(format!("a marker segment that is too short at byte {at}"));
            }
            at += 4 + segment.len();
        }
        if !facts.coded || !facts.quantised || facts.width == 0 {
            return damaged("no SIZ, COD and QCD marker segments in its headers");
        }
        Ok(facts)
    }

    /// T.800 Annex A.5, A.6; `None` where the segment is too short.
    fn take(&mut self, marker: u8, segment: &[u8]) -> Option<()> {
        match marker {
            SIZ => {
                let word = |at| u32_at(segment, at);
                self.width = word(2)?.saturating_sub(word(10)?);
                self.height = word(6)?.saturating_sub(word(14)?);
            }
            CAP => self.high_throughput |= u32_at(segment, 0)? & PART_15 != 0,
            COD => {
                self.rpcl = *segment.get(1)? == RPCL;
                self.levels = *segment.get(5)?;
                self.irreversible |= *segment.get(9)? != 1;
                self.coded = true;
            }
            COC => self.irreversible |= *segment.get(6)? != 1,
            QCD => {
                self.irreversible |= segment.first()? & 0x1F != 0;
                self.quantised = true;
            }
            QCC => self.irreversible |= segment.get(1)? & 0x1F != 0,
            TLM => self.tile_part_lengths = true,
            _ => {}
        }
        Some(())
    }
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|four| u32::from_be_bytes(*four))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// SOC, SIZ of 512 x 512, CAP if asked for, COD, QCD, TLM if asked for, a tile-part, EOC.
    fn codestream(high_throughput: bool, progression: u8, transform: u8, quantisation: u8, tlm: bool) -> Vec<u8> {
        let mut siz = vec![0xFF, 0x51, 0, 41, 0x40, 0, 0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0];
        siz.extend([0, 0, 2, 0, 0, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 7, 1, 1]);
        let cap: &[u8] = if high_throughput { &[0xFF, 0x50, 0, 8, 0, 2, 0, 0, 0, 0] } else { &[] };
        let cod = [0xFF, 0x52, 0, 12, 0, progression, 0, 1, 0, 3, 4, 4, 0x40, transform];
        let qcd = [0xFF, 0x5C, 0, 4, quantisation, 0x40];
        let tlm: &[u8] = if tlm { &[0xFF, 0x55, 0, 4, 0, 0x50] } else { &[] };
        let tile = [0xFF, 0x90, 0, 10, 0, 0, 0, 0, 0, 15, 0, 1, 0xFF, 0x93, 0x80, 0xFF, 0xD9];
        [&[0xFF, 0x4F], &siz[..], cap, &cod, &qcd, tlm, &tile].concat()
    }

    fn verdict(short: &str, codestream: &[u8]) -> String {
        let uid = format!("1.2.840.10008.1.2.4.{short}");
        check(&uid, codestream).map_or_else(|error| error.to_string(), |()| "good".into())
    }

    #[test]
    fn no_lossy_codestream_stands_under_a_lossless_name() {
        // Proves the promise of the module for every lossless transfer syntax of codestreams.
        for (transform, quantisation) in [(0, 2), (1, 2), (0, 0)] {
            let part_1 = codestream(false, 2, transform, quantisation, true);
            let part_15 = codestream(true, 2, transform, quantisation, true);
            assert!(verdict("90", &part_1).contains("irreversible"));
            assert!(verdict("201", &part_15).contains("irreversible"));
            assert!(verdict("202", &part_15).contains("irreversible"));
            assert_eq!((verdict("91", &part_1), verdict("203", &part_15)), ("good".into(), "good".into()));
        }
    }

    #[test]
    fn each_promise_of_202_is_looked_at() {
        let check = |codestream: Vec<u8>, expected: &str| {
            let found = verdict("202", &codestream);
            assert!(found.contains(expected), "{found}");
        };
        check(codestream(true, 2, 1, 0, true), "good");
        check(codestream(true, 0, 1, 0, true), "RPCL");
        check(codestream(true, 2, 1, 0, false), "TLM");
        check(codestream(false, 2, 1, 0, true), "no HT code-blocks");
        let mut shallow = codestream(true, 2, 1, 0, true);
        let cod = shallow.windows(2).position(|two| two == [0xFF, 0x52]).unwrap();
        shallow[cod + 9] = 2;
        check(shallow, "larger than 64");
        assert!(verdict("90", &codestream(true, 2, 1, 0, true)).contains("HT code-blocks"));
        assert!(verdict("50", &codestream(true, 2, 1, 0, true)).contains("no transfer syntax"));
    }

    #[test]
    fn a_component_or_a_tile_that_is_coded_otherwise_is_seen() {
        let insert = |segment: &[u8], before: [u8; 2]| {
            let mut bytes = codestream(true, 2, 1, 0, true);
            let at = bytes.windows(2).position(|two| two == before).unwrap();
            bytes.splice(at..at, segment.iter().copied());
            // Psot covers what was put into the tile-part's header.
            let tile = bytes.windows(2).position(|two| two == [0xFF, 0x90]).unwrap();
            bytes[tile + 9] += if before == [0xFF, 0x93] { segment.len() as u8 } else { 0 };
            bytes
        };
        let (coc, qcc) = ([0xFF, 0x53, 0, 9, 0, 0, 3, 4, 4, 0x40, 0], [0xFF, 0x5D, 0, 5, 0, 2, 0x40]);
        for before in [[0xFF, 0x90], [0xFF, 0x93]] {
            assert!(verdict("202", &insert(&coc, before)).contains("irreversible"));
            assert!(verdict("202", &insert(&qcc, before)).contains("irreversible"));
        }
    }

    proptest! {
        /// Any bytes behind a good head are answered, and every cut of the headers is an error.
        #[test]
        fn any_bytes_are_answered(cut in 0usize..90, noise in proptest::collection::vec(any::<u8>(), 0..60)) {
            let good = codestream(true, 2, 1, 0, true);
            let head = &good[..cut.min(good.len())];
            let _ = check("1.2.840.10008.1.2.4.202", &[head, &noise].concat());
            prop_assert!(head.len() >= good.len() - 5 || check("1.2.840.10008.1.2.4.202", head).is_err());
        }
    }
}
