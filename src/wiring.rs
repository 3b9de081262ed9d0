//! The one place where the crates are put together.

use std::path::Path;
use std::sync::Arc;

use archive::catalogue::Catalogue;
use archive::{Reader, Writer};
use ingest::{ChangeFeed, Doorway, Intake, Packer, ReceiveLimits, Receiver, Renderer, packing};
use transcode::data_set::Limits;
use transcode::policy::Policy;

use crate::cli::RenditionArgs;

/// The event logs, the audit log first: what no image could bring back.
pub const EVENT_LOGS: &[&str] =
    &["audit", "receipts", "tokens", "changes", "commitments", "forward", "gateway", "reading"];

/// What every sub-command answers.
pub type Result<T, E = Box<dyn std::error::Error + Send + Sync>> = std::result::Result<T, E>;

/// An archive open for writing, with the gate and the packer in front of it.
pub struct House {
    /// The one writer.
    pub writer: Writer,
    /// Finds and reads.
    pub reader: Reader,
    /// Admits or sets aside.
    pub intake: Intake,
    /// Makes packs.
    pub packer: Packer,
}

/// Opens the archive in `data` for writing; makes one where there is none.
pub async fn open(data: &Path) -> Result<House> {
    let (writer, reader) = archive::open(data, archive::Settings::default()).await?;
    let intake = Intake::new(writer.clone(), reader.clone(), Limits::default());
    let packer = Packer::new(writer.clone(), reader.clone(), Limits::default(), packing::Settings::default());
    Ok(House { writer, reader, intake, packer })
}

/// The policy in a file; the built-in one without.
pub fn policy(file: Option<&Path>) -> Result<Policy> {
    let Some(file) = file else { return Ok(Policy::default()) };
    let text = std::fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
    Ok(Policy::read(&text).map_err(|error| format!("{}: {error}", file.display()))?)
}

impl House {
    /// The same house, which makes renditions of what it packs as these arguments say.
    pub fn with_renditions(self, args: &RenditionArgs) -> Result<House> {
        if args.no_renditions {
            return Ok(self);
        }
        let packer = self.packer.with_renditions(policy(args.derivative_policy.as_deref())?);
        Ok(House { packer, ..self })
    }

    /// What makes renditions by a policy.
    pub fn renderer(&self, policy: Policy) -> Renderer {
        Renderer::new(self.writer.clone(), self.reader.clone(), Limits::default(), policy)
    }

    /// What every door needs.
    pub fn doorway(&self) -> Doorway {
        let receiver = Receiver::new(ReceiveLimits::default(), self.reader.layout().spool());
        Doorway { gate: Arc::new(self.intake.clone()), receiver, now: crate::clock::shared() }
    }

    /// The one that writes the change feed.
    pub fn change_feed(&self) -> Result<ChangeFeed> {
        Ok(ChangeFeed::open(self.reader.clone(), crate::clock::shared())?)
    }

    /// Packs what has been quiet since then; all if `None`.
    pub async fn pack(
        &self,
        quiet_since: Option<&str>,
        each: &(dyn Fn(&archive::Held) + Send + Sync),
    ) -> Result<packing::Summary> {
        Ok(self.packer.pack_quiet(quiet_since, &crate::clock::now, each).await?)
    }

    /// Removes packs that others replaced so many seconds ago. Answers how many.
    pub async fn remove_replaced(&self, replaced_keep_s: u64) -> Result<u64> {
        Ok(self.writer.remove_replaced(&self.reader, &crate::clock::seconds_ago(replaced_keep_s)).await?)
    }

    /// Appends what was packed since to the catalogue.
    pub async fn fill_catalogue(&self) -> Result<()> {
        let dir = self.reader.layout().objects();
        let catalogue = Arc::new(tokio::task::spawn_blocking(move || Catalogue::open(&dir)).await??);
        self.reader.fill_catalogue(&catalogue).await?;
        // The kernel's threads may not be joined from an async one.
        Ok(tokio::task::spawn_blocking(move || drop(catalogue)).await?)
    }
}
