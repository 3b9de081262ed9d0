//! What the header of a derivative says differently from its source's (PS3.3 C.7.6.1.1; docs/derivatives.md has the table).

use super::Measured;
use crate::codec::lossy;
use crate::data_set::{DataSet, Item, Tag, VR};

const SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x0018);
const SOP_CLASS_UID: Tag = Tag(0x0008, 0x0016);
const IMAGE_TYPE: Tag = Tag(0x0008, 0x0008);
const DERIVATION_DESCRIPTION: Tag = Tag(0x0008, 0x2111);
const SOURCE_IMAGE_SEQUENCE: Tag = Tag(0x0008, 0x2112);
const DERIVATION_CODE_SEQUENCE: Tag = Tag(0x0008, 0x9215);
const SERIES_INSTANCE_UID: Tag = Tag(0x0020, 0x000E);
const LOSSY_IMAGE_COMPRESSION: Tag = Tag(0x0028, 0x2110);
const LOSSY_IMAGE_COMPRESSION_RATIO: Tag = Tag(0x0028, 0x2112);
const LOSSY_IMAGE_COMPRESSION_METHOD: Tag = Tag(0x0028, 0x2114);
/// The longest value of ST (PS3.5 Table 6.2-1).
const SHORT_TEXT_BYTES_MAX: usize = 1024;

/// True of the source's pixels and no longer of these: smallest and largest values, padding, the icon, signatures.
pub(super) const STALE: [Tag; 11] = [
    Tag(0x0028, 0x0106),
    Tag(0x0028, 0x0107),
    Tag(0x0028, 0x0108),
    Tag(0x0028, 0x0109),
    Tag(0x0028, 0x0110),
    Tag(0x0028, 0x0111),
    Tag(0x0028, 0x0120),
    Tag(0x0028, 0x0121),
    Tag(0x0088, 0x0200),
    Tag(0x4FFE, 0x0001),
    Tag(0xFFFA, 0xFFFA),
];

/// What is to be said.
pub(super) struct Said<'a> {
    pub sop_instance_uid: &'a str,
    pub series_instance_uid: &'a str,
    pub profile: &'a str,
    pub measured: &'a Measured,
    pub masked: bool,
    pub colour: bool,
}

/// Makes the header of a source that of its derivative, but for the transfer syntax and the offset tables.
pub(super) fn edit(data_set: &mut DataSet, said: &Said) {
    let lossy_before = data_set.ascii(LOSSY_IMAGE_COMPRESSION) == Some("01");
    let predecessor = source_image(data_set, lossy_before);
    let image_type = image_type(data_set.bytes(IMAGE_TYPE));
    let ratio = appended(data_set.bytes(LOSSY_IMAGE_COMPRESSION_RATIO), "\\", &decimal(said.measured.ratio));
    let method = appended(data_set.bytes(LOSSY_IMAGE_COMPRESSION_METHOD), "\\", lossy::METHOD);
    let description = description(said);
    let described = appended(data_set.bytes(DERIVATION_DESCRIPTION), "; ", &description);
    let described = if described.len() > SHORT_TEXT_BYTES_MAX { description.into_bytes() } else { described };
    let mut codes = data_set.items(DERIVATION_CODE_SEQUENCE).to_vec();
    codes.push(code("113040", "Lossy Compression"));

    data_set.set(SOP_INSTANCE_UID, VR::UI, said.sop_instance_uid);
    data_set.set(SERIES_INSTANCE_UID, VR::UI, said.series_instance_uid);
    data_set.set(IMAGE_TYPE, VR::CS, image_type);
    data_set.set(DERIVATION_DESCRIPTION, VR::ST, described);
    data_set.set_items(DERIVATION_CODE_SEQUENCE, codes);
    data_set.set_items(SOURCE_IMAGE_SEQUENCE, vec![predecessor]);
    data_set.set(LOSSY_IMAGE_COMPRESSION, VR::CS, "01");
    data_set.set(LOSSY_IMAGE_COMPRESSION_RATIO, VR::DS, ratio);
    data_set.set(LOSSY_IMAGE_COMPRESSION_METHOD, VR::CS, method);
    if said.colour {
        // PS3.5 §8.2.4: the irreversible colour transform is named, the decoder undoes it.
        data_set.set(Tag(0x0028, 0x0004), VR::CS, "YBR_ICT");
        data_set.set(Tag(0x0028, 0x0006), VR::US, [0, 0]);
    }
    data_set.remove(&STALE);
}

/// Value 1 says that pixel values were derived; value 2 and all others stay (C.7.6.1.1.2). A source without it is taken
/// for an original.
fn image_type(source: Option<&[u8]>) -> Vec<u8> {
    let source = source.map(|bytes| bytes.trim_ascii()).filter(|bytes| !bytes.is_empty());
    let rest = source.map_or(Some(&b"PRIMARY"[..]), |bytes| {
        bytes.iter().position(|byte| *byte == b'\\').map(|first| &bytes[first + 1..])
    });
    [b"DERIVED\\", rest.unwrap_or(b"PRIMARY")].concat()
}

/// The value behind those that are there: steps in the order they were taken.
fn appended(source: Option<&[u8]>, between: &str, value: &str) -> Vec<u8> {
    let pad = |byte: &u8| *byte == b' ' || *byte == 0;
    let source = source.unwrap_or_default();
    let length = source.iter().rposition(|byte| !pad(byte)).map_or(0, |last| last + 1);
    match source.get(..length) {
        Some(before) if !before.is_empty() => [before, between.as_bytes(), value.as_bytes()].concat(),
        _ => value.as_bytes().to_vec(),
    }
}

/// C.7.6.1.1.5.2: 30:1 is written 30.
fn decimal(ratio: f64) -> String {
    let text = format!("{ratio:.1}");
    text.strip_suffix(".0").map(str::to_owned).unwrap_or(text)
}

fn description(said: &Said) -> String {
    let Measured { largest_error, psnr_db, ratio } = said.measured;
    let psnr = psnr_db.map_or_else(|| "nothing lost".into(), |decibels| format!("PSNR {decibels:.1} dB"));
    let padding = if said.masked { ", padding replaced" } else { "" };
    format!(
        "{}, {}:1, profile {}, largest error {largest_error}, {psnr}{padding}",
        lossy::DESCRIPTION,
        decimal(*ratio),
        said.profile
    )
}

/// C.7.6.1.1.4, CID 7202.
fn source_image(data_set: &DataSet, lossy_before: bool) -> Item {
    let uid = |tag| data_set.uid(tag).unwrap_or_default().to_owned();
    let mut item = Item::of(&[
        (Tag(0x0008, 0x1150), VR::UI, &uid(SOP_CLASS_UID)),
        (Tag(0x0008, 0x1155), VR::UI, &uid(SOP_INSTANCE_UID)),
    ]);
    let purpose = match lossy_before {
        true => code("121330", "Lossy compressed predecessor"),
        false => code("121320", "Uncompressed predecessor"),
    };
    item.data_set.set_items(Tag(0x0040, 0xA170), vec![purpose]);
    item
}

/// A code of DICOM's own scheme (PS3.16 Annex D).
fn code(value: &str, meaning: &str) -> Item {
    Item::of(&[
        (Tag(0x0008, 0x0100), VR::SH, value),
        (Tag(0x0008, 0x0102), VR::SH, "DCM"),
        (Tag(0x0008, 0x0104), VR::LO, meaning),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_of_steps_before_stay_in_front_and_the_predecessor_is_named_for_what_it_is() {
        // Proves that the chain of a source that was lossy already would be kept in order.
        let mut data_set = DataSet::default();
        data_set.set(IMAGE_TYPE, VR::CS, "ORIGINAL\\SECONDARY\\AXIAL ");
        data_set.set(LOSSY_IMAGE_COMPRESSION, VR::CS, "01");
        data_set.set(LOSSY_IMAGE_COMPRESSION_RATIO, VR::DS, "12 ");
        data_set.set(LOSSY_IMAGE_COMPRESSION_METHOD, VR::CS, "ISO_10918_1 ");
        data_set.set(DERIVATION_DESCRIPTION, VR::ST, "Rotated");
        data_set.set_items(DERIVATION_CODE_SEQUENCE, vec![code("113085", "Spatial resampling")]);
        let measured = Measured { largest_error: 3, psnr_db: Some(51.26), ratio: 30.04 };
        let (sop_instance_uid, series_instance_uid) = ("1.2", "1.3");
        let profile = "x-1";
        edit(
            &mut data_set,
            &Said { sop_instance_uid, series_instance_uid, profile, measured: &measured, masked: true, colour: false },
        );
        let text = |tag| data_set.ascii(tag).unwrap().to_owned();
        assert_eq!(text(IMAGE_TYPE), "DERIVED\\SECONDARY\\AXIAL");
        assert_eq!(text(LOSSY_IMAGE_COMPRESSION_RATIO), "12\\30");
        assert_eq!(text(LOSSY_IMAGE_COMPRESSION_METHOD), format!("ISO_10918_1\\{}", lossy::METHOD));
        let expected = "30:1, profile x-1, largest error 3, PSNR 51.3 dB, padding replaced";
        assert_eq!(text(DERIVATION_DESCRIPTION), format!("Rotated; {}, {expected}", lossy::DESCRIPTION));
        assert_eq!(data_set.items(DERIVATION_CODE_SEQUENCE).len(), 2);
        let predecessor = &data_set.items(SOURCE_IMAGE_SEQUENCE)[0].data_set;
        assert_eq!(predecessor.items(Tag(0x0040, 0xA170))[0].data_set.ascii(Tag(0x0008, 0x0100)), Some("121330"));
    }

    #[test]
    fn an_image_type_that_is_missing_or_short_is_made_whole() {
        assert_eq!(image_type(None), b"DERIVED\\PRIMARY");
        assert_eq!(image_type(Some(b"ORIGINAL")), b"DERIVED\\PRIMARY");
        assert_eq!(image_type(Some(b"ORIGINAL\\PRIMARY\\\\X ")), b"DERIVED\\PRIMARY\\\\X");
    }
}
