//! Events, measurements and comments as annotations (PS3.3 C.10.10): all of them of all channels of the first group.

use super::codes;
use super::multiplex::Multiplex;
use super::set::{Set, shortened};
use crate::data_set::{Tag, VR};
use crate::waveform::{Event, Interval, Recording, Value};

const TEXT: Tag = Tag(0x0070, 0x0006);
const SAMPLE_POSITIONS: Tag = Tag(0x0040, 0xA132);
const TIME_OFFSETS: Tag = Tag(0x0040, 0xA138);

/// The items of the Waveform Annotation Sequence: measurements, events, comments.
pub(super) fn items(recording: &Recording, first: &Multiplex) -> Vec<Set> {
    let values = recording.values.iter().map(|one| measurement(one, first, recording.root));
    let events = recording.events.iter().map(|one| event(one, first, recording.root));
    let notes = recording.notes.iter().map(|note| {
        let mut item = of_all_channels();
        item.text(TEXT, VR::ST, note);
        item
    });
    values.chain(events).chain(notes).collect()
}

fn of_all_channels() -> Set {
    let mut item = Set::default();
    // Group and channel count from 1; channel 0 is all of them.
    item.short(Tag(0x0040, 0xA0B0), &[1, 0]);
    item
}

/// What its code means is not public: the number stays, under a scheme of its own.
fn measurement(value: &Value, first: &Multiplex, root: Interval) -> Set {
    let mut item = of_all_channels();
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
        at(&mut item, u64::from(value.at), None, first, root);
    }
    item
}

fn event(event: &Event, first: &Multiplex, root: Interval) -> Set {
    let mut item = of_all_channels();
    let code = format!("MFER event {}", event.code);
    let text = if event.text.is_empty() { code } else { format!("{} ({code})", event.text) };
    item.text(TEXT, VR::ST, &text);
    if let Some(start) = event.start.map(u64::from) {
        let end = event.duration.filter(|length| *length > 0).map(|length| start + u64::from(length));
        at(&mut item, start, end, first, root);
    }
    item
}

/// When it is, in root sampling intervals: a point, or from there to another (PS3.3 C.10.10.1.2).
fn at(item: &mut Set, start: u64, end: Option<u64>, first: &Multiplex, root: Interval) {
    item.text(Tag(0x0040, 0xA130), VR::CS, if end.is_some() { "SEGMENT" } else { "POINT" });
    let seconds = |point: u64| (point as f64 - first.start as f64) / root.rate();
    let points: Vec<f64> = [Some(start), end].into_iter().flatten().map(seconds).collect();
    // Sample positions count from 1, and only where the point is on a sample.
    let positions: Vec<f64> = points.iter().map(|seconds| seconds * first.rate + 1.0).collect();
    let on_sample = |position: &f64| {
        (position - position.round()).abs() < 1e-6 && (1.0..=first.length as f64).contains(&position.round())
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
