//! Text: the character set in force where it stands (TXC), or what Japanese devices write without saying so.

use encoding_rs::{Encoding, ISO_2022_JP, SHIFT_JIS, UTF_8, UTF_16BE, UTF_16LE};

/// A value is cut after so many characters: the format allows 256 bytes.
const TEXT_CHARS_MAX: usize = 4096;

/// The character set that TXC names; none where it is plain, unknown or not said.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct CharacterSet(Option<&'static Encoding>);

impl CharacterSet {
    pub fn named(value: &[u8]) -> CharacterSet {
        let name: String = value.iter().filter(|byte| **byte != 0).map(|byte| char::from(*byte)).collect();
        let name: String = name.to_ascii_uppercase().chars().filter(|c| !matches!(c, ' ' | '-' | '_')).collect();
        CharacterSet(match name.as_str() {
            "UTF8" => Some(UTF_8),
            "UNICODE" | "UTF16" | "UTF16LE" => Some(UTF_16LE),
            "UTF16BE" => Some(UTF_16BE),
            // JIS X 0201 alone is one byte a character, kana among them, as in Shift_JIS.
            "JISX0201" | "SHIFTJIS" | "SJIS" | "MS932" | "WINDOWS31J" => Some(SHIFT_JIS),
            "JISX0208" | "JISX0212" | "RFC1468" | "ISO2022" | "ISO2022JP" => Some(ISO_2022_JP),
            _ => name.strip_prefix("ISO8859").and_then(|part| {
                let label = format!("iso-8859-{}", part.trim_start_matches('/'));
                Encoding::for_label(label.as_bytes())
            }),
        })
    }

    /// The text in Unicode, without padding and control characters; whether it fits its character set.
    pub fn decode(self, value: &[u8]) -> (String, bool) {
        let (encoding, value) = self.marked(value);
        let (text, fits) = match encoding {
            Some(encoding) => declared(encoding, value),
            None => guessed(value),
        };
        let printed = text.chars().filter(|c| !c.is_control() || *c == '\n').take(TEXT_CHARS_MAX);
        (printed.collect::<String>().trim().to_owned(), fits)
    }

    /// Where text may be Unicode, a byte order mark says which form of it, and is no part of it.
    fn marked(self, value: &[u8]) -> (Option<&'static Encoding>, &[u8]) {
        let may_be = self.0.is_none_or(|encoding| encoding == UTF_8 || is_utf_16(encoding));
        match Encoding::for_bom(value).filter(|_| may_be) {
            Some((encoding, length)) => (Some(encoding), value.get(length..).unwrap_or_default()),
            None => (self.0, value),
        }
    }
}

/// What does not fit the set that was said is tried as what else it may be.
fn declared(encoding: &'static Encoding, value: &[u8]) -> (String, bool) {
    // Half of a character of UTF-16 may be zero.
    let value = if is_utf_16(encoding) { value } else { without_padding(value) };
    match encoding.decode_without_bom_handling_and_without_replacement(value) {
        Some(text) => (text.into_owned(), true),
        None => (guessed(value).0, false),
    }
}

fn is_utf_16(encoding: &'static Encoding) -> bool {
    encoding == UTF_16LE || encoding == UTF_16BE
}

/// Strict UTF-8 (and so ASCII), ISO-2022-JP where there is an escape, Shift_JIS, else what can be read of it.
fn guessed(value: &[u8]) -> (String, bool) {
    let value = without_padding(value);
    if value.contains(&0x1B)
        && let Some(text) = ISO_2022_JP.decode_without_bom_handling_and_without_replacement(value)
    {
        return (text.into_owned(), true);
    }
    if let Ok(text) = std::str::from_utf8(value) {
        return (text.to_owned(), true);
    }
    match SHIFT_JIS.decode_without_bom_handling_and_without_replacement(value) {
        Some(text) => (text.into_owned(), true),
        None => (String::from_utf8_lossy(value).into_owned(), false),
    }
}

fn without_padding(value: &[u8]) -> &[u8] {
    let end = value.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    value.get(..end).unwrap_or(value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(set: &[u8], value: &[u8], expected: &str) {
        let set = if set.is_empty() { CharacterSet::default() } else { CharacterSet::named(set) };
        assert_eq!(set.decode(value).0, expected);
    }

    /// The sets that are named, those that are not, and values that do not keep to what was named.
    #[test]
    fn japanese_is_read_whatever_is_said_of_it() {
        check(b"UTF-8\0\0", "山田".as_bytes(), "山田");
        check(b"UTF-16LE\0\0", b"\x71\x5c\x30\x75\0\0", "山田");
        check(b"UTF-16BE", b"\x50\x65\x4e\x00", "健一");
        check(b"UNICODE", b"\xff\xfe\x71\x5c\x30\x75", "山田");
        check(b"UNICODE", b"\xfe\xff\x5c\x71\x75\x30", "山田");
        check(b"", "\u{FEFF}山田".as_bytes(), "山田");
        check(b"ISO 8859-1", b"\xff\xfea", "ÿþa");
        check(b"JIS X 0208", b"\x1b$B;3ED\x1b(B", "山田");
        check(b"RFC 1468", b"\x1b$B;3ED\x1b(B^A", "山田^A");
        check(b"JIS X 0201", b"\xd4\xcf\xc0\xde", "ﾔﾏﾀﾞ");
        check(b"ISO 8859-1", b"M\xfcller", "Müller");
        check(b"", b"\x8eR\x93c", "山田");
        check(b"ASCII", b"\x8eR\x93c\0\0", "山田");
        check(b"", b"\x1b$B;3ED\x1b(B", "山田");
        check(b"UTF-8", b"\x8eR\x93c", "山田");
        check(b"", b"plain\r", "plain");
        assert!(!CharacterSet::default().decode(b"\xff\xff\x80").1);
    }
}
