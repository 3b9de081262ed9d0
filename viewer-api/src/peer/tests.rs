//! What a peer is given, on an archive of hand-made files, before packing and after.

use std::io::Cursor;

use futures::StreamExt;
use transcode::codec::Coders;
use transcode::data_set::{Limits, scan};

use super::*;
use crate::tests::fixture::{EXPLICIT, House, INSTANCE, SERIES, STUDY, file};

const IMPLICIT: &str = "1.2.840.10008.1.2";
const HTJ2K: &str = "1.2.840.10008.1.2.4.202";
const J2K: &str = "1.2.840.10008.1.2.4.90";

fn workstation() -> Principal {
    peer_principal("WS1", "a", true, true)
}

async fn whole(mut stream: DataSetStream) -> Vec<u8> {
    let mut out = Vec::new();
    while let Some(piece) = stream.next().await {
        out.extend_from_slice(&piece.unwrap());
    }
    out
}

/// The Data Set of the received file.
fn sent() -> Vec<u8> {
    let file = file(1, 1, 1);
    let offset = scan(&mut Cursor::new(&file), &Limits::default()).unwrap().data_set_offset;
    file[offset as usize..].to_vec()
}

async fn first(house: &House) -> PeerInstance {
    let request = PeerRequest { studies: vec![STUDY.into()], ..PeerRequest::default() };
    house.state.select_for_peer(&workstation(), &request, 100).await.unwrap().remove(0)
}

#[tokio::test]
async fn an_instance_goes_out_as_held_or_as_received_before_it_is_made_into_anything_else() {
    // Proves the order of transfer syntaxes and that the received Data Set comes out bit for bit.
    let house = House::new().await;
    let instance = first(&house).await;
    assert_eq!(instance.sop_instance_uid, INSTANCE);
    assert_eq!(instance.transfer_syntaxes[..4], [EXPLICIT, IMPLICIT, J2K, HTJ2K]);
    let open = async |instance: &PeerInstance, syntax: &str| {
        whole(house.state.open_for_peer(&workstation(), instance, syntax).await.unwrap()).await
    };
    assert!(open(&instance, EXPLICIT).await == sent());
    house.pack(1, &Coders::default()).await;
    let instance = first(&house).await;
    assert_eq!(instance.transfer_syntaxes[..4], [HTJ2K, EXPLICIT, IMPLICIT, J2K]);
    assert!(open(&instance, EXPLICIT).await == sent(), "rebuilt");
    let held = house.state.reader().find(INSTANCE).await.unwrap().unwrap();
    let part10 = house.state.reader().read(&held, None).await.unwrap();
    assert!(part10.ends_with(&open(&instance, HTJ2K).await), "as held");
    for syntax in [IMPLICIT, J2K] {
        let found = open(&instance, syntax).await;
        assert!(found != sent() && !found.is_empty(), "{syntax}");
    }
    let acts = house.log.of("accessed");
    assert_eq!((acts.len(), &acts[0]["subject"], &acts[0]["rendition"]), (1, &"WS1".into(), &"download".into()));
}

#[tokio::test]
async fn a_retrieval_names_patients_studies_series_or_instances() {
    // Proves what each level selects, that what is not held is left out, and that the limit is kept.
    let house = House::new().await;
    let check = async |patient: &str, studies: &[&str], series: &[&str], instances: &[&str], limit, expected: usize| {
        let list = |uids: &[&str]| uids.iter().map(|uid| (*uid).to_owned()).collect();
        let request = PeerRequest {
            patient_id: patient.into(),
            studies: list(studies),
            series: list(series),
            instances: list(instances),
        };
        let found = house.state.select_for_peer(&workstation(), &request, limit).await.unwrap();
        assert_eq!(found.len(), expected, "{request:?}");
    };
    use crate::tests::fixture::PATIENT_ID;
    check("", &[STUDY], &[], &[], 100, 4).await;
    check("", &[STUDY, "1.2.3"], &[], &[], 100, 4).await;
    check("", &[STUDY], &[SERIES], &[], 100, 2).await;
    check("", &[STUDY], &[SERIES], &[INSTANCE, "1.2.3"], 100, 1).await;
    check("", &[STUDY], &["1.2.3"], &[INSTANCE], 100, 0).await;
    check(PATIENT_ID, &[], &[], &[], 100, 4).await;
    check(PATIENT_ID, &[STUDY], &[], &[], 100, 4).await;
    check("another", &[STUDY], &[], &[], 100, 0).await;
    check("", &[], &[SERIES], &[], 100, 2).await;
    check("", &[], &[], &[INSTANCE], 100, 1).await;
    check("", &[STUDY], &[], &[], 2, 3).await;
}

#[tokio::test]
async fn a_peer_finds_what_it_may_view_and_its_name_is_in_the_audit_but_no_text() {
    let house = House::new().await;
    let keys =
        [Key { path: vec![0x0010_0010], value: "*=山田*".into() }, Key { path: vec![0x0020_1208], value: "".into() }];
    let found =
        house.state.find_for_peer(&workstation(), Level::Study, keys.to_vec(), Matching::default(), 0).await.unwrap();
    assert_eq!((found.answers.len(), found.more), (1, false));
    assert_eq!(found.answers[0]["00201208"]["Value"][0], 4);
    assert_eq!(found.answers[0]["00080056"]["Value"][0], "ONLINE");
    let searched = house.log.of("searched");
    assert_eq!(searched[0]["subject"], "WS1");
    assert!(!searched[0].to_string().contains("山田"));
    assert!(is_peer_key(Level::Study, &[0x0010_0010]) && !is_peer_key(Level::Study, &[0x0008_0060]));
}

#[tokio::test]
async fn a_peer_gets_nothing_it_may_not_have() {
    let house = House::new().await;
    let instance = first(&house).await;
    let nobody = peer_principal("X", "a", false, false);
    let refused = |error: Error| assert!(matches!(error, Error::Forbidden { .. }), "{error}");
    refused(house.state.find_for_peer(&nobody, Level::Study, vec![], Matching::default(), 0).await.unwrap_err());
    refused(house.state.select_for_peer(&nobody, &PeerRequest::default(), 9).await.unwrap_err());
    refused(house.state.open_for_peer(&nobody, &instance, EXPLICIT).await.err().unwrap());
    assert!(house.log.of("accessed").is_empty());
    house.state.deny_peer(&nobody, "C-MOVE").await.unwrap();
    assert_eq!(house.log.of("denied")[0]["needs"], "download");
    house.log.broken.store(true, std::sync::atomic::Ordering::SeqCst);
    let unrecorded = house.state.open_for_peer(&workstation(), &instance, EXPLICIT).await.err().unwrap();
    assert!(matches!(unrecorded, Error::Audit(_)), "{unrecorded}");
}
