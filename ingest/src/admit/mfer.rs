//! MFER files (ISO 22077-1): what is held is a DICOM waveform made of one, with the received bytes inside of it.

use std::io::Read;
use std::sync::{Mutex, PoisonError};

use archive::{Body, Embedded};
use transcode::data_set::Limits;
use transcode::waveform::{self, FILE_BYTES_MAX, LOOK_BYTES, MFER_MEDIA_TYPE};

use super::{Examined, Verdict, admit_dicom};

/// Where the received file lies in what was made of it (a private block at the end): its elements are no metadata.
const EMBEDDED_GROUP: u16 = 0x7FE1;

/// Files of more are read one at a time: reading and converting one takes up to ten times its length in memory.
const AT_ONCE_BYTES_MAX: u64 = 4 << 20;
static LARGE: Mutex<()> = Mutex::new(());

/// Whether a file is MFER, by its first bytes.
pub(super) fn is_mfer(body: &Body) -> Result<bool, Verdict> {
    let mut first = Vec::with_capacity(LOOK_BYTES);
    let mut reader = body.reader().map_err(unreadable)?;
    reader.by_ref().take(LOOK_BYTES as u64).read_to_end(&mut first).map_err(unreadable)?;
    // PS3.10 §7.1: whatever else it looks like, this is DICOM.
    Ok(first.get(128..132) != Some(b"DICM") && waveform::looks_like_mfer(&first))
}

/// Makes a DICOM waveform of a file, and admits that.
pub(super) fn admit(body: &Body, digest: &[u8; 32], limits: &Limits) -> Result<Examined, Verdict> {
    let is_large = body.len() > AT_ONCE_BYTES_MAX;
    // What it guards is room, which a panic gives back.
    let _turn = is_large.then(|| LARGE.lock().unwrap_or_else(PoisonError::into_inner));
    let bytes = body.bytes(FILE_BYTES_MAX as u64).map_err(unreadable)?;
    let too_long =
        waveform::Error::TooMany { offset: FILE_BYTES_MAX, what: "the file is longer", at_most: FILE_BYTES_MAX as u64 };
    let bytes = bytes.ok_or(too_long)?;
    let recording = waveform::read(&bytes)?;
    for warning in &recording.warnings {
        let (file, byte) = (archive::hex(digest), warning.offset);
        tracing::warn!(file, byte, what = warning.what, "something in an MFER file is odd");
    }
    let made = waveform::part10(recording, &bytes, digest)?;
    let converted = Body::from(made.bytes);
    let mut examined = admit_dicom(&converted, limits)?;
    examined.description.instance.embedded = Some(Embedded {
        offset: made.embedded.offset,
        bytes: made.embedded.length,
        media_type: MFER_MEDIA_TYPE.into(),
        extension: "mwf".into(),
    });
    let mut metadata = std::mem::take(&mut examined.part10.data_set);
    metadata.elements.retain(|element| element.tag.0 != EMBEDDED_GROUP);
    let set = super::CharacterSet::of(&metadata, None);
    examined.dicom_json = super::dicom_json(&metadata, &set).into();
    examined.part10.data_set = metadata;
    examined.converted = Some(converted);
    Ok(examined)
}

fn unreadable(error: std::io::Error) -> Verdict {
    transcode::data_set::Error::from(error).into()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    use super::*;

    /// Remembers what is logged.
    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<String>>);

    impl Visit for Log {
        fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
            self.0.lock().unwrap().push_str(&format!("{field}={value:?} "));
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            event.record(&mut self.clone());
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    /// The operator learns which file it is, and where in it.
    #[test]
    fn what_is_odd_in_a_file_is_logged() {
        // Little-endian, a channel of lead I at 500 Hz, an element that nobody knows, a sample.
        let head = [1, 1, 1, 4, 1, 1, 5, 1, 1, 9, 1, 1, 0x0B, 3, 1, 0xFD, 2];
        let body = Body::from([&head[..], &[0x6F, 0, 0x1E, 2, 7, 0]].concat());
        let log = Log::default();
        let admitted = tracing::subscriber::with_default(log.clone(), || admit(&body, &[7; 32], &Limits::default()));
        assert!(admitted.is_ok());
        let logged = log.0.lock().unwrap();
        assert!(logged.contains("0707") && logged.contains("byte=17") && logged.contains("unknown tag"), "{logged}");
    }
}
