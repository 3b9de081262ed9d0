//! Dates, times and moments as values and as bounds of ranges (PS3.4 C.2.2.2.5; PS3.5 §6.2 DA, TM, DT).

use archive::Range;
use jiff::ToSpan;
use jiff::civil::DateTime;

/// Minutes that a value without an offset is ahead of UTC, where its Data Set does not say: Japan's.
pub(crate) const OFFSET_MINUTES_DEFAULT: i64 = 9 * 60;

/// A range, or one value as a range from itself to itself. `None` for what is neither.
pub(crate) fn range(value: &str, good: impl Fn(&str) -> bool) -> Option<Range> {
    let end = |text: &str| match text.trim() {
        "" => Some(None),
        text => good(text).then(|| Some(text.to_owned())),
    };
    if good(value) {
        return Some(Range { from: Some(value.to_owned()), to: Some(value.to_owned()) });
    }
    // An offset from UTC has a hyphen too, so that the one between may be any of them.
    value.match_indices('-').find_map(|(at, _)| {
        let (from, to) = (end(value.get(..at)?)?, end(value.get(at + 1..)?)?);
        (from.is_some() || to.is_some()).then_some(Range { from, to })
    })
}

/// Whether a range ends before it begins; times of one day do, unless they are combined with their dates.
pub(crate) fn is_backwards(range: &Range) -> bool {
    let ends = range.from.as_deref().zip(range.to.as_deref());
    ends.is_some_and(|(from, to)| from > to && !from.starts_with(to))
}

/// Whether a text is a DA.
pub(crate) fn is_date(text: &str) -> bool {
    text.len() == 8 && parse(text).is_some()
}

/// Whether a text is a TM: HH, HHMM, HHMMSS or HHMMSS.F to HHMMSS.FFFFFF.
pub(crate) fn is_time(text: &str) -> bool {
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

/// Whether a text is a DT: YYYY to YYYYMMDDHHMMSS.FFFFFF, perhaps with an offset.
pub(crate) fn is_date_time(text: &str) -> bool {
    parse(text).is_some()
}

/// The first and the last microsecond that a DT means, since 1970 in UTC.
pub(crate) fn microseconds(text: &str, offset_minutes: i64) -> Option<(i64, i64)> {
    let (first, next, own_offset) = parse(text)?;
    let micros = |at: DateTime| -> Option<i64> {
        let zoned = at.to_zoned(jiff::tz::TimeZone::UTC).ok()?;
        zoned.timestamp().as_microsecond().checked_sub(own_offset.unwrap_or(offset_minutes) * 60_000_000)
    };
    Some((micros(first)?, micros(next)? - 1))
}

/// Minutes of a Timezone Offset From UTC (0008,0201), as `+0900`.
pub(crate) fn offset_minutes(text: &str) -> Option<i64> {
    let (sign, digits) = match text.strip_prefix('-') {
        Some(digits) => (-1, digits),
        None => (1, text.strip_prefix('+')?),
    };
    let number: i64 =
        (digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())??;
    (number % 100 < 60 && number <= 1400).then_some(sign * (number / 100 * 60 + number % 100))
}

/// When a DT begins, when what comes after it begins, and its offset.
fn parse(text: &str) -> Option<(DateTime, DateTime, Option<i64>)> {
    let (plain, offset) = match text.rfind(['+', '-']) {
        Some(at) if at >= 4 => (text.get(..at)?, Some(offset_minutes(text.get(at..)?)?)),
        Some(_) => return None,
        None => (text, None),
    };
    let (digits, fraction) = plain.split_once('.').unwrap_or((plain, ""));
    let is_number = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    if !is_number(digits) || !is_number(fraction) || fraction.len() > 6 || (!fraction.is_empty() && digits.len() != 14)
    {
        return None;
    }
    let part = |at: std::ops::Range<usize>, otherwise: i16| match digits.get(at) {
        Some(part) => part.parse::<i16>().ok(),
        None => Some(otherwise),
    };
    let at = |index: usize, otherwise| part(index..index + 2, otherwise).and_then(|number| i8::try_from(number).ok());
    let (year, second) = (part(0..4, 0)?, at(12, 0)?.min(59));
    let nanos = format!("{fraction:0<9}").parse::<i32>().ok()?;
    let first = DateTime::new(year, at(4, 1)?, at(6, 1)?, at(8, 0)?, at(10, 0)?, second, nanos).ok()?;
    let span = match (digits.len(), fraction.len()) {
        (4, _) => 1.year(),
        (6, _) => 1.month(),
        (8, _) => 1.day(),
        (10, _) => 1.hour(),
        (12, _) => 1.minute(),
        (14, 0) => 1.second(),
        (14, places) => 10i64.pow(6 - places as u32).microseconds(),
        _ => return None,
    };
    Some((first, first.checked_add(span).ok()?, offset))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Proves what is a date, a time and a moment, and what is none.
    #[test]
    fn values_are_told_from_what_is_none() {
        for good in ["20260131", "20240229"] {
            assert!(is_date(good), "{good}");
        }
        for bad in ["20260231", "2026-01-01", "2026", "202601311", ""] {
            assert!(!is_date(bad), "{bad}");
        }
        for good in ["09", "0930", "093059", "235960", "093059.5", "093059.123456"] {
            assert!(is_time(good), "{good}");
        }
        for bad in ["24", "9", "0960", "0930.5", "09:30", "093059.1234567"] {
            assert!(!is_time(bad), "{bad}");
        }
        for good in ["2026", "202601", "20260131", "2026013109", "20260131093059.5", "20260131093059+0900", "2026-0500"]
        {
            assert!(is_date_time(good), "{good}");
        }
        for bad in ["202613", "20260231", "20260131093059+9900", "2026013109.5", "+0900"] {
            assert!(!is_date_time(bad), "{bad}");
        }
    }

    /// Proves that ranges are parted where both ends are values, and which of them go backwards.
    #[test]
    fn ranges_are_parted_between_values() {
        let check = |value: &str, from: &str, to: &str| {
            let found = range(value, is_date_time).unwrap();
            assert_eq!((found.from.as_deref().unwrap_or(""), found.to.as_deref().unwrap_or("")), (from, to), "{value}");
        };
        check("20260101-20260131", "20260101", "20260131");
        check("2026-2027", "2026", "2027");
        check("20260101-", "20260101", "");
        check("-20260101", "", "20260101");
        check("20260101120000-0500-20260102", "20260101120000-0500", "20260102");
        for bad in ["-", "x-20260101", "20260101-20260102-20260103"] {
            assert_eq!(range(bad, is_date), None, "{bad}");
        }
        let backwards = |value: &str| is_backwards(&range(value, is_time).unwrap());
        assert!(backwards("1000-0900"));
        assert!(!backwards("1000-10") && !backwards("0900-1000") && !backwards("1000-"));
    }

    /// Proves that offsets count: noon in Tokyo is three in the morning in UTC.
    #[test]
    fn moments_are_compared_in_utc() {
        let tokyo = microseconds("20260101120000", OFFSET_MINUTES_DEFAULT).unwrap();
        assert_eq!(Some(tokyo), microseconds("20260101030000+0000", 0));
        assert_eq!(tokyo.1 - tokyo.0, 999_999);
        assert_eq!(offset_minutes("-0330"), Some(-210));
        assert_eq!(offset_minutes("0900"), None);
    }
}
