//! Every Accept value and transfer syntax that the standard has, and some that nobody has, asked of every real file.
//!
//! Proves: no request makes the server fail or end, whatever the file is; memory stays bounded.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use reqwest::{Client, StatusCode};

use crate::client::Dicomweb;
use crate::program::{Server, real_files, run_clean, token};

const CENTRE: &str = "every-accept";
/// Requests on their way at once.
const AT_ONCE: usize = 6;
const RSS_BYTES_MAX: u64 = 1_200_000_000;
const ANSWER_SECONDS_MAX: u64 = 120;

/// Transfer syntaxes of PS3.5 and of nobody, as `transfer-syntax` has them.
const TRANSFER_SYNTAXES: &[&str] = &[
    "*",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2.1.99",
    "1.2.840.10008.1.2.2",
    "1.2.840.10008.1.2.4.50",
    "1.2.840.10008.1.2.4.51",
    "1.2.840.10008.1.2.4.57",
    "1.2.840.10008.1.2.4.70",
    "1.2.840.10008.1.2.4.80",
    "1.2.840.10008.1.2.4.81",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.91",
    "1.2.840.10008.1.2.4.201",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.203",
    "1.2.840.10008.1.2.4.110",
    "1.2.840.10008.1.2.5",
    "1.2.3.4",
];

/// What is asked of an instance: the end of its path, and media types. Where they stand with `TS`, each transfer syntax is
/// put there.
const ASKED: &[(&str, &[&str])] = &[
    (
        "",
        &[
            "multipart/related; type=\"application/dicom\"; transfer-syntax=TS",
            "application/dicom",
            "multipart/related; type=\"application/octet-stream\"",
            "*/*",
            "text/html",
        ],
    ),
    (
        "/frames/1",
        &[
            "multipart/related; type=\"application/octet-stream\"; transfer-syntax=TS",
            "application/octet-stream",
            "multipart/related; type=\"image/jpeg\"",
            "multipart/related; type=\"image/jls\"",
            "multipart/related; type=\"image/jp2\"; transfer-syntax=TS",
            "multipart/related; type=\"image/jphc\"; transfer-syntax=TS",
            "multipart/related; type=\"image/dicom-rle\"",
            "multipart/related; type=\"image/png\"",
            "multipart/related; type=\"video/mp4\"",
            "*/*",
        ],
    ),
    ("/frames/9999", &["*/*"]),
    ("/rendered", &["image/jpeg", "image/png", "image/gif", "image/jp2", "text/html", "text/plain", "*/*"]),
    ("/rendered?viewport=50,50,1,1,20,20&window=40,400,sigmoid&quality=1", &["image/jpeg"]),
    ("/thumbnail", &["image/jpeg", "*/*"]),
    ("/metadata", &["application/dicom+json", "multipart/related; type=\"application/dicom+xml\""]),
    ("/bulkdata", &["multipart/related; type=\"application/octet-stream\"", "*/*"]),
    ("/pixeldata", &["multipart/related; type=\"application/octet-stream\"", "*/*"]),
];

/// Every request to one instance: the end of the path and the Accept value.
fn requests() -> Vec<(&'static str, String)> {
    let mut all = Vec::new();
    for (end, accepts) in ASKED {
        for accept in *accepts {
            if accept.contains("TS") {
                all.extend(TRANSFER_SYNTAXES.iter().map(|uid| (*end, accept.replace("TS", uid))));
            } else {
                all.push((*end, (*accept).to_owned()));
            }
        }
    }
    all
}

/// What came of it.
#[derive(Default)]
struct Outcome {
    statuses: BTreeMap<u16, usize>,
    wrong: Vec<String>,
    slowest: Duration,
}

/// Asks everything of the instances whose turn it is.
async fn ask(client: Client, url: String, admin: String, paths: Arc<Vec<String>>, next: Arc<AtomicUsize>) -> Outcome {
    let mut outcome = Outcome::default();
    while let Some(path) = paths.get(next.fetch_add(1, Ordering::Relaxed)) {
        for (end, accept) in requests() {
            let began = Instant::now();
            let request = client.get(format!("{url}/{path}{end}")).bearer_auth(&admin).header("accept", &accept);
            let status = match request.send().await {
                Ok(response) => {
                    let status = response.status();
                    response.bytes().await.map(|_| status)
                }
                Err(error) => Err(error),
            };
            outcome.slowest = outcome.slowest.max(began.elapsed());
            match status {
                Ok(status) => {
                    *outcome.statuses.entry(status.as_u16()).or_default() += 1;
                    if status.is_server_error() {
                        outcome.wrong.push(format!("{status} to {path}{end} Accept: {accept}"));
                    }
                }
                Err(error) => outcome.wrong.push(format!("{error} at {path}{end} Accept: {accept}")),
            }
        }
    }
    outcome
}

#[tokio::test(flavor = "multi_thread")]
async fn every_accept_value_of_every_real_file_is_answered() {
    let Some(files) = real_files() else { return };
    let dir = tempfile::tempdir().unwrap();
    run_clean(dir.path(), &["import", "--centre", CENTRE, files.to_str().unwrap()]);
    let admin = token(dir.path(), "admin", CENTRE);
    let server = Server::start(dir.path(), &["--no-pack"]);
    let paths = Arc::new(Dicomweb::new(&server.url, &admin).instances().await);
    assert!(paths.len() > 300, "only {} instances are held", paths.len());
    let (client, next) =
        (Client::builder().timeout(Duration::from_secs(ANSWER_SECONDS_MAX)).build().unwrap(), Arc::default());
    let tasks: Vec<_> = (0..AT_ONCE)
        .map(|_| ask(client.clone(), server.url.clone(), admin.clone(), Arc::clone(&paths), Arc::clone(&next)))
        .map(tokio::spawn)
        .collect();
    let mut all = Outcome::default();
    for task in tasks {
        let outcome = task.await.unwrap();
        for (status, count) in outcome.statuses {
            *all.statuses.entry(status).or_default() += count;
        }
        all.wrong.extend(outcome.wrong);
        all.slowest = all.slowest.max(outcome.slowest);
    }
    let alive = client.get(format!("{}/studies?limit=1", server.url)).bearer_auth(&admin);
    let alive = alive.header("accept", "application/dicom+json").send().await.unwrap().status();
    let peak = server.kill();
    println!(
        "{} instances, {} requests each: {:?}, the slowest {:?}, peak {} MB",
        paths.len(),
        requests().len(),
        all.statuses,
        all.slowest,
        peak / 1_000_000
    );
    assert!(
        all.wrong.is_empty(),
        "{} failed, the first: {:#?}",
        all.wrong.len(),
        &all.wrong[..all.wrong.len().min(20)]
    );
    assert_eq!(alive, StatusCode::OK);
    assert!(peak < RSS_BYTES_MAX, "the server held {peak} bytes at once");
}
