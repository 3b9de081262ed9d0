//! The files of the page as they are served: under a hash of all of them, compressed once.
//!
//! They are compressed when they are first asked for, or after the start of the program ([`prepare`](super::prepare)), not
//! while it is built: the encoder is in the program already (Parquet's), a second of one core is all it takes, and a debug
//! build, which reads the files from the disk, needs no other way.

use std::collections::BTreeMap;
use std::io::Write;
use std::sync::OnceLock;

use axum::http::HeaderValue;
use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::POLICY;
use super::bundle::bundle;

/// Hexadecimal digits of the hash in a path: 80 bits.
const HASH_DIGITS: usize = 20;
/// The best there is; code that is not optimised takes seconds for it, so that debug builds make do with less.
const BROTLI_QUALITY: i32 = if cfg!(debug_assertions) { 5 } else { BROTLI_QUALITY_BEST };
const BROTLI_QUALITY_BEST: i32 = 11;
/// log2 of the bytes that brotli looks back: more than any file of the page has.
const BROTLI_WINDOW_LOG: i32 = 20;
/// Where the page begins; served as one module with all that the first picture needs.
const ENTRY: &str = "main.js";
/// What of the page is needed for the first picture, beside the entry and all that these import.
const FIRST: &[&str] = &["room/room.js", "room/strip.js", "room/sets.js"];
/// Stands in the page itself: what it asks for is on its way before any other file is.
const BOOT: &str = "boot.js";
/// Runs on its own, with its own copies of what it imports.
const WORKER: &str = "image/decode-worker.js";

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
            Coding::Brotli => self.brotli.get_or_init(|| brotli(&self.bytes, BROTLI_QUALITY)).clone(),
            Coding::Gzip => self.gzip.get_or_init(|| gzip(&self.bytes)).clone(),
            Coding::Identity => self.bytes.clone(),
        }
    }

    /// Bytes it is sent in at best.
    #[cfg(test)]
    pub(super) fn smallest(&self) -> usize {
        brotli(&self.bytes, BROTLI_QUALITY_BEST).len()
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
    /// Content-Security-Policy, which names the script that stands in the page by its hash (CSP Level 3 §2.3.1).
    pub(super) policy: HeaderValue,
}

impl Tree {
    /// Of files by their paths, and the page as it lies beside them.
    pub(super) fn new(mut files: BTreeMap<String, Bytes>, page: &str) -> Tree {
        let bundled = bundled(&files);
        if bundled.is_empty() {
            tracing::warn!(
                "the modules of the page are served one by one: one of them is written in a form the bundler does not know"
            );
        }
        files.extend(bundled);
        let mut hash = Sha256::new();
        for (path, bytes) in &files {
            hash.update((path.len() as u64).to_le_bytes());
            hash.update(path);
            hash.update((bytes.len() as u64).to_le_bytes());
            hash.update(bytes);
        }
        let mut hash = archive::hex(&hash.finalize());
        hash.truncate(HASH_DIGITS);
        let boot = files.remove(BOOT).unwrap_or_default();
        let boot_hash = format!("'sha256-{}'", BASE64_STANDARD.encode(Sha256::digest(&boot)));
        let boot = String::from_utf8_lossy(&boot);
        let page =
            page.replace(">boot.js<", &format!(">{boot}<")).replace("\"/viewer/", &format!("\"/viewer/@{hash}/"));
        let files = files.into_iter().map(|(path, bytes)| (path, File::new(bytes))).collect();
        // A hash in base64 is always good for a header; were it not, nothing is to be loaded.
        let policy = HeaderValue::from_str(&POLICY.replace("BOOT", &boot_hash));
        let policy = policy.unwrap_or(HeaderValue::from_static("default-src 'none'"));
        Tree { hash, files, page: File::new(Bytes::from(page)), policy }
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

/// The files that are served otherwise than they are written; none where a module is in a form that is not known.
fn bundled(files: &BTreeMap<String, Bytes>) -> BTreeMap<String, Bytes> {
    let read = |path: &str| std::str::from_utf8(files.get(path)?).ok();
    let (Some(page), Some(worker)) = (bundle(ENTRY, FIRST, read), bundle(WORKER, &[], read)) else {
        return BTreeMap::new();
    };
    let mut all = page.others;
    all.extend([(ENTRY.to_owned(), page.text), (WORKER.to_owned(), worker.text)]);
    all.into_iter().map(|(path, text)| (path, Bytes::from(text))).collect()
}

fn brotli(bytes: &[u8], quality: i32) -> Bytes {
    let parameters = brotli::enc::BrotliEncoderParams {
        quality,
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
        let rest = ["room/room.js", "room/strip.js", "room/sets.js", "image/decode-worker.js"]
            .map(|path| (path, "import \"../a.js\";\n"));
        let files =
            rest.into_iter().chain([("main.js", main), ("a.js", "export const a = 1;\n"), ("boot.js", "early();")]);
        let files = files.map(|(path, text)| (path.to_owned(), Bytes::copy_from_slice(text.as_bytes())));
        Tree::new(files.collect(), "<script>boot.js</script><script src=\"/viewer/main.js\"></script>")
    }

    fn text(tree: &Tree, path: &str) -> String {
        String::from_utf8(tree.get(path).unwrap().coded(Coding::Identity).to_vec()).unwrap()
    }

    #[test]
    fn the_page_names_its_files_by_the_hash_of_all() {
        let [one, other] = ["let a = 1;", "let a = 2;"].map(tree);
        assert_ne!(one.hash, other.hash);
        let page = String::from_utf8(one.page.coded(Coding::Identity).to_vec()).unwrap();
        assert_eq!(page, format!("<script>early();</script><script src=\"/viewer/@{}/main.js\"></script>", one.hash));
        let policy = one.policy.to_str().unwrap();
        let (_, boot_hash) = policy.split_once("script-src 'self' ").unwrap();
        assert_eq!(boot_hash.split(' ').next().unwrap().len(), "'sha256-'".len() + 44, "{policy}");
    }

    #[test]
    fn the_first_picture_needs_one_module_and_a_worker_with_copies_of_its_own() {
        let tree = tree("let b = 1;\n");
        let main = text(&tree, "main.js");
        assert!(main.contains("const a = 1;") && main.contains("let b = 1;") && !main.contains("import"), "{main}");
        assert_eq!(text(&tree, "a.js"), "import { $0 } from \"./main.js\";\nexport const { a } = $0;\n");
        assert!(text(&tree, "image/decode-worker.js").contains("const a = 1;"));
    }

    #[test]
    fn every_coding_is_the_same_file() {
        let text = "let a = 1;\n".repeat(1000);
        let tree = tree(&text);
        let file = tree.get("main.js").unwrap();
        let (mut brotli, mut gzip) = (Vec::new(), Vec::new());
        brotli::BrotliDecompress(&mut &file.coded(Coding::Brotli)[..], &mut brotli).unwrap();
        flate2::read::GzDecoder::new(&file.coded(Coding::Gzip)[..]).read_to_end(&mut gzip).unwrap();
        assert!(brotli == gzip && String::from_utf8(gzip).unwrap().contains(&text));
        assert!(file.coded(Coding::Brotli).len() < 200 && file.coded(Coding::Gzip).len() < 200);
    }
}
