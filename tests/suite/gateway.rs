//! The whole way of an image: a modality stores to the gateway of its centre, the gateway sends to the exchange, the
//! exchange forwards to a second archive, and the gateway of a hospital delivers to the PACS there.
//!
//! Proves: with the centre's gateway and the exchange each killed (SIGKILL) on the way, every instance that was answered
//! arrives, once, with the Data Set that was sent; at the hospital it has the local patient's ID and says what it was.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::path::Path;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};

use bytes::Bytes;
use datasets::{File, Kind, Scale, Study};
use ingest::scu::{Peer, Proposal, Scu, ScuLimits, StoreRequest};
use transcode::data_set::{Part10, Tag, scan};

use crate::client::{Dicomweb, text};
use crate::program::{Server, free_port, program, run, run_clean, token, verify};

const CENTRE: &str = "north";
const PATIENCE: Duration = Duration::from_secs(180);

/// A running `tsunagu gateway`; killed when dropped.
struct Gateway(Child);

impl Gateway {
    fn start(data: &Path, exchange: &str, token_file: &Path, arguments: &[&str]) -> Gateway {
        let exchange = exchange.trim_end_matches("/dicom-web");
        let mut command = program(data);
        command.args(["gateway", "--exchange", exchange, "--token-file", path_str(token_file)]).args(arguments);
        Gateway(command.stdout(Stdio::null()).spawn().unwrap())
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn path_str(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn scanned(bytes: &[u8]) -> Part10 {
    scan(&mut Cursor::new(bytes), &Default::default()).unwrap()
}

fn data_set(bytes: &[u8]) -> Bytes {
    Bytes::copy_from_slice(&bytes[scanned(bytes).data_set_offset as usize..])
}

/// Stores one file as a modality does; `true` once it was answered 0000.
async fn store(port: u16, file: &File) -> bool {
    let peer = Peer {
        ae_title: "TSUNAGU".into(),
        host: "127.0.0.1".into(),
        port,
        calling_ae_title: "CT1".into(),
        tls: None,
        limits: ScuLimits::default(),
    };
    let part10 = scanned(&file.bytes);
    let class = part10.data_set.uid(Tag(8, 0x16)).unwrap();
    let proposal = Proposal::new(class, &[&part10.transfer_syntax_uid]);
    let Ok(mut scu) = Scu::open(&peer, &[proposal]).await else { return false };
    let context = scu.contexts()[0].id;
    let request =
        StoreRequest { sop_class_uid: class, sop_instance_uid: &file.sop_instance_uid, ..StoreRequest::default() };
    let data = futures::stream::iter([Ok::<_, String>(data_set(&file.bytes))]);
    let answered = scu.store(context, &request, data).await.is_ok_and(|response| response.status == 0);
    let _ = scu.release().await;
    answered
}

async fn until(what: &str, mut done: impl AsyncFnMut() -> bool) {
    let started = Instant::now();
    while !done().await {
        assert!(started.elapsed() < PATIENCE, "waited too long until {what}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

async fn holds(client: &Dicomweb, count: usize) -> bool {
    client.instances().await.len() == count
}

/// Every instance that the archive lists has the Data Set that was sent.
async fn check(client: &Dicomweb, sent: &BTreeMap<String, Bytes>) {
    let paths = client.instances().await;
    let uids: BTreeSet<&str> = paths.iter().filter_map(|path| path.rsplit('/').next()).collect();
    assert_eq!(uids, sent.keys().map(String::as_str).collect());
    for path in &paths {
        let bytes = client.get(&format!("{path}/original")).await.bytes().await.unwrap();
        let uid = path.rsplit('/').next().unwrap();
        assert!(data_set(&bytes) == sent[uid], "{uid} is not what was sent");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn from_a_centre_to_a_hospital_each_image_arrives_once_whatever_is_killed() {
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    let (exchange_data, second_data, hospital_data) = (at("exchange"), at("second"), at("hospital"));
    let admin = |data: &Path| token(data, "admin", CENTRE);
    let (exchange_token, second_token, hospital_token) =
        (admin(&exchange_data), admin(&second_data), admin(&hospital_data));
    std::fs::write(at("token"), &exchange_token).unwrap();
    let (second_port, hospital_port, centre_port) = (free_port(), free_port(), free_port());
    let listen = |port: u16| format!("127.0.0.1:{port}");
    let store_only =
        |port: u16| ["--dimse".to_owned(), listen(port), "--any-peer".into(), "here".into(), "--no-pack".into()];
    let start = |data: &Path, arguments: &[String]| {
        Server::start(data, &arguments.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let second = start(&second_data, &store_only(second_port));
    let hospital = start(&hospital_data, &store_only(hospital_port));

    let rules = |name: &str, port: u16, more: &str| {
        let path = at(name);
        let text = format!(
            "[[to]]\nname = \"{name}\"\naet = \"TSUNAGU\"\nhost = \"127.0.0.1\"\nport = {port}\nbegin = \"first\"\n\
             retry-s-max = 2\n{more}"
        );
        std::fs::write(&path, text).unwrap();
        path
    };
    let forward = rules("second.toml", second_port, "quiet-s = 1\n");
    let exchange_arguments = ["--pack-after-s", "1", "--forward", path_str(&forward)].map(str::to_owned);
    let exchange = start(&exchange_data, &exchange_arguments);

    // A modality stores; the gateway is killed half way, and what was not answered is stored again.
    let kinds = [Kind::ChestCt, Kind::Chest, Kind::BrainMr];
    let studies: Vec<Study> =
        kinds.iter().zip(1..).map(|(kind, at)| Study::new(*kind, 90 + at as u64, Scale::Small, at)).collect();
    let files: Vec<File> = studies.iter().flat_map(|study| study.files().collect::<Vec<_>>()).collect();
    let sent: BTreeMap<String, Bytes> =
        files.iter().map(|file| (file.sop_instance_uid.clone(), data_set(&file.bytes))).collect();
    let dimse = listen(centre_port);
    let centre_arguments = ["--dimse", &dimse, "--any-peer", "--quiet-s", "1"];
    let centre = || Gateway::start(&at("centre"), &exchange.url, &at("token"), &centre_arguments);
    let gateway = centre();
    until("the gateway listens", async || store(centre_port, &files[0]).await).await;
    let half = files.len() / 2;
    for file in &files[1..half] {
        assert!(store(centre_port, file).await);
    }
    drop(gateway);
    let gateway = centre();
    for file in &files[half..] {
        until("an instance is answered", async || store(centre_port, file).await).await;
    }
    let client = Dicomweb::new(&exchange.url, &exchange_token);
    until("the exchange holds everything", async || holds(&client, files.len()).await).await;

    // Every receipt closed, and only then were the files let go.
    until("the outbox is empty", async || {
        let status = run_clean(&at("centre"), &["gateway", "status"]).json;
        status["backlog"]["open_files"] == 0 && status["backlog"]["batches"] == serde_json::json!([])
    })
    .await;
    assert!(run_clean(&at("centre"), &["gateway", "status"]).json["receipts"].as_u64().unwrap() > 0);

    // The exchange is killed while it forwards.
    exchange.kill();
    let exchange = start(&exchange_data, &exchange_arguments);
    let second_client = Dicomweb::new(&second.url, &second_token);
    until("the second archive holds everything", async || holds(&second_client, files.len()).await).await;
    check(&second_client, &sent).await;

    // The hospital delivers with its own patients' IDs, of all but one patient.
    let person = |study: &Study| {
        let first = study.files().next().unwrap();
        let issuer = scanned(&first.bytes).data_set.ascii(Tag(0x10, 0x21)).unwrap_or(CENTRE).to_owned();
        format!("{issuer},{}", study.patient.patient_id)
    };
    let lines: Vec<String> =
        studies[1..].iter().map(|study| format!("{},HOSP,L-{}\n", person(study), study.seed)).collect();
    std::fs::write(at("ids.csv"), lines.concat()).unwrap();
    let deliver = rules("hospital.toml", hospital_port, "local-ids = \"ids.csv\"\n");
    let gateway_data = at("hospital-gateway");
    let delivering = ["--rules", path_str(&deliver), "--system", "Gateway of the hospital"];
    let hospital_gateway = Gateway::start(&gateway_data, &exchange.url, &at("token"), &delivering);
    let hospital_client = Dicomweb::new(&hospital.url, &hospital_token);
    let expected: usize = studies[1..].iter().map(Study::file_count).sum();
    until("the hospital holds what has an ID", async || holds(&hospital_client, expected).await).await;
    for study in &studies[1..] {
        let found = hospital_client.search(&format!("studies?StudyInstanceUID={}", study.study_instance_uid)).await;
        assert_eq!(text(&found[0], "00100020"), format!("L-{}", study.seed));
    }
    let path = hospital_client.instances().await.remove(0);
    let bytes = hospital_client.get(&format!("{path}/original")).await.bytes().await.unwrap();
    let record = &scanned(&bytes).data_set.items(Tag(0x400, 0x561))[0].data_set.clone();
    assert_eq!(record.ascii(Tag(0x400, 0x563)), Some("Gateway of the hospital"));
    until("one study is held back", async || run(&gateway_data, &["gateway", "status"]).json["held_back"] == 1).await;

    // Nothing is left anywhere.
    until("everything forwarded is written down", async || {
        let listed = run_clean(&exchange_data, &["forward", "list"]).json;
        listed["summary"]["waiting"] == 0 && listed["summary"]["instances"] == files.len()
    })
    .await;
    let told = Dicomweb::new(&exchange.url, &exchange_token).told("packed").await;
    assert!(studies.iter().all(|study| told.contains(&study.study_instance_uid)), "each study is in the feed");
    drop((gateway, hospital_gateway));
    for server in [exchange, second, hospital] {
        server.kill();
    }
    for (data, count) in [(&exchange_data, files.len()), (&second_data, files.len()), (&hospital_data, expected)] {
        assert_eq!(verify(data)["instances"], count, "an instance is held twice, or not at all");
    }
}
