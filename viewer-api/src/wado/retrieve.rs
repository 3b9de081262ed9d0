//! Retrieve a study, a series or an instance as Part 10 files (PS3.18 §10.4.1), streamed in ranges.
//!
//! Which transfer syntax goes out (PS3.18 §8.7.3, §8.7.8.2):
//! - asked for by name: that one, if the file is held or was received in it, or can be written in it
//!   ([`transcode::outgoing`]);
//! - `transfer-syntax=*`: as held;
//! - not asked for: Explicit VR Little Endian, the default of Table 8.7.3-2 to 8.7.3-5, "unless the origin server has only
//!   access to the pixel data in lossy compressed form or … of such length that it cannot be encoded in the Explicit VR
//!   Little Endian Transfer Syntax" (§8.7.3): these go out as held, and so does what nobody here can decode;
//! - Implicit VR Little Endian and Explicit VR Big Endian "shall not be used with Web Services" (§8.7.3): what is held so
//!   goes out in Explicit VR Little Endian.

use std::collections::BTreeSet;

use archive::{Held, HeldForm};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::stream::{self, StreamExt};
use sha2::{Digest, Sha256};
use transcode::data_set::EXPLICIT_VR_LITTLE_ENDIAN as EXPLICIT_LITTLE;
use transcode::outgoing::{self, can_become};

use super::accept::MediaRange;
use super::transcoded::{self, What};
use super::{Address, Caller, bulkdata, entity_tag, instances_at, not_modified, original, single, tagged};
use crate::audit::{Access, Counts, Rendition};
use crate::error::{Error, Result};
use crate::metadata;
use crate::multipart::{self, ByteStream, Part};
use crate::state::ViewerState;

/// Bytes read at once, and so held in memory for each download.
const RANGE_BYTES: u64 = 1 << 20;
/// The media type of a Part 10 file.
const DICOM: &str = "application/dicom";
/// Bytes of native Pixel Data that its length can say (PS3.5 §7.1.2).
const NATIVE_BYTES_MAX: u64 = u32::MAX as u64 - 1;

/// In which form an instance goes out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// The file as it is held.
    AsHeld,
    /// The received file, rebuilt: its transfer syntax is the one asked for.
    Rebuilt,
    /// The held file, in this transfer syntax.
    Written(String),
}

/// `GET /studies/S`, `…/series/E`, `…/instances/I`.
pub(crate) async fn retrieve(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let found = instances_at(&state, &address).await?;
    // PS3.18 §10.4.4: kept for old clients, the same as asking for the bulk data.
    if caller.accept.first().is_some_and(|range| range.is_multipart() && range.is_exactly(bulkdata::OCTETS)) {
        return bulkdata::all(&state, &address, &caller, found).await;
    }
    let (packaging, forms) = choose(&caller.accept, &found, &address)?;
    let access = state.audit().access(&caller.principal, &address.study, Rendition::Download, caller.purpose).await?;
    if packaging == Packaging::Single
        && let (Some(held), Some(form)) = (found.first(), forms.first())
    {
        return one(&state, &caller, held, form.clone(), access).await;
    }
    let tag = format!("W/{}", tag_of_all(found.iter().zip(&forms)));
    if caller.has(&tag) {
        access.serve(Counts { instances: found.len() as u64, ..Counts::default() }).await?;
        return Ok(not_modified(&tag));
    }
    if caller.head {
        return Ok(tagged(multipart::related(DICOM, stream::empty()), &tag));
    }
    // What cannot be written as asked is an answer where it is the first, not a body that breaks off.
    let first = match (found.first(), forms.first()) {
        (Some(held), Some(Form::Written(uid))) => {
            let what = What::File(uid.clone());
            Some(transcoded::begin(&state, held.clone(), what, access.clone()).await?.stream())
        }
        _ => None,
    };
    let (base, mut first) = (caller.base.clone(), first);
    let parts = stream::iter(found.into_iter().zip(forms)).map(move |(held, form)| {
        let place = metadata::place(&base, &held);
        let ready = first.take();
        let mut part = part(&state, held, form, access.clone(), place);
        part.body = ready.unwrap_or(part.body);
        Ok(part)
    });
    Ok(tagged(multipart::related(DICOM, parts), &tag))
}

/// One instance without a multipart around it.
async fn one(state: &ViewerState, caller: &Caller, held: &Held, form: Form, access: Access) -> Result<Response> {
    let tag = entity_tag(held, &form_word(held, &form));
    if caller.has(&tag) {
        access.serve(Counts { instances: 1, ..Counts::default() }).await?;
        return Ok(not_modified(&tag));
    }
    let begun = match &form {
        Form::Written(uid) if !caller.head => {
            Some(transcoded::begin(state, held.clone(), What::File(uid.clone()), access.clone()).await?.stream())
        }
        _ => None,
    };
    let part = part(state, held.clone(), form, access, String::new());
    let bytes = begun.unwrap_or(part.body);
    let body = if caller.head { Body::empty() } else { Body::from_stream(multipart::log_failure(bytes)) };
    let mut response = tagged(single(&part.content_type, part.content_length, body), &tag);
    let name = format!("attachment; filename=\"{}.dcm\"", held.record.description.instance.sop_instance_uid);
    let headers = response.headers_mut();
    if let Ok(name) = HeaderValue::from_str(&name) {
        headers.insert(header::CONTENT_DISPOSITION, name);
    }
    if let Ok(place) = HeaderValue::from_str(&metadata::place(&caller.base, held)) {
        headers.insert(header::CONTENT_LOCATION, place);
    }
    Ok(response)
}

/// An instance in the form that a transfer syntax asks for, without a multipart around it; `None` asks for the default.
pub(super) async fn single_instance(
    state: &ViewerState,
    caller: &Caller,
    held: &Held,
    transfer_syntax: Option<&str>,
) -> Result<Response> {
    let what = || format!("instance {}", held.record.description.instance.sop_instance_uid);
    let form = form_for(held, &Wanted::of(transfer_syntax), true);
    let form =
        form.ok_or_else(|| Error::NotAcceptable { what: what(), offered: offered(std::slice::from_ref(held)) })?;
    let study = &held.record.description.study.study_instance_uid;
    let access = state.audit().access(&caller.principal, study, Rendition::Download, caller.purpose).await?;
    one(state, caller, held, form, access).await
}

/// What tells one form of an instance from another. A pack made anew has the same instance in other bytes.
fn form_word(held: &Held, form: &Form) -> String {
    match form {
        Form::AsHeld => format!("{}-{}", held_word(held.form), held.pack().unwrap_or_default()),
        Form::Rebuilt => "received".into(),
        Form::Written(uid) => format!("{uid}-{}", held.pack().unwrap_or_default()),
    }
}

fn tag_of_all<'a>(all: impl Iterator<Item = (&'a Held, &'a Form)>) -> String {
    let mut digest = Sha256::new();
    for (held, form) in all {
        digest.update(held.record.digests.file);
        digest.update(form_word(held, form).as_bytes());
    }
    let digest = archive::hex(&digest.finalize());
    format!("\"{}\"", digest.get(..32).unwrap_or(&digest))
}

fn held_word(form: HeldForm) -> &'static str {
    match form {
        HeldForm::Packed => "packed",
        _ => "received",
    }
}

fn part(state: &ViewerState, held: Held, form: Form, access: Access, place: String) -> Part {
    let received = &held.record.description.instance.transfer_syntax_uid;
    let (syntax, length) = match &form {
        Form::AsHeld => (held.transfer_syntax_uid.clone(), Some(held.part10_bytes)),
        Form::Rebuilt => (received.clone(), Some(held.record.received_bytes)),
        Form::Written(uid) => (uid.clone(), None),
    };
    let body = match form {
        Form::AsHeld => as_held(state, held, access),
        Form::Rebuilt => original::rebuilt_stream(state, held, access),
        Form::Written(uid) => transcoded::lazy(state, held, What::File(uid), access),
    };
    Part {
        content_type: format!("{DICOM}; transfer-syntax={syntax}"),
        content_location: (!place.is_empty()).then_some(place),
        content_length: length,
        body,
    }
}

/// The file as it is held, range by range. The access is counted before the first byte.
pub(super) fn as_held(state: &ViewerState, held: Held, access: Access) -> ByteStream {
    let reader = state.reader().clone();
    // A compressed file cannot be read from the middle: all of it at once, rather than its beginning again and again.
    let step = if held.form == HeldForm::ReceivedZstd { u64::MAX } else { RANGE_BYTES };
    let next = move |at: u64| {
        let (reader, held, access) = (reader.clone(), held.clone(), access.clone());
        async move {
            if at == 0 {
                access.serve(Counts { instances: 1, frames: 0, bytes: held.part10_bytes }).await?;
            }
            if at >= held.part10_bytes {
                return Ok(None);
            }
            let bytes = reader.read(&held, Some(at..at.saturating_add(step).min(held.part10_bytes))).await?;
            if bytes.is_empty() {
                let what = format!("instance {}", held.record.description.instance.sop_instance_uid);
                let detail = format!("it ends at byte {at} of {}", held.part10_bytes);
                return Err(archive::Error::Damaged { what, detail }.into());
            }
            let end = at + bytes.len() as u64;
            Ok(Some((bytes, end)))
        }
    };
    stream::try_unfold(0, next).boxed()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Packaging {
    Multipart,
    Single,
}

/// A transfer syntax as it is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Wanted {
    /// Not: the default.
    Default,
    /// Any will do: as held.
    Any,
    /// This one.
    Named(String),
}

impl Wanted {
    fn of(transfer_syntax: Option<&str>) -> Wanted {
        match transfer_syntax {
            None => Wanted::Default,
            Some("*") => Wanted::Any,
            Some(uid) => Wanted::Named(uid.to_owned()),
        }
    }
}

/// What the client asks for, held against what there is: the best packaging in which every instance can be given.
///
/// A single part is for one instance only (PS3.18 §10.4.4); `*/*` means the default, a multipart (§8.7.7).
fn choose(accept: &[MediaRange], found: &[Held], address: &Address) -> Result<(Packaging, Vec<Form>)> {
    let one = !address.instance.is_empty();
    // A link in a page asks for `text/html` first and takes anything: a file, not a multipart.
    let link = one && accept.iter().any(|range| range.covers("text/html") && !range.is_any());
    let packaging_of = |range: &MediaRange| {
        let parts = range.is_multipart() || (range.is_any() && !link);
        if parts { Packaging::Multipart } else { Packaging::Single }
    };
    let ranges: Vec<(Packaging, Wanted)> = accept
        .iter()
        .filter(|range| range.covers(DICOM))
        .map(|range| (packaging_of(range), Wanted::of(range.parameter("transfer-syntax"))))
        .filter(|(packaging, _)| one || *packaging == Packaging::Multipart)
        .collect();
    for (packaging, _) in &ranges {
        // Ranges of one packaging stand for one another: a study may hold several transfer syntaxes.
        let wanted = || ranges.iter().filter(|(of, _)| of == packaging).map(|(_, syntax)| syntax);
        let forms: Option<Vec<Form>> =
            found.iter().map(|held| wanted().find_map(|syntax| form_for(held, syntax, one))).collect();
        if let Some(forms) = forms {
            return Ok((*packaging, forms));
        }
    }
    Err(Error::NotAcceptable { what: address.sentence(), offered: offered(found) })
}

/// The form of an instance, if it can be had. `alone` is false where it stands among others: an object without pixels goes
/// among codestreams as it is, since their transfer syntax says nothing of it (PS3.5 §A.4).
fn form_for(held: &Held, wanted: &Wanted, alone: bool) -> Option<Form> {
    let said = &held.record.description.instance;
    let as_held = held.transfer_syntax_uid.as_str();
    match wanted {
        Wanted::Any if is_for_the_web(as_held) => Some(Form::AsHeld),
        Wanted::Any => exactly(held, EXPLICIT_LITTLE).or(Some(Form::AsHeld)),
        Wanted::Default if is_lossy(as_held) || !has_native_length(held) => Some(Form::AsHeld),
        Wanted::Default => exactly(held, EXPLICIT_LITTLE).or(Some(Form::AsHeld)),
        Wanted::Named(uid) if !is_for_the_web(uid) => None,
        Wanted::Named(uid) if is_encapsulated(uid) && said.number_of_frames == 0 && as_held != uid => {
            if alone {
                None
            } else {
                exactly(held, EXPLICIT_LITTLE)
            }
        }
        Wanted::Named(uid) => exactly(held, uid),
    }
}

fn exactly(held: &Held, uid: &str) -> Option<Form> {
    let received = &held.record.description.instance.transfer_syntax_uid;
    match uid {
        _ if uid == held.transfer_syntax_uid => Some(Form::AsHeld),
        _ if uid == received && held.form == HeldForm::Packed => Some(Form::Rebuilt),
        _ if can_become(&held.transfer_syntax_uid, uid) => Some(Form::Written(uid.to_owned())),
        _ => None,
    }
}

/// PS3.18 §8.7.3.
fn is_for_the_web(transfer_syntax_uid: &str) -> bool {
    !matches!(transfer_syntax_uid, "1.2.840.10008.1.2" | "1.2.840.10008.1.2.2")
}

fn is_encapsulated(transfer_syntax_uid: &str) -> bool {
    !matches!(transfer_syntax_uid, EXPLICIT_LITTLE | "1.2.840.10008.1.2.1.99") && is_for_the_web(transfer_syntax_uid)
}

/// Transfer syntaxes of pixels that may have lost something: their decoded form is not what the modality made.
fn is_lossy(transfer_syntax_uid: &str) -> bool {
    let short = transfer_syntax_uid.strip_prefix("1.2.840.10008.1.2.4.").unwrap_or_default();
    !matches!(short, "" | "57" | "70" | "80" | "90" | "92" | "201" | "202" | "110")
}

/// Whether native Pixel Data of these frames has a length that can be written.
fn has_native_length(held: &Held) -> bool {
    let said = &held.record.description.instance;
    let bits = [said.columns, said.samples_per_pixel, said.bits_allocated];
    let bits = bits.iter().fold(u64::from(said.rows), |bits, of| bits.saturating_mul(u64::from(*of)));
    bits.saturating_mul(u64::from(said.number_of_frames)).div_ceil(8) <= NATIVE_BYTES_MAX
}

/// What there is instead: as held, as received, and what can be written of it.
fn offered(found: &[Held]) -> Vec<String> {
    let mut syntaxes: BTreeSet<&str> = BTreeSet::new();
    for held in found {
        let received = held.record.description.instance.transfer_syntax_uid.as_str();
        let known = [held.transfer_syntax_uid.as_str(), received];
        let written = outgoing::TARGETS.into_iter().filter(|target| can_become(&held.transfer_syntax_uid, target));
        syntaxes.extend(known.into_iter().chain(written).filter(|uid| is_for_the_web(uid)));
    }
    let typed = |uid| format!("multipart/related; type=\"{DICOM}\"; transfer-syntax={uid}");
    syntaxes.into_iter().take(16).map(typed).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_lossy_and_what_the_web_does_not_see_is_known_by_its_name() {
        for short in ["4.50", "4.51", "4.81", "4.91", "4.203", "4.102", "4.112"] {
            assert!(is_lossy(&format!("1.2.840.10008.1.2.{short}")), "{short}");
        }
        for short in ["1", "2", "5", "4.57", "4.70", "4.80", "4.90", "4.201", "4.202"] {
            assert!(!is_lossy(&format!("1.2.840.10008.1.2.{short}")), "{short}");
        }
        assert!(!is_for_the_web("1.2.840.10008.1.2") && !is_for_the_web("1.2.840.10008.1.2.2"));
        assert!(is_encapsulated("1.2.840.10008.1.2.5") && !is_encapsulated(EXPLICIT_LITTLE));
    }
}
