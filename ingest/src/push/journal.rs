//! What the server has acknowledged, a line a file, so that a push goes on after a break without reading it again.
//! Losing the journal costs time only: the server knows what it holds.

use std::collections::HashSet;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, Write};

use serde::{Deserialize, Serialize};

use super::PushOptions;
use crate::error::{Error, Result};
use crate::files::Found;

/// Whose journal it is: another batch or server begins anew.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Head {
    batch: String,
    url: String,
}

/// A file as it was when it was acknowledged; changed since, it is sent again.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Entry {
    name: String,
    bytes: u64,
    modified_s: u64,
}

impl Entry {
    pub fn of(found: &Found) -> Self {
        Entry { name: found.name.clone(), bytes: found.bytes, modified_s: found.modified_s }
    }
}

/// The journal, or none.
pub struct Journal {
    file: Option<File>,
    name: String,
    entries: HashSet<Entry>,
}

impl Journal {
    /// Opens the journal of these options, if they name one.
    pub fn open(options: &PushOptions) -> Result<Self> {
        let Some(path) = &options.resume else {
            return Ok(Journal { file: None, name: String::new(), entries: HashSet::new() });
        };
        let name = path.display().to_string();
        let failed = |source| Error::Read { name: name.clone(), source };
        let head = Head { batch: options.batch.clone(), url: options.url.clone() };
        let entries = File::open(path).ok().and_then(|file| entries(file, &head));
        let mut file = OpenOptions::new().create(true).append(true).open(path).map_err(failed)?;
        match entries {
            // A line cut by a crash ends here.
            Some(_) => file.write_all(b"\n").map_err(failed)?,
            None => {
                file.set_len(0).map_err(failed)?;
                writeln!(file, "{}", serde_json::json!(head)).map_err(failed)?;
            }
        }
        Ok(Journal { file: Some(file), entries: entries.unwrap_or_default(), name })
    }

    /// What was acknowledged in earlier runs.
    pub fn entries(&self) -> HashSet<Entry> {
        self.entries.clone()
    }

    /// Notes what was acknowledged now.
    pub fn note(&mut self, acknowledged: &[Found]) -> Result<()> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let lines: String =
            acknowledged.iter().map(|found| format!("{}\n", serde_json::json!(Entry::of(found)))).collect();
        file.write_all(lines.as_bytes()).map_err(|source| Error::Read { name: self.name.clone(), source })
    }
}

/// The entries of a journal of this batch and server; lines that were cut are passed over.
fn entries(file: File, head: &Head) -> Option<HashSet<Entry>> {
    let mut lines = BufReader::new(file).lines();
    let first: Head = serde_json::from_str(&lines.next()?.ok()?).ok()?;
    let entries = || lines.map_while(|line| line.ok()).filter_map(|line| serde_json::from_str(&line).ok()).collect();
    (first == *head).then(entries)
}
