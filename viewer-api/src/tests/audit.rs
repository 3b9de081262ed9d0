//! Every served object belongs to exactly one event, and nothing is served that cannot be recorded.

use std::collections::HashMap;
use std::sync::atomic::Ordering;

use axum::http::StatusCode;

use super::fixture::{House, INSTANCE, PATIENT_ID, SERIES, STUDY, filled, names_a_reading};
use crate::{Needs, ROUTES, Service};

#[tokio::test]
async fn what_was_served_is_what_the_acts_count_each_act_closed_once() {
    let house = House::new().await;
    let place = format!("/dicom-web/studies/{STUDY}/series/{SERIES}/instances/{INSTANCE}");
    let mut bytes = HashMap::from([("view", 0), ("download", 0), ("original", 0), ("metadata", 0)]);
    for round in 0..3 {
        for (path, rendition) in [
            (format!("{place}/frames/1/rendered"), "view"),
            (format!("{place}/frames/2/rendered"), "view"),
            (place.clone(), "download"),
            (format!("{place}/original"), "original"),
        ] {
            let answer = house
                .get(&path, &house.original, if rendition == "view" { "image/png" } else { "application/dicom" })
                .await;
            assert_eq!(answer.status, StatusCode::OK, "{path}");
            *bytes.get_mut(rendition).unwrap() += answer.body.len() as u64;
        }
        let metadata = house.get(&format!("/dicom-web/studies/{STUDY}/metadata"), &house.original, "*/*").await;
        assert_eq!(metadata.json().as_array().unwrap().len(), 4);
        house.clock.forward(if round == 0 { 10 } else { 61 });
    }
    house.state.close().await.unwrap();
    let (opened, closed) = (house.log.of("accessed"), house.log.of("closed"));
    assert_eq!(opened.len(), 8, "four renditions, twice: the first two rounds are one minute");
    assert_eq!(closed.len(), 8);
    let mut counted: HashMap<String, (u64, u64, u64)> = HashMap::new();
    for act in &opened {
        let ends: Vec<_> = closed.iter().filter(|end| end["act"] == act["act"]).collect();
        assert_eq!(ends.len(), 1, "{act}");
        let sums = counted.entry(act["rendition"].as_str().unwrap().to_owned()).or_default();
        sums.0 += ends[0]["instances"].as_u64().unwrap();
        sums.1 += ends[0]["frames"].as_u64().unwrap();
        sums.2 += ends[0]["bytes"].as_u64().unwrap();
    }
    assert_eq!(counted["view"], (0, 6, bytes["view"]));
    assert_eq!(counted["download"], (3, 0, bytes["download"]));
    assert_eq!(counted["original"], (3, 0, bytes["original"]));
    assert_eq!(counted["metadata"].0, 12);
}

#[tokio::test]
async fn no_record_holds_who_the_person_is_or_what_was_typed() {
    let house = House::new().await;
    for query in ["PatientName=Yamada*", "PatientID=PID-00417", "PatientBirthDate=19600229", "Yamada=1"] {
        let answer = house.get(&format!("/dicom-web/studies?{query}"), &house.reader, "*/*").await;
        assert_eq!(answer.status, StatusCode::OK, "{query}");
        house.get(&format!("/dicom-web/studies?{query}"), &house.uploader, "*/*").await;
    }
    house.get("/dicom-web/studies/Yamada/series", &house.uploader, "*/*").await;
    for (_, path, _) in ROUTES {
        house.get(&filled(path), &house.admin, "*/*").await;
    }
    house.state.close().await.unwrap();
    assert_eq!(house.log.of("searched").len(), 4 + 9 + 1, "the manifest looks for other studies of the person");
    assert_eq!(house.log.of("searched")[0]["keys"][0], "PatientName");
    let text = format!("{:?}", house.log.events.lock().unwrap());
    for private in ["Yamada", "山田", PATIENT_ID, "19600229", &house.admin, &house.uploader] {
        assert!(!text.contains(private), "{private}");
    }
}

#[tokio::test]
async fn when_an_access_cannot_be_recorded_nothing_is_served() {
    let house = House::new().await;
    house.log.broken.store(true, Ordering::SeqCst);
    for (service, path, needs) in ROUTES {
        // Capabilities and codes hold nothing of anybody, and are not recorded.
        if *needs == Needs::Nothing || [Service::Capabilities, Service::Codes].contains(service) {
            continue;
        }
        let answer = house.ask(*service, &filled(path), &house.admin).await;
        let expected = if names_a_reading(path) { StatusCode::NOT_FOUND } else { StatusCode::SERVICE_UNAVAILABLE };
        assert_eq!(answer.status, expected, "{service:?}");
        assert!(answer.body.len() < 400 && answer.json()["error"].is_string(), "{service:?}");
        let refused = house.ask(*service, &filled(path), &house.uploader).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{service:?}: refused all the same");
    }
}
