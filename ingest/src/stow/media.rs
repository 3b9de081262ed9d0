//! What a store request carries, by its Content-Type (PS3.18 §8.7, RFC 2045 §5.1), and names in its headers.

use percent_encoding::percent_decode_str;

/// A name on a receipt is cut after this.
const FILE_BYTES_MAX: usize = 1024;

/// The payload of a store request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// `application/dicom`: the body is one file.
    Single,
    /// `multipart/related; type="application/dicom"`: a file a part.
    Multipart {
        /// Between the parts.
        boundary: String,
    },
    /// Anything else.
    Unsupported,
    /// `multipart/related` without a boundary.
    NoBoundary,
}

/// Reads a Content-Type.
pub fn payload(content_type: &str) -> Payload {
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let parameters = parameters_of(parameters);
    let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    match essence.trim().to_ascii_lowercase().as_str() {
        "application/dicom" => Payload::Single,
        "multipart/related" => match (parameter("type"), parameter("boundary")) {
            (Some(kind), _) if !kind.eq_ignore_ascii_case("application/dicom") => Payload::Unsupported,
            (_, Some(boundary)) => Payload::Multipart { boundary: boundary.to_owned() },
            (_, None) => Payload::NoBoundary,
        },
        _ => Payload::Unsupported,
    }
}

/// `; name=value; name="quoted \" value"` with names in lower case.
fn parameters_of(text: &str) -> Vec<(String, String)> {
    let (mut parameters, mut rest) = (Vec::new(), text);
    while let Some((name, after)) = rest.split_once('=') {
        let (value, after) = value_of(after.trim_start());
        parameters.push((name.trim_matches([';', ' ', '\t']).to_ascii_lowercase(), value));
        rest = after;
    }
    parameters
}

fn value_of(text: &str) -> (String, &str) {
    let Some(quoted) = text.strip_prefix('"') else {
        let end = text.find(';').unwrap_or(text.len());
        return (text[..end].trim().to_owned(), &text[end..]);
    };
    let (mut value, mut escaped) = (String::new(), false);
    for (at, c) in quoted.char_indices() {
        match c {
            '\\' if !escaped => escaped = true,
            '"' if !escaped => return (value, &quoted[at + 1..]),
            c => {
                value.push(c);
                escaped = false;
            }
        }
    }
    (value, "")
}

/// The file a Content-Location names: percent-decoded, without control characters, of bounded length.
pub fn file_name(content_location: &str) -> String {
    let decoded = percent_decode_str(content_location.trim()).decode_utf8_lossy();
    let mut name: String = decoded.chars().filter(|c| !c.is_control()).collect();
    if name.len() > FILE_BYTES_MAX {
        let cut = (0..=FILE_BYTES_MAX).rev().find(|&at| name.is_char_boundary(at)).unwrap_or(0);
        name.truncate(cut);
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(content_type: &str, expected: Payload) {
        assert_eq!(payload(content_type), expected, "{content_type}");
    }

    /// Quoted, unquoted and escaped parameters in any order; other types are not taken for DICOM.
    #[test]
    fn content_types_are_read() {
        let multipart = |boundary: &str| Payload::Multipart { boundary: boundary.into() };
        check("application/dicom", Payload::Single);
        check("Application/DICOM; transfer-syntax=1.2.840.10008.1.2.1", Payload::Single);
        check("multipart/related; type=\"application/dicom\"; boundary=abc", multipart("abc"));
        check("multipart/related;boundary=\"a;b=\\\"c\";type=application/dicom", multipart("a;b=\"c"));
        check("multipart/related; boundary=abc; start=x", multipart("abc"));
        check("multipart/related; type=\"application/dicom+json\"; boundary=abc", Payload::Unsupported);
        check("multipart/related; type=application/dicom", Payload::NoBoundary);
        check("text/plain", Payload::Unsupported);
        check("", Payload::Unsupported);
    }

    /// Names come back as they were, in any script, and cannot break a log or a page.
    #[test]
    fn file_names_are_decoded_and_bounded() {
        assert_eq!(file_name("%E5%8F%97%E8%A8%BA/IM%2001.dcm"), "受診/IM 01.dcm");
        assert_eq!(file_name("a%0D%0Ab"), "ab");
        assert_eq!(file_name(&"あ".repeat(2000)).len(), 1023);
    }
}
