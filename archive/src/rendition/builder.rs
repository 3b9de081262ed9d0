//! Writing renditions, one after another, into an object that appears whole or not at all.

use bytes::Bytes;
use sha2::{Digest, Sha256};

use super::{FORMAT, MANIFEST_NAME, Manifest, ManifestRendition, RenditionRecord, RenditionSet, VERSION};
use super::{dcm_name, directory, directory_of, frames_name};
use crate::pack::{ZipLayout, blocking};
use crate::{Error, FrameTable, ObjectWriter, Result, Writer};

/// A rendition to be kept.
#[derive(Clone, Debug)]
pub struct NewRendition {
    /// What it is.
    pub record: RenditionRecord,
    /// The whole Part 10 file.
    pub part10: Bytes,
    /// Where its frames lie.
    pub frames: FrameTable,
}

/// Renditions being written. Dropped before [`RenditionBuilder::finish`], they never were.
pub struct RenditionBuilder {
    object: ObjectWriter,
    zip: ZipLayout,
    manifest: Manifest,
}

impl Writer {
    /// Begins an object for what will be made of these sources (SHA-256 of their received files, in order). `None` when
    /// it is there already: the same sources, policy and coders give the same renditions.
    ///
    /// # Errors
    /// When the store cannot be read or written.
    pub async fn begin_renditions(&self, set: RenditionSet, sources: &[[u8; 32]]) -> Result<Option<RenditionBuilder>> {
        let key = set.key(sources);
        match directory::read(self.objects(), &key).await {
            Ok(_) => return Ok(None),
            Err(Error::NotFound(_)) => {}
            // Renditions are never repaired, only made again.
            Err(Error::Damaged { .. }) => self.objects().delete(&key).await?,
            Err(error) => return Err(error),
        }
        let object = self.objects().writer(&key).await?;
        let manifest = Manifest { format: FORMAT.into(), version: VERSION, set, renditions: Vec::new() };
        Ok(Some(RenditionBuilder { object, zip: ZipLayout::default(), manifest }))
    }

    /// Deletes the renditions of a study, but for the objects of these names ([`RenditionSet::key`]). Nothing that is
    /// kept is lost. Answers how many objects went.
    ///
    /// # Errors
    /// When the store cannot be listed or written.
    pub async fn delete_renditions(&self, study_instance_uid: &str, but: &[String]) -> Result<u64> {
        let mut deleted = 0;
        for listed in self.objects().list(&directory_of(study_instance_uid)).await? {
            if !but.contains(&listed.key) {
                self.objects().delete(&listed.key).await?;
                deleted += 1;
            }
        }
        Ok(deleted)
    }
}

impl RenditionBuilder {
    /// Adds one; answers the bytes of its entries.
    ///
    /// # Errors
    /// [`Error::Refused`] for a profile that cannot stand in a name; or what the store answers.
    pub async fn add(&mut self, new: NewRendition) -> Result<u64> {
        let NewRendition { record, part10, frames } = new;
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if record.profile.is_empty() || !record.profile.bytes().all(plain) {
            return Err(Error::Refused(format!("{:?} is no name of a profile", record.profile)));
        }
        let (number, frames) = (self.manifest.renditions.len() + 1, Bytes::from(frames.to_bytes()));
        let held_bytes = (part10.len() + frames.len()) as u64;
        let hashed = part10.clone();
        let sha256 = crate::hex(&blocking(move || Sha256::digest(&hashed)).await?);
        let part10_bytes = part10.len() as u64;
        self.entry(&dcm_name(number, &record.profile), part10).await?;
        self.entry(&frames_name(number, &record.profile), frames).await?;
        self.manifest.renditions.push(ManifestRendition { record, part10_bytes, sha256 });
        Ok(held_bytes)
    }

    /// Makes them durable and seen, if there are any.
    ///
    /// # Errors
    /// What the store answers; there is no object then.
    pub async fn finish(mut self) -> Result<()> {
        if self.manifest.renditions.is_empty() {
            return Ok(());
        }
        let json = serde_json::to_vec(&self.manifest).map_err(|e| Error::damaged(MANIFEST_NAME, e.to_string()))?;
        self.entry(MANIFEST_NAME, json.into()).await?;
        self.object.write(self.zip.directory().into()).await?;
        self.object.finish().await?;
        Ok(())
    }

    async fn entry(&mut self, name: &str, bytes: Bytes) -> Result<()> {
        let hashed = bytes.clone();
        let crc32 = blocking(move || crc32fast::hash(&hashed)).await?;
        let header = self.zip.add(name, crc32, bytes.len() as u64)?.local_header();
        self.object.write(header.into()).await?;
        self.object.write(bytes).await
    }
}
