//! Every Accept value against every real file: an honest answer each time, never a 500, no panic, no body that breaks off.
//!
//! Files are taken in as they are, under UIDs of their own; each resource of each is asked for with a part of the Accept
//! values, another part for the next file, so that every value meets every kind of file.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::{Path, PathBuf};

use archive::{Admission, Body, Digests, FrameSpan, FrameTable, InstanceAttributes, Origin, TakeIn};
use axum::http::Request;
use bytes::Bytes;
use serde_json::{Map, Value as Json, json};
use sha2::{Digest, Sha256};
use tower::ServiceExt;
use transcode::data_set::{Limits, Part10, Value, frame_spans, pixel_description, scan};

use super::fixture::{House, description};

const DATASETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/datasets");
/// Larger files are for other tests: here it is the kind that counts.
const FILE_BYTES_MAX: u64 = 600_000;
/// Of a file that inflates or decodes to more, every request costs too much.
const SAMPLES_MAX: u64 = 1 << 20;
/// Accept values for each resource of each file.
const VALUES_EACH: usize = 1;

/// Transfer syntaxes of PS3.6 Table A-1, and what is none.
const TRANSFER_SYNTAXES: [&str; 30] = [
    "", ".1", ".1.98", ".1.99", ".2", ".4.50", ".4.51", ".4.57", ".4.70", ".4.80", ".4.81", ".4.90", ".4.91", ".4.92",
    ".4.93", ".4.94", ".4.95", ".4.100", ".4.102", ".4.107", ".4.110", ".4.112", ".4.201", ".4.202", ".4.203",
    ".4.204", ".5", ".6.1", ".7.1", ".8.1",
];

fn accepts() -> Vec<String> {
    let plain = [
        "*/*",
        "application/*",
        "image/*",
        "multipart/related",
        "multipart/*",
        "application/dicom",
        "application/dicom+json",
        "application/json",
        "application/dicom+xml",
        "multipart/related; type=\"application/dicom+xml\"",
        "multipart/related; type=\"application/octet-stream\"",
        "application/octet-stream",
        "image/jpeg",
        "image/png",
        "image/gif",
        "image/jp2",
        "image/jls",
        "image/jphc",
        "image/dicom-rle",
        "video/mp4",
        "text/html",
        "text/plain",
        "application/pdf",
        "multipart/related; type=\"image/*\"",
        "multipart/related; type=image/png",
        "multipart/related; type=\"*/*\"",
        "application/dicom; transfer-syntax=*",
        "application/dicom; transfer-syntax=",
        "application/dicom; transfer-syntax=\"",
        "application/dicom;;;q=;x",
        ";",
        ",",
        "/",
        "a/b;q=9",
        "application/dicom;q=0",
        "\"",
        "multipart/related; type=\"",
        "application/dicom, image/jpeg",
        "*/*;q=0",
        "image/jpeg;q=0.5, image/png;q=0.4, */*;q=0.1",
        "\\\"a\\\"/b",
    ];
    let mut all: Vec<String> = plain.map(str::to_owned).to_vec();
    for short in TRANSFER_SYNTAXES {
        all.push(format!("multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.840.10008.1.2{short}"));
        all.push(format!("multipart/related; type=\"*/*\"; transfer-syntax=\"1.2.840.10008.1.2{short}\", */*;q=0.01"));
    }
    all.push(format!("application/dicom; transfer-syntax={}", "9".repeat(5000)));
    all
}

fn real_files(folder: &Path, into: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() { real_files(&path, into) } else { into.push(path) }
    }
}

/// What the archive is told of a file; `None` for what is no DICOM.
fn take_in(bytes: Vec<u8>, number: usize) -> Option<TakeIn> {
    let part10 = scan(&mut Cursor::new(&bytes), &Limits::default()).ok()?;
    let pixels = pixel_description(&part10.data_set);
    let samples = |d: &transcode::PixelDescription| {
        let pixel = u64::from(d.samples_per_pixel) * u64::from(d.number_of_frames);
        u64::from(d.rows) * u64::from(d.columns) * pixel
    };
    if pixels.as_ref().is_some_and(|d| samples(d) > SAMPLES_MAX) {
        return None;
    }
    let spans = frame_spans(&part10, &mut Cursor::new(&bytes)).unwrap_or_default();
    let span = |span: transcode::data_set::FrameSpan| FrameSpan {
        offset: span.offset,
        length: span.length,
        fragments: span.fragments,
        resolution_ends: Vec::new(),
    };
    let uid = |level: &str| format!("1.2.392.9.{number}{level}");
    let mut said = description(uid(""), uid(".1"), uid(".1.1"), 1, 1);
    said.instance = InstanceAttributes {
        sop_instance_uid: uid(".1.1"),
        transfer_syntax_uid: part10.transfer_syntax_uid.clone(),
        ..InstanceAttributes::default()
    };
    if let Some(d) = pixels.filter(|_| !spans.is_empty()) {
        said.instance = InstanceAttributes {
            number_of_frames: d.number_of_frames,
            rows: d.rows,
            columns: d.columns,
            samples_per_pixel: d.samples_per_pixel,
            bits_allocated: d.bits_allocated,
            bits_stored: d.bits_stored,
            pixel_representation: d.pixel_representation,
            photometric_interpretation: d.photometric_interpretation,
            ..said.instance
        };
    }
    let digests =
        Digests { file: Sha256::digest(&bytes).into(), data_set: Some(Sha256::digest(number.to_le_bytes()).into()) };
    Some(TakeIn {
        origin: Origin { centre: "a".into(), received_at: "2027-01-15T08:00:00Z".into(), ..Origin::default() },
        description: said,
        dicom_json: Bytes::from(document(&part10).to_string()),
        frames: FrameTable { frames: spans.into_iter().map(span).collect() },
        digests,
        body: Body::Memory(Bytes::from(bytes)),
    })
}

/// Values of the outermost Data Set that are too large, and the first texts: enough to be asked for and to be drawn by.
fn document(part10: &Part10) -> Json {
    let mut object = Map::new();
    for element in part10.data_set.elements.iter().filter(|element| element.tag.0 > 2) {
        let tag = format!("{:04X}{:04X}", element.tag.0, element.tag.1);
        let vr = element.vr.to_string();
        let value = match &element.value {
            Value::Skipped | Value::Fragments(_) => json!({ "vr": vr, "BulkDataURI": format!("bulkdata/{tag}") }),
            Value::Bytes(_) => match (element.decimals().next(), element.ascii()) {
                (Some(number), _) => json!({ "vr": vr, "Value": [number] }),
                (None, Some(text)) => json!({ "vr": vr, "Value": [text.split('\\').next()] }),
                _ => continue,
            },
            Value::Sequence(_) => continue,
        };
        object.insert(tag, value);
    }
    Json::Object(object)
}

/// Resources of one instance.
const RESOURCES: [&str; 12] = [
    "",
    "/metadata",
    "/rendered",
    "/rendered?viewport=40,30&window=40,400,linear&quality=50",
    "/thumbnail",
    "/frames/1",
    "/frames/1,2",
    "/frames/1/rendered",
    "/frames/1/thumbnail",
    "/bulkdata",
    "/bulkdata/7FE00010",
    "/bulkdata/00420011",
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_accept_value_against_every_real_file_is_answered() {
    if !Path::new(DATASETS).exists() {
        return println!("skipped: ../shared/datasets is not here");
    }
    let (house, accepts) = (House::empty().await, accepts());
    let mut paths = Vec::new();
    real_files(Path::new(DATASETS), &mut paths);
    paths.sort();
    let (mut statuses, mut files, mut step): (BTreeMap<String, usize>, usize, usize) = (BTreeMap::new(), 0, 0);
    for (number, path) in paths.iter().enumerate() {
        if std::fs::metadata(path).unwrap().len() > FILE_BYTES_MAX {
            continue;
        }
        let Some(taken) = take_in(std::fs::read(path).unwrap(), number) else { continue };
        if house.writer.take_in(taken, Admission::Ordinary).await.is_err() {
            continue;
        }
        files += 1;
        // So that a resource does not meet the same values with every file.
        step += 1;
        let base = format!("/dicom-web/studies/1.2.392.9.{number}");
        let instance = format!("{base}/series/1.2.392.9.{number}.1/instances/1.2.392.9.{number}.1.1");
        let resources = RESOURCES.iter().map(|of| format!("{instance}{of}"));
        let above = ["", "/metadata", "/rendered", "/thumbnail", "/bulkdata"].iter().map(|of| format!("{base}{of}"));
        let uid =
            format!("studyUID=1.2.392.9.{number}&seriesUID=1.2.392.9.{number}.1&objectUID=1.2.392.9.{number}.1.1");
        let by_uri = [
            "",
            "&contentType=application/dicom",
            "&contentType=application/dicom&transferSyntax=1.2.840.10008.1.2.4.90",
        ];
        let by_uri = by_uri.iter().map(|more| format!("/wado?requestType=WADO&{uid}{more}"));
        for resource in resources.chain(above).chain(by_uri) {
            for _ in 0..VALUES_EACH {
                step += 1;
                let accept = &accepts[step % accepts.len()];
                let outcome = asked(&house, &resource, accept).await;
                let name = path.strip_prefix(DATASETS).unwrap().display();
                assert!(!outcome.starts_with('5'), "{outcome}: {name} as {resource} by {accept}");
                *statuses.entry(outcome).or_default() += 1;
            }
        }
    }
    println!("{files} files, {} Accept values, {step} requests: {statuses:?}", accepts.len());
    assert!(statuses.contains_key("200") && statuses.contains_key("406"));
}

/// The status, and whether the body came to its end.
async fn asked(house: &House, resource: &str, accept: &str) -> String {
    let request = Request::get(resource).header("host", "here:8080").header("accept", accept);
    let request = request.header("authorization", format!("Bearer {}", house.original));
    let response = house.router.clone().oneshot(request.body(axum::body::Body::empty()).unwrap()).await.unwrap();
    let status = response.status().as_u16();
    match axum::body::to_bytes(response.into_body(), 1 << 28).await {
        Ok(_) => status.to_string(),
        Err(_) => format!("{status}, broken off"),
    }
}
