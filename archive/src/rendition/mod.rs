//! Renditions: what was made of instances for showing and sending, beside the packs and never in place of them. Light lossy
//! derivatives and lossless viewing copies; none is found by a search, counted, or needed for anything that is kept.
//!
//! The renditions of some instances of a study are one object, a stored ZIP like a pack: `N.PROFILE.dcm`,
//! `N.PROFILE.frames`, last `renditions.json`. They are found by their study and matched to an instance by the digest of
//! its received file, so that they outlive the pack the instance is in. All of them can be deleted and made again. Drawn
//! in docs/archive-format.md.

mod builder;
mod directory;
#[cfg(test)]
mod tests;
mod verify;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

pub use self::builder::{NewRendition, RenditionBuilder};
pub use self::directory::Rendition;
pub(crate) use self::verify::verify;

/// The directory of all renditions among the objects.
pub const PREFIX: &str = "renditions";
/// Name of the last entry of an object.
const MANIFEST_NAME: &str = "renditions.json";
const FORMAT: &str = "tsunagu renditions";
const VERSION: u32 = 1;

/// What a rendition is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RenditionKind {
    /// Coded with loss: a DICOM object of its own, under UIDs of its own.
    Derivative,
    /// The same pixels under the same SOP Instance UID, in a transfer syntax that a browser can decode.
    ViewingCopy,
}

impl RenditionKind {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            RenditionKind::Derivative => "derivative",
            RenditionKind::ViewingCopy => "viewing-copy",
        }
    }
}

/// What was lost, measured by decoding.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Loss {
    /// The largest difference of any sample.
    pub largest_error: u32,
    /// Peak signal-to-noise ratio of the span of values, dB; absent when nothing differs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub psnr_db: Option<f64>,
    /// Bytes of the decoded pixels to bytes of the codestreams.
    pub ratio: f64,
}

/// One rendition as `renditions.json` has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenditionRecord {
    /// SOP Instance UID of its source.
    pub source_sop_instance_uid: String,
    /// SHA-256 of the file that its source was received as, in hexadecimal.
    pub source_file: String,
    /// What it is.
    pub kind: RenditionKind,
    /// The profile it was made by: lower-case letters, digits and hyphens.
    pub profile: String,
    /// Its own SOP Instance UID; of a viewing copy that of its source.
    pub sop_instance_uid: String,
    /// Its own Series Instance UID; of a viewing copy that of its source.
    pub series_instance_uid: String,
    /// Its Transfer Syntax UID.
    pub transfer_syntax_uid: String,
    /// What a derivative lost.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loss: Option<Loss>,
}

/// What all renditions of an object have in common.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenditionSet {
    /// The study of their sources.
    pub study_instance_uid: String,
    /// Version of the policy they were made by.
    pub policy: String,
    /// The coders that wrote them.
    pub coder: String,
    /// When, RFC 3339 in UTC.
    pub created_at: String,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Manifest {
    format: String,
    version: u32,
    #[serde(flatten)]
    set: RenditionSet,
    renditions: Vec<ManifestRendition>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct ManifestRendition {
    #[serde(flatten)]
    record: RenditionRecord,
    part10_bytes: u64,
    sha256: String,
}

impl RenditionSet {
    /// The name of the object that holds what was made of these sources by this policy and these coders: made again, it is
    /// the same.
    pub fn key(&self, sources: &[[u8; 32]]) -> String {
        let mut digest = Sha256::new();
        for text in [&self.policy, &self.coder] {
            digest.update(text.as_bytes());
            digest.update(b"\n");
        }
        sources.iter().for_each(|source| digest.update(source));
        let name = crate::hex(&digest.finalize());
        format!("{}/{}.zip", directory_of(&self.study_instance_uid), name.get(..32).unwrap_or(&name))
    }
}

/// Where the objects of a study are: its UID hashed, so that names have one length and say nothing.
fn directory_of(study_instance_uid: &str) -> String {
    let name = crate::hex(&Sha256::digest(study_instance_uid.as_bytes()));
    let (first, name) = (name.get(..2).unwrap_or_default(), name.get(..32).unwrap_or(&name));
    format!("{PREFIX}/{first}/{name}")
}

/// Entry name of the Part 10 file of rendition N, from 1.
fn dcm_name(number: usize, profile: &str) -> String {
    format!("{number}.{profile}.dcm")
}

/// Entry name of its frame table.
fn frames_name(number: usize, profile: &str) -> String {
    format!("{number}.{profile}.frames")
}
