//! Sends sealed batches to the exchange, keeps each receipt, and lets the files go once it closes.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use archive::EventLog;
use serde_json::json;
use tokio::sync::watch;

use super::exchange::Exchange;
use super::outbox::{Batch, Outbox};
use crate::error::{Error, Result};
use crate::forward::World;
use crate::progress::Silent;
use crate::push::{PushOptions, PushResult, push};

/// How often the outbox is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Longest wait between two attempts at a batch, seconds.
const RETRY_S_MAX: u64 = 300;

/// When a batch is sealed, and what it is said to be.
#[derive(Clone, Debug)]
pub struct PusherSettings {
    /// Programme code of the batches.
    pub programme: String,
    /// Sealed when nothing came for so long. Default: 5 s.
    pub quiet: Duration,
    /// Sealed when it is so old. Default: 60 s.
    pub age_max: Duration,
    /// Sealed when it has so many files. Default: 2,000.
    pub files_max: u64,
}

impl Default for PusherSettings {
    fn default() -> Self {
        let (quiet, age_max) = (Duration::from_secs(5), Duration::from_secs(60));
        PusherSettings { programme: "dock".into(), quiet, age_max, files_max: 2_000 }
    }
}

/// Sends what is in the outbox.
pub struct Pusher {
    /// From where.
    pub outbox: Outbox,
    /// Whereto.
    pub exchange: Exchange,
    /// When, and as what.
    pub settings: PusherSettings,
    /// A folder for receipts.
    pub receipts: PathBuf,
    /// The log of receipts.
    pub log: Arc<EventLog>,
    /// Clock and chance.
    pub world: World,
}

impl Pusher {
    /// Seals and sends until `stop` becomes true. What is under way then is sent again under the same id.
    pub async fn run(self, mut stop: watch::Receiver<bool>) {
        let work = self.keep_pushing();
        tokio::select! {
            () = work => {}
            _ = stop.wait_for(|stop| *stop) => {}
        }
    }

    async fn keep_pushing(&self) {
        let mut failed = 0;
        loop {
            match self.turn().await {
                Ok(0) => tokio::time::sleep(LOOK_EVERY).await,
                Ok(_) => failed = 0,
                Err(error) => {
                    let wait_ms = self.world.back_off_ms(failed, RETRY_S_MAX);
                    tracing::warn!(%error, wait_ms, "a batch could not be sent; it is tried again");
                    failed += 1;
                    tokio::time::sleep(Duration::from_millis(wait_ms)).await;
                }
            }
        }
    }

    /// Seals what is due and sends the sealed batches, the oldest first. Answers how many were closed.
    ///
    /// # Errors
    /// What kept the first of them from being closed.
    pub async fn turn(&self) -> Result<u64> {
        let PusherSettings { quiet, age_max, files_max, .. } = self.settings;
        if self.outbox.is_due(quiet, age_max, files_max) {
            let (outbox, id) = (self.outbox.clone(), self.new_id());
            blocking(move || outbox.seal(&id)).await?;
        }
        let outbox = self.outbox.clone();
        let backlog = blocking(move || outbox.backlog()).await?;
        let mut closed = 0;
        for batch in backlog.batches {
            self.close(&batch).await?;
            closed += 1;
        }
        Ok(closed)
    }

    /// By its time, so that batches sort as they were sealed; and by chance, so that none of another gateway is the same.
    fn new_id(&self) -> String {
        let at: String = self.world.at().chars().filter(char::is_ascii_digit).collect();
        let serial = uuid::Uuid::new_v4().simple().to_string();
        format!("gw-{at}-{}", serial.get(..8).unwrap_or_default())
    }

    /// Sends a batch until its receipt closes, keeps that, and lets the files go.
    async fn close(&self, batch: &Batch) -> Result<()> {
        let path = self.receipts.join(format!("{}.json", batch.id));
        if !path.exists() {
            let result = self.push(batch).await?;
            check(batch, &result, &self.exchange)?;
            self.keep(&path, batch, &result).await?;
        }
        let (outbox, id) = (self.outbox.clone(), batch.id.clone());
        blocking(move || outbox.remove(&id)).await
    }

    async fn push(&self, batch: &Batch) -> Result<PushResult> {
        let mut options =
            PushOptions::new(self.exchange.dicom_web(), batch.id.clone(), self.settings.programme.clone());
        options.token = Some(self.exchange.token()?);
        options.expected = Some(batch.files);
        // The loop around this waits longer each time.
        options.attempts_max = 3;
        push(vec![self.outbox.folder(&batch.id)], &options, &Silent).await
    }

    /// First the receipt, then the log: a receipt that is there means that the batch is closed.
    async fn keep(&self, path: &Path, batch: &Batch, result: &PushResult) -> Result<()> {
        let receipt = json!({ "batch": batch.id, "closed_at": self.world.at(), "exchange": self.exchange.dicom_web(), "receipt": result });
        let (path, at) = (path.to_owned(), self.world.at());
        let event = json!({
            "event": "closed", "batch": batch.id, "sent": result.sent, "stored": result.stored,
            "already_held": result.already_held, "quarantined": result.quarantined.len(),
        });
        for one in &result.quarantined {
            tracing::warn!(file = one.file, "the exchange set a file aside; the receipt says why");
        }
        let log = Arc::clone(&self.log);
        blocking(move || {
            write_durably(&path, receipt.to_string().as_bytes())?;
            log.append(&at, &[event]).map(|_| ()).map_err(io::Error::other)
        })
        .await?;
        tracing::info!(batch = batch.id, sent = result.sent, stored = result.stored, "a receipt closed");
        Ok(())
    }
}

/// A receipt closes when it counts every file of the batch, and each once (docs/gateway.md).
fn check(batch: &Batch, result: &PushResult, exchange: &Exchange) -> Result<()> {
    let wrong = |detail: String| Err(Error::Server { url: exchange.dicom_web(), detail });
    if let Some(failed) = result.failed.first() {
        return wrong(format!("{} files of batch {} were not taken: {}", result.failed.len(), batch.id, failed.why));
    }
    let counted = result.stored + result.already_held + result.quarantined.len() as u64;
    match result.sent == counted && result.sent == batch.files {
        true => Ok(()),
        false => wrong(format!(
            "the receipt of batch {} does not close: {} files, {} sent, {counted} accounted for",
            batch.id, batch.files, result.sent
        )),
    }
}

/// A new file of that name, whole or not at all.
fn write_durably(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let part = path.with_extension("part");
    let mut file = File::create(&part)?;
    file.write_all(bytes)?;
    file.sync_all()?;
    fs::rename(&part, path)?;
    match path.parent() {
        Some(dir) => File::open(dir)?.sync_all(),
        None => Ok(()),
    }
}

async fn blocking<T: Send + 'static>(act: impl FnOnce() -> io::Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(act).await.map_err(|_| Error::Stopping)?;
    done.map_err(|source| Error::Read { name: "the outbox".into(), source })
}
