//! What is retrieved is what was sent.

use axum::http::{Request, StatusCode};
use serde_json::json;
use sha2::{Digest, Sha256};
use transcode::codec::Coders;

use super::fixture::{DOCUMENT, EXPLICIT, House, INSTANCE, SERIES, STUDY, file, samples};
use super::wado::place;

/// The bodies of a multipart answer.
fn parts(answer: &super::fixture::Answer) -> Vec<Vec<u8>> {
    super::wado::parts(answer).into_iter().map(|(_, body)| body).collect()
}

#[tokio::test]
async fn a_study_a_series_and_an_instance_come_back_as_they_were_sent() {
    let house = House::new().await;
    let check = async |path: String, expected: Vec<Vec<u8>>| {
        for syntax in ["", "; transfer-syntax=*", "; transfer-syntax=1.2.840.10008.1.2.1"] {
            let accept = format!("multipart/related; type=\"application/dicom\"{syntax}");
            let answer = house.get(&path, &house.reader, &accept).await;
            assert_eq!(answer.status, StatusCode::OK);
            assert!(parts(&answer) == expected, "{path} {syntax}");
        }
    };
    check(place(), vec![file(1, 1, 1)]).await;
    check(format!("/dicom-web/studies/{STUDY}/series/{SERIES}"), vec![file(1, 1, 1), file(1, 1, 2)]).await;
    let all = vec![file(1, 1, 1), file(1, 1, 2), file(1, 2, 1), file(1, 2, 2)];
    check(format!("/dicom-web/studies/{STUDY}"), all).await;
}

/// Packs of today and those of before there was HTJ2K.
#[tokio::test]
async fn once_packed_the_original_is_still_what_was_sent_and_so_are_the_samples_and_the_picture() {
    check_packed(&Coders::default()).await;
    check_packed(&Coders::PART_1).await;
}

async fn check_packed(coders: &Coders) {
    let house = House::new().await;
    let picture = format!("{}/frames/2/rendered", place());
    let metadata = format!("/dicom-web/studies/{STUDY}/metadata");
    let before = house.get(&picture, &house.reader, "image/png").await.body;
    let said_before = house.get(&metadata, &house.reader, "*/*").await.body;
    house.pack(1, coders).await;
    let as_held = house.get(&place(), &house.reader, "application/dicom; transfer-syntax=*").await;
    assert!(as_held.header("content-type").ends_with(coders.transfer_syntax_uid) && as_held.body != file(1, 1, 1));
    let original = house.get(&format!("{}/original", place()), &house.original, "*/*").await;
    assert!(original.body == file(1, 1, 1));
    assert_eq!(original.header("x-tsunagu-sha256"), archive::hex(&Sha256::digest(file(1, 1, 1))));
    let accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.1";
    let all = vec![file(1, 1, 1), file(1, 1, 2), file(1, 2, 1), file(1, 2, 2)];
    let study = house.get(&format!("/dicom-web/studies/{STUDY}"), &house.reader, accept).await;
    assert!(parts(&study) == all, "received in the transfer syntax that is asked for: rebuilt");
    let native = format!("multipart/related; type=\"application/octet-stream\"; transfer-syntax={EXPLICIT}");
    let frames = house.get(&format!("{}/frames/2,1", place()), &house.reader, &native).await;
    assert!(parts(&frames) == [samples(1, 2), samples(1, 1)], "decoded");
    let codestream = house.get(&format!("{}/frames/1", place()), &house.reader, "image/*").await;
    assert!(codestream.body.starts_with(&[0xFF, 0x4F, 0xFF, 0x51]), "as held: SOC, SIZ (T.800 Annex A)");
    assert!(house.get(&picture, &house.reader, "image/png").await.body == before);
    assert!(house.get(&metadata, &house.reader, "*/*").await.body == said_before);
    let path = format!("{}/bulkdata/00420011", place());
    assert!(house.get(&path, &house.reader, "*/*").await.body == DOCUMENT[..]);
}

#[tokio::test]
async fn a_single_file_and_the_original_are_the_bytes_that_were_sent_and_are_tagged() {
    let house = House::new().await;
    for path in [place(), format!("{}/original", place())] {
        let answer = house.get(&path, &house.original, "application/dicom").await;
        assert!(answer.body == file(1, 1, 1), "{path}");
        assert_eq!(answer.header("content-length"), file(1, 1, 1).len().to_string());
        let link = house.get(&path, &house.original, "text/html,*/*;q=0.8").await;
        assert!(link.body == file(1, 1, 1), "{path} as a link");
        let authorization = format!("Bearer {}", house.original);
        let again = Request::get(&path).header("authorization", &authorization).header("accept", "application/dicom");
        let again = again.header("if-none-match", answer.header("etag")).body(String::new()).unwrap();
        assert_eq!(house.send(again).await.status, StatusCode::NOT_MODIFIED);
        let head = Request::head(&path).header("authorization", &authorization).header("accept", "application/dicom");
        let head = house.send(head.body(String::new()).unwrap()).await;
        assert_eq!((head.status, head.body.len()), (StatusCode::OK, 0));
        assert_eq!(head.header("content-length"), answer.header("content-length"));
    }
}

#[tokio::test]
async fn what_cannot_be_given_as_asked_says_what_can() {
    let house = House::new().await;
    let accept = "multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2.4.80";
    let answer = house.get(&place(), &house.reader, accept).await;
    assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE);
    assert!(answer.json()["error"].as_str().unwrap().contains(EXPLICIT), "{answer:?}");
    let whole = house.get(&format!("/dicom-web/studies/{STUDY}"), &house.reader, "application/dicom").await;
    assert_eq!(whole.status, StatusCode::NOT_ACCEPTABLE);
    let none = house.get("/dicom-web/studies/9.9", &house.reader, "*/*").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    let wrong = house.get("/dicom-web/studies/Yamada", &house.reader, "*/*").await;
    assert_eq!(wrong.status, StatusCode::BAD_REQUEST);
    assert!(!String::from_utf8_lossy(&wrong.body).contains("Yamada"));
    let elsewhere = format!("/dicom-web/studies/{STUDY}/series/{STUDY}.2/instances/{INSTANCE}");
    assert_eq!(house.get(&elsewhere, &house.reader, "*/*").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn metadata_names_bulk_data_absolutely_and_that_is_the_value() {
    let house = House::new().await;
    let answer = house.get(&format!("{}/metadata", place()), &house.reader, "application/dicom+json").await;
    let uri = answer.json()[0]["00420011"]["BulkDataURI"].as_str().unwrap().to_owned();
    assert_eq!(uri, format!("http://here:8080{}/bulkdata/00420011", place()));
    let path = uri.strip_prefix("http://here:8080").unwrap();
    let plain = house.get(path, &house.reader, "application/octet-stream").await;
    assert!(plain.body == DOCUMENT[..]);
    let accept = "multipart/related; type=\"application/octet-stream\"";
    assert!(parts(&house.get(path, &house.reader, accept).await) == [DOCUMENT.to_vec()]);
    for path in ["00421111", "00080016/0/x", "..%2F..%2Fsecret"] {
        let answer = house.get(&format!("{}/bulkdata/{path}", place()), &house.reader, "*/*").await;
        assert_eq!(answer.status, StatusCode::NOT_FOUND, "{path}");
    }
}

#[tokio::test]
async fn frames_are_the_samples() {
    let house = House::new().await;
    let accept = "multipart/related; type=\"application/octet-stream\"";
    let both = house.get(&format!("{}/frames/2,1", place()), &house.reader, accept).await;
    assert!(parts(&both) == [samples(1, 2), samples(1, 1)], "{both:?}");
    let one = house.get(&format!("{}/frames/2", place()), &house.reader, "application/octet-stream").await;
    assert!(one.body == samples(1, 2));
    let beyond = house.get(&format!("{}/frames/3", place()), &house.reader, accept).await;
    assert_eq!(beyond.status, StatusCode::NOT_FOUND);
    let none = house.get(&format!("{}/frames/0", place()), &house.reader, accept).await;
    assert_eq!(none.status, StatusCode::BAD_REQUEST);
    let jpeg = house.get(&format!("{}/frames/1", place()), &house.reader, "multipart/related; type=image/jls").await;
    assert_eq!(jpeg.status, StatusCode::NOT_ACCEPTABLE);
}

#[tokio::test]
async fn pictures_are_drawn_as_asked() {
    let house = House::new().await;
    let rendered = |query: &str| format!("{}/frames/1/rendered{query}", place());
    let png = house.get(&rendered("?window=2048,4096&viewport=2,2"), &house.reader, "image/png").await;
    assert!(png.body.starts_with(b"\x89PNG") && png.header("content-type") == "image/png", "{png:?}");
    assert_eq!(png.body[16..24], [0, 0, 0, 2, 0, 0, 0, 2], "fitted into the viewport");
    let jpeg = house.get(&rendered(""), &house.reader, "*/*").await;
    assert!(jpeg.body.starts_with(b"\xFF\xD8\xFF"));
    for path in ["", "/series/1.2.392.1.1", "/series/1.2.392.1.1/instances/1.2.392.1.1.1"] {
        let path = format!("/dicom-web/studies/{STUDY}{path}/thumbnail");
        let answer = house.get(&path, &house.reader, "image/*").await;
        assert!(answer.body.starts_with(b"\xFF\xD8\xFF"), "{path}");
    }
    for bad in ["?window=40", "?viewport=0,5", "?quality=0"] {
        assert_eq!(house.get(&rendered(bad), &house.reader, "*/*").await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(house.get(&rendered(""), &house.reader, "image/tiff").await.status, StatusCode::NOT_ACCEPTABLE);
    let answer = house.get(&format!("{}/frames/9/rendered", place()), &house.reader, "*/*").await;
    assert_eq!((answer.status, answer.json()["error"].clone()).0, StatusCode::NOT_FOUND, "{}", json!(answer.json()));
}
