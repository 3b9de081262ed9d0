//! Every HT codestream of the data set against what others say it holds: OpenJPH's pictures and the errors that its own
//! tests print for them (`mse_pae.txt`), the class 1 references of T.803 with the errors that they allow, and where there
//! is no picture, digests and single samples of outside decoders that agree (`data/`).
//!
//! The table of docs/codec-conformance.md is what this measures; `UPDATE_DOCS=1 cargo test -p htj2k conformance` writes
//! it. `HTJ2K_T803=FOLDER` judges a folder with more streams of T.803 and a folder `references` in it.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::{Path, PathBuf};

use htj2k::simd::Level;
use htj2k::{Alone, DecodeOptions, Decoder, Plane};
use sha2::{Digest, Sha256};

use crate::datasets::{files_below, folder, planes};

/// OpenJPH's tests take a mean squared error within 1 % of the printed one, and a largest error within 1
/// (`tests/test_executables.cpp`, TOL_DOUBLE and TOL_INTEGER).
const MSE_TOLERANCE: f64 = 1.01;
const PAE_TOLERANCE: u32 = 1;
/// The only stream of this picture that is not coded with loss stands for the picture itself, which is not there.
const MALAMUTE: (&str, &str) = ("references/Malamute.ppm", "openjph/simple_dec_rev53_64x64.jph");
const TABLE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/codec-conformance.md");

/// One line of the table.
#[derive(Debug)]
struct Row {
    stream: String,
    what: String,
    allowed: String,
    measured: String,
}

/// Largest error and mean squared error of one component.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Errors {
    largest: u32,
    mean_squared: f64,
}

fn decode(path: &Path, reduce: u8, level: Level) -> Vec<Plane> {
    let options = DecodeOptions { reduce, ..DecodeOptions::default() };
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    let decoded = Decoder::with_level(level).decode_planes(&bytes, &options, &Alone);
    decoded.unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn errors(ours: &Plane, theirs: &Plane) -> Errors {
    assert_eq!((ours.width, ours.height), (theirs.width, theirs.height));
    let (mut largest, mut squares) = (0, 0.0);
    for (a, b) in ours.samples.iter().zip(&theirs.samples) {
        largest = largest.max(a.abs_diff(*b));
        squares += f64::from(a - b).powi(2);
    }
    Errors { largest, mean_squared: squares / ours.samples.len() as f64 }
}

fn shown(errors: &[Errors]) -> String {
    let one = |errors: &Errors| format!("{} / {:.3}", errors.largest, errors.mean_squared);
    errors.iter().map(one).collect::<Vec<_>>().join(", ")
}

/// Every line that is not a comment.
fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#'))
}

/// The entries of a file like OpenJPH's `mse_pae.txt`.
fn mse_pae(text: &str) -> Vec<(String, String, Vec<Errors>)> {
    let mut entries: Vec<(String, String, Vec<Errors>)> = Vec::new();
    for line in lines(text) {
        let (first, second) = line.split_once(' ').unwrap();
        match (first.parse(), second.trim().parse()) {
            (Ok(mean_squared), Ok(largest)) => entries.last_mut().unwrap().2.push(Errors { largest, mean_squared }),
            _ => entries.push((first.to_owned(), second.trim().to_owned(), Vec::new())),
        }
    }
    entries
}

/// Judges a stream by a picture, at the lowest and the best level of instructions; the row shows the lowest, which is the
/// same on every machine.
fn judge(path: &Path, reduce: u8, component: Option<usize>, reference: &[Plane], allowed: &[Errors]) -> String {
    let mut first = None;
    for level in [Level::Scalar, Level::best()] {
        let ours = decode(path, reduce, level);
        let ours = component.map_or(&ours[..], |component| &ours[component..=component]);
        assert_eq!(ours.len(), reference.len(), "{}", path.display());
        let measured: Vec<Errors> = ours.iter().zip(reference).map(|(ours, theirs)| errors(ours, theirs)).collect();
        for (measured, allowed) in measured.iter().zip(allowed) {
            let within = measured.largest <= allowed.largest && measured.mean_squared <= allowed.mean_squared;
            assert!(within, "{} at {level:?}: {measured:?}, allowed {allowed:?}", path.display());
        }
        first.get_or_insert(shown(&measured));
    }
    first.unwrap()
}

/// The streams of `mse_pae.txt`, and those of `data/bounds.txt`.
fn by_pictures(root: &Path, rows: &mut Vec<Row>) {
    let openjph = std::fs::read_to_string(root.join("openjph/mse_pae.txt")).unwrap();
    let ours = mse_pae(include_str!("data/bounds.txt"));
    let theirs = mse_pae(&openjph).into_iter().map(|(stream, reference, errors)| {
        let reference = if reference == MALAMUTE.0 { MALAMUTE.1.into() } else { format!("openjph/{reference}") };
        (format!("openjph/{stream}"), reference, errors)
    });
    let theirs: Vec<_> = theirs.filter(|(stream, ..)| !ours.iter().any(|(own, ..)| own == stream)).collect();
    let mut pictures: BTreeMap<String, Vec<Plane>> = BTreeMap::new();
    for (number, (stream, reference, printed)) in theirs.iter().chain(&ours).cloned().enumerate() {
        let path = root.join(&stream);
        if !path.exists() || stream == MALAMUTE.1 {
            continue;
        }
        let is_stream = Path::new(&reference).extension().is_some_and(|extension| extension.to_str() != Some("yuv"))
            && !reference.contains("references/");
        let load = || {
            let path = root.join(&reference);
            if is_stream { decode(&path, 0, Level::best()) } else { planes(&path) }
        };
        let picture = pictures.entry(reference.clone()).or_insert_with(load);
        let allow = |errors: &Errors| match errors {
            Errors { largest: 0, .. } => *errors,
            Errors { largest, mean_squared } => {
                Errors { largest: largest + PAE_TOLERANCE, mean_squared: mean_squared * MSE_TOLERANCE }
            }
        };
        let allowed: Vec<Errors> = printed.iter().map(allow).collect();
        let measured = judge(&path, 0, None, picture, &allowed);
        let judge = if number < theirs.len() { "" } else { ", errors of OpenJPEG" };
        let what = format!("against {}{judge}", reference.rsplit('/').next().unwrap());
        rows.push(Row { stream, what, allowed: shown(&allowed), measured });
    }
}

/// Streams of T.803 by the references that a folder has.
fn by_t803(streams: &Path, reference: impl Fn(&str) -> PathBuf, prefix: &str, rows: &mut Vec<Row>) {
    for line in lines(include_str!("data/t803.txt")) {
        let words: Vec<&str> = line.split_whitespace().collect();
        let [stream, reduce, component, name, largest, mean_squared] = words[..] else { panic!("{line}") };
        let (path, picture) = (streams.join(stream), reference(name));
        if !path.exists() || !picture.exists() {
            continue;
        }
        let allowed = Errors { largest: largest.parse().unwrap(), mean_squared: mean_squared.parse().unwrap() };
        let component = component.parse().unwrap();
        let (reduce, picture) = (reduce.parse().unwrap(), planes(&picture));
        let measured = judge(&path, reduce, Some(component), &picture, &[allowed]);
        let what = format!("component {component} against {name}");
        rows.push(Row { stream: format!("{prefix}{stream}"), what, allowed: shown(&[allowed]), measured });
    }
}

fn digest(planes: &[Plane]) -> String {
    let mut digest = Sha256::new();
    for plane in planes {
        let bytes: Vec<u8> = plane.samples.iter().flat_map(|sample| sample.to_le_bytes()).collect();
        digest.update(&bytes);
    }
    digest.finalize().iter().fold(String::new(), |text, byte| format!("{text}{byte:02x}"))
}

fn by_digests(root: &Path, rows: &mut Vec<Row>) {
    for line in lines(include_str!("data/golden.txt")) {
        let (stream, expected) = line.split_once(": ").unwrap();
        for level in Level::available() {
            assert_eq!(digest(&decode(&root.join(stream), 0, level)), expected, "{stream} at {level:?}");
        }
        let what = format!("digest {}…, data/golden.txt", &expected[..8]);
        rows.push(Row { stream: stream.into(), what, allowed: "equal".into(), measured: "equal".into() });
    }
}

fn by_probes(root: &Path, rows: &mut Vec<Row>) {
    for line in lines(include_str!("data/probes.txt")) {
        let mut words = line.split_whitespace();
        let (stream, component) = (words.next().unwrap(), words.next().unwrap().parse::<usize>().unwrap());
        let plane = &decode(&root.join(stream), 0, Level::Scalar)[component];
        let probes: Vec<&str> = words.collect();
        let difference = |probe: &&str| {
            let (place, value) = probe.split_once('=').unwrap();
            let (x, y) = place.split_once(',').unwrap();
            let at = y.parse::<usize>().unwrap() * plane.width as usize + x.parse::<usize>().unwrap();
            plane.samples[at].abs_diff(value.parse().unwrap())
        };
        let largest = probes.iter().map(difference).max().unwrap();
        assert!(largest <= 1, "{stream}, component {component}: {largest}");
        let what = format!("component {component}: {} samples of OpenHTJ2K", probes.len());
        rows.push(Row { stream: stream.into(), what, allowed: "1".into(), measured: largest.to_string() });
    }
}

fn page(rows: &[Row]) -> String {
    let mut page = String::from(
        "# HTJ2K conformance\n\nWhat `transcode/htj2k` gives for every HT codestream of `../shared/datasets`. \
         Errors are largest / mean squared,\ncomponent by component; how each is judged stands in \
         `transcode/htj2k/tests/suite/conformance.rs`, which compares this page.\n\n\
         <!-- printed: UPDATE_DOCS=1 cargo test -p htj2k conformance -->\n\n\
         | codestream | judged | allowed | measured |\n| --- | --- | --- | --- |\n",
    );
    for Row { stream, what, allowed, measured } in rows {
        let _ = writeln!(page, "| {stream} | {what} | {allowed} | {measured} |");
    }
    page
}

#[test]
fn every_ht_stream_of_the_data_set_is_within_what_its_reference_allows() {
    let (Some(root), Some(part_1)) = (folder("codestreams-htj2k"), folder("codestreams-j2k")) else { return };
    let mut rows = Vec::new();
    by_digests(&root, &mut rows);
    by_pictures(&root, &mut rows);
    let reference = |name: &str| part_1.join("conformance-class1-reference").join(name.replace('-', "_"));
    by_t803(&root.join("conformance"), reference, "conformance/", &mut rows);
    by_probes(&root, &mut rows);
    rows.sort_by(|a, b| (&a.stream, &a.what).cmp(&(&b.stream, &b.what)));
    for path in files_below(&root) {
        let name = path.strip_prefix(&root).unwrap().to_str().unwrap();
        let is_stream = !name.contains("references/") && !name.ends_with(".txt");
        assert!(!is_stream || rows.iter().any(|row| row.stream == name), "{name} is not judged");
    }
    let now = page(&rows);
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(TABLE, &now).unwrap();
    }
    let said = "docs/codec-conformance.md is not what is measured; run: UPDATE_DOCS=1 cargo test -p htj2k conformance";
    assert!(std::fs::read_to_string(TABLE).is_ok_and(|page| page == now), "{said}");
}

#[test]
fn more_streams_of_t803_are_judged_where_they_are() {
    let Some(streams) = std::env::var_os("HTJ2K_T803").map(PathBuf::from) else {
        println!("skipped: HTJ2K_T803 names no folder");
        return;
    };
    let mut rows = Vec::new();
    by_t803(&streams, |name| streams.join("references").join(name), "", &mut rows);
    print!("{}", page(&rows));
    assert!(!rows.is_empty(), "no stream of T.803 in {}", streams.display());
}
