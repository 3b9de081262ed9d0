//! A disk that remembers every write and every sync, so that a power cut can be played at any moment.
//!
//! Intake segments and event logs write through [`RecordingDisk`], SQLite through the recording VFS
//! ([`crate::sqlite_vfs`]), objects through [`RecordingStore`]: all into one [`Log`], in the order in which they happen.

use std::collections::{BTreeMap, HashSet};
use std::io::{self, IoSlice};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

use archive::{Disk, DiskFile, LocalDisk};
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::memory::InMemory;
use object_store::path::Path as Key;
use object_store::{
    CopyOptions, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore, PutMultipartOptions,
    PutOptions, PutPayload, PutResult, UploadPart,
};

/// One thing that happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Op {
    /// Bytes were written at an offset.
    Write { path: PathBuf, offset: u64, bytes: Vec<u8> },
    /// The file was cut or extended.
    Truncate { path: PathBuf, length: u64 },
    /// Everything written to the file is durable.
    Sync { path: PathBuf },
    /// The file was removed.
    Remove { path: PathBuf },
    /// An object came into place, durable at once.
    Object { key: String, bytes: Vec<u8> },
    /// An object was deleted.
    ObjectRemoved { key: String },
    /// Somebody was told that this instance is stored.
    Reply { sop_instance_uid: String },
}

/// What happened, in order.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Mutex<Vec<Op>>>);

impl Log {
    pub fn push(&self, op: Op) {
        self.0.lock().unwrap().push(op);
    }

    pub fn ops(&self) -> Vec<Op> {
        self.0.lock().unwrap().clone()
    }
}

/// What a crash leaves of what was written and not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Crash {
    /// Nothing.
    Forget,
    /// Some of it, chosen by a seed; one of the writes may be torn.
    Scatter(u64),
}

/// A file as it lives, and as it would be found after a crash.
#[derive(Clone, Debug, Default)]
struct Image {
    durable: Option<Vec<u8>>,
    unsynced: Vec<Op>,
}

/// What is on disk, and which objects are there, after a crash just before the n-th operation.
pub struct Wreck {
    pub files: BTreeMap<PathBuf, Vec<u8>>,
    pub objects: BTreeMap<String, Vec<u8>>,
    pub replied: HashSet<String>,
}

/// Plays `ops` and then the crash.
pub fn wreck(ops: &[Op], crash: Crash) -> Wreck {
    let mut images: BTreeMap<PathBuf, Image> = BTreeMap::new();
    let (mut objects, mut replied) = (BTreeMap::new(), HashSet::new());
    for op in ops {
        match op {
            Op::Write { path, .. } | Op::Truncate { path, .. } => {
                images.entry(path.clone()).or_default().unsynced.push(op.clone());
            }
            Op::Sync { path } => {
                let image = images.entry(path.clone()).or_default();
                let mut bytes = image.durable.take().unwrap_or_default();
                image.unsynced.drain(..).for_each(|op| apply(&mut bytes, &op));
                image.durable = Some(bytes);
            }
            // A removal counts at once: the worst case for whoever removes too early.
            Op::Remove { path } => drop(images.remove(path)),
            Op::Object { key, bytes } => drop(objects.insert(key.clone(), bytes.clone())),
            Op::ObjectRemoved { key } => drop(objects.remove(key)),
            Op::Reply { sop_instance_uid } => drop(replied.insert(sop_instance_uid.clone())),
        }
    }
    let files = images.into_iter().filter_map(|(path, image)| Some((path, image.after(crash)?))).collect();
    Wreck { files, objects, replied }
}

impl Image {
    fn after(self, crash: Crash) -> Option<Vec<u8>> {
        let Crash::Scatter(seed) = crash else { return self.durable };
        let mut random = seed | 1;
        let mut bytes = self.durable.unwrap_or_default();
        for mut op in self.unsynced {
            random = random.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
            match (random >> 60) & 3 {
                0 => {}
                1 => {
                    if let Op::Write { bytes, .. } = &mut op {
                        bytes.truncate(bytes.len() / 2);
                    }
                    apply(&mut bytes, &op);
                }
                _ => apply(&mut bytes, &op),
            }
        }
        Some(bytes)
    }
}

fn apply(file: &mut Vec<u8>, op: &Op) {
    match op {
        Op::Write { offset, bytes, .. } => {
            let (start, end) = (*offset as usize, *offset as usize + bytes.len());
            if file.len() < end {
                file.resize(end, 0);
            }
            file[start..end].copy_from_slice(bytes);
        }
        Op::Truncate { length, .. } => file.resize(*length as usize, 0),
        _ => {}
    }
}

/// The local disk, recorded.
#[derive(Debug)]
pub struct RecordingDisk(pub Log);

#[derive(Debug)]
struct RecordingFile {
    inner: Box<dyn DiskFile>,
    path: PathBuf,
    log: Log,
}

impl Disk for RecordingDisk {
    fn open_append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inner = LocalDisk.open_append(path)?;
        Ok(Box::new(RecordingFile { inner, path: path.into(), log: self.0.clone() }))
    }

    fn create_new(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let inner = LocalDisk.create_new(path)?;
        Ok(Box::new(RecordingFile { inner, path: path.into(), log: self.0.clone() }))
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.create_dir_all(dir)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        LocalDisk.remove(path)?;
        self.0.push(Op::Remove { path: path.into() });
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        LocalDisk.sync_dir(dir)
    }

    fn read_at(&self, path: &Path, offset: u64, into: &mut [u8]) -> io::Result<usize> {
        LocalDisk.read_at(path, offset, into)
    }

    fn len(&self, path: &Path) -> io::Result<Option<u64>> {
        LocalDisk.len(path)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<String>> {
        LocalDisk.list(dir)
    }
}

impl DiskFile for RecordingFile {
    fn append(&mut self, parts: &[IoSlice<'_>]) -> io::Result<()> {
        let offset = self.inner.length()?;
        self.inner.append(parts)?;
        let bytes = parts.iter().flat_map(|part| part.iter().copied()).collect();
        self.log.push(Op::Write { path: self.path.clone(), offset, bytes });
        Ok(())
    }

    fn sync_data(&mut self) -> io::Result<()> {
        self.inner.sync_data()?;
        self.log.push(Op::Sync { path: self.path.clone() });
        Ok(())
    }

    fn truncate(&mut self, length: u64) -> io::Result<()> {
        self.inner.truncate(length)?;
        self.log.push(Op::Truncate { path: self.path.clone(), length });
        Ok(())
    }

    fn length(&self) -> io::Result<u64> {
        self.inner.length()
    }

    fn lock(&self) -> io::Result<()> {
        self.inner.lock()
    }

    fn try_lock(&self) -> io::Result<bool> {
        self.inner.try_lock()
    }

    fn unlock(&self) -> io::Result<()> {
        self.inner.unlock()
    }
}

/// Objects in memory, each recorded when it comes into place.
#[derive(Debug)]
pub struct RecordingStore {
    inner: Arc<InMemory>,
    log: Log,
}

impl RecordingStore {
    pub fn new(log: Log) -> RecordingStore {
        RecordingStore { inner: Arc::new(InMemory::new()), log }
    }
}

impl std::fmt::Display for RecordingStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "recorded {}", self.inner)
    }
}

fn object(key: &Key, payload: &PutPayload) -> Op {
    let bytes = payload.iter().flat_map(|part| part.iter().copied()).collect();
    Op::Object { key: key.to_string(), bytes }
}

#[async_trait::async_trait]
impl ObjectStore for RecordingStore {
    async fn put_opts(&self, key: &Key, payload: PutPayload, options: PutOptions) -> object_store::Result<PutResult> {
        let put = self.inner.put_opts(key, payload.clone(), options).await?;
        self.log.push(object(key, &payload));
        Ok(put)
    }

    async fn put_multipart_opts(
        &self,
        key: &Key,
        options: PutMultipartOptions,
    ) -> object_store::Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(key, options).await?;
        Ok(Box::new(RecordingUpload { inner, key: key.clone(), bytes: Vec::new(), log: self.log.clone() }))
    }

    async fn get_opts(&self, key: &Key, options: GetOptions) -> object_store::Result<GetResult> {
        self.inner.get_opts(key, options).await
    }

    fn delete_stream(
        &self,
        keys: BoxStream<'static, object_store::Result<Key>>,
    ) -> BoxStream<'static, object_store::Result<Key>> {
        let log = self.log.clone();
        let log = move |key: &Key| log.push(Op::ObjectRemoved { key: key.to_string() });
        self.inner.delete_stream(keys).inspect_ok(log).boxed()
    }

    fn list(&self, prefix: Option<&Key>) -> BoxStream<'static, object_store::Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Key>) -> object_store::Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Key, to: &Key, options: CopyOptions) -> object_store::Result<()> {
        self.inner.copy_opts(from, to, options).await
    }
}

#[derive(Debug)]
struct RecordingUpload {
    inner: Box<dyn MultipartUpload>,
    key: Key,
    bytes: Vec<u8>,
    log: Log,
}

#[async_trait::async_trait]
impl MultipartUpload for RecordingUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        self.bytes.extend(data.iter().flat_map(|part| part.iter().copied()));
        self.inner.put_part(data)
    }

    async fn complete(&mut self) -> object_store::Result<PutResult> {
        let put = self.inner.complete().await?;
        self.log.push(Op::Object { key: self.key.to_string(), bytes: std::mem::take(&mut self.bytes) });
        Ok(put)
    }

    async fn abort(&mut self) -> object_store::Result<()> {
        self.inner.abort().await
    }
}
