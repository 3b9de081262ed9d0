//! Storage commitment (PS3.4 Annex J), on a real archive.

use archive::{EventLog, Origin};
use datasets::{File, Kind, Scale, Study};
use dicom_ul::pdu::{
    AssociationAC, Pdu, PresentationContextResult, PresentationContextResultReason, RequestorRoles, UserVariableItem,
};
use transcode::data_set::{Limits, VR};

use super::*;
use crate::admit::tags;
use crate::dimse::command::{CommandSet, N_ACTION_RQ, N_EVENT_REPORT_RQ};
use crate::dimse::elements::Elements;
use crate::dimse::exchange::Exchange;
use crate::dimse::identifier::Identifier;
use crate::dimse::negotiate::APPLICATION_CONTEXT;
use crate::dimse::pdu::Incoming;
use crate::dimse::service::{STORAGE_COMMITMENT, STORAGE_COMMITMENT_INSTANCE};
use crate::door::Received;
use crate::{Gate, Intake};

const OTHER_CLASS: &str = "1.2.840.10008.5.1.4.1.1.7";

/// An archive with two instances, and what commits them.
struct House {
    files: Vec<File>,
    classes: Vec<String>,
    reader: archive::Reader,
    dir: tempfile::TempDir,
    _writer: archive::Writer,
}

impl House {
    async fn new() -> House {
        let dir = tempfile::tempdir().unwrap();
        let (writer, reader) = archive::open(dir.path(), archive::Settings::default()).await.unwrap();
        let intake = Intake::new(writer.clone(), reader.clone(), Limits::default());
        let files: Vec<File> = Study::new(Kind::ChestCt, 5, Scale::Small, 1).files().take(2).collect();
        let mut classes = Vec::new();
        for file in &files {
            let mut receiving = crate::Receiver::new(Default::default(), dir.path()).open(None);
            receiving.write(file.bytes.clone().into()).await.unwrap();
            let received: Received = receiving.finish().await.unwrap();
            let origin =
                Origin { centre: "north".into(), received_at: "2026-11-23T00:00:00Z".into(), ..Origin::default() };
            intake.take_in(origin, received).await.unwrap();
            let held = reader.find(&file.sop_instance_uid).await.unwrap().unwrap();
            classes.push(held.record.description.instance.sop_class_uid.clone());
        }
        House { files, classes, reader, dir, _writer: writer }
    }

    fn log(&self) -> Arc<EventLog> {
        Arc::new(EventLog::open(&self.dir.path().join("events/commitments.jsonl")).unwrap())
    }

    /// A door whose CT1 is at `port`, if it has one.
    async fn serve(&self, port: Option<u16>) -> Server {
        let mut known = peers();
        known[0].address = port.map(|port| ("127.0.0.1".to_owned(), port));
        let peers = Arc::new(Peers::new(known, None));
        let (reader, log, now) = (self.reader.clone(), self.log(), Arc::new(|| "2026-11-23T00:00:00Z".to_owned()));
        let limits = DimseLimits { idle_s_max: 5, ..DimseLimits::default() };
        let (transport, soon) = (Arc::new(PlainTransport), Duration::from_millis(50));
        let commitments =
            Commitments::start_with(reader, log, now, peers.clone(), transport, "TSUNAGU", limits, soon).unwrap();
        server(|dimse| (dimse.peers, dimse.commitments) = (peers, Some(commitments))).await
    }

    /// The kinds of events logged so far, once there are `count`.
    async fn logged(&self, count: usize) -> Vec<String> {
        for _ in 0..200 {
            let events: Vec<_> = self.log().read_from(1).map(|logged| logged.unwrap().event).collect();
            if events.len() >= count {
                return events.iter().map(|event| event["event"].as_str().unwrap().to_owned()).collect();
            }
            tokio::time::sleep(Duration::from_millis(25)).await;
        }
        panic!("{count} events were not logged");
    }

    fn action(&self, transaction: &str, more: &[(&str, &str)]) -> Vec<u8> {
        let held =
            self.classes.iter().zip(&self.files).map(|(class, file)| (class.as_str(), file.sop_instance_uid.as_str()));
        information(transaction, &held.chain(more.iter().copied()).collect::<Vec<_>>())
    }
}

fn information(transaction: &str, instances: &[(&str, &str)]) -> Vec<u8> {
    let mut elements = Elements::new(IMPLICIT);
    elements.text(tags::TRANSACTION_UID, VR::UI, transaction);
    let empty = elements.item();
    elements.sequence(
        tags::REFERENCED_SOP_SEQUENCE,
        instances.iter().map(|(class, instance)| {
            let mut item = empty.clone();
            item.text(tags::REFERENCED_SOP_CLASS_UID, VR::UI, class);
            item.text(tags::REFERENCED_SOP_INSTANCE_UID, VR::UI, instance);
            item
        }),
    );
    elements.into_bytes()
}

fn request(action: u16, instance: &str) -> CommandSet {
    let set = CommandSet::new(N_ACTION_RQ).number(0x0110, 3).text(0x0003, STORAGE_COMMITMENT).text(0x1001, instance);
    set.number(0x1008, action)
}

async fn client(server: &Server) -> Client {
    Client::open(server, "CT1", &[(STORAGE_COMMITMENT, &[IMPLICIT])], &[], 16_384).await
}

async fn ask(client: &mut Client, data_set: &[u8]) {
    client.ask(request(1, STORAGE_COMMITMENT_INSTANCE), data_set).await;
    let answer = client.came().await;
    assert_eq!((answer.command.field, answer.command.status, answer.command.responded_to), (0x8130, 0, 3));
}

/// Event type, Transaction UID, how many are committed, and the reasons of the others.
fn outcome(event_type: Option<u16>, data_set: &[u8]) -> (u16, String, usize, Vec<i64>) {
    let found = Identifier::read(data_set, IMPLICIT).unwrap();
    let failed = found.data_set.items(tags::FAILED_SOP_SEQUENCE).iter();
    let reasons = failed.map(|item| item.data_set.int(tags::FAILURE_REASON).unwrap()).collect();
    let committed = found.data_set.items(tags::REFERENCED_SOP_SEQUENCE).len();
    (event_type.unwrap(), found.text(tags::TRANSACTION_UID).unwrap(), committed, reasons)
}

async fn report(client: &mut Client) -> (u16, String, usize, Vec<i64>) {
    let came = client.came().await;
    assert_eq!(
        (came.command.field, came.command.sop_instance_uid.as_str()),
        (N_EVENT_REPORT_RQ, STORAGE_COMMITMENT_INSTANCE)
    );
    client.exchange.send(came.context_id, &came.command.response(0, ""), None).await.unwrap();
    outcome(came.number(0x1002), &came.data_set)
}

/// The report comes on the association of the request while that is open: what is held and sound is committed, what is
/// not held fails with 0112, what is held as another class with 0119.
#[tokio::test]
async fn the_outcome_is_reported_on_the_same_association() {
    let house = House::new().await;
    let server = house.serve(None).await;
    let mut client = client(&server).await;
    ask(&mut client, &house.action("1.2.1", &[])).await;
    assert_eq!(report(&mut client).await, (1, "1.2.1".to_owned(), 2, vec![]));
    let wrong = [(OTHER_CLASS, house.files[0].sop_instance_uid.as_str()), (CT, "1.2.3.4")];
    ask(&mut client, &house.action("1.2.2", &wrong)).await;
    assert_eq!(report(&mut client).await, (2, "1.2.2".to_owned(), 2, vec![0x0119, 0x0112]));
    assert_eq!(house.logged(4).await, ["requested", "reported", "requested", "reported"]);
}

/// Commitment means that the bytes were read again and hashed: one flipped bit on the disk is 0110.
#[tokio::test]
async fn commitment_means_the_bytes_were_read_again() {
    use std::os::unix::fs::FileExt;
    let house = House::new().await;
    let server = house.serve(None).await;
    let segment = std::fs::read_dir(house.reader.layout().intake()).unwrap().next().unwrap().unwrap().path();
    let bytes = std::fs::read(&segment).unwrap();
    let (second, tail) = (&house.files[1].bytes, house.files[1].bytes.len() - 3);
    let at = bytes.windows(second.len()).position(|window| window == second.as_slice()).unwrap() + tail;
    let file = std::fs::OpenOptions::new().write(true).open(&segment).unwrap();
    file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
    let mut client = client(&server).await;
    ask(&mut client, &house.action("1.2.1", &[])).await;
    assert_eq!(report(&mut client).await, (2, "1.2.1".to_owned(), 1, vec![0x0110]));
}

/// A Transaction UID that is in use is reported with 0131 for each instance; the first request stays as it is.
#[tokio::test]
async fn a_transaction_uid_in_use_is_reported() {
    let house = House::new().await;
    let server = house.serve(None).await;
    let mut client = client(&server).await;
    ask(&mut client, &house.action("1.2.1", &[])).await;
    let first = client.came().await;
    assert_eq!(first.command.field, N_EVENT_REPORT_RQ);
    ask(&mut client, &house.action("1.2.1", &[])).await;
    client.exchange.send(first.context_id, &first.command.response(0, ""), None).await.unwrap();
    assert_eq!(report(&mut client).await, (2, "1.2.1".to_owned(), 0, vec![0x0131, 0x0131]));
    assert_eq!(outcome(first.number(0x1002), &first.data_set), (1, "1.2.1".to_owned(), 2, vec![]));
}

/// PS3.7 §10.1.4: another action is 0123, another instance 0112, information without instances 0115.
#[tokio::test]
async fn what_is_wrong_with_an_action_is_said() {
    let house = House::new().await;
    let server = house.serve(None).await;
    let mut client = client(&server).await;
    let mut check = async |command: CommandSet, data_set: Vec<u8>, status| {
        client.ask(command, &data_set).await;
        assert_eq!(client.came().await.command.status, status);
    };
    check(request(2, STORAGE_COMMITMENT_INSTANCE), house.action("1.2.1", &[]), 0x0123).await;
    check(request(1, "1.2.3"), house.action("1.2.1", &[]), 0x0112).await;
    check(request(1, STORAGE_COMMITMENT_INSTANCE), information("1.2.1", &[]), 0x0115).await;
    check(request(1, STORAGE_COMMITMENT_INSTANCE), information("", &[(CT, "1.2")]), 0x0115).await;
    check(request(1, STORAGE_COMMITMENT_INSTANCE), information("1.2.1", &[("", "1.2")]), 0x0115).await;
    check(request(1, STORAGE_COMMITMENT_INSTANCE), b"\x08\x00\x18\x00\xFF\xFF\xFF\x7Fnonsense".to_vec(), 0x0115).await;
}

/// A peer whose association is gone is called at its address, this program being the SCP by role selection (PS3.4
/// §J.3.3); a call that fails is tried again.
#[tokio::test]
async fn the_outcome_is_reported_on_an_association_of_our_own() {
    let house = House::new().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let server = house.serve(Some(listener.local_addr().unwrap().port())).await;
    let mut client = client(&server).await;
    ask(&mut client, &house.action("1.2.1", &[(CT, "1.2.3.4")])).await;
    drop(client);
    drop(listener.accept().await.unwrap());
    let (socket, _) = listener.accept().await.unwrap();
    let idle = Duration::from_secs(10);
    let mut connection = Connection::new(Box::new(socket), "archive".into(), idle, 256 << 10);
    let Incoming::Control(Pdu::AssociationRQ(asked)) = connection.next().await.unwrap() else { panic!() };
    assert_eq!((asked.calling_ae_title.trim(), asked.called_ae_title.trim()), ("TSUNAGU", "CT1"));
    let role = UserVariableItem::ScuScpRoleSelectionSubItem(
        STORAGE_COMMITMENT.into(),
        RequestorRoles { scu: false, scp: true },
    );
    assert!(asked.user_variables.contains(&role));
    let accepted = AssociationAC {
        protocol_version: 1,
        calling_ae_title: asked.calling_ae_title,
        called_ae_title: asked.called_ae_title,
        application_context_name: APPLICATION_CONTEXT.into(),
        presentation_contexts: vec![PresentationContextResult {
            id: asked.presentation_contexts[0].id,
            reason: PresentationContextResultReason::Acceptance,
            transfer_syntax: IMPLICIT.into(),
        }],
        user_variables: vec![UserVariableItem::MaxLength(16_384), role],
    };
    connection.send(&accepted.into()).await.unwrap();
    let mut client = Client::on(Exchange::new(connection, &[]), IMPLICIT);
    assert_eq!(report(&mut client).await, (2, "1.2.1".to_owned(), 2, vec![0x0112]));
    assert_eq!(house.logged(2).await, ["requested", "reported"]);
}

/// What is owed when the program ends is owed when it starts again; a peer without an address is told when it associates.
#[tokio::test]
async fn what_is_owed_outlives_the_program() {
    let house = House::new().await;
    let first = house.serve(None).await;
    let mut asking = client(&first).await;
    ask(&mut asking, &house.action("1.2.1", &[])).await;
    let _ = asking.came().await;
    // Not answered: it does not count as told.
    drop(asking);
    first.serving.abort();
    assert_eq!(house.logged(1).await, ["requested"]);
    let second = house.serve(None).await;
    let mut later = client(&second).await;
    assert_eq!(report(&mut later).await, (1, "1.2.1".to_owned(), 2, vec![]));
    assert_eq!(house.logged(2).await, ["requested", "reported"]);
}
