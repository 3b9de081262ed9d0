//! Who, when and with what: the elements of level 3, the maker and the preamble.

use super::cursor::Cursor;
use super::tag;
use crate::waveform::{PersonName, Recording, Sex, Time};

/// Takes what such an element says; whether it was one.
pub(super) fn take(recording: &mut Recording, element: &Cursor<'_>) -> bool {
    let value = element.value;
    match element.tag {
        tag::PRE => recording.title = element.text(value.get(4..).unwrap_or_default()),
        tag::MAN => {
            let text = element.said(&mut recording.warnings);
            let mut parts = text.split('^').map(|part| part.trim().to_owned());
            let maker = &mut recording.maker;
            for part in [&mut maker.name, &mut maker.model, &mut maker.version, &mut maker.serial] {
                *part = parts.next().unwrap_or_default();
            }
        }
        tag::PNM => recording.patient.name = name(&element.said(&mut recording.warnings)),
        tag::PID => {
            let text = element.said(&mut recording.warnings);
            let id = text.split('^').map(str::trim).find(|id| !id.is_empty());
            recording.patient.id = id.unwrap_or_default().to_owned();
        }
        tag::AGE => age(recording, element),
        tag::SEX => {
            recording.patient.sex = match value {
                [1] => Sex::Male,
                [2] => Sex::Female,
                [3] => Sex::Other,
                _ => Sex::Unknown,
            }
        }
        tag::TIM => recording.time = time(element),
        _ => return false,
    }
    true
}

/// `family^family kana^given^given kana^middle^middle kana`; also `full name^full kana`, which cannot be told from a family
/// name alone, and `family^given`, which field files write: there the second part is no kana.
fn name(text: &str) -> PersonName {
    let parts: Vec<&str> = text.split('^').map(str::trim).collect();
    let part = |at: usize| parts.get(at).copied().unwrap_or_default().to_owned();
    match parts.as_slice() {
        [_, second] if !is_kana(second) => PersonName { family: part(0), given: part(1), ..PersonName::default() },
        _ => PersonName {
            family: part(0),
            family_kana: part(1),
            given: part(2),
            given_kana: part(3),
            middle: part(4),
            middle_kana: part(5),
        },
    }
}

/// Whether all letters are hiragana or katakana, of half or full width.
fn is_kana(text: &str) -> bool {
    let mut letters = text.chars().filter(|c| !c.is_whitespace()).peekable();
    letters.peek().is_some() && letters.all(|c| matches!(c, '\u{3040}'..='\u{30FF}' | '\u{FF66}'..='\u{FF9F}'))
}

/// Years, days, year of birth, month, day; all bits set where nothing is known.
fn age(recording: &mut Recording, element: &Cursor<'_>) {
    let [years, _, _, a, b, month, day] = *element.value else { return };
    recording.patient.years = Some(years).filter(|years| *years != 0xFF);
    let birth = (element.word([a, b]), month, day);
    recording.patient.birth = Some(birth).filter(|(year, month, day)| is_date(*year, *month, *day));
}

/// Year, month, day; hour, minute, second; milliseconds; microseconds: as many of these as are known.
fn time(element: &Cursor<'_>) -> Option<Time> {
    let value = element.value;
    let [a, b, month, day, ref rest @ ..] = *value else { return None };
    let year = element.word([a, b]);
    let clock = match *rest {
        [hour, minute, second, ..] => Some((hour, minute, second)),
        _ => None,
    };
    let clock = clock.filter(|(hour, minute, second)| *hour < 24 && *minute < 60 && *second <= 60);
    let word =
        |at: usize| value.get(at..at + 2).map(|pair| element.word([pair[0], pair[1]])).filter(|word| *word < 1000);
    let milliseconds = word(7).filter(|_| clock.is_some());
    let microseconds = word(9).unwrap_or(0);
    let microsecond = milliseconds.map(|ms| u32::from(ms) * 1000 + u32::from(microseconds));
    is_date(year, month, day).then_some(Time { year, month, day, clock, microsecond })
}

fn is_date(year: u16, month: u8, day: u8) -> bool {
    let leap = year.is_multiple_of(4) && (!year.is_multiple_of(100) || year.is_multiple_of(400));
    let days = match month {
        2 => 28 + u8::from(leap),
        4 | 6 | 9 | 11 => 30,
        1..=12 => 31,
        _ => 0,
    };
    (1850..=9999).contains(&year) && (1..=days).contains(&day)
}
