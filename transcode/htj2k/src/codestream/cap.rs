//! Extended capabilities: how the codestream uses T.814 (its A.3).

use super::cursor::Cursor;
use super::marker;
use crate::error::{Error, Result};

/// Pcap bit 15, counted from the most significant one, which is bit 1.
const PCAP_15: u32 = 1 << (32 - 15);
/// The largest bound that Ccap15 can express.
const MAGNITUDE_BOUND_MAX: u8 = 74;

/// Which code-blocks are HT code-blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CodeBlocks {
    /// HTONLY: all.
    All,
    /// HTDECLARED: all of a tile-component or none, as COD and COC say.
    Declared,
    /// MIXED: each on its own.
    Mixed,
}

/// The CAP marker segment's Ccap15.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cap {
    /// Bits 14 and 15.
    pub code_blocks: CodeBlocks,
    /// Bit 13, MULTIHT: code-blocks may have more than one HT set.
    pub several_sets: bool,
    /// Bit 12, RGN: regions of interest may be shifted.
    pub regions: bool,
    /// Bit 11, HETEROGENEOUS: tiles or components may be coded in different ways.
    pub heterogeneous: bool,
    /// Bit 5, HTIRV: the irreversible transformation may be used.
    pub irreversible: bool,
    /// B of MAGB: bound of the magnitudes' bits, 8 to 74.
    pub magnitude_bound: u8,
}

impl Cap {
    /// What a codestream of this crate needs: HT code-blocks alone, one set each, no regions, all coded alike.
    pub fn plain(irreversible: bool, magnitude_bound: u8) -> Cap {
        let code_blocks = CodeBlocks::All;
        Cap { code_blocks, several_sets: false, regions: false, heterogeneous: false, irreversible, magnitude_bound }
    }

    pub(crate) fn read(segment: &mut Cursor) -> Result<Cap> {
        let pcap = segment.u32()?;
        if pcap & PCAP_15 == 0 {
            return Err(Error::NotHighThroughput { what: "CAP does not name Part 15" });
        }
        // A Ccap for each bit set, the most significant first: those before ours speak of other parts.
        for _ in 0..(pcap >> 18).count_ones() {
            segment.u16()?;
        }
        let ccap = segment.u16()?;
        let code_blocks = match ccap >> 14 {
            0 => CodeBlocks::All,
            2 => CodeBlocks::Declared,
            3 => CodeBlocks::Mixed,
            _ => return Err(segment.damaged("bits 14 and 15 of Ccap15 are 1 and 0")),
        };
        Ok(Cap {
            code_blocks,
            several_sets: ccap & (1 << 13) != 0,
            regions: ccap & (1 << 12) != 0,
            heterogeneous: ccap & (1 << 11) != 0,
            irreversible: ccap & (1 << 5) != 0,
            magnitude_bound: bound((ccap & 31) as u8),
        })
    }

    pub(crate) fn write(&self, out: &mut Vec<u8>) -> Result<()> {
        let claimed = self.magnitude_bound;
        if claimed > MAGNITUDE_BOUND_MAX {
            let limit = u64::from(MAGNITUDE_BOUND_MAX);
            return Err(Error::TooLarge { what: "bits of a magnitude", claimed: u64::from(claimed), limit });
        }
        let code_blocks = match self.code_blocks {
            CodeBlocks::All => 0,
            CodeBlocks::Declared => 2,
            CodeBlocks::Mixed => 3,
        };
        let flags = [(self.several_sets, 13), (self.regions, 12), (self.heterogeneous, 11), (self.irreversible, 5)];
        let ccap: u16 = flags.iter().map(|&(flag, bit)| u16::from(flag) << bit).sum();
        let parameter = (0..31).find(|&parameter| bound(parameter) >= claimed).unwrap_or(31);
        out.extend(marker::CAP.to_be_bytes());
        out.extend(8u16.to_be_bytes());
        out.extend(PCAP_15.to_be_bytes());
        out.extend((ccap | (code_blocks << 14) | u16::from(parameter)).to_be_bytes());
        Ok(())
    }
}

/// B from the five bits P of Ccap15 (T.814 Table A.4 and 8.7.3).
fn bound(parameter: u8) -> u8 {
    match parameter {
        0..20 => parameter + 8,
        20..31 => 4 * (parameter - 19) + 27,
        _ => MAGNITUDE_BOUND_MAX,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The bound that is written holds what was asked and is the least that does; everything else comes back.
    #[test]
    fn what_is_written_is_read() {
        for asked in 0..=74 {
            let cap = Cap { several_sets: asked % 2 == 0, ..Cap::plain(asked % 3 == 0, asked) };
            let mut bytes = Vec::new();
            cap.write(&mut bytes).unwrap();
            let back = Cap::read(&mut Cursor::new(&bytes, 4, "CAP")).unwrap();
            assert!(back.magnitude_bound >= asked && back.magnitude_bound < asked.max(5) + 4, "{asked}: {back:?}");
            assert_eq!(Cap { magnitude_bound: asked, ..back }, cap);
        }
        assert!(Cap::plain(false, 75).write(&mut Vec::new()).is_err());
    }

    #[test]
    fn other_parts_are_passed_over_and_part_15_is_needed() {
        let both = [0, 0, 0, 0, 0x40, 0x02, 0, 0, 0xAB, 0xCD, 0xE0, 0x23];
        let cap = Cap::read(&mut Cursor::new(&both, 4, "CAP")).unwrap();
        assert_eq!((cap.code_blocks, cap.several_sets, cap.magnitude_bound), (CodeBlocks::Mixed, true, 11));
        let other = [0, 0, 0, 0, 0x40, 0, 0, 0, 0xAB, 0xCD];
        assert!(matches!(Cap::read(&mut Cursor::new(&other, 4, "CAP")), Err(Error::NotHighThroughput { .. })));
    }
}
