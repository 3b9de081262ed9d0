//! The asking side against our own C-STORE door, against a peer that breaks, and against DCMTK where it is installed.

use std::net::SocketAddr;
use std::sync::atomic::Ordering;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::*;
use crate::dimse::{Dimse, DimseLimits, Listening, Peer as Caller, Peers};
use crate::fake::FakeGate;

const CT: &str = "1.2.840.10008.5.1.4.1.1.2";
const EXPLICIT: &str = "1.2.840.10008.1.2.1";
const HTJ2K: &str = "1.2.840.10008.1.2.4.202";

struct Door {
    gate: Arc<FakeGate>,
    peer: Peer,
    _stop: watch::Sender<bool>,
    _spool: tempfile::TempDir,
}

fn peer_at(address: SocketAddr) -> Peer {
    Peer {
        ae_title: "TSUNAGU".into(),
        host: address.ip().to_string(),
        port: address.port(),
        calling_ae_title: "SENDER".into(),
        tls: None,
        limits: ScuLimits { connect_s_max: 5, idle_s_max: 5, ..ScuLimits::default() },
    }
}

async fn door() -> Door {
    let (gate, spool) = (Arc::new(FakeGate::default()), tempfile::tempdir().unwrap());
    let peers = Peers::new([Caller::storing("SENDER", "north")], None);
    let limits = DimseLimits { idle_s_max: 5, ..DimseLimits::default() };
    let door = Dimse { limits, ..Dimse::storing(gate.doorway(&spool), peers, Some("TSUNAGU".into())) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let peer = peer_at(listener.local_addr().unwrap());
    let (stop, stopped) = watch::channel(false);
    tokio::spawn(door.serve(listener, Listening::Plain, stopped));
    Door { gate, peer, _stop: stop, _spool: spool }
}

fn proposals() -> Vec<Proposal> {
    vec![
        Proposal::new(VERIFICATION, &[IMPLICIT_VR_LITTLE_ENDIAN]),
        Proposal::new(CT, &[HTJ2K]),
        Proposal::new(CT, &[EXPLICIT, IMPLICIT_VR_LITTLE_ENDIAN]),
        Proposal::new("1.2.840.10008.5.1.4.1.2.2.1", &[IMPLICIT_VR_LITTLE_ENDIAN]),
    ]
}

fn chunks(bytes: &[u8], size: usize) -> impl futures::Stream<Item = std::io::Result<Bytes>> + use<> {
    let chunks: Vec<_> = bytes.chunks(size).map(|chunk| Ok(Bytes::copy_from_slice(chunk))).collect();
    futures::stream::iter(chunks)
}

fn request(instance: &str) -> StoreRequest<'_> {
    StoreRequest { sop_class_uid: CT, sop_instance_uid: instance, ..StoreRequest::default() }
}

/// C-ECHO and C-STORE on one association: what is sent in pieces of any size arrives whole, a busy peer's status is
/// told, and the contexts are those that were accepted.
#[tokio::test]
async fn c_store_scu_sends_an_instance_in_the_accepted_context() {
    let door = door().await;
    let mut scu = Scu::open(&door.peer, &proposals()).await.unwrap();
    assert_eq!(scu.echo().await.unwrap().status, 0);
    assert_eq!(scu.contexts().len(), 3, "a query is not stored");
    let data: Vec<u8> = (0..900_000).map(|i| (i % 251) as u8).collect();
    for (instance, syntax, size) in [("1.2.3", EXPLICIT, 900_000), ("1.2.4", HTJ2K, 777), ("1.2.5", EXPLICIT, 100_000)]
    {
        let id = scu.context(CT, syntax).unwrap().id;
        let length = if size == 777 { 50_000 } else { data.len() };
        let response = scu.store(id, &request(instance), chunks(&data[..length], size)).await.unwrap();
        assert_eq!((response.status, response.field), (0, 0x8001));
        let handed = door.gate.handed.lock().unwrap().last().unwrap().clone();
        assert!(handed.bytes.ends_with(&data[..length]) && handed.bytes.len() < length + 600);
        assert!(handed.bytes[..600].windows(syntax.len()).any(|window| window == syntax.as_bytes()));
    }
    door.gate.busy_first.store(1, Ordering::SeqCst);
    let id = scu.context(CT, EXPLICIT).unwrap().id;
    let response = scu.store(id, &request("1.2.6"), chunks(&data, 1000)).await.unwrap();
    assert_eq!(response.status, 0xA700);
    assert!(response.comment.contains("busy"), "{}", response.comment);
    scu.release().await.unwrap();
}

/// A peer that is not there, one that knows us not, one that hangs up: each is said for what it is.
#[tokio::test]
async fn association_failures_are_told_apart() {
    let door = door().await;
    let stranger = Peer { calling_ae_title: "NOBODY".into(), ..door.peer.clone() };
    let rejected = Scu::open(&stranger, &proposals()).await.err().unwrap();
    assert!(matches!(rejected, ScuError::Rejected { permanent: true, .. }), "{rejected}");
    let gone = Peer { port: 1, ..door.peer.clone() };
    assert!(matches!(Scu::open(&gone, &proposals()).await, Err(ScuError::Unreachable { .. })));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = peer_at(listener.local_addr().unwrap());
    tokio::spawn(async move { drop(listener.accept().await) });
    assert!(matches!(Scu::open(&silent, &proposals()).await, Err(ScuError::Broken { .. })));
}

/// A source that breaks off aborts the association: the peer hands in nothing of it.
#[tokio::test]
async fn half_an_instance_is_aborted() {
    let door = door().await;
    let mut scu = Scu::open(&door.peer, &proposals()).await.unwrap();
    let id = scu.context(CT, EXPLICIT).unwrap().id;
    let broken = futures::stream::iter([Ok(Bytes::from(vec![1; 100_000])), Err(std::io::Error::other("a bad disk"))]);
    let error = scu.store(id, &request("1.2.3"), broken).await.unwrap_err();
    assert!(matches!(error, ScuError::Source { .. }), "{error}");
    let mut scu = Scu::open(&door.peer, &proposals()).await.unwrap();
    let id = scu.context(CT, EXPLICIT).unwrap().id;
    assert_eq!(scu.store(id, &request("1.2.4"), chunks(b"whole", 5)).await.unwrap().status, 0);
    assert_eq!(door.gate.files(), ["1.2.4"]);
}

/// A connection that is cut before the answer has an unknown outcome, and is said to be broken.
#[tokio::test]
async fn a_lost_answer_is_said_to_be_lost() {
    let door = door().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let between = peer_at(listener.local_addr().unwrap());
    let behind = (door.peer.host.clone(), door.peer.port);
    tokio::spawn(async move {
        let (mut near, _) = listener.accept().await.unwrap();
        let mut far = TcpStream::connect(behind).await.unwrap();
        let (mut from_near, mut from_far, mut answered) = (vec![0; 65536], vec![0; 65536], 0);
        loop {
            tokio::select! {
                read = near.read(&mut from_near) => match read { Ok(0) | Err(_) => return, Ok(n) => far.write_all(&from_near[..n]).await.unwrap() },
                read = far.read(&mut from_far) => {
                    answered += 1;
                    // The acceptance goes through, the first response does not.
                    if answered > 1 { return; }
                    let n = read.unwrap();
                    near.write_all(&from_far[..n]).await.unwrap();
                }
            }
        }
    });
    let mut scu = Scu::open(&between, &proposals()).await.unwrap();
    let id = scu.context(CT, EXPLICIT).unwrap().id;
    let error = scu.store(id, &request("1.2.3"), chunks(b"data", 4)).await.unwrap_err();
    assert!(matches!(error, ScuError::Broken { .. }), "{error}");
    assert_eq!(door.gate.files(), ["1.2.3"], "it is stored all the same");
}

/// A certificate for 127.0.0.1, its key and itself as its authority; `None` where there is no openssl.
fn certificate(dir: &std::path::Path) -> Option<[std::path::PathBuf; 2]> {
    let [key, certificate] = ["key.pem", "certificate.pem"].map(|name| dir.join(name));
    let made = std::process::Command::new("openssl")
        .args(["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=peer"])
        .args(["-addext", "subjectAltName=IP:127.0.0.1", "-addext", "basicConstraints=CA:FALSE"])
        .args(["-keyout", key.to_str().unwrap(), "-out", certificate.to_str().unwrap()])
        .output();
    made.is_ok_and(|output| output.status.success()).then_some([key, certificate])
}

/// Over TLS an instance arrives, and a peer whose certificate no authority of ours vouches for is not spoken to.
#[tokio::test]
async fn c_store_goes_over_tls_to_a_peer_that_is_vouched_for() {
    use tokio_rustls::rustls::pki_types::pem::PemObject;
    use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
    use tokio_rustls::rustls::{ServerConfig, crypto};
    let dir = tempfile::tempdir().unwrap();
    let Some([key, certificate]) = certificate(dir.path()) else {
        return println!("skipped: openssl is not installed");
    };
    let chain = vec![CertificateDer::from_pem_file(&certificate).unwrap()];
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let config = ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions().unwrap();
    let config =
        config.with_no_client_auth().with_single_cert(chain, PrivateKeyDer::from_pem_file(key).unwrap()).unwrap();
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let door = door().await;
    let (behind, listener) = (door.peer.port, TcpListener::bind("127.0.0.1:0").await.unwrap());
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let Ok(mut near) = acceptor.accept(socket).await else { continue };
            let mut far = TcpStream::connect(("127.0.0.1", behind)).await.unwrap();
            let _ = tokio::io::copy_bidirectional(&mut near, &mut far).await;
        }
    });
    let rules = |ca: &std::path::Path| {
        let text =
            format!("[[to]]\nname = \"p\"\naet = \"TSUNAGU\"\nhost = \"127.0.0.1\"\nport = {port}\nca-file = {ca:?}");
        crate::forward::Rules::parse(&text, dir.path()).unwrap().destinations[0].peer().unwrap().unwrap()
    };
    let peer = Peer { calling_ae_title: "SENDER".into(), ..rules(&certificate) };
    let mut scu = Scu::open(&peer, &proposals()).await.unwrap();
    let id = scu.context(CT, EXPLICIT).unwrap().id;
    assert_eq!(scu.store(id, &request("1.2.3"), chunks(&[7; 300_000], 40_000)).await.unwrap().status, 0);
    scu.release().await.unwrap();
    let other = tempfile::tempdir().unwrap();
    let [_, stranger] = self::certificate(other.path()).unwrap();
    let error = Scu::open(&rules(&stranger), &proposals()).await.err().unwrap();
    assert!(matches!(&error, ScuError::Unreachable { detail, .. } if detail.starts_with("TLS")), "{error}");
}

/// DCMTK's storescp, which most PACS resemble, takes a real file.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dcmtk_takes_what_we_store() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/datasets/ct-series/gantry-tilt/IM-0001-0001.dcm");
    let Ok(sent) = std::fs::read(file) else { return println!("skipped: ../shared/datasets is not here") };
    let folder = tempfile::tempdir().unwrap();
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let started = std::process::Command::new("storescp")
        .args(["-od", folder.path().to_str().unwrap(), "+xa", &port.to_string()])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn();
    let Ok(mut storescp) = started else { return println!("skipped: storescp (DCMTK) is not installed") };
    let peer = Peer { port, ..peer_at("127.0.0.1:1".parse().unwrap()) };
    let mut opened = Scu::open(&peer, &proposals()).await;
    for _ in 0..50 {
        if opened.is_ok() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
        opened = Scu::open(&peer, &proposals()).await;
    }
    let mut scu = opened.unwrap();
    assert_eq!(scu.echo().await.unwrap().status, 0);
    let scanned = transcode::data_set::scan(&mut std::io::Cursor::new(&sent), &Default::default()).unwrap();
    let uid = scanned.data_set.uid(transcode::data_set::Tag(8, 0x18)).unwrap().to_owned();
    let id = scu.context(CT, EXPLICIT).unwrap().id;
    let data_set = &sent[scanned.data_set_offset as usize..];
    let response = scu.store(id, &request(&uid), chunks(data_set, 30_000)).await.unwrap();
    assert_eq!(response.status, 0);
    scu.release().await.unwrap();
    let stored: Vec<_> = std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect();
    let stored = std::fs::read(&stored[0]).unwrap();
    assert!(stored.ends_with(&data_set[data_set.len() - 100_000..]), "the pixels are as sent");
    storescp.kill().unwrap();
    storescp.wait().unwrap();
}
