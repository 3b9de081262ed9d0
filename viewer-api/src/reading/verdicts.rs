//! Whether a verdict may be saved, and whether one may be taken back.

use jiff::Timestamp;

use super::book::{Book, Item, UNDO_S};
use super::codes::Codes;
use super::events::{Person, Stage, Verdict};

/// Characters of the text of a verdict.
pub const TEXT_CHARS_MAX: usize = 2000;
/// Findings of a verdict.
pub const FINDINGS_MAX: usize = 32;
/// Characters of 管理区分.
const MANAGEMENT_CHARS_MAX: usize = 20;

/// What becomes of a verdict.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// It was saved before, just the same.
    Had,
    /// It is to be saved as this reading.
    New(Stage),
}

/// Why a verdict is not saved, or not taken back. The word is for programs; [`Refused::sentence`] is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    NotUuid,
    OtherContent,
    TooLong,
    UnknownCode,
    UnknownItem,
    NotClaimed,
    ReadMeanwhile,
    OwnReading,
    Settled,
    NotYours,
    TooLate,
    Seen,
}

impl Refused {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Refused::NotUuid => "not-a-uuid",
            Refused::OtherContent => "other-content",
            Refused::TooLong => "too-long",
            Refused::UnknownCode => "unknown-code",
            Refused::UnknownItem => "unknown-item",
            Refused::NotClaimed => "not-claimed",
            Refused::ReadMeanwhile => "read-meanwhile",
            Refused::OwnReading => "own-reading",
            Refused::Settled => "settled",
            Refused::NotYours => "not-yours",
            Refused::TooLate => "too-late",
            Refused::Seen => "seen",
        }
    }

    pub(crate) fn sentence(self) -> &'static str {
        match self {
            Refused::NotUuid => "the id is no UUID",
            Refused::OtherContent => "a verdict of this id was saved with other content",
            Refused::TooLong => "the text, the findings or the management are too long",
            Refused::UnknownCode => "a finding is not in the table of codes",
            Refused::UnknownItem => "there is no such item",
            Refused::NotClaimed => "the item was never claimed by you at this stage",
            Refused::ReadMeanwhile => "somebody else has read it meanwhile",
            Refused::OwnReading => "you have given the other verdict of this item yourself",
            Refused::Settled => "the item is decided and its result is told",
            Refused::NotYours => "there is no such verdict of yours",
            Refused::TooLate => "it was saved too long ago to be taken back",
            Refused::Seen => "it has been adjudicated, or the adjudicator has seen it",
        }
    }
}

type Checked<T> = Result<T, Refused>;

/// What is to become of a verdict that arrives now.
pub(super) fn check(book: &Book, codes: &Codes, verdict: &Verdict, by: &Person, now: Timestamp) -> Checked<Outcome> {
    if !is_uuid(&verdict.id) {
        return Err(Refused::NotUuid);
    }
    if let Some(had) = book.verdict(&verdict.id) {
        let same = had.verdict == *verdict && had.by == *by;
        return if same { Ok(Outcome::Had) } else { Err(Refused::OtherContent) };
    }
    let lengths = [(verdict.text.as_str(), TEXT_CHARS_MAX), (&verdict.management, MANAGEMENT_CHARS_MAX)];
    let too_long = lengths.iter().any(|(text, most)| text.chars().count() > *most);
    if too_long || verdict.findings.len() > FINDINGS_MAX {
        return Err(Refused::TooLong);
    }
    if !verdict.findings.iter().all(|code| codes.has(code)) {
        return Err(Refused::UnknownCode);
    }
    let item = book.item(&verdict.item).ok_or(Refused::UnknownItem)?;
    counted(book, item, verdict.stage, by, now).map(Outcome::New)
}

/// As which reading a verdict of this stage counts.
///
/// A claim that ended is no reason to lose a verdict: whoever saves first has read it. A first reading that comes second
/// was as blind as a second one, so it counts as that, also where one reader would have been enough.
fn counted(book: &Book, item: &Item, stage: Stage, by: &Person, now: Timestamp) -> Checked<Stage> {
    let claim = item.claims.iter().find(|claim| claim.by == *by && claim.stage == stage);
    let claim = claim.ok_or(Refused::NotClaimed)?;
    if book.is_settled(item, now) {
        return Err(Refused::Settled);
    }
    let reading = |stage| book.reading(item, stage);
    let own = |stage| reading(stage).is_some_and(|saved| saved.by.is(by));
    match stage {
        Stage::Adjudication if book.needs(item) != Some(Stage::Adjudication) => Err(Refused::ReadMeanwhile),
        Stage::Adjudication if !claim.group && (own(Stage::First) || own(Stage::Second)) => Err(Refused::OwnReading),
        Stage::Adjudication => Ok(stage),
        _ if own(Stage::First) || own(Stage::Second) => Err(Refused::OwnReading),
        // Whoever has seen the two verdicts is not blind any more.
        _ if item.shown || reading(Stage::Adjudication).is_some() => Err(Refused::ReadMeanwhile),
        Stage::First if reading(Stage::First).is_none() => Ok(Stage::First),
        _ if reading(Stage::Second).is_none() => Ok(Stage::Second),
        _ => Err(Refused::ReadMeanwhile),
    }
}

/// Whether a verdict may be taken back now. One that was taken back already is so still.
pub(super) fn check_undo(book: &Book, id: &str, by: &Person, now: Timestamp) -> Checked<Outcome> {
    let saved = book.verdict(id).filter(|saved| saved.by == *by).ok_or(Refused::NotYours)?;
    if saved.undone {
        return Ok(Outcome::Had);
    }
    let item = book.item(&saved.verdict.item).ok_or(Refused::UnknownItem)?;
    if book.is_settled(item, now) {
        return Err(Refused::Settled);
    }
    if now.as_second() - saved.at.as_second() >= UNDO_S {
        return Err(Refused::TooLate);
    }
    if item.shown && saved.counted != Stage::Adjudication {
        return Err(Refused::Seen);
    }
    Ok(Outcome::New(saved.counted))
}

/// As RFC 9562 writes it, lower case.
fn is_uuid(text: &str) -> bool {
    uuid::Uuid::try_parse(text).is_ok_and(|uuid| uuid.hyphenated().to_string() == text)
}
