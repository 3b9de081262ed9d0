//! Objects of a local directory as open files.

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::io::ErrorKind;
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;

use crate::positioned::Buffers;
use crate::{Error, Result};

/// Files kept open at the most; who reads one keeps it open beyond that.
const OPEN_MAX: usize = 128;

/// The files opened last. Objects never change, so an open one is never wrong; one that is deleted is forgotten.
#[derive(Debug)]
pub(super) struct LocalFiles {
    dir: PathBuf,
    open: Mutex<Open>,
    pub(super) buffers: Buffers,
}

#[derive(Debug, Default)]
struct Open {
    by_key: HashMap<String, Arc<File>>,
    order: VecDeque<String>,
}

impl LocalFiles {
    pub(super) fn new(dir: &Path) -> LocalFiles {
        LocalFiles { dir: dir.to_owned(), open: Mutex::default(), buffers: Buffers::default() }
    }

    pub(super) fn open(&self, key: &str) -> Result<Arc<File>> {
        if let Some(file) = self.kept().by_key.get(key).filter(|file| !crate::positioned::is_deleted(file)) {
            return Ok(Arc::clone(file));
        }
        let path = self.dir.join(super::path_of(key)?.as_ref());
        let file = File::open(&path).map_err(|error| match error.kind() {
            ErrorKind::NotFound => Error::NotFound(format!("object {key}")),
            _ => Error::io("opening an object", &path)(error),
        })?;
        let file = Arc::new(file);
        let mut open = self.kept();
        if open.by_key.insert(key.to_owned(), Arc::clone(&file)).is_none() {
            open.order.push_back(key.to_owned());
        }
        while open.order.len() > OPEN_MAX {
            let oldest = open.order.pop_front().unwrap_or_default();
            open.by_key.remove(&oldest);
        }
        Ok(file)
    }

    pub(super) async fn read(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        let file = self.open(key)?;
        self.buffers.read(&file, range, key).await
    }

    pub(super) fn forget(&self, key: &str) {
        let mut open = self.kept();
        open.by_key.remove(key);
        open.order.retain(|kept| kept != key);
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_opened_once_and_a_deleted_one_is_not_found() {
        // Proves the bound on open files, too: of 200 the last 128 are kept.
        let dir = tempfile::tempdir().unwrap();
        let files = LocalFiles::new(dir.path());
        for number in 0..200 {
            std::fs::write(dir.path().join(format!("o{number}")), [number as u8]).unwrap();
            files.open(&format!("o{number}")).unwrap();
        }
        assert_eq!(files.kept().by_key.len(), OPEN_MAX);
        assert!(Arc::ptr_eq(&files.open("o199").unwrap(), &files.open("o199").unwrap()));
        std::fs::remove_file(dir.path().join("o199")).unwrap();
        assert!(matches!(files.open("o199"), Err(Error::NotFound(_))), "deleted behind our back");
        files.forget("o198");
        assert!(!files.kept().by_key.contains_key("o198"));
    }
}
