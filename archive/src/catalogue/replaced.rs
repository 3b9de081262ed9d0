//! Rows of packs that another pack has replaced: they go, in the commit that brings the new ones.
//!
//! Parquet files are not changed, so a file that holds such rows is written anew without them. Which files may hold
//! them, the statistics of the Pack column say.

use std::collections::{BTreeSet, HashSet};

use arrow::array::{AsArray, BooleanArray, RecordBatch};
use arrow::compute::{concat_batches, filter_record_batch};
use arrow::datatypes::Int64Type;
use delta_kernel::SnapshotRef;

use super::table::{Change, Table, fail};
use crate::error::{Error, Result};

const PACK: &str = "Pack";

/// Takes the rows of `packs` out of the table.
pub(super) fn remove(
    table: &Table,
    snapshot: &SnapshotRef,
    change: &mut Change<'_>,
    packs: &BTreeSet<u64>,
) -> Result<()> {
    if packs.is_empty() {
        return Ok(());
    }
    let mut gone = HashSet::new();
    for path in table.files_with(snapshot, PACK, packs)? {
        let rows = concat_batches(&table.schema, &table.read(&path, None)?).map_err(failed())?;
        let kept = without(&rows, packs)?;
        if kept.num_rows() < rows.num_rows() {
            change.add(&kept)?;
            gone.insert(path);
        }
    }
    change.remove(&gone)
}

fn without(rows: &RecordBatch, packs: &BTreeSet<u64>) -> Result<RecordBatch> {
    let column = rows.column_by_name(PACK).and_then(|column| column.as_primitive_opt::<Int64Type>());
    let column = column
        .ok_or_else(|| Error::damaged("catalogue table of instances", "a file has no Pack column of integers"))?;
    let of = |pack: Option<i64>| pack.and_then(|pack| u64::try_from(pack).ok()).is_some_and(|p| packs.contains(&p));
    let keep: BooleanArray = column.iter().map(|pack| Some(!of(pack))).collect();
    filter_record_batch(rows, &keep).map_err(failed())
}

fn failed() -> impl FnOnce(arrow::error::ArrowError) -> Error {
    fail("taking replaced rows out of the catalogue", "instances".as_ref())
}
