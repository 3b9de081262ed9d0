//! Writing an object of any size, part by part, seen by nobody until it is whole.

use bytes::Bytes;
use object_store::path::Path;
use object_store::{MultipartUpload, ObjectStoreExt, PutPayload};

use super::{Objects, path_of, taken};
use crate::{Error, Result};

/// Bytes of every part but the last. S3 wants at least 5 MiB and at most 10,000 parts (so 80 GiB); some of its kin
/// want all parts equal.
const PART_BYTES: usize = 8 << 20;

/// An object being written. Dropped before [`ObjectWriter::finish`], it leaves nothing behind.
///
/// What fits in one part is put at once, and only if the name is free. With more, the store has no such condition:
/// a name taken between [`Objects::writer`] and [`ObjectWriter::finish`] is looked for once more, but the archive
/// relies on its numbers being given out once.
#[derive(Debug)]
pub struct ObjectWriter {
    objects: Objects,
    key: String,
    upload: Option<Box<dyn MultipartUpload>>,
    held: Vec<Bytes>,
    held_bytes: usize,
    written: u64,
    failed: bool,
}

impl ObjectWriter {
    pub(super) fn new(objects: Objects, key: &str) -> ObjectWriter {
        let (held, key) = (Vec::new(), key.to_owned());
        ObjectWriter { objects, key, upload: None, held, held_bytes: 0, written: 0, failed: false }
    }

    /// The name the object will have.
    pub fn key(&self) -> &str {
        &self.key
    }

    /// Bytes written so far: the offset of the next one.
    pub fn written(&self) -> u64 {
        self.written
    }

    /// Appends bytes. In memory are at most one part and these.
    ///
    /// # Errors
    /// What the store answers; the object is then given up, and every later call answers an error too.
    pub async fn write(&mut self, bytes: Bytes) -> Result<()> {
        if self.failed {
            return Err(self.given_up());
        }
        let mut bytes = bytes;
        self.written += bytes.len() as u64;
        while self.held_bytes + bytes.len() > PART_BYTES {
            let head = bytes.split_to(PART_BYTES - self.held_bytes);
            self.hold(head);
            let sent = self.send_part().await;
            if sent.is_err() {
                self.give_up().await;
                return sent;
            }
        }
        self.hold(bytes);
        Ok(())
    }

    /// Makes the object appear, whole and durable, and answers its bytes.
    ///
    /// # Errors
    /// [`Error::Refused`] when the name was taken meanwhile by other bytes; or what the store answers. No object appears.
    pub async fn finish(mut self) -> Result<u64> {
        if self.failed {
            return Err(self.given_up());
        }
        let finished = self.complete().await;
        match finished {
            Ok(()) => self.upload = None,
            Err(_) => self.give_up().await,
        }
        finished.map(|()| self.written)
    }

    async fn complete(&mut self) -> Result<()> {
        if self.upload.is_none() {
            let payload = self.take_held();
            return self.objects.put_payload(&self.key, payload).await;
        }
        if self.held_bytes > 0 {
            self.send_part().await?;
        }
        if self.objects.exists(&self.key).await? {
            return Err(taken(&self.key));
        }
        let Some(upload) = &mut self.upload else { return Err(self.given_up()) };
        upload.complete().await.map(|_| ()).map_err(Error::object(&self.key))
    }

    fn hold(&mut self, bytes: Bytes) {
        if !bytes.is_empty() {
            self.held_bytes += bytes.len();
            self.held.push(bytes);
        }
    }

    fn take_held(&mut self) -> PutPayload {
        self.held_bytes = 0;
        std::mem::take(&mut self.held).into_iter().collect()
    }

    async fn send_part(&mut self) -> Result<()> {
        let payload = self.take_held();
        let upload = match &mut self.upload {
            Some(upload) => upload,
            none => {
                let path: Path = path_of(&self.key)?;
                let begun = self.objects.store().put_multipart(&path).await;
                none.insert(begun.map_err(Error::object(&self.key))?)
            }
        };
        upload.put_part(payload).await.map_err(Error::object(&self.key))
    }

    async fn give_up(&mut self) {
        self.failed = true;
        self.held.clear();
        if let Some(mut upload) = self.upload.take() {
            // What stays behind has no name; a store removes it by its own rules.
            let _ = upload.abort().await;
        }
    }

    fn given_up(&self) -> Error {
        Error::Refused(format!("object {} was given up after a failed write", self.key))
    }
}

impl Drop for ObjectWriter {
    fn drop(&mut self) {
        let Some(mut upload) = self.upload.take() else { return };
        // A local upload removes its file when dropped; others must be told, which takes a runtime.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            runtime.spawn(async move { upload.abort().await });
        }
    }
}
