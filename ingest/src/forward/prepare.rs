//! One instance made ready to be sent: what its file is, and its bytes as a stream.

use std::io::{BufWriter, Read, Seek, SeekFrom};
use std::ops::Range;
use std::path::Path;

use archive::Body;
use bytes::Bytes;
use futures::stream::{self, Stream, StreamExt};
use tempfile::NamedTempFile;
use transcode::data_set::{self, Limits, Tag};
use transcode::outgoing::write_as;

use super::source::Outgoing;

/// Bytes read at a time.
const CHUNK_BYTES: usize = 1 << 20;
const SOP_CLASS_UID: Tag = Tag(0x0008, 0x0016);
const SOP_INSTANCE_UID: Tag = Tag(0x0008, 0x0018);

/// An instance ready to be sent.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// What it is known by.
    pub instance: Outgoing,
    /// Transfer syntax of its Data Set.
    pub transfer_syntax_uid: String,
    /// The Part 10 file.
    pub file: Body,
    /// Where the Data Set lies in it.
    data_set: Range<u64>,
    /// What stands before it where the file has no meta group of its own.
    pub meta: Option<Bytes>,
}

impl Prepared {
    /// Looks into a file; off the async threads.
    ///
    /// # Errors
    /// A sentence, where it is no DICOM file or another instance than it should be.
    pub async fn of(instance: Outgoing, file: Body) -> Result<Prepared, String> {
        let look = move || Prepared::look(instance, file);
        tokio::task::spawn_blocking(look).await.map_err(|error| error.to_string())?
    }

    /// As [`Prepared::of`], at once.
    pub fn look(mut instance: Outgoing, file: Body) -> Result<Prepared, String> {
        let mut reader = file.reader().map_err(|error| error.to_string())?;
        let part10 = data_set::scan(&mut reader, &Limits::default()).map_err(|error| error.to_string())?;
        let uid = |tag| part10.data_set.uid(tag).unwrap_or_default().to_owned();
        let found = uid(SOP_INSTANCE_UID);
        if found != instance.sop_instance_uid {
            return Err("its file holds another SOP Instance UID than it is known by".into());
        }
        instance.sop_class_uid = uid(SOP_CLASS_UID);
        // A deflated Data Set has its end in another count; what follows the others is padding of the file.
        let end = if part10.deflated { part10.length } else { part10.data_set_end };
        let meta = part10.meta.elements.is_empty().then(|| {
            let meta = crate::dimse::Meta {
                sop_class_uid: &instance.sop_class_uid,
                sop_instance_uid: &instance.sop_instance_uid,
                transfer_syntax_uid: &part10.transfer_syntax_uid,
                calling_ae_title: "",
            };
            Bytes::from(meta.to_bytes())
        });
        let data_set = part10.data_set_offset..end;
        Ok(Prepared { instance, transfer_syntax_uid: part10.transfer_syntax_uid, file, data_set, meta })
    }

    /// The same instance in another transfer syntax, its pixels with the numbers they have; off the async threads.
    ///
    /// # Errors
    /// A sentence, where it cannot be written so.
    pub async fn in_syntax(&self, target: &str, spool: &Path) -> Result<Prepared, String> {
        let (one, target, spool) = (self.clone(), target.to_owned(), spool.to_owned());
        let write = move || {
            let mut reader = one.file.reader().map_err(|error| error.to_string())?;
            let mut out = NamedTempFile::new_in(&spool).map_err(|error| error.to_string())?;
            write_as(&mut reader, &target, &Limits::default(), &mut BufWriter::new(&mut out))
                .map_err(|error| error.to_string())?;
            let file = Body::spooled(out).map_err(|error| error.to_string())?;
            Prepared::look(one.instance, file)
        };
        tokio::task::spawn_blocking(write).await.map_err(|error| error.to_string())?
    }

    /// The Data Set alone.
    pub fn data_set(&self) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin + use<> {
        stream_of(self.file.clone(), self.data_set.clone())
    }

    /// The Part 10 file, with a meta group where it had none.
    pub fn part10(&self) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin + use<> {
        let range = if self.meta.is_some() { self.data_set.clone() } else { 0..self.file.len() };
        stream::iter(self.meta.clone().map(Ok)).chain(stream_of(self.file.clone(), range))
    }

    /// Bytes of [`Prepared::part10`].
    pub fn part10_bytes(&self) -> u64 {
        match &self.meta {
            Some(meta) => meta.len() as u64 + (self.data_set.end - self.data_set.start),
            None => self.file.len(),
        }
    }
}

/// A range of a file, a chunk in memory at a time.
fn stream_of(file: Body, range: Range<u64>) -> impl Stream<Item = std::io::Result<Bytes>> + Send + Unpin + use<> {
    let next = move |at: u64| {
        let (file, end) = (file.clone(), range.end);
        async move {
            if at >= end {
                return None;
            }
            let length = (end - at).min(CHUNK_BYTES as u64) as usize;
            match chunk(file, at, length).await {
                Ok(chunk) => Some((Ok(chunk), at + length as u64)),
                Err(error) => Some((Err(error), end)),
            }
        }
    };
    stream::unfold(range.start, next).boxed()
}

async fn chunk(file: Body, at: u64, length: usize) -> std::io::Result<Bytes> {
    if let Body::Memory(bytes) = &file {
        let range = usize::try_from(at).ok().and_then(|at| Some(at..at.checked_add(length)?));
        let fits = range.filter(|range| range.end <= bytes.len());
        return fits.map(|range| bytes.slice(range)).ok_or_else(|| std::io::ErrorKind::UnexpectedEof.into());
    }
    let read = move || {
        let mut reader = file.reader()?;
        reader.seek(SeekFrom::Start(at))?;
        let mut bytes = vec![0; length];
        reader.read_exact(&mut bytes)?;
        Ok(bytes.into())
    };
    tokio::task::spawn_blocking(read).await.unwrap_or_else(|error| Err(error.into()))
}
