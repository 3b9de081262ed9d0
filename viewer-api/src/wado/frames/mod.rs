//! Retrieve frames (PS3.18 §10.4.1.1.6): as they are held, without a decode and without a copy of our own; decoded to native
//! little-endian samples, or coded anew, where that is asked for. Any of it by range, and up to a resolution level.

mod body;
mod choice;
mod made;
mod source;

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;

use archive::{FrameSpan, Located};
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use transcode::data_set::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN as DEFLATED;

use self::body::{Pieces, Sender};
use self::choice::{Choice, Form};
pub(crate) use self::source::FrameSource;
use super::range::{self, Conditions, Wanted};
use super::{Address, Caller, instance_at, tagged};
use crate::audit::{Counts, Rendition};
use crate::error::{Error, Result};
use crate::multipart;
use crate::shown::Shown;
use crate::state::ViewerState;

/// Frames in one request at the most.
const FRAMES_MAX: usize = 10_000;
/// Bytes of codestreams that are made for one request at the most.
const MADE_BYTES_MAX: u64 = 64 << 20;
/// Native samples, or anything.
const OCTETS: &str = "application/octet-stream";
/// Tag of an item as it is encoded (PS3.5 §7.5): FFFE,E000.
const ITEM_TAG: [u8; 4] = [0xFE, 0xFF, 0x00, 0xE0];
/// Digits of the digest by which an address names one representation.
pub(crate) const REPRESENTATION_DIGITS: usize = 32;

/// Frame numbers from 1, separated by commas.
///
/// # Errors
/// [`Error::Invalid`] for anything else, and for more than 10,000.
pub(crate) fn frame_list(text: &str) -> Result<Vec<u32>> {
    let numbers: Option<Vec<u32>> =
        text.split(',').take(FRAMES_MAX + 1).map(|n| n.trim().parse().ok().filter(|n| *n > 0)).collect();
    let next_step = "name frames as 1,2,3; the first is 1, at most 10,000 a request";
    numbers
        .filter(|numbers| numbers.len() <= FRAMES_MAX)
        .ok_or_else(|| Error::invalid("the list of frames cannot be read", next_step))
}

/// What the query adds to the address.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Asked {
    /// Up to which resolution level, 0 the lowest.
    resolution: Option<usize>,
    /// Of which representation: the first digits of its SHA-256.
    representation: Option<String>,
}

impl Asked {
    fn read(caller: &Caller) -> Result<Asked> {
        if caller.query.is_empty() {
            return Ok(Asked::default());
        }
        let resolution = match caller.parameter("resolution") {
            None => None,
            Some(text) => Some(text.parse::<u8>().map(usize::from).map_err(|_| {
                let next_step =
                    "name a resolution level from 0, the lowest; the study's manifest says how many there are";
                Error::invalid("the parameter resolution is no resolution level", next_step)
            })?),
        };
        let representation = caller.parameter("rep");
        let is_digest = |text: &String| {
            text.len() == REPRESENTATION_DIGITS && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'))
        };
        if representation.as_ref().is_some_and(|text| !is_digest(text)) {
            let next_step = "use the address as the study's manifest has it";
            return Err(Error::invalid("the parameter rep names no representation", next_step));
        }
        Ok(Asked { resolution, representation })
    }
}

/// Everything an answer is made of.
struct Plan {
    located: Arc<Located>,
    choice: Choice,
    numbers: Vec<u32>,
    asked: Asked,
    /// Of the instance, for the places of its frames; empty where these are not said.
    place: String,
    /// What is the same for every request of the same bytes, and for no others.
    identity: String,
}

/// `GET …/instances/I/frames/{list}`.
pub(crate) async fn frames(
    State(state): State<ViewerState>,
    address: Address,
    caller: Caller,
    conditions: Conditions,
) -> Result<Response> {
    let numbers = frame_list(&address.frames)?;
    let asked = Asked::read(&caller)?;
    let located = located(&state, &address, &asked, &numbers).await?;
    let plan = plan(&state, &address, &caller, asked, numbers, located).await?;
    let access = state.audit().access(&caller.principal, &address.study, Rendition::View, caller.purpose).await?;
    let tag = plan.tag();
    if conditions.has(&tag) {
        access.serve(Counts { frames: plan.numbers.len() as u64, ..Counts::default() }).await?;
        return Ok(plan.headed(StatusCode::NOT_MODIFIED.into_response(), &tag));
    }
    let shown = match plan.choice.form {
        Form::AsHeld if plan.located.transfer_syntax_uid != DEFLATED => None,
        _ => Some(state.shown().get(&state, instance_at(&state, &address).await?).await?),
    };
    let pieces = plan.pieces(&state, shown.as_deref()).await?;
    let length = pieces.length();
    let wanted = conditions.wanted(&tag, length);
    let pieces = match &wanted {
        Wanted::Beyond => return Ok(plan.headed(range::beyond(length), &tag)),
        Wanted::Part(range) => pieces.part(range),
        Wanted::Whole => pieces,
    };
    let sent = pieces.length();
    let body = if caller.head {
        Body::empty()
    } else {
        Sender { state, located: Arc::clone(&plan.located), shown, access, pieces }.body().await?
    };
    let mut response = plan.headed(body.into_response(), &tag);
    response.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from(sent));
    if let Ok(kind) = HeaderValue::try_from(plan.content_type()) {
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
    }
    if let Wanted::Part(range) = &wanted {
        range::partial(&mut response, range, length);
    }
    Ok(response)
}

/// The instance at an address, in the representation that is asked for, with all the frames that are.
async fn located(state: &ViewerState, address: &Address, asked: &Asked, numbers: &[u32]) -> Result<Arc<Located>> {
    let found = state.reader().locate(&address.study, &address.series, &address.instance).await?;
    let mut found = found.ok_or_else(|| Error::NotFound(address.sentence()))?;
    if let Some(digest) = &asked.representation {
        let of = state.reader().locate_representation(&found, digest).await?;
        found = of.ok_or_else(|| Error::Gone(address.sentence()))?;
    }
    let count = found.frames.frames.len();
    if count == 0 {
        return Err(Error::NotFound(format!("a frame of {}, which has no pixels in frames,", address.sentence())));
    }
    match numbers.iter().find(|number| **number as usize > count) {
        Some(beyond) => Err(Error::NotFound(format!("frame {beyond} of {}, which has {count},", address.sentence()))),
        None => Ok(found),
    }
}

/// Decides on the form. What would have to be coded anew is taken from a viewing copy, where there is one.
async fn plan(
    state: &ViewerState,
    address: &Address,
    caller: &Caller,
    asked: Asked,
    numbers: Vec<u32>,
    located: Arc<Located>,
) -> Result<Plan> {
    let held = located.transfer_syntax_uid.as_str();
    let one = asked.representation.is_some();
    let chosen = choice::choose(&caller.accept, held, numbers.len(), !one);
    let mut choice = chosen.filter(|choice| !one || choice.form == Form::AsHeld).ok_or_else(|| {
        let what = format!("frames of {}", address.sentence());
        Error::NotAcceptable { what, offered: choice::offered(&located) }
    })?;
    let mut located = located;
    if choice.form == Form::HighThroughput
        && transcode::viewing_copy::is_wanted(&located.transfer_syntax_uid)
        && let Some(copy) = state.reader().locate_viewing_copy(&located).await?
        && numbers.iter().all(|number| *number as usize <= copy.frames.frames.len())
    {
        choice.form = Form::AsHeld;
        located = copy;
    }
    let place = if choice.in_parts {
        let Address { study, series, instance, .. } = address;
        format!("{}/dicom-web/studies/{study}/series/{series}/instances/{instance}", caller.base)
    } else {
        String::new()
    };
    let identity = identity(&located, &choice, &numbers, &asked, &place);
    Ok(Plan { located, choice, numbers, asked, place, identity })
}

/// The digest of the file that an answer is made of, and what is made of it.
fn identity(located: &Located, choice: &Choice, numbers: &[u32], asked: &Asked, place: &str) -> String {
    let mut hash = DefaultHasher::new();
    (choice.form, &choice.transfer_syntax_uid, choice.in_parts).hash(&mut hash);
    (numbers, asked.resolution, &asked.representation, place).hash(&mut hash);
    if choice.form != Form::AsHeld {
        // Another version may code otherwise.
        env!("CARGO_PKG_VERSION").hash(&mut hash);
    }
    let mut out = archive::hex(&located.representation[..REPRESENTATION_DIGITS / 2]);
    out.push('-');
    out.push_str(&archive::hex(&hash.finish().to_be_bytes()));
    out
}

impl Plan {
    fn tag(&self) -> String {
        format!("\"{}\"", self.identity)
    }

    /// The same for every request of these frames, so that ranges of one body can come by several of them.
    fn boundary(&self) -> String {
        format!("tsunagu-{}", self.identity)
    }

    fn content_type(&self) -> String {
        match self.choice.in_parts {
            true => multipart::content_type(self.choice.media_type(), &self.boundary()),
            false => self.choice.content_type(),
        }
    }

    /// An answer with the headers that all of them have.
    fn headed(&self, response: Response, tag: &str) -> Response {
        let mut response = tagged(response, tag);
        let headers = response.headers_mut();
        headers.insert(header::ACCEPT_RANGES, HeaderValue::from_static("bytes"));
        if self.asked.representation.is_some() {
            // The address names these bytes and no others: a browser need not ask again.
            headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, max-age=31536000, immutable"));
        }
        response
    }

    /// The body, laid out.
    async fn pieces(&self, state: &ViewerState, shown: Option<&Shown>) -> Result<Pieces> {
        if let ([number], false) = (self.numbers.as_slice(), self.choice.in_parts) {
            return self.frame(state, shown, *number, MADE_BYTES_MAX).await;
        }
        let (boundary, content_type) = (self.boundary(), self.choice.content_type());
        let (mut pieces, mut made_bytes) = (Pieces::default(), 0);
        for (index, number) in self.numbers.iter().enumerate() {
            let frame = self.frame(state, shown, *number, MADE_BYTES_MAX - made_bytes).await?;
            if matches!(self.choice.form, Form::JpegTwoThousand | Form::HighThroughput) {
                made_bytes += frame.length();
            }
            let place = format!("{}/frames/{number}", self.place);
            pieces.framing(multipart::front_of(&boundary, &content_type, frame.length(), &place, index == 0));
            pieces.append(frame);
        }
        pieces.framing(multipart::end_of(&boundary));
        Ok(pieces)
    }

    /// One frame, up to the resolution level that is asked for.
    async fn frame(&self, state: &ViewerState, shown: Option<&Shown>, number: u32, room: u64) -> Result<Pieces> {
        let none = || Error::NotFound(format!("frame {number}"));
        let span = (number as usize).checked_sub(1).and_then(|index| self.located.frames.frames.get(index));
        let span = span.ok_or_else(none)?;
        let mut pieces = Pieces::default();
        match (self.choice.form, shown) {
            (Form::AsHeld, None) => {
                let pieces = self.held(state, span).await?;
                return self.up_to_level(pieces, &span.resolution_ends);
            }
            (Form::AsHeld, Some(shown)) => pieces.ready(shown.source.bytes(state, number, 0).await?),
            (Form::Native, _) => pieces.native(number, made::native_bytes(&self.located)),
            (form, Some(shown)) => {
                let codestream = made::made(state, shown, number, form).await?;
                let bytes = codestream.len() as u64;
                if bytes > room {
                    let what = "what was to be coded for this request".to_owned();
                    return Err(Error::TooLarge { what, bytes, limit: MADE_BYTES_MAX });
                }
                let ends = transcode::codec::resolution_ends(&codestream);
                pieces.ready(codestream);
                return self.up_to_level(pieces, &ends);
            }
            (_, None) => return Err(none()),
        }
        self.up_to_level(pieces, &[])
    }

    /// A frame as it lies in the file, its fragments one after another without their item headers (PS3.5 §A.4).
    async fn held(&self, state: &ViewerState, span: &FrameSpan) -> Result<Pieces> {
        let (mut pieces, end) = (Pieces::default(), span.offset.saturating_add(span.length));
        if end > self.located.bytes.len() {
            // Before the status is said, not in the middle of a body.
            let uid = &self.located.record.description.instance.sop_instance_uid;
            let detail = format!("a frame is to end at byte {end} of {}", self.located.bytes.len());
            return Err(archive::Error::Damaged { what: format!("instance {uid}"), detail }.into());
        }
        if span.fragments <= 1 {
            pieces.held(span.offset..end, true);
            return Ok(pieces);
        }
        let file = &self.located.bytes;
        if !file.is_read_in_place() {
            pieces.ready(source::joined(&state.reader().read_bytes(file, span.offset..end).await?));
            return Ok(pieces);
        }
        let mut at = span.offset;
        while at + 8 <= end {
            let header = state.reader().read_bytes(file, at..at + 8).await?;
            let Some((tag, length)) = header.split_first_chunk::<4>() else { break };
            let length = length.try_into().map_or(0, u32::from_le_bytes);
            if *tag != ITEM_TAG {
                break;
            }
            let value = at + 8;
            at = value.saturating_add(length.into());
            pieces.held(value..at.min(end), value == span.offset + 8);
        }
        Ok(pieces)
    }

    fn up_to_level(&self, pieces: Pieces, ends: &[u64]) -> Result<Pieces> {
        let Some(level) = self.asked.resolution else { return Ok(pieces) };
        if ends.is_empty() {
            let next_step = "leave the parameter out, or ask for image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202";
            let what = "the parameter resolution: frames in this form have no resolution levels to be cut at";
            return Err(Error::invalid(what, next_step));
        }
        match ends.get(level) {
            // The last level ends where the frame does: with the end marker of the codestream.
            Some(_) if level + 1 == ends.len() => Ok(pieces),
            Some(end) => Ok(pieces.cut(*end)),
            None => {
                let what = format!("the parameter resolution: these frames have levels 0 to {}", ends.len() - 1);
                Err(Error::invalid(what, "name one of them; the last is the whole frame"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frame_lists_are_numbers_from_one() {
        assert_eq!(frame_list("1,3, 2").unwrap(), [1, 3, 2]);
        for bad in ["", "0", "1,,2", "-1", "x", "4294967296"] {
            assert!(frame_list(bad).is_err(), "{bad:?}");
        }
        assert!(frame_list(&vec!["1"; FRAMES_MAX + 1].join(",")).is_err());
    }
}
