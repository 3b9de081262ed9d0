//! Who may do what. Refused by default: a request without a good credential gets nothing but the page itself.

mod guard;
mod session;
mod table;
mod tokens;

use std::fmt;

use serde::{Deserialize, Serialize};

pub use guard::require_store;
pub(crate) use guard::{Gate, guard};
pub use session::Sessions;
pub(crate) use session::{session_of, sign_in, start_session};
pub use table::{Needs, ROUTES, Service};
pub use tokens::{NewToken, TokenRow, Tokens};

/// One thing a credential may allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Permission {
    /// Send files in.
    Upload,
    /// Search, and look at pixels, curves and documents.
    View,
    /// Retrieve Part 10 files as held.
    Download,
    /// Retrieve files byte for byte as received.
    Original,
    /// Run the archive.
    Administer,
    /// Store annotations of one study: measurements, presentation states, key objects; nothing else.
    Annotate,
    /// Claim items of a worklist and give verdicts.
    Read,
    /// Fetch the results of readings.
    Results,
}

impl Permission {
    const ALL: [Permission; 8] = [
        Permission::Upload,
        Permission::View,
        Permission::Download,
        Permission::Original,
        Permission::Administer,
        Permission::Annotate,
        Permission::Read,
        Permission::Results,
    ];

    /// The word in logs and answers.
    pub fn word(self) -> &'static str {
        match self {
            Permission::Upload => "upload",
            Permission::View => "view",
            Permission::Download => "download",
            Permission::Original => "original",
            Permission::Administer => "administer",
            Permission::Annotate => "annotate",
            Permission::Read => "read",
            Permission::Results => "results",
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }
}

impl fmt::Display for Permission {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.word())
    }
}

/// A set of permissions.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct Permissions(u8);

impl Permissions {
    /// Whether this one is among them.
    pub fn has(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// These and one more.
    pub fn with(self, permission: Permission) -> Permissions {
        Permissions(self.0 | permission.bit())
    }

    /// Each of them.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.has(*permission))
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<T: IntoIterator<Item = Permission>>(permissions: T) -> Self {
        permissions.into_iter().fold(Permissions::default(), Permissions::with)
    }
}

impl fmt::Debug for Permissions {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.debug_set().entries(self.iter()).finish()
    }
}

/// What a token is issued as.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// A screening centre's sender: upload.
    Uploader,
    /// A reading doctor: view, download and annotate; original, read and results only if granted at issue.
    Reader,
    /// Everything.
    Admin,
}

impl Role {
    /// The role of that word.
    pub fn parse(word: &str) -> Option<Role> {
        match word {
            "uploader" => Some(Role::Uploader),
            "reader" => Some(Role::Reader),
            "admin" => Some(Role::Admin),
            _ => None,
        }
    }

    /// The word for it.
    pub fn word(self) -> &'static str {
        match self {
            Role::Uploader => "uploader",
            Role::Reader => "reader",
            Role::Admin => "admin",
        }
    }

    /// What it allows by itself.
    pub fn permissions(self) -> Permissions {
        match self {
            Role::Uploader => Permissions::default().with(Permission::Upload),
            Role::Reader => [Permission::View, Permission::Download, Permission::Annotate].into_iter().collect(),
            Role::Admin => Permission::ALL.into_iter().collect(),
        }
    }
}

/// Who a request is from, as its credential says. An extension of every request that was let in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// Name of the holder as given when the token was issued.
    pub name: String,
    /// The centre it speaks for; never taken from a file or a request.
    pub centre: String,
    /// What it may do.
    pub permissions: Permissions,
}
