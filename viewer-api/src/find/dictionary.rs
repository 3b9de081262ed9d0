//! What attributes are called, of what Value Representation they are, and of what level (PS3.6, PS3.3).

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_core::{Tag, VR};
use dicom_dictionary_std::StandardDataDictionary;
use transcode::data_set::dictionary::tag_of_hex;
pub(crate) use transcode::data_set::dictionary::{hex, keyword_of, private_creator_of};

use super::Level;

/// Attributes of the patient (PS3.3 C.7.1.1, PS3.4 Table C.6-1).
const PATIENT: &[u32] = &[
    0x0010_0010,
    0x0010_0020,
    0x0010_0021,
    0x0010_0022,
    0x0010_0024,
    0x0010_0026,
    0x0010_0027,
    0x0010_0028,
    0x0010_0030,
    0x0010_0032,
    0x0010_0033,
    0x0010_0034,
    0x0010_0035,
    0x0010_0040,
    0x0010_0101,
    0x0010_1000,
    0x0010_1001,
    0x0010_1002,
    0x0010_2160,
    0x0010_2201,
    0x0010_2202,
    0x0010_2292,
    0x0010_4000,
    0x0020_1200,
    0x0020_1202,
    0x0020_1204,
];

/// Attributes of a series and of the equipment that made it (PS3.3 C.7.3.1, C.7.5.1; PS3.4 Table C.6-3).
const SERIES: &[u32] = &[
    0x0008_0021,
    0x0008_0031,
    0x0008_0060,
    0x0008_0070,
    0x0008_1010,
    0x0008_103E,
    0x0008_103F,
    0x0008_1050,
    0x0008_1052,
    0x0008_1070,
    0x0008_1072,
    0x0008_1090,
    0x0008_1111,
    0x0008_1250,
    0x0018_0015,
    0x0018_1000,
    0x0018_1020,
    0x0018_1030,
    0x0018_1050,
    0x0018_1200,
    0x0018_1201,
    0x0018_5100,
    0x0020_000E,
    0x0020_0011,
    0x0020_0052,
    0x0020_0060,
    0x0020_1040,
    0x0020_1209,
    0x0028_0108,
    0x0028_0109,
    0x0040_0244,
    0x0040_0245,
    0x0040_0250,
    0x0040_0251,
    0x0040_0253,
    0x0040_0254,
    0x0040_0260,
    0x0040_0275,
    0x0040_0280,
];

/// Attributes of an instance outside the groups that are wholly of instances (PS3.3 C.12.1, C.7.6.1; C.17 for reports).
const INSTANCE: &[u32] = &[
    0x0008_0008,
    0x0008_0012,
    0x0008_0013,
    0x0008_0014,
    0x0008_0016,
    0x0008_0018,
    0x0008_001A,
    0x0008_0022,
    0x0008_0023,
    0x0008_002A,
    0x0008_0032,
    0x0008_0033,
    0x0008_0064,
    0x0008_1140,
    0x0008_2111,
    0x0008_2112,
    0x0008_3001,
    0x0008_9007,
    0x0020_0012,
    0x0020_0013,
    0x0020_0020,
    0x0020_0032,
    0x0020_0037,
    0x0020_0062,
    0x0020_1002,
    0x0020_1041,
    0x0020_4000,
    0x0040_A040,
    0x0040_A043,
    0x0040_A491,
    0x0040_A492,
    0x0040_A493,
    0x0040_A730,
    0x0040_0555,
    0x0040_9096,
];

/// Groups of attributes that are of instances but for those named above.
const INSTANCE_GROUPS: &[u16] = &[
    0x0018, 0x0022, 0x0024, 0x0028, 0x0042, 0x0046, 0x0048, 0x0052, 0x0054, 0x0062, 0x0066, 0x0068, 0x0070, 0x5200,
    0x7FE0,
];

/// Of which level an attribute is. What is not known to be of a series or an instance is taken to be of the study: a
/// key of a search for any of the three.
pub fn level_of(tag: u32) -> Level {
    let group = (tag >> 16) as u16;
    let is_wave_or_overlay = matches!(group, 0x5000..=0x501E | 0x5400 | 0x6000..=0x601E);
    match tag {
        tag if PATIENT.binary_search(&tag).is_ok() => Level::Patient,
        tag if SERIES.binary_search(&tag).is_ok() => Level::Series,
        tag if INSTANCE.contains(&tag) || INSTANCE_GROUPS.contains(&group) || is_wave_or_overlay => Level::Instance,
        _ => Level::Study,
    }
}

/// Value Representation by the dictionary; `None` for what it does not have.
pub(crate) fn vr_of(tag: u32) -> Option<VR> {
    let entry = StandardDataDictionary.by_tag(Tag((tag >> 16) as u16, tag as u16))?;
    Some(match entry.vr() {
        VirtualVr::Exact(vr) => vr,
        VirtualVr::Xs | VirtualVr::Lt => VR::US,
        _ => VR::OW,
    })
}

/// The tag of eight hexadecimal digits or of a keyword.
pub(crate) fn tag_of(name: &str) -> Option<u32> {
    let tag = tag_of_hex(name).or_else(|| Some(StandardDataDictionary.by_name(name)?.tag()))?;
    Some(u32::from(tag.group()) << 16 | u32::from(tag.element()))
}

/// The name of a path for sentences: keywords, else tags, with points between.
pub(crate) fn path_name(path: &[u32]) -> String {
    let names = path.iter().map(|tag| keyword_of(*tag).map_or_else(|| hex(*tag), str::to_owned));
    names.collect::<Vec<_>>().join(".")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that the tables can be searched, and says of some attributes what they are.
    #[test]
    fn attributes_have_a_level_a_representation_and_a_name() {
        assert!(PATIENT.is_sorted() && SERIES.is_sorted());
        for (name, level, vr) in [
            ("PatientName", Level::Patient, VR::PN),
            ("StudyDate", Level::Study, VR::DA),
            ("InstitutionName", Level::Study, VR::LO),
            ("Modality", Level::Series, VR::CS),
            ("RequestAttributesSequence", Level::Series, VR::SQ),
            ("Rows", Level::Instance, VR::US),
            ("KVP", Level::Instance, VR::DS),
            ("SOPInstanceUID", Level::Instance, VR::UI),
        ] {
            let tag = tag_of(name).unwrap();
            assert_eq!((level_of(tag), vr_of(tag), keyword_of(tag)), (level, Some(vr), Some(name)));
            assert_eq!(tag_of(&hex(tag).to_lowercase()), Some(tag));
        }
        assert_eq!(path_name(&[0x0040_0275, 0x0040_0009]), "RequestAttributesSequence.ScheduledProcedureStepID");
        assert_eq!(path_name(&[0x0009_1001]), "00091001");
        assert_eq!(tag_of("NoSuchKeyword"), None);
    }
}
