//! QIDO-RS: search for studies, series and instances (PS3.18 §10.6).

mod attributes;
mod parameters;

use archive::{Held, Match, SeriesRow};
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue, header};
use axum::response::{IntoResponse, Response};
use serde_json::Value;

use self::attributes::Attributes;
use self::parameters::{Level, Search};
use crate::error::{Error, Result};
use crate::metadata;
use crate::state::ViewerState;
use crate::wado::{Address, Caller};

/// Instances looked at for one answer, where a key of instances is given without their series, at the most.
const INSTANCES_SCANNED_MAX: u64 = 100_000;
/// Series read from the index at once while walking through all instances.
const SERIES_STEP: u32 = 20_000;

/// `GET /studies`.
pub(crate) async fn studies(State(state): State<ViewerState>, caller: Caller) -> Result<Response> {
    let mut search = Search::parse(Level::Study, &caller.query)?;
    let mut query = search.series.study.clone();
    (query.limit, query.offset) = (search.limit + 1, search.offset);
    let mut rows = state.reader().search_studies(query).await?;
    cut(&mut rows, &mut search);
    let answers = rows.iter().map(|row| attributes::study(row, &caller.base)).collect();
    answer(&state, &caller, Level::Study, search, answers).await
}

/// `GET /series` and `GET /studies/S/series`.
pub(crate) async fn series(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let mut search = within(Search::parse(Level::Series, &caller.query)?, &address);
    let mut query = search.series.clone();
    (query.limit, query.offset) = (search.limit + 1, search.offset);
    let mut rows = state.reader().search_series(query).await?;
    cut(&mut rows, &mut search);
    let answers = rows.iter().map(|row| attributes::series(row, &caller.base)).collect();
    answer(&state, &caller, Level::Series, search, answers).await
}

/// `GET /instances`, `GET /studies/S/instances` and `GET /studies/S/series/E/instances`.
pub(crate) async fn instances(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let mut search = within(Search::parse(Level::Instance, &caller.query)?, &address).in_order_of_intake();
    let mut found = match &search.instance.sop_instance_uid {
        Some(uids) => by_uid(&state, &search, uids).await?,
        None => walk(&state, &search).await?,
    };
    cut(&mut found, &mut search);
    let documents = state.reader().dicom_json(&found).await?;
    let mut answers = Vec::with_capacity(found.len());
    for (held, document) in found.iter().zip(documents) {
        let place = metadata::place(&caller.base, held);
        let document = metadata::with_absolute_uris(&document, &place)?;
        answers.push(attributes::instance(document, &search.include, &place));
    }
    answer(&state, &caller, Level::Instance, search, answers).await
}

/// The address rules over the query.
fn within(mut search: Search, address: &Address) -> Search {
    if !address.study.is_empty() {
        search.series.study.study_instance_uid = Some(Match::Single(address.study.clone()));
    }
    if !address.series.is_empty() {
        search.series.series_instance_uid = Some(Match::Single(address.series.clone()));
    }
    search
}

/// One more than the limit was asked for: if it came, there is more.
fn cut<T>(rows: &mut Vec<T>, search: &mut Search) {
    if rows.len() > search.limit as usize {
        rows.truncate(search.limit as usize);
        let next = search.offset.saturating_add(search.limit);
        search.warnings.push(format!("there are more results; ask again with offset={next}"));
    }
}

/// Instances by their UIDs: looked up, then held against the other keys.
async fn by_uid(state: &ViewerState, search: &Search, uids: &Match) -> Result<Vec<Held>> {
    let uids: &[String] = match uids {
        Match::Single(uid) => std::slice::from_ref(uid),
        Match::List(uids) => uids,
        Match::Wildcard(_) => &[],
    };
    let mut found = Vec::new();
    for uid in uids {
        let Some(held) = state.reader().find(uid).await? else { continue };
        if search.instance.matches(&held.record.description.instance) && series_matches(state, search, &held).await? {
            found.push(held);
        }
    }
    Ok(found.into_iter().skip(search.offset as usize).take(search.limit as usize + 1).collect())
}

/// Whether the series an instance is in matches the keys of series and studies.
async fn series_matches(state: &ViewerState, search: &Search, held: &Held) -> Result<bool> {
    let series_uid = &held.record.description.series.series_instance_uid;
    let study_uid = &held.record.description.study.study_instance_uid;
    let named = |wanted: &Option<Match>, uid: &String| match wanted {
        Some(Match::Single(one)) => one == uid,
        Some(Match::List(several)) => several.contains(uid),
        _ => true,
    };
    if !named(&search.series.series_instance_uid, series_uid)
        || !named(&search.series.study.study_instance_uid, study_uid)
    {
        return Ok(false);
    }
    let mut query = search.series.clone();
    query.study.study_instance_uid = Some(Match::Single(study_uid.clone()));
    query.series_instance_uid = Some(Match::Single(series_uid.clone()));
    query.limit = 1;
    Ok(!state.reader().search_series(query).await?.is_empty())
}

/// Instances of all series that match, in the order of the series. Whole series are skipped by their counts.
async fn walk(state: &ViewerState, search: &Search) -> Result<Vec<Held>> {
    let (mut skip, wanted) = (u64::from(search.offset), search.limit as usize + 1);
    let (mut found, mut scanned, mut series_offset) = (Vec::new(), 0, 0);
    loop {
        let mut query = search.series.clone();
        (query.limit, query.offset) = (SERIES_STEP, series_offset);
        let rows = state.reader().search_series(query).await?;
        for row in &rows {
            let count = u64::from(row.number_of_series_related_instances);
            if search.instance.is_empty() && skip >= count {
                skip -= count;
                continue;
            }
            scanned += count;
            if !search.instance.is_empty() && scanned > INSTANCES_SCANNED_MAX {
                return Err(Error::TooBroad { limit: INSTANCES_SCANNED_MAX });
            }
            let matching = matching_in(state, search, row).await?;
            let skipped = skip.min(matching.len() as u64);
            skip -= skipped;
            found.extend(matching.into_iter().skip(skipped as usize).take(wanted - found.len()));
            if found.len() >= wanted {
                return Ok(found);
            }
        }
        if rows.len() < SERIES_STEP as usize {
            return Ok(found);
        }
        series_offset += SERIES_STEP;
    }
}

async fn matching_in(state: &ViewerState, search: &Search, row: &SeriesRow) -> Result<Vec<Held>> {
    let held = state.reader().instances(&row.study_instance_uid, Some(&row.attributes.series_instance_uid)).await?;
    Ok(held.into_iter().filter(|held| search.instance.matches(&held.record.description.instance)).collect())
}

/// Records the search, then says what it found. Nothing found is an empty array.
async fn answer(
    state: &ViewerState,
    caller: &Caller,
    level: Level,
    search: Search,
    answers: Vec<Attributes>,
) -> Result<Response> {
    state.audit().searched(&caller.principal, level.word(), &search.keys, answers.len()).await?;
    let body = Value::Array(answers.into_iter().map(Value::Object).collect()).to_string();
    let mut response = ([(header::CONTENT_TYPE, metadata::DICOM_JSON)], body).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    for warning in &search.warnings {
        // PS3.18 §8.3.4.5, §8.5.3: code 299, the agent, the text.
        if let Ok(value) = HeaderValue::from_str(&format!("299 tsunagu \"{warning}\"")) {
            headers.append(HeaderName::from_static("warning"), value);
        }
    }
    Ok(response)
}
