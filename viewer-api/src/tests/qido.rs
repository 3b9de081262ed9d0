//! Matching in QIDO-RS, requirement by requirement (PS3.18 §8.3.4, §10.6; PS3.4 C.2.2.2).

use archive::{Description, RequestAttributes};
use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use super::fixture::{Answer, House};

/// Four people, a study of one series of one instance each; the first study has a second series.
pub(crate) async fn house() -> House {
    let house = House::empty().await;
    let said = |out: &mut Description, name: &str, date: &str, time: &str, modality: &str| {
        out.study.patient.patient_name = name.into();
        (out.study.study_date, out.study.study_time) = (date.into(), time.into());
        out.series.modality = modality.into();
    };
    house
        .take_in_as((1, 1, 1), |out, document| {
            said(out, "Yamada^Tarou=山田^太郎=やまだ^たろう", "20270115", "100000", "CT");
            out.study.accession_number = "A-001".into();
            out.study.study_description = "Chest [low dose]".into();
            out.study.referring_physician_name = "Suzuki^Ichirou=鈴木^一郎".into();
            out.study.timezone_offset_from_utc = "+0900".into();
            out.series.request_attributes = vec![RequestAttributes {
                scheduled_procedure_step_id: "STEP-1".into(),
                requested_procedure_id: "PROC-1".into(),
            }];
            document_of_the_first(document);
        })
        .await;
    house
        .take_in_as((1, 2, 1), |out, _| said(out, "Yamada^Tarou=山田^太郎=やまだ^たろう", "20270115", "100000", "SR"))
        .await;
    house
        .take_in_as((2, 1, 1), |out, document| {
            said(out, "Watanabe^Ichirou=渡邉^一郎=わたなべ^いちろう", "20270116", "220000", "CT");
            out.study.patient.patient_id = "0002".into();
            out.study.accession_number = "A-002".into();
            document.insert("00080080".into(), json!({ "vr": "LO", "Value": ["Minami"] }));
            document.insert("0008002A".into(), json!({ "vr": "DT", "Value": ["20270116220000+0000"] }));
        })
        .await;
    house
        .take_in_as((3, 1, 1), |out, _| {
            said(out, "ﾀｶﾊｼ^ﾊﾅｺ=髙橋^花子=たかはし^はなこ", "20270117", "093000.5", "MG");
            out.study.patient.patient_id = "0003".into();
            out.study.patient.patient_sex = "F".into();
        })
        .await;
    house
        .take_in_as((4, 1, 1), |out, _| {
            said(out, "Ohno^Yohko=大野^陽子=おおの^ようこ", "20270118", "", "US");
            out.study.patient.patient_id = "0004".into();
            out.study.patient.patient_sex = "F".into();
        })
        .await;
    house
}

fn document_of_the_first(document: &mut Map<String, Value>) {
    let text = |vr: &str, value: &str| json!({ "vr": vr, "Value": [value] });
    document.insert("00080080".into(), text("LO", "Kita"));
    document.insert("00101010".into(), text("AS", "066Y"));
    document.insert("00090010".into(), text("LO", "ACME"));
    document.insert("00091001".into(), text("LO", "private"));
    let item = json!({ "00400007": text("LO", "Plain chest"), "00400009": text("SH", "STEP-1"), "00401001": text("SH", "PROC-1"),
        "00400008": { "vr": "SQ", "Value": [{ "00080100": text("SH", "P5-09051") }] } });
    document.insert("00400275".into(), json!({ "vr": "SQ", "Value": [item] }));
    document.insert("00081032".into(), json!({ "vr": "SQ", "Value": [{ "00080100": text("SH", "CHEST-1") }] }));
}

pub(crate) async fn ask(house: &House, path: &str) -> Answer {
    let answer = house.get(&format!("/dicom-web{path}"), &house.reader, "application/dicom+json").await;
    assert!(answer.status.is_success(), "{path}: {answer:?}");
    answer
}

/// The values of an attribute in the answers, in their order.
pub(crate) async fn values(house: &House, path: &str, tag: &str) -> Vec<String> {
    let answers = ask(house, path).await.json();
    let value = |answer: &Value| match &answer[tag]["Value"][0] {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    answers.as_array().unwrap().iter().map(value).collect()
}

/// Which studies a query finds, by the last number of their UIDs, in their order.
async fn check(house: &House, query: &str, expected: &str) {
    let uids = values(house, &format!("/studies?{query}"), "0020000D").await;
    let found: String = uids.iter().filter_map(|uid| uid.rsplit('.').next()).collect();
    assert_eq!(found, expected, "{query}");
}

async fn refused(house: &House, path: &str, name: &str) {
    let answer = house.get(&format!("/dicom-web{path}"), &house.reader, "application/dicom+json").await;
    assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}: {answer:?}");
    assert!(answer.json()["error"].as_str().unwrap().contains(name), "{path}: {answer:?}");
}

/// PS3.4 C.2.2.2.1: equal, case included.
#[tokio::test]
async fn a_single_value_matches_what_is_equal() {
    let house = house().await;
    check(&house, "AccessionNumber=A-001", "1").await;
    check(&house, "AccessionNumber=a-001", "").await;
    check(&house, "PatientID=0002", "2").await;
    check(&house, "PatientID=2", "").await;
    check(&house, "StudyDescription=Chest%20%5Blow+dose%5D", "1").await;
    check(&house, "PatientSex=F", "43").await;
}

/// PS3.4 C.2.2.2.1: names of persons without regard to case, each component group as a whole.
#[tokio::test]
async fn a_name_matches_without_regard_to_case_in_any_group() {
    let house = house().await;
    check(&house, "PatientName=YAMADA%5Etarou", "1").await;
    check(&house, "PatientName=Yamada", "").await;
    check(&house, "PatientName=%E5%B1%B1%E7%94%B0%5E%E5%A4%AA%E9%83%8E", "1").await;
    check(&house, "PatientName=%EF%BE%94%EF%BE%8F%EF%BE%80%EF%BE%9E*", "1").await;
    check(&house, "PatientName=高橋*", "3").await;
    check(&house, "PatientName=渡辺^一郎", "2").await;
    check(&house, "ReferringPhysicianName=suzuki*", "1").await;
    check(&house, "ReferringPhysicianName=鈴木*", "1").await;
}

/// PS3.4 C.2.2.2.4: `*` is any run of characters, `?` any one; other characters stand for themselves.
#[tokio::test]
async fn wildcards_stand_for_any_run_and_for_any_one() {
    let house = house().await;
    check(&house, "AccessionNumber=A-*", "21").await;
    check(&house, "AccessionNumber=A-00%3F", "21").await;
    check(&house, "AccessionNumber=A-0%3F", "").await;
    check(&house, "StudyDescription=*%5Blow*", "1").await;
    check(&house, "PatientName=*ICHI*", "2").await;
    check(&house, "PatientID=000*", "432").await;
    check(&house, "StudyInstanceUID=*", "4321").await;
}

/// PS3.4 C.2.2.2.2, PS3.18 §8.3.4.1: UIDs with commas, with backslashes, and repeated.
#[tokio::test]
async fn a_list_of_uids_matches_any_of_them() {
    let house = house().await;
    check(&house, "StudyInstanceUID=1.2.392.1,1.2.392.3,9.9", "31").await;
    check(&house, "StudyInstanceUID=1.2.392.1%5C1.2.392.3", "31").await;
    check(&house, "StudyInstanceUID=1.2.392.1&0020000D=1.2.392.3", "31").await;
    let sops = "1.2.392.1.1.1,1.2.392.4.1.1";
    assert_eq!(values(&house, &format!("/instances?SOPInstanceUID={sops}"), "00080018").await.join(","), sops);
    refused(&house, "/studies?StudyInstanceUID=1.2.x", "StudyInstanceUID").await;
}

/// PS3.4 C.2.2.2.3: an empty value matches all and asks for the attribute.
#[tokio::test]
async fn an_empty_value_matches_all_and_asks_for_the_attribute() {
    let house = house().await;
    check(&house, "AccessionNumber=&PatientAge=&StudyDate=", "4321").await;
    let answers = ask(&house, "/studies?PatientAge=").await.json();
    assert_eq!(answers[3]["00101010"], json!({ "vr": "AS", "Value": ["066Y"] }));
    assert_eq!(answers[0]["00101010"], json!({ "vr": "AS" }));
}

/// PS3.4 C.2.2.2.5.1: ranges of dates, open at either end.
#[tokio::test]
async fn ranges_of_dates_include_both_ends_and_may_be_open() {
    let house = house().await;
    check(&house, "StudyDate=20270116", "2").await;
    check(&house, "StudyDate=20270116-20270117", "32").await;
    check(&house, "StudyDate=20270117-", "43").await;
    check(&house, "StudyDate=-20270115", "1").await;
    check(&house, "00080020=20280101-", "").await;
    for bad in ["2027-01-15", "20270230", "-", "20270117-20270115", "today"] {
        refused(&house, &format!("/studies?StudyDate={bad}"), "StudyDate").await;
    }
}

/// PS3.4 C.2.2.2.5.2: ranges of times, of any precision.
#[tokio::test]
async fn ranges_of_times_compare_values_of_different_precision() {
    let house = house().await;
    check(&house, "StudyTime=0930-1000", "31").await;
    check(&house, "StudyTime=10", "1").await;
    check(&house, "StudyTime=100000", "1").await;
    check(&house, "StudyTime=2130-", "2").await;
    check(&house, "StudyTime=-093000", "3").await;
    for bad in ["25", "9:30", "0960", "1000-0900"] {
        refused(&house, &format!("/studies?StudyTime={bad}"), "StudyTime").await;
    }
}

/// PS3.18 §8.3.4.1, PS3.4 C.2.2.2.5.4: a date and a time, both ranges of the same form, are one range.
#[tokio::test]
async fn a_range_of_dates_and_one_of_times_are_combined() {
    let house = house().await;
    check(&house, "StudyDate=20270115-20270117&StudyTime=1000-0900", "21").await;
    check(&house, "StudyDate=20270116-&StudyTime=2200-", "432").await;
    check(&house, "StudyDate=20270115-20270116&StudyTime=1001-2159", "").await;
    check(&house, "StudyDate=20270115-20270117&StudyTime=-1000", "31").await;
}

/// PS3.4 C.2.2.2.5.3: moments are compared with their offsets from UTC.
#[tokio::test]
async fn ranges_of_moments_take_offsets_into_account() {
    let house = house().await;
    let sops = async |query: &str| values(&house, &format!("/instances?{query}"), "00080018").await;
    assert_eq!(sops("AcquisitionDateTime=20270117065959%2B0900-20270117070000%2B0900").await, ["1.2.392.2.1.1"]);
    assert_eq!(sops("AcquisitionDateTime=20270117-").await, ["1.2.392.2.1.1"], "07:00 in Japan");
    assert!(sops("AcquisitionDateTime=20270116").await.is_empty());
    refused(&house, "/instances?AcquisitionDateTime=202713", "AcquisitionDateTime").await;
}

/// PS3.18 §8.3.4.1, PS3.4 C.2.2.2.6: attributes of items, by keyword or tag, to any depth.
#[tokio::test]
async fn attributes_of_sequences_are_matched_item_by_item() {
    let house = house().await;
    let series = async |query: &str| values(&house, &format!("/series?{query}"), "0020000E").await;
    for name in [
        "00400275.00400009",
        "RequestAttributesSequence.ScheduledProcedureStepID",
        "RequestAttributesSequence.00400009",
    ] {
        assert_eq!(series(&format!("{name}=STEP-1")).await, ["1.2.392.1.1"], "{name}");
        assert!(series(&format!("{name}=STEP-2")).await.is_empty(), "{name}");
    }
    assert_eq!(series("00400275.00400009=STEP*&00400275.00401001=PROC-1").await, ["1.2.392.1.1"]);
    assert_eq!(series("00400275.00400008.00080100=P5-09051").await, ["1.2.392.1.1"]);
    check(&house, "ProcedureCodeSequence.CodeValue=CHEST-1", "1").await;
    refused(&house, "/series?RequestAttributesSequence=x", "RequestAttributesSequence").await;
}

/// PS3.4 C.2.2.2.6: the answer has the matching items, with what was asked for.
#[tokio::test]
async fn a_key_in_a_sequence_is_answered_by_its_items() {
    let house = house().await;
    let answers = ask(&house, "/studies?ProcedureCodeSequence.CodeValue=CHEST-1").await.json();
    let item = json!({ "00080100": { "vr": "SH", "Value": ["CHEST-1"] } });
    assert_eq!(answers[0]["00081032"], json!({ "vr": "SQ", "Value": [item] }));
}

/// Attributes that the index has no column for are matched in the metadata.
#[tokio::test]
async fn any_attribute_can_be_a_key() {
    let house = house().await;
    check(&house, "InstitutionName=Kita", "1").await;
    check(&house, "00080080=M*", "2").await;
    check(&house, "PatientAge=066Y&PatientSex=M", "1").await;
    check(&house, "00091001=private", "1").await;
    let sops = async |query: &str| values(&house, &format!("/instances?{query}"), "00080018").await.len();
    assert_eq!(sops("KVP=120.0").await, 5);
    assert_eq!(sops("Rows=4&InstanceNumber=001").await, 5);
    assert_eq!(sops("NumberOfFrames=3").await, 0);
    refused(&house, "/instances?Rows=70000", "Rows").await;
}

/// PS3.18 §10.6.1.2: keys of a higher level work at a lower one; keys of a lower level are ignored and named.
#[tokio::test]
async fn keys_of_higher_levels_match_and_those_of_lower_levels_are_named() {
    let house = house().await;
    assert_eq!(values(&house, "/series?PatientID=0002", "0020000E").await, ["1.2.392.2.1"]);
    assert_eq!(values(&house, "/series?ModalitiesInStudy=SR", "0020000E").await.len(), 2);
    assert_eq!(values(&house, "/instances?StudyDate=20270117&Modality=MG", "00080018").await, ["1.2.392.3.1.1"]);
    let answer = ask(&house, "/studies?Modality=CT").await;
    assert_eq!(answer.json().as_array().unwrap().len(), 4);
    assert!(answer.header("warning").contains("Modality"));
}

/// PS3.4 Table C.6-2: a study matches by any of its modalities; a list by any of the list.
#[tokio::test]
async fn modalities_in_study_match_by_any_of_them() {
    let house = house().await;
    check(&house, "ModalitiesInStudy=CT", "21").await;
    check(&house, "ModalitiesInStudy=SR", "1").await;
    check(&house, "ModalitiesInStudy=SR%5CMG", "31").await;
    check(&house, "ModalitiesInStudy=SR,US", "41").await;
    check(&house, "ModalitiesInStudy=C*&StudyDate=20270116", "2").await;
    check(&house, "ModalitiesInStudy=CT&PatientID=0002", "2").await;
    check(&house, "ModalitiesInStudy=ct", "").await;
}

/// PS3.18 §8.3.4.2: kanji in old and new forms, kana in both scripts and widths, romaji in every usual spelling, words
/// in any order and cut short.
#[tokio::test]
async fn fuzzy_matching_finds_names_as_people_type_them() {
    let house = house().await;
    let typed = [
        ("taro+yamada", "1"),
        ("Yamada%5ETaro", "1"),
        ("TAROH", "1"),
        ("tarō", "1"),
        ("ﾀﾛｳ ﾔﾏﾀﾞ", "1"),
        ("山田太郎", "1"),
        ("太郎", "1"),
        ("Yam", "1"),
        ("Itiro", "2"),
        ("渡邊", "2"),
        ("渡辺　一郎", "2"),
        ("Ichirō Watanab", "2"),
        ("高橋", "3"),
        ("Takahasi Hanako", "3"),
        ("タカハシ", "3"),
        ("Ono Yoko", "4"),
        ("おおの", "4"),
        ("Ōno", "4"),
        ("*mada*", "1"),
        ("Suzuki", ""),
        ("Yamada Hanako", ""),
    ];
    for (name, expected) in typed {
        let query = format!("fuzzymatching=true&PatientName={}", name.replace(' ', "+"));
        check(&house, &query, expected).await;
    }
    check(&house, "fuzzymatching=true&ReferringPhysicianName=Iti+Suzu", "1").await;
    check(&house, "fuzzymatching=false&PatientName=taro", "").await;
}

/// PS3.18 §8.3.4.5, PS3.4 C.2.2.2.7: `""` matches what has no value.
#[tokio::test]
async fn two_quotation_marks_match_what_is_empty_if_that_is_agreed_on() {
    let house = house().await;
    check(&house, "emptyvaluematching=true&AccessionNumber=%22%22", "43").await;
    check(&house, "emptyvaluematching=true&InstitutionName=%22%22", "43").await;
    check(&house, "AccessionNumber=%22%22", "").await;
}

/// PS3.18 §8.3.4.6: Multiple Value Matching is not supported, and said so.
#[tokio::test]
async fn multiple_value_matching_is_refused_with_the_standards_warning() {
    let house = house().await;
    let answer = ask(&house, "/studies?multiplevaluematching=true").await;
    let text = "The multiplevaluematching parameter is not supported. Multiple Value Matching has not been performed.";
    assert!(answer.header("warning").starts_with("299 ") && answer.header("warning").contains(text), "{answer:?}");
}

/// What is looked for in documents is found in packs as in intake.
#[tokio::test]
async fn what_is_packed_is_found_the_same_way() {
    let house = House::new().await;
    let before = ask(&house, "/instances?KVP=120&includefield=all").await.json();
    house.pack(1, &transcode::codec::Coders::default()).await;
    assert_eq!(ask(&house, "/instances?KVP=120&includefield=all").await.json(), before);
}
