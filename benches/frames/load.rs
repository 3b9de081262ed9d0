//! Clients: threads that read one answer after another from a kept-alive connection.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::{Result, process};

/// A server, and the requests it is sent in turn.
pub struct Target {
    pub name: &'static str,
    pub address: SocketAddr,
    /// Whole requests, ready to be written.
    pub requests: Vec<Vec<u8>>,
    pub pids: Vec<u32>,
}

/// What one run says.
#[derive(Clone, Copy, Debug)]
pub struct Measure {
    pub requests_s: f64,
    pub mb_s: f64,
    pub cpu_ms: f64,
}

impl Target {
    fn cpu_s(&self) -> Result<f64> {
        self.pids.iter().map(|pid| process::cpu_s(*pid)).sum()
    }

    /// The most memory the server has had at once; of several processes added up.
    pub fn peak_rss_mb(&self) -> Result<f64> {
        self.pids.iter().map(|pid| process::peak_rss_mb(*pid)).sum()
    }
}

/// Asks for one frame after another with this many clients, for so long.
pub fn run(target: &Target, clients: usize, time: Duration) -> Result<Measure> {
    let (cpu_before, started) = (target.cpu_s()?, Instant::now());
    let done: Vec<Result<(u64, u64)>> = std::thread::scope(|scope| {
        let client =
            |index| scope.spawn(move || client(target, index * target.requests.len() / clients, started, time));
        let threads: Vec<_> = (0..clients).map(client).collect();
        threads.into_iter().map(|thread| thread.join().map_err(|_| "a client panicked")?).collect()
    });
    let seconds = started.elapsed().as_secs_f64();
    let (mut requests, mut bytes) = (0, 0);
    for one in done {
        let (r, b) = one.map_err(|error| format!("{}: {error}", target.name))?;
        (requests, bytes) = (requests + r, bytes + b);
    }
    let cpu_s = target.cpu_s()? - cpu_before;
    Ok(Measure {
        requests_s: requests as f64 / seconds,
        mb_s: bytes as f64 / 1e6 / seconds,
        cpu_ms: cpu_s * 1e3 / requests as f64,
    })
}

fn client(target: &Target, first: usize, started: Instant, time: Duration) -> Result<(u64, u64)> {
    let stream = TcpStream::connect(target.address)?;
    stream.set_nodelay(true)?;
    let mut connection = Connection { reader: BufReader::with_capacity(256 << 10, stream), line: String::new() };
    let (mut requests, mut bytes) = (0, 0);
    for request in target.requests.iter().cycle().skip(first) {
        if started.elapsed() >= time {
            break;
        }
        bytes += connection.ask(request, |_| {})?;
        requests += 1;
    }
    Ok((requests, bytes))
}

/// A kept-alive connection.
pub struct Connection {
    reader: BufReader<TcpStream>,
    line: String,
}

impl Connection {
    pub fn new(address: SocketAddr) -> Result<Connection> {
        Ok(Connection { reader: BufReader::new(TcpStream::connect(address)?), line: String::new() })
    }

    /// Sends a request and reads its answer; answers the bytes of the body.
    pub fn ask(&mut self, request: &[u8], mut take: impl FnMut(&[u8])) -> Result<u64> {
        self.reader.get_mut().write_all(request)?;
        self.line()?;
        if !self.line.contains(" 200 ") && !self.line.contains(" 206 ") {
            return Err(format!("answered {}", self.line.trim()).into());
        }
        let (mut length, mut chunked) = (0, false);
        loop {
            self.line()?;
            let line = self.line.trim().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(text) = line.strip_prefix("content-length:") {
                length = text.trim().parse()?;
            }
            chunked |= line.starts_with("transfer-encoding:") && line.contains("chunked");
        }
        if !chunked {
            return self.body(length, &mut take);
        }
        let mut total = 0;
        loop {
            self.line()?;
            let chunk = u64::from_str_radix(self.line.trim(), 16)?;
            total += self.body(chunk, &mut take)?;
            self.line()?;
            if chunk == 0 {
                return Ok(total);
            }
        }
    }

    fn line(&mut self) -> Result<()> {
        self.line.clear();
        match self.reader.read_line(&mut self.line)? {
            0 => Err("the connection was closed".into()),
            _ => Ok(()),
        }
    }

    fn body(&mut self, length: u64, take: &mut impl FnMut(&[u8])) -> Result<u64> {
        let mut left = length;
        while left > 0 {
            let here = self.reader.fill_buf()?;
            let count = here.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            if count == 0 {
                return Err("the connection was closed within a body".into());
            }
            take(&here[..count]);
            self.reader.consume(count);
            left -= count as u64;
        }
        Ok(length)
    }
}

/// A GET request.
pub fn get(path: &str, headers: &[(&str, &str)]) -> Vec<u8> {
    let mut out = format!("GET {path} HTTP/1.1\r\nHost: bench\r\n");
    headers.iter().for_each(|(name, value)| out.push_str(&format!("{name}: {value}\r\n")));
    out.push_str("\r\n");
    out.into_bytes()
}

/// A POST request with a body.
pub fn post(path: &str, body: &[u8]) -> Vec<u8> {
    let head = format!("POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Length: {}\r\n\r\n", body.len());
    [head.as_bytes(), body].concat()
}

/// The body of one answer.
pub fn fetch(address: SocketAddr, request: &[u8]) -> Result<Vec<u8>> {
    let mut out = Vec::new();
    Connection::new(address)?.ask(request, |bytes| out.extend_from_slice(bytes))?;
    Ok(out)
}
