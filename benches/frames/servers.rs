//! The three servers, each on a fresh directory and a port of its own, with the same frames.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use datasets::File;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::Result;
use crate::load::{self, Connection, Target};

/// As Cornerstone3D asks for every frame.
const ACCEPT: &str = "multipart/related; type=application/octet-stream; transfer-syntax=*";
const ORTHANC: &str = "/usr/sbin/Orthanc";
/// Where Debian has the DICOMweb plugin.
const ORTHANC_PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";
const NGINX: &str = "/usr/sbin/nginx";
const START_S_MAX: u64 = 60;

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Takes another build of our program than the one this bench was built with.
pub fn use_program(program: PathBuf) {
    PROGRAM.get_or_init(|| program);
}

fn tsunagu(data: &Path) -> Command {
    let mut command = Command::new(PROGRAM.get_or_init(|| env!("CARGO_BIN_EXE_tsunagu").into()));
    command.arg("--data").arg(data);
    command
}

pub fn orthanc_is_there() -> bool {
    Path::new(ORTHANC).exists() && Path::new(ORTHANC_PLUGIN).exists()
}

pub fn nginx_is_there() -> bool {
    Path::new(NGINX).exists()
}

/// A frame: where it is, and of what kind.
pub struct Frame {
    modality: String,
    /// From `/dicom-web` on, without the frame.
    instance: String,
}

impl Frame {
    fn is_of(&self, kind: &str) -> bool {
        kind.starts_with(&self.modality)
    }

    fn query(kind: &str) -> &'static str {
        if kind.contains("resolution") { "?resolution=0" } else { "" }
    }
}

struct Running {
    child: Child,
    address: SocketAddr,
    _dir: TempDir,
}

impl Running {
    fn start(mut command: Command, address: SocketAddr, dir: TempDir) -> Result<Running> {
        let log = std::fs::File::create(dir.path().join("server.log"))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut running = Running { child, address, _dir: dir };
        let started = Instant::now();
        while TcpStream::connect(address).is_err() {
            if running.child.try_wait()?.is_some() || started.elapsed() > Duration::from_secs(START_S_MAX) {
                let log = std::fs::read_to_string(running._dir.path().join("server.log")).unwrap_or_default();
                return Err(format!("the server did not start; it says:\n{log}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(running)
    }

    /// The process and those it has started.
    fn pids(&self) -> Vec<u32> {
        let pid = self.child.id();
        let children = std::fs::read_to_string(format!("/proc/{pid}/task/{pid}/children")).unwrap_or_default();
        [pid].into_iter().chain(children.split_whitespace().filter_map(|child| child.parse().ok())).collect()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // nginx ends its workers only when asked to end.
        let _ = Command::new("kill").args(["-TERM", &self.child.id().to_string()]).status();
        let asked = Instant::now();
        while matches!(self.child.try_wait(), Ok(None)) && asked.elapsed() < Duration::from_secs(10) {
            std::thread::sleep(Duration::from_millis(20));
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn fresh(dir: &Path) -> Result<(TempDir, SocketAddr)> {
    let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
    Ok((TempDir::with_prefix_in("tsunagu-bench-", dir)?, address))
}

/// Our server over a packed archive.
pub struct Ours {
    running: Running,
    bearer: String,
}

impl Ours {
    /// Imports and packs the files, then serves.
    pub fn start(dir: &Path, files: &[File]) -> Result<Ours> {
        let (dir, address) = fresh(dir)?;
        let (data, sent) = (dir.path().join("archive"), dir.path().join("sent"));
        for file in files {
            let path = sent.join(&file.path);
            std::fs::create_dir_all(path.parent().unwrap_or(&sent))?;
            std::fs::write(path, &file.bytes)?;
        }
        let imported = tsunagu(&data).arg("import").arg(&sent).stdout(Stdio::null()).status()?;
        if !imported.success() {
            return Err("tsunagu import failed".into());
        }
        let issued =
            tsunagu(&data).args(["token", "issue", "bench", "--role", "reader", "--centre", "bench"]).output()?;
        let text = String::from_utf8_lossy(&issued.stdout);
        let bearer = format!("Bearer {}", text.lines().next().ok_or("tsunagu token issue printed no token")?);
        let mut command = tsunagu(&data);
        command.arg("serve").arg("--listen").arg(address.to_string()).arg("--no-pack");
        Ok(Ours { running: Running::start(command, address, dir)?, bearer })
    }

    fn get(&self, path: &str, accept: &str) -> Vec<u8> {
        load::get(path, &[("Accept", accept), ("Authorization", &self.bearer)])
    }

    fn json(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_slice(&load::fetch(self.running.address, &self.get(path, "application/dicom+json"))?)?)
    }

    /// Every frame there is: one an instance.
    pub fn frames(&self) -> Result<Vec<Frame>> {
        let text = |item: &Value, tag: &str| item[tag]["Value"][0].as_str().unwrap_or_default().to_owned();
        let mut frames = Vec::new();
        for study in self.json("/dicom-web/studies")?.as_array().into_iter().flatten() {
            let study = text(study, "0020000D");
            for series in self.json(&format!("/dicom-web/studies/{study}/series"))?.as_array().into_iter().flatten() {
                let (series, modality) = (text(series, "0020000E"), text(series, "00080060"));
                let place = format!("/dicom-web/studies/{study}/series/{series}/instances");
                for instance in self.json(&format!("{place}?limit=1000"))?.as_array().into_iter().flatten() {
                    let instance = format!("{place}/{}", text(instance, "00080018"));
                    frames.push(Frame { modality: modality.clone(), instance });
                }
            }
        }
        Ok(frames)
    }

    pub fn target(&self, frames: &[Frame], kind: &str) -> Target {
        let of_kind = frames.iter().filter(|frame| frame.is_of(kind));
        let path = |frame: &Frame| format!("{}/frames/1{}", frame.instance, Frame::query(kind));
        let requests = of_kind.map(|frame| self.get(&path(frame), ACCEPT)).collect();
        Target { name: "Tsunagu", address: self.running.address, requests, pids: self.running.pids() }
    }

    /// How long the manifest of the study of these frames is, and takes: the first time, and then.
    pub fn manifest(&self, frames: &[Frame], kind: &str) -> Result<String> {
        let of_kind: Vec<_> = frames.iter().filter(|frame| frame.is_of(kind)).collect();
        let first = of_kind.first().ok_or("there are no such frames")?;
        let (study, _) = first.instance.split_once("/series/").ok_or("no series in the path")?;
        let request = self.get(&format!("{study}/manifest"), "application/json");
        let mut connection = Connection::new(self.running.address)?;
        let (mut ms, mut bytes) = (Vec::new(), 0);
        for _ in 0..101 {
            let asked = Instant::now();
            bytes = connection.ask(&request, |_| {})?;
            ms.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        let again = ms.split_off(1);
        let first = ms.first().copied().unwrap_or_default();
        let (p50, p99) = (quantile(&again, 50), quantile(&again, 99));
        let count = of_kind.len();
        Ok(format!(
            "Manifest of {count} {kind} slices: {bytes} bytes; first {first:.1} ms, then p50 {p50:.2}, p99 {p99:.2} ms"
        ))
    }

    fn body(&self, frame: &Frame, query: &str) -> Result<Vec<u8>> {
        load::fetch(self.running.address, &self.get(&format!("{}/frames/1{query}", frame.instance), ACCEPT))
    }
}

fn quantile(values: &[f64], percent: usize) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or_default()
}

/// nginx with what our server sends, as files.
pub struct Nginx(Running);

impl Nginx {
    pub fn start(dir: &Path, ours: &Ours, frames: &[Frame]) -> Result<Nginx> {
        let (dir, address) = fresh(dir)?;
        let root = dir.path().join("www");
        std::fs::create_dir_all(&root)?;
        for (number, frame) in frames.iter().enumerate() {
            std::fs::write(root.join(number.to_string()), ours.body(frame, "")?)?;
            // A build from before there was this parameter answers with the whole frame.
            std::fs::write(root.join(format!("{number}-low")), ours.body(frame, "?resolution=0")?)?;
        }
        let (place, config) = (dir.path().display(), dir.path().join("nginx.conf"));
        let text = format!(
            "user root; worker_processes auto; daemon off; pid {place}/nginx.pid; error_log {place}/error.log;
             events {{ worker_connections 512; }}
             http {{ access_log off; sendfile on; tcp_nopush on; keepalive_requests 100000000; open_file_cache max=10000;
               default_type application/octet-stream;
               server {{ listen {address}; root {place}/www; }} }}"
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new(NGINX);
        command.arg("-c").arg(&config).arg("-e").arg(dir.path().join("error.log"));
        Ok(Nginx(Running::start(command, address, dir)?))
    }

    pub fn target(&self, frames: &[Frame], kind: &str) -> Target {
        let of_kind = frames.iter().enumerate().filter(|(_, frame)| frame.is_of(kind));
        let low = if kind.contains("resolution") { "-low" } else { "" };
        let requests = of_kind.map(|(number, _)| load::get(&format!("/{number}{low}"), &[])).collect();
        Target { name: "nginx, static files", address: self.0.address, requests, pids: self.0.pids() }
    }
}

/// Orthanc as Debian ships it, on the loopback only, with its DICOMweb plugin and no authentication.
pub struct Orthanc(Running);

impl Orthanc {
    /// Stores the files as they were sent: Orthanc 1.10 takes HTJ2K in, but answers 500 for its frames.
    pub fn start(dir: &Path, files: &[File]) -> Result<Orthanc> {
        let (dir, address) = fresh(dir)?;
        let storage = dir.path().join("storage");
        std::fs::create_dir_all(&storage)?;
        let config = json!({
            "Name": "BENCH", "StorageDirectory": storage, "IndexDirectory": storage, "HttpPort": address.port(),
            "DicomServerEnabled": false, "RemoteAccessAllowed": false, "AuthenticationEnabled": false,
            "Plugins": [ORTHANC_PLUGIN], "DicomWeb": { "Enable": true, "Root": "/dicom-web/" },
        });
        let file = dir.path().join("orthanc.json");
        std::fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
        let mut command = Command::new(ORTHANC);
        command.arg(file);
        let running = Running::start(command, address, dir)?;
        for file in files {
            load::fetch(address, &load::post("/instances", &file.bytes))?;
        }
        Ok(Orthanc(running))
    }

    pub fn target(&self, frames: &[Frame], kind: &str) -> Target {
        let of_kind = frames.iter().filter(|frame| frame.is_of(kind));
        let get = |frame: &Frame| load::get(&format!("{}/frames/1", frame.instance), &[("Accept", ACCEPT)]);
        let requests = of_kind.map(get).collect();
        Target { name: "Orthanc", address: self.0.address, requests, pids: self.0.pids() }
    }
}
