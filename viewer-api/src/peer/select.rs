//! The instances that a retrieval names (PS3.4 §C.4.2.2, §C.4.3.2).

use archive::{Held, HeldForm};
use transcode::outgoing::can_become;

use super::{PAGE, PeerInstance, PeerRequest, permitted};
use crate::access::{Permission, Principal};
use crate::error::Result;
use crate::find::{Include, Key, Level};
use crate::state::ViewerState;

const PATIENT_ID: u32 = 0x0010_0020;
const SERIES_INSTANCE_UID: u32 = 0x0020_000E;
/// What instances are made into where a peer takes them neither as held nor as received: native, then lossless.
const MADE_INTO: [&str; 5] = [
    "1.2.840.10008.1.2.1",
    "1.2.840.10008.1.2",
    "1.2.840.10008.1.2.4.90",
    "1.2.840.10008.1.2.4.202",
    "1.2.840.10008.1.2.4.201",
];

impl ViewerState {
    /// The instances a retrieval names, at most `limit` and one. What is not held is left out, as PS3.4 §C.4.2.1 wants.
    ///
    /// # Errors
    /// [`Error::Forbidden`](crate::Error::Forbidden), or what the archive and the audit answer.
    pub async fn select_for_peer(
        &self,
        principal: &Principal,
        request: &PeerRequest,
        limit: usize,
    ) -> Result<Vec<PeerInstance>> {
        permitted(principal, Permission::Download)?;
        let is_of = |held: &Held| {
            let patient = &held.record.description.study.patient;
            request.patient_id.is_empty() || patient.patient_id == request.patient_id
        };
        let mut out = Vec::new();
        for place in self.places(principal, request).await? {
            let found = self.at_place(&place).await?;
            out.extend(found.iter().filter(|held| is_of(held)).map(peer_instance));
            if out.len() > limit {
                out.truncate(limit + 1);
                break;
            }
        }
        Ok(out)
    }

    async fn at_place(&self, place: &Place) -> Result<Vec<Held>> {
        let reader = self.reader();
        Ok(match place {
            Place::Study(study) => reader.instances(study, None).await?,
            Place::Series(study, series) => reader.instances(study, Some(series)).await?,
            Place::Instance(above, uid) => {
                let found = reader.find(uid).await?;
                found.into_iter().filter(|held| above.iter().all(|above| above.holds(held))).collect()
            }
        })
    }

    /// Where the instances are, from the levels that are named. Without those above (relational retrieval) they are
    /// looked up.
    async fn places(&self, principal: &Principal, request: &PeerRequest) -> Result<Vec<Place>> {
        let of_series = |study: &String| {
            let study = study.clone();
            request.series.iter().map(move |series| Place::Series(study.clone(), series.clone()))
        };
        if !request.instances.is_empty() {
            let above = request.series.first().map(|series| Above {
                study: request.studies.first().cloned().unwrap_or_default(),
                series: series.clone(),
            });
            return Ok(request.instances.iter().map(|uid| Place::Instance(above.clone(), uid.clone())).collect());
        }
        if !request.series.is_empty() && request.studies.is_empty() {
            return self.series_anywhere(principal, &request.series).await;
        }
        if !request.series.is_empty() {
            return Ok(request.studies.iter().flat_map(of_series).collect());
        }
        if !request.studies.is_empty() {
            return Ok(request.studies.iter().cloned().map(Place::Study).collect());
        }
        self.studies_of_patient(principal, &request.patient_id).await
    }

    async fn studies_of_patient(&self, principal: &Principal, patient_id: &str) -> Result<Vec<Place>> {
        let key = Key { path: vec![PATIENT_ID], value: patient_id.to_owned() };
        let found = self.all_matches(principal, Level::Study, key).await?;
        Ok(found.into_iter().map(|(study, _)| Place::Study(study)).collect())
    }

    async fn series_anywhere(&self, principal: &Principal, series: &[String]) -> Result<Vec<Place>> {
        let key = Key { path: vec![SERIES_INSTANCE_UID], value: series.join("\\") };
        let found = self.all_matches(principal, Level::Series, key).await?;
        Ok(found.into_iter().map(|(study, series)| Place::Series(study, series)).collect())
    }

    /// Study and Series Instance UID of every match.
    async fn all_matches(&self, principal: &Principal, level: Level, key: Key) -> Result<Vec<(String, String)>> {
        let (keys, include, mut out) = ([key], Include::default(), Vec::new());
        loop {
            let offset = u32::try_from(out.len()).unwrap_or(u32::MAX);
            let found = self.find(principal, level, &keys, &include, PAGE, offset).await?;
            let uid = |answer: &serde_json::Map<String, serde_json::Value>, tag: &str| {
                let value = answer.get(tag).and_then(|element| element.get("Value")?.get(0)?.as_str());
                value.unwrap_or_default().to_owned()
            };
            out.extend(found.answers.iter().map(|answer| (uid(answer, "0020000D"), uid(answer, "0020000E"))));
            if !found.more || found.answers.is_empty() {
                return Ok(out);
            }
        }
    }
}

enum Place {
    Study(String),
    Series(String, String),
    Instance(Option<Above>, String),
}

/// What an instance has to be of; an empty UID is any.
#[derive(Clone)]
struct Above {
    study: String,
    series: String,
}

impl Above {
    fn holds(&self, held: &Held) -> bool {
        let of = &held.record.description;
        (self.study.is_empty() || of.study.study_instance_uid == self.study)
            && of.series.series_instance_uid == self.series
    }
}

fn peer_instance(held: &Held) -> PeerInstance {
    let of = &held.record.description;
    PeerInstance {
        study_instance_uid: of.study.study_instance_uid.clone(),
        series_instance_uid: of.series.series_instance_uid.clone(),
        sop_instance_uid: of.instance.sop_instance_uid.clone(),
        sop_class_uid: of.instance.sop_class_uid.clone(),
        transfer_syntaxes: transfer_syntaxes(held),
    }
}

fn transfer_syntaxes(held: &Held) -> Vec<String> {
    let of = &held.record.description.instance;
    let mut out = vec![held.transfer_syntax_uid.clone()];
    if held.form == HeldForm::Packed {
        out.push(of.transfer_syntax_uid.clone());
    }
    // What has no pixels has no codestreams.
    let made_into = if of.number_of_frames == 0 { &MADE_INTO[..2] } else { &MADE_INTO[..] };
    let possible = made_into.iter().filter(|target| can_become(&held.transfer_syntax_uid, target));
    out.extend(possible.map(|target| (*target).to_owned()));
    let mut seen = Vec::with_capacity(out.len());
    out.retain(|uid| {
        let is_new = !seen.contains(uid);
        seen.push(uid.clone());
        is_new
    });
    out
}
