//! Why a file is not admitted, as a code for programs and two sentences for people.

use archive::Reason;
use transcode::{data_set, waveform};

/// Why a file is set aside.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Verdict {
    /// Its bytes are not a whole DICOM file.
    #[error(transparent)]
    DataSet(#[from] data_set::Error),
    /// A UID that keys it is missing, empty or not ASCII.
    #[error("{keyword} is missing, empty or not ASCII")]
    MissingUid {
        /// Its keyword.
        keyword: &'static str,
    },
    /// A UID that keys it cannot be a key.
    #[error("{keyword} \"{value}\" is no UID: 1 to 64 digits and dots are allowed")]
    InvalidUid {
        /// Its keyword.
        keyword: &'static str,
        /// Its value.
        value: String,
    },
    /// It is MFER, and damaged or of a kind that is not taken in.
    #[error("MFER file: {0}")]
    Mfer(#[from] waveform::Error),
    /// A directory of a medium, not an instance.
    #[error("this is a DICOMDIR, the directory of a medium, not an image or document")]
    Dicomdir,
}

const SEND_AGAIN: &str = "Send the file again from its source; if it is the same there, ask the maker of the device.";
const KEPT: &str = "Nothing to correct: its bytes are kept as they are, and it can be tried again with a later version: \
                    tsunagu quarantine retry.";
const LOOK_AT_IT: &str = "Have it looked at: its bytes are kept; send it again after correction.";

impl Verdict {
    /// The short word for programs.
    pub fn code(&self) -> &'static str {
        use data_set::Error::*;
        match self {
            Verdict::MissingUid { .. } => "missing-uid",
            Verdict::InvalidUid { .. } => "invalid-uid",
            Verdict::Dicomdir => "dicomdir",
            Verdict::Mfer(error) => match error {
                waveform::Error::Truncated { .. } | waveform::Error::NoWaveform { .. } => "truncated",
                waveform::Error::TooMany { .. } => "too-big",
                waveform::Error::Unsupported { .. } | waveform::Error::NotDicom { .. } => "unsupported",
                _ => "malformed",
            },
            Verdict::DataSet(error) => match error {
                NotDicom { .. } => "not-dicom",
                Truncated { .. } => "truncated",
                Nesting { .. } => "nesting",
                ElementCount { .. } | TooBig { .. } | InflatedTooBig { .. } => "too-big",
                PixelLength { .. } | FragmentCount { .. } => "pixel-length",
                Io(error) if is_damage(error) => "malformed",
                Io(_) => "unreadable",
                _ => "malformed",
            },
        }
    }

    /// What the sender can do.
    fn next_step(&self) -> &'static str {
        match self.code() {
            "not-dicom" => "Send DICOM files only; leave it out of the batch or convert it to DICOM first.",
            "truncated" | "pixel-length" => SEND_AGAIN,
            "missing-uid" | "invalid-uid" => "Correct the UIDs where the file comes from and send it again.",
            "dicomdir" => "Nothing to do: send the files it lists, not the directory.",
            "unsupported" => KEPT,
            "unreadable" => "Send it again; if this stays, look at the disk of the receiving machine.",
            _ => LOOK_AT_IT,
        }
    }
}

/// A damaged or cut deflate stream, not a failing disk.
fn is_damage(error: &std::io::Error) -> bool {
    use std::io::ErrorKind::*;
    matches!(error.kind(), InvalidData | InvalidInput | UnexpectedEof)
}

impl From<Verdict> for Reason {
    fn from(verdict: Verdict) -> Reason {
        let text = verdict.to_string();
        let mut letters = text.chars();
        let first = letters.next().map(|letter| letter.to_uppercase().to_string()).unwrap_or_default();
        Reason {
            code: verdict.code().to_owned(),
            text: format!("{first}{}.", letters.as_str()),
            next_step: verdict.next_step().to_owned(),
        }
    }
}
