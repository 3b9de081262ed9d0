//! What of an instance's DICOM JSON goes into the manifest: what showing it needs, copied as it stands, the rest passed over
//! without being read.

use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::columns::{Columns, first_of};

/// How many values an attribute has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Values {
    /// One: written without an array.
    One,
    /// Several: an array.
    Many,
}

/// Geometry, window, rescale and what else the pixels need to be shown (PS3.3 C.7.6.2, C.7.6.3, C.8.11.7, C.11.1, C.11.2). In
/// ascending order of tags.
const ATTRIBUTES: &[(&str, &str, Values)] = &[
    ("00080008", "ImageType", Values::Many),
    ("00080022", "AcquisitionDate", Values::One),
    ("00080023", "ContentDate", Values::One),
    ("00080032", "AcquisitionTime", Values::One),
    ("00080033", "ContentTime", Values::One),
    ("00082144", "RecommendedDisplayFrameRate", Values::One),
    ("00180050", "SliceThickness", Values::One),
    ("00180088", "SpacingBetweenSlices", Values::One),
    ("00181063", "FrameTime", Values::One),
    ("00181164", "ImagerPixelSpacing", Values::Many),
    ("00185101", "ViewPosition", Values::One),
    ("00200012", "AcquisitionNumber", Values::One),
    ("00200020", "PatientOrientation", Values::Many),
    ("00200032", "ImagePositionPatient", Values::Many),
    ("00200037", "ImageOrientationPatient", Values::Many),
    ("00200052", "FrameOfReferenceUID", Values::One),
    ("00200062", "ImageLaterality", Values::One),
    ("00201041", "SliceLocation", Values::One),
    ("00280006", "PlanarConfiguration", Values::One),
    ("00280030", "PixelSpacing", Values::Many),
    ("00280034", "PixelAspectRatio", Values::Many),
    ("00280102", "HighBit", Values::One),
    ("00280120", "PixelPaddingValue", Values::One),
    ("00280121", "PixelPaddingRangeLimit", Values::One),
    ("00281050", "WindowCenter", Values::Many),
    ("00281051", "WindowWidth", Values::Many),
    ("00281052", "RescaleIntercept", Values::One),
    ("00281053", "RescaleSlope", Values::One),
    ("00281054", "RescaleType", Values::One),
    ("00281055", "WindowCenterWidthExplanation", Values::Many),
    ("00281056", "VOILUTFunction", Values::One),
    ("00282112", "LossyImageCompressionRatio", Values::Many),
    ("20500020", "PresentationLUTShape", Values::One),
];
/// Shared and Per-Frame Functional Groups Sequence (PS3.3 C.7.6.16).
const SHARED: &str = "52009229";
const PER_FRAME: &str = "52009230";

/// The attributes of one instance.
#[derive(Debug, Default)]
pub(super) struct Attributes<'a> {
    said: Vec<(usize, &'a RawValue)>,
    shared: Option<&'a RawValue>,
    per_frame: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct Element<'a> {
    #[serde(rename = "Value", borrow, default)]
    value: Option<&'a RawValue>,
}

impl<'de> Deserialize<'de> for Attributes<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reading;

        impl<'de> Visitor<'de> for Reading {
            type Value = Attributes<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a DICOM JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut out = Attributes::default();
                while let Some(tag) = map.next_key::<&str>()? {
                    match ATTRIBUTES.binary_search_by(|(of, ..)| (*of).cmp(tag)) {
                        Ok(at) => out.said.extend(map.next_value::<Element<'de>>()?.value.map(|value| (at, value))),
                        Err(_) if tag == SHARED => out.shared = map.next_value::<Element<'de>>()?.value,
                        Err(_) if tag == PER_FRAME => out.per_frame = map.next_value::<Element<'de>>()?.value,
                        Err(_) => drop(map.next_value::<IgnoredAny>()?),
                    }
                }
                Ok(out)
            }
        }

        from.deserialize_map(Reading)
    }
}

impl Attributes<'_> {
    /// Says them of an instance. What the frames share in an enhanced object is said as if of the instance; what each frame
    /// says by itself stands in `PerFrame`, as columns.
    pub(super) fn say(&self, columns: &mut Columns) {
        say_each(&self.said, columns);
        for group in items(self.shared).iter().take(1) {
            say_group(group, columns);
        }
        let frames = items(self.per_frame);
        if frames.is_empty() {
            return;
        }
        let mut each = Columns::default();
        for frame in &frames {
            each.next_row();
            say_group(frame, &mut each);
        }
        let mut text = "{".to_owned();
        each.write(&mut text);
        text.push('}');
        columns.say("PerFrame", text);
    }
}

fn say_each(said: &[(usize, &RawValue)], columns: &mut Columns) {
    for ((_, keyword, values), value) in said.iter().filter_map(|(at, value)| Some((ATTRIBUTES.get(*at)?, value))) {
        match values {
            Values::Many => columns.say(keyword, value.get().to_owned()),
            Values::One => {
                if let Some(first) = first_of(value) {
                    columns.say(keyword, first);
                }
            }
        }
    }
}

/// A functional group: each of its macros is a sequence of one item (PS3.3 C.7.6.16.1).
fn say_group(group: &RawValue, columns: &mut Columns) {
    let Ok(macros) = serde_json::from_str::<Macros<'_>>(group.get()) else { return };
    for one in macros.0 {
        if let Some(item) = items(Some(one)).first()
            && let Ok(attributes) = serde_json::from_str::<Attributes<'_>>(item.get())
        {
            say_each(&attributes.said, columns);
        }
    }
}

fn items(sequence: Option<&RawValue>) -> Vec<&RawValue> {
    sequence.and_then(|items| serde_json::from_str(items.get()).ok()).unwrap_or_default()
}

/// The values of the sequences in a group.
struct Macros<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Macros<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        struct Reading;

        impl<'de> Visitor<'de> for Reading {
            type Value = Macros<'de>;

            fn expecting(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
                out.write_str("a functional group")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Self::Value, M::Error> {
                let mut out = Vec::new();
                while let Some((_, element)) = map.next_entry::<IgnoredAny, Element<'de>>()? {
                    out.extend(element.value);
                }
                Ok(Macros(out))
            }
        }

        from.deserialize_map(Reading)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(document: &str, expected: &str) {
        let attributes: Attributes<'_> = serde_json::from_str(document).unwrap();
        let (mut columns, mut out) = (Columns::default(), String::new());
        columns.next_row();
        attributes.say(&mut columns);
        columns.write(&mut out);
        assert_eq!(out, expected);
    }

    #[test]
    fn attributes_ascend_so_that_they_are_found() {
        assert!(ATTRIBUTES.is_sorted_by(|(a, ..), (b, ..)| a < b));
    }

    #[test]
    fn what_is_needed_is_copied_and_the_rest_passed_over() {
        check(
            r#"{"00080018":{"vr":"UI","Value":["1.2"]},"00180050":{"vr":"DS","Value":[1.25]},
               "00200032":{"vr":"DS","Value":[-1.5,2,3.000]},"00281050":{"vr":"DS","Value":[40,300]},
               "00400275":{"vr":"SQ","Value":[{"00180050":{"vr":"DS","Value":[9]}}]},"00281054":{"vr":"LO"}}"#,
            r#""SliceThickness":{"all":1.25},"ImagePositionPatient":{"all":[-1.5,2,3.000]},"WindowCenter":{"all":[40,300]}"#,
        );
        check("{}", "");
    }

    #[test]
    fn an_enhanced_object_says_it_of_all_frames_and_of_each() {
        check(
            r#"{"52009229":{"vr":"SQ","Value":[{"00289110":{"vr":"SQ","Value":[{"00280030":{"vr":"DS","Value":[0.5,0.5]}}]}}]},
               "52009230":{"vr":"SQ","Value":[{"00209113":{"vr":"SQ","Value":[{"00200032":{"vr":"DS","Value":[0,0,1]}}]}},
                 {"00209113":{"vr":"SQ","Value":[{"00200032":{"vr":"DS","Value":[0,0,2]}}]}}]}}"#,
            r#""PixelSpacing":{"all":[0.5,0.5]},"PerFrame":{"all":{"ImagePositionPatient":{"each":[[0,0,1],[0,0,2]]}}}"#,
        );
    }
}
