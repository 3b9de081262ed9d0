//! One association from request to release.

use std::collections::BTreeMap;
use std::net::IpAddr;

use archive::Origin;
use dicom_ul::pdu::{
    AbortRQServiceProviderReason, AbortRQSource, AssociationRJ, AssociationRJResult,
    AssociationRJServiceProviderPresentationReason, AssociationRJServiceUserReason, AssociationRJSource, AssociationRQ,
    PDataValue, PDataValueType, Pdu,
};
use tokio::sync::watch;

use super::command::{C_CANCEL_RQ, C_ECHO_RQ, C_STORE_RQ, Command};
use super::meta::Meta;
use super::negotiate::{Context, accept, rejection};
use super::pdu::{Connection, Incoming, Pdv};
use super::{StorageScp, stopped};
use crate::door::Taken;
use crate::error::{
    CANNOT_UNDERSTAND, OUT_OF_RESOURCES, Result, UNRECOGNIZED_OPERATION, quarantine_code, quarantine_comment,
    refusal_code,
};
use crate::receive::Receiving;

/// A command set is a few hundred bytes.
const COMMAND_BYTES_MAX: usize = 16 << 10;
/// An AE title holds 16 (PS3.5 Table 6.2-1).
const AE_CHARS_MAX: usize = 16;

/// An association that was accepted.
pub struct Association<'a> {
    scp: &'a StorageScp,
    connection: Connection,
    centre: String,
    calling_ae_title: String,
    contexts: BTreeMap<u8, Context>,
    /// The command set so far.
    command: Vec<u8>,
    /// The message whose Data Set is coming.
    message: Option<Message>,
}

struct Message {
    command: Command,
    context_id: u8,
    work: Work,
}

/// What is done with a Data Set: gathered, or passed over because its answer is known.
enum Work {
    Store(Box<Receiving>),
    Answer(u16, String),
}

impl<'a> Association<'a> {
    /// Serves one connection to its end. `full`: every slot is taken, so the peer is asked to come again.
    ///
    /// # Errors
    /// [`Error::Association`](crate::Error::Association) where the peer broke the protocol or went away.
    pub async fn run(
        scp: &'a StorageScp,
        mut connection: Connection,
        address: IpAddr,
        mut stop: watch::Receiver<bool>,
        full: bool,
    ) -> Result<()> {
        let request = match connection.next().await {
            Ok(Incoming::Control(Pdu::AssociationRQ(request))) => request,
            Ok(Incoming::Closed) => return Ok(()),
            Ok(_) => return abort(connection, "began without an association request").await,
            Err(error) => return abort(connection, error).await,
        };
        let opened = Self::open(scp, connection, &request, address, full).await?;
        let Some(mut association) = opened else { return Ok(()) };
        loop {
            let idle = association.message.is_none() && association.command.is_empty();
            let incoming = tokio::select! {
                biased;
                // Between messages nothing is on its way: the peer will open another association.
                () = stopped(&mut stop), if idle => {
                    return association.connection.send(&aborted()).await;
                }
                incoming = association.connection.next() => incoming,
            };
            let done = match incoming {
                Ok(incoming) => association.take(incoming).await,
                Err(error) => Err(error),
            };
            match done {
                Ok(true) => return Ok(()),
                Ok(false) => (),
                Err(error) => return abort(association.connection, error).await,
            }
        }
    }

    /// Accepts or rejects.
    async fn open(
        scp: &'a StorageScp,
        mut connection: Connection,
        request: &AssociationRQ,
        address: IpAddr,
        full: bool,
    ) -> Result<Option<Self>> {
        let (calling, called) = (ae_title(&request.calling_ae_title), ae_title(&request.called_ae_title));
        let centre = scp.calling.centre(&calling, &called, address);
        let unknown = |reason| Err(rejection(reason));
        let accepted = match &centre {
            _ if full => Err(come_again()),
            _ if scp.ae_title.as_ref().is_some_and(|title| *title != called) => {
                unknown(AssociationRJServiceUserReason::CalledAETitleNotRecognized)
            }
            None => unknown(AssociationRJServiceUserReason::CallingAETitleNotRecognized),
            Some(_) => accept(request, scp.limits.pdu_bytes_max),
        };
        match (accepted, centre) {
            (Ok((accepted, contexts)), Some(centre)) => {
                connection.send(&accepted.into()).await?;
                connection.peer = format!("{calling} at {address}");
                let (command, message) = (Vec::new(), None);
                let calling_ae_title = calling;
                Ok(Some(Association { scp, connection, centre, calling_ae_title, contexts, command, message }))
            }
            (Err(rejected), _) => {
                tracing::warn!("association of {calling} at {address} with {called}: {}", rejected.source);
                connection.send(&rejected.into()).await?;
                Ok(None)
            }
            (Ok(_), None) => Ok(None),
        }
    }

    /// Takes one PDU; true when the association is over.
    async fn take(&mut self, incoming: Incoming) -> Result<bool> {
        match incoming {
            Incoming::Data(values) => {
                for value in values {
                    self.value(value).await?;
                }
                Ok(false)
            }
            Incoming::Control(Pdu::ReleaseRQ) => {
                self.connection.send(&Pdu::ReleaseRP).await?;
                Ok(true)
            }
            Incoming::Control(Pdu::AbortRQ { .. }) => Ok(true),
            Incoming::Closed if self.message.is_none() && self.command.is_empty() => Ok(true),
            Incoming::Closed => {
                tracing::warn!("{} went away inside a message; that instance is not taken in", self.connection.peer);
                Ok(true)
            }
            Incoming::Control(_) => Err(self.connection.error("a PDU that does not belong here")),
        }
    }

    async fn value(&mut self, value: Pdv) -> Result<()> {
        match (value.is_command, &mut self.message) {
            (true, None) => self.command_fragment(value).await,
            (false, Some(message)) if message.context_id == value.context_id => {
                message.add(&value).await;
                if value.is_last { self.finish().await } else { Ok(()) }
            }
            (true, Some(_)) => Err(self.connection.error("a command before the end of a Data Set")),
            (false, _) => Err(self.connection.error("a Data Set without a command in its presentation context")),
        }
    }

    async fn command_fragment(&mut self, value: Pdv) -> Result<()> {
        if self.command.len() + value.data.len() > COMMAND_BYTES_MAX {
            return Err(self.connection.error("a command set of more than 16 KiB"));
        }
        self.command.extend_from_slice(&value.data);
        if !value.is_last {
            return Ok(());
        }
        let command = Command::read(&std::mem::take(&mut self.command), &self.connection.peer)?;
        if command.field == C_CANCEL_RQ {
            return Ok(());
        }
        let Some(context) = self.contexts.get(&value.context_id) else {
            return Err(self.connection.error("a command in a presentation context that was not accepted"));
        };
        let work = self.work(&command, context).await;
        self.message = Some(Message { context_id: value.context_id, work, command });
        match self.message.as_ref().is_some_and(|message| message.command.has_data_set) {
            true => Ok(()),
            false => self.finish().await,
        }
    }

    async fn work(&self, command: &Command, context: &Context) -> Work {
        match command.field {
            C_ECHO_RQ => Work::Answer(0, String::new()),
            C_STORE_RQ if !command.has_data_set => Work::Answer(CANNOT_UNDERSTAND, "no Data Set".into()),
            C_STORE_RQ => {
                let meta = Meta {
                    sop_class_uid: &command.sop_class_uid,
                    sop_instance_uid: &command.sop_instance_uid,
                    transfer_syntax_uid: &context.transfer_syntax,
                    calling_ae_title: &self.calling_ae_title,
                };
                let mut receiving = self.scp.door.receiver.open(None);
                match receiving.write(meta.to_bytes().into()).await {
                    Ok(()) => Work::Store(Box::new(receiving)),
                    Err(error) => Work::Answer(OUT_OF_RESOURCES, error.to_string()),
                }
            }
            _ => Work::Answer(UNRECOGNIZED_OPERATION, format!("{} is not offered", context.abstract_syntax)),
        }
    }

    /// The message is whole: answers it.
    async fn finish(&mut self) -> Result<()> {
        let Some(Message { command, context_id, work }) = self.message.take() else { return Ok(()) };
        let (status, comment) = match work {
            Work::Answer(status, comment) => (status, comment),
            Work::Store(receiving) => self.store(*receiving, &command).await,
        };
        if status != 0 {
            tracing::warn!("{}: {} answered {status:04X}: {comment}", self.connection.peer, command.sop_instance_uid);
        }
        let data = PDataValue {
            presentation_context_id: context_id,
            value_type: PDataValueType::Command,
            is_last: true,
            data: command.response(status, &comment),
        };
        self.connection.send(&Pdu::PData { data: vec![data] }).await
    }

    /// Status and comment of an instance that is whole (PS3.4 Annex B.2.3).
    async fn store(&self, receiving: Receiving, command: &Command) -> (u16, String) {
        let received = match receiving.finish().await {
            Ok(received) => received,
            Err(error) => return (OUT_OF_RESOURCES, error.to_string()),
        };
        let origin = Origin {
            centre: self.centre.clone(),
            batch: None,
            file: command.sop_instance_uid.clone(),
            received_at: (self.scp.door.now)(),
        };
        match self.scp.door.gate.take_in(origin, received).await {
            Ok(Taken::Stored(_) | Taken::AlreadyHeld(_) | Taken::Variant(_)) => (0, String::new()),
            Ok(Taken::Quarantined { reason, .. }) => (quarantine_code(&reason), quarantine_comment(&reason)),
            Err(refusal) => (refusal_code(&refusal), refusal.to_string()),
        }
    }
}

impl Message {
    /// Adds a fragment; once that has failed, the rest is passed over.
    async fn add(&mut self, value: &Pdv) {
        if let Work::Store(receiving) = &mut self.work
            && let Err(error) = receiving.write(value.data.clone()).await
        {
            self.work = Work::Answer(OUT_OF_RESOURCES, error.to_string());
        }
    }
}

/// An AE title without padding, of bounded length, in the default repertoire.
fn ae_title(text: &str) -> String {
    let plain = text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).chars();
    plain.map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(AE_CHARS_MAX).collect()
}

fn come_again() -> AssociationRJ {
    let reason = AssociationRJServiceProviderPresentationReason::LocalLimitExceeded;
    AssociationRJ {
        result: AssociationRJResult::Transient,
        source: AssociationRJSource::ServiceProviderPresentation(reason),
    }
}

fn aborted() -> Pdu {
    Pdu::AbortRQ { source: AbortRQSource::ServiceProvider(AbortRQServiceProviderReason::ReasonNotSpecified) }
}

/// Says A-ABORT, as well as that can be said, and gives the reason to the log.
async fn abort(mut connection: Connection, reason: impl ToString) -> Result<()> {
    let error = connection.error(reason);
    let _ = connection.send(&aborted()).await;
    Err(error)
}
