//! Search keys: how a name is folded so that what people type finds what senders wrote.
//!
//! Keys only: the text as received is never changed by this. The rules are those of PS3.4 C.2.2.2.1 (case-insensitive
//! person names) plus what Japanese names need: NFKC (half-width kana, full-width letters), hiragana for katakana,
//! and a small table of kanji variants that NFKC leaves apart.

use unicode_normalization::UnicodeNormalization;

/// Version of the folding. A change makes the index rebuild itself.
pub const VERSION: u32 = 1;

/// Old or variant forms of kanji in names, each with the form it is searched under. Most senders cannot write the left
/// ones (they are outside JIS X 0208), so both forms of one name are in use.
const KANJI_VARIANTS: &[(char, char)] = &[
    ('髙', '高'),
    ('﨑', '崎'),
    ('嵜', '崎'),
    ('濵', '浜'),
    ('濱', '浜'),
    ('邊', '辺'),
    ('邉', '辺'),
    ('齋', '斎'),
    ('齊', '斎'),
    ('斉', '斎'),
    ('澤', '沢'),
    ('廣', '広'),
    ('國', '国'),
    ('櫻', '桜'),
    ('龍', '竜'),
    ('瀨', '瀬'),
    ('德', '徳'),
    ('惠', '恵'),
    ('眞', '真'),
    ('嶋', '島'),
    ('嶌', '島'),
    ('舘', '館'),
    ('冨', '富'),
    ('曾', '曽'),
    ('榮', '栄'),
    ('壽', '寿'),
    ('𠮷', '吉'),
];

/// The key of a text: compatible forms, lower case, hiragana, one form of each kanji, and none of the characters that
/// senders put between the parts of a name (`^`, spaces, middle dots). `=` stays: it parts the component groups.
pub fn key(text: &str) -> String {
    text.nfkc().flat_map(char::to_lowercase).filter(|c| !is_between(*c)).map(fold_char).collect()
}

/// Whether a character only stands between the parts of a name.
fn is_between(c: char) -> bool {
    c.is_whitespace() || matches!(c, '^' | '・' | '·' | ',')
}

fn fold_char(c: char) -> char {
    match c {
        // Katakana to hiragana: the blocks lie 0x60 apart.
        '\u{30A1}'..='\u{30F6}' => char::from_u32(c as u32 - 0x60).unwrap_or(c),
        _ => KANJI_VARIANTS.iter().find(|(variant, _)| *variant == c).map_or(c, |(_, form)| *form),
    }
}

#[cfg(test)]
mod tests {
    use super::key;

    fn check(typed: &str, written: &str) {
        assert_eq!(key(typed), key(written), "{typed} finds {written}");
    }

    #[test]
    fn what_people_type_meets_what_senders_wrote() {
        check("ﾔﾏﾀﾞ ﾀﾛｳ", "やまだ^たろう");
        check("ヤマダ", "やまだ");
        check("YAMADA Tarou", "Yamada^Tarou");
        check("髙﨑", "高崎");
        check("渡邉　一郎", "渡辺^一郎");
        check("１２ａ", "12A");
    }

    #[test]
    fn groups_stay_apart() {
        assert_eq!(key("Yamada^Tarou=山田^太郎=やまだ^たろう"), "yamadatarou=山田太郎=やまだたろう");
    }
}
