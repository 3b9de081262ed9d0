//! One instance, and one request, larger than the memory it may take.
//!
//! Proves: 420 MB through STOW-RS and through `import` are never held at once (300 MB at the most, all of the program
//! counted), and come out bit-exactly: from intake, from a pack, by `export`. The same when it is compared with what is
//! held, and set aside. Not 16 GiB, which is the limit of one file,
//! for the time it takes: what grows with the length is on disk, or these 420 MB would not fit either. And a request of 5 GB
//! in parts of every size is taken in by less than 200 MB.

use std::io::{BufRead, BufReader, BufWriter, Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::FileExt;
use std::path::Path;

use futures::stream;
use reqwest::{Body, Client, StatusCode};
use sha2::{Digest, Sha256};
use tokio::io::AsyncReadExt;

use crate::client::Dicomweb;
use crate::program::{Random, Server, files_below, run_clean, token, verify};

const FRAMES: u32 = 5;
const SIDE: u16 = 9_200;
const RSS_BYTES_MAX: u64 = 300_000_000;
/// One request, its parts together, and what the server may hold while it takes it in.
const REQUEST_BYTES: u64 = 5_000_000_000;
const REQUEST_RSS_BYTES_MAX: u64 = 200_000_000;
const CENTRE: &str = "large-centre";
const STUDY: &str = "2.25.17";
const SERIES: &str = "2.25.18";
const SOP: &str = "2.25.19";

/// A multi-frame image of noise in Explicit VR Little Endian (PS3.10 §7, PS3.5 Annex A.2). Answers its SHA-256.
fn write_large(path: &Path) -> String {
    let mut file = Hashing { to: BufWriter::new(std::fs::File::create(path).unwrap()), digest: Sha256::new() };
    let frame_bytes = usize::from(SIDE) * usize::from(SIDE);
    file.write(&head_of(SOP, FRAMES, SIDE));
    file.write(&(FRAMES * frame_bytes as u32).to_le_bytes());
    let mut random = Random(7);
    let mut row: Vec<u8> = (0..SIDE).map(|_| random.below(256) as u8).collect();
    for _ in 0..FRAMES * u32::from(SIDE) {
        row.rotate_left(1 + random.below(97) as usize);
        file.write(&row);
    }
    file.to.flush().unwrap();
    archive::hex(&file.digest.finalize())
}

/// Everything of such an image up to the length of its Pixel Data.
fn head_of(sop: &str, frames: u32, side: u16) -> Vec<u8> {
    let multi_frame_grayscale_byte = "1.2.840.10008.5.1.4.1.1.7.2";
    let mut meta = Vec::new();
    element(&mut meta, (2, 0x02), "UI", multi_frame_grayscale_byte.as_bytes());
    element(&mut meta, (2, 0x03), "UI", sop.as_bytes());
    element(&mut meta, (2, 0x10), "UI", b"1.2.840.10008.1.2.1");
    let mut head = vec![0; 128];
    head.extend_from_slice(b"DICM");
    element(&mut head, (2, 0), "UL", &(meta.len() as u32).to_le_bytes());
    head.extend_from_slice(&meta);
    for (tag, vr, text) in [
        ((0x08, 0x16), "UI", multi_frame_grayscale_byte),
        ((0x08, 0x18), "UI", sop),
        ((0x08, 0x20), "DA", "20261123"),
        ((0x08, 0x60), "CS", "OT"),
        ((0x10, 0x10), "PN", "Synthetic^Large"),
        ((0x10, 0x20), "LO", "LARGE-1"),
        ((0x20, 0x0D), "UI", STUDY),
        ((0x20, 0x0E), "UI", SERIES),
    ] {
        element(&mut head, tag, vr, text.as_bytes());
    }
    element(&mut head, (0x28, 0x02), "US", &1_u16.to_le_bytes());
    element(&mut head, (0x28, 0x04), "CS", b"MONOCHROME2");
    element(&mut head, (0x28, 0x08), "IS", frames.to_string().as_bytes());
    for (number, value) in [(0x10, side), (0x11, side), (0x100, 8), (0x101, 8), (0x102, 7), (0x103, 0)] {
        element(&mut head, (0x28, number), "US", &value.to_le_bytes());
    }
    head.extend_from_slice(&[0xE0, 0x7F, 0x10, 0x00, b'O', b'W', 0, 0]);
    head
}

struct Hashing {
    to: BufWriter<std::fs::File>,
    digest: Sha256,
}

impl Hashing {
    fn write(&mut self, bytes: &[u8]) {
        self.to.write_all(bytes).unwrap();
        self.digest.update(bytes);
    }
}

/// An element with a short length field (PS3.5 §7.1.2), its value padded to even length.
fn element(to: &mut Vec<u8>, (group, number): (u16, u16), vr: &str, value: &[u8]) {
    to.extend_from_slice(&group.to_le_bytes());
    to.extend_from_slice(&number.to_le_bytes());
    to.extend_from_slice(vr.as_bytes());
    to.extend_from_slice(&(value.len().next_multiple_of(2) as u16).to_le_bytes());
    to.extend_from_slice(value);
    if value.len() % 2 == 1 {
        to.push(if vr == "UI" { 0 } else { b' ' });
    }
}

/// One store request whose body is the file, read as it is sent.
async fn store(url: &str, token: &str, path: &Path) {
    let file = tokio::fs::File::open(path).await.unwrap();
    let chunks = stream::unfold(file, |mut file| async {
        let mut chunk = vec![0; 1 << 20];
        let bytes = file.read(&mut chunk).await.unwrap();
        chunk.truncate(bytes);
        (bytes > 0).then_some((Ok::<_, std::io::Error>(chunk), file))
    });
    let request = Client::new().post(format!("{url}/studies")).bearer_auth(token);
    let request = request.header("content-type", "application/dicom").body(Body::wrap_stream(chunks));
    let response = request.send().await.unwrap();
    let status = response.status();
    assert_eq!(status, StatusCode::OK, "{}", response.text().await.unwrap());
}

/// SHA-256 of what is answered, read as it comes.
async fn digest(client: &Dicomweb, path: &str) -> String {
    let (mut response, mut digest) = (client.get(path).await, Sha256::new());
    assert_eq!(response.status(), StatusCode::OK, "{path}");
    while let Some(chunk) = response.chunk().await.unwrap() {
        digest.update(&chunk);
    }
    archive::hex(&digest.finalize())
}

fn check_rss(what: &str, rss_bytes_max: u64) {
    println!("{what}: {} MB at the most", rss_bytes_max / 1_000_000);
    assert!(rss_bytes_max < RSS_BYTES_MAX, "{what} held {rss_bytes_max} bytes at once");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_instance_larger_than_memory_allows_streams_through() {
    let work = tempfile::tempdir().unwrap();
    let path = work.path().join("large.dcm");
    let sent = write_large(&path);
    let bytes = std::fs::metadata(&path).unwrap().len();
    assert!(bytes > RSS_BYTES_MAX + (100 << 20));
    let instance = format!("studies/{STUDY}/series/{SERIES}/instances/{SOP}");
    let original = format!("{instance}/original");

    let dir = tempfile::tempdir().unwrap();
    let admin = token(dir.path(), "admin", CENTRE);
    let server = Server::start(dir.path(), &["--no-pack"]);
    store(&server.url, &admin, &path).await;
    let client = Dicomweb::new(&server.url, &admin);
    assert!(digest(&client, &original).await == sent, "it came out of intake changed");
    check_rss("a server that took it in by STOW-RS and sent it", server.kill());
    // Another person's name under the same SOP Instance UID: compared with what is held, and set aside.
    let changed = work.path().join("changed.dcm");
    std::fs::copy(&path, &changed).unwrap();
    let file = std::fs::OpenOptions::new().read(true).write(true).open(&changed).unwrap();
    let mut head = [0; 1024];
    file.read_exact_at(&mut head, 0).unwrap();
    let at = head.windows(9).position(|bytes| bytes == b"Synthetic").unwrap() as u64;
    file.write_all_at(b"Different", at).unwrap();
    let said = run_clean(dir.path(), &["import", "--centre", CENTRE, "--no-pack", changed.to_str().unwrap()]);
    assert_eq!(said.json["quarantined"].as_array().map(Vec::len), Some(1), "{}", said.json);
    check_rss("an import that set it aside", said.rss_bytes_max);
    std::fs::remove_file(&changed).unwrap();
    let said = run_clean(dir.path(), &["verify"]);
    assert_eq!((&said.json["instances"], &said.json["quarantined"]), (&1.into(), &1.into()));
    check_rss("a verification of both", said.rss_bytes_max);
    drop(dir);

    let dir = tempfile::tempdir().unwrap();
    let admin = token(dir.path(), "admin", CENTRE);
    let said = run_clean(dir.path(), &["import", "--centre", CENTRE, path.to_str().unwrap()]);
    assert_eq!((&said.json["stored"], &said.json["packed"]["packs"]), (&1.into(), &1.into()));
    check_rss("an import that packed it", said.rss_bytes_max);
    std::fs::remove_file(&path).unwrap();
    assert!(files_below(&dir.path().join("intake")).is_empty(), "it is held twice");
    let server = Server::start(dir.path(), &["--no-pack"]);
    let client = Dicomweb::new(&server.url, &admin);
    assert!(digest(&client, &original).await == sent, "it came out of its pack changed");
    check_rss("a server that sent it", server.kill());
    let said = run_clean(dir.path(), &["export", "--original", work.path().join("out").to_str().unwrap()]);
    assert_eq!((&said.json["files"], &said.json["bytes"]), (&1.into(), &bytes.into()));
    check_rss("an export", said.rss_bytes_max);
    verify(dir.path());
}

/// A request of 5 GB with parts of 100 kB to 64 MB, sent as fast as it is taken: every part is acknowledged, and the server
/// never holds 200 MB.
#[test]
fn a_request_of_5_gb_is_taken_in_by_less_than_200_mb() {
    let dir = tempfile::tempdir().unwrap();
    let admin = token(dir.path(), "admin", CENTRE);
    let server = Server::start(dir.path(), &["--no-pack"]);
    let address = server.url.strip_prefix("http://").and_then(|rest| rest.split('/').next()).unwrap();
    let mut random = Random(11);
    let noise: Vec<u8> = (0..8_000 * 8_000).map(|_| random.below(256) as u8).collect();
    let mut parts = Vec::new();
    let mut bytes = 0_u64;
    while bytes < REQUEST_BYTES {
        let side = [320, 700, 2_000, 2_900, 4_000, 8_000][parts.len() % 6];
        let mut head = b"\r\n--edge\r\nContent-Type: application/dicom\r\n\r\n".to_vec();
        head.extend_from_slice(&head_of(&format!("2.25.20.{}", parts.len()), 1, side));
        let pixels = usize::from(side) * usize::from(side);
        head.extend_from_slice(&(pixels as u32).to_le_bytes());
        bytes += (head.len() + pixels) as u64;
        parts.push((head, pixels));
    }
    let end = b"\r\n--edge--\r\n";
    let mut socket = TcpStream::connect(address).unwrap();
    let head = format!(
        "POST /dicom-web/studies HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {admin}\r\nConnection: close\r\nContent-Length: {}\r\n\
         Content-Type: multipart/related; type=\"application/dicom\"; boundary=edge\r\n\r\n",
        bytes + end.len() as u64
    );
    socket.write_all(head.as_bytes()).unwrap();
    for (head, pixels) in &parts {
        socket.write_all(head).unwrap();
        socket.write_all(&noise[..*pixels]).unwrap();
    }
    socket.write_all(end).unwrap();
    let mut answer = BufReader::new(socket);
    let (mut status, mut text) = (String::new(), String::new());
    answer.read_line(&mut status).unwrap();
    answer.read_to_string(&mut text).unwrap();
    assert!(status.starts_with("HTTP/1.1 200"), "{status}{text:.300}");
    assert_eq!(text.matches("\"00081155\"").count(), parts.len());
    let rss = server.kill();
    println!("a request of {bytes} bytes in {} parts: {} MB at the most", parts.len(), rss / 1_000_000);
    assert!(rss < REQUEST_RSS_BYTES_MAX, "{rss} bytes were held at once");
}
