//! Who may read what: the choice of items for a reader.
//!
//! A claim is a lease: it is renewed by whatever its holder does and ends by itself, so that nothing waits for a page
//! that was closed. No item is held by two people at one stage.

use jiff::Timestamp;

use super::book::{Book, Item, Worklist};
use super::events::{Person, Stage};

/// Items one person may hold of one worklist at each stage.
pub const HELD_MAX: usize = 40;

/// What a reader asks for.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wanted {
    /// How many.
    pub(crate) count: usize,
    /// Of which reading; what there is if absent, first readings before second ones, adjudications never.
    pub(crate) stage: Option<Stage>,
    /// What the page has already: renewed, and not answered again.
    pub(crate) has: Vec<String>,
    /// The adjudication is a group's: its members may have been readers.
    pub(crate) group: bool,
}

/// What a reader is given: places of items.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Chosen {
    pub(crate) stage: Option<Stage>,
    /// To be claimed, or claimed anew.
    pub(crate) items: Vec<usize>,
    /// To be renewed alone.
    pub(crate) renewed: Vec<usize>,
}

/// Chooses at the stage that is asked for; the stages that may be meant are tried in order.
pub(super) fn choose(book: &Book, worklist: &Worklist, by: &Person, wanted: &Wanted, now: Timestamp) -> Chosen {
    let stages: &[Stage] = match &wanted.stage {
        Some(stage) => std::slice::from_ref(stage),
        None => &[Stage::First, Stage::Second],
    };
    let chosen = stages.iter().map(|stage| choose_at(book, worklist, by, wanted, *stage, now));
    let mut best = Chosen::default();
    for chosen in chosen {
        if !chosen.items.is_empty() {
            return chosen;
        }
        if best.stage.is_none() || !chosen.renewed.is_empty() {
            best = chosen;
        }
    }
    best
}

fn choose_at(book: &Book, worklist: &Worklist, by: &Person, wanted: &Wanted, stage: Stage, now: Timestamp) -> Chosen {
    let mut chosen = Chosen { stage: Some(stage), ..Chosen::default() };
    let (mut held, mut free) = (Vec::new(), Vec::new());
    for place in worklist.waiting[stage as usize].iter().copied() {
        let Some(item) = book.items.get(place) else { continue };
        match book.holder(item, stage, now) {
            Some(claim) if claim.by == *by && wanted.has.contains(&item.id) => chosen.renewed.push(place),
            // A page that was loaded again gets back what it had.
            Some(claim) if claim.by == *by => held.push(place),
            Some(_) => {}
            None if free.len() < wanted.count && may_read(book, item, by, stage, wanted.group) => free.push(place),
            None => {}
        }
    }
    let room = HELD_MAX.saturating_sub(held.len() + chosen.renewed.len());
    free.truncate(room);
    held.extend(free);
    held.truncate(wanted.count);
    chosen.items = held;
    chosen
}

/// Whether this person may read an item at a stage: never twice the same person, and nobody adjudicates between
/// themselves and another unless as one of a group.
pub(super) fn may_read(book: &Book, item: &Item, by: &Person, stage: Stage, group: bool) -> bool {
    let read = |stage| book.reading(item, stage).is_some_and(|saved| saved.by.is(by));
    match stage {
        // Read first, when the first reader took theirs back.
        Stage::First => !read(Stage::Second),
        Stage::Second => !read(Stage::First),
        Stage::Adjudication => group || !(read(Stage::First) || read(Stage::Second)),
    }
}

/// How many items of a stage this person could still be given.
pub(super) fn remaining(book: &Book, worklist: &Worklist, by: &Person, stage: Stage, now: Timestamp) -> usize {
    let items = worklist.waiting[stage as usize].iter().filter_map(|place| book.items.get(*place));
    items.filter(|item| book.holder(item, stage, now).is_none() && may_read(book, item, by, stage, false)).count()
}
