//! The program as its users have it: a child process, spoken to by its command line and over HTTP.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Read, Seek};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::sync::Mutex;
use std::thread::JoinHandle;
use std::time::Duration;

use serde_json::Value;
use sha2::{Digest, Sha256};

/// The built program.
pub fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tsunagu"));
    command.arg("--data").arg(data).env_remove("TSUNAGU_TOKEN").env("TSUNAGU_LOG", "warn").stdin(Stdio::null());
    command
}

/// A port that is free now, and that no other test of this process was given.
pub fn free_port() -> u16 {
    static GIVEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        if GIVEN.lock().unwrap().insert(port) {
            return port;
        }
    }
}

/// Real files of every kind, outside the tree; says so where they are not.
pub fn real_files() -> Option<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/datasets");
    if dir.is_dir() {
        return Some(dir);
    }
    println!("skipped: ../shared/datasets is not here");
    None
}

/// What a finished command said.
pub struct Said {
    /// How it ended.
    pub status: ExitStatus,
    /// Its last line, the JSON object.
    pub json: Value,
    /// All of its standard output.
    pub text: String,
    /// The most memory it held at once, bytes.
    pub rss_bytes_max: u64,
}

/// Runs a sub-command with `--json` to its end.
pub fn run(data: &Path, arguments: &[&str]) -> Said {
    let mut errors = tempfile::tempfile().unwrap();
    let mut command = program(data);
    command.arg("--json").args(arguments).stdout(Stdio::piped()).stderr(errors.try_clone().unwrap());
    let mut child = command.spawn().unwrap();
    let (watching, mut text) = (watch(child.id()), String::new());
    child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
    let status = child.wait().unwrap();
    let rss_bytes_max = watching.join().unwrap();
    if !status.success() {
        errors.rewind().unwrap();
        errors.read_to_string(&mut text).unwrap();
    }
    let json = text.lines().rev().find_map(|line| serde_json::from_str(line).ok());
    let json = json.unwrap_or_else(|| panic!("{arguments:?} ended with {status} and no JSON object:\n{text}"));
    Said { status, json, text, rss_bytes_max }
}

/// As [`run`], for a command that must find nothing wrong.
pub fn run_clean(data: &Path, arguments: &[&str]) -> Said {
    let said = run(data, arguments);
    assert!(said.status.success(), "{arguments:?} ended with {}:\n{}", said.status, said.text);
    said
}

/// Verifies the archive; nothing may be wrong.
pub fn verify(data: &Path) -> Value {
    let said = run(data, &["verify"]);
    assert_eq!(said.json["findings"], serde_json::json!([]), "verify is not clean");
    assert!(said.status.success());
    said.json
}

/// Issues a token.
pub fn token(data: &Path, role: &str, centre: &str) -> String {
    let arguments = ["token", "issue", "suite", "--role", role, "--centre", centre, "--original"];
    let said = run_clean(data, &arguments);
    said.json["token"].as_str().unwrap().to_owned()
}

/// The most memory that a running program has held at once, bytes; 0 where the system does not say. What wait4 tells
/// cannot be used: on Linux it counts what the parent held when it forked.
fn rss_bytes_max(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok());
    kib.unwrap_or(0) * 1024
}

/// Looks again and again until the program has ended: its peak can only grow.
fn watch(pid: u32) -> JoinHandle<u64> {
    std::thread::spawn(move || {
        let mut peak = 0;
        loop {
            match rss_bytes_max(pid) {
                0 => return peak,
                now => peak = now,
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    })
}

/// A running `tsunagu serve`; killed when dropped.
pub struct Server {
    child: Option<Child>,
    /// Kept open: a program whose standard output is gone ends at its next line.
    output: Option<BufReader<ChildStdout>>,
    /// `http://127.0.0.1:PORT/dicom-web`
    pub url: String,
}

impl Server {
    /// Starts one on a free port and waits until it listens.
    pub fn start(data: &Path, arguments: &[&str]) -> Server {
        let mut starting = Server::spawn(data, arguments);
        let lines = starting.child.as_mut().and_then(|child| child.stdout.take()).unwrap();
        let output = starting.output.insert(BufReader::new(lines));
        let mut line = String::new();
        while output.read_line(&mut line).unwrap() > 0 {
            if let Some(url) = line.strip_prefix("DICOMweb") {
                starting.url = url.trim().to_owned();
                return starting;
            }
            line.clear();
        }
        panic!("tsunagu serve ended before it listened");
    }

    /// Starts one and does not wait.
    pub fn spawn(data: &Path, arguments: &[&str]) -> Server {
        let mut command = program(data);
        command.args(["serve", "--listen", "127.0.0.1:0"]).args(arguments).stdout(Stdio::piped());
        Server { child: Some(command.spawn().unwrap()), output: None, url: String::new() }
    }

    /// SIGKILL, and its peak memory by then.
    pub fn kill(mut self) -> u64 {
        let mut child = self.child.take().unwrap();
        let peak = rss_bytes_max(child.id());
        child.kill().unwrap();
        child.wait().unwrap();
        peak
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Lower-case hexadecimal SHA-256.
pub fn sha256(bytes: &[u8]) -> String {
    archive::hex(&Sha256::digest(bytes))
}

/// Numbers from a seed (SplitMix64).
pub struct Random(pub u64);

impl Random {
    pub fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let n = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (n ^ (n >> 31)) % bound
    }
}

/// Every file below a folder.
pub fn files_below(dir: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { files.extend(files_below(&path)) } else { files.push(path) }
    }
    files.sort();
    files
}
