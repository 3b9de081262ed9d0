//! The three ways an element is encoded (PS3.5 §7.1, Annex A), and how to tell which is used.

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;

/// Implicit VR Little Endian (PS3.5 §A.1).
pub const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
/// Explicit VR Little Endian (PS3.5 §A.2).
pub const EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1";
/// Deflated Explicit VR Little Endian (PS3.5 §A.5).
pub const DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2.1.99";

/// How the elements of a Data Set are encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Encoding {
    /// Implicit VR Little Endian (PS3.5 §A.1).
    ImplicitLittle,
    /// Explicit VR Little Endian (PS3.5 §A.2), also of every encapsulated and deflated syntax.
    ExplicitLittle,
    /// Explicit VR Big Endian (PS3.5 §A.3, retired).
    ExplicitBig,
}

impl Encoding {
    /// The encoding a transfer syntax prescribes.
    pub fn of(transfer_syntax_uid: &str) -> Encoding {
        match transfer_syntax_uid {
            // The second is Papyrus 3, which is implicit too.
            IMPLICIT_VR_LITTLE_ENDIAN | "1.2.840.10008.1.20" => Encoding::ImplicitLittle,
            "1.2.840.10008.1.2.2" => Encoding::ExplicitBig,
            _ => Encoding::ExplicitLittle,
        }
    }

    /// The uncompressed transfer syntax of this encoding.
    pub fn transfer_syntax_uid(self) -> &'static str {
        match self {
            Encoding::ImplicitLittle => IMPLICIT_VR_LITTLE_ENDIAN,
            Encoding::ExplicitLittle => EXPLICIT_VR_LITTLE_ENDIAN,
            Encoding::ExplicitBig => "1.2.840.10008.1.2.2",
        }
    }

    pub(super) fn is_big(self) -> bool {
        self == Encoding::ExplicitBig
    }

    pub(super) fn u16(self, bytes: &[u8], at: usize) -> Option<u16> {
        let two: [u8; 2] = bytes.get(at..at.checked_add(2)?)?.try_into().ok()?;
        Some(if self.is_big() { u16::from_be_bytes(two) } else { u16::from_le_bytes(two) })
    }

    pub(super) fn u32(self, bytes: &[u8], at: usize) -> Option<u32> {
        let four: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if self.is_big() { u32::from_be_bytes(four) } else { u32::from_le_bytes(four) })
    }

    pub(super) fn tag(self, bytes: &[u8]) -> Option<Tag> {
        Some(Tag(self.u16(bytes, 0)?, self.u16(bytes, 2)?))
    }
}

/// Which encoding the first element of a Data Set shows; `None` where it is no element at all.
///
/// A Data Set begins with a low group (0002 to 0029 in practice). `bytes_left` bounds an implicit length.
pub(super) fn sniff(bytes: &[u8], bytes_left: u64) -> Option<Encoding> {
    let low = |group: u16| (0x0002..=0x0029).contains(&group);
    let vr = bytes.get(4..6).and_then(|vr| VR::from_binary([*vr.first()?, *vr.get(1)?]));
    let (little, big) = (Encoding::ExplicitLittle.u16(bytes, 0)?, Encoding::ExplicitBig.u16(bytes, 0)?);
    if vr.is_some() && low(little) {
        return Some(Encoding::ExplicitLittle);
    }
    if vr.is_some() && low(big) {
        return Some(Encoding::ExplicitBig);
    }
    let length = Encoding::ImplicitLittle.u32(bytes, 4)?;
    let fits = length == u32::MAX || u64::from(length) <= bytes_left;
    (low(little) && little.is_multiple_of(2) && fits).then_some(Encoding::ImplicitLittle)
}

/// The VR of the dictionary (PS3.6 §6); `signed` is Pixel Representation, which chooses between US and SS.
/// Private and unknown elements are UN.
pub(super) fn dictionary_vr(tag: Tag, signed: bool) -> VR {
    // The dictionary has repeating groups (50xx, 60xx, 7Fxx), of which odd ones are private all the same.
    if !tag.0.is_multiple_of(2) && tag.1 != 0 {
        return if (0x0010..=0x00FF).contains(&tag.1) { VR::LO } else { VR::UN };
    }
    match StandardDataDictionary.by_tag(tag).map(|entry| entry.vr()) {
        Some(VirtualVr::Exact(vr)) => vr,
        Some(VirtualVr::Xs) if signed => VR::SS,
        Some(other) => other.relaxed(),
        None => VR::UN,
    }
}

/// Whether the length of this VR takes four bytes, after two reserved ones (PS3.5 Table 7.1-1).
pub(super) fn has_long_length(vr: VR) -> bool {
    use VR::*;
    matches!(vr, OB | OD | OF | OL | OV | OW | SQ | SV | UC | UN | UR | UT | UV)
}

/// Whether values of this VR are text, which is always kept.
pub fn is_text(vr: VR) -> bool {
    use VR::*;
    matches!(vr, AE | AS | CS | DA | DS | DT | IS | LO | LT | PN | SH | ST | TM | UC | UI | UR | UT)
}

/// Bytes that are swapped together in big-endian values of this VR (PS3.5 §7.3).
pub(super) fn word_bytes(vr: VR) -> usize {
    use VR::*;
    match vr {
        AT | OW | SS | US => 2,
        FL | OF | OL | SL | UL => 4,
        FD | OD | OV | SV | UV => 8,
        _ => 1,
    }
}
