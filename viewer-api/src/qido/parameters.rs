//! The query of a search (PS3.18 §8.3.4): keys by keyword or tag, paging, and what is not supported, named.

use archive::{Match, Order, Range, SeriesQuery};

use crate::error::{Error, Result};
use crate::wado::is_uid;

/// Answers to one request where it does not say.
pub(crate) const LIMIT_DEFAULT: u32 = 100;
/// Answers to one request at the most.
pub(crate) const LIMIT_MAX: u32 = 1000;
/// Values in one list at the most.
const LIST_MAX: usize = 500;
/// Characters in one value at the most.
const VALUE_CHARS_MAX: usize = 16_384;

/// What is searched for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd)]
pub(crate) enum Level {
    Study,
    Series,
    Instance,
}

impl Level {
    pub(crate) fn word(self) -> &'static str {
        match self {
            Level::Study => "study",
            Level::Series => "series",
            Level::Instance => "instance",
        }
    }
}

/// Which further attributes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Include {
    /// `includefield=all`.
    pub(crate) all: bool,
    /// Tags by name.
    pub(crate) tags: Vec<String>,
}

/// Keys of instances, matched here: the index has rows for studies and series only.
#[derive(Clone, Debug, Default)]
pub(crate) struct InstanceKeys {
    pub(crate) sop_instance_uid: Option<Match>,
    pub(crate) sop_class_uid: Option<Match>,
    pub(crate) instance_number: Option<i32>,
    pub(crate) rows: Option<u16>,
    pub(crate) columns: Option<u16>,
    pub(crate) bits_allocated: Option<u16>,
    pub(crate) number_of_frames: Option<u32>,
}

impl InstanceKeys {
    /// Whether every instance matches.
    pub(crate) fn is_empty(&self) -> bool {
        self.sop_instance_uid.is_none()
            && self.sop_class_uid.is_none()
            && self.instance_number.is_none()
            && self.rows.is_none()
            && self.columns.is_none()
            && self.bits_allocated.is_none()
            && self.number_of_frames.is_none()
    }

    pub(crate) fn matches(&self, instance: &archive::InstanceAttributes) -> bool {
        let uid = |wanted: &Option<Match>, uid: &str| match wanted {
            Some(Match::Single(one)) => one == uid,
            Some(Match::List(several)) => several.iter().any(|one| one == uid),
            _ => true,
        };
        uid(&self.sop_instance_uid, &instance.sop_instance_uid)
            && uid(&self.sop_class_uid, &instance.sop_class_uid)
            && self.instance_number.is_none_or(|number| instance.instance_number == Some(number))
            && self.rows.is_none_or(|rows| instance.rows == rows)
            && self.columns.is_none_or(|columns| instance.columns == columns)
            && self.bits_allocated.is_none_or(|bits| instance.bits_allocated == bits)
            && self.number_of_frames.is_none_or(|frames| instance.number_of_frames == frames)
    }
}

/// A whole search as asked.
#[derive(Clone, Debug)]
pub(crate) struct Search {
    /// Keys of the study and of the series; `limit` and `offset` are in the fields below.
    pub(crate) series: SeriesQuery,
    pub(crate) instance: InstanceKeys,
    pub(crate) include: Include,
    pub(crate) limit: u32,
    pub(crate) offset: u32,
    /// Keywords of the keys used, for the audit.
    pub(crate) keys: Vec<&'static str>,
    /// What the answer's Warning header says.
    pub(crate) warnings: Vec<String>,
}

/// Every key: its keyword, its tag, and the level it is of.
const KEYS: &[(&str, &str, Level)] = &[
    ("StudyInstanceUID", "0020000D", Level::Study),
    ("PatientID", "00100020", Level::Study),
    ("IssuerOfPatientID", "00100021", Level::Study),
    ("PatientName", "00100010", Level::Study),
    ("PatientBirthDate", "00100030", Level::Study),
    ("PatientSex", "00100040", Level::Study),
    ("StudyDate", "00080020", Level::Study),
    ("StudyTime", "00080030", Level::Study),
    ("AccessionNumber", "00080050", Level::Study),
    ("StudyID", "00200010", Level::Study),
    ("StudyDescription", "00081030", Level::Study),
    ("ReferringPhysicianName", "00080090", Level::Study),
    ("ModalitiesInStudy", "00080061", Level::Study),
    ("SeriesInstanceUID", "0020000E", Level::Series),
    ("Modality", "00080060", Level::Series),
    ("SeriesNumber", "00200011", Level::Series),
    ("SeriesDescription", "0008103E", Level::Series),
    ("BodyPartExamined", "00180015", Level::Series),
    ("PerformedProcedureStepStartDate", "00400244", Level::Series),
    ("PerformedProcedureStepStartTime", "00400245", Level::Series),
    ("SOPInstanceUID", "00080018", Level::Instance),
    ("SOPClassUID", "00080016", Level::Instance),
    ("InstanceNumber", "00200013", Level::Instance),
    ("Rows", "00280010", Level::Instance),
    ("Columns", "00280011", Level::Instance),
    ("BitsAllocated", "00280100", Level::Instance),
    ("NumberOfFrames", "00280008", Level::Instance),
];

impl Search {
    /// Reads the query of a request for `level`.
    ///
    /// # Errors
    /// [`Error::Invalid`] naming the key, where a supported one has a value that is none.
    pub(crate) fn parse(level: Level, query: &str) -> Result<Search> {
        let mut search = Search {
            series: SeriesQuery::default(),
            instance: InstanceKeys::default(),
            include: Include::default(),
            limit: LIMIT_DEFAULT,
            offset: 0,
            keys: Vec::new(),
            warnings: Vec::new(),
        };
        let mut ignored = Vec::new();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            if value.len() > VALUE_CHARS_MAX {
                return Err(invalid(&plain(&name), "is too long"));
            }
            search.parameter(level, &name, value.trim(), &mut ignored)?;
        }
        if !ignored.is_empty() {
            search.warnings.push(format!("not supported here and ignored: {}", ignored.join(" ")));
        }
        Ok(search)
    }

    fn parameter(&mut self, level: Level, name: &str, value: &str, ignored: &mut Vec<String>) -> Result<()> {
        match name {
            "limit" => {
                let limit: u32 = number("limit", value)?;
                if limit == 0 {
                    return Err(invalid("limit", "is none it can have"));
                }
                if limit > LIMIT_MAX {
                    self.warnings.push(format!("limit is at most {LIMIT_MAX}"));
                }
                self.limit = limit.min(LIMIT_MAX);
            }
            "offset" => self.offset = number("offset", value)?,
            "includefield" => self.include(value),
            // Names are always matched folded, so both answers to this are kept.
            "fuzzymatching" => {}
            // The media type of the answer (PS3.18 §8.3.3.1): there is one.
            "accept" => {}
            _ => match KEYS.iter().find(|(keyword, tag, _)| *keyword == name || tag.eq_ignore_ascii_case(name)) {
                Some((keyword, _, of)) if *of <= level => self.key(keyword, value)?,
                _ => ignored.push(plain(name)),
            },
        }
        Ok(())
    }

    fn include(&mut self, value: &str) {
        for field in value.split(',').map(str::trim).filter(|field| !field.is_empty()) {
            let known = KEYS.iter().find(|(keyword, _, _)| *keyword == field).map(|(_, tag, _)| *tag);
            if field == "all" {
                self.include.all = true;
            } else if let Some(tag) = known {
                self.include.tags.push(tag.to_owned());
            } else if let Some(tag) = tag_of(field) {
                self.include.tags.push(tag);
            }
        }
    }

    /// Sets one key. An empty value matches everything (PS3.4 C.2.2.2.3).
    fn key(&mut self, keyword: &'static str, value: &str) -> Result<()> {
        if value.is_empty() {
            return Ok(());
        }
        self.keys.push(keyword);
        let (series, instance) = (&mut self.series, &mut self.instance);
        let study = &mut series.study;
        match keyword {
            "StudyInstanceUID" => study.study_instance_uid = Some(uids(keyword, value)?),
            "PatientID" => study.patient_id = Some(Match::of(value)),
            "IssuerOfPatientID" => study.issuer_of_patient_id = Some(Match::of(value)),
            "PatientName" => study.patient_name = Some(value.to_owned()),
            "PatientBirthDate" => study.patient_birth_date = Some(dates(keyword, value)?),
            "PatientSex" => study.patient_sex = Some(codes(keyword, value)?),
            "StudyDate" => study.study_date = Some(dates(keyword, value)?),
            "StudyTime" => study.study_time = Some(times(keyword, value)?),
            "AccessionNumber" => study.accession_number = Some(Match::of(value)),
            "StudyID" => study.study_id = Some(Match::of(value)),
            "StudyDescription" => study.study_description = Some(Match::of(value)),
            "ReferringPhysicianName" => study.referring_physician_name = Some(Match::of(value)),
            "ModalitiesInStudy" => study.modalities_in_study = Some(codes(keyword, value)?),
            "SeriesInstanceUID" => series.series_instance_uid = Some(uids(keyword, value)?),
            "Modality" => series.modality = Some(codes(keyword, value)?),
            "SeriesNumber" => series.series_number = Some(number(keyword, value)?),
            "SeriesDescription" => series.series_description = Some(Match::of(value)),
            "BodyPartExamined" => series.body_part_examined = Some(codes(keyword, value)?),
            "PerformedProcedureStepStartDate" => {
                series.performed_procedure_step_start_date = Some(dates(keyword, value)?);
            }
            "PerformedProcedureStepStartTime" => {
                series.performed_procedure_step_start_time = Some(times(keyword, value)?);
            }
            "SOPInstanceUID" => instance.sop_instance_uid = Some(uids(keyword, value)?),
            "SOPClassUID" => instance.sop_class_uid = Some(uids(keyword, value)?),
            "InstanceNumber" => instance.instance_number = Some(number(keyword, value)?),
            "Rows" => instance.rows = Some(number(keyword, value)?),
            "Columns" => instance.columns = Some(number(keyword, value)?),
            "BitsAllocated" => instance.bits_allocated = Some(number(keyword, value)?),
            "NumberOfFrames" => instance.number_of_frames = Some(number(keyword, value)?),
            other => unreachable_key(other),
        }
        Ok(())
    }

    /// Walks as taken in rather than newest first: for searches whose pages must not shift.
    pub(crate) fn in_order_of_intake(mut self) -> Search {
        self.series.study.order = Order::TakenIn;
        self
    }
}

/// The table above and the match beside it are ours: a key in one only is our own mistake.
fn unreachable_key(keyword: &str) {
    debug_assert!(false, "{keyword} is in the table of keys and is not set");
}

fn invalid(key: &str, why: &str) -> Error {
    // The value itself is not repeated: it may be a name or a birth date, and answers end up in logs.
    Error::invalid(
        format!("the value of {key} {why}"),
        "dates are YYYYMMDD or YYYYMMDD-YYYYMMDD, times HHMMSS, UIDs digits and dots; limit is 1 to 1000",
    )
}

fn number<T: std::str::FromStr>(key: &str, value: &str) -> Result<T> {
    value.parse().map_err(|_| invalid(key, "is not a number it can have"))
}

/// A list of UIDs, or one (PS3.4 C.2.2.2.2); separated by commas or backslashes (PS3.18 §8.3.4.1).
fn uids(key: &str, value: &str) -> Result<Match> {
    let list: Vec<&str> = value.split([',', '\\']).map(str::trim).collect();
    if list.len() > LIST_MAX {
        return Err(invalid(key, "is a list of more than 500"));
    }
    if !list.iter().all(|uid| is_uid(uid)) {
        return Err(invalid(key, "is not a UID"));
    }
    Ok(one_or_list(list))
}

fn codes(key: &str, value: &str) -> Result<Match> {
    if !value.contains([',', '\\']) {
        return Ok(Match::of(value));
    }
    let list: Vec<&str> = value.split([',', '\\']).map(str::trim).collect();
    if list.len() > LIST_MAX || value.contains(['*', '?']) {
        return Err(invalid(key, "is a list too long, or a list with wildcards"));
    }
    Ok(one_or_list(list))
}

fn one_or_list(list: Vec<&str>) -> Match {
    match list.as_slice() {
        [one] => Match::Single((*one).to_owned()),
        several => Match::List(several.iter().map(|&one| one.to_owned()).collect()),
    }
}

/// A date or a range of dates (PS3.4 C.2.2.2.5).
fn dates(key: &str, value: &str) -> Result<Range> {
    range(value, is_date).ok_or_else(|| invalid(key, "is not a date or a range of dates"))
}

/// A time or a range of times.
fn times(key: &str, value: &str) -> Result<Range> {
    range(value, is_time).ok_or_else(|| invalid(key, "is not a time or a range of times"))
}

fn range(value: &str, good: impl Fn(&str) -> bool) -> Option<Range> {
    let end = |text: &str| if text.is_empty() { Some(None) } else { good(text).then(|| Some(text.to_owned())) };
    match value.split_once('-') {
        None => good(value).then(|| Range { from: Some(value.to_owned()), to: Some(value.to_owned()) }),
        Some(("", "")) => None,
        Some((from, to)) => Some(Range { from: end(from)?, to: end(to)? }),
    }
}

fn is_date(text: &str) -> bool {
    let part = |at: std::ops::Range<usize>| text.get(at).and_then(|digits| digits.parse::<i16>().ok());
    let plain = text.len() == 8 && text.bytes().all(|byte| byte.is_ascii_digit());
    let date = || jiff::civil::Date::new(part(0..4)?, part(4..6)?.try_into().ok()?, part(6..8)?.try_into().ok()?).ok();
    plain && date().is_some()
}

fn is_time(text: &str) -> bool {
    let (whole, fraction) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let below = |at: std::ops::Range<usize>, bound: u8| {
        whole.get(at).is_none_or(|part| part.parse::<u8>().is_ok_and(|number| number < bound))
    };
    let fraction_fits = fraction.len() <= 6 && (whole.len() == 6 || !text.contains('.'));
    digits(whole)
        && digits(fraction)
        && matches!(whole.len(), 2 | 4 | 6)
        && fraction_fits
        && below(0..2, 24)
        && below(2..4, 60)
        && below(4..6, 61)
}

/// A tag in eight hexadecimal digits, or the keyword of one.
fn tag_of(field: &str) -> Option<String> {
    use dicom_core::dictionary::{DataDictionary, DataDictionaryEntry};
    if field.len() == 8 && field.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Some(field.to_ascii_uppercase());
    }
    let entry = dicom_dictionary_std::StandardDataDictionary.by_name(field)?;
    let tag = entry.tag();
    Some(format!("{:04X}{:04X}", tag.group(), tag.element()))
}

/// A parameter's name as it may stand in a header: letters and digits, at most 64.
fn plain(name: &str) -> String {
    let kept: String = name.chars().filter(|c| c.is_ascii_alphanumeric() || "._-".contains(*c)).take(64).collect();
    if kept.is_empty() { "?".into() } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_of_the_table_is_set_by_keyword_and_by_tag() {
        for (keyword, tag, level) in KEYS {
            let value = match *keyword {
                key if key.ends_with("UID") => "1.2.3",
                key if key.ends_with("Date") => "20260401",
                key if key.ends_with("Time") => "0930",
                _ => "7",
            };
            for name in [keyword, tag] {
                let search = Search::parse(*level, &format!("{name}={value}")).unwrap();
                assert_eq!(search.keys, [*keyword], "{name}");
                assert!(search.warnings.is_empty(), "{name}");
            }
        }
    }

    #[test]
    fn a_bad_value_of_a_known_key_is_an_error_that_names_the_key_and_keeps_the_value_to_itself() {
        let check = |query: &str, key: &str| {
            let error = Search::parse(Level::Instance, query).unwrap_err().to_string();
            assert!(error.contains(key), "{query}: {error}");
            let value = query.split_once('=').unwrap().1;
            assert!(!error.contains(value), "{query}: {error}");
        };
        check("StudyDate=2026-04-01", "StudyDate");
        check("StudyDate=20260231", "StudyDate");
        check("StudyDate=-", "StudyDate");
        check("PatientBirthDate=19600101-x", "PatientBirthDate");
        check("StudyTime=2561", "StudyTime");
        check("StudyInstanceUID=1.2.%2A", "StudyInstanceUID");
        check("SeriesNumber=one", "SeriesNumber");
        check("Rows=70000", "Rows");
        check("limit=-5", "limit");
        check("limit=0", "limit");
    }

    #[test]
    fn what_is_not_supported_is_ignored_and_named_without_its_value() {
        let search = Search::parse(Level::Study, "InstitutionName=Hospital&Modality=CT&StudyDate=20260401").unwrap();
        assert_eq!(search.warnings, ["not supported here and ignored: InstitutionName Modality"]);
        assert_eq!(search.keys, ["StudyDate"]);
    }

    #[test]
    fn ranges_lists_wildcards_and_names_in_any_script_are_read() {
        let query =
            "StudyDate=20260101-&ModalitiesInStudy=CT%5CMR&PatientName=%E5%B1%B1%E7%94%B0*&PatientID=00%3F1&limit=5000";
        let search = Search::parse(Level::Study, query).unwrap();
        let study = &search.series.study;
        assert_eq!(study.study_date, Some(Range { from: Some("20260101".into()), to: None }));
        assert_eq!(study.modalities_in_study, Some(Match::List(vec!["CT".into(), "MR".into()])));
        assert_eq!(study.patient_name.as_deref(), Some("山田*"));
        assert_eq!(study.patient_id, Some(Match::Wildcard("00?1".into())));
        assert_eq!((search.limit, search.warnings.len()), (LIMIT_MAX, 1));
    }
}
