//! The gate: examines each file that a door received, takes it in or sets it aside, and answers when that is durable.

use std::sync::Arc;

use archive::{Admission, Body, Digests, Origin, Quarantined, Reason, TakeIn, TakenIn};
use async_trait::async_trait;

use crate::admit::{self, Examined};
use crate::compare::{self, Likeness};
use crate::door::{Batches, Gate, InstanceUids, Received, Refusal, Taken};

/// The gate of an archive.
#[derive(Clone)]
pub struct Intake {
    writer: archive::Writer,
    reader: archive::Reader,
    limits: Arc<transcode::data_set::Limits>,
    /// Files examined at once: parsing and hashing take a core each.
    examining: Arc<tokio::sync::Semaphore>,
    /// Takes in annotations of studies that are held, refuses everything else, and sets nothing aside.
    annotations_only: bool,
}

impl Intake {
    /// The gate of the archive behind these two.
    pub fn new(writer: archive::Writer, reader: archive::Reader, limits: transcode::data_set::Limits) -> Intake {
        let cores = std::thread::available_parallelism().map_or(2, |n| n.get());
        let examining = Arc::new(tokio::sync::Semaphore::new(2 * cores));
        Intake { writer, reader, limits: Arc::new(limits), examining, annotations_only: false }
    }

    /// The same gate for a sender who may annotate held studies and nothing else: what is anything else is refused, and
    /// nothing is set aside.
    pub fn of_annotations(&self) -> Intake {
        Intake { annotations_only: true, ..self.clone() }
    }

    /// Examines a file again that was set aside: it may be admissible now. Answers what became of it.
    ///
    /// # Errors
    /// When nothing could be kept; it stays set aside then.
    pub async fn retry(&self, record: &Quarantined, body: Body) -> Result<Taken, Refusal> {
        self.admit(record.origin.clone(), body, digest_of(record)?, None, Admission::Ordinary).await
    }

    /// Takes in a file that was set aside, whatever is held: somebody decided so.
    ///
    /// # Errors
    /// When nothing could be kept; it stays set aside then.
    pub async fn release(&self, record: &Quarantined, body: Body) -> Result<Taken, Refusal> {
        self.admit(record.origin.clone(), body, digest_of(record)?, None, Admission::Released).await
    }

    async fn admit(
        &self,
        mut origin: Origin,
        body: Body,
        file_digest: [u8; 32],
        expected_study: Option<&str>,
        admission: Admission,
    ) -> Result<Taken, Refusal> {
        let mut examined = match self.examine(body.clone(), file_digest).await? {
            Ok(examined) => examined,
            Err(reason) => return self.set_aside(origin, &body, file_digest, InstanceUids::default(), reason).await,
        };
        let uids = uids_of(&examined);
        if origin.file.is_empty() {
            origin.file = format!("{}.dcm", uids.sop_instance_uid);
        }
        if let Some(expected) = expected_study.filter(|expected| *expected != uids.study_instance_uid) {
            let reason = other_study(expected, &uids.study_instance_uid);
            return self.set_aside(origin, &body, file_digest, uids, reason).await;
        }
        if self.annotations_only {
            annotation::check(&self.reader, &mut examined.description).await?;
        }
        // What is set aside is always what was received.
        let received = body.clone();
        let mut take_in = take_in(origin, examined.converted.clone().unwrap_or(body), file_digest, examined);
        // Most UIDs come once: the Data Set's digest is made where it is asked for. What is too long to be in memory is
        // not looked at again when it is packed, and what somebody decided about is seldom.
        if matches!(take_in.body, Body::Spooled(..)) || admission != Admission::Ordinary {
            take_in.digests.data_set = Some(self.data_set_digest(&take_in.body).await?);
        }
        match self.writer.take_in(take_in.clone(), admission).await.map_err(refusal)? {
            TakenIn::Collision => self.collided(take_in, &received, uids).await,
            outcome => self.settled(outcome, take_in, &received, uids).await,
        }
    }

    async fn settled(
        &self,
        outcome: TakenIn,
        take_in: TakeIn,
        received: &Body,
        uids: InstanceUids,
    ) -> Result<Taken, Refusal> {
        let reason = match outcome {
            TakenIn::Stored => return Ok(Taken::Stored(uids)),
            TakenIn::Variant => return Ok(Taken::Variant(uids)),
            TakenIn::AlreadyHeld => return Ok(Taken::AlreadyHeld(uids)),
            TakenIn::OtherPerson { held } => other_person(&held, &take_in),
            TakenIn::Collision => conflict("another file is held under its SOP Instance UID"),
        };
        self.set_aside(take_in.origin, received, take_in.digests.file, uids, reason).await
    }

    /// Another file is held under the same SOP Instance UID: already held if its Data Set is the same, a variant if values
    /// and pixels are.
    async fn collided(&self, mut take_in: TakeIn, received: &Body, uids: InstanceUids) -> Result<Taken, Refusal> {
        let data_set = self.data_set_digest(&take_in.body).await?;
        take_in.digests.data_set = Some(data_set);
        // Asked once more: the digest of what is held may be known, if only of a variant.
        match self.writer.take_in(take_in.clone(), Admission::Ordinary).await.map_err(refusal)? {
            TakenIn::Collision => {}
            outcome => return self.settled(outcome, take_in, received, uids).await,
        }
        let held = self.reader.find_all(&uids.sop_instance_uid).await.map_err(refusal)?;
        let mut difference = "another file is held under its SOP Instance UID".to_owned();
        for one in &held {
            let old = crate::original::dicom_body(&self.reader, one).await.map_err(refusal)?;
            let (new, limits) = (take_in.body.clone(), Arc::clone(&self.limits));
            let compare = move || compare::likeness(&old, &new, &data_set, &limits);
            let admission = match blocking(compare).await? {
                Likeness::SameDataSet => Admission::SameDataSet,
                Likeness::SameValues => Admission::Variant,
                Likeness::Differs(found) => {
                    difference = found;
                    continue;
                }
            };
            let outcome = self.writer.take_in(take_in.clone(), admission).await.map_err(refusal)?;
            return self.settled(outcome, take_in, received, uids).await;
        }
        let reason = conflict(&difference);
        self.set_aside(take_in.origin, received, take_in.digests.file, uids, reason).await
    }

    async fn data_set_digest(&self, body: &Body) -> Result<[u8; 32], Refusal> {
        let _permit = self.examining.acquire().await.map_err(|e| Refusal::Failed(e.to_string()))?;
        let (body, limits) = (body.clone(), Arc::clone(&self.limits));
        blocking(move || admit::data_set_digest(&body, &limits)).await?.map_err(Refusal::Failed)
    }

    async fn examine(&self, body: Body, digest: [u8; 32]) -> Result<Result<Examined, Reason>, Refusal> {
        let _permit = self.examining.acquire().await.map_err(|e| Refusal::Failed(e.to_string()))?;
        let limits = Arc::clone(&self.limits);
        blocking(move || admit::examine(&body, &digest, &limits)).await
    }

    async fn set_aside(
        &self,
        mut origin: Origin,
        body: &Body,
        file_digest: [u8; 32],
        uids: InstanceUids,
        reason: Reason,
    ) -> Result<Taken, Refusal> {
        if self.annotations_only {
            return Err(Refusal::NotPermitted(reason.text));
        }
        let digest = archive::hex(&file_digest);
        if origin.file.is_empty() {
            origin.file = format!("sha256-{}", &digest[..16]);
        }
        let record = Quarantined {
            digest,
            bytes: body.len(),
            origin,
            reason: reason.clone(),
            sop_class_uid: Some(uids.sop_class_uid.clone()).filter(|uid| !uid.is_empty()),
            sop_instance_uid: Some(uids.sop_instance_uid.clone()).filter(|uid| !uid.is_empty()),
        };
        self.writer.quarantine(record, body).await.map_err(refusal)?;
        Ok(Taken::Quarantined { uids, reason })
    }
}

#[async_trait]
impl Gate for Intake {
    async fn take_in(&self, origin: Origin, received: Received) -> Result<Taken, Refusal> {
        let Received { body, file_digest, expected_study, .. } = received;
        self.admit(origin, body, file_digest, expected_study.as_deref(), Admission::Ordinary).await
    }
}

#[async_trait]
impl Batches for Intake {
    async fn open(&self, batch: archive::Batch) -> Result<(), Refusal> {
        self.writer.open_batch(batch).await.map_err(refusal)
    }

    async fn receipt(&self, centre: &str, id: &str) -> Result<Option<archive::Receipt>, Refusal> {
        self.reader.receipt(centre, id).await.map_err(refusal)
    }
}

fn take_in(origin: Origin, body: Body, file: [u8; 32], examined: Examined) -> TakeIn {
    let mut description = examined.description;
    let issuer = &mut description.study.patient.issuer_of_patient_id;
    if issuer.is_empty() {
        // A person is (issuer, Patient ID): "0001" of two centres is two people.
        issuer.clone_from(&origin.centre);
    }
    TakeIn {
        origin,
        description,
        dicom_json: examined.dicom_json,
        frames: examined.frames,
        digests: Digests { file, data_set: None },
        body,
    }
}

fn uids_of(examined: &Examined) -> InstanceUids {
    let description = &examined.description;
    InstanceUids {
        sop_class_uid: description.instance.sop_class_uid.clone(),
        sop_instance_uid: description.instance.sop_instance_uid.clone(),
        study_instance_uid: description.study.study_instance_uid.clone(),
        series_instance_uid: description.series.series_instance_uid.clone(),
    }
}

fn digest_of(record: &Quarantined) -> Result<[u8; 32], Refusal> {
    archive::unhex(&record.digest).ok_or_else(|| Refusal::Failed("the quarantine record has no digest".into()))
}

fn other_person(held: &(String, String), take_in: &TakeIn) -> Reason {
    let sent = &take_in.description.study.patient;
    Reason {
        code: "other-person".into(),
        text: format!(
            "its study is held as that of patient {} of {}, but this file says patient {} of {}",
            held.1, held.0, sent.patient_id, sent.issuer_of_patient_id
        ),
        next_step:
            "check which patient is right and send a corrected file; to keep it as it is: tsunagu quarantine release"
                .into(),
    }
}

fn other_study(expected: &str, found: &str) -> Reason {
    Reason {
        code: "other-study".into(),
        text: format!("it was sent to study {expected} but is of study {found}"),
        next_step: "send it to its own study, or to /studies".into(),
    }
}

fn conflict(difference: &str) -> Reason {
    Reason {
        code: "conflict".into(),
        text: format!("another instance is held under its SOP Instance UID, and it is not the same: {difference}"),
        next_step:
            "give the changed instance a new SOP Instance UID and send it again; to keep it beside the held one: \
                    tsunagu quarantine release"
                .into(),
    }
}

fn refusal(error: archive::Error) -> Refusal {
    let full = |error: &std::io::Error| error.kind() == std::io::ErrorKind::StorageFull;
    match &error {
        archive::Error::Io { source, .. } if full(source) => Refusal::StorageFull,
        _ => Refusal::Failed(error.to_string()),
    }
}

/// Runs work that takes a core off the async threads. A panic in it refuses this file and nothing else.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    tokio::task::spawn_blocking(work).await.map_err(|e| Refusal::Failed(format!("an internal failure: {e}")))
}

mod annotation;
#[cfg(test)]
mod tests;
