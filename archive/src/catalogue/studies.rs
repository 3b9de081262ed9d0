//! Exactly one row a study: a study that comes again replaces its row.
//!
//! Parquet files are not changed, so the file that holds the older row is written anew without it and exchanged in
//! the same commit that brings the newer row. To know which file that is, 8 bytes a study are kept in memory, read once
//! from the StudyInstanceUID column (docs/decisions/0005-catalogue.md weighs the other ways).

use std::collections::hash_map::DefaultHasher;
use std::collections::{HashMap, HashSet};
use std::hash::{Hash, Hasher};

use arrow::array::{AsArray, BooleanArray, RecordBatch, StringArray};
use arrow::compute::{concat_batches, filter_record_batch};
use delta_kernel::SnapshotRef;

use super::table::{Change, Table, fail};
use crate::error::{Error, Result};

/// Rows of a file of studies up to which it is still added to: keeps files few, and one exchange cheap (1 to 2 MB, estimated).
const ROWS_PER_FILE: usize = 10_000;
const UID: &str = "StudyInstanceUID";

/// Which data file may hold which studies: hashes, sorted, by file. Files never change, so an entry never goes stale.
#[derive(Default)]
pub(super) struct StudyFiles {
    hashes: HashMap<String, Vec<u64>>,
}

impl StudyFiles {
    /// Puts the rows of `fresh` in the place of the older rows of the same studies.
    pub(super) fn replace(
        &mut self,
        table: &Table,
        snapshot: &SnapshotRef,
        change: &mut Change<'_>,
        fresh: RecordBatch,
    ) -> Result<()> {
        self.refresh(table, snapshot)?;
        let uids: HashSet<String> = uids(&fresh)?.iter().flatten().map(str::to_owned).collect();
        let mut pending = vec![fresh];
        let mut pending_rows = uids.len();
        let mut gone = HashSet::new();
        for path in self.touched(&uids) {
            let kept = without(concat(table, &table.read(&path, None)?)?, &uids)?;
            gone.insert(path);
            if pending_rows + kept.num_rows() <= ROWS_PER_FILE {
                pending_rows += kept.num_rows();
                pending.push(kept);
            } else {
                change.add(&kept)?;
            }
        }
        if let Some((path, rows)) = self.smallest_but(&gone)
            && pending_rows + rows <= ROWS_PER_FILE
        {
            pending.extend(table.read(&path, None)?);
            gone.insert(path);
        }
        change.add(&concat(table, &pending)?)?;
        change.remove(&gone)
    }

    /// Reads what is not known yet, forgets what is no more.
    fn refresh(&mut self, table: &Table, snapshot: &SnapshotRef) -> Result<()> {
        let files = table.files(snapshot)?;
        let active: HashSet<&String> = files.iter().collect();
        self.hashes.retain(|path, _| active.contains(path));
        for path in &files {
            if self.hashes.contains_key(path) {
                continue;
            }
            let mut hashes = Vec::new();
            for batch in table.read(path, Some(UID))? {
                hashes.extend(uids(&batch)?.iter().flatten().map(hash));
            }
            hashes.sort_unstable();
            self.hashes.insert(path.clone(), hashes);
        }
        Ok(())
    }

    /// Files that may hold one of the studies. Two UIDs of one hash cost an exchange too many, never a wrong row.
    fn touched(&self, studies: &HashSet<String>) -> Vec<String> {
        let wanted: Vec<u64> = studies.iter().map(|uid| hash(uid)).collect();
        let holds = |hashes: &Vec<u64>| wanted.iter().any(|hash| hashes.binary_search(hash).is_ok());
        self.hashes.iter().filter(|(_, hashes)| holds(hashes)).map(|(path, _)| path.clone()).collect()
    }

    fn smallest_but(&self, gone: &HashSet<String>) -> Option<(String, usize)> {
        let left = self.hashes.iter().filter(|(path, _)| !gone.contains(*path));
        left.map(|(path, hashes)| (path.clone(), hashes.len())).min_by_key(|(_, rows)| *rows)
    }
}

fn hash(uid: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    uid.hash(&mut hasher);
    hasher.finish()
}

fn uids(rows: &RecordBatch) -> Result<&StringArray> {
    let uids = rows.column_by_name(UID).and_then(|column| column.as_string_opt::<i32>());
    uids.ok_or_else(|| Error::damaged("catalogue table of studies", "a file has no StudyInstanceUID column"))
}

fn concat(table: &Table, batches: &[RecordBatch]) -> Result<RecordBatch> {
    concat_batches(&table.schema, batches).map_err(fail("joining rows of the catalogue", "studies".as_ref()))
}

/// The rows of all other studies.
fn without(rows: RecordBatch, studies: &HashSet<String>) -> Result<RecordBatch> {
    let keep: BooleanArray =
        uids(&rows)?.iter().map(|uid| Some(uid.is_none_or(|uid| !studies.contains(uid)))).collect();
    filter_record_batch(&rows, &keep).map_err(fail("dropping replaced rows of the catalogue", "studies".as_ref()))
}
