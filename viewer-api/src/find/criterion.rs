//! One attribute against one value of a key (PS3.4 C.2.2.2.1 to C.2.2.2.5, C.2.2.2.7).

use archive::fold::{Name, NamePattern, is_wildcard, wildcard_matches};
use archive::{Match, Range};
use dicom_core::VR;
use serde_json::{Map, Value};

use super::{Matching, moment};
use crate::wado::is_uid;

/// Values in one list at the most.
const LIST_MAX: usize = 500;

/// What the values of an attribute are held against.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Criterion {
    /// Everything matches; the attribute is asked for.
    Universal,
    /// It has no value.
    Empty,
    /// A text, case included.
    Text(Match),
    /// A person's name.
    Name(Name),
    /// A number.
    Number(f64),
    /// A DA or TM: compared as they are written.
    Within(Range),
    /// A DT.
    Moments(Range),
}

/// Reads the value of a key of this Value Representation; a sentence's end if it is none it can have.
pub(crate) fn read(vr: Option<VR>, value: &str, matching: Matching) -> Result<Criterion, &'static str> {
    let value = value.trim_matches([' ', '\0']);
    if value == "\"\"" && matching.empty_value {
        return Ok(Criterion::Empty);
    }
    // A single star is allowed under any VR: it says no more than an empty value does.
    if value.chars().all(|c| c == '*') {
        return Ok(Criterion::Universal);
    }
    let range = |range: Option<Range>, why| range.ok_or(why);
    match vr {
        Some(VR::SQ) => Err("is of a sequence; name an attribute inside it, with a point between"),
        Some(VR::OB | VR::OD | VR::OF | VR::OL | VR::OV | VR::OW) => Err("is of bulk data, which is not matched"),
        Some(VR::UI) => uids(value).map(Criterion::Text),
        Some(VR::PN) => Ok(Criterion::Name(Name { text: value.to_owned(), fuzzy: matching.fuzzy })),
        Some(VR::DA) => {
            range(moment::range(value, moment::is_date), "is not a date or a range of dates").map(Criterion::Within)
        }
        Some(VR::TM) => {
            range(moment::range(value, moment::is_time), "is not a time or a range of times").map(Criterion::Within)
        }
        Some(VR::DT) => range(moment::range(value, moment::is_date_time), "is not a date-time or a range of these")
            .map(Criterion::Moments),
        Some(VR::CS | VR::AE | VR::AS | VR::AT) => codes(value).map(Criterion::Text),
        Some(vr) => match limits(vr) {
            Some((least, most)) => number(value, least, most).map(Criterion::Number),
            None => Ok(Criterion::Text(Match::of(value))),
        },
        None => Ok(Criterion::Text(Match::of(value))),
    }
}

/// The least and the greatest number of a VR of numbers; whole ones but for DS, FL, FD.
fn limits(vr: VR) -> Option<(f64, f64)> {
    match vr {
        VR::IS | VR::SL => Some((f64::from(i32::MIN), f64::from(i32::MAX))),
        VR::US => Some((0.0, f64::from(u16::MAX))),
        VR::SS => Some((f64::from(i16::MIN), f64::from(i16::MAX))),
        VR::UL => Some((0.0, f64::from(u32::MAX))),
        VR::SV | VR::UV => Some((-9.0e18, 1.8e19)),
        VR::DS | VR::FL | VR::FD => Some((f64::MIN, f64::MAX)),
        _ => None,
    }
}

fn number(value: &str, least: f64, most: f64) -> Result<f64, &'static str> {
    let number = value.parse::<f64>().ok().filter(|number| number.is_finite());
    let whole_if_asked = |number: &f64| most == f64::MAX || number.fract() == 0.0;
    let number = number.filter(|number| whole_if_asked(number) && (least..=most).contains(number));
    number.ok_or("is not a number it can have")
}

/// A list of UIDs, or one (PS3.4 C.2.2.2.2); separated by commas or backslashes (PS3.18 §8.3.4.1).
fn uids(value: &str) -> Result<Match, &'static str> {
    let list: Vec<&str> = value.split([',', '\\']).map(str::trim).collect();
    if list.len() > LIST_MAX {
        return Err("is a list of more than 500");
    }
    if !list.iter().all(|uid| is_uid(uid)) {
        return Err("is not a UID");
    }
    Ok(one_or_list(list))
}

fn codes(value: &str) -> Result<Match, &'static str> {
    if !value.contains([',', '\\']) {
        return Ok(Match::of(value));
    }
    let list: Vec<&str> = value.split([',', '\\']).map(str::trim).filter(|one| !one.is_empty()).collect();
    if list.is_empty() || list.len() > LIST_MAX || value.contains(['*', '?']) {
        return Err("is a list too long, of nothing, or with wildcards");
    }
    Ok(one_or_list(list))
}

fn one_or_list(list: Vec<&str>) -> Match {
    match list.as_slice() {
        [one] => Match::Single((*one).to_owned()),
        several => Match::List(several.iter().map(|&one| one.to_owned()).collect()),
    }
}

impl Criterion {
    /// Whether an attribute of a Data Set matches: one of its values does. `offset_minutes` is the Data Set's.
    pub(crate) fn matches(&self, element: Option<&Value>, offset_minutes: i64) -> bool {
        let values = element.and_then(|element| element.get("Value")).and_then(Value::as_array);
        let mut values = values.map(Vec::as_slice).unwrap_or_default().iter().filter(|value| !value.is_null());
        match self {
            Criterion::Universal => true,
            Criterion::Empty => values.next().is_none(),
            Criterion::Text(wanted) => values.any(|value| text_matches(wanted, &text(value))),
            Criterion::Name(name) => {
                let pattern = NamePattern::new(name);
                values.any(|value| pattern.matches(&text(value)))
            }
            Criterion::Number(wanted) => values.any(|value| as_number(value) == Some(*wanted)),
            Criterion::Within(range) => values.any(|value| within(range, &text(value))),
            Criterion::Moments(range) => values.any(|value| is_moment_in(range, &text(value), offset_minutes)),
        }
    }
}

fn as_number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok())
}

/// A value as DICOM writes it.
fn text(value: &Value) -> String {
    match value {
        Value::String(text) => text.trim_end_matches(' ').to_owned(),
        Value::Object(name) => person_name(name),
        other => other.to_string(),
    }
}

/// The component groups of a name (PS3.18 §F.2.2) as one text.
pub(crate) fn person_name(name: &Map<String, Value>) -> String {
    let group = |keyword: &str| name.get(keyword).and_then(Value::as_str).unwrap_or("");
    let whole = format!("{}={}={}", group("Alphabetic"), group("Ideographic"), group("Phonetic"));
    whole.trim_end_matches('=').to_owned()
}

fn text_matches(wanted: &Match, text: &str) -> bool {
    match wanted {
        Match::Single(one) => one == text,
        Match::Wildcard(pattern) => is_wildcard(pattern) && wildcard_matches(pattern, text),
        Match::List(several) => several.iter().any(|one| one == text),
    }
}

/// Values may be written longer than a bound (TM 0930 and 093000.5): all that begin with it are within.
pub(crate) fn within(range: &Range, text: &str) -> bool {
    !text.is_empty()
        && range.from.as_deref().is_none_or(|from| text >= from)
        && range.to.as_deref().is_none_or(|to| text <= to || text.starts_with(to))
}

fn is_moment_in(range: &Range, text: &str, offset_minutes: i64) -> bool {
    let Some((first, last)) = moment::microseconds(text, offset_minutes) else { return false };
    let bound = |bound: &Option<String>| bound.as_deref().and_then(|one| moment::microseconds(one, offset_minutes));
    bound(&range.from).is_none_or(|(from, _)| last >= from) && bound(&range.to).is_none_or(|(_, to)| first <= to)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check(vr: VR, key: &str, value: Value, expected: bool) {
        let criterion = read(Some(vr), key, Matching { empty_value: true, ..Matching::default() }).unwrap();
        let element = json!({ "vr": vr.to_string(), "Value": [value] });
        assert_eq!(criterion.matches(Some(&element), 540), expected, "{vr} {key} {element}");
    }

    /// Proves each kind of matching by values that match and values that do not.
    #[test]
    fn values_match_by_their_representation() {
        check(VR::LO, "Chest", json!("Chest"), true);
        check(VR::LO, "chest", json!("Chest"), false);
        check(VR::LO, "C*t", json!("Chest"), true);
        check(VR::LO, "C?t", json!("Chest"), false);
        check(VR::CS, "CT\\MR", json!("MR"), true);
        check(VR::UI, "1.2,1.3", json!("1.3"), true);
        check(VR::IS, "007", json!(7), true);
        check(VR::DS, "1.50", json!("1.5"), true);
        check(VR::US, "512", json!(511), false);
        check(VR::DA, "20260101-20260131", json!("20260115"), true);
        check(VR::DA, "-20260101", json!("20260102"), false);
        check(VR::TM, "1030-1045", json!("104559.9"), true);
        check(VR::TM, "1030-", json!("1029"), false);
        check(VR::TM, "10", json!("103000"), true);
        check(VR::DT, "20260101-20260102", json!("20260102235959.999+0900"), true);
        check(VR::DT, "20260101-20260102", json!("20260102235959.999-0500"), false);
        check(VR::PN, "yamada*", json!({ "Alphabetic": "Yamada^Tarou" }), true);
        check(VR::PN, "山田^太郎", json!({ "Alphabetic": "Y", "Ideographic": "山田^太郎" }), true);
        check(VR::LO, "\"\"", json!(null), true);
        check(VR::LO, "\"\"", json!("x"), false);
        check(VR::LO, "x", json!(null), false);
        check(VR::LO, "*", json!(null), true);
    }

    /// Proves that what is no value of its representation is refused.
    #[test]
    fn what_is_no_value_is_refused() {
        for (vr, key) in [
            (VR::DA, "2026-04-01"),
            (VR::DA, "20260231"),
            (VR::DA, "-"),
            (VR::TM, "2561"),
            (VR::UI, "1.2.*"),
            (VR::UI, "1.2,,1.3"),
            (VR::IS, "one"),
            (VR::IS, "1.5"),
            (VR::US, "70000"),
            (VR::SQ, "x"),
            (VR::OW, "x"),
            (VR::CS, "C*,MR"),
            (VR::DT, "202613"),
        ] {
            assert!(read(Some(vr), key, Matching::default()).is_err(), "{vr} {key}");
        }
    }
}
