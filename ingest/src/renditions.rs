//! Renditions of what is packed: light lossy derivatives where the policy says so, and viewing copies of what no browser
//! decodes. Made after the packs, so that nothing waits for them; deleted and made again at will.

use std::collections::BTreeSet;
use std::sync::Arc;

use archive::{
    FrameSpan, FrameTable, Held, Loss, NewRendition, Reader, RenditionKind, RenditionRecord, RenditionSet, Writer,
};
use bytes::Bytes;
use transcode::codec::{self, lossy};
use transcode::data_set::Limits;
use transcode::derivative::{self, Derivative, NotMade};
use transcode::policy::Policy;
use transcode::viewing_copy::{self, ViewingCopy};

/// Profile of viewing copies.
const VIEW: &str = "view";
/// Files longer than this get no rendition: one is held in memory several times over. Bytes.
const SOURCE_BYTES_MAX: u64 = 128 << 20;

/// What was made.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Made {
    /// Light lossy derivatives.
    pub derivatives: u64,
    /// Their bytes.
    pub derivative_bytes: u64,
    /// Bytes that their sources are held in.
    pub source_bytes: u64,
    /// Viewing copies.
    pub viewing_copies: u64,
    /// Their bytes.
    pub viewing_copy_bytes: u64,
    /// What was wanted and could not be made, each with its reason.
    pub not_made: Vec<Missing>,
}

/// A rendition that was wanted and could not be made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Missing {
    /// The file as its sender named it; a Study Instance UID where all of a study failed.
    pub file: String,
    /// Why.
    pub reason: String,
}

/// Makes renditions by one policy.
#[derive(Clone)]
pub struct Renderer {
    writer: Writer,
    reader: Reader,
    limits: Arc<Limits>,
    policy: Arc<Policy>,
    /// Held by packing while it has work: taken for one instance at a time, so that packing waits for one at the most.
    turn: Arc<tokio::sync::Mutex<()>>,
}

/// What one instance came to.
#[derive(Default)]
struct OfOne {
    renditions: Vec<NewRendition>,
    not_made: Vec<String>,
}

impl Renderer {
    /// One for the archive behind these two.
    pub fn new(writer: Writer, reader: Reader, limits: Limits, policy: Policy) -> Renderer {
        Renderer { writer, reader, limits: Arc::new(limits), policy: Arc::new(policy), turn: Arc::default() }
    }

    /// The same, which works only while nobody holds this.
    #[must_use]
    pub(crate) fn behind(self, turn: Arc<tokio::sync::Mutex<()>>) -> Renderer {
        Renderer { turn, ..self }
    }

    /// Makes what the instances of a study lack; those that are not packed yet are left out. With `remake`, all renditions of
    /// the study are deleted first.
    ///
    /// # Errors
    /// When the archive cannot be read or written. What a file itself is to blame for is named in the answer.
    pub async fn make(&self, study_instance_uid: &str, now: &str, remake: bool) -> archive::Result<Made> {
        if remake {
            self.writer.delete_renditions(study_instance_uid, &[]).await?;
        }
        let held = self.reader.instances(study_instance_uid, None).await?;
        let found = self.reader.renditions_of_study(study_instance_uid).await?;
        let there: BTreeSet<(RenditionKind, String)> =
            found.into_iter().map(|found| (found.record.kind, found.record.source_file)).collect();
        let lacks = |held: &Held| {
            let file = archive::hex(&held.record.digests.file);
            self.wanted(held).into_iter().filter(|kind| !there.contains(&(*kind, file.clone()))).collect::<Vec<_>>()
        };
        let lacking: Vec<(&Held, Vec<RenditionKind>)> =
            held.iter().map(|held| (held, lacks(held))).filter(|(_, kinds)| !kinds.is_empty()).collect();
        if lacking.is_empty() {
            return Ok(Made::default());
        }
        self.make_all(study_instance_uid, &lacking, now).await
    }

    /// Kinds of rendition that an instance may get, by what is known without reading it.
    fn wanted(&self, held: &Held) -> Vec<RenditionKind> {
        let mut kinds = Vec::new();
        if held.form == archive::HeldForm::Intake {
            return kinds;
        }
        if self.policy.may_derive(&held.record.description.series.modality) {
            kinds.push(RenditionKind::Derivative);
        }
        if viewing_copy::is_wanted(&held.transfer_syntax_uid) {
            kinds.push(RenditionKind::ViewingCopy);
        }
        kinds
    }

    async fn make_all(&self, study: &str, lacking: &[(&Held, Vec<RenditionKind>)], now: &str) -> archive::Result<Made> {
        let set = RenditionSet {
            study_instance_uid: study.to_owned(),
            policy: self.policy.version.clone(),
            coder: lossy::CODER.into(),
            created_at: now.to_owned(),
        };
        let sources: Vec<[u8; 32]> = lacking.iter().map(|(held, _)| held.record.digests.file).collect();
        let Some(mut builder) = self.writer.begin_renditions(set, &sources).await? else { return Ok(Made::default()) };
        let mut made = Made::default();
        for (held, kinds) in lacking {
            let turn = self.turn.lock().await;
            let of_one = self.of_one(held, kinds).await?;
            drop(turn);
            let file = || held.record.origin.file.clone();
            made.not_made.extend(of_one.not_made.into_iter().map(|reason| Missing { file: file(), reason }));
            for rendition in of_one.renditions {
                let kind = rendition.record.kind;
                made.count(kind, builder.add(rendition).await?, held.held_bytes);
            }
        }
        builder.finish().await?;
        Ok(made)
    }

    async fn of_one(&self, held: &Held, kinds: &[RenditionKind]) -> archive::Result<OfOne> {
        if held.part10_bytes > SOURCE_BYTES_MAX {
            let reason = format!("it has {} bytes, and at most {SOURCE_BYTES_MAX} are read at once", held.part10_bytes);
            return Ok(OfOne { not_made: vec![reason], ..OfOne::default() });
        }
        let file = self.reader.read(held, None).await?;
        let (kinds, record) = (kinds.to_vec(), record(held));
        let (policy, limits) = (Arc::clone(&self.policy), Arc::clone(&self.limits));
        let work = move || {
            let mut of_one = OfOne::default();
            kinds.iter().for_each(|kind| of_one.make(*kind, &file, &record, &policy, &limits));
            of_one
        };
        let failed = |panic| OfOne { not_made: vec![format!("the coder failed: {panic}")], ..OfOne::default() };
        Ok(tokio::task::spawn_blocking(work).await.unwrap_or_else(failed))
    }
}

impl OfOne {
    fn make(&mut self, kind: RenditionKind, file: &[u8], of: &RenditionRecord, policy: &Policy, limits: &Limits) {
        let made = match kind {
            RenditionKind::Derivative => match derivative::make(file, policy, limits) {
                Ok(made) => Ok(derived(made, of)),
                // By the policy there is to be none: nobody needs to be told.
                Err(NotMade::Unwanted(_)) => return,
                Err(error) => Err(error.to_string()),
            },
            RenditionKind::ViewingCopy => {
                let copy = viewing_copy::make(file, limits);
                copy.map(|copy| copied(copy, of)).map_err(|error| format!("no viewing copy: {error}"))
            }
        };
        match made {
            Ok(rendition) => self.renditions.push(rendition),
            Err(reason) => self.not_made.push(reason),
        }
    }
}

/// What a rendition's record says of its source, and what a viewing copy has from it.
fn record(held: &Held) -> RenditionRecord {
    let description = &held.record.description;
    RenditionRecord {
        source_sop_instance_uid: description.instance.sop_instance_uid.clone(),
        source_file: archive::hex(&held.record.digests.file),
        kind: RenditionKind::ViewingCopy,
        profile: VIEW.into(),
        sop_instance_uid: description.instance.sop_instance_uid.clone(),
        series_instance_uid: description.series.series_instance_uid.clone(),
        transfer_syntax_uid: String::new(),
        loss: None,
    }
}

fn derived(made: Derivative, of: &RenditionRecord) -> NewRendition {
    let derivative::Measured { largest_error, psnr_db, ratio } = made.measured;
    let record = RenditionRecord {
        kind: RenditionKind::Derivative,
        profile: made.profile,
        sop_instance_uid: made.sop_instance_uid,
        series_instance_uid: made.series_instance_uid,
        transfer_syntax_uid: made.transfer_syntax_uid.into(),
        loss: Some(Loss { largest_error, psnr_db, ratio }),
        ..of.clone()
    };
    let frames = frame_table(&made.part10, &made.frames);
    NewRendition { record, part10: Bytes::from(made.part10), frames }
}

fn copied(copy: ViewingCopy, of: &RenditionRecord) -> NewRendition {
    let record = RenditionRecord { transfer_syntax_uid: copy.transfer_syntax_uid.into(), ..of.clone() };
    let frames = frame_table(&copy.part10, &copy.frames);
    NewRendition { record, part10: Bytes::from(copy.part10), frames }
}

/// As packing makes it: resolution ends only where all frames have as many.
fn frame_table(part10: &[u8], spans: &[(u64, u64)]) -> FrameTable {
    let codestream = |(offset, length): (u64, u64)| {
        part10.get(offset as usize..).and_then(|rest| rest.get(..length as usize)).unwrap_or_default()
    };
    let mut ends: Vec<Vec<u64>> = spans.iter().map(|span| codec::resolution_ends(codestream(*span))).collect();
    let levels = ends.first().map_or(0, Vec::len);
    if ends.iter().any(|of_one| of_one.len() != levels) {
        ends.iter_mut().for_each(Vec::clear);
    }
    let frame = |(&(offset, length), resolution_ends)| FrameSpan { offset, length, fragments: 1, resolution_ends };
    FrameTable { frames: spans.iter().zip(ends).map(frame).collect() }
}

impl Made {
    fn count(&mut self, kind: RenditionKind, bytes: u64, source_bytes: u64) {
        match kind {
            RenditionKind::Derivative => {
                self.derivatives += 1;
                self.derivative_bytes += bytes;
                self.source_bytes += source_bytes;
            }
            RenditionKind::ViewingCopy => {
                self.viewing_copies += 1;
                self.viewing_copy_bytes += bytes;
            }
        }
    }

    /// Adds what was made of another study, or why nothing was.
    pub fn merge(&mut self, study_instance_uid: &str, other: archive::Result<Made>) {
        match other {
            Ok(other) => {
                self.derivatives += other.derivatives;
                self.derivative_bytes += other.derivative_bytes;
                self.source_bytes += other.source_bytes;
                self.viewing_copies += other.viewing_copies;
                self.viewing_copy_bytes += other.viewing_copy_bytes;
                self.not_made.extend(other.not_made);
            }
            Err(error) => {
                tracing::error!(study_instance_uid, %error, "renditions could not be made; nothing else waits for them");
                self.not_made.push(Missing { file: format!("study {study_instance_uid}"), reason: error.to_string() });
            }
        }
    }
}
