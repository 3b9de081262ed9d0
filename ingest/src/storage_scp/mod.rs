//! The C-STORE door (PS3.4 Annex B, PS3.7 §9.1.1): several associations at once, any storage SOP class, every transfer
//! syntax as sent; status 0000 only after the gate has answered. C-ECHO too.
//!
//! Written on PDUs rather than on dicom-ul's association options: those accept only transfer syntaxes their registry
//! knows, and copy every fragment once more.

mod association;
mod command;
mod meta;
mod negotiate;
mod pdu;

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;

use crate::door::Doorway;
use association::Association;
pub(crate) use meta::{IMPLEMENTATION_CLASS_UID, IMPLEMENTATION_VERSION_NAME, Meta};
use pdu::Connection;

/// Bounds of the C-STORE door.
#[derive(Clone, Copy, Debug)]
pub struct ScpLimits {
    /// Associations at once; another is rejected for now (transient). Default: 64.
    pub associations_max: usize,
    /// A peer silent for longer is let go. Default: 60 s.
    pub idle_s_max: u64,
    /// The largest P-DATA PDU taken, announced at association. Default: 256 KiB.
    pub pdu_bytes_max: u32,
    /// At shutdown, how long instances on their way may take. Default: 20 s.
    pub grace_s_max: u64,
}

impl Default for ScpLimits {
    fn default() -> Self {
        ScpLimits { associations_max: 64, idle_s_max: 60, pdu_bytes_max: 256 << 10, grace_s_max: 20 }
    }
}

/// Which centre a peer is.
pub trait CallingAe: Send + Sync {
    /// The centre of a peer, or `None` to reject its association.
    fn centre(&self, calling_ae_title: &str, called_ae_title: &str, address: IpAddr) -> Option<String>;
}

/// Centres by calling AE title.
#[derive(Clone, Debug, Default)]
pub struct CentresByAe {
    /// AE title to centre.
    pub centres: BTreeMap<String, String>,
    /// The centre of everybody else; `None` (the default) rejects them.
    pub promiscuous: Option<String>,
}

impl CallingAe for CentresByAe {
    fn centre(&self, calling_ae_title: &str, _: &str, _: IpAddr) -> Option<String> {
        self.centres.get(calling_ae_title).or(self.promiscuous.as_ref()).cloned()
    }
}

/// What the C-STORE door needs.
#[derive(Clone)]
pub struct StorageScp {
    /// The way in.
    pub door: Doorway,
    /// Which centre a peer is.
    pub calling: Arc<dyn CallingAe>,
    /// Our AE title; a peer that calls another is rejected. `None` answers to any.
    pub ae_title: Option<String>,
    /// Bounds.
    pub limits: ScpLimits,
}

impl StorageScp {
    /// Serves associations on `listener` until `stop` becomes true (or its sender goes); then takes no more, lets the
    /// instances on their way arrive within `grace_s_max`, and aborts the rest.
    pub async fn serve(self, listener: TcpListener, mut stop: watch::Receiver<bool>) {
        let slots = Arc::new(Semaphore::new(self.limits.associations_max.max(1)));
        // Saying no takes a task too: as many at once as there are associations, beyond that the socket is dropped.
        let refusals = Arc::new(Semaphore::new(self.limits.associations_max.max(1)));
        let (scp, mut running) = (Arc::new(self), JoinSet::new());
        loop {
            let socket = tokio::select! {
                () = stopped(&mut stop) => break,
                Some(_) = running.join_next() => continue,
                accepted = listener.accept() => match accepted {
                    Ok((socket, _)) => socket,
                    Err(error) => {
                        // Out of descriptors, most likely: the next accept would fail as fast.
                        tracing::warn!("cannot accept an association: {error}");
                        tokio::time::sleep(Duration::from_millis(100)).await;
                        continue;
                    }
                },
            };
            if let Ok(slot) = slots.clone().try_acquire_owned() {
                let (scp, stop) = (scp.clone(), stop.clone());
                running.spawn(async move {
                    let _slot = slot;
                    scp.associate(socket, stop, false).await;
                });
            } else if let Ok(slot) = refusals.clone().try_acquire_owned() {
                let (scp, stop) = (scp.clone(), stop.clone());
                running.spawn(async move {
                    let _slot = slot;
                    scp.associate(socket, stop, true).await;
                });
            }
        }
        drop(listener);
        let grace = Duration::from_secs(scp.limits.grace_s_max);
        let _ = tokio::time::timeout(grace, async { while running.join_next().await.is_some() {} }).await;
    }

    async fn associate(&self, socket: TcpStream, stop: watch::Receiver<bool>, full: bool) {
        let idle = Duration::from_secs(self.limits.idle_s_max.max(1));
        let address = socket.peer_addr().map(|address| address.ip());
        let connection = Connection::new(socket, idle, self.limits.pdu_bytes_max);
        let Ok(address) = address else { return };
        if let Err(error) = Association::run(self, connection, address, stop, full).await {
            tracing::warn!("{error}");
        }
    }
}

/// Waits for the word to stop; a sender that is gone says it too. Nothing of the channel stays borrowed.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod tests;
