//! Which studies belong to a worklist: those that are there when it is made, and those that come later.
//!
//! Nothing watches: whoever asks for a worklist makes it look at what was taken in since it looked last.

use std::collections::HashMap;
use std::sync::{MutexGuard, PoisonError};

use archive::{Column, Match, Order, Query, Range, Reader, SeriesRow, Test};
use jiff::Timestamp;

use super::Reading;
use super::device;
use super::events::{Device, Double, Event, Filter, NewItem};
use crate::clock::seconds_between;
use crate::error::Result;

/// Series read at once from the index, and items that join with one line of the log.
const PAGE: u32 = 500;
/// Instances looked at once for what came since.
const INSTANCES_AT_ONCE: u32 = 5000;
/// After so many take-in numbers in which nothing joined, that they were looked at is written down.
const LOOKED_EVERY: u64 = 10_000;
/// A study that cannot be read is tried again after so many seconds.
const AGAIN_S: u64 = 300;

impl Reading {
    /// Brings every worklist up to what is held now. Who comes while somebody else does it is content with what there is.
    ///
    /// # Errors
    /// When the index or the log cannot be read, or the log not be written.
    pub async fn join_new(&self, reader: &Reader, now: Timestamp) -> Result<()> {
        let Ok(_held) = self.joining.try_lock() else { return Ok(()) };
        self.follow(reader, now).await?;
        let unfilled = self.look(|book| {
            let unfilled = book.worklists.iter().filter(|worklist| !worklist.filled);
            Ok(unfilled.map(|worklist| (worklist.id.clone(), worklist.filter.clone())).collect::<Vec<_>>())
        })?;
        for (worklist, filter) in unfilled {
            self.fill(reader, &worklist, &filter, now).await?;
        }
        Ok(())
    }

    /// Looks at what was taken in since for the worklists that are filled.
    async fn follow(&self, reader: &Reader, now: Timestamp) -> Result<()> {
        let (mut through, filters) = self.look(|book| {
            let filled = book.worklists.iter().filter(|worklist| worklist.filled);
            let filters: Vec<_> = filled.map(|worklist| (worklist.id.clone(), worklist.filter.clone())).collect();
            Ok((book.through, filters))
        })?;
        self.try_again(reader, &filters, now).await?;
        let last = reader.last_sequence().await?;
        if filters.is_empty() || last <= through {
            // The first worklist is filled from here on: what comes after this follows.
            return if filters.is_empty() && last > through { self.looked(last, now) } else { Ok(()) };
        }
        let (began, mut joined) = (through, false);
        while through < last {
            let (studies, next) = reader.studies_received_after(through, INSTANCES_AT_ONCE).await?;
            joined |= self.join_some(reader, &filters, &studies, now).await?;
            if next <= through {
                break;
            }
            through = next;
        }
        if joined || through - began >= LOOKED_EVERY {
            return self.looked(through, now);
        }
        // Not worth a line: after a restart it is looked at again.
        self.tables().book.through = through;
        Ok(())
    }

    /// Looks again at studies that could not be read a while ago. They are kept until the program ends.
    async fn try_again(&self, reader: &Reader, filters: &[(String, Filter)], now: Timestamp) -> Result<()> {
        let mut studies = Vec::new();
        self.unread().retain(|study, at| {
            let wait = seconds_between(*at, now) < AGAIN_S;
            studies.extend((!wait).then(|| study.clone()));
            wait
        });
        self.join_some(reader, filters, &studies, now).await.map(drop)
    }

    /// Puts those of these studies into the worklists that belong to them; whether any did.
    async fn join_some(
        &self,
        reader: &Reader,
        filters: &[(String, Filter)],
        studies: &[String],
        now: Timestamp,
    ) -> Result<bool> {
        let mut joined = false;
        for (worklist, filter) in filters {
            for some in studies.chunks(PAGE as usize) {
                let (_, items) = self.candidates(reader, worklist, filter, Some(some), 0, now).await?;
                joined |= self.join(worklist, items, false, now)?;
            }
        }
        Ok(joined)
    }

    fn unread(&self) -> MutexGuard<'_, HashMap<String, Timestamp>> {
        self.unread.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts everything in that is held and belongs to it.
    async fn fill(&self, reader: &Reader, worklist: &str, filter: &Filter, now: Timestamp) -> Result<()> {
        let mut offset = 0;
        loop {
            let (read, found) = self.candidates(reader, worklist, filter, None, offset, now).await?;
            let last = read < PAGE as usize;
            self.join(worklist, found, last, now)?;
            if last {
                return Ok(());
            }
            offset += PAGE;
        }
    }

    /// A page of series that belong to a worklist, one of each study that is not in it: how many were read, and the items.
    /// A study that cannot be read keeps no other from joining.
    async fn candidates(
        &self,
        reader: &Reader,
        worklist: &str,
        filter: &Filter,
        studies: Option<&[String]>,
        offset: u32,
        now: Timestamp,
    ) -> Result<(usize, Vec<NewItem>)> {
        // Of named studies all series at once: they are few, and no page ends among them.
        let limit = if studies.is_some() { 0 } else { PAGE };
        let query = Query { terms: terms(filter, studies), order: Order::TakenIn, limit, offset };
        let rows = reader.search_series(query).await?;
        let read = rows.len();
        let mut items: Vec<NewItem> = Vec::new();
        for row in rows {
            let study = &row.study.study_instance_uid;
            if items.iter().any(|item| item.study == *study) || self.look(|book| Ok(book.holds(worklist, study)))? {
                continue;
            }
            match new_item(reader, filter, &row).await {
                Ok(item) => items.extend(item),
                Err(error @ archive::Error::Index(_)) => return Err(error.into()),
                Err(error) => {
                    tracing::error!(%error, study, "a study cannot be read and joins no worklist; it is tried again");
                    self.unread().insert(study.clone(), now);
                }
            }
        }
        Ok((read, items))
    }

    /// Whether anything joined.
    fn join(&self, worklist: &str, items: Vec<NewItem>, filled: bool, now: Timestamp) -> Result<bool> {
        if items.is_empty() && !filled {
            return Ok(false);
        }
        let joined = !items.is_empty();
        let event = Event::ItemsJoined { worklist: worklist.to_owned(), items, filled };
        self.act(|_| Ok((vec![event], ())), now)?;
        Ok(joined)
    }

    fn looked(&self, through: u64, now: Timestamp) -> Result<()> {
        self.act(|_| Ok((vec![Event::LookedThrough { through }], ())), now)
    }
}

fn terms(filter: &Filter, studies: Option<&[String]>) -> Vec<(Column, Test)> {
    let single = |text: &String| Test::Match(Match::Single(text.clone()));
    let mut terms = vec![(Column::Modality, single(&filter.modality))];
    if let Some(studies) = studies {
        terms.push((Column::StudyInstanceUid, Test::Match(Match::List(studies.to_vec()))));
    }
    if filter.from.is_some() || filter.to.is_some() {
        let range = Range { from: filter.from.clone(), to: filter.to.clone() };
        terms.push((Column::StudyDate, Test::Within(range)));
    }
    terms.extend(filter.centre.as_ref().map(|centre| (Column::Centre, single(centre))));
    terms
}

/// An item for a study, by the first instance of the series; `None` where that is gone.
async fn new_item(reader: &Reader, filter: &Filter, row: &SeriesRow) -> archive::Result<Option<NewItem>> {
    let (study, series) = (&row.study.study_instance_uid, &row.attributes.series_instance_uid);
    let Some(held) = reader.first_instance(study, Some(series)).await? else { return Ok(None) };
    let device = match filter.double {
        Double::DeviceAbnormal => match reader.dicom_json(std::slice::from_ref(&held)).await {
            Ok(documents) => documents.first().map_or(Device::Silent, |document| device::said(document)),
            Err(error) => {
                tracing::error!(%error, study, "what a device says of a study cannot be read: two readers look at it");
                Device::Silent
            }
        },
        _ => Device::Silent,
    };
    let description = held.record.description;
    Ok(Some(NewItem {
        item: uuid::Uuid::new_v4().simple().to_string(),
        study: study.clone(),
        series: series.clone(),
        instance: description.instance.sop_instance_uid,
        centre: held.record.origin.centre,
        date: row.study.study_date.clone(),
        device,
    }))
}
