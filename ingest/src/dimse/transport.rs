//! How connections are made secure. Which certificates are shown and trusted is settled outside this crate.

use std::io;
use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

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

/// The certificates of a PEM file.
///
/// # Errors
/// A sentence that names the file, also where there is none in it.
pub fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let wrong = |error| format!("{}: {error}", file.display());
    let read = CertificateDer::pem_file_iter(file).map_err(wrong)?.collect::<Result<Vec<_>, _>>().map_err(wrong)?;
    match read.is_empty() {
        true => Err(format!("{}: no certificate is in it; give a PEM file", file.display())),
        false => Ok(read),
    }
}

/// The authorities whose certificates are in a PEM file.
///
/// # Errors
/// A sentence that names the file.
pub fn authorities(file: &Path) -> Result<RootCertStore, String> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| format!("{}: {error}", file.display()))?;
    }
    Ok(roots)
}

#[async_trait]
impl Transport for PlainTransport {
    async fn accept(&self, _: TcpStream) -> io::Result<Accepted> {
        Err(io::Error::new(io::ErrorKind::Unsupported, "TLS is not set up"))
    }

    fn client(&self) -> Option<Arc<ClientConfig>> {
        None
    }
}
