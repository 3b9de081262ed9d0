//! The frames of an instance, whole and one by one: for drawing, and for what is inflated first.

use archive::{FrameSpan, Held};
use bytes::{Bytes, BytesMut};
use tokio::runtime::Handle;
use transcode::data_set::{Limits, inflate, scan};

use super::{DEFLATED, ITEM_TAG};
use crate::error::{Error, Result};
use crate::state::ViewerState;
use crate::wado::HeldFile;

/// Bytes of one frame that are read into memory at the most.
pub(crate) const FRAME_BYTES_MAX: u64 = 512 << 20;

/// The frames of an instance, to be read one by one.
pub(crate) struct FrameSource {
    /// The instance.
    pub(crate) held: Held,
    spans: Vec<FrameSpan>,
    inflated: Option<Bytes>,
}

impl FrameSource {
    /// Finds out where the frames of an instance lie.
    pub(crate) async fn open(state: &ViewerState, held: Held) -> Result<FrameSource> {
        let spans = state.reader().frames(&held).await?.frames;
        let inflated = if held.transfer_syntax_uid == DEFLATED { Some(inflated(state, &held).await?) } else { None };
        Ok(FrameSource { held, spans, inflated })
    }

    /// Whether it holds an inflated Data Set in memory.
    pub(crate) fn is_inflated(&self) -> bool {
        self.inflated.is_some()
    }

    /// How many frames there are.
    pub(crate) fn count(&self) -> usize {
        self.spans.len()
    }

    /// How often the edges of frame `number` can be halved by reading less of it: 0 where it is not known where the
    /// resolution levels end.
    pub(crate) fn reductions(&self, number: u32) -> u8 {
        let span = (number as usize).checked_sub(1).and_then(|index| self.spans.get(index));
        let ends = span.filter(|span| span.fragments <= 1).map_or(0, |span| span.resolution_ends.len());
        let is_read_so = transcode::is_high_throughput(&self.held.transfer_syntax_uid) && self.inflated.is_none();
        if is_read_so { u8::try_from(ends.saturating_sub(1)).unwrap_or(0) } else { 0 }
    }

    /// The bytes of frame `number` (from 1), its fragments joined; of one whose edges are halved `reduce` times (at most
    /// [`FrameSource::reductions`]) as many as that takes.
    pub(crate) async fn bytes(&self, state: &ViewerState, number: u32, reduce: u8) -> Result<Bytes> {
        let uid = &self.held.record.description.instance.sop_instance_uid;
        let index = (number as usize).checked_sub(1);
        let what = || format!("frame {number} of instance {uid}");
        let span = index.and_then(|index| self.spans.get(index)).ok_or_else(|| Error::NotFound(what()))?;
        if span.length > FRAME_BYTES_MAX {
            return Err(Error::TooLarge { what: what(), bytes: span.length, limit: FRAME_BYTES_MAX });
        }
        let end = span.resolution_ends.iter().rev().nth(reduce.into()).filter(|_| reduce > 0);
        let length = end.copied().unwrap_or(span.length).min(span.length);
        let end = span.offset.saturating_add(length);
        let bytes = match &self.inflated {
            None => state.reader().read(&self.held, Some(span.offset..end)).await?,
            Some(inflated) => {
                let bound = |at: u64| usize::try_from(at).unwrap_or(usize::MAX).min(inflated.len());
                inflated.slice(bound(span.offset)..bound(end))
            }
        };
        if bytes.len() as u64 != length {
            let detail = format!("{} bytes of {length} are there", bytes.len());
            return Err(archive::Error::Damaged { what: what(), detail }.into());
        }
        if span.fragments > 1 { Ok(joined(&bytes)) } else { Ok(bytes) }
    }
}

/// The values of the fragments that a span of several covers, item headers taken out (PS3.5 §A.4).
pub(super) fn joined(items: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(items.len());
    let mut rest = items;
    while let Some((header, after)) = rest.split_first_chunk::<8>() {
        let length = u32::from_le_bytes([header[4], header[5], header[6], header[7]]) as usize;
        if header[..4] != ITEM_TAG {
            break;
        }
        let value = after.get(..length).unwrap_or(after);
        out.extend_from_slice(value);
        rest = after.get(length..).unwrap_or(&[]);
    }
    out.freeze()
}

/// A deflated Data Set has no frames in the file: they are in what it inflates to (PS3.5 Annex A.5).
async fn inflated(state: &ViewerState, held: &Held) -> Result<Bytes> {
    let what = format!("instance {}", held.record.description.instance.sop_instance_uid);
    let place = state.pool().place().await?;
    let mut file = HeldFile::new(state.reader().clone(), held.clone(), Handle::current());
    let name = what.clone();
    let work = move || {
        let limits = Limits::default();
        let part10 = scan(&mut file, &limits).and_then(|part10| inflate(&part10, &mut file, &limits));
        part10.map(Bytes::from).map_err(|error| Error::Pixels { what, detail: error.to_string() })
    };
    place.run(&name, work).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fragments_are_joined_and_cut_ones_do_not_panic() {
        let item = |value: &[u8]| [&ITEM_TAG[..], &(value.len() as u32).to_le_bytes(), value].concat();
        let items = [item(b"abcd"), item(b"ef")].concat();
        assert_eq!(joined(&items), "abcdef");
        for cut in 0..items.len() {
            assert!(b"abcdef".starts_with(&joined(&items[..cut])), "cut at {cut}");
        }
    }
}
