//! Proves that generated frames compress about as well as real ones, by modality, so that no figure measured on a
//! generated night flatters the archive. Prints both (`cargo test -p datasets --test ratio -- --nocapture`).
//!
//! The measure needs no encoder: entropy of the residual of the JPEG-LS predictor, in eleven contexts of local gradient
//! (ITU-T T.87 §A.2–A.4, simplified), in bits a sample. On the real frames it differs by a few per cent from what a
//! lossless JPEG 2000 encoder takes for grey, and is less for screens with large flat areas.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::time::Instant;

use datasets::{Kind, Scale, Study};
use dicom_object::{DefaultDicomObject, OpenFileOptions, Tag};

/// Smallest frame that says something.
const PIXELS_MIN: usize = 16_000;
/// How far below the least and above the greatest real value a generated one may be; with one or two real files, `ALONE`
/// (mammography: a crop without background and a lossy one say little about the air beside a breast).
const WIDENED: f64 = 0.15;
const ALONE: f64 = 0.35;

/// Real frames that are compressed in ../shared/datasets, decoded with imagecodecs and measured with the same formula.
/// MG1, RG1 and VL5 are there only as lossy JPEG 2000, so the noise of the original is partly gone: a lower bound.
const MEASURED_ELSEWHERE: [(&str, f64); 9] = [
    ("MG", 6.55), // mammography/MG1_J2KI
    ("MG", 6.98), // mammography/OutOfBoundsOverlay.dcm: a crop without background
    ("DX", 2.16), // dr/CR-ModalitySequenceLUT.dcm
    ("DX", 9.07), // dr/wg04/RG1_J2KI, 15 bits
    ("DX", 4.28), // dr/CR-MONO1-10-chest
    ("ES", 0.90), // visible-light/JPEGwithIcon.dcm, three samples a pixel
    ("ES", 3.48), // visible-light/wg04/VL5_J2KI
    ("OP", 0.71), // fundus/sample-op.dcm
    ("PT", 5.12), // nuclear/GH184.dcm
];

#[derive(Default)]
struct Spread {
    real: Vec<f64>,
    generated: Vec<f64>,
    milliseconds: Vec<f64>,
    allocated: f64,
}

#[test]
fn generated_frames_compress_within_the_spread_of_real_ones() {
    let mut modalities: BTreeMap<&'static str, Spread> = BTreeMap::new();
    for (modality, bits) in MEASURED_ELSEWHERE {
        modalities.entry(modality).or_default().real.push(bits);
    }
    real_frames(&mut modalities);
    // Tomosynthesis has no real counterpart here, and is slow to make at full size.
    for kind in Kind::ALL.into_iter().filter(|kind| *kind != Kind::Tomosynthesis) {
        generated_frames(kind, &mut modalities);
    }
    println!(
        "bits a sample after prediction:  real least … greatest (n) | generated least … greatest (n) | ratio | ms a file"
    );
    for (modality, spread) in &modalities {
        let ((low, high), (least, greatest)) = (range(&spread.real), range(&spread.generated));
        let mean = |of: &[f64]| of.iter().sum::<f64>() / of.len().max(1) as f64;
        println!(
            "{modality:4} real {low:5.2} … {high:5.2} ({:2}) | generated {least:5.2} … {greatest:5.2} ({:2}) | {:4.2} : 1 | {:6.0}",
            spread.real.len(),
            spread.generated.len(),
            spread.allocated / mean(&spread.generated),
            mean(&spread.milliseconds),
        );
        assert!(!spread.generated.is_empty(), "{modality} was generated");
        let widened = if spread.real.len() <= 2 { ALONE } else { WIDENED };
        // Without ../shared/datasets some modalities have nothing to be compared with.
        let fits = spread.real.is_empty() || (least >= low * (1.0 - widened) && greatest <= high * (1.0 + widened));
        assert!(fits, "{modality}: generated {least:.2} … {greatest:.2}, real {low:.2} … {high:.2}");
    }
}

fn range(of: &[f64]) -> (f64, f64) {
    (of.iter().copied().fold(f64::INFINITY, f64::min), of.iter().copied().fold(0.0, f64::max))
}

/// A few studies of a kind at full size, two files of each; only native ones can be measured here.
fn generated_frames(kind: Kind, modalities: &mut BTreeMap<&'static str, Spread>) {
    let (mut found, mut seed) = (HashMap::new(), 0);
    while seed < 60
        && (seed < if kind == Kind::Chest { 12 } else { 3 }
            || (found.is_empty() && !matches!(kind, Kind::Ecg | Kind::Report)))
    {
        let study = Study::new(kind, seed, Scale::Full, 1);
        seed += 1;
        let count = study.file_count();
        // The first and some from the middle; PET/CT has its PET in the second half.
        let wanted = if kind == Kind::PetCt { vec![0, count / 2 + 60] } else { vec![0, 1, 6] };
        let mut files = study.files();
        for index in 0..=wanted.last().copied().unwrap_or(0) {
            let start = Instant::now();
            let Some(file) = files.next() else { break };
            let milliseconds = start.elapsed().as_secs_f64() * 1e3;
            if !wanted.contains(&index) {
                continue;
            }
            let object = dicom_object::from_reader(file.bytes.as_slice()).expect("a generated file is read");
            let Some((modality, bits, allocated)) = measure(&object) else { continue };
            *found.entry(modality).or_insert(0) += 1;
            let spread = modalities.entry(modality).or_default();
            spread.generated.push(bits);
            spread.allocated = allocated;
            spread.milliseconds.push(milliseconds);
        }
    }
}

fn real_frames(modalities: &mut BTreeMap<&'static str, Spread>) {
    let root = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/datasets"));
    if !root.is_dir() {
        println!("skipped in part: ../shared/datasets is not here");
        return;
    }
    for folder in
        ["angiography", "ct-series", "dr", "fundus", "mr-series", "multi-frame", "ultrasound", "visible-light"]
    {
        // A small-animal scanner's raw 16 bits say nothing about a person's brain.
        let people = |path: &PathBuf| !path.ends_with("mr_brucker.dcm");
        for path in files_below(&root.join(folder)).into_iter().filter(people) {
            let Ok(object) = OpenFileOptions::new().open_file(&path) else { continue };
            if let Some((modality, bits, _)) = measure(&object) {
                modalities.entry(modality).or_default().real.push(bits);
            }
        }
    }
}

fn files_below(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().flatten().map(|entry| entry.path());
    let mut files: Vec<_> =
        entries.flat_map(|path| if path.is_dir() { files_below(&path) } else { vec![path] }).collect();
    files.sort();
    files
}

/// Modality, bits a sample of the first frame, bits allocated; nothing for what is not native, too small, palette
/// colour, or scrambled by its publisher (prediction gains nothing over the bare samples).
fn measure(object: &DefaultDicomObject) -> Option<(&'static str, f64, f64)> {
    let number = |group, element| object.element(Tag(group, element)).ok()?.to_int::<usize>().ok();
    let text = |group, element| Some(object.element(Tag(group, element)).ok()?.to_str().ok()?.trim().to_owned());
    let native = ["1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.2"];
    if !native.contains(&object.meta().transfer_syntax()) || text(0x0028, 0x0004)? == "PALETTE COLOR" {
        return None;
    }
    let modality = group(&text(0x0008, 0x0060)?, object.meta().media_storage_sop_class_uid())?;
    let (rows, columns) = (number(0x0028, 0x0010)?, number(0x0028, 0x0011)?);
    let (components, allocated) = (number(0x0028, 0x0002)?, number(0x0028, 0x0100)?);
    let planar = number(0x0028, 0x0006).unwrap_or(0) == 1;
    if rows * columns < PIXELS_MIN || text(0x0028, 0x0004)?.contains("422") {
        return None;
    }
    let data = object.element(Tag(0x7FE0, 0x0010)).ok()?;
    let samples: Vec<i32> = match allocated {
        8 => data.to_bytes().ok()?.iter().map(|byte| i32::from(*byte)).collect(),
        // As i16 or u16 alike: differences of neighbours are what counts.
        16 if number(0x0028, 0x0103)? == 1 => {
            data.to_multi_int::<u16>().ok()?.iter().map(|v| i32::from(*v as i16)).collect()
        }
        16 => data.to_multi_int::<u16>().ok()?.into_iter().map(i32::from).collect(),
        _ => return None,
    };
    let frame = samples.get(..rows * columns * components)?;
    let plane = |c: usize| -> Vec<i32> {
        if planar {
            frame[c * rows * columns..(c + 1) * rows * columns].to_vec()
        } else {
            frame.iter().skip(c).step_by(components).copied().collect()
        }
    };
    let bits = if components == 3 {
        let green = plane(1);
        let minus = |other: Vec<i32>| other.iter().zip(&green).map(|(a, b)| a - b).collect::<Vec<_>>();
        (predicted(&green, columns) + predicted(&minus(plane(0)), columns) + predicted(&minus(plane(2)), columns)) / 3.0
    } else {
        predicted(&plane(0), columns)
    };
    let bare = entropy(frame.iter().copied());
    (bits < bare * 0.97 + 0.02).then_some((modality, bits, allocated as f64))
}

/// Modalities that are compared with each other; angiography stands in for fluoroscopy, photographs for endoscopy.
fn group(modality: &str, sop_class: &str) -> Option<&'static str> {
    Some(match (modality, sop_class.trim_end_matches('\0')) {
        ("DX" | "CR", _) => "DX",
        ("RF" | "XA", _) => "RF",
        ("CT", "1.2.840.10008.5.1.4.1.1.2") => "CT",
        ("MG", _) => "MG",
        ("MR", _) => "MR",
        ("PT", _) => "PT",
        ("US", _) => "US",
        ("OP", _) => "OP",
        ("ES" | "XC" | "OT", "1.2.840.10008.5.1.4.1.1.7" | "1.2.840.10008.5.1.4.1.1.77.1.1") => "ES",
        _ => return None,
    })
}

/// Entropy of the residual of the median edge detector, by context, in bits a sample.
fn predicted(plane: &[i32], columns: usize) -> f64 {
    let mut contexts: [Vec<i32>; 12] = Default::default();
    for (above, row) in plane.chunks_exact(columns).zip(plane.chunks_exact(columns).skip(1)) {
        for x in 1..columns - 1 {
            let (left, up, corner, right) = (row[x - 1], above[x], above[x - 1], above[x + 1]);
            let guess = if corner >= left.max(up) {
                left.min(up)
            } else if corner <= left.min(up) {
                left.max(up)
            } else {
                left + up - corner
            };
            let gradient = (up - corner).abs() + (corner - left).abs() + (right - up).abs();
            contexts[((gradient + 1).ilog2() as usize).min(11)].push(row[x] - guess);
        }
    }
    let total: usize = contexts.iter().map(Vec::len).sum();
    contexts.iter().map(|c| entropy(c.iter().copied()) * c.len() as f64).sum::<f64>() / total.max(1) as f64
}

/// Entropy of order 0 in bits.
fn entropy(values: impl Iterator<Item = i32>) -> f64 {
    const MIDDLE: i32 = 1 << 18;
    let mut counts = vec![0u32; 2 * MIDDLE as usize];
    values.for_each(|value| counts[(value + MIDDLE) as usize] += 1);
    let total: f64 = counts.iter().map(|count| f64::from(*count)).sum();
    let shares = counts.iter().filter(|count| **count > 0).map(|count| f64::from(*count) / total);
    shares.map(|share| -share * share.log2()).sum()
}
