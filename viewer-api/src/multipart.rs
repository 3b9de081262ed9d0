//! `multipart/related` bodies (RFC 2387; PS3.18 §8.6.1.2), streamed: no part is held in memory as a whole.

use axum::body::Body;
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use futures::stream::{self, BoxStream, Stream, StreamExt};

use crate::error::Error;

/// Bytes as they come, or the reason why no more come.
pub(crate) type ByteStream = BoxStream<'static, Result<Bytes, Error>>;

/// One part on its way out.
pub(crate) struct Part {
    /// Content-Type of the part.
    pub(crate) content_type: String,
    /// Content-Location of the part, if it has a place of its own.
    pub(crate) content_location: Option<String>,
    /// Its bytes, if it is known how many.
    pub(crate) content_length: Option<u64>,
    /// Its body.
    pub(crate) body: ByteStream,
}

/// A body that is there already.
pub(crate) fn whole(bytes: Bytes) -> ByteStream {
    stream::once(async { Ok(bytes) }).boxed()
}

/// A response of parts. A part that fails ends the connection: the client sees that the last boundary is missing.
pub(crate) fn related(root_type: &str, parts: impl Stream<Item = Result<Part, Error>> + Send + 'static) -> Response {
    let boundary = format!("tsunagu-{}", uuid::Uuid::new_v4().simple());
    let content_type = content_type(root_type, &boundary);
    let end = end_of(&boundary);
    let mut first = true;
    let whole = parts.flat_map(move |part| match part {
        Err(error) => stream::once(async { Err(error) }).boxed(),
        Ok(part) => {
            let front = front(&part, &boundary, std::mem::take(&mut first));
            stream::once(async { Ok(front) }).chain(part.body).boxed()
        }
    });
    let whole = whole.chain(stream::once(async move { Ok(end) }));
    let mut response = Body::from_stream(log_failure(whole)).into_response();
    let content_type = HeaderValue::from_str(&content_type);
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, content_type.unwrap_or(HeaderValue::from_static("multipart/related")));
    response
}

/// Content-Type of parts of this type.
pub(crate) fn content_type(root_type: &str, boundary: &str) -> String {
    format!("multipart/related; type=\"{root_type}\"; boundary={boundary}")
}

/// What stands before a part whose length is known.
pub(crate) fn front_of(boundary: &str, content_type: &str, length: u64, location: &str, first: bool) -> Bytes {
    let line = if first { "" } else { "\r\n" };
    Bytes::from(format!(
        "{line}--{boundary}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nContent-Location: {location}\r\n\r\n"
    ))
}

/// What stands behind the last part.
pub(crate) fn end_of(boundary: &str) -> Bytes {
    Bytes::from(format!("\r\n--{boundary}--\r\n"))
}

/// Tells the server's log why a body broke off: the client only sees that it did.
pub(crate) fn log_failure(
    body: impl Stream<Item = Result<Bytes, Error>> + Send + 'static,
) -> impl Stream<Item = Result<Bytes, Error>> + Send + 'static {
    body.inspect(|bytes| {
        if let Err(error) = bytes {
            tracing::error!(%error, "a body broke off");
        }
    })
}

fn front(part: &Part, boundary: &str, first: bool) -> Bytes {
    let mut out = if first { String::new() } else { "\r\n".to_owned() };
    out.push_str(&format!("--{boundary}\r\nContent-Type: {}\r\n", part.content_type));
    if let Some(length) = part.content_length {
        out.push_str(&format!("Content-Length: {length}\r\n"));
    }
    if let Some(location) = &part.content_location {
        out.push_str(&format!("Content-Location: {location}\r\n"));
    }
    out.push_str("\r\n");
    Bytes::from(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(text: &'static str) -> Result<Part, Error> {
        let body = whole(Bytes::from_static(text.as_bytes()));
        Ok(Part { content_type: "text/plain".into(), content_location: None, content_length: Some(3), body })
    }

    #[tokio::test]
    async fn parts_stand_between_boundaries_that_the_header_names() {
        let response = related("text/plain", stream::iter([part("one"), part("two")]));
        let kind = response.headers()[header::CONTENT_TYPE].to_str().unwrap().to_owned();
        let boundary = kind.rsplit_once("boundary=").unwrap().1.to_owned();
        let body = axum::body::to_bytes(response.into_body(), 4096).await.unwrap();
        let front = format!("--{boundary}\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n");
        let expected = format!("{front}one\r\n{front}two\r\n--{boundary}--\r\n");
        assert_eq!(String::from_utf8(body.to_vec()).unwrap(), expected);
    }

    #[tokio::test]
    async fn a_part_that_fails_breaks_the_body_off() {
        let response = related("text/plain", stream::iter([part("one"), Err(Error::Stopping)]));
        assert!(axum::body::to_bytes(response.into_body(), 4096).await.is_err());
    }
}
