//! The sending side against the real STOW router with a gate that remembers, and against a server that breaks.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::{Extension, Router};

use super::*;
use crate::door::Principal;
use crate::fake::FakeGate;
use crate::progress::Silent;
use crate::stow::router;

struct Server {
    gate: Arc<FakeGate>,
    address: SocketAddr,
    folder: tempfile::TempDir,
}

/// A server; its first `broken` store requests are answered 502, as by a proxy in between.
async fn server(broken: usize) -> Server {
    let (gate, folder) = (Arc::new(FakeGate::default()), tempfile::tempdir().unwrap());
    let stow = gate.stow(&folder);
    let left = Arc::new(AtomicUsize::new(broken));
    let breaking = axum::middleware::from_fn(move |request: axum::extract::Request, next: axum::middleware::Next| {
        let left = left.clone();
        async move {
            let store = request.uri().path() == "/studies";
            let fails = store && left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
            if fails {
                axum::response::IntoResponse::into_response(StatusCode::BAD_GATEWAY)
            } else {
                next.run(request).await
            }
        }
    });
    let principal = Principal { centre: "north".into(), name: "test".into() };
    let app = Router::new().merge(router(stow)).layer(Extension(principal)).layer(breaking);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    Server { gate, address, folder }
}

impl Server {
    fn files(&self, files: &[(&str, &[u8])]) -> Vec<PathBuf> {
        let night = self.folder.path().join("night");
        std::fs::create_dir_all(&night).unwrap();
        for (name, content) in files {
            std::fs::write(night.join(name), content).unwrap();
        }
        vec![night]
    }

    fn options(&self) -> PushOptions {
        let options = PushOptions::new(format!("http://{}/", self.address), "n-1", "dock");
        PushOptions { request_files_max: 2, attempts_max: 3, ..options }
    }
}

const FILES: [(&str, &[u8]); 5] = [("a", b"one"), ("b 受診", b"two"), ("c", b"bad"), ("d", b"one"), ("e", b"three")];

/// Everything arrives under its own name, whatever the server does in between, and the receipt closes.
#[tokio::test]
async fn the_receipt_closes_over_breaks() {
    let server = server(1).await;
    server.gate.busy_first.store(1, Ordering::SeqCst);
    let paths = server.files(&FILES);
    let result = push(paths.clone(), &server.options(), &Silent).await.unwrap();
    assert_eq!((result.sent, result.stored, result.already_held), (5, 3, 1));
    assert_eq!(result.quarantined[0].file, "night/c");
    assert_eq!(result.failed, []);
    assert_eq!(server.gate.files(), ["night/a", "night/b 受診", "night/c", "night/d", "night/e"]);
    assert_eq!(
        push(paths, &server.options(), &Silent).await.unwrap(),
        result,
        "the same batch again, the same receipt"
    );
}

/// What was acknowledged is not sent again, what changed is, and a journal of another batch counts for nothing.
#[tokio::test]
async fn a_journal_saves_what_was_acknowledged() {
    let server = server(0).await;
    let paths = server.files(&FILES);
    let options = PushOptions { resume: Some(server.folder.path().join("journal")), ..server.options() };
    let run = async |options: &PushOptions| {
        let result = push(paths.clone(), options, &Silent).await.unwrap();
        (result.skipped, result.sent, server.gate.handed.lock().unwrap().len())
    };
    assert_eq!(run(&options).await, (0, 5, 5));
    assert_eq!(run(&options).await, (5, 5, 5));
    server.files(&[("a", b"changed")]);
    assert_eq!(run(&options).await, (4, 5, 6));
    let other = PushOptions { batch: "n-2".into(), ..options };
    assert_eq!(run(&other).await, (0, 5, 11));
}

/// A file that cannot be read, a missing path and a full server are named; the rest arrives.
#[tokio::test]
async fn what_cannot_be_sent_is_named() {
    let server = server(0).await;
    let mut paths = server.files(&[("a", b"one"), ("b", b"two"), ("f", b"full")]);
    // A member whose bytes do not match its checksum fails while the request is under way.
    let mut zip = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    let stored = zip::write::SimpleFileOptions::default().compression_method(zip::CompressionMethod::Stored);
    zip.start_file("m", stored).unwrap();
    std::io::Write::write_all(&mut zip, b"member").unwrap();
    let mut zip = zip.finish().unwrap().into_inner();
    let at = zip.windows(6).position(|window| window == b"member").unwrap();
    zip[at] = b'M';
    server.files(&[("c.zip", &zip)]);
    paths.push("/no/such/path".into());
    let options = PushOptions { request_files_max: 32, attempts_max: 1, ..server.options() };
    let result = push(paths, &options, &Silent).await.unwrap();
    let failed: Vec<_> = result.failed.iter().map(|failed| failed.file.as_str()).collect();
    assert_eq!(failed, ["/no/such/path", "night/c.zip/m", "night/f"]);
    assert_eq!((result.sent, result.stored), (2, 2));
}

/// A server that is not there, or refuses, is an error with a sentence; a wrong batch id is not sent at all.
#[tokio::test]
async fn a_server_that_is_not_there_is_said() {
    let server = server(0).await;
    let check = async |options: PushOptions, expected: &str| {
        let error = push(vec![], &options, &Silent).await.unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    };
    let gone = PushOptions { url: "http://127.0.0.1:1".into(), attempts_max: 1, ..server.options() };
    check(gone, "run the same command again").await;
    check(PushOptions { programme: "zoo".into(), ..server.options() }, "programme is one of").await;
    check(PushOptions { batch: "../x".into(), ..server.options() }, "a batch id is").await;
}
