//! Associations that this program opens: to send instances (PS3.4 Annex B) and to report commitments (Annex J).

use std::collections::BTreeMap;
use std::time::Duration;

use dicom_ul::pdu::{
    AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResultReason, RequestorRoles, UserVariableItem,
};

use super::DimseLimits;
use super::command::{C_STORE_RQ, CommandSet, N_EVENT_REPORT_RQ};
use super::exchange::{Event, Exchange, Outflow};
use super::meta::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use super::negotiate::{APPLICATION_CONTEXT, trimmed};
use super::pdu::{Connection, Incoming};
use super::peers::Peer;
use super::service::{STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE};
use super::transport::Transport;
use crate::error::{Error, Result};

/// Presentation contexts of one association at the most: their IDs are odd and fit a byte (PS3.8 §9.3.2.2).
pub(crate) const CONTEXTS_MAX: usize = 128;
/// How long a connection may take.
const CONNECT_S_MAX: u64 = 15;

/// A presentation context to be proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// The SOP class.
    pub abstract_syntax: String,
    /// In which transfer syntaxes, as preferred.
    pub transfer_syntaxes: Vec<String>,
    /// We are the SCP of it (role selection, PS3.7 §D.3.3.4).
    pub as_scp: bool,
}

/// On whose behalf an instance is sent: of a C-MOVE.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Originator {
    /// Move Originator Application Entity Title (0000,1030).
    pub ae_title: String,
    /// Move Originator Message ID (0000,1031).
    pub message_id: u16,
}

/// An association that was accepted.
pub struct Scu {
    exchange: Exchange,
    /// ID and transfer syntax of what was accepted, by SOP class.
    contexts: BTreeMap<String, Vec<(u8, String)>>,
    message_id: u16,
}

impl Scu {
    /// Opens an association of `calling` with a peer at its address.
    ///
    /// # Errors
    /// [`Error::Association`] when it cannot be reached, rejects us, or breaks the protocol.
    pub async fn open(
        transport: &dyn Transport,
        calling: &str,
        peer: &Peer,
        proposals: &[Proposal],
        limits: DimseLimits,
    ) -> Result<Scu> {
        let failed = |detail: String| Error::Association { peer: peer.ae_title.clone(), detail };
        let (host, port) = peer.address.as_ref().ok_or_else(|| failed("no address is known of it".into()))?;
        let connecting = transport.connect(host, *port, peer.tls);
        let stream = match tokio::time::timeout(Duration::from_secs(CONNECT_S_MAX), connecting).await {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return Err(failed(format!("cannot connect to {host}:{port}: {error}"))),
            Err(_) => return Err(failed(format!("{host}:{port} does not answer"))),
        };
        let idle = Duration::from_secs(limits.idle_s_max.max(1));
        let mut connection = Connection::new(stream, peer.ae_title.clone(), idle, limits.pdu_bytes_max);
        let request = request(calling, &peer.ae_title, proposals, limits.pdu_bytes_max);
        let contexts = request.presentation_contexts.clone();
        connection.send(&request.into()).await?;
        let accepted = match connection.next().await? {
            Incoming::Control(Pdu::AssociationAC(accepted)) => accepted,
            Incoming::Control(Pdu::AssociationRJ(rejected)) => {
                return Err(failed(format!("it rejects the association: {}", rejected.source)));
            }
            _ => return Err(failed("it does not answer the association request".into())),
        };
        let exchange = Exchange::new(connection, &accepted.user_variables);
        let mut by_class: BTreeMap<String, Vec<(u8, String)>> = BTreeMap::new();
        let good =
            accepted.presentation_contexts.iter().filter(|c| c.reason == PresentationContextResultReason::Acceptance);
        for result in good {
            let proposed = contexts.iter().find(|proposed| proposed.id == result.id);
            let transfer_syntax = trimmed(&result.transfer_syntax);
            if let Some(proposed) = proposed.filter(|proposed| proposed.transfer_syntaxes.contains(&transfer_syntax)) {
                by_class.entry(proposed.abstract_syntax.clone()).or_default().push((result.id, transfer_syntax));
            }
        }
        Ok(Scu { exchange, contexts: by_class, message_id: 0 })
    }

    /// The context for an instance of this class, the first of `transfer_syntaxes` that was accepted; and which it is.
    pub fn context(&self, sop_class_uid: &str, transfer_syntaxes: &[String]) -> Option<(u8, String)> {
        let accepted = self.contexts.get(sop_class_uid)?;
        transfer_syntaxes.iter().find_map(|wanted| accepted.iter().find(|(_, syntax)| syntax == wanted)).cloned()
    }

    /// Sends one instance and waits for its status (PS3.7 §9.1.1).
    ///
    /// # Errors
    /// [`Error::Association`] when the association is over; whether the instance arrived is not known then.
    pub async fn store(
        &mut self,
        context_id: u8,
        sop_class_uid: &str,
        sop_instance_uid: &str,
        priority: u16,
        originator: Option<&Originator>,
        data_set: Outflow,
    ) -> Result<u16> {
        self.message_id = self.message_id.wrapping_add(1);
        let command = store_request(self.message_id, sop_class_uid, sop_instance_uid, priority);
        let command = match originator {
            Some(by) => command.text(0x1030, &by.ae_title).number(0x1031, by.message_id),
            None => command,
        };
        self.exchange.send_flow(context_id, &command, data_set).await?;
        Ok(self.exchange.response(self.message_id, None).await?.0.status)
    }

    /// Reports the outcome of a commitment and waits for its status (PS3.4 §J.3.3).
    ///
    /// # Errors
    /// [`Error::Association`] when it was not accepted, or the association is over.
    pub async fn report(&mut self, event_type: u16, data_set: impl FnOnce(&str) -> Vec<u8>) -> Result<u16> {
        let context = self.contexts.get(STORAGE_COMMITMENT).and_then(|contexts| contexts.first()).cloned();
        let Some((context_id, transfer_syntax)) = context else {
            return Err(self.exchange.connection.error("it does not take reports of storage commitment"));
        };
        self.message_id = self.message_id.wrapping_add(1);
        let command = report_request(self.message_id, event_type);
        self.exchange.send(context_id, &command, Some(&data_set(&transfer_syntax))).await?;
        Ok(self.exchange.response(self.message_id, None).await?.0.status)
    }

    /// Releases the association (PS3.8 §7.2); a peer that does not answer loses nothing.
    pub async fn release(mut self) {
        if self.exchange.connection.send(&Pdu::ReleaseRQ).await.is_ok() {
            while let Ok(Event::Value(_)) = self.exchange.next().await {}
        }
    }
}

/// C-STORE-RQ (PS3.7 Table 9.3-1).
pub(super) fn store_request(message_id: u16, class: &str, instance: &str, priority: u16) -> CommandSet {
    let command = CommandSet::new(C_STORE_RQ).with_data_set().number(0x0110, message_id);
    command.text(0x0002, class).text(0x1000, instance).number(0x0700, priority)
}

/// N-EVENT-REPORT-RQ of storage commitment (PS3.7 Table 10.3-1).
pub(super) fn report_request(message_id: u16, event_type: u16) -> CommandSet {
    let command = CommandSet::new(N_EVENT_REPORT_RQ).with_data_set().number(0x0110, message_id);
    let command = command.text(0x0002, STORAGE_COMMITMENT).text(0x1000, STORAGE_COMMITMENT_INSTANCE);
    command.number(0x1002, event_type)
}

fn request(calling: &str, called: &str, proposals: &[Proposal], pdu_bytes_max: u32) -> AssociationRQ {
    let context = |(id, proposal): (u8, &Proposal)| PresentationContextProposed {
        id,
        abstract_syntax: proposal.abstract_syntax.clone(),
        transfer_syntaxes: proposal.transfer_syntaxes.clone(),
    };
    let roles = proposals.iter().filter(|proposal| proposal.as_scp).map(|proposal| {
        let roles = RequestorRoles { scu: false, scp: true };
        UserVariableItem::ScuScpRoleSelectionSubItem(proposal.abstract_syntax.clone(), roles)
    });
    let about_us = [
        UserVariableItem::MaxLength(pdu_bytes_max),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.into()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.into()),
    ];
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: calling.to_owned(),
        called_ae_title: called.to_owned(),
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: (1..=u8::MAX).step_by(2).zip(proposals).map(context).collect(),
        user_variables: about_us.into_iter().chain(roles).collect(),
    }
}
