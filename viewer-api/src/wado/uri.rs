//! WADO-URI (PS3.18 §9): one instance, named in the query, as a file or as a picture.
//!
//! The Base URI of the service is `/wado`, as clients of the field expect it; the standard leaves the path open (§9.1.1).

use archive::Held;
use axum::extract::State;
use axum::http::{HeaderName, HeaderValue};
use axum::response::Response;

use super::accept::{self, MediaRange};
use super::retrieve::single_instance;
use super::{Address, Caller, instance_at, is_uid};
use crate::access::Permission;
use crate::error::{Error, Result};
use crate::rendered::{self, Asked, Cut, Kind, QUALITY_DEFAULT};
use crate::state::ViewerState;

/// The media type of a Part 10 file.
const DICOM: &str = "application/dicom";

/// `GET /wado?requestType=WADO&studyUID=…&seriesUID=…&objectUID=…`.
pub(crate) async fn wado_uri(State(state): State<ViewerState>, caller: Caller) -> Result<Response> {
    let address = address(&caller)?;
    let ranges = ranges(&caller)?;
    // No anonymizer is here, and what is not anonymized may not go out as if it were (§9.4.1.2.1).
    if caller.parameter("anonymize").is_some() {
        return Err(Error::invalid("anonymize is not supported here", "leave it out, or anonymize what is retrieved"));
    }
    let transfer_syntax = caller.parameter("transferSyntax");
    let held = instance_at(&state, &address).await?;
    if ranges.iter().any(|range| range.is_exactly(DICOM)) {
        download_allowed(&state, &caller, &address).await?;
        return file(&state, &caller, &held, transfer_syntax.as_deref()).await;
    }
    if transfer_syntax.is_some() {
        let next_step = "write contentType=application/dicom with it, or leave it out";
        return Err(Error::invalid("transferSyntax goes with application/dicom only", next_step));
    }
    let mut caller = caller;
    caller.accept = ranges;
    if held.record.description.instance.number_of_frames == 0 {
        return rendered::document(&state, &caller, &address, &held).await;
    }
    let (kind, _) = rendered::kind(&caller, &address, false)?;
    let number = frame_number(&caller, &held)?;
    let response = rendered::picture(&state, &caller, held, number, asked(&caller, kind)?).await?;
    Ok(warned(response, &caller))
}

async fn file(state: &ViewerState, caller: &Caller, held: &Held, transfer_syntax: Option<&str>) -> Result<Response> {
    if transfer_syntax.is_some_and(|uid| !is_uid(uid)) {
        return Err(Error::invalid("the transferSyntax is no UID", "write one Transfer Syntax UID, or leave it out"));
    }
    single_instance(state, caller, held, transfer_syntax).await
}

/// Pictures are for whoever may look, files for whoever may download.
async fn download_allowed(state: &ViewerState, caller: &Caller, address: &Address) -> Result<()> {
    if caller.principal.permissions.has(Permission::Download) {
        return Ok(());
    }
    let needs = Permission::Download;
    state.audit().denied(Some(&caller.principal), "WadoUri", Some(&address.study), Some(needs)).await?;
    Err(Error::Forbidden { subject: caller.principal.name.clone(), needs })
}

/// The mandatory parameters (§9.1.2.1).
fn address(caller: &Caller) -> Result<Address> {
    if caller.parameter("requestType").as_deref() != Some("WADO") {
        return Err(Error::invalid("requestType is not WADO", "write requestType=WADO"));
    }
    let uid = |name: &str| match caller.parameter(name) {
        Some(uid) if is_uid(&uid) => Ok(uid),
        Some(_) => Err(Error::invalid(format!("{name} is no UID"), "UIDs are 1 to 64 digits and dots")),
        None => Err(Error::invalid(format!("{name} is missing"), "write studyUID, seriesUID and objectUID")),
    };
    Ok(Address {
        study: uid("studyUID")?,
        series: uid("seriesUID")?,
        instance: uid("objectUID")?,
        ..Address::default()
    })
}

/// What is accepted: contentType goes before the Accept header, which has to allow it (§9.1.2.2.1, §8.3.3.1).
fn ranges(caller: &Caller) -> Result<Vec<MediaRange>> {
    let Some(asked) = caller.parameter("contentType") else {
        // A multipart is no answer here.
        return Ok(caller.accept.iter().filter(|range| !range.is_multipart()).cloned().collect());
    };
    let asked = accept::parse([asked.as_str()]);
    if accept::is_mixed(&asked) {
        let what = "contentType names DICOM and rendered media types side by side";
        return Err(Error::invalid(what, "name one kind or the other"));
    }
    let kept = accept::merged(asked.clone(), caller.accept.clone());
    Ok(kept.into_iter().filter(|range| asked.contains(range)).collect())
}

/// §9.5.2.1: one number, of a frame that is there, of an image of several frames.
fn frame_number(caller: &Caller, held: &Held) -> Result<u32> {
    let Some(text) = caller.parameter("frameNumber") else { return Ok(1) };
    let frames = held.record.description.instance.number_of_frames;
    let number = text.parse::<u32>().ok().filter(|number| (1..=frames).contains(number) && frames > 1);
    number
        .ok_or_else(|| Error::invalid("the frameNumber is none of a frame", "multi-frame images have frames from 1 on"))
}

/// The parameters of a picture (§9.5.1.2).
fn asked(caller: &Caller, kind: Kind) -> Result<Asked> {
    let edge = |name: &str| match caller.parameter(name).map(|text| text.parse::<u32>()) {
        None => Ok(0),
        Some(Ok(edge)) if (1..=65_535).contains(&edge) => Ok(edge),
        Some(_) => Err(Error::invalid(format!("{name} cannot be read"), "write a whole number of pixels from 1 on")),
    };
    let window = match (caller.parameter("windowCenter"), caller.parameter("windowWidth")) {
        (None, None) => None,
        (Some(center), Some(width)) if !center.contains(',') && !width.contains(',') => {
            rendered::window(&format!("{center},{width}"))
        }
        _ => None,
    };
    let names_window = ["windowCenter", "windowWidth"].iter().any(|name| caller.parameter(name).is_some());
    if window.is_none() && names_window {
        let next_step = "write both windowCenter and windowWidth, numbers, the width above 0";
        return Err(Error::invalid("the window cannot be read", next_step));
    }
    let quality = match caller.parameter("imageQuality").map(|text| text.parse::<u8>()) {
        None => QUALITY_DEFAULT,
        Some(Ok(quality)) if (1..=100).contains(&quality) => quality,
        Some(_) => return Err(Error::invalid("the imageQuality cannot be read", "write a number from 1 to 100")),
    };
    let region = match caller.parameter("region") {
        None => None,
        Some(text) => Some(region(&text).ok_or_else(|| {
            let next_step = "write region=XMIN,YMIN,XMAX,YMAX, parts of the edges from 0.0 to 1.0";
            Error::invalid("the region cannot be read", next_step)
        })?),
    };
    Ok(Asked { window, viewport: (edge("columns")?, edge("rows")?), enlarged: true, region, quality, kind })
}

/// `xmin,ymin,xmax,ymax` (§9.5.1.2.5).
fn region(text: &str) -> Option<Cut> {
    let numbers: Option<Vec<f64>> = text.split(',').map(|number| number.trim().parse().ok()).collect();
    let parts: [f64; 4] = numbers?.try_into().ok()?;
    let [left, top, right, bottom] = parts;
    let good = parts.iter().all(|part| (0.0..=1.0).contains(part)) && left < right && top < bottom;
    good.then_some(Cut::Parts(parts))
}

/// Names what was asked for and not done.
fn warned(mut response: Response, caller: &Caller) -> Response {
    let names = ["annotation", "imageAnnotation", "presentationUID", "presentationSeriesUID"];
    let ignored: Vec<&str> = names.into_iter().filter(|name| caller.parameter(name).is_some()).collect();
    if !ignored.is_empty()
        && let Ok(warning) = HeaderValue::from_str(&format!("299 tsunagu \"not supported: {}\"", ignored.join(", ")))
    {
        response.headers_mut().insert(HeaderName::from_static("warning"), warning);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn regions_are_parts_of_the_edges() {
        assert_eq!(region("0.0, 0.25,1,0.75"), Some(Cut::Parts([0.0, 0.25, 1.0, 0.75])));
        for bad in ["", "0,0,1", "0,0,1,1,1", "0,0,1.1,1", "0.5,0,0.5,1", "-0.1,0,1,1", "NaN,0,1,1", "a,b,c,d"] {
            assert_eq!(region(bad), None, "{bad}");
        }
    }
}
