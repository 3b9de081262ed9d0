//! Searches find what was sent, page by page.

use std::collections::BTreeSet;

use axum::http::StatusCode;

use super::fixture::{House, INSTANCE, STUDY};

async fn count(house: &House, path: &str) -> usize {
    let answer = house.get(path, &house.reader, "application/dicom+json").await;
    assert!(answer.status.is_success(), "{path}: {answer:?}");
    answer.json().as_array().unwrap().len()
}

#[tokio::test]
async fn a_study_is_found_by_what_people_type_and_tells_its_attributes() {
    let house = House::new().await;
    let check = async |query: &str, expected: usize| {
        assert_eq!(count(&house, &format!("/dicom-web/studies?{query}")).await, expected, "{query}");
    };
    check("", 1).await;
    check("PatientName=%E5%B1%B1%E7%94%B0*", 1).await;
    check("PatientName=*%EF%BE%94%EF%BE%8F%EF%BE%80%EF%BE%9E*&fuzzymatching=true", 1).await;
    check("PatientName=Suzuki*", 0).await;
    check("PatientID=PID-00417&StudyDate=20270101-20270131", 1).await;
    check("00080020=20270116-", 0).await;
    check("ModalitiesInStudy=OT,CT", 1).await;
    check("StudyInstanceUID=1.2.392.1%5C9.9", 1).await;
    let answer = house.get("/dicom-web/studies", &house.reader, "*/*").await.json();
    let study = &answer[0];
    assert_eq!(study["00100010"]["Value"][0]["Ideographic"], "山田^太郎");
    assert_eq!(study["00201206"]["Value"][0], 2);
    assert_eq!(study["00201208"]["Value"][0], 4);
    assert_eq!(study["00081190"]["Value"][0], format!("http://here:8080/dicom-web/studies/{STUDY}"));
}

#[tokio::test]
async fn series_and_instances_are_found_by_their_own_keys_and_their_studies() {
    let house = House::new().await;
    house.take_in(2, 1, 1).await;
    let check = async |path: &str, expected: usize| {
        assert_eq!(count(&house, &format!("/dicom-web{path}")).await, expected, "{path}");
    };
    check("/series", 3).await;
    check("/series?SeriesNumber=2", 1).await;
    check("/studies/1.2.392.1/series?Modality=OT", 2).await;
    check("/instances", 5).await;
    check("/instances?InstanceNumber=2", 2).await;
    check("/instances?Rows=5", 0).await;
    check(&format!("/instances?SOPInstanceUID={INSTANCE},1.2.392.2.1.1,9.9"), 2).await;
    check(&format!("/instances?SOPInstanceUID={INSTANCE}&Modality=CT"), 0).await;
    check(&format!("/studies/1.2.392.2/instances?SOPInstanceUID={INSTANCE}"), 0).await;
    check("/studies/1.2.392.1/instances", 4).await;
    check("/studies/1.2.392.1/series/1.2.392.1.2/instances", 2).await;
    check("/studies/9.9/series", 0).await;
    let answer = house.get("/dicom-web/instances?limit=1&includefield=00180060", &house.reader, "*/*").await;
    assert_eq!(answer.json()[0]["00180060"]["Value"][0], 120);
    assert!(answer.header("warning").starts_with("299 "), "there are more");
}

#[tokio::test]
async fn pages_of_all_instances_hold_each_once_also_while_more_come_in() {
    let house = House::empty().await;
    let mut expected = BTreeSet::new();
    for (study, series, instance) in [(1, 1, 1), (1, 1, 2), (1, 1, 3), (1, 2, 1), (2, 1, 1), (2, 1, 2), (3, 1, 1)] {
        house.take_in(study, series, instance).await;
        expected.insert(format!("1.2.392.{study}.{series}.{instance}"));
    }
    let mut found = Vec::new();
    for page in 0..5 {
        let path = format!("/dicom-web/instances?limit=2&offset={}", page * 2);
        let answer = house.get(&path, &house.reader, "*/*").await.json();
        let uids =
            answer.as_array().unwrap().iter().map(|one| one["00080018"]["Value"][0].as_str().unwrap().to_owned());
        found.extend(uids);
        if page == 1 {
            house.take_in(4, 1, 1).await;
            expected.insert("1.2.392.4.1.1".to_owned());
        }
    }
    assert_eq!(found.len(), expected.len());
    assert_eq!(found.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[tokio::test]
async fn a_bad_value_is_refused_and_an_unknown_key_is_named() {
    let house = House::new().await;
    let bad = house.get("/dicom-web/studies?StudyDate=yesterday", &house.reader, "*/*").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
    assert!(bad.json()["error"].as_str().unwrap().contains("StudyDate"));
    let unknown = house.get("/dicom-web/studies?NoSuchKeyword=x", &house.reader, "*/*").await;
    assert_eq!(unknown.status, StatusCode::OK);
    assert!(unknown.header("warning").contains("NoSuchKeyword"));
}
