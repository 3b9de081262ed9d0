//! No bytes of a peer make a panic or hold an association: requests of every kind, damaged.

use super::*;
use crate::dimse::command::{
    C_CANCEL_RQ, C_FIND_RQ, C_GET_RQ, C_MOVE_RQ, Command, CommandSet, N_ACTION_RQ, N_EVENT_REPORT_RQ,
};
use crate::dimse::elements::Elements;
use crate::dimse::identifier::Identifier;
use crate::dimse::service::Root;

/// A query with a sequence in it, bit by bit damaged on its way: each is answered or aborted, and the next is heard.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_messages_are_answered_or_aborted() {
    use crate::admit::tags;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use transcode::data_set::VR;
    let server = server(|dimse| dimse.limits.idle_s_max = 1).await;
    let mut elements = Elements::new(IMPLICIT);
    elements.text(tags::QUERY_RETRIEVE_LEVEL, VR::CS, "STUDY");
    elements.text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2");
    elements.sequence(tags::REQUEST_ATTRIBUTES_SEQUENCE, [elements.item()]);
    let data_set = elements.into_bytes();
    let fields = [C_FIND_RQ, C_MOVE_RQ, C_GET_RQ, N_ACTION_RQ, C_CANCEL_RQ, N_EVENT_REPORT_RQ | 0x8000, 0x8001];
    for (turn, field) in fields.into_iter().cycle().take(140).enumerate() {
        let class = [STUDY_FIND, STUDY_MOVE, STUDY_GET][turn % 3];
        let client = Client::open(&server, "CT1", &[(class, &[IMPLICIT])], &[], 16_384).await;
        let command = CommandSet::new(field).number(0x0110, 9).text(0x0002, class).text(0x0600, "WS1").with_data_set();
        let mut bytes = pdus(&command.to_bytes(), &data_set);
        let at = turn * 7 % bytes.len();
        bytes[at] ^= 1 << (turn % 8);
        if turn % 5 == 0 {
            bytes.truncate(at);
        }
        let mut socket = client.exchange.connection.into_stream();
        socket.write_all(&bytes).await.unwrap();
        let _ = socket.shutdown().await;
        let mut answer = Vec::new();
        let ended = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut answer)).await;
        assert!(ended.is_ok(), "turn {turn} is still held");
    }
    let mut client = Client::open(&server, "CT1", &[(STUDY_FIND, &[IMPLICIT])], &[], 16_384).await;
    client.ask(CommandSet::new(C_FIND_RQ).number(0x0110, 9).text(0x0002, STUDY_FIND), &data_set).await;
    assert_eq!(client.came().await.command.status, 0);
}

/// A Data Set without end is answered A700 and not kept; then the association goes on.
#[tokio::test]
async fn an_identifier_without_end_is_not_kept() {
    let server = server(|_| ()).await;
    let mut client = Client::open(&server, "CT1", &[(STUDY_FIND, &[IMPLICIT])], &[], 16_384).await;
    let command = || CommandSet::new(C_FIND_RQ).number(0x0110, 9).text(0x0002, STUDY_FIND);
    client.ask(command(), &vec![0; 5 << 20]).await;
    assert_eq!(client.came().await.command.status, 0xA700);
    client.ask(command(), &[]).await;
    assert_eq!(client.came().await.command.status, 0xA900);
}

fn pdus(command: &[u8], data_set: &[u8]) -> Vec<u8> {
    let pdu = |bytes: &[u8], control: u8| {
        let length = bytes.len() as u32;
        let mut out = vec![4, 0];
        out.extend_from_slice(&(length + 6).to_be_bytes());
        out.extend_from_slice(&(length + 2).to_be_bytes());
        out.extend_from_slice(&[1, control]);
        out.extend_from_slice(bytes);
        out
    };
    [pdu(command, 3), pdu(data_set, 2)].concat()
}

/// PS3.8 Table 9-26: an A-ABORT of ours says what was wrong.
#[tokio::test]
async fn an_abort_gives_its_reason() {
    use dicom_ul::pdu::{AbortRQServiceProviderReason as Reason, AbortRQSource, Pdu, read_pdu};
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    let server = server(|_| ()).await;
    let checks: [(&[u8], Reason); 4] = [
        (&[9, 0, 0, 0, 0, 0], Reason::UnrecognizedPdu),
        (&[6, 0, 0, 0, 0, 4, 0, 0, 0, 0], Reason::UnexpectedPdu),
        (&[4, 0, 0, 0, 0, 5, 0, 0, 0, 9, 1], Reason::InvalidPduParameter),
        (&[4, 0, 0, 0, 0, 6, 0, 0, 0, 2, 1, 0], Reason::InvalidPduParameter),
    ];
    for (bytes, expected) in checks {
        let client = Client::open(&server, "CT1", &[(STUDY_FIND, &[IMPLICIT])], &[], 16_384).await;
        let mut socket = client.exchange.connection.into_stream();
        socket.write_all(bytes).await.unwrap();
        socket.flush().await.unwrap();
        let mut answer = Vec::new();
        socket.read_to_end(&mut answer).await.unwrap();
        let aborted = read_pdu(&answer[..], 1 << 16, false).unwrap().unwrap();
        assert_eq!(aborted, Pdu::AbortRQ { source: AbortRQSource::ServiceProvider(expected) }, "{bytes:?}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_a_command_or_an_error(bytes in proptest::collection::vec(proptest::arbitrary::any::<u8>(), 0..300)) {
        // Proves that no bytes of a command set, an Identifier or a text make a panic.
        let _ = Command::read(&bytes, "x");
        for syntax in [IMPLICIT, EXPLICIT] {
            let based = [&b"\x08\0\x52\0CS\x06\0STUDY "[..], &bytes].concat();
            for bytes in [&bytes, &based] {
                if let Ok(identifier) = Identifier::read(bytes, syntax) {
                    let _ = (identifier.keys(), identifier.wanted(Root::Patient, Level::Image));
                }
            }
        }
    }
}
