//! DICOM clients that know nothing of this program: DCMTK's findscu, movescu, getscu, storescp and echoscu, also over TLS,
//! and pynetdicom.
//!
//! Proves: what was stored is found, moved and got by them; where they take the transfer syntax in which it was sent it
//! comes back bit for bit, elsewhere with the same pixels; storage commitment closes. What is not installed is skipped.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Cursor;
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use datasets::{File, Kind};
use transcode::data_set::{Limits, Part10, frame_spans, inflate, pixel_description, scan};

use crate::outside::{installed, path_str, script, small_studies, tool, write};
use crate::program::{Server, files_below, free_port, real_files, run_clean};

const CENTRE: &str = "peer-centre";

/// A program that is killed when dropped.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Starts a program and waits until it listens.
fn listening(name: &str, arguments: &[&str], port: &str) -> Running {
    let mut command = Command::new(name);
    let running = Running(command.args(arguments).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap());
    for _ in 0..200 {
        if TcpStream::connect(format!("127.0.0.1:{port}")).is_ok() {
            return running;
        }
        std::thread::sleep(Duration::from_millis(25));
    }
    panic!("{name} does not listen");
}

/// An archive with these files, packed, and its server: DCMTK may do everything, and is at `storescp`.
struct House {
    dir: tempfile::TempDir,
    work: tempfile::TempDir,
    port: String,
    files: Vec<File>,
}

impl House {
    fn new(files: Vec<File>) -> House {
        let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let sent = work.path().join("sent");
        write(&sent, &files);
        let said = run_clean(dir.path(), &["import", "--centre", CENTRE, path_str(&sent)]);
        assert_eq!(said.json["stored"], files.len());
        House { dir, work, port: free_port().to_string(), files }
    }

    /// The file that names the peers.
    fn peers(&self, more: &str) -> PathBuf {
        let peers = self.work.path().join("peers.toml");
        let all = "roles = [\"store\", \"query\", \"retrieve\", \"commit\"]";
        let text = format!("[[peer]]\nae_title = \"DCMTK\"\ncentre = \"{CENTRE}\"\n{all}\n{more}");
        std::fs::write(&peers, text).unwrap();
        peers
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.work.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    fn studies(&self) -> BTreeSet<String> {
        let study = |file: &File| part10(&file.bytes).data_set.uid(STUDY_INSTANCE_UID).unwrap().to_owned();
        self.files.iter().map(study).collect()
    }
}

const STUDY_INSTANCE_UID: transcode::data_set::Tag = transcode::data_set::Tag(0x0020, 0x000D);
const SOP_INSTANCE_UID: transcode::data_set::Tag = transcode::data_set::Tag(0x0008, 0x0018);

fn part10(bytes: &[u8]) -> Part10 {
    scan(&mut Cursor::new(bytes), &Limits::default()).unwrap()
}

/// Frames decoded; `None` where there are none, or they are of a coding that nothing here decodes.
fn frames(bytes: &[u8]) -> Option<Vec<transcode::Frame>> {
    let (part10, mut source) = (part10(bytes), Cursor::new(bytes));
    let inflated = part10.deflated.then(|| inflate(&part10, &mut source, &Limits::default()).unwrap());
    let bytes = inflated.as_deref().unwrap_or(bytes);
    let description = pixel_description(&part10.data_set)?;
    let spans = frame_spans(&part10, &mut Cursor::new(bytes)).ok()?;
    let decoded = spans.iter().map(|span| {
        let at = span.offset as usize..(span.offset + span.length) as usize;
        transcode::decode_frame(&part10.transfer_syntax_uid, &description, &bytes[at]).ok()
    });
    decoded.collect()
}

/// Holds every file below `folder` against what was sent. Answers how many there are, and how many bit for bit.
fn compare(folder: &Path, sent: &[File]) -> (usize, usize) {
    let sent: BTreeMap<&str, &File> = sent.iter().map(|file| (file.sop_instance_uid.as_str(), file)).collect();
    let (mut count, mut exact) = (0, 0);
    for path in files_below(folder) {
        let got = std::fs::read(&path).unwrap();
        let (ours, uid) = (part10(&got), part10(&got).data_set.uid(SOP_INSTANCE_UID).unwrap().to_owned());
        let file = sent[uid.as_str()];
        let theirs = part10(&file.bytes);
        // A value of odd length is padded, since no fragment is of odd length; so is a deflated Data Set.
        let (ours_at, theirs_at) = (ours.data_set_offset as usize, theirs.data_set_offset as usize);
        let is_even = (file.bytes.len() - theirs_at).is_multiple_of(2);
        if ours.transfer_syntax_uid == theirs.transfer_syntax_uid && is_even {
            let end = theirs.data_set_end as usize;
            let same = got[ours_at..] == file.bytes[theirs_at..] || got[ours_at..] == file.bytes[theirs_at..end];
            assert!(same, "{uid} is not bit for bit what was sent");
            exact += 1;
        } else {
            assert!(frames(&got) == frames(&file.bytes), "{uid} has other pixels");
        }
        count += 1;
    }
    (count, exact)
}

#[test]
fn dcmtk_finds_moves_and_gets_what_was_stored() {
    if !["findscu", "movescu", "getscu", "storescp"].into_iter().all(installed) {
        return;
    }
    let kinds = [Kind::Chest, Kind::ChestCt, Kind::Mammography, Kind::Endoscopy, Kind::BrainMr];
    let house = House::new(small_studies(&kinds, 3));
    let store = free_port().to_string();
    let peers = house.peers(&format!("address = \"127.0.0.1:{store}\"\n"));
    let listen = format!("127.0.0.1:{}", house.port);
    let _server = Server::start(house.dir.path(), &["--dimse", &listen, "--peers", path_str(&peers), "--no-pack"]);
    let who = ["-aet", "DCMTK", "-aec", "TSUNAGU"];
    let at = ["127.0.0.1", &house.port];
    let found = house.folder("found");
    let keys = ["-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID", "-k", "PatientName", "-k", "StudyDate"];
    tool("findscu", &[&["-S", "-X", "-od", path_str(&found)][..], &who, &at, &keys].concat());
    let answers = files_below(&found);
    let uids: BTreeSet<String> = answers
        .iter()
        .map(|path| part10(&std::fs::read(path).unwrap()).data_set.uid(STUDY_INSTANCE_UID).unwrap().to_owned())
        .collect();
    assert_eq!((uids, answers.len()), (house.studies(), kinds.len()));

    // storescp takes all it knows (+xa), which HTJ2K is not among; +B writes what came as it came.
    let moved = house.folder("moved");
    let _storescp = listening("storescp", &["+xa", "+B", "-aet", "DCMTK", "-od", path_str(&moved), &store], &store);
    let got = house.folder("got");
    for study in house.studies() {
        let key = format!("StudyInstanceUID={study}");
        let study = ["-k", "QueryRetrieveLevel=STUDY", "-k", &key];
        tool("movescu", &[&["-S", "-aem", "DCMTK"][..], &who, &at, &study].concat());
        tool("getscu", &[&["-S", "+B", "-od", path_str(&got)][..], &who, &at, &study].concat());
    }
    let (count, exact) = compare(&moved, &house.files);
    assert_eq!((count, exact), (house.files.len(), house.files.len()), "movescu: all of it bit for bit");
    // getscu takes uncompressed ones only: JPEG is decoded for it.
    let (count, exact) = compare(&got, &house.files);
    assert_eq!(count, house.files.len());
    assert!(exact >= count / 2 && exact < count, "{exact} of {count}");
    println!("DCMTK: {count} instances moved and got, {exact} got bit for bit");
}

#[test]
fn real_files_come_back_as_they_were_sent() {
    let Some(datasets) = real_files() else { return };
    if !["movescu", "storescp"].into_iter().all(installed) {
        return;
    }
    let mut files = Vec::new();
    for folder in ["ct-series", "dr", "mr-series", "sr-pdf", "charset-ja", "transfer-syntaxes"] {
        let Ok(folder) = std::fs::read_dir(datasets.join(folder)) else { continue };
        let paths = folder.flatten().map(|entry| entry.path());
        let paths = paths.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).take(12);
        for path in paths {
            let bytes = std::fs::read(&path).unwrap();
            let Ok(found) = scan(&mut Cursor::new(&bytes), &Limits::default()) else { continue };
            let Some(uid) = found.data_set.uid(SOP_INSTANCE_UID).map(str::to_owned) else { continue };
            let is_new = files.iter().all(|file: &File| file.sop_instance_uid != uid);
            if is_new && bytes.len() < 20 << 20 && found.data_set.uid(STUDY_INSTANCE_UID).is_some() {
                let path = format!("{}.dcm", files.len());
                files.push(File { path, sop_instance_uid: uid, bytes, broken: None });
            }
        }
    }
    let (dir, work) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    write(&work.path().join("sent"), &files);
    crate::program::run(dir.path(), &["import", "--centre", CENTRE, path_str(&work.path().join("sent"))]);
    let house = House { dir, work, port: free_port().to_string(), files };
    let store = free_port().to_string();
    let peers = house.peers(&format!("address = \"127.0.0.1:{store}\"\n"));
    let listen = format!("127.0.0.1:{}", house.port);
    let _server = Server::start(house.dir.path(), &["--dimse", &listen, "--peers", path_str(&peers), "--no-pack"]);
    let moved = house.folder("moved");
    let _storescp =
        listening("storescp", &["+xa", "+B", "-pm", "-aet", "DCMTK", "-od", path_str(&moved), &store], &store);
    for study in house.studies() {
        let key = format!("StudyInstanceUID={study}");
        let arguments = ["-S", "-aem", "DCMTK", "-aet", "DCMTK", "-aec", "TSUNAGU", "127.0.0.1", &house.port];
        // What storescp cannot take (classes and transfer syntaxes it does not know) is told as failed, and counted below.
        let arguments = [&arguments[..], &["-k", "QueryRetrieveLevel=STUDY", "-k", &key]].concat();
        let _ = Command::new("movescu").args(arguments).stderr(Stdio::null()).status().unwrap();
    }
    let (count, exact) = compare(&moved, &house.files);
    assert!(count > 5 && exact * 10 >= count * 9, "{exact} of {count} of {}", house.files.len());
    println!("real files: {count} moved, {exact} bit for bit");
}

#[test]
fn pynetdicom_finds_gets_and_commits() {
    let house = House::new(small_studies(&[Kind::Chest, Kind::ChestCt, Kind::Endoscopy], 3));
    let report = free_port().to_string();
    let all = "roles = [\"query\", \"retrieve\", \"commit\"]";
    let peers = house.peers(&format!(
        "[[peer]]\nae_title = \"PYNET\"\ncentre = \"{CENTRE}\"\n{all}\naddress = \"127.0.0.1:{report}\"\n"
    ));
    let listen = format!("127.0.0.1:{}", house.port);
    let _server = Server::start(house.dir.path(), &["--dimse", &listen, "--peers", path_str(&peers), "--no-pack"]);
    let sent = house.work.path().join("sent");
    script("dimse.py", &[&house.port, &report, path_str(&sent)]);
}

/// A certificate for 127.0.0.1, signed by an authority of the test.
fn certificate(folder: &Path, name: &str) -> (String, String) {
    let file = |ending: &str| path_str(&folder.join(format!("{name}.{ending}"))).to_owned();
    let (key, request, certificate, extensions) = (file("key"), file("csr"), file("pem"), file("ext"));
    std::fs::write(&extensions, "subjectAltName=IP:127.0.0.1\nbasicConstraints=CA:FALSE\n").unwrap();
    let new = ["req", "-newkey", "rsa:2048", "-nodes", "-keyout", &key, "-out", &request, "-subj", "/CN=test"];
    tool("openssl", &new);
    let authority = |ending: &str| path_str(&folder.join(format!("ca.{ending}"))).to_owned();
    let (ca, ca_key) = (authority("pem"), authority("key"));
    let sign = ["x509", "-req", "-in", &request, "-CA", &ca, "-CAkey", &ca_key, "-CAcreateserial", "-days", "2"];
    tool("openssl", &[&sign[..], &["-extfile", &extensions, "-out", &certificate]].concat());
    (key, certificate)
}

#[test]
fn dcmtk_speaks_tls_both_ways() {
    if !["openssl", "echoscu", "findscu", "movescu", "storescp"].into_iter().all(installed) {
        return;
    }
    let house = House::new(small_studies(&[Kind::ChestCt], 2));
    let folder = house.folder("tls");
    let (ca, ca_key) = (folder.join("ca.pem"), folder.join("ca.key"));
    let authority = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=authority"];
    tool("openssl", &[&authority[..], &["-keyout", path_str(&ca_key), "-out", path_str(&ca)]].concat());
    let (our_key, ours) = certificate(&folder, "archive");
    let (their_key, theirs) = certificate(&folder, "peer");
    let store = free_port().to_string();
    let peers = house.peers(&format!("address = \"127.0.0.1:{store}\"\ntls = true\n"));
    let listen = format!("127.0.0.1:{}", house.port);
    let tls = ["--tls-cert", &ours, "--tls-key", &our_key, "--tls-client-ca", path_str(&ca)];
    let plain = free_port().to_string();
    let plain_listen = format!("127.0.0.1:{plain}");
    let listens = ["--dimse-tls-listen", &listen, "--dimse", &plain_listen, "--peers", path_str(&peers), "--no-pack"];
    let _server = Server::start(house.dir.path(), &[&listens[..], &tls].concat());
    let secure = ["+tls", &their_key, &theirs, "+cf", path_str(&ca)];
    let who = ["-aet", "DCMTK", "-aec", "TSUNAGU", "127.0.0.1", &house.port];
    tool("echoscu", &[&secure[..], &who].concat());
    for refused in [&[][..], &["+tla", "-ic"]] {
        let output = Command::new("echoscu").args(refused).args(["-to", "5", "-ta", "5"]).args(who).output().unwrap();
        assert!(!output.status.success(), "{refused:?}: let in without TLS, or without a certificate");
    }
    let moved = house.folder("moved");
    let scp = ["+xa", "+B", "-aet", "DCMTK", "-od", path_str(&moved)];
    let _storescp = listening("storescp", &[&secure[..], &scp, &[&store]].concat(), &store);
    let found = house.folder("found");
    let query = ["-S", "-X", "-od", path_str(&found), "-k", "QueryRetrieveLevel=STUDY", "-k", "StudyInstanceUID"];
    tool("findscu", &[&secure[..], &query, &who].concat());
    assert_eq!(files_below(&found).len(), 1);
    // movescu itself has no TLS: it asks without, the instances go with it.
    let who = ["-aet", "DCMTK", "-aec", "TSUNAGU", "127.0.0.1", &plain];
    for study in house.studies() {
        let key = format!("StudyInstanceUID={study}");
        tool("movescu", &[&["-S", "-aem", "DCMTK", "-k", "QueryRetrieveLevel=STUDY", "-k", &key][..], &who].concat());
    }
    assert_eq!(compare(&moved, &house.files), (2, 2));
}
