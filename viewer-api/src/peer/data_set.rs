//! The Data Set of an instance in a transfer syntax: its bytes as held where that is the one, the received file rebuilt
//! where it is that, and only then elements or pixels written anew.

use std::io::{self, Read, Seek, SeekFrom, Write};

use archive::{Held, HeldForm};
use bytes::Bytes;
use futures::stream::{self, StreamExt};
use sha2::{Digest, Sha256};
use tokio::runtime::Handle;
use transcode::data_set::{Encoding, Limits, Part10, scan};

use super::spool::{Spool, Spooled};
use super::{DataSetStream, PeerInstance, permitted};
use crate::access::{Permission, Principal};
use crate::audit::{Counts, Purpose, Rendition};
use crate::error::{Error, Result};
use crate::state::ViewerState;
use crate::wado::HeldFile;

/// Bytes read at once, and so held in memory for each association.
const RANGE_BYTES: u64 = 1 << 20;

/// Native transfer syntaxes, little-endian.
const PLAIN: [&str; 2] = ["1.2.840.10008.1.2.1", "1.2.840.10008.1.2"];

/// Where the Data Set lies in a file: from, to.
type Span = (u64, u64);

impl ViewerState {
    /// Opens an instance in this transfer syntax. What has to be made is made before this answers, so that what cannot be
    /// made costs no association. The access is durable before the first byte is given.
    ///
    /// # Errors
    /// [`Error::Forbidden`], [`Error::NotFound`], or why it cannot be had.
    pub async fn open_for_peer(
        &self,
        principal: &Principal,
        instance: &PeerInstance,
        transfer_syntax: &str,
    ) -> Result<DataSetStream> {
        permitted(principal, Permission::Download)?;
        let (study, uid) = (&instance.study_instance_uid, &instance.sop_instance_uid);
        let held = self.reader().instance(study, &instance.series_instance_uid, uid).await?;
        let held = held.ok_or_else(|| Error::NotFound(format!("instance {uid}")))?;
        let opened = self.opened(&held, transfer_syntax).await?;
        let access = self.audit().access(principal, study, Rendition::Download, Purpose::default()).await?;
        access.serve(Counts { instances: 1, frames: 0, bytes: opened.bytes() }).await?;
        let is_odd = !opened.bytes().is_multiple_of(2);
        let data_set = match opened {
            Opened::Held(span) => self.held_stream(held, span),
            Opened::Made(file, span) => made_stream(file, span),
        };
        // PS3.5 §A.5: a deflated Data Set of odd length is padded with one NUL.
        let pad = stream::iter(is_odd.then_some(Ok(Bytes::from_static(&[0]))));
        Ok(if is_odd { data_set.chain(pad).boxed() } else { data_set })
    }

    async fn opened(&self, held: &Held, transfer_syntax: &str) -> Result<Opened> {
        let what = format!("instance {}", held.record.description.instance.sop_instance_uid);
        let place = self.pool().place().await?;
        let spool = Spool::new(self.reader().layout().spool());
        let file = HeldFile::new(self.reader().clone(), held.clone(), Handle::current());
        let (syntax, name) = (transfer_syntax.to_owned(), what.clone());
        let received = &held.record.description.instance.transfer_syntax_uid;
        if syntax != held.transfer_syntax_uid && held.form == HeldForm::Packed && syntax == *received {
            let (recipe, part10) = (self.reader().recipe(held).await?, self.reader().read(held, None).await?);
            let recipe = recipe.ok_or_else(|| damaged(&name, "its recipe is missing"))?;
            let digest = held.record.digests.file;
            return place.run(&what, move || rebuilt(&name, &part10, &recipe, digest, spool, &syntax)).await;
        }
        let is_held = syntax == held.transfer_syntax_uid;
        let work = move || match is_held {
            true => as_held(&name, file, spool, &syntax),
            false => made(&name, file, spool, &syntax),
        };
        place.run(&what, work).await
    }

    /// Ranges of the file as it is held.
    fn held_stream(&self, held: Held, (from, to): Span) -> DataSetStream {
        let reader = self.reader().clone();
        // A compressed file cannot be read from the middle: all of it at once, rather than its beginning again and again.
        let step = if held.form == HeldForm::ReceivedZstd { u64::MAX } else { RANGE_BYTES };
        let next = move |at: u64| {
            let (reader, held) = (reader.clone(), held.clone());
            async move {
                if at >= to {
                    return Ok(None);
                }
                let bytes = reader.read(&held, Some(at..at.saturating_add(step).min(to))).await?;
                if bytes.is_empty() {
                    let what = format!("instance {}", held.record.description.instance.sop_instance_uid);
                    return Err(damaged(&what, "it ends too early"));
                }
                let end = at + bytes.len() as u64;
                Ok(Some((bytes, end)))
            }
        };
        stream::try_unfold(from, next).boxed()
    }
}

/// What will be sent.
enum Opened {
    /// This span of the file as held.
    Held(Span),
    /// This span of a file that was made.
    Made(Spooled, Span),
}

impl Opened {
    fn bytes(&self) -> u64 {
        let (Opened::Held((from, to)) | Opened::Made(_, (from, to))) = self;
        to - from
    }
}

/// Where the Data Set lies, if it is encoded as its transfer syntax says and, unless deflated, of even length, without
/// which it fits no fragments (PS3.8 §9.3.5.1). Padding behind it is left out.
fn span(part10: &Part10) -> Option<Span> {
    let is_true = part10.deflated || part10.encoding == Encoding::of(&part10.transfer_syntax_uid);
    let end = if part10.deflated { part10.length } else { part10.data_set_end };
    let is_even = end.checked_sub(part10.data_set_offset).is_some_and(|length| length.is_multiple_of(2));
    (is_true && (is_even || part10.deflated)).then_some((part10.data_set_offset, end))
}

fn as_held(name: &str, mut file: HeldFile, spool: Spool, transfer_syntax: &str) -> Result<Opened> {
    let part10 = scan(&mut file, &Limits::default()).map_err(|error| damaged(name, error))?;
    match span(&part10) {
        Some(span) => Ok(Opened::Held(span)),
        None => made(name, file, spool, transfer_syntax),
    }
}

/// The received file, given only if its digest is the one that was taken in.
fn rebuilt(
    name: &str,
    part10: &[u8],
    recipe: &[u8],
    digest: [u8; 32],
    spool: Spool,
    transfer_syntax: &str,
) -> Result<Opened> {
    let mut hashing = Hashing { spool, digest: Sha256::new() };
    transcode::recipe::rebuild_to(part10, recipe, &mut hashing).map_err(|error| damaged(name, error))?;
    if <[u8; 32]>::from(hashing.digest.finalize()) != digest {
        return Err(damaged(name, "what was rebuilt is not what was received"));
    }
    let dir = hashing.spool.dir().to_owned();
    let mut file = hashing.spool.finish().map_err(|error| damaged(name, error))?;
    let received = scan(&mut file, &Limits::default()).map_err(|error| damaged(name, error))?;
    match span(&received) {
        Some(span) => Ok(Opened::Made(file, span)),
        None => made(name, file, Spool::new(dir), transfer_syntax),
    }
}

/// Written anew in another transfer syntax.
fn made(name: &str, from: impl Read + Seek, spool: Spool, transfer_syntax: &str) -> Result<Opened> {
    let dir = spool.dir().to_owned();
    let (file, span) = written(name, from, spool, transfer_syntax)?;
    if let Some(span) = span {
        return Ok(Opened::Made(file, span));
    }
    // It has this transfer syntax already, and values of odd length: by way of the other plain one they are padded.
    let other = PLAIN.into_iter().find(|uid| *uid != transfer_syntax).filter(|_| PLAIN.contains(&transfer_syntax));
    let other = other.ok_or_else(|| damaged(name, "its Data Set is of odd length"))?;
    let (between, _) = written(name, file, Spool::new(dir.clone()), other)?;
    let (file, span) = written(name, between, Spool::new(dir), transfer_syntax)?;
    Ok(Opened::Made(file, span.ok_or_else(|| damaged(name, "its Data Set is of odd length"))?))
}

fn written(
    name: &str,
    mut from: impl Read + Seek,
    mut spool: Spool,
    transfer_syntax: &str,
) -> Result<(Spooled, Option<Span>)> {
    from.seek(SeekFrom::Start(0)).map_err(|error| damaged(name, error))?;
    let written = transcode::outgoing::write_as(&mut from, transfer_syntax, &Limits::default(), &mut spool);
    written.map_err(|error| Error::Pixels { what: name.to_owned(), detail: error.to_string() })?;
    let mut file = spool.finish().map_err(|error| damaged(name, error))?;
    let part10 = scan(&mut file, &Limits::default()).map_err(|error| damaged(name, error))?;
    Ok((file, span(&part10)))
}

/// Pieces of a file that was made; it goes when they have gone.
fn made_stream(file: Spooled, (from, to): Span) -> DataSetStream {
    let next = move |(mut file, at): (Spooled, u64)| async move {
        if at >= to {
            return Ok(None);
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut piece = Vec::new();
            file.seek(SeekFrom::Start(at))?;
            (&mut file).take((to - at).min(RANGE_BYTES)).read_to_end(&mut piece)?;
            io::Result::Ok((file, piece))
        });
        let failed = |error: String| damaged("a file made for a peer", error);
        let (file, piece) = read.await.map_err(|e| failed(e.to_string()))?.map_err(|e| failed(e.to_string()))?;
        if piece.is_empty() {
            return Err(failed("it ends too early".into()));
        }
        let end = at + piece.len() as u64;
        Ok(Some((Bytes::from(piece), (file, end))))
    };
    stream::try_unfold((file, from), next).boxed()
}

fn damaged(what: &str, detail: impl ToString) -> Error {
    Error::Archive(archive::Error::Damaged { what: what.to_owned(), detail: detail.to_string() })
}

struct Hashing {
    spool: Spool,
    digest: Sha256,
}

impl Write for Hashing {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.digest.update(bytes);
        self.spool.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.spool.flush()
    }
}
