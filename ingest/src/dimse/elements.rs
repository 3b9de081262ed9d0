//! Elements written one after another, in Implicit or Explicit VR Little Endian (PS3.5 §7.1).

use transcode::data_set::{Tag, VR};

use super::negotiate::IMPLICIT_VR_LITTLE_ENDIAN;

/// A Data Set or an item being written, in the order of its tags.
#[derive(Clone, Debug)]
pub struct Elements {
    explicit: bool,
    out: Vec<u8>,
}

impl Elements {
    /// Nothing yet, in this transfer syntax.
    pub fn new(transfer_syntax: &str) -> Elements {
        Elements { explicit: transfer_syntax != IMPLICIT_VR_LITTLE_ENDIAN, out: Vec::new() }
    }

    /// An item of what is written here.
    pub fn item(&self) -> Elements {
        Elements { explicit: self.explicit, out: Vec::new() }
    }

    /// Adds a value, padded to even length; too long for a short VR, it becomes UN (PS3.5 §6.2.2).
    pub fn value(&mut self, tag: Tag, vr: VR, value: &[u8]) {
        let odd = !value.len().is_multiple_of(2);
        let length = value.len() + usize::from(odd);
        let long = has_long_length(vr);
        let vr = if !long && length > usize::from(u16::MAX) { VR::UN } else { vr };
        self.out.extend_from_slice(&tag.0.to_le_bytes());
        self.out.extend_from_slice(&tag.1.to_le_bytes());
        if self.explicit {
            self.out.extend_from_slice(&vr.to_bytes());
        }
        if self.explicit && !has_long_length(vr) {
            self.out.extend_from_slice(&(length as u16).to_le_bytes());
        } else {
            self.out.extend_from_slice(if self.explicit { &[0, 0] } else { &[] });
            self.out.extend_from_slice(&u32::try_from(length).unwrap_or(u32::MAX - 1).to_le_bytes());
        }
        self.out.extend_from_slice(value);
        self.out.extend_from_slice(match (odd, vr) {
            (false, _) => &[],
            (true, VR::UI | VR::OB | VR::UN) => &[0],
            (true, _) => b" ",
        });
    }

    /// Adds a text of the default repertoire.
    pub fn text(&mut self, tag: Tag, vr: VR, value: &str) {
        self.value(tag, vr, value.as_bytes());
    }

    /// Adds a number of 16 bits.
    pub fn number(&mut self, tag: Tag, value: u16) {
        self.value(tag, VR::US, &value.to_le_bytes());
    }

    /// Adds a sequence; sequence and items have defined lengths.
    pub fn sequence(&mut self, tag: Tag, items: impl IntoIterator<Item = Elements>) {
        let mut value = Vec::new();
        for item in items {
            value.extend_from_slice(&[0xFE, 0xFF, 0x00, 0xE0]);
            value.extend_from_slice(&(item.out.len() as u32).to_le_bytes());
            value.extend_from_slice(&item.out);
        }
        self.value(tag, VR::SQ, &value);
    }

    /// The bytes.
    pub fn into_bytes(self) -> Vec<u8> {
        self.out
    }
}

/// Whether the length of this VR takes four bytes, after two reserved ones (PS3.5 Table 7.1-1).
fn has_long_length(vr: VR) -> bool {
    use VR::*;
    matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
}
