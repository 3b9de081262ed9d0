//! A DICOM client made of PDUs: proposes, asks, and tells what came back.

use dicom_ul::pdu::{
    AssociationRQ, Pdu, PresentationContextProposed, PresentationContextResult, RequestorRoles, UserVariableItem,
};

use super::*;
use crate::dimse::command::{C_CANCEL_RQ, C_STORE_RQ, Command, CommandSet, N_EVENT_REPORT_RQ};
use crate::dimse::exchange::{Event, Exchange};
use crate::dimse::identifier::Identifier;
use crate::dimse::negotiate::APPLICATION_CONTEXT;
use crate::dimse::pdu::Incoming;

pub struct Client {
    pub exchange: Exchange,
    pub contexts: Vec<PresentationContextResult>,
    pub user_variables: Vec<UserVariableItem>,
    transfer_syntax: String,
}

/// A whole message.
pub struct Came {
    pub command: Command,
    /// As it was sent, for what [`Command`] does not keep.
    pub raw: Vec<u8>,
    pub context_id: u8,
    pub data_set: Vec<u8>,
}

impl Came {
    /// An element of the command set of two bytes.
    pub fn number(&self, element: u16) -> Option<u16> {
        let mut rest = &self.raw[..];
        while let Some((head, after)) = rest.split_first_chunk::<8>() {
            let length = u32::from_le_bytes([head[4], head[5], head[6], head[7]]) as usize;
            if u16::from_le_bytes([head[2], head[3]]) == element {
                return Some(u16::from_le_bytes([after[0], after[1]]));
            }
            rest = &after[length..];
        }
        None
    }
}

impl Client {
    /// Proposes these; `gets` are SOP classes it wants to be the SCP of.
    pub async fn open(
        server: &Server,
        calling: &str,
        contexts: &[(&str, &[&str])],
        gets: &[&str],
        pdu_bytes_max: u32,
    ) -> Client {
        let socket = TcpStream::connect(server.address).await.unwrap();
        let idle = Duration::from_secs(10);
        let mut connection = Connection::new(Box::new(socket), "server".into(), idle, 256 << 10);
        let context = |(id, (class, syntaxes)): (u8, &(&str, &[&str]))| PresentationContextProposed {
            id,
            abstract_syntax: (*class).into(),
            transfer_syntaxes: syntaxes.iter().map(|uid| (*uid).into()).collect(),
        };
        let roles = RequestorRoles { scu: false, scp: true };
        let roles = gets.iter().map(|uid| UserVariableItem::ScuScpRoleSelectionSubItem((*uid).into(), roles));
        let request = AssociationRQ {
            protocol_version: 1,
            calling_ae_title: calling.into(),
            called_ae_title: "TSUNAGU".into(),
            application_context_name: APPLICATION_CONTEXT.into(),
            presentation_contexts: (1..).step_by(2).zip(contexts).map(context).collect(),
            user_variables: std::iter::once(UserVariableItem::MaxLength(pdu_bytes_max)).chain(roles).collect(),
        };
        connection.send(&request.into()).await.unwrap();
        let Incoming::Control(Pdu::AssociationAC(accepted)) = connection.next().await.unwrap() else {
            panic!("not accepted")
        };
        let exchange = Exchange::new(connection, &accepted.user_variables);
        let transfer_syntax = accepted.presentation_contexts[0].transfer_syntax.clone();
        let (contexts, user_variables) = (accepted.presentation_contexts, accepted.user_variables);
        Client { exchange, contexts, user_variables, transfer_syntax }
    }

    /// One on an association that somebody else opened.
    pub fn on(exchange: Exchange, transfer_syntax: &str) -> Client {
        let (contexts, user_variables) = (Vec::new(), Vec::new());
        Client { exchange, contexts, user_variables, transfer_syntax: transfer_syntax.into() }
    }

    /// Sends a request on the first context.
    pub async fn ask(&mut self, command: CommandSet, data_set: &[u8]) {
        self.exchange.send(1, &command.with_data_set(), Some(data_set)).await.unwrap();
    }

    pub async fn cancel(&mut self, message_id: u16) {
        self.exchange.send(1, &CommandSet::new(C_CANCEL_RQ).number(0x0120, message_id), None).await.unwrap();
    }

    /// The next message whole.
    pub async fn came(&mut self) -> Came {
        let mut came = Came { command: Command::default(), raw: Vec::new(), context_id: 0, data_set: Vec::new() };
        let mut command_is_whole = false;
        loop {
            match self.exchange.next().await.unwrap() {
                Event::Value(value) if value.is_command => {
                    came.context_id = value.context_id;
                    came.raw.extend_from_slice(&value.data);
                    if value.is_last {
                        came.command = Command::read(&came.raw, "server").unwrap();
                        command_is_whole = true;
                    }
                }
                Event::Value(value) => {
                    assert!(command_is_whole && value.context_id == came.context_id);
                    came.data_set.extend_from_slice(&value.data);
                    if value.is_last {
                        return came;
                    }
                }
                other => panic!("{other:?}"),
            }
            if command_is_whole && !came.command.has_data_set {
                return came;
            }
        }
    }

    /// All responses to what was asked, the last one included; instances that come meanwhile are answered by `store`, and
    /// told beside.
    pub async fn responses(&mut self, store: u16) -> (Vec<Came>, Vec<Came>) {
        let (mut responses, mut stored) = (Vec::new(), Vec::new());
        loop {
            let came = self.came().await;
            match came.command.field {
                C_STORE_RQ => {
                    let answer = came.command.response(store, "");
                    self.exchange.send(came.context_id, &answer, None).await.unwrap();
                    stored.push(came);
                }
                N_EVENT_REPORT_RQ => panic!("a report"),
                _ => {
                    let status = came.command.status;
                    responses.push(came);
                    if !matches!(status, 0xFF00 | 0xFF01) {
                        return (responses, stored);
                    }
                }
            }
        }
    }

    pub fn read(&self, data_set: &[u8]) -> Identifier {
        Identifier::read(data_set, &self.transfer_syntax).unwrap()
    }
}
