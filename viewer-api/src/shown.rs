//! What showing an instance needs, kept for a while: scrolling asks for the same instance frame by frame.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use archive::Held;

use crate::document::Document;
use crate::error::Result;
use crate::state::ViewerState;
use crate::wado::FrameSource;

/// Instances kept at the most.
const KEPT_MAX: usize = 64;
/// Bytes of DICOM JSON of an instance that is kept, at the most; read, it takes up several times as much.
const DOCUMENT_BYTES_MAX: usize = 2 << 20;

/// An instance ready to be shown.
pub(crate) struct Shown {
    /// What its metadata says.
    pub(crate) document: Document,
    /// Its frames.
    pub(crate) source: FrameSource,
}

/// The file as it is held: another form has other frames, and another pack stays when this one is replaced.
type Key = ([u8; 32], String, Option<u64>);

/// The instances shown last. Holds nothing an access decision rests on, and no pixels.
#[derive(Default)]
pub(crate) struct ShownLast {
    kept: Mutex<VecDeque<(Key, Arc<Shown>)>>,
}

impl ShownLast {
    /// This instance, ready to be shown.
    pub(crate) async fn get(&self, state: &ViewerState, held: Held) -> Result<Arc<Shown>> {
        let key = (held.record.digests.file, held.transfer_syntax_uid.clone(), held.pack());
        if let Some(shown) = self.find(&key) {
            return Ok(shown);
        }
        let (document, document_bytes) = Document::of(state, &held).await?;
        let source = FrameSource::open(state, held).await?;
        let small = document_bytes <= DOCUMENT_BYTES_MAX && !source.is_inflated();
        let shown = Arc::new(Shown { document, source });
        if small {
            let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
            kept.push_front((key, Arc::clone(&shown)));
            kept.truncate(KEPT_MAX);
        }
        Ok(shown)
    }

    fn find(&self, key: &Key) -> Option<Arc<Shown>> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let at = kept.iter().position(|(of, _)| of == key)?;
        let found = kept.remove(at)?;
        let shown = Arc::clone(&found.1);
        kept.push_front(found);
        Some(shown)
    }
}
