//! Files that are broken on purpose, each in one way that has a name.

use crate::noise::mix;
use crate::study::{File, Kind, Scale, Study};
use crate::tags::{self, Tag};
use crate::writer::{DataSet, Layout, TransferSyntax, Value};

/// Sequences within sequences in the deeply nested file.
const NESTING: usize = 5_000;

/// What a way to break a file makes of a whole one.
type Break = fn(&Model) -> Vec<u8>;

/// A small whole CT to break: its Data Set, and as a file.
struct Model {
    set: DataSet,
    whole: Vec<u8>,
}

/// Every way, by its label.
const WAYS: [(&str, Break); 20] = [
    ("truncated pixel data", |model| model.whole[..model.whole.len() - 700].to_vec()),
    ("truncated in the header", |model| model.whole[..400].to_vec()),
    ("no preamble and no file meta information", |model| {
        model.set.to_bytes(TransferSyntax::ExplicitLittle, Layout::default())
    }),
    ("not DICOM: text", |_| b"Results of tonight's batch are in the other folder.\n".repeat(20)),
    ("not DICOM: a PNG image", |_| b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\0\0\0\0".to_vec()),
    ("empty file", |_| Vec::new()),
    ("only a preamble", |model| model.whole[..132].to_vec()),
    ("no SOP Instance UID", |model| {
        edited(model, |set| {
            set.remove(tags::SOP_INSTANCE_UID);
        })
    }),
    ("no Study Instance UID", |model| {
        edited(model, |set| {
            set.remove(tags::STUDY_INSTANCE_UID);
        })
    }),
    ("UID with letters", |model| {
        edited(model, |set| {
            set.text(tags::SOP_INSTANCE_UID, "1.2.abc.7");
        })
    }),
    ("UID longer than 64 characters", |model| {
        edited(model, |set| {
            set.text(tags::SOP_INSTANCE_UID, format!("2.25.{}", "1".repeat(70)));
        })
    }),
    ("element longer than the file", |model| with_length(model, tags::PATIENT_ID, 0xFFF0)),
    ("odd element length", |model| with_length(model, tags::PATIENT_ID, 7)),
    ("pixel data shorter than rows x columns", |model| {
        edited(model, |set| {
            set.short(tags::ROWS, &[4096]).short(tags::COLUMNS, &[4096]);
        })
    }),
    ("rows is zero", |model| {
        edited(model, |set| {
            set.short(tags::ROWS, &[0]);
        })
    }),
    ("65535 x 65535 pixels in a small file", |model| {
        edited(model, |set| {
            set.short(tags::ROWS, &[65535]).short(tags::COLUMNS, &[65535]);
        })
    }),
    ("bits stored above bits allocated", |model| {
        edited(model, |set| {
            set.short(tags::BITS_STORED, &[24]);
        })
    }),
    ("deeply nested sequences", |model| {
        let mut bytes = edited(model, |set| {
            set.remove(tags::PIXEL_DATA);
        });
        bytes.extend_from_slice(&nested());
        bytes
    }),
    ("transfer syntax says JPEG, pixels are native", |model| {
        let wrong = TransferSyntax::JpegBaseline;
        model.set.to_file(wrong, Layout::default())
    }),
    ("transfer syntax UID unknown", |model| {
        let syntax = b"1.2.840.10008.1.2.1\0";
        let mut bytes = model.whole.clone();
        if let Some(at) = bytes.windows(syntax.len()).position(|window| window == syntax) {
            bytes[at..at + syntax.len()].copy_from_slice(b"1.2.840.10008.1.9.9\0");
        }
        bytes
    }),
];

/// One file of each way to be broken, `broken` saying which. Their other parts are those of whole files.
pub fn broken(seed: u64) -> Vec<File> {
    let file = |(index, (label, way)): (usize, &(&'static str, Break))| {
        let study = Study::new(Kind::ChestCt, mix(seed, 0x6272_6F6B + index as u64), Scale::Small, index);
        let (set, sop_instance_uid) = study.first_data_set();
        let whole = set.to_file(TransferSyntax::ExplicitLittle, Layout::default());
        let bytes = way(&Model { set, whole });
        let known = contains(&bytes, sop_instance_uid.as_bytes());
        File {
            path: format!("broken/{:02}.dcm", index + 1),
            sop_instance_uid: if known { sop_instance_uid } else { String::new() },
            bytes,
            broken: Some(*label),
        }
    };
    WAYS.iter().enumerate().map(file).collect()
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}

fn edited(model: &Model, edit: fn(&mut DataSet)) -> Vec<u8> {
    let mut set = model.set.clone();
    edit(&mut set);
    set.to_file(TransferSyntax::ExplicitLittle, Layout::default())
}

/// The file with another length written for a short element (PS3.5 §7.1.2: at byte 6 of the element).
fn with_length(model: &Model, tag: Tag, length: u16) -> Vec<u8> {
    let mut bytes = model.whole.clone();
    let mut head = [(tag.number >> 16) as u16, tag.number as u16].map(u16::to_le_bytes).concat();
    head.extend_from_slice(&tag.vr);
    if let Some(at) = bytes.windows(6).position(|window| window == head) {
        bytes[at + 6..at + 8].copy_from_slice(&length.to_le_bytes());
    }
    bytes
}

/// Sequences of undefined length opened and never closed, in a private group.
fn nested() -> Vec<u8> {
    let mut one = DataSet::new(crate::names::Charset::Ascii);
    one.put(Tag { number: 0x7FE1_1001, vr: *b"SQ" }, Value::Items(Vec::new()));
    let layout = Layout { undefined_lengths: true, ..Layout::default() };
    let sequence = one.to_bytes(TransferSyntax::ExplicitLittle, layout);
    let mut open = sequence[..12].to_vec();
    open.extend_from_slice(&[0xFE, 0xFF, 0x00, 0xE0, 0xFF, 0xFF, 0xFF, 0xFF]);
    open.repeat(NESTING)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_changes_the_file_and_has_its_own_label() {
        let files = broken(1);
        for (index, file) in files.iter().enumerate() {
            assert!(files[..index].iter().all(|other| other.broken != file.broken), "{:?}", file.broken);
            let study = Study::new(Kind::ChestCt, mix(1, 0x6272_6F6B + index as u64), Scale::Small, index);
            let whole = study.first_data_set().0.to_file(TransferSyntax::ExplicitLittle, Layout::default());
            assert_ne!(file.bytes, whole, "{:?}", file.broken);
        }
    }
}
