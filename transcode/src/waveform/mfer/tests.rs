//! Proves the rules of reading one by one, on files written here byte by byte, and that no bytes make the reader fail
//! otherwise than with an error.

use proptest::prelude::*;

use super::{looks_like_mfer, read};
use crate::waveform::{Error, PersonName, Recording, Samples, Sensitivity, Time};

/// An element with the shortest length.
fn put(tag: u8, value: &[u8]) -> Vec<u8> {
    let mut out = vec![tag];
    match value.len() {
        length @ 0..=0x7F => out.push(length as u8),
        length @ 0x80..=0xFFFF => out.extend([0x82, (length >> 8) as u8, length as u8]),
        length => out.extend([0x84, (length >> 24) as u8, (length >> 16) as u8, (length >> 8) as u8, length as u8]),
    }
    out.extend_from_slice(value);
    out
}

fn file(elements: &[&[u8]]) -> Vec<u8> {
    elements.concat()
}

/// Little-endian, one channel of so many 16-bit samples a block.
fn head(block: u8) -> Vec<u8> {
    file(&[&put(0x01, &[1]), &put(0x04, &[block]), &put(0x05, &[1]), &put(0x0A, &[0])])
}

fn wave(samples: &[i16]) -> Vec<u8> {
    put(0x1E, &samples.iter().flat_map(|sample| sample.to_le_bytes()).collect::<Vec<u8>>())
}

fn integers(recording: &Recording, group: usize, channel: usize) -> Vec<i32> {
    match &recording.groups[group].channels[channel].samples {
        Samples::Integers(samples) => samples.clone(),
        Samples::Reals(samples) => panic!("{samples:?}"),
    }
}

#[test]
fn every_form_of_length_is_read() {
    let value = [3, 0, 4, 0];
    for length in [vec![4], vec![0x81, 4], vec![0x82, 0, 4], vec![0x83, 0, 0, 4], vec![0x84, 0, 0, 0, 4]] {
        let bytes = file(&[&head(2), &[0x1E], &length, &value, &[0x80]]);
        assert_eq!(integers(&read(&bytes).unwrap(), 0, 0), [3, 4], "{length:02x?}");
    }
    let refused = [vec![0x85, 0, 0, 0, 0, 4], vec![0x80]];
    for length in refused {
        let bytes = file(&[&head(2), &[0x1E], &length, &value]);
        assert!(matches!(read(&bytes), Err(Error::Malformed { tag: 0x1E, offset: 12, .. })), "{length:02x?}");
    }
}

#[test]
fn the_byte_order_is_big_until_the_file_says_otherwise() {
    let elements: [&[u8]; 3] = [&put(0x04, &[0, 2]), &put(0x05, &[0, 1]), &put(0x0A, &[0])];
    let big = file(&[&file(&elements), &put(0x1E, &[0, 3, 0xFF, 0xFE])]);
    assert_eq!(integers(&read(&big).unwrap(), 0, 0), [3, -2]);
    let explicit = file(&[&put(0x01, &[0]), &big]);
    assert_eq!(read(&explicit).unwrap().groups[0].channels, read(&big).unwrap().groups[0].channels);
    let little = file(&[&put(0x01, &[1]), &put(0x04, &[2, 0]), &put(0x05, &[1, 0]), &put(0x1E, &[3, 0, 0xFE, 0xFF])]);
    assert_eq!(integers(&read(&little).unwrap(), 0, 0), [3, -2]);
}

/// The layout of a monitor's file: channels of other rates, block lengths and types in one waveform.
#[test]
fn channels_of_one_waveform_may_differ() {
    let channel = |number: u8, inside: &[u8]| file(&[&[0x3F, number, inside.len() as u8], inside]);
    let fast = file(&[&put(0x09, &[1]), &put(0x04, &[2]), &put(0x0B, &[1, 0xFD, 4])]);
    let slow = file(&[&put(0x09, &[0x0A, 0xC0]), &put(0x04, &[1]), &put(0x0B, &[1, 0xFD, 8]), &put(0x0A, &[3])]);
    let bytes = file(&[
        &put(0x01, &[1]),
        &put(0x05, &[2]),
        &put(0x06, &[2]),
        &channel(0, &fast),
        &channel(1, &slow),
        &put(0x1E, &[1, 0, 2, 0, 200, 3, 0, 4, 0, 201]),
    ]);
    let recording = read(&bytes).unwrap();
    let [fast, slow] = &recording.groups[0].channels[..] else { panic!() };
    assert_eq!((fast.interval.rate(), slow.interval.rate()), (250.0, 125.0));
    assert_eq!((fast.lead, slow.lead), (1, 0xC00A));
    assert_eq!((integers(&recording, 0, 0), integers(&recording, 0, 1)), (vec![1, 2, 3, 4], vec![200, 201]));
}

#[test]
fn samples_that_are_null_or_not_there_are_missing() {
    let bytes = file(&[&head(3), &put(0x12, &[0, 0x80]), &put(0x06, &[2]), &wave(&[1, i16::MIN, 3, 4])]);
    let recording = read(&bytes).unwrap();
    let channel = &recording.groups[0].channels[0];
    assert_eq!((channel.samples.len(), &channel.missing[..]), (6, &[1..2, 4..6][..]));
    assert_eq!(recording.warnings.len(), 1);
}

#[test]
fn a_longer_waveform_is_cut_with_a_warning() {
    let recording = read(&file(&[&head(2), &put(0x06, &[1]), &wave(&[1, 2, 3])])).unwrap();
    assert_eq!(integers(&recording, 0, 0), [1, 2]);
    assert_eq!(recording.warnings.len(), 1);
}

/// Rhythm, then the average beat: the second inherits what it does not define, and begins behind the first.
#[test]
fn two_waveforms_are_two_groups() {
    let bytes = file(&[
        &head(4),
        &put(0x08, &[1]),
        &put(0x0B, &[1, 0xFD, 2]),
        &wave(&[1, 2, 3, 4]),
        &put(0x08, &[9]),
        &put(0x04, &[2]),
        &wave(&[5, 6]),
    ]);
    let recording = read(&bytes).unwrap();
    let found: Vec<_> = recording.groups.iter().map(|group| (group.waveform, group.start)).collect();
    assert_eq!(found, [(1, 0), (9, 4)]);
    assert_eq!(recording.groups[1].channels[0].interval.rate(), 500.0);
    assert_eq!(integers(&recording, 1, 0), [5, 6]);
}

#[test]
fn a_length_of_zero_is_the_default_again_and_chn_forgets_channels() {
    let bytes = file(&[
        &head(1),
        &put(0x0C, &[0, 0xFA, 5]),
        &[0x3F, 0, 3, 0x09, 1, 2],
        &wave(&[1]),
        &put(0x0C, &[]),
        &put(0x05, &[1]),
        &wave(&[2]),
    ]);
    let recording = read(&bytes).unwrap();
    let channel = |group: usize| &recording.groups[group].channels[0];
    assert_eq!(channel(0).sensitivity, Some(Sensitivity { unit: 0, exponent: -6, mantissa: 5 }));
    assert_eq!((channel(0).lead, channel(1).lead, channel(1).sensitivity), (2, 0, None));
}

/// As a monitor's file does: UTF-16 just before the name, ASCII just after.
#[test]
fn the_character_set_is_that_where_the_text_stands() {
    let name: Vec<u8> = "山田^やまだ^太郎^たろう".encode_utf16().flat_map(u16::to_le_bytes).collect();
    let bytes = file(&[
        &head(1),
        &put(0x03, b"ASCII"),
        &put(0x17, b"Maker^M-1^1.0^77"),
        &put(0x03, b"UTF-16LE\0\0"),
        &put(0x81, &name),
        &put(0x03, b"ASCII"),
        &put(0x82, b"^0042^"),
        &put(0x16, b"\x8eR\x93c"),
        &wave(&[1]),
    ]);
    let recording = read(&bytes).unwrap();
    let expected = PersonName {
        family: "山田".into(),
        family_kana: "やまだ".into(),
        given: "太郎".into(),
        given_kana: "たろう".into(),
        ..PersonName::default()
    };
    assert_eq!(recording.patient.name, expected);
    assert_eq!((recording.patient.id.as_str(), recording.notes[0].as_str()), ("0042", "山田"));
    assert_eq!((recording.maker.model.as_str(), recording.maker.serial.as_str()), ("M-1", "77"));
}

#[test]
fn an_age_of_ones_is_unknown_and_times_are_as_precise_as_written() {
    let with = |tag, value: &[u8]| read(&file(&[&head(1), &put(tag, value), &wave(&[1])])).unwrap();
    let unknown = with(0x83, &[0xFF; 7]).patient;
    assert_eq!((unknown.years, unknown.birth), (None, None));
    let known = with(0x83, &[7, 0, 0, 0xE3, 0x07, 4, 2]).patient;
    assert_eq!((known.years, known.birth), (Some(7), Some((2019, 4, 2))));
    let time = |value: &[u8]| with(0x85, value).time;
    let day = Time { year: 2026, month: 5, day: 12, clock: None, microsecond: None };
    assert_eq!(time(&[0xEA, 7, 5, 12]), Some(day));
    let clock = Time { clock: Some((9, 30, 5)), ..day };
    assert_eq!(time(&[0xEA, 7, 5, 12, 9, 30, 5]), Some(clock));
    let ms = Time { microsecond: Some(250_000), ..clock };
    assert_eq!(time(&[0xEA, 7, 5, 12, 9, 30, 5, 250, 0]), Some(ms));
    assert_eq!(time(&[0xEA, 7, 5, 12, 9, 30, 5, 250, 0, 7, 0]), Some(Time { microsecond: Some(250_007), ..ms }));
    assert_eq!(time(&[0xEA, 7, 13, 12]), None);
}

#[test]
fn the_end_has_no_length_and_what_follows_is_not_read() {
    let recording = read(&file(&[&head(1), &wave(&[1]), &[0x80, 0xFF, 0xFF]])).unwrap();
    assert_eq!(recording.groups.len(), 1);
    let only_end = file(&[&head(1), &[0x80]]);
    assert_eq!(read(&only_end), Err(Error::NoWaveform { offset: only_end.len() - 1 }));
}

#[test]
fn padding_and_contents_without_length_are_read() {
    let bytes =
        file(&[&head(1), &[0, 0], &[0x3F, 0, 0x80, 0x09, 1, 8, 0, 0], &[0x67, 0x80], &wave(&[7]), &[0, 0, 0x80]]);
    let recording = read(&bytes).unwrap();
    assert_eq!((integers(&recording, 0, 0), recording.groups[0].channels[0].lead), (vec![7], 8));
}

#[test]
fn what_would_be_read_as_other_samples_is_refused() {
    let check = |element: Vec<u8>, expected: fn(&Error) -> bool| {
        let error = read(&file(&[&head(1), &element, &wave(&[1])])).unwrap_err();
        assert!(expected(&error), "{error}");
    };
    check(put(0x0A, &[9]), |error| matches!(error, Error::Unsupported { tag: 0x0A, offset: 12, .. }));
    check(put(0x0E, &[1, 0, 4, 0, 0, 0]), |error| matches!(error, Error::Unsupported { tag: 0x0E, .. }));
    check(vec![0x3F, 0, 3, 0x0E, 1, 1], |error| matches!(error, Error::Unsupported { tag: 0x0E, offset: 15, .. }));
    check(vec![0x3F, 0, 3, 0x01, 1, 0], |error| matches!(error, Error::Malformed { tag: 0x01, offset: 15, .. }));
    check(vec![0x3F, 0, 3, 0x03, 1, 0], |error| matches!(error, Error::Malformed { tag: 0x03, offset: 15, .. }));
    check(vec![0x3F, 0, 3, 0x3F, 0, 0], |error| matches!(error, Error::Malformed { tag: 0x3F, offset: 15, .. }));
    check(put(0x05, &[1, 1]), |error| matches!(error, Error::TooMany { offset: 12, at_most: 256, .. }));
    check(put(0x0B, &[1, 0xFD, 0]), |error| matches!(error, Error::Malformed { tag: 0x0B, .. }));
    check(put(0x04, &[0xFF, 0xFF, 0xFF, 0xFF]), |error| matches!(error, Error::Malformed { tag: 0x1E, .. }));
    check(put(0x06, &[0xFF, 0xFF, 0xFF, 0xFF]), |error| matches!(error, Error::Malformed { tag: 0x1E, .. }));
    check(put(0x04, &[0]), |error| matches!(error, Error::Malformed { tag: 0x1E, .. }));
}

/// Twelve kilobytes of headers of waveforms that are not there.
#[test]
fn what_is_missing_is_counted_over_all_waveforms() {
    let layout = file(&[&put(0x01, &[1]), &put(0x05, &[1]), &put(0x06, &[1]), &put(0x0A, &[3])]);
    let many = |block: u32, waves: usize| {
        let waves = [0x1E, 1, 0].repeat(waves);
        read(&file(&[&layout, &put(0x04, &block.to_le_bytes()), &waves]))
    };
    assert!(matches!(many(1_000_000, 4000), Err(Error::Malformed { tag: 0x1E, .. })));
    assert!(many(1_000_000, 1).is_ok() && many(250, 4000).is_ok());
}

/// Each is kept once for every channel of every waveform.
#[test]
fn names_and_filters_are_bounded_with_a_warning() {
    let long = "あ".repeat(65);
    let name = [&[1, 0][..], long.as_bytes()].concat();
    let recording = read(&file(&[&head(1), &put(0x09, &name), &put(0x11, long.as_bytes()), &wave(&[1])])).unwrap();
    let (name, filter) = (&recording.groups[0].channels[0].name, &recording.groups[0].filters[0]);
    assert_eq!((name.chars().count(), filter.chars().count(), recording.warnings.len()), (64, 64, 2));
    let filters = |count| read(&file(&[&head(1), &put(0x11, b"HPF=1").repeat(count), &wave(&[1])])).unwrap();
    assert_eq!((filters(32).groups[0].filters.len(), filters(32).warnings.len()), (32, 0));
    assert_eq!((filters(33).groups[0].filters.len(), filters(33).warnings.len()), (32, 1));
}

#[test]
fn a_filter_of_a_channel_is_not_that_of_others() {
    let filter = put(0x11, b"HPF=0.5");
    let of_second = file(&[&[0x3F, 1, filter.len() as u8], &filter]);
    let head = file(&[&put(0x01, &[1]), &put(0x04, &[1]), &put(0x05, &[2]), &put(0x11, b"LPF=150")]);
    let group = read(&file(&[&head, &of_second, &wave(&[1, 2])])).unwrap().groups.remove(0);
    assert_eq!((&group.filters[..], group.channels[0].filters.len()), (&["LPF=150".to_owned()][..], 0));
    assert_eq!(group.channels[1].filters[..], ["HPF=0.5"]);
}

#[test]
fn what_is_said_inside_of_a_channel_is_of_that_one() {
    let inside = file(&[&put(0x41, &[1, 0]), &put(0x42, b"\x02\0\0\0\0\x0060^bpm")]);
    let channel = file(&[&[0x3F, 0, inside.len() as u8], &inside]);
    let recording = read(&file(&[&head(1), &channel, &put(0x41, &[1, 0]), &wave(&[1])])).unwrap();
    let channels: Vec<_> = recording.events.iter().map(|event| event.channel).collect();
    assert_eq!((channels, recording.values[0].channel), (vec![Some(0), None], Some(0)));
}

#[test]
fn floating_point_samples_are_exact() {
    let values = [1.5f32, -0.25, f32::NAN];
    let samples: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
    let bytes = file(&[&put(0x01, &[1]), &put(0x04, &[3]), &put(0x05, &[1]), &put(0x0A, &[7]), &put(0x1E, &samples)]);
    let channel = read(&bytes).unwrap().groups.remove(0).channels.remove(0);
    let Samples::Reals(reals) = &channel.samples else { panic!() };
    assert_eq!((&reals[..2], channel.missing.first()), (&[1.5, -0.25][..], Some(&(2..3))));
}

#[test]
fn what_is_and_what_is_not_mfer_is_told_by_its_first_bytes() {
    assert!(looks_like_mfer(b"@ MFR Standard 12 leads ECG       "));
    assert!(looks_like_mfer(&file(&[&head(1), &wave(&[1])])));
    let dicom = b"\x08\x00\x05\x00\x0a\0\0\0ISO_IR 100\x08\0\x16\0\x1a\0\0\0";
    let others: [&[u8]; 6] =
        [b"", dicom, b"\x02\0\0\0UL\x04\0\xc6\0\0\0", b"<?xml version=\"1.0\"?>", b"PK\x03\x04", &[0; 200]];
    for other in others {
        assert!(!looks_like_mfer(other), "{other:?}");
    }
}

/// A file of every kind of element, for the properties below.
fn rich() -> Vec<u8> {
    file(&[
        &put(0x40, b"MFR Property                    "),
        &put(0x01, &[1]),
        &put(0x03, b"UTF-8"),
        &put(0x81, "山田^やまだ".as_bytes()),
        &put(0x85, &[0xEA, 7, 5, 12, 9, 30, 5]),
        &put(0x0C, &[0, 0xF8, 125]),
        &put(0x04, &[4]),
        &put(0x05, &[2]),
        &put(0x12, &[0, 0x80]),
        &[0x3F, 0, 3, 0x09, 1, 1],
        &[0x3F, 1, 0x80, 0x09, 1, 2, 0, 0],
        &wave(&[1, 2, 3, 4, 5, 6, 7, i16::MIN]),
        &put(0x41, &[1, 0x40, 0, 0, 0, 0, 2, 0, 0, 0, b'x']),
        &put(0x42, b"\x01\x80\0\0\0\x00390^ms"),
        &[0x80],
    ])
}

#[test]
fn any_prefix_is_an_error_or_whole() {
    let whole = rich();
    let recording = read(&whole).unwrap();
    assert_eq!((recording.events.len(), recording.values[0].unit.as_str()), (1, "ms"));
    let wave_ends = whole.windows(2).position(|pair| pair == [0x41, 11]).unwrap();
    for length in 0..wave_ends {
        assert!(read(&whole[..length]).is_err(), "{length}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(&bytes);
        let _ = read(&[head(1), bytes].concat());
    }

    #[test]
    fn no_damage_makes_it_panic(damage in proptest::collection::vec((0..1000usize, any::<u8>()), 1..6)) {
        let mut bytes = rich();
        for (at, value) in damage {
            let place = at % bytes.len();
            bytes[place] = value;
        }
        if let Ok(recording) = read(&bytes) {
            for channel in recording.groups.iter().flat_map(|group| &group.channels) {
                prop_assert!(channel.missing.iter().all(|range| range.end as usize <= channel.samples.len()));
            }
        }
    }

    /// Whatever the layout, samples come back as they were written.
    #[test]
    fn samples_come_back(
        little in any::<bool>(),
        block in 1usize..6,
        channels in 1usize..5,
        sequences in 1usize..5,
        seed in proptest::collection::vec(any::<i16>(), 4 * 5 * 5 + 1),
    ) {
        let sample = |s: usize, c: usize, b: usize| seed[(s * channels + c) * block + b];
        let mut data = Vec::new();
        for s in 0..sequences {
            for c in 0..channels {
                for b in 0..block {
                    let value = sample(s, c, b);
                    data.extend(if little { value.to_le_bytes() } else { value.to_be_bytes() });
                }
            }
        }
        let bytes = file(&[
            &put(0x01, &[u8::from(little)]), &put(0x04, &[block as u8]), &put(0x05, &[channels as u8]),
            &put(0x06, &[sequences as u8]), &put(0x1E, &data),
        ]);
        let recording = read(&bytes).unwrap();
        for c in 0..channels {
            let expected: Vec<i32> =
                (0..sequences).flat_map(|s| (0..block).map(move |b| i32::from(sample(s, c, b)))).collect();
            prop_assert_eq!(integers(&recording, 0, c), expected);
        }
    }
}
