//! Everything but open intake, as objects: a local directory by default, an S3-compatible store when outgrown.
//!
//! Object names carry no patient data. Objects are created once and never changed.

mod faulty;
mod local;
mod writer;

use std::fs::File;
use std::ops::Range;
use std::path::Path as FilePath;
use std::sync::Arc;

use bytes::Bytes;
use futures::stream::{BoxStream, StreamExt, TryStreamExt};
use object_store::local::LocalFileSystem;
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode, PutOptions, PutPayload};

pub use self::faulty::{Fault, Faulty};
use self::local::LocalFiles;
pub use self::writer::ObjectWriter;

use crate::positioned::Buffers;
use crate::{Disk, Error, LocalDisk, Result};

/// A longer range is not read where the caller stands, even if it is in memory.
const IN_PLACE_BYTES_MAX: u64 = 1 << 20;

/// The object store of an archive. Cloning is cheap.
#[derive(Clone, Debug)]
pub struct Objects {
    store: Arc<dyn ObjectStore>,
    local: Option<Arc<LocalFiles>>,
}

/// One object of a listing.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Listed {
    /// The object's name.
    pub key: String,
    /// Its bytes.
    pub len: u64,
}

impl Objects {
    /// The objects in a local directory, which is made if it is not there. Every write is synced, file and directory,
    /// before it is answered: `LocalFileSystem` does not do so by itself, and this is the only place that makes one.
    ///
    /// # Errors
    /// When the directory cannot be made or used.
    pub fn local(dir: &FilePath) -> Result<Objects> {
        LocalDisk.create_dir_all(dir).map_err(Error::io("creating the directory of the objects", dir))?;
        let store = LocalFileSystem::new_with_prefix(dir).map_err(Error::object(dir.display()))?;
        Ok(Objects { store: Arc::new(store.with_fsync(true)), local: Some(Arc::new(LocalFiles::new(dir))) })
    }

    /// The objects in a store made elsewhere: S3, memory, [`Faulty`]. For a local directory use [`Objects::local`].
    pub fn over(store: Arc<dyn ObjectStore>) -> Objects {
        Objects { store, local: None }
    }

    /// The store itself, for libraries that ask for one.
    pub fn store(&self) -> &Arc<dyn ObjectStore> {
        &self.store
    }

    /// Creates an object. That there is one of that name with the same bytes is no error: the act can be repeated.
    ///
    /// # Errors
    /// [`Error::Refused`] when the name is taken by other bytes; else what the store answers.
    pub async fn put_new(&self, key: &str, bytes: Bytes) -> Result<()> {
        self.put_payload(key, bytes.into()).await
    }

    async fn put_payload(&self, key: &str, payload: PutPayload) -> Result<()> {
        let path = path_of(key)?;
        match self.store.put_opts(&path, payload.clone(), PutOptions::from(PutMode::Create)).await {
            Ok(_) => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) if self.holds(key, &payload).await? => Ok(()),
            Err(object_store::Error::AlreadyExists { .. }) => Err(taken(key)),
            Err(error) => Err(Error::object(key)(error)),
        }
    }

    /// Whether the object has exactly these bytes.
    async fn holds(&self, key: &str, payload: &PutPayload) -> Result<bool> {
        if self.len(key).await? != payload.content_length() as u64 {
            return Ok(false);
        }
        let held = self.get(key).await?;
        Ok(payload.iter().flatten().eq(held.iter()))
    }

    /// The whole object in memory: for objects that are known to be small.
    ///
    /// # Errors
    /// [`Error::NotFound`], or what the store answers.
    pub async fn get(&self, key: &str) -> Result<Bytes> {
        let found = self.store.get(&path_of(key)?).await.map_err(at(key))?;
        found.bytes().await.map_err(at(key))
    }

    /// The whole object as a stream of blocks.
    ///
    /// # Errors
    /// [`Error::NotFound`], or what the store answers, at once or in the stream.
    pub async fn stream(&self, key: &str) -> Result<BoxStream<'static, Result<Bytes>>> {
        let found = self.store.get(&path_of(key)?).await.map_err(at(key))?;
        let key = key.to_owned();
        Ok(found.into_stream().map_err(move |error| at(&key)(error)).boxed())
    }

    /// The bytes of a range, all of them.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Damaged`] when the object ends before the range does; or what the store answers.
    pub async fn get_range(&self, key: &str, range: Range<u64>) -> Result<Bytes> {
        if range.is_empty() {
            return Ok(Bytes::new());
        }
        let wanted = range.end - range.start;
        if let Some(local) = self.local.as_ref().filter(|_| wanted <= IN_PLACE_BYTES_MAX) {
            return local.read(key, range).await;
        }
        let bytes = self.store.get_range(&path_of(key)?, range).await.map_err(at(key))?;
        if bytes.len() as u64 != wanted {
            return Err(Error::damaged(format!("object {key}"), "it ends before the range asked for"));
        }
        Ok(bytes)
    }

    /// The object as an open file, where the store is a local directory: for many small reads of a large object.
    ///
    /// # Errors
    /// [`Error::NotFound`]; [`Error::Io`] when it cannot be opened.
    pub(crate) fn open_file(&self, key: &str) -> Result<Option<Arc<File>>> {
        self.local.as_ref().map(|local| local.open(key)).transpose()
    }

    /// Where buffers for reading local files come from.
    pub(crate) fn buffers(&self) -> Buffers {
        self.local.as_ref().map(|local| local.buffers.clone()).unwrap_or_default()
    }

    /// Bytes of the object.
    ///
    /// # Errors
    /// [`Error::NotFound`], or what the store answers.
    pub async fn len(&self, key: &str) -> Result<u64> {
        Ok(self.store.head(&path_of(key)?).await.map_err(at(key))?.size)
    }

    /// Whether there is such an object.
    ///
    /// # Errors
    /// What the store answers, other than that there is none.
    pub async fn exists(&self, key: &str) -> Result<bool> {
        match self.len(key).await {
            Ok(_) => Ok(true),
            Err(Error::NotFound(_)) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// The objects whose names begin with the directory `prefix`, in no order; all with an empty prefix.
    pub fn list_stream(&self, prefix: &str) -> BoxStream<'static, Result<Listed>> {
        let prefix = prefix.to_owned();
        let path = match path_of(&prefix) {
            Ok(path) => path,
            Err(error) => return futures::stream::once(async { Err(error) }).boxed(),
        };
        let listed = self.store.list(Some(&path)).map_ok(|meta| Listed { key: meta.location.into(), len: meta.size });
        listed.map_err(move |error| at(&prefix)(error)).boxed()
    }

    /// As [`Objects::list_stream`], sorted by name and in memory: about 100 bytes an object.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn list(&self, prefix: &str) -> Result<Vec<Listed>> {
        let mut listed: Vec<Listed> = self.list_stream(prefix).try_collect().await?;
        listed.sort();
        Ok(listed)
    }

    /// Deletes an object. That there is none is no error. On a local disk the deletion itself is not synced: after a
    /// crash the object may be there again, and is to be deleted again.
    ///
    /// # Errors
    /// What the store answers.
    pub async fn delete(&self, key: &str) -> Result<()> {
        if let Some(local) = &self.local {
            local.forget(key);
        }
        match self.store.delete(&path_of(key)?).await {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(error) => Err(Error::object(key)(error)),
        }
    }

    /// Begins an object of any size, which appears under its name only when [`ObjectWriter::finish`] has answered.
    ///
    /// # Errors
    /// [`Error::Refused`] when the name is taken; or what the store answers.
    pub async fn writer(&self, key: &str) -> Result<ObjectWriter> {
        if self.exists(key).await? {
            return Err(taken(key));
        }
        Ok(ObjectWriter::new(self.clone(), key))
    }
}

fn path_of(key: &str) -> Result<Path> {
    Path::parse(key).map_err(|error| Error::Refused(format!("{key:?} is no name for an object: {error}")))
}

fn taken(key: &str) -> Error {
    Error::Refused(format!("object {key} is there already, and objects are never overwritten"))
}

/// Names the object in an error of the store, and tells what is not there from what failed.
fn at(key: &str) -> impl Fn(object_store::Error) -> Error + use<> {
    let key = key.to_owned();
    move |error| match error {
        object_store::Error::NotFound { .. } => Error::NotFound(format!("object {key}")),
        error => Error::object(&key)(error),
    }
}

#[cfg(test)]
mod tests;
