//! From Unicode to the bytes of a text value, for answers in the set that was asked in.
//!
//! Code extensions are written as PS3.5 §6.1.2.5.3 wants them: each set is designated where it is first needed, the
//! initial sets return before every delimiter, control character and end of value.

use std::collections::HashMap;
use std::sync::OnceLock;

use encoding_rs::{EUC_JP, UTF_8};

use super::{CharacterSet, ESC, ESCAPES, Graphic, Term, TextKind, term, upper};

impl CharacterSet {
    /// Encodes one value with its `\` (and `^`, `=`) in it; `None` where a character is not in the declared set.
    ///
    /// Source: PS3.5 §6.1.2, PS3.3 C.12.1.1.2.
    pub fn encode(&self, text: &str, kind: TextKind) -> Option<Vec<u8>> {
        let terms = self.declared.split('\\').map(term).collect::<Option<Vec<_>>>()?;
        match terms.as_slice() {
            [Term::Whole(encoding), ..] if *encoding == UTF_8 => Some(text.as_bytes().to_vec()),
            [Term::Whole(encoding), ..] => {
                let (bytes, _, failed) = encoding.encode(text);
                (!failed).then(|| bytes.into_owned())
            }
            terms => Encoder::of(terms, kind)?.run(text),
        }
    }
}

struct Encoder {
    kind: TextKind,
    /// What G0 and G1 are at the beginning, and again after each delimiter.
    initial: (Graphic, Option<Graphic>),
    now: (Graphic, Option<Graphic>),
    /// What else may be designated, in the order declared.
    extensions: Vec<Graphic>,
    out: Vec<u8>,
}

impl Encoder {
    fn of(terms: &[Term], kind: TextKind) -> Option<Encoder> {
        let numbers: Vec<u16> = terms
            .iter()
            .filter_map(|term| match term {
                Term::Number(number) => Some(*number),
                Term::Whole(_) => None,
            })
            .collect();
        let first = *numbers.first()?;
        let g0 = if first == 13 { Graphic::Romaji } else { Graphic::Ascii };
        let g1 = upper(first).filter(|set| !matches!(set, Graphic::Pairs(_)));
        let extends = numbers.len() > 1 || matches!(first, 58 | 87 | 149 | 159);
        let set = |number: &u16| match number {
            87 => Some(Graphic::Kanji),
            159 => Some(Graphic::SupplementaryKanji),
            number => upper(*number),
        };
        let extensions = if extends { numbers.iter().filter_map(set).collect() } else { Vec::new() };
        Some(Encoder { kind, initial: (g0, g1), now: (g0, g1), extensions, out: Vec::new() })
    }

    fn run(mut self, text: &str) -> Option<Vec<u8>> {
        for character in text.chars() {
            self.character(character)?;
        }
        self.set_g0(self.initial.0)?;
        Some(self.out)
    }

    fn character(&mut self, character: char) -> Option<()> {
        if let Some(byte) = u8::try_from(character).ok().filter(u8::is_ascii) {
            if byte == ESC {
                return None;
            }
            self.set_g0(self.initial.0)?;
            if byte < 0x20 || self.kind.delimits(byte) {
                self.now = self.initial;
            }
            self.out.push(byte);
            return Some(());
        }
        let candidates = [self.now.1, self.initial.1].into_iter().flatten().chain(self.extensions.iter().copied());
        let (set, bytes) = candidates.into_iter().find_map(|set| Some((set, code(set, character)?)))?;
        if matches!(set, Graphic::Kanji | Graphic::SupplementaryKanji) {
            self.set_g0(set)?;
        } else if self.now.1 != Some(set) {
            self.designate(set)?;
            self.now.1 = Some(set);
        }
        self.out.extend_from_slice(&bytes);
        Some(())
    }

    fn set_g0(&mut self, set: Graphic) -> Option<()> {
        if self.now.0 != set {
            self.designate(set)?;
            self.now.0 = set;
        }
        Some(())
    }

    fn designate(&mut self, set: Graphic) -> Option<()> {
        let (escape, ..) = ESCAPES.iter().find(|(_, _, of)| *of == set)?;
        self.out.push(ESC);
        self.out.extend_from_slice(escape);
        Some(())
    }
}

/// The bytes of a character in a set.
fn code(set: Graphic, character: char) -> Option<Vec<u8>> {
    match set {
        Graphic::Ascii | Graphic::Romaji => None,
        Graphic::Kana => {
            let byte = u32::from(character).checked_sub(0xFEC0).and_then(|byte| u8::try_from(byte).ok())?;
            matches!(byte, 0xA1..=0xDF).then(|| vec![byte])
        }
        Graphic::Kanji => kanji(character).map(|pair| pair.to_vec()),
        Graphic::SupplementaryKanji => supplementary().get(&character).map(|pair| pair.to_vec()),
        Graphic::Upper(encoding) | Graphic::Pairs(encoding) => {
            let text = character.to_string();
            let (bytes, _, failed) = encoding.encode(&text);
            let high = match set {
                Graphic::Upper(_) => bytes.len() == 1 && bytes.iter().all(|byte| *byte >= 0xA0),
                _ => bytes.len() == 2 && bytes.iter().all(|byte| *byte >= 0xA1),
            };
            (!failed && high).then(|| bytes.into_owned())
        }
    }
}

/// JIS X 0208, and only that: the rows that vendors added to it (13, 89 and up: 髙, ①) are read by few.
fn kanji(character: char) -> Option<[u8; 2]> {
    let mut buffer = [0; 4];
    let (bytes, _, failed) = EUC_JP.encode(character.encode_utf8(&mut buffer));
    let pair: [u8; 2] = bytes.as_ref().try_into().ok()?;
    let pair = pair.map(|byte| byte & 0x7F);
    (!failed && bytes.first() != Some(&0x8E) && matches!(pair[0], 0x21..=0x28 | 0x30..=0x74)).then_some(pair)
}

/// JIS X 0212 by character: the encoder at hand does not write it, the decoder reads it.
fn supplementary() -> &'static HashMap<char, [u8; 2]> {
    static TABLE: OnceLock<HashMap<char, [u8; 2]>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let pairs = (0x21..=0x7E_u8).flat_map(|first| (0x21..=0x7E_u8).map(move |second| [first, second]));
        let decoded = pairs.filter_map(|pair| {
            let euc = [0x8F, pair[0] | 0x80, pair[1] | 0x80];
            let text = EUC_JP.decode_without_bom_handling_and_without_replacement(&euc)?;
            Some((text.chars().next()?, pair))
        });
        decoded.collect()
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(declared: &str, text: &str, expected: Option<&[u8]>) {
        let set = CharacterSet::declared(declared).unwrap();
        assert_eq!(set.encode(text, TextKind::PersonName).as_deref(), expected, "{declared}: {text}");
    }

    /// Byte for byte the examples of PS3.5 §H.3.1, §H.3.2, §I.2, §J.3, §K.2.
    #[test]
    fn the_examples_of_the_standard_are_written_byte_for_byte() {
        let name = &b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B"[..];
        check("\\ISO 2022 IR 87", "Yamada^Tarou=山田^太郎=やまだ^たろう", Some(name));
        let name =
            &b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J"[..];
        check("ISO 2022 IR 13\\ISO 2022 IR 87", "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", Some(name));
        let name = &b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf"[..];
        check("\\ISO 2022 IR 149", "Hong^Gildong=洪^吉洞=홍^길동", Some(name));
        let name = &b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab="[..];
        check("\\ISO 2022 IR 58", "Zhang^XiaoDong=张^小东=", Some(name));
        check("ISO_IR 192", "王^小東", Some("王^小東".as_bytes()));
        check("GB18030", "王^小东", Some(b"\xcd\xf5^\xd0\xa1\xb6\xab"));
    }

    /// What a set does not have is not written in it: 髙 and ① are in no row of JIS X 0208, kana need ISO-IR 13.
    #[test]
    fn what_a_set_does_not_have_is_not_written() {
        check("\\ISO 2022 IR 87", "髙橋", None);
        check("\\ISO 2022 IR 87", "①", None);
        check("\\ISO 2022 IR 87", "ﾔﾏﾀﾞ", None);
        check("ISO_IR 13", "山田", None);
        check("ISO_IR 6", "é", None);
        check("ISO_IR 100", "€", None);
        check("", "Yamada", Some(b"Yamada"));
        check("ISO_IR 13", "ﾔﾏﾀﾞ", Some(b"\xd4\xcf\xc0\xde"));
        check("ISO_IR 100", "é", Some(b"\xe9"));
        check("ISO 2022 IR 100\\ISO 2022 IR 126", "é^ι^é", Some(b"\xe9^\x1b-F\xe9^\xe9"));
        check("\\ISO 2022 IR 87\\ISO 2022 IR 159", "丂亜A", Some(b"\x1b$(D0!\x1b$B0!\x1b(BA"));
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(
            name in "[A-Za-zぁ-んァ-ヶｱ-ﾝ山田太郎一丁七万丂éöщ홍길동 ^=\\\\-]{0,24}", set in 0_usize..8
        ) {
            // Proves that writing and reading agree in every set, delimiters included.
            let declared = ["\\ISO 2022 IR 87", "ISO 2022 IR 13\\ISO 2022 IR 87", "\\ISO 2022 IR 149", "ISO_IR 192",
                "\\ISO 2022 IR 87\\ISO 2022 IR 159", "ISO_IR 144", "ISO_IR 100", "GB18030"][set];
            let set = CharacterSet::declared(declared).unwrap();
            if let Some(bytes) = set.encode(&name, TextKind::PersonName) {
                prop_assert_eq!(set.decode(&bytes, TextKind::PersonName), name);
            }
        }
    }
}
