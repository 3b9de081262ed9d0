//! What the device that recorded an ECG says of it, as far as that can be told from words.
//!
//! A device's "normal" misses what matters (17 % of WPW, 3 % of long QT in one city), so it decides only whether a second
//! reader is asked, and only where the worklist says so. In doubt it counts as not said.

use serde_json::Value;

use super::events::Device;

/// Waveform Annotation Sequence and, in its items, Unformatted Text Value (PS3.3 C.10.10).
const ANNOTATIONS: &str = "0040B020";
const TEXT: &str = "00700006";
/// Anything of this, and it is not normal, whatever else is said.
const ABNORMAL: &[&str] = &["abnormal", "borderline", "otherwise normal", "not normal", "境界", "要精査", "要再検"];
/// Longer ones before those that are in them.
const NORMAL: &[&str] = &["normal ecg", "normal ekg", "within normal limits", "正常範囲内", "正常範囲", "正常心電図"];
/// Words with 異常 in them that say that there is none.
const NOTHING_ABNORMAL: &[&str] = &["異常なし", "異常無し", "異常を認めず", "異常ありません", "異常は認められません"];
/// What may stand beside a normal and takes nothing from it; longer ones before those that are in them.
const NEUTRAL: &[&str] = &[
    "normal sinus rhythm",
    "sinus rhythm",
    "正常洞調律",
    "洞調律",
    "automatic",
    "unconfirmed",
    "自動解析",
    "自動診断",
    "医師未確認",
    "未確認",
    "recording begins",
    "記録開始",
];
/// Behind the text of an event of an MFER file stands its number, in parentheses.
const EVENT: &str = "(mfer event ";

/// What the device says in the metadata of an instance.
pub(super) fn said(dicom_json: &[u8]) -> Device {
    let Ok(document) = serde_json::from_slice::<Value>(dicom_json) else { return Device::Silent };
    let items = document[ANNOTATIONS]["Value"].as_array().into_iter().flatten();
    let texts = items.flat_map(|item| item[TEXT]["Value"].as_array().into_iter().flatten().filter_map(Value::as_str));
    of(&texts.collect::<Vec<_>>())
}

/// Normal only where nothing else is said: a part that is within limits says nothing of the rest.
fn of(texts: &[&str]) -> Device {
    let (mut normal, mut other) = (false, false);
    for text in texts {
        let mut text = without_event_number(text.to_lowercase());
        normal |= take_out(&mut text, NOTHING_ABNORMAL);
        if text.contains("異常") || ABNORMAL.iter().any(|word| text.contains(word)) {
            return Device::Abnormal;
        }
        normal |= take_out(&mut text, NORMAL);
        take_out(&mut text, NEUTRAL);
        // Numbers too: findings may be told by their Minnesota codes alone.
        other |= text.contains(|c: char| c.is_alphanumeric() || matches!(c, '?' | '？'));
    }
    if normal && !other { Device::Normal } else { Device::Silent }
}

fn without_event_number(mut text: String) -> String {
    if let Some((before, number)) = text.rsplit_once(EVENT)
        && number.strip_suffix(')').is_some_and(|number| number.bytes().all(|byte| byte.is_ascii_digit()))
    {
        text.truncate(before.len());
    }
    text
}

/// Whether any of these was there. What was around it stays apart.
fn take_out(text: &mut String, phrases: &[&str]) -> bool {
    let mut any = false;
    for phrase in phrases {
        if text.contains(phrase) {
            *text = text.replace(phrase, " ");
            any = true;
        }
    }
    any
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_plain_normal_is_normal() {
        let check = |texts: &[&str], expected| assert_eq!(of(texts), expected, "{texts:?}");
        check(&["Sinus rhythm. Normal ECG (automatic, unconfirmed)"], Device::Normal);
        check(&["Sinus rhythm", "ABNORMAL ECG"], Device::Abnormal);
        check(&["Otherwise normal ECG"], Device::Abnormal);
        check(&["Normal ECG", "Borderline QT"], Device::Abnormal);
        check(&["Normal sinus rhythm"], Device::Silent);
        check(&["正常範囲"], Device::Normal);
        check(&["異常なし"], Device::Normal);
        check(&["異常Q波"], Device::Abnormal);
        check(&["異常なし", "軽度ST異常"], Device::Abnormal);
        check(&[], Device::Silent);
    }

    #[test]
    fn a_normal_beside_anything_else_is_not_said() {
        let check = |texts: &[&str], expected| assert_eq!(of(texts), expected, "{texts:?}");
        check(&["QTc 正常範囲外"], Device::Silent);
        check(&["P波 異常なし", "ST低下"], Device::Silent);
        check(&["PR interval within normal limits", "Prolonged QT"], Device::Silent);
        check(&["Not a normal ECG"], Device::Silent);
        check(&["電気軸 正常範囲", "WPW症候群"], Device::Silent);
        check(&["Normal ECG?"], Device::Silent);
        check(&["正常範囲", "8-3-1"], Device::Silent);
        check(&["正常範囲内", "Normal sinus rhythm", "Normal ECG (unconfirmed)"], Device::Normal);
        check(&["正常範囲内", "Recording begins (MFER event 16385)"], Device::Normal);
        check(&["正常範囲内", "VPC (MFER event 7)"], Device::Silent);
        check(&["正常範囲内", "MFER event 7"], Device::Silent);
        check(&["洞調律。正常心電図(自動解析、医師未確認)"], Device::Normal);
    }

    #[test]
    fn texts_are_those_of_annotations() {
        let document = serde_json::json!({
            "0040B020": { "vr": "SQ", "Value": [
                { "0040A30A": { "vr": "DS", "Value": [60] } },
                { "00700006": { "vr": "ST", "Value": ["Normal ECG"] } },
            ] },
            "00104000": { "vr": "LT", "Value": ["abnormal"] },
        });
        assert_eq!(said(document.to_string().as_bytes()), Device::Normal);
        assert_eq!(said(b"{}"), Device::Silent);
        assert_eq!(said(b"no"), Device::Silent);
    }
}
