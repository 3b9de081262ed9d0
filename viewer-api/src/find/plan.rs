//! How a search is answered: what is asked of the index, what of each candidate.

use archive::{Column, Match, Test};

use super::criteria::Criteria;
use super::criterion::{self, Criterion};
use super::{Level, Search, dictionary, level_of};
use crate::error::{Error, Result};

/// Attributes of an identifier that say how it is meant: never matched.
const NOT_MATCHED: &[u32] = &[0x0008_0005, 0x0008_0052, 0x0008_0054, 0x0008_0056, 0x0008_1190];

/// A search, parted.
#[derive(Clone, Debug, Default)]
pub(crate) struct Plan {
    /// For the index.
    pub(crate) terms: Vec<(Column, Test)>,
    /// For each candidate.
    pub(crate) rest: Criteria,
    /// The instances named by their UIDs, if they are.
    pub(crate) sop_instance_uids: Option<Vec<String>>,
    /// What each answer says beside what it always says; none of a lower level.
    pub(crate) wanted: Vec<Vec<u32>>,
}

impl Plan {
    pub(crate) fn new(search: &Search) -> Result<Plan> {
        let mut plan = Plan::default();
        let mut all = Criteria::default();
        let of_this_level = |path: &&[u32]| path.first().is_some_and(|tag| level_of(*tag) <= search.level);
        for key in search.keys.iter().filter(|key| of_this_level(&key.path.as_slice())) {
            plan.wanted.push(key.path.clone());
            let vr = key.path.last().and_then(|tag| dictionary::vr_of(*tag));
            let criterion = criterion::read(vr, &key.value, search.matching);
            let criterion = criterion.map_err(|why| invalid(&dictionary::path_name(&key.path), why))?;
            if key.path.first().is_some_and(|tag| !NOT_MATCHED.contains(tag)) && criterion != Criterion::Universal {
                all.add(&key.path, criterion);
            }
        }
        plan.wanted.extend(search.include.paths.iter().filter(|path| of_this_level(&path.as_slice())).cloned());
        if search.matching.combined {
            all.combine();
        }
        if let Some(tag) = all.backwards() {
            return Err(invalid(&dictionary::path_name(&[tag]), "is a range that ends before it begins"));
        }
        plan.part(all, search.level);
        Ok(plan)
    }

    /// Parts criteria into what the index has columns for and the rest.
    fn part(&mut self, mut all: Criteria, level: Level) {
        for (tag, criterion) in std::mem::take(&mut all.own) {
            if tag == 0x0008_0018
                && let Criterion::Text(wanted) = &criterion
            {
                self.sop_instance_uids = Some(listed(wanted));
                continue;
            }
            match column(tag).zip(test(&criterion)) {
                Some(term) => self.terms.push(term),
                None => all.own.push((tag, criterion)),
            }
        }
        for (date, time, range) in std::mem::take(&mut all.pairs) {
            match date {
                0x0008_0020 => self.terms.push((Column::StudyDateTime, Test::Within(range))),
                0x0040_0244 if level >= Level::Series => {
                    self.terms.push((Column::PerformedProcedureStepStartDateTime, Test::Within(range)));
                }
                _ => all.pairs.push((date, time, range)),
            }
        }
        self.rest = all;
    }
}

/// The refusal of a key. The value itself is not repeated: it may be a name or a birth date, and answers end up in logs.
fn invalid(key: &str, why: &str) -> Error {
    Error::invalid(
        format!("the value of {key} {why}"),
        "dates are YYYYMMDD or YYYYMMDD-YYYYMMDD, times HHMMSS, UIDs digits and dots",
    )
}

fn listed(wanted: &Match) -> Vec<String> {
    match wanted {
        Match::Single(one) | Match::Wildcard(one) => vec![one.clone()],
        Match::List(several) => several.clone(),
    }
}

/// The column of an attribute.
fn column(tag: u32) -> Option<Column> {
    Some(match tag {
        0x0020_000D => Column::StudyInstanceUid,
        0x0010_0020 => Column::PatientId,
        0x0010_0021 => Column::IssuerOfPatientId,
        0x0010_0010 => Column::PatientName,
        0x0010_0030 => Column::PatientBirthDate,
        0x0010_0040 => Column::PatientSex,
        0x0008_0020 => Column::StudyDate,
        0x0008_0030 => Column::StudyTime,
        0x0008_0050 => Column::AccessionNumber,
        0x0020_0010 => Column::StudyId,
        0x0008_1030 => Column::StudyDescription,
        0x0008_0090 => Column::ReferringPhysicianName,
        0x0008_0061 => Column::ModalitiesInStudy,
        0x0020_000E => Column::SeriesInstanceUid,
        0x0008_0060 => Column::Modality,
        0x0020_0011 => Column::SeriesNumber,
        0x0008_103E => Column::SeriesDescription,
        0x0018_0015 => Column::BodyPartExamined,
        0x0020_0060 => Column::Laterality,
        0x0008_0070 => Column::Manufacturer,
        0x0008_1090 => Column::ManufacturerModelName,
        0x0040_0244 => Column::PerformedProcedureStepStartDate,
        0x0040_0245 => Column::PerformedProcedureStepStartTime,
        _ => return None,
    })
}

fn test(criterion: &Criterion) -> Option<Test> {
    match criterion {
        Criterion::Empty => Some(Test::Empty),
        Criterion::Text(wanted) => Some(Test::Match(wanted.clone())),
        Criterion::Name(name) => Some(Test::Name(name.clone())),
        Criterion::Number(number) => Some(Test::Number(*number as i64)),
        Criterion::Within(range) => Some(Test::Within(range.clone())),
        Criterion::Universal | Criterion::Moments(_) => None,
    }
}
