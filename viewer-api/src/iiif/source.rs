//! Where the bytes of a picture's frames are, in as little memory as there can be 100,000 of them.

use std::sync::Arc;

use archive::{FrameSpan, FrameTable, Held, Rendition};
use bytes::Bytes;
use transcode::data_set::DEFLATED_EXPLICIT_VR_LITTLE_ENDIAN as DEFLATED;
use transcode::viewing_copy;

use super::Desk;
use crate::error::{Error, Result};
use crate::shown::Shown;
use crate::wado::FrameSource;

/// Bytes of one frame that are read into memory at the most.
const FRAME_BYTES_MAX: u64 = 512 << 20;
/// Frames of an instance whose resolution levels are kept in mind; of more, frames are small and read whole.
const LEVELS_KEPT_FRAMES_MAX: usize = 1024;

/// The frames of one instance.
pub(crate) struct Part {
    held: Held,
    /// Frames of the concatenation before it.
    pub(crate) frames_before: u32,
    /// The number of the first of `spans`, from 1.
    first: u32,
    spans: Vec<Span>,
    /// Ends of the resolution levels of each frame, `levels` of them a frame.
    ends: Vec<u64>,
    levels: usize,
    from: From,
}

/// What is read.
enum From {
    Held,
    /// A viewing copy, which has resolution levels where the file as held has none.
    Copy(Box<Rendition>),
    /// What has been inflated.
    Shown(Arc<Shown>),
}

#[derive(Clone, Copy)]
struct Span {
    offset: u64,
    length: u64,
    fragments: u32,
}

impl Part {
    /// One frame of an instance, and how often its edges can be halved; of the viewing copy where there is one.
    pub(crate) fn of_frame(desk: &Desk<'_>, shown: &Arc<Shown>, number: u32) -> Result<(Part, u8)> {
        let held = &shown.source.held;
        let copy = if viewing_copy::is_wanted(&held.transfer_syntax_uid) { desk.viewing_copy(held)? } else { None };
        let (mut held, mut from) = (held.clone(), From::Held);
        let mut table = match copy {
            Some(copy) => {
                let table = desk.rendition_frames(&copy)?;
                held.transfer_syntax_uid.clone_from(&copy.record.transfer_syntax_uid);
                from = From::Copy(Box::new(copy));
                table
            }
            None => desk.frames(&held)?,
        };
        if held.transfer_syntax_uid == DEFLATED {
            from = From::Shown(Arc::clone(shown));
        }
        let index = (number as usize).saturating_sub(1);
        table.frames = table.frames.into_iter().skip(index).take(1).collect();
        let mut part = Part::new(held, &table, 0, from);
        part.first = number;
        let reductions = match part.levels.checked_sub(1) {
            Some(reductions) => reductions.min(32) as u8,
            None if part.is_high_throughput() => {
                transcode::reductions(part.transfer_syntax_uid(), &part.frame(desk, number, 0)?)
            }
            None => 0,
        };
        Ok((part, reductions))
    }

    /// All frames of an instance.
    ///
    /// # Errors
    /// For a deflated one, which would have to be inflated again and again.
    pub(crate) fn of_instance(held: &Held, table: &FrameTable, frames_before: u32) -> Result<Part> {
        if held.transfer_syntax_uid == DEFLATED {
            let what = format!("instance {}", held.record.description.instance.sop_instance_uid);
            return Err(Error::Pixels { what, detail: "tiles in a deflated Data Set are not shown".into() });
        }
        Ok(Part::new(held.clone(), table, frames_before, From::Held))
    }

    fn new(held: Held, table: &FrameTable, frames_before: u32, from: From) -> Part {
        let frames = &table.frames;
        let levels = frames.first().map_or(0, |frame| frame.resolution_ends.len());
        let levels = if frames.len() > LEVELS_KEPT_FRAMES_MAX { 0 } else { levels };
        let span = |&FrameSpan { offset, length, fragments, .. }: &FrameSpan| Span { offset, length, fragments };
        let ends = match levels {
            0 => Vec::new(),
            _ => frames.iter().flat_map(|frame| frame.resolution_ends.iter().copied()).collect(),
        };
        Part { held, frames_before, first: 1, spans: frames.iter().map(span).collect(), ends, levels, from }
    }

    /// Bytes it takes up in memory.
    pub(crate) fn bytes(&self) -> usize {
        2048 + self.spans.len() * size_of::<Span>() + self.ends.len() * 8
    }

    /// Whether there is a frame of this number.
    pub(crate) fn has(&self, number: u32) -> bool {
        number.checked_sub(self.first).is_some_and(|index| (index as usize) < self.spans.len())
    }

    /// Whether its frames can be decoded in part.
    pub(crate) fn is_high_throughput(&self) -> bool {
        transcode::is_high_throughput(&self.held.transfer_syntax_uid)
    }

    /// Transfer Syntax UID of its frames.
    pub(crate) fn transfer_syntax_uid(&self) -> &str {
        &self.held.transfer_syntax_uid
    }

    /// The instance in words, for a sentence.
    pub(crate) fn sentence(&self, number: u32) -> String {
        format!("frame {number} of instance {}", self.held.record.description.instance.sop_instance_uid)
    }

    /// The bytes of frame `number` (from 1), its fragments joined; no more of it than the resolution needs that leaves out
    /// the `reduce` highest levels. On a blocking thread.
    pub(crate) fn frame(&self, desk: &Desk<'_>, number: u32, reduce: u8) -> Result<Bytes> {
        let what = || self.sentence(number);
        let index = number.checked_sub(self.first).ok_or_else(|| Error::NotFound(what()))? as usize;
        let span = *self.spans.get(index).ok_or_else(|| Error::NotFound(what()))?;
        if span.length > FRAME_BYTES_MAX {
            return Err(Error::TooLarge { what: what(), bytes: span.length, limit: FRAME_BYTES_MAX });
        }
        match &self.from {
            From::Shown(shown) => return desk.wait(shown.source.bytes(desk.state, number, 0)),
            From::Held if span.fragments > 1 => {
                let source = desk.wait(FrameSource::open(desk.state, self.held.clone()))?;
                return desk.wait(source.bytes(desk.state, number, 0));
            }
            _ => {}
        }
        let level = self.levels.checked_sub(1 + usize::from(reduce));
        let end = level.and_then(|level| self.ends.get(index * self.levels + level));
        let length = end.copied().unwrap_or(span.length).min(span.length);
        let range = span.offset..span.offset.saturating_add(length);
        let bytes = match &self.from {
            From::Copy(copy) => desk.wait(desk.state.reader().read_rendition(copy, Some(range)))?,
            _ => desk.wait(desk.state.reader().read(&self.held, Some(range)))?,
        };
        if bytes.len() as u64 != length {
            let detail = format!("{} bytes of {length} are there", bytes.len());
            return Err(archive::Error::Damaged { what: what(), detail }.into());
        }
        Ok(bytes)
    }
}
