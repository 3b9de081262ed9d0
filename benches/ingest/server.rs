//! A server under test: ours or Orthanc, each on a fresh directory and on ports of its own.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;

use crate::{Result, process};

/// Where Debian has the DICOMweb plugin.
const ORTHANC_PLUGIN: &str = "/usr/share/orthanc/plugins/libOrthancDicomWeb.so";
const START_S_MAX: u64 = 60;
const STOP_S_MAX: u64 = 60;
const PACKED_S_MAX: u64 = 600;

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Product {
    Tsunagu,
    Orthanc,
}

/// A server that answers.
pub struct Running {
    child: Child,
    /// Where it takes HTTP.
    pub http: SocketAddr,
    /// Where it takes associations.
    pub dimse: SocketAddr,
    /// Bearer token to store with.
    pub token: Option<String>,
    dir: TempDir,
}

static PROGRAM: OnceLock<PathBuf> = OnceLock::new();

/// Takes another build of our program than the one this bench was built with.
pub fn use_program(program: PathBuf) {
    PROGRAM.get_or_init(|| program);
}

/// The program under test.
pub fn tsunagu() -> Command {
    Command::new(PROGRAM.get_or_init(|| env!("CARGO_BIN_EXE_tsunagu").into()))
}

/// Name and version of Orthanc, if it and its DICOMweb plugin are installed.
pub fn orthanc_version() -> Option<String> {
    let output = Command::new(orthanc_program()?).arg("--version").output().ok()?;
    let text = String::from_utf8_lossy(&output.stdout);
    // It says the path it was called by, then its version.
    let version = text.lines().next()?.rsplit(' ').next()?;
    Path::new(ORTHANC_PLUGIN).exists().then(|| format!("Orthanc {version}"))
}

fn orthanc_program() -> Option<PathBuf> {
    ["/usr/sbin/Orthanc", "/usr/bin/Orthanc"].map(PathBuf::from).into_iter().find(|path| path.exists())
}

impl Running {
    /// Starts a server on a fresh directory below `dir` and waits until both doors are open and it is idle.
    /// With `packing`, ours packs what has been quiet for a second; renditions are made of nothing.
    pub fn start(product: Product, dir: &Path, packing: bool) -> Result<Running> {
        let dir = TempDir::with_prefix_in("tsunagu-bench-", dir)?;
        let (http, dimse) = (free_address()?, free_address()?);
        let (mut command, token) = match product {
            Product::Tsunagu => ours(dir.path(), http, dimse, packing)?,
            Product::Orthanc => (orthanc(dir.path(), http, dimse)?, None),
        };
        let log = std::fs::File::create(dir.path().join("server.log"))?;
        let child = command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let mut running = Running { child, http, dimse, token, dir };
        running.wait_until_open()?;
        running.wait_until_idle()?;
        Ok(running)
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until so many instances are in packs, and none in intake.
    pub fn wait_until_packed(&self, instances: usize) -> Result<()> {
        let flags = rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY;
        let index = rusqlite::Connection::open_with_flags(archive_of(self.dir.path()).join("index.sqlite"), flags)?;
        let asked = Instant::now();
        let count = "SELECT count(*) FILTER (WHERE container > 0), count(*) FILTER (WHERE container < 0) FROM instance";
        loop {
            let counted = index.query_row(count, [], |row| Ok((row.get::<_, i64>(0)?, row.get::<_, i64>(1)?)))?;
            if counted == (instances as i64, 0) {
                return Ok(());
            }
            if asked.elapsed() > Duration::from_secs(PACKED_S_MAX) {
                return Err(format!("{counted:?} instances are packed and not packed, of {instances}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Ends it and answers its directory, which is removed when that is dropped.
    pub fn stop(mut self) -> Result<TempDir> {
        // The standard library only knows SIGKILL, after which a start would have to recover.
        Command::new("kill").args(["-TERM", &self.pid().to_string()]).status()?;
        let asked = Instant::now();
        while self.child.try_wait()?.is_none() {
            if asked.elapsed() > Duration::from_secs(STOP_S_MAX) {
                return Err("the server does not end when asked to".into());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        let empty = TempDir::new()?;
        Ok(std::mem::replace(&mut self.dir, empty))
    }

    /// Waits for what a program does once it is open: ours compresses its page, a second of one core.
    fn wait_until_idle(&self) -> Result<()> {
        let (started, mut before) = (Instant::now(), process::cpu_s(self.pid())?);
        loop {
            std::thread::sleep(Duration::from_millis(300));
            let now = process::cpu_s(self.pid())?;
            if now - before < 0.03 || started.elapsed() > Duration::from_secs(START_S_MAX) {
                return Ok(());
            }
            before = now;
        }
    }

    fn wait_until_open(&mut self) -> Result<()> {
        let started = Instant::now();
        while ![self.http, self.dimse].iter().all(|address| TcpStream::connect(address).is_ok()) {
            if self.child.try_wait()?.is_some() || started.elapsed() > Duration::from_secs(START_S_MAX) {
                let log = std::fs::read_to_string(self.dir.path().join("server.log")).unwrap_or_default();
                return Err(format!("the server did not start; it says:\n{log}").into());
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // After an error, too, no server may stay behind.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn free_address() -> Result<SocketAddr> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?)
}

/// Where our server keeps its archive, below its directory.
pub fn archive_of(dir: &Path) -> PathBuf {
    dir.join("archive")
}

fn ours(dir: &Path, http: SocketAddr, dimse: SocketAddr, packing: bool) -> Result<(Command, Option<String>)> {
    let data = archive_of(dir);
    let issue = ["token", "issue", "bench", "--role", "uploader", "--centre", "bench"];
    let output = tsunagu().arg("--data").arg(&data).args(issue).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let token = text.lines().next().ok_or("tsunagu token issue printed no token")?.to_owned();
    let mut command = tsunagu();
    command.arg("--data").arg(data).arg("serve").arg("--listen").arg(http.to_string());
    command.arg("--dimse").arg(dimse.to_string()).args(["--any-peer", "bench", "--no-renditions"]);
    command.args(if packing { &["--pack-after-s", "1"][..] } else { &["--no-pack"] });
    Ok((command, Some(token)))
}

/// Orthanc as Debian ships it, on the loopback only, with its DICOMweb plugin and no authentication; what is not named
/// here has its default (storage synced, files not compressed, SQLite).
fn orthanc(dir: &Path, http: SocketAddr, dimse: SocketAddr) -> Result<Command> {
    let storage = dir.join("storage");
    std::fs::create_dir_all(&storage)?;
    let config = json!({
        "Name": "BENCH", "StorageDirectory": storage, "IndexDirectory": storage,
        "HttpPort": http.port(), "DicomPort": dimse.port(), "DicomAet": crate::scu::CALLED_AE_TITLE,
        "RemoteAccessAllowed": false, "AuthenticationEnabled": false, "DicomAlwaysAllowStore": true,
        "Plugins": [ORTHANC_PLUGIN],
        "DicomWeb": { "Enable": true, "Root": "/dicom-web/" },
    });
    let file = dir.join("orthanc.json");
    std::fs::write(&file, serde_json::to_vec_pretty(&config)?)?;
    let mut command = Command::new(orthanc_program().ok_or("Orthanc is not installed")?);
    command.arg(file);
    Ok(command)
}
