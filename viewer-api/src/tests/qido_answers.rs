//! What searches answer and how, requirement by requirement (PS3.18 §8.3.4, §8.7, §10.6.3).

use axum::http::{Request, StatusCode};
use serde_json::{Value, json};

use super::fixture::{House, PATIENT_ID};
use super::qido::{ask, house, values};
use crate::access::{Permissions, Principal};
use crate::find::{Include, Key, Level};

fn first(house: &Value) -> &serde_json::Map<String, Value> {
    house[0].as_object().unwrap()
}

async fn status(house: &House, path: &str, accept: &str) -> StatusCode {
    house.get(&format!("/dicom-web{path}"), &house.reader, accept).await.status
}

/// PS3.18 Table 10.6.1-1: every resource is searched at its path.
#[tokio::test]
async fn every_resource_has_its_path() {
    let house = house().await;
    for (path, tag, expected) in [
        ("/studies", "0020000D", 4),
        ("/series", "0020000E", 5),
        ("/instances", "00080018", 5),
        ("/studies/1.2.392.1/series", "0020000E", 2),
        ("/studies/1.2.392.1/instances", "00080018", 2),
        ("/studies/1.2.392.1/series/1.2.392.1.2/instances", "00080018", 1),
        ("/studies/9.9/series", "0020000E", 0),
    ] {
        assert_eq!(values(&house, path, tag).await.len(), expected, "{path}");
    }
    assert_eq!(status(&house, "/studies/x/series", "*/*").await, StatusCode::BAD_REQUEST);
}

/// PS3.18 Table 10.6.3-3: what is always said of a study, also where it is empty.
#[tokio::test]
async fn a_study_says_all_that_is_required() {
    let house = house().await;
    let answers = ask(&house, "/studies?StudyInstanceUID=1.2.392.1").await.json();
    let study = first(&answers);
    let expected = json!({
        "00080020": { "vr": "DA", "Value": ["20270115"] },
        "00080030": { "vr": "TM", "Value": ["100000"] },
        "00080050": { "vr": "SH", "Value": ["A-001"] },
        "00080056": { "vr": "CS", "Value": ["ONLINE"] },
        "00080061": { "vr": "CS", "Value": ["CT", "SR"] },
        "00080090": { "vr": "PN", "Value": [{ "Alphabetic": "Suzuki^Ichirou", "Ideographic": "鈴木^一郎" }] },
        "00080201": { "vr": "SH", "Value": ["+0900"] },
        "00081190": { "vr": "UR", "Value": ["http://here:8080/dicom-web/studies/1.2.392.1"] },
        "00100020": { "vr": "LO", "Value": [PATIENT_ID] },
        "00100030": { "vr": "DA", "Value": ["19600229"] },
        "00100040": { "vr": "CS", "Value": ["M"] },
        "0020000D": { "vr": "UI", "Value": ["1.2.392.1"] },
        "00200010": { "vr": "SH" },
        "00201206": { "vr": "IS", "Value": [2] },
        "00201208": { "vr": "IS", "Value": [2] },
    });
    for (tag, element) in expected.as_object().unwrap() {
        assert_eq!(&study[tag], element, "{tag}");
    }
    assert_eq!(study["00100010"]["Value"][0]["Phonetic"], "やまだ^たろう");
}

/// PS3.18 Table 10.6.3-4: what is always said of a series; of its study only where that is not in the path.
#[tokio::test]
async fn a_series_says_all_that_is_required() {
    let house = house().await;
    let answers = ask(&house, "/studies/1.2.392.1/series").await.json();
    let series = first(&answers);
    for tag in [
        "00080056", "00080060", "00080201", "0008103E", "00081190", "0020000E", "00200011", "00201209", "00400244",
        "00400245",
    ] {
        assert!(series.contains_key(tag) || tag == "00080201", "{tag}");
    }
    assert_eq!(series["00201209"]["Value"], json!([1]));
    let request = &series["00400275"]["Value"][0];
    assert_eq!(request["00400009"]["Value"][0], "STEP-1");
    assert_eq!(request["00401001"]["Value"][0], "PROC-1");
    assert!(!series.contains_key("00100010"));
    let all = ask(&house, "/series?SeriesInstanceUID=1.2.392.1.1").await.json();
    for tag in ["00080020", "00080061", "00100010", "0020000D", "00201206", "00201208"] {
        assert!(first(&all).contains_key(tag), "{tag}");
    }
    assert_eq!(first(&all)["00081190"]["Value"][0], "http://here:8080/dicom-web/studies/1.2.392.1/series/1.2.392.1.1");
}

/// PS3.18 Table 10.6.3-5: what is always said of an instance; of its series and study where these are not in the path.
#[tokio::test]
async fn an_instance_says_all_that_is_required() {
    let house = house().await;
    let answers = ask(&house, "/studies/1.2.392.1/series/1.2.392.1.1/instances").await.json();
    let instance = first(&answers);
    for (tag, value) in [
        ("00080016", json!("1.2.840.10008.5.1.4.1.1.7")),
        ("00080018", json!("1.2.392.1.1.1")),
        ("00080056", json!("ONLINE")),
        ("00080201", json!("+0900")),
        ("00200013", json!(1)),
        ("00280008", json!(2)),
        ("00280010", json!(4)),
        ("00280011", json!(4)),
        ("00280100", json!(16)),
        ("00081190", json!("http://here:8080/dicom-web/studies/1.2.392.1/series/1.2.392.1.1/instances/1.2.392.1.1.1")),
    ] {
        assert_eq!(instance[tag]["Value"][0], value, "{tag}");
    }
    let all = ask(&house, "/instances?SOPInstanceUID=1.2.392.1.1.1").await.json();
    for tag in ["00080060", "00080061", "00201206", "00201209", "00100010"] {
        assert!(first(&all).contains_key(tag), "{tag}");
    }
}

/// PS3.18 §8.3.4.3: further attributes by keyword, by tag, in lists, repeated, inside sequences, at every level.
#[tokio::test]
async fn includefield_adds_attributes_at_every_level() {
    let house = house().await;
    let query = "includefield=PatientAge,00080080&includefield=ProcedureCodeSequence.CodeValue&includefield=00091001";
    for path in ["/studies?", "/studies/1.2.392.1/series?SeriesNumber=1&", "/studies/1.2.392.1/instances?"] {
        let answers = ask(&house, &format!("{path}{query}&StudyInstanceUID=1.2.392.1")).await.json();
        let said = first(&answers);
        assert_eq!(said["00101010"]["Value"][0], "066Y", "{path}");
        assert_eq!(said["00080080"]["Value"][0], "Kita", "{path}");
        assert_eq!(said["00081032"]["Value"][0]["00080100"]["Value"][0], "CHEST-1", "{path}");
        assert_eq!(said["00091001"]["Value"][0], "private", "{path}");
        assert_eq!(said["00090010"]["Value"][0], "ACME", "{path}: the creator comes with what is private");
    }
    let answers = ask(&house, "/studies/1.2.392.1/series?SeriesNumber=1&includefield=RequestAttributesSequence").await;
    assert_eq!(answers.json()[0]["00400275"]["Value"][0]["00400007"]["Value"][0], "Plain chest");
    let answers = ask(&house, "/studies/1.2.392.1/series?includefield=PatientName").await.json();
    assert_eq!(answers[0]["00100010"]["vr"], "PN");
}

/// PS3.18 §10.6.3.3: `includefield=all` gives all of the level and above, and never what is of a lower level.
#[tokio::test]
async fn includefield_never_gives_what_is_of_a_lower_level() {
    let house = house().await;
    let study = ask(&house, "/studies?StudyInstanceUID=1.2.392.1&includefield=all").await.json();
    assert_eq!(study[0]["00101010"]["Value"][0], "066Y");
    for tag in ["00080018", "00180060", "00280102", "00400275", "00420011"] {
        assert!(!first(&study).contains_key(tag), "{tag}");
    }
    let instance = ask(&house, "/instances?SOPInstanceUID=1.2.392.1.1.1&includefield=all").await.json();
    assert_eq!(instance[0]["00180060"]["Value"][0], 120);
    let place = instance[0]["00420011"]["BulkDataURI"].as_str().unwrap();
    assert!(place.starts_with("http://here:8080/dicom-web/studies/1.2.392.1/series/1.2.392.1.1/instances/"), "{place}");
    let named = ask(&house, "/studies?includefield=Modality,Rows,NoSuchKeyword").await;
    assert!(!first(&named.json()).contains_key("00080060"));
    assert!(named.header("warning").contains("Modality Rows NoSuchKeyword"));
}

/// PS3.18 §8.3.4.4: pages are parts of one list; the warning says how many more there are.
#[tokio::test]
async fn pages_are_parts_of_one_list_and_say_how_much_remains() {
    let house = house().await;
    let all = values(&house, "/studies", "0020000D").await;
    assert_eq!(all, values(&house, "/studies", "0020000D").await, "the same order every time");
    let mut pages = Vec::new();
    for offset in [0, 2] {
        pages.extend(values(&house, &format!("/studies?limit=2&offset={offset}"), "0020000D").await);
    }
    assert_eq!(pages, all);
    let text = |answer: super::fixture::Answer| answer.header("warning").to_owned();
    let warning = text(ask(&house, "/studies?limit=1").await);
    assert_eq!(warning, "299 http://here:8080/dicom-web \"There are 3 additional results that can be requested\"");
    assert!(text(ask(&house, "/studies?limit=1&PatientSex=F").await).contains("There are 1 additional"));
    assert!(text(ask(&house, "/series?limit=2").await).contains("There are 3 additional"));
    assert!(text(ask(&house, "/instances?limit=2").await).contains("There are 3 additional"));
    assert_eq!(text(ask(&house, "/studies?limit=4").await), "");
}

/// PS3.18 §8.3.4.4.1: no results, by a limit of nothing, an offset past the end, or no match, are 204 without a body.
#[tokio::test]
async fn no_results_are_204_without_a_body() {
    let house = house().await;
    for path in [
        "/studies?limit=0",
        "/studies?offset=4",
        "/studies?offset=4000000000",
        "/instances?offset=5",
        "/studies?PatientID=x",
    ] {
        let answer = ask(&house, path).await;
        assert_eq!((answer.status, answer.body.len()), (StatusCode::NO_CONTENT, 0), "{path}");
    }
    assert_eq!(
        status(&house, "/studies?PatientID=x", "multipart/related; type=\"application/dicom+xml\"").await,
        StatusCode::NO_CONTENT
    );
}

/// PS3.18 §8.3: a parameter that is not supported is ignored and named; a bad value of a supported one is refused, by name.
#[tokio::test]
async fn unknown_parameters_are_ignored_and_bad_values_refused() {
    let house = house().await;
    let answer = ask(&house, "/studies?foo=bar&PatientID=0002&Foo.Bar=1").await;
    assert_eq!(answer.json().as_array().unwrap().len(), 1);
    assert!(answer.header("warning").starts_with("299 ") && answer.header("warning").contains("foo Foo.Bar"));
    for (query, name) in [
        ("limit=abc", "limit"),
        ("limit=-1", "limit"),
        ("offset=-1", "offset"),
        ("fuzzymatching=1", "fuzzymatching"),
        ("StudyDate=20271301", "StudyDate"),
        ("SeriesInstanceUID=abc", "SeriesInstanceUID"),
        ("PatientID=SECRET&PatientID=OTHER", "PatientID"),
    ] {
        let answer = house.get(&format!("/dicom-web/series?{query}"), &house.reader, "*/*").await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        let sentence = answer.json()["error"].as_str().unwrap().to_owned();
        assert!(sentence.contains(name) && !sentence.contains("SECRET"), "{query}: {sentence}");
    }
}

/// PS3.18 §8.7.4, Table 10.6.4-1: DICOM JSON by default and where it is accepted; 406 that says what there is.
#[tokio::test]
async fn answers_are_dicom_json_unless_something_else_is_preferred() {
    let house = house().await;
    for accept in [
        "application/dicom+json",
        "*/*",
        "application/json",
        "application/*",
        "text/html, application/dicom+json;q=0.5",
    ] {
        let answer = house.get("/dicom-web/studies", &house.reader, accept).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::OK, "application/dicom+json"),
            "{accept}"
        );
    }
    let answer = house.get("/dicom-web/studies", &house.reader, "image/png").await;
    assert_eq!(answer.status, StatusCode::NOT_ACCEPTABLE);
    let sentence = answer.json()["error"].as_str().unwrap().to_owned();
    assert!(sentence.contains("application/dicom+json") && sentence.contains("application/dicom+xml"), "{sentence}");
}

/// PS3.18 §8.7.3.2, PS3.19 A.1: one Native DICOM Model document a result, by header and by parameter.
#[tokio::test]
async fn answers_are_one_xml_part_each_where_that_is_asked_for() {
    let house = house().await;
    let xml = "multipart/related; type=\"application/dicom+xml\"";
    let by_parameter = "/dicom-web/studies?accept=multipart/related;type=application/dicom%2Bxml";
    for (path, accept) in [
        ("/dicom-web/studies", xml),
        ("/dicom-web/studies", "application/dicom+json;q=0.1, multipart/related; type=application/dicom+xml"),
        (by_parameter, "*/*"),
    ] {
        let answer = house.get(path, &house.reader, accept).await;
        let kind = answer.header("content-type").to_owned();
        assert!(kind.starts_with("multipart/related; type=\"application/dicom+xml\"; boundary="), "{kind}");
        let body = String::from_utf8(answer.body.to_vec()).unwrap();
        assert_eq!(body.matches("Content-Type: application/dicom+xml\r\n").count(), 4);
        assert_eq!(body.matches("</NativeDicomModel>").count(), 4);
        assert!(body.contains("<Ideographic><FamilyName>山田</FamilyName><GivenName>太郎</GivenName></Ideographic>"));
    }
}

/// RFC 9110 §9.3.2: HEAD answers as GET does, without the body.
#[tokio::test]
async fn head_answers_without_a_body() {
    let house = house().await;
    let request = Request::head("/dicom-web/studies").header("authorization", format!("Bearer {}", house.reader));
    let answer = house.send(request.body(String::new()).unwrap()).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    assert_eq!(answer.header("content-type"), "application/dicom+json");
}

/// PS3.4 C.6.1.1.2: patients, grouped by issuer and Patient ID, with what is counted of them; for the patient root.
#[tokio::test]
async fn patients_are_found_with_their_counts() {
    let house = house().await;
    let principal = Principal { name: "r".into(), centre: "a".into(), permissions: Permissions::default() };
    let find = async |level, keys: &[Key]| {
        house.state.find(&principal, level, keys, &Include::default(), 10, 0).await.unwrap().answers
    };
    let name = |value: &str| [Key { path: vec![0x0010_0010], value: value.into() }];
    let found = find(Level::Patient, &name("*")).await;
    let ids: Vec<_> = found.iter().map(|one| one["00100020"]["Value"][0].as_str().unwrap()).collect();
    assert_eq!(ids, ["0002", "0003", "0004", PATIENT_ID]);
    let found = find(Level::Patient, &name("山田*")).await;
    assert_eq!(found.len(), 1);
    for (tag, count) in [("00201200", 1), ("00201202", 2), ("00201204", 2)] {
        assert_eq!(found[0][tag]["Value"][0], count, "{tag}");
    }
    // A key of the patient at the level of series, and what is said of the study there.
    let found = find(Level::Series, &name("Watanabe*")).await;
    assert_eq!(found[0]["00080020"]["Value"][0], "20270116");
}

/// Every search is in the audit, with the names of its keys and without their values.
#[tokio::test]
async fn a_search_is_recorded_without_what_was_looked_for() {
    let house = house().await;
    ask(&house, "/studies?PatientName=Yamada*&00400275.00400009=&StudyDate=20270115").await;
    let events = house.log.of("searched");
    assert_eq!(events[0]["level"], "study");
    assert_eq!(events[0]["keys"], json!(["StudyDate", "PatientName"]));
    assert!(!events[0].to_string().contains("Yamada"));
}
