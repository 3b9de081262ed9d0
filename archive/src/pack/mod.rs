//! The study pack: a study's instances in one immutable object, a stored ZIP that any unzip opens.
//!
//! `N.dcm` (or `N.dcm.zst`), `N.recipe` and `N.frames` of each instance, then `series-K.json.zst`, the DICOM JSON of a series
//! ready to send, and last `pack.json`, from which the index is rebuilt. Drawn in docs/archive-format.md.

mod directory;
mod manifest;
#[cfg(test)]
mod tests;
mod writer;
mod zip;

use serde::{Deserialize, Serialize};

pub(crate) use self::directory::is_cut_off;
pub use self::directory::{PackDirectory, PackInstance, read_directory};
pub(crate) use self::writer::blocking;
pub use self::writer::{NewInstance, PackData, PackWriter, ReadRange};
pub(crate) use self::zip::{END_BYTES_MAX, End};
pub use self::zip::{ZipEntry, ZipLayout};

use crate::{Description, Digests, Origin};

/// The directory of all packs among the objects.
pub const PREFIX: &str = "packs";
/// The largest number a pack can have.
const NUMBER_MAX: u64 = 999_999_999_999;

/// The object name of a pack: `packs/AAA/pack-NNNNNNNNNNNN.zip`, AAA being the last three digits of the number, so that
/// a directory holds a thousandth of them.
pub fn key(number: u64) -> String {
    format!("{PREFIX}/{:03}/pack-{number:012}.zip", number % 1000)
}

/// The number of the pack of that object name; `None` for what is no pack.
pub(crate) fn number(of_key: &str) -> Option<u64> {
    let name = of_key.rsplit('/').next()?.strip_prefix("pack-")?.strip_suffix(".zip")?;
    name.parse().ok().filter(|&number| key(number) == of_key)
}

/// An instance that is kept: what `rebuild` makes an index row of.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct InstanceRecord {
    /// Its number in the order of take-in.
    pub sequence: u64,
    /// What it is.
    pub description: Description,
    /// Who sent it.
    pub origin: Origin,
    /// Its digests as received.
    pub digests: Digests,
    /// Bytes as received.
    pub received_bytes: u64,
    /// It is kept beside a held instance of the same SOP Instance UID, in another transfer syntax.
    pub variant: bool,
}

/// How an instance is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum HeldForm {
    /// As received, in an intake segment; never in a pack.
    Intake,
    /// As a Part 10 file of lossless codestreams, with the recipe that rebuilds the received file.
    Packed,
    /// As received.
    Received,
    /// As received, under zstd.
    ReceivedZstd,
}

impl HeldForm {
    /// The word for it, as the catalogue has it.
    pub fn name(self) -> &'static str {
        match self {
            HeldForm::Intake => "intake",
            HeldForm::Packed => "packed",
            HeldForm::Received => "received",
            HeldForm::ReceivedZstd => "received-zstd",
        }
    }
}
