//! The files of the page as they are served: under a hash of all of them, compressed once.
//!
//! They are compressed when they are first asked for, or after the start of the program ([`prepare`](super::prepare)), not
//! while it is built: the encoder is in the program already (Parquet's), a second of one core is all it takes, and a debug
//! build, which reads the files from the disk, needs no other way.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::OnceLock;

use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::imports;

/// Hexadecimal digits of the hash in a path: 80 bits.
const HASH_DIGITS: usize = 20;
/// The best there is; code that is not optimised takes seconds for it, so that debug builds make do with less.
const BROTLI_QUALITY: i32 = if cfg!(debug_assertions) { 5 } else { 11 };
/// log2 of the bytes that brotli looks back: more than any file of the page has.
const BROTLI_WINDOW_LOG: i32 = 20;
/// What of the page is needed for the first pixel: these modules, and all they import.
const FIRST: &[&str] = &["main.js", "room/room.js", "room/strip.js", "room/sets.js", "image/decode-worker.js"];
/// In the page, where the modules of the first pixel are to be named.
const PLACE: &str = "<!-- modulepreload -->";

/// How an answer is coded (RFC 9110 §8.4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Coding {
    Brotli,
    Gzip,
    Identity,
}

impl Coding {
    pub(super) fn name(self) -> &'static str {
        match self {
            Coding::Brotli => "br",
            Coding::Gzip => "gzip",
            Coding::Identity => "identity",
        }
    }
}

/// A file, and its compressed forms once they were made.
#[derive(Debug)]
pub(super) struct File {
    bytes: Bytes,
    /// Of `bytes`, in hexadecimal digits.
    pub(super) digest: String,
    brotli: OnceLock<Bytes>,
    gzip: OnceLock<Bytes>,
}

impl File {
    fn new(bytes: Bytes) -> File {
        let digest = archive::hex(&Sha256::digest(&bytes));
        File { bytes, digest, brotli: OnceLock::new(), gzip: OnceLock::new() }
    }

    /// Its bytes in this coding. The first call for one that compresses takes a while.
    pub(super) fn coded(&self, coding: Coding) -> Bytes {
        match coding {
            Coding::Brotli => self.brotli.get_or_init(|| brotli(&self.bytes)).clone(),
            Coding::Gzip => self.gzip.get_or_init(|| gzip(&self.bytes)).clone(),
            Coding::Identity => self.bytes.clone(),
        }
    }
}

/// All files, and the page that names them.
#[derive(Debug)]
pub(super) struct Tree {
    /// Of the names and bytes of all files.
    pub(super) hash: String,
    files: BTreeMap<String, File>,
    /// The page itself.
    pub(super) page: File,
}

impl Tree {
    /// Of files by their paths, and the page as it lies beside them.
    pub(super) fn new(files: BTreeMap<String, Bytes>, page: &str) -> Tree {
        let mut hash = Sha256::new();
        for (path, bytes) in &files {
            hash.update((path.len() as u64).to_le_bytes());
            hash.update(path);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        let mut hash = archive::hex(&hash.finalize());
        hash.truncate(HASH_DIGITS);
        let page = page.replace(PLACE, &preloads(&files)).replace("\"/viewer/", &format!("\"/viewer/@{hash}/"));
        let files = files.into_iter().map(|(path, bytes)| (path, File::new(bytes))).collect();
        Tree { hash, files, page: File::new(Bytes::from(page)) }
    }

    pub(super) fn get(&self, path: &str) -> Option<&File> {
        self.files.get(path)
    }

    /// Compresses all files, the page first, so that nobody has to wait for it later.
    pub(super) fn compress(&self) {
        for file in std::iter::once(&self.page).chain(self.files.values()) {
            file.coded(Coding::Brotli);
            file.coded(Coding::Gzip);
        }
    }
}

/// Modules are asked for at once, not one import after the other.
fn preloads(files: &BTreeMap<String, Bytes>) -> String {
    let modules = imports::closure(FIRST, |path| std::str::from_utf8(files.get(path)?).ok());
    let lines: Vec<_> =
        modules.iter().map(|path| format!("<link rel=\"modulepreload\" href=\"/viewer/{path}\">")).collect();
    lines.join("\n")
}

fn brotli(bytes: &[u8]) -> Bytes {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality: BROTLI_QUALITY,
        lgwin: BROTLI_WINDOW_LOG,
        size_hint: bytes.len(),
        ..Default::default()
    };
    let mut out = Vec::new();
    // Memory to memory: nothing here can fail.
    let _ = brotli::BrotliCompress(&mut &bytes[..], &mut out, &parameters);
    Bytes::from(out)
}

fn gzip(bytes: &[u8]) -> Bytes {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::best());
    let out = encoder.write_all(bytes).and_then(|()| encoder.finish());
    Bytes::from(out.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::io::Read;

    use super::*;

    fn tree(main: &str) -> Tree {
        let files = [("main.js", main), ("room/room.js", "import \"../a.js\";\n"), ("a.js", "")];
        let files = files.map(|(path, text)| (path.to_owned(), Bytes::copy_from_slice(text.as_bytes())));
        Tree::new(BTreeMap::from(files), "<script src=\"/viewer/main.js\"></script><!-- modulepreload -->")
    }

    #[test]
    fn the_page_names_its_files_by_the_hash_of_all() {
        let [one, other] = ["let a = 1;", "let a = 2;"].map(tree);
        assert_ne!(one.hash, other.hash);
        let page = String::from_utf8(one.page.coded(Coding::Identity).to_vec()).unwrap();
        let at = format!("/viewer/@{}", one.hash);
        let preload = |path: &str| format!("<link rel=\"modulepreload\" href=\"{at}/{path}\">");
        let expected = ["main.js", "room/room.js", "a.js"].map(preload).join("\n");
        assert_eq!(page, format!("<script src=\"{at}/main.js\"></script>{expected}"));
    }

    #[test]
    fn every_coding_is_the_same_file() {
        let text = "let a = 1;\n".repeat(1000);
        let tree = tree(&text);
        let file = tree.get("main.js").unwrap();
        let (mut brotli, mut gzip) = (Vec::new(), Vec::new());
        brotli::BrotliDecompress(&mut &file.coded(Coding::Brotli)[..], &mut brotli).unwrap();
        flate2::read::GzDecoder::new(&file.coded(Coding::Gzip)[..]).read_to_end(&mut gzip).unwrap();
        assert!(brotli == text.as_bytes() && gzip == text.as_bytes());
        assert!(file.coded(Coding::Brotli).len() < 200 && file.coded(Coding::Gzip).len() < 200);
    }
}
