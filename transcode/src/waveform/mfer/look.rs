//! Whether a file is MFER, by its first bytes: the preamble is optional, so a chain of elements has to do.

use super::element::Elements;
use super::tag;
use crate::waveform::LOOK_BYTES;

/// Elements that are looked at.
const LOOK_ELEMENTS_MAX: usize = 12;
/// Known elements in a row that a file without preamble must begin with.
const LOOK_ELEMENTS_MIN: usize = 3;

/// Whether these first bytes of a file are those of an MFER file: the preamble, or a chain of at least three known elements
/// of plausible lengths, one of which says how samples lie.
pub fn looks_like_mfer(first: &[u8]) -> bool {
    let first = first.get(..LOOK_BYTES).unwrap_or(first);
    if first.first() == Some(&tag::PRE) && first.get(2..6) == Some(b"MFR ") {
        return true;
    }
    let (mut elements, mut known, mut says_layout) = (Elements::new(first, 0), 0, false);
    while known < LOOK_ELEMENTS_MAX {
        match elements.next() {
            Ok(Some(element)) if tag::is_known(element.tag) && is_plausible(element.tag, element.value) => {
                known += 1;
                says_layout |= is_layout(element.tag) && !element.value.is_empty();
            }
            // The end of what is looked at, or damage: what is told is the format, not whether the file is whole.
            _ => break,
        }
    }
    known >= LOOK_ELEMENTS_MIN && says_layout
}

fn is_layout(tag: u8) -> bool {
    matches!(tag, tag::BLE | tag::BLK | tag::CHN | tag::SEQ | tag::DTP | tag::IVL | tag::SEN | tag::ATT)
}

/// Lengths and, where there are few, values.
fn is_plausible(tag: u8, value: &[u8]) -> bool {
    match tag {
        // Back to the default.
        _ if value.is_empty() => true,
        tag::BLE => matches!(value, [0 | 1]),
        tag::VER => value.len() == 3,
        tag::DTP => matches!(value, [0..=9]),
        tag::IVL | tag::SEN => (3..=6).contains(&value.len()) && value.first().is_some_and(|unit| *unit <= 22),
        tag::BLK | tag::CHN | tag::SEQ | tag::PNT => (1..=4).contains(&value.len()),
        tag::TXC => value.len() <= 16,
        tag::SEX => value.len() == 1,
        tag::AGE => value.len() == 7,
        tag::TIM => matches!(value.len(), 4 | 7 | 9 | 11),
        _ => true,
    }
}
