//! A DICOM waveform of an MFER recording, and the received file inside of it.
//!
//! Which object it becomes (PS3.3 A.34): 12-lead ECG where the leads I, II and V1 to V6 are there and all rules of A.34.3
//! are kept; else General ECG where those of A.34.4 are; else General 32-bit ECG, which limits neither rate nor, for the
//! purpose here, width. Heart sounds stay in the object of the ECG they were recorded with, as a multiplex group of their
//! own: the audio objects demand 8 kHz and more, and would lose that both are one recording.

mod annotations;
mod codes;
mod identity;
mod multiplex;
mod set;

use super::{Error, MFER_MEDIA_TYPE, Recording};
use crate::data_set::rewrite::meta_of;
use crate::data_set::writer::put;
use crate::data_set::{EXPLICIT_VR_LITTLE_ENDIAN, Tag, VR};
use multiplex::Multiplex;
use set::Set;

const TWELVE_LEAD_ECG: &str = "1.2.840.10008.5.1.4.1.1.9.1.1";
const GENERAL_ECG: &str = "1.2.840.10008.5.1.4.1.1.9.1.2";
const GENERAL_32_BIT_ECG: &str = "1.2.840.10008.5.1.4.1.1.9.1.4";

/// Told apart from every other use of the same hash. Another conversion keeps it: the instance is that of the file.
const UID_NAMESPACE: &str = "tsunagu mfer 1";

/// Private creator of what a received file is kept in.
const CREATOR: &str = "TSUNAGU RECEIVED";
const GROUP: u16 = 0x7FE1;

/// A Part 10 file that holds a received one.
#[derive(Clone, Debug)]
pub struct Part10File {
    /// The whole file: Explicit VR Little Endian, UTF-8.
    pub bytes: Vec<u8>,
    /// Where the received file lies in it.
    pub embedded: Embedded,
}

/// Where a received file lies in the Part 10 file that was made of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Embedded {
    /// Its first byte.
    pub offset: u64,
    /// Its bytes.
    pub length: u64,
}

/// Makes the Part 10 file of a recording: `received` are the bytes it was read from, `digest` their SHA-256, which its UIDs
/// follow from. The same file gives the same bytes.
///
/// # Errors
/// [`Error::NotDicom`] where no ECG object may hold it.
pub fn part10(recording: Recording, received: &[u8], digest: &[u8; 32]) -> Result<Part10File, Error> {
    let mut recording = recording;
    let root = recording.root;
    let groups = multiplex::groups(std::mem::take(&mut recording.groups), root)?;
    let class = sop_class(&groups)?;
    let mut set = identity::set(&recording, class, digest);
    let annotations = annotations::items(&recording, &groups);
    if !annotations.is_empty() {
        set.items(Tag(0x0040, 0xB020), annotations);
    }
    let sixteen = class != GENERAL_32_BIT_ECG;
    let items = groups.into_iter().map(|group| group.item(sixteen, root)).collect::<Result<Vec<Set>, Error>>()?;
    set.items(Tag(0x5400, 0x0100), items);
    let instance = identity::uid(digest, "instance");
    let mut bytes = meta_of(class.as_bytes(), instance.as_bytes(), EXPLICIT_VR_LITTLE_ENDIAN);
    set.write(&mut bytes);
    let embedded = embed(&mut bytes, received)?;
    Ok(Part10File { bytes, embedded })
}

/// The received file at the end, in a private block (PS3.5 §7.8): its length, its media type, its bytes.
fn embed(bytes: &mut Vec<u8>, received: &[u8]) -> Result<Embedded, Error> {
    let length = u32::try_from(received.len()).map_err(|_| Error::NotDicom { offset: 0, what: "it is too long" })?;
    put(bytes, Tag(GROUP, 0x0010), VR::LO, CREATOR.as_bytes());
    put(bytes, Tag(GROUP, 0x1001), VR::UL, &length.to_le_bytes());
    put(bytes, Tag(GROUP, 0x1002), VR::LO, MFER_MEDIA_TYPE.as_bytes());
    put(bytes, Tag(GROUP, 0x1003), VR::OB, received);
    let end = bytes.len() as u64 - u64::from(length % 2);
    Ok(Embedded { offset: end - u64::from(length), length: u64::from(length) })
}

/// The object that may hold these groups.
fn sop_class(groups: &[Multiplex]) -> Result<&'static str, Error> {
    let leads = || groups.iter().flat_map(|group| &group.channels).map(|lane| lane.channel.lead);
    let not = |what| Err(Error::NotDicom { offset: groups.first().map_or(0, |group| group.offset), what });
    if groups.is_empty() {
        return not("it has no samples");
    }
    if !leads().any(codes::is_ecg_lead) && !groups.iter().any(|group| codes::is_of_the_heart(group.waveform)) {
        return not("it is no ECG and no heart sound, but another kind of waveform");
    }
    // PS3.3 A.34.4.4.2 and A.34.4.4.3: one to four items of one to 24 channels. The 32-bit object has the same bounds.
    if groups.iter().any(|group| group.channels.len() > 24) {
        return not("it has more than 24 channels of one rate");
    }
    let rates = groups.iter().all(|group| (200.0..=1000.0).contains(&group.rate));
    let plain = rates && groups.iter().all(Multiplex::fits_sixteen_bits);
    let channels: usize = groups.iter().map(|group| group.channels.len()).sum();
    // A.34.3.4.2 to A.34.3.4.5: up to five items, 13 channels in all, 16384 samples each.
    let short = groups.iter().all(|group| group.length <= 16_384);
    let standard = (1..=8).all(|lead| leads().any(|one| one == lead)) && leads().all(codes::is_ecg_lead);
    if plain && short && standard && groups.len() <= 5 && channels <= 13 {
        return Ok(TWELVE_LEAD_ECG);
    }
    if groups.len() > 4 {
        return not("it has more than four groups of channels of one rate");
    }
    Ok(if plain { GENERAL_ECG } else { GENERAL_32_BIT_ECG })
}

#[cfg(test)]
mod tests;
