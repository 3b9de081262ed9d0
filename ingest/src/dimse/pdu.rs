//! PDUs on a socket (PS3.8 §9.3): read whole with a bounded length, P-DATA handed on without a copy. Everything else
//! is left to dicom-ul.

use std::io;
use std::time::Duration;

use bytes::{Buf, Bytes};
use dicom_ul::pdu::{AbortRQServiceProviderReason, MAXIMUM_PDU_SIZE, Pdu, read_pdu, write_pdu};
use futures::FutureExt;
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};

use crate::error::{Error, Result};

const P_DATA: u8 = 0x04;
/// A request proposes at most 128 presentation contexts; with every transfer syntax that is about 200 KB.
const CONTROL_BYTES_MAX: usize = 1 << 20;

/// What an association runs on: TCP, or TLS on it.
pub trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// One presentation data value (PS3.8 §9.3.5.1, Annex E.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pdv {
    /// Presentation context ID.
    pub context_id: u8,
    /// A command, or else a Data Set.
    pub is_command: bool,
    /// The last fragment of it.
    pub is_last: bool,
    /// The fragment.
    pub data: Bytes,
}

/// What came.
#[derive(Debug)]
pub enum Incoming {
    /// Data.
    Data(Vec<Pdv>),
    /// Anything else.
    Control(Pdu),
    /// The peer closed the connection.
    Closed,
}

/// One connection.
pub struct Connection {
    socket: BufReader<Box<dyn Stream>>,
    idle: Duration,
    pdu_bytes_max: usize,
    /// For messages: the address, later the AE title.
    pub peer: String,
    /// What an A-ABORT gives as its reason (PS3.8 Table 9-26).
    pub abort_reason: AbortRQServiceProviderReason,
}

impl Connection {
    /// Takes over a stream to `peer`; every wait on it ends after `idle`.
    pub fn new(stream: Box<dyn Stream>, peer: String, idle: Duration, pdu_bytes_max: u32) -> Self {
        let socket = BufReader::with_capacity(64 << 10, stream);
        let abort_reason = AbortRQServiceProviderReason::ReasonNotSpecified;
        Connection { socket, idle, pdu_bytes_max: pdu_bytes_max as usize, peer, abort_reason }
    }

    /// The stream itself, for a test that says what it likes.
    #[cfg(test)]
    pub fn into_stream(self) -> BufReader<Box<dyn Stream>> {
        self.socket
    }

    /// How long a peer may be silent.
    pub fn idle(&self) -> Duration {
        self.idle
    }

    /// Returns when something can be read, be it the end. May be cancelled: nothing is taken.
    pub async fn readable(&mut self) {
        // An error is found again by whoever reads.
        let _ = self.socket.fill_buf().await;
    }

    /// Whether something can be read now.
    pub fn is_readable(&mut self) -> bool {
        self.readable().now_or_never().is_some()
    }

    /// An error of this association.
    pub fn error(&self, detail: impl ToString) -> Error {
        Error::Association { peer: self.peer.clone(), detail: detail.to_string() }
    }

    /// The error of a PDU that is not expected here, or not known at all (PS3.8 §9.2, action AA-8).
    pub fn unexpected(&mut self, pdu: &Pdu) -> Error {
        self.abort_reason = match pdu {
            Pdu::Unknown { .. } => AbortRQServiceProviderReason::UnrecognizedPdu,
            _ => AbortRQServiceProviderReason::UnexpectedPdu,
        };
        self.error("a PDU that does not belong here")
    }

    /// The error of a PDU with something in it that cannot be.
    pub fn invalid(&mut self, detail: impl ToString) -> Error {
        self.abort_reason = AbortRQServiceProviderReason::InvalidPduParameter;
        self.error(detail)
    }

    /// The next PDU.
    ///
    /// # Errors
    /// [`Error::Association`] for silence, a broken connection, a PDU too long or malformed.
    pub async fn next(&mut self) -> Result<Incoming> {
        match tokio::time::timeout(self.idle, self.read()).await {
            Err(_) => Err(self.error(format_args!("nothing came for {} s", self.idle.as_secs()))),
            Ok(Err(error)) => Err(self.error(error)),
            Ok(Ok(None)) => Ok(Incoming::Closed),
            Ok(Ok(Some((P_DATA, body)))) => {
                let values = values(body.slice(6..));
                values.map(Incoming::Data).ok_or_else(|| self.invalid("a P-DATA-TF PDU is malformed"))
            }
            Ok(Ok(Some((_, whole)))) => match read_pdu(whole, MAXIMUM_PDU_SIZE, false) {
                Ok(Some(pdu)) => Ok(Incoming::Control(pdu)),
                Ok(None) => Err(self.invalid("a PDU ends inside one of its items")),
                Err(error) => Err(self.invalid(error)),
            },
        }
    }

    /// Type and bytes of a PDU, header included; memory grows only as bytes come.
    async fn read(&mut self) -> io::Result<Option<(u8, Bytes)>> {
        let mut header = [0; 6];
        if self.socket.read(&mut header[..1]).await? == 0 {
            return Ok(None);
        }
        self.socket.read_exact(&mut header[1..]).await?;
        let [kind, _, l0, l1, l2, l3] = header;
        let length = u32::from_be_bytes([l0, l1, l2, l3]) as usize;
        let length_max = if kind == P_DATA { self.pdu_bytes_max } else { CONTROL_BYTES_MAX };
        if length > length_max {
            let text = format!("a PDU of {length} bytes; {length_max} is the most this archive takes");
            return Err(io::Error::new(io::ErrorKind::InvalidData, text));
        }
        let mut bytes = Vec::with_capacity(header.len() + length);
        bytes.extend_from_slice(&header);
        let read = (&mut self.socket).take(length as u64).read_to_end(&mut bytes).await?;
        match read == length {
            true => Ok(Some((kind, bytes.into()))),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }

    /// Sends a PDU.
    ///
    /// # Errors
    /// [`Error::Association`] when it cannot be written in time.
    pub async fn send(&mut self, pdu: &Pdu) -> Result<()> {
        let mut bytes = Vec::new();
        write_pdu(&mut bytes, pdu).map_err(|error| self.error(error))?;
        self.send_bytes(&bytes).await
    }

    /// Sends bytes that are whole PDUs.
    ///
    /// # Errors
    /// [`Error::Association`] when they cannot be written in time.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        let written = async {
            self.socket.write_all(bytes).await?;
            self.socket.flush().await
        };
        match tokio::time::timeout(self.idle, written).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(self.error(error)),
            Err(_) => Err(self.error("the peer does not read its answers")),
        }
    }
}

/// The values of a P-DATA-TF PDU, or `None` where a length does not fit.
fn values(mut body: Bytes) -> Option<Vec<Pdv>> {
    let mut values = Vec::with_capacity(1);
    while !body.is_empty() {
        let length = body.try_get_u32().ok()? as usize;
        if length < 2 || length > body.len() {
            return None;
        }
        let mut value = body.split_to(length);
        let (context_id, control) = (value.get_u8(), value.get_u8());
        values.push(Pdv { context_id, is_command: control & 1 != 0, is_last: control & 2 != 0, data: value });
    }
    Some(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Values come out as they lie; any length that does not fit is refused.
    #[test]
    fn values_are_taken_apart() {
        let body = [0, 0, 0, 4, 1, 3, 7, 8, 0, 0, 0, 2, 5, 2];
        let found = values(Bytes::copy_from_slice(&body)).unwrap();
        let expected = Pdv { context_id: 1, is_command: true, is_last: true, data: Bytes::from_static(&[7, 8]) };
        assert_eq!((found.len(), &found[0]), (2, &expected));
        assert!(!found[1].is_command && found[1].is_last && found[1].data.is_empty());
        for cut in (1..body.len()).filter(|&cut| cut != 8) {
            assert!(values(Bytes::copy_from_slice(&body[..cut])).is_none(), "cut at {cut}");
        }
        assert!(values(Bytes::from_static(&[0, 0, 0, 1, 9])).is_none());
        assert!(values(Bytes::from_static(&[0xFF; 12])).is_none());
    }
}
