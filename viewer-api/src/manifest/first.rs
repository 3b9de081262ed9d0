//! What a study opens with, said ahead: the frame that hangs first (web/viewer/room/hanging.js decides), and where it hangs
//! by itself and plainly, a small picture of it. A page shows that before it has a decoder, or any of its modules.

use archive::Held;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde_json::{Value, json};

use super::study::uid_of;
use crate::audit::{Counts, Rendition};
use crate::error::Result;
use crate::rendered::{self, Asked, Kind};
use crate::shown::Shown;
use crate::state::ViewerState;
use crate::wado::Caller;

/// What says something of images, what else is not hung, slices that are alike, and views of one thing: web/viewer/image/modalities.js
/// and room/hanging.js say the same (a test of the page compares).
const ABOUT_IMAGES: [&str; 5] = ["PR", "KO", "SEG", "RWV", "REG"];
const NOT_HUNG: [&str; 13] =
    ["PR", "KO", "SEG", "RWV", "REG", "SR", "ECG", "DOC", "RTSTRUCT", "RTPLAN", "RTDOSE", "AU", "HD"];
const VOLUMES: [&str; 4] = ["CT", "MR", "PT", "NM"];
const PROJECTIONS: [&str; 3] = ["CR", "DX", "RG"];
/// Longer edge of the picture, in pixels, and its quality: about 10 kB, a hundredth of a second of a link of 10 Mbit/s.
const EDGE_MAX: u32 = 512;
const QUALITY: u8 = 75;
/// Columns times rows that are decoded for it at the most: the manifest waits for it.
const AREA_MAX: u64 = 1 << 20;

/// `{SOPInstanceUID, frame}`, and `picture`, a `data:` URI, where the frame hangs by itself, as it lies, through no table.
/// `None` where nothing hangs. `held` comes by series, then Instance Number.
pub(super) async fn first(
    state: &ViewerState,
    caller: &Caller,
    held: &[Held],
    viewport: (u32, u32),
) -> Result<Option<Value>> {
    let Some((one, is_alone)) = hung(held) else { return Ok(None) };
    let said = &one.record.description;
    let mut first = json!({ "SOPInstanceUID": said.instance.sop_instance_uid, "frame": 1 });
    let viewport = (viewport.0.min(EDGE_MAX), viewport.1.min(EDGE_MAX));
    // What cannot be read or drawn is said by the page, once it has asked for the frame itself.
    let Ok(shown) = state.shown().get(state, one.clone()).await else { return Ok(Some(first)) };
    let is_quick = rendered::decoded_area(&shown, 1, viewport) <= AREA_MAX;
    if is_alone && is_quick && !caller.head && hangs_as_it_lies(&shown) {
        let study = &said.study.study_instance_uid;
        let access = state.audit().access(&caller.principal, study, Rendition::View, caller.purpose).await?;
        let asked = Asked { window: None, viewport, enlarged: false, region: None, quality: QUALITY, kind: Kind::Jpeg };
        if let Ok((bytes, _)) = rendered::draw(state, one.clone(), 1, asked).await {
            access.serve(Counts { instances: 0, frames: 1, bytes: bytes.len() as u64 }).await?;
            first["picture"] = format!("data:image/jpeg;base64,{}", BASE64_STANDARD.encode(&bytes)).into();
        }
    }
    Ok(Some(first))
}

/// The instance whose first frame hangs first, and whether it hangs by itself; `None` where it is no picture that a study
/// opens with.
fn hung(held: &[Held]) -> Option<(&Held, bool)> {
    let mut all = held.chunk_by(|a, b| uid_of(a) == uid_of(b));
    let series = all.find(|series| series.first().is_some_and(|one| !ABOUT_IMAGES.contains(&modality(one))))?;
    let pictures: Vec<&Held> = series.iter().filter(|one| one.record.description.instance.rows > 0).collect();
    let modality = modality(series.first()?);
    let frames = |of: &[&str]| -> u64 {
        let alike = held.iter().filter(|one| of.contains(&self::modality(one)));
        alike.map(|one| u64::from(one.record.description.instance.number_of_frames)).sum()
    };
    let mammograms = frames(&["MG"]);
    // Mammograms hang together, whatever comes before them.
    if NOT_HUNG.contains(&modality) || (mammograms > 1 && modality != "MG") {
        return None;
    }
    let middle = if VOLUMES.contains(&modality) { pictures.len() / 2 } else { 0 };
    // Of a volume in one instance it is the middle frame, and where that lies the frames say themselves.
    let is_single = |one: &&Held| !VOLUMES.contains(&modality) || one.record.description.instance.number_of_frames == 1;
    let is_pair = PROJECTIONS.contains(&modality) && frames(&PROJECTIONS) == 2;
    pictures.get(middle).copied().filter(is_single).map(|one| (one, mammograms <= 1 && !is_pair))
}

fn modality(one: &Held) -> &str {
    &one.record.description.series.modality
}

/// Whether it is shown as it lies, pixel upon pixel: not turned as mammograms are, and through no table.
fn hangs_as_it_lies(shown: &Shown) -> bool {
    let held = &shown.source.held;
    let side = shown.document.laterality().unwrap_or(&held.record.description.series.laterality);
    shown.document.is_plain() && (modality(held) != "MG" || !shown.document.is_turned_breast(side))
}
