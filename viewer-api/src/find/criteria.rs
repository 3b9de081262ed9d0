//! All criteria of a search that a Data Set is held against, item by item within sequences (PS3.4 C.2.2.2.6).

use std::collections::BTreeMap;

use archive::Range;
use serde_json::{Map, Value};

use super::criterion::{self, Criterion};
use super::{dictionary, moment};

/// Dates with the times that belong to them (PS3.4 C.2.2.2.5.4).
const PAIRS: &[(u32, u32)] = &[
    (0x0008_0012, 0x0008_0013),
    (0x0008_0020, 0x0008_0030),
    (0x0008_0021, 0x0008_0031),
    (0x0008_0022, 0x0008_0032),
    (0x0008_0023, 0x0008_0033),
    (0x0010_0030, 0x0010_0032),
    (0x0032_1040, 0x0032_1041),
    (0x0040_0002, 0x0040_0003),
    (0x0040_0004, 0x0040_0005),
    (0x0040_0244, 0x0040_0245),
    (0x0040_0250, 0x0040_0251),
    (0x0040_2004, 0x0040_2005),
];

/// Criteria for one Data Set or one item.
#[derive(Clone, Debug, Default, PartialEq)]
pub(crate) struct Criteria {
    /// Attributes with what they are held against.
    pub(crate) own: Vec<(u32, Criterion)>,
    /// A date and a time as one range.
    pub(crate) pairs: Vec<(u32, u32, Range)>,
    /// Of one and the same item of a sequence.
    sequences: BTreeMap<u32, Criteria>,
}

impl Criteria {
    /// Adds one; a path goes through sequences.
    pub(crate) fn add(&mut self, path: &[u32], criterion: Criterion) {
        match path {
            [] => {}
            [tag] => self.own.push((*tag, criterion)),
            [sequence, rest @ ..] => self.sequences.entry(*sequence).or_default().add(rest, criterion),
        }
    }

    /// Joins dates with their times where both are ranges of the same form; the date's own range stays as well.
    pub(crate) fn combine(&mut self) {
        for (date, time) in PAIRS {
            let of = |tag: &u32| {
                self.own.iter().position(|(of, criterion)| of == tag && matches!(criterion, Criterion::Within(_)))
            };
            let (Some(date_at), Some(time_at)) = (of(date), of(time)) else { continue };
            let range = |at: usize| match self.own.get(at) {
                Some((_, Criterion::Within(range))) => Some(range.clone()),
                _ => None,
            };
            if let Some(range) = range(date_at).zip(range(time_at)).and_then(|(date, time)| joined(&date, &time)) {
                self.pairs.push((*date, *time, range));
                self.own.remove(time_at);
            }
        }
        self.sequences.values_mut().for_each(Criteria::combine);
    }

    /// An attribute whose range ends before it begins, so that it could match nothing.
    pub(crate) fn backwards(&self) -> Option<u32> {
        let own = self.own.iter().find(|(_, criterion)| match criterion {
            Criterion::Within(range) => moment::is_backwards(range),
            _ => false,
        });
        let pairs = || self.pairs.iter().find(|(_, _, range)| moment::is_backwards(range)).map(|(date, _, _)| *date);
        let sequences = || self.sequences.values().find_map(Criteria::backwards);
        own.map(|(tag, _)| *tag).or_else(pairs).or_else(sequences)
    }

    /// Whether every Data Set matches.
    pub(crate) fn is_universal(&self) -> bool {
        self.pairs.is_empty()
            && self.own.iter().all(|(_, criterion)| *criterion == Criterion::Universal)
            && self.sequences.values().all(Criteria::is_universal)
    }

    /// The attributes of the Data Set itself that must be known.
    pub(crate) fn tags(&self) -> impl Iterator<Item = u32> {
        let own = self.own.iter().filter(|(_, criterion)| *criterion != Criterion::Universal).map(|(tag, _)| *tag);
        let sequences = self.sequences.iter().filter(|(_, inner)| !inner.is_universal()).map(|(tag, _)| *tag);
        own.chain(self.pairs.iter().flat_map(|(date, time, _)| [*date, *time])).chain(sequences)
    }

    /// What is asked of the items of a sequence.
    pub(crate) fn inside(&self, sequence: u32) -> Option<&Criteria> {
        self.sequences.get(&sequence)
    }

    /// Whether a Data Set matches.
    pub(crate) fn matches(&self, data_set: &Map<String, Value>) -> bool {
        let said = first_text(data_set, 0x0008_0201).and_then(|offset| moment::offset_minutes(&offset));
        self.matches_at(data_set, said.unwrap_or(moment::OFFSET_MINUTES_DEFAULT))
    }

    /// Whether a Data Set or an item matches, with the offset from UTC of its Data Set.
    fn matches_at(&self, data_set: &Map<String, Value>, offset_minutes: i64) -> bool {
        let own = |(tag, criterion): &(u32, Criterion)| {
            criterion.matches(data_set.get(&dictionary::hex(*tag)), offset_minutes)
        };
        let pair = |(date, time, range): &(u32, u32, Range)| {
            let date = first_text(data_set, *date).unwrap_or_default();
            let time = first_text(data_set, *time).unwrap_or_default();
            !date.is_empty() && criterion::within(range, &format!("{date}{time}"))
        };
        self.own.iter().all(own)
            && self.pairs.iter().all(pair)
            && self.sequences.iter().all(|(sequence, inner)| {
                inner.is_universal() || items(data_set, *sequence).any(|item| inner.matches_at(item, offset_minutes))
            })
    }
}

/// The items of a sequence.
pub(crate) fn items(data_set: &Map<String, Value>, sequence: u32) -> impl Iterator<Item = &Map<String, Value>> {
    let values = data_set.get(&dictionary::hex(sequence)).and_then(|element| element.get("Value")?.as_array());
    values.map(Vec::as_slice).unwrap_or_default().iter().filter_map(Value::as_object)
}

fn first_text(data_set: &Map<String, Value>, tag: u32) -> Option<String> {
    let first = data_set.get(&dictionary::hex(tag))?.get("Value")?.as_array()?.first()?;
    first.as_str().map(str::to_owned)
}

/// Both ranges as one of concatenated values, if they are ranges of the same form.
fn joined(date: &Range, time: &Range) -> Option<Range> {
    let is_single = |range: &Range| range.from.is_some() && range.from == range.to;
    let form = |range: &Range| (range.from.is_some(), range.to.is_some());
    if form(date) != form(time) || (is_single(date) && is_single(time)) {
        return None;
    }
    let end = |date: &Option<String>, time: &Option<String>| Some(format!("{}{}", date.as_ref()?, time.as_ref()?));
    Some(Range { from: end(&date.from, &time.from), to: end(&date.to, &time.to) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::find::Matching;

    fn criteria(keys: &[(&[u32], &str)]) -> Criteria {
        let mut out = Criteria::default();
        for (path, value) in keys {
            let vr = path.last().and_then(|tag| dictionary::vr_of(*tag));
            out.add(path, criterion::read(vr, value, Matching::default()).unwrap());
        }
        out
    }

    fn data_set(value: Value) -> Map<String, Value> {
        value.as_object().cloned().unwrap()
    }

    /// Proves that keys of one sequence are matched by one and the same item, and that an empty one matches all.
    #[test]
    fn keys_inside_a_sequence_match_one_item() {
        let text = |vr: &str, value: &str| json!({ "vr": vr, "Value": [value] });
        let requests = data_set(json!({ "00400275": { "vr": "SQ", "Value": [
            { "00400009": text("SH", "A"), "00401001": text("SH", "1") },
            { "00400009": text("SH", "B"), "00401001": text("SH", "2") },
        ] } }));
        let step: &[u32] = &[0x0040_0275, 0x0040_0009];
        let procedure: &[u32] = &[0x0040_0275, 0x0040_1001];
        assert!(criteria(&[(step, "A"), (procedure, "1")]).matches(&requests));
        assert!(!criteria(&[(step, "A"), (procedure, "2")]).matches(&requests));
        assert!(criteria(&[(step, ""), (procedure, "")]).matches(&data_set(json!({}))));
        assert!(!criteria(&[(step, "A")]).matches(&data_set(json!({}))));
    }

    /// Proves combined matching by the example of PS3.4 C.2.2.2.5.4: from one moment to another, not each day's hours.
    #[test]
    fn a_date_and_its_time_are_one_range_where_both_are_ranges() {
        let at = |date: &str, time: &str| {
            data_set(json!({
                "00080020": { "vr": "DA", "Value": [date] }, "00080030": { "vr": "TM", "Value": [time] }
            }))
        };
        let mut both = criteria(&[(&[0x0008_0020], "20060705-20060707"), (&[0x0008_0030], "1000-1800")]);
        assert!(!both.matches(&at("20060706", "2200")));
        both.combine();
        assert!(both.matches(&at("20060706", "2200")));
        assert!(both.matches(&at("20060707", "180059")));
        assert!(!both.matches(&at("20060705", "0959")));
        assert!(!both.matches(&at("20060707", "1801")));
        let mut other = criteria(&[(&[0x0008_0020], "20060705-20060707"), (&[0x0008_0030], "-1800")]);
        let before = other.clone();
        other.combine();
        assert_eq!(other, before, "forms differ");
    }
}
