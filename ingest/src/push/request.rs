//! One multipart request, streamed: no file is held whole.

use bytes::Bytes;
use futures::StreamExt;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tokio::task::JoinHandle;
use tokio_stream::wrappers::ReceiverStream;
use uuid::Uuid;

use crate::error::{Error, Result};
use crate::files::Found;

/// What a path in Content-Location may hold unescaped (RFC 3986 §2.3 and `/`).
const PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~').remove(b'/');
/// Chunks read ahead of the network.
const CHUNKS_AHEAD_MAX: usize = 4;

/// The files of one request.
pub struct Parts {
    files: Vec<Found>,
    /// 122 random bits: no file holds it.
    boundary: String,
}

/// The file that could not be read, and why.
pub type Unread = (String, String);
/// The task that reads the files of a request.
pub type Reading = JoinHandle<Result<(), Unread>>;

impl Parts {
    pub fn new(files: Vec<Found>) -> Self {
        Parts { files, boundary: Uuid::new_v4().simple().to_string() }
    }

    pub fn content_type(&self) -> String {
        format!("multipart/related; type=\"application/dicom\"; boundary={}", self.boundary)
    }

    /// The body, and the task that reads the files into it. A file that cannot be read breaks the request off, so
    /// that the server never takes its beginning for the whole.
    pub fn body(self) -> (reqwest::Body, Reading) {
        let (sender, chunks) = tokio::sync::mpsc::channel::<std::io::Result<Bytes>>(CHUNKS_AHEAD_MAX);
        let reading = tokio::task::spawn_blocking(move || {
            for found in &self.files {
                let written = self.write(found, |chunk| sender.blocking_send(Ok(chunk)).map_err(|_| Error::Stopping));
                match written {
                    Ok(()) => (),
                    // Nobody takes the bytes any more: the request has ended, with its own error.
                    Err(Error::Stopping) => return Ok(()),
                    Err(error) => {
                        let _ = sender.blocking_send(Err(std::io::Error::other("a file could not be read")));
                        return Err((found.name.clone(), error.to_string()));
                    }
                }
            }
            let _ = sender.blocking_send(Ok(format!("--{}--\r\n", self.boundary).into()));
            Ok(())
        });
        (reqwest::Body::wrap_stream(ReceiverStream::new(chunks).boxed()), reading)
    }

    fn write(&self, found: &Found, mut to: impl FnMut(Bytes) -> Result<()>) -> Result<()> {
        let name = utf8_percent_encode(&found.name, PATH);
        let head = format!(
            "--{}\r\nContent-Type: application/dicom\r\nContent-Length: {}\r\nContent-Location: {name}\r\n\r\n",
            self.boundary, found.bytes
        );
        to(head.into())?;
        found.read(&mut to)?;
        to(Bytes::from_static(b"\r\n"))
    }
}
