//! Values as texts, as JSON and XML have them, to bytes as a Data Set has them (PS3.5 §6.2).

use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry, VirtualVr};
use dicom_dictionary_std::StandardDataDictionary;
pub use transcode::data_set::is_text;
use transcode::data_set::{Tag, VR};

/// PS3.5 §6.2: a Decimal String has 16 characters at the most.
const DS_BYTES_MAX: usize = 16;

/// Whether values of this VR are bytes, which JSON and XML carry as base64 or elsewhere.
pub fn is_binary(vr: VR) -> bool {
    use VR::*;
    matches!(vr, OB | OD | OF | OL | OV | OW | UN)
}

/// The VR of two letters.
///
/// # Errors
/// What is wrong: no VR at all, or not one that this attribute has (PS3.6 §6).
pub fn vr_of(tag: Tag, letters: &str) -> Result<VR, String> {
    let vr = letters.parse::<VR>().map_err(|_| format!("\"{}\" is no VR", letters.escape_default()))?;
    let standard = tag.0.is_multiple_of(2).then(|| StandardDataDictionary.by_tag(tag)).flatten();
    let Some(entry) = standard else { return Ok(vr) };
    let fits = match entry.vr() {
        VirtualVr::Exact(exact) => vr == exact || alike(exact, vr),
        VirtualVr::Xs => matches!(vr, VR::US | VR::SS),
        VirtualVr::Ox | VirtualVr::Px => matches!(vr, VR::OB | VR::OW),
        VirtualVr::Lt => matches!(vr, VR::US | VR::SS | VR::OW),
        _ => true,
    };
    match (fits || vr == VR::UN, entry.vr()) {
        (true, _) => Ok(vr),
        (false, VirtualVr::Exact(exact)) => Err(format!("its VR is {}, not {vr}", exact.to_string())),
        (false, _) => Err(format!("its VR is not {vr}")),
    }
}

/// VRs that one edition of PS3.6 has and another had.
fn alike(exact: VR, given: VR) -> bool {
    use VR::*;
    let pairs = [(UR, UT), (UC, LO), (LO, SH), (UT, LT), (UT, ST), (OB, OW), (ST, LT), (UL, US)];
    pairs.iter().any(|(one, other)| (exact, given) == (*one, *other) || (exact, given) == (*other, *one))
}

/// Encodes values. `None` is an empty one.
///
/// # Errors
/// What is wrong with them; no value is named in it.
pub fn encode(vr: VR, values: &[Option<String>]) -> Result<Vec<u8>, String> {
    match vr {
        VR::LT | VR::ST | VR::UR | VR::UT if values.len() > 1 => {
            Err(format!("{vr} has one value, not {}", values.len()))
        }
        VR::DS | VR::IS => joined(values, |text| number_text(vr, text)),
        VR::UI => joined(values, |text| Ok(text.trim_matches(['\0', ' ']).to_owned())),
        vr if is_text(vr) => joined(values, |text| Ok(text.to_owned())),
        _ => {
            let mut bytes = Vec::with_capacity(values.len() * 4);
            for value in values {
                let value = value.as_deref().ok_or_else(|| format!("{vr} has no empty values among others"))?;
                number(vr, value.trim(), &mut bytes)?;
            }
            Ok(bytes)
        }
    }
}

fn joined(values: &[Option<String>], each: impl Fn(&str) -> Result<String, String>) -> Result<Vec<u8>, String> {
    let texts = values.iter().map(|value| value.as_deref().map_or(Ok(String::new()), &each));
    Ok(texts.collect::<Result<Vec<_>, _>>()?.join("\\").into_bytes())
}

/// A number as its text, in as few characters as there is room for.
fn number_text(vr: VR, text: &str) -> Result<String, String> {
    let text = text.trim();
    let wrong = || format!("a value is no number that {vr} can be");
    if vr == VR::IS {
        let whole = text.parse::<i64>().ok();
        let decimal = || text.parse::<f64>().ok().filter(|value| value.fract() == 0.0 && value.abs() < 9e15);
        return whole.or_else(|| decimal().map(|value| value as i64)).map(|value| value.to_string()).ok_or_else(wrong);
    }
    let value = text.parse::<f64>().ok().filter(|value| value.is_finite()).ok_or_else(wrong)?;
    if text.len() <= DS_BYTES_MAX {
        return Ok(text.to_owned());
    }
    let plain = (0..=DS_BYTES_MAX).rev().map(|digits| format!("{value:.digits$}"));
    let short = |text: &String| text.len() <= DS_BYTES_MAX;
    let exponents = (0..=DS_BYTES_MAX).rev().map(|digits| format!("{value:.digits$e}"));
    let small = value != 0.0 && value.abs() < 1e-4;
    let best = if small { exponents.clone().find(short) } else { plain.clone().find(short) };
    best.or_else(|| exponents.clone().find(short)).ok_or_else(wrong)
}

fn number(vr: VR, text: &str, bytes: &mut Vec<u8>) -> Result<(), String> {
    let wrong = || format!("a value is no number that {vr} can be");
    // A whole number may come as 1.0.
    let whole = || {
        let decimal = || text.parse::<f64>().ok().filter(|value| value.fract() == 0.0 && value.abs() < 9e15);
        text.parse::<i128>().ok().or_else(|| decimal().map(|value| value as i128)).ok_or_else(wrong)
    };
    match vr {
        VR::AT => {
            let tag = super::tag_of_hex(text).ok_or("a value is no tag of eight hexadecimal digits")?;
            bytes.extend_from_slice(&tag.0.to_le_bytes());
            bytes.extend_from_slice(&tag.1.to_le_bytes());
        }
        VR::FL => bytes.extend_from_slice(&(float(text).ok_or_else(wrong)? as f32).to_le_bytes()),
        VR::FD => bytes.extend_from_slice(&float(text).ok_or_else(wrong)?.to_le_bytes()),
        VR::SS => bytes.extend_from_slice(&i16::try_from(whole()?).map_err(|_| wrong())?.to_le_bytes()),
        VR::US => bytes.extend_from_slice(&u16::try_from(whole()?).map_err(|_| wrong())?.to_le_bytes()),
        VR::SL => bytes.extend_from_slice(&i32::try_from(whole()?).map_err(|_| wrong())?.to_le_bytes()),
        VR::UL => bytes.extend_from_slice(&u32::try_from(whole()?).map_err(|_| wrong())?.to_le_bytes()),
        VR::SV => bytes.extend_from_slice(&i64::try_from(whole()?).map_err(|_| wrong())?.to_le_bytes()),
        VR::UV => bytes.extend_from_slice(&u64::try_from(whole()?).map_err(|_| wrong())?.to_le_bytes()),
        _ => return Err(format!("{vr} is carried as InlineBinary or as bulk data")),
    }
    Ok(())
}

/// PS3.18 §F.2.3: numbers that JSON cannot write are strings.
fn float(text: &str) -> Option<f64> {
    text.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(vr: VR, values: &[&str], expected: Result<&[u8], &str>) {
        let values: Vec<_> = values.iter().map(|text| (!text.is_empty()).then(|| (*text).to_owned())).collect();
        let encoded = encode(vr, &values);
        match expected {
            Ok(bytes) => assert_eq!(encoded.as_deref(), Ok(bytes), "{vr} {values:?}"),
            Err(part) => assert!(encoded.as_ref().unwrap_err().contains(part), "{vr} {values:?} {encoded:?}"),
        }
    }

    /// Values of each kind of VR become the bytes of PS3.5 §6.2, and what cannot be one is named without being shown.
    #[test]
    fn values_become_bytes_by_their_vr() {
        check(VR::LO, &["a", "", "c"], Ok(b"a\\\\c"));
        check(VR::UT, &["a\\b"], Ok(b"a\\b"));
        check(VR::UT, &["a", "b"], Err("one value"));
        check(VR::IS, &["12", "-3.0"], Ok(b"12\\-3"));
        check(VR::IS, &["1.5"], Err("no number"));
        check(VR::DS, &["0.5", "0.12345678901234567"], Ok(b"0.5\\0.12345678901235"));
        check(VR::DS, &["0.00000012345678901234"], Ok(b"1.23456789012e-7"));
        check(VR::DS, &["secret"], Err("no number that DS can be"));
        check(VR::US, &["65535", "1.0"], Ok(&[255, 255, 1, 0]));
        check(VR::US, &["65536"], Err("no number"));
        check(VR::US, &["1", ""], Err("empty"));
        check(VR::SV, &["-9223372036854775808"], Ok(&[0, 0, 0, 0, 0, 0, 0, 0x80]));
        check(VR::UV, &["18446744073709551615"], Ok(&[0xFF; 8]));
        check(VR::FL, &["NaN"], Ok(&f32::NAN.to_le_bytes()));
        check(
            VR::FD,
            &["-inf", "Infinity"],
            Ok(&[f64::NEG_INFINITY.to_le_bytes(), f64::INFINITY.to_le_bytes()].concat()),
        );
        check(VR::AT, &["00200013"], Ok(&[0x20, 0, 0x13, 0]));
        check(VR::AT, &["20013"], Err("eight hexadecimal digits"));
        check(VR::OB, &["1"], Err("InlineBinary"));
    }

    /// A VR that the attribute does not have is refused with the one it has; private and unknown ones are as they say.
    #[test]
    fn a_wrong_vr_is_named() {
        assert_eq!(vr_of(Tag(0x0010, 0x0010), "PN"), Ok(VR::PN));
        assert_eq!(vr_of(Tag(0x0010, 0x0010), "US").unwrap_err(), "its VR is PN, not US");
        assert_eq!(vr_of(Tag(0x0028, 0x0106), "SS"), Ok(VR::SS));
        assert_eq!(vr_of(Tag(0x7FE0, 0x0010), "OB"), Ok(VR::OB));
        assert_eq!(vr_of(Tag(0x0009, 0x1001), "US"), Ok(VR::US));
        assert!(vr_of(Tag(0x0010, 0x0010), "xx").unwrap_err().contains("no VR"));
    }
}
