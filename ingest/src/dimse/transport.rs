//! How connections are made secure. Which certificates are shown and trusted is settled outside this crate.

use std::io;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::TcpStream;
use tokio_rustls::rustls::ClientConfig;

use super::pdu::Stream;

/// A connection that came and is secure now.
pub struct Accepted {
    /// What the association runs on.
    pub stream: Box<dyn Stream>,
    /// SHA-256 of the certificate that the peer showed (DER), if it did.
    pub certificate_sha256: Option<[u8; 32]>,
}

/// Makes connections secure.
#[async_trait]
pub trait Transport: Send + Sync {
    /// Makes a connection secure that came to the TLS listener.
    ///
    /// # Errors
    /// When the handshake fails.
    async fn accept(&self, socket: TcpStream) -> io::Result<Accepted>;

    /// How connections of ours are made secure; `None` where TLS is not set up.
    fn client(&self) -> Option<Arc<ClientConfig>>;
}

/// TCP, without TLS.
#[derive(Clone, Copy, Debug, Default)]
pub struct PlainTransport;

#[async_trait]
impl Transport for PlainTransport {
    async fn accept(&self, _: TcpStream) -> io::Result<Accepted> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is not set up"))
    }

    fn client(&self) -> Option<Arc<ClientConfig>> {
        None
    }
}
