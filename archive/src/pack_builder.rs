//! Moving a study from intake to a pack.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::MutexGuard;

use crate::FrameTable;
use crate::error::{Error, Result};
use crate::pack::{HeldForm, NewInstance, PackData, PackWriter};
use crate::reader::{Held, Reader};
use crate::writer::Writer;

/// zstd level of files that are kept compressed: they are written once and kept for decades.
const ZSTD_LEVEL: i32 = 9;

/// In which form an instance goes into a pack.
#[derive(Clone, Debug)]
pub enum Form {
    /// As a Part 10 file of codestreams and the recipe that rebuilds the received file; the caller has proven it.
    Packed {
        /// The whole file.
        part10: Bytes,
        /// The recipe.
        recipe: Bytes,
        /// Where its frames lie.
        frames: FrameTable,
        /// Its Transfer Syntax UID.
        transfer_syntax_uid: String,
    },
    /// As received.
    Received,
    /// As received, compressed: the output of [`compress`].
    ReceivedZstd(Bytes),
    /// As the pack has it that holds it now, byte for byte; the caller has proven that it is sound.
    AsHeld,
}

/// Compresses a file that is to be kept as received.
///
/// # Errors
/// When the compressor fails.
pub fn compress(received: &[u8]) -> Result<Vec<u8>> {
    zstd::bulk::compress(received, ZSTD_LEVEL).map_err(|e| Error::Refused(format!("zstd: {e}")))
}

/// A pack in the making. Nothing of it is seen until [`PackBuilder::finish`]; dropped, it never was.
pub struct PackBuilder<'a> {
    writer: &'a Writer,
    pack: PackWriter,
    _turn: MutexGuard<'a, ()>,
}

impl<'a> PackBuilder<'a> {
    pub(crate) async fn begin(
        writer: &'a Writer,
        turn: MutexGuard<'a, ()>,
        number: u64,
        study_instance_uid: &str,
        created_at: &str,
    ) -> Result<PackBuilder<'a>> {
        let pack = PackWriter::begin(writer.objects(), number, study_instance_uid, created_at).await?;
        Ok(PackBuilder { writer, pack, _turn: turn })
    }

    /// Says whose instances the pack has. With [`PackBuilder::finish`] they move to it from there, and the packs are
    /// replaced: all their instances must have been added.
    ///
    /// # Errors
    /// When a pack cannot be read, or has instances that were not added.
    pub async fn replace(&mut self, reader: &Reader, packs: &[u64]) -> Result<()> {
        let (mut replaced, mut instances) = (packs.to_vec(), 0);
        for &number in packs {
            let directory = reader.directory(number).await?;
            replaced.extend(&directory.replaces);
            instances += directory.instances.len();
        }
        if instances != self.pack.instances() {
            let added = self.pack.instances();
            return Err(Error::Refused(format!("packs {packs:?} have {instances} instances, {added} were added")));
        }
        self.pack.replace(replaced)
    }

    /// Adds an instance that is in intake or in an older pack, with its DICOM JSON. Answers the bytes it will be held in.
    ///
    /// # Errors
    /// When it is of another study, cannot be read, or the object cannot be written.
    pub async fn add(&mut self, reader: &Reader, held: &Held, dicom_json: Bytes, form: Form) -> Result<u64> {
        let read =
            |range| -> futures::future::BoxFuture<'_, Result<Bytes>> { Box::pin(reader.read(held, Some(range))) };
        let read_entry =
            |range| -> futures::future::BoxFuture<'_, Result<Bytes>> { Box::pin(reader.read_entry(held, range)) };
        let as_received = held.transfer_syntax_uid.clone();
        let (form, data, recipe, frames, transfer_syntax_uid) = match form {
            Form::Packed { part10, recipe, frames, transfer_syntax_uid } => {
                (HeldForm::Packed, PackData::Memory(part10), Some(recipe), frames, transfer_syntax_uid)
            }
            Form::Received => {
                let data = PackData::Ranged { len: held.part10_bytes, read: &read };
                (HeldForm::Received, data, None, reader.frames(held).await?, as_received)
            }
            Form::ReceivedZstd(zstd) => {
                let frames = reader.frames(held).await?;
                (HeldForm::ReceivedZstd, PackData::Memory(zstd), None, frames, as_received)
            }
            Form::AsHeld => {
                let Some(len) = reader.entry_bytes(held)? else {
                    return Err(Error::Refused("what is in intake is not held as a pack has it".into()));
                };
                let (recipe, frames) = (reader.recipe(held).await?, reader.frames(held).await?);
                (held.form, PackData::Ranged { len, read: &read_entry }, recipe, frames, as_received)
            }
        };
        let part10_bytes = match (&form, &data) {
            (HeldForm::Packed, PackData::Memory(part10)) => part10.len() as u64,
            _ => held.part10_bytes,
        };
        let record = held.record.clone();
        let new = NewInstance { record, form, transfer_syntax_uid, part10_bytes, data, recipe, frames, dicom_json };
        self.pack.add(new).await
    }

    /// Makes the pack durable and moves its instances to it.
    ///
    /// # Errors
    /// When the object could not be completed (nothing has changed then) or the index not be written (it is caught up
    /// at the next start).
    pub async fn finish(self) -> Result<()> {
        let directory = Arc::new(self.pack.finish().await?);
        self.writer.put_pack(directory).await
    }
}
