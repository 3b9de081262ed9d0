//! Codestreams, and what the native decoder makes of them, written for a script to read.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use htj2k::geometry::Rect;
use htj2k::{Alone, DecodeOptions, Decoder, EncodeParameters, Encoder, Info, Quality, Shape, Values};

const DATASETS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../../shared/datasets/codestreams-htj2k");
/// Larger ones of the data sets are left to the native tests. Bytes.
const FILE_BYTES_MAX: u64 = 3 << 20;
/// What is of T.801, and refused by the module.
const PART_2: &str = "published-simple_dec_irv53_bhvhb_low_latency.jph";
/// Damaged versions of each small picture.
const DAMAGED: usize = 60;

/// Writes codestreams and `cases.txt` to `folder`, and answers how many cases there are. A line is: file, bytes of it,
/// bytes of it that are changed (`place:value,…`), reduce, region (`x,y,width,height`), prefix, and what comes of it: an
/// error's code, or columns, rows, components, bits, signed, whole levels and the FNV-1a of the samples' bytes.
pub fn write(folder: &Path) -> usize {
    let mut cases = Cases { folder, lines: String::new(), count: 0, decoder: Decoder::new() };
    generated(&mut cases);
    published(&mut cases);
    fs::write(folder.join("cases.txt"), &cases.lines).unwrap();
    cases.count
}

struct Cases<'a> {
    folder: &'a Path,
    lines: String,
    count: usize,
    decoder: Decoder,
}

/// xorshift64: the same pictures everywhere.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u32 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 32) as u32
    }
}

/// Slopes and edges with `noise` bits of noise, or nothing but noise.
fn picture(shape: &Shape, noise: u32, random: &mut Random) -> Values {
    let (low, high) = shape.range();
    let mut values = Values::zeros(shape);
    let (width, components) = (shape.width as usize, usize::from(shape.components));
    let mut at = |n: usize| {
        let (x, y, c) = (n / components % width, n / components / width, n % components);
        let slope = (x * 5 + y * 3 + c * 40) as i32 % (high - low + 1);
        let edge = if (x / 19 + y / 23) % 2 == 0 { 0 } else { (high - low) / 3 };
        let grain = (random.next() & ((1 << noise) - 1)) as i32;
        (low + (slope / 2 + edge + grain) % (high - low + 1)).clamp(low, high)
    };
    match &mut values {
        Values::U8(values) => values.iter_mut().enumerate().for_each(|(n, value)| *value = at(n) as u8),
        Values::I8(values) => values.iter_mut().enumerate().for_each(|(n, value)| *value = at(n) as i8),
        Values::U16(values) => values.iter_mut().enumerate().for_each(|(n, value)| *value = at(n) as u16),
        Values::I16(values) => values.iter_mut().enumerate().for_each(|(n, value)| *value = at(n) as i16),
    }
    values
}

fn generated(cases: &mut Cases<'_>) {
    let mut random = Random(0x5EED_2026);
    let shape = |width, height, components, bits, signed| Shape { width, height, components, bits, signed };
    let lossless = EncodeParameters::default;
    let list = [
        (shape(517, 389, 1, 12, false), 4, lossless()),
        (shape(512, 512, 1, 16, true), 5, lossless()),
        (shape(300, 200, 1, 16, false), 16, lossless()),
        (shape(201, 133, 3, 8, false), 3, lossless()),
        (shape(64, 65, 2, 7, true), 7, lossless()),
        (shape(90, 70, 4, 16, false), 16, EncodeParameters { colour_transform: false, ..lossless() }),
        (shape(1, 1, 1, 8, false), 8, lossless()),
        (shape(1, 300, 1, 12, false), 6, lossless()),
        (shape(1025, 3, 1, 1, false), 1, lossless()),
        (shape(260, 260, 1, 12, false), 12, EncodeParameters { block_log2: (10, 2), ..lossless() }),
        (shape(260, 260, 1, 12, true), 3, EncodeParameters { block_log2: (2, 3), tile: Some((100, 90)), ..lossless() }),
        (shape(256, 192, 1, 12, false), 5, EncodeParameters { quality: Quality::Step(3.0), ..lossless() }),
        (shape(256, 192, 3, 8, false), 4, EncodeParameters { quality: Quality::Step(0.7), ..lossless() }),
    ];
    for (number, (shape, noise, parameters)) in list.into_iter().enumerate() {
        let values = picture(&shape, noise, &mut random);
        let mut codestream = Vec::new();
        Encoder::new().encode(&shape, values.samples(), &parameters, &Alone, &mut codestream).unwrap();
        let name = format!("generated-{number}.j2c");
        fs::write(cases.folder.join(&name), &codestream).unwrap();
        cases.parts(&name, &codestream);
        if codestream.len() < 100_000 {
            for _ in 0..DAMAGED {
                let place = random.next() as usize % codestream.len();
                cases.damaged(&name, &codestream, place, random.next() as u8);
            }
        }
    }
}

/// The streams of the data sets.
fn published(cases: &mut Cases<'_>) {
    let Ok(folders) = fs::read_dir(DATASETS) else {
        println!("skipped: ../shared/datasets is not here");
        return;
    };
    let folders = folders.filter_map(|folder| fs::read_dir(folder.ok()?.path()).ok());
    let files = folders.flatten().map(|file| file.unwrap().path());
    let mut files: Vec<_> = files
        .filter(|path| {
            path.extension().is_some_and(|end| ["j2c", "j2k", "jph", "jhc"].iter().any(|known| end == *known))
        })
        .filter(|path| path.metadata().unwrap().len() <= FILE_BYTES_MAX)
        .collect();
    files.sort();
    assert!(files.len() > 20, "{} published streams", files.len());
    for path in files {
        let name = format!("published-{}", path.file_name().unwrap().to_string_lossy());
        let codestream = fs::read(&path).unwrap();
        fs::write(cases.folder.join(&name), &codestream).unwrap();
        cases.parts(&name, &codestream);
    }
}

impl Cases<'_> {
    /// The whole, every second resolution level, a region and a few prefixes.
    fn parts(&mut self, name: &str, codestream: &[u8]) {
        let all = DecodeOptions::default();
        self.add(name, codestream, "", all);
        let Ok(info) = Info::read(codestream) else { return };
        for reduce in (1..=info.decompositions).step_by(2) {
            self.add(name, codestream, "", DecodeOptions { reduce, ..all });
        }
        let (width, height) = (info.image.width(), info.image.height());
        let region = Rect { x0: width / 3, y0: height / 4, x1: width / 3 + width.div_ceil(4), y1: height / 4 + 9 };
        self.add(name, codestream, "", DecodeOptions { region: Some(region), ..all });
        for part in [3, 2] {
            let here = &codestream[..codestream.len() / part];
            self.add(name, here, "", DecodeOptions { prefix: true, ..all });
            self.add(name, here, "", DecodeOptions { prefix: false, ..all });
        }
    }

    fn damaged(&mut self, name: &str, codestream: &[u8], place: usize, value: u8) {
        let mut damaged = codestream.to_vec();
        damaged[place] = value;
        self.add(name, &damaged, &format!("{place}:{value}"), DecodeOptions::default());
    }

    fn add(&mut self, name: &str, codestream: &[u8], changes: &str, options: DecodeOptions) {
        let region = options
            .region
            .map_or("-".into(), |region| format!("{},{},{},{}", region.x0, region.y0, region.width(), region.height()));
        let native = self.outcome(codestream, &options);
        let outcome = if name == PART_2 && !native.starts_with("error") { "error 2".into() } else { native };
        let (changes, bytes) = (if changes.is_empty() { "-" } else { changes }, codestream.len());
        let (reduce, prefix) = (options.reduce, u8::from(options.prefix));
        writeln!(self.lines, "{name} {bytes} {changes} {reduce} {region} {prefix} {outcome}").unwrap();
        self.count += 1;
    }

    fn outcome(&mut self, codestream: &[u8], options: &DecodeOptions) -> String {
        let decoded = Info::read(codestream).and_then(|info| {
            let Some(shape) = info.shape(options) else {
                // Planes are not offered to JavaScript; the same is said first of what no decoder would give.
                let whole = DecodeOptions { prefix: true, ..*options };
                return self.decoder.decode_planes(codestream, &whole, &Alone).map(|_| "error 2".into());
            };
            let mut values =
                if shape.samples() > options.samples_max { Values::U8(vec![]) } else { Values::zeros(&shape) };
            let decoded = self.decoder.decode(codestream, options, &Alone, values.samples_mut())?;
            let (digest, signed) = (digest(&values), u8::from(shape.signed));
            Ok(format!(
                "{} {} {} {} {signed} {} {digest}",
                decoded.width, decoded.height, shape.components, shape.bits, decoded.complete_resolutions
            ))
        });
        decoded.unwrap_or_else(|error| {
            let code = match error {
                htj2k::Error::Damaged { .. } => 1,
                htj2k::Error::Unsupported { .. } => 2,
                htj2k::Error::NotHighThroughput { .. } => 3,
                htj2k::Error::TooLarge { .. } => 4,
                _ => 5,
            };
            format!("error {code}")
        })
    }
}

/// FNV-1a of the little-endian bytes.
fn digest(values: &Values) -> u32 {
    let add = |digest: u32, byte: u8| (digest ^ u32::from(byte)).wrapping_mul(0x0100_0193);
    const START: u32 = 0x811C_9DC5;
    match values {
        Values::U8(values) => values.iter().fold(START, |digest, &value| add(digest, value)),
        Values::I8(values) => values.iter().fold(START, |digest, &value| add(digest, value as u8)),
        Values::U16(values) => values.iter().flat_map(|value| value.to_le_bytes()).fold(START, add),
        Values::I16(values) => values.iter().flat_map(|value| value.to_le_bytes()).fold(START, add),
    }
}
