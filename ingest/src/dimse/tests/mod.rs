//! The DIMSE door over real sockets: dicom-ul and DCMTK as the SCU of C-STORE, and a client of our own, made of PDUs, for
//! everything else.

mod client;
mod commit;
mod damage;
mod fake_read_side;
mod find;
mod retrieve;
mod store;

use std::net::SocketAddr;

use super::*;
use crate::fake::FakeGate;
use client::Client;
use fake_read_side::FakeReadSide;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const MR: &str = "1.2.840.10008.5.1.4.1.1.4";
const PRIVATE: &str = "1.2.392.200036.9116.7.8";
const STUDY_FIND: &str = "1.2.840.10008.5.1.4.1.2.2.1";
const STUDY_MOVE: &str = "1.2.840.10008.5.1.4.1.2.2.2";
const STUDY_GET: &str = "1.2.840.10008.5.1.4.1.2.2.3";
const PATIENT_FIND: &str = "1.2.840.10008.5.1.4.1.2.1.1";
const IMPLICIT: &str = "1.2.840.10008.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const HTJ2K: &str = "1.2.840.10008.1.2.4.202";

struct Server {
    gate: Arc<FakeGate>,
    read_side: Arc<FakeReadSide>,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    serving: tokio::task::JoinHandle<()>,
    _spool: tempfile::TempDir,
}

const ALL: Roles = Roles { store: true, query: true, retrieve: true, commit: true };

/// CT1 may do everything, CT3 nothing.
fn peers() -> Vec<Peer> {
    let peer = |title: &str, roles| Peer { ae_title: title.into(), centre: "north".into(), roles, ..Peer::default() };
    vec![peer("CT1", ALL), peer("CT3", Roles::default())]
}

async fn server(change: impl FnOnce(&mut Dimse)) -> Server {
    let (gate, spool) = (Arc::new(FakeGate::default()), tempfile::tempdir().unwrap());
    let read_side = Arc::new(FakeReadSide::default());
    let mut dimse = Dimse {
        door: gate.doorway(&spool),
        peers: Arc::new(Peers::new(peers(), None)),
        ae_title: None,
        limits: DimseLimits { idle_s_max: 5, ..DimseLimits::default() },
        read_side: Some(read_side.clone()),
        commitments: None,
        transport: Arc::new(PlainTransport),
    };
    change(&mut dimse);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let serving = tokio::spawn(dimse.serve(listener, Listening::Plain, stopped));
    Server { gate, read_side, address, stop, serving, _spool: spool }
}
