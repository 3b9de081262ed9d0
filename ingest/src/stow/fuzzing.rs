//! Parsers of a store request, for the fuzz targets.

use bytes::Bytes;
use transcode::data_set::{Limits, scan};

use super::metadata::{self, Content, PIXEL_DATA, Segment};
use super::multipart::{Event, Multipart};

/// The bytes of all parts of a body whose boundary is `b`; `None` where a header is refused.
pub fn parts<'a>(chunks: impl Iterator<Item = &'a [u8]>) -> Option<Vec<(Vec<u8>, bool)>> {
    let (mut parser, mut events, mut parts) = (Multipart::new("b")?, Vec::new(), Vec::new());
    for chunk in chunks {
        parser.feed(Bytes::copy_from_slice(chunk), &mut events).ok()?;
        for event in events.drain(..) {
            match (event, parts.last_mut()) {
                (Event::Part(_), _) => parts.push((Vec::new(), false)),
                (Event::Data(data), Some((bytes, _))) => bytes.extend_from_slice(&data),
                (Event::End, Some((_, whole))) => *whole = true,
                _ => panic!("data before a part"),
            }
        }
    }
    // What a part that is not whole has so far depends on how it came; nobody is given it.
    parts.retain(|(_, whole)| *whole);
    Some(parts)
}

/// Reads metadata, builds what was read, and scans what was built.
pub fn metadata(data: &[u8]) {
    let read = match data.first() {
        Some(b'<') => metadata::read_xml(data).map(|one| vec![one]),
        _ => metadata::read_json(data, 16),
    };
    for mut attributes in read.into_iter().flatten().flatten() {
        // Pixels of no particular kind: their number may not fit, which is for the gate to see.
        attributes.retain(|tag, attribute| *tag != PIXEL_DATA && !matches!(attribute.content, Content::Bulk(_)));
        let Ok(segments) = metadata::part10(&attributes, None, &|_| Some(vec![7; 5].into())) else { continue };
        let mut file = Vec::new();
        for segment in segments {
            match segment {
                Segment::Bytes(bytes) => file.extend_from_slice(&bytes),
                Segment::Body(body) => file.extend_from_slice(&body.bytes(u64::MAX).ok().flatten().unwrap_or_default()),
            }
        }
        let part10 = scan(&mut std::io::Cursor::new(&file), &Limits::default());
        let part10 = part10.unwrap_or_else(|error| panic!("what was built cannot be scanned: {error}"));
        let written = part10.data_set.elements.len();
        let meant = attributes.keys().filter(|tag| tag.0 > 0x0002).count();
        assert_eq!(written, meant, "elements were lost or gained");
    }
}
