//! The backlog: what was taken in and not yet packed becomes study packs.
//!
//! Native pixels become codestreams and a recipe, **proven** before anything received is let go: the received file is
//! rebuilt from what will be held and compared, byte for byte and by SHA-256. What cannot be rebuilt is kept as received.
//! An independent decoder looks at some of the codestreams too ([`Witness`]); if it sees anything else, packing stops.

mod ahead;
mod form;
mod summary;

use std::collections::{BTreeSet, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};

use archive::{Body, Digests, Held};
use bytes::Bytes;
use sha2::{Digest, Sha256};
use transcode::Witness;
use transcode::codec::Coders;
use transcode::data_set::Limits;
use transcode::policy::Policy;

use crate::admit;
use crate::renditions::{self, Renderer};
use ahead::{Ahead, Ready};
pub(crate) use form::{Kept, Made};
pub use summary::{Counts, Exception, Failure, Summary};

/// Studies looked at before the backlog is asked again.
const STUDIES_AHEAD: u32 = 256;
/// Bytes hashed at a time.
const READ_BYTES: u64 = 4 << 20;

/// Bounds of packing; each is documented with its default.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Files longer than this are kept as received: packing holds a file in memory about three times. Bytes; 128 MiB.
    pub packable_bytes_max: u64,
    /// Received bytes of one pack at the most (one file may be larger). Bytes; default 1 GiB.
    pub pack_bytes_max: u64,
    /// A file that is not an image is compressed if that saves at least this share of it. Per cent; default 5.
    pub zstd_saves_percent_min: u64,
    /// Who writes codestreams, and who looks at them a second time. Default: those of this program.
    pub coders: Coders,
}

impl Default for Settings {
    fn default() -> Self {
        Settings {
            packable_bytes_max: 128 << 20,
            pack_bytes_max: 1 << 30,
            zstd_saves_percent_min: 5,
            coders: Coders::default(),
        }
    }
}

/// Turns backlog into packs. Clones share what stopped them.
#[derive(Clone)]
pub struct Packer {
    pub(crate) writer: archive::Writer,
    pub(crate) reader: archive::Reader,
    pub(crate) settings: Settings,
    bench: Arc<Bench>,
    renderer: Option<Renderer>,
    /// Held while there is anything to be packed: renditions wait for it between instances.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// What became of an instance that is being packed.
enum One {
    Made(Made, Digests),
    /// Its bytes are not those received.
    Damaged(String),
    /// Packing has stopped: what is under way is given up, and stays where it is.
    Stopped,
}

/// What forms are made with, off the async threads.
struct Bench {
    limits: Limits,
    coders: Coders,
    saves_percent_min: u64,
    witness: Witness,
    stopped: OnceLock<String>,
}

impl Packer {
    /// A packer of the archive behind these two.
    pub fn new(writer: archive::Writer, reader: archive::Reader, limits: Limits, settings: Settings) -> Packer {
        let Settings { coders, zstd_saves_percent_min: saves_percent_min, .. } = settings;
        let (witness, stopped) = (Witness::new(&coders), OnceLock::new());
        let bench = Arc::new(Bench { limits, coders, saves_percent_min, witness, stopped });
        Packer { writer, reader, settings, bench, renderer: None, turn: Arc::default() }
    }

    /// The same, which makes renditions too, once nothing is left to be packed.
    #[must_use]
    pub fn with_renditions(self, policy: Policy) -> Packer {
        let (writer, reader, limits) = (self.writer.clone(), self.reader.clone(), self.bench.limits.clone());
        let renderer = Renderer::new(writer, reader, limits, policy).behind(Arc::clone(&self.turn));
        Packer { renderer: Some(renderer), ..self }
    }

    /// What makes renditions of what is packed, if anything does.
    pub fn renderer(&self) -> Option<&Renderer> {
        self.renderer.as_ref()
    }

    /// Why nothing more is packed until the program is started again.
    pub fn stopped(&self) -> Option<&str> {
        self.bench.stopped.get().map(String::as_str)
    }

    /// Packs every study for which nothing came since `quiet_since` (RFC 3339; all if `None`). `each` hears of every
    /// file packed. A study that fails is named in the summary and keeps no other from being packed. Renditions of what was
    /// packed are made last, so that no instance waits in intake for a rendition of another.
    ///
    /// # Errors
    /// When the backlog itself cannot be read, or an earlier pack that failed cannot be settled.
    pub async fn pack_quiet(
        &self,
        quiet_since: Option<&str>,
        now: &(dyn Fn() -> String + Send + Sync),
        each: &(dyn Fn(&Held) + Send + Sync),
    ) -> archive::Result<Summary> {
        let mut summary = self.pack_ready(quiet_since, now, each).await?;
        if summary.stopped.is_none() {
            let studies = summary.studies.clone();
            self.render(studies, now, &mut summary.renditions).await;
        }
        Ok(summary)
    }

    /// As [`Packer::pack_quiet`], without renditions: those of [`Summary::studies`] are for whoever has time.
    ///
    /// # Errors
    /// When the backlog itself cannot be read, or an earlier pack that failed cannot be settled.
    pub async fn pack_ready(
        &self,
        quiet_since: Option<&str>,
        now: &(dyn Fn() -> String + Send + Sync),
        each: &(dyn Fn(&Held) + Send + Sync),
    ) -> archive::Result<Summary> {
        // First the turn, then the backlog: what another has packed meanwhile is not packed twice.
        let _turn = self.turn.lock().await;
        self.writer.settle_packs().await?;
        let (mut summary, mut stuck) = (Summary::default(), HashSet::new());
        loop {
            summary.stopped = self.stopped().map(str::to_owned);
            if summary.stopped.is_some() {
                return Ok(summary);
            }
            let ahead = u32::try_from(stuck.len()).unwrap_or(u32::MAX).saturating_add(STUDIES_AHEAD);
            let backlog = self.reader.backlog(ahead).await?;
            let is_quiet = |at: &str| quiet_since.is_none_or(|since| at <= since);
            let quiet = backlog.into_iter().filter(|study| is_quiet(&study.last_received_at));
            let quiet: Vec<String> =
                quiet.map(|study| study.study_instance_uid).filter(|study| !stuck.contains(study)).collect();
            if quiet.is_empty() {
                return Ok(summary);
            }
            let packed = self.pack_studies(quiet.clone(), now, each, &mut summary).await;
            stuck.extend(quiet.into_iter().filter(|study| !packed.contains(study)));
            summary.studies.extend(packed);
        }
    }

    /// Answers the studies of which something was packed.
    async fn pack_studies(
        &self,
        studies: Vec<String>,
        now: &(dyn Fn() -> String + Send + Sync),
        each: &(dyn Fn(&Held) + Send + Sync),
        summary: &mut Summary,
    ) -> BTreeSet<String> {
        let (mut packed, mut ahead, mut study) = (BTreeSet::new(), Ahead::new(self, studies), None);
        while self.stopped().is_none() {
            study = ahead.study(study.as_ref()).await;
            let Some(study) = &study else { break };
            match self.pack_study(study, &mut ahead, &now(), each, summary).await {
                Ok(0) => {}
                Ok(_) => drop(packed.insert(study.to_string())),
                Err(error) => {
                    tracing::error!(%study, %error, "a study could not be packed; it stays in intake");
                    summary.fail(study, error.to_string());
                }
            }
        }
        packed
    }

    async fn render(
        &self,
        studies: BTreeSet<String>,
        now: &(dyn Fn() -> String + Send + Sync),
        made: &mut renditions::Made,
    ) {
        let Some(renderer) = &self.renderer else { return };
        for study in studies {
            made.merge(&study, renderer.make(&study, &now(), false).await);
        }
    }

    /// Answers how many instances were packed.
    async fn pack_study(
        &self,
        study_instance_uid: &Arc<str>,
        ahead: &mut Ahead<'_>,
        now: &str,
        each: &(dyn Fn(&Held) + Send + Sync),
        summary: &mut Summary,
    ) -> archive::Result<u64> {
        let mut pack = self.writer.begin_pack(study_instance_uid, now).await?;
        let mut done = Summary::default();
        let mut packed = 0;
        while let Some(ready) = ahead.instance(study_instance_uid).await {
            let Ready { mut held, json, one } = ready?;
            let form = match one {
                One::Made(form, digests) => {
                    held.record.digests = digests;
                    form
                }
                One::Stopped => return Ok(0),
                One::Damaged(reason) => {
                    tracing::error!(%study_instance_uid, reason, "an instance in intake is damaged; it stays there");
                    summary.fail(study_instance_uid, reason);
                    continue;
                }
            };
            let held_bytes = pack.add(&self.reader, &held, json, form.form).await?;
            done.count(&held, form.kept, held_bytes);
            packed += 1;
            each(&held);
        }
        if packed > 0 {
            pack.finish().await?;
            done.packs = 1;
            summary.merge(done);
        }
        Ok(packed)
    }

    /// The instances of a study that go into its next pack, with their DICOM JSON.
    async fn backlog_of(&self, study_instance_uid: &str) -> archive::Result<VecDeque<(Held, Bytes)>> {
        let instances = self.reader.backlog_of(study_instance_uid, self.settings.pack_bytes_max).await?;
        let json = self.reader.dicom_json(&instances).await?;
        Ok(instances.into_iter().zip(json).collect())
    }

    /// Whether the bytes in intake are still those that were acknowledged: nothing else may go into a pack, which is
    /// where the last copy is from then on. Says what is wrong if they are not.
    pub(crate) async fn is_as_received(&self, held: &Held) -> archive::Result<Result<(), String>> {
        let range = held.received_range();
        let (mut digest, mut at) = (Sha256::new(), range.start);
        while at < range.end {
            let chunk = self.reader.read(held, Some(at..range.end.min(at.saturating_add(READ_BYTES)))).await?;
            if chunk.is_empty() {
                break;
            }
            at += chunk.len() as u64;
            digest.update(&chunk);
        }
        let same = digest.finalize().as_slice() == held.record.digests.file;
        Ok(if same { Ok(()) } else { Err(damaged(held)) })
    }

    /// Makes the form of an instance in intake. Its bytes are hashed once: by the proof where they were rebuilt, else by
    /// themselves.
    async fn one(&self, held: &Held) -> archive::Result<One> {
        if held.part10_bytes > self.settings.packable_bytes_max {
            return Ok(match self.is_as_received(held).await? {
                Ok(()) => One::Made(Made::received(Kept::TooLarge), held.record.digests),
                Err(reason) => One::Damaged(reason),
            });
        }
        let received = self.reader.read(held, None).await?;
        let Some(made) = self.make_form_of(received.clone(), held).await else { return Ok(One::Stopped) };
        let digests = self.digests(received.clone(), held).await;
        if matches!(made.kept, Kept::Rebuilt) {
            return Ok(One::Made(made, digests));
        }
        let (digest, range) = (digests.file, held.received_range());
        let received = received.slice(range.start as usize..range.end.min(received.len() as u64) as usize);
        let hashed = tokio::task::spawn_blocking(move || Sha256::digest(&received).as_slice() == digest);
        let same = hashed.await.unwrap_or(false);
        Ok(if same { One::Made(made, digests) } else { One::Damaged(damaged(held)) })
    }

    /// The digests that the pack keeps: that of the Data Set is made here, unless somebody had to know it before.
    async fn digests(&self, received: Bytes, held: &Held) -> Digests {
        let digests = held.record.digests;
        if digests.data_set.is_some() {
            return digests;
        }
        let bench = Arc::clone(&self.bench);
        let hash = move || admit::data_set_digest(&Body::Memory(received), &bench.limits);
        let data_set = tokio::task::spawn_blocking(hash).await.ok().and_then(Result::ok);
        Digests { data_set, ..digests }
    }

    /// Makes the form of these received bytes. `None` once packing has stopped: what is under way is given up, and stays
    /// where it is.
    pub(crate) async fn make_form_of(&self, received: Bytes, held: &Held) -> Option<Made> {
        let (digest, bench) = (held.record.digests.file, Arc::clone(&self.bench));
        let make = move || form::make(&received, &digest, &bench);
        // A panic in a coder costs this file its codestreams, not the service its life.
        let made = tokio::task::spawn_blocking(make)
            .await
            .unwrap_or_else(|panic| Ok(Made::received(Kept::NotRebuilt(format!("the coder failed: {panic}")))));
        match made {
            Ok(made) => Some(made),
            Err(disagreement) => {
                let uid = &held.record.description.instance.sop_instance_uid;
                let why = format!("instance {uid}: {disagreement}");
                tracing::error!(why, "PACKING HAS STOPPED: what we write is not what others read; nothing was let go");
                let _ = self.bench.stopped.set(why);
                None
            }
        }
    }
}

fn damaged(held: &Held) -> String {
    let uid = &held.record.description.instance.sop_instance_uid;
    format!("instance {uid} has another SHA-256 than the file received")
}
