//! PDUs out and in (PS3.8 §9.3) on whatever carries bytes: a socket, or TLS on one.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes};
use dicom_ul::pdu::{MAXIMUM_PDU_SIZE, Pdu, read_pdu, write_pdu};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufStream};

use super::{Peer, Result, ScuError};

const P_DATA: u8 = 0x04;
/// PDU header, value length, context ID and control byte.
const HEAD_BYTES: usize = 12;
/// Any PDU but data is at most this long.
const CONTROL_BYTES_MAX: usize = 1 << 20;
/// A peer that says no length, or a smaller one than makes sense, is sent this much.
const PDU_BYTES_DEFAULT: u32 = 16 << 10;
const PDU_BYTES_MIN: u32 = 128;

/// Carries bytes both ways.
pub trait Carrier: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Carrier for T {}

/// One presentation data value.
#[derive(Clone, Debug)]
pub struct Value {
    pub is_command: bool,
    pub is_last: bool,
    pub data: Bytes,
}

/// What came.
#[derive(Debug)]
pub enum Incoming {
    Data(Vec<Value>),
    Control(Pdu),
    Closed,
}

/// A connection to a peer.
pub struct Wire {
    carrier: BufStream<Box<dyn Carrier>>,
    idle: Duration,
    taken_bytes_max: usize,
    sent_bytes_max: u32,
    /// For messages.
    pub peer: String,
}

impl Wire {
    pub fn new(carrier: Box<dyn Carrier>, peer: &Peer) -> Wire {
        Wire {
            carrier: BufStream::with_capacity(64 << 10, 64 << 10, carrier),
            idle: Duration::from_secs(peer.limits.idle_s_max.max(1)),
            taken_bytes_max: peer.limits.pdu_bytes_max as usize,
            sent_bytes_max: peer.limits.pdu_bytes_max,
            peer: peer.to_string(),
        }
    }

    /// What the peer takes at the most (PS3.8 Annex D.1); 0 for any length.
    pub fn peer_pdu_bytes_max(&mut self, bytes: u32) {
        let bytes = if bytes == 0 { self.sent_bytes_max } else { bytes };
        let sent = bytes.min(self.sent_bytes_max);
        self.sent_bytes_max = if sent < PDU_BYTES_MIN { PDU_BYTES_DEFAULT } else { sent };
    }

    pub fn broken(&self, detail: impl ToString) -> ScuError {
        ScuError::Broken { peer: self.peer.clone(), detail: detail.to_string() }
    }

    /// Sends anything but data, and all that waits.
    pub async fn send(&mut self, pdu: &Pdu) -> Result<()> {
        let mut bytes = Vec::new();
        write_pdu(&mut bytes, pdu).map_err(|error| self.broken(error))?;
        self.write(&[&bytes], true).await
    }

    /// Sends a command set.
    pub async fn send_command(&mut self, context_id: u8, command: &[u8]) -> Result<()> {
        self.fragments(context_id, Bytes::copy_from_slice(command), 0x01, true).await
    }

    /// Sends bytes of a Data Set; nothing at all where there are none and more will come.
    pub async fn send_fragments(&mut self, context_id: u8, data: Bytes, is_last: bool) -> Result<()> {
        if data.is_empty() && !is_last {
            return Ok(());
        }
        self.fragments(context_id, data, 0x00, is_last).await
    }

    async fn fragments(&mut self, context_id: u8, mut data: Bytes, kind: u8, is_last: bool) -> Result<()> {
        // The length a peer announces counts what follows the PDU header of six bytes; values are of even length.
        let room = ((self.sent_bytes_max as usize).saturating_sub(6)).max(2) & !1;
        loop {
            let fragment = data.split_to(data.len().min(room));
            let ends = is_last && data.is_empty();
            let length = fragment.len() as u32;
            let mut head = [0; HEAD_BYTES];
            head[0] = P_DATA;
            head[2..6].copy_from_slice(&(length + 6).to_be_bytes());
            head[6..10].copy_from_slice(&(length + 2).to_be_bytes());
            head[10] = context_id;
            head[11] = kind | if ends { 0x02 } else { 0x00 };
            self.write(&[&head, &fragment], ends).await?;
            if data.is_empty() {
                return Ok(());
            }
        }
    }

    async fn write(&mut self, parts: &[&[u8]], flush: bool) -> Result<()> {
        let carrier = &mut self.carrier;
        let written = async {
            for part in parts {
                carrier.write_all(part).await?;
            }
            if flush { carrier.flush().await } else { Ok(()) }
        };
        match tokio::time::timeout(self.idle, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.broken(error)),
            Err(_) => Err(self.broken(format_args!("the peer took nothing for {} s", self.idle.as_secs()))),
        }
    }

    /// The next PDU.
    pub async fn next(&mut self) -> Result<Incoming> {
        match tokio::time::timeout(self.idle, self.read()).await {
            Err(_) => Err(self.broken(format_args!("nothing came for {} s", self.idle.as_secs()))),
            Ok(Err(error)) => Err(self.broken(error)),
            Ok(Ok(None)) => Ok(Incoming::Closed),
            Ok(Ok(Some((P_DATA, whole)))) => match values(whole.slice(6..)) {
                Some(values) => Ok(Incoming::Data(values)),
                None => Err(self.broken("a P-DATA-TF PDU is malformed")),
            },
            Ok(Ok(Some((_, whole)))) => match read_pdu(whole, MAXIMUM_PDU_SIZE, false) {
                Ok(Some(pdu)) => Ok(Incoming::Control(pdu)),
                Ok(None) => Err(self.broken("a PDU ends inside one of its items")),
                Err(error) => Err(self.broken(error)),
            },
        }
    }

    async fn read(&mut self) -> io::Result<Option<(u8, Bytes)>> {
        let mut header = [0; 6];
        if self.carrier.read(&mut header[..1]).await? == 0 {
            return Ok(None);
        }
        self.carrier.read_exact(&mut header[1..]).await?;
        let [kind, _, l0, l1, l2, l3] = header;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let length_max = if kind == P_DATA { self.taken_bytes_max } else { CONTROL_BYTES_MAX };
        if length > length_max {
            let text = format!("a PDU of {length} bytes; {length_max} is the most that is taken");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        // Memory grows only as bytes come.
        let mut bytes = Vec::with_capacity((header.len() + length).min(64 << 10));
        bytes.extend_from_slice(&header);
        let read = (&mut self.carrier).take(length as u64).read_to_end(&mut bytes).await?;
        if read == length { Ok(Some((kind, bytes.into()))) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

/// The values of a P-DATA-TF PDU, or `None` where a length does not fit.
fn values(mut body: Bytes) -> Option<Vec<Value>> {
    let mut values = Vec::with_capacity(1);
    while !body.is_empty() {
        let length = body.try_get_u32().ok()? as usize;
        if length < 2 || length > body.len() {
            return None;
        }
        let mut value = body.split_to(length);
        let (_, control) = (value.get_u8(), value.get_u8());
        values.push(Value { is_command: control & 1 != 0, is_last: control & 2 != 0, data: value });
    }
    Some(values)
}
