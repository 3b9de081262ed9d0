//! Where things are in an archive's directory. Names carry no patient data.

use std::path::{Path, PathBuf};

/// The directory of one archive.
#[derive(Clone, Debug)]
pub struct Layout {
    dir: PathBuf,
}

impl Layout {
    /// The layout under `dir`, made absolute so that a later change of directory does not move the archive.
    ///
    /// # Errors
    /// When the current directory cannot be found out.
    pub fn new(dir: &Path) -> std::io::Result<Layout> {
        Ok(Layout { dir: std::path::absolute(dir)? })
    }

    /// The directory itself.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Open intake: local append-only segments.
    pub fn intake(&self) -> PathBuf {
        self.dir.join("intake")
    }

    /// Everything that is an object: packs, catalogue, quarantine, amendments.
    pub fn objects(&self) -> PathBuf {
        self.dir.join("objects")
    }

    /// Event logs: audit, receipts, tokens.
    pub fn events(&self) -> PathBuf {
        self.dir.join("events")
    }

    /// The log of that name.
    pub fn event_log(&self, name: &str) -> PathBuf {
        self.events().join(format!("{name}.jsonl"))
    }

    /// The hot index; may be deleted.
    pub fn index(&self) -> PathBuf {
        self.dir.join("index.sqlite")
    }

    /// Bodies too large for memory, on their way in; emptied at every start.
    pub fn spool(&self) -> PathBuf {
        self.dir.join("spool")
    }

    /// Held by the one process that writes.
    pub fn lock(&self) -> PathBuf {
        self.dir.join("writer.lock")
    }
}
