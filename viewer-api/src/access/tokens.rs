//! Tokens: who holds one is known by the event log `tokens`, which keeps SHA-256 of each and never the token itself.
//!
//! The command line appends to the log while the server runs, so the server reads on whenever the file has grown: a
//! token issued or revoked there counts from the next request on.

use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest, Sha256};

use super::{Permission, Permissions, Principal, Role};
use crate::error::{Error, Result};

/// What every token begins with, so that a leaked one is recognised.
const PREFIX: &str = "tsu_";
/// Length of the name a token is revoked by, in hexadecimal digits of its digest.
const ID_DIGITS: usize = 12;

/// A token to be issued.
#[derive(Clone, Debug)]
pub struct NewToken {
    /// Who will hold it: a person or a machine, as logs will call them.
    pub name: String,
    /// The centre it speaks for.
    pub centre: String,
    /// What it is issued as.
    pub role: Role,
    /// Whether a reader's token also gives files as received.
    pub original: bool,
    /// Whether a reader's token also lets its holder claim and give verdicts.
    pub reads: bool,
    /// Whether a reader's token also lets its holder fetch the results of readings.
    pub results: bool,
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
}

/// A token as a list shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct TokenRow {
    /// What it is revoked by; says nothing about the token.
    pub id: String,
    /// Who holds it.
    pub name: String,
    /// The centre it speaks for.
    pub centre: String,
    /// What it was issued as.
    pub role: Role,
    /// Whether it also gives files as received.
    pub original: bool,
    /// Whether its holder also claims and gives verdicts.
    pub reads: bool,
    /// Whether its holder also fetches the results of readings.
    pub results: bool,
    /// When it ends, if ever.
    #[serde(with = "rfc3339")]
    pub expires_at: Option<Timestamp>,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl TokenRow {
    fn permissions(&self) -> Permissions {
        let granted = [
            (self.original, Permission::Original),
            (self.reads, Permission::Read),
            (self.results, Permission::Results),
        ];
        let granted = granted.into_iter().filter(|(is, _)| *is);
        granted.fold(self.role.permissions(), |all, (_, permission)| all.with(permission))
    }

    fn principal(&self, now: Timestamp) -> Option<Principal> {
        let good = !self.revoked && self.expires_at.is_none_or(|end| now < end);
        let permissions = self.permissions();
        good.then(|| Principal { name: self.name.clone(), centre: self.centre.clone(), permissions })
    }
}

/// One line of the log.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "lowercase")]
enum Event {
    Issued {
        digest: String,
        name: String,
        centre: String,
        role: Role,
        #[serde(default)]
        original: bool,
        // Not in lines of the first versions.
        #[serde(default)]
        reads: bool,
        #[serde(default)]
        results: bool,
        #[serde(default, with = "rfc3339", skip_serializing_if = "Option::is_none")]
        expires_at: Option<Timestamp>,
    },
    Revoked {
        id: String,
    },
}

/// What the log says, read so far.
#[derive(Debug, Default)]
struct Book {
    /// Length of the file when it was read last.
    file_bytes: u64,
    /// Events read.
    events: u64,
    by_digest: HashMap<[u8; 32], TokenRow>,
}

impl Book {
    fn apply(&mut self, event: &Value) {
        match serde_json::from_value(event.clone()) {
            Ok(Event::Issued { digest, name, centre, role, original, reads, results, expires_at }) => {
                let Some(key) = archive::unhex(&digest) else { return };
                let id = digest.chars().take(ID_DIGITS).collect();
                let row = TokenRow { id, name, centre, role, original, reads, results, expires_at, revoked: false };
                self.by_digest.insert(key, row);
            }
            Ok(Event::Revoked { id }) => {
                self.by_digest.values_mut().filter(|row| row.id == id).for_each(|row| row.revoked = true);
            }
            // Written by a later version. What it does not understand lets nobody in.
            Err(error) => tracing::warn!(%error, "an event of the token log was not understood"),
        }
    }
}

/// 256 random bits as hexadecimal digits.
pub(crate) fn random_secret() -> String {
    // Three version-4 UUIDs hold 366 bits from the system's generator; the digest spreads them evenly over 256.
    let mut hash = Sha256::new();
    for _ in 0..3 {
        hash.update(uuid::Uuid::new_v4().as_bytes());
    }
    archive::hex(&hash.finalize())
}

/// SHA-256 of a secret.
pub(crate) fn digest(secret: &str) -> [u8; 32] {
    Sha256::digest(secret.as_bytes()).into()
}

/// The tokens of one archive. Clones share what was read.
#[derive(Clone, Debug)]
pub struct Tokens {
    log: Arc<archive::EventLog>,
    path: Arc<PathBuf>,
    book: Arc<Mutex<Book>>,
}

impl Tokens {
    /// Opens the log at `path`, or makes it.
    ///
    /// # Errors
    /// [`Error::Tokens`] when it cannot be opened or read.
    pub fn open(path: PathBuf) -> Result<Tokens> {
        let log = archive::EventLog::open(&path).map_err(tokens_error)?;
        let tokens = Tokens { log: Arc::new(log), path: Arc::new(path), book: Arc::default() };
        tokens.read_on()?;
        Ok(tokens)
    }

    /// Issues a token and says it: the only time it is seen. Durable on return.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name or centre that is empty or longer than 200 characters; [`Error::Tokens`] when it
    /// could not be written.
    pub fn issue(&self, new: &NewToken, now: Timestamp) -> Result<String> {
        for (what, text) in [("name", &new.name), ("centre", &new.centre)] {
            if text.trim().is_empty() || text.chars().count() > 200 {
                let next_step = "give one of 1 to 200 characters";
                return Err(Error::invalid(format!("the {what} of a token is empty or too long"), next_step));
            }
        }
        let token = format!("{PREFIX}{}", random_secret());
        self.append(
            now,
            &Event::Issued {
                digest: archive::hex(&digest(&token)),
                name: new.name.trim().to_owned(),
                centre: new.centre.trim().to_owned(),
                role: new.role,
                original: new.original,
                reads: new.reads,
                results: new.results,
                expires_at: new.expires_at,
            },
        )?;
        Ok(token)
    }

    /// Revokes the token of this id; `false` when there is none that is not revoked. Durable on return.
    ///
    /// # Errors
    /// [`Error::Tokens`] when it could not be written.
    pub fn revoke(&self, id: &str, now: Timestamp) -> Result<bool> {
        self.read_on()?;
        let known = self.book().by_digest.values().any(|row| row.id == id && !row.revoked);
        if known {
            self.append(now, &Event::Revoked { id: id.to_owned() })?;
        }
        Ok(known)
    }

    /// Every token there was, by name.
    ///
    /// # Errors
    /// [`Error::Tokens`] when the log cannot be read.
    pub fn list(&self) -> Result<Vec<TokenRow>> {
        self.read_on()?;
        let mut rows: Vec<_> = self.book().by_digest.values().cloned().collect();
        rows.sort_by(|a, b| (&a.name, &a.id).cmp(&(&b.name, &b.id)));
        Ok(rows)
    }

    /// Who holds this token, if it is good now.
    ///
    /// # Errors
    /// [`Error::Tokens`] when the log cannot be read: nobody is let in.
    pub async fn find(&self, token: &str, now: Timestamp) -> Result<Option<Principal>> {
        if !token.starts_with(PREFIX) {
            return Ok(None);
        }
        self.find_digest(&digest(token), now).await
    }

    pub(crate) async fn find_digest(&self, digest: &[u8; 32], now: Timestamp) -> Result<Option<Principal>> {
        if self.has_grown()? {
            let tokens = self.clone();
            let read = tokio::task::spawn_blocking(move || tokens.read_on()).await;
            read.map_err(|error| Error::Tokens(error.to_string()))??;
        }
        // Found by digest: how long that takes says nothing about how much of a guess was right.
        Ok(self.book().by_digest.get(digest).and_then(|row| row.principal(now)))
    }

    fn has_grown(&self) -> Result<bool> {
        let bytes = std::fs::metadata(self.path.as_path()).map_err(tokens_error)?.len();
        Ok(bytes != self.book().file_bytes)
    }

    /// Reads what was appended since the last time.
    fn read_on(&self) -> Result<()> {
        let file_bytes = std::fs::metadata(self.path.as_path()).map_err(tokens_error)?.len();
        let mut book = self.book();
        for logged in self.log.read_from(book.events + 1) {
            let logged = logged.map_err(tokens_error)?;
            book.apply(&logged.event);
            book.events = logged.seq;
        }
        // The length from before: what came meanwhile was read already, and is looked for once more.
        book.file_bytes = file_bytes;
        Ok(())
    }

    fn append(&self, now: Timestamp, event: &Event) -> Result<()> {
        let event = serde_json::to_value(event).map_err(tokens_error)?;
        self.log.append(&now.to_string(), &[event]).map_err(tokens_error)?;
        self.read_on()
    }

    fn book(&self) -> std::sync::MutexGuard<'_, Book> {
        self.book.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A time, if any, as RFC 3339 has it.
mod rfc3339 {
    use jiff::Timestamp;
    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<S: Serializer>(time: &Option<Timestamp>, to: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.to_string()).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|text| text.parse().map_err(serde::de::Error::custom)).transpose()
    }
}

fn tokens_error(error: impl std::fmt::Display) -> Error {
    Error::Tokens(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_second(1_800_000_000 + seconds).unwrap()
    }

    fn new(name: &str, role: Role) -> NewToken {
        NewToken {
            name: name.into(),
            centre: "a".into(),
            role,
            original: false,
            reads: false,
            results: false,
            expires_at: None,
        }
    }

    #[tokio::test]
    async fn what_another_process_issues_and_revokes_counts_at_once_and_no_token_is_on_the_disk() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("tokens.jsonl");
        let (server, other) = (Tokens::open(path.clone()).unwrap(), Tokens::open(path.clone()).unwrap());
        let token = other.issue(&new("r", Role::Reader), at(0)).unwrap();
        let principal = server.find(&token, at(1)).await.unwrap().unwrap();
        assert_eq!((principal.name.as_str(), principal.centre.as_str()), ("r", "a"));
        assert!(!principal.permissions.has(Permission::Original));
        assert!(!std::fs::read_to_string(&path).unwrap().contains(token.trim_start_matches(PREFIX)));
        let id = other.list().unwrap()[0].id.clone();
        assert!(other.revoke(&id, at(2)).unwrap());
        assert_eq!(server.find(&token, at(3)).await.unwrap(), None);
        assert!(!other.revoke(&id, at(4)).unwrap(), "once is enough");
        assert_eq!(server.find("tsu_00", at(5)).await.unwrap(), None);
    }

    #[tokio::test]
    async fn a_token_ends_when_it_says_and_original_is_granted_at_issue() {
        let dir = tempfile::tempdir().unwrap();
        let tokens = Tokens::open(dir.path().join("tokens.jsonl")).unwrap();
        let asked = NewToken { original: true, expires_at: Some(at(10)), ..new("r", Role::Reader) };
        let token = tokens.issue(&asked, at(0)).unwrap();
        assert!(tokens.find(&token, at(9)).await.unwrap().unwrap().permissions.has(Permission::Original));
        assert_eq!(tokens.find(&token, at(10)).await.unwrap(), None);
        assert!(tokens.issue(&new(" ", Role::Reader), at(0)).is_err());
    }
}
