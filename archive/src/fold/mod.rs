//! Search keys: how a name is folded so that what people type finds what senders wrote.
//!
//! Keys only: the text as received is never changed by this. The *strict* key ([`key`]) is for literal matching: PS3.4
//! C.2.2.2.1 lets person names match without regard to case, and NFKC (half-width kana, full-width letters), hiragana
//! for katakana and a small table of kanji variants are the same for scripts that have no case. The *loose* key
//! ([`loose`]) is for `fuzzymatching`: any kana or romaji in one romanisation, without long vowels.

mod kanji;
mod name;
mod romaji;

use unicode_normalization::UnicodeNormalization;

pub(crate) use name::rows;
pub use name::{Name, NamePattern, is_wildcard, wildcard_matches};
pub use romaji::loose;

/// Version of the folding. A change makes the index rebuild itself.
pub const VERSION: u32 = 2;

/// The strict key of a text: compatible forms, lower case, hiragana, one form of each kanji, and none of the characters
/// that senders put between the parts of a name (`^`, spaces, middle dots). `=` stays: it parts the component groups.
pub fn key(text: &str) -> String {
    // Names are written in ASCII for the most part, which NFKC leaves as it is.
    if text.is_ascii() {
        return text.chars().filter(|c| !is_between(*c)).map(|c| c.to_ascii_lowercase()).collect();
    }
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
        _ => kanji::one_form(c),
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
        check("齋藤 壽", "斎藤^寿");
        check("１２ａ", "12A");
    }

    #[test]
    fn groups_stay_apart() {
        assert_eq!(key("Yamada^Tarou=山田^太郎=やまだ^たろう"), "yamadatarou=山田太郎=やまだたろう");
    }
}
