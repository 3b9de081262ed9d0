//! The listener over real sockets: what holds a place without using it is closed, and others are served meanwhile.

use axum::extract::Request as AxumRequest;
use axum::routing::{get, post};
use futures::StreamExt;
use tokio::io::AsyncReadExt;
use tokio::time::Instant;

use super::*;

struct Listening {
    address: SocketAddr,
    stop: watch::Sender<bool>,
    task: tokio::task::JoinHandle<()>,
}

/// `/` answers; `/count` counts the bytes of a body; `/refuse` answers without reading it; `/large` answers 64 MB.
fn router() -> Router {
    async fn count(request: AxumRequest) -> String {
        let mut chunks = request.into_body().into_data_stream();
        let mut bytes = 0;
        while let Some(chunk) = chunks.next().await {
            match chunk {
                Ok(chunk) => bytes += chunk.len(),
                Err(error) => return format!("cut after {bytes}: {error:?}"),
            }
        }
        bytes.to_string()
    }
    Router::new()
        .route("/", get(|| async { "here" }))
        .route("/count", post(count))
        .route("/refuse", post(|| async { (axum::http::StatusCode::UNSUPPORTED_MEDIA_TYPE, "no") }))
        .route("/large", get(|| async { vec![0_u8; 64 << 20] }))
}

async fn listen(change: impl FnOnce(&mut HttpLimits)) -> Listening {
    let mut limits = HttpLimits::default();
    change(&mut limits);
    let socket = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    let (stop, stopped) = watch::channel(false);
    let task = tokio::spawn(HttpListener::new(router(), limits).serve(socket, stopped));
    Listening { address, stop, task }
}

/// Sends bytes and answers all that comes back until the other side closes.
async fn say(address: SocketAddr, bytes: &[u8]) -> String {
    let mut socket = TcpStream::connect(address).await.unwrap();
    let _ = socket.write_all(bytes).await;
    rest_of(&mut socket).await
}

async fn rest_of(socket: &mut TcpStream) -> String {
    let mut answer = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(20), socket.read_to_end(&mut answer)).await;
    assert!(read.is_ok(), "the connection was not closed");
    String::from_utf8_lossy(&answer).into_owned()
}

async fn check_served(address: SocketAddr) {
    let answer = say(address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("here"), "{answer}");
}

/// A client that sends its header byte by byte is closed in time, and others are served meanwhile.
#[tokio::test]
async fn a_slow_loris_header_is_closed_in_time() {
    let listening = listen(|limits| limits.header_wait_max = Duration::from_millis(600)).await;
    let started = Instant::now();
    let mut socket = TcpStream::connect(listening.address).await.unwrap();
    socket.write_all(b"GET / HTTP/1.1\r\nHost: x\r\n").await.unwrap();
    while started.elapsed() < Duration::from_secs(10) {
        check_served(listening.address).await;
        tokio::time::sleep(Duration::from_millis(50)).await;
        let mut byte = [0];
        let gone = socket.write_all(b"x").await.is_err();
        let closed = tokio::time::timeout(Duration::from_millis(1), socket.read(&mut byte)).await;
        if gone || closed.is_ok() {
            break;
        }
    }
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
}

/// A header longer than allowed, or more headers than allowed: 431 (RFC 6585 §5); within the bounds: served.
#[tokio::test]
async fn an_oversized_header_is_answered_431() {
    let listening = listen(|_| ()).await;
    let long = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}\r\n\r\n", "a".repeat(70 << 10));
    assert!(say(listening.address, long.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let endless = format!("GET / HTTP/1.1\r\nHost: x\r\nA: {}", "a".repeat(200 << 10));
    assert!(say(listening.address, endless.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let many = format!("GET / HTTP/1.1\r\nHost: x\r\n{}\r\n", "A: b\r\n".repeat(101));
    assert!(say(listening.address, many.as_bytes()).await.starts_with("HTTP/1.1 431"));
    let within = format!("GET / HTTP/1.1\r\nConnection: close\r\nA: {}\r\n\r\n", "a".repeat(32 << 10));
    assert!(say(listening.address, within.as_bytes()).await.starts_with("HTTP/1.1 200"));
}

/// A body that trickles is cut when its patience is out; one that is slow but fast enough is waited for.
#[tokio::test]
async fn a_trickling_body_is_cut_and_a_slow_one_is_not() {
    let limits = |limits: &mut HttpLimits| {
        (limits.patience_max, limits.bytes_s_min) = (Duration::from_millis(500), 1_000);
    };
    let listening = listen(limits).await;
    let send = async |chunk: usize| {
        let mut socket = TcpStream::connect(listening.address).await.unwrap();
        let head = b"POST /count HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4000\r\n\r\n";
        socket.write_all(head).await.unwrap();
        for _ in 0..4000 / chunk {
            if socket.write_all(&vec![b'x'; chunk]).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        rest_of(&mut socket).await
    };
    let (trickled, slow) = tokio::join!(send(40), send(250));
    assert!(trickled.contains("cut after") && trickled.contains("slower than 1000 bytes a second"), "{trickled}");
    assert!(slow.ends_with("4000"), "{slow}");
}

/// A client that does not read its answer is given up; its memory and its place come back.
#[tokio::test]
async fn an_answer_that_is_not_read_is_given_up() {
    let listening = listen(|limits| {
        (limits.connections_max, limits.patience_max) = (1, Duration::from_millis(300));
    })
    .await;
    let mut lazy = TcpStream::connect(listening.address).await.unwrap();
    lazy.write_all(b"GET /large HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    let full = say(listening.address, b"GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").await;
    assert!(full.starts_with("HTTP/1.1 503") && full.contains("Retry-After"), "{full}");
    // It lingers for two more seconds after it is given up.
    tokio::time::sleep(Duration::from_secs(3)).await;
    check_served(listening.address).await;
}

/// Ten thousand idle connections: never more than allowed are kept, and a newcomer is served at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_are_bounded() {
    let listening = listen(|limits| limits.connections_max = 50).await;
    let (mut idle, mut closed) = (std::collections::VecDeque::new(), 0);
    for number in 0..10_000 {
        idle.push_back(TcpStream::connect(listening.address).await.unwrap());
        // Our own descriptors are bounded too.
        if idle.len() > 200 {
            let mut oldest = idle.pop_front().unwrap();
            rest_of(&mut oldest).await;
            closed += 1;
        }
        if number % 2_500 == 2_499 {
            check_served(listening.address).await;
        }
    }
    assert_eq!(closed, 9_800, "the oldest are closed as newcomers come");
}

/// Any bytes at all: an answer or an end, and the next client is served.
#[tokio::test]
async fn garbage_never_kills_the_listener() {
    let listening = listen(|limits| limits.header_wait_max = Duration::from_millis(50)).await;
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    for round in 0..200 {
        let mut bytes: Vec<u8> = match round % 4 {
            0 => b"GET / HTTP/1.1\r\n".to_vec(),
            1 => b"POST /count HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec(),
            2 => b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec(),
            _ => Vec::new(),
        };
        for _ in 0..round {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            bytes.push((state >> 33) as u8);
        }
        let mut socket = TcpStream::connect(listening.address).await.unwrap();
        let _ = socket.write_all(&bytes).await;
        let _ = socket.shutdown().await;
        let _ = tokio::time::timeout(Duration::from_secs(5), socket.read_to_end(&mut Vec::new())).await.unwrap();
    }
    check_served(listening.address).await;
}

/// An answer given before the body was read reaches its client, who is still sending.
#[tokio::test]
async fn an_early_answer_reaches_a_client_that_is_still_sending() {
    let listening = listen(|_| ()).await;
    let mut socket = TcpStream::connect(listening.address).await.unwrap();
    socket.write_all(b"POST /refuse HTTP/1.1\r\nHost: x\r\nContent-Length: 9000000\r\n\r\n").await.unwrap();
    for _ in 0..9 {
        socket.write_all(&[b'x'; 1_000_000]).await.unwrap();
    }
    socket.shutdown().await.unwrap();
    let answer = rest_of(&mut socket).await;
    assert!(answer.starts_with("HTTP/1.1 415") && answer.ends_with("no"), "{answer}");
}

/// `Expect: 100-continue` is answered 100 only when somebody wants the body; a refusal comes without it (RFC 9110 §10.1.1).
#[tokio::test]
async fn expect_continue_is_answered_only_when_the_body_is_wanted() {
    let listening = listen(|_| ()).await;
    let ask = async |path: &str| {
        let mut socket = TcpStream::connect(listening.address).await.unwrap();
        let head = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\n"
        );
        socket.write_all(head.as_bytes()).await.unwrap();
        let mut first = [0; 12];
        socket.read_exact(&mut first).await.unwrap();
        if first.ends_with(b"100") {
            socket.write_all(b"body").await.unwrap();
        }
        format!("{}{}", String::from_utf8_lossy(&first), rest_of(&mut socket).await)
    };
    let wanted = ask("/count").await;
    assert!(wanted.starts_with("HTTP/1.1 100") && wanted.ends_with("\r\n\r\n4"), "{wanted}");
    let refused = ask("/refuse").await;
    assert!(refused.starts_with("HTTP/1.1 415"), "{refused}");
}

/// Told to stop, the listener finishes what is under way, closes what is idle, and ends.
#[tokio::test]
async fn a_stop_finishes_what_is_under_way() {
    let listening = listen(|_| ()).await;
    let _idle = TcpStream::connect(listening.address).await.unwrap();
    let mut busy = TcpStream::connect(listening.address).await.unwrap();
    busy.write_all(b"POST /count HTTP/1.1\r\nHost: x\r\nContent-Length: 8\r\n\r\nhalf").await.unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    listening.stop.send(true).unwrap();
    tokio::time::sleep(Duration::from_millis(100)).await;
    busy.write_all(b"half").await.unwrap();
    let answer = rest_of(&mut busy).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with('8'), "{answer}");
    tokio::time::timeout(Duration::from_secs(5), listening.task).await.unwrap().unwrap();
}
