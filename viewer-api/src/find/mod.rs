//! Finding patients, studies, series and instances (PS3.4 C.2.2.2): what QIDO-RS and C-FIND have in common.
//!
//! What the index has columns for is asked of the index. Other attributes are looked at one by one in what the index
//! says of each candidate, and where that is not enough, in its DICOM JSON: for a study and a series, that of the
//! instance taken in first; as many as [`DOCUMENTS_READ_MAX`].

mod answer;
mod criteria;
mod criterion;
pub(crate) mod dictionary;
mod moment;
pub(crate) mod plan;
pub(crate) mod project;
mod run;

use serde_json::{Map, Value};

pub use dictionary::level_of;
pub(crate) use moment::is_date;

use crate::access::Principal;
use crate::error::Result;
use crate::state::ViewerState;

/// Documents read for one answer, where a key is one that the index has no column for, at the most.
pub(crate) const DOCUMENTS_READ_MAX: u64 = 2_000;
/// Rows of the index looked at for one answer, where they are looked at one by one, at the most.
pub(crate) const ROWS_READ_MAX: u64 = 200_000;
/// Further matches that are counted at the most.
pub(crate) const REMAINING_MAX: u32 = 100;

/// One attribute that is matched, or with an empty value asked for (PS3.4 C.2.2.2.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Key {
    /// Tags as 0xGGGGEEEE; sequences come first, the attribute last.
    pub path: Vec<u32>,
    /// The value in Unicode, as it stands in a C-FIND identifier or, percent-decoded, in a query.
    pub value: String,
}

/// What is searched for, and what an attribute is said of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Level {
    /// People, by (issuer, Patient ID).
    Patient,
    /// Studies.
    Study,
    /// Series.
    Series,
    /// Instances.
    Instance,
}

impl Level {
    /// The word in the audit and in sentences.
    pub fn word(self) -> &'static str {
        match self {
            Level::Patient => "patient",
            Level::Study => "study",
            Level::Series => "series",
            Level::Instance => "instance",
        }
    }
}

/// Which attributes are wanted beside those that are always said and those of the keys.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Include {
    /// All of the level and of higher ones that the first instance has.
    pub all: bool,
    /// These; a path through sequences gives their items with that attribute only.
    pub paths: Vec<Vec<u32>>,
}

/// Kinds of matching that are agreed on first (PS3.4 C.5.2.1.1; in QIDO-RS parameters, PS3.18 §8.3.4).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Matching {
    /// Fuzzy semantic matching of person names.
    pub fuzzy: bool,
    /// A date and its time, both as ranges of the same form, are one range (PS3.4 C.2.2.2.5.4).
    pub combined: bool,
    /// The value `""` matches what has none (PS3.4 C.2.2.2.7).
    pub empty_value: bool,
}

/// A search.
#[derive(Clone, Debug)]
pub struct Search {
    /// What for.
    pub level: Level,
    /// All of these match. Keys of a lower level are not looked at.
    pub keys: Vec<Key>,
    /// What is wanted of each answer.
    pub include: Include,
    /// How it is matched.
    pub matching: Matching,
    /// Whether answers say what is always said of their series and study as well.
    pub with_higher_levels: bool,
    /// Answers at the most.
    pub limit: u32,
    /// Matches that are skipped first.
    pub offset: u32,
}

/// What was found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// DICOM JSON objects (PS3.18 Annex F), without Retrieve URL; `BulkDataURI`s are relative to the instance.
    pub answers: Vec<Map<String, Value>>,
    /// There are more matches after these.
    pub more: bool,
    /// How many more; counted up to 100.
    pub remaining: u32,
}

impl ViewerState {
    /// Finds what matches all keys, recorded as a search by `principal` before it is answered. Studies come newest
    /// first, series by study and number, patients by Patient ID; instances as their series were taken in.
    ///
    /// # Errors
    /// [`Error::Invalid`](crate::Error::Invalid) naming the key whose value is none it can have;
    /// [`Error::TooBroad`](crate::Error::TooBroad); or what the archive and the audit answer.
    pub async fn find(
        &self,
        principal: &Principal,
        level: Level,
        keys: &[Key],
        include: &Include,
        limit: u32,
        offset: u32,
    ) -> Result<Found> {
        let search = Search {
            level,
            keys: keys.to_vec(),
            include: include.clone(),
            matching: Matching::default(),
            with_higher_levels: true,
            limit,
            offset,
        };
        self.find_by(principal, &search).await
    }

    /// As [`find`](ViewerState::find), with all that can be chosen.
    ///
    /// # Errors
    /// As there.
    pub async fn find_by(&self, principal: &Principal, search: &Search) -> Result<Found> {
        let plan = plan::Plan::new(search)?;
        let found = run::run(self, search, &plan).await?;
        let names = search.keys.iter().filter(|key| !key.value.is_empty()).map(|key| dictionary::path_name(&key.path));
        let names: Vec<String> = names.collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        self.audit().searched(principal, search.level.word(), &names, found.answers.len()).await?;
        Ok(found)
    }
}
