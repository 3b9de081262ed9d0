//! Finds files on disk: folders, single files, members of ZIPs, DICOMDIR media (whose files the walk finds by itself;
//! the DICOMDIR is handed on as a file). Names on receipts begin with the last component of the path given.
//!
//! Symbolic links are named as unread, never followed: they lead out of the tree, or to a file that is found anyway.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Component, Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::UNIX_EPOCH;

use bytes::Bytes;
use walkdir::{DirEntry, WalkDir};
use zip::ZipArchive;

use crate::error::{Error, Result};

/// Bytes read at once.
const CHUNK_BYTES: usize = 256 << 10;
/// A ZIP of more entries is handed on as one file.
const ENTRIES_MAX: usize = 1_000_000;
/// A member may grow by any factor up to this size: blank images do, honestly.
const EXPANSION_FREE_BYTES: u64 = 64 << 20;
/// Beyond that size no image grows more than this many times.
const EXPANSION_MAX: u64 = 200;

/// A file that was found.
#[derive(Clone, Debug)]
pub struct Found {
    /// Its name on receipts: `/`-separated; a ZIP member is `x.zip/member`.
    pub name: String,
    /// Its length, as the folder or ZIP says.
    pub bytes: u64,
    /// When it last changed, seconds since 1970; 0 where that is not known. For a ZIP member: the ZIP.
    pub modified_s: u64,
    source: Source,
}

#[derive(Clone)]
enum Source {
    File(PathBuf),
    Member { archive: ZipArchive<SharedFile>, index: usize, compressed_bytes: u64 },
}

impl std::fmt::Debug for Source {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Source::File(path) => f.debug_tuple("File").field(path).finish(),
            Source::Member { index, .. } => f.debug_tuple("Member").field(index).finish(),
        }
    }
}

impl Found {
    /// Reads the file from its beginning, handing each chunk to `sink`; blocking.
    ///
    /// # Errors
    /// [`Error::Read`], [`Error::Expansion`], and whatever `sink` answers.
    pub fn read(&self, mut sink: impl FnMut(Bytes) -> Result<()>) -> Result<()> {
        let unread = |source: io::Error| Error::Read { name: self.name.clone(), source };
        match &self.source {
            Source::File(path) => {
                let mut file = File::open(path).map_err(unread)?;
                while let Some(chunk) = chunk(&mut file).map_err(unread)? {
                    sink(chunk)?;
                }
            }
            Source::Member { archive, index, compressed_bytes } => {
                let mut archive = archive.clone();
                let mut member = archive.by_index(*index).map_err(io::Error::from).map_err(unread)?;
                let mut bytes = 0u64;
                while let Some(chunk) = chunk(&mut member).map_err(unread)? {
                    bytes += chunk.len() as u64;
                    if bytes > EXPANSION_FREE_BYTES && bytes / EXPANSION_MAX > *compressed_bytes {
                        return Err(Error::Expansion { name: self.name.clone(), ratio_max: EXPANSION_MAX });
                    }
                    sink(chunk)?;
                }
            }
        }
        Ok(())
    }
}

/// The next chunk, filled as far as the reader goes.
fn chunk(reader: &mut impl Read) -> io::Result<Option<Bytes>> {
    let mut bytes = Vec::new();
    reader.by_ref().take(CHUNK_BYTES as u64).read_to_end(&mut bytes)?;
    Ok((!bytes.is_empty()).then(|| bytes.into()))
}

/// Finds every file under the paths, each path in turn, names within a folder sorted; blocking. What cannot be read
/// comes out as an error, so that no file is passed over in silence.
pub fn walk(paths: Vec<PathBuf>) -> Walk {
    Walk { paths: paths.into(), folder: None, members: None, found: VecDeque::new() }
}

/// What [`walk`] answers.
pub struct Walk {
    paths: VecDeque<PathBuf>,
    folder: Option<(String, PathBuf, walkdir::IntoIter)>,
    members: Option<Members>,
    /// Found, not answered yet.
    found: VecDeque<Result<Found>>,
}

struct Members {
    name: String,
    modified_s: u64,
    archive: ZipArchive<SharedFile>,
    next: usize,
}

impl Iterator for Walk {
    type Item = Result<Found>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(found) = self.found.pop_front() {
                return Some(found);
            }
            if let Some(members) = &mut self.members {
                match members.advance() {
                    Some(found) => return Some(found),
                    None => self.members = None,
                }
            } else if let Some((name, root, entries)) = &mut self.folder {
                match entries.next() {
                    Some(entry) => {
                        let found = enter(name, root, entry);
                        self.expand(found);
                    }
                    None => self.folder = None,
                }
            } else {
                let path = self.paths.pop_front()?;
                self.begin(path);
            }
        }
    }
}

impl Walk {
    fn begin(&mut self, path: PathBuf) {
        // The path a person names may be a link, or `.`: what it leads to is meant.
        let resolved = match path.canonicalize() {
            Ok(resolved) => resolved,
            Err(source) => {
                let name = path.display().to_string();
                return self.found.push_back(Err(Error::Read { name, source }));
            }
        };
        let name = path.file_name().or(resolved.file_name()).unwrap_or_default().to_string_lossy().into_owned();
        if resolved.is_dir() {
            let entries = WalkDir::new(&resolved).follow_links(false).sort_by_file_name().into_iter();
            self.folder = Some((name, resolved, entries));
        } else {
            let found = file(name, &resolved);
            self.expand(Some(found));
        }
    }

    /// A ZIP becomes its members; anything else, a damaged ZIP too, is handed on as it is.
    fn expand(&mut self, found: Option<Result<Found>>) {
        let Some(found) = found else { return };
        let members = match &found {
            Ok(found) => open_zip(found),
            Err(_) => None,
        };
        match members {
            Some(members) => self.members = Some(members),
            None => self.found.push_back(found),
        }
    }
}

/// What an entry of a folder is; `None` for a folder.
fn enter(name: &str, root: &Path, entry: walkdir::Result<DirEntry>) -> Option<Result<Found>> {
    let entry = match entry {
        Ok(entry) => entry,
        Err(error) => {
            let place = error.path().map_or_else(|| name.to_owned(), |path| joined(name, root, path));
            return Some(Err(Error::Read { name: place, source: error.into() }));
        }
    };
    let name = joined(name, root, entry.path());
    let kind = entry.file_type();
    if kind.is_dir() {
        None
    } else if kind.is_file() {
        Some(file(name, entry.path()))
    } else {
        let text = if kind.is_symlink() { "a symbolic link is not followed; name its target" } else { "not a file" };
        Some(Err(Error::Read { name, source: io::Error::other(text) }))
    }
}

fn joined(name: &str, root: &Path, path: &Path) -> String {
    let relative = path.strip_prefix(root).unwrap_or(path);
    let parts = relative.components().filter_map(|component| match component {
        Component::Normal(part) => Some(part.to_string_lossy()),
        _ => None,
    });
    parts.fold(name.to_owned(), |name, part| name + "/" + &part)
}

fn file(name: String, path: &Path) -> Result<Found> {
    match path.metadata() {
        Ok(metadata) => {
            let modified = metadata.modified().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
            let modified_s = modified.map_or(0, |since| since.as_secs());
            Ok(Found { name, bytes: metadata.len(), modified_s, source: Source::File(path.to_owned()) })
        }
        Err(source) => Err(Error::Read { name, source }),
    }
}

/// Opens a ZIP: by its ending and its first bytes, for other formats are ZIPs inside. A ZIP in a ZIP is never opened.
/// `None` too where opening it could lose a file: two members of one name.
fn open_zip(found: &Found) -> Option<Members> {
    let Source::File(path) = &found.source else { return None };
    let mut first = [0; 4];
    if !found.name.to_ascii_lowercase().ends_with(".zip") || File::open(path).ok()?.read_exact(&mut first).is_err() {
        return None;
    }
    if first != *b"PK\x03\x04" {
        return None;
    }
    let archive = ZipArchive::new(SharedFile::open(path).ok()?).ok()?;
    let whole = archive.len() <= ENTRIES_MAX && !archive.has_duplicate_names();
    whole.then(|| Members { name: found.name.clone(), modified_s: found.modified_s, archive, next: 0 })
}

impl Members {
    fn advance(&mut self) -> Option<Result<Found>> {
        while self.next < self.archive.len() {
            let index = self.next;
            self.next += 1;
            // Raw: neither decompressed nor decrypted, so that a bad member is found and named; reading it tells.
            let member = match self.archive.by_index_raw(index) {
                Ok(member) => member,
                Err(error) => {
                    let name = format!("{}/entry {}", self.name, index + 1);
                    return Some(Err(Error::Read { name, source: error.into() }));
                }
            };
            if member.is_dir() {
                continue;
            }
            let (name, bytes) = (member_name(&self.name, member.name_raw()), member.size());
            let compressed_bytes = member.compressed_size();
            drop(member);
            let source = Source::Member { archive: self.archive.clone(), index, compressed_bytes };
            return Some(Ok(Found { name, bytes, modified_s: self.modified_s, source }));
        }
        None
    }
}

/// The name of a member: UTF-8, or else what Japanese Windows writes; without `..`, roots and drive letters, although
/// it is a name on a receipt only and never a path.
fn member_name(zip: &str, raw: &[u8]) -> String {
    let text = match std::str::from_utf8(raw) {
        Ok(text) => text.into(),
        Err(_) => encoding_rs::SHIFT_JIS.decode_without_bom_handling(raw).0,
    };
    let parts = text.split(['/', '\\']).filter(|part| !matches!(*part, "" | "." | "..") && !part.ends_with(':'));
    parts.fold(zip.to_owned(), |name, part| name + "/" + &part.chars().filter(|c| !c.is_control()).collect::<String>())
}

/// One open file with many readers, each at its own place: cloning an open ZIP is then cheap.
#[derive(Clone, Debug)]
struct SharedFile {
    file: Arc<Mutex<File>>,
    at: u64,
}

impl SharedFile {
    fn open(path: &Path) -> io::Result<Self> {
        Ok(SharedFile { file: Arc::new(Mutex::new(File::open(path)?)), at: 0 })
    }

    fn with<T>(&self, work: impl FnOnce(&mut File) -> io::Result<T>) -> io::Result<T> {
        let mut file = self.file.lock().map_err(|_| io::Error::other("another reader of this ZIP failed"))?;
        work(&mut file)
    }
}

impl Read for SharedFile {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let read = self.with(|file| {
            file.seek(SeekFrom::Start(self.at))?;
            file.read(into)
        })?;
        self.at += read as u64;
        Ok(read)
    }
}

impl Seek for SharedFile {
    fn seek(&mut self, to: SeekFrom) -> io::Result<u64> {
        let (from, by) = match to {
            SeekFrom::Start(at) => (at, 0),
            SeekFrom::Current(by) => (self.at, by),
            SeekFrom::End(by) => (self.with(|file| file.seek(SeekFrom::End(0)))?, by),
        };
        let outside = || io::Error::new(io::ErrorKind::InvalidInput, "a place before the file");
        self.at = from.checked_add_signed(by).ok_or_else(outside)?;
        Ok(self.at)
    }
}

/// Counts files and bytes under the paths without reading them; blocking. What cannot be read counts as a file.
pub fn count(paths: &[PathBuf]) -> (u64, u64) {
    walk(paths.to_vec()).fold((0, 0), |(files, bytes), found| (files + 1, bytes + found.map_or(0, |found| found.bytes)))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use zip::ZipWriter;
    use zip::write::SimpleFileOptions;

    use super::*;

    fn zipped(members: &[(&str, &[u8])]) -> Vec<u8> {
        let mut zip = ZipWriter::new(io::Cursor::new(Vec::new()));
        for (name, content) in members {
            zip.start_file(*name, SimpleFileOptions::default()).unwrap();
            zip.write_all(content).unwrap();
        }
        zip.finish().unwrap().into_inner()
    }

    fn tree(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            let path = root.path().join("night").join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, content).unwrap();
        }
        root
    }

    fn content(found: &Found) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        found.read(|chunk| {
            bytes.extend_from_slice(&chunk);
            Ok(())
        })?;
        Ok(bytes)
    }

    /// Names and contents of everything found; an error as `!` and its name.
    fn listed(paths: Vec<PathBuf>) -> Vec<String> {
        let line = |found: Result<Found>| match found.and_then(|found| Ok((content(&found)?, found))) {
            Ok((bytes, found)) => format!("{}={}", found.name, String::from_utf8_lossy(&bytes)),
            Err(Error::Read { name, .. } | Error::Expansion { name, .. }) => format!("!{name}"),
            Err(other) => panic!("{other}"),
        };
        walk(paths).map(line).collect()
    }

    fn check(files: &[(&str, &[u8])], expected: &[&str]) {
        let root = tree(files);
        assert_eq!(listed(vec![root.path().join("night")]), expected);
    }

    /// Folders come sorted, ZIPs as their members, a DICOMDIR as a file; nested and damaged ZIPs as they are.
    #[test]
    fn everything_is_found_in_a_fixed_order() {
        let inner = zipped(&[("i", b"deep")]);
        let zip = zipped(&[("b/2", b"two"), ("a", b"one"), ("../../etc/passwd", b"x"), ("C:\\w\\y", b"y")]);
        check(
            &[("z", b"last"), ("DICOMDIR", b"dir"), ("s/IM1", b"im"), ("m.zip", &zip), ("d.zip", b"PK\x03\x04no")],
            &[
                "night/DICOMDIR=dir",
                "night/d.zip=PK\u{3}\u{4}no",
                "night/m.zip/b/2=two",
                "night/m.zip/a=one",
                "night/m.zip/etc/passwd=x",
                "night/m.zip/w/y=y",
                "night/s/IM1=im",
                "night/z=last",
            ],
        );
        let root = tree(&[("o.zip", &zipped(&[("i.zip", &inner)]))]);
        let found: Vec<_> = walk(vec![root.path().join("night/o.zip")]).map(|found| found.unwrap()).collect();
        assert_eq!((found.len(), found[0].name.as_str()), (1, "o.zip/i.zip"));
        assert_eq!(content(&found[0]).unwrap(), inner);
        assert_eq!(count(&[root.path().join("night")]), (1, inner.len() as u64));
    }

    /// Links are named, not followed; a path that is not there is named too.
    #[cfg(unix)]
    #[test]
    fn links_are_not_followed() {
        let root = tree(&[("a", b"one")]);
        std::os::unix::fs::symlink("/etc", root.path().join("night/b")).unwrap();
        let paths = vec![root.path().join("night"), PathBuf::from("/no/such/path")];
        assert_eq!(listed(paths), ["night/a=one", "!night/b", "!/no/such/path"]);
    }

    /// A bomb is stopped while it is read; an honest blank image is not one.
    #[test]
    fn a_bomb_is_stopped() {
        let blank = vec![0; EXPANSION_FREE_BYTES as usize];
        let bomb = vec![0; EXPANSION_FREE_BYTES as usize + 1];
        let root = tree(&[("x.zip", &zipped(&[("blank", &blank), ("bomb", &bomb)]))]);
        let results: Vec<_> =
            walk(vec![root.path().join("night")]).map(|found| found.unwrap().read(|_| Ok(()))).collect();
        assert!(results[0].is_ok());
        assert!(matches!(&results[1], Err(Error::Expansion { name, .. }) if name == "night/x.zip/bomb"));
    }

    /// Names that Japanese Windows wrote are read as it meant them.
    #[test]
    fn japanese_member_names_are_read() {
        assert_eq!(member_name("x.zip", "健診/1.dcm".as_bytes()), "x.zip/健診/1.dcm");
        assert_eq!(member_name("x.zip", b"\x8c\x92\x90f/1.dcm"), "x.zip/健診/1.dcm");
    }
}
