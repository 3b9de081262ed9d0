//! What the header says of frames that were decoded and coded again.

use std::collections::BTreeMap;

use super::pixels::Pixels;
use crate::data_set::{Part10, Tag, VR};

const LOSSY_IMAGE_COMPRESSION: Tag = Tag(0x0028, 0x2110);
const LOSSY_IMAGE_COMPRESSION_METHOD: Tag = Tag(0x0028, 0x2114);

/// Elements that are replaced or added, their values little-endian.
pub(super) type Elements = BTreeMap<Tag, (VR, Vec<u8>)>;

/// Where what the pixels become is not what the Data Set says of them (PS3.3 C.7.6.3).
pub(super) fn elements(part10: &Part10, pixels: &Pixels) -> Elements {
    let (source, becomes) = (&pixels.source, &pixels.becomes);
    let mut elements = Elements::new();
    let numbers = [
        (0x0002, source.samples_per_pixel, becomes.samples_per_pixel),
        (0x0006, source.planar_configuration, becomes.planar_configuration),
        (0x0100, source.bits_allocated, becomes.bits_allocated),
        (0x0101, source.bits_stored, becomes.bits_stored),
        (0x0102, source.high_bit, becomes.high_bit),
        (0x0103, source.pixel_representation, becomes.pixel_representation),
    ];
    for (element, was, is) in numbers {
        if was != is {
            elements.insert(Tag(0x0028, element), (VR::US, is.to_le_bytes().to_vec()));
        }
    }
    if source.photometric_interpretation != becomes.photometric_interpretation {
        let text = becomes.photometric_interpretation.clone().into_bytes();
        elements.insert(Tag(0x0028, 0x0004), (VR::CS, text));
    }
    // Required of more than one sample a pixel (C.7.6.3.1.3), also where the source left it out.
    let planar = Tag(0x0028, 0x0006);
    if becomes.samples_per_pixel > 1 && part10.data_set.int(planar).is_none() {
        elements.insert(planar, (VR::US, becomes.planar_configuration.to_le_bytes().to_vec()));
    }
    if pixels.lossy {
        said_lossy(part10, &mut elements);
    }
    elements
}

/// C.7.6.1.1.5: what was compressed with loss says so for ever; a source that forgot is helped out, since from now on no
/// transfer syntax will tell.
fn said_lossy(part10: &Part10, elements: &mut Elements) {
    if part10.data_set.ascii(LOSSY_IMAGE_COMPRESSION) != Some("01") {
        elements.insert(LOSSY_IMAGE_COMPRESSION, (VR::CS, b"01".to_vec()));
    }
    let method = match part10.transfer_syntax_uid.trim_end_matches(['\0', ' ']).rsplit('.').next() {
        Some("81") => "ISO_14495_1",
        Some("91") => "ISO_15444_1",
        Some("203") => "ISO_15444_15",
        _ => "ISO_10918_1",
    };
    if part10.data_set.ascii(LOSSY_IMAGE_COMPRESSION_METHOD).is_none() {
        elements.insert(LOSSY_IMAGE_COMPRESSION_METHOD, (VR::CS, method.as_bytes().to_vec()));
    }
}
