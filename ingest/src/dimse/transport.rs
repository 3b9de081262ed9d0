//! How connections are made, and made secure. What TLS is stays outside this crate.

use std::io;

use async_trait::async_trait;
use tokio::net::TcpStream;

use super::pdu::Stream;

/// A connection that came and is secure now.
pub struct Accepted {
    /// What the association runs on.
    pub stream: Box<dyn Stream>,
    /// SHA-256 of the certificate that the peer showed (DER), if it did.
    pub certificate_sha256: Option<[u8; 32]>,
}

/// Makes connections.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Makes a connection secure that came to the TLS listener.
    ///
    /// # Errors
    /// When the handshake fails.
    async fn accept(&self, socket: TcpStream) -> io::Result<Accepted>;

    /// Connects, over TLS if asked for.
    ///
    /// # Errors
    /// When that fails, or TLS is not set up.
    async fn connect(&self, host: &str, port: u16, tls: bool) -> io::Result<Box<dyn Stream>>;
}

/// TCP, without TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainTransport;

#[async_trait]
impl Transport for PlainTransport {
    async fn accept(&self, _: TcpStream) -> io::Result<Accepted> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is not set up"))
    }

    async fn connect(&self, host: &str, port: u16, tls: bool) -> io::Result<Box<dyn Stream>> {
        if tls {
            return Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is not set up"));
        }
        let socket = TcpStream::connect((host, port)).await?;
        socket.set_nodelay(true)?;
        Ok(Box::new(socket))
    }
}
