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

    fn parameter(&self, name: &str) -> Option<&str> {
        self.parameters.iter().find(|(of, _)| of == name).map(|(_, value)| value.as_str())
    }
}

/// Reads Accept headers, best first; refused ranges (`q=0`) are left out. No header at all accepts anything.
pub(crate) fn parse<'a>(headers: impl IntoIterator<Item = &'a str>) -> Vec<MediaRange> {
    let mut ranges: Vec<MediaRange> = headers
        .into_iter()
        .flat_map(|header| split(header, ','))
        .filter(|text| !text.trim().is_empty())
        .take(RANGES_MAX)
        .map(range)
        .collect();
    if ranges.is_empty() {
        ranges.push(range("*/*"));
    }
    ranges.retain(|range| range.weight > 0);
    ranges.sort_by_key(|range| std::cmp::Reverse(range.weight));
    ranges
}

fn range(text: &str) -> MediaRange {
    let mut parts = split(text, ';').into_iter();
    let essence = parts.next().unwrap_or("").trim().to_ascii_lowercase();
    let mut out = MediaRange { essence, parameters: Vec::new(), weight: 1000 };
    for (name, value) in parts.filter_map(|part| part.split_once('=')) {
        let (name, value) = (name.trim().to_ascii_lowercase(), value.trim().trim_matches('"').to_owned());
        if name == "q" {
            let weight = value.parse::<f32>().unwrap_or(1.0).clamp(0.0, 1.0);
            out.weight = (weight * 1000.0) as u16;
        } else {
            out.parameters.push((name, value));
        }
    }
    out
}

/// Splits at a separator that is not inside quotes.
fn split(text: &str, separator: char) -> Vec<&str> {
    let mut quoted = false;
    text.split(|c: char| {
        quoted ^= c == '"';
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
        assert!(parse([]).iter().all(MediaRange::is_any));
        assert_eq!(parse(["*/*; transfer-syntax=*"])[0].transfer_syntax(), None);
    }
}
