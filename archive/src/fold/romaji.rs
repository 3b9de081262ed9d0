//! The loose key: kana and every usual romanisation of it come out as the same letters.
//!
//! Hepburn is what the others are brought to, since its beginnings are beginnings of what it stands for: who has typed
//! `Sh` so far is found `Shimizu` and `Shouji`. Long vowels (`ou`, `oo`, `oh`, `ō`, `ー`) are short, double letters
//! single, `n` before `b`, `m`, `p` is `n`.

use unicode_normalization::UnicodeNormalization;
use unicode_normalization::char::is_combining_mark;

use super::{fold_char, is_between};

/// Kana in the order of the syllabary, each with its letters.
const SYLLABLES: &str = "
    あa いi うu えe おo かka きki くku けke こko がga ぎgi ぐgu げge ごgo さsa しshi すsu せse そso ざza じji ずzu ぜze ぞzo
    たta ちchi つtsu てte とto だda ぢji づzu でde どdo なna にni ぬnu ねne のno はha ひhi ふfu へhe ほho
    ばba びbi ぶbu べbe ぼbo ぱpa ぴpi ぷpu ぺpe ぽpo まma みmi むmu めme もmo やya ゆyu よyo らra りri るru れre ろro
    わwa ゐi ゑe をo んn ゔbu ぁa ぃi ぅu ぇe ぉo ゃya ゅyu ょyo ゎwa ゕka ゖke
";

/// What is written otherwise in other romanisations, in this order; the right side is Hepburn without long vowels.
const SPELLINGS: &[(&str, &str)] = &[
    ("tch", "ch"),
    ("sya", "sha"),
    ("syu", "shu"),
    ("syo", "sho"),
    ("tya", "cha"),
    ("tyu", "chu"),
    ("tyo", "cho"),
    ("cya", "cha"),
    ("cyu", "chu"),
    ("cyo", "cho"),
    ("zya", "ja"),
    ("zyu", "ju"),
    ("zyo", "jo"),
    ("jya", "ja"),
    ("jyu", "ju"),
    ("jyo", "jo"),
    ("dya", "ja"),
    ("dyu", "ju"),
    ("dyo", "jo"),
    ("dzu", "zu"),
    ("si", "shi"),
    ("ti", "chi"),
    ("tu", "tsu"),
    ("zi", "ji"),
    ("di", "ji"),
    ("du", "zu"),
    ("l", "r"),
    ("v", "b"),
    ("mb", "nb"),
    ("mm", "nm"),
    ("mp", "np"),
];

/// The loose key of one word: without case, width, script of kana, long vowels and old forms.
pub fn loose(word: &str) -> String {
    let mut letters = String::with_capacity(word.len());
    for c in word.nfkc().flat_map(char::to_lowercase).filter(|c| !is_between(*c) && *c != '=') {
        letter(fold_char(c), &mut letters);
    }
    for (spelling, hepburn) in SPELLINGS {
        if letters.contains(spelling) {
            letters = letters.replace(spelling, hepburn);
        }
    }
    shortened(&hu(&letters))
}

/// Adds what one character stands for.
fn letter(c: char, out: &mut String) {
    match c {
        'ー' | '\'' | '’' | '-' | '‐' | 'っ' | '゛' | '゜' => {}
        'ゃ' | 'ゅ' | 'ょ' if out.ends_with('i') => {
            out.pop();
            let vowel = match c {
                'ゃ' => "a",
                'ゅ' => "u",
                _ => "o",
            };
            // しゃ is sha, ちゃ cha, じゃ ja; きゃ is kya.
            if !(out.ends_with("sh") || out.ends_with("ch") || out.ends_with('j')) {
                out.push('y');
            }
            out.push_str(vowel);
        }
        'ぁ' | 'ぃ' | 'ぅ' | 'ぇ' | 'ぉ' => {
            // ふぁ is fa, ヴァ ba: the small vowel stands for the one before it.
            if out.ends_with('u') {
                out.pop();
            }
            out.push_str(syllable(c).unwrap_or_default());
        }
        '\u{3041}'..='\u{3096}' => out.push_str(syllable(c).unwrap_or_default()),
        c if c.is_ascii() => out.push(c),
        // Letters with marks, as ō: the letter alone. Han characters decompose to themselves.
        c => out.extend(std::iter::once(c).nfd().filter(|c| !is_combining_mark(*c))),
    }
}

fn syllable(c: char) -> Option<&'static str> {
    let at = SYLLABLES.find(c)? + c.len_utf8();
    SYLLABLES.get(at..)?.split(|c: char| !c.is_ascii_lowercase()).next()
}

/// `hu` is `fu`, but in `shu` and `chu`.
fn hu(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut letters = text.chars().peekable();
    while let Some(c) = letters.next() {
        let is_fu = c == 'h' && letters.peek() == Some(&'u') && !matches!(before, 's' | 'c' | 't' | 'p');
        out.push(if is_fu { 'f' } else { c });
        before = c;
    }
    out
}

/// Long vowels short, double letters single, `h` that only lengthens away.
fn shortened(text: &str) -> String {
    let letters: Vec<char> = text.chars().collect();
    let mut out = String::with_capacity(text.len());
    for (at, &c) in letters.iter().enumerate() {
        let next = letters.get(at + 1).copied().unwrap_or(' ');
        let doubled = out.ends_with(c) && c.is_ascii_alphabetic();
        let lengthens = (c == 'u' && out.ends_with('o'))
            || (c == 'h' && out.ends_with(['o', 'u']) && !matches!(next, 'a' | 'i' | 'u' | 'e' | 'o' | 'y'));
        if !doubled && !lengthens {
            out.push(c);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::loose;

    fn check(typed: &str, written: &str) {
        assert_eq!(loose(typed), loose(written), "{typed} finds {written}");
    }

    /// Proves the folding by pairs that are the same name.
    #[test]
    fn one_name_in_every_spelling_is_one_key() {
        check("ﾀﾛｳ", "Tarō");
        check("たろう", "taro");
        check("タロー", "Taroh");
        check("Tarou", "TARO");
        check("しんいち", "Shin'ichi");
        check("Sin-iti", "Shinichi");
        check("Ohno", "おおの");
        check("Oono", "Ono");
        check("Satoh", "さとう");
        check("Itou", "Ito");
        check("Zyunko", "じゅんこ");
        check("Junko", "ジュンコ");
        check("Tsutsumi", "つつみ");
        check("Tutumi", "Tsutsumi");
        check("Huzisawa", "Fujisawa");
        check("ふじさわ", "Fujisawa");
        check("Shuhei", "Syuuhei");
        check("Chujo", "ちゅうじょう");
        check("Hattori", "はっとり");
        check("Matchida", "まっちだ");
        check("Homma", "Honma");
        check("Kambe", "かんべ");
        check("Ōta", "おおた");
        check("Ohara", "おおはら");
        check("Kyouko", "きょうこ");
        check("渡邉", "渡辺");
        check("Müller", "Muller");
        check("ヴァ", "バ");
    }

    /// Proves that other names stay apart.
    #[test]
    fn other_names_are_other_keys() {
        for (one, other) in [("さとし", "さとる"), ("Sato", "Saito"), ("かとう", "がとう"), ("太郎", "次郎")]
        {
            assert_ne!(loose(one), loose(other), "{one} {other}");
        }
    }
}
