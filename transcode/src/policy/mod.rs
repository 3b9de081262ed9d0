//! The derivative policy: a versioned table of modality and Photometric Interpretation that says which instances get a
//! light lossy derivative beside the lossless copy, and what its loss keeps to. The built-in table is
//! `transcode/src/policy/built_in.toml`, an operator may give another; why it is as it is: docs/derivatives.md.
//!
//! Some things no table can allow: see [`derivative`](crate::derivative).

use serde::Deserialize;

use crate::codec::lossy::Target;

const BUILT_IN: &str = include_str!("built_in.toml");
/// Characters of a profile's id, which goes into names of objects and files.
const ID_BYTES_MAX: usize = 32;
/// Characters of a version.
const VERSION_BYTES_MAX: usize = 64;

/// A whole table.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Policy {
    /// What this table is called; it stands in the record of every derivative.
    pub version: String,
    /// Instances with less than this get none. Bytes of the decoded pixels.
    pub pixel_bytes_min: u64,
    /// A derivative must be smaller than the file as held by at least this share. Per cent.
    pub saves_percent_min: u64,
    /// What gets none whatever the profiles say.
    #[serde(default)]
    never: Vec<Never>,
    /// What gets one; the first that fits counts.
    #[serde(default, rename = "profile")]
    profiles: Vec<Profile>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Never {
    #[serde(default)]
    modalities: Vec<String>,
    #[serde(default)]
    photometric: Vec<String>,
    why: String,
}

/// Which instances, and what their loss keeps to.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name: lower-case letters, digits and hyphens.
    pub id: String,
    modalities: Vec<String>,
    photometric: Vec<String>,
    largest_error: Option<u32>,
    psnr_db: Option<f64>,
    ratio: Option<f64>,
}

/// Why a table cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// It is neither TOML nor JSON of the form wanted.
    #[error("the derivative policy cannot be read: {0}")]
    Form(String),
    /// A value makes no sense.
    #[error("the derivative policy: {0}")]
    Value(String),
}

/// What the header of an instance says to a policy.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Subject {
    /// Modality (0008,0060).
    pub modality: String,
    /// Photometric Interpretation (0028,0004) once decoded: RGB where a codestream says YBR_RCT or YBR_ICT.
    pub photometric_interpretation: String,
    /// Bytes of the decoded pixels.
    pub pixel_bytes: u64,
}

impl Default for Policy {
    /// The built-in table.
    fn default() -> Policy {
        // A test reads it; a table that says nothing would be the safe answer all the same.
        Policy::read(BUILT_IN).unwrap_or_else(|_| Policy::none())
    }
}

impl Policy {
    /// A table by which nothing gets a derivative.
    pub fn none() -> Policy {
        let (never, profiles) = (Vec::new(), Vec::new());
        Policy { version: "none".into(), pixel_bytes_min: 0, saves_percent_min: 0, never, profiles }
    }

    /// The text of the built-in table, to begin another one with.
    pub fn built_in() -> &'static str {
        BUILT_IN
    }

    /// Reads a table, TOML or JSON.
    ///
    /// # Errors
    /// [`Error`] in a sentence that names what is wrong.
    pub fn read(text: &str) -> Result<Policy, Error> {
        let form = |error: String| Error::Form(error.trim_end().to_owned());
        let policy: Policy = if text.trim_start().starts_with('{') {
            serde_json::from_str(text).map_err(|error| form(error.to_string()))?
        } else {
            toml::from_str(text).map_err(|error| form(error.to_string()))?
        };
        policy.check()?;
        Ok(policy)
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |what: String| Err(Error::Value(what));
        let plain = |text: &str| text.bytes().all(|byte| byte.is_ascii_graphic() || byte == b' ');
        if self.version.is_empty() || self.version.len() > VERSION_BYTES_MAX || !plain(&self.version) {
            return wrong(format!("version must have 1 to {VERSION_BYTES_MAX} ASCII characters"));
        }
        if self.saves_percent_min > 99 {
            return wrong("saves_percent_min is at most 99".into());
        }
        if self.never.iter().any(|never| never.modalities.is_empty() && never.photometric.is_empty()) {
            return wrong("a [[never]] names modalities, photometric, or both".into());
        }
        for (index, profile) in self.profiles.iter().enumerate() {
            profile.check()?;
            if self.profiles.iter().take(index).any(|before| before.id == profile.id) {
                return wrong(format!("there are two profiles {}", profile.id));
            }
        }
        Ok(())
    }

    /// The profile by which this gets a derivative, or in a sentence why it gets none.
    ///
    /// # Errors
    /// The sentence.
    pub fn decide(&self, subject: &Subject) -> Result<&Profile, String> {
        let of = |list: &[String], value: &str| list.iter().any(|one| one == value);
        let (modality, photometric) = (subject.modality.as_str(), subject.photometric_interpretation.as_str());
        for never in &self.never {
            let modalities = never.modalities.is_empty() || of(&never.modalities, modality);
            let photometrics = never.photometric.is_empty() || of(&never.photometric, photometric);
            if modalities && photometrics {
                return Err(format!("policy {} allows none of {modality} {photometric}: {}", self.version, never.why));
            }
        }
        let fits = |profile: &&Profile| of(&profile.modalities, modality) && of(&profile.photometric, photometric);
        let Some(profile) = self.profiles.iter().find(fits) else {
            return Err(format!("policy {} has no profile for {modality} {photometric}", self.version));
        };
        if subject.pixel_bytes < self.pixel_bytes_min {
            let (found, least) = (subject.pixel_bytes, self.pixel_bytes_min);
            return Err(format!("its pixels have {found} bytes, and below {least} it is light enough as it is"));
        }
        Ok(profile)
    }

    /// Whether any instance of this modality can get one: for not reading a file in vain.
    pub fn may_derive(&self, modality: &str) -> bool {
        let never = |never: &Never| never.photometric.is_empty() && never.modalities.iter().any(|one| one == modality);
        let named = self.profiles.iter().any(|profile| profile.modalities.iter().any(|one| one == modality));
        named && !self.never.iter().any(never)
    }
}

impl Profile {
    fn check(&self) -> Result<(), Error> {
        let wrong = |what: &str| Err(Error::Value(format!("profile {:?}: {what}", self.id)));
        let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
        if self.id.is_empty() || self.id.len() > ID_BYTES_MAX || !self.id.bytes().all(plain) {
            return wrong("an id has 1 to 32 lower-case letters, digits and hyphens");
        }
        if self.modalities.is_empty() || self.photometric.is_empty() {
            return wrong("it names modalities and photometric");
        }
        match (self.largest_error, self.psnr_db, self.ratio) {
            (Some(1..=65_535), None, None) => Ok(()),
            (None, Some(decibels), None) if (20.0..=120.0).contains(&decibels) => Ok(()),
            (None, None, Some(ratio)) if (1.0..=1000.0).contains(&ratio) => Ok(()),
            _ => wrong("one of largest_error (1 to 65535), psnr_db (20 to 120) and ratio (1 to 1000)"),
        }
    }

    /// What the loss keeps to. A PSNR is of the span of values that the picture has, not of what its bits could say.
    pub fn target(&self) -> Target {
        match (self.largest_error, self.psnr_db, self.ratio) {
            (_, Some(decibels), _) => Target::Psnr(decibels),
            (_, _, Some(ratio)) => Target::Ratio(ratio),
            (largest, ..) => Target::LargestError(largest.unwrap_or(1)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn subject(modality: &str, photometric: &str) -> Subject {
        let (modality, photometric_interpretation) = (modality.into(), photometric.into());
        Subject { modality, photometric_interpretation, pixel_bytes: 1 << 20 }
    }

    #[test]
    fn the_built_in_table_is_sound_and_says_what_its_page_says() {
        // Proves the defaults of the issue, one by one.
        let policy = Policy::default();
        assert_eq!(policy.version, "tsunagu-1");
        let profile = |modality, photometric| policy.decide(&subject(modality, photometric)).map(|p| p.id.as_str());
        assert_eq!(profile("CR", "MONOCHROME1"), Ok("projection-1"));
        assert_eq!(profile("CT", "MONOCHROME2"), Ok("ct-1"));
        assert_eq!(profile("MR", "MONOCHROME2"), Ok("mr-1"));
        assert_eq!(profile("OP", "RGB"), Ok("picture-1"));
        for never in ["MG", "ECG", "SR", "SEG", "PR", "NM", "PT"] {
            assert!(profile(never, "MONOCHROME2").is_err() && !policy.may_derive(never), "{never}");
        }
        assert!(profile("US", "PALETTE COLOR").unwrap_err().contains("table of colours"));
        assert!(profile("CT", "RGB").unwrap_err().contains("no profile"));
        assert!(profile("OT", "MONOCHROME2").unwrap_err().contains("no profile"));
        let small = Subject { pixel_bytes: 524_287, ..subject("CT", "MONOCHROME2") };
        assert!(policy.decide(&small).unwrap_err().contains("light enough"));
        assert!(policy.may_derive("US") && !policy.may_derive("OT"));
    }

    #[test]
    fn an_operators_table_is_read_from_toml_and_json_or_refused_in_a_sentence() {
        let head = "version = \"x\"\npixel_bytes_min = 0\nsaves_percent_min = 0\n";
        let profile = |rest: &str| {
            let fields = "modalities = [\"MG\"]\nphotometric = [\"MONOCHROME2\"]";
            Policy::read(&format!("{head}[[profile]]\n{fields}\n{rest}"))
        };
        let chosen = profile("id = \"mg\"\nratio = 4.0").unwrap();
        assert_eq!(chosen.decide(&subject("MG", "MONOCHROME2")).unwrap().target(), Target::Ratio(4.0));
        let json = r#"{ "version": "y", "pixel_bytes_min": 1, "saves_percent_min": 2, "profile": [
            { "id": "a", "modalities": ["CT"], "photometric": ["MONOCHROME2"], "largest_error": 3 } ] }"#;
        let chosen = Policy::read(json).unwrap();
        assert_eq!(chosen.decide(&subject("CT", "MONOCHROME2")).unwrap().target(), Target::LargestError(3));
        let refused = |text: Result<Policy, Error>, expected: &str| {
            let error = text.unwrap_err().to_string();
            assert!(error.contains(expected), "{error}");
        };
        refused(profile("id = \"mg\""), "one of largest_error");
        refused(profile("id = \"mg\"\nratio = 4.0\npsnr_db = 50.0"), "one of largest_error");
        refused(profile("id = \"MG 1\"\nratio = 4.0"), "lower-case");
        refused(profile("id = \"mg\"\nratio = 4.0\nquality = 3"), "quality");
        refused(Policy::read("version = \"x\""), "pixel_bytes_min");
        refused(Policy::read("{"), "cannot be read");
        refused(Policy::read(&format!("{head}[[never]]\nwhy = \"so\"")), "[[never]]");
    }
}
