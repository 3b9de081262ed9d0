//! The read side of the archive: finds, and reads bytes as they are held. Viewers hold this and nothing else.

mod held;
mod kept;

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use rusqlite::Connection;

use crate::batches;
use crate::error::{Error, Result};
use crate::event_log::EventLog;
use crate::index::{
    self, InstanceRow, ListQuery, PackRow, PatientRow, Place, Query, Repackable, SeriesRow, StudyList, StudyRow,
};
use crate::intake::SegmentReader;
use crate::layout::Layout;
use crate::located::{Changes, Commits, Places};
use crate::objects::Objects;
use crate::pack::{self, PackDirectory};
use crate::positioned::Buffers;
use crate::quarantine::{self, QuarantineState, Quarantined};
use crate::{FrameTable, Receipt};

pub use self::held::Held;
pub(crate) use self::held::Source;
use self::held::{held_in_pack, held_in_segment};
use self::kept::{Directories, Documents, SeriesKey};

/// Finds and reads. Clones share their caches.
#[derive(Clone, Debug)]
pub struct Reader {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    layout: Layout,
    objects: Objects,
    connections: Mutex<Vec<Connection>>,
    directories: Mutex<Directories>,
    documents: Mutex<Documents>,
    changes: Changes,
    places: Places,
    buffers: Buffers,
}

/// A study that has instances in intake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BacklogStudy {
    /// Its Study Instance UID.
    pub study_instance_uid: String,
    /// Instances of it in intake.
    pub instances: u64,
    /// Their bytes as received.
    pub received_bytes: u64,
    /// When the newest instance of the study came, RFC 3339 in UTC.
    pub last_received_at: String,
}

impl Reader {
    /// `commits`: the count of the writer in this process; `None` where another process may write.
    pub(crate) fn new(layout: Layout, objects: Objects, commits: Option<Commits>) -> Reader {
        let buffers = objects.buffers();
        let shared = Shared {
            layout,
            objects,
            connections: Mutex::default(),
            directories: Mutex::default(),
            documents: Mutex::default(),
            changes: commits.map_or_else(|| Changes::Asked(Mutex::default()), Changes::Counted),
            places: Places::default(),
            buffers,
        };
        Reader { shared: Arc::new(shared) }
    }

    /// Opens an archive for reading only, beside the process that writes it, if any.
    ///
    /// # Errors
    /// [`Error::NotFound`] when there is no archive in `dir`, or its index was deleted.
    pub fn open(dir: &Path) -> Result<Reader> {
        let layout = Layout::new(dir).map_err(Error::io("finding the archive", dir))?;
        if !layout.index().exists() {
            return Err(Error::NotFound(format!("an archive with an index in {}", dir.display())));
        }
        let objects = Objects::local(&layout.objects())?;
        Ok(Reader::new(layout, objects, None))
    }

    /// Where the archive's things are.
    pub fn layout(&self) -> &Layout {
        &self.shared.layout
    }

    pub(crate) fn objects(&self) -> &Objects {
        &self.shared.objects
    }

    pub(crate) fn changes_of_index(&self) -> &Changes {
        &self.shared.changes
    }

    pub(crate) fn places(&self) -> &Places {
        &self.shared.places
    }

    pub(crate) fn buffers(&self) -> &Buffers {
        &self.shared.buffers
    }

    /// Runs a query on a connection of its own, off the async threads.
    pub(crate) async fn with_index<T: Send + 'static>(
        &self,
        query: impl FnOnce(&Connection) -> Result<T> + Send + 'static,
    ) -> Result<T> {
        let shared = Arc::clone(&self.shared);
        let run = move || {
            let idle = lock(&shared.connections).pop();
            let connection = match idle {
                Some(connection) => connection,
                None => index::open_for_reading(&shared.layout.index())?,
            };
            let answer = query(&connection);
            lock(&shared.connections).push(connection);
            answer
        };
        tokio::task::spawn_blocking(run).await.map_err(|e| Error::Poisoned(e.to_string()))?
    }

    /// Patients of the studies that match, by (issuer, Patient ID), in the order of these; counts are of those studies.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn search_patients(&self, query: Query) -> Result<Vec<PatientRow>> {
        self.with_index(move |index| index::search_patients(index, &query)).await
    }

    /// Studies that match, in the query's order.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn search_studies(&self, query: Query) -> Result<Vec<StudyRow>> {
        self.with_index(move |index| index::search_studies(index, &query)).await
    }

    /// Series that match, grouped by study.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn search_series(&self, query: Query) -> Result<Vec<SeriesRow>> {
        self.with_index(move |index| index::search_series(index, &query)).await
    }

    /// Studies that match, in the query's order, and how many more do after these, counted up to `count_max`.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn study_page(&self, query: Query, count_max: u32) -> Result<(Vec<StudyRow>, u32)> {
        self.with_index(move |index| index::study_page(index, &query, count_max)).await
    }

    /// A page of a list of studies, with what a person wants to know of each.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn list_studies(&self, query: ListQuery) -> Result<StudyList> {
        self.with_index(move |index| index::list_studies(index, &query)).await
    }

    /// The centres that studies came from, sorted; 1,000 at the most.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn centres(&self) -> Result<Vec<String>> {
        self.with_index(index::centres).await
    }

    /// How many series match after the query's offset, counted up to its limit.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn count_series(&self, query: Query) -> Result<u32> {
        self.with_index(move |index| index::count_series(index, &query)).await
    }

    /// How many patients have studies that match after the query's offset, counted up to its limit.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn count_patients(&self, query: Query) -> Result<u32> {
        self.with_index(move |index| index::count_patients(index, &query)).await
    }

    /// The listed instance of a study, or of one of its series, that was taken in first.
    ///
    /// # Errors
    /// When the index, a segment or a pack cannot be read.
    pub async fn first_instance(&self, study_uid: &str, series_uid: Option<&str>) -> Result<Option<Held>> {
        let (study, series) = (study_uid.to_owned(), series_uid.map(str::to_owned));
        let row = self.with_index(move |index| index::first_of(index, &study, series.as_deref())).await?;
        Ok(self.resolve_all(row.into_iter().collect()).await?.pop())
    }

    /// The instances of a study, or of one of its series: by series, then Instance Number, then as taken in. Variants
    /// are left out. Empty when nothing of that name is held.
    ///
    /// # Errors
    /// When the index, a segment or a pack cannot be read.
    pub async fn instances(&self, study_instance_uid: &str, series_instance_uid: Option<&str>) -> Result<Vec<Held>> {
        let (study, series) = (study_instance_uid.to_owned(), series_instance_uid.map(str::to_owned));
        let rows = self
            .with_index(move |index| index::instances_of(index, &study, series.as_deref(), index::Which::Listed))
            .await?;
        let mut held = self.resolve_all(rows).await?;
        held.sort_by_cached_key(|held| {
            let description = &held.record.description;
            (
                description.series.series_number,
                description.series.series_instance_uid.clone(),
                description.instance.instance_number,
                held.record.sequence,
            )
        });
        Ok(held)
    }

    /// One instance, if it is held and is of that study and series.
    ///
    /// # Errors
    /// When the index, a segment or a pack cannot be read.
    pub async fn instance(&self, study_uid: &str, series_uid: &str, sop_instance_uid: &str) -> Result<Option<Held>> {
        let found = self.find(sop_instance_uid).await?;
        Ok(found.filter(|held| {
            let description = &held.record.description;
            description.study.study_instance_uid == study_uid && description.series.series_instance_uid == series_uid
        }))
    }

    /// The listed instance of a SOP Instance UID, if one is held.
    ///
    /// # Errors
    /// When the index, a segment or a pack cannot be read.
    pub async fn find(&self, sop_instance_uid: &str) -> Result<Option<Held>> {
        Ok(self.find_all(sop_instance_uid).await?.into_iter().find(|held| !held.record.variant))
    }

    /// Every instance of a SOP Instance UID: the listed one first, then its variants.
    ///
    /// # Errors
    /// When the index, a segment or a pack cannot be read.
    pub async fn find_all(&self, sop_instance_uid: &str) -> Result<Vec<Held>> {
        let uid = sop_instance_uid.to_owned();
        let rows = self.with_index(move |index| index::lookup(index, &uid)).await?;
        self.resolve_all(rows).await
    }

    /// Everything held, variants included, as taken in, from after `sequence` on: for walking through all of it.
    ///
    /// # Errors
    /// When the index, a segment or a pack cannot be read.
    pub async fn walk(&self, after_sequence: u64, limit: u32) -> Result<Vec<Held>> {
        let rows = self.with_index(move |index| index::walk(index, after_sequence, limit)).await?;
        self.resolve_all(rows).await
    }

    /// Studies that have instances in intake, the longest quiet first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn backlog(&self, limit: u32) -> Result<Vec<BacklogStudy>> {
        self.with_index(move |index| index::backlog(index, limit)).await
    }

    /// The instances of a study that are in intake, as taken in, variants included; at most about `bytes_max` of them.
    ///
    /// # Errors
    /// When the index or a segment cannot be read.
    pub async fn backlog_of(&self, study_instance_uid: &str, bytes_max: u64) -> Result<Vec<Held>> {
        let study = study_instance_uid.to_owned();
        let mut rows =
            self.with_index(move |index| index::instances_of(index, &study, None, index::Which::InIntake)).await?;
        let mut bytes = 0;
        let fitting = rows.iter().take_while(|row| {
            let fits = bytes == 0 || bytes + row.received_bytes <= bytes_max;
            bytes += row.received_bytes;
            fits
        });
        let count = fitting.count();
        rows.truncate(count);
        self.resolve_all(rows).await
    }

    /// The packs in use of a study, as they were written.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn packs_of(&self, study_instance_uid: &str) -> Result<Vec<PackRow>> {
        let study = study_instance_uid.to_owned();
        self.with_index(move |index| index::in_use_of_study(index, &study)).await
    }

    /// The instances of a study that are in these packs, as taken in, variants included.
    ///
    /// # Errors
    /// When the index or a pack cannot be read.
    pub async fn instances_in(&self, study_instance_uid: &str, packs: &[u64]) -> Result<Vec<Held>> {
        let (study, packs) = (study_instance_uid.to_owned(), packs.to_vec());
        let is_in = move |row: &InstanceRow| matches!(row.place, Place::Pack { number, .. } if packs.contains(&number));
        let mut rows =
            self.with_index(move |index| index::instances_of(index, &study, None, index::Which::InPacks)).await?;
        rows.retain(is_in);
        self.resolve_all(rows).await
    }

    /// Studies with a pack in use that is to be made anew: a place in the walk and the Study Instance UID of each, the
    /// next ones after a place (0 at first).
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn studies_to_repack(&self, wanted: &Repackable, after: u64, limit: u32) -> Result<Vec<(u64, String)>> {
        let wanted = wanted.clone();
        self.with_index(move |index| index::studies_to_repack(index, &wanted, after, limit)).await
    }

    /// How many instances these studies have, and their bytes as received.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn to_repack(&self, wanted: &Repackable) -> Result<[u64; 2]> {
        let wanted = wanted.clone();
        self.with_index(move |index| index::to_repack(index, &wanted)).await
    }

    /// Bytes of its entry in the pack as they are; `None` for what is in intake.
    pub(crate) fn entry_bytes(&self, held: &Held) -> Result<Option<u64>> {
        match &held.source {
            Source::Segment { .. } => Ok(None),
            Source::Pack { directory, entry } => Ok(Some(directory.instance(*entry)?.dcm.len)),
        }
    }

    /// A range of its entry in the pack as it is, zstd and all.
    pub(crate) async fn read_entry(&self, held: &Held, range: Range<u64>) -> Result<Bytes> {
        match &held.source {
            Source::Segment { .. } => Err(Error::Refused("what is in intake has no entry in a pack".into())),
            Source::Pack { directory, entry } => directory.read_held(&self.shared.objects, *entry, range).await,
        }
    }

    /// Reads the Part 10 file as held, or a range of it (cut to its end).
    ///
    /// # Errors
    /// [`Error::Damaged`] or [`Error::Object`] when it cannot be read.
    pub async fn read(&self, held: &Held, range: Option<Range<u64>>) -> Result<Bytes> {
        let range = range.unwrap_or(0..held.part10_bytes);
        let range = range.start.min(held.part10_bytes)..range.end.min(held.part10_bytes);
        match &held.source {
            Source::Segment { segment, offset } => {
                let (segment, offset) = (Arc::clone(segment), *offset);
                let read = move || segment.body(offset, range);
                tokio::task::spawn_blocking(read).await.map_err(|e| Error::Poisoned(e.to_string()))?
            }
            Source::Pack { directory, entry } => directory.read_part10(&self.shared.objects, *entry, range).await,
        }
    }

    /// The recipe that rebuilds the received file from the file as held; `None` unless it is held packed.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn recipe(&self, held: &Held) -> Result<Option<Bytes>> {
        match &held.source {
            Source::Segment { .. } => Ok(None),
            Source::Pack { directory, entry } => directory.read_recipe(&self.shared.objects, *entry).await,
        }
    }

    /// Where the frames lie in the Part 10 file as held.
    ///
    /// # Errors
    /// When the table cannot be read.
    pub async fn frames(&self, held: &Held) -> Result<FrameTable> {
        match &held.source {
            Source::Segment { segment, offset } => Ok(segment.front(*offset)?.frames),
            Source::Pack { directory, entry } => directory.read_frames(&self.shared.objects, *entry).await,
        }
    }

    /// The DICOM JSON object of each instance, in the order given. Packs are read once a series, not once an instance.
    ///
    /// # Errors
    /// When one cannot be read.
    pub async fn dicom_json(&self, held: &[Held]) -> Result<Vec<Bytes>> {
        let mut series: HashMap<SeriesKey, Arc<[Bytes]>> = HashMap::new();
        let mut out = Vec::with_capacity(held.len());
        for one in held {
            match &one.source {
                Source::Segment { segment, offset } => out.push(segment.front(*offset)?.dicom_json),
                Source::Pack { directory, entry } => {
                    let (document, place) = directory.document_of(*entry)?;
                    let documents = match series.entry((directory.number, document)) {
                        Entry::Occupied(known) => known.into_mut(),
                        Entry::Vacant(vacant) => vacant.insert(self.series_documents(directory, document).await?),
                    };
                    let found = documents.get(place).cloned();
                    out.push(found.ok_or_else(|| {
                        Error::damaged(
                            format!("pack {}", directory.number),
                            "a series has fewer documents than instances",
                        )
                    })?);
                }
            }
        }
        Ok(out)
    }

    async fn series_documents(&self, directory: &PackDirectory, document: u32) -> Result<Arc<[Bytes]>> {
        let key = (directory.number, document);
        if let Some(found) = lock(&self.shared.documents).find(key) {
            return Ok(found);
        }
        let documents: Arc<[Bytes]> = directory.read_documents(&self.shared.objects, document).await?.into();
        lock(&self.shared.documents).keep(key, &documents);
        Ok(documents)
    }

    /// Totals over everything held: studies, series, instances (variants included), bytes received.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn totals(&self) -> Result<[u64; 4]> {
        self.with_index(index::totals).await
    }

    /// Copies an event log, once verified, among the objects: `events/NAME/NAME-N.jsonl`, N being its last event. That
    /// there is such a copy already is no error.
    ///
    /// # Errors
    /// [`Error::Damaged`] when the log is not as it was written; or what the store answers.
    pub async fn snapshot_log(&self, name: &str) -> Result<()> {
        let path = self.shared.layout.event_log(name);
        if !path.exists() {
            return Ok(());
        }
        let log = EventLog::open(&path)?;
        let key = format!("events/{name}/{name}-{:012}.jsonl", log.last_seq());
        if !self.shared.objects.exists(&key).await? {
            log.snapshot(&self.shared.objects, &key).await?;
        }
        Ok(())
    }

    /// The receipt of a batch of a centre as it stands.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn receipt(&self, centre: &str, batch: &str) -> Result<Option<Receipt>> {
        let (centre, batch) = (centre.to_owned(), batch.to_owned());
        self.with_index(move |index| batches::receipt(index, &centre, &batch)).await
    }

    /// Quarantined files of one state, or all; oldest first.
    ///
    /// # Errors
    /// When the index cannot be read.
    pub async fn quarantined(&self, state: Option<QuarantineState>) -> Result<Vec<(Quarantined, QuarantineState)>> {
        self.with_index(move |index| quarantine::list(index, state)).await
    }

    /// The quarantined file whose digest begins so, if there is exactly one.
    ///
    /// # Errors
    /// [`Error::Refused`] when several begin so.
    pub async fn find_quarantined(&self, digest_prefix: &str) -> Result<Option<(Quarantined, QuarantineState)>> {
        let prefix = digest_prefix.to_ascii_lowercase();
        self.with_index(move |index| quarantine::find(index, &prefix)).await
    }

    /// The bytes of a quarantined file.
    ///
    /// # Errors
    /// When it was discarded, or cannot be read.
    pub async fn quarantined_body(&self, digest: &str) -> Result<Bytes> {
        self.shared.objects.get(&quarantine::body_key(digest)).await
    }

    pub(crate) async fn resolve_row(&self, row: InstanceRow) -> Result<Held> {
        let held = self.resolve_all(vec![row]).await?;
        held.into_iter().next().ok_or_else(|| Error::NotFound("an instance that was listed".into()))
    }

    async fn resolve_all(&self, rows: Vec<InstanceRow>) -> Result<Vec<Held>> {
        let mut segments = HashMap::new();
        let mut out = Vec::with_capacity(rows.len());
        for row in rows {
            let held = match self.resolve(&row, &mut segments).await? {
                Some(held) => held,
                // Its segment or pack is gone: it has been packed, or packed anew, since the row was read. Look the row
                // up once more.
                None => {
                    let row = self.with_index(move |index| index::by_sequence(index, row.sequence)).await?;
                    let row = row.ok_or_else(|| Error::NotFound("an instance that was listed".into()))?;
                    let moved = self.resolve(&row, &mut segments).await?;
                    moved.ok_or_else(|| match row.place {
                        Place::Segment { .. } => {
                            Error::damaged("index", "an instance is in a segment that is not there")
                        }
                        Place::Pack { number, .. } => Error::NotFound(format!("object {}", pack::key(number))),
                    })?
                }
            };
            out.push(held);
        }
        Ok(out)
    }

    async fn resolve(
        &self,
        row: &InstanceRow,
        segments: &mut HashMap<u64, Arc<SegmentReader>>,
    ) -> Result<Option<Held>> {
        match row.place {
            Place::Segment { number, offset } => {
                let segment = match segments.get(&number) {
                    Some(segment) => Arc::clone(segment),
                    None => {
                        let Some(opened) = SegmentReader::open(&self.shared.layout.intake(), number)? else {
                            return Ok(None);
                        };
                        let opened = Arc::new(opened);
                        segments.insert(number, Arc::clone(&opened));
                        opened
                    }
                };
                Ok(Some(held_in_segment(segment, offset)?))
            }
            Place::Pack { number, entry } => match self.directory(number).await {
                Ok(directory) => held_in_pack(directory, entry).map(Some),
                Err(Error::NotFound(_)) => Ok(None),
                Err(error) => Err(error),
            },
        }
    }

    pub(crate) async fn directory(&self, number: u64) -> Result<Arc<PackDirectory>> {
        if let Some(found) = lock(&self.shared.directories).find(number) {
            return Ok(found);
        }
        let directory = Arc::new(pack::read_directory(&self.shared.objects, &pack::key(number)).await?);
        lock(&self.shared.directories).keep(number, &directory);
        Ok(directory)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
