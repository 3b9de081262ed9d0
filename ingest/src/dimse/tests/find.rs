//! C-FIND (PS3.4 §C.4.1).

use serde_json::json;
use transcode::data_set::{Tag, VR};

use super::*;
use crate::admit::tags;
use crate::dimse::command::{C_FIND_RQ, CommandSet};
use crate::dimse::elements::Elements;

fn request(class: &str) -> CommandSet {
    CommandSet::new(C_FIND_RQ).number(0x0110, 9).text(0x0002, class).number(0x0700, 0)
}

fn identifier(syntax: &str, values: &[(Tag, VR, &[u8])]) -> Vec<u8> {
    let mut elements = Elements::new(syntax);
    values.iter().for_each(|(tag, vr, value)| elements.value(*tag, *vr, value));
    elements.into_bytes()
}

fn studies(count: usize) -> Vec<serde_json::Map<String, serde_json::Value>> {
    let study = |number: usize| {
        let object = json!({
            "0020000D": { "vr": "UI", "Value": [format!("1.2.{number}")] },
            "00100010": { "vr": "PN", "Value": [{ "Alphabetic": "Yamada^Tarou", "Ideographic": "山田^太郎" }] },
            "00081030": { "vr": "LO", "Value": ["胸部"] },
        });
        object.as_object().unwrap().clone()
    };
    (0..count).map(study).collect()
}

const STUDY_LEVEL: (Tag, VR, &[u8]) = (tags::QUERY_RETRIEVE_LEVEL, VR::CS, b"STUDY");
const ANY_STUDY: (Tag, VR, &[u8]) = (tags::STUDY_INSTANCE_UID, VR::UI, b"");

/// A name asked in ISO 2022 IR 87 is found as Unicode and comes back in ISO 2022 IR 87; every match of several pages is
/// pending, then comes success. In both transfer syntaxes, and to a peer that takes short PDUs only.
#[tokio::test]
async fn matches_come_one_by_one_in_the_set_of_the_request() {
    for (syntax, pdu) in [(IMPLICIT, 16_384), (EXPLICIT, 64)] {
        let server = server(|_| ()).await;
        *server.read_side.answers.lock().unwrap() = studies(25);
        let mut client = Client::open(&server, "CT1", &[(STUDY_FIND, &[syntax])], &[], pdu).await;
        let values: &[(Tag, VR, &[u8])] = &[
            (tags::SPECIFIC_CHARACTER_SET, VR::CS, b"\\ISO 2022 IR 87"),
            STUDY_LEVEL,
            (tags::PATIENT_NAME, VR::PN, b"*=\x1b$B;3ED\x1b(B*"),
            ANY_STUDY,
        ];
        client.ask(request(STUDY_FIND), &identifier(syntax, values)).await;
        let (responses, _) = client.responses(0).await;
        assert_eq!(responses.len(), 26);
        for (number, came) in responses[..25].iter().enumerate() {
            let found = client.read(&came.data_set);
            assert_eq!((came.command.status, came.command.responded_to), (0xFF00, 9));
            assert_eq!(found.text(tags::STUDY_INSTANCE_UID), Some(format!("1.2.{number}")));
            assert_eq!(found.text(tags::PATIENT_NAME).as_deref(), Some("Yamada^Tarou=山田^太郎"));
            assert_eq!(found.text(tags::SPECIFIC_CHARACTER_SET).as_deref(), Some("\\ISO 2022 IR 87"));
            assert_eq!(found.text(tags::RETRIEVE_AE_TITLE).as_deref(), Some("TSUNAGU"));
            assert!(found.data_set.get(tags::STUDY_DESCRIPTION).is_none(), "it was not asked for");
        }
        let last = &responses[25];
        assert_eq!((last.command.status, last.command.has_data_set), (0, false));
        let asked = server.read_side.asked.lock().unwrap().clone();
        let offsets: Vec<u32> = asked.iter().map(|(.., offset)| *offset).collect();
        assert_eq!((asked[0].0, offsets), (Level::Study, vec![0, 10, 20]));
        assert_eq!(asked[0].1[0], Key { path: vec![0x0010_0010], value: "*=山田*".into() });
    }
}

/// PS3.4 Table C.4-1: pending is FF01 where a key is not supported; a level or a hierarchy that is wrong is A900 and names
/// the attribute; a value that cannot be is C000; a SOP class that is not the context's is 0122.
#[tokio::test]
async fn what_is_wrong_with_a_query_is_said() {
    let server = server(|_| ()).await;
    *server.read_side.answers.lock().unwrap() = studies(1);
    let mut client = Client::open(&server, "CT1", &[(STUDY_FIND, &[IMPLICIT])], &[], 16_384).await;
    let mut check = async |class: &str, values: &[(Tag, VR, &[u8])], statuses: &[u16], offending: Option<u16>| {
        client.ask(request(class), &identifier(IMPLICIT, values)).await;
        let (responses, _) = client.responses(0).await;
        let found: Vec<u16> = responses.iter().map(|came| came.command.status).collect();
        assert_eq!(found, statuses);
        assert_eq!(responses.last().unwrap().number(0x0901), offending);
    };
    check(STUDY_FIND, &[STUDY_LEVEL, ANY_STUDY], &[0xFF00, 0], None).await;
    let unsupported: (Tag, VR, &[u8]) = (tags::REFERRING_PHYSICIAN_NAME, VR::PN, b"x");
    check(STUDY_FIND, &[STUDY_LEVEL, unsupported, ANY_STUDY], &[0xFF01, 0], None).await;
    check(STUDY_FIND, &[ANY_STUDY], &[0xA900], Some(0x0008)).await;
    check(STUDY_FIND, &[(tags::QUERY_RETRIEVE_LEVEL, VR::CS, b"SERIES")], &[0xA900], Some(0x0020)).await;
    check(STUDY_FIND, &[(tags::STUDY_DATE, VR::DA, b"bad"), STUDY_LEVEL], &[0xC000], None).await;
    check(PATIENT_FIND, &[STUDY_LEVEL], &[0x0122], None).await;
}

/// PS3.4 §C.4.1.3: C-CANCEL ends the matches with FE00, and the association goes on.
#[tokio::test]
async fn a_query_can_be_cancelled() {
    let server = server(|_| ()).await;
    *server.read_side.answers.lock().unwrap() = studies(200_000);
    let mut client = Client::open(&server, "CT1", &[(STUDY_FIND, &[IMPLICIT])], &[], 16_384).await;
    client.ask(request(STUDY_FIND), &identifier(IMPLICIT, &[STUDY_LEVEL, ANY_STUDY])).await;
    let _ = client.came().await;
    client.cancel(8).await;
    client.cancel(9).await;
    let (responses, _) = client.responses(0).await;
    assert_eq!(responses.last().unwrap().command.status, 0xFE00);
    assert!(responses.len() < 150_000, "{}", responses.len());
    server.read_side.answers.lock().unwrap().clear();
    client.cancel(9).await;
    client.ask(request(STUDY_FIND), &identifier(IMPLICIT, &[STUDY_LEVEL])).await;
    assert_eq!(client.responses(0).await.0[0].command.status, 0);
}

/// Store, query, retrieve and commit are permitted separately: what is not is answered 0124 and recorded.
#[tokio::test]
async fn what_an_ae_may_not_do_is_refused_and_recorded() {
    use crate::dimse::command::{C_MOVE_RQ, C_STORE_RQ};
    let server = server(|_| ()).await;
    for (class, field, act) in
        [(STUDY_FIND, C_FIND_RQ, "C-FIND"), (STUDY_MOVE, C_MOVE_RQ, "C-MOVE"), (CT, C_STORE_RQ, "C-STORE")]
    {
        let mut client = Client::open(&server, "CT3", &[(class, &[IMPLICIT])], &[], 16_384).await;
        let command = CommandSet::new(field).number(0x0110, 9).text(0x0002, class).text(0x1000, "1.2.3");
        client.ask(command, &identifier(IMPLICIT, &[STUDY_LEVEL])).await;
        assert_eq!(client.came().await.command.status, 0x0124);
        assert_eq!(server.read_side.denied.lock().unwrap().pop(), Some(("CT3".to_owned(), act)));
    }
    assert!(server.read_side.asked.lock().unwrap().is_empty() && server.gate.files().is_empty());
}
