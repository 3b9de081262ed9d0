//! What main and tile-part headers say about coding, component by component, and which of them counts (T.800 A.6).

use super::cod::{Cod, Coding};
use super::cursor::Cursor;
use super::marker;
use super::progression::Change;
use super::qcd::Qcd;
use crate::error::{Error, Result};

/// COD, COC, QCD, QCC, RGN and POC of one header.
#[derive(Clone, Debug, Default)]
pub(crate) struct Header {
    pub(crate) cod: Option<Cod>,
    cocs: Vec<(u16, Coding)>,
    qcd: Option<Qcd>,
    qccs: Vec<(u16, Qcd)>,
    rgns: Vec<(u16, u8)>,
    pub(crate) changes: Vec<Change>,
}

/// The name of a marker segment that [`Header::take`] reads.
pub(crate) fn name(code: u16) -> Option<&'static str> {
    Some(match code {
        marker::COD => "COD",
        marker::COC => "COC",
        marker::QCD => "QCD",
        marker::QCC => "QCC",
        marker::RGN => "RGN",
        marker::POC => "POC",
        _ => return None,
    })
}

impl Header {
    /// Reads a marker segment that has a [`name`]; a later one of the same kind replaces an earlier one.
    pub(crate) fn take(&mut self, code: u16, segment: &mut Cursor, components: usize) -> Result<()> {
        match code {
            marker::COD => self.cod = Some(Cod::read(segment)?),
            marker::COC => self.cocs.push(Cod::read_component(segment, components)?),
            marker::QCD => self.qcd = Some(Qcd::read(segment)?),
            marker::QCC => self.qccs.push(Qcd::read_component(segment, components)?),
            marker::RGN => self.rgns.push(region(segment, components)?),
            marker::POC => Change::read_all(segment, components, &mut self.changes)?,
            _ => {}
        }
        Ok(())
    }

    /// Whether all components are coded alike and in one progression order.
    pub(crate) fn is_uniform(&self) -> bool {
        self.cocs.is_empty() && self.changes.is_empty()
    }

    /// COC of the tile, COD of the tile, COC of the main header, COD of the main header (T.800 A.6.2).
    pub(crate) fn coding<'a>(main: &'a Header, tile: Option<&'a Header>, component: u16) -> Option<&'a Coding> {
        let of = |header: &'a Header| latest(&header.cocs, component).or(header.cod.as_ref().map(|cod| &cod.coding));
        tile.and_then(of).or_else(|| of(main))
    }

    /// The same order for QCC and QCD (T.800 A.6.5).
    pub(crate) fn qcd<'a>(main: &'a Header, tile: Option<&'a Header>, component: u16) -> Option<&'a Qcd> {
        let of = |header: &'a Header| latest(&header.qccs, component).or(header.qcd.as_ref());
        tile.and_then(of).or_else(|| of(main))
    }

    /// Bit-planes by which a region of interest is shifted up (T.800 A.6.3), 0 if there is none.
    pub(crate) fn region_shift(main: &Header, tile: Option<&Header>, component: u16) -> u8 {
        let of = |header: &Header| latest(&header.rgns, component).copied();
        tile.and_then(of).or_else(|| of(main)).unwrap_or(0)
    }

    /// What must hold before blocks of `components` can be read: each is HT and each subband has its step.
    pub(crate) fn check(main: &Header, tile: Option<&Header>, components: u16, offset: usize) -> Result<()> {
        for component in 0..components {
            let coding = Header::coding(main, tile, component);
            let coding = coding.ok_or_else(|| Error::damaged(offset, "the header has no COD"))?;
            coding.check_high_throughput()?;
            let qcd = Header::qcd(main, tile, component);
            let qcd = qcd.ok_or_else(|| Error::damaged(offset, "the header has no QCD"))?;
            if !qcd.covers(coding.grid.decompositions) {
                let levels = coding.grid.decompositions;
                let what = format!("QCD or QCC of component {component} has too few steps for {levels} decompositions");
                return Err(Error::damaged(offset, what));
            }
        }
        Ok(())
    }
}

fn latest<T>(list: &[(u16, T)], component: u16) -> Option<&T> {
    list.iter().rev().find(|(number, _)| *number == component).map(|(_, value)| value)
}

/// RGN: the component and SPrgn.
fn region(segment: &mut Cursor, components: usize) -> Result<(u16, u8)> {
    let number = segment.component(components)?;
    if segment.u8()? != 0 {
        return Err(Error::unsupported(segment.offset() - 1, "a region of interest of T.801 (Srgn)"));
    }
    Ok((number, segment.u8()?))
}
