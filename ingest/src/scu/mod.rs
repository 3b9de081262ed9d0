//! The asking side of DICOM associations (PS3.8 §7, PS3.7 §9): opens one, stores instances, verifies, releases.
//!
//! Generic on purpose: whoever answers C-MOVE, reports a storage commitment or forwards studies opens a [`Scu`] with the
//! presentation contexts it needs and sends what it has. One request is outstanding at a time (PS3.7 Annex D.3.3.3: no
//! asynchronous operations are negotiated).

mod message;
mod wire;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use dicom_ul::pdu::{
    AbortRQSource, AssociationAC, AssociationRJ, AssociationRJResult, AssociationRQ, Pdu, PresentationContextProposed,
    PresentationContextResultReason, UserVariableItem,
};
use futures::{Stream, StreamExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;

use crate::dimse::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME};
pub use message::{C_ECHO_RQ, C_STORE_RQ, Element, Message, Response};
use wire::{Incoming, Wire};

const APPLICATION_CONTEXT: &str = "1.2.840.10008.3.1.1.1";
/// Verification SOP Class.
pub const VERIFICATION: &str = "1.2.840.10008.1.1";
/// Implicit VR Little Endian, which every peer takes.
pub const IMPLICIT_VR_LITTLE_ENDIAN: &str = "1.2.840.10008.1.2";
/// Contexts have odd numbers of one byte (PS3.8 §9.3.2.2).
pub const CONTEXTS_MAX: usize = 128;
/// A Data Set that is answered with (C-FIND, say) may have this many bytes.
const ANSWER_BYTES_MAX: usize = 16 << 20;

/// Bounds of an association that we open.
#[derive(Clone, Copy, Debug)]
pub struct ScuLimits {
    /// A peer that cannot be reached for longer is not there. Default: 15 s.
    pub connect_s_max: u64,
    /// A peer silent for longer is let go. A peer may take long to make an instance durable. Default: 120 s.
    pub idle_s_max: u64,
    /// The largest PDU sent, whatever the peer would take, and the largest taken. Default: 256 KiB.
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
    pub tls: Option<Arc<tokio_rustls::rustls::ClientConfig>>,
    /// Bounds.
    pub limits: ScuLimits,
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
}

impl Proposal {
    /// A context of one class.
    pub fn new(abstract_syntax: impl Into<String>, transfer_syntaxes: &[&str]) -> Proposal {
        let transfer_syntaxes = transfer_syntaxes.iter().map(|uid| (*uid).to_owned()).collect();
        Proposal { abstract_syntax: abstract_syntax.into(), transfer_syntaxes }
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

/// Why an association failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ScuError {
    /// Nobody is there: try again later.
    #[error("{peer} cannot be reached: {detail}")]
    Unreachable {
        /// Whom we called.
        peer: String,
        /// What the network said.
        detail: String,
    },
    /// The peer does not want this association.
    #[error("{peer} rejected the association{}: {reason}", if *.permanent { "" } else { " for now" })]
    Rejected {
        /// Whom we called.
        peer: String,
        /// Calling again will not help (PS3.8 §9.3.4: rejected-permanent).
        permanent: bool,
        /// Why, as it said.
        reason: String,
    },
    /// The association ended before its time; what was outstanding has an unknown outcome.
    #[error("association with {peer}: {detail}")]
    Broken {
        /// Whom we called.
        peer: String,
        /// What happened.
        detail: String,
    },
    /// What was to be sent could not be read; the association is aborted, so that the peer takes no half for a whole.
    #[error("cannot send to {peer}: {detail}")]
    Source {
        /// Whom we called.
        peer: String,
        /// What could not be read.
        detail: String,
    },
}

/// The result of the asking side.
pub type Result<T> = std::result::Result<T, ScuError>;

/// What is stored, and on whose behalf.
#[derive(Clone, Debug, Default)]
pub struct StoreRequest<'a> {
    /// Affected SOP Class UID.
    pub sop_class_uid: &'a str,
    /// Affected SOP Instance UID.
    pub sop_instance_uid: &'a str,
    /// Calling AE title and message ID of the C-MOVE this is a sub-operation of (PS3.7 §9.1.1.1).
    pub move_originator: Option<(&'a str, u16)>,
}

/// An open association that we asked for.
pub struct Scu {
    wire: Wire,
    contexts: Vec<Accepted>,
    message_id: u16,
}

impl Scu {
    /// Opens an association. A proposal that the peer does not accept is simply not among [`Scu::contexts`].
    ///
    /// # Errors
    /// [`ScuError::Unreachable`], [`ScuError::Rejected`], [`ScuError::Broken`].
    pub async fn open(peer: &Peer, proposals: &[Proposal]) -> Result<Scu> {
        let mut wire = connect(peer).await?;
        let proposals = proposals.get(..CONTEXTS_MAX).unwrap_or(proposals);
        let request = request(peer, proposals);
        wire.send(&request.into()).await?;
        match wire.next().await? {
            Incoming::Control(Pdu::AssociationAC(accepted)) => {
                wire.peer_pdu_bytes_max(max_length(&accepted));
                Ok(Scu { wire, contexts: accepted_contexts(proposals, &accepted), message_id: 0 })
            }
            Incoming::Control(Pdu::AssociationRJ(rejected)) => Err(rejection(peer, &rejected)),
            Incoming::Control(Pdu::AbortRQ { source }) => Err(wire.broken(aborted_by(&source))),
            Incoming::Closed => Err(wire.broken("the peer closed the connection instead of answering")),
            _ => Err(wire.broken("an association request was answered with something else")),
        }
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

    /// Stores one instance (C-STORE, PS3.7 §9.1.1): `data` is its Data Set, without preamble and meta group, in the
    /// context's transfer syntax. Nothing of it is held but a PDU.
    ///
    /// # Errors
    /// [`ScuError::Broken`] when the answer did not come: whether the instance is stored is unknown, and sending it again
    /// is safe. [`ScuError::Source`] when `data` broke off.
    pub async fn store(
        &mut self,
        context_id: u8,
        request: &StoreRequest<'_>,
        data: impl Stream<Item = std::io::Result<Bytes>> + Unpin,
    ) -> Result<Response> {
        let command = Message::store(self.next_message_id(), request);
        self.wire.send_command(context_id, &command.to_bytes(true)).await?;
        self.send_data(context_id, data).await?;
        let (response, _) = self.receive().await?;
        self.check(response, command)
    }

    /// Asks whether the peer is there (C-ECHO, PS3.7 §9.1.5), in a context of the Verification SOP Class.
    ///
    /// # Errors
    /// [`ScuError::Broken`], also where the peer did not accept such a context.
    pub async fn echo(&mut self) -> Result<Response> {
        let context = self.contexts.iter().find(|context| context.abstract_syntax == VERIFICATION);
        let id = context.map(|context| context.id);
        let id = id.ok_or_else(|| self.wire.broken("the peer does not offer Verification"))?;
        let command = Message::echo(self.next_message_id());
        let (response, _) = self.ask(id, &command, None).await?;
        self.check(response, command)
    }

    /// Sends any request and gives its (first) response with the Data Set it brought: N-ACTION, N-EVENT-REPORT.
    ///
    /// # Errors
    /// [`ScuError::Broken`].
    pub async fn ask(
        &mut self,
        context_id: u8,
        command: &Message,
        data_set: Option<Bytes>,
    ) -> Result<(Response, Option<Bytes>)> {
        self.wire.send_command(context_id, &command.to_bytes(data_set.is_some())).await?;
        if let Some(bytes) = data_set {
            self.send_data(context_id, futures::stream::iter([Ok(bytes)])).await?;
        }
        self.receive().await
    }

    /// The number of the next request on this association.
    pub fn next_message_id(&mut self) -> u16 {
        self.message_id = self.message_id.wrapping_add(1).max(1);
        self.message_id
    }

    /// Releases the association (PS3.8 §7.2). That the peer just closes is let pass.
    ///
    /// # Errors
    /// [`ScuError::Broken`] when the peer answers something else.
    pub async fn release(mut self) -> Result<()> {
        self.wire.send(&Pdu::ReleaseRQ).await?;
        match self.wire.next().await? {
            Incoming::Control(Pdu::ReleaseRP | Pdu::AbortRQ { .. }) | Incoming::Closed => Ok(()),
            _ => Err(self.wire.broken("a release was answered with something else")),
        }
    }

    /// Ends the association at once (A-ABORT); what is outstanding has an unknown outcome.
    pub async fn abort(mut self) {
        let _ = self.wire.send(&Pdu::AbortRQ { source: AbortRQSource::ServiceUser }).await;
    }

    async fn send_data(
        &mut self,
        context_id: u8,
        mut data: impl Stream<Item = std::io::Result<Bytes>> + Unpin,
    ) -> Result<()> {
        // One chunk is held back: the last fragment has to say that it is the last (PS3.8 Annex E.2).
        let mut held = Bytes::new();
        while let Some(chunk) = data.next().await {
            match chunk {
                Ok(chunk) if chunk.is_empty() => {}
                Ok(chunk) => {
                    self.wire.send_fragments(context_id, std::mem::replace(&mut held, chunk), false).await?;
                }
                Err(error) => {
                    let _ = self.wire.send(&Pdu::AbortRQ { source: AbortRQSource::ServiceUser }).await;
                    return Err(ScuError::Source { peer: self.wire.peer.clone(), detail: error.to_string() });
                }
            }
        }
        self.wire.send_fragments(context_id, held, true).await
    }

    /// One whole message from the peer: its command, and its Data Set where it has one.
    async fn receive(&mut self) -> Result<(Response, Option<Bytes>)> {
        let (mut command, mut response, mut data) = (Vec::new(), None::<Response>, Vec::new());
        loop {
            let values = match self.wire.next().await? {
                Incoming::Data(values) => values,
                Incoming::Control(Pdu::AbortRQ { source }) => return Err(self.wire.broken(aborted_by(&source))),
                Incoming::Closed => return Err(self.wire.broken("the peer went away before it answered")),
                Incoming::Control(_) => return Err(self.wire.broken("a PDU that does not belong here")),
            };
            for value in values {
                let into = if value.is_command { &mut command } else { &mut data };
                if into.len() + value.data.len() > ANSWER_BYTES_MAX {
                    return Err(self.wire.broken("an answer of more than 16 MiB"));
                }
                into.extend_from_slice(&value.data);
                if value.is_command && value.is_last {
                    let read = Response::read(&command).ok_or_else(|| self.wire.broken("an answer is malformed"))?;
                    if !read.has_data_set {
                        return Ok((read, None));
                    }
                    response = Some(read);
                } else if value.is_last
                    && let Some(response) = response.take()
                {
                    return Ok((response, Some(data.into())));
                }
            }
        }
    }

    fn check(&self, response: Response, command: Message) -> Result<Response> {
        match response.message_id == command.message_id && response.field == command.field | 0x8000 {
            true => Ok(response),
            false => Err(self.wire.broken("an answer to a message that was not sent")),
        }
    }
}

async fn connect(peer: &Peer) -> Result<Wire> {
    let unreachable = |detail: String| ScuError::Unreachable { peer: peer.to_string(), detail };
    let limit = Duration::from_secs(peer.limits.connect_s_max.max(1));
    let connecting = TcpStream::connect((peer.host.as_str(), peer.port));
    let socket = match tokio::time::timeout(limit, connecting).await {
        Ok(connected) => connected.map_err(|error| unreachable(error.to_string()))?,
        Err(_) => return Err(unreachable(format!("no connection in {} s", limit.as_secs()))),
    };
    let _ = socket.set_nodelay(true);
    let Some(tls) = &peer.tls else { return Ok(Wire::new(Box::new(socket), peer)) };
    let name = ServerName::try_from(peer.host.clone()).map_err(|error| unreachable(error.to_string()))?;
    let shaking = TlsConnector::from(Arc::clone(tls)).connect(name, socket);
    match tokio::time::timeout(limit, shaking).await {
        Ok(secured) => {
            let secured = secured.map_err(|error| unreachable(format!("TLS: {error}")))?;
            Ok(Wire::new(Box::new(secured), peer))
        }
        Err(_) => Err(unreachable(format!("no TLS handshake in {} s", limit.as_secs()))),
    }
}

fn request(peer: &Peer, proposals: &[Proposal]) -> AssociationRQ {
    let contexts = proposals.iter().enumerate().map(|(at, proposal)| PresentationContextProposed {
        id: context_id(at),
        abstract_syntax: proposal.abstract_syntax.clone(),
        transfer_syntaxes: proposal.transfer_syntaxes.clone(),
    });
    AssociationRQ {
        protocol_version: 1,
        calling_ae_title: peer.calling_ae_title.clone(),
        called_ae_title: peer.ae_title.clone(),
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: contexts.collect(),
        user_variables: vec![
            UserVariableItem::MaxLength(peer.limits.pdu_bytes_max),
            UserVariableItem::ImplementationClassUID(IMPLEMENTATION_CLASS_UID.into()),
            UserVariableItem::ImplementationVersionName(IMPLEMENTATION_VERSION_NAME.into()),
        ],
    }
}

/// Odd numbers from 1 to 255.
fn context_id(at: usize) -> u8 {
    (2 * at.min(CONTEXTS_MAX - 1) + 1) as u8
}

fn accepted_contexts(proposals: &[Proposal], accepted: &AssociationAC) -> Vec<Accepted> {
    let by_id: BTreeMap<u8, &Proposal> =
        proposals.iter().enumerate().map(|(at, proposal)| (context_id(at), proposal)).collect();
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

fn max_length(accepted: &AssociationAC) -> u32 {
    let of = |item: &UserVariableItem| match item {
        UserVariableItem::MaxLength(bytes) => Some(*bytes),
        _ => None,
    };
    accepted.user_variables.iter().find_map(of).unwrap_or(0)
}

fn rejection(peer: &Peer, rejected: &AssociationRJ) -> ScuError {
    ScuError::Rejected {
        peer: peer.to_string(),
        permanent: rejected.result == AssociationRJResult::Permanent,
        reason: rejected.source.to_string(),
    }
}

fn aborted_by(source: &AbortRQSource) -> String {
    format!("the peer aborted it ({source:?})")
}

fn trimmed(uid: &str) -> String {
    uid.trim_matches(|c: char| c == '\0' || c.is_whitespace()).to_owned()
}

#[cfg(test)]
mod tests;
