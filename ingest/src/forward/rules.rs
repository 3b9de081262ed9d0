//! Which studies go where: a TOML file of destinations, each with what it takes and when.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde::{Deserialize, Deserializer};
use tokio_rustls::rustls::{ClientConfig, crypto};

use super::source::Facts;
use crate::dimse::authorities;
use crate::error::{Error, Result};
use crate::scu::{Peer, ScuLimits};

/// A name of a destination is in file names and logs.
const NAME_CHARS_MAX: usize = 64;
/// An AE title holds 16 (PS3.5 Table 6.2-1).
const AE_CHARS_MAX: usize = 16;

/// The destinations of a rules file.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// In the order of the file.
    pub destinations: Vec<Arc<Destination>>,
}

/// Where studies go, which, and when.
#[derive(Clone, Debug)]
pub struct Destination {
    /// What it is called in lists and logs.
    pub name: String,
    /// How it is reached.
    pub address: Address,
    /// When a study is sent.
    pub when: When,
    /// From where in the feed a destination begins that was not there before.
    pub begin: Begin,
    /// Transfer syntaxes wanted, the best first; as received if empty.
    pub transfer_syntaxes: Vec<String>,
    /// Attempts at a study whose instances the peer puts off before it is given up.
    pub attempts_max: u32,
    /// Longest wait between two attempts, seconds.
    pub retry_s_max: u64,
    /// Any of these; all studies if empty.
    pub studies: Vec<Filter>,
    /// The file of local patient IDs, if they are to be reconciled.
    pub local_ids: Option<PathBuf>,
    /// What becomes of a patient without a line in it.
    pub unmatched: Unmatched,
}

/// How a destination is reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// By STOW-RS.
    Stow {
        /// Where DICOMweb lies.
        url: String,
        /// A file that holds a bearer token.
        token_file: Option<PathBuf>,
    },
    /// By C-STORE.
    Dimse {
        /// Called AE title.
        ae_title: String,
        /// Calling AE title.
        calling_ae_title: String,
        /// Host.
        host: String,
        /// Port.
        port: u16,
        /// A PEM file of the authorities its certificate is checked by: TLS; plain if `None`.
        ca_file: Option<PathBuf>,
    },
}

/// When a study is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Once a pack of it is in place: nothing came for it for a while, and all was proven.
    Packed,
    /// Once nothing came for it for so many seconds, packed or not.
    QuietS(u64),
}

/// From where a new destination begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Begin {
    /// With what comes from now on.
    #[default]
    Now,
    /// With the first study there is.
    First,
}

/// What becomes of a patient whom the file of local IDs does not know.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Unmatched {
    /// The study waits, and is listed, until there is a line.
    #[default]
    Hold,
    /// It is delivered as it is.
    Unchanged,
}

/// Wildcards (`*`, `?`; case does not count) that a study's attributes must match; an empty list matches all.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields, default)]
pub struct Filter {
    /// One of its modalities.
    #[serde(deserialize_with = "one_or_many")]
    pub modality: Vec<String>,
    /// The centre it came from.
    #[serde(deserialize_with = "one_or_many")]
    pub centre: Vec<String>,
    /// Station Name (0008,1010) of one of its series.
    #[serde(deserialize_with = "one_or_many")]
    pub station: Vec<String>,
    /// Study Description (0008,1030).
    #[serde(deserialize_with = "one_or_many")]
    pub description: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    to: Vec<Written>,
}

/// A destination as it is written.
#[derive(Deserialize)]
#[serde(rename_all = "kebab-case", deny_unknown_fields)]
struct Written {
    name: String,
    stow: Option<String>,
    token_file: Option<PathBuf>,
    aet: Option<String>,
    #[serde(default = "our_ae_title")]
    calling_aet: String,
    host: Option<String>,
    port: Option<u16>,
    ca_file: Option<PathBuf>,
    quiet_s: Option<u64>,
    #[serde(default)]
    begin: Begin,
    #[serde(default)]
    transfer_syntaxes: Vec<String>,
    #[serde(default = "attempts_max")]
    attempts_max: u32,
    #[serde(default = "retry_s_max")]
    retry_s_max: u64,
    #[serde(default)]
    studies: Vec<Filter>,
    local_ids: Option<PathBuf>,
    #[serde(default)]
    unmatched: Unmatched,
}

fn our_ae_title() -> String {
    "TSUNAGU".into()
}

fn attempts_max() -> u32 {
    20
}

fn retry_s_max() -> u64 {
    300
}

impl Rules {
    /// Reads a rules file. Paths in it are seen from its own folder.
    ///
    /// # Errors
    /// [`Error::Rules`] with the destination and what is wrong with it.
    pub fn read(path: &Path) -> Result<Rules> {
        let wrong = |detail: String| Error::Rules { path: path.display().to_string(), detail };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        Rules::parse(&text, path.parent().unwrap_or(Path::new(""))).map_err(wrong)
    }

    /// As [`Rules::read`], from text.
    ///
    /// # Errors
    /// A sentence.
    pub fn parse(text: &str, folder: &Path) -> std::result::Result<Rules, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let mut names = BTreeSet::new();
        let mut destinations = Vec::with_capacity(file.to.len());
        for written in file.to {
            let name = written.name.clone();
            if !names.insert(name.clone()) {
                return Err(format!("two destinations are called {name:?}"));
            }
            let read = written.read(folder).map_err(|detail| format!("destination {name:?}: {detail}"))?;
            destinations.push(Arc::new(read));
        }
        Ok(Rules { destinations })
    }
}

impl Written {
    fn read(self, folder: &Path) -> std::result::Result<Destination, String> {
        let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
        if self.name.is_empty() || self.name.len() > NAME_CHARS_MAX || !self.name.chars().all(plain) {
            return Err("a name is 1 to 64 letters, digits, '.', '_' or '-'".into());
        }
        let file = |path: PathBuf| folder.join(path);
        let address = match (self.stow, self.aet, self.host, self.port) {
            (Some(url), None, None, None) if url.starts_with("https://") || url.starts_with("http://") => {
                Address::Stow { url: url.trim_end_matches('/').to_owned(), token_file: self.token_file.map(file) }
            }
            (None, Some(ae_title), Some(host), Some(port)) => {
                check_ae_title(&ae_title)?;
                check_ae_title(&self.calling_aet)?;
                let ca_file = self.ca_file.map(file);
                Address::Dimse { ae_title, calling_ae_title: self.calling_aet, host, port, ca_file }
            }
            _ => return Err("give either stow = \"https://…\", or aet, host and port".into()),
        };
        Ok(Destination {
            name: self.name,
            address,
            when: self.quiet_s.map_or(When::Packed, When::QuietS),
            begin: self.begin,
            transfer_syntaxes: self.transfer_syntaxes,
            attempts_max: self.attempts_max.max(1),
            retry_s_max: self.retry_s_max.max(1),
            studies: self.studies,
            local_ids: self.local_ids.map(file),
            unmatched: self.unmatched,
        })
    }
}

fn check_ae_title(title: &str) -> std::result::Result<(), String> {
    let plain = title.chars().all(|c| matches!(c, ' '..='~') && c != '\\');
    match !title.trim().is_empty() && title.len() <= AE_CHARS_MAX && plain {
        true => Ok(()),
        false => Err(format!("{title:?} is no AE title: 1 to 16 characters of ASCII without a backslash")),
    }
}

impl Destination {
    /// Whether a study with these attributes goes there.
    pub fn takes(&self, facts: &Facts) -> bool {
        self.studies.is_empty() || self.studies.iter().any(|filter| filter.matches(facts))
    }

    /// Whether a rule asks for the station, which the index does not know.
    pub(super) fn asks_station(&self) -> bool {
        self.studies.iter().any(|filter| !filter.station.is_empty())
    }

    /// The peer to be called.
    ///
    /// # Errors
    /// A sentence, where the file of authorities cannot be read.
    pub(crate) fn peer(&self) -> std::result::Result<Option<Peer>, String> {
        let Address::Dimse { ae_title, calling_ae_title, host, port, ca_file } = &self.address else {
            return Ok(None);
        };
        Ok(Some(Peer {
            ae_title: ae_title.clone(),
            host: host.clone(),
            port: *port,
            calling_ae_title: calling_ae_title.clone(),
            tls: ca_file.as_deref().map(tls).transpose()?,
            limits: ScuLimits::default(),
        }))
    }
}

/// TLS 1.2 or 1.3 with the peer's certificate checked by the authorities in a PEM file (PS3.15 B.9).
fn tls(ca_file: &Path) -> std::result::Result<Arc<ClientConfig>, String> {
    let roots = authorities(ca_file)?;
    let provider = Arc::new(crypto::aws_lc_rs::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let config = versions.map_err(|error| error.to_string())?.with_root_certificates(roots).with_no_client_auth();
    Ok(Arc::new(config))
}

impl Filter {
    fn matches(&self, facts: &Facts) -> bool {
        let any = |patterns: &[String], values: &[String]| {
            patterns.is_empty() || patterns.iter().any(|pattern| values.iter().any(|value| is_like(value, pattern)))
        };
        any(&self.modality, &facts.modalities)
            && any(&self.centre, std::slice::from_ref(&facts.centre))
            && any(&self.station, &facts.stations)
            && any(&self.description, std::slice::from_ref(&facts.description))
    }
}

/// Whether a text is as a pattern with `*` and `?` says; case does not count. Steps are bounded by the product of the
/// two lengths.
fn is_like(text: &str, pattern: &str) -> bool {
    let fold = |text: &str| text.to_lowercase().chars().collect::<Vec<char>>();
    let (text, pattern) = (fold(text), fold(pattern));
    let (mut at, mut of, mut star) = (0, 0, None);
    while at < text.len() {
        match pattern.get(of) {
            Some('*') => {
                star = Some((at, of));
                of += 1;
            }
            Some(c) if *c == '?' || Some(c) == text.get(at) => (at, of) = (at + 1, of + 1),
            _ => match star {
                // The star takes one more.
                Some((from, star_of)) => {
                    star = Some((from + 1, star_of));
                    (at, of) = (from + 1, star_of + 1);
                }
                None => return false,
            },
        }
    }
    pattern.get(of..).unwrap_or_default().iter().all(|c| *c == '*')
}

fn one_or_many<'de, D: Deserializer<'de>>(from: D) -> std::result::Result<Vec<String>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Either {
        One(String),
        Many(Vec<String>),
    }
    Ok(match Either::deserialize(from)? {
        Either::One(one) => vec![one],
        Either::Many(many) => many,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = r#"
        [[to]]
        name = "hospital"
        aet = "PACS"
        host = "10.0.0.5"
        port = 104
        quiet-s = 30
        local-ids = "ids.csv"
        [[to.studies]]
        modality = ["CT", "MR"]
        centre = "north*"
        [[to.studies]]
        description = "*chest?x*"

        [[to]]
        name = "second"
        stow = "https://second.example/dicom-web/"
        token-file = "second.token"
        begin = "first"
    "#;

    /// A file is read with its defaults, and its paths are seen from its folder.
    #[test]
    fn a_rules_file_is_read() {
        let rules = Rules::parse(FILE, Path::new("conf")).unwrap();
        let [hospital, second] = &rules.destinations[..] else { panic!("two") };
        assert_eq!((hospital.when, hospital.begin, hospital.attempts_max), (When::QuietS(30), Begin::Now, 20));
        assert_eq!(hospital.local_ids.as_deref(), Some(Path::new("conf/ids.csv")));
        let token_file = Some(PathBuf::from("conf/second.token"));
        let url = "https://second.example/dicom-web".to_owned();
        assert_eq!(second.address, Address::Stow { url, token_file });
        assert_eq!((second.when, second.begin), (When::Packed, Begin::First));
    }

    /// What a study must be to go somewhere: all keys of one filter, any filter of a destination.
    #[test]
    fn rules_choose_studies_by_modality_centre_station_and_description() {
        let rules = Rules::parse(FILE, Path::new("")).unwrap();
        let check = |modality: &str, centre: &str, description: &str, expected: [bool; 2]| {
            let facts = Facts {
                modalities: vec!["SR".into(), modality.into()],
                centre: centre.into(),
                description: description.into(),
                stations: Vec::new(),
            };
            let found: Vec<bool> = rules.destinations.iter().map(|to| to.takes(&facts)).collect();
            assert_eq!(found, expected, "{modality} {centre} {description}");
        };
        check("CT", "north-2", "", [true, true]);
        check("CT", "south", "", [false, true]);
        check("CR", "north", "", [false, true]);
        check("DX", "south", "Screening CHEST-XR", [true, true]);
    }

    /// Wildcards, against all that can be written with them.
    #[test]
    fn wildcards_match() {
        let check =
            |text: &str, pattern: &str, expected| assert_eq!(is_like(text, pattern), expected, "{text} {pattern}");
        check("abc", "abc", true);
        check("ABC", "a*c", true);
        check("abc", "a?c", true);
        check("abc", "a?", false);
        check("", "*", true);
        check("", "?", false);
        check("aXbXc", "*x*c", true);
        check("胸部CT", "胸部*", true);
        check(&"a".repeat(5000), &"*a".repeat(50), true);
        check(&"a".repeat(2000), &format!("{}b", "*a".repeat(50)), false);
    }

    /// What is wrong is said with the destination's name.
    #[test]
    fn wrong_rules_are_refused_with_a_sentence() {
        let check = |text: &str, expected: &str| {
            let error = Rules::parse(text, Path::new("")).unwrap_err();
            assert!(error.contains(expected), "{error}");
        };
        check("[[to]]\nname = \"a\"", "give either stow");
        check("[[to]]\nname = \"a b\"\nstow = \"https://x\"", "a name is");
        check("[[to]]\nname = \"a\"\nstow = \"ftp://x\"", "give either stow");
        check("[[to]]\nname = \"a\"\nstow = \"https://x\"\ncolour = 1", "colour");
        check("[[to]]\nname = \"a\"\naet = \"AN AE TITLE TOO LONG\"\nhost = \"h\"\nport = 1", "no AE title");
        let twice = "[[to]]\nname = \"a\"\nstow = \"https://x\"\n";
        check(&twice.repeat(2), "two destinations");
    }
}
