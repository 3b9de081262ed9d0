//! Matching of a person's name (PS3.4 C.2.2.2.1, C.2.2.2.4; PS3.18 §8.3.4.2).

use std::collections::BTreeSet;

use super::{is_between, key, loose};

/// Letters of one name that keys are made of at the most; longer ones are no names.
const NAME_CHARS_MAX: usize = 256;
/// Words of a name that are looked at, at the most.
const WORDS_MAX: usize = 16;

/// A name that is searched for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Name {
    /// As it was typed; with `*` and `?`.
    pub text: String,
    /// Each of its words is the beginning of a word of the name, in any order and romanisation; else one of the
    /// component groups matches as a whole.
    pub fuzzy: bool,
}

impl Name {
    /// Whether every name matches.
    pub fn is_universal(&self) -> bool {
        self.text.chars().all(|c| c == '*' || c == '=' || is_between(c))
    }

    /// Whether there are letters in it that fuzzy matching can go by.
    pub fn has_words(&self) -> bool {
        !pieces(&self.text).is_empty()
    }

    /// What keys of a name begin with if it matches, each of these; none where that cannot be said.
    pub(crate) fn prefixes(&self) -> Vec<String> {
        let mut out: Vec<String> = if self.fuzzy && self.has_words() {
            let pieces = pieces(&self.text).into_iter().filter(|piece| !piece.anywhere);
            pieces.map(|piece| cut(&piece.loose)).collect()
        } else {
            // Several groups at once: each that says something.
            let key = key(self.text.trim_end_matches('='));
            key.split('=').map(|group| group.split(['*', '?']).next().unwrap_or("").to_owned()).collect()
        };
        out.retain(|prefix| !prefix.is_empty());
        out
    }
}

/// A name that is searched for, made ready.
#[derive(Clone, Debug)]
pub struct NamePattern {
    strict: String,
    pieces: Option<Vec<Piece>>,
}

/// One word of a fuzzy pattern.
#[derive(Clone, Debug)]
struct Piece {
    strict: String,
    loose: String,
    /// It may stand inside a word too.
    anywhere: bool,
}

impl NamePattern {
    /// Makes ready.
    pub fn new(name: &Name) -> NamePattern {
        let pieces = name.fuzzy.then(|| pieces(&name.text)).filter(|pieces| !pieces.is_empty());
        NamePattern { strict: key(name.text.trim_end_matches('=')), pieces }
    }

    /// Whether a name as received matches.
    pub fn matches(&self, name: &str) -> bool {
        match &self.pieces {
            Some(pieces) => resembles(pieces, name),
            None if self.strict.contains('=') => groups_match(&self.strict, &key(name)),
            None => key(name).split('=').any(|group| !group.is_empty() && wildcard_matches(&self.strict, group)),
        }
    }
}

/// The groups of a pattern one by one; one that says nothing matches everything.
fn groups_match(pattern: &str, name: &str) -> bool {
    let mut groups = name.split('=');
    pattern.split('=').all(|pattern| {
        let group = groups.next().unwrap_or("");
        pattern.is_empty() || wildcard_matches(pattern, group)
    })
}

fn resembles(pieces: &[Piece], name: &str) -> bool {
    let words = words(name);
    let has = |piece: &Piece| {
        words.iter().any(|(strict, loose)| match piece.anywhere {
            true => strict.contains(&piece.strict) || loose.contains(&piece.loose),
            false => strict.starts_with(&piece.strict) || loose.starts_with(&piece.loose),
        })
    };
    pieces.iter().all(has)
}

/// The words of a fuzzy pattern.
fn pieces(text: &str) -> Vec<Piece> {
    let words = text.split(|c: char| is_between(c) || c == '=').filter(|word| !word.is_empty());
    let mut out = Vec::new();
    for word in words.take(WORDS_MAX) {
        for (at, part) in word.split(['*', '?', '＊', '？']).enumerate().filter(|(_, part)| !part.is_empty()) {
            let (strict, loose) = (key(part), loose(part));
            if !loose.is_empty() {
                out.push(Piece { strict, loose, anywhere: at > 0 });
            }
        }
    }
    out
}

/// The words of a name as received with their strict and loose keys: each component, and each group as one word, in
/// both orders.
fn words(name: &str) -> Vec<(String, String)> {
    let mut out = Vec::new();
    for group in shortened(name).split('=').filter(|group| !group.is_empty()) {
        let components: Vec<(String, String)> = group
            .split(is_between)
            .filter(|word| !word.is_empty())
            .take(WORDS_MAX)
            .map(|w| (key(w), loose(w)))
            .collect();
        if components.len() > 1 {
            let backwards: Vec<_> = components.iter().rev().cloned().collect();
            out.extend([joined(&components), joined(&backwards)]);
        }
        out.extend(components);
    }
    out
}

fn joined(words: &[(String, String)]) -> (String, String) {
    words.iter().cloned().reduce(|a, b| (a.0 + &b.0, a.1 + &b.1)).unwrap_or_default()
}

fn shortened(name: &str) -> &str {
    name.char_indices().nth(NAME_CHARS_MAX).map_or(name, |(end, _)| name.get(..end).unwrap_or(name))
}

/// The rows a name has in the index of names: what a match begins with ([`Name::prefixes`]) is the beginning of one of
/// these. The strict key of each group; the loose key of each group from each of its components on, round its end.
pub(crate) fn rows(name: &str) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for group in shortened(name).split('=').filter(|group| !group.is_empty()) {
        out.insert(key(group));
        let components: Vec<String> =
            group.split(is_between).filter(|word| !word.is_empty()).take(WORDS_MAX).map(loose).collect();
        out.extend((0..components.len()).map(|first| {
            let (before, from) = components.split_at(first);
            [from.concat(), before.concat()].concat()
        }));
    }
    out.remove("");
    out
}

/// A loose word as far as it is sure: who types `Mart` may be on the way to `Martin`, whose key begins with `March`.
fn cut(word: &str) -> String {
    word.trim_end_matches(['t', 'z', 'd', 'h', 'm', 'y', 's', 'c', 'j']).to_owned()
}

/// Whether a text has wildcards in it.
pub fn is_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// Wild card matching (PS3.4 C.2.2.2.4): `*` is any run of characters, `?` any one. Takes time in proportion to the
/// product of both lengths at the most.
pub fn wildcard_matches(pattern: &str, text: &str) -> bool {
    let (pattern, text): (Vec<char>, Vec<char>) = (pattern.chars().collect(), text.chars().collect());
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p + 1, t));
                p += 1;
            }
            Some(c) if *c == '?' || Some(c) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((after, at)) => {
                    (p, t) = (after, at + 1);
                    star = Some((after, at + 1));
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &str = "Yamada^Tarou=山田^太郎=やまだ^たろう";

    fn check(text: &str, fuzzy: bool, expected: bool) {
        let name = Name { text: text.into(), fuzzy };
        assert_eq!(NamePattern::new(&name).matches(NAME), expected, "{text} {fuzzy}");
        let prefixes = name.prefixes();
        let found = prefixes.iter().all(|prefix| rows(NAME).iter().any(|row| row.starts_with(prefix)));
        assert!(found || !expected, "{text} {fuzzy}: {prefixes:?} are not all beginnings of {:?}", rows(NAME));
    }

    /// Proves literal matching: a whole component group, without case, width and script of kana.
    #[test]
    fn a_plain_name_matches_a_whole_group() {
        for text in ["Yamada^Tarou", "YAMADA^TAROU", "yamada*", "山田^太郎", "山田*", "ﾔﾏﾀﾞ*", "*太郎", "y?mada^tarou"]
        {
            check(text, false, true);
        }
        for text in ["Yamada^Tarou=山田^太郎", "=山田*", "==やまだ*", "Yamada*=山?^太郎=*"] {
            check(text, false, true);
        }
        for text in ["Yamada", "山田", "Yamada^Taro", "Tarou*", "=やまだ*", "Suzuki*", "Yamada*=鈴木*"] {
            check(text, false, false);
        }
    }

    /// Proves fuzzy matching: words in any order, cut short, in any romanisation.
    #[test]
    fn a_fuzzy_name_matches_by_its_words() {
        for text in
            ["Yamada", "taro yamada", "Tarō", "yamadataro", "ﾀﾛｳ", "山田太郎", "太郎　山田", "たろう ﾔﾏﾀﾞ", "Yam Ta"]
        {
            check(text, true, true);
        }
        for text in ["YAMADA^TAROH", "*mada*", "Yama*", "tarouyamada"] {
            check(text, true, true);
        }
        for text in ["Suzuki", "Yamada Jirou", "amada", "山本"] {
            check(text, true, false);
        }
    }

    /// Proves that what the index of names is asked for never misses a name that matches.
    #[test]
    fn a_word_on_its_way_to_another_spelling_is_found() {
        let name = "Martin^Timothy";
        for typed in ["Mart", "Marti", "Tim", "T", "Ma t", "martintim"] {
            let wanted = Name { text: typed.into(), fuzzy: true };
            assert!(NamePattern::new(&wanted).matches(name), "{typed}");
            for prefix in wanted.prefixes() {
                assert!(rows(name).iter().any(|row| row.starts_with(&prefix)), "{typed}: {prefix} of {:?}", rows(name));
            }
        }
    }

    /// Proves wild card matching with pairs, and that it does not take for ever.
    #[test]
    fn wildcards_stand_for_runs_and_for_one() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("a*c", "abbbc", true),
            ("a*c", "abbbcd", false),
            ("?b?", "abc", true),
            ("?", "", false),
            ("*ab*ab", "abxab", true),
            ("[a]", "a", false),
        ] {
            assert_eq!(wildcard_matches(pattern, text), expected, "{pattern} {text}");
        }
        assert!(!wildcard_matches(&"*a".repeat(500), &"a".repeat(400)));
    }
}
