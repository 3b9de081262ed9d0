//! Instances found for showing: where their frames lie, in memory, and their bytes by positioned reads.
//!
//! A viewer asks for one frame after another of the same instances. What was found is kept, and is used only as long as the
//! index says the same: the writer counts its commits, and after one the row of an instance is read again before what
//! is kept of it is used. What is in intake, is packed, packed anew or taken away is so at once for every reader.

use std::collections::HashMap;
use std::fs::File;
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::Connection;

use crate::error::{Error, Result};
use crate::index::{self, InstanceRow};
use crate::pack::{HeldForm, InstanceRecord};
use crate::positioned::is_deleted;
use crate::reader::{Held, Reader, Source};
use crate::{FrameTable, Rendition, RenditionKind};

/// Bytes that what was found may take up, about: 14,000 slices of a CT.
const KEPT_BYTES_MAX: usize = 32 << 20;

/// How often the index was changed by the writer of this process.
#[derive(Clone, Debug, Default)]
pub(crate) struct Commits(Arc<AtomicU64>);

impl Commits {
    /// To be called after each commit, and before anybody is told of it.
    pub(crate) fn count(&self) {
        self.0.fetch_add(1, Ordering::AcqRel);
    }
}

/// What tells whether the index has changed.
#[derive(Debug)]
pub(crate) enum Changes {
    /// The writer is in this process.
    Counted(Commits),
    /// It may be in another one: SQLite tells (`PRAGMA data_version`), always on the same connection.
    Asked(Mutex<Option<Connection>>),
}

impl Changes {
    /// Another number than before when anything was committed since. `None` when that cannot be found out.
    fn number(&self, open: impl FnOnce() -> Result<Connection>) -> Option<u64> {
        match self {
            Changes::Counted(Commits(count)) => Some(count.load(Ordering::Acquire)),
            Changes::Asked(connection) => {
                let mut connection = connection.lock().unwrap_or_else(PoisonError::into_inner);
                if connection.is_none() {
                    *connection = open().ok();
                }
                let asked = connection.as_ref()?.pragma_query_value(None, "data_version", |row| row.get::<_, i64>(0));
                asked.ok().map(|version| version as u64)
            }
        }
    }
}

/// A Part 10 file as it is held, or a rendition, to be read by range.
#[derive(Clone, Debug)]
pub struct HeldBytes {
    bytes: u64,
    place: Place,
}

#[derive(Clone, Debug)]
enum Place {
    /// From a byte of a local file on.
    File { file: Arc<File>, start: u64, name: Arc<str> },
    /// From a byte of an object on.
    Object { key: Arc<str>, start: u64 },
    /// An entry of a pack under zstd.
    Compressed { pack: u64, entry: u32 },
}

impl HeldBytes {
    /// How many there are.
    pub fn len(&self) -> u64 {
        self.bytes
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes == 0
    }

    /// Whether a range costs no more than its own bytes: what is compressed is decompressed from its beginning.
    pub fn is_read_in_place(&self) -> bool {
        !matches!(self.place, Place::Compressed { .. })
    }
}

/// An instance, or a rendition of one, and where its frames lie.
#[derive(Debug)]
pub struct Located {
    /// What the instance is.
    pub record: InstanceRecord,
    /// Transfer Syntax UID of the file that the frames are read from.
    pub transfer_syntax_uid: String,
    /// Where the frames lie in that file; empty for what has none.
    pub frames: FrameTable,
    /// SHA-256 of that file: whatever was made of it is told apart by this.
    pub representation: [u8; 32],
    /// What rendition it is, if it is not the instance as held.
    pub rendition: Option<RenditionKind>,
    /// The file.
    pub bytes: HeldBytes,
}

impl Located {
    fn weight(&self) -> usize {
        let each = self.frames.frames.first().map_or(0, |frame| 64 + 8 * frame.resolution_ends.len());
        2048 + each * self.frames.frames.len()
    }
}

/// What was found last: the older half is forgotten when there is too much.
#[derive(Debug)]
pub(crate) struct Kept<K, V> {
    young: HashMap<K, V>,
    old: HashMap<K, V>,
    young_bytes: usize,
}

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Kept { young: HashMap::new(), old: HashMap::new(), young_bytes: 0 }
    }
}

impl<K: std::hash::Hash + Eq, V: Clone> Kept<K, V> {
    fn get<Q: std::hash::Hash + Eq + ?Sized + ToOwned<Owned = K>>(
        &mut self,
        key: &Q,
        weight: impl Fn(&V) -> usize,
    ) -> Option<V>
    where
        K: std::borrow::Borrow<Q>,
    {
        if let Some(found) = self.young.get(key) {
            return Some(found.clone());
        }
        let found = self.old.remove(key)?;
        self.keep(key.to_owned(), found.clone(), weight(&found));
        Some(found)
    }

    fn keep(&mut self, key: K, value: V, weight: usize) {
        self.young_bytes += weight;
        self.young.insert(key, value);
        if self.young_bytes > KEPT_BYTES_MAX / 2 {
            self.old = std::mem::take(&mut self.young);
            self.young_bytes = 0;
        }
    }
}

/// An instance as found, the row it was found by, and the state of the index in which that row was so.
#[derive(Clone, Debug)]
pub(crate) struct Found {
    located: Arc<Located>,
    row: InstanceRow,
    changes: u64,
}

/// What a rendition is asked for by.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct RenditionKey {
    source_file: [u8; 32],
    wanted: Wanted,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Wanted {
    ViewingCopy,
    Representation(Box<str>),
}

/// Both kinds of what was found.
#[derive(Debug, Default)]
pub(crate) struct Places {
    instances: Mutex<Kept<String, Found>>,
    renditions: Mutex<Kept<RenditionKey, Arc<Located>>>,
}

impl Reader {
    /// The listed instance of that study and series, if it is held, and where its frames lie. Found again, it costs no query
    /// unless the index has changed.
    ///
    /// # Errors
    /// When the index, a segment or a pack cannot be read.
    pub async fn locate(&self, study_uid: &str, series_uid: &str, sop_uid: &str) -> Result<Option<Arc<Located>>> {
        let found = self.locate_instance(sop_uid).await?;
        Ok(found.filter(|located| {
            let said = &located.record.description;
            said.study.study_instance_uid == study_uid && said.series.series_instance_uid == series_uid
        }))
    }

    async fn locate_instance(&self, sop_uid: &str) -> Result<Option<Arc<Located>>> {
        // Before the row is read: what is committed from here on makes the answer old.
        let changes = self.changes();
        let kept = lock(&self.places().instances).get(sop_uid, |found| found.located.weight());
        if let (Some(found), Some(changes)) = (&kept, changes)
            && found.changes == changes
        {
            return Ok(Some(Arc::clone(&found.located)));
        }
        let uid = sop_uid.to_owned();
        let rows = self.with_index(move |index| index::lookup(index, &uid)).await?;
        let Some(row) = rows.into_iter().find(|row| !row.variant) else { return Ok(None) };
        let located = match kept.filter(|found| found.row == row) {
            Some(found) => found.located,
            None => {
                let held = self.resolve_row(row).await?;
                if held.record.variant {
                    return Ok(None);
                }
                Arc::new(self.located(held).await?)
            }
        };
        if let Some(changes) = changes {
            let found = Found { located: Arc::clone(&located), row, changes };
            lock(&self.places().instances).keep(sop_uid.to_owned(), found, located.weight());
        }
        Ok(Some(located))
    }

    fn changes(&self) -> Option<u64> {
        self.changes_of_index().number(|| index::open_for_reading(&self.layout().index()))
    }

    /// An instance that was found already, and where its frames lie.
    ///
    /// # Errors
    /// When a segment or a pack cannot be read.
    pub async fn located(&self, held: Held) -> Result<Located> {
        let frames = self.frames(&held).await?;
        let bytes = self.held_bytes(&held)?;
        let representation = self.representation(&held)?;
        let Held { record, transfer_syntax_uid, .. } = held;
        Ok(Located { record, transfer_syntax_uid, frames, representation, rendition: None, bytes })
    }

    /// SHA-256 of the Part 10 file as held.
    ///
    /// # Errors
    /// [`Error::NotFound`] when its pack has no such instance.
    pub fn representation(&self, held: &Held) -> Result<[u8; 32]> {
        match (&held.source, held.form) {
            (Source::Pack { directory, entry }, HeldForm::Packed) => Ok(directory.instance(*entry)?.held_sha256),
            _ => Ok(held.record.digests.file),
        }
    }

    fn held_bytes(&self, held: &Held) -> Result<HeldBytes> {
        let place = match &held.source {
            Source::Segment { segment, offset } => {
                let (file, start) = segment.body_file(*offset)?;
                Place::File { file, start, name: format!("intake record at byte {offset}").into() }
            }
            Source::Pack { directory, entry } if held.form == HeldForm::ReceivedZstd => {
                Place::Compressed { pack: directory.number, entry: *entry }
            }
            Source::Pack { directory, entry } => {
                self.place_in_object(&directory.key, directory.instance(*entry)?.dcm.data().start)?
            }
        };
        Ok(HeldBytes { bytes: held.part10_bytes, place })
    }

    fn place_in_object(&self, key: &str, start: u64) -> Result<Place> {
        Ok(match self.objects().open_file(key)? {
            Some(file) => Place::File { file, start, name: key.into() },
            None => Place::Object { key: key.into(), start },
        })
    }

    /// A range of the file, all of it. At most [`POSITIONED_BYTES_MAX`](crate::POSITIONED_BYTES_MAX) at once come without a
    /// copy of their own.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the file ends before the range does; or when it cannot be read.
    pub async fn read_bytes(&self, of: &HeldBytes, range: Range<u64>) -> Result<Bytes> {
        if range.end > of.bytes || range.start > range.end {
            return Err(Error::damaged("an instance as held", "a range past its end is to be read"));
        }
        match &of.place {
            Place::File { file, start, name } => {
                self.buffers().read(file, start + range.start..start + range.end, name).await
            }
            Place::Object { key, start } => self.objects().get_range(key, start + range.start..start + range.end).await,
            Place::Compressed { pack, entry } => {
                let directory = self.directory(*pack).await?;
                directory.read_part10(self.objects(), *entry, range).await
            }
        }
    }

    /// The viewing copy of an instance, if it has one.
    ///
    /// # Errors
    /// When the store cannot be listed, or the copy not be read.
    pub async fn locate_viewing_copy(&self, source: &Located) -> Result<Option<Arc<Located>>> {
        self.locate_rendition(source, Wanted::ViewingCopy).await
    }

    /// What has this digest (its first hexadecimal digits, 32 of them) among the instance as held and its renditions.
    ///
    /// # Errors
    /// When the store cannot be listed, or the rendition not be read.
    pub async fn locate_representation(&self, source: &Arc<Located>, digest: &str) -> Result<Option<Arc<Located>>> {
        if crate::hex(&source.representation[..16]) == digest {
            return Ok(Some(Arc::clone(source)));
        }
        self.locate_rendition(source, Wanted::Representation(digest.into())).await
    }

    async fn locate_rendition(&self, source: &Located, wanted: Wanted) -> Result<Option<Arc<Located>>> {
        let key = RenditionKey { source_file: source.record.digests.file, wanted };
        let kept = lock(&self.places().renditions).get(&key, |located| located.weight());
        if let Some(located) = kept.filter(|located| is_there(&located.bytes)) {
            return Ok(Some(located));
        }
        let file = crate::hex(&source.record.digests.file);
        let study = &source.record.description.study.study_instance_uid;
        let found = self.renditions_of_study(study).await?.into_iter().find(|rendition| {
            rendition.record.source_file == file
                && match &key.wanted {
                    Wanted::ViewingCopy => rendition.record.kind == RenditionKind::ViewingCopy,
                    Wanted::Representation(digest) => rendition.sha256.starts_with(&**digest),
                }
        });
        let Some(rendition) = found else { return Ok(None) };
        let located = Arc::new(self.located_rendition(source.record.clone(), &rendition).await?);
        lock(&self.places().renditions).keep(key, Arc::clone(&located), located.weight());
        Ok(Some(located))
    }

    async fn located_rendition(&self, record: InstanceRecord, rendition: &Rendition) -> Result<Located> {
        let wrong = || Error::damaged(&rendition.key, "the SHA-256 of a rendition is none");
        let place = self.place_in_object(&rendition.key, rendition.dcm.data().start)?;
        Ok(Located {
            record,
            transfer_syntax_uid: rendition.record.transfer_syntax_uid.clone(),
            frames: self.rendition_frames(rendition).await?,
            representation: crate::unhex(&rendition.sha256).ok_or_else(wrong)?,
            rendition: Some(rendition.record.kind),
            bytes: HeldBytes { bytes: rendition.part10_bytes, place },
        })
    }
}

/// Whether a rendition was not deleted since it was found. In a store that is not local that shows when it is read.
fn is_there(bytes: &HeldBytes) -> bool {
    match &bytes.place {
        Place::File { file, .. } => !is_deleted(file),
        _ => true,
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_again_stays_and_the_rest_is_forgotten() {
        // Proves the bound on memory, and that it falls on what nobody asks for.
        let mut kept: Kept<String, u64> = Kept::default();
        let (each, count) = (1 << 20, 200);
        for number in 0..count {
            kept.keep(format!("{number}"), number, each);
            assert_eq!(kept.get("0", |_| each), Some(0), "after {number}");
            assert!((kept.young.len() + kept.old.len()) * each <= KEPT_BYTES_MAX + 2 * each);
        }
        assert_eq!(kept.get("1", |_| each), None);
        assert_eq!(kept.get(&format!("{}", count - 1), |_| each), Some(count - 1));
    }
}
