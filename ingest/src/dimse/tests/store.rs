//! The C-STORE door over a real socket: dicom-ul as the SCU, and DCMTK's storescu where it is installed.

use std::process::Command as Process;

use dicom_ul::association::client::{AsyncClientAssociation, ClientAssociationOptions};
use dicom_ul::pdu::{PDataValue, PDataValueType, Pdu};

use super::*;
use crate::dimse::command::{C_ECHO_RQ, C_FIND_RQ, C_STORE_RQ, CommandSet};
use crate::dimse::service;

type Client = AsyncClientAssociation<TcpStream>;

async fn client(server: &Server, calling: &str) -> Result<Client, dicom_ul::association::Error> {
    let options = ClientAssociationOptions::new()
        .calling_ae_title(calling.to_owned())
        .called_ae_title("ANY")
        .with_presentation_context(service::VERIFICATION, vec!["1.2.840.10008.1.2"])
        .with_presentation_context(CT, vec!["1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2"])
        .with_presentation_context(PRIVATE, vec!["1.2.840.10008.1.2.4.202"]);
    options.establish_async(server.address).await
}

fn request(field: u16, class: &str, instance: &str, has_data_set: bool) -> Vec<u8> {
    let set = CommandSet::new(field).text(0x0002, class).text(0x1000, instance).number(0x0110, 7);
    if has_data_set { set.with_data_set().to_bytes() } else { set.to_bytes() }
}

async fn send(client: &mut Client, context: u8, value_type: PDataValueType, data: &[u8], is_last: bool) {
    let value = PDataValue { presentation_context_id: context, value_type, is_last, data: data.to_vec() };
    client.send(&Pdu::PData { data: vec![value] }).await.unwrap();
}

/// Status of the next response.
async fn status(client: &mut Client) -> u16 {
    let Pdu::PData { data } = client.receive().await.unwrap() else { panic!("not P-DATA") };
    let bytes = &data[0].data;
    let at = bytes.windows(4).position(|window| window == [0, 0, 0, 9]).unwrap() + 8;
    u16::from_le_bytes([bytes[at], bytes[at + 1]])
}

async fn store(client: &mut Client, context: u8, class: &str, instance: &str, data: &[u8]) -> u16 {
    send(client, context, PDataValueType::Command, &request(C_STORE_RQ, class, instance, true), true).await;
    let (first, last) = data.split_at(data.len() / 2);
    send(client, context, PDataValueType::Data, first, false).await;
    send(client, context, PDataValueType::Data, last, true).await;
    status(client).await
}

/// An echo, an image and a private object in syntaxes nobody decodes: each answered 0000, each whole at the gate
/// behind a meta group of our own.
#[tokio::test]
async fn anything_is_stored_as_sent() {
    let server = server(|_| ()).await;
    let mut client = client(&server, "CT1").await.unwrap();
    let echo = request(C_ECHO_RQ, service::VERIFICATION, "", false);
    send(&mut client, 1, PDataValueType::Command, &echo, true).await;
    assert_eq!(status(&mut client).await, 0);
    let data: Vec<u8> = (0..100_000).map(|i| (i % 251) as u8).collect();
    assert_eq!(store(&mut client, 3, CT, "1.2.3", &data[..15_000]).await, 0);
    assert_eq!(store(&mut client, 5, PRIVATE, "1.2.4", &data[..9_999]).await, 0);
    client.release().await.unwrap();
    let handed = server.gate.handed.lock().unwrap().clone();
    let meta = Meta {
        sop_class_uid: CT,
        sop_instance_uid: "1.2.3",
        transfer_syntax_uid: "1.2.840.10008.1.2.4.80",
        calling_ae_title: "CT1",
    };
    assert!(handed[0].bytes == [meta.to_bytes(), data[..15_000].to_vec()].concat());
    assert!(handed[1].bytes.ends_with(&data[..9_999]));
    assert_eq!((handed[0].origin.centre.as_str(), handed[0].origin.file.as_str()), ("north", "1.2.3"));
}

/// A busy gate is A700; an instance too large too, and the association goes on after both.
#[tokio::test]
async fn failures_are_said_and_survived() {
    let server = server(|dimse| {
        let limits = crate::ReceiveLimits { body_bytes_max: 5_000, ..Default::default() };
        dimse.door.receiver = crate::Receiver::new(limits, std::env::temp_dir());
    })
    .await;
    server.gate.busy_first.store(1, std::sync::atomic::Ordering::SeqCst);
    let mut client = client(&server, "CT1").await.unwrap();
    assert_eq!(store(&mut client, 3, CT, "1.2.3", b"data").await, 0xA700);
    assert_eq!(store(&mut client, 3, CT, "1.2.3", &[0; 9_000]).await, 0xA700);
    assert_eq!(store(&mut client, 3, CT, "1.2.3", b"data").await, 0);
    send(&mut client, 3, PDataValueType::Command, &request(C_FIND_RQ, CT, "", true), true).await;
    send(&mut client, 3, PDataValueType::Data, b"query", true).await;
    assert_eq!(status(&mut client).await, 0x0211);
    assert_eq!(server.gate.files(), ["1.2.3"]);
}

/// Strangers and callers of another AE are rejected; so is the one too many, for now only.
#[tokio::test]
async fn strangers_are_rejected() {
    let strict = server(|dimse| dimse.ae_title = Some("TSUNAGU".into())).await;
    assert!(client(&strict, "CT1").await.is_err());
    let small = server(|dimse| dimse.limits.associations_max = 1).await;
    assert!(client(&small, "CT2").await.is_err());
    let mut first = None;
    for _ in 0..100 {
        // The slot of the rejected one comes back a moment after its answer.
        first = client(&small, "CT1").await.ok();
        if first.is_some() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(first.is_some());
    let error = client(&small, "CT1").await.err().unwrap().to_string();
    assert!(error.contains("local limit exceeded"), "{error}");
}

/// A peer that goes away, or breaks the protocol, inside an instance leaves nothing behind; others are not disturbed.
#[tokio::test]
async fn half_an_instance_is_never_handed_in() {
    let server = server(|_| ()).await;
    for broken in [false, true] {
        let mut peer = client(&server, "CT1").await.unwrap();
        let command = request(C_STORE_RQ, CT, "1.2.3", true);
        send(&mut peer, 3, PDataValueType::Command, &command, true).await;
        send(&mut peer, 3, PDataValueType::Data, b"half", false).await;
        if broken {
            send(&mut peer, 3, PDataValueType::Command, &command, true).await;
            assert!(matches!(peer.receive().await, Ok(Pdu::AbortRQ { .. })));
        }
    }
    let mut client = client(&server, "CT1").await.unwrap();
    assert_eq!(store(&mut client, 3, CT, "1.2.9", b"whole").await, 0);
    assert_eq!(server.gate.files(), ["1.2.9"]);
}

/// Garbage in place of an association, and a peer that says nothing, are let go.
#[tokio::test]
async fn garbage_and_silence_are_let_go() {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = server(|dimse| dimse.limits.idle_s_max = 1).await;
    for garbage in [
        &b"GET / HTTP/1.1\r\n\r\n"[..],
        &[1, 0, 0, 0, 0, 70, 0, 1],
        &[1, 0, 0xFF, 0xFF, 0xFF, 0xFF],
        &[],
        &[4, 0, 0, 0, 0, 0],
    ] {
        let mut socket = TcpStream::connect(server.address).await.unwrap();
        socket.write_all(garbage).await.unwrap();
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(4), socket.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "{garbage:?} is still held");
    }
    assert!(client(&server, "CT1").await.is_ok());
}

/// At shutdown an instance on its way still arrives and is answered; an idle association is aborted.
#[tokio::test]
async fn shutdown_lets_instances_arrive() {
    let server = server(|_| ()).await;
    let mut idle = client(&server, "CT1").await.unwrap();
    let mut busy = client(&server, "CT1").await.unwrap();
    send(&mut busy, 3, PDataValueType::Command, &request(C_STORE_RQ, CT, "1.2.3", true), true).await;
    send(&mut busy, 3, PDataValueType::Data, b"half", false).await;
    tokio::time::sleep(Duration::from_millis(50)).await;
    server.stop.send(true).unwrap();
    assert!(matches!(idle.receive().await, Ok(Pdu::AbortRQ { .. })));
    send(&mut busy, 3, PDataValueType::Data, b"rest", true).await;
    assert_eq!(status(&mut busy).await, 0);
    tokio::time::timeout(Duration::from_secs(5), server.serving).await.unwrap().unwrap();
}

/// DCMTK's echoscu and storescu, the senders most modalities resemble, with a real file in its own transfer syntax.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn dcmtk_stores() {
    let datasets = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/datasets");
    if Process::new("storescu").arg("--version").output().is_err() {
        return println!("skipped: storescu (DCMTK) is not installed");
    }
    if !std::path::Path::new(datasets).exists() {
        return println!("skipped: ../shared/datasets is not here");
    }
    let server = server(|_| ()).await;
    let port = server.address.port().to_string();
    let run = async |program: &'static str, arguments: Vec<String>| {
        let output = tokio::task::spawn_blocking(move || Process::new(program).args(arguments).output().unwrap());
        let output = output.await.unwrap();
        assert!(output.status.success(), "{program}: {}", String::from_utf8_lossy(&output.stderr));
    };
    run("echoscu", ["-aet", "CT1", "127.0.0.1", &port].map(Into::into).to_vec()).await;
    // -xv proposes JPEG 2000 lossless, which storescu then sends as the file has it.
    let sets: [(&str, &str, &str); 2] = [
        ("ct-series/gantry-tilt/IM-0001-0001.dcm", "-xe", "1.2.840.10008.1.2.1"),
        ("ct-series/wg04/CT1_J2KR", "-xv", "1.2.840.10008.1.2.4.90"),
    ];
    for (at, (file, proposal, transfer_syntax)) in sets.into_iter().enumerate() {
        let file = format!("{datasets}/{file}");
        run("storescu", ["-aet", "CT1", proposal, "127.0.0.1", &port, &file].map(Into::into).to_vec()).await;
        let handed = server.gate.handed.lock().unwrap()[at].bytes.clone();
        let syntax = handed.windows(transfer_syntax.len()).any(|window| window == transfer_syntax.as_bytes());
        assert!(syntax, "{file}");
        let sent = std::fs::read(&file).unwrap();
        assert!(handed[handed.len() - 100_000..] == sent[sent.len() - 100_000..], "{file}: the pixels are as sent");
    }
}

/// How fast the door is with a gate that does nothing: printed, and not slower than a network of yesterday.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn throughput_with_a_fake_gate() {
    let server = server(|_| ()).await;
    let mut client = client(&server, "CT1").await.unwrap();
    let (image, started) = (vec![7; 512 << 10], std::time::Instant::now());
    for serial in 0..64 {
        let command = request(C_STORE_RQ, CT, &format!("1.2.{serial}"), true);
        send(&mut client, 3, PDataValueType::Command, &command, true).await;
        let fragments = image.chunks(16_000).enumerate();
        for (at, fragment) in fragments {
            send(&mut client, 3, PDataValueType::Data, fragment, (at + 1) * 16_000 >= image.len()).await;
        }
        assert_eq!(status(&mut client).await, 0);
    }
    let rate = 64.0 * image.len() as f64 / 1e6 / started.elapsed().as_secs_f64();
    println!("C-STORE, 64 instances of 512 KiB, one association, fake gate: {rate:.0} MB/s");
    assert!(rate > 2.0, "{rate} MB/s");
}
