//! Every frame of every real file that has 1 to 16 bits: encoded by htj2k, and the same samples again from htj2k, from
//! openjp2, and from decoders in Python that know nothing of this repository; and what OpenJPH makes of it, decoded by us.

use std::fmt::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use dicom_dictionary_std::tags;
use rayon::prelude::*;
use sha2::{Digest, Sha256};
use transcode::codec::{self, Coders};
use transcode::{Samples, Values, decode_frame};

use super::{Real, datasets, files, first_frame, native_value, open};

/// All frames that can be told apart; of others the first.
fn frames(real: &Real) -> Vec<Samples> {
    let count = real.description.number_of_frames as usize;
    let element = real.object.get(tags::PIXEL_DATA).unwrap();
    let pieces: Vec<Vec<u8>> = match element.value().fragments() {
        Some(fragments) if count > 1 && fragments.len() == count => fragments.to_vec(),
        None if count > 1 && real.description.bits_allocated >= 8 && !real.uid.ends_with(".1.99") => {
            let received = std::fs::read(&real.path).unwrap();
            let length = element.header().len.0 as usize;
            let Some(at) = native_value(&received, &real.uid, length) else { return Vec::new() };
            received[at..at + length / count * count].chunks_exact(length / count).map(<[u8]>::to_vec).collect()
        }
        _ => return first_frame(real).map(|frame| frame.samples).into_iter().collect(),
    };
    let decode = |piece: &Vec<u8>| Some(decode_frame(&real.uid, &real.description, piece).ok()?.samples);
    pieces.par_iter().filter_map(decode).collect()
}

/// The samples as the script reads them.
fn raw(samples: &Samples) -> Vec<u8> {
    match samples.values() {
        Values::U8(values) => values.clone(),
        Values::U16(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
        Values::I16(values) => values.iter().flat_map(|value| value.to_le_bytes()).collect(),
    }
}

/// Encodes a frame, has it decoded twice, and writes both down; answers its line in the index.
fn there_and_back(folder: &Path, samples: &Samples, source: &str) -> Option<String> {
    let (codestream, bytes) = (codec::encode(samples).unwrap(), raw(samples));
    for decode in [codec::decode, Coders::HTJ2K.second_opinion] {
        let back = decode(&codestream).unwrap_or_else(|error| panic!("{source}: {error}"));
        assert!(back == *samples, "{source} came back changed");
    }
    let (width, height, components) = (samples.width(), samples.height(), samples.components());
    let (bits, sign) = (samples.bits(), if samples.signed() { 's' } else { 'u' });
    let digest = Sha256::digest(&bytes).iter().take(12).fold(String::new(), |text, byte| format!("{text}{byte:02x}"));
    let name = format!("{digest}-{width}-{height}-{components}-{bits}{sign}");
    // Twins in other transfer syntaxes hold the same frame.
    if folder.join(format!("{name}.raw")).exists() {
        return None;
    }
    std::fs::write(folder.join(format!("{name}.raw")), bytes).unwrap();
    std::fs::write(folder.join(format!("{name}.ours")), codestream).unwrap();
    Some(format!("{name} {width} {height} {components} {bits} {sign}"))
}

/// Runs tests/outside/codec.py; `false` where its coders are not installed.
fn outside(folder: &Path) -> bool {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let venv = root.join(".venv/bin/python");
    let fallback = || if venv.exists() { venv.into_os_string() } else { "python3".into() };
    let python = std::env::var_os("TSUNAGU_PYTHON").unwrap_or_else(fallback);
    let mut command = Command::new(python);
    command.arg(root.join("tests/outside/codec.py")).arg(folder).stdin(Stdio::null());
    let Ok(output) = command.output() else {
        println!("skipped: there is no Python to run codec.py");
        return false;
    };
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    println!("codec.py: {}", said.trim());
    match output.status.code() {
        Some(0) => true,
        Some(3) => false,
        _ => panic!("codec.py: {}\n{said}{}", output.status, String::from_utf8_lossy(&output.stderr)),
    }
}

#[test]
fn every_real_frame_is_coded_without_loss_by_us_and_read_by_others() {
    let Some(root) = datasets() else { return };
    let folder = std::env::temp_dir().join(format!("transcode-frames-{}", std::process::id()));
    std::fs::create_dir_all(&folder).unwrap();
    let mut paths = Vec::new();
    files(&root, &mut paths);
    let (mut index, mut taken, mut all) = (String::new(), Vec::new(), 0);
    for real in paths.iter().filter(|path| !path.starts_with(root.join("corrupt"))).filter_map(|path| open(path)) {
        let source = real.path.display().to_string();
        for samples in frames(&real) {
            all += 1;
            if let Some(line) = there_and_back(&folder, &samples, &source) {
                let _ = writeln!(index, "{line}");
                taken.push((line, samples));
            }
        }
    }
    println!("{all} frames, {} of them different, came back from htj2k and from openjp2", taken.len());
    assert!(taken.len() > 300, "{}", taken.len());
    std::fs::write(folder.join("index.txt"), index).unwrap();
    let judged = outside(&folder);
    let theirs = taken.iter().filter(|(line, samples)| {
        let path = folder.join(format!("{}.theirs", line.split(' ').next().unwrap()));
        let Ok(codestream) = std::fs::read(path) else { return false };
        let back = codec::decode(&codestream).unwrap_or_else(|error| panic!("{line}, by OpenJPH: {error}"));
        let same = back.values().len() == samples.values().len()
            && (0..samples.values().len()).all(|at| back.values().at(at) == samples.values().at(at));
        assert!(same, "{line}: what OpenJPH wrote came back changed");
        true
    });
    let theirs = theirs.count();
    println!("{theirs} frames by OpenJPH came back from htj2k");
    assert!(!judged || theirs > 300, "{theirs}");
    std::fs::remove_dir_all(&folder).unwrap();
}
