//! Where the real files are, and the picture formats that they stand in.

use std::path::PathBuf;

use htj2k::Plane;

/// A folder of the data set; none, said once, where it is not here.
pub fn folder(name: &str) -> Option<PathBuf> {
    let root = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/datasets"));
    if cfg!(miri) || !root.is_dir() {
        println!("skipped: ../shared/datasets is not here");
        return None;
    }
    Some(root.join(name))
}

/// Every file below a folder, sorted.
pub fn files_below(folder: &std::path::Path) -> Vec<PathBuf> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { found.push(path) }
        }
    }
    found.sort();
    found
}

/// The planes of a picture file: PGM, PPM, PGX or 4:2:0 YUV of 352 columns and 288 rows.
pub fn planes(path: &std::path::Path) -> Vec<Plane> {
    let bytes = std::fs::read(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("pgx") => vec![pgx(&bytes)],
        Some("yuv") => yuv(&bytes, 352, 288),
        _ => pnm(&bytes),
    }
}

/// `PG ML +8 61 99`, then samples; ML is big-endian.
fn pgx(bytes: &[u8]) -> Plane {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap();
    let header = std::str::from_utf8(&bytes[..end]).unwrap().replace('+', " ").replace('-', " - ");
    let words: Vec<&str> = header.split_whitespace().collect();
    assert_eq!(words[..2], ["PG", "ML"]);
    let signed = words[2] == "-";
    let numbers: Vec<u32> = words.iter().filter_map(|word| word.parse().ok()).collect();
    let [bits, width, height] = numbers[..] else { panic!("{header}") };
    let unsigned = sample_pairs(&bytes[end + 1..], bits > 8);
    let sample = |value: i32| match (signed, bits > 8) {
        (true, true) => i32::from(value as u16 as i16),
        (true, false) => i32::from(value as u8 as i8),
        _ => value,
    };
    plane(width, height, bits as u8, signed, unsigned.map(sample).collect())
}

/// P5 and P6, big-endian beyond 8 bits.
fn pnm(bytes: &[u8]) -> Vec<Plane> {
    let (mut at, mut words) = (0, Vec::new());
    while words.len() < 4 {
        let start = at + bytes[at..].iter().position(|byte| !byte.is_ascii_whitespace()).unwrap();
        if bytes[start] == b'#' {
            at = start + bytes[start..].iter().position(|&byte| byte == b'\n').unwrap();
            continue;
        }
        at = start + bytes[start..].iter().position(u8::is_ascii_whitespace).unwrap();
        words.push(std::str::from_utf8(&bytes[start..at]).unwrap());
    }
    let number = |index: usize| words[index].parse::<u32>().unwrap();
    let (count, most) = (if words[0] == "P6" { 3 } else { 1 }, number(3));
    let all: Vec<i32> = sample_pairs(&bytes[at + 1..], most > 255).collect();
    let bits = (u32::BITS - most.leading_zeros()) as u8;
    let component = |first: usize| all[first..].iter().step_by(count).copied().collect();
    (0..count).map(|first| plane(number(1), number(2), bits, false, component(first))).collect()
}

/// One luminance plane and two of a quarter of it, 8 bits.
fn yuv(bytes: &[u8], width: u32, height: u32) -> Vec<Plane> {
    let mut rest = bytes;
    let sizes = [(width, height), (width / 2, height / 2), (width / 2, height / 2)];
    let mut next = |(width, height): (u32, u32)| {
        let (own, others) = rest.split_at((width * height) as usize);
        rest = others;
        plane(width, height, 8, false, own.iter().map(|&byte| i32::from(byte)).collect())
    };
    sizes.map(&mut next).into()
}

fn sample_pairs(bytes: &[u8], wide: bool) -> impl Iterator<Item = i32> + '_ {
    bytes.chunks_exact(if wide { 2 } else { 1 }).map(|sample| sample.iter().fold(0, |n, &b| (n << 8) | i32::from(b)))
}

fn plane(width: u32, height: u32, bits: u8, signed: bool, samples: Vec<i32>) -> Plane {
    assert_eq!(samples.len(), (width * height) as usize);
    Plane { width, height, bits, signed, samples }
}
