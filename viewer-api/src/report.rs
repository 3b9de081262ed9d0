//! Structured Reports as text that any browser shows (PS3.18 §8.7.4: the Text category): each content item a line, inside
//! the one that holds it (PS3.3 C.17.3).

use std::fmt::Write;

use serde_json::{Map, Value};
use transcode::data_set::markup_escaped;

type Elements = Map<String, Value>;

/// Content items shown at the most.
const LINES_MAX: usize = 20_000;

/// One content item.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    depth: usize,
    name: String,
    value: String,
}

/// Whether an object has the SR Document Content Module.
pub(crate) fn is_report(object: &Elements) -> bool {
    object.contains_key("0040A730") || object.contains_key("0040A040")
}

/// An HTML page without scripts or styles.
pub(crate) fn html(object: &Elements) -> String {
    let title = title(object);
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{0}</title></head>\n<body>\n<h1>{0}</h1>\n<dl>\n",
        escaped(&title)
    );
    for (name, value) in heads(object) {
        let _ = writeln!(out, "<dt>{}</dt><dd>{}</dd>", escaped(name), escaped(&value));
    }
    out.push_str("</dl>\n");
    let mut depth = 0;
    for line in lines(object) {
        while depth > line.depth {
            out.push_str("</li></ul>\n");
            depth -= 1;
        }
        if depth < line.depth {
            out.push_str("<ul>\n");
            depth += 1;
        } else {
            out.push_str("</li>\n");
        }
        let _ = write!(out, "<li><strong>{}</strong> {}", escaped(&line.name), escaped(&line.value));
    }
    (0..depth).for_each(|_| out.push_str("</li></ul>\n"));
    out.push_str("</body>\n</html>\n");
    out
}

/// Plain text, two spaces a level.
pub(crate) fn plain(object: &Elements) -> String {
    let mut out = format!("{}\n\n", title(object));
    for (name, value) in heads(object) {
        let _ = writeln!(out, "{name}: {value}");
    }
    out.push('\n');
    for Line { depth, name, value } in lines(object) {
        let indent = "  ".repeat(depth.saturating_sub(1));
        let _ = writeln!(out, "{indent}{name}{} {value}", if name.is_empty() { "" } else { ":" });
    }
    out
}

fn title(object: &Elements) -> String {
    let named = meaning(object, "0040A043");
    if named.is_empty() { text(object, "0008103E").unwrap_or_else(|| "Report".into()) } else { named }
}

/// Who and when, and whether it is finished (PS3.3 C.17.2).
fn heads(object: &Elements) -> Vec<(&'static str, String)> {
    let heads = [
        ("Patient", "00100010"),
        ("Patient ID", "00100020"),
        ("Birth date", "00100030"),
        ("Study date", "00080020"),
        ("Content date", "00080023"),
        ("Completion", "0040A491"),
        ("Verification", "0040A493"),
    ];
    heads.into_iter().filter_map(|(name, tag)| Some((name, text(object, tag)?))).collect()
}

/// The content tree, flattened. Its depth is bounded where the JSON was read.
fn lines(object: &Elements) -> Vec<Line> {
    let mut out = Vec::new();
    items(object, "0040A730").for_each(|item| line(item, 1, &mut out));
    out
}

fn line(item: &Elements, depth: usize, out: &mut Vec<Line>) {
    if out.len() >= LINES_MAX {
        return;
    }
    out.push(Line { depth, name: meaning(item, "0040A043"), value: value(item) });
    items(item, "0040A730").for_each(|inside| line(inside, depth + 1, out));
}

/// The value of a content item, by its Value Type (PS3.3 Table C.17.3-7).
fn value(item: &Elements) -> String {
    let plain = |tag| text(item, tag).unwrap_or_default();
    match text(item, "0040A040").as_deref() {
        Some("TEXT") => plain("0040A160"),
        Some("CODE") => meaning(item, "0040A168"),
        Some("NUM") => items(item, "0040A300").next().map(measured).unwrap_or_default(),
        Some("DATETIME") => plain("0040A120"),
        Some("DATE") => plain("0040A121"),
        Some("TIME") => plain("0040A122"),
        Some("PNAME") => plain("0040A123"),
        Some("UIDREF") => plain("0040A124"),
        Some("IMAGE" | "COMPOSITE" | "WAVEFORM") => {
            items(item, "00081199").next().and_then(|of| text(of, "00081155")).unwrap_or_default()
        }
        Some("SCOORD" | "SCOORD3D") => plain("00700023"),
        _ => String::new(),
    }
}

fn measured(value: &Elements) -> String {
    let number = text(value, "0040A30A").unwrap_or_default();
    let unit = items(value, "004008EA").next().and_then(|unit| text(unit, "00080100")).unwrap_or_default();
    if unit == "1" || unit.is_empty() { number } else { format!("{number} {unit}") }
}

/// Code Meaning of the first code of a sequence.
fn meaning(object: &Elements, tag: &str) -> String {
    items(object, tag).next().and_then(|code| text(code, "00080104")).unwrap_or_default()
}

fn items<'a>(object: &'a Elements, tag: &str) -> impl Iterator<Item = &'a Elements> {
    let values = object.get(tag).and_then(|element| element.get("Value")).and_then(Value::as_array);
    values.into_iter().flatten().filter_map(Value::as_object)
}

/// The first value as text; of a name all groups of components.
fn text(object: &Elements, tag: &str) -> Option<String> {
    let first = object.get(tag)?.get("Value")?.as_array()?.first()?;
    match first {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        Value::Object(name) => {
            let groups =
                ["Ideographic", "Phonetic", "Alphabetic"].iter().filter_map(|group| name.get(*group)?.as_str());
            Some(groups.collect::<Vec<_>>().join(" = "))
        }
        _ => None,
    }
}

/// Text as HTML: its lines stay lines, other control characters go.
fn escaped(text: &str) -> String {
    let plain = text.replace(|c: char| c.is_control() && c != '\n', " ");
    markup_escaped(&plain).replace('\n', "<br>\n")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn code(meaning: &str) -> Value {
        json!({ "vr": "SQ", "Value": [{ "00080104": { "vr": "LO", "Value": [meaning] } }] })
    }

    fn report() -> Elements {
        let number = json!({ "0040A30A": { "vr": "DS", "Value": ["12.5"] },
            "004008EA": { "vr": "SQ", "Value": [{ "00080100": { "vr": "SH", "Value": ["mm"] } }] } });
        json!({
            "0040A040": { "vr": "CS", "Value": ["CONTAINER"] },
            "0040A043": code("Chest report"),
            "00100010": { "vr": "PN", "Value": [{ "Alphabetic": "A^B", "Ideographic": "山田^太郎" }] },
            "0040A730": { "vr": "SQ", "Value": [
                { "0040A040": { "vr": "CS", "Value": ["CONTAINER"] }, "0040A043": code("Findings"), "0040A730": { "vr": "SQ", "Value": [
                    { "0040A040": { "vr": "CS", "Value": ["NUM"] }, "0040A043": code("Diameter"), "0040A300": { "vr": "SQ", "Value": [number] } },
                    { "0040A040": { "vr": "CS", "Value": ["TEXT"] }, "0040A043": code("Note"), "0040A160": { "vr": "UT", "Value": ["<b>1 & 2</b>"] } },
                ] } },
                { "0040A040": { "vr": "CS", "Value": ["CODE"] }, "0040A043": code("Conclusion"), "0040A168": code("Nodule") },
            ] }
        })
        .as_object()
        .cloned()
        .unwrap()
    }

    #[test]
    fn a_report_is_a_page_of_nested_lists_and_its_texts_are_no_tags() {
        let page = html(&report());
        assert!(page.contains("<h1>Chest report</h1>") && page.contains("山田^太郎"));
        assert!(page.contains("<li><strong>Diameter</strong> 12.5 mm"), "{page}");
        assert!(page.contains("&lt;b&gt;1 &amp; 2&lt;/b&gt;") && !page.contains("<b>"));
        for (open, close) in [("<ul>", "</ul>"), ("<li>", "</li>")] {
            assert_eq!(page.matches(open).count(), page.matches(close).count(), "{open}");
        }
    }

    #[test]
    fn plain_text_says_the_same_and_is_indented() {
        let text = plain(&report());
        assert!(text.starts_with("Chest report\n") && text.contains("\n  Diameter: 12.5 mm\n"), "{text}");
        assert!(text.contains("\nConclusion: Nodule\n"));
        assert!(is_report(&report()) && !is_report(&Elements::new()));
    }
}
