//! The gateway against an exchange of its own: what is killed, refused, unreachable in between.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use archive::{EventLog, Origin};
use axum::body::Body;
use axum::extract::Request;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Extension, Router};
use futures::StreamExt;
use serde_json::json;

use super::*;
use crate::changes::Change;
use crate::door::{Gate, Principal, Received, Refusal};
use crate::fake::FakeGate;
use crate::forward::{Source, Unread, World};
use crate::receive::{ReceiveLimits, Receiver};
use crate::{Stow, StowLimits, router};

fn world() -> World {
    let now = || "2026-11-23T07:15:07.123Z".parse().unwrap();
    World { now: Arc::new(now), jitter: Arc::new(|| 0.5) }
}

struct House {
    dir: tempfile::TempDir,
    gate: Arc<FakeGate>,
    exchange: Exchange,
    /// Whether the exchange's feed is offered as a stream.
    streams: Arc<AtomicBool>,
    polls: Arc<AtomicUsize>,
}

/// A gateway's folder, and an exchange with a gate that remembers.
async fn house() -> House {
    let (dir, gate) = (tempfile::tempdir().unwrap(), Arc::new(FakeGate::default()));
    for folder in ["spool", "receipts"] {
        std::fs::create_dir(dir.path().join(folder)).unwrap();
    }
    std::fs::write(dir.path().join("token"), "tsu_secret\n").unwrap();
    let receiver = Receiver::new(ReceiveLimits::default(), dir.path().join("spool"));
    let door = crate::Doorway { gate: gate.clone(), receiver, now: Arc::new(|| "2026-11-23T00:00:00Z".into()) };
    let stow = Stow {
        door,
        annotations: gate.clone(),
        batches: gate.clone(),
        limits: StowLimits::default(),
        base: "/dicom-web".into(),
        public_url: None,
        uploads: crate::Uploads::default(),
    };
    let (streams, polls) = (Arc::new(AtomicBool::new(true)), Arc::new(AtomicUsize::new(0)));
    let feed = {
        let (streams, polls) = (streams.clone(), polls.clone());
        get(move |request: Request| feed(streams.clone(), polls.clone(), request))
    };
    let principal = Principal { centre: "north".into(), name: "test".into() };
    let authorised = axum::middleware::from_fn(|request: Request, next: axum::middleware::Next| async move {
        let good = request.headers().get(header::AUTHORIZATION).is_some_and(|value| value == "Bearer tsu_secret");
        if good { next.run(request).await } else { StatusCode::UNAUTHORIZED.into_response() }
    });
    let app = Router::new().nest("/dicom-web", router(stow).merge(search())).route("/changes", feed);
    let app = app.layer(Extension(principal)).layer(authorised);
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    let exchange = Exchange::new(&url, dir.path().join("token")).unwrap();
    House { dir, gate, exchange, streams, polls }
}

/// Three changes, then silence.
async fn feed(streams: Arc<AtomicBool>, polls: Arc<AtomicUsize>, request: Request) -> axum::response::Response {
    let since: u64 = request.uri().query().unwrap().split(['=', '&']).nth(1).unwrap().parse().unwrap();
    let change = |seq: u64| match seq {
        2 => json!({ "change": "of-a-later-version", "sequence": 2, "at": "x" }),
        _ => json!({ "change": "packed", "study": format!("1.{seq}"), "centre": "north", "instances": 1, "pack": seq,
                     "sequence": seq, "at": "2026-11-23T00:00:00Z" }),
    };
    let told: Vec<_> = (since + 1..=3).map(change).collect();
    let wants = request.headers()[header::ACCEPT] == "text/event-stream";
    if wants && streams.load(Ordering::SeqCst) {
        let text: String = told.iter().map(|c| format!("id: {}\nevent: x\ndata: {c}\n\n", c["sequence"])).collect();
        // In pieces that respect no line.
        let pieces: Vec<_> =
            text.into_bytes().chunks(37).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
        let body = futures::stream::iter(pieces).chain(futures::stream::pending());
        return ([(header::CONTENT_TYPE, "text/event-stream")], Body::from_stream(body)).into_response();
    }
    if wants {
        return StatusCode::NOT_ACCEPTABLE.into_response();
    }
    polls.fetch_add(1, Ordering::SeqCst);
    axum::Json(json!({ "changes": told, "next": 3, "end": 3 })).into_response()
}

/// A study of two instances, of which one is had as it was received, one only as it is held.
fn search() -> Router {
    let study =
        || async { axum::Json(json!([{ "00080061": { "Value": ["CT", "SR"] }, "00081030": { "Value": ["chest"] } }])) };
    let instances = |request: Request| async move {
        if !request.uri().query().unwrap().contains("offset=0") {
            return StatusCode::NO_CONTENT.into_response();
        }
        let one = |uid: &str| json!({ "00080016": { "Value": ["1.2.840.10008.5.1.4.1.1.2"] }, "00080018": { "Value": [uid] }, "0020000E": { "Value": ["1.5"] } });
        axum::Json(json!([one("1.6.1"), one("1.6.2")])).into_response()
    };
    Router::new()
        .route("/studies/search", get(study))
        .route("/studies/{study}/instances", get(instances))
        .route("/studies/{study}/series/{series}/instances/1.6.1/original", get(|| async { "as received" }))
        .route("/studies/{study}/series/{series}/instances/1.6.2/original", get(|| async { StatusCode::FORBIDDEN }))
        .route("/studies/{study}/series/{series}/instances/1.6.2", get(|| async { "as held" }))
        .route("/studies/{study}/series/{series}/instances/1.6.3/original", get(|| async { StatusCode::NOT_FOUND }))
}

impl House {
    fn outbox(&self) -> Outbox {
        Outbox::open(&self.dir.path().join("outbox")).unwrap()
    }

    fn pusher(&self, outbox: &Outbox) -> Pusher {
        Pusher {
            outbox: outbox.clone(),
            exchange: self.exchange.clone(),
            settings: PusherSettings { quiet: Duration::ZERO, ..PusherSettings::default() },
            receipts: self.dir.path().join("receipts"),
            log: Arc::new(EventLog::open(&self.dir.path().join("gateway.jsonl")).unwrap()),
            world: world(),
        }
    }

    fn receipts(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("receipts")).unwrap().count()
    }

    /// Files of the exchange, each once.
    fn arrived(&self) -> BTreeSet<Vec<u8>> {
        self.gate.handed.lock().unwrap().iter().map(|handed| handed.bytes.clone()).collect()
    }
}

async fn hand_in(outbox: &Outbox, file: &str, bytes: &[u8]) {
    let receiver = Receiver::new(ReceiveLimits::default(), std::env::temp_dir());
    let mut receiving = receiver.open(None);
    receiving.write(bytes.to_vec().into()).await.unwrap();
    let received: Received = receiving.finish().await.unwrap();
    let origin = Origin { file: file.into(), ..Origin::default() };
    outbox.take_in(origin, received).await.unwrap();
}

/// What is answered is a file with a name; the same file again is the same; a kill leaves no half file behind.
#[tokio::test]
async fn what_a_gateway_answered_is_durable_and_named() {
    let house = house().await;
    let outbox = house.outbox();
    hand_in(&outbox, "1.2.3", b"one").await;
    hand_in(&outbox, "1.2.3", b"one").await;
    hand_in(&outbox, "../../etc/x", b"two").await;
    let open = outbox.dir().join("open");
    std::fs::write(open.join(".1.2.9-x.part"), b"ha").unwrap();
    let again = house.outbox();
    assert_eq!(again.backlog().unwrap(), Backlog { open_files: 2, open_bytes: 6, batches: vec![] });
    assert!(!open.join(".1.2.9-x.part").exists());
    let names: BTreeSet<String> =
        std::fs::read_dir(&open).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    let starts = |start: &str| names.iter().filter(|name| name.starts_with(start)).count();
    assert_eq!((starts("1.2.3-"), starts("file-")), (1, 1));
    std::fs::remove_dir_all(&open).unwrap();
    let receiving = Receiver::new(ReceiveLimits::default(), std::env::temp_dir()).open(None).finish().await.unwrap();
    assert!(
        matches!(again.take_in(Origin::default(), receiving).await, Err(Refusal::Failed(_))),
        "not answered as kept"
    );
}

/// A batch goes under its id, its receipt is kept, and only then is the local copy let go; killed before that, the batch
/// is sent again under the same id, or just let go where its receipt is there.
#[tokio::test]
async fn a_local_copy_is_removed_only_after_its_receipt_closed() {
    let house = house().await;
    let outbox = house.outbox();
    for (file, bytes) in [("1.1", &b"one"[..]), ("1.2", b"two"), ("1.3", b"bad")] {
        hand_in(&outbox, file, bytes).await;
    }
    // The exchange is full at first: nothing closes, nothing goes.
    house.gate.busy_first.store(1_000, Ordering::SeqCst);
    let pusher = house.pusher(&outbox);
    let error = pusher.turn().await.unwrap_err().to_string();
    assert!(error.contains("not taken"), "{error}");
    let backlog = outbox.backlog().unwrap();
    assert_eq!((backlog.batches.len(), backlog.batches[0].files, house.receipts()), (1, 3, 0));
    house.gate.busy_first.store(0, Ordering::SeqCst);
    // Killed after the receipt was kept and before the files went.
    let batch = &backlog.batches[0];
    let copy = house.dir.path().join("copy");
    std::fs::rename(outbox.folder(&batch.id), &copy).unwrap();
    std::fs::create_dir(outbox.folder(&batch.id)).unwrap();
    for entry in std::fs::read_dir(&copy).unwrap() {
        let path = entry.unwrap().path();
        std::fs::copy(&path, outbox.folder(&batch.id).join(path.file_name().unwrap())).unwrap();
    }
    assert_eq!(pusher.turn().await.unwrap(), 1);
    assert_eq!((house.receipts(), outbox.backlog().unwrap().batches.len()), (1, 0));
    assert_eq!(house.arrived().len(), 3);
    let sent = house.gate.handed.lock().unwrap().len();
    std::fs::rename(&copy, outbox.folder(&batch.id)).unwrap();
    assert_eq!(house.pusher(&house.outbox()).turn().await.unwrap(), 1);
    assert_eq!(house.gate.handed.lock().unwrap().len(), sent, "its receipt is there: nothing is sent");
    let receipt = std::fs::read_dir(house.dir.path().join("receipts")).unwrap().next().unwrap().unwrap().path();
    let receipt: serde_json::Value = serde_json::from_slice(&std::fs::read(receipt).unwrap()).unwrap();
    assert_eq!((&receipt["receipt"]["sent"], &receipt["receipt"]["stored"]), (&json!(3), &json!(2)));
    assert_eq!(receipt["receipt"]["quarantined"].as_array().unwrap().len(), 1);
}

/// While an instance is being written its folder is not sealed, and what comes after goes into the next batch.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn everything_is_sent_while_more_comes() {
    let house = house().await;
    let outbox = house.outbox();
    let pusher = house.pusher(&outbox);
    let coming = async {
        for serial in 0..60u32 {
            hand_in(&outbox, &format!("1.{serial}"), format!("file {serial}").as_bytes()).await;
        }
    };
    let sending = async {
        while house.arrived().len() < 60 {
            let _ = pusher.turn().await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), async { tokio::join!(coming, sending) }).await.unwrap();
    pusher.turn().await.unwrap();
    assert_eq!(outbox.backlog().unwrap(), Backlog::default());
    assert!(house.receipts() > 1);
}

/// Images go over https, and nowhere else; a token that is not there is said.
#[tokio::test]
async fn only_https_leads_to_the_exchange() {
    let check = |url: &str, good: bool| assert_eq!(Exchange::new(url, "token".into()).is_ok(), good, "{url}");
    check("https://exchange.example", true);
    check("http://127.0.0.1:8080", true);
    check("http://exchange.example", false);
    check("http://127.0.0.1.exchange.example", false);
    check("ftp://127.0.0.1", false);
    check("exchange.example", false);
    assert!(Exchange::new("https://exchange.example", "no-such-file".into()).unwrap().token().is_err());
}

/// The feed is followed as a stream, cut anywhere, and in pages where there is none; what a later version says is passed
/// over, and its number is not lost.
#[tokio::test]
async fn the_feed_is_followed_as_events_or_in_pages() {
    for streams in [true, false] {
        let house = house().await;
        house.streams.store(streams, Ordering::SeqCst);
        let receiver = Receiver::new(ReceiveLimits::default(), house.dir.path().join("spool"));
        let source = RemoteSource::new(house.exchange.clone(), receiver);
        assert_eq!(source.end().await.unwrap(), 3);
        let (mut since, mut told) = (0, Vec::new());
        for _ in 0..20 {
            let changes = source.changes(since, Duration::from_secs(1)).await.unwrap();
            since = changes.last().map_or(since, |(seq, _)| *seq);
            told.extend(changes);
            if since == 3 {
                break;
            }
        }
        let study = |change: &Option<Change>| change.as_ref().map(|change| change.study().unwrap().to_owned());
        let studies: Vec<_> = told.iter().map(|(seq, change)| (*seq, study(change))).collect();
        assert_eq!(studies, [(1, Some("1.1".to_owned())), (2, None), (3, Some("1.3".to_owned()))]);
        assert!(matches!(told[0].1, Some(Change::Packed { pack: 1, .. })));
        assert_eq!(house.polls.load(Ordering::SeqCst) > 1, !streams);
    }
}

/// Instances are listed to the last page, and fetched as received, or as held where the token allows no more.
#[tokio::test]
async fn instances_of_the_exchange_are_listed_and_fetched() {
    let house = house().await;
    let receiver = Receiver::new(ReceiveLimits::default(), house.dir.path().join("spool"));
    let source = RemoteSource::new(house.exchange.clone(), receiver);
    let found = source.instances("1.4").await.unwrap();
    assert_eq!(found.len(), 2);
    assert!(found[0].key != found[1].key && found[0].key > 0);
    let bytes = async |at: usize| source.file(&found[at]).await.unwrap().bytes(100).unwrap().unwrap();
    assert_eq!((bytes(0).await.as_ref(), bytes(1).await.as_ref()), (&b"as received"[..], &b"as held"[..]));
    let gone = crate::forward::Outgoing { sop_instance_uid: "1.6.3".into(), ..found[0].clone() };
    assert!(matches!(source.file(&gone).await, Err(Unread::Never(_))));
    std::fs::write(house.dir.path().join("token"), "another").unwrap();
    assert!(matches!(source.file(&found[0]).await, Err(Unread::Later(_))));
    assert!(source.instances("1.4").await.unwrap_err().contains("401"));
}
