//! Gathers the chunks of one file, in memory while that is granted and on disk beyond, its SHA-256 running.
//!
//! Memory is granted from one budget for all doors. A file that holds nothing yet waits a while for its first grant
//! (full means wait); a file that has begun never waits for more, or two of them could wait for each other for ever:
//! it moves to the spool folder and gives its memory back. So memory is bounded and a slow sender delays nobody long.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use archive::Body;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use tempfile::NamedTempFile;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::door::Received;
use crate::error::{Error, Result};

/// The budget is counted in pages, for a semaphore counts in u32.
const PAGE_BYTES: usize = 4096;
/// First grant to a file of unknown length.
const FIRST_BYTES: usize = 64 << 10;
/// Bytes gathered before one write to the spool file.
const SPOOL_WRITE_BYTES: usize = 1 << 20;
/// Hashing more than this at once would hold an async thread for half a millisecond; hyper reads less at a time.
const INLINE_BYTES_MAX: usize = 512 << 10;
/// Chunks smaller than this are gathered into one: kept as they are, each would hold on to a read buffer far larger.
const SMALL_BYTES_MAX: usize = 64 << 10;

/// How much a file, and all files together, may hold.
#[derive(Clone, Copy, Debug)]
pub struct ReceiveLimits {
    /// A file of more is refused. Default: 16 GiB.
    pub body_bytes_max: u64,
    /// A file of more is spooled to disk. Default: 32 MiB.
    pub body_memory_bytes_max: usize,
    /// All files in memory together, until the archive lets go of them. Default: 80 MiB.
    pub in_flight_bytes_max: usize,
    /// How long a new file waits for memory before it is spooled. Default: 2 s.
    pub memory_wait_ms_max: u64,
}

impl Default for ReceiveLimits {
    fn default() -> Self {
        ReceiveLimits {
            body_bytes_max: 16 << 30,
            body_memory_bytes_max: 32 << 20,
            in_flight_bytes_max: 80 << 20,
            memory_wait_ms_max: 2_000,
        }
    }
}

/// Opens one [`Receiving`] a file; clones share one budget of memory.
#[derive(Clone, Debug)]
pub struct Receiver {
    limits: ReceiveLimits,
    spool: Arc<PathBuf>,
    budget: Arc<Semaphore>,
    shares: Arc<Shares>,
    /// Of the budget, what one sender may hold.
    share: Option<Arc<Semaphore>>,
}

/// What is left to each sender that is sending.
type Shares = Mutex<BTreeMap<String, Weak<Semaphore>>>;

impl Receiver {
    /// A receiver that spools into the folder `spool`, which must exist.
    pub fn new(limits: ReceiveLimits, spool: impl Into<PathBuf>) -> Self {
        let (spool, budget) = (Arc::new(spool.into()), Arc::new(Semaphore::new(pages(&limits))));
        Receiver { limits, spool, budget, shares: Arc::default(), share: None }
    }

    /// The same for one centre: it may hold three quarters of the memory and no more, whatever it sends, so that there is
    /// always some for another. What does not fit goes to disk.
    #[must_use]
    pub fn of_centre(&self, centre: &str) -> Receiver {
        let mut shares = self.shares.lock().unwrap_or_else(PoisonError::into_inner);
        let share = shares.get(centre).and_then(Weak::upgrade).unwrap_or_else(|| {
            shares.retain(|_, share| share.strong_count() > 0);
            let share = Arc::new(Semaphore::new((pages(&self.limits) / 4 * 3).max(1)));
            shares.insert(centre.to_owned(), Arc::downgrade(&share));
            share
        });
        drop(shares);
        Receiver { share: Some(share), ..self.clone() }
    }

    /// Begins a file that goes to disk at once: it will have to wait for others.
    ///
    /// # Errors
    /// [`Error::Spool`]
    pub fn open_on_disk(&self) -> Result<Receiving> {
        let spooled = NamedTempFile::new_in(&*self.spool).map_err(Error::Spool)?;
        Ok(Receiving { spooled: Some(spooled), ..self.open(None) })
    }

    /// Begins a file. `bytes_hint` is its length if the sender said it; nothing is believed of it but the first grant.
    pub fn open(&self, bytes_hint: Option<u64>) -> Receiving {
        let first = bytes_hint.and_then(|hint| usize::try_from(hint).ok()).unwrap_or(FIRST_BYTES);
        Receiving {
            receiver: self.clone(),
            digest: Sha256::new(),
            len: 0,
            first_bytes: first.clamp(1, self.limits.body_memory_bytes_max.max(1)),
            held: Chunks::default(),
            granted_bytes: 0,
            grant: None,
            spooled: None,
        }
    }

    /// Bytes that a file may have.
    pub fn bytes_max(&self) -> u64 {
        self.limits.body_bytes_max
    }

    /// Bytes of the budget that are free now.
    pub fn free_bytes(&self) -> usize {
        self.budget.available_permits() * PAGE_BYTES
    }
}

fn pages(limits: &ReceiveLimits) -> usize {
    limits.in_flight_bytes_max.div_ceil(PAGE_BYTES).min(u32::MAX as usize)
}

/// Memory that was granted: of the budget, and of the sender's share in it.
type Grant = (OwnedSemaphorePermit, Option<OwnedSemaphorePermit>);

/// One file on its way in.
#[derive(Debug)]
pub struct Receiving {
    receiver: Receiver,
    digest: Sha256,
    len: u64,
    first_bytes: usize,
    /// In memory: the file so far. Spooled: what is not written yet.
    held: Chunks,
    granted_bytes: usize,
    grant: Option<Grant>,
    spooled: Option<NamedTempFile>,
}

impl Receiving {
    /// Bytes received so far.
    pub fn len(&self) -> u64 {
        self.len
    }

    /// Whether none has come yet.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Adds the next bytes.
    ///
    /// # Errors
    /// [`Error::BodyTooLarge`], [`Error::Spool`]. The file is lost then; go on reading and throw the rest away.
    pub async fn write(&mut self, chunk: Bytes) -> Result<()> {
        let len = self.len.saturating_add(chunk.len() as u64);
        let bytes_max = self.receiver.limits.body_bytes_max;
        if len > bytes_max {
            return Err(Error::BodyTooLarge { bytes_max });
        }
        self.len = len;
        if self.spooled.is_none() && !self.fits(chunk.len()).await {
            self.spooled = Some(NamedTempFile::new_in(&*self.receiver.spool).map_err(Error::Spool)?);
            self.flush().await?;
            self.grant = None;
        }
        self.hash(&chunk).await?;
        self.held.push(chunk);
        if self.spooled.is_some() && self.held.bytes >= SPOOL_WRITE_BYTES {
            self.flush().await?;
        }
        Ok(())
    }

    /// The whole file.
    ///
    /// # Errors
    /// [`Error::Spool`] when the last bytes could not be written.
    pub async fn finish(mut self) -> Result<Received> {
        let body = match self.spooled {
            Some(_) => {
                self.flush().await?;
                let file = self.spooled.take().ok_or(Error::Stopping)?;
                Body::spooled(file).map_err(Error::Spool)?
            }
            None => Body::Memory(self.granted()),
        };
        Ok(Received { body, file_digest: self.digest.finalize().into(), expected_study: None })
    }

    /// Makes room in memory for `more` bytes, if the limits and the budget allow.
    async fn fits(&mut self, more: usize) -> bool {
        let needed = self.held.bytes.saturating_add(more);
        let memory_max = self.receiver.limits.body_memory_bytes_max;
        if needed > memory_max {
            return false;
        }
        if needed <= self.granted_bytes {
            return true;
        }
        let wanted = needed.max(self.first_bytes).max(self.granted_bytes * 2).min(memory_max);
        if !self.grant((wanted - self.granted_bytes).div_ceil(PAGE_BYTES)).await {
            return false;
        }
        self.granted_bytes = wanted;
        true
    }

    async fn grant(&mut self, pages: usize) -> bool {
        let Ok(pages) = u32::try_from(pages) else { return false };
        let (budget, share) = (self.receiver.budget.clone(), self.receiver.share.clone());
        let Some((granted, shared)) = &mut self.grant else {
            let both = async {
                let shared = match share {
                    Some(share) => Some(share.acquire_many_owned(pages).await.ok()?),
                    None => None,
                };
                Some((budget.acquire_many_owned(pages).await.ok()?, shared))
            };
            let wait = Duration::from_millis(self.receiver.limits.memory_wait_ms_max);
            self.grant = tokio::time::timeout(wait, both).await.ok().flatten();
            return self.grant.is_some();
        };
        let more_shared = match share.map(|share| share.try_acquire_many_owned(pages)) {
            Some(Err(_)) => return false,
            more => more.and_then(|more| more.ok()),
        };
        let Ok(more) = budget.try_acquire_many_owned(pages) else { return false };
        granted.merge(more);
        if let (Some(shared), Some(more)) = (shared, more_shared) {
            shared.merge(more);
        }
        true
    }

    async fn hash(&mut self, chunk: &Bytes) -> Result<()> {
        if chunk.len() <= INLINE_BYTES_MAX {
            self.digest.update(chunk);
            return Ok(());
        }
        let (mut digest, chunk) = (std::mem::take(&mut self.digest), chunk.clone());
        let hashed = tokio::task::spawn_blocking(move || {
            digest.update(&chunk);
            digest
        });
        self.digest = hashed.await.map_err(|_| Error::Stopping)?;
        Ok(())
    }

    /// Writes what is held to the spool file, off the async threads.
    async fn flush(&mut self) -> Result<()> {
        let Some(mut file) = self.spooled.take() else { return Ok(()) };
        let held = std::mem::take(&mut self.held).finished();
        let written = tokio::task::spawn_blocking(move || {
            held.iter().try_for_each(|chunk| file.write_all(chunk))?;
            Ok(file)
        });
        self.spooled = Some(written.await.map_err(|_| Error::Stopping)?.map_err(Error::Spool)?);
        Ok(())
    }

    /// The bytes in memory, which carry their grant with them until the last clone goes.
    fn granted(&mut self) -> Bytes {
        let held = std::mem::take(&mut self.held).joined();
        let Some((mut granted, mut shared)) = self.grant.take() else { return held };
        let excess = granted.num_permits().saturating_sub(held.len().div_ceil(PAGE_BYTES));
        drop((granted.split(excess), shared.as_mut().and_then(|shared| shared.split(excess))));
        Bytes::from_owner(Granted { held, _grant: (granted, shared) })
    }
}

/// Bytes in the pieces they came in: joining them once, when their number is known, copies them once.
#[derive(Debug, Default)]
struct Chunks {
    whole: Vec<Bytes>,
    small: Vec<u8>,
    bytes: usize,
}

impl Chunks {
    fn push(&mut self, chunk: Bytes) {
        self.bytes += chunk.len();
        if chunk.len() >= SMALL_BYTES_MAX {
            self.close_small();
            self.whole.push(chunk);
        } else {
            self.small.extend_from_slice(&chunk);
            if self.small.len() >= SPOOL_WRITE_BYTES {
                self.close_small();
            }
        }
    }

    fn close_small(&mut self) {
        if !self.small.is_empty() {
            self.whole.push(std::mem::take(&mut self.small).into());
        }
    }

    fn finished(mut self) -> Vec<Bytes> {
        self.close_small();
        self.whole
    }

    fn joined(mut self) -> Bytes {
        self.close_small();
        if let [_] = self.whole.as_slice() {
            return self.whole.remove(0);
        }
        let mut joined = Vec::with_capacity(self.bytes);
        // Each is let go of as soon as it is copied.
        self.whole.into_iter().for_each(|chunk| joined.extend_from_slice(&chunk));
        joined.into()
    }
}

struct Granted {
    held: Bytes,
    _grant: Grant,
}

impl AsRef<[u8]> for Granted {
    fn as_ref(&self) -> &[u8] {
        &self.held
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn receiver(spool: &tempfile::TempDir, memory: usize, in_flight: usize) -> Receiver {
        let limits = ReceiveLimits {
            body_bytes_max: 1 << 20,
            body_memory_bytes_max: memory,
            in_flight_bytes_max: in_flight,
            memory_wait_ms_max: 20,
        };
        Receiver::new(limits, spool.path())
    }

    async fn check(receiver: &Receiver, len: usize, chunk: usize, spooled: bool) {
        let bytes: Vec<u8> = (0..len).map(|i| (i * 7 % 251) as u8).collect();
        let mut receiving = receiver.open(None);
        for piece in bytes.chunks(chunk) {
            receiving.write(Bytes::copy_from_slice(piece)).await.unwrap();
        }
        let received = receiving.finish().await.unwrap();
        assert_eq!(received.file_digest, <[u8; 32]>::from(Sha256::digest(&bytes)), "{len} by {chunk}");
        assert_eq!(received.body.bytes(u64::MAX).unwrap().unwrap(), bytes);
        assert_eq!(matches!(received.body, Body::Spooled(..)), spooled, "{len} by {chunk}");
    }

    /// Any length in any chunks comes out whole with its digest, in memory up to the limit and spooled beyond.
    #[tokio::test]
    async fn bytes_and_digest_are_the_same_in_memory_and_spooled() {
        let spool = tempfile::tempdir().unwrap();
        let receiver = receiver(&spool, 100_000, 1 << 20);
        for chunk in [1_000, 65_536, 300_000] {
            check(&receiver, 0, chunk, false).await;
            check(&receiver, 100_000, chunk, false).await;
            check(&receiver, 100_001, chunk, true).await;
            check(&receiver, 1 << 20, chunk, true).await;
        }
        assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0, "spool files go with their bodies");
        assert_eq!(receiver.free_bytes(), 1 << 20, "all memory is given back");
    }

    /// A file beyond body_bytes_max is refused and leaves nothing behind.
    #[tokio::test]
    async fn a_file_too_large_is_refused() {
        let spool = tempfile::tempdir().unwrap();
        let receiver = receiver(&spool, 100_000, 1 << 20);
        let mut receiving = receiver.open(Some(10));
        receiving.write(Bytes::from(vec![0; 1 << 20])).await.unwrap();
        let refused = receiving.write(Bytes::from_static(b"x")).await;
        assert!(matches!(refused, Err(Error::BodyTooLarge { bytes_max: 1_048_576 })));
        drop(receiving);
        assert_eq!(std::fs::read_dir(spool.path()).unwrap().count(), 0);
    }

    /// With the budget held by others a new file waits, then goes to disk; the grant lives as long as the bytes.
    #[tokio::test]
    async fn a_full_budget_means_disk_and_comes_back_with_the_last_clone() {
        let spool = tempfile::tempdir().unwrap();
        let receiver = receiver(&spool, 100_000, 128 << 10);
        let mut first = receiver.open(Some(100_000));
        first.write(Bytes::from(vec![1; 100_000])).await.unwrap();
        let held = first.finish().await.unwrap();
        let clone = held.body.clone();
        drop(held);
        check(&receiver, 90_000, 90_000, true).await;
        drop(clone);
        check(&receiver, 90_000, 90_000, false).await;
    }

    /// A centre that holds all it may leaves some for another, and gets it back when it has let go.
    #[tokio::test]
    async fn one_centre_leaves_memory_for_another() {
        let spool = tempfile::tempdir().unwrap();
        let receiver = receiver(&spool, 100_000, 160 << 10);
        let (north, south) = (receiver.of_centre("north"), receiver.of_centre("south"));
        let mut first = north.open(Some(90_000));
        first.write(Bytes::from(vec![1; 90_000])).await.unwrap();
        check(&receiver.of_centre("north"), 30_000, 30_000, true).await;
        check(&south, 30_000, 30_000, false).await;
        drop(first);
        check(&north, 30_000, 30_000, false).await;
    }
}
