//! Every target of made-up and of real files: the same numbers come out, the header says the same but for what the frames
//! need, and what cannot be written says so first.

use std::collections::BTreeMap;
use std::io::Cursor;
use std::path::PathBuf;

use proptest::prelude::*;

use super::*;
use crate::data_set::{DataSet, tags};
use crate::instance::Instance;
use crate::samples::Samples;

const BIG: &str = "1.2.840.10008.1.2.2";
const HTJ2K: &str = "1.2.840.10008.1.2.4.202";
const JPEG_2000: &str = "1.2.840.10008.1.2.4.90";

fn limits() -> Limits {
    Limits::default()
}

fn scan(file: &[u8]) -> Part10 {
    data_set::scan(&mut Cursor::new(file), &limits()).unwrap()
}

fn become_it(file: &[u8], target: &str) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    write_as(&mut Cursor::new(file), target, &limits(), &mut out).map(|()| out)
}

/// An image whose elements lie in this encoding.
#[derive(Clone)]
struct Image {
    rows: u16,
    columns: u16,
    samples: u16,
    allocated: u16,
    stored: u16,
    high: u16,
    signed: u16,
    planar: u16,
    photometric: &'static str,
    frames: u32,
    pixels: Vec<u8>,
    vr: &'static str,
}

impl Image {
    fn grey(allocated: u16, stored: u16, pixels: &[u8]) -> Image {
        let columns = (pixels.len() * 8 / usize::from(allocated)) as u16;
        let (high, vr) = (stored - 1, if allocated > 8 { "OW" } else { "OB" });
        let pixels = pixels.to_vec();
        Image {
            rows: 1,
            columns,
            samples: 1,
            allocated,
            stored,
            high,
            signed: 0,
            planar: 0,
            photometric: "MONOCHROME2",
            frames: 1,
            pixels,
            vr,
        }
    }

    /// The Part 10 file, uncompressed.
    fn file(&self, uid: &str) -> Vec<u8> {
        self.file_of(uid, &[])
    }

    fn file_of(&self, uid: &str, more: &[(Tag, &str, &[u8])]) -> Vec<u8> {
        let big = uid == BIG;
        let implicit = uid == IMPLICIT;
        let two = |n: u16| if big { n.to_be_bytes() } else { n.to_le_bytes() };
        let element = |out: &mut Vec<u8>, tag: Tag, vr: &str, value: &[u8]| {
            let long = ["OB", "OW", "SQ", "UN", "OF", "OD"].contains(&vr);
            let length = value.len() as u32;
            out.extend([two(tag.0), two(tag.1)].concat());
            if !implicit {
                out.extend(vr.as_bytes());
            }
            match (implicit, long) {
                (true, _) => out.extend(length.to_le_bytes()),
                (_, true) => {
                    out.extend([0, 0]);
                    out.extend(if big { length.to_be_bytes() } else { length.to_le_bytes() });
                }
                _ => out.extend(two(length as u16)),
            }
            out.extend(value);
        };
        let mut out = vec![0; 128];
        out.extend(b"DICM");
        let meta = [[2u16, 0x10].map(u16::to_le_bytes).concat(), b"UI".to_vec()].concat();
        let mut uid_even = uid.as_bytes().to_vec();
        uid_even.resize(uid.len().next_multiple_of(2), 0);
        out.extend(meta);
        out.extend((uid_even.len() as u16).to_le_bytes());
        out.extend(uid_even);
        let mut all: BTreeMap<Tag, (&str, Vec<u8>)> = BTreeMap::from([
            (tags::SOP_CLASS_UID, ("UI", b"1.2.840.10008.5.1.4.1.1.7\0".to_vec())),
            (tags::SOP_INSTANCE_UID, ("UI", b"1.2.3\0".to_vec())),
            (tags::PATIENT_NAME, ("PN", b"TEST^OUT".to_vec())),
            (tags::SAMPLES_PER_PIXEL, ("US", two(self.samples).to_vec())),
            (tags::PHOTOMETRIC_INTERPRETATION, ("CS", format!("{:16}", self.photometric).into_bytes())),
            (tags::NUMBER_OF_FRAMES, ("IS", format!("{:4}", self.frames).into_bytes())),
            (tags::ROWS, ("US", two(self.rows).to_vec())),
            (tags::COLUMNS, ("US", two(self.columns).to_vec())),
            (tags::BITS_ALLOCATED, ("US", two(self.allocated).to_vec())),
            (tags::BITS_STORED, ("US", two(self.stored).to_vec())),
            (tags::HIGH_BIT, ("US", two(self.high).to_vec())),
            (tags::PIXEL_REPRESENTATION, ("US", two(self.signed).to_vec())),
            (tags::PIXEL_DATA, (self.vr, self.pixels.clone())),
        ]);
        if self.samples > 1 {
            all.insert(tags::PLANAR_CONFIGURATION, ("US", two(self.planar).to_vec()));
        }
        all.extend(more.iter().map(|(tag, vr, value)| (*tag, (*vr, value.to_vec()))));
        all.iter().for_each(|(tag, (vr, value))| element(&mut out, *tag, vr, value));
        out
    }
}

fn frames(file: &[u8]) -> Vec<(String, Samples)> {
    let instance = Instance::open(file, &limits()).unwrap();
    (0..instance.frames())
        .map(|index| instance.frame(index).map(|frame| (frame.photometric_interpretation, frame.samples)).unwrap())
        .collect()
}

fn same_numbers(a: &Samples, b: &Samples) -> bool {
    let numbers = |it: &Samples| (it.width(), it.height(), it.components(), it.signed());
    let count = a.values().len();
    numbers(a) == numbers(b) && count == b.values().len() && (0..count).all(|at| a.values().at(at) == b.values().at(at))
}

/// What the Data Set holds, without pixels and what describes them.
fn said(data_set: &DataSet) -> BTreeMap<Tag, String> {
    let described = |tag: Tag| tag.0 == 0x0028 && matches!(tag.1, 2 | 4 | 6 | 0x100..=0x103 | 0x2110 | 0x2114);
    let kept = data_set
        .elements
        .iter()
        .filter(|e| e.tag.0 > 2 && e.tag.1 != 0 && e.tag.0 != 0x7FE0 && e.tag.0 < 0xFFFC && !described(e.tag));
    let text = |e: &Element| match &e.value {
        Value::Sequence(items) => format!("{:?}", items.iter().map(|item| said(&item.data_set)).collect::<Vec<_>>()),
        Value::Bytes(_) => {
            let mut value = e.little_endian().unwrap().to_vec();
            while matches!(value.last(), Some(0 | b' ')) {
                value.pop();
            }
            format!("{value:?}")
        }
        _ => format!("{} bytes", e.value_length.next_multiple_of(2)),
    };
    // Of an element that is there twice, the first is it.
    kept.rev().map(|e| (e.tag, text(e))).collect()
}

/// Written in the target it is what it says, and holds what the source holds.
fn check_numbers(file: &[u8], target: &str) -> Vec<u8> {
    let out = become_it(file, target).unwrap_or_else(|error| panic!("{target}: {error}"));
    let (before, after) = (scan(file), scan(&out));
    assert_eq!(after.transfer_syntax_uid, target);
    assert!(is_whole(&after), "{target}: no whole Part 10 file");
    assert_eq!(said(&before.data_set), said(&after.data_set), "{target}");
    // Bytes in big-endian files are read by nothing else here; another test has them.
    let big = before.encoding == Encoding::ExplicitBig && before.data_set.int(tags::BITS_ALLOCATED) == Some(8);
    let decoded = if big { Vec::new() } else { frames(file) };
    for ((was, a), (is, b)) in decoded.iter().zip(frames(&out)) {
        assert_eq!(*was, is, "{target}");
        assert!(same_numbers(a, &b), "{target}: other numbers");
    }
    out
}

#[test]
fn every_target_keeps_the_numbers_of_every_native_form() {
    // Proves grey of 8, 12 and 16 bits, signed or not, colour by pixel and by plane, several frames, in three encodings.
    let noise =
        |bytes: usize, mask: u8| -> Vec<u8> { (0..bytes).map(|n| ((n * n * 7 + n * 13) >> 3) as u8 & mask).collect() };
    let grey12 = Image { rows: 9, columns: 14, frames: 3, ..Image::grey(16, 12, &noise(9 * 14 * 2 * 3, 0x0F)) };
    let colour = Image {
        rows: 6,
        columns: 10,
        samples: 3,
        photometric: "RGB",
        frames: 2,
        ..Image::grey(8, 8, &noise(6 * 10 * 3 * 2, 0xFF))
    };
    let images = [
        Image { rows: 8, columns: 8, ..Image::grey(8, 8, &noise(64, 0xFF)) },
        grey12.clone(),
        Image { rows: 9, columns: 14, frames: 3, signed: 1, ..Image::grey(16, 16, &noise(9 * 14 * 2 * 3, 0xFF)) },
        colour.clone(),
        Image { planar: 1, ..colour.clone() },
        Image { photometric: "YBR_FULL", ..colour },
    ];
    for image in images {
        for held in [EXPLICIT, IMPLICIT, BIG] {
            let file = image.file(held);
            for target in TARGETS {
                assert!(can_become(held, target));
                let out = check_numbers(&file, target);
                // And from there back to native.
                let again = check_numbers(&out, EXPLICIT);
                let pixels = |file: &[u8]| {
                    let part10 = scan(file);
                    let pixels = part10.data_set.get(PIXEL_DATA).unwrap();
                    file[pixels.value_offset as usize..][..pixels.value_length as usize].to_vec()
                };
                if image.planar == 0 {
                    assert!(pixels(&again) == pixels(&become_it(&file, EXPLICIT).unwrap()), "{held} {target}");
                }
            }
        }
    }
}

#[test]
fn what_is_wanted_as_held_goes_out_byte_for_byte() {
    let file = Image::grey(16, 12, &[1, 2, 3, 4]).file(EXPLICIT);
    assert_eq!(become_it(&file, EXPLICIT).unwrap(), file);
    let held = become_it(&file, HTJ2K).unwrap();
    assert_eq!(become_it(&held, "1.2.840.10008.1.2.4.202\0").unwrap(), held);
}

#[test]
fn a_codestream_under_a_name_that_promises_less_is_not_coded_again() {
    let file = Image { rows: 8, columns: 8, ..Image::grey(8, 8, &[7; 64]) }.file(EXPLICIT);
    let held = become_it(&file, HTJ2K).unwrap();
    let codestream = |file: &[u8]| {
        let spans = data_set::frame_spans(&scan(file), &mut Cursor::new(file)).unwrap();
        file[spans[0].offset as usize..][..spans[0].length as usize].to_vec()
    };
    for target in ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.203"] {
        let out = become_it(&held, target).unwrap();
        assert_eq!((scan(&out).transfer_syntax_uid.as_str(), codestream(&out)), (target, codestream(&held)));
    }
}

#[test]
fn photometric_interpretation_planes_and_bits_say_what_was_written() {
    // Proves PS3.5 §8.2.4 both ways: RGB becomes YBR_RCT in codestreams, and RGB by pixel natively.
    let image = Image { rows: 4, columns: 4, samples: 3, planar: 1, photometric: "RGB", ..Image::grey(8, 8, &[9; 48]) };
    let said = |file: &[u8]| {
        let data_set = scan(file).data_set;
        let text = data_set.ascii(tags::PHOTOMETRIC_INTERPRETATION).unwrap().to_owned();
        (text, data_set.int(tags::PLANAR_CONFIGURATION))
    };
    let held = become_it(&image.file(EXPLICIT), HTJ2K).unwrap();
    assert_eq!(said(&held), ("YBR_RCT".into(), Some(0)));
    assert_eq!(said(&become_it(&held, EXPLICIT).unwrap()), ("RGB".into(), Some(0)));
    assert_eq!(said(&become_it(&image.file(EXPLICIT), JPEG_2000).unwrap()), ("YBR_RCT".into(), Some(0)));
    assert_eq!(said(&become_it(&image.file(EXPLICIT), RLE).unwrap()), ("RGB".into(), Some(1)));
    // Stored in the high bits, it comes out in the low ones of a codestream (High Bit is Bits Stored - 1).
    let high = Image { high: 15, ..Image::grey(16, 12, &[0xF0, 0xFF, 0x10, 0x00]) };
    let out = become_it(&high.file(EXPLICIT), HTJ2K).unwrap();
    let data_set = scan(&out).data_set;
    assert_eq!((data_set.int(tags::BITS_STORED), data_set.int(tags::HIGH_BIT)), (Some(12), Some(11)));
}

#[test]
fn no_lossy_picture_forgets_that_it_is_one() {
    // Proves that Lossy Image Compression stays 01, and is 01 where a JPEG file left it out (PS3.3 C.7.6.1.1.5).
    let Some(root) = datasets() else { return };
    let file = std::fs::read(root.join("angiography/I_000000.dcm")).unwrap();
    let lossy = |file: &[u8]| scan(file).data_set.ascii(Tag(0x0028, 0x2110)).map(str::to_owned);
    for target in [EXPLICIT, HTJ2K, "1.2.840.10008.1.2.4.203"] {
        let out = become_it(&file, target).unwrap();
        assert_eq!(lossy(&out).as_deref(), Some("01"), "{target}");
        assert!(scan(&out).data_set.ascii(Tag(0x0028, 0x2114)).is_some(), "{target}");
    }
    let plain = Image::grey(8, 8, &[1, 2]).file(EXPLICIT);
    assert_eq!(lossy(&become_it(&plain, HTJ2K).unwrap()), None);
}

#[test]
fn pixel_data_has_the_value_representation_and_the_byte_order_of_its_target() {
    // Proves §A.2, §A.3: big-endian words are swapped, bytes in big-endian words too, and VRs follow Bits Allocated.
    let check = |image: Image, target: &str, vr: VR, expected: &[u8]| {
        let out = become_it(&image.file(BIG), target).unwrap();
        let part10 = scan(&out);
        let pixels = part10.data_set.get(PIXEL_DATA).unwrap();
        let bytes = &out[pixels.value_offset as usize..][..pixels.value_length as usize];
        assert_eq!((pixels.vr, bytes), (vr, expected), "{target}");
    };
    check(Image::grey(16, 16, &[1, 2, 3, 4]), EXPLICIT, VR::OW, &[2, 1, 4, 3]);
    check(Image { vr: "OW", ..Image::grey(8, 8, &[1, 2, 3, 4]) }, EXPLICIT, VR::OB, &[2, 1, 4, 3]);
    check(Image { vr: "OB", ..Image::grey(8, 8, &[1, 2, 3, 4]) }, EXPLICIT, VR::OB, &[1, 2, 3, 4]);
    check(Image { columns: 3, ..Image::grey(8, 8, &[1, 2, 3]) }, EXPLICIT, VR::OB, &[1, 2, 3, 0]);
}

#[test]
fn single_bits_go_over_the_ends_of_frames() {
    // Proves §8.1.1 both ways: five frames of nine pixels, packed without gaps.
    let bits = [0b1010_0110, 0b0111_0001, 0b1110_0011, 0b0101_1010, 0b1001_0110, 0b0001_0101];
    let image = Image { rows: 3, columns: 3, frames: 5, allocated: 1, stored: 1, high: 0, ..Image::grey(8, 8, &bits) };
    let file = image.file(EXPLICIT);
    for target in [HTJ2K, JPEG_2000] {
        let again = become_it(&become_it(&file, target).unwrap(), EXPLICIT).unwrap();
        assert_eq!(again[again.len() - 6..], bits, "{target}");
    }
    assert!(become_it(&file, RLE).unwrap_err().to_string().contains("1 bits allocated"));
}

#[test]
fn what_cannot_be_written_says_so_before_anything_is_written() {
    let check = |file: &[u8], target: &str, expected: &str| {
        let mut out = Vec::new();
        let error = write_as(&mut Cursor::new(file), target, &limits(), &mut out).unwrap_err().to_string();
        assert!(error.contains(expected) && out.is_empty(), "{target}: {error}");
    };
    let grey = Image::grey(8, 8, &[1, 2]).file(EXPLICIT);
    check(&grey, "1.2.840.10008.1.2.4.50", "to be written as 1.2.840.10008.1.2.4.50");
    check(&grey, "1.2.3", "to be written as 1.2.3");
    check(b"nothing", EXPLICIT, "not a DICOM file");
    let wide = Image::grey(32, 32, &[1; 8]).file(EXPLICIT);
    check(&wide, HTJ2K, "32 bits allocated");
    check_numbers_natively(&wide);
    let float = Image { vr: "OF", ..Image::grey(32, 32, &[]) };
    let float = float.file_of(EXPLICIT, &[(tags::FLOAT_PIXEL_DATA, "OF", &[0, 0, 128, 63])]);
    check(&float, HTJ2K, "float pixels");
    for (held, target) in
        [("1.2.840.10008.1.2.4.102", EXPLICIT), ("1.2.840.10008.1.2.4.110", HTJ2K), ("1.2.3", EXPLICIT)]
    {
        assert!(!can_become(held, target) && can_become(held, held));
    }
    assert!(!can_become(EXPLICIT, "1.2.840.10008.1.2.4.51") && !can_become(HTJ2K, BIG));
}

fn check_numbers_natively(file: &[u8]) {
    let implicit = become_it(file, IMPLICIT).unwrap();
    let again = become_it(&implicit, EXPLICIT).unwrap();
    assert_eq!(said(&scan(file).data_set), said(&scan(&again).data_set));
    assert!(again.ends_with(&[1; 8]));
}

#[test]
fn pixel_data_alone_is_the_value_that_the_whole_file_has() {
    let image = Image { rows: 3, columns: 3, frames: 3, ..Image::grey(8, 8, &[5; 27]) }.file(BIG);
    for held in [image.clone(), become_it(&image, HTJ2K).unwrap(), become_it(&image, EXPLICIT).unwrap()] {
        let mut value = Vec::new();
        Outgoing::open(Cursor::new(&held), EXPLICIT, &limits()).unwrap().write_pixel_data(&mut value).unwrap();
        assert_eq!(value, [&[5; 27][..], &[0]].concat());
    }
}

#[test]
fn objects_without_pixels_change_their_value_representation_only() {
    let image = Image::grey(8, 8, &[1, 2]).file(EXPLICIT);
    let mut part10 = scan(&image);
    part10.data_set.remove(&[PIXEL_DATA]);
    let changes =
        rewrite::Changes { transfer_syntax_uid: EXPLICIT.into(), header_bytes_max: 1 << 20, ..Default::default() };
    let file = rewrite::explicit_vr_le(&part10, &mut Cursor::new(&image), &changes).unwrap().before;
    for target in [IMPLICIT, DEFLATED] {
        let out = become_it(&file, target).unwrap();
        assert_eq!(become_it(&out, EXPLICIT).unwrap(), file, "{target}");
    }
    assert!(matches!(become_it(&file, HTJ2K), Err(Error::NoPixels)));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    /// Damage anywhere is an error or another file, never a panic.
    #[test]
    fn damage_is_answered(at in 0usize..700, byte: u8, cut in 0usize..900, target in prop::sample::select(TARGETS.to_vec())) {
        let file = Image { rows: 5, columns: 8, frames: 2, ..Image::grey(8, 8, &[3; 80]) }.file(EXPLICIT);
        for held in [EXPLICIT, RLE, HTJ2K] {
            let mut file = become_it(&file, held).unwrap();
            let at = at % file.len();
            file[at] = byte;
            let _ = become_it(&file, target);
            file.truncate(cut.min(file.len()));
            let _ = become_it(&file, target);
        }
    }
}

fn datasets() -> Option<PathBuf> {
    let path = PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/datasets"));
    let found = path.join("MANIFEST.csv").exists().then_some(path);
    if found.is_none() {
        println!("skipped: ../shared/datasets is not here");
    }
    found
}

fn real_files() -> Vec<PathBuf> {
    let (mut folders, mut files) = (Vec::from_iter(datasets()), Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() { folders.push(path) } else { files.push(path) }
        }
    }
    files.sort();
    files
}

#[test]
fn every_real_file_keeps_its_numbers_in_every_target_or_says_why_not() {
    // Proves it over every small file of the corpus; of larger ones, for two targets and the first frames.
    let mut outcomes: BTreeMap<String, usize> = BTreeMap::new();
    for path in real_files() {
        let file = std::fs::read(&path).unwrap();
        if file.len() > 8 << 20 {
            continue;
        }
        let Ok(part10) = data_set::scan(&mut Cursor::new(&file), &limits()) else { continue };
        let pixels = data_set::pixel_description(&part10.data_set).map_or(0, |d| {
            u64::from(d.rows) * u64::from(d.columns) * u64::from(d.samples_per_pixel) * u64::from(d.number_of_frames)
        });
        let targets: &[&str] = if pixels < 1 << 15 { &TARGETS } else { &[EXPLICIT, HTJ2K] };
        if pixels > 1 << 20 {
            continue;
        }
        for target in targets {
            let name = format!("{} as {target}", path.display());
            let outcome = match become_it(&file, target) {
                Ok(out) => compare(&file, &out, target, &name),
                Err(Error::NoPixels) => "no pixels".into(),
                Err(Error::Unsupported { .. }) => "refused".into(),
                Err(Error::Damaged { .. } | Error::TooLarge { .. }) => "damaged".into(),
                Err(other) => panic!("{name}: {other}"),
            };
            *outcomes.entry(outcome).or_default() += 1;
        }
    }
    println!("{outcomes:?}");
}

fn compare(file: &[u8], out: &[u8], target: &str, name: &str) -> String {
    let (before, after) = (scan(file), scan(out));
    assert_eq!(trimmed(&after.transfer_syntax_uid), target, "{name}");
    let icons = |said: BTreeMap<Tag, String>| -> BTreeMap<Tag, String> {
        said.into_iter().filter(|(tag, _)| *tag != Tag(0x0088, 0x0200)).collect()
    };
    if trimmed(&before.transfer_syntax_uid) != target {
        assert_eq!(icons(said(&before.data_set)), icons(said(&after.data_set)), "{name}");
    }
    let (Ok(a), Ok(b)) = (Instance::open(file, &limits()), Instance::open(out, &limits())) else {
        return "no frames compared".into();
    };
    assert_eq!(a.frames(), b.frames(), "{name}");
    for index in 0..a.frames() {
        match (a.frame(index), b.frame(index)) {
            (Ok(a), Ok(b)) => {
                assert_eq!(a.photometric_interpretation, b.photometric_interpretation, "{name}");
                assert!(same_numbers(&a.samples, &b.samples), "{name}: frame {index} has other numbers");
            }
            (Err(_), _) => return "not decoded before".into(),
            (_, Err(error)) => panic!("{name}: {error}"),
        }
    }
    "same numbers".into()
}
