//! Reading a pack: its directory once, and then any part of it by range.

use std::collections::HashMap;
use std::io::Read;
use std::ops::Range;

use bytes::Bytes;
use futures::TryStreamExt;
use serde_json::value::RawValue;

use super::manifest::{self, Manifest, ManifestInstance, SeriesDocument};
use super::writer::blocking;
use super::zip::{END_BYTES_MAX, End, ZipEntry, ZipLayout};
use super::{HeldForm, InstanceRecord};
use crate::{Error, FrameTable, Objects, Result};

/// Read first, from the end: holds the directory and `pack.json` of a study of some 50 instances.
const TAIL_BYTES: u64 = 64 << 10;
/// The longest central directory or `pack.json` that is read: about a million instances.
const DIRECTORY_BYTES_MAX: u64 = 1 << 30;
/// The longest array of DICOM JSON that a series may have.
const DOCUMENT_BYTES_MAX: u64 = 1 << 30;

/// One instance in a pack.
#[derive(Clone, Debug, PartialEq)]
pub struct PackInstance {
    /// N: its entries are `N.dcm` and so on. The first is 1.
    pub entry: u32,
    /// What is kept of it for the index.
    pub record: InstanceRecord,
    /// How it is held.
    pub form: HeldForm,
    /// Transfer Syntax UID of the Part 10 file as held.
    pub transfer_syntax_uid: String,
    /// Bytes of the Part 10 file as held; under zstd, of the file inside.
    pub part10_bytes: u64,
    /// Bytes of its entries: file, recipe and frame table.
    pub held_bytes: u64,
    /// SHA-256 of the entry `N.dcm` or `N.dcm.zst`.
    pub held_sha256: [u8; 32],
    /// The entry `N.dcm` or `N.dcm.zst`, and where it lies in the pack.
    pub dcm: ZipEntry,
    recipe: Option<ZipEntry>,
    frames: Option<ZipEntry>,
    /// Index of its series' document, and its place in there.
    document: (u32, usize),
}

/// What is in a pack and where.
#[derive(Clone, Debug, PartialEq)]
pub struct PackDirectory {
    /// Its number.
    pub number: u64,
    /// Its object name.
    pub key: String,
    /// Bytes of the whole pack.
    pub object_bytes: u64,
    /// When it was written, RFC 3339 in UTC.
    pub created_at: String,
    /// Numbers of the packs whose instances it has, also of those that they had replaced; ascending.
    pub replaces: Vec<u64>,
    /// The one study of all its instances.
    pub study_instance_uid: String,
    /// The instances; N of the first is 1.
    pub instances: Vec<PackInstance>,
    series: Vec<(SeriesDocument, ZipEntry)>,
    zip: ZipLayout,
}

/// Reads the directory of a pack: one range for a small pack, three for a large one.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Damaged`] when the object is not a whole pack of a version this program knows, or not the
/// one its name says; or what the store answers.
pub async fn read_directory(objects: &Objects, key: &str) -> Result<PackDirectory> {
    let object_bytes = objects.len(key).await?;
    let start = object_bytes - object_bytes.min(TAIL_BYTES);
    let tail = Tail { start, bytes: objects.get_range(key, start..object_bytes).await? };
    let end = tail.bytes.get(tail.bytes.len().saturating_sub(END_BYTES_MAX)..);
    let end = end.and_then(|end| End::read(end, object_bytes));
    let end = end.ok_or_else(|| damaged(key, "it does not end as a pack does; was it cut off?"))?;

    let central = tail.read(objects, key, end.central_start..object_bytes).await?;
    let zip = blocking(move || ZipLayout::read(&central, &end)).await?;
    let zip = zip.ok_or_else(|| damaged(key, "its central directory is not one this program wrote"))?;
    let last = zip.entries().last().filter(|entry| entry.name == manifest::NAME);
    let last = last.ok_or_else(|| damaged(key, "its last entry is not pack.json"))?;
    let json = tail.read(objects, key, last.data()).await?;
    check_crc32(key, last, &json)?;
    let parse = move || serde_json::from_slice::<Manifest>(&json);
    let manifest = blocking(parse).await?.map_err(|error| damaged(key, format!("pack.json: {error}")))?;
    PackDirectory::new(key, object_bytes, zip, manifest)
}

/// Whether the object does not end as a pack does: only its first bytes are there.
pub(crate) async fn is_cut_off(objects: &Objects, key: &str) -> Result<bool> {
    let object_bytes = objects.len(key).await?;
    let end = object_bytes - object_bytes.min(END_BYTES_MAX as u64);
    Ok(End::read(&objects.get_range(key, end..object_bytes).await?, object_bytes).is_none())
}

impl PackDirectory {
    /// Joins what `pack.json` says with what the ZIP holds; nothing may be missing on either side.
    pub(super) fn new(key: &str, object_bytes: u64, zip: ZipLayout, manifest: Manifest) -> Result<PackDirectory> {
        if !manifest.is_known() {
            return Err(damaged(key, "pack.json is of a version this program does not know; use a newer one"));
        }
        if super::key(manifest.number) != key {
            return Err(damaged(key, format!("it says that it is pack {}", manifest.number)));
        }
        let mut entries = Entries::new(key, &zip)?;
        entries.take(manifest::NAME)?;
        let mut series = Vec::with_capacity(manifest.series.len());
        for (index, document) in manifest.series.iter().enumerate() {
            series.push((document.clone(), entries.take(&manifest::series_name(index))?));
        }
        let mut places = vec![0; series.len()];
        let mut instances = Vec::with_capacity(manifest.instances.len());
        for (instance, entry) in manifest.instances.iter().zip(1..) {
            let record = manifest.record(instance);
            let record = record.ok_or_else(|| damaged(key, format!("pack.json: instance {entry} is incomplete")))?;
            instances.push(entries.instance(entry, instance, record, &mut places)?);
        }
        if places.iter().zip(&series).any(|(count, (document, _))| *count != document.instances as usize) {
            return Err(damaged(key, "pack.json: a series has not as many instances as it says"));
        }
        if let Some(name) = entries.by_name.keys().next() {
            return Err(damaged(key, format!("its entry {name} is not in pack.json")));
        }
        let Manifest { number, study_instance_uid, created_at, replaces, .. } = manifest;
        if replaces.iter().any(|&replaced| replaced == 0 || replaced >= number) {
            return Err(damaged(key, "pack.json: it says that it replaces a pack which did not come before it"));
        }
        let key = key.to_owned();
        Ok(PackDirectory {
            number,
            key,
            object_bytes,
            created_at,
            replaces,
            study_instance_uid,
            instances,
            series,
            zip,
        })
    }

    /// Instance N.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the pack has fewer.
    pub fn instance(&self, entry: u32) -> Result<&PackInstance> {
        let found = entry.checked_sub(1).and_then(|index| self.instances.get(index as usize));
        found.ok_or_else(|| Error::NotFound(format!("instance {entry} of {}", self.key)))
    }

    /// A range of the Part 10 file as held, cut to its end. Under zstd everything before it is decompressed too.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what the store answers.
    pub async fn read_part10(&self, objects: &Objects, entry: u32, range: Range<u64>) -> Result<Bytes> {
        let instance = self.instance(entry)?;
        let end = range.end.min(instance.part10_bytes);
        let range = range.start.min(end)..end;
        if instance.form != HeldForm::ReceivedZstd {
            let start = instance.dcm.data().start;
            return objects.get_range(&self.key, start + range.start..start + range.end).await;
        }
        let compressed = self.read_entry(objects, &instance.dcm).await?;
        let inside = blocking(move || decompress(&compressed, range)).await?;
        inside.map_err(|detail| damaged(&self.key, format!("{}: {detail}", instance.dcm.name)))
    }

    /// A range of the entry `N.dcm` or `N.dcm.zst` as it is, cut to its end.
    ///
    /// # Errors
    /// [`Error::NotFound`], or what the store answers.
    pub async fn read_held(&self, objects: &Objects, entry: u32, range: Range<u64>) -> Result<Bytes> {
        let dcm = &self.instance(entry)?.dcm;
        let (start, end) = (dcm.data().start, range.end.min(dcm.len));
        objects.get_range(&self.key, start + range.start.min(end)..start + end).await
    }

    /// What rebuilds the received file; `None` unless the instance is packed.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what the store answers.
    pub async fn read_recipe(&self, objects: &Objects, entry: u32) -> Result<Option<Bytes>> {
        match &self.instance(entry)?.recipe {
            Some(recipe) => self.read_entry(objects, recipe).await.map(Some),
            None => Ok(None),
        }
    }

    /// Where the frames lie in the Part 10 file as held; empty for what has none.
    ///
    /// # Errors
    /// [`Error::Damaged`], or what the store answers.
    pub async fn read_frames(&self, objects: &Objects, entry: u32) -> Result<FrameTable> {
        match &self.instance(entry)?.frames {
            Some(frames) => FrameTable::from_bytes(&self.read_entry(objects, frames).await?),
            None => Ok(FrameTable::default()),
        }
    }

    /// Where the DICOM JSON of an instance is: the index of its series' document, and its place in the array.
    ///
    /// # Errors
    /// [`Error::NotFound`] when the pack has no such instance.
    pub fn document_of(&self, entry: u32) -> Result<(u32, usize)> {
        Ok(self.instance(entry)?.document)
    }

    /// How many series documents there are.
    pub fn documents(&self) -> u32 {
        self.series.len() as u32
    }

    /// Series Instance UID of a document.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no document of that index.
    pub fn document_series(&self, document: u32) -> Result<&str> {
        Ok(&self.document(document)?.0.series_instance_uid)
    }

    /// The document of a series as it is kept: one JSON array under zstd, ready to send.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::NotFound`], or what the store answers.
    pub async fn read_document_zstd(&self, objects: &Objects, document: u32) -> Result<Bytes> {
        self.read_entry(objects, &self.document(document)?.1).await
    }

    /// The DICOM JSON objects of a series, each as it was given.
    ///
    /// # Errors
    /// [`Error::Damaged`], [`Error::NotFound`], or what the store answers.
    pub async fn read_documents(&self, objects: &Objects, document: u32) -> Result<Vec<Bytes>> {
        let (series, entry) = self.document(document)?;
        let failed = |detail: String| damaged(&self.key, format!("{}: {detail}", entry.name));
        if series.json_bytes > DOCUMENT_BYTES_MAX {
            return Err(failed(format!("{} bytes of metadata are more than is read", series.json_bytes)));
        }
        let compressed = self.read_entry(objects, entry).await?;
        let (bytes, count) = (series.json_bytes, series.instances as usize);
        let read = move || split_array(decompress(&compressed, 0..bytes)?);
        let documents = blocking(read).await?.map_err(failed)?;
        if documents.len() != count {
            return Err(failed(format!("it has {} objects instead of {count}", documents.len())));
        }
        Ok(documents)
    }

    /// Reads the whole pack and compares every local header and CRC-32 with the directory.
    ///
    /// # Errors
    /// [`Error::Damaged`] naming the first entry that is wrong; or what the store answers.
    pub async fn verify(&self, objects: &Objects) -> Result<()> {
        let mut bytes = Bytestream { stream: objects.stream(&self.key).await?, held: Bytes::new() };
        for entry in self.zip.entries() {
            let wrong =
                |what: &str| damaged(&self.key, format!("{} of its entry {} is not as written", what, entry.name));
            let mut header = Vec::new();
            bytes.next(entry.data().start - entry.offset, |block| header.extend_from_slice(block)).await?;
            if header != entry.local_header() {
                return Err(wrong("the header"));
            }
            let mut crc32 = crc32fast::Hasher::new();
            let read = bytes.next(entry.len, |block| crc32.update(block)).await?;
            if read != entry.len || crc32.finalize() != entry.crc32 {
                return Err(wrong("the CRC-32"));
            }
        }
        Ok(())
    }

    fn document(&self, document: u32) -> Result<&(SeriesDocument, ZipEntry)> {
        let found = self.series.get(document as usize);
        found.ok_or_else(|| Error::NotFound(format!("series document {document} of {}", self.key)))
    }

    async fn read_entry(&self, objects: &Objects, entry: &ZipEntry) -> Result<Bytes> {
        let bytes = objects.get_range(&self.key, entry.data()).await?;
        check_crc32(&self.key, entry, &bytes)?;
        Ok(bytes)
    }
}

/// The entries of a ZIP that nothing has claimed yet.
struct Entries<'a> {
    key: &'a str,
    by_name: HashMap<&'a str, &'a ZipEntry>,
}

impl<'a> Entries<'a> {
    fn new(key: &'a str, zip: &'a ZipLayout) -> Result<Entries<'a>> {
        let by_name: HashMap<_, _> = zip.entries().iter().map(|entry| (entry.name.as_str(), entry)).collect();
        if by_name.len() != zip.entries().len() {
            return Err(damaged(key, "two of its entries have the same name"));
        }
        Ok(Entries { key, by_name })
    }

    fn take(&mut self, name: &str) -> Result<ZipEntry> {
        self.take_if_there(name).ok_or_else(|| damaged(self.key, format!("its entry {name} is not there")))
    }

    fn take_if_there(&mut self, name: &str) -> Option<ZipEntry> {
        self.by_name.remove(name).cloned()
    }

    fn instance(
        &mut self,
        entry: u32,
        instance: &ManifestInstance,
        record: InstanceRecord,
        places: &mut [usize],
    ) -> Result<PackInstance> {
        let wrong = |what: &str| damaged(self.key, format!("pack.json: instance {entry}: {what}"));
        let place = places.get_mut(instance.series as usize).ok_or_else(|| wrong("its series is not there"))?;
        let document = (instance.series, *place);
        *place += 1;
        let held_sha256 = crate::unhex(&instance.held_sha256).ok_or_else(|| wrong("its SHA-256 is none"))?;
        if instance.form == HeldForm::Intake {
            return Err(wrong("the form is not one of a pack"));
        }
        let dcm = self.take(&manifest::dcm_name(entry, instance.form))?;
        if instance.form != HeldForm::ReceivedZstd && dcm.len != instance.part10_bytes {
            return Err(damaged(self.key, format!("its entry {} is not as long as pack.json says", dcm.name)));
        }
        let recipe = match instance.form {
            HeldForm::Packed => Some(self.take(&format!("{entry}.recipe"))?),
            _ => None,
        };
        let frames = self.take_if_there(&format!("{entry}.frames"));
        let extra = [&recipe, &frames].into_iter().flatten().map(|entry| entry.len).sum::<u64>();
        Ok(PackInstance {
            entry,
            record,
            form: instance.form,
            transfer_syntax_uid: instance.transfer_syntax_uid.clone(),
            part10_bytes: instance.part10_bytes,
            held_bytes: dcm.len + extra,
            held_sha256,
            dcm,
            recipe,
            frames,
            document,
        })
    }
}

/// The end of the object, read already.
struct Tail {
    start: u64,
    bytes: Bytes,
}

impl Tail {
    /// The range, from what is here or else from the store.
    async fn read(&self, objects: &Objects, key: &str, range: Range<u64>) -> Result<Bytes> {
        if range.end - range.start > DIRECTORY_BYTES_MAX {
            return Err(damaged(key, "its directory is longer than 1 GiB"));
        }
        match range.start.checked_sub(self.start) {
            Some(from) => {
                let len = (range.end - range.start) as usize;
                let inside = self.bytes.get(from as usize..).and_then(|rest| rest.get(..len));
                inside.map(|bytes| self.bytes.slice_ref(bytes)).ok_or_else(|| damaged(key, "it ends early"))
            }
            None => objects.get_range(key, range).await,
        }
    }
}

/// A stream of blocks, taken by number of bytes.
struct Bytestream {
    stream: futures::stream::BoxStream<'static, Result<Bytes>>,
    held: Bytes,
}

impl Bytestream {
    /// Hands on the next `wanted` bytes, and answers how many there were.
    async fn next(&mut self, wanted: u64, mut take: impl FnMut(&[u8])) -> Result<u64> {
        let mut taken = 0;
        while taken < wanted {
            if self.held.is_empty() {
                match self.stream.try_next().await? {
                    Some(block) => self.held = block,
                    None => break,
                }
            }
            let count = (wanted - taken).min(self.held.len() as u64);
            take(&self.held.split_to(count as usize));
            taken += count;
        }
        Ok(taken)
    }
}

fn damaged(key: &str, detail: impl Into<String>) -> Error {
    Error::damaged(format!("pack {key}"), detail)
}

fn check_crc32(key: &str, entry: &ZipEntry, bytes: &[u8]) -> Result<()> {
    if crc32fast::hash(bytes) != entry.crc32 {
        return Err(damaged(key, format!("the CRC-32 of its entry {} is not that of its bytes", entry.name)));
    }
    Ok(())
}

/// The bytes of a range of what was compressed; all of them must be there.
fn decompress(compressed: &[u8], range: Range<u64>) -> std::result::Result<Bytes, String> {
    let mut decoder = zstd::Decoder::with_buffer(compressed).map_err(|error| format!("zstd: {error}"))?;
    std::io::copy(&mut (&mut decoder).take(range.start), &mut std::io::sink())
        .map_err(|error| format!("zstd: {error}"))?;
    let wanted = range.end.saturating_sub(range.start);
    let mut out = Vec::new();
    decoder.take(wanted).read_to_end(&mut out).map_err(|error| format!("zstd: {error}"))?;
    if out.len() as u64 != wanted {
        return Err(format!("it ends {} bytes early", wanted - out.len() as u64));
    }
    Ok(out.into())
}

/// The items of a JSON array, as they stand in it.
fn split_array(json: Bytes) -> std::result::Result<Vec<Bytes>, String> {
    let items: Vec<&RawValue> = serde_json::from_slice(&json).map_err(|error| error.to_string())?;
    Ok(items.into_iter().map(|item| json.slice_ref(item.get().as_bytes())).collect())
}
