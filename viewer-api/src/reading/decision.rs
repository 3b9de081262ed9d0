//! What the readings of an item come to.

use jiff::Timestamp;

use super::book::{Book, Item, Saved};
use super::codes::Codes;
use super::events::{Stage, Word};

/// The result of an item that is decided.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Decision {
    /// The verdict that came last of those that decide: the report's name.
    pub(super) verdict_id: String,
    pub(super) word: Word,
    pub(super) urgent: bool,
    /// Of an adjudication its own; of two that agree those of both.
    pub(super) findings: Vec<String>,
    pub(super) edition: String,
    pub(super) text: String,
    pub(super) management: String,
    /// Everybody who read, in the order of the readings.
    pub(super) readers: Vec<String>,
    pub(super) at: Timestamp,
}

impl Word {
    /// As programs call it.
    pub(super) fn word(self) -> &'static str {
        match self {
            Word::Normal => "normal",
            Word::FollowUp => "follow-up",
            Word::Refer => "refer",
        }
    }

    /// As the school calls it.
    pub(super) fn japanese(self) -> &'static str {
        match self {
            Word::Normal => "異常なし",
            Word::FollowUp => "経過観察",
            Word::Refer => "要受診",
        }
    }

    pub(super) fn of(word: &str) -> Option<Word> {
        [Word::Normal, Word::FollowUp, Word::Refer].into_iter().find(|one| one.word() == word)
    }
}

/// What an item was decided to be; `None` while it waits for a reading.
pub(super) fn of(book: &Book, item: &Item) -> Option<Decision> {
    let at = item.decided_at?;
    let stages = [Stage::First, Stage::Second, Stage::Adjudication];
    let readings: Vec<&Saved> = stages.iter().filter_map(|stage| book.reading(item, *stage)).collect();
    let readers = readings.iter().map(|saved| saved.by.name.clone()).collect();
    let deciding: Vec<&Saved> = match book.reading(item, Stage::Adjudication) {
        Some(adjudicated) => vec![adjudicated],
        None => readings,
    };
    let last = deciding.iter().max_by_key(|saved| saved.at)?;
    let (mut findings, mut texts) = (Vec::<String>::new(), Vec::<&str>::new());
    for saved in &deciding {
        for code in saved.verdict.findings.iter().filter(|_| saved.edition == last.edition) {
            if !findings.contains(code) {
                findings.push(code.clone());
            }
        }
        let text = saved.verdict.text.trim();
        if !text.is_empty() && !texts.contains(&text) {
            texts.push(text);
        }
    }
    let management = deciding.iter().map(|saved| saved.verdict.management.trim()).find(|it| !it.is_empty());
    Some(Decision {
        verdict_id: last.verdict.id.clone(),
        word: last.verdict.verdict,
        urgent: last.verdict.urgent,
        findings,
        edition: last.edition.clone(),
        text: texts.join(" / "),
        management: management.unwrap_or_default().to_owned(),
        readers,
        at,
    })
}

/// Code and Japanese words of findings; a code of a table that is not known stands for itself.
pub(super) fn in_words(edition: &str, findings: &[String]) -> Vec<(String, String)> {
    let codes = Codes::known(edition);
    let words = |code: &String| codes.and_then(|codes| codes.find(code)).map(|finding| finding.ja.clone());
    findings.iter().map(|code| (code.clone(), words(code).unwrap_or_else(|| code.clone()))).collect()
}
