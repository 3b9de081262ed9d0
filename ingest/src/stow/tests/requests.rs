//! What a strict sender tries: forms of the answer, refusals before the body, and every odd shape of a multipart body.

use super::*;

/// Sends bytes over one connection and answers what came back until it closes.
async fn say(server: &Server, bytes: &[u8]) -> String {
    let mut socket = tokio::net::TcpStream::connect(server.address).await.unwrap();
    socket.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "it waits for a body that nobody sends");
    String::from_utf8_lossy(&answer).into_owned()
}

/// The head of a request whose body is longer than anybody sends.
fn head(path: &str, headers: &str) -> String {
    format!("POST /dicom-web{path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n\r\n")
}

/// §8.7.4, §10.5.3: JSON or Native DICOM Model by Accept with its qualities, or by the `accept` parameter; JSON without
/// either; 406 for anything else, and then nothing is taken in.
#[tokio::test]
async fn accept_decides_the_form_of_the_answer() {
    let server = server(|_| ()).await;
    let url = format!("http://{}/dicom-web/studies", server.address);
    let ask = async |query: &str, accept: Option<&str>| {
        let mut request = reqwest::Client::new().post(format!("{url}{query}")).header("content-type", MULTIPART);
        if let Some(accept) = accept {
            request = request.header("accept", accept);
        }
        let response = request.body(multipart(&[("a", b"one"), ("b", b"bad")])).send().await.unwrap();
        let media_type = response.headers().get("content-type").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), media_type.unwrap_or_default(), response.text().await.unwrap())
    };
    let (status, media_type, text) = ask("", Some("image/png")).await;
    assert_eq!((status, media_type.as_str()), (406, "application/json"), "{text}");
    assert!(server.gate.files().is_empty());
    let json = "application/dicom+json";
    for accept in [None, Some("*/*"), Some(json), Some("application/dicom+xml;q=0.2, application/dicom+json")] {
        let (status, media_type, text) = ask("", accept).await;
        assert_eq!((status, media_type.as_str()), (202, json), "{accept:?}");
        assert!(serde_json::from_str::<Value>(&text).unwrap()["00081199"].is_object());
    }
    for (query, accept) in [("", Some("application/dicom+xml")), ("?accept=application/dicom%2Bxml", Some(json))] {
        let (status, media_type, text) = ask(query, accept).await;
        assert_eq!((status, media_type.as_str()), (202, "application/dicom+xml"));
        let read = metadata::read_xml(text.as_bytes()).unwrap().unwrap();
        assert_eq!(read.len(), 3, "{text}");
    }
}

/// What the headers alone condemn is refused before the body is asked for, and the sender told that the connection ends.
#[tokio::test]
async fn a_condemned_request_is_answered_before_its_body() {
    let server = server(|stow| {
        let limits = ReceiveLimits { body_bytes_max: 1000, ..ReceiveLimits::default() };
        stow.door.receiver = Receiver::new(limits, std::env::temp_dir());
    })
    .await;
    let length = "Content-Length: 1000000000";
    for (headers, status) in [
        (format!("Content-Type: text/plain\r\n{length}"), "415"),
        (length.to_owned(), "415"),
        (format!("Content-Type: multipart/related; type=\"application/dicom\"\r\n{length}"), "400"),
        (format!("Content-Type: multipart/related; boundary={}\r\n{length}", "b".repeat(71)), "400"),
        (format!("Content-Type: {MULTIPART}\r\nAccept: image/png\r\n{length}"), "406"),
        (format!("Content-Type: {MULTIPART}\r\nContent-Encoding: gzip\r\n{length}"), "415"),
        (format!("Content-Type: {MULTIPART}\r\nTsunagu-Batch: a/b\r\n{length}"), "400"),
        (format!("Content-Type: application/dicom\r\n{length}"), "413"),
        (format!("Content-Type: text/plain\r\nExpect: 100-continue\r\n{length}"), "415"),
    ] {
        let answer = say(&server, head("/studies", &headers).as_bytes()).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}")), "{headers}: {answer}");
        assert!(answer.to_ascii_lowercase().contains("connection: close"), "{headers}: {answer}");
        assert!(answer.contains("\"error\":\""), "a sentence says why: {answer}");
    }
}

/// A connection is kept after an answer, whatever was in the request.
#[tokio::test]
async fn a_connection_is_kept_for_the_next_request() {
    let server = server(|_| ()).await;
    let mut requests = Vec::new();
    for (parts, last) in [([("a", &b"one"[..])], false), ([("b", b"bad")], false), ([("c", b"two")], true)] {
        let body = multipart(&parts);
        let close = if last { "Connection: close\r\n" } else { "" };
        let headers = format!("{close}Content-Type: {MULTIPART}\r\nContent-Length: {}", body.len());
        requests.extend_from_slice(head("/studies", &headers).as_bytes());
        requests.extend_from_slice(&body);
    }
    let answers = say(&server, &requests).await;
    let statuses: Vec<&str> = answers.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)).collect();
    assert_eq!(statuses, ["200", "409", "200"], "{answers}");
}

/// One centre's requests have so many places and no more: 503 and Retry-After, and a place again when one has ended.
#[tokio::test]
async fn a_centre_with_every_place_taken_is_told_when_to_come_again() {
    let server = server(|stow| stow.limits.centre_uploads_max = 1).await;
    let mut slow = tokio::net::TcpStream::connect(server.address).await.unwrap();
    let body = multipart(&[("a", b"one")]);
    let headers = format!("Content-Type: {MULTIPART}\r\nConnection: close\r\nContent-Length: {}", body.len());
    slow.write_all(head("/studies", &headers).as_bytes()).await.unwrap();
    tokio::time::sleep(Duration::from_millis(200)).await;
    let refused = say(&server, head("/studies", &headers).as_bytes()).await.to_ascii_lowercase();
    assert!(refused.starts_with("http/1.1 503") && refused.contains("retry-after: 5"), "{refused}");
    slow.write_all(&body).await.unwrap();
    let mut answer = String::new();
    slow.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(server.store(&[("b", b"two")]).await.0, 200);
}

/// RFC 2046 §5.1 in every odd shape: what is allowed is read, what is not is 400 with a sentence.
#[tokio::test]
async fn boundaries_are_read_as_rfc_2046_says() {
    let seventy = "b".repeat(70);
    let check = async |boundary: &str, body: &str, status: u16, expected: &[&str]| {
        let server = server(|_| ()).await;
        let content_type = format!("multipart/related; type=\"application/dicom\"; boundary=\"{boundary}\"");
        let (got, answer) = server.post("/studies", &content_type, "*/*", body.as_bytes().to_vec()).await;
        assert_eq!(got, status, "{body:?} {answer}");
        let handed = server.gate.handed.lock().unwrap();
        let mut bodies: Vec<String> =
            handed.iter().map(|one| String::from_utf8_lossy(&one.bytes).into_owned()).collect();
        bodies.sort();
        assert_eq!(bodies, expected, "{body:?}");
    };
    check("a b:c=d?e", "--a b:c=d?e\r\n\r\none\r\n--a b:c=d?e--", 200, &["one"]).await;
    check(&seventy, &format!("--{seventy}\r\n\r\none\r\n--{seventy}--\r\n"), 200, &["one"]).await;
    check("b", "preamble\r\n--b\r\n\r\none\r\n--b--\r\nepilogue\r\n--b\r\n\r\nno part\r\n", 200, &["one"]).await;
    check("b", "--b\r\n\r\none\r\n--bb\r\n--\r\n--b \r\n\r\ntwo\r\n--b--", 200, &["one\r\n--bb\r\n--", "two"]).await;
    // A Content-Length of a part is believed for nothing.
    check(
        "b",
        "--b\r\nContent-Length: 1\r\n\r\none\r\n--b\r\nContent-Length: 99\r\n\r\ntwo\r\n--b--",
        200,
        &["one", "two"],
    )
    .await;
    let nested = "--b\r\nContent-Type: multipart/related; boundary=c\r\n\r\n--c\r\n\r\none\r\n--c--\r\n--b--";
    check("b", nested, 200, &["--c\r\n\r\none\r\n--c--"]).await;
    // Line feeds alone are no line ends of a delimiter (§5.1.1): pixels are full of them.
    check("b", "--b\n\none\n--b--\n", 400, &[]).await;
    check("b", "--b\r\n\r\none\r\n--b", 400, &[]).await;
    check("b", "--b--\r\n", 400, &[]).await;
    check("b", "", 400, &[]).await;
    check("b", "--b\r\nno colon\r\n\r\none\r\n--b--", 400, &[]).await;
}

/// A sender too slow to be waited for is told so: 408, and what was whole before is in.
#[tokio::test]
async fn a_sender_too_slow_is_answered_408() {
    let server = server(|_| ()).await;
    let spool = tempfile::tempdir().unwrap();
    let stow = Stow {
        door: server.gate.doorway(&spool),
        annotations: server.gate.clone(),
        batches: server.gate.clone(),
        limits: StowLimits::default(),
        base: String::new(),
        public_url: None,
        uploads: Uploads::default(),
    };
    let whole = Ok(bytes::Bytes::from(multipart(&[("a", b"one"), ("b", b"cut")])).slice(..110));
    let slow = Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "slower than 1024 bytes a second"));
    let body = Body::from_stream(futures::stream::iter([whole, slow]));
    let mut request = Request::post("/studies").header("content-type", MULTIPART).body(body).unwrap();
    request.extensions_mut().insert(Principal { centre: "north".into(), name: "test".into() });
    let response = store(Arc::new(stow), None, request).await;
    assert_eq!(response.status(), 408);
    let text = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
    assert!(String::from_utf8_lossy(&text).contains("slower than 1024"), "{text:?}");
}

/// Annex I: Retrieve URL is of type 2, there even where it is empty; a failure names its instance only where both UIDs
/// that PS3.3 Table 10-11 asks for are known, and stands among the others if not.
#[test]
fn the_response_module_is_whole() {
    use crate::door::{InstanceUids, Taken};
    use crate::stow::response::{Fate, Outcome, store_instances_response};
    let uids = |study: &str, class: &str| InstanceUids {
        sop_class_uid: class.into(),
        sop_instance_uid: "1.2.9".into(),
        study_instance_uid: study.into(),
        series_instance_uid: "1.3".into(),
    };
    let stored = |study: &str| Outcome { file: String::new(), fate: Fate::Taken(Taken::Stored(uids(study, "1.1"))) };
    let failed = |class: &str| {
        let reason = archive::Reason { code: "conflict".into(), ..Default::default() };
        Outcome { file: String::new(), fate: Fate::Taken(Taken::Quarantined { uids: uids("1.2", class), reason }) }
    };
    let one = store_instances_response(&[stored("1.2"), failed("1.1"), failed("")], "http://a");
    assert_eq!(one["00081190"]["Value"][0], "http://a/studies/1.2");
    assert_eq!(one["00081198"]["Value"].as_array().map(Vec::len), Some(1));
    assert_eq!(one["0008119A"]["Value"].as_array().map(Vec::len), Some(1));
    let two = store_instances_response(&[stored("1.2"), stored("1.3")], "http://a");
    assert_eq!(two["00081190"], serde_json::json!({ "vr": "UR" }));
    assert!(two.get("00081198").is_none(), "a sequence without items is left out");
}

/// Who may only annotate gets the gate of annotations, for one study, and no batch; what it refuses is 403.
#[tokio::test]
async fn an_annotator_stores_to_one_study_through_a_gate_of_its_own() {
    use crate::door::Annotator;
    let (door, annotations) = (Arc::new(FakeGate::default()), Arc::new(FakeGate::default()));
    let spool = tempfile::tempdir().unwrap();
    let stow = Arc::new(Stow { annotations: annotations.clone(), ..door.stow(&spool) });
    let ask = async |path: &str, study: Option<&str>, content: &[u8]| {
        let body = Body::from(multipart(&[("a", content)]));
        let mut request = Request::post(path).header("content-type", MULTIPART).body(body).unwrap();
        let principal = Principal { centre: "north".into(), name: "reader".into() };
        request.extensions_mut().insert(Annotator(principal));
        store(Arc::clone(&stow), study.map(str::to_owned), request).await.status()
    };
    assert_eq!(ask("/studies/1.2", Some("1.2"), b"one").await, 200);
    assert_eq!(ask("/studies", None, b"one").await, 403);
    assert_eq!(ask("/studies/1.2", Some("1.2"), b"forbidden").await, 403);
    assert_eq!((door.files().len(), annotations.files().len()), (0, 1));
    let mut batch = Request::post("/batches").body(Body::from("{}")).unwrap();
    batch.extensions_mut().insert(Annotator(Principal { centre: "north".into(), name: "reader".into() }));
    assert_eq!(open_batch(State(stow), batch).await.status(), 401);
}
