//! Japanese text as senders write it: character sets with their escapes, names, institutions. Every person is made up.
//!
//! Source: PS3.5 §6.1.2.5 (code extension), §6.2.1 (person names), Annex H (Japanese).

use encoding_rs::{EUC_JP, Encoding};

use crate::noise::Random;

/// Specific Character Set of a study.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Charset {
    /// None declared: ASCII.
    Ascii,
    /// `\ISO 2022 IR 87`: ASCII, kanji by escape.
    Kanji,
    /// `ISO 2022 IR 13\ISO 2022 IR 87`: JIS X 0201 with half-width katakana in G1, kanji by escape.
    KanaKanji,
    /// `ISO_IR 192`: UTF-8.
    Utf8,
}

const TO_KANJI: &[u8] = b"\x1b$B";
const TO_ASCII: &[u8] = b"\x1b(B";
const TO_ROMAJI: &[u8] = b"\x1b(J";

impl Charset {
    /// The value of (0008,0005), if it is declared.
    pub(crate) fn declared(self) -> Option<&'static str> {
        match self {
            Charset::Ascii => None,
            Charset::Kanji => Some("\\ISO 2022 IR 87"),
            Charset::KanaKanji => Some("ISO 2022 IR 13\\ISO 2022 IR 87"),
            Charset::Utf8 => Some("ISO_IR 192"),
        }
    }

    /// Whether Japanese can be written at all.
    pub(crate) fn is_japanese(self) -> bool {
        self != Charset::Ascii
    }

    /// Text in this set. What the set cannot hold becomes `?`.
    pub(crate) fn encode(self, text: &str) -> Vec<u8> {
        match self {
            Charset::Utf8 => text.as_bytes().to_vec(),
            Charset::Ascii => text.chars().map(|c| if c.is_ascii() { c as u8 } else { b'?' }).collect(),
            Charset::Kanji => escaped(text, TO_ASCII),
            Charset::KanaKanji => escaped(text, TO_ROMAJI),
        }
    }
}

/// ISO 2022 with kanji in G0. Before `^`, `=`, `\`, a control character and the end G0 is the initial set again
/// (PS3.5 §6.1.2.5.3); single-byte characters are only written in that state.
fn escaped(text: &str, initial: &[u8]) -> Vec<u8> {
    let (mut out, mut in_kanji) = (Vec::new(), false);
    for c in text.chars() {
        let code = jis(c, initial == TO_ROMAJI);
        if (code.len() == 2) != in_kanji {
            in_kanji = !in_kanji;
            out.extend_from_slice(if in_kanji { TO_KANJI } else { initial });
        }
        out.extend_from_slice(&code);
    }
    if in_kanji {
        out.extend_from_slice(initial);
    }
    out
}

/// One character: a byte of the initial set, or two of JIS X 0208 (EUC-JP without its high bits).
fn jis(c: char, kana: bool) -> Vec<u8> {
    if c.is_ascii() {
        return vec![c as u8];
    }
    let (euc, _, lost) = encode(EUC_JP, c);
    match euc.as_slice() {
        [0x8E, half] if kana && !lost => vec![*half],
        [high, low] if *high >= 0xA1 && !lost => vec![high & 0x7F, low & 0x7F],
        _ => b"?".to_vec(),
    }
}

fn encode(encoding: &'static Encoding, c: char) -> (Vec<u8>, &'static Encoding, bool) {
    let mut buffer = [0; 4];
    let (bytes, used, lost) = encoding.encode(c.encode_utf8(&mut buffer));
    (bytes.into_owned(), used, lost)
}

/// A made-up person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// Patient ID as the centre writes it, leading zeros kept.
    pub patient_id: String,
    /// Family and given name in Latin letters.
    pub romaji: (String, String),
    /// In kanji.
    pub kanji: (String, String),
    /// In hiragana.
    pub kana: (String, String),
    /// Birth date, `YYYYMMDD`.
    pub birth_date: String,
    /// `F` or `M`.
    pub sex: &'static str,
}

type Word = (&'static str, &'static str, &'static str);

#[rustfmt::skip]
const FAMILY: [Word; 24] = [
    ("Yamada", "山田", "やまだ"), ("Sato", "佐藤", "さとう"), ("Suzuki", "鈴木", "すずき"), ("Takahashi", "高橋", "たかはし"),
    ("Watanabe", "渡邊", "わたなべ"), ("Ito", "伊藤", "いとう"), ("Nakamura", "中村", "なかむら"), ("Kobayashi", "小林", "こばやし"),
    ("Saito", "齋藤", "さいとう"), ("Yoshida", "吉田", "よしだ"), ("Sasaki", "佐々木", "ささき"), ("Matsumoto", "松本", "まつもと"),
    ("Inoue", "井上", "いのうえ"), ("Kimura", "木村", "きむら"), ("Shimizu", "清水", "しみず"), ("Hayashi", "林", "はやし"),
    ("Abe", "阿部", "あべ"), ("Mori", "森", "もり"), ("Ikeda", "池田", "いけだ"), ("Ishikawa", "石川", "いしかわ"),
    ("Ogawa", "小川", "おがわ"), ("Goto", "後藤", "ごとう"), ("Kondo", "近藤", "こんどう"), ("Endo", "遠藤", "えんどう"),
];
#[rustfmt::skip]
const FEMALE: [Word; 10] = [
    ("Hanako", "花子", "はなこ"), ("Yoko", "陽子", "ようこ"), ("Misaki", "美咲", "みさき"), ("Sakura", "さくら", "さくら"),
    ("Keiko", "恵子", "けいこ"), ("Yumi", "由美", "ゆみ"), ("Akemi", "明美", "あけみ"), ("Kazuko", "和子", "かずこ"),
    ("Naomi", "直美", "なおみ"), ("Emi", "エミ", "えみ"),
];
#[rustfmt::skip]
const MALE: [Word; 10] = [
    ("Taro", "太郎", "たろう"), ("Ichiro", "一郎", "いちろう"), ("Kenji", "健二", "けんじ"), ("Hiroshi", "博", "ひろし"),
    ("Makoto", "誠", "まこと"), ("Shota", "翔太", "しょうた"), ("Daisuke", "大輔", "だいすけ"), ("Minoru", "実", "みのる"),
    ("Takashi", "隆", "たかし"), ("Jun", "淳", "じゅん"),
];

impl Person {
    /// A person of the given sex, or of either.
    pub(crate) fn new(random: &mut Random, sex: Option<&'static str>) -> Person {
        let sex = sex.unwrap_or_else(|| if random.chance(0.5) { "F" } else { "M" });
        let family = random.pick(&FAMILY);
        let given = random.pick(if sex == "F" { &FEMALE } else { &MALE });
        let pair = |of: fn(&Word) -> &'static str| (of(family).to_owned(), of(given).to_owned());
        let number = random.below(10_000_000);
        let patient_id = match random.below(10) {
            0..=6 => format!("{number:08}"),
            7 => format!("{:04}", number % 10_000),
            8 => format!("D{:06}", number % 1_000_000),
            _ => format!("{:03}-{:05}", number % 1000, number / 1000),
        };
        let birth_date =
            format!("{}{:02}{:02}", random.between(1938, 1996), random.between(1, 12), random.between(1, 28));
        Person { patient_id, romaji: pair(|w| w.0), kanji: pair(|w| w.1), kana: pair(|w| w.2), birth_date, sex }
    }

    /// Patient's Name as a sender with this character set writes it (PS3.5 §H.3).
    pub(crate) fn patient_name(&self, charset: Charset) -> String {
        let join = |(family, given): &(String, String)| format!("{family}^{given}");
        let (kanji, kana) = (join(&self.kanji), join(&self.kana));
        match charset {
            Charset::Ascii => join(&self.romaji),
            Charset::KanaKanji => format!("{}={kanji}={kana}", half_width(&kana)),
            Charset::Kanji | Charset::Utf8 => format!("{}={kanji}={kana}", join(&self.romaji)),
        }
    }
}

/// Hiragana as half-width katakana, voiced marks apart (JIS X 0201).
pub(crate) fn half_width(kana: &str) -> String {
    #[rustfmt::skip]
    const TABLE: &[(&str, &str)] = &[
        ("あいうえお", "ｱｲｳｴｵ"), ("かきくけこ", "ｶｷｸｹｺ"), ("さしすせそ", "ｻｼｽｾｿ"), ("たちつてと", "ﾀﾁﾂﾃﾄ"),
        ("なにぬねの", "ﾅﾆﾇﾈﾉ"), ("はひふへほ", "ﾊﾋﾌﾍﾎ"), ("まみむめも", "ﾏﾐﾑﾒﾓ"), ("やゆよ", "ﾔﾕﾖ"),
        ("らりるれろ", "ﾗﾘﾙﾚﾛ"), ("わをん", "ﾜｦﾝ"), ("っゃゅょー", "ｯｬｭｮｰ"),
    ];
    #[rustfmt::skip]
    const VOICED: &[(&str, &str, &str)] = &[
        ("がぎぐげご", "ｶｷｸｹｺ", "ﾞ"), ("ざじずぜぞ", "ｻｼｽｾｿ", "ﾞ"), ("だぢづでど", "ﾀﾁﾂﾃﾄ", "ﾞ"),
        ("ばびぶべぼ", "ﾊﾋﾌﾍﾎ", "ﾞ"), ("ぱぴぷぺぽ", "ﾊﾋﾌﾍﾎ", "ﾟ"),
    ];
    let find = |c: char, from: &str, to: &str| from.chars().position(|f| f == c).and_then(|i| to.chars().nth(i));
    kana.chars().fold(String::new(), |mut out, c| {
        let plain = TABLE.iter().find_map(|(from, to)| find(c, from, to).map(|half| (half, "")));
        let voiced = || VOICED.iter().find_map(|(from, to, mark)| find(c, from, to).map(|half| (half, *mark)));
        let (half, mark) = plain.or_else(voiced).unwrap_or((c, ""));
        out.push(half);
        out.push_str(mark);
        out
    })
}

/// Institutions, in Japanese and in Latin letters. None exists.
#[rustfmt::skip]
pub(crate) const INSTITUTIONS: [(&str, &str); 5] = [
    ("つなぐ健診センター", "Tsunagu Screening Centre"), ("青葉台人間ドック", "Aobadai Ningen Dock"),
    ("みなと検診クリニック", "Minato Screening Clinic"), ("北山健康管理センター", "Kitayama Health Centre"),
    ("ひかり総合健診所", "Hikari General Checkup"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn check(charset: Charset, text: &str, expected: &[u8]) {
        assert_eq!(charset.encode(text), expected, "{text} in {charset:?}");
    }

    #[test]
    fn the_examples_of_ps3_5_annex_h_come_out_byte_for_byte() {
        let h31 = b"Yamada^Tarou=\x1b$B;3ED\x1b(B^\x1b$BB@O:\x1b(B=\x1b$B$d$^$@\x1b(B^\x1b$B$?$m$&\x1b(B";
        check(Charset::Kanji, "Yamada^Tarou=山田^太郎=やまだ^たろう", h31);
        let h32 =
            b"\xd4\xcf\xc0\xde^\xc0\xdb\xb3=\x1b$B;3ED\x1b(J^\x1b$BB@O:\x1b(J=\x1b$B$d$^$@\x1b(J^\x1b$B$?$m$&\x1b(J";
        check(Charset::KanaKanji, "ﾔﾏﾀﾞ^ﾀﾛｳ=山田^太郎=やまだ^たろう", h32);
    }

    #[test]
    fn voiced_kana_become_two_half_width_characters() {
        assert_eq!(half_width("わたなべ^じゅん"), "ﾜﾀﾅﾍﾞ^ｼﾞｭﾝ");
    }

    #[test]
    fn every_name_and_institution_fits_its_character_set() {
        let words = FAMILY.iter().chain(&FEMALE).chain(&MALE).flat_map(|w| [w.1, w.2]);
        for text in words.chain(INSTITUTIONS.iter().map(|i| i.0)) {
            let bytes = Charset::Kanji.encode(text);
            assert_eq!(encoding_rs::ISO_2022_JP.decode(&bytes).0, text);
        }
    }
}
