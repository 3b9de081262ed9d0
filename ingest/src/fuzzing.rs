//! What the fuzz targets (`ingest/fuzz`) do with bytes. The tests replay the kept corpus through the same functions, so that
//! what fuzzing once found stays found without a nightly compiler. Not for anybody else.

use bytes::Bytes;

use crate::dimse::fuzzing as scp;
use crate::stow::fuzzing as stow;

/// The first byte says how a body is cut into chunks; the parts that come out are the same as of the whole.
///
/// # Panics
/// When they are not.
pub fn multipart(data: &[u8]) {
    let Some((cut, body)) = data.split_first() else { return };
    let (whole, cut) = (stow::parts(std::iter::once(body)), usize::from(*cut).max(1));
    let pieces = stow::parts(body.chunks(cut));
    // Where headers are refused, what came before may be more or less.
    if let (Some(whole), Some(pieces)) = (whole, pieces) {
        assert_eq!(whole, pieces, "in chunks of {cut}");
    }
}

/// Metadata: JSON, or XML where they begin so. What can be read can be built, and what is built can be scanned.
///
/// # Panics
/// When it cannot.
pub fn metadata(data: &[u8]) {
    stow::metadata(data);
}

/// A command set, and a PDU of any kind.
pub fn dimse(data: &[u8]) {
    scp::command(data);
    let _ = dicom_ul::pdu::read_pdu(Bytes::copy_from_slice(data), 1 << 18, false);
}

/// An MFER file. What is read, and may be held as DICOM, becomes a file that can be scanned, with these bytes in it.
///
/// # Panics
/// When it does not.
pub fn mfer(data: &[u8]) {
    use transcode::{data_set, waveform};
    let Ok(recording) = waveform::read(data) else { return };
    let Ok(made) = waveform::part10(recording, data, &[0; 32]) else { return };
    let scanned = data_set::scan(&mut std::io::Cursor::new(&made.bytes), &data_set::Limits::default());
    assert!(scanned.is_ok(), "{scanned:?}");
    let embedded = made.embedded.offset as usize..(made.embedded.offset + made.embedded.length) as usize;
    assert_eq!(made.bytes.get(embedded), Some(data));
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    fn replay(target: &str, run: fn(&[u8])) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
        let mut files = 0;
        for entry in std::fs::read_dir(folder).unwrap() {
            run(&std::fs::read(entry.unwrap().path()).unwrap());
            files += 1;
        }
        assert!(files > 0, "{target} has no corpus");
    }

    /// Mutants of the kept corpus, a few bytes changed, doubled or cut each: none makes a panic. The fuzz targets go on from
    /// here with coverage to guide them.
    #[test]
    fn mutants_of_the_kept_corpus_are_survived() {
        const ROUNDS: usize = 5_000;
        let mut state = 0x9E37_79B9_7F4A_7C15_u64;
        let mut random = |below: usize| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 33) as usize % below.max(1)
        };
        for (target, run) in [
            ("multipart", super::multipart as fn(&[u8])),
            ("metadata", super::metadata),
            ("dimse", super::dimse),
            ("mfer", super::mfer),
        ] {
            let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
            let mut seeds: Vec<Vec<u8>> =
                std::fs::read_dir(folder).unwrap().map(|entry| std::fs::read(entry.unwrap().path()).unwrap()).collect();
            seeds.sort();
            for round in 0..ROUNDS {
                let mut bytes = seeds[round % seeds.len()].clone();
                for _ in 0..1 + random(4) {
                    let (from, to) = (random(bytes.len()), random(bytes.len()));
                    match random(4) {
                        0 => bytes.truncate(from),
                        1 => bytes.extend_from_within(from.min(to)..from.max(to)),
                        2 => drop(bytes.drain(from.min(to)..(from.min(to) + random(8)).min(bytes.len()))),
                        _ => bytes.iter_mut().skip(from).take(1).for_each(|byte| *byte = random(256) as u8),
                    }
                }
                run(&bytes);
            }
        }
    }

    /// The kept corpus goes through without a panic.
    #[test]
    fn the_kept_corpus_is_survived() {
        replay("multipart", super::multipart);
        replay("metadata", super::metadata);
        replay("dimse", super::dimse);
        replay("mfer", super::mfer);
    }
}
