//! What a client accepts (RFC 9110 §12.5.1; PS3.18 §8.7.4): media ranges with their parameters, best first.

/// Media ranges looked at in one request at the most.
const RANGES_MAX: usize = 64;

/// One media range of an Accept header.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct MediaRange {
    /// `type/subtype`, lower case.
    essence: String,
    /// Parameters without `q`; names lower case.
    parameters: Vec<(String, String)>,
    /// Weight in thousandths.
    weight: u16,
}

impl MediaRange {
    /// Whether several parts are asked for.
    pub(crate) fn is_multipart(&self) -> bool {
        self.essence.starts_with("multipart/")
    }

    /// The type asked for: of the parts, where several are asked for; `*/*` where it is not said.
    pub(crate) fn inner(&self) -> &str {
        if self.is_multipart() { self.parameter("type").unwrap_or("*/*") } else { &self.essence }
    }

    /// Whether `media_type` is what is asked for (of the parts, where several are).
    pub(crate) fn covers(&self, media_type: &str) -> bool {
        let inner = self.inner().to_ascii_lowercase();
        let in_type = || inner.strip_suffix("/*").is_some_and(|of| media_type.split('/').next() == Some(of));
        inner == "*/*" || inner == media_type || in_type()
    }

    /// Whether `media_type` is asked for by its name, not by a wildcard.
    pub(crate) fn is_exactly(&self, media_type: &str) -> bool {
        self.inner().eq_ignore_ascii_case(media_type)
    }

    /// The transfer syntax asked for; `None` where any will do.
    pub(crate) fn transfer_syntax(&self) -> Option<&str> {
        self.parameter("transfer-syntax").filter(|uid| *uid != "*")
    }

    /// Whether any transfer syntax was asked for by name (`transfer-syntax=*`): as held, whatever that is.
    pub(crate) fn takes_any_transfer_syntax(&self) -> bool {
        self.parameter("transfer-syntax") == Some("*")
    }

    /// Whether any type will do.
    pub(crate) fn is_any(&self) -> bool {
        self.essence == "*/*"
    }

    /// Whether every media type that `one` names is in this range.
    fn takes(&self, one: &MediaRange) -> bool {
        self.is_any() || if self.is_multipart() { self.covers(one.inner()) } else { self.covers(&one.essence) }
    }

    /// 0 for a media type, more for a wildcard.
    fn vagueness(&self) -> usize {
        self.essence.matches('*').count()
    }

    /// A parameter, its quotes taken off.
    pub(crate) fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }
}

/// Reads Accept headers, best first. Refused ranges (`q=0`) are left out, and so is what is no media range: it is ignored, as
/// PS3.18 §8.7.7 wants. Whether there was a header at all is for the caller to ask.
pub(crate) fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<MediaRange> {
    let texts = headers.into_iter().flat_map(|header| split(header, ','));
    let mut ranges: Vec<MediaRange> = texts.take(RANGES_MAX).filter_map(range).collect();
    ranges.retain(|range| range.weight > 0);
    // RFC 9110 §12.5.1: of equal weight, what is said more exactly comes first.
    ranges.sort_by_key(|range| (std::cmp::Reverse(range.weight), range.vagueness()));
    ranges
}

/// The ranges of an accept parameter that the header allows, then those of the header (PS3.18 §8.3.3.1, §8.7.8.1): the
/// parameter goes before, and holds no wildcards.
pub(crate) fn merged(parameter: Vec<MediaRange>, header: Vec<MediaRange>) -> Vec<MediaRange> {
    let allowed =
        |one: &MediaRange| header.iter().any(|range| range.is_multipart() <= one.is_multipart() && range.takes(one));
    let mut out: Vec<MediaRange> =
        parameter.into_iter().filter(|one| !one.essence.contains('*') && allowed(one)).collect();
    out.extend(header);
    out
}

/// Whether DICOM and rendered media types stand side by side, which they may not (PS3.18 §8.7.5).
pub(crate) fn is_mixed(ranges: &[MediaRange]) -> bool {
    let dicom = |range: &&MediaRange| range.inner().to_ascii_lowercase().starts_with("application/dicom");
    let rendered = |range: &&MediaRange| {
        let essence = range.essence.as_str();
        matches!(essence, "application/pdf" | "image/jpeg" | "image/png" | "image/gif") || essence.starts_with("video/")
    };
    ranges.iter().any(|range| dicom(&range)) && ranges.iter().any(|range| rendered(&range))
}

/// One range, `None` where it is none (RFC 9110 §8.3.1, §12.5.1).
fn range(text: &str) -> Option<MediaRange> {
    let mut parts = split(text, ';').into_iter();
    let essence = parts.next().unwrap_or("").trim().to_ascii_lowercase();
    let (kind, subtype) = essence.split_once('/')?;
    if !is_token(kind) || !is_token(subtype) || (kind == "*" && subtype != "*") {
        return None;
    }
    let mut out = MediaRange { essence, parameters: Vec::new(), weight: 1000 };
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let (name, value) = (name.trim().to_ascii_lowercase(), unquoted(value.trim()));
        if name == "q" {
            let weight = value.parse::<f32>().ok().filter(|weight| (0.0..=1.0).contains(weight))?;
            out.weight = (weight * 1000.0).round() as u16;
        } else {
            out.parameters.push((name, value));
        }
    }
    Some(out)
}

/// RFC 9110 §5.6.2.
fn is_token(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// A quoted string and a token mean the same (RFC 9110 §5.6.4, §5.6.6).
fn unquoted(text: &str) -> String {
    let Some(inside) = text.strip_prefix('"').map(|rest| rest.strip_suffix('"').unwrap_or(rest)) else {
        return text.to_owned();
    };
    let mut escaped = false;
    let keep = |c: &char| {
        escaped = *c == '\\' && !escaped;
        !escaped
    };
    inside.chars().filter(keep).collect()
}

/// Splits at a separator that is not inside quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let (mut quoted, mut escaped) = (false, false);
    text.split(|c: char| {
        quoted ^= c == '"' && !escaped;
        escaped = quoted && c == '\\' && !escaped;
        c == separator && !quoted
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_come_best_first_with_their_parameters() {
        let header =
            "image/png;q=0.5, multipart/related; type=\"application/dicom\"; transfer-syntax=1.2.3, text/html;q=0";
        let ranges = parse([header]);
        assert_eq!(ranges.len(), 2);
        assert!(ranges[0].is_multipart() && ranges[0].covers("application/dicom"));
        assert_eq!(ranges[0].transfer_syntax(), Some("1.2.3"));
        assert!(ranges[1].covers("image/png") && !ranges[1].covers("image/jpeg"));
    }

    #[test]
    fn wildcards_cover_and_quotes_hold_together() {
        let check = |header: &str, media_type: &str, expected: bool| {
            assert_eq!(parse([header])[0].covers(media_type), expected, "{header} {media_type}");
        };
        check("*/*", "image/jp2", true);
        check("image/*", "image/jp2", true);
        check("image/*", "application/dicom", false);
        check("multipart/related", "image/jp2", true);
        check("multipart/related; type=\"image/*\"", "image/jls", true);
        check("multipart/related; x=\"a,b;c\"; type=image/jls", "image/jls", true);
        check("multipart/related; type=IMAGE/JLS", "image/jls", true);
        assert!(parse([]).is_empty());
        assert_eq!(parse(["*/*; transfer-syntax=*"])[0].transfer_syntax(), None);
    }

    #[test]
    fn what_is_no_media_range_is_ignored() {
        for bad in [
            "",
            ",,",
            "image",
            "image/",
            "/jpeg",
            "*/jpeg",
            "image/jpeg;q=x",
            "image/jpeg;q=2",
            "a b/c",
            "\u{7f}/x",
            "image/jpeg;q=-1",
        ] {
            assert_eq!(parse([bad]), [], "{bad:?}");
        }
        let kept = parse(["nonsense, image/png;q=0.3;;=;x, \"a,b\"/c, image/gif"]);
        assert_eq!(kept.iter().map(|range| range.essence.as_str()).collect::<Vec<_>>(), ["image/gif", "image/png"]);
        assert_eq!(parse(["a/b; x=\"q\\\"u,o;t\"; y=1"])[0].parameter("y"), Some("1"));
        assert_eq!(parse(["a/b; x=\"q\\\"u,o;t\""])[0].parameter("x"), Some("q\"u,o;t"));
    }

    #[test]
    fn exact_types_go_before_wildcards_of_the_same_weight() {
        let kept = parse(["*/*, image/*", "image/png, text/html;q=0.9"]);
        let order: Vec<&str> = kept.iter().map(|range| range.essence.as_str()).collect();
        assert_eq!(order, ["image/png", "image/*", "*/*", "text/html"]);
    }

    #[test]
    fn a_parameter_goes_before_the_header_that_allows_it_and_holds_no_wildcards() {
        let both = |parameter: &str, header: &str| {
            let ranges = merged(parse([parameter]), parse([header]));
            ranges.into_iter().map(|range| range.essence).collect::<Vec<_>>()
        };
        assert_eq!(both("image/png", "*/*"), ["image/png", "*/*"]);
        assert_eq!(both("image/png", "image/jpeg"), ["image/jpeg"]);
        assert_eq!(both("image/*", "image/jpeg"), ["image/jpeg"]);
        assert_eq!(both("application/dicom+xml", "application/dicom+json, */*;q=0.1")[0], "application/dicom+xml");
        assert!(is_mixed(&parse(["application/dicom, image/jpeg"])));
        assert!(!is_mixed(&parse(["multipart/related; type=image/jpeg, application/octet-stream, image/jpeg"])));
        assert!(!is_mixed(&parse(["application/dicom+json, */*"])));
    }
}
