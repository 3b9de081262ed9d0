//! Finding and reading renditions.

use std::ops::Range;

use bytes::Bytes;

use super::{FORMAT, MANIFEST_NAME, Manifest, RenditionKind, RenditionRecord, RenditionSet, VERSION};
use super::{dcm_name, directory_of, frames_name};
use crate::pack::{END_BYTES_MAX, End, ZipEntry, ZipLayout, blocking};
use crate::reader::{Held, Reader};
use crate::{Error, FrameTable, Objects, Result};

/// Read first, from the end: holds the directory and `renditions.json` of some 50 renditions.
const TAIL_BYTES: u64 = 64 << 10;
/// What is no longer than this is checked where the caller stands: a thread would cost more.
const SMALL_BYTES: usize = 64 << 10;
/// The longest directory and `renditions.json` that are read.
const DIRECTORY_BYTES_MAX: u64 = 1 << 28;

/// One rendition, and what is needed to read it.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendition {
    /// What it is.
    pub record: RenditionRecord,
    /// How it was made.
    pub set: RenditionSet,
    /// Bytes of its Part 10 file.
    pub part10_bytes: u64,
    /// SHA-256 of it, in hexadecimal.
    pub sha256: String,
    pub(crate) key: String,
    pub(crate) dcm: ZipEntry,
    pub(super) frames: ZipEntry,
}

impl Reader {
    /// All renditions of a study. Of the same kind of the same instance there is one, the newest. An object that cannot be
    /// read is passed over, for a rendition is never needed; `verify` names it.
    ///
    /// # Errors
    /// When the store cannot be listed.
    pub async fn renditions_of_study(&self, study_instance_uid: &str) -> Result<Vec<Rendition>> {
        let mut found: Vec<Rendition> = Vec::new();
        for listed in self.objects().list(&directory_of(study_instance_uid)).await? {
            match read(self.objects(), &listed.key).await {
                Ok(renditions) => found.extend(renditions),
                Err(error) => {
                    tracing::warn!(key = listed.key, %error, "renditions cannot be read; they are passed over")
                }
            }
        }
        found.sort_by(|a, b| order(a).cmp(&order(b)).then_with(|| b.set.created_at.cmp(&a.set.created_at)));
        found.dedup_by(|a, b| order(a) == order(b));
        Ok(found)
    }

    /// The renditions of one instance.
    ///
    /// # Errors
    /// As [`Reader::renditions_of_study`].
    pub async fn renditions(&self, held: &Held) -> Result<Vec<Rendition>> {
        let file = crate::hex(&held.record.digests.file);
        let mut found = self.renditions_of_study(&held.record.description.study.study_instance_uid).await?;
        found.retain(|rendition| rendition.record.source_file == file);
        Ok(found)
    }

    /// The lossless copy of an instance that a browser can decode, where there is one beside the received file.
    ///
    /// # Errors
    /// As [`Reader::renditions_of_study`].
    pub async fn viewing_copy(&self, held: &Held) -> Result<Option<Rendition>> {
        let found = self.renditions(held).await?;
        Ok(found.into_iter().find(|rendition| rendition.record.kind == RenditionKind::ViewingCopy))
    }

    /// Its Part 10 file, or a range of it (cut to its end).
    ///
    /// # Errors
    /// [`Error::NotFound`] when it was deleted meanwhile; [`Error::Damaged`]; or what the store answers.
    pub async fn read_rendition(&self, rendition: &Rendition, range: Option<Range<u64>>) -> Result<Bytes> {
        let Some(range) = range else { return read_entry(self.objects(), &rendition.key, &rendition.dcm).await };
        let (start, length) = (rendition.dcm.data().start, rendition.part10_bytes);
        let (first, last) = (range.start.min(length), range.end.min(length));
        self.objects().get_range(&rendition.key, start + first..start + last.max(first)).await
    }

    /// Where its frames lie in its Part 10 file.
    ///
    /// # Errors
    /// As [`Reader::read_rendition`].
    pub async fn rendition_frames(&self, rendition: &Rendition) -> Result<FrameTable> {
        FrameTable::from_bytes(&read_entry(self.objects(), &rendition.key, &rendition.frames).await?)
    }
}

/// What makes two renditions the same one, made twice.
fn order(rendition: &Rendition) -> (&str, &str, RenditionKind) {
    let record = &rendition.record;
    (&record.source_sop_instance_uid, &record.source_file, record.kind)
}

/// The bytes of an entry, its CRC-32 checked.
pub(super) async fn read_entry(objects: &Objects, key: &str, entry: &ZipEntry) -> Result<Bytes> {
    let bytes = objects.get_range(key, entry.data()).await?;
    let crc32 = match bytes.len() <= SMALL_BYTES {
        true => crc32fast::hash(&bytes),
        false => {
            let checked = bytes.clone();
            blocking(move || crc32fast::hash(&checked)).await?
        }
    };
    match crc32 == entry.crc32 {
        true => Ok(bytes),
        false => Err(Error::damaged(key, format!("the CRC-32 of its entry {} is not as written", entry.name))),
    }
}

/// Reads the directory of an object of renditions.
pub(super) async fn read(objects: &Objects, key: &str) -> Result<Vec<Rendition>> {
    let wrong = |detail: String| Error::damaged(key, detail);
    let object_bytes = objects.len(key).await?;
    let start = object_bytes - object_bytes.min(TAIL_BYTES);
    let tail = objects.get_range(key, start..object_bytes).await?;
    let end = tail.get(tail.len().saturating_sub(END_BYTES_MAX)..).and_then(|end| End::read(end, object_bytes));
    let end = end.ok_or_else(|| wrong("it does not end as it should; was it cut off?".into()))?;
    if object_bytes - end.central_start > DIRECTORY_BYTES_MAX {
        return Err(wrong("its directory is longer than any is".into()));
    }
    let central = objects.get_range(key, end.central_start..object_bytes).await?;
    let zip =
        ZipLayout::read(&central, &end).ok_or_else(|| wrong("its directory is not one this program wrote".into()))?;
    let (last, entries) = zip.entries().split_last().ok_or_else(|| wrong("it has no entries".into()))?;
    if last.name != MANIFEST_NAME || last.len > DIRECTORY_BYTES_MAX {
        return Err(wrong(format!("its last entry is not {MANIFEST_NAME}")));
    }
    let json = read_entry(objects, key, last).await?;
    let manifest: Manifest = serde_json::from_slice(&json).map_err(|e| wrong(format!("{MANIFEST_NAME}: {e}")))?;
    if manifest.format != FORMAT || manifest.version != VERSION {
        return Err(wrong(format!("{MANIFEST_NAME} is of a version this program does not know; use a newer one")));
    }
    if !key.starts_with(&directory_of(&manifest.set.study_instance_uid))
        || entries.len() != 2 * manifest.renditions.len()
    {
        return Err(wrong(format!("{MANIFEST_NAME} and its entries or its name contradict each other")));
    }
    let joined = manifest.renditions.into_iter().zip(entries.chunks_exact(2)).zip(1..).map(|((of, pair), number)| {
        let [dcm, frames] = pair else { return None };
        let named =
            dcm.name == dcm_name(number, &of.record.profile) && frames.name == frames_name(number, &of.record.profile);
        (named && dcm.len == of.part10_bytes).then(|| Rendition {
            record: of.record,
            set: manifest.set.clone(),
            part10_bytes: of.part10_bytes,
            sha256: of.sha256,
            key: key.to_owned(),
            dcm: dcm.clone(),
            frames: frames.clone(),
        })
    });
    joined.collect::<Option<Vec<_>>>().ok_or_else(|| wrong("an entry is not the one it should be".into()))
}
