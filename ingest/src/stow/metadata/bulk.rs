//! Bulk data among the parts: whose they are, by Content-Location, and what the pixels among them are, by Content-Type.

use archive::Body;
use percent_encoding::percent_decode_str;
use transcode::data_set::{Tag, VR};
use transcode::described::{self, Described};

use super::build::TRANSFER_SYNTAX_UID;
use super::{Attribute, Attributes, Content, Fault, PIXEL_DATA, number, text};

/// Bytes of a frame that are looked at to tell what it is.
const HEAD_BYTES: usize = 1 << 20;
/// Bytes of a PNG that is decoded.
const PNG_BYTES_MAX: u64 = 64 << 20;
/// Bytes of a JP2 file whose boxes are taken off.
const JP2_BYTES_MAX: u64 = 128 << 20;

/// What a part of bulk data says it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PartKind {
    /// Its media type, in lower case, without parameters.
    pub media_type: String,
    /// The `transfer-syntax` parameter (PS3.18 §8.7.3.5.2).
    pub transfer_syntax: Option<String>,
}

/// A part of bulk data.
#[derive(Clone, Debug)]
pub struct Bulk {
    /// What it says it is.
    pub kind: PartKind,
    /// Its bytes.
    pub body: Body,
}

/// Where a part says it lies: a URI, and perhaps a frame of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Location {
    uri: String,
    frame: Option<u32>,
}

impl Location {
    /// Reads a Content-Location, or a BulkDataURI, as what both are compared by: percent-decoded, without `./`, and
    /// without scheme and host, which a sender may write in one place and not in the other.
    pub fn of(uri: &str) -> Location {
        let decoded = percent_decode_str(uri.trim()).decode_utf8_lossy().into_owned();
        let path = match decoded.split_once("://") {
            Some(("http" | "https", rest)) => rest.find('/').and_then(|at| rest.get(at..)),
            _ => None,
        };
        let path = path.unwrap_or(&decoded);
        let path = path.strip_prefix("./").unwrap_or(path);
        // PS3.18 §10.4.3.3.2 of older editions: `{BulkDataURL}/frames/{FrameNumber}`, the first being 1.
        let framed = path.rsplit_once("/frames/").and_then(|(uri, frame)| Some((uri, frame.parse().ok()?)));
        match framed {
            Some((uri, frame)) => Location { uri: uri.to_owned(), frame: Some(frame) },
            None => Location { uri: path.to_owned(), frame: None },
        }
    }

    /// Without the frame.
    pub fn uri(&self) -> &str {
        &self.uri
    }

    /// The frame, from 1 on, where one is named.
    pub fn frame(&self) -> Option<u32> {
        self.frame
    }
}

/// Pixel Data, ready to be written.
#[derive(Clone, Debug)]
pub struct Pixels {
    /// Transfer Syntax UID of the file around them.
    pub transfer_syntax_uid: String,
    /// Whether they are encapsulated.
    pub encapsulated: bool,
    /// Their VR, if not.
    pub vr: VR,
    /// A frame each; of video all frames are one.
    pub frames: Vec<Body>,
}

/// How many parts the pixels of an instance come in at the least, by its metadata alone: one where they are not compressed
/// or are video, else one a frame. `kind` is that of the first.
pub fn parts_expected(attributes: &Attributes, kind: &PartKind) -> usize {
    let frames = number(attributes, Tag(0x0028, 0x0008)).unwrap_or(1).max(1);
    match kind.media_type.as_str() {
        media_type if media_type.starts_with("image/") => usize::try_from(frames).unwrap_or(usize::MAX),
        _ => 1,
    }
}

/// What the parts of Pixel Data are together; attributes of the Image Pixel Description Macro that the metadata leave out
/// are taken from the first of them (§10.5.2). `None` where Pixel Data are no bulk data.
///
/// # Errors
/// Where they are of no kind that is supported, of several, or not what they say: the code for it, and why.
pub fn pixels(attributes: &mut Attributes, parts: &[Bulk]) -> Result<Option<Pixels>, (u16, Fault)> {
    let Some(Attribute { vr, content: Content::Bulk(_) }) = attributes.get(&PIXEL_DATA) else { return Ok(None) };
    let vr = if number(attributes, Tag(0x0028, 0x0100)).is_some_and(|bits| bits > 8) { VR::OW } else { *vr };
    let refused = |detail: String| (crate::error::CANNOT_UNDERSTAND, Fault::at("7FE00010", detail));
    let Some(first) = parts.first() else {
        return Err(refused("no part has the Content-Location of its BulkDataURI; send it too".into()));
    };
    if parts.iter().any(|part| part.kind != first.kind) {
        return Err(refused("its parts are of several media types or transfer syntaxes".into()));
    }
    let frames: Vec<Body> = parts.iter().map(|part| part.body.clone()).collect();
    let media_type = first.kind.media_type.as_str();
    if media_type == "image/png" {
        return png(attributes, &frames).map(Some).map_err(refused);
    }
    let said = first.kind.transfer_syntax.as_deref().filter(|said| *said != "*");
    if is_octets(media_type) && said.is_none_or(|said| matches!(said, "1.2.840.10008.1.2.1" | "1.2.840.10008.1.2")) {
        let transfer_syntax_uid = "1.2.840.10008.1.2.1".to_owned();
        return Ok(Some(Pixels { transfer_syntax_uid, encapsulated: false, vr, frames }));
    }
    let unsupported = |detail: String| (crate::error::TRANSFER_SYNTAX_NOT_SUPPORTED, Fault::at("7FE00010", detail));
    let found = described::describe(&head(&first.body).map_err(|error| refused(error.to_string()))?);
    let hinted = text(attributes, TRANSFER_SYNTAX_UID).to_owned();
    let hinted = Some(hinted.as_str()).filter(|uid| fits(media_type, uid));
    let chosen = said.or(hinted).or(found.as_ref().map(|found| found.transfer_syntax_uid)).or(usual(media_type));
    let chosen = chosen.ok_or_else(|| unsupported(format!("Pixel Data cannot be of media type \"{media_type}\"")))?;
    if !fits(media_type, chosen) {
        return Err(unsupported(format!("transfer syntax {chosen} is not of media type \"{media_type}\"")));
    }
    if let Some(found) = &found {
        if found.lossy && is_lossless(chosen) {
            return Err(refused(format!("it is compressed with loss, and transfer syntax {chosen} is lossless")));
        }
        complete(attributes, found);
    }
    let frames = frames.into_iter().map(unboxed).collect::<Result<Vec<_>, _>>().map_err(refused)?;
    let (transfer_syntax_uid, wanted) =
        (chosen.to_owned(), number(attributes, Tag(0x0028, 0x0008)).unwrap_or(1).max(1));
    if media_type.starts_with("image/") && wanted != frames.len() as u64 {
        return Err(refused(format!("{} frames came and Number of Frames is {wanted}", frames.len())));
    }
    Ok(Some(Pixels { transfer_syntax_uid, encapsulated: true, vr: VR::OB, frames }))
}

fn is_octets(media_type: &str) -> bool {
    matches!(media_type, "application/octet-stream" | "")
}

/// PS3.18 Tables 8.7.3-2 to 8.7.3-5: media types and the transfer syntaxes they are of.
fn fits(media_type: &str, transfer_syntax_uid: &str) -> bool {
    let Some(short) = transfer_syntax_uid.strip_prefix("1.2.840.10008.1.2.") else { return false };
    let of = |list: &[&str]| list.contains(&short);
    match media_type {
        "image/jpeg" => of(&["4.50", "4.51", "4.57", "4.70"]),
        "image/dicom-rle" | "image/x-dicom-rle" => short == "5",
        "image/jls" | "image/x-jls" => of(&["4.80", "4.81"]),
        "image/jp2" => of(&["4.90", "4.91"]),
        "image/jpx" => of(&["4.90", "4.91", "4.92", "4.93"]),
        "image/jphc" => of(&["4.201", "4.202", "4.203"]),
        "image/jxl" => of(&["4.110", "4.111", "4.112"]),
        "video/mpeg" | "video/mpeg2" => of(&["4.100", "4.100.1", "4.101", "4.101.1"]),
        "video/mp4" => {
            short.starts_with("4.102")
                || short.starts_with("4.103")
                || short.starts_with("4.104")
                || short.starts_with("4.105")
                || short.starts_with("4.106")
        }
        "video/h265" => of(&["4.107", "4.108"]),
        // A sender that names a transfer syntax and calls the bytes what all bytes are.
        "application/octet-stream" => short.starts_with("4.") || short == "5",
        _ => false,
    }
}

/// The transfer syntax of a media type that does not say of itself which.
fn usual(media_type: &str) -> Option<&'static str> {
    Some(match media_type {
        "image/dicom-rle" | "image/x-dicom-rle" => "1.2.840.10008.1.2.5",
        "video/mpeg" | "video/mpeg2" => "1.2.840.10008.1.2.4.100",
        "video/mp4" => "1.2.840.10008.1.2.4.102",
        "video/h265" => "1.2.840.10008.1.2.4.107",
        _ => return None,
    })
}

fn is_lossless(transfer_syntax_uid: &str) -> bool {
    let short = transfer_syntax_uid.strip_prefix("1.2.840.10008.1.2.4.").unwrap_or_default();
    ["57", "70", "80", "90", "92", "110", "201", "202"].contains(&short)
}

/// Adds what the metadata leave out of the Image Pixel Description Macro (PS3.3 Table C.7-11c). What they say stays.
fn complete(attributes: &mut Attributes, found: &Described) {
    let mut us = |element: u16, value: u16| {
        let content = Content::Bytes(value.to_le_bytes().to_vec());
        attributes.entry(Tag(0x0028, element)).or_insert(Attribute { vr: VR::US, content });
    };
    us(0x0002, found.samples_per_pixel);
    us(0x0010, found.rows);
    us(0x0011, found.columns);
    us(0x0100, if found.bits > 8 { 16 } else { 8 });
    us(0x0101, found.bits);
    us(0x0102, found.bits.saturating_sub(1));
    us(0x0103, found.signed.into());
    if found.samples_per_pixel > 1 {
        us(0x0006, 0);
    }
    let mut cs = |element: u16, value: &str| {
        let content = Content::Bytes(value.as_bytes().to_vec());
        attributes.entry(Tag(0x0028, element)).or_insert(Attribute { vr: VR::CS, content });
    };
    cs(0x0004, found.photometric_interpretation);
    if found.lossy {
        cs(0x2110, "01");
    }
}

/// "Transform: no DICOM Transfer Syntax exists" (Table 10.5.2-1): native pixels, as the PNG has them.
fn png(attributes: &mut Attributes, frames: &[Body]) -> Result<Pixels, String> {
    let mut native = Vec::with_capacity(frames.len());
    let mut first: Option<Described> = None;
    for frame in frames {
        let bytes = frame.bytes(PNG_BYTES_MAX).map_err(|error| error.to_string())?;
        let bytes = bytes.ok_or_else(|| format!("a PNG of more than {PNG_BYTES_MAX} bytes"))?;
        let (described, pixels) = described::png(&bytes).map_err(|error| error.to_string())?;
        if first.as_ref().is_some_and(|first| *first != described) {
            return Err("its PNGs are of several sizes or kinds".into());
        }
        first = Some(described);
        native.push(Body::from(pixels));
    }
    let described = first.ok_or("no PNG came")?;
    // These pixels are as the PNG says, whatever the metadata say of others.
    for element in [0x0002, 0x0004, 0x0006, 0x0010, 0x0011, 0x0100, 0x0101, 0x0102, 0x0103] {
        attributes.remove(&Tag(0x0028, element));
    }
    complete(attributes, &described);
    let vr = if described.bits > 8 { VR::OW } else { VR::OB };
    Ok(Pixels { transfer_syntax_uid: "1.2.840.10008.1.2.1".into(), encapsulated: false, vr, frames: native })
}

/// DICOM has bare codestreams (PS3.5 §8.2.4), and a JP2 file has boxes around one.
fn unboxed(frame: Body) -> Result<Body, String> {
    if head_of(&frame, 12).map_err(|error| error.to_string())?.get(4..8) != Some(b"jP  ") {
        return Ok(frame);
    }
    let bytes = frame.bytes(JP2_BYTES_MAX).map_err(|error| error.to_string())?;
    let bytes = bytes.ok_or_else(|| format!("a JP2 file of more than {JP2_BYTES_MAX} bytes; send its codestream"))?;
    let bare = described::without_boxes(&bytes);
    Ok(Body::Memory(bytes.slice_ref(bare)))
}

fn head(body: &Body) -> std::io::Result<Vec<u8>> {
    head_of(body, HEAD_BYTES)
}

fn head_of(body: &Body, bytes_max: usize) -> std::io::Result<Vec<u8>> {
    use std::io::Read;
    let mut bytes = Vec::new();
    body.reader()?.take(bytes_max as u64).read_to_end(&mut bytes)?;
    Ok(bytes)
}
