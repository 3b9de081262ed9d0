//! Messages on a connection (PS3.7 §6.3, PS3.8 Annex E): fragments in, fragments out.

use std::collections::VecDeque;
use std::fmt::Display;
use std::pin::pin;

use bytes::Bytes;
use dicom_ul::pdu::{AbortRQSource, Pdu, UserVariableItem};
use futures::stream::{BoxStream, Stream, StreamExt};

use super::command::{C_CANCEL_RQ, Command, CommandSet, N_EVENT_REPORT_RQ, RESPONSE};
use super::pdu::{Connection, Incoming, Pdv};
use crate::error::{Error, Result};

/// A command set is a few hundred bytes.
const COMMAND_BYTES_MAX: usize = 16 << 10;
/// A P-DATA-TF PDU we send is no longer, whatever the peer would take.
const SENT_PDU_BYTES_MAX: usize = 256 << 10;
/// Bytes gathered before they are written.
const WRITE_BYTES: usize = 256 << 10;
/// Responses to reports of ours that came among other messages, at the most.
const STRAYS_MAX: usize = 16;
/// PDU type, reserved, length (PS3.8 Table 9-22); length, context and control of the value (Table 9-23).
const HEADERS_BYTES: usize = 12;
/// What of that counts as the PDU's length.
const VALUE_HEADER_BYTES: usize = 6;

/// A Data Set on its way out.
pub type Outflow = BoxStream<'static, Result<Bytes, String>>;

/// What came.
#[derive(Debug)]
pub enum Event {
    /// A fragment.
    Value(Pdv),
    /// Anything but P-DATA.
    Control(Pdu),
    /// The peer closed the connection.
    Closed,
}

/// The messages of one association.
pub struct Exchange {
    /// What they run on.
    pub connection: Connection,
    /// The longest P-DATA-TF PDU the peer takes (PS3.8 Annex D.1).
    sent_pdu_bytes_max: usize,
    /// Fragments that came in one PDU with one that is being dealt with.
    queue: VecDeque<Pdv>,
    /// The command set so far.
    command: Vec<u8>,
    /// Responses to N-EVENT-REPORT-RQs of ours that came while something else was answered.
    strays: Vec<Command>,
}

impl Exchange {
    /// Messages on `connection` to a peer that said these things of itself.
    pub fn new(connection: Connection, peer_says: &[UserVariableItem]) -> Exchange {
        let said = peer_says.iter().find_map(|item| match item {
            UserVariableItem::MaxLength(bytes) => Some(*bytes as usize),
            _ => None,
        });
        // Zero is no limit. One that holds no fragment at all would never let a message end.
        let said = said.filter(|&bytes| bytes != 0).unwrap_or(SENT_PDU_BYTES_MAX);
        let sent_pdu_bytes_max = said.clamp(VALUE_HEADER_BYTES + 2, SENT_PDU_BYTES_MAX);
        Exchange { connection, sent_pdu_bytes_max, queue: VecDeque::new(), command: Vec::new(), strays: Vec::new() }
    }

    /// No command is half here.
    pub fn is_between(&self) -> bool {
        self.command.is_empty()
    }

    /// The next thing that came.
    ///
    /// # Errors
    /// Those of [`Connection::next`].
    pub async fn next(&mut self) -> Result<Event> {
        loop {
            if let Some(value) = self.queue.pop_front() {
                return Ok(Event::Value(value));
            }
            match self.connection.next().await? {
                Incoming::Data(values) => self.queue.extend(values),
                Incoming::Control(pdu) => return Ok(Event::Control(pdu)),
                Incoming::Closed => return Ok(Event::Closed),
            }
        }
    }

    /// Returns when there is something to be taken. May be cancelled.
    pub async fn readable(&mut self) {
        if self.queue.is_empty() {
            self.connection.readable().await;
        }
    }

    /// Adds a fragment of a command; the command, once it is whole.
    ///
    /// # Errors
    /// [`Error::Association`] for a command set that is damaged or too long.
    pub fn add_command(&mut self, value: &Pdv) -> Result<Option<Command>> {
        if self.command.len() + value.data.len() > COMMAND_BYTES_MAX {
            return Err(self.connection.error("a command set of more than 16 KiB"));
        }
        self.command.extend_from_slice(&value.data);
        if !value.is_last {
            return Ok(None);
        }
        Command::read(&std::mem::take(&mut self.command), &self.connection.peer).map(Some)
    }

    /// Waits for the response to a request of ours on the same association. `cancels`: the message whose C-CANCEL may
    /// come meanwhile; true beside the response if it came.
    ///
    /// # Errors
    /// [`Error::Association`] when the peer goes away or says anything else.
    pub async fn response(&mut self, request: &CommandSet, cancels: Option<u16>) -> Result<(Command, bool)> {
        let (field, message_id, mut cancelled) = (request.field(), request.message_id(), false);
        loop {
            let command = self.whole_command().await?;
            match command.field {
                C_CANCEL_RQ => cancelled |= cancels == Some(command.responded_to),
                _ if self.is_stray(&command, message_id) => self.strays.push(command),
                answered if answered == field | RESPONSE && command.is_bare_answer_to(message_id) => {
                    return Ok((command, cancelled));
                }
                _ => return Err(self.connection.error("a message in place of the answer to one")),
            }
        }
    }

    /// Whether C-CANCEL-RQ for this message has come. What else comes while it is being answered breaks the protocol.
    ///
    /// # Errors
    /// [`Error::Association`] when it does, or the peer went away.
    pub async fn is_cancelled(&mut self, message_id: u16) -> Result<bool> {
        while !self.queue.is_empty() || self.connection.is_readable() {
            let command = self.whole_command().await?;
            match command.field {
                C_CANCEL_RQ if command.responded_to == message_id => return Ok(true),
                C_CANCEL_RQ => (),
                _ if self.is_stray(&command, 0) => self.strays.push(command),
                _ => return Err(self.connection.error("a message before the end of the answer to the last")),
            }
        }
        Ok(false)
    }

    /// A response to a report that came among other messages.
    pub fn stray(&mut self) -> Option<Command> {
        self.strays.pop()
    }

    fn is_stray(&self, command: &Command, awaited: u16) -> bool {
        command.field == N_EVENT_REPORT_RQ | RESPONSE
            && command.responded_to != awaited
            && !command.has_data_set
            && self.strays.len() < STRAYS_MAX
    }

    async fn whole_command(&mut self) -> Result<Command> {
        loop {
            match self.next().await? {
                Event::Value(value) if value.is_command => {
                    if let Some(command) = self.add_command(&value)? {
                        return Ok(command);
                    }
                }
                Event::Value(_) => return Err(self.connection.invalid("a Data Set without a command")),
                Event::Closed => return Err(self.connection.error("it went away before the end of a message")),
                Event::Control(Pdu::AbortRQ { source }) => return Err(self.connection.error(aborted_by(&source))),
                Event::Control(pdu) => return Err(self.connection.unexpected(&pdu)),
            }
        }
    }

    /// Sends a command, and a Data Set if there is one.
    ///
    /// # Errors
    /// [`Error::Association`] when it cannot be written.
    pub async fn send(&mut self, context_id: u8, command: &CommandSet, data_set: Option<&[u8]>) -> Result<()> {
        let mut out = Vec::new();
        self.fragments(&mut out, context_id, &command.to_bytes(), true, true);
        if let Some(data_set) = data_set {
            self.fragments(&mut out, context_id, data_set, false, true);
        }
        self.connection.send_bytes(&out).await
    }

    /// Sends a command and a Data Set that comes in pieces. Answers its bytes.
    ///
    /// # Errors
    /// [`Error::Association`] when it cannot be written. [`Error::Source`] when the Data Set broke off: the message can
    /// then be ended by A-ABORT only.
    pub async fn send_flow<E: Display>(
        &mut self,
        context_id: u8,
        command: &CommandSet,
        data_set: impl Stream<Item = Result<Bytes, E>>,
    ) -> Result<u64> {
        let (mut out, mut bytes) = (Vec::new(), 0);
        self.fragments(&mut out, context_id, &command.to_bytes(), true, true);
        let mut data_set = pin!(data_set.peekable());
        let (mut odd, mut ended) = (Bytes::new(), false);
        while let Some(piece) = data_set.next().await {
            let mut piece = piece.map_err(|error| self.cannot_read(error))?;
            bytes += piece.len() as u64;
            let is_last = data_set.as_mut().peek().await.is_none();
            if !odd.is_empty() {
                piece = [&odd[..], &piece].concat().into();
            }
            // Fragments are of even length (PS3.8 §9.3.5.1): an odd byte waits for the next piece.
            let even = if is_last { piece.len() } else { piece.len() & !1 };
            odd = piece.split_off(even);
            if is_last || !piece.is_empty() {
                self.fragments(&mut out, context_id, &piece, false, is_last);
                ended = is_last;
            }
            if out.len() >= WRITE_BYTES {
                self.connection.send_bytes(&out).await?;
                out.clear();
            }
        }
        if !ended {
            // Nothing at all came: the peer waits for an end all the same.
            self.fragments(&mut out, context_id, &[], false, true);
        }
        self.connection.send_bytes(&out).await?;
        Ok(bytes)
    }

    fn cannot_read(&self, error: impl Display) -> Error {
        Error::Source { peer: self.connection.peer.clone(), detail: error.to_string() }
    }

    /// Appends P-DATA-TF PDUs of one fragment each (PS3.8 §9.3.5), none longer than the peer takes, of even length.
    fn fragments(&self, out: &mut Vec<u8>, context_id: u8, data: &[u8], is_command: bool, is_last: bool) {
        let fragment_bytes_max = ((self.sent_pdu_bytes_max - VALUE_HEADER_BYTES) & !1).max(2);
        out.reserve(data.len() + data.len() / fragment_bytes_max * HEADERS_BYTES + HEADERS_BYTES);
        let mut rest = data;
        loop {
            let (fragment, after) = rest.split_at(rest.len().min(fragment_bytes_max));
            let ends = is_last && after.is_empty();
            let length = fragment.len() as u32;
            out.extend_from_slice(&[0x04, 0]);
            out.extend_from_slice(&(length + 6).to_be_bytes());
            out.extend_from_slice(&(length + 2).to_be_bytes());
            out.extend_from_slice(&[context_id, u8::from(is_command) | u8::from(ends) << 1]);
            out.extend_from_slice(fragment);
            rest = after;
            if rest.is_empty() {
                return;
            }
        }
    }
}

/// What an A-ABORT of the peer's is called.
pub fn aborted_by(source: &AbortRQSource) -> String {
    format!("it aborted the association ({source:?})")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn exchange(max: u32) -> (Exchange, tokio::io::DuplexStream) {
        let (ours, theirs) = tokio::io::duplex(1 << 20);
        let connection = Connection::new(Box::new(ours), "x".into(), Duration::from_secs(5), 256 << 10);
        (Exchange::new(connection, &[UserVariableItem::MaxLength(max)]), theirs)
    }

    /// No PDU is longer than the peer said it takes (PS3.8 Annex D.1), and the fragments add up; any maximum works.
    #[tokio::test]
    async fn no_pdu_is_longer_than_the_peer_takes() {
        use tokio::io::AsyncReadExt;
        for max in [0_u32, 1, 7, 100, 129, 16_384, u32::MAX] {
            let (mut exchange, mut peer) = exchange(max);
            let data: Vec<u8> = (0..3_000).map(|i| i as u8).collect();
            let pieces: Vec<_> = data.chunks(701).map(|chunk| Ok::<_, String>(Bytes::copy_from_slice(chunk))).collect();
            let command = CommandSet::new(1).with_data_set();
            exchange.send_flow(5, &command, futures::stream::iter(pieces)).await.unwrap();
            drop(exchange);
            let (mut bytes, mut data_set, mut lasts) = (Vec::new(), Vec::new(), 0);
            peer.read_to_end(&mut bytes).await.unwrap();
            let mut rest = &bytes[..];
            while !rest.is_empty() {
                let length = u32::from_be_bytes(*rest[2..].first_chunk().unwrap()) as usize;
                assert!(max < 8 || length <= max as usize, "{length} of {max}");
                assert!(length.is_multiple_of(2), "a fragment is of odd length");
                lasts += usize::from(rest[11] & 2 != 0);
                if rest[11] & 1 == 0 {
                    data_set.extend_from_slice(&rest[12..6 + length]);
                }
                rest = &rest[6 + length..];
            }
            assert!(data_set == data && lasts == 2, "{max}");
        }
    }
}
