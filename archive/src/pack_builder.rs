//! Moving a study from intake to a pack.

use std::sync::Arc;

use bytes::Bytes;
use tokio::sync::MutexGuard;

use crate::error::{Error, Result};
use crate::reader::{Held, Reader};
use crate::writer::Writer;
use crate::FrameTable;

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
        let _ = (number, study_instance_uid, created_at, writer.objects());
        Ok(PackBuilder { writer, _turn: turn })
    }

    /// Adds an instance that is in intake, with its DICOM JSON. Answers the bytes it will be held in.
    pub async fn add(&mut self, reader: &Reader, held: &Held, dicom_json: Bytes, form: Form) -> Result<u64> {
        let _ = (reader, held, dicom_json, form);
        todo!()
    }

    /// Makes the pack durable and moves its instances to it.
    pub async fn finish(self) -> Result<()> {
        let _: Arc<()> = Arc::new(());
        let _ = self.writer;
        todo!()
    }
}
