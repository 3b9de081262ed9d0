//! The catalogue: what is packed, as two tables that analysts open with DuckDB, polars, Spark or pandas.
//!
//! `catalogue/instances` has one row an instance, `catalogue/studies` exactly one row a study. Both are Delta Lake
//! tables of Parquet files. Each commit says which packs it covers (action `txn` with the highest one), in the same
//! atomic step that brings their rows, so that a crash repeats none and loses none. The catalogue is derived: it can be
//! deleted and made anew from the packs.
//!
//! Every call blocks; from async code, use `spawn_blocking`. Reasons and limits: docs/decisions/0005-catalogue.md.

mod columns;
mod files;
mod fill;
mod replaced;
mod rows;
mod studies;
mod table;
#[cfg(test)]
mod tests;

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use arrow::array::RecordBatch;
use arrow::util::display::{ArrayFormatter, FormatOptions};
use delta_kernel::schema::StructType;
use delta_kernel_default_engine::DefaultEngineBuilder;
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use object_store::local::LocalFileSystem;
use tokio::runtime::Runtime;

use self::columns::{Column, batch};
use self::rows::{INSTANCE_STATISTICS, STUDY_STATISTICS, instance_columns, study_columns};
pub use self::rows::{InstanceRow, StudyRow};
use self::studies::StudyFiles;
use self::table::{Shared, Table, fail};
use crate::Description;
use crate::error::{Error, Result};

/// How often a commit that met another one is begun anew.
const COMMIT_ATTEMPTS_MAX: usize = 5;
/// Below the objects: the catalogue, and for a moment what is being deleted of it.
const NAME: &str = "catalogue";
const NAME_DELETED: &str = "catalogue.deleted";

/// The two tables, open for appending. One process appends; any number read.
pub struct Catalogue {
    /// Drives the kernel's I/O. An own one, since the kernel blocks on it; `None` only while being dropped.
    runtime: Option<Runtime>,
    instances: Table,
    studies: Table,
    study_files: Mutex<StudyFiles>,
}

/// Every row as text, sorted: for tests, and to compare a rebuilt catalogue with the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    /// Rows of `catalogue/instances`, `keyword=value` of each column that is not null, separated by tabs.
    pub instances: Vec<String>,
    /// Rows of `catalogue/studies`, likewise.
    pub studies: Vec<String>,
}

impl Catalogue {
    /// Opens the catalogue below `objects_dir`; creates the tables if they are absent.
    ///
    /// # Errors
    /// [`Error::Refused`] when the tables have the columns of another version of this program: delete and rebuild.
    pub fn open(objects_dir: &Path) -> Result<Catalogue> {
        let objects_dir = std::path::absolute(objects_dir).map_err(Error::io("finding the catalogue", objects_dir))?;
        remove_leftover(&objects_dir)?;
        let dir = objects_dir.join(NAME);
        for table in ["instances", "studies"] {
            let table = dir.join(table);
            std::fs::create_dir_all(&table).map_err(Error::io("creating the catalogue's directory", &table))?;
        }
        // The kernel's writes sync what they create; these directories we made.
        sync_dir(&dir)?;
        sync_dir(&objects_dir)?;
        let failed = Error::io("starting the catalogue's threads", &dir);
        // Two threads, since the kernel may block one of them on work that another has to do (a checkpoint).
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .thread_name("catalogue")
            .enable_all()
            .build()
            .map_err(failed)?;
        let opened = apart(|| {
            let shared = shared(&runtime);
            let instances = table(dir.join("instances"), &shared, &instance_columns(), INSTANCE_STATISTICS)?;
            Ok((instances, table(dir.join("studies"), &shared, &study_columns(), STUDY_STATISTICS)?))
        });
        match opened {
            Ok((instances, studies)) => {
                Ok(Catalogue { runtime: Some(runtime), instances, studies, study_files: Mutex::default() })
            }
            Err(error) => {
                runtime.shutdown_background();
                Err(error)
            }
        }
    }

    /// The highest pack whose rows both tables have; 0 if none. What is to be appended begins after it.
    ///
    /// # Errors
    /// When a table's log cannot be read.
    pub fn covered(&self) -> Result<u64> {
        apart(|| {
            let instances = self.instances.covered(&self.instances.snapshot()?)?;
            Ok(instances.min(self.studies.covered(&self.studies.snapshot()?)?))
        })
    }

    /// Appends the rows of `packs`, durably, one commit a table. Appending again repeats nothing: a table that covers a
    /// pack already takes nothing of it, also when the last append was cut off between the tables.
    ///
    /// `packs` ascend, and none that is missing comes later: a pack below the highest one covered is never taken.
    /// `instances` are all instances of these packs; `studies` are their studies, counted over all packs up to now.
    ///
    /// # Errors
    /// [`Error::Refused`] when the rows contradict each other (nothing is appended); otherwise when reading or writing
    /// failed: append again.
    pub fn append(&self, packs: &[u64], instances: &[InstanceRow], studies: &[StudyRow]) -> Result<()> {
        self.append_replacing(packs, &BTreeSet::new(), instances, studies)
    }

    /// As [`Catalogue::append`]; the rows of the packs in `replaced` go in the same commit that brings the others.
    ///
    /// # Errors
    /// As [`Catalogue::append`].
    pub fn append_replacing(
        &self,
        packs: &[u64],
        replaced: &BTreeSet<u64>,
        instances: &[InstanceRow],
        studies: &[StudyRow],
    ) -> Result<()> {
        check(packs, instances, studies)?;
        apart(|| {
            let mut study_files = self.study_files.lock().unwrap_or_else(PoisonError::into_inner);
            self.append_instances(packs, replaced, instances)?;
            self.replace_studies(&mut study_files, packs, studies)
        })
    }

    /// The first half of an append.
    fn append_instances(&self, packs: &[u64], replaced: &BTreeSet<u64>, instances: &[InstanceRow]) -> Result<()> {
        let table = &self.instances;
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let snapshot = table.snapshot()?;
            let covered = table.covered(&snapshot)?;
            let packs: Vec<u64> = packs.iter().copied().filter(|&pack| pack > covered).collect();
            if packs.is_empty() {
                return Ok(());
            }
            let mut rows: Vec<&InstanceRow> = instances.iter().filter(|row| row.pack > covered).collect();
            rows.sort_by_key(|row| in_order(row));
            let blind = !rows.is_empty() && replaced.is_empty();
            let mut change = table.change(&snapshot, &packs, blind)?;
            change.add(&to_batch(&instance_columns(), table, &rows)?)?;
            replaced::remove(table, &snapshot, &mut change, replaced)?;
            if change.commit()? {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// The second half. Study rows say all that is held, so replacing them again changes nothing.
    fn replace_studies(&self, study_files: &mut StudyFiles, packs: &[u64], studies: &[StudyRow]) -> Result<()> {
        let table = &self.studies;
        let rows: Vec<&StudyRow> = studies.iter().collect();
        for _ in 0..COMMIT_ATTEMPTS_MAX {
            let snapshot = table.snapshot()?;
            let covered = table.covered(&snapshot)?;
            let packs: Vec<u64> = packs.iter().copied().filter(|&pack| pack > covered).collect();
            if packs.is_empty() {
                return Ok(());
            }
            let mut change = table.change(&snapshot, &packs, false)?;
            if !rows.is_empty() {
                study_files.replace(table, &snapshot, &mut change, to_batch(&study_columns(), table, &rows)?)?;
            }
            if change.commit()? {
                return Ok(());
            }
        }
        Err(contended())
    }

    /// Every row, as any reader of Delta Lake sees it. All of them in memory.
    ///
    /// # Errors
    /// When a table cannot be read.
    pub fn rows(&self) -> Result<Rows> {
        let lines = |table: &Table| lines(&table.scan(&table.snapshot()?)?);
        apart(|| Ok(Rows { instances: lines(&self.instances)?, studies: lines(&self.studies)? }))
    }

    /// Removes data files that nobody can be reading any more: those out of the tables since before `before` (replaced
    /// rows of studies), and those a crash left before they were committed. Answers how many.
    ///
    /// # Errors
    /// When a table cannot be read, or a file not removed.
    pub fn tidy(&self, before: jiff::Timestamp) -> Result<u64> {
        apart(|| {
            // Under the lock of appends: what is being written now is not yet named by any commit.
            let _appends = self.study_files.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(self.instances.tidy(before)? + self.studies.tidy(before)?)
        })
    }

    /// Deletes both tables, whatever state they are in; [`Catalogue::open`] then makes empty ones. Drop any open one first.
    ///
    /// # Errors
    /// When a directory cannot be renamed or removed; call again.
    pub fn delete_all(objects_dir: &Path) -> Result<()> {
        remove_leftover(objects_dir)?;
        let (from, to) = (objects_dir.join(NAME), objects_dir.join(NAME_DELETED));
        // By one rename, so that no crash leaves half a log, which would read as an older table.
        match std::fs::rename(&from, &to) {
            Ok(()) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(()),
            Err(error) => return Err(Error::io("deleting the catalogue", &from)(error)),
        }
        sync_dir(objects_dir)?;
        remove_leftover(objects_dir)
    }
}

impl Drop for Catalogue {
    fn drop(&mut self) {
        // A runtime that is simply dropped panics when that happens in async code.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

fn sync_dir(dir: &Path) -> Result<()> {
    let synced = std::fs::File::open(dir).and_then(|dir| dir.sync_all());
    synced.map_err(Error::io("sync of the catalogue's directory", dir))
}

fn remove_leftover(objects_dir: &Path) -> Result<()> {
    let leftover = objects_dir.join(NAME_DELETED);
    match std::fs::remove_dir_all(&leftover) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(Error::io("removing the deleted catalogue", &leftover)(error))
        }
        _ => Ok(()),
    }
}

fn shared(runtime: &Runtime) -> Shared {
    // No prefix: the kernel names objects by absolute path. With sync: off is this store's default.
    let store = Arc::new(LocalFileSystem::new().with_fsync(true));
    let executor = Arc::new(TokioMultiThreadExecutor::new(runtime.handle().clone()));
    let engine = DefaultEngineBuilder::new(store.clone()).with_task_executor(executor).build();
    Shared { engine: Arc::new(engine), store, runtime: runtime.handle().clone() }
}

fn table<R>(dir: PathBuf, shared: &Shared, columns: &[Column<R>], statistics: &str) -> Result<Table> {
    let failed = || fail("schema of the catalogue table", &dir);
    let schema = StructType::try_new(columns.iter().map(Column::field)).map_err(failed())?;
    let properties = files::properties(columns).map_err(fail("schema of the catalogue table", &dir))?;
    Table::open(dir, shared.clone(), schema, statistics, properties)
}

fn to_batch<R>(columns: &[Column<R>], table: &Table, rows: &[&R]) -> Result<RecordBatch> {
    batch(columns, &table.schema, rows).map_err(fail("columns of the catalogue", NAME.as_ref()))
}

/// Instances of one series lie together, in order: fewer bytes, and fewer row groups for a reader to open.
fn in_order(row: &InstanceRow) -> (u64, String, String, Option<i32>, String) {
    let Description { study, series, instance } = &row.description;
    let (study, series) = (study.study_instance_uid.clone(), series.series_instance_uid.clone());
    (row.pack, study, series, instance.instance_number, instance.sop_instance_uid.clone())
}

/// Refuses what would make the two tables disagree.
fn check(packs: &[u64], instances: &[InstanceRow], studies: &[StudyRow]) -> Result<()> {
    let refused = |text: String| Err(Error::Refused(format!("nothing is appended to the catalogue: {text}")));
    if packs.first().is_none_or(|&first| first == 0) || !packs.is_sorted_by(|a, b| a < b) {
        return refused(format!("pack numbers must ascend from 1, not {packs:?}"));
    }
    let mut uids = HashSet::new();
    for row in studies {
        if !uids.insert(row.study.study_instance_uid.as_str()) {
            return refused(format!("study {} has two rows", row.study.study_instance_uid));
        }
    }
    for row in instances {
        let (uid, study) = (&row.description.instance.sop_instance_uid, &row.description.study.study_instance_uid);
        if packs.binary_search(&row.pack).is_err() {
            return refused(format!("instance {uid} is in pack {}, which is not appended", row.pack));
        }
        if !uids.contains(study.as_str()) {
            return refused(format!("instance {uid} is of study {study}, which has no row"));
        }
    }
    Ok(())
}

fn contended() -> Error {
    Error::Refused(format!(
        "the catalogue was changed by another process {COMMIT_ATTEMPTS_MAX} times in a row; let one process append"
    ))
}

fn lines(batches: &[RecordBatch]) -> Result<Vec<String>> {
    let failed = |error| fail("printing the catalogue", NAME.as_ref())(error);
    let mut lines = Vec::new();
    for batch in batches {
        let options = FormatOptions::default();
        let formatters: Vec<ArrayFormatter<'_>> = batch
            .columns()
            .iter()
            .map(|column| ArrayFormatter::try_new(column, &options))
            .collect::<std::result::Result<_, arrow::error::ArrowError>>()
            .map_err(failed)?;
        let schema = batch.schema();
        for row in 0..batch.num_rows() {
            let there = (0..batch.num_columns()).filter(|&column| batch.column(column).is_valid(row));
            let cells =
                there.map(|column| format!("{}={}", schema.field(column).name(), formatters[column].value(row)));
            lines.push(cells.collect::<Vec<_>>().join("\t"));
        }
    }
    lines.sort_unstable();
    Ok(lines)
}

/// Runs kernel work on a thread of its own: there it may block wherever the caller stands, and a panic in it is an error.
fn apart<T: Send>(work: impl FnOnce() -> Result<T> + Send) -> Result<T> {
    let joined = std::thread::scope(|scope| scope.spawn(work).join());
    joined.unwrap_or_else(|_| Err(Error::damaged(NAME, "the Delta Lake kernel gave up on it; run `tsunagu rebuild`")))
}
