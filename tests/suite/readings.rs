//! kill -9 between verdicts: a reader who reads on after each crash, as the page does.
//!
//! Proves: every verdict that was called saved is there after the restart, once, and with its content; what was sent and
//! not answered can be sent again; the reader gets back what they had claimed; the log's chain is whole; and the command
//! line sees the same.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use datasets::{Kind, Scale, Study};
use reqwest::Client;
use serde_json::{Value, json};

use crate::program::{Random, Server, run_clean};

const STUDIES: usize = 80;
const ROUNDS: usize = 12;

/// One reader with one token.
struct Reader {
    client: Client,
    token: String,
    /// Sent, and whether they were called saved.
    verdicts: BTreeMap<String, (Value, bool)>,
    items: Vec<Value>,
}

impl Reader {
    fn new(data: &Path, name: &str) -> Reader {
        let said = run_clean(data, &["token", "issue", name, "--role", "reader", "--reads"]);
        let token = said.json["token"].as_str().unwrap().to_owned();
        let client = Client::builder().timeout(Duration::from_secs(60)).build().unwrap();
        Reader { client, token, verdicts: BTreeMap::new(), items: Vec::new() }
    }

    /// The answer, or nothing where the server is gone.
    async fn post(&self, url: &str, path: &str, body: &Value) -> Option<Value> {
        let request = self.client.post(format!("{url}{path}")).bearer_auth(&self.token);
        let request = request.header("content-type", "application/json").body(body.to_string());
        let response = request.send().await.ok()?;
        let status = response.status();
        let answer = serde_json::from_slice(&response.bytes().await.ok()?).ok()?;
        assert!(status.is_success(), "{path}: {status} {answer}");
        Some(answer)
    }

    /// Reads until there is nothing left or the server is gone, in which case it answers `false`.
    async fn read(&mut self, url: &str, worklist: &str) -> bool {
        // The queue of the page, first of all: what was not answered goes again.
        let waiting: Vec<Value> =
            self.verdicts.values().filter(|(_, saved)| !saved).map(|(verdict, _)| verdict.clone()).collect();
        if !waiting.is_empty() && !self.send(url, waiting).await {
            return false;
        }
        loop {
            if self.items.is_empty() {
                let path = format!("/reading/worklists/{worklist}/claim");
                let Some(answer) = self.post(url, &path, &json!({ "count": 5 })).await else { return false };
                self.items = answer["items"].as_array().unwrap().clone();
            }
            let Some(item) = self.items.pop() else { return true };
            let id = uuid::Uuid::new_v4().to_string();
            let verdict = json!({
                "id": id, "item": item["item"], "stage": item["stage"], "verdict": "follow-up",
                "text": format!("{} of {}", self.verdicts.len(), item["study"]), "took_ms": 1,
            });
            self.verdicts.insert(id, (verdict.clone(), false));
            if !self.send(url, vec![verdict]).await {
                return false;
            }
        }
    }

    async fn send(&mut self, url: &str, verdicts: Vec<Value>) -> bool {
        let Some(answer) = self.post(url, "/reading/verdicts", &json!({ "verdicts": verdicts })).await else {
            return false;
        };
        assert_eq!(answer["refused"], json!([]), "nobody else reads here");
        for id in answer["saved"].as_array().unwrap() {
            self.verdicts.get_mut(id.as_str().unwrap()).unwrap().1 = true;
        }
        true
    }
}

/// Every verdict in the log, by id; the chain was checked by reading it.
fn logged(data: &Path) -> BTreeMap<String, Value> {
    let log = archive::EventLog::open(&archive::Layout::new(data).unwrap().event_log("reading")).unwrap();
    let mut verdicts = BTreeMap::new();
    for event in log.read_from(1) {
        let event = event.unwrap().event;
        if event["event"] == "read" {
            let verdict = event["verdict"].clone();
            let id = verdict["id"].as_str().unwrap().to_owned();
            assert!(verdicts.insert(id, verdict).is_none(), "a verdict is there twice");
        }
    }
    verdicts
}

#[tokio::test(flavor = "multi_thread")]
async fn verdicts_that_were_called_saved_outlive_every_kill() {
    let dir = tempfile::tempdir().unwrap();
    let (data, files) = (dir.path().join("data"), dir.path().join("files"));
    write_ecgs(&files);
    run_clean(&data, &["import", files.to_str().unwrap(), "--no-pack"]);
    let made = run_clean(&data, &["reading", "create", "kill", "--double", "all"]).json;
    assert_eq!(made["total"], STUDIES);
    let worklist = made["worklist"].as_str().unwrap();
    let mut readers = [Reader::new(&data, "sato"), Reader::new(&data, "suzuki")];
    let (mut random, mut kills) = (Random(20_270_401), 0);
    let started = Instant::now();
    for round in 0.. {
        let server = Server::start(&data, &["--no-pack"]);
        let url = server.url.trim_end_matches("/dicom-web").to_owned();
        // What was acknowledged before the kill is in the log of the next start.
        let kept = logged(&data);
        for (verdict, _) in readers.iter().flat_map(|reader| reader.verdicts.values()).filter(|(_, saved)| *saved) {
            let id = verdict["id"].as_str().unwrap();
            let kept = kept.get(id).unwrap_or_else(|| panic!("{id} was called saved and is gone"));
            assert_eq!((&kept["text"], &kept["item"]), (&verdict["text"], &verdict["item"]));
        }
        let [first, second] = &mut readers;
        let reading = async { tokio::join!(first.read(&url, worklist), second.read(&url, worklist)) };
        if round >= ROUNDS {
            assert_eq!(reading.await, (true, true));
            // Whatever the other one read last waits for this one now.
            let [first, second] = &mut readers;
            assert!(first.read(&url, worklist).await && second.read(&url, worklist).await);
            break;
        }
        let killed = async {
            // A verdict takes a few milliseconds: later, there is nothing left to cut off.
            tokio::time::sleep(Duration::from_millis(2 + random.below(40))).await;
            server.kill();
        };
        let ((one, two), _) = tokio::join!(reading, killed);
        kills += usize::from(!one || !two);
    }
    let all: usize = readers.iter().map(|reader| reader.verdicts.len()).sum();
    assert_eq!(all, 2 * STUDIES, "each item was read by both, and by neither twice");
    assert_eq!(logged(&data).len(), all);
    assert!(kills > 2, "too little was cut off to prove anything");
    println!("{all} verdicts, {kills} of {ROUNDS} kills amid reading, {:.1} s", started.elapsed().as_secs_f64());
    let listed = run_clean(&data, &["reading", "list"]).json;
    assert_eq!((&listed["worklists"][0]["decided"], &listed["worklists"][0]["unread"]), (&json!(STUDIES), &json!(0)));
    run_clean(&data, &["audit", "verify"]);
}

/// ECGs as the generator makes them, one a study.
fn write_ecgs(to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for number in 0..STUDIES {
        let study = Study::new(Kind::Ecg, 7 + number as u64, Scale::Small, number);
        let files: Vec<_> = study.files().collect();
        assert_eq!(files.len(), 1);
        std::fs::write(to.join(format!("{number:03}.dcm")), &files[0].bytes).unwrap();
    }
}
