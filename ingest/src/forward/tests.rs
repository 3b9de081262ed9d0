//! Forwarding to fake peers that are down, refuse, break off and lose answers; and what is left of it after a kill.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use archive::Body;
use async_trait::async_trait;
use axum::{Extension, Router};
use datasets::{Kind, Scale, Study};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::*;
use crate::changes::Change;
use crate::dimse::{Dimse, DimseLimits, Listening, Peer as Caller, Peers};
use crate::door::Principal;
use crate::fake::FakeGate;
use crate::router;

/// A feed and studies in memory.
#[derive(Default)]
struct Shelf {
    changes: Mutex<Vec<Change>>,
    studies: Mutex<BTreeMap<String, Vec<datasets::File>>>,
}

impl Shelf {
    fn add(&self, study: &Study, files: usize) {
        let uid = study.study_instance_uid.clone();
        let files: Vec<_> = study.files().take(files).collect();
        let instances = files.len() as u64;
        self.studies.lock().unwrap().insert(uid.clone(), files);
        let pack = self.changes.lock().unwrap().len() as u64;
        let packed = Change::Packed { study: uid, centre: "north".into(), instances, pack, repacked: false };
        self.changes.lock().unwrap().push(packed);
    }

    fn uids(&self, study: &Study) -> Vec<String> {
        let studies = self.studies.lock().unwrap();
        studies[&study.study_instance_uid].iter().map(|file| file.sop_instance_uid.clone()).collect()
    }
}

#[async_trait]
impl Source for Shelf {
    async fn changes(&self, since: u64, _: Duration) -> Result<Vec<(u64, Option<Change>)>, String> {
        let changes = self.changes.lock().unwrap().clone().into_iter().map(Some);
        Ok((1..).zip(changes).filter(|(seq, _)| *seq > since).collect())
    }

    async fn end(&self) -> Result<u64, String> {
        Ok(self.changes.lock().unwrap().len() as u64)
    }

    async fn facts(&self, _: &str, _: bool) -> Result<Option<Facts>, String> {
        Ok(Some(Facts { modalities: vec!["CT".into()], ..Facts::default() }))
    }

    async fn instances(&self, study: &str) -> Result<Vec<Outgoing>, String> {
        let studies = self.studies.lock().unwrap();
        let files = studies.get(study).map_or(&[][..], Vec::as_slice);
        let outgoing = |(key, file): (u64, &datasets::File)| Outgoing {
            key,
            sop_instance_uid: file.sop_instance_uid.clone(),
            study_instance_uid: study.to_owned(),
            ..Outgoing::default()
        };
        Ok((1..).zip(files).map(outgoing).collect())
    }

    async fn file(&self, instance: &Outgoing) -> Result<Body, Unread> {
        let studies = self.studies.lock().unwrap();
        let file =
            studies[&instance.study_instance_uid].iter().find(|f| f.sop_instance_uid == instance.sop_instance_uid);
        match file {
            Some(file) if file.broken.is_some() => Err(Unread::Never("it is damaged".into())),
            Some(file) => Ok(file.bytes.clone().into()),
            None => Err(Unread::Never("it is gone".into())),
        }
    }

    fn is_ordered(&self) -> bool {
        true
    }
}

/// A peer that takes C-STORE.
struct Peer {
    gate: Arc<FakeGate>,
    address: SocketAddr,
    _stop: watch::Sender<bool>,
    _spool: tempfile::TempDir,
}

async fn peer_at(address: &str) -> Peer {
    let (gate, spool) = (Arc::new(FakeGate::default()), tempfile::tempdir().unwrap());
    let peers = Peers::new([], Some(Caller::storing("", "north")));
    let limits = DimseLimits { idle_s_max: 5, ..DimseLimits::default() };
    let door = Dimse { limits, ..Dimse::storing(gate.doorway(&spool), peers, None) };
    let listener = TcpListener::bind(address).await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(door.serve(listener, Listening::Plain, stopped));
    Peer { gate, address, _stop: stop, _spool: spool }
}

impl Peer {
    /// SOP Instance UIDs in the order in which they came, each time they came.
    fn came(&self) -> Vec<String> {
        self.gate.handed.lock().unwrap().iter().map(|handed| handed.origin.file.clone()).collect()
    }

    /// How many different files there are.
    fn distinct(&self) -> usize {
        let handed = self.gate.handed.lock().unwrap();
        handed.iter().map(|handed| handed.bytes.clone()).collect::<BTreeSet<_>>().len()
    }
}

/// A forwarder in a folder of its own, with a clock that stands where the test puts it.
struct House {
    dir: tempfile::TempDir,
    shelf: Arc<Shelf>,
    clock: Arc<AtomicI64>,
}

impl House {
    fn new() -> House {
        let clock = Arc::new(AtomicI64::new(1_800_000_000_000));
        House { dir: tempfile::tempdir().unwrap(), shelf: Arc::default(), clock }
    }

    fn world(&self) -> World {
        let clock = Arc::clone(&self.clock);
        let now = move || jiff::Timestamp::from_millisecond(clock.load(Ordering::SeqCst)).unwrap();
        World { now: Arc::new(now), jitter: Arc::new(|| 0.5) }
    }

    fn forward(&self, seconds: i64) {
        self.clock.fetch_add(seconds * 1000, Ordering::SeqCst);
    }

    fn log(&self) -> std::path::PathBuf {
        self.dir.path().join("forward.jsonl")
    }

    fn forwarder(&self, rules: &str) -> Forwarder {
        let rules = Rules::parse(rules, self.dir.path()).unwrap();
        let book = Book::open(&self.log()).unwrap();
        let spool = self.dir.path().to_owned();
        Forwarder::new(self.shelf.clone(), rules, book, self.world(), spool, "Tsunagu".into())
    }
}

fn to(name: &str, address: SocketAddr) -> String {
    let (host, port) = (address.ip(), address.port());
    format!(
        "[[to]]\nname = \"{name}\"\naet = \"PACS\"\nhost = \"{host}\"\nport = {port}\nbegin = \"first\"\nattempts-max = 3\n"
    )
}

fn studies(count: usize) -> Vec<Study> {
    let kinds = [Kind::ChestCt, Kind::Chest, Kind::BrainMr, Kind::Mammography];
    (0..count).map(|at| Study::new(kinds[at % kinds.len()], 70 + at as u64, Scale::Small, at + 1)).collect()
}

/// Studies in feed order, instances in their order, to a peer by C-STORE; done is done, also after a restart.
#[tokio::test]
async fn order_is_kept_per_study_and_between_studies() {
    let (house, peer) = (House::new(), peer_at("127.0.0.1:0").await);
    let studies = studies(3);
    studies.iter().for_each(|study| house.shelf.add(study, 20));
    let rules = to("pacs", peer.address);
    let summary = house.forwarder(&rules).run_once().await.unwrap();
    let expected: Vec<String> = studies.iter().flat_map(|study| house.shelf.uids(study)).collect();
    assert_eq!((summary.done, summary.instances), (3, expected.len() as u64));
    assert_eq!(peer.came(), expected);
    let again = house.forwarder(&rules).run_once().await.unwrap();
    assert_eq!(again, summary);
    assert_eq!(peer.came().len(), expected.len(), "nothing is sent twice");
    // A later instance goes alone.
    house.shelf.add(&studies[0], 21);
    house.forwarder(&rules).run_once().await.unwrap();
    let all = house.shelf.uids(&studies[0]);
    assert_eq!(peer.came()[expected.len()..], all[20.min(all.len())..]);
}

/// A peer that is not there is waited for, for as long as it takes, and nothing is given up or lost by that.
#[tokio::test]
async fn a_peer_that_is_down_is_waited_for() {
    let house = House::new();
    let free = TcpListener::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
    let studies = studies(2);
    studies.iter().for_each(|study| house.shelf.add(study, 2));
    let forwarder = house.forwarder(&to("pacs", free));
    for _ in 0..6 {
        let summary = forwarder.run_once().await.unwrap();
        assert_eq!((summary.waiting, summary.gave_up), (2, 0));
        house.forward(3_600);
    }
    let job = forwarder.book().jobs().unwrap().remove(0);
    assert!(job.why.contains("cannot be reached"), "{}", job.why);
    let peer = peer_at(&free.to_string()).await;
    assert_eq!(forwarder.run_once().await.unwrap().done, 2);
    assert_eq!(peer.distinct(), 2 + house.shelf.uids(&studies[1]).len());
}

/// What a peer refuses for good is listed with its status and not sent again; the rest of the study arrives.
#[tokio::test]
async fn permanent_refusals_are_listed_and_not_retried() {
    let (house, peer) = (House::new(), peer_at("127.0.0.1:0").await);
    let study = &studies(1)[0];
    house.shelf.add(study, 4);
    let uids = house.shelf.uids(study);
    peer.gate.conflicts.lock().unwrap().push(uids[1].clone());
    let forwarder = house.forwarder(&to("pacs", peer.address));
    assert_eq!(forwarder.run_once().await.unwrap().refused, 1);
    house.forward(86_400);
    forwarder.run_once().await.unwrap();
    let job = house.forwarder(&to("pacs", peer.address)).book().jobs().unwrap().remove(0);
    assert_eq!((job.state, job.sent, job.refused_instances), (JobState::Refused, 3, 1));
    assert_eq!((job.refused[0].instance.as_str(), job.refused[0].code), (uids[1].as_str(), 0xA900));
    assert_eq!(peer.came().len(), 4);
    // Once the peer has been set right, somebody has it tried anew.
    peer.gate.conflicts.lock().unwrap().clear();
    forwarder.book().retry(job.id, &house.world()).unwrap();
    assert_eq!(forwarder.run_once().await.unwrap().done, 1);
    assert_eq!(peer.distinct(), 4);
}

/// A study that a peer puts off again and again waits by itself, longer each time, and is given up in the end; others pass.
#[tokio::test]
async fn one_bad_study_does_not_block_others() {
    let (house, peer) = (House::new(), peer_at("127.0.0.1:0").await);
    let studies = studies(3);
    studies.iter().for_each(|study| house.shelf.add(study, 3));
    let bad = house.shelf.uids(&studies[0]);
    peer.gate.busy.lock().unwrap().push(bad[1].clone());
    let forwarder = house.forwarder(&to("pacs", peer.address));
    let summary = forwarder.run_once().await.unwrap();
    assert_eq!((summary.done, summary.waiting), (2, 1));
    let job = |forwarder: &Forwarder| forwarder.book().jobs().unwrap().remove(0);
    assert_eq!((job(&forwarder).attempts, job(&forwarder).sent), (1, 1));
    forwarder.run_once().await.unwrap();
    assert_eq!(job(&forwarder).attempts, 1, "it is not due yet");
    for _ in 0..4 {
        house.forward(400);
        forwarder.run_once().await.unwrap();
    }
    let given_up = job(&forwarder);
    assert_eq!((given_up.state, given_up.sent), (JobState::GaveUp, 1));
    assert!(given_up.why.contains("A700"), "{}", given_up.why);
    forwarder.book().cancel(given_up.id, &house.world()).unwrap();
    assert_eq!(job(&house.forwarder(&to("pacs", peer.address))).state, JobState::Cancelled);
}

/// The wait doubles from a second to its bound, spread by half, and never is nothing.
#[test]
fn attempts_back_off_exponentially_with_jitter() {
    let world = |jitter: f64| World { now: Arc::new(jiff::Timestamp::now), jitter: Arc::new(move || jitter) };
    let waits: Vec<u64> = (0..12).map(|attempts| world(0.5).back_off_ms(attempts, 300)).collect();
    assert_eq!(waits[..5], [1000, 2000, 4000, 8000, 16000]);
    assert_eq!(waits[11], 300_000);
    assert_eq!((world(0.0).back_off_ms(1, 300), world(1.0).back_off_ms(1, 300)), (1500, 2500));
    assert_eq!(world(0.5).back_off_ms(u32::MAX, 300), 300_000);
}

/// A door between us and a peer that cuts the connection: after so many bytes of ours, or before its n-th answer.
async fn cutting(
    behind: SocketAddr,
    ours_max: usize,
    answers_max: usize,
    cuts: usize,
) -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let left = Arc::new(AtomicUsize::new(cuts));
    let counted = Arc::clone(&left);
    tokio::spawn(async move {
        while let Ok((near, _)) = listener.accept().await {
            let cut = left.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |n| n.checked_sub(1)).is_ok();
            let limits = if cut { (ours_max, answers_max) } else { (usize::MAX, usize::MAX) };
            tokio::spawn(pass(near, behind, limits));
        }
    });
    (address, counted)
}

async fn pass(mut near: TcpStream, behind: SocketAddr, (ours_max, answers_max): (usize, usize)) {
    let mut far = TcpStream::connect(behind).await.unwrap();
    let (mut ours, mut theirs) = (vec![0; 8192], vec![0; 8192]);
    let (mut sent, mut answers) = (0, 0);
    loop {
        tokio::select! {
            read = near.read(&mut ours) => {
                let Ok(read @ 1..) = read else { return };
                sent += read;
                if sent > ours_max || far.write_all(&ours[..read]).await.is_err() { return; }
            }
            read = far.read(&mut theirs) => {
                let Ok(read @ 1..) = read else { return };
                answers += 1;
                // The answer was given, and is lost.
                if answers > answers_max || near.write_all(&theirs[..read]).await.is_err() { return; }
            }
        }
    }
}

/// A connection cut inside an instance, and answers that are lost: all of it arrives, and nothing has an effect twice.
#[tokio::test]
async fn a_cut_connection_or_a_lost_answer_has_the_effect_of_once() {
    for (ours_max, answers_max) in [(40_000, usize::MAX), (usize::MAX, 2), (usize::MAX, 1)] {
        let (house, peer) = (House::new(), peer_at("127.0.0.1:0").await);
        let study = &studies(1)[0];
        house.shelf.add(study, 6);
        let (between, left) = cutting(peer.address, ours_max, answers_max, 1).await;
        let count = house.shelf.uids(study).len();
        let forwarder = house.forwarder(&to("pacs", between));
        for _ in 0..5 {
            forwarder.run_once().await.unwrap();
            house.forward(400);
        }
        let job = forwarder.book().jobs().unwrap().remove(0);
        assert_eq!((job.state, job.sent), (JobState::Done, count as u64), "{ours_max} {answers_max}: {}", job.why);
        assert_eq!(left.load(Ordering::SeqCst), 0, "it was cut");
        assert!(ours_max != usize::MAX || peer.came().len() > count, "something was sent twice");
        assert_eq!(peer.distinct(), count, "{ours_max} {answers_max}");
        let mut first = peer.came();
        let mut seen = BTreeSet::new();
        first.retain(|uid| seen.insert(uid.clone()));
        assert_eq!(first, house.shelf.uids(study), "the order is kept");
    }
}

/// Killed anywhere between sending and writing down: whatever line the book ends with, all is sent and nothing doubled.
#[tokio::test]
async fn killed_between_send_and_log_it_resumes_without_doubles() {
    let (house, peer) = (House::new(), peer_at("127.0.0.1:0").await);
    let studies = studies(2);
    studies.iter().for_each(|study| house.shelf.add(study, 18));
    let rules = to("pacs", peer.address);
    let summary = house.forwarder(&rules).run_once().await.unwrap();
    let (whole, distinct) = (std::fs::read(house.log()).unwrap(), peer.distinct());
    assert_eq!(summary.instances, distinct as u64);
    let ends: Vec<usize> = whole.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at + 1).collect();
    assert!(ends.len() >= 6, "began, two queued, sent, done");
    for end in ends.into_iter().chain([0, whole.len() - 7]) {
        std::fs::write(house.log(), &whole[..end]).unwrap();
        let resumed = house.forwarder(&rules).run_once().await.unwrap();
        assert_eq!(resumed, summary, "cut at {end}: each instance is counted once");
        assert_eq!(peer.distinct(), distinct, "cut at {end}");
    }
}

/// By STOW-RS: the same, several instances a request, and one that is set aside does not spoil the others.
#[tokio::test]
async fn studies_are_forwarded_by_stow() {
    let (house, gate, spool) = (House::new(), Arc::new(FakeGate::default()), tempfile::tempdir().unwrap());
    let stow = gate.stow(&spool);
    let principal = Principal { centre: "north".into(), name: "test".into() };
    let app = Router::new().merge(router(stow)).layer(Extension(principal));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, app).await });
    let study = &studies(1)[0];
    house.shelf.add(study, 20);
    let uids = house.shelf.uids(study);
    gate.conflicts.lock().unwrap().push(uids[2].clone());
    gate.busy_first.store(1, Ordering::SeqCst);
    std::fs::write(house.dir.path().join("token"), "secret\n").unwrap();
    let rules =
        format!("[[to]]\nname = \"second\"\nstow = \"http://{address}\"\ntoken-file = \"token\"\nbegin = \"first\"\n");
    let forwarder = house.forwarder(&rules);
    forwarder.run_once().await.unwrap();
    house.forward(400);
    forwarder.run_once().await.unwrap();
    let job = forwarder.book().jobs().unwrap().remove(0);
    assert_eq!((job.state, job.refused_instances), (JobState::Refused, 1), "{}", job.why);
    assert_eq!(job.sent as usize, uids.len() - 1);
    let handed = gate.handed.lock().unwrap();
    let files: BTreeSet<String> = handed.iter().map(|handed| handed.origin.file.clone()).collect();
    assert_eq!(files, uids.iter().map(|uid| format!("{uid}.dcm")).collect());
}

/// A peer that takes no transfer syntax but Implicit VR Little Endian gets that, its pixels unchanged; what cannot be
/// read is refused by itself.
#[tokio::test]
async fn a_peer_gets_a_transfer_syntax_it_takes() {
    let (house, peer) = (House::new(), peer_at("127.0.0.1:0").await);
    let study = Study::new(Kind::ChestCt, 5, Scale::Small, 1);
    house.shelf.add(&study, 3);
    house.shelf.studies.lock().unwrap().values_mut().next().unwrap()[1].broken = Some("damaged");
    let rules = to("pacs", peer.address) + "transfer-syntaxes = [\"1.2.840.10008.1.2\"]\n";
    let forwarder = house.forwarder(&rules);
    assert_eq!(forwarder.run_once().await.unwrap().refused, 1);
    let job = forwarder.book().jobs().unwrap().remove(0);
    assert_eq!((job.sent, job.refused[0].reason.as_str()), (2, "it is damaged"));
    for handed in peer.gate.handed.lock().unwrap().iter() {
        let scanned = scan(&handed.bytes);
        assert_eq!(scanned.transfer_syntax_uid, "1.2.840.10008.1.2");
        assert_eq!(scanned.encoding, transcode::data_set::Encoding::ImplicitLittle);
    }
}

fn scan(bytes: &[u8]) -> transcode::data_set::Part10 {
    transcode::data_set::scan(&mut std::io::Cursor::new(bytes), &Default::default()).unwrap()
}

const HEAD: &str = "issuer,patient_id,local_issuer,local_patient_id\n";

fn local_ids(dir: &Path, lines: &str) -> LocalIds {
    let path = dir.join("ids.csv");
    std::fs::write(&path, format!("{HEAD}{lines}")).unwrap();
    LocalIds::new(&path)
}

/// The ID is the local one, the former one is among the others, the change is recorded as PS3.3 C.12.1.1.9 says, the
/// UID and the pixels stay, and doing it again gives the same bytes: of native, implicit and encapsulated files.
#[test]
fn a_reconciled_patient_id_is_recorded_in_original_attributes_sequence() {
    use transcode::data_set::Tag;
    let dir = tempfile::tempdir().unwrap();
    for kind in Kind::ALL {
        let study = Study::new(kind, 11, Scale::Small, 3);
        let file = study.files().next().unwrap();
        let before = scan(&file.bytes);
        let issuer = before.data_set.ascii(Tag(0x10, 0x21)).unwrap_or("north").to_owned();
        let ids = local_ids(dir.path(), &format!("{issuer},{},HOSP,L-0042\n", study.patient.patient_id));
        let occasion = reconcile::Occasion {
            at: "2026-11-23T07:15:07.123Z".into(),
            system: "Tsunagu at hospital".into(),
            centre: "north".into(),
        };
        let body = Body::from(file.bytes.clone());
        let again = || match reconcile::reconcile(&body, &ids, &occasion, dir.path()).unwrap() {
            reconcile::Reconciled::Changed(body) => body.bytes(u64::MAX).unwrap().unwrap(),
            reconcile::Reconciled::Unmatched => panic!("{kind:?} has a line"),
        };
        let bytes = again();
        assert_eq!(bytes, again(), "{kind:?}: the same bytes each time");
        let after = scan(&bytes);
        let text = |part10: &transcode::data_set::Part10, tag| part10.data_set.ascii(tag).map(str::to_owned);
        assert_eq!(text(&after, Tag(0x10, 0x20)).as_deref(), Some("L-0042"));
        assert_eq!(text(&after, Tag(0x10, 0x21)).as_deref(), Some("HOSP"));
        assert_eq!(text(&after, Tag(8, 0x18)), text(&before, Tag(8, 0x18)));
        let record = &after.data_set.items(Tag(0x400, 0x561)).last().unwrap().data_set;
        assert_eq!(record.ascii(Tag(0x400, 0x565)), Some("COERCE"));
        assert_eq!(record.ascii(Tag(0x400, 0x562)), Some("20261123071507.123+0000"));
        assert_eq!(record.ascii(Tag(0x400, 0x563)), Some("Tsunagu at hospital"));
        assert_eq!(record.ascii(Tag(0x400, 0x564)), Some("north"));
        let modified = &record.items(Tag(0x400, 0x550))[0].data_set;
        assert_eq!(modified.ascii(Tag(0x10, 0x20)), Some(study.patient.patient_id.as_str()));
        assert!(modified.get(Tag(0x10, 0x21)).is_some());
        let other = &after.data_set.items(Tag(0x10, 0x1002)).last().unwrap().data_set;
        assert_eq!(other.ascii(Tag(0x10, 0x20)), Some(study.patient.patient_id.as_str()));
        assert_eq!(other.ascii(Tag(0x10, 0x21)), Some(issuer.as_str()));
        if let Some(pixels) = before.data_set.get(Tag(0x7FE0, 0x10)) {
            let value = |bytes: &[u8], element: &transcode::data_set::Element| {
                bytes[element.value_offset as usize..][..element.value_length as usize].to_vec()
            };
            let mut now = value(&bytes, after.data_set.get(Tag(0x7FE0, 0x10)).unwrap());
            let mut then = value(&file.bytes, pixels);
            if pixels.big_endian {
                transcode::data_set::swap(&mut then, pixels.vr);
            }
            then.resize(then.len() + then.len() % 2, 0);
            now.resize(then.len(), 0);
            assert!(now == then, "{kind:?}: pixels");
        }
    }
}

/// A study whose patient is not in the file is held back and listed until there is a line, or goes as it is, as the rule says.
#[tokio::test]
async fn a_patient_without_a_local_id_is_held_back_or_passed_unchanged() {
    let (house, peer) = (House::new(), peer_at("127.0.0.1:0").await);
    let study = &studies(1)[0];
    house.shelf.add(study, 2);
    drop(local_ids(house.dir.path(), ""));
    let rules = to("pacs", peer.address) + "local-ids = \"ids.csv\"\n";
    let forwarder = house.forwarder(&rules);
    for _ in 0..8 {
        assert_eq!(forwarder.run_once().await.unwrap().waiting, 1);
        house.forward(61);
    }
    let job = forwarder.book().jobs().unwrap().remove(0);
    assert!(job.why.starts_with("held back") && job.attempts == 0, "{}", job.why);
    let file = study.files().next().unwrap();
    let issuer = scan(&file.bytes).data_set.ascii(transcode::data_set::Tag(0x10, 0x21)).unwrap_or("north").to_owned();
    drop(local_ids(house.dir.path(), &format!("\"{issuer}\",{},,L-1\n", study.patient.patient_id)));
    assert_eq!(forwarder.run_once().await.unwrap().done, 1);
    assert_eq!(forwarder.book().jobs().unwrap()[0].coerced, 2);
    let other = peer_at("127.0.0.1:0").await;
    drop(local_ids(house.dir.path(), ""));
    let rules = rules + &to("second", other.address) + "local-ids = \"ids.csv\"\nunmatched = \"unchanged\"\n";
    house.forwarder(&rules).run_once().await.unwrap();
    assert_eq!(other.came().len(), 2);
    assert!(other.gate.handed.lock().unwrap()[0].bytes.ends_with(&file.bytes[file.bytes.len() - 1000..]));
    let log = std::fs::read_to_string(house.log()).unwrap();
    assert!(!log.contains(&study.patient.patient_id) && !log.contains("L-1"), "no ID is in the log");
}

/// A file of local IDs that cannot be meant is refused with its line.
#[test]
fn a_wrong_file_of_local_ids_is_refused_with_its_line() {
    let dir = tempfile::tempdir().unwrap();
    let check = |lines: &str, expected: &str| {
        let error = local_ids(dir.path(), lines).find("a", "1").unwrap_err();
        assert!(error.contains(expected), "{error}");
        assert!(!error.contains("0001"), "no ID is in the sentence");
    };
    check("a,0001,b\n", "line 2: four fields");
    check("a,0001,b,\n", "line 2: a local ID");
    check("a,0001,b,x\na,0001,b,y\n", "line 3");
    check("a,\"0001,b,x\n", "line 2: a quote");
    let ids = local_ids(dir.path(), "\"a, \"\"b\"\"\",0001,HOSP,L1\r\n");
    let local = ids.find("a, \"b\"", "0001").unwrap();
    assert_eq!(local, Some(LocalId { issuer: "HOSP".into(), patient_id: "L1".into() }));
    assert!(LocalIds::new(Path::new("no-such-file")).find("a", "1").is_err());
}
