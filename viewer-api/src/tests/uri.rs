//! WADO-URI (PS3.18 §9). docs/conformance/wado-uri.md names each test.

use axum::http::StatusCode;

use super::fixture::{Answer, EXPLICIT, House, INSTANCE, SERIES, STUDY, file};

fn path(more: &str) -> String {
    format!("/wado?requestType=WADO&studyUID={STUDY}&seriesUID={SERIES}&objectUID={INSTANCE}{more}")
}

async fn get(house: &House, more: &str, accept: &str) -> Answer {
    house.get(&path(more), &house.reader, accept).await
}

#[tokio::test]
async fn the_mandatory_parameters_are_mandatory() {
    // §9.1.2.1: 400 for a missing or wrong one, 404 for what is not held.
    let house = House::new().await;
    let uids = format!("studyUID={STUDY}&seriesUID={SERIES}&objectUID={INSTANCE}");
    for query in [
        uids.clone(),
        format!("requestType=Wado&{uids}"),
        format!("requestType=WADO&seriesUID={SERIES}&objectUID={INSTANCE}"),
        format!("requestType=WADO&studyUID={STUDY}&objectUID={INSTANCE}"),
        format!("requestType=WADO&studyUID={STUDY}&seriesUID={SERIES}"),
        format!("requestType=WADO&studyUID=Yamada&seriesUID={SERIES}&objectUID={INSTANCE}"),
    ] {
        let answer = house.get(&format!("/wado?{query}"), &house.reader, "*/*").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(!String::from_utf8_lossy(&answer.body).contains("Yamada"));
    }
    let absent = format!("/wado?requestType=WADO&studyUID={STUDY}&seriesUID={SERIES}&objectUID=9.9");
    assert_eq!(house.get(&absent, &house.reader, "*/*").await.status, StatusCode::NOT_FOUND);
    let elsewhere = format!("/wado?requestType=WADO&studyUID={STUDY}&seriesUID={STUDY}.2&objectUID={INSTANCE}");
    assert_eq!(house.get(&elsewhere, &house.reader, "*/*").await.status, StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn without_a_content_type_a_jpeg_comes() {
    // §9.3: */* defaults to image/jpeg and to Retrieve Rendered Instance.
    let house = House::new().await;
    let answer = get(&house, "", "*/*").await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "image/jpeg"));
    assert!(answer.body.starts_with(b"\xFF\xD8\xFF"));
    assert_eq!(get(&house, "", "image/png").await.header("content-type"), "image/png");
}

#[tokio::test]
async fn content_type_chooses_where_the_header_allows_it() {
    // §9.1.2.2.1, §8.3.3.1.
    let house = House::new().await;
    assert_eq!(get(&house, "&contentType=image/png", "*/*").await.header("content-type"), "image/png");
    assert_eq!(get(&house, "&contentType=image%2Fgif", "image/*").await.header("content-type"), "image/gif");
    assert_eq!(get(&house, "&contentType=image/png", "image/jpeg").await.status, StatusCode::NOT_ACCEPTABLE);
    assert_eq!(get(&house, "&contentType=video/mpeg", "*/*").await.status, StatusCode::NOT_ACCEPTABLE);
    let mixed = get(&house, "&contentType=application/dicom,image/jpeg", "*/*").await;
    assert_eq!(mixed.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn files_come_in_explicit_vr_little_endian_or_in_the_transfer_syntax_asked_for() {
    // §9.4.2.4: 400 for what is no UID, 406 for what is not supported.
    let house = House::new().await;
    let dicom = get(&house, "&contentType=application/dicom", "*/*").await;
    assert_eq!(dicom.header("content-type"), format!("application/dicom; transfer-syntax={EXPLICIT}"));
    assert!(dicom.body == file(1, 1, 1));
    let uid = "1.2.840.10008.1.2.4.202";
    let htj2k = get(&house, &format!("&contentType=application/dicom&transferSyntax={uid}"), "*/*").await;
    assert_eq!(htj2k.header("content-type"), format!("application/dicom; transfer-syntax={uid}"));
    let check = async |more: &str, expected| assert_eq!(get(&house, more, "*/*").await.status, expected, "{more}");
    check("&contentType=application/dicom&transferSyntax=jpeg", StatusCode::BAD_REQUEST).await;
    check("&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2.4.50", StatusCode::NOT_ACCEPTABLE).await;
    check("&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2", StatusCode::NOT_ACCEPTABLE).await;
    check("&contentType=image/jpeg&transferSyntax=1.2.840.10008.1.2.1", StatusCode::BAD_REQUEST).await;
}

#[tokio::test]
async fn frame_numbers_are_of_frames_that_are_there() {
    // §9.5.2.1.
    let house = House::new().await;
    let check = async |more: &str, expected| assert_eq!(get(&house, more, "*/*").await.status, expected, "{more}");
    check("&frameNumber=2", StatusCode::OK).await;
    for bad in ["0", "3", "-1", "x", "1,2"] {
        check(&format!("&frameNumber={bad}"), StatusCode::BAD_REQUEST).await;
    }
    let picture = async |number: u32| {
        get(&house, &format!("&frameNumber={number}&windowCenter=200&windowWidth=400"), "image/png").await.body
    };
    assert!(picture(1).await != picture(2).await);
}

#[tokio::test]
async fn rows_columns_region_window_and_quality_are_applied_or_refused() {
    // §9.5.1.2.
    let house = House::new().await;
    let size = async |more: &str| {
        let png = get(&house, more, "image/png").await.body;
        let word = |at: usize| u32::from_be_bytes(png[at..at + 4].try_into().unwrap());
        (word(16), word(20))
    };
    assert_eq!(size("&rows=2").await, (2, 2));
    assert_eq!(size("&columns=1&rows=4").await, (1, 1));
    assert_eq!(size("&region=0.5,0,1,1").await, (2, 4));
    let window = get(&house, "&windowCenter=100&windowWidth=50", "image/png").await;
    assert!(window.body != get(&house, "", "image/png").await.body);
    for bad in [
        "rows=0",
        "rows=x",
        "columns=-1",
        "region=0,0,1",
        "region=0.5,0,0.5,1",
        "region=0,0,2,1",
        "windowCenter=40",
        "windowWidth=400",
        "windowCenter=a&windowWidth=b",
        "windowCenter=1&windowWidth=0",
        "imageQuality=0",
        "imageQuality=101",
    ] {
        assert_eq!(get(&house, &format!("&{bad}"), "*/*").await.status, StatusCode::BAD_REQUEST, "{bad}");
    }
    assert_eq!(get(&house, "&imageQuality=40", "*/*").await.status, StatusCode::OK);
}

#[tokio::test]
async fn what_is_not_supported_is_named_and_nothing_goes_out_as_if_it_were_anonymized() {
    // §9.4.1.2.1, §9.5.1.2.2, §9.5.1.2.7.
    let house = House::new().await;
    assert_eq!(
        get(&house, "&contentType=application/dicom&anonymize=yes", "*/*").await.status,
        StatusCode::BAD_REQUEST
    );
    let annotated = get(&house, "&annotation=patient", "*/*").await;
    assert!(annotated.status == StatusCode::OK && annotated.header("warning").contains("annotation"));
    assert_eq!(get(&house, "&charset=klingon", "*/*").await.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn files_by_uri_need_the_permission_to_download() {
    // Who may only upload gets neither picture nor file.
    let house = House::new().await;
    for more in ["", "&contentType=application/dicom"] {
        let answer = house.get(&path(more), &house.uploader, "*/*").await;
        assert_eq!(answer.status, StatusCode::FORBIDDEN, "{more}");
    }
}
