//! Bodies of requests, waited for with patience; bodies of answers, which hold their connection's place.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};

use axum::body::Body;
use bytes::Bytes;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use super::HttpLimits;
use super::crowd::Work;
use super::pace::Pace;

/// A request's body. A sender that trickles ends it with an error of kind `TimedOut`.
#[derive(Debug)]
pub struct Paced {
    body: Incoming,
    pace: Pace,
}

impl Paced {
    /// Around a body. Only time in which somebody wants its bytes is counted.
    pub fn new(body: Incoming, limits: &HttpLimits) -> Paced {
        Paced { body, pace: Pace::new(limits) }
    }
}

impl HttpBody for Paced {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Bytes>>>> {
        let this = self.get_mut();
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                this.pace.moved(frame.data_ref().map_or(0, Bytes::len));
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(error))) => Poll::Ready(Some(Err(io::Error::other(error)))),
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Pending => this.pace.poll_out(context).map(|error| Some(Err(error))),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// An answer's body: its connection is at work until it is sent or given up.
#[derive(Debug)]
pub struct Held {
    body: Body,
    _work: Work,
}

impl Held {
    /// Around a body.
    pub fn new(body: Body, work: Work) -> Held {
        Held { body, _work: work }
    }
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.get_mut().body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
