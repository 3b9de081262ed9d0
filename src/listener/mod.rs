//! Connections of the HTTP listener: how many there may be, how long each is waited for, and what is said when there is
//! no room. HTTP/1.1 only; over any stream, so that TLS goes around it.
//!
//! Three ways of holding a place without using it are bounded: a header that never ends (a time and a size), a body that
//! trickles in ([`body::Paced`]) and an answer that is not read ([`stream::Guarded`]). When every place is taken, the
//! connection that has been idle longest gives up its own; only when all of them are at work is a newcomer told 503.

mod body;
mod crowd;
mod pace;
mod stream;

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tower::Service;

use self::body::{Held, Paced};
use self::crowd::{Crowd, Member};
use self::stream::Guarded;

/// What a newcomer is told when every place is taken and at work.
const FULL: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
/// How long that may take.
const FULL_WAIT: Duration = Duration::from_secs(1);
/// A rest after the system could not accept, which is nearly always for want of file descriptors.
const ACCEPT_REST: Duration = Duration::from_millis(100);

/// Bounds of the HTTP listener.
#[derive(Clone, Copy, Debug)]
pub struct HttpLimits {
    /// Connections at once. Default: 768, which leaves room below the usual 1,024 file descriptors.
    pub connections_max: usize,
    /// A header that is not whole after so long, or a connection without a request for so long, is closed. Default: 30 s.
    pub header_wait_max: Duration,
    /// Bytes of a request's line and headers; 431 beyond. Default: 64 KiB.
    pub header_bytes_max: usize,
    /// Headers of a request; 431 beyond. Default: 100.
    pub headers_max: usize,
    /// Waiting time, in all, for a body to come or an answer to be read; bytes that move win it back. Default: 60 s.
    pub patience_max: Duration,
    /// A peer that moves fewer bytes a second than this uses its patience up. Default: 1,024.
    pub bytes_s_min: u64,
}

impl Default for HttpLimits {
    fn default() -> Self {
        HttpLimits {
            connections_max: 768,
            header_wait_max: Duration::from_secs(30),
            header_bytes_max: 64 << 10,
            headers_max: 100,
            patience_max: Duration::from_secs(60),
            bytes_s_min: 1024,
        }
    }
}

/// A listener for one router. Clones share its places: several sockets may be served beside each other.
#[derive(Clone)]
pub struct HttpListener {
    router: Router,
    limits: HttpLimits,
    crowd: Arc<Crowd>,
}

impl HttpListener {
    /// One within these limits.
    pub fn new(router: Router, limits: HttpLimits) -> HttpListener {
        HttpListener { router, limits, crowd: Arc::new(Crowd::new(limits.connections_max)) }
    }

    /// Serves plain HTTP until told to stop, then waits for the requests that are under way.
    pub async fn serve(self, listener: TcpListener, stopped: watch::Receiver<bool>) {
        self.serve_over(listener, stopped, |socket, _| async { Ok(socket) }).await;
    }

    /// As [`HttpListener::serve`], over what `greet` makes of each accepted socket (a TLS handshake). It runs in the
    /// connection's own task, and may take as long as a header.
    pub async fn serve_over<S, F>(
        self,
        listener: TcpListener,
        mut stopped: watch::Receiver<bool>,
        greet: impl Fn(TcpStream, SocketAddr) -> F,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
        F: Future<Output = io::Result<S>> + Send + 'static,
    {
        // Each connection holds a receiver; when the last one is gone, nobody is left.
        let (everybody, here) = watch::channel(());
        let until = stopped.clone();
        loop {
            let accepted = tokio::select! {
                accepted = listener.accept() => accepted,
                _ = stopped.wait_for(|stop| *stop) => break,
            };
            let (socket, peer) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    rest(&error).await;
                    continue;
                }
            };
            // An answer is one write; waiting for another to go with it helps nobody.
            let _ = socket.set_nodelay(true);
            let Some(member) = self.crowd.enter() else {
                tokio::spawn(turn_away(socket));
                continue;
            };
            let (one, greeting) = (self.clone(), greet(socket, peer));
            let (until, here) = (until.clone(), here.clone());
            tokio::spawn(async move {
                let stream = tokio::select! {
                    greeted = tokio::time::timeout(one.limits.header_wait_max, greeting) => greeted,
                    () = member.asked_to_leave() => return,
                };
                if let Ok(Ok(stream)) = stream {
                    one.connection(stream, member, until).await;
                }
                drop(here);
            });
        }
        drop((listener, here));
        everybody.closed().await;
    }

    async fn connection<S>(self, stream: S, member: Arc<Member>, mut until: watch::Receiver<bool>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    {
        let limits = self.limits;
        let (router, place) = (self.router.clone(), Arc::clone(&member));
        let answer = move |request: Request<Incoming>| answer(router.clone(), place.clone(), request, limits);
        let mut builder = http1::Builder::new();
        builder.timer(TokioTimer::new()).header_read_timeout(limits.header_wait_max);
        builder.max_header_size(limits.header_bytes_max).max_headers(limits.headers_max).half_close(true);
        let io = TokioIo::new(Guarded::new(stream, Arc::clone(&member), &limits));
        let mut connection = std::pin::pin!(builder.serve_connection(io, hyper::service::service_fn(answer)));
        let mut stopping = false;
        loop {
            tokio::select! {
                served = connection.as_mut() => {
                    if let Err(error) = served {
                        tracing::debug!(%error, "an HTTP connection ended early");
                    }
                    return;
                }
                () = member.asked_to_leave() => return,
                _ = until.wait_for(|stop| *stop), if !stopping => {
                    stopping = true;
                    connection.as_mut().graceful_shutdown();
                }
            }
        }
    }
}

async fn answer(
    mut router: Router,
    place: Arc<Member>,
    request: Request<Incoming>,
    limits: HttpLimits,
) -> Result<Response<Held>, Infallible> {
    let work = place.begin();
    let request = request.map(|body| Body::new(Paced::new(body, &limits)));
    // A router is always ready.
    let answered = match router.call(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    };
    Ok(answered.map(|body| Held::new(body, work)))
}

async fn turn_away(mut socket: TcpStream) {
    let told = async {
        socket.write_all(FULL).await?;
        socket.shutdown().await
    };
    let _ = tokio::time::timeout(FULL_WAIT, told).await;
}

async fn rest(error: &io::Error) {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    if !matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset) {
        tracing::warn!(%error, "a connection could not be accepted");
        tokio::time::sleep(ACCEPT_REST).await;
    }
}

#[cfg(test)]
mod tests;
