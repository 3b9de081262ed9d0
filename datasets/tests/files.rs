//! Proves that a parser not of this crate reads what it writes, and that a seed says everything.

use std::collections::BTreeSet;

use datasets::{File, Kind, Profile, Scale, Study, broken, demo, night, write_night};
use dicom_object::{DefaultDicomObject, Tag};

fn read(file: &File) -> DefaultDicomObject {
    dicom_object::from_reader(file.bytes.as_slice()).unwrap_or_else(|error| panic!("{}: {error}", file.path))
}

fn text(object: &DefaultDicomObject, group: u16, element: u16) -> String {
    let value = object.element(Tag(group, element)).map(|e| e.to_str().map(|s| s.into_owned()).unwrap_or_default());
    value.unwrap_or_default().trim_end_matches(['\0', ' ']).to_owned()
}

/// Bytes of native Pixel Data that Rows, Columns and the rest promise.
fn promised(object: &DefaultDicomObject) -> usize {
    let number = |group, element| object.element(Tag(group, element)).ok().and_then(|e| e.to_int::<usize>().ok());
    let frames = number(0x0028, 0x0008).unwrap_or(1);
    let of = |element| number(0x0028, element).unwrap_or(0);
    frames * of(0x0010) * of(0x0011) * of(0x0002) * of(0x0100) / 8
}

#[test]
fn every_file_of_every_kind_is_read_and_says_what_its_study_says() {
    let native = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"];
    let mut syntaxes = BTreeSet::new();
    for (kind, seed) in Kind::ALL.into_iter().flat_map(|kind| (0..24).map(move |seed| (kind, seed))) {
        let study = Study::new(kind, seed, Scale::Small, 1);
        let mut instances = BTreeSet::new();
        for file in study.files() {
            let object = read(&file);
            assert_eq!(text(&object, 0x0020, 0x000D), study.study_instance_uid, "{}", file.path);
            assert_eq!(text(&object, 0x0010, 0x0020), study.patient.patient_id, "{}", file.path);
            assert_eq!(text(&object, 0x0008, 0x0018), file.sop_instance_uid, "{}", file.path);
            assert!(instances.insert(file.sop_instance_uid.clone()), "{kind:?}: {} twice", file.sop_instance_uid);
            let syntax = object.meta().transfer_syntax().to_owned();
            if let (Ok(pixels), true) = (object.element(Tag(0x7FE0, 0x0010)), native.contains(&syntax.as_str())) {
                let length = pixels.to_bytes().expect("native pixels are bytes").len();
                assert_eq!(length, promised(&object).next_multiple_of(2), "{} {kind:?} {seed}", file.path);
            }
            syntaxes.insert(syntax);
        }
        assert_eq!(instances.len(), study.file_count(), "{kind:?}");
    }
    // Both little endians, big endian, JPEG Baseline, JPEG Lossless, RLE.
    assert_eq!(syntaxes.len(), 6, "{syntaxes:?}");
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_other_people() {
    let bytes =
        |seed| night(12, seed, Scale::Small).flat_map(|study| study.files().collect::<Vec<_>>()).collect::<Vec<_>>();
    assert!(bytes(5) == bytes(5), "seed 5 twice");
    let uids = |seed| night(12, seed, Scale::Small).map(|study| study.study_instance_uid).collect::<BTreeSet<_>>();
    assert_eq!(uids(5).len(), 12);
    assert!(uids(5).is_disjoint(&uids(6)));
}

#[test]
fn uids_are_legal_and_of_the_2_25_root() {
    for study in night(200, 11, Scale::Small) {
        let uid = &study.study_instance_uid;
        let number = uid.strip_prefix("2.25.").expect("under 2.25");
        assert!(uid.len() <= 64 && number.parse::<u128>().is_ok() && !number.starts_with('0'), "{uid}");
    }
}

#[test]
fn a_night_has_the_shares_of_the_profiles_and_visits_of_several_studies() {
    let studies: Vec<_> = night(4_000, 3, Scale::Small).collect();
    let share = |kind| studies.iter().filter(|study| study.kind == kind).count() as f64 / 40.0;
    for (kind, expected) in [(Kind::Chest, 37.6), (Kind::AbdominalUltrasound, 15.8), (Kind::Barium, 11.9)] {
        assert!((share(kind) - expected).abs() < 2.5, "{kind:?} {}", share(kind));
    }
    let people: BTreeSet<_> = studies.iter().map(|study| &study.patient.patient_id).collect();
    assert!((1_200..2_800).contains(&people.len()), "{} people", people.len());
    assert!(studies.iter().all(|s| s.kind != Kind::Mammography || s.patient.sex == "F"));
}

#[test]
fn a_demonstration_has_every_kind_and_fifteen_studies() {
    let studies = demo(1);
    let kinds: BTreeSet<_> = studies.iter().map(|study| study.kind).collect();
    assert_eq!((kinds.len(), studies.len()), (Kind::ALL.len(), 15));
}

#[test]
fn broken_files_say_how_and_the_folder_says_so_in_its_manifest() {
    let files = broken(9);
    assert!(files.iter().all(|file| file.broken.is_some()));
    // dicom-object 0.10 recurses into sequences and overflows its stack on that one.
    let shallow = || files.iter().filter(|file| file.broken != Some("deeply nested sequences"));
    let unread = shallow().filter(|file| dicom_object::from_reader(file.bytes.as_slice()).is_err()).count();
    assert!(unread >= 6, "only {unread} of {} are refused by a parser", files.len());

    let folder = tempfile::tempdir().expect("a folder");
    let mut seen = 0;
    let summary = write_night(folder.path(), Profile::NightSmall, 6, 9, &mut |_| seen += 1).expect("written");
    assert_eq!(summary.files, seen);
    assert!(summary.broken >= 1);
    let manifest = std::fs::read_to_string(folder.path().join("manifest.json")).expect("a manifest");
    assert_eq!(manifest.matches("\"sha256\"").count() as u64, summary.files);
    assert!(manifest.contains("\"broken\":\"truncated pixel data\""));
}
