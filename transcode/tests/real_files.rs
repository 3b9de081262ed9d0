//! Real files: every native one is packed and rebuilt byte for byte or says why not, and every compressed twin decodes
//! to the samples of its uncompressed one.

#[path = "real_files/frames.rs"]
mod frames;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use dicom_dictionary_std::tags;
use dicom_object::{DefaultDicomObject, OpenFileOptions};
use sha2::{Digest, Sha256};
use transcode::{
    PixelDescription, Rendering, Source, Witness, codec, decode_frame, encapsulate, encode_frames, packable, recipe,
    render,
};

fn datasets() -> Option<PathBuf> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/datasets");
    let found = path.join("MANIFEST.csv").exists().then_some(path);
    if found.is_none() {
        println!("skipped: ../shared/datasets is not here");
    }
    found
}

fn files(folder: &Path, into: &mut Vec<PathBuf>) {
    let mut entries: Vec<PathBuf> = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() { files(&path, into) } else { into.push(path) }
    }
}

fn number(object: &DefaultDicomObject, tag: dicom_core::Tag) -> Option<u32> {
    object.get(tag)?.to_int().ok()
}

fn description(object: &DefaultDicomObject) -> Option<PixelDescription> {
    let short = |tag| number(object, tag).and_then(|n| u16::try_from(n).ok());
    let photometric = object.get(tags::PHOTOMETRIC_INTERPRETATION)?.to_str().ok()?;
    Some(PixelDescription {
        rows: short(tags::ROWS)?,
        columns: short(tags::COLUMNS)?,
        samples_per_pixel: short(tags::SAMPLES_PER_PIXEL)?,
        bits_allocated: short(tags::BITS_ALLOCATED)?,
        bits_stored: short(tags::BITS_STORED)?,
        high_bit: short(tags::HIGH_BIT)?,
        pixel_representation: short(tags::PIXEL_REPRESENTATION)?,
        planar_configuration: short(tags::PLANAR_CONFIGURATION).unwrap_or(0),
        photometric_interpretation: photometric.trim_end_matches([' ', '\0']).to_string(),
        number_of_frames: number(object, tags::NUMBER_OF_FRAMES).unwrap_or(1),
    })
}

/// Where the native value lies: the last Pixel Data tag whose length is that of the value and fits the file.
fn native_value(bytes: &[u8], uid: &str, length: usize) -> Option<usize> {
    let big = uid.ends_with(".1.2.2");
    let tag: [u8; 4] = if big { [0x7F, 0xE0, 0, 0x10] } else { [0xE0, 0x7F, 0x10, 0] };
    let head = if uid == "1.2.840.10008.1.2" { 8 } else { 12 };
    (0..bytes.len().saturating_sub(head)).rev().find_map(|at| {
        let length_at = bytes.get(at + head - 4..at + head)?.try_into().ok()?;
        let said = if big { u32::from_be_bytes(length_at) } else { u32::from_le_bytes(length_at) } as usize;
        (bytes[at..].starts_with(&tag) && said == length && at + head + said <= bytes.len()).then_some(at + head)
    })
}

struct Real {
    path: PathBuf,
    uid: String,
    object: DefaultDicomObject,
    description: PixelDescription,
}

/// Opened where a toolkit opens it in a bounded way: the corrupt folder belongs to other tests.
fn open(path: &Path) -> Option<Real> {
    let object = OpenFileOptions::new().open_file(path).ok()?;
    let uid = object.meta().transfer_syntax().trim_end_matches('\0').to_string();
    let description = description(&object)?;
    object.get(tags::PIXEL_DATA)?;
    Some(Real { path: path.to_path_buf(), uid, object, description })
}

#[derive(Default)]
struct Sums {
    rebuilt: u32,
    native_bytes: usize,
    codestream_bytes: usize,
    recipe_bytes: usize,
    kept: Vec<String>,
    encode_seconds: f64,
    prove_seconds: f64,
}

/// Packs one file and proves the rebuild, or counts why not.
fn pack(received: &[u8], source: &Source, sums: &mut Sums) {
    let start = Instant::now();
    let frames = encode_frames(source).unwrap();
    sums.encode_seconds += start.elapsed().as_secs_f64();
    let packed = encapsulate(codec::TRANSFER_SYNTAX_UID, &frames).unwrap();
    let head = &received[..source.pixel_offset as usize];
    let spans: Vec<_> = packed.spans.iter().map(|&(offset, length)| (offset + head.len() as u64, length)).collect();
    let dcm = [head, &packed.pixel_data].concat();
    let recipe = recipe::make(source, &dcm, &spans).unwrap();
    let start = Instant::now();
    recipe::prove(source, &dcm, &recipe, &Sha256::digest(received).into()).unwrap();
    // One that has seen nothing yet looks at the first frame of every file.
    Witness::new(&codec::Coders::default()).check(source, &frames, &[0; 32]).unwrap();
    sums.prove_seconds += start.elapsed().as_secs_f64();
    sums.rebuilt += 1;
    sums.native_bytes += source.pixel_length as usize;
    sums.codestream_bytes += frames.iter().map(Vec::len).sum::<usize>();
    sums.recipe_bytes += recipe.len();
}

#[test]
fn every_native_real_file_is_rebuilt_byte_for_byte_or_says_why_not() {
    let Some(root) = datasets() else { return };
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let mut sums: BTreeMap<String, Sums> = BTreeMap::new();
    for real in paths.iter().filter(|path| !path.starts_with(root.join("corrupt"))).filter_map(|path| open(path)) {
        if !matches!(real.uid.as_str(), "1.2.840.10008.1.2" | "1.2.840.10008.1.2.1" | "1.2.840.10008.1.2.2") {
            continue;
        }
        let received = std::fs::read(&real.path).unwrap();
        let length = real.object.get(tags::PIXEL_DATA).unwrap().header().len.0 as usize;
        let Some(at) = native_value(&received, &real.uid, length) else {
            panic!("{}: the value of Pixel Data, {length} bytes, was not found", real.path.display());
        };
        let modality = real.object.get(tags::MODALITY).and_then(|m| Some(m.to_str().ok()?.trim().to_string()));
        let sums = sums.entry(modality.unwrap_or_default()).or_default();
        let (pixel_offset, pixel_length) = (at as u64, length as u64);
        let big_endian = real.uid.ends_with(".1.2.2");
        let source =
            Source { received: &received, pixel_offset, pixel_length, big_endian, description: real.description };
        match packable(&source) {
            Ok(()) => pack(&received, &source, sums),
            Err(why) => sums.kept.push(format!("{}: {why}", real.path.strip_prefix(&root).unwrap().display())),
        }
    }
    report(&sums);
    assert!(sums.values().map(|sums| sums.rebuilt).sum::<u32>() > 100);
}

fn report(sums: &BTreeMap<String, Sums>) {
    println!("modality  rebuilt kept  native MB  ratio  recipe bytes  encode MB/s  prove MB/s");
    for (modality, s) in sums {
        let megabytes = s.native_bytes as f64 / 1e6;
        println!(
            "{modality:9} {:7} {:4} {megabytes:10.2} {:6.2} {:13} {:12.1} {:11.1}",
            s.rebuilt,
            s.kept.len(),
            s.native_bytes as f64 / s.codestream_bytes as f64,
            s.recipe_bytes / (s.rebuilt as usize).max(1),
            megabytes / s.encode_seconds,
            megabytes / s.prove_seconds
        );
    }
    sums.values().flat_map(|sums| &sums.kept).for_each(|kept| println!("kept {kept}"));
}

/// Frame 0 of a file, and its interpretation; of an encapsulated file of one frame, all fragments.
fn first_frame(real: &Real) -> transcode::Result<transcode::Frame> {
    let element = real.object.get(tags::PIXEL_DATA).unwrap();
    let bytes = match element.value().fragments() {
        Some(fragments) if real.description.number_of_frames == 1 => fragments.concat(),
        Some(fragments) => fragments[0].clone(),
        // Inflated with its Data Set; what is here has 8 bits or the byte order of this machine.
        None if real.uid.ends_with(".1.99") => element.to_bytes().unwrap().into_owned(),
        None => {
            let received = std::fs::read(&real.path).unwrap();
            let length = element.header().len.0 as usize;
            received[native_value(&received, &real.uid, length).unwrap()..][..length].to_vec()
        }
    };
    decode_frame(&real.uid, &real.description, &bytes)
}

#[test]
fn compressed_twins_decode_to_the_samples_of_the_uncompressed_one() {
    let Some(root) = datasets() else { return };
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let stem = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_string();
    let mut equal = BTreeMap::new();
    for unc in paths.iter().filter(|path| stem(path).ends_with("_UNC")) {
        let name = stem(unc).replace("_UNC", "");
        let expected = first_frame(&open(unc).unwrap()).unwrap();
        let lossless = ["J2KR", "JLSL", "JPLL", "RLE"].map(|kind| format!("{name}_{kind}"));
        for twin in paths.iter().filter(|path| path.parent() == unc.parent() && lossless.contains(&stem(path))) {
            let real = open(twin).unwrap();
            let found = first_frame(&real).unwrap_or_else(|error| panic!("{}: {error}", twin.display()));
            let same = (0..expected.samples.values().len())
                .all(|index| expected.samples.values().at(index) == found.samples.values().at(index));
            assert!(same, "{}", twin.display());
            *equal.entry(real.uid).or_insert(0) += 1;
        }
    }
    println!("equal to their uncompressed twin: {equal:?}");
    assert!(equal.len() >= 4, "{equal:?}");
}

/// The single bits of a segmentation, as received, as its compressed twin, and as our codestream, are the same zeros and
/// ones, and shown black and white.
#[test]
fn single_bits_are_the_same_from_every_form_and_shown_black_and_white() {
    let Some(root) = datasets() else { return };
    for name in ["liver", "liver_nonbyte_aligned"] {
        let find = |name: &str| open(&root.join(format!("other-objects/{name}.dcm"))).unwrap();
        let (native, twin) = (find(name), find(&format!("{name}_j2k")));
        let received = std::fs::read(&native.path).unwrap();
        let length = native.object.get(tags::PIXEL_DATA).unwrap().header().len.0 as usize;
        let pixel_offset = native_value(&received, &native.uid, length).unwrap() as u64;
        let (pixel_length, description) = (length as u64, native.description.clone());
        let source = Source { received: &received, pixel_offset, pixel_length, big_endian: false, description };
        let fragments = twin.object.get(tags::PIXEL_DATA).unwrap().value().fragments().unwrap().to_vec();
        for (ours, theirs) in encode_frames(&source).unwrap().iter().zip(&fragments) {
            let ours = decode_frame(codec::TRANSFER_SYNTAX_UID, &native.description, ours).unwrap();
            let theirs = decode_frame(&twin.uid, &twin.description, theirs).unwrap();
            assert_eq!((ours.samples.bits(), &ours.samples), (1, &theirs.samples), "{name}");
            let picture = render(&ours.samples, &Rendering::default()).unwrap();
            let shown = |value: usize| ours.samples.values().at(value) * 255 == i32::from(picture.bytes[value]);
            assert!((0..picture.bytes.len()).all(shown) && picture.bytes.contains(&255), "{name}");
        }
        assert_eq!(first_frame(&native).unwrap().samples, first_frame_of(&twin, &fragments), "{name}");
    }
}

fn first_frame_of(real: &Real, fragments: &[Vec<u8>]) -> transcode::Samples {
    decode_frame(&real.uid, &real.description, &fragments[0]).unwrap().samples
}

#[test]
fn every_first_frame_is_decoded_or_says_why_not() {
    let Some(root) = datasets() else { return };
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let dump = std::env::var_os("TRANSCODE_DUMP").map(PathBuf::from);
    let mut decoded: BTreeMap<String, (u32, u32)> = BTreeMap::new();
    for real in paths.iter().filter(|path| !path.starts_with(root.join("corrupt"))).filter_map(|path| open(path)) {
        let counts = decoded.entry(real.uid.clone()).or_default();
        match first_frame(&real) {
            Ok(frame) => {
                counts.0 += 1;
                if let Some(folder) = &dump {
                    write_down(folder, &root, &real, &frame);
                }
            }
            Err(error) => {
                counts.1 += 1;
                let name = real.path.strip_prefix(&root).unwrap().display().to_string();
                println!("not decoded {name}: {error}");
                let known = HOSTILE.contains(&name.as_str()) || matches!(error, transcode::Error::Unsupported { .. });
                assert!(known, "{name}: {error}");
            }
        }
    }
    println!("transfer syntax: decoded, not: {decoded:#?}");
    assert!(decoded.values().map(|counts| counts.0).sum::<u32>() > 250);
}

/// A codestream header that claims 3.7 billion columns; and one whose fragments only an offset table could tell apart.
const HOSTILE: [&str; 2] = [
    "transfer-syntaxes/JPEG2000-embedded-sequence-delimiter.dcm",
    "ultrasound/IM00001.fragmented_no_bot_jpeg_baseline.50.dcm",
];

/// For the check by another decoder: samples as 32-bit numbers, a line of what they are, and our own codestream.
fn write_down(folder: &Path, root: &Path, real: &Real, frame: &transcode::Frame) {
    let name = real.path.strip_prefix(root).unwrap().display().to_string();
    let flat = name.replace('/', "__");
    let s = &frame.samples;
    let raw: Vec<u8> = (0..s.values().len()).flat_map(|index| s.values().at(index).to_le_bytes()).collect();
    std::fs::write(folder.join(format!("{flat}.raw")), raw).unwrap();
    let line = format!("{name}\n{} {} {}\n{}", s.height(), s.width(), s.components(), frame.photometric_interpretation);
    std::fs::write(folder.join(format!("{flat}.txt")), line).unwrap();
    if let Ok(codestream) = codec::encode(s) {
        std::fs::write(folder.join(format!("{flat}.j2k")), codestream).unwrap();
    }
}
