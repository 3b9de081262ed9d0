//! The DIMSE door (PS3.7, PS3.8): associations are accepted, and what comes on a presentation context is handed to the
//! service of its abstract syntax.
//!
//! C-STORE (PS3.4 Annex B): any storage SOP class, every transfer syntax as sent; status 0000 only after the gate has
//! answered. C-FIND, C-MOVE and C-GET (Annex C) are handed to a [`ReadSide`]. Storage commitment (Annex J): [`Commitments`].
//!
//! Written on PDUs rather than on dicom-ul's association options: those accept only transfer syntaxes their registry
//! knows, and copy every fragment once more.

mod answer;
mod association;
mod command;
mod commitment;
mod destination;
mod elements;
mod exchange;
mod find;
pub(crate) mod fuzzing;
mod identifier;
mod meta;
mod negotiate;
mod pdu;
mod peers;
mod read_side;
mod retrieve;
pub mod scu;
mod service;
mod transport;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::door::Doorway;
use association::Association;
pub use commitment::Commitments;
pub use exchange::Outflow;
pub use identifier::{Key, Level, Wanted};
pub(crate) use meta::Meta;
pub use negotiate::Extended;
use pdu::Connection;
pub use pdu::Stream;
pub use peers::{Peer, Peers, Roles};
pub use read_side::{Found, Instance, Outgoing, ReadSide, Unanswered};
pub use transport::{Accepted, PlainTransport, Transport, authorities, certificates};

/// Our AE title where none was chosen.
const AE_TITLE: &str = "TSUNAGU";
/// An AE title holds 16 (PS3.5 Table 6.2-1).
const AE_CHARS_MAX: usize = 16;

/// Bounds of the DIMSE door.
#[derive(Clone, Copy, Debug)]
pub struct DimseLimits {
    /// Associations at once; another is rejected for now (transient). Default: 64.
    pub associations_max: usize,
    /// A peer silent for longer is let go. Default: 60 s.
    pub idle_s_max: u64,
    /// The largest P-DATA PDU taken, announced at association. Default: 256 KiB.
    pub pdu_bytes_max: u32,
    /// At shutdown, how long instances on their way may take. Default: 20 s.
    pub grace_s_max: u64,
}

impl Default for DimseLimits {
    fn default() -> Self {
        DimseLimits { associations_max: 64, idle_s_max: 60, pdu_bytes_max: 256 << 10, grace_s_max: 20 }
    }
}

/// Which listener a connection came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listening {
    /// TCP as it is.
    Plain,
    /// TLS first.
    Tls,
}

/// What the DIMSE door needs.
#[derive(Clone)]
pub struct Dimse {
    /// The way in.
    pub door: Doorway,
    /// Who may associate, and where others are.
    pub peers: Arc<Peers>,
    /// Our AE title; a peer that calls another is rejected. `None` answers to any.
    pub ae_title: Option<String>,
    /// Bounds.
    pub limits: DimseLimits,
    /// What finds and reads; without it neither query nor retrieve is offered.
    pub read_side: Option<Arc<dyn ReadSide>>,
    /// Storage commitment; not offered without.
    pub commitments: Option<Commitments>,
    /// How connections are made secure.
    pub transport: Arc<dyn Transport>,
}

impl Dimse {
    /// A door that stores and does nothing else, over TCP as it is.
    pub fn storing(door: Doorway, peers: Peers, ae_title: Option<String>) -> Dimse {
        Dimse {
            door,
            peers: Arc::new(peers),
            ae_title,
            limits: DimseLimits::default(),
            read_side: None,
            commitments: None,
            transport: Arc::new(PlainTransport),
        }
    }

    /// Serves associations on `listener` until `stop` becomes true (or its sender goes); then takes no more, lets the
    /// instances on their way arrive within `grace_s_max`, and aborts the rest.
    pub async fn serve(self, listener: TcpListener, listening: Listening, mut stop: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(self.limits.associations_max.max(1)));
        // Saying no takes a task too: as many at once as there are associations, beyond that the socket is dropped.
        let refusals = Arc::new(Semaphore::new(self.limits.associations_max.max(1)));
        let (door, mut running) = (Arc::new(self), JoinSet::new());
        loop {
            let (socket, address) = tokio::select! {
                () = stopped(&mut stop) => break,
                Some(_) = running.join_next() => continue,
                accepted = listener.accept() => match accepted {
                    Ok(accepted) => accepted,
                    Err(error) => {
                        // Out of descriptors, most likely: the next accept would fail as fast.
                        tracing::warn!("cannot accept an association: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            let slot = slots.clone().try_acquire_owned();
            let full = slot.is_err();
            if let Ok(slot) = slot.or_else(|_| refusals.clone().try_acquire_owned()) {
                let (door, stop) = (door.clone(), stop.clone());
                running.spawn(async move {
                    let _slot = slot;
                    door.associate(socket, address, listening, stop, full).await;
                });
            }
        }
        drop(listener);
        let grace = Duration::from_secs(door.limits.grace_s_max);
        let _ = tokio::time::timeout(grace, async { while running.join_next().await.is_some() {} }).await;
    }

    async fn associate(
        &self,
        socket: TcpStream,
        address: SocketAddr,
        listening: Listening,
        stop: watch::Receiver<bool>,
        full: bool,
    ) {
        let idle = Duration::from_secs(self.limits.idle_s_max.max(1));
        let _ = socket.set_nodelay(true);
        let accepted = match listening {
            Listening::Plain => Ok(Accepted { stream: Box::new(socket), certificate_sha256: None }),
            Listening::Tls => tokio::time::timeout(idle, self.transport.accept(socket)).await.unwrap_or_else(|_| {
                Err(std::io::Error::new(std::io::ErrorKind::TimedOut, "the handshake was not finished in time"))
            }),
        };
        let accepted = match accepted {
            Ok(accepted) => accepted,
            Err(error) => return tracing::warn!("{address}: no TLS: {error}"),
        };
        let connection = Connection::new(accepted.stream, address.to_string(), idle, self.limits.pdu_bytes_max);
        let from = association::From { address: address.ip(), certificate_sha256: accepted.certificate_sha256 };
        if let Err(error) = Association::run(self, connection, from, stop, full).await {
            tracing::warn!("{error}");
        }
    }

    fn own_ae_title(&self) -> &str {
        self.ae_title.as_deref().unwrap_or(AE_TITLE)
    }
}

/// An AE title without padding, of bounded length, in the default repertoire.
fn ae_title(text: &str) -> String {
    let plain = text.trim_matches(|c: char| c == '\0' || c.is_whitespace()).chars();
    plain.map(|c| if matches!(c, ' '..='~') { c } else { '?' }).take(AE_CHARS_MAX).collect()
}

/// Waits for the word to stop; a sender that is gone says it too. Nothing of the channel stays borrowed.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests;
