//! Proves that samples stay what they are, that the object is the right one, and that a reader that is not ours reads it.

use dicom_object::{InMemDicomObject, Tag as ObjectTag};

use super::*;
use crate::data_set::{Limits, scan};
use crate::waveform::{Channel, Event, Group, Interval, Samples, Sensitivity, Value, read};

const DIGEST: [u8; 32] = [7; 32];

fn channel(lead: u16, samples: Samples) -> Channel {
    let sensitivity = Some(Sensitivity { unit: 0, exponent: -8, mantissa: 125 });
    let interval = Interval { unit: 1, exponent: -3, mantissa: 2 };
    Channel { lead, interval, sensitivity, samples, ..Channel::default() }
}

fn leads(leads: &[u16], samples: &[i32]) -> Group {
    let channels = leads.iter().map(|lead| channel(*lead, Samples::Integers(samples.to_vec()))).collect();
    Group { waveform: 1, channels, ..Group::default() }
}

fn made(groups: Vec<Group>) -> Result<Part10File, Error> {
    part10(Recording { groups, ..Recording::default() }, b"received", &DIGEST)
}

fn object(file: &Part10File) -> InMemDicomObject {
    let object = dicom_object::from_reader(&file.bytes[..]).unwrap();
    InMemDicomObject::clone(&object)
}

fn text(object: &InMemDicomObject, group: u16, element: u16) -> String {
    let found = object.element(ObjectTag(group, element)).ok().and_then(|one| one.to_str().ok());
    found.map(|text| text.trim_end_matches(['\0', ' ']).to_owned()).unwrap_or_default()
}

fn group(object: &InMemDicomObject, at: usize) -> &InMemDicomObject {
    &object.element(ObjectTag(0x5400, 0x0100)).unwrap().items().unwrap()[at]
}

fn class(groups: Vec<Group>) -> String {
    text(&object(&made(groups).unwrap()), 0x0008, 0x0016)
}

const STANDARD: [u16; 8] = [1, 2, 3, 4, 5, 6, 7, 8];

/// The rules of A.34.3 and A.34.4, each broken once.
#[test]
fn the_object_is_the_narrowest_that_may_hold_it() {
    let samples = [1, -2, 3];
    assert_eq!(class(vec![leads(&STANDARD, &samples)]), TWELVE_LEAD_ECG);
    let beat = Group { waveform: 9, ..leads(&STANDARD, &[5]) };
    assert_eq!(class(vec![leads(&STANDARD, &samples), beat]), GENERAL_ECG, "16 channels in all");
    assert_eq!(class(vec![leads(&[1, 64, 3, 8], &samples)]), GENERAL_ECG, "four leads");
    assert_eq!(class(vec![leads(&STANDARD, &vec![0; 16_385])]), GENERAL_ECG, "16385 samples");
    assert_eq!(class(vec![leads(&STANDARD, &[40_000])]), GENERAL_32_BIT_ECG, "17 bits");
    let mut sounds = Group { waveform: 30, ..leads(&[0x201, 0x203], &samples) };
    sounds.channels.iter_mut().for_each(|one| one.interval = Interval { unit: 0, exponent: 3, mantissa: 2 });
    assert_eq!(class(vec![leads(&[1, 64, 3, 8], &samples), sounds.clone()]), GENERAL_32_BIT_ECG, "2 kHz");
    assert_eq!(class(vec![sounds]), GENERAL_32_BIT_ECG, "sounds alone");
    let brain = Group { waveform: 40, ..leads(&[500], &samples) };
    assert!(matches!(made(vec![brain]), Err(Error::NotDicom { .. })));
    let many: Vec<u16> = (1..=25).collect();
    assert!(matches!(made(vec![leads(&many, &samples)]), Err(Error::NotDicom { .. })));
}

#[test]
fn samples_are_interleaved_and_keep_their_numbers() {
    let mut two = leads(&[1, 2], &[1, -2, 3]);
    two.channels[1] = channel(2, Samples::Integers(vec![i32::from(i16::MAX), 0, i32::from(i16::MIN)]));
    let object = object(&made(vec![two]).unwrap());
    let item = group(&object, 0);
    let data = item.element(ObjectTag(0x5400, 0x1010)).unwrap().to_bytes().unwrap().into_owned();
    let found: Vec<i16> = data.chunks_exact(2).map(|pair| i16::from_le_bytes([pair[0], pair[1]])).collect();
    assert_eq!(found, [1, i16::MAX, -2, 0, 3, i16::MIN]);
    assert_eq!((text(item, 0x003A, 0x001A), text(item, 0x5400, 0x1006)), ("500".into(), "SS".into()));
    let definition = &item.element(ObjectTag(0x003A, 0x0200)).unwrap().items().unwrap()[1];
    assert_eq!((text(definition, 0x003A, 0x0210), text(definition, 0x003A, 0x0203)), ("1.25".into(), "Lead II".into()));
}

/// Missing samples become a value that no sample has: here the lowest is one.
#[test]
fn missing_samples_are_padding() {
    let mut one = leads(&[1], &[i32::from(i16::MIN), 9, 9, 4]);
    one.channels[0].missing.push(1..3);
    let object = object(&made(vec![one]).unwrap());
    let data = group(&object, 0).element(ObjectTag(0x5400, 0x1010)).unwrap().to_bytes().unwrap().into_owned();
    let padding = i16::MIN + 1;
    assert_eq!(data, [i16::MIN, padding, padding, 4].map(i16::to_le_bytes).concat());
    let said = group(&object, 0).element(ObjectTag(0x5400, 0x100A)).unwrap().to_bytes().unwrap().into_owned();
    assert_eq!(said, padding.to_le_bytes());
}

#[test]
fn real_numbers_are_exact_or_refused() {
    let real = |values: &[f64]| Group {
        waveform: 1,
        channels: vec![channel(1, Samples::Reals(values.to_vec()))],
        ..Group::default()
    };
    let object = object(&made(vec![real(&[1.5, -0.25])]).unwrap());
    let item = group(&object, 0);
    let data = item.element(ObjectTag(0x5400, 0x1010)).unwrap().to_bytes().unwrap().into_owned();
    assert_eq!(data, [6i16, -1].map(i16::to_le_bytes).concat());
    let definition = &item.element(ObjectTag(0x003A, 0x0200)).unwrap().items().unwrap()[0];
    assert_eq!(text(definition, 0x003A, 0x0212), "0.25");
    assert!(matches!(made(vec![real(&[0.1])]), Err(Error::NotDicom { .. })));
}

/// A frame that goes on where the one before ends is the same group; an average beat is one of its own.
#[test]
fn waveforms_that_continue_are_joined() {
    let next = |start| Group { start, ..leads(&[1], &[3, 4]) };
    let root = Interval { unit: 1, exponent: -3, mantissa: 2 };
    let recording = |groups| Recording { groups, root, ..Recording::default() };
    let count = |groups| {
        let file = part10(recording(groups), b"", &DIGEST).unwrap();
        object(&file).element(ObjectTag(0x5400, 0x0100)).unwrap().items().unwrap().len()
    };
    assert_eq!(count(vec![leads(&[1], &[1, 2]), next(2)]), 1);
    assert_eq!(count(vec![leads(&[1], &[1, 2]), next(3)]), 2);
    assert_eq!(count(vec![leads(&[1], &[1, 2]), Group { waveform: 9, ..next(2) }]), 2);
}

/// Points on a sample are told by their positions, others by seconds after the start (PS3.3 Table C.18.7-1).
#[test]
fn annotations_say_when_they_are() {
    let root = Interval { unit: 0, exponent: 3, mantissa: 1 };
    let value = |at| Value { code: 1, at, channel: None, value: "60".into(), unit: "bpm".into() };
    let event = Event { start: Some(2), duration: Some(1), ..Event::default() };
    let (values, events) = (vec![value(0), value(4), value(5)], vec![event]);
    let groups = vec![leads(&[1], &[1, 2, 3, 4])];
    let recording = Recording { groups, root, values, events, ..Recording::default() };
    let object = object(&part10(recording, b"", &DIGEST).unwrap());
    let items = object.element(ObjectTag(0x0040, 0xB020)).unwrap().items().unwrap();
    let range = |item| text(item, 0x0040, 0xA130);
    let positions = |item: &InMemDicomObject| {
        let element = item.element(ObjectTag(0x0040, 0xA132)).ok()?;
        Some(element.to_multi_int::<u32>().unwrap())
    };
    let offsets = |item| text(item, 0x0040, 0xA138);
    assert_eq!((range(&items[0]), positions(&items[0]), offsets(&items[0])), (String::new(), None, String::new()));
    assert_eq!((range(&items[1]), positions(&items[1])), ("POINT".into(), Some(vec![3])));
    assert_eq!((range(&items[2]), offsets(&items[2])), ("POINT".into(), "0.005".into()));
    assert_eq!((range(&items[3]), offsets(&items[3])), ("SEGMENT".into(), "0.002\\0.003".into()));
}

/// A channel of another rate is in a group of its own, whose samples the position counts.
#[test]
fn what_is_said_of_one_channel_is_an_annotation_of_that_one() {
    let mut two = leads(&[1, 2], &[1, 2, 3, 4]);
    two.channels[1].interval.mantissa = 4;
    let value = |channel| Value { code: 1, at: 4, channel, value: "60".into(), unit: "bpm".into() };
    let root = Interval { unit: 0, exponent: 3, mantissa: 1 };
    let values = vec![value(None), value(Some(0)), value(Some(1)), value(Some(2))];
    let recording = Recording { groups: vec![two], root, values, ..Recording::default() };
    let object = object(&part10(recording, b"", &DIGEST).unwrap());
    let items = object.element(ObjectTag(0x0040, 0xB020)).unwrap().items().unwrap();
    let channels =
        |item: &InMemDicomObject| item.element(ObjectTag(0x0040, 0xA0B0)).unwrap().to_multi_int::<u16>().unwrap();
    let position = |item: &InMemDicomObject| item.element(ObjectTag(0x0040, 0xA132)).unwrap().to_int::<u32>().unwrap();
    let found: Vec<_> = items.iter().map(|item| (channels(item), position(item))).collect();
    assert_eq!(found, [(vec![1, 0], 3), (vec![1, 1], 3), (vec![2, 1], 2), (vec![1, 0], 3)]);
}

#[test]
fn samples_along_a_length_are_refused() {
    let mut one = leads(&[1], &[1]);
    one.channels[0].interval.unit = 2;
    assert!(matches!(made(vec![one]), Err(Error::NotDicom { .. })));
    let root = Interval { unit: 2, exponent: -3, mantissa: 1 };
    let recording = Recording { groups: vec![leads(&[1], &[1])], root, ..Recording::default() };
    assert!(matches!(part10(recording, b"", &DIGEST), Err(Error::NotDicom { .. })));
}

#[test]
fn a_filter_of_one_channel_is_written_to_that_one() {
    let mut two = leads(&[1, 2], &[1]);
    two.filters = ["HPF=0.05".to_owned(), "LPF=150".to_owned()].into();
    two.channels[1].filters = ["HPF=0.5".to_owned()].into();
    let object = object(&made(vec![two]).unwrap());
    let definitions = group(&object, 0).element(ObjectTag(0x003A, 0x0200)).unwrap().items().unwrap();
    let filters = |channel: usize| [0x0220, 0x0221].map(|element| text(&definitions[channel], 0x003A, element));
    assert_eq!([filters(0), filters(1)], [["0.05", "150"], ["0.5", "150"]]);
}

/// The files of a school year: every one is read, its samples and identity are those that were drawn, the received bytes
/// lie where they are said to, and the same file gives the same bytes.
#[test]
fn a_school_year_is_converted() {
    let (mut seen, mut classes) = (0, std::collections::BTreeSet::new());
    for child in datasets::school(40, 11) {
        for file in child.files.iter().filter(|file| file.path.ends_with(".mwf")) {
            let recording = read(&file.bytes).unwrap_or_else(|error| panic!("{}: {error}", file.path));
            assert_eq!(recording.patient.id, child.person.patient_id);
            assert_eq!(recording.patient.name.family, child.person.kanji.0);
            assert_eq!(recording.patient.name.given_kana, child.person.kana.1);
            assert!(recording.warnings.is_empty(), "{:?}", recording.warnings);
            let made = part10(recording.clone(), &file.bytes, &DIGEST).unwrap();
            assert_eq!(made.bytes, part10(recording, &file.bytes, &DIGEST).unwrap().bytes);
            let Embedded { offset, length } = made.embedded;
            assert_eq!(&made.bytes[offset as usize..][..length as usize], &file.bytes[..]);
            let object = object(&made);
            let (family, given) = &child.person.kanji;
            assert!(text(&object, 0x0010, 0x0010).starts_with(&format!("={family}^{given}=")));
            assert_eq!(text(&object, 0x0010, 0x0030), child.person.birth_date);
            assert!(scan(&mut std::io::Cursor::new(&made.bytes), &Limits::default()).is_ok());
            classes.insert(text(&object, 0x0008, 0x0016));
            seen += 1;
        }
    }
    assert!(seen > 10 && classes.len() == 2, "{seen} files, {classes:?}");
}
