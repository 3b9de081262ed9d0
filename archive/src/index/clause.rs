//! WHERE clauses: terms of a query in SQL.

use rusqlite::Connection;
use rusqlite::functions::{Context, FunctionFlags};
use rusqlite::types::Value;

use super::query::{Column, Match, Range, Test};
use crate::error::Result;
use crate::fold::{self, Name, NamePattern};

/// A WHERE clause in the making, with its parameters.
#[derive(Default)]
pub(super) struct Clause {
    pub terms: Vec<String>,
    pub values: Vec<Value>,
}

impl Clause {
    /// These terms.
    pub fn of(terms: &[(Column, Test)]) -> Clause {
        let mut clause = Clause::default();
        clause.all(terms);
        clause
    }

    /// Adds one.
    pub fn term(&mut self, sql: String, value: impl Into<Value>) {
        self.terms.push(sql);
        self.values.push(value.into());
    }

    /// Adds these.
    pub fn all(&mut self, terms: &[(Column, Test)]) {
        for (column, test) in terms {
            match column {
                Column::ModalitiesInStudy => self.modalities(test),
                _ => self.test(column.sql(), test),
            }
        }
    }

    fn test(&mut self, column: &str, test: &Test) {
        match test {
            Test::Match(wanted) => self.matching(column, wanted),
            Test::Within(range) => self.within(column, range),
            Test::Name(name) => self.name(column, name),
            Test::Number(number) => self.term(format!("{column} = ?"), *number),
            Test::Empty => self.terms.push(format!("ifnull({column}, '') = ''")),
        }
    }

    fn matching(&mut self, column: &str, wanted: &Match) {
        match wanted {
            Match::Single(text) => self.term(format!("{column} = ?"), text.clone()),
            Match::Wildcard(text) if text.chars().all(|c| c == '*') => {}
            Match::Wildcard(text) => self.term(format!("{column} GLOB ?"), glob(text)),
            Match::List(texts) => {
                self.terms.push(format!("{column} IN ({})", vec!["?"; texts.len()].join(", ")));
                self.values.extend(texts.iter().cloned().map(Value::from));
            }
        }
    }

    /// A range of dates or times.
    pub fn within(&mut self, column: &str, range: &Range) {
        if let Some(from) = &range.from {
            self.term(format!("{column} >= ?"), from.clone());
        }
        if let Some(to) = &range.to {
            // Values may be written longer than the bound (TM 0930 and 093000.5): all that begin with it are within.
            self.term(format!("{column} <= ?"), format!("{to}\u{10FFFF}"));
        }
        self.terms.push(format!("{column} <> ''"));
    }

    fn name(&mut self, column: &str, name: &Name) {
        if name.is_universal() {
            return;
        }
        let key = fold::key(name.text.trim_end_matches('='));
        if column == Column::PatientName.sql() && !name.fuzzy && !key.contains('=') {
            // Its key is in a column, so that nothing has to be folded row by row.
            return self.term("study.PatientNameKey GLOB ?".into(), format!("*={}=*", glob(&key)));
        }
        let function = if name.fuzzy { "name_resembles" } else { "name_matches" };
        self.term(format!("{function}({column}, ?)"), name.text.clone());
    }

    fn modalities(&mut self, test: &Test) {
        let mut inner = Clause::default();
        inner.test(Column::ModalitiesInStudy.sql(), test);
        for term in inner.terms {
            self.terms.push(format!("EXISTS (SELECT 1 FROM series AS of WHERE of.study = study.id AND {term})"));
        }
        self.values.append(&mut inner.values);
    }

    /// The clause, with a space before it; nothing where everything matches.
    pub fn sql(&self) -> String {
        if self.terms.is_empty() { String::new() } else { format!(" WHERE {}", self.terms.join(" AND ")) }
    }
}

/// DICOM wildcards as SQLite's GLOB has them; `[` is no wildcard in DICOM.
fn glob(pattern: &str) -> String {
    pattern.replace('[', "[[]")
}

/// The functions that clauses call.
pub(super) fn add_functions(connection: &Connection) -> Result<()> {
    let flags = FunctionFlags::SQLITE_UTF8 | FunctionFlags::SQLITE_DETERMINISTIC;
    connection.create_scalar_function("name_matches", 2, flags, |context| named(context, false))?;
    connection.create_scalar_function("name_resembles", 2, flags, |context| named(context, true))?;
    Ok(())
}

fn named(context: &Context<'_>, fuzzy: bool) -> rusqlite::Result<bool> {
    let pattern = context.get_or_create_aux(1, |text| {
        text.as_str().map(|text| NamePattern::new(&Name { text: text.to_owned(), fuzzy }))
    })?;
    // PS3.5 §6.2: several names are parted by backslashes.
    Ok(context.get_raw(0).as_str().unwrap_or("").split('\\').any(|name| pattern.matches(name)))
}
