//! A held file in another transfer syntax, written on a blocking thread and sent as it comes.
//!
//! The thread has a place among the decoders while it works and gives it back while it waits for a slow client: what waits
//! is at most [`WAITING_CHUNKS_MAX`] chunks, whatever the size of the file.

use std::io::{self, Write};

use archive::Held;
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use tokio::runtime::Handle;
use tokio::sync::{mpsc, oneshot};
use transcode::data_set::{EXPLICIT_VR_LITTLE_ENDIAN as EXPLICIT_LITTLE, Limits};
use transcode::outgoing::Outgoing;

use super::HeldFile;
use crate::audit::{Access, Counts};
use crate::error::{Error, Result};
use crate::multipart::ByteStream;
use crate::pool::{Place, Pool};
use crate::state::ViewerState;

/// Bytes sent at once.
const CHUNK_BYTES: usize = 256 << 10;
/// Chunks that wait for the client.
const WAITING_CHUNKS_MAX: usize = 4;

/// What of a file is written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// All of it, in this transfer syntax.
    File(String),
    /// The value of Pixel Data, native and little-endian.
    PixelData,
}

/// A file that has been looked at and is being written.
pub(super) struct Transcoded {
    chunks: mpsc::Receiver<Result<Bytes>>,
    access: Access,
}

/// Looks at a file and begins to write it.
///
/// # Errors
/// [`Error::Pixels`], before anything is sent, for what cannot be written so: the first frame is decoded here.
pub(super) async fn begin(state: &ViewerState, held: Held, what: What, access: Access) -> Result<Transcoded> {
    let name = format!("instance {}", held.record.description.instance.sop_instance_uid);
    let pool = state.pool().clone();
    let place = pool.place().await?;
    let file = HeldFile::new(state.reader().clone(), held, Handle::current());
    let (sender, chunks) = mpsc::channel(WAITING_CHUNKS_MAX);
    let (opened, is_open) = oneshot::channel();
    let out =
        Out { sender, chunk: Vec::with_capacity(CHUNK_BYTES), pool, place: Some(place), runtime: Handle::current() };
    let written = name.clone();
    tokio::task::spawn_blocking(move || {
        let work = std::panic::AssertUnwindSafe(|| write(file, &what, &written, out, opened));
        if std::panic::catch_unwind(work).is_err() {
            tracing::error!(instance = %written, "writing it in another transfer syntax panicked");
        }
    });
    // A panic drops the sender.
    is_open.await.map_err(|_| Error::Panicked(name))??;
    Ok(Transcoded { chunks, access })
}

impl Transcoded {
    /// The bytes as they come. The access is counted before the first one, their number after the last.
    pub(super) fn stream(self) -> ByteStream {
        let Transcoded { chunks, access } = self;
        let next = |(mut chunks, access, sent): (mpsc::Receiver<Result<Bytes>>, Access, Option<u64>)| async move {
            if sent.is_none() {
                access.serve(Counts { instances: 1, frames: 0, bytes: 0 }).await?;
            }
            match chunks.recv().await {
                Some(chunk) => {
                    let chunk = chunk?;
                    let sent = sent.unwrap_or(0) + chunk.len() as u64;
                    Ok(Some((chunk, (chunks, access, Some(sent)))))
                }
                None => {
                    access.serve(Counts { instances: 0, frames: 0, bytes: sent.unwrap_or(0) }).await?;
                    Ok(None)
                }
            }
        };
        stream::try_unfold((chunks, access, None), next).boxed()
    }
}

/// As [`begin`] and [`Transcoded::stream`], once the turn of this part has come.
pub(super) fn lazy(state: &ViewerState, held: Held, what: What, access: Access) -> ByteStream {
    let state = state.clone();
    let begun = async move { begin(&state, held, what, access).await.map(Transcoded::stream) };
    stream::once(begun)
        .map(|begun| match begun {
            Ok(bytes) => bytes,
            Err(error) => stream::once(async { Err(error) }).boxed(),
        })
        .flatten()
        .boxed()
}

fn write(file: HeldFile, what: &What, name: &str, mut out: Out, opened: oneshot::Sender<Result<()>>) {
    let target = match what {
        What::File(uid) => uid,
        What::PixelData => EXPLICIT_LITTLE,
    };
    let wrong = |error: transcode::Error| Error::Pixels { what: name.to_owned(), detail: error.to_string() };
    let outgoing = match Outgoing::open(file, target, &Limits::default()) {
        Ok(outgoing) => outgoing,
        Err(error) => return drop(opened.send(Err(wrong(error)))),
    };
    // Nobody waits any more: nobody is to be written for.
    if opened.send(Ok(())).is_err() {
        return;
    }
    let written = match what {
        What::File(_) => outgoing.write(&mut out),
        What::PixelData => outgoing.write_pixel_data(&mut out),
    };
    match written {
        Ok(()) => drop(out.flush()),
        Err(error) => drop(out.give(Err(wrong(error)))),
    }
}

/// Bytes to a channel, in chunks.
struct Out {
    sender: mpsc::Sender<Result<Bytes>>,
    chunk: Vec<u8>,
    pool: Pool,
    place: Option<Place>,
    runtime: Handle,
}

impl Out {
    fn give(&mut self, chunk: Result<Bytes>) -> io::Result<()> {
        let gone = |_| io::Error::new(io::ErrorKind::BrokenPipe, "the client has gone");
        match self.sender.try_send(chunk) {
            Ok(()) => Ok(()),
            Err(mpsc::error::TrySendError::Closed(_)) => Err(gone(())),
            Err(mpsc::error::TrySendError::Full(chunk)) => {
                // Others decode meanwhile.
                self.place = None;
                self.sender.blocking_send(chunk).map_err(|_| gone(()))?;
                self.place = Some(self.runtime.block_on(self.pool.place()).map_err(io::Error::other)?);
                Ok(())
            }
        }
    }
}

impl Write for Out {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = CHUNK_BYTES.saturating_sub(self.chunk.len()).min(bytes.len());
        self.chunk.extend_from_slice(bytes.get(..room).unwrap_or_default());
        if self.chunk.len() >= CHUNK_BYTES {
            self.flush()?;
        }
        Ok(room)
    }

    fn flush(&mut self) -> io::Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        let full = std::mem::replace(&mut self.chunk, Vec::with_capacity(CHUNK_BYTES));
        self.give(Ok(Bytes::from(full)))
    }
}
