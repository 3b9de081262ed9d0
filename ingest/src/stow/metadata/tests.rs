//! Metadata and bulk data through the door, judged by what the gate is handed: a Part 10 file, scanned anew.

use std::fmt::Write as _;

use serde_json::{Value, json};
use transcode::data_set::{self, Limits, Part10};

use super::*;
use crate::admit::examine_dicom;
use crate::stow::tests::{Server, server};

const B: &str = "edge";

/// A part: its headers without the last blank line, and its bytes.
type Part<'a> = (String, &'a [u8]);

fn body(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for (head, bytes) in parts {
        body.extend_from_slice(format!("--{B}\r\n{head}\r\n\r\n").as_bytes());
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(format!("--{B}--\r\n").as_bytes());
    body
}

fn at(location: &str, media_type: &str) -> String {
    format!("Content-Type: {media_type}\r\nContent-Location: {location}")
}

/// Metadata of an image of 2 by 2 pixels whose Pixel Data are at `uri`, and whatever `more` says.
fn image(uid: &str, uri: &str, more: Value) -> Value {
    let mut object = json!({
        "00080016": { "vr": "UI", "Value": ["1.2.840.10008.5.1.4.1.1.7"] },
        "00080018": { "vr": "UI", "Value": [uid] },
        "00100010": { "vr": "PN", "Value": [{ "Alphabetic": "Yamada^Taro", "Ideographic": "山田^太郎" }] },
        "00100020": { "vr": "LO", "Value": ["P-1"] },
        "0020000D": { "vr": "UI", "Value": ["1.2.3"] },
        "0020000E": { "vr": "UI", "Value": ["1.2.3.4"] },
        "00280002": { "vr": "US", "Value": [1] },
        "00280004": { "vr": "CS", "Value": ["MONOCHROME2"] },
        "00280010": { "vr": "US", "Value": [2] },
        "00280011": { "vr": "US", "Value": [2] },
        "00280100": { "vr": "US", "Value": [8] },
        "00280101": { "vr": "US", "Value": [8] },
        "00280102": { "vr": "US", "Value": [7] },
        "00280103": { "vr": "US", "Value": [0] },
        "7FE00010": { "vr": "OW", "BulkDataURI": uri },
    });
    for (tag, attribute) in more.as_object().unwrap() {
        match attribute.is_null() {
            true => drop(object.as_object_mut().unwrap().remove(tag)),
            false => object[tag] = attribute.clone(),
        }
    }
    object
}

impl Server {
    async fn store_metadata(&self, kind: &str, parts: &[Part<'_>]) -> (u16, Value) {
        let content_type = format!("multipart/related; type=\"{kind}\"; boundary={B}");
        self.post("/studies", &content_type, "application/dicom+json", body(parts)).await
    }

    async fn store_json(&self, metadata: &Value, bulk: &[Part<'_>]) -> (u16, Value) {
        let text = metadata.to_string();
        let mut parts: Vec<Part<'_>> = vec![("Content-Type: application/dicom+json".into(), text.as_bytes())];
        parts.extend_from_slice(bulk);
        self.store_metadata("application/dicom+json", &parts).await
    }

    /// The files the gate was handed, each with what a scan finds in it.
    fn files_built(&self) -> Vec<(Vec<u8>, Part10)> {
        let handed = self.gate.handed.lock().unwrap();
        let scan = |bytes: &Vec<u8>| data_set::scan(&mut std::io::Cursor::new(bytes), &Limits::default()).unwrap();
        handed.iter().map(|one| (one.bytes.clone(), scan(&one.bytes))).collect()
    }

    fn only(&self) -> (Vec<u8>, Part10) {
        let mut files = self.files_built();
        assert_eq!(files.len(), 1);
        files.remove(0)
    }
}

fn frames(file: &[u8], part10: &Part10) -> Vec<Vec<u8>> {
    let spans = data_set::frame_spans(part10, &mut std::io::Cursor::new(file)).unwrap();
    spans.iter().map(|span| file[span.offset as usize..][..span.length as usize].to_vec()).collect()
}

/// What a failed item says: code and comment.
fn failure(answer: &Value, sequence: &str) -> (u64, String) {
    let item = &answer[sequence]["Value"][0];
    (item["00081197"]["Value"][0].as_u64().unwrap(), item["00000902"]["Value"][0].as_str().unwrap().to_owned())
}

/// §10.5.1.4: JSON metadata and uncompressed pixels become an Explicit VR Little Endian file with the same metadata.
#[tokio::test]
async fn json_metadata_and_bulk_data_become_a_file() {
    let server = server(|_| ()).await;
    let metadata = json!([image("1.2.9", "pixels/1", json!({}))]);
    let (status, answer) =
        server.store_json(&metadata, &[(at("pixels/1", "application/octet-stream"), &[1, 2, 3, 4])]).await;
    assert_eq!(status, 200, "{answer}");
    let (file, part10) = server.only();
    assert_eq!(part10.transfer_syntax_uid, "1.2.840.10008.1.2.1");
    assert_eq!(part10.meta.uid(Tag(0x0002, 0x0003)), Some("1.2.9"));
    assert_eq!(frames(&file, &part10), [[1, 2, 3, 4]]);
    let examined = examine_dicom(&file.into(), &Limits::default()).unwrap();
    let written: Value = serde_json::from_slice(&examined.dicom_json).unwrap();
    for (tag, attribute) in metadata[0].as_object().unwrap() {
        if tag != "7FE00010" {
            assert_eq!(&written[tag], attribute, "{tag}");
        }
    }
    assert_eq!(written["00080005"]["Value"][0], "ISO_IR 192", "names are in Unicode, and it says so");
}

/// PS3.19 §A.1: one XML document an instance; it becomes the file that the same metadata in JSON become.
#[tokio::test]
async fn xml_metadata_become_the_file_that_json_do() {
    let xml = r#"<?xml version="1.0" encoding="UTF-8"?>
<NativeDicomModel xmlns="http://dicom.nema.org/PS3.19/models/NativeDICOM" xml:space="preserve">
<DicomAttribute tag="00080016" vr="UI" keyword="SOPClassUID"><Value number="1">1.2.840.10008.5.1.4.1.1.7</Value></DicomAttribute>
<DicomAttribute tag="00080018" vr="UI"><Value number="1">1.2.9</Value></DicomAttribute>
<DicomAttribute tag="00100010" vr="PN"><PersonName number="1"><Alphabetic><FamilyName>Yamada</FamilyName><GivenName>Taro</GivenName></Alphabetic>
<Ideographic><FamilyName>山田</FamilyName><GivenName>太郎</GivenName></Ideographic></PersonName></DicomAttribute>
<DicomAttribute tag="00100020" vr="LO"><Value number="1">P-1</Value></DicomAttribute>
<DicomAttribute tag="0020000D" vr="UI"><Value number="1">1.2.3</Value></DicomAttribute>
<DicomAttribute tag="0020000E" vr="UI"><Value number="1">1.2.3.4</Value></DicomAttribute>
<DicomAttribute tag="00280002" vr="US"><Value number="1">1</Value></DicomAttribute>
<DicomAttribute tag="00280004" vr="CS"><Value number="1">MONOCHROME2</Value></DicomAttribute>
<DicomAttribute tag="00280010" vr="US"><Value number="1">2</Value></DicomAttribute>
<DicomAttribute tag="00280011" vr="US"><Value number="1">2</Value></DicomAttribute>
<DicomAttribute tag="00280100" vr="US"><Value number="1">8</Value></DicomAttribute>
<DicomAttribute tag="00280101" vr="US"><Value number="1">8</Value></DicomAttribute>
<DicomAttribute tag="00280102" vr="US"><Value number="1">7</Value></DicomAttribute>
<DicomAttribute tag="00280103" vr="US"><Value number="1">0</Value></DicomAttribute>
<DicomAttribute tag="00321064" vr="SQ"><Item number="1"><DicomAttribute tag="00080104" vr="LO"><Value number="1">a &amp; b &#x3C;</Value></DicomAttribute></Item></DicomAttribute>
<DicomAttribute tag="00090001" vr="LO" privateCreator="ACME"><Value number="1">private</Value></DicomAttribute>
<DicomAttribute tag="7FE00010" vr="OW"><BulkData uri="pixels/1"/></DicomAttribute>
</NativeDicomModel>"#;
    let pixels = (at("pixels/1", "application/octet-stream"), &[1, 2, 3, 4][..]);
    let by_xml = server(|_| ()).await;
    let part = ("Content-Type: application/dicom+xml".to_owned(), xml.as_bytes());
    let (status, answer) = by_xml.store_metadata("application/dicom+xml", &[part, pixels.clone()]).await;
    assert_eq!(status, 200, "{answer}");
    let by_json = server(|_| ()).await;
    let more = json!({
        "00321064": { "vr": "SQ", "Value": [{ "00080104": { "vr": "LO", "Value": ["a & b <"] } }] },
        "00090010": { "vr": "LO", "Value": ["ACME"] }, "00091001": { "vr": "LO", "Value": ["private"] },
    });
    by_json.store_json(&json!([image("1.2.9", "pixels/1", more)]), &[pixels]).await;
    assert_eq!(by_xml.only().0, by_json.only().0);
}

/// The same parts give the same file, byte for byte.
#[tokio::test]
async fn what_is_built_is_the_same_every_time() {
    let (one, other) = (server(|_| ()).await, server(|_| ()).await);
    for server in [&one, &other] {
        let pixels = (at("a", "application/octet-stream"), &[1, 2, 3, 4][..]);
        server.store_json(&json!([image("1.2.9", "a", json!({}))]), &[pixels]).await;
    }
    assert_eq!(one.only().0, other.only().0);
}

/// §10.5.1.4: an array of several instances, each with its own bulk data; a part that does not come fails its own
/// instance only, and that is named.
#[tokio::test]
async fn missing_bulk_data_fails_its_own_instance_only() {
    let server = server(|_| ()).await;
    let metadata =
        json!([image("1.2.1", "a", json!({})), image("1.2.2", "b", json!({})), image("1.2.3", "c", json!({}))]);
    let octets = |name: &str| at(name, "application/octet-stream");
    let (status, answer) = server.store_json(&metadata, &[(octets("c"), &[3; 4]), (octets("a"), &[1; 4])]).await;
    assert_eq!(status, 202, "{answer}");
    assert_eq!(answer["00081199"]["Value"].as_array().map(Vec::len), Some(2));
    let (code, comment) = failure(&answer, "00081198");
    assert!(code == 0xC000 && comment.contains("7FE00010") && comment.contains("Content-Location"), "{code} {comment}");
    assert_eq!(answer["00081198"]["Value"][0]["00081155"]["Value"][0], "1.2.2");
    assert_eq!(server.files_built().len(), 2);
}

/// §F.2.7: InlineBinary, in whatever attribute, is the value itself.
#[tokio::test]
async fn inline_binary_is_the_value() {
    let server = server(|_| ()).await;
    let metadata = json!([image("1.2.9", "", json!({ "7FE00010": { "vr": "OB", "InlineBinary": "AQIDBA==" } }))]);
    // Without bulk data a request may be a single part too.
    let (status, answer) =
        server.post("/studies", "application/dicom+json", "application/dicom+json", metadata.to_string().into()).await;
    assert_eq!(status, 200, "{answer}");
    let (file, part10) = server.only();
    assert_eq!(frames(&file, &part10), [[1, 2, 3, 4]]);
}

/// §10.5.2: compressed pixels are encapsulated unchanged, under the transfer syntax of their media type and bytes, and the
/// attributes that describe them are derived where the metadata leave them out.
#[tokio::test]
async fn compressed_bulk_data_are_encapsulated_and_described() {
    let bare = ["00280002", "00280004", "00280010", "00280011", "00280100", "00280101", "00280102", "00280103"];
    let without: Value = bare.iter().map(|tag| ((*tag).to_owned(), Value::Null)).collect();
    let samples = |values: Vec<u16>| transcode::codec::encode(&samples_of(values)).unwrap();
    let htj2k = samples((0..256).collect());
    let part = [(at("p", "image/jphc"), htj2k.as_slice())];
    let server = server(|_| ()).await;
    let (status, answer) = server.store_json(&json!([image("1.2.9", "p", without)]), &part).await;
    assert_eq!(status, 200, "{answer}");
    let (file, part10) = server.only();
    assert_eq!(part10.transfer_syntax_uid, "1.2.840.10008.1.2.4.201");
    assert_eq!(&frames(&file, &part10)[0][..htj2k.len()], htj2k);
    let int = |tag| part10.data_set.int(tag);
    let described = [0x0010, 0x0011, 0x0100, 0x0101, 0x0102, 0x0103].map(|element| int(Tag(0x0028, element)));
    assert_eq!(described, [Some(16), Some(16), Some(16), Some(12), Some(11), Some(0)]);
    assert_eq!(part10.data_set.ascii(Tag(0x0028, 0x0004)), Some("MONOCHROME2"));
}

fn samples_of(values: Vec<u16>) -> transcode::Samples {
    transcode::Samples::new(16, 16, 1, 12, transcode::Values::U16(values)).unwrap()
}

/// §8.7.3.5.2: the transfer-syntax parameter of a part decides; one that its media type cannot be is refused with C122, and
/// bytes that lost something are never stored as lossless.
#[tokio::test]
async fn the_transfer_syntax_parameter_is_honoured_and_checked() {
    let check = async |media_type: &str, bytes: &[u8], expected: Result<&str, u64>| {
        let server = server(|_| ()).await;
        let part = [(at("p", media_type), bytes)];
        let (status, answer) = server.store_json(&json!([image("1.2.9", "p", json!({}))]), &part).await;
        match expected {
            Ok(uid) => {
                assert_eq!(status, 200, "{media_type} {answer}");
                assert_eq!(server.only().1.transfer_syntax_uid, uid, "{media_type}");
            }
            Err(code) => {
                assert_eq!((status, failure(&answer, "00081198").0), (409, code), "{media_type} {answer}");
            }
        }
    };
    let jpeg: &[u8] =
        &[0xFF, 0xD8, 0xFF, 0xC0, 0, 11, 8, 0, 2, 0, 2, 1, 1, 0x11, 0, 0xFF, 0xDA, 0, 8, 1, 1, 0, 0, 63, 0, 0xFF, 0xD9];
    check("image/jpeg", jpeg, Ok("1.2.840.10008.1.2.4.50")).await;
    check("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.51", jpeg, Ok("1.2.840.10008.1.2.4.51")).await;
    check("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.70", jpeg, Err(0xC000)).await;
    check("image/jpeg; transfer-syntax=1.2.840.10008.1.2.4.90", jpeg, Err(0xC122)).await;
    check("image/dicom-rle", &[1, 0, 0, 0], Ok("1.2.840.10008.1.2.5")).await;
    check("video/mp4; transfer-syntax=1.2.840.10008.1.2.4.103", &[0; 8], Ok("1.2.840.10008.1.2.4.103")).await;
    check("image/gif", b"GIF89a", Err(0xC122)).await;
    check("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.2", &[0; 4], Err(0xC122)).await;
}

/// A frame a part: in the order they come, or by `/frames/n` at the end of their location.
#[tokio::test]
async fn frames_come_in_parts_of_their_own() {
    let rle = |name: &str| at(name, "image/dicom-rle");
    let three = json!([image("1.2.9", "p", json!({ "00280008": { "vr": "IS", "Value": [3] } }))]);
    for names in [["p", "p", "p"], ["p/frames/2", "p/frames/1", "p/frames/3"]] {
        let server = server(|_| ()).await;
        let bytes: [&[u8]; 3] = if names[0] == "p" { [&[1; 4], &[2; 3], &[3; 2]] } else { [&[2; 3], &[1; 4], &[3; 2]] };
        let parts: Vec<Part<'_>> = names.iter().zip(bytes).map(|(name, bytes)| (rle(name), bytes)).collect();
        let (status, answer) = server.store_json(&three, &parts).await;
        assert_eq!(status, 200, "{answer}");
        let (file, part10) = server.only();
        assert_eq!(frames(&file, &part10), [vec![1; 4], vec![2, 2, 2, 0], vec![3; 2]]);
    }
    let server = server(|_| ()).await;
    let (status, answer) = server.store_json(&three, &[(rle("p"), &[1; 4]), (rle("p"), &[2; 4])]).await;
    assert!(status == 409 && failure(&answer, "00081198").1.contains("2 frames came"), "{answer}");
}

/// §10.5.1.4: an encapsulated document comes under its own media type; waveform data lie inside a sequence.
#[tokio::test]
async fn documents_and_values_inside_sequences_are_bulk_data_too() {
    let server = server(|_| ()).await;
    let more = json!({
        "7FE00010": null,
        "00420011": { "vr": "OB", "BulkDataURI": "http://sender.example/studies/1/bulk/pdf" },
        "00420012": { "vr": "LO", "Value": ["application/pdf"] },
        "54000100": { "vr": "SQ", "Value": [{ "54001010": { "vr": "OW", "BulkDataURI": "cid:wave@sender" } }] },
    });
    let parts: [Part<'_>; 2] = [
        (at("/studies/1/bulk/pdf", "application/pdf"), b"%PDF-1"),
        ("Content-Type: application/octet-stream\r\nContent-ID: <wave@sender>".into(), &[9; 6]),
    ];
    let (status, answer) = server.store_json(&json!([image("1.2.9", "", more)]), &parts).await;
    assert_eq!(status, 200, "{answer}");
    let (_, part10) = server.only();
    assert_eq!(part10.data_set.bytes(Tag(0x0042, 0x0011)), Some(&b"%PDF-1"[..]));
    let wave = part10.data_set.at_path("54000100/0/54001010").unwrap();
    assert_eq!(wave.bytes(), Some(&[9; 6][..]));
}

/// Table 10.5.2-1: a PNG has no transfer syntax, and becomes uncompressed pixels.
#[tokio::test]
async fn a_png_becomes_uncompressed_pixels() {
    let grey = samples_of((0..256).collect());
    let rendering = transcode::Rendering::default();
    let png = transcode::render(&grey, &rendering).unwrap().png().unwrap();
    let server = server(|_| ()).await;
    let part = [(at("p", "image/png"), png.as_slice())];
    let (status, answer) = server.store_json(&json!([image("1.2.9", "p", json!({}))]), &part).await;
    assert_eq!(status, 200, "{answer}");
    let (file, part10) = server.only();
    assert_eq!(part10.transfer_syntax_uid, "1.2.840.10008.1.2.1");
    assert_eq!((part10.data_set.int(Tag(0x0028, 0x0010)), frames(&file, &part10)[0].len()), (Some(16), 256));
}

/// What is wrong in the metadata of one instance fails that one, and says which attribute; never what is in it.
#[tokio::test]
async fn faults_of_metadata_are_named_by_attribute() {
    let check = async |more: Value, place: &str, words: &str| {
        let server = server(|_| ()).await;
        let metadata = json!([image("1.2.9", "a", more), image("1.2.8", "a", json!({}))]);
        let part = [(at("a", "application/octet-stream"), &[1, 2, 3, 4][..])];
        let (status, answer) = server.store_json(&metadata, &part).await;
        let sequence = if answer["00081198"].is_null() { "0008119A" } else { "00081198" };
        let (_, comment) = failure(&answer, sequence);
        assert_eq!(status, 202, "{answer}");
        assert!(comment.contains(place) && comment.contains(words), "{comment}");
        assert!(!comment.contains("Yamada"), "{comment}");
    };
    check(json!({ "00100010": { "vr": "US", "Value": [1] } }), "00100010", "VR is PN, not US").await;
    check(json!({ "00100010": { "Value": ["Yamada"] } }), "00100010", "no \"vr\"").await;
    check(json!({ "00280010": { "vr": "US", "Value": ["Yamada"] } }), "00280010", "no number").await;
    check(json!({ "00280010": { "vr": "US", "Value": [70000] } }), "00280010", "no number").await;
    check(json!({ "00280010": { "vr": "US", "Value": 7 } }), "00280010", "no array").await;
    check(json!({ "Rows": { "vr": "US", "Value": [7] } }), "Rows", "eight hexadecimal digits").await;
    check(json!({ "00420011": { "vr": "OB", "InlineBinary": "*" } }), "00420011", "base64").await;
    let both = json!({ "vr": "OB", "InlineBinary": "", "BulkDataURI": "a" });
    check(json!({ "00420011": both }), "00420011", "more than one").await;
    let inside = json!({ "vr": "SQ", "Value": [{}, { "00080104": { "vr": "UI", "Value": ["1"] } }] });
    check(json!({ "00321064": inside }), "00321064[1].00080104", "VR is LO").await;
    let nested = (0..35).fold(json!({}), |inner, _| json!({ "00081199": { "vr": "SQ", "Value": [inner] } }));
    check(nested, "00081199[0].00081199", "sequences inside each other").await;
}

/// §10.5.3.1: metadata that are no metadata are bad syntax: 400, with the place.
#[tokio::test]
async fn unreadable_metadata_are_bad_syntax() {
    let deep = format!("[{}", "{\"00081199\":{\"vr\":\"SQ\",\"Value\":[".repeat(200));
    let mut nested = String::from("<NativeDicomModel>");
    for _ in 0..200 {
        let _ = write!(nested, "<DicomAttribute tag=\"00081199\" vr=\"SQ\"><Item number=\"1\">");
    }
    let check = async |kind: &str, text: &str, words: &str| {
        let server = server(|_| ()).await;
        let (status, answer) = server.store_metadata(kind, &[(format!("Content-Type: {kind}"), text.as_bytes())]).await;
        assert_eq!(status, 400, "{kind} {text:.40} {answer}");
        let (_, comment) = failure(&answer, "0008119A");
        assert!(comment.contains(words), "{kind} {text:.40}: {comment}");
        assert!(server.files_built().is_empty());
    };
    let (json, xml) = ("application/dicom+json", "application/dicom+xml");
    check(json, "", "line 1 column 0").await;
    check(json, "[{\"00080018\": ]", "column 15").await;
    check(json, "[1]", "element 0 of the array is no object").await;
    check(json, "\"text\"", "expected an array").await;
    check(json, "[]", "no instance").await;
    check(json, "[{}] x", "trailing characters").await;
    check(json, &deep, "column 6401").await;
    check(xml, "", "ends before NativeDicomModel").await;
    check(xml, "<html/>", "not one NativeDicomModel").await;
    check(xml, "<NativeDicomModel><DicomAttribute/></NativeDicomModel>", "without a tag").await;
    check(xml, "<!DOCTYPE a [<!ENTITY b \"c\">]><NativeDicomModel/>", "document type").await;
    let entity = "<NativeDicomModel><DicomAttribute tag=\"00100020\" vr=\"LO\"><Value number=\"1\">&b;</Value>";
    check(xml, entity, "an entity that XML itself does not have").await;
    check(xml, &nested, "sequences inside each other").await;
}

/// Any bytes as metadata: an answer, never a panic; what was read can be built.
#[test]
fn any_metadata_are_survived() {
    let mut state = 7_u64;
    let seeds = [image("1.2.9", "a", json!({})).to_string(), json!([image("1", "a", json!({}))]).to_string()];
    for round in 0..3_000 {
        let mut bytes = seeds[round % 2].clone().into_bytes();
        for _ in 0..1 + round % 4 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let (place, byte) = ((state >> 33) as usize % bytes.len(), (state >> 20) as u8);
            bytes[place] = byte;
        }
        for attributes in read_json(&bytes, 10).into_iter().flatten().flatten() {
            let _ = part10(&attributes, None, &|_| None);
        }
        let _ = read_xml(&bytes);
    }
}
