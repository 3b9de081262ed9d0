//! A gate for tests: what a file's first bytes say decides its fate, and everything handed in is remembered.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use archive::{Batch, Origin, Reason, Receipt, ReceiptQuarantined};
use async_trait::async_trait;

use crate::door::{Batches, Doorway, Gate, InstanceUids, Received, Refusal, Taken};
use crate::receive::{ReceiveLimits, Receiver};
use crate::stow::{Stow, StowLimits, Uploads};

/// One file as it was handed in.
#[derive(Clone, Debug)]
pub struct Handed {
    pub origin: Origin,
    pub bytes: Vec<u8>,
    pub expected_study: Option<String>,
}

#[derive(Default)]
pub struct FakeGate {
    pub handed: Mutex<Vec<Handed>>,
    held: Mutex<BTreeMap<[u8; 32], ()>>,
    receipts: Mutex<BTreeMap<String, (Receipt, Vec<String>)>>,
    /// How many files are answered Busy before the first is taken.
    pub busy_first: AtomicUsize,
    /// Files whose names begin so are set aside.
    pub conflicts: Mutex<Vec<String>>,
    /// Files whose names begin so are never taken.
    pub busy: Mutex<Vec<String>>,
}

/// The UIDs of a file, if it is a DICOM file.
fn uids_in(bytes: &[u8]) -> Option<InstanceUids> {
    use transcode::data_set::{Tag, scan};
    let found = scan(&mut std::io::Cursor::new(bytes), &Default::default()).ok()?;
    let uid = |group, element| found.data_set.uid(Tag(group, element)).map(str::to_owned);
    Some(InstanceUids {
        sop_class_uid: uid(8, 0x16)?,
        sop_instance_uid: uid(8, 0x18)?,
        study_instance_uid: uid(0x20, 0xD)?,
        series_instance_uid: uid(0x20, 0xE)?,
    })
}

impl FakeGate {
    /// A door to this gate that spools into `spool`.
    pub fn doorway(self: &Arc<Self>, spool: &tempfile::TempDir) -> Doorway {
        let receiver = Receiver::new(ReceiveLimits::default(), spool.path());
        Doorway { gate: self.clone(), receiver, now: Arc::new(|| "2026-11-23T00:00:00Z".into()) }
    }

    /// A STOW door to this gate.
    pub fn stow(self: &Arc<Self>, spool: &tempfile::TempDir) -> Stow {
        Stow {
            door: self.doorway(spool),
            annotations: self.clone(),
            batches: self.clone(),
            limits: StowLimits::default(),
            base: String::new(),
            public_url: None,
            uploads: Uploads::default(),
        }
    }

    /// Names of what was handed in, sorted.
    pub fn files(&self) -> Vec<String> {
        let mut files: Vec<_> = self.handed.lock().unwrap().iter().map(|handed| handed.origin.file.clone()).collect();
        files.sort();
        files
    }

    fn answer(&self, file: &str, bytes: &[u8], digest: [u8; 32]) -> Result<Taken, Refusal> {
        let busy = self.busy_first.fetch_update(Ordering::SeqCst, Ordering::SeqCst, |left| left.checked_sub(1));
        if busy.is_ok() || bytes.starts_with(b"busy") {
            return Err(Refusal::Busy { retry_after_s: 1 });
        }
        if bytes.starts_with(b"forbidden") {
            return Err(Refusal::NotPermitted("a test says so".into()));
        }
        if bytes.starts_with(b"full") {
            return Err(Refusal::StorageFull);
        }
        if self.conflicts.lock().unwrap().iter().any(|name| file.starts_with(name)) {
            let reason = Reason { code: "conflict".into(), text: "as told".into(), next_step: "look at it".into() };
            return Ok(Taken::Quarantined { uids: uids_in(bytes).unwrap_or_default(), reason });
        }
        if self.busy.lock().unwrap().iter().any(|name| file.starts_with(name)) {
            return Err(Refusal::Busy { retry_after_s: 1 });
        }
        let serial = u32::from_le_bytes([digest[0], digest[1], digest[2], digest[3]]);
        let mut uids = uids_in(bytes).unwrap_or_else(|| InstanceUids {
            sop_class_uid: "1.2.840.10008.5.1.4.1.1.7".into(),
            sop_instance_uid: format!("1.2.3.{serial}"),
            study_instance_uid: "1.2.1".into(),
            series_instance_uid: "1.2.2".into(),
        });
        if bytes.starts_with(b"bad") || bytes.starts_with(b"conflict") {
            let code = if bytes.starts_with(b"bad") { "not-dicom" } else { "conflict" };
            if code == "not-dicom" {
                uids = InstanceUids::default();
            }
            let reason = Reason { code: code.into(), text: "byte 0".into(), next_step: "look at it".into() };
            return Ok(Taken::Quarantined { uids, reason });
        }
        match self.held.lock().unwrap().insert(digest, ()) {
            Some(()) => Ok(Taken::AlreadyHeld(uids)),
            None => Ok(Taken::Stored(uids)),
        }
    }

    /// A batch counts each file once, whatever is sent again.
    fn count(&self, origin: &Origin, taken: &Taken) {
        let mut receipts = self.receipts.lock().unwrap();
        let Some((receipt, seen)) = origin.batch.as_ref().and_then(|batch| receipts.get_mut(batch)) else { return };
        if seen.contains(&origin.file) {
            return;
        }
        seen.push(origin.file.clone());
        receipt.sent += 1;
        match taken {
            Taken::Stored(_) | Taken::Variant(_) => receipt.stored += 1,
            Taken::AlreadyHeld(_) => receipt.already_held += 1,
            Taken::Quarantined { reason, .. } => receipt.quarantined.push(ReceiptQuarantined {
                file: origin.file.clone(),
                reason: reason.code.clone(),
                next_step: reason.next_step.clone(),
            }),
        }
    }
}

#[async_trait]
impl Gate for FakeGate {
    async fn take_in(&self, origin: Origin, received: Received) -> Result<Taken, Refusal> {
        let bytes = received.body.bytes(u64::MAX).unwrap().unwrap();
        let taken = self.answer(&origin.file, &bytes, received.file_digest)?;
        self.count(&origin, &taken);
        let expected_study = received.expected_study;
        self.handed.lock().unwrap().push(Handed { origin, bytes: bytes.to_vec(), expected_study });
        Ok(taken)
    }
}

#[async_trait]
impl Batches for FakeGate {
    async fn open(&self, batch: Batch) -> Result<(), Refusal> {
        let id = batch.id.clone();
        let receipt = Receipt { batch, ..Receipt::default() };
        self.receipts.lock().unwrap().entry(id).or_insert((receipt, Vec::new()));
        Ok(())
    }

    async fn receipt(&self, centre: &str, id: &str) -> Result<Option<Receipt>, Refusal> {
        let receipts = self.receipts.lock().unwrap();
        Ok(receipts.get(id).map(|(receipt, _)| receipt.clone()).filter(|receipt| receipt.batch.centre == centre))
    }
}
