//! One Delta Lake table: its snapshot, its data files, and one change that is committed whole or not at all.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use arrow::array::{Array, AsArray, RecordBatch, StringArray};
use arrow::datatypes::SchemaRef;
use bytes::Bytes;
use delta_kernel::committer::FileSystemCommitter;
use delta_kernel::engine::arrow_conversion::TryIntoArrow;
use delta_kernel::engine::arrow_data::ArrowEngineData;
use delta_kernel::engine_data::FilteredEngineData;
use delta_kernel::schema::StructType;
use delta_kernel::transaction::UpdateTableOperation;
use delta_kernel::transaction::create_table::create_table;
use delta_kernel::transaction::{BoundWriteContext, CommitResult, CommittedTransaction, Transaction};
use delta_kernel::{Engine, FileMeta, Snapshot, SnapshotRef};
use delta_kernel_default_engine::executor::tokio::TokioMultiThreadExecutor;
use delta_kernel_default_engine::parquet::DataFileMetadata;
use delta_kernel_default_engine::stats::collect_stats;
use delta_kernel_default_engine::{DefaultEngine, build_add_file_metadata};
use futures::TryStreamExt;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use parquet::file::properties::WriterProperties;
use url::Url;

use super::files;
use crate::error::{Error, Result};

/// The application id under which every commit says the highest pack it covers (Delta protocol, action `txn`).
pub(super) const APP_ID: &str = "tsunagu-packs";
/// What `commitInfo` names as the writer.
const ENGINE_INFO: &str = concat!("tsunagu-archive/", env!("CARGO_PKG_VERSION"));
/// A checkpoint is written once this many commits came since the last, so that a reader replays few.
pub(super) const COMMITS_PER_CHECKPOINT: u64 = 10;

pub(super) type KernelEngine = DefaultEngine<TokioMultiThreadExecutor>;

/// What all tables share: the kernel's engine, the store below it, and the runtime that drives both.
#[derive(Clone)]
pub(super) struct Shared {
    pub(super) engine: Arc<KernelEngine>,
    pub(super) store: Arc<dyn ObjectStore>,
    pub(super) runtime: tokio::runtime::Handle,
}

/// One table.
pub(super) struct Table {
    dir: PathBuf,
    url: Url,
    shared: Shared,
    /// The schema of its rows.
    pub(super) schema: SchemaRef,
    properties: WriterProperties,
}

impl Table {
    /// Opens the table in `dir`, an absolute path; creates it if there is none.
    pub(super) fn open(
        dir: PathBuf,
        shared: Shared,
        schema: StructType,
        statistics: &str,
        properties: WriterProperties,
    ) -> Result<Self> {
        let url = Url::from_directory_path(&dir)
            .map_err(|()| Error::Refused(format!("the catalogue needs an absolute path, not {}", dir.display())))?;
        let failed = fail("schema of the catalogue table", &dir);
        let arrow = Arc::new((&schema).try_into_arrow().map_err(failed)?);
        let table = Table { dir, url, shared, schema: arrow, properties };
        if !has_log(&table.dir)? {
            table.create(schema.clone(), statistics)?;
        }
        if *table.snapshot()?.schema() != schema {
            let dir = table.dir.display();
            let text =
                format!("the columns of the catalogue table {dir} are of another version; run `tsunagu rebuild`");
            return Err(Error::Refused(text));
        }
        Ok(table)
    }

    /// Version 0. Create-only, so that of two that try one wins and the other finds the table there.
    fn create(&self, schema: StructType, statistics: &str) -> Result<()> {
        let failed = || fail("creation of the catalogue table", &self.dir);
        let transaction = create_table(self.url.as_str(), Arc::new(schema), ENGINE_INFO, false)
            .with_table_properties([("delta.dataSkippingStatsColumns", statistics)])
            .build(self.engine(), Box::new(FileSystemCommitter::new()))
            .map_err(failed())?;
        match transaction.commit(self.engine()).map_err(failed())? {
            CommitResult::Committed(_) | CommitResult::Conflicted(_) => Ok(()),
            CommitResult::Retryable(retryable) => Err(failed()(retryable.error)),
        }
    }

    fn engine(&self) -> &KernelEngine {
        &self.shared.engine
    }

    /// The table as last committed.
    pub(super) fn snapshot(&self) -> Result<SnapshotRef> {
        let failed = fail("reading the log of the catalogue table", &self.dir);
        Snapshot::builder_for(self.url.as_str()).build(self.engine()).map_err(failed)
    }

    /// The highest pack that the snapshot's commits cover; 0 if none.
    pub(super) fn covered(&self, snapshot: &SnapshotRef) -> Result<u64> {
        let failed = fail("reading the log of the catalogue table", &self.dir);
        let version = snapshot.get_app_id_version(APP_ID, self.engine()).map_err(failed)?;
        u64::try_from(version.unwrap_or(0)).map_err(|_| Error::damaged("catalogue", "it covers a negative pack number"))
    }

    /// The data files of a snapshot, by the path their add action has.
    pub(super) fn files(&self, snapshot: &SnapshotRef) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for (batch, selected) in self.scan_files(snapshot)? {
            let paths = self.paths(&batch)?;
            let selected = (0..paths.len()).filter(|&i| selected.get(i).copied().unwrap_or(true));
            files.extend(selected.map(|i| paths.value(i).to_owned()));
        }
        Ok(files)
    }

    /// The data files of a snapshot that may have a row whose `column`, an integer, is one of these: what their
    /// statistics do not rule out.
    pub(super) fn files_with(
        &self,
        snapshot: &SnapshotRef,
        column: &str,
        values: &BTreeSet<u64>,
    ) -> Result<Vec<String>> {
        let mut files = Vec::new();
        for (batch, selected) in self.scan_files(snapshot)? {
            let paths = self.paths(&batch)?;
            let stats = batch.column_by_name("stats").and_then(|column| column.as_string_opt::<i32>());
            let may_have = |i: usize| {
                let stats = stats.filter(|stats| stats.is_valid(i)).map(|stats| stats.value(i));
                let Some((least, most)) = stats.and_then(|stats| extremes(stats, column)) else { return true };
                least <= most && values.range(least..=most).next().is_some()
            };
            let named = (0..paths.len()).filter(|&i| selected.get(i).copied().unwrap_or(true) && may_have(i));
            files.extend(named.map(|i| paths.value(i).to_owned()));
        }
        Ok(files)
    }

    /// The add actions of a snapshot in batches, each with the rows that count.
    fn scan_files(&self, snapshot: &SnapshotRef) -> Result<Vec<(RecordBatch, Vec<bool>)>> {
        let failed = || fail("listing the files of the catalogue table", &self.dir);
        let scan = snapshot.clone().scan_builder().build().map_err(failed())?;
        let mut batches = Vec::new();
        for metadata in scan.scan_metadata(self.engine()).map_err(failed())? {
            let (data, selected) = metadata.map_err(failed())?.scan_files.into_parts();
            let data = ArrowEngineData::try_from_engine_data(data).map_err(failed())?;
            batches.push((data.record_batch().clone(), selected));
        }
        Ok(batches)
    }

    fn paths<'b>(&self, add_actions: &'b RecordBatch) -> Result<&'b StringArray> {
        let paths = add_actions.column_by_name("path").and_then(|column| column.as_string_opt::<i32>());
        paths.ok_or_else(|| Error::damaged(self.dir.display().to_string(), "an add action has no path"))
    }

    /// The rows of one data file; of all columns, or of one.
    pub(super) fn read(&self, path: &str, column: Option<&str>) -> Result<Vec<RecordBatch>> {
        let location = self.location(path)?.1;
        let get = async { self.shared.store.get(&location).await?.bytes().await };
        let bytes = self.shared.runtime.block_on(get).map_err(Error::object(&location))?;
        files::read(bytes, column).map_err(fail("reading a file of the catalogue table", &self.dir.join(path)))
    }

    /// Every row through the kernel, as any other reader of Delta Lake sees them.
    pub(super) fn scan(&self, snapshot: &SnapshotRef) -> Result<Vec<RecordBatch>> {
        let failed = || fail("reading the catalogue table", &self.dir);
        let scan = snapshot.clone().scan_builder().build().map_err(failed())?;
        let engine: Arc<dyn Engine> = self.shared.engine.clone();
        let rows = scan.execute(engine).map_err(failed())?;
        let batch = |data| Ok(ArrowEngineData::try_from_engine_data(data)?.record_batch().clone());
        rows.map(|data| data.and_then(batch).map_err(failed())).collect()
    }

    fn location(&self, path: &str) -> Result<(Url, object_store::path::Path)> {
        let damaged = |_| Error::damaged(self.dir.display().to_string(), format!("{path} is no path of a file"));
        let url = self.url.join(path).map_err(damaged)?;
        let location = object_store::path::Path::from_url_path(url.path());
        Ok((url, location.map_err(|source| Error::Object { key: path.into(), source: source.into() })?))
    }

    /// Begins a change on top of `snapshot` that covers `packs`. `blind`: it only adds, whatever the table holds.
    pub(super) fn change<'t>(&'t self, snapshot: &'t SnapshotRef, packs: &[u64], blind: bool) -> Result<Change<'t>> {
        let failed = || fail("beginning a change of the catalogue table", &self.dir);
        let highest = packs.last().copied().unwrap_or(0);
        let highest =
            i64::try_from(highest).map_err(|_| Error::Refused(format!("pack number {highest} is too large")))?;
        // `txn` is what decides; the list is for people who read the table's history.
        let mut builder = snapshot
            .clone()
            .update_table(UpdateTableOperation::Write, ENGINE_INFO, true)
            .with_transaction_id(APP_ID, highest)
            .with_operation_parameters([("packs", Some(format!("{packs:?}")))]);
        if blind {
            builder = builder.with_blind_append();
        }
        let transaction = builder.build(self.engine(), Box::new(FileSystemCommitter::new())).map_err(failed())?;
        let context = transaction.write_state().and_then(|s| s.write_context_builder().build()).map_err(failed())?;
        Ok(Change { table: self, snapshot, transaction, context, written: Vec::new() })
    }

    /// Removes data files that no version read after `before` names: what was replaced, and what a crash between
    /// file and commit left. Answers how many went.
    pub(super) fn tidy(&self, before: jiff::Timestamp) -> Result<u64> {
        let Some(version) = self.version_at(before)? else { return Ok(0) };
        let failed = fail("reading the log of the catalogue table", &self.dir);
        let then = Snapshot::builder_for(self.url.as_str()).at_version(version).build(self.engine()).map_err(failed)?;
        let mut named: HashSet<String> = self.files(&then)?.into_iter().collect();
        named.extend(self.files(&self.snapshot()?)?);
        let mut removed = 0;
        for (name, written_at) in self.list("")? {
            let data = name.ends_with(".parquet") && !name.contains('/');
            if data && written_at < before && !named.contains(&name) {
                self.delete(&name)?;
                removed += 1;
            }
        }
        Ok(removed)
    }

    /// The version that was the newest at `time`, by when its commit was written.
    fn version_at(&self, time: jiff::Timestamp) -> Result<Option<u64>> {
        let commits = self.list("_delta_log/")?.into_iter().filter(|(_, written_at)| *written_at < time);
        let number = |name: String| name.strip_prefix("_delta_log/")?.strip_suffix(".json")?.parse().ok();
        Ok(commits.filter_map(|(name, _)| number(name)).max())
    }

    /// Objects of the table below `under`: name within the table and when written.
    fn list(&self, under: &str) -> Result<Vec<(String, jiff::Timestamp)>> {
        let (root, prefix) = (self.location("")?.1, self.location(under)?.1);
        let listed = self.shared.store.list(Some(&prefix)).try_collect::<Vec<_>>();
        let listed = self.shared.runtime.block_on(listed).map_err(Error::object(&prefix))?;
        let name = |meta: object_store::ObjectMeta| {
            let parts: Vec<_> = meta.location.prefix_match(&root)?.map(|part| part.as_ref().to_owned()).collect();
            Some((parts.join("/"), jiff::Timestamp::from_millisecond(meta.last_modified.timestamp_millis()).ok()?))
        };
        Ok(listed.into_iter().filter_map(name).collect())
    }

    fn delete(&self, path: &str) -> Result<()> {
        let location = self.location(path)?.1;
        match self.shared.runtime.block_on(self.shared.store.delete(&location)) {
            Ok(()) | Err(object_store::Error::NotFound { .. }) => Ok(()),
            Err(source) => Err(Error::Object { key: location.to_string(), source }),
        }
    }

    fn checkpoint(&self, committed: &CommittedTransaction) {
        if committed.post_commit_stats().commits_since_checkpoint < COMMITS_PER_CHECKPOINT {
            return;
        }
        // A checkpoint only saves readers time: without it the commit stands all the same, and the next one tries again.
        let Some(snapshot) = committed.post_commit_snapshot() else { return };
        if let Err(error) = snapshot.checkpoint(self.engine(), None) {
            tracing::warn!(%error, table = %self.dir.display(), "the catalogue table got no checkpoint");
        }
    }
}

/// A change on its way: data files are durable when added, and counted only by [`Change::commit`].
pub(super) struct Change<'t> {
    table: &'t Table,
    snapshot: &'t SnapshotRef,
    transaction: Transaction,
    context: BoundWriteContext,
    written: Vec<String>,
}

impl Change<'_> {
    /// Writes rows to a new data file, durably, and adds it. No rows, no file.
    pub(super) fn add(&mut self, rows: &RecordBatch) -> Result<()> {
        if rows.num_rows() == 0 {
            return Ok(());
        }
        let table = self.table;
        let name = format!("part-{}.parquet", uuid::Uuid::new_v4());
        let (what, file) = ("writing a file of the catalogue table", table.dir.join(&name));
        let bytes = Bytes::from(files::write(rows, &table.properties).map_err(fail(what, &file))?);
        let stats = collect_stats(rows, self.context.stats_columns(), self.context.physical_data_schema());
        let (url, location) = table.location(&name)?;
        let size = bytes.len() as u64;
        let put = async {
            table.shared.store.put_opts(&location, bytes.into(), PutMode::Create.into()).await?;
            table.shared.store.head(&location).await
        };
        let head = table.shared.runtime.block_on(put).map_err(Error::object(&location))?;
        let meta = FileMeta::new(url, head.last_modified.timestamp_millis(), size);
        let meta = DataFileMetadata::new(meta, stats.map_err(fail(what, &file))?);
        self.transaction.add_files(build_add_file_metadata(meta, &self.context).map_err(fail(what, &file))?);
        self.written.push(name);
        Ok(())
    }

    /// Takes the named data files out of the table; the objects stay for who still reads an older version.
    pub(super) fn remove(&mut self, files: &HashSet<String>) -> Result<()> {
        if files.is_empty() {
            return Ok(());
        }
        for (batch, selected) in self.table.scan_files(self.snapshot)? {
            let paths = self.table.paths(&batch)?;
            let goes = |i| selected.get(i).copied().unwrap_or(true) && files.contains(paths.value(i));
            let goes: Vec<bool> = (0..paths.len()).map(goes).collect();
            if goes.contains(&true) {
                let failed = fail("replacing files of the catalogue table", &self.table.dir);
                let data = FilteredEngineData::try_new(Box::new(ArrowEngineData::new(batch)), goes).map_err(failed)?;
                self.transaction.remove_files(data);
            }
        }
        Ok(())
    }

    /// Commits. `false`: another commit came first, nothing was changed, and the caller begins anew.
    pub(super) fn commit(self) -> Result<bool> {
        let failed = || fail("commit to the catalogue table", &self.table.dir);
        match self.transaction.commit(self.table.engine()).map_err(failed())? {
            CommitResult::Committed(committed) => {
                self.table.checkpoint(&committed);
                Ok(true)
            }
            CommitResult::Conflicted(_) => {
                for name in &self.written {
                    self.table.delete(name)?;
                }
                Ok(false)
            }
            // Whether the commit is there is unknown: its files stay; the next attempt finds its `txn`, or not.
            CommitResult::Retryable(retryable) => Err(failed()(retryable.error)),
        }
    }
}

/// Smallest and largest value of a column, as an add action's statistics say (Delta protocol, per-file statistics).
fn extremes(stats: &str, column: &str) -> Option<(u64, u64)> {
    let stats: serde_json::Value = serde_json::from_str(stats).ok()?;
    let of = |which: &str| stats.get(which)?.get(column)?.as_u64();
    of("minValues").zip(of("maxValues"))
}

/// Whether a table was created in `dir`.
fn has_log(dir: &Path) -> Result<bool> {
    let log = dir.join("_delta_log");
    let entries = match std::fs::read_dir(&log) {
        Ok(entries) => entries,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(Error::io("listing the catalogue's log", &log)(error)),
    };
    for entry in entries {
        let name = entry.map_err(Error::io("listing the catalogue's log", &log))?.file_name();
        if Path::new(&name).extension().is_some_and(|extension| extension == "json") {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Wraps an error of the kernel, of Arrow or of Parquet with what was tried and where.
pub(super) fn fail<E>(what: &'static str, path: &Path) -> impl FnOnce(E) -> Error + use<E>
where
    E: Into<Box<dyn std::error::Error + Send + Sync>>,
{
    let path = path.display().to_string();
    move |error| Error::Io { what, path, source: std::io::Error::other(error) }
}
