//! The STOW door over a real socket, with a gate that remembers.

use std::net::SocketAddr;

use axum::Extension;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use std::time::Duration;

use axum::body::Body;

use super::*;
use crate::fake::FakeGate;
use crate::receive::{ReceiveLimits, Receiver};

mod requests;

pub(super) struct Server {
    pub(super) gate: Arc<FakeGate>,
    address: SocketAddr,
    _spool: tempfile::TempDir,
}

pub(super) async fn server(change: impl FnOnce(&mut Stow)) -> Server {
    let (gate, spool) = (Arc::new(FakeGate::default()), tempfile::tempdir().unwrap());
    let mut stow = Stow { base: "/dicom-web".into(), ..gate.stow(&spool) };
    change(&mut stow);
    let principal = Principal { centre: "north".into(), name: "test".into() };
    let app = Router::new().nest("/dicom-web", router(stow)).layer(Extension(principal));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Server { gate, address, _spool: spool }
}

fn multipart(parts: &[(&str, &[u8])]) -> Vec<u8> {
    let mut body = Vec::new();
    for (name, content) in parts {
        let head = format!("--b\r\nContent-Type: application/dicom\r\nContent-Location: {name}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(content);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b--");
    body
}

const MULTIPART: &str = "multipart/related; type=\"application/dicom\"; boundary=b";

impl Server {
    pub(super) async fn post(&self, path: &str, content_type: &str, accept: &str, body: Vec<u8>) -> (u16, Value) {
        let url = format!("http://{}/dicom-web{path}", self.address);
        let request = reqwest::Client::new().post(url).header("content-type", content_type).header("accept", accept);
        let response = request.body(body).send().await.unwrap();
        (response.status().as_u16(), serde_json::from_slice(&response.bytes().await.unwrap()).unwrap())
    }

    async fn store(&self, parts: &[(&str, &[u8])]) -> (u16, Value) {
        self.post("/studies?batch=n-1", MULTIPART, "application/dicom+json", multipart(parts)).await
    }
}

/// The status says how much was kept (PS3.18 Table 10.5.3-1), and where nothing was, why.
#[tokio::test]
async fn the_status_says_how_much_was_kept() {
    let server = server(|_| ()).await;
    let check =
        async |parts: &[(&str, &[u8])], expected| assert_eq!(server.store(parts).await.0, expected, "{parts:?}");
    check(&[("a", b"one"), ("b", b"two")], 200).await;
    check(&[("a", b"one")], 200).await;
    check(&[("a", b"one"), ("c", b"bad")], 202).await;
    check(&[("c", b"bad"), ("d", b"conflict")], 409).await;
    check(&[("c", b"bad"), ("d", b"busy")], 409).await;
    check(&[("e", b"busy"), ("f", b"full")], 503).await;
    check(&[("f", b"full")], 507).await;
    check(&[], 400).await;
}

/// The DICOM JSON names what was stored with its URL and what failed with code and sentence.
#[tokio::test]
async fn the_answer_follows_ps3_18() {
    let server = server(|stow| stow.public_url = Some("https://a.example".into())).await;
    let parts: [(&str, &[u8]); 3] = [("a", b"one"), ("%E5%8F%97%20b", b"bad"), ("c", b"conflict")];
    let (_, answer) = server.store(&parts).await;
    let stored = &answer["00081199"]["Value"][0];
    let uid = stored["00081155"]["Value"][0].as_str().unwrap();
    let url = format!("https://a.example/dicom-web/studies/1.2.1/series/1.2.2/instances/{uid}");
    assert_eq!(stored["00081190"]["Value"][0], url);
    assert_eq!(answer["00081190"]["Value"][0], "https://a.example/dicom-web/studies/1.2.1");
    let conflict = &answer["00081198"]["Value"][0];
    assert_eq!(conflict["00081197"]["Value"][0], 43264);
    assert!(conflict["00081155"]["Value"][0].is_string());
    let unknown = &answer["0008119A"]["Value"][0];
    assert_eq!(unknown["00081197"]["Value"][0], 49152);
    assert_eq!(unknown["00000902"]["Value"][0], "not-dicom: byte 0. look at it");
    assert_eq!(server.gate.files(), ["a", "c", "受 b"]);
    let origin = server.gate.handed.lock().unwrap()[0].origin.clone();
    assert_eq!((origin.centre.as_str(), origin.batch.as_deref()), ("north", Some("n-1")));
}

/// A sender that asks for it is answered by part; a single file and an addressed study work too.
#[tokio::test]
async fn parts_single_files_and_studies() {
    let server = server(|_| ()).await;
    let (status, answer) = server.post("/studies/1.2.1", "application/dicom", PARTS_MEDIA_TYPE, b"one".to_vec()).await;
    let answer: PartsResponse = serde_json::from_value(answer).unwrap();
    assert_eq!((status, answer.parts[0].outcome.as_str()), (200, "stored"));
    let handed = server.gate.handed.lock().unwrap()[0].clone();
    assert_eq!((handed.expected_study.as_deref(), handed.bytes.as_slice()), (Some("1.2.1"), b"one".as_slice()));
    let body = multipart(&[("x", b"one"), ("y", b"bad")]);
    let (_, answer) = server.post("/studies", MULTIPART, PARTS_MEDIA_TYPE, body).await;
    let answer: PartsResponse = serde_json::from_value(answer).unwrap();
    let outcomes: Vec<_> = answer.parts.iter().map(|part| (part.file.as_str(), part.outcome.as_str())).collect();
    assert_eq!(outcomes, [("x", "already-held"), ("y", "quarantined")]);
}

/// What is not a store request is refused with a sentence; what is too large is, without losing its neighbours.
#[tokio::test]
async fn wrong_requests_are_refused() {
    let server = server(|stow| {
        let limits = ReceiveLimits { body_bytes_max: 1000, ..ReceiveLimits::default() };
        stow.door.receiver = Receiver::new(limits, std::env::temp_dir());
        stow.limits.parts_max = 3;
    })
    .await;
    let check = async |path: &str, content_type: &str, body: Vec<u8>, expected: u16| {
        let (status, answer) = server.post(path, content_type, "*/*", body).await;
        assert_eq!(status, expected, "{path} {content_type} {answer}");
    };
    check("/studies", "text/plain", vec![], 415).await;
    check("/studies", "multipart/related; type=\"image/png\"; boundary=b", vec![], 415).await;
    check("/studies", "", vec![], 415).await;
    check("/studies", "multipart/related", vec![], 400).await;
    check("/studies", MULTIPART, b"nothing".to_vec(), 400).await;
    check("/studies?batch=a/b", MULTIPART, multipart(&[("a", b"one")]), 400).await;
    check("/studies", "application/dicom", vec![b'x'; 1001], 413).await;
    check("/studies", MULTIPART, multipart(&[("a", &[b'x'; 2000]), ("b", b"two")]), 202).await;
    check("/studies", MULTIPART, multipart(&[("a", b"1"), ("b", b"2"), ("c", b"3"), ("d", b"4")]), 413).await;
    assert!(server.gate.files().contains(&"b".to_owned()));
}

/// Without a principal nothing is taken in.
#[tokio::test]
async fn without_a_credential_nothing_is_taken_in() {
    let (gate, spool) = (Arc::new(FakeGate::default()), tempfile::tempdir().unwrap());
    let stow = gate.stow(&spool);
    let request =
        Request::post("/studies").header("content-type", "application/dicom").body(Body::from("one")).unwrap();
    assert_eq!(store(Arc::new(stow), None, request).await.status(), 401);
    assert!(gate.files().is_empty());
}

/// Sends raw bytes, then closes, or stays silent; answers what came back.
async fn raw(address: SocketAddr, body: &[u8], close: bool) -> String {
    let mut socket = tokio::net::TcpStream::connect(address).await.unwrap();
    let head = format!(
        "POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nContent-Type: {MULTIPART}\r\nContent-Length: 9999\r\n\r\n"
    );
    socket.write_all(head.as_bytes()).await.unwrap();
    for chunk in body.chunks(3) {
        socket.write_all(chunk).await.unwrap();
        socket.flush().await.unwrap();
    }
    if close {
        socket.shutdown().await.unwrap();
    }
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

/// A body cut short, or a sender that falls silent, costs the last part only: it is never handed in.
#[tokio::test]
async fn a_cut_body_costs_its_last_part_only() {
    for close in [true, false] {
        let server = server(|stow| stow.limits.idle_s_max = 1).await;
        let body = multipart(&[("whole", b"one"), ("cut", b"two and more")]);
        let answer = raw(server.address, &body[..body.len() - 12], close).await;
        if !close {
            assert!(answer.starts_with("HTTP/1.1 408") && answer.contains("1 parts before"), "{answer}");
        }
        // A whole part's own task may outlive its request.
        for _ in 0..100 {
            if !server.gate.files().is_empty() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(server.gate.files(), ["whole"]);
    }
}

/// A batch is opened once, counts what is sent under it, and its receipt is its own centre's only.
#[tokio::test]
async fn a_batch_has_a_receipt() {
    let server = server(|_| ()).await;
    let open = async |body: &str| server.post("/batches", "application/json", "*/*", body.into()).await.0;
    assert_eq!(open(r#"{"id":"n-1","programme":"dock","expected":2}"#).await, 201);
    assert_eq!(open(r#"{"id":"n-1","programme":"zoo"}"#).await, 400);
    assert_eq!(open(r#"{"id":"../n","programme":"dock"}"#).await, 400);
    assert_eq!(open("{").await, 400);
    server.store(&[("a", b"one"), ("b", b"bad")]).await;
    let url = format!("http://{}/dicom-web/batches/n-1/receipt", server.address);
    let receipt = reqwest::get(&url).await.unwrap().bytes().await.unwrap();
    let receipt: archive::Receipt = serde_json::from_slice(&receipt).unwrap();
    assert_eq!((receipt.sent, receipt.stored, receipt.quarantined.len()), (2, 1, 1));
    let page = reqwest::Client::new().get(&url).header("accept", "text/html").send().await.unwrap();
    assert!(page.text().await.unwrap().contains("受領書"));
    assert_eq!(reqwest::get(url.replace("n-1", "n-2")).await.unwrap().status(), 404);
}

/// How fast the door is with a gate that does nothing: printed, and not slower than a disk.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throughput_with_a_fake_gate() {
    let server = server(|_| ()).await;
    let contents: Vec<Vec<u8>> = (0..64u8).map(|i| vec![i; 512 << 10]).collect();
    let parts: Vec<(&str, &[u8])> = contents.iter().map(|content| ("x", content.as_slice())).collect();
    let body = multipart(&parts);
    let (megabytes, started) = (body.len() as f64 / 1e6, std::time::Instant::now());
    let (status, _) = server.post("/studies", MULTIPART, "*/*", body).await;
    let rate = megabytes / started.elapsed().as_secs_f64();
    println!("STOW, 64 parts of 512 KiB, one client, fake gate: {rate:.0} MB/s");
    assert_eq!((status, server.gate.files().len()), (200, 64));
    assert!(rate > 5.0, "{rate} MB/s");
}
