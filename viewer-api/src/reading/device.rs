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
const NORMAL: &[&str] = &["normal ecg", "normal ekg", "within normal limits", "正常範囲", "正常心電図"];
/// Words with 異常 in them that say that there is none.
const NOTHING_ABNORMAL: &[&str] = &["異常なし", "異常無し", "異常を認めず", "異常ありません", "異常は認められません"];

/// What the device says in the metadata of an instance.
pub(super) fn said(dicom_json: &[u8]) -> Device {
    let Ok(document) = serde_json::from_slice::<Value>(dicom_json) else { return Device::Silent };
    let items = document[ANNOTATIONS]["Value"].as_array().into_iter().flatten();
    let texts = items.flat_map(|item| item[TEXT]["Value"].as_array().into_iter().flatten().filter_map(Value::as_str));
    of(&texts.collect::<Vec<_>>())
}

fn of(texts: &[&str]) -> Device {
    let mut normal = false;
    for text in texts {
        let mut text = text.to_lowercase();
        for nothing in NOTHING_ABNORMAL.iter().filter(|nothing| text.contains(**nothing)).collect::<Vec<_>>() {
            normal = true;
            text = text.replace(nothing, "");
        }
        if text.contains("異常") || ABNORMAL.iter().any(|word| text.contains(word)) {
            return Device::Abnormal;
        }
        normal |= NORMAL.iter().any(|word| text.contains(word));
    }
    if normal { Device::Normal } else { Device::Silent }
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
