//! Events, measurements and comments as annotations (PS3.3 C.10.10): of one channel of the first waveform where
//! the file says so, else of all channels of its first group.

use super::codes;
use super::multiplex::Multiplex;
use super::set::{Set, shortened};
use crate::data_set::{Tag, VR};
use crate::waveform::{Event, Interval, Recording, Value};

const TEXT: Tag = Tag(0x0070, 0x0006);
const SAMPLE_POSITIONS: Tag = Tag(0x0040, 0xA132);
const TIME_OFFSETS: Tag = Tag(0x0040, 0xA138);

/// The items of the Waveform Annotation Sequence: measurements, events, comments.
pub(super) fn items(recording: &Recording, groups: &[Multiplex]) -> Vec<Set> {
    let Some(first) = groups.first() else { return Vec::new() };
    let root = recording.root;
    let values = recording.values.iter().map(|one| measurement(one, &Place::of(groups, first, one.channel), root));
    let events = recording.events.iter().map(|one| event(one, &Place::of(groups, first, one.channel), root));
    let notes = recording.notes.iter().map(|note| {
        let mut item = Place::of(groups, first, None).item();
        item.text(TEXT, VR::ST, note);
        item
    });
    values.chain(events).chain(notes).collect()
}

/// What an annotation is of.
struct Place<'a> {
    group: &'a Multiplex,
    /// Group and channel, both from 1; channel 0 is all of them.
    channels: [u16; 2],
}

impl Place<'_> {
    /// A channel by its number in the first waveform; all of its first group where that has none of this number.
    fn of<'a>(groups: &'a [Multiplex], first: &'a Multiplex, channel: Option<u32>) -> Place<'a> {
        let of_first = groups.iter().zip(1..).take_while(|(group, _)| group.offset == first.offset);
        let mut lanes =
            of_first.flat_map(|(group, at)| group.channels.iter().zip(1..).map(move |lane| (group, at, lane)));
        let found = lanes.find(|(_, _, (lane, _))| channel.is_some_and(|channel| lane.number == channel as usize));
        match found {
            Some((group, at, (_, lane))) => Place { group, channels: [at, lane] },
            None => Place { group: first, channels: [1, 0] },
        }
    }

    fn item(&self) -> Set {
        let mut item = Set::default();
        item.short(Tag(0x0040, 0xA0B0), &self.channels);
        item
    }
}

/// What its code means is not public: the number stays, under a scheme of its own.
fn measurement(value: &Value, place: &Place<'_>, root: Interval) -> Set {
    let mut item = place.item();
    let number = value.value.len() <= 16 && value.value.parse::<f64>().is_ok_and(f64::is_finite);
    let meaning = format!("MFER measurement {}", value.code);
    match codes::written_unit(&value.unit).filter(|_| number) {
        Some(unit) => {
            item.code(Tag(0x0040, 0xA043), &format!("VAL-{}", value.code), codes::MFER, &meaning);
            item.text(Tag(0x0040, 0xA30A), VR::DS, &value.value);
            item.code(Tag(0x0040, 0x08EA), unit, "UCUM", if unit == "1" { "no units" } else { &value.unit });
        }
        None => {
            item.text(TEXT, VR::ST, &format!("{meaning}: {} {}", value.value, value.unit));
        }
    }
    if value.at > 0 {
        at(&mut item, u64::from(value.at), None, place.group, root);
    }
    item
}

fn event(event: &Event, place: &Place<'_>, root: Interval) -> Set {
    let mut item = place.item();
    let code = format!("MFER event {}", event.code);
    let text = if event.text.is_empty() { code } else { format!("{} ({code})", event.text) };
    item.text(TEXT, VR::ST, &text);
    if let Some(start) = event.start.map(u64::from) {
        let end = event.duration.filter(|length| *length > 0).map(|length| start + u64::from(length));
        at(&mut item, start, end, place.group, root);
    }
    item
}

/// When it is, in root sampling intervals: a point, or from there to another (PS3.3 C.10.10.1.2).
fn at(item: &mut Set, start: u64, end: Option<u64>, group: &Multiplex, root: Interval) {
    item.text(Tag(0x0040, 0xA130), VR::CS, if end.is_some() { "SEGMENT" } else { "POINT" });
    let seconds = |point: u64| (point as f64 - group.start as f64) / root.rate();
    let points: Vec<f64> = [Some(start), end].into_iter().flatten().map(seconds).collect();
    // Sample positions count from 1, and only where the point is on a sample.
    let positions: Vec<f64> = points.iter().map(|seconds| seconds * group.rate + 1.0).collect();
    let on_sample = |position: &f64| {
        (position - position.round()).abs() < 1e-6 && (1.0..=group.length as f64).contains(&position.round())
    };
    if positions.iter().all(on_sample) {
        let positions: Vec<u32> = positions.iter().map(|position| position.round() as u32).collect();
        item.long(SAMPLE_POSITIONS, &positions);
    } else {
        // In seconds (PS3.3 Table C.18.7-1). Several values: a backslash is between them.
        let offsets: Vec<String> = points.into_iter().map(shortened).collect();
        item.bytes(TIME_OFFSETS, VR::DS, offsets.join("\\").into_bytes());
    }
}
