//! The STOW-RS client: parcels over kept-alive connections, each answer counted. It shares the machine with the server it
//! measures, so it does as little as a client can: a head and a body made beforehand, written to a socket.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::Value;

use crate::Result;
use crate::corpus::{BOUNDARY, Corpus, Parcel};
use crate::server::Running;

/// A server silent for longer has failed.
const SILENT_MAX: Duration = Duration::from_secs(600);

/// Sends the corpus with so many clients at once; answers the bytes acknowledged, which are all of them.
pub fn send(server: &Running, corpus: &Corpus, clients: usize) -> Result<u64> {
    let next = AtomicUsize::new(0);
    crate::scu::in_parallel(clients, || {
        let (mut bytes, mut connection) = (0, None);
        while let Some(parcel) = corpus.parcels.get(next.fetch_add(1, Ordering::Relaxed)) {
            let mut open = match connection.take() {
                Some(open) => open,
                None => connect(server)?,
            };
            // A server may close after an answer.
            connection = post(&mut open, server, parcel)?.then_some(open);
            bytes += parcel.bytes;
        }
        Ok(bytes)
    })
}

fn connect(server: &Running) -> Result<BufReader<TcpStream>> {
    let socket = TcpStream::connect(server.http)?;
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(SILENT_MAX))?;
    Ok(BufReader::new(socket))
}

/// One request; whether the connection is kept.
fn post(connection: &mut BufReader<TcpStream>, server: &Running, parcel: &Parcel) -> Result<bool> {
    let token = server.token.as_ref().map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!(
        "POST /dicom-web/studies HTTP/1.1\r\nHost: {}\r\nAccept: application/dicom+json\r\n{token}\
         Content-Type: multipart/related; type=\"application/dicom\"; boundary={BOUNDARY}\r\nContent-Length: {}\r\n\r\n",
        server.http,
        parcel.body.len()
    );
    connection.get_mut().write_all(head.as_bytes())?;
    connection.get_mut().write_all(&parcel.body)?;
    let (status, kept, answer) = answer(connection)?;
    let json: Value = serde_json::from_slice(&answer).unwrap_or_default();
    // PS3.18 §10.5.3.2: ReferencedSOPSequence names what was stored.
    let stored = json["00081199"]["Value"].as_array().map_or(0, Vec::len);
    if stored != parcel.instances.len() {
        let answer: String = String::from_utf8_lossy(&answer).chars().take(300).collect();
        return Err(format!("{stored} of {} acknowledged: {status} {answer}", parcel.instances.len()).into());
    }
    Ok(kept)
}

/// Status line, whether the connection is kept, and body of an answer with a Content-Length.
fn answer(connection: &mut BufReader<TcpStream>) -> Result<(String, bool, Vec<u8>)> {
    let (mut status, mut kept, mut length) = (String::new(), true, None);
    connection.read_line(&mut status)?;
    loop {
        let mut line = String::new();
        if connection.read_line(&mut line)? == 0 {
            return Err("the answer was cut short".into());
        }
        let Some((name, value)) = line.split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "content-length" => length = Some(value.trim().parse::<usize>()?),
            "connection" => kept = !value.trim().eq_ignore_ascii_case("close"),
            _ => {}
        }
    }
    let mut body = vec![0; length.ok_or("an answer without a Content-Length")?];
    connection.read_exact(&mut body)?;
    Ok((status.trim().to_owned(), kept, body))
}
