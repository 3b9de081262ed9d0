//! Headers compared with their source's, bytes and UIDs made twice, losses measured, and every refusal.

use std::collections::BTreeMap;
use std::io::Cursor;

use datasets::{Kind, Scale, Study};

use super::*;
use crate::data_set::rewrite::{self, Changes};
use crate::data_set::{self, DataSet, Element, Part10, VR, Value};
use crate::viewing_copy;

/// Everything small gets one, whatever it saves.
fn policy() -> Policy {
    let text = Policy::built_in().replace("524_288", "0").replace("saves_percent_min = 30", "saves_percent_min = 0");
    Policy::read(&text).unwrap()
}

fn make_it(file: &[u8]) -> Result<Derivative, NotMade> {
    make(file, &policy(), &Limits::default())
}

fn scan(file: &[u8]) -> Part10 {
    data_set::scan(&mut Cursor::new(file), &Limits::default()).unwrap()
}

/// The first generated file of a kind whose header is as wanted.
fn generated(kind: Kind, wanted: impl Fn(&Part10) -> bool) -> Vec<u8> {
    let studies = (1..30).map(|seed| Study::new(kind, seed, Scale::Small, 0));
    let mut files = studies.flat_map(|study| study.files().map(|file| file.bytes).collect::<Vec<_>>());
    files.find(|file| wanted(&scan(file))).expect("some study has such a file")
}

fn is_native(part10: &Part10) -> bool {
    !part10.transfer_syntax_uid.starts_with("1.2.840.10008.1.2.4") && !part10.deflated
}

fn ct() -> Vec<u8> {
    generated(Kind::ChestCt, |part10| is_native(part10) && part10.data_set.ascii(Tag(0x0008, 0x0060)) == Some("CT"))
}

fn colour() -> Vec<u8> {
    generated(Kind::AbdominalUltrasound, |part10| {
        is_native(part10) && part10.data_set.ascii(Tag(0x0028, 0x0004)) == Some("RGB")
    })
}

/// The same file with an edited header, explicit and little-endian.
fn edited(file: &[u8], edit: impl FnOnce(&mut DataSet)) -> Vec<u8> {
    let mut part10 = scan(file);
    let pixels = part10.data_set.get(Tag(0x7FE0, 0x0010)).unwrap().clone();
    let value = &file[pixels.value_offset as usize..][..pixels.value_length as usize];
    edit(&mut part10.data_set);
    let changes =
        Changes { transfer_syntax_uid: "1.2.840.10008.1.2.1".into(), header_bytes_max: 1 << 26, ..Changes::default() };
    let header = rewrite::explicit_vr_le(&part10, &mut Cursor::new(file), &changes).unwrap();
    let length = (value.len() as u32).to_le_bytes();
    let head = [0xE0, 0x7F, 0x10, 0, b'O', b'W', 0, 0];
    [&header.before[..], &head, &length, value, &header.after].concat()
}

/// What the elements of the outermost Data Set hold, each as one comparable thing, places in the file left out.
fn contents(file: &[u8]) -> BTreeMap<Tag, String> {
    fn of(element: &Element) -> String {
        match &element.value {
            Value::Sequence(items) => {
                let items = items.iter().map(|item| item.data_set.elements.iter().map(|e| (e.tag, of(e))).collect());
                format!("{:?}", items.collect::<Vec<Vec<_>>>())
            }
            Value::Bytes(_) => format!("{:?}", element.little_endian().unwrap()),
            other => format!("{other:?}"),
        }
    }
    let part10 = scan(file);
    let kept = part10.data_set.elements.iter().filter(|e| e.tag.1 != 0 && e.tag.0 < 0x7FE0);
    kept.map(|element| (element.tag, of(element))).collect()
}

/// Tags that differ, and how: `+` new, `-` gone, `~` another value.
fn difference(source: &[u8], derivative: &[u8]) -> Vec<String> {
    let (before, after) = (contents(source), contents(derivative));
    let gone = before.keys().filter(|tag| !after.contains_key(tag)).map(|tag| (*tag, '-'));
    let others = after.iter().filter_map(|(tag, value)| match before.get(tag) {
        None => Some((*tag, '+')),
        Some(old) if old != value => Some((*tag, '~')),
        Some(_) => None,
    });
    let mut all: Vec<(Tag, char)> = gone.chain(others).collect();
    all.sort_unstable();
    all.into_iter().map(|(Tag(group, element), sign)| format!("{sign}{group:04X},{element:04X}")).collect()
}

#[test]
fn the_header_differs_from_its_sources_by_exactly_the_table() {
    // Proves domain/lossy-and-transfer-syntaxes.md §1, grey and colour: nothing else is new, gone or changed.
    let stale = |data_set: &mut DataSet| {
        data_set.set(Tag(0x0008, 0x0008), VR::CS, "ORIGINAL\\PRIMARY\\AXIAL");
        data_set.remove(&[Tag(0x0028, 0x2110), Tag(0x0028, 0x2112), Tag(0x0028, 0x2114), Tag(0x0028, 0x0120)]);
        data_set.set(Tag(0x0028, 0x0106), VR::US, [0, 0]);
        data_set.set(Tag(0x0028, 0x0107), VR::US, [1, 0]);
        data_set.set_items(Tag(0x0088, 0x0200), Vec::new());
        data_set.set_items(Tag(0x4FFE, 0x0001), Vec::new());
        data_set.set_items(Tag(0xFFFA, 0xFFFA), Vec::new());
    };
    let table = [
        "~0008,0008",
        "~0008,0018",
        "+0008,2111",
        "+0008,2112",
        "+0008,9215",
        "~0020,000E",
        "-0028,0106",
        "-0028,0107",
        "+0028,2110",
        "+0028,2112",
        "+0028,2114",
        "-0088,0200",
        "-4FFE,0001",
    ];
    let source = edited(&ct(), stale);
    let made = make_it(&source).unwrap();
    assert_eq!(difference(&source, &made.part10), table);
    let after = scan(&made.part10);
    let text = |tag| after.data_set.ascii(tag).unwrap().to_owned();
    assert_eq!(text(Tag(0x0008, 0x0008)), "DERIVED\\PRIMARY\\AXIAL");
    assert_eq!(text(Tag(0x0008, 0x0018)), made.sop_instance_uid);
    assert_eq!(after.meta.uid(Tag(0x0002, 0x0003)), Some(made.sop_instance_uid.as_str()));
    assert_eq!(text(Tag(0x0020, 0x000E)), made.series_instance_uid);
    assert_eq!((text(Tag(0x0028, 0x2110)), text(Tag(0x0028, 0x2114))), ("01".into(), lossy::METHOD.into()));
    assert!(text(Tag(0x0008, 0x2111)).contains("profile ct-1, largest error"));
    assert_eq!(after.transfer_syntax_uid, lossy::TRANSFER_SYNTAX_UID);
    let code = |sequence| after.data_set.items(sequence)[0].data_set.ascii(Tag(0x0008, 0x0100)).unwrap().to_owned();
    assert_eq!(code(Tag(0x0008, 0x9215)), "113040");
    let predecessor = &after.data_set.items(Tag(0x0008, 0x2112))[0].data_set;
    assert_eq!(predecessor.uid(Tag(0x0008, 0x1155)), scan(&source).data_set.uid(Tag(0x0008, 0x0018)));
    assert_eq!(predecessor.items(Tag(0x0040, 0xA170))[0].data_set.ascii(Tag(0x0008, 0x0100)), Some("121320"));

    let source = edited(&colour(), stale);
    let made = make_it(&source).unwrap();
    let mut expected: Vec<String> = table.iter().map(|one| one.to_string()).chain(["~0028,0004".into()]).collect();
    expected.sort_unstable_by_key(|one| one[1..].to_owned());
    let found: Vec<String> = difference(&source, &made.part10).into_iter().filter(|one| one != "~0028,0006").collect();
    assert_eq!(found, expected);
    let after = scan(&made.part10);
    assert_eq!(after.data_set.ascii(Tag(0x0028, 0x0004)), Some("YBR_ICT"));
    assert_eq!(after.data_set.int(Tag(0x0028, 0x0006)), Some(0));
}

#[test]
fn the_same_source_gives_the_same_bytes_and_uids_as_received_and_as_held() {
    for source in [ct(), colour()] {
        let (once, again) = (make_it(&source).unwrap(), make_it(&source).unwrap());
        assert_eq!(once, again);
        // What viewing_copy makes of a native file is what packing holds.
        let held = viewing_copy::make(&source, &Limits::default()).unwrap();
        assert_eq!(make_it(&held.part10).unwrap(), once);
        let source_uid = scan(&source).data_set.uid(Tag(0x0008, 0x0018)).unwrap().to_owned();
        assert_ne!(once.sop_instance_uid, source_uid);
        assert_ne!(once.sop_instance_uid, once.series_instance_uid);
    }
}

#[test]
fn the_loss_keeps_to_the_target_and_is_what_is_measured() {
    let source = ct();
    let made = make_it(&source).unwrap();
    let (before, after) = (
        Instance::open(&source, &Limits::default()).unwrap(),
        Instance::open(&made.part10, &Limits::default()).unwrap(),
    );
    let (before, after) = (before.frame(0).unwrap().samples, after.frame(0).unwrap().samples);
    let padding = Padding::of(&Instance::open(&source, &Limits::default()).unwrap());
    let largest = padding.compare(&before, &after).largest;
    assert_eq!(largest, made.measured.largest_error);
    assert!((1..=8).contains(&largest), "{largest}");
    let made = make_it(&colour()).unwrap();
    assert!(made.measured.psnr_db.unwrap() >= 45.0 - PSNR_SLACK_DB, "{:?}", made.measured);
    assert!(made.measured.ratio > 1.0);
}

#[test]
fn padding_is_replaced_and_no_longer_named() {
    let source = edited(&ct(), |data_set| {
        data_set.set(Tag(0x0028, 0x0120), VR::SS, (-2000i16).to_le_bytes());
        data_set.set(Tag(0x0028, 0x0121), VR::SS, (-1001i16).to_le_bytes());
    });
    let made = make_it(&source).unwrap();
    let after = scan(&made.part10);
    assert!(after.data_set.get(Tag(0x0028, 0x0120)).is_none() && after.data_set.get(Tag(0x0028, 0x0121)).is_none());
    assert!(made.measured.largest_error <= 8);
}

#[test]
fn every_refusal_is_a_sentence() {
    let check = |file: &[u8], expected: &str| {
        let why = make_it(file).unwrap_err().to_string();
        assert!(why.contains(expected), "{why}");
    };
    let ct = ct();
    let with = |edit: &dyn Fn(&mut DataSet)| edited(&ct, edit);
    check(&with(&|d| d.set(Tag(0x0028, 0x2110), VR::CS, "01")), "compressed with loss before");
    check(&with(&|d| d.set(Tag(0x0008, 0x0068), VR::CS, "FOR PROCESSING")), "for processing");
    check(&with(&|d| d.set_items(Tag(0x5200, 0x9229), Vec::new())), "enhanced");
    check(&with(&|d| d.set(Tag(0x6000, 0x0100), VR::US, [16, 0])), "overlay");
    check(&with(&|d| d.set(Tag(0x0008, 0x0060), VR::CS, "MG")), "mammography");
    check(&with(&|d| d.set(Tag(0x0008, 0x0060), VR::CS, "OT")), "no profile for OT");
    check(&with(&|d| d.set(Tag(0x0028, 0x0004), VR::CS, "PALETTE COLOR")), "table of colours");
    check(&with(&|d| d.remove(&[Tag(0x0020, 0x000E)])), "Series Instance UID");
    check(&with(&|d| d.set(Tag(0x0028, 0x0010), VR::US, [0, 0])), "pixels");
    check(b"no DICOM at all", "not a DICOM file");
    let jpeg = generated(Kind::Endoscopy, |part10| part10.transfer_syntax_uid.ends_with(".4.50"));
    let why = make_it(&jpeg).unwrap_err().to_string();
    assert!(why.contains("loss") || why.contains("no profile"), "{why}");
    let unmarked = "1.2.840.10008.1.2.4.50";
    assert!(is_lossy(unmarked) && is_lossy("1.2.840.10008.1.2.4.203") && !is_lossy("1.2.840.10008.1.2.4.202"));
    assert!(!is_lossy("1.2.840.10008.1.2.1") && !is_lossy("1.2.840.10008.1.2.5"));
}

#[test]
fn one_that_saves_too_little_is_not_made() {
    let text = Policy::built_in().replace("524_288", "0").replace("saves_percent_min = 30", "saves_percent_min = 99");
    let held = viewing_copy::make(&ct(), &Limits::default()).unwrap();
    let why = make(&held.part10, &Policy::read(&text).unwrap(), &Limits::default()).unwrap_err();
    assert!(matches!(&why, NotMade::Unwanted(why) if why.contains("second object")), "{why}");
}

#[test]
fn a_lossy_codestream_is_refused_by_what_writes_files_under_a_lossless_name() {
    // Proves that no path leads from a lossy codestream to a file that says lossless.
    let source = ct();
    let instance = Instance::open(&source, &Limits::default()).unwrap();
    let lossy = lossy::encode_lossy(&instance.frame(0).unwrap().samples, Target::LargestError(8)).unwrap();
    for short in ["90", "201", "202"] {
        let uid = format!("1.2.840.10008.1.2.4.{short}");
        assert!(crate::encapsulate(&uid, std::slice::from_ref(&lossy)).is_err(), "{short}");
        let frames = std::slice::from_ref(&lossy);
        assert!(assemble(&instance.part10, &source, &uid, frames, &Limits::default()).is_err(), "{short}");
    }
    assert!(crate::encapsulate(lossy::TRANSFER_SYNTAX_UID, &[lossy]).is_ok());
}
