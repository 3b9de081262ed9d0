//! Codes of findings: a table that comes with the program as data, by edition.

use std::collections::HashMap;
use std::sync::LazyLock;

use crate::error::{Error, Result};

/// The edition verdicts are given by.
pub const EDITION: &str = "tsunagu-2026.1";
/// Every edition there was: what an old verdict says is still understood.
const EDITIONS: &[(&str, &str)] = &[(EDITION, include_str!("../../data/findings/tsunagu-2026.1.csv"))];
/// What the columns are.
const HEAD: [&str; 5] = ["code", "group", "urgent", "ja", "en"];

/// All of them, read once.
static TABLES: LazyLock<Vec<Codes>> =
    LazyLock::new(|| EDITIONS.iter().filter_map(|(edition, _)| Codes::of(edition).ok()).collect());

/// One finding.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    pub(crate) code: String,
    pub(crate) group: String,
    /// Handled at once where it is found.
    pub(crate) urgent: bool,
    pub(crate) ja: String,
    pub(crate) en: String,
}

/// The table of an edition.
#[derive(Debug)]
pub(crate) struct Codes {
    pub(crate) edition: &'static str,
    /// As in the file.
    pub(crate) findings: Vec<Finding>,
    places: HashMap<String, usize>,
}

impl Codes {
    /// The table of an edition.
    ///
    /// # Errors
    /// [`Error::NotFound`] for one that never was; [`Error::Reading`] for a table that is not as it should be.
    pub(crate) fn of(edition: &str) -> Result<Codes> {
        let found = EDITIONS.iter().find(|(name, _)| *name == edition);
        let (edition, text) = found.ok_or_else(|| Error::NotFound("a table of findings of this edition".into()))?;
        let findings =
            parse(text).map_err(|line| Error::Reading(format!("{edition}.csv: line {line} is no finding")))?;
        let places = findings.iter().enumerate().map(|(place, finding)| (finding.code.clone(), place)).collect();
        Ok(Codes { edition, findings, places })
    }

    /// The same, for what was said by it: it is read once. `None` for an edition that never was.
    pub(crate) fn known(edition: &str) -> Option<&'static Codes> {
        TABLES.iter().find(|codes| codes.edition == edition)
    }

    pub(crate) fn has(&self, code: &str) -> bool {
        self.places.contains_key(code)
    }

    pub(crate) fn find(&self, code: &str) -> Option<&Finding> {
        self.findings.get(*self.places.get(code)?)
    }
}

/// The findings of a table, or the number of the line that is none.
fn parse(text: &str) -> Result<Vec<Finding>, usize> {
    let lines = text.lines().enumerate().filter(|(_, line)| !line.starts_with('#') && !line.is_empty());
    let mut findings: Vec<Finding> = Vec::new();
    for (index, (number, line)) in lines.enumerate() {
        let cells: [String; 5] = cells(line).try_into().map_err(|_| number + 1)?;
        if index == 0 {
            if cells != HEAD {
                return Err(number + 1);
            }
            continue;
        }
        let [code, group, urgent, ja, en] = cells;
        let known = findings.iter().any(|finding| finding.code == code);
        if known || code.is_empty() || code.len() > 16 || !["yes", "no"].contains(&urgent.as_str()) {
            return Err(number + 1);
        }
        findings.push(Finding { code, group, urgent: urgent == "yes", ja, en });
    }
    Ok(findings)
}

/// The cells of a line (RFC 4180, without line breaks in cells).
fn cells(line: &str) -> Vec<String> {
    let (mut out, mut quoted) = (vec![String::new()], false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if quoted && characters.peek() == Some(&'"') => {
                characters.next();
                out.last_mut().into_iter().for_each(|cell| cell.push('"'));
            }
            '"' => quoted = !quoted,
            ',' if !quoted => out.push(String::new()),
            other => out.last_mut().into_iter().for_each(|cell| cell.push(other)),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves that each table that ships is read whole, and that no code of it looks like a number of the guideline.
    #[test]
    fn the_tables_that_ship_are_whole() {
        for (edition, _) in EDITIONS {
            let codes = Codes::of(edition).unwrap();
            assert!(codes.findings.len() > 40);
            for finding in &codes.findings {
                assert!(!finding.ja.is_empty() && !finding.en.is_empty() && !finding.group.is_empty(), "{finding:?}");
                assert!(finding.code.starts_with(|c: char| c.is_ascii_uppercase()), "{finding:?}");
            }
            let groups =
                ["Q", "axis", "hypertrophy", "ST", "T", "AV conduction", "intraventricular conduction", "rhythm"];
            assert!(groups.iter().all(|group| codes.findings.iter().any(|finding| finding.group == *group)));
            assert!(["RH-VT", "QT-L", "AV-3", "PH"].iter().all(|code| codes.find(code).unwrap().urgent));
        }
        assert!(Codes::of("none").is_err());
        assert!(std::ptr::eq(Codes::known(EDITION).unwrap(), Codes::known(EDITION).unwrap()), "read once");
        assert!(Codes::known("none").is_none());
    }

    #[test]
    fn a_wrong_line_is_named() {
        let check = |text: &str, expected| assert_eq!(parse(text), expected, "{text}");
        check(
            "code,group,urgent,ja,en\nA,g,no,\"あ, \"\"い\"\"\",a\n",
            Ok(vec![Finding {
                code: "A".into(),
                group: "g".into(),
                urgent: false,
                ja: "あ, \"い\"".into(),
                en: "a".into(),
            }]),
        );
        check("# note\ncode,group,ja,en\n", Err(2));
        check("code,group,urgent,ja,en\nA,g,no,あ,a\nA,g,no,い,b\n", Err(3));
        check("code,group,urgent,ja,en\nA,g,maybe,あ,a\n", Err(2));
    }
}
