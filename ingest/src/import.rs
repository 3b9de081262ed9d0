//! Takes in what lies on disk: found, read, handed to the gate, several files at a time.

use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use archive::{Origin, ReceiptQuarantined};
use futures::StreamExt;
use serde::{Deserialize, Serialize};
use tokio::runtime::Handle;
use tokio_stream::wrappers::ReceiverStream;

use crate::door::{Doorway, Received, Refusal, Taken};
use crate::error::{Error, Result};
use crate::files::{Found, walk};
use crate::progress::Progress;

/// Files found but not begun.
const FOUND_AHEAD_MAX: usize = 64;

/// What became of an import: `sent = stored + already_held + quarantined.len()`; `failed` was not taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Summary {
    /// Files the gate answered for.
    pub sent: u64,
    /// Of these, newly kept; variants are among them.
    pub stored: u64,
    /// Of these, held already.
    pub already_held: u64,
    /// Files kept beside a held instance of the same values in another transfer syntax.
    pub variants: Vec<String>,
    /// Files set aside.
    pub quarantined: Vec<ReceiptQuarantined>,
    /// Files that could not be read or kept.
    pub failed: Vec<Failed>,
}

/// A file that was not taken in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failed {
    /// Its name.
    pub file: String,
    /// Why, and what to do.
    pub why: String,
}

/// Imports everything under `paths`, `parallel` files at a time. `template` says centre and batch; name and time are
/// filled in a file. A busy gate is waited for; a full storage ends the import, naming each file that is left.
pub async fn import(
    paths: Vec<PathBuf>,
    door: &Doorway,
    template: &Origin,
    parallel: usize,
    progress: &dyn Progress,
) -> Summary {
    let (sender, found) = tokio::sync::mpsc::channel(FOUND_AHEAD_MAX);
    let walking = tokio::task::spawn_blocking(move || {
        for found in walk(paths) {
            if sender.blocking_send(found).is_err() {
                break;
            }
        }
    });
    let full = &AtomicBool::new(false);
    let import_one = |found| async move {
        let (file, taken) = one(found, door, template, progress, full).await;
        progress.done(&file);
        (file, taken)
    };
    let mut fates = ReceiverStream::new(found).map(import_one).buffer_unordered(parallel.max(1));
    let mut summary = Summary::default();
    while let Some((file, taken)) = fates.next().await {
        summary.add(file, taken);
    }
    drop(fates);
    if walking.await.is_err() {
        let why = "the search for files failed; run the import again".to_owned();
        summary.failed.push(Failed { file: String::new(), why });
    }
    summary.sort();
    summary
}

async fn one(
    found: Result<Found>,
    door: &Doorway,
    template: &Origin,
    progress: &dyn Progress,
    full: &AtomicBool,
) -> (String, Result<Taken, String>) {
    let found = match found {
        Ok(found) => found,
        Err(error) => return (error.name().to_owned(), Err(error.to_string())),
    };
    let (file, bytes) = (found.name.clone(), found.bytes);
    if full.load(Ordering::Relaxed) {
        return (file, Err(Refusal::StorageFull.to_string()));
    }
    progress.begun(&file);
    let received = match receive(found, door).await {
        Ok(received) => received,
        Err(error) => return (file, Err(error.to_string())),
    };
    let taken = hand_in(&file, received, door, template, progress).await;
    full.fetch_or(matches!(taken, Err(Refusal::StorageFull)), Ordering::Relaxed);
    progress.bytes(bytes);
    (file, taken.map_err(|refusal| refusal.to_string()))
}

/// Reads a file off the async threads.
async fn receive(found: Found, door: &Doorway) -> Result<Received> {
    let (mut receiving, handle) = (door.receiver.open(Some(found.bytes)), Handle::current());
    let reading = tokio::task::spawn_blocking(move || {
        found.read(|chunk| handle.block_on(receiving.write(chunk)))?;
        handle.block_on(receiving.finish())
    });
    reading.await.map_err(|_| Error::Stopping)?
}

/// An import can wait: a busy gate is asked again until it has room.
async fn hand_in(
    file: &str,
    received: Received,
    door: &Doorway,
    template: &Origin,
    progress: &dyn Progress,
) -> Result<Taken, Refusal> {
    loop {
        let origin = Origin { file: file.to_owned(), received_at: (door.now)(), ..template.clone() };
        match door.gate.take_in(origin, received.clone()).await {
            Err(Refusal::Busy { retry_after_s }) => {
                progress.note(&format!("{file}: the archive is busy, waiting {retry_after_s} s"));
                tokio::time::sleep(Duration::from_secs(retry_after_s.clamp(1, 60))).await;
            }
            answered => return answered,
        }
    }
}

impl Summary {
    fn add(&mut self, file: String, taken: Result<Taken, String>) {
        match taken {
            Err(why) => return self.failed.push(Failed { file, why }),
            Ok(Taken::Stored(_)) => self.stored += 1,
            Ok(Taken::AlreadyHeld(_)) => self.already_held += 1,
            Ok(Taken::Variant(_)) => {
                self.stored += 1;
                self.variants.push(file);
            }
            Ok(Taken::Quarantined { reason, .. }) => {
                let text = format!("{}: {}", reason.code, reason.text);
                self.quarantined.push(ReceiptQuarantined { file, reason: text, next_step: reason.next_step });
            }
        }
        self.sent += 1;
    }

    /// Files end in any order; the summary of the same files is the same.
    fn sort(&mut self) {
        self.variants.sort();
        self.quarantined.sort_by(|a, b| a.file.cmp(&b.file));
        self.failed.sort_by(|a, b| a.file.cmp(&b.file));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::fake::FakeGate;
    use crate::progress::Silent;

    async fn imported(gate: &Arc<FakeGate>, files: &[(&str, &[u8])]) -> Summary {
        let root = tempfile::tempdir().unwrap();
        for (name, content) in files {
            std::fs::write(root.path().join(name), content).unwrap();
        }
        let template = Origin { centre: "north".into(), ..Origin::default() };
        let paths = files.iter().map(|(name, _)| root.path().join(name)).chain([root.path().join("gone")]);
        import(paths.collect(), &gate.doorway(&root), &template, 3, &Silent).await
    }

    /// Every file ends on one line of the summary, under its own name; what is not there is named as failed.
    #[tokio::test]
    async fn every_file_is_accounted_for() {
        let gate = Arc::new(FakeGate::default());
        let files: [(&str, &[u8]); 4] = [("a", b"one"), ("b", b"bad"), ("c", b"two"), ("d", b"two")];
        let summary = imported(&gate, &files).await;
        assert_eq!((summary.sent, summary.stored, summary.already_held), (4, 2, 1));
        assert_eq!(summary.quarantined[0].file, "b");
        assert!(summary.failed.len() == 1 && summary.failed[0].file.ends_with("gone"), "{:?}", summary.failed);
        assert_eq!(gate.files(), ["a", "b", "c", "d"]);
    }

    /// A busy gate is waited for; a full one ends the import without losing the name of any file.
    #[tokio::test]
    async fn busy_is_waited_for_and_full_is_said() {
        let gate = Arc::new(FakeGate::default());
        gate.busy_first.store(1, Ordering::SeqCst);
        assert_eq!(imported(&gate, &[("a", b"one")]).await.stored, 1);
        let summary = imported(&gate, &[("a", b"full"), ("b", b"full"), ("c", b"full")]).await;
        assert_eq!((summary.sent, summary.failed.len()), (0, 4));
        assert!(summary.failed.iter().all(|failed| !failed.why.is_empty()));
    }

    /// All the real files, broken ones and mutants too, go through: each is handed in once, with the bytes on disk.
    #[tokio::test]
    async fn the_real_files_all_go_through() {
        let datasets = std::path::Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/datasets"));
        if !datasets.exists() {
            return println!("skipped: ../shared/datasets is not here");
        }
        struct Counting(std::sync::Mutex<(u64, u64)>);
        #[async_trait::async_trait]
        impl crate::door::Gate for Counting {
            async fn take_in(&self, _: Origin, received: Received) -> Result<Taken, Refusal> {
                let mut counted = self.0.lock().map_err(|_| Refusal::StorageFull)?;
                *counted = (counted.0 + 1, counted.1 + received.body.len());
                Ok(Taken::Stored(Default::default()))
            }
        }
        let (spool, gate) = (tempfile::tempdir().unwrap(), Arc::new(Counting(Default::default())));
        let door = Doorway { gate: gate.clone(), ..Arc::new(FakeGate::default()).doorway(&spool) };
        let paths = vec![datasets.to_owned()];
        let expected = crate::files::count(&paths);
        let summary = import(paths, &door, &Origin::default(), 2, &Silent).await;
        assert_eq!(summary.failed, []);
        assert_eq!((summary.stored, *gate.0.lock().unwrap()), (expected.0, expected));
        println!("{} real files, {} MB, handed in", expected.0, expected.1 / 1_000_000);
    }
}
