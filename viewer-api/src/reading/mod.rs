//! Reading worklists: who reads what, and what they found (docs/reading.md).
//!
//! The truth is the event log `reading`, hash-chained and synced before anything is called saved. What is here besides are
//! tables folded from it ([`book`]), which another process that appends to the log (`tsunagu reading create`) extends
//! too: before each act the log is read on.
//!
//! Blindness is a rule of the tables, not of the page: no answer holds a verdict of another before the item is adjudicated
//! (then the adjudicator sees both) or settled (then nobody can read it any more or take anything back).

mod book;
mod claims;
mod codes;
mod decision;
mod device;
mod events;
mod fhir;
mod http;
mod join;
mod priors;
mod reports;
mod results;
mod verdicts;

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

use archive::{EventLog, Events};
use jiff::Timestamp;

use self::book::{Book, Item};
use self::claims::{Chosen, Wanted};
use self::codes::Codes;
use self::events::Event;
use self::verdicts::{Outcome, Refused};
use crate::error::{Error, Result};

pub use self::book::{HELD_S_MAX, LEASE_S, UNDO_S};
pub use self::events::{Double, Filter, Person, Row, Stage, Verdict, Word};
pub(crate) use self::http::*;
pub use self::reports::{ReportDoor, store_reports};
pub use self::results::{Progress, Results};

/// Worklists there may be.
const WORKLISTS_MAX: usize = 1000;
/// Characters of a worklist's name.
const NAME_CHARS_MAX: usize = 200;

/// The worklists of one archive.
#[derive(Debug)]
pub struct Reading {
    log: EventLog,
    codes: Codes,
    tables: Mutex<Tables>,
    /// Held while studies are looked for that belong to a worklist.
    joining: tokio::sync::Mutex<()>,
    /// Studies that could not be read when they were to join, and when.
    unread: Mutex<HashMap<String, Timestamp>>,
    /// Items whose reports could not be stored, and when.
    failed: Mutex<HashMap<String, Timestamp>>,
}

#[derive(Debug)]
struct Tables {
    book: Book,
    /// The log, as far as it was read; `None` after damage was found in it.
    events: Option<Events>,
}

impl Reading {
    /// Opens the log at `path`, or makes it.
    ///
    /// # Errors
    /// [`Error::Reading`] when it cannot be opened.
    pub fn open(path: &Path) -> Result<Reading> {
        let log = EventLog::open(path).map_err(reading_error)?;
        let tables = Tables { book: Book::default(), events: Some(log.read_from(1)) };
        let codes = Codes::of(codes::EDITION)?;
        let tables = Mutex::new(tables);
        Ok(Reading {
            log,
            codes,
            tables,
            joining: Default::default(),
            unread: Mutex::default(),
            failed: Mutex::default(),
        })
    }

    /// The table verdicts are given by.
    fn codes(&self) -> &Codes {
        &self.codes
    }

    /// Makes a worklist; durable on return. Answers its id. What is there already joins when somebody asks for it.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what no worklist can be of; [`Error::Reading`] when it could not be written.
    pub fn create(&self, name: &str, filter: &Filter, by: &Person, now: Timestamp) -> Result<String> {
        let name = name.trim();
        check_filter(name, filter)?;
        let worklist = uuid::Uuid::new_v4().simple().to_string();
        self.act(
            |book| {
                if book.worklists.len() >= WORKLISTS_MAX {
                    let next_step = "use one of those that there are";
                    return Err(Error::invalid("there are as many worklists as there may be", next_step));
                }
                let (worklist, filter) = (worklist.clone(), filter.clone());
                let event = Event::WorklistCreated { worklist, name: name.to_owned(), filter, by: by.clone() };
                Ok((vec![event], ()))
            },
            now,
        )?;
        Ok(worklist)
    }

    /// Looks into the tables.
    fn look<T>(&self, look: impl FnOnce(&Book) -> Result<T>) -> Result<T> {
        let mut tables = self.tables();
        tables.read_on()?;
        look(&tables.book)
    }

    /// Does what the tables allow: `act` says which events that are, and they are durable and in the tables on return.
    fn act<T>(&self, act: impl FnOnce(&Book) -> Result<(Vec<Event>, T)>, now: Timestamp) -> Result<T> {
        let mut tables = self.tables();
        tables.read_on()?;
        let (events, answer) = act(&tables.book)?;
        if !events.is_empty() {
            let events: Result<Vec<_>, _> = events.iter().map(serde_json::to_value).collect();
            self.log.append(&now.to_string(), &events.map_err(reading_error)?).map_err(reading_error)?;
            tables.read_on()?;
        }
        Ok(answer)
    }

    /// Claims items for a reader: at most as many as wanted, of those nobody else has.
    fn claim<T>(
        &self,
        worklist: &str,
        by: &Person,
        wanted: &Wanted,
        now: Timestamp,
        told: impl FnOnce(&Book, &Chosen) -> Result<T>,
    ) -> Result<T> {
        let chosen = self.act(
            |book| {
                let worklist = book.worklist(worklist).ok_or_else(no_worklist)?;
                let chosen = claims::choose(book, worklist, by, wanted, now);
                let all = chosen.items.iter().chain(&chosen.renewed);
                let items: Vec<String> =
                    all.filter_map(|place| book.items.get(*place)).map(|it| it.id.clone()).collect();
                let stage = chosen.stage.filter(|_| !items.is_empty());
                let claimed = stage.map(|stage| Event::Claimed { items, stage, by: by.clone(), group: wanted.group });
                Ok((claimed.into_iter().collect(), chosen))
            },
            now,
        )?;
        self.look(|book| told(book, &chosen))
    }

    /// Gives an item up. That it was not held is no error.
    fn release(&self, item: &str, by: &Person, now: Timestamp) -> Result<()> {
        self.act(
            |book| {
                let found = book.item(item).ok_or_else(|| Error::NotFound("an item of this id".into()))?;
                let holds = found.claims.iter().any(|claim| claim.by == *by && claim.open);
                let released = holds.then(|| Event::Released { item: item.to_owned(), by: by.clone() });
                Ok((released.into_iter().collect(), ()))
            },
            now,
        )
    }

    /// Saves verdicts, those that can be: durable on return. Answers what became of each.
    fn save(&self, verdicts: &[Verdict], by: &Person, now: Timestamp) -> Result<Vec<Result<(), Refused>>> {
        // One after the other, since each changes what the next one meets; two of one item are rare, so mostly one sync.
        let mut answers = Vec::with_capacity(verdicts.len());
        let mut rest = verdicts;
        while !rest.is_empty() {
            let (group, after) = rest.split_at(independent(rest));
            answers.extend(self.save_group(group, by, now)?);
            rest = after;
        }
        Ok(answers)
    }

    fn save_group(&self, verdicts: &[Verdict], by: &Person, now: Timestamp) -> Result<Vec<Result<(), Refused>>> {
        self.act(
            |book| {
                let (mut events, mut answers) = (Vec::new(), Vec::new());
                for verdict in verdicts {
                    let checked = verdicts::check(book, &self.codes, verdict, by, now);
                    if let Ok(Outcome::New(counted)) = checked {
                        let (verdict, edition) = (verdict.clone(), self.codes.edition.to_owned());
                        events.push(Event::Read { verdict, counted, edition, by: by.clone() });
                    }
                    answers.push(checked.map(|_| ()));
                }
                Ok((events, answers))
            },
            now,
        )
    }

    /// Takes a verdict back; durable on return. The item is its reader's again.
    fn undo<T>(
        &self,
        id: &str,
        by: &Person,
        now: Timestamp,
        told: impl FnOnce(&Book, &Item, Stage) -> Result<T>,
    ) -> Result<Result<T, Refused>> {
        let checked = self.act(
            |book| {
                let checked = verdicts::check_undo(book, id, by, now);
                let undone = Event::Undone { id: id.to_owned(), by: by.clone() };
                let is_new = matches!(checked, Ok(Outcome::New(_)));
                Ok((is_new.then_some(undone).into_iter().collect(), checked))
            },
            now,
        )?;
        if let Err(refused) = checked {
            return Ok(Err(refused));
        }
        self.look(|book| {
            let saved = book.verdict(id).ok_or_else(|| Error::NotFound("a verdict of this id".into()))?;
            let item = book.item(&saved.verdict.item).ok_or_else(|| Error::NotFound("an item of this id".into()))?;
            told(book, item, saved.counted).map(Ok)
        })
    }

    fn tables(&self) -> std::sync::MutexGuard<'_, Tables> {
        self.tables.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Tables {
    /// Takes in what was appended since.
    fn read_on(&mut self) -> Result<()> {
        let events = self.events.as_mut().ok_or_else(|| Error::Reading("the log is damaged".into()))?;
        for logged in events.by_ref() {
            let logged = match logged {
                Ok(logged) => logged,
                Err(error) => {
                    self.events = None;
                    return Err(reading_error(error));
                }
            };
            let at = logged.at.parse::<Timestamp>().map_err(reading_error);
            match (at, serde_json::from_value(logged.event)) {
                (Ok(at), Ok(event)) => self.book.apply(at, event),
                // Written by a later version.
                _ => tracing::warn!(event = logged.seq, "an event of the log of readings was not understood"),
            }
        }
        Ok(())
    }
}

/// How many of the first verdicts have nothing to do with each other; at least one.
fn independent(verdicts: &[Verdict]) -> usize {
    let mut seen = HashSet::new();
    for (place, verdict) in verdicts.iter().enumerate() {
        if !seen.insert(&verdict.item) || !seen.insert(&verdict.id) {
            return place.max(1);
        }
    }
    verdicts.len()
}

fn check_filter(name: &str, filter: &Filter) -> Result<()> {
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX {
        return Err(Error::invalid("the name of a worklist is empty or too long", "give one of 1 to 200 characters"));
    }
    let is_modality = |text: &str| {
        (1..=16).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_')
    };
    if !is_modality(&filter.modality) {
        return Err(Error::invalid("the modality of a worklist is none", "give one as DICOM writes it, such as ECG"));
    }
    let is_date = |text: &String| text.len() == 8 && jiff::civil::Date::strptime("%Y%m%d", text).is_ok();
    if !filter.from.iter().chain(&filter.to).all(is_date) {
        return Err(Error::invalid(
            "a date of the worklist is none",
            "give from and to as YYYYMMDD, or leave them out",
        ));
    }
    if let (Some(from), Some(to)) = (&filter.from, &filter.to)
        && from > to
    {
        return Err(Error::invalid("the worklist ends before it begins", "give from as the earlier date"));
    }
    if filter.centre.as_ref().is_some_and(|centre| centre.is_empty() || centre.chars().count() > NAME_CHARS_MAX) {
        return Err(Error::invalid("the centre of the worklist is empty or too long", "leave it out for all centres"));
    }
    Ok(())
}

fn no_worklist() -> Error {
    Error::NotFound("a worklist of this id".into())
}

fn reading_error(error: impl std::fmt::Display) -> Error {
    Error::Reading(error.to_string())
}

#[cfg(test)]
mod tests;
