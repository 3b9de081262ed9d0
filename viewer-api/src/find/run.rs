//! Carrying out a plan.

use archive::{Held, Order, PatientRow, Query, SeriesRow, StudyRow};
use serde_json::Map;

use super::answer::{self, Attributes};
use super::plan::Plan;
use super::{DOCUMENTS_READ_MAX, Found, Level, REMAINING_MAX, ROWS_READ_MAX, Search, dictionary, level_of, project};
use crate::error::{Error, Result};
use crate::state::ViewerState;

/// Rows read from the index at once, where each is looked at.
const ROWS_STEP: u32 = 1_000;
/// Series read from the index at once while walking through all instances.
const SERIES_STEP: u32 = 20_000;
/// Answers at once at the most, whatever is asked for.
const LIMIT_MAX: u32 = 10_000;

/// Something that may match.
enum Candidate {
    Patient(PatientRow),
    Study(StudyRow),
    Series(SeriesRow),
    Instance(Box<Held>),
}

impl Candidate {
    fn attributes(&self, higher: bool) -> Attributes {
        match self {
            Candidate::Patient(row) => answer::patient(row),
            Candidate::Study(row) => answer::study(row),
            Candidate::Series(row) => answer::series(row, higher),
            Candidate::Instance(held) => answer::instance(&held.record.description),
        }
    }

    /// The instance whose DICOM JSON speaks for it.
    async fn speaker(&self, state: &ViewerState) -> Result<Option<Held>> {
        let reader = state.reader();
        Ok(match self {
            Candidate::Patient(row) => reader.first_instance(&row.study_instance_uid, None).await?,
            Candidate::Study(row) => reader.first_instance(&row.attributes.study_instance_uid, None).await?,
            Candidate::Series(row) => {
                let series = &row.attributes.series_instance_uid;
                reader.first_instance(&row.study.study_instance_uid, Some(series)).await?
            }
            Candidate::Instance(held) => Some((**held).clone()),
        })
    }
}

/// Finds, and puts the answers together.
pub(crate) async fn run(state: &ViewerState, search: &Search, plan: &Plan) -> Result<Found> {
    let limit = search.limit.min(LIMIT_MAX);
    let mut matches = Matches { candidates: Vec::new(), remaining: 0 };
    match (search.level, &plan.sop_instance_uids) {
        (Level::Instance, Some(uids)) => by_uid(state, search, plan, uids, &mut matches).await?,
        (Level::Instance, None) => walk(state, search, plan, limit, &mut matches).await?,
        _ if plan.rest.is_universal() => from_index(state, search, plan, limit, &mut matches).await?,
        _ => one_by_one(state, search, plan, limit, &mut matches).await?,
    }
    if matches.candidates.len() > limit as usize {
        matches.remaining = matches.remaining.max((matches.candidates.len() - limit as usize) as u32);
        matches.candidates.truncate(limit as usize);
    }
    let remaining = matches.remaining;
    let answers = answers(state, search, plan, matches.candidates).await?;
    Ok(Found { answers, more: remaining > 0, remaining })
}

/// What matches, at most one more than asked for, and how many come after these.
struct Matches {
    candidates: Vec<Candidate>,
    remaining: u32,
}

fn query(plan: &Plan, limit: u32, offset: u32) -> Query {
    Query { terms: plan.terms.clone(), order: Order::Newest, limit, offset }
}

async fn rows(state: &ViewerState, level: Level, query: Query) -> Result<Vec<Candidate>> {
    let reader = state.reader();
    Ok(match level {
        Level::Patient => reader.search_patients(query).await?.into_iter().map(Candidate::Patient).collect(),
        Level::Study => reader.search_studies(query).await?.into_iter().map(Candidate::Study).collect(),
        _ => reader.search_series(query).await?.into_iter().map(Candidate::Series).collect(),
    })
}

/// Where the index decides alone.
async fn from_index(state: &ViewerState, search: &Search, plan: &Plan, limit: u32, out: &mut Matches) -> Result<()> {
    if search.level == Level::Study {
        let page = query(plan, limit.saturating_add(1), search.offset);
        let (rows, remaining) = state.reader().study_page(page, REMAINING_MAX - 1).await?;
        // One too many is cut off, and counted, by who called.
        out.remaining = if rows.len() > limit as usize { remaining + 1 } else { 0 };
        out.candidates = rows.into_iter().map(Candidate::Study).collect();
        return Ok(());
    }
    out.candidates = rows(state, search.level, query(plan, limit + 1, search.offset)).await?;
    if out.candidates.len() > limit as usize {
        let after = query(plan, REMAINING_MAX, search.offset.saturating_add(limit));
        let reader = state.reader();
        out.remaining = match search.level {
            Level::Patient => reader.count_patients(after).await?,
            _ => reader.count_series(after).await?,
        };
    }
    Ok(())
}

/// Where each row is looked at, and its document if need be.
async fn one_by_one(state: &ViewerState, search: &Search, plan: &Plan, limit: u32, out: &mut Matches) -> Result<()> {
    let (mut skip, mut read, mut documents) = (search.offset, 0, 0);
    loop {
        let step = rows(state, search.level, query(plan, ROWS_STEP, read)).await?;
        let is_last = step.len() < ROWS_STEP as usize;
        for candidate in step {
            if !matches(state, plan, &candidate, &mut documents).await? {
                continue;
            }
            if skip > 0 {
                skip -= 1;
                continue;
            }
            out.candidates.push(candidate);
            if out.candidates.len() > limit as usize {
                return Ok(());
            }
        }
        read += ROWS_STEP;
        if is_last {
            return Ok(());
        }
        if u64::from(read) >= ROWS_READ_MAX {
            return Err(Error::TooBroad { limit: ROWS_READ_MAX });
        }
    }
}

/// Whether the rest of the criteria hold, by what the index or the record says, else by the document.
async fn matches(state: &ViewerState, plan: &Plan, candidate: &Candidate, documents: &mut u64) -> Result<bool> {
    let attributes = candidate.attributes(true);
    let is_known = |tag: u32| attributes.contains_key(&dictionary::hex(tag)) && tag != 0x0040_0275;
    if plan.rest.tags().all(is_known) {
        return Ok(plan.rest.matches(&attributes));
    }
    // What the index says of a sequence is less than the sequence; but it is enough where all is said that is asked.
    *documents += 1;
    if *documents > DOCUMENTS_READ_MAX {
        return Err(Error::TooBroad { limit: DOCUMENTS_READ_MAX });
    }
    let Some(speaker) = candidate.speaker(state).await? else { return Ok(false) };
    let tags: Vec<String> = plan.rest.tags().chain([0x0008_0201]).map(dictionary::hex).collect();
    let document = read(state, &speaker, &|tag| tags.iter().any(|one| one == tag)).await?;
    let mut whole = attributes;
    whole.extend(document);
    Ok(plan.rest.matches(&whole))
}

async fn read(state: &ViewerState, held: &Held, wanted: &(dyn Fn(&str) -> bool + Sync)) -> Result<Attributes> {
    let documents = state.reader().dicom_json(std::slice::from_ref(held)).await?;
    Ok(parsed(held, &documents.into_iter().next().unwrap_or_default(), wanted)?)
}

fn parsed(held: &Held, document: &[u8], wanted: &(dyn Fn(&str) -> bool + Sync)) -> Result<Attributes, archive::Error> {
    project::read(document, wanted).map_err(|error| archive::Error::Damaged {
        what: format!("the metadata of {}", held.record.description.instance.sop_instance_uid),
        detail: error.to_string(),
    })
}

/// Instances by their UIDs: looked up, then held against the other keys.
async fn by_uid(state: &ViewerState, search: &Search, plan: &Plan, uids: &[String], out: &mut Matches) -> Result<()> {
    let (mut skip, mut documents) = (search.offset, 0);
    for uid in uids {
        let Some(held) = state.reader().find(uid).await? else { continue };
        if !series_matches(state, plan, &held).await? {
            continue;
        }
        let candidate = Candidate::Instance(Box::new(held));
        if !matches(state, plan, &candidate, &mut documents).await? {
            continue;
        }
        if skip > 0 {
            skip -= 1;
            continue;
        }
        out.candidates.push(candidate);
    }
    Ok(())
}

/// Whether the series an instance is in matches the terms for the index.
async fn series_matches(state: &ViewerState, plan: &Plan, held: &Held) -> Result<bool> {
    let of = &held.record.description;
    let mut terms = plan.terms.clone();
    let is = |column, uid: &String| (column, archive::Test::Match(archive::Match::Single(uid.clone())));
    terms.push(is(archive::Column::StudyInstanceUid, &of.study.study_instance_uid));
    terms.push(is(archive::Column::SeriesInstanceUid, &of.series.series_instance_uid));
    let query = Query { terms, limit: 1, ..Query::default() };
    Ok(!state.reader().search_series(query).await?.is_empty())
}

/// Instances of all series that match, in the order in which these were taken in, so that pages do not shift while more
/// come. Whole series are skipped by their counts.
async fn walk(state: &ViewerState, search: &Search, plan: &Plan, limit: u32, out: &mut Matches) -> Result<()> {
    let (mut skip, wanted) = (u64::from(search.offset), limit as usize + 1);
    let (mut series_offset, mut documents, mut scanned) = (0, 0, 0);
    loop {
        let query = Query { order: Order::TakenIn, ..query(plan, SERIES_STEP, series_offset) };
        let rows = state.reader().search_series(query).await?;
        for (at, row) in rows.iter().enumerate() {
            let count = u64::from(row.number_of_series_related_instances);
            if plan.rest.is_universal() && skip >= count {
                skip -= count;
                continue;
            }
            let uids = (&row.study.study_instance_uid, &row.attributes.series_instance_uid);
            for held in state.reader().instances(uids.0, Some(uids.1)).await? {
                let candidate = Candidate::Instance(Box::new(held));
                scanned += 1;
                if !plan.rest.is_universal() && scanned > ROWS_READ_MAX {
                    return Err(Error::TooBroad { limit: ROWS_READ_MAX });
                }
                if !plan.rest.is_universal() && !matches(state, plan, &candidate, &mut documents).await? {
                    continue;
                }
                if skip > 0 {
                    skip -= 1;
                } else if out.candidates.len() < wanted {
                    out.candidates.push(candidate);
                } else {
                    out.remaining += 1;
                }
            }
            if out.candidates.len() >= wanted {
                let later = rows.iter().skip(at + 1).map(|row| row.number_of_series_related_instances);
                let later = if plan.rest.is_universal() { later.fold(0, u32::saturating_add) } else { 0 };
                out.remaining = out.remaining.saturating_add(1).saturating_add(later).min(REMAINING_MAX);
                return Ok(());
            }
        }
        if rows.len() < SERIES_STEP as usize {
            return Ok(());
        }
        series_offset += SERIES_STEP;
    }
}

/// Each answer: what is always said, what its series and study say, and what was asked for.
async fn answers(
    state: &ViewerState,
    search: &Search,
    plan: &Plan,
    candidates: Vec<Candidate>,
) -> Result<Vec<Attributes>> {
    let mut out: Vec<Attributes> =
        candidates.iter().map(|candidate| candidate.attributes(search.with_higher_levels)).collect();
    if search.with_higher_levels && search.level > Level::Study {
        add_counts(state, &candidates, &mut out).await?;
    }
    let is_missing = |path: &Vec<u32>| match path.as_slice() {
        [0x0040_0275] => true,
        [tag] => {
            let tag = dictionary::hex(*tag);
            out.iter().any(|said| !said.contains_key(&tag))
        }
        _ => true,
    };
    let missing: Vec<Vec<u32>> = plan.wanted.iter().filter(|path| is_missing(path)).cloned().collect();
    if candidates.is_empty() || (missing.is_empty() && !search.include.all) {
        return Ok(out);
    }
    let mut speakers = Vec::with_capacity(candidates.len());
    for candidate in &candidates {
        speakers.push(candidate.speaker(state).await?);
    }
    let held: Vec<Held> = speakers.iter().flatten().cloned().collect();
    let mut documents = state.reader().dicom_json(&held).await?.into_iter();
    let first_tags: Vec<String> = wanted_tags(&missing);
    let is_wanted = |tag: &str| {
        first_tags.iter().any(|one| one == tag)
            || (search.include.all && u32::from_str_radix(tag, 16).is_ok_and(|tag| level_of(tag) <= search.level))
    };
    for (said, speaker) in out.iter_mut().zip(&speakers) {
        let document = match (speaker, speaker.as_ref().and_then(|_| documents.next())) {
            (Some(held), Some(document)) => parsed(held, &document, &is_wanted)?,
            _ => Map::new(),
        };
        add_wanted(search, plan, &missing, document, said);
    }
    Ok(out)
}

/// The attributes of the Data Set itself that paths begin with, and the creators of private ones (PS3.18 §10.6.3.3).
fn wanted_tags(paths: &[Vec<u32>]) -> Vec<String> {
    let first = paths.iter().filter_map(|path| path.first());
    first.flat_map(|tag| [Some(*tag), dictionary::private_creator_of(*tag)]).flatten().map(dictionary::hex).collect()
}

fn add_wanted(search: &Search, plan: &Plan, missing: &[Vec<u32>], document: Attributes, said: &mut Attributes) {
    let mut asked = Attributes::new();
    for path in missing {
        project::copy(&document, path, Some(&plan.rest), &mut asked);
        if let Some(creator) = path.first().and_then(|tag| dictionary::private_creator_of(*tag))
            && let Some(element) = document.get(&dictionary::hex(creator))
        {
            asked.insert(dictionary::hex(creator), element.clone());
        }
    }
    for (tag, element) in asked {
        // What the index says of the whole stays; a sequence out of the document says more.
        let has_value = element.get("Value").is_some();
        if has_value || !said.contains_key(&tag) {
            said.insert(tag, element);
        }
    }
    if search.include.all {
        for (tag, element) in document {
            said.entry(tag).or_insert(element);
        }
    }
}

/// Counts and modalities of the studies, counts of the series, that answers of a lower level are of.
async fn add_counts(state: &ViewerState, candidates: &[Candidate], out: &mut [Attributes]) -> Result<()> {
    let uid = |said: &Attributes, tag: &str| {
        said.get(tag).and_then(|element| Some(element.get("Value")?.get(0)?.as_str()?.to_owned())).unwrap_or_default()
    };
    let listed = |tag: &str| {
        let mut uids: Vec<String> = out.iter().map(|said| uid(said, tag)).collect();
        uids.sort_unstable();
        uids.dedup();
        uids
    };
    let of = |column, uids: Vec<String>| Query {
        terms: vec![(column, archive::Test::Match(archive::Match::List(uids)))],
        ..Query::default()
    };
    let (studies, series) = (listed("0020000D"), listed("0020000E"));
    let mut known: Vec<(String, Attributes)> = Vec::new();
    for studies in studies.chunks(500) {
        let rows = state.reader().search_studies(of(archive::Column::StudyInstanceUid, studies.to_vec())).await?;
        known.extend(rows.iter().map(|row| (row.attributes.study_instance_uid.clone(), answer::study(row))));
    }
    if candidates.iter().any(|candidate| matches!(candidate, Candidate::Instance(_))) {
        for series in series.chunks(500) {
            let rows = state.reader().search_series(of(archive::Column::SeriesInstanceUid, series.to_vec())).await?;
            let key =
                |row: &SeriesRow| format!("{} {}", row.study.study_instance_uid, row.attributes.series_instance_uid);
            known.extend(rows.iter().map(|row| (key(row), answer::series(row, false))));
        }
    }
    known.sort_by(|a, b| a.0.cmp(&b.0));
    for said in out {
        let study = uid(said, "0020000D");
        for key in [format!("{study} {}", uid(said, "0020000E")), study] {
            let Ok(at) = known.binary_search_by(|(of, _)| of.as_str().cmp(&key)) else { continue };
            for (tag, element) in known.get(at).map(|(_, attributes)| attributes).into_iter().flatten() {
                said.entry(tag.clone()).or_insert_with(|| element.clone());
            }
        }
    }
    Ok(())
}
