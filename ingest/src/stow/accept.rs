//! In which form a store request wants to be answered: its Accept header or `accept` parameter (PS3.18 §8.7.4, §8.3.3.1;
//! RFC 9110 §12.5.1).

use super::media;
use super::response::PARTS_MEDIA_TYPE;

/// A form of the answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Form {
    /// The Store Instances Response Module in JSON: the default.
    Json,
    /// The same as Native DICOM Model.
    Xml,
    /// A line a part, by the names its sender gave.
    Parts,
}

impl Form {
    /// Its media type.
    pub fn media_type(self) -> &'static str {
        match self {
            Form::Json => "application/dicom+json",
            Form::Xml => "application/dicom+xml",
            Form::Parts => PARTS_MEDIA_TYPE,
        }
    }
}

/// The form that is wanted most, of those there are; `None` where none is acceptable (406). A range that names a media type
/// counts before one that names a kind, that before `*/*`.
pub fn form(accept: &str) -> Option<Form> {
    if accept.trim().is_empty() {
        return Some(Form::Json);
    }
    let ranges: Vec<(String, f32)> = accept.split(',').filter_map(range).collect();
    let quality = |form: Form| {
        let precision = |range: &str| match range {
            range if range == form.media_type() => 3,
            // What JSON clients of no special kind ask for.
            "application/json" if form == Form::Json => 2,
            "application/xml" | "text/xml" if form == Form::Xml => 2,
            "application/*" if form != Form::Parts => 1,
            "*/*" if form != Form::Parts => 0,
            _ => -1,
        };
        let matching = ranges.iter().filter(|(range, _)| precision(range) >= 0);
        matching.max_by_key(|(range, _)| precision(range)).map_or(0.0, |(_, quality)| *quality)
    };
    // The last of equals wins in max_by: the order is from what is wanted least.
    let forms = [Form::Parts, Form::Xml, Form::Json].map(|form| (form, quality(form)));
    let exact = |form: Form| ranges.iter().any(|(range, _)| range == form.media_type());
    let best = forms.into_iter().filter(|(_, quality)| *quality > 0.0);
    let best = best.max_by(|(a, x), (b, y)| x.total_cmp(y).then_with(|| exact(*a).cmp(&exact(*b))));
    best.map(|(form, _)| form)
}

/// A media range and its quality. `multipart/related` of a type is taken for that type: it is how older clients ask.
fn range(text: &str) -> Option<(String, f32)> {
    let (essence, parameters) = media::content_type(text);
    let parameter = |name: &str| parameters.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let quality = parameter("q").map_or(1.0, |q| q.parse::<f32>().unwrap_or(0.0).clamp(0.0, 1.0));
    let essence = match (essence.as_str(), parameter("type")) {
        ("multipart/related", Some(kind)) => kind.to_ascii_lowercase(),
        _ => essence,
    };
    (!essence.is_empty()).then_some((essence, quality))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The most wanted of the forms there are is answered; JSON where all are as good; none where none is wanted.
    #[test]
    fn the_form_wanted_most_is_answered() {
        let check = |accept: &str, expected: Option<Form>| assert_eq!(form(accept), expected, "{accept}");
        check("", Some(Form::Json));
        check("*/*", Some(Form::Json));
        check("application/dicom+json", Some(Form::Json));
        check("application/json", Some(Form::Json));
        check("application/dicom+xml", Some(Form::Xml));
        check("Application/DICOM+XML", Some(Form::Xml));
        check("multipart/related; type=\"application/dicom+xml\"", Some(Form::Xml));
        check("application/dicom+json;q=0.5, application/dicom+xml", Some(Form::Xml));
        check("application/dicom+xml;q=0.9, application/dicom+json", Some(Form::Json));
        check("application/dicom+xml, */*", Some(Form::Xml));
        check("application/dicom+xml, */*;q=0.1", Some(Form::Xml));
        check("application/dicom+json;q=0, */*", Some(Form::Xml));
        check("text/html, application/*;q=0.2", Some(Form::Json));
        check(PARTS_MEDIA_TYPE, Some(Form::Parts));
        check("application/dicom+json, application/vnd.tsunagu.parts+json", Some(Form::Json));
        check("text/html", None);
        check("application/dicom+json;q=0", None);
        check("image/png, text/plain", None);
    }
}
