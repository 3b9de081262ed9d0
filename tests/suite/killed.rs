//! kill -9 at 50 random moments of an ingest under load, packing included.
//!
//! Proves: whatever a STOW-RS answer named as stored is found and byte-identical after the restart; nothing is there
//! twice; the change feed tells of every study; `verify` is clean; and the whole batch sent again has the receipt of a
//! batch that nothing disturbed.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use datasets::{File, Scale};
use futures::future::join_all;

use crate::client::Dicomweb;
use crate::program::{Random, Server, run_clean, sha256, token, verify};

const ROUNDS: u64 = 50;
const CLIENTS: u64 = 4;
const STUDIES_A_ROUND: usize = 4;
const BATCH: &str = "killed";
const CENTRE: &str = "killed-centre";
const SERVE: &[&str] = &["--pack-after-s", "0"];

/// What was sent, what was acknowledged, what is still to be sent.
#[derive(Default)]
struct Ledger {
    waiting: Vec<Arc<File>>,
    acknowledged: BTreeSet<String>,
    /// SHA-256 by SOP Instance UID, of all whole files.
    digests: BTreeMap<String, String>,
    sent: Vec<Arc<File>>,
}

impl Ledger {
    /// Studies of a round, and a file that is no DICOM.
    fn add(&mut self, round: u64, seed: u64) {
        let studies = datasets::night(STUDIES_A_ROUND, seed.wrapping_add(round), Scale::Small);
        let whole = studies.flat_map(|study| study.files().collect::<Vec<_>>());
        let note = format!("The results of round {round} are in the other folder.").into_bytes();
        let note = File { path: "note.txt".into(), sop_instance_uid: String::new(), bytes: note, broken: Some("text") };
        for mut file in whole.chain([note]) {
            file.path = format!("round-{round:02}/{}", file.path);
            if file.broken.is_none() {
                self.digests.insert(file.sop_instance_uid.clone(), sha256(&file.bytes));
            }
            let file = Arc::new(file);
            self.waiting.push(Arc::clone(&file));
            self.sent.push(file);
        }
    }

    /// The next few files, sometimes with one that was sent before.
    fn take(&mut self, random: &mut Random) -> Vec<Arc<File>> {
        let mut files = Vec::new();
        for _ in 0..=random.below(5) {
            if !self.waiting.is_empty() {
                let at = random.below(self.waiting.len() as u64) as usize;
                files.push(self.waiting.swap_remove(at));
            }
        }
        if files.is_empty() || random.below(4) == 0 {
            files.push(Arc::clone(&self.sent[random.below(self.sent.len() as u64) as usize]));
        }
        files
    }
}

/// Sends until the server is gone; what was not answered waits again.
async fn send(client: Dicomweb, ledger: Arc<Mutex<Ledger>>, mut random: Random) {
    loop {
        let files = ledger.lock().unwrap().take(&mut random);
        let parts: Vec<&File> = files.iter().map(Arc::as_ref).collect();
        let answered = client.store(BATCH, &parts).await;
        let mut ledger = ledger.lock().unwrap();
        match answered {
            Some(answered) => ledger.acknowledged.extend(answered.stored),
            None => return ledger.waiting.extend(files),
        }
    }
}

/// What was acknowledged in a round is found once and whole.
async fn check(client: &Dicomweb, digests: &BTreeMap<String, String>, acknowledged: &[String], round: u64) {
    for sop in acknowledged {
        let path = client.find(sop).await;
        let original = client.original(&path).await;
        assert_eq!(Some(&original), digests.get(sop), "round {round}: {sop} is not what was acknowledged");
    }
}

/// Sends everything, file by file group, and answers the receipt.
async fn send_all(client: &Dicomweb, files: &[Arc<File>]) -> archive::Receipt {
    client.open_batch(BATCH).await;
    for group in files.chunks(20) {
        let parts: Vec<&File> = group.iter().map(Arc::as_ref).collect();
        let answered = client.store(BATCH, &parts).await.unwrap();
        assert_eq!(answered.stored.len() + answered.failed, parts.len());
    }
    client.receipt(BATCH).await
}

#[tokio::test(flavor = "multi_thread")]
async fn fifty_kills_lose_nothing_that_was_acknowledged_and_double_nothing() {
    let by_clock = || SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    let seed = std::env::var("TSUNAGU_TEST_SEED").ok().and_then(|seed| seed.parse().ok()).unwrap_or_else(by_clock);
    println!("seed {seed} (TSUNAGU_TEST_SEED={seed} repeats it)");
    let (dir, mut random) = (tempfile::tempdir().unwrap(), Random(seed));
    let data = dir.path();
    let admin = token(data, "admin", CENTRE);
    let ledger = Arc::new(Mutex::new(Ledger::default()));
    let (mut checked, mut unanswered) = (BTreeSet::new(), 0);

    for round in 0..ROUNDS {
        ledger.lock().unwrap().add(round, seed);
        if round % 5 == 4 {
            // Killed while it starts and reads again what the last crash left.
            let starting = Server::spawn(data, SERVE);
            tokio::time::sleep(Duration::from_millis(random.below(150))).await;
            starting.kill();
        }
        let server = Server::start(data, SERVE);
        let client = Dicomweb::new(&server.url, &admin);
        let new: Vec<String> = ledger.lock().unwrap().acknowledged.difference(&checked).cloned().collect();
        let digests = ledger.lock().unwrap().digests.clone();
        check(&client, &digests, &new, round).await;
        checked.extend(new);

        let clients = (0..CLIENTS).map(|n| {
            let random = Random(seed ^ (round * CLIENTS + n));
            tokio::spawn(send(client.clone(), Arc::clone(&ledger), random))
        });
        let clients: Vec<_> = clients.collect();
        tokio::time::sleep(Duration::from_millis(20 + random.below(1200))).await;
        server.kill();
        join_all(clients).await.into_iter().for_each(|ended| ended.unwrap());
        unanswered += ledger.lock().unwrap().waiting.len();
    }

    let Ledger { acknowledged, digests, sent, .. } = std::mem::take(&mut *ledger.lock().unwrap());
    println!("{} files, {} acknowledged, {unanswered} left unanswered by kills", sent.len(), acknowledged.len());
    assert!(acknowledged.len() as u64 > ROUNDS && unanswered > 0, "too little happened to prove anything");
    let server = Server::start(data, SERVE);
    let client = Dicomweb::new(&server.url, &admin);
    check(&client, &digests, &acknowledged.iter().cloned().collect::<Vec<_>>(), ROUNDS).await;
    let receipt = send_all(&client, &sent).await;
    let paths = client.instances().await;
    let found: BTreeSet<&str> = paths.iter().filter_map(|path| path.rsplit('/').next()).collect();
    assert_eq!(found.len(), paths.len(), "an instance is found twice");
    assert_eq!(found.len() as u64, receipt.stored, "the receipt counts other instances than there are");
    assert!(acknowledged.iter().all(|sop| found.contains(sop.as_str())));
    let studies: BTreeSet<String> = paths.iter().filter_map(|path| path.split('/').nth(1)).map(str::to_owned).collect();
    let mut told = client.told("received").await;
    for _ in 0..50 {
        if !studies.is_subset(&told) {
            // The feed is told a moment after the act.
            tokio::time::sleep(Duration::from_millis(200)).await;
            told = client.told("received").await;
        }
    }
    assert_eq!(studies.difference(&told).count(), 0, "a study is not in the change feed");
    assert_eq!(send_all(&client, &sent).await, receipt, "sent again, the batch has another receipt");
    server.kill();

    run_clean(data, &["pack"]);
    let verified = verify(data);
    assert_eq!(verified["instances"], receipt.stored, "an instance is held twice, or not at all");
    assert!(verified["rebuilt"].as_u64().unwrap() > 100, "{verified}");
    assert_eq!(undisturbed(&sent).await, receipt, "an undisturbed ingest has another receipt");
}

/// The same files into an archive of their own, with nothing going wrong.
async fn undisturbed(files: &[Arc<File>]) -> archive::Receipt {
    let dir = tempfile::tempdir().unwrap();
    let admin = token(dir.path(), "admin", CENTRE);
    let server = Server::start(dir.path(), &["--no-pack"]);
    send_all(&Dicomweb::new(&server.url, &admin), files).await
}
