//! The stream under a connection: an answer that is not read is given up, and an early answer is not lost.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::Sleep;

use super::HttpLimits;
use super::crowd::{Member, Work};
use super::pace::Pace;

/// How long, after an answer that ends the connection, what the peer still sends is read and thrown away.
const LINGER: Duration = Duration::from_secs(2);
/// And how much of it. Bytes.
const LINGER_BYTES_MAX: usize = 16 << 20;
const DISCARD_BYTES: usize = 16 << 10;

/// A stream whose peer is waited for with patience.
#[derive(Debug)]
pub struct Guarded<S> {
    stream: S,
    pace: Pace,
    place: Arc<Member>,
    /// While the peer does not read: its answer may be with us to the last byte and not with it.
    unread: Option<Work>,
    linger: Option<Linger>,
}

#[derive(Debug)]
struct Linger {
    over: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl<S> Guarded<S> {
    /// Around a stream.
    pub fn new(stream: S, place: Arc<Member>, limits: &HttpLimits) -> Guarded<S> {
        Guarded { stream, pace: Pace::new(limits), place, unread: None, linger: None }
    }

    fn paced(&mut self, context: &mut Context<'_>, written: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match written {
            Poll::Ready(Ok(bytes)) => {
                self.pace.moved(bytes);
                self.unread = None;
                Poll::Ready(Ok(bytes))
            }
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => {
                self.unread.get_or_insert_with(|| Arc::clone(&self.place).begin());
                self.pace.poll_out(context).map(Err)
            }
        }
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Guarded<S> {
    fn poll_read(mut self: Pin<&mut Self>, context: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(context, into)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Guarded<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.paced(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.paced(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// A socket closed with bytes unread resets the connection, and the peer may lose the answer it has not read yet
    /// (RFC 9112 §9.6): so the write side is closed first, and what still comes is read for a while.
    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.linger.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(context))?;
        }
        let linger = this
            .linger
            .get_or_insert_with(|| Linger { over: Box::pin(tokio::time::sleep(LINGER)), bytes_left: LINGER_BYTES_MAX });
        if linger.over.as_mut().poll(context).is_ready() {
            return Poll::Ready(Ok(()));
        }
        let mut discarded = [0; DISCARD_BYTES];
        loop {
            let mut into = ReadBuf::new(&mut discarded);
            let read = Pin::new(&mut this.stream).poll_read(context, &mut into);
            let bytes = into.filled().len();
            match read {
                Poll::Ready(Ok(())) if bytes > 0 && bytes < linger.bytes_left => linger.bytes_left -= bytes,
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => return Poll::Pending,
            }
        }
    }
}
