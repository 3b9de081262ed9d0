//! Light lossy derivatives: of an instance, a DICOM object of its own whose frames are coded with loss, measured, and
//! which says so in every attribute that the standard has for it (PS3.3 C.7.6.1.1.2, C.7.6.1.1.5).
//!
//! The same source, profile and coder give the same bytes and the same UIDs. Whatever a [`Policy`] says, there is none of
//! what was compressed with loss before, of palettes, of single bits, of pictures for processing, of overlays that lie in
//! the pixels, and of enhanced objects, whose functional groups would have to say it too.

mod header;
mod measure;
pub(crate) mod uid;

use rayon::prelude::*;

pub use self::measure::Measured;
use self::measure::{Padding, Sums};
use crate::assemble::assemble;
use crate::codec::lossy::{self, Target};
use crate::codec::{self};
use crate::data_set::{Limits, Tag};
use crate::error::Error;
use crate::instance::Instance;
use crate::policy::{Policy, Profile, Subject};

/// Times that a quality is tried until the target is met.
const TRIES_MAX: usize = 4;
/// Decibels that a PSNR may stay below its target: two coders add up squares in another order.
const PSNR_SLACK_DB: f64 = 0.05;
/// Share of a target ratio that must be reached.
const RATIO_SHARE_MIN: f64 = 0.9;

/// A derivative.
#[derive(Clone, Debug, PartialEq)]
pub struct Derivative {
    /// The whole Part 10 file.
    pub part10: Vec<u8>,
    /// Offset and length of each codestream in it.
    pub frames: Vec<(u64, u64)>,
    /// Its Transfer Syntax UID.
    pub transfer_syntax_uid: &'static str,
    /// Its SOP Instance UID (0008,0018).
    pub sop_instance_uid: String,
    /// Its Series Instance UID (0020,000E).
    pub series_instance_uid: String,
    /// Id of the profile it was made by.
    pub profile: String,
    /// What was lost.
    pub measured: Measured,
}

/// Why there is no derivative.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum NotMade {
    /// None is wanted: by the policy, or since the source is lossy already or no picture.
    #[error("{0}")]
    Unwanted(String),
    /// The policy would have one, but this instance can have none.
    #[error("no derivative: {0}")]
    Impossible(String),
    /// A coder failed.
    #[error("no derivative: {0}")]
    Failed(#[from] Error),
}

fn unwanted<T>(why: impl Into<String>) -> Result<T, NotMade> {
    Err(NotMade::Unwanted(why.into()))
}

fn impossible<T>(why: impl Into<String>) -> Result<T, NotMade> {
    Err(NotMade::Impossible(why.into()))
}

/// Makes the derivative of a Part 10 file, as held or as received: both give the same one.
///
/// # Errors
/// [`NotMade`], each with its sentence. A target that cannot be met is one of them: what is given out keeps it.
pub fn make(file: &[u8], policy: &Policy, limits: &Limits) -> Result<Derivative, NotMade> {
    let instance = match Instance::open(file, limits) {
        Err(Error::NoPixels) => return unwanted("it has no pixels"),
        opened => opened?,
    };
    let profile = policy.decide(&subject(&instance)).map_err(NotMade::Unwanted)?;
    possible(&instance)?;
    let padding = Padding::of(&instance);
    let coded: Result<Vec<(Vec<u8>, Sums)>, NotMade> =
        (0..instance.frames()).into_par_iter().map(|index| frame(&instance, index, profile, &padding)).collect();
    let (frames, sums): (Vec<_>, Vec<_>) = coded?.into_iter().unzip();
    let pixel_bytes = pixel_bytes(&instance);
    let measured = Measured::of(&sums, pixel_bytes, frames.iter().map(|frame| frame.len() as u64).sum());
    let [sop_instance_uid, series_instance_uid] = uids(&instance, profile)?;
    let mut part10 = instance.part10.clone();
    let said = header::Said {
        sop_instance_uid: &sop_instance_uid,
        series_instance_uid: &series_instance_uid,
        profile: &profile.id,
        measured: &measured,
        masked: sums.iter().any(|sums| sums.masked > 0),
        colour: instance.description.samples_per_pixel > 1,
    };
    header::edit(&mut part10.data_set, &said);
    let transfer_syntax_uid = lossy::TRANSFER_SYNTAX_UID;
    let (part10, frames) = assemble(&part10, &instance.bytes, transfer_syntax_uid, &frames, limits)?;
    let enough = part10.len() as u64 * 100 <= file.len() as u64 * (100 - policy.saves_percent_min.min(100));
    if !enough {
        let (light, heavy) = (part10.len(), file.len());
        return Err(NotMade::Unwanted(format!(
            "it would have {light} bytes beside {heavy}: not worth a second object"
        )));
    }
    let profile = profile.id.clone();
    Ok(Derivative { part10, frames, transfer_syntax_uid, sop_instance_uid, series_instance_uid, profile, measured })
}

fn subject(instance: &Instance) -> Subject {
    let photometric_interpretation = match instance.description.photometric_interpretation.as_str() {
        // What the decoder makes of them.
        "YBR_RCT" | "YBR_ICT" => "RGB".into(),
        other => other.into(),
    };
    let modality = instance.text(Tag(0x0008, 0x0060)).to_owned();
    Subject { modality, photometric_interpretation, pixel_bytes: pixel_bytes(instance) }
}

/// Bytes of all frames as native Pixel Data has them.
fn pixel_bytes(instance: &Instance) -> u64 {
    let d = &instance.description;
    let samples = u64::from(d.rows) * u64::from(d.columns) * u64::from(d.samples_per_pixel);
    samples * u64::from(d.bits_allocated.div_ceil(8)) * instance.frames() as u64
}

/// What no policy can allow.
fn possible(instance: &Instance) -> Result<(), NotMade> {
    let (data_set, d) = (&instance.part10.data_set, &instance.description);
    if instance.text(Tag(0x0028, 0x2110)) == "01" {
        return unwanted("it was compressed with loss before (Lossy Image Compression is 01)");
    }
    if is_lossy(&instance.part10.transfer_syntax_uid) {
        return unwanted(format!(
            "its transfer syntax {} may have lost something",
            instance.part10.transfer_syntax_uid
        ));
    }
    if d.photometric_interpretation == "PALETTE COLOR" {
        return impossible("its numbers are places in a table of colours");
    }
    if instance.text(Tag(0x0008, 0x0068)) == "FOR PROCESSING" {
        return impossible("it is for processing, not for looking at (Presentation Intent Type)");
    }
    if [0x9229, 0x9230].iter().any(|element| data_set.get(Tag(0x5200, *element)).is_some()) {
        return impossible("it is an enhanced object, whose functional groups would have to say that it is derived");
    }
    let planes = (0x6000..=0x601E).step_by(2).map(|group| Tag(group, 0x0100));
    if planes.filter_map(|tag| data_set.int(tag)).any(|bits| bits > 1) {
        return impossible("an overlay lies in its pixels' bits above High Bit and would be lost");
    }
    if d.high_bit + 1 != d.bits_stored || !matches!(d.bits_allocated, 8 | 16) || d.bits_stored < 2 {
        let (allocated, stored, high) = (d.bits_allocated, d.bits_stored, d.high_bit);
        return impossible(format!(
            "Bits Allocated {allocated}, Bits Stored {stored} and High Bit {high} are not coded"
        ));
    }
    Ok(())
}

/// Transfer syntaxes whose frames may have been coded with loss: lossy JPEG, near-lossless JPEG-LS, JPEG 2000, HTJ2K,
/// JPEG XL, video (PS3.5 Annex A.4).
fn is_lossy(transfer_syntax_uid: &str) -> bool {
    let short = transfer_syntax_uid.strip_prefix("1.2.840.10008.1.2.4.").unwrap_or_default();
    !matches!(short, "" | "57" | "70" | "80" | "90" | "201" | "202" | "110")
}

/// The codestream of one frame that keeps to the target, and what it lost.
fn frame(instance: &Instance, index: usize, profile: &Profile, padding: &Padding) -> Result<(Vec<u8>, Sums), NotMade> {
    let frame = instance.frame(index)?;
    let colour = matches!((frame.photometric_interpretation.as_str(), frame.samples.components()), ("RGB", 3));
    let grey = frame.photometric_interpretation.starts_with("MONOCHROME") && frame.samples.components() == 1;
    if !colour && !grey {
        return impossible(format!("its frames are {}, decoded", frame.photometric_interpretation));
    }
    if u16::from(frame.samples.bits()) != instance.description.bits_stored {
        return impossible(format!("its frames have {} bits, not as many as Bits Stored says", frame.samples.bits()));
    }
    let masked = padding.masked(&frame.samples)?;
    let mut raised_db = 0.0;
    for _ in 0..TRIES_MAX {
        let target = match profile.target() {
            // The coder's peak is what the bits could say, the policy's what the picture has.
            Target::Psnr(decibels) => Target::Psnr(decibels + padding.headroom_db(&frame.samples) + raised_db),
            other => other,
        };
        let codestream = lossy::encode_lossy(&masked, target)?;
        let sums = padding.compare(&frame.samples, &codec::decode(&codestream)?);
        let found = Measured::of(std::slice::from_ref(&sums), pixel_bytes(instance), codestream.len() as u64);
        let missed_db = match profile.target() {
            Target::LargestError(largest) if sums.largest > largest => {
                return impossible(format!("an error of {} is left where {largest} is allowed", sums.largest));
            }
            Target::Psnr(wanted) => wanted - found.psnr_db.unwrap_or(f64::INFINITY),
            Target::Ratio(wanted) if found.ratio / (instance.frames() as f64) < wanted * RATIO_SHARE_MIN => {
                return impossible(format!("frame {} cannot be made {wanted} times smaller", index + 1));
            }
            _ => 0.0,
        };
        if missed_db <= PSNR_SLACK_DB {
            return Ok((codestream, sums));
        }
        raised_db += missed_db + 0.5;
    }
    impossible(format!("frame {} does not come out with the PSNR wanted", index + 1))
}

/// SOP Instance UID and Series Instance UID, made from those of the source and of all that decides on the bytes.
fn uids(instance: &Instance, profile: &Profile) -> Result<[String; 2], NotMade> {
    let target = format!("{:?}", profile.target());
    let from = |tag| match instance.part10.data_set.uid(tag) {
        Some(source) => Ok(uid::of(&[source, &profile.id, &target, lossy::CODER])),
        None => impossible("it has no SOP Class, SOP Instance or Series Instance UID"),
    };
    from(Tag(0x0008, 0x0016))?;
    Ok([from(Tag(0x0008, 0x0018))?, from(Tag(0x0020, 0x000E))?])
}

#[cfg(test)]
mod tests;
