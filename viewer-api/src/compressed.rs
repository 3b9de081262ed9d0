//! Texts are compressed on the way out where the client takes it (RFC 9110 §12.5.3): JSON and XML by zstd or gzip. Pixels
//! never: they are compressed as they are held, and their byte ranges have to stay what they are.

use std::io::{self, Write};

use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use bytes::Bytes;
use flate2::Compression;
use flate2::write::GzEncoder;
use futures::stream::{self, StreamExt};

/// What is shorter than this, in bytes, stays as it is where its length is known.
const BYTES_MIN: u64 = 1024;
/// Levels that keep up with the network.
const GZIP_LEVEL: u32 = 2;
const ZSTD_LEVEL: i32 = 1;
/// log2 of the bytes that zstd looks back: half a mebibyte for each answer under way.
const ZSTD_WINDOW_LOG: u32 = 19;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Coding {
    Gzip,
    Zstd,
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Gzip => "gzip",
            Coding::Zstd => "zstd",
        }
    }
}

/// Compresses an answer that is a text.
pub(crate) async fn compressed(request: Request, next: Next) -> Response {
    let coding = accepted(request.headers());
    let response = next.run(request).await;
    if !is_text(&response) {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    parts.headers.append(header::VARY, HeaderValue::from_static("Accept-Encoding"));
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    let encoder =
        coding.filter(|_| length.is_none_or(|length| length >= BYTES_MIN)).map(|coding| (coding, Encoder::new(coding)));
    let Some((coding, Ok(encoder))) = encoder else { return Response::from_parts(parts, body) };
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.remove(header::ACCEPT_RANGES);
    parts.headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    weaken(&mut parts.headers);
    let chunks = body
        .into_data_stream()
        .map(|chunk| chunk.map_err(io::Error::other))
        .map(Some)
        .chain(stream::once(async { None }));
    let compressed = chunks.scan(Some(encoder), |encoder, chunk| {
        let out = match chunk {
            Some(Ok(chunk)) => encoder.as_mut().map(|encoder| encoder.push(&chunk)),
            Some(Err(error)) => Some(Err(error)),
            None => encoder.take().map(Encoder::finish),
        };
        async move { out }
    });
    let compressed = compressed.filter(|chunk| {
        let is_empty = chunk.as_ref().is_ok_and(Bytes::is_empty);
        async move { !is_empty }
    });
    Response::from_parts(parts, Body::from_stream(compressed))
}

/// The same text in other bytes: a weak tag (RFC 9110 §8.8.1).
fn weaken(headers: &mut HeaderMap) {
    let weak = headers.get(header::ETAG).and_then(|tag| tag.to_str().ok()).filter(|tag| !tag.starts_with("W/"));
    if let Some(weak) = weak.and_then(|tag| HeaderValue::from_str(&format!("W/{tag}")).ok()) {
        headers.insert(header::ETAG, weak);
    }
}

fn is_text(response: &Response) -> bool {
    let headers = response.headers();
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let kind = kind.to_ascii_lowercase();
    let texts = [
        "application/dicom+json",
        "application/json",
        "application/dicom+xml",
        "application/vnd.sun.wadl+xml",
        "application/xml",
        "text/",
    ];
    let xml_parts = kind.starts_with("multipart/related") && kind.contains("dicom+xml");
    let events = kind.starts_with("text/event-stream");
    let is_text = texts.iter().any(|text| kind.starts_with(text)) || xml_parts;
    let whole = response.status() != StatusCode::PARTIAL_CONTENT && !headers.contains_key(header::CONTENT_ENCODING);
    is_text && !events && whole
}

/// The best coding that is accepted: zstd where both weigh the same.
fn accepted(headers: &HeaderMap) -> Option<Coding> {
    let [gzip, zstd] = [weight(headers, &["gzip", "x-gzip"]), weight(headers, &["zstd"])];
    match gzip.max(zstd) {
        0 => None,
        best => Some(if zstd == best { Coding::Zstd } else { Coding::Gzip }),
    }
}

/// How much a client wants a coding, by any of its names, in thousandths (RFC 9110 §12.5.3); 0 is not at all.
pub(crate) fn weight(headers: &HeaderMap, names: &[&str]) -> u16 {
    let values = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|value| value.to_str().ok());
    let weights = values.flat_map(|value| value.split(',')).filter_map(|one| {
        let mut parts = one.split(';').map(str::trim);
        let name = parts.next().unwrap_or_default();
        names.iter().find(|known| known.eq_ignore_ascii_case(name))?;
        let weight = parts.find_map(|part| part.strip_prefix("q=")).map_or(Some(1.0), |q| q.parse::<f32>().ok());
        Some((weight.unwrap_or(0.0).clamp(0.0, 1.0) * 1000.0) as u16)
    });
    weights.max().unwrap_or(0)
}

enum Encoder {
    Gzip(GzEncoder<Vec<u8>>),
    Zstd(zstd::stream::write::Encoder<'static, Vec<u8>>),
}

impl Encoder {
    fn new(coding: Coding) -> io::Result<Encoder> {
        match coding {
            Coding::Gzip => Ok(Encoder::Gzip(GzEncoder::new(Vec::new(), Compression::new(GZIP_LEVEL)))),
            Coding::Zstd => {
                let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), ZSTD_LEVEL)?;
                encoder.window_log(ZSTD_WINDOW_LOG)?;
                Ok(Encoder::Zstd(encoder))
            }
        }
    }

    /// Takes bytes in, and answers those that are ready.
    fn push(&mut self, bytes: &[u8]) -> io::Result<Bytes> {
        let out = match self {
            Encoder::Gzip(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
            Encoder::Zstd(encoder) => {
                encoder.write_all(bytes)?;
                encoder.get_mut()
            }
        };
        Ok(Bytes::from(std::mem::take(out)))
    }

    fn finish(self) -> io::Result<Bytes> {
        match self {
            Encoder::Gzip(encoder) => encoder.finish().map(Bytes::from),
            Encoder::Zstd(encoder) => encoder.finish().map(Bytes::from),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_best_coding_that_is_accepted_is_taken() {
        let check = |value: &'static str, expected| {
            let headers = HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(value))]);
            assert_eq!(accepted(&headers), expected, "{value}");
        };
        check("gzip, deflate, br", Some(Coding::Gzip));
        check("gzip, zstd", Some(Coding::Zstd));
        check("zstd;q=0.1, gzip;q=0.9", Some(Coding::Gzip));
        check("gzip;q=0, zstd;q=x", None);
        check("identity, br", None);
        assert_eq!(accepted(&HeaderMap::new()), None);
    }

    #[test]
    fn what_is_pushed_comes_out_again() {
        let text: Vec<u8> = (0..200_000u64).flat_map(|n| (n * n % 977).to_string().into_bytes()).collect();
        for coding in [Coding::Gzip, Coding::Zstd] {
            let mut encoder = Encoder::new(coding).unwrap();
            let mut out = Vec::new();
            text.chunks(70_000).for_each(|chunk| out.extend_from_slice(&encoder.push(chunk).unwrap()));
            out.extend_from_slice(&encoder.finish().unwrap());
            let back = match coding {
                Coding::Gzip => {
                    let mut back = Vec::new();
                    io::Read::read_to_end(&mut flate2::read::GzDecoder::new(&out[..]), &mut back).unwrap();
                    back
                }
                Coding::Zstd => zstd::decode_all(&out[..]).unwrap(),
            };
            assert!(back == text && out.len() < text.len() / 2, "{coding:?}");
        }
    }
}
