//! From the bytes of a text value to Unicode, by Specific Character Set (0008,0005).
//!
//! Code extensions by escape sequences (ISO 2022) are followed here, because the toolkits at hand leave them raw.
//! A declared set that does not fit the bytes is not believed: the set that fits is used and the Data Set is marked
//! suspect. The stored file is never changed.
//!
//! Source: PS3.5 §6.1.2 (character sets, code extension, when the initial set returns), PS3.3 C.12.1.1.2 (defined
//! terms); examples in PS3.5 Annexes H (Japanese), I (Korean), J and K (Chinese).

mod encode;

use encoding_rs::{
    EUC_JP, EUC_KR, Encoding, GB18030, GBK, ISO_8859_2, ISO_8859_3, ISO_8859_4, ISO_8859_5, ISO_8859_6, ISO_8859_7,
    ISO_8859_8, ISO_8859_15, SHIFT_JIS, UTF_8, WINDOWS_874, WINDOWS_1252, WINDOWS_1254,
};
use transcode::data_set::{DataSet, VR, Value};

use super::tags;

/// What bytes end the reach of an escape sequence, beside control characters (PS3.5 §6.1.2.5.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TextKind {
    /// PN: `\`, `^` and `=`.
    PersonName,
    /// LO, SH, UC: `\`.
    Values,
    /// LT, ST, UT: nothing; a backslash is text.
    Text,
}

impl TextKind {
    /// The kind of a VR that follows Specific Character Set; `None` for every other.
    pub fn of(vr: VR) -> Option<TextKind> {
        match vr {
            VR::PN => Some(TextKind::PersonName),
            VR::LO | VR::SH | VR::UC => Some(TextKind::Values),
            VR::LT | VR::ST | VR::UT => Some(TextKind::Text),
            _ => None,
        }
    }

    fn delimits(self, byte: u8) -> bool {
        match self {
            TextKind::PersonName => matches!(byte, b'\\' | b'^' | b'='),
            TextKind::Values => byte == b'\\',
            TextKind::Text => false,
        }
    }
}

/// How the text of a Data Set is decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CharacterSet {
    /// As declared, values joined by `\`.
    pub declared: String,
    /// The declared set was absent or wrong and another is used, or none fits.
    pub suspect: bool,
    used: Used,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Used {
    /// Code extension, or a single-byte set.
    Iso2022 { g0: Graphic, g1: Option<Graphic>, extension: Option<Graphic>, escapes: bool },
    /// An encoding without escapes: UTF-8, GB18030, GBK, Windows-31J.
    Whole(&'static Encoding),
    /// None fits all values: each by the first that fits it.
    Each,
}

/// A set of graphic characters, invoked in G0 (bytes below 80) or G1 (above).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Graphic {
    Ascii,
    /// ISO-IR 14: JIS X 0201 romaji.
    Romaji,
    /// ISO-IR 13: JIS X 0201 half-width katakana.
    Kana,
    /// ISO-IR 87: JIS X 0208.
    Kanji,
    /// ISO-IR 159: JIS X 0212.
    SupplementaryKanji,
    /// The upper half of a single-byte set.
    Upper(&'static Encoding),
    /// A two-byte set in G1: KS X 1001 or GB 2312.
    Pairs(&'static Encoding),
}

impl CharacterSet {
    /// The set a declaration means, believed as it stands; `None` if a term is unknown.
    pub fn declared(declared: &str) -> Option<CharacterSet> {
        let used = match declared.split('\\').map(term).collect::<Option<Vec<_>>>()?.as_slice() {
            [] => ascii(),
            [Term::Whole(encoding), ..] => Used::Whole(encoding),
            [Term::Number(first), more @ ..] => {
                let extension = more.iter().chain([&Term::Number(*first)]).find_map(|term| match term {
                    Term::Number(number) => upper(*number),
                    Term::Whole(_) => None,
                });
                let g0 = if *first == 13 { Graphic::Romaji } else { Graphic::Ascii };
                let g1 = upper(*first).filter(|set| !matches!(set, Graphic::Pairs(_)));
                // One value means no code extension; the two-byte sets, though, are reached by nothing else.
                let escapes = !more.is_empty() || matches!(first, 58 | 87 | 149 | 159);
                Used::Iso2022 { g0, g1, extension, escapes }
            }
        };
        Some(CharacterSet { declared: declared.to_owned(), suspect: false, used })
    }

    /// The set of a Data Set: as declared if every text fits it, else the first of ISO 2022 IR 87 (if there is its
    /// escape sequence), UTF-8 and Windows-31J that fits. `outer` is the set of what an item lies in.
    pub fn of(data_set: &DataSet, outer: Option<&CharacterSet>) -> CharacterSet {
        let given = data_set.get(tags::SPECIFIC_CHARACTER_SET);
        if let (None, Some(outer)) = (given, outer) {
            return outer.clone();
        }
        let declared = given.and_then(|element| element.ascii()).unwrap_or_default().to_owned();
        let mut texts = Vec::new();
        collect(data_set, &mut texts);
        CharacterSet::fitting(&declared, &texts)
    }

    /// As [`CharacterSet::of`], for the values that are not plain ASCII.
    fn fitting(declared: &str, texts: &[(&[u8], TextKind)]) -> CharacterSet {
        let named = CharacterSet::declared(declared);
        let fits = |used: &Used| texts.iter().all(|(bytes, kind)| used.decode(bytes, *kind).is_some());
        match named {
            Some(named) if fits(&named.used) => named,
            _ => {
                let used = candidates(texts.iter().map(|text| text.0)).into_iter().find(|used| fits(used));
                CharacterSet {
                    declared: declared.to_owned(),
                    suspect: !texts.is_empty(),
                    used: used.unwrap_or(Used::Each),
                }
            }
        }
    }

    /// Decodes one value with its `\` (and `^`, `=`) still in it. Bytes that no set explains are read as
    /// Windows-1252, so that nothing is lost to the eye.
    pub fn decode(&self, bytes: &[u8], kind: TextKind) -> String {
        if is_plain(bytes) && !matches!(self.used, Used::Iso2022 { g0: Graphic::Romaji, .. }) {
            return String::from_utf8_lossy(bytes).into_owned();
        }
        let by_candidate = || candidates([bytes].into_iter()).iter().find_map(|used| used.decode(bytes, kind));
        let decoded = self.used.decode(bytes, kind).or_else(by_candidate);
        decoded.unwrap_or_else(|| WINDOWS_1252.decode_without_bom_handling(bytes).0.into_owned())
    }
}

impl Used {
    /// The text, if the bytes are of this set.
    fn decode(&self, bytes: &[u8], kind: TextKind) -> Option<String> {
        match self {
            Used::Each => None,
            Used::Whole(encoding) => {
                let text = encoding.decode_without_bom_handling_and_without_replacement(bytes)?;
                (!bytes.contains(&ESC)).then(|| text.into_owned())
            }
            Used::Iso2022 { escapes: false, .. } if bytes.contains(&ESC) => None,
            Used::Iso2022 { g0, g1, extension, .. } => {
                let initial = (*g0, *g1);
                Decoder { bytes, kind, initial, now: initial, extension: *extension, out: String::new() }.run()
            }
        }
    }
}

const ESC: u8 = 0x1B;

enum Term {
    Number(u16),
    Whole(&'static Encoding),
}

/// A defined term; senders vary in its spaces, underscores and case.
fn term(term: &str) -> Option<Term> {
    let plain: String = term.chars().filter(|c| c.is_ascii_alphanumeric()).map(|c| c.to_ascii_uppercase()).collect();
    match plain.as_str() {
        "" => return Some(Term::Number(6)),
        "GB18030" => return Some(Term::Whole(GB18030)),
        "GBK" => return Some(Term::Whole(GBK)),
        "ISOIR192" | "UTF8" | "ISO2022IR192" => return Some(Term::Whole(UTF_8)),
        _ => {}
    }
    let number = plain.strip_prefix("ISO2022IR").or_else(|| plain.strip_prefix("ISOIR"))?.parse().ok()?;
    let known = upper(number).is_some() || matches!(number, 6 | 87 | 159);
    known.then_some(Term::Number(number))
}

/// What a term designates to G1 (PS3.3 Tables C.12-2 to C.12-4).
fn upper(number: u16) -> Option<Graphic> {
    Some(match number {
        13 => Graphic::Kana,
        58 => Graphic::Pairs(GBK),
        149 => Graphic::Pairs(EUC_KR),
        100 => Graphic::Upper(WINDOWS_1252),
        101 => Graphic::Upper(ISO_8859_2),
        109 => Graphic::Upper(ISO_8859_3),
        110 => Graphic::Upper(ISO_8859_4),
        126 => Graphic::Upper(ISO_8859_7),
        127 => Graphic::Upper(ISO_8859_6),
        138 => Graphic::Upper(ISO_8859_8),
        144 => Graphic::Upper(ISO_8859_5),
        148 => Graphic::Upper(WINDOWS_1254),
        166 => Graphic::Upper(WINDOWS_874),
        203 => Graphic::Upper(ISO_8859_15),
        _ => return None,
    })
}

fn ascii() -> Used {
    Used::Iso2022 { g0: Graphic::Ascii, g1: None, extension: None, escapes: false }
}

/// What undeclared text may be, likeliest first.
fn candidates<'a>(texts: impl Iterator<Item = &'a [u8]>) -> Vec<Used> {
    let mut texts = texts;
    let escaped = texts.any(|bytes| bytes.contains(&ESC));
    let extension = Some(Graphic::Kana);
    let iso2022 = Used::Iso2022 { g0: Graphic::Ascii, g1: None, extension, escapes: true };
    let whole = [Used::Whole(UTF_8), Used::Whole(SHIFT_JIS)];
    escaped.then_some(iso2022).into_iter().chain(whole).collect()
}

/// Every text value that is not plain ASCII, of items too unless they declare a set of their own.
fn collect<'a>(data_set: &'a DataSet, texts: &mut Vec<(&'a [u8], TextKind)>) {
    for element in &data_set.elements {
        match (&element.value, TextKind::of(element.known_vr())) {
            (Value::Bytes(bytes), Some(kind)) if !is_plain(bytes) => texts.push((bytes, kind)),
            (Value::Sequence(items), _) => {
                let inherit = items.iter().filter(|item| item.data_set.get(tags::SPECIFIC_CHARACTER_SET).is_none());
                inherit.for_each(|item| collect(&item.data_set, texts));
            }
            _ => {}
        }
    }
}

fn is_plain(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte < 0x80 && *byte != ESC)
}

/// Escape sequences (PS3.3 Tables C.12-3, C.12-4), the part after ESC; `true` for G1. The last three are not in
/// DICOM but in use: JIS C 6226, the four-byte form of JIS X 0208, and katakana in G0.
const ESCAPES: &[(&[u8], bool, Graphic)] = &[
    (b"(B", false, Graphic::Ascii),
    (b"(J", false, Graphic::Romaji),
    (b")I", true, Graphic::Kana),
    (b"$B", false, Graphic::Kanji),
    (b"$(D", false, Graphic::SupplementaryKanji),
    (b"$)C", true, Graphic::Pairs(EUC_KR)),
    (b"$)A", true, Graphic::Pairs(GBK)),
    (b"-A", true, Graphic::Upper(WINDOWS_1252)),
    (b"-B", true, Graphic::Upper(ISO_8859_2)),
    (b"-C", true, Graphic::Upper(ISO_8859_3)),
    (b"-D", true, Graphic::Upper(ISO_8859_4)),
    (b"-F", true, Graphic::Upper(ISO_8859_7)),
    (b"-G", true, Graphic::Upper(ISO_8859_6)),
    (b"-H", true, Graphic::Upper(ISO_8859_8)),
    (b"-L", true, Graphic::Upper(ISO_8859_5)),
    (b"-M", true, Graphic::Upper(WINDOWS_1254)),
    (b"-T", true, Graphic::Upper(WINDOWS_874)),
    (b"-b", true, Graphic::Upper(ISO_8859_15)),
    (b"$@", false, Graphic::Kanji),
    (b"$(B", false, Graphic::Kanji),
    (b"(I", false, Graphic::Kana),
];

/// Walks over a value with escape sequences. Any byte outside the invoked sets ends it with `None`.
struct Decoder<'a> {
    bytes: &'a [u8],
    kind: TextKind,
    initial: (Graphic, Option<Graphic>),
    now: (Graphic, Option<Graphic>),
    extension: Option<Graphic>,
    out: String,
}

impl Decoder<'_> {
    fn run(mut self) -> Option<String> {
        while let Some((byte, rest)) = self.bytes.split_first() {
            match *byte {
                ESC => {
                    let (escape, g1, set) = ESCAPES.iter().find(|(escape, ..)| rest.starts_with(escape))?;
                    self.bytes = rest.get(escape.len()..)?;
                    if *g1 { self.now.1 = Some(*set) } else { self.now.0 = *set }
                }
                0x80.. => self.upper()?,
                // PS3.5 §6.1.2.5.3: the initial sets return at the end of a line and of a page. In a two-byte set
                // a space is no character either; some senders put one there all the same.
                0..=0x20 => {
                    if matches!(*byte, b'\t' | b'\n' | b'\r' | 0x0C) {
                        self.now = self.initial;
                    }
                    self.out.push(char::from(*byte));
                    self.bytes = rest;
                }
                _ => self.lower()?,
            }
        }
        Some(self.out)
    }

    /// Bytes 21 to 7F, by the set in G0.
    fn lower(&mut self) -> Option<()> {
        let (byte, rest) = self.bytes.split_first()?;
        match self.now.0 {
            Graphic::Kanji | Graphic::SupplementaryKanji => return self.run_of_pairs(),
            _ if self.kind.delimits(*byte) => {
                self.now = self.initial;
                self.out.push(char::from(*byte));
            }
            Graphic::Romaji if *byte == 0x5C => self.out.push('¥'),
            Graphic::Romaji if *byte == 0x7E => self.out.push('‾'),
            Graphic::Kana if *byte <= 0x5F => self.out.push(char::from_u32(0xFF40 + u32::from(*byte))?),
            _ => self.out.push(char::from(*byte)),
        }
        self.bytes = rest;
        Some(())
    }

    /// Two-byte characters up to the next escape sequence or control character.
    ///
    /// A delimiter's byte can be half of a character, so a run that decodes in pairs is taken as such. One that does
    /// not was not escaped back before a delimiter, which PS3.5 §6.1.2.5.3 wants read there nevertheless.
    fn run_of_pairs(&mut self) -> Option<()> {
        let end = self.bytes.iter().position(|byte| !matches!(byte, 0x21..=0x7E)).unwrap_or(self.bytes.len());
        let (run, rest) = self.bytes.split_at_checked(end)?;
        if run.is_empty() {
            // DEL: half of no character. To go on from here would be to stay here.
            return None;
        }
        if let Some(text) = self.pairs(run) {
            self.out.push_str(&text);
            self.bytes = rest;
            return Some(());
        }
        let is_delimiter = |at: &usize| run.get(*at).is_some_and(|byte| self.kind.delimits(*byte));
        let at = (0..run.len())
            .step_by(2)
            .filter(is_delimiter)
            .find(|at| self.pairs(run.get(..*at).unwrap_or(&[])).is_some())?;
        self.out.push_str(&self.pairs(run.get(..at)?)?);
        self.bytes = self.bytes.get(at..)?;
        self.now = self.initial;
        Some(())
    }

    /// EUC-JP holds both kanji sets: JIS X 0208 with the high bits set, JIS X 0212 after 8F.
    fn pairs(&self, run: &[u8]) -> Option<String> {
        let supplementary = self.now.0 == Graphic::SupplementaryKanji;
        let mut euc = Vec::with_capacity(run.len() * 2);
        for pair in run.chunks(2) {
            let [first, second] = pair else { return None };
            euc.extend(supplementary.then_some(0x8F));
            euc.extend([first | 0x80, second | 0x80]);
        }
        Some(EUC_JP.decode_without_bom_handling_and_without_replacement(&euc)?.into_owned())
    }

    /// A run of bytes from 80 on, by the set in G1; by the one extension there is, if it was not designated.
    fn upper(&mut self) -> Option<()> {
        let end = self.bytes.iter().position(|byte| *byte < 0x80).unwrap_or(self.bytes.len());
        let (run, rest) = self.bytes.split_at_checked(end)?;
        let kana = |byte: &u8| char::from_u32(0xFEC0 + u32::from(*byte)).filter(|_| matches!(byte, 0xA1..=0xDF));
        match self.now.1.or(self.extension)? {
            Graphic::Kana => self.out.push_str(&run.iter().map(kana).collect::<Option<String>>()?),
            Graphic::Upper(_) if run.iter().any(|byte| *byte < 0xA0) => return None,
            Graphic::Pairs(_) if run.len() % 2 == 1 || run.iter().any(|byte| *byte < 0xA1) => return None,
            Graphic::Upper(encoding) | Graphic::Pairs(encoding) => {
                self.out.push_str(&encoding.decode_without_bom_handling_and_without_replacement(run)?);
            }
            _ => return None,
        }
        self.bytes = rest;
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn check(declared: &str, bytes: &[u8], expected: &str) {
        let texts = [(bytes, TextKind::PersonName)];
        let set = CharacterSet::fitting(declared, if is_plain(bytes) { &[] } else { &texts });
        assert_eq!(set.decode(bytes, TextKind::PersonName), expected, "{declared}");
        assert!(!set.suspect, "{declared}");
    }

    fn check_suspect(declared: &str, bytes: &[u8], expected: &str) {
        let set = CharacterSet::fitting(declared, &[(bytes, TextKind::PersonName)]);
        assert_eq!((set.decode(bytes, TextKind::PersonName).as_str(), set.suspect), (expected, true), "{declared}");
    }

    /// Proves that DEL among two-byte characters is answered: it once was read for ever.
    #[test]
    fn del_among_kanji_is_no_character() {
        for bytes in [&b"\x1b$B\x7f\x1b(B"[..], b"\x1b$B;3\x7fED\x1b(B", b"\x1b$(D\x7f", b"\x1b$B\x7f\x7f"] {
            let set = CharacterSet::fitting("\\ISO 2022 IR 87\\ISO 2022 IR 159", &[(bytes, TextKind::PersonName)]);
            let _ = set.decode(bytes, TextKind::PersonName);
            assert!(set.suspect, "{bytes:?}");
        }
    }

    #[test]
    fn the_examples_of_the_standard_are_read_byte_for_byte() {
        // PS3.5 §H.3.1, §H.3.2, §I.2, §J.3, §K.2 with the bytes printed there.
        let name = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B";
        check("\\ISO 2022 IR 87", name, "Yamada^Tarou=山田^太郎=やまだ^たろう");
        let name =
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J";
        check("ISO 2022 IR 13\\ISO 2022 IR 87", name, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう");
        let name = b"Hong^Gildong=\x1b$)C\xfb\xf3^\x1b$)C\xd1\xce\xd4\xd7=\x1b$)C\xc8\xab^\x1b$)C\xb1\xe6\xb5\xbf";
        check("\\ISO 2022 IR 149", name, "Hong^Gildong=洪^吉洞=홍^길동");
        check("ISO_IR 192", "Wang^XiaoDong=王^小東=".as_bytes(), "Wang^XiaoDong=王^小東=");
        check("GB18030", b"Wang^XiaoDong=\xcd\xf5^\xd0\xa1\xb6\xab=", "Wang^XiaoDong=王^小东=");
        check(
            "\\ISO 2022 IR 58",
            b"Zhang^XiaoDong=\x1b$)A\xd5\xc5^\x1b$)A\xd0\xa1\xb6\xab=",
            "Zhang^XiaoDong=张^小东=",
        );
        check("GBK", b"\xd5\x5c\xd0\xa1=", &format!("{}小=", gbk(b"\xd5\x5c")));
    }

    /// A character of GBK whose second byte is a backslash.
    fn gbk(bytes: &[u8]) -> String {
        GBK.decode_without_bom_handling(bytes).0.into_owned()
    }

    #[test]
    fn single_byte_sets_and_their_extensions_are_read() {
        // One character of each upper half, declared alone, and one designated by an escape sequence.
        let each = [
            (100, 'é'),
            (101, 'é'),
            (109, 'é'),
            (110, 'é'),
            (144, 'щ'),
            (127, 'ى'),
            (126, 'ι'),
            (138, 'י'),
            (148, 'é'),
        ];
        for (number, expected) in each {
            check(&format!("ISO_IR {number}"), b"A\xe9", &format!("A{expected}"));
        }
        check("ISO_IR 166", b"\xa1", "ก");
        check("ISO 2022 IR 100\\ISO 2022 IR 126", b"\xe9^\x1b-F\xe9^\xe9", "é^ι^é");
        check("iso-ir 100", b"\xe9", "é");
        check("ISO_IR 13", b"\xd4\xcf\xc0\xde \x5e\xb6\xde", "ﾔﾏﾀﾞ ^ｶﾞ");
    }

    #[test]
    fn the_second_kanji_set_is_read() {
        // JIS X 0212: 丂 (30 21) is its first kanji; the same bytes are 亜 in JIS X 0208.
        check("\\ISO 2022 IR 87\\ISO 2022 IR 159", b"\x1b$(D0!\x1b(B^\x1b$B0!\x1b(B", "丂^亜");
    }

    #[test]
    fn a_forgotten_escape_before_a_delimiter_is_made_up_for() {
        // PS3.5 §6.1.2.5.3: the initial set returns before each delimiter, whether or not the sender says so.
        check("\\ISO 2022 IR 87", b"\x1b$B;3ED^\x1b$BB@O:=ab", "山田^太郎=ab");
        check("\\ISO 2022 IR 87", b"\x1b$B;3ED\r\nABC", "山田\r\nABC");
        check("\\ISO 2022 IR 149", b"\x1b$)C\xfb\xf3^\xd1\xce\xd4\xd7", "洪^吉洞");
    }

    #[test]
    fn delimiters_inside_two_byte_characters_are_no_delimiters() {
        // ー is 21 3C, 十 is 3D 3D, 構 is 39 3D, 予 is 4D 3D; \ as a second byte: ソ (Windows-31J 83 5C), 表 (95 5C).
        check("\\ISO 2022 IR 87", b"\x1b$B==9=\x1b(B^A", "十構^A");
        check("\\ISO 2022 IR 87", b"\x1b$B0\\\x1b(B\\B", &format!("{}\\B", euc(b"\xb0\xdc")));
        check_suspect("", b"\x83\x5c\x83\x8c=\x95\x5c", "ソレ=表");
    }

    fn euc(bytes: &[u8]) -> String {
        EUC_JP.decode_without_bom_handling(bytes).0.into_owned()
    }

    #[test]
    fn undeclared_and_wrong_sets_are_found_and_marked() {
        // The order: an escape sequence, UTF-8, Windows-31J, and what fits nothing stays visible.
        check_suspect("", b"\x1b$B;3ED\x1b(B", "山田");
        check_suspect("ISO_IR 100", b"\x1b$B;3ED\x1b(B^\xd4", "山田^ﾔ");
        check_suspect("ISO_IR 6", "山田^太郎".as_bytes(), "山田^太郎");
        check_suspect("ISO_IR 100", b"\x8eR\x93c^\xd4\xcf", "山田^ﾔﾏ");
        check_suspect("ISO_IR 192", b"\x8eR\x93c", "山田");
        check_suspect("ISO_IR 999", "é".as_bytes(), "é");
        check_suspect("ISO_IR 192", b"\xe9t\xe9\xff", "été\u{ff}");
        check("", b"Yamada^Tarou", "Yamada^Tarou");
        check("ISO_IR 999", b"", "");
    }

    #[test]
    fn one_value_that_tells_decides_for_all() {
        // Half-width kana alone could be Latin-1; beside a name in Windows-31J it is not.
        let texts: [(&[u8], TextKind); 2] = [(b"\x8eR\x93c", TextKind::PersonName), (b"\xd4\xcf", TextKind::Values)];
        let set = CharacterSet::fitting("ISO_IR 100", &texts);
        assert_eq!(set.decode(b"\xd4\xcf", TextKind::Values), "ﾔﾏ");
        assert!(set.suspect);
    }

    #[test]
    fn a_backslash_in_romaji_is_a_yen_sign_only_in_text() {
        // ISO-IR 14 has ¥ and ‾ at 5C and 7E; where values are many, 5C separates them.
        let set = CharacterSet::declared("ISO_IR 13").unwrap();
        assert_eq!(set.decode(b"\\100~", TextKind::Text), "¥100‾");
        assert_eq!(set.decode(b"a\\b", TextKind::Values), "a\\b");
    }

    proptest! {
        #[test]
        fn any_bytes_decode_to_something(bytes in prop::collection::vec(any::<u8>(), 0..60), set in 0_usize..7) {
            // Proves that no bytes stop the decoder, and that plain ASCII names come out as they are.
            let declared = ["", "ISO_IR 13", "\\ISO 2022 IR 87", "ISO 2022 IR 13\\ISO 2022 IR 87\\ISO 2022 IR 159",
                "ISO_IR 192", "\\ISO 2022 IR 149", "GB18030"][set];
            let chosen = CharacterSet::fitting(declared, &[(&bytes, TextKind::PersonName)]);
            let text = chosen.decode(&bytes, TextKind::PersonName);
            prop_assert!(bytes.is_empty() || !text.is_empty() || bytes.contains(&ESC));
        }

        #[test]
        fn kanji_written_with_escapes_come_back(name in "[ぁ-んァ-ヶ一丁七万丈三上下不世丘丙中丸丹主乃久之乎乏乗乙九也乱乳乾亀]{1,8}") {
            // Proves the round trip through ISO-2022-JP as an independent encoder (EUC-JP minus its high bits).
            let (euc, _, failed) = EUC_JP.encode(&name);
            prop_assume!(!failed);
            let low: Vec<u8> = euc.iter().map(|byte| byte & 0x7F).collect();
            let bytes = [&b"A=\x1b$B"[..], &low, b"\x1b(B^B"].concat();
            check("\\ISO 2022 IR 87", &bytes, &format!("A={name}^B"));
        }
    }
}
