//! An object store that fails on purpose, for tests of what the archive does then.

use std::fmt;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use futures::stream::BoxStream;
use object_store::path::Path;
use object_store::{
    CopyOptions, Error, GetOptions, GetResult, ListResult, MultipartUpload, ObjectMeta, ObjectStore,
    PutMultipartOptions, PutOptions, PutPayload, PutResult, Result, UploadPart,
};

/// What goes wrong, counted in writes: a put, a part of an upload and the completion of one are a write each. The
/// first write is 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    #[default]
    Never,
    /// The n-th write fails, and nothing of it is done.
    Fail(u64),
    /// The n-th write fails after part of it was done: a torn object is left under a put's own name, as a careless
    /// store leaves it after a crash, or a torn part in an upload. How much of it is decided by the seed.
    Tear(u64),
    /// The n-th write is done and yet answered as failed, as when the reply is lost.
    LoseReply(u64),
    /// From the n-th write on there is no room: every write fails.
    DiskFull(u64),
}

/// A store that passes everything on to another, except for its [`Fault`].
#[derive(Clone, Debug)]
pub struct Faulty {
    inner: Arc<dyn ObjectStore>,
    plan: Arc<Plan>,
}

#[derive(Debug)]
struct Plan {
    fault: Fault,
    seed: u64,
    writes: AtomicU64,
}

/// What is to happen with one write.
enum Verdict {
    Pass,
    Fail(&'static str),
    /// Keep the first bytes only (a fraction in 1/65536), then fail.
    Tear(u64),
    LoseReply,
}

impl Faulty {
    /// A store over `inner` with one fault; the seed decides how much of a torn write is kept.
    pub fn new(inner: Arc<dyn ObjectStore>, fault: Fault, seed: u64) -> Faulty {
        Faulty { inner, plan: Arc::new(Plan { fault, seed, writes: AtomicU64::new(0) }) }
    }

    /// Writes asked for so far, those that failed among them. With [`Fault::Never`], how many faults there are to try.
    pub fn writes(&self) -> u64 {
        self.plan.writes.load(Ordering::SeqCst)
    }
}

impl Plan {
    fn next(&self) -> Verdict {
        let number = self.writes.fetch_add(1, Ordering::SeqCst) + 1;
        match self.fault {
            Fault::Fail(n) if n == number => Verdict::Fail("write failed on purpose"),
            Fault::Tear(n) if n == number => Verdict::Tear(scatter(self.seed ^ number) & 0xFFFF),
            Fault::LoseReply(n) if n == number => Verdict::LoseReply,
            Fault::DiskFull(n) if number >= n => Verdict::Fail("no space left on device, on purpose"),
            _ => Verdict::Pass,
        }
    }
}

/// SplitMix64's finaliser: a number far from its neighbours.
fn scatter(n: u64) -> u64 {
    let n = (n ^ (n >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let n = (n ^ (n >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    n ^ (n >> 31)
}

fn failure(why: &'static str) -> Error {
    Error::Generic { store: "Faulty", source: why.into() }
}

fn first_part(payload: &PutPayload, fraction: u64) -> PutPayload {
    let all: Vec<u8> = payload.iter().flatten().copied().collect();
    let kept = (all.len() as u64 * fraction / 0x10000) as usize;
    all[..kept].to_vec().into()
}

impl fmt::Display for Faulty {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "Faulty({}, {:?})", self.inner, self.plan.fault)
    }
}

#[async_trait]
impl ObjectStore for Faulty {
    async fn put_opts(&self, location: &Path, payload: PutPayload, opts: PutOptions) -> Result<PutResult> {
        match self.plan.next() {
            Verdict::Pass => self.inner.put_opts(location, payload, opts).await,
            Verdict::Fail(why) => Err(failure(why)),
            Verdict::Tear(fraction) => {
                self.inner.put_opts(location, first_part(&payload, fraction), opts).await?;
                Err(failure("put torn on purpose"))
            }
            Verdict::LoseReply => {
                self.inner.put_opts(location, payload, opts).await?;
                Err(failure("reply lost on purpose"))
            }
        }
    }

    async fn put_multipart_opts(&self, location: &Path, opts: PutMultipartOptions) -> Result<Box<dyn MultipartUpload>> {
        let inner = self.inner.put_multipart_opts(location, opts).await?;
        Ok(Box::new(FaultyUpload { inner, plan: self.plan.clone() }))
    }

    async fn get_opts(&self, location: &Path, options: GetOptions) -> Result<GetResult> {
        self.inner.get_opts(location, options).await
    }

    fn delete_stream(&self, locations: BoxStream<'static, Result<Path>>) -> BoxStream<'static, Result<Path>> {
        self.inner.delete_stream(locations)
    }

    fn list(&self, prefix: Option<&Path>) -> BoxStream<'static, Result<ObjectMeta>> {
        self.inner.list(prefix)
    }

    async fn list_with_delimiter(&self, prefix: Option<&Path>) -> Result<ListResult> {
        self.inner.list_with_delimiter(prefix).await
    }

    async fn copy_opts(&self, from: &Path, to: &Path, options: CopyOptions) -> Result<()> {
        // A copy writes as a put does, and the archive makes none: whole or not at all is enough here.
        match self.plan.next() {
            Verdict::Pass => self.inner.copy_opts(from, to, options).await,
            Verdict::Fail(why) => Err(failure(why)),
            Verdict::Tear(_) => Err(failure("copy torn on purpose")),
            Verdict::LoseReply => {
                self.inner.copy_opts(from, to, options).await?;
                Err(failure("reply lost on purpose"))
            }
        }
    }
}

#[derive(Debug)]
struct FaultyUpload {
    inner: Box<dyn MultipartUpload>,
    plan: Arc<Plan>,
}

#[async_trait]
impl MultipartUpload for FaultyUpload {
    fn put_part(&mut self, data: PutPayload) -> UploadPart {
        let (data, why) = match self.plan.next() {
            Verdict::Pass => return self.inner.put_part(data),
            Verdict::Fail(why) => return Box::pin(async move { Err(failure(why)) }),
            Verdict::Tear(fraction) => (first_part(&data, fraction), "part torn on purpose"),
            Verdict::LoseReply => (data, "reply lost on purpose"),
        };
        let done = self.inner.put_part(data);
        Box::pin(async move {
            done.await?;
            Err(failure(why))
        })
    }

    async fn complete(&mut self) -> Result<PutResult> {
        match self.plan.next() {
            Verdict::Pass => self.inner.complete().await,
            // Completion is one act in every store: it is done or it is not.
            Verdict::Fail(why) => Err(failure(why)),
            Verdict::Tear(_) => Err(failure("completion failed on purpose")),
            Verdict::LoseReply => {
                self.inner.complete().await?;
                Err(failure("reply lost on purpose"))
            }
        }
    }

    async fn abort(&mut self) -> Result<()> {
        self.inner.abort().await
    }
}
