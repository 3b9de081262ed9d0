//! Reports of readings on their way into the archive: the read side makes them, the intake takes them in.

use archive::{Body, Origin};
use bytes::Bytes;
use futures::FutureExt;
use futures::future::BoxFuture;
use ingest::{Doorway, Received, Taken};
use sha2::{Digest, Sha256};
use viewer_api::reading::ReportDoor;

use crate::wiring::House;

/// The intake, as the read side hands reports to it.
pub struct ReportsToIntake(Doorway);

impl ReportsToIntake {
    /// Of this house.
    pub fn new(house: &House) -> ReportsToIntake {
        ReportsToIntake(house.doorway())
    }

    async fn take_in(&self, centre: String, sop_instance_uid: String, part10: Vec<u8>) -> Result<(), String> {
        let (file_digest, body) = (Sha256::digest(&part10).into(), Body::Memory(Bytes::from(part10)));
        let file = format!("reading/{sop_instance_uid}.dcm");
        let origin = Origin { centre, file, received_at: (self.0.now)(), ..Origin::default() };
        let received = Received { body, file_digest, expected_study: None };
        match self.0.gate.take_in(origin, received).await.map_err(|refusal| refusal.to_string())? {
            // Held already: stored before a crash that came before the note of it.
            Taken::Stored(_) | Taken::AlreadyHeld(_) | Taken::Variant(_) => Ok(()),
            Taken::Quarantined { reason, .. } => Err(format!("it was set aside: {} ({})", reason.text, reason.code)),
        }
    }
}

impl ReportDoor for ReportsToIntake {
    fn store(&self, centre: String, sop_instance_uid: String, part10: Vec<u8>) -> BoxFuture<'_, Result<(), String>> {
        self.take_in(centre, sop_instance_uid, part10).boxed()
    }
}
