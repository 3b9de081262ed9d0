//! Writing a pack, entry by entry; nothing of it is seen before it is whole and durable.

use std::ops::Range;

use bytes::Bytes;
use futures::future::BoxFuture;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};

use super::directory::PackDirectory;
use super::manifest::{self, HeldAs, Manifest};
use super::zip::ZipLayout;
use super::{HeldForm, InstanceRecord, NUMBER_MAX, key};
use crate::{Error, FrameTable, ObjectWriter, Objects, Result};

/// Bytes read, hashed and written at a time.
const CHUNK_BYTES: u64 = 4 << 20;
/// zstd level of the series documents: written once, sent many times.
const ZSTD_LEVEL: i32 = 9;

/// Reads a range of the bytes of a file that is not in memory.
pub type ReadRange<'a> = dyn Fn(Range<u64>) -> BoxFuture<'a, Result<Bytes>> + Send + Sync + 'a;

/// The bytes of the entry `N.dcm` or `N.dcm.zst`.
pub enum PackData<'a> {
    /// In memory.
    Memory(Bytes),
    /// Elsewhere: read twice, once for CRC-32 and SHA-256, which go before the bytes, and once to copy them.
    Ranged {
        /// How many there are.
        len: u64,
        /// Where from.
        read: &'a ReadRange<'a>,
    },
}

/// An instance to go into a pack.
pub struct NewInstance<'a> {
    /// What is kept of it for the index.
    pub record: InstanceRecord,
    /// How it is held: anything but [`HeldForm::Intake`].
    pub form: HeldForm,
    /// Transfer Syntax UID of the Part 10 file as held.
    pub transfer_syntax_uid: String,
    /// Bytes of the Part 10 file as held: those of `data`, or what they decompress to.
    pub part10_bytes: u64,
    /// The Part 10 file as held, or its zstd frame.
    pub data: PackData<'a>,
    /// What rebuilds the received file; with [`HeldForm::Packed`], and only then.
    pub recipe: Option<Bytes>,
    /// Where the frames lie in the Part 10 file as held.
    pub frames: FrameTable,
    /// Its metadata, one DICOM JSON object (PS3.18 Annex F).
    pub dicom_json: Bytes,
}

/// A pack being written. Dropped before [`PackWriter::finish`], it never was.
pub struct PackWriter {
    key: String,
    object: ObjectWriter,
    zip: ZipLayout,
    manifest: Manifest,
    /// The DICOM JSON arrays in the making, without their last bracket.
    documents: Vec<Vec<u8>>,
    /// An entry was begun and not finished: what follows would lie elsewhere than the directory says.
    torn: bool,
}

impl PackWriter {
    /// Begins pack `number` of a study. The same instances added in the same order give the same bytes.
    ///
    /// # Errors
    /// [`Error::Refused`] when there is a pack of that number; or what the store answers.
    pub async fn begin(
        objects: &Objects,
        number: u64,
        study_instance_uid: &str,
        created_at: &str,
    ) -> Result<PackWriter> {
        if number > NUMBER_MAX {
            return Err(Error::Refused(format!("{number} has more digits than the number of a pack")));
        }
        let key = key(number);
        let object = objects.writer(&key).await?;
        let manifest = Manifest::new(number, study_instance_uid, created_at);
        Ok(PackWriter { key, object, zip: ZipLayout::default(), manifest, documents: Vec::new(), torn: false })
    }

    /// Adds an instance; answers the bytes of its entries.
    ///
    /// # Errors
    /// [`Error::Refused`] for an instance of another study or one that contradicts itself, and then the pack can go on;
    /// or what its source or the store answers, and then it cannot.
    pub async fn add(&mut self, instance: NewInstance<'_>) -> Result<u64> {
        let NewInstance { record, form, transfer_syntax_uid, part10_bytes, data, recipe, frames, dicom_json } =
            instance;
        let refused = |why: &str| {
            let uid = &record.description.instance.sop_instance_uid;
            Error::Refused(format!("instance {uid} cannot go into {}: {why}", self.key))
        };
        let json = json_object(&dicom_json).ok_or_else(|| refused("its metadata is not one JSON object"))?;
        if record.description.study.study_instance_uid != self.manifest.study_instance_uid {
            return Err(refused("it is of another study"));
        }
        if form == HeldForm::Intake || recipe.is_some() != (form == HeldForm::Packed) {
            return Err(refused("a recipe goes with the packed form, and only with it"));
        }
        if form != HeldForm::ReceivedZstd && part10_bytes != data.len() {
            return Err(refused("its file is not as long as said"));
        }
        let frames = frame_bytes(&frames).ok_or_else(|| refused("its frame table is uneven or too long"))?;
        let entry = u32::try_from(self.manifest.instances.len() + 1).map_err(|_| refused("the pack is full"))?;

        let (sha256, mut held_bytes) = (self.entry(&manifest::dcm_name(entry, form), &data).await?, data.len());
        for (name, bytes) in [("recipe", recipe), ("frames", frames)] {
            let Some(bytes) = bytes else { continue };
            held_bytes += bytes.len() as u64;
            self.entry(&format!("{entry}.{name}"), &PackData::Memory(bytes)).await?;
        }
        let series = self.manifest.add(record, HeldAs { form, transfer_syntax_uid, part10_bytes, sha256 });
        self.append_json(series as usize, json);
        Ok(held_bytes)
    }

    /// Says whose instances it has: those packs need not be kept.
    ///
    /// # Errors
    /// [`Error::Refused`] for a pack that did not come before this one.
    pub fn replace(&mut self, mut packs: Vec<u64>) -> Result<()> {
        packs.sort_unstable();
        packs.dedup();
        if packs.iter().any(|&pack| pack == 0 || pack >= self.manifest.number) {
            return Err(Error::Refused(format!("{} cannot replace packs {packs:?}", self.key)));
        }
        self.manifest.replaces = packs;
        Ok(())
    }

    /// Instances added so far.
    pub fn instances(&self) -> usize {
        self.manifest.instances.len()
    }

    /// Bytes of the pack so far, without the documents and the directory that [`PackWriter::finish`] adds.
    pub fn written(&self) -> u64 {
        self.zip.end()
    }

    /// Writes the series documents, `pack.json` and the central directory; on return the pack is durable and seen.
    ///
    /// # Errors
    /// [`Error::Refused`] for a pack without instances or one that failed before; or what the store answers.
    pub async fn finish(mut self) -> Result<PackDirectory> {
        if self.manifest.instances.is_empty() {
            return Err(Error::Refused(format!("{} would be empty", self.key)));
        }
        for (index, mut document) in std::mem::take(&mut self.documents).into_iter().enumerate() {
            document.push(b']');
            self.manifest.series[index].json_bytes = document.len() as u64;
            let compressed = blocking(move || zstd::bulk::compress(&document, ZSTD_LEVEL)).await?;
            let compressed = compressed.map_err(|error| Error::Refused(format!("zstd of metadata: {error}")))?;
            self.entry(&manifest::series_name(index), &PackData::Memory(compressed.into())).await?;
        }
        let json = serde_json::to_vec(&self.manifest).map_err(|error| Error::Refused(format!("pack.json: {error}")))?;
        self.entry(manifest::NAME, &PackData::Memory(json.into())).await?;
        self.object.write(self.zip.directory().into()).await?;
        let object_bytes = self.object.finish().await?;
        PackDirectory::new(&self.key, object_bytes, self.zip, self.manifest)
    }

    /// Writes one entry; answers its SHA-256.
    async fn entry(&mut self, name: &str, data: &PackData<'_>) -> Result<[u8; 32]> {
        if self.torn {
            return Err(Error::Refused(format!("{} was given up after a failed write", self.key)));
        }
        self.torn = true;
        let sums = data.sums().await?;
        let header = self.zip.add(name, sums.crc32.clone().finalize(), data.len())?.local_header();
        self.object.write(header.into()).await?;
        match data {
            PackData::Memory(bytes) => self.object.write(bytes.clone()).await?,
            PackData::Ranged { .. } => self.copy(data, &sums).await?,
        }
        self.torn = false;
        Ok(sums.sha256.finalize().into())
    }

    async fn copy(&mut self, data: &PackData<'_>, expected: &Sums) -> Result<()> {
        let mut crc32 = crc32fast::Hasher::new();
        for range in chunks(data.len()) {
            let bytes = data.read(range).await?;
            crc32.update(&bytes);
            self.object.write(bytes).await?;
        }
        if crc32.finalize() != expected.crc32.clone().finalize() {
            return Err(Error::damaged("an instance on its way into a pack", "read twice, its bytes differed"));
        }
        Ok(())
    }

    fn append_json(&mut self, series: usize, json: &str) {
        if self.documents.len() <= series {
            self.documents.resize_with(series + 1, Vec::new);
        }
        let document = &mut self.documents[series];
        document.push(if document.is_empty() { b'[' } else { b',' });
        document.extend_from_slice(json.as_bytes());
    }
}

impl PackData<'_> {
    fn len(&self) -> u64 {
        match self {
            PackData::Memory(bytes) => bytes.len() as u64,
            PackData::Ranged { len, .. } => *len,
        }
    }

    async fn read(&self, range: Range<u64>) -> Result<Bytes> {
        match self {
            PackData::Memory(bytes) => Ok(bytes.slice(range.start as usize..range.end as usize)),
            PackData::Ranged { read, .. } => {
                let wanted = range.end - range.start;
                let bytes = read(range).await?;
                if bytes.len() as u64 != wanted {
                    return Err(Error::damaged("an instance on its way into a pack", "it ends early"));
                }
                Ok(bytes)
            }
        }
    }

    async fn sums(&self) -> Result<Sums> {
        let mut sums = Sums::default();
        for range in chunks(self.len()) {
            let bytes = self.read(range).await?;
            sums = blocking(move || sums.with(&bytes)).await?;
        }
        Ok(sums)
    }
}

/// What is known of an entry before it is written.
#[derive(Clone, Default)]
struct Sums {
    crc32: crc32fast::Hasher,
    sha256: Sha256,
}

impl Sums {
    fn with(mut self, bytes: &[u8]) -> Sums {
        self.crc32.update(bytes);
        self.sha256.update(bytes);
        self
    }
}

fn chunks(len: u64) -> impl Iterator<Item = Range<u64>> {
    (0..len.div_ceil(CHUNK_BYTES)).map(move |n| n * CHUNK_BYTES..((n + 1) * CHUNK_BYTES).min(len))
}

/// The bytes of the table; `None` inside for one without frames, which has no entry.
fn frame_bytes(table: &FrameTable) -> Option<Option<Bytes>> {
    let Some(first) = table.frames.first() else { return Some(None) };
    let resolutions = first.resolution_ends.len();
    let even = table.frames.iter().all(|frame| frame.resolution_ends.len() == resolutions);
    let fits = u16::try_from(resolutions).is_ok() && u32::try_from(table.frames.len()).is_ok();
    (even && fits).then(|| Some(table.to_bytes().into()))
}

/// The one JSON object in the bytes, as it stands, without white space around it.
fn json_object(bytes: &[u8]) -> Option<&str> {
    let json: &RawValue = serde_json::from_slice(bytes).ok()?;
    Some(json.get()).filter(|json| json.starts_with('{'))
}

/// Runs work that takes the processor for long beside the threads that answer.
pub(crate) async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.map_err(|error| Error::Refused(format!("work on a pack was stopped: {error}")))
}
