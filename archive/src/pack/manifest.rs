//! `pack.json`: what a pack says of itself. What many instances share is said once.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::{HeldForm, InstanceRecord};
use crate::{Description, Digests, InstanceAttributes, Origin, SeriesAttributes, StudyAttributes};

/// Name of the last entry.
pub(super) const NAME: &str = "pack.json";
const FORMAT: &str = "tsunagu study pack";
const VERSION: u32 = 1;
/// How many attributes are looked through for equal ones: more contradict each other than are worth the search.
const SHARED_SEARCH_MAX: usize = 64;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Manifest {
    format: String,
    version: u32,
    pub number: u64,
    pub study_instance_uid: String,
    pub created_at: String,
    /// Numbers of the packs whose instances it has, also of those that they had replaced.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub replaces: Vec<u64>,
    /// Study attributes as instances give them: one, unless they contradict each other.
    studies: Vec<StudyAttributes>,
    /// Series attributes likewise.
    series_attributes: Vec<SeriesAttributes>,
    /// The documents `series-K.json.zst`, K from 1.
    pub series: Vec<SeriesDocument>,
    /// The instances, N from 1.
    pub instances: Vec<ManifestInstance>,
    /// Index in `series` by Series Instance UID; while writing only.
    #[serde(skip)]
    series_by_uid: HashMap<String, u32>,
}

/// One `series-K.json.zst`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SeriesDocument {
    pub series_instance_uid: String,
    /// Objects in the array, in the order of the instances in the pack.
    pub instances: u32,
    /// Bytes of the array, uncompressed.
    pub json_bytes: u64,
}

/// One instance. Its entries are named by its place: the first is `1.dcm`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct ManifestInstance {
    sequence: u64,
    /// Index in `studies`.
    study: usize,
    /// Index in `series_attributes`.
    series_attributes: usize,
    /// Index in `series`.
    pub series: u32,
    instance: InstanceAttributes,
    origin: Origin,
    digests: Digests,
    received_bytes: u64,
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    variant: bool,
    pub form: HeldForm,
    /// Transfer Syntax UID of the Part 10 file as held.
    pub transfer_syntax_uid: String,
    /// Bytes of the Part 10 file as held; under zstd, of the file inside.
    pub part10_bytes: u64,
    /// SHA-256 of the entry `N.dcm` or `N.dcm.zst`.
    pub held_sha256: String,
}

/// What [`Manifest::add`] cannot find in the record.
pub(super) struct HeldAs {
    pub form: HeldForm,
    pub transfer_syntax_uid: String,
    pub part10_bytes: u64,
    pub sha256: [u8; 32],
}

impl Manifest {
    pub(super) fn new(number: u64, study_instance_uid: &str, created_at: &str) -> Manifest {
        Manifest {
            format: FORMAT.into(),
            version: VERSION,
            number,
            study_instance_uid: study_instance_uid.into(),
            created_at: created_at.into(),
            replaces: Vec::new(),
            studies: Vec::new(),
            series_attributes: Vec::new(),
            series: Vec::new(),
            instances: Vec::new(),
            series_by_uid: HashMap::new(),
        }
    }

    /// Adds an instance; answers the index of its series' document.
    pub(super) fn add(&mut self, record: InstanceRecord, held: HeldAs) -> u32 {
        let Description { study, series, instance } = record.description;
        let document = self.document(&series.series_instance_uid);
        self.instances.push(ManifestInstance {
            sequence: record.sequence,
            study: place_of(&mut self.studies, study),
            series_attributes: place_of(&mut self.series_attributes, series),
            series: document,
            instance,
            origin: record.origin,
            digests: record.digests,
            received_bytes: record.received_bytes,
            variant: record.variant,
            form: held.form,
            transfer_syntax_uid: held.transfer_syntax_uid,
            part10_bytes: held.part10_bytes,
            held_sha256: crate::hex(&held.sha256),
        });
        document
    }

    fn document(&mut self, series_instance_uid: &str) -> u32 {
        let next = self.series.len() as u32;
        let index = *self.series_by_uid.entry(series_instance_uid.to_owned()).or_insert(next);
        if index == next {
            let series_instance_uid = series_instance_uid.to_owned();
            self.series.push(SeriesDocument { series_instance_uid, instances: 0, json_bytes: 0 });
        }
        self.series[index as usize].instances += 1;
        index
    }

    /// Whether this program can read what it says.
    pub(super) fn is_known(&self) -> bool {
        self.format == FORMAT && self.version == VERSION
    }

    /// The record of an instance of this manifest, if what it points to is there.
    pub(super) fn record(&self, of: &ManifestInstance) -> Option<InstanceRecord> {
        let description = Description {
            study: self.studies.get(of.study)?.clone(),
            series: self.series_attributes.get(of.series_attributes)?.clone(),
            instance: of.instance.clone(),
        };
        Some(InstanceRecord {
            sequence: of.sequence,
            description,
            origin: of.origin.clone(),
            digests: of.digests,
            received_bytes: of.received_bytes,
            variant: of.variant,
        })
    }
}

/// Entry name of the Part 10 file of instance N.
pub(super) fn dcm_name(entry: u32, form: HeldForm) -> String {
    match form {
        HeldForm::ReceivedZstd => format!("{entry}.dcm.zst"),
        _ => format!("{entry}.dcm"),
    }
}

/// Entry name of the document of series K, given its index.
pub(super) fn series_name(index: usize) -> String {
    format!("series-{}.json.zst", index + 1)
}

/// The place of an equal item, added if none of the last ones is equal.
fn place_of<T: PartialEq>(items: &mut Vec<T>, item: T) -> usize {
    let first = items.len().saturating_sub(SHARED_SEARCH_MAX);
    let found = items[first..].iter().rposition(|held| *held == item);
    found.map(|place| first + place).unwrap_or_else(|| {
        items.push(item);
        items.len() - 1
    })
}
