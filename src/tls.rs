//! TLS for both listeners and for calls to peers: 1.2 with forward secrecy and authenticated encryption, and 1.3, which is
//! all that rustls has and what the BCP 195 profile of PS3.15 §B.12 asks for.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use ingest::dimse::{authorities, certificates};
use sha2::{Digest, Sha256};
use tokio::net::TcpStream;
use tokio_rustls::rustls::pki_types::PrivateKeyDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::server::WebPkiClientVerifier;
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::{TlsAcceptor, server};

use crate::wiring::Result;

/// The files TLS is made of.
#[derive(Clone, Debug)]
pub struct TlsFiles {
    /// Our certificate and those between it and its authority (PEM).
    pub certificate: PathBuf,
    /// Its private key (PEM).
    pub key: PathBuf,
    /// Certificates of the authorities whose clients are let in, and whose servers are trusted (PEM).
    pub authorities: Option<PathBuf>,
}

/// TLS, set up.
#[derive(Clone)]
pub struct Tls {
    acceptor: TlsAcceptor,
    client: Arc<ClientConfig>,
}

impl Tls {
    /// Reads the files. With authorities a client must show a certificate of theirs; calls trust them, or without any
    /// those of the operating system.
    ///
    /// # Errors
    /// A sentence that names the file.
    pub fn open(files: &TlsFiles) -> Result<Tls> {
        let chain = certificates(&files.certificate)?;
        let key = PrivateKeyDer::from_pem_file(&files.key).map_err(|e| format!("{}: {e}", files.key.display()))?;
        let given = files.authorities.as_deref().map(authorities).transpose()?;
        let verifier = match &given {
            Some(roots) => {
                let verifier = WebPkiClientVerifier::builder(Arc::new(roots.clone())).build();
                verifier.map_err(|e| format!("the client authorities cannot be used: {e}"))?
            }
            None => WebPkiClientVerifier::no_client_auth(),
        };
        let wrong = |e| format!("{}: {e}", files.certificate.display());
        let server = ServerConfig::builder().with_client_cert_verifier(verifier);
        let server = server.with_single_cert(chain.clone(), key.clone_key()).map_err(wrong)?;
        let trusted = given.unwrap_or_else(of_the_system);
        let client = ClientConfig::builder().with_root_certificates(trusted);
        let client = client.with_client_auth_cert(chain, key).map_err(wrong)?;
        Ok(Tls { acceptor: Arc::new(server).into(), client: Arc::new(client) })
    }

    /// Makes a connection secure that came to us.
    ///
    /// # Errors
    /// When the handshake fails.
    pub async fn accept(&self, socket: TcpStream) -> io::Result<server::TlsStream<TcpStream>> {
        self.acceptor.accept(socket).await
    }

    /// How a connection is made secure that we open.
    pub fn client(&self) -> Arc<ClientConfig> {
        Arc::clone(&self.client)
    }
}

/// SHA-256 of the certificate that a client showed, if it did.
pub fn certificate_sha256(stream: &server::TlsStream<TcpStream>) -> Option<[u8; 32]> {
    let certificate = stream.get_ref().1.peer_certificates()?.first()?;
    Some(Sha256::digest(certificate).into())
}

fn of_the_system() -> RootCertStore {
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    for error in found.errors {
        tracing::warn!(%error, "certificate authorities of the operating system cannot be read");
    }
    roots.add_parsable_certificates(found.certs);
    roots
}
