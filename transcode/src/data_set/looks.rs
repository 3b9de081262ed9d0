//! What a file that is not DICOM looks like, so that its sender can be told.

/// Names the kind of file by its first bytes.
pub(super) fn looks_like(head: &[u8]) -> &'static str {
    let starts = |magic: &[u8]| head.starts_with(magic);
    let at = |offset: usize, magic: &[u8]| head.get(offset..).is_some_and(|rest| rest.starts_with(magic));
    match head {
        [] => "an empty file",
        _ if starts(b"PK\x03\x04") || starts(b"PK\x05\x06") => "a ZIP archive",
        _ if starts(b"\x1f\x8b") => "a gzip file",
        _ if starts(b"\x28\xb5\x2f\xfd") => "a zstd file",
        _ if starts(b"7z\xbc\xaf\x27\x1c") => "a 7-Zip archive",
        _ if at(257, b"ustar") => "a tar archive",
        _ if starts(b"%PDF") => "a PDF document",
        _ if starts(b"\xff\xd8\xff") => "a JPEG image outside DICOM",
        _ if starts(b"\xff\x4f\xff\x51") => "a JPEG 2000 codestream outside DICOM",
        _ if starts(b"\0\0\0\x0cjP  ") => "a JPEG 2000 file outside DICOM",
        _ if starts(b"\x89PNG") => "a PNG image",
        _ if starts(b"GIF8") => "a GIF image",
        _ if starts(b"II*\0") || starts(b"MM\0*") => "a TIFF image",
        _ if starts(b"BM") => "a BMP image",
        _ if starts(b"@ MFR") => "an MFER waveform",
        _ if at(16, b"SCPECG") => "an SCP-ECG record",
        _ if starts(b"MSH|") => "an HL7 version 2 message",
        _ if starts(b"MZ") || starts(b"\x7fELF") => "a program",
        _ => text_or_other(head),
    }
}

/// Text is told by having no control characters, XML by its root element.
fn text_or_other(head: &[u8]) -> &'static str {
    let control = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    if head.iter().all(|byte| *byte == 0) {
        return "nothing but zero bytes";
    }
    if head.iter().any(control) {
        return "no kind of file we know";
    }
    let holds = |word: &[u8]| head.windows(word.len()).any(|window| window == word);
    if holds(b"AnnotatedECG") {
        return "an HL7 annotated ECG (XML)";
    }
    if holds(b"urn:hl7-org") || holds(b"ClinicalDocument") {
        return "an HL7 document (XML)";
    }
    if holds(b"restingecgdata") || holds(b"RestingECG") {
        return "a vendor's ECG (XML)";
    }
    if head.trim_ascii_start().starts_with(b"<") || head.starts_with(b"\xef\xbb\xbf<") {
        return "an XML or HTML text";
    }
    if head.trim_ascii_start().starts_with(b"{") {
        return "a JSON text";
    }
    "a text"
}
