//! The query of a search (PS3.18 §8.3.4): keys by keyword or tag, paging, and what is not supported, named.

use std::collections::BTreeMap;

use archive::fold::Name;
use dicom_core::VR;

use crate::error::{Error, Result};
use crate::find::{Include, Key, Level, Matching, Search, dictionary, level_of};

/// Answers to one request where it does not say.
pub(crate) const LIMIT_DEFAULT: u32 = 100;
/// Answers to one request at the most.
pub(crate) const LIMIT_MAX: u32 = 1000;
/// Characters in one value at the most.
const VALUE_CHARS_MAX: usize = 16_384;
/// Parameters of one request, and fields it includes, at the most.
const PARAMETERS_MAX: usize = 256;
/// Attributes of one path through sequences at the most.
const PATH_MAX: usize = 8;

/// A search as asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    /// What to find.
    pub(crate) search: Search,
    /// What the answer's Warning headers say.
    pub(crate) warnings: Vec<String>,
}

/// A query in the reading.
#[derive(Default)]
struct Query {
    keys: BTreeMap<Vec<u32>, Vec<String>>,
    include: Include,
    /// Parameters that are given once.
    single: BTreeMap<&'static str, String>,
    ignored: Vec<String>,
}

/// Parameters that are not attributes. `accept` and `charset` are read with the headers they stand for (§8.3.3).
const PARAMETERS: &[&str] =
    &["accept", "charset", "emptyvaluematching", "fuzzymatching", "limit", "multiplevaluematching", "offset"];

/// Reads the query of a request for `level`.
///
/// # Errors
/// [`Error::Invalid`] naming the parameter, where a supported one has a value that is none it can have.
pub(crate) fn parse(level: Level, query: &str) -> Result<Request> {
    let mut read = Query::default();
    for (count, (name, value)) in url::form_urlencoded::parse(query.as_bytes()).enumerate() {
        if count >= PARAMETERS_MAX {
            return Err(Error::invalid("the query has more than 256 parameters", "leave some out"));
        }
        read.parameter(level, &name, value.trim())?;
    }
    read.request(level)
}

impl Query {
    fn parameter(&mut self, level: Level, name: &str, value: &str) -> Result<()> {
        if value.len() > VALUE_CHARS_MAX || value.contains('\u{FFFD}') {
            return Err(invalid(&plain(name), "is too long, or not in UTF-8"));
        }
        if let Some(name) = PARAMETERS.iter().find(|one| **one == name) {
            return match self.single.insert(name, value.to_owned()) {
                Some(before) if before != value => Err(invalid(name, "is given twice, and not the same")),
                _ => Ok(()),
            };
        }
        if name == "includefield" {
            return self.include(level, value);
        }
        match path(name) {
            Some(path) if path.first().is_some_and(|tag| level_of(*tag) <= level) => {
                let values = self.keys.entry(path).or_default();
                if !values.iter().any(|one| one == value) {
                    values.push(value.to_owned());
                }
            }
            _ if name.is_empty() => {}
            _ => self.ignored.push(plain(name)),
        }
        Ok(())
    }

    /// PS3.18 §8.3.4.3; what is of a lower level shall not be returned (§10.6.3.3.1, §10.6.3.3.2).
    fn include(&mut self, level: Level, value: &str) -> Result<()> {
        for field in value.split(',').map(str::trim).filter(|field| !field.is_empty()) {
            if self.include.paths.len() >= PARAMETERS_MAX {
                return Err(invalid("includefield", "names more than 256 attributes"));
            }
            match path(field) {
                _ if field == "all" => self.include.all = true,
                Some(path) if path.first().is_some_and(|tag| level_of(*tag) <= level) => self.include.paths.push(path),
                _ => self.ignored.push(plain(field)),
            }
        }
        Ok(())
    }

    fn request(self, level: Level) -> Result<Request> {
        let mut warnings = Vec::new();
        let matching = Matching {
            fuzzy: self.flag("fuzzymatching")?,
            combined: true,
            empty_value: self.flag("emptyvaluematching")?,
        };
        let limit = self.number("limit")?.unwrap_or(LIMIT_DEFAULT);
        let offset = self.number("offset")?.unwrap_or(0);
        let keys = self.keys.iter().map(|(path, values)| key(path, values)).collect::<Result<Vec<Key>>>()?;
        let is_name = |key: &&Key| key.path.last().and_then(|tag| dictionary::vr_of(*tag)) == Some(VR::PN);
        let has_words = |key: &Key| Name { text: key.value.clone(), fuzzy: true }.has_words();
        if matching.fuzzy && keys.iter().filter(is_name).any(|key| !key.value.is_empty() && !has_words(key)) {
            warnings
                .push("The fuzzymatching parameter is not supported. Only literal matching has been performed.".into());
        }
        if self.flag("multiplevaluematching")? {
            let text =
                "The multiplevaluematching parameter is not supported. Multiple Value Matching has not been performed.";
            warnings.push(text.into());
        }
        if !self.ignored.is_empty() {
            warnings.push(format!(
                "The following parameters are not supported and were ignored: {}",
                self.ignored.join(" ")
            ));
        }
        let search = Search {
            level,
            keys,
            include: self.include,
            matching,
            with_higher_levels: false,
            limit: limit.min(LIMIT_MAX),
            offset,
        };
        Ok(Request { search, warnings })
    }

    fn flag(&self, name: &'static str) -> Result<bool> {
        match self.single.get(name).map(String::as_str) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(invalid(name, "is neither true nor false")),
        }
    }

    /// An unsigned integer; one that is too great to count with is the greatest.
    fn number(&self, name: &'static str) -> Result<Option<u32>> {
        let Some(value) = self.single.get(name) else { return Ok(None) };
        if value.is_empty() || !value.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(invalid(name, "is not an unsigned integer"));
        }
        Ok(Some(value.parse().unwrap_or(u32::MAX)))
    }
}

/// One key. UIDs and codes that are given several times are a list (§8.3.4.1); anything else is a contradiction.
fn key(path: &[u32], values: &[String]) -> Result<Key> {
    let vr = path.last().and_then(|tag| dictionary::vr_of(*tag));
    let value = match values {
        [one] => one.clone(),
        several if matches!(vr, Some(VR::UI | VR::CS)) => several.join("\\"),
        _ => return Err(invalid(&dictionary::path_name(path), "is given twice, and not the same")),
    };
    Ok(Key { path: path.to_vec(), value })
}

fn invalid(name: &str, why: &str) -> Error {
    // The value itself is not repeated: it may be a name or a birth date, and answers end up in logs.
    Error::invalid(
        format!("the value of {name} {why}"),
        "limit and offset are unsigned integers; fuzzymatching is true or false; each attribute is given once",
    )
}

/// A path of keywords and tags with points between.
fn path(name: &str) -> Option<Vec<u32>> {
    let path: Vec<u32> = name.split('.').take(PATH_MAX + 1).map(dictionary::tag_of).collect::<Option<_>>()?;
    let (_, sequences) = path.split_last()?;
    let goes_through = |tag: &u32| dictionary::vr_of(*tag).is_none_or(|vr| matches!(vr, VR::SQ | VR::UN));
    (path.len() <= PATH_MAX && sequences.iter().all(goes_through)).then_some(path)
}

/// A parameter's name as it may stand in a header: letters and digits, at most 64.
fn plain(name: &str) -> String {
    let kept: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(64).collect();
    if kept.is_empty() { "?".into() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(level: Level, query: &str) -> Request {
        parse(level, query).unwrap()
    }

    /// Proves that a refusal names the parameter and never repeats its value.
    #[test]
    fn a_bad_value_is_refused_by_the_name_of_its_parameter() {
        let check = |query: &str, name: &str| {
            let error = parse(Level::Study, query).unwrap_err().to_string();
            assert!(error.contains(name), "{query}: {error}");
            let value = query.split_once('=').unwrap().1;
            assert!(value.is_empty() || !error.contains(value), "{query}: {error}");
        };
        check("limit=-5", "limit");
        check("limit=abc", "limit");
        check("limit=", "limit");
        check("offset=-1", "offset");
        check("offset=1.5", "offset");
        check("fuzzymatching=maybe", "fuzzymatching");
        check("limit=1&limit=2", "limit");
        check("PatientID=A&PatientID=B", "PatientID");
        check("PatientName=%FF%FE", "PatientName");
    }

    /// Proves that what is not supported, or of a lower level, is ignored and named without its value.
    #[test]
    fn what_is_not_supported_is_ignored_and_named_without_its_value() {
        let request = read(Level::Study, "foo=Hospital&Modality=CT&StudyDate=20260401&includefield=Rows,bar");
        assert_eq!(
            request.warnings,
            ["The following parameters are not supported and were ignored: foo Modality Rows bar"]
        );
        assert_eq!(request.search.keys, [Key { path: vec![0x0008_0020], value: "20260401".into() }]);
    }

    /// Proves the forms of names and values: percent-decoding, `+`, keywords and tags, paths, lists by repetition.
    #[test]
    fn names_and_values_are_read_in_every_form() {
        let key = |query: &str| read(Level::Instance, query).search.keys.remove(0);
        assert_eq!(key("PatientName=%E5%B1%B1%E7%94%B0*").value, "山田*");
        assert_eq!(key("00100010=Yamada+Tarou"), Key { path: vec![0x0010_0010], value: "Yamada Tarou".into() });
        assert_eq!(key("StudyDescription=a%2Bb%20c").value, "a+b c");
        let path = vec![0x0040_0275, 0x0040_0009];
        for name in [
            "00400275.00400009",
            "RequestAttributesSequence.ScheduledProcedureStepID",
            "00400275.ScheduledProcedureStepID",
        ] {
            assert_eq!(key(&format!("{name}=A")).path, path, "{name}");
        }
        assert_eq!(key("StudyInstanceUID=1.2&StudyInstanceUID=1.3").value, "1.2\\1.3");
        assert_eq!(key("0020000d=1.2&0020000D=1.2").value, "1.2");
        let included = read(Level::Study, "includefield=PatientAge,00081030&includefield=all").search.include;
        assert_eq!(included, Include { all: true, paths: vec![vec![0x0010_1010], vec![0x0008_1030]] });
    }

    /// Proves that limits are kept within what the server gives, and that great numbers do not overflow.
    #[test]
    fn limits_and_offsets_are_unsigned_integers() {
        let search = read(Level::Study, "limit=99999999999&offset=99999999999").search;
        assert_eq!((search.limit, search.offset), (LIMIT_MAX, u32::MAX));
        assert_eq!(read(Level::Study, "limit=0").search.limit, 0);
        assert_eq!(read(Level::Study, "").search.limit, LIMIT_DEFAULT);
    }

    /// Proves that a name without letters is matched literally under fuzzymatching, with the text of §8.3.4.2.
    #[test]
    fn where_fuzzy_matching_cannot_be_the_standards_warning_says_so() {
        let warnings = |query: &str| read(Level::Study, query).warnings;
        assert_eq!(
            warnings("fuzzymatching=true&PatientName=-"),
            ["The fuzzymatching parameter is not supported. Only literal matching has been performed."]
        );
        assert!(warnings("fuzzymatching=true&PatientName=Yamada").is_empty());
        assert!(warnings("fuzzymatching=true").is_empty());
        assert_eq!(warnings("multiplevaluematching=true").len(), 1);
    }
}
