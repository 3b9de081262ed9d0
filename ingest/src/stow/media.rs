//! What a store request carries, by its Content-Type (PS3.18 §8.7, RFC 2045 §5.1), and names in its headers.

use percent_encoding::percent_decode_str;
use transcode::waveform::MFER_MEDIA_TYPE;

/// A name on a receipt is cut after this.
const FILE_BYTES_MAX: usize = 1024;

/// What the parts of a store request are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Files: Part 10 ones, or others that are taken in for what their first bytes say they are.
    Files,
    /// DICOM JSON (PS3.18 Annex F), then bulk data.
    Json,
    /// Native DICOM Models (PS3.19 §A.1), then bulk data.
    Xml,
}

impl Kind {
    /// By media type, in lower case.
    pub fn of(media_type: &str) -> Option<Kind> {
        match media_type {
            "application/dicom" => Some(Kind::Files),
            // MFER has no registered type.
            MFER_MEDIA_TYPE => Some(Kind::Files),
            "application/dicom+json" => Some(Kind::Json),
            "application/dicom+xml" => Some(Kind::Xml),
            _ => None,
        }
    }

    /// The same of a request: a sender that does not know the type of its files says "octets", which is what bulk data
    /// are too, but bulk data never come alone.
    fn of_request(media_type: &str) -> Option<Kind> {
        if media_type == "application/octet-stream" { Some(Kind::Files) } else { Kind::of(media_type) }
    }
}

/// The payload of a store request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Payload {
    /// The body is one part of this kind.
    Single(Kind),
    /// `multipart/related`: parts.
    Multipart {
        /// Between the parts.
        boundary: String,
        /// What they are; files where the request does not say.
        kind: Kind,
    },
    /// Anything else.
    Unsupported,
    /// `multipart/related` without a boundary.
    NoBoundary,
}

/// Reads the Content-Type of a request.
pub fn payload(text: &str) -> Payload {
    let (essence, parameters) = content_type(text);
    let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    if essence != "multipart/related" {
        return Kind::of_request(&essence).map_or(Payload::Unsupported, Payload::Single);
    }
    let kind = parameter("type").map_or(Some(Kind::Files), |kind| Kind::of_request(&content_type(kind).0));
    match (kind, parameter("boundary")) {
        (None, _) => Payload::Unsupported,
        (Some(kind), Some(boundary)) => Payload::Multipart { boundary: boundary.to_owned(), kind },
        (Some(_), None) => Payload::NoBoundary,
    }
}

/// A media type in lower case, and its parameters, their names in lower case.
pub fn content_type(text: &str) -> (String, Vec<(String, String)>) {
    let (essence, parameters) = text.split_once(';').unwrap_or((text, ""));
    (essence.trim().to_ascii_lowercase(), parameters_of(parameters))
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
        let of = |boundary: &str, kind| Payload::Multipart { boundary: boundary.into(), kind };
        let multipart = |boundary: &str| of(boundary, Kind::Files);
        check("application/dicom", Payload::Single(Kind::Files));
        check("Application/DICOM; transfer-syntax=1.2.840.10008.1.2.1", Payload::Single(Kind::Files));
        check("application/dicom+json", Payload::Single(Kind::Json));
        check("multipart/related; type=\"application/dicom\"; boundary=abc", multipart("abc"));
        check("multipart/related;boundary=\"a;b=\\\"c\";type=application/dicom", multipart("a;b=\"c"));
        check("multipart/related; boundary=abc; start=x", multipart("abc"));
        check("multipart/related; type=\"application/dicom+json\"; boundary=abc", of("abc", Kind::Json));
        check("multipart/related; type=Application/DICOM+XML; boundary=abc", of("abc", Kind::Xml));
        check("multipart/related; type=\"image/png\"; boundary=abc", Payload::Unsupported);
        check("application/x-mfer", Payload::Single(Kind::Files));
        check("application/octet-stream", Payload::Single(Kind::Files));
        check("multipart/related; type=\"application/x-mfer\"; boundary=abc", multipart("abc"));
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
