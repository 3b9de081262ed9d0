//! In which form frames go out (PS3.18 §8.7): as held where that is what is asked for, else decoded or coded anew.

use archive::Located;

use super::{DEFLATED, OCTETS};
use crate::wado::MediaRange;
use transcode::data_set::EXPLICIT_VR_LITTLE_ENDIAN as EXPLICIT_LITTLE;

/// JPEG 2000, lossless only; and the one that may be lossy, under which lossless ones may stand, too (PS3.5 §A.4.4).
const JPEG_2000: [&str; 2] = ["1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91"];
/// HTJ2K: lossless, lossless with RPCL, and the one that may be lossy (PS3.5 §A.4.9).
const HTJ2K: [&str; 3] = ["1.2.840.10008.1.2.4.201", "1.2.840.10008.1.2.4.202", "1.2.840.10008.1.2.4.203"];
/// Explicit VR Big Endian.
const BIG_ENDIAN: &str = "1.2.840.10008.1.2.2";

/// What is done with a frame before it goes out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Form {
    /// Nothing.
    AsHeld,
    /// It is decoded to native little-endian samples.
    Native,
    /// It is decoded and coded anew, without loss, as JPEG 2000 Part 1.
    JpegTwoThousand,
    /// It is decoded and coded anew, without loss, as HTJ2K.
    HighThroughput,
}

/// A form, the transfer syntax it goes out under, and whether in parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Choice {
    pub(super) form: Form,
    pub(super) transfer_syntax_uid: String,
    pub(super) in_parts: bool,
}

impl Choice {
    /// `image/jphc;transfer-syntax=…`.
    pub(super) fn content_type(&self) -> String {
        typed(&self.transfer_syntax_uid)
    }

    /// The media type alone.
    pub(super) fn media_type(&self) -> &'static str {
        media_type(&self.transfer_syntax_uid)
    }
}

fn typed(transfer_syntax_uid: &str) -> String {
    format!("{};transfer-syntax={transfer_syntax_uid}", media_type(transfer_syntax_uid))
}

/// Whether frames of this transfer syntax are held as native little-endian samples.
pub(super) fn is_native_little(transfer_syntax_uid: &str) -> bool {
    matches!(transfer_syntax_uid, "1.2.840.10008.1.2" | EXPLICIT_LITTLE | DEFLATED | "1.2.840.10008.1.2.1.98")
}

/// The transfer syntax that frames as held go out under: native samples are the same in each little-endian one.
pub(super) fn label(transfer_syntax_uid: &str) -> &str {
    if is_native_little(transfer_syntax_uid) { EXPLICIT_LITTLE } else { transfer_syntax_uid }
}

/// Media type of a frame (PS3.18 Table 8.7.3-5).
pub(super) fn media_type(transfer_syntax_uid: &str) -> &'static str {
    match transfer_syntax_uid.strip_prefix("1.2.840.10008.1.2.").unwrap_or("") {
        "4.50" | "4.51" | "4.57" | "4.70" => "image/jpeg",
        "4.80" | "4.81" => "image/jls",
        "4.90" | "4.91" => "image/jp2",
        "4.92" | "4.93" => "image/jpx",
        "4.201" | "4.202" | "4.203" => "image/jphc",
        "4.110" | "4.111" | "4.112" => "image/jxl",
        "5" => "image/dicom-rle",
        video if video.starts_with("4.100") || video.starts_with("4.101") => "video/mpeg2",
        video if video.starts_with("4.10") => "video/mp4",
        _ => OCTETS,
    }
}

/// Whether what is held under one transfer syntax may stand, byte for byte, under another: a codestream that keeps the
/// narrower promise keeps the wider one.
fn stands_under(held: &str, asked: &str) -> bool {
    // PS3.5 §A.4.4, §A.4.9: lossless is a case of what may be lossy, RPCL a case of any order.
    let wider = [(JPEG_2000[0], JPEG_2000[1]), (HTJ2K[0], HTJ2K[2]), (HTJ2K[1], HTJ2K[0]), (HTJ2K[1], HTJ2K[2])];
    let native = is_native_little(held) && is_native_little(asked);
    held == asked || native || wider.contains(&(held, asked))
}

/// The transfer syntax that is meant where the media type alone is said (PS3.18 Table 8.7.3-5, defaults).
fn default_of(range: &MediaRange) -> Option<&'static str> {
    let said = |kind: &str| range.inner().eq_ignore_ascii_case(kind);
    if said("image/jp2") {
        Some(JPEG_2000[0])
    } else if said("image/jphc") {
        Some(HTJ2K[0])
    } else {
        None
    }
}

/// The form that is asked for, best first. As held is preferred: nothing is lost, nothing is decoded. `None` when nothing
/// that is asked for can be had.
pub(super) fn choose(accept: &[MediaRange], held: &str, count: usize, parts_unless_said: bool) -> Option<Choice> {
    accept.iter().find_map(|range| {
        let in_parts = range.is_multipart() || (range.is_any() && parts_unless_said);
        let (form, uid) = if count > 1 && !in_parts { None } else { form(range, held) }?;
        Some(Choice { form, transfer_syntax_uid: uid.to_owned(), in_parts })
    })
}

fn form<'a>(range: &'a MediaRange, held: &'a str) -> Option<(Form, &'a str)> {
    let asked = range.transfer_syntax();
    // PS3.18 §8.7.3.5.1: as held, whatever that is. OHIF and Cornerstone3D ask so, under application/octet-stream.
    if range.takes_any_transfer_syntax() && range.covers(OCTETS) {
        return Some((Form::AsHeld, label(held)));
    }
    let fits = asked.is_none_or(|uid| stands_under(held, uid)) && held != BIG_ENDIAN;
    if fits && range.covers(media_type(held)) {
        return Some((Form::AsHeld, label(asked.unwrap_or(held))));
    }
    if range.covers(OCTETS) && asked.is_none_or(|uid| uid == EXPLICIT_LITTLE) {
        return Some((Form::Native, EXPLICIT_LITTLE));
    }
    let target = asked.or_else(|| default_of(range))?;
    let coded = |family: &[&str]| family.contains(&target) && range.covers(media_type(target));
    if coded(&JPEG_2000) {
        return Some((Form::JpegTwoThousand, target));
    }
    coded(&HTJ2K).then_some((Form::HighThroughput, target))
}

/// What there is, for a refusal.
pub(super) fn offered(located: &Located) -> Vec<String> {
    let held = label(&located.transfer_syntax_uid);
    let mut uids = vec![held, EXPLICIT_LITTLE, HTJ2K[1], JPEG_2000[0]];
    let mut seen = Vec::new();
    uids.retain(|uid| {
        let new = !seen.contains(uid) && *uid != BIG_ENDIAN;
        seen.push(*uid);
        new
    });
    let each = |uid: &str| format!("multipart/related; type=\"{}\"; transfer-syntax={uid}", media_type(uid));
    uids.into_iter().map(each).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wado::accept::parse;

    const CT: &str = "1.2.840.10008.1.2.4.202";

    fn check(accept: &str, held: &str, expected: Option<(Form, &str, bool)>) {
        let choice = choose(&parse([accept]), held, 1, true);
        let found = choice.as_ref().map(|c| (c.form, c.transfer_syntax_uid.as_str(), c.in_parts));
        assert_eq!(found, expected, "{accept} of {held}");
    }

    #[test]
    fn what_is_wanted_as_held_is_never_decoded() {
        check(
            "multipart/related; type=application/octet-stream; transfer-syntax=*",
            CT,
            Some((Form::AsHeld, CT, true)),
        );
        check("multipart/related; type=\"image/jphc\"", CT, Some((Form::AsHeld, CT, true)));
        check("image/jphc;transfer-syntax=1.2.840.10008.1.2.4.202", CT, Some((Form::AsHeld, CT, false)));
        check("*/*", CT, Some((Form::AsHeld, CT, true)));
        check("image/*", CT, Some((Form::AsHeld, CT, false)));
        check("application/octet-stream", "1.2.840.10008.1.2", Some((Form::AsHeld, EXPLICIT_LITTLE, false)));
        check("application/octet-stream", CT, Some((Form::Native, EXPLICIT_LITTLE, false)));
    }

    #[test]
    fn a_codestream_stands_under_the_wider_names_and_not_under_the_narrower() {
        let (lossless, wide) = (HTJ2K[0], HTJ2K[2]);
        let ask = |uid: &str| format!("image/jphc; transfer-syntax={uid}");
        check(&ask(lossless), CT, Some((Form::AsHeld, lossless, false)));
        check(&ask(wide), CT, Some((Form::AsHeld, wide, false)));
        check(&ask(CT), lossless, Some((Form::HighThroughput, CT, false)));
        check(&ask(lossless), wide, Some((Form::HighThroughput, lossless, false)));
        check(
            "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.91",
            JPEG_2000[0],
            Some((Form::AsHeld, JPEG_2000[1], false)),
        );
        check(
            "image/jp2; transfer-syntax=1.2.840.10008.1.2.4.90",
            JPEG_2000[1],
            Some((Form::JpegTwoThousand, JPEG_2000[0], false)),
        );
    }

    #[test]
    fn other_codestreams_are_made_on_request_and_lossy_ones_never() {
        let native = "1.2.840.10008.1.2.1";
        check("image/jp2", native, Some((Form::JpegTwoThousand, JPEG_2000[0], false)));
        check("image/jphc", native, Some((Form::HighThroughput, HTJ2K[0], false)));
        check(
            "image/jphc; transfer-syntax=1.2.840.10008.1.2.4.202",
            "1.2.840.10008.1.2.4.80",
            Some((Form::HighThroughput, CT, false)),
        );
        check("image/jpeg", CT, None);
        check("image/jls", CT, None);
        check("application/octet-stream; transfer-syntax=1.2.840.10008.1.2.2", CT, None);
        check("image/jpeg, application/octet-stream;q=0.5", CT, Some((Form::Native, EXPLICIT_LITTLE, false)));
    }

    #[test]
    fn several_frames_need_parts() {
        assert_eq!(choose(&parse(["image/jphc"]), CT, 2, true), None);
        assert!(choose(&parse(["image/jphc, multipart/related"]), CT, 2, true).unwrap().in_parts);
        assert!(!choose(&parse(["*/*"]), CT, 1, false).unwrap().in_parts, "an address of one representation");
    }
}
