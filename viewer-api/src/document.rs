//! What the metadata of an instance says about showing it: pixels, rescale, window. Enhanced objects say it a frame
//! (PS3.3 C.7.6.16: the frame's own functional group, else the shared one).

use archive::Held;
use serde_json::{Map, Value};
use transcode::{PixelDescription, VoiLutFunction, Window};

use crate::error::Result;
use crate::metadata;
use crate::state::ViewerState;

type Elements = Map<String, Value>;

/// The DICOM JSON object of one instance.
#[derive(Clone, Debug, Default)]
pub(crate) struct Document(Elements);

impl Document {
    /// Of this instance, and how many bytes it is written in.
    pub(crate) async fn of(state: &ViewerState, held: &Held) -> Result<(Document, usize)> {
        let documents = state.reader().dicom_json(std::slice::from_ref(held)).await?;
        let bytes = documents.into_iter().next().unwrap_or_default();
        let name = &held.record.description.instance.sop_instance_uid;
        Ok((Document(metadata::with_absolute_uris(&bytes, name)?), bytes.len()))
    }

    /// How to read its pixels. What the record of the archive has is taken from there.
    pub(crate) fn pixel_description(&self, held: &Held) -> PixelDescription {
        let said = &held.record.description.instance;
        let number = |tag, otherwise: u16| {
            integer(&self.0, tag).and_then(|number| u16::try_from(number).ok()).unwrap_or(otherwise)
        };
        PixelDescription {
            rows: said.rows,
            columns: said.columns,
            samples_per_pixel: said.samples_per_pixel,
            bits_allocated: said.bits_allocated,
            bits_stored: said.bits_stored,
            high_bit: number("00280102", said.bits_stored.saturating_sub(1)),
            pixel_representation: said.pixel_representation,
            planar_configuration: number("00280006", 0),
            photometric_interpretation: said.photometric_interpretation.clone(),
            number_of_frames: said.number_of_frames,
        }
    }

    /// Rescale Slope and Rescale Intercept of frame `number` (from 1).
    pub(crate) fn rescale(&self, number: u32) -> (f64, f64) {
        let of = |elements: &Elements| Some((decimal(elements, "00281053")?, decimal(elements, "00281052")?));
        self.say(number, "00289145", of).filter(|(slope, _)| *slope != 0.0).unwrap_or((1.0, 0.0))
    }

    /// The first window of frame `number` (from 1), if there is one.
    pub(crate) fn window(&self, number: u32) -> Option<Window> {
        let of = |elements: &Elements| {
            let (center, width) = (decimal(elements, "00281050")?, decimal(elements, "00281051")?);
            let function = match text(elements, "00281056") {
                Some("LINEAR_EXACT") => VoiLutFunction::LinearExact,
                Some("SIGMOID") => VoiLutFunction::Sigmoid,
                _ => VoiLutFunction::Linear,
            };
            (width > 0.0).then_some(Window { center, width, function })
        };
        self.say(number, "00289132", of)
    }

    /// Pixel Padding Value and Range Limit as stored values, the lower first.
    pub(crate) fn padding(&self) -> Option<(i32, i32)> {
        let value = |tag| integer(&self.0, tag).and_then(|number| i32::try_from(number).ok());
        let first = value("00280120")?;
        let last = value("00280121").unwrap_or(first);
        Some((first.min(last), first.max(last)))
    }

    /// Whether a rendering by window alone shows it as a viewer does: nothing says that its pixels are not square, that its
    /// values go through a table, or that they are inverted; nor are there functional groups, which may say so.
    pub(crate) fn is_plain(&self) -> bool {
        let is_there = |tag| values(&self.0, tag).is_some_and(|values| !values.is_empty());
        let is_square = |tag| match values(&self.0, tag).map(Vec::as_slice) {
            Some([row, column, ..]) => number(row) == number(column),
            _ => true,
        };
        !["00283000", "00283010", "52009229"].into_iter().any(is_there)
            && ["00280030", "00280034", "00181164"].into_iter().all(is_square)
            && text(&self.0, "20500020") != Some("INVERSE")
    }

    /// Image Laterality.
    pub(crate) fn laterality(&self) -> Option<&str> {
        text(&self.0, "00200062")
    }

    /// Whether a mammogram may hang otherwise than it lies (web/viewer/room/hanging.js): its Patient Orientation does not say
    /// that the chest wall is at the right of a right breast, at the left of a left one, and that it is the right way up.
    pub(crate) fn is_turned_breast(&self, side: &str) -> bool {
        let Some([across, down, ..]) = values(&self.0, "00200020").map(Vec::as_slice) else { return false };
        let begins = |with: &Value, letter: &str| with.as_str().is_some_and(|text| text.starts_with(letter));
        let wall = match side {
            "R" => "P",
            "L" => "A",
            _ => return true,
        };
        !begins(across, wall) || begins(down, "H") || begins(down, side)
    }

    /// What a frame's functional group in `sequence` says, else the shared one, else the Data Set itself.
    fn say<T>(&self, number: u32, sequence: &str, of: impl Fn(&Elements) -> Option<T>) -> Option<T> {
        let index = (number as usize).saturating_sub(1);
        let groups = [item(&self.0, "52009230", index), item(&self.0, "52009229", 0)];
        let macros = groups.into_iter().flatten().filter_map(|group| item(group, sequence, 0));
        macros.chain([&self.0]).find_map(of)
    }
}

fn values<'a>(elements: &'a Elements, tag: &str) -> Option<&'a Vec<Value>> {
    elements.get(tag)?.get("Value")?.as_array()
}

fn item<'a>(elements: &'a Elements, tag: &str, index: usize) -> Option<&'a Elements> {
    values(elements, tag)?.get(index)?.as_object()
}

fn text<'a>(elements: &'a Elements, tag: &str) -> Option<&'a str> {
    values(elements, tag)?.first()?.as_str()
}

/// A number, also where it is written as text (PS3.18 §F.2.3.1 lets DS and IS be either).
fn decimal(elements: &Elements, tag: &str) -> Option<f64> {
    number(values(elements, tag)?.first()?)
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number| number.is_finite())
}

fn integer(elements: &Elements, tag: &str) -> Option<i64> {
    let first = values(elements, tag)?.first()?;
    first.as_i64().or_else(|| first.as_str()?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn document(value: Value) -> Document {
        Document(value.as_object().cloned().unwrap_or_default())
    }

    fn voi(center: f64) -> Value {
        json!({ "00289132": { "vr": "SQ", "Value": [{
            "00281050": { "vr": "DS", "Value": [center] }, "00281051": { "vr": "DS", "Value": ["400"] }
        }] } })
    }

    #[test]
    fn the_frames_own_window_rules_over_the_shared_one_and_that_over_the_plain_one() {
        let enhanced = document(json!({
            "52009229": { "vr": "SQ", "Value": [voi(40.0)] },
            "52009230": { "vr": "SQ", "Value": [{}, voi(300.0)] },
            "00281050": { "vr": "DS", "Value": [1] }, "00281051": { "vr": "DS", "Value": [2] }
        }));
        let center = |number| enhanced.window(number).map(|window| window.center);
        assert_eq!((center(1), center(2), center(3)), (Some(40.0), Some(300.0), Some(40.0)));
        let plain = document(json!({
            "00281050": { "vr": "DS", "Value": ["40", "300"] }, "00281051": { "vr": "DS", "Value": ["0"] }
        }));
        assert_eq!(plain.window(1), None, "a width of 0 is no window");
    }

    #[test]
    fn rescale_is_one_and_nothing_where_it_is_not_said_or_senseless() {
        assert_eq!(document(json!({})).rescale(1), (1.0, 0.0));
        let said = |slope: Value| {
            document(json!({
                "00281053": { "vr": "DS", "Value": [slope] }, "00281052": { "vr": "DS", "Value": ["-1024"] }
            }))
        };
        assert_eq!(said(json!("2.5")).rescale(7), (2.5, -1024.0));
        assert_eq!(said(json!(0)).rescale(1), (1.0, 0.0));
    }

    #[test]
    fn padding_is_a_range_with_the_lower_first() {
        let both = document(json!({
            "00280120": { "vr": "SS", "Value": [-1000] }, "00280121": { "vr": "SS", "Value": [-2000] }
        }));
        assert_eq!(both.padding(), Some((-2000, -1000)));
        assert_eq!(document(json!({})).padding(), None);
    }
}
