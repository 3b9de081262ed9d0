//! One association from request to release.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use archive::Origin;
use bytes::Bytes;
use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AbortRQSource, AssociationRJ, AssociationRJResult,
    AssociationRJServiceProviderPresentationReason, AssociationRJServiceUserReason, AssociationRJSource, AssociationRQ,
    Pdu,
};
use tokio::sync::{oneshot, watch};

use super::command::{
    C_CANCEL_RQ, C_ECHO_RQ, C_FIND_RQ, C_GET_RQ, C_MOVE_RQ, C_STORE_RQ, Command, N_ACTION_RQ, N_EVENT_REPORT_RQ,
    RESPONSE,
};
use super::commitment::{Report, Reports, report_request};
use super::exchange::{Event, Exchange};
use super::identifier::{self, Refused};
use super::meta::Meta;
use super::negotiate::{Context, Offers, accept, rejection};
use super::pdu::{Connection, Incoming, Pdv};
use super::peers::Peer;
use super::service::Service;
use super::{Dimse, ae_title, stopped};
use crate::door::Taken;
use crate::error::{
    CANNOT_UNDERSTAND, Error, NOT_AUTHORIZED, OUT_OF_RESOURCES, Result, SOP_CLASS_NOT_SUPPORTED,
    UNRECOGNIZED_OPERATION, quarantine_code, quarantine_comment, refusal_code,
};
use crate::receive::Receiving;

/// Where a connection is from, as the transport knows.
#[derive(Clone, Copy, Debug)]
pub struct From {
    /// The address.
    pub address: IpAddr,
    /// SHA-256 of the certificate that was shown.
    pub certificate_sha256: Option<[u8; 32]>,
}

/// An association that was accepted.
pub struct Association<'a> {
    dimse: &'a Dimse,
    pub(super) exchange: Exchange,
    peer: Arc<Peer>,
    contexts: BTreeMap<u8, Context>,
    /// The message whose Data Set is coming.
    message: Option<Message>,
    /// Reports of commitments for this peer; `None` where it takes none here.
    pub(super) reports: Option<Reports>,
    /// The report whose answer is awaited.
    delivering: Option<(u16, oneshot::Sender<bool>)>,
    /// Message ID of the last request of ours.
    message_id: u16,
}

/// A request, and where it came.
#[derive(Clone, Debug)]
pub struct Request {
    pub command: Command,
    pub context_id: u8,
    pub context: Context,
}

struct Message {
    request: Request,
    work: Work,
}

/// What is done with a Data Set: stored, kept for its service, or passed over because its answer is known.
enum Work {
    Store(Box<Receiving>),
    Keep(Vec<u8>),
    Answer(u16, String),
    /// Of a response: nothing answers it.
    Nothing,
}

impl<'a> Association<'a> {
    /// Serves one connection to its end. `full`: every slot is taken, so the peer is asked to come again.
    ///
    /// # Errors
    /// [`Error::Association`](crate::Error::Association) where the peer broke the protocol or went away.
    pub async fn run(
        dimse: &'a Dimse,
        mut connection: Connection,
        from: From,
        mut stop: watch::Receiver<bool>,
        full: bool,
    ) -> Result<()> {
        let request = match connection.next().await {
            Ok(Incoming::Control(Pdu::AssociationRQ(request))) => request,
            Ok(Incoming::Closed) => return Ok(()),
            Ok(Incoming::Control(pdu)) => {
                let error = connection.unexpected(&pdu);
                return abort(connection, error).await;
            }
            Ok(Incoming::Data(_)) => {
                let error = connection.unexpected(&Pdu::ReleaseRP);
                return abort(connection, error).await;
            }
            Err(error) => return abort(connection, error).await,
        };
        let opened = Self::open(dimse, connection, &request, from, full).await?;
        let Some(mut association) = opened else { return Ok(()) };
        loop {
            match association.turn(&mut stop).await {
                Ok(true) => return Ok(()),
                Ok(false) => (),
                Err(error) => return abort(association.exchange.connection, error).await,
            }
        }
    }

    /// Accepts or rejects.
    async fn open(
        dimse: &'a Dimse,
        mut connection: Connection,
        request: &AssociationRQ,
        from: From,
        full: bool,
    ) -> Result<Option<Self>> {
        let (calling, called) = (ae_title(&request.calling_ae_title), ae_title(&request.called_ae_title));
        let address = from.address;
        let accepted = match dimse.peers.calling(&calling, address, from.certificate_sha256) {
            _ if full => Err(come_again()),
            _ if dimse.ae_title.as_ref().is_some_and(|title| *title != called) => {
                Err(rejection(AssociationRJServiceUserReason::CalledAETitleNotRecognized))
            }
            None => Err(rejection(AssociationRJServiceUserReason::CallingAETitleNotRecognized)),
            Some(peer) => accept(request, dimse.offers()).map(|accepted| (peer, accepted)),
        };
        match accepted {
            Ok((peer, (accepted, contexts))) => {
                connection.send(&accepted.into()).await?;
                connection.peer = format!("{calling} at {address}");
                let exchange = Exchange::new(connection, &request.user_variables);
                let commits = contexts.values().any(|context| context.service == Service::Commitment);
                let commitments = dimse.commitments.as_ref().filter(|_| commits && peer.roles.commit);
                let reports = commitments.map(|commitments| commitments.associated(&peer.ae_title));
                let (message, delivering, message_id) = (None, None, 0);
                Ok(Some(Association { dimse, exchange, peer, contexts, message, reports, delivering, message_id }))
            }
            Err(rejected) => {
                tracing::warn!("association of {calling} at {address} with {called}: {}", rejected.source);
                connection.send(&rejected.into()).await?;
                Ok(None)
            }
        }
    }

    /// Waits for one thing and deals with it; true when the association is over.
    async fn turn(&mut self, stop: &mut watch::Receiver<bool>) -> Result<bool> {
        if self.message.is_none() && self.exchange.is_between() {
            // Between messages: an end, or a report, may come first.
            let idle = self.exchange.connection.idle();
            let (waits, exchange) = (self.is_waited_for(), &mut self.exchange);
            let is_free = self.delivering.is_none();
            tokio::select! {
                biased;
                // Nothing is on its way: the peer will open another association.
                () = stopped(stop) => {
                    exchange.connection.send(&aborted(AbortRQServiceProviderReason::ReasonNotSpecified)).await?;
                    return Ok(true);
                }
                () = exchange.readable() => (),
                Some(report) = next_report(&mut self.reports), if is_free => {
                    self.report(report).await?;
                    return Ok(false);
                }
                () = tokio::time::sleep(idle), if !waits => {
                    return Err(exchange.connection.error(format_args!("nothing came for {} s", idle.as_secs())));
                }
            }
        }
        match self.exchange.next().await? {
            Event::Value(value) => self.value(value).await.map(|()| false),
            Event::Control(Pdu::ReleaseRQ) => {
                self.exchange.connection.send(&Pdu::ReleaseRP).await?;
                Ok(true)
            }
            Event::Control(Pdu::AbortRQ { .. }) => Ok(true),
            Event::Closed => {
                if self.message.is_some() || !self.exchange.is_between() {
                    let peer = &self.exchange.connection.peer;
                    tracing::warn!("{peer} went away inside a message; that instance is not taken in");
                }
                Ok(true)
            }
            Event::Control(pdu) => Err(self.exchange.connection.unexpected(&pdu)),
        }
    }

    async fn value(&mut self, value: Pdv) -> Result<()> {
        match (value.is_command, &mut self.message) {
            (true, None) => match self.exchange.add_command(&value)? {
                Some(command) => self.command(command, value.context_id).await,
                None => Ok(()),
            },
            (false, Some(message)) if message.request.context_id == value.context_id => {
                message.add(&value.data).await;
                if value.is_last { self.finish().await } else { Ok(()) }
            }
            (true, Some(_)) => Err(self.exchange.connection.invalid("a command before the end of a Data Set")),
            (false, _) => {
                Err(self.exchange.connection.invalid("a Data Set without a command in its presentation context"))
            }
        }
    }

    async fn command(&mut self, command: Command, context_id: u8) -> Result<()> {
        // Too late, or for nothing: what it is about has been answered.
        if command.field == C_CANCEL_RQ {
            return Ok(());
        }
        let Some(context) = self.contexts.get(&context_id).cloned() else {
            return Err(self.exchange.connection.invalid("a command in a presentation context that was not accepted"));
        };
        let request = Request { command, context_id, context };
        let work = self.work(&request).await?;
        let has_data_set = request.command.has_data_set;
        self.message = Some(Message { request, work });
        if has_data_set { Ok(()) } else { self.finish().await }
    }

    async fn work(&mut self, request: &Request) -> Result<Work> {
        let (command, context) = (&request.command, &request.context);
        let field = command.field;
        if field & RESPONSE != 0 {
            self.delivered(command);
            return Ok(Work::Nothing);
        }
        if field == C_ECHO_RQ {
            return Ok(Work::Answer(0, String::new()));
        }
        if !context.service.takes(field) {
            return Ok(Work::Answer(UNRECOGNIZED_OPERATION, format!("{} is not offered", context.abstract_syntax)));
        }
        if !self.is_permitted(field) {
            return Ok(self.denied(field).await);
        }
        Ok(match field {
            _ if !command.has_data_set => Work::Answer(CANNOT_UNDERSTAND, "no Data Set".into()),
            C_STORE_RQ => self.receive(request).await,
            _ if command.sop_class_uid != context.abstract_syntax => {
                Work::Answer(SOP_CLASS_NOT_SUPPORTED, "the SOP class is not that of the presentation context".into())
            }
            _ => Work::Keep(Vec::new()),
        })
    }

    /// Opens the file that a C-STORE brings, behind a meta group of our own.
    async fn receive(&self, request: &Request) -> Work {
        let meta = Meta {
            sop_class_uid: &request.command.sop_class_uid,
            sop_instance_uid: &request.command.sop_instance_uid,
            transfer_syntax_uid: &request.context.transfer_syntax,
            calling_ae_title: &self.peer.ae_title,
        };
        let mut receiving = self.dimse.door.receiver.open(None);
        match receiving.write(meta.to_bytes().into()).await {
            Ok(()) => Work::Store(Box::new(receiving)),
            Err(error) => Work::Answer(OUT_OF_RESOURCES, error.to_string()),
        }
    }

    fn is_permitted(&self, field: u16) -> bool {
        let roles = self.peer.roles;
        match field {
            C_STORE_RQ => roles.store,
            C_FIND_RQ => roles.query,
            C_MOVE_RQ | C_GET_RQ => roles.retrieve,
            N_ACTION_RQ => roles.commit,
            _ => false,
        }
    }

    async fn denied(&self, field: u16) -> Work {
        let act = match field {
            C_STORE_RQ => "C-STORE",
            C_FIND_RQ => "C-FIND",
            C_MOVE_RQ => "C-MOVE",
            C_GET_RQ => "C-GET",
            _ => "N-ACTION",
        };
        if let Some(read_side) = &self.dimse.read_side {
            read_side.denied(&self.peer, act).await;
        }
        Work::Answer(NOT_AUTHORIZED, format!("{act} is not permitted to this AE title"))
    }

    /// The message is whole: answers it.
    async fn finish(&mut self) -> Result<()> {
        let Some(Message { request, work }) = self.message.take() else { return Ok(()) };
        let (status, comment) = match work {
            Work::Nothing => return Ok(()),
            Work::Answer(status, comment) => (status, comment),
            Work::Store(receiving) => self.store(*receiving, &request.command).await,
            Work::Keep(bytes) => return self.serve(&request, &bytes).await,
        };
        self.answer(&request, status, &comment).await
    }

    /// Hands a whole request to its service.
    async fn serve(&mut self, request: &Request, bytes: &[u8]) -> Result<()> {
        match request.context.service {
            Service::Find(root) => self.find(request, root, bytes).await?,
            Service::Move(root) | Service::Get(root) => self.retrieve(request, root, bytes).await?,
            Service::Commitment => self.commit(request, bytes).await?,
            Service::Verification | Service::Storage => self.unsupported(request).await?,
        }
        while let Some(stray) = self.exchange.stray() {
            self.delivered(&stray);
        }
        Ok(())
    }

    /// Status and comment of an instance that is whole (PS3.4 Annex B.2.3).
    async fn store(&self, receiving: Receiving, command: &Command) -> (u16, String) {
        let received = match receiving.finish().await {
            Ok(received) => received,
            Err(error) => return (OUT_OF_RESOURCES, error.to_string()),
        };
        let origin = Origin {
            centre: self.peer.centre.clone(),
            batch: None,
            file: command.sop_instance_uid.clone(),
            received_at: (self.dimse.door.now)(),
        };
        match self.dimse.door.gate.take_in(origin, received).await {
            Ok(Taken::Stored(_) | Taken::AlreadyHeld(_) | Taken::Variant(_)) => (0, String::new()),
            Ok(Taken::Quarantined { reason, .. }) => (quarantine_code(&reason), quarantine_comment(&reason)),
            Err(refusal) => (refusal_code(&refusal), refusal.to_string()),
        }
    }

    /// Sends a response without a Data Set.
    pub(super) async fn answer(&mut self, request: &Request, status: u16, comment: &str) -> Result<()> {
        if status != 0 {
            let peer = &self.exchange.connection.peer;
            tracing::warn!("{peer}: {} answered {status:04X}: {comment}", request.command.sop_instance_uid);
        }
        self.exchange.send(request.context_id, &request.command.response(status, comment), None).await
    }

    /// Sends a response that says what is wrong with the request.
    pub(super) async fn refuse(&mut self, request: &Request, refused: &Refused) -> Result<()> {
        let peer = &self.exchange.connection.peer;
        tracing::warn!("{peer}: answered {:04X}: {}", refused.status, refused.comment);
        let response = request.command.response(refused.status, &refused.comment);
        let response = match refused.element {
            Some(tag) => response.offending(u32::from(tag.0) << 16 | u32::from(tag.1)),
            None => response,
        };
        self.exchange.send(request.context_id, &response, None).await
    }

    /// Says that this is not offered.
    pub(super) async fn unsupported(&mut self, request: &Request) -> Result<()> {
        self.answer(request, UNRECOGNIZED_OPERATION, "this is not offered").await
    }

    /// Sends a report on the context of storage commitment.
    async fn report(&mut self, report: Report) -> Result<()> {
        let context = self.contexts.iter().find(|(_, context)| context.service == Service::Commitment);
        let Some((&context_id, context)) = context else { return Ok(()) };
        let data_set = report.outcome.data_set(&context.transfer_syntax, self.dimse.own_ae_title());
        let message_id = self.next_message_id();
        let command = report_request(report.outcome.event_type()).number(0x0110, message_id);
        self.delivering = Some((message_id, report.taken));
        self.exchange.send(context_id, &command, Some(&data_set)).await
    }

    /// A response to a report of ours.
    fn delivered(&mut self, command: &Command) {
        let is_report = command.field == N_EVENT_REPORT_RQ | RESPONSE;
        let awaited = self.delivering.take_if(|(message_id, _)| is_report && *message_id == command.responded_to);
        if let Some((_, taken)) = awaited {
            // Who waits for it may have stopped waiting.
            let _ = taken.send(command.status == 0);
        }
    }

    /// The peer may be silent because it waits for us.
    fn is_waited_for(&self) -> bool {
        self.reports.as_ref().is_some_and(Reports::is_awaited)
    }

    /// The context on which the peer takes instances of this class, the best by `transfer_syntaxes`; and which it is.
    pub(super) fn context_to_peer(&self, sop_class_uid: &str, transfer_syntaxes: &[String]) -> Option<(u8, String)> {
        let of_class = |context: &Context| context.to_peer && context.abstract_syntax == sop_class_uid;
        transfer_syntaxes.iter().find_map(|wanted| {
            let mut contexts = self.contexts.iter();
            let found = contexts.find(|(_, context)| of_class(context) && context.transfer_syntax == *wanted);
            found.map(|(id, _)| (*id, wanted.clone()))
        })
    }

    pub(super) fn next_message_id(&mut self) -> u16 {
        self.message_id = self.message_id.wrapping_add(1);
        self.message_id
    }

    pub(super) fn scp(&self) -> &'a Dimse {
        self.dimse
    }

    pub(super) fn peer(&self) -> Arc<Peer> {
        Arc::clone(&self.peer)
    }
}

impl Message {
    /// Adds a fragment; once that has failed, the rest is passed over.
    async fn add(&mut self, data: &Bytes) {
        let bytes_max = match self.request.context.service {
            Service::Commitment => identifier::BYTES_MAX,
            _ => identifier::IDENTIFIER_BYTES_MAX,
        };
        match &mut self.work {
            Work::Store(receiving) => {
                if let Err(error) = receiving.write(data.clone()).await {
                    self.work = Work::Answer(OUT_OF_RESOURCES, error.to_string());
                }
            }
            Work::Keep(bytes) if bytes.len() + data.len() > bytes_max => {
                self.work = Work::Answer(OUT_OF_RESOURCES, "the Data Set of the request is too long".into());
            }
            Work::Keep(bytes) => bytes.extend_from_slice(data),
            Work::Answer(..) | Work::Nothing => (),
        }
    }
}

impl Dimse {
    fn offers(&self) -> Offers {
        Offers {
            pdu_bytes_max: self.limits.pdu_bytes_max,
            query_retrieve: self.read_side.is_some(),
            commitment: self.commitments.is_some(),
        }
    }
}

async fn next_report(reports: &mut Option<Reports>) -> Option<Report> {
    match reports {
        Some(reports) => reports.next().await,
        None => std::future::pending().await,
    }
}

fn come_again() -> AssociationRJ {
    let reason = AssociationRJServiceProviderPresentationReason::LocalLimitExceeded;
    AssociationRJ {
        result: AssociationRJResult::Transient,
        source: AssociationRJSource::ServiceProviderPresentation(reason),
    }
}

fn aborted(reason: AbortRQServiceProviderReason) -> Pdu {
    Pdu::AbortRQ { source: AbortRQSource::ServiceProvider(reason) }
}

/// Says A-ABORT, as well as that can be said, and gives the reason to the log.
async fn abort(mut connection: Connection, error: Error) -> Result<()> {
    let _ = connection.send(&aborted(connection.abort_reason.clone())).await;
    Err(error)
}
