//! The body of an answer, laid out before any of it is read: every length is known, and any range of it can be sent.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use archive::{Located, POSITIONED_BYTES_MAX};
use axum::body::Body;
use bytes::Bytes;
use futures::stream::{self, StreamExt};

use super::choice::Form;
use super::made::made;
use crate::audit::{Access, Counts};
use crate::error::{Error, Result};
use crate::multipart;
use crate::shown::Shown;
use crate::state::ViewerState;

/// A stretch of a body.
#[derive(Clone, Debug)]
struct Piece {
    what: What,
    /// First byte of it that goes out.
    from: u64,
    length: u64,
    /// Whether a frame begins with it.
    begins: bool,
}

#[derive(Clone, Debug)]
enum What {
    /// What stands between frames.
    Framing(Bytes),
    /// A frame, or a fragment of one, in the file: `from` is a byte of that.
    Held,
    /// A frame that is in memory.
    Ready(Bytes),
    /// A frame that is decoded when its turn comes.
    Native(u32),
}

/// What a body is of, piece by piece.
#[derive(Clone, Debug, Default)]
pub(super) struct Pieces {
    pieces: VecDeque<Piece>,
    length: u64,
}

impl Pieces {
    /// Bytes of the whole body.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Bytes between frames.
    pub(super) fn framing(&mut self, bytes: Bytes) {
        let length = bytes.len() as u64;
        self.push(What::Framing(bytes), 0, length, false);
    }

    /// Bytes of the file as held.
    pub(super) fn held(&mut self, span: Range<u64>, begins: bool) {
        self.push(What::Held, span.start, span.end.saturating_sub(span.start), begins);
    }

    /// A frame in memory.
    pub(super) fn ready(&mut self, frame: Bytes) {
        let length = frame.len() as u64;
        self.push(What::Ready(frame), 0, length, true);
    }

    /// A frame to be decoded, of so many bytes.
    pub(super) fn native(&mut self, number: u32, length: u64) {
        self.push(What::Native(number), 0, length, true);
    }

    /// All pieces of another body.
    pub(super) fn append(&mut self, mut other: Pieces) {
        self.length += other.length;
        self.pieces.append(&mut other.pieces);
    }

    fn push(&mut self, what: What, from: u64, length: u64, begins: bool) {
        self.length += length;
        self.pieces.push_back(Piece { what, from, length, begins });
    }

    /// The first so many bytes: a codestream up to a resolution level.
    pub(super) fn cut(self, length: u64) -> Pieces {
        self.part(&(0..length))
    }

    /// A range of the body.
    pub(super) fn part(self, range: &Range<u64>) -> Pieces {
        let mut out = Pieces::default();
        let mut at = 0;
        for piece in self.pieces {
            let (start, end) = (range.start.max(at), range.end.min(at + piece.length));
            if start < end {
                let skipped = start - at;
                out.push(piece.what, piece.from + skipped, end - start, piece.begins && skipped == 0);
            }
            at += piece.length;
        }
        out
    }
}

/// Sends pieces one after another, each counted before it goes out.
pub(super) struct Sender {
    pub(super) state: ViewerState,
    pub(super) located: Arc<Located>,
    pub(super) shown: Option<Arc<Shown>>,
    pub(super) access: Access,
    pub(super) pieces: Pieces,
}

impl Sender {
    /// The body. What a first read brings is read before the status is said: what cannot be read is an answer then, not a
    /// body that breaks off.
    ///
    /// # Errors
    /// When the first bytes cannot be read, or not be recorded.
    pub(super) async fn body(mut self) -> Result<Body> {
        let mut ready: Vec<Bytes> = Vec::with_capacity(self.pieces.pieces.len().min(4));
        let mut bytes = 0;
        while bytes < POSITIONED_BYTES_MAX {
            let Some(next) = self.next().await? else {
                return Ok(match <[Bytes; 1]>::try_from(ready) {
                    Ok([one]) => Body::from(one),
                    Err(several) => Body::from_stream(stream::iter(several.into_iter().map(Ok::<_, Error>))),
                });
            };
            bytes += next.len() as u64;
            ready.push(next);
        }
        let rest = stream::try_unfold(self, async |mut sender| Ok(sender.next().await?.map(|bytes| (bytes, sender))));
        let whole = stream::iter(ready.into_iter().map(Ok)).chain(rest);
        Ok(Body::from_stream(multipart::log_failure(whole)))
    }

    async fn next(&mut self) -> Result<Option<Bytes>> {
        let Some(mut piece) = self.pieces.pieces.pop_front() else { return Ok(None) };
        let framing = matches!(piece.what, What::Framing(_));
        // What is compressed in the pack is decompressed from its beginning: once a piece.
        let step = if self.located.bytes.is_read_in_place() { POSITIONED_BYTES_MAX } else { u64::MAX };
        let length = if matches!(piece.what, What::Held) { piece.length.min(step) } else { piece.length };
        let range = piece.from..piece.from.saturating_add(length);
        let bytes = match &piece.what {
            What::Framing(bytes) | What::Ready(bytes) => slice(bytes, &range)?,
            What::Held => self.state.reader().read_bytes(&self.located.bytes, range).await?,
            What::Native(number) => slice(&self.decoded(*number).await?, &range)?,
        };
        if !framing {
            let counts = Counts { instances: 0, frames: u64::from(piece.begins), bytes: length };
            self.access.serve(counts).await?;
        }
        if length < piece.length {
            piece.from += length;
            piece.length -= length;
            piece.begins = false;
            self.pieces.pieces.push_front(piece);
        }
        Ok(Some(bytes))
    }

    async fn decoded(&self, number: u32) -> Result<Bytes> {
        let shown = self.shown.as_ref().ok_or_else(|| Error::NotFound(format!("frame {number}")))?;
        made(&self.state, shown, number, Form::Native).await
    }
}

/// A range of bytes that must be there: a length was promised for them.
fn slice(bytes: &Bytes, range: &Range<u64>) -> Result<Bytes> {
    let place = |at: u64| usize::try_from(at).ok().filter(|at| *at <= bytes.len());
    match (place(range.start), place(range.end)) {
        (Some(start), Some(end)) => Ok(bytes.slice(start..end)),
        _ => {
            let detail = format!("it has {} bytes, which is not what its Data Set says", bytes.len());
            Err(Error::Pixels { what: "the decoded frame".into(), detail })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_of_a_body_are_the_body_however_it_is_cut() {
        // Proves that pieces cut at every place add up, and that each frame begins exactly once.
        let mut pieces = Pieces::default();
        pieces.framing(Bytes::from_static(b"head"));
        pieces.held(100..107, true);
        pieces.held(120..123, false);
        pieces.framing(Bytes::from_static(b"-"));
        pieces.ready(Bytes::from_static(b"frame"));
        pieces.native(3, 6);
        let total = pieces.length();
        assert_eq!(total, 4 + 7 + 3 + 1 + 5 + 6);
        let begun = |part: &Pieces| part.pieces.iter().filter(|piece| piece.begins).count();
        for cut in 0..=total {
            let (head, tail) = (pieces.clone().part(&(0..cut)), pieces.clone().part(&(cut..total)));
            assert_eq!((head.length(), tail.length()), (cut, total - cut));
            assert_eq!(begun(&head) + begun(&tail), 3, "cut at {cut}");
            let held = |part: &Pieces| -> Vec<u64> {
                let of_file = part.pieces.iter().filter(|piece| matches!(piece.what, What::Held));
                of_file.flat_map(|piece| piece.from..piece.from + piece.length).collect()
            };
            assert_eq!([held(&head), held(&tail)].concat(), held(&pieces), "cut at {cut}");
        }
        assert_eq!(pieces.clone().part(&(2..2)).length(), 0);
        assert_eq!(pieces.cut(6).length(), 6);
    }
}
