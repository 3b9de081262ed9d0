//! The change feed as its readers see it.

use std::time::Duration;

use axum::http::{Request, StatusCode};
use futures::StreamExt;
use serde_json::{Value, json};
use tower::ServiceExt;

use super::fixture::{Answer, House};

/// Writes changes as the feed's writer does.
fn tell(house: &House, studies: &[&str]) {
    let log = archive::EventLog::open(&house.state.reader().layout().event_log("changes")).unwrap();
    let event = |study: &&str| json!({ "change": "received", "study": study, "centre": "a", "instances": 2, "through": { "packs": 0 } });
    let events: Vec<Value> = studies.iter().map(event).collect();
    log.append("2027-01-15T08:00:00Z", &events).unwrap();
}

async fn page(house: &House, query: &str) -> Answer {
    house.get(&format!("/changes{query}"), &house.reader, "application/json").await
}

#[tokio::test]
async fn pages_are_ordered_and_resumed_by_number() {
    // Proves that pages joined by `next` give every change once, in order, and nothing of the writer's own marks.
    let house = House::empty().await;
    assert_eq!(page(&house, "").await.json(), json!({ "changes": [], "next": 0, "end": 0 }));
    tell(&house, &["1.1", "1.2", "1.3", "1.4", "1.5"]);
    let (mut since, mut seen) = (0, Vec::new());
    loop {
        let answer = page(&house, &format!("?since={since}&limit=2")).await.json();
        assert_eq!(answer["end"], 5);
        let changes = answer["changes"].as_array().unwrap();
        if changes.is_empty() {
            break;
        }
        seen.extend(changes.iter().map(|change| change["study"].as_str().unwrap().to_owned()));
        since = answer["next"].as_u64().unwrap();
        assert_eq!(since, changes.last().unwrap()["sequence"]);
    }
    assert_eq!(seen, ["1.1", "1.2", "1.3", "1.4", "1.5"]);
    let expected = json!({ "change": "received", "study": "1.3", "centre": "a", "instances": 2, "sequence": 3,
        "at": "2027-01-15T08:00:00Z" });
    assert_eq!(page(&house, "?since=2&limit=1").await.json()["changes"][0], expected);
}

#[tokio::test]
async fn what_cannot_be_meant_is_refused_with_the_parameter_named() {
    let house = House::empty().await;
    tell(&house, &["1.1"]);
    for (query, named) in
        [("?since=x", "since"), ("?limit=-1", "limit"), ("?wait=soon", "wait"), ("?since=2", "since=2")]
    {
        let answer = page(&house, query).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{query}");
        assert!(answer.json()["error"].as_str().unwrap().contains(named), "{query}");
    }
    assert_eq!(page(&house, "?since=1&limit=999999&other=1").await.status, StatusCode::OK);
}

#[tokio::test]
async fn a_reader_that_waits_is_answered_when_something_happens() {
    let house = House::empty().await;
    let waits = page(&house, "?wait=20");
    let later = async {
        tokio::time::sleep(Duration::from_millis(300)).await;
        tell(&house, &["1.1"]);
    };
    let started = std::time::Instant::now();
    let (answer, ()) = tokio::join!(waits, later);
    assert_eq!(answer.json()["changes"][0]["study"], "1.1");
    assert!(started.elapsed() < Duration::from_secs(5));
}

#[tokio::test]
async fn server_sent_events_go_on_and_are_resumed() {
    // Proves that a stream tells what is there and what comes, with numbers to resume by, and ends when told to.
    let house = House::empty().await;
    tell(&house, &["1.1", "1.2"]);
    let open = |last: Option<&str>| {
        let request = Request::get("/changes?since=0").header("accept", "text/event-stream");
        let request = request.header("authorization", format!("Bearer {}", house.reader));
        let request = last.into_iter().fold(request, |request, id| request.header("last-event-id", id));
        house.router.clone().oneshot(request.body(axum::body::Body::empty()).unwrap())
    };
    let response = open(Some("1")).await.unwrap();
    assert_eq!(response.headers()["content-type"], "text/event-stream");
    let mut body = response.into_body().into_data_stream();
    let mut text = String::new();
    while !text.contains("1.2") {
        text.push_str(std::str::from_utf8(&body.next().await.unwrap().unwrap()).unwrap());
    }
    assert!(text.starts_with("retry: 3000\n\nid: 2\nevent: received\ndata: {"), "{text}");
    tell(&house, &["1.3"]);
    let more = body.next().await.unwrap().unwrap();
    assert!(more.starts_with(b"id: 3\nevent: received\n") && more.ends_with(b"\n\n"), "{more:?}");
    house.state.stop_streams();
    assert!(body.next().await.is_none());
    assert!(house.log.of("searched").iter().any(|event| event["level"] == "changes"));
}

#[tokio::test]
async fn streams_are_bounded() {
    let house = House::empty().await;
    let open = || {
        let request = Request::get("/changes").header("accept", "text/event-stream");
        let request = request.header("authorization", format!("Bearer {}", house.reader));
        house.router.clone().oneshot(request.body(axum::body::Body::empty()).unwrap())
    };
    let mut opened = Vec::new();
    for _ in 0..64 {
        let response = open().await.unwrap();
        assert_eq!(response.status(), StatusCode::OK);
        opened.push(response);
    }
    assert_eq!(open().await.unwrap().status(), StatusCode::SERVICE_UNAVAILABLE);
    opened.clear();
    assert_eq!(open().await.unwrap().status(), StatusCode::OK);
}
