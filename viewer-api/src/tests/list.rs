//! The list of studies by POST: found by what people type, paged and sorted, told nothing of what was typed.

use axum::http::{Request, StatusCode};
use serde_json::{Value, json};
use transcode::codec::Coders;

use super::fixture::{House, PATIENT_ID, STUDY};

async fn list(house: &House, search: Value) -> Value {
    let answer = house.list(&house.reader, &search.to_string()).await;
    assert_eq!(answer.status, StatusCode::OK, "{search}: {answer:?}");
    assert_eq!(answer.header("cache-control"), "no-store");
    answer.json()
}

/// A house of three more studies: another person, an earlier one of the first person, one that is packed.
async fn house() -> House {
    let house = House::new().await;
    for (study, name, id, birth, date) in [
        (2, "Suzuki^Hanako=鈴木^花子=すずき^はなこ", "S-1", "19750302", "20261103"),
        (3, "Yamada^Tarou=山田^太郎", PATIENT_ID, "19600229", "20250101"),
        (4, "Satou^Jirou=佐藤^次郎=さとう^じろう", "19750302", "", "20261120"),
    ] {
        let say = |said: &mut archive::Description| {
            said.study.patient.patient_name = name.into();
            said.study.patient.patient_id = id.into();
            said.study.patient.patient_birth_date = birth.into();
            said.study.study_date = date.into();
        };
        house.take_in_as((study, 1, 1), |said, _| say(said)).await;
    }
    house
}

#[tokio::test]
async fn a_list_is_searched_by_alternatives_and_by_all_groups() {
    let house = house().await;
    let check = async |terms: Value, expected: &[u32]| {
        let found = list(&house, json!({ "terms": terms })).await;
        let uid = |one: &Value| one["StudyInstanceUID"].as_str().unwrap().to_owned();
        let mut uids: Vec<String> = found["studies"].as_array().unwrap().iter().map(uid).collect();
        uids.sort();
        assert_eq!(uids, expected.iter().map(|n| format!("1.2.392.{n}")).collect::<Vec<_>>(), "{terms}");
        assert_eq!((&found["total"], &found["complete"]), (&json!(expected.len()), &json!(true)), "{terms}");
    };
    check(json!([]), &[1, 2, 3, 4]).await;
    for typed in ["山田", "yamada", "ﾔﾏﾀﾞ", "太郎 山田"] {
        check(json!([[{ "name": typed }]]), &[1, 3]).await;
    }
    let day = json!({ "from": "19750302", "to": "19750302" });
    check(json!([[{ "birth_date": day }, { "study_date": day }, { "patient_id": "19750302" }]]), &[2, 4]).await;
    check(json!([[{ "birth_date": day }]]), &[2]).await;
    check(json!([[{ "name": "すずき" }], [{ "study_date": { "from": "20261101" } }]]), &[2]).await;
    check(json!([[{ "name": "すずき" }], [{ "study_date": { "to": "20261101" } }]]), &[]).await;
    check(json!([[{ "patient_id": "s-1" }]]), &[2]).await;
    check(json!([[{ "patient_id": "0417" }]]), &[1, 3]).await;
    check(json!([[{ "name": "nobody" }, { "centre": "Ａ" }]]), &[1, 2, 3, 4]).await;
    check(json!([[{ "centre": "nowhere" }]]), &[]).await;
    check(json!([[{ "modality": "ot" }]]), &[1, 2, 3, 4]).await;
    check(json!([[{ "modality": "CT" }]]), &[]).await;
}

#[tokio::test]
async fn a_page_is_sorted_and_says_what_is_new_what_waits_and_how_many_priors_there_are() {
    let house = house().await;
    let first = list(&house, json!({ "limit": 1 })).await;
    assert_eq!(first["studies"].as_array().unwrap().len(), 1);
    assert_eq!((&first["total"], &first["last_sequence"]), (&json!(4), &json!(7)));
    let by_name = list(&house, json!({ "sort": "patient_name", "limit": 2, "offset": 2 })).await;
    let names = by_name["studies"].as_array().unwrap().iter().map(|one| one["PatientName"].as_str().unwrap());
    assert!(names.clone().all(|name| name.starts_with("Yamada")), "{by_name}");
    let backwards = list(&house, json!({ "sort": "patient_name", "descending": true, "limit": 1 })).await;
    assert!(backwards["studies"][0]["PatientName"].as_str().unwrap().starts_with("Yamada"));
    let own = list(&house, json!({ "terms": [[{ "study_date": { "from": "20270101" } }]] })).await;
    assert_eq!(own["studies"][0]["StudyInstanceUID"], STUDY);
    assert_eq!((&own["studies"][0]["priors"], &own["studies"][0]["waits"]), (&json!(1), &json!(true)));
    house.pack(1, &Coders::HTJ2K).await;
    let own = list(&house, json!({ "terms": [[{ "study_date": { "from": "20270101" } }]] })).await;
    assert_eq!(own["studies"][0]["waits"], false);
    let fresh = list(&house, json!({ "taken_in_after": 5 })).await;
    assert_eq!(fresh["total"], 2);
}

#[tokio::test]
async fn what_is_no_search_is_refused_and_nothing_typed_is_told_or_recorded() {
    let house = house().await;
    for search in [
        "Yamada",
        "{\"terms\": [[{\"birth_date\": {\"from\": \"1960-02-29\"}}]]}",
        "{\"terms\": [[{\"birth_date\": {\"from\": \"19600229\", \"to\": \"19500101\"}}]]}",
        "{\"terms\": [[{\"name\": \"\"}]]}",
        "{\"terms\": [[{\"Yamada\": \"x\"}]]}",
        "{\"Yamada\": 1}",
        "{\"sort\": \"Yamada\"}",
        "{\"limit\": -1}",
    ] {
        let answer = house.list(&house.reader, search).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{search}");
        let said = answer.json().to_string();
        assert!(!said.contains("Yamada") && !said.contains("1960"), "{said}");
    }
    let long = format!("{{\"terms\": [[{{\"name\": \"{}\"}}]]}}", "山".repeat(20_000));
    assert_eq!(house.list(&house.reader, &long).await.status, StatusCode::BAD_REQUEST);
    let many = json!({ "terms": vec![json!([{ "name": "Yamada" }]); 17] }).to_string();
    assert_eq!(house.list(&house.reader, &many).await.status, StatusCode::BAD_REQUEST);
    list(&house, json!({ "terms": [[{ "name": "Yamada" }, { "patient_id": "19600229" }]], "taken_in_after": 1 })).await;
    let searched = house.log.of("searched");
    assert_eq!(searched.len(), 1, "what is refused is not answered, and so not recorded");
    assert_eq!(searched[0]["keys"], json!(["PatientID", "PatientName", "taken_in_after"]));
    assert_eq!(searched[0]["answers"], 2);
    assert!(!format!("{searched:?}").contains("Yamada") && !format!("{searched:?}").contains("1960"));
    let get = Request::get("/search").header("authorization", format!("Bearer {}", house.reader));
    assert_eq!(house.send(get.body(String::new()).unwrap()).await.status, StatusCode::METHOD_NOT_ALLOWED);
}
