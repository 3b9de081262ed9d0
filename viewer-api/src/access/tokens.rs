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
    /// When it ends, if ever.
    pub expires_at: Option<Timestamp>,
    /// Whether it was revoked.
    pub revoked: bool,
}

impl TokenRow {
    fn permissions(&self) -> Permissions {
        let by_role = self.role.permissions();
        if self.original { by_role.with(Permission::Original) } else { by_role }
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
        #[serde(default, skip_serializing_if = "Option::is_none")]
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
            Ok(Event::Issued { digest, name, centre, role, original, expires_at }) => {
                let Some(key) = archive::unhex(&digest) else { return };
                let id = digest.chars().take(ID_DIGITS).collect();
                let row = TokenRow { id, name, centre, role, original, expires_at, revoked: false };
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
