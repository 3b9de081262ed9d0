//! The asking side of DICOM associations (PS3.8 §7, PS3.7 §9): opens one, stores instances, verifies, reports, releases.
//!
//! Generic on purpose: whoever answers C-MOVE, reports a storage commitment or forwards studies opens a [`Scu`] with the
//! presentation contexts it needs and sends what it has. One request is outstanding at a time (PS3.7 Annex D.3.3.3: no
//! asynchronous operations are negotiated).

mod error;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dicom_ul::pdu::{
    AbortRQSource, AssociationAC, AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResultReason,
    RequestorRoles, UserVariableItem,
};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::DimseLimits;
use super::command::{C_ECHO_RQ, C_STORE_RQ};
pub use super::command::{Command, CommandSet};
use super::exchange::{Event, Exchange, aborted_by};
use super::meta::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
use super::negotiate::{APPLICATION_CONTEXT, trimmed};
pub use super::negotiate::{EXPLICIT_VR_LITTLE_ENDIAN, IMPLICIT_VR_LITTLE_ENDIAN};
use super::pdu::{Connection, Incoming, Stream};
pub use super::service::VERIFICATION;
use super::transport::Transport;
use crate::error::Error;
pub use error::{Result, ScuError};

/// Contexts have odd numbers of one byte (PS3.8 §9.3.2.2).
pub const CONTEXTS_MAX: usize = 128;

/// Bounds of an association that we open.
#[derive(Clone, Copy, Debug)]
pub struct ScuLimits {
    /// A peer that cannot be reached for longer is not there. Default: 15 s.
    pub connect_s_max: u64,
    /// A peer silent for longer is let go. A peer may take long to make an instance durable. Default: 120 s.
    pub idle_s_max: u64,
    /// The largest P-DATA PDU taken, announced at association. Default: 256 KiB.
    pub pdu_bytes_max: u32,
}

impl Default for ScuLimits {
    fn default() -> Self {
        ScuLimits { connect_s_max: 15, idle_s_max: 120, pdu_bytes_max: 256 << 10 }
    }
}

/// Whom to call, and as whom.
#[derive(Clone)]
pub struct Peer {
    /// Called AE title.
    pub ae_title: String,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Calling AE title: ours.
    pub calling_ae_title: String,
    /// TLS (PS3.15 Annex B), with what the peer's certificate is checked by; plain TCP if `None`.
    pub tls: Option<Arc<ClientConfig>>,
    /// Bounds.
    pub limits: ScuLimits,
}

impl Peer {
    /// A peer that is known by name, to be called at its address as `calling`.
    ///
    /// # Errors
    /// [`ScuError::Unreachable`] where no address is known, or TLS is asked for and not set up.
    pub(super) fn known(
        peer: &super::Peer,
        calling: &str,
        transport: &dyn Transport,
        limits: DimseLimits,
    ) -> Result<Peer> {
        let unreachable = |detail: &str| ScuError::Unreachable { peer: peer.ae_title.clone(), detail: detail.into() };
        let (host, port) = peer.address.clone().ok_or_else(|| unreachable("no address is known of it"))?;
        let tls = transport.client().filter(|_| peer.tls);
        if peer.tls && tls.is_none() {
            return Err(unreachable("TLS is not set up; give --tls-cert and --tls-key"));
        }
        let DimseLimits { idle_s_max, pdu_bytes_max, .. } = limits;
        let limits = ScuLimits { idle_s_max, pdu_bytes_max, ..ScuLimits::default() };
        Ok(Peer { ae_title: peer.ae_title.clone(), host, port, calling_ae_title: calling.to_owned(), tls, limits })
    }
}

impl fmt::Display for Peer {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(to, "{} at {}:{}", self.ae_title, self.host, self.port)
    }
}

/// One presentation context to be proposed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Proposal {
    /// Abstract syntax: a SOP class.
    pub abstract_syntax: String,
    /// Transfer syntaxes, the best first.
    pub transfer_syntaxes: Vec<String>,
    /// We are the SCP of it (role selection, PS3.7 §D.3.3.4).
    pub as_scp: bool,
}

impl Proposal {
    /// A context of one class, of which we are the SCU.
    pub fn new(abstract_syntax: impl Into<String>, transfer_syntaxes: &[&str]) -> Proposal {
        let transfer_syntaxes = transfer_syntaxes.iter().map(|uid| (*uid).to_owned()).collect();
        Proposal { abstract_syntax: abstract_syntax.into(), transfer_syntaxes, as_scp: false }
    }
}

/// A presentation context that the peer accepted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted {
    /// Its number.
    pub id: u8,
    /// Its abstract syntax.
    pub abstract_syntax: String,
    /// The transfer syntax the peer chose.
    pub transfer_syntax: String,
}

/// What is stored, and on whose behalf.
#[derive(Clone, Debug, Default)]
pub struct StoreRequest<'a> {
    /// Affected SOP Class UID.
    pub sop_class_uid: &'a str,
    /// Affected SOP Instance UID.
    pub sop_instance_uid: &'a str,
    /// Priority (0000,0700): 0 is medium.
    pub priority: u16,
    /// The C-MOVE this is a sub-operation of.
    pub move_originator: Option<&'a Originator>,
}

/// Who asked for a C-MOVE (PS3.7 §9.1.1.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Originator {
    /// Move Originator Application Entity Title (0000,1030).
    pub ae_title: String,
    /// Move Originator Message ID (0000,1031).
    pub message_id: u16,
}

impl StoreRequest<'_> {
    /// C-STORE-RQ (PS3.7 Table 9.3-1).
    pub(super) fn command(&self, message_id: u16) -> CommandSet {
        let command = CommandSet::new(C_STORE_RQ).with_data_set().number(0x0110, message_id);
        let command = command.text(0x0002, self.sop_class_uid).text(0x1000, self.sop_instance_uid);
        let command = command.number(0x0700, self.priority);
        match self.move_originator {
            Some(by) => command.text(0x1030, &by.ae_title).number(0x1031, by.message_id),
            None => command,
        }
    }
}

/// An open association that we asked for.
pub struct Scu {
    exchange: Exchange,
    contexts: Vec<Accepted>,
    message_id: u16,
}

impl Scu {
    /// Opens an association. A proposal that the peer does not accept is simply not among [`Scu::contexts`].
    ///
    /// # Errors
    /// [`ScuError::Unreachable`], [`ScuError::Rejected`], [`ScuError::Broken`].
    pub async fn open(peer: &Peer, proposals: &[Proposal]) -> Result<Scu> {
        let limits = peer.limits;
        let (stream, idle) = (connect(peer).await?, Duration::from_secs(limits.idle_s_max.max(1)));
        let mut connection = Connection::new(stream, peer.to_string(), idle, limits.pdu_bytes_max);
        let proposals = proposals.get(..CONTEXTS_MAX).unwrap_or(proposals);
        connection.send(&request(peer, proposals).into()).await?;
        let why = match connection.next().await? {
            Incoming::Control(Pdu::AssociationAC(accepted)) => {
                let contexts = accepted_contexts(proposals, &accepted);
                let exchange = Exchange::new(connection, &accepted.user_variables);
                return Ok(Scu { exchange, contexts, message_id: 0 });
            }
            Incoming::Control(Pdu::AssociationRJ(rejected)) => return Err(ScuError::rejected(peer, &rejected)),
            Incoming::Control(Pdu::AbortRQ { source }) => aborted_by(&source),
            Incoming::Closed => "it closed the connection instead of answering".into(),
            _ => "it answered an association request with something else".into(),
        };
        Err(connection.error(why).into())
    }

    /// The presentation contexts the peer accepted.
    pub fn contexts(&self) -> &[Accepted] {
        &self.contexts
    }

    /// An accepted context of a class in one transfer syntax.
    pub fn context(&self, abstract_syntax: &str, transfer_syntax: &str) -> Option<&Accepted> {
        let fits = |context: &&Accepted| {
            context.abstract_syntax == abstract_syntax && context.transfer_syntax == transfer_syntax
        };
        self.contexts.iter().find(fits)
    }

    /// An accepted context of a class.
    ///
    /// # Errors
    /// [`ScuError::Broken`] where the peer accepted none.
    pub fn context_of(&self, abstract_syntax: &str) -> Result<&Accepted> {
        let found = self.contexts.iter().find(|context| context.abstract_syntax == abstract_syntax);
        let none = || self.exchange.connection.error(format_args!("it does not take SOP class {abstract_syntax}"));
        found.ok_or_else(|| none().into())
    }

    /// Stores one instance (C-STORE, PS3.7 §9.1.1): `data` is its Data Set, without preamble and meta group, in the
    /// context's transfer syntax. Little of it is held at a time.
    ///
    /// # Errors
    /// [`ScuError::Broken`] when the answer did not come: whether the instance is stored is unknown, and sending it again
    /// is safe. [`ScuError::Source`] when `data` broke off: the association is aborted then.
    pub async fn store<E: fmt::Display>(
        &mut self,
        context_id: u8,
        request: &StoreRequest<'_>,
        data: impl futures::Stream<Item = std::result::Result<Bytes, E>>,
    ) -> Result<Command> {
        let command = request.command(self.next_message_id());
        match self.exchange.send_flow(context_id, &command, data).await {
            Ok(_) => Ok(self.exchange.response(&command, None).await?.0),
            Err(error) => {
                if matches!(error, Error::Source { .. }) {
                    self.say_abort().await;
                }
                Err(error.into())
            }
        }
    }

    /// Asks whether the peer is there (C-ECHO, PS3.7 §9.1.5), in a context of the Verification SOP Class.
    ///
    /// # Errors
    /// [`ScuError::Broken`], also where the peer did not accept such a context.
    pub async fn echo(&mut self) -> Result<Command> {
        let id = self.context_of(VERIFICATION)?.id;
        self.ask(id, CommandSet::new(C_ECHO_RQ).text(0x0002, VERIFICATION), None).await
    }

    /// Sends any request, with a Data Set or without, and gives its response; that must bring no Data Set: N-ACTION,
    /// N-EVENT-REPORT.
    ///
    /// # Errors
    /// [`ScuError::Broken`].
    pub async fn ask(&mut self, context_id: u8, command: CommandSet, data_set: Option<&[u8]>) -> Result<Command> {
        let command = command.number(0x0110, self.next_message_id());
        let command = if data_set.is_some() { command.with_data_set() } else { command };
        self.exchange.send(context_id, &command, data_set).await?;
        Ok(self.exchange.response(&command, None).await?.0)
    }

    fn next_message_id(&mut self) -> u16 {
        self.message_id = self.message_id.wrapping_add(1).max(1);
        self.message_id
    }

    /// Releases the association (PS3.8 §7.2). That the peer just closes is let pass.
    ///
    /// # Errors
    /// [`ScuError::Broken`] when the peer answers something else.
    pub async fn release(mut self) -> Result<()> {
        self.exchange.connection.send(&Pdu::ReleaseRQ).await?;
        match self.exchange.next().await? {
            Event::Control(Pdu::ReleaseRP | Pdu::AbortRQ { .. }) | Event::Closed => Ok(()),
            _ => Err(self.exchange.connection.error("it answered a release with something else").into()),
        }
    }

    /// Says A-ABORT; who does not hear it finds the connection closed.
    async fn say_abort(&mut self) {
        let _ = self.exchange.connection.send(&Pdu::AbortRQ { source: AbortRQSource::ServiceUser }).await;
    }
}

async fn connect(peer: &Peer) -> Result<Box<dyn Stream>> {
    let unreachable = |detail: String| ScuError::Unreachable { peer: peer.to_string(), detail };
    let limit = Duration::from_secs(peer.limits.connect_s_max.max(1));
    let connecting = TcpStream::connect((peer.host.as_str(), peer.port));
    let socket = match tokio::time::timeout(limit, connecting).await {
        Ok(connected) => connected.map_err(|error| unreachable(error.to_string()))?,
        Err(_) => return Err(unreachable(format!("no connection in {} s", limit.as_secs()))),
    };
    let _ = socket.set_nodelay(true);
    let Some(tls) = &peer.tls else { return Ok(Box::new(socket)) };
    let name = ServerName::try_from(peer.host.clone()).map_err(|error| unreachable(error.to_string()))?;
    let shaking = TlsConnector::from(Arc::clone(tls)).connect(name, socket);
    match tokio::time::timeout(limit, shaking).await {
        Ok(secured) => Ok(Box::new(secured.map_err(|error| unreachable(format!("TLS: {error}")))?)),
        Err(_) => Err(unreachable(format!("no TLS handshake in {} s", limit.as_secs()))),
    }
}

fn request(peer: &Peer, proposals: &[Proposal]) -> AssociationRQ {
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
        UserVariableItem::MaxLength(peer.limits.pdu_bytes_max),
        UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.into()),
        UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.into()),
    ];
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: peer.calling_ae_title.clone(),
        called_ae_title: peer.ae_title.clone(),
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: numbered(proposals).map(context).collect(),
        user_variables: about_us.into_iter().chain(roles).collect(),
    }
}

/// Each with its context ID: odd numbers from 1 to 255.
fn numbered(proposals: &[Proposal]) -> impl Iterator<Item = (u8, &Proposal)> {
    (1..=u8::MAX).step_by(2).zip(proposals)
}

fn accepted_contexts(proposals: &[Proposal], accepted: &AssociationAC) -> Vec<Accepted> {
    let by_id: BTreeMap<u8, &Proposal> = numbered(proposals).collect();
    let taken = accepted.presentation_contexts.iter();
    let taken = taken.filter(|context| context.reason == PresentationContextResultReason::Acceptance);
    let accepted = taken.filter_map(|context| {
        let transfer_syntax = trimmed(&context.transfer_syntax);
        let proposal = by_id.get(&context.id)?;
        // What was not proposed cannot be sent (PS3.8 §9.3.3.2).
        proposal.transfer_syntaxes.contains(&transfer_syntax).then(|| Accepted {
            id: context.id,
            abstract_syntax: proposal.abstract_syntax.clone(),
            transfer_syntax,
        })
    });
    accepted.collect()
}

#[cfg(test)]
mod tests;
