//! A Data Set in the making: Explicit VR Little Endian, text in UTF-8.

use std::collections::BTreeMap;

use crate::data_set::writer::{ITEM, ITEM_DELIMITER, SEQUENCE_DELIMITER, head, put};
use crate::data_set::{Tag, VR};

enum Content {
    Bytes(Vec<u8>),
    Items(Vec<Set>),
}

/// Elements by tag.
#[derive(Default)]
pub(super) struct Set(BTreeMap<Tag, (VR, Content)>);

impl Set {
    /// Binary.
    pub fn bytes(&mut self, tag: Tag, vr: VR, bytes: Vec<u8>) -> &mut Set {
        self.0.insert(tag, (vr, Content::Bytes(bytes)));
        self
    }

    /// A single text value: no backslash, which would make two of it, no control characters, cut to what the VR holds
    /// (PS3.5 §6.2).
    pub fn text(&mut self, tag: Tag, vr: VR, text: &str) -> &mut Set {
        let chars_max = match vr {
            VR::SH | VR::CS | VR::DS => 16,
            VR::IS => 12,
            VR::ST => 1024,
            VR::PN => 64 * 3 + 2,
            VR::DT => 26,
            _ => 64,
        };
        let printable = text.chars().filter(|c| !c.is_control());
        let kept: String = printable.map(|c| if c == '\\' { '＼' } else { c }).take(chars_max).collect();
        self.bytes(tag, vr, kept.trim_end().as_bytes().to_vec())
    }

    /// The same, left out where it is empty.
    pub fn text_if_any(&mut self, tag: Tag, vr: VR, text: &str) -> &mut Set {
        if text.is_empty() { self } else { self.text(tag, vr, text) }
    }

    /// US values.
    pub fn short(&mut self, tag: Tag, values: &[u16]) -> &mut Set {
        self.bytes(tag, VR::US, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// UL values.
    pub fn long(&mut self, tag: Tag, values: &[u32]) -> &mut Set {
        self.bytes(tag, VR::UL, values.iter().flat_map(|value| value.to_le_bytes()).collect())
    }

    /// Items.
    pub fn items(&mut self, tag: Tag, items: Vec<Set>) -> &mut Set {
        self.0.insert(tag, (VR::SQ, Content::Items(items)));
        self
    }

    /// A Code Sequence of one item (PS3.3 §8.8).
    pub fn code(&mut self, tag: Tag, value: &str, scheme: &str, meaning: &str) -> &mut Set {
        let mut item = Set::default();
        item.text(Tag(0x0008, 0x0100), VR::SH, value).text(Tag(0x0008, 0x0102), VR::SH, scheme);
        item.text(Tag(0x0008, 0x0104), VR::LO, meaning);
        self.items(tag, vec![item])
    }

    /// Writes all of it. Depth is that of this module's own sequences.
    pub fn write(self, out: &mut Vec<u8>) {
        for (tag, (vr, content)) in self.0 {
            match content {
                Content::Bytes(bytes) => put(out, tag, vr, &bytes),
                Content::Items(items) => {
                    let (bytes, length) = head(tag, VR::SQ, u32::MAX, false);
                    out.extend_from_slice(bytes.get(..length).unwrap_or_default());
                    for item in items {
                        out.extend_from_slice(&ITEM);
                        item.write(out);
                        out.extend_from_slice(&ITEM_DELIMITER);
                    }
                    out.extend_from_slice(&SEQUENCE_DELIMITER);
                }
            }
        }
    }
}

/// A number as DS writes it: mantissa · 10^exponent, exactly if 16 characters suffice, else as near as they allow.
pub(super) fn decimal(mantissa: i128, exponent: i32) -> String {
    let (mut mantissa, mut exponent) = (mantissa, exponent);
    while mantissa != 0 && mantissa % 10 == 0 && exponent < 0 {
        mantissa /= 10;
        exponent += 1;
    }
    let sign = if mantissa < 0 { "-" } else { "" };
    let digits = mantissa.unsigned_abs().to_string();
    let plain = match usize::try_from(exponent) {
        Ok(zeros) if mantissa != 0 && zeros <= 16 => format!("{sign}{digits}{}", "0".repeat(zeros)),
        Ok(_) => format!("{sign}{digits}e{exponent}"),
        Err(_) => {
            let places = exponent.unsigned_abs() as usize;
            if places > 32 {
                return shortened(mantissa as f64 * 10f64.powi(exponent));
            }
            let padded = format!("{digits:0>width$}", width = places + 1);
            let (whole, fraction) = padded.split_at(padded.len() - places);
            format!("{sign}{whole}.{fraction}")
        }
    };
    match (mantissa, plain.len()) {
        (0, _) => "0".into(),
        (_, ..=16) => plain,
        _ => Some(format!("{sign}{digits}e{exponent}"))
            .filter(|text| text.len() <= 16)
            .unwrap_or_else(|| shortened(mantissa as f64 * 10f64.powi(exponent))),
    }
}

/// A number as DS writes it in at most 16 characters, as near as they allow.
pub(super) fn shortened(value: f64) -> String {
    if !value.is_finite() {
        return "0".into();
    }
    let plain = format!("{value}");
    if plain.len() <= 16 {
        return plain;
    }
    let fits = |text: &String| text.len() <= 16;
    (0..=14)
        .rev()
        .map(|places| format!("{value:.places$}"))
        .find(|text| fits(text) && value.abs() >= 1e-3)
        .unwrap_or_else(|| {
            (0..=12).rev().map(|places| format!("{value:.places$e}")).find(fits).unwrap_or_else(|| "0".into())
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_written_exactly_in_sixteen_characters() {
        let check = |mantissa, exponent, expected: &str| assert_eq!(decimal(mantissa, exponent), expected);
        check(125, -2, "1.25");
        check(5000, -3, "5");
        check(25, -1, "2.5");
        check(1, 3, "1000");
        check(0, -5, "0");
        check(-7, -3, "-0.007");
        check(4_294_967_295, -20, "4294967295e-20");
        check(1, -30, "1e-30");
        assert_eq!(shortened(250.0), "250");
        assert_eq!(shortened(1.0 / 3.0), "0.33333333333333");
        assert!(
            shortened(1e-9 / 3.0).len() <= 16
                && (shortened(1e-9 / 3.0).parse::<f64>().unwrap() - 1e-9 / 3.0).abs() < 1e-18
        );
    }
}
