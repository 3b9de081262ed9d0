//! The tables, folded from the log event by event: worklists, items, who holds what, verdicts.
//!
//! Nothing here reads a clock: what depends on the time is asked with it. A line that makes no sense where it stands is
//! passed over, so that the same log gives the same tables on any day.

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use super::events::{Device, Double, Event, Filter, NewItem, Person, Row, Stage, Verdict};

/// A claim ends after so many seconds without a claim or verdict of the one who has it.
pub const LEASE_S: i64 = 900;
/// And after so many in any case.
pub const HELD_S_MAX: i64 = 4 * 3600;
/// A verdict can be taken back for so many seconds; until then nobody is told of it.
pub const UNDO_S: i64 = 300;

/// A worklist.
#[derive(Debug)]
pub(super) struct Worklist {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) filter: Filter,
    /// Everything that was there when it was made is in it.
    pub(super) filled: bool,
    pub(super) items: Vec<usize>,
    studies: HashSet<String>,
    /// Items that wait for each reading.
    pub(super) waiting: [BTreeSet<usize>; 3],
    pub(super) exports: Vec<Export>,
    /// What was sent last of each item.
    pub(super) sent: HashMap<String, Row>,
}

/// Results that were sent.
#[derive(Debug)]
pub(super) struct Export {
    pub(super) number: u64,
    pub(super) at: Timestamp,
    pub(super) rows: Vec<Row>,
}

/// An item of a worklist.
#[derive(Debug)]
pub(super) struct Item {
    pub(super) worklist: usize,
    pub(super) id: String,
    pub(super) study: String,
    pub(super) series: String,
    pub(super) instance: String,
    pub(super) centre: String,
    pub(super) date: String,
    /// Two readers are needed.
    pub(super) two: bool,
    /// Verdicts that count, by stage: places in the book.
    pub(super) readings: [Option<usize>; 3],
    pub(super) claims: Vec<Claim>,
    /// An adjudicator has seen the two verdicts.
    pub(super) shown: bool,
    pub(super) decided_at: Option<Timestamp>,
}

/// That somebody reads an item, or did.
#[derive(Debug)]
pub(super) struct Claim {
    pub(super) by: Person,
    pub(super) stage: Stage,
    pub(super) group: bool,
    pub(super) since: Timestamp,
    /// Claimed again by the same person then.
    pub(super) renewed: Timestamp,
    /// Neither given up nor answered by a verdict.
    pub(super) open: bool,
}

/// A verdict that was saved.
#[derive(Debug)]
pub(super) struct Saved {
    pub(super) verdict: Verdict,
    pub(super) counted: Stage,
    pub(super) edition: String,
    pub(super) by: Person,
    pub(super) at: Timestamp,
    pub(super) undone: bool,
}

/// The tables.
#[derive(Debug, Default)]
pub(super) struct Book {
    pub(super) worklists: Vec<Worklist>,
    pub(super) items: Vec<Item>,
    pub(super) verdicts: Vec<Saved>,
    pub(super) item_by_id: HashMap<String, usize>,
    pub(super) verdict_by_id: HashMap<String, usize>,
    /// When each reader did something last.
    active: HashMap<Person, Timestamp>,
    /// Take-in number up to which everything was looked at.
    pub(super) through: u64,
    /// Decided items without a report.
    pub(super) unreported: BTreeSet<usize>,
}

/// Whether two verdicts say the same to do. Findings may differ: they are put together.
fn agree(a: &Verdict, b: &Verdict) -> bool {
    (a.verdict, a.urgent) == (b.verdict, b.urgent)
}

impl Book {
    /// Takes one line of the log into the tables.
    pub(super) fn apply(&mut self, at: Timestamp, event: Event) {
        match event {
            Event::WorklistCreated { worklist, name, filter, .. } => self.add_worklist(worklist, name, filter),
            Event::ItemsJoined { worklist, items, filled } => self.join(&worklist, items, filled),
            Event::LookedThrough { through } => self.through = self.through.max(through),
            Event::Claimed { items, stage, by, group } => {
                items.iter().for_each(|item| self.claim(item, stage, &by, group, at));
                self.active.insert(by, at);
            }
            Event::Released { item, by } => {
                if let Some(item) = self.item_by_id.get(&item).and_then(|place| self.items.get_mut(*place)) {
                    item.claims.iter_mut().filter(|claim| claim.by == by).for_each(|claim| claim.open = false);
                }
                self.active.insert(by, at);
            }
            Event::Read { verdict, counted, edition, by } => {
                self.active.insert(by.clone(), at);
                self.read(Saved { verdict, counted, edition, by, at, undone: false });
            }
            Event::Undone { id, by } => {
                self.undo(&id, &by, at);
                self.active.insert(by, at);
            }
            Event::Exported { worklist, number, rows, .. } => {
                // Of two of one number, which two processes sent at the same moment, the first counts.
                let is_next = |it: &&mut Worklist| it.id == worklist && it.exports.len() as u64 + 1 == number;
                if let Some(worklist) = self.worklists.iter_mut().find(is_next) {
                    worklist.sent.extend(rows.iter().map(|row| (row.item.clone(), row.clone())));
                    worklist.exports.push(Export { number, at, rows });
                }
            }
            Event::Reported { item, .. } => {
                if let Some(place) = self.item_by_id.get(&item) {
                    self.unreported.remove(place);
                }
            }
        }
    }

    pub(super) fn worklist(&self, id: &str) -> Option<&Worklist> {
        self.worklists.iter().find(|worklist| worklist.id == id)
    }

    pub(super) fn item(&self, id: &str) -> Option<&Item> {
        self.items.get(*self.item_by_id.get(id)?)
    }

    pub(super) fn verdict(&self, id: &str) -> Option<&Saved> {
        self.verdicts.get(*self.verdict_by_id.get(id)?)
    }

    /// The verdict that counts at a stage.
    pub(super) fn reading(&self, item: &Item, stage: Stage) -> Option<&Saved> {
        self.verdicts.get(item.readings[stage as usize]?)
    }

    /// Whether a study is in a worklist.
    pub(super) fn holds(&self, worklist: &str, study: &str) -> bool {
        self.worklist(worklist).is_some_and(|worklist| worklist.studies.contains(study))
    }

    /// The reading an item waits for; `None` where it is decided.
    pub(super) fn needs(&self, item: &Item) -> Option<Stage> {
        if self.reading(item, Stage::Adjudication).is_some() {
            return None;
        }
        match (self.reading(item, Stage::First), self.reading(item, Stage::Second)) {
            (None, _) => Some(Stage::First),
            (Some(_), None) => item.two.then_some(Stage::Second),
            (Some(first), Some(second)) => (!agree(&first.verdict, &second.verdict)).then_some(Stage::Adjudication),
        }
    }

    /// Decided, and nobody can take it back any more: from here on it is told.
    pub(super) fn is_settled(&self, item: &Item, now: Timestamp) -> bool {
        item.decided_at.is_some_and(|at| now.as_second() - at.as_second() >= UNDO_S)
    }

    /// Who holds an item at a stage now.
    pub(super) fn holder<'a>(&self, item: &'a Item, stage: Stage, now: Timestamp) -> Option<&'a Claim> {
        item.claims.iter().find(|claim| claim.stage == stage && self.is_held(claim, now))
    }

    pub(super) fn is_held(&self, claim: &Claim, now: Timestamp) -> bool {
        claim.open && now < self.held_until(claim)
    }

    /// When a claim ends by itself if its holder does nothing more.
    pub(super) fn held_until(&self, claim: &Claim) -> Timestamp {
        let active = self.active.get(&claim.by).copied().unwrap_or(claim.renewed).max(claim.renewed);
        let end = (active.as_second() + LEASE_S).min(claim.since.as_second() + HELD_S_MAX);
        Timestamp::from_second(end).unwrap_or(active)
    }

    fn add_worklist(&mut self, id: String, name: String, filter: Filter) {
        if self.worklist(&id).is_none() {
            self.worklists.push(Worklist {
                id,
                name,
                filter,
                filled: false,
                items: Vec::new(),
                studies: HashSet::new(),
                waiting: Default::default(),
                exports: Vec::new(),
                sent: HashMap::new(),
            });
        }
    }

    fn join(&mut self, worklist: &str, items: Vec<NewItem>, filled: bool) {
        let Some(place) = self.worklists.iter().position(|it| it.id == worklist) else { return };
        let Some(worklist) = self.worklists.get_mut(place) else { return };
        worklist.filled |= filled;
        for new in items {
            if self.item_by_id.contains_key(&new.item) || !worklist.studies.insert(new.study.clone()) {
                continue;
            }
            let two = match worklist.filter.double {
                Double::All => true,
                // A device that says nothing has not said that it is normal.
                Double::DeviceAbnormal => new.device != Device::Normal,
                Double::None => false,
            };
            let number = self.items.len();
            worklist.items.push(number);
            worklist.waiting[Stage::First as usize].insert(number);
            self.item_by_id.insert(new.item.clone(), number);
            self.items.push(Item {
                worklist: place,
                id: new.item,
                study: new.study,
                series: new.series,
                instance: new.instance,
                centre: new.centre,
                date: new.date,
                two,
                readings: [None; 3],
                claims: Vec::new(),
                shown: false,
                decided_at: None,
            });
        }
    }

    fn claim(&mut self, item: &str, stage: Stage, by: &Person, group: bool, at: Timestamp) {
        let Some(item) = self.item_by_id.get(item).and_then(|place| self.items.get_mut(*place)) else { return };
        item.shown |= stage == Stage::Adjudication;
        // Whoever had it before and let it lapse does not get it back by being active elsewhere.
        item.claims.iter_mut().filter(|it| it.stage == stage && it.by != *by).for_each(|claim| claim.open = false);
        match item.claims.iter_mut().find(|claim| claim.stage == stage && claim.by == *by) {
            // One that ended begins anew; one that lasts is renewed, and ends in any case when it would have.
            Some(claim) if claim.open => {
                claim.renewed = at;
                if at.as_second() >= claim.since.as_second() + HELD_S_MAX {
                    claim.since = at;
                }
            }
            Some(claim) => *claim = Claim { by: by.clone(), stage, group, since: at, renewed: at, open: true },
            None => item.claims.push(Claim { by: by.clone(), stage, group, since: at, renewed: at, open: true }),
        }
    }

    fn read(&mut self, saved: Saved) {
        let Some(place) = self.item_by_id.get(&saved.verdict.item).copied() else { return };
        let number = self.verdicts.len();
        let Some(item) = self.items.get_mut(place) else { return };
        let slot = &mut item.readings[saved.counted as usize];
        if slot.is_some() || self.verdict_by_id.contains_key(&saved.verdict.id) {
            return;
        }
        *slot = Some(number);
        let own = |claim: &&mut Claim| claim.by == saved.by && claim.stage == saved.verdict.stage;
        item.claims.iter_mut().filter(own).for_each(|claim| claim.open = false);
        let at = saved.at;
        self.verdict_by_id.insert(saved.verdict.id.clone(), number);
        self.verdicts.push(saved);
        self.settle(place, at);
    }

    /// A verdict taken back gives the item to its reader again.
    fn undo(&mut self, id: &str, by: &Person, at: Timestamp) {
        let Some(number) = self.verdict_by_id.get(id).copied() else { return };
        let Some(saved) = self.verdicts.get_mut(number).filter(|saved| saved.by == *by && !saved.undone) else {
            return;
        };
        saved.undone = true;
        let (item, counted) = (saved.verdict.item.clone(), saved.counted);
        let Some(place) = self.item_by_id.get(&item).copied() else { return };
        let Some(found) = self.items.get_mut(place) else { return };
        let group = found.claims.iter().any(|claim| claim.by == *by && claim.group);
        found.readings[counted as usize] = None;
        // A late verdict counted as another reading than it was claimed for.
        self.claim(&item, counted, by, group, at);
        self.settle(place, at);
    }

    /// Puts an item where it waits now.
    fn settle(&mut self, place: usize, at: Timestamp) {
        let Some(needs) = self.items.get(place).map(|item| self.needs(item)) else { return };
        let Some(item) = self.items.get_mut(place) else { return };
        item.decided_at = if needs.is_none() { Some(at) } else { None };
        if let Some(worklist) = self.worklists.get_mut(item.worklist) {
            for (stage, waiting) in worklist.waiting.iter_mut().enumerate() {
                match needs.is_some_and(|needed| needed as usize == stage) {
                    true => waiting.insert(place),
                    false => waiting.remove(&place),
                };
            }
        }
        match needs {
            None => self.unreported.insert(place),
            Some(_) => self.unreported.remove(&place),
        };
    }
}
