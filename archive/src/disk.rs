//! The few acts the archive asks of a local disk, behind a trait so that a test can record their order,
//! forget what was not synced, or fail one of them.
//!
//! Only what must be durable before a reply goes through here: intake segments and event logs. Everything
//! else is an object ([`crate::Objects`]).

use std::fmt::Debug;
use std::fs::{File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, Read, Seek, SeekFrom, Write};
use std::path::Path;

/// A disk: names, directories and reading. Writing is done by the [`DiskFile`]s it opens.
pub trait Disk: Send + Sync + Debug {
    /// Opens a file to append to, and creates it if there is none. The name is durable only after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// When the file can be neither opened nor created.
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Creates a file to append to. The name is durable only after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// [`ErrorKind::AlreadyExists`] when there is one of that name; else when it cannot be created.
    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Creates a directory and all above it, each durable in its parent on return. One that is there is no error.
    ///
    /// # Errors
    /// When one of them cannot be created or synced.
    fn create_dir_all(&self, dir: &Path) -> io::Result<()>;

    /// Removes a file; that there is none is no error, so that the act can be repeated after a crash. Durable only
    /// after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// When the file is there and stays.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the names in a directory durable.
    ///
    /// # Errors
    /// When the sync failed: what the disk holds is then unknown.
    fn sync_dir(&self, dir: &Path) -> io::Result<()>;

    /// Reads from `offset` until `into` is full or the file ends, and answers the bytes read.
    ///
    /// # Errors
    /// When the file cannot be opened or read.
    fn read_at(&self, path: &Path, offset: u64, into: &mut [u8]) -> io::Result<usize>;

    /// Bytes in the file; `None` when there is no such file.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn len(&self, path: &Path) -> io::Result<Option<u64>>;

    /// Whether there is a file of that name.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn exists(&self, path: &Path) -> io::Result<bool> {
        Ok(self.len(path)?.is_some())
    }

    /// Names of the files in a directory, sorted; directories in it are left out, and names that are not Unicode
    /// (none of ours is). Empty when there is no such directory.
    ///
    /// # Errors
    /// When the directory is there and cannot be read.
    fn list(&self, dir: &Path) -> io::Result<Vec<String>>;
}

/// A file open for appending. Nothing is durable before [`DiskFile::sync_data`] has answered.
pub trait DiskFile: Send + Debug {
    /// Appends the parts one after another. After an error any prefix of them may have been written.
    ///
    /// # Errors
    /// When not all of it was written; undo with [`DiskFile::truncate`].
    fn append(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()>;

    /// Makes everything appended durable (fdatasync: the bytes and the length, not the times).
    ///
    /// # Errors
    /// When the sync failed: what the disk holds is then unknown, and a second sync that succeeds proves nothing.
    fn sync_data(&mut self) -> io::Result<()>;

    /// Cuts the file to `length` bytes; the next append goes there. Durable only after a sync.
    ///
    /// # Errors
    /// When the file keeps its length.
    fn truncate(&mut self, length: u64) -> io::Result<()>;

    /// Bytes in the file now, appended by whomever.
    ///
    /// # Errors
    /// When that cannot be found out.
    fn length(&self) -> io::Result<u64>;

    /// Waits for the exclusive advisory lock of the file, which another opening of the same file may hold, here or
    /// in another process. It goes with [`DiskFile::unlock`], when the file is dropped, or when the process ends.
    ///
    /// # Errors
    /// When the file system has no locks.
    fn lock(&self) -> io::Result<()>;

    /// As [`DiskFile::lock`], without waiting; answers whether it is now ours.
    ///
    /// # Errors
    /// When the file system has no locks.
    fn try_lock(&self) -> io::Result<bool>;

    /// Gives the lock back.
    ///
    /// # Errors
    /// When it could not be given back.
    fn unlock(&self) -> io::Result<()>;
}

/// The disk of this machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct LocalDisk;

impl Disk for LocalDisk {
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(LocalFile(OpenOptions::new().append(true).create(true).open(path)?)))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        Ok(Box::new(LocalFile(OpenOptions::new().append(true).create_new(true).open(path)?)))
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        if dir.as_os_str().is_empty() || dir.is_dir() {
            return Ok(());
        }
        let parent = dir.parent().unwrap_or(Path::new(""));
        self.create_dir_all(parent)?;
        match std::fs::create_dir(dir) {
            Err(error) if error.kind() != ErrorKind::AlreadyExists => Err(error),
            _ => self.sync_dir(parent),
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        none_if_not_found(std::fs::remove_file(path)).map(|_| ())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        // The parent of a bare relative name is "", which cannot be opened.
        let dir = if dir.as_os_str().is_empty() { Path::new(".") } else { dir };
        // Windows cannot open a directory as a file, and makes names durable with the file itself.
        if cfg!(windows) { Ok(()) } else { File::open(dir)?.sync_all() }
    }

    fn read_at(&self, path: &Path, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        let mut file = File::open(path)?;
        file.seek(SeekFrom::Start(offset))?;
        let mut filled = 0;
        while let Some(rest) = into.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match file.read(rest) {
                Ok(0) => break,
                Ok(count) => filled += count,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(filled)
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        let found = none_if_not_found(std::fs::metadata(path))?;
        Ok(found.filter(|found| found.is_file()).map(|found| found.len()))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        let Some(entries) = none_if_not_found(std::fs::read_dir(dir))? else { return Ok(Vec::new()) };
        let mut names = Vec::new();
        for entry in entries {
            let entry = entry?;
            if entry.file_type()?.is_file() {
                names.extend(entry.file_name().into_string().ok());
            }
        }
        names.sort();
        Ok(names)
    }
}

/// A [`DiskFile`] of this machine, opened with O_APPEND.
#[derive(Debug)]
struct LocalFile(File);

impl DiskFile for LocalFile {
    fn append(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let mut parts: Vec<IoSlice<'_>> = parts.iter().map(|part| IoSlice::new(part)).collect();
        let mut rest = parts.as_mut_slice();
        IoSlice::advance_slices(&mut rest, 0); // drops leading empty parts, so that a write of 0 bytes means failure
        while !rest.is_empty() {
            match self.0.write_vectored(rest) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => IoSlice::advance_slices(&mut rest, count),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.0.sync_data()
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.0.set_len(length)
    }

    fn length(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn lock(&self) -> io::Result<()> {
        self.0.lock()
    }

    fn try_lock(&self) -> io::Result<bool> {
        match self.0.try_lock() {
            Ok(()) => Ok(true),
            Err(std::fs::TryLockError::WouldBlock) => Ok(false),
            Err(std::fs::TryLockError::Error(error)) => Err(error),
        }
    }

    fn unlock(&self) -> io::Result<()> {
        self.0.unlock()
    }
}

fn none_if_not_found<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_appended_in_order_and_cut_back() {
        // Proves that empty and many parts (more than one system call takes) arrive whole, and that an append after
        // a truncation goes to the new end.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("a/b/file");
        LocalDisk.create_dir_all(path.parent().unwrap()).unwrap();
        let mut file = LocalDisk.create_new(&path).unwrap();
        let bytes: Vec<u8> = (0..5000_u32).map(|n| n as u8).collect();
        let mut parts = vec![IoSlice::new(&[]), IoSlice::new(&[])];
        parts.extend(bytes.chunks(1).map(IoSlice::new));
        parts.push(IoSlice::new(&[]));
        file.append(&parts).unwrap();
        file.append(&[IoSlice::new(&[])]).unwrap();
        file.sync_data().unwrap();
        let mut back = vec![0; 6000];
        assert_eq!(LocalDisk.read_at(&path, 0, &mut back).unwrap(), 5000);
        assert_eq!(back[..5000], bytes[..]);
        file.truncate(10).unwrap();
        file.append(&[IoSlice::new(b"end")]).unwrap();
        assert_eq!(file.length().unwrap(), 13);
        assert_eq!(LocalDisk.read_at(&path, 9, &mut back).unwrap(), 4);
        assert_eq!(&back[..4], &[9, b'e', b'n', b'd']);
    }

    #[test]
    fn names_are_told_from_directories_and_from_nothing() {
        // Proves that what is not there is an answer, not an error, and that removal can be repeated.
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("one");
        assert_eq!(LocalDisk.len(&path).unwrap(), None);
        drop(LocalDisk.open_append(&path).unwrap());
        LocalDisk.create_dir_all(&dir.path().join("below")).unwrap();
        assert_eq!(LocalDisk.list(dir.path()).unwrap(), ["one"]);
        assert!(LocalDisk.create_new(&path).is_err());
        assert!(LocalDisk.exists(&path).unwrap());
        assert!(!LocalDisk.exists(&dir.path().join("below")).unwrap());
        LocalDisk.remove(&path).unwrap();
        LocalDisk.remove(&path).unwrap();
        LocalDisk.sync_dir(dir.path()).unwrap();
        assert!(LocalDisk.list(&dir.path().join("absent")).unwrap().is_empty());
    }

    #[test]
    fn a_lock_is_held_against_a_second_opening() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("locked");
        let one = LocalDisk.open_append(&path).unwrap();
        let two = LocalDisk.open_append(&path).unwrap();
        one.lock().unwrap();
        assert!(!two.try_lock().unwrap());
        one.unlock().unwrap();
        assert!(two.try_lock().unwrap());
    }
}
