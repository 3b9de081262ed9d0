//! The receipts ledger: what became of each file of each batch.
//!
//! The log `receipts` is what counts; the tables `batch` and `batch_item` are its projection. A file is known by its
//! name and digest, so that sending a batch again under its id changes no receipt.

use rusqlite::{Connection, OptionalExtension, params};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::{Batch, Origin, Reason, Receipt, ReceiptQuarantined};

/// What became of a file, as the ledger writes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum ItemOutcome {
    Stored,
    AlreadyHeld,
    Variant,
    Quarantined,
}

impl ItemOutcome {
    fn name(self) -> &'static str {
        match self {
            ItemOutcome::Stored => "stored",
            ItemOutcome::AlreadyHeld => "already-held",
            ItemOutcome::Variant => "variant",
            ItemOutcome::Quarantined => "quarantined",
        }
    }

    fn of(name: &str) -> Option<ItemOutcome> {
        [ItemOutcome::Stored, ItemOutcome::AlreadyHeld, ItemOutcome::Variant, ItemOutcome::Quarantined]
            .into_iter()
            .find(|outcome| outcome.name() == name)
    }
}

/// One event of the receipts log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub(crate) enum ReceiptEvent {
    /// A batch was opened.
    Batch(Batch),
    /// A file of a batch has its outcome.
    Item(Item),
}

impl ReceiptEvent {
    /// When it happened.
    pub fn at(&self) -> &str {
        match self {
            ReceiptEvent::Batch(batch) => &batch.opened_at,
            ReceiptEvent::Item(item) => &item.at,
        }
    }
}

/// A file of a batch with its outcome.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Item {
    pub centre: String,
    pub batch: String,
    pub file: String,
    /// SHA-256 of the file, hexadecimal.
    pub digest: String,
    /// When the file was received, RFC 3339 in UTC.
    pub at: String,
    pub outcome: ItemOutcome,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl Item {
    /// The item of a file that belongs to a batch; `None` for one that belongs to none.
    pub fn of(origin: &Origin, digest: &[u8; 32], outcome: ItemOutcome, reason: Option<Reason>) -> Option<Item> {
        Some(Item {
            centre: origin.centre.clone(),
            batch: origin.batch.clone()?,
            file: origin.file.clone(),
            digest: crate::hex(digest),
            at: origin.received_at.clone(),
            outcome,
            reason,
        })
    }
}

/// The event as the log keeps it.
pub(crate) fn to_value(event: &ReceiptEvent) -> Result<Value> {
    serde_json::to_value(event).map_err(|e| Error::damaged("receipt event", e.to_string()))
}

/// Applies one event of the log to the tables. The first outcome of a file stands.
pub(crate) fn apply(connection: &Connection, event: &ReceiptEvent) -> Result<()> {
    match event {
        ReceiptEvent::Batch(batch) => {
            connection
                .prepare_cached(
                    "INSERT INTO batch (centre, id, programme, expected, opened_at) VALUES (?1, ?2, ?3, ?4, ?5)
                     ON CONFLICT (centre, id) DO UPDATE SET programme = ?3, expected = ?4",
                )?
                .execute(params![
                    batch.centre,
                    batch.id,
                    batch.programme,
                    batch.expected.map(|n| n as i64),
                    batch.opened_at
                ])?;
        }
        ReceiptEvent::Item(item) => {
            let reason = item.reason.clone().unwrap_or_default();
            let digest = crate::unhex(&item.digest)
                .ok_or_else(|| Error::damaged("receipt event", "digest is not hexadecimal"))?;
            connection
                .prepare_cached(
                    "INSERT OR IGNORE INTO batch_item (centre, batch, file, digest, outcome, code, reason, next_step)
                     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
                )?
                .execute(params![
                    item.centre,
                    item.batch,
                    item.file,
                    digest,
                    item.outcome.name(),
                    reason.code,
                    reason.text,
                    reason.next_step
                ])?;
        }
    }
    Ok(())
}

/// The outcome on record for a file of a batch.
pub(crate) fn outcome(connection: &Connection, origin: &Origin, digest: &[u8; 32]) -> Result<Option<ItemOutcome>> {
    let Some(batch) = &origin.batch else { return Ok(None) };
    let mut statement = connection.prepare_cached(
        "SELECT outcome FROM batch_item WHERE centre = ?1 AND batch = ?2 AND file = ?3 AND digest = ?4",
    )?;
    let name: Option<String> =
        statement.query_row(params![origin.centre, batch, origin.file, digest], |row| row.get(0)).optional()?;
    Ok(name.as_deref().and_then(ItemOutcome::of))
}

/// A batch as it was opened.
pub(crate) fn batch(connection: &Connection, centre: &str, id: &str) -> Result<Option<Batch>> {
    let mut statement =
        connection.prepare_cached("SELECT programme, expected, opened_at FROM batch WHERE centre = ?1 AND id = ?2")?;
    let found = statement.query_row([centre, id], |row| {
        Ok(Batch {
            id: id.into(),
            centre: centre.into(),
            programme: row.get(0)?,
            expected: row.get::<_, Option<i64>>(1)?.map(|n| n as u64),
            opened_at: row.get(2)?,
        })
    });
    Ok(found.optional()?)
}

/// The receipt of a batch as it stands; `None` when nothing is known of it.
pub(crate) fn receipt(connection: &Connection, centre: &str, id: &str) -> Result<Option<Receipt>> {
    let mut receipt = Receipt::default();
    let mut statement = connection.prepare_cached(
        "SELECT file, outcome, reason, next_step FROM batch_item WHERE centre = ?1 AND batch = ?2 ORDER BY file, digest",
    )?;
    let mut rows = statement.query([centre, id])?;
    while let Some(row) = rows.next()? {
        let (file, outcome): (String, String) = (row.get(0)?, row.get(1)?);
        receipt.sent += 1;
        match ItemOutcome::of(&outcome) {
            Some(ItemOutcome::Stored) => receipt.stored += 1,
            Some(ItemOutcome::Variant) => {
                receipt.stored += 1;
                receipt.variants.push(file);
            }
            Some(ItemOutcome::AlreadyHeld) => receipt.already_held += 1,
            Some(ItemOutcome::Quarantined) => {
                receipt.quarantined.push(ReceiptQuarantined { file, reason: row.get(2)?, next_step: row.get(3)? });
            }
            None => return Err(Error::damaged("index", format!("batch_item has the outcome {outcome}"))),
        }
    }
    match batch(connection, centre, id)? {
        Some(opened) => receipt.batch = opened,
        None if receipt.sent == 0 => return Ok(None),
        None => receipt.batch = Batch { id: id.into(), centre: centre.into(), ..Batch::default() },
    }
    Ok(Some(receipt))
}

/// Files that a receipt says were stored and that are not held: batch and file.
pub(crate) fn stored_but_not_held(connection: &Connection) -> Result<Vec<(String, String)>> {
    let mut statement = connection.prepare_cached(
        "SELECT batch, file FROM batch_item WHERE outcome IN ('stored', 'variant')
         AND substr(digest, 1, 16) NOT IN (SELECT file FROM instance) ORDER BY batch, file",
    )?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
