//! Tests of the gate over bytes built by hand and over the real files.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

const DATASETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/datasets");

/// One Explicit VR Little Endian element.
fn element(tag: (u16, u16), vr: &str, value: &[u8]) -> Vec<u8> {
    let mut out = [tag.0.to_le_bytes(), tag.1.to_le_bytes()].concat();
    out.extend_from_slice(vr.as_bytes());
    let padded = value.len().next_multiple_of(2);
    if ["OB", "OW", "SQ", "UN", "UT", "UC"].contains(&vr) {
        out.extend_from_slice(&[0, 0]);
        out.extend_from_slice(&(padded as u32).to_le_bytes());
    } else {
        out.extend_from_slice(&(padded as u16).to_le_bytes());
    }
    out.extend_from_slice(value);
    out.resize(out.len() + padded - value.len(), if vr == "UI" { 0 } else { b' ' });
    out
}

fn file(elements: &[((u16, u16), &str, &[u8])]) -> Body {
    let mut all: BTreeMap<(u16, u16), (&str, &[u8])> = BTreeMap::from([
        ((0x0008, 0x0016), ("UI", &b"1.2.840.10008.5.1.4.1.1.7"[..])),
        ((0x0008, 0x0018), ("UI", b"1.2.3")),
        ((0x0020, 0x000D), ("UI", b"1.2.3.4")),
        ((0x0020, 0x000E), ("UI", b"1.2.3.4.5")),
    ]);
    all.extend(elements.iter().map(|(tag, vr, value)| (*tag, (*vr, *value))));
    let meta = element((2, 0x10), "UI", b"1.2.840.10008.1.2.1");
    let body: Vec<u8> = all.iter().flat_map(|(tag, (vr, value))| element(*tag, vr, value)).collect();
    Body::from([&[0; 128][..], b"DICM", &meta, &body].concat())
}

fn examined(body: &Body) -> Examined {
    examine_dicom(body, &Limits::default()).unwrap()
}

fn json_of(elements: &[((u16, u16), &str, &[u8])]) -> Json {
    serde_json::from_slice(&examined(&file(elements)).dicom_json).unwrap()
}

#[test]
fn values_become_dicom_json() {
    // Proves the mapping of PS3.18 Annex F, a kind of value a line.
    let check = |tag: (u16, u16), vr: &str, value: &[u8], expected: Json| {
        let json = json_of(&[(tag, vr, value)]);
        assert_eq!(json[format!("{:04X}{:04X}", tag.0, tag.1)], expected);
    };
    use serde_json::json;
    check((0x0010, 0x0020), "LO", b"0001", json!({"vr": "LO", "Value": ["0001"]}));
    check((0x0010, 0x0020), "LO", b"", json!({"vr": "LO"}));
    check((0x0008, 0x0008), "CS", b"ORIGINAL\\\\AXIAL", json!({"vr": "CS", "Value": ["ORIGINAL", null, "AXIAL"]}));
    check((0x0010, 0x0010), "PN", b"A^B==C", json!({"vr": "PN", "Value": [{"Alphabetic": "A^B", "Phonetic": "C"}]}));
    check((0x0028, 0x0030), "DS", b"0.50\\+1.\\x", json!({"vr": "DS", "Value": [0.5, 1.0, "x"]}));
    check((0x0020, 0x0013), "IS", b"007", json!({"vr": "IS", "Value": [7]}));
    check((0x0028, 0x0009), "AT", &[0x18, 0, 0x63, 0x10], json!({"vr": "AT", "Value": ["00181063"]}));
    check((0x0018, 0x9087), "FD", &1.5_f64.to_le_bytes(), json!({"vr": "FD", "Value": [1.5]}));
    check((0x0018, 0x9087), "FD", &f64::NAN.to_le_bytes(), json!({"vr": "FD", "Value": ["NaN"]}));
    check((0x0018, 0x6020), "SL", &(-3_i32).to_le_bytes(), json!({"vr": "SL", "Value": [-3]}));
    check((0x0009, 0x1001), "UN", b"AB", json!({"vr": "UN", "InlineBinary": "QUI="}));
    check((0x0009, 0x1001), "UN", &[0; 1026], json!({"vr": "UN", "BulkDataURI": "bulkdata/00091001"}));
    check((0x0010, 0x0020), "UN", b"0001", json!({"vr": "LO", "Value": ["0001"]}));
    check((0x0020, 0x4000), "LT", b" a\\b\"\n ", json!({"vr": "LT", "Value": [" a\\b\"\n"]}));
    check((0x0008, 0x0005), "CS", b"ISO_IR 100", json!({"vr": "CS", "Value": ["ISO_IR 192"]}));
    assert_eq!(json_of(&[])["00020010"], Json::Null);
}

#[test]
fn bulk_data_is_named_by_a_path_that_leads_back() {
    // Proves that the URI in an item resolves to the bytes it stands for.
    let inner = element((0x5400, 0x1010), "OW", &[9; 2000]);
    let item = [&[0xFE, 0xFF, 0, 0xE0][..], &(inner.len() as u32).to_le_bytes(), &inner].concat();
    let body = file(&[((0x5400, 0x0100), "SQ", &item)]);
    let examined = examined(&body);
    let json: Json = serde_json::from_slice(&examined.dicom_json).unwrap();
    let uri = json["54000100"]["Value"][0]["54001010"]["BulkDataURI"].as_str().unwrap();
    assert_eq!(uri, "bulkdata/54000100/0/54001010");
    let found = examined.part10.data_set.at_path(uri).unwrap();
    let Body::Memory(bytes) = body else { panic!("a small body is in memory") };
    assert_eq!(bytes[found.value_offset as usize..][..found.value_length as usize], [9; 2000]);
}

#[test]
fn the_object_stays_small_whatever_the_header_holds() {
    // Proves that long texts, and texts past the size of the object, are named instead of carried.
    let (long, many) = (vec![b'a'; (1 << 20) + 2], vec![1; 1 << 20]);
    let mut elements: Vec<((u16, u16), &str, &[u8])> = vec![((0x0040, 0xA160), "UT", &long)];
    elements.extend((0x1000..0x1010).map(|number| ((0x0041, number), "UT", &many[..])));
    let examined = examined(&file(&elements));
    assert!(examined.dicom_json.len() < 40 << 20, "{}", examined.dicom_json.len());
    let json: Json = serde_json::from_slice(&examined.dicom_json).unwrap();
    assert_eq!(json["0040A160"]["BulkDataURI"], "bulkdata/0040A160");
    assert_eq!(json["0041100F"]["BulkDataURI"], "bulkdata/0041100F");
    assert!(json["00411000"]["Value"][0].is_string());
}

#[test]
fn what_cannot_be_keyed_is_refused_and_the_rest_is_not() {
    // Proves the codes, and that a missing Patient ID or an odd UID is no reason.
    let code = |elements: &[((u16, u16), &str, &[u8])]| match examine_dicom(&file(elements), &Limits::default()) {
        Ok(_) => "admitted".to_owned(),
        Err(reason) => reason.code,
    };
    assert_eq!(code(&[]), "admitted");
    assert_eq!(code(&[((0x0020, 0x000D), "UI", b"1.02..3")]), "admitted");
    assert_eq!(code(&[((0x0020, 0x000D), "UI", b"")]), "missing-uid");
    assert_eq!(code(&[((0x0020, 0x000E), "UI", b"1.2/../3")]), "invalid-uid");
    assert_eq!(code(&[((0x0008, 0x0018), "UI", &[b'1'; 65])]), "invalid-uid");
    assert_eq!(code(&[((0x0008, 0x0016), "UI", b"1.2.840.10008.1.3.10")]), "dicomdir");
    let short: [((u16, u16), &str, &[u8]); 3] =
        [((0x0028, 0x0010), "US", &[4, 0]), ((0x0028, 0x0011), "US", &[4, 0]), ((0x7FE0, 0x0010), "OW", &[0; 8])];
    assert_eq!(code(&short), "pixel-length");
    let reason = examine_dicom(&file(&short), &Limits::default()).unwrap_err();
    assert_eq!(reason.text, "Pixel data holds 8 bytes, its description needs 16.");
    assert!(reason.next_step.ends_with('.'));
}

#[test]
fn a_person_keeps_leading_zeros_and_no_issuer_is_invented() {
    // Proves §9: ids with leading zeros; the centre is filled in by the caller, who knows the credential.
    let examined = examined(&file(&[((0x0010, 0x0020), "LO", b"000123"), ((0x0020, 0x0013), "IS", b"12")]));
    let Description { study, instance, .. } = examined.description;
    assert_eq!((study.patient.patient_id.as_str(), study.patient.issuer_of_patient_id.as_str()), ("000123", ""));
    assert_eq!((instance.instance_number, instance.number_of_frames), (Some(12), 0));
}

#[test]
fn the_digest_is_of_the_data_set_alone() {
    // Proves that preamble and group 0002 do not count, and that a spooled body gives the same.
    let Body::Memory(bytes) = file(&[]) else { panic!("a small body is in memory") };
    let mut other = bytes.to_vec();
    other[5] = 1;
    let of = |body: &Body| data_set_digest(body, &Limits::default()).unwrap();
    let expected: [u8; 32] = Sha256::digest(&bytes[132 + 28..]).into();
    assert_eq!(of(&Body::from(other.clone())), expected);
    let mut spool = tempfile::NamedTempFile::new().unwrap();
    std::io::Write::write_all(&mut spool, &other).unwrap();
    assert_eq!(of(&Body::spooled(spool).unwrap()), expected);
}

fn real_files(folder: &str) -> Vec<PathBuf> {
    if !Path::new(DATASETS).exists() {
        println!("skipped: ../shared/datasets is not here");
        return Vec::new();
    }
    let walk = walkdir::WalkDir::new(Path::new(DATASETS).join(folder)).sort_by_file_name();
    walk.into_iter().filter_map(Result::ok).filter(|one| one.file_type().is_file()).map(|one| one.into_path()).collect()
}

fn examine_file(path: &Path) -> Result<Examined, Reason> {
    examine_dicom(&Body::from(std::fs::read(path).unwrap()), &Limits::default())
}

#[test]
fn every_real_file_gets_a_verdict() {
    // Proves that each file is admitted or refused with a reason in words, and that its JSON is JSON.
    let files = real_files("");
    let mut counts: BTreeMap<String, usize> = BTreeMap::new();
    let mut suspects = Vec::new();
    for path in &files {
        let code = match examine_file(path) {
            Ok(examined) => {
                let json: Json = serde_json::from_slice(&examined.dicom_json).unwrap();
                let known = examined.description.instance.sop_instance_uid.as_str();
                assert!(json["00080018"]["Value"][0].as_str().is_none_or(|uid| uid == known), "{}", path.display());
                if examined.description.instance.character_set_suspect {
                    suspects.push(path.strip_prefix(DATASETS).unwrap().display().to_string());
                }
                "admitted".to_owned()
            }
            Err(reason) => {
                assert!(reason.text.ends_with('.') && reason.next_step.ends_with('.'), "{reason:?}");
                if path.extension().is_some_and(|kind| kind == "dcm") && reason.code != "dicomdir" {
                    println!("{}: {}: {}", path.strip_prefix(DATASETS).unwrap().display(), reason.code, reason.text);
                }
                reason.code
            }
        };
        *counts.entry(code).or_default() += 1;
    }
    println!("{} files: {counts:?}; character set suspect: {suspects:?}", files.len());
    if !files.is_empty() {
        assert!(counts["admitted"] > 450, "{counts:?}");
        assert_eq!(counts.values().sum::<usize>(), files.len());
        assert_eq!(counts.get("unreadable"), None);
    }
}

#[test]
fn names_of_many_scripts_come_out_as_they_were_written() {
    // Proves the decoding on real files of every set, as pydicom reads them; the mislabelled one better than it.
    let check = |file: &str, name: &str, suspect: bool| {
        let description = examine_file(&Path::new(DATASETS).join(file)).unwrap().description;
        let found = (description.study.patient.patient_name.as_str(), description.instance.character_set_suspect);
        assert_eq!(found, (name, suspect), "{file}");
    };
    if real_files("charset-ja").is_empty() {
        return;
    }
    check("charset-ja/chrH31.dcm", "Yamada^Tarou=山田^太郎=やまだ^たろう", false);
    check("charset-ja/chrH32.dcm", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", false);
    check("charset-ja/chrJapMulti.dcm", "やまだ^たろう", false);
    check("charset-ja/chrJapMultiExplicitIR6.dcm", "やまだ^たろう", false);
    check("charset-ja/hitachi-ir87-001.dcm", "dicom2nifti", false);
    check("charset-ja/syn-ir13-halfwidth-only.dcm", "ﾔﾏﾀﾞ^ﾀﾛｳ", false);
    check("charset-ja/syn-ir13-ir87.dcm", "ｻﾄｳ^ﾊﾅｺ=佐藤^花子=さとう^はなこ", false);
    check("charset-ja/syn-ir159-jisx0212.dcm", "TEST=鷗^外", false);
    check("charset-ja/syn-ir87-all-text.dcm", "SATO^HANAKO=佐藤^花子=さとう^はなこ", false);
    check("charset-ja/syn-shiftjis-mislabelled.dcm", "山田太郎", true);
    check("charset-ja/syn-utf8-all-text.dcm", "YAMADA^TARO=山田^太郎=やまだ^たろう", false);
    check("charset-ja/syn-variant-kanji-utf8.dcm", "TAKAHASHI^SAKI=髙橋^﨑=たかはし^さき", false);
    check("charset-other/chrArab.dcm", "قباني^لنزار", false);
    check("charset-other/chrFren.dcm", "Buc^Jérôme", false);
    check("charset-other/chrGerm.dcm", "Äneas^Rüdiger", false);
    check("charset-other/chrGreek.dcm", "Διονυσιος", false);
    check("charset-other/chrRuss.dcm", "Люкceмбypг", false);
    check("charset-other/chrX1.dcm", "Wang^XiaoDong=王^小東=", false);
}

proptest! {
    #[test]
    fn mutated_files_get_a_verdict(changes in prop::collection::vec((132_usize..700, any::<u8>()), 1..8)) {
        // Proves that no byte changed brings the gate down, and that what is admitted has readable JSON and keys.
        let name = b"\xd4\xcf=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J";
        let item = [&hex_item()[..], &element((0x0010, 0x0010), "PN", name)].concat();
        let elements: [((u16, u16), &str, &[u8]); 6] = [
            ((0x0008, 0x0005), "CS", b"ISO 2022 IR 13\\ISO 2022 IR 87"),
            ((0x0010, 0x0010), "PN", name),
            ((0x0028, 0x0010), "US", &[2, 0]),
            ((0x0028, 0x0011), "US", &[2, 0]),
            ((0x0040, 0x0275), "SQ", &item),
            ((0x7FE0, 0x0010), "OW", &[1; 4]),
        ];
        let Body::Memory(bytes) = file(&elements) else { panic!("a small body is in memory") };
        let mut bytes = bytes.to_vec();
        prop_assert!(examine_dicom(&Body::from(bytes.clone()), &Limits::default()).is_ok());
        for (at, byte) in changes {
            let last = bytes.len() - 1;
            bytes[at.min(last)] = byte;
        }
        match examine_dicom(&Body::from(bytes), &Limits::default()) {
            Ok(examined) => {
                prop_assert!(serde_json::from_slice::<Json>(&examined.dicom_json).is_ok());
                prop_assert!(is_key(&examined.description.study.study_instance_uid));
            }
            Err(reason) => prop_assert!(!reason.code.is_empty() && reason.code != "unreadable"),
        }
    }
}

/// The head of an item that holds one PN of 24 bytes.
fn hex_item() -> [u8; 8] {
    [0xFE, 0xFF, 0x00, 0xE0, 32, 0, 0, 0]
}
