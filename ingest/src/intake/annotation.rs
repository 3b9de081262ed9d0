//! What a reader may store: annotations of a study that is held, of the same person. Everything else is refused and leaves
//! nothing behind, not even in quarantine, which operators look through.

use archive::{Column, Description, Match, Query, Test};

use crate::door::Refusal;

/// SOP Classes of what people say of images (PS3.4 §B.5).
const ANNOTATIONS: [&str; 9] = [
    "1.2.840.10008.5.1.4.1.1.88.11", // Basic Text SR
    "1.2.840.10008.5.1.4.1.1.88.22", // Enhanced SR
    "1.2.840.10008.5.1.4.1.1.88.33", // Comprehensive SR
    "1.2.840.10008.5.1.4.1.1.88.34", // Comprehensive 3D SR
    "1.2.840.10008.5.1.4.1.1.88.59", // Key Object Selection Document
    "1.2.840.10008.5.1.4.1.1.11.1",  // Grayscale Softcopy Presentation State
    "1.2.840.10008.5.1.4.1.1.11.2",  // Color Softcopy Presentation State
    "1.2.840.10008.5.1.4.1.1.11.3",  // Pseudo-Color Softcopy Presentation State
    "1.2.840.10008.5.1.4.1.1.11.4",  // Blending Softcopy Presentation State
];

/// Refuses what is no annotation of a held study. Where the file names no issuer of its Patient ID, the study's person
/// stands: the reader's own centre says nothing of whose images these are.
pub(super) async fn check(reader: &archive::Reader, description: &mut Description) -> Result<(), Refusal> {
    if !ANNOTATIONS.contains(&description.instance.sop_class_uid.as_str()) {
        return refuse("only measurement reports, presentation states and key object selections may be stored");
    }
    let study = Test::Match(Match::Single(description.study.study_instance_uid.clone()));
    let query = Query { terms: vec![(Column::StudyInstanceUid, study)], limit: 1, ..Query::default() };
    let found = reader.search_studies(query).await.map_err(super::refusal)?;
    let Some(held) = found.first().map(|row| &row.attributes.patient) else {
        return refuse("the study it is of is not held here");
    };
    let said = &mut description.study.patient;
    if said.issuer_of_patient_id.is_empty() {
        said.issuer_of_patient_id.clone_from(&held.issuer_of_patient_id);
    }
    match (&said.patient_id, &said.issuer_of_patient_id) == (&held.patient_id, &held.issuer_of_patient_id) {
        true => Ok(()),
        false => refuse("its study is of another person than it says"),
    }
}

fn refuse(why: &str) -> Result<(), Refusal> {
    Err(Refusal::NotPermitted(why.into()))
}
