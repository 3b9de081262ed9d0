//! What an identifier names: `STUDY:SERIES` a slide, `STUDY:SERIES:INSTANCE` an image, `…:FRAME` one of its frames. UIDs and
//! a number, nothing of a person; a colon is allowed in a path segment (RFC 3986 §3.3), and may be escaped all the same.

use std::fmt;

use crate::wado::is_uid;

/// An identifier, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identifier {
    /// Study Instance UID.
    pub(crate) study: String,
    /// Series Instance UID.
    pub(crate) series: String,
    /// SOP Instance UID; none for a slide of all its levels.
    pub(crate) instance: Option<String>,
    /// A frame, from 1.
    pub(crate) frame: Option<u32>,
}

impl Identifier {
    /// Reads a path segment that has been percent-decoded; `None` for what can name nothing here.
    pub(crate) fn parse(text: &str) -> Option<Identifier> {
        let parts: Vec<&str> = text.split(':').take(5).collect();
        let (study, series, rest) = match parts.as_slice() {
            [study, series, rest @ ..] if rest.len() <= 2 => (*study, *series, rest),
            _ => return None,
        };
        let instance = rest.first().copied();
        let frame = match rest.get(1) {
            None => None,
            Some(text) => Some(text.parse().ok().filter(|number| *number > 0 && !text.starts_with(['+', '0']))?),
        };
        let uids = [Some(study), Some(series), instance];
        let good = uids.into_iter().flatten().all(is_uid);
        good.then(|| Identifier {
            study: study.into(),
            series: series.into(),
            instance: instance.map(str::to_owned),
            frame,
        })
    }

    /// The thing in words, for a sentence.
    pub(crate) fn sentence(&self) -> String {
        let series = format!("series {} of study {}", self.series, self.study);
        match (&self.instance, self.frame) {
            (None, _) => format!("a slide in {series}"),
            (Some(instance), None) => format!("a picture of instance {instance} of {series}"),
            (Some(instance), Some(frame)) => format!("frame {frame} of instance {instance} of {series}"),
        }
    }
}

impl fmt::Display for Identifier {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{}:{}", self.study, self.series)?;
        self.instance.iter().try_for_each(|instance| write!(out, ":{instance}"))?;
        self.frame.iter().try_for_each(|frame| write!(out, ":{frame}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_uids_and_a_frame_or_nothing() {
        for good in ["1.2:1.2.3", "1.2:1.2.3:1.2.3.4", "1.2:1.2.3:1.2.3.4:12"] {
            assert_eq!(Identifier::parse(good).unwrap().to_string(), good);
        }
        for bad in ["", "1.2", "1.2:", "1.2:x", "1:2:3:0", "1:2:3:04", "1:2:3:+4", "1:2:3:4:5", "1:2:3:4:5:6", "a/b"] {
            assert_eq!(Identifier::parse(bad), None, "{bad:?}");
        }
    }
}
