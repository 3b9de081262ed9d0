//! Retrieve a study, a series or an instance as Part 10 files (PS3.18 §10.4.1), streamed in ranges.

use std::collections::BTreeSet;

use archive::{Held, HeldForm};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, header};
use axum::response::Response;
use futures::stream::{self, StreamExt};

use super::accept::MediaRange;
use super::{Address, Caller, entity_tag, instances_at, not_modified, original, single, tagged};
use crate::audit::{Access, Counts, Rendition};
use crate::error::{Error, Result};
use crate::metadata;
use crate::multipart::{self, ByteStream, Part};
use crate::state::ViewerState;

/// Bytes read at once, and so held in memory for each download.
const RANGE_BYTES: u64 = 1 << 20;
/// The media type of a Part 10 file.
const DICOM: &str = "application/dicom";

/// In which form an instance goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// The file as it is held.
    AsHeld,
    /// The received file, rebuilt: its transfer syntax is the one asked for.
    Rebuilt,
}

/// `GET /studies/S`, `…/series/E`, `…/instances/I`.
pub(crate) async fn retrieve(State(state): State<ViewerState>, address: Address, caller: Caller) -> Result<Response> {
    let found = instances_at(&state, &address).await?;
    let (packaging, forms) = choose(&caller.accept, &found, &address)?;
    let access = state.audit().access(&caller.principal, &address.study, Rendition::Download, caller.purpose).await?;
    if packaging == Packaging::Single
        && let (Some(held), Some(form)) = (found.first(), forms.first())
    {
        return one(&state, &caller, held, *form, access).await;
    }
    let base = caller.base.clone();
    let parts = stream::iter(found.into_iter().zip(forms)).map(move |(held, form)| {
        let place = metadata::place(&base, &held);
        Ok(part(&state, held, form, access.clone(), place))
    });
    Ok(multipart::related(DICOM, parts))
}

/// One instance without a multipart around it.
async fn one(state: &ViewerState, caller: &Caller, held: &Held, form: Form, access: Access) -> Result<Response> {
    // A pack made anew has the same instance in other bytes.
    let as_held = || format!("{}-{}", held_word(held.form), held.pack().unwrap_or_default());
    let tag = entity_tag(held, &if form == Form::AsHeld { as_held() } else { "received".into() });
    if caller.has(&tag) {
        access.serve(Counts { instances: 1, ..Counts::default() }).await?;
        return Ok(not_modified(&tag));
    }
    let part = part(state, held.clone(), form, access, String::new());
    let body = if caller.head { Body::empty() } else { Body::from_stream(multipart::log_failure(part.body)) };
    let mut response = tagged(single(&part.content_type, part.content_length, body), &tag);
    let name = format!("attachment; filename=\"{}.dcm\"", held.record.description.instance.sop_instance_uid);
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

fn held_word(form: HeldForm) -> &'static str {
    match form {
        HeldForm::Packed => "packed",
        _ => "received",
    }
}

fn part(state: &ViewerState, held: Held, form: Form, access: Access, place: String) -> Part {
    let (syntax, length) = match form {
        Form::AsHeld => (held.transfer_syntax_uid.clone(), held.part10_bytes),
        Form::Rebuilt => (held.record.description.instance.transfer_syntax_uid.clone(), held.record.received_bytes),
    };
    let body = match form {
        Form::AsHeld => as_held(state, held, access),
        Form::Rebuilt => original::rebuilt_stream(state, held, access),
    };
    Part {
        content_type: format!("{DICOM}; transfer-syntax={syntax}"),
        content_location: (!place.is_empty()).then_some(place),
        content_length: Some(length),
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

/// What the client asks for, held against what there is: the best packaging in which every instance can be given.
fn choose(accept: &[MediaRange], found: &[Held], address: &Address) -> Result<(Packaging, Vec<Form>)> {
    let one = !address.instance.is_empty();
    // A link in a page asks for `text/html` first and takes anything: a file, not a multipart.
    let link = one && accept.iter().any(|range| range.covers("text/html") && !range.is_any());
    let packaging_of = |range: &MediaRange| {
        let parts = range.is_multipart() || (range.is_any() && !link);
        if parts { Packaging::Multipart } else { Packaging::Single }
    };
    let ranges: Vec<(Packaging, Option<&str>)> = accept
        .iter()
        .filter(|range| range.covers(DICOM))
        .map(|range| (packaging_of(range), range.transfer_syntax()))
        .filter(|(packaging, _)| one || *packaging == Packaging::Multipart)
        .collect();
    for (packaging, _) in &ranges {
        // Ranges of one packaging stand for one another: a study may hold several transfer syntaxes.
        let wanted = || ranges.iter().filter(|(of, _)| of == packaging).map(|(_, syntax)| *syntax);
        let forms: Option<Vec<Form>> =
            found.iter().map(|held| wanted().find_map(|syntax| form_for(held, syntax))).collect();
        if let Some(forms) = forms {
            return Ok((*packaging, forms));
        }
    }
    Err(Error::NotAcceptable { what: address.sentence(), offered: offered(found) })
}

fn form_for(held: &Held, transfer_syntax: Option<&str>) -> Option<Form> {
    let received = &held.record.description.instance.transfer_syntax_uid;
    match transfer_syntax {
        None => Some(Form::AsHeld),
        Some(uid) if uid == held.transfer_syntax_uid => Some(Form::AsHeld),
        Some(uid) if uid == received && held.form == HeldForm::Packed => Some(Form::Rebuilt),
        Some(_) => None,
    }
}

fn offered(found: &[Held]) -> Vec<String> {
    let syntaxes: BTreeSet<&str> = found
        .iter()
        .flat_map(|held| [held.transfer_syntax_uid.as_str(), &held.record.description.instance.transfer_syntax_uid])
        .collect();
    let typed = |uid| format!("multipart/related; type=\"{DICOM}\"; transfer-syntax={uid}");
    syntaxes.into_iter().take(8).map(typed).collect()
}
