//! The manifest of a study says what opening it needs, and what it says is so.

use archive::Description;
use axum::http::{Request, StatusCode};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Map, Value, json};
use transcode::codec::Coders;

use super::fixture::{House, INSTANCE, PATIENT_ID, SERIES, STUDY};

fn path() -> String {
    format!("/dicom-web/studies/{STUDY}/manifest")
}

/// What a column says of an instance.
fn cell<'a>(columns: &'a Value, keyword: &str, row: usize) -> &'a Value {
    let column = &columns[keyword];
    column.get("all").unwrap_or_else(|| &column["each"][row])
}

#[tokio::test]
async fn a_manifest_names_the_person_in_three_scripts_and_the_study() {
    let house = House::new().await;
    let manifest = house.get(&path(), &house.reader, "application/json").await.json();
    assert_eq!(manifest["version"], 1);
    assert_eq!(manifest["patient"]["PatientName"]["Alphabetic"], "Yamada^Tarou");
    assert_eq!(manifest["patient"]["PatientName"]["Ideographic"], "山田^太郎");
    assert_eq!(manifest["patient"]["PatientName"]["Phonetic"], "やまだ^たろう");
    assert_eq!(manifest["patient"]["PatientID"], PATIENT_ID);
    assert_eq!(manifest["patient"]["PatientBirthDate"], "19600229");
    assert_eq!(manifest["study"]["StudyInstanceUID"], STUDY);
    assert_eq!(manifest["study"]["StudyDate"], "20270115");
}

#[tokio::test]
async fn a_manifest_says_of_each_instance_what_its_pixels_are() {
    let house = House::new().await;
    let manifest = house.get(&path(), &house.reader, "*/*").await.json();
    let series = manifest["series"].as_array().unwrap();
    assert_eq!(series.len(), 2);
    assert_eq!(series[0]["SeriesInstanceUID"], SERIES);
    assert_eq!(
        (&series[0]["Modality"], &series[0]["SeriesNumber"], &series[0]["count"]),
        (&"OT".into(), &1.into(), &2.into())
    );
    let columns = &series[0]["instances"];
    assert_eq!(cell(columns, "SOPInstanceUID", 0), INSTANCE);
    assert_eq!((cell(columns, "InstanceNumber", 0), cell(columns, "InstanceNumber", 1)), (&1.into(), &2.into()));
    for (keyword, expected) in [("Rows", 4), ("Columns", 4), ("BitsAllocated", 16), ("BitsStored", 12), ("HighBit", 11)]
    {
        assert_eq!(columns[keyword]["all"], expected, "{keyword}");
    }
    assert_eq!(columns["PhotometricInterpretation"]["all"], "MONOCHROME2");
    assert_eq!(columns["NumberOfFrames"]["all"], 2);
}

#[tokio::test]
async fn the_frames_a_manifest_lists_are_there_and_as_long_as_it_says() {
    let house = House::new().await;
    for packed in [false, true] {
        if packed {
            house.pack(1, &Coders::HTJ2K).await;
        }
        let manifest = house.get(&path(), &house.reader, "*/*").await.json();
        let mut fetched = 0;
        for series in manifest["series"].as_array().unwrap() {
            let columns = &series["instances"];
            for row in 0..series["count"].as_u64().unwrap() as usize {
                let text = |keyword: &str| cell(columns, keyword, row).as_str().unwrap().to_owned();
                let (uid, digest, syntax) = (text("SOPInstanceUID"), text("representation"), text("transfer_syntax"));
                for (index, bytes) in cell(columns, "frame_bytes", row).as_array().unwrap().iter().enumerate() {
                    let url = series["frames_url"].as_str().unwrap().replace("{SOPInstanceUID}", &uid);
                    let url = url.replace("{frame}", &(index + 1).to_string()).replace("{representation}", &digest);
                    let answer = house.get(&url, &house.reader, "*/*").await;
                    assert_eq!(answer.status, StatusCode::OK, "{url}");
                    assert_eq!(answer.body.len() as u64, bytes.as_u64().unwrap());
                    assert!(
                        answer.header("content-type").ends_with(&syntax)
                            && answer.header("cache-control").contains("immutable")
                    );
                    if packed {
                        let ends = cell(columns, "resolution_ends", row)[index].as_array().unwrap();
                        assert_eq!(ends.last(), Some(bytes), "the last level is the whole frame");
                        let low = house.get(&format!("{url}&resolution=0"), &house.reader, "*/*").await;
                        assert_eq!(low.body.len() as u64, ends[0].as_u64().unwrap());
                    }
                    fetched += 1;
                }
            }
        }
        assert_eq!(fetched, 8);
    }
}

#[tokio::test]
async fn a_manifest_offers_what_the_caller_may_have() {
    let house = House::new().await;
    let reader = house.get(&path(), &house.reader, "*/*").await;
    let original = house.get(&path(), &house.original, "*/*").await;
    let offers = |answer: &super::fixture::Answer| {
        let offers = answer.json()["offers"].clone();
        assert_eq!(offers["annotate"], true);
        (offers["download"] == true, offers["original"] == true)
    };
    assert_eq!((offers(&reader), offers(&original)), ((true, false), (true, true)));
    assert_ne!(reader.header("etag"), original.header("etag"));
    assert_eq!(house.get(&path(), &house.uploader, "*/*").await.status, StatusCode::FORBIDDEN);
}

#[tokio::test]
async fn a_manifest_has_a_tag_that_changes_with_what_it_says() {
    let house = House::new().await;
    let before = house.get(&path(), &house.reader, "*/*").await;
    let again = |tag: &str| {
        let request = Request::get(path()).header("authorization", format!("Bearer {}", house.reader));
        request.header("if-none-match", tag).body(String::new()).unwrap()
    };
    let tag = before.header("etag").to_owned();
    assert_eq!(house.send(again(&tag)).await.status, StatusCode::NOT_MODIFIED);
    assert_eq!(before.header("cache-control"), "private, no-cache");
    house.pack(1, &Coders::HTJ2K).await;
    assert_eq!(house.send(again(&tag)).await.status, StatusCode::OK, "the frames are others now");
    house.take_in(1, 3, 1).await;
    let after = house.get(&path(), &house.reader, "*/*").await;
    assert_eq!(after.json()["series"].as_array().unwrap().len(), 3);
    let none = house.get("/dicom-web/studies/9.9/manifest", &house.reader, "*/*").await;
    assert_eq!(none.status, StatusCode::NOT_FOUND);
    assert_eq!(house.get(&path(), &house.reader, "text/html").await.status, StatusCode::NOT_ACCEPTABLE);
}

/// What the manifest says of the first picture of a study whose instances are of this modality and say this: the instance's
/// number, and whether it is shown.
async fn first_of(modality: &str, instances: u32, laterality: &str, said: Value) -> Option<(u64, bool)> {
    let house = House::empty().await;
    for instance in 1..=instances {
        let say = |description: &mut Description, document: &mut Map<String, Value>| {
            description.series.modality = modality.into();
            description.series.laterality = laterality.into();
            description.instance.number_of_frames = 1;
            document.extend(said.as_object().cloned().unwrap_or_default());
        };
        house.take_in_as((1, 1, instance), say).await;
    }
    let manifest = house.get(&format!("{}?viewport=64,64", path()), &house.reader, "*/*").await.json();
    let first = manifest.get("first")?;
    assert_eq!(first["frame"], 1);
    let picture = first.get("picture").map(|picture| picture.as_str().unwrap().split_once(',').unwrap());
    if let Some((kind, text)) = picture {
        assert_eq!(kind, "data:image/jpeg;base64");
        assert!(BASE64_STANDARD.decode(text).unwrap().starts_with(b"\xFF\xD8\xFF"));
        assert_eq!(house.log.of("accessed").iter().filter(|event| event["rendition"] == "view").count(), 1);
    }
    let number = first["SOPInstanceUID"].as_str().unwrap().rsplit('.').next().unwrap().parse().unwrap();
    Some((number, picture.is_some()))
}

#[tokio::test]
async fn a_manifest_says_what_hangs_first_and_shows_it_where_it_hangs_by_itself() {
    let turned = |across: &str| json!({ "00200020": { "vr": "CS", "Value": [across, "F"] } });
    let table = json!({ "00283010": { "vr": "SQ", "Value": [{}] } });
    let oblong = json!({ "00280030": { "vr": "DS", "Value": ["0.2", "0.4"] } });
    for (modality, instances, laterality, said, expected) in [
        ("OT", 2, "", json!({}), Some((1, true))),
        ("CT", 3, "", json!({}), Some((2, true))),
        ("SR", 1, "", json!({}), None),
        ("DX", 1, "", json!({}), Some((1, true))),
        ("DX", 2, "", json!({}), Some((1, false))),
        ("MG", 1, "R", json!({}), Some((1, true))),
        ("MG", 1, "R", turned("P"), Some((1, true))),
        ("MG", 1, "R", turned("A"), Some((1, false))),
        ("MG", 4, "R", json!({}), Some((1, false))),
        ("OT", 1, "", table, Some((1, false))),
        ("OT", 1, "", oblong, Some((1, false))),
    ] {
        assert_eq!(first_of(modality, instances, laterality, said).await, expected, "{modality} {instances}");
    }
}

#[tokio::test]
async fn a_picture_comes_with_a_manifest_only_where_it_is_asked_for() {
    let house = House::new().await;
    let plain = house.get(&path(), &house.reader, "*/*").await;
    let with = house.get(&format!("{}?viewport=64,64", path()), &house.reader, "*/*").await;
    assert!(plain.json().get("first").is_none() && with.json().get("first").is_some());
    assert_ne!(plain.header("etag"), with.header("etag"));
    let bad = house.get(&format!("{}?viewport=64,64,0,0,1,1", path()), &house.reader, "*/*").await;
    assert_eq!(bad.status, StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn priors_are_the_persons_other_studies_newest_first() {
    let house = House::new().await;
    for study in [7, 8] {
        house.take_in(study, 1, 1).await;
    }
    let manifest = house.get(&path(), &house.reader, "*/*").await.json();
    let priors: Vec<&str> = manifest["priors"]
        .as_array()
        .unwrap()
        .iter()
        .map(|prior| prior["StudyInstanceUID"].as_str().unwrap())
        .collect();
    assert_eq!(priors, ["1.2.392.8", "1.2.392.7"]);
    let first = &manifest["priors"][0];
    assert_eq!((&first["StudyDate"], &first["ModalitiesInStudy"][0]), (&"20270115".into(), &"OT".into()));
    assert_eq!(house.log.of("searched").len(), 1, "looking for them is recorded as the search it is");
    house.get(&path(), &house.reader, "*/*").await;
    assert_eq!(house.log.of("searched").len(), 1, "once a minute");
    house.get(&path(), &house.original, "*/*").await;
    house.clock.forward(61);
    house.get(&path(), &house.reader, "*/*").await;
    assert_eq!(house.log.of("searched").len(), 3, "of each subject, and again after a minute");
}
