//! The DICOM side of the running archive: the DIMSE door of `ingest`, with the read side of `viewer-api` behind it.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use archive::EventLog;
use async_trait::async_trait;
use futures::StreamExt;
use ingest::dimse::{
    Accepted, Commitments, Dimse, DimseLimits, Extended, Found, Instance, Key, Level, Listening, Outgoing, Peer, Peers,
    PlainTransport, ReadSide, Roles, Transport, Unanswered, Wanted,
};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_rustls::rustls::ClientConfig;
use viewer_api::{Error, PeerInstance, PeerRequest, Principal, ViewerState, find, is_peer_key, peer_principal};

use crate::clock;
use crate::tls::{Tls, certificate_sha256};
use crate::wiring::{House, Result};

/// Where we listen for DICOM peers, and which there are.
#[derive(Clone, Default)]
pub struct DimseOptions {
    /// Where to listen.
    pub listen: Option<SocketAddr>,
    /// Where to listen for TLS.
    pub tls_listen: Option<SocketAddr>,
    /// What TLS is made with.
    pub tls: Option<Tls>,
    /// Our AE title.
    pub ae_title: String,
    /// Who is known.
    pub peers: Vec<Peer>,
    /// Centre of any other AE title, which may store; refused if `None`.
    pub any: Option<String>,
}

/// Starts listening; the tasks that do.
///
/// # Errors
/// When an address cannot be listened at, or the log of commitments cannot be read.
pub async fn start(
    house: &House,
    viewer: &ViewerState,
    options: DimseOptions,
    stopped: watch::Receiver<bool>,
) -> Result<Vec<JoinHandle<()>>> {
    let listeners = [(options.listen, Listening::Plain), (options.tls_listen, Listening::Tls)];
    if listeners.iter().all(|(address, _)| address.is_none()) {
        return Ok(Vec::new());
    }
    if options.tls_listen.is_some() && options.tls.is_none() {
        return Err("--dimse-tls-listen needs --tls-cert and --tls-key".into());
    }
    let dimse = dimse(house, viewer, options)?;
    let mut tasks = Vec::new();
    for (address, listening) in listeners {
        let Some(address) = address else { continue };
        let listener = TcpListener::bind(address).await.map_err(|e| format!("{address}: {e}"))?;
        tasks.push(tokio::spawn(dimse.clone().serve(listener, listening, stopped.clone())));
    }
    Ok(tasks)
}

fn dimse(house: &House, viewer: &ViewerState, options: DimseOptions) -> Result<Dimse> {
    let store = Roles { store: true, ..Roles::default() };
    let any = options.any.map(|centre| Peer { centre, roles: store, ..Peer::default() });
    let peers = Arc::new(Peers::new(options.peers, any));
    let transport: Arc<dyn Transport> = match options.tls {
        Some(tls) => Arc::new(Secure(tls)),
        None => Arc::new(PlainTransport),
    };
    let limits = DimseLimits::default();
    let log = Arc::new(EventLog::open(&house.reader.layout().event_log("commitments"))?);
    let (reader, title) = (house.reader.clone(), &options.ae_title);
    let commitments =
        Commitments::start(reader, log, clock::shared(), peers.clone(), transport.clone(), title, limits)?;
    Ok(Dimse {
        door: house.doorway(),
        peers,
        ae_title: Some(options.ae_title),
        limits,
        read_side: Some(Arc::new(Viewer(viewer.clone()))),
        commitments: Some(commitments),
        transport,
    })
}

/// Connections over TLS.
struct Secure(Tls);

#[async_trait]
impl Transport for Secure {
    async fn accept(&self, socket: TcpStream) -> io::Result<Accepted> {
        let stream = self.0.accept(socket).await?;
        Ok(Accepted { certificate_sha256: certificate_sha256(&stream), stream: Box::new(stream) })
    }

    fn client(&self) -> Option<Arc<ClientConfig>> {
        Some(self.0.client())
    }
}

/// What the DIMSE door is answered.
type Answered<T> = std::result::Result<T, Unanswered>;

/// The read side, as the DIMSE door asks it.
struct Viewer(ViewerState);

#[async_trait]
impl ReadSide for Viewer {
    fn supports(&self, at: Level, key: &Key) -> bool {
        is_peer_key(level(at), &key.path)
    }

    async fn find(&self, peer: &Peer, at: Level, keys: &[Key], agreed: Extended, offset: u32) -> Answered<Found> {
        let of = |key: &Key| find::Key { path: key.path.clone(), value: key.value.clone() };
        let keys: Vec<find::Key> = keys.iter().map(of).collect();
        let matching = find::Matching { fuzzy: agreed.fuzzy, combined: agreed.combined, empty_value: false };
        let found = self.0.find_for_peer(&principal(peer), level(at), keys, matching, offset).await;
        let found = found.map_err(unanswered)?;
        Ok(Found { answers: found.answers, more: found.more })
    }

    async fn select(&self, peer: &Peer, wanted: &Wanted, limit: usize) -> Answered<Vec<Instance>> {
        let request = PeerRequest {
            patient_id: wanted.patient_id.clone(),
            studies: wanted.studies.clone(),
            series: wanted.series.clone(),
            instances: wanted.instances.clone(),
        };
        let found = self.0.select_for_peer(&principal(peer), &request, limit).await.map_err(unanswered)?;
        let instance = |one: PeerInstance| Instance {
            study_instance_uid: one.study_instance_uid,
            series_instance_uid: one.series_instance_uid,
            sop_instance_uid: one.sop_instance_uid,
            sop_class_uid: one.sop_class_uid,
            transfer_syntaxes: one.transfer_syntaxes,
        };
        Ok(found.into_iter().map(instance).collect())
    }

    async fn open(&self, peer: &Peer, instance: &Instance, transfer_syntax: &str) -> Answered<Outgoing> {
        let one = PeerInstance {
            study_instance_uid: instance.study_instance_uid.clone(),
            series_instance_uid: instance.series_instance_uid.clone(),
            sop_instance_uid: instance.sop_instance_uid.clone(),
            ..PeerInstance::default()
        };
        let opened = self.0.open_for_peer(&principal(peer), &one, transfer_syntax).await.map_err(unanswered)?;
        let data_set = opened.map(|piece| piece.map_err(|error| error.to_string())).boxed();
        Ok(Outgoing { transfer_syntax: transfer_syntax.to_owned(), data_set })
    }

    async fn denied(&self, peer: &Peer, act: &'static str) {
        if let Err(error) = self.0.deny_peer(&principal(peer), act).await {
            tracing::error!(%error, "a refused request of a peer could not be recorded; it stays refused");
        }
    }
}

fn principal(peer: &Peer) -> Principal {
    peer_principal(&peer.ae_title, &peer.centre, peer.roles.query, peer.roles.retrieve)
}

fn level(at: Level) -> find::Level {
    match at {
        Level::Patient => find::Level::Patient,
        Level::Study => find::Level::Study,
        Level::Series => find::Level::Series,
        Level::Image => find::Level::Instance,
    }
}

/// What is inside stays inside: paths and keys are for our own log.
fn unanswered(error: Error) -> Unanswered {
    match &error {
        Error::Invalid { .. } => Unanswered::Invalid(error.to_string()),
        Error::TooBroad { .. } | Error::TooLarge { .. } => Unanswered::TooMuch(error.to_string()),
        Error::Forbidden { .. } | Error::NotFound(_) | Error::NotAcceptable { .. } | Error::Pixels { .. } => {
            Unanswered::Failed(error.to_string())
        }
        _ => {
            tracing::error!(%error, "a request of a DICOM peer failed");
            Unanswered::Failed("the archive could not answer; its administrator sees why".into())
        }
    }
}
