//! C-MOVE and C-GET (PS3.4 §C.4.2, §C.4.3).

use transcode::data_set::{Tag, VR};

use super::fake_read_side::data_set;
use super::*;
use crate::admit::tags;
use crate::dimse::command::{C_GET_RQ, C_MOVE_RQ, CommandSet};
use crate::dimse::elements::Elements;

fn instance(class: &str, uid: &str, syntaxes: &[&str]) -> Instance {
    Instance {
        study_instance_uid: "1.2".into(),
        series_instance_uid: "1.2.3".into(),
        sop_instance_uid: uid.into(),
        sop_class_uid: class.into(),
        transfer_syntaxes: syntaxes.iter().map(|uid| (*uid).into()).collect(),
    }
}

fn study() -> Vec<u8> {
    let mut elements = Elements::new(IMPLICIT);
    elements.text(tags::QUERY_RETRIEVE_LEVEL, VR::CS, "STUDY");
    elements.text(tags::STUDY_INSTANCE_UID, VR::UI, "1.2");
    elements.into_bytes()
}

fn move_to(destination: &str) -> CommandSet {
    CommandSet::new(C_MOVE_RQ).number(0x0110, 9).text(0x0002, STUDY_MOVE).text(0x0600, destination).number(0x0700, 1)
}

fn get() -> CommandSet {
    CommandSet::new(C_GET_RQ).number(0x0110, 9).text(0x0002, STUDY_GET).number(0x0700, 0)
}

/// The counts of a response: remaining, completed, failed, warning.
fn counts(came: &client::Came) -> [Option<u16>; 4] {
    [0x1020, 0x1021, 0x1022, 0x1023].map(|element| came.number(element))
}

fn uids(client: &Client, data_set: &[u8], tag: Tag) -> String {
    client.read(data_set).text(tag).unwrap_or_default()
}

/// A server whose C-MOVE destination WS1 is another one of ours.
async fn with_destination(change: impl FnOnce(&mut Peer)) -> (Server, Server) {
    let destination = server(|dimse| {
        let known = Peer { ae_title: "TSUNAGU".into(), centre: "moved".into(), roles: ALL, ..Peer::default() };
        dimse.peers = Arc::new(Peers::new([known], None));
        dimse.ae_title = Some("WS1".into());
    })
    .await;
    let address = Some(("127.0.0.1".to_owned(), destination.address.port()));
    let mut peer = Peer { ae_title: "WS1".into(), address, ..Peer::default() };
    change(&mut peer);
    let moving = server(|dimse| dimse.peers = Arc::new(Peers::new(peers().into_iter().chain([peer]), None))).await;
    (moving, destination)
}

/// Every instance arrives at the destination, byte for byte, in the best transfer syntax it takes; after each a pending
/// response with its counts, then success.
#[tokio::test]
async fn a_study_is_moved() {
    let (server, destination) = with_destination(|_| ()).await;
    let instances = [
        instance(CT, "1.1", &[HTJ2K, EXPLICIT, IMPLICIT]),
        instance(MR, "1.2", &[EXPLICIT, IMPLICIT]),
        instance(CT, "1.3", &[HTJ2K, EXPLICIT, IMPLICIT]),
    ];
    *server.read_side.instances.lock().unwrap() = instances.to_vec();
    let mut client = Client::open(&server, "CT1", &[(STUDY_MOVE, &[IMPLICIT])], &[], 16_384).await;
    client.ask(move_to("WS1"), &study()).await;
    let (responses, _) = client.responses(0).await;
    let found: Vec<_> = responses.iter().map(|came| (came.command.status, counts(came))).collect();
    let expected = [
        (0xFF00, [Some(2), Some(1), Some(0), Some(0)]),
        (0xFF00, [Some(1), Some(2), Some(0), Some(0)]),
        (0, [None, Some(3), Some(0), Some(0)]),
    ];
    assert_eq!(found, expected);
    assert_eq!(server.read_side.wanted.lock().unwrap()[0].studies, ["1.2"]);
    let opened = server.read_side.opened.lock().unwrap().clone();
    let expected = [("1.1", HTJ2K), ("1.2", EXPLICIT), ("1.3", HTJ2K)];
    assert_eq!(opened, expected.map(|(uid, syntax)| (uid.to_owned(), syntax.to_owned())));
    let handed = destination.gate.handed.lock().unwrap().clone();
    assert_eq!(handed.len(), 3);
    for one in handed {
        assert!(one.bytes.ends_with(&data_set(&one.origin.file)));
        assert_eq!(one.origin.centre, "moved");
    }
}

/// A destination that takes some transfer syntaxes only is offered those, and Implicit VR Little Endian.
#[tokio::test]
async fn a_destination_is_offered_what_it_takes() {
    let (server, _destination) = with_destination(|peer| peer.transfer_syntaxes = vec![EXPLICIT.into()]).await;
    let instances = [instance(CT, "1.1", &[HTJ2K, EXPLICIT, IMPLICIT]), instance(CT, "1.2", &[HTJ2K])];
    *server.read_side.instances.lock().unwrap() = instances.to_vec();
    let mut client = Client::open(&server, "CT1", &[(STUDY_MOVE, &[IMPLICIT])], &[], 16_384).await;
    client.ask(move_to("WS1"), &study()).await;
    let last = client.responses(0).await.0.pop().unwrap();
    assert_eq!((last.command.status, counts(&last)), (0xB000, [None, Some(1), Some(1), Some(0)]));
    assert_eq!(uids(&client, &last.data_set, tags::FAILED_SOP_INSTANCE_UID_LIST), "1.2");
    assert_eq!(server.read_side.opened.lock().unwrap()[0].1, EXPLICIT);
}

/// PS3.4 Table C.4-2: an unknown destination is A801; one that cannot be reached is A702 with all UIDs; no match is 0000;
/// a damaged instance costs itself only.
#[tokio::test]
async fn what_cannot_be_moved_is_said() {
    let (server, destination) = with_destination(|_| ()).await;
    let mut client = Client::open(&server, "CT1", &[(STUDY_MOVE, &[IMPLICIT])], &[], 16_384).await;
    client.ask(move_to("NOBODY"), &study()).await;
    assert_eq!(client.came().await.command.status, 0xA801);
    client.ask(move_to("CT3"), &study()).await;
    assert_eq!(client.came().await.command.status, 0xA801, "its address is not known");
    client.ask(move_to("WS1"), &study()).await;
    let none = client.came().await;
    assert_eq!((none.command.status, counts(&none)), (0, [None, Some(0), Some(0), Some(0)]));
    *server.read_side.instances.lock().unwrap() =
        vec![instance(CT, "6.6", &[IMPLICIT]), instance(CT, "1.1", &[IMPLICIT])];
    client.ask(move_to("WS1"), &study()).await;
    let last = client.responses(0).await.0.pop().unwrap();
    assert_eq!((last.command.status, counts(&last)), (0xB000, [None, Some(1), Some(1), Some(0)]));
    destination.serving.abort();
    let _ = destination.serving.await;
    client.ask(move_to("WS1"), &study()).await;
    let last = client.responses(0).await.0.pop().unwrap();
    assert_eq!((last.command.status, counts(&last)), (0xA702, [None, Some(0), Some(2), Some(0)]));
    assert_eq!(uids(&client, &last.data_set, tags::FAILED_SOP_INSTANCE_UID_LIST), "6.6\\1.1");
}

/// C-GET brings instances on the same association, on contexts that role selection made it the SCP of; in HTJ2K where
/// that was agreed on. What fits no context fails.
#[tokio::test]
async fn a_study_is_got_on_the_same_association() {
    let server = server(|_| ()).await;
    let instances = [
        instance(CT, "1.1", &[HTJ2K, EXPLICIT, IMPLICIT]),
        instance(MR, "1.2", &[HTJ2K, EXPLICIT, IMPLICIT]),
        instance(PRIVATE, "1.3", &[EXPLICIT]),
    ];
    *server.read_side.instances.lock().unwrap() = instances.to_vec();
    let contexts: &[(&str, &[&str])] =
        &[(STUDY_GET, &[IMPLICIT]), (CT, &[IMPLICIT, HTJ2K]), (MR, &[IMPLICIT]), (PRIVATE, &[EXPLICIT])];
    // PRIVATE is proposed without role selection: instances of it are not sent.
    let mut client = Client::open(&server, "CT1", contexts, &[CT, MR], 200).await;
    let roles = client
        .user_variables
        .iter()
        .filter(|v| matches!(v, dicom_ul::pdu::UserVariableItem::ScuScpRoleSelectionSubItem(..)));
    assert_eq!(roles.count(), 2);
    client.ask(get(), &study()).await;
    let (mut responses, stored) = client.responses(0).await;
    let last = responses.pop().unwrap();
    assert_eq!((last.command.status, counts(&last)), (0xB000, [None, Some(2), Some(1), Some(0)]));
    assert_eq!(uids(&client, &last.data_set, tags::FAILED_SOP_INSTANCE_UID_LIST), "1.3");
    assert_eq!((responses.len(), stored.len()), (2, 2));
    for (came, context_id) in stored.iter().zip([3, 5]) {
        assert!(came.data_set == data_set(&came.command.sop_instance_uid), "byte for byte");
        assert_eq!((came.context_id, came.number(0x1031)), (context_id, None));
    }
    assert_eq!(client.contexts[1].transfer_syntax, HTJ2K);
    // What the peer refuses is counted as failed, what it warns of as a warning.
    for (answer, expected, status) in
        [(0xA700, [None, Some(0), Some(3), Some(0)], 0xA702), (0xB007, [None, Some(0), Some(1), Some(2)], 0xB000)]
    {
        client.ask(get(), &study()).await;
        let last = client.responses(answer).await.0.pop().unwrap();
        assert_eq!((last.command.status, counts(&last)), (status, expected));
    }
}

/// PS3.4 §C.4.3.3: C-CANCEL between sub-operations ends them with FE00 and the counts so far.
#[tokio::test]
async fn a_retrieval_can_be_cancelled() {
    let server = server(|_| ()).await;
    let instances: Vec<_> = (0..5_000).map(|n| instance(CT, &format!("1.{n}"), &[IMPLICIT])).collect();
    *server.read_side.instances.lock().unwrap() = instances;
    let contexts: &[(&str, &[&str])] = &[(STUDY_GET, &[IMPLICIT]), (CT, &[IMPLICIT])];
    let mut client = Client::open(&server, "CT1", contexts, &[CT], 16_384).await;
    client.ask(get(), &study()).await;
    let first = client.came().await;
    client.cancel(9).await;
    client.exchange.send(first.context_id, &first.command.response(0, ""), None).await.unwrap();
    let (responses, stored) = client.responses(0).await;
    let last = responses.last().unwrap();
    assert_eq!(last.command.status, 0xFE00);
    let [Some(remaining), Some(completed), ..] = counts(last) else { panic!("no counts") };
    assert_eq!((usize::from(completed), usize::from(remaining + completed)), (stored.len() + 1, 5_000));
    assert!(remaining > 4_000);
}

/// A peer that goes away while it is being answered is let go; the others are not disturbed.
#[tokio::test]
async fn a_peer_that_goes_away_in_a_retrieval_is_let_go() {
    let server = server(|dimse| dimse.limits.associations_max = 1).await;
    let instances: Vec<_> = (0..1_000).map(|n| instance(CT, &format!("1.{n}"), &[IMPLICIT])).collect();
    *server.read_side.instances.lock().unwrap() = instances;
    let contexts: &[(&str, &[&str])] = &[(STUDY_GET, &[IMPLICIT]), (CT, &[IMPLICIT])];
    let mut client = Client::open(&server, "CT1", contexts, &[CT], 16_384).await;
    client.ask(get(), &study()).await;
    let _ = client.came().await;
    drop(client);
    tokio::time::sleep(Duration::from_millis(300)).await;
    let _ = Client::open(&server, "CT1", contexts, &[CT], 16_384).await;
}
