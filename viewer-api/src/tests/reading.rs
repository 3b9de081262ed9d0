//! The Reading API as a page uses it.

use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::http::StatusCode;
use futures::FutureExt;
use futures::future::BoxFuture;
use serde_json::{Value, json};
use transcode::codec::Coders;

use super::fixture::House;
use crate::reading::{LEASE_S, Reading, ReportDoor, UNDO_S};
use crate::{NewToken, Role};

/// Readers and a worklist over ECGs.
pub(crate) struct Readers {
    pub(crate) house: House,
    pub(crate) worklist: String,
    pub(crate) tokens: Vec<String>,
}

impl Readers {
    /// Three readers, so many studies, a worklist with this rule for second readers.
    pub(crate) async fn new(studies: u32, double: &str) -> Readers {
        let house = House::empty().await;
        for study in 1..=studies {
            ecg(&house, study, "20270401", None).await;
        }
        let tokens = ["sato", "suzuki", "takahashi"].map(|name| reader(&house, name));
        let body =
            json!({ "name": "春の心電図", "modality": "ECG", "from": "20270401", "to": "20270630", "double": double });
        let answer = house.post("/reading/worklists", &house.admin, &body.to_string()).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{answer:?}");
        let worklist = answer.json()["id"].as_str().unwrap().to_owned();
        Readers { house, worklist, tokens: tokens.into() }
    }

    pub(crate) async fn claim(&self, reader: usize, body: Value) -> Value {
        let path = format!("/reading/worklists/{}/claim", self.worklist);
        let answer = self.house.post(&path, &self.tokens[reader], &body.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    /// Claims one item at a stage and answers it.
    pub(crate) async fn claim_one(&self, reader: usize, stage: &str) -> Value {
        let answer = self.claim(reader, json!({ "count": 1, "stage": stage })).await;
        answer["items"].as_array().unwrap().first().unwrap_or_else(|| panic!("{answer}")).clone()
    }

    pub(crate) async fn send(&self, reader: usize, verdicts: Value) -> Value {
        let body = json!({ "verdicts": verdicts }).to_string();
        let answer = self.house.post("/reading/verdicts", &self.tokens[reader], &body).await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()
    }

    /// Gives a verdict that has to be saved; answers its id.
    pub(crate) async fn give(&self, reader: usize, item: &Value, word: &str) -> String {
        let verdict = verdict(item, word);
        let answer = self.send(reader, json!([verdict])).await;
        assert_eq!(answer, json!({ "saved": [verdict["id"]], "refused": [] }));
        verdict["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn progress(&self, reader: usize) -> Value {
        let answer = self.house.get("/reading/worklists", &self.tokens[reader], "*/*").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        answer.json()["worklists"][0].clone()
    }
}

pub(crate) fn reader(house: &House, name: &str) -> String {
    token(house, name, Role::Reader)
}

fn administrator(house: &House, name: &str) -> String {
    token(house, name, Role::Admin)
}

fn token(house: &House, name: &str, role: Role) -> String {
    let new = NewToken {
        name: name.into(),
        centre: "a".into(),
        role,
        original: false,
        reads: true,
        results: false,
        expires_at: None,
    };
    house.state.tokens().issue(&new, house.state.now()).unwrap()
}

/// Takes an ECG in; the device says this of it.
pub(crate) async fn ecg(house: &House, study: u32, date: &str, says: Option<&str>) {
    house
        .take_in_as((study, 1, 1), |description, document| {
            description.study.study_date = date.into();
            description.series.modality = "ECG".into();
            // A study a child, but those from 100 on, which are all of one child.
            let child = if study < 100 { study } else { 100 };
            description.study.patient.patient_id = format!("CHILD-{child:04}");
            if let Some(text) = says {
                let item = json!({ "00700006": { "vr": "ST", "Value": [text] } });
                document.insert("0040B020".into(), json!({ "vr": "SQ", "Value": [item] }));
            }
        })
        .await;
}

pub(crate) fn verdict(item: &Value, word: &str) -> Value {
    let id = uuid::Uuid::new_v4().to_string();
    json!({
        "id": id, "item": item["item"], "stage": item["stage"], "verdict": word, "findings": ["T-NEG"],
        "text": format!("secret of {word}"), "took_ms": 4200,
    })
}

#[tokio::test]
async fn two_readers_read_blind_and_a_third_decides_where_they_differ() {
    let readers = Readers::new(1, "all").await;
    let first = readers.claim_one(0, "first").await;
    assert_eq!((&first["stage"], &first["blind"], &first["verdicts"]), (&json!("first"), &json!(true), &Value::Null));
    assert_eq!(readers.claim(1, json!({ "count": 5 })).await["items"], json!([]), "the only item is held");
    readers.give(0, &first, "refer").await;
    assert_eq!(readers.claim(0, json!({ "count": 5 })).await["items"], json!([]), "never the same person");
    let second = readers.claim_one(1, "second").await;
    assert_eq!(second["item"], first["item"]);
    for answer in [readers.progress(1).await, second.clone()] {
        assert!(!answer.to_string().contains("secret") && !answer.to_string().contains("refer"), "{answer}");
    }
    assert_eq!(readers.progress(1).await["awaiting_second"], 1);
    readers.give(1, &second, "normal").await;
    let progress = readers.progress(0).await;
    assert_eq!((&progress["awaiting_adjudication"], &progress["mine"]), (&json!(1), &json!(1)));
    for reader in [0, 1] {
        let asked = readers.claim(reader, json!({ "count": 5, "stage": "adjudication" })).await;
        assert_eq!((&asked["items"], &asked["remaining"]), (&json!([]), &json!(0)), "nobody judges themselves");
    }
    let judged = readers.claim_one(2, "adjudication").await;
    assert_eq!(judged["blind"], false);
    let words: Vec<&Value> = judged["verdicts"].as_array().unwrap().iter().map(|it| &it["verdict"]).collect();
    assert_eq!(words, ["refer", "normal"]);
    readers.give(2, &judged, "follow-up").await;
    assert_eq!(readers.progress(2).await["decided"], 1);
    let about = readers.house.log.of("read");
    assert!(about.iter().any(|event| event["act"] == "claimed" && event["about"]["studies"] == json!(["1.2.392.1"])));
    let audit = serde_json::to_string(&about).unwrap();
    assert!(!audit.contains("secret") && !audit.contains("CHILD") && !audit.contains("Yamada"));
}

#[tokio::test]
async fn a_group_may_decide_with_the_readers_in_it() {
    let mut readers = Readers::new(1, "all").await;
    let first = readers.claim_one(0, "first").await;
    readers.give(0, &first, "refer").await;
    let second = readers.claim_one(1, "second").await;
    let given = readers.give(1, &second, "normal").await;
    let asked = json!({ "count": 1, "stage": "adjudication", "group": true });
    let path = format!("/reading/worklists/{}/claim", readers.worklist);
    let refused = readers.house.post(&path, &readers.tokens[0], &asked.to_string()).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "nobody makes themselves a group");
    assert_eq!(readers.house.log.of("denied").len(), 1);
    readers.tokens[0] = administrator(&readers.house, "sato");
    let judged = readers.claim(0, asked).await["items"][0].clone();
    assert_eq!(judged["verdicts"].as_array().unwrap().len(), 2);
    let undo = format!("/reading/verdicts/{given}/undo");
    let answer = readers.house.post(&undo, &readers.tokens[1], "").await;
    assert_eq!(answer.status, StatusCode::CONFLICT, "what an adjudicator has seen stands");
    readers.give(0, &judged, "refer").await;
    assert_eq!(readers.progress(0).await["decided"], 1);
}

#[tokio::test]
async fn the_same_verdict_again_is_the_same_and_the_same_id_with_other_content_is_refused() {
    let readers = Readers::new(2, "none").await;
    let items = readers.claim(0, json!({ "count": 2 })).await["items"].clone();
    let one = verdict(&items[0], "normal");
    let mut other = one.clone();
    other["verdict"] = "refer".into();
    let strange = json!({ "id": "x", "item": items[1]["item"], "stage": "first", "verdict": "normal" });
    let unknown = json!({ "id": uuid::Uuid::new_v4().to_string(), "item": items[1]["item"], "stage": "first",
        "verdict": "normal", "findings": ["NOT-A-CODE"] });
    let broken = json!({ "id": "b", "verdict": "fine" });
    // All in one request: each is judged after what came before it.
    let answer = readers.send(0, json!([one, one, other, strange, unknown, broken])).await;
    assert_eq!(answer["saved"], json!([one["id"], one["id"]]));
    let reasons: Vec<&Value> = answer["refused"].as_array().unwrap().iter().map(|it| &it["reason"]).collect();
    assert_eq!(reasons, ["not-a-verdict", "other-content", "not-a-uuid", "unknown-code"]);
    assert_eq!(readers.send(0, json!([one])).await["saved"], json!([one["id"]]));
    assert_eq!(readers.progress(0).await["decided"], 1);
    let not_mine = readers.send(1, json!([verdict(&items[1], "normal")])).await;
    assert_eq!(not_mine["refused"][0]["reason"], "not-claimed");
}

#[tokio::test]
async fn a_claim_lasts_while_its_holder_is_active_and_then_ends() {
    let readers = Readers::new(3, "none").await;
    let items = readers.claim(0, json!({ "count": 2 })).await["items"].clone();
    // A page that was loaded again gets back what it had; one that says what it has gets what is new.
    assert_eq!(readers.claim(0, json!({ "count": 2 })).await["items"].as_array().unwrap().len(), 2);
    let has = [items[0]["item"].clone(), items[1]["item"].clone()];
    let third = readers.claim(0, json!({ "count": 2, "held": has })).await["items"].clone();
    assert_eq!(third.as_array().unwrap().len(), 1);
    assert!(!has.contains(&third[0]["item"]));
    readers.house.clock.forward(LEASE_S - 1);
    readers.give(0, &items[0], "normal").await;
    readers.house.clock.forward(LEASE_S - 1);
    assert_eq!(readers.claim(1, json!({ "count": 5 })).await["items"], json!([]), "active, so all are held still");
    readers.house.clock.forward(1);
    let taken = readers.claim(1, json!({ "count": 1 })).await["items"].clone();
    assert_eq!(taken[0]["item"], items[1]["item"]);
    // The one who was away saves first: that is a verdict too, and the other's becomes a second one.
    readers.give(0, &items[1], "normal").await;
    readers.give(1, &taken[0], "refer").await;
    assert_eq!(readers.progress(0).await["awaiting_adjudication"], 1);
    let path = format!("/reading/items/{}/release", third[0]["item"].as_str().unwrap());
    assert_eq!(readers.house.post(&path, &readers.tokens[0], "").await.status, StatusCode::OK);
    assert_eq!(readers.claim_one(2, "first").await["item"], third[0]["item"]);
}

#[tokio::test]
async fn a_verdict_is_taken_back_only_soon_and_only_by_its_reader() {
    let readers = Readers::new(2, "none").await;
    let items = readers.claim(0, json!({ "count": 2 })).await["items"].clone();
    let given = readers.give(0, &items[0], "normal").await;
    let undo = |id: &str| format!("/reading/verdicts/{id}/undo");
    assert_eq!(readers.house.post(&undo(&given), &readers.tokens[1], "").await.status, StatusCode::NOT_FOUND);
    let undone = readers.house.post(&undo(&given), &readers.tokens[0], "").await.json();
    assert_eq!(undone["item"]["item"], items[0]["item"]);
    assert_eq!(readers.progress(0).await["unread"], 2);
    assert_eq!(readers.house.post(&undo(&given), &readers.tokens[0], "").await.status, StatusCode::OK, "again");
    let given = readers.give(0, &undone["item"], "refer").await;
    readers.house.clock.forward(UNDO_S);
    assert_eq!(readers.house.post(&undo(&given), &readers.tokens[0], "").await.status, StatusCode::CONFLICT);
}

#[tokio::test]
async fn studies_join_as_they_come_and_the_device_only_asks_for_a_second_reader() {
    // Proves that what a device calls normal is read by a person all the same, and closes nothing by itself.
    let readers = Readers::new(0, "device-abnormal").await;
    assert_eq!(readers.progress(0).await["total"], 0);
    let says = [Some("Normal ECG"), Some("Abnormal ECG"), None];
    for (study, says) in (1..).zip(says) {
        ecg(&readers.house, study, "20270501", says).await;
    }
    ecg(&readers.house, 9, "20270701", None).await;
    readers.house.take_in(50, 1, 1).await;
    readers.house.clock.forward(100 * 24 * 3600);
    let progress = readers.progress(0).await;
    assert_eq!((&progress["total"], &progress["unread"], &progress["decided"]), (&json!(3), &json!(3), &json!(0)));
    let items = readers.claim(0, json!({ "count": 3 })).await["items"].clone();
    for item in items.as_array().unwrap() {
        readers.give(0, item, "normal").await;
    }
    let progress = readers.progress(0).await;
    assert_eq!((&progress["awaiting_second"], &progress["decided"]), (&json!(2), &json!(1)));
}

#[tokio::test]
async fn priors_are_of_the_same_child_the_newest_first() {
    let readers = Readers::new(0, "none").await;
    for (study, date) in [(100, "20270402"), (101, "20260402"), (102, "20250402"), (103, "20270501"), (1, "20260101")] {
        ecg(&readers.house, study, date, None).await;
    }
    let items = readers.claim(0, json!({ "count": 9 })).await["items"].clone();
    let of =
        |study: &str| items.as_array().unwrap().iter().find(|item| item["study"] == study).unwrap()["priors"].clone();
    let dates = |priors: Value| priors.as_array().unwrap().iter().map(|it| it["date"].clone()).collect::<Vec<_>>();
    assert_eq!(dates(of("1.2.392.100")), ["20260402", "20250402"]);
    assert_eq!(dates(of("1.2.392.103")), ["20270402", "20260402", "20250402"]);
}

/// What is kept of a study's only instance cannot be read any more.
fn damage(house: &House, study: u32) {
    overwrite(house, study, '"', b'!');
}

/// And can again.
fn mend(house: &House, study: u32) {
    overwrite(house, study, '!', b'"');
}

fn overwrite(house: &House, study: u32, before: char, by: u8) {
    let name = format!("{before}1.2.392.{study}.1.1\"");
    for segment in std::fs::read_dir(house.state.reader().layout().intake()).unwrap() {
        let path = segment.unwrap().path();
        let mut bytes = std::fs::read(&path).unwrap();
        if let Some(place) = bytes.windows(name.len()).position(|some| some == name.as_bytes()) {
            bytes[place] = by;
            std::fs::write(&path, bytes).unwrap();
            return;
        }
    }
    panic!("no segment holds {name}");
}

#[tokio::test]
async fn a_study_that_cannot_be_read_keeps_no_other_from_being_read_and_sent() {
    let readers = Readers::new(0, "device-abnormal").await;
    for (study, says) in [(1, Some("Normal ECG")), (2, Some("Normal ECG")), (3, Some("Normal ECG"))] {
        ecg(&readers.house, study, "20270501", says).await;
    }
    damage(&readers.house, 2);
    assert_eq!(readers.progress(0).await["total"], 2);
    let items = readers.claim(0, json!({ "count": 3 })).await["items"].clone();
    for item in items.as_array().unwrap() {
        readers.give(0, item, "normal").await;
    }
    ecg(&readers.house, 4, "20270501", None).await;
    assert_eq!(readers.progress(0).await["total"], 3, "what comes later is found");
    readers.house.clock.forward(UNDO_S);
    damage(&readers.house, 3);
    let hub = hub(&readers.house);
    assert_eq!(readers.export(&hub).await, json!({ "number": 1, "rows": 1, "more": false }));
}

/// The metadata of the only series of a pack cannot be read any more.
fn damage_documents(house: &House, pack: u64) {
    let name = b"series-1.json.zst";
    let path = house.state.reader().layout().objects().join(format!("packs/{:03}/pack-{pack:012}.zip", pack % 1000));
    let mut bytes = std::fs::read(&path).unwrap();
    let place = bytes.windows(name.len()).position(|some| some == name).unwrap();
    bytes[place + name.len()] ^= 0xFF;
    std::fs::write(&path, bytes).unwrap();
}

#[tokio::test]
async fn where_what_the_device_says_cannot_be_read_two_readers_look() {
    let readers = Readers::new(0, "device-abnormal").await;
    ecg(&readers.house, 1, "20270501", Some("Normal ECG")).await;
    readers.house.pack(1, &Coders::HTJ2K).await;
    damage_documents(&readers.house, 1);
    let item = readers.claim_one(0, "first").await;
    readers.give(0, &item, "normal").await;
    assert_eq!(readers.progress(0).await["awaiting_second"], 1);
}

#[tokio::test]
async fn a_study_that_could_not_be_read_joins_once_it_can() {
    let readers = Readers::new(0, "all").await;
    ecg(&readers.house, 1, "20270501", None).await;
    damage(&readers.house, 1);
    assert_eq!(readers.progress(0).await["total"], 0);
    mend(&readers.house, 1);
    assert_eq!(readers.progress(0).await["total"], 0, "not at once: it costs everybody time");
    readers.house.clock.forward(300);
    assert_eq!(readers.progress(0).await["total"], 1);
}

#[tokio::test]
async fn a_prior_that_cannot_be_read_is_left_out() {
    let readers = Readers::new(0, "none").await;
    for (study, date) in [(100, "20270402"), (101, "20260402"), (102, "20250402")] {
        ecg(&readers.house, study, date, None).await;
    }
    damage(&readers.house, 101);
    let items = readers.claim(0, json!({ "count": 1 })).await["items"].clone();
    let priors: Vec<&Value> = items[0]["priors"].as_array().unwrap().iter().map(|it| &it["date"]).collect();
    assert_eq!(priors, ["20250402"]);
}

#[tokio::test]
async fn making_a_worklist_is_an_administrators_and_wrong_ones_are_refused() {
    let readers = Readers::new(0, "none").await;
    let body = |name: &str, modality: &str, from: &str| {
        json!({ "name": name, "modality": modality, "from": from, "double": "none" }).to_string()
    };
    let post = |token: &str, body: String| {
        let token = token.to_owned();
        let house = &readers.house;
        async move { house.post("/reading/worklists", &token, &body).await.status }
    };
    assert_eq!(post(&readers.tokens[0], body("a", "ECG", "20270401")).await, StatusCode::FORBIDDEN);
    for wrong in [body("", "ECG", "20270401"), body("a", "ecg", "20270401"), body("a", "ECG", "20270231"), "{}".into()]
    {
        assert_eq!(post(&readers.house.admin, wrong.clone()).await, StatusCode::BAD_REQUEST, "{wrong}");
    }
    let codes = readers.house.get("/reading/codes", &readers.tokens[0], "*/*").await.json();
    assert!(
        codes["codes"]
            .as_array()
            .unwrap()
            .iter()
            .any(|code| code["ja"] == "完全房室ブロック" && code["urgent"] == true)
    );
}

/// A token for results alone.
fn hub(house: &House) -> String {
    let new = NewToken {
        name: "hub".into(),
        centre: "a".into(),
        role: Role::Reader,
        original: false,
        reads: false,
        results: true,
        expires_at: None,
    };
    house.state.tokens().issue(&new, house.state.now()).unwrap()
}

impl Readers {
    async fn export(&self, token: &str) -> Value {
        let answer = self.house.post(&format!("/reading/worklists/{}/exports", self.worklist), token, "").await;
        assert!(answer.status.is_success(), "{answer:?}");
        answer.json()
    }

    async fn fetch(&self, token: &str, what: &str) -> String {
        let path = format!("/reading/worklists/{}/{what}", self.worklist);
        let answer = self.house.get(&path, token, "*/*").await;
        assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
        String::from_utf8(answer.body.to_vec()).unwrap()
    }
}

#[tokio::test]
async fn each_row_is_sent_once_and_an_export_can_be_fetched_again_the_same() {
    let readers = Readers::new(3, "none").await;
    let hub = hub(&readers.house);
    let items = readers.claim(0, json!({ "count": 3 })).await["items"].clone();
    readers.give(0, &items[0], "refer").await;
    readers.give(0, &items[1], "normal").await;
    assert_eq!(readers.export(&hub).await, json!({ "number": null, "rows": 0, "more": false }), "not settled");
    readers.house.clock.forward(UNDO_S);
    readers.give(0, &items[2], "follow-up").await;
    assert_eq!(readers.export(&hub).await, json!({ "number": 1, "rows": 2, "more": false }));
    let csv = readers.fetch(&hub, "results.csv?export=1").await;
    let lines: Vec<&str> = csv.trim_start_matches('\u{FEFF}').trim_end().split("\r\n").collect();
    assert!(csv.starts_with('\u{FEFF}') && lines[0].starts_with("学校,学年,組,児童生徒ID,"), "{csv}");
    assert_eq!(lines.len(), 3, "{csv}");
    assert!(lines[1].starts_with(",,,CHILD-0001,a,20270401,要受診,refer,,T-NEG,陰性T波,tsunagu-"), "{csv}");
    assert!(lines[1].contains("secret of refer") && lines[1].contains("新規"), "{csv}");
    assert!(!csv.contains("Yamada") && !csv.contains("山田"));
    assert_eq!(readers.export(&hub).await["number"], Value::Null, "each once");
    readers.house.clock.forward(UNDO_S);
    assert_eq!(readers.export(&hub).await, json!({ "number": 2, "rows": 1, "more": false }));
    assert!(readers.fetch(&hub, "results.csv?export=2").await.contains("CHILD-0003"));
    assert_eq!(readers.fetch(&hub, "results.csv?export=1").await, csv);
    assert_eq!(readers.fetch(&hub, "results.csv").await.lines().count(), 4, "all, and nothing is sent by looking");
    let exports: Value = serde_json::from_str(&readers.fetch(&hub, "exports").await).unwrap();
    let numbers: Vec<&Value> = exports["exports"].as_array().unwrap().iter().map(|it| &it["number"]).collect();
    assert_eq!(numbers, [1, 2]);
    for token in &readers.tokens {
        let path = format!("/reading/worklists/{}/results.csv", readers.worklist);
        assert_eq!(readers.house.get(&path, token, "*/*").await.status, StatusCode::FORBIDDEN, "readers stay blind");
    }
}

#[tokio::test]
async fn nobody_is_told_of_what_can_still_be_taken_back_or_waits_for_a_reader() {
    let readers = Readers::new(2, "all").await;
    let admin = readers.house.admin.clone();
    let items = readers.claim(0, json!({ "count": 2 })).await["items"].clone();
    let given = readers.give(0, &items[0], "refer").await;
    readers.house.clock.forward(UNDO_S);
    let sr = format!("/reading/verdicts/{given}/sr");
    for path in ["results.csv", "fhir"] {
        assert!(!readers.fetch(&admin, path).await.contains("refer"), "{path}: it waits for its second reader");
    }
    assert_eq!(readers.house.get(&sr, &admin, "*/*").await.status, StatusCode::NOT_FOUND);
    let second = readers.claim_one(1, "second").await;
    let given = readers.give(1, &second, "refer").await;
    assert!(!readers.fetch(&admin, "results.csv").await.contains("refer"), "it can be taken back still");
    readers.house.clock.forward(UNDO_S);
    assert!(readers.fetch(&admin, "results.csv").await.contains("refer"));
    for sr in [sr, format!("/reading/verdicts/{given}/sr")] {
        let answer = readers.house.get(&sr, &admin, "*/*").await;
        assert_eq!((answer.status, answer.header("content-type")), (StatusCode::OK, "application/dicom"));
        assert_eq!(&answer.body[128..132], b"DICM");
    }
}

#[tokio::test]
async fn results_as_fhir_have_the_structure_of_a_bundle() {
    let readers = Readers::new(2, "none").await;
    let hub = hub(&readers.house);
    let items = readers.claim(0, json!({ "count": 2 })).await["items"].clone();
    readers.give(0, &items[0], "refer").await;
    readers.give(0, &items[1], "normal").await;
    readers.house.clock.forward(UNDO_S);
    readers.export(&hub).await;
    let text = readers.fetch(&hub, "fhir?export=1").await;
    assert_eq!(readers.fetch(&hub, "fhir?export=1").await, text);
    let bundle: Value = serde_json::from_str(&text).unwrap();
    let kinds = is_a_bundle(&bundle);
    let count = |kind: &str| kinds.iter().filter(|it| *it == kind).count();
    assert_eq!([count("Patient"), count("DiagnosticReport"), count("Observation"), count("ImagingStudy")], [2; 4]);
    assert!(text.contains("陰性T波") && text.contains("urn:oid:1.2.392.1\"") && text.contains("9A110160800000049"));
    assert!(!text.contains("Yamada") && !text.contains("山田"));
}

/// Holds a bundle against what R4 asks of these resources; answers their kinds.
fn is_a_bundle(bundle: &Value) -> Vec<String> {
    assert_eq!((&bundle["resourceType"], &bundle["type"]), (&json!("Bundle"), &json!("collection")));
    let instant = |value: &Value| {
        let text = value.as_str().unwrap();
        assert!(text.parse::<jiff::Timestamp>().is_ok() && text.contains('.'), "milliseconds and a zone: {text}");
    };
    instant(&bundle["meta"]["lastUpdated"]);
    instant(&bundle["timestamp"]);
    let entries = bundle["entry"].as_array().unwrap();
    let urls: std::collections::BTreeSet<&str> = entries.iter().map(|it| it["fullUrl"].as_str().unwrap()).collect();
    assert_eq!(urls.len(), entries.len(), "every entry has an address of its own");
    for url in &urls {
        assert!(uuid::Uuid::try_parse(url.strip_prefix("urn:uuid:").unwrap()).is_ok(), "{url}");
    }
    let required = |kind: &str| match kind {
        "Patient" => &["identifier"][..],
        "ImagingStudy" => &["identifier", "status", "subject"],
        "Observation" => &["status", "code", "subject", "effectiveDateTime", "valueCodeableConcept"],
        "DiagnosticReport" => {
            &["status", "code", "subject", "effectiveDateTime", "result", "imagingStudy", "conclusion"]
        }
        other => panic!("{other}"),
    };
    let kind_of = |entry: &Value| entry["resource"]["resourceType"].as_str().unwrap().to_owned();
    for entry in entries {
        for key in required(&kind_of(entry)) {
            assert!(!entry["resource"][*key].is_null(), "{key} of {entry}");
        }
        references(&entry["resource"], &mut |reference| assert!(urls.contains(reference), "{reference} leads nowhere"));
        no_empty(&entry["resource"]);
    }
    entries.iter().map(kind_of).collect()
}

fn references(value: &Value, each: &mut impl FnMut(&str)) {
    match value {
        Value::Object(members) => {
            members.get("reference").and_then(Value::as_str).into_iter().for_each(&mut *each);
            members.values().for_each(|value| references(value, each));
        }
        Value::Array(values) => values.iter().for_each(|value| references(value, each)),
        _ => {}
    }
}

/// R4 §2.6.2: no empty arrays, objects or strings, and no nulls.
fn no_empty(value: &Value) {
    match value {
        Value::Object(members) => {
            assert!(!members.is_empty());
            members.values().for_each(no_empty);
        }
        Value::Array(values) => {
            assert!(!values.is_empty());
            values.iter().for_each(no_empty);
        }
        Value::String(text) => assert!(!text.is_empty()),
        other => assert!(!other.is_null()),
    }
}

/// A door that remembers what was handed in, and fails when told so.
#[derive(Default)]
struct Door {
    stored: Mutex<Vec<(String, Vec<u8>)>>,
    broken: AtomicBool,
}

impl ReportDoor for Door {
    fn store(&self, _: String, uid: String, part10: Vec<u8>) -> BoxFuture<'_, Result<(), String>> {
        self.stored.lock().unwrap().push((uid, part10));
        let broken = self.broken.load(Ordering::SeqCst);
        async move { if broken { Err("stored, and then the power went".into()) } else { Ok(()) } }.boxed()
    }
}

#[tokio::test]
async fn a_report_is_stored_once_and_after_a_crash_just_the_same() {
    let readers = Readers::new(2, "none").await;
    let (state, door) = (&readers.house.state, Door::default());
    let reading = state.reading().unwrap();
    let items = readers.claim(0, json!({ "count": 2 })).await["items"].clone();
    let given = readers.give(0, &items[0], "refer").await;
    let store = async || reading.store_reports(state.reader(), &door, state.now()).await.unwrap();
    assert_eq!(store().await, 0, "it can be taken back still");
    readers.house.clock.forward(UNDO_S);
    door.broken.store(true, Ordering::SeqCst);
    assert_eq!(store().await, 0);
    door.broken.store(false, Ordering::SeqCst);
    readers.house.clock.forward(3600);
    assert_eq!((store().await, store().await), (1, 0));
    let stored = door.stored.lock().unwrap().clone();
    assert_eq!(stored.len(), 2);
    assert_eq!(stored[0], stored[1], "what was stored before a crash is the same file");
    let asked = readers.house.get(&format!("/reading/verdicts/{given}/sr"), &readers.house.admin, "*/*").await;
    assert_eq!(asked.body, stored[0].1);
    // Another process, or the next start, knows it too.
    let again = Reading::open(&state.reader().layout().event_log("reading")).unwrap();
    assert_eq!(again.store_reports(state.reader(), &door, state.now()).await.unwrap(), 0);
}
