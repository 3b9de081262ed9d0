//! The part of a manifest that is the same for everybody: the study, its series and instances, their frames and renditions.

use std::collections::HashMap;

use archive::{FrameTable, Held, Rendition};
use bytes::Bytes;

use super::attributes::Attributes;
use super::columns::{Columns, quoted};
use crate::error::Result;
use crate::state::ViewerState;
use crate::wado::REPRESENTATION_DIGITS;

/// Frames of one instance that are listed at the most: an instance of more says how many it has and no more of them.
const FRAMES_LISTED_MAX: usize = 10_000;

/// One rendition and where its frames lie.
pub(super) struct Made {
    pub(super) rendition: Rendition,
    pub(super) frames: FrameTable,
}

/// The array of series. `held` comes by series, then Instance Number.
pub(super) async fn series(state: &ViewerState, study: &str, held: &[Held], made: &[Made]) -> Result<String> {
    let mut out = "[".to_owned();
    for (index, series) in held.chunk_by(|a, b| uid_of(a) == uid_of(b)).enumerate() {
        if index > 0 {
            out.push(',');
        }
        let documents = state.reader().dicom_json(series).await?;
        let mut tables = Vec::with_capacity(series.len());
        for one in series {
            let frames = state.reader().frames(one).await?;
            tables.push((archive::hex(&state.reader().representation(one)?), frames));
        }
        one_series(&mut out, study, series, &documents, &tables, made);
    }
    out.push(']');
    Ok(out)
}

pub(super) fn uid_of(held: &Held) -> &str {
    &held.record.description.series.series_instance_uid
}

fn one_series(
    out: &mut String,
    study: &str,
    series: &[Held],
    documents: &[Bytes],
    tables: &[(String, FrameTable)],
    made: &[Made],
) {
    let Some(first) = series.first() else { return };
    let said = &first.record.description.series;
    out.push('{');
    let texts = [
        ("SeriesInstanceUID", &said.series_instance_uid),
        ("Modality", &said.modality),
        ("SeriesDescription", &said.series_description),
        ("BodyPartExamined", &said.body_part_examined),
        ("Laterality", &said.laterality),
        ("Manufacturer", &said.manufacturer),
        ("ManufacturerModelName", &said.manufacturer_model_name),
    ];
    for (keyword, text) in texts.into_iter().filter(|(_, text)| !text.is_empty()) {
        out.push_str(&format!("\"{keyword}\":{},", quoted(text)));
    }
    if let Some(number) = said.series_number {
        out.push_str(&format!("\"SeriesNumber\":{number},"));
    }
    let place = format!("/dicom-web/studies/{study}/series/{}/instances/{{SOPInstanceUID}}", said.series_instance_uid);
    let frames = format!("{place}/frames/{{frame}}?rep={{representation}}");
    out.push_str(&format!("\"frames_url\":{},\"count\":{},\"instances\":{{", quoted(&frames), series.len()));
    instances(series, documents, tables).write(out);
    out.push_str("},\"renditions\":[");
    renditions(out, series, made);
    out.push_str("]}");
}

fn instances(series: &[Held], documents: &[Bytes], tables: &[(String, FrameTable)]) -> Columns {
    let mut columns = Columns::default();
    for ((held, document), (digest, frames)) in series.iter().zip(documents).zip(tables) {
        columns.next_row();
        let said = &held.record.description.instance;
        columns.say_text("SOPInstanceUID", &said.sop_instance_uid);
        columns.say_text("SOPClassUID", &said.sop_class_uid);
        if let Some(number) = said.instance_number {
            columns.say("InstanceNumber", number.to_string());
        }
        columns.say("NumberOfFrames", said.number_of_frames.to_string());
        if said.rows > 0 {
            let numbers = [
                ("Rows", said.rows),
                ("Columns", said.columns),
                ("SamplesPerPixel", said.samples_per_pixel),
                ("BitsAllocated", said.bits_allocated),
                ("BitsStored", said.bits_stored),
                ("PixelRepresentation", said.pixel_representation),
            ];
            numbers.into_iter().for_each(|(keyword, number)| columns.say(keyword, number.to_string()));
            columns.say_text("PhotometricInterpretation", &said.photometric_interpretation);
            columns.say_text("LossyImageCompression", if said.lossy_image_compression { "01" } else { "00" });
        }
        // What cannot be read says less, but the instance is there.
        if let Ok(attributes) = serde_json::from_slice::<Attributes<'_>>(document) {
            attributes.say(&mut columns);
        }
        columns.say("part10_bytes", held.part10_bytes.to_string());
        columns.say("received_bytes", held.record.received_bytes.to_string());
        representation(&mut columns, digest, &held.transfer_syntax_uid, frames);
    }
    columns
}

/// What frames are fetched by: digest, transfer syntax, bytes of each, and where its resolution levels end.
fn representation(columns: &mut Columns, digest: &str, transfer_syntax_uid: &str, table: &FrameTable) {
    if table.frames.is_empty() {
        return;
    }
    columns.say_text("representation", digest.get(..REPRESENTATION_DIGITS).unwrap_or(digest));
    columns.say_text("transfer_syntax", transfer_syntax_uid);
    let frames = table.frames.get(..FRAMES_LISTED_MAX.min(table.frames.len())).unwrap_or_default();
    if frames.len() < table.frames.len() {
        return;
    }
    // Of frames in several fragments the item headers between them are not sent (PS3.5 §A.4).
    let bytes = |frame: &archive::FrameSpan| match frame.fragments {
        0 | 1 => frame.length,
        several => frame.length.saturating_sub(8 * u64::from(several)),
    };
    columns.say("frame_bytes", list(frames.iter().map(|frame| bytes(frame).to_string())));
    if frames.iter().any(|frame| !frame.resolution_ends.is_empty()) {
        // The last level ends where the frame does.
        let levels = |frame: &archive::FrameSpan| {
            let (_, lower) = frame.resolution_ends.split_last().unwrap_or((&0, &[]));
            list(lower.iter().map(u64::to_string).chain([bytes(frame).to_string()]))
        };
        columns.say("resolution_ends", list(frames.iter().map(levels)));
    }
}

fn list(items: impl Iterator<Item = String>) -> String {
    let mut out = "[".to_owned();
    for (index, item) in items.enumerate() {
        if index > 0 {
            out.push(',');
        }
        out.push_str(&item);
    }
    out.push(']');
    out
}

/// The renditions of a series, those of one kind and profile together.
fn renditions(out: &mut String, series: &[Held], made: &[Made]) {
    let rows: HashMap<String, usize> =
        series.iter().enumerate().map(|(row, held)| (archive::hex(&held.record.digests.file), row)).collect();
    let mut kinds: Vec<(&str, &str, Columns)> = Vec::new();
    for one in made {
        let record = &one.rendition.record;
        let Some(row) = rows.get(&record.source_file) else { continue };
        let key = (record.kind.name(), record.profile.as_str());
        if !kinds.iter().any(|(kind, profile, _)| (*kind, *profile) == key) {
            kinds.push((key.0, key.1, Columns::default()));
        }
        let Some((_, _, columns)) = kinds.iter_mut().find(|(kind, profile, _)| (*kind, *profile) == key) else {
            continue;
        };
        columns.next_row();
        columns.say("instance", row.to_string());
        representation(columns, &one.rendition.sha256, &record.transfer_syntax_uid, &one.frames);
        columns.say("part10_bytes", one.rendition.part10_bytes.to_string());
        if let Some(loss) = &record.loss {
            columns.say("ratio", format!("{:.2}", loss.ratio));
            columns.say("largest_error", loss.largest_error.to_string());
            if let Some(psnr_db) = loss.psnr_db {
                columns.say("psnr_db", format!("{psnr_db:.1}"));
            }
        }
    }
    for (index, (kind, profile, columns)) in kinds.iter().enumerate() {
        out.push_str(if index > 0 { ",{" } else { "{" });
        out.push_str(&format!("\"kind\":{},\"profile\":{},", quoted(kind), quoted(profile)));
        columns.write(out);
        out.push('}');
    }
}
